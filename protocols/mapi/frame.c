#include "protocols/mapi/frame.h"

#include "protocols/mapi/lz77.h"
#include "protocols/mapi/wire.h"

/* [MS-OXCRPC] 2.2.2.1 */
enum { FLAG_COMPRESSED = 1, FLAG_XOR_MAGIC = 2, FLAG_LAST = 4, XOR_MAGIC = 0xA5 };

static struct slice unmasked(struct slice bytes, struct arena *arena)
{
    uint8_t *plain = arena_alloc(arena, bytes.len + 1);

    for (size_t i = 0; i < bytes.len; i++)
        plain[i] = bytes.ptr[i] ^ XOR_MAGIC;
    return slice_of(plain, bytes.len);
}

static struct err inflate(struct slice bytes, size_t size, struct arena *arena, struct slice *out)
{
    uint8_t *plain;

    if (size > FRAME_PAYLOAD_MAX)
        return ERR(ERR_SYNTAX, "a compressed payload says that it is too long");
    plain = arena_alloc(arena, size + 1);
    if (!lz77_decompress(bytes, plain, size))
        return ERR(ERR_SYNTAX, "a compressed payload is malformed");
    *out = slice_of(plain, size);
    return OK;
}

struct err frame_read(struct slice in, struct arena *arena, struct slice *payload)
{
    struct wire w = wire_of(in, arena);
    uint16_t version = wire_u16(&w), flags = wire_u16(&w), size = wire_u16(&w);
    uint16_t actual = wire_u16(&w);
    struct slice bytes = wire_bytes(&w, size);

    if (w.failed || w.rest.len || version != 0)
        return ERR(ERR_SYNTAX, "an extended header does not fit its buffer");
    if (!(flags & FLAG_LAST))
        return ERR(ERR_SYNTAX, "a buffer in several parts was not offered");
    if (flags & FLAG_XOR_MAGIC)
        bytes = unmasked(bytes, arena);
    if (flags & FLAG_COMPRESSED)
        return inflate(bytes, actual, arena, payload);
    if (size != actual)
        return ERR(ERR_SYNTAX, "an uncompressed payload has two sizes");
    *payload = bytes;
    return OK;
}

void frame_put(struct buf *out, struct slice payload)
{
    wire_put_u16(out, 0);
    wire_put_u16(out, FLAG_LAST);
    wire_put_u16(out, (uint16_t)payload.len);
    wire_put_u16(out, (uint16_t)payload.len);
    buf_put(out, payload);
}
