/* ops_int.h - what the files of this folder share. */
#ifndef GATEPOST_PROTOCOLS_OPS_OPS_INT_H
#define GATEPOST_PROTOCOLS_OPS_OPS_INT_H

#include "protocols/http/http.h"
#include "protocols/ops/ops.h"

/* What comes after a good verdict is no attempt of its own, nor is a connection without one. */
static inline bool ops_is_attempt(enum auth_reason reason)
{
    return reason != AUTH_TOO_MANY && reason != AUTH_NO_MAILBOX && reason != AUTH_LOST;
}

extern const struct http_handler ops_watch_handler;

#endif
