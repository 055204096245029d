/* Accounts and audit records in the system partition. */
#include "tests/support/engine.h"

#include "base/clock.h"
#include "store/account.h"
#include "store/audit.h"

struct world {
    struct bench bench;
    struct accounts *accounts;
    struct audit *audit;
    struct arena arena;
};

static int setup(void **state)
{
    struct world *w = mem_new(sizeof *w);

    bench_init(&w->bench);
    assert_ok(accounts_open(w->bench.engine, &w->accounts));
    assert_ok(audit_open(w->bench.engine, &w->audit));
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    accounts_close(w->accounts);
    audit_close(w->audit);
    arena_done(&w->arena);
    bench_done(&w->bench);
    free(w);
    return 0;
}

static struct account make(const char *name, struct slice *aliases, size_t n)
{
    return (struct account){
        .name = slice_str(name),
        .display_name = S("Ali\xC3\xA7"
                          "e"),
        .nt_domain = S("CORP"),
        .aliases = aliases,
        .n_aliases = n,
        .credentials = S("SCRAM-SHA-256$4096:c2FsdA==$a:b\n"),
        .mailbox_id = 1234567890123456789u,
        .protocols = ACCOUNT_ALL,
        .admin = true,
        .expires = 134000000000000000u,
        .quota = 1u << 30,
    };
}

static void an_account_comes_back_as_it_was_added(void **state)
{
    struct world *w = *state;
    struct slice aliases[] = {S("al"), S("alice@example.org")};
    struct account account = make("alice", aliases, 2), got;

    assert_ok(accounts_add(w->accounts, &account));
    assert_ok(accounts_lookup(w->accounts, S("alice"), &w->arena, &got));
    assert_slice(got.name, "alice");
    assert_true(slice_eq(got.display_name, account.display_name));
    assert_slice(got.nt_domain, "CORP");
    assert_true(slice_eq(got.credentials, account.credentials));
    assert_int_equal(got.n_aliases, 2);
    assert_slice(got.aliases[1], "alice@example.org");
    assert_true(got.mailbox_id == account.mailbox_id);
    assert_int_equal(got.protocols, ACCOUNT_ALL);
    assert_true(got.admin);
    assert_false(got.locked);
    assert_true(got.expires == account.expires);
    assert_int_equal(got.generation, 1);
    assert_ok(accounts_lookup(w->accounts, S("al"), &w->arena, &got));
    assert_slice(got.name, "alice");
    assert_code(accounts_lookup(w->accounts, S("ali"), &w->arena, &got), ERR_NOT_FOUND);
    assert_code(accounts_lookup(w->accounts, S(""), &w->arena, &got), ERR_NOT_FOUND);
}

static void a_name_belongs_to_one_account_only(void **state)
{
    struct world *w = *state;
    struct slice al = S("al"), alice = S("alice"), carol = S("carol");
    struct account first = make("alice", &al, 1), second = make("bob", &al, 1),
                   third = make("bob", &alice, 1), fourth = make("al", NULL, 0),
                   fifth = make("bob", &carol, 1), got;

    assert_ok(accounts_add(w->accounts, &first));
    assert_code(accounts_add(w->accounts, &first), ERR_EXISTS);
    assert_code(accounts_add(w->accounts, &second), ERR_EXISTS);
    assert_code(accounts_add(w->accounts, &third), ERR_EXISTS);
    assert_code(accounts_add(w->accounts, &fourth), ERR_EXISTS);
    assert_code(accounts_lookup(w->accounts, S("bob"), &w->arena, &got), ERR_NOT_FOUND);
    assert_ok(accounts_add(w->accounts, &fifth));
    assert_code(accounts_lookup(w->accounts, S("al"), &w->arena, &got), ERR_NONE);
    assert_slice(got.name, "alice");
}

