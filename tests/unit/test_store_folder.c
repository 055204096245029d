#include "base/clock.h"
#include "store/engine/engine_faulty.h"
#include "store/engine/engine_lmdb.h"
#include "tests/support/store.h"

static void names_are_checked(void **state)
{
    char level[300], deep[3000];

    (void)state;
    memset(level, 'a', sizeof level);
    for (size_t i = 0; i < sizeof deep; i++)
        deep[i] = i % 2 ? '/' : 'a';
    const struct {
        struct slice path;
        enum err_code code;
    } cases[] = {
        {S("a"), ERR_NONE},
        {S("a/b c/\xC3\xA4"), ERR_NONE},
        {S(""), ERR_INVALID},
        {S("/"), ERR_INVALID},
        {S("a//b"), ERR_INVALID},
        {S("a/"), ERR_INVALID},
        {S("/a"), ERR_INVALID},
        {S("a\x01"), ERR_INVALID},
        {S("a\0b"), ERR_INVALID},
        {S("\xFF"), ERR_INVALID},
        {S("\xC3"), ERR_INVALID},
        {slice_of(level, 255), ERR_NONE},
        {slice_of(level, 256), ERR_TOO_BIG},
        {slice_of(deep, 1999), ERR_NONE},
        {slice_of(deep, 2001), ERR_TOO_BIG},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_code(store_folder_name_check(cases[i].path), cases[i].code);
}

static void folders_are_found_in_any_normal_form(void **state)
{
    struct bed bed;

    (void)state;
    bed_init(&bed);
    uint64_t fid = bed_create(&bed, "Entw\xC3\xBCrfe/a"); /* precomposed u-umlaut */

    assert_int_equal(bed_find(&bed, "Entwu\xCC\x88rfe/a"), fid);
    assert_int_equal(bed_find(&bed, "entw\xC3\xBCrfe/a"), 0);
    assert_int_equal(bed_find(&bed, "inbox"), SPECIAL_INBOX);
    assert_int_equal(bed_find(&bed, "INBOX/inbox"), 0);
    fid = bed_create(&bed, "iNbOx/x");
    assert_int_equal(bed_find(&bed, "InBox/x"), fid);
    assert_int_equal(bed_folder(&bed, fid).parent, SPECIAL_INBOX);
    assert_int_equal(bed_find(&bed, ""), 0);
    assert_int_equal(bed_find(&bed, "a//b"), 0);
    bed_done(&bed);
}

static void creating_makes_missing_levels_and_refuses_what_is_there(void **state)
{
    struct bed bed;
    uint64_t fid = 0, other = 0;

    (void)state;
    bed_init(&bed);
    fid = bed_create(&bed, "a/b/c");
    assert_true(bed_find(&bed, "a") != 0);
    assert_true(bed_folder(&bed, bed_find(&bed, "a/b")).has_children);
    assert_false(bed_folder(&bed, fid).noselect);
    assert_true(bed_folder(&bed, fid).visible);
    assert_code(bed_try_create(&bed, "a/b/c", SPECIAL_NONE, &other), ERR_EXISTS);
    assert_code(bed_try_create(&bed, "inbox", SPECIAL_NONE, &other), ERR_EXISTS);
    assert_code(bed_try_create(&bed, "x", SPECIAL_TRASH, &other), ERR_CONFLICT);
    assert_ok(bed_try_create(&bed, "x", SPECIAL_FLAGGED, &other));
    assert_code(bed_try_create(&bed, "y", SPECIAL_FLAGGED, &other), ERR_CONFLICT);
    assert_int_equal(bed_find(&bed, "y"), 0);
    assert_ok(bed_delete(&bed, other));
    assert_ok(bed_try_create(&bed, "y", SPECIAL_FLAGGED, &other));
    bed_done(&bed);
}

static void a_deleted_folder_with_children_stays_as_a_level(void **state)
{
    struct bed bed;
    struct store_read *rd;
    struct store_view *view;

    (void)state;
    bed_init(&bed);
    uint64_t child = bed_create(&bed, "a/b"), parent = bed_find(&bed, "a");
    uint32_t validity = bed_folder(&bed, parent).uidvalidity;

    bed_append_many(&bed, parent, 3000, 0);
    assert_ok(bed_delete(&bed, parent));
    assert_true(bed_folder(&bed, parent).noselect);
    assert_int_equal(bed_folder(&bed, parent).exists, 0);
    assert_ok(store_read_begin(bed.mb, &rd));
    assert_code(store_view_open(rd, parent, &view), ERR_NOT_FOUND);
    store_read_end(rd);
    bed_verify(&bed); /* perhaps in the middle of sweeping */
    assert_code(bed_delete(&bed, parent), ERR_DENIED);
    assert_int_equal(bed_create(&bed, "a"), parent);
    assert_true(bed_folder(&bed, parent).uidvalidity > validity);
    assert_int_equal(bed_append(&bed, parent, "A: b\r\n\r\n", 0), 1);
    assert_ok(bed_delete(&bed, parent));
    assert_ok(bed_delete(&bed, child));
    assert_ok(bed_delete(&bed, parent)); /* a level without children can go */
    assert_int_equal(bed_find(&bed, "a"), 0);
    assert_code(bed_delete(&bed, parent), ERR_NOT_FOUND);
    bed_done(&bed);
}

static void special_folders_stay(void **state)
{
    struct bed bed;

    (void)state;
    bed_init(&bed);
    for (uint64_t fid = SPECIAL_ROOT; fid < SPECIAL_ALL; fid++) {
        assert_code(bed_delete(&bed, fid), ERR_DENIED);
        if (fid != SPECIAL_INBOX)
            assert_code(bed_rename(&bed, fid, "elsewhere"), ERR_DENIED);
    }
    bed_done(&bed);
}

static void a_rename_takes_the_tree_along(void **state)
{
    struct bed bed;

    (void)state;
    bed_init(&bed);
    uint64_t leaf = bed_create(&bed, "a/b/c"), a = bed_find(&bed, "a");

    bed_append_many(&bed, leaf, 5, 0);
    assert_ok(bed_rename(&bed, a, "x/y/z"));
    assert_int_equal(bed_find(&bed, "x/y/z/b/c"), leaf);
    assert_int_equal(bed_find(&bed, "a"), 0);
    assert_code(bed_rename(&bed, a, "x/y"), ERR_EXISTS);
    assert_code(bed_rename(&bed, a, "x/y/z"), ERR_EXISTS);
    assert_code(bed_rename(&bed, a, "x/y/z/b/new"), ERR_DENIED);
    assert_code(bed_rename(&bed, a, "x//z"), ERR_INVALID);
    assert_code(bed_rename(&bed, 99999, "q"), ERR_NOT_FOUND);
    assert_int_equal(bed_find(&bed, "q"), 0);
    assert_ok(bed_rename(&bed, a, "x/y/zz"));
    assert_folder_uids(&bed, leaf, "1:5");
    bed_done(&bed);
}

static void renaming_the_inbox_moves_its_messages_and_leaves_its_children(void **state)
{
    struct bed bed;

    (void)state;
    bed_init(&bed);
    uint64_t child = bed_create(&bed, "INBOX/child");

    bed_append_many(&bed, SPECIAL_INBOX, 2500, FLAG_FLAGGED);
    assert_ok(bed_rename(&bed, SPECIAL_INBOX, "old mail"));
    assert_folder_uids(&bed, SPECIAL_INBOX, "");
    assert_folder_uids(&bed, bed_find(&bed, "old mail"), "1:2500");
    assert_int_equal(bed_find(&bed, "INBOX/child"), child);
    assert_int_equal(bed_append(&bed, SPECIAL_INBOX, "A: b\r\n\r\n", 0), 2501);
    bed_done(&bed);
}

static void subscriptions_are_of_names(void **state)
{
    struct bed bed;
    struct arena arena = ARENA_INIT;
    struct store_read *rd;
    struct slice *paths;
    struct store_folder folder;
    char at_bound[500];
    size_t n;

    (void)state;
    bed_init(&bed);
    uint64_t fid = bed_create(&bed, "a");

    for (size_t i = 0; i < sizeof at_bound - 1; i++)
        at_bound[i] = i % 250 == 249 ? '/' : 'p';
    at_bound[sizeof at_bound - 1] = 0;
    at_bound[498] = 'p';
    assert_ok(bed_subscribe(&bed, "a", true));
    assert_ok(bed_subscribe(&bed, "a", true));
    assert_ok(bed_subscribe(&bed, "Inbox", true));
    assert_ok(bed_subscribe(&bed, "never/was", true));
    assert_ok(bed_subscribe(&bed, at_bound, true));
    assert_code(bed_subscribe(&bed, "b", false), ERR_NOT_FOUND);
    assert_true(bed_folder(&bed, fid).subscribed);
    assert_true(bed_folder(&bed, SPECIAL_INBOX).subscribed);
    assert_ok(bed_rename(&bed, fid, "b"));
    assert_false(bed_folder(&bed, fid).subscribed);
    assert_ok(store_read_begin(bed.mb, &rd));
    assert_ok(store_subscriptions(rd, &arena, &paths, &n));
    assert_int_equal(n, 4);
    assert_slice(paths[0], "INBOX");
    assert_slice(paths[1], "a");
    assert_slice(paths[2], "never/was");
    assert_slice(paths[3], at_bound);
    assert_ok(store_folder_find(rd, S("inbox"), &folder));
    assert_true(folder.subscribed);
    store_read_end(rd);
    assert_ok(bed_subscribe(&bed, at_bound, false));
    assert_ok(bed_subscribe(&bed, "a", false));
    arena_done(&arena);
    bed_done(&bed);
}

static void a_folder_s_path_leads_back_to_it(void **state)
{
    struct bed bed;
    struct arena arena = ARENA_INIT;
    struct store_folder_entry *all;
    struct store_folder folder;
    struct store_read *rd;
    size_t n;

    (void)state;
    bed_init(&bed);
    bed_create(&bed, "a/b/c");
    bed_create(&bed, "a/bb");
    bed_create(&bed, "INBOX/z");
    assert_ok(store_read_begin(bed.mb, &rd));
    assert_ok(store_folder_list(rd, false, &arena, &all, &n));
    assert_slice(all[0].path, "INBOX");
    assert_slice(all[1].path, "INBOX/z");
    for (size_t i = 0; i < n; i++) {
        struct buf path = buf_make(5000);

        assert_ok(store_folder_path(rd, all[i].folder.fid, &path));
        assert_true(slice_eq(buf_slice(&path), all[i].path));
        assert_ok(store_folder_find(rd, all[i].path, &folder));
        assert_int_equal(folder.fid, all[i].folder.fid);
        buf_done(&path);
    }
    assert_ok(store_folder_list(rd, true, &arena, &all, &n));
    assert_int_equal(n, 20 + 5); /* without the root */
    store_read_end(rd);
    arena_done(&arena);
    bed_done(&bed);
}

static void folders_have_a_bound(void **state)
{
    struct bed bed;
    uint64_t fid = 0;

    (void)state;
    bed_init_with(&bed, &(struct store_config){.map_bytes = 1ull << 28, .max_folders = 24});
    assert_ok(bed_try_create(&bed, "a/b/c", SPECIAL_NONE, &fid));
    assert_code(bed_try_create(&bed, "d", SPECIAL_NONE, &fid), ERR_LIMIT);
    assert_code(bed_rename(&bed, fid, "q/r"), ERR_LIMIT);
    assert_int_equal(bed_find(&bed, "q"), 0);
    bed_done(&bed);
}

/* ---- what breaks off ---- */

static struct engine *faulty;
static struct bed *losing;

/* Behind the first batch the mailbox is out of reach. */
static void lose(struct store_op *op)
{
    (void)op;
    engine_faulty_disown(faulty, losing->mailbox_id);
}

/* Each soft-deleted folder below takes a batch of its own; the id stands for them all. */
static void a_deletion_that_broke_off_is_ended_by_its_id(void **state)
{
    const struct store_config config = {.recover = 86400 * FILETIME_SECOND};
    struct bed bed;
    struct engine *inner;

    (void)state;
    losing = &bed;
    bed_init_with(&bed, &config);
    mailbox_close(bed.mb);
    store_close(bed.store);
    const struct engine_lmdb_config lmdb = {.dir = bed.dir, .map_bytes = bed.config.map_bytes};
    assert_ok(engine_lmdb_open(&lmdb, NULL, &inner));
    assert_ok(engine_faulty_new(inner, 1, &faulty));
    assert_ok(store_open_engine(&bed.config, faulty, NULL, &bed.store));
    assert_ok(store_mailbox_open_now(bed.store, bed.mailbox_id, &bed.mb));

    uint64_t fid = bed_create(&bed, "a");
    static const char *const below[] = {"a/b", "a/c", "a/d"};
    for (size_t i = 0; i < 3; i++) {
        struct store_folder_remove remove;

        store_folder_remove_init(&remove);
        remove.fid = bed_create(&bed, below[i]);
        assert_ok(store_run(bed.mb, &remove.op));
    }
    for (int i = 0; i < 2; i++) {
        struct store_folder_delete rq;

        store_folder_delete_init(&rq);
        rq.fid = fid;
        memset(rq.op.id, 7, sizeof rq.op.id);
        if (i == 0)
            rq.op.settle = lose;
        assert_code(store_run(bed.mb, &rq.op), i == 0 ? ERR_UNAVAILABLE : ERR_NONE);
        engine_faulty_own(faulty, bed.mailbox_id);
        assert_int_equal(bed_find(&bed, "a") == 0, i == 1);
    }
    bed_done(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(folders_are_found_in_any_normal_form),
        cmocka_unit_test(creating_makes_missing_levels_and_refuses_what_is_there),
        cmocka_unit_test(a_deleted_folder_with_children_stays_as_a_level),
        cmocka_unit_test(special_folders_stay),
        cmocka_unit_test(a_rename_takes_the_tree_along),
        cmocka_unit_test(renaming_the_inbox_moves_its_messages_and_leaves_its_children),
        cmocka_unit_test(subscriptions_are_of_names),
        cmocka_unit_test(a_folder_s_path_leads_back_to_it),
        cmocka_unit_test(folders_have_a_bound),
        cmocka_unit_test(a_deletion_that_broke_off_is_ended_by_its_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
