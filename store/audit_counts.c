/* audit_counts.c - how many records of each kind there were in each hour, and how long they took.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "store/audit_int.h"

enum { COUNT_LEN = 16, LATENCY_LEN = 4 * AUDIT_LATENCY_STEPS };

static void put_number(uint8_t *at, uint64_t n, unsigned bytes)
{
    while (bytes-- > 0)
        *at++ = (uint8_t)(n >> (8 * bytes));
}

static uint32_t hour_of(uint64_t time)
{
    return (uint32_t)(time / AUDIT_HOUR);
}

/* ---- steps of latency: four to a doubling, from 1 us on ---- */

unsigned audit_latency_step(uint32_t us)
{
    if (us < 4)
        return us;
    unsigned octave = 31u - (unsigned)__builtin_clz(us);
    return 4 * (octave - 1) + (us >> (octave - 2) & 3);
}

uint32_t audit_latency_us(unsigned step)
{
    if (step < 4)
        return step;
    unsigned octave = step / 4 + 1;
    uint32_t low = (4u + step % 4) << (octave - 2), width = 1u << (octave - 2);
    return low + width / 2;
}

/* ---- adding up ---- */

static int by_place(const void *a, const void *b)
{
    const struct audit_entry *x = *(const struct audit_entry *const *)a;
    const struct audit_entry *y = *(const struct audit_entry *const *)b;
    uint32_t hx = hour_of(x->time), hy = hour_of(y->time);
    int order = (hx > hy) - (hx < hy);

    if (order == 0)
        order = slice_order(x->kind, y->kind);
    return order ? order : slice_order(audit_indexable(x->user), audit_indexable(y->user));
}

static bool same_kind(const struct audit_entry *a, const struct audit_entry *b)
{
    return hour_of(a->time) == hour_of(b->time) && slice_eq(a->kind, b->kind);
}

static bool same_user(const struct audit_entry *a, const struct audit_entry *b)
{
    return slice_eq(audit_indexable(a->user), audit_indexable(b->user));
}

static const struct audit_entry *newest(const struct audit_entry *const *entries, size_t n)
{
    const struct audit_entry *newest = entries[0];

    for (size_t i = 1; i < n; i++)
        newest = entries[i]->time >= newest->time ? entries[i] : newest;
    return newest;
}

/* `n` entries of one hour, user and kind, of which `newest` is one. */
static struct err add_count(struct engine_write *w, const struct audit_entry *newest, size_t n)
{
    struct audit_key key =
        audit_count_key(hour_of(newest->time), audit_indexable(newest->user), newest->kind);
    uint8_t sum[COUNT_LEN];
    uint64_t count = n, last = 0;
    struct slice old;
    struct err e = engine_get(engine_write_read(w), audit_key_slice(&key), &old);

    if (failed(e) && e.code != ERR_NOT_FOUND)
        return e;
    if (!failed(e) && old.len == COUNT_LEN) {
        count += audit_number(old.ptr, 8);
        last = audit_number(old.ptr + 8, 8);
    }
    last = newest->time > last ? newest->time : last;
    put_number(sum, count, 8);
    put_number(sum + 8, last, 8);
    return engine_put(w, audit_key_slice(&key), slice_of(sum, sizeof sum));
}

/* `n` entries of one hour and kind. */
static struct err add_latencies(struct engine_write *w, const struct audit_entry *const *entries,
                                size_t n)
{
    struct audit_key key = audit_latency_key(hour_of(entries[0]->time), entries[0]->kind);
    uint8_t sum[LATENCY_LEN] = {0};
    struct slice old;
    struct err e = engine_get(engine_write_read(w), audit_key_slice(&key), &old);

    if (failed(e) && e.code != ERR_NOT_FOUND)
        return e;
    if (!failed(e) && old.len == sizeof sum)
        memcpy(sum, old.ptr, sizeof sum);
    for (size_t i = 0; i < n; i++) {
        uint8_t *at = sum + (size_t)4 * audit_latency_step(entries[i]->latency_us);

        put_number(at, audit_number(at, 4) + 1, 4);
    }
    return engine_put(w, audit_key_slice(&key), slice_of(sum, sizeof sum));
}

static struct err add_users(struct engine_write *w, const struct audit_entry *const *entries,
                            size_t n)
{
    struct err e = OK;

    for (size_t i = 0, end; i < n && !failed(e); i = end) {
        for (end = i + 1; end < n && same_user(entries[i], entries[end]);)
            end++;
        const struct audit_entry *last = newest(entries + i, end - i);
        e = add_count(w, last, end - i);
        if (!failed(e) && last->door.len)
            e = audit_keep_last(w, last);
    }
    return e;
}

struct err audit_count_entries(struct engine_write *w, const struct audit_entry *entries, size_t n)
{
    const struct audit_entry **sorted = mem_array(n, sizeof *sorted);
    struct err e = OK;

    for (size_t i = 0; i < n; i++)
        sorted[i] = &entries[i];
    qsort(sorted, n, sizeof *sorted, by_place);
    for (size_t i = 0, end; i < n && !failed(e); i = end) {
        for (end = i + 1; end < n && same_kind(sorted[i], sorted[end]);)
            end++;
        e = add_users(w, sorted + i, end - i);
        if (!failed(e))
            e = add_latencies(w, sorted + i, end - i);
    }
    free(sorted);
    return e;
}

/* ---- telling ---- */

struct counting {
    struct audit_walk walk;
    uint64_t until; /* of records */
    uint32_t end;   /* of hours */
    void (*each_count)(void *ctx, const struct audit_count *count);
    void (*each_latency)(void *ctx, struct slice kind, const uint32_t *counts);
    void *ctx;
};

