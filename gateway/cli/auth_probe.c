/*
 * auth_probe.c - gatepost auth probe USER: logs on for real, over every listener and by every
 * mechanism, with one secret, and prints what came of it side by side.
 *
 * What the client is told comes from the wire; the stage and the reason come from the daemon's
 * records, found by the port that the connection came from.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "gateway/audit_kind.h"
#include "gateway/cli/auth_ways.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/probe_sasl.h"
#include "gateway/cli/probe_wire.h"
#include "gateway/cli/secret.h"
#include "gateway/config.h"
#include "gateway/control.h"

enum { MESSAGE_MOST = 64 * 1024, ANSWER_MOST = 300, RECORD_TRIES = 60, RECORD_WAIT_US = 50000 };

/* What came of one way. */
struct probed {
    const struct auth_way *way;
    bool let_in;
    char answer[ANSWER_MOST]; /* the server's last line, or why there is none */
    unsigned port;
    uint64_t time;
    bool recorded;
    enum auth_reason reason;
};

struct probe {
    const char *instance; /* of our daemon; NULL: there is none */
    const char *name;
    struct slice secret;
    struct probe_wire wire;
    struct probed *result;
    bool imap;
};

/* ---- lines of the two protocols ---- */

enum said { SAID_YES, SAID_NO, SAID_MORE, SAID_NOTHING };

static void keep_answer(struct probed *to, struct slice line)
{
    snprintf(to->answer, sizeof to->answer, "%.*s", SLICE_ARG(line));
}

/* The server's next word; what it said behind "+ " is in *rest. */
static enum said hear(struct probe *p, struct slice *rest)
{
    struct slice line;

    while (probe_line(&p->wire, &line)) {
        keep_answer(p->result, line);
        if (p->imap && slice_starts(line, S("* ")))
            continue;
        if (line.len && line.ptr[0] == '+' && !slice_starts(line, S("+OK"))) {
            *rest = slice_from(line, 2);
            return SAID_MORE;
        }
        return slice_starts(line, p->imap ? S("a OK") : S("+OK")) ? SAID_YES : SAID_NO;
    }
    keep_answer(p->result, slice_str(p->wire.why));
    return SAID_NOTHING;
}

static bool say(struct probe *p, const struct slice *parts, size_t n)
{
    struct buf line = buf_make(MESSAGE_MOST);

    for (size_t i = 0; i < n; i++)
        buf_put(&line, parts[i]);
    buf_puts(&line, "\r\n");
    bool sent = !line.failed && probe_send(&p->wire, buf_slice(&line));
    buf_wipe(&line);
    return sent;
}

static enum said command(struct probe *p, const char *words)
{
    const struct slice parts[] = {p->imap ? S("a ") : S(""), slice_str(words)};
    struct slice rest;

    return say(p, parts, 2) ? hear(p, &rest) : SAID_NOTHING;
}

/* ---- ways to give the secret ---- */

static enum said user_pass(struct probe *p)
{
    const struct slice user[] = {S("USER "), slice_str(p->name)}, pass[] = {S("PASS "), p->secret};
    struct slice rest;

    if (!say(p, user, 2) || hear(p, &rest) != SAID_YES)
        return SAID_NO;
    return say(p, pass, 2) ? hear(p, &rest) : SAID_NOTHING;
}

/* Literals take every byte as it is (RFC 7888). */
static enum said login(struct probe *p)
{
    char first[64], second[64];
    struct slice name = slice_str(p->name), rest;

    snprintf(first, sizeof first, "a LOGIN {%zu+}\r\n", name.len);
    snprintf(second, sizeof second, " {%zu+}\r\n", p->secret.len);
    const struct slice parts[] = {slice_str(first), name, slice_str(second), p->secret};
    return say(p, parts, 4) ? hear(p, &rest) : SAID_NOTHING;
}

