/*
 * report.h - what those who sent are told: reports on delivery (RFC 3464, in a multipart/report of
 * RFC 6522).
 *
 * Threads    Pure functions: any thread.
 */
#ifndef GATEPOST_GATEWAY_REPORT_H
#define GATEPOST_GATEWAY_REPORT_H

#include "store/queue.h"

enum report_kind {
    REPORT_FAILED,    /* a non-delivery report */
    REPORT_DELIVERED, /* it is in the mailboxes of these */
    REPORT_RELAYED,   /* the next hop has it, and will not say more */
};

struct report {
    enum report_kind kind;
    const char *host_name;
    const struct queue_entry *entry; /* of it, the recipients with `told` unset that fit */
    struct slice original;           /* the message */
    uint64_t now;
};

/* Is this recipient one that such a report tells of? */
bool report_tells(const struct report *report, const struct queue_recipient *recipient);

void report_put(const struct report *report, struct buf *out);

#endif
