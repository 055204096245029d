/*
 * deflate.h - COMPRESS=DEFLATE (RFC 4978): raw DEFLATE (RFC 1951) both ways.
 *
 * Inflating is pulled, some bytes at a time, so that what a peer sends cannot make memory out of
 * nothing. Deflating ends each flush on a byte boundary. The memory of both, some 300 KB, can be
 * given back while nothing happens and is taken again when something does.
 *
 * Threads    One connection's.
 */
#ifndef GATEPOST_GATEWAY_NET_DEFLATE_H
#define GATEPOST_GATEWAY_NET_DEFLATE_H

#include "base/buf.h"
#include "base/err.h"

struct deflate;

struct deflate *deflate_new(void) MUST_USE;
void deflate_free(struct deflate *d);

/* Compressed bytes that came; they wait here. ERR_TOO_BIG: more than `max_waiting` do. */
struct err deflate_feed(struct deflate *d, struct slice packed) MUST_USE;
size_t deflate_waiting(const struct deflate *d);

/*
 * Up to `size` plain bytes into dst; *len is how many (0: it takes more input).
 * ERR_SYNTAX: this is not DEFLATE, or the peer ended the stream.
 */
struct err deflate_read(struct deflate *d, uint8_t *dst, size_t size, size_t *len) MUST_USE;

/* Compress, and flush so that the peer can read all of it. */
void deflate_write(struct deflate *d, struct slice plain, struct buf *out);

/* Give memory back where the state of the streams allows it. */
void deflate_rest(struct deflate *d);

#endif
