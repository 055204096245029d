/*
 * cmd_fetch.c - FETCH and UID FETCH: a walk over rows that stops when the output is full and
 * seeks back to where it was in the next pull. Between two pulls it holds no snapshot; of the one
 * message that is half sent, if any, the bytes are pinned.
 */
#include "base/mem.h"
#include "protocols/imap/fetch.h"
#include "protocols/imap/handlers.h"

/* Bytes of mail that are looked at in one pull, whatever little may come of them. */
enum { WORK_PER_PULL = 2 * 1024 * 1024 };

struct fetch {
    struct fetch_request rq;
    struct uidset uids; /* what was asked for, of the view */
    size_t run;         /* where the walk stands: in this run of uids ... */
    uint64_t next;      /* ... at this UID */
    struct fetch_reply reply;
    struct uidset seen; /* to be marked \Seen */
    uint64_t gone;      /* how many were expunged by somebody else */
    struct err trouble; /* the first that befell a message */
    struct buf vanished;
};

static void fetch_cleanup(struct imap_cmd *c)
{
    struct fetch *f = c->state;

    reply_done(&f->reply);
    uidset_done(&f->uids);
    uidset_done(&f->seen);
    buf_done(&f->vanished);
}

/* ---- the end ---- */

static enum imap_step finish(struct imap_session *s, struct imap_cmd *c)
{
    struct fetch *f = c->state;

    if (failed(f->trouble))
        return imap_no_err(s, c, f->trouble);
    if (f->reply.unknown_cte)
        return imap_no(c, "[UNKNOWN-CTE]", "A part has a transfer encoding that is not known");
    /* RFC 2180 4.1.3, RFC 5530; a UID that is not there is no error (RFC 3501 6.4.8). */
    if (f->gone && !(c->def->flags & CMD_UID))
        return imap_no(c, "[EXPUNGEISSUED]", "Some of the messages are no longer there");
    return imap_ok(c, "FETCH completed");
}

static void free_mark_seen(struct store_op *op)
{
    struct store_set_flags *rq = (struct store_set_flags *)op;

    uidset_done(&rq->uids);
    uidset_done(&rq->modified);
    uidset_done(&rq->changed);
    free(rq);
}

/* The mail was told; that it cannot be marked (the disk is full) does not take it back. */
static enum imap_step marked(struct imap_session *s, struct imap_cmd *c)
{
    return finish(s, c);
}

/* The flags that change are told by imap_sync(), before the tagged line (RFC 3501 6.4.5). */
static enum imap_step mark_seen(struct imap_session *s, struct imap_cmd *c)
{
    struct fetch *f = c->state;
    struct store_set_flags *rq = mem_new(sizeof *rq);

    store_set_flags_init(rq);
    rq->fid = s->selected->fid;
    rq->uids = f->seen;
    f->seen = UIDSET_EMPTY;
    rq->how = FLAGS_ADD;
    rq->flags = FLAG_SEEN;
    c->resume = marked;
    return imap_run(s, c, &rq->op, free_mark_seen);
}

/* ---- the walk ---- */

enum walk_end { WALK_DONE, WALK_FULL, WALK_AGAIN, WALK_BROKEN };

/* A message has been answered, for better or worse. */
static void account(struct imap_session *s, struct fetch *f, enum reply_end end)
{
    const struct message_row *row = &f->reply.row;

    if (end == REPLY_GONE) {
        f->gone++;
        return;
    }
    if (f->rq.marks_seen && !s->selected->read_only && !(row->flags & FLAG_SEEN))
        uidset_add(&f->seen, row->uid, row->uid);
    if (s->env->summary && f->rq.has_contents) {
        s->env->summary->fetched++;
        s->env->summary->fetched_bytes += row->size;
    }
}

static void note_trouble(struct fetch *f, struct err e)
{
    if (!failed(f->trouble))
        f->trouble = e;
}

/* What one message may have cost, of WORK_PER_PULL. */
static uint64_t work_of(const struct fetch *f)
{
    if (!f->rq.needs_meta)
        return 0;
    return 256 + (f->rq.has_contents ? f->reply.meta.header_len : 0);
}

