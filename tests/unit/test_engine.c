/*
 * The conformance suite of engines: what engine.h promises, whoever keeps the bytes.
 *
 * Run against LMDB, and against the faulty engine with its faults off. What only LMDB promises is
 * in test_engine_lmdb.c, what holds under faults in test_engine_faulty.c.
 */
#include <pthread.h>

#include "store/engine/engine_faulty.h"
#include "tests/support/engine.h"

static struct engine *faultless(struct engine *inner)
{
    struct engine *engine;

    assert_ok(engine_faulty_new(inner, 1, &engine));
    return engine;
}

static struct engine *(*wrap)(struct engine *inner); /* of the engine that is tested now */

static int setup(void **state)
{
    struct bench *b = mem_new(sizeof *b);

    b->wrap = wrap;
    bench_init(b);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    bench_done(*state);
    free(*state);
    return 0;
}

/* ---- batches ---- */

static void a_batch_is_seen_whole_and_raises_the_version_by_one(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);

    assert_int_equal(bench_version(p), 0);
    for (uint64_t i = 1; i <= 3; i++) {
        struct job job = JOB(p, PUT("a", "1"), PUT("b", "2"), PUT("", "empty key"));

        job_done(b, &job);
        assert_int_equal(job.batch.version, i);
        assert_int_equal(bench_version(p), i);
    }
    assert_value(p, "a", "1");
    assert_value(p, "b", "2");
    assert_value(p, "", "empty key");
    assert_value(p, "c", NULL);
    engine_partition_close(p);
    assert_sound(b);
}

static struct err look_only(struct engine_write *w, struct job *job)
{
    struct slice value;

    (void)job;
    return engine_get(engine_write_read(w), S("a"), &value);
}

static uint64_t commits_of(struct bench *b)
{
    struct engine_stats stats;

    assert_ok(engine_stats(b->engine, &stats));
    return stats.commits;
}

static void a_batch_that_changes_nothing_commits_nothing(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    struct job first = JOB(p, PUT("a", "1")), idle = JOB(p, {.kind = OP_CALL, .call = look_only});
    struct job named = JOB(p, {.kind = OP_CALL, .call = look_only});

    job_done(b, &first);
    uint64_t commits = commits_of(b);
    job_done(b, &idle);
    assert_int_equal(idle.batch.version, 1);
    assert_int_equal(bench_version(p), 1);
    assert_int_equal(commits_of(b), commits);
    /* With an id it must be remembered, and that is a change. */
    named.batch.id[0] = 1;
    job_done(b, &named);
    assert_int_equal(named.batch.version, 2);
    engine_partition_close(p);
    assert_sound(b);
}

static void a_refused_batch_leaves_no_trace_and_its_neighbours_stay(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5), *q = bench_partition(b, 6);
    struct gate *gate = gate_close(b, q);
    struct job before = JOB(p, PUT("before", "yes"), PUT("shared", "1"));
    struct job refused =
        JOB(p, PUT("refused", "yes"), PUT("shared", "2"), {.kind = OP_FAIL, .fail = ERR_QUOTA});
    struct job missing = JOB(p, PUT("refused", "yes"), DEL("not there"));
    struct job after = JOB(p, PUT("after", "yes"));

    job_submit(b, &before);
    job_submit(b, &refused);
    job_submit(b, &missing);
    job_submit(b, &after);
    gate_open(b, gate);
    job_wait(b, &after);
    assert_true(before.done && refused.done && missing.done);
    assert_int_equal(before.batch.end, ENGINE_DONE);
    assert_int_equal(refused.batch.end, ENGINE_REFUSED);
    assert_code(refused.batch.err, ERR_QUOTA);
    assert_code(missing.batch.err, ERR_NOT_FOUND);
    assert_int_equal(after.batch.end, ENGINE_DONE);
    assert_int_equal(after.batch.version, 2);
    assert_value(p, "refused", NULL);
    assert_value(p, "shared", "1");
    assert_value(p, "after", "yes");
    engine_partition_close(p);
    engine_partition_close(q);
    assert_sound(b);
}

static void what_was_answered_is_there_after_reopening(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    struct job job = JOB(p, PUT("k", "v"));

    job_done(b, &job);
    engine_partition_close(p);
    bench_close(b);
    bench_open(b);
    p = bench_partition(b, 5);
    assert_value(p, "k", "v");
    assert_int_equal(bench_version(p), 1);
    engine_partition_close(p);
}

