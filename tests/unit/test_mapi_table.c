/* Tables: [MS-OXCTABL], by what a client sees. */
#include "base/mem.h"
#include "protocols/mapi/notification.h"
#include "protocols/mapi/table_int.h"
#include "store/access.h"
#include "tests/support/mapi.h"

enum { LOGON, INBOX, TABLE, SUBTREE, OTHER };

static const uint32_t the_columns[] = {PR_MID, PR_SUBJECT, PR_MESSAGE_SIZE, PR_REPLY_TIME};

static void open_inbox(struct mapi_bed *bed)
{
    mapi_bed_logon(bed);
    assert_int_equal(mapi_do(bed, ROP_OpenFolder, LOGON, INBOX,
                             &(struct rop_open_folder){.folder = bed->inbox}, NULL),
                     EC_SUCCESS);
}

static uint32_t open_contents(struct mapi_bed *bed, uint8_t flags)
{
    const void *reply;

    assert_int_equal(mapi_do(bed, ROP_GetContentsTable, INBOX, TABLE,
                             &(struct rop_get_contents_table){flags}, &reply),
                     EC_SUCCESS);
    return ((const struct rop_get_contents_table_reply *)reply)->rows;
}

static uint32_t set_columns(struct mapi_bed *bed, const uint32_t *tags, size_t n)
{
    bed->columns = (struct rop_numbers){n, tags};
    return mapi_do(bed, ROP_SetColumns, TABLE, 0, &(struct rop_set_columns){.columns = {n, tags}},
                   NULL);
}

static int setup(void **state)
{
    struct mapi_bed *bed = mapi_bed_new();

    open_inbox(bed);
    *state = bed;
    return 0;
}

static int teardown(void **state)
{
    mapi_bed_free(*state);
    return 0;
}

static uint64_t deliver(struct mapi_bed *bed, const char *from, const char *subject)
{
    char text[1000];

    snprintf(text, sizeof text, "From: %s\r\nSubject: %s\r\n\r\nhello\r\n", from, subject);
    return mapi_bed_deliver(bed, text);
}

static void sort_by(struct mapi_bed *bed, const struct sort_order *orders, size_t n,
                    uint16_t categories, uint16_t expanded)
{
    assert_int_equal(mapi_do(bed, ROP_SortTable, TABLE, 0,
                             &(struct rop_sort_table){.orders = {n, categories, expanded, orders}},
                             NULL),
                     EC_SUCCESS);
}

/* ---- reading rows ---- */

struct got {
    uint8_t origin;
    size_t n;
    struct prop *rows[100];
};

static uint32_t query(struct mapi_bed *bed, uint8_t flags, bool forward, uint16_t n,
                      struct got *got)
{
    const void *fields;
    uint32_t ec =
        mapi_do(bed, ROP_QueryRows, TABLE, 0, &(struct rop_query_rows){flags, forward, n}, &fields);

    if (ec)
        return ec;
    const struct rop_query_rows_reply *reply = fields;
    struct wire w = wire_of(reply->rows.bytes, &bed->arena);
    struct value_form form = {.codepage = 1252};

    got->origin = reply->origin;
    got->n = reply->rows.n;
    assert_true(got->n <= 100);
    for (size_t i = 0; i < got->n; i++)
        assert_true(row_read(&w, &form, bed->columns.items, bed->columns.n, &got->rows[i]));
    assert_int_equal(w.rest.len, 0);
    return EC_SUCCESS;
}

/* The second column of the rows from the cursor on, joined by commas. */
static const char *subjects(struct mapi_bed *bed)
{
    static char text[1000];
    struct got got = {0};

    text[0] = '\0';
    assert_int_equal(query(bed, 0, true, 100, &got), EC_SUCCESS);
    for (size_t i = 0; i < got.n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%.*s", i ? "," : "",
                 prop_type(got.rows[i][1].tag) == PROP_ERROR ? 1
                                                             : (int)got.rows[i][1].value.bytes.len,
                 prop_type(got.rows[i][1].tag) == PROP_ERROR
                     ? "-"
                     : (const char *)got.rows[i][1].value.bytes.ptr);
    return text;
}

static void to_top(struct mapi_bed *bed)
{
    assert_int_equal(mapi_do(bed, ROP_SeekRow, TABLE, 0, &(struct rop_seek_row){0, 0, 0}, NULL),
                     EC_SUCCESS);
}

static void position(struct mapi_bed *bed, uint32_t at, uint32_t of)
{
    const void *fields;

    assert_int_equal(
        mapi_do(bed, ROP_QueryPosition, TABLE, 0, &(struct rop_query_position){}, &fields),
        EC_SUCCESS);
    const struct rop_query_position_reply *reply = fields;

    assert_int_equal(reply->numerator, at);
    assert_int_equal(reply->denominator, of);
}

static struct rop_restriction restriction_of(struct mapi_bed *bed, const struct restriction *r)
{
    struct value_form form = {.codepage = 1252};
    struct buf made = buf_make(10000);

    restriction_put(&made, &form, r);
    struct rop_restriction out = {.root = r, .bytes = arena_slice(&bed->arena, buf_slice(&made))};

    buf_done(&made);
    return out;
}

static uint32_t restrict_to(struct mapi_bed *bed, const struct restriction *r)
{
    struct rop_restrict_table rq = {0};

    if (r)
        rq.restriction = restriction_of(bed, r);
    return mapi_do(bed, ROP_Restrict, TABLE, 0, &rq, NULL);
}

static const struct restriction subject_has_b = {
    .kind = RESTRICTION_CONTENT,
    .fuzzy_low = 1,
    .fuzzy_high = 1,
    .tag = PR_SUBJECT,
    .value = {PR_SUBJECT, {.bytes = {(const uint8_t *)"B", 1}}},
};

/* ---- */

/* 3.2.5.5 */
static void rows_are_read_in_the_order_of_the_store(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t first = deliver(bed, "a@x", "one");
    struct got got = {0};

    deliver(bed, "b@x", "two");
    deliver(bed, "c@x", "three");
    assert_int_equal(open_contents(bed, 0), 3);
    assert_int_equal(set_columns(bed, the_columns, 4), EC_SUCCESS);
    assert_int_equal(query(bed, 0, true, 2, &got), EC_SUCCESS);
    assert_int_equal(got.n, 2);
    assert_int_equal(got.origin, 1); /* BOOKMARK_CURRENT: there are more */
    assert_int_equal(got.rows[0][0].value.number, first);
    assert_true(slice_eq(got.rows[1][1].value.bytes, S("two")));
    /* what a message lacks is ecNotFound */
    assert_int_equal(prop_type(got.rows[0][3].tag), PROP_ERROR);
    assert_int_equal(got.rows[0][3].value.number, EC_NOT_FOUND);
    position(bed, 2, 3);
    assert_int_equal(query(bed, 0, true, 2, &got), EC_SUCCESS);
    assert_int_equal(got.n, 1);
    assert_int_equal(got.origin, 2); /* BOOKMARK_END */
    assert_int_equal(query(bed, 0, true, 2, &got), EC_SUCCESS);
    assert_int_equal(got.n, 0);
    assert_int_equal(got.origin, 2);
    /* backwards: those before the cursor, in the table's order */
    assert_int_equal(query(bed, 0, false, 2, &got), EC_SUCCESS);
    assert_int_equal(got.n, 2);
    assert_int_equal(got.origin, 1);
    assert_true(slice_eq(got.rows[0][1].value.bytes, S("two")));
    assert_int_equal(query(bed, 1, false, 5, &got), EC_SUCCESS); /* NoAdvance */
    assert_int_equal(got.n, 1);
    assert_int_equal(got.origin, 0); /* BOOKMARK_BEGINNING */
    position(bed, 1, 3);
}

