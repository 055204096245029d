/* attempt.c - to the next hop, into Sent Items, and back to who sent it. */
#include "gateway/attempt.h"

#include <poll.h>

#include "base/clock.h"
#include "gateway/outbox.h"
#include "gateway/report.h"

enum { MAX_DOUBLINGS = 20 };

#define MAX_PAUSE (4 * 3600 * FILETIME_SECOND)

struct attempt {
    const struct attempt_way *way;
    uint64_t id;
    struct transport_counts *counts;
    struct arena arena;
    struct queue_entry entry;
    struct slice bytes;
    size_t *which; /* the entry's recipients that the mail has */
    struct smtp_mail mail;
};

static struct store *store_of(const struct attempt_way *w)
{
    return w->delivery.store;
}

static uint64_t ticks(uint64_t ms)
{
    return ms * (FILETIME_SECOND / 1000);
}

/* ---- what there is to do ---- */

static bool is_waiting(const struct queue_entry *e)
{
    for (size_t i = 0; i < e->n_recipients; i++)
        if (e->recipients[i].state == QUEUE_WAITS)
            return true;
    return false;
}

bool attempt_has_result(const struct queue_entry *e)
{
    for (size_t i = 0; i < e->n_recipients; i++)
        if (e->recipients[i].state != QUEUE_WAITS)
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

static void log_outcome(const struct attempt_way *w, const struct queue_entry *e,
                        const struct queue_recipient *r, const char *event, enum log_level level)
{
    log_event(w->log, level, event, log_number("id", (int64_t)e->id), log_text("sender", e->sender),
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
    const struct attempt_way *w = a->way;

    r->reply = slice_str(result->reply);
    r->answered = result->result == SMTP_TAKEN && a->mail.reports;
    if (result->result == SMTP_TAKEN)
        r->state = QUEUE_SENT;
    else if (result->result == SMTP_REFUSED)
        r->state = QUEUE_FAILED;
    else if (expired)
        give_up(a, r);
    a->counts->sent += r->state == QUEUE_SENT;
    a->counts->failed += r->state == QUEUE_FAILED;
    a->counts->deferred += r->state == QUEUE_WAITS;
    if (r->state == QUEUE_SENT)
        log_outcome(w, &a->entry, r, "transport.sent", LOG_LEVEL_INFO);
    else if (r->state == QUEUE_FAILED)
        log_outcome(w, &a->entry, r, "transport.failed", LOG_LEVEL_WARN);
    else
        log_outcome(w, &a->entry, r, "transport.deferred", LOG_LEVEL_WARN);
}

static uint64_t pause_after(const struct attempt_way *w, uint32_t attempts)
{
    uint64_t pause = ticks(w->retry_ms);

    for (uint32_t i = 1; i < attempts && i < MAX_DOUBLINGS && pause < MAX_PAUSE; i++)
        pause *= 2;
    return pause < MAX_PAUSE ? pause : MAX_PAUSE;
}

static bool is_stopping(const struct attempt *a)
{
    struct pollfd fd = {.fd = a->way->stop, .events = POLLIN};

    return poll(&fd, 1, 0) > 0;
}

/* Was it broken off before anybody had a say? Then it was no attempt. */
static bool was_broken_off(const struct attempt *a)
{
    bool any = false;

    for (size_t i = 0; i < a->mail.n_recipients; i++)
        any = any || a->mail.recipients[i].result != SMTP_LATER;
    return !any && is_stopping(a);
}

static void hand_over(struct attempt *a)
{
    const struct attempt_way *w = a->way;
    struct queue_entry *e = &a->entry;

    fill_mail(a);
    if (w->hop)
        hop_send(w->hop, &a->mail, w->stop);
    else
        delivery_send(&w->delivery, e->id, &a->mail);
    if (was_broken_off(a))
        return;
    uint64_t now = clock_now().wall;
    e->attempts++;
    for (size_t i = 0; i < a->mail.n_recipients; i++)
        take_result(a, &e->recipients[a->which[i]], &a->mail.recipients[i],
                    now >= e->since + ticks(w->give_up_ms));
}

/* ---- its sender ---- */

/* Is he still here, and that his mailbox? One that is gone would be made anew by opening it. */
static bool has_sender(const struct attempt_way *w, const struct queue_entry *e)
{
    struct arena arena = ARENA_INIT;
    struct mapi_person person;
    struct mapi_directory *directory = w->delivery.directory;
    struct err error = directory->find(directory, e->owner, &arena, &person);
    bool has = failed(error) ? error.code == ERR_UNAVAILABLE : person.mailbox_id == e->mailbox_id;

    arena_done(&arena);
    return has;
}

static struct err tell(struct attempt *a, enum report_kind kind, const char *what)
{
    const struct attempt_way *w = a->way;
    struct queue_entry *e = &a->entry;
    struct buf text = buf_make(SIZE_MAX), id = buf_make(64);
    const struct report report = {
        .kind = kind,
        .host_name = w->delivery.host_name,
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
        error = delivery_put(&w->delivery, e->id, (const char *)id.data, e->mailbox_id,
                             buf_slice(&text));
    }
    if (error.code == ERR_QUOTA || error.code == ERR_TOO_BIG) { /* he cannot be told */
        log_event(w->log, LOG_LEVEL_WARN, "transport.untold", log_number("id", (int64_t)e->id),
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
    const struct hop *hop = a->way->hop;

    if (a->entry.sender.len == 0)
        return OK;
    struct err e = tell(a, REPORT_FAILED, "failed");
    if (!failed(e))
        e = tell(a, hop && !hop_delivers(hop) ? REPORT_RELAYED : REPORT_DELIVERED, "done");
    return e;
}

/* ---- an attempt ---- */

/* What follows from the results; all of it may be done again. */
static struct err settle(struct attempt *a)
{
    const struct attempt_way *w = a->way;
    struct queue_entry *e = &a->entry;
    struct err error = OK;

    if (attempt_has_result(e) && has_sender(w, e)) {
        if (e->mid)
            error = outbox_file(store_of(w), e);
        if (!failed(error))
            error = tell_sender(a);
    }
    if (failed(error))
        return error;
    if (attempt_has_result(e))
        e->mid = 0;
    for (size_t i = 0; i < e->n_recipients; i++) /* or nobody is there to be told */
        e->recipients[i].told = e->recipients[i].told || e->recipients[i].state != QUEUE_WAITS;
    if (!is_waiting(e))
        return store_queue_remove(store_of(w), e->id);
    if (a->mail.n_recipients > 0 && !was_broken_off(a)) /* else there was no attempt */
        e->due = clock_now().wall + pause_after(w, e->attempts);
    return store_queue_update(store_of(w), e);
}

/* Its sender took it back by moving or deleting it. */
static struct err withdraw(struct attempt *a)
{
    log_event(a->way->log, LOG_LEVEL_INFO, "transport.withdrawn", log_number("id", (int64_t)a->id),
              log_text("sender", a->entry.sender));
    return store_queue_remove(store_of(a->way), a->id);
}

/* Was it killed before what follows from its results was done, or written down? */
static bool is_unsettled(const struct queue_entry *e)
{
    bool any = e->mid && attempt_has_result(e);

    for (size_t i = 0; i < e->n_recipients; i++) {
        const struct queue_recipient *r = &e->recipients[i];
        bool tells =
            r->state == QUEUE_FAILED || (r->state == QUEUE_SENT && e->wants_report && !r->answered);

        any = any || (e->sender.len > 0 && tells && !r->told);
    }
    return any;
}

static struct err run(struct attempt *a)
{
    struct store *store = store_of(a->way);
    struct queue_entry *entry = &a->entry;
    bool has = true;

    struct err e = store_queue_get(store, a->id, &a->arena, entry);
    if (!failed(e) && entry->mid && !attempt_has_result(entry) && has_sender(a->way, entry))
        e = outbox_has(store, entry, &has);
    if (!failed(e) && !has)
        return withdraw(a);
    if (!failed(e))
        e = store_queue_bytes(store, entry, &a->arena, &a->bytes);
    if (!failed(e) && is_waiting(entry) && !is_unsettled(entry)) {
        hand_over(a);
        if (attempt_has_result(entry)) /* before anything else */
            e = store_queue_update(store, entry);
    }
    return failed(e) ? e : settle(a);
}

/*
 * It ended in trouble here, not at the next hop: with the store, or its sender's mailbox. What came
 * of it so far is kept, if anything can be; the others go before it.
 */
static struct err put_off(struct attempt *a, struct err why)
{
    const struct attempt_way *w = a->way;

    log_event(w->log, LOG_LEVEL_ERROR, "transport.trouble", log_number("id", (int64_t)a->id),
              log_str("error", err_name(why.code)), log_str("why", why.why));
    if (!a->entry.id)
        return why;
    a->entry.due = clock_now().wall + pause_after(w, a->entry.attempts + 1);
    return store_queue_update(store_of(w), &a->entry);
}

struct err attempt_run(const struct attempt_way *way, uint64_t id, struct transport_counts *counts)
{
    struct attempt a = {.way = way, .id = id, .counts = counts};
    struct err e = run(&a);

    if (failed(e) && e.code != ERR_NOT_FOUND) /* else it was dropped meanwhile */
        e = put_off(&a, e);
    arena_done(&a.arena);
    return e.code == ERR_NOT_FOUND ? OK : e;
}
