/*
 * match.h - is something as a restriction wants it ([MS-OXCDATA] 2.12)?
 *
 * What is looked at is behind a small interface: a message, a folder, a recipient.
 *
 *  - A property that is not there comes before every value: it is less than, and not equal to,
 *    whatever it is compared with; it has no bits set, and is 0 bytes long. To contain text it must
 *    be there.
 *  - A property of many values fits a single value when one of them does, and other many values
 *    when all are equal.
 *  - Text is compared as text.h says. Values of different types fit in no way, but numbers of any
 *    width are numbers.
 *
 * Threads    Plain memory: any thread.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_MATCH_H
#define GATEPOST_PROTOCOLS_MAPI_MATCH_H

#include "protocols/mapi/value.h"

enum { PR_MESSAGE_RECIPIENTS = 0x0E12000D, PR_MESSAGE_ATTACHMENTS = 0x0E13000D };

struct match_source {
    /*
     * The property of that id, whatever its type (PtypString for PtypString8): *out lives as long
     * as the source. False: there is none.
     */
    bool (*get)(struct match_source *self, uint32_t tag, struct prop *out);
    /*
     * The recipients or the attachments, each a source. False: it has no such things. May be NULL.
     */
    bool (*parts)(struct match_source *self, uint32_t tag, struct match_source ***out, size_t *n);
    struct err err; /* a source that cannot read sets it: what match() says is void then */
};

/* A walk over many sources with one restriction: what RESTRICTION_COUNT has let through. */
struct match_run {
    struct arena *in;
    struct match_count *counts;
};

/*
 * May it be evaluated? ERR_UNSUPPORTED: it has what Gatepost (or nobody) evaluates: patterns,
 * members of distribution lists, text in what is no text, values that cannot be compared
 * (ecTooComplex).
 */
struct err match_check(const struct restriction *r) MUST_USE;

/* Does what it says depend on what was asked before? */
bool match_has_count(const struct restriction *r);

/* NULL fits everything. */
bool match(const struct restriction *r, struct match_run *run, struct match_source *source);

/* <0, 0, >0: two values of one type. */
int match_order(uint16_t type, const struct prop_value *a, const struct prop_value *b);

#endif
