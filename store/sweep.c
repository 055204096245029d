/*
 * sweep.c - the contents of folders that are gone, removed in slices behind everybody's back; then
 * what was soft-deleted too long ago.
 *
 * A folder vanishes in one small batch, which puts its FID on a list in the mailbox. What is on
 * the list is swept by whoever deleted the folder, or opens the mailbox next after a crash.
 */
#include <stdlib.h>

#include "store/message_int.h"

struct err sweep_doom(struct store_tx *tx, const struct folder_rec *rec)
{
    struct key key = key_id(KEY_DOOMED, rec->fid);

    struct err e = tx_count(tx, rec, -(int64_t)rec->exists, -(int64_t)rec->size);

    tx->rec.doomed++;
    return failed(e) ? e : tx_put(tx, &key, SLICE_EMPTY);
}

static struct err drop_row(struct store_tx *tx, struct keyword_counts *keywords,
                           const struct message_row *row, size_t *blobs)
{
    struct err e = drop_message_keys(tx, row, blobs);

    keyword_counts_add(keywords, row->keyword_set, -1);
    return failed(e) ? e : engine_blob_unlink(tx->w, row->blob);
}

static struct err drop_group(struct store_tx *tx, struct keyword_counts *keywords,
                             struct group *group, size_t *blobs)
{
    struct message_row row;
    struct err e = OK;

    for (uint32_t i = 0; i < group->n && !failed(e); i++) {
        row_decode(group_row(group, i), &row);
        e = drop_row(tx, keywords, &row, blobs);
    }
    group->n = 0;
    return failed(e) ? e : group_save(tx, group);
}

/* *left: how much of the batch's measure is left; 0 when there may be more rows. */
static struct err sweep_rows(struct store_tx *tx, uint64_t fid, int *left)
{
    struct keyword_counts keywords = {NULL, 0, 0};
    struct group group;
    size_t blobs = 0;
    struct err e = OK;

    while (*left > 0 && blobs < SLICE_BLOBS && !failed(e)) {
        e = group_load(tx, fid, 0, &group);
        if (failed(e))
            break;
        *left -= (int)group.n;
        e = drop_group(tx, &keywords, &group, &blobs);
    }
    if (blobs >= SLICE_BLOBS)
        *left = 0;
    if (e.code == ERR_NOT_FOUND)
        e = OK;
    if (!failed(e))
        e = keyword_counts_write(tx, &keywords);
    keyword_counts_done(&keywords);
    return e;
}

/* Everything of one kind that begins with the FID. */
static struct err sweep_range(struct store_tx *tx, enum key_kind kind, uint64_t fid, int *left)
{
    struct key from = key_id(kind, fid);
    struct slice key, value;

    for (; *left > 0; (*left)--) {
        struct key found = {.len = 0};
        struct err e = engine_seek(tx->cursor, key_slice(&from), &key, &value);

        if (failed(e))
            return e.code == ERR_NOT_FOUND ? OK : e;
        if (!key_is_kind(key, kind) || key.len < 9 || get_be64(key.ptr + 1) != fid)
            return OK;
        memcpy(found.bytes, key.ptr, key.len);
        found.len = (uint16_t)key.len;
        e = tx_delete(tx, &found);
        if (failed(e))
            return e;
    }
    return OK;
}

static struct err strike_off(struct store_tx *tx, uint64_t fid)
{
    struct key key = key_id(KEY_DOOMED, fid);
    struct folder_rec rec;
    struct err e = tx_delete(tx, &key);

    tx->rec.doomed--;
    if (!failed(e))
        e = folder_load(tx->read, fid, &rec);
    if (failed(e))
        return e.code == ERR_NOT_FOUND ? OK : e;
    rec.flags = (uint16_t)(rec.flags & ~FOLDER_SWEEPING);
    return folder_save(tx, &rec);
}

struct err sweep_step(struct store_tx *tx)
{
    static const enum key_kind kinds[] = {KEY_RUN_ALL, KEY_RUN_UNSEEN, KEY_TOMBSTONE};
    struct key from = key_kind(KEY_DOOMED);
    struct slice key, value;
    uint64_t fid;
    int left = SLICE_EXPUNGE;
    struct err e = engine_seek(tx->cursor, key_slice(&from), &key, &value);

    if (e.code == ERR_NOT_FOUND || (!failed(e) && !key_is_id(key, KEY_DOOMED, &fid)))
        return tx->rec.doomed == 0 ? OK : ERR(ERR_CORRUPT, "count of doomed folders");
    if (failed(e))
        return e;
    tx->changed = true;
    e = sweep_rows(tx, fid, &left);
    for (size_t i = 0; i < 3 && !failed(e); i++)
        e = sweep_range(tx, kinds[i], fid, &left);
    return failed(e) || left <= 0 ? e : strike_off(tx, fid);
}

/* ---- in the background ---- */

struct sweep {
    struct store_op op;
    struct recover_pass at, batch;
};

static struct err background_step(struct store_tx *tx, struct store_op *op)
{
    struct sweep *sweep = container_of(op, struct sweep, op);

    sweep->batch = sweep->at;
    struct err e = tx->rec.doomed > 0 && op->batches > 0
                       ? sweep_step(tx)
                       : recover_step(tx, op->batches == 0, &sweep->batch);
    op->more = tx->rec.doomed > 0 || sweep->batch.on;
    return e;
}

static void background_settle(struct store_op *op)
{
    struct sweep *sweep = container_of(op, struct sweep, op);

    sweep->at = sweep->batch;
    /* What is left is swept by who opens the mailbox next. */
    if (atomic_load(&op->mailbox->store->closing))
        op->more = false;
}

static void background_done(struct store_op *op)
{
    struct mailbox *mb = op->mailbox;
    struct store *st = mb->store;

    if (failed(op->err))
        log_event(st->log, LOG_LEVEL_WARN, "store.sweep_failed",
                  log_number("mailbox", (int64_t)mb->id), log_str("error", op->err.why));
    pthread_mutex_lock(&mb->mutex);
    mb->sweeping = false;
    pthread_mutex_unlock(&mb->mutex);
    free(container_of(op, struct sweep, op));
    mailbox_close(mb);
    store_background_end(st);
}

void sweep_start(struct mailbox *mb)
{
    pthread_mutex_lock(&mb->mutex);
    bool busy = mb->sweeping;

    mb->sweeping = true;
    pthread_mutex_unlock(&mb->mutex);
    if (busy)
        return;
    struct sweep *sweep = mem_new(sizeof *sweep);
    struct store_op *op = &sweep->op;

    store_background_begin(mb->store);
    mailbox_hold(mb); /* until the last of background_done() */
    op->home = store_pool_executor(mb->store->pool);
    op->step = background_step;
    op->settle = background_settle;
    op->done = background_done;
    store_submit(mb, op);
}
