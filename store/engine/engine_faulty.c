#include "store/engine/engine_faulty.h"

#include <assert.h>
#include <pthread.h>
#include <time.h>

#include "base/mem.h"
#include "store/engine/engine_int.h"
#include "store/engine/idmap.h"

struct faulty_watch;

struct faulty {
    struct engine base;
    struct engine *inner;
    struct executor executor; /* of our thread: where the inner engine answers */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct task *posted, **posted_end;
    struct call *queue, **queue_end; /* stalled requests, and those behind them */
    bool trying;                     /* one was taken from the queue, and is on its way */
    struct call *late;               /* answers that wait, the first due first */
    bool closing, stop;
    uint64_t random, watch_random; /* notifications come in no fixed order among requests */
    struct fault_rates rates;
    struct fault *script;
    size_t script_at, script_len;
    struct idmap disowned;
    struct faulty_watch *watches;
    unsigned partitions; /* open handles and their holders */
    bool ended;
};

struct faulty_partition {
    struct engine_partition base;
    struct engine_partition *inner;
    unsigned refs;
};

enum call_kind { CALL_OPEN, CALL_BATCH, CALL_FETCH };

/* A request on its way. */
struct call {
    union {
        struct engine_open open;
        struct engine_batch batch;
        struct engine_fetch fetch;
    } inner; /* what the inner engine is asked; first, so that its `done` finds the call */
    enum call_kind kind;
    struct faulty *f;
    union {
        struct engine_open *open;
        struct engine_batch *batch;
        struct engine_fetch *fetch;
    } outer;
    struct faulty_partition *partition; /* held; NULL for an open */
    struct fault fault;
    enum engine_end end;
    struct err err;
    uint64_t due_ms;
    struct call *next;
};

struct faulty_watch {
    struct engine_watch inner;
    struct engine_watch *outer;
    struct faulty_partition *partition;
    struct faulty *f;
    struct task stop_task;
    bool in_flight; /* the outer task is posted */
    bool stopping, inner_stopped;
    uint64_t reached;
    struct faulty_watch *next, **at;
};

struct disowned {
    struct idnode node;
};

/* ---- chance ---- */

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t roll(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static bool happens(uint64_t *state, uint32_t rate)
{
    return roll(state) % 1000 < rate;
}

static uint32_t some_ms(struct faulty *f)
{
    return f->rates.most_ms ? (uint32_t)(roll(&f->random) % f->rates.most_ms) + 1 : 0;
}

static enum fault_kind random_kind(struct faulty *f)
{
    const struct fault_rates *r = &f->rates;
    const struct {
        enum fault_kind kind;
        uint32_t rate;
    } kinds[] = {
        {FAULT_UNAVAILABLE, r->unavailable},   {FAULT_REFUSED, r->refused},
        {FAULT_UNKNOWN_DONE, r->unknown_done}, {FAULT_UNKNOWN_LOST, r->unknown_lost},
        {FAULT_DISOWNED, r->disowned},
    };
    uint64_t n = roll(&f->random) % 1000;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (n < kinds[i].rate)
            return kinds[i].kind;
        n -= kinds[i].rate;
    }
    return FAULT_NONE;
}

static struct fault next_fault(struct faulty *f)
{
    struct fault fault = {0};

    if (f->script_at < f->script_len)
        return f->script[f->script_at++];
    fault.kind = random_kind(f);
    if (happens(&f->random, f->rates.stalled))
        fault.stall_ms = some_ms(f);
    if (happens(&f->random, f->rates.late))
        fault.late_ms = some_ms(f);
    return fault;
}

static uint64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- partitions ---- */

static void faulty_free(struct faulty *f)
{
    pthread_cond_destroy(&f->wake);
    pthread_mutex_destroy(&f->mutex);
    for (struct idnode *node; (node = idmap_any(&f->disowned)) != NULL;) {
        idmap_remove(&f->disowned, node);
        free(CONTAINER_OF(node, struct disowned, node));
    }
    idmap_done(&f->disowned);
    free(f->script);
    free(f);
}

static void hold(struct faulty_partition *p)
{
    struct faulty *f = (struct faulty *)p->base.engine;

    pthread_mutex_lock(&f->mutex);
    p->refs++;
    pthread_mutex_unlock(&f->mutex);
}

