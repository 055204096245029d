/* Real sockets on 127.0.0.1, and a session that does as it is told, line by line. */
#include "tests/support/test.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "gateway/net/net.h"
#include "tests/support/cert.h"

#include <openssl/ssl.h>
#include <zlib.h>

enum { PATIENCE_MS = 20000 };

/* ---- the session ---- */

struct obedient {
    struct session session; /* first */
    const struct session_env *env;
    struct buf out;
    uint64_t big;  /* bytes that are still to be put out */
    uint64_t work; /* pulls that are still to be spent on thinking */
    enum session_next next;
    struct task task;
    bool waits, freed;
    uint64_t at;
};

static atomic_ulong most_unused;
static sem_t held, release; /* of a worker that HOLD makes stuck */

/* Of the sessions that think: how many there are, and how often one went on while others wanted to.
 */
static atomic_uint thinkers, longest_run;

static void think_for_a_ms(const struct obedient *o)
{
    static const struct obedient *last;
    static unsigned run;
    uint64_t until = clock_now().mono_ms + 1;

    run = last == o ? run + 1 : 1;
    last = o;
    if (atomic_load(&thinkers) > 1 && run > atomic_load(&longest_run))
        atomic_store(&longest_run, run);
    while (clock_now().mono_ms <= until)
        ;
}

static void late(struct task *task)
{
    struct obedient *o = container_of(task, struct obedient, task);

    o->waits = false;
    if (o->freed) {
        free(o);
        return;
    }
    buf_puts(&o->out, "answered\r\n");
    o->env->host->wake(o->env->host);
}

static void put_state(struct obedient *o)
{
    const struct auth_peer *peer = o->env->peer;
    char address[ADDRESS_TEXT_MAX];

    address_put(&peer->remote, address);
    buf_printf(&o->out, "%s %u %s tls=%d offer=%d compress=%d exempt=%d\r\n", address,
               address_port(&peer->remote), peer->listener, peer->tls, o->env->tls_available,
               o->env->compress_ok, peer->exempt);
}

static void put_binding(struct obedient *o, struct slice type)
{
    struct buf data = buf_make(256);

    if (!o->env->peer->binding || !o->env->peer->binding(o->env->peer->binding_ctx, type, &data))
        buf_puts(&o->out, "none");
    for (size_t i = 0; i < data.len; i++)
        buf_printf(&o->out, "%02x", buf_slice(&data).ptr[i]);
    buf_puts(&o->out, "\r\n");
    buf_done(&data);
}

static void obey(struct obedient *o, struct slice line)
{
    struct slice rest = line;
    struct slice word = slice_cut(&rest, ' ');

    o->env->summary->commands++;
    if (slice_eq(word, S("ECHO"))) {
        buf_put(&o->out, rest);
        buf_puts(&o->out, "\r\n");
    } else if (slice_eq(word, S("BIG"))) {
        assert_true(slice_to_u64(rest, &o->big));
    } else if (slice_eq(word, S("THINK"))) {
        assert_true(slice_to_u64(rest, &o->work));
        atomic_fetch_add(&thinkers, 1);
    } else if (slice_eq(word, S("WAIT"))) {
        o->waits = true;
        o->task.run = late;
        executor_post(o->env->home, &o->task);
    } else if (slice_eq(word, S("STATE"))) {
        put_state(o);
    } else if (slice_eq(word, S("BIND"))) {
        put_binding(o, rest);
    } else if (slice_eq(word, S("TLS"))) {
        buf_puts(&o->out, o->env->tls_available ? "go\r\n" : "no\r\n");
        o->next = o->env->tls_available ? NEXT_TLS : NEXT_READ;
    } else if (slice_eq(word, S("ZIP"))) {
        buf_puts(&o->out, "go\r\n");
        o->next = NEXT_COMPRESS;
    } else if (slice_eq(word, S("TIMER"))) {
        o->at = o->env->clock->mono_ms + 20;
    } else if (slice_eq(word, S("HOLD"))) {
        sem_post(&held);
        sem_wait(&release);
    } else if (slice_eq(word, S("QUIT"))) {
        buf_puts(&o->out, "bye\r\n");
        o->next = NEXT_CLOSE;
    } else {
        buf_puts(&o->out, "what?\r\n");
    }
}

static size_t obedient_feed(struct session *s, struct slice in)
{
    struct obedient *o = (struct obedient *)s;
    size_t used = 0;

    assert_false(o->waits);
    while (used < in.len && !o->big && !o->work && !o->waits && o->next == NEXT_READ &&
           o->out.len < 65536) {
        struct slice rest = slice_from(in, used);
        size_t end = slice_find(rest, S("\r\n"));

        if (end == rest.len)
            break;
        obey(o, slice_head(rest, end));
        used += end + 2;
    }
    if (in.len - used > atomic_load(&most_unused))
        atomic_store(&most_unused, in.len - used);
    return used;
}

static enum session_next obedient_pull(struct session *s, struct buf *out, size_t room)
{
    struct obedient *o = (struct obedient *)s;
    enum session_next next = o->next;