static void a_guard_refuses_every_other_version(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    struct job first = JOB(p, PUT("k", "1"));
    struct job guarded = JOB(p, PUT("k", "2"));

    job_done(b, &first);
    guarded.batch.guard_version = 2;
    job_refused(b, &guarded, ERR_CONFLICT);
    assert_value(p, "k", "1");
    guarded.batch.guard_version = 1;
    job_done(b, &guarded);
    assert_value(p, "k", "2");
    guarded.batch.guard_version = 1;
    job_refused(b, &guarded, ERR_CONFLICT);
    engine_partition_close(p);
}

static void batches_commit_in_the_order_of_submission(void **state)
{
    enum { N = 700 };
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    struct job *jobs = mem_array(N, sizeof *jobs);
    struct op *ops = mem_array(N, sizeof *ops);
    char(*values)[16] = mem_array(N, sizeof *values);

    for (int i = 0; i < N; i++) {
        snprintf(values[i], sizeof values[i], "%d", i);
        ops[i] = (struct op)PUT("last", values[i]);
        jobs[i] = job_make(p, &ops[i], 1);
        job_submit(b, &jobs[i]);
    }
    job_wait(b, &jobs[N - 1]);
    for (int i = 0; i < N; i++) {
        assert_true(jobs[i].done);
        assert_int_equal(jobs[i].batch.version, i + 1);
    }
    assert_value(p, "last", values[N - 1]);
    free(values);
    free(ops);
    free(jobs);
    engine_partition_close(p);
}

static void keys_and_values_have_their_limits(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    char *key = mem_array(ENGINE_KEY_MAX + 2, 1), *value = mem_array(ENGINE_VALUE_MAX + 2, 1);

    memset(key, 'k', ENGINE_KEY_MAX);
    memset(value, 'v', ENGINE_VALUE_MAX);
    struct job most = JOB(p, PUT(key, value));
    job_done(b, &most);
    assert_value(p, key, value);
    value[ENGINE_VALUE_MAX] = 'v';
    job_refused(b, &most, ERR_TOO_BIG);
    key[ENGINE_KEY_MAX] = 'k';
    struct job key_too_long = JOB(p, PUT(key, "v")), del_too_long = JOB(p, DEL(key));
    job_refused(b, &key_too_long, ERR_INVALID);
    job_refused(b, &del_too_long, ERR_INVALID);
    free(key);
    free(value);
    engine_partition_close(p);
}

static struct err copy_value_of_a(struct engine_write *w, struct job *job)
{
    struct slice value;
    (void)job;

    struct err e = engine_get(engine_write_read(w), S("a"), &value);
    if (failed(e))
        return e;
    assert_int_equal(engine_read_version(engine_write_read(w)), 0);
    return engine_put(w, S("b"), value);
}

static void a_batch_reads_what_it_has_written(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    struct job job = JOB(p, PUT("a", "seen"), {.kind = OP_CALL, .call = copy_value_of_a});

    job_done(b, &job);
    assert_value(p, "b", "seen");
    engine_partition_close(p);
}

/* ---- repeated batches ---- */

static struct err leave_answer(struct engine_write *w, struct job *job)
{
    (void)w;
    memcpy(job->batch.answer, "uid 77", 6);
    job->batch.answer_len = 6;
    return OK;
}

static void set_id(struct job *job, uint32_t n)
{
    memset(job->batch.id, 0, ENGINE_ID_LEN);
    memcpy(job->batch.id, &n, sizeof n);
    job->batch.id[ENGINE_ID_LEN - 1] = 1;
}

static void a_repeated_id_is_answered_and_not_run(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5), *q = bench_partition(b, 6);
    struct job first = JOB(p, PUT("k", "1"), {.kind = OP_CALL, .call = leave_answer});
    struct job other = JOB(p, PUT("k", "2"));
    struct job again = JOB(p, PUT("k", "3"));
    struct job elsewhere = JOB(q, PUT("k", "4"));

    set_id(&first, 1);
    set_id(&again, 1);
    set_id(&elsewhere, 1);
    job_done(b, &first);
    assert_false(first.batch.repeated);
    job_done(b, &other);
    job_done(b, &again);
    assert_true(again.batch.repeated);
    assert_int_equal(again.runs, 0);
    assert_int_equal(again.batch.version, 1);
    assert_int_equal(again.batch.answer_len, 6);
    assert_memory_equal(again.batch.answer, "uid 77", 6);
    assert_value(p, "k", "2");
    assert_int_equal(bench_version(p), 2);
    job_done(b, &elsewhere);
    assert_false(elsewhere.batch.repeated);
    assert_value(q, "k", "4");
    engine_partition_close(p);
    engine_partition_close(q);
    assert_sound(b);
}

