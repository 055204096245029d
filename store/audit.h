/*
 * audit.h - records of log-ons, kept in the store so that they can be asked by time and user.
 *
 * The authentication layer writes each record to a file before the client is answered; this is
 * the second copy, for queries, and may lag behind it. It lives in the system partition.
 *
 * Threads    Any. Appending waits for its commit: never on a worker.
 * Units      Times are FILETIME.
 */
#ifndef GATEPOST_STORE_AUDIT_H
#define GATEPOST_STORE_AUDIT_H

#include "base/err.h"
#include "store/engine/engine.h"

struct audit;

struct audit_entry {
    uint64_t time;
    struct slice user; /* canonical, or as given where there is no such user; may be empty */
    struct slice line; /* the record */
};

struct err audit_open(struct engine *engine, struct audit **out) MUST_USE;
void audit_close(struct audit *audit);

/* Add records, all or none; those with the same time keep their order. */
struct err audit_append(struct audit *audit, const struct audit_entry *entries, size_t n) MUST_USE;

/*
 * The records from `since` up to but not including `until`, in order of time; of one user where
 * `user` is not empty. `each` returns false to stop. Takes a new snapshot every few thousand
 * records, so that a long query does not hold old pages.
 */
struct err audit_query(struct audit *audit, uint64_t since, uint64_t until, struct slice user,
                       bool (*each)(void *ctx, uint64_t time, struct slice line),
                       void *ctx) MUST_USE;

/* The time of the newest record; 0 where there is none. */
struct err audit_newest(struct audit *audit, uint64_t *time) MUST_USE;

/* Remove up to `most` of the records before `before`; *removed tells how many. */
struct err audit_trim(struct audit *audit, uint64_t before, unsigned most,
                      unsigned *removed) MUST_USE;

#endif
