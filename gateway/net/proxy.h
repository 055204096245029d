/*
 * proxy.h - the header that a proxy in front of us sends first, versions 1 and 2 of the PROXY
 * protocol (HAProxy's doc/proxy-protocol.txt, sections 2.1 and 2.2).
 *
 * Threads    A pure function.
 */
#ifndef GATEPOST_GATEWAY_NET_PROXY_H
#define GATEPOST_GATEWAY_NET_PROXY_H

#include <sys/socket.h>

#include "base/slice.h"

/* No header is longer: version 2 has 16 bytes and at most these behind them that we would read. */
enum { PROXY_MAX = 16 + 2048 };

enum proxy_result {
    PROXY_MORE, /* so far it may become one */
    PROXY_BAD,  /* it is none */
    PROXY_OK,
};

struct proxy_header {
    size_t len; /* bytes of the input that it took */
    bool known; /* addresses were given; else (LOCAL, UNKNOWN) those of the connection count */
    struct sockaddr_storage remote, local;
};

/* Look at the first bytes of a connection. *out is filled with PROXY_OK only. */
enum proxy_result proxy_parse(struct slice in, struct proxy_header *out) MUST_USE;

#endif
