/*
 * delivery.h - mail of our own into mailboxes of our own: what is sent without a next hop, and
 * reports to those who sent.
 *
 * An address means whom it means to the LMTP server: auth_resolve_recipient(), by way of the
 * directory. What is put into a mailbox is put once, however often it is tried: each delivery has
 * an id of its own, made of the entry in the queue.
 *
 * Threads    Any but a worker: everything waits.
 */
#ifndef GATEPOST_GATEWAY_DELIVERY_H
#define GATEPOST_GATEWAY_DELIVERY_H

#include "protocols/mapi/mapi.h"
#include "protocols/smtp/smtp.h"

struct delivery {
    struct store *store;
    struct mapi_directory *directory;
    const char *host_name; /* in the trace */
};

/* Every recipient gets its result, as from a next hop. `id` names the mail for ever. */
void delivery_send(const struct delivery *delivery, uint64_t id, struct smtp_mail *mail);

/*
 * Put `bytes` into the Inbox of a mailbox, which exists. `what` tells apart what has the same id.
 */
struct err delivery_put(const struct delivery *delivery, uint64_t id, const char *what,
                        uint64_t mailbox_id, struct slice bytes) MUST_USE;

#endif
