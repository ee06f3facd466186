// loadgen: load generator for echo servers on loopback. Each connection keeps DEPTH messages of BYTES in flight.
//
//   loadgen --port P [--connections N] [--bytes N] [--depth N] [--seconds S] [--warmup S] [--messages N]
//           [--pid SERVER] [--verify] [--flood] [--idle N,N,...]
//
// --pid       the server's process: adds its CPU time per message, and the user and system share of it
// --messages  end after so many messages instead of after --seconds
// --verify    every byte that returns is compared; a difference, or a message that never returns, fails the run
// --flood     one connection more, which writes 64 KiB at a time as fast as the server takes them
// --idle      opens so many connections, echoes one message on each, prints a line, waits for a line on stdin, goes on
//
// Prints one line of key=value pairs; times are in microseconds. Exit 0, or 1 with a message on stderr.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "histogram.h"
#include "process.h"

enum { PERIOD = 65521, LARGEST_SEND = 512 * 1024, LARGEST_READ = 128 * 1024, FLOOD_WRITE = 64 * 1024, BATCH = 1024 };

typedef struct {
    int fd;
    uint32_t sent_at, read_at;   // where the stream stands in the pattern, modulo PERIOD
    uint32_t partial;            // bytes of a message whose rest is still to come
    uint32_t oldest, in_flight;  // ring of send times
    size_t owed;                 // bytes to send that the kernel has not taken yet
    uint64_t *times;
} connection;

static unsigned char pattern[PERIOD + LARGEST_SEND], incoming[LARGEST_READ];
static struct {
    int port, connections, bytes, depth, pid;
    double seconds, warmup;
    uint64_t messages;
    bool verify, flood;
    char *idle;
} want = {.connections = 1, .bytes = 64, .depth = 1, .seconds = 1, .warmup = 0.3};
static histogram latency;
static uint64_t returned; // messages
static bool measuring, draining;

static void fail(const char *what) {
    fprintf(stderr, "loadgen: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void refuse(const char *why) {
    fprintf(stderr, "loadgen: %s\n", why);
    exit(1);
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// Each further source address brings its own 28,000 ports, so neither many connections nor those in TIME_WAIT end it.
static int dial(void) {
    static uint32_t source = INADDR_LOOPBACK;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(want.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (;;) {
        struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(source)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
        if (fd < 0) fail("socket");
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        if (bind(fd, (struct sockaddr *)&from, sizeof from)) fail("bind");
        if (!connect(fd, (struct sockaddr *)&to, sizeof to)) return fd;
        if (errno != EADDRNOTAVAIL || ++source > INADDR_LOOPBACK + 16) fail("connect");
        close(fd);
    }
}

static void send_owed(connection *c) {
    while (c->owed) {
        size_t step = c->owed < LARGEST_SEND ? c->owed : LARGEST_SEND;
        ssize_t sent = send(c->fd, pattern + c->sent_at, step, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EAGAIN) return;
            fail("send");
        }
        c->sent_at = (c->sent_at + (uint32_t)sent) % PERIOD;
        c->owed -= (size_t)sent;
        if ((size_t)sent < step) return;
    }
}

static void begin_messages(connection *c, uint32_t count, uint64_t time) {
    uint32_t at = c->oldest + c->in_flight;
    for (uint32_t i = 0; i < count; i++, at++) c->times[at % (uint32_t)want.depth] = time;
    c->in_flight += count;
    c->owed += (size_t)count * (size_t)want.bytes;
    send_owed(c);
}

// Compares what came with what was sent; positions start elsewhere on each connection, so a mix-up shows too.
static void check(connection *c, size_t count) {
    if (memcmp(incoming, pattern + c->read_at, count)) refuse("what came back is not what was sent");
    c->read_at = (c->read_at + (uint32_t)count) % PERIOD;
}

static void receive(connection *c) {
    for (;;) {
        ssize_t got = recv(c->fd, incoming, LARGEST_READ, 0);
        if (got < 0) {
            if (errno == EAGAIN) return;
            fail("recv");
        }
        if (got == 0) refuse("the server closed a connection");
        if (want.verify) check(c, (size_t)got);
        size_t total = c->partial + (size_t)got;
        uint32_t whole = (uint32_t)(total / (size_t)want.bytes);
        c->partial = (uint32_t)(total % (size_t)want.bytes);
        if (whole > c->in_flight) refuse("more came back than was sent");
        if (whole) {
            uint64_t time = now();
            for (uint32_t i = 0; i < whole; i++) {
                if (measuring) record(&latency, time - c->times[c->oldest]);
                c->oldest = c->oldest + 1 == (uint32_t)want.depth ? 0 : c->oldest + 1;
            }
            c->in_flight -= whole;
            returned += whole;
            if (!draining) begin_messages(c, whole, time);
        }
        if (got < LARGEST_READ) return; // a short read emptied the socket
    }
}

// One connection more, which writes as fast as the server takes it and reads back what comes: one bounded step each way in a turn, so
// that the generator itself stays fair.
static connection flooder;
static bool flood_writable, flood_readable, flood_shut, flood_ended;
static uint64_t flooded; // bytes that came back

static void step_flood(void) {
    if (draining && !flood_shut) {
        shutdown(flooder.fd, SHUT_WR);
        flood_shut = true;
    }
    if (flood_writable && !flood_shut) {
        ssize_t sent = send(flooder.fd, pattern + flooder.sent_at, FLOOD_WRITE, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) fail("send (flooder)");
        if (sent > 0) flooder.sent_at = (flooder.sent_at + (uint32_t)sent) % PERIOD;
        flood_writable = sent == FLOOD_WRITE;
    }
    if (flood_readable) {
        ssize_t got = recv(flooder.fd, incoming, LARGEST_READ, 0);
        if (got < 0 && errno != EAGAIN) fail("recv (flooder)");
        if (got > 0) {
            flooded += (uint64_t)got;
            if (want.verify) check(&flooder, (size_t)got);
        }
        flood_ended = got == 0;
        flood_readable = got > 0; // until EAGAIN: data and the end may have come as one event
    }
}

static int poll_fd;

// Waits once, moves what moved, and returns the time of waking.
static uint64_t turn(void) {
    struct epoll_event events[BATCH];
    bool flood_moves = flood_readable || (flood_writable && !flood_shut);
    int n = epoll_wait(poll_fd, events, BATCH, flood_moves ? 0 : 50);
    if (n < 0 && errno != EINTR) fail("epoll_wait");
    uint64_t woke = now();
    for (int i = 0; i < n; i++) {
        connection *c = events[i].data.ptr;
        if (c == &flooder) {
            flood_writable |= (events[i].events & EPOLLOUT) != 0;
            flood_readable |= (events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
            continue;
        }
        if (c->owed) send_owed(c);
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(c);
    }
    if (want.flood && !flood_ended) step_flood();
    return woke;
}

static void add(connection *c, uint32_t start) {
    c->fd = dial();
    c->sent_at = c->read_at = start % PERIOD;
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &e)) fail("epoll_ctl");
}

// Lets what is in flight return, so that the server sees an orderly end and the next run starts on a quiet machine.
static void drain(const connection *all) {
    draining = true;
    uint64_t deadline = now() + (want.verify ? 15000000000u : 2000000000u);
    for (;;) {
        uint64_t left = want.flood && !flood_ended;
        for (int i = 0; i < want.connections; i++) left += all[i].in_flight;
        if (!left) break;
        if (turn() < deadline) continue;
        if (!want.verify) break;
        refuse("messages were lost: they never came back, or the flooder never came to its end");
    }
    if (want.flood && want.verify && flooder.sent_at != flooder.read_at) refuse("the flooder got back less than it sent");
}

static double seconds_of(struct timeval a, struct timeval b) {
    return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_usec - a.tv_usec) / 1e6;
}

