/*
 * app_password.c - gatepost user app-password add | list | revoke
 *
 * The secret is made here, printed once, and kept nowhere but as salted keys.
 */
#include <jansson.h>

#include "auth/auth.h"
#include "base/clock.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/user_settings.h"
#include "gateway/config.h"

enum { NAME_MOST = 64, KEYS_MOST = 8192 };

static size_t find(const struct account *a, const char *name)
{
    size_t i = 0;

    while (i < a->n_app_passwords && !slice_eq(a->app_passwords[i].name, slice_str(name)))
        i++;
    return i;
}

/* It stands in records and on terminals. */
static bool good_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] < ' ' || name.ptr[i] == 0x7F)
            return false;
    return name.len > 0 && name.len <= NAME_MOST && slice_is_utf8(name);
}

static void print_made(const struct cli *cli, const struct account *a, struct slice secret)
{
    if (!cli->json) {
        printf("%.*s\n", SLICE_ARG(secret));
        return;
    }
    json_t *made = json_pack("{so ss so}", "user", cli_json_text(a->name), "name", cli->operands[1],
                             "secret", cli_json_text(secret));
    cli_put_json(made);
}

static struct err make_keys(const struct cli_world *world, const struct account *a,
                            struct slice secret, struct arena *in, struct slice *out)
{
    struct buf keys = buf_make(KEYS_MOST);
    struct auth_account before;

    gateway_account(a, in, &before);
    struct err e =
        auth_credentials_add(&before, true, secret, world->config->auth.iterations, &keys);
    *out = arena_slice(in, buf_slice(&keys));
    buf_wipe(&keys);
    return e;
}

static void append(struct account *a, const struct account_app_password *one, struct arena *in)
{
    a->app_passwords =
        arena_grow(in, a->app_passwords, a->n_app_passwords, 1, sizeof *a->app_passwords);
    a->app_passwords[a->n_app_passwords++] = *one;
}

static int add(struct cli *cli, struct cli_world *world, struct arena *in)
{
    struct account a, wanted = {.protocols = ACCOUNT_ALL};
    struct account_app_password one = {.name = slice_str(cli->operands[1])};
    struct buf secret = buf_make(64);

    if (!cli_find_account(cli, world, cli->operands[0], in, &a))
        return CLI_FAILED;
    if (!good_name(one.name))
        return cli_fail(cli, "a name has 1 to %d bytes of UTF-8 without control characters",
                        NAME_MOST);
    if (find(&a, cli->operands[1]) < a.n_app_passwords)
        return cli_fail(cli, "there is an app password '%s' already", cli->operands[1]);
    int status = user_settings_apply(cli, world, 2, USER_SETTINGS_APP_PASSWORD, &wanted, in);
    if (status != CLI_OK)
        return status;
    one.protocols = wanted.protocols;
    one.expires = wanted.expires;
    one.created = clock_now().wall;
    auth_secret_make(&secret);
    struct err e = make_keys(world, &a, buf_slice(&secret), in, &one.credentials);
    append(&a, &one, in);
    if (!failed(e))
        e = accounts_update(world->accounts, &a);
    if (!failed(e))
        print_made(cli, &a, buf_slice(&secret));
    buf_wipe(&secret);
    return failed(e) ? cli_fail_err(cli, cli->operands[0], e) : CLI_OK;
}

static int revoke(struct cli *cli, struct cli_world *world, struct arena *in)
{
    struct account a;

    if (!cli_find_account(cli, world, cli->operands[0], in, &a))
        return CLI_FAILED;
    size_t at = find(&a, cli->operands[1]);
    if (at == a.n_app_passwords)
        return cli_fail(cli, "there is no app password '%s'", cli->operands[1]);
    a.n_app_passwords--;
    for (size_t i = at; i < a.n_app_passwords; i++)
        a.app_passwords[i] = a.app_passwords[i + 1];
    struct err e = accounts_update(world->accounts, &a);
    return failed(e) ? cli_fail_err(cli, cli->operands[0], e) : CLI_OK;
}

/* ---- showing ---- */

static const char *protocols_text(unsigned protocols, struct arena *in)
{
    char text[32];

    snprintf(text, sizeof text, "%s%s%s", protocols & ACCOUNT_POP3 ? ",pop3" : "",
             protocols & ACCOUNT_IMAP ? ",imap" : "", protocols & ACCOUNT_MAPI ? ",mapi" : "");
    return arena_str(in, slice_str(text[0] ? text + 1 : "none"));
}

static const char *time_text(uint64_t time, const char *otherwise, struct arena *in)
{
    struct buf text = buf_make(64);

    if (!time)
        return otherwise;
    clock_put_rfc3339(&text, time);
    const char *out = arena_str(in, buf_slice(&text));
    buf_done(&text);
    return out;
}

static json_t *json_one(const struct account_app_password *p, struct arena *in)
{
    return json_pack("{so ss ss ss?}", "name", cli_json_text(p->name), "protocols",
                     protocols_text(p->protocols, in), "created", time_text(p->created, "", in),
                     "expires", time_text(p->expires, NULL, in));
}

static int list(struct cli *cli, struct cli_world *world, struct arena *in)
{
    json_t *all = json_array();
    struct account a;

    if (!cli_find_account(cli, world, cli->operands[0], in, &a)) {
        json_decref(all);
        return CLI_FAILED;
    }
    if (!cli->json)
        printf("%-24s %-16s %-26s %s\n", "name", "protocols", "created", "expires");
    for (size_t i = 0; i < a.n_app_passwords; i++) {
        const struct account_app_password *p = &a.app_passwords[i];

        if (cli->json)
            json_array_append_new(all, json_one(p, in));
        else
            printf("%-24.*s %-16s %-26s %s\n", SLICE_ARG(p->name), protocols_text(p->protocols, in),
                   time_text(p->created, "-", in), time_text(p->expires, "never", in));
    }
    if (cli->json)
        cli_put_json(all);
    else
        json_decref(all);
    return CLI_OK;
}

int cli_user_app_password_add(struct cli *cli)
{
    return cli_with_world(cli, add);
}

int cli_user_app_password_list(struct cli *cli)
{
    return cli_with_world(cli, list);
}

int cli_user_app_password_revoke(struct cli *cli)
{
    return cli_with_world(cli, revoke);
}
