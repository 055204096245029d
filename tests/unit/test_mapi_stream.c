/* test_mapi_stream.c - operations on streams ([MS-OXCPRPT] 3.2.5.12 - 3.2.5.27). */
#include "tests/support/mapi.h"

enum { LOGON, FOLDER, STREAM, OTHER, MESSAGE };
enum { READ_ONLY = 0, READ_WRITE = 1, CREATE = 2, BEST = 3 };

#define BLOB 0x66010102u

static int setup(void **state)
{
    struct mapi_bed *bed = *state = mapi_bed_new();

    mapi_bed_logon(bed);
    struct rop_open_folder rq = {.folder = bed->inbox};
    assert_int_equal(mapi_do(bed, ROP_OpenFolder, LOGON, FOLDER, &rq, NULL), EC_SUCCESS);
    return 0;
}

static int teardown(void **state)
{
    mapi_bed_free(*state);
    return 0;
}

static uint32_t open_stream(struct mapi_bed *bed, uint32_t tag, uint8_t mode, uint8_t at,
                            uint32_t *size)
{
    const struct rop_open_stream_reply *reply;
    struct rop_open_stream rq = {.tag = tag, .mode = mode};
    uint32_t ec = mapi_do(bed, ROP_OpenStream, FOLDER, at, &rq, (const void **)&reply);

    if (!ec && size)
        *size = reply->size;
    return ec;
}

static uint32_t write_at(struct mapi_bed *bed, uint8_t at, struct slice data, uint16_t *written)
{
    const struct rop_write_stream_reply *reply;
    struct rop_write_stream rq = {.data = data};
    uint32_t ec = mapi_do(bed, ROP_WriteStream, at, 0, &rq, (const void **)&reply);

    if (written)
        *written = reply->written;
    return ec;
}

static struct slice read_from(struct mapi_bed *bed, uint8_t at, uint32_t n)
{
    const struct rop_read_stream_reply *reply;
    struct rop_read_stream rq = {.n = n};

    assert_int_equal(mapi_do(bed, ROP_ReadStream, at, 0, &rq, (const void **)&reply), EC_SUCCESS);
    return reply->data;
}

static uint32_t seek(struct mapi_bed *bed, uint8_t at, uint8_t origin, int64_t offset,
                     uint64_t *position)
{
    const struct rop_seek_stream_reply *reply;
    struct rop_seek_stream rq = {.origin = origin, .offset = (uint64_t)offset};
    uint32_t ec = mapi_do(bed, ROP_SeekStream, at, 0, &rq, (const void **)&reply);

    if (!ec && position)
        *position = reply->position;
    return ec;
}

static uint32_t commit(struct mapi_bed *bed, uint8_t at)
{
    return mapi_do(bed, ROP_CommitStream, at, 0, NULL, NULL);
}

static uint32_t size_of(struct mapi_bed *bed, uint8_t at)
{
    const struct rop_get_stream_size_reply *reply;

    assert_int_equal(mapi_do(bed, ROP_GetStreamSize, at, 0, NULL, (const void **)&reply),
                     EC_SUCCESS);
    return reply->size;
}

static void put(struct mapi_bed *bed, const void *bytes, size_t n)
{
    struct prop prop = {BLOB, {.bytes = slice_of(bytes, n)}};
    struct rop_set_properties rq = {.values = {1, &prop}};

    assert_int_equal(mapi_do(bed, ROP_SetProperties, FOLDER, 0, &rq, NULL), EC_SUCCESS);
}

/* What is stored: read by a stream of its own. */
static void assert_stored(struct mapi_bed *bed, const void *bytes, size_t n)
{
    uint32_t size;

    assert_int_equal(open_stream(bed, BLOB, READ_ONLY, OTHER, &size), EC_SUCCESS);
    assert_int_equal(size, n);
    for (size_t at = 0; at < n;) {
        struct slice piece = read_from(bed, OTHER, 30000);

        assert_true(piece.len > 0 && at + piece.len <= n);
        assert_memory_equal(piece.ptr, (const uint8_t *)bytes + at, piece.len);
        at += piece.len;
    }
    assert_int_equal(read_from(bed, OTHER, 1).len, 0);
}

/* ---- RopOpenStream ---- */