/* One row of the walk. True: go on. */
static bool visit(struct imap_session *s, struct fetch *f, struct store_read *rd, uint32_t seq,
                  const struct message_row *row, enum walk_end *how)
{
    enum reply_end end = REPLY_DONE;
    struct err e = reply_start(&f->reply, rd, seq, row, &end);

    if (failed(e)) {
        note_trouble(f, e);
        return true;
    }
    if (end == REPLY_DONE || end == REPLY_GONE)
        account(s, f, end);
    *how = end == REPLY_AGAIN ? WALK_AGAIN : WALK_FULL;
    return end == REPLY_DONE || end == REPLY_GONE;
}

/* The messages of one run of UIDs. True: it is through, go on with the next. */
static struct err walk_run(struct imap_session *s, struct fetch *f, struct store_read *rd,
                           struct store_rows *rows, uint64_t *work, enum walk_end *how)
{
    const struct uid_run *run = &f->uids.runs[f->run];
    uint32_t first_seq = store_view_seq(s->selected->view, run->first);
    const struct message_row *row;

    if (f->next < run->first)
        f->next = run->first;
    store_rows_seek(rows, (uint32_t)f->next);
    while (f->next <= run->last) {
        *how = WALK_FULL;
        if (imap_room(s) == 0 || *work >= WORK_PER_PULL)
            return OK;
        struct err e = store_rows_next(rows, &row);
        if (failed(e) && e.code != ERR_NOT_FOUND)
            return e;
        if (failed(e) || row->uid > run->last) {
            f->gone += run->last - f->next + 1;
            break;
        }
        f->gone += row->uid - f->next;
        f->next = (uint64_t)row->uid + 1;
        if (!visit(s, f, rd, first_seq + (row->uid - run->first), row, how))
            return OK;
        *work += work_of(f);
    }
    f->next = (uint64_t)run->last + 1;
    *how = WALK_DONE;
    return OK;
}

static struct err walk(struct imap_session *s, struct fetch *f, struct store_read *rd,
                       enum walk_end *how)
{
    struct err e = OK;
    uint64_t work = 0;

    *how = WALK_DONE;
    if (f->run == f->uids.n)
        return OK;
    struct store_rows *rows =
        store_rows_open(rd, s->selected->fid, (uint32_t)f->uids.runs[0].first);
    for (; f->run < f->uids.n; f->run++) {
        e = walk_run(s, f, rd, rows, &work, how);
        if (failed(e) || *how != WALK_DONE)
            break;
    }
    store_rows_close(rows);
    return e;
}

/* The message that is half sent. */
static enum walk_end go_on(struct imap_session *s, struct fetch *f, struct store_read *rd)
{
    enum reply_end end = REPLY_DONE;
    struct err e = reply_resume(&f->reply, rd, s->selected->fid, &end);

    if (failed(e)) {
        note_trouble(f, e);
        return reply_is_cut_off(&f->reply) ? WALK_BROKEN : WALK_DONE;
    }
    if (end == REPLY_MORE)
        return WALK_FULL;
    if (end == REPLY_AGAIN)
        return WALK_AGAIN;
    account(s, f, end);
    return WALK_DONE;
}

/* What is done in one snapshot. */
static struct err one_read(struct imap_session *s, struct fetch *f, enum walk_end *how)
{
    struct store_read *rd;
    struct err e = store_read_begin(s->mailbox, &rd);

    if (failed(e))
        return e;
    *how = f->reply.stage != REPLY_NONE ? go_on(s, f, rd) : WALK_DONE;
    if (*how == WALK_DONE)
        e = walk(s, f, rd, how);
    store_read_end(rd);
    return e;
}

static enum imap_step fetch_more(struct imap_session *s, struct imap_cmd *c)
{
    struct fetch *f = c->state;
    enum walk_end how;

    do {
        bool cut_off = reply_is_cut_off(&f->reply);
        struct err e = one_read(s, f, &how);

        if (failed(e)) {
            note_trouble(f, e);
            how = cut_off ? WALK_BROKEN : WALK_DONE;
        }
    } while (how == WALK_AGAIN);
    c->mid_line = reply_is_cut_off(&f->reply);
    if (how == WALK_FULL)
        return STEP_MORE;
    if (how == WALK_BROKEN)
        return imap_break(s, c, f->trouble);
    if (f->seen.n)
        return mark_seen(s, c);
    return finish(s, c);
}

