/*
 * tally.h - counts of records of log-ons, added up by user and kind.
 *
 * The store tells them hour by hour, each hour in order of user and kind; so they are sorted in
 * pieces and merged, and names that an attacker chose cost no more than others.
 *
 * Threads    One.
 * Ownership  Rows live until tally_done().
 */
#ifndef GATEPOST_GATEWAY_TALLY_H
#define GATEPOST_GATEWAY_TALLY_H

#include "base/arena.h"
#include "store/audit.h"

struct tally {
    struct audit_count *rows; /* in order of user and kind */
    size_t n;
    struct arena names;        /* of rows */
    struct audit_count *fresh; /* not merged yet */
    size_t n_fresh;
    bool in_order; /* they came that way */
    struct arena fresh_names;
};

void tally_add(struct tally *tally, const struct audit_count *count);

/* All that was added, once for each user and kind, in this order. */
const struct audit_count *tally_rows(struct tally *tally, size_t *n);

void tally_done(struct tally *tally);

#endif