static void a_repetition_in_the_same_group_is_recognised(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5), *q = bench_partition(b, 6);
    struct gate *gate = gate_close(b, q);
    struct job first = JOB(p, PUT("k", "1")), again = JOB(p, PUT("k", "2"));

    set_id(&first, 1);
    set_id(&again, 1);
    job_submit(b, &first);
    job_submit(b, &again);
    gate_open(b, gate);
    job_wait(b, &again);
    assert_true(again.batch.repeated);
    assert_value(p, "k", "1");
    assert_int_equal(bench_version(p), 1);
    engine_partition_close(p);
    engine_partition_close(q);
}

static void a_refused_id_may_be_tried_again(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    struct job refused = JOB(p, {.kind = OP_FAIL, .fail = ERR_QUOTA});
    struct job again = JOB(p, PUT("k", "2"));

    set_id(&refused, 1);
    set_id(&again, 1);
    job_refused(b, &refused, ERR_QUOTA);
    job_done(b, &again);
    assert_false(again.batch.repeated);
    assert_value(p, "k", "2");
    engine_partition_close(p);
}

static void the_last_1024_ids_are_remembered(void **state)
{
    enum { N = 1024 };
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    static const struct op put = PUT("k", "v");
    struct job *jobs = mem_array(N + 1, sizeof *jobs);

    for (uint32_t i = 0; i <= N; i++) {
        jobs[i] = job_make(p, &put, 1);
        set_id(&jobs[i], i);
        job_submit(b, &jobs[i]);
    }
    job_wait(b, &jobs[N]);
    job_done(b, &jobs[1]);
    assert_true(jobs[1].batch.repeated);
    assert_int_equal(jobs[1].batch.version, 2);
    job_done(b, &jobs[0]);
    assert_false(jobs[0].batch.repeated);
    free(jobs);
    engine_partition_close(p);
    assert_sound(b);
}

/* ---- snapshots ---- */

static void a_snapshot_does_not_move(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    struct job first = JOB(p, PUT("k", "old"), PUT("gone", "x"));
    struct job second = JOB(p, PUT("k", "new"), DEL("gone"), PUT("more", "y"));
    struct engine_read *rd, *later;
    struct slice value;

    job_done(b, &first);
    assert_ok(engine_read_begin(p, &rd));
    job_done(b, &second);
    assert_int_equal(engine_read_version(rd), 1);
    assert_ok(engine_get(rd, S("k"), &value));
    assert_slice(value, "old");
    assert_ok(engine_get(rd, S("gone"), &value));
    assert_code(engine_get(rd, S("more"), &value), ERR_NOT_FOUND);
    assert_ok(engine_read_begin(p, &later));
    assert_int_equal(engine_read_version(later), 2);
    assert_ok(engine_get(later, S("k"), &value));
    assert_slice(value, "new");
    engine_read_end(later);
    engine_read_end(rd);
    engine_partition_close(p);
}

/* ---- cursors ---- */

static void put_letters(struct bench *b, struct engine_partition *p, const char *value)
{
    struct job job = JOB(p, PUT("a", value), PUT("c", value), PUT("e", value));

    job_done(b, &job);
}

static void cursors_stay_in_their_partition(void **state)
{
    struct bench *b = *state;
    static const uint64_t ids[] = {254, 255, 256};
    struct engine_partition *parts[3];
    struct slice key, value;

    for (int i = 0; i < 3; i++)
        parts[i] = bench_partition(b, ids[i]);
    put_letters(b, parts[0], "254");
    put_letters(b, parts[2], "256");
    put_letters(b, parts[1], "255");
    for (int i = 0; i < 3; i++) {
        const char *want = (const char *[]){"254", "255", "256"}[i];
        struct engine_read *rd;

        assert_ok(engine_read_begin(parts[i], &rd));
        struct engine_cursor *c = engine_cursor_open(rd);
        assert_ok(engine_seek(c, SLICE_EMPTY, &key, &value));
        assert_slice(key, "a");
        assert_slice(value, want);
        assert_code(engine_prev(c, &key, &value), ERR_NOT_FOUND);
        assert_code(engine_next(c, &key, &value), ERR_NOT_FOUND);
        assert_ok(engine_seek(c, S("b"), &key, &value));
        assert_slice(key, "c");
        assert_ok(engine_next(c, &key, &value));
        assert_slice(key, "e");
        assert_slice(value, want);
        assert_code(engine_next(c, &key, &value), ERR_NOT_FOUND);
        assert_code(engine_seek(c, S("f"), &key, &value), ERR_NOT_FOUND);
        assert_ok(engine_seek_before(c, S("\xff"), &key, &value));
        assert_slice(key, "e");
        assert_slice(value, want);
        assert_ok(engine_seek_before(c, S("e"), &key, &value));
        assert_slice(key, "c");
        assert_ok(engine_prev(c, &key, &value));
        assert_slice(key, "a");
        assert_code(engine_prev(c, &key, &value), ERR_NOT_FOUND);
        assert_code(engine_seek_before(c, S("a"), &key, &value), ERR_NOT_FOUND);
        engine_cursor_close(c);
        engine_read_end(rd);
    }
    for (int i = 0; i < 3; i++)
        engine_partition_close(parts[i]);
}

