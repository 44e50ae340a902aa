/* What a device is and how it does. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "calls.h"

static int text_of(Function function, nvmlDevice_t handle, size_t offset, char *target, unsigned length)
{
    Call call = begin_on(function, handle);
    if (call.code != SUCCESS)
        return end(&call, SUCCESS);
    const char *text = (const char *)call.device + offset;
    if (text[0] == '\0')
        return end(&call, NOT_SUPPORTED);
    if (strlen(text) >= length)
        return end(&call, INSUFFICIENT_SIZE);
    strcpy(target, text);
    return end(&call, SUCCESS);
}

#define TEXT_FUNCTION(name, field) \
    EXPORT int name(nvmlDevice_t handle, char *target, unsigned length) \
    { \
        return text_of(FN_##name, handle, offsetof(Device, field), target, length); \
    }

TEXT_FUNCTION(nvmlDeviceGetUUID, uuid)
TEXT_FUNCTION(nvmlDeviceGetName, name)
TEXT_FUNCTION(nvmlDeviceGetSerial, serial)

/* A number of a device; `of_board_only`: a MIG instance has none of its own. */
static int number_of(Function function, nvmlDevice_t handle, size_t offset, int of_board_only, unsigned *answer)
{
    Call call = begin_on(function, handle);
    if (call.code != SUCCESS)
        return end(&call, SUCCESS);
    int64_t number = *(const int64_t *)(const void *)((const char *)call.device + offset);
    if (number == UNREPORTED || (of_board_only && call.device->is_mig))
        return end(&call, NOT_SUPPORTED);
    *answer = (unsigned)number;
    return end(&call, SUCCESS);
}