static void test_what_can_be_opened(void **state)
{
    struct mapi_bed *bed = *state;
    uint32_t size;

    /* 3.2.5.12: not there, and not to be made */
    assert_int_equal(open_stream(bed, BLOB, READ_ONLY, STREAM, NULL), EC_NOT_FOUND);
    assert_int_equal(bed->handles[STREAM], UINT32_MAX);
    assert_int_equal(open_stream(bed, BLOB, READ_WRITE, STREAM, NULL), EC_NOT_FOUND);
    /* 2.2.14: of folders binary properties alone */
    assert_int_equal(open_stream(bed, PR_DISPLAY_NAME, READ_ONLY, STREAM, NULL), EC_NOT_SUPPORTED);
    assert_int_equal(open_stream(bed, PR_CONTENT_COUNT, READ_ONLY, STREAM, NULL), EC_NOT_SUPPORTED);
    assert_int_equal(open_stream(bed, BLOB | 0x1000, READ_ONLY, STREAM, NULL), EC_NOT_SUPPORTED);
    assert_int_equal(open_stream(bed, BLOB, 7, STREAM, NULL), EC_INVALID_PARAMETER);
    assert_int_equal(open_stream(bed, BLOB, CREATE, STREAM, &size), EC_SUCCESS);
    assert_int_equal(size, 0);
    struct rop_open_stream rq = {.tag = BLOB};
    assert_int_equal(mapi_do(bed, ROP_OpenStream, LOGON, OTHER, &rq, NULL), EC_NOT_SUPPORTED);
    assert_int_equal(mapi_do(bed, ROP_GetStreamSize, FOLDER, 0, NULL, NULL), EC_NOT_SUPPORTED);
}

/* 2.2.14.1: Create makes an end of what was there. */
static void test_create_begins_anew(void **state)
{
    struct mapi_bed *bed = *state;
    uint32_t size;

    put(bed, "abc", 3);
    assert_int_equal(open_stream(bed, BLOB, CREATE, STREAM, &size), EC_SUCCESS);
    assert_int_equal(size, 0);
    assert_stored(bed, "", 0);
    assert_int_equal(commit(bed, STREAM), EC_SUCCESS);
    assert_stored(bed, "", 0);
}

/* ---- reading ---- */

static void test_a_stream_is_read_to_its_end(void **state)
{
    struct mapi_bed *bed = *state;
    uint32_t size;

    put(bed, "abcdef", 6);
    assert_int_equal(open_stream(bed, BLOB, READ_ONLY, STREAM, &size), EC_SUCCESS);
    assert_int_equal(size, 6);
    assert_slice(read_from(bed, STREAM, 4), "abcd");
    assert_slice(read_from(bed, STREAM, 4), "ef");
    assert_int_equal(read_from(bed, STREAM, 4).len, 0);
    assert_int_equal(seek(bed, STREAM, 0, 1, NULL), EC_SUCCESS);
    assert_slice(read_from(bed, STREAM, 0x10000), "bcdef"); /* MaximumByteCount */
}

/* 2.2.15.1: what nobody can ask for fails the whole Execute. */
static void test_too_much_is_asked_for(void **state)
{
    struct mapi_bed *bed = *state;

    put(bed, "abcdef", 6);
    assert_int_equal(open_stream(bed, BLOB, READ_ONLY, STREAM, NULL), EC_SUCCESS);
    mapi_ask(bed, ROP_ReadStream, STREAM, 0, &(struct rop_read_stream){.n = 0x80000001});
    mapi_try(bed);
    assert_int_equal(bed->ec, EC_RPC_FORMAT);
}

static uint8_t *pattern(size_t n)
{
    uint8_t *bytes = mem_new(n);

    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    return bytes;
}

/* A response takes what it can: the client asks on. */
static void test_a_large_value_by_pieces(void **state)
{
    struct mapi_bed *bed = *state;
    enum { N = 1000 * 1000 };
    uint8_t *bytes = pattern(N);
    uint64_t held = bed->context->held;

    assert_int_equal(open_stream(bed, BLOB, CREATE, STREAM, NULL), EC_SUCCESS);
    for (size_t at = 0; at < N; at += 25000)
        assert_int_equal(write_at(bed, STREAM, slice_of(bytes + at, 25000), NULL), EC_SUCCESS);
    assert_true(bed->context->held >= held + N);
    assert_int_equal(commit(bed, STREAM), EC_SUCCESS);
    mapi_ask(bed, ROP_Release, STREAM, 0, NULL);
    mapi_run(bed);
    assert_int_equal(bed->context->held, held);
    assert_stored(bed, bytes, N);
    assert_int_equal(bed->context->held, held); /* it is read where it is */
    free(bytes);
}

