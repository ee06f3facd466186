// c-uring: single-threaded echo on io_uring in plain C, beside c-epoll the yardstick for weir's ring driver.
//
//   echo PORT [BUFFER] [BUFFERS]
//
// BUFFER   bytes of one provided buffer (default 16384).
// BUFFERS  how many all connections share, a power of two (default 512).
//
// One multishot accept and one multishot receive per connection, into provided buffers; what is received is sent from where
// it lies. One send is under way per connection: all that came meanwhile goes out with the next. Submitting and waiting are
// one call. Sockets are direct descriptors: they have no number in the process, and no request looks one up.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum {
    SUBMISSIONS = 4096,
    COMPLETIONS = 16384,
    MOST_CONNECTIONS = 65536,
    MOST_HELD = 16, // buffers one connection may hold: then it is not read until half of them have been sent
    NOBODY = -1,
};

enum request { ACCEPT = 1, RECEIVE, SEND, CANCEL, CLOSE };

// Connections live in a table indexed by direct descriptor. A slot is closed, and so free for the next connection, only when
// neither a receive nor a send of it is under way, so no completion ever meets a stranger.
typedef struct {
    int first, last; // the buffers it holds, in the order they came
    int held;
    int next; // in the queue of connections that found no buffer
    bool receiving, stopping, starved, sending, ended, failed;
} connection;

typedef struct {
    int from, to; // what is left to send of it
    int next;
} buffer;

// What a send of several buffers points to until it has been submitted: one for each slot of the submission queue.
typedef struct {
    struct msghdr message;
    struct iovec parts[MOST_HELD + 1];
} gathering;

static struct io_uring ring;
static struct io_uring_buf_ring *provided;
static connection *table;
static buffer *buffers;
static gathering *gatherings;
static char *memory;
static size_t stride;
static int buffer_size = 16384, buffer_count = 512, returned, available, listener, connections;
static int first_starved = NOBODY, last_starved = NOBODY;
static bool accept_waits; // the table was full: goes on when a slot is free

