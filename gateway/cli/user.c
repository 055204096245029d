/* user.c - gatepost user add | passwd | set | show | list | del */
#include <jansson.h>

#include "auth/auth.h"
#include "base/clock.h"
#include "base/mem.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/logons.h"
#include "gateway/cli/secret.h"
#include "gateway/cli/user_settings.h"
#include "gateway/config.h"
#include "store/account.h"
#include "store/store.h"

const struct cli_option cli_user_add_options[] = {{"--password-stdin", false}, {NULL, false}};

/* ---- secrets and mailboxes ---- */

static bool make_credentials(const struct cli *cli, const struct cli_world *world,
                             struct account *a, struct arena *in)
{
    struct buf secret = buf_make(AUTH_MAX_SECRET), keys = buf_make(8192);
    bool good = cli_read_secret(cli, &secret);

    if (good) {
        struct auth_account before;

        gateway_account(a, in, &before);
        struct err e = auth_credentials_add(&before, false, buf_slice(&secret),
                                            world->config->auth.iterations, &keys);

        if (failed(e))
            good = cli_fail_err(cli, "password", e) == CLI_OK;
        else
            a->credentials = arena_slice(in, buf_slice(&keys));
    }
    buf_wipe(&secret);
    buf_wipe(&keys);
    return good;
}

/* The quota is the mailbox's: that is who keeps it. */
static struct err set_mailbox_quota(const struct cli_world *world, const struct account *a)
{
    struct store_set_quota rq;
    struct mailbox *mb;
    struct err e = store_mailbox_open_now(world->store, a->mailbox_id, &mb);

    if (failed(e))
        return e;
    store_set_quota_init(&rq);
    rq.quota = a->quota;
    e = store_run(mb, &rq.op);
    mailbox_close(mb);
    return e;
}

/* ---- commands: each runs inside an opened world ---- */

static int add(struct cli *cli, struct cli_world *world, struct arena *in)
{
    struct account a = {.protocols = ACCOUNT_ALL, .created = clock_now().wall}, other;
    struct err e = auth_name(slice_str(cli->operands[0]), in, &a.name);

    if (failed(e))
        return cli_fail_err(cli, cli->operands[0], e);
    int status = user_settings_apply(cli, world, 1, USER_SETTINGS_ALL, &a, in);
    if (status != CLI_OK)
        return status;
    if (!failed(accounts_lookup(world->accounts, a.name, in, &other)))
        return cli_fail(cli, "there is a user '%s' already", cli->operands[0]);
    if (!make_credentials(cli, world, &a, in))
        return CLI_FAILED;
    e = store_mailbox_new_id(world->store, &a.mailbox_id);
    if (!failed(e))
        e = set_mailbox_quota(world, &a);
    if (!failed(e))
        e = accounts_add(world->accounts, &a);
    return failed(e) ? cli_fail_err(cli, cli->operands[0], e) : CLI_OK;
}

static int passwd(struct cli *cli, struct cli_world *world, struct arena *in)
{
    struct account a;

    if (!cli_find_account(cli, world, cli->operands[0], in, &a) ||
        !make_credentials(cli, world, &a, in))
        return CLI_FAILED;
    struct err e = accounts_update(world->accounts, &a);
    return failed(e) ? cli_fail_err(cli, cli->operands[0], e) : CLI_OK;
}

static int set(struct cli *cli, struct cli_world *world, struct arena *in)
{
    struct account a;

    if (!cli_find_account(cli, world, cli->operands[0], in, &a))
        return CLI_FAILED;
    uint64_t quota = a.quota;
    int status = user_settings_apply(cli, world, 1, USER_SETTINGS_ALL, &a, in);
    if (status != CLI_OK)
        return status;
    struct err e = accounts_update(world->accounts, &a);
    if (!failed(e) && a.quota != quota)
        e = set_mailbox_quota(world, &a);
    return failed(e) ? cli_fail_err(cli, cli->operands[0], e) : CLI_OK;
}

static int del(struct cli *cli, struct cli_world *world, struct arena *in)
{
    struct account a;

    if (!cli_find_account(cli, world, cli->operands[0], in, &a))
        return CLI_FAILED;
    struct err e = accounts_delete(world->accounts, a.name);
    if (!failed(e))
        e = store_mailbox_delete(world->store, a.mailbox_id);
    return failed(e) ? cli_fail_err(cli, cli->operands[0], e) : CLI_OK;
}

/* ---- showing ---- */

static json_t *json_of(struct slice s)
{
    json_t *text = json_stringn(s.len ? (const char *)s.ptr : "", s.len);

    return text ? text : json_string("");
}

static json_t *json_time(uint64_t time)
{
    struct buf text = buf_make(64);

    if (time == 0)
        return json_null();
    clock_put_rfc3339(&text, time);
    json_t *value = json_of(buf_slice(&text));
    buf_done(&text);
    return value;
}