static void an_empty_partition_has_no_keys(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5), *next = bench_partition(b, 6);
    struct slice key, value;
    struct engine_read *rd;

    put_letters(b, next, "next");
    assert_ok(engine_read_begin(p, &rd));
    struct engine_cursor *c = engine_cursor_open(rd);
    assert_code(engine_next(c, &key, &value), ERR_NOT_FOUND);
    assert_code(engine_seek(c, SLICE_EMPTY, &key, &value), ERR_NOT_FOUND);
    assert_code(engine_seek_before(c, S("\xff"), &key, &value), ERR_NOT_FOUND);
    engine_cursor_close(c);
    engine_read_end(rd);
    engine_partition_close(p);
    engine_partition_close(next);
}

/* Delete every key while walking, in one direction and the other, and put some behind the walk. */
static struct err delete_all_forwards(struct engine_write *w, struct job *job)
{
    struct engine_cursor *c = engine_cursor_open(engine_write_read(w));
    struct slice key, value;
    struct err e = engine_seek(c, SLICE_EMPTY, &key, &value);
    (void)job;

    for (int i = 0; !failed(e); i++) {
        char name[16];
        snprintf(name, sizeof name, "k%03d", i);
        assert_slice(key, name);
        assert_ok(engine_delete(w, slice_str(name)));
        snprintf(name, sizeof name, "A%03d", i);
        assert_ok(engine_put(w, slice_str(name), S("x")));
        e = engine_next(c, &key, &value);
    }
    engine_cursor_close(c);
    return e.code == ERR_NOT_FOUND ? OK : e;
}

static struct err delete_all_backwards(struct engine_write *w, struct job *job)
{
    struct engine_cursor *c = engine_cursor_open(engine_write_read(w));
    struct slice key, value;
    struct err e = engine_seek_before(c, S("\xff"), &key, &value);
    (void)job;

    for (int i = 299; !failed(e); i--) {
        char name[16];
        snprintf(name, sizeof name, "A%03d", i);
        assert_slice(key, name);
        assert_ok(engine_delete(w, slice_str(name)));
        e = engine_prev(c, &key, &value);
    }
    engine_cursor_close(c);
    return e.code == ERR_NOT_FOUND ? OK : e;
}

static void a_walk_in_a_batch_goes_on_over_its_own_changes(void **state)
{
    enum { N = 300 };
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5), *next = bench_partition(b, 6);
    struct op ops[N];
    char names[N][16];

    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "k%03d", i);
        ops[i] = (struct op)PUT(names[i], "some value that takes a little room");
    }
    struct job fill = job_make(p, ops, N), fill_next = job_make(next, ops, N);
    job_done(b, &fill);
    job_done(b, &fill_next);
    struct job forwards = JOB(p, {.kind = OP_CALL, .call = delete_all_forwards});
    job_done(b, &forwards);
    assert_value(p, "k000", NULL);
    assert_value(p, "A299", "x");
    struct job backwards = JOB(p, {.kind = OP_CALL, .call = delete_all_backwards});
    job_done(b, &backwards);
    assert_value(p, "A000", NULL);
    assert_value(next, "k299", "some value that takes a little room");
    engine_partition_close(p);
    engine_partition_close(next);
    assert_sound(b);
}

/* ---- blobs ---- */