static void release(struct faulty_partition *p)
{
    struct faulty *f = (struct faulty *)p->base.engine;

    pthread_mutex_lock(&f->mutex);
    assert(p->refs > 0);
    bool gone = --p->refs == 0;
    if (gone)
        f->partitions--;
    bool last = gone && f->ended && f->partitions == 0;
    pthread_mutex_unlock(&f->mutex);
    if (gone) {
        engine_partition_close(p->inner);
        free(p);
    }
    if (last)
        faulty_free(f);
}

static void partition_close(struct engine_partition *base)
{
    release((struct faulty_partition *)base);
}

static struct faulty_partition *wrap_partition(struct faulty *f, struct engine_partition *inner)
{
    struct faulty_partition *p = mem_new(sizeof *p);

    p->base.engine = &f->base;
    p->base.id = inner->id;
    p->inner = inner;
    p->refs = 1;
    pthread_mutex_lock(&f->mutex);
    f->partitions++;
    pthread_mutex_unlock(&f->mutex);
    return p;
}

/* ---- ownership; all with the mutex ---- */

static bool is_disowned(struct faulty *f, uint64_t partition_id)
{
    return idmap_find(&f->disowned, partition_id) != NULL;
}

static void call_watch(struct faulty_watch *w);

static void disown(struct faulty *f, uint64_t partition_id)
{
    if (is_disowned(f, partition_id))
        return;
    struct disowned *d = mem_new(sizeof *d);
    d->node.id = partition_id;
    idmap_add(&f->disowned, &d->node);
    for (struct faulty_watch *w = f->watches; w; w = w->next)
        if (w->partition->base.id == partition_id)
            call_watch(w);
}

static void own(struct faulty *f, uint64_t partition_id)
{
    struct idnode *node = idmap_find(&f->disowned, partition_id);

    if (!node)
        return;
    idmap_remove(&f->disowned, node);
    free(CONTAINER_OF(node, struct disowned, node));
}

/* ---- answers ---- */

static void answer(struct call *c)
{
    struct faulty_partition *p = c->partition;
    struct engine_batch *batch = c->outer.batch;

    switch (c->kind) {
    case CALL_OPEN:
        engine_open_answer(c->outer.open, c->end, c->err);
        break;
    case CALL_BATCH:
        if (c->end == ENGINE_DONE) {
            batch->version = c->inner.batch.version;
            batch->repeated = c->inner.batch.repeated;
            batch->answer_len = c->inner.batch.answer_len;
            memcpy(batch->answer, c->inner.batch.answer, batch->answer_len);
        }
        engine_batch_answer(batch, c->end, c->err);
        break;
    case CALL_FETCH:
        engine_fetch_answer(c->outer.fetch, c->end, c->err);
        break;
    }
    free(c);
    if (p)
        release(p);
}

/* With the mutex. */
static void put_late(struct faulty *f, struct call *c)
{
    struct call **at = &f->late;

    c->due_ms = now_ms() + c->fault.late_ms;
    while (*at && (*at)->due_ms <= c->due_ms)
        at = &(*at)->next;
    c->next = *at;
    *at = c;
    pthread_cond_broadcast(&f->wake);
}

/* The request has ended so; tell it, now or later. */
static void finish(struct call *c, enum engine_end end, struct err e)
{
    struct faulty *f = c->f;

    c->end = end;
    c->err = e;
    pthread_mutex_lock(&f->mutex);
    bool late = c->fault.late_ms && !f->closing;
    if (late)
        put_late(f, c);
    pthread_mutex_unlock(&f->mutex);
    if (!late)
        answer(c);
}

/* The inner engine has answered: on our thread. */
static void inner_ended(struct call *c, enum engine_end end, struct err e)
{
    if (c->fault.kind == FAULT_UNKNOWN_DONE)
        finish(c, ENGINE_UNKNOWN, ERR(ERR_UNKNOWN_END, "a test lost the answer"));
    else
        finish(c, end, e);
}

