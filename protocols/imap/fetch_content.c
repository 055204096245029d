#include "protocols/imap/fetch.h"

/* How many encoded bytes are decoded at a time, and in one pull where nothing comes of them. */
enum { DECODE_AT_ONCE = 16 * 1024, DECODE_PER_PULL = 1024 * 1024 };

void content_reader_done(struct content_reader *reader)
{
    buf_done(&reader->side);
    *reader = (struct content_reader){.side = buf_make(SIZE_MAX)};
}

void content_cut(struct content *content, const struct fetch_item *item)
{
    uint64_t skip = item->partial ? item->from : 0;

    content->skip = skip < content->total ? skip : content->total;
    content->len = content->total - content->skip;
    if (item->partial && content->len > item->count)
        content->len = item->count;
}

/* All header fields that the section picks, into reader->side. */
static struct err pick_fields(const struct content *content, struct content_reader *reader,
                              struct store_read *rd, const struct message_row *row)
{
    struct arena copy = ARENA_INIT;
    struct slice header;

    struct err e =
        store_message_bytes(rd, row, content->range.start, content->range.len, &copy, &header);
    if (!failed(e)) {
        reader->side.max = SIZE_MAX;
        section_put_fields(content->section, header, &reader->side);
    }
    arena_done(&copy);
    return e;
}

/* Decode the next bytes of a part into reader->side, or find that it has ended. */
static struct err decode_some(const struct content *content, struct content_reader *reader,
                              struct store_read *rd, const struct message_row *row, uint64_t *taken)
{
    struct slice piece;
    size_t before = reader->side.len;

    if (!reader->started) {
        mime_decoder_init(&reader->decoder, content->encoding);
        reader->side.max = SIZE_MAX;
        reader->started = true;
    }
    *taken = 0;
    if (reader->raw < content->range.len) {
        uint64_t left = content->range.len - reader->raw;
        struct err e = store_message_piece(rd, row, content->range.start + reader->raw,
                                           left < DECODE_AT_ONCE ? left : DECODE_AT_ONCE, &piece);
        if (failed(e))
            return e;
        mime_decode_piece(&reader->decoder, piece, &reader->side);
        reader->raw += piece.len;
        *taken = piece.len;
    }
    if (reader->raw == content->range.len && !reader->ended) {
        mime_decode_end(&reader->decoder, &reader->side);
        reader->ended = true;
    }
    reader->decoded += reader->side.len - before;
    return OK;
}

static struct err measure_decoded(struct content *content, struct content_reader *reader,
                                  struct store_read *rd, const struct message_row *row,
                                  uint64_t *budget)
{
    while (!reader->ended && *budget) {
        uint64_t taken;
        struct err e = decode_some(content, reader, rd, row, &taken);

        if (failed(e))
            return e;
        struct slice made = buf_slice(&reader->side);
        if (slice_index(made, 0) < made.len)
            content->has_nul = true;
        buf_clear(&reader->side);
        *budget -= taken < *budget ? taken : *budget;
    }
    if (reader->ended) {
        content->total = reader->decoded;
        content->measured = true;
    }
    return OK;
}

struct err content_measure(struct content *content, struct content_reader *reader,
                           struct store_read *rd, const struct message_row *row, uint64_t *budget)
{
    if (content->measured)
        return OK;
    if (content->kind == CONTENT_DECODED)
        return measure_decoded(content, reader, rd, row, budget);

    struct err e = pick_fields(content, reader, rd, row);
    if (failed(e))
        return e;
    content->total = reader->side.len;
    content->measured = true;
    buf_clear(&reader->side);
    return OK;
}

/* Bytes as they lie in the store, piece by piece. */
static struct err put_range(const struct content *content, struct content_reader *reader,
                            struct store_read *rd, const struct message_row *row, struct buf *out,
                            size_t room)
{
    uint64_t start = content->range.start + content->skip;

    while (reader->sent < content->len && room) {
        uint64_t left = content->len - reader->sent;
        struct slice piece;
        struct err e =
            store_message_piece(rd, row, start + reader->sent, left < room ? left : room, &piece);

        if (failed(e))
            return e;
        buf_put(out, piece);
        reader->sent += piece.len;
        room -= piece.len;
    }
    return OK;
}

/* Send what waits in `side`, whose first byte is the one at `at` of the whole content. */
static size_t put_side(const struct content *content, struct content_reader *reader, uint64_t at,
                       struct buf *out, size_t room)
{
    struct slice bytes = buf_slice(&reader->side);
    uint64_t left = content->len - reader->sent;

    if (at < content->skip) {
        buf_consume(&reader->side,
                    content->skip - at < bytes.len ? (size_t)(content->skip - at) : bytes.len);
        return 0;
    }
    bytes = slice_head(bytes, room);
    if (bytes.len > left)
        bytes.len = (size_t)left;
    buf_put(out, bytes);
    buf_consume(&reader->side, bytes.len);
    reader->sent += bytes.len;
    return bytes.len;
}

static struct err put_decoded(const struct content *content, struct content_reader *reader,
                              struct store_read *rd, const struct message_row *row, struct buf *out,
                              size_t room)
{
    uint64_t worked = 0;

    while (reader->sent < content->len && room && worked < DECODE_PER_PULL) {
        uint64_t taken;

        if (reader->side.len) {
            room -= put_side(content, reader, reader->decoded - reader->side.len, out, room);
            continue;
        }
        if (reader->ended)
            return ERR(ERR_CORRUPT, "a part is shorter than it was when it was measured");
        struct err e = decode_some(content, reader, rd, row, &taken);
        if (failed(e))
            return e;
        worked += taken;
    }
    return OK;
}

static struct err put_fields(const struct content *content, struct content_reader *reader,
                             struct store_read *rd, const struct message_row *row, struct buf *out,
                             size_t room)
{
    if (!reader->started) {
        struct err e = pick_fields(content, reader, rd, row);

        if (failed(e))
            return e;
        if (reader->side.len != content->total)
            return ERR(ERR_CORRUPT, "a header is not what it was when it was measured");
        buf_consume(&reader->side, (size_t)content->skip);
        reader->started = true;
    }
    put_side(content, reader, content->skip, out, room);
    return OK;
}

struct err content_put(const struct content *content, struct content_reader *reader,
                       struct store_read *rd, const struct message_row *row, struct buf *out,
                       size_t room, bool *complete)
{
    struct err e = content->kind == CONTENT_RANGE ? put_range(content, reader, rd, row, out, room)
                   : content->kind == CONTENT_DECODED
                       ? put_decoded(content, reader, rd, row, out, room)
                       : put_fields(content, reader, rd, row, out, room);

    *complete = !failed(e) && reader->sent == content->len;
    return e;
}
