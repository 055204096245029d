/* transport.c - who asks the queue, who takes from it, and what an attempt comes to. */
#include "gateway/transport.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/delivery.h"
#include "gateway/outbox.h"
#include "gateway/receipt.h"
#include "gateway/report.h"

enum {
    THREADS = 4,
    LOOK_AGAIN_MS = 60000, /* other processes change the queue too, and clocks are set */
    TROUBLE_MS = 1000,     /* the store does not answer */
    MAX_DOUBLINGS = 20,
};

#define MAX_PAUSE (4 * 3600 * FILETIME_SECOND)
#define LOCK_TIME (10 * 60 * FILETIME_SECOND) /* for a client that sends by itself, or is gone */

/* What somebody asked, and that waits. */
struct job {
    struct mapi_mail *rq;
    struct task task;
    struct job *next;
    uint32_t from; /* the first UID that is not done yet, of receipts */
};

/* An entry that is being handed on. */
struct attempt {
    struct transport *transport;
    uint64_t id;
    struct attempt *next;
    struct arena arena;
    struct queue_entry entry;
    struct slice bytes;
    size_t *which; /* the entry's recipients that the mail has */
    struct smtp_mail mail;
};

struct transport {
    struct mapi_transport face;
    struct transport_config config; /* its texts are not kept */
    struct hop *hop;
    struct delivery delivery;
    char *host_name;
    struct log *log;
    int stop_fd;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t asked, due;
    struct job *first, **last;
    struct attempt *busy;
    bool stopping;
    struct transport_counts counts;
    pthread_t threads[1 + THREADS];
    unsigned n_threads;
};

static struct store *store_of(const struct transport *t)
{
    return t->delivery.store;
}

static uint64_t ticks(uint64_t ms)
{
    return ms * (FILETIME_SECOND / 1000);
}

/* ---- an attempt: what there is to do ---- */

static bool is_waiting(const struct queue_entry *e)
{
    for (size_t i = 0; i < e->n_recipients; i++)
        if (e->recipients[i].state == QUEUE_WAITS)
            return true;
    return false;
}

static void fill_mail(struct attempt *a)
{
    const struct queue_entry *e = &a->entry;
    struct buf id = buf_make(64);

    a->which = arena_array(&a->arena, e->n_recipients + 1, sizeof *a->which);
    a->mail = (struct smtp_mail){
        .sender = e->sender,
        .bytes = a->bytes,
        .recipients = arena_array(&a->arena, e->n_recipients + 1, sizeof *a->mail.recipients),
        .wants_report = e->wants_report,
    };
    for (size_t i = 0; i < e->n_recipients; i++) {
        if (e->recipients[i].state != QUEUE_WAITS)
            continue;
        a->which[a->mail.n_recipients] = i;
        a->mail.recipients[a->mail.n_recipients++].address = e->recipients[i].address;
    }
    buf_printf(&id, "%llx", (unsigned long long)e->id);
    a->mail.envelope_id = arena_slice(&a->arena, buf_slice(&id));
    buf_done(&id);
}

/* ---- what came of it ---- */

static void log_outcome(struct transport *t, const struct queue_entry *e,
                        const struct queue_recipient *r, const char *event, enum log_level level)
{
    log_event(t->log, level, event, log_number("id", (int64_t)e->id), log_text("sender", e->sender),
              log_text("recipient", r->address), log_number("attempts", e->attempts),
              log_text("reply", r->reply));
}

static void give_up(struct attempt *a, struct queue_recipient *r)
{
    struct buf words = buf_make(2 * QUEUE_REPLY_MAX);

    buf_printf(&words, "4.4.7 given up after %u attempts: %.*s", a->entry.attempts,
               SLICE_ARG(r->reply));
    r->state = QUEUE_FAILED;
    r->reply = arena_slice(&a->arena, slice_head(buf_slice(&words), QUEUE_REPLY_MAX));
    buf_done(&words);
}

