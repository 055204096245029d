/*
 * dots.h - the dot that ends a message on the wire, and the dots that must not.
 *
 * Going out (POP3, RFC 1939 3): a dot at the start of a line is doubled. For this a line starts
 * behind every LF, whether or not a CR stands before it: most clients split lines at LF, and one
 * that met "LF . CR LF" inside of a message would take the rest of it for our next answers. So no
 * reader, whatever it takes for a line end, sees the end early; one that splits at LF gets the
 * stored bytes, and so does one that splits at CRLF, except that a line dot behind a bare LF comes
 * doubled. A message that does not end in CRLF gets one before the dot, for there is no other way
 * to end it; LIST and STAT do not count it.
 *
 * Coming in (LMTP, RFC 5321 4.5.2): a line starts behind CRLF and nothing else, and the data end
 * at CRLF.CRLF and nowhere else. A bare CR or LF is content: whoever relays to us may read it
 * otherwise, and a second opinion on where a message ends is how mail gets smuggled.
 *
 * Threads    Pure functions over memory: any thread.
 */
#ifndef GATEPOST_PROTOCOLS_DOTS_H
#define GATEPOST_PROTOCOLS_DOTS_H

#include "base/buf.h"

enum dot_last { DOT_START, DOT_TEXT, DOT_CR, DOT_LF, DOT_CRLF };

/* Zeroed at the start of a message. */
struct dot_writer {
    enum dot_last last; /* what was sent last */
};

/*
 * Send the front of `piece`, at most about `room` bytes (a few more where dots are doubled);
 * returns how many of its bytes were taken: at least one where neither is 0.
 */
size_t dot_put(struct dot_writer *w, struct slice piece, struct buf *out, size_t room);

/* End the message: at most five bytes. */
void dot_end(struct dot_writer *w, struct buf *out);

enum dot_reading { DOT_READ_START, DOT_READ_TEXT, DOT_READ_CR, DOT_READ_DOT, DOT_READ_DOT_CR };

/* Zeroed at the start of a message: behind the CRLF of DATA. */
struct dot_reader {
    enum dot_reading state;
};

/*
 * Take bytes off the front of *in and return a run of content, which may be empty. Call it again
 * while *in has bytes and *end is false; *end is set behind CRLF.CRLF, and *in is then what
 * follows the data.
 */
struct slice dot_read(struct dot_reader *r, struct slice *in, bool *end);

#endif
