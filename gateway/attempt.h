/*
 * attempt.h - one attempt to hand a message of the queue on, and all that follows from it.
 *
 * What became of each recipient is committed first; then its sender's mailbox and the reports,
 * which can be done again without being done twice; then the entry goes, or waits for its next
 * time.
 *
 * Threads    Any but a worker: it waits for the next hop and for the store.
 */
#ifndef GATEPOST_GATEWAY_ATTEMPT_H
#define GATEPOST_GATEWAY_ATTEMPT_H

#include "base/log.h"
#include "gateway/delivery.h"
#include "gateway/hop.h"
#include "gateway/transport.h"
#include "store/queue.h"

/* How mail goes. */
struct attempt_way {
    struct hop *hop; /* NULL: into mailboxes of this store */
    struct delivery delivery;
    uint64_t retry_ms, give_up_ms;
    struct log *log;
    int stop; /* can be read: the server stops */
};

/* Has a recipient got it, or will never? Then it cannot be taken back. */
bool attempt_has_result(const struct queue_entry *entry);

/*
 * Try the entry. What was counted is added to `counts`. An error: not even that it failed could be
 * written down, so it is as due as it was.
 */
struct err attempt_run(const struct attempt_way *way, uint64_t id,
                       struct transport_counts *counts) MUST_USE;

#endif
