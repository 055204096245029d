/* Attempts on the pool: fairness, limits, many threads, and being freed at any moment. */
#include "tests/support/scram_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>

#include "auth/auth_int.h"
#include "base/waiter.h"

static struct auth_place at(uint32_t n)
{
    struct auth_place place = {{4}};

    memcpy(place.bytes + 1, &n, sizeof n);
    return place;
}

/* ---- the pool itself: a job that holds the one thread until it is let go ---- */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool held, go;
    uint32_t order[64];
    unsigned n;
} gate = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

struct numbered {
    struct job job;
    uint32_t number;
};

static void hold(struct job *job)
{
    (void)job;
    pthread_mutex_lock(&gate.mutex);
    gate.held = true;
    pthread_cond_broadcast(&gate.changed);
    while (!gate.go)
        pthread_cond_wait(&gate.changed, &gate.mutex);
    gate.held = gate.go = false;
    pthread_mutex_unlock(&gate.mutex);
}

static void wait_held(void)
{
    pthread_mutex_lock(&gate.mutex);
    while (!gate.held)
        pthread_cond_wait(&gate.changed, &gate.mutex);
    pthread_mutex_unlock(&gate.mutex);
}

static void let_go(void)
{
    pthread_mutex_lock(&gate.mutex);
    gate.go = true;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mutex);
}

static void note(struct job *job)
{
    pthread_mutex_lock(&gate.mutex);
    gate.order[gate.n++] = ((struct numbered *)job)->number;
    pthread_mutex_unlock(&gate.mutex);
}

static void addresses_take_turns_and_each_keeps_its_order(void **state)
{
    struct pool *pool = pool_new(1, 100);
    struct job holder = {.run = hold, .place = at(9)};
    struct numbered jobs[8];
    static const uint32_t places[8] = {1, 1, 1, 1, 2, 2, 3, 1};
    static const uint32_t want[8] = {0, 4, 6, 1, 5, 2, 3, 7};

    (void)state;
    gate.n = 0;
    assert_ok(pool_submit(pool, &holder));
    wait_held();
    for (uint32_t i = 0; i < 8; i++) {
        jobs[i] = (struct numbered){{.run = note, .place = at(places[i])}, i};
        assert_ok(pool_submit(pool, &jobs[i].job));
    }
    let_go();
    pool_free(pool);
    assert_int_equal(gate.n, 8);
    assert_memory_equal(gate.order, want, sizeof want);
}

static void one_address_cannot_take_all_places(void **state)
{
    struct pool *pool = pool_new(1, 8);
    struct job holder = {.run = hold, .place = at(9)};
    struct numbered jobs[40];
    unsigned taken[4] = {0};

    (void)state;
    gate.n = 0;
    assert_ok(pool_submit(pool, &holder));
    wait_held();
    for (uint32_t i = 0; i < 40; i++) {
        jobs[i] = (struct numbered){{.run = note, .place = at(1 + i / 10)}, i};
        if (!failed(pool_submit(pool, &jobs[i].job)))
            taken[i / 10]++;
    }
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(taken[i], 2);
    let_go();
    pool_free(pool);
    assert_int_equal(gate.n, 8);
}

/* ---- attempts ---- */

/* Hold all of a layer's threads, so that what is submitted stays where it is. */
static void occupy(struct fixture *f, struct job *holder)
{
    *holder = (struct job){.run = hold, .place = at(9)};
    assert_ok(pool_submit(f->auth->pool, holder));
    wait_held();
}

static struct fixture *with_one_thread(unsigned max_waiting)
{
    struct fixture *f = auth_fixture_new();

    f->config.threads = 1;
    f->config.max_waiting = max_waiting;
    fixture_start(f);
    return f;
}

static void an_attempt_freed_in_the_queue_is_lost_and_leaves_nothing(void **state)
{
    struct fixture *f = with_one_thread(100);
    struct auth_peer *peer = mem_new(sizeof *peer);
    char *session = mem_str("a session that ends");
    struct job holder;

    (void)state;
    *peer = f->peer;
    peer->session_id = session;
    occupy(f, &holder);
    for (int i = 0; i < 10; i++) {
        struct auth_attempt *a =
            auth_attempt_new(f->auth, peer, test_loop_executor(f->loop), NULL, NULL);

        auth_attempt_password(a, "USER", S("alice"), S("gatepost"));
        auth_attempt_free(a);
    }
    /* the session and its peer go before the attempts do */
    free(session);
    mem_wipe(peer, sizeof *peer);
    free(peer);
    let_go();
    auth_free(f->auth);
    f->auth = NULL;
    assert_int_equal(f->n_records, 10);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(f->records[i].reason, AUTH_LOST);
        assert_non_null(strstr(f->records[i].line, "a session that ends"));
    }
    auth_fixture_free(f);
}

