#include "gateway/cli/logons.h"

#include "base/utf.h"
#include "gateway/audit_kind.h"
#include "store/store.h"

struct gathering {
    uint64_t since;
    json_t *last;
};

/* What of a record is of interest here. */
static json_t *summary(const json_t *record)
{
    static const char *const members[] = {"time", "mechanism", "client",  "client_port", "proxy",
                                          "tls",  "listener",  "session", "client_name", "actor"};
    json_t *out = json_object();

    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        json_t *member = json_object_get(record, members[i]);

        if (member)
            json_object_set(out, members[i], member);
    }
    return out;
}

static void each(void *ctx, const struct audit_entry *entry)
{
    struct gathering *g = ctx;
    json_t *record = json_loadb((const char *)entry->line.ptr, entry->line.len, 0, NULL);

    if (record && entry->time >= g->since)
        json_object_setn_new(g->last, (const char *)entry->door.ptr, entry->door.len,
                             summary(record));
    json_decref(record);
}

struct err logons_last(struct store *store, const struct account *account, json_t **out)
{
    struct gathering g = {.since = account->created, .last = json_object()};
    struct audit *audit;
    struct err e = audit_open(store_engine(store), &audit);

    if (!failed(e)) {
        e = audit_last(audit, account->name, each, &g);
        audit_close(audit);
    }
    if (failed(e))
        json_decref(g.last);
    else
        *out = g.last;
    return e;
}

static void print_one(const char *protocol, const json_t *one)
{
    struct buf line = buf_make(64 * 1024);
    struct slice tls = audit_member(one, "tls"), name = audit_member(one, "client_name");
    struct slice actor = audit_member(one, "actor");

    buf_printf(&line, "last-%-9s %.*s %.*s %.*s %.*s", protocol,
               SLICE_ARG(audit_member(one, "time")), SLICE_ARG(audit_member(one, "mechanism")),
               SLICE_ARG(audit_member(one, "client")), SLICE_ARG(tls.len ? tls : S("clear")));
    if (name.len) {
        buf_puts(&line, " \"");
        utf8_put_visible(&line, name);
        buf_putc(&line, '"');
    }
    if (actor.len)
        buf_printf(&line, " by %.*s", SLICE_ARG(actor));
    printf("%.*s\n", SLICE_ARG(buf_slice(&line)));
    buf_done(&line);
}

void logons_print(const json_t *last)
{
    const char *protocol;
    json_t *one;

    json_object_foreach((json_t *)last, protocol, one) print_one(protocol, one);
    if (json_object_size(last) == 0)
        printf("%-14s never\n", "last-log-on");
}
