/*
 * mailbox_ids.c - mailboxes as such: new ids, and deleting one with all in it.
 */
#include <stdlib.h>

#include "store/bag.h"
#include "store/message_int.h"
#include "store/system.h"

/* ---- ids ---- */

struct new_id {
    struct engine_batch batch;
    uint64_t id;
};

static struct err new_id_run(struct engine_write *w, struct engine_batch *batch)
{
    struct new_id *rq = container_of(batch, struct new_id, batch);
    struct slice key = slice_of(&(uint8_t){SYSTEM_KEY_NEXT_MAILBOX}, 1), value;
    struct record record;
    struct err e = engine_get(engine_write_read(w), key, &value);

    rq->id = ENGINE_SYSTEM_PARTITION + 1;
    if (!failed(e))
        e = u64_value_decode(value, &rq->id);
    if (failed(e) && e.code != ERR_NOT_FOUND)
        return e;
    u64_value_encode(rq->id + 1, &record);
    return engine_put(w, key, record_slice(&record));
}

struct err store_mailbox_new_id(struct store *st, uint64_t *id)
{
    struct new_id rq = {.batch = {.partition = st->system, .run = new_id_run}};
    struct err e = system_commit(st->engine, &rq.batch);

    if (!failed(e))
        *id = rq.id;
    return e;
}

/* ---- deleting: note it in the system partition, mark the mailbox, sweep it, strike it off ---- */

struct doom {
    struct engine_batch batch;
    uint64_t id;
    bool on;
};

static struct key doomed_key(uint64_t id)
{
    struct key key = key_id((enum key_kind)SYSTEM_KEY_DOOMED_MAILBOX, id);

    return key;
}

static struct err doom_run(struct engine_write *w, struct engine_batch *batch)
{
    struct doom *rq = container_of(batch, struct doom, batch);
    struct key key = doomed_key(rq->id);

    if (rq->on)
        return engine_put(w, key_slice(&key), SLICE_EMPTY);
    struct err e = engine_delete(w, key_slice(&key));

    return e.code == ERR_NOT_FOUND ? OK : e;
}

static struct err note_doomed(struct store *st, uint64_t id, bool on)
{
    struct doom rq = {.batch = {.partition = st->system, .run = doom_run}, .id = id, .on = on};

    return system_commit(st->engine, &rq.batch);
}

struct erase {
    struct engine_batch batch;
    bool more;
    bool existed;
};

static struct err mark_run(struct engine_write *w, struct engine_batch *batch)
{
    struct erase *rq = container_of(batch, struct erase, batch);
    struct key key = key_kind(KEY_MAILBOX);
    struct mailbox_rec rec;
    struct record record;
    struct slice value;
    struct err e = engine_get(engine_write_read(w), key_slice(&key), &value);

    rq->existed = e.code != ERR_NOT_FOUND;
    if (failed(e))
        return rq->existed ? e : OK;
    e = mailbox_rec_decode(value, &rec);
    if (failed(e))
        return e;
    rec.state = MAILBOX_DOOMED;
    mailbox_rec_encode(&rec, &record);
    return engine_put(w, key_slice(&key), record_slice(&record));
}

/* Let go the blobs of a group before its key goes. */
static struct err unlink_group(struct engine_write *w, struct slice value)
{
    uint8_t copy[GROUP_MAX_BYTES];
    struct group_view group;
    struct message_row row;
    struct err e = group_open(value, true, &group);

    if (failed(e))
        return e;
    memcpy(copy, group.rows, (size_t)group.n * ROW_BYTES);
    for (uint32_t i = 0; i < group.n && !failed(e); i++) {
        row_decode(copy + (size_t)i * ROW_BYTES, &row);
        e = engine_blob_unlink(w, row.blob);
    }
    return e;
}

static struct err unlink_bag(struct engine_write *w, struct slice value, int *left)
{
    struct arena arena = ARENA_INIT;
    uint64_t *blobs;
    size_t n;
    struct err e = bag_blobs(value, &arena, &blobs, &n);

    for (size_t i = 0; i < n && !failed(e); i++)
        e = engine_blob_unlink(w, blobs[i]);
    *left -= failed(e) ? 0 : (int)n;
    arena_done(&arena);
    return e;
}

/* The record of the mailbox goes last: while it is there, it says that the mailbox is doomed. */
static struct err next_to_erase(struct engine_cursor *cursor, struct slice *key,
                                struct slice *value)
{
    struct key begin = {.len = 0}, behind = key_kind(KEY_MAILBOX);
    struct err e = engine_seek(cursor, key_slice(&begin), key, value);

