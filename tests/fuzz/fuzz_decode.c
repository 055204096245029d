/*
 * fuzz_decode.c - base64 and quoted-printable give the same bytes however the input is cut.
 *
 * The first byte chooses the encoding, the second the size of the pieces.
 */
#include "store/mime/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool decode(struct slice in, enum mime_encoding encoding, size_t piece, struct buf *out)
{
    struct mime_decoder d;

    mime_decoder_init(&d, encoding);
    while (in.len) {
        mime_decode_piece(&d, slice_head(in, piece), out);
        in = slice_from(in, piece);
    }
    mime_decode_end(&d, out);
    return d.broken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = buf_make(SIZE_MAX / 2), cut = buf_make(SIZE_MAX / 2);

    if (size < 2)
        return 0;
    enum mime_encoding encoding = data[0] % 2 ? MIME_BASE64 : MIME_QP;
    struct slice in = slice_of(data + 2, size - 2);
    bool broken = decode(in, encoding, SIZE_MAX, &whole);
    const size_t pieces[] = {1, 2, 3, 5, 77, (size_t)data[1] + 1};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        buf_clear(&cut);
        if (decode(in, encoding, pieces[i], &cut) != broken ||
            !slice_eq(buf_slice(&cut), buf_slice(&whole)))
            abort();
    }
    if (whole.len > in.len)
        abort();
    buf_done(&whole);
    buf_done(&cut);
    return 0;
}
