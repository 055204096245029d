/*
 * arena.h - memory that goes all at once.
 *
 * One arena per connection and one per command: what a command parses lives in its arena, and
 * goes when the reply is out. Nothing in it is freed singly.
 *
 * Threads    An arena belongs to one thread at a time.
 */
#ifndef GATEPOST_BASE_ARENA_H
#define GATEPOST_BASE_ARENA_H

#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t total;               /* bytes handed out, to be held against a limit */
};

#define ARENA_INIT ((struct arena){NULL, 0})

/* Zeroed, aligned for anything. */
void *arena_alloc(struct arena *a, size_t size) MUST_USE __attribute__((returns_nonnull));

void *arena_array(struct arena *a, size_t n, size_t size) MUST_USE __attribute__((returns_nonnull));

/* A copy with a NUL behind it that is not part of the slice. */
struct slice arena_slice(struct arena *a, struct slice s) MUST_USE;

/* The same copy, as a C string. */
char *arena_str(struct arena *a, struct slice s) MUST_USE __attribute__((returns_nonnull));

/*
 * A bigger copy of an array of `n` things, with room for `more` (the first ones are the old).
 * The old array stays until the arena goes.
 */
void *arena_grow(struct arena *a, const void *old, size_t n, size_t more, size_t size) MUST_USE
    __attribute__((returns_nonnull));

/* Free everything; the arena can be used again. */
void arena_done(struct arena *a);

/* As arena_done(), after overwriting everything: for secrets. */
void arena_wipe(struct arena *a);

#endif
