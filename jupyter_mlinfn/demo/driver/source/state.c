/*
 * Reads the state file: a line is a key and the rest of the line; `board`, `mig` and `process` begin a new
 * one, and the keys after it are its. What is not known is passed over.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "state.h"

typedef struct {
    const char *key;
    size_t offset;
    int is_text;
} Field;

#define NUMBER(type, key) {#key, offsetof(type, key), 0}
#define TEXT(type, key) {#key, offsetof(type, key), 1}

static const Field STATE_FIELDS[] = {
    TEXT(State, version), TEXT(State, nvml), NUMBER(State, cuda), NUMBER(State, generation), {0},
};

static const Field DEVICE_FIELDS[] = {
    TEXT(Device, uuid), TEXT(Device, name), TEXT(Device, bus), TEXT(Device, serial),
    NUMBER(Device, index), NUMBER(Device, access), NUMBER(Device, status),
    NUMBER(Device, memory_total), NUMBER(Device, memory_used), NUMBER(Device, memory_reserved),
    NUMBER(Device, mig_mode), NUMBER(Device, max_migs), NUMBER(Device, gi), NUMBER(Device, ci),
    NUMBER(Device, sm_count), NUMBER(Device, slices), NUMBER(Device, compute_slices),
    NUMBER(Device, minor), NUMBER(Device, compute_major), NUMBER(Device, compute_minor),
    NUMBER(Device, temperature), NUMBER(Device, power), NUMBER(Device, power_limit), NUMBER(Device, fan),
    NUMBER(Device, performance_state), NUMBER(Device, sm_clock), NUMBER(Device, memory_clock),
    NUMBER(Device, max_sm_clock), NUMBER(Device, max_memory_clock), NUMBER(Device, ecc),
    NUMBER(Device, ecc_errors), NUMBER(Device, utilization), NUMBER(Device, memory_utilization),
    NUMBER(Device, gpm), NUMBER(Device, gpm_apart), NUMBER(Device, gpm_utilization), {0},
};

static const Field PROCESS_FIELDS[] = {
    NUMBER(Process, pid), NUMBER(Process, memory), NUMBER(Process, kind), NUMBER(Process, real), {0},
};

static State *state;
static char path[4096];
static struct stat seen;

static void discard(State *old)
{
    if (old == NULL)
        return;
    for (int i = 0; i < old->device_count; i++)
        free(old->devices[i].processes);
    free(old->devices);
    free(old->faults);
    free(old->hangs);
    free(old);
}

/* A list with room for one more, zeroed; the old list is given up. */
static void *grown(void *list, int count, size_t size)
{
    char *larger = realloc(list, (size_t)(count + 1) * size);
    if (larger == NULL)
        abort();
    memset(larger + (size_t)count * size, 0, size);
    return larger;
}

static void store(void *target, const Field *fields, const char *key, const char *value)
{
    for (; fields->key != NULL; fields++) {
        if (strcmp(fields->key, key) != 0)
            continue;
        char *place = (char *)target + fields->offset;
        if (fields->is_text)
            snprintf(place, TEXT_MAX, "%s", value);
        else
            *(int64_t *)(void *)place = strtoll(value, NULL, 10);
        return;
    }
}

static Device *add_device(State *to, int is_mig)
{
    int number = to->device_count++;
    to->devices = grown(to->devices, number, sizeof(Device));
    Device *device = &to->devices[number];
    for (const Field *field = DEVICE_FIELDS; field->key != NULL; field++)
        if (!field->is_text)
            *(int64_t *)(void *)((char *)device + field->offset) = UNREPORTED;
    device->access = device->status = device->memory_used = device->memory_reserved = 0;
    device->is_mig = is_mig;
    device->board = number;
    if (is_mig)
        for (int i = 0; i < number; i++)
            if (!to->devices[i].is_mig)
                device->board = i;
    return device;
}

static Process *add_process(Device *device)
{
    device->processes = grown(device->processes, device->process_count, sizeof(Process));
    return &device->processes[device->process_count++];
}

static void read_line(State *to, const char *key, const char *value, Process **process)
{
    Device *device = to->device_count > 0 ? &to->devices[to->device_count - 1] : NULL;
    if (strcmp(key, "board") == 0 || strcmp(key, "mig") == 0) {
        add_device(to, key[0] == 'm');
        *process = NULL;
    } else if (strcmp(key, "process") == 0) {
        *process = device != NULL ? add_process(device) : NULL;
    } else if (strcmp(key, "fault") == 0) {
        to->faults = grown(to->faults, to->fault_count, sizeof(Fault));
        Fault *fault = &to->faults[to->fault_count++];
        sscanf(value, "%95s %95s %ld %ld", fault->name, fault->device, &fault->code, &fault->first_call);
    } else if (strcmp(key, "hang") == 0) {
        to->hangs = grown(to->hangs, to->hang_count, sizeof(Hang));
        Hang *hang = &to->hangs[to->hang_count++];
        sscanf(value, "%95s %lf %ld", hang->name, &hang->seconds, &hang->code);
    } else if (*process != NULL) {
        store(*process, PROCESS_FIELDS, key, value);
    } else if (device != NULL) {
        store(device, DEVICE_FIELDS, key, value);
    } else {
        store(to, STATE_FIELDS, key, value);
    }
}

static State *read_file(FILE *file)
{
    State *fresh = calloc(1, sizeof(State));
    Process *process = NULL;
    char line[1024];
    if (fresh == NULL)
        abort();
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *key = line + strspn(line, " ");
        char *value = strchr(key, ' ');
        if (value != NULL)
            *value++ = '\0';
        read_line(fresh, key, value != NULL ? value : "", &process);
    }
    return fresh;
}

static int same_file(const struct stat *one, const struct stat *other)
{
    return one->st_ino == other->st_ino && one->st_dev == other->st_dev && one->st_size == other->st_size &&
           one->st_mtim.tv_sec == other->st_mtim.tv_sec && one->st_mtim.tv_nsec == other->st_mtim.tv_nsec;
}

State *current_state(void)
{
    const char *named = getenv("MLINFN_SIMULATED_DRIVER");
    struct stat now;
    if (named == NULL)
        named = "";
    if (strcmp(named, path) != 0) {
        snprintf(path, sizeof path, "%s", named);
        discard(state);
        state = NULL;
    }
    if (stat(path, &now) != 0) {
        discard(state);
        state = NULL;
    } else if (state == NULL || !same_file(&now, &seen)) {
        FILE *file = fopen(path, "r");
        discard(state);
        state = NULL;
        if (file != NULL) {
            /* Of the file that is read: it may have been replaced since the look above. */
            if (fstat(fileno(file), &seen) == 0)
                state = read_file(file);
            fclose(file);
        }
    }
    return state;
}

const char *state_path(void)
{
    return path;
}

Device *find_device(State *in, const char *uuid)
{
    for (int i = 0; i < in->device_count; i++)
        if (strcmp(in->devices[i].uuid, uuid) == 0)
            return &in->devices[i];
    return NULL;
}
