/*
 * folder_copy.c - copying folders, in slices.
 *
 * The copying goes from folder to folder of the source, parents before children, and through the
 * target in step: down into what it makes, and up as many levels. So where it is takes two FIDs,
 * and a batch that is run again begins where the one before it has ended.
 */
#include "store/access_int.h"
#include "store/bag.h"
#include "store/message_int.h"

enum { FOLDERS_PER_BATCH = 20 };

static struct err copy_bag(struct store_tx *tx, uint64_t from, uint64_t to)
{
    struct key key = key_id(KEY_BAG, from);
    struct slice value;
    struct err e = tx_get(tx, &key, &value);

    if (failed(e))
        return e.code == ERR_NOT_FOUND ? OK : e;
    return bag_copy(tx, from, to);
}

/* An empty folder like `from`, below `above`. */
static struct err make_copy(struct store_tx *tx, const struct folder_rec *from,
                            struct folder_rec *above, struct slice name, uint64_t *fid)
{
    struct folder_new new = {.name = name,
                             .copy_of = from,
                             .class = slice_of(from->class, from->class_len),
                             .noselect = from->flags & FOLDER_NOSELECT,
                             .search = from->flags & FOLDER_SEARCH};
    struct folder_rec made;
    struct err e = folder_make(tx, above, &new, &made);

    if (!failed(e))
        e = copy_bag(tx, from->fid, made.fid);
    if (!failed(e))
        e = folder_copy_extra(tx, KEY_CRITERIA, FOLDER_CRITERIA, from, &made);
    if (!failed(e) && (made.flags & FOLDER_CRITERIA))
        e = folder_save(tx, &made);
    if (!failed(e))
        *fid = made.fid;
    return e;
}

/* ---- messages ---- */

/* The folders whose messages are being copied: the two, or their shadows. */
static struct err load_pair(struct store_tx *tx, const struct folder_copying *at,
                            struct folder_rec *from, struct folder_rec *to, bool *none)
{
    struct folder_rec owner;
    struct err e = folder_load_plain(tx, at->from, from);

    if (!failed(e))
        e = folder_load_plain(tx, at->to, to);
    *none =
        !failed(e) && (at->associated ? from->shadows[SHADOW_ASSOCIATED] == 0 : from->exists == 0);
    if (failed(e) || *none || !at->associated)
        return e;
    owner = *to;
    e = folder_load(tx->read, from->shadows[SHADOW_ASSOCIATED], from);
    return failed(e) ? e : shadow_load(tx, &owner, SHADOW_ASSOCIATED, to);
}

static struct err transfer_some(struct store_tx *tx, struct folder_rec *from, struct folder_rec *to,
                                struct folder_copying *at, bool *more)
{
    struct uidset uids = UIDSET_EMPTY, source = UIDSET_EMPTY;
    struct transfer t = {
        .from = from, .to = to, .uids = &uids, .most = UINT32_MAX, .source = &source};
    uint32_t first;
    struct err e = first_uids(tx, from->fid, at->next, UINT32_MAX, SLICE_EXPUNGE, &uids);

    *more = uids.n > 0;
    if (!failed(e) && uids.n > 0) {
        at->next = (uint64_t)uids.runs[uids.n - 1].last + 1;
        e = transfer_run(tx, &t, &first);
    }
    if (!failed(e) && uids.n > 0)
        e = tx_check_quota(tx, 0);
    uidset_done(&uids);
    uidset_done(&source);
    return e;
}

/* Some of the messages of the folder that is being copied. *more: there may be more. */
static struct err copy_messages(struct store_tx *tx, struct folder_copying *at, bool *more)
{
    struct folder_rec from, to;
    bool none;
    struct err e = load_pair(tx, at, &from, &to, &none);

    *more = !failed(e) && !none;
    if (*more)
        e = transfer_some(tx, &from, &to, at, more);
    if (failed(e) || *more)
        return e;
    *more = !at->associated;
    at->associated = true;
    at->next = 0;
    return OK;
}

