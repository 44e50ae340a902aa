"""Reads the driver: what devices there are, and the figures of the user's.

A figure that the driver does not report is None, never 0. All calls are made by one thread.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from .models import Board, BoardReading, Device, DriverProcess, Memory
from .nvml import GRAVE, Attributes, Code, Handle, Nvml, NvmlError

Value = TypeVar("Value")

NOT_REPORTED_MIG = "not reported by the driver for this MIG instance"
NOT_REPORTED = "not reported by the driver"
BEING_MEASURED = "being measured"

_PROFILE = re.compile(r" MIG (\S+)$")
_VENDOR = re.compile(r"^NVIDIA\s+")
_GIBIBYTE = 1024**3

_GPM_APART = 0.15
"""Seconds between two readings of the counters; NVML wants more than 0.1."""

_GONE = (Code.INVALID_ARGUMENT, Code.NOT_FOUND)
"""What a handle answers whose MIG device is no more."""


class DeviceGoneError(Exception):
    """A device that was there is not there any more."""


@dataclass(frozen=True)
class Inventory:
    """What the driver lists.

    Attributes:
        devices: whole GPUs and MIG instances, in NVML's order.
        readable: UUIDs of those whose memory may be read.
        failures: what the driver said of boards and devices that it would not tell of.
    """

    devices: Sequence[Device]
    readable: frozenset[str]
    failures: Mapping[str, NvmlError] = field(default_factory=dict)


class Reader:
    """Keeps handles between two looks; after a device went, look again.

    Args:
        clock: monotonic, seconds: by it the readings of counters keep their distance.
    """

    def __init__(self, nvml: Nvml, clock: Callable[[], float] = time.monotonic) -> None:
        self._nvml = nvml
        self._clock = clock
        self._handles: dict[str, Handle] = {}
        self._boards: dict[str, Handle] = {}
        self._gpm: dict[str, _Counters | None] = {}

    def forget(self) -> None:
        """Before NVML is closed: handles are void then."""
        for counters in self._gpm.values():
            if counters is not None:
                counters.free()
        self._gpm, self._handles, self._boards = {}, {}, {}

    def look(self) -> Inventory:
        """All devices; one that fails does not hide the others.

        Raises:
            NvmlError: the driver as a whole fails.
        """
        self.forget()
        devices: list[Device] = []
        readable: set[str] = set()
        failures: dict[str, NvmlError] = {}
        for index in range(self._nvml.board_count()):
            try:
                found = self._devices(index, failures)
            except NvmlError as error:
                failures[f"board {index}"] = error
                continue
            for device, handle in found:
                self._handles[device.uuid] = handle
                try:
                    memory = self._nvml.memory(handle)
                except NvmlError as error:
                    failures[device.uuid] = error
                    devices.append(device)
                else:
                    readable.add(device.uuid)
                    devices.append(_with_total(device, memory.total))
        return Inventory(devices, frozenset(readable), failures)

    def _devices(self, index: int, failures: dict[str, NvmlError]) -> list[tuple[Device, Handle]]:
        nvml = self._nvml
        handle = nvml.board(index)
        uuid = nvml.uuid(handle)
        self._boards[uuid] = handle
        name = _VENDOR.sub("", nvml.name(handle))
        if not self._reported(lambda: nvml.mig_enabled(handle)):
            board = Board(index, uuid, name, mig=False)
            return [(Device(uuid, "gpu", board), handle)]
        slots = nvml.mig_slots(handle)
        board = Board(index, uuid, name, mig=True, slices=slots)
        found = []
        for slot in range(slots):
            try:
                mig = nvml.mig_device(handle, slot)
                found.append((self._mig_device(board, slot, mig), mig))
            except NvmlError as error:
                # Slots are sparse: the number of them is the most that the board can have.
                if error.code is not Code.NOT_FOUND:
                    failures[f"board {index}, slot {slot}"] = error
        return found

    def _mig_device(self, board: Board, slot: int, mig: Handle) -> Device:
        nvml = self._nvml
        uuid = nvml.uuid(mig)
        name = self._reported(lambda: nvml.name(mig)) or ""
        attributes = self._reported(lambda: nvml.attributes(mig))
        named = _PROFILE.search(name)
        return Device(
            uuid,
            "mig",
            board,
            slot=slot,
            gi=self._reported(lambda: nvml.gpu_instance(mig)),
            ci=self._reported(lambda: nvml.compute_instance(mig)),
            profile=named.group(1) if named else profile_name(attributes) if attributes else None,
            sm_count=attributes.sm_count if attributes else None,
            slices=attributes.gpu_slices if attributes else None,
        )

    def memory(self, device: Device) -> Memory:
        """Raises:
        DeviceGoneError: there is no such device any more.
        NvmlError
        """
        return self._of(device, self._nvml.memory)

    def processes(self, device: Device) -> list[DriverProcess]:
        """One for each id; of doubles, which drivers list at times, the one with the most memory.

        Raises:
            DeviceGoneError, NvmlError: see `memory`.
        """
        largest: dict[int, int | None] = {}
        for pid, memory in self._of(device, self._nvml.processes):
            before = largest.get(pid)
            largest[pid] = memory if before is None else max(before, memory or 0)
        return [DriverProcess(pid, device.uuid, memory) for pid, memory in largest.items()]

    def utilisation(self, device: Device) -> tuple[float | None, str]:
        """Per cent, and why it is None.

        Of a MIG instance it is the time since the last call, so the first call has none.

        Raises:
            DeviceGoneError, NvmlError: see `memory`; not for what is merely not reported.
        """
        if device.kind == "gpu":
            value = self._reported(lambda: self._of(device, self._nvml.utilisation))
            return value, "" if value is not None else NOT_REPORTED
        if device.uuid not in self._gpm:
            self._gpm[device.uuid] = self._counters(device)
        counters = self._gpm[device.uuid]
        if counters is None:
            return None, NOT_REPORTED_MIG
        try:
            value = counters.utilisation()
        except NvmlError as error:
            if error.code in _GONE:
                raise DeviceGoneError from error
            if error.code in GRAVE:
                raise
            return None, NOT_REPORTED_MIG
        return value, "" if value is not None else BEING_MEASURED

    def _counters(self, device: Device) -> _Counters | None:
        board = self._boards.get(device.board.uuid)
        if board is None or device.gi is None:
            return None
        if not self._reported(lambda: self._nvml.gpm_supported(board)):
            return None
        instance = device.gi
        return self._reported(lambda: _Counters(self._nvml, board, instance, self._clock))

    def board(self, device: Device) -> BoardReading:
        """Figures of the whole board that the device is on; what is not reported is None.

        Raises:
            NvmlError: the board is lost, for example.
        """
        nvml = self._nvml
        handle = self._boards.get(device.board.uuid)
        if handle is None:
            return BoardReading()
        return BoardReading(
            temperature=self._reported(lambda: nvml.temperature(handle)),
            power=self._reported(lambda: nvml.power(handle)),
            power_limit=self._reported(lambda: nvml.power_limit(handle)),
            sm_clock=self._reported(lambda: nvml.sm_clock(handle)),
            memory_clock=self._reported(lambda: nvml.memory_clock(handle)),
            ecc=self._reported(lambda: nvml.ecc(handle)),
            ecc_errors=self._reported(lambda: nvml.ecc_errors(handle)),
        )

    def _of(self, device: Device, read: Callable[[Handle], Value]) -> Value:
        handle = self._handles.get(device.uuid)
        if handle is None:
            raise DeviceGoneError
        try:
            return read(handle)
        except NvmlError as error:
            if error.code in _GONE:
                raise DeviceGoneError from error
            raise

    @staticmethod
    def _reported(read: Callable[[], Value]) -> Value | None:
        """The figure, or None where the driver does not give it to us."""
        try:
            return read()
        except NvmlError as error:
            if error.code in GRAVE:
                raise
            return None


class _Counters:
    """A board's counters for one MIG instance, read again and again."""

    def __init__(self, nvml: Nvml, board: Handle, gpu_instance: int, clock: Callable[[], float]) -> None:
        """Raises:
        NvmlError: it has no room for them; what it gave is given back.
        """
        self._nvml = nvml
        self._board = board
        self._gpu_instance = gpu_instance
        self._clock = clock
        self._samples: list[Any] = [nvml.gpm_alloc()]
        try:
            self._samples.append(nvml.gpm_alloc())
        except NvmlError:
            self.free()
            raise
        self._read_at: float | None = None
        self._last: float | None = None

    def utilisation(self) -> float | None:
        """Since the last call, or what that gave, where it was just now; None at the first."""
        now = self._clock()
        earlier, later = self._samples
        if self._read_at is None:
            self._nvml.gpm_sample(self._board, self._gpu_instance, earlier)
            self._read_at = now
        elif now - self._read_at > _GPM_APART:
            self._nvml.gpm_sample(self._board, self._gpu_instance, later)
            self._samples, self._read_at = [later, earlier], now
            self._last = self._nvml.gpm_utilisation(earlier, later)
        return self._last

    def free(self) -> None:
        for sample in self._samples:
            try:
                self._nvml.gpm_free(sample)
            except NvmlError:
                # The driver went, and its memory with it.
                continue


def profile_name(attributes: Attributes) -> str:
    """As nvidia-smi names a MIG instance, for drivers that do not name it themselves.

    https://docs.nvidia.com/datacenter/tesla/mig-user-guide/mig-device-names.html
    """
    memory = math.ceil(attributes.memory / _GIBIBYTE)
    name = f"{attributes.gpu_slices}g.{memory}gb"
    if 0 < attributes.compute_slices < attributes.gpu_slices:
        name = f"{attributes.compute_slices}c.{name}"
    return name


def _with_total(device: Device, total: int) -> Device:
    return replace(device, memory_total=total)
