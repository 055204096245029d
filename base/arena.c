#include "base/arena.h"

#include <stdalign.h>

#include "base/mem.h"

enum { FIRST_BLOCK = 512, LARGEST_BLOCK = 64 * 1024 };

struct arena_block {
    struct arena_block *older;
    size_t used, size;
    alignas(max_align_t) uint8_t bytes[];
};

static struct arena_block *add_block(struct arena *a, size_t need)
{
    size_t size = a->blocks ? a->blocks->size * 2 : FIRST_BLOCK;

    if (size > LARGEST_BLOCK)
        size = LARGEST_BLOCK;
    if (size < need)
        size = need;
    struct arena_block *block = mem_new(sizeof *block + size);
    block->size = size;
    block->older = a->blocks;
    a->blocks = block;
    return block;
}

/* Whoever wants more has counted wrong: rounded up it would be next to nothing. */
static void check_size(size_t size)
{
    if (size > SIZE_MAX / 2)
        abort();
}

void *arena_alloc(struct arena *a, size_t size)
{
    check_size(size);
    size_t rounded = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct arena_block *block = a->blocks;

    if (!block || block->size - block->used < rounded)
        block = add_block(a, rounded);
    void *ptr = block->bytes + block->used;
    block->used += rounded;
    a->total += rounded;
    return ptr;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes))
        abort();
    return arena_alloc(a, bytes);
}

struct slice arena_slice(struct arena *a, struct slice s)
{
    return (struct slice){(const uint8_t *)arena_str(a, s), s.len};
}

char *arena_str(struct arena *a, struct slice s)
{
    char *copy = arena_alloc(a, s.len + 1);

    if (s.len)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

void *arena_grow(struct arena *a, const void *old, size_t n, size_t more, size_t size)
{
    size_t all;

    if (__builtin_add_overflow(n, more, &all))
        abort();
    void *bigger = arena_array(a, all, size);

    if (n)
        memcpy(bigger, old, n * size);
    return bigger;
}

void arena_done(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *older = a->blocks->older;

        free(a->blocks);
        a->blocks = older;
    }
    a->total = 0;
}

void arena_wipe(struct arena *a)
{
    for (struct arena_block *block = a->blocks; block; block = block->older)
        mem_wipe(block->bytes, block->used);
    arena_done(a);
}