static void an_update_replaces_aliases_and_is_refused_when_it_is_late(void **state)
{
    struct world *w = *state;
    struct slice old = S("old"), new = S("new");
    struct account account = make("alice", &old, 1), got;

    assert_ok(accounts_add(w->accounts, &account));
    assert_ok(accounts_lookup(w->accounts, S("alice"), &w->arena, &got));
    got.aliases = &new;
    got.locked = true;
    assert_ok(accounts_update(w->accounts, &got));
    assert_code(accounts_update(w->accounts, &got), ERR_CONFLICT);
    assert_code(accounts_lookup(w->accounts, S("old"), &w->arena, &got), ERR_NOT_FOUND);
    assert_ok(accounts_lookup(w->accounts, S("new"), &w->arena, &got));
    assert_true(got.locked);
    assert_int_equal(got.generation, 2);
    assert_true(got.changed > 0);
}

static void a_deleted_account_leaves_no_name_behind(void **state)
{
    struct world *w = *state;
    struct slice al = S("al");
    struct account account = make("alice", &al, 1), got;

    assert_code(accounts_delete(w->accounts, S("alice")), ERR_NOT_FOUND);
    assert_ok(accounts_add(w->accounts, &account));
    assert_ok(accounts_delete(w->accounts, S("alice")));
    assert_code(accounts_lookup(w->accounts, S("al"), &w->arena, &got), ERR_NOT_FOUND);
    assert_ok(accounts_add(w->accounts, &account));
}

static void bad_names_are_refused(void **state)
{
    struct world *w = *state;
    char longest[257];
    struct slice bad_alias = S("a\0b");
    struct account account = make("alice", &bad_alias, 1);

    memset(longest, 'x', sizeof longest);
    assert_code(accounts_add(w->accounts, &account), ERR_INVALID);
    account = make("", NULL, 0);
    assert_code(accounts_add(w->accounts, &account), ERR_INVALID);
    account = make("\xFF", NULL, 0);
    assert_code(accounts_add(w->accounts, &account), ERR_INVALID);
    account.name = slice_of(longest, 256);
    assert_code(accounts_add(w->accounts, &account), ERR_INVALID);
    account.name = slice_of(longest, 255);
    assert_ok(accounts_add(w->accounts, &account));
    assert_code(accounts_lookup(w->accounts, slice_of(longest, 256), &w->arena, &account),
                ERR_NOT_FOUND);
}

static void accounts_are_listed_in_order_without_aliases(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {"carol", "alice", "bob"};
    struct slice after = SLICE_EMPTY;
    struct account got;
    unsigned n = 0;

    for (size_t i = 0; i < 3; i++) {
        char alias[16];
        snprintf(alias, sizeof alias, "alias-%zu", i);
        struct slice as = slice_str(alias);
        struct account account = make(names[i], &as, 1);

        assert_ok(accounts_add(w->accounts, &account));
    }
    static const char *const sorted[] = {"alice", "bob", "carol"};
    while (!failed(accounts_next(w->accounts, after, &w->arena, &got))) {
        assert_slice(got.name, sorted[n++]);
        after = got.name;
    }
    assert_int_equal(n, 3);
}

static void a_key_is_made_once_and_kept(void **state)
{
    struct world *w = *state;
    uint8_t first[32], again[32], other[32];

    assert_ok(accounts_key(w->accounts, "fake-salt", first));
    assert_ok(accounts_key(w->accounts, "fake-salt", again));
    assert_ok(accounts_key(w->accounts, "another", other));
    assert_memory_equal(first, again, 32);
    assert_memory_not_equal(first, other, 32);
}

/* ---- the circle ---- */

enum { ON_CIRCLE = 8, POINTS = 512 };

/* Whose place is behind each of POINTS points, evenly spread. */
static void look_around(struct world *w, char names[POINTS][8])
{
    for (unsigned i = 0; i < POINTS; i++) {
        const uint8_t point[8] = {(uint8_t)(i >> 1), (uint8_t)(i << 7)};
        struct account got;

        assert_ok(accounts_near(w->accounts, point, &w->arena, &got));
        snprintf(names[i], sizeof names[i], "%.*s", SLICE_ARG(got.name));
    }
}

