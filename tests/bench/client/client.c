#include "tests/bench/client/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

struct options opt = {
    .host = "127.0.0.1",
    .user = "user%u",
    .pass = "pass",
    .box = "INBOX",
    .users = 1,
    .conns = 1,
    .messages = 1,
    .rcpts = 1,
    .size = 4096,
    .seconds = 3,
};

double monotonic_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- a connection ---- */

static SSL_CTX *tls_context;

void fatal(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

bool conn_open(struct conn *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
    int one = 1;

    c->ssl = NULL;
    c->start = c->end = 0;
    c->broken = false;
    if (inet_pton(AF_INET, opt.host, &to.sin_addr) != 1 ||
        (ntohl(to.sin_addr.s_addr) >> 24) != 127) {
        fprintf(stderr, "bench: only loopback addresses\n");
        exit(2);
    }
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0)
        return false;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (!opt.tls)
        return true;
    c->ssl = SSL_new(tls_context);
    SSL_set_fd(c->ssl, c->fd);
    return SSL_connect(c->ssl) == 1;
}

void conn_close(struct conn *c)
{
    if (c->ssl) {
        SSL_shutdown(c->ssl);
        SSL_free(c->ssl);
        c->ssl = NULL;
    }
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

void conn_send(struct conn *c, struct slice bytes)
{
    while (bytes.len && !c->broken) {
        ssize_t n = c->ssl ? SSL_write(c->ssl, bytes.ptr, (int)bytes.len)
                           : send(c->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (n <= 0) {
            c->broken = true;
            return;
        }
        bytes = slice_from(bytes, (size_t)n);
    }
}

/* More bytes behind what waits; false at the end of the stream. */
static bool conn_fill(struct conn *c)
{
    if (c->start > 0) {
        memmove(c->in, c->in + c->start, c->end - c->start);
        c->end -= c->start;
        c->start = 0;
    }
    if (c->end == sizeof c->in || c->broken)
        return false;
    ssize_t n = c->ssl ? SSL_read(c->ssl, c->in + c->end, (int)(sizeof c->in - c->end))
                       : recv(c->fd, c->in + c->end, sizeof c->in - c->end, 0);
    if (n <= 0) {
        c->broken = true;
        return false;
    }
    c->end += (size_t)n;
    c->bytes += (uint64_t)n;
    return true;
}

struct slice conn_line(struct conn *c)
{
    size_t seen = 0;

    for (;;) {
        uint8_t *at = c->in + c->start;
        size_t have = c->end - c->start;
        uint8_t *lf = have > seen ? memchr(at + seen, '\n', have - seen) : NULL;

        if (lf) {
            size_t len = (size_t)(lf - at);

            c->start += len + 1;
            return slice_of(at, len > 0 && lf[-1] == '\r' ? len - 1 : len);
        }
        seen = have;
        if (!conn_fill(c))
            return SLICE_EMPTY;
    }
}

void conn_skip(struct conn *c, uint64_t n)
{
    while (n > 0 && !c->broken) {
        uint64_t have = c->end - c->start;

        if (have == 0 && !conn_fill(c))
            return;
        have = c->end - c->start;
        c->start += (size_t)(have < n ? have : n);
        n -= have < n ? have : n;
    }
}

void conn_read(struct conn *c, uint64_t n, struct buf *out)
{
    while (n > 0 && !c->broken) {
        uint64_t have = c->end - c->start;

        if (have == 0 && !conn_fill(c))
            return;
        have = c->end - c->start;
        have = have < n ? have : n;
        buf_put(out, slice_of(c->in + c->start, (size_t)have));
        c->start += (size_t)have;
        n -= have;
    }
}

/* ---- IMAP ---- */

/* The size of the literal that this line ends with; false if it ends with none. */
static bool literal_at_end(struct slice line, uint64_t *size)
{
    size_t open = line.len;

    if (line.len < 3 || line.ptr[line.len - 1] != '}')
        return false;
    while (open > 0 && line.ptr[open - 1] != '{')
        open--;
    return open > 0 && slice_to_u64(slice_sub(line, open, line.len - 1 - open), size);
}

static void note_untagged(struct slice line, struct answer *a)
{
    struct slice rest = slice_from(line, 2), number = slice_cut(&rest, ' ');
    uint64_t n;

    if (!slice_to_u64(number, &n))
        return;
    if (slice_istarts(rest, S("FETCH ")))
        a->fetches++;
    else if (slice_ieq(rest, S("EXISTS")))
        a->exists = n;
}

/* Read responses up to the tagged one. */
struct answer imap_answer(struct conn *c, const char *tag)
{
    struct answer a = {0};

    while (!c->broken) {
        struct slice line = conn_line(c);
        uint64_t size;

        if (slice_starts(line, S("* ")))
            note_untagged(line, &a);
        else if (slice_starts(line, slice_str(tag))) {
            a.ok = slice_istarts(slice_from(line, strlen(tag)), S(" OK"));
            return a;
        }
        if (literal_at_end(line, &size)) {
            a.literals++;
            a.literal_bytes += size;
            conn_skip(c, size);
        }
    }
    return a;
}

struct answer imap_do(struct conn *c, const char *format, ...)
{
    struct buf out = buf_make(4096);
    char tag[16];
    va_list args;

    snprintf(tag, sizeof tag, "t%u", ++c->tag);
    buf_printf(&out, "%s ", tag);
    va_start(args, format);
    buf_vprintf(&out, format, args);
    va_end(args);
    buf_puts(&out, "\r\n");
    conn_send(c, buf_slice(&out));
    buf_done(&out);
    return imap_answer(c, tag);
}

const char *user_of(const struct conn *c, char name[64])
{
    /* The format is the operator's own, with one %u at the most. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(name, 64, opt.user, c->number % opt.users + 1);
#pragma GCC diagnostic pop
    return name;
}

bool imap_login(struct conn *c)
{
    char name[64];

    if (!conn_open(c) || !slice_starts(conn_line(c), S("* OK")))
        return false;
    return imap_do(c, "LOGIN %s %s", user_of(c, name), opt.pass).ok;
}

bool imap_start(struct conn *c)
{
    return imap_login(c) && imap_do(c, "SELECT %s", opt.box).ok;
}

/* ---- mail ---- */

void put_message(struct buf *out, const struct conn *c, size_t size)
{
    static const char line[] =
        "The quick brown fox jumps over the lazy dog, and the dog does not mind it at all.\r\n";
    size_t start = out->len;

    buf_printf(out,
               "From: Bench <bench@example.org>\r\nTo: user@example.org\r\n"
               "Subject: message %u of connection %u\r\nDate: Tue, 24 Nov 2026 03:40:31 +0000\r\n"
               "Message-ID: <%u.%u.%ld@bench.example.org>\r\n\r\n",
               c->tag, c->number, c->tag, c->number, (long)getpid());
    while (out->len - start + sizeof line < size)
        buf_puts(out, line);
    while (out->len - start + 2 < size)
        buf_putc(out, 'x');
    buf_puts(out, "\r\n");
}

bool imap_append(struct conn *c, const char *box, double *sent_at)
{
    struct buf message = buf_make(opt.size + 1024), out = buf_make(opt.size + 4096);
    char tag[16];

    snprintf(tag, sizeof tag, "t%u", ++c->tag);
    put_message(&message, c, opt.size);
    buf_printf(&out, "%s APPEND %s {%zu}\r\n", tag, box, message.len);
    conn_send(c, buf_slice(&out));
    bool ok = slice_starts(conn_line(c), S("+"));
    buf_clear(&out);
    buf_put(&out, buf_slice(&message));
    buf_puts(&out, "\r\n");
    conn_send(c, buf_slice(&out));
    *sent_at = monotonic_now();
    ok = ok && imap_answer(c, tag).ok;
    buf_done(&message);
    buf_done(&out);
    return ok;
}

/* ---- POP3 ---- */

bool pop3_ok(struct conn *c)
{
    return slice_starts(conn_line(c), S("+OK"));
}

bool pop3_login(struct conn *c)
{
    char name[64], line[256];

    if (!conn_open(c) || !pop3_ok(c))
        return false;
    snprintf(line, sizeof line, "USER %s\r\n", user_of(c, name));
    conn_send(c, slice_str(line));
    if (!pop3_ok(c))
        return false;
    snprintf(line, sizeof line, "PASS %s\r\n", opt.pass);
    conn_send(c, slice_str(line));
    return pop3_ok(c);
}

bool pop3_quit(struct conn *c)
{
    conn_send(c, S("QUIT\r\n"));
    bool ok = pop3_ok(c);
    conn_close(c);
    return ok;
}

/* ---- the command line ---- */

static unsigned number_of(const char *text)
{
    uint32_t n;

    if (!slice_to_u32(slice_str(text), &n) || n == 0) {
        fprintf(stderr, "bench: '%s' is no number from 1 up\n", text);
        exit(2);
    }
    return n;
}

static void set_option(int name, const char *value)
{
    switch (name) {
    case 'h':
        opt.host = value;
        break;
    case 'p':
        opt.port = number_of(value);
        break;
    case 'o':
        opt.other = number_of(value);
        break;
    case 't':
        opt.tls = true;
        break;
    case 'u':
        opt.user = value;
        break;
    case 'w':
        opt.pass = value;
        break;
    case 'n':
        opt.users = number_of(value);
        break;
    case 'c':
        opt.conns = number_of(value);
        break;
    case 's':
        opt.seconds = strtod(value, NULL);
        break;
    case 'b':
        opt.box = value;
        break;
    case 'm':
        opt.messages = number_of(value);
        break;
    case 'z':
        opt.size = number_of(value);
        break;
    case 'r':
        opt.rcpts = number_of(value);
        break;
    case 'P':
        opt.pid = (pid_t)number_of(value);
        break;
    default:
        exit(2);
    }
}

void options_parse(int argc, char **argv, const char *scenarios)
{
    static const struct option names[] = {
        {"host", 1, 0, 'h'}, {"port", 1, 0, 'p'},     {"tls", 0, 0, 't'},   {"user", 1, 0, 'u'},
        {"pass", 1, 0, 'w'}, {"users", 1, 0, 'n'},    {"conns", 1, 0, 'c'}, {"seconds", 1, 0, 's'},
        {"box", 1, 0, 'b'},  {"messages", 1, 0, 'm'}, {"size", 1, 0, 'z'},  {"rcpts", 1, 0, 'r'},
        {"pid", 1, 0, 'P'},  {"other", 1, 0, 'o'},    {0, 0, 0, 0},
    };

    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;)
        set_option(name, optarg);
    if (optind + 1 != argc || opt.port == 0) {
        fprintf(stderr, "usage: %s SCENARIO --port N [option...]; scenarios: %s\n", argv[0],
                scenarios);
        exit(2);
    }
    opt.scenario = argv[optind];
    if (opt.tls) {
        tls_context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_ciphersuites(tls_context, "TLS_AES_128_GCM_SHA256");
        SSL_CTX_set_session_cache_mode(tls_context, SSL_SESS_CACHE_OFF);
    }
}
