/*
 * folder_tree.c - folders as MAPI changes them: whole trees deleted, emptied, put elsewhere.
 *
 * A tree is deleted from its leaves up, a bounded number of folders in a batch, so each batch
 * leaves a tree behind. What a soft-deleted folder had below it was soft-deleted before it, and
 * lies below it still.
 */
#include "store/folder_int.h"
#include "store/message_int.h"

enum { FOLDERS_PER_BATCH = 50, MARKS_PER_BATCH = 500 };

/* So many hidden ones for each that a mailbox may have: two shadows, and itself before it. */
enum { HIDDEN_PER_FOLDER = 3 };

/* ---- walking ---- */

/* The first child by name from `from` on that is not special. ERR_NOT_FOUND. */
static struct err next_child(struct store_tx *tx, uint64_t parent, const struct key *from,
                             bool special_too, struct folder_rec *out)
{
    struct slice key, value;
    uint64_t fid;
    struct err e = engine_seek(tx->cursor, key_slice(from), &key, &value);

    for (; !failed(e) && key_is_name(key, parent); e = engine_next(tx->cursor, &key, &value)) {
        e = u64_value_decode(value, &fid);
        if (!failed(e))
            e = folder_load(tx->read, fid, out);
        if (failed(e) || special_too || !failed(folder_deny_special(out)))
            return e;
    }
    return failed(e) ? e : ERR(ERR_NOT_FOUND, "no more folders");
}

static struct err first_child(struct store_tx *tx, uint64_t parent, bool special_too,
                              struct folder_rec *out)
{
    struct key from = key_id(KEY_FOLDER_NAME, parent);

    return next_child(tx, parent, &from, special_too, out);
}

/* The first folder that was soft-deleted there. ERR_NOT_FOUND. */
static struct err first_deleted(struct store_tx *tx, uint64_t parent, struct folder_rec *out)
{
    struct key from = key_id(KEY_DELETED, parent);
    struct slice key, value;
    uint64_t fid, its;
    struct err e = engine_seek(tx->cursor, key_slice(&from), &key, &value);

    for (; !failed(e) && key_is_deleted(key, &its, &fid) && its == parent;
         e = engine_next(tx->cursor, &key, &value)) {
        e = folder_load(tx->read, fid, out);
        if (failed(e) || out->shadow == SHADOW_NONE)
            return e;
    }
    return failed(e) ? e : ERR(ERR_NOT_FOUND, "no more folders");
}

/* Down from *at to a folder with nothing below it; `hard`: nothing soft-deleted either. */
static struct err descend(struct store_tx *tx, bool hard, struct folder_rec *at)
{
    struct folder_rec child;

    for (;;) {
        struct err e = first_child(tx, at->fid, true, &child);

        if (e.code == ERR_NOT_FOUND && hard)
            e = first_deleted(tx, at->fid, &child);
        if (failed(e))
            return e.code == ERR_NOT_FOUND ? OK : e;
        *at = child;
    }
}

struct err folder_next(struct store_tx *tx, uint64_t root, uint64_t *fid, unsigned *up)
{
    struct folder_rec at, next;
    struct err e = first_child(tx, *fid, true, &next);

    *up = 0;
    if (!failed(e))
        *fid = next.fid;
    while (e.code == ERR_NOT_FOUND && *fid != root) {
        e = folder_load(tx->read, *fid, &at);
        if (failed(e))
            return e;
        struct key behind = key_name(at.parent, folder_rec_name(&at));

        behind.bytes[behind.len++] = 0; /* names hold no NUL */
        ++*up;
        e = next_child(tx, at.parent, &behind, true, &next);
        *fid = failed(e) ? at.parent : next.fid;
    }
    return e;
}

/* ---- deleting one folder that has nothing below it ---- */

static struct err purge_deleted(struct store_tx *tx, struct folder_rec *rec)
{
    struct key key = key_id(KEY_FOLDER, rec->fid), listed = key_deleted(rec->parent, rec->fid);
    struct err e = sweep_doom(tx, rec);

    tx->rec.hidden--;
    if (!failed(e))
        e = tx_delete(tx, &key);
    if (!failed(e))
        e = tx_delete(tx, &listed);
    return failed(e) ? e : folder_drop_extras(tx, rec->fid);
}

static struct err purge(struct store_tx *tx, struct folder_rec *rec)
{
    if (rec->flags & FOLDER_DELETED)
        return purge_deleted(tx, rec);
    struct err e = folder_clear(tx, rec);

    return failed(e) ? e : folder_vanish(tx, rec);
}

/* It counts for the other sum from now on. */
static struct err set_deleted(struct store_tx *tx, struct folder_rec *rec, bool deleted)
{
    struct err e = tx_count(tx, rec, -(int64_t)rec->exists, -(int64_t)rec->size);

