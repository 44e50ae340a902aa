/* How every call begins and ends: counted, hung or failed as the state file says, its device looked up. */
#ifndef MLINFN_CALLS_H
#define MLINFN_CALLS_H

#include "abi.h"
#include "state.h"

#define FUNCTIONS(X) \
    X(nvmlInit) X(nvmlInit_v2) X(nvmlInitWithFlags) X(nvmlShutdown) \
    X(nvmlSystemGetDriverVersion) X(nvmlSystemGetNVMLVersion) X(nvmlSystemGetCudaDriverVersion) \
    X(nvmlSystemGetCudaDriverVersion_v2) X(nvmlSystemGetProcessName) \
    X(nvmlDeviceGetCount) X(nvmlDeviceGetCount_v2) X(nvmlDeviceGetHandleByIndex) \
    X(nvmlDeviceGetHandleByIndex_v2) X(nvmlDeviceGetHandleByUUID) X(nvmlDeviceGetHandleByPciBusId) \
    X(nvmlDeviceGetHandleByPciBusId_v2) X(nvmlDeviceGetHandleBySerial) \
    X(nvmlDeviceGetMigMode) X(nvmlDeviceGetMaxMigDeviceCount) X(nvmlDeviceGetMigDeviceHandleByIndex) \
    X(nvmlDeviceGetDeviceHandleFromMigDeviceHandle) X(nvmlDeviceIsMigDeviceHandle) \
    X(nvmlDeviceGetGpuInstanceId) X(nvmlDeviceGetComputeInstanceId) X(nvmlDeviceGetAttributes) \
    X(nvmlDeviceGetAttributes_v2) \
    X(nvmlDeviceGetUUID) X(nvmlDeviceGetName) X(nvmlDeviceGetIndex) X(nvmlDeviceGetMinorNumber) \
    X(nvmlDeviceGetSerial) X(nvmlDeviceGetPciInfo) X(nvmlDeviceGetPciInfo_v2) X(nvmlDeviceGetPciInfo_v3) \
    X(nvmlDeviceGetCudaComputeCapability) \
    X(nvmlDeviceGetMemoryInfo) X(nvmlDeviceGetMemoryInfo_v2) X(nvmlDeviceGetBAR1MemoryInfo) \
    X(nvmlDeviceGetUtilizationRates) X(nvmlDeviceGetEncoderUtilization) X(nvmlDeviceGetDecoderUtilization) \
    X(nvmlDeviceGetTemperature) X(nvmlDeviceGetTemperatureV) X(nvmlDeviceGetFanSpeed) \
    X(nvmlDeviceGetPowerUsage) X(nvmlDeviceGetPowerManagementLimit) X(nvmlDeviceGetEnforcedPowerLimit) \
    X(nvmlDeviceGetPerformanceState) X(nvmlDeviceGetClockInfo) X(nvmlDeviceGetMaxClockInfo) \
    X(nvmlDeviceGetComputeMode) X(nvmlDeviceGetPersistenceMode) X(nvmlDeviceGetDisplayMode) \
    X(nvmlDeviceGetDisplayActive) X(nvmlDeviceGetDriverModel) X(nvmlDeviceGetDriverModel_v2) \
    X(nvmlDeviceGetEccMode) X(nvmlDeviceGetTotalEccErrors) X(nvmlDeviceGetMemoryErrorCounter) \
    X(nvmlDeviceGetComputeRunningProcesses) X(nvmlDeviceGetComputeRunningProcesses_v2) \
    X(nvmlDeviceGetComputeRunningProcesses_v3) X(nvmlDeviceGetGraphicsRunningProcesses) \
    X(nvmlDeviceGetGraphicsRunningProcesses_v2) X(nvmlDeviceGetGraphicsRunningProcesses_v3) \
    X(nvmlDeviceGetMPSComputeRunningProcesses) X(nvmlDeviceGetMPSComputeRunningProcesses_v2) \
    X(nvmlDeviceGetMPSComputeRunningProcesses_v3) X(nvmlDeviceGetProcessUtilization) \
    X(nvmlDeviceGetMaxPcieLinkGeneration) X(nvmlDeviceGetMaxPcieLinkWidth) X(nvmlDeviceGetPcieThroughput) \
    X(nvmlDeviceGetNvLinkVersion) \
    X(nvmlGpmQueryDeviceSupport) X(nvmlGpmSampleAlloc) X(nvmlGpmSampleFree) X(nvmlGpmSampleGet) \
    X(nvmlGpmMigSampleGet) X(nvmlGpmMetricsGet)

#define AS_NUMBER(name) FN_##name,
typedef enum { FUNCTIONS(AS_NUMBER) FUNCTION_COUNT } Function;
#undef AS_NUMBER

/* A call under way. It holds the lock from begin() to end(); `code` other than SUCCESS is to be returned. */
typedef struct {
    int code;
    State *state;
    Device *device; /* of a handle that was given, else NULL */
} Call;

/* A call without a device. */
Call begin(Function function);
/* A call on a device. Fails as well where the handle is not one, or its device is gone or out of order. */
Call begin_on(Function function, nvmlDevice_t handle);
/* A look at the state that is no call of NVML: not counted, never failed. end() ends it as well. */
Call look(void);
/* Ends a call; answers `code` where the beginning was well, else the code of the beginning. */
int end(const Call *call, int code);

/* With a call begun: connect to the driver that runs now, or leave it. */
void attach(const Call *call);
int detach(void);
/* With a call begun: what a device answers that is asked for by index or UUID. */
int give_handle(const Call *call, const Device *device, nvmlDevice_t *handle);

#endif
