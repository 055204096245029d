#include "auth/precis.h"

#include <assert.h>

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>
#include <unicode/ustring.h>

#include "base/mem.h"

/* ---- UTF-16, as ICU has it ---- */

struct text {
    const UChar *at;
    int32_t len;
};

/* ICU's macros mix signs. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"

/* The code point at *i, which moves behind it. */
static UChar32 next_char(struct text s, int32_t *i)
{
    UChar32 c;

    U16_NEXT(s.at, *i, s.len, c);
    return c;
}

/* The code point before *i, which moves to it. */
static UChar32 prev_char(struct text s, int32_t *i)
{
    UChar32 c;

    U16_PREV(s.at, 0, *i, c);
    return c;
}

#pragma GCC diagnostic pop

/* ---- code points (RFC 8264 8 and 9) ---- */

enum derived { PVALID, FREE_ONLY, CONTEXT_J, CONTEXT_O, DISALLOWED };

/* RFC 8264 9.6, which is RFC 5892 2.6: code points whose properties mislead. */
static bool exception(UChar32 c, enum derived *out)
{
    switch (c) {
    case 0x00DF: /* sharp s */
    case 0x03C2: /* final sigma */
    case 0x06FD:
    case 0x06FE:
    case 0x0F0B:
    case 0x3007:
        *out = PVALID;
        return true;
    case 0x00B7:
    case 0x0375:
    case 0x05F3:
    case 0x05F4:
    case 0x30FB:
        *out = CONTEXT_O;
        return true;
    case 0x0640:
    case 0x07FA:
    case 0x302E:
    case 0x302F:
    case 0x3031:
    case 0x3032:
    case 0x3033:
    case 0x3034:
    case 0x3035:
    case 0x303B:
        *out = DISALLOWED;
        return true;
    default:
        *out = CONTEXT_O;
        return (c >= 0x0660 && c <= 0x0669) || (c >= 0x06F0 && c <= 0x06F9);
    }
}

static bool old_hangul_jamo(UChar32 c)
{
    int32_t type = u_getIntPropertyValue(c, UCHAR_HANGUL_SYLLABLE_TYPE);

    return type == U_HST_LEADING_JAMO || type == U_HST_VOWEL_JAMO || type == U_HST_TRAILING_JAMO;
}

/* toNFKC(cp) != cp (RFC 8264 9.17). */
static bool has_compat(UChar32 c)
{
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2 *nfkc = unorm2_getNFKCInstance(&status);
    UChar from[2], to[32];
    int32_t n = 0;

    U16_APPEND_UNSAFE(from, n, c);
    int32_t got = unorm2_normalize(nfkc, from, n, to, 32, &status);
    return U_FAILURE(status) || got != n || u_memcmp(from, to, n) != 0;
}

/* The algorithm of RFC 8264 8, in its order. */
static enum derived derive(UChar32 c)
{
    const uint32_t letters = U_GC_LL_MASK | U_GC_LU_MASK | U_GC_LO_MASK | U_GC_ND_MASK |
                             U_GC_LM_MASK | U_GC_MN_MASK | U_GC_MC_MASK;
    const uint32_t free = U_GC_LT_MASK | U_GC_NL_MASK | U_GC_NO_MASK | U_GC_ME_MASK | U_GC_ZS_MASK |
                          U_GC_S_MASK | U_GC_P_MASK;
    enum derived fixed;

    if (exception(c, &fixed))
        return fixed;
    uint32_t mask = U_GET_GC_MASK(c);
    if (mask & U_GC_CN_MASK)
        return DISALLOWED; /* unassigned, and noncharacters */
    if (c >= 0x21 && c <= 0x7E)
        return PVALID;
    if (u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL))
        return CONTEXT_J;
    if (old_hangul_jamo(c) || u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) ||
        (mask & U_GC_CC_MASK))
        return DISALLOWED;
    if (has_compat(c))
        return FREE_ONLY;
    if (mask & letters)
        return PVALID;
    return mask & free ? FREE_ONLY : DISALLOWED;
}

/* ---- context (RFC 5892 appendix A) ---- */

