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
    struct backoff *b = backoff_new(1000);

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
    struct backoff *b = backoff_new(1000);
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
    struct backoff *b = backoff_new(1000);

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
    struct backoff *b = backoff_new(1000);

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
    struct backoff *b = backoff_new(10000);

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
    struct backoff *b = backoff_new(1000);

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
    struct backoff *b = backoff_new(1000);

    (void)state;
    guess(b, at(1), S("alice"), 4, 0);
    backoff_succeeded(b, at(1), S("alice"), 0);
    guess(b, at(1), S("alice"), 4, 0);
    assert_false(backoff_refuses(b, at(1), S("alice"), 0));
    backoff_free(b);
}

static void the_tables_stay_within_their_bound(void **state)
{
    struct backoff *b = backoff_new(10);

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
    b = backoff_new(0);
    guess(b, at(1), S("bob"), 50, 0);
    assert_true(backoff_refuses(b, at(1), S("bob"), 0));
    backoff_free(b);
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
    struct backoff *b = backoff_new(1000);
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
    struct backoff *b = backoff_new(1000);

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
    struct backoff *b = backoff_new(1000);

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
        cmocka_unit_test(attempts_are_refused_by_the_same_rules_at_every_door),
        cmocka_unit_test(unknown_names_wait_like_known_ones),
        cmocka_unit_test(what_was_no_guess_does_not_count),
        cmocka_unit_test(who_waits_is_told_and_for_how_long),
        cmocka_unit_test(a_name_under_attack_is_told_though_nobody_waits_for_it),
        cmocka_unit_test(what_is_lifted_is_lifted_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
