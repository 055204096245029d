/*
 * metrics.c - the figures in Prometheus's text format, version 0.0.4.
 *
 * One table per kind of row says what a metric is called, what it is, and where it is found; so a
 * metric cannot be there without its HELP and TYPE, nor twice.
 */
#include "protocols/ops/ops_int.h"

/* ---- the format ---- */

static void put_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value: backslash, quote and line feed are escaped. */
static void put_label(struct buf *out, const char *before, const char *name, const char *value)
{
    buf_printf(out, "%s%s=\"", before, name);
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            buf_putc(out, '\\');
        if (*value == '\n')
            buf_puts(out, "\\n");
        else
            buf_putc(out, (uint8_t)*value);
    }
    buf_putc(out, '"');
}

static void put_value(struct buf *out, uint64_t value)
{
    buf_printf(out, " %llu\n", (unsigned long long)value);
}

/* Thousandths or millionths as a decimal fraction. */
static void put_seconds(struct buf *out, uint64_t value, unsigned per_second)
{
    buf_printf(out, "%llu.%0*llu", (unsigned long long)(value / per_second),
               per_second == 1000 ? 3 : 6, (unsigned long long)(value % per_second));
}

/* ---- metrics without labels ---- */

struct scalar {
    const char *name, *type, *help;
    size_t at; /* of a uint64_t in struct ops_figures */
};

#define AT(member) offsetof(struct ops_figures, member)

static const struct scalar scalars[] = {
    {"gatepost_connections_accepted_total", "counter", "Connections accepted.", AT(accepted)},
    {"gatepost_connections_refused_total", "counter", "Connections refused because of a limit.",
     AT(refused)},
    {"gatepost_tls_failures_total", "counter", "TLS handshakes that failed.", AT(tls_failures)},
    {"gatepost_audit_records_total", "counter", "Records of log-ons.", AT(audit_records)},
    {"gatepost_audit_file_lost_total", "counter", "Records that the audit file did not take.",
     AT(audit_file_lost)},
    {"gatepost_audit_store_lost_total", "counter", "Records that the store's copy did not take.",
     AT(audit_store_lost)},
    {"gatepost_audit_waiting", "gauge", "Records on their way into the store.", AT(audit_waiting)},
    {"gatepost_queue_messages", "gauge", "Outgoing messages that wait.", AT(queue_waiting)},
    {"gatepost_queue_oldest_seconds", "gauge", "For how long the oldest of them waits.",
     AT(queue_oldest_s)},
    {"gatepost_queue_sent_total", "counter", "Recipients whose mail was handed on.",
     AT(queue_sent)},
    {"gatepost_queue_deferred_total", "counter", "Attempts that are for later.",
     AT(queue_deferred)},
    {"gatepost_queue_failed_total", "counter", "Recipients that were refused or given up.",
     AT(queue_failed)},
    {"gatepost_disk_bytes", "gauge", "Size of the file system that holds the store.",
     AT(disk_bytes)},
    {"gatepost_disk_free_bytes", "gauge", "What is free of it.", AT(disk_free_bytes)},
    {"process_resident_memory_bytes", "gauge", "Resident memory.", AT(resident_bytes)},
    {"process_open_fds", "gauge", "Open files.", AT(open_files)},
    {"process_max_fds", "gauge", "Files that may be open.", AT(max_files)},
};

static const struct scalar store_scalars[] = {
    {"gatepost_store_file_bytes", "gauge", "Size of the store's file.", AT(store_stats.file_bytes)},
    {"gatepost_store_used_bytes", "gauge", "Bytes of it in use.", AT(store_stats.used_bytes)},
    {"gatepost_store_free_bytes", "gauge", "Bytes of free pages.", AT(store_stats.free_bytes)},
    {"gatepost_store_partitions", "gauge", "Mailboxes, and one more.", AT(store_stats.partitions)},
    {"gatepost_store_blobs", "gauge", "Distinct messages.", AT(store_stats.blobs)},
    {"gatepost_store_blob_bytes", "gauge", "Bytes of them.", AT(store_stats.blob_bytes)},
    {"gatepost_store_dead_blobs", "gauge", "Of no mailbox any more, not swept yet.",
     AT(store_stats.dead_blobs)},
    {"gatepost_store_commits_total", "counter", "Commits.", AT(store_stats.commits)},
    {"gatepost_store_batches_total", "counter", "Changes in them.", AT(store_stats.batches)},
    {"gatepost_store_readers", "gauge", "Snapshots that are open.", AT(store_stats.readers)},
};

static void put_scalars(const struct ops_figures *f, const struct scalar *rows, size_t n,
                        struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        put_head(out, rows[i].name, rows[i].type, rows[i].help);
        buf_puts(out, rows[i].name);
        put_value(out, *(const uint64_t *)((const char *)f + rows[i].at));
    }
}

