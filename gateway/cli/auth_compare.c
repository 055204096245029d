/*
 * auth_compare.c - gatepost auth compare: users whose outcome differs between protocols.
 *
 * The founding case at a glance: somebody is refused by POP3 and let in by IMAP.
 */
#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/utf.h"
#include "gateway/cli/auth_range.h"
#include "gateway/outcomes.h"

const struct cli_option cli_auth_compare_options[] = {
    {"--since", true}, {"--until", true}, {"--user", true}, {"--protocol", true}, {NULL, false},
};

static const char *stage_of(const struct outcome *o)
{
    return auth_stage_name(auth_reason_stage(o->reason));
}

/* ---- telling ---- */

static void print_user(struct slice user, const struct outcome *outcomes, size_t n)
{
    struct buf shown = buf_make(64 * 1024);

    utf8_put_visible(&shown, user);
    for (size_t i = 0; i < n; i++) {
        const struct outcome *o = &outcomes[i];
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

static json_t *user_json(struct slice user, const struct outcome *outcomes, size_t n)
{
    json_t *protocols = json_object();

    for (size_t i = 0; i < n; i++)
        json_object_setn_new(protocols, (const char *)outcomes[i].protocol.ptr,
                             outcomes[i].protocol.len, outcome_json(&outcomes[i]));
    return json_pack("{s:o, s:o}", "user", name_json(user), "protocols", protocols);
}

struct compare {
    const struct cli *cli;
    const struct cli_auth_range *range;
    json_t *list;
    size_t differing;
};

static bool is_wanted(void *ctx, struct slice user, struct slice protocol)
{
    const struct compare *c = ctx;

    return cli_auth_range_has(c->range, user, protocol);
}

static void each_user(void *ctx, struct slice user, const struct outcome *outcomes, size_t n)
{
    struct compare *c = ctx;

    if (!outcomes_differ(outcomes, n))
        return;
    if (c->cli->json) {
        json_array_append_new(c->list, user_json(user, outcomes, n));
        return;
    }
    if (c->differing++ == 0)
        printf("%-30s %-8s %-28s %10s %10s  %s\n", "user", "protocol", "outcome", "ok", "failed",
               "last");
    print_user(user, outcomes, n);
}

static void tell_end(const struct compare *c)
{
    if (c->cli->json)
        cli_print_json(c->list);
    else if (c->differing == 0)
        puts("every user's outcome is the same on all protocols");
}

static int compare(const struct cli *cli, struct audit *audit, const struct cli_auth_range *range)
{
    struct compare c = {.cli = cli, .range = range, .list = json_array()};
    struct err e = outcomes_each(audit, &(struct outcomes_query){
                                            .since = range->since,
                                            .until = range->until,
                                            .wanted = is_wanted,
                                            .each = each_user,
                                            .ctx = &c,
                                        });

    if (!failed(e))
        tell_end(&c);
    json_decref(c.list);
    return failed(e) ? cli_fail_err(cli, "records", e) : CLI_OK;
}

int cli_auth_compare(struct cli *cli)
{
    return cli_auth_records(cli, compare);
}
