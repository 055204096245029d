/* overview.c - the figures that the page shows, as JSON. */
#include <jansson.h>

#include "base/utf.h"
#include "protocols/ops/ops_int.h"

/* ---- pieces ---- */

/* A name that somebody tried may be any bytes. */
static json_t *text(struct slice s)
{
    struct buf clean = buf_make(SIZE_MAX / 2);

    utf8_put_lossy(&clean, s);
    json_t *json = json_stringn(clean.len ? (const char *)buf_slice(&clean).ptr : "", clean.len);
    buf_done(&clean);
    return json;
}

static json_t *number(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *moment(uint64_t filetime)
{
    struct buf out = buf_make(64);

    clock_put_rfc3339(&out, filetime);
    json_t *json = text(buf_slice(&out));
    buf_done(&out);
    return json;
}

static const char *stage_of(enum auth_reason reason)
{
    return auth_stage_name(auth_reason_stage(reason));
}

static const char *protocol_name(unsigned index)
{
    return auth_protocol_name((enum auth_protocol)(1u << index));
}

/* ---- log-ons over time ---- */

static uint64_t let_in(const struct ops_cell *cell, unsigned p)
{
    return cell->n[p][AUTH_OK];
}

static uint64_t refused(const struct ops_cell *cell, unsigned p)
{
    uint64_t n = 0;

    for (unsigned r = 0; r < AUTH_REASON_COUNT; r++)
        if (r != AUTH_OK && ops_is_attempt((enum auth_reason)r))
            n += cell->n[p][r];
    return n;
}

static json_t *series(const struct ops_history *h, unsigned p,
                      uint64_t (*count)(const struct ops_cell *cell, unsigned p))
{
    json_t *list = json_array();

    for (size_t i = 0; i < h->n; i++)
        json_array_append_new(list, number(count(&h->cells[i], p)));
    return list;
}

/* Reason by reason in the last `n` cells, all protocols apart; those that were not are left out. */
static json_t *reasons(const struct ops_history *h, size_t n)
{
    json_t *list = json_array();

    for (unsigned r = 0; r < AUTH_REASON_COUNT; r++) {
        json_t *by_protocol = json_object();

        for (unsigned p = 0; p < AUTH_PROTOCOLS; p++) {
            uint64_t sum = 0;

            for (size_t i = h->n - n; i < h->n; i++)
                sum += h->cells[i].n[p][r];
            if (sum)
                json_object_set_new(by_protocol, protocol_name(p), number(sum));
        }
        if (r != AUTH_OK && json_object_size(by_protocol))
            json_array_append_new(list,
                                  json_pack("{ss ss si so}", "stage", stage_of((enum auth_reason)r),
                                            "reason", auth_reason_name((enum auth_reason)r),
                                            "event", (int)auth_reason_event((enum auth_reason)r),
                                            "protocols", by_protocol));
        else
            json_decref(by_protocol);
    }
    return list;
}

static json_t *protocols_of(const struct ops_history *h)
{
    json_t *all = json_object();

    for (unsigned p = 0; p < AUTH_PROTOCOLS; p++)
        json_object_set_new(
            all, protocol_name(p),
            json_pack("{so so}", "ok", series(h, p, let_in), "refused", series(h, p, refused)));
    return all;
}

static json_t *history(const struct ops_history *h)
{
    return json_pack("{sI si so}", "start", (json_int_t)h->start_unix, "step", (int)h->step_s,
                     "protocols", protocols_of(h));
}

static void put_history(const struct ops_figures *f, json_t *all)
{
    enum { DAY = 24 };

    if (failed(f->history_known) || !f->hours.n)
        return;
    json_object_set_new(all, "minutes", history(&f->minutes));
    json_object_set_new(all, "hours", history(&f->hours));
    json_object_set_new(all, "reasons",
                        json_pack("{so so so}", "hour", reasons(&f->minutes, f->minutes.n), "day",
                                  reasons(&f->hours, f->hours.n < DAY ? f->hours.n : DAY), "week",
                                  reasons(&f->hours, f->hours.n)));
}

/* ---- users and addresses ---- */

static json_t *outcome(const struct ops_outcome *o)
{
    return json_pack("{so ss ss si sI sI so}", "protocol", text(o->protocol), "stage",
                     stage_of(o->reason), "reason", auth_reason_name(o->reason), "event",
                     (int)auth_reason_event(o->reason), "ok", (json_int_t)o->ok, "failed",
                     (json_int_t)o->failed, "last", moment(o->last));
}

static json_t *differing(const struct ops_figures *f)
{
    json_t *users = json_array();

    for (size_t i = 0; i < f->n_differing; i++) {
        json_t *outcomes = json_array();

        for (size_t k = 0; k < f->differing[i].n; k++)
            json_array_append_new(outcomes, outcome(&f->differing[i].outcomes[k]));
        json_array_append_new(
            users, json_pack("{so so}", "user", text(f->differing[i].user), "outcomes", outcomes));
    }
    return json_pack("{sb sI so}", "known", !failed(f->differing_known), "count",
                     (json_int_t)f->differing_all, "users", users);
}

static json_t *throttled(const struct ops_figures *f)
{
    json_t *list = json_array();

    for (size_t i = 0; i < f->n_throttled; i++) {
        const struct auth_throttled *t = &f->throttled[i];

        json_array_append_new(list, json_pack("{so so sI sI}", "address", text(t->address), "name",
                                              text(t->name), "failures", (json_int_t)t->failures,
                                              "wait_ms", (json_int_t)t->wait_ms));
    }
    return json_pack("{sI sI sI so}", "addresses", (json_int_t)f->throttled_addresses, "pairs",
                     (json_int_t)f->throttled_pairs, "names", (json_int_t)f->attacked_names, "list",
                     list);
}

/* ---- the server ---- */

static json_t *state(const struct ops_figures *f, const char *host_name)
{
    return json_pack("{ss ss sb sb si si ss sI sI}", "host", host_name, "version", GATEPOST_VERSION,
                     "healthy", ops_is_healthy(f), "draining", f->draining, "workers",
                     (int)f->workers, "workers_answering", (int)f->answering, "store",
                     failed(f->store) ? err_sentence(f->store.code) : "writable", "started",
                     (json_int_t)f->started_unix, "now", (json_int_t)f->now_unix);
}

static json_t *connections(const struct ops_figures *f)
{
    json_t *list = json_array();

    for (size_t i = 0; i < f->n_crowds; i++) {
        const struct ops_crowd *c = &f->crowds[i];

        json_array_append_new(list, json_pack("{ss ss ss sI sI}", "listener", c->listener,
                                              "protocol", c->protocol, "tls", c->tls, "connections",
                                              (json_int_t)c->connections, "logged_on",
                                              (json_int_t)c->logged_on));
    }
    return list;
}

static json_t *traffic(const struct ops_figures *f)
{
    json_t *list = json_array();

    for (size_t i = 0; i < f->n_traffic; i++) {
        const struct ops_traffic *t = &f->traffic[i];

        json_array_append_new(
            list,
            json_pack("{ss sI sI sI sI sI sI}", "protocol", t->protocol, "commands",
                      (json_int_t)t->commands, "delivered", (json_int_t)t->delivered, "fetched",
                      (json_int_t)t->fetched, "expunged", (json_int_t)t->expunged, "received_bytes",
                      (json_int_t)t->bytes_in, "sent_bytes", (json_int_t)t->bytes_out));
    }
    return list;
}

static json_t *certificates(const struct ops_figures *f)
{
    json_t *list = json_array();

    for (size_t i = 0; i < f->n_certificates; i++)
        json_array_append_new(list, json_pack("{ss sI}", "listener", f->certificates[i].listener,
                                              "ends", (json_int_t)f->certificates[i].ends_unix));
    return list;
}

static json_t *gauges(const struct ops_figures *f)
{
    json_t *all = json_pack(
        "{sI sI sI sI sI sI sI sI sI}", "connections_refused", (json_int_t)f->refused,
        "tls_failures", (json_int_t)f->tls_failures, "audit_records", (json_int_t)f->audit_records,
        "audit_file_lost", (json_int_t)f->audit_file_lost, "audit_store_lost",
        (json_int_t)f->audit_store_lost, "resident_bytes", (json_int_t)f->resident_bytes,
        "open_fds", (json_int_t)f->open_files, "disk_bytes", (json_int_t)f->disk_bytes,
        "disk_free_bytes", (json_int_t)f->disk_free_bytes);

    if (failed(f->stats))
        return all;
    json_object_set_new(all, "store_used_bytes", number(f->store_stats.used_bytes));
    json_object_set_new(all, "store_blobs", number(f->store_stats.blobs));
    json_object_set_new(all, "store_commits", number(f->store_stats.commits));
    json_object_set_new(all, "store_batches", number(f->store_stats.batches));
    return all;
}

static int append(const char *bytes, size_t len, void *out)
{
    buf_put(out, slice_of(bytes, len));
    return 0;
}

void ops_put_overview(const struct ops_figures *f, const char *host_name, struct buf *out)
{
    json_t *all = json_object();

    json_object_set_new(all, "server", state(f, host_name));
    json_object_set_new(all, "differing", differing(f));
    json_object_set_new(all, "throttled", throttled(f));
    put_history(f, all);
    json_object_set_new(all, "connections", connections(f));
    json_object_set_new(all, "traffic", traffic(f));
    json_object_set_new(all, "certificates", certificates(f));
    json_object_set_new(all, "gauges", gauges(f));
    json_dump_callback(all, append, out, JSON_COMPACT | JSON_ENSURE_ASCII);
    buf_putc(out, '\n');
    json_decref(all);
}
