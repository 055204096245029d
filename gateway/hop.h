/*
 * hop.h - the next hop: a mail server that takes what this one cannot deliver itself.
 *
 * A connection for each message, blocking, over TCP or a Unix socket, with TLS by OpenSSL: the
 * certificate is verified against the system's authorities (SSL_CERT_FILE names others) and the
 * name of the host.
 *
 * Threads    A hop is immutable; hop_send() runs on any thread, and waits.
 */
#ifndef GATEPOST_GATEWAY_HOP_H
#define GATEPOST_GATEWAY_HOP_H

#include "base/err.h"
#include "protocols/smtp/smtp.h"

enum hop_tls { HOP_CLEAR, HOP_STARTTLS };

struct hop_config {
    const char *url; /* smtp://host:port, smtps://host:port, lmtp://host:port or lmtp:///path */
    enum hop_tls tls;
    const char *user, *password; /* NULL: no authentication */
    const char *host_name;       /* what we call ourselves */
    uint64_t timeout_ms;         /* for an answer; to the message itself twice as long */
};

struct hop;

/* Can this be the URL of a next hop? What is wrong with it, or NULL. */
const char *hop_check(const char *url);

/* `config` is copied. ERR_INVALID: see hop_check(). ERR_UNAVAILABLE: TLS cannot be had. */
struct err hop_new(const struct hop_config *config, struct hop **out) MUST_USE;
void hop_free(struct hop *hop);

/* Is what it takes delivered then (LMTP), not handed on? */
bool hop_delivers(const struct hop *hop);

/*
 * Hand a mail on: every recipient has its result when it returns. `stop` is a descriptor: when
 * it can be read, what was not handed over is broken off, and one whose answer is awaited has ten
 * seconds more.
 */
void hop_send(const struct hop *hop, struct smtp_mail *mail, int stop);

#endif