static void take_result(struct attempt *a, struct queue_recipient *r,
                        const struct smtp_recipient *result, bool expired)
{
    struct transport *t = a->transport;

    r->reply = slice_str(result->reply);
    r->answered = result->result == SMTP_TAKEN && a->mail.reports;
    if (result->result == SMTP_TAKEN)
        r->state = QUEUE_SENT;
    else if (result->result == SMTP_REFUSED)
        r->state = QUEUE_FAILED;
    else if (expired)
        give_up(a, r);
    pthread_mutex_lock(&t->mutex);
    t->counts.sent += r->state == QUEUE_SENT;
    t->counts.failed += r->state == QUEUE_FAILED;
    t->counts.deferred += r->state == QUEUE_WAITS;
    pthread_mutex_unlock(&t->mutex);
    if (r->state == QUEUE_SENT)
        log_outcome(t, &a->entry, r, "transport.sent", LOG_LEVEL_INFO);
    else if (r->state == QUEUE_FAILED)
        log_outcome(t, &a->entry, r, "transport.failed", LOG_LEVEL_WARN);
    else
        log_outcome(t, &a->entry, r, "transport.deferred", LOG_LEVEL_WARN);
}

static uint64_t pause_after(const struct transport *t, uint32_t attempts)
{
    uint64_t pause = ticks(t->config.retry_ms);

    for (uint32_t i = 1; i < attempts && i < MAX_DOUBLINGS && pause < MAX_PAUSE; i++)
        pause *= 2;
    return pause < MAX_PAUSE ? pause : MAX_PAUSE;
}

static bool is_stopping(struct transport *t)
{
    pthread_mutex_lock(&t->mutex);
    bool stopping = t->stopping;
    pthread_mutex_unlock(&t->mutex);
    return stopping;
}

/* Was it broken off before anybody had a say? Then it was no attempt. */
static bool was_broken_off(const struct attempt *a)
{
    bool any = false;

    for (size_t i = 0; i < a->mail.n_recipients; i++)
        any = any || a->mail.recipients[i].result != SMTP_LATER;
    return !any && is_stopping(a->transport);
}

static void hand_over(struct attempt *a)
{
    struct transport *t = a->transport;
    struct queue_entry *e = &a->entry;

    fill_mail(a);
    if (t->hop)
        hop_send(t->hop, &a->mail, t->stop_fd);
    else
        delivery_send(&t->delivery, e->id, &a->mail);
    if (was_broken_off(a))
        return;
    uint64_t now = clock_now().wall;
    e->attempts++;
    for (size_t i = 0; i < a->mail.n_recipients; i++)
        take_result(a, &e->recipients[a->which[i]], &a->mail.recipients[i],
                    now >= e->since + ticks(t->config.give_up_ms));
}

/* ---- its sender ---- */

/* Is he still here, and that his mailbox? One that is gone would be made anew by opening it. */
static bool has_sender(struct transport *t, const struct queue_entry *e)
{
    struct arena arena = ARENA_INIT;
    struct mapi_person person;
    struct mapi_directory *directory = t->delivery.directory;
    struct err error = directory->find(directory, e->owner, &arena, &person);
    bool has = failed(error) ? error.code == ERR_UNAVAILABLE : person.mailbox_id == e->mailbox_id;

    arena_done(&arena);
    return has;
}

static struct err tell(struct attempt *a, enum report_kind kind, const char *what)
{
    struct transport *t = a->transport;
    struct queue_entry *e = &a->entry;
    struct buf text = buf_make(SIZE_MAX), id = buf_make(64);
    const struct report report = {
        .kind = kind,
        .host_name = t->host_name,
        .entry = e,
        .original = a->bytes,
        .now = clock_now().wall,
    };
    bool any = false;
    struct err error = OK;

