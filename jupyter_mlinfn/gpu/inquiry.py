"""Asks the driver, over its bad days, and says what state the user's GPU is in.

Everything here is called by the sampler's thread.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from . import selection as choosing
from . import states
from .models import BoardReading, Device, DriverProcess, Memory, Selection
from .nvml import GRAVE, WHOLE, Code, Nvml, NvmlError, device_nodes
from .reader import DeviceGoneError, Inventory, Reader
from .states import State

Value = TypeVar("Value")

NOTHING = Selection((), None)


@dataclass(frozen=True)
class Seen:
    """What the driver said.

    Attributes:
        state: `fine` where the figures could be read; the sampler tells `memory_low` from it.
        memory, utilisation, boards: of the devices that answer, by UUID; nothing where it is not known
            which device is the user's.
        present: whether the server has a GPU or ought to have one.
        utilisation: per cent and why it is None.
        listed: processes; None where the driver tells of none, see `why_not_listed`.
    """

    state: State = field(default_factory=lambda: State("starting"))
    present: bool = False
    simulated: bool = False
    driver_version: str | None = None
    cuda_version: str | None = None
    selection: Selection = NOTHING
    memory: Mapping[str, Memory] = field(default_factory=dict)
    utilisation: Mapping[str, tuple[float | None, str]] = field(default_factory=dict)
    boards: Mapping[str, BoardReading] = field(default_factory=dict)
    listed: Sequence[DriverProcess] | None = None
    why_not_listed: str = ""

    def used(self, device: str) -> int | None:
        memory = self.memory.get(device)
        return memory.used if memory else None


class Inquiry:
    """Opens NVML at the first question, and anew where it must.

    Args:
        environment: of the server's process.
        mounts: the folder of `selection.MOUNTS`.
        clock: see `Reader`.
    """

    def __init__(
        self,
        nvml: Nvml,
        environment: Mapping[str, str] | None = None,
        mounts: Path = Path(choosing.MOUNTS),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._nvml = nvml
        self._reader = Reader(nvml, clock)
        self._environment = os.environ if environment is None else environment
        self._mounts = mounts
        self._seen = Seen()
        self._known: Sequence[Device] = ()
        self._refused: dict[str, NvmlError | None] = {}
        self._must_look = True

    @property
    def had_device(self) -> bool:
        """Whether the user had one at any time."""
        return bool(self._known)

    def quick(self, *, utilisation: bool) -> Seen:
        """The memory of the user's devices; looks anew for what they are, where it must."""
        for _ in range(2):
            try:
                if self._must_look or not self._nvml.is_open:
                    self._look()
                return self._keep(self._figures(utilisation))
            except DeviceGoneError:
                self._must_look = True
            except NvmlError as error:
                failed = self._failed(error)
                # The driver was restarted: a new connection may do.
                if error.code is not Code.UNINITIALIZED:
                    return failed
        # It went again while it was looked for.
        return self._keep(_blank(self._seen, _gone(self._known)))

    def slow(self, seen: Seen) -> Seen:
        """With the boards' figures and the processes, of what `quick` gave."""
        if not seen.state.readable or seen.selection.ambiguous:
            return seen
        try:
            boards = {
                device.uuid: board
                for device in self._answering(seen)
                if (board := self._told(device, self._reader.board)) is not None
            }
            listed, why = self._processes(seen)
            seen = self._without_failed(seen)
        except NvmlError as error:
            return self._failed(error)
        except DeviceGoneError:
            # The next question looks anew, and finds out what became of it.
            self._must_look = True
            return seen
        # What failed may come back: look for it as often as for all this.
        self._must_look = bool(self._refused) or seen.state.partial
        return self._keep(replace(seen, boards=boards, listed=listed, why_not_listed=why))

    def close(self) -> None:
        self._reader.forget()
        self._nvml.close()
        self._must_look = True

    def _look(self) -> None:
        """Raises:
        NvmlError
        """
        nvml = self._nvml
        if not nvml.is_open:
            nvml.open()
            version, cuda = nvml.driver_version(), nvml.cuda_version()
            self._seen = replace(
                self._seen, simulated=nvml.simulated, driver_version=version, cuda_version=cuda
            )
        inventory = self._reader.look()
        mounts = self._mounted()
        chosen = choosing.select(inventory.devices, inventory.readable, self._environment, mounts)
        if chosen.ambiguous:
            readable = [device for device in chosen.devices if device.uuid in inventory.readable]
            chosen = replace(chosen, devices=readable)
        else:
            chosen = replace(chosen, devices=self._with_known(chosen.devices))
        self._refused = {}
        state = self._judge(inventory, chosen)
        if chosen.devices and state.kind != "ambiguous":
            self._known = chosen.devices
        elif not chosen.devices and state.kind in ("lost", "mig_destroyed", "reset_required"):
            chosen = replace(chosen, devices=self._known)
        self._must_look = not state.readable
        present = state.kind != "no_device" or self.had_device or self._ought()
        self._seen = replace(self._seen, state=state, present=present, selection=chosen)

    def _with_known(self, devices: Sequence[Device]) -> Sequence[Device]:
        """With those of before that are not listed now: one of several may have failed. Where none of
        them is left, others were given in their place."""
        now = {device.uuid: device for device in devices}
        if not any(device.uuid in now for device in self._known):
            return devices
        before = [now.pop(device.uuid, device) for device in self._known]
        return [*before, *now.values()]

    def _judge(self, inventory: Inventory, chosen: Selection) -> State:
        failures = inventory.failures
        if chosen.ambiguous:
            return State("ambiguous", chosen.note)
        if choosing.denies_devices(self._environment, self._mounted()) and not chosen.devices:
            return State("no_device", chosen.note)
        grave = {name: error for name, error in failures.items() if error.code in GRAVE}
        if chosen.devices:
            for device in chosen.devices:
                if device.uuid not in inventory.readable:
                    board = f"board {device.board.index}"
                    self._refused[device.uuid] = failures.get(device.uuid) or failures.get(board)
            if not self._refused and chosen.missing and grave:
                return states.only_of(_worst(list(grave.values())), list(grave))
            return self._of_refused(chosen.devices)
        if grave:
            return _worst(list(grave.values()))
        if self._known:
            return _gone(self._known)
        refused = list(failures.values())
        if inventory.devices and refused and chosen.source is None:
            return _worst(refused)
        return State("no_device", chosen.note)

    def _of_refused(self, devices: Sequence[Device]) -> State:
        """What the devices that fail make of the user's."""
        failing = [device for device in devices if device.uuid in self._refused]
        if not failing:
            return State("fine")
        errors = [error for error in self._refused.values() if error is not None]
        state = _worst(errors) if errors else _gone(failing)
        if len(failing) == len(devices):
            return state
        return states.only_of(state, [f"{states.name_of(each)} ({each.uuid})" for each in failing])

    def _figures(self, utilisation: bool) -> Seen:
        """Raises:
        DeviceGoneError, NvmlError
        """
        seen = self._seen
        if not seen.state.readable:
            return _blank(seen, seen.state)
        if seen.selection.ambiguous:
            # They may be other people's: it is only seen whether they are still there.
            for device in seen.selection.devices:
                self._told(device, self._reader.memory)
            if self._refused:
                raise DeviceGoneError
            return _blank(seen, seen.state)
        memory, used = {}, {}
        for device in self._answering(seen):
            read = self._told(device, self._reader.memory)
            if read is not None:
                memory[device.uuid] = read
        if utilisation:
            for device in self._answering(seen):
                computed = self._told(device, self._reader.utilisation)
                if computed is not None:
                    used[device.uuid] = computed
        return self._without_failed(replace(seen, memory=memory, utilisation=used))

    def _answering(self, seen: Seen) -> Sequence[Device]:
        return [device for device in seen.selection.devices if device.uuid not in self._refused]

    def _told(self, device: Device, read: Callable[[Device], Value]) -> Value | None:
        """What the driver says of a device; None where it is that device that fails.

        Raises:
            DeviceGoneError
            NvmlError: the driver fails as a whole.
        """
        try:
            return read(device)
        except NvmlError as error:
            if error.code in WHOLE:
                raise
            self._refused[device.uuid] = error
            return None

    def _without_failed(self, seen: Seen) -> Seen:
        """With a state that names what failed.

        Raises:
            DeviceGoneError, NvmlError: there is nothing else.
        """
        refused = self._refused
        if not refused:
            return seen
        devices = seen.selection.devices
        if all(device.uuid in refused for device in devices):
            errors = [error for error in refused.values() if error is not None]
            if not errors:
                raise DeviceGoneError
            raise min(errors, key=_rank)
        memory = {uuid: read for uuid, read in seen.memory.items() if uuid not in refused}
        used = {uuid: read for uuid, read in seen.utilisation.items() if uuid not in refused}
        boards = {uuid: read for uuid, read in seen.boards.items() if uuid not in refused}
        state = self._of_refused(devices)
        return replace(seen, state=state, memory=memory, utilisation=used, boards=boards)

    def _processes(self, seen: Seen) -> tuple[Sequence[DriverProcess] | None, str]:
        listed: list[DriverProcess] = []
        refused: NvmlError | None = None
        for device in self._answering(seen):
            try:
                listed += self._reader.processes(device)
            except NvmlError as error:
                if error.code in WHOLE:
                    raise
                if error.code in GRAVE:
                    self._refused[device.uuid] = error
                refused = error
        if refused is None:
            return listed, ""
        why = f"The driver does not list the processes here ({refused.code.name})."
        return (listed or None), why

    def _failed(self, error: NvmlError) -> Seen:
        """Close, so that the next question begins anew."""
        self.close()
        state = states.of_error(error.code, error.number, error.function)
        ought = self.had_device or (
            not choosing.denies_devices(self._environment, self._mounted())
            and (error.code is not Code.LIBRARY_NOT_FOUND or device_nodes() or self._ought())
        )
        chosen = self._seen.selection
        if not chosen.devices and self._known:
            chosen = replace(chosen, devices=self._known)
        return self._keep(replace(_blank(self._seen, state), present=ought, selection=chosen))

    def _ought(self) -> bool:
        """Whether somebody meant this server to have a GPU."""
        return choosing.names_devices(self._environment, self._mounted())

    def _keep(self, seen: Seen) -> Seen:
        self._seen = seen
        return seen

    def _mounted(self) -> list[str]:
        """What lies in the folder of volume mounts: names, or paths of CDI names."""
        try:
            if not self._mounts.is_dir():
                return []
            leaves = [path for path in self._mounts.rglob("*") if _leaf(path)]
        except OSError:
            # It may not be looked into: then it says nothing.
            return []
        return sorted(str(path.relative_to(self._mounts)) for path in leaves)


def _blank(seen: Seen, state: State) -> Seen:
    """Figures are not known in that state."""
    return replace(seen, state=state, memory={}, utilisation={}, boards={}, listed=None, why_not_listed="")


def _leaf(path: Path) -> bool:
    """Entries are bind mounts of /dev/null; where there is none behind, an empty folder."""
    return not path.is_dir() or not any(path.iterdir())


def _rank(error: NvmlError) -> tuple[bool, int]:
    """The worst first."""
    return error.code not in GRAVE, error.number


def _worst(errors: Sequence[NvmlError]) -> State:
    error = min(errors, key=_rank)
    return states.of_error(error.code, error.number, error.function)


def _gone(devices: Sequence[Device]) -> State:
    """They were there, and are listed no longer."""
    return State("mig_destroyed" if any(each.kind == "mig" for each in devices) else "lost")
