/*
 * pump.c - one connection's bytes: from the socket through TLS and DEFLATE to the session, and
 * from the session out again, never faster than the other side takes them.
 */
#include "gateway/net/net_int.h"

#include "base/mem.h"

#include "gateway/net/proxy.h"

enum { TLS_RECORD_HEADER = 5, TLS_RECORD_HANDSHAKE = 22, TLS_RECORD_MAX = 16384 };

/* ---- the session's turn ---- */

/* What a turn of the session needs. */
struct turn {
    struct slice fresh; /* plain bytes in the worker's scratch, behind those in conn->in */
    size_t sent;
    unsigned rounds;
    uint64_t until; /* by uv_hrtime() */
};

static size_t feed(struct net_conn *conn, struct turn *turn)
{
    struct session *session = conn->session;
    size_t used;

    if (conn->in.len) {
        buf_put(&conn->in, turn->fresh);
        turn->fresh = SLICE_EMPTY;
        if (conn->in.failed) {
            conn->broken = true;
            return 0;
        }
        used = session->ops->feed(session, buf_slice(&conn->in));
        buf_consume(&conn->in, used);
    } else if (turn->fresh.len) {
        used = session->ops->feed(session, turn->fresh);
        turn->fresh = slice_from(turn->fresh, used);
    } else {
        used = 0;
    }
    return used;
}

static void flush(struct net_conn *conn, struct turn *turn)
{
    struct buf *out = &conn->worker->out;

    turn->sent += out->len;
    net_conn_send(conn, buf_slice(out));
    buf_clear(out);
}

/* More plain bytes out of what came compressed. False: there are none now. */
static bool inflate_more(struct net_conn *conn, struct turn *turn)
{
    size_t len = 0;

    if (!conn->deflate || !deflate_waiting(conn->deflate))
        return false;
    if (failed(deflate_read(conn->deflate, conn->worker->plain_buf, NET_PLAIN_SIZE, &len))) {
        conn->end = "bad-compression";
        conn->broken = true;
        return false;
    }
    turn->fresh = slice_of(conn->worker->plain_buf, len);
    return len > 0;
}

/* From here on both sides compress; what came behind the command is compressed already. */
static void start_deflate(struct net_conn *conn, struct turn *turn)
{
    flush(conn, turn);
    if (conn->deflate || !conn->env.compress_ok) {
        conn->broken = true;
        return;
    }
    conn->deflate = deflate_new();
    conn->env.compress_ok = false;
    if (failed(deflate_feed(conn->deflate, buf_slice(&conn->in))) ||
        failed(deflate_feed(conn->deflate, turn->fresh)))
        conn->broken = true;
    buf_done(&conn->in);
    turn->fresh = SLICE_EMPTY;
}

/*
 * RFC 9051 6.2.1, RFC 2595 4: whatever the peer sent behind the command, in clear, is dropped, so
 * that nobody on the way can put words into the encrypted session.
 */
static void upgrade(struct net_conn *conn, struct turn *turn)
{
    flush(conn, turn);
    turn->fresh = SLICE_EMPTY;
    buf_done(&conn->in);
    if (conn->tls || !conn->listener->tls) {
        conn->broken = true; /* the session was told that there is no TLS to start */
        return;
    }
    net_conn_start_tls(conn);
}

/* May the session go on now? */
static bool may_run(struct net_conn *conn)
{
    if (conn->broken || conn->phase != CONN_OPEN || conn->writing)
        return false;
    if (conn->waiting && !conn->woken)
        return false;
    conn->waiting = conn->woken = false;
    return true;
}

/* One feed and one pull. False: nothing more can be done until something happens. */
static bool round_of(struct net_conn *conn, struct turn *turn)
{
    struct buf *out = &conn->worker->out;
    size_t used = feed(conn, turn);
    size_t before = out->len;

    if (conn->broken)
        return false;
    enum session_next next =
        conn->session->ops->pull(conn->session, out, NET_HIGH_WATER - out->len);
    bool progress = used || out->len != before || conn->woken;
    if (out->failed) {
        conn->end = "session-overflow";
        conn->broken = true;
        return false;
    }
    if (out->len >= NET_HIGH_WATER / 2)
        flush(conn, turn);
    switch (next) {
    case NEXT_READ:
        return progress || inflate_more(conn, turn);
    case NEXT_PULL:
        return true;
    case NEXT_WAIT:
        conn->waiting = true;
        return true; /* unless it was woken meanwhile, may_run() ends the turn */
    case NEXT_TLS:
        upgrade(conn, turn);
        return false;
    case NEXT_COMPRESS:
        start_deflate(conn, turn);
        return true;
    case NEXT_CLOSE:
        conn->phase = CONN_FLUSHING;
        return false;
    }
    return false;
}