#define NUMBER_FUNCTION(name, field, of_board_only) \
    EXPORT int name(nvmlDevice_t handle, unsigned *answer) \
    { \
        return number_of(FN_##name, handle, offsetof(Device, field), of_board_only, answer); \
    }

NUMBER_FUNCTION(nvmlDeviceGetIndex, index, 0)
NUMBER_FUNCTION(nvmlDeviceGetMinorNumber, minor, 1)
NUMBER_FUNCTION(nvmlDeviceGetFanSpeed, fan, 1)
NUMBER_FUNCTION(nvmlDeviceGetPowerUsage, power, 1)
NUMBER_FUNCTION(nvmlDeviceGetPowerManagementLimit, power_limit, 1)
NUMBER_FUNCTION(nvmlDeviceGetEnforcedPowerLimit, power_limit, 1)
NUMBER_FUNCTION(nvmlDeviceGetPerformanceState, performance_state, 1)

/* The same answer from every board. */
static int constant(Function function, nvmlDevice_t handle, unsigned value, unsigned *answer)
{
    Call call = begin_on(function, handle);
    if (call.code != SUCCESS)
        return end(&call, SUCCESS);
    if (call.device->is_mig)
        return end(&call, NOT_SUPPORTED);
    *answer = value;
    return end(&call, SUCCESS);
}

#define CONSTANT_FUNCTION(name, value) \
    EXPORT int name(nvmlDevice_t handle, unsigned *answer) { return constant(FN_##name, handle, value, answer); }

CONSTANT_FUNCTION(nvmlDeviceGetComputeMode, 0)
CONSTANT_FUNCTION(nvmlDeviceGetPersistenceMode, 1)
CONSTANT_FUNCTION(nvmlDeviceGetDisplayMode, 0)
CONSTANT_FUNCTION(nvmlDeviceGetDisplayActive, 0)

/* A thing of Windows. */
static int driver_model(Function function, nvmlDevice_t handle)
{
    Call call = begin_on(function, handle);
    return end(&call, NOT_SUPPORTED);
}

EXPORT int nvmlDeviceGetDriverModel(nvmlDevice_t handle, unsigned *current, unsigned *pending)
{
    (void)current;
    (void)pending;
    return driver_model(FN_nvmlDeviceGetDriverModel, handle);
}

EXPORT int nvmlDeviceGetDriverModel_v2(nvmlDevice_t handle, unsigned *current, unsigned *pending)
{
    (void)current;
    (void)pending;
    return driver_model(FN_nvmlDeviceGetDriverModel_v2, handle);
}

static int pci_info(Function function, nvmlDevice_t handle, PciInfo *info)
{
    Call call = begin_on(function, handle);
    if (call.code != SUCCESS)
        return end(&call, SUCCESS);
    if (call.device->is_mig)
        return end(&call, NOT_SUPPORTED);
    memset(info, 0, sizeof *info);
    sscanf(call.device->bus, "%x:%x:%x", &info->domain, &info->bus, &info->device);
    snprintf(info->bus_id, sizeof info->bus_id, "%08X:%02X:%02X.0", info->domain, info->bus, info->device);
    snprintf(info->bus_id_legacy, sizeof info->bus_id_legacy, "%04X:%02X:%02X.0", info->domain & 0xFFFF,
             info->bus & 0xFF, info->device & 0xFF);
    return end(&call, SUCCESS);
}

EXPORT int nvmlDeviceGetPciInfo(nvmlDevice_t handle, PciInfo *info)
{
    return pci_info(FN_nvmlDeviceGetPciInfo, handle, info);
}

EXPORT int nvmlDeviceGetPciInfo_v2(nvmlDevice_t handle, PciInfo *info)
{
    return pci_info(FN_nvmlDeviceGetPciInfo_v2, handle, info);
}

EXPORT int nvmlDeviceGetPciInfo_v3(nvmlDevice_t handle, PciInfo *info)
{
    return pci_info(FN_nvmlDeviceGetPciInfo_v3, handle, info);
}

EXPORT int nvmlDeviceGetCudaComputeCapability(nvmlDevice_t handle, int *major, int *minor)
{
    Call call = begin_on(FN_nvmlDeviceGetCudaComputeCapability, handle);
    if (call.code == SUCCESS) {
        *major = (int)call.device->compute_major;
        *minor = (int)call.device->compute_minor;
    }
    return end(&call, SUCCESS);
}

/* What the board reports, but not while it is divided. */
EXPORT int nvmlDeviceGetUtilizationRates(nvmlDevice_t handle, Utilization *rates)
{
    Call call = begin_on(FN_nvmlDeviceGetUtilizationRates, handle);
    if (call.code != SUCCESS)
        return end(&call, SUCCESS);
    const Device *device = call.device;
    if (device->is_mig || device->mig_mode == 1 || device->utilization == UNREPORTED)
        return end(&call, NOT_SUPPORTED);
    rates->gpu = (unsigned)device->utilization;
    rates->memory = device->memory_utilization == UNREPORTED ? 0 : (unsigned)device->memory_utilization;
    return end(&call, SUCCESS);
}

static int codec_utilization(Function function, nvmlDevice_t handle, unsigned *rate, unsigned *period)
{
    Call call = begin_on(function, handle);
    if (call.code != SUCCESS)
        return end(&call, SUCCESS);
    if (call.device->is_mig || call.device->mig_mode == 1)
        return end(&call, NOT_SUPPORTED);
    *rate = 0;
    *period = 167000; /* microseconds */
    return end(&call, SUCCESS);
}

EXPORT int nvmlDeviceGetEncoderUtilization(nvmlDevice_t handle, unsigned *rate, unsigned *period)
{
    return codec_utilization(FN_nvmlDeviceGetEncoderUtilization, handle, rate, period);
}

EXPORT int nvmlDeviceGetDecoderUtilization(nvmlDevice_t handle, unsigned *rate, unsigned *period)
{
    return codec_utilization(FN_nvmlDeviceGetDecoderUtilization, handle, rate, period);
}

EXPORT int nvmlDeviceGetTemperature(nvmlDevice_t handle, unsigned sensor, unsigned *celsius)
{
    if (sensor != 0)
        return INVALID_ARGUMENT;
    return number_of(FN_nvmlDeviceGetTemperature, handle, offsetof(Device, temperature), 1, celsius);
}

EXPORT int nvmlDeviceGetTemperatureV(nvmlDevice_t handle, TemperatureV1 *temperature)
{
    if (temperature->version != VERSION_OF(TemperatureV1, 1))
        return ARGUMENT_VERSION_MISMATCH;
    if (temperature->sensor != 0)
        return INVALID_ARGUMENT;
    unsigned celsius = 0;
    int code = number_of(FN_nvmlDeviceGetTemperatureV, handle, offsetof(Device, temperature), 1, &celsius);
    temperature->celsius = (int)celsius;
    return code;
}

/* Kinds of clocks: 0 graphics, 1 SM, 2 memory, 3 video. */
static size_t clock_of(unsigned kind, size_t sm, size_t memory)
{
    return kind == 2 ? memory : sm;
}

EXPORT int nvmlDeviceGetClockInfo(nvmlDevice_t handle, unsigned kind, unsigned *mhz)
{
    size_t field = clock_of(kind, offsetof(Device, sm_clock), offsetof(Device, memory_clock));
    return kind > 3 ? INVALID_ARGUMENT : number_of(FN_nvmlDeviceGetClockInfo, handle, field, 1, mhz);
}

EXPORT int nvmlDeviceGetMaxClockInfo(nvmlDevice_t handle, unsigned kind, unsigned *mhz)
{
    size_t field = clock_of(kind, offsetof(Device, max_sm_clock), offsetof(Device, max_memory_clock));
    return kind > 3 ? INVALID_ARGUMENT : number_of(FN_nvmlDeviceGetMaxClockInfo, handle, field, 1, mhz);
}

EXPORT int nvmlDeviceGetEccMode(nvmlDevice_t handle, unsigned *current, unsigned *pending)
{
    int code = number_of(FN_nvmlDeviceGetEccMode, handle, offsetof(Device, ecc), 1, current);
    if (code == SUCCESS)
        *pending = *current;
    return code;
}

/* Errors by type (0 corrected, 1 not) and counter (0 since the driver was loaded, 1 ever). */
static int ecc_errors(Function function, nvmlDevice_t handle, unsigned type, uint64_t *count)
{
    Call call = begin_on(function, handle);
    if (call.code != SUCCESS)
        return end(&call, SUCCESS);
    const Device *device = call.device;
    if (device->is_mig || device->ecc != 1 || device->ecc_errors == UNREPORTED)
        return end(&call, NOT_SUPPORTED);
    *count = type == 1 ? (uint64_t)device->ecc_errors : 0;
    return end(&call, SUCCESS);
}

EXPORT int nvmlDeviceGetTotalEccErrors(nvmlDevice_t handle, unsigned type, unsigned counter, uint64_t *count)
{
    if (type > 1 || counter > 1)
        return INVALID_ARGUMENT;
    return ecc_errors(FN_nvmlDeviceGetTotalEccErrors, handle, type, count);
}

EXPORT int nvmlDeviceGetMemoryErrorCounter(nvmlDevice_t handle, unsigned type, unsigned counter, unsigned place,
                                           uint64_t *count)
{
    if (type > 1 || counter > 1)
        return INVALID_ARGUMENT;
    if (place != 2) /* those of the device's memory are all that there are here */
        return NOT_SUPPORTED;
    return ecc_errors(FN_nvmlDeviceGetMemoryErrorCounter, handle, type, count);
}
