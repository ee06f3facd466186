// process: the CPU time another process has used.
#pragma once
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
    uint64_t total_ns;
    double user_ticks, system_ticks; // 10 ms each: good for the share of each, not for the sum
} cpu_time;

// The total comes from the process's CPU clock: nanoseconds, all threads, the ended ones too.
static cpu_time cpu_time_of(int pid) {
    cpu_time result = {0};
    if (!pid) return result;
    clockid_t clock;
    struct timespec t;
    int error = clock_getcpuclockid(pid, &clock);
    if (!error && clock_gettime(clock, &t)) error = errno;
    if (error) {
        fprintf(stderr, "loadgen: the CPU clock of process %d: %s\n", pid, strerror(error));
        exit(1);
    }
    result.total_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;

    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file) return result;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    char *after_name = strrchr(text, ')'); // the name itself may hold spaces and brackets
    if (after_name)
        sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lf %lf", &result.user_ticks,
               &result.system_ticks);
    return result;
}