static void without_columns_there_is_nothing_to_read(void **state)
{
    struct mapi_bed *bed = *state;
    const uint8_t needs[] = {ROP_QueryRows,        ROP_FindRow,        ROP_ExpandRow,
                             ROP_CollapseRow,      ROP_FreeBookmark,   ROP_GetCollapseState,
                             ROP_SetCollapseState, ROP_SeekRowBookmark};
    static const uint8_t zero[256];

    open_contents(bed, 0);
    for (size_t i = 0; i < sizeof needs; i++) /* 3.2.5.2 */
        assert_int_equal(mapi_do(bed, needs[i], TABLE, 0, zero, NULL), EC_NULL_OBJECT);
    /* a failure leaves no columns */
    assert_int_equal(set_columns(bed, the_columns, 4), EC_SUCCESS);
    assert_int_equal(set_columns(bed, (const uint32_t[]){0x00370000}, 1), EC_INVALID_PARAMETER);
    assert_int_equal(mapi_do(bed, ROP_QueryRows, TABLE, 0, zero, NULL), EC_NULL_OBJECT);
}

static void columns_have_types(void **state)
{
    struct mapi_bed *bed = *state;
    static const uint32_t bad[] = {0x00370000, 0x0037000A, 0x00370001,
                                   0x0037FFFF, 0x0037201F, 0x0037100B};

    open_contents(bed, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(set_columns(bed, &bad[i], 1), EC_INVALID_PARAMETER);
    assert_int_equal(set_columns(bed, NULL, 0), EC_INVALID_PARAMETER);
}

/* 2.2.2.5.2: 510 bytes, and no half character. */
static void long_values_are_cut(void **state)
{
    struct mapi_bed *bed = *state;
    static const uint32_t tags[] = {PR_SUBJECT, 0x0037001E};
    struct buf text = buf_make(2000);
    struct got got = {0};

    buf_puts(&text, "Subject: ");
    for (int i = 0; i < 300; i++)
        buf_puts(&text, "\xC3\xA4");
    buf_puts(&text, "\r\n\r\nx");
    buf_putc(&text, 0);
    mapi_bed_deliver(bed, (const char *)buf_slice(&text).ptr);
    buf_done(&text);
    open_contents(bed, 0);
    assert_int_equal(set_columns(bed, tags, 2), EC_SUCCESS);
    assert_int_equal(query(bed, 0, true, 1, &got), EC_SUCCESS);
    assert_int_equal(got.rows[0][0].value.bytes.len, 2 * 254); /* 254 units and NUL: 510 bytes */
    assert_int_equal(got.rows[0][1].value.bytes.len, 2 * 300); /* 301 bytes of windows-1252 */
}

static void tables_see_what_comes_and_goes(void **state)
{
    struct mapi_bed *bed = *state;
    struct got got = {0};

    deliver(bed, "a@x", "one");
    deliver(bed, "a@x", "two");
    open_contents(bed, 0);
    assert_int_equal(set_columns(bed, the_columns, 2), EC_SUCCESS);
    assert_string_equal(subjects(bed), "one,two");
    deliver(bed, "a@x", "three");
    assert_string_equal(subjects(bed), "three");
    to_top(bed);
    assert_int_equal(query(bed, 0, true, 1, &got), EC_SUCCESS);
    /* the first goes: the cursor stays on the second */
    struct store_expunge rq;

    store_expunge_init(&rq);
    rq.fid = fixture_inbox(bed->mailbox);
    uidset_add(&rq.uids, 1, 1);
    assert_ok(store_run(bed->mailbox, &rq.op));
    uidset_done(&rq.uids);
    uidset_done(&rq.expunged);
    position(bed, 0, 2);
    assert_string_equal(subjects(bed), "two,three");
}

static void tables_are_sorted(void **state)
{
    struct mapi_bed *bed = *state;
    const struct sort_order up[] = {{PR_SUBJECT, SORT_ASCENDING}};
    const struct sort_order down[] = {{PR_SUBJECT, SORT_DESCENDING}};
    const struct sort_order two[] = {{PR_SENDER_NAME, SORT_DESCENDING},
                                     {PR_SUBJECT, SORT_ASCENDING}};

    deliver(bed, "a@x", "banana");
    deliver(bed, "b@x", "Apple");
    deliver(bed, "a@x", "cherry");
    open_contents(bed, 0);
    assert_int_equal(set_columns(bed, the_columns, 2), EC_SUCCESS);
    sort_by(bed, up, 1, 0, 0);
    assert_string_equal(subjects(bed), "Apple,banana,cherry");
    /* new ones go where they belong, and the cursor stays at the end */
    deliver(bed, "c@x", "apricot");
    position(bed, 4, 4);
    to_top(bed);
    assert_string_equal(subjects(bed), "Apple,apricot,banana,cherry");
    sort_by(bed, down, 1, 0, 0);
    assert_string_equal(subjects(bed), "cherry,banana,apricot,Apple");
    sort_by(bed, two, 2, 0, 0);
    assert_string_equal(subjects(bed), "apricot,Apple,banana,cherry");
    sort_by(bed, NULL, 0, 0, 0);
    assert_string_equal(subjects(bed), "banana,Apple,cherry,apricot");
}

static void the_cursor_of_a_sorted_table_stays_on_its_row(void **state)
{
    struct mapi_bed *bed = *state;
    const struct sort_order up[] = {{PR_SUBJECT, SORT_ASCENDING}};
    struct got got = {0};

    deliver(bed, "a@x", "m");
    deliver(bed, "a@x", "z");
    open_contents(bed, 0);
    assert_int_equal(set_columns(bed, the_columns, 2), EC_SUCCESS);
    sort_by(bed, up, 1, 0, 0);
    assert_int_equal(query(bed, 0, true, 1, &got), EC_SUCCESS);
    deliver(bed, "a@x", "a");
    deliver(bed, "a@x", "n");
    position(bed, 3, 4);
    assert_string_equal(subjects(bed), "z");
}

static void tables_are_restricted(void **state)
{
    struct mapi_bed *bed = *state;
    const struct restriction regex = {.kind = RESTRICTION_PROPERTY,
                                      .relop = RELOP_RE,
                                      .tag = PR_SUBJECT,
                                      .value = subject_has_b.value};

    deliver(bed, "a@x", "banana");
    deliver(bed, "a@x", "cherry");
    deliver(bed, "a@x", "Blue");
    open_contents(bed, 0);
    assert_int_equal(set_columns(bed, the_columns, 2), EC_SUCCESS);
    assert_int_equal(restrict_to(bed, &subject_has_b), EC_SUCCESS);
    position(bed, 0, 2);
    assert_string_equal(subjects(bed), "banana,Blue");
    deliver(bed, "a@x", "bread");
    deliver(bed, "a@x", "milk");
    assert_string_equal(subjects(bed), "bread");
    assert_int_equal(restrict_to(bed, &regex), EC_TOO_COMPLEX);
    to_top(bed);
    assert_string_equal(subjects(bed), "banana,Blue,bread");
    assert_int_equal(restrict_to(bed, NULL), EC_SUCCESS);
    position(bed, 0, 5);
}

static void rows_are_found(void **state)
{
    struct mapi_bed *bed = *state;
    const void *fields;

    deliver(bed, "a@x", "banana");
    deliver(bed, "a@x", "cherry");
    deliver(bed, "a@x", "Blue");
    open_contents(bed, 0);
    assert_int_equal(set_columns(bed, the_columns, 2), EC_SUCCESS);
    struct rop_find_row rq = {.restriction = restriction_of(bed, &subject_has_b), .origin = 0};

    assert_int_equal(mapi_do(bed, ROP_FindRow, TABLE, 0, &rq, &fields), EC_SUCCESS);
    const struct rop_find_row_reply *reply = fields;
    assert_true(reply->has_row);
    assert_false(reply->gone);
    position(bed, 0, 3);
    rq.restriction = restriction_of(bed, &subject_has_b);
    rq.origin = 2;
    rq.flags = 1; /* from the end, backwards */
    assert_int_equal(mapi_do(bed, ROP_FindRow, TABLE, 0, &rq, NULL), EC_SUCCESS);
    position(bed, 2, 3);
    rq.restriction =
        restriction_of(bed, &(struct restriction){.kind = RESTRICTION_EXIST, .tag = PR_REPLY_TIME});
    assert_int_equal(mapi_do(bed, ROP_FindRow, TABLE, 0, &rq, NULL), EC_NOT_FOUND);
    rq.restriction = restriction_of(bed, &subject_has_b);
    rq.origin = 3;
    rq.bookmark = S("\1\0\0\0");
    assert_int_equal(mapi_do(bed, ROP_FindRow, TABLE, 0, &rq, NULL), EC_INVALID_BOOKMARK);
}

/* 3.2.5.9, 3.2.5.11 */
static void the_cursor_is_moved(void **state)
{
    struct mapi_bed *bed = *state;
    static const struct {
        uint8_t origin;
        int32_t n, sought;
        bool less;
        uint32_t at;
    } cases[] = {
        {0, 2, 2, false, 2},   {1, -1, -1, false, 1},       {1, -5, -1, true, 0},
        {2, -1, -1, false, 3}, {2, 1, 0, true, 4},          {0, -1, 0, true, 0},
        {0, 9, 4, true, 4},    {1, INT32_MIN, -4, true, 0}, {0, INT32_MAX, 4, true, 4},
    };
    const void *fields;

    for (int i = 0; i < 4; i++)
        deliver(bed, "a@x", "s");
    open_contents(bed, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(mapi_do(bed, ROP_SeekRow, TABLE, 0,
                                 &(struct rop_seek_row){cases[i].origin, cases[i].n, 1}, &fields),
                         EC_SUCCESS);
        const struct rop_seek_row_reply *reply = fields;

        assert_int_equal(reply->sought, cases[i].sought);
        assert_int_equal(reply->sought_less, cases[i].less);
        position(bed, cases[i].at, 4);
    }
    assert_int_equal(
        mapi_do(bed, ROP_SeekRowFractional, TABLE, 0, &(struct rop_seek_fraction){1, 2}, NULL),
        EC_SUCCESS);
    position(bed, 2, 4);
    assert_int_equal(
        mapi_do(bed, ROP_SeekRowFractional, TABLE, 0, &(struct rop_seek_fraction){7, 3}, NULL),
        EC_SUCCESS);
    position(bed, 4, 4);
    assert_int_equal(
        mapi_do(bed, ROP_SeekRowFractional, TABLE, 0, &(struct rop_seek_fraction){0, 0}, NULL),
        EC_INVALID_BOOKMARK);
    assert_int_equal(mapi_do(bed, ROP_SeekRow, TABLE, 0, &(struct rop_seek_row){3, 0, 1}, NULL),
                     EC_INVALID_PARAMETER);
}

static void bookmarks_stay_with_their_rows(void **state)
{
    struct mapi_bed *bed = *state;
    const struct sort_order up[] = {{PR_SUBJECT, SORT_ASCENDING}};
    uint8_t bytes[4];
    const void *fields;

    deliver(bed, "a@x", "m");
    deliver(bed, "a@x", "z");
    open_contents(bed, 0);
    assert_int_equal(set_columns(bed, the_columns, 2), EC_SUCCESS);
    sort_by(bed, up, 1, 0, 0);
    assert_int_equal(
        mapi_do(bed, ROP_CreateBookmark, TABLE, 0, &(struct rop_create_bookmark){}, &fields),
        EC_SUCCESS);
    const struct rop_create_bookmark_reply *made = fields;

    assert_int_equal(made->bookmark.len, sizeof bytes);
    memcpy(bytes, made->bookmark.ptr, sizeof bytes);
    deliver(bed, "a@x", "a");
    struct rop_seek_bookmark rq = {.bookmark = {bytes, 4}, .n = 0, .want_moved = 1};

    assert_int_equal(mapi_do(bed, ROP_SeekRowBookmark, TABLE, 0, &rq, &fields), EC_SUCCESS);
    assert_false(((const struct rop_seek_bookmark_reply *)fields)->gone);
    position(bed, 1, 3);
    /* its row goes: it is the next one's */
    struct store_expunge gone;

    store_expunge_init(&gone);
    gone.fid = fixture_inbox(bed->mailbox);
    uidset_add(&gone.uids, 1, 1);
    assert_ok(store_run(bed->mailbox, &gone.op));
    uidset_done(&gone.uids);
    uidset_done(&gone.expunged);
    assert_int_equal(mapi_do(bed, ROP_SeekRowBookmark, TABLE, 0, &rq, &fields), EC_SUCCESS);
    assert_true(((const struct rop_seek_bookmark_reply *)fields)->gone);
    position(bed, 1, 2);
    assert_string_equal(subjects(bed), "z");
    struct rop_free_bookmark free_it = {.bookmark = {bytes, 4}};

    assert_int_equal(mapi_do(bed, ROP_FreeBookmark, TABLE, 0, &free_it, NULL), EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_FreeBookmark, TABLE, 0, &free_it, NULL), EC_INVALID_BOOKMARK);
    /* nothing behind it is done (3.2.5.10) */
    mapi_ask(bed, ROP_SeekRowBookmark, TABLE, 0, &rq);
    mapi_ask(bed, ROP_GetStatus, TABLE, 0, &(struct rop_get_status){});
    mapi_run(bed);
    assert_int_equal(bed->n, 1);
    assert_int_equal(mapi_reply(bed, 0)->error, EC_INVALID_BOOKMARK);
}

