#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The six bits of a letter, or -1. */
static int sextet(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (ascii_is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* `n` (2 to 4) letters to n - 1 bytes; false where a letter is none or left-over bits are set. */
static bool decode_group(const uint8_t *in, size_t n, uint8_t out[3])
{
    uint32_t bits = 0;

    for (size_t i = 0; i < n; i++) {
        int six = sextet(in[i]);

        if (six < 0)
            return false;
        bits |= (uint32_t)six << (18 - 6 * i);
    }
    out[0] = (uint8_t)(bits >> 16);
    out[1] = (uint8_t)(bits >> 8);
    out[2] = (uint8_t)bits;
    /* RFC 4648 3.5: else one byte string would have several encodings. */
    return n == 4 || (n == 3 ? out[2] == 0 : out[1] == 0 && out[2] == 0);
}

bool base64_decode(struct slice in, struct buf *out)
{
    if (out->failed || in.len % 4 != 0)
        return false;
    if (in.len == 0)
        return true;

    size_t pads = in.ptr[in.len - 1] != '=' ? 0 : in.ptr[in.len - 2] != '=' ? 1 : 2;
    size_t len = in.len / 4 * 3 - pads;
    uint8_t *to = buf_room(out) < len ? NULL : buf_reserve(out, len);

    if (!to)
        return false;
    for (size_t at = 0, done = 0; at < in.len; at += 4, done += 3) {
        size_t n = at + 4 < in.len ? 4 : 4 - pads;
        uint8_t group[3];

        if (!decode_group(in.ptr + at, n, group))
            return false;
        memcpy(to + done, group, n - 1);
    }
    buf_commit(out, len);
    return true;
}

void base64_encode(struct slice in, struct buf *out)
{
    size_t groups = in.len / 3 + (in.len % 3 != 0);
    uint8_t *to = buf_reserve(out, groups * 4);

    if (!to)
        return;
    for (size_t at = 0; at < in.len; at += 3, to += 4) {
        size_t n = in.len - at < 3 ? in.len - at : 3;
        uint32_t bits = (uint32_t)in.ptr[at] << 16 | (n > 1 ? (uint32_t)in.ptr[at + 1] << 8 : 0) |
                        (n > 2 ? in.ptr[at + 2] : 0);

        to[0] = (uint8_t)alphabet[bits >> 18];
        to[1] = (uint8_t)alphabet[bits >> 12 & 63];
        to[2] = n > 1 ? (uint8_t)alphabet[bits >> 6 & 63] : '=';
        to[3] = n > 2 ? (uint8_t)alphabet[bits & 63] : '=';
    }
    buf_commit(out, groups * 4);
}
