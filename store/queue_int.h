/* queue_int.h - what verification asks of the queue. */
#ifndef GATEPOST_STORE_QUEUE_INT_H
#define GATEPOST_STORE_QUEUE_INT_H

#include "store/queue.h"

/* The blob of each entry. ERR_CORRUPT: an entry is damaged. */
struct err queue_blobs(struct store *st, void (*each)(void *ctx, uint64_t blob),
                       void *ctx) MUST_USE;

#endif