static void sorting_and_resetting_make_bookmarks_invalid(void **state)
{
    struct mapi_bed *bed = *state;
    struct rop_seek_bookmark rq = {.bookmark = S("\1\0\0\0"), .want_moved = 1};
    static const uint8_t zero[256];

    deliver(bed, "a@x", "m");
    open_contents(bed, 0);
    assert_int_equal(set_columns(bed, the_columns, 2), EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_CreateBookmark, TABLE, 0, zero, NULL), EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_SeekRowBookmark, TABLE, 0, &rq, NULL), EC_SUCCESS);
    sort_by(bed, NULL, 0, 0, 0);
    assert_int_equal(mapi_do(bed, ROP_SeekRowBookmark, TABLE, 0, &rq, NULL), EC_INVALID_BOOKMARK);
    assert_int_equal(mapi_do(bed, ROP_ResetTable, TABLE, 0, zero, NULL), EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_QueryRows, TABLE, 0, zero, NULL), EC_NULL_OBJECT);
    /* 3.2.5.10: one that became invalid is that; of one that never was nothing is known */
    assert_int_equal(mapi_do(bed, ROP_SeekRowBookmark, TABLE, 0, &rq, NULL), EC_INVALID_BOOKMARK);
    rq.bookmark = S("\7\0\0\0");
    assert_int_equal(mapi_do(bed, ROP_SeekRowBookmark, TABLE, 0, &rq, NULL), EC_NULL_OBJECT);
}

