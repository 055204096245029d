/*
 * append.c - new messages.
 */
#include <stdlib.h>

#include "store/message_int.h"
#include "store/prepare_int.h"

/* ---- rows behind the last one ---- */

struct err appender_begin(struct store_tx *tx, struct appender *a, struct folder_rec *folder,
                          uint64_t n)
{
    a->folder = folder;
    a->first_counter = tx->rec.counter + 1;
    a->first_uid = folder->uidnext;
    a->n = a->n_deleted = 0;
    a->size = 0;
    a->unseen = UIDSET_EMPTY;
    a->keywords = (struct keyword_counts){NULL, 0, 0};
    a->cause = CAUSE_NONE;
    a->old_fid = 0;
    a->mids = mid_runs_make();
    a->old_mids = mid_runs_make();
    if (folder->uidnext + n > UINT32_MAX)
        return ERR(ERR_LIMIT, "the folder is out of UIDs");
    return group_load_last(tx, folder->fid, &a->last);
}

static struct err put_mid(struct store_tx *tx, uint64_t fid, const struct message_row *row)
{
    struct key key = key_id(KEY_MID, row->mid);
    struct record value;

    mid_value_encode(fid, row->uid, &value);
    return tx_put(tx, &key, record_slice(&value));
}

struct err appender_add(struct store_tx *tx, struct appender *a, struct message_row *row)
{
    row->uid = a->first_uid + a->n++;
    row->cn = row->read_cn = row->modseq = tx_take(tx, 1);
    if (row->mid == 0)
        row->mid = row->cn;
    a->size += row->size;
    if (!(row->flags & FLAG_SEEN))
        uidset_add(&a->unseen, row->uid, row->uid);
    if (row->flags & FLAG_DELETED)
        a->n_deleted++;
    keyword_counts_add(&a->keywords, row->keyword_set, 1);
    mid_runs_add(&a->mids, row->mid);
    struct err e = put_mid(tx, a->folder->fid, row);

    return failed(e) ? e : group_append(tx, &a->last, row);
}

static struct err note_runs(struct store_tx *tx, struct appender *a)
{
    struct uidset all = UIDSET_EMPTY;
    uint32_t last = a->first_uid + a->n - 1;
    struct log_rec rec = {
        .kind = LOG_ARRIVED,
        .cause = a->cause,
        .fid = a->folder->fid,
        .first = a->first_counter,
        .mids = mid_runs_end(&a->mids),
        .old_mids = mid_runs_end(&a->old_mids),
        .old_fid = a->old_fid,
    };

    uidset_add(&all, a->first_uid, last);
    struct err e = runs_add(tx, KEY_RUN_ALL, a->folder->fid, a->first_uid, last);

    if (!failed(e))
        e = runs_add_set(tx, KEY_RUN_UNSEEN, a->folder->fid, &a->unseen);
    if (!failed(e))
        e = log_put(tx, &rec, &all);
    uidset_done(&all);
    return e;
}

struct err appender_end(struct store_tx *tx, struct appender *a)
{
    struct folder_rec *folder = a->folder;

    if (a->n == 0)
        return OK;
    struct err e = group_save(tx, &a->last);

    if (!failed(e))
        e = note_runs(tx, a);
    if (!failed(e))
        e = keyword_counts_write(tx, &a->keywords);
    folder->uidnext += a->n;
    folder->exists += a->n;
    folder->unseen += (uint32_t)uidset_count(&a->unseen);
    folder->deleted += a->n_deleted;
    folder->size += a->size;
    folder->modseq = tx->rec.counter;
    folder->contents_changed = tx->now;
    if (!failed(e))
        e = tx_count(tx, folder, a->n, (int64_t)a->size);
    return failed(e) ? e : folder_save(tx, folder);
}

void appender_done(struct appender *a)
{
    uidset_done(&a->unseen);
    keyword_counts_done(&a->keywords);
    mid_runs_done(&a->mids);
    mid_runs_done(&a->old_mids);
}

/* ---- the request ---- */

