/* Who guesses waits; who knows his secret does not. */
#include "tests/support/auth_fixture.h"

#include "auth/auth_int.h"

static struct auth_place at(uint32_t n)
{
    struct auth_place place = {{4}};

    memcpy(place.bytes + 1, &n, sizeof n);
    return place;
}

static const uint64_t minute = 60 * 1000;
static const uint8_t server_secret[32] = {1, 2, 3};

/* `n` different wrong secrets. */
static void guess(struct backoff *b, struct auth_place place, struct slice name, unsigned n,
                  uint64_t now)
{
    static unsigned serial;

    for (unsigned i = 0; i < n; i++) {
        char secret[20];

        snprintf(secret, sizeof secret, "guess %u", serial++);
        backoff_failed(b, place, name, slice_str(secret), now);
    }
}

static void a_few_mistakes_cost_nothing(void **state)
{
    struct backoff *b = backoff_new(1000, server_secret);

    (void)state;
    guess(b, at(1), S("alice"), 4, 0);
    assert_false(backoff_refuses(b, at(1), S("alice"), 0));
    guess(b, at(1), S("alice"), 1, 0);
    assert_true(backoff_refuses(b, at(1), S("alice"), 0));
    assert_false(backoff_refuses(b, at(1), S("alice"), 2000));
    assert_false(backoff_refuses(b, at(2), S("alice"), 0));
    assert_false(backoff_refuses(b, at(1), S("bob"), 0));
    backoff_free(b);
}

static void waiting_doubles_up_to_five_minutes_and_is_forgotten(void **state)
{
    struct backoff *b = backoff_new(1000, server_secret);
    uint64_t now = 1000;

    (void)state;
    for (int i = 0; i < 100; i++)
        guess(b, at(1), S("alice"), 1, now);
    assert_true(backoff_refuses(b, at(1), S("alice"), now + 5 * minute - 1));
    assert_false(backoff_refuses(b, at(1), S("alice"), now + 5 * minute));
    /* after an hour 100 is 1.5: a slip is a slip again */
    now += 70 * minute;
    guess(b, at(1), S("alice"), 1, now);
    assert_false(backoff_refuses(b, at(1), S("alice"), now));
    backoff_free(b);
}

/* A phone that was not told of the new secret: 96 polls a day, and more. */
static void the_same_wrong_secret_counts_once(void **state)
{
    struct backoff *b = backoff_new(1000, server_secret);

    (void)state;
    for (int i = 0; i < 1000; i++)
        backoff_failed(b, at(1), S("alice"), S("the old one"), 0);
    assert_false(backoff_refuses(b, at(1), S("alice"), 0));
    guess(b, at(1), S("alice"), 3, 0);
    assert_false(backoff_refuses(b, at(1), S("alice"), 0));
    /* a proof of SCRAM cannot be compared, so each counts */
    for (int i = 0; i < 5; i++)
        backoff_failed(b, at(2), S("alice"), SLICE_EMPTY, 0);
    assert_true(backoff_refuses(b, at(2), S("alice"), 0));
    backoff_free(b);
}

static void an_address_that_tries_many_names_waits_for_all(void **state)
{
    struct backoff *b = backoff_new(1000, server_secret);

    (void)state;
    for (int i = 0; i < 10; i++) {
        char name[20];

        snprintf(name, sizeof name, "user%d", i);
        backoff_failed(b, at(1), slice_str(name), S("123456"), 0);
    }
    assert_true(backoff_refuses(b, at(1), S("alice"), 0));
    assert_false(backoff_refuses(b, at(2), S("alice"), 0));
    backoff_free(b);
}