/* 3.2.5.6, 3.2.5.7, 3.2.5.13 */
static void what_else_is_asked(void **state)
{
    struct mapi_bed *bed = *state;
    static const uint8_t zero[256];
    const void *fields;

    open_contents(bed, 0);
    assert_int_equal(mapi_do(bed, ROP_Abort, TABLE, 0, zero, NULL), EC_UNABLE_TO_ABORT);
    assert_int_equal(mapi_do(bed, ROP_GetStatus, TABLE, 0, zero, &fields), EC_SUCCESS);
    assert_int_equal(((const struct rop_get_status_reply *)fields)->status, 0);
    assert_int_equal(mapi_do(bed, ROP_QueryColumnsAll, TABLE, 0, zero, &fields), EC_SUCCESS);
    assert_true(((const struct rop_query_columns_reply *)fields)->columns.n > 50);
    assert_int_equal(mapi_do(bed, ROP_QueryRows, INBOX, 0, zero, NULL), EC_NOT_SUPPORTED);
    assert_int_equal(
        mapi_do(bed, ROP_GetContentsTable, INBOX, TABLE, &(struct rop_get_contents_table){1}, NULL),
        EC_INVALID_PARAMETER);
    assert_int_equal(mapi_do(bed, ROP_GetHierarchyTable, INBOX, TABLE,
                             &(struct rop_get_hierarchy_table){2}, NULL),
                     EC_INVALID_PARAMETER);
    assert_int_equal(
        mapi_do(bed, ROP_GetContentsTable, LOGON, TABLE, &(struct rop_get_contents_table){0}, NULL),
        EC_NOT_SUPPORTED);
}

/* As many rows as there is room for, and at least one or ecBufferTooSmall. */
static void a_small_buffer_takes_some_rows(void **state)
{
    struct mapi_bed *bed = *state;
    struct got got = {0};

    for (int i = 0; i < 20; i++)
        deliver(bed, "a@x", "a subject that takes some room in a row");
    open_contents(bed, 0);
    assert_int_equal(set_columns(bed, the_columns, 2), EC_SUCCESS);
    bed->max_out = 600;
    assert_int_equal(query(bed, 0, true, 20, &got), EC_SUCCESS);
    assert_true(got.n > 0 && got.n < 20);
    assert_int_equal(got.origin, 1);
    position(bed, (uint32_t)got.n, 20);
    size_t n = got.n;

    assert_int_equal(query(bed, 0, false, 20, &got), EC_SUCCESS);
    assert_int_equal(got.n, n);
    position(bed, 0, 20);
    bed->max_out = 225;
    assert_int_equal(query(bed, 0, true, 20, &got), EC_BUFFER_TOO_SMALL);
}

/* ---- categories ---- */

static const uint32_t category_columns[] = {
    PR_INST_ID, PR_SENDER_EMAIL,        0x0FF50003, 0x30050003, PR_CONTENT_COUNT,
    PR_SUBJECT, PR_CONTENT_UNREAD_COUNT};
static const struct sort_order by_sender[] = {{PR_SENDER_EMAIL, SORT_ASCENDING},
                                              {PR_SUBJECT, SORT_DESCENDING}};

/* "3:a@x/2" is a header: row type, value, count; "1:-:subject" a leaf. */
static const char *shape(struct mapi_bed *bed)
{
    static char text[1000];
    struct got got = {0};

    to_top(bed);
    text[0] = '\0';
    assert_int_equal(query(bed, 0, true, 100, &got), EC_SUCCESS);
    for (size_t i = 0; i < got.n; i++) {
        const struct prop *r = got.rows[i];
        char *end = text + strlen(text);
        size_t room = sizeof text - strlen(text);

        if (r[2].value.number == 1)
            snprintf(end, room, " %.*s", SLICE_ARG(r[5].value.bytes));
        else
            snprintf(end, room, " %d:%.*s/%d", (int)r[2].value.number, SLICE_ARG(r[1].value.bytes),
                     (int)r[4].value.number);
    }
    return text;
}

static uint64_t header(struct mapi_bed *bed, size_t at)
{
    struct got got = {0};

    to_top(bed);
    assert_int_equal(query(bed, 0, true, 100, &got), EC_SUCCESS);
    return (uint64_t)got.rows[at][0].value.number;
}

static void open_categorized(struct mapi_bed *bed, uint16_t expanded)
{
    deliver(bed, "b@x", "one");
    deliver(bed, "a@x", "two");
    deliver(bed, "b@x", "three");
    open_contents(bed, 0);
    assert_int_equal(set_columns(bed, category_columns, 7), EC_SUCCESS);
    sort_by(bed, by_sender, 2, 1, expanded);
}

static void categories_have_header_rows(void **state)
{
    struct mapi_bed *bed = *state;
    struct got got = {0};

    open_categorized(bed, 1);
    assert_string_equal(shape(bed), " 3:a@x/1 two 3:b@x/2 three one");
    position(bed, 5, 5);
    to_top(bed);
    assert_int_equal(query(bed, 0, true, 5, &got), EC_SUCCESS);
    assert_int_equal(got.rows[2][3].value.number, 0); /* PidTagDepth */
    assert_int_equal(got.rows[3][3].value.number, 1);
    assert_int_equal(got.rows[2][6].value.number, 2); /* unread */
    /* new ones come into their categories, or make new ones */
    deliver(bed, "a@x", "four");
    deliver(bed, "c@x", "five");
    assert_string_equal(shape(bed), " 3:a@x/2 two four 3:b@x/2 three one 3:c@x/1 five");
}

/* 3.2.5.17, 3.2.5.18 */
static void categories_are_expanded_and_collapsed(void **state)
{
    struct mapi_bed *bed = *state;
    const void *fields;

    open_categorized(bed, 0);
    assert_string_equal(shape(bed), " 4:a@x/1 4:b@x/2");
    struct rop_expand_row expand = {.most = 1, .category = header(bed, 1)};

    assert_int_equal(mapi_do(bed, ROP_ExpandRow, TABLE, 0, &expand, &fields), EC_SUCCESS);
    const struct rop_expand_row_reply *reply = fields;
    assert_int_equal(reply->expanded, 2);
    assert_int_equal(reply->rows.n, 1);
    assert_string_equal(shape(bed), " 4:a@x/1 3:b@x/2 three one");
    assert_int_equal(mapi_do(bed, ROP_ExpandRow, TABLE, 0, &expand, NULL), 0x000004F8);
    struct rop_collapse_row collapse = {.category = header(bed, 1)};

    assert_int_equal(mapi_do(bed, ROP_CollapseRow, TABLE, 0, &collapse, &fields), EC_SUCCESS);
    assert_int_equal(((const struct rop_collapse_row_reply *)fields)->collapsed, 2);
    assert_string_equal(shape(bed), " 4:a@x/1 4:b@x/2");
    assert_int_equal(mapi_do(bed, ROP_CollapseRow, TABLE, 0, &collapse, NULL), 0x000004F7);
    collapse.category = 12345;
    assert_int_equal(mapi_do(bed, ROP_CollapseRow, TABLE, 0, &collapse, NULL), EC_NOT_FOUND);
    expand.category = mapi_id(1);
    assert_int_equal(mapi_do(bed, ROP_ExpandRow, TABLE, 0, &expand, NULL), EC_NOT_FOUND);
}