bool store_uidl_valid(struct slice uidl)
{
    for (size_t i = 0; i < uidl.len; i++)
        if (uidl.ptr[i] < 0x21 || uidl.ptr[i] > 0x7E)
            return false;
    return uidl.len > 0 && uidl.len <= UIDL_MAX_BYTES;
}

static struct err put_uidl(struct store_tx *tx, uint64_t mid, struct slice uidl)
{
    struct key key = key_id(KEY_UIDL, mid);

    return uidl.len ? tx_put(tx, &key, uidl) : OK;
}

static struct err find_keywords(struct store_tx *tx, const struct store_new_message *m,
                                uint32_t *set)
{
    struct keyword_change change = {.how = FLAGS_REPLACE, .names = m->keywords, .n = m->n_keywords};
    struct err e = OK;

    *set = 0;
    if (m->n_keywords) {
        e = keyword_names_check(m->keywords, m->n_keywords);
        if (!failed(e))
            e = keyword_change_find(tx, &change, 0, set);
        keyword_change_done(&change);
    }
    return e;
}

static struct err append_one(struct store_tx *tx, struct appender *a,
                             const struct store_new_message *m)
{
    const struct store_prepared *prepared = m->prepared;
    struct engine_blob_info blob;
    struct message_row row = {.zone = m->zone, .internaldate = m->internaldate};
    struct err e = OK;

    if (m->uidl.len && !store_uidl_valid(m->uidl))
        e = ERR(ERR_INVALID, "this can be no UIDL");
    if (!failed(e))
        e = engine_blob_link(tx->w, prepared->hash, &blob);
    if (!failed(e))
        e = find_keywords(tx, m, &row.keyword_set);
    if (failed(e))
        return e;
    row.flags =
        (uint16_t)((m->flags & FLAG_ALL_IMAP) | (prepared->attachments ? FLAG_ATTACHMENTS : 0) |
                   (m->uidl.len ? FLAG_IMPORTED_UIDL : 0));
    row.size = (uint32_t)prepared->bytes.len;
    row.savedate = tx->now;
    row.blob = blob.id;
    /* Without a Date field the day it came stands in (RFC 5256 2.2), as its zone saw it. */
    row.sent = prepared->sent != 0 ? prepared->sent
                                   : filetime_to_unix(m->internaldate) + (int64_t)m->zone * 60;
    e = appender_add(tx, a, &row);
    return failed(e) ? e : put_uidl(tx, row.mid, m->uidl);
}

static uint64_t total_size(const struct store_append *rq)
{
    uint64_t size = 0;

    for (size_t i = 0; i < rq->n; i++)
        size += rq->messages[i].prepared->bytes.len;
    return size;
}

static struct err append_step(struct store_tx *tx, struct store_op *op)
{
    struct store_append *rq = container_of(op, struct store_append, op);
    struct folder_rec folder;
    struct appender a;
    struct err e = folder_load_target(tx, rq->fid, &folder);

    if (!failed(e))
        e = tx_check_quota(tx, total_size(rq));
    if (failed(e))
        return e;
    e = appender_begin(tx, &a, &folder, rq->n);
    a.cause = rq->delivered ? CAUSE_DELIVERED : CAUSE_NONE;
    for (size_t i = 0; i < rq->n && !failed(e); i++)
        e = append_one(tx, &a, &rq->messages[i]);
    if (!failed(e))
        e = appender_end(tx, &a);
    rq->first_uid = a.first_uid;
    rq->uidvalidity = folder.uidvalidity;
    appender_done(&a);
    return e;
}

static void append_prepare(struct store_op *op)
{
    struct store_append *rq = container_of(op, struct store_append, op);

    op->blobs = mem_array(rq->n ? rq->n : 1, sizeof *op->blobs);
    op->n_blobs = rq->n;
    for (size_t i = 0; i < rq->n; i++)
        op->blobs[i] = prepared_blob(rq->messages[i].prepared);
}

void store_append_init(struct store_append *rq)
{
    *rq = (struct store_append){
        .op = {.step = append_step, .prepare = append_prepare, .needs_space = true}};
}
