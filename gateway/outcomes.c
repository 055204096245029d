#include "gateway/outcomes.h"

#include "base/arena.h"
#include "gateway/audit_kind.h"
#include "gateway/tally.h"

/* Of one user. */
struct list {
    struct arena arena;
    struct outcome *items;
    size_t n, cap;
};

static struct outcome *outcome_of(struct list *all, struct slice protocol)
{
    for (size_t i = 0; i < all->n; i++)
        if (slice_eq(all->items[i].protocol, protocol))
            return &all->items[i];
    if (all->n == all->cap) {
        size_t more = all->cap ? all->cap : 8;

        all->items = arena_grow(&all->arena, all->items, all->n, more, sizeof *all->items);
        all->cap += more;
    }
    struct outcome *fresh = &all->items[all->n++];
    *fresh = (struct outcome){.protocol = protocol, .reason = AUTH_OK};
    return fresh;
}

static void take(struct list *all, const struct audit_count *count)
{
    struct slice protocol, mechanism;
    enum auth_reason reason;

    if (!audit_kind_split(count->kind, &protocol, &reason, &mechanism) || !audit_is_verdict(reason))
        return;
    struct outcome *o = outcome_of(all, protocol);
    if (count->last >= o->last) {
        o->last = count->last;
        o->reason = reason;
    }
    *(reason == AUTH_OK ? &o->ok : &o->failed) += count->count;
}

/* The rows of one user; returns how many there are. */
static size_t take_user(struct list *all, const struct audit_count *rows, size_t n)
{
    size_t taken = 0;

    all->n = 0;
    while (taken < n && slice_eq(rows[taken].user, rows[0].user))
        take(all, &rows[taken++]);
    return taken;
}

struct collecting {
    const struct outcomes_query *query;
    struct tally tally;
};

/* What nobody's name stands on cannot be compared. */
static void each_count(void *ctx, const struct audit_count *count)
{
    struct collecting *c = ctx;
    struct slice protocol, mechanism;
    enum auth_reason reason;

    if (count->user.len && audit_kind_split(count->kind, &protocol, &reason, &mechanism) &&
        (!c->query->wanted || c->query->wanted(c->query->ctx, count->user, protocol)))
        tally_add(&c->tally, count);
}

static void tell(const struct outcomes_query *query, struct tally *tally)
{
    struct list all = {.arena = ARENA_INIT};
    size_t n;
    const struct audit_count *rows = tally_rows(tally, &n);

    for (size_t i = 0; i < n;) {
        struct slice user = rows[i].user;

        i += take_user(&all, rows + i, n - i);
        if (all.n)
            query->each(query->ctx, user, all.items, all.n);
    }
    arena_done(&all.arena);
}

struct err outcomes_each(struct audit *audit, const struct outcomes_query *query)
{
    struct collecting c = {.query = query};
    struct err e = audit_counts(audit, query->since, query->until, each_count, &c);

    if (!failed(e))
        tell(query, &c.tally);
    tally_done(&c.tally);
    return e;
}

bool outcomes_differ(const struct outcome *outcomes, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (outcomes[i].reason != outcomes[0].reason)
            return true;
    return false;
}

bool outcomes_contradict(const struct outcome *outcomes, size_t n)
{
    bool in = false, out = false;

    for (size_t i = 0; i < n; i++)
        *(outcomes[i].reason == AUTH_OK ? &in : &out) = true;
    return in && out;
}
