/* tls_int.h - between tls_context.c and tls_stream.c. */
#ifndef GATEPOST_GATEWAY_NET_TLS_INT_H
#define GATEPOST_GATEWAY_NET_TLS_INT_H

#include "gateway/net/tls.h"

#include <openssl/ssl.h>

/* The context that a client gets before it names a host. */
SSL_CTX *net_tls_default(const struct net_tls *tls);

#endif
