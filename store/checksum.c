#include "store/checksum.h"

#include "base/crc32c.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

static uint32_t join_portable(const uint32_t lane[3])
{
    return crc32c_portable(0, slice_of(lane, 3 * sizeof *lane));
}

/* Word number `i`, made whole where it is the last. */
static inline uint64_t word_of(struct slice bytes, size_t i)
{
    struct slice part = slice_sub(bytes, i * 8, 8);
    uint64_t word = 0;

    memcpy(&word, part.ptr, part.len);
    return word;
}

uint32_t checksum_lanes_portable(struct slice bytes)
{
    uint32_t lane[3] = {0, 0, 0};

    for (size_t i = 0; i * 8 < bytes.len; i++) {
        uint64_t word = word_of(bytes, i);

        lane[i % 3] = crc32c_portable(lane[i % 3], slice_of(&word, sizeof word));
    }
    return join_portable(lane);
}

#if defined(__x86_64__)
static inline uint64_t word_at(const uint8_t *p)
{
    uint64_t word;

    memcpy(&word, p, 8);
    return word;
}

__attribute__((target("sse4.2"))) static uint32_t join(const uint64_t lane[3])
{
    uint64_t sum = ~0u, two = (uint32_t)~lane[0] | (uint64_t)(uint32_t)~lane[1] << 32;

    sum = _mm_crc32_u64(sum, two);
    return ~_mm_crc32_u32((uint32_t)sum, (uint32_t)~lane[2]);
}

__attribute__((target("sse4.2"))) static uint32_t lanes_by_processor(struct slice bytes)
{
    uint64_t lane[3] = {~0u, ~0u, ~0u};
    uint64_t a = ~0u, b = ~0u, c = ~0u;
    const uint8_t *p = bytes.ptr;
    size_t i = 0;

    for (; (i + 3) * 8 <= bytes.len; i += 3, p += 24) {
        a = _mm_crc32_u64(a, word_at(p));
        b = _mm_crc32_u64(b, word_at(p + 8));
        c = _mm_crc32_u64(c, word_at(p + 16));
    }
    lane[0] = a;
    lane[1] = b;
    lane[2] = c;
    for (size_t k = 0; (i + k) * 8 < bytes.len; k++)
        lane[k] = _mm_crc32_u64(lane[k], word_of(bytes, i + k));
    return join(lane);
}

uint32_t checksum_lanes(struct slice bytes)
{
    if (__builtin_cpu_supports("sse4.2"))
        return lanes_by_processor(bytes);
    return checksum_lanes_portable(bytes);
}
#else
uint32_t checksum_lanes(struct slice bytes)
{
    return checksum_lanes_portable(bytes);
}
#endif
