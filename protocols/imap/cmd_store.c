/*
 * cmd_store.c - STORE and UID STORE, with UNCHANGEDSINCE (RFC 7162 3.1.3).
 *
 * Flags that did change are told by imap_sync() like anybody's changes. What is told here is what
 * it would not tell: the flags of messages that had them already (RFC 3501 6.4.6 promises an
 * answer for each), and mod-sequences where .SILENT keeps the flags back.
 */
#include "base/mem.h"
#include "protocols/imap/handlers.h"

struct store_cmd {
    struct store_set_flags *rq; /* belongs to the command */
    bool silent;
    struct uidset asked;
    struct uidset to_tell; /* by us */
    uint64_t next;
};

static void free_op(struct store_op *op)
{
    struct store_set_flags *rq = (struct store_set_flags *)op;

    uidset_done(&rq->uids);
    uidset_done(&rq->modified);
    uidset_done(&rq->changed);
    free(rq);
}

static void store_cleanup(struct imap_cmd *c)
{
    struct store_cmd *sc = c->state;

    uidset_done(&sc->asked);
    uidset_done(&sc->to_tell);
}

/* ---- the answer ---- */

/* "[MODIFIED 7,9]": numbers or UIDs, as the command had them. */
static enum imap_step end_store(struct imap_session *s, struct imap_cmd *c)
{
    struct store_cmd *sc = c->state;
    const struct uidset *modified = &sc->rq->modified;
    struct uidset numbers = UIDSET_EMPTY;
    struct buf text = buf_make(SIZE_MAX);

    if (modified->n == 0)
        return imap_ok(c, "STORE completed");
    for (size_t i = 0; i < modified->n; i++) {
        const struct uid_run *run = &modified->runs[i];
        uint32_t first =
            c->def->flags & CMD_UID ? run->first : store_view_seq(s->selected->view, run->first);
        uidset_add(&numbers, first, first + (run->last - run->first));
    }
    buf_puts(&text, "[MODIFIED ");
    uidset_put(&numbers, &text);
    buf_putc(&text, ']');
    c->code = arena_str(&c->arena, buf_slice(&text));
    buf_done(&text);
    uidset_done(&numbers);
    return imap_ok(c, "Some of the messages were changed by somebody else");
}

static struct err put_line(struct imap_session *s, struct imap_cmd *c, struct store_read *rd,
                           const struct message_row *row)
{
    const struct store_cmd *sc = c->state;
    struct buf line = buf_make(SIZE_MAX);
    const char *blank = "";
    struct err e = OK;

    buf_printf(&line, "* %u FETCH (", store_view_seq(s->selected->view, row->uid));
    if (c->def->flags & CMD_UID || s->qresync || s->rev2) { /* RFC 3501 6.4.8, RFC 7162 3.2.4 */
        buf_printf(&line, "UID %u", row->uid);
        blank = " ";
    }
    if (!sc->silent) {
        buf_printf(&line, "%sFLAGS ", blank);
        e = imap_put_flags(s, rd, row, &line);
        blank = " ";
    }
    if (s->condstore)
        buf_printf(&line, "%sMODSEQ (%llu)", blank, (unsigned long long)row->modseq);
    buf_puts(&line, ")\r\n");
    if (!failed(e))
        imap_put_long(s, buf_slice(&line));
    buf_done(&line);
    return e;
}

/* Tell of the messages in sc->to_tell, as far as there is room. */
static struct err tell(struct imap_session *s, struct imap_cmd *c, bool *complete)
{
    struct store_cmd *sc = c->state;
    const struct message_row *row;
    struct store_read *rd;
    struct err e = store_read_begin(s->mailbox, &rd);

    if (failed(e))
        return e;
    *complete = false;
    struct store_rows *rows = store_rows_open(rd, s->selected->fid, (uint32_t)sc->next);
    while (imap_room(s)) {
        uint32_t uid;

        *complete = sc->next > UINT32_MAX || !uidset_next(&sc->to_tell, (uint32_t)sc->next, &uid);
        if (*complete)
            break;
        if (uid != sc->next)
            store_rows_seek(rows, uid);
        e = store_rows_next(rows, &row);
        *complete = e.code == ERR_NOT_FOUND;
        if (failed(e))
            break;
        sc->next = (uint64_t)row->uid + 1;
        if (row->uid == uid || uidset_has(&sc->to_tell, row->uid))
            e = put_line(s, c, rd, row);
        if (failed(e))
            break;
    }
    store_rows_close(rows);
    store_read_end(rd);
    return e.code == ERR_NOT_FOUND ? OK : e;
}

