#include "store/mime/search_int.h"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>

#include "base/mem.h"

/* ---- i;unicode-casemap (RFC 5051 2) ---- */

/* Han, Hangul syllables apart, and private use: most of what is not Latin and folds to itself. */
static bool folds_to_itself(uint32_t c)
{
    return (c >= 0x3400 && c <= 0x9FFF) || (c >= 0xE000 && c <= 0xF8FF);
}

enum { LONGEST_FOLD = 32 }; /* UTF-16 units of one decomposition; Unicode's longest has 18 */

/* Titlecase, then compatibility decomposition; nothing is reordered or cased again. */
static size_t fold_one(const UNormalizer2 *nfkd, uint32_t c, uint8_t *to)
{
    UChar wide[LONGEST_FOLD];
    UErrorCode status = U_ZERO_ERROR;
    size_t len = 0;

    if (folds_to_itself(c))
        return utf8_bytes(c, to);
    c = (uint32_t)u_totitle((UChar32)c);
    int32_t n = unorm2_getDecomposition(nfkd, (UChar32)c, wide, LONGEST_FOLD, &status);
    if (n < 0 || U_FAILURE(status))
        return utf8_bytes(c, to);
    for (int32_t i = 0; i < n; i++) {
        uint32_t part = wide[i];

        if (U16_IS_LEAD(part) && i + 1 < n)
            part = (uint32_t)U16_GET_SUPPLEMENTARY(part, wide[++i]);
        len += utf8_bytes(part, to + len);
    }
    return len;
}

void mime_fold(struct slice utf8, struct buf *out)
{
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2 *nfkd = unorm2_getNFKDInstance(&status);
    uint8_t folded[1024];
    size_t len = 0;

    while (utf8.len) {
        size_t run = 0, room = sizeof folded - len - 4 * LONGEST_FOLD;

        while (run < utf8.len && run < room && utf8.ptr[run] < 0x80)
            folded[len++] = ascii_upper(utf8.ptr[run++]);
        utf8 = slice_from(utf8, run);
        if (utf8.len && utf8.ptr[0] >= 0x80)
            len += fold_one(nfkd, utf8_take(&utf8), folded + len);
        if (len >= sizeof folded - 4 * LONGEST_FOLD) {
            buf_put(out, slice_of(folded, len));
            len = 0;
        }
    }
    buf_put(out, slice_of(folded, len));
}

/* ---- keys ---- */

/* Letters and blanks of European text from common to rare; everything else is rarer. */
static unsigned rarity(uint8_t c)
{
    static const char common[] = " etaoinsrhldcumfpg\nw.yb,vk0-1=<>2/";
    const char *at = memchr(common, ascii_lower(c), sizeof common - 1);

    return at ? (unsigned)(at - common) : sizeof common;
}

/* The two bytes that a scan looks for first: the rarest, at different places. */
static void choose_probes(struct mime_search_key *key)
{
    size_t best = 0, second = key->folded.len > 1;

    for (size_t i = 1; i < key->folded.len; i++) {
        if (rarity(key->folded.ptr[i]) > rarity(key->folded.ptr[best])) {
            second = best;
            best = i;
        } else if (i != best && rarity(key->folded.ptr[i]) > rarity(key->folded.ptr[second])) {
            second = i;
        }
    }
    key->probe[0] = best;
    key->probe[1] = second;
}

struct mime_search_key *mime_search_key_new(struct slice needle)
{
    struct mime_search_key *key = mem_new(sizeof *key);

    key->bytes = buf_make(SIZE_MAX / 2);
    mime_fold(needle, &key->bytes);
    key->folded = buf_slice(&key->bytes);
    key->ascii = mime_is_ascii(needle);
    key->folded_ascii = mime_is_ascii(key->folded);
    choose_probes(key);
    return key;
}

void mime_search_key_free(struct mime_search_key *key)
{
    if (!key)
        return;
    buf_done(&key->bytes);
    free(key);
}

/* ---- ASCII keys in bytes as they are ---- */

typedef uint8_t block __attribute__((vector_size(16)));
typedef uint64_t halves __attribute__((vector_size(16)));

static block load(const uint8_t *from)
{
    block b;

    memcpy(&b, from, sizeof b);
    return b;
}

static bool any(block b)
{
    halves h = (halves)b;

    return (h[0] | h[1]) != 0;
}

/* A probe: `c` where `bits` is or'ed to both cases of a letter, and to nothing else that fits. */
struct probe {
    block c, bits;
    size_t at;
};

static struct probe make_probe(const struct mime_search_key *key, size_t at)
{
    uint8_t c = key->folded.ptr[at];
    uint8_t bit = ascii_is_alpha(c) ? 0x20 : 0;
    block zero = {0};

    return (struct probe){zero + (uint8_t)(c | bit), zero + bit, at};
}

