/*
 * verify_store.c - verification of the whole store: every mailbox, then what they share.
 *
 * Each mailbox is looked at in one snapshot, so what is said of it is true of one moment. The
 * references to blobs are counted over all mailboxes, which are different moments: where a count
 * is off it is made again, and only a blob that is off every time is a fault.
 */
#include <stdlib.h>

#include "store/message_int.h"
#include "store/verify_int.h"

enum { COUNTS = 3 };

/* ---- a snapshot of each partition ---- */

typedef void partition_fn(struct verify *v);

static struct err with_partition(struct verify *v, uint64_t id, partition_fn *fn)
{
    struct mailbox mb = {.store = v->store, .id = id};
    struct err e = partition_open_now(v->store->engine, id, &mb.partition);

    if (failed(e))
        return e;
    e = store_read_begin(&mb, &v->rd);
    if (!failed(e)) {
        v->mailbox_id = id;
        fn(v);
        store_read_end(v->rd);
        v->mailbox_id = 0;
    }
    engine_partition_close(mb.partition);
    return e;
}

static struct err for_each_mailbox(struct verify *v, partition_fn *fn)
{
    uint64_t id = ENGINE_SYSTEM_PARTITION;
    struct err e;

    while (!failed(e = engine_partition_next(v->store->engine, id, &id))) {
        e = with_partition(v, id, fn);
        if (failed(e))
            return e;
    }
    return e.code == ERR_NOT_FOUND ? OK : e;
}

static bool has_keys(struct verify *v)
{
    struct engine_cursor *cursor = engine_cursor_open(v->rd->engine);
    struct slice key, value;
    struct err e = engine_seek(cursor, SLICE_EMPTY, &key, &value);

    engine_cursor_close(cursor);
    return !failed(e);
}

static void check_mailbox(struct verify *v)
{
    const struct mailbox_rec *rec;
    struct err e = read_mailbox_rec(v->rd, &rec);

    if (e.code == ERR_NOT_FOUND) {
        if (has_keys(v)) /* else it is one that was deleted */
            verify_fault(v, "it has keys and no record");
        return;
    }
    if (failed(e)) {
        verify_fault(v, "%s", e.why);
        return;
    }
    if (rec->state != MAILBOX_LIVE) /* its keys are going, in no order that makes sense */
        return;
    v->rec = *rec;
    v->folders = v->messages = v->size = v->rows = 0;
    v->doomed = v->mids = v->log_entries = v->subscriptions = 0;
    v->keyword_sets_stored = v->keyword_hashes = v->keyword_names = 0;
    verify_mailbox(v);
    refs_done(&v->keyword_sets);
}

/* ---- references to blobs ---- */

static void count_blobs(struct verify *v)
{
    struct engine_cursor *cursor = engine_cursor_open(v->rd->engine);
    struct key from = key_kind(KEY_ROWS);
    struct message_row row;
    struct group_view group;
    struct slice key, value;
    struct err e = engine_seek(cursor, key_slice(&from), &key, &value);

    for (; !failed(e) && key_is_kind(key, KEY_ROWS); e = engine_next(cursor, &key, &value)) {
        if (failed(group_open(value, true, &group)))
            continue; /* told already */
        for (uint32_t i = 0; i < group.n; i++) {
            row_decode(group.rows + (size_t)i * ROW_BYTES, &row);
            refs_add(&v->blobs, row.blob, 1);
        }
    }
    engine_cursor_close(cursor);
}

/* The blobs whose count is off, out of `suspects` (NULL: of all). */
static struct err compare(struct verify *v, const struct refs *suspects, struct refs *off,
                          uint64_t *n_blobs)
{
    struct engine_read *rd;
    struct engine_blob_info info;
    uint64_t id = 0;
    struct err e = engine_read_begin(v->store->system, &rd);

    if (failed(e))
        return e;
    *n_blobs = 0;
    while (!failed(e = engine_blob_next(rd, id, &info))) {
        id = info.id;
        ++*n_blobs;
        if (info.references != refs_get(&v->blobs, id) && (!suspects || refs_get(suspects, id)))
            refs_add(off, id, 1);
    }
    engine_read_end(rd);
    return e.code == ERR_NOT_FOUND ? OK : e;
}

static struct err check_blobs(struct verify *v)
{
    struct refs suspects = {NULL, 0, 0}, off = {NULL, 0, 0};
    struct err e = OK;

    for (int i = 0; i < COUNTS && !failed(e); i++) {
        refs_done(&v->blobs);
        e = for_each_mailbox(v, count_blobs);
        if (!failed(e))
            e = compare(v, i ? &suspects : NULL, &off, &v->report->blobs);
        refs_done(&suspects);
        suspects = off;
        off = (struct refs){NULL, 0, 0};
        if (suspects.n == 0)
            break;
    }
    for (size_t i = 0; i < suspects.room && !failed(e); i++)
        if (suspects.all[i].n)
            verify_fault(v, "blob %llu: not as many references as rows",
                         (unsigned long long)suspects.all[i].id);
    refs_done(&suspects);
    refs_done(&v->blobs);
    return e;
}

/* ---- all ---- */

static void engine_finding(void *ctx, const char *text)
{
    verify_fault(ctx, "%s", text);
}

struct err store_verify(struct store *st, void (*finding)(void *ctx, const char *text), void *ctx,
                        struct store_verify_report *report)
{
    struct store_verify_report sum = {0};
    struct verify v = {.store = st, .finding = finding, .ctx = ctx, .report = &sum};
    struct err e = for_each_mailbox(&v, check_mailbox);

    if (!failed(e))
        e = check_blobs(&v);
    if (!failed(e))
        e = engine_verify(st->engine, engine_finding, &v);
    if (!failed(e))
        *report = sum;
    return e;
}
