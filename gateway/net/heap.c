#include "gateway/net/heap.h"

#include "base/mem.h"

static void put(struct heap *heap, uint32_t place, struct heap_item *item)
{
    heap->items[place - 1] = item;
    item->place = place;
}

static struct heap_item *at(const struct heap *heap, uint32_t place)
{
    return heap->items[place - 1];
}

static void move_up(struct heap *heap, struct heap_item *item)
{
    uint32_t place = item->place;

    while (place > 1 && at(heap, place / 2)->at > item->at) {
        put(heap, place, at(heap, place / 2));
        place /= 2;
    }
    put(heap, place, item);
}

static void move_down(struct heap *heap, struct heap_item *item)
{
    uint32_t place = item->place;

    while (place <= heap->n / 2) {
        uint32_t child = place * 2;

        if (child < heap->n && at(heap, child + 1)->at < at(heap, child)->at)
            child++;
        if (at(heap, child)->at >= item->at)
            break;
        put(heap, place, at(heap, child));
        place = child;
    }
    put(heap, place, item);
}

void heap_set(struct heap *heap, struct heap_item *item, uint64_t when)
{
    if (!item->place) {
        if (heap->n == heap->cap) {
            heap->cap = heap->cap ? heap->cap * 2 : 64;
            heap->items = mem_grow(heap->items, heap->cap, sizeof *heap->items);
        }
        put(heap, ++heap->n, item);
    }
    item->at = when;
    move_up(heap, item);
    move_down(heap, item);
}

void heap_unset(struct heap *heap, struct heap_item *item)
{
    uint32_t place = item->place;

    if (!place)
        return;
    struct heap_item *last = at(heap, heap->n--);
    item->place = 0;
    if (last == item)
        return;
    put(heap, place, last);
    move_up(heap, last);
    move_down(heap, last);
}

struct heap_item *heap_first(const struct heap *heap)
{
    return heap->n ? heap->items[0] : NULL;
}

void heap_done(struct heap *heap)
{
    free(heap->items);
    *heap = (struct heap){NULL, 0, 0};
}