/* The code point before or behind; -1 where there is none. */
static UChar32 before(struct text s, int32_t i)
{
    return i > 0 ? prev_char(s, &i) : -1;
}

static UChar32 behind(struct text s, int32_t i)
{
    next_char(s, &i);
    return i < s.len ? next_char(s, &i) : -1;
}

static bool is_script(UChar32 c, UScriptCode script)
{
    UErrorCode status = U_ZERO_ERROR;

    return c >= 0 && uscript_getScript(c, &status) == script && U_SUCCESS(status);
}

static int32_t joining(UChar32 c)
{
    return u_getIntPropertyValue(c, UCHAR_JOINING_TYPE);
}

/* A.1: (L|D) T* ZWNJ T* (R|D) */
static bool breaks_a_join(struct text s, int32_t i)
{
    int32_t left = i, right = i;
    UChar32 c;

    while ((c = before(s, left)) >= 0 && joining(c) == U_JT_TRANSPARENT)
        prev_char(s, &left);
    if (c < 0 || (joining(c) != U_JT_LEFT_JOINING && joining(c) != U_JT_DUAL_JOINING))
        return false;
    while ((c = behind(s, right)) >= 0 && joining(c) == U_JT_TRANSPARENT)
        next_char(s, &right);
    return c >= 0 && (joining(c) == U_JT_RIGHT_JOINING || joining(c) == U_JT_DUAL_JOINING);
}

static bool any_in_range(struct text s, UChar32 first, UChar32 last)
{
    for (int32_t i = 0; i < s.len;) {
        UChar32 c = next_char(s, &i);

        if (c >= first && c <= last)
            return true;
    }
    return false;
}

static bool any_japanese(struct text s)
{
    for (int32_t i = 0; i < s.len;) {
        UChar32 c = next_char(s, &i);

        if (c != 0x30FB && (is_script(c, USCRIPT_HIRAGANA) || is_script(c, USCRIPT_KATAKANA) ||
                            is_script(c, USCRIPT_HAN)))
            return true;
    }
    return false;
}

/* May `c`, at `i`, stand where it stands? */
static bool context_allows(struct text s, int32_t i, UChar32 c)
{
    UChar32 prev = before(s, i);
    bool virama = prev >= 0 && u_getCombiningClass(prev) == 9;

    switch (c) {
    case 0x200C: /* A.1 */
        return virama || breaks_a_join(s, i);
    case 0x200D: /* A.2 */
        return virama;
    case 0x00B7: /* A.3: between two l */
        return prev == 'l' && behind(s, i) == 'l';
    case 0x0375: /* A.4 */
        return is_script(behind(s, i), USCRIPT_GREEK);
    case 0x05F3: /* A.5, A.6 */
    case 0x05F4:
        return is_script(prev, USCRIPT_HEBREW);
    case 0x30FB: /* A.7 */
        return any_japanese(s);
    default: /* A.8, A.9: the two sets of digits do not mix */
        return c <= 0x0669 ? !any_in_range(s, 0x06F0, 0x06F9) : !any_in_range(s, 0x0660, 0x0669);
    }
}

static bool class_allows(struct text s, bool freeform)
{
    for (int32_t i = 0; i < s.len;) {
        int32_t at = i;
        UChar32 c = next_char(s, &i);
        enum derived d = derive(c);
        if (d == DISALLOWED || (d == FREE_ONLY && !freeform) ||
            ((d == CONTEXT_J || d == CONTEXT_O) && !context_allows(s, at, c)))
            return false;
    }
    return true;
}

/* ---- direction (RFC 5893 2) ---- */

static uint32_t bidi_bit(UChar32 c)
{
    return U_MASK(u_charDirection(c));
}

enum { LTR = U_LEFT_TO_RIGHT, RTL = U_RIGHT_TO_LEFT, AL = U_RIGHT_TO_LEFT_ARABIC };