static void test_a_stored_value_is_changed_in_its_middle(void **state)
{
    struct mapi_bed *bed = *state;
    enum { N = 200 * 1000 };
    uint8_t *bytes = pattern(N);

    assert_int_equal(open_stream(bed, BLOB, CREATE, STREAM, NULL), EC_SUCCESS);
    for (size_t at = 0; at < N; at += 25000)
        assert_int_equal(write_at(bed, STREAM, slice_of(bytes + at, 25000), NULL), EC_SUCCESS);
    assert_int_equal(commit(bed, STREAM), EC_SUCCESS);
    assert_int_equal(open_stream(bed, BLOB, READ_WRITE, STREAM, NULL), EC_SUCCESS);
    assert_int_equal(seek(bed, STREAM, 0, 100000, NULL), EC_SUCCESS);
    assert_int_equal(write_at(bed, STREAM, S("changed"), NULL), EC_SUCCESS);
    assert_int_equal(commit(bed, STREAM), EC_SUCCESS);
    for (size_t i = 0; i < 7; i++)
        bytes[100000 + i] = (uint8_t) "changed"[i];
    assert_stored(bed, bytes, N);
    free(bytes);
}

/* ---- writing ---- */

/* By another handle of the folder: what is stored. */
static void assert_others_see(struct mapi_bed *bed, const char *bytes)
{
    const struct rop_get_properties_reply *reply;
    uint32_t tag = BLOB;
    struct rop_get_properties rq = {.tags = {1, &tag}};
    struct rop_open_folder folder = {.folder = bed->inbox};
    struct prop *value;

    bed->columns = rq.tags;
    mapi_ask(bed, ROP_OpenFolder, LOGON, MESSAGE, &folder);
    mapi_ask(bed, ROP_GetPropertiesSpecific, MESSAGE, 0, &rq);
    mapi_run(bed);
    reply = mapi_reply(bed, 1)->fields;
    struct wire w = wire_of(reply->row, &bed->arena);
    assert_true(row_read(&w, &(struct value_form){.codepage = 1252}, &tag, 1, &value));
    assert_slice(value->value.bytes, bytes);
}

/* 3.2.5.13: a folder has what was written when it is committed, or the stream is released; the same
 * handle sees it at once. */
static void test_a_folder_has_what_was_committed_or_released(void **state)
{
    struct mapi_bed *bed = *state;
    uint16_t written;

    put(bed, "old", 3);
    assert_int_equal(open_stream(bed, BLOB, READ_WRITE, STREAM, NULL), EC_SUCCESS);
    assert_int_equal(write_at(bed, STREAM, S("newer"), &written), EC_SUCCESS);
    assert_int_equal(written, 5);
    assert_stored(bed, "newer", 5);
    assert_others_see(bed, "old");
    mapi_ask(bed, ROP_Release, STREAM, 0, NULL);
    mapi_run(bed);
    assert_others_see(bed, "newer");
    assert_int_equal(open_stream(bed, BLOB, BEST, STREAM, NULL), EC_SUCCESS);
    assert_int_equal(write_at(bed, STREAM, S("N"), &written), EC_SUCCESS);
    assert_int_equal(commit(bed, STREAM), EC_SUCCESS);
    assert_others_see(bed, "Newer");
}

static void test_writes_that_are_refused(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_write_and_commit_reply *reply;
    struct rop_write_and_commit rq = {.data = S("x")};
    uint16_t written;

    put(bed, "old", 3);
    assert_int_equal(open_stream(bed, BLOB, READ_ONLY, STREAM, NULL), EC_SUCCESS);
    assert_int_equal(write_at(bed, STREAM, S("x"), &written), 0x80030005); /* StreamAccessDenied */
    assert_int_equal(written, 0);
    assert_int_equal(
        mapi_do(bed, ROP_SetStreamSize, STREAM, 0, &(struct rop_set_stream_size){.size = 1}, NULL),
        0x80030005);
    assert_int_equal(open_stream(bed, BLOB, READ_WRITE, STREAM, NULL), EC_SUCCESS);
    /* 2.2.26: not of a folder */
    assert_int_equal(mapi_do(bed, ROP_WriteAndCommitStream, STREAM, 0, &rq, (const void **)&reply),
                     EC_NOT_SUPPORTED);
    assert_int_equal(reply->written, 0);
}