/* security.md 23: the penalty as a weapon. */
static void a_name_sprayed_from_a_thousand_addresses_lets_its_owner_in(void **state)
{
    struct backoff *b = backoff_new(10000, server_secret);

    (void)state;
    for (uint32_t i = 1; i <= 1000; i++)
        guess(b, at(i), S("alice"), 1, 0);
    assert_false(backoff_refuses(b, at(5000), S("alice"), 0));
    /* but each attacker has had his one try */
    assert_true(backoff_refuses(b, at(1000), S("alice"), 0));
    assert_false(backoff_refuses(b, at(1000), S("bob"), 0));
    backoff_free(b);
}

static void an_office_behind_one_address_is_not_locked_out_by_a_colleague(void **state)
{
    struct backoff *b = backoff_new(1000, server_secret);

    (void)state;
    backoff_succeeded(b, at(1), S("alice"), 0);
    guess(b, at(1), S("bob"), 50, minute);
    assert_true(backoff_refuses(b, at(1), S("bob"), minute));
    assert_true(backoff_refuses(b, at(1), S("carol"), minute));
    assert_false(backoff_refuses(b, at(1), S("alice"), minute));
    /* her name is not free to guess either */
    guess(b, at(1), S("alice"), 5, minute);
    assert_true(backoff_refuses(b, at(1), S("alice"), minute));
    backoff_free(b);
}

static void a_right_secret_forgives_the_wrong_ones_before_it(void **state)
{
    struct backoff *b = backoff_new(1000, server_secret);

    (void)state;
    guess(b, at(1), S("alice"), 4, 0);
    backoff_succeeded(b, at(1), S("alice"), 0);
    guess(b, at(1), S("alice"), 4, 0);
    assert_false(backoff_refuses(b, at(1), S("alice"), 0));
    backoff_free(b);
}

static void the_tables_stay_within_their_bound(void **state)
{
    struct backoff *b = backoff_new(10, server_secret);

    (void)state;
    backoff_succeeded(b, at(1), S("alice"), 0);
    for (uint32_t i = 100; i < 5000; i++) {
        guess(b, at(i), S("nobody"), 1, 0);
        if (i < 105)
            backoff_succeeded(b, at(i), S("bob"), 0);
    }
    guess(b, at(1), S("bob"), 50, 0);
    /* storms of failures have not pushed out who is known to be good */
    assert_false(backoff_refuses(b, at(1), S("alice"), 0));
    assert_true(backoff_refuses(b, at(1), S("bob"), 0));
    backoff_free(b);
    b = backoff_new(0, server_secret);
    guess(b, at(1), S("bob"), 50, 0);
    assert_true(backoff_refuses(b, at(1), S("bob"), 0));
    backoff_free(b);
}

/* ---- storms, by a clock that is told what time it is ---- */

/*
 * A thousand addresses guess at one account for an hour, as fast as they are let, while its owner
 * logs on every minute from an address that he never used before. He waits not once.
 */
static void a_storm_from_many_addresses_keeps_no_owner_out(void **state)
{
    struct backoff *b = backoff_new(4000, server_secret);
    unsigned guesses = 0;

    (void)state;
    for (uint64_t second = 0; second < 3600; second++) {
        for (uint32_t i = 0; i < 50; i++) {
            struct auth_place from = at((uint32_t)(1000 + (second * 50 + i) % 1000));

            if (backoff_refuses(b, from, S("alice"), second * 1000))
                continue;
            guess(b, from, S("alice"), 1, second * 1000);
            guesses++;
        }
        if (second % 60 == 0) {
            struct auth_place owner = at((uint32_t)(100000 + second));

            assert_false(backoff_refuses(b, owner, S("alice"), second * 1000));
            backoff_succeeded(b, owner, S("alice"), second * 1000);
            assert_false(backoff_refuses(b, owner, S("alice"), second * 1000 + 1));
        }
    }
    /* each address had one guess in two minutes, of the 180 an hour that it tried */
    assert_in_range(guesses, 1000, 1000 * 31);
    backoff_free(b);
}

/* Names or secrets new each time, or one secret for all names: from one address, it is one storm.
 */