/* The Bidi Rule; strings without anything that runs right to left need not follow it. */
static bool direction_allows(struct text s)
{
    const uint32_t weak = U_MASK(U_EUROPEAN_NUMBER_SEPARATOR) | U_MASK(U_COMMON_NUMBER_SEPARATOR) |
                          U_MASK(U_EUROPEAN_NUMBER_TERMINATOR) | U_MASK(U_OTHER_NEUTRAL) |
                          U_MASK(U_BOUNDARY_NEUTRAL) | U_MASK(U_DIR_NON_SPACING_MARK);
    const uint32_t en = U_MASK(U_EUROPEAN_NUMBER), an = U_MASK(U_ARABIC_NUMBER);
    const uint32_t right = U_MASK(RTL) | U_MASK(AL);
    uint32_t seen = 0, first = 0, last = 0;

    for (int32_t i = 0; i < s.len;) {
        UChar32 c = next_char(s, &i);

        uint32_t bit = bidi_bit(c);
        if (!seen)
            first = bit;
        if (bit != U_MASK(U_DIR_NON_SPACING_MARK))
            last = bit;
        seen |= bit;
    }
    if (!(seen & (right | an)))
        return true;
    if (first & right)
        return !(seen & ~(right | an | en | weak)) && (last & (right | en | an)) &&
               !((seen & en) && (seen & an));
    return (first & U_MASK(LTR)) && !(seen & ~(U_MASK(LTR) | en | weak)) &&
           (last & (U_MASK(LTR) | en));
}

/* ---- mappings ---- */

/* UTF-16 on the heap, wiped when done. */
struct wide {
    UChar *at;
    int32_t len, cap;
};

static struct wide wide_new(int32_t cap)
{
    return (struct wide){mem_array((size_t)cap + 1, sizeof(UChar)), 0, cap};
}

static void wide_done(struct wide *w)
{
    mem_wipe(w->at, ((size_t)w->cap + 1) * sizeof(UChar));
    free(w->at);
}

/* Take `next` in place of *w. */
static void wide_replace(struct wide *w, struct wide next)
{
    wide_done(w);
    *w = next;
}

static bool wide_from_utf8(struct slice s, struct wide *out)
{
    UErrorCode status = U_ZERO_ERROR;
    struct wide w = wide_new((int32_t)s.len);

    u_strFromUTF8(w.at, w.cap, &w.len, (const char *)s.ptr, (int32_t)s.len, &status);
    *out = w;
    return U_SUCCESS(status);
}

static struct slice wide_to_utf8(const struct wide *w, struct arena *in)
{
    UErrorCode status = U_ZERO_ERROR;
    int32_t cap = w->len * 3, len = 0;
    char *to = arena_alloc(in, (size_t)cap + 1);

    u_strToUTF8(to, cap, &len, w->at, w->len, &status);
    return U_SUCCESS(status) ? slice_of(to, (size_t)len) : SLICE_EMPTY;
}

static void wide_append(struct wide *w, UChar32 c)
{
    UBool full = false;

    U16_APPEND(w->at, w->len, w->cap, c, full);
    assert(!full);
}

/* Fullwidth and halfwidth forms to what they are forms of (RFC 8264 5.2.1). */
static UChar32 map_width(UChar32 c)
{
    int32_t type = u_getIntPropertyValue(c, UCHAR_DECOMPOSITION_TYPE);

    if (type != U_DT_WIDE && type != U_DT_NARROW)
        return c;
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2 *nfkc = unorm2_getNFKCInstance(&status);
    UChar to[8];
    int32_t n = unorm2_getRawDecomposition(nfkc, c, to, 8, &status);
    int32_t first = 0;
    return U_SUCCESS(status) && n > 0 ? next_char((struct text){to, n}, &first) : c;
}

/* RFC 8265 4.2.2: non-ASCII blanks become U+0020. */
static UChar32 map_blank(UChar32 c)
{
    return c > 0x7F && u_charType(c) == U_SPACE_SEPARATOR ? ' ' : c;
}

static void map_each(struct wide *w, UChar32 (*map)(UChar32))
{
    struct wide next = wide_new(w->len);

    for (int32_t i = 0; i < w->len;) {
        UChar32 c = next_char((struct text){w->at, w->len}, &i);

        wide_append(&next, map(c));
    }
    wide_replace(w, next);
}

