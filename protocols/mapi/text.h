/*
 * text.h - comparing and searching text as people do: what tables are sorted by and what
 * restrictions look for.
 *
 * Order is the Unicode collation's, without regard to case: what a client of any language finds
 * good enough. Text is UTF-8.
 *
 * Threads    Any thread.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_TEXT_H
#define GATEPOST_PROTOCOLS_MAPI_TEXT_H

#include "base/buf.h"
#include "base/slice.h"

/* <0, 0, >0 */
int text_order(struct slice a, struct slice b);

/* Bytes whose bytewise order is that of text_order(), and a 0 byte, which is not among them. */
void text_put_key(struct buf *out, struct slice text);

/* FuzzyLevelHigh ([MS-OXCDATA] 2.12.3.1) */
enum {
    TEXT_IGNORE_CASE = 0x1,
    TEXT_IGNORE_MARKS = 0x2, /* those that take no space of their own: accents */
    TEXT_LOOSE = 0x4,        /* both */
};

/* Text that is equal under these flags becomes the same bytes. */
void text_fold(struct buf *out, struct slice text, unsigned flags);

#endif
