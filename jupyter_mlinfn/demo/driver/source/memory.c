/* Memory of a device and the processes that hold it: what a container may not see is refused. */
#include <stdlib.h>
#include <string.h>

#include "calls.h"

static int may_read(const Call *call)
{
    return call->device->access == READABLE ? SUCCESS : NO_PERMISSION;
}

/* Of a divided board: with what its instances use. */
static int64_t used_of(State *state, const Device *device)
{
    int64_t used = used_memory(state, device);
    for (int i = 0; !device->is_mig && i < state->device_count; i++)
        if (state->devices[i].is_mig && &state->devices[state->devices[i].board] == device)
            used += used_memory(state, &state->devices[i]);
    return used;
}

EXPORT int nvmlDeviceGetMemoryInfo(nvmlDevice_t handle, MemoryV1 *memory)
{
    Call call = begin_on(FN_nvmlDeviceGetMemoryInfo, handle);
    if (call.code != SUCCESS || may_read(&call) != SUCCESS)
        return end(&call, NO_PERMISSION);
    /* In this form what the driver reserves counts as used. */
    uint64_t used = (uint64_t)(used_of(call.state, call.device) + call.device->memory_reserved);
    uint64_t total = (uint64_t)call.device->memory_total;
    *memory = (MemoryV1){.total = total, .free = total - used, .used = used};
    return end(&call, SUCCESS);
}

EXPORT int nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t handle, MemoryV2 *memory)
{
    Call call = begin_on(FN_nvmlDeviceGetMemoryInfo_v2, handle);
    if (call.code == SUCCESS && memory->version != VERSION_OF(MemoryV2, 2))
        return end(&call, ARGUMENT_VERSION_MISMATCH);
    if (call.code != SUCCESS || may_read(&call) != SUCCESS)
        return end(&call, NO_PERMISSION);
    uint64_t used = (uint64_t)used_of(call.state, call.device);
    uint64_t total = (uint64_t)call.device->memory_total, reserved = (uint64_t)call.device->memory_reserved;
    memory->total = total;
    memory->reserved = reserved;
    memory->used = used;
    memory->free = total - reserved - used;
    return end(&call, SUCCESS);
}

/* Bytes that may still be held on a device, for those who hold some: see hold.py. -1: no such device. */
EXPORT int64_t mlinfn_simulated_free(const char *uuid)
{
    Call call = look();
    const Device *device = call.state != NULL ? held_device(call.state, uuid) : NULL;
    int64_t left = -1;
    if (device != NULL)
        left = device->memory_total - device->memory_reserved - used_of(call.state, device);
    end(&call, SUCCESS);
    return left;
}

EXPORT int nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t handle, MemoryV1 *memory)
{
    Call call = begin_on(FN_nvmlDeviceGetBAR1MemoryInfo, handle);
    if (call.code != SUCCESS || may_read(&call) != SUCCESS)
        return end(&call, NO_PERMISSION);
    uint64_t total = (uint64_t)call.device->memory_total, used = (uint64_t)1 << 20;
    *memory = (MemoryV1){.total = total, .free = total - used, .used = used};
    return end(&call, SUCCESS);
}

/* One row per process and instance, of those of one kind. */
static int rows_of(State *state, const Device *device, int kind, ProcessInfo **rows)
{
    int count = 0;
    *rows = NULL;
    for (int i = 0; i < state->device_count; i++) {
        const Device *one = &state->devices[i];
        if (one != device && (device->is_mig || &state->devices[one->board] != device))
            continue;
        Process *list;
        int living = living_processes(state, one, &list);
        for (int j = 0; j < living; j++) {
            if (list[j].kind != kind)
                continue;
            ProcessInfo *larger = realloc(*rows, (size_t)(count + 1) * sizeof(ProcessInfo));
            if (larger == NULL)
                abort();
            *rows = larger;
            larger[count++] = (ProcessInfo){
                .pid = (unsigned)list[j].pid,
                .memory = list[j].memory == UNREPORTED ? NOT_AVAILABLE : (uint64_t)list[j].memory,
                .gpu_instance = one->is_mig ? (unsigned)one->gi : NO_INSTANCE,
                .compute_instance = one->is_mig ? (unsigned)one->ci : NO_INSTANCE,
            };
        }
        free(list);
    }
    return count;
}

/* The caller asks how many there are with room for none, then again with room. */
static int running(Function function, int kind, int version, nvmlDevice_t handle, unsigned *count, void *infos)
{
    Call call = begin_on(function, handle);
    if (call.code != SUCCESS)
        return end(&call, SUCCESS);
    if (count == NULL || (*count > 0 && infos == NULL))
        return end(&call, INVALID_ARGUMENT);
    if (may_read(&call) != SUCCESS)
        return end(&call, NO_PERMISSION);
    ProcessInfo *rows;
    unsigned room = *count;
    *count = (unsigned)rows_of(call.state, call.device, kind, &rows);
    int code = *count > room ? INSUFFICIENT_SIZE : SUCCESS;
    for (unsigned i = 0; code == SUCCESS && i < *count; i++) {
        if (version == 1)
            ((ProcessInfoV1 *)infos)[i] = (ProcessInfoV1){.pid = rows[i].pid, .memory = rows[i].memory};
        else
            ((ProcessInfo *)infos)[i] = rows[i];
    }
    free(rows);
    return end(&call, code);
}

#define RUNNING_FUNCTION(name, kind, version) \
    EXPORT int name(nvmlDevice_t handle, unsigned *count, void *infos) \
    { \
        return running(FN_##name, kind, version, handle, count, infos); \
    }

RUNNING_FUNCTION(nvmlDeviceGetComputeRunningProcesses, COMPUTE, 1)
RUNNING_FUNCTION(nvmlDeviceGetComputeRunningProcesses_v2, COMPUTE, 2)
RUNNING_FUNCTION(nvmlDeviceGetComputeRunningProcesses_v3, COMPUTE, 3)
RUNNING_FUNCTION(nvmlDeviceGetGraphicsRunningProcesses, GRAPHICS, 1)
RUNNING_FUNCTION(nvmlDeviceGetGraphicsRunningProcesses_v2, GRAPHICS, 2)
RUNNING_FUNCTION(nvmlDeviceGetGraphicsRunningProcesses_v3, GRAPHICS, 3)
RUNNING_FUNCTION(nvmlDeviceGetMPSComputeRunningProcesses, MPS, 1)
RUNNING_FUNCTION(nvmlDeviceGetMPSComputeRunningProcesses_v2, MPS, 2)
RUNNING_FUNCTION(nvmlDeviceGetMPSComputeRunningProcesses_v3, MPS, 3)

EXPORT int nvmlDeviceGetProcessUtilization(nvmlDevice_t handle, void *samples, unsigned *count, uint64_t since)
{
    Call call = begin_on(FN_nvmlDeviceGetProcessUtilization, handle);
    (void)samples;
    (void)since;
    if (call.code != SUCCESS)
        return end(&call, SUCCESS);
    *count = 0;
    return end(&call, call.device->is_mig || call.device->mig_mode == 1 ? NOT_SUPPORTED : NOT_FOUND);
}
