/*
 * deliver.c - from the spool to the mailboxes, and one reply per recipient (RFC 2033 4.2).
 *
 * The bytes are prepared once and appended to each mailbox by a request of its own: mailboxes
 * share nothing, so each has its own end, and its recipients their own reply. An end that the
 * store does not know is asked for again by the delivery's id, which cannot store it twice.
 *
 * A sending server that loses our reply sends the message again, and it is then stored again.
 * Nothing in LMTP tells such a repetition from a message that is sent twice on purpose (the
 * envelope has no id of its own), and of losing mail and doubling it only the second can be borne.
 */
#include "base/mem.h"
#include "protocols/answers.h"
#include "protocols/lmtp/lmtp_int.h"

/* ---- replies ---- */

static enum session_next reply_on(struct lmtp_session *s)
{
    struct lmtp_transaction *t = s->transaction;

    while (s->next_reply < t->n_recipients) {
        if (!lmtp_has_room(s)) {
            s->resume = reply_on;
            return NEXT_PULL;
        }
        lmtp_reply(s, answer_err(t->recipients[s->next_reply++]->err.code)->lmtp);
    }
    lmtp_enter(s, AT_READY);
    return NEXT_READ;
}

static void log_end(struct lmtp_session *s, const struct lmtp_box *box)
{
    if (failed(box->err))
        log_event(s->env->log, LOG_LEVEL_ERROR, "lmtp.failed",
                  log_str("session", s->env->peer->session_id),
                  log_number("mailbox", (int64_t)box->mailbox_id),
                  log_str("error", err_name(box->err.code)), log_str("why", box->err.why));
    else
        log_event(s->env->log, LOG_LEVEL_INFO, "lmtp.delivered",
                  log_str("session", s->env->peer->session_id),
                  log_number("message", (int64_t)s->messages),
                  log_number("mailbox", (int64_t)box->mailbox_id),
                  log_number("uid", box->append.first_uid),
                  log_number("bytes", (int64_t)s->transaction->received),
                  log_text("sender", s->transaction->sender));
}

static enum session_next reply_all(struct lmtp_session *s)
{
    for (struct lmtp_box *box = s->transaction->boxes; box; box = box->next) {
        if (box->mailbox_id == 0)
            continue;
        log_end(s, box);
        s->env->summary->appended += !failed(box->err);
    }
    s->next_reply = 0;
    return reply_on(s);
}

static enum session_next fail_all(struct lmtp_session *s, struct err e)
{
    for (struct lmtp_box *box = s->transaction->boxes; box; box = box->next)
        box->err = e;
    return reply_all(s);
}

/* ---- appending ---- */

static void submit(struct lmtp_box *box);

static bool has_id(const struct lmtp_transaction *t)
{
    static const uint8_t none[ENGINE_ID_LEN];

    return memcmp(t->id, none, sizeof none) != 0;
}

static void on_appended(struct store_op *op)
{
    struct lmtp_box *box = op->owner;

    if (op->err.code == ERR_UNKNOWN_END && !box->retried && has_id(box->transaction)) {
        box->retried = true;
        submit(box);
        return;
    }
    box->err = op->err;
    lmtp_transaction_arrived(box->transaction);
}

static void submit(struct lmtp_box *box)
{
    struct store_append *rq = &box->append;
    struct executor *home = box->opening.home;

    store_append_init(rq);
    rq->fid = box->fid;
    rq->messages = &box->message;
    rq->n = 1;
    rq->delivered = true;
    rq->op.home = home;
    rq->op.done = on_appended;
    rq->op.owner = box;
    memcpy(rq->op.id, box->transaction->id, sizeof rq->op.id);
    store_submit(box->mailbox, &rq->op);
}

static enum session_next append_all(struct lmtp_session *s)
{
    struct lmtp_transaction *t = s->transaction;

    for (struct lmtp_box *box = t->boxes; box; box = box->next)
        t->pending += box->mailbox_id != 0;
    for (struct lmtp_box *box = t->boxes; box; box = box->next) {
        if (box->mailbox_id == 0)
            continue; /* refused at RCPT */
        box->message = (struct store_new_message){
            .prepared = t->prepared,
            .internaldate = s->env->clock->wall,
        };
        submit(box);
    }
    return lmtp_wait(s, reply_all);
}

/* ---- preparing ---- */

static enum session_next prepared(struct lmtp_session *s)
{
    struct lmtp_transaction *t = s->transaction;

    return failed(t->prepare.err) ? fail_all(s, t->prepare.err) : append_all(s);
}

static void on_prepared(struct store_prepare_op *op)
{
    struct lmtp_transaction *t = op->owner;

    if (!failed(op->err))
        t->prepared = op->prepared;
    lmtp_transaction_arrived(t);
}

static enum session_next prepare_elsewhere(struct lmtp_session *s, struct store_spool *spool)
{
    struct lmtp_transaction *t = s->transaction;

    t->prepare = (struct store_prepare_op){
        .spool = spool,
        .home = s->env->home,
        .done = on_prepared,
        .owner = t,
    };
    t->pending++;
    store_prepare_async(t->store, &t->prepare);
    return lmtp_wait(s, prepared);
}

enum session_next lmtp_deliver(struct lmtp_session *s)
{
    struct lmtp_transaction *t = s->transaction;
    struct store_spool *spool = t->spool;

    if (failed(t->content_err))
        return fail_all(s, t->content_err);
    t->spool = NULL; /* taken over */
    if (store_spool_size(spool) > STORE_PREPARE_INLINE)
        return prepare_elsewhere(s, spool);
    t->prepare.err = store_prepare(t->store, spool, &t->prepared);
    return prepared(s);
}
