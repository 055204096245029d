/*
 * user.c - gatepost user add | passwd | set | show | list | del
 *
 * The keys of add and set: pop3= imap= mapi= (on, off), locked= admin= (yes, no), expires= (a
 * date, or never), display-name=, nt-domain=, alias+= and alias-=, quota= (bytes, or none).
 */
#include <jansson.h>

#include "auth/auth.h"
#include "base/clock.h"
#include "base/mem.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/logons.h"
#include "gateway/cli/secret.h"
#include "gateway/config.h"
#include "store/account.h"
#include "store/store.h"

const struct cli_option cli_user_add_options[] = {{"--password-stdin", false}, {NULL, false}};

/* ---- settings ---- */

struct setting {
    const char *key; /* with its operator */
    bool (*set)(struct slice value, struct account *account, struct arena *in);
    const char *expected;
};

static bool parse_switch(struct slice value, const char *yes, const char *no, bool *out)
{
    *out = slice_eq(value, slice_str(yes));
    return *out || slice_eq(value, slice_str(no));
}

static bool set_protocol(struct slice value, struct account *a, unsigned protocol)
{
    bool on;

    if (!parse_switch(value, "on", "off", &on))
        return false;
    a->protocols = on ? a->protocols | protocol : a->protocols & ~protocol;
    return true;
}

static bool set_pop3(struct slice value, struct account *a, struct arena *in)
{
    (void)in;
    return set_protocol(value, a, ACCOUNT_POP3);
}

static bool set_imap(struct slice value, struct account *a, struct arena *in)
{
    (void)in;
    return set_protocol(value, a, ACCOUNT_IMAP);
}

static bool set_mapi(struct slice value, struct account *a, struct arena *in)
{
    (void)in;
    return set_protocol(value, a, ACCOUNT_MAPI);
}

static bool set_locked(struct slice value, struct account *a, struct arena *in)
{
    (void)in;
    return parse_switch(value, "yes", "no", &a->locked);
}

static bool set_admin(struct slice value, struct account *a, struct arena *in)
{
    (void)in;
    return parse_switch(value, "yes", "no", &a->admin);
}

/* "2027-01-31" is the end of that day, so that the day itself still counts. */
static bool set_expires(struct slice value, struct account *a, struct arena *in)
{
    enum { DATE_LEN = 10 };
    uint64_t day = 0;

    (void)in;
    if (!slice_eq(value, S("never")) &&
        (value.len != DATE_LEN || !clock_parse_rfc3339(value, &day)))
        return false;
    a->expires = day ? day + (24 * 3600 - 1) * FILETIME_SECOND : 0;
    return true;
}

static bool set_display_name(struct slice value, struct account *a, struct arena *in)
{
    a->display_name = arena_slice(in, value);
    return slice_is_utf8(value) && value.len <= 1000;
}

static bool set_nt_domain(struct slice value, struct account *a, struct arena *in)
{
    a->nt_domain = arena_slice(in, value);
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] <= ' ' || value.ptr[i] == '\\' || value.ptr[i] == '/')
            return false;
    return slice_is_utf8(value) && value.len <= 255;
}

static size_t alias_at(const struct account *a, struct slice name)
{
    size_t i = 0;

    while (i < a->n_aliases && !slice_eq(a->aliases[i], name))
        i++;
    return i;
}

static bool add_alias(struct slice value, struct account *a, struct arena *in)
{
    struct slice name;

    if (failed(auth_name(value, in, &name)))
        return false;
    if (alias_at(a, name) < a->n_aliases)
        return true;
    a->aliases = arena_grow(in, a->aliases, a->n_aliases, 1, sizeof *a->aliases);
    a->aliases[a->n_aliases++] = name;
    return true;
}

static bool remove_alias(struct slice value, struct account *a, struct arena *in)
{
    struct slice name;

    if (failed(auth_name(value, in, &name)))
        return false;
    size_t at = alias_at(a, name);
    if (at == a->n_aliases)
        return false;
    a->aliases[at] = a->aliases[--a->n_aliases];
    return true;
}

static bool set_quota(struct slice value, struct account *a, struct arena *in)
{
    static const char units[] = "KMGT";
    uint64_t n, factor = 1;

    (void)in;
    if (slice_eq(value, S("none"))) {
        a->quota = 0;
        return true;
    }
    const char *unit = value.len ? strchr(units, value.ptr[value.len - 1]) : NULL;
    if (unit && *unit) {
        factor = 1ull << (10 * (unit - units + 1));
        value.len--;
    }
    return slice_to_u64(value, &n) && n > 0 && !__builtin_mul_overflow(n, factor, &a->quota);
}