static void every_account_is_near_some_point_and_stays_there(void **state)
{
    struct world *w = *state;
    static char before[POINTS][8], after[POINTS][8];
    static const uint8_t somewhere[8] = {0x80};
    unsigned found = 0, moved = 0, gone = 0;
    struct account got;

    assert_code(accounts_near(w->accounts, somewhere, &w->arena, &got), ERR_NOT_FOUND);
    for (unsigned i = 0; i < ON_CIRCLE; i++) {
        char name[8];
        snprintf(name, sizeof name, "user%u", i);
        struct account account = make(name, NULL, 0);
        assert_ok(accounts_add(w->accounts, &account));
    }
    look_around(w, before);
    for (unsigned i = 0; i < POINTS; i++)
        found |= 1u << (before[i][4] - '0');
    assert_int_equal(found, (1u << ON_CIRCLE) - 1);

    assert_ok(accounts_lookup(w->accounts, S("user3"), &w->arena, &got));
    got.locked = true;
    assert_ok(accounts_update(w->accounts, &got));
    look_around(w, after);
    assert_memory_equal(before, after, sizeof before);

    assert_ok(accounts_delete(w->accounts, S("user3")));
    look_around(w, after);
    for (unsigned i = 0; i < POINTS; i++) {
        gone += strcmp(before[i], "user3") == 0;
        moved += strcmp(before[i], after[i]) != 0;
    }
    assert_int_equal(moved, gone);
}

/* ---- audit ---- */

struct lines {
    char text[4096];
    unsigned n, most;
};

static bool collect(void *ctx, struct audit_place at, struct slice line)
{
    struct lines *lines = ctx;
    size_t used = strlen(lines->text);

    snprintf(lines->text + used, sizeof lines->text - used, "%llu:%.*s ",
             (unsigned long long)at.time, SLICE_ARG(line));
    return ++lines->n < lines->most;
}

static void assert_query(struct world *w, uint64_t since, uint64_t until, const char *user,
                         const char *want)
{
    struct lines lines = {.most = 1000};

    assert_ok(audit_query(w->audit, since, until, slice_str(user), collect, &lines));
    assert_string_equal(lines.text, want);
}

static void append_some(struct world *w)
{
    const struct audit_entry entries[] = {
        {.time = 10, .user = S("bob"), .line = S("a")},
        {.time = 20, .user = S("alice"), .line = S("b")},
        {.time = 20, .user = S("alice"), .line = S("c")},
        {.time = 20, .user = S("al"), .line = S("d")},
        {.time = 30, .user = S(""), .line = S("e")},
    };

    assert_ok(audit_append(w->audit, entries, 5));
}

static void records_are_found_by_time_and_by_user(void **state)
{
    struct world *w = *state;

    append_some(w);
    assert_query(w, 0, UINT64_MAX, "", "10:a 20:b 20:c 20:d 30:e ");
    assert_query(w, 11, 30, "", "20:b 20:c 20:d ");
    assert_query(w, 0, UINT64_MAX, "alice", "20:b 20:c ");
    assert_query(w, 0, UINT64_MAX, "al", "20:d ");
    assert_query(w, 0, UINT64_MAX, "ali", "");
    assert_query(w, 21, UINT64_MAX, "alice", "");
    struct lines lines = {.most = 2};
    assert_ok(audit_query(w->audit, 0, UINT64_MAX, SLICE_EMPTY, collect, &lines));
    assert_int_equal(lines.n, 2);
}

static void the_newest_record_tells_where_to_go_on(void **state)
{
    struct world *w = *state;
    uint64_t time = 7;

    assert_ok(audit_newest(w->audit, &time));
    assert_int_equal(time, 0);
    append_some(w);
    assert_ok(audit_newest(w->audit, &time));
    assert_int_equal(time, 30);
}

