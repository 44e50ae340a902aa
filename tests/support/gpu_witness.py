"""What nvidia-ml-py and nvitop say of a device, as JSON; run in a process of its own.

python -m tests.support.gpu_witness UUID …
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pynvml
from nvitop import Device, MigDevice, PhysicalDevice
from nvitop.api.utils import NA


def by_nvml(uuid: str) -> dict[str, Any]:
    """Straight calls; None where one is refused."""
    handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
    mig = bool(pynvml.nvmlDeviceIsMigDeviceHandle(handle))
    board = pynvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle) if mig else handle
    memory = told(pynvml.nvmlDeviceGetMemoryInfo, handle, pynvml.nvmlMemory_v2)
    reserved = memory.reserved if memory else None
    if memory is None:
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    attributes = told(pynvml.nvmlDeviceGetAttributes_v2, handle) if mig else None
    rates = told(pynvml.nvmlDeviceGetUtilizationRates, handle)
    power, limit = (
        told(pynvml.nvmlDeviceGetPowerUsage, board),
        told(pynvml.nvmlDeviceGetEnforcedPowerLimit, board),
    )
    ecc = told(pynvml.nvmlDeviceGetCurrentEccMode, board)
    uncorrected = (pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, pynvml.NVML_VOLATILE_ECC)
    return {
        "memory_total": memory.total,
        "memory_used": memory.used,
        "memory_free": memory.free,
        "memory_reserved": reserved,
        "gi": told(pynvml.nvmlDeviceGetGpuInstanceId, handle) if mig else None,
        "ci": told(pynvml.nvmlDeviceGetComputeInstanceId, handle) if mig else None,
        "sm_count": attributes and attributes.multiprocessorCount,
        "slices": attributes and attributes.gpuInstanceSliceCount,
        "utilisation": rates and rates.gpu,
        "board.uuid": pynvml.nvmlDeviceGetUUID(board),
        "board.index": pynvml.nvmlDeviceGetIndex(board),
        "board.temperature": told(pynvml.nvmlDeviceGetTemperature, board, pynvml.NVML_TEMPERATURE_GPU),
        "board.power": None if power is None else power / 1000,
        "board.power_limit": None if limit is None else limit / 1000,
        "board.sm_clock": told(pynvml.nvmlDeviceGetClockInfo, board, pynvml.NVML_CLOCK_SM),
        "board.memory_clock": told(pynvml.nvmlDeviceGetClockInfo, board, pynvml.NVML_CLOCK_MEM),
        "board.ecc": None if ecc is None else bool(ecc),
        "board.ecc_errors": told(pynvml.nvmlDeviceGetTotalEccErrors, board, *uncorrected),
    }


def by_nvitop(uuid: str) -> dict[str, Any]:
    """What it reports, under our names; a figure that it does not report is left out."""
    device = Device(index=index_of(uuid))
    figures: dict[str, Any] = {
        "memory_total": device.memory_total(),
        "memory_used": device.memory_used(),
        "memory_free": device.memory_free(),
    }
    if isinstance(device, MigDevice):
        figures |= {"gi": device.gpu_instance_id(), "ci": device.compute_instance_id()}
        board: Device = device.parent
    else:
        figures["utilisation"] = device.gpu_utilization()
        board = device
    assert isinstance(board, PhysicalDevice)
    power, limit = board.power_usage(), board.power_limit()
    figures |= {
        "board.uuid": board.uuid(),
        "board.index": board.physical_index,
        "board.temperature": board.temperature(),
        "board.power": power if power is NA else power / 1000,
        "board.power_limit": limit if limit is NA else limit / 1000,
        "board.sm_clock": board.sm_clock(),
        "board.memory_clock": board.memory_clock(),
    }
    return {name: figure for name, figure in figures.items() if figure is not NA and figure != NA}


def index_of(uuid: str) -> int | tuple[int, int]:
    """nvitop stops looking for MIG devices at the first empty slot, so it is told where ours is."""
    handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
    if not pynvml.nvmlDeviceIsMigDeviceHandle(handle):
        return int(pynvml.nvmlDeviceGetIndex(handle))
    board = pynvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle)
    for slot in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(board)):
        mig = told(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, board, slot)
        if mig is not None and pynvml.nvmlDeviceGetUUID(mig) == uuid:
            return int(pynvml.nvmlDeviceGetIndex(board)), slot
    raise LookupError(uuid)


def told(call: Any, *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except pynvml.NVMLError:
        return None


def main() -> None:
    pynvml.nvmlInit()
    version = pynvml.nvmlSystemGetCudaDriverVersion_v2()
    answer = {
        "driver": pynvml.nvmlSystemGetDriverVersion(),
        "cuda": f"{version // 1000}.{version % 1000 // 10}",
        "nvitop_driver": Device.driver_version(),
        "nvitop_cuda": Device.cuda_driver_version(),
        "devices": {uuid: {"nvml": by_nvml(uuid), "nvitop": by_nvitop(uuid)} for uuid in sys.argv[1:]},
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
