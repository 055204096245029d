#include "gateway/net/net_int.h"

#include "base/mem.h"

/* A write that the kernel had no room for: libuv keeps it until its callback. */
struct pending {
    uv_write_t request;
    struct net_conn *conn;
    size_t len;
    uint8_t bytes[];
};

static void on_written(uv_write_t *request, int status)
{
    struct pending *pending = (struct pending *)request;
    struct net_conn *conn = pending->conn;

    conn->writing -= pending->len;
    free(pending);
    if (conn->phase == CONN_CLOSED)
        return;
    net_worker_touch(conn->worker);
    if (status < 0)
        conn->broken = true;
    if (!conn->writing)
        conn->write_at = UINT64_MAX;
    if (conn->broken || !conn->writing)
        net_worker_ready(conn->worker, conn);
}

static void keep(struct net_conn *conn, struct slice rest)
{
    struct pending *pending = mem_new(sizeof *pending + rest.len);
    uv_buf_t buf = uv_buf_init((char *)pending->bytes, (unsigned)rest.len);

    pending->conn = conn;
    pending->len = rest.len;
    memcpy(pending->bytes, rest.ptr, rest.len);
    if (uv_write(&pending->request, &conn->uv.stream, &buf, 1, on_written) != 0) {
        free(pending);
        conn->broken = true;
        return;
    }
    if (!conn->writing)
        conn->write_at = conn->worker->clock.mono_ms + conn->listener->settings->write_timeout_ms;
    conn->writing += rest.len;
}

void net_conn_send_raw(struct net_conn *conn, struct slice bytes)
{
    if (!bytes.len || conn->broken)
        return;
    conn->bytes_out += bytes.len;
    if (!conn->writing) {
        uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes.ptr, (unsigned)bytes.len);
        int n = uv_try_write(&conn->uv.stream, &buf, 1);

        if (n < 0 && n != UV_EAGAIN) {
            conn->broken = true;
            return;
        }
        bytes = slice_from(bytes, n > 0 ? (size_t)n : 0);
    }
    if (bytes.len)
        keep(conn, bytes);
}

void net_conn_send(struct net_conn *conn, struct slice plain)
{
    struct net_worker *worker = conn->worker;

    if (!plain.len || conn->broken)
        return;
    if (conn->deflate) {
        buf_clear(&worker->packed);
        deflate_write(conn->deflate, plain, &worker->packed);
        conn->broken = worker->packed.failed;
        plain = buf_slice(&worker->packed);
    }
    if (!conn->tls) {
        net_conn_send_raw(conn, plain);
        return;
    }
    buf_clear(&worker->sealed);
    if (!tls_stream_write(conn->tls, plain, &worker->sealed))
        conn->broken = true;
    net_conn_send_raw(conn, buf_slice(&worker->sealed));
    buf_clear(&worker->sealed);
}