static void fail(const char *what, int error) {
    fprintf(stderr, "echo: %s: %s\n", what, strerror(error));
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

static struct io_uring_sqe *entry(void) {
    struct io_uring_sqe *sqe;
    while (!(sqe = io_uring_get_sqe(&ring))) io_uring_submit(&ring);
    return sqe;
}

static __u64 tag(enum request request, int id) { return (__u64)request << 32 | (unsigned)id; }

static void start_accepting(void) {
    struct io_uring_sqe *sqe = entry();
    io_uring_prep_multishot_accept_direct(sqe, listener, NULL, NULL, 0);
    sqe->user_data = tag(ACCEPT, 0);
}

static void start_receiving(int id) {
    struct io_uring_sqe *sqe = entry();
    io_uring_prep_recv_multishot(sqe, id, NULL, 0, 0);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    sqe->user_data = tag(RECEIVE, id);
    table[id].receiving = true;
}

static void stop_receiving(int id) {
    if (table[id].stopping) return;
    table[id].stopping = true;
    struct io_uring_sqe *sqe = entry();
    io_uring_prep_cancel64(sqe, tag(RECEIVE, id), 0);
    sqe->user_data = tag(CANCEL, id);
}

static char *start_of(int b) { return memory + stride * b; }

// To the kernel with the others, when all completions of a turn have been seen.
static void give_back(int b) {
    io_uring_buf_ring_add(provided, start_of(b), buffer_size, b, io_uring_buf_ring_mask(buffer_count), returned++);
    available++;
}

static void start_sending(int id) {
    connection *c = &table[id];
    struct io_uring_sqe *sqe = entry();
    int b = c->first;
    // MSG_WAITALL: the kernel itself sends the rest when there is room for a part only.
    if (buffers[b].next == NOBODY) {
        io_uring_prep_send(sqe, id, start_of(b) + buffers[b].from, buffers[b].to - buffers[b].from, MSG_NOSIGNAL | MSG_WAITALL);
    } else {
        gathering *all = &gatherings[sqe - ring.sq.sqes];
        int count = 0;
        for (; b != NOBODY && count <= MOST_HELD; b = buffers[b].next) {
            all->parts[count++] = (struct iovec){start_of(b) + buffers[b].from, buffers[b].to - buffers[b].from};
        }
        all->message = (struct msghdr){.msg_iov = all->parts, .msg_iovlen = count};
        io_uring_prep_sendmsg(sqe, id, &all->message, MSG_NOSIGNAL | MSG_WAITALL);
    }
    sqe->flags |= IOSQE_FIXED_FILE;
    sqe->user_data = tag(SEND, id);
    c->sending = true;
}

static void drop_first(connection *c) {
    int b = c->first;
    c->first = buffers[b].next;
    if (c->first == NOBODY) c->last = NOBODY;
    c->held--;
    give_back(b);
}

static void starve(int id) {
    table[id].starved = true;
    table[id].next = NOBODY;
    if (last_starved == NOBODY) first_starved = id;
    else table[last_starved].next = id;
    last_starved = id;
}

// Sends, receives, or closes: whatever is next, now that something has ended.
static void go_on(int id) {
    connection *c = &table[id];
    if (c->failed) {
        if (c->sending) return;
        while (c->first != NOBODY) drop_first(c);
        if (c->receiving) stop_receiving(id);
    } else {
        if (!c->sending && c->first != NOBODY) start_sending(id);
        if (!c->receiving && !c->starved && !c->ended && c->held <= MOST_HELD / 2) start_receiving(id);
    }
    if (c->receiving || c->starved || c->sending || !(c->ended || c->failed)) return;
    struct io_uring_sqe *sqe = entry();
    io_uring_prep_close_direct(sqe, id);
    sqe->user_data = tag(CLOSE, id);
}

// As many as there are buffers for go on. Who finds them taken by others after all comes back; then completions tell of that.
static void feed_starved(void) {
    for (int left = available; left > 0 && first_starved != NOBODY; left--) {
        int id = first_starved;
        first_starved = table[id].next;
        if (first_starved == NOBODY) last_starved = NOBODY;
        table[id].starved = false;
        go_on(id);
    }
}

static void on_accept(int result, bool more) {
    if (result >= 0) {
        table[result] = (connection){.first = NOBODY, .last = NOBODY};
        start_receiving(result);
        connections++;
    }
    if (more) return;
    // Accepting ends with ENFILE when the table is full: not to be asked again before a slot is free.
    if ((result == -ENFILE || result == -EMFILE) && connections > 0) accept_waits = true;
    else if (result >= 0 || result == -ECONNABORTED || result == -EINTR || result == -EAGAIN) start_accepting();
    else fail("accept", -result);
}

static void on_receive(int id, int result, unsigned flags) {
    connection *c = &table[id];
    if (flags & IORING_CQE_F_BUFFER) {
        int b = flags >> IORING_CQE_BUFFER_SHIFT;
        available--;
        if (result > 0 && !c->failed) {
            buffers[b] = (buffer){.to = result, .next = NOBODY};
            if (c->last == NOBODY) c->first = b;
            else buffers[c->last].next = b;
            c->last = b;
            c->held++;
        } else {
            give_back(b);
        }
    }
    if (flags & IORING_CQE_F_MORE) {
        if (c->held >= MOST_HELD) stop_receiving(id);
    } else {
        c->receiving = c->stopping = false;
        if (result == 0) c->ended = true;
        else if (result == -ENOBUFS) starve(id);
        else if (result < 0 && result != -ECANCELED) c->failed = true;
    }
    go_on(id);
}

static void on_send(int id, int result) {
    connection *c = &table[id];
    c->sending = false;
    if (result < 0) c->failed = true;
    while (result > 0) {
        buffer *b = &buffers[c->first];
        int left = b->to - b->from;
        if (result < left) {
            b->from += result;
            break;
        }
        result -= left;
        drop_first(c);
    }
    go_on(id);
}

static void on_completion(const struct io_uring_cqe *cqe) {
    int id = (int)(unsigned)cqe->user_data;
    switch ((enum request)(cqe->user_data >> 32)) {
    case RECEIVE: on_receive(id, cqe->res, cqe->flags); break;
    case SEND: on_send(id, cqe->res); break;
    case ACCEPT: on_accept(cqe->res, cqe->flags & IORING_CQE_F_MORE); break;
    case CLOSE:
        connections--;
        if (accept_waits) {
            accept_waits = false;
            start_accepting();
        }
        break;
    case CANCEL: break; // the receive itself tells
    }
}

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    if (fd < 0) fail("socket", errno);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes); // accepted sockets inherit it
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)&at, sizeof at)) fail("bind", errno);
    if (listen(fd, 4096)) fail("listen", errno);
    return fd;
}

