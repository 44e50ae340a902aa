"""NVML, the library of NVIDIA's driver, with types; nothing of `pynvml` leaves this module.

`pynvml` has thousands of lines: it is imported when the library is there to be called, and by the
thread that calls it. What a function does and answers:
https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html
"""

from __future__ import annotations

import ctypes
import importlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .models import Memory
from .watchdog import HANGS_AFTER, INIT_HANGS_AFTER, Watchdog

LIBRARY = "libnvidia-ml.so.1"

_SIMULATED = "mlinfn_simulated_driver"
"""A symbol that the demo's library has and no other."""

_INSUFFICIENT_SIZE = 7
_GRAPHICS_UTIL = 1  # NVML_GPM_METRIC_GRAPHICS_UTIL
_MEBIBYTE = 1024**2


class Code(Enum):
    """What NVML answers, as far as something follows from it; nvmlReturn_t."""

    UNINITIALIZED = 1
    INVALID_ARGUMENT = 2
    NOT_SUPPORTED = 3
    NO_PERMISSION = 4
    NOT_FOUND = 6
    DRIVER_NOT_LOADED = 9
    TIMEOUT = 10
    LIBRARY_NOT_FOUND = 12
    FUNCTION_NOT_FOUND = 13
    GPU_IS_LOST = 15
    RESET_REQUIRED = 16
    VERSION_MISMATCH = 18
    GPU_NOT_FOUND = 28
    OTHER = 999

    @classmethod
    def of(cls, number: int) -> Code:
        try:
            return cls(number)
        except ValueError:
            return cls.OTHER


GRAVE = (
    Code.UNINITIALIZED,
    Code.DRIVER_NOT_LOADED,
    Code.GPU_IS_LOST,
    Code.RESET_REQUIRED,
    Code.VERSION_MISMATCH,
)
"""What concerns the driver or the board as a whole; any other answer concerns the figure asked for."""

WHOLE = (Code.UNINITIALIZED, Code.DRIVER_NOT_LOADED, Code.VERSION_MISMATCH)
"""What concerns the driver, and so all devices."""


class NvmlError(Exception):
    """A call failed.

    Attributes:
        number: as NVML gave it; `code` is OTHER for those without a name here.
        function: which one was called.
    """

    def __init__(self, number: int, function: str) -> None:
        super().__init__(f"{function}: NVML error {number}")
        self.code = Code.of(number)
        self.number = number
        self.function = function


@dataclass(frozen=True, eq=False)
class Handle:
    """Of a board or a MIG device; void once the device went or NVML was closed."""

    value: Any


@dataclass(frozen=True)
class Attributes:
    """Of a MIG device; memory in bytes."""

    sm_count: int
    gpu_slices: int
    compute_slices: int
    memory: int


