#include "base/crc32c.h"

#include <pthread.h>

#if defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#elif defined(__x86_64__)
#include <nmmintrin.h>
#endif

/* The polynomial 0x1EDC6F41, bits reversed. */
#define CRC32C_POLYNOMIAL 0x82F63B78u

/* table[k][b]: what byte b contributes when k more bytes follow it. */
static uint32_t table[8][256];
static uint32_t (*best)(uint32_t crc, const uint8_t *p, size_t n);

static inline uint64_t load_u64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static uint32_t by_table(uint32_t crc, const uint8_t *p, size_t n)
{
    for (; n >= 8; p += 8, n -= 8) {
        uint32_t low = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                              (uint32_t)p[3] << 24);

        crc = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^ table[5][low >> 16 & 0xff] ^
              table[4][low >> 24] ^ table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^
              table[0][p[7]];
    }
    for (; n; p++, n--)
        crc = table[0][(crc ^ *p) & 0xff] ^ crc >> 8;
    return crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *p,
                                                                 size_t n)
{
    uint64_t wide = crc;

    for (; n >= 8; p += 8, n -= 8)
        wide = _mm_crc32_u64(wide, load_u64(p));
    crc = (uint32_t)wide;
    for (; n; p++, n--)
        crc = _mm_crc32_u8(crc, *p);
    return crc;
}

static bool has_instruction(void)
{
    return __builtin_cpu_supports("sse4.2");
}

#elif defined(__aarch64__)

__attribute__((target("+crc"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *p,
                                                               size_t n)
{
    for (; n >= 8; p += 8, n -= 8)
        crc = __crc32cd(crc, load_u64(p));
    for (; n; p++, n--)
        crc = __crc32cb(crc, *p);
    return crc;
}

static bool has_instruction(void)
{
    return (getauxval(AT_HWCAP) & (1ul << 7)) != 0; /* HWCAP_CRC32 */
}

#else

static uint32_t by_instruction(uint32_t crc, const uint8_t *p, size_t n)
{
    return by_table(crc, p, n);
}

static bool has_instruction(void)
{
    return false;
}

#endif

static void choose(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;

        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ CRC32C_POLYNOMIAL : crc >> 1;
        table[0][b] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (int b = 0; b < 256; b++)
            table[k][b] = table[0][table[k - 1][b] & 0xff] ^ table[k - 1][b] >> 8;
    best = has_instruction() ? by_instruction : by_table;
}

static void choose_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, choose);
}

uint32_t crc32c(uint32_t crc, struct slice bytes)
{
    choose_once();
    return ~best(~crc, bytes.ptr, bytes.len);
}

uint32_t crc32c_portable(uint32_t crc, struct slice bytes)
{
    choose_once();
    return ~by_table(~crc, bytes.ptr, bytes.len);
}