static void on_opened(struct engine_open *rq)
{
    struct call *c = (struct call *)rq;
    struct faulty *f = c->f;

    if (rq->end != ENGINE_DONE) {
        inner_ended(c, rq->end, rq->err);
        return;
    }
    if (c->fault.kind == FAULT_UNKNOWN_DONE) {
        engine_partition_close(rq->partition);
    } else {
        pthread_mutex_lock(&f->mutex);
        own(f, rq->partition_id);
        pthread_mutex_unlock(&f->mutex);
        c->outer.open->partition = &wrap_partition(f, rq->partition)->base;
    }
    inner_ended(c, ENGINE_DONE, OK);
}

static void on_batch(struct engine_batch *batch)
{
    inner_ended((struct call *)batch, batch->end, batch->err);
}

static void on_fetched(struct engine_fetch *rq)
{
    inner_ended((struct call *)rq, rq->end, rq->err);
}

/* The caller's `run` sees its own batch, and what it leaves as answer is remembered. */
static struct err run_outer(struct engine_write *w, struct engine_batch *inner)
{
    struct engine_batch *outer = ((struct call *)inner)->outer.batch;

    outer->answer_len = 0;
    struct err e = outer->run(w, outer);
    inner->answer_len = outer->answer_len;
    memcpy(inner->answer, outer->answer, outer->answer_len);
    return e;
}

/* ---- requests ---- */

static void pass_on(struct call *c)
{
    struct faulty *f = c->f;

    switch (c->kind) {
    case CALL_OPEN:
        c->inner.open = (struct engine_open){.partition_id = c->outer.open->partition_id,
                                             .deadline_ms = c->outer.open->deadline_ms,
                                             .home = &f->executor,
                                             .done = on_opened};
        engine_open_partition(f->inner, &c->inner.open);
        break;
    case CALL_BATCH:
        c->inner.batch = *c->outer.batch;
        c->inner.batch.partition = c->partition->inner;
        c->inner.batch.run = run_outer;
        c->inner.batch.home = &f->executor;
        c->inner.batch.done = on_batch;
        engine_submit(f->inner, &c->inner.batch);
        break;
    case CALL_FETCH:
        c->inner.fetch = *c->outer.fetch;
        c->inner.fetch.partition = c->partition->inner;
        c->inner.fetch.home = &f->executor;
        c->inner.fetch.done = on_fetched;
        engine_blob_fetch(f->inner, &c->inner.fetch);
        break;
    }
}

static void try_call(struct call *c)
{
    switch (c->fault.kind) {
    case FAULT_NONE:
    case FAULT_UNKNOWN_DONE:
        pass_on(c);
        break;
    case FAULT_UNAVAILABLE:
        finish(c, ENGINE_UNAVAILABLE, ERR(ERR_UNAVAILABLE, "a test made it unavailable"));
        break;
    case FAULT_DISOWNED:
        finish(c, ENGINE_UNAVAILABLE, ERR(ERR_UNAVAILABLE, "the partition is no longer owned"));
        break;
    case FAULT_REFUSED:
        finish(c, ENGINE_REFUSED,
               (struct err){c->fault.code ? c->fault.code : ERR_NO_SPACE, "a test refused it"});
        break;
    case FAULT_UNKNOWN_LOST:
        finish(c, ENGINE_UNKNOWN, ERR(ERR_UNKNOWN_END, "a test lost the request"));
        break;
    }
}

/* With the mutex: what will become of the request. */
static void decide(struct faulty *f, struct call *c)
{
    c->fault = next_fault(f);
    if (c->kind == CALL_OPEN && c->fault.kind == FAULT_DISOWNED)
        c->fault.kind = FAULT_UNAVAILABLE;
    if (c->kind == CALL_OPEN)
        return;
    if (c->fault.kind == FAULT_DISOWNED)
        disown(f, c->partition->base.id);
    if (is_disowned(f, c->partition->base.id))
        c->fault.kind = FAULT_DISOWNED;
}

/* Whether the request waits, or is tried by the caller of this. */
static bool enqueue(struct faulty *f, struct call *c)
{
    pthread_mutex_lock(&f->mutex);
    decide(f, c);
    bool waits = f->closing || c->fault.stall_ms || f->queue || f->trying;
    if (waits) {
        c->due_ms = now_ms() + c->fault.stall_ms;
        c->next = NULL;
        *f->queue_end = c;
        f->queue_end = &c->next;
        pthread_cond_broadcast(&f->wake);
    }
    pthread_mutex_unlock(&f->mutex);
    return waits;
}

