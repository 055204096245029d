/* world.c - what most commands need: configuration, store, accounts, and one account by name. */
#include "auth/auth.h"
#include "gateway/cli/cli.h"
#include "gateway/config.h"
#include "gateway/identity.h"
#include "store/account.h"

/* Files that root would make in the store could not be read by the daemon. */
static bool become_store_user(const struct cli *cli, const char *user)
{
    struct buf why = buf_make(8192);
    struct err e = identity_become(user, &why);

    if (failed(e))
        cli_fail(cli, "%.*s", SLICE_ARG(buf_slice(&why)));
    buf_done(&why);
    return !failed(e);
}

static bool load_config(const struct cli *cli, struct config **out)
{
    struct buf why = buf_make(64 * 1024);
    struct err e = config_load(cli->config, &why, out);

    if (failed(e)) {
        struct slice text = buf_slice(&why), line = slice_cut(&text, '\n');

        cli_fail(cli, "%.*s", SLICE_ARG(line));
    }
    buf_done(&why);
    return !failed(e);
}

/* What the store finds wrong is for whoever runs the command. */
static void print_trouble(struct log *log, enum log_level level, const char *event,
                          const struct log_field *fields, size_t n)
{
    (void)log, (void)level;
    fprintf(stderr, "gatepost: %s", event);
    for (size_t i = 0; i < n; i++)
        if (fields[i].kind == LOG_FIELD_TEXT)
            fprintf(stderr, ": %.*s", SLICE_ARG(fields[i].text));
    fputc('\n', stderr);
}

static struct log trouble = {LOG_LEVEL_ERROR, print_trouble};

static bool open_store(const struct cli *cli, struct cli_world *world)
{
    struct err e = store_open(&world->config->store, &trouble, &world->store);

    if (failed(e))
        return cli_fail_err(cli, world->config->store.dir, e), false;
    e = accounts_open(store_engine(world->store), &world->accounts);
    if (failed(e))
        return cli_fail_err(cli, "accounts", e), false;
    return true;
}

bool cli_config(const struct cli *cli, struct config **out)
{
    struct config *config;

    if (!load_config(cli, &config))
        return false;
    if (!become_store_user(cli, config->user)) {
        config_free(config);
        return false;
    }
    *out = config;
    return true;
}

bool cli_open(const struct cli *cli, struct cli_world *world)
{
    *world = (struct cli_world){NULL, NULL, NULL};
    if (cli_config(cli, &world->config) && open_store(cli, world))
        return true;
    cli_close(world);
    return false;
}

void cli_close(struct cli_world *world)
{
    accounts_close(world->accounts);
    if (world->store)
        store_close(world->store);
    config_free(world->config);
}

int cli_with_world(struct cli *cli,
                   int (*run)(struct cli *cli, struct cli_world *world, struct arena *in))
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

bool cli_open_auth(const struct cli *cli, const struct cli_world *world, struct cli_auth *out)
{
    struct auth_config config = world->config->auth;

    config.inline_steps = true;
    gateway_source_init(&out->source, world->accounts);
    struct err e = auth_new(&config, &out->source.source, NULL, NULL, &out->auth);
    return failed(e) ? cli_fail_err(cli, "authentication", e), false : true;
}

int cli_with_auth(const struct cli *cli, int (*run)(const struct cli *cli, struct cli_world *world,
                                                    struct auth *auth, struct arena *in))
{
    struct arena arena = ARENA_INIT;
    struct cli_world world;
    struct cli_auth layer;
    int status = CLI_FAILED;

    if (!cli_open(cli, &world))
        return CLI_FAILED;
    if (cli_open_auth(cli, &world, &layer)) {
        status = run(cli, &world, layer.auth, &arena);
        auth_free(layer.auth);
    }
    cli_close(&world);
    arena_done(&arena);
    return status;
}

bool cli_resolve(const struct cli *cli, struct auth *auth, const char *name, struct arena *in,
                 struct auth_account *out)
{
    struct err e = auth_resolve(auth, slice_str(name), in, out);

    if (e.code == ERR_NOT_FOUND || e.code == ERR_INVALID)
        return cli_fail(cli, "there is no user '%s'", name), false;
    if (e.code == ERR_CONFLICT)
        return cli_fail(cli, "'%s' could be more than one user", name), false;
    return failed(e) ? cli_fail_err(cli, name, e), false : true;
}

bool cli_find_account(const struct cli *cli, const struct cli_world *world, const char *name,
                      struct arena *in, struct account *out)
{
    struct auth_account found;
    struct cli_auth layer;

    if (!cli_open_auth(cli, world, &layer))
        return false;
    bool known = cli_resolve(cli, layer.auth, name, in, &found);
    auth_free(layer.auth);
    if (!known)
        return false;
    struct err e = accounts_lookup(world->accounts, found.identity, in, out);
    return failed(e) ? cli_fail_err(cli, name, e), false : true;
}

static int on_mailbox_of(const struct cli *cli, const struct cli_world *world, struct arena *in,
                         int (*run)(const struct cli *cli, struct mailbox *mb, struct arena *in))
{
    struct account account;
    struct mailbox *mb;

    if (!cli_find_account(cli, world, cli->operands[0], in, &account))
        return CLI_FAILED;
    struct err e = store_mailbox_open_now(world->store, account.mailbox_id, &mb);
    if (failed(e))
        return cli_fail_err(cli, cli->operands[0], e);
    int status = run(cli, mb, in);
    mailbox_close(mb);
    return status;
}

int cli_with_mailbox(const struct cli *cli,
                     int (*run)(const struct cli *cli, struct mailbox *mb, struct arena *in))
{
    struct arena arena = ARENA_INIT;
    struct cli_world world;
    int status = CLI_FAILED;

    if (cli_open(cli, &world)) {
        status = on_mailbox_of(cli, &world, &arena, run);
        cli_close(&world);
    }
    arena_wipe(&arena);
    return status;
}