static void old_records_are_trimmed_from_both_indexes(void **state)
{
    struct world *w = *state;
    unsigned removed;

    append_some(w);
    assert_ok(audit_trim(w->audit, 30, 2, &removed));
    assert_int_equal(removed, 2);
    assert_query(w, 0, UINT64_MAX, "", "20:c 20:d 30:e ");
    assert_query(w, 0, UINT64_MAX, "alice", "20:c ");
    assert_query(w, 0, UINT64_MAX, "bob", "");
    assert_ok(audit_trim(w->audit, 30, 100, &removed));
    assert_int_equal(removed, 2);
    assert_query(w, 0, UINT64_MAX, "", "30:e ");
}

/* ---- last log-ons ---- */

static void put_last(void *ctx, const struct audit_entry *entry)
{
    buf_printf(ctx, "%.*s %llu:%.*s ", SLICE_ARG(entry->door), (unsigned long long)entry->time,
               SLICE_ARG(entry->line));
}

static void assert_last(struct world *w, const char *user, const char *want)
{
    struct buf text = buf_make(4096);

    assert_ok(audit_last(w->audit, slice_str(user), put_last, &text));
    assert_slice(buf_slice(&text), want);
    buf_done(&text);
}

static void the_last_log_on_by_each_door_outlives_its_record(void **state)
{
    struct world *w = *state;
    const struct audit_entry entries[] = {
        {.time = 10, .user = S("bob"), .door = S("imap"), .kind = S("i"), .line = S("a")},
        {.time = 30, .user = S("bob"), .door = S("imap"), .kind = S("i"), .line = S("b")},
        {.time = 20, .user = S("bob"), .door = S("imap"), .kind = S("i"), .line = S("c")},
        {.time = 20, .user = S("bob"), .door = S("pop3"), .kind = S("p"), .line = S("d")},
        {.time = 40, .user = S("bob"), .kind = S("f"), .line = S("e")},
        {.time = 20, .user = S("bo"), .door = S("imap"), .kind = S("i"), .line = S("f")},
        {.time = 20, .user = S(""), .door = S("imap"), .kind = S("i"), .line = S("g")},
    };
    const struct audit_entry late = {
        .time = 25, .user = S("bob"), .door = S("imap"), .kind = S("other"), .line = S("h")};
    unsigned removed;

    assert_last(w, "bob", "");
    assert_ok(audit_append(w->audit, entries, sizeof entries / sizeof *entries));
    assert_last(w, "bob", "imap 30:b pop3 20:d ");
    assert_ok(audit_append(w->audit, &late, 1));
    assert_ok(audit_trim(w->audit, 100, 100, &removed));
    assert_query(w, 0, UINT64_MAX, "", "");
    assert_last(w, "bob", "imap 30:b pop3 20:d ");
    assert_last(w, "bo", "imap 20:f ");
    assert_last(w, "", "");
}

static void the_last_log_on_goes_with_the_account(void **state)
{
    struct world *w = *state;
    const struct account bob = {.name = S("bob"), .mailbox_id = 1};
    const struct audit_entry entries[] = {
        {.time = 10, .user = S("bob"), .door = S("imap"), .kind = S("i"), .line = S("a")},
        {.time = 10, .user = S("bob"), .door = S("pop3"), .kind = S("p"), .line = S("b")},
        {.time = 10, .user = S("bob2"), .door = S("imap"), .kind = S("i"), .line = S("c")},
    };

    assert_ok(accounts_add(w->accounts, &bob));
    assert_ok(audit_append(w->audit, entries, 3));
    assert_ok(accounts_delete(w->accounts, S("bob")));
    assert_last(w, "bob", "");
    assert_last(w, "bob2", "imap 10:c ");
}

static bool count(void *ctx, struct audit_place at, struct slice line)
{
    (void)at, (void)line;
    ++*(unsigned *)ctx;
    return true;
}

