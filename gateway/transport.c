/* transport.c - who asks the queue, and who takes from it. */
#include "gateway/transport.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/attempt.h"
#include "gateway/outbox.h"
#include "gateway/receipt.h"

enum {
    THREADS = 4,
    LOOK_AGAIN_MS = 60000, /* other processes change the queue too, and clocks are set */
    TROUBLE_MS = 1000,     /* the store does not answer */
};

#define LOCK_TIME (10 * 60 * FILETIME_SECOND) /* for a client that sends by itself, or is gone */

/* What somebody asked, and that waits. */
struct job {
    struct mapi_mail *rq;
    struct task task;
    struct job *next;
    uint32_t from; /* the first UID that is not done yet, of receipts */
};

/* An entry that is being handed on. */
struct busy {
    uint64_t id;
    struct busy *next;
};

struct transport {
    struct mapi_transport face;
    struct attempt_way way;
    char *host_name;
    struct log *log;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t asked, due;
    struct job *first, **last;
    struct busy *busy;
    bool stopping;
    struct transport_counts counts;
    pthread_t threads[1 + THREADS];
    unsigned n_threads;
};

static struct store *store_of(const struct transport *t)
{
    return t->way.delivery.store;
}

static bool is_stopping(struct transport *t)
{
    pthread_mutex_lock(&t->mutex);
    bool stopping = t->stopping;
    pthread_mutex_unlock(&t->mutex);
    return stopping;
}

/* ---- who takes from the queue ---- */

static bool is_busy(const struct transport *t, uint64_t id)
{
    for (const struct busy *b = t->busy; b; b = b->next)
        if (b->id == id)
            return true;
    return false;
}

/* The first that nobody has. ERR_NOT_FOUND: none is due; *wait_ms: until one is. */
static struct err first_due(struct transport *t, uint64_t *id, uint64_t *wait_ms)
{
    uint64_t due = 0, now = clock_now().wall;
    struct err e;

    *wait_ms = LOOK_AGAIN_MS;
    *id = 0;
    do {
        e = store_queue_due(store_of(t), &due, id);
    } while (!failed(e) && is_busy(t, *id));
    if (failed(e) && e.code != ERR_NOT_FOUND)
        *wait_ms = TROUBLE_MS;
    if (failed(e) || due <= now)
        return e;
    uint64_t left = (due - now) / (FILETIME_SECOND / 1000) + 1;
    if (left < *wait_ms)
        *wait_ms = left;
    return ERR(ERR_NOT_FOUND, "nothing is due");
}

static void wait_for(struct transport *t, uint64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&t->due, &t->mutex, &until);
}

/* False: there will be no more. */
static bool take(struct transport *t, struct busy *b)
{
    uint64_t wait_ms;
    bool has = false;

    pthread_mutex_lock(&t->mutex);
    while (!t->stopping && !has) {
        has = !failed(first_due(t, &b->id, &wait_ms));
        if (!has)
            wait_for(t, wait_ms);
    }
    if (has) {
        b->next = t->busy;
        t->busy = b;
    }
    pthread_mutex_unlock(&t->mutex);
    return has;
}

/* One of which nothing could be written down is let alone for a while. */
static void release(struct transport *t, struct busy *b, bool good,
                    const struct transport_counts *counts)
{
    struct busy **link = &t->busy;

    pthread_mutex_lock(&t->mutex);
    if (!good && !t->stopping)
        wait_for(t, TROUBLE_MS);
    while (*link != b)
        link = &(*link)->next;
    *link = b->next;
    t->counts.sent += counts->sent;
    t->counts.deferred += counts->deferred;
    t->counts.failed += counts->failed;
    pthread_cond_broadcast(&t->due);
    pthread_mutex_unlock(&t->mutex);
}

static void *hand_on(void *owner)
{
    struct transport *t = owner;
    struct busy busy;

    while (take(t, &busy)) {
        struct transport_counts counts = {0};
        struct err e = attempt_run(&t->way, busy.id, &counts);

        release(t, &busy, !failed(e), &counts);
    }
    return NULL;
}

