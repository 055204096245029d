/*
 * wire.h - the fields that every structure of MAPI/HTTP is made of.
 *
 * Integers are little-endian. Reading what is not there gives zeros and sets `failed`, which
 * sticks: a structure is read whole and looked at once. Writing goes to a buf, whose failure
 * sticks likewise.
 *
 * Threads    Plain memory: any thread.
 * Ownership  Slices point into what is read, or live in the arena that was given.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_WIRE_H
#define GATEPOST_PROTOCOLS_MAPI_WIRE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"

struct wire {
    struct slice rest;
    struct arena *in; /* for what cannot stay where it is: text, lists */
    bool failed;
};

static inline struct wire wire_of(struct slice bytes, struct arena *in)
{
    return (struct wire){bytes, in, false};
}

uint8_t wire_u8(struct wire *w);
uint16_t wire_u16(struct wire *w);
uint32_t wire_u32(struct wire *w);
uint64_t wire_u64(struct wire *w);
struct slice wire_bytes(struct wire *w, size_t n);

/*
 * A number of things of which each takes `least` bytes or more: fails where they cannot all be
 * there, so that a count never asks for more memory than the bytes that came with it.
 */
size_t wire_count(struct wire *w, size_t n, size_t least);

/* Text up to its NUL, which is passed over: 8-bit as it is, and UTF-16LE as UTF-8. */
struct slice wire_asz(struct wire *w);
struct slice wire_usz(struct wire *w);

void wire_put_u8(struct buf *out, uint8_t n);
void wire_put_u16(struct buf *out, uint16_t n);
void wire_put_u32(struct buf *out, uint32_t n);
void wire_put_u64(struct buf *out, uint64_t n);

/* With the NUL. Text ends at a NUL of its own: there is no way to write one. */
void wire_put_asz(struct buf *out, struct slice text);
void wire_put_usz(struct buf *out, struct slice utf8);

/* Write over a number that was left open: `at` is its place, counted from the start of `out`. */
void wire_patch_u16(struct buf *out, size_t at, uint16_t n);

#endif
