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

bool cli_open(const struct cli *cli, struct cli_world *world)
{
    *world = (struct cli_world){NULL, NULL, NULL};
    if (load_config(cli, &world->config) && become_store_user(cli, world->config->user) &&
        open_store(cli, world))
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

/* Is the domain one of ours? */
static bool is_local(const struct config *config, struct slice domain)
{
    for (const char *const *d = config->auth.domains; d && *d; d++)
        if (slice_ieq(domain, slice_str(*d)))
            return true;
    return false;
}

static struct err find(const struct cli_world *world, struct slice name, struct arena *in,
                       struct account *out)
{
    struct slice canonical;
    struct err e = auth_name(name, in, &canonical);

    if (failed(e))
        return e;
    e = accounts_lookup(world->accounts, canonical, in, out);
    if (e.code != ERR_NOT_FOUND)
        return e;
    struct slice domain = canonical, local = slice_cut(&domain, '@');
    if (domain.len && is_local(world->config, domain))
        return accounts_lookup(world->accounts, local, in, out);
    return e;
}

bool cli_find_account(const struct cli *cli, const struct cli_world *world, const char *name,
                      struct arena *in, struct account *out)
{
    struct err e = find(world, slice_str(name), in, out);

    if (e.code == ERR_NOT_FOUND)
        return cli_fail(cli, "there is no user '%s'", name), false;
    if (failed(e))
        return cli_fail_err(cli, name, e), false;
    return true;
}
