// udpgen: datagrams to a server on the loopback, many with one system call.
//
//   udpgen --port N --bytes N --seconds S [--warmup S] [--pid N] [--window N] [--sink]
//
// Keeps WINDOW datagrams under way (what comes back is sent anew) and counts those that return while it measures; what does not
// return within half a second is lost and replaced. What it sends goes through the kernel as one message that is cut up at the other
// end (UDP_SEGMENT), where that can be had: it is to be cheaper than the servers. With --sink it sends as fast as it can, waits for no
// answer, and says nothing. One line on stdout otherwise; the CPU time is that of process --pid.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../loadgen/process.h"

#define BATCH 64

static uint64_t now_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
    fprintf(stderr, "udpgen: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct mmsghdr headers[BATCH];
static struct iovec vectors[BATCH];
static char bytes_of[BATCH][65536];

static bool cuts = true;

// Up to COUNT as one message. -1: that cannot be had.
static int send_train(int fd, int count, int bytes) {
    static union {
        char room[CMSG_SPACE(sizeof(uint16_t))];
        struct cmsghdr header;
    } control;
    if (count > 65507 / bytes) count = 65507 / bytes;
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = (size_t)count, .msg_control = &control, .msg_controllen = sizeof control.room};
    control.header = (struct cmsghdr){.cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT, .cmsg_len = CMSG_LEN(sizeof(uint16_t))};
    *(uint16_t *)CMSG_DATA(&control.header) = (uint16_t)bytes;
    ssize_t sent = sendmsg(fd, &message, MSG_DONTWAIT);
    if (sent >= 0) return (int)(sent / bytes);
    if (errno == EINVAL || errno == EIO || errno == EMSGSIZE) return -1;
    if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ECONNREFUSED) return 0;
    die("sendmsg");
    return 0;
}

static int send_some(int fd, int count, int bytes) {
    for (int i = 0; i < count; i++) vectors[i].iov_len = (size_t)bytes;
    if (cuts && count > 1) {
        int sent = send_train(fd, count, bytes);
        if (sent >= 0) return sent;
        cuts = false;
    }
    int sent = sendmmsg(fd, headers, (unsigned)count, MSG_DONTWAIT);
    if (sent >= 0) return sent;
    if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ECONNREFUSED) return 0;
    die("sendmmsg");
    return 0;
}

int main(int argc, char **argv) {
    int port = 0, bytes = 64, window = 256, pid = 0, sink = 0;
    double seconds = 1, warmup = 0;
    static const struct option options[] = {{"port", 1, 0, 'p'},    {"bytes", 1, 0, 'b'}, {"window", 1, 0, 'w'}, {"pid", 1, 0, 'i'},
                                            {"seconds", 1, 0, 's'}, {"warmup", 1, 0, 'u'}, {"sink", 0, 0, 'k'},   {0, 0, 0, 0}};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) switch (c) {
            case 'p': port = atoi(optarg); break;
            case 'b': bytes = atoi(optarg); break;
            case 'w': window = atoi(optarg); break;
            case 'i': pid = atoi(optarg); break;
            case 's': seconds = atof(optarg); break;
            case 'u': warmup = atof(optarg); break;
            case 'k': sink = 1; break;
            default: return 2;
        }
    if (!port || bytes < 1 || bytes > 65000 || window < 1) {
        fprintf(stderr, "udpgen: --port, --bytes 1..65000 and --window above 0 are needed\n");
        return 2;
    }

    int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 8 << 20;
    if (fd < 0) die("socket");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) die("connect");
    for (int i = 0; i < BATCH; i++) {
        vectors[i] = (struct iovec){bytes_of[i], (size_t)bytes};
        headers[i].msg_hdr.msg_iov = &vectors[i];
        headers[i].msg_hdr.msg_iovlen = 1;
    }

    uint64_t start = now_ns(CLOCK_MONOTONIC), from = start + (uint64_t)(warmup * 1e9), end = from + (uint64_t)(seconds * 1e9);
    if (sink) {
        while (now_ns(CLOCK_MONOTONIC) < end) send_some(fd, BATCH, bytes);
        return 0;
    }

    long messages = 0, lost = 0;
    int under_way = 0, measuring = 0;
    cpu_time cpu = {0};
    uint64_t own = 0, began = start;
    double machine = 0;
    for (;;) {
        uint64_t now = now_ns(CLOCK_MONOTONIC);
        if (!measuring && now >= from) {
            measuring = 1;
            messages = lost = 0;
            began = now;
            cpu = cpu_time_of(pid);
            own = now_ns(CLOCK_PROCESS_CPUTIME_ID);
            machine = machine_ticks();
        }
        if (now >= end) break;
        while (under_way < window) {
            int wanted = window - under_way < BATCH ? window - under_way : BATCH, sent = send_some(fd, wanted, bytes);
            if (!sent) break;
            under_way += sent;
        }
        for (int i = 0; i < BATCH; i++) vectors[i].iov_len = sizeof bytes_of[i];
        int got = recvmmsg(fd, headers, BATCH, MSG_DONTWAIT, NULL);
        if (got > 0) {
            messages += got;
            under_way = under_way > got ? under_way - got : 0;
        } else {
            if (errno != EAGAIN && errno != EINTR && errno != ECONNREFUSED) die("recvmmsg");
            struct pollfd ready = {fd, POLLIN, 0};
            if (poll(&ready, 1, 500) == 0) {
                lost += under_way;
                under_way = 0;
            }
        }
    }

    uint64_t now = now_ns(CLOCK_MONOTONIC);
    double time = (double)(now - began) / 1e9;
    cpu_time after = cpu_time_of(pid);
    double used = (double)(after.total_ns - cpu.total_ns) / 1e9, generator = (double)(now_ns(CLOCK_PROCESS_CPUTIME_ID) - own) / 1e9;
    double user = after.user_ticks - cpu.user_ticks, system = after.system_ticks - cpu.system_ticks;
    double others = (machine_ticks() - machine) / 100 - used - generator;
    printf("messages=%ld rate=%.0f cpu=%.4f user_share=%.3f server_load=%.3f generator_load=%.3f others_load=%.3f lost=%ld\n", messages,
           (double)messages / time, messages ? used * 1e6 / (double)messages : 0, user + system > 0 ? user / (user + system) : 0, used / time,
           generator / time, others > 0 ? others / time : 0, lost);
    return 0;
}
