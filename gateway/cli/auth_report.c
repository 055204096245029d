/*
 * auth_report.c - gatepost auth report: per protocol and mechanism, how many attempts there were,
 * how they ended, and how long they took.
 *
 * Counts come from what the store has added up; those of one user from his records.
 */
#include <jansson.h>
#include <stdio.h>

#include "gateway/audit_kind.h"
#include "gateway/cli/auth_range.h"

const struct cli_option cli_auth_report_options[] = {
    {"--since", true}, {"--until", true}, {"--user", true}, {"--protocol", true}, {NULL, false},
};

/* A protocol and mechanism. */
struct line {
    struct line *next;
    struct slice protocol, mechanism;
    uint64_t reasons[AUTH_REASON_COUNT];
    uint64_t latencies[AUDIT_LATENCY_STEPS];
};

struct report {
    const struct cli_auth_range *range;
    struct arena arena;
    struct line *lines; /* in order of protocol and mechanism */
};

/* ---- adding up ---- */

static struct line *line_of(struct report *r, struct slice protocol, struct slice mechanism)
{
    struct line **at = &r->lines;
    int order = 1;

    for (; *at; at = &(*at)->next) {
        order = slice_order(protocol, (*at)->protocol);
        order = order ? order : slice_order(mechanism, (*at)->mechanism);
        if (order <= 0)
            break;
    }
    if (order == 0)
        return *at;
    struct line *line = arena_alloc(&r->arena, sizeof *line);
    line->protocol = arena_slice(&r->arena, protocol);
    line->mechanism = arena_slice(&r->arena, mechanism);
    line->next = *at;
    *at = line;
    return line;
}

/* NULL: the kind is not one of those asked for. */
static struct line *line_of_kind(struct report *r, struct slice kind, enum auth_reason *reason)
{
    struct slice protocol, mechanism;

    if (!audit_kind_split(kind, &protocol, reason, &mechanism) ||
        !cli_auth_range_has(r->range, r->range->user, protocol))
        return NULL;
    return line_of(r, protocol, mechanism);
}

static void each_count(void *ctx, const struct audit_count *count)
{
    enum auth_reason reason;
    struct line *line = line_of_kind(ctx, count->kind, &reason);

    if (line)
        line->reasons[reason] += count->count;
}

static void each_latency(void *ctx, struct slice kind, const uint32_t counts[AUDIT_LATENCY_STEPS])
{
    enum auth_reason reason;
    struct line *line = line_of_kind(ctx, kind, &reason);

    for (unsigned i = 0; line && audit_is_verdict(reason) && i < AUDIT_LATENCY_STEPS; i++)
        line->latencies[i] += counts[i];
}

/* A record of the user who was asked for. */
static bool each_record(void *ctx, struct audit_place at, struct slice text)
{
    json_t *record = json_loadb((const char *)text.ptr, text.len, 0, NULL);
    uint32_t one[AUDIT_LATENCY_STEPS] = {0};
    struct audit_kind kind;

    if (audit_record_kind(record, &kind)) {
        one[audit_latency_step(audit_record_latency(record))] = 1;
        each_count(ctx, &(struct audit_count){
                            .kind = audit_kind_slice(&kind), .count = 1, .last = at.time});
        each_latency(ctx, audit_kind_slice(&kind), one);
    }
    json_decref(record);
    return true;
}

static struct err add_up(struct audit *audit, struct report *r)
{
    const struct cli_auth_range *range = r->range;

    if (range->user.len)
        return audit_query(audit, range->since, range->until, range->user, each_record, r);
    struct err e = audit_counts(audit, range->since, range->until, each_count, r);
    return failed(e) ? e : audit_latencies(audit, range->since, range->until, each_latency, r);
}

/* ---- telling ---- */

static uint64_t attempts_of(const struct line *line)
{
    uint64_t n = 0;

    for (int reason = 0; reason < AUTH_REASON_COUNT; reason++)
        n += audit_is_verdict((enum auth_reason)reason) ? line->reasons[reason] : 0;
    return n;
}

