/*
 * delete.c - deleting messages as MAPI does: softly, into the folder's shadow, or for good.
 */
#include "store/message_int.h"

/* ---- some of a folder ---- */

/* The first `most` UIDs, or a few more, that are >= from and < before. */
struct err first_uids(struct store_tx *tx, uint64_t fid, uint64_t from, uint32_t before,
                      unsigned most, struct uidset *out)
{
    struct group group;
    unsigned n = 0;

    while (n < most && from < before) {
        struct err e = group_load(tx, fid, (uint32_t)from, &group);

        if (failed(e))
            return e.code == ERR_NOT_FOUND ? OK : e;
        for (uint32_t i = 0; i < group.n; i++) {
            uint32_t uid = row_uid(group_row(&group, i));

            if (uid >= from && uid < before) {
                uidset_add(out, uid, uid);
                n++;
            }
        }
        from = (uint64_t)row_uid(group_row(&group, group.n - 1)) + 1;
    }
    return OK;
}

static struct err size_of(struct store_tx *tx, uint64_t fid, const struct uidset *uids,
                          uint64_t *size)
{
    struct uid_walk walk = {uids, 0};
    struct message_row row;
    struct group group;
    uint64_t at = 0;
    uint32_t uid;

    *size = 0;
    while (at <= UINT32_MAX && uidset_next(uids, (uint32_t)at, &uid)) {
        struct err e = group_load(tx, fid, uid, &group);

        if (failed(e))
            return e.code == ERR_NOT_FOUND ? OK : e;
        for (uint32_t i = 0; i < group.n; i++) {
            row_decode(group_row(&group, i), &row);
            *size += row.uid >= at && uid_walk_has(&walk, row.uid) ? row.size : 0;
        }
        at = (uint64_t)row_uid(group_row(&group, group.n - 1)) + 1;
    }
    return OK;
}

bool fits_deleted(const struct store_tx *tx, uint64_t size)
{
    uint64_t most = tx->rec.quota, has = tx->rec.deleted_size;

    return tx->mailbox->store->config.recover > 0 &&
           (most == 0 || (has <= most && size <= most - has));
}

static struct err hide(struct store_tx *tx, struct folder_rec *folder, const struct uidset *uids)
{
    struct uidset source = UIDSET_EMPTY;
    struct folder_rec shadow;
    uint32_t first;
    struct transfer t = {.from = folder,
                         .to = &shadow,
                         .uids = uids,
                         .most = UINT32_MAX,
                         .move = true,
                         .keep_mids = true,
                         .source = &source};
    struct err e = shadow_load(tx, folder, SHADOW_DELETED, &shadow);

    if (!failed(e))
        e = transfer_run(tx, &t, &first);
    tx_note_deleted(tx);
    uidset_done(&source);
    return e;
}

struct err messages_delete(struct store_tx *tx, struct folder_rec *folder,
                           const struct uidset *uids, bool hard, size_t *n)
{
    uint32_t before = folder->exists;
    uint64_t size = 0;
    struct err e = OK;

    if (uids->n == 0)
        return OK;
    hard |= !folder_is_plain(folder);
    if (!hard)
        e = size_of(tx, folder->fid, uids, &size);
    if (!failed(e) && !hard && fits_deleted(tx, size))
        e = hide(tx, folder, uids);
    else if (!failed(e))
        e = remove_all(tx, folder, uids, REMOVE_EXPUNGED);
    *n += before - folder->exists;
    return e;
}

/* ---- the request ---- */

enum { MIDS_PER_BATCH = 500 };

struct sorted {
    struct uidset normal, associated;
};

/* Where a MID is: among the folder's messages, its associated ones, or neither. */
static struct err sort_mid(struct store_tx *tx, const struct folder_rec *folder, uint64_t mid,
                           struct sorted *to, size_t *gone)
{
    struct key key = key_id(KEY_MID, mid);
    struct slice value;
    uint64_t fid = 0;
    uint32_t uid = 0;
    struct err e = tx_get(tx, &key, &value);

    if (!failed(e))
        e = mid_value_decode(value, &fid, &uid);
    if (failed(e) && e.code != ERR_NOT_FOUND)
        return e;
    if (!failed(e) && fid == folder->fid)
        uidset_add(&to->normal, uid, uid);
    else if (!failed(e) && fid == folder->shadows[SHADOW_ASSOCIATED] && fid != 0)
        uidset_add(&to->associated, uid, uid);
    else
        ++*gone;
    return OK;
}

static struct err delete_sorted(struct store_tx *tx, struct store_delete_messages *rq,
                                struct folder_rec *folder, const struct sorted *sorted)
{
    struct folder_rec shadow;
    struct err e = messages_delete(tx, folder, &sorted->normal, rq->hard, &rq->batch_deleted);

    if (failed(e) || sorted->associated.n == 0)
        return e;
    e = folder_load(tx->read, folder->shadows[SHADOW_ASSOCIATED], &shadow);
    return failed(e) ? e
                     : messages_delete(tx, &shadow, &sorted->associated, true, &rq->batch_deleted);
}

static struct err delete_named(struct store_tx *tx, struct store_delete_messages *rq,
                               struct folder_rec *folder)
{
    struct sorted sorted = {UIDSET_EMPTY, UIDSET_EMPTY};
    size_t end = rq->n - rq->next > MIDS_PER_BATCH ? rq->next + MIDS_PER_BATCH : rq->n;
    struct err e = OK;

    for (size_t i = rq->next; i < end && !failed(e); i++)
        e = sort_mid(tx, folder, rq->mids[i], &sorted, &rq->batch_gone);
    if (!failed(e))
        e = delete_sorted(tx, rq, folder, &sorted);
    uidset_done(&sorted.normal);
    uidset_done(&sorted.associated);
    rq->batch_next = end;
    rq->op.more = end < rq->n;
    return e;
}

struct err messages_delete_some(struct store_tx *tx, struct folder_rec *folder, uint32_t before,
                                bool hard, size_t *n, bool *more)
{
    struct uidset uids = UIDSET_EMPTY;
    struct err e = first_uids(tx, folder->fid, 1, before, SLICE_EXPUNGE, &uids);

    if (!failed(e))
        e = messages_delete(tx, folder, &uids, hard, n);
    *more = uidset_count(&uids) >= SLICE_EXPUNGE;
    uidset_done(&uids);
    return e;
}

static struct err delete_step(struct store_tx *tx, struct store_op *op)
{
    struct store_delete_messages *rq = container_of(op, struct store_delete_messages, op);
    struct folder_rec folder;
    struct err e = folder_load_source(tx, rq->fid, &folder);

    rq->batch_deleted = rq->batch_gone = 0;
    if (failed(e))
        return e;
    if (op->batches == 0)
        rq->before = folder.uidnext;
    return rq->everything ? messages_delete_some(tx, &folder, rq->before, rq->hard,
                                                 &rq->batch_deleted, &op->more)
                          : delete_named(tx, rq, &folder);
}

static void delete_settle(struct store_op *op)
{
    struct store_delete_messages *rq = container_of(op, struct store_delete_messages, op);

    rq->next = rq->batch_next;
    rq->deleted += rq->batch_deleted;
    rq->gone += rq->batch_gone;
}

void store_delete_messages_init(struct store_delete_messages *rq)
{
    *rq = (struct store_delete_messages){
        .op = {.sliced = true, .step = delete_step, .settle = delete_settle}};
}
