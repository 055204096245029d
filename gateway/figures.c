#include "gateway/figures.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "gateway/history.h"
#include "gateway/outcomes.h"
#include "store/queue.h"

enum {
    CENSUS_MS = 2000,      /* a worker that does not answer in this time is stuck */
    PROBE_MS = 5000,       /* a store that does not begin to write in this time is, too */
    PROBE_EVERY_MS = 5000, /* what was found out is believed for so long */
    COMPARE_EVERY_MS = 2000,
    COMPARE_SHARE = 50, /* comparing all users takes at most so small a part of the time */
};

static const uint64_t day = 24 * 3600 * FILETIME_SECOND;

/* Figures with what they point to. */
struct snapshot {
    struct ops_figures figures; /* first */
    struct arena arena;
    atomic_uint holders;
};

/* Who differed when they were last compared. */
struct comparison {
    struct arena arena;
    struct err known;
    struct ops_differing *list;
    size_t n;
    uint64_t all, by[AUTH_REASON_COUNT];
    uint64_t next_ms; /* not again before */
};

struct figures {
    struct ops_source face; /* first */
    struct figures_parts parts;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t asked;
    struct ops_gather *first, **end;
    bool stopping, running;
    int64_t started_unix;
    struct err store; /* as the last probe said */
    uint64_t probed_ms;
    char *directory;
    struct audit *audit;
    struct history *history;
    struct comparison comparison;
};

/* ---- gathering ---- */

static void take_crowds(const struct net_census *census, struct arena *in, struct ops_figures *out)
{
    struct ops_crowd *crowds = arena_array(in, census->n_crowds, sizeof *crowds);

    for (size_t i = 0; i < census->n_crowds; i++)
        crowds[i] = (struct ops_crowd){
            .protocol = census->crowds[i].protocol,
            .listener = arena_str(in, slice_str(census->crowds[i].listener)),
            .tls = census->crowds[i].tls,
            .connections = census->crowds[i].connections,
            .logged_on = census->crowds[i].logged_on,
        };
    out->crowds = crowds;
    out->n_crowds = census->n_crowds;
}

static void take_traffic(const struct net_census *census, struct arena *in, struct ops_figures *out)
{
    struct ops_traffic *traffic = arena_array(in, AUTH_PROTOCOLS, sizeof *traffic);

    for (size_t i = 0; i < AUTH_PROTOCOLS; i++) {
        const struct net_traffic *t = &census->traffic[i];

        if (t->protocol)
            traffic[out->n_traffic++] = (struct ops_traffic){
                .protocol = t->protocol,
                .closed = t->closed,
                .bytes_in = t->bytes_in,
                .bytes_out = t->bytes_out,
                .commands = t->did.commands,
                .fetched = t->did.fetched,
                .fetched_bytes = t->did.fetched_bytes,
                .delivered = t->did.appended,
                .expunged = t->did.expunged,
                .flagged = t->did.stored,
            };
    }
    out->traffic = traffic;
}

static void take_certificates(const struct net_census *census, struct arena *in,
                              struct ops_figures *out)
{
    struct ops_certificate *list = arena_array(in, census->n_certs, sizeof *list);

    for (size_t i = 0; i < census->n_certs; i++)
        list[i] = (struct ops_certificate){
            .listener = arena_str(in, slice_str(census->certs[i].listener)),
            .ends_unix = census->certs[i].ends_unix,
        };
    out->certificates = list;
    out->n_certificates = census->n_certs;
}

static void gather_net(struct figures *f, struct arena *in, struct ops_figures *out)
{
    struct net_census census;
    struct net_stats stats;

    net_server_census(f->parts.server, CENSUS_MS, &census);
    net_server_stats(f->parts.server, &stats);
    out->workers = census.workers;
    out->answering = census.answering;
    out->draining = census.draining;
    out->accepted = stats.accepted;
    out->refused = stats.refused;
    out->tls_failures = stats.tls_failures;
    take_crowds(&census, in, out);
    take_traffic(&census, in, out);
    take_certificates(&census, in, out);
    net_census_done(&census);
}