static void a_long_query_renews_its_snapshot_and_misses_nothing(void **state)
{
    struct world *w = *state;
    enum { MANY = 10000 };
    struct audit_entry *entries = mem_array(MANY, sizeof *entries);
    unsigned n = 0;

    for (uint64_t i = 0; i < MANY; i++)
        entries[i] = (struct audit_entry){.time = 5 + i / 3, .user = S("bob"), .line = S("x")};
    for (size_t i = 0; i < MANY; i += 1000)
        assert_ok(audit_append(w->audit, entries + i, 1000));
    free(entries);
    assert_ok(audit_query(w->audit, 0, UINT64_MAX, SLICE_EMPTY, count, &n));
    assert_int_equal(n, MANY);
    n = 0;
    assert_ok(audit_query(w->audit, 0, UINT64_MAX, S("bob"), count, &n));
    assert_int_equal(n, MANY);
}

/* ---- counts ---- */

enum { USERS = 4, KINDS = 3, RECORDS = 3000, HOURS = 5 };

static const char *const user_names[USERS] = {"", "al", "alice", "bob"};
static const char *const kind_names[KINDS] = {"imap PLAIN ok", "pop3 USER ok", "pop3 USER wrong"};

struct tally {
    uint64_t count[USERS][KINDS], last[USERS][KINDS];
    uint64_t latencies[KINDS][AUDIT_LATENCY_STEPS];
};

static unsigned index_of(const char *const *names, unsigned n, struct slice name)
{
    for (unsigned i = 0; i < n; i++)
        if (slice_eq(name, slice_str(names[i])))
            return i;
    fail_msg("no such name: %.*s", SLICE_ARG(name));
    return 0;
}

static void add_count(void *ctx, const struct audit_count *c)
{
    struct tally *t = ctx;
    unsigned u = index_of(user_names, USERS, c->user), k = index_of(kind_names, KINDS, c->kind);

    t->count[u][k] += c->count;
    if (c->last > t->last[u][k])
        t->last[u][k] = c->last;
}

static void add_latencies(void *ctx, struct slice kind, const uint32_t counts[AUDIT_LATENCY_STEPS])
{
    struct tally *t = ctx;

    for (unsigned i = 0; i < AUDIT_LATENCY_STEPS; i++)
        t->latencies[index_of(kind_names, KINDS, kind)][i] += counts[i];
}

/* What counting gives must be what looking at every record would. */
static void assert_tally(struct world *w, const struct audit_entry *entries, uint64_t since,
                         uint64_t until)
{
    struct tally got = {0}, want = {0};

    for (size_t i = 0; i < RECORDS; i++) {
        uint32_t one[AUDIT_LATENCY_STEPS] = {0};

        if (entries[i].time < since || entries[i].time >= until)
            continue;
        add_count(&want,
                  &(struct audit_count){entries[i].user, entries[i].kind, 1, entries[i].time});
        one[audit_latency_step(entries[i].latency_us)] = 1;
        add_latencies(&want, entries[i].kind, one);
    }
    assert_ok(audit_counts(w->audit, since, until, add_count, &got));
    assert_ok(audit_latencies(w->audit, since, until, add_latencies, &got));
    /* The hours at the edges are told as a whole where they lie inside, so `last` is exact too. */
    assert_memory_equal(&got, &want, sizeof got);
}