static enum imap_step tell_more(struct imap_session *s, struct imap_cmd *c)
{
    bool complete = false;
    struct err e = tell(s, c, &complete);

    if (failed(e))
        return imap_no_err(s, c, e);
    return complete ? end_store(s, c) : STEP_MORE;
}

/* ---- the change ---- */

static enum imap_step stored(struct imap_session *s, struct imap_cmd *c)
{
    struct store_cmd *sc = c->state;
    const struct store_set_flags *rq = sc->rq;
    struct uidset rest = UIDSET_EMPTY;

    if (failed(rq->op.err))
        return imap_no_err(s, c, rq->op.err);
    if (s->env->summary)
        s->env->summary->stored += uidset_count(&rq->changed);
    uidset_subtract(&sc->asked, &rq->modified, &rest);
    if (!sc->silent) {
        uidset_subtract(&rest, &rq->changed, &sc->to_tell);
    } else {
        /* What somebody else did to them is told, whatever else is told with it (RFC 3501 6.4.6).
         */
        if (!rq->others)
            imap_silence(s, &rq->changed, rq->op.modseq);
        /* RFC 7162 3.1.3: the new mod-sequences are told even where the flags are not. */
        if (s->condstore)
            uidset_copy(&sc->to_tell, rq->conditional ? &rest : &rq->changed);
    }
    uidset_done(&rest);
    if (sc->to_tell.n == 0)
        return end_store(s, c);
    sc->next = sc->to_tell.runs[0].first;
    c->resume = tell_more;
    return tell_more(s, c);
}

/* "(UNCHANGEDSINCE 12) " */
static bool parse_modifier(struct imap_session *s, struct imap_cmd *c, struct store_set_flags *rq)
{
    if (!imap_arg_byte(c, '('))
        return true;
    if (!imap_arg_word(c, "UNCHANGEDSINCE")) {
        c->complaint = "Unknown STORE modifier";
        return false;
    }
    rq->conditional = true;
    imap_condstore_on(s);
    return imap_arg_space(c) && imap_arg_number64(c, &rq->unchanged_since) &&
           imap_arg_byte(c, ')') && imap_arg_space(c);
}

/* "+FLAGS.SILENT " */
static bool parse_action(struct imap_cmd *c, struct store_cmd *sc)
{
    struct store_set_flags *rq = sc->rq;

    rq->how = imap_arg_byte(c, '+')   ? FLAGS_ADD
              : imap_arg_byte(c, '-') ? FLAGS_REMOVE
                                      : FLAGS_REPLACE;
    sc->silent = imap_arg_word(c, "FLAGS.SILENT");
    if (!sc->silent && !imap_arg_word(c, "FLAGS")) {
        c->complaint = "STORE takes FLAGS, +FLAGS or -FLAGS";
        return false;
    }
    return imap_arg_space(c);
}

static bool parse_store(struct imap_session *s, struct imap_cmd *c, struct store_cmd *sc)
{
    struct slice *keywords = NULL;

    if (!imap_arg_set(s, c, &sc->asked) || !imap_arg_space(c) || !parse_modifier(s, c, sc->rq) ||
        !parse_action(c, sc) || !imap_arg_flags(c, &sc->rq->flags, &keywords, &sc->rq->n_keywords))
        return false;
    sc->rq->keywords = keywords;
    return imap_arg_end(c);
}

enum imap_step imap_cmd_store(struct imap_session *s, struct imap_cmd *c)
{
    struct store_cmd *sc = arena_alloc(&c->arena, sizeof *sc);

    sc->rq = mem_new(sizeof *sc->rq);
    store_set_flags_init(sc->rq);
    c->state = sc;
    c->cleanup = store_cleanup;
    if (!parse_store(s, c, sc)) {
        free_op(&sc->rq->op);
        return imap_bad_args(c);
    }
    if (sc->asked.n == 0) {
        free_op(&sc->rq->op);
        return imap_ok(c, "There are no such messages");
    }
    sc->rq->fid = s->selected->fid;
    sc->rq->known = s->selected->modseq;
    uidset_copy(&sc->rq->uids, &sc->asked);
    c->resume = stored;
    return imap_run(s, c, &sc->rq->op, free_op);
}