static void an_attempt_freed_while_its_answer_is_on_the_way_has_one_record(void **state)
{
    struct fixture *f = auth_fixture_new();

    (void)state;
    f->config.inline_steps = true; /* then the answer is always on the way */
    fixture_start(f);
    struct auth_attempt *a = fixture_begin(f);
    auth_attempt_password(a, "USER", S("alice"), S("gatepost"));
    assert_int_equal(auth_attempt_state(a), AUTH_WORKING);
    auth_attempt_free(a);
    assert_int_equal(test_loop_pump(f->loop), 1);
    assert_int_equal(f->n_records, 1);
    assert_int_equal(fixture_last(f)->reason, AUTH_OK);
    a = fixture_begin(f);
    auth_attempt_start(a, S("SCRAM-SHA-256"), NULL);
    auth_attempt_free(a);
    assert_int_equal(test_loop_pump(f->loop), 1);
    assert_int_equal(f->n_records, 2);
    assert_int_equal(fixture_last(f)->reason, AUTH_LOST);
    auth_attempt_free(fixture_begin(f));
    assert_int_equal(f->n_records, 3);
    auth_attempt_free(NULL);
    auth_fixture_free(f);
}

static void the_record_is_there_before_the_answer(void **state)
{
    struct fixture *f = *state;
    struct auth_attempt *a = fixture_begin(f);

    auth_attempt_password(a, "USER", S("alice"), S("gatepost"));
    while (auth_attempt_state(a) == AUTH_WORKING) {
        test_loop_wait(f->loop);
        assert_int_equal(f->n_records, 1);
    }
    auth_attempt_free(a);
    assert_int_equal(f->n_records, 1);
}

static void who_finds_the_pool_full_is_told_busy(void **state)
{
    struct fixture *f = with_one_thread(1);
    struct auth_attempt *first, *second;
    struct job holder;

    (void)state;
    occupy(f, &holder);
    first = fixture_begin(f);
    second = fixture_begin(f);
    auth_attempt_password(first, "USER", S("alice"), S("gatepost"));
    auth_attempt_password(second, "USER", S("bob"), S("x"));
    assert_int_equal(auth_attempt_state(second), AUTH_WORKING); /* never from inside */
    assert_int_equal(test_loop_pump(f->loop), 1);
    assert_int_equal(auth_attempt_state(second), AUTH_DONE);
    assert_int_equal(fixture_end(second), AUTH_BUSY);
    let_go();
    test_loop_wait(f->loop);
    assert_int_equal(fixture_end(first), AUTH_OK);
    assert_int_equal(f->n_records, 2);
    auth_fixture_free(f);
}

/* ---- many at once ---- */

enum { THREADS = 8, EACH = 150 };

struct crowd {
    struct fixture *f;
    unsigned number, answers[AUTH_REASON_COUNT], dropped;
};

static void answered(struct auth_attempt *attempt, void *owner)
{
    (void)attempt, (void)owner;
}

static void one_of_many(struct crowd *c, struct waiter *home, struct auth_peer *peer, unsigned i)
{
    static const char *const mechanisms_tried[] = {"PLAIN", "LOGIN", "SCRAM-SHA-256", "NONE"};
    struct auth_attempt *a = auth_attempt_new(c->f->auth, peer, &home->executor, answered, NULL);
    const struct slice junk = S("AGFsaWNlAGdhdGVwb3N0"); /* NUL alice NUL gatepost */

    ((struct sockaddr_in *)&peer->remote)->sin_addr.s_addr = htonl(0x0A000000 + i % 5);
    if (i % 3 == 0)
        auth_attempt_password(a, "USER", i % 2 ? S("alice") : S("nobody"),
                              i % 5 ? S("gatepost") : S("wrong"));
    else
        auth_attempt_start(a, slice_str(mechanisms_tried[i % 4]), i % 7 ? &junk : NULL);
    if (i % 11 == 0) {
        auth_attempt_free(a);
        c->dropped++;
        return;
    }
    while (auth_attempt_state(a) == AUTH_WORKING)
        waiter_run(home, 1);
    if (auth_attempt_state(a) == AUTH_CHALLENGE) {
        auth_attempt_step(a, S("*"));
        while (auth_attempt_state(a) == AUTH_WORKING)
            waiter_run(home, 1);
    }
    c->answers[auth_attempt_verdict(a)->reason]++;
    auth_attempt_free(a);
}

static struct waiter homes[THREADS]; /* outlive the layer */

