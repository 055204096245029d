/* Receive folders, permissions and search criteria. */
#include "store/access.h"

#include "store/events.h"
#include "tests/support/objects.h"

/* ---- receive folders ---- */

static struct err set_receive(struct fixture *f, const char *class, uint64_t fid)
{
    struct store_set_receive_folder rq;

    store_set_receive_folder_init(&rq);
    rq.class = slice_str(class);
    rq.fid = fid;
    return store_run(f->bed.mb, &rq.op);
}

static void assert_receives(struct fixture *f, const char *class, uint64_t fid, const char *by)
{
    struct store_receive_folder found;

    assert_ok(store_receive_folder(read_anew(f), slice_str(class), &f->arena, &found));
    assert_int_equal(found.fid, fid);
    assert_slice(found.class, by);
}

static void the_longest_class_wins_whatever_the_case(void **state)
{
    struct fixture *f = *state;

    assert_receives(f, "IPM.Note", SPECIAL_INBOX, "IPM");
    assert_receives(f, "ipm", SPECIAL_INBOX, "IPM");
    assert_receives(f, "Report.IPM.Note", SPECIAL_INBOX, "REPORT.IPM");
    assert_receives(f, "IPC.x", SPECIAL_ROOT, "IPC");
    assert_receives(f, "other", SPECIAL_INBOX, "");
    assert_ok(set_receive(f, "IPM.Task", SPECIAL_TASKS));
    assert_receives(f, "ipm.task.x.y", SPECIAL_TASKS, "IPM.Task");
    assert_receives(f, "IPM.TaskRequest", SPECIAL_INBOX, "IPM");
    assert_ok(set_receive(f, "ipm.task", SPECIAL_JOURNAL));
    assert_receives(f, "IPM.Task", SPECIAL_JOURNAL, "ipm.task");
    assert_ok(set_receive(f, "IPM.Task", 0));
    assert_receives(f, "IPM.Task", SPECIAL_INBOX, "IPM");
    assert_ok(set_receive(f, "IPC", 0));
    assert_receives(f, "IPC", SPECIAL_INBOX, "");
    assert_ok(set_receive(f, "", SPECIAL_JUNK));
    assert_receives(f, "other", SPECIAL_JUNK, "");
}

static void what_can_be_no_receive_folder_is_refused(void **state)
{
    struct fixture *f = *state;
    struct store_receive_folder found;

    assert_code(set_receive(f, "a..b", SPECIAL_INBOX), ERR_INVALID);
    assert_code(set_receive(f, "a.", SPECIAL_INBOX), ERR_INVALID);
    assert_code(set_receive(f, "a\tb", SPECIAL_INBOX), ERR_INVALID);
    assert_code(set_receive(f, "", 0), ERR_INVALID);
    assert_code(set_receive(f, "ipm", SPECIAL_TRASH), ERR_DENIED);
    assert_code(set_receive(f, "Report.IPM", SPECIAL_TRASH), ERR_DENIED);
    assert_code(set_receive(f, "x", 4711), ERR_NOT_FOUND);
    assert_code(store_receive_folder(read_anew(f), S(".a"), &f->arena, &found), ERR_INVALID);
}

static void receive_folders_are_listed_and_go_with_their_folder(void **state)
{
    struct fixture *f = *state;
    uint64_t fid = bed_create(&f->bed, "x");
    struct store_receive_folder *all;
    struct buf out = buf_make(1000);
    size_t n;

    assert_ok(set_receive(f, "IPM.Zoo", fid));
    assert_ok(set_receive(f, "IPC", fid));
    assert_ok(set_receive(f, "A", SPECIAL_JUNK));
    for (int round = 0; round < 2; round++) {
        assert_ok(store_receive_folders(read_anew(f), &f->arena, &all, &n));
        for (size_t i = 0; i < n; i++)
            buf_printf(&out, "%.*s=%d ", (int)all[i].class.len, (const char *)all[i].class.ptr,
                       all[i].fid == fid ? 0 : (int)all[i].fid);
        buf_puts(&out, "\n");
        if (round == 0)
            assert_ok(bed_delete(&f->bed, fid));
    }
    assert_slice(buf_slice(&out), "=5 A=15 IPC=0 IPM=5 IPM.Zoo=0 REPORT.IPM=5 \n"
                                  "=5 A=15 IPC=1 IPM=5 REPORT.IPM=5 \n");
    buf_done(&out);
}

