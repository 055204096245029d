#include "tests/support/engine.h"

#include <openssl/sha.h>
#include <semaphore.h>
#include <time.h>

/* ---- the bench ---- */

struct err bench_try_open(struct bench *b)
{
    const struct engine_lmdb_config config = {
        .dir = b->dir, .create = true, .map_bytes = b->map_bytes ? b->map_bytes : 1ull << 32};

    struct err e = engine_lmdb_open(&config, NULL, &b->under);
    if (!failed(e))
        b->engine = b->wrap ? b->wrap(b->under) : b->under;
    return e;
}

void bench_open(struct bench *b)
{
    assert_ok(bench_try_open(b));
}

void bench_close(struct bench *b)
{
    engine_close(b->engine);
    b->engine = b->under = NULL;
}

void bench_init(struct bench *b)
{
    b->dir = test_dir_new();
    b->loop = test_loop_new();
    bench_open(b);
}

void bench_done(struct bench *b)
{
    bench_close(b);
    test_loop_pump(b->loop);
    test_loop_free(b->loop);
    test_dir_free(b->dir);
}

struct opening {
    struct engine_open rq;
    bool done;
};

static void on_opened(struct engine_open *rq)
{
    ((struct opening *)rq)->done = true;
}

struct engine_partition *bench_partition(struct bench *b, uint64_t id)
{
    struct opening opening = {
        .rq = {.partition_id = id, .home = test_loop_executor(b->loop), .done = on_opened}};

    engine_open_partition(b->engine, &opening.rq);
    while (!opening.done)
        test_loop_wait(b->loop);
    assert_ok(opening.rq.err);
    assert_int_equal(opening.rq.end, ENGINE_DONE);
    return opening.rq.partition;
}

/* ---- batches ---- */

static struct err run_op(struct engine_write *w, struct job *job, const struct op *op)
{
    switch (op->kind) {
    case OP_PUT:
        return engine_put(w, slice_str(op->key), slice_str(op->value));
    case OP_DEL:
        return engine_delete(w, slice_str(op->key));
    case OP_LINK:
        return engine_blob_link(w, op->hash, &job->linked);
    case OP_LINK_ID:
        return engine_blob_link_id(w, op->id);
    case OP_UNLINK:
        return engine_blob_unlink(w, op->id);
    case OP_FAIL:
        return (struct err){op->fail, "the test wants it"};
    case OP_CALL:
        return op->call(w, job);
    }
    abort();
}

static struct err run_job(struct engine_write *w, struct engine_batch *batch)
{
    struct job *job = (struct job *)batch;
    struct err e = OK;

    job->runs++;
    for (size_t i = 0; !failed(e) && i < job->n_ops; i++)
        e = run_op(w, job, &job->ops[i]);
    return e;
}

static void on_job_done(struct engine_batch *batch)
{
    ((struct job *)batch)->done = true;
}

struct job job_make(struct engine_partition *partition, const struct op *ops, size_t n)
{
    return (struct job){.batch = {.partition = partition, .run = run_job, .done = on_job_done},
                        .ops = ops,
                        .n_ops = n};
}

void job_submit(struct bench *b, struct job *job)
{
    job->done = false;
    job->batch.home = test_loop_executor(b->loop);
    engine_submit(b->engine, &job->batch);
}

void job_wait(struct bench *b, struct job *job)
{
    while (!job->done)
        test_loop_wait(b->loop);
}

void job_run(struct bench *b, struct job *job)
{
    job_submit(b, job);
    job_wait(b, job);
}

void job_done(struct bench *b, struct job *job)
{
    job_run(b, job);
    assert_ok(job->batch.err);
    assert_int_equal(job->batch.end, ENGINE_DONE);
}

void job_refused(struct bench *b, struct job *job, enum err_code code)
{
    job_run(b, job);
    assert_int_equal(job->batch.end, ENGINE_REFUSED);
    assert_code(job->batch.err, code);
}

/* ---- looking ---- */

char *bench_get(struct engine_partition *partition, const char *key)
{
    struct engine_read *rd;
    struct slice value;
    char *copy = NULL;

    assert_ok(engine_read_begin(partition, &rd));
    struct err e = engine_get(rd, slice_str(key), &value);
    if (!failed(e))
        copy = mem_slice_str(value);
    else
        assert_code(e, ERR_NOT_FOUND);
    engine_read_end(rd);
    return copy;
}

void assert_value(struct engine_partition *partition, const char *key, const char *want)
{
    char *got = bench_get(partition, key);

    if (want && got)
        assert_string_equal(got, want);
    else
        assert_true(!got && !want);
    free(got);
}

