/*
 * Counters are a file next to the state file, shared by all processes: a line of 64 bytes per function, its
 * name and, in the last eight, the number of calls.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"

struct Handle {
    char uuid[TEXT_MAX];
    int64_t generation;
    struct Handle *next;
};

typedef struct {
    char name[56];
    uint64_t calls;
} Counter;

#define AS_TEXT(name) #name,
static const char *const NAMES[] = {FUNCTIONS(AS_TEXT)};
#undef AS_TEXT

static const struct timespec A_MOMENT = {0, 5 * 1000 * 1000};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int users;          /* initialisations that have not been shut down */
static int64_t generation; /* of the driver that was there at the last initialisation */
static struct Handle *handles;
static Counter *counters;
static char counters_path[4200];

static void count(Function function)
{
    char wanted[4200];
    snprintf(wanted, sizeof wanted, "%s.calls", state_path());
    if (counters == NULL || strcmp(wanted, counters_path) != 0) {
        if (counters != NULL)
            munmap(counters, FUNCTION_COUNT * sizeof(Counter));
        counters = NULL;
        int file = open(wanted, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (file < 0)
            return;
        if (ftruncate(file, FUNCTION_COUNT * sizeof(Counter)) == 0) {
            void *place = mmap(NULL, FUNCTION_COUNT * sizeof(Counter), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
            counters = place != MAP_FAILED ? place : NULL;
        }
        close(file);
        strcpy(counters_path, wanted);
        if (counters == NULL)
            return;
        for (int i = 0; i < FUNCTION_COUNT; i++)
            strcpy(counters[i].name, NAMES[i]);
    }
    __atomic_fetch_add(&counters[function].calls, 1, __ATOMIC_RELAXED);
}

/* `pattern` is a name, a name without the version that `name` has, or *; nvmlInit means all of its forms. */
static int matches(const char *pattern, const char *name)
{
    size_t length = strlen(pattern);
    if (strcmp(pattern, "*") == 0 || strcmp(pattern, name) == 0)
        return 1;
    if (strcmp(pattern, "nvmlInit") == 0 && strcmp(name, "nvmlInitWithFlags") == 0)
        return 1;
    return strncmp(pattern, name, length) == 0 && strncmp(name + length, "_v", 2) == 0;
}

static const Hang *hang_of(const State *state, const char *name)
{
    for (int i = 0; state != NULL && i < state->hang_count; i++)
        if (matches(state->hangs[i].name, name))
            return &state->hangs[i];
    return NULL;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Sleeps as the state file says, without the lock; the code to return afterwards. */
static int hang(Call *call, const char *name)
{
    double start = now();
    int code = SUCCESS;
    for (const Hang *found; (found = hang_of(call->state, name)) != NULL;) {
        double left = found->seconds - (now() - start);
        code = (int)found->code;
        if (found->seconds >= 0 && left <= 0)
            break;
        struct timespec rest = A_MOMENT;
        if (found->seconds >= 0 && left < 5e-3)
            rest.tv_nsec = (long)(left * 1e9);
        pthread_mutex_unlock(&lock);
        nanosleep(&rest, NULL);
        pthread_mutex_lock(&lock);
        call->state = current_state();
    }
    return code;
}

static int fault(const State *state, const char *name, const char *uuid)
{
    int code = SUCCESS;
    for (int i = 0; i < state->fault_count; i++) {
        Fault *one = &state->faults[i];
        int any = strcmp(one->device, "*") == 0;
        if (!matches(one->name, name) || !(any || (uuid != NULL && strcmp(one->device, uuid) == 0)))
            continue;
        if (++one->calls >= one->first_call && code == SUCCESS)
            code = (int)one->code;
    }
    return code;
}

static int is_init(Function function)
{
    return function == FN_nvmlInit || function == FN_nvmlInit_v2 || function == FN_nvmlInitWithFlags;
}

/* The device that a handle stands for; what is wrong with it goes to `code`. */
static Device *device_of(State *state, const struct Handle *handle, int *code)
{
    const struct Handle *known = handles;
    while (known != NULL && known != handle)
        known = known->next;
    if (known == NULL || known->generation != generation) {
        *code = INVALID_ARGUMENT;
        return NULL;
    }
    Device *device = find_device(state, known->uuid);
    if (device != NULL)
        return device;
    /* A MIG instance that is destroyed leaves an invalid handle, a board that is gone a lost one. */
    *code = strncmp(known->uuid, "MIG-", 4) == 0 ? INVALID_ARGUMENT : GPU_IS_LOST;
    return NULL;
}

static int status_of(const State *state, const Device *device)
{
    if (device->status != SUCCESS)
        return (int)device->status;
    return (int)state->devices[device->board].status;
}

static Call begin_call(Function function, int on_device, nvmlDevice_t handle)
{
    Call call = {SUCCESS, NULL, NULL};
    const char *name = NAMES[function];
    pthread_mutex_lock(&lock);
    call.state = current_state();
    count(function);
    call.code = hang(&call, name);
    if (call.code != SUCCESS)
        return call;
    if (call.state == NULL) {
        call.code = DRIVER_NOT_LOADED;
        return call;
    }
    if (!is_init(function) && (users == 0 || call.state->generation != generation)) {
        call.code = UNINITIALIZED;
        return call;
    }
    if (on_device)
        call.device = device_of(call.state, handle, &call.code);
    /* What is scripted goes before what follows from the state. */
    int scripted = fault(call.state, name, call.device != NULL ? call.device->uuid : NULL);
    if (scripted != SUCCESS)
        call.code = scripted;
    else if (call.device != NULL && call.code == SUCCESS)
        call.code = status_of(call.state, call.device);
    return call;
}

Call begin(Function function)
{
    return begin_call(function, 0, NULL);
}

Call begin_on(Function function, nvmlDevice_t handle)
{
    return begin_call(function, 1, handle);
}

Call look(void)
{
    pthread_mutex_lock(&lock);
    return (Call){.code = SUCCESS, .state = current_state(), .device = NULL};
}

int end(const Call *call, int code)
{
    pthread_mutex_unlock(&lock);
    return call->code != SUCCESS ? call->code : code;
}

void attach(const Call *call)
{
    if (call->state->generation != generation)
        users = 0;
    generation = call->state->generation;
    users++;
}

int detach(void)
{
    if (users == 0)
        return UNINITIALIZED;
    users--;
    return SUCCESS;
}

/* The same one as long as the driver runs. */
static nvmlDevice_t handle_of(const Device *device)
{
    for (struct Handle *known = handles; known != NULL; known = known->next)
        if (known->generation == generation && strcmp(known->uuid, device->uuid) == 0)
            return known;
    /* Never freed: one per device and generation, and a caller may come back with an old one. */
    struct Handle *fresh = calloc(1, sizeof(struct Handle));
    if (fresh == NULL)
        abort();
    strcpy(fresh->uuid, device->uuid);
    fresh->generation = generation;
    fresh->next = handles;
    handles = fresh;
    return fresh;
}

int give_handle(const Call *call, const Device *device, nvmlDevice_t *handle)
{
    if (device == NULL || device->access == HIDDEN)
        return NOT_FOUND;
    if (status_of(call->state, device) != SUCCESS)
        return status_of(call->state, device);
    *handle = handle_of(device);
    return SUCCESS;
}