/* ---- permissions ---- */

static struct err modify(struct fixture *f, uint64_t fid, bool replace,
                         const struct store_permission_change *changes, size_t n)
{
    struct store_modify_permissions rq;

    store_modify_permissions_init(&rq);
    rq.fid = fid;
    rq.replace = replace;
    rq.changes = changes;
    rq.n = n;
    return store_run(f->bed.mb, &rq.op);
}

static struct store_permission *permissions(struct fixture *f, uint64_t fid, size_t want)
{
    struct store_permission *all = NULL;
    size_t n = 0;

    assert_ok(store_permissions(read_anew(f), fid, &f->arena, &all, &n));
    assert_int_equal(n, want);
    return all;
}

static struct store_permission_change add_user(const char *user, uint32_t rights)
{
    return (struct store_permission_change){
        PERMISSION_ADD, {.user = slice_str(user), .name = S("N"), .rights = rights}};
}

static void members_are_added_changed_and_removed(void **state)
{
    struct fixture *f = *state;
    uint64_t fid = bed_create(&f->bed, "x"), cn = bed_folder(&f->bed, fid).cn;
    struct store_permission_change first[] = {add_user("bob", 1), add_user("eve", 2)};
    struct store_permission *all = permissions(f, fid, 2);

    assert_true(all[0].member == STORE_MEMBER_DEFAULT && all[0].rights == 0);
    assert_true(all[1].member == STORE_MEMBER_ANONYMOUS);
    assert_ok(modify(f, fid, false, first, 2));
    all = permissions(f, fid, 4);
    assert_slice(all[2].user, "bob");
    assert_slice(all[3].name, "N");
    assert_true(bed_folder(&f->bed, fid).cn > cn);
    uint64_t bob = all[2].member, eve = all[3].member;
    struct store_permission_change then[] = {
        {PERMISSION_MODIFY, {.member = bob, .rights = 0x5FB}},
        {PERMISSION_REMOVE, {.member = eve}},
        {PERMISSION_MODIFY, {.member = STORE_MEMBER_DEFAULT, .rights = 0x400}},
        {PERMISSION_MODIFY, {.member = STORE_MEMBER_ANONYMOUS, .rights = 0x800}},
        {PERMISSION_REMOVE, {.member = STORE_MEMBER_ANONYMOUS}},
    };
    assert_ok(modify(f, fid, false, then, 5));
    all = permissions(f, fid, 3);
    assert_int_equal(all[0].rights, 0x400);
    assert_int_equal(all[1].rights, 0);
    assert_int_equal(all[2].rights, 0x5FB);
    /* A folder below begins with the same; all or none. */
    permissions(f, bed_create(&f->bed, "x/y"), 3);
    assert_code(modify(f, fid, true, then, 2), ERR_NOT_FOUND);
    permissions(f, fid, 3);
    assert_ok(modify(f, fid, true, first, 1));
    all = permissions(f, fid, 3);
    assert_int_equal(all[0].rights, 0);
    assert_int_equal(all[2].rights, 1);
}

static void too_much_of_permissions_is_refused(void **state)
{
    struct fixture *f = *state;
    struct store_permission_change nobody = add_user("", 1), many[STORE_MEMBERS_MAX];
    char names[STORE_MEMBERS_MAX][16], big[2000];

    memset(big, 'x', sizeof big);
    big[sizeof big - 1] = 0;
    struct store_permission_change large = add_user(big, 1);

    for (int i = 0; i < STORE_MEMBERS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "u%d", i);
        many[i] = add_user(names[i], 1);
    }
    assert_code(modify(f, SPECIAL_INBOX, false, &nobody, 1), ERR_INVALID);
    assert_code(modify(f, SPECIAL_INBOX, false, &large, 1), ERR_TOO_BIG);
    assert_code(modify(f, 4711, false, NULL, 0), ERR_NOT_FOUND);
    assert_code(modify(f, SPECIAL_INBOX, false, many, STORE_MEMBERS_MAX), ERR_LIMIT);
    assert_ok(modify(f, SPECIAL_INBOX, false, many, STORE_MEMBERS_MAX - 2));
    permissions(f, SPECIAL_INBOX, STORE_MEMBERS_MAX);
}

/* ---- search criteria ---- */