static struct call *call_new(struct engine *engine, enum call_kind kind,
                             struct engine_partition *partition)
{
    struct call *c = mem_new(sizeof *c);

    c->f = (struct faulty *)engine;
    c->kind = kind;
    c->partition = (struct faulty_partition *)partition;
    if (partition)
        hold(c->partition);
    return c;
}

static void start(struct call *c)
{
    struct faulty *f = c->f;

    pthread_mutex_lock(&f->mutex);
    bool ended = f->ended;
    pthread_mutex_unlock(&f->mutex);
    if (ended) {
        c->end = ENGINE_UNAVAILABLE;
        c->err = ERR(ERR_UNAVAILABLE, "the store is closed");
        answer(c);
    } else if (!enqueue(f, c)) {
        try_call(c);
    }
}

static void open_partition(struct engine *engine, struct engine_open *rq)
{
    struct call *c = call_new(engine, CALL_OPEN, NULL);

    c->outer.open = rq;
    start(c);
}

static void submit(struct engine *engine, struct engine_batch *batch)
{
    struct call *c = call_new(engine, CALL_BATCH, batch->partition);

    c->outer.batch = batch;
    start(c);
}

static void blob_fetch(struct engine *engine, struct engine_fetch *rq)
{
    struct call *c = call_new(engine, CALL_FETCH, rq->partition);

    c->outer.fetch = rq;
    start(c);
}

static struct err read_begin(struct engine_partition *partition, struct engine_read **out)
{
    struct faulty_partition *p = (struct faulty_partition *)partition;
    struct faulty *f = (struct faulty *)partition->engine;

    pthread_mutex_lock(&f->mutex);
    bool lost = is_disowned(f, partition->id);
    pthread_mutex_unlock(&f->mutex);
    if (lost)
        return ERR(ERR_UNAVAILABLE, "the partition is no longer owned");
    return engine_read_begin(p->inner, out);
}

/* ---- watches ---- */

static void watch_free(struct faulty_watch *w)
{
    struct engine_watch *outer = w->outer;
    struct faulty_partition *p = w->partition;

    free(w);
    if (outer->stopped)
        outer->stopped(outer);
    release(p);
}

/* On the watcher's home. */
static void run_outer_watch(struct task *task)
{
    struct engine_watch *outer = CONTAINER_OF(task, struct engine_watch, task);
    struct faulty_watch *w = CONTAINER_OF(outer->next, struct faulty_watch, inner);
    struct faulty *f = w->f;

    pthread_mutex_lock(&f->mutex);
    w->in_flight = false;
    bool stopping = w->stopping, over = w->inner_stopped;
    uint64_t reached = w->reached;
    pthread_mutex_unlock(&f->mutex);
    if (over) {
        watch_free(w);
    } else if (!stopping) {
        outer->version = reached;
        outer->changed(outer);
    }
}

/* With the mutex. */
static void call_watch(struct faulty_watch *w)
{
    if (w->stopping || w->in_flight)
        return;
    w->in_flight = true;
    executor_post(w->outer->home, &w->outer->task);
}

/* On our thread, as the next one. */
static void on_inner_changed(struct engine_watch *inner)
{
    struct faulty_watch *w = CONTAINER_OF(inner, struct faulty_watch, inner);
    struct faulty *f = w->f;

    pthread_mutex_lock(&f->mutex);
    if (!happens(&f->watch_random, f->rates.watch_lost)) {
        w->reached = inner->version;
        call_watch(w);
    }
    pthread_mutex_unlock(&f->mutex);
}

static void on_inner_stopped(struct engine_watch *inner)
{
    struct faulty_watch *w = CONTAINER_OF(inner, struct faulty_watch, inner);
    struct faulty *f = w->f;

    pthread_mutex_lock(&f->mutex);
    w->inner_stopped = true;
    if (!w->in_flight) {
        w->in_flight = true;
        executor_post(w->outer->home, &w->outer->task);
    }
    pthread_mutex_unlock(&f->mutex);
}

static void stop_inner(struct task *task)
{
    struct faulty_watch *w = CONTAINER_OF(task, struct faulty_watch, stop_task);

    engine_watch_stop(&w->inner, on_inner_stopped);
}

