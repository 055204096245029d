/* auth log --follow tells every record once, also one that is stored late. */
#include "tests/support/test.h"

#include "base/clock.h"
#include "gateway/cli/auth_follow.h"

static uint64_t at_second(double seconds)
{
    return (uint64_t)((1000 + seconds) * FILETIME_SECOND);
}

/* One round over the records from `since` on; how many were new. */
static unsigned look(struct follow *f, const struct audit_place *records, size_t n, uint64_t *since)
{
    unsigned fresh = 0;

    for (size_t i = 0; i < n; i++)
        if (records[i].time >= *since)
            fresh += follow_is_new(f, records[i]);
    *since = follow_turn(f, *since);
    return fresh;
}

#define LOOK(...)                                                                                  \
    look(&f, (const struct audit_place[]){__VA_ARGS__},                                            \
         sizeof((const struct audit_place[]){__VA_ARGS__}) / sizeof(struct audit_place), &since)

static void a_record_is_told_once(void **state)
{
    struct follow f = {0};
    uint64_t since = 0;

    (void)state;
    assert_int_equal(LOOK({at_second(1), 0}, {at_second(2), 0}), 2);
    assert_int_equal(LOOK({at_second(1), 0}, {at_second(2), 0}), 0);
    assert_int_equal(LOOK({at_second(1), 0}, {at_second(2), 0}, {at_second(2), 1}), 1);
    assert_int_equal(look(&f, NULL, 0, &since), 0);
    follow_done(&f);
}

static void a_record_that_comes_late_is_told(void **state)
{
    struct follow f = {0};
    uint64_t since = 0;

    (void)state;
    assert_int_equal(LOOK({at_second(1), 0}, {at_second(3), 1}), 2);
    assert_int_equal(LOOK({at_second(1), 0}, {at_second(3), 0}, {at_second(3), 1}), 1);
    assert_int_equal(
        LOOK({at_second(1), 0}, {at_second(2), 0}, {at_second(3), 0}, {at_second(3), 1}), 1);
    assert_int_equal(
        LOOK({at_second(1), 0}, {at_second(2), 0}, {at_second(3), 0}, {at_second(3), 1}), 0);
    follow_done(&f);
}

static void what_is_before_the_asked_time_stays_untold(void **state)
{
    struct follow f = {0};
    uint64_t since = at_second(5);

    (void)state;
    assert_int_equal(LOOK({at_second(4), 0}, {at_second(6), 0}), 1);
    assert_int_equal(since, at_second(5));
    assert_int_equal(LOOK({at_second(4), 0}, {at_second(6), 0}, {at_second(90), 0}), 1);
    assert_int_equal(since, at_second(80));
    follow_done(&f);
}

/* A long past is not kept in memory, and told once all the same. */
static void a_long_past_is_told_once(void **state)
{
    enum { RECORDS = 20000 };
    struct audit_place *records = calloc(RECORDS, sizeof *records);
    struct follow f = {0};
    uint64_t since = 0;

    (void)state;
    for (size_t i = 0; i < RECORDS; i++)
        records[i].time = at_second((double)i);
    assert_int_equal(look(&f, records, RECORDS - 1, &since), RECORDS - 1);
    assert_true(f.n_seen <= FOLLOW_LATE_S + 1);
    assert_int_equal(look(&f, records, RECORDS, &since), 1);
    follow_done(&f);
    free(records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_told_once),
        cmocka_unit_test(a_record_that_comes_late_is_told),
        cmocka_unit_test(what_is_before_the_asked_time_stays_untold),
        cmocka_unit_test(a_long_past_is_told_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
