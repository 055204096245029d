/*
 * utf.h - UTF-8 and UTF-16, one code point at a time.
 *
 * What is malformed becomes U+FFFD, one for each maximal subpart (Unicode 3.9, table 3-8), so that
 * whatever comes out is well-formed. slice_is_utf8() is for those who refuse instead.
 *
 * Threads    Pure functions: any thread.
 */
#ifndef GATEPOST_BASE_UTF_H
#define GATEPOST_BASE_UTF_H

#include "base/buf.h"
#include "base/slice.h"

enum { UTF_REPLACEMENT = 0xFFFD };

/* The code point at the front of *s, which is not empty; moves *s behind it. */
uint32_t utf8_take(struct slice *s);

/* The up to four bytes of a code point. Returns how many. */
size_t utf8_bytes(uint32_t c, uint8_t *to);
void utf8_put(struct buf *out, uint32_t c);

/* `s` with malformed sequences replaced. */
void utf8_put_lossy(struct buf *out, struct slice s);

/*
 * The length of the well-formed sequence at the front of `s`, which is not empty, if it may be
 * shown on a terminal: no control character. Else 0.
 */
size_t utf8_printable(struct slice s);

/* `s` for a terminal, whoever it came from: bytes that may not be shown are \xNN. */
void utf8_put_visible(struct buf *out, struct slice s);

/*
 * The code point at the front of UTF-16LE text, which is not empty. A surrogate without its other
 * half, and the last byte of an odd number of them, are malformed.
 */
uint32_t utf16le_take(struct slice *s);
void utf16le_put(struct buf *out, uint32_t c);

/* Whole texts, from one to the other. */
void utf8_from_utf16le(struct slice wide, struct buf *out);
void utf16le_from_utf8(struct slice text, struct buf *out);

#endif
