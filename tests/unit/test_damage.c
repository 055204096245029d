/*
 * A damaged file of the store: cut short, or with bits flipped anywhere, LMDB's own pages too. It
 * is refused or its verification says what is wrong; nothing crashes, and what can be read is what
 * was written.
 */
#include "tests/support/damage.h"

#include <sys/wait.h>
#include <unistd.h>

enum { FLIPS = 400, PAGE = 4096, META_TXN = 0x90 };

static int setup(void **state)
{
    struct damage *d = mem_new(sizeof *d);

    damage_init(d);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    damage_done(*state);
    free(*state);
    return 0;
}

static void an_undamaged_store_is_checked_and_opened(void **state)
{
    struct damage *d = *state;

    assert_int_equal(damage_try(d, d->file, d->len, false), DAMAGE_HARMLESS);
    assert_int_equal(damage_try(d, d->file, d->len, true), DAMAGE_HARMLESS);
}

static void a_file_cut_short_anywhere_is_refused(void **state)
{
    struct damage *d = *state;
    unsigned refused = 0;

    for (size_t len = 0; len < d->len; len += 5 * PAGE + 1000) {
        enum damage_end end = damage_try(d, d->file, len, false);

        /* What is behind the last page in use may go. */
        assert_true(end == DAMAGE_REFUSED || (end == DAMAGE_HARMLESS && len > d->len / 2));
        refused += end == DAMAGE_REFUSED;
    }
    assert_true(refused > 10);
}

static void a_bit_flipped_anywhere_is_refused_or_named(void **state)
{
    struct damage *d = *state;
    struct rng rng = rng_seeded();
    unsigned ends[5] = {0};

    for (int i = 0; i < FLIPS; i++) {
        /* Heads of pages and their directories are a small part of the bytes. */
        size_t page = rng_below(&rng, (uint32_t)(d->len / PAGE)) * PAGE;
        size_t at = page + rng_below(&rng, i % 2 ? 64 : PAGE);
        uint8_t bit = (uint8_t)(1u << rng_below(&rng, 8));

        d->file[at] ^= bit;
        enum damage_end end = damage_try(d, d->file, d->len, true);
        d->file[at] ^= bit;
        if (end == DAMAGE_READ || end == DAMAGE_UNSEEN)
            fail_msg("bit %02x of byte %zu of page %zu: end %d", bit, at % PAGE, at / PAGE, end);
        ends[end]++;
    }
    assert_true(ends[DAMAGE_REFUSED] > FLIPS / 20 && ends[DAMAGE_FOUND] > FLIPS / 20);
}

/* ---- another process ---- */

/* A process that has the store open, until `stop` is closed. */
static pid_t open_elsewhere(const struct damage *d, int *stop)
{
    int ready[2], end[2];
    char byte;

    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(end), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *st;
        bool good = !failed(damage_open(d, &st)) && write(ready[1], "r", 1) == 1;

        close(end[1]);
        good = good && read(end[0], &byte, 1) == 0;
        _exit(good ? 0 : 1); /* as one that was killed: it writes nothing more */
    }
    close(ready[1]);
    close(end[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    *stop = end[1];
    return child;
}

static void end_elsewhere(pid_t child, int stop)
{
    int status;

    close(stop);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* What the older meta page is while its place is taken by that of a transaction `ahead` of the
 * newest: a commit writes it first, and then makes it count. */
static size_t meta_ahead(struct damage *d, uint64_t ahead, uint8_t page[PAGE])
{
    uint64_t txn[2], number;

    for (int i = 0; i < 2; i++)
        memcpy(&txn[i], d->file + i * PAGE + META_TXN, sizeof txn[i]);
    number = txn[1] < txn[0];
    memcpy(page, d->file + (1 - number) * PAGE, PAGE);
    memcpy(page, &number, sizeof number);
    txn[1 - number] += ahead;
    memcpy(page + META_TXN, &txn[1 - number], sizeof txn[0]);
    return (size_t)number * PAGE;
}

static void a_commit_of_another_process_under_way_is_no_damage(void **state)
{
    struct damage *d = *state;
    uint8_t page[PAGE];
    int stop;

    assert_int_equal(damage_try(d, d->file, d->len, false), DAMAGE_HARMLESS);
    damage_reread(d); /* opening may have committed something */
    pid_t child = open_elsewhere(d, &stop);
    size_t at = meta_ahead(d, 1, page);
    damage_overwrite(d, at, page, PAGE);
    assert_int_equal(damage_look(d), DAMAGE_HARMLESS);
    end_elsewhere(child, stop);
}

/* One commit is under way at a time. */
static void a_meta_page_further_ahead_is_damage(void **state)
{
    struct damage *d = *state;
    uint8_t page[PAGE];
    int stop;

    assert_int_equal(damage_try(d, d->file, d->len, false), DAMAGE_HARMLESS);
    damage_reread(d);
    pid_t child = open_elsewhere(d, &stop);
    size_t at = meta_ahead(d, 3, page);
    damage_overwrite(d, at, page, PAGE);
    assert_int_equal(damage_look(d), DAMAGE_REFUSED);
    end_elsewhere(child, stop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_undamaged_store_is_checked_and_opened),
        cmocka_unit_test(a_file_cut_short_anywhere_is_refused),
        cmocka_unit_test(a_commit_of_another_process_under_way_is_no_damage),
        cmocka_unit_test(a_meta_page_further_ahead_is_damage),
        cmocka_unit_test(a_bit_flipped_anywhere_is_refused_or_named),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
