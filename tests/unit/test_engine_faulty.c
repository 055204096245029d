/* What the faulty engine does to requests, and what remains promised under it. */
#include <sched.h>

#include "store/engine/engine_faulty.h"
#include "tests/support/engine.h"

static uint64_t seed = 1;

static struct engine *wrap(struct engine *inner)
{
    struct engine *engine;

    assert_ok(engine_faulty_new(inner, seed, &engine));
    return engine;
}

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

static void set_id(struct job *job, uint64_t n)
{
    memset(job->batch.id, 0, ENGINE_ID_LEN);
    memcpy(job->batch.id, &n, sizeof n);
    job->batch.id[ENGINE_ID_LEN - 1] = 1;
}

static void a_scripted_fault_ends_the_batch_as_it_says(void **state)
{
    static const struct {
        struct fault fault;
        enum engine_end end;
        enum err_code code;
        const char *value; /* that is there afterwards */
    } cases[] = {
        {{FAULT_NONE, ERR_NONE, 0, 0}, ENGINE_DONE, ERR_NONE, "new"},
        {{FAULT_NONE, ERR_NONE, 20, 20}, ENGINE_DONE, ERR_NONE, "new"},
        {{FAULT_UNAVAILABLE, ERR_NONE, 0, 0}, ENGINE_UNAVAILABLE, ERR_UNAVAILABLE, "old"},
        {{FAULT_REFUSED, ERR_NONE, 0, 0}, ENGINE_REFUSED, ERR_NO_SPACE, "old"},
        {{FAULT_REFUSED, ERR_CONFLICT, 0, 10}, ENGINE_REFUSED, ERR_CONFLICT, "old"},
        {{FAULT_UNKNOWN_DONE, ERR_NONE, 0, 0}, ENGINE_UNKNOWN, ERR_UNKNOWN_END, "new"},
        {{FAULT_UNKNOWN_LOST, ERR_NONE, 10, 0}, ENGINE_UNKNOWN, ERR_UNKNOWN_END, "old"},
    };
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct job old = JOB(p, PUT("k", "old")), new = JOB(p, PUT("k", "new"));

        job_done(b, &old);
        engine_faulty_script(b->engine, &cases[i].fault, 1);
        job_run(b, &new);
        assert_int_equal(new.batch.end, cases[i].end);
        assert_code(new.batch.err, cases[i].code);
        assert_value(p, "k", cases[i].value);
        job_done(b, &new);
    }
    engine_partition_close(p);
}

static void an_unknown_end_is_cleared_up_by_repeating_the_id(void **state)
{
    static const struct fault faults[] = {{.kind = FAULT_UNKNOWN_DONE},
                                          {.kind = FAULT_UNKNOWN_DONE}};
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    struct job job = JOB(p, PUT("k", "v"));

    set_id(&job, 9);
    engine_faulty_script(b->engine, faults, 2);
    job_run(b, &job);
    job_run(b, &job);
    assert_int_equal(job.batch.end, ENGINE_UNKNOWN);
    job_done(b, &job);
    assert_true(job.batch.repeated);
    assert_int_equal(job.batch.version, 1);
    assert_int_equal(job.runs, 1);
    engine_partition_close(p);
}

struct opening {
    struct engine_open rq;
    bool done;
};

static void on_opened(struct engine_open *rq)
{
    ((struct opening *)rq)->done = true;
}

struct fetching {
    struct engine_fetch rq;
    bool done;
};

static void on_fetched(struct engine_fetch *rq)
{
    ((struct fetching *)rq)->done = true;
}

static void opens_and_fetches_fail_too(void **state)
{
    static const struct {
        struct fault fault;
        enum engine_end end;
    } cases[] = {
        {{.kind = FAULT_UNAVAILABLE}, ENGINE_UNAVAILABLE},
        {{.kind = FAULT_REFUSED}, ENGINE_REFUSED},
        {{.kind = FAULT_UNKNOWN_DONE}, ENGINE_UNKNOWN},
        {{.kind = FAULT_UNKNOWN_LOST}, ENGINE_UNKNOWN},
    };
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct opening o = {
            .rq = {.partition_id = 5, .home = test_loop_executor(b->loop), .done = on_opened}};
        struct fetching f = {.rq = {.partition = p,
                                    .blob_id = 1,
                                    .home = test_loop_executor(b->loop),
                                    .done = on_fetched}};
        struct fault both[2] = {cases[i].fault, cases[i].fault};

        engine_faulty_script(b->engine, both, 2);
        engine_open_partition(b->engine, &o.rq);
        engine_blob_fetch(b->engine, &f.rq);
        while (!o.done || !f.done)
            test_loop_wait(b->loop);
        assert_int_equal(o.rq.end, cases[i].end);
        assert_null(o.rq.partition);
        assert_int_equal(f.rq.end, cases[i].end);
    }
    engine_partition_close(p);
}

static void a_stalled_batch_stays_before_those_behind_it(void **state)
{
    static const struct fault faults[] = {{.stall_ms = 30}, {.late_ms = 20}, {0}};
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    struct job jobs[3];
    static const struct op put = PUT("k", "v");

    engine_faulty_script(b->engine, faults, 3);
    for (int i = 0; i < 3; i++) {
        jobs[i] = job_make(p, &put, 1);
        job_submit(b, &jobs[i]);
    }
    for (uint64_t i = 0; i < 3; i++) {
        job_wait(b, &jobs[i]);
        assert_int_equal(jobs[i].batch.version, i + 1);
    }
    engine_partition_close(p);
}

