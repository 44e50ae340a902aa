/* How a board is connected: PCI Express of an idle A100, and no NVLink. jupyterlab-nvdashboard asks for it. */
#include "calls.h"

static int answer(Function function, nvmlDevice_t handle, int code, unsigned value, unsigned *target)
{
    Call call = begin_on(function, handle);
    if (call.code != SUCCESS)
        return end(&call, SUCCESS);
    if (call.device->is_mig || code != SUCCESS)
        return end(&call, NOT_SUPPORTED);
    *target = value;
    return end(&call, SUCCESS);
}

EXPORT int nvmlDeviceGetMaxPcieLinkGeneration(nvmlDevice_t handle, unsigned *generation)
{
    return answer(FN_nvmlDeviceGetMaxPcieLinkGeneration, handle, SUCCESS, 4, generation);
}

EXPORT int nvmlDeviceGetMaxPcieLinkWidth(nvmlDevice_t handle, unsigned *lanes)
{
    return answer(FN_nvmlDeviceGetMaxPcieLinkWidth, handle, SUCCESS, 16, lanes);
}

EXPORT int nvmlDeviceGetPcieThroughput(nvmlDevice_t handle, unsigned direction, unsigned *kilobytes)
{
    (void)direction;
    return answer(FN_nvmlDeviceGetPcieThroughput, handle, SUCCESS, 0, kilobytes);
}

EXPORT int nvmlDeviceGetNvLinkVersion(nvmlDevice_t handle, unsigned link, unsigned *version)
{
    (void)link;
    return answer(FN_nvmlDeviceGetNvLinkVersion, handle, NOT_SUPPORTED, 0, version);
}