static block hits(const struct probe *p, const uint8_t *at)
{
    return (block)((load(at + p->at) | p->bits) == p->c);
}

/* How many bytes of the key are at `at`; all, if it is a match. */
static size_t matching(const struct mime_search_key *key, const uint8_t *at)
{
    size_t n = 0;

    while (n < key->folded.len && ascii_upper(at[n]) == key->folded.ptr[n])
        n++;
    return n;
}

/* For text that has been made to nearly match everywhere: linear, by way of a folded copy. */
static bool search_folded_copy(const struct mime_search_key *key, struct slice hay)
{
    struct folded_search f = folded_search_make(key);
    bool found = folded_search_ascii(&f, hay);

    folded_search_done(&f);
    return found;
}

/* Compare where both probes hit, in one block. `spent` counts compared bytes. */
static bool check_block(const struct mime_search_key *key, const uint8_t *at, block mask,
                        size_t *spent)
{
    for (unsigned i = 0; i < sizeof mask; i++) {
        if (!mask[i])
            continue;
        size_t n = matching(key, at + i);
        if (n == key->folded.len)
            return true;
        *spent += n;
    }
    return false;
}

bool mime_search_ascii(const struct mime_search_key *key, struct slice hay)
{
    size_t len = key->folded.len, i = 0, spent = 0;

    if (len == 0)
        return true;
    if (hay.len < len)
        return false;
    struct probe a = make_probe(key, key->probe[0]), b = make_probe(key, key->probe[1]);
    size_t last = hay.len - len; /* where a match may begin at the latest */
    for (; i + 63 <= last; i += 64) {
        const uint8_t *at = hay.ptr + i;
        block m[4];

        for (size_t k = 0; k < 4; k++)
            m[k] = hits(&a, at + 16 * k) & hits(&b, at + 16 * k);
        if (!any(m[0] | m[1] | m[2] | m[3]))
            continue;
        for (size_t k = 0; k < 4; k++)
            if (check_block(key, at + 16 * k, m[k], &spent))
                return true;
        if (spent > 4 * i + 65536)
            return search_folded_copy(key, slice_from(hay, i));
    }
    for (; i <= last; i++) {
        size_t n = matching(key, hay.ptr + i);

        if (n == len)
            return true;
        spent += n;
        if (spent > 4 * i + 65536)
            return search_folded_copy(key, slice_from(hay, i));
    }
    return false;
}

/* ---- any key in folded text, window by window ---- */

enum { WINDOW = 64 * 1024 };

struct folded_search folded_search_make(const struct mime_search_key *key)
{
    return (struct folded_search){key, buf_make(SIZE_MAX / 2)};
}

void folded_search_done(struct folded_search *f)
{
    buf_done(&f->window);
}

/* Look in the window, then keep of it what a match could begin in. */
static bool look(struct folded_search *f)
{
    size_t keep = f->key->folded.len - 1;

    if (slice_find(buf_slice(&f->window), f->key->folded) < f->window.len)
        return true;
    if (f->window.len > keep)
        buf_consume(&f->window, f->window.len - keep);
    return false;
}

/* The length of the next piece to fold: no UTF-8 sequence is cut. */
static size_t piece_length(struct slice s)
{
    size_t n = WINDOW;

    if (s.len <= n)
        return s.len;
    while (n > WINDOW - 4 && (s.ptr[n] & 0xC0) == 0x80)
        n--;
    return n;
}

bool folded_search_utf8(struct folded_search *f, struct slice utf8)
{
    if (f->key->folded.len == 0)
        return true;
    while (utf8.len) {
        size_t n = piece_length(utf8);

        mime_fold(slice_head(utf8, n), &f->window);
        if (look(f))
            return true;
        utf8 = slice_from(utf8, n);
    }
    return false;
}

bool folded_search_ascii(struct folded_search *f, struct slice bytes)
{
    while (bytes.len) {
        size_t n = bytes.len < WINDOW ? bytes.len : WINDOW;
        uint8_t *to = buf_reserve(&f->window, n);

        if (!to)
            return false;
        for (size_t i = 0; i < n; i++)
            to[i] = ascii_upper(bytes.ptr[i]);
        buf_commit(&f->window, n);
        if (look(f))
            return true;
        bytes = slice_from(bytes, n);
    }
    return false;
}

bool mime_search_in_utf8(const struct mime_search_key *key, struct slice utf8)
{
    if (key->ascii && mime_search_ascii(key, utf8))
        return true;
    if (key->folded.len == 0)
        return true;
    /* ASCII text folds to ASCII, and an ASCII key was looked for above. */
    if (mime_is_ascii(utf8) && (key->ascii || !key->folded_ascii))
        return false;
    struct folded_search f = folded_search_make(key);
    bool found = folded_search_utf8(&f, utf8);
    folded_search_done(&f);
    return found;
}