    if (failed(e) || key->len != 1 || key->ptr[0] != KEY_MAILBOX)
        return e;
    behind.bytes[1] = 0;
    behind.len = 2;
    e = engine_seek(cursor, key_slice(&behind), key, value);
    return e.code == ERR_NOT_FOUND ? engine_seek(cursor, key_slice(&begin), key, value) : e;
}

static struct err erase_run(struct engine_write *w, struct engine_batch *batch)
{
    struct erase *rq = container_of(batch, struct erase, batch);
    struct engine_cursor *cursor = engine_cursor_open(engine_write_read(w));
    struct err e = OK;

    rq->more = true;
    for (int left = SLICE_EXPUNGE; left > 0 && !failed(e); left--) {
        struct slice key, value;
        struct key copy;

        e = next_to_erase(cursor, &key, &value);
        if (failed(e))
            break;
        memcpy(copy.bytes, key.ptr, key.len);
        copy.len = (uint16_t)key.len;
        if (key_is_kind(key, KEY_ROWS)) {
            left -= GROUP_ROWS;
            e = unlink_group(w, value);
        } else if (key_is_kind(key, KEY_BAG)) {
            e = unlink_bag(w, value, &left);
        }
        if (!failed(e))
            e = engine_delete(w, key_slice(&copy));
    }
    engine_cursor_close(cursor);
    if (e.code == ERR_NOT_FOUND) {
        rq->more = false;
        e = OK;
    }
    return e;
}

static struct err erase_partition(struct store *st, struct engine_partition *partition)
{
    struct erase rq = {.batch = {.partition = partition, .run = mark_run}};
    struct err e = system_commit(st->engine, &rq.batch);

    if (failed(e))
        return e;
    if (!rq.existed)
        return OK;
    do {
        rq = (struct erase){.batch = {.partition = partition, .run = erase_run}};
        e = system_commit(st->engine, &rq.batch);
    } while (!failed(e) && rq.more && !atomic_load(&st->closing));
    return !failed(e) && rq.more ? ERR(ERR_CANCELED, "the store is being closed") : e;
}

static struct err erase_mailbox(struct store *st, uint64_t id)
{
    struct engine_partition *partition;
    struct err e = partition_open_now(st->engine, id, &partition);

    if (failed(e))
        return e;
    e = erase_partition(st, partition);
    engine_partition_close(partition);
    return failed(e) ? e : note_doomed(st, id, false);
}

struct err store_mailbox_delete(struct store *st, uint64_t mailbox_id)
{
    if (mailbox_id <= ENGINE_SYSTEM_PARTITION)
        return ERR(ERR_INVALID, "no mailbox has this id");
    struct err e = note_doomed(st, mailbox_id, true);

    return failed(e) ? e : erase_mailbox(st, mailbox_id);
}

/* ---- after a crash ---- */

struct resume {
    struct task task;
    struct store *store;
};

/* The first mailbox with an id >= *id that waits to be erased. */
static struct err next_doomed(struct store *st, uint64_t *id)
{
    struct key from = doomed_key(*id);
    struct engine_read *rd;
    struct slice key, value;
    struct err e = engine_read_begin(st->system, &rd);

    if (failed(e))
        return e;
    struct engine_cursor *cursor = engine_cursor_open(rd);

    e = engine_seek(cursor, key_slice(&from), &key, &value);
    if (!failed(e) && !key_is_id(key, (enum key_kind)SYSTEM_KEY_DOOMED_MAILBOX, id))
        e = ERR(ERR_NOT_FOUND, "no more");
    engine_cursor_close(cursor);
    engine_read_end(rd);
    return e;
}

static void resume_task(struct task *task)
{
    struct resume *resume = container_of(task, struct resume, task);
    struct store *st = resume->store;
    uint64_t id = 0;

    for (; !atomic_load(&st->closing) && !failed(next_doomed(st, &id)); id++) {
        struct err e = erase_mailbox(st, id);

        if (failed(e) && e.code != ERR_CANCELED)
            log_event(st->log, LOG_LEVEL_WARN, "store.erase_failed",
                      log_number("mailbox", (int64_t)id), log_str("error", e.why));
    }
    free(resume);
    store_background_end(st);
}

void mailbox_delete_resume(struct store *st)
{
    uint64_t id = 0;

    if (failed(next_doomed(st, &id)))
        return;
    struct resume *resume = mem_new(sizeof *resume);

    resume->store = st;
    resume->task.run = resume_task;
    store_background_begin(st);
    executor_post(store_pool_executor(st->pool), &resume->task);
}