static void a_blob_is_stored_once_and_read_back(void **state)
{
    static const size_t lengths[] = {0, 1, 100, 61415, 61416, 61417, 200000, 3000000};
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        uint8_t *bytes = bytes_make(lengths[i], i);
        struct engine_new_blob blob = blob_make(bytes, lengths[i], "envelope");
        struct job first = JOB(p, {.kind = OP_LINK, .hash = blob.hash});
        struct job second = first;
        struct engine_read *rd;
        struct slice meta;

        first.batch.blobs = second.batch.blobs = &blob;
        first.batch.n_blobs = second.batch.n_blobs = 1;
        job_done(b, &first);
        job_done(b, &second);
        assert_int_equal(first.linked.references, 1);
        assert_int_equal(second.linked.references, 2);
        assert_int_equal(first.linked.id, second.linked.id);
        assert_blob(p, first.linked.id, bytes, lengths[i]);
        assert_ok(engine_read_begin(p, &rd));
        assert_ok(engine_blob_meta(rd, first.linked.id, &meta));
        assert_slice(meta, "envelope");
        engine_read_end(rd);
        free(bytes);
    }
    struct engine_stats st;
    assert_ok(engine_stats(b->engine, &st));
    assert_int_equal(st.blobs, sizeof lengths / sizeof *lengths);
    engine_partition_close(p);
    assert_sound(b);
}

static void unknown_blobs_are_not_found(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    static const uint8_t hash[ENGINE_HASH_LEN] = {1};
    struct job link = JOB(p, {.kind = OP_LINK, .hash = hash});
    struct job link_id = JOB(p, {.kind = OP_LINK_ID, .id = 77});
    struct job unlink = JOB(p, {.kind = OP_UNLINK, .id = 77});
    struct engine_blob_info info;
    struct engine_read *rd;
    struct slice bytes;

    job_refused(b, &link, ERR_NOT_FOUND);
    job_refused(b, &link_id, ERR_NOT_FOUND);
    job_refused(b, &unlink, ERR_NOT_FOUND);
    assert_ok(engine_read_begin(p, &rd));
    assert_code(engine_blob_stat(rd, 77, &info), ERR_NOT_FOUND);
    assert_code(engine_blob_meta(rd, 77, &bytes), ERR_NOT_FOUND);
    assert_code(engine_blob_piece(rd, 77, 0, 1, &bytes), ERR_NOT_FOUND);
    assert_code(engine_blob_next(rd, 0, &info), ERR_NOT_FOUND);
    assert_false(engine_blob_is_cold(rd, 77, 0, 100));
    engine_read_end(rd);
    engine_partition_close(p);
}

static void assert_no_blob(struct engine_partition *p, uint64_t id)
{
    struct engine_blob_info info;
    struct engine_read *rd;

    assert_ok(engine_read_begin(p, &rd));
    assert_code(engine_blob_stat(rd, id, &info), ERR_NOT_FOUND);
    engine_read_end(rd);
}

static void a_blob_goes_with_its_last_reference(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5), *q = bench_partition(b, 6);
    uint8_t *bytes = bytes_make(200000, 1);
    uint64_t id = bench_store_blob(b, p, bytes, 200000);
    struct job copy = JOB(q, {.kind = OP_LINK_ID, .id = id});
    struct job twice = JOB(q, {.kind = OP_UNLINK, .id = id}, {.kind = OP_UNLINK, .id = id});
    struct engine_stats st;

    job_done(b, &copy);
    bench_unlink_blob(b, p, id);
    bench_swept(b, 0);
    assert_blob(q, id, bytes, 200000);
    job_refused(b, &twice, ERR_CORRUPT);
    assert_blob(q, id, bytes, 200000);
    bench_unlink_blob(b, q, id);
    bench_swept(b, 0);
    assert_no_blob(q, id);
    assert_ok(engine_stats(b->engine, &st));
    assert_int_equal(st.blobs, 0);
    assert_int_equal(st.blob_bytes, 0);
    assert_sound(b);
    /* The same bytes again get an id of their own. */
    assert_true(bench_store_blob(b, p, bytes, 200000) > id);
    free(bytes);
    engine_partition_close(p);
    engine_partition_close(q);
    assert_sound(b);
}

static void a_pinned_blob_stays_until_it_is_unpinned(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    uint8_t *bytes = bytes_make(150000, 1), *other = bytes_make(10, 2);
    uint64_t id = bench_store_blob(b, p, bytes, 150000),
             other_id = bench_store_blob(b, p, other, 10);

    engine_blob_pin(b->engine, id);
    engine_blob_pin(b->engine, id);
    bench_unlink_blob(b, p, id);
    bench_unlink_blob(b, p, other_id);
    bench_swept(b, 1);
    assert_no_blob(p, other_id);
    assert_blob(p, id, bytes, 150000);
    engine_blob_unpin(b->engine, id);
    assert_blob(p, id, bytes, 150000);
    engine_blob_unpin(b->engine, id);
    bench_swept(b, 0);
    assert_no_blob(p, id);
    free(bytes);
    free(other);
    engine_partition_close(p);
    assert_sound(b);
}

