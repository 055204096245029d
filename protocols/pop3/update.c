/*
 * update.c - what a session changes in the mailbox, all of it at its end: QUIT removes what DELE
 * marked (RFC 1939 6), and however a session ends, what RETR has sent is read.
 */
#include "base/mem.h"
#include "protocols/answers.h"
#include "protocols/pop3/pop3_int.h"

/* It outlives a session that goes before the answers are there. */
struct pop3_update {
    struct store_set_flags reading;
    struct store_expunge removal;
    struct mailbox *mailbox;
    struct log *log;
    struct pop3_session *session; /* NULL: gone */
    unsigned running;
};

static void update_free(struct pop3_update *u)
{
    uidset_done(&u->reading.uids);
    uidset_done(&u->reading.modified);
    uidset_done(&u->reading.changed);
    uidset_done(&u->removal.uids);
    uidset_done(&u->removal.expunged);
    mailbox_close(u->mailbox);
    free(u);
}

static void on_done(struct pop3_update *u)
{
    if (--u->running > 0)
        return;
    if (u->session)
        pop3_wake(u->session);
    else
        update_free(u);
}

/* Nobody deletes by it, so nobody is told that it went wrong but the administrator. */
static void on_read(struct store_op *op)
{
    struct pop3_update *u = op->owner;

    if (failed(op->err) && op->err.code != ERR_NOT_FOUND)
        log_event(u->log, LOG_LEVEL_ERROR, "pop3.read", log_str("error", err_name(op->err.code)),
                  log_str("why", op->err.why));
    on_done(u);
}

static void on_removed(struct store_op *op)
{
    on_done(op->owner);
}

static void submit(struct pop3_session *s, struct store_op *op, void (*done)(struct store_op *op))
{
    op->home = s->env->home;
    op->done = done;
    op->owner = s->update;
    store_submit(s->update->mailbox, op);
}

/* Make s->update, and submit what it has to do: at least one of both. */
static void begin(struct pop3_session *s, const struct uidset *read, const struct uidset *removed)
{
    struct pop3_update *u = mem_new(sizeof *u);

    pop3_read_end(s);
    s->update = u;
    *u = (struct pop3_update){
        .mailbox = mailbox_hold(s->drop.mailbox),
        .log = s->env->log,
        .session = s,
        .running = (unsigned)((read->n > 0) + (removed->n > 0)),
    };
    store_set_flags_init(&u->reading);
    u->reading.fid = s->drop.inbox;
    u->reading.how = FLAGS_ADD;
    u->reading.flags = FLAG_SEEN;
    uidset_copy(&u->reading.uids, read);
    store_expunge_init(&u->removal);
    u->removal.fid = s->drop.inbox;
    uidset_copy(&u->removal.uids, removed);
    if (read->n > 0)
        submit(s, &u->reading.op, on_read);
    if (removed->n > 0)
        submit(s, &u->removal.op, on_removed);
}

static void let_go(struct pop3_session *s)
{
    struct pop3_update *u = s->update;

    s->update = NULL;
    u->session = NULL;
    if (u->running == 0)
        update_free(u);
}

void pop3_update_done(struct pop3_session *s)
{
    const struct uidset nothing = UIDSET_EMPTY;

    if (s->update)
        let_go(s);
    if (s->drop.read_here.n == 0)
        return;
    begin(s, &s->drop.read_here, &nothing);
    uidset_clear(&s->drop.read_here);
    let_go(s);
}

static enum session_next quit_updated(struct pop3_session *s)
{
    bool removing = s->update->removal.uids.n > 0;
    struct err e = removing ? s->update->removal.op.err : OK;

    s->env->summary->expunged += uidset_count(&s->update->removal.expunged);
    let_go(s);
    if (failed(e))
        pop3_store_err(s, e);
    else
        pop3_ok(s, removing ? "Goodbye, what was marked is deleted" : "Goodbye");
    return pop3_close(s, "logout");
}

/* QUIT (RFC 1939 4, 6): the one way to UPDATE; the answer comes when it is durable. */
enum session_next pop3_cmd_quit(struct pop3_session *s, struct slice args)
{
    struct pop3_maildrop *drop = &s->drop;
    struct uidset read = UIDSET_EMPTY;

    if (args.len > 0)
        return pop3_bad(s, "QUIT takes no argument");
    uidset_subtract(&drop->read_here, &drop->deleted, &read);
    uidset_clear(&drop->read_here);
    bool changes = read.n > 0 || drop->deleted.n > 0;
    if (changes) {
        pop3_enter(s, IN_UPDATE);
        begin(s, &read, &drop->deleted);
    }
    uidset_done(&read);
    if (changes)
        return pop3_wait(s, quit_updated);
    pop3_ok(s, "Goodbye");
    return pop3_close(s, "logout");
}
