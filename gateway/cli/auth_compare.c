/*
 * auth_compare.c - gatepost auth compare: users whose outcome differs between protocols.
 *
 * The founding case at a glance: somebody is refused by POP3 and let in by IMAP. A protocol's
 * outcome is `ok` where any attempt in that time was; else the stage and reason of the last
 * refusal.
 */
#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/utf.h"
#include "gateway/audit_kind.h"
#include "gateway/cli/auth_range.h"
#include "gateway/cli/tally.h"

const struct cli_option cli_auth_compare_options[] = {
    {"--since", true}, {"--until", true}, {"--user", true}, {"--protocol", true}, {NULL, false},
};

/* How one user fared on one protocol. */
struct outcome {
    struct slice protocol;
    uint64_t ok, failed;
    uint64_t last;           /* attempt */
    enum auth_reason reason; /* how that one ended */
};

struct outcomes {
    struct arena arena;
    struct outcome *items;
    size_t n, cap;
};

static struct outcome *outcome_of(struct outcomes *all, struct slice protocol)
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

static void take(struct outcomes *all, const struct audit_count *count)
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

static bool differ(const struct outcomes *all)
{
    for (size_t i = 1; i < all->n; i++)
        if (all->items[i].reason != all->items[0].reason)
            return true;
    return false;
}

static const char *stage_of(const struct outcome *o)
{
    return auth_stage_name(auth_reason_stage(o->reason));
}

/* ---- telling ---- */

static void print_user(struct slice user, const struct outcomes *all)
{
    struct buf shown = buf_make(64 * 1024);

    utf8_put_visible(&shown, user);
    for (size_t i = 0; i < all->n; i++) {
        const struct outcome *o = &all->items[i];
        char outcome[64];
        struct buf last = buf_make(64);

        snprintf(outcome, sizeof outcome, o->reason == AUTH_OK ? "%s" : "%s/%s", stage_of(o),
                 auth_reason_name(o->reason));
        clock_put_rfc3339(&last, o->last);
        printf("%-30.*s %-8.*s %-28s %10llu %10llu  %.*s\n",
               SLICE_ARG(i ? S("") : buf_slice(&shown)), SLICE_ARG(o->protocol), outcome,
               (unsigned long long)o->ok, (unsigned long long)o->failed,
               SLICE_ARG(buf_slice(&last)));
        buf_done(&last);
    }
    buf_done(&shown);
}

static json_t *outcome_json(const struct outcome *o)
{
    struct buf last = buf_make(64);

    clock_put_rfc3339(&last, o->last);
    json_t *json =
        json_pack("{s:s, s:s, s:I, s:I, s:s%}", "stage", stage_of(o), "reason",
                  auth_reason_name(o->reason), "ok", (json_int_t)o->ok, "failed",
                  (json_int_t)o->failed, "last", (const char *)buf_slice(&last).ptr, last.len);
    buf_done(&last);
    return json;
}

/* A name that somebody tried may be any bytes. */
static json_t *name_json(struct slice user)
{
    struct buf clean = buf_make(SIZE_MAX / 2);

    utf8_put_lossy(&clean, user);
    json_t *json = json_stringn((const char *)buf_slice(&clean).ptr, clean.len);
    buf_done(&clean);
    return json;
}

static json_t *user_json(struct slice user, const struct outcomes *all)
{
    json_t *protocols = json_object();

    for (size_t i = 0; i < all->n; i++)
        json_object_setn_new(protocols, (const char *)all->items[i].protocol.ptr,
                             all->items[i].protocol.len, outcome_json(&all->items[i]));
    return json_pack("{s:o, s:o}", "user", name_json(user), "protocols", protocols);
}

struct compare {
    const struct cli_auth_range *range;
    struct tally tally;
};

/* What nobody's name stands on cannot be compared. */
static void each_count(void *ctx, const struct audit_count *count)
{
    struct compare *c = ctx;
    struct slice protocol, mechanism;
    enum auth_reason reason;

    if (count->user.len && audit_kind_split(count->kind, &protocol, &reason, &mechanism) &&
        cli_auth_range_has(c->range, count->user, protocol))
        tally_add(&c->tally, count);
}

/* The rows of one user; returns how many there are. */
static size_t take_user(struct outcomes *all, const struct audit_count *rows, size_t n)
{
    size_t taken = 0;

    all->n = 0;
    while (taken < n && slice_eq(rows[taken].user, rows[0].user))
        take(all, &rows[taken++]);
    return taken;
}

static void tell_all(const struct cli *cli, struct tally *tally)
{
    struct outcomes all = {.arena = ARENA_INIT};
    json_t *list = json_array();
    size_t n, differing = 0;
    const struct audit_count *rows = tally_rows(tally, &n);

    for (size_t i = 0; i < n;) {
        struct slice user = rows[i].user;

        i += take_user(&all, rows + i, n - i);
        if (!differ(&all))
            continue;
        if (!cli->json && differing++ == 0)
            printf("%-30s %-8s %-28s %10s %10s  %s\n", "user", "protocol", "outcome", "ok",
                   "failed", "last");
        if (cli->json)
            json_array_append_new(list, user_json(user, &all));
        else
            print_user(user, &all);
    }
    if (cli->json) {
        json_dumpf(list, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (differing == 0) {
        puts("every user's outcome is the same on all protocols");
    }
    json_decref(list);
    arena_done(&all.arena);
}

static int compare(const struct cli *cli, struct audit *audit, const struct cli_auth_range *range)
{
    struct compare c = {.range = range};
    struct err e = audit_counts(audit, range->since, range->until, each_count, &c);

    if (!failed(e))
        tell_all(cli, &c.tally);
    tally_done(&c.tally);
    return failed(e) ? cli_fail_err(cli, "records", e) : CLI_OK;
}

int cli_auth_compare(struct cli *cli)
{
    return cli_auth_records(cli, compare);
}