/* 3.2.5.19, 3.2.5.20 */
static void what_is_collapsed_is_told_and_set(void **state)
{
    struct mapi_bed *bed = *state;
    uint8_t bytes[200];
    const void *fields;

    open_categorized(bed, 1);
    uint64_t b = header(bed, 2);

    assert_int_equal(
        mapi_do(bed, ROP_CollapseRow, TABLE, 0, &(struct rop_collapse_row){header(bed, 0)}, NULL),
        EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_GetCollapseState, TABLE, 0,
                             &(struct rop_get_collapse_state){b, 0}, &fields),
                     EC_SUCCESS);
    struct slice told = ((const struct rop_get_collapse_state_reply *)fields)->state;

    assert_true(told.len <= sizeof bytes);
    memcpy(bytes, told.ptr, told.len);
    struct slice kept = {bytes, told.len};

    /* another table of the same order */
    open_contents(bed, 0);
    assert_int_equal(set_columns(bed, category_columns, 7), EC_SUCCESS);
    assert_int_equal(
        mapi_do(bed, ROP_SetCollapseState, TABLE, 0, &(struct rop_set_collapse_state){kept}, NULL),
        EC_INVALID_PARAMETER);
    sort_by(bed, by_sender, 2, 1, 1);
    assert_int_equal(mapi_do(bed, ROP_SetCollapseState, TABLE, 0,
                             &(struct rop_set_collapse_state){kept}, &fields),
                     EC_SUCCESS);
    assert_int_equal(((const struct rop_set_collapse_state_reply *)fields)->bookmark.len, 4);
    position(bed, 1, 4); /* on the row that was named */
    assert_string_equal(shape(bed), " 4:a@x/1 3:b@x/2 three one");
    for (size_t i = 0; i < kept.len; i++) /* cut short it is nothing, and does no harm */
        (void)mapi_do(bed, ROP_SetCollapseState, TABLE, 0,
                      &(struct rop_set_collapse_state){slice_head(kept, i)}, NULL);
}

/* [MS-OXCDATA] 2.13.1: categories in the order of their greatest value. */
static void categories_come_by_their_greatest(void **state)
{
    struct mapi_bed *bed = *state;
    const struct sort_order orders[] = {{PR_SENDER_EMAIL, SORT_DESCENDING},
                                        {PR_INTERNET_ARTICLE_NUMBER, SORT_MAXIMUM_CATEGORY},
                                        {PR_SUBJECT, SORT_ASCENDING}};

    deliver(bed, "b@x", "1");
    deliver(bed, "a@x", "2");
    deliver(bed, "c@x", "3");
    deliver(bed, "b@x", "0");
    open_contents(bed, 0);
    assert_int_equal(set_columns(bed, category_columns, 7), EC_SUCCESS);
    sort_by(bed, orders, 3, 1, 1);
    assert_string_equal(shape(bed), " 3:b@x/2 0 1 3:c@x/1 3 3:a@x/1 2");
    deliver(bed, "a@x", "9");
    assert_string_equal(shape(bed), " 3:a@x/2 2 9 3:b@x/2 0 1 3:c@x/1 3");
}

