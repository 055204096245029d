#include "base/utf.h"

/* ---- UTF-8 ---- */

static size_t sequence_length(uint8_t c)
{
    return c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;
}

/*
 * The bytes of the longest start of a sequence that could have been one (Unicode 3.9, "maximal
 * subpart"): what one U+FFFD stands for.
 */
static size_t good_bytes(struct slice s, size_t len)
{
    uint8_t c = s.ptr[0], low = 0x80, high = 0xBF;
    size_t n = 1;

    if (c == 0xE0)
        low = 0xA0;
    else if (c == 0xED)
        high = 0x9F;
    else if (c == 0xF0)
        low = 0x90;
    else if (c == 0xF4)
        high = 0x8F;
    while (n < len && n < s.len && s.ptr[n] >= low && s.ptr[n] <= high) {
        low = 0x80;
        high = 0xBF;
        n++;
    }
    return n;
}

uint32_t utf8_take(struct slice *s)
{
    static const uint8_t first_bits[5] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    size_t len = sequence_length(s->ptr[0]);
    size_t good = len > 1 ? good_bytes(*s, len) : 1;
    uint32_t c = UTF_REPLACEMENT;

    if (good == len) {
        c = s->ptr[0] & first_bits[len];
        for (size_t i = 1; i < len; i++)
            c = c << 6 | (s->ptr[i] & 0x3F);
    }
    *s = slice_from(*s, good);
    return c;
}

size_t utf8_bytes(uint32_t c, uint8_t *to)
{
    static const uint8_t lead[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        to[i] = (uint8_t)(0x80 | (c & 0x3F));
    to[0] = (uint8_t)(lead[len] | c);
    return len;
}

void utf8_put(struct buf *out, uint32_t c)
{
    uint8_t b[4];

    buf_put(out, slice_of(b, utf8_bytes(c, b)));
}

static size_t ascii_run(struct slice s)
{
    size_t n = 0;

    while (n < s.len && s.ptr[n] < 0x80)
        n++;
    return n;
}

void utf8_put_lossy(struct buf *out, struct slice s)
{
    while (s.len) {
        size_t run = ascii_run(s);

        buf_put(out, slice_head(s, run));
        s = slice_from(s, run);
        if (s.len)
            utf8_put(out, utf8_take(&s));
    }
}

size_t utf8_printable(struct slice s)
{
    uint8_t c = s.ptr[0];

    if (c < 0x80)
        return c >= 0x20 && c < 0x7f;
    size_t len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    /* C1 controls move cursors on some terminals. */
    if (s.len < len || !slice_is_utf8(slice_head(s, len)) || (c == 0xc2 && s.ptr[1] < 0xa0))
        return 0;
    return len;
}

void utf8_put_visible(struct buf *out, struct slice s)
{
    while (s.len) {
        size_t len = utf8_printable(s);

        if (len)
            buf_put(out, slice_head(s, len));
        else
            buf_printf(out, "\\x%02x", s.ptr[0]);
        s = slice_from(s, len ? len : 1);
    }
}

/* ---- UTF-16 ---- */

static uint32_t unit_at(struct slice s, size_t at)
{
    return (uint32_t)(s.ptr[at] | s.ptr[at + 1] << 8);
}

static bool is_high(uint32_t unit)
{
    return unit >= 0xD800 && unit < 0xDC00;
}

static bool is_low(uint32_t unit)
{
    return unit >= 0xDC00 && unit < 0xE000;
}

uint32_t utf16le_take(struct slice *s)
{
    uint32_t c = s->len >= 2 ? unit_at(*s, 0) : UTF_REPLACEMENT;
    size_t used = 2;

    if (is_high(c) && s->len >= 4 && is_low(unit_at(*s, 2))) {
        c = 0x10000 + ((c - 0xD800) << 10) + (unit_at(*s, 2) - 0xDC00);
        used = 4;
    } else if (is_high(c) || is_low(c)) {
        c = UTF_REPLACEMENT;
    }
    *s = slice_from(*s, used);
    return c;
}

static void put_unit(struct buf *out, uint32_t unit)
{
    uint8_t bytes[2] = {(uint8_t)unit, (uint8_t)(unit >> 8)};

    buf_put(out, slice_of(bytes, sizeof bytes));
}

void utf16le_put(struct buf *out, uint32_t c)
{
    if (c < 0x10000) {
        put_unit(out, c);
    } else {
        put_unit(out, 0xD800 + ((c - 0x10000) >> 10));
        put_unit(out, 0xDC00 + ((c - 0x10000) & 0x3FF));
    }
}

/* ASCII is most of most text, and is put as a run. How many characters of it are at the front. */
static size_t put_ascii_of_utf16le(struct slice wide, struct buf *out)
{
    size_t n = 0;

    while (2 * n + 1 < wide.len && wide.ptr[2 * n] < 0x80 && wide.ptr[2 * n + 1] == 0)
        n++;
    uint8_t *to = n ? buf_reserve(out, n) : NULL;
    for (size_t i = 0; to && i < n; i++)
        to[i] = wide.ptr[2 * i];
    if (to)
        buf_commit(out, n);
    return n;
}

void utf8_from_utf16le(struct slice wide, struct buf *out)
{
    while (wide.len) {
        wide = slice_from(wide, 2 * put_ascii_of_utf16le(wide, out));
        if (wide.len)
            utf8_put(out, utf16le_take(&wide));
    }
}

static size_t put_ascii_of_utf8(struct slice text, struct buf *out)
{
    size_t n = 0;

    while (n < text.len && text.ptr[n] < 0x80)
        n++;
    uint8_t *to = n ? buf_reserve(out, 2 * n) : NULL;
    for (size_t i = 0; to && i < n; i++) {
        to[2 * i] = text.ptr[i];
        to[2 * i + 1] = 0;
    }
    if (to)
        buf_commit(out, 2 * n);
    return n;
}

void utf16le_from_utf8(struct slice text, struct buf *out)
{
    while (text.len) {
        text = slice_from(text, put_ascii_of_utf8(text, out));
        if (text.len)
            utf16le_put(out, utf8_take(&text));
    }
}
