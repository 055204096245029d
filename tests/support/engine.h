/*
 * engine.h - drive an engine from a test: synchronous steps, and batches as tables.
 *
 * A bench owns a directory, an engine over it and a loop that receives the answers. Everything
 * here runs on the test's own thread.
 */
#ifndef GATEPOST_TESTS_SUPPORT_ENGINE_H
#define GATEPOST_TESTS_SUPPORT_ENGINE_H

#include "store/engine/engine.h"
#include "store/engine/engine_lmdb.h"
#include "tests/support/test.h"

struct bench {
    char *dir;
    struct engine *engine; /* what is tested */
    struct engine *under;  /* the LMDB engine: the same one, or what lies below */
    struct test_loop *loop;
    struct engine *(*wrap)(struct engine *inner); /* NULL: LMDB itself is tested */
    uint64_t map_bytes;
};

enum op_kind { OP_PUT, OP_DEL, OP_LINK, OP_LINK_ID, OP_UNLINK, OP_FAIL, OP_CALL };

struct job;

/* One step of a batch. */
struct op {
    enum op_kind kind;
    const char *key, *value;
    const uint8_t *hash;
    uint64_t id;
    enum err_code fail;
    struct err (*call)(struct engine_write *w, struct job *job);
};

#define PUT(k, v)                                                                                  \
    {                                                                                              \
        .kind = OP_PUT, .key = (k), .value = (v)                                                   \
    }
#define DEL(k)                                                                                     \
    {                                                                                              \
        .kind = OP_DEL, .key = (k)                                                                 \
    }

struct job {
    struct engine_batch batch;
    const struct op *ops;
    size_t n_ops;
    struct engine_blob_info linked; /* by the last OP_LINK */
    int runs;                       /* how often `run` was called */
    bool done;
    void *ctx;
};

#define JOB(partition_, ...)                                                                       \
    job_make((partition_), (const struct op[]){__VA_ARGS__},                                       \
             sizeof((const struct op[]){__VA_ARGS__}) / sizeof(struct op))

/* A new directory with a new engine. */
void bench_init(struct bench *b);
void bench_done(struct bench *b);

/* Close the engine and open it again. */
void bench_close(struct bench *b);
struct err bench_try_open(struct bench *b) MUST_USE;
void bench_open(struct bench *b);

struct engine_partition *bench_partition(struct bench *b, uint64_t id);

/* Valid until the block ends in which JOB() stands: the ops are a compound literal there. */
struct job job_make(struct engine_partition *partition, const struct op *ops, size_t n);
void job_submit(struct bench *b, struct job *job);
void job_wait(struct bench *b, struct job *job);

/* Submit, wait, and see how it ended. */
void job_run(struct bench *b, struct job *job);
void job_done(struct bench *b, struct job *job); /* expects ENGINE_DONE */
void job_refused(struct bench *b, struct job *job, enum err_code code);

/* The value of a key in a new snapshot, NULL: there is none. free() it. */
char *bench_get(struct engine_partition *partition, const char *key);
void assert_value(struct engine_partition *partition, const char *key, const char *want);
uint64_t bench_version(struct engine_partition *partition);

/* `len` bytes that differ by seed, and a blob of them. */
uint8_t *bytes_make(size_t len, uint64_t seed);
struct engine_new_blob blob_make(const uint8_t *bytes, size_t len, const char *meta);

/* Read the whole blob and compare. */
void assert_blob(struct engine_partition *partition, uint64_t id, const uint8_t *bytes, size_t len);

/* Store one blob (with some meta) with one reference; returns its id. And take that away. */
uint64_t bench_store_blob(struct bench *b, struct engine_partition *p, const uint8_t *bytes,
                          size_t len);
void bench_unlink_blob(struct bench *b, struct engine_partition *p, uint64_t id);

/* A watch that counts its calls. */
struct watching {
    struct engine_watch watch;
    int calls;
    bool stopped;
};
struct watching watching_make(struct bench *b);
void watching_stop(struct bench *b, struct watching *w); /* and wait for it */

/* Wait until the sweeper has emptied the dead list (but for `left` entries). */
void bench_swept(struct bench *b, uint64_t left);

/* The engine finds nothing wrong with itself. */
void assert_sound(struct bench *b);

/*
 * Keep the writer busy until gate_open(): what is submitted meanwhile ends in one group (LMDB
 * takes all that waits).
 */
struct gate;
struct gate *gate_close(struct bench *b, struct engine_partition *partition);
void gate_open(struct bench *b, struct gate *gate);

#endif
