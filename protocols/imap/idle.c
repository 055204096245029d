#include "base/mem.h"
#include "protocols/imap/folders.h"
#include "protocols/imap/handlers.h"

/* A watch stays in place until the store has let go of it, also when the session is gone. */
struct imap_watch {
    struct store_watch store;
    struct imap_session *session;
    struct mailbox *mailbox;
};

static void on_changed(struct store_watch *store)
{
    struct imap_watch *watch = store->owner;

    watch->session->changed = true;
    imap_wake(watch->session);
}

static void on_stopped(struct store_watch *store)
{
    struct imap_watch *watch = store->owner;

    mailbox_close(watch->mailbox);
    free(watch);
}

void imap_watch_start(struct imap_session *s)
{
    if (s->watch)
        return;
    s->watch = mem_new(sizeof *s->watch);
    s->watch->session = s;
    s->watch->mailbox = mailbox_hold(s->mailbox);
    s->watch->store.owner = s->watch;
    s->watch->store.changed = on_changed;
    store_watch_start(s->mailbox, &s->watch->store, s->env->home);
}

void imap_watch_stop(struct imap_session *s)
{
    struct imap_watch *watch = s->watch;

    s->watch = NULL;
    if (watch)
        store_watch_stop(&watch->store, on_stopped);
}

static enum imap_step tell(struct imap_session *s, struct imap_cmd *c)
{
    bool complete;

    s->changed = false;
    struct err e = imap_sync(s, true, &complete);
    if (failed(e)) {
        imap_watch_stop(s);
        return imap_no_err(s, c, e); /* the client sees that it has to come again */
    }
    if (complete)
        return STEP_READ;
    s->changed = true;
    return STEP_MORE;
}

static enum imap_step done(struct imap_session *s, struct imap_cmd *c, struct slice line)
{
    imap_watch_stop(s);
    return slice_ieq(line, S("DONE")) ? imap_ok(c, "Done") : imap_bad(c, "DONE was expected");
}

/* IDLE (RFC 2177): everything is told at once, expunges too, until DONE. */
enum imap_step imap_cmd_idle(struct imap_session *s, struct imap_cmd *c)
{
    if (!imap_arg_end(c))
        return imap_bad_args(c);
    c->rest = c->text = SLICE_EMPTY;
    buf_done(&c->bytes); /* it may idle for long, beside many others */
    c->line = done;
    buf_puts(s->out, "+ idling\r\n");
    if (!s->selected)
        return STEP_READ;
    c->resume = tell;
    imap_watch_start(s);
    s->changed = true; /* what came before the watch */
    return STEP_READ;
}
