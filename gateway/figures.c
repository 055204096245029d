#include "gateway/figures.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/queue.h"

enum {
    CENSUS_MS = 2000,      /* a worker that does not answer in this time is stuck */
    PROBE_MS = 5000,       /* a store that does not begin to write in this time is, too */
    PROBE_EVERY_MS = 5000, /* what was found out is believed for so long */
};

/* Figures with what they point to. */
struct snapshot {
    struct ops_figures figures; /* first */
    struct arena arena;
    atomic_uint holders;
};

struct figures {
    struct ops_source face; /* first */
    struct figures_parts parts;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t asked;
    struct ops_gather *first, **end;
    bool stopping;
    int64_t started_unix;
    struct err store; /* as the last probe said */
    uint64_t probed_ms;
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

static struct snapshot *gather(struct figures *f)
{
    struct snapshot *s = mem_new(sizeof *s);

    gather_net(f, &s->arena, &s->figures);
    gather_store(f, &s->figures);
    gather_audit(f, &s->figures);
    gather_queue(f, &s->figures);
    gather_process(f, &s->figures);
    logon_counters_read(f->parts.logons, &s->arena, &s->figures);
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
    struct ops_gather *rq = (struct ops_gather *)((char *)task - offsetof(struct ops_gather, task));

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

static void *work(void *arg)
{
    struct figures *f = arg;
    struct ops_gather *waiting;

    while ((waiting = take_all(f)))
        answer(waiting, gather(f));
    return NULL;
}

/* ---- life ---- */

struct err figures_new(const struct figures_parts *parts, struct figures **out)
{
    struct figures *f = mem_new(sizeof *f);

    f->face = (struct ops_source){.gather = ask};
    f->parts = *parts;
    f->end = &f->first;
    f->started_unix = filetime_to_unix(clock_now().wall);
    pthread_mutex_init(&f->mutex, NULL);
    pthread_cond_init(&f->asked, NULL);
    if (pthread_create(&f->thread, NULL, work, f) != 0) {
        free(f);
        return ERR(ERR_UNAVAILABLE, "no thread for figures");
    }
    *out = f;
    return OK;
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
    pthread_join(f->thread, NULL);
    pthread_cond_destroy(&f->asked);
    pthread_mutex_destroy(&f->mutex);
    free(f);
}
