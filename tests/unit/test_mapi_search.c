/* test_mapi_search.c - what a search folder looks for ([MS-OXCFOLD] 3.2.5.4, 3.2.5.5). */
#include "tests/support/mapi.h"

enum { LOGON, FINDER, FOUND, INBOX, TABLE };

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
    assert_int_equal(reply->flags, 0x08001004); /* 2.2.1.5.2: recursive, complete, no index */
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

/* ---- what is found ---- */

static uint32_t count_found(struct mapi_bed *bed)
{
    const struct rop_get_contents_table_reply *reply;

    assert_int_equal(mapi_do(bed, ROP_GetContentsTable, FOUND, TABLE,
                             &(struct rop_get_contents_table){0}, (const void **)&reply),
                     EC_SUCCESS);
    return reply->rows;
}

/* The columns of all rows, from the top. */
static size_t query(struct mapi_bed *bed, struct prop *rows[10])
{
    static const uint32_t columns[] = {PR_MID, PR_FOLDER_ID, PR_SUBJECT};
    struct rop_set_columns set_columns = {0, {3, columns}};
    struct rop_query_rows rq = {0, 1, 10};
    const struct rop_query_rows_reply *reply;

    bed->columns = set_columns.columns;
    assert_int_equal(mapi_do(bed, ROP_SetColumns, TABLE, 0, &set_columns, NULL), EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_QueryRows, TABLE, 0, &rq, (const void **)&reply), EC_SUCCESS);
    struct wire w = wire_of(reply->rows.bytes, &bed->arena);
    for (size_t i = 0; i < reply->rows.n; i++)
        assert_true(row_read(&w, &(struct value_form){.codepage = 1252}, columns, 3, &rows[i]));
    return reply->rows.n;
}

/* RESTRICTION_CONTENT: PidTagSubject has "apple" in it, in any case. */
static const struct rop_restriction has_apple = {
    .bytes = {(const uint8_t *)"\x03\1\0\1\0\x1F\0\x37\0\x1F\0\x37\0"
                               "a\0p\0p\0l\0e\0\0",
              25}};

static void test_messages_are_found(void **state)
{
    struct mapi_bed *bed = *state;
    struct prop *rows[10];
    uint64_t mid = mapi_bed_deliver(bed, "Subject: an Apple\r\n\r\nx\r\n");

    mapi_bed_deliver(bed, "Subject: a pear\r\n\r\napple\r\n");
    assert_int_equal(count_found(bed), 0); /* nothing is looked for yet */
    assert_int_equal(set(bed, &has_apple, bed->inbox, 2), EC_SUCCESS);
    assert_int_equal(count_found(bed), 1);
    assert_int_equal(query(bed, rows), 1);
    assert_int_equal(rows[0][0].value.number, mid);
    assert_int_equal(rows[0][1].value.number, bed->inbox);
    assert_slice(rows[0][2].value.bytes, "an Apple");
    /* What comes is found too. */
    mapi_bed_deliver(bed, "Subject: apple two\r\n\r\nx\r\n");
    assert_int_equal(query(bed, rows), 1); /* it was at the end */
    assert_slice(rows[0][2].value.bytes, "apple two");
    assert_int_equal(count_found(bed), 2);
}

static void test_folders_below_are_looked_at_if_it_is_wished(void **state)
{
    struct mapi_bed *bed = *state;
    struct prop *rows[10];

    mapi_bed_deliver(bed, "Subject: apple\r\n\r\nx\r\n");
    assert_int_equal(set(bed, &has_apple, bed->folders[3], 0xA), EC_SUCCESS);
    assert_int_equal(count_found(bed), 0); /* the top holds nothing itself */
    assert_int_equal(set(bed, &has_apple, bed->folders[3], 0x6), EC_SUCCESS);
    assert_int_equal(count_found(bed), 1);
    assert_int_equal(query(bed, rows), 1);
    assert_int_equal(rows[0][1].value.number, bed->inbox);
}

