/*
 * auth_explain.c - gatepost auth explain USER: what would succeed, on which listener, by which
 * mechanism, and why not.
 *
 * For each listener, without TLS and under TLS where it has both, every mechanism and every command
 * that takes a name and a secret, with the stage and the reason that the right secret would meet.
 */
#include <jansson.h>
#include <stdio.h>

#include "gateway/cli/cli.h"
#include "gateway/config.h"

/* What takes a name and a secret beside the mechanisms: PLAIN under another name. */
static const struct {
    enum auth_protocol protocol;
    const char *name;
} commands[] = {
    {AUTH_POP3, "USER/PASS"},
    {AUTH_IMAP, "LOGIN command"},
    {AUTH_MAPI | AUTH_OPS, "Basic"},
};

struct way {
    const struct net_listener_config *listener;
    bool tls;
    const char *mechanism;
    enum auth_reason reason;
};

struct explanation {
    const struct cli *cli;
    struct auth *auth;
    const struct auth_account *account;
    struct arena *in;
    struct way *ways;
    size_t n, cap;
};

/* ---- finding out ---- */

/* Under TLS there always is channel binding data (RFC 9266, or RFC 5929 4). */
static bool some_binding(void *ctx, struct slice type, struct buf *out)
{
    (void)ctx, (void)type;
    buf_puts(out, "data");
    return true;
}

static void add_way(struct explanation *x, struct way way)
{
    if (x->n == x->cap) {
        size_t more = x->cap ? x->cap : 32;

        x->ways = arena_grow(x->in, x->ways, x->n, more, sizeof *x->ways);
        x->cap += more;
    }
    x->ways[x->n++] = way;
}

static void explain_state(struct explanation *x, const struct net_listener_config *l, bool tls)
{
    enum { MOST = 32 };
    const char *names[MOST];
    const struct auth_peer peer = {
        .protocol = l->protocol->id,
        .listener = l->name,
        .tls = tls,
        .plaintext_ok = l->plaintext_ok,
        .binding = tls ? some_binding : NULL,
    };

    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (commands[i].protocol & l->protocol->id)
            add_way(x, (struct way){l, tls, commands[i].name,
                                    auth_explain(x->auth, &peer, "PLAIN", x->account)});
    if (l->protocol->id != AUTH_POP3 && l->protocol->id != AUTH_IMAP)
        return;
    size_t n = auth_mechanisms(x->auth, &peer, names, MOST);
    for (size_t i = 0; i < n; i++)
        add_way(x,
                (struct way){l, tls, names[i], auth_explain(x->auth, &peer, names[i], x->account)});
}

static void explain_all(struct explanation *x, const struct net_config *net)
{
    for (size_t i = 0; i < net->n_listeners; i++) {
        const struct net_listener_config *l = &net->listeners[i];

        if (l->protocol->id == AUTH_LMTP)
            continue; /* nobody logs on there */
        if (l->tls_mode != NET_TLS_IMPLICIT)
            explain_state(x, l, false);
        if (l->tls_mode != NET_TLS_NONE)
            explain_state(x, l, true);
    }
}

/* ---- telling ---- */

static const char *stage_of(enum auth_reason reason)
{
    return auth_stage_name(auth_reason_stage(reason));
}

static const char *tls_of(const struct way *way)
{
    const struct net_listener_config *l = way->listener;

    if (!way->tls || l->tls_mode == NET_TLS_IMPLICIT)
        return way->tls ? "yes" : "no";
    return l->protocol->id == AUTH_POP3 ? "after STLS" : "after STARTTLS";
}

static void place_of(const struct net_listener_config *l, char *out, size_t size)
{
    if (l->path)
        snprintf(out, size, "%s", l->path);
    else
        snprintf(out, size, "%s:%u", l->address, l->port);
}

static void print_way(const struct way *way)
{
    char place[128], outcome[64];

    place_of(way->listener, place, sizeof place);
    snprintf(outcome, sizeof outcome, way->reason == AUTH_OK ? "%s" : "%s/%s",
             stage_of(way->reason), auth_reason_name(way->reason));
    printf("%-12s %-8s %-22s %-14s %-20s %s\n", way->listener->name, way->listener->protocol->name,
           place, tls_of(way), way->mechanism, outcome);
}

static json_t *way_json(const struct way *way)
{
    char place[128];

    place_of(way->listener, place, sizeof place);
    return json_pack("{s:s, s:s, s:s, s:b, s:s, s:s, s:s}", "listener", way->listener->name,
                     "protocol", way->listener->protocol->name, "address", place, "tls",
                     (int)way->tls, "mechanism", way->mechanism, "stage", stage_of(way->reason),
                     "reason", auth_reason_name(way->reason));
}

static void print_explanation(const struct explanation *x)
{
    printf("'%s' is the account %.*s\n\n", x->cli->operands[0], SLICE_ARG(x->account->identity));
    printf("%-12s %-8s %-22s %-14s %-20s %s\n", "listener", "protocol", "address", "TLS",
           "mechanism", "the right secret gets");
    for (size_t i = 0; i < x->n; i++)
        print_way(&x->ways[i]);
    if (x->account->credentials.len == 0)
        puts("\nno secret has been set: gatepost user passwd");
}

static void dump_explanation(const struct explanation *x)
{
    json_t *ways = json_array();

    for (size_t i = 0; i < x->n; i++)
        json_array_append_new(ways, way_json(&x->ways[i]));
    json_t *all = json_pack("{s:s, s:s%, s:b, s:o}", "name", x->cli->operands[0], "user",
                            (const char *)x->account->identity.ptr, x->account->identity.len,
                            "password", (int)(x->account->credentials.len > 0), "ways", ways);
    json_dumpf(all, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(all);
}

static int explain(struct cli *cli, struct cli_world *world, struct auth *auth, struct arena *in)
{
    struct auth_account account;
    struct explanation x = {.cli = cli, .auth = auth, .account = &account, .in = in};

    if (!cli_resolve(cli, auth, cli->operands[0], in, &account))
        return CLI_FAILED;
    explain_all(&x, &world->config->net);
    if (cli->json)
        dump_explanation(&x);
    else
        print_explanation(&x);
    return CLI_OK;
}

int cli_auth_explain(struct cli *cli)
{
    struct arena arena = ARENA_INIT;
    struct cli_world world;
    struct cli_auth layer;
    int status = CLI_FAILED;

    if (!cli_open(cli, &world))
        return CLI_FAILED;
    if (cli_open_auth(cli, &world, &layer)) {
        status = explain(cli, &world, layer.auth, &arena);
        auth_free(layer.auth);
    }
    cli_close(&world);
    arena_done(&arena);
    return status;
}
