/* hop.c - a connection to the next hop, driven by smtp_client: sockets, TLS, time. */
#include "gateway/hop.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
    NAME_MAX_BYTES = 256,
    CONNECT_MS = 30000,
    GRACE_MS = 10000, /* for an answer that is awaited when we stop */
    PIECE = 64 * 1024,
};

enum scheme { SCHEME_SMTP, SCHEME_SMTPS, SCHEME_LMTP };

struct hop {
    char *host, *port, *path, *user, *password, *name;
    enum scheme scheme;
    bool starttls;
    uint64_t timeout_ms;
    SSL_CTX *tls;
};

/* ---- its URL ---- */

struct place {
    enum scheme scheme;
    struct slice host, port, path;
};

static const struct {
    const char *text, *port;
} schemes[] = {
    [SCHEME_SMTP] = {"smtp://", "25"},
    [SCHEME_SMTPS] = {"smtps://", "465"},
    [SCHEME_LMTP] = {"lmtp://", "24"},
};

static bool take_scheme(struct slice *rest, enum scheme *out)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        struct slice text = slice_str(schemes[i].text);

        if (!slice_starts(*rest, text))
            continue;
        *out = (enum scheme)i;
        *rest = slice_from(*rest, text.len);
        return true;
    }
    return false;
}

/* "host", "host:port", "[address]:port". NULL: it is good. */
static const char *take_host(struct slice rest, struct place *out)
{
    size_t colon = rest.len;
    uint32_t port;

    while (colon > 0 && rest.ptr[colon - 1] != ':' && rest.ptr[colon - 1] != ']')
        colon--;
    bool has_port = colon > 0 && rest.ptr[colon - 1] == ':';
    struct slice host = slice_head(rest, has_port ? colon - 1 : rest.len);
    if (host.len == 0 || host.len > NAME_MAX_BYTES)
        return "expected the name or address of a host behind ://";
    for (size_t i = 0; i < host.len; i++)
        if (host.ptr[i] <= ' ' || strchr("/@?#\\\"", host.ptr[i]))
            return "expected nothing but a host and a port behind ://";
    out->port = slice_str(schemes[out->scheme].port);
    if (has_port) {
        out->port = slice_from(rest, colon);
        if (!slice_to_u32(out->port, &port) || port == 0 || port > 65535)
            return "expected a port from 1 to 65535 behind the colon";
    }
    bool bracketed = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    out->host = bracketed ? slice_sub(host, 1, host.len - 2) : host;
    return NULL;
}

static const char *take_place(const char *url, struct place *out)
{
    struct slice rest = slice_str(url);

    *out = (struct place){.scheme = SCHEME_SMTP};
    if (!take_scheme(&rest, &out->scheme))
        return "expected smtp://host:port, smtps://host:port, lmtp://host:port or lmtp:///path";
    if (out->scheme != SCHEME_LMTP || rest.len == 0 || rest.ptr[0] != '/')
        return take_host(rest, out);
    if (rest.len >= sizeof((struct sockaddr_un *)0)->sun_path)
        return "expected a shorter path behind lmtp://";
    out->path = rest;
    return NULL;
}

const char *hop_check(const char *url)
{
    struct place place;

    return take_place(url, &place);
}

/* ---- one connection ---- */

struct link {
    const struct hop *hop;
    struct smtp_client *client;
    int fd, stop;
    SSL *ssl;
    struct buf out; /* plain bytes that are to be sent */
    uint64_t deadline;
    bool stopping;
    char why[200]; /* what broke */
};

static bool broke(struct link *l, const char *what, const char *more)
{
    snprintf(l->why, sizeof l->why, "%s%s%s", what, *more ? ": " : "", more);
    return false;
}

static uint64_t connect_patience(const struct hop *hop)
{
    return hop->timeout_ms < CONNECT_MS ? hop->timeout_ms : CONNECT_MS;
}

static void extend(struct link *l, uint64_t ms)
{
    if (!l->stopping)
        l->deadline = clock_now().mono_ms + ms;
}

/* When it is to stop, who awaits the answer to all that it sent gets a little time. */
static bool must_stop(struct link *l)
{
    if (l->stopping)
        return false;
    if (!l->client || !smtp_client_is_sent(l->client))
        return true;
    extend(l, GRACE_MS);
    l->stopping = true;
    return false;
}