static void test_what_is_found_is_sorted_and_restricted(void **state)
{
    struct mapi_bed *bed = *state;
    const struct sort_order order = {PR_SUBJECT, SORT_DESCENDING};
    struct rop_sort_table sort = {0, {1, 0, 0, &order}};
    struct prop *rows[10];

    mapi_bed_deliver(bed, "Subject: apple a\r\n\r\nx\r\n");
    mapi_bed_deliver(bed, "Subject: apple c\r\n\r\nx\r\n");
    mapi_bed_deliver(bed, "Subject: apple b\r\n\r\nx\r\n");
    assert_int_equal(set(bed, &has_apple, bed->inbox, 2), EC_SUCCESS);
    assert_int_equal(count_found(bed), 3);
    assert_int_equal(mapi_do(bed, ROP_SortTable, TABLE, 0, &sort, NULL), EC_SUCCESS);
    assert_int_equal(query(bed, rows), 3);
    assert_slice(rows[0][2].value.bytes, "apple c");
    assert_slice(rows[2][2].value.bytes, "apple a");
}

/* ---- what is told of it ---- */

static uint32_t count_told(struct mapi_bed *bed, uint32_t tag)
{
    struct rop_get_properties rq = {.tags = {1, &tag}};
    const struct rop_get_properties_reply *reply;

    bed->columns = rq.tags;
    assert_int_equal(mapi_do(bed, ROP_GetPropertiesSpecific, FOUND, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    struct wire w = wire_of(reply->row, &bed->arena);
    assert_int_equal(wire_u8(&w), 0);
    return wire_u32(&w);
}

/* 2.2.2.2.1.1: PidTagContentCount, as of when it was searched or looked at last. */
static void test_what_is_found_is_counted(void **state)
{
    struct mapi_bed *bed = *state;

    mapi_bed_deliver(bed, "Subject: apple\r\n\r\nx\r\n");
    mapi_bed_deliver(bed, "Subject: apple pie\r\n\r\nx\r\n");
    assert_int_equal(count_told(bed, PR_CONTENT_COUNT), 0);
    assert_int_equal(set(bed, &has_apple, bed->inbox, 2), EC_SUCCESS);
    assert_int_equal(count_told(bed, PR_CONTENT_COUNT), 2);
    assert_int_equal(count_told(bed, PR_CONTENT_UNREAD_COUNT), 2);
    mapi_bed_deliver(bed, "Subject: apple tart\r\n\r\nx\r\n");
    assert_int_equal(count_found(bed), 3);
    assert_int_equal(count_told(bed, PR_CONTENT_COUNT), 3);
}

/* [MS-OXCNOTIF] 2.2.1.1: SearchComplete, with the search folder and no more. */
static void test_who_waits_is_told_that_it_is_complete(void **state)
{
    struct mapi_bed *bed = *state;
    struct rop_register_notification rq = {.events = 0x80, .whole = 1};
    struct rop_register_notification other = {.events = 0x80, .folder = bed->inbox};

    assert_int_equal(mapi_do(bed, ROP_RegisterNotification, LOGON, TABLE, &rq, NULL), EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_RegisterNotification, LOGON, 8, &other, NULL), EC_SUCCESS);
    assert_int_equal(set(bed, &has_apple, bed->inbox, 2), EC_SUCCESS);
    struct wire w = wire_of(bed->rest, &bed->arena);
    assert_int_equal(wire_u8(&w), 0x2A);
    assert_int_equal(wire_u32(&w), bed->handles[TABLE]);
    assert_int_equal(wire_u8(&w), 0);
    assert_int_equal(wire_u16(&w), 0x0080);
    assert_int_equal(wire_u64(&w), found);
    assert_int_equal(w.rest.len, 0);
    assert_int_equal(set(bed, &none, 0, 1), EC_SUCCESS); /* SEARCH_STOP completes nothing */
    assert_int_equal(bed->rest.len, 0);
}

/* ---- frozen ones (3.2.5.4) ---- */

static void assert_found(struct mapi_bed *bed, const char *subjects)
{
    struct prop *rows[10];
    struct buf got = buf_make(1000);

    assert_int_equal(count_told(bed, PR_CONTENT_COUNT), count_found(bed));
    size_t n = query(bed, rows);
    for (size_t i = 0; i < n; i++) {
        bool has = prop_type(rows[i][2].tag) != PROP_ERROR;

        buf_put(&got, i ? S(",") : SLICE_EMPTY);
        buf_put(&got, has ? rows[i][2].value.bytes : S("-"));
    }
    assert_slice(buf_slice(&got), subjects);
    buf_done(&got);
}

/* STATIC_SEARCH: neither what comes nor what goes changes it, until it is searched anew. */
static void test_a_static_search_keeps_what_it_found(void **state)
{
    struct mapi_bed *bed = *state;

    mapi_bed_deliver(bed, "Subject: apple a\r\n\r\nx\r\n");
    mapi_bed_deliver(bed, "Subject: apple b\r\n\r\nx\r\n");
    assert_int_equal(set(bed, &has_apple, bed->inbox, 0x40002), EC_SUCCESS);
    assert_found(bed, "apple a,apple b");
    mapi_bed_deliver(bed, "Subject: apple c\r\n\r\nx\r\n");
    assert_found(bed, "apple a,apple b");
    fixture_expunge(bed->fx, FIXTURE_ALICE, 1, 1);
    assert_found(bed, "-,apple b");
    assert_int_equal(set(bed, &none, 0, 0x40002), EC_SUCCESS);
    assert_found(bed, "apple b,apple c");
    assert_int_equal(set(bed, &none, 0, 2), EC_SUCCESS); /* not static any more */
    mapi_bed_deliver(bed, "Subject: apple d\r\n\r\nx\r\n");
    assert_found(bed, "apple b,apple c,apple d");
}

/* STOP_SEARCH: as it is when it is stopped. */
static void test_a_search_that_was_stopped_keeps_what_it_found(void **state)
{
    struct mapi_bed *bed = *state;

    mapi_bed_deliver(bed, "Subject: apple a\r\n\r\nx\r\n");
    assert_int_equal(set(bed, &has_apple, bed->inbox, 2), EC_SUCCESS);
    assert_int_equal(set(bed, &none, 0, 1), EC_SUCCESS);
    mapi_bed_deliver(bed, "Subject: apple b\r\n\r\nx\r\n");
    assert_found(bed, "apple a");
    assert_int_equal(set(bed, &none, 0, 2), EC_SUCCESS);
    assert_found(bed, "apple a,apple b");
}

/* ---- tables that stay open ---- */

/* What happens elsewhere does not make a table look again, and what is collapsed stays so. */
static void test_what_is_collapsed_stays_so(void **state)
{
    struct mapi_bed *bed = *state;
    const struct sort_order by_subject = {PR_SUBJECT, SORT_ASCENDING};
    struct rop_sort_table sort = {0, {1, 1, 1, &by_subject}};
    const struct rop_collapse_row_reply *reply;
    struct rop_collapse_row collapse = {0};
    static const uint32_t columns[] = {PR_INST_ID};
    struct rop_set_columns set_columns = {0, {1, columns}};
    const struct rop_query_rows_reply *rows;

    mapi_bed_deliver(bed, "Subject: apple a\r\n\r\nx\r\n");
    assert_int_equal(set(bed, &has_apple, bed->inbox, 2), EC_SUCCESS);
    assert_int_equal(count_found(bed), 1);
    assert_int_equal(mapi_do(bed, ROP_SortTable, TABLE, 0, &sort, NULL), EC_SUCCESS);
    bed->columns = set_columns.columns;
    assert_int_equal(mapi_do(bed, ROP_SetColumns, TABLE, 0, &set_columns, NULL), EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_QueryRows, TABLE, 0, &(struct rop_query_rows){1, 1, 1},
                             (const void **)&rows),
                     EC_SUCCESS);
    assert_int_equal(rows->rows.n, 1);
    memcpy(&collapse.category, rows->rows.bytes.ptr + 1, 8);
    assert_int_equal(mapi_do(bed, ROP_CollapseRow, TABLE, 0, &collapse, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->collapsed, 1);
    mapi_bed_deliver(bed, "Subject: apple a\r\n\r\nx\r\n"); /* under the same header */
    assert_int_equal(mapi_do(bed, ROP_CollapseRow, TABLE, 0, &collapse, NULL), EC_NOT_EXPANDED);
    assert_int_equal(mapi_do(bed, ROP_QueryRows, TABLE, 0, &(struct rop_query_rows){1, 1, 9},
                             (const void **)&rows),
                     EC_SUCCESS);
    assert_int_equal(rows->rows.n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_criteria_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_looked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_messages_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folders_below_are_looked_at_if_it_is_wished, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_is_found_is_sorted_and_restricted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_is_found_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_waits_is_told_that_it_is_complete, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_static_search_keeps_what_it_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_search_that_was_stopped_keeps_what_it_found, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_is_collapsed_stays_so, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
