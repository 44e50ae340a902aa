/* The hardware as the state file describes it, and who holds memory of it. */
#ifndef MLINFN_STATE_H
#define MLINFN_STATE_H

#include <stdint.h>

#define TEXT_MAX 96
/* For numbers that the driver does not report. */
#define UNREPORTED (-1)

enum { READABLE, LISTED, HIDDEN };
enum { COMPUTE, GRAPHICS, MPS };

typedef struct {
    int64_t pid, memory; /* memory may be UNREPORTED */
    int64_t kind;
    int64_t real; /* the entry goes when the process with this id has exited */
} Process;

/* A board or a MIG instance; the fields of the other kind stay as they are at the beginning. */
typedef struct {
    int is_mig;
    int board; /* number of the device that is its board; of a board, its own */
    char uuid[TEXT_MAX], name[TEXT_MAX], bus[TEXT_MAX], serial[TEXT_MAX];
    int64_t index; /* of a MIG instance: the slot */
    int64_t access, status;
    int64_t memory_total, memory_used, memory_reserved;
    int64_t mig_mode, max_migs, gi, ci, sm_count, slices, compute_slices;
    int64_t minor, compute_major, compute_minor;
    int64_t temperature, power, power_limit, fan, performance_state;
    int64_t sm_clock, memory_clock, max_sm_clock, max_memory_clock;
    int64_t ecc, ecc_errors, utilization, memory_utilization, gpm, gpm_apart, gpm_utilization;
    Process *processes;
    int process_count;
} Device;

/* The call `name` (a function's name, without its version for all versions, or *) on a device (* for any). */
typedef struct {
    char name[TEXT_MAX], device[TEXT_MAX];
    int64_t code, first_call;
    int64_t calls; /* that matched since the file was read */
} Fault;

typedef struct {
    char name[TEXT_MAX];
    double seconds; /* negative: until the file says otherwise */
    int64_t code;
} Hang;

typedef struct {
    char version[TEXT_MAX], nvml[TEXT_MAX];
    int64_t cuda, generation;
    Device *devices;
    int device_count;
    Fault *faults;
    int fault_count;
    Hang *hangs;
    int hang_count;
} State;

/* The state, read again where the file has changed; NULL where there is no file. Call with the lock held. */
State *current_state(void);
/* Path of the state file, as of the last current_state(); empty where none is named. */
const char *state_path(void);

Device *find_device(State *state, const char *uuid);

/*
 * The processes that hold memory of a device now, those of the claims folder included; duplicates stay.
 * The caller frees the list.
 */
int living_processes(State *state, const Device *device, Process **list);
/* Used memory in bytes: what is used beside processes, and the memory of those that live. */
int64_t used_memory(State *state, const Device *device);

/* The device that holds of memory with this UUID are on, * being the first that may be read; NULL for none. */
const Device *held_device(State *state, const char *uuid);

#endif