/* The sweeper is shown to have passed by: it took what died before the snapshot. */
static void a_snapshot_keeps_the_blobs_it_sees(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    uint8_t *bytes = bytes_make(150000, 1), *other = bytes_make(10, 2);
    uint64_t id = bench_store_blob(b, p, bytes, 150000),
             other_id = bench_store_blob(b, p, other, 10);
    struct engine_read *rd;

    engine_blob_pin(b->engine, other_id);
    bench_unlink_blob(b, p, other_id);
    assert_ok(engine_read_begin(p, &rd));
    bench_unlink_blob(b, p, id);
    engine_blob_unpin(b->engine, other_id);
    bench_swept(b, 1);
    assert_no_blob(p, other_id);
    assert_blob(p, id, bytes, 150000);
    /* Pinned in time, though unlinked before. */
    engine_blob_pin(b->engine, id);
    engine_read_end(rd);
    uint64_t third = bench_store_blob(b, p, other, 10);
    bench_unlink_blob(b, p, third);
    bench_swept(b, 1);
    assert_no_blob(p, third);
    assert_blob(p, id, bytes, 150000);
    engine_blob_unpin(b->engine, id);
    bench_swept(b, 0);
    free(bytes);
    free(other);
    engine_partition_close(p);
}

static void a_blob_linked_again_in_time_stays(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    uint8_t *bytes = bytes_make(1000, 1);
    uint64_t id = bench_store_blob(b, p, bytes, 1000);

    engine_blob_pin(b->engine, id);
    bench_unlink_blob(b, p, id);
    assert_int_equal(bench_store_blob(b, p, bytes, 1000), id);
    engine_blob_unpin(b->engine, id);
    bench_swept(b, 0);
    assert_blob(p, id, bytes, 1000);
    free(bytes);
    engine_partition_close(p);
    assert_sound(b);
}

static void a_blob_that_was_not_linked_is_swept(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    uint8_t *bytes = bytes_make(1000, 1);
    struct engine_new_blob blob = blob_make(bytes, 1000, "");
    struct job job = JOB(p, PUT("k", "v"));
    struct engine_stats st;

    job.batch.blobs = &blob;
    job.batch.n_blobs = 1;
    job_done(b, &job);
    bench_swept(b, 0);
    assert_ok(engine_stats(b->engine, &st));
    assert_int_equal(st.blobs, 0);
    free(bytes);
    engine_partition_close(p);
    assert_sound(b);
}

static void big_blobs_come_whole_and_in_order(void **state)
{
    enum { LEN = 9 << 20 };
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5), *q = bench_partition(b, 6);
    uint8_t *bytes = bytes_make(LEN, 3);
    struct engine_new_blob blob = blob_make(bytes, LEN, "meta");
    struct job before = JOB(p, PUT("k", "before"));
    struct job big = JOB(p, {.kind = OP_LINK, .hash = blob.hash}, PUT("k", "big"));
    struct job after = JOB(p, PUT("k", "after"));
    struct job other = JOB(q, PUT("k", "other"));
    struct job refused =
        JOB(p, {.kind = OP_LINK, .hash = blob.hash}, {.kind = OP_FAIL, .fail = ERR_QUOTA});

    big.batch.blobs = refused.batch.blobs = &blob;
    big.batch.n_blobs = refused.batch.n_blobs = 1;
    job_refused(b, &refused, ERR_QUOTA);
    bench_swept(b, 0);
    job_submit(b, &before);
    job_submit(b, &big);
    job_submit(b, &after);
    job_submit(b, &other);
    job_wait(b, &after);
    job_wait(b, &other);
    assert_int_equal(before.batch.version, 1);
    assert_int_equal(big.batch.version, 2);
    assert_int_equal(after.batch.version, 3);
    assert_value(p, "k", "after");
    assert_blob(p, big.linked.id, bytes, LEN);
    bench_unlink_blob(b, p, big.linked.id);
    bench_swept(b, 0);
    assert_no_blob(p, big.linked.id);
    free(bytes);
    engine_partition_close(p);
    engine_partition_close(q);
    assert_sound(b);
}

static void blobs_are_listed_by_id(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    struct engine_blob_info info = {0};
    struct engine_read *rd;
    uint64_t ids[3];

    for (uint64_t i = 0; i < 3; i++) {
        uint8_t *bytes = bytes_make(10 + i, i);
        ids[i] = bench_store_blob(b, p, bytes, 10 + i);
        free(bytes);
    }
    assert_ok(engine_read_begin(p, &rd));
    for (int i = 0; i < 3; i++) {
        assert_ok(engine_blob_next(rd, info.id, &info));
        assert_int_equal(info.id, ids[i]);
        assert_int_equal(info.references, 1);
    }
    assert_code(engine_blob_next(rd, info.id, &info), ERR_NOT_FOUND);
    engine_read_end(rd);
    engine_partition_close(p);
}