static void a_storm_on_many_accounts_from_one_address_is_under_one_guess_a_second(void **state)
{
    (void)state;
    for (int same_secret = 0; same_secret < 2; same_secret++) {
        struct backoff *b = backoff_new(2000, server_secret);
        unsigned guesses = 0;

        for (uint64_t ms = 0; ms < 60 * minute; ms += 100) {
            char name[32], secret[32];

            snprintf(name, sizeof name, "user%llu", (unsigned long long)ms);
            snprintf(secret, sizeof secret, "%llu", same_secret ? 0 : (unsigned long long)ms);
            if (backoff_refuses(b, at(7), slice_str(name), ms))
                continue;
            backoff_failed(b, at(7), slice_str(name), slice_str(secret), ms);
            guesses++;
            /* never more than the first ten and one for each second since */
            assert_in_range(guesses, 1, 10 + ms / 1000 + 1);
        }
        assert_in_range(guesses, 10, 100); /* of 36,000, in an hour */
        backoff_free(b);
    }
}

/* ---- a restart ---- */

static struct clock at_time(uint64_t mono_ms, uint64_t since_ms)
{
    return (struct clock){.wall = 133000000000000000ull + since_ms * (FILETIME_SECOND / 1000),
                          .mono_ms = mono_ms};
}

/* What one process wrote another takes over, whose clock began anew `down_ms` later. */
static struct backoff *restart(struct backoff *old, uint64_t now_ms, uint64_t down_ms,
                               uint64_t new_ms)
{
    struct buf saved = buf_make(1 << 20);
    struct backoff *b = backoff_new(1000, server_secret);

    backoff_save(old, at_time(now_ms, 0), &saved);
    assert_false(saved.failed);
    assert_ok(backoff_load(b, at_time(new_ms, down_ms), buf_slice(&saved)));
    buf_done(&saved);
    backoff_free(old);
    return b;
}

static void collect(void *ctx, const struct auth_throttled *one)
{
    buf_printf(ctx, "%.*s/%.*s:%llu:%llu ", SLICE_ARG(one->address), SLICE_ARG(one->name),
               (unsigned long long)one->failures, (unsigned long long)one->wait_ms);
}

static void a_restart_forgives_nobody(void **state)
{
    struct backoff *b = backoff_new(1000, server_secret);
    struct buf shown = buf_make(4096);

    (void)state;
    guess(b, at(1), S("alice"), 8, 500 * minute); /* 2, 4, 8, 16 s */
    guess(b, at(2), S("bob"), 3, 500 * minute);
    backoff_succeeded(b, at(1), S("carol"), 500 * minute);
    b = restart(b, 500 * minute, 5000, 0);
    backoff_each(b, 0, collect, &shown);
    assert_true(slice_find(buf_slice(&shown), S("/alice:8:11000 ")) < shown.len);
    assert_true(backoff_refuses(b, at(1), S("alice"), 10999));
    assert_false(backoff_refuses(b, at(1), S("alice"), 11000));
    /* what did not suffice for a wait counts on */
    assert_false(backoff_refuses(b, at(2), S("bob"), 0));
    guess(b, at(2), S("bob"), 3, 0);
    assert_true(backoff_refuses(b, at(2), S("bob"), 0));
    /* and who is known to be good does not wait for his neighbours */
    guess(b, at(1), S("dave"), 20, 0);
    assert_true(backoff_refuses(b, at(1), S("erin"), 0));
    assert_false(backoff_refuses(b, at(1), S("carol"), 0));
    /* it can be lifted by name as before */
    b = restart(b, 0, 0, 0);
    assert_int_equal(backoff_lift(b, NULL, &S("alice"), 0), 1);
    assert_false(backoff_refuses(b, at(99), S("alice"), 0));
    backoff_free(b);
    buf_done(&shown);
}