static void gather_store(struct figures *f, struct ops_figures *out)
{
    uint64_t now = clock_now().mono_ms;

    if (!f->probed_ms || now - f->probed_ms >= PROBE_EVERY_MS) {
        f->store = store_probe(f->parts.store, PROBE_MS);
        f->probed_ms = now;
    }
    out->store = f->store;
    out->stats = engine_stats(store_engine(f->parts.store), &out->store_stats);
}

static void gather_queue(struct figures *f, struct ops_figures *out)
{
    struct transport_counts counts;
    uint64_t oldest = 0;

    if (failed(store_queue_count(f->parts.store, &out->queue_waiting, &oldest)))
        oldest = 0;
    uint64_t now = clock_now().wall;
    out->queue_oldest_s = oldest && oldest < now ? (now - oldest) / FILETIME_SECOND : 0;
    transport_count(f->parts.transport, &counts);
    out->queue_sent = counts.sent;
    out->queue_deferred = counts.deferred;
    out->queue_failed = counts.failed;
}

static void gather_audit(struct figures *f, struct ops_figures *out)
{
    struct audit_sink_stats stats;

    audit_sink_stats(f->parts.sink, &stats);
    out->audit_records = stats.records;
    out->audit_file_lost = stats.file_lost;
    out->audit_store_lost = stats.store_lost;
    out->audit_waiting = stats.waiting;
}