static bool is_over(const struct turn *turn)
{
    return turn->sent >= NET_TURN_BYTES || turn->rounds >= NET_TURN_ROUNDS ||
           (turn->rounds > 0 && uv_hrtime() >= turn->until);
}

/* Rounds until the session wants something else than a turn; true: it could go on. */
static bool take_turn(struct net_conn *conn, struct turn *turn)
{
    bool more = true;

    conn->running = true;
    while (more && may_run(conn)) {
        if (is_over(turn)) {
            conn->running = false;
            conn->woken = true;
            flush(conn, turn);
            net_worker_ready(conn->worker, conn);
            return true;
        }
        turn->rounds++;
        more = round_of(conn, turn);
    }
    flush(conn, turn);
    conn->running = false;
    return more && may_run(conn);
}

/* The peer sends nothing more: the session may still answer what it has. */
static void end_of_input(struct net_conn *conn, struct turn *turn)
{
    if (!conn->told_closed) {
        conn->told_closed = true;
        conn->session->ops->closed(conn->session);
        conn->woken = true;
        take_turn(conn, turn);
    }
    if (conn->phase == CONN_OPEN && !conn->waiting && !conn->writing && !conn->ready)
        conn->phase = CONN_FLUSHING;
}

/*
 * Before log-on there may be secrets in what came. Afterwards there are none, and there is much
 * more of it.
 */
static bool has_secrets(const struct net_conn *conn)
{
    return !conn->summary.user && conn->peer.protocol != AUTH_LMTP;
}

/* What is to be done about the connection after its session had a turn. */
static void settle(struct net_conn *conn)
{
    if (conn->broken) {
        net_conn_close(conn, "lost");
        return;
    }
    if (!conn->in.len && has_secrets(conn))
        buf_wipe(&conn->in);
    else if (!conn->in.len)
        buf_done(&conn->in);
    if (conn->phase == CONN_OPEN)
        conn->session_at = conn->session->ops->tick(conn->session);
    if (conn->deflate)
        conn->rest_at = conn->worker->clock.mono_ms + NET_DEFLATE_IDLE_MS;
    net_conn_set_reading(conn);
    if (conn->phase == CONN_FLUSHING)
        net_conn_finish(conn);
    else
        net_conn_set_deadline(conn);
}

/* `fresh` lies in a buffer of the worker's, which later turns would show what is in it now. */
void net_conn_run(struct net_conn *conn, struct slice fresh)
{
    struct turn turn = {.fresh = fresh, .until = uv_hrtime() + NET_TURN_NS};
    bool wipe = has_secrets(conn);

    if (conn->phase != CONN_OPEN)
        return;
    if (conn->deflate) {
        conn->broken = failed(deflate_feed(conn->deflate, fresh));
        turn.fresh = SLICE_EMPTY;
    }
    take_turn(conn, &turn);
    if (conn->eof && conn->phase == CONN_OPEN && !conn->broken && !conn->waiting &&
        !conn->writing && !conn->ready)
        end_of_input(conn, &turn);
    if (turn.fresh.len && !conn->broken) {
        buf_put(&conn->in, turn.fresh);
        conn->broken = conn->in.failed;
    }
    if (wipe && fresh.len)
        mem_wipe((uint8_t *)fresh.ptr, fresh.len);
    settle(conn);
}

void net_conn_turn(struct net_conn *conn)
{
    if (conn->broken)
        net_conn_close(conn, "lost");
    else if (conn->phase == CONN_OPEN)
        net_conn_run(conn, SLICE_EMPTY);
    else if (conn->phase == CONN_FLUSHING)
        net_conn_finish(conn);
}

/* ---- TLS ---- */

/* What OpenSSL has to say goes out at once. */
static void send_sealed(struct net_conn *conn)
{
    struct buf *sealed = &conn->worker->sealed;

    net_conn_send_raw(conn, buf_slice(sealed));
    buf_clear(sealed);
}

static void tls_failed(struct net_conn *conn)
{
    char address[ADDRESS_TEXT_MAX];

    address_put(&conn->peer.remote, address);
    atomic_fetch_add_explicit(&conn->worker->counters.tls_failures, 1, memory_order_relaxed);
    log_event(conn->worker->server->log, LOG_LEVEL_INFO, "tls.failed",
              log_str("session", conn->session_id), log_str("listener", conn->listener->name),
              log_str("address", address), log_number("port", address_port(&conn->peer.remote)),
              log_str("why", tls_stream_problem(conn->tls)));
    net_conn_close(conn, "tls-failed");
}

static bool put_binding(void *ctx, struct slice type, struct buf *out)
{
    struct net_conn *conn = ctx;

    return conn->tls_done && tls_stream_binding(conn->tls, type, out);
}

static void take_certificate(struct net_conn *conn)
{
    struct buf name = buf_make(AUTH_MAX_NAME);

    if (tls_stream_peer_name(conn->tls, &name)) {
        conn->certificate_name = mem_slice_str(buf_slice(&name));
        conn->peer.certificate_name = slice_str(conn->certificate_name);
    }
    buf_done(&name);
}