static void a_lost_partition_fails_until_it_is_opened_anew(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    struct watching w = watching_make(b);
    struct job job = JOB(p, PUT("k", "v"));
    struct engine_read *rd;

    engine_watch_start(p, &w.watch);
    engine_faulty_disown(b->engine, 5);
    while (!w.calls)
        test_loop_wait(b->loop);
    assert_code(engine_read_begin(p, &rd), ERR_UNAVAILABLE);
    job_run(b, &job);
    assert_int_equal(job.batch.end, ENGINE_UNAVAILABLE);
    engine_partition_close(bench_partition(b, 5));
    assert_value(p, "k", NULL);
    job_done(b, &job);
    assert_value(p, "k", "v");
    watching_stop(b, &w);
    engine_partition_close(p);
}

static void a_lost_notification_is_made_up_for_by_the_next(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    struct watching w = watching_make(b);
    struct fault_rates deaf = {.watch_lost = 1000}, none = {0};
    struct job job = JOB(p, PUT("k", "v"));

    engine_watch_start(p, &w.watch);
    engine_faulty_rates(b->engine, &deaf);
    job_done(b, &job);
    job_done(b, &job);
    engine_faulty_rates(b->engine, &none);
    while (w.watch.version < 2) { /* at most one of the two was still on its way */
        job_done(b, &job);
        test_loop_pump(b->loop);
    }
    watching_stop(b, &w);
    engine_partition_close(p);
}

/* ---- chance ---- */

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

static const struct fault_rates rough = {
    .unavailable = 100,
    .refused = 50,
    .unknown_done = 100,
    .unknown_lost = 100,
    .disowned = 30,
    .stalled = 50,
    .late = 100,
    .most_ms = 3,
    .watch_lost = 300,
};

static void persist(struct bench *b, struct job *job)
{
    do {
        job_run(b, job);
        engine_faulty_own(b->engine, 5);
    } while (job->batch.end != ENGINE_DONE);
}

static void repeating_what_did_not_end_well_does_everything_once(void **state)
{
    enum { N = 300 };
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);

    engine_faulty_rates(b->engine, &rough);
    for (uint64_t i = 1; i <= N; i++) {
        struct job job = JOB(p, {.kind = OP_CALL, .call = count_one});

        set_id(&job, i);
        persist(b, &job);
        assert_int_equal(job.batch.version, i);
    }
    engine_faulty_rates(b->engine, &(struct fault_rates){0});
    assert_value(p, "count", "300");
    assert_int_equal(bench_version(p), N);
    engine_partition_close(p);
    assert_sound(b);
}

/* The ends of 200 batches, submitted one after the other. */
static void course(uint8_t ends[200])
{
    struct bench b = {.wrap = wrap};

    bench_init(&b);
    struct engine_partition *p = bench_partition(&b, 5);
    engine_faulty_rates(b.engine, &rough);
    for (int i = 0; i < 200; i++) {
        struct job job = JOB(p, PUT("k", "v"));

        job_run(&b, &job);
        ends[i] = (uint8_t)job.batch.end;
        engine_faulty_own(b.engine, 5);
    }
    engine_partition_close(p);
    bench_done(&b);
}

static void one_seed_gives_one_course_of_events(void **state)
{
    uint8_t one[200], two[200], other[200];
    (void)state;

    seed = 7;
    course(one);
    course(two);
    seed = 8;
    course(other);
    assert_memory_equal(one, two, sizeof one);
    assert_memory_not_equal(one, other, sizeof one);
}

static void closing_answers_what_is_stalled_or_late(void **state)
{
    static const struct fault faults[] = {{.late_ms = 600000}, {.stall_ms = 600000}, {0}};
    static const struct op put = PUT("k", "v");
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    struct job jobs[3];

    engine_faulty_script(b->engine, faults, 3);
    for (int i = 0; i < 3; i++) {
        jobs[i] = job_make(p, &put, 1);
        job_submit(b, &jobs[i]);
    }
    while (bench_version(p) == 0)
        sched_yield();
    bench_close(b);
    for (int i = 0; i < 3; i++)
        job_wait(b, &jobs[i]);
    assert_int_equal(jobs[0].batch.end, ENGINE_DONE);
    assert_int_equal(jobs[1].batch.end, ENGINE_UNAVAILABLE);
    assert_int_equal(jobs[2].batch.end, ENGINE_UNAVAILABLE);
    engine_partition_close(p);
    bench_open(b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_scripted_fault_ends_the_batch_as_it_says),
        TEST(an_unknown_end_is_cleared_up_by_repeating_the_id),
        TEST(opens_and_fetches_fail_too),
        TEST(a_stalled_batch_stays_before_those_behind_it),
        TEST(a_lost_partition_fails_until_it_is_opened_anew),
        TEST(a_lost_notification_is_made_up_for_by_the_next),
        TEST(repeating_what_did_not_end_well_does_everything_once),
        cmocka_unit_test(one_seed_gives_one_course_of_events),
        TEST(closing_answers_what_is_stalled_or_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
