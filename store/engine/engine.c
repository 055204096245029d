#include "store/engine/engine.h"

#include <assert.h>

#include "store/engine/engine_int.h"

/* ---- answers ---- */

static void run_open_done(struct task *task)
{
    struct engine_open *rq = CONTAINER_OF(task, struct engine_open, task);

    rq->done(rq);
}

void engine_open_answer(struct engine_open *rq, enum engine_end end, struct err err)
{
    rq->end = end;
    rq->err = err;
    rq->task.run = run_open_done;
    executor_post(rq->home, &rq->task);
}

static void run_batch_done(struct task *task)
{
    struct engine_batch *batch = CONTAINER_OF(task, struct engine_batch, task);

    batch->done(batch);
}

void engine_batch_answer(struct engine_batch *batch, enum engine_end end, struct err err)
{
    batch->end = end;
    batch->err = err;
    batch->task.run = run_batch_done;
    executor_post(batch->home, &batch->task);
}

static void run_fetch_done(struct task *task)
{
    struct engine_fetch *rq = CONTAINER_OF(task, struct engine_fetch, task);

    rq->done(rq);
}

void engine_fetch_answer(struct engine_fetch *rq, enum engine_end end, struct err err)
{
    rq->end = end;
    rq->err = err;
    rq->task.run = run_fetch_done;
    executor_post(rq->home, &rq->task);
}

/* ---- partitions ---- */

void engine_open_partition(struct engine *engine, struct engine_open *rq)
{
    assert(rq->home && rq->done);
    rq->engine = engine;
    rq->partition = NULL;
    engine->ops->open_partition(engine, rq);
}

void engine_partition_close(struct engine_partition *partition)
{
    if (partition)
        partition->engine->ops->partition_close(partition);
}

/* ---- reading ---- */

static bool key_fits(struct slice key)
{
    return key.len <= ENGINE_KEY_MAX;
}

#define KEY_TOO_LONG ERR(ERR_INVALID, "a key is longer than the engine takes")

struct err engine_read_begin(struct engine_partition *partition, struct engine_read **out)
{
    return partition->engine->ops->read_begin(partition, out);
}

void engine_read_end(struct engine_read *rd)
{
    if (rd)
        rd->ops->read_end(rd);
}

uint64_t engine_read_version(struct engine_read *rd)
{
    return rd->ops->read_version(rd);
}

struct err engine_get(struct engine_read *rd, struct slice key, struct slice *value)
{
    if (!key_fits(key))
        return KEY_TOO_LONG;
    return rd->ops->get(rd, key, value);
}

struct engine_cursor *engine_cursor_open(struct engine_read *rd)
{
    return rd->ops->cursor_open(rd);
}

void engine_cursor_close(struct engine_cursor *cursor)
{
    if (cursor)
        cursor->ops->cursor_close(cursor);
}

struct err engine_seek(struct engine_cursor *cursor, struct slice from, struct slice *key,
                       struct slice *value)
{
    if (!key_fits(from))
        return KEY_TOO_LONG;
    return cursor->ops->seek(cursor, from, key, value);
}

struct err engine_seek_before(struct engine_cursor *cursor, struct slice before, struct slice *key,
                              struct slice *value)
{
    if (!key_fits(before))
        return KEY_TOO_LONG;
    return cursor->ops->seek_before(cursor, before, key, value);
}

struct err engine_next(struct engine_cursor *cursor, struct slice *key, struct slice *value)
{
    return cursor->ops->next(cursor, key, value);
}

struct err engine_prev(struct engine_cursor *cursor, struct slice *key, struct slice *value)
{
    return cursor->ops->prev(cursor, key, value);
}

/* ---- writing ---- */

static bool blobs_fit(const struct engine_batch *batch)
{
    for (size_t i = 0; i < batch->n_blobs; i++)
        if (batch->blobs[i].meta.len > ENGINE_VALUE_MAX)
            return false;
    return true;
}