static void run_load(void) {
    connection *all = calloc((size_t)want.connections, sizeof *all);
    uint64_t *times = calloc((size_t)want.connections * (size_t)want.depth, sizeof *times);
    if (!all || !times) fail("calloc");
    for (int i = 0; i < want.connections; i++) {
        add(&all[i], (uint32_t)i * 7919u);
        all[i].times = times + (size_t)i * (size_t)want.depth;
    }
    if (want.flood) add(&flooder, 104729);
    uint64_t time = now(), start = time + (uint64_t)(want.warmup * 1e9), end = start + (uint64_t)(want.seconds * 1e9);
    uint64_t flooded_before = 0, before = 0, goal = want.messages ? want.messages : UINT64_MAX;
    double machine_before = 0;
    cpu_time server_before = {0};
    struct rusage self_before, self_after;
    for (int i = 0; i < want.connections; i++) begin_messages(&all[i], (uint32_t)want.depth, now());
    // The warm-up may end late, where others have the CPU; measured is for the full time all the same, and until something has come back.
    while (!measuring || (time < end && returned - before < goal) || (returned == before && !want.flood && time < end + 10000000000u)) {
        if (!measuring && time >= start) {
            measuring = true;
            start = now();
            end = start + (uint64_t)(want.seconds * 1e9);
            before = returned;
            flooded_before = flooded;
            server_before = cpu_time_of(want.pid);
            machine_before = machine_ticks();
            getrusage(RUSAGE_SELF, &self_before);
        }
        time = turn();
    }
    cpu_time server_after = cpu_time_of(want.pid);
    double machine_after = machine_ticks();
    getrusage(RUSAGE_SELF, &self_after);
    time = now();
    // Beside a flood it is a result that nothing comes back: the ages below tell it.
    if (returned == before && !want.flood) refuse("no message came back while measuring");
    uint64_t messages = returned - before, in_flight = 0;
    // Messages still under way count at their age so far. Without that, a server that starves a connection
    // altogether would look best of all: its slowest messages would never be seen.
    for (int i = 0; want.flood && i < want.connections; i++) {
        in_flight += all[i].in_flight;
        for (uint32_t k = 0; k < all[i].in_flight; k++)
            record(&latency, time - all[i].times[(all[i].oldest + k) % (uint32_t)want.depth]);
    }
    measuring = false;
    uint64_t flood_bytes = flooded - flooded_before;
    drain(all);

    double elapsed = (double)(time - start) / 1e9, cpu = (double)(server_after.total_ns - server_before.total_ns) / 1e3;
    double user = server_after.user_ticks - server_before.user_ticks, system = server_after.system_ticks - server_before.system_ticks;
    double self = seconds_of(self_before.ru_utime, self_after.ru_utime) + seconds_of(self_before.ru_stime, self_after.ru_stime);
    double others = (machine_after - machine_before) / 100 - cpu / 1e6 - self;
    double steady_p99 = percentile_us(steady(&latency), 0.99);
    printf("messages=%lu rate=%.1f p50=%.2f p99=%.2f p999=%.2f max=%.2f steady_p99=%.2f cpu=%.5f user_share=%.4f server_load=%.4f "
           "generator_load=%.4f others_load=%.4f flood_mb=%.2f in_flight=%lu total=%lu\n",
           messages, (double)messages / elapsed, percentile_us(&latency, 0.5), percentile_us(&latency, 0.99),
           percentile_us(&latency, 0.999), (double)latency.largest / 1e3, steady_p99, messages ? cpu / (double)messages : 0,
           user + system > 0 ? user / (user + system) : 0, cpu / 1e6 / elapsed, self / elapsed, others > 0 ? others / elapsed : 0,
           (double)flood_bytes / 1e6 / elapsed,
           in_flight, returned);
}

