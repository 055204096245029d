/*
 * outcomes.h - how each user fared by each protocol: the founding case, found in the counts.
 *
 * A protocol's outcome for a user is how his last attempt there ended. Somebody who is refused by
 * POP3 and let in by MAPI stands out, whatever else he or others did.
 *
 * Threads    Any; reads the store.
 * Ownership  What `each` is given dies with the call.
 */
#ifndef GATEPOST_GATEWAY_OUTCOMES_H
#define GATEPOST_GATEWAY_OUTCOMES_H

#include "auth/auth.h"
#include "store/audit.h"

/* How one user fared by one protocol. */
struct outcome {
    struct slice protocol;
    uint64_t ok, failed;
    uint64_t last;           /* attempt */
    enum auth_reason reason; /* how that one ended */
};

struct outcomes_query {
    uint64_t since, until;
    /* Is this to be counted? NULL: everything is. */
    bool (*wanted)(void *ctx, struct slice user, struct slice protocol);
    /* Every user of whom there is an attempt, in order. */
    void (*each)(void *ctx, struct slice user, const struct outcome *outcomes, size_t n);
    void *ctx;
};

struct err outcomes_each(struct audit *audit, const struct outcomes_query *query) MUST_USE;

/* Did not all protocols say the same? */
bool outcomes_differ(const struct outcome *outcomes, size_t n);

/* Was he refused by one protocol and let in by another? */
bool outcomes_contradict(const struct outcome *outcomes, size_t n);

#endif
