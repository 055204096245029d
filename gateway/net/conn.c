/* conn.c - the life of a connection: from accept to the last close callback. */
#include "gateway/net/net_int.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"

/* ---- deadlines ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void net_conn_set_deadline(struct net_conn *conn)
{
    struct net_worker *worker = conn->worker;
    uint64_t at = least(least(conn->phase_at, conn->write_at), conn->rest_at);

    if (conn->phase == CONN_OPEN)
        at = least(at, conn->session_at);
    if (conn->phase == CONN_CLOSED || at == UINT64_MAX)
        return;
    /* One that moved away is found out when the old one comes. */
    if (conn->deadline.place && conn->deadline.at <= at)
        return;
    heap_set(&worker->deadlines, &conn->deadline, at);
    net_worker_arm(worker);
}

void net_conn_deadline(struct net_conn *conn)
{
    uint64_t now = conn->worker->clock.mono_ms;

    if (conn->phase_at <= now || conn->write_at <= now) {
        conn->broken = conn->phase != CONN_LINGERING;
        net_conn_close(conn, "timeout");
        return;
    }
    if (conn->rest_at <= now) {
        conn->rest_at = UINT64_MAX;
        deflate_rest(conn->deflate);
    }
    if (conn->phase == CONN_OPEN && conn->session_at <= now) {
        conn->session_at = conn->session->ops->tick(conn->session);
        if (conn->session_at <= now)
            conn->session_at = now + 1;
    }
    net_conn_set_deadline(conn);
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct net_conn *conn = handle->data;

    (void)suggested;
    *buf = uv_buf_init((char *)conn->worker->read_buf, NET_READ_SIZE);
}

/* The peer has closed its side; what it sent before is answered. */
static void on_end(struct net_conn *conn)
{
    conn->eof = true;
    conn->reading = false;
    if (conn->phase == CONN_OPEN)
        net_conn_run(conn, SLICE_EMPTY);
    else if (conn->phase != CONN_FLUSHING)
        net_conn_close(conn, "lost");
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct net_conn *conn = stream->data;

    if (n == 0 || conn->phase == CONN_CLOSED)
        return;
    net_worker_touch(conn->worker);
    if (n == UV_EOF) {
        on_end(conn);
    } else if (n < 0) {
        conn->broken = true;
        net_conn_close(conn, "lost");
    } else {
        conn->bytes_in += (size_t)n;
        net_conn_input(conn, slice_of(buf->base, (size_t)n));
    }
}

/* Read, unless the session has enough to do with what it got. */
void net_conn_set_reading(struct net_conn *conn)
{
    size_t held = conn->in.len + (conn->deflate ? deflate_waiting(conn->deflate) : 0);
    bool busy = conn->waiting || conn->writing || conn->ready;
    bool want = !conn->eof && conn->phase != CONN_CLOSED && !(busy && held >= NET_HIGH_WATER) &&
                conn->writing < 2 * NET_HIGH_WATER;

    if (want == conn->reading)
        return;
    conn->reading = want;
    if (!want)
        uv_read_stop(&conn->uv.stream);
    else if (uv_read_start(&conn->uv.stream, on_alloc, on_read) != 0)
        conn->broken = true;
}

/* ---- the end ---- */