static void test_extended_writes_tell_in_four_bytes(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_write_extended_reply *reply;
    struct rop_write_extended rq = {.data = S("abc")};
    static const uint8_t answer[] = {0xA3, STREAM, 0, 0, 0, 0, 3, 0, 0, 0};

    assert_int_equal(open_stream(bed, BLOB, CREATE, STREAM, NULL), EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_WriteStreamExtended, STREAM, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->written, 3);
    assert_memory_equal(bed->payload.ptr + 2, answer, sizeof answer);
}

/* ---- sizes and positions ---- */

/* 3.2.5.17, 3.2.5.18 */
static void test_sizes_and_positions(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t at;

    assert_int_equal(open_stream(bed, BLOB, CREATE, STREAM, NULL), EC_SUCCESS);
    assert_int_equal(write_at(bed, STREAM, S("abcdef"), NULL), EC_SUCCESS);
    assert_int_equal(seek(bed, STREAM, 1, 0, &at), EC_SUCCESS);
    assert_int_equal(at, 6);
    assert_int_equal(seek(bed, STREAM, 2, -2, &at), EC_SUCCESS);
    assert_int_equal(at, 4);
    assert_slice(read_from(bed, STREAM, 10), "ef");
    assert_int_equal(seek(bed, STREAM, 2, 4, &at), EC_SUCCESS); /* beyond: zeros */
    assert_int_equal(at, 10);
    assert_int_equal(size_of(bed, STREAM), 10);
    assert_int_equal(
        mapi_do(bed, ROP_SetStreamSize, STREAM, 0, &(struct rop_set_stream_size){.size = 3}, NULL),
        EC_SUCCESS);
    assert_int_equal(
        mapi_do(bed, ROP_SetStreamSize, STREAM, 0, &(struct rop_set_stream_size){.size = 5}, NULL),
        EC_SUCCESS);
    assert_int_equal(commit(bed, STREAM), EC_SUCCESS);
    assert_stored(bed, "abc\0\0", 5);
}

static void test_positions_that_there_are_not(void **state)
{
    struct mapi_bed *bed = *state;

    put(bed, "abc", 3);
    assert_int_equal(open_stream(bed, BLOB, READ_WRITE, STREAM, NULL), EC_SUCCESS);
    assert_int_equal(seek(bed, STREAM, 0, -1, NULL), 0x80030019); /* StreamSeekError */
    assert_int_equal(seek(bed, STREAM, 2, -4, NULL), 0x80030019);
    assert_int_equal(seek(bed, STREAM, 0, 0x80000001, NULL), 0x80030019);
    assert_int_equal(seek(bed, STREAM, 2, INT64_MAX, NULL), 0x80030019);
    assert_int_equal(seek(bed, STREAM, 1, INT64_MIN, NULL), 0x80030019);
    assert_int_equal(seek(bed, STREAM, 3, 0, NULL), 0x80030057); /* StreamInvalidParam */
    assert_int_equal(mapi_do(bed, ROP_SetStreamSize, STREAM, 0,
                             &(struct rop_set_stream_size){.size = 0x80000001}, NULL),
                     0x80030070); /* StreamSizeError */
    assert_int_equal(size_of(bed, STREAM), 3);
}

/* 3.2.5.13: TooBig where it would be longer than a stream may be, or the context may hold. What was
 * never written to needs no memory. */
static void test_streams_that_grow_too_big(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t held = bed->context->held;
    uint16_t written;

    put(bed, "abc", 3);
    assert_int_equal(open_stream(bed, BLOB, READ_WRITE, STREAM, NULL), EC_SUCCESS);
    assert_int_equal(seek(bed, STREAM, 0, 0x80000000, NULL), EC_SUCCESS);
    assert_int_equal(size_of(bed, STREAM), 0x80000000);
    assert_true(bed->context->held - held <= 64 * 1024);
    assert_int_equal(write_at(bed, STREAM, S("x"), &written), 0x80040305);
    assert_int_equal(written, 0);
    assert_int_equal(seek(bed, STREAM, 0, 0x7FFFFFFF, NULL), EC_SUCCESS);
    assert_int_equal(write_at(bed, STREAM, S("x"), &written), 0x80040305);
    assert_int_equal(written, 0);
    assert_int_equal(read_from(bed, STREAM, 5).len, 1);
    assert_int_equal(
        mapi_do(bed, ROP_SetStreamSize, STREAM, 0, &(struct rop_set_stream_size){.size = 2}, NULL),
        EC_SUCCESS);
    assert_int_equal(commit(bed, STREAM), EC_SUCCESS);
    assert_stored(bed, "ab", 2);
}

