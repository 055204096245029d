/*
 * page.c - the figures for people: one page without anything from outside, light or dark as the
 * reader has it, narrow enough for a phone.
 */
#include "protocols/markup.h"
#include "protocols/ops/ops.h"

static const char *const head_of_page =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"refresh\" content=\"15\">\n<title>Gatepost</title>\n<style>\n"
    ":root { color-scheme: light dark; --ink: #1b2430; --dim: #5a6675; --paper: #fbfbf9;"
    " --line: #d9dde2; --good: #176b3a; --bad: #a3231f; }\n"
    "@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --dim: #9aa6b4;"
    " --paper: #14181d; --line: #333b45; --good: #67c98f; --bad: #ff8b80; } }\n"
    "* { box-sizing: border-box; }\n"
    "body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 60rem; color: var(--ink);"
    " background: var(--paper); font: 16px/1.5 system-ui, sans-serif; }\n"
    "h1 { margin: 0; font-size: 1.5rem; }\nh2 { margin: 2rem 0 .5rem; font-size: 1.1rem; }\n"
    "p { margin: .25rem 0; color: var(--dim); }\n.good { color: var(--good); font-weight: 600; }\n"
    ".bad { color: var(--bad); font-weight: 600; }\n"
    ".wide { overflow-x: auto; }\n"
    "table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }\n"
    "th, td { padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line);"
    " text-align: right; white-space: nowrap; }\n"
    "th { color: var(--dim); font-weight: 500; }\n"
    "th:first-child, td:first-child { text-align: left; }\n</style>\n</head>\n<body>\n";

/* ---- pieces ---- */

static void put_text(struct buf *out, const char *text)
{
    for (; *text; text++) {
        const char *entity = markup_entity((uint8_t)*text);

        if (entity)
            buf_puts(out, entity);
        else
            buf_putc(out, (uint8_t)*text);
    }
}

/* 1234567 as 1,234,567. */
static void put_count(struct buf *out, uint64_t n)
{
    if (n >= 1000) {
        put_count(out, n / 1000);
        buf_printf(out, ",%03u", (unsigned)(n % 1000));
    } else {
        buf_printf(out, "%u", (unsigned)n);
    }
}

static void put_bytes(struct buf *out, uint64_t n)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0;
    uint64_t tenths = n * 10;

    for (; unit < 4 && tenths >= 10240; unit++)
        tenths /= 1024;
    if (unit == 0)
        buf_printf(out, "%u bytes", (unsigned)n);
    else
        buf_printf(out, "%u.%u %s", (unsigned)(tenths / 10), (unsigned)(tenths % 10), units[unit]);
}

static void put_duration(struct buf *out, int64_t seconds)
{
    if (seconds >= 86400)
        buf_printf(out, "%lld days ", (long long)(seconds / 86400));
    buf_printf(out, "%02d:%02d:%02d", (int)(seconds / 3600 % 24), (int)(seconds / 60 % 60),
               (int)(seconds % 60));
}

static void begin_table(struct buf *out, const char *title, const char *const *columns)
{
    buf_printf(out, "<h2>%s</h2>\n<div class=\"wide\"><table>\n<thead><tr>", title);
    for (; *columns; columns++)
        buf_printf(out, "<th scope=\"col\">%s</th>", *columns);
    buf_puts(out, "</tr></thead>\n<tbody>\n");
}

static void end_table(struct buf *out)
{
    buf_puts(out, "</tbody></table></div>\n");
}

static void put_name_cell(struct buf *out, const char *text)
{
    buf_puts(out, "<td>");
    put_text(out, text);
    buf_puts(out, "</td>");
}

static void put_count_cell(struct buf *out, uint64_t n)
{
    buf_puts(out, "<td>");
    put_count(out, n);
    buf_puts(out, "</td>");
}

static void put_bytes_cell(struct buf *out, uint64_t n)
{
    buf_puts(out, "<td>");
    put_bytes(out, n);
    buf_puts(out, "</td>");
}

/* ---- log-ons ---- */

static uint64_t count_logons(const struct ops_figures *f, const char *protocol, bool (*is)(int))
{
    uint64_t n = 0;

    for (size_t i = 0; i < f->n_logons; i++)
        if (strcmp(f->logons[i].protocol, protocol) == 0 && is((int)f->logons[i].reason))
            n += f->logons[i].n;
    return n;
}

/* What comes after a good verdict is no attempt of its own, nor is a connection without one. */
static bool is_attempt(int reason)
{
    return reason != AUTH_TOO_MANY && reason != AUTH_NO_MAILBOX && reason != AUTH_LOST;
}

static bool is_ok(int reason)
{
    return reason == AUTH_OK;
}

static bool is_lost(int reason)
{
    return reason == AUTH_LOST;
}

static bool is_wrong(int reason)
{
    enum auth_stage stage = auth_reason_stage((enum auth_reason)reason);

    return reason != AUTH_UNAVAILABLE && reason != AUTH_BUSY &&
           (stage == AUTH_STAGE_IDENTITY || stage == AUTH_STAGE_CREDENTIAL);
}

static bool is_policy(int reason)
{
    return auth_reason_stage((enum auth_reason)reason) == AUTH_STAGE_POLICY ||
           reason == AUTH_NEEDS_TLS;
}

