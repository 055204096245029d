/*
 * audit_kind.h - what records of log-ons are counted by: protocol, reason and mechanism.
 *
 * The store counts records of a kind without knowing what it says (store/audit.h). A kind is three
 * words with a space between them; all three come of short lists, so that a client cannot make
 * more kinds than there are.
 *
 * Threads    Pure functions: any thread.
 */
#ifndef GATEPOST_GATEWAY_AUDIT_KIND_H
#define GATEPOST_GATEWAY_AUDIT_KIND_H

#include <jansson.h>

#include "auth/auth.h"
#include "store/audit.h"

struct audit_kind {
    char text[AUDIT_KIND_MAX + 1];
};

/*
 * A mechanism that there is not stands in the record as the client wrote it; here it is "other".
 * None at all is "none".
 */
struct audit_kind audit_kind_of(const char *protocol, enum auth_reason reason,
                                struct slice mechanism);

/* A reason by its name. */
bool audit_reason_of(struct slice name, enum auth_reason *out);

static inline struct slice audit_kind_slice(const struct audit_kind *kind)
{
    return slice_str(kind->text);
}

/* Back to its words; false where it is no kind of ours. */
bool audit_kind_split(struct slice kind, struct slice *protocol, enum auth_reason *reason,
                      struct slice *mechanism);

/* ---- records as they were written ---- */

/* A text of a record; empty where it has none. NULL is fine, and has none. */
struct slice audit_member(const json_t *record, const char *name);

/* What the record counts as; false where it is none of ours. */
bool audit_record_kind(const json_t *record, struct audit_kind *out);

/* How long the verdict took, in microseconds. */
uint32_t audit_record_latency(const json_t *record);

/*
 * What the record says of an attempt: true for one that ended in a verdict. Connections that were
 * lost before there was one, and what came after a good one, are no attempts.
 */
bool audit_is_verdict(enum auth_reason reason);

#endif