    buf_put(out, buf_slice(&o->out));
    buf_done(&o->out);
    if (o->big) {
        uint64_t n = o->big < room ? o->big : room;
        uint8_t *dst = buf_reserve(out, n);

        assert_non_null(dst);
        memset(dst, 'x', n);
        buf_commit(out, n);
        o->big -= n;
        return o->big ? NEXT_PULL : NEXT_READ;
    }
    if (o->work) {
        think_for_a_ms(o);
        if (--o->work == 0)
            atomic_fetch_sub(&thinkers, 1);
        return NEXT_PULL;
    }
    o->next = NEXT_READ;
    return o->waits ? NEXT_WAIT : next;
}

static uint64_t obedient_tick(struct session *s)
{
    struct obedient *o = (struct obedient *)s;

    if (o->at && o->at <= o->env->clock->mono_ms) {
        o->at = 0;
        buf_puts(&o->out, "ding\r\n");
        o->env->host->wake(o->env->host);
    }
    return o->at ? o->at : UINT64_MAX;
}

static void obedient_tls_started(struct session *s)
{
    buf_puts(&((struct obedient *)s)->out, "safe\r\n");
}

static void obedient_closed(struct session *s)
{
    ((struct obedient *)s)->env->summary->end = "lost";
}

static void obedient_drain(struct session *s)
{
    struct obedient *o = (struct obedient *)s;

    buf_puts(&o->out, "going down\r\n");
    o->next = NEXT_CLOSE;
    o->env->host->wake(o->env->host);
}

static void obedient_free(struct session *s)
{
    struct obedient *o = (struct obedient *)s;

    buf_done(&o->out);
    o->freed = true;
    if (!o->waits)
        free(o);
}

static const struct session_ops obedient_ops = {
    .name = "obedient",
    .feed = obedient_feed,
    .pull = obedient_pull,
    .tick = obedient_tick,
    .tls_started = obedient_tls_started,
    .closed = obedient_closed,
    .drain = obedient_drain,
    .free = obedient_free,
};

static struct session *obedient_new(const struct session_env *env)
{
    struct obedient *o = mem_new(sizeof *o);

    o->session.ops = &obedient_ops;
    o->env = env;
    o->out = buf_make(1 << 20);
    buf_puts(&o->out, "hello\r\n");
    return &o->session;
}

static const struct net_protocol obedient_protocol = {
    .name = "obedient",
    .id = AUTH_IMAP,
    .alpn = "imap",
    .busy = {(const uint8_t *)"busy\r\n", 6},
    .session_new = obedient_new,
};

static const struct net_protocol watching_protocol = {
    .name = "watching",
    .id = AUTH_OPS,
    .observes = true,
    .session_new = obedient_new,
};

/* ---- the world of a test ---- */

struct world {
    char *dir, *path;
    struct test_cert cert, other;
    struct net_cert certs[2];
    struct net_tls_config tls;
    struct network local;
    struct net_listener_config listeners[5];
    struct net_config config;
    struct net_server *server;
    struct buf why;
};

static int world_new(void **state)
{
    struct world *w = mem_new(sizeof *w);
    char path[4096];

    w->dir = test_dir_new();
    w->why = buf_make(8192);
    snprintf(path, sizeof path, "%s/sock", w->dir);
    w->path = mem_str(path);
    w->cert = test_cert_new(w->dir, "mail.example.org", -1, 100);
    w->other = test_cert_new(w->dir, "*.example.net", -1, 100);
    w->certs[0] = (struct net_cert){w->cert.certificate, w->cert.key, NULL};
    w->certs[1] = (struct net_cert){w->other.certificate, w->other.key, NULL};
    w->tls = (struct net_tls_config){.certs = w->certs, .n_certs = 2};
    assert_ok(network_parse("127.0.0.0/8", &w->local));
    struct net_listener_config base = {
        .protocol = &obedient_protocol, .address = "127.0.0.1", .compress_ok = true};
    for (size_t i = 0; i < 5; i++)
        w->listeners[i] = base;
    w->listeners[0].name = "plain";
    w->listeners[1].name = "starttls";
    w->listeners[1].tls_mode = NET_TLS_STARTTLS;
    w->listeners[1].tls = &w->tls;
    w->listeners[2].name = "implicit";
    w->listeners[2].tls_mode = NET_TLS_IMPLICIT;
    w->listeners[2].tls = &w->tls;
    w->listeners[3].name = "proxied";
    w->listeners[3].proxy = true;
    w->listeners[3].proxy_from = &w->local;
    w->listeners[3].n_proxy_from = 1;
    w->listeners[4].name = "unix";
    w->listeners[4].path = w->path;
    w->listeners[4].path_mode = 0600;
    w->config = (struct net_config){.workers = 2, .listeners = w->listeners, .n_listeners = 5};
    *state = w;
    return 0;
}

static void world_start(struct world *w)
{
    struct err e = net_server_new(&w->config, NULL, &w->why, &w->server);

    if (failed(e))
        print_error("%.*s\n", SLICE_ARG(buf_slice(&w->why)));
    assert_ok(e);
    net_server_start(w->server, &(struct net_services){0});
}

static int world_free(void **state)
{
    struct world *w = *state;

    net_server_free(w->server);
    test_cert_free(&w->cert);
    test_cert_free(&w->other);
    test_dir_free(w->dir);
    free(w->path);
    buf_done(&w->why);
    free(w);
    return 0;
}

/* ---- a client ---- */

struct client {
    int fd;
    SSL *ssl;
};

