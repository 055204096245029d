/* test_mapi_permission.c - who has which rights on a folder ([MS-OXCPERM]). */
#include "protocols/mapi/rights.h"
#include "store/access.h"
#include "tests/support/mapi.h"

enum { LOGON, FOLDER };

#define PROVIDER "\xDC\xA7\x40\xC8\xC0\x42\x10\x1A\xB4\xB9\x08\x00\x2B\x2F\xE1\x82"
#define ENTRY_ID(name)                                                                             \
    {                                                                                              \
        (const uint8_t *)("\0\0\0\0" PROVIDER "\1\0\0\0\0\0\0\0"                                   \
                          "/o=X/ou=Y/cn=Recipients/cn=" name),                                     \
            sizeof("/o=X/ou=Y/cn=Recipients/cn=" name) + 28                                        \
    }

static struct err find_anybody(struct mapi_directory *self, struct slice name, struct arena *in,
                               struct mapi_person *out)
{
    (void)self;
    if (!slice_eq(name, S("bob")) && !slice_eq(name, S("carol")))
        return ERR(ERR_NOT_FOUND, "nobody");
    *out = (struct mapi_person){.identity = arena_slice(in, name), .display_name = S("Somebody")};
    return OK;
}

static struct mapi_directory directory = {.find = find_anybody};

static int setup(void **state)
{
    struct mapi_bed *bed = mapi_bed_new();

    bed->mapi->config.directory = &directory;
    mapi_bed_logon(bed);
    assert_int_equal(
        mapi_do(bed, ROP_OpenFolder, LOGON, FOLDER, &(struct rop_open_folder){bed->inbox, 0}, NULL),
        EC_SUCCESS);
    *state = bed;
    return 0;
}

static int teardown(void **state)
{
    mapi_bed_free(*state);
    return 0;
}

enum { NONE = 0x7777 }; /* of rights: there is no such member */

static uint32_t rights_of(struct mapi_bed *bed, const char *user, uint64_t *member)
{
    struct arena arena = ARENA_INIT;
    struct store_permission *all;
    struct store_read *rd;
    uint32_t rights = NONE;
    size_t n;

    assert_ok(store_read_begin(bed->mailbox, &rd));
    assert_ok(store_permissions(rd, fixture_inbox(bed->mailbox), &arena, &all, &n));
    for (size_t i = 0; i < n; i++)
        if (slice_eq(all[i].user, slice_str(user)) && all[i].member != STORE_MEMBER_ANONYMOUS) {
            rights = all[i].rights;
            *member = all[i].member;
        }
    store_read_end(rd);
    arena_done(&arena);
    return rights;
}

static uint32_t modify(struct mapi_bed *bed, uint8_t flags, uint8_t row_flags,
                       const struct prop *values, size_t n)
{
    struct rop_permission row = {row_flags, {n, values}};
    struct rop_modify_permissions rq = {flags, {1, &row}};

    return mapi_do(bed, ROP_ModifyPermissions, FOLDER, 0, &rq, NULL);
}

static uint32_t add(struct mapi_bed *bed, uint8_t flags, struct slice entry_id, uint32_t rights)
{
    const struct prop values[] = {{0x0FFF0102, {.bytes = entry_id}},
                                  {0x66730003, {.number = rights}}};

    return modify(bed, flags, 1, values, 2);
}

static void test_members_come_change_and_go(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t bob, member;

    assert_int_equal(add(bed, 0, (struct slice)ENTRY_ID("bob"), 0x401), EC_SUCCESS);
    assert_int_equal(rights_of(bed, "bob", &bob), 0x401);
    struct prop values[] = {{0x66710014, {.number = (int64_t)bob}},
                            {0x66730003, {.number = 0x5FB}}};
    assert_int_equal(modify(bed, 0, 2, values, 2), EC_SUCCESS);
    assert_int_equal(rights_of(bed, "bob", &member), 0x5FB);
    assert_int_equal(member, bob);
    assert_int_equal(modify(bed, 0, 4, values, 1), EC_SUCCESS);
    assert_int_equal(rights_of(bed, "bob", &member), NONE);
    assert_int_equal(modify(bed, 0, 4, values, 1), EC_NOT_FOUND);
}

/* 2.2.2.1: all go but the default user. */
static void test_all_are_replaced(void **state)
{
    struct mapi_bed *bed = *state;
    const struct prop usual[] = {{0x66710014, {.number = 0}}, {0x66730003, {.number = 0x400}}};
    uint64_t member;

    assert_int_equal(modify(bed, 0, 2, usual, 2), EC_SUCCESS);
    assert_int_equal(add(bed, 0, (struct slice)ENTRY_ID("bob"), 0x401), EC_SUCCESS);
    assert_int_equal(add(bed, 1, (struct slice)ENTRY_ID("carol"), 0x401), EC_SUCCESS);
    assert_int_equal(rights_of(bed, "bob", &member), NONE);
    assert_int_equal(rights_of(bed, "carol", &member), 0x401);
    assert_int_equal(rights_of(bed, "", &member), 0x400);
    /* Each row is one that is added. */
    assert_int_equal(modify(bed, 1, 2, usual, 2), EC_INVALID_PARAMETER);
}

