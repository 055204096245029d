#include "gateway/history.h"

#include "base/mem.h"
#include "gateway/audit_kind.h"

enum {
    MINUTES = 60,
    HOURS = 7 * 24,
    LATE_S = 30, /* records of a minute may reach the store so long after it */
};

static const uint64_t minute = 60 * FILETIME_SECOND, hour = 3600 * FILETIME_SECOND;

struct history {
    struct audit *audit;
    struct ops_cell minutes[MINUTES]; /* of minute m at m % MINUTES */
    uint64_t counted[MINUTES];        /* which minute that is; 0: none, or it is not over */
};

static bool protocol_index(struct slice name, unsigned *out)
{
    for (unsigned p = 0; p < AUTH_PROTOCOLS; p++)
        if (slice_eq(name, slice_str(auth_protocol_name((enum auth_protocol)(1u << p))))) {
            *out = p;
            return true;
        }
    return false;
}

static void add(struct ops_cell *cell, struct slice kind, uint64_t n)
{
    struct slice protocol, mechanism;
    enum auth_reason reason;
    unsigned p;

    if (audit_kind_split(kind, &protocol, &reason, &mechanism) && protocol_index(protocol, &p))
        cell->n[p][reason] += n;
}

static void each_count(void *ctx, const struct audit_count *count)
{
    add(ctx, count->kind, count->count);
}

static void each_latency(void *ctx, struct slice kind, const uint32_t counts[AUDIT_LATENCY_STEPS])
{
    uint64_t n = 0;

    for (unsigned i = 0; i < AUDIT_LATENCY_STEPS; i++)
        n += counts[i];
    add(ctx, kind, n);
}

static struct err read_minute(struct history *h, uint64_t m, uint64_t now)
{
    struct ops_cell *cell = &h->minutes[m % MINUTES];

    if (h->counted[m % MINUTES] == m)
        return OK;
    *cell = (struct ops_cell){0};
    struct err e = audit_counts(h->audit, m * minute, (m + 1) * minute, each_count, cell);
    bool over = now > (m + 1) * minute + LATE_S * FILETIME_SECOND;
    h->counted[m % MINUTES] = over && !failed(e) ? m : 0;
    return e;
}

static struct ops_cell *begin(struct ops_history *out, struct arena *in, size_t n, uint64_t step,
                              uint64_t last)
{
    struct ops_cell *cells = arena_array(in, n, sizeof *cells);

    *out = (struct ops_history){
        .start_unix = filetime_to_unix((last - (n - 1)) * step),
        .step_s = (unsigned)(step / FILETIME_SECOND),
        .n = n,
        .cells = cells,
    };
    return cells;
}

static struct err read_minutes(struct history *h, uint64_t now, struct arena *in,
                               struct ops_history *out)
{
    uint64_t last = now / minute;
    struct ops_cell *cells = begin(out, in, MINUTES, minute, last);
    struct err e = OK;

    for (unsigned i = 0; i < MINUTES && !failed(e); i++) {
        uint64_t m = last - (MINUTES - 1) + i;

        e = read_minute(h, m, now);
        cells[i] = h->minutes[m % MINUTES];
    }
    return e;
}

static struct err read_hours(struct history *h, uint64_t now, struct arena *in,
                             struct ops_history *out)
{
    uint64_t last = now / hour;
    struct ops_cell *cells = begin(out, in, HOURS, hour, last);
    struct err e = OK;

    for (unsigned i = 0; i < HOURS && !failed(e); i++) {
        uint64_t at = (last - (HOURS - 1) + i) * hour;

        e = audit_latencies(h->audit, at, at + hour, each_latency, &cells[i]);
    }
    return e;
}

struct err history_read(struct history *history, uint64_t now, struct arena *in,
                        struct ops_history *minutes, struct ops_history *hours)
{
    struct err e = read_minutes(history, now, in, minutes);

    return failed(e) ? e : read_hours(history, now, in, hours);
}

struct history *history_new(struct audit *audit)
{
    struct history *h = mem_new(sizeof *h);

    h->audit = audit;
    return h;
}

void history_free(struct history *history)
{
    free(history);
}
