#include "store/engine/idmap.h"

#include "base/mem.h"

enum { FIRST_BUCKETS = 64 };

/* Fibonacci hashing: ids are dense, the high bits of the product are not. */
static size_t bucket_of(const struct idmap *map, uint64_t id)
{
    return (size_t)((id * 0x9E3779B97F4A7C15u) >> 32) & (map->n_buckets - 1);
}

static void link_node(struct idmap *map, struct idnode *node)
{
    struct idnode **at = &map->buckets[bucket_of(map, node->id)];

    node->next = *at;
    *at = node;
}

static void grow(struct idmap *map)
{
    struct idmap bigger = {.n_buckets = map->n_buckets ? map->n_buckets * 2 : FIRST_BUCKETS,
                           .count = map->count};

    bigger.buckets = mem_array(bigger.n_buckets, sizeof *bigger.buckets);
    for (size_t i = 0; i < map->n_buckets; i++)
        for (struct idnode *node = map->buckets[i], *next; node; node = next) {
            next = node->next;
            link_node(&bigger, node);
        }
    free(map->buckets);
    *map = bigger;
}

struct idnode *idmap_find(const struct idmap *map, uint64_t id)
{
    struct idnode *node = map->count ? map->buckets[bucket_of(map, id)] : NULL;

    while (node && node->id != id)
        node = node->next;
    return node;
}

void idmap_add(struct idmap *map, struct idnode *node)
{
    if (map->count >= map->n_buckets)
        grow(map);
    link_node(map, node);
    map->count++;
}

void idmap_remove(struct idmap *map, struct idnode *node)
{
    struct idnode **at = &map->buckets[bucket_of(map, node->id)];

    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    map->count--;
}

struct idnode *idmap_any(const struct idmap *map)
{
    for (size_t i = 0; map->count && i < map->n_buckets; i++)
        if (map->buckets[i])
            return map->buckets[i];
    return NULL;
}

void idmap_done(struct idmap *map)
{
    free(map->buckets);
    *map = (struct idmap){0};
}
