/*
 * tail.h - the last records of log-ons, for those who watch them come.
 *
 * Stands before another sink, and keeps the last records in memory. Whoever follows is woken when
 * there are more and reads them when he can; who is too slow misses some and is told how many, so
 * nobody who watches costs more than the records that are kept.
 *
 * Threads    record() and the reading may be called on any thread.
 */
#ifndef GATEPOST_GATEWAY_TAIL_H
#define GATEPOST_GATEWAY_TAIL_H

#include "auth/auth.h"
#include "protocols/ops/ops.h"

struct tail;

/* `next` gets every record first. */
struct tail *tail_new(struct auth_sink *next) MUST_USE;
/* When nobody follows any more, and the tasks that were posted have run. NULL is fine. */
void tail_free(struct tail *tail);
struct auth_sink *tail_face(struct tail *tail);

/* Behind struct ops_source; NULL: there are FOLLOWERS_MOST already. */
struct ops_follower *tail_follow(struct tail *tail, const struct ops_follow *how) MUST_USE;
void tail_leave(struct tail *tail, struct ops_follower *follower);
bool tail_read(struct tail *tail, struct ops_follower *follower, struct buf *out, size_t room);

#endif