static void criteria_come_back_as_they_were_set(void **state)
{
    struct fixture *f = *state;
    static const uint64_t scope[] = {SPECIAL_INBOX, SPECIAL_SENT};
    struct store_set_search_criteria rq;
    struct store_search_criteria back;
    struct store_folder_create create;

    store_folder_create_init(&create);
    create.parent = SPECIAL_SEARCH;
    create.path = S("Unread");
    create.search = true;
    assert_ok(store_run(f->bed.mb, &create.op));
    assert_code(store_search_criteria(read_anew(f), create.fid, &f->arena, &back), ERR_NOT_FOUND);
    store_set_search_criteria_init(&rq);
    rq.fid = create.fid;
    rq.criteria = (struct store_search_criteria){
        .restriction = S("\x04\0restriction"), .scope = scope, .n_scope = 2, .flags = 0x20004};
    assert_ok(store_run(f->bed.mb, &rq.op));
    assert_ok(store_search_criteria(read_anew(f), create.fid, &f->arena, &back));
    assert_true(slice_eq(back.restriction, rq.criteria.restriction));
    assert_int_equal(back.n_scope, 2);
    assert_int_equal(back.scope[1], SPECIAL_SENT);
    assert_int_equal(back.flags, 0x20004);
    bed_verify(&f->bed);

    /* What was found with them is kept beside them, until they are set anew. */
    static const uint64_t mids[] = {70, 71, 50};
    struct store_set_search_found found;
    struct store_folder folder;
    uint64_t mid;

    assert_false(back.searched);
    assert_ok(store_folder_get(read_anew(f), create.fid, &folder));
    store_set_search_found_init(&found);
    found.fid = create.fid;
    found.cn = folder.cn;
    found.found = 3;
    found.unread = 1;
    found.mids = mids;
    assert_ok(store_run(f->bed.mb, &found.op));
    assert_ok(store_search_criteria(read_anew(f), create.fid, &f->arena, &back));
    assert_true(back.searched && back.found == 3 && back.unread == 1 && back.flags == 0x20004);
    assert_true(slice_eq(back.restriction, rq.criteria.restriction));
    struct store_mid_walk walk = store_mid_walk(back.mids);
    for (size_t i = 0; i < 3; i++)
        assert_true(store_mid_walk_next(&walk, &mid) && mid == mids[i]);
    assert_false(store_mid_walk_next(&walk, &mid));
    bed_verify(&f->bed);
    assert_ok(store_run(f->bed.mb, &rq.op));
    assert_ok(store_search_criteria(read_anew(f), create.fid, &f->arena, &back));
    assert_false(back.searched);
    assert_code(store_run(f->bed.mb, &found.op), ERR_CONFLICT);

    rq.fid = SPECIAL_INBOX;
    assert_code(store_run(f->bed.mb, &rq.op), ERR_INVALID);
    assert_ok(bed_delete(&f->bed, create.fid));
    assert_code(store_search_criteria(read_anew(f), create.fid, &f->arena, &back), ERR_NOT_FOUND);
}

/* ---- other replicas ---- */

static void replicas_are_numbered_for_ever(void **state)
{
    struct fixture *f = *state;
    struct store_map_replica rq;
    uint8_t guid[16];
    uint16_t id;

    assert_code(store_replica_guid(read_anew(f), 2, guid), ERR_NOT_FOUND);
    for (uint8_t i = 0; i < 6; i++) {
        store_map_replica_init(&rq);
        memset(rq.guid, i % 3, sizeof rq.guid);
        assert_ok(store_run(f->bed.mb, &rq.op));
        assert_int_equal(rq.replica, 2 + i % 3);
    }
    assert_ok(store_replica_guid(read_anew(f), 4, guid));
    assert_memory_equal(guid, rq.guid, 16);
    assert_ok(store_replica_id(read_anew(f), guid, &id));
    assert_int_equal(id, 4);
    assert_code(store_replica_guid(read_anew(f), 5, guid), ERR_NOT_FOUND);
    assert_code(store_replica_guid(read_anew(f), 1, guid), ERR_NOT_FOUND);
    bed_verify(&f->bed);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_longest_class_wins_whatever_the_case),
        TEST(what_can_be_no_receive_folder_is_refused),
        TEST(receive_folders_are_listed_and_go_with_their_folder),
        TEST(members_are_added_changed_and_removed),
        TEST(too_much_of_permissions_is_refused),
        TEST(criteria_come_back_as_they_were_set),
        TEST(replicas_are_numbered_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
