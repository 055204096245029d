/* folder_fill.c - what a folder holds is copied or moved into another. */
#include "protocols/mapi/folder_fill.h"

#include "base/mem.h"
#include "protocols/mapi/rights.h"

/* Messages of a folder, or its associated ones. */
struct batch {
    uint64_t fid;
    struct uidset uids;
    bool associated;
};

struct filling {
    uint64_t from, to;
    unsigned what;
    bool move;
    uint32_t (*then)(struct rop_call *call, uint32_t ec);
    struct store_folder *folders;
    size_t n_folders, at_folder;
    struct batch batches[2];
    size_t at_batch;
    struct store_folder_move folder_move;
    struct store_folder_copy folder_copy;
    struct store_copy copy;
};

static uint32_t done(struct rop_call *call, struct filling *f, uint32_t ec)
{
    for (size_t i = 0; i < 2; i++)
        uidset_done(&f->batches[i].uids);
    return f->then(call, ec);
}

/* ---- messages ---- */

static uint32_t next_batch(struct rop_call *call, struct filling *f);

static uint32_t on_copied(struct rop_call *call, struct store_op *op)
{
    struct filling *f = container_of(op, struct filling, copy.op);

    uidset_done(&f->copy.source);
    return failed(op->err) ? done(call, f, mapi_ec_of(op->err)) : next_batch(call, f);
}

static uint32_t next_batch(struct rop_call *call, struct filling *f)
{
    while (f->at_batch < 2 && f->batches[f->at_batch].uids.n == 0)
        f->at_batch++;
    if (f->at_batch == 2)
        return done(call, f, EC_SUCCESS);
    struct batch *b = &f->batches[f->at_batch++];

    store_copy_init(&f->copy);
    f->copy.from = b->fid;
    f->copy.to = f->to;
    f->copy.associated = b->associated;
    f->copy.move = f->move;
    f->copy.uids = b->uids; /* lent */
    return rop_submit(call, call->logon->mailbox, &f->copy.op, on_copied);
}

/* ---- folders, and all that is below them ---- */

static uint32_t next_folder(struct rop_call *call, struct filling *f);

static uint32_t ec_of(struct err e)
{
    return e.code == ERR_CONFLICT ? EC_FOLDER_CYCLE : mapi_ec_of(e);
}

static uint32_t on_folder_moved(struct rop_call *call, struct store_op *op)
{
    struct filling *f = container_of(op, struct filling, folder_move.op);

    return failed(op->err) ? done(call, f, ec_of(op->err)) : next_folder(call, f);
}

static uint32_t on_folder_copied(struct rop_call *call, struct store_op *op)
{
    struct filling *f = container_of(op, struct filling, folder_copy.op);

    return failed(op->err) ? done(call, f, ec_of(op->err)) : next_folder(call, f);
}

static uint32_t next_folder(struct rop_call *call, struct filling *f)
{
    if (f->at_folder == f->n_folders)
        return next_batch(call, f);
    uint64_t fid = f->folders[f->at_folder++].fid;

    if (f->move) {
        store_folder_move_init(&f->folder_move);
        f->folder_move.fid = fid;
        f->folder_move.parent = f->to;
        return rop_submit(call, call->logon->mailbox, &f->folder_move.op, on_folder_moved);
    }
    store_folder_copy_init(&f->folder_copy);
    f->folder_copy.fid = fid;
    f->folder_copy.parent = f->to;
    f->folder_copy.recursive = true;
    return rop_submit(call, call->logon->mailbox, &f->folder_copy.op, on_folder_copied);
}

/* ---- what there is, and whether it may be done ---- */

/* [MS-OXCPRPT] 3.2.5.8: the target is not the source, nor below it. */
static uint32_t check_cycle(struct store_read *rd, const struct filling *f)
{
    struct store_folder at = {.parent = f->to};

    while (at.parent != f->from) {
        if (at.parent == at.fid) /* the root */
            return EC_SUCCESS;
        if (failed(store_folder_get(rd, at.parent, &at)))
            return EC_NOT_FOUND;
    }
    return EC_FOLDER_CYCLE;
}

static uint32_t check_rights(struct rop_call *call, struct store_read *rd, const struct filling *f)
{
    uint32_t needs = (f->what & FILL_FOLDERS ? RIGHT_CREATE_SUBFOLDER : 0) |
                     (f->what & (FILL_MESSAGES | FILL_ASSOCIATED) ? RIGHT_CREATE : 0);
    uint32_t to = mapi_rights(call->logon, rd, f->to, call->arena);
    uint32_t from = mapi_rights(call->logon, rd, f->from, call->arena);
    uint32_t takes = f->move ? RIGHT_READ_ANY | RIGHT_DELETE_ANY : RIGHT_READ_ANY;

    if (!(to & RIGHT_OWNER) && (to & needs) != needs)
        return EC_ACCESS_DENIED;
    return from & RIGHT_OWNER || (from & takes) == takes ? EC_SUCCESS : EC_ACCESS_DENIED;
}

static uint32_t check(struct rop_call *call, struct store_read *rd, const struct filling *f)
{
    struct store_folder to;
    uint32_t ec = mapi_ec_of(store_folder_get(rd, f->to, &to));

    if (!ec && to.search)
        ec = EC_NOT_SUPPORTED; /* it holds nothing of its own */
    if (!ec)
        ec = check_cycle(rd, f);
    return ec ? ec : check_rights(call, rd, f);
}

static uint32_t take_uids(struct store_read *rd, uint64_t fid, struct batch *out)
{
    struct store_view *view;
    uint32_t ec = mapi_ec_of(store_view_open(rd, fid, &view));

    if (ec)
        return ec;
    out->fid = fid;
    uidset_copy(&out->uids, store_view_uids(view));
    store_view_close(view);
    return EC_SUCCESS;
}

static uint32_t gather(struct rop_call *call, struct store_read *rd, struct filling *f)
{
    struct store_folder shadow;
    uint32_t ec = EC_SUCCESS;

    if (f->what & FILL_FOLDERS)
        ec = mapi_ec_of(
            store_folder_children(rd, f->from, false, call->arena, &f->folders, &f->n_folders));
    if (!ec && f->what & FILL_MESSAGES)
        ec = take_uids(rd, f->from, &f->batches[0]);
    f->batches[1].associated = true;
    if (!ec && f->what & FILL_ASSOCIATED &&
        !failed(store_folder_shadow(rd, f->from, SHADOW_ASSOCIATED, &shadow)))
        ec = take_uids(rd, shadow.fid, &f->batches[1]);
    return ec;
}

uint32_t mapi_folder_fill(struct rop_call *call, unsigned what, bool move,
                          uint32_t (*then)(struct rop_call *call, uint32_t ec))
{
    struct filling *f = arena_alloc(call->arena, sizeof *f);
    struct store_read *rd;
    uint32_t ec = rop_read(call, &rd);

    if (ec)
        return then(call, ec);
    f->from = ((const struct mapi_folder *)call->object)->fid;
    f->to = ((const struct mapi_folder *)call->dest)->fid;
    f->what = what;
    f->move = move;
    f->then = then;
    ec = check(call, rd, f);
    if (!ec)
        ec = gather(call, rd, f);
    store_read_end(rd);
    /* Folders first: what ends it soonest is a name that is taken. */
    return ec ? done(call, f, ec) : next_folder(call, f);
}
