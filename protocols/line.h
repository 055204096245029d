/*
 * line.h - command lines cut from what a peer sends (POP3, LMTP).
 *
 * Holds at most one longest line, so that a peer cannot make a session grow; the driver keeps the
 * rest and is held back by it. A line ends at LF; one CR before it belongs to the line end. A line
 * that is longer than allowed is dropped as it comes and reported once, at its end.
 *
 * Threads    A reader belongs to its session.
 * Ownership  A line points into the reader and dies with the next line_feed() or line_wipe_all().
 */
#ifndef GATEPOST_PROTOCOLS_LINE_H
#define GATEPOST_PROTOCOLS_LINE_H

#include "base/buf.h"

struct line_reader {
    struct buf in;  /* what came and is not used yet */
    size_t scanned; /* bytes of it that are known to hold no LF */
    bool skipping;  /* inside a line that is too long */
};

enum line_found { LINE_NONE, LINE_READY, LINE_TOO_LONG };

/* `max` is the longest line, without its line end. Allocates nothing. */
void line_init(struct line_reader *r, size_t max);
void line_done(struct line_reader *r);

/* Take what there is room for; returns how much. */
size_t line_feed(struct line_reader *r, struct slice in);

/* Take the next line off, without its line end. */
enum line_found line_next(struct line_reader *r, struct slice *line);

/* Bytes behind the last line taken: content that follows a command (BDAT). */
struct slice line_rest(const struct line_reader *r);
void line_skip(struct line_reader *r, size_t n);

/* Overwrite a line that line_next() gave: it may have held a secret. */
void line_wipe(struct line_reader *r, struct slice line);

/* Drop everything, a line being skipped too: what came in clear before TLS (RFC 2595 4). */
void line_wipe_all(struct line_reader *r);

/* Give memory back where nothing waits: an idle session costs little. */
void line_relax(struct line_reader *r);

#endif
