/* The library, the system, and the handles of devices. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "calls.h"

/* By which a caller can tell this library from a driver's. */
EXPORT const int mlinfn_simulated_driver = 1;

static const struct {
    int code;
    const char *text;
} ERRORS[] = {
    {0, "Success"}, {1, "Uninitialized"}, {2, "Invalid Argument"}, {3, "Not Supported"},
    {4, "Insufficient Permissions"}, {5, "Already Initialized"}, {6, "Not Found"}, {7, "Insufficient Size"},
    {8, "Insufficient External Power"}, {9, "Driver Not Loaded"}, {10, "Timeout"}, {11, "Interrupt Request Issue"},
    {12, "NVML Shared Library Not Found"}, {13, "Function Not Found"}, {14, "Corrupted infoROM"},
    {15, "GPU is lost"}, {16, "GPU requires reset"}, {17, "The operating system has blocked the request"},
    {18, "RM has detected an NVML/RM version mismatch"}, {19, "In use by another client"},
    {20, "Insufficient Memory"}, {21, "No data"}, {23, "Insufficient Resources"},
    {25, "Argument version mismatch"}, {27, "Not Ready"}, {28, "GPU not found"}, {29, "Invalid State"},
};

EXPORT const char *nvmlErrorString(int code)
{
    for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++)
        if (ERRORS[i].code == code)
            return ERRORS[i].text;
    return "Unknown Error";
}

/* Text for the caller, who gives room for `length` characters. */
static int copy(char *target, unsigned length, const char *text)
{
    if (target == NULL)
        return INVALID_ARGUMENT;
    if (strlen(text) >= length)
        return INSUFFICIENT_SIZE;
    strcpy(target, text);
    return SUCCESS;
}

static int init(Function function)
{
    Call call = begin(function);
    if (call.code == SUCCESS)
        attach(&call);
    return end(&call, SUCCESS);
}

EXPORT int nvmlInit(void) { return init(FN_nvmlInit); }
EXPORT int nvmlInit_v2(void) { return init(FN_nvmlInit_v2); }
EXPORT int nvmlInitWithFlags(unsigned flags) { (void)flags; return init(FN_nvmlInitWithFlags); }

EXPORT int nvmlShutdown(void)
{
    Call call = begin(FN_nvmlShutdown);
    /* A library can be left whatever became of the driver, as long as it was entered. */
    int left = detach();
    if (left == SUCCESS)
        call.code = SUCCESS;
    return end(&call, left);
}

EXPORT int nvmlSystemGetDriverVersion(char *version, unsigned length)
{
    Call call = begin(FN_nvmlSystemGetDriverVersion);
    return end(&call, call.code == SUCCESS ? copy(version, length, call.state->version) : SUCCESS);
}

EXPORT int nvmlSystemGetNVMLVersion(char *version, unsigned length)
{
    Call call = begin(FN_nvmlSystemGetNVMLVersion);
    return end(&call, call.code == SUCCESS ? copy(version, length, call.state->nvml) : SUCCESS);
}

static int cuda_version(Function function, int *version)
{
    Call call = begin(function);
    if (call.code == SUCCESS)
        *version = (int)call.state->cuda;
    return end(&call, SUCCESS);
}

EXPORT int nvmlSystemGetCudaDriverVersion(int *version)
{
    return cuda_version(FN_nvmlSystemGetCudaDriverVersion, version);
}

EXPORT int nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    return cuda_version(FN_nvmlSystemGetCudaDriverVersion_v2, version);
}

EXPORT int nvmlSystemGetProcessName(unsigned pid, char *name, unsigned length)
{
    Call call = begin(FN_nvmlSystemGetProcessName);
    char path[64], text[1024] = "";
    if (call.code != SUCCESS)
        return end(&call, SUCCESS);
    snprintf(path, sizeof path, "/proc/%u/cmdline", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return end(&call, NOT_FOUND);
    size_t read = fread(text, 1, sizeof text - 1, file); /* its words end with zeros: the first one is kept */
    fclose(file);
    text[read] = '\0';
    if (strlen(text) >= length)
        text[length - 1] = '\0';
    return end(&call, copy(name, length, text));
}

static int device_count(Function function, unsigned *count)
{
    Call call = begin(function);
    unsigned boards = 0;
    for (int i = 0; call.code == SUCCESS && i < call.state->device_count; i++)
        boards += !call.state->devices[i].is_mig;
    if (call.code == SUCCESS)
        *count = boards;
    return end(&call, SUCCESS);
}

EXPORT int nvmlDeviceGetCount(unsigned *count) { return device_count(FN_nvmlDeviceGetCount, count); }
EXPORT int nvmlDeviceGetCount_v2(unsigned *count) { return device_count(FN_nvmlDeviceGetCount_v2, count); }

/* The first device that `fits`, as a handle. */
static int handle_where(Function function, int (*fits)(const Device *, const void *), const void *wanted,
                        int not_found, nvmlDevice_t *handle)
{
    Call call = begin(function);
    if (call.code == SUCCESS && (wanted == NULL || handle == NULL))
        return end(&call, INVALID_ARGUMENT);
    for (int i = 0; call.code == SUCCESS && i < call.state->device_count; i++)
        if (fits(&call.state->devices[i], wanted))
            return end(&call, give_handle(&call, &call.state->devices[i], handle));
    return end(&call, not_found);
}

static int has_index(const Device *device, const void *index)
{
    return !device->is_mig && device->index == *(const unsigned *)index;
}

static int has_uuid(const Device *device, const void *uuid)
{
    return strcmp(device->uuid, uuid) == 0;
}

static int has_bus(const Device *device, const void *bus)
{
    return !device->is_mig && strcasecmp(device->bus, bus) == 0;
}

static int has_serial(const Device *device, const void *serial)
{
    return !device->is_mig && strcmp(device->serial, serial) == 0;
}

EXPORT int nvmlDeviceGetHandleByIndex(unsigned index, nvmlDevice_t *handle)
{
    return handle_where(FN_nvmlDeviceGetHandleByIndex, has_index, &index, INVALID_ARGUMENT, handle);
}

EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *handle)
{
    return handle_where(FN_nvmlDeviceGetHandleByIndex_v2, has_index, &index, INVALID_ARGUMENT, handle);
}

EXPORT int nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *handle)
{
    return handle_where(FN_nvmlDeviceGetHandleByUUID, has_uuid, uuid, NOT_FOUND, handle);
}

EXPORT int nvmlDeviceGetHandleByPciBusId(const char *bus, nvmlDevice_t *handle)
{
    return handle_where(FN_nvmlDeviceGetHandleByPciBusId, has_bus, bus, NOT_FOUND, handle);
}

EXPORT int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, nvmlDevice_t *handle)
{
    return handle_where(FN_nvmlDeviceGetHandleByPciBusId_v2, has_bus, bus, NOT_FOUND, handle);
}

EXPORT int nvmlDeviceGetHandleBySerial(const char *serial, nvmlDevice_t *handle)
{
    return handle_where(FN_nvmlDeviceGetHandleBySerial, has_serial, serial, NOT_FOUND, handle);
}
