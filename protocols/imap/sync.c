#include "protocols/imap/folders.h"

#include "base/mem.h"
#include "protocols/imap/life.h"

/* Lines are kept short: a client with a small buffer has to take them whole. */
enum { VANISHED_RUNS = 150 };

/* Looked at in one pull, though there be nothing to tell of them. */
enum { ROWS_PER_PULL = 50000 };

/* Changes of one snapshot on their way to the client; what comes later is told later. */
struct imap_telling {
    struct store_view *view; /* what the client will know at the end of it */
    struct uidset gone;      /* still to be told, from the end */
    struct uidset changed;   /* and maybe others */
    uint32_t next;           /* of changed: where to go on */
    uint64_t modseq;         /* all up to here is told at the end of it */
    struct buf flags;        /* FLAGS and PERMANENTFLAGS, where there is a new keyword */
    bool counts_told;
};

static void telling_free(struct imap_telling *t)
{
    if (!t)
        return;
    store_view_close(t->view);
    uidset_done(&t->gone);
    uidset_done(&t->changed);
    buf_done(&t->flags);
    free(t);
}

void imap_unselect(struct imap_session *s)
{
    struct imap_selected *sel = s->selected;

    imap_watch_stop(s);
    s->selected = NULL;
    if (!sel)
        return;
    telling_free(sel->telling);
    store_view_close(sel->view);
    uidset_done(&sel->recent);
    uidset_done(&sel->saved);
    uidset_done(&sel->silent);
    free(sel);
}

void imap_silence(struct imap_session *s, const struct uidset *uids, uint64_t modseq)
{
    struct imap_selected *sel = s->selected;

    for (size_t i = 0; i < uids->n; i++)
        uidset_add(&sel->silent, uids->runs[i].first, uids->runs[i].last);
    if (modseq > sel->silent_modseq)
        sel->silent_modseq = modseq;
}

void imap_condstore_on(struct imap_session *s)
{
    if (s->condstore)
        return;
    s->condstore = true;
    /* RFC 7162 3.1: it has to know where it stands. */
    if (s->selected && s->out)
        buf_printf(s->out, "* OK [HIGHESTMODSEQ %llu] Highest\r\n",
                   (unsigned long long)s->selected->modseq);
}

/* ---- \Recent ---- */

struct claim {
    struct store_claim_recent rq;
    struct mailbox *mailbox;
};

static void claimed(struct store_op *op)
{
    struct claim *claim = op->owner;

    mailbox_close(claim->mailbox);
    free(claim);
}

/* Nobody waits for it: where it fails, the messages are \Recent again another day. */
static void claim(struct imap_session *s, uint32_t to)
{
    struct claim *claim = mem_new(sizeof *claim);

    store_claim_recent_init(&claim->rq);
    claim->rq.fid = s->selected->fid;
    claim->rq.to = to;
    claim->rq.op.home = s->env->home;
    claim->rq.op.done = claimed;
    claim->rq.op.owner = claim;
    claim->mailbox = mailbox_hold(s->mailbox);
    store_submit(s->mailbox, &claim->rq.op);
}

void imap_claim_recent(struct imap_session *s, const struct store_folder *folder)
{
    struct imap_selected *sel = s->selected;
    uint32_t from;

    if (s->rev2)
        return;
    if (sel->read_only)
        from = store_recent_from(s->mailbox, folder);
    else if (store_recent_take(s->mailbox, folder, &from))
        claim(s, folder->uidnext);
    if (from < folder->uidnext)
        uidset_add(&sel->recent, from, folder->uidnext - 1);
}

struct err imap_count_recent(struct imap_session *s, struct store_read *rd,
                             const struct store_folder *folder, uint32_t *out)
{
    uint32_t from = store_recent_from(s->mailbox, folder);
    struct store_view *view;

    *out = 0;
    if (folder->exists == 0 || from >= folder->uidnext)
        return OK;
    struct err e = store_view_open(rd, folder->fid, &view);
    if (failed(e))
        return e;
    *out = store_view_count(view) - store_view_rank(view, from);
    store_view_close(view);
    return OK;
}

static void put_recent(struct imap_session *s)
{
    struct uidset here = UIDSET_EMPTY;

    if (s->rev2)
        return;
    uidset_intersect(&s->selected->recent, store_view_uids(s->selected->view), &here);
    buf_printf(s->out, "* %llu RECENT\r\n", (unsigned long long)uidset_count(&here));
    uidset_done(&here);
}

/* ---- lines ---- */

struct err imap_flag_lines(struct imap_session *s, struct store_read *rd, struct buf *out)
{
    struct arena arena = ARENA_INIT;
    struct slice *names;
    struct buf flags = buf_make(SIZE_MAX / 2);
    const char *separator = "";
    size_t n;

