/* test_mapi_execute.c - ROP buffers: handles, order, room ([MS-OXCROPS] 3.2.5). */
#include "tests/support/mapi.h"

static int setup(void **state)
{
    *state = mapi_bed_new();
    return 0;
}

static int teardown(void **state)
{
    mapi_bed_free(*state);
    return 0;
}

static void test_bad_buffers(void **state)
{
    struct mapi_bed *bed = *state;
    static const struct {
        const char *bytes;
        size_t len;
        uint32_t status, ec;
    } rows[] = {
        {"", 0, 0, EC_RPC_FAILED},                              /* [MS-OXCRPC] 3.1.4.2 */
        {"\0\0\4\0\0\0\0\0", 8, 0, EC_RPC_FORMAT},              /* no payload */
        {"\0\0\4\0\2\0\2\0\2\0", 10, 0, EC_SUCCESS},            /* nothing is asked */
        {"\0\0\4\0\2\0\2\0\1\0", 10, 0, EC_RPC_FORMAT},         /* RopSize counts itself */
        {"\0\0\4\0\3\0\3\0\2\0\1", 11, 0, EC_RPC_FORMAT},       /* a part of a handle */
        {"\0\0\4\0\5\0\5\0\5\0\xF0\0\0", 13, 0, EC_RPC_FORMAT}, /* no such ROP */
        {"\0\0\4\0\4\0\4\0\4\0\1\0", 12, 0, EC_RPC_FORMAT},     /* cut short */
        {"\0\0\4\0\x10\0\x10\0\2\0", 10, 0, EC_RPC_FORMAT},     /* less than it says */
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        mapi_try_bytes(bed, slice_of(rows[i].bytes, rows[i].len));
        assert_int_equal(bed->status, rows[i].status);
        assert_int_equal(bed->ec, rows[i].ec);
    }
}