static void tls_ready(struct net_conn *conn)
{
    take_certificate(conn);
    conn->tls_done = true;
    conn->phase = CONN_OPEN;
    conn->phase_at = UINT64_MAX;
    conn->env.tls_available = false;
    conn->peer.tls = true;
    conn->peer.tls_version = tls_stream_version(conn->tls);
    conn->peer.tls_cipher = tls_stream_cipher(conn->tls);
    conn->peer.tls_bits = tls_stream_bits(conn->tls);
    conn->peer.binding = put_binding;
    conn->peer.binding_ctx = conn;
    net_conn_unoriginate(conn);
    if (!conn->session)
        conn->session = conn->listener->protocol->session_new(&conn->env);
    conn->session->ops->tls_started(conn->session);
    conn->woken = true;
    net_conn_run(conn, SLICE_EMPTY);
}

void net_conn_start_tls(struct net_conn *conn)
{
    conn->phase = CONN_HANDSHAKE;
    conn->phase_at = conn->worker->clock.mono_ms + conn->listener->settings->handshake_timeout_ms;
}

/* False: the rest of the input is of no use now. */
static bool handshake(struct net_conn *conn)
{
    enum tls_result result = tls_stream_handshake(conn->tls, &conn->worker->sealed);

    send_sealed(conn);
    if (result == TLS_READY)
        tls_ready(conn);
    else if (result != TLS_MORE)
        tls_failed(conn);
    return result == TLS_READY;
}

static void tls_input(struct net_conn *conn, struct slice raw)
{
    struct net_worker *worker = conn->worker;
    size_t len;

    tls_stream_feed(conn->tls, raw);
    if (conn->phase == CONN_HANDSHAKE && !handshake(conn))
        return;
    while (conn->phase == CONN_OPEN) {
        enum tls_result result =
            tls_stream_read(conn->tls, worker->plain_buf, NET_PLAIN_SIZE, &len, &worker->sealed);

        send_sealed(conn);
        if (result == TLS_FAILED) {
            tls_failed(conn);
            return;
        }
        if (result == TLS_MORE)
            return;
        conn->eof = conn->eof || result == TLS_CLOSED;
        net_conn_run(conn, slice_of(worker->plain_buf, len));
        if (result == TLS_CLOSED)
            return;
    }
}

/* Is the first record there, or something that is none? RFC 8446 5.1: type, version, length. */
static bool has_record(struct slice in)
{
    if (in.len < TLS_RECORD_HEADER)
        return false;
    size_t len = (size_t)in.ptr[3] << 8 | in.ptr[4];
    return in.ptr[0] != TLS_RECORD_HANDSHAKE || len > TLS_RECORD_MAX ||
           in.len >= TLS_RECORD_HEADER + len;
}

/*
 * OpenSSL takes some 40 KB for a handshake. It gets them when the client's first record is
 * complete, so that connections that say nothing, or not all, cost what they sent.
 */
static void hello_input(struct net_conn *conn, struct slice raw)
{
    buf_put(&conn->in, raw);
    if (!has_record(buf_slice(&conn->in)))
        return;
    struct buf hello = conn->in;
    conn->in = buf_make(NET_MAX_INPUT);
    conn->tls = tls_stream_new(conn->listener->tls);
    tls_input(conn, buf_slice(&hello));
    buf_done(&hello);
}

/* ---- from the socket ---- */

/* The header of a proxy comes before everything else, TLS too. */
static void proxy_input(struct net_conn *conn, struct slice raw)
{
    struct proxy_header header;

    buf_put(&conn->in, raw);
    enum proxy_result result = proxy_parse(buf_slice(&conn->in), &header);
    if (result == PROXY_MORE && !conn->in.failed && conn->in.len < PROXY_MAX)
        return;
    if (result != PROXY_OK) {
        net_conn_close(conn, "bad-proxy-header");
        return;
    }
    if (header.known) {
        conn->peer.proxy = conn->peer.remote;
        conn->peer.remote = header.remote;
        conn->peer.local = header.local;
    }
    struct buf all = conn->in;
    conn->in = buf_make(NET_MAX_INPUT);
    net_conn_begin(conn);
    net_conn_input(conn, slice_from(buf_slice(&all), header.len));
    buf_done(&all);
}

void net_conn_input(struct net_conn *conn, struct slice raw)
{
    if (conn->phase >= CONN_FLUSHING || !raw.len)
        return;
    if (conn->phase == CONN_PROXY)
        proxy_input(conn, raw);
    else if (conn->tls)
        tls_input(conn, raw);
    else if (conn->phase == CONN_HANDSHAKE)
        hello_input(conn, raw);
    else
        net_conn_run(conn, raw);
}