uint64_t bench_version(struct engine_partition *partition)
{
    struct engine_read *rd;

    assert_ok(engine_read_begin(partition, &rd));
    uint64_t version = engine_read_version(rd);
    engine_read_end(rd);
    return version;
}

/* ---- blobs ---- */

uint8_t *bytes_make(size_t len, uint64_t seed)
{
    struct rng rng = {seed};
    uint8_t *bytes = mem_array(len + 1, 1);

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(rng_u64(&rng) >> 13);
    return bytes;
}

struct engine_new_blob blob_make(const uint8_t *bytes, size_t len, const char *meta)
{
    struct engine_new_blob blob = {.bytes = slice_of(bytes, len), .meta = slice_str(meta)};

    SHA256(bytes, len, blob.hash);
    return blob;
}

void assert_blob(struct engine_partition *partition, uint64_t id, const uint8_t *bytes, size_t len)
{
    struct engine_blob_info info;
    struct engine_read *rd;
    struct slice piece;

    assert_ok(engine_read_begin(partition, &rd));
    assert_ok(engine_blob_stat(rd, id, &info));
    assert_int_equal(info.len, len);
    for (size_t at = 0; at < len; at += piece.len) {
        assert_ok(engine_blob_piece(rd, id, at, UINT64_MAX, &piece));
        assert_true(piece.len > 0 && piece.len <= len - at);
        assert_memory_equal(piece.ptr, bytes + at, piece.len);
    }
    assert_code(engine_blob_piece(rd, id, len, 1, &piece), ERR_NOT_FOUND);
    engine_read_end(rd);
}

void bench_swept(struct bench *b, uint64_t left)
{
    const struct timespec moment = {.tv_nsec = 2000000};
    struct engine_stats st;

    for (int i = 0; i < 30000; i++) {
        assert_ok(engine_stats(b->under, &st));
        if (st.dead_blobs == left)
            return;
        nanosleep(&moment, NULL);
    }
    fail_msg("%llu blobs are still on the dead list", (unsigned long long)st.dead_blobs);
}

static void print_finding(void *ctx, const char *text)
{
    ++*(int *)ctx;
    print_error("finding: %s\n", text);
}

void assert_sound(struct bench *b)
{
    int findings = 0;

    assert_ok(engine_verify(b->under, print_finding, &findings));
    assert_int_equal(findings, 0);
}

/* ---- the gate ---- */

struct gate {
    struct job job;
    sem_t entered, leave;
    bool passed;
};

/* The second time round (a group that is tried again) it stays open. */
static struct err wait_at_gate(struct engine_write *w, struct job *job)
{
    struct gate *gate = job->ctx;
    (void)w;

    if (gate->passed)
        return OK;
    gate->passed = true;
    sem_post(&gate->entered);
    while (sem_wait(&gate->leave))
        continue;
    return OK;
}

struct gate *gate_close(struct bench *b, struct engine_partition *partition)
{
    static const struct op wait_there = {.kind = OP_CALL, .call = wait_at_gate};
    struct gate *gate = mem_new(sizeof *gate);

    sem_init(&gate->entered, 0, 0);
    sem_init(&gate->leave, 0, 0);
    gate->job = job_make(partition, &wait_there, 1);
    gate->job.ctx = gate;
    job_submit(b, &gate->job);
    while (sem_wait(&gate->entered))
        continue;
    return gate;
}

void gate_open(struct bench *b, struct gate *gate)
{
    sem_post(&gate->leave);
    job_wait(b, &gate->job);
    sem_destroy(&gate->entered);
    sem_destroy(&gate->leave);
    free(gate);
}

/* ---- blobs and watches ---- */

uint64_t bench_store_blob(struct bench *b, struct engine_partition *p, const uint8_t *bytes,
                          size_t len)
{
    struct engine_new_blob blob = blob_make(bytes, len, "the meta of this blob");
    struct job job = JOB(p, {.kind = OP_LINK, .hash = blob.hash});

    job.batch.blobs = &blob;
    job.batch.n_blobs = 1;
    job_done(b, &job);
    return job.linked.id;
}

void bench_unlink_blob(struct bench *b, struct engine_partition *p, uint64_t id)
{
    struct job job = JOB(p, {.kind = OP_UNLINK, .id = id});

    job_done(b, &job);
}

static void on_changed(struct engine_watch *watch)
{
    ((struct watching *)watch)->calls++;
}

static void on_stopped(struct engine_watch *watch)
{
    ((struct watching *)watch)->stopped = true;
}

struct watching watching_make(struct bench *b)
{
    return (struct watching){.watch = {.home = test_loop_executor(b->loop), .changed = on_changed}};
}

void watching_stop(struct bench *b, struct watching *w)
{
    engine_watch_stop(&w->watch, on_stopped);
    while (!w->stopped)
        test_loop_wait(b->loop);
}