/* ---- from folder to folder ---- */

static struct err make_below(struct store_tx *tx, struct folder_copying *at, uint64_t from,
                             unsigned up)
{
    struct folder_rec rec, above;
    struct err e = folder_load_plain(tx, at->to, &above);

    while (!failed(e) && up-- > 0)
        e = folder_load_plain(tx, above.parent, &above);
    if (!failed(e))
        e = folder_load_plain(tx, from, &rec);
    if (failed(e))
        return e;
    *at = (struct folder_copying){.from = from, .top = at->top};
    return make_copy(tx, &rec, &above, folder_rec_name(&rec), &at->to);
}

/* To the next folder. *more: there is one. */
static struct err go_on(struct store_tx *tx, const struct store_folder_copy *rq,
                        struct folder_copying *at, bool *more)
{
    uint64_t from = at->from;
    unsigned up = 0;
    struct err e =
        rq->recursive ? folder_next(tx, rq->fid, &from, &up) : ERR(ERR_NOT_FOUND, "only this one");

    *more = !failed(e);
    if (failed(e))
        return e.code == ERR_NOT_FOUND ? OK : e;
    return make_below(tx, at, from, up);
}

static struct err begin(struct store_tx *tx, struct store_folder_copy *rq,
                        struct folder_copying *at)
{
    struct arena arena = ARENA_INIT;
    struct folder_rec rec, above;
    struct slice name = SLICE_EMPTY;
    struct err e = folder_load_plain(tx, rq->fid, &rec);

    if (!failed(e)) {
        name = folder_rec_name(&rec);
        if (rq->name.len)
            e = folder_name_take(rq->name, &arena, &name);
    }
    if (!failed(e))
        e = folder_place_for(tx, rq->fid, false, rq->parent, name, &above);
    *at = (struct folder_copying){.from = rq->fid};
    if (!failed(e))
        e = make_copy(tx, &rec, &above, name, &at->to);
    at->top = at->to;
    arena_done(&arena);
    return e;
}

static struct err copy_some(struct store_tx *tx, struct store_folder_copy *rq,
                            struct folder_copying *at, bool *more)
{
    struct err e = OK;

    *more = true;
    for (int folders = 0; folders < FOLDERS_PER_BATCH && *more && !failed(e);) {
        uint64_t next = at->next;

        e = copy_messages(tx, at, more);
        if (!failed(e) && *more && at->next > next)
            return OK; /* a slice of messages is enough for one batch */
        if (failed(e) || *more)
            continue;
        e = go_on(tx, rq, at, more);
        folders++;
    }
    return e;
}

static struct err copy_step(struct store_tx *tx, struct store_op *op)
{
    struct store_folder_copy *rq = container_of(op, struct store_folder_copy, op);
    struct err e = OK;

    rq->batch = rq->at;
    if (op->batches == 0)
        e = begin(tx, rq, &rq->batch);
    if (failed(e))
        return e;
    e = copy_some(tx, rq, &rq->batch, &op->more);
    if (e.code == ERR_NOT_FOUND && op->batches > 0) { /* somebody deleted what is being copied */
        rq->batch.partial = true;
        op->more = false;
        return OK;
    }
    return e;
}

static void copy_settle(struct store_op *op)
{
    struct store_folder_copy *rq = container_of(op, struct store_folder_copy, op);

    if (!op->ran) { /* done when it was asked before: nobody remembers how far it had come */
        rq->batch.partial = true;
        op->more = false;
    }
    rq->at = rq->batch;
    rq->copy = rq->at.top;
    rq->partial = rq->at.partial;
}

void store_folder_copy_init(struct store_folder_copy *rq)
{
    *rq = (struct store_folder_copy){
        .op = {.step = copy_step, .settle = copy_settle, .needs_space = true}};
}
