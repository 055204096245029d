#include "store/mime/mime_int.h"

/*
 * The form a structure is stored in: a version byte, the number of parts, and of each part in
 * order: kind and depth, where its header starts behind the one before, the lengths of header and
 * body, lines. Links follow from the depths, and a body starts where its header ends.
 */

enum { CODEC_VERSION = 1, KINDS = 3 };

static void put_varint(struct buf *out, uint64_t n)
{
    for (; n >= 0x80; n >>= 7)
        buf_putc(out, (uint8_t)(n | 0x80));
    buf_putc(out, (uint8_t)n);
}

static bool take_varint(struct slice *s, uint64_t *n)
{
    *n = 0;
    for (unsigned shift = 0; s->len && shift < 64; shift += 7) {
        uint8_t c = s->ptr[0];

        *s = slice_from(*s, 1);
        if (shift == 63 && c > 1)
            return false;
        *n |= (uint64_t)(c & 0x7F) << shift;
        if (c < 0x80)
            return true;
    }
    return false;
}

void mime_encode(const struct mime *mime, struct buf *out)
{
    uint32_t depth = 0, last = 0;
    uint64_t start = 0;

    buf_putc(out, CODEC_VERSION);
    put_varint(out, mime->n_parts);
    for (uint32_t i = 0; i < mime->n_parts; i++) {
        const struct mime_part *part = &mime->parts[i];

        /* Climb from the part before to this one's parent. */
        for (; i > 0 && last != part->parent; last = mime->parts[last].parent)
            depth--;
        depth += i > 0;
        last = i;
        put_varint(out, depth * KINDS + (uint32_t)part->kind);
        put_varint(out, part->header.start - start);
        put_varint(out, part->header.len);
        put_varint(out, part->body.len);
        put_varint(out, part->lines);
        start = part->header.start;
    }
}

static const struct err corrupt = {ERR_CORRUPT, "stored message structure is damaged"};

/* The way down to the part decoded last. */
struct path {
    uint32_t open[MIME_MAX_DEPTH + 1];
    uint32_t last_child[MIME_MAX_DEPTH + 1];
    uint32_t depth;
};

static bool fits(uint64_t start, uint64_t len, uint64_t from, uint64_t to)
{
    return start >= from && start <= to && len <= to - start;
}

static bool take_part(struct slice *bytes, uint64_t before, uint64_t end, struct mime_part *part,
                      uint64_t *depth)
{
    uint64_t tag, skip, lines;

    if (!take_varint(bytes, &tag) || !take_varint(bytes, &skip) ||
        !take_varint(bytes, &part->header.len) || !take_varint(bytes, &part->body.len) ||
        !take_varint(bytes, &lines) || lines > UINT32_MAX || lines > part->body.len ||
        skip > end - before)
        return false;
    *depth = tag / KINDS;
    part->kind = (enum mime_kind)(tag % KINDS);
    part->lines = (uint32_t)lines;
    part->header.start = before + skip;
    if (part->header.len > end - part->header.start)
        return false;
    part->body.start = part->header.start + part->header.len;
    return part->body.len <= end - part->body.start;
}

/* Hang part `i` below the one that its depth says. */
static bool link_part(struct mime_part *parts, uint32_t i, uint64_t depth, struct path *path)
{
    struct mime_part *part = &parts[i];

    if (i == 0) {
        path->depth = 0;
        return depth == 0;
    }
    if (depth == 0 || depth > path->depth + 1 || depth > MIME_MAX_DEPTH)
        return false;
    uint32_t level = (uint32_t)depth - 1;
    struct mime_part *parent = &parts[path->open[level]];
    uint32_t *last = &path->last_child[level];
    if (depth == path->depth + 1)
        *last = 0;
    if (parent->kind == MIME_LEAF || (parent->kind == MIME_MESSAGE && *last) ||
        !fits(part->header.start, part->header.len + part->body.len, parent->body.start,
              parent->body.start + parent->body.len))
        return false;
    part->parent = path->open[level];
    if (*last)
        parts[*last].next = i;
    else
        parent->first_child = i;
    *last = i;
    path->depth = (uint32_t)depth;
    return true;
}

struct err mime_decode(struct slice bytes, uint64_t message_len, struct arena *in, struct mime *out)
{
    uint64_t n, start = 0;
    struct path path = {.depth = 0};

    if (bytes.len == 0 || bytes.ptr[0] != CODEC_VERSION)
        return corrupt;
    bytes = slice_from(bytes, 1);
    /* Five bytes a part at least: so a damaged count cannot ask for much memory. */
    if (!take_varint(&bytes, &n) || n == 0 || n > MIME_MAX_PARTS || n > bytes.len / 5)
        return corrupt;

    struct mime_part *parts = arena_array(in, n, sizeof *parts);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t depth;

        if (!take_part(&bytes, start, message_len, &parts[i], &depth) ||
            !link_part(parts, i, depth, &path))
            return corrupt;
        path.open[depth] = i;
        start = parts[i].header.start;
    }
    for (uint32_t i = 0; i < n; i++)
        if (parts[i].kind != MIME_LEAF && !parts[i].first_child)
            return corrupt;
    if (bytes.len)
        return corrupt;
    *out = (struct mime){parts, (uint32_t)n, MIME_MAX_HEADER};
    return OK;
}
