// c-udp: echoes datagrams, or (with an argument) only receives them, 64 with one system call: what plain C makes of recvmmsg and sendmmsg.
// Says its port in its first line; a line on stdin is answered with received=COUNT, and the end of stdin ends it.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64
#define ROOM 2048

static struct mmsghdr headers[BATCH];
static struct iovec vectors[BATCH];
static struct sockaddr_in addresses[BATCH];
static char bytes_of[BATCH][ROOM];

static void die(const char *what) {
    fprintf(stderr, "c-udp: %s: %s\n", what, strerror(errno));
    exit(1);
}

int main(int argc, char **argv) {
    (void)argv;
    int sink = argc > 1, fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), size = 4 << 20;
    if (fd < 0) die("socket");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof own;
    if (bind(fd, (struct sockaddr *)&own, sizeof own) || getsockname(fd, (struct sockaddr *)&own, &length)) die("bind");
    printf("%d\n", ntohs(own.sin_port));
    fflush(stdout);
    for (int i = 0; i < BATCH; i++) {
        vectors[i].iov_base = bytes_of[i];
        headers[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1, .msg_name = &addresses[i]};
    }

    long received = 0;
    for (;;) {
        struct pollfd ready[2] = {{fd, POLLIN, 0}, {0, POLLIN, 0}};
        if (poll(ready, 2, -1) < 0) die("poll");
        if (ready[1].revents) {
            char line[64];
            if (read(0, line, sizeof line) <= 0) return 0;
            printf("received=%ld\n", received);
            fflush(stdout);
        }
        if (!ready[0].revents) continue;
        for (int i = 0; i < BATCH; i++) {
            vectors[i].iov_len = ROOM;
            headers[i].msg_hdr.msg_namelen = sizeof addresses[i];
        }
        int count = recvmmsg(fd, headers, BATCH, 0, NULL);
        if (count < 0) {
            if (errno == EAGAIN) continue;
            die("recvmmsg");
        }
        received += count;
        if (sink) continue;
        for (int i = 0; i < count; i++) vectors[i].iov_len = headers[i].msg_len;
        for (int sent = 0; sent < count;) {
            int n = sendmmsg(fd, headers + sent, (unsigned)(count - sent), 0);
            if (n > 0) sent += n;
            else if (errno == EAGAIN) poll(&(struct pollfd){fd, POLLOUT, 0}, 1, -1);
            else die("sendmmsg");
        }
    }
}
