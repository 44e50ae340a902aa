/*
 * Who holds memory of a device: the processes of the state file, and those that have put a file into the
 * folder of claims, next to it. A claim is a file `PID-NUMBER` of one line: bytes, the start time of the
 * process (field 22 of /proc/PID/stat), and the UUID of the device, or * for the first that may be read.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

/* Start time of a process that lives, in clock ticks; 0 where it does not, or has not been reaped yet. */
static unsigned long long start_time(long pid)
{
    char name[64], text[1024];
    unsigned long long ticks = 0;
    char condition = 'X';
    snprintf(name, sizeof name, "/proc/%ld/stat", pid);
    FILE *file = fopen(name, "r");
    if (file == NULL)
        return 0;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    /* The name, in brackets, may hold anything: what follows its last bracket can be parsed. */
    const char *rest = strrchr(text, ')');
    if (rest == NULL || sscanf(rest + 1, " %c", &condition) != 1 || condition == 'Z' || condition == 'X')
        return 0;
    for (int field = 3; rest != NULL && field <= 22; field++)
        rest = strchr(rest + 1, ' ');
    if (rest != NULL)
        sscanf(rest, " %llu", &ticks);
    return ticks;
}

const Device *held_device(State *state, const char *uuid)
{
    if (strcmp(uuid, "*") != 0)
        return find_device(state, uuid);
    for (int i = 0; i < state->device_count; i++) {
        const Device *device = &state->devices[i];
        if (device->access == READABLE && !(device->mig_mode == 1 && !device->is_mig))
            return device;
    }
    return NULL;
}

static void append(Process **list, int *count, Process process)
{
    Process *larger = realloc(*list, (size_t)(*count + 1) * sizeof(Process));
    if (larger == NULL)
        abort();
    larger[(*count)++] = process;
    *list = larger;
}

/* Claims of one process are one entry, as its contexts are to a driver. */
static void add_claim(Process **list, int from, int *count, long pid, int64_t bytes)
{
    for (int i = from; i < *count; i++) {
        if ((*list)[i].pid == pid) {
            (*list)[i].memory += bytes;
            return;
        }
    }
    append(list, count, (Process){.pid = pid, .memory = bytes, .kind = COMPUTE, .real = 1});
}

static void add_claims(State *state, const Device *device, Process **list, int *count)
{
    char folder[4200], name[4600];
    int from = *count;
    snprintf(folder, sizeof folder, "%s.claims", state_path());
    DIR *entries = opendir(folder);
    if (entries == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        char uuid[TEXT_MAX] = "";
        long long bytes = 0;
        unsigned long long ticks = 0;
        long pid = strtol(entry->d_name, NULL, 10);
        snprintf(name, sizeof name, "%s/%s", folder, entry->d_name);
        FILE *file = pid > 0 ? fopen(name, "r") : NULL;
        if (file == NULL)
            continue;
        int found = fscanf(file, "%lld %llu %95s", &bytes, &ticks, uuid);
        fclose(file);
        if (found != 3 || start_time(pid) != ticks)
            continue;
        if (held_device(state, uuid) == device)
            add_claim(list, from, count, pid, bytes);
    }
    closedir(entries);
}

int living_processes(State *state, const Device *device, Process **list)
{
    int count = 0;
    *list = NULL;
    for (int i = 0; i < device->process_count; i++) {
        const Process *process = &device->processes[i];
        if (!process->real || start_time((long)process->pid) != 0)
            append(list, &count, *process);
    }
    add_claims(state, device, list, &count);
    return count;
}

int64_t used_memory(State *state, const Device *device)
{
    Process *list;
    int count = living_processes(state, device, &list);
    int64_t used = device->memory_used;
    for (int i = 0; i < count; i++) {
        int64_t most = list[i].memory;
        int again = 0;
        for (int j = 0; j < count; j++) {
            if (list[j].pid != list[i].pid)
                continue;
            again |= j < i; /* a duplicate: its memory is counted with the first */
            if (list[j].memory > most)
                most = list[j].memory;
        }
        if (!again && most > 0)
            used += most;
    }
    free(list);
    int64_t usable = device->memory_total - device->memory_reserved;
    return used < usable ? used : usable;
}
