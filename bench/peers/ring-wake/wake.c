// ring-wake: what it costs to wake a thread that waits in io_uring, by a write to an eventfd that a multishot poll watches and nobody
// reads, and by a message to its ring (IORING_OP_MSG_RING, sent by io_uring_register(2) without a ring of one's own; Linux 6.13).
//
//   ring-wake [ROUND-TRIPS]
//
// Two threads wake each other in turn, on two processors and on one. Prints nanoseconds of processor time per round trip, which is two
// wake-ups: the median of nine interleaved rounds.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ENTRIES = 8, ROUNDS = 9, SEND_MESSAGE = 31 }; // IORING_REGISTER_SEND_MSG_RING

typedef struct {
    int ring, counter, processor;
    atomic_uint *tail;
    unsigned *head, mask;
    struct io_uring_cqe *completions;
} sleeper;

static sleeper sleepers[2];
static pthread_barrier_t ready;
static bool by_message;
static int round_trips = 50000;

static void fail(const char *what) {
    fprintf(stderr, "ring-wake: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void set_up(sleeper *s) {
    struct io_uring_params p = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    s->ring = (int)syscall(SYS_io_uring_setup, ENTRIES, &p);
    if (s->ring < 0) fail("io_uring_setup");
    char *rings = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, s->ring, 0);
    struct io_uring_sqe *entries = mmap(NULL, ENTRIES * sizeof *entries, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, s->ring, IORING_OFF_SQES);
    if (rings == MAP_FAILED || entries == MAP_FAILED) fail("mmap");
    s->tail = (atomic_uint *)(rings + p.cq_off.tail);
    s->head = (unsigned *)(rings + p.cq_off.head);
    s->mask = *(unsigned *)(rings + p.cq_off.ring_mask);
    s->completions = (struct io_uring_cqe *)(rings + p.cq_off.cqes);
    if (by_message) return;
    entries[0] = (struct io_uring_sqe){.opcode = IORING_OP_POLL_ADD, .fd = s->counter, .len = IORING_POLL_ADD_MULTI, .poll32_events = 1u | 1u << 31};
    ((unsigned *)(rings + p.sq_off.array))[0] = 0;
    atomic_store((atomic_uint *)(rings + p.sq_off.tail), 1);
    if (syscall(SYS_io_uring_enter, s->ring, 1, 0, IORING_ENTER_GETEVENTS, NULL, 0) != 1) fail("io_uring_enter");
}

static void wake(const sleeper *s) {
    if (by_message) {
        struct io_uring_sqe message = {.opcode = IORING_OP_MSG_RING, .fd = s->ring};
        if (syscall(SYS_io_uring_register, -1, SEND_MESSAGE, &message, 1) < 0) fail("io_uring_register(SEND_MSG_RING)");
    } else {
        uint64_t one = 1;
        if (write(s->counter, &one, sizeof one) != sizeof one) fail("write");
    }
}

static void wait_for_wake(sleeper *s) {
    while (*s->head == atomic_load(s->tail)) {
        if (syscall(SYS_io_uring_enter, s->ring, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0 && errno != EINTR) fail("io_uring_enter");
    }
    atomic_store((atomic_uint *)s->head, *s->head + 1);
}

static void *life(void *argument) {
    sleeper *self = argument, *other = self == &sleepers[0] ? &sleepers[1] : &sleepers[0];
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(self->processor, &set);
    sched_setaffinity(0, sizeof set, &set);
    set_up(self);
    pthread_barrier_wait(&ready);
    for (int i = 0; i < round_trips; i++) {
        if (self == &sleepers[0]) wake(other);
        wait_for_wake(self);
        if (self == &sleepers[1]) wake(other);
    }
    return NULL;
}

static double processor_time(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e9 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e3;
}

static double measure(bool message, bool two_processors) {
    pthread_t threads[2];
    by_message = message;
    double before = processor_time();
    for (int i = 0; i < 2; i++) {
        sleepers[i] = (sleeper){.counter = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .processor = two_processors ? i : 0};
        if (sleepers[i].counter < 0) fail("eventfd");
        if (pthread_create(&threads[i], NULL, life, &sleepers[i])) fail("pthread_create");
    }
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++) close(sleepers[i].ring), close(sleepers[i].counter);
    return (processor_time() - before) / round_trips;
}

static int compare(const void *a, const void *b) { return *(const double *)a < *(const double *)b ? -1 : 1; }

int main(int count, char **arguments) {
    if (count > 1 && (round_trips = atoi(arguments[1])) < 1) {
        fprintf(stderr, "usage: ring-wake [ROUND-TRIPS]\n");
        return 2;
    }
    pthread_barrier_init(&ready, NULL, 2);
    for (int two = 1; two >= 0; two--) {
        double counter[ROUNDS], message[ROUNDS];
        for (int i = 0; i < ROUNDS; i++) counter[i] = measure(false, two), message[i] = measure(true, two);
        qsort(counter, ROUNDS, sizeof *counter, compare);
        qsort(message, ROUNDS, sizeof *message, compare);
        printf("%s: eventfd %.0f ns, message %.0f ns, ratio %.2f\n", two ? "two processors" : "one processor", counter[ROUNDS / 2],
               message[ROUNDS / 2], message[ROUNDS / 2] / counter[ROUNDS / 2]);
    }
    return 0;
}
