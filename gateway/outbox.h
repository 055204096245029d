/*
 * outbox.h - what becomes of a message in its sender's mailbox while it waits, and when it is sent.
 *
 * Everything here opens the mailbox, waits for the store and may be done again: who was killed in
 * the middle begins anew.
 *
 * Threads    Any but a worker.
 */
#ifndef GATEPOST_GATEWAY_OUTBOX_H
#define GATEPOST_GATEWAY_OUTBOX_H

#include "store/queue.h"

/* Is the message still where it was when it was submitted? Who moves or deletes it takes it back.
 */
struct err outbox_has(struct store *store, const struct queue_entry *entry, bool *has) MUST_USE;

/* mfSubmitted of PidTagMessageFlags ([MS-OXOMSG] 3.2.5.1), on or off. */
struct err outbox_mark(struct store *store, const struct queue_entry *entry, bool on) MUST_USE;

/*
 * It was sent: read, no draft and not submitted any more, it goes to the folder `to` (Sent Items,
 * where that is gone), or away for good where that is 0. Nothing happens to what is not there.
 */
struct err outbox_file(struct store *store, const struct queue_entry *entry) MUST_USE;

#endif
