/*
 * transport.h - where the mail goes that MAPI clients send: to the next hop, by SMTP (RFC 5321).
 *
 * Without a next hop mail for users of this store is put into their Inboxes, and other mail is
 * refused. Nothing is queued: what cannot be sent now, its sender is told at once.
 *
 * Threads    send() may be called on any thread. Mail is sent by threads of its own.
 */
#ifndef GATEPOST_GATEWAY_TRANSPORT_H
#define GATEPOST_GATEWAY_TRANSPORT_H

#include "base/log.h"
#include "protocols/mapi/mapi.h"

struct transport;

enum transport_tls { TRANSPORT_CLEAR, TRANSPORT_STARTTLS };

struct transport_config {
    const char *next_hop; /* smtp://host:port or smtps://host:port; NULL: none */
    enum transport_tls tls;
    const char *user, *password; /* NULL: no authentication */
    const char *host_name;       /* in the trace */
};

/* Can this be a next hop? What is wrong with it, or NULL. */
const char *transport_check(const char *next_hop);

/* All outlive it; `config` is copied. */
struct err transport_new(const struct transport_config *config, struct store *store,
                         struct mapi_directory *directory, struct log *log,
                         struct transport **out) MUST_USE;
struct mapi_transport *transport_face(struct transport *transport);

/* Break off what is being sent, and answer it all. Before the executors stop. */
void transport_stop(struct transport *transport);
void transport_free(struct transport *transport);

#endif