static void log_end(struct net_conn *conn)
{
    const struct session_summary *sum = &conn->summary;
    char address[ADDRESS_TEXT_MAX], proxy[ADDRESS_TEXT_MAX];

    address_put(&conn->peer.remote, address);
    address_put(&conn->peer.proxy, proxy);
    log_event(
        conn->worker->server->log,
        /* Who looks every few seconds is no news each time. */
        conn->listener->protocol->observes ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, "session.end",
        log_str("session", conn->session_id), log_str("protocol", conn->listener->protocol->name),
        log_str("listener", conn->listener->name), log_str("user", sum->user),
        log_str("address", address), log_number("port", address_port(&conn->peer.remote)),
        log_str("proxy", conn->peer.proxy.ss_family != AF_UNSPEC ? proxy : NULL),
        log_str("proxy_session", conn->proxy_session),
        log_str("tls", conn->peer.tls ? conn->peer.tls_version : "none"),
        log_str("end", conn->end  ? conn->end
                       : sum->end ? sum->end
                                  : "lost"),
        log_number("ms", (int64_t)(conn->worker->clock.mono_ms - conn->started_ms)),
        log_number("in", (int64_t)conn->bytes_in), log_number("out", (int64_t)conn->bytes_out),
        log_number("commands", (int64_t)sum->commands),
        log_number("fetched", (int64_t)sum->fetched),
        log_number("fetched_bytes", (int64_t)sum->fetched_bytes),
        log_number("stored", (int64_t)sum->stored), log_number("expunged", (int64_t)sum->expunged),
        log_number("appended", (int64_t)sum->appended));
}

static void worker_left(struct net_worker *worker, bool observer)
{
    atomic_fetch_sub(&worker->server->n_conns, 1);
    worker->n_conns--;
    worker->n_observers -= observer;
    net_worker_emptied(worker);
}

/* libuv may touch the handle until now. */
static void on_closed(uv_handle_t *handle)
{
    struct net_conn *conn = handle->data;
    struct net_worker *worker = conn->worker;

    if (conn->prev)
        conn->prev->next = conn->next;
    else
        worker->conns = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    bool observer = conn->listener->protocol->observes;
    net_listener_release(conn->listener);
    free(conn);
    worker_left(worker, observer);
}

/* Of LMTP nobody logs on, and of ops not everybody has to. */
static bool verdict_is_due(const struct net_conn *conn)
{
    enum auth_protocol protocol = conn->listener->protocol->id;

    return protocol != AUTH_LMTP && !(protocol == AUTH_OPS && conn->env.no_logon);
}

/* A session records it when its peer goes before a verdict; this one never got so far. */
static void record_lost(struct net_conn *conn)
{
    bool begins = conn->phase == CONN_PROXY || conn->phase == CONN_HANDSHAKE;

    if (begins && !conn->session && conn->env.auth && verdict_is_due(conn))
        auth_record_lost(conn->env.auth, &conn->peer, SLICE_EMPTY);
}

void net_conn_close(struct net_conn *conn, const char *why)
{
    struct net_worker *worker = conn->worker;

    if (conn->phase == CONN_CLOSED)
        return;
    if (!conn->end && !conn->summary.end) /* first: a session calls all that is closed lost */
        conn->end = why;
    record_lost(conn);
    if (conn->session && conn->phase < CONN_FLUSHING && !conn->told_closed)
        conn->session->ops->closed(conn->session);
    conn->phase = CONN_CLOSED;
    if (conn->session)
        conn->session->ops->free(conn->session);
    conn->session = NULL;
    log_end(conn);
    struct net_traffic *traffic =
        &worker->traffic[auth_protocol_index(conn->listener->protocol->id)];
    net_conn_tally(conn, traffic);
    traffic->closed++;
    free(conn->summary.user);
    conn->summary.user = NULL;
    free(conn->proxy_session);
    free(conn->certificate_name);
    free(conn->own);
    net_worker_forget(worker, conn);
    heap_unset(&worker->deadlines, &conn->deadline);
    if (conn->counted)
        address_table_leave(worker->server->addresses, &conn->peer.remote);
    atomic_fetch_add_explicit(&worker->counters.bytes_in, conn->bytes_in, memory_order_relaxed);
    atomic_fetch_add_explicit(&worker->counters.bytes_out, conn->bytes_out, memory_order_relaxed);
    tls_stream_free(conn->tls);
    deflate_free(conn->deflate);
    buf_wipe(&conn->in);
    conn->tls = NULL;
    conn->deflate = NULL;
    uv_close(&conn->uv.handle, on_closed);
}

