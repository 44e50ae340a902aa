"""Asks the driver, over its bad days, and says what state the user's GPU is in.

Everything here is called by the sampler's thread.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import selection as choosing
from . import states
from .models import BoardReading, Device, DriverProcess, Memory, Selection
from .nvml import GRAVE, Code, Nvml, NvmlError, device_nodes
from .reader import DeviceGoneError, Inventory, Reader
from .states import State

NOTHING = Selection((), None)


@dataclass(frozen=True)
class Seen:
    """What the driver said.

    Attributes:
        state: `fine` where the figures could be read; the sampler tells `memory_low` from it.
        present: whether the server has a GPU or ought to have one.
        utilisation: per cent and why it is None, of each device.
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
    """

    def __init__(
        self,
        nvml: Nvml,
        environment: Mapping[str, str] | None = None,
        mounts: Path = Path(choosing.MOUNTS),
    ) -> None:
        self._nvml = nvml
        self._reader = Reader(nvml)
        self._environment = os.environ if environment is None else environment
        self._mounts = mounts
        self._seen = Seen()
        self._known: Sequence[Device] = ()
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
        return self._keep(_blank(self._seen, self._gone()))

    def slow(self, seen: Seen) -> Seen:
        """With the boards' figures and the processes, of what `quick` gave."""
        if not seen.state.readable:
            return seen
        try:
            boards = {device.uuid: self._reader.board(device) for device in seen.selection.devices}
            listed, why = self._processes(seen)
        except NvmlError as error:
            return self._failed(error)
        except DeviceGoneError:
            # The next question looks anew, and finds out what became of it.
            self._must_look = True
            return seen
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
        state = self._judge(inventory, chosen)
        if chosen.ambiguous:
            readable = [device for device in chosen.devices if device.uuid in inventory.readable]
            chosen = replace(chosen, devices=readable)
        if chosen.devices and state.kind != "ambiguous":
            self._known = chosen.devices
        elif not chosen.devices and state.kind in ("lost", "mig_destroyed", "reset_required"):
            chosen = replace(chosen, devices=self._known)
        self._must_look = not state.readable
        self._seen = replace(self._seen, state=state, present=True, selection=chosen)

    def _judge(self, inventory: Inventory, chosen: Selection) -> State:
        failures = inventory.failures
        if chosen.ambiguous:
            return State("ambiguous", chosen.note)
        if chosen.devices:
            refused = [failures[each.uuid] for each in chosen.devices if each.uuid in failures]
            return _worst(refused) if refused else State("fine")
        grave = [error for error in failures.values() if error.code in GRAVE]
        if grave:
            return _worst(grave)
        if self._known:
            return self._gone()
        refused = list(failures.values())
        if inventory.devices and refused and chosen.source is None:
            return _worst(refused)
        return State("no_device", chosen.note)

    def _gone(self) -> State:
        return State("mig_destroyed" if any(each.kind == "mig" for each in self._known) else "lost")

    def _figures(self, utilisation: bool) -> Seen:
        """Raises:
        DeviceGoneError, NvmlError
        """
        seen = self._seen
        if not seen.state.readable:
            return _blank(seen, seen.state)
        devices = seen.selection.devices
        memory = {device.uuid: self._reader.memory(device) for device in devices}
        used = {device.uuid: self._reader.utilisation(device) for device in devices} if utilisation else {}
        return replace(seen, memory=memory, utilisation=used)

    def _processes(self, seen: Seen) -> tuple[Sequence[DriverProcess] | None, str]:
        listed: list[DriverProcess] = []
        refused: NvmlError | None = None
        for device in seen.selection.devices:
            try:
                listed += self._reader.processes(device)
            except NvmlError as error:
                if error.code in GRAVE:
                    raise
                refused = error
        if refused is None:
            return listed, ""
        why = f"The driver does not list the processes here ({refused.code.name})."
        return (listed or None), why

    def _failed(self, error: NvmlError) -> Seen:
        """Close, so that the next question begins anew."""
        self.close()
        state = states.of_error(error.code, error.number, error.function)
        ought = (
            error.code is not Code.LIBRARY_NOT_FOUND
            or bool(self._known)
            or device_nodes()
            or choosing.names_devices(self._environment, self._mounted())
        )
        chosen = self._seen.selection
        if not chosen.devices and self._known:
            chosen = replace(chosen, devices=self._known)
        return self._keep(replace(_blank(self._seen, state), present=ought, selection=chosen))

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


def _worst(errors: Sequence[NvmlError]) -> State:
    error = min(errors, key=lambda each: (each.code not in GRAVE, each.number))
    return states.of_error(error.code, error.number, error.function)
