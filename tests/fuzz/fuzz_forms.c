/*
 * fuzz_forms.c - small decoders of bytes from outside or from the disk: Base 64, modified UTF-7,
 * the PROXY header, stored property values, extended buffers of MAPI.
 *
 * The first byte chooses one; what was decoded encodes to what came in, and back.
 */
#include "base/arena.h"
#include "base/base64.h"
#include "base/mem.h"
#include "gateway/net/proxy.h"
#include "protocols/imap/imap_int.h"
#include "protocols/mapi/frame.h"
#include "protocols/mapi/lz77.h"
#include "store/mapi/prop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool good)
{
    if (!good)
        abort();
}

static void try_base64(struct slice in)
{
    struct buf out = buf_make(SIZE_MAX / 2), again = buf_make(SIZE_MAX / 2);

    if (base64_decode(in, &out)) {
        base64_encode(buf_slice(&out), &again);
        require(slice_eq(buf_slice(&again), in));
    } else {
        require(out.len == 0);
    }
    buf_clear(&out);
    buf_clear(&again);
    base64_encode(in, &out);
    require(base64_decode(buf_slice(&out), &again) && slice_eq(buf_slice(&again), in));
    buf_done(&out);
    buf_done(&again);
}

static void try_utf7(struct slice in)
{
    struct buf out = buf_make(SIZE_MAX / 2), again = buf_make(SIZE_MAX / 2);

    if (imap_utf7_to_utf8(in, &out)) {
        require(slice_is_utf8(buf_slice(&out)));
        imap_utf8_to_utf7(buf_slice(&out), &again);
        require(slice_eq(buf_slice(&again), in));
    }
    buf_clear(&out);
    buf_clear(&again);
    if (slice_is_utf8(in)) {
        imap_utf8_to_utf7(in, &out);
        require(slice_is_ascii(buf_slice(&out)));
        if (imap_utf7_to_utf8(buf_slice(&out), &again))
            require(slice_eq(buf_slice(&again), in));
    }
    buf_done(&out);
    buf_done(&again);
}

/* A header that is complete is not complete before, nor anything else. */
static void try_proxy(struct slice in)
{
    struct proxy_header header;

    if (proxy_parse(in, &header) != PROXY_OK)
        return;
    size_t len = header.len;
    require(len > 0 && len <= in.len && len <= PROXY_MAX);
    for (size_t n = 0; n < len; n++)
        require(proxy_parse(slice_head(in, n), &header) == PROXY_MORE);
}

static void try_property(struct slice in)
{
    struct arena arena = ARENA_INIT;
    struct buf out = buf_make(SIZE_MAX / 2), again = buf_make(SIZE_MAX / 2);
    uint16_t type = 0;
    struct prop_value value, same;

    if (in.len >= 2)
        type = (uint16_t)(in.ptr[0] | in.ptr[1] << 8);
    if (!failed(prop_decode(type, slice_from(in, 2), &arena, &value))) {
        require(!failed(prop_encode(type, &value, &out)));
        require(!failed(prop_decode(type, buf_slice(&out), &arena, &same)));
        require(!failed(prop_encode(type, &same, &again)));
        require(slice_eq(buf_slice(&out), buf_slice(&again)));
        buf_clear(&out);
        prop_print(type, &value, 60, &out);
    }
    buf_done(&out);
    buf_done(&again);
    arena_done(&arena);
}

static void try_frame(struct slice in)
{
    struct arena arena = ARENA_INIT;
    struct buf out = buf_make(SIZE_MAX / 2);
    struct slice payload;
    uint8_t plain[300];

    if (!failed(frame_read(in, &arena, &payload)))
        require(payload.len <= FRAME_PAYLOAD_MAX);
    if (in.len <= FRAME_PAYLOAD_MAX) {
        frame_put(&out, in);
        require(!failed(frame_read(buf_slice(&out), &arena, &payload)));
        require(slice_eq(payload, in));
    }
    if (in.len)
        (void)!lz77_decompress(slice_from(in, 1), plain, in.ptr[0]);
    buf_done(&out);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const forms[])(struct slice in) = {try_base64, try_utf7, try_proxy, try_property,
                                                     try_frame};

    if (size)
        forms[data[0] % (sizeof forms / sizeof *forms)](slice_of(data + 1, size - 1));
    return 0;
}
