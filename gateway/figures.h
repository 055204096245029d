/*
 * figures.h - where the operators' figures come from: net, store, log-ons, audit, the process.
 *
 * A thread of its own gathers them when somebody asks, for it waits: for the workers to count
 * their connections, and for a commit that shows whether the store can be written. All who ask
 * meanwhile get the same ones. Nothing is counted for it on anybody's way but what is named in
 * logon_counters.h.
 */
#ifndef GATEPOST_GATEWAY_FIGURES_H
#define GATEPOST_GATEWAY_FIGURES_H

#include "gateway/audit_sink.h"
#include "gateway/logon_counters.h"
#include "gateway/net/net.h"
#include "gateway/tail.h"
#include "gateway/transport.h"

struct figures;

/* All of them outlive it. */
struct figures_parts {
    struct net_server *server;
    struct store *store;
    struct audit_sink *sink;
    struct logon_counters *logons;
    struct transport *transport;
    struct tail *tail;
    struct auth *auth;
    const char *directory; /* the store's; copied */
};

/* ERR_UNAVAILABLE: no thread. What the store says when it cannot be read. */
struct err figures_new(const struct figures_parts *parts, struct figures **out) MUST_USE;
struct ops_source *figures_source(struct figures *figures);

/* Answers those who still wait; the executors they wait on run until after it. */
void figures_free(struct figures *figures);

#endif