static void put_number(struct buf *out, const char *name, const char *help, uint64_t value)
{
    put_head(out, name, "gauge", help);
    buf_puts(out, name);
    put_value(out, value);
}

static void put_state(const struct ops_figures *f, struct buf *out)
{
    put_head(out, "gatepost_info", "gauge", "The program.");
    put_label(out, "gatepost_info{", "version", GATEPOST_VERSION);
    buf_puts(out, "} 1\n");
    put_number(out, "gatepost_healthy", "Whether /health says so.", ops_is_healthy(f));
    put_number(out, "gatepost_draining", "Whether the server is stopping.", f->draining);
    put_number(out, "gatepost_workers", "Worker threads.", f->workers);
    put_number(out, "gatepost_workers_answering", "Those that answered in time.", f->answering);
    put_number(out, "gatepost_store_writable", "Whether new mail can be stored.",
               !failed(f->store));
    put_number(out, "process_start_time_seconds", "When it started, Unix time.",
               (uint64_t)f->started_unix);
    put_head(out, "process_cpu_seconds_total", "counter", "Processor time, user and system.");
    buf_puts(out, "process_cpu_seconds_total ");
    put_seconds(out, f->cpu_us, 1000000);
    buf_putc(out, '\n');
}

static void put_disagreement(const struct ops_figures *f, struct buf *out)
{
    if (failed(f->differing_known))
        return;
    put_head(out, "gatepost_users_differing", "gauge",
             "Users whom in the last day one protocol refused last and another let in.");
    for (unsigned r = 0; r < AUTH_REASON_COUNT; r++) {
        if (r == AUTH_OK || !ops_is_attempt((enum auth_reason)r))
            continue;
        put_label(out, "gatepost_users_differing{", "stage",
                  auth_stage_name(auth_reason_stage((enum auth_reason)r)));
        put_label(out, ",", "reason", auth_reason_name((enum auth_reason)r));
        buf_putc(out, '}');
        put_value(out, f->differing_by[r]);
    }
}

static void put_throttled(const struct ops_figures *f, struct buf *out)
{
    const struct {
        const char *kind;
        uint64_t n;
    } kinds[] = {{"address", f->throttled_addresses},
                 {"pair", f->throttled_pairs},
                 {"name", f->attacked_names}};

    put_head(out, "gatepost_throttled", "gauge",
             "Addresses that must wait, names for which an address must wait, names under attack.");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        put_label(out, "gatepost_throttled{", "kind", kinds[i].kind);
        buf_putc(out, '}');
        put_value(out, kinds[i].n);
    }
}

static void put_certificates(const struct ops_figures *f, struct buf *out)
{
    put_head(out, "gatepost_certificate_expiry_timestamp_seconds", "gauge",
             "When the first certificate of a listener ends, Unix time.");
    for (size_t i = 0; i < f->n_certificates; i++) {
        put_label(out, "gatepost_certificate_expiry_timestamp_seconds{", "listener",
                  f->certificates[i].listener);
        buf_printf(out, "} %lld\n", (long long)f->certificates[i].ends_unix);
    }
}

static void put_store(const struct ops_figures *f, struct buf *out)
{
    if (failed(f->stats))
        return;
    put_scalars(f, store_scalars, sizeof store_scalars / sizeof *store_scalars, out);
    put_head(out, "gatepost_store_oldest_reader_seconds", "gauge", "Age of the oldest snapshot.");
    buf_puts(out, "gatepost_store_oldest_reader_seconds ");
    put_seconds(out, f->store_stats.oldest_read_ms, 1000);
    buf_putc(out, '\n');
}

/* ---- connections ---- */

static const struct crowd_metric {
    const char *name, *help;
    size_t at;
} crowd_metrics[] = {
    {"gatepost_connections", "Connections now.", offsetof(struct ops_crowd, connections)},
    {"gatepost_connections_logged_on", "Those of them that are logged on.",
     offsetof(struct ops_crowd, logged_on)},
};

static void put_crowds(const struct ops_figures *f, struct buf *out)
{
    for (size_t m = 0; m < sizeof crowd_metrics / sizeof *crowd_metrics; m++) {
        const struct crowd_metric *metric = &crowd_metrics[m];

        put_head(out, metric->name, "gauge", metric->help);
        for (size_t i = 0; i < f->n_crowds; i++) {
            const struct ops_crowd *c = &f->crowds[i];

            buf_puts(out, metric->name);
            put_label(out, "{", "protocol", c->protocol);
            put_label(out, ",", "listener", c->listener);
            put_label(out, ",", "tls", c->tls);
            buf_putc(out, '}');
            put_value(out, *(const uint64_t *)((const char *)c + metric->at));
        }
    }
}

