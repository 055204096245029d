#include "base/buf.h"

#include "base/mem.h"

void buf_done(struct buf *b)
{
    free(b->data);
    *b = buf_make(b->max);
}

void buf_wipe(struct buf *b)
{
    mem_wipe(b->data, b->cap);
    buf_done(b);
}

void buf_clear(struct buf *b)
{
    b->head = b->len = 0;
    b->failed = false;
}

/* Move what waits to the front, into new memory where the old is too small. */
static void make_room(struct buf *b, size_t need)
{
    if (need <= b->cap) {
        memmove(b->data, b->data + b->head, b->len);
    } else {
        size_t cap = b->cap ? b->cap : 64;

        while (cap < need)
            cap *= 2;
        if (cap > b->max) /* need is not: a cap bounds the memory too */
            cap = b->max;
        uint8_t *data = mem_grow(NULL, cap, 1);
        if (b->len)
            memcpy(data, b->data + b->head, b->len);
        /* The old copy may have held a secret of a line being parsed. */
        mem_wipe(b->data, b->head + b->len);
        free(b->data);
        b->data = data;
        b->cap = cap;
    }
    b->head = 0;
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
    if (b->failed || n > b->max - b->len) {
        b->failed = true;
        return NULL;
    }
    if (b->head + b->len + n > b->cap)
        make_room(b, b->len + n);
    return b->data ? b->data + b->head + b->len : (uint8_t *)"";
}

void buf_commit(struct buf *b, size_t n)
{
    b->len += n;
}

void buf_put(struct buf *b, struct slice s)
{
    uint8_t *to = buf_reserve(b, s.len);

    if (!to || s.len == 0)
        return;
    memcpy(to, s.ptr, s.len);
    b->len += s.len;
}

void buf_puts(struct buf *b, const char *text)
{
    buf_put(b, slice_str(text));
}

void buf_putc(struct buf *b, uint8_t byte)
{
    buf_put(b, slice_of(&byte, 1));
}

void buf_put_u64(struct buf *b, uint64_t n)
{
    uint8_t digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (uint8_t)('0' + n % 10);
        n /= 10;
    } while (n);
    buf_put(b, slice_of(digits + at, sizeof digits - at));
}

void buf_vprintf(struct buf *b, const char *format, va_list args)
{
    va_list again;

    va_copy(again, args);
    int need = vsnprintf(NULL, 0, format, again);
    va_end(again);
    uint8_t *to = need < 0 ? NULL : buf_reserve(b, (size_t)need + 1);
    if (!to) {
        b->failed = true;
        return;
    }
    vsnprintf((char *)to, (size_t)need + 1, format, args);
    b->len += (size_t)need;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}

void buf_consume(struct buf *b, size_t n)
{
    if (n > b->len)
        n = b->len;
    b->len -= n;
    b->head = b->len ? b->head + n : 0;
}

void buf_truncate(struct buf *b, size_t len)
{
    if (len < b->len)
        b->len = len;
}
