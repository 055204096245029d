/*
 * verify_store.c - verification of the whole store: every mailbox, then what they share.
 *
 * Each mailbox is looked at in one snapshot, so what is said of it is true of one moment. The
 * references to blobs are counted over all mailboxes, which are different moments. Blobs whose
 * count is off are counted again, and are cleared by one time that it is right, or that their
 * references changed while it was made.
 */
#include <stdlib.h>

#include "store/bag.h"
#include "store/message_int.h"
#include "store/queue_int.h"
#include "store/system.h"
#include "store/verify_int.h"

enum { RECOUNTS = 4 };

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
    v->named = v->named_ids = 0;
    v->hidden = v->deleted_messages = v->deleted_size = 0;
    v->to_recover = v->deleted_keys = v->receive = 0;
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

static void count_blobs_of_bags(struct verify *v)
{
    struct engine_cursor *cursor = engine_cursor_open(v->rd->engine);
    struct key from = key_kind(KEY_BAG);
    struct slice key, value;
    struct err e = engine_seek(cursor, key_slice(&from), &key, &value);

    for (; !failed(e) && key_is_kind(key, KEY_BAG); e = engine_next(cursor, &key, &value)) {
        struct arena arena = ARENA_INIT;
        uint64_t *blobs;
        size_t n = 0;

        if (failed(bag_blobs(value, &arena, &blobs, &n)))
            n = 0; /* told already */
        for (size_t i = 0; i < n; i++)
            refs_add(&v->blobs, blobs[i], 1);
        arena_done(&arena);
    }
    engine_cursor_close(cursor);
}

static void count_blobs_of_mailbox(struct verify *v)
{
    count_blobs(v);
    count_blobs_of_bags(v);
}

static void count_blob(void *ctx, uint64_t blob)
{
    struct verify *v = ctx;

    refs_add(&v->blobs, blob, 1);
}

static struct err count_all_blobs(struct verify *v)
{
    struct err e = for_each_mailbox(v, count_blobs_of_mailbox);

    if (!failed(e))
        e = queue_blobs(v->store, count_blob, v);
    if (e.code == ERR_CORRUPT)
        verify_fault(v, "queue: %s", e.why);
    return e.code == ERR_CORRUPT ? OK : e;
}

/* The blobs whose count is off. */
static struct err find_suspects(struct verify *v, struct refs *suspects)
{
    struct engine_read *rd;
    struct engine_blob_info info;
    uint64_t id = 0;
    struct err e = engine_read_begin(v->store->system, &rd);

    if (failed(e))
        return e;
    while (!failed(e = engine_blob_next(rd, id, &info))) {
        id = info.id;
        v->report->blobs++;
        if (info.references != refs_get(&v->blobs, id))
            refs_add(suspects, id, 1);
    }
    engine_read_end(rd);
    return e.code == ERR_NOT_FOUND ? OK : e;
}

/* One more than the references that each suspect has now; nothing of those that are gone. */
static struct err stat_suspects(struct verify *v, const struct refs *suspects, struct refs *out)
{
    struct engine_read *rd;
    struct engine_blob_info info;
    struct err e = engine_read_begin(v->store->system, &rd);

    if (failed(e))
        return e;
    for (size_t i = 0; i < suspects->room; i++)
        if (suspects->all[i].n && !failed(engine_blob_stat(rd, suspects->all[i].id, &info)))
            refs_add(out, info.id, 1 + info.references);
    engine_read_end(rd);
    return OK;
}

/* Count again, and keep those that are off though nothing happened to them. */
static struct err recount(struct verify *v, struct refs *suspects)
{
    struct refs before = {NULL, 0, 0}, after = {NULL, 0, 0}, left = {NULL, 0, 0};
    struct err e = stat_suspects(v, suspects, &before);

    refs_done(&v->blobs);
    if (!failed(e))
        e = count_all_blobs(v);
    if (!failed(e))
        e = stat_suspects(v, suspects, &after);
    for (size_t i = 0; i < before.room && !failed(e); i++) {
        struct ref *ref = &before.all[i];

        if (ref->n && ref->n == refs_get(&after, ref->id) &&
            ref->n - 1 != refs_get(&v->blobs, ref->id))
            refs_add(&left, ref->id, 1);
    }
    refs_done(&before);
    refs_done(&after);
    refs_done(suspects);
    *suspects = left;
    return e;
}

static struct err check_blobs(struct verify *v)
{
    struct refs suspects = {NULL, 0, 0};
    struct err e = count_all_blobs(v);

    if (!failed(e))
        e = find_suspects(v, &suspects);
    for (int i = 0; i < RECOUNTS && suspects.n > 0 && !failed(e); i++)
        e = recount(v, &suspects);
    for (size_t i = 0; i < suspects.room && !failed(e); i++)
        if (suspects.all[i].n)
            verify_fault(v, "blob %llu: not as many references as rows and properties",
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
    struct err e = engine_sound(st->engine, engine_finding, &v);

    if (!failed(e))
        e = for_each_mailbox(&v, check_mailbox);
    if (!failed(e))
        e = check_blobs(&v);
    if (!failed(e))
        e = engine_verify(st->engine, engine_finding, &v);
    if (!failed(e))
        *report = sum;
    return e;
}
