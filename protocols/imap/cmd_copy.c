/*
 * cmd_copy.c - COPY and MOVE (RFC 6851), and their UID forms, with COPYUID (RFC 4315).
 */
#include "base/mem.h"
#include "protocols/imap/handlers.h"

struct copy_cmd {
    struct store_copy *rq; /* belongs to the command */
};

static void free_op(struct store_op *op)
{
    struct store_copy *rq = (struct store_copy *)op;

    uidset_done(&rq->uids);
    uidset_done(&rq->source);
    free(rq);
}

/* "[COPYUID 38505 304,319:320 3956:3958]"; nothing where nothing was copied. */
static char *copyuid(struct imap_cmd *c, const struct store_copy *rq)
{
    uint64_t n = uidset_count(&rq->source);
    struct buf text = buf_make(SIZE_MAX);

    if (n == 0)
        return NULL;
    buf_printf(&text, "[COPYUID %u ", rq->uidvalidity);
    uidset_put(&rq->source, &text);
    buf_printf(&text, " %u", rq->first_uid);
    if (n > 1)
        buf_printf(&text, ":%llu", (unsigned long long)(rq->first_uid + n - 1));
    buf_putc(&text, ']');
    char *code = arena_str(&c->arena, buf_slice(&text));
    buf_done(&text);
    return code;
}

/*
 * RFC 6851 4.3: COPYUID goes ahead, untagged, for the messages are about to go. That they went
 * is told by imap_sync(); the tagged line may then carry the mod-sequence of their going.
 */
static enum imap_step end_move(struct imap_session *s, struct imap_cmd *c,
                               const struct store_copy *rq, const char *code)
{
    struct buf line = buf_make(SIZE_MAX);

    if (!code)
        return imap_ok(c, "Nothing was moved");
    buf_printf(&line, "* OK %s Moved\r\n", code);
    imap_put_long(s, buf_slice(&line));
    buf_done(&line);
    if (s->env->summary)
        s->env->summary->expunged += uidset_count(&rq->source);
    if (s->qresync)
        imap_code(c, "[HIGHESTMODSEQ %llu]", (unsigned long long)rq->op.modseq);
    return imap_ok(c, "MOVE completed");
}

static enum imap_step copied(struct imap_session *s, struct imap_cmd *c)
{
    const struct store_copy *rq = ((struct copy_cmd *)c->state)->rq;

    if (rq->op.err.code == ERR_NOT_FOUND)
        return imap_no(c, "[TRYCREATE]", "There is no such mailbox");
    if (failed(rq->op.err))
        return imap_no_err(s, c, rq->op.err);
    char *code = copyuid(c, rq);
    if (rq->move)
        return end_move(s, c, rq, code);
    c->code = code;
    return imap_ok(c, code ? "COPY completed" : "There are no such messages");
}

/* Where to. False: the command has been answered. */
static bool find_target(struct imap_session *s, struct imap_cmd *c, struct slice path,
                        uint64_t *fid)
{
    struct store_folder folder = {.visible = false};
    struct store_read *rd;
    struct err e = store_read_begin(s->mailbox, &rd);

    if (!failed(e)) {
        e = store_folder_find(rd, path, &folder);
        store_read_end(rd);
    }
    if (failed(e) && e.code != ERR_NOT_FOUND)
        (void)imap_no_err(s, c, e);
    else if (!folder.visible)
        (void)imap_no(c, "[TRYCREATE]", "There is no such mailbox");
    else if (folder.noselect)
        (void)imap_no(c, "[CANNOT]", "That name holds no messages");
    else {
        *fid = folder.fid;
        return true;
    }
    return false;
}

static enum imap_step run_copy(struct imap_session *s, struct imap_cmd *c, bool move)
{
    struct uidset uids = UIDSET_EMPTY;
    struct slice path;
    uint64_t to = 0;

    if (!imap_arg_set(s, c, &uids) || !imap_arg_space(c) || !imap_arg_mailbox(s, c, &path) ||
        !imap_arg_end(c)) {
        uidset_done(&uids);
        return imap_bad_args(c);
    }
    if (!find_target(s, c, path, &to)) {
        uidset_done(&uids);
        return STEP_DONE;
    }
    if (uids.n == 0)
        return imap_ok(c, "There are no such messages");

    struct copy_cmd *cc = arena_alloc(&c->arena, sizeof *cc);
    cc->rq = mem_new(sizeof *cc->rq);
    store_copy_init(cc->rq);
    cc->rq->from = s->selected->fid;
    cc->rq->to = to;
    cc->rq->uids = uids;
    cc->rq->move = move;
    c->state = cc;
    c->resume = copied;
    return imap_run(s, c, &cc->rq->op, free_op);
}

enum imap_step imap_cmd_copy(struct imap_session *s, struct imap_cmd *c)
{
    return run_copy(s, c, false);
}

enum imap_step imap_cmd_move(struct imap_session *s, struct imap_cmd *c)
{
    return run_copy(s, c, true);
}
