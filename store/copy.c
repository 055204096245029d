/*
 * copy.c - copying and moving messages between the folders of a mailbox.
 *
 * A copy refers to the same bytes. A moved message gets a new MID and a new UID and leaves a
 * tombstone, so that all protocols agree on what happened.
 */
#include "store/bag.h"
#include "store/message_int.h"

static struct err move_uidl(struct store_tx *tx, uint64_t from, uint64_t to)
{
    struct key key = key_id(KEY_UIDL, from), new = key_id(KEY_UIDL, to);
    uint8_t copy[UIDL_MAX_BYTES];
    struct slice value;
    struct err e = tx_get(tx, &key, &value);

    if (failed(e) || value.len > sizeof copy)
        return ERR(ERR_CORRUPT, "a row's UIDL is missing");
    memcpy(copy, value.ptr, value.len);
    return tx_put(tx, &new, slice_of(copy, value.len));
}

static struct err transfer_row(struct store_tx *tx, const struct transfer *t, struct appender *a,
                               const uint8_t *bytes)
{
    struct message_row row;
    struct err e = OK;

    row_decode(bytes, &row);
    uint64_t old = row.mid;

    uidset_add(t->source, row.uid, row.uid);
    if (a->cause != CAUSE_NONE)
        mid_runs_add(&a->old_mids, old);
    row.savedate = tx->now;
    if (t->keep_mids)
        return appender_add(tx, a, &row);
    row.mid = 0;
    if (!t->move) {
        row.flags = (uint16_t)(row.flags & ~FLAG_IMPORTED_UIDL);
        e = engine_blob_link_id(tx->w, row.blob);
    }
    if (!failed(e))
        e = appender_add(tx, a, &row);
    if (!failed(e) && (row.flags & FLAG_IMPORTED_UIDL))
        e = move_uidl(tx, old, row.mid);
    if (!failed(e) && (row.flags & FLAG_BAG))
        e = t->move ? bag_move(tx, old, row.mid) : bag_copy(tx, old, row.mid);
    return e;
}

static struct err transfer_rows(struct store_tx *tx, const struct transfer *t, struct appender *a)
{
    struct uid_walk walk = {t->uids, 0};
    struct group group;
    uint64_t at = 0;
    uint32_t uid;

    while (at < t->before && uidset_next(t->uids, (uint32_t)at, &uid) && a->n < t->most) {
        struct err e = group_load(tx, t->from->fid, uid, &group);

        if (failed(e))
            return e.code == ERR_NOT_FOUND ? OK : e;
        /*
         * In a copy to the same folder the last group may be met again, after new rows have filled
         * it up: what was copied from it is not copied twice.
         */
        for (uint32_t i = 0; i < group.n && a->n < t->most && !failed(e); i++) {
            const uint8_t *row = group_row(&group, i);

            if (row_uid(row) >= at && row_uid(row) < t->before && uid_walk_has(&walk, row_uid(row)))
                e = transfer_row(tx, t, a, row);
        }
        at = (uint64_t)row_uid(group_row(&group, group.n - 1)) + 1;
        if (failed(e))
            return e;
    }
    return OK;
}

/* What was soft-deleted is new where it is recovered to, for those who see only the others. */
static void note_source(const struct transfer *t, struct appender *a)
{
    if (folder_is_deleted(t->from))
        return;
    a->cause = t->move ? CAUSE_MOVED : CAUSE_COPIED;
    a->old_fid = t->from->shadow == SHADOW_NONE ? t->from->fid : t->from->parent;
}

struct err transfer_run(struct store_tx *tx, struct transfer *t, uint32_t *first_uid)
{
    struct appender a;
    uint64_t n = uidset_count(t->uids);
    struct err e;

    if (n > t->from->exists)
        n = t->from->exists;
    t->before = t->from->uidnext;
    e = appender_begin(tx, &a, t->to, n);
    note_source(t, &a);
    if (!failed(e))
        e = transfer_rows(tx, t, &a);
    if (t->move) { /* the new rows refer to the keyword sets in the place of the old ones */
        keyword_counts_done(&a.keywords);
    }
    if (!failed(e))
        e = appender_end(tx, &a);
    if (!failed(e) && t->move)
        e = remove_all(tx, t->from, t->source, t->keep_mids ? REMOVE_KEPT : REMOVE_MOVED);
    *first_uid = a.n ? a.first_uid : 0;
    appender_done(&a);
    return e;
}

static struct err copy_step(struct store_tx *tx, struct store_op *op)
{
    struct store_copy *rq = container_of(op, struct store_copy, op);
    struct folder_rec from, other, *to = &other;
    struct transfer t = {.from = &from,
                         .uids = &rq->uids,
                         .most = UINT32_MAX,
                         .move = rq->move,
                         .source = &rq->batch_source};
    struct err e = folder_load_place(tx, rq->to, rq->associated, &other);

    uidset_clear(&rq->batch_source);
    if (!failed(e)) /* after the target's shadow was made, for that changes its owner */
        e = folder_load_source(tx, rq->from, &from);
    if (failed(e))
        return e;
    if (other.fid == from.fid)
        to = &from;
    t.to = to;
    e = transfer_run(tx, &t, &rq->first_uid);
    if (!failed(e) && (!rq->move || folder_is_deleted(&from)) && rq->batch_source.n)
        e = tx_check_quota(tx, 0);
    rq->uidvalidity = to->uidvalidity;
    return e;
}

static void copy_settle(struct store_op *op)
{
    struct store_copy *rq = container_of(op, struct store_copy, op);

    uidset_done(&rq->source);
    rq->source = rq->batch_source;
    rq->batch_source = UIDSET_EMPTY;
}

static void copy_cleanup(struct store_op *op)
{
    struct store_copy *rq = container_of(op, struct store_copy, op);

    uidset_done(&rq->batch_source);
}

void store_copy_init(struct store_copy *rq)
{
    *rq = (struct store_copy){.op = {.step = copy_step,
                                     .settle = copy_settle,
                                     .cleanup = copy_cleanup,
                                     .needs_space = true}};
}

struct err message_move_some(struct store_tx *tx, uint64_t from_fid, uint64_t to_fid, bool *more)
{
    struct folder_rec from, to;
    struct uidset all = UIDSET_EMPTY, moved = UIDSET_EMPTY;
    struct transfer t = {.from = &from,
                         .to = &to,
                         .uids = &all,
                         .most = SLICE_EXPUNGE,
                         .move = true,
                         .source = &moved};
    uint32_t first;
    struct err e = folder_load_open(tx, from_fid, &from);

    if (!failed(e))
        e = folder_load_open(tx, to_fid, &to);
    uidset_add(&all, 1, UINT32_MAX);
    if (!failed(e))
        e = transfer_run(tx, &t, &first);
    *more = !failed(e) && from.exists > 0;
    uidset_done(&all);
    uidset_done(&moved);
    return e;
}
