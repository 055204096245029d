/*
 * notice.h - the frame that reports on delivery and receipts have in common: a message of ours
 * about another one, in parts (RFC 6522), the last of which is the header of what it is about.
 *
 * Threads    Any.
 * Ownership  Nothing is kept; slices are the caller's.
 */
#ifndef GATEPOST_GATEWAY_NOTICE_H
#define GATEPOST_GATEWAY_NOTICE_H

#include "base/buf.h"

struct notice {
    const char *kind; /* "report", "receipt": in boundaries and Message-IDs */
    uint64_t number;  /* of what it is about; with the time it makes the notice's name */
    uint64_t now;     /* FILETIME */
    const char *host_name;
    const char *report_type; /* RFC 6522 3 */
    struct slice to;
    const char *prefix;    /* of the subject */
    struct slice subject;  /* of what it is about; one line, or folded */
    struct slice about_id; /* its Message-ID, empty: it has none */
};

/* All of the header but From, which the caller put before. */
void notice_put_head(const struct notice *n, struct buf *out);

/* The line before a part, and its header; `type` may have more fields behind it. */
void notice_put_part(const struct notice *n, const char *type, struct buf *out);

/* The last part, and the end. */
void notice_put_original(const struct notice *n, struct slice header, struct buf *out);

#endif