static void orders_that_make_no_sense_are_refused(void **state)
{
    struct mapi_bed *bed = *state;
    const struct sort_order subject = {PR_SUBJECT, SORT_ASCENDING};
    const struct rop_orders bad[] = {
        {1, 2, 0, &subject},
        {1, 0, 1, &subject},
        {1, 0, 0, &(struct sort_order){PR_SUBJECT, 3}},
        {1, 0, 0, &(struct sort_order){PR_SUBJECT, SORT_MAXIMUM_CATEGORY}},
        {1, 0, 0, &(struct sort_order){0x00370000, SORT_ASCENDING}},
    };

    open_contents(bed, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(
            mapi_do(bed, ROP_SortTable, TABLE, 0, &(struct rop_sort_table){0, bad[i]}, NULL),
            EC_INVALID_PARAMETER);
}

/* ---- hierarchies ---- */

static void a_hierarchy_shows_folders(void **state)
{
    struct mapi_bed *bed = *state;
    static const uint32_t tags[] = {PR_FOLDER_ID, PR_DISPLAY_NAME, 0x30050003};
    const struct restriction named = {
        .kind = RESTRICTION_PROPERTY,
        .relop = RELOP_EQ,
        .tag = PR_DISPLAY_NAME,
        .value = {PR_DISPLAY_NAME, {.bytes = {(const uint8_t *)"inbox", 5}}}};
    static const uint8_t zero[256];
    const void *fields;

    assert_int_equal(mapi_do(bed, ROP_OpenFolder, LOGON, SUBTREE,
                             &(struct rop_open_folder){.folder = bed->folders[3]}, NULL),
                     EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_GetHierarchyTable, SUBTREE, TABLE,
                             &(struct rop_get_hierarchy_table){0x04}, &fields),
                     EC_SUCCESS);
    uint32_t n = ((const struct rop_get_hierarchy_table_reply *)fields)->rows;

    assert_true(n >= 4);
    assert_int_equal(set_columns(bed, tags, 3), EC_SUCCESS);
    struct got got = {0};

    assert_int_equal(query(bed, 0, true, 100, &got), EC_SUCCESS);
    assert_int_equal(got.n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(got.rows[i][2].value.number, 1);
    assert_int_equal(restrict_to(bed, &named), EC_SUCCESS);
    assert_int_equal(query(bed, 0, true, 100, &got), EC_SUCCESS);
    assert_int_equal(got.n, 1);
    assert_int_equal(got.rows[0][0].value.number, bed->inbox);
    /* 3.2.5.3, 3.2.5.16 - 3.2.5.20: of contents tables alone */
    assert_int_equal(mapi_do(bed, ROP_SortTable, TABLE, 0, zero, NULL), EC_NOT_SUPPORTED);
    assert_int_equal(mapi_do(bed, ROP_ResetTable, TABLE, 0, zero, NULL), EC_NOT_SUPPORTED);
    assert_int_equal(mapi_do(bed, ROP_ExpandRow, TABLE, 0, zero, NULL), EC_NOT_SUPPORTED);
    assert_int_equal(mapi_do(bed, ROP_CollapseRow, TABLE, 0, zero, NULL), EC_NOT_SUPPORTED);
    assert_int_equal(mapi_do(bed, ROP_GetCollapseState, TABLE, 0, zero, NULL), EC_NOT_SUPPORTED);
    assert_int_equal(mapi_do(bed, ROP_Abort, TABLE, 0, zero, NULL), EC_UNABLE_TO_ABORT);
}

/* ---- associated messages, many rows, instances ---- */

static void a_folder_without_associated_messages_has_an_empty_table(void **state)
{
    struct mapi_bed *bed = *state;

    deliver(bed, "a@x", "one");
    assert_int_equal(open_contents(bed, 0x02), 0);
    assert_int_equal(set_columns(bed, the_columns, 2), EC_SUCCESS);
    assert_string_equal(subjects(bed), "");
    sort_by(bed, by_sender, 2, 1, 1);
    position(bed, 0, 0);
    assert_int_equal(open_contents(bed, 0x20), 0);
}

/* More than is done in one turn, sorted: the order of the store, upside down. */
static void many_rows_are_sorted_in_turns(void **state)
{
    enum { MANY = 45000 };
    struct mapi_bed *bed = *state;
    const struct sort_order down[] = {{PR_INTERNET_ARTICLE_NUMBER, SORT_DESCENDING}};
    static const uint32_t tags[] = {PR_INTERNET_ARTICLE_NUMBER};
    struct got got = {0};

    fixture_deliver_many(bed->fx, FIXTURE_ALICE, S("Subject: x\r\n\r\ny\r\n"), MANY);
    assert_int_equal(open_contents(bed, 0), MANY);
    assert_int_equal(set_columns(bed, tags, 1), EC_SUCCESS);
    sort_by(bed, down, 1, 0, 0);
    assert_int_equal(query(bed, 0, true, 50, &got), EC_SUCCESS);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(got.rows[i][0].value.number, MANY - i);
    assert_int_equal(mapi_do(bed, ROP_SeekRow, TABLE, 0, &(struct rop_seek_row){2, -50, 0}, NULL),
                     EC_SUCCESS);
    assert_int_equal(query(bed, 0, true, 50, &got), EC_SUCCESS);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(got.rows[i][0].value.number, 50 - i);
}

static void each_value_has_a_row(void **state)
{
    struct mapi_bed *bed = *state;
    const void *fields;
    uint64_t mid = deliver(bed, "a@x", "one");
    const struct store_prop_name name = {.by_string = true, .name = S("Keywords")};
    struct store_prop_name names[] = {name};
    struct store_name_props ids;
    uint16_t id = 0;

    deliver(bed, "a@x", "two");
    memcpy(names[0].guid, store_ps_public_strings, 16);
    store_name_props_init(&ids);
    ids.names = names;
    ids.n = 1;
    ids.ids = &id;
    assert_ok(store_run(bed->mailbox, &ids.op));
    const struct prop_value values[] = {{.bytes = S("Red")}, {.bytes = S("Blue")}};
    struct store_prop_change change = {.prop = {.tag = PROP_TAG(id, 0x101F)}};
    struct store_set_props set;

    change.prop.value.many.items = values;
    change.prop.value.many.n = 2;
    store_set_props_init(&set);
    assert_true(mapi_id_counter(mid, &set.id));
    set.changes = &change;
    set.n = 1;
    assert_ok(store_run(bed->mailbox, &set.op));
    const uint32_t tags[] = {PR_MID, PROP_TAG(id, 0x301F), PR_INSTANCE_NUM};
    /* on the wire the column is a single value */
    const uint32_t as_read[] = {PR_MID, PROP_TAG(id, 0x001F), PR_INSTANCE_NUM};
    const struct sort_order order[] = {{PROP_TAG(id, 0x301F), SORT_ASCENDING}};

    open_contents(bed, 0);
    assert_int_equal(set_columns(bed, tags, 3), EC_SUCCESS);
    bed->columns.items = as_read;
    assert_string_equal(subjects(bed), "Blue,Red,-");
    sort_by(bed, order, 1, 0, 0);
    assert_string_equal(subjects(bed), "-,Blue,Red");
    sort_by(bed, order, 1, 1, 1);
    (void)fields;
    assert_string_equal(subjects(bed), "-,-,Blue,Blue,Red,Red");
    deliver(bed, "a@x", "three");
    to_top(bed);
    assert_string_equal(subjects(bed), "-,-,-,Blue,Blue,Red,Red");
}

/* ---- following is as good as beginning anew ---- */

static void prepare_table(struct mapi_bed *bed, uint8_t at, uint16_t categories, bool restricted)
{
    static const uint32_t tags[] = {PR_INST_ID};
    const struct sort_order orders[] = {{PR_SENDER_EMAIL, SORT_DESCENDING},
                                        {PR_READ, SORT_ASCENDING},
                                        {PR_SUBJECT, SORT_ASCENDING}};
    struct rop_restrict_table rq = {.restriction = restriction_of(bed, &subject_has_b)};

    mapi_ask(bed, ROP_GetContentsTable, INBOX, at, &(struct rop_get_contents_table){0});
    mapi_ask(bed, ROP_SetColumns, at, at, &(struct rop_set_columns){.columns = {1, tags}});
    mapi_ask(bed, ROP_SortTable, at, at,
             &(struct rop_sort_table){.orders = {3, categories, 1, orders}});
    if (restricted)
        mapi_ask(bed, ROP_Restrict, at, at, &rq);
    mapi_run(bed);
}

static struct slice all_rows(struct mapi_bed *bed, uint8_t at, struct arena *in)
{
    static const uint32_t tags[] = {PR_INST_ID};

    bed->columns = (struct rop_numbers){1, tags};
    mapi_ask(bed, ROP_SeekRow, at, at, &(struct rop_seek_row){0, 0, 0});
    mapi_ask(bed, ROP_QueryRows, at, at, &(struct rop_query_rows){0, 1, 1000});
    mapi_run(bed);
    assert_int_equal(mapi_reply(bed, 1)->error, EC_SUCCESS);
    const struct rop_query_rows_reply *reply = mapi_reply(bed, 1)->fields;

    assert_int_equal(reply->origin, 2);
    return arena_slice(in, reply->rows.bytes);
}

static void expunge_some(struct mapi_bed *bed, uint32_t first, uint32_t last)
{
    struct store_expunge rq;

    store_expunge_init(&rq);
    rq.fid = fixture_inbox(bed->mailbox);
    uidset_add(&rq.uids, first, last);
    assert_ok(store_run(bed->mailbox, &rq.op));
    uidset_done(&rq.uids);
    uidset_done(&rq.expunged);
}

static void flag_some(struct mapi_bed *bed, uint32_t first, uint32_t last, bool seen)
{
    struct store_set_flags rq;

    store_set_flags_init(&rq);
    rq.fid = fixture_inbox(bed->mailbox);
    rq.how = seen ? FLAGS_ADD : FLAGS_REMOVE;
    rq.flags = FLAG_SEEN;
    uidset_add(&rq.uids, first, last);
    assert_ok(store_run(bed->mailbox, &rq.op));
    uidset_done(&rq.uids);
    uidset_done(&rq.modified);
    uidset_done(&rq.changed);
}

static uint32_t next_random(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

static void change_something(struct mapi_bed *bed, uint32_t *seed, uint32_t *last_uid)
{
    char from[] = {(char)('a' + next_random(seed, 4)), '@', 'x', 0};
    char subject[] = {(char)('a' + next_random(seed, 5)), (char)('a' + next_random(seed, 5)), 0};
    uint32_t uid = 1 + next_random(seed, *last_uid + 1);

    switch (next_random(seed, 4)) {
    case 0:
        expunge_some(bed, uid, uid + next_random(seed, 3));
        break;
    case 1:
        flag_some(bed, uid, uid + next_random(seed, 3), next_random(seed, 2));
        break;
    default:
        deliver(bed, from, subject);
        ++*last_uid;
    }
}

static void a_table_that_follows_is_as_one_made_anew(void **state)
{
    struct mapi_bed *bed = *state;
    uint32_t seed = 20260101, last_uid = 0;
    struct arena in = ARENA_INIT;

    for (uint16_t kind = 0; kind < 4; kind++) {
        prepare_table(bed, TABLE, kind / 2, kind % 2);
        for (int step = 0; step < 60; step++) {
            change_something(bed, &seed, &last_uid);
            prepare_table(bed, OTHER, kind / 2, kind % 2);
            struct slice followed = all_rows(bed, TABLE, &in);
            struct slice anew = all_rows(bed, OTHER, &in);

            if (!slice_eq(followed, anew))
                fail_msg("kind %u, step %d", kind, step);
            mapi_ask(bed, ROP_Release, OTHER, 0, &(struct rop_release){});
            mapi_run(bed);
        }
    }
    arena_done(&in);
}

/* ---- what is told of rows makes a client's rows those of the table ([MS-OXCNOTIF]) ---- */

struct known {
    uint64_t mids[1000];
    size_t n;
};

static size_t find_known(const struct known *k, uint64_t mid)
{
    size_t i = 0;

    while (i < k->n && k->mids[i] != mid)
        i++;
    return i;
}

static void forget_row(struct known *k, uint64_t mid)
{
    size_t i = find_known(k, mid);

    assert_true(i < k->n);
    memmove(k->mids + i, k->mids + i + 1, (k->n - i - 1) * sizeof *k->mids);
    k->n--;
}

static void put_row(struct known *k, uint64_t mid, uint64_t after)
{
    size_t at = after ? find_known(k, after) + 1 : 0;

    assert_true(at <= k->n && find_known(k, mid) == k->n);
    memmove(k->mids + at + 1, k->mids + at, (k->n - at) * sizeof *k->mids);
    k->mids[at] = mid;
    k->n++;
}

/* False: only that the table has changed. */
static bool take_news(struct mapi_bed *bed, struct known *k)
{
    struct wire w = wire_of(bed->rest, &bed->arena);
    struct rop_notification n;
    bool by_rows = true;

    while (w.rest.len > 0) {
        assert_true(rop_notification_read(&w, &n));
        assert_int_equal(n.handle, bed->handles[TABLE]);
        by_rows = n.table_event != TABLE_CHANGED;
        if (n.table_event == TABLE_ROW_DELETED || n.table_event == TABLE_ROW_MODIFIED)
            forget_row(k, n.row.mid);
        if (n.table_event == TABLE_ROW_ADDED || n.table_event == TABLE_ROW_MODIFIED)
            put_row(k, n.row.mid, n.after.mid);
    }
    return by_rows;
}

static void read_known(struct mapi_bed *bed, struct known *k)
{
    struct arena in = ARENA_INIT;
    struct wire w = wire_of(all_rows(bed, TABLE, &in), &in);

    assert_int_equal(bed->rest.len, 0);
    for (k->n = 0; w.rest.len > 0; k->n++) {
        assert_int_equal(wire_u8(&w), 0); /* a row without errors */
        k->mids[k->n] = wire_u64(&w);
    }
    arena_done(&in);
}

static void rename_something(struct mapi_bed *bed, uint32_t *seed, const struct known *k)
{
    enum { MESSAGE = 6 };
    const char subject[] = {(char)('a' + next_random(seed, 5)), 0};
    const struct prop value = {PR_SUBJECT, {.bytes = slice_str(subject)}};
    struct rop_open_message open = {.codepage = 0x0FFF,
                                    .folder = bed->inbox,
                                    .mode = 1,
                                    .message = k->mids[next_random(seed, (uint32_t)k->n)]};

    mapi_ask(bed, ROP_OpenMessage, LOGON, MESSAGE, &open);
    mapi_ask(bed, ROP_SetProperties, MESSAGE, MESSAGE,
             &(struct rop_set_properties){.values = {.n = 1, .items = &value}});
    mapi_ask(bed, ROP_SaveChangesMessage, MESSAGE, MESSAGE, &(struct rop_save_message){0});
    mapi_ask(bed, ROP_Release, MESSAGE, MESSAGE, NULL);
    mapi_run(bed);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(mapi_reply(bed, i)->error, EC_SUCCESS);
}

static void what_is_told_is_what_there_is(void **state)
{
    struct mapi_bed *bed = *state;
    uint32_t seed = 20260201, last_uid = 0, by_rows = 0;
    struct known *told = mem_new(sizeof *told), *read = mem_new(sizeof *read);

    for (int kind = 0; kind < 3; kind++) {
        if (kind > 0)
            prepare_table(bed, TABLE, 0, kind == 2);
        else
            open_contents(bed, 0);
        if (kind == 0)
            assert_int_equal(set_columns(bed, (const uint32_t[]){PR_INST_ID}, 1), EC_SUCCESS);
        read_known(bed, told);
        for (int step = 0; step < 60; step++) {
            bool rows = true;

            if (told->n > 0 && next_random(&seed, 3) == 0) {
                rename_something(bed, &seed, told);
                rows = take_news(bed, told);
            }
            for (uint32_t n = next_random(&seed, 4); n > 0; n--)
                change_something(bed, &seed, &last_uid);
            mapi_run(bed);
            if (rows && take_news(bed, told))
                by_rows++;
            else
                read_known(bed, told);
            read_known(bed, read);
            assert_int_equal(read->n, told->n);
            assert_memory_equal(read->mids, told->mids, told->n * sizeof *told->mids);
        }
        mapi_ask(bed, ROP_Release, TABLE, 0, &(struct rop_release){});
        mapi_run(bed);
    }
    assert_true(by_rows > 150);
    free(told);
    free(read);
}

/* What changes between the turns in which a table follows is in it, and where it belongs. */
static void what_changes_while_a_table_follows_is_there(void **state)
{
    enum { MANY = 5000 };
    struct mapi_bed *bed = *state;
    static const struct sort_order orders[] = {{PR_READ, SORT_DESCENDING},
                                               {PR_SUBJECT, SORT_ASCENDING}};
    struct mapi_object *followed, *anew;
    bool more = true;
    int turns = 0;

    fixture_deliver_many(bed->fx, FIXTURE_ALICE, S("Subject: x\r\n\r\ny\r\n"), MANY);
    assert_int_equal(open_contents(bed, 0), MANY);
    sort_by(bed, orders, 2, 0, 0);
    position(bed, 0, MANY);
    assert_int_equal(object_find(bed->context, bed->handles[TABLE], &followed), HANDLE_OPEN);
    flag_some(bed, 4000, 4150, true);
    for (; more; turns++) {
        struct store_read *rd;

        assert_ok(store_read_begin(bed->mailbox, &rd));
        assert_int_equal(table_refresh((struct mapi_table *)followed, rd, &more), EC_SUCCESS);
        store_read_end(rd);
        if (turns == 0) {
            assert_true(more);
            flag_some(bed, 2380, 2480, true); /* among which places are looked for */
        }
    }
    mapi_ask(bed, ROP_GetContentsTable, INBOX, OTHER, &(struct rop_get_contents_table){0});
    mapi_ask(bed, ROP_SortTable, OTHER, OTHER,
             &(struct rop_sort_table){.orders = {2, 0, 0, orders}});
    mapi_ask(bed, ROP_QueryPosition, OTHER, OTHER, NULL);
    mapi_run(bed);
    assert_int_equal(object_find(bed->context, bed->handles[OTHER], &anew), HANDLE_OPEN);
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(table_id((struct mapi_table *)followed, i),
                         table_id((struct mapi_table *)anew, i));
}

/* 3.2.5.13: of tables that are empty, too. */
static void empty_tables_have_columns(void **state)
{
    struct mapi_bed *bed = *state;
    const void *fields;

    assert_int_equal(
        mapi_do(bed, ROP_GetRulesTable, INBOX, TABLE, &(struct rop_get_rules_table){0}, NULL),
        EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_QueryColumnsAll, TABLE, 0, NULL, &fields), EC_SUCCESS);
    const struct rop_numbers *columns = &((const struct rop_query_columns_reply *)fields)->columns;

    assert_int_equal(columns->n, 10);
    assert_int_equal(columns->items[0], 0x66740014);
    assert_int_equal(mapi_do(bed, ROP_GetStatus, TABLE, 0, NULL, NULL), EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_Abort, TABLE, 0, NULL, NULL), EC_NOT_SUPPORTED);
    assert_int_equal(mapi_do(bed, ROP_ResetTable, TABLE, 0, NULL, NULL), EC_NOT_SUPPORTED);
}