static bool answer_challenge(struct probe *p, struct probe_sasl *sasl, struct slice coded)
{
    struct buf challenge = buf_make(MESSAGE_MOST), message = buf_make(MESSAGE_MOST);
    struct buf line = buf_make(2 * MESSAGE_MOST);
    struct err e = base64_decode(coded, &challenge)
                       ? probe_sasl_step(sasl, buf_slice(&challenge), &message)
                       : ERR(ERR_SYNTAX, "the server's challenge is not base64");

    if (failed(e)) {
        keep_answer(p->result, slice_str(e.why));
        buf_puts(&line, "*"); /* cancels */
    } else {
        base64_encode(buf_slice(&message), &line);
    }
    const struct slice part = buf_slice(&line);
    bool sent = say(p, &part, 1) && !failed(e);
    buf_wipe(&message);
    buf_wipe(&line);
    buf_done(&challenge);
    return sent;
}

static enum said exchange(struct probe *p, struct probe_sasl *sasl)
{
    const struct slice parts[] = {p->imap ? S("a AUTHENTICATE ") : S("AUTH "),
                                  slice_str(p->result->way->mechanism)};
    struct slice rest;
    enum said said;

    if (!say(p, parts, 2))
        return SAID_NOTHING;
    while ((said = hear(p, &rest)) == SAID_MORE)
        if (!answer_challenge(p, sasl, rest))
            return SAID_NO;
    return said;
}

static enum said by_sasl(struct probe *p)
{
    const char *mechanism = p->result->way->mechanism;
    struct buf binding = buf_make(1024);
    struct probe_credentials c = {.name = p->name, .secret = p->secret};
    struct probe_sasl *sasl;
    enum said said = SAID_NOTHING;

    if (slice_ends(slice_str(mechanism), S("-PLUS"))) {
        if (!probe_binding(&p->wire, &c.binding_type, &binding))
            keep_answer(p->result, S("there is nothing to bind the channel with"));
        c.binding = buf_slice(&binding);
    }
    struct err e = probe_sasl_new(p->imap ? "imap" : "pop", mechanism, &c, &sasl);
    if (failed(e)) {
        keep_answer(p->result, slice_str(e.why));
    } else {
        said = exchange(p, sasl);
        probe_sasl_free(sasl);
    }
    buf_wipe(&binding);
    return said;
}

/* ---- one way ---- */

/* Another daemon may own the port, or a part of it: the secret is not for it. */
static bool is_ours(struct probe *p, struct slice greeting)
{
    char end[32];

    snprintf(end, sizeof end, "(%s)", p->instance ? p->instance : "");
    if (p->instance && slice_ends(greeting, slice_str(end)))
        return true;
    p->wire.why = "another server answers here than the one that serves this store";
    return false;
}

/*
 * HTTP greets nobody, so it is asked first, without the secret: the head of any answer says which
 * daemon gave it.
 */
static bool http_is_ours(struct probe *p)
{
    struct slice line, server = SLICE_EMPTY;
    struct arena arena = ARENA_INIT;

    if (!probe_connect(&p->wire, p->result->way->listener) ||
        !probe_send(&p->wire, S("OPTIONS /mapi/emsmdb/ HTTP/1.1\r\nHost: localhost\r\n\r\n")))
        return false;
    while (probe_line(&p->wire, &line) && line.len)
        if (slice_istarts(line, S("Server:")))
            server = arena_slice(&arena, line);
    bool ours = !p->wire.why && is_ours(p, server);
    arena_done(&arena);
    return ours;
}

/* Basic (RFC 7617), with a PING, which needs no session ([MS-OXCMAPIHTTP] 2.2.6). */
static bool by_http(struct probe *p)
{
    struct buf pair = buf_make(MESSAGE_MOST), rq = buf_make(2 * MESSAGE_MOST);
    struct slice line;

    if (!http_is_ours(p))
        return false;
    buf_printf(&pair, "%s:", p->name);
    buf_put(&pair, p->secret);
    buf_puts(&rq, "POST /mapi/emsmdb/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                  "Content-Type: application/mapi-http\r\nContent-Length: 0\r\n"
                  "X-RequestType: PING\r\n"
                  "X-RequestId: {5F0A4F7E-6C0B-4E0C-9C0E-8E7D4C7A6B52}:1\r\n"
                  "Authorization: Basic ");
    base64_encode(buf_slice(&pair), &rq);
    buf_puts(&rq, "\r\n\r\n");
    bool heard = probe_send(&p->wire, buf_slice(&rq)) && probe_line(&p->wire, &line);
    buf_wipe(&pair);
    buf_wipe(&rq);
    if (heard)
        keep_answer(p->result, line);
    return heard && slice_starts(line, S("HTTP/1.1 200 "));
}

