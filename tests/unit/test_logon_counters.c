/* Counting log-ons as their records go by, from many threads. */
#include "tests/support/test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "gateway/logon_counters.h"

static atomic_int passed_on;

static void count_record(struct auth_sink *sink, const struct auth_record *rec, struct slice line)
{
    (void)sink, (void)rec, (void)line;
    atomic_fetch_add(&passed_on, 1);
}

static struct auth_sink next = {count_record};

static void give(struct logon_counters *c, enum auth_protocol protocol, const char *mechanism,
                 enum auth_reason reason, uint64_t us)
{
    struct auth_peer peer = {.protocol = protocol};
    struct auth_record rec = {
        .peer = &peer, .mechanism = slice_str(mechanism), .reason = reason, .latency_us = us};

    logon_counters_face(c)->record(logon_counters_face(c), &rec, S("{}\n"));
}

static uint64_t count_of(const struct ops_figures *f, const char *protocol, const char *mechanism,
                         enum auth_reason reason)
{
    uint64_t n = 0;

    for (size_t i = 0; i < f->n_logons; i++)
        if (strcmp(f->logons[i].protocol, protocol) == 0 && f->logons[i].reason == reason &&
            strcmp(f->logons[i].mechanism, mechanism) == 0)
            n += f->logons[i].n;
    return n;
}

enum { THREADS = 20, EACH = 1000 };

static void *give_many(void *arg)
{
    for (int i = 0; i < EACH; i++)
        give(arg, i % 2 ? AUTH_IMAP : AUTH_POP3, "PLAIN", AUTH_OK, 300);
    return NULL;
}

static void none_is_lost_between_threads(void **state)
{
    (void)state;
    struct logon_counters *c = logon_counters_new(&next);
    pthread_t threads[THREADS];
    struct arena arena = ARENA_INIT;
    struct ops_figures f = {0};

    atomic_store(&passed_on, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, give_many, c), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    logon_counters_read(c, &arena, &f);
    assert_int_equal(count_of(&f, "imap", "PLAIN", AUTH_OK), THREADS * EACH / 2);
    assert_int_equal(count_of(&f, "pop3", "PLAIN", AUTH_OK), THREADS * EACH / 2);
    assert_int_equal(f.n_logons, 2);
    assert_int_equal(atomic_load(&passed_on), THREADS * EACH);
    arena_done(&arena);
    logon_counters_free(c);
}

static void latencies_are_counted_where_work_was_done(void **state)
{
    (void)state;
    struct logon_counters *c = logon_counters_new(&next);
    struct arena arena = ARENA_INIT;
    struct ops_figures f = {0};

    give(c, AUTH_OPS, "BASIC", AUTH_OK, 100);
    give(c, AUTH_OPS, "BASIC", AUTH_WRONG_SECRET, 101);
    give(c, AUTH_OPS, "BASIC", AUTH_BUSY, 99000000);
    give(c, AUTH_OPS, "", AUTH_LOST, 0);
    give(c, AUTH_OPS, "", AUTH_TOO_MANY, 0);
    logon_counters_read(c, &arena, &f);
    const struct ops_latency *ops = &f.latencies[auth_protocol_index(AUTH_OPS)];
    assert_string_equal(ops->protocol, "ops");
    assert_int_equal(ops->buckets[0], 1);
    assert_int_equal(ops->buckets[1], 1);
    assert_int_equal(ops->buckets[OPS_LATENCY_BUCKETS - 1], 1);
    assert_int_equal(ops->sum_us, 99000201);
    arena_done(&arena);
    logon_counters_free(c);
}

/* A client may call a mechanism what it likes; that makes no new row, however often it does. */
static void what_clients_make_up_is_other(void **state)
{
    (void)state;
    struct logon_counters *c = logon_counters_new(&next);
    struct arena arena = ARENA_INIT;
    struct ops_figures f = {0};
    char name[32];

    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "MADE-UP-%d", i);
        give(c, AUTH_IMAP, name, i % 2 ? AUTH_BAD_MECHANISM : AUTH_LOST, 1);
    }
    logon_counters_read(c, &arena, &f);
    assert_int_equal(f.n_logons, 2);
    assert_int_equal(count_of(&f, "imap", "other", AUTH_BAD_MECHANISM), 500);
    assert_int_equal(count_of(&f, "imap", "other", AUTH_LOST), 500);
    arena_done(&arena);
    logon_counters_free(c);
}

static void even_of_many_real_ones_none_is_lost(void **state)
{
    (void)state;
    struct logon_counters *c = logon_counters_new(&next);
    struct arena arena = ARENA_INIT;
    struct ops_figures f = {0};
    uint64_t all = 0;
    char name[32];

    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "REAL-%d", i);
        give(c, AUTH_IMAP, name, AUTH_OK, 1);
    }
    logon_counters_read(c, &arena, &f);
    for (size_t i = 0; i < f.n_logons; i++)
        all += f.logons[i].n;
    assert_int_equal(all, 100);
    assert_true(count_of(&f, "imap", "other", AUTH_OK) > 0);
    arena_done(&arena);
    logon_counters_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_is_lost_between_threads),
        cmocka_unit_test(latencies_are_counted_where_work_was_done),
        cmocka_unit_test(what_clients_make_up_is_other),
        cmocka_unit_test(even_of_many_real_ones_none_is_lost),
    };

    return cmocka_run_group_tests_name("logon_counters", tests, NULL, NULL);
}