static void watch_start(struct engine_partition *partition, struct engine_watch *outer)
{
    struct faulty_partition *p = (struct faulty_partition *)partition;
    struct faulty *f = (struct faulty *)partition->engine;
    struct faulty_watch *w = mem_new(sizeof *w);

    hold(p);
    w->f = f;
    w->partition = p;
    w->outer = outer;
    w->inner.home = &f->executor;
    w->inner.changed = on_inner_changed;
    w->stop_task.run = stop_inner;
    outer->next = &w->inner;
    outer->task.run = run_outer_watch;
    outer->version = 0;
    pthread_mutex_lock(&f->mutex);
    w->next = f->watches;
    w->at = &f->watches;
    if (w->next)
        w->next->at = &w->next;
    f->watches = w;
    pthread_mutex_unlock(&f->mutex);
    engine_watch_start(p->inner, &w->inner);
}

static void watch_stop(struct engine_watch *outer)
{
    struct faulty_watch *w = CONTAINER_OF(outer->next, struct faulty_watch, inner);
    struct faulty *f = w->f;

    pthread_mutex_lock(&f->mutex);
    w->stopping = true;
    *w->at = w->next;
    if (w->next)
        w->next->at = w->at;
    pthread_mutex_unlock(&f->mutex);
    executor_post(&f->executor, &w->stop_task);
}

/* ---- what goes straight through ---- */

static void blob_pin(struct engine *engine, uint64_t id)
{
    engine_blob_pin(((struct faulty *)engine)->inner, id);
}

static void blob_unpin(struct engine *engine, uint64_t id)
{
    engine_blob_unpin(((struct faulty *)engine)->inner, id);
}

static struct err stats(struct engine *engine, struct engine_stats *out)
{
    return engine_stats(((struct faulty *)engine)->inner, out);
}

static struct err partition_next(struct engine *engine, uint64_t after, uint64_t *id)
{
    return engine_partition_next(((struct faulty *)engine)->inner, after, id);
}

static struct err sound(struct engine *engine, void (*finding)(void *ctx, const char *text),
                        void *ctx)
{
    return engine_sound(((struct faulty *)engine)->inner, finding, ctx);
}

static struct err verify(struct engine *engine, void (*finding)(void *ctx, const char *text),
                         void *ctx)
{
    return engine_verify(((struct faulty *)engine)->inner, finding, ctx);
}

static struct err backup(struct engine *engine, const char *dir, bool compact)
{
    return engine_backup(((struct faulty *)engine)->inner, dir, compact);
}

/* ---- the thread ---- */

static void post(struct executor *executor, struct task *task)
{
    struct faulty *f = CONTAINER_OF(executor, struct faulty, executor);

    pthread_mutex_lock(&f->mutex);
    task->next = NULL;
    *f->posted_end = task;
    f->posted_end = &task->next;
    pthread_cond_broadcast(&f->wake);
    pthread_mutex_unlock(&f->mutex);
}

static bool is_due(struct faulty *f, const struct call *c)
{
    return c && (f->closing || c->due_ms <= now_ms());
}

/* Do one thing, with the mutex, which it gives up meanwhile. False: there is nothing to do now. */
static bool do_one(struct faulty *f)
{
    struct task *task = f->posted;
    struct call *c;

    if (task) {
        f->posted = task->next;
        if (!f->posted)
            f->posted_end = &f->posted;
        pthread_mutex_unlock(&f->mutex);
        task->run(task);
    } else if (is_due(f, f->late)) {
        c = f->late;
        f->late = c->next;
        pthread_mutex_unlock(&f->mutex);
        answer(c);
    } else if (is_due(f, f->queue)) {
        c = f->queue;
        f->queue = c->next;
        if (!f->queue)
            f->queue_end = &f->queue;
        f->trying = true;
        if (f->closing)
            c->fault = (struct fault){.kind = FAULT_UNAVAILABLE};
        pthread_mutex_unlock(&f->mutex);
        try_call(c);
        pthread_mutex_lock(&f->mutex);
        f->trying = false;
        pthread_cond_broadcast(&f->wake);
        return true;
    } else {
        return false;
    }
    pthread_mutex_lock(&f->mutex);
    return true;
}

