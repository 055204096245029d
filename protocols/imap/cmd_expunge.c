/*
 * cmd_expunge.c - EXPUNGE, and UID EXPUNGE (RFC 4315). What went is told by imap_sync().
 */
#include "base/mem.h"
#include "protocols/imap/handlers.h"

static void free_op(struct store_op *op)
{
    struct store_expunge *rq = (struct store_expunge *)op;

    uidset_done(&rq->uids);
    uidset_done(&rq->expunged);
    free(rq);
}

static enum imap_step expunged(struct imap_session *s, struct imap_cmd *c)
{
    const struct store_expunge *rq = c->state;

    if (failed(rq->op.err))
        return imap_no_err(s, c, rq->op.err);
    if (s->env->summary)
        s->env->summary->expunged += uidset_count(&rq->expunged);
    if (s->qresync && rq->expunged.n) /* RFC 7162 3.2.7 */
        imap_code(c, "[HIGHESTMODSEQ %llu]", (unsigned long long)rq->op.modseq);
    return imap_ok(c, "EXPUNGE completed");
}

enum imap_step imap_cmd_expunge(struct imap_session *s, struct imap_cmd *c)
{
    struct store_expunge *rq = mem_new(sizeof *rq);
    bool by_uid = c->def->flags & CMD_UID;

    store_expunge_init(rq);
    rq->fid = s->selected->fid;
    rq->only_deleted = true;
    rq->everything = !by_uid;
    if ((by_uid && !imap_arg_set(s, c, &rq->uids)) || !imap_arg_end(c)) {
        free_op(&rq->op);
        return imap_bad_args(c);
    }
    c->state = rq;
    c->resume = expunged;
    return imap_run(s, c, &rq->op, free_op);
}