def library_present() -> bool:
    """Whether the dynamic linker finds the driver's library; it is loaded by that."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    return True


class Nvml:
    """One connection; all calls from one thread.

    Args:
        watchdog: entered around every call into the library.

    Every method raises `NvmlError`.
    """

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog
        self._pynvml: Any = None
        self.is_open = False
        self.simulated = False

    def open(self) -> None:
        """Load the library, where that was not done yet, and initialise it."""
        with self._watchdog:
            present = self._pynvml is not None or library_present()
        if not present:
            raise NvmlError(Code.LIBRARY_NOT_FOUND.value, "dlopen")
        if self._pynvml is None:
            self._pynvml = importlib.import_module("pynvml")
        self._watchdog.patience = INIT_HANGS_AFTER
        try:
            self._call("nvmlInit")
        finally:
            self._watchdog.patience = HANGS_AFTER
        self.is_open = True
        self.simulated = hasattr(self._pynvml.nvmlLib, _SIMULATED)

    def close(self) -> None:
        """Give the driver back what it holds for us; handles are void then."""
        if not self.is_open:
            return
        self.is_open = False
        try:
            self._call("nvmlShutdown")
        except NvmlError:
            # It was torn away under us: there is nothing to give back.
            return

    def driver_version(self) -> str:
        return str(self._call("nvmlSystemGetDriverVersion"))

    def cuda_version(self) -> str:
        """The newest CUDA that the driver supports: ``12.4``."""
        number = int(self._call("nvmlSystemGetCudaDriverVersion_v2"))
        return f"{number // 1000}.{number % 1000 // 10}"

    def board_count(self) -> int:
        return int(self._call("nvmlDeviceGetCount"))

    def board(self, index: int) -> Handle:
        return Handle(self._call("nvmlDeviceGetHandleByIndex", index))

    def uuid(self, handle: Handle) -> str:
        return str(self._call("nvmlDeviceGetUUID", handle.value))

    def name(self, handle: Handle) -> str:
        return str(self._call("nvmlDeviceGetName", handle.value))

    def mig_enabled(self, board: Handle) -> bool:
        return bool(self._call("nvmlDeviceGetMigMode", board.value)[0])

    def mig_slots(self, board: Handle) -> int:
        """How many MIG devices a board can have at most; a slot may be empty."""
        return int(self._call("nvmlDeviceGetMaxMigDeviceCount", board.value))

    def mig_device(self, board: Handle, slot: int) -> Handle:
        return Handle(self._call("nvmlDeviceGetMigDeviceHandleByIndex", board.value, slot))

    def gpu_instance(self, mig: Handle) -> int:
        return int(self._call("nvmlDeviceGetGpuInstanceId", mig.value))

    def compute_instance(self, mig: Handle) -> int:
        return int(self._call("nvmlDeviceGetComputeInstanceId", mig.value))

    def attributes(self, mig: Handle) -> Attributes:
        got = self._call("nvmlDeviceGetAttributes_v2", mig.value)
        return Attributes(
            sm_count=int(got.multiprocessorCount),
            gpu_slices=int(got.gpuInstanceSliceCount),
            compute_slices=int(got.computeInstanceSliceCount),
            memory=int(got.memorySizeMB) * _MEBIBYTE,
        )

    def memory(self, handle: Handle) -> Memory:
        """Since driver 510 used does not hold what the driver keeps for itself; before, it does."""
        try:
            got = self._call("nvmlDeviceGetMemoryInfo", handle.value, self._pynvml.nvmlMemory_v2)
        except NvmlError as error:
            if error.code is not Code.FUNCTION_NOT_FOUND:
                raise
            got = self._call("nvmlDeviceGetMemoryInfo", handle.value)
            return Memory(int(got.total), int(got.used), int(got.free), None)
        return Memory(int(got.total), int(got.used), int(got.free), int(got.reserved))

    def utilisation(self, handle: Handle) -> float:
        """Per cent of the driver's last sampling period in which a kernel ran."""
        return float(self._call("nvmlDeviceGetUtilizationRates", handle.value).gpu)

    def processes(self, handle: Handle) -> Sequence[tuple[int, int | None]]:
        """Ids, as the driver counts them, with bytes, of compute and graphics; there may be doubles."""
        found: list[tuple[int, int | None]] = []
        for kind in ("Compute", "Graphics"):
            try:
                found += self._running(handle, kind)
            except NvmlError as error:
                # MIG has no graphics, and drivers refuse in several ways to speak of it.
                if kind == "Compute" or error.code in GRAVE:
                    raise
        return found

    def _running(self, handle: Handle, kind: str) -> list[tuple[int, int | None]]:
        name = f"nvmlDeviceGet{kind}RunningProcesses"
        try:
            try:
                listed = self._call(f"{name}_v3", handle.value)
            except NvmlError as error:
                # More have come between the two calls that pynvml makes.
                if error.number != _INSUFFICIENT_SIZE:
                    raise
                listed = self._call(f"{name}_v3", handle.value)
        except NvmlError as error:
            if error.code is not Code.FUNCTION_NOT_FOUND:
                raise
            listed = self._call(f"{name}_v2", handle.value)
        return [
            (int(each.pid), None if each.usedGpuMemory is None else int(each.usedGpuMemory))
            for each in listed
        ]

    def temperature(self, board: Handle) -> int:
        """°C"""
        return int(self._call("nvmlDeviceGetTemperature", board.value, self._pynvml.NVML_TEMPERATURE_GPU))

    def power(self, board: Handle) -> float:
        """W"""
        return int(self._call("nvmlDeviceGetPowerUsage", board.value)) / 1000

    def power_limit(self, board: Handle) -> float:
        """W"""
        return int(self._call("nvmlDeviceGetEnforcedPowerLimit", board.value)) / 1000

    def sm_clock(self, board: Handle) -> int:
        """MHz"""
        return int(self._call("nvmlDeviceGetClockInfo", board.value, self._pynvml.NVML_CLOCK_SM))

    def memory_clock(self, board: Handle) -> int:
        """MHz"""
        return int(self._call("nvmlDeviceGetClockInfo", board.value, self._pynvml.NVML_CLOCK_MEM))

    def ecc(self, board: Handle) -> bool:
        return bool(self._call("nvmlDeviceGetCurrentEccMode", board.value))

    def ecc_errors(self, board: Handle) -> int:
        """Uncorrected, since the driver was loaded."""
        pynvml = self._pynvml
        return int(
            self._call(
                "nvmlDeviceGetTotalEccErrors",
                board.value,
                pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
                pynvml.NVML_VOLATILE_ECC,
            )
        )

    def gpm_supported(self, board: Handle) -> bool:
        """Whether the board keeps the counters that tell a MIG instance's use: Hopper and later."""
        return bool(self._call("nvmlGpmQueryDeviceSupport", board.value).isSupportedDevice)

    def gpm_alloc(self) -> Any:
        """Room for one reading of the counters, to be given back by `gpm_free`."""
        return self._call("nvmlGpmSampleAlloc")

    def gpm_free(self, sample: Any) -> None:
        self._call("nvmlGpmSampleFree", sample)

    def gpm_sample(self, board: Handle, gpu_instance: int | None, into: Any) -> None:
        if gpu_instance is None:
            self._call("nvmlGpmSampleGet", board.value, into)
        else:
            self._call("nvmlGpmMigSampleGet", board.value, gpu_instance, into)

    def gpm_utilisation(self, earlier: Any, later: Any) -> float:
        """Per cent of the time between two readings in which a kernel ran.

        They must be more than 100 ms apart:
        https://docs.nvidia.com/deploy/nvml-api/group__nvmlGpmFunctions.html
        """
        pynvml = self._pynvml
        wanted = pynvml.c_nvmlGpmMetricsGet_t()
        wanted.version = pynvml.NVML_GPM_METRICS_GET_VERSION
        wanted.numMetrics = 1
        wanted.sample1, wanted.sample2 = earlier, later
        wanted.metrics[0].metricId = _GRAPHICS_UTIL
        metric = self._call("nvmlGpmMetricsGet", wanted).metrics[0]
        if metric.nvmlReturn != 0:
            raise NvmlError(int(metric.nvmlReturn), "nvmlGpmMetricsGet")
        return float(metric.value)

    def _call(self, name: str, *arguments: Any) -> Any:
        pynvml = self._pynvml
        function: Callable[..., Any] = getattr(pynvml, name)
        try:
            with self._watchdog:
                return function(*arguments)
        except pynvml.NVMLError as error:
            raise NvmlError(int(error.value), name) from None
        except pynvml.NVMLLibraryMismatchError:
            raise NvmlError(Code.FUNCTION_NOT_FOUND.value, name) from None


def device_nodes() -> bool:
    """Whether the kernel's side of the driver shows in this container."""
    return any(os.access(path, os.F_OK) for path in ("/dev/nvidiactl", "/proc/driver/nvidia/version"))