static void wait_for_something(struct faulty *f)
{
    uint64_t due = UINT64_MAX;

    if (f->late)
        due = f->late->due_ms;
    if (f->queue && f->queue->due_ms < due)
        due = f->queue->due_ms;
    if (due == UINT64_MAX) {
        pthread_cond_wait(&f->wake, &f->mutex);
        return;
    }
    struct timespec until = {.tv_sec = (time_t)(due / 1000),
                             .tv_nsec = (long)(due % 1000) * 1000000};
    pthread_cond_timedwait(&f->wake, &f->mutex, &until);
}

static void *faulty_main(void *arg)
{
    struct faulty *f = arg;

    pthread_mutex_lock(&f->mutex);
    for (;;) {
        while (do_one(f))
            continue;
        if (f->stop)
            break;
        wait_for_something(f);
    }
    pthread_mutex_unlock(&f->mutex);
    return NULL;
}

/* ---- the whole ---- */

static void faulty_close(struct engine *engine)
{
    struct faulty *f = (struct faulty *)engine;

    pthread_mutex_lock(&f->mutex);
    f->closing = true;
    pthread_cond_broadcast(&f->wake);
    while (f->trying)
        pthread_cond_wait(&f->wake, &f->mutex);
    pthread_mutex_unlock(&f->mutex);
    engine_close(f->inner);
    pthread_mutex_lock(&f->mutex);
    f->stop = true;
    pthread_cond_broadcast(&f->wake);
    pthread_mutex_unlock(&f->mutex);
    pthread_join(f->thread, NULL);
    pthread_mutex_lock(&f->mutex);
    f->ended = true;
    bool last = f->partitions == 0;
    pthread_mutex_unlock(&f->mutex);
    if (last)
        faulty_free(f);
}

/* Reads, writes and cursors are the inner engine's own objects: their functions are not here. */
static const struct engine_ops faulty_ops = {
    .open_partition = open_partition,
    .partition_close = partition_close,
    .read_begin = read_begin,
    .submit = submit,
    .blob_fetch = blob_fetch,
    .blob_pin = blob_pin,
    .blob_unpin = blob_unpin,
    .watch_start = watch_start,
    .watch_stop = watch_stop,
    .stats = stats,
    .partition_next = partition_next,
    .sound = sound,
    .verify = verify,
    .backup = backup,
    .close = faulty_close,
};

struct err engine_faulty_new(struct engine *inner, uint64_t seed, struct engine **out)
{
    struct faulty *f = mem_new(sizeof *f);
    pthread_condattr_t attr;

    f->base.ops = &faulty_ops;
    f->inner = inner;
    f->executor.post = post;
    f->posted_end = &f->posted;
    f->queue_end = &f->queue;
    f->random = f->watch_random = seed;
    pthread_mutex_init(&f->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&f->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&f->thread, NULL, faulty_main, f)) {
        faulty_free(f);
        return ERR(ERR_UNAVAILABLE, "no thread could be made");
    }
    *out = &f->base;
    return OK;
}

void engine_faulty_rates(struct engine *engine, const struct fault_rates *rates)
{
    struct faulty *f = (struct faulty *)engine;

    pthread_mutex_lock(&f->mutex);
    f->rates = *rates;
    pthread_mutex_unlock(&f->mutex);
}

void engine_faulty_script(struct engine *engine, const struct fault *faults, size_t n)
{
    struct faulty *f = (struct faulty *)engine;
    struct fault *copy = mem_array(n + 1, sizeof *copy);

    if (n)
        memcpy(copy, faults, n * sizeof *copy);
    pthread_mutex_lock(&f->mutex);
    free(f->script);
    f->script = copy;
    f->script_at = 0;
    f->script_len = n;
    pthread_mutex_unlock(&f->mutex);
}

void engine_faulty_disown(struct engine *engine, uint64_t partition_id)
{
    struct faulty *f = (struct faulty *)engine;

    pthread_mutex_lock(&f->mutex);
    disown(f, partition_id);
    pthread_mutex_unlock(&f->mutex);
}

void engine_faulty_own(struct engine *engine, uint64_t partition_id)
{
    struct faulty *f = (struct faulty *)engine;

    pthread_mutex_lock(&f->mutex);
    own(f, partition_id);
    pthread_mutex_unlock(&f->mutex);
}