static struct client client_to(struct world *w, const char *listener)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons(net_server_port(w->server, listener))};
    struct client c = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};

    setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(c.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(c.fd, (struct sockaddr *)&to, sizeof to), 0);
    return c;
}

static void client_close(struct client *c)
{
    if (c->ssl)
        SSL_shutdown(c->ssl); /* else OpenSSL does not resume the session */
    SSL_free(c->ssl);
    close(c->fd);
}

static SSL_CTX *client_context;

/* `host` and `alpn` may be NULL. False: the handshake failed. */
static bool client_tls(struct client *c, const char *host, const char *alpn, SSL_SESSION *resume)
{
    if (!client_context)
        client_context = SSL_CTX_new(TLS_client_method());
    c->ssl = SSL_new(client_context);
    SSL_set_fd(c->ssl, c->fd);
    if (host)
        SSL_set_tlsext_host_name(c->ssl, host);
    if (alpn)
        SSL_set_alpn_protos(c->ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
    if (resume)
        SSL_set_session(c->ssl, resume);
    return SSL_connect(c->ssl) == 1;
}

static void client_put(struct client *c, struct slice s)
{
    while (s.len) {
        ssize_t n =
            c->ssl ? SSL_write(c->ssl, s.ptr, (int)s.len) : send(c->fd, s.ptr, s.len, MSG_NOSIGNAL);

        assert_true(n > 0);
        s = slice_from(s, (size_t)n);
    }
}

static void client_say(struct client *c, const char *text)
{
    client_put(c, slice_str(text));
}

static ssize_t client_get(struct client *c, void *dst, size_t size)
{
    return c->ssl ? SSL_read(c->ssl, dst, (int)size) : recv(c->fd, dst, size, 0);
}

static void client_wants(struct client *c, const char *line)
{
    char got[1000];
    size_t len = 0;

    while (len < sizeof got && (len == 0 || got[len - 1] != '\n')) {
        ssize_t n = client_get(c, got + len, 1);

        if (n <= 0)
            fail_msg("end of input after \"%.*s\", expected \"%s\"", (int)len, got, line);
        len++;
    }
    char want[1000];
    snprintf(want, sizeof want, "%s\r\n", line);
    assert_slice(slice_of(got, len), want);
}

static void client_wants_end(struct client *c)
{
    char byte;

    assert_int_equal(client_get(c, &byte, 1), 0);
}

/* Swallow `n` bytes of x. */
static void client_swallow(struct client *c, uint64_t n)
{
    static uint8_t bytes[65536];

    while (n) {
        ssize_t got = client_get(c, bytes, n < sizeof bytes ? n : sizeof bytes);

        assert_true(got > 0);
        for (ssize_t i = 0; i < got; i++)
            if (bytes[i] != 'x')
                fail_msg("byte %u", bytes[i]);
        n -= (uint64_t)got;
    }
}

/* ---- plain ---- */

static void lines_come_back_however_they_are_cut(void **state)
{
    struct world *w = *state;
    static const char text[] = "ECHO one\r\nECHO two\r\nWAIT\r\nECHO three\r\n";

    world_start(w);
    for (size_t cut = 0; cut < sizeof text; cut++) {
        struct client c = client_to(w, "plain");

        client_put(&c, slice_of(text, cut));
        client_put(&c, slice_from(slice_str(text), cut));
        client_wants(&c, "hello");
        client_wants(&c, "one");
        client_wants(&c, "two");
        client_wants(&c, "answered");
        client_wants(&c, "three");
        client_say(&c, "QUIT\r\n");
        client_wants(&c, "bye");
        client_wants_end(&c);
        client_close(&c);
    }
}

static void what_was_sent_before_the_end_is_answered(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct client c = client_to(w, "plain");
    client_say(&c, "WAIT\r\nECHO a\r\nBIG 3000000\r\nECHO b\r\n");
    shutdown(c.fd, SHUT_WR);
    client_wants(&c, "hello");
    client_wants(&c, "answered");
    client_wants(&c, "a");
    client_swallow(&c, 3000000);
    client_wants(&c, "b");
    client_wants_end(&c);
    client_close(&c);
}

static void last_words_arrive_although_the_peer_went_on_talking(void **state)
{
    struct world *w = *state;

    world_start(w);
    for (int i = 0; i < 20; i++) {
        struct client c = client_to(w, "plain");

        client_say(&c, "QUIT\r\nECHO never\r\n");
        client_say(&c, "ECHO never\r\n");
        client_wants(&c, "hello");
        client_wants(&c, "bye");
        client_wants_end(&c);
        client_close(&c);
    }
}

static void a_slow_reader_costs_a_bounded_buffer(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct client slow = client_to(w, "plain");
    client_say(&slow, "BIG 200000000\r\nECHO end\r\n");
    for (int i = 0; i < 5; i++) { /* others are served meanwhile */
        struct client c = client_to(w, "plain");

        client_wants(&c, "hello");
        client_say(&c, "BIG 100000\r\nQUIT\r\n");
        client_swallow(&c, 100000);
        client_wants(&c, "bye");
        client_close(&c);
    }
    client_wants(&slow, "hello");
    client_swallow(&slow, 200000000);
    client_wants(&slow, "end");
    client_close(&slow);
}

/* Sessions of one worker that have much to do and nothing to say yet take short turns. */
static void hard_work_goes_in_short_turns(void **state)
{
    struct world *w = *state;
    struct client c[2];

    w->config.workers = 1;
    world_start(w);
    atomic_store(&longest_run, 0);
    for (int i = 0; i < 2; i++) {
        c[i] = client_to(w, "plain");
        client_wants(&c[i], "hello");
    }
    for (int i = 0; i < 2; i++)
        client_say(&c[i], "THINK 200\r\nECHO done\r\n");
    for (int i = 0; i < 2; i++) {
        client_wants(&c[i], "done");
        client_close(&c[i]);
    }
    assert_in_range(atomic_load(&longest_run), 1, 8);
}

/* A peer that sends commands and reads no answers is not read from either. */
static void a_flood_of_commands_is_held_back(void **state)
{
    struct world *w = *state;
    struct timeval blink = {.tv_usec = 300000};
    struct buf many = buf_make(1 << 20);
    uint64_t sent = 0;

    world_start(w);
    atomic_store(&most_unused, 0);
    struct client c = client_to(w, "plain");
    setsockopt(c.fd, SOL_SOCKET, SO_SNDTIMEO, &blink, sizeof blink);
    for (int i = 0; i < 1000; i++)
        buf_puts(&many, "BIG 1000\r\n");
    for (;;) {
        ssize_t n = send(c.fd, buf_slice(&many).ptr, many.len, MSG_NOSIGNAL);

        if (n < 0 || (size_t)n < many.len)
            break;
        sent += (uint64_t)n;
        assert_true(sent < 200u * 1024 * 1024);
    }
    assert_true(atomic_load(&most_unused) <= 2 * 65536);
    buf_done(&many);
    client_close(&c);
}

static void time_is_told_when_it_was_asked_for(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct client c = client_to(w, "plain");
    client_wants(&c, "hello");
    client_say(&c, "TIMER\r\n");
    client_wants(&c, "ding");
    client_close(&c);
}

static void a_connection_can_break_while_its_session_waits(void **state)
{
    struct world *w = *state;
    struct linger hard = {.l_onoff = 1};

    world_start(w);
    for (int i = 0; i < 300; i++) {
        struct client c = client_to(w, i % 2 ? "plain" : "starttls");

        client_say(&c, "WAIT\r\nWAIT\r\nBIG 100000\r\nWAIT\r\n");
        setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        client_close(&c);
    }
}

static void a_unix_socket_is_a_listener_too(void **state)
{
    struct world *w = *state;
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    world_start(w);
    memcpy(to.sun_path, w->path, strlen(w->path));
    for (int i = 0; i < 10; i++) {
        struct client c = {.fd = socket(AF_UNIX, SOCK_STREAM, 0)};

        assert_int_equal(connect(c.fd, (struct sockaddr *)&to, sizeof to), 0);
        client_wants(&c, "hello");
        client_say(&c, "STATE\r\nQUIT\r\n");
        client_wants(&c, "unix 0 unix tls=0 offer=0 compress=1 exempt=1");
        client_wants(&c, "bye");
        client_wants_end(&c);
        client_close(&c);
    }
}

/* ---- limits ---- */

static void too_many_are_told_so(void **state)
{
    struct world *w = *state;
    struct client c[4];

    w->config.max_connections = 3;
    world_start(w);
    for (int i = 0; i < 4; i++) {
        c[i] = client_to(w, "plain");
        client_wants(&c[i], i < 3 ? "hello" : "busy");
    }
    client_wants_end(&c[3]);
    for (int i = 0; i < 4; i++)
        client_close(&c[i]);
}

static void one_address_has_its_share_and_trusted_ones_have_no_bound(void **state)
{
    struct world *w = *state;
    struct client c[6];

    w->config.max_connections_per_address = 2;
    world_start(w);
    for (int i = 0; i < 3; i++) {
        c[i] = client_to(w, "plain");
        client_wants(&c[i], i < 2 ? "hello" : "busy");
    }
    w->config.trusted = &w->local;
    w->config.n_trusted = 1;
    for (int i = 0; i < 5; i++)
        w->listeners[i].port = net_server_port(w->server, w->listeners[i].name);
    assert_ok(net_server_reload(w->server, &w->config, &w->why));
    for (int i = 3; i < 6; i++) {
        c[i] = client_to(w, "plain");
        client_wants(&c[i], "hello");
    }
    for (int i = 0; i < 6; i++)
        client_close(&c[i]);
}

/* ---- PROXY ---- */

static void a_proxy_tells_the_real_address(void **state)
{
    static const struct {
        const char *header, *state;
    } cases[] = {
        {"PROXY TCP4 192.0.2.7 192.0.2.1 4711 143\r\n", "192.0.2.7 4711"},
        {"PROXY TCP6 2001:db8::7 2001:db8::1 4711 143\r\n", "2001:db8::7 4711"},
        {"PROXY UNKNOWN\r\n", NULL},
        {"PROXY TCP4 192.0.2.7 192.0.2.1 4711 143\n\r\n", ""},
        {"PROXY TCP4 192.0.2.700 192.0.2.1 4711 143\r\n", ""},
        {"STATE\r\n", ""},
    };
    struct world *w = *state;

    world_start(w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice header = slice_str(cases[i].header);

        for (size_t cut = 0; cut < header.len; cut += 7) {
            struct client c = client_to(w, "proxied");
            char want[200], byte;

            client_put(&c, slice_head(header, cut));
            client_put(&c, slice_from(header, cut));
            client_say(&c, "STATE\r\n");
            if (cases[i].state && !*cases[i].state) {
                assert_true(client_get(&c, &byte, 1) <= 0);
            } else if (cases[i].state) {
                client_wants(&c, "hello");
                snprintf(want, sizeof want, "%s proxied tls=0 offer=0 compress=1 exempt=0",
                         cases[i].state);
                client_wants(&c, want);
            } else {
                client_wants(&c, "hello");
            }
            client_close(&c);
        }
    }
}

static void nobody_else_may_claim_to_be_a_proxy(void **state)
{
    struct world *w = *state;
    char byte;

    w->listeners[3].n_proxy_from = 0;
    world_start(w);
    struct client c = client_to(w, "proxied");
    assert_true(client_get(&c, &byte, 1) <= 0);
    client_close(&c);
}

/* ---- TLS ---- */

static void tls_carries_everything(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct client c = client_to(w, "implicit");
    assert_true(client_tls(&c, NULL, NULL, NULL));
    client_wants(&c, "hello");
    client_wants(&c, "safe");
    client_say(&c, "WAIT\r\nBIG 5000000\r\nECHO on\r\n");
    client_wants(&c, "answered");
    client_swallow(&c, 5000000);
    client_wants(&c, "on");
    client_say(&c, "QUIT\r\n");
    client_wants(&c, "bye");
    client_wants_end(&c);
    client_close(&c);
}

static void nothing_sent_in_clear_is_heard_after_starttls(void **state)
{
    static const char text[] = "TLS\r\nECHO injected\r\nECHO again\r\n";
    struct world *w = *state;

    w->config.handshake_timeout_ms = 300; /* a byte or two before the hello look like its start */
    world_start(w);
    for (size_t cut = 5; cut <= sizeof text - 1; cut++) {
        struct client c = client_to(w, "starttls");
        bool safe;

        client_wants(&c, "hello");
        client_put(&c, slice_of(text, cut));
        client_wants(&c, "go");
        client_put(&c, slice_from(slice_str(text), cut));
        /* What follows the answer is not TLS either: then the connection fails. */
        safe = client_tls(&c, NULL, NULL, NULL);
        if (safe) {
            client_wants(&c, "safe");
            client_say(&c, "ECHO mine\r\n");
            client_wants(&c, "mine");
        }
        assert_true(safe || cut < sizeof text - 1);
        client_close(&c);
    }
}

static void tls_is_not_offered_twice_nor_where_there_is_none(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct client c = client_to(w, "plain");
    client_wants(&c, "hello");
    client_say(&c, "TLS\r\n");
    client_wants(&c, "no");
    client_close(&c);
    c = client_to(w, "starttls");
    client_wants(&c, "hello");
    client_say(&c, "TLS\r\n");
    client_wants(&c, "go");
    assert_true(client_tls(&c, NULL, NULL, NULL));
    client_wants(&c, "safe");
    client_say(&c, "TLS\r\n");
    client_wants(&c, "no");
    client_close(&c);
}

static void assert_subject(struct client *c, const char *host)
{
    X509 *x509 = SSL_get1_peer_certificate(c->ssl);
    char name[256];

    X509_NAME_get_text_by_NID(X509_get_subject_name(x509), NID_commonName, name, sizeof name);
    assert_string_equal(name, host);
    X509_free(x509);
}

static void the_certificate_follows_the_name(void **state)
{
    static const char *const cases[][2] = {
        {NULL, "mail.example.org"},
        {"mail.example.org", "mail.example.org"},
        {"imap.example.net", "*.example.net"},
        {"IMAP.Example.NET", "*.example.net"},
        {"a.b.example.net", "mail.example.org"},
        {"example.net", "mail.example.org"},
        {"unknown.test", "mail.example.org"},
    };
    struct world *w = *state;

    world_start(w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct client c = client_to(w, "implicit");

        assert_true(client_tls(&c, cases[i][0], NULL, NULL));
        assert_subject(&c, cases[i][1]);
        client_close(&c);
    }
}

static void another_protocol_in_alpn_is_turned_away(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct client c = client_to(w, "implicit");
    assert_false(client_tls(&c, NULL, "\x08http/1.1", NULL));
    client_close(&c);
    c = client_to(w, "implicit");
    assert_true(client_tls(&c, NULL, "\x08http/1.1\x04imap", NULL));
    client_wants(&c, "hello");
    client_close(&c);
}

static void channel_binding_is_the_same_on_both_sides(void **state)
{
    struct world *w = *state;
    uint8_t key[32];
    char want[65];

    world_start(w);
    struct client c = client_to(w, "implicit");
    assert_true(client_tls(&c, NULL, NULL, NULL));
    client_wants(&c, "hello");
    client_wants(&c, "safe");
    SSL_export_keying_material(c.ssl, key, 32, "EXPORTER-Channel-Binding", 24, NULL, 0, 0);
    for (size_t i = 0; i < 32; i++)
        snprintf(want + 2 * i, 3, "%02x", key[i]);
    client_say(&c, "BIND tls-exporter\r\nBIND tls-unique\r\nBIND nonsense\r\n");
    client_wants(&c, want);
    client_wants(&c, "none"); /* TLS 1.3 has no tls-unique */
    client_wants(&c, "none");
    X509 *x509 = SSL_get1_peer_certificate(c.ssl);
    unsigned len;
    X509_digest(x509, EVP_sha256(), key, &len);
    X509_free(x509);
    for (size_t i = 0; i < 32; i++)
        snprintf(want + 2 * i, 3, "%02x", key[i]);
    client_say(&c, "BIND tls-server-end-point\r\n");
    client_wants(&c, want);
    client_close(&c);
}

static void tickets_resume_and_outlive_a_reload_but_not_the_listener(void **state)
{
    struct world *w = *state;
    const char *const names[] = {"implicit", "implicit", "starttls"};

    world_start(w);
    struct client c = client_to(w, "implicit");
    assert_true(client_tls(&c, "mail.example.org", NULL, NULL));
    client_wants(&c, "hello");
    SSL_SESSION *session = SSL_get1_session(c.ssl);
    client_close(&c);
    for (int i = 0; i < 3; i++) {
        c = client_to(w, names[i]);
        if (i == 2) {
            client_wants(&c, "hello");
            client_say(&c, "TLS\r\n");
            client_wants(&c, "go");
        }
        assert_true(client_tls(&c, "mail.example.org", NULL, session));
        assert_int_equal(SSL_session_reused(c.ssl), i < 2);
        client_close(&c);
        for (int k = 0; k < 5; k++)
            w->listeners[k].port = net_server_port(w->server, w->listeners[k].name);
        assert_ok(net_server_reload(w->server, &w->config, &w->why));
    }
    SSL_SESSION_free(session);
}

static void an_unfinished_handshake_ends(void **state)
{
    struct world *w = *state;
    char byte;

    w->config.handshake_timeout_ms = 50;
    world_start(w);
    struct client c = client_to(w, "implicit");
    client_put(&c, S("\x16\x03\x01"));
    assert_true(client_get(&c, &byte, 1) <= 0);
    client_close(&c);
    c = client_to(w, "starttls");
    client_wants(&c, "hello");
    client_say(&c, "TLS\r\n");
    client_wants(&c, "go");
    assert_true(client_get(&c, &byte, 1) <= 0);
    client_close(&c);
    c = client_to(w, "proxied");
    assert_true(client_get(&c, &byte, 1) <= 0);
    client_close(&c);
}

static void noise_instead_of_tls_is_survived(void **state)
{
    struct world *w = *state;
    struct rng rng = rng_seeded();
    struct net_stats stats;

    world_start(w);
    for (int i = 0; i < 50; i++) {
        struct client c = client_to(w, "implicit");
        static const uint8_t hello[] = {0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3};
        uint8_t noise[3000];
        char answer[200];

        for (size_t k = 0; k < sizeof noise; k++)
            noise[k] = (uint8_t)rng_u64(&rng);
        if (i % 2)
            memcpy(noise, hello, sizeof hello);
        client_put(&c, slice_of(noise, rng_below(&rng, sizeof noise)));
        shutdown(c.fd, SHUT_WR);
        while (client_get(&c, answer, sizeof answer) > 0)
            ;
        client_close(&c);
    }
    net_server_settle(w->server);
    net_server_stats(w->server, &stats);
    assert_true(stats.tls_failures > 0);
}

/* ---- DEFLATE ---- */

struct zipped {
    struct client *client;
    z_stream in, out;
};

static void zip_say(struct zipped *z, const char *text)
{
    uint8_t packed[4096];

    z->out.next_in = (Bytef *)(uintptr_t)text;
    z->out.avail_in = (uInt)strlen(text);
    z->out.next_out = packed;
    z->out.avail_out = sizeof packed;
    assert_int_equal(deflate(&z->out, Z_SYNC_FLUSH), Z_OK);
    client_put(z->client, slice_of(packed, sizeof packed - z->out.avail_out));
}

static void zip_wants(struct zipped *z, const char *line)
{
    uint8_t plain[100], byte;
    size_t len = strlen(line);

    z->in.next_out = plain;
    z->in.avail_out = (uInt)len + 2;
    while (z->in.avail_out) {
        if (z->in.avail_in == 0) {
            assert_int_equal(client_get(z->client, &byte, 1), 1);
            z->in.next_in = &byte;
            z->in.avail_in = 1;
        }
        int rc = inflate(&z->in, Z_SYNC_FLUSH);
        assert_true(rc == Z_OK || rc == Z_BUF_ERROR);
    }
    assert_memory_equal(plain, line, len);
}

static void compression_goes_on_after_a_rest(void **state)
{
    struct world *w = *state;

    world_start(w);
    for (int tls = 0; tls < 2; tls++) {
        struct client c = client_to(w, tls ? "implicit" : "plain");
        struct zipped z = {.client = &c};

        if (tls)
            assert_true(client_tls(&c, NULL, NULL, NULL));
        client_wants(&c, "hello");
        if (tls)
            client_wants(&c, "safe");
        client_say(&c, "ZIP\r\n");
        client_wants(&c, "go");
        inflateInit2(&z.in, -15);
        deflateInit2(&z.out, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY);
        for (int i = 0; i < 20; i++) {
            zip_say(&z, "ECHO the same again and again\r\nWAIT\r\n");
            zip_wants(&z, "the same again and again");
            zip_wants(&z, "answered");
        }
        zip_say(&z, "STATE\r\nQUIT\r\n");
        inflateEnd(&z.in);
        deflateEnd(&z.out);
        client_close(&c);
    }
}

/* ---- shutting down, reloading, binding ---- */

static void sessions_say_good_bye_when_the_server_stops(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct client a = client_to(w, "plain");
    struct client b = client_to(w, "implicit"); /* never shakes hands */
    client_wants(&a, "hello");
    net_server_drain(w->server, PATIENCE_MS);
    client_wants(&a, "going down");
    client_wants_end(&a);
    client_close(&a);
    client_close(&b);
}

static void who_does_not_leave_is_cut_off(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct client c = client_to(w, "plain");
    client_wants(&c, "hello");
    client_say(&c, "BIG 1000000000\r\n");
    net_server_drain(w->server, 10);
    client_close(&c);
}

static void a_second_server_does_not_share_the_port(void **state)
{
    struct world *w = *state;
    struct net_server *second;

    world_start(w);
    w->listeners[0].port = net_server_port(w->server, "plain");
    w->config.n_listeners = 1;
    assert_code(net_server_new(&w->config, NULL, &w->why, &second), ERR_EXISTS);
    assert_true(slice_find(buf_slice(&w->why), S("listener \"plain\"")) < w->why.len);
    w->config.listeners = &w->listeners[4];
    buf_clear(&w->why);
    assert_code(net_server_new(&w->config, NULL, &w->why, &second), ERR_EXISTS);
}

static void a_reload_is_all_or_nothing(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct client c = client_to(w, "plain");
    client_wants(&c, "hello");
    for (int k = 0; k < 5; k++)
        w->listeners[k].port = net_server_port(w->server, w->listeners[k].name);
    struct net_listener_config last = w->listeners[2];
    w->listeners[2].port = 0; /* a new one, and then something that cannot be */
    w->listeners[3].tls_mode = NET_TLS_IMPLICIT;
    w->listeners[3].tls = &(struct net_tls_config){.n_certs = 0};
    assert_code(net_server_reload(w->server, &w->config, &w->why), ERR_INVALID);
    client_say(&c, "ECHO still\r\n");
    client_wants(&c, "still");
    assert_int_equal(net_server_port(w->server, "implicit"), last.port);
    struct client d = client_to(w, "implicit");
    assert_true(client_tls(&d, NULL, NULL, NULL));
    client_wants(&d, "hello");
    client_close(&d);
    /* And now one listener less: its connections go on. */
    w->config.n_listeners = 2;
    w->config.listeners = &w->listeners[1];
    w->listeners[2] = last;
    buf_clear(&w->why);
    assert_ok(net_server_reload(w->server, &w->config, &w->why));
    client_say(&c, "ECHO on\r\n");
    client_wants(&c, "on");
    assert_int_equal(net_server_port(w->server, "plain"), 0);
    client_close(&c);
}

static void note(void *ctx, const char *text)
{
    struct buf *all = ctx;

    buf_puts(all, text);
    buf_puts(all, "\n");
}

static void certificates_are_examined(void **state)
{
    struct world *w = *state;
    struct test_cert old = test_cert_new(w->dir, "old", -20, -1);
    struct test_cert early = test_cert_new(w->dir, "early", 5, 50);
    struct test_cert soon = test_cert_new(w->dir, "soon", -5, 3);
    struct net_cert certs[] = {
        {w->cert.certificate, w->cert.key, NULL}, {old.certificate, old.key, NULL},
        {early.certificate, early.key, NULL},     {soon.certificate, soon.key, NULL},
        {w->cert.certificate, old.key, NULL},     {"/nowhere", "/nowhere", NULL},
    };
    struct net_tls_config config = {.certs = certs, .n_certs = 6};
    struct buf all = buf_make(8192);

    net_tls_examine(&config, time(NULL), note, &all);
    struct slice text = buf_slice(&all);
    assert_true(slice_find(text, S("old.crt: the certificate has expired\n")) < text.len);
    assert_true(slice_find(text, S("early.crt: the certificate is not valid yet\n")) < text.len);
    assert_true(slice_find(text, S("soon.crt: the certificate expires within 14 days")) < text.len);
    assert_true(slice_find(text, S("this is not the key of the certificate")) < text.len);
    assert_true(slice_find(text, S("/nowhere: cannot read a certificate")) < text.len);
    assert_true(slice_find(text, S("mail.example.org")) > slice_find(text, S("not the key")) ||
                slice_find(text, S("mail.example.org.crt: the")) == text.len);
    buf_done(&all);
    test_cert_free(&old);
    test_cert_free(&early);
    test_cert_free(&soon);
}

/* ---- counting ---- */

static uint64_t connections_of(const struct net_census *census, const char *listener,
                               const char *tls)
{
    uint64_t n = 0;

    for (size_t i = 0; i < census->n_crowds; i++)
        if (strcmp(census->crowds[i].listener, listener) == 0 &&
            strcmp(census->crowds[i].tls, tls) == 0)
            n += census->crowds[i].connections;
    return n;
}

static void a_census_counts_connections_and_what_they_did(void **state)
{
    struct world *w = *state;
    struct net_census census;
    struct client clients[3];

    world_start(w);
    for (int i = 0; i < 3; i++) {
        clients[i] = client_to(w, i < 2 ? "plain" : "implicit");
        if (i == 2)
            assert_true(client_tls(&clients[i], NULL, NULL, NULL));
        client_wants(&clients[i], "hello");
        if (i == 2)
            client_wants(&clients[i], "safe");
        client_say(&clients[i], "ECHO x\r\n");
        client_wants(&clients[i], "x");
    }
    net_server_census(w->server, PATIENCE_MS, &census);
    assert_int_equal(census.workers, 2);
    assert_int_equal(census.answering, 2);
    assert_false(census.draining);
    assert_int_equal(connections_of(&census, "plain", "none"), 2);
    assert_int_equal(connections_of(&census, "implicit", "TLSv1.3"), 1);
    const struct net_traffic *t = &census.traffic[auth_protocol_index(AUTH_IMAP)];
    assert_string_equal(t->protocol, "obedient");
    assert_int_equal(t->did.commands, 3);
    assert_int_equal(t->closed, 0);
    assert_true(t->bytes_in > 3 * strlen("ECHO x\r\n"));
    net_census_done(&census);
    client_say(&clients[0], "QUIT\r\n");
    client_wants(&clients[0], "bye");
    client_wants_end(&clients[0]);
    /* What has ended is counted on. */
    net_server_census(w->server, PATIENCE_MS, &census);
    assert_int_equal(census.traffic[auth_protocol_index(AUTH_IMAP)].did.commands, 4);
    net_census_done(&census);
    for (int i = 0; i < 3; i++)
        client_close(&clients[i]);
}

static void a_census_does_not_wait_for_a_worker_that_is_stuck(void **state)
{
    struct world *w = *state;
    struct net_census census;

    world_start(w);
    struct client c = client_to(w, "plain");
    client_wants(&c, "hello");
    client_say(&c, "HOLD\r\n");
    sem_wait(&held);
    net_server_census(w->server, 50, &census);
    assert_int_equal(census.workers, 2);
    assert_int_equal(census.answering, 1);
    net_census_done(&census);
    sem_post(&release); /* the answer that comes now finds nobody */
    client_say(&c, "ECHO on\r\n");
    client_wants(&c, "on");
    net_server_census(w->server, PATIENCE_MS, &census);
    assert_int_equal(census.answering, 2);
    net_census_done(&census);
    client_close(&c);
}

static void who_observes_is_not_waited_for_when_the_server_drains(void **state)
{
    struct world *w = *state;
    struct net_census census;

    w->listeners[0].protocol = &watching_protocol;
    world_start(w);
    struct client watcher = client_to(w, "plain");
    client_wants(&watcher, "hello");
    net_server_drain(w->server, PATIENCE_MS); /* nobody else is there: it ends at once */
    client_wants_end(&watcher);
    net_server_census(w->server, PATIENCE_MS, &census);
    assert_true(census.draining);
    assert_int_equal(census.n_crowds, 0);
    net_census_done(&census);
    client_close(&watcher);
}

#define net_test(f) cmocka_unit_test_setup_teardown(f, world_new, world_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        net_test(lines_come_back_however_they_are_cut),
        net_test(what_was_sent_before_the_end_is_answered),
        net_test(last_words_arrive_although_the_peer_went_on_talking),
        net_test(a_slow_reader_costs_a_bounded_buffer),
        net_test(hard_work_goes_in_short_turns),
        net_test(a_flood_of_commands_is_held_back),
        net_test(time_is_told_when_it_was_asked_for),
        net_test(a_connection_can_break_while_its_session_waits),
        net_test(a_unix_socket_is_a_listener_too),
        net_test(too_many_are_told_so),
        net_test(one_address_has_its_share_and_trusted_ones_have_no_bound),
        net_test(a_proxy_tells_the_real_address),
        net_test(nobody_else_may_claim_to_be_a_proxy),
        net_test(tls_carries_everything),
        net_test(nothing_sent_in_clear_is_heard_after_starttls),
        net_test(tls_is_not_offered_twice_nor_where_there_is_none),
        net_test(the_certificate_follows_the_name),
        net_test(another_protocol_in_alpn_is_turned_away),
        net_test(channel_binding_is_the_same_on_both_sides),
        net_test(tickets_resume_and_outlive_a_reload_but_not_the_listener),
        net_test(an_unfinished_handshake_ends),
        net_test(noise_instead_of_tls_is_survived),
        net_test(compression_goes_on_after_a_rest),
        net_test(sessions_say_good_bye_when_the_server_stops),
        net_test(who_does_not_leave_is_cut_off),
        net_test(a_second_server_does_not_share_the_port),
        net_test(a_reload_is_all_or_nothing),
        net_test(certificates_are_examined),
        net_test(a_census_counts_connections_and_what_they_did),
        net_test(a_census_does_not_wait_for_a_worker_that_is_stuck),
        net_test(who_observes_is_not_waited_for_when_the_server_drains),
    };
    sem_init(&held, 0, 0);
    sem_init(&release, 0, 0);
    signal(SIGPIPE, SIG_IGN); /* OpenSSL's client writes without asking */
    int rc = cmocka_run_group_tests(tests, NULL, NULL);

    SSL_CTX_free(client_context);
    return rc;
}