static bool count_row(struct audit_walk *walk, struct engine_read *rd, struct slice key,
                      struct slice value)
{
    struct counting *c = (struct counting *)walk;
    struct slice kind = slice_from(key, 1 + 4), user;
    uint32_t hour;

    (void)rd;
    if (!audit_is_hour_key(key, 'S', &hour) || hour >= c->end)
        return false;
    user = slice_cut(&kind, 0);
    if (value.len == COUNT_LEN)
        c->each_count(c->ctx, &(struct audit_count){user, kind, audit_number(value.ptr, 8),
                                                    audit_number(value.ptr + 8, 8)});
    return true;
}

static bool latency_row(struct audit_walk *walk, struct engine_read *rd, struct slice key,
                        struct slice value)
{
    struct counting *c = (struct counting *)walk;
    uint32_t hour, counts[AUDIT_LATENCY_STEPS];

    (void)rd;
    if (!audit_is_hour_key(key, 'H', &hour) || hour >= c->end)
        return false;
    for (unsigned i = 0; i < AUDIT_LATENCY_STEPS && value.len == LATENCY_LEN; i++)
        counts[i] = (uint32_t)audit_number(value.ptr + (size_t)4 * i, 4);
    if (value.len == LATENCY_LEN)
        c->each_latency(c->ctx, slice_from(key, 1 + 4), counts);
    return true;
}

static bool record_row(struct audit_walk *walk, struct engine_read *rd, struct slice key,
                       struct slice value)
{
    struct counting *c = (struct counting *)walk;
    struct audit_entry entry;
    uint64_t time;
    uint32_t number, counts[AUDIT_LATENCY_STEPS] = {0};

    (void)rd;
    if (!audit_is_time_key(key, &time, &number) || time >= c->until)
        return false;
    if (!audit_entry_decode(time, value, &entry))
        return true;
    if (c->each_count)
        c->each_count(c->ctx, &(struct audit_count){entry.user, entry.kind, 1, time});
    if (c->each_latency) {
        counts[audit_latency_step(entry.latency_us)] = 1;
        c->each_latency(c->ctx, entry.kind, counts);
    }
    return true;
}

static struct err count_records(struct audit *audit, struct counting *c, uint64_t since,
                                uint64_t until)
{
    c->walk.from = audit_time_key(since, 0);
    c->walk.row = record_row;
    c->until = until;
    return since < until ? audit_walk(audit, &c->walk) : OK;
}

/* Whole hours from what was counted, what is before and behind them record by record. */
static struct err count_all(struct audit *audit, struct counting *c, uint64_t since, uint64_t until)
{
    uint64_t first = since / AUDIT_HOUR + (since % AUDIT_HOUR != 0), end = until / AUDIT_HOUR;
    struct err e;

    if (first >= end || first > UINT32_MAX)
        return count_records(audit, c, since, until);
    e = count_records(audit, c, since, first * AUDIT_HOUR);
    if (failed(e))
        return e;
    c->end = end > UINT32_MAX ? UINT32_MAX : (uint32_t)end;
    c->walk.from = c->each_count ? audit_count_key((uint32_t)first, SLICE_EMPTY, SLICE_EMPTY)
                                 : audit_latency_key((uint32_t)first, SLICE_EMPTY);
    c->walk.row = c->each_count ? count_row : latency_row;
    e = audit_walk(audit, &c->walk);
    return failed(e) ? e : count_records(audit, c, end * AUDIT_HOUR, until);
}

struct err audit_counts(struct audit *audit, uint64_t since, uint64_t until,
                        void (*each)(void *ctx, const struct audit_count *count), void *ctx)
{
    struct counting c = {.each_count = each, .ctx = ctx};

    return count_all(audit, &c, since, until);
}

struct err audit_latencies(struct audit *audit, uint64_t since, uint64_t until,
                           void (*each)(void *ctx, struct slice kind,
                                        const uint32_t counts[AUDIT_LATENCY_STEPS]),
                           void *ctx)
{
    struct counting c = {.each_latency = each, .ctx = ctx};

    return count_all(audit, &c, since, until);
}

/* ---- forgetting ---- */

/* Remove the oldest count that begins with `first`. ERR_NOT_FOUND: it is not old enough. */
static struct err trim_one(struct engine_write *w, uint8_t first, uint32_t before)
{
    struct engine_cursor *cursor = engine_cursor_open(engine_write_read(w));
    struct slice key, value;
    struct audit_key oldest = {.len = 0};
    uint32_t hour;
    struct err e = engine_seek(cursor, slice_of(&first, 1), &key, &value);

    if (!failed(e) && (!audit_is_hour_key(key, first, &hour) || hour >= before))
        e = ERR(ERR_NOT_FOUND, "no count is that old");
    if (!failed(e)) {
        oldest.len = key.len < sizeof oldest.bytes ? key.len : sizeof oldest.bytes;
        memcpy(oldest.bytes, key.ptr, oldest.len);
    }
    engine_cursor_close(cursor);
    return failed(e) ? e : engine_delete(w, audit_key_slice(&oldest));
}

struct err audit_trim_counts(struct engine_write *w, uint64_t before, unsigned most)
{
    static const uint8_t kinds[] = {'S', 'H'};

    for (size_t k = 0; k < sizeof kinds; k++) {
        struct err e = OK;

        for (unsigned n = 0; n < most && !failed(e); n++)
            e = trim_one(w, kinds[k], hour_of(before));
        if (failed(e) && e.code != ERR_NOT_FOUND)
            return e;
    }
    return OK;
}