/* ---- conversations ([MS-OXCFOLD] 2.2.1.14.1, 3.2.5.14) ---- */

static void of_the_root_there_is_a_table_of_conversations(void **state)
{
    struct mapi_bed *bed = *state;
    static const uint32_t tags[] = {PR_FOLDER_ID, PR_SUBJECT, PR_CONVERSATION_ID};
    struct got got = {0};
    const void *fields;

    deliver(bed, "a@x", "lunch");
    deliver(bed, "b@x", "Re: Lunch");
    deliver(bed, "c@x", "dinner");
    struct rop_get_contents_table rq = {.flags = 0x80};

    assert_int_equal(mapi_do(bed, ROP_GetContentsTable, INBOX, TABLE, &rq, NULL), EC_NOT_SUPPORTED);
    assert_int_equal(mapi_do(bed, ROP_OpenFolder, LOGON, SUBTREE,
                             &(struct rop_open_folder){.folder = bed->folders[0]}, NULL),
                     EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_GetContentsTable, SUBTREE, TABLE, &rq, &fields), EC_SUCCESS);
    assert_int_equal(((const struct rop_get_contents_table_reply *)fields)->rows, 3);
    assert_int_equal(set_columns(bed, tags, 3), EC_SUCCESS);
    assert_int_equal(query(bed, 0, true, 9, &got), EC_SUCCESS);
    assert_int_equal(got.n, 3);
    assert_int_equal(got.rows[0][0].value.number, bed->inbox);
    /* [MS-OXOMSG] 2.2.1.2: MD5 of the topic in upper case and UTF-16: of "LUNCH" */
    struct slice lunch = S("\xAD\x42\xFC\xFA\xF0\x28\x63\x6C\x69\x2F\x09\xF7\x05\x7A\x46\x1F");
    assert_true(slice_eq(got.rows[0][2].value.bytes, lunch));
    assert_true(slice_eq(got.rows[1][2].value.bytes, lunch));
    const struct restriction of_lunch = {.kind = RESTRICTION_PROPERTY,
                                         .relop = RELOP_EQ,
                                         .tag = PR_CONVERSATION_ID,
                                         .value = {PR_CONVERSATION_ID, {.bytes = lunch}}};

    assert_int_equal(restrict_to(bed, &of_lunch), EC_SUCCESS);
    assert_string_equal(subjects(bed), "lunch,Re: Lunch");
    rq.flags = 0x82;
    assert_int_equal(mapi_do(bed, ROP_GetContentsTable, SUBTREE, OTHER, &rq, NULL),
                     EC_NOT_SUPPORTED);
}

