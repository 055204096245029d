/*
 * reader.h - from bytes to a command: lines, literals, limits (RFC 9051 2.2.1, 4.3; RFC 7888).
 *
 * A command is collected in cmd->bytes. At the end of each line that announces a literal the
 * command is looked up, so that nothing is asked for that would not be used. What is too big is
 * refused before it is sent where the client asks first, and skipped where it does not; where
 * neither would end, the session says BYE.
 *
 * One command is collected at a time: bytes behind it stay with the driver.
 */
#ifndef GATEPOST_PROTOCOLS_IMAP_READER_H
#define GATEPOST_PROTOCOLS_IMAP_READER_H

#include "protocols/imap/imap_int.h"

enum reader_at {
    AT_LINE,      /* collecting a line of the command */
    AT_LITERAL,   /* collecting a literal into it */
    AT_STREAM,    /* handing a literal to the command's sink */
    SKIP_LINE,    /* the command is answered already: passing over the rest of its line */
    SKIP_LITERAL, /* ... and of a literal in it */
};

enum { READER_TAIL = 32 };

struct imap_reader {
    enum reader_at at;
    bool plus;                 /* a literal is to be asked for with "+" */
    bool streamed;             /* the command has handed a literal to its sink */
    size_t piece;              /* in cmd->bytes: where the line being collected starts */
    size_t args;               /* in cmd->bytes: where the arguments start */
    size_t line_len;           /* of the command's lines, without literals */
    uint64_t left;             /* bytes of the literal still to come */
    uint64_t skipped;          /* of this command */
    struct buf line;           /* in PHASE_LINE */
    uint8_t tail[READER_TAIL]; /* in SKIP_LINE: the last bytes seen, for "{n+}" */
    size_t tail_len;
};

/* Take what can be taken; see session_ops.feed. */
size_t imap_reader_feed(struct imap_session *s, struct slice in);

/* Forget what was read: a new command starts with the next byte. */
void imap_reader_reset(struct imap_session *s);

#endif