static json_t *json_account(const struct account *a)
{
    json_t *aliases = json_array(), *delegates = json_array(), *apps = json_array();

    for (size_t i = 0; i < a->n_aliases; i++)
        json_array_append_new(aliases, json_of(a->aliases[i]));
    for (size_t i = 0; i < a->n_delegates; i++)
        json_array_append_new(delegates, json_of(a->delegates[i].name));
    for (size_t i = 0; i < a->n_app_passwords; i++)
        json_array_append_new(apps, json_of(a->app_passwords[i].name));
    return json_pack(
        "{so so so so sb sb sb sb sb sb so so so sI so so sb}", "user", json_of(a->name),
        "display-name", json_of(a->display_name), "nt-domain", json_of(a->nt_domain), "aliases",
        aliases, "pop3", !!(a->protocols & ACCOUNT_POP3), "imap", !!(a->protocols & ACCOUNT_IMAP),
        "mapi", !!(a->protocols & ACCOUNT_MAPI), "locked", (int)a->locked, "admin", (int)a->admin,
        "master", (int)a->master, "delegates", delegates, "app-passwords", apps, "expires",
        json_time(a->expires), "quota", (json_int_t)a->quota, "created", json_time(a->created),
        "changed", json_time(a->changed), "password", a->credentials.len > 0);
}

static void print_time(const char *label, uint64_t time, const char *otherwise)
{
    struct buf text = buf_make(64);

    clock_put_rfc3339(&text, time);
    if (time)
        printf("%-14s %.*s\n", label, SLICE_ARG(buf_slice(&text)));
    else
        printf("%-14s %s\n", label, otherwise);
    buf_done(&text);
}

static const char *on_off(unsigned bit)
{
    return bit ? "on" : "off";
}

static void print_account(const struct account *a)
{
    printf("%-14s %.*s\n%-14s %.*s\n%-14s %.*s\n%-14s", "user", SLICE_ARG(a->name), "display-name",
           SLICE_ARG(a->display_name), "nt-domain", SLICE_ARG(a->nt_domain), "aliases");
    for (size_t i = 0; i < a->n_aliases; i++)
        printf(" %.*s", SLICE_ARG(a->aliases[i]));
    printf("\n%-14s", "delegates");
    for (size_t i = 0; i < a->n_delegates; i++)
        printf(" %.*s", SLICE_ARG(a->delegates[i].name));
    printf("\n%-14s %s\n%-14s %s\n%-14s %s\n", "pop3", on_off(a->protocols & ACCOUNT_POP3), "imap",
           on_off(a->protocols & ACCOUNT_IMAP), "mapi", on_off(a->protocols & ACCOUNT_MAPI));
    printf("%-14s %s\n%-14s %s\n%-14s %s\n", "locked", a->locked ? "yes" : "no", "admin",
           a->admin ? "yes" : "no", "master", a->master ? "yes" : "no");
    printf("%-14s %zu\n", "app-passwords", a->n_app_passwords);
    print_time("expires", a->expires, "never");
    if (a->quota)
        printf("%-14s %llu\n", "quota", (unsigned long long)a->quota);
    else
        printf("%-14s none\n", "quota");
    print_time("created", a->created, "-");
    print_time("changed", a->changed, "-");
}

static int show(struct cli *cli, struct cli_world *world, struct arena *in)
{
    struct account a;

    json_t *last;

    if (!cli_find_account(cli, world, cli->operands[0], in, &a))
        return CLI_FAILED;
    struct err e = logons_last(world->store, &a, &last);
    if (failed(e))
        return cli_fail_err(cli, cli->operands[0], e);
    if (cli->json) {
        json_t *account = json_account(&a);

        json_object_set(account, "last", last);
        cli_put_json(account);
    } else {
        print_account(&a);
        logons_print(last);
    }
    json_decref(last);
    return CLI_OK;
}

static void list_one(const struct cli *cli, const struct account *a, json_t *all)
{
    if (cli->json) {
        json_array_append_new(all, json_account(a));
        return;
    }
    printf("%-30.*s %-4s %-4s %-4s %-6s %.*s\n", SLICE_ARG(a->name),
           on_off(a->protocols & ACCOUNT_POP3), on_off(a->protocols & ACCOUNT_IMAP),
           on_off(a->protocols & ACCOUNT_MAPI), a->locked ? "locked" : "",
           SLICE_ARG(a->display_name));
}

static int list(struct cli *cli, struct cli_world *world, struct arena *in)
{
    json_t *all = json_array();
    struct slice after = SLICE_EMPTY;
    struct account a;
    struct err e;

    if (!cli->json)
        printf("%-30s %-4s %-4s %-4s %-6s %s\n", "user", "pop3", "imap", "mapi", "", "name");
    while (!failed(e = accounts_next(world->accounts, after, in, &a))) {
        list_one(cli, &a, all);
        after = a.name;
    }
    if (cli->json)
        cli_put_json(all);
    else
        json_decref(all);
    return e.code == ERR_NOT_FOUND ? CLI_OK : cli_fail_err(cli, "accounts", e);
}

int cli_user_add(struct cli *cli)
{
    return cli_with_world(cli, add);
}

int cli_user_passwd(struct cli *cli)
{
    return cli_with_world(cli, passwd);
}

int cli_user_set(struct cli *cli)
{
    return cli_with_world(cli, set);
}

int cli_user_del(struct cli *cli)
{
    return cli_with_world(cli, del);
}

int cli_user_show(struct cli *cli)
{
    return cli_with_world(cli, show);
}

int cli_user_list(struct cli *cli)
{
    return cli_with_world(cli, list);
}