static void test_handles_that_are_none(void **state)
{
    struct mapi_bed *bed = *state;

    /* [MS-OXCROPS] 3.2.5.1: beyond the table, never given, 0; what is behind it is run. */
    bed->handles[1] = 12345;
    bed->handles[2] = 0;
    mapi_ask(bed, ROP_GetStoreState, 200, 0, &(struct rop_get_store_state){});
    mapi_ask(bed, ROP_GetStoreState, 0, 0, &(struct rop_get_store_state){});
    mapi_ask(bed, ROP_GetStoreState, 1, 0, &(struct rop_get_store_state){});
    mapi_ask(bed, ROP_GetStoreState, 2, 0, &(struct rop_get_store_state){});
    mapi_run(bed);
    assert_int_equal(bed->n, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(mapi_reply(bed, i)->error, 0x4B9); /* ecNullObject */
}

static struct mapi_bed *with_folder(void **state)
{
    struct mapi_bed *bed = *state;

    mapi_bed_logon(bed);
    mapi_ask(bed, ROP_OpenFolder, 0, 1, &(struct rop_open_folder){.folder = bed->inbox});
    mapi_run(bed);
    assert_int_equal(mapi_reply(bed, 0)->error, EC_SUCCESS);
    return bed;
}

/* 3.2.5.1, 3.2.5.4: what was released, and what is another log-on's. */
static void test_handles_that_are_others(void **state)
{
    struct mapi_bed *bed = with_folder(state);
    struct rop_get_hierarchy_table rq = {.flags = 0};

    bed->logon = 3;
    assert_int_equal(mapi_do(bed, ROP_GetHierarchyTable, 1, 2, &rq, NULL), 0x80070005);
    assert_int_equal(bed->handles[2], 0xFFFFFFFF);
    bed->logon = 0;
    uint32_t was = bed->handles[1];
    mapi_ask(bed, ROP_Release, 1, 0, NULL);
    mapi_run(bed);
    assert_int_equal(bed->handles[1], 0xFFFFFFFF);
    bed->handles[1] = was;
    assert_int_equal(mapi_do(bed, ROP_GetHierarchyTable, 1, 2, &rq, NULL), 0x80040108);
    bed->handles[1] = 0xFFFFFFFF;
    assert_int_equal(mapi_do(bed, ROP_GetHierarchyTable, 1, 2, &rq, NULL), 0x4B9);
}

/* The same of what is copied to. */
static void test_targets_that_are_others(void **state)
{
    struct mapi_bed *bed = with_folder(state);
    const struct rop_move_messages_reply *reply;
    struct rop_move_messages rq = {.copy = 1};
    uint32_t released = bed->handles[1];

    mapi_ask(bed, ROP_Release, 1, 0, NULL);
    mapi_ask(bed, ROP_OpenFolder, 0, 1, &(struct rop_open_folder){.folder = bed->inbox});
    mapi_run(bed);
    for (size_t i = 0; i < 3; i++) {
        bed->handles[2] = (uint32_t[]){released, 0xFFFFFFFF, 12345}[i];
        assert_int_equal(mapi_do(bed, ROP_MoveCopyMessages, 1, 2, &rq, (const void **)&reply),
                         0x503);
        assert_int_equal(mapi_reply(bed, 0)->dest, 2);
    }
    /* The mailbox once more, as another log-on. */
    uint32_t first = bed->handles[0];
    bed->logon = 1;
    mapi_bed_logon(bed);
    mapi_ask(bed, ROP_OpenFolder, 0, 2, &(struct rop_open_folder){.folder = bed->inbox});
    mapi_run(bed);
    bed->handles[0] = first;
    bed->logon = 0;
    assert_int_equal(mapi_do(bed, ROP_MoveCopyMessages, 1, 2, &rq, NULL), 0x80070005);
    bed->handles[2] = bed->handles[1];
    assert_int_equal(mapi_do(bed, ROP_MoveCopyMessages, 1, 2, &rq, NULL), EC_SUCCESS);
}

struct kept {
    struct log log;
    struct buf lines;
};

static void keep(struct log *log, enum log_level level, const char *event,
                 const struct log_field *fields, size_t n)
{
    struct kept *k = (struct kept *)log;

    assert_int_equal(level, LOG_LEVEL_DEBUG);
    buf_puts(&k->lines, event);
    for (size_t i = 0; i < n; i++) {
        buf_printf(&k->lines, " %s=", fields[i].name);
        if (fields[i].kind == LOG_FIELD_NUMBER)
            buf_printf(&k->lines, "%lld", (long long)fields[i].number);
        else
            buf_put(&k->lines, fields[i].text);
    }
    buf_putc(&k->lines, '\n');
}

/* The log tells names, handles and codes of operations, and nothing of what is in them. */
static void test_operations_are_told_in_the_log(void **state)
{
    struct mapi_bed *bed = with_folder(state);
    struct kept kept = {{LOG_LEVEL_DEBUG, keep}, buf_make(SIZE_MAX)};
    struct rop_create_folder rq = {
        .type = 1, .unicode = 1, .name = S("whispered"), .comment = S("hidden")};

    bed->log = &kept.log;
    mapi_ask(bed, ROP_CreateFolder, 1, 2, &rq);
    mapi_ask(bed, ROP_CreateFolder, 1, 3, &rq);
    mapi_ask(bed, ROP_Release, 2, 0, NULL);
    mapi_run(bed);
    assert_slice(
        buf_slice(&kept.lines),
        "mapi.rop session=s1 name=RopCreateFolder logon=0 in=2 out=3 code=success\n"
        "mapi.rop session=s1 name=RopCreateFolder logon=0 in=2 out=0 code=ecDuplicateName\n"
        "mapi.rop session=s1 name=RopRelease logon=0 in=3 out=0 code=success\n");
    buf_clear(&kept.lines);
    kept.log.least = LOG_LEVEL_INFO;
    mapi_ask(bed, ROP_GetStoreState, 0, 0, NULL);
    mapi_run(bed);
    assert_int_equal(kept.lines.len, 0);
    buf_done(&kept.lines);
}

static void test_release_is_not_answered(void **state)
{
    struct mapi_bed *bed = *state;

    mapi_ask(bed, ROP_Release, 7, 0, &(struct rop_release){});
    mapi_run(bed);
    assert_int_equal(bed->n, 0);
    assert_int_equal(bed->rest.len, 0);
}

static void test_too_small_for_anything(void **state)
{
    struct mapi_bed *bed = *state;

    bed->max_out = 64; /* the table of handles alone takes more */
    mapi_ask(bed, ROP_GetStoreState, 0, 0, &(struct rop_get_store_state){});
    mapi_try(bed);
    assert_int_equal(bed->status, EC_BUFFER_TOO_SMALL);
    bed->max_out = 0x40001;
    mapi_ask(bed, ROP_GetStoreState, 0, 0, &(struct rop_get_store_state){});
    mapi_try(bed);
    assert_int_equal(bed->status, EC_BAD_STUB_DATA);
}

/* 3.2.4.3: what does not fit is given back, and has not been done. */
static void test_what_does_not_fit_is_given_back(void **state)
{
    struct mapi_bed *bed = *state;

    bed->max_out = 8 + 2 + 4 * BED_HANDLES + 34;
    for (int i = 0; i < 6; i++)
        mapi_ask(bed, ROP_GetStoreState, 0, 0, &(struct rop_get_store_state){});
    mapi_run(bed);
    assert_in_range(bed->n, 1, 5);
    assert_int_equal(bed->rest.ptr[0], 0xFF);
    assert_int_equal(bed->rest.len, 3 + 3 * (6 - bed->n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bad_buffers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_handles_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_handles_that_are_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_targets_that_are_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_operations_are_told_in_the_log, setup, teardown),
        cmocka_unit_test_setup_teardown(test_release_is_not_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_small_for_anything, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_does_not_fit_is_given_back, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
