/*
 * auth_follow.h - which records are new to somebody who looks again and again.
 *
 * A record has the time of its verdict and is stored a little later, so one may come in before
 * another that was told already. Each round goes back as far as one may be late, and passes over
 * the places that the last round saw.
 */
#ifndef GATEPOST_GATEWAY_CLI_AUTH_FOLLOW_H
#define GATEPOST_GATEWAY_CLI_AUTH_FOLLOW_H

#include "store/audit.h"

enum { FOLLOW_LATE_S = 10 };

struct follow {
    struct audit_place *seen, *now; /* by the last round, and by this one, in order */
    size_t n_seen, n_now;
    size_t at; /* of seen: where this round stands */
};

/* The next record of this round, in the order of places: did the last round not see it? */
bool follow_is_new(struct follow *f, struct audit_place place);

/* This round, which began at `since`, is over: the time at which to begin the next. */
uint64_t follow_turn(struct follow *f, uint64_t since);

void follow_done(struct follow *f);

#endif