    struct err e = store_all_keywords(rd, &arena, &names, &n);
    if (failed(e)) {
        arena_done(&arena);
        return e;
    }
    imap_put_system_flags(&flags, FLAG_ALL_IMAP, &separator);
    for (size_t i = 0; i < n; i++) {
        buf_putc(&flags, ' ');
        buf_put(&flags, names[i]);
    }
    s->selected->keywords_told = (uint32_t)n;
    buf_printf(out, "* FLAGS (%.*s)\r\n", SLICE_ARG(buf_slice(&flags)));
    if (s->selected->read_only)
        buf_puts(out, "* OK [PERMANENTFLAGS ()] Nothing can be changed\r\n");
    else
        buf_printf(out, "* OK [PERMANENTFLAGS (%.*s \\*)] Kept\r\n", SLICE_ARG(buf_slice(&flags)));
    buf_done(&flags);
    arena_done(&arena);
    return OK;
}

bool imap_put_vanished(struct imap_session *s, struct uidset *gone, bool earlier)
{
    while (gone->n && imap_room(s)) {
        size_t some = gone->n < VANISHED_RUNS ? gone->n : VANISHED_RUNS;
        struct uidset last = {.runs = gone->runs + gone->n - some, .n = some};

        buf_puts(s->out, earlier ? "* VANISHED (EARLIER) " : "* VANISHED ");
        uidset_put(&last, s->out);
        buf_puts(s->out, "\r\n");
        gone->n -= some;
    }
    return gone->n == 0;
}

static struct err put_change(struct imap_session *s, struct store_read *rd,
                             const struct message_row *row, bool with_uid)
{
    uint32_t seq = store_view_seq(s->selected->view, row->uid);
    size_t before = s->out->len;

    if (seq == 0)
        return OK;
    buf_printf(s->out, "* %u FETCH (", seq);
    if (with_uid)
        buf_printf(s->out, "UID %u ", row->uid);
    buf_puts(s->out, "FLAGS ");
    struct err e = imap_put_flags(s, rd, row, s->out);
    if (failed(e)) {
        buf_truncate(s->out, before);
        return e;
    }
    if (s->condstore)
        buf_printf(s->out, " MODSEQ (%llu)", (unsigned long long)row->modseq);
    buf_puts(s->out, ")\r\n");
    return OK;
}

static bool is_silent(const struct imap_selected *sel, const struct message_row *row)
{
    return row->modseq <= sel->silent_modseq && uidset_has(&sel->silent, row->uid);
}

struct err imap_put_changed(struct imap_session *s, const struct uidset *uids, uint32_t *next,
                            uint64_t since, bool with_uid, bool *complete)
{
    const struct message_row *row;
    struct store_read *rd;
    uint32_t uid = 0;

    *complete = !uidset_next(uids, *next, &uid);
    if (*complete)
        return OK;
    struct err e = store_read_begin(s->mailbox, &rd);
    if (failed(e))
        return e;
    struct store_rows *rows = store_rows_open(rd, s->selected->fid, uid);
    for (int looked = 0; !*complete && imap_room(s) && looked < ROWS_PER_PULL; looked++) {
        store_rows_seek(rows, uid);
        e = store_rows_next(rows, &row);
        if (failed(e))
            break;
        if (row->uid == uid && row->modseq > since && !is_silent(s->selected, row)) {
            e = put_change(s, rd, row, with_uid);
            if (failed(e))
                break;
        }
        /* Where the message is gone the walk stands behind it already. */
        *next = row->uid > uid ? row->uid : uid + 1;
        *complete = *next == 0 || !uidset_next(uids, *next, &uid);
    }
    store_rows_close(rows);
    store_read_end(rd);
    if (e.code == ERR_NOT_FOUND) { /* at the folder's end */
        *complete = true;
        e = OK;
    }
    return e;
}

/* ---- what to tell ---- */

/* Every member that goes, in the numbers that hold when it goes (RFC 9051 7.5.1). */
static bool put_expunges(struct imap_session *s, struct uidset *gone)
{
    const struct store_view *view = s->selected->view;

    while (gone->n && imap_room(s)) {
        struct uid_run *run = &gone->runs[gone->n - 1];

        buf_printf(s->out, "* %u EXPUNGE\r\n", store_view_seq(view, run->last));
        if (run->first == run->last)
            gone->n--;
        else
            run->last--;
    }
    return gone->n == 0;
}

/* Has the set of keywords grown beyond what FLAGS told? */
static struct err look_at_keywords(struct imap_session *s, struct store_read *rd,
                                   struct imap_telling *t)
{
    uint32_t told = s->selected->keywords_told;

    struct err e = imap_flag_lines(s, rd, &t->flags);
    if (!failed(e) && s->selected->keywords_told == told)
        buf_clear(&t->flags);
    return e;
}

