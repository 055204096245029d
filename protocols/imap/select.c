#include "base/mem.h"
#include "protocols/imap/folders.h"
#include "protocols/imap/handlers.h"

/* The arguments of SELECT, and with QRESYNC what is still to be told. */
struct select_state {
    struct slice path;
    bool condstore, qresync, read_only;
    uint32_t uidvalidity;
    uint64_t modseq;
    bool has_known;
    struct uidset known;
    struct uidset gone, changed;
    uint32_t next;
};

static void select_cleanup(struct imap_cmd *c)
{
    struct select_state *st = c->state;

    uidset_done(&st->known);
    uidset_done(&st->gone);
    uidset_done(&st->changed);
}

/* ---- arguments ---- */

/* "(known-sequence-set known-uid-set)": a hint for servers that forget what was expunged sooner. */
static bool arg_match_data(struct imap_cmd *c)
{
    struct uidset ignored = UIDSET_EMPTY;
    bool ok = imap_arg_byte(c, '(') && imap_arg_raw_set(c, 0, &ignored) && imap_arg_space(c) &&
              imap_arg_raw_set(c, 0, &ignored) && imap_arg_byte(c, ')');

    uidset_done(&ignored);
    return ok;
}

/* "(uidvalidity modseq [known-uids] [match-data])" (RFC 7162 3.2.5) */
static bool arg_qresync(struct imap_session *s, struct imap_cmd *c, struct select_state *st)
{
    if (!s->qresync) {
        c->complaint = "ENABLE QRESYNC first (RFC 7162 3.2.5)";
        return false;
    }
    st->qresync = true;
    if (!imap_arg_space(c) || !imap_arg_byte(c, '(') || !imap_arg_number(c, &st->uidvalidity) ||
        !imap_arg_space(c) || !imap_arg_number64(c, &st->modseq))
        return false;
    if (imap_arg_byte(c, ' ')) {
        st->has_known = !imap_arg_peek(c, '(');
        if (st->has_known && !imap_arg_raw_set(c, UINT32_MAX, &st->known))
            return false;
        if (!st->has_known || imap_arg_byte(c, ' '))
            if (!arg_match_data(c))
                return false;
    }
    return imap_arg_byte(c, ')');
}

static bool arg_parameters(struct imap_session *s, struct imap_cmd *c, struct select_state *st)
{
    if (!imap_arg_byte(c, '('))
        return false;
    do {
        if (imap_arg_word(c, "CONDSTORE"))
            st->condstore = true;
        else if (!imap_arg_word(c, "QRESYNC") || !arg_qresync(s, c, st))
            return false;
    } while (imap_arg_byte(c, ' '));
    return imap_arg_byte(c, ')');
}

static bool arg_select(struct imap_session *s, struct imap_cmd *c, struct select_state *st)
{
    return imap_arg_mailbox(s, c, &st->path) &&
           (c->rest.len == 0 || (imap_arg_space(c) && arg_parameters(s, c, st))) && imap_arg_end(c);
}

/* ---- the answers ---- */

/* The first unseen message (RFC 3501 7.1); IMAP4rev2 has no more use for it. */
static struct err put_unseen(struct imap_session *s, struct store_read *rd,
                             const struct store_folder *folder)
{
    struct uidset unseen = UIDSET_EMPTY;
    struct err e;

    if (s->rev2 || folder->unseen == 0)
        return OK;
    e = store_unseen(rd, folder->fid, &unseen);
    if (!failed(e) && unseen.n)
        buf_printf(s->out, "* OK [UNSEEN %u] The first unseen message\r\n",
                   store_view_seq(s->selected->view, unseen.runs[0].first));
    uidset_done(&unseen);
    return e;
}

static struct err put_facts(struct imap_session *s, struct store_read *rd,
                            const struct store_folder *folder)
{
    struct imap_selected *sel = s->selected;
    struct mailbox_info info;
    struct uidset recent = UIDSET_EMPTY;

    struct err e = store_mailbox_info(rd, &info);
    if (failed(e))
        return e;
    buf_printf(s->out, "* %u EXISTS\r\n", sel->told_exists);
    if (!s->rev2) {
        uidset_intersect(&sel->recent, store_view_uids(sel->view), &recent);
        buf_printf(s->out, "* %llu RECENT\r\n", (unsigned long long)uidset_count(&recent));
        uidset_done(&recent);
    }
    e = put_unseen(s, rd, folder);
    if (failed(e))
        return e;
    buf_printf(s->out, "* OK [UIDVALIDITY %u] UIDs are valid\r\n", sel->uidvalidity);
    buf_printf(s->out, "* OK [UIDNEXT %u] The next UID\r\n", folder->uidnext);
    buf_printf(s->out, "* OK [HIGHESTMODSEQ %llu] Highest\r\n", (unsigned long long)sel->modseq);
    buf_puts(s->out, "* OK [MAILBOXID (");
    store_mailbox_object_id(&info, folder, s->out);
    buf_puts(s->out, ")] Its id\r\n");
    return OK;
}