/* ---- RopCopyToStream, RopCloneStream, locks ---- */

static uint32_t copy(struct mapi_bed *bed, uint64_t n,
                     const struct rop_copy_to_stream_reply **reply)
{
    struct rop_copy_to_stream rq = {.n = n};

    return mapi_do(bed, ROP_CopyToStream, STREAM, OTHER, &rq, (const void **)reply);
}

/* 3.2.5.19 */
static void test_a_stream_is_copied_to_another(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_copy_to_stream_reply *reply;

    put(bed, "abcdef", 6);
    assert_int_equal(open_stream(bed, BLOB, READ_ONLY, STREAM, NULL), EC_SUCCESS);
    assert_int_equal(open_stream(bed, 0x66020102, CREATE, OTHER, NULL), EC_SUCCESS);
    assert_int_equal(copy(bed, 4, &reply), EC_SUCCESS);
    assert_int_equal(reply->read, 4);
    assert_int_equal(reply->written, 4);
    assert_int_equal(copy(bed, 100, &reply), EC_SUCCESS);
    assert_int_equal(reply->read, 2);
    assert_int_equal(seek(bed, OTHER, 0, 0, NULL), EC_SUCCESS);
    assert_slice(read_from(bed, OTHER, 100), "abcdef");
    assert_int_equal(open_stream(bed, BLOB, READ_ONLY, OTHER, NULL), EC_SUCCESS);
    assert_int_equal(copy(bed, 100, &reply), 0x80030005);
    assert_int_equal(reply->read, 0);
    bed->handles[OTHER] = UINT32_MAX;
    assert_int_equal(copy(bed, 100, &reply), EC_DEST_NULL_OBJECT);
    assert_int_equal(mapi_reply(bed, 0)->dest, OTHER);
}

static void test_much_is_copied(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_copy_to_stream_reply *reply;
    enum { N = 9 * 1024 * 1024 };

    assert_int_equal(open_stream(bed, BLOB, CREATE, STREAM, NULL), EC_SUCCESS);
    assert_int_equal(seek(bed, STREAM, 0, N - 1, NULL), EC_SUCCESS);
    assert_int_equal(write_at(bed, STREAM, S("!"), NULL), EC_SUCCESS);
    assert_int_equal(seek(bed, STREAM, 0, 0, NULL), EC_SUCCESS);
    assert_int_equal(open_stream(bed, 0x66020102, CREATE, OTHER, NULL), EC_SUCCESS);
    assert_int_equal(copy(bed, UINT64_MAX, &reply), EC_SUCCESS);
    assert_int_equal(reply->read, N);
    assert_int_equal(seek(bed, OTHER, 2, -1, NULL), EC_SUCCESS);
    assert_slice(read_from(bed, OTHER, 100), "!");
}

/* 3.2.5.25: the same bytes, another position. */
static void test_a_clone_has_a_position_of_its_own(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_copy_to_stream_reply *reply;

    put(bed, "abcdef", 6);
    assert_int_equal(open_stream(bed, BLOB, READ_WRITE, STREAM, NULL), EC_SUCCESS);
    assert_slice(read_from(bed, STREAM, 2), "ab");
    assert_int_equal(mapi_do(bed, ROP_CloneStream, STREAM, OTHER, NULL, NULL), EC_SUCCESS);
    assert_slice(read_from(bed, OTHER, 2), "cd");
    assert_slice(read_from(bed, STREAM, 2), "cd");
    assert_int_equal(write_at(bed, STREAM, S("EF"), NULL), EC_SUCCESS);
    assert_slice(read_from(bed, OTHER, 2), "EF");
    assert_int_equal(seek(bed, STREAM, 0, 0, NULL), EC_SUCCESS);
    assert_int_equal(copy(bed, 6, &reply), EC_SUCCESS); /* onto itself */
    assert_int_equal(size_of(bed, STREAM), 12);
    mapi_ask(bed, ROP_Release, STREAM, 0, NULL);
    mapi_run(bed);
    assert_int_equal(seek(bed, OTHER, 0, 0, NULL), EC_SUCCESS);
    assert_slice(read_from(bed, OTHER, 100), "abcdEFabcdEF");
}