/* ---- what is asked ---- */

static void fill_entry(const struct mapi_mail *rq, struct arena *in, struct queue_entry *e)
{
    uint64_t now = clock_now().wall, since = rq->not_before > now ? rq->not_before : now;

    *e = (struct queue_entry){
        .owner = rq->identity,
        .sender = rq->sender,
        .mailbox_id = rq->mailbox_id,
        .fid = rq->fid,
        .mid = rq->mid,
        .to = rq->to,
        .wants_report = rq->wants_report,
        .created = now,
        .since = since,
        .due = since,
        .recipients = arena_array(in, rq->n_recipients + 1, sizeof *e->recipients),
        .n_recipients = rq->n_recipients,
    };
    for (size_t i = 0; i < rq->n_recipients; i++)
        e->recipients[i].address = rq->recipients[i];
}

/* That it shows as submitted is no condition of its being sent. */
static void mark(struct transport *t, const struct queue_entry *entry, bool on)
{
    struct err e = entry->mid ? outbox_mark(store_of(t), entry, on) : OK;

    if (failed(e))
        log_event(t->log, LOG_LEVEL_WARN, "transport.unmarked",
                  log_number("id", (int64_t)entry->id), log_str("why", e.why));
}

/*
 * Marked before it is in the queue: whoever hands it on takes the mark away again. The mark of what
 * did not get there goes.
 */
static struct err do_send(struct transport *t, const struct mapi_mail *rq)
{
    struct arena arena = ARENA_INIT;
    struct store_prepared *prepared;
    struct queue_entry entry, old;
    struct err e = store_prepare_bytes(store_of(t), SLICE_EMPTY, rq->bytes, &prepared);

    if (failed(e))
        return e;
    fill_entry(rq, &arena, &entry);
    if (rq->mid && !failed(store_queue_find(store_of(t), rq->mailbox_id, rq->mid, &arena, &old)))
        e = ERR(ERR_EXISTS, "the message is in the queue already");
    if (!failed(e)) {
        mark(t, &entry, true);
        e = store_queue_add(store_of(t), &entry, prepared);
        if (failed(e))
            mark(t, &entry, false);
    }
    store_prepared_free(prepared);
    if (!failed(e))
        log_event(t->log, LOG_LEVEL_INFO, "transport.queued", log_number("id", (int64_t)entry.id),
                  log_text("sender", entry.sender),
                  log_number("recipients", (int64_t)entry.n_recipients),
                  log_number("bytes", (int64_t)entry.size));
    arena_done(&arena);
    return e;
}

/*
 * Under the mutex, so that nobody begins to hand it on: it must not be long. What became of it
 * since it was found is looked up again.
 */
static struct err take_back(struct transport *t, uint64_t id)
{
    struct arena arena = ARENA_INIT;
    struct queue_entry e;
    struct err error = store_queue_get(store_of(t), id, &arena, &e);

    if (!failed(error) &&
        (is_busy(t, id) || attempt_has_result(&e) || e.locked_until > clock_now().wall))
        error = ERR(ERR_CONFLICT, "it is being handed over");
    arena_done(&arena);
    return failed(error) ? error : store_queue_remove(store_of(t), id);
}

static struct err do_abort(struct transport *t, const struct mapi_mail *rq, struct queue_entry *e)
{
    (void)rq;
    pthread_mutex_lock(&t->mutex);
    struct err error = take_back(t, e->id);
    pthread_mutex_unlock(&t->mutex);
    if (!failed(error))
        mark(t, e, false);
    return error;
}

static struct err set_lock(struct transport *t, const struct queue_entry *e, uint64_t until)
{
    struct err error = ERR(ERR_CONFLICT, "it is being handed over");