static bool greet_and_secure(struct probe *p)
{
    const struct auth_way *way = p->result->way;
    struct slice line;

    if (!probe_connect(&p->wire, way->listener) || !probe_line(&p->wire, &line))
        return false;
    keep_answer(p->result, line);
    if (!slice_starts(line, p->imap ? S("* OK") : S("+OK")))
        return false;
    if (!is_ours(p, line))
        return false;
    if (!way->tls || way->listener->tls_mode == NET_TLS_IMPLICIT)
        return true;
    return command(p, p->imap ? "STARTTLS" : "STLS") == SAID_YES && probe_start_tls(&p->wire);
}

static enum said give_secret(struct probe *p)
{
    const char *name = p->result->way->name;

    if (strcmp(name, AUTH_WAY_USER) == 0)
        return user_pass(p);
    return strcmp(name, AUTH_WAY_LOGIN) == 0 ? login(p) : by_sasl(p);
}

/* What it says to that is not the answer that was asked for. */
static void say_goodbye(struct probe *p)
{
    char kept[ANSWER_MOST];

    memcpy(kept, p->result->answer, sizeof kept);
    (void)command(p, p->imap ? "LOGOUT" : "QUIT");
    memcpy(p->result->answer, kept, sizeof kept);
}

static void probe_way(struct probe *p, struct probed *result)
{
    bool http = strcmp(result->way->name, AUTH_WAY_BASIC) == 0;

    p->result = result;
    p->imap = result->way->listener->protocol->id == AUTH_IMAP;
    result->time = clock_now().wall;
    if (http)
        result->let_in = by_http(p);
    else if (greet_and_secure(p))
        result->let_in = give_secret(p) == SAID_YES;
    if (p->wire.why)
        keep_answer(result, slice_str(p->wire.why));
    result->port = p->wire.local_port;
    if (result->let_in && !http)
        say_goodbye(p);
    probe_close(&p->wire);
}

/* ---- what the daemon recorded ---- */

struct search {
    struct probed *results;
    size_t n, found;
    uint64_t newest; /* time of the last record that was read */
};

/* Ports are used again: the listener and the time tell whose record it is. */
static bool is_of(const struct probed *r, uint64_t time, const json_t *record)
{
    return !r->recorded && r->port == json_integer_value(json_object_get(record, "client_port")) &&
           slice_eq(audit_member(record, "listener"), slice_str(r->way->listener->name)) &&
           time + FILETIME_SECOND / 1000 > r->time;
}

static bool each_record(void *ctx, struct audit_place at, struct slice line)
{
    struct search *s = ctx;
    json_t *record = json_loadb((const char *)line.ptr, line.len, 0, NULL);
    enum auth_reason r;

    s->newest = at.time;
    if (audit_reason_of(audit_member(record, "reason"), &r))
        for (size_t i = 0; i < s->n; i++)
            if (is_of(&s->results[i], at.time, record)) {
                s->results[i].recorded = true;
                s->results[i].reason = r;
                s->found++;
                break;
            }
    json_decref(record);
    return true;
}

/*
 * The store's copy of the records comes a little later than the answers. Each try goes on where the
 * last one ended, but for a second: two threads' records may come in another order than their
 * times.
 */
static struct err find_records(struct store *store, struct probed *results, size_t n)
{
    struct search s = {.results = results, .n = n};
    struct audit *audit;
    struct err e = audit_open(store_engine(store), &audit);

    if (failed(e))
        return e;
    s.newest = n ? results[0].time : 0;
    for (unsigned tries = 0; tries < RECORD_TRIES && s.found < n && !failed(e); tries++) {
        if (tries)
            usleep(RECORD_WAIT_US);
        e = audit_query(audit, s.newest - FILETIME_SECOND, UINT64_MAX, SLICE_EMPTY, each_record,
                        &s);
    }
    audit_close(audit);
    return e;
}

/* ---- telling ---- */

static const char *recorded_outcome(const struct probed *r, struct arena *in)
{
    return r->recorded ? auth_way_outcome(r->reason, in) : "-";
}

