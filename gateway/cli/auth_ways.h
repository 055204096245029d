/*
 * auth_ways.h - every way in which a name and a secret can be given: each listener, in clear and
 * under TLS, each mechanism that is offered there, and each command that is PLAIN by another name.
 *
 * Threads    One.
 * Ownership  The list lives in the arena; what it points to is the configuration's, or static.
 */
#ifndef GATEPOST_GATEWAY_CLI_AUTH_WAYS_H
#define GATEPOST_GATEWAY_CLI_AUTH_WAYS_H

#include <jansson.h>

#include "base/arena.h"
#include "gateway/net/net.h"

/* The commands, as ways call them. */
#define AUTH_WAY_USER "USER/PASS"
#define AUTH_WAY_LOGIN "LOGIN command"
#define AUTH_WAY_BASIC "Basic"

struct auth_way {
    const struct net_listener_config *listener;
    bool tls;
    const char *name;        /* of the command or mechanism */
    const char *mechanism;   /* the same, or "PLAIN" for a command */
    enum auth_reason reason; /* what the right secret would get: see auth_explain() */
    const char *stage;       /* of the reason */
};

struct auth_ways {
    struct auth_way *items;
    size_t n;
};

void auth_ways_list(struct auth *auth, const struct auth_question *question,
                    const struct net_config *net, struct arena *in, struct auth_ways *out);

/* Where its listener is: "127.0.0.1:143", or the path of a socket. */
const char *auth_way_place(const struct auth_way *way, struct arena *in);
/* "no", "yes", "after STARTTLS", "after STLS" */
const char *auth_way_tls(const struct auth_way *way);
/* "ok", or "policy/locked" */
const char *auth_way_outcome(enum auth_reason reason, struct arena *in);
/* Listener, protocol, address, TLS and mechanism, as an object. */
json_t *auth_way_json(const struct auth_way *way, struct arena *in);

#endif
