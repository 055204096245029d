#include "protocols/mapi/lz77.h"

/* Lengths are told in steps, each of which has a highest value that says "and more". */
enum { MATCH_LEAST = 3, SHORT_MORE = 7, NIBBLE_MORE = 15, BYTE_MORE = 255 };

struct inflater {
    struct slice in;
    uint8_t *out;
    size_t len, size;
    const uint8_t *nibble; /* a byte whose high half is still to be used, or NULL */
    bool failed;
};

static uint32_t take(struct inflater *z, size_t width)
{
    uint32_t n = 0;

    if (z->in.len < width) {
        z->failed = true;
        return 0;
    }
    for (size_t i = 0; i < width; i++)
        n |= (uint32_t)z->in.ptr[i] << (8 * i);
    z->in = slice_from(z->in, width);
    return n;
}

/* Two lengths share one byte, which stands where the first of them was read. */
static uint32_t take_nibble(struct inflater *z)
{
    if (z->nibble) {
        uint32_t high = *z->nibble >> 4;

        z->nibble = NULL;
        return high;
    }
    z->nibble = z->in.ptr;
    return take(z, 1) & 15;
}

/* How long a match is, beyond MATCH_LEAST ([MS-OXCRPC] 3.1.4.1.1.2.2.4). */
static uint32_t match_length(struct inflater *z, uint32_t told)
{
    if (told < SHORT_MORE)
        return told;
    uint32_t nibble = take_nibble(z);
    if (nibble < NIBBLE_MORE)
        return SHORT_MORE + nibble;
    uint32_t byte = take(z, 1);
    if (byte < BYTE_MORE)
        return SHORT_MORE + NIBBLE_MORE + byte;
    uint32_t whole = take(z, 2); /* not a step but the length itself */
    if (whole < SHORT_MORE + NIBBLE_MORE)
        z->failed = true;
    return whole;
}

/* A match may overlap what it makes, so it is copied a byte at a time. */
static void copy_match(struct inflater *z)
{
    uint32_t match = take(z, 2);
    size_t distance = (match >> 3) + 1;
    size_t len = MATCH_LEAST + (size_t)match_length(z, match & 7);

    if (z->failed || distance > z->len || len > z->size - z->len) {
        z->failed = true;
        return;
    }
    for (; len > 0; len--, z->len++)
        z->out[z->len] = z->out[z->len - distance];
}

static void copy_literal(struct inflater *z)
{
    uint8_t byte = (uint8_t)take(z, 1);

    if (z->failed || z->len == z->size) {
        z->failed = true;
        return;
    }
    z->out[z->len++] = byte;
}

bool lz77_decompress(struct slice in, uint8_t *out, size_t size)
{
    struct inflater z = {.in = in, .out = out, .size = size};

    /* Some compressors leave out a mask that would only say that this is the end. */
    while (!z.failed && !(z.in.len == 0 && z.len == size)) {
        uint32_t mask = take(&z, 4);

        for (unsigned bit = 32; bit-- > 0 && !z.failed;) {
            if (!(mask >> bit & 1))
                copy_literal(&z);
            else if (z.in.len == 0)
                return z.len == size; /* a match that is not there is the end */
            else
                copy_match(&z);
        }
    }
    return !z.failed;
}
