#include "protocols/imap/imap_int.h"

#include "base/utf.h"

/* Base 64 with "," for "/" (RFC 3501 5.1.3). */
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int sextet(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (ascii_is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == ',' ? 63 : -1;
}

static bool is_printable(uint32_t ch)
{
    return ch >= 0x20 && ch <= 0x7E;
}

/* UTF-16 units as they come; a high surrogate waits for its low one. */
struct utf16 {
    uint32_t high;
    size_t units;
};

static bool take_unit(struct utf16 *u, uint32_t unit, struct buf *out)
{
    u->units++;
    if (u->high) {
        if (unit < 0xDC00 || unit > 0xDFFF)
            return false;
        utf8_put(out, 0x10000 + ((u->high - 0xD800) << 10) + (unit - 0xDC00));
        u->high = 0;
        return true;
    }
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        u->high = unit;
        return true;
    }
    /* What can stand for itself must, or one name would have two forms. */
    if (unit == 0 || is_printable(unit) || (unit >= 0xDC00 && unit <= 0xDFFF))
        return false;
    utf8_put(out, unit);
    return true;
}

/* Between "&" and "-": whole units, and the bits left over are zero. */
static bool shifted(struct slice base64, struct buf *out)
{
    struct utf16 u = {0, 0};
    uint32_t bits = 0;
    unsigned n = 0;

    for (size_t i = 0; i < base64.len; i++) {
        int six = sextet(base64.ptr[i]);

        if (six < 0)
            return false;
        bits = bits << 6 | (uint32_t)six;
        n += 6;
        if (n >= 16) {
            n -= 16;
            if (!take_unit(&u, bits >> n & 0xFFFF, out))
                return false;
            bits &= (1u << n) - 1;
        }
    }
    return u.units && !u.high && n < 6 && bits == 0;
}

bool imap_utf7_to_utf8(struct slice name, struct buf *out)
{
    bool after_shift = false;

    while (name.len) {
        uint8_t c = name.ptr[0];

        name = slice_from(name, 1);
        if (!is_printable(c))
            return false;
        if (c != '&') {
            buf_putc(out, c);
            after_shift = false;
            continue;
        }
        size_t end = slice_index(name, '-');
        if (end == name.len)
            return false;
        if (end == 0)
            buf_putc(out, '&');
        else if (after_shift || !shifted(slice_head(name, end), out))
            return false; /* two shifts in a row should have been one */
        after_shift = end != 0;
        name = slice_from(name, end + 1);
    }
    return !out->failed;
}

struct base64_out {
    struct buf *out;
    uint32_t bits;
    unsigned n;
};

static void put_unit(struct base64_out *b, uint32_t unit)
{
    b->bits = b->bits << 16 | unit;
    b->n += 16;
    while (b->n >= 6) {
        b->n -= 6;
        buf_putc(b->out, (uint8_t)alphabet[b->bits >> b->n & 0x3F]);
    }
    b->bits &= (1u << b->n) - 1;
}

/* Everything at the front that needs a shift. */
static void put_shifted(struct slice *name, struct buf *out)
{
    struct base64_out b = {.out = out};

    buf_putc(out, '&');
    while (name->len && !is_printable(name->ptr[0])) {
        uint32_t ch = utf8_take(name);

        if (ch < 0x10000) {
            put_unit(&b, ch);
        } else {
            put_unit(&b, 0xD800 + ((ch - 0x10000) >> 10));
            put_unit(&b, 0xDC00 + ((ch - 0x10000) & 0x3FF));
        }
    }
    if (b.n)
        buf_putc(out, (uint8_t)alphabet[b.bits << (6 - b.n) & 0x3F]);
    buf_putc(out, '-');
}

void imap_utf8_to_utf7(struct slice name, struct buf *out)
{
    if (!slice_is_utf8(name))
        return; /* the store keeps no such name */
    while (name.len) {
        uint8_t c = name.ptr[0];

        if (!is_printable(c)) {
            put_shifted(&name, out);
            continue;
        }
        buf_putc(out, c);
        if (c == '&')
            buf_putc(out, '-');
        name = slice_from(name, 1);
    }
}
