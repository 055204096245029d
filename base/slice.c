#include "base/slice.h"

int slice_order(struct slice a, struct slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.ptr, b.ptr, common) : 0;

    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool slice_ieq(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
            return false;
    return true;
}

bool slice_starts(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_eq(slice_head(s, prefix.len), prefix);
}

bool slice_istarts(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_ieq(slice_head(s, prefix.len), prefix);
}

bool slice_ends(struct slice s, struct slice suffix)
{
    if (suffix.len == 0)
        return true;
    return s.len >= suffix.len && slice_eq(slice_from(s, s.len - suffix.len), suffix);
}

size_t slice_index(struct slice s, uint8_t byte)
{
    const uint8_t *at = s.len ? memchr(s.ptr, byte, s.len) : NULL;

    return at ? (size_t)(at - s.ptr) : s.len;
}

size_t slice_find(struct slice s, struct slice needle)
{
    if (needle.len == 0)
        return 0;
    if (s.len < needle.len)
        return s.len;
    /* glibc's memmem is the two-way algorithm: linear even on hostile input. */
    const uint8_t *at = memmem(s.ptr, s.len, needle.ptr, needle.len);
    return at ? (size_t)(at - s.ptr) : s.len;
}

struct slice slice_trim(struct slice s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = slice_from(s, 1);
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

struct slice slice_cut(struct slice *s, uint8_t byte)
{
    size_t at = slice_index(*s, byte);
    struct slice head = slice_head(*s, at);

    *s = slice_from(*s, at + 1);
    return head;
}

bool slice_to_u64(struct slice s, uint64_t *out)
{
    uint64_t n = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!ascii_is_digit(s.ptr[i]))
            return false;
        if (__builtin_mul_overflow(n, (uint64_t)10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(s.ptr[i] - '0'), &n))
            return false;
    }
    *out = n;
    return true;
}

bool slice_to_u32(struct slice s, uint32_t *out)
{
    uint64_t n;

    if (!slice_to_u64(s, &n) || n > UINT32_MAX)
        return false;
    *out = (uint32_t)n;
    return true;
}

/* How many bytes the UTF-8 sequence at the front of `s` has; 0 if it is malformed. */
static size_t utf8_sequence(struct slice s)
{
    uint8_t c = s.ptr[0];
    size_t len = c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;

    if (len == 0 || len > s.len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s.ptr[i] & 0xC0) != 0x80)
            return 0;
    if ((c == 0xE0 && s.ptr[1] < 0xA0) || (c == 0xED && s.ptr[1] > 0x9F) ||
        (c == 0xF0 && s.ptr[1] < 0x90) || (c == 0xF4 && s.ptr[1] > 0x8F))
        return 0;
    return len;
}

bool slice_is_utf8(struct slice s)
{
    while (s.len) {
        size_t len = utf8_sequence(s);

        if (len == 0)
            return false;
        s = slice_from(s, len);
    }
    return true;
}

bool slice_is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] & 0x80)
            return false;
    return true;
}