    pthread_mutex_lock(&t->mutex);
    if (!is_busy(t, e->id))
        error = store_queue_reschedule(store_of(t), e->id,
                                       &(struct queue_times){.since = e->since,
                                                             .due = until ? until : e->since,
                                                             .locked_until = until});
    pthread_mutex_unlock(&t->mutex);
    return error;
}

static struct err do_lock(struct transport *t, const struct mapi_mail *rq, struct queue_entry *e)
{
    (void)rq;
    return set_lock(t, e, clock_now().wall + LOCK_TIME);
}

static struct err do_unlock(struct transport *t, const struct mapi_mail *rq, struct queue_entry *e)
{
    (void)rq;
    return set_lock(t, e, 0);
}

/* The client sent it: so we do not. */
static struct err do_file(struct transport *t, const struct mapi_mail *rq, struct queue_entry *e)
{
    struct err error = OK;

    if (e) {
        pthread_mutex_lock(&t->mutex);
        error = is_busy(t, e->id) ? ERR(ERR_CONFLICT, "it is being handed over")
                                  : store_queue_remove(store_of(t), e->id);
        pthread_mutex_unlock(&t->mutex);
    }
    const struct queue_entry filed = {
        .mailbox_id = rq->mailbox_id, .fid = rq->fid, .mid = rq->mid, .to = rq->to};
    return failed(error) ? error : outbox_file(store_of(t), &filed);
}

static struct err with_entry(struct transport *t, const struct mapi_mail *rq)
{
    static struct err (*const tasks[])(struct transport *, const struct mapi_mail *,
                                       struct queue_entry *) = {
        [MAPI_MAIL_ABORT] = do_abort,
        [MAPI_MAIL_LOCK] = do_lock,
        [MAPI_MAIL_UNLOCK] = do_unlock,
        [MAPI_MAIL_FILE] = do_file,
    };
    struct arena arena = ARENA_INIT;
    struct queue_entry entry;
    struct err e = store_queue_find(store_of(t), rq->mailbox_id, rq->mid, &arena, &entry);

    if (!failed(e))
        e = tasks[rq->task](t, rq, &entry);
    else if (e.code == ERR_NOT_FOUND && rq->task == MAPI_MAIL_FILE)
        e = do_file(t, rq, NULL);
    arena_done(&arena);
    return e;
}

static void answer(struct task *task)
{
    struct job *job = container_of(task, struct job, task);
    struct mapi_mail *rq = job->rq;

    free(job);
    rq->done(rq);
}

static void finish(struct job *job, struct err e)
{
    job->rq->err = e;
    job->task.run = answer;
    executor_post(job->rq->home, &job->task);
}

/* NULL: there will be no more. */
static struct job *take_job(struct transport *t)
{
    pthread_mutex_lock(&t->mutex);
    while (!t->first && !t->stopping)
        pthread_cond_wait(&t->asked, &t->mutex);
    struct job *job = t->first;
    if (job) {
        t->first = job->next;
        if (!t->first)
            t->last = &t->first;
    }
    pthread_mutex_unlock(&t->mutex);
    return job;
}

static void put_job(struct transport *t, struct job *job)
{
    job->next = NULL;
    *t->last = job;
    t->last = &job->next;
    pthread_cond_signal(&t->asked);
}

/* Those of many messages in turns, so that nobody has to wait for them. True: it is done. */
static bool do_receipts(struct transport *t, struct job *job, struct err *e)
{
    uint32_t next = 0;

    *e = receipts_run(store_of(t), t->way.delivery.directory, t->host_name, job->rq, job->from,
                      &next);
    if (failed(*e) || next == 0)
        return true;
    job->from = next;
    pthread_mutex_lock(&t->mutex);
    put_job(t, job);
    pthread_mutex_unlock(&t->mutex);
    return false;
}

/* True: it is done. */
static bool run_job(struct transport *t, struct job *job, struct err *e)
{
    switch (job->rq->task) {
    case MAPI_MAIL_SEND:
        *e = do_send(t, job->rq);
        return true;
    case MAPI_MAIL_RECEIPTS:
    case MAPI_MAIL_UNREAD:
    case MAPI_MAIL_NO_RECEIPTS:
        return do_receipts(t, job, e);
    default:
        *e = with_entry(t, job->rq);
        return true;
    }
}

