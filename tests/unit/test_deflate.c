/* COMPRESS=DEFLATE where the peer ends or breaks its stream. */
#include <zlib.h>

#include "gateway/net/deflate.h"
#include "tests/support/test.h"

/* `text` packed as a stream that is ended behind it. */
static size_t pack_and_end(const char *text, uint8_t *packed, size_t size)
{
    z_stream z = {0};

    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)text;
    z.avail_in = (uInt)strlen(text);
    z.next_out = packed;
    z.avail_out = (uInt)size;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return size - z.avail_out;
}

/* Fed whole and by bytes: all of it comes, and then the error. */
static void reads_then_fails(struct slice packed, const char *text)
{
    for (size_t piece = 1; piece <= packed.len; piece += packed.len - 1) {
        struct deflate *d = deflate_new();
        struct buf out = buf_make(1000);
        uint8_t plain[100];
        struct err e = OK;
        size_t len;

        for (struct slice in = packed; in.len && !failed(e); in = slice_from(in, piece)) {
            assert_ok(deflate_feed(d, slice_head(in, piece)));
            while (!failed(e = deflate_read(d, plain, sizeof plain, &len)) && len > 0)
                buf_put(&out, slice_of(plain, len));
        }
        assert_slice(buf_slice(&out), text);
        if (!failed(e))
            e = deflate_read(d, plain, sizeof plain, &len);
        assert_code(e, ERR_SYNTAX);
        buf_done(&out);
        deflate_free(d);
    }
}

static void what_came_before_the_end_of_a_stream_is_read(void **state)
{
    uint8_t packed[200];

    (void)state;
    reads_then_fails(slice_of(packed, pack_and_end("a LOGOUT\r\n", packed, sizeof packed)),
                     "a LOGOUT\r\n");
}

static void what_came_before_the_damage_is_read(void **state)
{
    /* A stored block, and one of the type that there is not (RFC 1951 3.2.3). */
    static const uint8_t packed[] = {0x00, 3, 0, 0xFC, 0xFF, 'a', 'b', 'c', 0x07};

    (void)state;
    reads_then_fails(slice_of(packed, sizeof packed), "abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_came_before_the_end_of_a_stream_is_read),
        cmocka_unit_test(what_came_before_the_damage_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