static uint64_t us_of(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

static uint64_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long long pages = 0;

    if (!file)
        return 0;
    if (fscanf(file, "%*u %llu", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t open_files(void)
{
    struct stat st;
    uint64_t n = 0;

    /* Linux 6.2 and later tell the number; before, 10,000 take 8 ms to list. */
    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
        return (uint64_t)st.st_size;
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n > 3 ? n - 3 : 0; /* ".", ".." and the directory itself */
}

static void gather_process(struct figures *f, struct ops_figures *out)
{
    struct rusage usage;
    struct rlimit files;

    if (getrusage(RUSAGE_SELF, &usage) == 0)
        out->cpu_us = us_of(usage.ru_utime) + us_of(usage.ru_stime);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        out->max_files = files.rlim_cur;
    out->resident_bytes = resident_bytes();
    out->open_files = open_files();
    out->started_unix = f->started_unix;
    out->now_unix = filetime_to_unix(clock_now().wall);
}

/* ---- what the records say ---- */

/* Why he was refused when he last was. */
static enum auth_reason last_refusal(const struct outcome *outcomes, size_t n)
{
    const struct outcome *last = NULL;

    for (size_t i = 0; i < n; i++)
        if (outcomes[i].reason != AUTH_OK && (!last || outcomes[i].last > last->last))
            last = &outcomes[i];
    return last ? last->reason : AUTH_OK;
}

static void each_user(void *ctx, struct slice user, const struct outcome *outcomes, size_t n)
{
    struct comparison *c = ctx;

    if (!outcomes_contradict(outcomes, n))
        return;
    c->by[last_refusal(outcomes, n)]++;
    if (c->all++ >= OPS_DIFFERING_SHOWN)
        return;
    struct ops_outcome *copy = arena_array(&c->arena, n, sizeof *copy);
    for (size_t i = 0; i < n; i++)
        copy[i] = (struct ops_outcome){
            .protocol = arena_slice(&c->arena, outcomes[i].protocol),
            .ok = outcomes[i].ok,
            .failed = outcomes[i].failed,
            .last = outcomes[i].last,
            .reason = outcomes[i].reason,
        };
    c->list[c->n++] = (struct ops_differing){arena_slice(&c->arena, user), copy, n};
}

static void compare(struct figures *f, struct clock now)
{
    struct comparison *c = &f->comparison;

    arena_done(&c->arena);
    c->list = arena_array(&c->arena, OPS_DIFFERING_SHOWN, sizeof *c->list);
    c->n = 0;
    c->all = 0;
    memset(c->by, 0, sizeof c->by);
    c->known = outcomes_each(f->audit, &(struct outcomes_query){
                                           .since = now.wall > day ? now.wall - day : 0,
                                           .until = UINT64_MAX,
                                           .each = each_user,
                                           .ctx = c,
                                       });
    uint64_t end = clock_now().mono_ms, rest = (end - now.mono_ms) * COMPARE_SHARE;
    c->next_ms = end + (rest > COMPARE_EVERY_MS ? rest : COMPARE_EVERY_MS);
}

static void gather_differing(struct figures *f, struct arena *in, struct ops_figures *out)
{
    struct comparison *c = &f->comparison;
    struct clock now = clock_now();

    if (now.mono_ms >= c->next_ms)
        compare(f, now);
    struct ops_differing *list = arena_array(in, c->n, sizeof *list);
    for (size_t i = 0; i < c->n; i++) {
        struct ops_outcome *copy = arena_array(in, c->list[i].n, sizeof *copy);

        memcpy(copy, c->list[i].outcomes, c->list[i].n * sizeof *copy);
        for (size_t k = 0; k < c->list[i].n; k++)
            copy[k].protocol = arena_slice(in, copy[k].protocol);
        list[i] = (struct ops_differing){arena_slice(in, c->list[i].user), copy, c->list[i].n};
    }
    out->differing = list;
    out->n_differing = c->n;
    out->differing_all = c->all;
    memcpy(out->differing_by, c->by, sizeof c->by);
    out->differing_known = c->known;
}

struct throttling {
    struct arena *in;
    struct ops_figures *out;
    struct auth_throttled *list;
};

static void each_throttled(void *ctx, const struct auth_throttled *one)
{
    struct throttling *t = ctx;
    struct ops_figures *out = t->out;

    if (!one->address.len)
        out->attacked_names++;
    else
        ++*(one->name.len ? &out->throttled_pairs : &out->throttled_addresses);
    if (out->n_throttled == OPS_THROTTLED_SHOWN)
        return;
    struct auth_throttled *copy = &t->list[out->n_throttled++];
    *copy = *one;
    copy->address = arena_slice(t->in, one->address);
    copy->name = arena_slice(t->in, one->name);
}

static void gather_throttled(struct figures *f, struct arena *in, struct ops_figures *out)
{
    struct throttling t = {.in = in, .out = out};

    t.list = arena_array(in, OPS_THROTTLED_SHOWN, sizeof *t.list);
    out->throttled = t.list;
    auth_throttled(f->parts.auth, each_throttled, &t);
}

static void gather_disk(struct figures *f, struct ops_figures *out)
{
    struct statvfs disk;

    if (statvfs(f->directory, &disk) != 0)
        return;
    out->disk_bytes = (uint64_t)disk.f_blocks * disk.f_frsize;
    out->disk_free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
}

static struct snapshot *gather(struct figures *f, bool history)
{
    struct snapshot *s = mem_new(sizeof *s);

    gather_net(f, &s->arena, &s->figures);
    gather_store(f, &s->figures);
    gather_audit(f, &s->figures);
    gather_queue(f, &s->figures);
    gather_process(f, &s->figures);
    gather_disk(f, &s->figures);
    gather_differing(f, &s->arena, &s->figures);
    gather_throttled(f, &s->arena, &s->figures);
    logon_counters_read(f->parts.logons, &s->arena, &s->figures);
    if (history)
        s->figures.history_known = history_read(f->history, clock_now().wall, &s->arena,
                                                &s->figures.minutes, &s->figures.hours);
    return s;
}

/* ---- asking ---- */

static void let_go(const struct ops_figures *figures)
{
    struct snapshot *s = (struct snapshot *)(uintptr_t)figures;

    if (atomic_fetch_sub(&s->holders, 1) != 1)
        return;
    arena_done(&s->arena);
    free(s);
}

static void run_done(struct task *task)
{
    struct ops_gather *rq = container_of(task, struct ops_gather, task);

    rq->done(rq);
}

static void ask(struct ops_source *source, struct ops_gather *rq)
{
    struct figures *f = (struct figures *)source;

    rq->next = NULL;
    pthread_mutex_lock(&f->mutex);
    *f->end = rq;
    f->end = &rq->next;
    pthread_cond_signal(&f->asked);
    pthread_mutex_unlock(&f->mutex);
}

static void answer(struct ops_gather *first, struct snapshot *s)
{
    unsigned n = 0;

    for (struct ops_gather *rq = first; rq; rq = rq->next)
        n++;
    atomic_init(&s->holders, n);
    s->figures.let_go = let_go;
    while (first) {
        struct ops_gather *next = first->next;

        first->figures = &s->figures;
        first->task.run = run_done;
        executor_post(first->home, &first->task);
        first = next;
    }
}

/* All who wait; NULL when the thread is to end. */
static struct ops_gather *take_all(struct figures *f)
{
    pthread_mutex_lock(&f->mutex);
    while (!f->first && !f->stopping)
        pthread_cond_wait(&f->asked, &f->mutex);
    struct ops_gather *first = f->first;
    f->first = NULL;
    f->end = &f->first;
    pthread_mutex_unlock(&f->mutex);
    return first;
}

static bool is_history_wanted(const struct ops_gather *waiting)
{
    while (waiting && !waiting->history)
        waiting = waiting->next;
    return waiting != NULL;
}

static void *work(void *arg)
{
    struct figures *f = arg;
    struct ops_gather *waiting;

    while ((waiting = take_all(f)))
        answer(waiting, gather(f, is_history_wanted(waiting)));
    return NULL;
}

/* ---- records as they come ---- */

static struct ops_follower *follow(struct ops_source *source, const struct ops_follow *how)
{
    return tail_follow(((struct figures *)source)->parts.tail, how);
}

static void leave(struct ops_source *source, struct ops_follower *follower)
{
    tail_leave(((struct figures *)source)->parts.tail, follower);
}

static bool read_tail(struct ops_source *source, struct ops_follower *follower, struct buf *out,
                      size_t room)
{
    return tail_read(((struct figures *)source)->parts.tail, follower, out, room);
}

/* ---- life ---- */

struct err figures_new(const struct figures_parts *parts, struct figures **out)
{
    struct figures *f = mem_new(sizeof *f);

    f->face = (struct ops_source){
        .gather = ask,
        .follow = follow,
        .leave = leave,
        .read = read_tail,
    };
    f->parts = *parts;
    f->directory = mem_str(parts->directory);
    f->end = &f->first;
    f->started_unix = filetime_to_unix(clock_now().wall);
    pthread_mutex_init(&f->mutex, NULL);
    pthread_cond_init(&f->asked, NULL);
    struct err e = audit_open(store_engine(parts->store), &f->audit);
    if (!failed(e)) {
        f->history = history_new(f->audit);
        f->running = pthread_create(&f->thread, NULL, work, f) == 0;
        e = f->running ? OK : ERR(ERR_UNAVAILABLE, "no thread for figures");
    }
    if (failed(e))
        figures_free(f);
    else
        *out = f;
    return e;
}

struct ops_source *figures_source(struct figures *f)
{
    return &f->face;
}

void figures_free(struct figures *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&f->mutex);
    f->stopping = true;
    pthread_cond_signal(&f->asked);
    pthread_mutex_unlock(&f->mutex);
    if (f->running)
        pthread_join(f->thread, NULL);
    history_free(f->history);
    audit_close(f->audit);
    free(f->directory);
    arena_done(&f->comparison.arena);
    pthread_cond_destroy(&f->asked);
    pthread_mutex_destroy(&f->mutex);
    free(f);
}