static bool map_case(struct wide *w)
{
    UErrorCode status = U_ZERO_ERROR;
    struct wide next = wide_new(w->len * 3);

    next.len = u_strToLower(next.at, next.cap, w->at, w->len, "", &status);
    wide_replace(w, next);
    return U_SUCCESS(status);
}

static bool map_nfc(struct wide *w)
{
    UErrorCode status = U_ZERO_ERROR;
    struct wide next = wide_new(w->len * 3);

    next.len =
        unorm2_normalize(unorm2_getNFCInstance(&status), w->at, w->len, next.at, next.cap, &status);
    wide_replace(w, next);
    return U_SUCCESS(status);
}

/* ---- profiles ---- */

/* Each userpart between blanks is of the IdentifierClass and runs one way. */
static bool userparts_allowed(const struct wide *w)
{
    int32_t from = 0;

    if (w->len == 0 || w->at[0] == ' ' || w->at[w->len - 1] == ' ')
        return false;
    for (int32_t i = 0; i <= w->len; i++) {
        struct text part = {w->at + from, i - from};

        if (i < w->len && w->at[i] != ' ')
            continue;
        if (part.len && (!class_allows(part, false) || !direction_allows(part)))
            return false;
        from = i + 1;
    }
    return true;
}

/* Enforcement once (RFC 8265 3.3.3): preparation, then the mappings in their order. */
static bool username_once(struct wide *w)
{
    map_each(w, map_width);
    return userparts_allowed(w) && map_case(w) && map_nfc(w) && userparts_allowed(w);
}

/* Visible ASCII and inner blanks need but lower case: nearly every name there is. */
static bool ascii_username(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < 0x20 || s.ptr[i] > 0x7E)
            return false;
    return s.len && s.ptr[0] != ' ' && s.ptr[s.len - 1] != ' ';
}

static struct slice lowered(struct slice s, struct arena *in)
{
    uint8_t *to = arena_alloc(in, s.len + 1);

    for (size_t i = 0; i < s.len; i++)
        to[i] = ascii_lower(s.ptr[i]);
    return slice_of(to, s.len);
}

struct err precis_username(struct slice given, struct arena *in, struct slice *out)
{
    struct wide w;

    if (given.len == 0 || given.len > PRECIS_MAX || !slice_is_utf8(given))
        return ERR(ERR_INVALID, "a name is one or more characters of UTF-8");
    if (ascii_username(given)) {
        *out = lowered(given, in);
        return OK;
    }
    bool ok = wide_from_utf8(given, &w) && username_once(&w);
    bool stable = false;
    /* RFC 8264 7: repeat until nothing changes, for the rules may feed one another. */
    for (int round = 0; ok && !stable && round < 3; round++) {
        struct wide again = wide_new(w.len);

        u_memcpy(again.at, w.at, w.len);
        again.len = w.len;
        ok = username_once(&again);
        stable = ok && again.len == w.len && u_memcmp(again.at, w.at, w.len) == 0;
        wide_replace(&w, again);
    }
    struct slice name = ok && stable ? wide_to_utf8(&w, in) : SLICE_EMPTY;
    wide_done(&w);
    if (name.len == 0)
        return ERR(ERR_INVALID, "the name has a character that names may not have");
    *out = name;
    return OK;
}

static bool ascii_opaque(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < 0x20 || s.ptr[i] > 0x7E)
            return false;
    return true;
}

struct err precis_opaque(struct slice given, struct arena *in, struct slice *out)
{
    struct wide w;

    if (given.len == 0 || given.len > PRECIS_MAX || !slice_is_utf8(given))
        return ERR(ERR_INVALID, "a secret is one or more characters of UTF-8");
    if (ascii_opaque(given)) {
        *out = given;
        return OK;
    }
    bool ok = wide_from_utf8(given, &w);
    if (ok) {
        map_each(&w, map_blank);
        ok = map_nfc(&w) && class_allows((struct text){w.at, w.len}, true);
    }
    struct slice secret = ok ? wide_to_utf8(&w, in) : SLICE_EMPTY;
    wide_done(&w);
    if (secret.len == 0)
        return ERR(ERR_INVALID, "the secret has a character that secrets may not have");
    *out = secret;
    return OK;
}
