/* test_mapi_search.c - what a search folder looks for ([MS-OXCFOLD] 3.2.5.4, 3.2.5.5). */
#include "tests/support/mapi.h"

enum { LOGON, FINDER, FOUND, INBOX };

static uint64_t found; /* the search folder */

static int setup(void **state)
{
    struct mapi_bed *bed = mapi_bed_new();
    const struct rop_create_folder_reply *reply;
    struct rop_create_folder rq = {.type = 2, .unicode = 1, .name = S("Found")};

    mapi_bed_logon(bed);
    struct rop_open_folder finder = {bed->folders[10], 0}, inbox = {bed->inbox, 0};
    assert_int_equal(mapi_do(bed, ROP_OpenFolder, LOGON, FINDER, &finder, NULL), EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_OpenFolder, LOGON, INBOX, &inbox, NULL), EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_CreateFolder, FINDER, FOUND, &rq, (const void **)&reply),
                     EC_SUCCESS);
    found = reply->folder;
    *state = bed;
    return 0;
}

static int teardown(void **state)
{
    mapi_bed_free(*state);
    return 0;
}

/* RESTRICTION_EXIST of PidTagSubject, and one that nobody knows. */
static const struct rop_restriction has_subject = {
    .bytes = {(const uint8_t *)"\x08\x1F\0\x37\0", 5}};
static const struct rop_restriction unknown = {.bytes = {(const uint8_t *)"\x77\x1F\0\x37\0", 5}};
static const struct rop_restriction none;

static uint32_t set(struct mapi_bed *bed, const struct rop_restriction *restriction, uint64_t fid,
                    uint32_t flags)
{
    struct rop_set_search rq = {*restriction, {fid != 0, &fid}, flags};

    return mapi_do(bed, ROP_SetSearchCriteria, FOUND, 0, &rq, NULL);
}

static void test_criteria_are_kept(void **state)
{
    struct mapi_bed *bed = *state;
    struct rop_get_search rq = {1, 1, 1};
    const struct rop_get_search_reply *reply;

    assert_int_equal(mapi_do(bed, ROP_GetSearchCriteria, FOUND, 0, &rq, NULL), EC_NOT_INITIALIZED);
    assert_int_equal(set(bed, &has_subject, bed->inbox, 0x20006), EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_GetSearchCriteria, FOUND, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_true(slice_eq(reply->restriction.bytes, has_subject.bytes));
    assert_int_equal(reply->folders.n, 1);
    assert_int_equal(reply->folders.items[0], bed->inbox);
    assert_int_equal(reply->flags, 0x4); /* 2.2.1.5.2: recursive, and not complete */
    /* Those of before are used again; what is not wanted is not told. */
    assert_int_equal(set(bed, &none, 0, 0x2), EC_SUCCESS);
    rq.want_folders = 0;
    assert_int_equal(mapi_do(bed, ROP_GetSearchCriteria, FOUND, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_true(slice_eq(reply->restriction.bytes, has_subject.bytes));
    assert_int_equal(reply->folders.n, 0);
}

static void test_what_cannot_be_looked_for(void **state)
{
    struct mapi_bed *bed = *state;
    struct rop_set_search rq = {has_subject, {1, &bed->inbox}, 2};
    struct rop_get_search get = {1, 1, 1};

    assert_int_equal(set(bed, &none, bed->inbox, 2), EC_NOT_INITIALIZED);
    assert_int_equal(set(bed, &has_subject, 0, 2), EC_NOT_INITIALIZED);
    assert_int_equal(set(bed, &unknown, bed->inbox, 2), EC_TOO_COMPLEX);
    assert_int_equal(set(bed, &has_subject, found, 2), EC_SEARCH_SCOPE);
    assert_int_equal(set(bed, &has_subject, mapi_id(0xFFFFFF), 2), EC_NOT_FOUND);
    assert_int_equal(set(bed, &has_subject, bed->inbox, 3), EC_INVALID_PARAMETER);
    assert_int_equal(set(bed, &has_subject, bed->inbox, 0x100), EC_INVALID_PARAMETER);
    assert_int_equal(mapi_do(bed, ROP_SetSearchCriteria, INBOX, 0, &rq, NULL),
                     EC_NOT_SEARCH_FOLDER);
    assert_int_equal(mapi_do(bed, ROP_SetSearchCriteria, LOGON, 0, &rq, NULL), EC_NOT_SUPPORTED);
    assert_int_equal(mapi_do(bed, ROP_GetSearchCriteria, INBOX, 0, &get, NULL),
                     EC_NOT_SEARCH_FOLDER);
    assert_int_equal(mapi_do(bed, ROP_GetSearchCriteria, LOGON, 0, &get, NULL), EC_NOT_SUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_criteria_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_looked_for, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
