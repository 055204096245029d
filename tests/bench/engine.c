/*
 * What the LMDB engine costs: reads by the nanosecond, durable batches by the second.
 *
 *   bench_engine DIR     a new directory, on the disk that is meant
 */
#include <openssl/sha.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "store/engine/engine_lmdb.h"

enum { KEYS = 100000, READS = 2000000, MOST_REQUESTERS = 64 };

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static double cpu(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void must(struct err e)
{
    if (!failed(e))
        return;
    fprintf(stderr, "bench_engine: %s: %s\n", err_name(e.code), e.why);
    exit(1);
}

/* ---- an executor that runs tasks where they are posted: answers come on the writer thread ---- */

static void run_at_once(struct executor *executor, struct task *task)
{
    (void)executor;
    task->run(task);
}

static struct executor at_once = {run_at_once};

static void on_opened(struct engine_open *rq)
{
    must(rq->err);
}

static struct engine_partition *open_partition(struct engine *engine, uint64_t id)
{
    struct engine_open rq = {.partition_id = id, .home = &at_once, .done = on_opened};

    engine_open_partition(engine, &rq);
    return rq.partition;
}

/* ---- requesters: each has one batch on its way ---- */

struct requester {
    struct engine_batch batch;
    struct engine_new_blob blob;
    uint8_t *bytes;
    size_t blob_len;
    struct run *run;
    uint64_t serial;
    double sent, *latencies;
    size_t n_latencies;
};

struct run {
    struct engine *engine;
    pthread_mutex_t mutex;
    pthread_cond_t all_done;
    size_t left, on_the_way;
    struct requester requesters[MOST_REQUESTERS];
};

static struct err put_row(struct engine_write *w, struct engine_batch *batch)
{
    struct requester *r = (struct requester *)batch;
    struct engine_blob_info info;
    uint8_t row[64] = {0};

    memcpy(row, &r->serial, sizeof r->serial);
    if (r->blob_len) {
        struct err e = engine_blob_link(w, r->blob.hash, &info);
        if (failed(e))
            return e;
    }
    return engine_put(w, slice_of(&r->serial, sizeof r->serial), slice_of(row, sizeof row));
}

static void send_next(struct requester *r)
{
    static uint64_t serial; /* under the run's mutex */

    r->serial = ++serial << 8;
    if (r->blob_len) {
        memcpy(r->bytes, &r->serial, sizeof r->serial);
        SHA256(r->bytes, r->blob_len, r->blob.hash);
    }
    r->sent = now();
    r->run->on_the_way++;
    engine_submit(r->run->engine, &r->batch);
}

static void on_done(struct engine_batch *batch)
{
    struct requester *r = (struct requester *)batch;
    struct run *run = r->run;

    must(batch->err);
    r->latencies[r->n_latencies++] = now() - r->sent;
    pthread_mutex_lock(&run->mutex);
    run->on_the_way--;
    if (run->left > 0) {
        run->left--;
        send_next(r);
    } else if (run->on_the_way == 0) {
        pthread_cond_signal(&run->all_done);
    }
    pthread_mutex_unlock(&run->mutex);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void report(struct run *run, size_t requesters, size_t total, size_t blob_len, double wall,
                   double used)
{
    double *all = mem_array(total, sizeof *all);
    size_t n = 0;

    for (size_t i = 0; i < requesters; i++) {
        struct requester *r = &run->requesters[i];

        memcpy(all + n, r->latencies, r->n_latencies * sizeof *all);
        n += r->n_latencies;
        free(r->latencies);
        free(r->bytes);
    }
    qsort(all, n, sizeof *all, by_size);
    printf("%3zu requesters, blob %8zu: %8.0f batches/s, CPU %6.1f us, p50 %6.2f p99 %6.2f "
           "max %6.2f ms\n",
           requesters, blob_len, (double)n / wall, used / (double)n * 1e6, all[n / 2] * 1e3,
           all[n - 1 - n / 100] * 1e3, all[n - 1] * 1e3);
    free(all);
}

static void bench_batches(struct engine *engine, struct engine_partition *p, size_t requesters,
                          size_t total, size_t blob_len)
{
    struct run *run = mem_new(sizeof *run);
    double wall = now(), used = cpu();

    run->engine = engine;
    run->left = total - requesters;
    pthread_mutex_init(&run->mutex, NULL);
    pthread_cond_init(&run->all_done, NULL);
    pthread_mutex_lock(&run->mutex);
    for (size_t i = 0; i < requesters; i++) {
        struct requester *r = &run->requesters[i];

        r->run = run;
        r->batch = (struct engine_batch){
            .partition = p, .run = put_row, .home = &at_once, .done = on_done};
        r->latencies = mem_array(total, sizeof *r->latencies);
        r->blob_len = blob_len;
        r->bytes = mem_array(blob_len + 1, 1);
        r->blob.bytes = slice_of(r->bytes, blob_len);
        r->batch.blobs = &r->blob;
        r->batch.n_blobs = blob_len ? 1 : 0;
        send_next(r);
    }
    while (run->on_the_way > 0)
        pthread_cond_wait(&run->all_done, &run->mutex);
    pthread_mutex_unlock(&run->mutex);
    report(run, requesters, total, blob_len, now() - wall, cpu() - used);
    free(run);
}

/* ---- reads ---- */

static struct err put_many(struct engine_write *w, struct engine_batch *batch)
{
    uint8_t value[64] = {0};
    struct err e = OK;
    (void)batch;

    for (uint64_t i = 0; !failed(e) && i < KEYS; i++) {
        uint64_t key = __builtin_bswap64(i);
        e = engine_put(w, slice_of(&key, sizeof key), slice_of(value, sizeof value));
    }
    return e;
}

struct filling {
    struct engine_batch batch;
    sem_t done;
};

static void on_filled(struct engine_batch *batch)
{
    must(batch->err);
    sem_post(&((struct filling *)batch)->done);
}

static void fill(struct engine *engine, struct engine_partition *p)
{
    struct filling rq = {
        .batch = {.partition = p, .run = put_many, .home = &at_once, .done = on_filled}};

    sem_init(&rq.done, 0, 0);
    engine_submit(engine, &rq.batch);
    while (sem_wait(&rq.done))
        continue;
    sem_destroy(&rq.done);
}

static void bench_reads(struct engine_partition *p)
{
    struct engine_read *rd;
    struct slice key, value;
    uint64_t random = 1, n = 0;
    double start = now();

    for (int i = 0; i < READS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint64_t k = __builtin_bswap64((random >> 33) % KEYS);

        must(engine_read_begin(p, &rd));
        must(engine_get(rd, slice_of(&k, sizeof k), &value));
        engine_read_end(rd);
    }
    printf("begin, get of one in %d keys, end: %.0f ns\n", KEYS, (now() - start) / READS * 1e9);
    start = now();
    for (int i = 0; i < READS; i++) {
        must(engine_read_begin(p, &rd));
        engine_read_end(rd);
    }
    printf("begin, end: %.0f ns\n", (now() - start) / READS * 1e9);
    must(engine_read_begin(p, &rd));
    start = now();
    struct engine_cursor *c = engine_cursor_open(rd);
    for (struct err e = engine_seek(c, SLICE_EMPTY, &key, &value); !failed(e);
         e = engine_next(c, &key, &value))
        n++;
    engine_cursor_close(c);
    printf("walk: %.1f ns a key\n", (now() - start) / (double)n * 1e9);
    start = now();
    for (int i = 0; i < READS; i++)
        engine_cursor_close(engine_cursor_open(rd));
    printf("cursor, open and close: %.0f ns\n", (now() - start) / READS * 1e9);
    engine_read_end(rd);
}

int main(int argc, char **argv)
{
    static const struct {
        size_t requesters, total, blob_len;
    } runs[] = {{1, 1000, 0},     {8, 8000, 0},       {32, 40000, 0},    {1, 1000, 11000},
                {8, 4000, 11000}, {32, 20000, 11000}, {32, 5000, 64000}, {4, 100, 6 << 20}};
    struct engine_lmdb_config config = {.dir = argc > 1 ? argv[1] : "", .create = true};
    struct engine *engine;

    if (argc != 2) {
        fprintf(stderr, "usage: bench_engine DIR\n");
        return 2;
    }
    must(engine_lmdb_open(&config, NULL, &engine));
    struct engine_partition *p = open_partition(engine, 5), *q = open_partition(engine, 6);
    fill(engine, p);
    bench_reads(p);
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
        bench_batches(engine, q, runs[i].requesters, runs[i].total, runs[i].blob_len);
    engine_partition_close(p);
    engine_partition_close(q);
    engine_close(engine);
    return 0;
}