/* Of the UIDs that the client says it knows, those that there have been; all, where it says none.
 */
static void know_what_there_was(const struct store_folder *folder, struct select_state *st)
{
    struct uidset all = UIDSET_EMPTY, both = UIDSET_EMPTY;

    if (folder->uidnext > 1)
        uidset_add(&all, 1, folder->uidnext - 1);
    if (st->has_known) {
        uidset_intersect(&st->known, &all, &both);
        uidset_done(&all);
        all = both;
    }
    uidset_done(&st->known);
    st->known = all;
}

/* What happened since the client was last here (RFC 7162 3.2.5.1, 3.2.5.2). */
static struct err look_back(struct imap_session *s, struct store_read *rd,
                            const struct store_folder *folder, struct select_state *st)
{
    struct uidset set = UIDSET_EMPTY;
    const struct uidset *here = store_view_uids(s->selected->view);
    bool complete = true;

    know_what_there_was(folder, st);
    struct err e = store_expunged_since(rd, folder->fid, st->modseq, &set, &complete);
    if (!failed(e) && complete)
        uidset_intersect(&set, &st->known, &st->gone);
    else if (!failed(e))
        uidset_subtract(&st->known, here, &st->gone);
    if (!failed(e))
        e = store_touched_since(rd, folder->fid, st->modseq, &set);
    if (!failed(e))
        uidset_intersect(&set, &st->known, &st->changed);
    uidset_done(&set);
    return e;
}

static enum imap_step selected(struct imap_session *s, struct imap_cmd *c)
{
    c->code = s->selected->read_only ? "[READ-ONLY]" : "[READ-WRITE]";
    return imap_ok(c, "Selected");
}

static enum imap_step fail(struct imap_session *s, struct imap_cmd *c, struct err e)
{
    imap_enter(s, STATE_AUTHENTICATED);
    return imap_no_err(s, c, e);
}

/* VANISHED (EARLIER) first, then the changed flags, as the client takes them. */
static enum imap_step go_on(struct imap_session *s, struct imap_cmd *c)
{
    struct select_state *st = c->state;
    bool complete = false;

    if (!imap_put_vanished(s, &st->gone, true))
        return STEP_MORE;
    struct err e = imap_put_changed(s, &st->changed, &st->next, st->modseq, true, &complete);
    if (failed(e))
        return fail(s, c, e);
    return complete ? selected(s, c) : STEP_MORE;
}

/* ---- the selection ---- */

static struct err enter(struct imap_session *s, struct store_read *rd,
                        const struct store_folder *folder, const struct select_state *st)
{
    struct store_view *view;
    struct imap_selected *sel;

    struct err e = store_view_open(rd, folder->fid, &view);
    if (failed(e))
        return e;
    imap_enter(s, STATE_SELECTED);
    sel = s->selected = mem_new(sizeof *sel);
    sel->fid = folder->fid;
    sel->uidvalidity = folder->uidvalidity;
    sel->read_only = st->read_only;
    sel->view = view;
    sel->modseq = folder->modseq;
    sel->told_exists = store_view_count(view);
    imap_claim_recent(s, folder);
    return OK;
}

static struct err find(struct store_read *rd, struct slice path, struct store_folder *folder)
{
    struct err e = store_folder_find(rd, path, folder);

    if (!failed(e) && (folder->noselect || !folder->visible))
        e = ERR(ERR_NOT_FOUND, "only a level of the hierarchy");
    return e;
}

static struct err open_and_tell(struct imap_session *s, struct store_read *rd,
                                struct select_state *st)
{
    struct store_folder folder;
    struct buf flags = buf_make(SIZE_MAX / 2);