void engine_submit(struct engine *engine, struct engine_batch *batch)
{
    assert(batch->partition && batch->run && batch->home && batch->done);
    batch->version = 0;
    batch->repeated = false;
    batch->answer_len = 0;
    batch->next = NULL;
    batch->engine_data = NULL;
    if (!blobs_fit(batch)) {
        engine_batch_answer(batch, ENGINE_REFUSED,
                            ERR(ERR_TOO_BIG, "a blob's meta is longer than the engine takes"));
        return;
    }
    engine->ops->submit(engine, batch);
}

struct engine_read *engine_write_read(struct engine_write *w)
{
    return w->ops->write_read(w);
}

struct err engine_put(struct engine_write *w, struct slice key, struct slice value)
{
    if (!key_fits(key))
        return KEY_TOO_LONG;
    if (value.len > ENGINE_VALUE_MAX)
        return ERR(ERR_TOO_BIG, "a value is longer than the engine takes");
    return w->ops->put(w, key, value);
}

struct err engine_delete(struct engine_write *w, struct slice key)
{
    if (!key_fits(key))
        return KEY_TOO_LONG;
    return w->ops->del(w, key);
}

/* ---- blobs ---- */

struct err engine_blob_link(struct engine_write *w, const uint8_t hash[ENGINE_HASH_LEN],
                            struct engine_blob_info *out)
{
    return w->ops->blob_link(w, hash, out);
}

struct err engine_blob_link_id(struct engine_write *w, uint64_t id)
{
    return w->ops->blob_link_id(w, id);
}

struct err engine_blob_unlink(struct engine_write *w, uint64_t id)
{
    return w->ops->blob_unlink(w, id);
}

struct err engine_blob_stat(struct engine_read *rd, uint64_t id, struct engine_blob_info *out)
{
    return rd->ops->blob_stat(rd, id, out);
}

struct err engine_blob_meta(struct engine_read *rd, uint64_t id, struct slice *meta)
{
    return rd->ops->blob_meta(rd, id, meta);
}

struct err engine_blob_piece(struct engine_read *rd, uint64_t id, uint64_t offset, uint64_t most,
                             struct slice *piece)
{
    return rd->ops->blob_piece(rd, id, offset, most, piece);
}

struct err engine_blob_next(struct engine_read *rd, uint64_t after, struct engine_blob_info *out)
{
    return rd->ops->blob_next(rd, after, out);
}

bool engine_blob_is_cold(struct engine_read *rd, uint64_t id, uint64_t offset, uint64_t len)
{
    return rd->ops->blob_is_cold(rd, id, offset, len);
}

void engine_blob_fetch(struct engine *engine, struct engine_fetch *rq)
{
    assert(rq->partition && rq->home && rq->done);
    rq->next = NULL;
    engine->ops->blob_fetch(engine, rq);
}

void engine_blob_pin(struct engine *engine, uint64_t id)
{
    engine->ops->blob_pin(engine, id);
}

void engine_blob_unpin(struct engine *engine, uint64_t id)
{
    engine->ops->blob_unpin(engine, id);
}

/* ---- watching ---- */

void engine_watch_start(struct engine_partition *partition, struct engine_watch *watch)
{
    assert(watch->home && watch->changed);
    watch->partition = partition;
    watch->stopped = NULL;
    partition->engine->ops->watch_start(partition, watch);
}

void engine_watch_stop(struct engine_watch *watch, void (*stopped)(struct engine_watch *watch))
{
    watch->stopped = stopped;
    watch->partition->engine->ops->watch_stop(watch);
}

/* ---- the whole ---- */

struct err engine_stats(struct engine *engine, struct engine_stats *out)
{
    return engine->ops->stats(engine, out);
}

struct err engine_partition_next(struct engine *engine, uint64_t after, uint64_t *id)
{
    return engine->ops->partition_next(engine, after, id);
}

struct err engine_sound(struct engine *engine, void (*finding)(void *ctx, const char *text),
                        void *ctx)
{
    return engine->ops->sound(engine, finding, ctx);
}

struct err engine_verify(struct engine *engine, void (*finding)(void *ctx, const char *text),
                         void *ctx)
{
    return engine->ops->verify(engine, finding, ctx);
}

struct err engine_backup(struct engine *engine, const char *dir, bool compact)
{
    return engine->ops->backup(engine, dir, compact);
}

void engine_close(struct engine *engine)
{
    if (engine)
        engine->ops->close(engine);
}