static void time_that_the_process_was_away_counts_as_waited(void **state)
{
    struct backoff *b = backoff_new(1000, server_secret);

    (void)state;
    guess(b, at(1), S("alice"), 100, 0);
    backoff_succeeded(b, at(2), S("carol"), 0);
    b = restart(b, 0, 70 * minute, 0);
    assert_false(backoff_refuses(b, at(1), S("alice"), 0));
    guess(b, at(1), S("alice"), 1, 0);
    assert_false(backoff_refuses(b, at(1), S("alice"), 0));
    /* thirty days later nobody is known to be good any more */
    b = restart(b, 0, 31ull * 24 * 60 * minute, 0);
    guess(b, at(2), S("dave"), 20, 0);
    assert_true(backoff_refuses(b, at(2), S("carol"), 0));
    backoff_free(b);
}

static void damaged_penalties_are_refused_and_harm_nothing(void **state)
{
    struct backoff *b = backoff_new(1000, server_secret);
    struct buf saved = buf_make(1 << 20);

    (void)state;
    guess(b, at(1), S("alice"), 8, 0);
    backoff_save(b, at_time(0, 0), &saved);
    backoff_free(b);
    b = backoff_new(1000, server_secret);
    for (size_t i = 0; i < saved.len; i++) {
        ((uint8_t *)(uintptr_t)buf_slice(&saved).ptr)[i] ^= 0x40;
        assert_code(backoff_load(b, at_time(0, 0), buf_slice(&saved)), ERR_INVALID);
        ((uint8_t *)(uintptr_t)buf_slice(&saved).ptr)[i] ^= 0x40;
        assert_code(backoff_load(b, at_time(0, 0), slice_head(buf_slice(&saved), i)), ERR_INVALID);
    }
    assert_false(backoff_refuses(b, at(1), S("alice"), 0));
    assert_ok(backoff_load(b, at_time(0, 0), buf_slice(&saved)));
    assert_true(backoff_refuses(b, at(1), S("alice"), 0));
    backoff_free(b);
    buf_done(&saved);
}

static void nothing_of_a_secret_is_written_down(void **state)
{
    struct backoff *b = backoff_new(1000, server_secret);
    struct buf one = buf_make(1 << 20), other = buf_make(1 << 20);

    (void)state;
    backoff_failed(b, at(1), S("alice"), S("s3cret"), 0);
    backoff_save(b, at_time(0, 0), &one);
    backoff_free(b);
    b = backoff_new(1000, server_secret);
    backoff_failed(b, at(1), S("alice"), S("another"), 0);
    backoff_save(b, at_time(0, 0), &other);
    /* the same, whatever the secret was */
    assert_true(slice_eq(buf_slice(&one), buf_slice(&other)));
    backoff_free(b);
    buf_done(&one);
    buf_done(&other);
}

static struct fixture *current;

static struct clock fixture_now(void)
{
    return current->clock;
}

/* A layer with back-off, and a clock that stands. */
static struct fixture *with_backoff(void)
{
    struct fixture *f = current = auth_fixture_new();

    f->config.no_back_off = false;
    f->config.now = fixture_now;
    f->clock.wall = filetime_from_unix(1795000000);
    fixture_start(f);
    return f;
}

