/*
 * history.h - how log-ons went over time, from the store's records: the last hour by minutes, the
 * last week by hours.
 *
 * A minute that has passed is counted once; hours are counted by the store itself. So asking again
 * costs what has come since, and a restart forgets nothing.
 *
 * Threads    One at a time.
 */
#ifndef GATEPOST_GATEWAY_HISTORY_H
#define GATEPOST_GATEWAY_HISTORY_H

#include "protocols/ops/ops.h"
#include "store/audit.h"

struct history;

/* `audit` outlives it. */
struct history *history_new(struct audit *audit) MUST_USE;
void history_free(struct history *history); /* NULL is fine */

/* Up to `now` (FILETIME); what they point to lives in the arena. */
struct err history_read(struct history *history, uint64_t now, struct arena *in,
                        struct ops_history *minutes, struct ops_history *hours) MUST_USE;

#endif
