/* The last records of log-ons, and those who watch them come. */
#include "gateway/tail.h"
#include "tests/support/test.h"

struct queue {
    struct executor executor; /* first */
    struct task *posted[64];
    size_t n;
};

static void post(struct executor *executor, struct task *task)
{
    struct queue *q = (struct queue *)executor;

    assert_true(q->n < 64);
    q->posted[q->n++] = task;
}

static size_t run_all(struct queue *q)
{
    size_t n = q->n;

    q->n = 0;
    for (size_t i = 0; i < n; i++)
        q->posted[i]->run(q->posted[i]);
    return n;
}

static unsigned in_file;

static void to_file(struct auth_sink *sink, const struct auth_record *record, struct slice line)
{
    (void)sink, (void)record, (void)line;
    in_file++;
}

static void count_more(void *owner)
{
    ++*(unsigned *)owner;
}

static void put(struct tail *t, unsigned n)
{
    static unsigned serial;

    for (unsigned i = 0; i < n; i++) {
        char line[40];

        snprintf(line, sizeof line, "{\"n\":%u}\n", serial++);
        tail_face(t)->record(tail_face(t), NULL, slice_str(line));
    }
}

static struct auth_sink file = {to_file};
static struct queue queue = {.executor.post = post};
static unsigned woken;
static const struct ops_follow from_now = {&queue.executor, count_more, &woken, 0};

static bool has(struct buf *out, const char *part)
{
    return slice_find(buf_slice(out), slice_str(part)) < out->len;
}

static void who_follows_is_woken_once_and_reads_what_came(void **state)
{
    struct tail *t = tail_new(&file);
    struct buf out = buf_make(1 << 20);
    struct ops_follower *f = tail_follow(t, &from_now);

    (void)state;
    woken = 0;
    put(t, 3);
    assert_int_equal(in_file, 3);
    assert_int_equal(run_all(&queue), 1);
    assert_int_equal(woken, 1);
    assert_false(tail_read(t, f, &out, 4096));
    assert_slice(buf_slice(&out), "id: 1\ndata: {\"n\":0}\n\nid: 2\ndata: {\"n\":1}\n\n"
                                  "id: 3\ndata: {\"n\":2}\n\n");
    buf_clear(&out);
    /* where there is room for one only, the others wait */
    put(t, 2);
    run_all(&queue);
    assert_true(tail_read(t, f, &out, 1));
    assert_true(has(&out, "id: 4\n") && !has(&out, "id: 5\n"));
    tail_leave(t, f);
    tail_free(t);
    buf_done(&out);
}

static void who_is_too_slow_is_told_how_many_he_missed(void **state)
{
    struct tail *t = tail_new(&file);
    struct buf out = buf_make(1 << 20);
    struct ops_follower *f = tail_follow(t, &from_now);

    (void)state;
    put(t, 300);
    run_all(&queue);
    assert_false(tail_read(t, f, &out, 1 << 19));
    assert_true(slice_starts(buf_slice(&out), S("event: missed\ndata: 44\n\nid: 45\n")));
    assert_true(has(&out, "id: 300\n"));
    tail_leave(t, f);
    tail_free(t);
    buf_done(&out);
}

static void who_comes_again_goes_on_where_he_was(void **state)
{
    struct tail *t = tail_new(&file);
    struct buf out = buf_make(1 << 20);

    (void)state;
    put(t, 100);
    struct ops_follow how = from_now;
    for (int i = 0; i < 3; i++) {
        /* never here; here until record 98; of another daemon's time */
        static const uint64_t seen[] = {0, 98, 1000};
        static const char *const first[] = {"id: 51\n", "id: 99\n", "id: 51\n"};

        how.seen = seen[i];
        struct ops_follower *f = tail_follow(t, &how);
        tail_read(t, f, &out, 1 << 19);
        assert_true(slice_starts(buf_slice(&out), slice_str(first[i])));
        buf_clear(&out);
        tail_leave(t, f);
    }
    tail_free(t);
    buf_done(&out);
}

static void only_so_many_may_follow_and_who_leaves_makes_room(void **state)
{
    struct tail *t = tail_new(&file);
    struct ops_follower *f[16];

    (void)state;
    for (int i = 0; i < 16; i++)
        assert_non_null(f[i] = tail_follow(t, &from_now));
    assert_null(tail_follow(t, &from_now));
    put(t, 1); /* all are woken, and leave before they run */
    woken = 0;
    for (int i = 0; i < 16; i++)
        tail_leave(t, f[i]);
    assert_int_equal(run_all(&queue), 16);
    assert_int_equal(woken, 0);
    assert_non_null(f[0] = tail_follow(t, &from_now));
    tail_leave(t, f[0]);
    tail_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_follows_is_woken_once_and_reads_what_came),
        cmocka_unit_test(who_is_too_slow_is_told_how_many_he_missed),
        cmocka_unit_test(who_comes_again_goes_on_where_he_was),
        cmocka_unit_test(only_so_many_may_follow_and_who_leaves_makes_room),
    };

    return cmocka_run_group_tests_name("tail", tests, NULL, NULL);
}