static bool is_trouble(int reason)
{
    return reason == AUTH_UNAVAILABLE || reason == AUTH_BUSY || reason == AUTH_TOO_MANY ||
           reason == AUTH_NO_MAILBOX;
}

static bool is_protocol_fault(int reason)
{
    return is_attempt(reason) && !is_ok(reason) && !is_wrong(reason) && !is_policy(reason) &&
           !is_trouble(reason);
}

static void put_logons(const struct ops_figures *f, struct buf *out)
{
    static bool (*const kinds[])(int) = {is_attempt,        is_ok,      is_wrong, is_policy,
                                         is_protocol_fault, is_trouble, is_lost};

    begin_table(out, "Log-ons since the start",
                (const char *const[]){"Protocol", "Attempts", "Let in", "Wrong name or password",
                                      "Not allowed", "Malformed", "Our trouble", "Lost", NULL});
    for (size_t i = 0; i < f->n_latencies; i++) {
        buf_puts(out, "<tr>");
        put_name_cell(out, f->latencies[i].protocol);
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            put_count_cell(out, count_logons(f, f->latencies[i].protocol, kinds[k]));
        buf_puts(out, "</tr>\n");
    }
    end_table(out);
}

/* ---- the other tables ---- */

static void put_crowds(const struct ops_figures *f, struct buf *out)
{
    begin_table(
        out, "Connections now",
        (const char *const[]){"Listener", "Protocol", "TLS", "Connections", "Logged on", NULL});
    for (size_t i = 0; i < f->n_crowds; i++) {
        const struct ops_crowd *c = &f->crowds[i];

        buf_puts(out, "<tr>");
        put_name_cell(out, c->listener);
        put_name_cell(out, c->protocol);
        put_name_cell(out, c->tls);
        put_count_cell(out, c->connections);
        put_count_cell(out, c->logged_on);
        buf_puts(out, "</tr>\n");
    }
    end_table(out);
}

static void put_traffic(const struct ops_figures *f, struct buf *out)
{
    begin_table(out, "Work since the start",
                (const char *const[]){"Protocol", "Commands", "Delivered", "Read", "Removed",
                                      "Received", "Sent", NULL});
    for (size_t i = 0; i < f->n_traffic; i++) {
        const struct ops_traffic *t = &f->traffic[i];

        buf_puts(out, "<tr>");
        put_name_cell(out, t->protocol);
        put_count_cell(out, t->commands);
        put_count_cell(out, t->delivered);
        put_count_cell(out, t->fetched);
        put_count_cell(out, t->expunged);
        put_bytes_cell(out, t->bytes_in);
        put_bytes_cell(out, t->bytes_out);
        buf_puts(out, "</tr>\n");
    }
    end_table(out);
}

static void put_row(struct buf *out, const char *name, uint64_t n, bool bytes)
{
    buf_puts(out, "<tr>");
    put_name_cell(out, name);
    if (bytes)
        put_bytes_cell(out, n);
    else
        put_count_cell(out, n);
    buf_puts(out, "</tr>\n");
}

static void put_store(const struct ops_figures *f, struct buf *out)
{
    const struct engine_stats *s = &f->store_stats;

    begin_table(out, "Store and process", (const char *const[]){"What", "How much", NULL});
    if (!failed(f->stats)) {
        put_row(out, "Store, in use", s->used_bytes, true);
        put_row(out, "Store, free pages", s->free_bytes, true);
        put_row(out, "Distinct messages", s->blobs, false);
        put_row(out, "Commits", s->commits, false);
        put_row(out, "Changes in them", s->batches, false);
        put_row(out, "Oldest snapshot, ms", s->oldest_read_ms, false);
    }
    put_row(out, "Audit records lost", f->audit_file_lost + f->audit_store_lost, false);
    put_row(out, "Connections refused", f->refused, false);
    put_row(out, "TLS handshakes failed", f->tls_failures, false);
    put_row(out, "Memory", f->resident_bytes, true);
    put_row(out, "Processor, s", f->cpu_us / 1000000, false);
    put_row(out, "Open files", f->open_files, false);
    end_table(out);
}

/* ---- the page ---- */

static void put_state(const struct ops_figures *f, struct buf *out)
{
    if (ops_is_healthy(f)) {
        buf_puts(out, "<p class=\"good\">Ready.</p>\n");
        return;
    }
    if (f->draining)
        buf_puts(out, "<p class=\"bad\">The server is stopping.</p>\n");
    if (f->answering < f->workers)
        buf_printf(out, "<p class=\"bad\">%u of %u workers do not answer.</p>\n",
                   f->workers - f->answering, f->workers);
    if (failed(f->store))
        buf_printf(out, "<p class=\"bad\">New mail cannot be stored: %s.</p>\n",
                   err_sentence(f->store.code));
}

void ops_put_page(const struct ops_figures *f, const char *host_name, struct buf *out)
{
    buf_puts(out, head_of_page);
    buf_puts(out, "<h1>Gatepost on ");
    put_text(out, host_name);
    buf_puts(out, "</h1>\n");
    put_state(f, out);
    buf_printf(out, "<p>Version %s, up ", GATEPOST_VERSION);
    put_duration(out, f->now_unix - f->started_unix);
    buf_puts(out, ". This page renews itself.</p>\n");
    put_logons(f, out);
    put_crowds(f, out);
    put_traffic(f, out);
    put_store(f, out);
    buf_puts(out, "</body>\n</html>\n");
}
