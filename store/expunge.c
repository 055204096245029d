/*
 * expunge.c - removing messages, and sweeping up what folders that are gone have left.
 */
#include <stdlib.h>

#include "store/bag.h"
#include "store/message_int.h"

/* ---- one message ---- */

struct err drop_message_keys(struct store_tx *tx, const struct message_row *row, size_t *blobs)
{
    struct key mid = key_id(KEY_MID, row->mid), uidl = key_id(KEY_UIDL, row->mid);
    struct err e = tx_delete(tx, &mid);

    if (!failed(e) && (row->flags & FLAG_IMPORTED_UIDL))
        e = tx_delete(tx, &uidl);
    if (!failed(e) && (row->flags & FLAG_BAG))
        e = bag_drop(tx, row->mid, blobs); /* of one that was moved there is none left */
    return e;
}

static struct err let_go(struct store_tx *tx, struct keyword_counts *keywords,
                         const struct message_row *row)
{
    keyword_counts_add(keywords, row->keyword_set, -1);
    return engine_blob_unlink(tx->w, row->blob);
}

struct err removal_add(struct store_tx *tx, struct removal *r, const struct message_row *row)
{
    struct err e = OK;

    if (r->kind != REMOVE_REPLACED && r->kind != REMOVE_KEPT)
        e = drop_message_keys(tx, row, &r->blobs);
    uidset_add(&r->gone, row->uid, row->uid);
    mid_runs_add(&r->mids, row->mid);
    if (!(row->flags & FLAG_SEEN))
        uidset_add(&r->unseen, row->uid, row->uid);
    if (row->flags & FLAG_DELETED)
        r->n_deleted++;
    r->size += row->size;
    if (!failed(e) && r->kind != REMOVE_MOVED && r->kind != REMOVE_KEPT)
        e = let_go(tx, &r->keywords, row);
    return e;
}

static struct err log_removal(struct store_tx *tx, struct removal *r,
                              const struct folder_rec *folder)
{
    struct log_rec rec = {
        .kind = LOG_EXPUNGED,
        .cause = r->kind == REMOVE_MOVED      ? CAUSE_MOVED
                 : r->kind == REMOVE_REPLACED ? CAUSE_REPLACED
                                              : CAUSE_NONE,
        .fid = folder->fid,
        .first = folder->modseq,
        .mids = mid_runs_end(&r->mids),
    };

    return log_put(tx, &rec, &r->gone);
}

struct err removal_end(struct store_tx *tx, struct removal *r, struct folder_rec *folder)
{
    uint32_t n = (uint32_t)uidset_count(&r->gone), n_unseen = (uint32_t)uidset_count(&r->unseen);

    if (n == 0)
        return OK;
    if (folder->exists < n || folder->unseen < n_unseen || folder->deleted < r->n_deleted ||
        folder->size < r->size)
        return ERR(ERR_CORRUPT, "a folder has more messages than it counts");
    folder->exists -= n;
    folder->unseen -= n_unseen;
    folder->deleted -= r->n_deleted;
    folder->size -= r->size;
    folder->modseq = folder->gone_modseq = tx_take(tx, 1);
    folder->contents_changed = tx->now;
    folder->removed += n;
    struct err e = tx_count(tx, folder, -(int64_t)n, -(int64_t)r->size);

    if (!failed(e))
        e = runs_remove_set(tx, KEY_RUN_ALL, folder->fid, &r->gone);
    if (!failed(e))
        e = runs_remove_set(tx, KEY_RUN_UNSEEN, folder->fid, &r->unseen);
    if (!failed(e))
        e = keyword_counts_write(tx, &r->keywords);
    if (!failed(e))
        e = log_removal(tx, r, folder);
    return failed(e) ? e : folder_save(tx, folder);
}

void removal_done(struct removal *r)
{
    uidset_done(&r->gone);
    uidset_done(&r->unseen);
    keyword_counts_done(&r->keywords);
    mid_runs_done(&r->mids);
}

/* ---- groups ---- */

/* Which rows a walk takes out. */
struct choice {
    struct uid_walk uids; /* .set NULL: every one */
    uint64_t from;
    bool only_deleted;
};

static bool is_chosen(struct choice *choice, const uint8_t *row)
{
    if (row_uid(row) < choice->from)
        return false;
    if (choice->only_deleted && !(get_le16(row + 4) & FLAG_DELETED))
        return false;
    return !choice->uids.set || uid_walk_has(&choice->uids, row_uid(row));
}

static struct err remove_from_group(struct store_tx *tx, struct removal *r, struct choice *choice,
                                    struct group *group)
{
    uint32_t kept = 0;
    struct message_row row;
    struct err e = OK;

    for (uint32_t i = 0; i < group->n && !failed(e); i++) {
        uint8_t *bytes = group_row(group, i);

        if (is_chosen(choice, bytes)) {
            row_decode(bytes, &row);
            e = removal_add(tx, r, &row);
        } else {
            if (kept != i)
                memcpy(group_row(group, kept), bytes, ROW_BYTES);
            kept++;
        }
    }
    if (failed(e) || kept == group->n)
        return e;
    group->n = kept;
    return group_save_shrunk(tx, group);
}

