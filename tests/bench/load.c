/*
 * load.c - a load generator for IMAP, POP3 and LMTP servers on this machine.
 *
 *     load SCENARIO [--host 127.0.0.1] --port N [--tls] [--user FORMAT] [--pass P] [--users N]
 *          [--conns N] [--seconds S] [--box NAME] [--messages N] [--size BYTES] [--rcpts N]
 *          [--pid PID]
 *
 * One thread per connection, each waiting for the answer to one operation before the next. Every
 * answer is read to its last byte and checked: tags, +OK and 2xx codes, the number of messages, the
 * length of literals, the sum of POP3's octets. An operation that was answered wrongly is an error,
 * and a run with errors does not count.
 *
 * Prints one line of JSON: operations, items (messages), bytes, seconds, and with --pid the CPU
 * time that the server's process tree used meanwhile, of living processes by their CPU clocks and
 * of ended ones by what their parents have collected.
 *
 * It connects to loopback addresses only.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

struct options {
    const char *scenario, *host, *user, *pass, *box;
    unsigned port, users, conns, messages, rcpts;
    size_t size;
    double seconds;
    bool tls;
    pid_t pid;
};

struct totals {
    uint64_t operations, items, bytes, errors;
};

static struct options opt = {
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

/* ---- a connection ---- */

struct conn {
    int fd;
    SSL *ssl;
    uint8_t in[256 * 1024];
    size_t start, end;
    unsigned number; /* which connection this is: it decides the user */
    unsigned tag;
    bool broken;
    uint64_t bytes; /* received */
};

static SSL_CTX *tls_context;

