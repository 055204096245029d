/* audit_int.h - keys and values of the records of log-ons, as store/system.h lists them. */
#ifndef GATEPOST_STORE_AUDIT_INT_H
#define GATEPOST_STORE_AUDIT_INT_H

#include "base/clock.h"
#include "store/audit.h"

enum {
    AUDIT_USER_MAX = 255, /* of a name that is indexed; what is longer was no user of ours */
    AUDIT_KEY_MAX = 1 + AUDIT_USER_MAX + 1 + AUDIT_KIND_MAX + 16,
    AUDIT_SNAPSHOT_ROWS = 4096,
};

#define AUDIT_HOUR (3600 * FILETIME_SECOND)

struct audit {
    struct engine *engine;
    struct engine_partition *partition;
};

/* ---- keys ---- */

struct audit_key {
    uint8_t bytes[AUDIT_KEY_MAX];
    size_t len;
};

static inline struct slice audit_key_slice(const struct audit_key *key)
{
    return slice_of(key->bytes, key->len);
}

struct audit_key audit_time_key(uint64_t time, uint32_t number);
struct audit_key audit_user_key(struct slice user, uint64_t time, uint32_t number);
/* An empty kind of an empty user: the beginning of the hour. */
struct audit_key audit_count_key(uint32_t hour, struct slice user, struct slice kind);
struct audit_key audit_latency_key(uint32_t hour, struct slice kind);
struct audit_key audit_last_key(struct slice user, struct slice door);

uint64_t audit_number(const uint8_t *at, unsigned bytes);

/* The time and number of a key of the index by time; false where it is none. */
bool audit_is_time_key(struct slice key, uint64_t *time, uint32_t *number);

/* The hour of a key of counts or latencies (`first`: 'S' or 'H'); false where it is none. */
bool audit_is_hour_key(struct slice key, uint8_t first, uint32_t *hour);

/* A name that can be part of a key: the rest is found by its time only. */
struct slice audit_indexable(struct slice user);

/* ---- values ---- */

/* Split a stored record; false where it is damaged. Slices die with the read. */
bool audit_entry_decode(uint64_t time, struct slice value, struct audit_entry *out);

/* ---- walking ---- */

/*
 * Every row from the key `from` on, for as long as `row` says so; a new snapshot every few thousand
 * rows. `row` gets the read it belongs to.
 */
struct audit_walk {
    struct audit_key from;
    bool (*row)(struct audit_walk *walk, struct engine_read *rd, struct slice key,
                struct slice value);
};

struct err audit_walk(struct audit *audit, struct audit_walk *walk) MUST_USE;

/* ---- last log-ons, inside a batch ---- */

/* `entry` is of a log-on: the last of its user and door, unless there is a later one. */
struct err audit_keep_last(struct engine_write *w, const struct audit_entry *entry) MUST_USE;

/* The account is deleted. */
struct err audit_forget_last(struct engine_write *w, struct slice user) MUST_USE;

/* ---- counting, inside a batch ---- */

struct err audit_count_entries(struct engine_write *w, const struct audit_entry *entries,
                               size_t n) MUST_USE;

/* Remove up to `most` counts of hours that end at `before` or sooner. */
struct err audit_trim_counts(struct engine_write *w, uint64_t before, unsigned most) MUST_USE;

#endif
