#include "gateway/logon_counters.h"

#include <stdatomic.h>

#include "base/mem.h"

enum { SHARDS = 16, MECHANISMS_MOST = 32, OTHER = MECHANISMS_MOST - 1 };

/* One mechanism's cells: named once, then only counted in. The last are for all others. */
struct mechanism_cells {
    _Atomic(char *) name;
    atomic_ullong n[AUTH_PROTOCOLS][AUTH_REASON_COUNT];
};

/* What one thread counts; where there are more threads than shards, some share one. */
struct shard {
    struct mechanism_cells mechanisms[MECHANISMS_MOST];
    atomic_ullong buckets[AUTH_PROTOCOLS][OPS_LATENCY_BUCKETS];
    atomic_ullong sum_us[AUTH_PROTOCOLS];
};

struct logon_counters {
    struct auth_sink face;
    struct auth_sink *next;
    struct shard *shards[SHARDS];
};

static const uint64_t bounds[OPS_LATENCY_BUCKETS] = OPS_LATENCY_BOUNDS;

/* ---- counting ---- */

static unsigned my_shard(void)
{
    static atomic_uint threads;
    static _Thread_local unsigned mine; /* one more than its number */

    if (!mine)
        mine = atomic_fetch_add(&threads, 1) % SHARDS + 1;
    return mine - 1;
}

/* Of these the mechanism may be any word that a client thought of. */
static bool may_be_any_word(enum auth_reason reason)
{
    return reason == AUTH_BAD_MECHANISM || reason == AUTH_BUSY || reason == AUTH_LOST;
}

static bool name_is(const char *name, struct slice wanted)
{
    return slice_eq(slice_str(name), wanted);
}

/* NULL: it is not there, and there is no room, or it is not to be added. */
static struct mechanism_cells *find_cells(struct shard *shard, struct slice name, bool add)
{
    for (size_t i = 0; i < OTHER; i++) {
        struct mechanism_cells *cells = &shard->mechanisms[i];
        char *there = atomic_load(&cells->name);

        if (!there && !add)
            return NULL;
        if (!there) {
            char *mine = mem_slice_str(name);

            if (atomic_compare_exchange_strong(&cells->name, &there, mine))
                return cells;
            free(mine); /* another thread of this shard took the place */
        }
        if (name_is(there, name))
            return cells;
    }
    return NULL;
}

static void count_verdict(struct shard *shard, const struct auth_record *rec)
{
    struct slice name = rec->mechanism.len ? rec->mechanism : S("none");
    struct mechanism_cells *cells = find_cells(shard, name, !may_be_any_word(rec->reason));

    if (!cells)
        cells = &shard->mechanisms[OTHER];
    atomic_fetch_add_explicit(&cells->n[auth_protocol_index(rec->peer->protocol)][rec->reason], 1,
                              memory_order_relaxed);
}

