/*
 * base64.h - the Base 64 encoding of RFC 4648 4, strictly.
 *
 * Strict means: nothing outside the alphabet (no line ends, no spaces), padding complete and only
 * at the end, and the bits that padding leaves over are zero (3.5). So every byte string has one
 * encoded form only, and what was decoded encodes to what came in.
 *
 * Threads    Pure functions: any thread.
 */
#ifndef GATEPOST_BASE_BASE64_H
#define GATEPOST_BASE_BASE64_H

#include "base/buf.h"
#include "base/slice.h"

/* Appends to `out`. On false (malformed, or `out` is full) its length is what it was. */
bool base64_decode(struct slice in, struct buf *out) MUST_USE;

/* Appends to `out`; where its cap is met nothing is put, and `out` is failed. */
void base64_encode(struct slice in, struct buf *out);

#endif