    rec->flags = (uint16_t)(deleted ? rec->flags | FOLDER_DELETED : rec->flags & ~FOLDER_DELETED);
    rec->deleted_on = deleted ? tx->now : 0;
    rec->cn = tx_take(tx, 1);
    rec->changed = tx->now;
    tx->rec.folders += deleted ? -1u : 1u;
    tx->rec.hidden += deleted ? 1u : -1u;
    return failed(e) ? e : tx_count(tx, rec, (int64_t)rec->exists, (int64_t)rec->size);
}

static struct err hide(struct store_tx *tx, struct folder_rec *rec)
{
    struct key listed = key_deleted(rec->parent, rec->fid);
    struct err e = folder_drop_special(tx, rec);

    if (!failed(e))
        e = shadows_drop(tx, rec);
    if (!failed(e))
        e = folder_take_out(tx, rec);
    if (!failed(e))
        e = set_deleted(tx, rec, true);
    if (!failed(e))
        e = folder_save(tx, rec);
    if (!failed(e))
        e = tx_put(tx, &listed, SLICE_EMPTY);
    tx_note_deleted(tx);
    return failed(e) ? e : log_folder_gone(tx, rec, rec->cn);
}

static bool can_be_hidden(const struct store_tx *tx, const struct folder_rec *rec)
{
    uint64_t most = (uint64_t)HIDDEN_PER_FOLDER * tx->mailbox->store->config.max_folders;

    return folder_is_plain(rec) && !(rec->flags & (FOLDER_NOSELECT | FOLDER_SEARCH)) &&
           tx->rec.hidden < most && fits_deleted(tx, rec->size);
}

static struct err remove_leaf(struct store_tx *tx, struct folder_rec *at, bool hard)
{
    struct err e = descend(tx, hard, at);

    if (failed(e))
        return e;
    if (!hard && can_be_hidden(tx, at))
        return hide(tx, at);
    e = descend(tx, true, at);
    return failed(e) ? e : purge(tx, at);
}

struct err folder_remove_some(struct store_tx *tx, const struct folder_rec *root, bool hard,
                              bool *more)
{
    *more = true;
    for (int i = 0; i < FOLDERS_PER_BATCH && *more; i++) {
        struct folder_rec at;
        struct err e = folder_load(tx->read, root->fid, &at);

        if (!failed(e))
            e = remove_leaf(tx, &at, hard);
        if (failed(e))
            return e;
        *more = at.fid != root->fid;
    }
    return OK;
}

struct err folder_remove_deleted_below(struct store_tx *tx, uint64_t fid, bool *any)
{
    struct folder_rec child;
    struct err e = first_deleted(tx, fid, &child);
    bool more;

    *any = !failed(e);
    if (failed(e))
        return e.code == ERR_NOT_FOUND ? OK : e;
    return folder_remove_some(tx, &child, true, &more);
}

static struct err remove_step(struct store_tx *tx, struct store_op *op)
{
    struct store_folder_remove *rq = container_of(op, struct store_folder_remove, op);
    struct folder_rec rec;
    struct err e = folder_load(tx->read, rq->fid, &rec);

    if (failed(e))
        return e.code == ERR_NOT_FOUND && op->batches > 0 ? OK : e;
    if (rec.shadow != SHADOW_NONE)
        return ERR(ERR_NOT_FOUND, "there is no such folder");
    e = folder_deny_special(&rec);
    if (failed(e))
        return e;
    rq->partial = op->batches == 0 &&
                  ((rec.exists > 0 && !rq->messages) || (rec.children > 0 && !rq->folders));
    if (rq->partial)
        return OK;
    return folder_remove_some(tx, &rec, rq->hard || (rec.flags & FOLDER_DELETED), &op->more);
}

static void start_sweep(struct store_op *op)
{
    sweep_start(op->mailbox);
}

void store_folder_remove_init(struct store_folder_remove *rq)
{
    *rq = (struct store_folder_remove){
        .op = {.sliced = true, .step = remove_step, .settle = start_sweep}};
}

/* ---- emptying ---- */

/* Of the folders below; *more: some are left that can go. */
static struct err empty_folders(struct store_tx *tx, struct store_folder_empty *rq, bool *more)
{
    struct folder_rec child;
    struct err e = first_child(tx, rq->fid, false, &child);

    *more = true;
    if (!failed(e))
        return folder_remove_some(tx, &child, rq->hard, &(bool){false});
    if (e.code != ERR_NOT_FOUND)
        return e;
    *more = false;
    return rq->hard ? folder_remove_deleted_below(tx, rq->fid, more) : OK;
}

/* The associated and soft-deleted messages, all at once. */
static struct err empty_shadows(struct store_tx *tx, const struct store_folder_empty *rq,
                                struct folder_rec *rec)
{
    struct err e = OK;

    if (rq->associated)
        e = shadow_drop(tx, rec, SHADOW_ASSOCIATED);
    if (!failed(e) && rq->hard)
        e = shadow_drop(tx, rec, SHADOW_DELETED);
    return failed(e) ? e : folder_save(tx, rec);
}