static void count_latency(struct shard *shard, const struct auth_record *rec)
{
    unsigned p = auth_protocol_index(rec->peer->protocol), i = 0;

    while (i < OPS_LATENCY_BUCKETS - 1 && rec->latency_us > bounds[i])
        i++;
    atomic_fetch_add_explicit(&shard->buckets[p][i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&shard->sum_us[p], rec->latency_us, memory_order_relaxed);
}

/* A connection that said no name, and what comes after a verdict, took no time of ours. */
static bool took_time(const struct auth_record *rec)
{
    return rec->reason != AUTH_LOST && rec->reason != AUTH_TOO_MANY &&
           rec->reason != AUTH_NO_MAILBOX;
}

static void record(struct auth_sink *face, const struct auth_record *rec, struct slice line)
{
    struct logon_counters *c = (struct logon_counters *)face;
    struct shard *shard = c->shards[my_shard()];

    count_verdict(shard, rec);
    if (took_time(rec))
        count_latency(shard, rec);
    c->next->record(c->next, rec, line);
}

/* ---- reading ---- */

struct sums {
    struct arena *in;
    const char *names[SHARDS * MECHANISMS_MOST];
    unsigned long long (*n)[AUTH_PROTOCOLS][AUTH_REASON_COUNT];
    size_t n_names;
};

static size_t find_sum(struct sums *s, const char *name)
{
    size_t i = 0;

    while (i < s->n_names && strcmp(s->names[i], name) != 0)
        i++;
    if (i == s->n_names)
        s->names[s->n_names++] = name;
    return i;
}

static void add_shard(struct sums *s, struct shard *shard)
{
    for (size_t m = 0; m < MECHANISMS_MOST; m++) {
        struct mechanism_cells *cells = &shard->mechanisms[m];
        const char *name = atomic_load(&cells->name);

        if (!name)
            continue;
        size_t at = find_sum(s, name);
        for (unsigned p = 0; p < AUTH_PROTOCOLS; p++)
            for (unsigned r = 0; r < AUTH_REASON_COUNT; r++)
                s->n[at][p][r] += atomic_load_explicit(&cells->n[p][r], memory_order_relaxed);
    }
}

static const char *protocol_name(unsigned index)
{
    return auth_protocol_name((enum auth_protocol)(1u << index));
}

static void put_logons(const struct sums *s, struct ops_figures *out)
{
    size_t all = s->n_names * AUTH_PROTOCOLS * AUTH_REASON_COUNT;
    struct ops_logons *rows = arena_array(s->in, all, sizeof *rows);

    out->logons = rows;
    for (size_t m = 0; m < s->n_names; m++)
        for (unsigned p = 0; p < AUTH_PROTOCOLS; p++)
            for (unsigned r = 0; r < AUTH_REASON_COUNT; r++)
                if (s->n[m][p][r])
                    rows[out->n_logons++] = (struct ops_logons){protocol_name(p), s->names[m],
                                                                (enum auth_reason)r, s->n[m][p][r]};
}

static void put_latencies(struct logon_counters *c, struct arena *in, struct ops_figures *out)
{
    struct ops_latency *rows = arena_array(in, AUTH_PROTOCOLS, sizeof *rows);

    out->latencies = rows;
    out->n_latencies = AUTH_PROTOCOLS;
    for (unsigned p = 0; p < AUTH_PROTOCOLS; p++) {
        rows[p].protocol = protocol_name(p);
        for (size_t i = 0; i < SHARDS; i++) {
            rows[p].sum_us += atomic_load_explicit(&c->shards[i]->sum_us[p], memory_order_relaxed);
            for (unsigned b = 0; b < OPS_LATENCY_BUCKETS; b++)
                rows[p].buckets[b] +=
                    atomic_load_explicit(&c->shards[i]->buckets[p][b], memory_order_relaxed);
        }
    }
}

void logon_counters_read(struct logon_counters *c, struct arena *in, struct ops_figures *out)
{
    struct sums s = {.in = in};

    s.n = arena_array(in, SHARDS * MECHANISMS_MOST, sizeof *s.n);
    for (size_t i = 0; i < SHARDS; i++)
        add_shard(&s, c->shards[i]);
    put_logons(&s, out);
    put_latencies(c, in, out);
}

/* ---- life ---- */

struct logon_counters *logon_counters_new(struct auth_sink *next)
{
    struct logon_counters *c = mem_new(sizeof *c);

    c->face.record = record;
    c->next = next;
    for (size_t i = 0; i < SHARDS; i++) {
        c->shards[i] = mem_new(sizeof *c->shards[i]);
        atomic_init(&c->shards[i]->mechanisms[OTHER].name, mem_str("other"));
    }
    return c;
}

void logon_counters_free(struct logon_counters *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        for (size_t m = 0; m < MECHANISMS_MOST; m++)
            free(atomic_load(&c->shards[i]->mechanisms[m].name));
        free(c->shards[i]);
    }
    free(c);
}

struct auth_sink *logon_counters_face(struct logon_counters *c)
{
    return &c->face;
}
