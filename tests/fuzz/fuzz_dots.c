/* Dots both ways: what goes out ends once for every reader; what comes in is found again. */
#include <assert.h>

#include "protocols/dots.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The wire ends at its first line "." and nowhere before, for a reader that ends lines at LF. */
static void check_one_end(struct slice wire)
{
    for (;;) {
        size_t n = slice_index(wire, '\n') + 1;
        struct slice line = slice_head(wire, n);

        assert(wire.len > 0);
        wire = slice_from(wire, n);
        if (slice_eq(line, S(".\r\n")) || slice_eq(line, S(".\n")))
            break;
    }
    assert(wire.len == 0);
}

static void send_and_check(struct slice message, size_t piece)
{
    struct dot_writer w = {0};
    struct buf wire = buf_make(SIZE_MAX / 2);

    for (size_t at = 0; at < message.len;) {
        size_t n = dot_put(&w, slice_sub(message, at, piece), &wire, piece);

        assert(n > 0);
        at += n;
    }
    dot_end(&w, &wire);
    check_one_end(buf_slice(&wire));
    buf_done(&wire);
}

/* Cut in pieces or in one, the same content comes in. */
static void receive(struct slice wire, size_t piece, struct buf *content, size_t *used)
{
    struct dot_reader r = {0};
    bool end = false;

    for (*used = 0; *used < wire.len && !end;) {
        struct slice in = slice_sub(wire, *used, piece);
        size_t before = in.len;

        while (in.len > 0 && !end)
            buf_put(content, dot_read(&r, &in, &end));
        *used += before - in.len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice message = slice_of(data, size);
    size_t piece = size ? 1 + data[0] % 16 : 1, used_whole, used_pieces;
    struct buf whole = buf_make(SIZE_MAX / 2), pieces = buf_make(SIZE_MAX / 2);

    send_and_check(message, piece);
    receive(message, SIZE_MAX, &whole, &used_whole);
    receive(message, piece, &pieces, &used_pieces);
    assert(used_whole == used_pieces);
    assert(slice_eq(buf_slice(&whole), buf_slice(&pieces)));
    buf_done(&whole);
    buf_done(&pieces);
    return 0;
}
