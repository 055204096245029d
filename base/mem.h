/*
 * mem.h - memory that is there or the process stops.
 *
 * For small sizes that our own code chooses. A size that a peer chooses goes through a capped
 * struct buf and comes back as an error instead.
 */
#ifndef GATEPOST_BASE_MEM_H
#define GATEPOST_BASE_MEM_H

#include <stddef.h>

#include "base/slice.h"

/* What the member at `ptr` is embedded in. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Zeroed. Free with free(). */
void *mem_new(size_t size) MUST_USE __attribute__((malloc, returns_nonnull));
void *mem_array(size_t n, size_t size) MUST_USE __attribute__((returns_nonnull));

/* realloc() for n things of `size` bytes; what is new is not zeroed. */
void *mem_grow(void *old, size_t n, size_t size) MUST_USE __attribute__((returns_nonnull));

/* Copies that end in NUL. */
char *mem_str(const char *text) MUST_USE __attribute__((returns_nonnull));
char *mem_slice_str(struct slice s) MUST_USE __attribute__((returns_nonnull));

/* Overwrite a secret; the compiler may not drop it. */
void mem_wipe(void *ptr, size_t len);

/* Compare without telling by time where the difference is. */
bool mem_equal_secret(const void *a, const void *b, size_t len);

#endif
