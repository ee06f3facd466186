// libuv: echo on libuv's default loop; writes at once where the socket takes it, else hands the rest to the loop.
//
//   echo PORT [BUFFER]
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

typedef struct {
    uv_tcp_t socket; // first, so that a handle is its connection
    uv_write_t request;
    char *unsent;
} connection;

static size_t buffer_size = 16384;
static char *buffer; // one for all: it is emptied before a callback returns

static void check(int result, const char *what) {
    if (result >= 0) return;
    fprintf(stderr, "echo: %s: %s\n", what, uv_strerror(result));
    exit(1);
}

static void on_closed(uv_handle_t *handle) {
    free(((connection *)handle)->unsent);
    free(handle);
}

static void hang_up(connection *c) {
    if (!uv_is_closing((uv_handle_t *)c)) uv_close((uv_handle_t *)c, on_closed);
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
    (void)handle, (void)suggested;
    *out = uv_buf_init(buffer, buffer_size);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *data);

static void on_written(uv_write_t *request, int status) {
    connection *c = (connection *)request->handle;
    if (status < 0) {
        hang_up(c);
        return;
    }
    free(c->unsent);
    c->unsent = NULL;
    uv_read_start((uv_stream_t *)c, give_buffer, on_read);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *data) {
    connection *c = (connection *)stream;
    if (got == 0) return; // nothing there after all
    if (got < 0) {
        hang_up(c);
        return;
    }
    uv_buf_t out = uv_buf_init(data->base, got);
    int sent = uv_try_write(stream, &out, 1);
    if (sent == UV_EAGAIN) sent = 0;
    if (sent < 0) {
        hang_up(c);
        return;
    }
    if (sent == got) return;
    // The peer is slow: no reading until it took the rest, so memory stays bounded by one buffer a connection.
    uv_read_stop(stream);
    c->unsent = malloc(got - sent);
    memcpy(c->unsent, data->base + sent, got - sent);
    out = uv_buf_init(c->unsent, got - sent);
    check(uv_write(&c->request, stream, &out, 1, on_written), "uv_write");
}

static void on_connection(uv_stream_t *listener, int status) {
    check(status, "accept");
    connection *c = calloc(1, sizeof *c);
    check(uv_tcp_init(listener->loop, &c->socket), "uv_tcp_init");
    if (uv_accept(listener, (uv_stream_t *)c)) {
        hang_up(c);
        return;
    }
    uv_tcp_nodelay(&c->socket, 1);
    check(uv_read_start((uv_stream_t *)c, give_buffer, on_read), "uv_read_start");
}

int main(int count, char **arguments) {
    if (count < 2 || count > 3 || atoi(arguments[1]) <= 0 || (count > 2 && atoi(arguments[2]) <= 0)) {
        fprintf(stderr, "usage: echo PORT [BUFFER]\n");
        return 2;
    }
    if (count > 2) buffer_size = atoi(arguments[2]);
    buffer = malloc(buffer_size);
    signal(SIGPIPE, SIG_IGN);

    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    struct sockaddr_in at;
    check(uv_ip4_addr("127.0.0.1", atoi(arguments[1]), &at), "address");
    check(uv_tcp_init(loop, &listener), "uv_tcp_init");
    check(uv_tcp_bind(&listener, (struct sockaddr *)&at, 0), "bind");
    check(uv_listen((uv_stream_t *)&listener, 4096, on_connection), "listen");
    return uv_run(loop, UV_RUN_DEFAULT);
}
