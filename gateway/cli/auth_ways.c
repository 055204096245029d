#include "gateway/cli/auth_ways.h"

#include <stdio.h>

enum { MOST_MECHANISMS = 32, TEXT_MOST = 256 };

static const struct {
    enum auth_protocol protocol;
    const char *name;
} commands[] = {
    {AUTH_POP3, AUTH_WAY_USER},
    {AUTH_IMAP, AUTH_WAY_LOGIN},
    {AUTH_MAPI | AUTH_OPS, AUTH_WAY_BASIC},
};

struct listing {
    struct auth *auth;
    const struct auth_question *question;
    struct arena *in;
    struct auth_ways *out;
    size_t cap;
};

/* Under TLS there always is channel binding data (RFC 9266, or RFC 5929 4). */
static bool some_binding(void *ctx, struct slice type, struct buf *out)
{
    (void)ctx, (void)type;
    buf_puts(out, "data");
    return true;
}

static void add_way(struct listing *l, const struct net_listener_config *listener,
                    const struct auth_peer *peer, const char *name, const char *mechanism)
{
    enum auth_reason reason = auth_explain(l->auth, peer, mechanism, l->question);

    if (l->out->n == l->cap) {
        size_t more = l->cap ? l->cap : 32;

        l->out->items = arena_grow(l->in, l->out->items, l->out->n, more, sizeof *l->out->items);
        l->cap += more;
    }
    l->out->items[l->out->n++] = (struct auth_way){
        listener, peer->tls, name, mechanism, reason, auth_stage_name(auth_reason_stage(reason))};
}

/* SASL is POP3's and IMAP's; HTTP has schemes of its own. */
static bool has_sasl(const struct net_listener_config *listener)
{
    return (listener->protocol->id & (AUTH_POP3 | AUTH_IMAP)) != 0;
}

static void list_state(struct listing *l, const struct net_listener_config *listener, bool tls)
{
    const char *names[MOST_MECHANISMS];
    const struct auth_peer peer = {
        .protocol = listener->protocol->id,
        .listener = listener->name,
        .tls = tls,
        .plaintext_ok = listener->plaintext_ok,
        .mechanisms = listener->mechanisms,
        .binding = tls ? some_binding : NULL,
        /* The right certificate, as the right secret. */
        .certificate_name = tls && listener->tls->client_ca ? S("certificate") : SLICE_EMPTY,
    };

    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (commands[i].protocol & listener->protocol->id)
            add_way(l, listener, &peer, commands[i].name, "PLAIN");
    size_t n = has_sasl(listener) ? auth_mechanisms(l->auth, &peer, names, MOST_MECHANISMS) : 0;
    for (size_t i = 0; i < n; i++)
        add_way(l, listener, &peer, names[i], names[i]);
}

void auth_ways_list(struct auth *auth, const struct auth_question *question,
                    const struct net_config *net, struct arena *in, struct auth_ways *out)
{
    struct listing l = {.auth = auth, .question = question, .in = in, .out = out};

    *out = (struct auth_ways){NULL, 0};
    for (size_t i = 0; i < net->n_listeners; i++) {
        const struct net_listener_config *listener = &net->listeners[i];

        if (listener->protocol->id == AUTH_LMTP)
            continue; /* nobody logs on there */
        if (listener->tls_mode != NET_TLS_IMPLICIT)
            list_state(&l, listener, false);
        if (listener->tls_mode != NET_TLS_NONE)
            list_state(&l, listener, true);
    }
}

/* ---- telling ---- */

const char *auth_way_place(const struct auth_way *way, struct arena *in)
{
    const struct net_listener_config *l = way->listener;
    char text[TEXT_MOST];

    if (l->path)
        return l->path;
    snprintf(text, sizeof text, "%s:%u", l->address, l->port);
    return arena_str(in, slice_str(text));
}

const char *auth_way_tls(const struct auth_way *way)
{
    const struct net_listener_config *l = way->listener;

    if (!way->tls || l->tls_mode == NET_TLS_IMPLICIT)
        return way->tls ? "yes" : "no";
    return l->protocol->id == AUTH_POP3 ? "after STLS" : "after STARTTLS";
}

const char *auth_way_outcome(enum auth_reason reason, struct arena *in)
{
    char text[TEXT_MOST];

    if (reason == AUTH_OK)
        return "ok";
    snprintf(text, sizeof text, "%s/%s", auth_stage_name(auth_reason_stage(reason)),
             auth_reason_name(reason));
    return arena_str(in, slice_str(text));
}

json_t *auth_way_json(const struct auth_way *way, struct arena *in)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:s}", "listener", way->listener->name, "protocol",
                     way->listener->protocol->name, "address", auth_way_place(way, in), "tls",
                     (int)way->tls, "mechanism", way->name);
}