/* The time within which `percent` of the attempts were decided, in milliseconds. */
static double percentile(const struct line *line, unsigned percent)
{
    uint64_t all = 0, seen = 0;

    for (unsigned i = 0; i < AUDIT_LATENCY_STEPS; i++)
        all += line->latencies[i];
    for (unsigned i = 0; i < AUDIT_LATENCY_STEPS; i++) {
        seen += line->latencies[i];
        if (all && seen * 100 >= all * percent)
            return audit_latency_us(i) / 1000.0;
    }
    return 0;
}

static void print_line(const struct line *line)
{
    uint64_t attempts = attempts_of(line), ok = line->reasons[AUTH_OK];

    printf("%-8.*s %-20.*s %10llu %10llu %10llu %9.1f %9.1f %9.1f\n", SLICE_ARG(line->protocol),
           SLICE_ARG(line->mechanism), (unsigned long long)attempts, (unsigned long long)ok,
           (unsigned long long)(attempts - ok), percentile(line, 50), percentile(line, 95),
           percentile(line, 99));
    for (int i = 0; i < AUTH_REASON_COUNT; i++)
        if (i != AUTH_OK && line->reasons[i])
            printf("%-8s   %-11s %-24s %13llu\n", "",
                   auth_stage_name(auth_reason_stage((enum auth_reason)i)),
                   auth_reason_name((enum auth_reason)i), (unsigned long long)line->reasons[i]);
}

static json_t *reasons_json(const struct line *line)
{
    json_t *list = json_array();

    for (int i = 0; i < AUTH_REASON_COUNT; i++)
        if (i != AUTH_OK && line->reasons[i])
            json_array_append_new(list,
                                  json_pack("{s:s, s:s, s:i, s:I}", "stage",
                                            auth_stage_name(auth_reason_stage((enum auth_reason)i)),
                                            "reason", auth_reason_name((enum auth_reason)i),
                                            "event", (int)auth_reason_event((enum auth_reason)i),
                                            "count", (json_int_t)line->reasons[i]));
    return list;
}

static json_t *line_json(const struct line *line)
{
    uint64_t attempts = attempts_of(line), ok = line->reasons[AUTH_OK];

    return json_pack("{s:s%, s:s%, s:I, s:I, s:I, s:o, s:{s:f, s:f, s:f}}", "protocol",
                     (const char *)line->protocol.ptr, line->protocol.len, "mechanism",
                     (const char *)line->mechanism.ptr, line->mechanism.len, "attempts",
                     (json_int_t)attempts, "ok", (json_int_t)ok, "failed",
                     (json_int_t)(attempts - ok), "reasons", reasons_json(line), "latency_ms",
                     "p50", percentile(line, 50), "p95", percentile(line, 95), "p99",
                     percentile(line, 99));
}

static void tell(const struct cli *cli, const struct report *r)
{
    json_t *list = json_array();

    if (!cli->json)
        printf("%-8s %-20s %10s %10s %10s %9s %9s %9s\n", "protocol", "mechanism", "attempts", "ok",
               "failed", "p50 ms", "p95 ms", "p99 ms");
    for (const struct line *line = r->lines; line; line = line->next)
        if (cli->json)
            json_array_append_new(list, line_json(line));
        else
            print_line(line);
    if (cli->json)
        cli_print_json(list);
    json_decref(list);
}

static int report(const struct cli *cli, struct audit *audit, const struct cli_auth_range *range)
{
    struct report r = {.range = range, .arena = ARENA_INIT};
    struct err e = add_up(audit, &r);

    if (!failed(e))
        tell(cli, &r);
    arena_done(&r.arena);
    return failed(e) ? cli_fail_err(cli, "records", e) : CLI_OK;
}

int cli_auth_report(struct cli *cli)
{
    return cli_auth_records(cli, report);
}
