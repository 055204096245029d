/*
 * auth_explain.c - gatepost auth explain USER: what would succeed, on which listener, by which
 * mechanism, and why not.
 */
#include <stdio.h>

#include "gateway/cli/auth_ways.h"
#include "gateway/cli/cli.h"
#include "gateway/config.h"

static void print_ways(const struct cli *cli, const struct auth_account *account,
                       const struct auth_ways *ways, struct arena *in)
{
    printf("'%s' is the account %.*s\n\n", cli->operands[0], SLICE_ARG(account->identity));
    printf("%-12s %-8s %-22s %-14s %-20s %s\n", "listener", "protocol", "address", "TLS",
           "mechanism", "the right secret gets");
    for (size_t i = 0; i < ways->n; i++) {
        const struct auth_way *w = &ways->items[i];

        printf("%-12s %-8s %-22s %-14s %-20s %s\n", w->listener->name, w->listener->protocol->name,
               auth_way_place(w, in), auth_way_tls(w), w->name, auth_way_outcome(w->reason, in));
    }
    if (account->credentials.len == 0)
        puts("\nno secret has been set: gatepost user passwd");
}

static void dump_ways(const struct cli *cli, const struct auth_account *account,
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
                            (const char *)account->identity.ptr, account->identity.len, "password",
                            (int)(account->credentials.len > 0), "ways", list);
    cli_put_json(all);
}

static int explain(const struct cli *cli, struct cli_world *world, struct auth *auth,
                   struct arena *in)
{
    struct auth_account account;
    struct auth_ways ways;

    if (!cli_resolve(cli, auth, cli->operands[0], in, &account))
        return CLI_FAILED;
    auth_ways_list(auth, &account, &world->config->net, in, &ways);
    if (cli->json)
        dump_ways(cli, &account, &ways, in);
    else
        print_ways(cli, &account, &ways, in);
    return CLI_OK;
}

int cli_auth_explain(struct cli *cli)
{
    return cli_with_auth(cli, explain);
}
