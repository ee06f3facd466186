/* One round of the timers benchmark on libuv: how long it takes to start, move and stop timers in random order.
 *
 *   cc -O2 -o build/timers timers.c -luv
 *   build/timers COUNT SEED     prints: ns per insert, ns per cancel, ns per move, bytes each
 *
 * A handle carries its own heap links, so its size is all the memory a timer takes. libuv counts in milliseconds. */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

enum { FIRST_MS = 5000, SPAN_MS = 60000 };

static uint64_t state;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545F4914F6CDD1Dull >> 20;
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
    fputs("a timer fired during the round\n", stderr);
    exit(1);
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        perror("calloc");
        exit(1);
    }
    return memory;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s COUNT SEED\n", argv[0]);
        return 2;
    }

    size_t count = strtoul(argv[1], NULL, 10);
    state = strtoull(argv[2], NULL, 10) * 0x9E3779B97F4A7C15ull | 1;

    uv_loop_t *loop = uv_default_loop();
    uv_timer_t *timers = allocate(count, sizeof *timers);
    uv_timer_t **shuffled = allocate(count, sizeof *shuffled);
    uint64_t *delays = allocate(count, sizeof *delays);
    for (size_t i = 0; i < count; i++) {
        uv_timer_init(loop, &timers[i]);
        delays[i] = FIRST_MS + next() % SPAN_MS;
        size_t j = next() % (i + 1);
        shuffled[i] = shuffled[j];
        shuffled[j] = &timers[i];
    }

    double start = now_ns();
    for (size_t i = 0; i < count; i++)
        uv_timer_start(&timers[i], on_timer, delays[i], 0);
    double insert = now_ns() - start;

    start = now_ns();
    for (size_t i = 0; i < count; i++)
        uv_timer_stop(shuffled[i]);
    double cancel = now_ns() - start;

    for (size_t i = 0; i < count; i++)
        uv_timer_start(&timers[i], on_timer, delays[i], 0);
    start = now_ns();
    for (size_t i = 0; i < count; i++)
        uv_timer_start(shuffled[i], on_timer, FIRST_MS + SPAN_MS, 0);
    double move = now_ns() - start;

    printf("%.2f %.2f %.2f %zu\n", insert / count, cancel / count, move / count, sizeof *timers);
    return 0;
}
