/*
 * probe_sasl.h - the client's side of a mechanism, by libsasl2's own client.
 *
 * Threads    One thread of the process: the library's client side is not to be trusted with more.
 */
#ifndef GATEPOST_GATEWAY_CLI_PROBE_SASL_H
#define GATEPOST_GATEWAY_CLI_PROBE_SASL_H

#include "base/buf.h"
#include "base/err.h"

/* Once in a process; probe_sasl_stop() it. */
struct err probe_sasl_start(void) MUST_USE;
void probe_sasl_stop(void);

struct probe_sasl;

struct probe_credentials {
    const char *name;
    struct slice secret;
    const char *binding_type; /* NULL: none */
    struct slice binding;
};

/* What `credentials` points to must live as long. ERR_UNSUPPORTED: no such mechanism. */
struct err probe_sasl_new(const char *service, const char *mechanism,
                          const struct probe_credentials *credentials,
                          struct probe_sasl **out) MUST_USE;
void probe_sasl_free(struct probe_sasl *sasl);

/*
 * The next message to the server, after its challenge (decoded). The first challenge of a mechanism
 * in which the client speaks first is empty. ERR_INVALID: the server's message is not right.
 */
struct err probe_sasl_step(struct probe_sasl *sasl, struct slice challenge,
                           struct buf *out) MUST_USE;

#endif