static void counts_are_those_of_the_records_for_any_time(void **state)
{
    struct world *w = *state;
    struct audit_entry *entries = mem_array(RECORDS, sizeof *entries);
    const uint64_t start = 1000 * 3600 * FILETIME_SECOND, hour = 3600 * FILETIME_SECOND;
    struct rng rng = rng_seeded();

    for (size_t i = 0; i < RECORDS; i++)
        entries[i] = (struct audit_entry){
            .time = start + rng_u64(&rng) % (HOURS * hour),
            .user = slice_str(user_names[rng_below(&rng, USERS)]),
            .kind = slice_str(kind_names[rng_below(&rng, KINDS)]),
            .latency_us = (uint32_t)(rng_u64(&rng) >> (32 + rng_below(&rng, 32))),
            .line = S("x"),
        };
    for (size_t i = 0; i < RECORDS; i += 100)
        assert_ok(audit_append(w->audit, entries + i, 100));
    assert_tally(w, entries, 0, UINT64_MAX);
    assert_tally(w, entries, start, start + HOURS * hour);
    assert_tally(w, entries, start + hour, start + 2 * hour);
    assert_tally(w, entries, start + hour + 1, start + 2 * hour);
    assert_tally(w, entries, start + hour / 2, start + hour / 2 + 1000);
    assert_tally(w, entries, start + 2, start + 1);
    for (int i = 0; i < 50; i++) {
        uint64_t since = start + rng_u64(&rng) % (HOURS * hour);

        assert_tally(w, entries, since, since + rng_u64(&rng) % (HOURS * hour));
    }
    free(entries);
}

static void steps_of_latency_ascend_and_their_middle_lies_in_them(void **state)
{
    (void)state;
    for (uint32_t us = 1, last = 0; us < 1u << 30; us += us / 16 + 1) {
        unsigned step = audit_latency_step(us);

        assert_true(step >= last && step < AUDIT_LATENCY_STEPS);
        assert_int_equal(audit_latency_step(audit_latency_us(step)), step);
        last = step;
    }
    assert_true(audit_latency_step(UINT32_MAX) < AUDIT_LATENCY_STEPS);
}

static void counts_of_old_hours_are_trimmed_with_the_records(void **state)
{
    struct world *w = *state;
    const uint64_t hour = 3600 * FILETIME_SECOND;
    const struct audit_entry entries[] = {
        {.time = hour + 5, .user = S("al"), .kind = slice_str(kind_names[0]), .line = S("a")},
        {.time = 3 * hour + 5, .user = S("bob"), .kind = slice_str(kind_names[1]), .line = S("b")},
    };
    struct tally got = {0};
    unsigned removed;

    assert_ok(audit_append(w->audit, entries, 2));
    assert_ok(audit_trim(w->audit, 3 * hour, 10, &removed));
    assert_int_equal(removed, 1);
    assert_ok(audit_counts(w->audit, 0, UINT64_MAX, add_count, &got));
    assert_ok(audit_latencies(w->audit, 0, UINT64_MAX, add_latencies, &got));
    assert_int_equal(got.count[1][0], 0);
    assert_int_equal(got.latencies[0][0], 0);
    assert_int_equal(got.count[3][1], 1);
    assert_int_equal(got.latencies[1][0], 1);
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD(an_account_comes_back_as_it_was_added),
        WORLD(a_name_belongs_to_one_account_only),
        WORLD(an_update_replaces_aliases_and_is_refused_when_it_is_late),
        WORLD(a_deleted_account_leaves_no_name_behind),
        WORLD(bad_names_are_refused),
        WORLD(accounts_are_listed_in_order_without_aliases),
        WORLD(a_key_is_made_once_and_kept),
        WORLD(every_account_is_near_some_point_and_stays_there),
        WORLD(records_are_found_by_time_and_by_user),
        WORLD(the_newest_record_tells_where_to_go_on),
        WORLD(old_records_are_trimmed_from_both_indexes),
        WORLD(counts_are_those_of_the_records_for_any_time),
        cmocka_unit_test(steps_of_latency_ascend_and_their_middle_lies_in_them),
        WORLD(counts_of_old_hours_are_trimmed_with_the_records),
        WORLD(the_last_log_on_by_each_door_outlives_its_record),
        WORLD(the_last_log_on_goes_with_the_account),
        WORLD(a_long_query_renews_its_snapshot_and_misses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
