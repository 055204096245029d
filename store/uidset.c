#include "store/uidset.h"

#include <stdlib.h>

#include "base/mem.h"

void uidset_done(struct uidset *set)
{
    free(set->runs);
    *set = UIDSET_EMPTY;
}

void uidset_clear(struct uidset *set)
{
    set->n = 0;
}

static void make_room(struct uidset *set, size_t n)
{
    if (n <= set->cap)
        return;
    size_t cap = set->cap * 2 > n ? set->cap * 2 : n;

    if (cap < 4)
        cap = 4;
    set->runs = mem_grow(set->runs, cap, sizeof *set->runs);
    set->cap = cap;
}

/* The index of the first run that ends at or behind `uid`; set->n where there is none. */
static size_t find(const struct uidset *set, uint32_t uid)
{
    size_t low = 0, high = set->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (set->runs[middle].last < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Put `n` runs in the place of those in [from, to). */
static void splice(struct uidset *set, size_t from, size_t to, const struct uid_run *runs, size_t n)
{
    size_t tail = set->n - to;

    make_room(set, from + n + tail);
    if (tail)
        memmove(set->runs + from + n, set->runs + to, tail * sizeof *runs);
    for (size_t i = 0; i < n; i++)
        set->runs[from + i] = runs[i];
    set->n = from + n + tail;
}

/* Does `next` overlap or touch what ends at `last`? Written so that UINT32_MAX does not wrap. */
static bool joins(uint32_t last, uint32_t next)
{
    return next <= last || next - last == 1;
}

void uidset_append_unordered(struct uidset *set, uint32_t first, uint32_t last)
{
    make_room(set, set->n + 1);
    set->runs[set->n++] = (struct uid_run){first, last};
}

void uidset_add(struct uidset *set, uint32_t first, uint32_t last)
{
    if (set->n == 0 || set->runs[set->n - 1].last < first) {
        if (set->n && joins(set->runs[set->n - 1].last, first))
            set->runs[set->n - 1].last = last;
        else
            uidset_append_unordered(set, first, last);
        return;
    }
    size_t from = find(set, first ? first - 1 : 0), to = from;
    struct uid_run run = {first, last};

    for (; to < set->n && joins(last, set->runs[to].first); to++) {
        if (set->runs[to].first < run.first)
            run.first = set->runs[to].first;
        if (set->runs[to].last > run.last)
            run.last = set->runs[to].last;
    }
    splice(set, from, to, &run, 1);
}

static int by_first(const void *a, const void *b)
{
    const struct uid_run *x = a, *y = b;

    return (x->first > y->first) - (x->first < y->first);
}

static bool in_order(const struct uidset *set)
{
    for (size_t i = 1; i < set->n; i++)
        if (set->runs[i].first < set->runs[i - 1].first)
            return false;
    return true;
}

void uidset_normalize(struct uidset *set)
{
    size_t out = 0;

    if (!in_order(set))
        qsort(set->runs, set->n, sizeof *set->runs, by_first);
    for (size_t i = 1; i < set->n; i++) {
        struct uid_run run = set->runs[i];

        if (!joins(set->runs[out].last, run.first))
            set->runs[++out] = run;
        else if (run.last > set->runs[out].last)
            set->runs[out].last = run.last;
    }
    if (set->n)
        set->n = out + 1;
}

void uidset_remove(struct uidset *set, uint32_t first, uint32_t last)
{
    size_t from = find(set, first), to = from, n = 0;
    struct uid_run left[2];

    if (from < set->n && set->runs[from].first < first)
        left[n++] = (struct uid_run){set->runs[from].first, first - 1};
    while (to < set->n && set->runs[to].first <= last)
        to++;
    if (to == from)
        return;
    if (set->runs[to - 1].last > last)
        left[n++] = (struct uid_run){last + 1, set->runs[to - 1].last};
    splice(set, from, to, left, n);
}

bool uidset_has(const struct uidset *set, uint32_t uid)
{
    size_t i = find(set, uid);

    return i < set->n && set->runs[i].first <= uid;
}

uint64_t uidset_count(const struct uidset *set)
{
    uint64_t n = 0;

    for (size_t i = 0; i < set->n; i++)
        n += (uint64_t)set->runs[i].last - set->runs[i].first + 1;
    return n;
}

void uidset_copy(struct uidset *to, const struct uidset *from)
{
    if (to == from)
        return;
    make_room(to, from->n);
    if (from->n)
        memcpy(to->runs, from->runs, from->n * sizeof *from->runs);
    to->n = from->n;
}

void uidset_intersect(const struct uidset *a, const struct uidset *b, struct uidset *out)
{
    size_t i = 0, j = 0;

    uidset_clear(out);
    while (i < a->n && j < b->n) {
        struct uid_run x = a->runs[i], y = b->runs[j];
        uint32_t first = x.first > y.first ? x.first : y.first;
        uint32_t last = x.last < y.last ? x.last : y.last;

        if (first <= last)
            uidset_append_unordered(out, first, last);
        if (x.last <= y.last)
            i++;
        if (y.last <= x.last)
            j++;
    }
}

void uidset_subtract(const struct uidset *a, const struct uidset *b, struct uidset *out)
{
    size_t j = 0;

    uidset_clear(out);
    for (size_t i = 0; i < a->n; i++) {
        struct uid_run left = a->runs[i];
        bool whole = true;

        while (j < b->n && b->runs[j].last < left.first)
            j++;
        /* b's last run that cuts into this one may cut into the next as well: keep it. */
        for (size_t k = j; k < b->n && b->runs[k].first <= left.last; k++) {
            if (b->runs[k].first > left.first)
                uidset_append_unordered(out, left.first, b->runs[k].first - 1);
            if (b->runs[k].last >= left.last) {
                whole = false;
                break;
            }
            left.first = b->runs[k].last + 1;
            j = k;
        }
        if (whole)
            uidset_append_unordered(out, left.first, left.last);
    }
}

bool uidset_next(const struct uidset *set, uint32_t uid, uint32_t *out)
{
    size_t i = find(set, uid);

    if (i == set->n)
        return false;
    *out = set->runs[i].first > uid ? set->runs[i].first : uid;
    return true;
}

void uidset_put(const struct uidset *set, struct buf *out)
{
    for (size_t i = 0; i < set->n; i++) {
        if (i)
            buf_putc(out, ',');
        buf_put_u64(out, set->runs[i].first);
        if (set->runs[i].last != set->runs[i].first) {
            buf_putc(out, ':');
            buf_put_u64(out, set->runs[i].last);
        }
    }
}
