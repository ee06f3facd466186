// c-epoll: single-threaded edge-triggered echo in plain C, the yardstick the other servers are divided by.
//
//   echo PORT [BUFFER] [BUDGET]
//
// BUFFER  bytes read at once (default 16384).
// BUDGET  reads one connection may make before the others get their turn; 0, the default, reads it dry.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 512, NOBODY = -1 };

// Connections live in a table indexed by descriptor: dense, and never freed under the hand of a late event. A slot that
// is still queued when its descriptor is closed and reused costs the newcomer one read that finds nothing.
typedef struct {
    char *unsent; // what the kernel would not take; while it is set the connection is not read
    size_t from, to;
    int next; // in the queue of connections whose budget ran out
    bool open, ending, queued;
} connection;

static connection *table;
static size_t table_size, buffer_size = 16384;
static int budget, poll_fd, first = NOBODY, last = NOBODY;
static char *buffer;

static void fail(const char *what) {
    fprintf(stderr, "echo: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int number(const char *text, const char *name, int least, int most) {
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end || value < least || value > most) {
        fprintf(stderr, "echo: %s must be a number from %d to %d, not '%s'\n", name, least, most, text);
        exit(2);
    }
    return (int)value;
}

static void hang_up(int fd) {
    free(table[fd].unsent);
    table[fd].unsent = NULL;
    table[fd].open = false;
    close(fd);
}

static void queue(int fd) {
    if (table[fd].queued) return;
    table[fd].queued = true;
    table[fd].next = NOBODY;
    if (last == NOBODY) first = fd;
    else table[last].next = fd;
    last = fd;
}

// Echoes until the socket is dry, the peer does not take more, or the budget is used up.
static void echo(int fd) {
    connection *c = &table[fd];
    for (int left = budget; budget == 0 || left > 0; left--) {
        ssize_t got = recv(fd, buffer, buffer_size, 0);
        if (got <= 0) {
            if (got < 0 && errno == EAGAIN) return;
            hang_up(fd);
            return;
        }
        ssize_t sent = send(fd, buffer, got, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN) {
                hang_up(fd);
                return;
            }
            sent = 0;
        }
        if (sent < got) {
            c->from = 0;
            c->to = got - sent;
            c->unsent = malloc(c->to);
            if (!c->unsent) fail("malloc");
            memcpy(c->unsent, buffer + sent, c->to);
            return;
        }
        // A short read emptied a TCP socket, so the next edge will tell; unless the end has been announced already,
        // for then no further edge comes.
        if ((size_t)got < buffer_size && !c->ending) return;
    }
    queue(fd);
}

static void on_event(int fd, unsigned events) {
    connection *c = &table[fd];
    if (!c->open) return;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) c->ending = true;
    if (!c->unsent) {
        if (c->ending || (events & EPOLLIN)) echo(fd);
        return;
    }
    ssize_t sent = send(fd, c->unsent + c->from, c->to - c->from, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN) hang_up(fd);
        return;
    }
    c->from += sent;
    if (c->from < c->to) return;
    free(c->unsent);
    c->unsent = NULL;
    echo(fd); // input that came meanwhile has used its edge up
}

static void accept_all(int listener) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN) return;
            if (errno == ECONNABORTED || errno == EINTR) continue;
            fail("accept4");
        }
        bool queued = table[fd].queued;
        int next = table[fd].next;
        table[fd] = (connection){.open = true, .queued = queued, .next = next};
        struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd};
        if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &e)) fail("epoll_ctl");
    }
}

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    if (fd < 0) fail("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes); // accepted sockets inherit it
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)&at, sizeof at)) fail("bind");
    if (listen(fd, 4096)) fail("listen");
    return fd;
}

int main(int count, char **arguments) {
    if (count < 2 || count > 4) {
        fprintf(stderr, "usage: echo PORT [BUFFER] [BUDGET]\n");
        return 2;
    }
    int port = number(arguments[1], "PORT", 1, 65535);
    if (count > 2) buffer_size = number(arguments[2], "BUFFER", 1, 1 << 24);
    if (count > 3) budget = number(arguments[3], "BUDGET", 0, 1 << 20);

    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    table_size = files.rlim_cur < (1 << 20) ? files.rlim_cur : 1 << 20;
    table = calloc(table_size, sizeof *table); // untouched pages of it cost nothing
    buffer = malloc(buffer_size);
    if (!table || !buffer) fail("malloc");
    files.rlim_cur = table_size;
    setrlimit(RLIMIT_NOFILE, &files); // no descriptor may lie outside the table

    int listener = listen_on(port);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[BATCH], e = {.events = EPOLLIN, .data.fd = listener};
    if (poll_fd < 0 || epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &e)) fail("epoll");
    for (;;) {
        int n = epoll_wait(poll_fd, events, BATCH, first == NOBODY ? -1 : 0);
        if (n < 0 && errno != EINTR) fail("epoll_wait");
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener) accept_all(listener);
            else on_event(events[i].data.fd, events[i].events);
        }
        // Only those that wait now: what queues itself again has its turn after the next look at the sockets.
        int waiting = first;
        first = last = NOBODY;
        while (waiting != NOBODY) {
            int fd = waiting;
            waiting = table[fd].next;
            table[fd].queued = false;
            if (table[fd].open && !table[fd].unsent) echo(fd);
        }
    }
}
