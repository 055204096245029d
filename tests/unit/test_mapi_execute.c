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
        cmocka_unit_test_setup_teardown(test_release_is_not_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_small_for_anything, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_does_not_fit_is_given_back, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