struct err remove_all(struct store_tx *tx, struct folder_rec *folder, const struct uidset *uids,
                      enum removal_kind kind)
{
    struct removal r = {.kind = kind, .mids = mid_runs_make()};
    struct choice choice = {.uids = {uids, 0}};
    struct group group;
    uint64_t at = 0;
    uint32_t uid;
    struct err e = OK;

    while (at <= UINT32_MAX && uidset_next(uids, (uint32_t)at, &uid)) {
        e = group_load(tx, folder->fid, uid, &group);
        if (failed(e))
            break;
        at = (uint64_t)row_uid(group_row(&group, group.n - 1)) + 1;
        e = remove_from_group(tx, &r, &choice, &group);
        if (failed(e))
            break;
    }
    if (e.code == ERR_NOT_FOUND)
        e = OK;
    if (!failed(e))
        e = removal_end(tx, &r, folder);
    removal_done(&r);
    return e;
}

/* ---- the request ---- */

/*
 * Find the next group that may have something for the request, with a look at headers only.
 * *at moves on; *looked counts. *found is false where the folder or the slice is at its end.
 */
static struct err find_group(struct store_tx *tx, const struct store_expunge *rq, uint64_t *at,
                             unsigned *looked, bool *found)
{
    *found = false;
    for (; *looked < SLICE_GROUPS && *at <= UINT32_MAX; (*looked)++) {
        struct group_view view;
        struct slice key, value;
        uint32_t uid = (uint32_t)*at;

        if (!rq->everything && !uidset_next(&rq->uids, uid, &uid))
            *at = (uint64_t)UINT32_MAX + 1;
        if (*at > UINT32_MAX)
            break;
        struct err e = group_seek(tx->cursor, rq->fid, uid, &key, &value);
        if (!failed(e))
            e = group_open(value, false, &view);
        if (e.code == ERR_NOT_FOUND)
            *at = (uint64_t)UINT32_MAX + 1;
        if (failed(e))
            return e.code == ERR_NOT_FOUND ? OK : e;
        if (!rq->only_deleted || (view.any_flags & FLAG_DELETED)) {
            *at = uid;
            *found = true;
            return OK;
        }
        *at = (uint64_t)row_uid(view.rows + (size_t)(view.n - 1) * ROW_BYTES) + 1;
    }
    return OK;
}

static struct err expunge_some(struct store_tx *tx, struct store_expunge *rq, struct removal *r,
                               bool *more)
{
    struct choice choice = {.uids = {rq->everything ? NULL : &rq->uids, 0},
                            .from = rq->next,
                            .only_deleted = rq->only_deleted};
    struct group group;
    uint64_t at = rq->next;
    unsigned looked = 0;

    while (uidset_count(&r->gone) < SLICE_EXPUNGE && r->gone.n < SLICE_RUNS &&
           r->blobs < SLICE_BLOBS) {
        bool found;
        struct err e = find_group(tx, rq, &at, &looked, &found);

        if (failed(e) || !found) {
            *more = at <= UINT32_MAX;
            rq->batch_next = at;
            return e;
        }
        e = group_load(tx, rq->fid, (uint32_t)at, &group);
        if (failed(e))
            return e;
        at = (uint64_t)row_uid(group_row(&group, group.n - 1)) + 1;
        e = remove_from_group(tx, r, &choice, &group);
        if (failed(e))
            return e;
    }
    *more = true;
    rq->batch_next = at;
    return OK;
}

static struct err expunge_step(struct store_tx *tx, struct store_op *op)
{
    struct store_expunge *rq = container_of(op, struct store_expunge, op);
    struct removal r = {.kind = REMOVE_EXPUNGED, .mids = mid_runs_make()};
    struct folder_rec folder;
    struct err e = folder_load_open(tx, rq->fid, &folder);

    if (failed(e) || folder.exists == 0 || (rq->only_deleted && folder.deleted == 0)) {
        uidset_clear(&rq->batch_expunged);
        return e;
    }
    e = expunge_some(tx, rq, &r, &op->more);
    uidset_copy(&rq->batch_expunged, &r.gone);
    if (!failed(e))
        e = removal_end(tx, &r, &folder);
    removal_done(&r);
    return e;
}

static void expunge_settle(struct store_op *op)
{
    struct store_expunge *rq = container_of(op, struct store_expunge, op);

    for (size_t i = 0; i < rq->batch_expunged.n; i++)
        uidset_add(&rq->expunged, rq->batch_expunged.runs[i].first,
                   rq->batch_expunged.runs[i].last);
    rq->next = rq->batch_next;
}

static void expunge_cleanup(struct store_op *op)
{
    struct store_expunge *rq = container_of(op, struct store_expunge, op);

    uidset_done(&rq->batch_expunged);
}

void store_expunge_init(struct store_expunge *rq)
{
    *rq = (struct store_expunge){.op = {.sliced = true,
                                        .step = expunge_step,
                                        .settle = expunge_settle,
                                        .cleanup = expunge_cleanup}};
}
