/*
 * queue.c - gatepost queue list | retry ID… | drop ID…: mail that waits to be handed on. The queue
 * is in the store, so all of it works without the daemon, which is told of changes when it is
 * there.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "gateway/cli/cli.h"
#include "gateway/config.h"
#include "gateway/control.h"
#include "gateway/outbox.h"

const struct cli_option cli_queue_options[] = {{"--all", false}, {NULL, false}};

/* ---- list ---- */

static const char *const states[] = {
    [QUEUE_WAITS] = "waits", [QUEUE_SENT] = "sent", [QUEUE_FAILED] = "failed"};

static void put_time(json_t *entry, const char *key, uint64_t time)
{
    struct buf text = buf_make(64);

    clock_put_rfc3339(&text, time);
    json_object_set_new(entry, key, cli_json_text(buf_slice(&text)));
    buf_done(&text);
}

static json_t *json_of(const struct queue_entry *e)
{
    json_t *recipients = json_array();
    char id[20];

    snprintf(id, sizeof id, "%llx", (unsigned long long)e->id);
    for (size_t i = 0; i < e->n_recipients; i++) {
        const struct queue_recipient *r = &e->recipients[i];

        json_array_append_new(recipients,
                              json_pack("{so ss so}", "address", cli_json_text(r->address), "state",
                                        states[r->state], "reply", cli_json_text(r->reply)));
    }
    json_t *entry = json_pack("{ss so so sI sI so}", "id", id, "owner", cli_json_text(e->owner),
                              "sender", cli_json_text(e->sender), "bytes", (json_int_t)e->size,
                              "attempts", (json_int_t)e->attempts, "recipients", recipients);
    put_time(entry, "created", e->created);
    put_time(entry, "due", e->due);
    return entry;
}

static void print_entry(const struct queue_entry *e)
{
    struct buf due = buf_make(64);

    clock_put_rfc3339(&due, e->due);
    printf("%llx %10llu bytes  from <%.*s> for %.*s, attempts: %u, next: %.*s\n",
           (unsigned long long)e->id, (unsigned long long)e->size, SLICE_ARG(e->sender),
           SLICE_ARG(e->owner), e->attempts, SLICE_ARG(slice_head(buf_slice(&due), 19)));
    for (size_t i = 0; i < e->n_recipients; i++)
        printf("    %-6s %.*s  %.*s\n", states[e->recipients[i].state],
               SLICE_ARG(e->recipients[i].address), SLICE_ARG(e->recipients[i].reply));
    buf_done(&due);
}

typedef struct err entry_fn(void *ctx, struct queue_entry *e);

/* `each` for every entry, until it fails. One that is not there any more was handed on meanwhile.
 */
static struct err walk(struct store *store, entry_fn *each, void *ctx)
{
    struct queue_entry entry = {.id = 0};
    struct err e = OK;

    while (!failed(e)) {
        struct arena arena = ARENA_INIT;

        e = store_queue_next(store, entry.id, &arena, &entry);
        bool more = !failed(e);
        if (more)
            e = each(ctx, &entry);
        arena_done(&arena);
        if (e.code == ERR_NOT_FOUND && !more)
            return OK;
        if (e.code == ERR_NOT_FOUND)
            e = OK;
    }
    return e;
}

static struct err list_one(void *ctx, struct queue_entry *e)
{
    json_t *list = ctx;

    if (list)
        json_array_append_new(list, json_of(e));
    else
        print_entry(e);
    return OK;
}

int cli_queue_list(struct cli *cli)
{
    json_t *list = cli->json ? json_array() : NULL;
    struct cli_world world;

    if (!cli_open(cli, &world))
        return CLI_FAILED;
    struct err e = walk(world.store, list_one, list);
    cli_close(&world);
    if (list && !failed(e))
        cli_print_json(list);
    json_decref(list);
    return failed(e) ? cli_fail_err(cli, "queue", e) : CLI_OK;
}

/* ---- retry and drop ---- */

static struct err retry(void *ctx, struct queue_entry *e)
{
    uint64_t now = clock_now().wall;

    return store_queue_reschedule(ctx, e->id, &(struct queue_times){.since = now, .due = now});
}

/* The message stays in its sender's Outbox, and is one that was not submitted. */
static struct err drop(void *ctx, struct queue_entry *e)
{
    struct err error = store_queue_remove(ctx, e->id);

    if (failed(error) || !e->mid)
        return error;
    error = outbox_mark(ctx, e, false);
    return error.code == ERR_NOT_FOUND ? OK : error;
}

static bool read_id(const char *text, uint64_t *id)
{
    char *end;

    *id = strtoull(text, &end, 16);
    return *text && !*end;
}

static struct err with_id(struct store *store, const char *text, entry_fn *each)
{
    struct arena arena = ARENA_INIT;
    uint64_t id;

    if (!read_id(text, &id))
        return ERR(ERR_INVALID, "an id has hexadecimal digits");
    struct queue_entry *entry = arena_alloc(&arena, sizeof *entry);
    struct err e = store_queue_get(store, id, &arena, entry);

    if (!failed(e))
        e = each(store, entry);
    arena_done(&arena);
    return e;
}

/* Without a daemon nobody has to know. */
static void tell_daemon(const struct cli_world *world)
{
    json_t *question = json_pack("{ss}", "do", "queue"), *answer = NULL;

    (void)!failed(control_ask(world->config->store.dir, question, &answer));
    json_decref(question);
    json_decref(answer);
}

static int change(struct cli *cli, entry_fn *each)
{
    struct cli_world world;
    const char *what = "queue";
    struct err e = OK;

    if (!cli_option(cli, "--all") == !cli->n_operands)
        return cli_usage(cli);
    if (!cli_open(cli, &world))
        return CLI_FAILED;
    if (cli_option(cli, "--all"))
        e = walk(world.store, each, world.store);
    for (size_t i = 0; i < cli->n_operands && !failed(e); i++) {
        what = cli->operands[i];
        e = with_id(world.store, what, each);
    }
    tell_daemon(&world);
    cli_close(&world);
    return failed(e) ? cli_fail_err(cli, what, e) : CLI_OK;
}

int cli_queue_retry(struct cli *cli)
{
    return change(cli, retry);
}

int cli_queue_drop(struct cli *cli)
{
    return change(cli, drop);
}
