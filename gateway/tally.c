#include "gateway/tally.h"

#include <stdlib.h>

#include "base/mem.h"

/* About as many as an hour has: each merge walks over all that there is. */
enum { FRESH_MOST = 256 * 1024 };

static int order_of(const struct audit_count *a, const struct audit_count *b)
{
    int order = slice_order(a->user, b->user);

    return order ? order : slice_order(a->kind, b->kind);
}

static int by_order(const void *a, const void *b)
{
    return order_of(a, b);
}

static void add_up(struct audit_count *sum, const struct audit_count *count)
{
    sum->count += count->count;
    if (count->last > sum->last)
        sum->last = count->last;
}

/* The next of two sorted lists; those of a new one are copied for good. */
static struct audit_count take_next(struct tally *t, size_t *old, size_t *fresh)
{
    const struct audit_count *f = *fresh < t->n_fresh ? &t->fresh[*fresh] : NULL;
    struct audit_count row;

    if (*old < t->n && (!f || order_of(&t->rows[*old], f) <= 0))
        return t->rows[(*old)++];
    row = *f;
    row.user = arena_slice(&t->names, f->user);
    row.kind = arena_slice(&t->names, f->kind);
    ++*fresh;
    return row;
}

/* Everything at the front of what is new that is the same as `row`. */
static void take_same(struct tally *t, size_t *fresh, struct audit_count *row)
{
    while (*fresh < t->n_fresh && order_of(&t->fresh[*fresh], row) == 0)
        add_up(row, &t->fresh[(*fresh)++]);
}

static void merge(struct tally *t)
{
    struct audit_count *merged = mem_array(t->n + t->n_fresh, sizeof *merged);
    size_t n = 0, old = 0, fresh = 0;

    if (t->n_fresh && !t->in_order)
        qsort(t->fresh, t->n_fresh, sizeof *t->fresh, by_order);
    while (old < t->n || fresh < t->n_fresh) {
        merged[n] = take_next(t, &old, &fresh);
        take_same(t, &fresh, &merged[n++]);
    }
    free(t->rows);
    t->rows = merged;
    t->n = n;
    t->n_fresh = 0;
    t->in_order = true;
    arena_done(&t->fresh_names);
}

void tally_add(struct tally *tally, const struct audit_count *count)
{
    if (!tally->fresh) {
        tally->fresh = mem_array(FRESH_MOST, sizeof *tally->fresh);
        tally->in_order = true;
    }
    struct audit_count *row = &tally->fresh[tally->n_fresh++];
    *row = *count;
    row->user = arena_slice(&tally->fresh_names, count->user);
    row->kind = arena_slice(&tally->fresh_names, count->kind);
    if (tally->n_fresh > 1 && order_of(row - 1, row) > 0)
        tally->in_order = false;
    if (tally->n_fresh == FRESH_MOST)
        merge(tally);
}

const struct audit_count *tally_rows(struct tally *tally, size_t *n)
{
    merge(tally);
    *n = tally->n;
    return tally->rows;
}

void tally_done(struct tally *tally)
{
    free(tally->rows);
    free(tally->fresh);
    arena_done(&tally->names);
    arena_done(&tally->fresh_names);
    *tally = (struct tally){.rows = NULL};
}