/* ---- the start ---- */

/*
 * UIDs that were asked for by number, were expunged since, and that the client cannot learn of
 * otherwise because they are in no view of it (RFC 7162 3.2.6).
 */
static struct err find_vanished(struct imap_session *s, struct imap_cmd *c, struct store_read *rd,
                                struct slice set_text, struct fetch *f)
{
    struct uidset gone = UIDSET_EMPTY, named = UIDSET_EMPTY, hit = UIDSET_EMPTY;
    struct uidset told = UIDSET_EMPTY;
    struct store_folder folder;
    bool complete = false;

    struct err e = store_folder_get(rd, s->selected->fid, &folder);
    if (!failed(e))
        e = store_expunged_since(rd, s->selected->fid, f->rq.since, &gone, &complete);
    if (failed(e))
        goto out;
    uint32_t last = folder.uidnext > 1 ? folder.uidnext - 1 : 1;
    if (!complete) { /* tombstones that old are gone: whatever is not there has vanished */
        uidset_clear(&gone);
        if (folder.uidnext > 1)
            uidset_add(&gone, 1, last);
    }
    c->rest = set_text;
    if (!imap_arg_byte(c, '$') && imap_arg_raw_set(c, last, &named))
        uidset_intersect(&gone, &named, &hit);
    c->rest = SLICE_EMPTY;
    uidset_subtract(&hit, store_view_uids(s->selected->view), &told);
    if (told.n) {
        buf_puts(&f->vanished, "* VANISHED (EARLIER) ");
        uidset_put(&told, &f->vanished);
        buf_puts(&f->vanished, "\r\n");
    }
out:
    uidset_done(&gone);
    uidset_done(&named);
    uidset_done(&hit);
    uidset_done(&told);
    return e;
}

/* CHANGEDSINCE: only those that changed, and what vanished (RFC 7162 3.1.4.1). */
static struct err narrow(struct imap_session *s, struct imap_cmd *c, struct slice set_text,
                         struct fetch *f)
{
    struct uidset changed = UIDSET_EMPTY, both = UIDSET_EMPTY;
    struct store_read *rd;
    struct err e = store_read_begin(s->mailbox, &rd);

    if (failed(e))
        return e;
    e = store_changed_since(rd, s->selected->fid, f->rq.since, &changed);
    if (!failed(e) && f->rq.vanished)
        e = find_vanished(s, c, rd, set_text, f);
    store_read_end(rd);
    if (!failed(e)) {
        uidset_intersect(&f->uids, &changed, &both);
        uidset_done(&f->uids);
        f->uids = both;
    }
    uidset_done(&changed);
    return e;
}

static struct fetch *begin(struct imap_cmd *c)
{
    struct fetch *f = arena_alloc(&c->arena, sizeof *f);

    f->vanished = buf_make(SIZE_MAX);
    f->reply.side = buf_make(SIZE_MAX);
    c->state = f;
    c->cleanup = fetch_cleanup;
    return f;
}

/* A FETCH of one text of one message (RFC 1730 6.4.5): the IMAP4 before IMAP4rev1 had no "<0.9>".
 */
enum imap_step imap_cmd_partial(struct imap_session *s, struct imap_cmd *c)
{
    struct fetch *f = begin(c);

    if (!imap_arg_set(s, c, &f->uids) || !imap_arg_space(c) || !fetch_parse_partial(c, &f->rq))
        return imap_bad_args(c);
    reply_init(&f->reply, s, &c->arena, &f->rq);
    c->resume = fetch_more;
    return fetch_more(s, c);
}

enum imap_step imap_cmd_fetch(struct imap_session *s, struct imap_cmd *c)
{
    struct slice set_text = c->rest;
    struct fetch *f = begin(c);

    if (!imap_arg_set(s, c, &f->uids) || !imap_arg_space(c) || !fetch_parse(s, c, &f->rq))
        return imap_bad_args(c);
    reply_init(&f->reply, s, &c->arena, &f->rq);
    if (f->rq.changed_since) {
        struct err e = narrow(s, c, set_text, f);

        if (failed(e))
            return imap_no_err(s, c, e);
        imap_put_long(s, buf_slice(&f->vanished));
        buf_done(&f->vanished);
    }
    c->resume = fetch_more;
    return fetch_more(s, c);
}