struct fetching {
    struct engine_fetch rq;
    bool done;
};

static void on_fetched(struct engine_fetch *rq)
{
    ((struct fetching *)rq)->done = true;
}

static void a_fetched_blob_is_not_cold(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    uint8_t *bytes = bytes_make(300000, 1);
    uint64_t id = bench_store_blob(b, p, bytes, 300000);
    struct fetching f = {.rq = {.partition = p,
                                .blob_id = id,
                                .len = UINT64_MAX,
                                .home = test_loop_executor(b->loop),
                                .done = on_fetched}};
    struct engine_read *rd;

    engine_blob_fetch(b->engine, &f.rq);
    while (!f.done)
        test_loop_wait(b->loop);
    assert_ok(f.rq.err);
    assert_int_equal(f.rq.end, ENGINE_DONE);
    assert_ok(engine_read_begin(p, &rd));
    assert_false(engine_blob_is_cold(rd, id, 0, 300000));
    engine_read_end(rd);
    f = (struct fetching){.rq = f.rq};
    f.rq.blob_id = id + 1;
    engine_blob_fetch(b->engine, &f.rq);
    while (!f.done)
        test_loop_wait(b->loop);
    assert_int_equal(f.rq.end, ENGINE_REFUSED);
    assert_code(f.rq.err, ERR_NOT_FOUND);
    free(bytes);
    engine_partition_close(p);
}

/* ---- watches ---- */

static void a_watch_hears_of_the_commits_of_its_partition(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5), *q = bench_partition(b, 6);
    struct watching one = watching_make(b), two = watching_make(b);
    struct job job = JOB(p, PUT("k", "v")), other = JOB(q, PUT("k", "v"));

    engine_watch_start(p, &one.watch);
    engine_watch_start(p, &two.watch);
    job_done(b, &other);
    job_done(b, &other);
    test_loop_pump(b->loop);
    assert_int_equal(one.calls, 0);
    job_done(b, &job);
    while (!one.calls || !two.calls)
        test_loop_wait(b->loop);
    assert_int_equal(one.watch.version, 1);
    assert_int_equal(two.watch.version, 1);
    /* Many commits, few calls; the last version is told. */
    for (int i = 0; i < 10; i++)
        job_done(b, &job);
    while (one.watch.version < 11)
        test_loop_wait(b->loop);
    watching_stop(b, &one);
    job_done(b, &job);
    while (two.watch.version < 12)
        test_loop_wait(b->loop);
    assert_int_equal(one.watch.version, 11);
    watching_stop(b, &two);
    engine_partition_close(p);
    engine_partition_close(q);
}

static void a_stopped_watch_is_not_called_even_if_a_call_was_posted(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);

    for (int i = 0; i < 200; i++) {
        struct watching w = watching_make(b);
        struct job job = JOB(p, PUT("k", "v"));

        engine_watch_start(p, &w.watch);
        job_submit(b, &job);
        if (i % 2)
            job_wait(b, &job);
        int calls = w.calls;
        watching_stop(b, &w);
        assert_int_equal(w.calls, calls);
        job_wait(b, &job);
    }
    engine_partition_close(p);
}

/* ---- the whole ---- */

static void partitions_are_listed(void **state)
{
    struct bench *b = *state;
    static const uint64_t ids[] = {1, 7, 1ull << 40};
    uint64_t id = 0;

    for (int i = 2; i >= 0; i--) {
        struct engine_partition *p = bench_partition(b, ids[i]);
        struct job job = JOB(p, PUT("k", "v"));

        job_done(b, &job);
        engine_partition_close(p);
    }
    for (int i = 0; i < 3; i++) {
        assert_ok(engine_partition_next(b->engine, id, &id));
        assert_int_equal(id, ids[i]);
    }
    assert_code(engine_partition_next(b->engine, id, &id), ERR_NOT_FOUND);
}

struct submitter {
    pthread_t thread;
    struct bench bench; /* a loop of its own, the engine of all */
    uint64_t partition_id;
    int n;
};

static struct err count_one(struct engine_write *w, struct job *job)
{
    struct slice value;
    uint32_t n = 0;
    char text[16];
    (void)job;

