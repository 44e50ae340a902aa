/*
 * What a caller of NVML passes in memory, and the return codes: the binary interface of libnvidia-ml.so.1
 * as far as this library serves it. Layouts and numbers: https://docs.nvidia.com/deploy/nvml-api/
 */
#ifndef MLINFN_ABI_H
#define MLINFN_ABI_H

#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NO_PERMISSION = 4,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9,
    GPU_IS_LOST = 15,
    MEMORY = 20,
    NO_DATA = 21,
    ARGUMENT_VERSION_MISMATCH = 25,
};

/* In the fields for ids of MIG instances, where there is none. */
#define NO_INSTANCE 0xFFFFFFFFu
/* In the field for a process's memory, where the driver does not know it. */
#define NOT_AVAILABLE UINT64_MAX

/* Version words hold the size of the structure and its number. */
#define VERSION_OF(type, number) ((unsigned)(sizeof(type) | ((unsigned)(number) << 24)))

/* An opaque pointer for the caller; an entry of the table of handles for us. */
typedef struct Handle *nvmlDevice_t;

typedef struct {
    uint64_t total, free, used;
} MemoryV1;

typedef struct {
    unsigned version;
    uint64_t total, reserved, free, used;
} MemoryV2;

typedef struct {
    unsigned gpu, memory;
} Utilization;

typedef struct {
    unsigned pid;
    uint64_t memory;
} ProcessInfoV1;

typedef struct {
    unsigned pid;
    uint64_t memory;
    unsigned gpu_instance, compute_instance;
} ProcessInfo;

typedef struct {
    char bus_id_legacy[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char bus_id[32];
} PciInfo;

typedef struct {
    unsigned sm_count, copy_engines, decoders, encoders, jpeg, ofa, gpu_slices, compute_slices;
    uint64_t memory_mib;
} Attributes;

typedef struct {
    unsigned version;
    unsigned sensor;
    int celsius;
} TemperatureV1;

typedef struct {
    unsigned version, supported;
} GpmSupport;

typedef struct {
    unsigned metric;
    int code;
    double value;
    struct {
        char *short_name, *long_name, *unit;
    } info;
} GpmMetric;

typedef struct GpmSample *nvmlGpmSample_t;

/* The caller's array has room for as many metrics as its version of NVML knows; `count` are asked for. */
typedef struct {
    unsigned version, count;
    nvmlGpmSample_t first, second;
    GpmMetric metrics[];
} GpmMetricsGet;

#endif