/* ---- traffic ---- */

static const struct traffic_metric {
    const char *name, *help;
    size_t at;
} traffic_metrics[] = {
    {"gatepost_connections_closed_total", "Connections that have ended.",
     offsetof(struct ops_traffic, closed)},
    {"gatepost_received_bytes_total", "Bytes received, on the wire.",
     offsetof(struct ops_traffic, bytes_in)},
    {"gatepost_sent_bytes_total", "Bytes sent, on the wire.",
     offsetof(struct ops_traffic, bytes_out)},
    {"gatepost_commands_total", "Commands and requests.", offsetof(struct ops_traffic, commands)},
    {"gatepost_messages_delivered_total", "Messages stored: LMTP's deliveries, APPENDs.",
     offsetof(struct ops_traffic, delivered)},
    {"gatepost_messages_fetched_total", "Messages whose content was read.",
     offsetof(struct ops_traffic, fetched)},
    {"gatepost_messages_fetched_bytes_total", "Bytes of those.",
     offsetof(struct ops_traffic, fetched_bytes)},
    {"gatepost_messages_flagged_total", "Messages whose flags were changed.",
     offsetof(struct ops_traffic, flagged)},
    {"gatepost_messages_expunged_total", "Messages removed.",
     offsetof(struct ops_traffic, expunged)},
};

static void put_traffic(const struct ops_figures *f, struct buf *out)
{
    for (size_t m = 0; m < sizeof traffic_metrics / sizeof *traffic_metrics; m++) {
        const struct traffic_metric *metric = &traffic_metrics[m];

        put_head(out, metric->name, "counter", metric->help);
        for (size_t i = 0; i < f->n_traffic; i++) {
            buf_puts(out, metric->name);
            put_label(out, "{", "protocol", f->traffic[i].protocol);
            buf_putc(out, '}');
            put_value(out, *(const uint64_t *)((const char *)&f->traffic[i] + metric->at));
        }
    }
}

/* ---- log-ons ---- */

static void put_logons(const struct ops_figures *f, struct buf *out)
{
    put_head(out, "gatepost_logons_total", "counter",
             "Verdicts on log-ons, and events after them.");
    for (size_t i = 0; i < f->n_logons; i++) {
        const struct ops_logons *l = &f->logons[i];

        put_label(out, "gatepost_logons_total{", "protocol", l->protocol);
        put_label(out, ",", "mechanism", l->mechanism);
        put_label(out, ",", "stage", auth_stage_name(auth_reason_stage(l->reason)));
        put_label(out, ",", "reason", auth_reason_name(l->reason));
        put_label(out, ",", "verdict", l->reason == AUTH_OK ? "ok" : "refused");
        buf_putc(out, '}');
        put_value(out, l->n);
    }
}

static void put_bucket(struct buf *out, const char *protocol, uint64_t bound_us, uint64_t n)
{
    put_label(out, "gatepost_logon_seconds_bucket{", "protocol", protocol);
    buf_puts(out, ",le=\"");
    if (bound_us)
        put_seconds(out, bound_us, 1000000);
    else
        buf_puts(out, "+Inf");
    buf_puts(out, "\"}");
    put_value(out, n);
}

static void put_latency(const struct ops_latency *l, struct buf *out)
{
    static const uint64_t bounds[OPS_LATENCY_BUCKETS] = OPS_LATENCY_BOUNDS; /* the last: 0 */
    uint64_t n = 0;

    for (size_t i = 0; i < OPS_LATENCY_BUCKETS; i++)
        put_bucket(out, l->protocol, bounds[i], n += l->buckets[i]);
    put_label(out, "gatepost_logon_seconds_sum{", "protocol", l->protocol);
    buf_puts(out, "} ");
    put_seconds(out, l->sum_us, 1000000);
    put_label(out, "\ngatepost_logon_seconds_count{", "protocol", l->protocol);
    buf_putc(out, '}');
    put_value(out, n);
}

void ops_put_metrics(const struct ops_figures *f, struct buf *out)
{
    put_state(f, out);
    put_scalars(f, scalars, sizeof scalars / sizeof *scalars, out);
    put_store(f, out);
    put_crowds(f, out);
    put_traffic(f, out);
    put_logons(f, out);
    put_disagreement(f, out);
    put_throttled(f, out);
    put_certificates(f, out);
    put_head(out, "gatepost_logon_seconds", "histogram",
             "Time that a log-on took the server, with its queue.");
    for (size_t i = 0; i < f->n_latencies; i++)
        put_latency(&f->latencies[i], out);
}