static const struct setting settings[] = {
    {"pop3=", set_pop3, "on or off"},
    {"imap=", set_imap, "on or off"},
    {"mapi=", set_mapi, "on or off"},
    {"locked=", set_locked, "yes or no"},
    {"admin=", set_admin, "yes or no"},
    {"expires=", set_expires, "a date such as 2027-01-31, or never"},
    {"display-name=", set_display_name, "text in UTF-8"},
    {"nt-domain=", set_nt_domain, "the name of an NT domain"},
    {"alias+=", add_alias, "a name"},
    {"alias-=", remove_alias, "an alias that the account has"},
    {"quota=", set_quota, "a size such as 2G, or none"},
};

static int apply_one(const struct cli *cli, const char *word, struct account *a, struct arena *in)
{
    struct slice text = slice_str(word);

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        struct slice key = slice_str(settings[i].key);

        if (!slice_starts(text, key))
            continue;
        if (settings[i].set(slice_from(text, key.len), a, in))
            return CLI_OK;
        cli_fail(cli, "%s expected %s", settings[i].key, settings[i].expected);
        return CLI_USAGE;
    }
    cli_fail(cli, "there is no setting '%s'", word);
    return CLI_USAGE;
}

/* The operands behind the name. */
static int apply_settings(const struct cli *cli, struct account *a, struct arena *in)
{
    for (size_t i = 1; i < cli->n_operands; i++) {
        int status = apply_one(cli, cli->operands[i], a, in);

        if (status != CLI_OK)
            return status;
    }
    return CLI_OK;
}

/* ---- secrets and mailboxes ---- */

static bool make_credentials(const struct cli *cli, const struct cli_world *world,
                             struct account *a, struct arena *in)
{
    struct buf secret = buf_make(AUTH_MAX_SECRET), keys = buf_make(8192);
    bool good = cli_read_secret(cli, &secret);

    if (good) {
        struct err e =
            auth_credentials_make(buf_slice(&secret), world->config->auth.iterations, &keys);

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

typedef int in_world(struct cli *cli, struct cli_world *world, struct arena *in);

static int with_world(struct cli *cli, in_world *run)
{
    struct arena arena = ARENA_INIT;
    struct cli_world world;
    int status = CLI_FAILED;

    if (cli_open(cli, &world)) {
        status = run(cli, &world, &arena);
        cli_close(&world);
    }
    arena_wipe(&arena);
    return status;
}

static int add(struct cli *cli, struct cli_world *world, struct arena *in)
{
    struct account a = {.protocols = ACCOUNT_ALL, .created = clock_now().wall}, other;
    struct err e = auth_name(slice_str(cli->operands[0]), in, &a.name);

    if (failed(e))
        return cli_fail_err(cli, cli->operands[0], e);
    int status = apply_settings(cli, &a, in);
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
    int status = apply_settings(cli, &a, in);
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
    json_t *aliases = json_array();

    for (size_t i = 0; i < a->n_aliases; i++)
        json_array_append_new(aliases, json_of(a->aliases[i]));
    return json_pack("{so so so so sb sb sb sb sb so sI so so sb}", "user", json_of(a->name),
                     "display-name", json_of(a->display_name), "nt-domain", json_of(a->nt_domain),
                     "aliases", aliases, "pop3", !!(a->protocols & ACCOUNT_POP3), "imap",
                     !!(a->protocols & ACCOUNT_IMAP), "mapi", !!(a->protocols & ACCOUNT_MAPI),
                     "locked", (int)a->locked, "admin", (int)a->admin, "expires",
                     json_time(a->expires), "quota", (json_int_t)a->quota, "created",
                     json_time(a->created), "changed", json_time(a->changed), "password",
                     a->credentials.len > 0);
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
    printf("\n%-14s %s\n%-14s %s\n%-14s %s\n", "pop3", on_off(a->protocols & ACCOUNT_POP3), "imap",
           on_off(a->protocols & ACCOUNT_IMAP), "mapi", on_off(a->protocols & ACCOUNT_MAPI));
    printf("%-14s %s\n%-14s %s\n", "locked", a->locked ? "yes" : "no", "admin",
           a->admin ? "yes" : "no");
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
    return with_world(cli, add);
}

int cli_user_passwd(struct cli *cli)
{
    return with_world(cli, passwd);
}

int cli_user_set(struct cli *cli)
{
    return with_world(cli, set);
}

int cli_user_del(struct cli *cli)
{
    return with_world(cli, del);
}

int cli_user_show(struct cli *cli)
{
    return with_world(cli, show);
}

int cli_user_list(struct cli *cli)
{
    return with_world(cli, list);
}
