#include "protocols/mapi/wire.h"

#include "base/utf.h"

static uint64_t take(struct wire *w, size_t width)
{
    struct slice bytes = wire_bytes(w, width);
    uint64_t n = 0;

    for (size_t i = 0; i < bytes.len; i++)
        n |= (uint64_t)bytes.ptr[i] << (8 * i);
    return n;
}

uint8_t wire_u8(struct wire *w)
{
    return (uint8_t)take(w, 1);
}

uint16_t wire_u16(struct wire *w)
{
    return (uint16_t)take(w, 2);
}

uint32_t wire_u32(struct wire *w)
{
    return (uint32_t)take(w, 4);
}

uint64_t wire_u64(struct wire *w)
{
    return take(w, 8);
}

struct slice wire_bytes(struct wire *w, size_t n)
{
    struct slice bytes = slice_head(w->rest, n);

    if (w->failed || n > w->rest.len) {
        w->failed = true;
        return SLICE_EMPTY;
    }
    w->rest = slice_from(w->rest, n);
    return bytes;
}

size_t wire_count(struct wire *w, size_t n, size_t least)
{
    if (!w->failed && n <= w->rest.len / least)
        return n;
    w->failed = true;
    return 0;
}

struct slice wire_asz(struct wire *w)
{
    size_t end = slice_index(w->rest, 0);
    struct slice text = wire_bytes(w, end);

    (void)wire_u8(w);
    return text;
}

/* Where the first NUL unit is; the whole length, if there is none, fails the read. */
static size_t wide_length(struct slice s)
{
    size_t at = 0;

    while (at + 1 < s.len && (s.ptr[at] || s.ptr[at + 1]))
        at += 2;
    return at;
}

struct slice wire_usz(struct wire *w)
{
    struct slice wide = wire_bytes(w, wide_length(w->rest));
    struct buf text = buf_make(3 * wide.len / 2);

    if (wire_u16(w) != 0)
        w->failed = true;
    utf8_from_utf16le(wide, &text);
    struct slice out = arena_slice(w->in, buf_slice(&text));
    buf_done(&text);
    return out;
}

static void put(struct buf *out, uint64_t n, size_t width)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < width; i++)
        bytes[i] = (uint8_t)(n >> (8 * i));
    buf_put(out, slice_of(bytes, width));
}

void wire_put_u8(struct buf *out, uint8_t n)
{
    put(out, n, 1);
}

void wire_put_u16(struct buf *out, uint16_t n)
{
    put(out, n, 2);
}

void wire_put_u32(struct buf *out, uint32_t n)
{
    put(out, n, 4);
}

void wire_put_u64(struct buf *out, uint64_t n)
{
    put(out, n, 8);
}

void wire_put_asz(struct buf *out, struct slice text)
{
    buf_put(out, slice_head(text, slice_index(text, 0)));
    wire_put_u8(out, 0);
}

void wire_put_usz(struct buf *out, struct slice utf8)
{
    utf16le_from_utf8(slice_head(utf8, slice_index(utf8, 0)), out);
    wire_put_u16(out, 0);
}

void wire_patch_u16(struct buf *out, size_t at, uint16_t n)
{
    if (out->failed)
        return;
    out->data[out->head + at] = (uint8_t)n;
    out->data[out->head + at + 1] = (uint8_t)(n >> 8);
}
