/*
 * transport.h - the queue of outgoing mail at work: what MAPI clients send is handed to the next
 * hop, or put into Inboxes of this store where there is none.
 *
 * A message is in the queue (store/queue.h) before its client is told so. It is tried at once, then
 * after pauses that double (`retry`, at most four hours), until each recipient has it, has refused
 * it for good, or `give_up` has passed. What becomes of a recipient is durable before anything else
 * happens: who is killed between the next hop's answer and that, and nobody else, sends it twice.
 * As soon as somebody has it, or nobody will, the message is filed in its sender's mailbox; of what
 * failed he is told by a report.
 *
 * Threads    The face's ask() may be called on any thread. One thread of its own takes what is
 *            asked, four hand mail on.
 */
#ifndef GATEPOST_GATEWAY_TRANSPORT_H
#define GATEPOST_GATEWAY_TRANSPORT_H

#include "base/log.h"
#include "gateway/hop.h"
#include "protocols/mapi/mapi.h"

struct transport;

struct transport_config {
    struct hop_config hop; /* its url NULL: none; its host_name is that of every trace */
    uint64_t retry_ms;     /* the first pause */
    uint64_t give_up_ms;   /* after so long what still waits has failed */
};

/* All outlive it; `config` is copied. */
struct err transport_new(const struct transport_config *config, struct store *store,
                         struct mapi_directory *directory, struct log *log,
                         struct transport **out) MUST_USE;
struct mapi_transport *transport_face(struct transport *transport);

struct transport_counts { /* of recipients, since the start */
    uint64_t sent, deferred, failed;
};
void transport_count(struct transport *transport, struct transport_counts *out);

/* Somebody else changed the queue. */
void transport_wake(struct transport *transport);

/* Break off what is being sent, and answer it all. Before the executors stop. */
void transport_stop(struct transport *transport);
void transport_free(struct transport *transport);

#endif