static struct err empty_step(struct store_tx *tx, struct store_op *op)
{
    struct store_folder_empty *rq = container_of(op, struct store_folder_empty, op);
    struct folder_rec rec;
    size_t n = 0;
    struct err e = folder_load_plain(tx, rq->fid, &rec);

    if (failed(e))
        return e;
    if (op->batches == 0)
        rq->before = rec.uidnext;
    e = messages_delete_some(tx, &rec, rq->before, rq->hard, &n, &op->more);
    if (failed(e) || op->more)
        return e;
    e = empty_shadows(tx, rq, &rec);
    if (!failed(e))
        e = empty_folders(tx, rq, &op->more);
    if (!failed(e) && !op->more)
        e = folder_load(tx->read, rq->fid, &rec);
    rq->partial = !op->more && rec.children > 0;
    return e;
}

void store_folder_empty_init(struct store_folder_empty *rq)
{
    *rq = (struct store_folder_empty){
        .op = {.sliced = true, .step = empty_step, .settle = start_sweep}};
}

/* ---- putting elsewhere ---- */

struct err folder_place_for(struct store_tx *tx, uint64_t fid, bool itself, uint64_t parent,
                            struct slice name, struct folder_rec *above)
{
    uint64_t other;
    bool below;
    struct err e = folder_load_plain(tx, parent, above);

    if (!failed(e))
        e = folder_is_below(tx, above, fid, &below);
    if (!failed(e) && below)
        e = ERR(ERR_CONFLICT, "a folder cannot be put into itself");
    if (failed(e))
        return e;
    e = folder_sibling(tx->read, parent, name, &other);
    if (!failed(e) && !(itself && other == fid))
        return ERR(ERR_EXISTS, "there is a folder of this name");
    return e.code == ERR_NOT_FOUND ? OK : e;
}

/* Out of where it is: among its siblings, or what was soft-deleted. */
static struct err take_out(struct store_tx *tx, struct folder_rec *rec)
{
    struct key listed = key_deleted(rec->parent, rec->fid);

    if (!(rec->flags & FOLDER_DELETED))
        return folder_take_out(tx, rec);
    struct err e = tx_delete(tx, &listed);

    if (!failed(e))
        e = set_deleted(tx, rec, false);
    rec->parent = 0; /* nobody knew it there: it is new where it goes */
    return failed(e) ? e : tx_check_quota(tx, 0);
}

static struct err move_first(struct store_tx *tx, struct store_folder_move *rq, struct arena *in)
{
    struct folder_rec rec, above;
    struct slice name;
    struct err e = folder_load(tx->read, rq->fid, &rec);

    if (failed(e) || rec.shadow != SHADOW_NONE)
        return failed(e) ? e : ERR(ERR_NOT_FOUND, "there is no such folder");
    e = folder_deny_special(&rec);
    if (failed(e))
        return e;
    uint16_t before = rec.flags & FOLDER_IPM;

    name = arena_slice(in, folder_rec_name(&rec));
    if (rq->name.len)
        e = folder_name_take(rq->name, in, &name);
    if (!failed(e))
        e = folder_place_for(tx, rq->fid, true, rq->parent, name, &above);
    if (!failed(e))
        e = take_out(tx, &rec);
    if (!failed(e))
        e = folder_put_under(tx, &rec, rq->parent, name);
    rq->op.more = (rec.flags & FOLDER_IPM) != before && rec.children > 0;
    rq->batch_at = rq->fid;
    return e;
}

/* All below it are told whether they are in the IPM subtree now. */
static struct err mark_some(struct store_tx *tx, struct store_folder_move *rq)
{
    struct folder_rec root, rec;
    struct err e = folder_load(tx->read, rq->fid, &root);
    uint64_t at = rq->at;
    unsigned up;

    for (int i = 0; i < MARKS_PER_BATCH && !failed(e); i++) {
        e = folder_next(tx, rq->fid, &at, &up);
        if (!failed(e))
            e = folder_load(tx->read, at, &rec);
        if (failed(e))
            break;
        rec.flags = (uint16_t)((rec.flags & ~FOLDER_IPM) | (root.flags & FOLDER_IPM));
        e = folder_save(tx, &rec);
    }
    rq->batch_at = at;
    rq->op.more = !failed(e);
    return e.code == ERR_NOT_FOUND ? OK : e;
}

static struct err move_step(struct store_tx *tx, struct store_op *op)
{
    struct store_folder_move *rq = container_of(op, struct store_folder_move, op);
    struct arena arena = ARENA_INIT;
    struct err e = op->batches == 0 ? move_first(tx, rq, &arena) : mark_some(tx, rq);

    arena_done(&arena);
    return e;
}

static void move_settle(struct store_op *op)
{
    struct store_folder_move *rq = container_of(op, struct store_folder_move, op);

    rq->at = rq->batch_at;
    if (!op->ran) { /* done when it was asked before; marking anew does no harm */
        rq->at = rq->fid;
        op->more = true;
    }
}

void store_folder_move_init(struct store_folder_move *rq)
{
    *rq = (struct store_folder_move){.op = {.step = move_step, .settle = move_settle}};
}
