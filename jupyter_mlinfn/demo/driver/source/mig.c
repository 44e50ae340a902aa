/* MIG: the mode of a board, its instances, and what an instance is. */
#include "calls.h"

EXPORT int nvmlDeviceGetMigMode(nvmlDevice_t handle, unsigned *current, unsigned *pending)
{
    Call call = begin_on(FN_nvmlDeviceGetMigMode, handle);
    if (call.code != SUCCESS)
        return end(&call, SUCCESS);
    if (call.device->is_mig || call.device->mig_mode == UNREPORTED)
        return end(&call, NOT_SUPPORTED);
    *current = *pending = (unsigned)call.device->mig_mode;
    return end(&call, SUCCESS);
}

EXPORT int nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t handle, unsigned *count)
{
    Call call = begin_on(FN_nvmlDeviceGetMaxMigDeviceCount, handle);
    if (call.code == SUCCESS)
        *count = call.device->max_migs > 0 ? (unsigned)call.device->max_migs : 0;
    return end(&call, SUCCESS);
}

EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t handle, unsigned slot, nvmlDevice_t *mig)
{
    Call call = begin_on(FN_nvmlDeviceGetMigDeviceHandleByIndex, handle);
    if (call.code != SUCCESS)
        return end(&call, SUCCESS);
    if (call.device->is_mig || call.device->mig_mode != 1)
        return end(&call, NOT_SUPPORTED);
    if (slot >= call.device->max_migs)
        return end(&call, INVALID_ARGUMENT);
    for (int i = 0; i < call.state->device_count; i++) {
        Device *device = &call.state->devices[i];
        if (device->is_mig && device->index == slot && &call.state->devices[device->board] == call.device)
            return end(&call, give_handle(&call, device, mig));
    }
    return end(&call, NOT_FOUND);
}

EXPORT int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t mig, nvmlDevice_t *handle)
{
    Call call = begin_on(FN_nvmlDeviceGetDeviceHandleFromMigDeviceHandle, mig);
    if (call.code != SUCCESS)
        return end(&call, SUCCESS);
    if (!call.device->is_mig)
        return end(&call, INVALID_ARGUMENT);
    return end(&call, give_handle(&call, &call.state->devices[call.device->board], handle));
}

EXPORT int nvmlDeviceIsMigDeviceHandle(nvmlDevice_t handle, unsigned *answer)
{
    Call call = begin_on(FN_nvmlDeviceIsMigDeviceHandle, handle);
    if (call.code == SUCCESS)
        *answer = (unsigned)call.device->is_mig;
    return end(&call, SUCCESS);
}

static int mig_number(Function function, nvmlDevice_t handle, int of_compute_instance, unsigned *id)
{
    Call call = begin_on(function, handle);
    if (call.code != SUCCESS)
        return end(&call, SUCCESS);
    if (!call.device->is_mig)
        return end(&call, NOT_SUPPORTED);
    *id = (unsigned)(of_compute_instance ? call.device->ci : call.device->gi);
    return end(&call, SUCCESS);
}

EXPORT int nvmlDeviceGetGpuInstanceId(nvmlDevice_t handle, unsigned *id)
{
    return mig_number(FN_nvmlDeviceGetGpuInstanceId, handle, 0, id);
}

EXPORT int nvmlDeviceGetComputeInstanceId(nvmlDevice_t handle, unsigned *id)
{
    return mig_number(FN_nvmlDeviceGetComputeInstanceId, handle, 1, id);
}

static int attributes(Function function, nvmlDevice_t handle, Attributes *answer)
{
    Call call = begin_on(function, handle);
    if (call.code != SUCCESS)
        return end(&call, SUCCESS);
    const Device *device = call.device;
    if (!device->is_mig)
        return end(&call, NOT_SUPPORTED);
    *answer = (Attributes){
        .sm_count = (unsigned)device->sm_count,
        .copy_engines = (unsigned)device->slices,
        .gpu_slices = (unsigned)device->slices,
        .compute_slices = (unsigned)device->compute_slices,
        .memory_mib = (uint64_t)device->memory_total >> 20,
    };
    return end(&call, SUCCESS);
}

EXPORT int nvmlDeviceGetAttributes(nvmlDevice_t handle, Attributes *answer)
{
    return attributes(FN_nvmlDeviceGetAttributes, handle, answer);
}

EXPORT int nvmlDeviceGetAttributes_v2(nvmlDevice_t handle, Attributes *answer)
{
    return attributes(FN_nvmlDeviceGetAttributes_v2, handle, answer);
}
