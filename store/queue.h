/*
 * queue.h - mail that waits to be handed on: envelope, bytes, and what became of each recipient.
 *
 * Entries live in the system partition (store/system.h), for they are sent by one who knows no
 * mailbox in particular. Their bytes are a blob, shared with the message in its sender's mailbox
 * where the two are the same. An entry is durable when store_queue_add() returns, and whatever
 * happens to the daemon after that, it is there until store_queue_remove().
 *
 * Threads    Any, but never a worker: everything that changes something waits for its commit.
 * Ownership  What is read lives in the arena that was given.
 * Units      Times are FILETIME.
 */
#ifndef GATEPOST_STORE_QUEUE_H
#define GATEPOST_STORE_QUEUE_H

#include "store/store.h"

enum {
    QUEUE_MAX_RECIPIENTS = 1000,
    QUEUE_ADDRESS_MAX = 320, /* RFC 5321 4.5.3.1: 64 + 1 + 255 */
    QUEUE_REPLY_MAX = 256,   /* of what the next hop said */
};

enum queue_state { QUEUE_WAITS, QUEUE_SENT, QUEUE_FAILED };

struct queue_recipient {
    struct slice address;
    enum queue_state state;
    bool told;          /* its sender has had the report that he is to have */
    bool answered;      /* the next hop reports on delivery itself (RFC 3461) */
    struct slice reply; /* the last word on it: "450 4.2.1 try later"; empty: none yet */
};

struct queue_entry {
    uint64_t id;         /* out of store_queue_add(); never given twice */
    struct slice owner;  /* the identity of who sends it */
    struct slice sender; /* the envelope's; empty: nobody, of reports */
    uint64_t mailbox_id; /* the sender's */
    uint64_t fid, mid;   /* where the message is; mid 0: it is filed, or there is none */
    uint64_t to;         /* the folder where it is filed; 0: it is not kept */
    bool wants_report;   /* of delivery (PidTagOriginatorDeliveryReportRequested) */
    uint64_t created;
    uint64_t since;        /* when it may first be sent: the patience is counted from here */
    uint64_t due;          /* when it is next tried */
    uint64_t locked_until; /* a client sends it itself */
    uint32_t attempts;
    struct queue_recipient *recipients;
    size_t n_recipients;
    uint64_t blob, size; /* out */
};

/*
 * Put a message into the queue. `prepared` is held by the caller until it returns. ERR_EXISTS: the
 * message `mid` of that mailbox is in the queue already. ERR_TOO_BIG, ERR_LIMIT: the envelope.
 */
struct err store_queue_add(struct store *st, struct queue_entry *entry,
                           struct store_prepared *prepared) MUST_USE;

/* ERR_NOT_FOUND: it is not there any more. */
struct err store_queue_get(struct store *st, uint64_t id, struct arena *in,
                           struct queue_entry *out) MUST_USE;

/* The entry of a message. ERR_NOT_FOUND: it is not in the queue, or was filed already. */
struct err store_queue_find(struct store *st, uint64_t mailbox_id, uint64_t mid, struct arena *in,
                            struct queue_entry *out) MUST_USE;

/* The first entry with an id > `after`. ERR_NOT_FOUND: that was the last. */
struct err store_queue_next(struct store *st, uint64_t after, struct arena *in,
                            struct queue_entry *out) MUST_USE;

/*
 * In the order in which they are due: the entry behind (*due, *id), both 0 at first.
 * ERR_NOT_FOUND: that was the last.
 */
struct err store_queue_due(struct store *st, uint64_t *due, uint64_t *id) MUST_USE;

/* How many there are, and when the oldest came (0: there is none). */
struct err store_queue_count(struct store *st, uint64_t *n, uint64_t *oldest) MUST_USE;

/* Its bytes, all of them. */
struct err store_queue_bytes(struct store *st, const struct queue_entry *entry, struct arena *in,
                             struct slice *out) MUST_USE;

/* Everything but its bytes becomes what `entry` says. ERR_NOT_FOUND: somebody removed it. */
struct err store_queue_update(struct store *st, const struct queue_entry *entry) MUST_USE;
/* When it is tried. What became of its recipients since it was read stays. ERR_NOT_FOUND as above.
 */
struct queue_times {
    uint64_t since, due, locked_until;
};
struct err store_queue_reschedule(struct store *st, uint64_t id,
                                  const struct queue_times *times) MUST_USE;
struct err store_queue_remove(struct store *st, uint64_t id) MUST_USE;

#endif
