#include "gateway/net/deflate.h"

#include "base/mem.h"

#include <zlib.h>

enum {
    MAX_WAITING = 1024 * 1024, /* reading stops long before */
    WINDOW = 32 * 1024,
    RAW_WINDOW_BITS = -15, /* no zlib header (RFC 4978 3) */
    MEM_LEVEL = 8,
    LEVEL = 4, /* where speed and size meet for mail */
};

struct deflate {
    z_stream inflater, deflater;
    bool inflating, deflating; /* the streams have memory */
    bool aligned;              /* the inflater is between two blocks, with no bits left over */
    struct buf waiting;
    uint8_t *window; /* the inflater's, while it rests */
    uInt window_len;
};

struct deflate *deflate_new(void)
{
    struct deflate *d = mem_new(sizeof *d);

    d->waiting = buf_make(MAX_WAITING);
    d->aligned = true;
    return d;
}

void deflate_free(struct deflate *d)
{
    if (!d)
        return;
    if (d->inflating)
        inflateEnd(&d->inflater);
    if (d->deflating)
        deflateEnd(&d->deflater);
    buf_done(&d->waiting);
    free(d->window);
    free(d);
}

struct err deflate_feed(struct deflate *d, struct slice packed)
{
    buf_put(&d->waiting, packed);
    return d->waiting.failed ? ERR(ERR_TOO_BIG, "too much compressed input waits") : OK;
}

size_t deflate_waiting(const struct deflate *d)
{
    return d->waiting.len;
}

static void start_inflating(struct deflate *d)
{
    d->inflater = (z_stream){0};
    if (inflateInit2(&d->inflater, RAW_WINDOW_BITS) != Z_OK)
        abort(); /* out of memory: as mem_new() */
    if (d->window_len)
        inflateSetDictionary(&d->inflater, d->window, d->window_len);
    free(d->window);
    d->window = NULL;
    d->window_len = 0;
    d->inflating = true;
}

struct err deflate_read(struct deflate *d, uint8_t *dst, size_t size, size_t *len)
{
    struct slice in = buf_slice(&d->waiting);

    if (!d->inflating) {
        if (!in.len) {
            *len = 0;
            return OK;
        }
        start_inflating(d);
    }
    z_stream *z = &d->inflater;
    z->next_in = (Bytef *)(uintptr_t)in.ptr;
    z->avail_in = (uInt)in.len;
    z->next_out = dst;
    z->avail_out = (uInt)size;
    int rc = inflate(z, Z_SYNC_FLUSH);
    /* zlib.h, inflate(): 128 says "right after a block", the low bits count unused bits. */
    d->aligned = z->data_type == 128 && z->avail_out > 0;
    buf_consume(&d->waiting, in.len - z->avail_in);
    if (!d->waiting.len)
        buf_done(&d->waiting);
    *len = size - z->avail_out;
    /* What came before the end or the damage counts; the next call says the same and gives nothing.
     */
    if (rc == Z_OK || rc == Z_BUF_ERROR || *len > 0)
        return OK;
    return ERR(ERR_SYNTAX, "compressed input is damaged or ended");
}

static void start_deflating(struct deflate *d)
{
    d->deflater = (z_stream){0};
    if (deflateInit2(&d->deflater, LEVEL, Z_DEFLATED, RAW_WINDOW_BITS, MEM_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    d->deflating = true;
}

void deflate_write(struct deflate *d, struct slice plain, struct buf *out)
{
    if (!plain.len)
        return;
    /* A new deflater may continue an old one's stream: it starts on a byte boundary, between
     * blocks, and refers to nothing that went before. */
    if (!d->deflating)
        start_deflating(d);
    z_stream *z = &d->deflater;
    z->next_in = (Bytef *)(uintptr_t)plain.ptr;
    z->avail_in = (uInt)plain.len;
    do {
        size_t size = deflateBound(z, z->avail_in) + 64;
        uint8_t *dst = buf_reserve(out, size);

        if (!dst)
            return;
        z->next_out = dst;
        z->avail_out = (uInt)size;
        deflate(z, Z_SYNC_FLUSH);
        buf_commit(out, size - z->avail_out);
    } while (z->avail_out == 0);
}

void deflate_rest(struct deflate *d)
{
    if (d->deflating) {
        deflateEnd(&d->deflater);
        d->deflating = false;
    }
    if (d->inflating && d->aligned && !d->waiting.len) {
        uint8_t window[WINDOW];
        uInt len = 0;

        if (inflateGetDictionary(&d->inflater, window, &len) != Z_OK)
            return;
        if (len) {
            d->window = mem_array(len, 1);
            memcpy(d->window, window, len);
            d->window_len = len;
        }
        inflateEnd(&d->inflater);
        d->inflating = false;
    }
}