static void run_idle(char *steps) {
    struct timeval patience = {.tv_sec = 5};
    unsigned char back[64];
    int open = 0;
    for (char *step = strtok(steps, ","); step; step = strtok(NULL, ",")) {
        for (int goal = atoi(step); open < goal; open++) {
            int fd = dial();
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
            if (send(fd, pattern + open % PERIOD, sizeof back, MSG_NOSIGNAL) != sizeof back) fail("send");
            if (recv(fd, back, sizeof back, MSG_WAITALL) != sizeof back) fail("recv");
            if (memcmp(back, pattern + open % PERIOD, sizeof back)) refuse("what came back is not what was sent");
        }
        printf("connections=%d\n", open);
        fflush(stdout);
        for (int c; (c = getchar()) != '\n';)
            if (c == EOF) return;
    }
}

static double number(const char *text, const char *name) {
    char *end;
    double value = strtod(text, &end);
    if (end != text && !*end && value < 1e12 && (value > 0 || (value == 0 && !strcmp(name, "warmup")))) return value;
    fprintf(stderr, "loadgen: --%s must be a number above zero, not '%s'\n", name, text);
    exit(1);
}

int main(int count, char **arguments) {
    enum { PORT, CONNECTIONS, BYTES, DEPTH, SECONDS, WARMUP, MESSAGES, PID, VERIFY, FLOOD, IDLE };
    static const struct option options[] = {
        {"port", 1, 0, PORT},         {"connections", 1, 0, CONNECTIONS}, {"bytes", 1, 0, BYTES}, {"depth", 1, 0, DEPTH},
        {"seconds", 1, 0, SECONDS},   {"warmup", 1, 0, WARMUP},           {"messages", 1, 0, MESSAGES}, {"pid", 1, 0, PID},
        {"verify", 0, 0, VERIFY},     {"flood", 0, 0, FLOOD},             {"idle", 1, 0, IDLE},   {0}};
    int option, index;
    while ((option = getopt_long(count, arguments, "", options, &index)) != -1) {
        if (option == '?') return 1;
        double value = options[index].has_arg && option != IDLE ? number(optarg, options[index].name) : 0;
        switch (option) {
        case PORT: want.port = (int)value; break;
        case CONNECTIONS: want.connections = (int)value; break;
        case BYTES: want.bytes = (int)value; break;
        case DEPTH: want.depth = (int)value; break;
        case SECONDS: want.seconds = value; break;
        case WARMUP: want.warmup = value; break;
        case MESSAGES: want.messages = (uint64_t)value; break;
        case PID: want.pid = (int)value; break;
        case VERIFY: want.verify = true; break;
        case FLOOD: want.flood = true; break;
        case IDLE: want.idle = optarg; break;
        }
    }
    if (!want.port || optind < count) refuse("--port is needed, and nothing that is not an option");
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = (unsigned char)((uint32_t)(i % PERIOD) * 2654435761u >> 24);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (poll_fd < 0) fail("epoll_create1");
    if (want.idle) run_idle(want.idle);
    else run_load();
    return 0;
}