/* 3.2.5.21, 3.2.5.22: a server need not have them. */
static void test_locks_are_not_implemented(void **state)
{
    struct mapi_bed *bed = *state;

    assert_int_equal(open_stream(bed, BLOB, CREATE, STREAM, NULL), EC_SUCCESS);
    assert_int_equal(
        mapi_do(bed, ROP_LockRegionStream, STREAM, 0, &(struct rop_lock_region){.size = 1}, NULL),
        EC_NOT_IMPLEMENTED);
    assert_int_equal(mapi_do(bed, ROP_UnlockRegionStream, STREAM, 0,
                             &(struct rop_unlock_region){.size = 1}, NULL),
                     EC_NOT_IMPLEMENTED);
}

/* ---- streams of messages ---- */

static void create_message(struct mapi_bed *bed)
{
    struct rop_create_message rq = {.codepage = 0x0FFF, .folder = bed->inbox};

    assert_int_equal(mapi_do(bed, ROP_CreateMessage, FOLDER, MESSAGE, &rq, NULL), EC_SUCCESS);
}

static uint32_t open_of_message(struct mapi_bed *bed, uint32_t tag, uint8_t mode, uint32_t *size)
{
    const struct rop_open_stream_reply *reply;
    struct rop_open_stream rq = {.tag = tag, .mode = mode};
    uint32_t ec = mapi_do(bed, ROP_OpenStream, MESSAGE, STREAM, &rq, (const void **)&reply);

    if (!ec && size)
        *size = reply->size;
    return ec;
}

/* Text is UTF-16LE or in the code page, as it was asked; what it was written as does not matter. */
static void test_text_is_read_as_it_was_asked(void **state)
{
    struct mapi_bed *bed = *state;
    uint32_t size;

    create_message(bed);
    assert_int_equal(open_of_message(bed, PR_BODY, CREATE, NULL), EC_SUCCESS);
    assert_int_equal(write_at(bed, STREAM, slice_of("\xFC\0\xAC\x20", 4), NULL), EC_SUCCESS);
    assert_int_equal(commit(bed, STREAM), EC_SUCCESS);
    assert_int_equal(open_of_message(bed, 0x1000001E, READ_ONLY, &size), EC_SUCCESS);
    assert_int_equal(size, 2);
    assert_slice(read_from(bed, STREAM, 10), "\xFC\x80"); /* windows-1252 */
    assert_int_equal(open_of_message(bed, PR_HTML, READ_ONLY, &size), EC_SUCCESS);
    struct slice html = read_from(bed, STREAM, 1000); /* it is made of the text */
    assert_true(slice_find(html, S("&#252;&#8364;")) < html.len);
}