/* ---- what somebody else may do ([MS-OXCPRPT] 2.2.1.1, [MS-OXCPERM] 2.2.7) ---- */

static void give_everybody(struct mapi_bed *bed, uint32_t rights)
{
    struct store_permission_change change = {
        .how = PERMISSION_MODIFY, .permission = {.member = STORE_MEMBER_DEFAULT, .rights = rights}};
    struct store_modify_permissions rq;

    store_modify_permissions_init(&rq);
    rq.fid = fixture_inbox(bed->mailbox);
    rq.changes = &change;
    rq.n = 1;
    assert_ok(store_run(bed->mailbox, &rq.op));
}

static uint32_t told(struct mapi_bed *bed, uint8_t in, uint32_t tag)
{
    const void *fields;

    bed->columns = (struct rop_numbers){1, &tag};
    assert_int_equal(mapi_do(bed, ROP_GetPropertiesSpecific, in, 0,
                             &(struct rop_get_properties){.tags = {1, &tag}}, &fields),
                     EC_SUCCESS);
    struct wire w = wire_of(((const struct rop_get_properties_reply *)fields)->row, &bed->arena);

    assert_int_equal(wire_u8(&w), 0);
    return wire_u32(&w);
}

static void somebody_else_is_told_what_he_may_do(void **state)
{
    struct mapi_bed *bed = *state;
    static const struct {
        uint32_t rights, folder, message;
    } rows[] = {
        {0x401, 0x02, 0x02}, /* to see and read */
        {0x403, 0x12, 0x02}, /* and to put something there */
        {0x4E1, 0x0A, 0x07}, /* to change and delete what is there, and to make folders */
        {0x5FB, 0x3F, 0x07}, /* the owner's */
    };
    static const uint32_t tags[] = {PR_ACCESS, PR_MID};
    struct mapi_object *logon;
    struct got got = {0};
    uint64_t mid = deliver(bed, "a@x", "one");
    struct rop_open_message open = {.codepage = 0x0FFF, .folder = bed->inbox, .message = mid};

    assert_int_equal(told(bed, INBOX, PR_ACCESS), 0x3F);
    assert_int_equal(object_find(bed->context, bed->handles[LOGON], &logon), HANDLE_OPEN);
    logon->logon->owner = false;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        give_everybody(bed, rows[i].rights);
        assert_int_equal(told(bed, INBOX, PR_ACCESS), rows[i].folder);
        assert_int_equal(told(bed, INBOX, PR_RIGHTS), rows[i].rights);
        assert_int_equal(mapi_do(bed, ROP_OpenMessage, LOGON, OTHER, &open, NULL), EC_SUCCESS);
        assert_int_equal(told(bed, OTHER, PR_ACCESS), rows[i].message);
        open_contents(bed, 0);
        assert_int_equal(set_columns(bed, tags, 2), EC_SUCCESS);
        assert_int_equal(query(bed, 0, true, 9, &got), EC_SUCCESS);
        assert_int_equal(got.rows[0][0].value.number, rows[i].message);
    }
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(rows_are_read_in_the_order_of_the_store),
        T(without_columns_there_is_nothing_to_read),
        T(columns_have_types),
        T(long_values_are_cut),
        T(tables_see_what_comes_and_goes),
        T(tables_are_sorted),
        T(the_cursor_of_a_sorted_table_stays_on_its_row),
        T(tables_are_restricted),
        T(rows_are_found),
        T(the_cursor_is_moved),
        T(bookmarks_stay_with_their_rows),
        T(sorting_and_resetting_make_bookmarks_invalid),
        T(what_else_is_asked),
        T(a_small_buffer_takes_some_rows),
        T(categories_have_header_rows),
        T(categories_are_expanded_and_collapsed),
        T(what_is_collapsed_is_told_and_set),
        T(categories_come_by_their_greatest),
        T(orders_that_make_no_sense_are_refused),
        T(a_hierarchy_shows_folders),
        T(a_folder_without_associated_messages_has_an_empty_table),
        T(many_rows_are_sorted_in_turns),
        T(each_value_has_a_row),
        T(a_table_that_follows_is_as_one_made_anew),
        T(what_is_told_is_what_there_is),
        T(what_changes_while_a_table_follows_is_there),
        T(empty_tables_have_columns),
        T(of_the_root_there_is_a_table_of_conversations),
        T(somebody_else_is_told_what_he_may_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