/* Until the socket is ready for `events`. */
static bool await(struct link *l, short events)
{
    for (;;) {
        uint64_t now = clock_now().mono_ms;
        struct pollfd fds[] = {{.fd = l->fd, .events = events},
                               {.fd = l->stopping ? -1 : l->stop, .events = POLLIN}};

        if (now >= l->deadline)
            return broke(l, "the next hop does not answer", "");
        uint64_t left = l->deadline - now;
        int n = poll(fds, 2, left > INT32_MAX ? INT32_MAX : (int)left);
        if (n < 0 && errno != EINTR)
            return broke(l, "the connection cannot be waited for", strerror(errno));
        if (n > 0 && fds[1].revents && must_stop(l))
            return broke(l, "the server stops", "");
        if (n > 0 && fds[0].revents)
            return true;
    }
}

/* ---- connecting ---- */

static bool connect_to(struct link *l, const struct sockaddr *address, socklen_t len)
{
    int error = 0;
    socklen_t size = sizeof error;

    l->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0)
        return broke(l, "no socket", strerror(errno));
    extend(l, connect_patience(l->hop));
    if (connect(l->fd, address, len) != 0) {
        error = errno;
        if (error == EINPROGRESS) {
            if (!await(l, POLLOUT))
                return false;
            getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        }
    }
    return error == 0 || broke(l, "the next hop cannot be reached", strerror(error));
}

static bool connect_by_path(struct link *l)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "%s", l->hop->path);
    return connect_to(l, (struct sockaddr *)&address, sizeof address);
}

static bool connect_by_name(struct link *l)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *all;
    bool good = false;
    int error = getaddrinfo(l->hop->host, l->hop->port, &hints, &all);

    if (error != 0)
        return broke(l, "the next hop has no address", gai_strerror(error));
    for (struct addrinfo *a = all; a && !good; a = a->ai_next) {
        if (l->fd >= 0)
            close(l->fd);
        l->fd = -1;
        good = connect_to(l, a->ai_addr, a->ai_addrlen);
    }
    freeaddrinfo(all);
    return good;
}

/* ---- TLS ---- */

static bool broke_tls(struct link *l, const char *what)
{
    long verdict = SSL_get_verify_result(l->ssl);
    char text[160] = "";

    if (verdict != X509_V_OK)
        return broke(l, what, X509_verify_cert_error_string(verdict));
    ERR_error_string_n(ERR_peek_last_error(), text, sizeof text);
    return broke(l, what, text);
}