/* Is there something that the peer sent and we did not read? Closing would then reset the
 * connection, and might take our last words with it (RFC 1122 4.2.2.13). */
static bool unread(struct net_conn *conn)
{
    uv_os_fd_t fd;
    int n = 0;

    if (conn->in.len)
        return true;
    return uv_fileno(&conn->uv.handle, &fd) == 0 && ioctl(fd, FIONREAD, &n) == 0 && n > 0;
}

static void linger(struct net_conn *conn)
{
    uv_os_fd_t fd;

    conn->phase = CONN_LINGERING;
    conn->phase_at = conn->worker->clock.mono_ms + NET_LINGER_MS;
    buf_done(&conn->in);
    if (uv_fileno(&conn->uv.handle, &fd) == 0)
        shutdown(fd, SHUT_WR);
    net_conn_set_reading(conn);
    net_conn_set_deadline(conn);
}

void net_conn_finish(struct net_conn *conn)
{
    if (conn->tls && conn->tls_done && !conn->said_bye && !conn->broken) {
        struct buf *sealed = &conn->worker->sealed;

        conn->said_bye = true;
        tls_stream_shutdown(conn->tls, sealed);
        net_conn_send_raw(conn, buf_slice(sealed));
        buf_clear(sealed);
    }
    if (conn->writing && !conn->broken)
        net_conn_set_deadline(conn);
    else if (!conn->eof && !conn->broken && unread(conn))
        linger(conn);
    else
        net_conn_close(conn, "lost");
}

void net_conn_drain(struct net_conn *conn)
{
    if (conn->listener->protocol->observes)
        return;
    if (conn->phase < CONN_OPEN) {
        net_conn_close(conn, "shutdown");
    } else if (conn->phase == CONN_OPEN) {
        conn->session->ops->drain(conn->session);
        net_worker_ready(conn->worker, conn);
    }
}

/* ---- the beginning ---- */

static void wake(struct session_host *host)
{
    struct net_conn *conn = container_of(host, struct net_conn, host);

    conn->woken = true;
    if (!conn->running)
        net_worker_ready(conn->worker, conn);
}

/* Say so in the protocol's words; under implicit TLS there is nobody yet to say it to. */
static void refuse(struct net_conn *conn, const char *why)
{
    atomic_fetch_add_explicit(&conn->worker->counters.refused, 1, memory_order_relaxed);
    conn->end = why;
    conn->phase = CONN_FLUSHING;
    if (conn->listener->tls_mode != NET_TLS_IMPLICIT)
        net_conn_send_raw(conn, conn->listener->protocol->busy);
    net_conn_finish(conn);
}

static void fill_env(struct net_conn *conn)
{
    struct net_listener *listener = conn->listener;
    struct net_server *server = conn->worker->server;

    conn->host = (struct session_host){.wake = wake, .originate = net_conn_originate};
    conn->env = (struct session_env){
        .host = &conn->host,
        .home = &conn->worker->executor,
        .clock = &conn->worker->clock,
        .store = server->services.store,
        .auth = server->services.auth,
        .log = server->log,
        .peer = &conn->peer,
        .limits = &listener->settings->limits,
        .host_name = listener->settings->host_name,
        .instance = server->instance,
        .tls_available = listener->tls && listener->tls_mode == NET_TLS_STARTTLS,
        .compress_ok = listener->compress_ok,
        .pop3_marks_read = listener->settings->pop3_marks_read,
        .summary = &conn->summary,
        .ops = server->services.ops,
        .mapi = server->services.mapi,
    };
}