/* Compare the folder with what the client knows. */
static struct err look(struct imap_session *s, struct store_read *rd,
                       const struct store_folder *folder, bool expunge, struct imap_telling *t)
{
    struct imap_selected *sel = s->selected;
    struct store_view *now;
    struct uidset changed = UIDSET_EMPTY;

    struct err e = store_view_open(rd, sel->fid, &now);
    if (failed(e))
        return e;
    store_view_gone(sel->view, now, &t->gone);
    sel->behind = t->gone.n && !expunge;
    if (sel->behind) {
        uidset_clear(&t->gone);
        t->view = store_view_extend(sel->view, now);
        store_view_close(now);
    } else {
        t->view = now;
    }
    t->modseq = folder->modseq;
    if (folder->modseq == sel->modseq)
        return OK;
    e = store_touched_since(rd, sel->fid, sel->modseq, &changed);
    /* New messages are told by EXISTS: the client has to ask for their flags anyway. */
    if (!failed(e))
        uidset_intersect(&changed, store_view_uids(sel->view), &t->changed);
    uidset_done(&changed);
    if (!failed(e))
        e = look_at_keywords(s, rd, t);
    if (!failed(e))
        imap_claim_recent(s, folder);
    return e;
}

/* OK and no sel->telling: there is nothing to tell. */
static struct err begin_telling(struct imap_session *s, bool expunge)
{
    struct imap_selected *sel = s->selected;
    struct store_folder folder;
    struct store_read *rd;

    struct err e = store_read_begin(s->mailbox, &rd);
    if (failed(e))
        return e;
    e = store_folder_get(rd, sel->fid, &folder);
    if (!failed(e) && folder.noselect)
        e = ERR(ERR_NOT_FOUND, "deleted, but for the levels below it");
    if (!failed(e) && (folder.modseq != sel->modseq || (sel->behind && expunge))) {
        struct imap_telling *t = mem_new(sizeof *t);

        t->flags = buf_make(SIZE_MAX / 2);
        e = look(s, rd, &folder, expunge, t);
        if (failed(e))
            telling_free(t);
        else
            sel->telling = t;
    }
    store_read_end(rd);
    return e;
}

/* ---- telling ---- */

/* Sequence numbers mean what the new view says from here on. */
static void take_view(struct imap_selected *sel, struct imap_telling *t)
{
    uint32_t left = store_view_count(sel->view);
    struct uidset gone = UIDSET_EMPTY;

    store_view_gone(sel->view, t->view, &gone);
    left -= (uint32_t)uidset_count(&gone);
    uidset_done(&gone);
    sel->told_exists = left;
    store_view_close(sel->view);
    sel->view = t->view;
    t->view = NULL;
}

static void put_counts(struct imap_session *s, struct imap_telling *t)
{
    struct imap_selected *sel = s->selected;
    uint32_t count = store_view_count(sel->view);

    if (t->flags.len)
        imap_put_long(s, buf_slice(&t->flags));
    if (count != sel->told_exists) {
        buf_printf(s->out, "* %u EXISTS\r\n", count);
        sel->told_exists = count;
        put_recent(s);
    }
    t->counts_told = true;
}

static bool with_uid(const struct imap_session *s)
{
    return s->qresync || s->rev2 || (s->cmd && s->cmd->def && s->cmd->def->flags & CMD_UID);
}

static struct err go_on_telling(struct imap_session *s, struct imap_telling *t, bool *complete)
{
    struct imap_selected *sel = s->selected;

    *complete = false;
    if (t->view) {
        if (!(s->qresync ? imap_put_vanished(s, &t->gone, false) : put_expunges(s, &t->gone)))
            return OK;
        take_view(sel, t);
    }
    if (imap_room(s) == 0)
        return OK;
    if (!t->counts_told)
        put_counts(s, t);
    return imap_put_changed(s, &t->changed, &t->next, sel->modseq, with_uid(s), complete);
}

struct err imap_sync(struct imap_session *s, bool expunge, bool *complete)
{
    struct imap_selected *sel = s->selected;
    struct err e = OK;

    *complete = true;
    if (!sel->telling)
        e = begin_telling(s, expunge);
    if (e.code == ERR_NOT_FOUND) {
        /* Another session deleted it (RFC 2180 3.3). */
        imap_bye(s, "The selected mailbox was deleted");
        return OK;
    }
    if (failed(e) || !sel->telling)
        return e;
    e = go_on_telling(s, sel->telling, complete);
    if (failed(e) || !*complete)
        return e;
    sel->modseq = sel->telling->modseq;
    telling_free(sel->telling);
    sel->telling = NULL;
    uidset_clear(&sel->silent);
    return OK;
}