static void print_results(const struct probed *results, size_t n, struct arena *in)
{
    printf("%-12s %-8s %-22s %-14s %-20s %-4s %-26s %s\n", "listener", "protocol", "address", "TLS",
           "mechanism", "in", "recorded", "answer");
    for (size_t i = 0; i < n; i++) {
        const struct probed *r = &results[i];
        const struct auth_way *w = r->way;

        printf("%-12s %-8s %-22s %-14s %-20s %-4s %-26s %s\n", w->listener->name,
               w->listener->protocol->name, auth_way_place(w, in), auth_way_tls(w), w->name,
               r->let_in ? "yes" : "NO", recorded_outcome(r, in), r->answer);
    }
}

static void dump_results(const struct probed *results, size_t n, struct arena *in)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        const struct probed *r = &results[i];
        json_t *json = auth_way_json(r->way, in);

        json_object_set_new(json, "ok", json_boolean(r->let_in));
        json_object_set_new(json, "reason",
                            r->recorded ? json_string(auth_reason_name(r->reason)) : json_null());
        json_object_set_new(json, "answer", json_string(r->answer));
        json_array_append_new(list, json);
    }
    cli_put_json(list);
}

static int tell(const struct cli *cli, const struct probed *results, size_t n, struct arena *in)
{
    size_t refused = 0;

    for (size_t i = 0; i < n; i++)
        refused += !results[i].let_in;
    if (cli->json)
        dump_results(results, n, in);
    else
        print_results(results, n, in);
    if (refused)
        return cli_fail(cli, "refused on %zu of %zu ways", refused, n);
    return CLI_OK;
}

/* ---- all of it ---- */

static struct err probe_all(const char *instance, const struct auth_ways *ways, const char *name,
                            struct slice secret, struct probed *results)
{
    struct probe p = {.instance = instance, .name = name, .secret = secret};
    struct err e = probe_sasl_start();

    if (failed(e))
        return e;
    for (size_t i = 0; i < ways->n; i++) {
        results[i].way = &ways->items[i];
        probe_way(&p, &results[i]);
    }
    probe_sasl_stop();
    return OK;
}

/* NULL: no daemon serves the store. */
static const char *find_instance(const char *dir, struct arena *in)
{
    json_t *question = json_pack("{ss}", "do", "instance"), *answer = NULL;
    const char *instance = NULL;

    if (!failed(control_ask(dir, question, &answer)) && audit_member(answer, "instance").len)
        instance = arena_str(in, audit_member(answer, "instance"));
    json_decref(question);
    json_decref(answer);
    return instance;
}

/* Not what operators see: it may let anybody in who is near, whatever the secret is. Nor what takes
 * a certificate, for only the secret is known. */
static void keep_spoken(struct auth_ways *ways)
{
    size_t n = 0;

    for (size_t i = 0; i < ways->n; i++)
        if (ways->items[i].listener->protocol->id != AUTH_OPS &&
            strcmp(ways->items[i].name, "EXTERNAL") != 0)
            ways->items[n++] = ways->items[i];
    ways->n = n;
}

static int probe(const struct cli *cli, struct cli_world *world, struct auth *auth,
                 struct arena *in)
{
    struct buf secret = buf_make(AUTH_MAX_SECRET);
    struct auth_account account;
    struct auth_ways ways;
    int status = CLI_FAILED;

    if (!cli_resolve(cli, auth, cli->operands[0], in, &account) || !cli_ask_secret(cli, &secret))
        return CLI_FAILED;
    signal(SIGPIPE, SIG_IGN);
    auth_ways_list(auth, &(struct auth_question){.account = &account}, &world->config->net, in,
                   &ways);
    keep_spoken(&ways);
    struct probed *results = arena_array(in, ways.n, sizeof *results);
    struct err e = probe_all(find_instance(world->config->store.dir, in), &ways, cli->operands[0],
                             buf_slice(&secret), results);
    if (!failed(e))
        e = find_records(world->store, results, ways.n);
    buf_wipe(&secret);
    status = failed(e) ? cli_fail_err(cli, "probing", e) : tell(cli, results, ways.n, in);
    return status;
}

int cli_auth_probe(struct cli *cli)
{
    return cli_with_auth(cli, probe);
}