/* True: what wanted more of the socket can be tried again. */
static bool await_tls(struct link *l, int result, const char *what)
{
    switch (SSL_get_error(l->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return await(l, POLLIN);
    case SSL_ERROR_WANT_WRITE:
        return await(l, POLLOUT);
    default:
        return broke_tls(l, what);
    }
}

/* An address in a certificate is another thing than a name. */
static bool expect_host(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1)
        return true;
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

static bool start_tls(struct link *l)
{
    int n;

    ERR_clear_error();
    l->ssl = SSL_new(l->hop->tls);
    if (!l->ssl || !expect_host(l->ssl, l->hop->host ? l->hop->host : "localhost") ||
        SSL_set_fd(l->ssl, l->fd) != 1)
        return broke(l, "TLS cannot be had", "");
    extend(l, connect_patience(l->hop));
    while ((n = SSL_connect(l->ssl)) != 1)
        if (!await_tls(l, n, "TLS failed"))
            return false;
    return true;
}

/* ---- bytes ---- */

static ssize_t write_some(struct link *l, struct slice bytes)
{
    if (!l->ssl)
        return send(l->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
    ERR_clear_error();
    return SSL_write(l->ssl, bytes.ptr, (int)slice_head(bytes, PIECE).len);
}

static ssize_t read_some(struct link *l, uint8_t *to, size_t size)
{
    if (!l->ssl)
        return recv(l->fd, to, size, 0);
    ERR_clear_error();
    return SSL_read(l->ssl, to, (int)size);
}

/* What a read or a write that gave nothing waits for. */
static bool await_some(struct link *l, ssize_t n, short events)
{
    if (l->ssl)
        return await_tls(l, (int)n, "the connection broke");
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return await(l, events);
    return broke(l, "the connection broke", n < 0 ? strerror(errno) : "the next hop closed it");
}

static bool send_all(struct link *l)
{
    while (l->out.len > 0) {
        ssize_t n = write_some(l, buf_slice(&l->out));

        if (n > 0) {
            buf_consume(&l->out, (size_t)n);
            extend(l, l->hop->timeout_ms);
        } else if (!await_some(l, n, POLLOUT)) {
            return false;
        }
    }
    return true;
}

static bool receive(struct link *l)
{
    uint8_t piece[4096];
    ssize_t n;

    while ((n = read_some(l, piece, sizeof piece)) <= 0)
        if (!await_some(l, n, POLLIN))
            return false;
    smtp_client_feed(l->client, slice_of(piece, (size_t)n));
    return true;
}

/* It may have seen enough before all of the message is there. */
static bool hears_something(const struct link *l)
{
    struct pollfd fd = {.fd = l->fd, .events = POLLIN};

    return poll(&fd, 1, 0) > 0 && (fd.revents & POLLIN);
}

static bool talk(struct link *l)
{
    for (;;) {
        enum smtp_next next = smtp_client_pull(l->client, &l->out, PIECE);
        uint64_t patience = l->hop->timeout_ms;

        extend(l, smtp_client_is_sent(l->client) ? 2 * patience : patience);
        if (!send_all(l))
            return next == SMTP_NEXT_END;
        switch (next) {
        case SMTP_NEXT_END:
            return true;
        case SMTP_NEXT_PULL:
            if (!l->ssl && hears_something(l) && !receive(l))
                return false;
            break;
        case SMTP_NEXT_TLS:
            if (!start_tls(l))
                return false;
            smtp_client_tls_started(l->client);
            break;
        case SMTP_NEXT_READ:
            extend(l, smtp_client_is_sent(l->client) ? 2 * patience : patience);
            if (!receive(l))
                return false;
            break;
        }
    }
}

void hop_send(const struct hop *hop, struct smtp_mail *mail, int stop)
{
    const struct smtp_settings settings = {
        .host_name = hop->name,
        .lmtp = hop->scheme == SCHEME_LMTP,
        .starttls = hop->starttls,
        .tls = hop->scheme == SCHEME_SMTPS,
        .user = hop->user,
        .password = hop->password,
    };
    struct link l = {.hop = hop, .fd = -1, .stop = stop, .out = buf_make(SIZE_MAX)};

    l.client = smtp_client_new(&settings, mail);
    bool good = hop->path ? connect_by_path(&l) : connect_by_name(&l);
    if (good && settings.tls)
        good = start_tls(&l);
    if (good)
        good = talk(&l);
    if (!good)
        smtp_client_break(l.client, l.why);
    smtp_client_free(l.client);
    buf_wipe(&l.out);
    if (l.ssl && good)
        SSL_shutdown(l.ssl);
    SSL_free(l.ssl);
    if (l.fd >= 0)
        close(l.fd);
}

/* ---- life ---- */

static char *copy(struct slice text)
{
    return text.len ? mem_slice_str(text) : NULL;
}

static struct err tls_new(SSL_CTX **out)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

    if (!tls)
        return ERR(ERR_UNAVAILABLE, "OpenSSL cannot be used");
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_verify_paths(tls);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    *out = tls;
    return OK;
}

struct err hop_new(const struct hop_config *config, struct hop **out)
{
    struct place place;

    if (take_place(config->url, &place))
        return ERR(ERR_INVALID, "not the URL of a next hop");
    struct hop *hop = mem_new(sizeof *hop);
    *hop = (struct hop){
        .host = copy(place.host),
        .port = copy(place.port),
        .path = copy(place.path),
        .user = copy(slice_str(config->user)),
        .password = copy(slice_str(config->password)),
        .name = copy(slice_str(config->host_name)),
        .scheme = place.scheme,
        .starttls = config->tls == HOP_STARTTLS,
        .timeout_ms = config->timeout_ms,
    };
    if (hop->starttls || hop->scheme == SCHEME_SMTPS) {
        struct err e = tls_new(&hop->tls);

        if (failed(e)) {
            hop_free(hop);
            return e;
        }
    }
    *out = hop;
    return OK;
}

bool hop_delivers(const struct hop *hop)
{
    return hop->scheme == SCHEME_LMTP;
}

void hop_free(struct hop *hop)
{
    if (!hop)
        return;
    SSL_CTX_free(hop->tls);
    if (hop->password)
        mem_wipe(hop->password, strlen(hop->password));
    free(hop->host);
    free(hop->port);
    free(hop->path);
    free(hop->user);
    free(hop->password);
    free(hop->name);
    free(hop);
}
