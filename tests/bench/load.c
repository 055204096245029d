/*
 * load.c - a load generator for IMAP, POP3, LMTP and MAPI/HTTP servers on this machine.
 *
 *     load SCENARIO [--host 127.0.0.1] --port N [--tls] [--user FORMAT] [--pass P] [--users N]
 *          [--conns N] [--seconds S] [--box NAME] [--messages N] [--size BYTES] [--rcpts N]
 *          [--pid PID]
 *
 * One thread per connection, each waiting for the answer to one operation before the next. Every
 * answer is read to its last byte and checked: tags, +OK and 2xx codes, the number of messages, the
 * length of literals, the sum of POP3's octets, rows and what is in them. An operation that was
 * answered wrongly is an error, and a run with errors does not count.
 *
 * Prints one line of JSON: operations, items (messages), bytes, seconds, and with --pid the CPU
 * time that the server's process tree used meanwhile, of living processes by their CPU clocks and
 * of ended ones by what their parents have collected.
 *
 * It connects to loopback addresses only.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/bench/client/scenario.h"

/* ---- scenarios: each does one operation, and says whether it was answered rightly ---- */

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

static bool do_append(struct conn *c, struct totals *t)
{
    double sent_at;

    t->items++;
    return imap_append(c, "bench", &sent_at);
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
    {NULL, NULL, NULL},
};

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
    double cpu = cpu_seconds_of_tree(opt.pid), began = monotonic_now();
    pthread_barrier_wait(&primed);
    while (monotonic_now() - began < opt.seconds)
        usleep(10000);
    stop = true;
    for (unsigned i = 0; i < opt.conns; i++) {
        pthread_join(workers[i].thread, NULL);
        sum.operations += workers[i].totals.operations;
        sum.items += workers[i].totals.items;
        sum.bytes += workers[i].totals.bytes;
        sum.errors += workers[i].totals.errors;
    }
    double seconds = monotonic_now() - began;
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

/* ---- idle sessions ---- */

static int imap_hold(struct conn *c)
{
    if (!imap_start(c))
        return -1;
    conn_send(c, S("i IDLE\r\n"));
    return slice_starts(conn_line(c), S("+")) ? c->fd : -1;
}

/*
 * Log on, select or register, and wait for news; then say so and hold them until standard input
 * ends, while the driver reads the server's memory.
 */
static void hold_idle(int (*hold)(struct conn *c))
{
    struct conn *scratch = mem_new(sizeof *scratch);
    int *fds = mem_array(opt.conns, sizeof *fds);

    for (unsigned i = 0; i < opt.conns; i++) {
        /* Only the socket is kept: a conn's buffer would cost this side 2.5 GB for 10,000. */
        scratch->number = i;
        fds[i] = hold(scratch);
        if (fds[i] < 0)
            fatal("idle session");
    }
    printf("{\"scenario\":\"%s\",\"tls\":%s,\"held\":%u}\n", opt.scenario,
           opt.tls ? "true" : "false", opt.conns);
    fflush(stdout);
    while (getchar() != EOF)
        ;
    for (unsigned i = 0; i < opt.conns; i++)
        close(fds[i]);
    free(fds);
    free(scratch);
}

static const struct scenario *const lists[] = {scenarios, mapi_scenarios};

static void say_scenarios(struct buf *out)
{
    buf_puts(out, "idle mapi-idle");
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const struct scenario *one = lists[i]; one->name; one++)
            buf_printf(out, " %s", one->name);
    buf_putc(out, 0);
}

static const struct scenario *find_scenario(const char *name)
{
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const struct scenario *one = lists[i]; one->name; one++)
            if (strcmp(one->name, name) == 0)
                return one;
    return NULL;
}

int main(int argc, char **argv)
{
    struct buf names = buf_make(4096);

    say_scenarios(&names);
    options_parse(argc, argv, (const char *)buf_slice(&names).ptr);
    buf_done(&names);
    if (strcmp(opt.scenario, "idle") == 0 || strcmp(opt.scenario, "mapi-idle") == 0) {
        hold_idle(strcmp(opt.scenario, "idle") == 0 ? imap_hold : mapi_hold);
        return 0;
    }
    scenario = find_scenario(opt.scenario);
    if (!scenario) {
        fprintf(stderr, "load: no scenario '%s'\n", opt.scenario);
        return 2;
    }
    run();
    return 0;
}
