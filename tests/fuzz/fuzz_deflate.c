/*
 * fuzz_deflate.c - COMPRESS=DEFLATE: any bytes inflate to the same however they are cut and
 * whether memory was given back in between; what we deflate comes back.
 */
#include "base/mem.h"
#include "gateway/net/deflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PLAIN_MOST = 1 << 20 };

/* All that comes out of what waits; false: it is damaged. */
static bool drain(struct deflate *d, size_t room, struct buf *out)
{
    uint8_t piece[4096];
    size_t len;

    do {
        if (failed(deflate_read(d, piece, room, &len)))
            return false;
        buf_put(out, slice_of(piece, len));
    } while (len > 0 && out->len < PLAIN_MOST);
    return true;
}

static void inflate_in_pieces(struct slice in, size_t piece, size_t room, bool rest,
                              struct buf *out)
{
    struct deflate *d = deflate_new();
    bool good = true;

    while (in.len && good && out->len < PLAIN_MOST) {
        good = !failed(deflate_feed(d, slice_head(in, piece))) && drain(d, room, out);
        in = slice_from(in, piece);
        if (rest)
            deflate_rest(d);
    }
    deflate_free(d);
}

static void round_trip(struct slice plain, size_t piece, bool rest)
{
    struct deflate *d = deflate_new();
    struct buf packed = buf_make(SIZE_MAX / 2), out = buf_make(SIZE_MAX / 2);

    for (struct slice in = plain; in.len; in = slice_from(in, piece)) {
        deflate_write(d, slice_head(in, piece), &packed);
        if (rest)
            deflate_rest(d);
    }
    inflate_in_pieces(buf_slice(&packed), 3000, sizeof(uint8_t[4096]), rest, &out);
    if (!slice_eq(buf_slice(&out), plain))
        abort();
    deflate_free(d);
    buf_done(&packed);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = buf_make(SIZE_MAX / 2), pieces = buf_make(SIZE_MAX / 2);

    if (size < 2 || size > 4000)
        return 0;
    struct slice in = slice_of(data + 2, size - 2);
    size_t piece = 1 + data[0] % 50;
    bool rest = data[1] & 1;

    inflate_in_pieces(in, 4000, 4096, false, &whole);
    inflate_in_pieces(in, piece, 1 + data[1], rest, &pieces);
    if (whole.len < PLAIN_MOST && !slice_eq(buf_slice(&whole), buf_slice(&pieces)))
        abort();
    round_trip(in, piece * 20, rest);
    buf_done(&whole);
    buf_done(&pieces);
    return 0;
}