static void *crowd_thread(void *arg)
{
    struct crowd *c = arg;
    struct auth_peer peer = c->f->peer;

    for (unsigned i = 0; i < EACH; i++)
        one_of_many(c, &homes[c->number], &peer, i + c->number);
    return NULL;
}

static void eight_threads_of_attempts_get_one_record_each(void **state)
{
    struct fixture *f = *state;
    struct crowd crowds[THREADS] = {{0}};
    pthread_t threads[THREADS];
    unsigned answers[AUTH_REASON_COUNT] = {0}, total = 0;

    for (unsigned i = 0; i < THREADS; i++) {
        waiter_init(&homes[i]);
        crowds[i].f = f;
        crowds[i].number = i;
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_thread, &crowds[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    auth_free(f->auth);
    f->auth = NULL;
    for (unsigned i = 0; i < THREADS; i++) {
        total += crowds[i].dropped;
        for (int r = 0; r < AUTH_REASON_COUNT; r++)
            answers[r] += crowds[i].answers[r];
        /* what was freed while its answer was on the way goes now */
        while (homes[i].first)
            waiter_run(&homes[i], 1);
        waiter_done(&homes[i]);
    }
    for (int r = 0; r < AUTH_REASON_COUNT; r++)
        total += answers[r];
    assert_int_equal(total, THREADS * EACH);
    assert_int_equal(f->n_records, THREADS * EACH);
    assert_true(answers[AUTH_OK] > 0 && answers[AUTH_WRONG_SECRET] > 0 &&
                answers[AUTH_UNKNOWN_USER] > 0 && answers[AUTH_CANCELLED] > 0 &&
                answers[AUTH_BAD_MECHANISM] > 0);
}

/* ---- the cache ---- */

static void the_cache_knows_only_what_was_right_for_the_account_as_it_is(void **state)
{
    struct verify_cache *cache = verify_cache_new(16);
    struct auth_account alice = {.identity = S("alice"), .credentials = S("c"), .generation = 1};
    struct auth_account changed = alice;
    struct verified v = {SECRET_NONE, false};

    (void)state;
    assert_false(verify_cache_has(cache, &alice, S("x"), &v));
    verify_cache_add(cache, &alice, S("x"), &(struct verified){2, true});
    assert_true(verify_cache_has(cache, &alice, S("x"), &v));
    assert_true(v.legacy);
    assert_int_equal(v.secret, 2);
    assert_false(verify_cache_has(cache, &alice, S("X"), &v));
    assert_false(verify_cache_has(cache, &alice, S(""), &v));
    changed.generation++;
    assert_false(verify_cache_has(cache, &changed, S("x"), &v));
    changed = alice;
    changed.credentials = S("d");
    assert_false(verify_cache_has(cache, &changed, S("x"), &v));
    changed = alice;
    changed.identity = S("alic");
    changed.credentials = S("ec");
    assert_false(verify_cache_has(cache, &changed, S("x"), &v));
    verify_cache_free(cache);
}

/* Door, user and secret in any order, and a cache of any size: never another's verdict. */
static void a_cached_verdict_is_what_the_uncached_one_would_be(void **state)
{
    struct rng rng = rng_seeded();

    (void)state;
    for (size_t slots = 1; slots <= 64; slots *= 4) {
        struct verify_cache *cache = verify_cache_new(slots);

        for (int round = 0; round < 2000; round++) {
            char name[8], secret[8];
            uint32_t user = rng_below(&rng, 20), word = rng_below(&rng, 20);
            struct auth_account account = {.credentials = S("c")};
            struct verified v = {SECRET_OWN, false};

            snprintf(name, sizeof name, "u%u", user);
            snprintf(secret, sizeof secret, "s%u", word);
            account.identity = slice_str(name);
            if (verify_cache_has(cache, &account, slice_str(secret), &v))
                assert_int_equal(user, word);
            else if (user == word)
                verify_cache_add(cache, &account, slice_str(secret), &v);
        }
        verify_cache_free(cache);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_take_turns_and_each_keeps_its_order),
        cmocka_unit_test(one_address_cannot_take_all_places),
        cmocka_unit_test(an_attempt_freed_in_the_queue_is_lost_and_leaves_nothing),
        cmocka_unit_test(an_attempt_freed_while_its_answer_is_on_the_way_has_one_record),
        T(the_record_is_there_before_the_answer),
        cmocka_unit_test(who_finds_the_pool_full_is_told_busy),
        T(eight_threads_of_attempts_get_one_record_each),
        cmocka_unit_test(the_cache_knows_only_what_was_right_for_the_account_as_it_is),
        cmocka_unit_test(a_cached_verdict_is_what_the_uncached_one_would_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
