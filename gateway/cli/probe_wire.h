/*
 * probe_wire.h - a connection to one of our own listeners, line by line, as a client has it.
 *
 * Threads    One; every call waits, for ten seconds at most.
 * Errors     A function that fails has told why in `why`, which ends the connection's use.
 */
#ifndef GATEPOST_GATEWAY_CLI_PROBE_WIRE_H
#define GATEPOST_GATEWAY_CLI_PROBE_WIRE_H

#include <openssl/ssl.h>

#include "gateway/net/net.h"

struct probe_wire {
    const struct net_listener_config *listener;
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
    struct buf in;
    size_t used;         /* of `in`: the line that was given last */
    unsigned local_port; /* 0: a Unix socket */
    const char *why;
};

/*
 * Connect, on the loopback address where the listener has all addresses. The server's certificate
 * must be one of those that the configuration gives this listener: a secret is sent.
 */
bool probe_connect(struct probe_wire *w, const struct net_listener_config *listener);
bool probe_start_tls(struct probe_wire *w);
void probe_close(struct probe_wire *w);

/* Without its line end; until the next call. */
bool probe_line(struct probe_wire *w, struct slice *line);
bool probe_send(struct probe_wire *w, struct slice bytes);

/* Channel binding data of the connection, and their type (RFC 9266, RFC 5929 4). */
bool probe_binding(struct probe_wire *w, const char **type, struct buf *out);

#endif