static void set_up_ring(int files) {
    struct io_uring_params parameters = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
        .cq_entries = COMPLETIONS,
    };
    int result = io_uring_queue_init_params(SUBMISSIONS, &ring, &parameters);
    if (result) fail("io_uring_setup", -result);
    io_uring_register_ring_fd(&ring); // saves a look-up per call; not having it is no failure
    if ((result = io_uring_register_files_sparse(&ring, files))) fail("IORING_REGISTER_FILES", -result);
}

static void provide_buffers(void) {
    // Buffers that all began at the same offset within a page would compete for a few sets of the cache: each begins a line later.
    stride = buffer_size + 64;
    memory = mmap(NULL, stride * buffer_count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t ring_size = buffer_count * sizeof(struct io_uring_buf);
    provided = mmap(NULL, ring_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || provided == MAP_FAILED) fail("mmap", errno);
    madvise(memory, stride * buffer_count, MADV_HUGEPAGE); // a hint: fewer misses of the translation cache
    io_uring_buf_ring_init(provided);
    struct io_uring_buf_reg registration = {.ring_addr = (__u64)(uintptr_t)provided, .ring_entries = buffer_count, .bgid = 0};
    int result = io_uring_register_buf_ring(&ring, &registration, 0);
    if (result) fail("IORING_REGISTER_PBUF_RING", -result);
    for (int b = 0; b < buffer_count; b++) give_back(b);
}

int main(int count, char **arguments) {
    if (count < 2 || count > 4) {
        fprintf(stderr, "usage: echo PORT [BUFFER] [BUFFERS]\n");
        return 2;
    }
    int port = number(arguments[1], "PORT", 1, 65535);
    if (count > 2) buffer_size = number(arguments[2], "BUFFER", 1, 1 << 24);
    if (count > 3) buffer_count = number(arguments[3], "BUFFERS", 1, 1 << 15);
    if (buffer_count & (buffer_count - 1)) {
        fprintf(stderr, "echo: BUFFERS must be a power of two, not %d\n", buffer_count);
        return 2;
    }

    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files); // it limits the table of direct descriptors, too
    int slots = files.rlim_cur < MOST_CONNECTIONS ? (int)files.rlim_cur : MOST_CONNECTIONS;
    table = calloc(slots, sizeof *table); // untouched pages of it cost nothing
    buffers = calloc(buffer_count, sizeof *buffers);
    gatherings = calloc(SUBMISSIONS, sizeof *gatherings);
    if (!table || !buffers || !gatherings) fail("calloc", ENOMEM);

    listener = listen_on(port);
    set_up_ring(slots);
    provide_buffers();
    start_accepting();
    for (;;) {
        feed_starved();
        io_uring_buf_ring_advance(provided, returned);
        returned = 0;
        int result = io_uring_submit_and_wait(&ring, 1);
        if (result < 0 && result != -EINTR && result != -EBUSY) fail("io_uring_enter", -result);
        unsigned head, seen = 0;
        struct io_uring_cqe *cqe;
        io_uring_for_each_cqe(&ring, head, cqe) {
            on_completion(cqe);
            seen++;
        }
        io_uring_cq_advance(&ring, seen);
    }
}