static void attempts_are_refused_by_the_same_rules_at_every_door(void **state)
{
    struct fixture *f = with_backoff();

    (void)state;
    for (int i = 0; i < 5; i++) {
        char secret[20];

        snprintf(secret, sizeof secret, "wrong %d", i);
        assert_int_equal(fixture_password(f, S("Alice@example.org"), slice_str(secret)),
                         AUTH_WRONG_SECRET);
    }
    assert_int_equal(fixture_password(f, S("alice"), S("gatepost")), AUTH_BACK_OFF);
    assert_string_equal(fixture_last(f)->identity, "alice");
    assert_int_equal(fixture_exchange(f, "PLAIN", b64(S("\0EXAMPLE\\alice\0gatepost")), NULL),
                     AUTH_BACK_OFF);
    assert_int_equal(fixture_exchange(f, "LOGIN", b64(S("alice")), NULL), AUTH_BACK_OFF);
    assert_int_equal(fixture_exchange(f, "SCRAM-SHA-256", b64(S("n,,n=alice,r=abc")), NULL),
                     AUTH_BACK_OFF);
    f->peer.exempt = true;
    assert_int_equal(fixture_password(f, S("alice"), S("gatepost")), AUTH_OK);
    f->peer.exempt = false;
    assert_int_equal(fixture_password(f, S("alice"), S("gatepost")), AUTH_BACK_OFF);
    f->clock.mono_ms += minute;
    assert_int_equal(fixture_password(f, S("alice"), S("gatepost")), AUTH_OK);
    assert_int_equal(f->n_records, 12);
    auth_fixture_free(f);
}

static void unknown_names_wait_like_known_ones(void **state)
{
    struct fixture *f = with_backoff();

    (void)state;
    for (int i = 0; i < 6; i++) {
        char secret[20];

        snprintf(secret, sizeof secret, "wrong %d", i);
        assert_int_equal(fixture_password(f, S("nobody"), slice_str(secret)),
                         i < 5 ? AUTH_UNKNOWN_USER : AUTH_BACK_OFF);
    }
    assert_int_equal(fixture_password(f, S("Nobody@example.org"), S("x")), AUTH_BACK_OFF);
    auth_fixture_free(f);
}

static void what_was_no_guess_does_not_count(void **state)
{
    struct fixture *f = with_backoff();

    (void)state;
    for (int i = 0; i < 20; i++) {
        fixture_exchange(f, "PLAIN", "!!!", NULL);
        fixture_exchange(f, "PLAIN", NULL, (const char *[]){"*", NULL});
        fixture_exchange(f, "SCRAM-SHA-256", b64(S("n,,n=alice,r=abc")), NULL);
        fixture_password(f, S("dora"), S("gatepost"));
        fixture_password(f, S("down"), S("gatepost"));
    }
    assert_int_equal(fixture_password(f, S("alice"), S("gatepost")), AUTH_OK);
    auth_fixture_free(f);
}

/* ---- seen and lifted ---- */

static void put_throttled(void *ctx, const struct auth_throttled *one)
{
    buf_printf(ctx, "%.*s %.*s %llu %llu\n", SLICE_ARG(one->address), SLICE_ARG(one->name),
               (unsigned long long)one->failures, (unsigned long long)one->wait_ms);
}

static void assert_throttled(struct backoff *b, uint64_t now, const char *want)
{
    struct buf text = buf_make(1 << 20);

    backoff_each(b, now, put_throttled, &text);
    assert_slice(buf_slice(&text), want);
    buf_done(&text);
}

static struct auth_place v4(uint8_t last)
{
    return (struct auth_place){{4, 192, 0, 2, last}};
}

static void who_waits_is_told_and_for_how_long(void **state)
{
    struct backoff *b = backoff_new(1000, server_secret);
    const struct auth_place site = {{6, 0x20, 1, 0xd, 0xb8, 0, 1, 0, 2}};

    (void)state;
    guess(b, v4(1), S("alice"), 4, 0);
    assert_throttled(b, 0, "");
    guess(b, v4(1), S("alice"), 1, 0);
    assert_throttled(b, 0, "192.0.2.1 alice 5 2000\n");
    assert_throttled(b, 1500, "192.0.2.1 alice 5 500\n");
    assert_throttled(b, 2000, "");
    for (unsigned i = 0; i < 10; i++) {
        char name[10];

        snprintf(name, sizeof name, "n%u", i);
        guess(b, site, slice_str(name), 1, 2000);
    }
    assert_throttled(b, 2000, "2001:db8:1:2::/64  10 2000\n");
    backoff_free(b);
}

