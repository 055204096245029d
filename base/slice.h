/*
 * slice.h - a run of bytes that somebody else owns.
 *
 * Bytes from the network, from mail and from the store travel as slices, by value.
 * They are never NUL-terminated and may hold NULs.
 *
 * Threads    Pure functions: any thread.
 * Ownership  A slice owns nothing. Whoever lends it says how long it lives.
 */
#ifndef GATEPOST_BASE_SLICE_H
#define GATEPOST_BASE_SLICE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(at, first) __attribute__((format(printf, at, first)))

struct slice {
    const uint8_t *ptr;
    size_t len;
};

/* A slice of a string literal, without its NUL. */
#define S(literal) ((struct slice){(const uint8_t *)("" literal), sizeof(literal) - 1})
#define SLICE_EMPTY ((struct slice){NULL, 0})

/* For printf's "%.*s"; what is longer than an int can say is cut. */
#define SLICE_ARG(s) ((int)slice_head((s), INT_MAX).len), ((const char *)(s).ptr)

static inline struct slice slice_of(const void *ptr, size_t len)
{
    return (struct slice){ptr, len};
}

/* `text` ends in NUL; NULL gives the empty slice. */
static inline struct slice slice_str(const char *text)
{
    return (struct slice){(const uint8_t *)text, text ? strlen(text) : 0};
}

/* The bytes from `from` (at most len) to the end. */
static inline struct slice slice_from(struct slice s, size_t from)
{
    return from < s.len ? (struct slice){s.ptr + from, s.len - from} : SLICE_EMPTY;
}

/* The first `len` bytes, or all where there are fewer. */
static inline struct slice slice_head(struct slice s, size_t len)
{
    return (struct slice){s.ptr, len < s.len ? len : s.len};
}

/* At most `len` bytes from `from` on. */
static inline struct slice slice_sub(struct slice s, size_t from, size_t len)
{
    return slice_head(slice_from(s, from), len);
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Bytewise order; a prefix sorts before what it begins. */
int slice_order(struct slice a, struct slice b);

/* Equal but for the case of ASCII letters: what protocols mean by "case-insensitive". */
bool slice_ieq(struct slice a, struct slice b);

bool slice_starts(struct slice s, struct slice prefix);
bool slice_istarts(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);

/* Index of the first `byte`, or s.len where there is none. */
size_t slice_index(struct slice s, uint8_t byte);

/* Index of the first `needle`, or s.len where there is none. Linear time. */
size_t slice_find(struct slice s, struct slice needle);

/* Without the spaces and tabs at both ends. */
struct slice slice_trim(struct slice s);

/*
 * Cut the bytes before the first `byte` off the front of *s, and skip that byte.
 * Where there is none, takes everything and leaves *s empty.
 */
struct slice slice_cut(struct slice *s, uint8_t byte);

/*
 * The whole slice as a decimal number: digits only, at least one, no overflow.
 * On false *out is untouched.
 */
bool slice_to_u32(struct slice s, uint32_t *out);
bool slice_to_u64(struct slice s, uint64_t *out);

/* True if all bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool slice_is_utf8(struct slice s);

/* True if no byte has its high bit set. */
bool slice_is_ascii(struct slice s);

/* ASCII only, whatever the locale. */
static inline uint8_t ascii_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static inline uint8_t ascii_upper(uint8_t c)
{
    return c >= 'a' && c <= 'z' ? (uint8_t)(c - 32) : c;
}

static inline bool ascii_is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static inline bool ascii_is_alpha(uint8_t c)
{
    return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}

/* The value of a hexadecimal digit of either case, or -1. */
static inline int ascii_hex(uint8_t c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
