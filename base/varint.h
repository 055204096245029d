/*
 * varint.h - numbers in as few bytes as they need: 7 bits a byte, low ones first.
 *
 * Threads    Pure functions: any thread.
 */
#ifndef GATEPOST_BASE_VARINT_H
#define GATEPOST_BASE_VARINT_H

#include "base/buf.h"

static inline void varint_put(struct buf *out, uint64_t n)
{
    while (n >= 0x80) {
        buf_putc(out, (uint8_t)(n | 0x80));
        n >>= 7;
    }
    buf_putc(out, (uint8_t)n);
}

/* Take one off the front of *in. False: there is none, or it has more than 64 bits. */
static inline bool varint_take(struct slice *in, uint64_t *out)
{
    uint64_t n = 0;

    for (unsigned shift = 0; shift < 64 && in->len > 0; shift += 7) {
        uint8_t byte = in->ptr[0];

        if (shift == 63 && byte > 1)
            return false;
        *in = slice_from(*in, 1);
        n |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            *out = n;
            return true;
        }
    }
    return false;
}

/* Bytes behind how many they are. */
static inline void varint_put_slice(struct buf *out, struct slice bytes)
{
    varint_put(out, bytes.len);
    buf_put(out, bytes);
}

/* Take them off the front of *in, where they stay. False: they are not all there. */
static inline bool varint_take_slice(struct slice *in, struct slice *out)
{
    uint64_t len;

    if (!varint_take(in, &len) || len > in->len)
        return false;
    *out = slice_head(*in, (size_t)len);
    *in = slice_from(*in, (size_t)len);
    return true;
}

#endif
