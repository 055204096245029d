/*
 * auth_explain.c - gatepost auth explain USER: what would succeed, on which listener, by which
 * mechanism, and why not: with the secret of the account, or of one of its app passwords; for its
 * own mailbox, or another's.
 */
#include <stdio.h>

#include "gateway/cli/auth_ways.h"
#include "gateway/cli/cli.h"
#include "gateway/config.h"

const struct cli_option cli_auth_explain_options[] = {
    {"--app-password", true}, {"--for", true}, {NULL, false}};

static void print_ways(const struct cli *cli, const struct auth_question *q,
                       const struct auth_ways *ways, struct arena *in)
{
    printf("'%s' is the account %.*s\n", cli->operands[0], SLICE_ARG(q->account->identity));
    if (q->app_password)
        printf("with the app password %.*s\n", SLICE_ARG(q->app_password->name));
    if (q->target)
        printf("for the mailbox of %.*s\n", SLICE_ARG(q->target->identity));
    putchar('\n');
    printf("%-12s %-8s %-22s %-14s %-20s %s\n", "listener", "protocol", "address", "TLS",
           "mechanism", "the right secret gets");
    for (size_t i = 0; i < ways->n; i++) {
        const struct auth_way *w = &ways->items[i];

        printf("%-12s %-8s %-22s %-14s %-20s %s\n", w->listener->name, w->listener->protocol->name,
               auth_way_place(w, in), auth_way_tls(w), w->name, auth_way_outcome(w->reason, in));
    }
    if (!q->app_password && q->account->credentials.len == 0)
        puts("\nno secret has been set: gatepost user passwd");
}

static void dump_ways(const struct cli *cli, const struct auth_question *q,
                      const struct auth_ways *ways, struct arena *in)
{
    json_t *list = json_array();

    for (size_t i = 0; i < ways->n; i++) {
        const struct auth_way *w = &ways->items[i];
        json_t *json = auth_way_json(w, in);

        json_object_set_new(json, "stage", json_string(w->stage));
        json_object_set_new(json, "reason", json_string(auth_reason_name(w->reason)));
        json_array_append_new(list, json);
    }
    json_t *all = json_pack("{s:s, s:s%, s:b, s:o}", "name", cli->operands[0], "user",
                            (const char *)q->account->identity.ptr, q->account->identity.len,
                            "password", (int)(q->account->credentials.len > 0), "ways", list);
    if (q->app_password)
        json_object_set_new(all, "app-password", cli_json_text(q->app_password->name));
    if (q->target)
        json_object_set_new(all, "for", cli_json_text(q->target->identity));
    cli_put_json(all);
}

/* The app password that the question is about; says so where there is none. */
static bool find_app_password(const struct cli *cli, const char *name, struct auth_question *q)
{
    for (size_t i = 0; i < q->account->n_app_passwords; i++)
        if (slice_eq(q->account->app_passwords[i].name, slice_str(name)))
            q->app_password = &q->account->app_passwords[i];
    if (!q->app_password)
        cli_fail(cli, "there is no app password '%s'", name);
    return q->app_password != NULL;
}

static int explain(const struct cli *cli, struct cli_world *world, struct auth *auth,
                   struct arena *in)
{
    const char *app_password = cli_option(cli, "--app-password"),
               *target = cli_option(cli, "--for");
    struct auth_account account, other;
    struct auth_question q = {.account = &account};
    struct auth_ways ways;

    if (!cli_resolve(cli, auth, cli->operands[0], in, &account) ||
        (app_password && !find_app_password(cli, app_password, &q)) ||
        (target && !cli_resolve(cli, auth, target, in, &other)))
        return CLI_FAILED;
    if (target)
        q.target = &other;
    auth_ways_list(auth, &q, &world->config->net, in, &ways);
    if (cli->json)
        dump_ways(cli, &q, &ways, in);
    else
        print_ways(cli, &q, &ways, in);
    return CLI_OK;
}

int cli_auth_explain(struct cli *cli)
{
    return cli_with_auth(cli, explain);
}