    if (!failed(engine_get(engine_write_read(w), S("count"), &value)))
        slice_to_u32(value, &n);
    snprintf(text, sizeof text, "%u", n + 1);
    return engine_put(w, S("count"), slice_str(text));
}

static void *submit_many(void *arg)
{
    struct submitter *s = arg;
    struct engine_partition *p = bench_partition(&s->bench, s->partition_id);

    for (int i = 0; i < s->n; i++) {
        struct job job = JOB(p, {.kind = OP_CALL, .call = count_one});

        job_done(&s->bench, &job);
        assert_true(bench_version(p) >= job.batch.version);
    }
    engine_partition_close(p);
    return NULL;
}

static void many_threads_submit_and_read(void **state)
{
    enum { THREADS = 8, EACH = 60 };
    struct bench *b = *state;
    struct submitter submitters[THREADS];

    for (int i = 0; i < THREADS; i++) {
        submitters[i] =
            (struct submitter){.bench = *b, .partition_id = 5 + (uint64_t)i % 2, .n = EACH};
        submitters[i].bench.loop = test_loop_new();
        assert_int_equal(pthread_create(&submitters[i].thread, NULL, submit_many, &submitters[i]),
                         0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(submitters[i].thread, NULL);
        test_loop_free(submitters[i].bench.loop);
    }
    for (uint64_t id = 5; id <= 6; id++) {
        struct engine_partition *p = bench_partition(b, id);

        assert_value(p, "count", "240");
        assert_int_equal(bench_version(p), 240);
        engine_partition_close(p);
    }
    assert_sound(b);
}

static void closing_ends_what_is_queued_as_unavailable(void **state)
{
    enum { N = 400 };
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    static const struct op put = PUT("k", "v");
    struct job *jobs = mem_array(N, sizeof *jobs);
    uint64_t done = 0;

    for (int i = 0; i < N; i++) {
        jobs[i] = job_make(p, &put, 1);
        job_submit(b, &jobs[i]);
    }
    bench_close(b);
    for (int i = 0; i < N; i++) {
        job_wait(b, &jobs[i]);
        assert_true(jobs[i].batch.end == ENGINE_DONE || jobs[i].batch.end == ENGINE_UNAVAILABLE);
        done += jobs[i].batch.end == ENGINE_DONE;
    }
    engine_partition_close(p);
    free(jobs);
    bench_open(b);
    p = bench_partition(b, 5);
    assert_int_equal(bench_version(p), done);
    engine_partition_close(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_batch_is_seen_whole_and_raises_the_version_by_one),
        TEST(a_batch_that_changes_nothing_commits_nothing),
        TEST(a_refused_batch_leaves_no_trace_and_its_neighbours_stay),
        TEST(what_was_answered_is_there_after_reopening),
        TEST(a_guard_refuses_every_other_version),
        TEST(batches_commit_in_the_order_of_submission),
        TEST(keys_and_values_have_their_limits),
        TEST(a_batch_reads_what_it_has_written),
        TEST(a_repeated_id_is_answered_and_not_run),
        TEST(a_repetition_in_the_same_group_is_recognised),
        TEST(a_refused_id_may_be_tried_again),
        TEST(the_last_1024_ids_are_remembered),
        TEST(a_snapshot_does_not_move),
        TEST(cursors_stay_in_their_partition),
        TEST(an_empty_partition_has_no_keys),
        TEST(a_walk_in_a_batch_goes_on_over_its_own_changes),
        TEST(a_blob_is_stored_once_and_read_back),
        TEST(unknown_blobs_are_not_found),
        TEST(a_blob_goes_with_its_last_reference),
        TEST(a_pinned_blob_stays_until_it_is_unpinned),
        TEST(a_snapshot_keeps_the_blobs_it_sees),
        TEST(a_blob_linked_again_in_time_stays),
        TEST(a_blob_that_was_not_linked_is_swept),
        TEST(big_blobs_come_whole_and_in_order),
        TEST(blobs_are_listed_by_id),
        TEST(a_fetched_blob_is_not_cold),
        TEST(a_watch_hears_of_the_commits_of_its_partition),
        TEST(a_stopped_watch_is_not_called_even_if_a_call_was_posted),
        TEST(partitions_are_listed),
        TEST(many_threads_submit_and_read),
        TEST(closing_ends_what_is_queued_as_unavailable),
    };

    int failures = cmocka_run_group_tests_name("engine: lmdb", tests, NULL, NULL);
    wrap = faultless;
    return failures + cmocka_run_group_tests_name("engine: faultless", tests, NULL, NULL);
}