/* Without a commit what was written is the message's from the stream's release on. */
static void test_a_message_has_what_was_written_when_it_is_released(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_write_and_commit_reply *reply;
    struct rop_write_and_commit rq = {.data = S("both")};

    create_message(bed);
    assert_int_equal(open_of_message(bed, BLOB, READ_WRITE, NULL), EC_NOT_FOUND);
    assert_int_equal(open_of_message(bed, BLOB, CREATE, NULL), EC_SUCCESS);
    assert_int_equal(write_at(bed, STREAM, S("released"), NULL), EC_SUCCESS);
    mapi_ask(bed, ROP_Release, STREAM, 0, NULL);
    mapi_run(bed);
    assert_int_equal(open_of_message(bed, BLOB, READ_WRITE, NULL), EC_SUCCESS);
    assert_slice(read_from(bed, STREAM, 100), "released");
    assert_int_equal(mapi_do(bed, ROP_WriteAndCommitStream, STREAM, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->written, 4);
    assert_int_equal(open_of_message(bed, BLOB, READ_ONLY, NULL), EC_SUCCESS);
    assert_slice(read_from(bed, STREAM, 100), "releasedboth");
}

/* 3.2.5.13: without a commit the message's handle has it, and so has what is saved. */
static void test_what_is_written_is_seen_and_saved(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_get_properties_reply *reply;
    uint32_t tag = BLOB;
    struct prop *value;
    struct rop_get_properties rq = {.tags = {1, &tag}};

    bed->columns = rq.tags;
    create_message(bed);
    assert_int_equal(open_of_message(bed, BLOB, CREATE, NULL), EC_SUCCESS);
    assert_int_equal(write_at(bed, STREAM, S("seen"), NULL), EC_SUCCESS);
    assert_int_equal(
        mapi_do(bed, ROP_GetPropertiesSpecific, MESSAGE, 0, &rq, (const void **)&reply),
        EC_SUCCESS);
    struct wire w = wire_of(reply->row, &bed->arena);
    assert_true(row_read(&w, &(struct value_form){.codepage = 1252}, &tag, 1, &value));
    assert_slice(value->value.bytes, "seen");
    assert_int_equal(write_at(bed, STREAM, S(", saved"), NULL), EC_SUCCESS);

    const struct rop_save_message_reply *saved;
    struct rop_save_message save = {.flags = 2};
    assert_int_equal(
        mapi_do(bed, ROP_SaveChangesMessage, MESSAGE, MESSAGE, &save, (const void **)&saved),
        EC_SUCCESS);
    struct rop_open_message open = {
        .codepage = 0x0FFF, .folder = bed->inbox, .message = saved->message};
    assert_int_equal(mapi_do(bed, ROP_OpenMessage, LOGON, MESSAGE, &open, NULL), EC_SUCCESS);
    assert_int_equal(open_of_message(bed, BLOB, READ_ONLY, NULL), EC_SUCCESS);
    assert_slice(read_from(bed, STREAM, 100), "seen, saved");
}

/* The data of an attachment, of an OLE object too. */
static void test_an_attachment_is_written(void **state)
{
    struct mapi_bed *bed = *state;

    create_message(bed);
    mapi_ask(bed, ROP_CreateAttachment, MESSAGE, OTHER, NULL);
    mapi_run(bed);
    assert_int_equal(mapi_reply(bed, 0)->error, EC_SUCCESS);
    bed->handles[MESSAGE] = bed->handles[OTHER];
    assert_int_equal(open_of_message(bed, 0x3701000D, CREATE, NULL), EC_SUCCESS);
    assert_int_equal(write_at(bed, STREAM, S("OLE"), NULL), EC_SUCCESS);
    assert_int_equal(commit(bed, STREAM), EC_SUCCESS);
    assert_int_equal(open_of_message(bed, 0x37010102, READ_ONLY, NULL), EC_SUCCESS);
    assert_slice(read_from(bed, STREAM, 100), "OLE");
}

/* [MS-OXCROPS] 3.1.5.3: with its object a stream is gone. */
static void test_a_stream_goes_with_its_folder(void **state)
{
    struct mapi_bed *bed = *state;

    assert_int_equal(open_stream(bed, BLOB, CREATE, STREAM, NULL), EC_SUCCESS);
    assert_int_equal(write_at(bed, STREAM, S("abc"), NULL), EC_SUCCESS);
    mapi_ask(bed, ROP_Release, FOLDER, 0, NULL);
    mapi_run(bed);
    assert_int_equal(mapi_do(bed, ROP_GetStreamSize, STREAM, 0, NULL, NULL), EC_INVALID_OBJECT);
    assert_int_equal(bed->context->held, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_can_be_opened),
        TEST(test_create_begins_anew),
        TEST(test_a_stream_is_read_to_its_end),
        TEST(test_too_much_is_asked_for),
        TEST(test_a_large_value_by_pieces),
        TEST(test_a_stored_value_is_changed_in_its_middle),
        TEST(test_a_folder_has_what_was_committed_or_released),
        TEST(test_writes_that_are_refused),
        TEST(test_extended_writes_tell_in_four_bytes),
        TEST(test_sizes_and_positions),
        TEST(test_positions_that_there_are_not),
        TEST(test_streams_that_grow_too_big),
        TEST(test_a_stream_is_copied_to_another),
        TEST(test_much_is_copied),
        TEST(test_a_clone_has_a_position_of_its_own),
        TEST(test_locks_are_not_implemented),
        TEST(test_text_is_read_as_it_was_asked),
        TEST(test_a_message_has_what_was_written_when_it_is_released),
        TEST(test_what_is_written_is_seen_and_saved),
        TEST(test_an_attachment_is_written),
        TEST(test_a_stream_goes_with_its_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