static void *keep(void *owner)
{
    struct transport *t = owner;
    struct job *job;

    while ((job = take_job(t)) != NULL) {
        struct err e = ERR(ERR_UNAVAILABLE, "the server stops");

        if (!is_stopping(t) && !run_job(t, job, &e))
            continue;
        finish(job, e);
        transport_wake(t);
    }
    return NULL;
}

static void ask(struct mapi_transport *self, struct mapi_mail *rq)
{
    struct transport *t = (struct transport *)self;
    struct job *job = mem_new(sizeof *job);

    *job = (struct job){.rq = rq};
    pthread_mutex_lock(&t->mutex);
    bool stopping = t->stopping;
    if (!stopping)
        put_job(t, job);
    pthread_mutex_unlock(&t->mutex);
    if (stopping)
        finish(job, ERR(ERR_UNAVAILABLE, "the server stops"));
}

/* ---- life ---- */

void transport_wake(struct transport *t)
{
    pthread_mutex_lock(&t->mutex);
    pthread_cond_broadcast(&t->due);
    pthread_mutex_unlock(&t->mutex);
}

void transport_count(struct transport *t, struct transport_counts *out)
{
    pthread_mutex_lock(&t->mutex);
    *out = t->counts;
    pthread_mutex_unlock(&t->mutex);
}

static bool start_threads(struct transport *t)
{
    for (; t->n_threads < 1 + THREADS; t->n_threads++)
        if (pthread_create(&t->threads[t->n_threads], NULL, t->n_threads ? hand_on : keep, t) != 0)
            break;
    return t->n_threads > 1;
}

static void init_conds(struct transport *t)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->asked, NULL);
    pthread_cond_init(&t->due, &attr);
    pthread_condattr_destroy(&attr);
}

struct err transport_new(const struct transport_config *config, struct store *store,
                         struct mapi_directory *directory, struct log *log, struct transport **out)
{
    struct hop *hop = NULL;
    struct err e = config->hop.url ? hop_new(&config->hop, &hop) : OK;

    if (failed(e))
        return e;
    struct transport *t = mem_new(sizeof *t);
    *t = (struct transport){
        .face.ask = ask,
        .way = {.hop = hop,
                .retry_ms = config->retry_ms,
                .give_up_ms = config->give_up_ms,
                .log = log,
                .stop = eventfd(0, EFD_CLOEXEC)},
        .host_name = mem_str(config->hop.host_name),
        .log = log,
        .last = &t->first,
    };
    t->way.delivery = (struct delivery){store, directory, t->host_name};
    init_conds(t);
    if (t->way.stop < 0 || !start_threads(t)) {
        transport_free(t);
        return ERR(ERR_UNAVAILABLE, "no thread can be started");
    }
    *out = t;
    return OK;
}

struct mapi_transport *transport_face(struct transport *transport)
{
    return &transport->face;
}

void transport_stop(struct transport *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->mutex);
    t->stopping = true;
    pthread_cond_broadcast(&t->asked);
    pthread_cond_broadcast(&t->due);
    pthread_mutex_unlock(&t->mutex);
    if (t->way.stop >= 0)
        (void)!eventfd_write(t->way.stop, 1);
    for (unsigned i = 0; i < t->n_threads; i++)
        pthread_join(t->threads[i], NULL);
    t->n_threads = 0;
}

void transport_free(struct transport *t)
{
    if (!t)
        return;
    transport_stop(t);
    pthread_cond_destroy(&t->due);
    pthread_cond_destroy(&t->asked);
    pthread_mutex_destroy(&t->mutex);
    if (t->way.stop >= 0)
        close(t->way.stop);
    hop_free(t->way.hop);
    free(t->host_name);
    free(t);
}