/* 2.2.2.1: the two rights of free/busy are only set by who says that he knows them. */
static void test_free_busy(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t member;

    assert_int_equal(add(bed, 2, (struct slice)ENTRY_ID("bob"), 0x1C01), EC_SUCCESS);
    assert_int_equal(rights_of(bed, "bob", &member), 0x1C01);
    assert_int_equal(add(bed, 0, (struct slice)ENTRY_ID("bob"), 0x0403), EC_SUCCESS);
    assert_int_equal(rights_of(bed, "bob", &member), 0x1C03);
}

/* 3.2.5.1: who may not see them is told so by RopQueryRows. */
static void test_who_may_not_see_the_table(void **state)
{
    struct mapi_bed *bed = *state;
    static const uint32_t columns[] = {0x66710014};
    struct rop_set_columns set = {0, {1, columns}};
    struct rop_query_rows query = {0, 1, 10};
    struct rop_get_permissions_table rq = {0};
    struct mapi_object *logon;

    assert_int_equal(object_find(bed->context, bed->handles[LOGON], &logon), HANDLE_OPEN);
    logon->logon->owner = false;
    assert_int_equal(mapi_do(bed, ROP_GetPermissionsTable, FOLDER, 2, &rq, NULL), EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_SetColumns, 2, 0, &set, NULL), EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_QueryRows, 2, 0, &query, NULL), EC_ACCESS_DENIED);
}

/* 2.2.4 to 2.2.7: the rights of free/busy only for who says that he knows them. */
static void test_the_table(void **state)
{
    struct mapi_bed *bed = *state;
    static const uint32_t columns[] = {0x66710014, 0x6672001F, 0x66730003, 0x0FFF0102};
    const struct rop_query_rows_reply *reply;
    struct rop_set_columns set = {0, {4, columns}};
    struct rop_query_rows query = {0, 1, 10};
    static const uint32_t masks[] = {0x7FB, 0x1FFB};

    assert_int_equal(add(bed, 2, (struct slice)ENTRY_ID("bob"), 0x1C01), EC_SUCCESS);
    bed->columns = set.columns;
    for (size_t i = 0; i < 2; i++) {
        struct rop_get_permissions_table rq = {i ? 0x02 : 0};

        assert_int_equal(mapi_do(bed, ROP_GetPermissionsTable, FOLDER, 2, &rq, NULL), EC_SUCCESS);
        assert_int_equal(mapi_do(bed, ROP_SetColumns, 2, 0, &set, NULL), EC_SUCCESS);
        assert_int_equal(mapi_do(bed, ROP_QueryRows, 2, 0, &query, (const void **)&reply),
                         EC_SUCCESS);
        assert_int_equal(reply->rows.n, 3);
        struct wire w = wire_of(reply->rows.bytes, &bed->arena);
        static const char *const names[] = {"", "Anonymous", "Somebody"};
        for (size_t k = 0; k < 3; k++) {
            struct prop *row;

            assert_true(row_read(&w, &(struct value_form){.codepage = 1252}, columns, 4, &row));
            assert_slice(row[1].value.bytes, names[k]);
            if (k == 2) {
                assert_int_equal(row[2].value.number, 0x1C01 & masks[i]);
                assert_true(slice_ends(row[3].value.bytes, S("/cn=Recipients/cn=bob\0")));
            } else {
                assert_int_equal(row[0].value.number, k ? -1 : 0);
                assert_int_equal(row[3].value.bytes.len, 0);
            }
        }
    }
}

static void test_what_makes_no_sense(void **state)
{
    struct mapi_bed *bed = *state;
    const struct prop rights = {0x66730003, {.number = 1}};
    uint64_t member;

    assert_int_equal(add(bed, 4, (struct slice)ENTRY_ID("bob"), 1), EC_INVALID_PARAMETER);
    assert_int_equal(add(bed, 0, (struct slice)ENTRY_ID("nobody"), 1), EC_UNKNOWN_USER);
    assert_int_equal(add(bed, 0, S("not an EntryID that has any meaning"), 1),
                     EC_INVALID_PARAMETER);
    assert_int_equal(modify(bed, 0, 1, &rights, 1), EC_INVALID_PARAMETER);
    assert_int_equal(modify(bed, 0, 2, &rights, 1), EC_INVALID_PARAMETER);
    assert_int_equal(modify(bed, 0, 3, &rights, 1), EC_INVALID_PARAMETER);
    struct rop_modify_permissions none = {0};
    assert_int_equal(mapi_do(bed, ROP_ModifyPermissions, LOGON, 0, &none, NULL), EC_NOT_SUPPORTED);
    assert_int_equal(mapi_do(bed, ROP_ModifyPermissions, FOLDER, 0, &none, NULL), EC_SUCCESS);
    assert_int_equal(rights_of(bed, "bob", &member), NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_members_come_change_and_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_are_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_free_busy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_table, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_may_not_see_the_table, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_makes_no_sense, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