    for (size_t i = 0; i < e->n_recipients; i++)
        any = any || report_tells(&report, &e->recipients[i]);
    if (any) {
        report_put(&report, &text);
        buf_printf(&id, "%s %u", what, e->attempts);
        buf_putc(&id, 0);
        error = delivery_put(&t->delivery, e->id, (const char *)id.data, e->mailbox_id,
                             buf_slice(&text));
    }
    if (error.code == ERR_QUOTA || error.code == ERR_TOO_BIG) { /* he cannot be told */
        log_event(t->log, LOG_LEVEL_WARN, "transport.untold", log_number("id", (int64_t)e->id),
                  log_text("owner", e->owner), log_str("why", error.why));
        error = OK;
    }
    for (size_t i = 0; i < e->n_recipients && any && !failed(error); i++)
        e->recipients[i].told = e->recipients[i].told || report_tells(&report, &e->recipients[i]);
    buf_done(&text);
    buf_done(&id);
    return error;
}

/* A report of a report would go to nobody. */
static struct err tell_sender(struct attempt *a)
{
    const struct hop *hop = a->transport->hop;

    if (a->entry.sender.len == 0)
        return OK;
    struct err e = tell(a, REPORT_FAILED, "failed");
    if (!failed(e))
        e = tell(a, hop && !hop_delivers(hop) ? REPORT_RELAYED : REPORT_DELIVERED, "done");
    return e;
}

/* ---- an attempt ---- */

static bool has_result(const struct queue_entry *e)
{
    for (size_t i = 0; i < e->n_recipients; i++)
        if (e->recipients[i].state != QUEUE_WAITS)
            return true;
    return false;
}

/* What follows from the results; all of it may be done again. */
static struct err settle(struct attempt *a)
{
    struct transport *t = a->transport;
    struct queue_entry *e = &a->entry;
    struct err error = OK;

    if (has_result(e) && has_sender(t, e)) {
        if (e->mid)
            error = outbox_file(store_of(t), e);
        if (!failed(error))
            error = tell_sender(a);
    }
    if (failed(error))
        return error;
    if (has_result(e))
        e->mid = 0;
    if (!is_waiting(e))
        return store_queue_remove(store_of(t), e->id);
    if (!was_broken_off(a))
        e->due = clock_now().wall + pause_after(t, e->attempts);
    return store_queue_update(store_of(t), e);
}

/* Its sender took it back by moving or deleting it. */
static struct err withdraw(struct attempt *a)
{
    log_event(a->transport->log, LOG_LEVEL_INFO, "transport.withdrawn",
              log_number("id", (int64_t)a->id), log_text("sender", a->entry.sender));
    return store_queue_remove(store_of(a->transport), a->id);
}

static struct err run(struct attempt *a)
{
    struct store *store = store_of(a->transport);
    struct queue_entry *entry = &a->entry;
    bool has = true;

    struct err e = store_queue_get(store, a->id, &a->arena, entry);
    if (!failed(e) && entry->mid && !has_result(entry) && has_sender(a->transport, entry))
        e = outbox_has(store, entry, &has);
    if (!failed(e) && !has)
        return withdraw(a);
    if (!failed(e))
        e = store_queue_bytes(store, entry, &a->arena, &a->bytes);
    if (!failed(e) && is_waiting(entry)) {
        hand_over(a);
        if (has_result(entry)) /* before anything else */
            e = store_queue_update(store, entry);
    }
    return failed(e) ? e : settle(a);
}

/* ---- who takes from the queue ---- */