    struct err e = find(rd, st->path, &folder);
    if (!failed(e))
        e = enter(s, rd, &folder, st);
    if (failed(e))
        return e;
    e = imap_flag_lines(s, rd, &flags);
    if (!failed(e))
        imap_put_long(s, buf_slice(&flags));
    buf_done(&flags);
    if (!failed(e))
        e = put_facts(s, rd, &folder);
    if (!failed(e) && s->rev2)
        e = imap_put_list(s, rd, &folder, st->path, true);
    if (!failed(e) && st->qresync && st->uidvalidity == folder.uidvalidity)
        e = look_back(s, rd, &folder, st);
    return e;
}

static enum imap_step select_mailbox(struct imap_session *s, struct imap_cmd *c, bool read_only)
{
    struct select_state *st = arena_alloc(&c->arena, sizeof *st);
    struct store_read *rd;

    st->read_only = read_only;
    c->state = st;
    c->cleanup = select_cleanup;
    if (!arg_select(s, c, st))
        return imap_bad_args(c);
    if (s->state == STATE_SELECTED) {
        imap_enter(s, STATE_AUTHENTICATED);
        buf_puts(s->out, "* OK [CLOSED] The mailbox selected before is closed\r\n");
    }
    if (st->condstore || st->qresync)
        imap_condstore_on(s);
    struct err e = store_read_begin(s->mailbox, &rd);
    if (failed(e))
        return imap_no_err(s, c, e);
    e = open_and_tell(s, rd, st);
    store_read_end(rd);
    if (failed(e))
        return fail(s, c, e);
    if (!st->gone.n && !st->changed.n)
        return selected(s, c);
    c->resume = go_on;
    return STEP_MORE;
}

enum imap_step imap_cmd_select(struct imap_session *s, struct imap_cmd *c)
{
    return select_mailbox(s, c, false);
}

enum imap_step imap_cmd_examine(struct imap_session *s, struct imap_cmd *c)
{
    return select_mailbox(s, c, true);
}

/* ---- leaving it ---- */

enum imap_step imap_cmd_check(struct imap_session *s, struct imap_cmd *c)
{
    (void)s; /* what was answered is on the disk already */
    return imap_arg_end(c) ? imap_ok(c, "Done") : imap_bad_args(c);
}

enum imap_step imap_cmd_unselect(struct imap_session *s, struct imap_cmd *c)
{
    if (!imap_arg_end(c))
        return imap_bad_args(c);
    imap_enter(s, STATE_AUTHENTICATED);
    return imap_ok(c, "Unselected");
}

static void free_expunge(struct store_op *op)
{
    struct store_expunge *rq = (struct store_expunge *)op;

    uidset_done(&rq->uids);
    uidset_done(&rq->expunged);
    free(rq);
}

static enum imap_step closed(struct imap_session *s, struct imap_cmd *c)
{
    struct store_expunge *rq = c->state;

    if (failed(rq->op.err) && rq->op.err.code != ERR_NOT_FOUND)
        return imap_no_err(s, c, rq->op.err);
    s->env->summary->expunged += uidset_count(&rq->expunged);
    if (s->qresync && !failed(rq->op.err) && rq->expunged.n)
        imap_code(c, "[HIGHESTMODSEQ %llu]", (unsigned long long)rq->op.modseq);
    imap_enter(s, STATE_AUTHENTICATED);
    return imap_ok(c, "Closed");
}

/* Are there messages to remove? Saves a commit where there are none. */
static struct err any_deleted(struct imap_session *s, bool *any)
{
    struct store_folder folder;
    struct store_read *rd;

    struct err e = store_read_begin(s->mailbox, &rd);
    if (failed(e))
        return e;
    e = store_folder_get(rd, s->selected->fid, &folder);
    store_read_end(rd);
    *any = !failed(e) && folder.deleted > 0;
    return e.code == ERR_NOT_FOUND ? OK : e;
}

/* CLOSE removes what is \Deleted, telling nothing, and unselects (RFC 9051 6.4.1). */
enum imap_step imap_cmd_close(struct imap_session *s, struct imap_cmd *c)
{
    bool any = false;
    struct err e = OK;

    if (!imap_arg_end(c))
        return imap_bad_args(c);
    if (!s->selected->read_only)
        e = any_deleted(s, &any);
    if (failed(e))
        return imap_no_err(s, c, e);
    if (!any) {
        imap_enter(s, STATE_AUTHENTICATED);
        return imap_ok(c, "Closed");
    }
    struct store_expunge *rq = mem_new(sizeof *rq);
    store_expunge_init(rq);
    rq->fid = s->selected->fid;
    rq->only_deleted = true;
    rq->everything = true;
    c->state = rq;
    c->resume = closed;
    return imap_run(s, c, &rq->op, free_expunge);
}
