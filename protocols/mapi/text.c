/* text.c - order and equality of text, by ICU. */
#include "protocols/mapi/text.h"

#include <pthread.h>
#include <stdlib.h>
#include <unicode/uchar.h>
#include <unicode/ucol.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include "base/mem.h"
#include "base/utf.h"

/* One for all: a collator that nobody changes is used by any number of threads. */
static UCollator *collator;

static void open_collator(void)
{
    UErrorCode status = U_ZERO_ERROR;

    collator = ucol_open("", &status);
    if (U_SUCCESS(status))
        ucol_setStrength(collator, UCOL_SECONDARY);
    else
        collator = NULL;
}

static const UCollator *the_collator(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, open_collator);
    return collator;
}

int text_order(struct slice a, struct slice b)
{
    UErrorCode status = U_ZERO_ERROR;
    const UCollator *c = the_collator();

    if (!c || a.len > INT32_MAX || b.len > INT32_MAX)
        return slice_order(a, b);
    return (int)ucol_strcollUTF8(c, (const char *)a.ptr, (int32_t)a.len, (const char *)b.ptr,
                                 (int32_t)b.len, &status);
}

/* ---- UTF-16, for those functions of ICU that take no other ---- */

struct wide {
    UChar *text;
    int32_t len;
    UChar small[256];
};

static void wide_init(struct wide *w, struct slice text)
{
    UErrorCode status = U_ZERO_ERROR;
    size_t room = text.len + 1; /* no more units than bytes */

    w->text =
        room <= sizeof w->small / sizeof *w->small ? w->small : mem_array(room, sizeof *w->text);
    w->len = 0;
    u_strFromUTF8WithSub(w->text, (int32_t)room, &w->len, (const char *)text.ptr, (int32_t)text.len,
                         UTF_REPLACEMENT, NULL, &status);
}

static void wide_done(struct wide *w)
{
    if (w->text != w->small)
        free(w->text);
}

void text_put_key(struct buf *out, struct slice text)
{
    const UCollator *c = the_collator();
    struct wide w;

    if (!c) {
        buf_put(out, text);
        buf_putc(out, 0);
        return;
    }
    wide_init(&w, text);
    int32_t room = 3 * w.len + 16; /* mostly enough */
    uint8_t *to = buf_reserve(out, (size_t)room);
    int32_t len = to ? ucol_getSortKey(c, w.text, w.len, to, room) : 0;

    if (len > room) {
        to = buf_reserve(out, (size_t)len);
        len = to ? ucol_getSortKey(c, w.text, w.len, to, len) : 0;
    }
    if (to)
        buf_commit(out, (size_t)len); /* ends in 0 */
    wide_done(&w);
}

/* ---- folding ---- */

static const UNormalizer2 *normalizer(unsigned flags)
{
    UErrorCode status = U_ZERO_ERROR;

    return flags & TEXT_IGNORE_MARKS  ? unorm2_getNFDInstance(&status)
           : flags & TEXT_IGNORE_CASE ? unorm2_getNFKCCasefoldInstance(&status)
                                      : unorm2_getNFCInstance(&status);
}

/* The code point at *at, which is moved behind it. ICU makes no lone surrogates. */
static uint32_t take(const UChar *text, int32_t len, int32_t *at)
{
    uint32_t c = text[(*at)++];

    if (c >= 0xD800 && c < 0xDC00 && *at < len)
        c = 0x10000 + ((c - 0xD800) << 10) + (text[(*at)++] - 0xDC00u);
    return c;
}

static void put_wide(struct buf *out, const UChar *text, int32_t len, bool without_marks)
{
    for (int32_t i = 0; i < len;) {
        uint32_t c = take(text, len, &i);

        if (!without_marks || u_charType((UChar32)c) != U_NON_SPACING_MARK)
            utf8_put(out, c);
    }
}

static void put_normalized(struct buf *out, struct slice text, unsigned flags)
{
    const UNormalizer2 *n = normalizer(flags);
    UErrorCode status = U_ZERO_ERROR;
    struct wide w;

    wide_init(&w, text);
    int32_t room = 4 * w.len + 16;
    UChar *made = mem_array((size_t)room, sizeof *made);
    int32_t len = unorm2_normalize(n, w.text, w.len, made, room, &status);

    if (status == U_BUFFER_OVERFLOW_ERROR) {
        status = U_ZERO_ERROR;
        room = len;
        made = mem_grow(made, (size_t)room, sizeof *made);
        len = unorm2_normalize(n, w.text, w.len, made, room, &status);
    }
    if (U_SUCCESS(status))
        put_wide(out, made, len, flags & TEXT_IGNORE_MARKS);
    free(made);
    wide_done(&w);
}

static void put_ascii(struct buf *out, struct slice text, unsigned flags)
{
    uint8_t *to = buf_reserve(out, text.len);

    for (size_t i = 0; to && i < text.len; i++)
        to[i] = flags & TEXT_IGNORE_CASE ? ascii_lower(text.ptr[i]) : text.ptr[i];
    if (to)
        buf_commit(out, text.len);
}

void text_fold(struct buf *out, struct slice text, unsigned flags)
{
    struct buf plain = buf_make(SIZE_MAX);

    if (flags & TEXT_LOOSE)
        flags |= TEXT_IGNORE_CASE | TEXT_IGNORE_MARKS;
    if (slice_is_ascii(text)) {
        put_ascii(out, text, flags);
    } else if (flags & TEXT_IGNORE_MARKS) {
        put_normalized(&plain, text, flags & ~(unsigned)TEXT_IGNORE_CASE);
        text_fold(out, buf_slice(&plain), flags & TEXT_IGNORE_CASE);
    } else {
        put_normalized(out, text, flags);
    }
    buf_done(&plain);
}