static void fatal(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static bool conn_open(struct conn *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
    int one = 1;

    c->ssl = NULL;
    c->start = c->end = 0;
    c->broken = false;
    if (inet_pton(AF_INET, opt.host, &to.sin_addr) != 1 ||
        (ntohl(to.sin_addr.s_addr) >> 24) != 127) {
        fprintf(stderr, "load: only loopback addresses\n");
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

static void conn_close(struct conn *c)
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

static void conn_send(struct conn *c, struct slice bytes)
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

/* The next line without its CRLF; good until the next call. */
static struct slice conn_line(struct conn *c)
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

static void conn_skip(struct conn *c, uint64_t n)
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

/* ---- IMAP ---- */

struct answer {
    bool ok;
    uint64_t fetches, literals, literal_bytes, exists;
};

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
static struct answer imap_answer(struct conn *c, const char *tag)
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

static struct answer imap_do(struct conn *c, const char *format, ...) PRINTF_LIKE(2, 3);

static struct answer imap_do(struct conn *c, const char *format, ...)
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

static const char *user_of(const struct conn *c, char name[64])
{
    /* The format is the operator's own, with one %u at the most. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(name, 64, opt.user, c->number % opt.users + 1);
#pragma GCC diagnostic pop
    return name;
}

static bool imap_login(struct conn *c)
{
    char name[64];

    if (!conn_open(c) || !slice_starts(conn_line(c), S("* OK")))
        return false;
    return imap_do(c, "LOGIN %s %s", user_of(c, name), opt.pass).ok;
}

static bool imap_start(struct conn *c)
{
    return imap_login(c) && imap_do(c, "SELECT %s", opt.box).ok;
}

/* ---- scenarios: each does one operation, and says whether it was answered rightly ---- */

struct scenario {
    const char *name;
    bool (*start)(struct conn *c);
    bool (*operate)(struct conn *c, struct totals *t);
};

static bool nothing(struct conn *c)
{
    (void)c;
    return true;
}

static bool do_login(struct conn *c, struct totals *t)
{
    (void)t;
    bool ok = imap_login(c) && imap_do(c, "LOGOUT").ok;
    conn_close(c);
    return ok;
}

static bool do_select(struct conn *c, struct totals *t)
{
    (void)t;
    return imap_do(c, "SELECT %s", opt.box).exists == opt.messages;
}

static bool do_status(struct conn *c, struct totals *t)
{
    (void)t;
    return imap_do(c, "STATUS %s (MESSAGES UIDNEXT UNSEEN)", opt.box).ok;
}

static bool fetch_all(struct conn *c, struct totals *t, const char *items, uint64_t literals)
{
    struct answer a = imap_do(c, "FETCH 1:* %s", items);

    t->items += a.fetches;
    return a.ok && a.fetches == opt.messages && a.literals >= literals;
}

static bool do_fetch_flags(struct conn *c, struct totals *t)
{
    return fetch_all(c, t, "(UID FLAGS)", 0);
}

static bool do_fetch_envelope(struct conn *c, struct totals *t)
{
    return fetch_all(c, t, "(ENVELOPE BODYSTRUCTURE)", 0);
}

static bool do_fetch_headers(struct conn *c, struct totals *t)
{
    return fetch_all(c, t, "BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE)]", opt.messages);
}

static bool do_fetch_body(struct conn *c, struct totals *t)
{
    return fetch_all(c, t, "BODY.PEEK[]", opt.messages);
}

static bool do_fetch_random(struct conn *c, struct totals *t)
{
    unsigned n = (c->tag * 2654435761u) % opt.messages + 1;
    struct answer a = imap_do(c, "FETCH %u (UID BODY.PEEK[])", n);

    t->items += a.fetches;
    return a.ok && a.fetches == 1 && a.literals == 1;
}

/* Four header fields and lines of text; no two alike. */
static void put_message(struct buf *out, const struct conn *c, size_t size)
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

static bool do_append(struct conn *c, struct totals *t)
{
    struct buf message = buf_make(opt.size + 1024), out = buf_make(opt.size + 4096);
    char tag[16];

    snprintf(tag, sizeof tag, "t%u", ++c->tag);
    put_message(&message, c, opt.size);
    buf_printf(&out, "%s APPEND bench {%zu}\r\n", tag, message.len);
    conn_send(c, buf_slice(&out));
    bool ok = slice_starts(conn_line(c), S("+"));
    buf_clear(&out);
    buf_put(&out, buf_slice(&message));
    buf_puts(&out, "\r\n");
    conn_send(c, buf_slice(&out));
    ok = ok && imap_answer(c, tag).ok;
    t->items++;
    buf_done(&message);
    buf_done(&out);
    return ok;
}

static bool start_append(struct conn *c)
{
    if (!imap_login(c))
        return false;
    imap_do(c, "CREATE bench"); /* there already, for a second connection */
    return true;
}

/* All messages, one at a time and out of order, gain the flag; then all lose it: no STORE is idle.
 */
static bool do_store_one(struct conn *c, struct totals *t)
{
    unsigned turn = c->tag / opt.messages;
    unsigned n = (unsigned)(c->tag * 7919ull % opt.messages) + 1;

    t->items++;
    return imap_do(c, "STORE %u %cFLAGS (\\Flagged)", n, turn & 1 ? '-' : '+').ok;
}

static bool do_store_all(struct conn *c, struct totals *t)
{
    t->items += opt.messages;
    return imap_do(c, "STORE 1:* %cFLAGS.SILENT (\\Flagged)", c->tag & 1 ? '+' : '-').ok;
}

static bool do_search_header(struct conn *c, struct totals *t)
{
    (void)t;
    return imap_do(c, "SEARCH SUBJECT quarterly").ok;
}

static bool do_search_body(struct conn *c, struct totals *t)
{
    (void)t;
    return imap_do(c, "SEARCH BODY nowhere-to-be-found").ok;
}

static bool do_search_flag(struct conn *c, struct totals *t)
{
    (void)t;
    return imap_do(c, "SEARCH FLAGGED").ok;
}

/* ---- POP3 ---- */

static bool pop3_ok(struct conn *c)
{
    return slice_starts(conn_line(c), S("+OK"));
}

static bool pop3_login(struct conn *c)
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

static bool pop3_quit(struct conn *c)
{
    conn_send(c, S("QUIT\r\n"));
    bool ok = pop3_ok(c);
    conn_close(c);
    return ok;
}

static bool do_pop3_login(struct conn *c, struct totals *t)
{
    (void)t;
    bool ok = pop3_login(c) && pop3_quit(c);
    conn_close(c);
    return ok;
}

/* The lines of a multi-line answer up to its dot; how many octets they have un-stuffed. */
static uint64_t pop3_body(struct conn *c)
{
    uint64_t octets = 0;

    while (!c->broken) {
        struct slice line = conn_line(c);

        if (slice_eq(line, S(".")))
            return octets;
        octets += line.len + 2 - (line.len > 0 && line.ptr[0] == '.');
    }
    return octets;
}

static bool do_pop3_retr(struct conn *c, struct totals *t)
{
    struct buf out = buf_make(16u << 20);
    uint64_t octets = 0, stat = 0;
    bool ok = pop3_login(c);

    conn_send(c, S("STAT\r\n"));
    struct slice line = conn_line(c);
    slice_cut(&line, ' ');
    slice_cut(&line, ' ');
    ok = ok && slice_to_u64(slice_cut(&line, ' '), &stat);
    for (unsigned i = 1; i <= opt.messages; i++)
        buf_printf(&out, "RETR %u\r\n", i);
    conn_send(c, buf_slice(&out));
    for (unsigned i = 1; ok && i <= opt.messages; i++) {
        ok = pop3_ok(c);
        octets += pop3_body(c);
        t->items++;
    }
    buf_done(&out);
    ok = pop3_quit(c) && ok;
    conn_close(c);
    return ok && octets == stat;
}

/* ---- LMTP ---- */

static bool lmtp_code(struct conn *c, const char *code)
{
    struct slice line;

    do
        line = conn_line(c);
    while (line.len > 3 && line.ptr[3] == '-');
    return slice_starts(line, slice_str(code));
}

static bool lmtp_start(struct conn *c)
{
    if (!conn_open(c) || !lmtp_code(c, "220"))
        return false;
    conn_send(c, S("LHLO bench.example.org\r\n"));
    return lmtp_code(c, "250");
}

static bool lmtp_envelope(struct conn *c)
{
    struct buf out = buf_make(65536);
    bool ok = true;

    buf_puts(&out, "MAIL FROM:<bench@example.org>\r\n");
    for (unsigned i = 0; i < opt.rcpts; i++) {
        struct conn other = {.number = c->number + i};
        char name[64];

        buf_printf(&out, "RCPT TO:<%s>\r\n", user_of(&other, name));
    }
    buf_puts(&out, "DATA\r\n");
    conn_send(c, buf_slice(&out));
    buf_done(&out);
    for (unsigned i = 0; i < opt.rcpts + 1; i++)
        ok = lmtp_code(c, "250") && ok;
    return lmtp_code(c, "354") && ok;
}

static bool do_lmtp(struct conn *c, struct totals *t)
{
    struct buf out = buf_make(opt.size + 4096);

    c->tag++;
    bool ok = lmtp_envelope(c);
    put_message(&out, c, opt.size);
    buf_puts(&out, ".\r\n");
    conn_send(c, buf_slice(&out));
    buf_done(&out);
    for (unsigned i = 0; i < opt.rcpts; i++)
        ok = lmtp_code(c, "250") && ok;
    t->items += opt.rcpts;
    return ok;
}

static const struct scenario scenarios[] = {
    {"login", nothing, do_login},
    {"select", imap_login, do_select},
    {"status", imap_login, do_status},
    {"fetch-flags", imap_start, do_fetch_flags},
    {"fetch-envelope", imap_start, do_fetch_envelope},
    {"fetch-headers", imap_start, do_fetch_headers},
    {"fetch-body", imap_start, do_fetch_body},
    {"fetch-random", imap_start, do_fetch_random},
    {"append", start_append, do_append},
    {"store-one", imap_start, do_store_one},
    {"store-all", imap_start, do_store_all},
    {"search-header", imap_start, do_search_header},
    {"search-body", imap_start, do_search_body},
    {"search-flag", imap_start, do_search_flag},
    {"pop3-login", nothing, do_pop3_login},
    {"pop3-retr", nothing, do_pop3_retr},
    {"lmtp", lmtp_start, do_lmtp},
};

/* ---- the CPU time of a process tree ---- */

/* Fields of /proc/PID/stat that count: parent, cutime + cstime in ticks. */
static bool read_stat(pid_t pid, pid_t *parent, uint64_t *ended_ticks)
{
    char path[64], text[1024];
    unsigned long cutime, cstime;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = 0;
    char *behind = strrchr(text, ')'); /* the name before it may hold anything */
    int ppid;
    if (!behind || sscanf(behind + 2, "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %lu %lu",
                          &ppid, &cutime, &cstime) != 3)
        return false;
    *parent = ppid;
    *ended_ticks = cutime + cstime;
    return true;
}

static bool descends(pid_t pid, pid_t from)
{
    for (int depth = 0; pid > 1 && depth < 32; depth++) {
        uint64_t ticks;

        if (pid == from)
            return true;
        if (!read_stat(pid, &pid, &ticks))
            return false;
    }
    return false;
}

static double cpu_seconds_of(pid_t pid)
{
    clockid_t id;
    struct timespec used;
    pid_t parent;
    uint64_t ticks;

    if (clock_getcpuclockid(pid, &id) != 0 || clock_gettime(id, &used) != 0 ||
        !read_stat(pid, &parent, &ticks))
        return 0;
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9 +
           (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static double cpu_seconds_of_tree(pid_t root)
{
    double sum = 0;
    DIR *proc = root ? opendir("/proc") : NULL;

    if (!proc)
        return 0;
    for (struct dirent *entry; (entry = readdir(proc));) {
        uint32_t pid;

        if (slice_to_u32(slice_str(entry->d_name), &pid) && descends((pid_t)pid, root))
            sum += cpu_seconds_of((pid_t)pid);
    }
    closedir(proc);
    return sum;
}

/* ---- the run ---- */

static const struct scenario *scenario;
static pthread_barrier_t primed;
static atomic_bool stop;

struct worker {
    pthread_t thread;
    struct conn conn;
    struct totals totals;
};

/* One operation before the clock starts, so that no run pays for what only the first one does. */
static void *work(void *arg)
{
    struct worker *w = arg;
    struct totals unused = {0};
    bool ok = scenario->start(&w->conn) && scenario->operate(&w->conn, &unused);

    pthread_barrier_wait(&primed);
    pthread_barrier_wait(&primed);
    w->conn.bytes = 0;
    while (ok && !stop) {
        ok = scenario->operate(&w->conn, &w->totals);
        w->totals.operations++;
    }
    w->totals.errors += !ok;
    w->totals.bytes = w->conn.bytes;
    conn_close(&w->conn);
    return NULL;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run(void)
{
    struct worker *workers = mem_array(opt.conns, sizeof *workers);
    struct totals sum = {0};

    pthread_barrier_init(&primed, NULL, opt.conns + 1);
    for (unsigned i = 0; i < opt.conns; i++) {
        workers[i].conn.number = i;
        workers[i].conn.fd = -1;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            fatal("thread");
    }
    pthread_barrier_wait(&primed);
    double cpu = cpu_seconds_of_tree(opt.pid), began = now();
    pthread_barrier_wait(&primed);
    while (now() - began < opt.seconds)
        usleep(10000);
    stop = true;
    for (unsigned i = 0; i < opt.conns; i++) {
        pthread_join(workers[i].thread, NULL);
        sum.operations += workers[i].totals.operations;
        sum.items += workers[i].totals.items;
        sum.bytes += workers[i].totals.bytes;
        sum.errors += workers[i].totals.errors;
    }
    double seconds = now() - began;
    cpu = cpu_seconds_of_tree(opt.pid) - cpu;
    printf("{\"scenario\":\"%s\",\"tls\":%s,\"conns\":%u,\"operations\":%llu,\"items\":%llu,"
           "\"bytes\":%llu,\"seconds\":%.3f,\"server_cpu\":%.6f,\"errors\":%llu}\n",
           opt.scenario, opt.tls ? "true" : "false", opt.conns, (unsigned long long)sum.operations,
           (unsigned long long)sum.items, (unsigned long long)sum.bytes, seconds, cpu,
           (unsigned long long)sum.errors);
    free(workers);
    if (sum.errors)
        exit(1);
}

/*
 * Idle sessions: log on, select, IDLE; then say so and hold them until standard input ends, while
 * the driver reads the server's memory.
 */
static void hold_idle(void)
{
    struct conn **conns = mem_array(opt.conns, sizeof(struct conn *));
    struct conn *scratch = mem_new(sizeof *scratch);
    unsigned held = 0;

    for (unsigned i = 0; i < opt.conns; i++) {
        /* Only the socket is kept: a conn's buffer would cost this side 2.5 GB for 10,000. */
        scratch->number = i;
        if (!imap_start(scratch))
            fatal("idle session");
        conn_send(scratch, S("i IDLE\r\n"));
        if (!slice_starts(conn_line(scratch), S("+")))
            fatal("IDLE");
        conns[i] = mem_new(sizeof(int) + sizeof(SSL *) + offsetof(struct conn, in));
        conns[i]->fd = scratch->fd;
        conns[i]->ssl = scratch->ssl;
        held++;
    }
    printf("{\"scenario\":\"idle\",\"tls\":%s,\"held\":%u}\n", opt.tls ? "true" : "false", held);
    fflush(stdout);
    while (getchar() != EOF)
        ;
    for (unsigned i = 0; i < held; i++) {
        close(conns[i]->fd);
        free(conns[i]);
    }
    free(conns);
    free(scratch);
}

static unsigned number_of(const char *text)
{
    uint32_t n;

    if (!slice_to_u32(slice_str(text), &n) || n == 0) {
        fprintf(stderr, "load: '%s' is no number from 1 up\n", text);
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

static void parse_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"host", 1, 0, 'h'},     {"port", 1, 0, 'p'},    {"tls", 0, 0, 't'},
        {"user", 1, 0, 'u'},     {"pass", 1, 0, 'w'},    {"users", 1, 0, 'n'},
        {"conns", 1, 0, 'c'},    {"seconds", 1, 0, 's'}, {"box", 1, 0, 'b'},
        {"messages", 1, 0, 'm'}, {"size", 1, 0, 'z'},    {"rcpts", 1, 0, 'r'},
        {"pid", 1, 0, 'P'},      {0, 0, 0, 0},
    };

    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;)
        set_option(name, optarg);
    if (optind + 1 != argc || opt.port == 0) {
        fprintf(stderr, "usage: load SCENARIO --port N [option...]; scenarios: idle");
        for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
            fprintf(stderr, " %s", scenarios[i].name);
        fputs("\n", stderr);
        exit(2);
    }
    opt.scenario = argv[optind];
}

int main(int argc, char **argv)
{
    parse_options(argc, argv);
    if (opt.tls) {
        tls_context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_ciphersuites(tls_context, "TLS_AES_128_GCM_SHA256");
        SSL_CTX_set_session_cache_mode(tls_context, SSL_SESS_CACHE_OFF);
    }
    if (strcmp(opt.scenario, "idle") == 0) {
        hold_idle();
        return 0;
    }
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        if (strcmp(scenarios[i].name, opt.scenario) == 0)
            scenario = &scenarios[i];
    if (!scenario) {
        fprintf(stderr, "load: no scenario '%s'\n", opt.scenario);
        return 2;
    }
    run();
    return 0;
}
