/*
 * uidset.h - sets of UIDs as runs: {1:5, 9, 12:1000000} costs three runs.
 *
 * Threads    A set belongs to one thread at a time.
 * Ownership  A set owns its runs; uidset_done() frees them.
 */
#ifndef GATEPOST_STORE_UIDSET_H
#define GATEPOST_STORE_UIDSET_H

#include "base/buf.h"
#include "base/slice.h"

struct uid_run {
    uint32_t first, last; /* both belong to it; first <= last */
};

/* Runs ascend, do not overlap and do not touch. */
struct uidset {
    struct uid_run *runs;
    size_t n, cap;
};

#define UIDSET_EMPTY ((struct uidset){NULL, 0, 0})

void uidset_done(struct uidset *set);
void uidset_clear(struct uidset *set);

/* Add first:last in any order of adding; cheap at the end, O(runs) elsewhere. first <= last. */
void uidset_add(struct uidset *set, uint32_t first, uint32_t last);

/*
 * For many ranges in any order (an IMAP sequence set): append them all, then put in order once,
 * O(n log n). Between the two the set may only be appended to.
 */
void uidset_append_unordered(struct uidset *set, uint32_t first, uint32_t last);
void uidset_normalize(struct uidset *set);

void uidset_remove(struct uidset *set, uint32_t first, uint32_t last);
bool uidset_has(const struct uidset *set, uint32_t uid);
uint64_t uidset_count(const struct uidset *set);
void uidset_copy(struct uidset *to, const struct uidset *from);

/* *out = a and b; a without b. `out` is neither a nor b, and is overwritten. */
void uidset_intersect(const struct uidset *a, const struct uidset *b, struct uidset *out);
void uidset_subtract(const struct uidset *a, const struct uidset *b, struct uidset *out);

/* The first member >= uid, false if there is none. */
bool uidset_next(const struct uidset *set, uint32_t uid, uint32_t *out);

/* "1:5,9,12:1000000"; nothing for the empty set. */
void uidset_put(const struct uidset *set, struct buf *out);

#endif
