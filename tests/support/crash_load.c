#include "tests/support/crash_load.h"

/* ---- what batch i is ---- */

static size_t blob_len(uint64_t i)
{
    struct rng rng = {i};

    return i % 25 == 0 ? 5 << 20 : 2000 + rng_below(&rng, 150000);
}

static void key_of(char key[24], uint64_t i)
{
    snprintf(key, 24, "%llu", (unsigned long long)i);
}

static struct err drop_old(struct engine_write *w, uint64_t i)
{
    struct slice value;
    uint64_t id;
    char key[24];

    key_of(key, i);
    struct err e = engine_get(engine_write_read(w), slice_str(key), &value);
    if (failed(e) || !slice_to_u64(value, &id))
        return e;
    e = engine_blob_unlink(w, id);
    return failed(e) ? e : engine_delete(w, slice_str(key));
}

static struct err run_load(struct engine_write *w, struct job *job)
{
    struct crash_load *load = (struct crash_load *)job;
    struct engine_blob_info info;
    char key[24], value[24];

    struct err e = engine_blob_link(w, load->blob.hash, &info);
    if (failed(e))
        return e;
    key_of(key, load->i);
    key_of(value, info.id);
    e = engine_put(w, slice_str(key), slice_str(value));
    if (failed(e) || load->i <= CRASH_KEPT)
        return e;
    return drop_old(w, load->i - CRASH_KEPT);
}

void crash_submit(struct bench *b, struct engine_partition *p, struct crash_load *load, uint64_t i)
{
    static const struct op call = {.kind = OP_CALL, .call = run_load};

    load->i = i;
    load->bytes = bytes_make(blob_len(i), i);
    load->blob = blob_make(load->bytes, blob_len(i), "meta");
    load->job = job_make(p, &call, 1);
    load->job.batch.blobs = &load->blob;
    load->job.batch.n_blobs = 1;
    memcpy(load->job.batch.id, &i, sizeof i);
    job_submit(b, &load->job);
}

/* ---- what is left of them ---- */

static void check_batch(struct engine_partition *p, uint64_t i, bool kept)
{
    char key[24];
    uint64_t id;

    key_of(key, i);
    char *value = bench_get(p, key);
    assert_int_equal(value != NULL, kept);
    if (kept) {
        uint8_t *bytes = bytes_make(blob_len(i), i);

        assert_true(slice_to_u64(slice_str(value), &id));
        assert_blob(p, id, bytes, blob_len(i));
        free(bytes);
    }
    free(value);
}

void crash_check(struct bench *b, uint64_t least, uint64_t most)
{
    struct engine_partition *p = bench_partition(b, CRASH_PARTITION);
    uint64_t version = bench_version(p);
    struct engine_stats st;

    assert_in_range(version, least, most);
    for (uint64_t i = version > 2 * CRASH_KEPT ? version - 2 * CRASH_KEPT : 1; i <= most; i++)
        check_batch(p, i, i <= version && i + CRASH_KEPT > version);
    assert_sound(b);
    bench_swept(b, 0);
    assert_ok(engine_stats(b->engine, &st));
    assert_int_equal(st.blobs, version < CRASH_KEPT ? version : CRASH_KEPT);
    assert_sound(b);
    engine_partition_close(p);
}
