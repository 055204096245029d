/* store.c - gatepost store stat | verify | compact | backup DIR | restore DIR */
#include "gateway/cli/cli.h"
#include "gateway/config.h"

/* ---- stat ---- */

struct figure {
    const char *name, *label;
    uint64_t value;
};

static void print_figures(const struct cli *cli, const struct figure *figures, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (cli->json)
            printf("%s\"%s\":%llu", i ? "," : "{", figures[i].name,
                   (unsigned long long)figures[i].value);
        else
            printf("%-28s %15llu\n", figures[i].label, (unsigned long long)figures[i].value);
    }
    fputs(cli->json ? "}\n" : "", stdout);
}

int cli_store_stat(struct cli *cli)
{
    struct cli_world world;
    struct engine_stats s;

    if (!cli_open(cli, &world))
        return CLI_FAILED;
    struct err e = engine_stats(store_engine(world.store), &s);
    cli_close(&world);
    if (failed(e))
        return cli_fail_err(cli, "store", e);
    const struct figure figures[] = {
        {"file_bytes", "file, bytes", s.file_bytes},
        {"used_bytes", "in use, bytes", s.used_bytes},
        {"free_bytes", "free pages, bytes", s.free_bytes},
        {"partitions", "partitions", s.partitions},
        {"blobs", "messages' bytes, distinct", s.blobs},
        {"blob_bytes", "  bytes of them", s.blob_bytes},
        {"dead_blobs", "  waiting to be swept", s.dead_blobs},
        {"readers", "snapshots open now", s.readers},
        {"oldest_read_ms", "  age of the oldest, ms", s.oldest_read_ms},
    };
    print_figures(cli, figures, sizeof figures / sizeof *figures);
    return CLI_OK;
}

/* ---- verify ---- */

static void print_fault(void *ctx, const char *text)
{
    (void)ctx;
    fprintf(stderr, "gatepost: store verify: %s\n", text);
}

int cli_store_verify(struct cli *cli)
{
    struct cli_world world;
    struct store_verify_report r = {0};

    if (!cli_open(cli, &world))
        return CLI_FAILED;
    struct err e = store_verify(world.store, print_fault, NULL, &r);
    cli_close(&world);
    if (failed(e))
        return cli_fail_err(cli, "store", e);
    const struct figure figures[] = {
        {"mailboxes", "mailboxes", r.mailboxes}, {"folders", "folders", r.folders},
        {"messages", "messages", r.messages},    {"blobs", "messages' bytes, distinct", r.blobs},
        {"faults", "faults", r.faults},
    };
    print_figures(cli, figures, sizeof figures / sizeof *figures);
    return r.faults ? CLI_FAILED : CLI_OK;
}

/* ---- backup, restore, compact ---- */

int cli_store_backup(struct cli *cli)
{
    struct cli_world world;

    if (!cli_open(cli, &world))
        return CLI_FAILED;
    struct err e = engine_backup(store_engine(world.store), cli->operands[0], false);
    cli_close(&world);
    return failed(e) ? cli_fail_err(cli, cli->operands[0], e) : CLI_OK;
}

/* The store itself must not be open for these two: only its directory is wanted. */
static bool store_directory(struct cli *cli, struct config **config)
{
    struct buf why = buf_make(64 * 1024);
    struct err e = config_load(cli->config, &why, config);

    if (failed(e))
        cli_fail(cli, "%.*s", SLICE_ARG(buf_slice(&why)));
    buf_done(&why);
    return !failed(e);
}

int cli_store_restore(struct cli *cli)
{
    struct config *config;

    if (!store_directory(cli, &config))
        return CLI_FAILED;
    struct err e = store_restore(cli->operands[0], config->store.dir, NULL);
    int status = failed(e) ? cli_fail_err(cli, config->store.dir, e) : CLI_OK;
    config_free(config);
    return status;
}

int cli_store_compact(struct cli *cli)
{
    struct config *config;

    if (!store_directory(cli, &config))
        return CLI_FAILED;
    struct err e = store_compact(config->store.dir, NULL);
    int status = failed(e) ? cli_fail_err(cli, config->store.dir, e) : CLI_OK;
    config_free(config);
    return status;
}
