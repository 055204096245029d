/*
 * latency.c - how long a client waits: for news, and for its turn while others work.
 *
 * latency seen --port N [option...]: from the last byte of an APPEND until a session in IDLE on the
 * same mailbox has read EXISTS.
 * latency mapi-seen --port N --other IMAP: from the same until the answer to a NotificationWait.
 * latency mapi-told --port N --other IMAP: from the begin of an Execute that saves a message until
 * a session in IDLE has read EXISTS.
 * latency noop --port N [option...]: from NOOP to its answer, on --conns sessions, one each
 * millisecond; somebody else makes the trouble meanwhile.
 *
 * Prints one line of JSON with figures in milliseconds.
 */
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/bench/client/mapi.h"
#include "tests/bench/client/scenario.h"

struct samples {
    double *ms;
    size_t n;
};

static void sample(struct samples *s, double ms)
{
    s->ms = mem_grow(s->ms, s->n + 1, sizeof *s->ms);
    s->ms[s->n++] = ms;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double at(const struct samples *s, double share)
{
    return s->ms[(size_t)((double)(s->n - 1) * share)];
}

static void report(struct samples *s)
{
    if (s->n == 0)
        fatal("no samples");
    qsort(s->ms, s->n, sizeof *s->ms, ascending);
    printf("{\"scenario\":\"%s\",\"samples\":%zu,\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f,"
           "\"max\":%.3f}\n",
           opt.scenario, s->n, at(s, 0.5), at(s, 0.99), at(s, 0.999), at(s, 1));
    free(s->ms);
}

static void must(bool ok, const char *what)
{
    if (!ok)
        fatal(what);
}

/* ---- news ---- */

/* The moment when the line that says how many messages there are has been read. */
static double wait_for_exists(struct conn *c)
{
    struct slice line;

    do
        line = conn_line(c);
    while (!c->broken && !slice_ends(line, S(" EXISTS")));
    must(!c->broken, "EXISTS");
    return monotonic_now();
}

static void seen(struct samples *s)
{
    struct conn *watcher = mem_new(sizeof *watcher), *sender = mem_new(sizeof *sender);
    double until = monotonic_now() + opt.seconds, sent_at;

    must(imap_start(watcher) && imap_login(sender), "log-on");
    conn_send(watcher, S("i IDLE\r\n"));
    must(slice_starts(conn_line(watcher), S("+")), "IDLE");
    while (monotonic_now() < until) {
        must(imap_append(sender, opt.box, &sent_at), "APPEND");
        sample(s, (wait_for_exists(watcher) - sent_at) * 1e3);
    }
    conn_close(watcher);
    conn_close(sender);
    free(watcher);
    free(sender);
}

/* ---- news through another door: `port` is MAPI's, `other` IMAP's ---- */

static void by_imap(struct conn *c, bool (*start)(struct conn *c))
{
    unsigned port = opt.port;

    opt.port = opt.other;
    must(start(c), "log-on by IMAP");
    opt.port = port;
}

/* What there is to tell is taken, and the next wait begins. */
static void take_news(struct mapi_session *s)
{
    must(mapi_execute(s), "Execute");
    must(s->rops.rest.len > 0, "RopNotify");
    must(mapi_wait_begin(s), "NotificationWait");
}

static void mapi_seen(struct samples *s)
{
    struct conn *watcher = mem_new(sizeof *watcher), *sender = mem_new(sizeof *sender);
    double until = monotonic_now() + opt.seconds, sent_at;
    struct mapi_session session;
    bool pending;

    must(mapi_open(&session, watcher) && mapi_watch(&session), "log-on");
    by_imap(sender, imap_login);
    must(mapi_wait_begin(&session), "NotificationWait");
    while (monotonic_now() < until) {
        must(imap_append(sender, opt.box, &sent_at), "APPEND");
        must(mapi_wait_end(&session, &pending) && pending, "news");
        sample(s, (monotonic_now() - sent_at) * 1e3);
        take_news(&session);
    }
    mapi_done(&session);
    conn_close(watcher);
    conn_close(sender);
    free(watcher);
    free(sender);
}

static void mapi_told(struct samples *s)
{
    struct conn *watcher = mem_new(sizeof *watcher), *sender = mem_new(sizeof *sender);
    double until = monotonic_now() + opt.seconds;

    must(mapi_saver_begin(sender), "log-on");
    by_imap(watcher, imap_start);
    conn_send(watcher, S("i IDLE\r\n"));
    must(slice_starts(conn_line(watcher), S("+")), "IDLE");
    while (monotonic_now() < until) {
        double began = monotonic_now();

        must(mapi_save_one(sender), "save");
        sample(s, (wait_for_exists(watcher) - began) * 1e3);
    }
    conn_close(watcher);
    conn_close(sender);
    free(watcher);
    free(sender);
}

/* ---- the turn of a session while others work ---- */

struct victim {
    pthread_t thread;
    struct conn conn;
    struct samples samples;
};

static void *noops(void *arg)
{
    static const struct timespec pause = {.tv_nsec = 1000000};
    struct victim *v = arg;

    must(imap_start(&v->conn), "log-on");
    for (double until = monotonic_now() + opt.seconds, began; (began = monotonic_now()) < until;) {
        must(imap_do(&v->conn, "NOOP").ok, "NOOP");
        sample(&v->samples, (monotonic_now() - began) * 1e3);
        nanosleep(&pause, NULL);
    }
    conn_close(&v->conn);
    return NULL;
}

static void noop(struct samples *s)
{
    struct victim *victims = mem_array(opt.conns, sizeof *victims);

    for (unsigned i = 0; i < opt.conns; i++) {
        victims[i].conn.number = i;
        must(pthread_create(&victims[i].thread, NULL, noops, &victims[i]) == 0, "thread");
    }
    for (unsigned i = 0; i < opt.conns; i++) {
        pthread_join(victims[i].thread, NULL);
        for (size_t k = 0; k < victims[i].samples.n; k++)
            sample(s, victims[i].samples.ms[k]);
        free(victims[i].samples.ms);
    }
    free(victims);
}

int main(int argc, char **argv)
{
    struct samples samples = {0};

    options_parse(argc, argv, "seen mapi-seen mapi-told noop");
    if (strcmp(opt.scenario, "seen") == 0)
        seen(&samples);
    else if (strcmp(opt.scenario, "mapi-seen") == 0)
        mapi_seen(&samples);
    else if (strcmp(opt.scenario, "mapi-told") == 0)
        mapi_told(&samples);
    else if (strcmp(opt.scenario, "noop") == 0)
        noop(&samples);
    report(&samples);
    return 0;
}
