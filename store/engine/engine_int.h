/*
 * engine_int.h - how an engine stands under the seam: a table of what it does.
 *
 * Each object that engine.h leaves opaque begins with the struct declared here, and engine.c
 * finds the engine's functions through it. An engine that only changes some of the ends of
 * another (engine_faulty.c) may hand out the other's objects, which then go their own way.
 */
#ifndef GATEPOST_STORE_ENGINE_ENGINE_INT_H
#define GATEPOST_STORE_ENGINE_ENGINE_INT_H

#include "store/engine/engine.h"

/* What engine.c has checked already: lengths of keys and values, and that inputs are there. */
struct engine_ops {
    void (*open_partition)(struct engine *engine, struct engine_open *rq);
    void (*partition_close)(struct engine_partition *partition);

    struct err (*read_begin)(struct engine_partition *partition, struct engine_read **out);
    void (*read_end)(struct engine_read *rd);
    uint64_t (*read_version)(struct engine_read *rd);
    struct err (*get)(struct engine_read *rd, struct slice key, struct slice *value);

    struct engine_cursor *(*cursor_open)(struct engine_read *rd);
    void (*cursor_close)(struct engine_cursor *cursor);
    struct err (*seek)(struct engine_cursor *cursor, struct slice from, struct slice *key,
                       struct slice *value);
    struct err (*seek_before)(struct engine_cursor *cursor, struct slice before, struct slice *key,
                              struct slice *value);
    struct err (*next)(struct engine_cursor *cursor, struct slice *key, struct slice *value);
    struct err (*prev)(struct engine_cursor *cursor, struct slice *key, struct slice *value);

    void (*submit)(struct engine *engine, struct engine_batch *batch);
    struct engine_read *(*write_read)(struct engine_write *w);
    struct err (*put)(struct engine_write *w, struct slice key, struct slice value);
    struct err (*del)(struct engine_write *w, struct slice key);

    struct err (*blob_link)(struct engine_write *w, const uint8_t hash[ENGINE_HASH_LEN],
                            struct engine_blob_info *out);
    struct err (*blob_link_id)(struct engine_write *w, uint64_t id);
    struct err (*blob_unlink)(struct engine_write *w, uint64_t id);
    struct err (*blob_stat)(struct engine_read *rd, uint64_t id, struct engine_blob_info *out);
    struct err (*blob_meta)(struct engine_read *rd, uint64_t id, struct slice *meta);
    struct err (*blob_piece)(struct engine_read *rd, uint64_t id, uint64_t offset, uint64_t most,
                             struct slice *piece);
    struct err (*blob_next)(struct engine_read *rd, uint64_t after, struct engine_blob_info *out);
    bool (*blob_is_cold)(struct engine_read *rd, uint64_t id, uint64_t offset, uint64_t len);
    void (*blob_fetch)(struct engine *engine, struct engine_fetch *rq);
    void (*blob_pin)(struct engine *engine, uint64_t id);
    void (*blob_unpin)(struct engine *engine, uint64_t id);

    void (*watch_start)(struct engine_partition *partition, struct engine_watch *watch);
    void (*watch_stop)(struct engine_watch *watch);

    struct err (*stats)(struct engine *engine, struct engine_stats *out);
    struct err (*partition_next)(struct engine *engine, uint64_t after, uint64_t *id);
    struct err (*sound)(struct engine *engine, void (*finding)(void *ctx, const char *text),
                        void *ctx);
    struct err (*verify)(struct engine *engine, void (*finding)(void *ctx, const char *text),
                         void *ctx);
    struct err (*backup)(struct engine *engine, const char *dir, bool compact);
    void (*close)(struct engine *engine);
};

struct engine {
    const struct engine_ops *ops;
};

struct engine_partition {
    struct engine *engine;
    uint64_t id;
};

struct engine_read {
    const struct engine_ops *ops;
};

struct engine_write {
    const struct engine_ops *ops;
};

struct engine_cursor {
    const struct engine_ops *ops;
};

/* The structure of type `type` whose `member` is at `ptr`. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/*
 * Post the answer to a request: `done` is called on `home`. The request is the caller's again
 * from here on and may be gone when these return.
 */
void engine_open_answer(struct engine_open *rq, enum engine_end end, struct err err);
void engine_batch_answer(struct engine_batch *batch, enum engine_end end, struct err err);
void engine_fetch_answer(struct engine_fetch *rq, enum engine_end end, struct err err);

#endif
