// stream: bulk data through a proxy.
//   stream source PORT          for each connection: reads a byte count (8 bytes, little-endian), sends so many bytes, closes
//   stream sink PORT BYTES      asks a source for so many bytes, checks their number, prints seconds=S
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { buffer_size = 256 * 1024 };
static char buffer[buffer_size];

static void fail(const char *what) {
    fprintf(stderr, "stream: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int open_socket(const char *port, struct sockaddr_in *address) {
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (fd < 0) fail("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void serve(int fd) {
    uint64_t left = 0;
    if (recv(fd, &left, sizeof left, MSG_WAITALL) == (ssize_t)sizeof left) {
        while (left > 0) {
            ssize_t count = send(fd, buffer, left < buffer_size ? left : buffer_size, MSG_NOSIGNAL);
            if (count <= 0) break;
            left -= (uint64_t)count;
        }
    }
    close(fd);
}

static _Noreturn void source(const char *port) {
    struct sockaddr_in address;
    int listener = open_socket(port, &address);
    if (bind(listener, (struct sockaddr *)&address, sizeof address)) fail("bind");
    if (listen(listener, 64)) fail("listen");
    memset(buffer, 'x', buffer_size);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0) serve(fd);
    }
}

static int sink(const char *port, uint64_t bytes) {
    struct sockaddr_in address;
    int fd = open_socket(port, &address);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
    double start = now();
    if (send(fd, &bytes, sizeof bytes, MSG_NOSIGNAL) != (ssize_t)sizeof bytes) fail("send");
    uint64_t got = 0;
    ssize_t count;
    while ((count = recv(fd, buffer, buffer_size, 0)) > 0) got += (uint64_t)count;
    if (count < 0) fail("recv");
    double seconds = now() - start;
    if (got != bytes) {
        fprintf(stderr, "stream: %llu bytes came instead of %llu\n", (unsigned long long)got, (unsigned long long)bytes);
        return 1;
    }
    printf("seconds=%.6f\n", seconds);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "source")) source(argv[2]);
    if (argc == 4 && !strcmp(argv[1], "sink")) return sink(argv[2], strtoull(argv[3], NULL, 10));
    fprintf(stderr, "usage: stream source PORT | stream sink PORT BYTES\n");
    return 2;
}