static void a_name_under_attack_is_told_though_nobody_waits_for_it(void **state)
{
    struct backoff *b = backoff_new(1000, server_secret);

    (void)state;
    for (uint8_t i = 0; i < 22; i++)
        guess(b, v4(i), S("alice"), 1, 0);
    assert_throttled(b, 3000, " alice 22 0\n");
    assert_throttled(b, 60 * minute, "");
    backoff_free(b);
}

/* alice from 1 and 2, bob from 2, address 2. */
static struct backoff *some_wait(void)
{
    struct backoff *b = backoff_new(1000, server_secret);

    guess(b, v4(1), S("alice"), 5, 0);
    guess(b, v4(2), S("alice"), 5, 0);
    guess(b, v4(2), S("bob"), 5, 0);
    return b;
}

static void what_is_lifted_is_lifted_and_nothing_else(void **state)
{
    const struct auth_place one = v4(1), two = v4(2), three = v4(3);
    const struct slice alice = S("alice"), nobody = S("nobody");
    struct backoff *b = some_wait();

    (void)state;
    assert_int_equal(backoff_lift(b, &three, NULL, 0), 0);
    assert_int_equal(backoff_lift(b, NULL, &nobody, 0), 0);
    assert_int_equal(backoff_lift(b, &two, NULL, 0), 3);
    assert_throttled(b, 0, "192.0.2.1 alice 5 2000\n");
    assert_false(backoff_refuses(b, two, S("alice"), 0));
    assert_false(backoff_refuses(b, two, S("carol"), 0));
    assert_true(backoff_refuses(b, one, S("alice"), 0));
    backoff_free(b);

    b = some_wait();
    assert_int_equal(backoff_lift(b, NULL, &alice, 0), 2);
    assert_throttled(b, 0, "192.0.2.2  10 2000\n192.0.2.2 bob 5 2000\n");
    assert_false(backoff_refuses(b, one, alice, 0));
    assert_int_equal(backoff_lift(b, &two, &alice, 0), 0);
    assert_int_equal(backoff_lift(b, NULL, NULL, 0), 2);
    assert_throttled(b, 0, "");
    assert_false(backoff_refuses(b, two, S("bob"), 0));
    guess(b, two, S("bob"), 4, 0); /* the count is gone too */
    assert_false(backoff_refuses(b, two, S("bob"), 0));
    backoff_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_mistakes_cost_nothing),
        cmocka_unit_test(waiting_doubles_up_to_five_minutes_and_is_forgotten),
        cmocka_unit_test(the_same_wrong_secret_counts_once),
        cmocka_unit_test(an_address_that_tries_many_names_waits_for_all),
        cmocka_unit_test(a_name_sprayed_from_a_thousand_addresses_lets_its_owner_in),
        cmocka_unit_test(an_office_behind_one_address_is_not_locked_out_by_a_colleague),
        cmocka_unit_test(a_right_secret_forgives_the_wrong_ones_before_it),
        cmocka_unit_test(the_tables_stay_within_their_bound),
        cmocka_unit_test(a_storm_from_many_addresses_keeps_no_owner_out),
        cmocka_unit_test(a_storm_on_many_accounts_from_one_address_is_under_one_guess_a_second),
        cmocka_unit_test(a_restart_forgives_nobody),
        cmocka_unit_test(time_that_the_process_was_away_counts_as_waited),
        cmocka_unit_test(damaged_penalties_are_refused_and_harm_nothing),
        cmocka_unit_test(nothing_of_a_secret_is_written_down),
        cmocka_unit_test(attempts_are_refused_by_the_same_rules_at_every_door),
        cmocka_unit_test(unknown_names_wait_like_known_ones),
        cmocka_unit_test(what_was_no_guess_does_not_count),
        cmocka_unit_test(who_waits_is_told_and_for_how_long),
        cmocka_unit_test(a_name_under_attack_is_told_though_nobody_waits_for_it),
        cmocka_unit_test(what_is_lifted_is_lifted_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
