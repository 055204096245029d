/*
 * audit.h - records of log-ons, kept in the store so that they can be asked by time and user, and
 * counted at once, however many they are.
 *
 * The authentication layer writes each record to a file before the client is answered; this is
 * the second copy, for queries, and may lag behind it. It lives in the system partition.
 *
 * A record has a kind: a word or some of the caller's, alike in all records that are to be counted
 * together. For each hour the store keeps how many records of each kind each user had, and how long
 * those of each kind took; a count over a day of ten million records reads some hundred thousand
 * rows.
 *
 * Threads    Any. Appending waits for its commit: never on a worker.
 * Units      Times are FILETIME.
 */
#ifndef GATEPOST_STORE_AUDIT_H
#define GATEPOST_STORE_AUDIT_H

#include "base/err.h"
#include "store/engine/engine.h"

struct audit;

enum { AUDIT_KIND_MAX = 120 };

struct audit_entry {
    uint64_t time;
    struct slice user; /* canonical, or as given where there is no such user; may be empty */
    struct slice kind; /* at most AUDIT_KIND_MAX bytes */
    struct slice door; /* of a log-on: the protocol, at most AUDIT_KIND_MAX bytes; else empty */
    uint32_t latency_us;
    struct slice line; /* the record */
};

struct err audit_open(struct engine *engine, struct audit **out) MUST_USE;
void audit_close(struct audit *audit);

/* Add records, all or none; those with the same time keep their order. */
struct err audit_append(struct audit *audit, const struct audit_entry *entries, size_t n) MUST_USE;

/* ---- asking ---- */

/* Where a record stands in the order of all; no other stands there. */
struct audit_place {
    uint64_t time;
    uint32_t number; /* of those with this time */
};

/*
 * The records from `since` up to but not including `until`, in order of time; of one user where
 * `user` is not empty. `each` returns false to stop. Takes a new snapshot every few thousand
 * records, so that a long query does not hold old pages.
 */
struct err audit_query(struct audit *audit, uint64_t since, uint64_t until, struct slice user,
                       bool (*each)(void *ctx, struct audit_place at, struct slice line),
                       void *ctx) MUST_USE;

/* The time of the newest record; 0 where there is none. */
struct err audit_newest(struct audit *audit, uint64_t *time) MUST_USE;

/*
 * The last log-on of a user by each door: time, door and line. They stay when records are trimmed,
 * and go with the account.
 */
struct err audit_last(struct audit *audit, struct slice user,
                      void (*each)(void *ctx, const struct audit_entry *entry), void *ctx) MUST_USE;

/* ---- counting ---- */

/* How often records of a kind came from a user. */
struct audit_count {
    struct slice user, kind; /* die with the call */
    uint64_t count;
    uint64_t last; /* time of the last one of them */
};

/*
 * The counts of a time, as for audit_query(). One user and kind may be told several times: add them
 * up. Whole hours come from what was counted, the rest of the time from the records themselves.
 */
struct err audit_counts(struct audit *audit, uint64_t since, uint64_t until,
                        void (*each)(void *ctx, const struct audit_count *count),
                        void *ctx) MUST_USE;

/* How long records of a kind took: how many in each of these steps, four to a doubling. */
enum { AUDIT_LATENCY_STEPS = 128 };

/* Likewise; `each` may be called several times for one kind. */
struct err audit_latencies(struct audit *audit, uint64_t since, uint64_t until,
                           void (*each)(void *ctx, struct slice kind,
                                        const uint32_t counts[AUDIT_LATENCY_STEPS]),
                           void *ctx) MUST_USE;

/* The step of a time, and the middle of a step, in microseconds. */
unsigned audit_latency_step(uint32_t us);
uint32_t audit_latency_us(unsigned step);

/* ---- forgetting ---- */

/* Remove up to `most` of the records before `before`, and counts of hours before it; *removed tells
 * how many records. */
struct err audit_trim(struct audit *audit, uint64_t before, unsigned most,
                      unsigned *removed) MUST_USE;

#endif
