/* GPM, of Hopper and later: a figure is the difference of two samples, also of one MIG instance. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "calls.h"

enum { GRAPHICS_UTILIZATION = 1, SM_UTILIZATION = 2 };

struct GpmSample {
    char device[TEXT_MAX]; /* empty: nothing sampled yet */
    struct timespec time;
};

static int supported(const Call *call)
{
    return call->state->devices[call->device->board].gpm == 1;
}

EXPORT int nvmlGpmQueryDeviceSupport(nvmlDevice_t handle, GpmSupport *support)
{
    Call call = begin_on(FN_nvmlGpmQueryDeviceSupport, handle);
    if (call.code != SUCCESS)
        return end(&call, SUCCESS);
    if (support->version != 1)
        return end(&call, ARGUMENT_VERSION_MISMATCH);
    support->supported = (unsigned)supported(&call);
    return end(&call, SUCCESS);
}

EXPORT int nvmlGpmSampleAlloc(nvmlGpmSample_t *sample)
{
    Call call = begin(FN_nvmlGpmSampleAlloc);
    if (call.code != SUCCESS)
        return end(&call, SUCCESS);
    *sample = calloc(1, sizeof **sample);
    return end(&call, *sample != NULL ? SUCCESS : MEMORY);
}

EXPORT int nvmlGpmSampleFree(nvmlGpmSample_t sample)
{
    Call call = begin(FN_nvmlGpmSampleFree);
    free(sample);
    return end(&call, SUCCESS);
}

static int take(nvmlGpmSample_t sample, const Device *device)
{
    if (sample == NULL)
        return INVALID_ARGUMENT;
    strcpy(sample->device, device->uuid);
    clock_gettime(CLOCK_MONOTONIC, &sample->time);
    return SUCCESS;
}

EXPORT int nvmlGpmSampleGet(nvmlDevice_t handle, nvmlGpmSample_t sample)
{
    Call call = begin_on(FN_nvmlGpmSampleGet, handle);
    if (call.code != SUCCESS)
        return end(&call, SUCCESS);
    if (!supported(&call) || call.device->is_mig)
        return end(&call, NOT_SUPPORTED);
    return end(&call, call.device->access == READABLE ? take(sample, call.device) : NO_PERMISSION);
}

EXPORT int nvmlGpmMigSampleGet(nvmlDevice_t handle, unsigned gpu_instance, nvmlGpmSample_t sample)
{
    Call call = begin_on(FN_nvmlGpmMigSampleGet, handle);
    if (call.code != SUCCESS)
        return end(&call, SUCCESS);
    if (!supported(&call) || call.device->is_mig)
        return end(&call, NOT_SUPPORTED);
    for (int i = 0; i < call.state->device_count; i++) {
        const Device *mig = &call.state->devices[i];
        if (mig->is_mig && &call.state->devices[mig->board] == call.device && mig->gi == gpu_instance)
            return end(&call, mig->access == READABLE ? take(sample, mig) : NO_PERMISSION);
    }
    return end(&call, INVALID_ARGUMENT);
}

static double seconds_between(const struct GpmSample *first, const struct GpmSample *second)
{
    return (double)(second->time.tv_sec - first->time.tv_sec) +
           1e-9 * (double)(second->time.tv_nsec - first->time.tv_nsec);
}

/* Samples that are closer than the board says give no figure: the counters behind them are read no more often. */
static void measure(const Device *device, double apart, double seconds, GpmMetric *metric)
{
    metric->value = 0;
    if (metric->metric != GRAPHICS_UTILIZATION && metric->metric != SM_UTILIZATION)
        metric->code = NOT_SUPPORTED;
    else if (seconds < apart || device->gpm_utilization == UNREPORTED)
        metric->code = NO_DATA;
    else {
        metric->code = SUCCESS;
        metric->value = (double)device->gpm_utilization;
    }
}

EXPORT int nvmlGpmMetricsGet(GpmMetricsGet *asked)
{
    Call call = begin(FN_nvmlGpmMetricsGet);
    if (call.code != SUCCESS)
        return end(&call, SUCCESS);
    if (asked->version != 1)
        return end(&call, ARGUMENT_VERSION_MISMATCH);
    if (asked->first == NULL || asked->second == NULL || strcmp(asked->first->device, asked->second->device) != 0)
        return end(&call, INVALID_ARGUMENT);
    const Device *device = find_device(call.state, asked->first->device);
    if (device == NULL)
        return end(&call, INVALID_ARGUMENT);
    double apart = 1e-3 * (double)call.state->devices[device->board].gpm_apart;
    for (unsigned i = 0; i < asked->count; i++)
        measure(device, apart, seconds_between(asked->first, asked->second), &asked->metrics[i]);
    return end(&call, SUCCESS);
}
