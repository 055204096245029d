/*
 * idmap.h - a hash table from 64-bit ids to what embeds a node.
 *
 * Threads    None of its own: whoever has it locks it.
 * Ownership  The nodes are the caller's; the map owns its array of buckets.
 */
#ifndef GATEPOST_STORE_ENGINE_IDMAP_H
#define GATEPOST_STORE_ENGINE_IDMAP_H

#include <stddef.h>
#include <stdint.h>

struct idnode {
    uint64_t id;
    struct idnode *next; /* the map's */
};

struct idmap {
    struct idnode **buckets; /* NULL until the first add */
    size_t n_buckets;        /* a power of two */
    size_t count;
};

/* NULL: it is not in the map. */
struct idnode *idmap_find(const struct idmap *map, uint64_t id);

/* node->id is set and not in the map. */
void idmap_add(struct idmap *map, struct idnode *node);
void idmap_remove(struct idmap *map, struct idnode *node);

/* Any node, or NULL where the map is empty. */
struct idnode *idmap_any(const struct idmap *map);

/* Frees the buckets; nodes still in it are forgotten. */
void idmap_done(struct idmap *map);

#endif