static bool is_busy(const struct transport *t, uint64_t id)
{
    for (const struct attempt *a = t->busy; a; a = a->next)
        if (a->id == id)
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
static bool take(struct transport *t, struct attempt *a)
{
    uint64_t wait_ms;
    bool has = false;

    pthread_mutex_lock(&t->mutex);
    while (!t->stopping && !has) {
        has = !failed(first_due(t, &a->id, &wait_ms));
        if (!has)
            wait_for(t, wait_ms);
    }
    if (has) {
        a->next = t->busy;
        t->busy = a;
    }
    pthread_mutex_unlock(&t->mutex);
    return has;
}

/*
 * Its attempt ended in trouble here, not at the next hop: with the store, or its sender's mailbox.
 * What came of it so far is kept, if anything can be; the others go before it.
 */
static void put_off(struct attempt *a, struct err why)
{
    struct transport *t = a->transport;

    log_event(t->log, LOG_LEVEL_ERROR, "transport.trouble", log_number("id", (int64_t)a->id),
              log_str("error", err_name(why.code)), log_str("why", why.why));
    a->entry.due = clock_now().wall + pause_after(t, a->entry.attempts + 1);
    struct err e = a->entry.id ? store_queue_update(store_of(t), &a->entry) : why;
    if (!failed(e))
        return;
    pthread_mutex_lock(&t->mutex);
    if (!t->stopping)
        wait_for(t, TROUBLE_MS);
    pthread_mutex_unlock(&t->mutex);
}

static void release(struct transport *t, struct attempt *a)
{
    struct attempt **link = &t->busy;

    pthread_mutex_lock(&t->mutex);
    while (*link != a)
        link = &(*link)->next;
    *link = a->next;
    pthread_cond_broadcast(&t->due);
    pthread_mutex_unlock(&t->mutex);
    arena_done(&a->arena);
}

static void *hand_on(void *owner)
{
    struct transport *t = owner;
    struct attempt a = {.transport = t};

    while (take(t, &a)) {
        struct err e = run(&a);

        if (failed(e) && e.code != ERR_NOT_FOUND) /* else it was dropped meanwhile */
            put_off(&a, e);
        release(t, &a);
        a = (struct attempt){.transport = t};
    }
    return NULL;
}

/* ---- what is asked ---- */

static struct err prepare(struct transport *t, struct slice bytes, struct store_prepared **out)
{
    struct store_spool *spool = store_spool_new(store_of(t));
    struct err e = store_spool_put(spool, bytes);

    if (failed(e)) {
        store_spool_free(spool);
        return e;
    }
    return store_prepare(store_of(t), spool, out);
}

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
    struct err e = prepare(t, rq->bytes, &prepared);

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

/* Under the mutex, so that nobody begins to hand it on: it must not be long. */
static struct err take_back(struct transport *t, const struct queue_entry *e)
{
    if (is_busy(t, e->id) || has_result(e) || e->locked_until > clock_now().wall)
        return ERR(ERR_CONFLICT, "it is being handed over");
    return store_queue_remove(store_of(t), e->id);
}

static struct err do_abort(struct transport *t, const struct mapi_mail *rq, struct queue_entry *e)
{
    (void)rq;
    pthread_mutex_lock(&t->mutex);
    struct err error = take_back(t, e);
    pthread_mutex_unlock(&t->mutex);
    if (!failed(error))
        mark(t, e, false);
    return error;
}

static struct err set_lock(struct transport *t, struct queue_entry *e, uint64_t until)
{
    struct err error = ERR(ERR_CONFLICT, "it is being handed over");

    pthread_mutex_lock(&t->mutex);
    if (!is_busy(t, e->id)) {
        e->locked_until = until;
        e->due = until ? until : e->since;
        error = store_queue_update(store_of(t), e);
    }
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
    struct job *job = (struct job *)((char *)task - offsetof(struct job, task));
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

    *e = receipts_run(store_of(t), t->delivery.directory, t->host_name, job->rq, job->from, &next);
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
        .config = *config,
        .hop = hop,
        .host_name = mem_str(config->hop.host_name),
        .log = log,
        .stop_fd = eventfd(0, EFD_CLOEXEC),
        .last = &t->first,
    };
    t->config.hop = (struct hop_config){.url = NULL};
    t->delivery = (struct delivery){store, directory, t->host_name};
    init_conds(t);
    if (t->stop_fd < 0 || !start_threads(t)) {
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
    if (t->stop_fd >= 0)
        (void)!eventfd_write(t->stop_fd, 1);
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
    if (t->stop_fd >= 0)
        close(t->stop_fd);
    hop_free(t->hop);
    free(t->host_name);
    free(t);
}
