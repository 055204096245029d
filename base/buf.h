/*
 * buf.h - bytes that grow, up to a cap set at birth.
 *
 * A put that would pass the cap sets `failed`, and from then on every put does nothing: write ten
 * pieces, check once. Bytes are taken from the front with buf_consume(), at no cost per byte.
 *
 * Threads    A buf belongs to one thread at a time.
 * Ownership  A buf owns its bytes. A slice of them dies with the next put, consume or done.
 */
#ifndef GATEPOST_BASE_BUF_H
#define GATEPOST_BASE_BUF_H

#include <stdarg.h>

#include "base/err.h"
#include "base/slice.h"

struct buf {
    uint8_t *data; /* NULL until the first put */
    size_t head;   /* bytes already consumed */
    size_t len;    /* bytes that wait, from data + head */
    size_t cap;
    size_t max; /* the most that may wait */
    bool failed;
};

/* An empty buf that may hold up to `max` bytes. Allocates nothing. */
static inline struct buf buf_make(size_t max)
{
    return (struct buf){.max = max};
}

/* Free the bytes; the buf is empty and usable again, `failed` is cleared. */
void buf_done(struct buf *b);

/* As buf_done(), after overwriting: for what may have held a secret. */
void buf_wipe(struct buf *b);

/* Forget the bytes, keep the memory, clear `failed`. */
void buf_clear(struct buf *b);

static inline struct slice buf_slice(const struct buf *b)
{
    return b->len ? (struct slice){b->data + b->head, b->len} : SLICE_EMPTY;
}

/* How many more bytes may be put. */
static inline size_t buf_room(const struct buf *b)
{
    return b->failed ? 0 : b->max - b->len;
}

/*
 * Room for `n` more bytes at the end, or NULL (and `failed`) where the cap forbids it. What was
 * written there becomes part of the buf with buf_commit().
 */
uint8_t *buf_reserve(struct buf *b, size_t n) MUST_USE;
void buf_commit(struct buf *b, size_t n);

void buf_put(struct buf *b, struct slice s);
void buf_puts(struct buf *b, const char *text);
void buf_putc(struct buf *b, uint8_t byte);
void buf_put_u64(struct buf *b, uint64_t n);
void buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *format, va_list args) PRINTF_LIKE(2, 0);

/* Drop `n` (at most len) bytes from the front. */
void buf_consume(struct buf *b, size_t n);

/* Cut the end off, down to `len` bytes. */
void buf_truncate(struct buf *b, size_t len);

#endif
