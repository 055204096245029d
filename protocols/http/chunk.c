/*
 * chunk.c - the chunked coding of a request (RFC 9112 7.1), without any leniency: where two
 * programs could disagree on where a body ends, there is no body but a 400.
 */
#include "protocols/http/http_int.h"

static unsigned size_digit(struct http_chunks *c, uint8_t byte)
{
    if (c->left >> 60)
        return 413;
    c->left = c->left << 4 | (uint64_t)ascii_hex(byte);
    c->state = CHUNK_SIZE;
    return 0;
}

/* Behind the digits: an extension, which nobody here knows (RFC 9112 7.1.1), or the end. */
static unsigned size_tail(struct http_chunks *c, uint8_t byte)
{
    if (byte == '\r') {
        /* Blanks alone end nothing: they may stand before an extension only. */
        if (c->state == CHUNK_BLANK)
            return 400;
        c->state = CHUNK_SIZE_LF;
    } else if (c->state == CHUNK_EXTENSION) {
        return http_is_field_byte(byte) ? 0 : 400;
    } else if (byte == ';') {
        c->state = CHUNK_EXTENSION;
    } else if (byte == ' ' || byte == '\t') {
        c->state = CHUNK_BLANK;
    } else {
        return 400;
    }
    return 0;
}

static unsigned size_line(struct http_chunks *c, uint8_t byte)
{
    if (++c->line > HTTP_CHUNK_LINE_MAX)
        return 400;
    if (ascii_hex(byte) >= 0 && c->state <= CHUNK_SIZE)
        return size_digit(c, byte);
    return c->state == CHUNK_SIZE_FIRST ? 400 : size_tail(c, byte);
}

static void size_known(struct http_chunks *c)
{
    c->state = c->left ? CHUNK_DATA : CHUNK_TRAILER;
    c->line = 0;
}

/* A trailer field is read for its form and left alone (RFC 9110 6.5.1). */
static unsigned trailer(struct http_chunks *c, uint8_t byte)
{
    bool first = c->state == CHUNK_TRAILER;

    c->line++;
    if (byte == '\r') {
        if (!first && c->in_name)
            return 400;
        c->state = first ? CHUNK_LAST_LF : CHUNK_TRAILER_LF;
        return 0;
    }
    if (first)
        c->in_name = true;
    if (byte == ':' && c->in_name && !first)
        c->in_name = false;
    else if (c->in_name ? !http_is_token(slice_of(&byte, 1)) : !http_is_field_byte(byte))
        return 400;
    c->state = CHUNK_TRAILER_LINE;
    return 0;
}

static unsigned wants(struct http_chunks *c, uint8_t byte, uint8_t wanted,
                      enum http_chunk_state then)
{
    c->state = then;
    return byte == wanted ? 0 : 400;
}

static unsigned one_byte(struct http_chunks *c, uint8_t byte)
{
    switch (c->state) {
    case CHUNK_SIZE_FIRST:
    case CHUNK_SIZE:
    case CHUNK_BLANK:
    case CHUNK_EXTENSION:
        return size_line(c, byte);
    case CHUNK_SIZE_LF:
        size_known(c);
        return byte == '\n' ? 0 : 400;
    case CHUNK_DATA_CR:
        return wants(c, byte, '\r', CHUNK_DATA_LF);
    case CHUNK_DATA_LF:
        return wants(c, byte, '\n', CHUNK_SIZE_FIRST);
    case CHUNK_TRAILER:
    case CHUNK_TRAILER_LINE:
        return trailer(c, byte);
    case CHUNK_TRAILER_LF:
        return wants(c, byte, '\n', CHUNK_TRAILER);
    case CHUNK_LAST_LF:
        return wants(c, byte, '\n', CHUNK_END);
    case CHUNK_DATA:
    case CHUNK_END:
        break;
    }
    return 400;
}

static void take_data(struct http_chunks *c, struct slice *in, size_t room, struct buf *out)
{
    struct slice some = slice_head(*in, c->left < room ? (size_t)c->left : room);

    buf_put(out, some);
    *in = slice_from(*in, some.len);
    c->left -= some.len;
    if (c->left == 0)
        c->state = CHUNK_DATA_CR;
}

unsigned http_chunks_take(struct http_chunks *c, struct slice *in, size_t room, uint64_t max_body,
                          size_t max_trailers, struct buf *out)
{
    size_t before = out->len;

    while (in->len && c->state != CHUNK_END) {
        if (c->state == CHUNK_DATA) {
            if (out->len - before >= room)
                return 0;
            take_data(c, in, room - (out->len - before), out);
            continue;
        }
        unsigned wrong = one_byte(c, in->ptr[0]);
        if (wrong)
            return wrong;
        *in = slice_from(*in, 1);
        if (c->state == CHUNK_DATA) {
            if (c->left > max_body - c->total)
                return 413;
            c->total += c->left;
        }
        if (c->state >= CHUNK_TRAILER && c->line > max_trailers)
            return 431;
    }
    return 0;
}
