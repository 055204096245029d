/* test_mapi_folder.c - operations on folders ([MS-OXCFOLD]). */
#include "tests/support/mapi.h"

enum { LOGON, TOP, INBOX, A, B, C }; /* handles */

#define NO_SUCH mapi_id(0xFFFFFF)

static uint32_t open_folder(struct mapi_bed *bed, uint64_t fid, uint8_t mode, uint8_t out)
{
    struct rop_open_folder rq = {fid, mode};

    return mapi_do(bed, ROP_OpenFolder, LOGON, out, &rq, NULL);
}

static int setup(void **state)
{
    struct mapi_bed *bed = mapi_bed_new();

    mapi_bed_logon(bed);
    assert_int_equal(open_folder(bed, bed->folders[3], 0, TOP), EC_SUCCESS);
    assert_int_equal(open_folder(bed, bed->inbox, 0, INBOX), EC_SUCCESS);
    *state = bed;
    return 0;
}

static int teardown(void **state)
{
    mapi_bed_free(*state);
    return 0;
}

/* Its FID, and a handle at `out`. */
static uint64_t make(struct mapi_bed *bed, uint8_t in, uint8_t out, const char *name, uint8_t type)
{
    struct rop_create_folder rq = {.type = type, .unicode = 1, .name = slice_str(name)};
    const struct rop_create_folder_reply *reply;

    assert_int_equal(mapi_do(bed, ROP_CreateFolder, in, out, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->existing, 0);
    return reply->folder;
}

/* ---- opening ---- */

static void test_open(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_open_folder_reply *reply;
    struct rop_open_folder rq = {bed->inbox, 0};

    assert_int_equal(mapi_do(bed, ROP_OpenFolder, TOP, A, &rq, (const void **)&reply), EC_SUCCESS);
    assert_int_equal(reply->has_rules, 0);
    assert_int_equal(reply->ghosted, 0);
    /* 3.2.5.1 */
    assert_int_equal(open_folder(bed, NO_SUCH, 0, B), EC_NOT_FOUND);
    assert_int_equal(bed->handles[B], UINT32_MAX);
    assert_int_equal(open_folder(bed, 0, 0, B), EC_NOT_FOUND);
    assert_int_equal(open_folder(bed, bed->inbox ^ 7, 0, B), EC_NOT_FOUND);
}

static void test_open_the_bytes(void **state)
{
    struct mapi_bed *bed = *state;
    uint8_t ask[13] = {0x02, 0, LOGON, A};

    memcpy(ask + 4, &bed->inbox, 8);
    mapi_ask_bytes(bed, slice_of(ask, sizeof ask));
    mapi_run(bed);
    /* RopSize, then RopId, OutputHandleIndex, ReturnValue, HasRules, IsGhosted. */
    assert_memory_equal(bed->payload.ptr, "\x0A\0\x02\x03\0\0\0\0\0\0", 10);
}

/* ---- making ---- */

static void test_create(void **state)
{
    struct mapi_bed *bed = *state;
    struct rop_create_folder rq = {.type = 1, .unicode = 1, .name = S("Näme"), .comment = S("why")};
    const struct rop_create_folder_reply *reply;

    assert_int_equal(mapi_do(bed, ROP_CreateFolder, TOP, A, &rq, (const void **)&reply),
                     EC_SUCCESS);
    uint64_t fid = reply->folder;
    assert_int_equal(open_folder(bed, fid, 0, B), EC_SUCCESS);
    /* Names are compared without regard to case (3.2.5.2). */
    rq.name = S("NÄME");
    assert_int_equal(mapi_do(bed, ROP_CreateFolder, TOP, B, &rq, NULL), EC_DUPLICATE_NAME);
    rq.open_existing = 1;
    assert_int_equal(mapi_do(bed, ROP_CreateFolder, TOP, B, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->folder, fid);
    assert_int_equal(reply->existing, 0); /* of public folders alone (2.2.1.2.2) */
    assert_int_not_equal(bed->handles[B], UINT32_MAX);
}

static void test_create_what_cannot_be(void **state)
{
    struct mapi_bed *bed = *state;

    make(bed, TOP, A, "Found", 2);
    const struct {
        uint8_t in;
        struct rop_create_folder rq;
        uint32_t ec;
    } rows[] = {
        {TOP, {.type = 0, .unicode = 1, .name = S("X")}, EC_INVALID_PARAMETER},
        {TOP, {.type = 3, .unicode = 1, .name = S("X")}, EC_INVALID_PARAMETER},
        {TOP, {.type = 1, .unicode = 1, .name = S("")}, EC_INVALID_PARAMETER},
        {LOGON, {.type = 1, .unicode = 1, .name = S("X")}, EC_NOT_SUPPORTED},
        {A, {.type = 1, .unicode = 1, .name = S("X")}, EC_NOT_SUPPORTED}, /* in a search folder */
        {20, {.type = 1, .unicode = 1, .name = S("X")}, EC_NULL_OBJECT},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(mapi_do(bed, ROP_CreateFolder, rows[i].in, B, &rows[i].rq, NULL),
                         rows[i].ec);
}

/* ---- deleting ---- */

static uint32_t delete_folder(struct mapi_bed *bed, uint8_t in, uint64_t fid, uint8_t flags,
                              uint8_t *partial)
{
    struct rop_delete_folder rq = {flags, fid};
    const struct rop_delete_folder_reply *reply;
    uint32_t ec = mapi_do(bed, ROP_DeleteFolder, in, 0, &rq, (const void **)&reply);

    *partial = reply->partial; /* it is there whatever the code ([MS-OXCROPS] 2.2.4.3.2) */
    return ec;
}

static void test_delete(void **state)
{
    struct mapi_bed *bed = *state;
    uint8_t partial;
    uint64_t a = make(bed, TOP, A, "A", 1);
    uint64_t b = make(bed, A, B, "B", 1);

    /* 3.2.5.3: with a folder below it and without DEL_FOLDERS nothing is done */
    assert_int_equal(delete_folder(bed, TOP, a, 0, &partial), EC_SUCCESS);
    assert_int_equal(partial, 1);
    assert_int_equal(open_folder(bed, b, 0, C), EC_SUCCESS);
    assert_int_equal(delete_folder(bed, TOP, b, 0x05, &partial), EC_NOT_FOUND); /* not there */
    assert_int_equal(delete_folder(bed, TOP, a, 0x02, &partial), EC_INVALID_PARAMETER);
    assert_int_equal(delete_folder(bed, TOP, bed->inbox, 0x05, &partial), EC_ACCESS_DENIED);
    assert_int_equal(delete_folder(bed, TOP, NO_SUCH, 0x05, &partial), EC_NOT_FOUND);
    assert_int_equal(delete_folder(bed, LOGON, a, 0x05, &partial), EC_NOT_SUPPORTED);
    assert_int_equal(delete_folder(bed, TOP, a, 0x15, &partial), EC_SUCCESS);
    assert_int_equal(partial, 0);
    assert_int_equal(open_folder(bed, a, 0x04, C), EC_NOT_FOUND);
    assert_int_equal(open_folder(bed, b, 0x04, C), EC_NOT_FOUND);
}

/* ---- moving, copying ---- */

static uint32_t move_folder(struct mapi_bed *bed, uint8_t in, uint8_t dest, uint64_t fid,
                            const char *name)
{
    struct rop_move_folder rq = {.unicode = 1, .folder = fid, .name = slice_str(name)};

    return mapi_do(bed, ROP_MoveFolder, in, dest, &rq, NULL);
}

static uint32_t copy_folder(struct mapi_bed *bed, uint8_t in, uint8_t dest, uint64_t fid,
                            const char *name)
{
    struct rop_copy_folder rq = {
        .recursive = 1, .unicode = 1, .folder = fid, .name = slice_str(name)};

    return mapi_do(bed, ROP_CopyFolder, in, dest, &rq, NULL);
}

static void test_move_and_copy(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t a = make(bed, TOP, A, "A", 1);
    uint64_t b = make(bed, A, B, "B", 1);

    make(bed, B, C, "C", 1);
    for (size_t i = 0; i < 2; i++) {
        uint32_t (*ask)(struct mapi_bed *, uint8_t, uint8_t, uint64_t, const char *) =
            i ? move_folder : copy_folder;

        assert_int_equal(ask(bed, TOP, B, a, "X"), EC_FOLDER_CYCLE);
        assert_int_equal(ask(bed, TOP, TOP, NO_SUCH, "X"), EC_NOT_FOUND);
        assert_int_equal(ask(bed, TOP, TOP, b, "X"), EC_NOT_FOUND); /* it is not there */
        assert_int_equal(ask(bed, LOGON, TOP, a, "X"), EC_NOT_SUPPORTED);
        assert_int_equal(ask(bed, TOP, LOGON, a, "X"), EC_NOT_SUPPORTED);
        assert_int_equal(ask(bed, TOP, 20, a, "X"), EC_DEST_NULL_OBJECT);
        assert_int_equal(mapi_reply(bed, 0)->dest, 20);
        assert_int_equal(ask(bed, A, TOP, b, "a"), EC_DUPLICATE_NAME);
    }
    assert_int_equal(move_folder(bed, TOP, A, bed->inbox, "X"), EC_ACCESS_DENIED);
    assert_int_equal(copy_folder(bed, A, TOP, b, "B2"), EC_SUCCESS);
    assert_int_equal(move_folder(bed, A, TOP, b, "B3"), EC_SUCCESS);
    assert_int_equal(move_folder(bed, A, TOP, b, "B4"), EC_NOT_FOUND);
    assert_int_equal(move_folder(bed, TOP, TOP, b, "B4"), EC_SUCCESS);
}

/* ---- emptying ---- */

static uint32_t count(struct mapi_bed *bed, uint64_t wire_id)
{
    struct store_folder folder;
    struct store_read *rd;
    uint64_t fid;

    assert_true(mapi_id_counter(wire_id, &fid));
    assert_ok(store_read_begin(bed->mailbox, &rd));
    assert_ok(store_folder_get(rd, fid, &folder));
    store_read_end(rd);
    return folder.exists;
}

static void test_empty(void **state)
{
    struct mapi_bed *bed = *state;
    struct rop_empty_folder rq = {0, 0};
    struct rop_hard_empty_folder hard = {0, 0};
    const struct rop_empty_folder_reply *reply;
    uint64_t a = make(bed, INBOX, A, "A", 1);

    for (size_t i = 0; i < 2; i++) {
        mapi_bed_deliver(bed, "Subject: x\r\n\r\nx\r\n");
        assert_int_equal(count(bed, bed->inbox), 1);
        uint32_t ec = i ? mapi_do(bed, ROP_HardDeleteMessagesAndSubfolders, INBOX, 0, &hard,
                                  (const void **)&reply)
                        : mapi_do(bed, ROP_EmptyFolder, INBOX, 0, &rq, (const void **)&reply);
        assert_int_equal(ec, EC_SUCCESS);
        assert_int_equal(reply->partial, 0);
        assert_int_equal(count(bed, bed->inbox), 0);
    }
    assert_int_equal(open_folder(bed, a, 0, B), EC_NOT_FOUND);
    assert_int_equal(mapi_do(bed, ROP_EmptyFolder, LOGON, 0, &rq, NULL), EC_NOT_SUPPORTED);
    /* Special folders below it stay: 3.2.5.9 */
    assert_int_equal(mapi_do(bed, ROP_EmptyFolder, TOP, 0, &rq, (const void **)&reply), EC_SUCCESS);
    assert_int_equal(reply->partial, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_the_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_create, setup, teardown),
        cmocka_unit_test_setup_teardown(test_create_what_cannot_be, setup, teardown),
        cmocka_unit_test_setup_teardown(test_delete, setup, teardown),
        cmocka_unit_test_setup_teardown(test_move_and_copy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
