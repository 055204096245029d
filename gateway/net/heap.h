/*
 * heap.h - the deadlines of one worker's connections: a binary heap with one timer above it.
 *
 * 50,000 idle connections cost 8 bytes each here, and a deadline that only moves away costs
 * nothing: the connection is looked at once at its old deadline and set anew.
 *
 * Threads    One worker's.
 * Ownership  An item is embedded in what it belongs to, and stays in place while it is set.
 */
#ifndef GATEPOST_GATEWAY_NET_HEAP_H
#define GATEPOST_GATEWAY_NET_HEAP_H

#include "base/slice.h"

struct heap_item {
    uint64_t at;    /* mono_ms */
    uint32_t place; /* 1..n in the heap; 0: not set */
};

struct heap {
    struct heap_item **items;
    uint32_t n, cap;
};

/* Set the item's deadline, or move it. */
void heap_set(struct heap *heap, struct heap_item *item, uint64_t at);

/* Not set: nothing happens. */
void heap_unset(struct heap *heap, struct heap_item *item);

/* The earliest item, or NULL. */
struct heap_item *heap_first(const struct heap *heap);

void heap_done(struct heap *heap);

#endif
