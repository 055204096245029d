#include "store/checksum.h"

#include "base/crc32c.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

static uint32_t join(const uint32_t lane[3])
{
    return crc32c(0, slice_of(lane, 3 * sizeof *lane));
}

uint32_t checksum_lanes_portable(struct slice words)
{
    uint32_t lane[3] = {0, 0, 0};

    for (size_t i = 0; i < words.len / 8; i++)
        lane[i % 3] = crc32c_portable(lane[i % 3], slice_sub(words, i * 8, 8));
    return join(lane);
}

#if defined(__x86_64__)
static inline uint64_t word_at(const uint8_t *p)
{
    uint64_t word;

    memcpy(&word, p, 8);
    return word;
}

__attribute__((target("sse4.2"))) static uint32_t lanes_by_processor(const uint8_t *p, size_t n)
{
    uint64_t a = ~0u, b = ~0u, c = ~0u;
    size_t i = 0;

    for (; i + 3 <= n; i += 3, p += 24) {
        a = _mm_crc32_u64(a, word_at(p));
        b = _mm_crc32_u64(b, word_at(p + 8));
        c = _mm_crc32_u64(c, word_at(p + 16));
    }
    if (n - i > 0)
        a = _mm_crc32_u64(a, word_at(p));
    if (n - i > 1)
        b = _mm_crc32_u64(b, word_at(p + 8));
    return join((uint32_t[3]){~(uint32_t)a, ~(uint32_t)b, ~(uint32_t)c});
}

uint32_t checksum_lanes(struct slice words)
{
    if (__builtin_cpu_supports("sse4.2"))
        return lanes_by_processor(words.ptr, words.len / 8);
    return checksum_lanes_portable(words);
}
#else
uint32_t checksum_lanes(struct slice words)
{
    return checksum_lanes_portable(words);
}
#endif