void net_conn_begin(struct net_conn *conn)
{
    struct net_listener *listener = conn->listener;
    struct net_settings *settings = listener->settings;

    conn->trusted = listener->is_unix ||
                    network_has(settings->trusted, settings->n_trusted, &conn->peer.remote);
    conn->env.no_logon = listener->is_unix ||
                         network_has(settings->no_logon, settings->n_no_logon, &conn->peer.remote);
    if (!net_conn_count(conn)) {
        refuse(conn, "too-many-of-address");
        return;
    }
    if (listener->tls_mode == NET_TLS_IMPLICIT) {
        net_conn_start_tls(conn);
        net_conn_set_deadline(conn);
        return;
    }
    conn->phase = CONN_OPEN;
    conn->phase_at = UINT64_MAX;
    conn->session = listener->protocol->session_new(&conn->env);
    net_conn_run(conn, SLICE_EMPTY);
}

/* Addresses of the connection itself; those that a proxy tells come later. */
static void fill_peer(struct net_conn *conn, int fd)
{
    struct net_listener *listener = conn->listener;
    struct auth_peer *peer = &conn->peer;
    socklen_t remote_len = sizeof peer->remote, local_len = sizeof peer->local;

    getpeername(fd, (struct sockaddr *)&peer->remote, &remote_len);
    getsockname(fd, (struct sockaddr *)&peer->local, &local_len);
    peer->protocol = listener->protocol->id;
    peer->listener = listener->name;
    peer->session_id = conn->session_id;
    peer->plaintext_ok = listener->plaintext_ok;
    peer->mechanisms = listener->mechanisms;
}

static int open_handle(struct net_conn *conn, int fd)
{
    int rc;

    if (conn->listener->is_unix) {
        uv_pipe_init(&conn->worker->loop, &conn->uv.pipe, 0);
        rc = uv_pipe_open(&conn->uv.pipe, fd);
    } else {
        uv_tcp_init(&conn->worker->loop, &conn->uv.tcp);
        rc = uv_tcp_open(&conn->uv.tcp, fd);
    }
    conn->uv.handle.data = conn;
    return rc;
}

static struct net_conn *conn_new(struct net_worker *worker, struct net_listener *listener)
{
    struct net_conn *conn = mem_new(sizeof *conn);
    struct net_server *server = worker->server;

    conn->worker = worker;
    conn->listener = net_listener_hold(listener);
    conn->started_ms = worker->clock.mono_ms;
    conn->session_at = conn->phase_at = conn->write_at = conn->rest_at = UINT64_MAX;
    conn->in = buf_make(NET_MAX_INPUT);
    conn->next = worker->conns;
    if (worker->conns)
        worker->conns->prev = conn;
    worker->conns = conn;
    worker->n_conns++;
    worker->n_observers += listener->protocol->observes;
    atomic_fetch_add_explicit(&worker->counters.accepted, 1, memory_order_relaxed);
    snprintf(conn->session_id, sizeof conn->session_id, "%08x%08x", (unsigned)server->seed,
             (unsigned)atomic_fetch_add_explicit(&server->next_session, 1, memory_order_relaxed));
    return conn;
}

void net_conn_open(struct net_worker *worker, struct net_listener *listener, int fd)
{
    struct net_conn *conn = conn_new(worker, listener);
    struct net_settings *settings = listener->settings;
    unsigned now = atomic_fetch_add(&worker->server->n_conns, 1) + 1;

    fill_peer(conn, fd);
    fill_env(conn);
    if (open_handle(conn, fd) != 0) {
        close(fd);
        net_conn_close(conn, "lost");
        return;
    }
    net_conn_set_reading(conn);
    if (settings->max_connections && now > settings->max_connections) {
        refuse(conn, "too-many");
    } else if (!listener->proxy) {
        net_conn_begin(conn);
    } else if (!network_has(listener->proxy_from, listener->n_proxy_from, &conn->peer.remote)) {
        net_conn_close(conn, "not-a-proxy");
    } else {
        conn->phase = CONN_PROXY;
        conn->phase_at = worker->clock.mono_ms + settings->handshake_timeout_ms;
        net_conn_set_deadline(conn);
    }
}
