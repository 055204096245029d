/*
 * search_bytes.c - what of a message's bytes SEARCH BODY and TEXT look at.
 *
 * Of a small message, all. Of a large one only headers and text: a mailbox full of photographs is
 * searched without reading them.
 */
#include "protocols/imap/search.h"

enum { SMALL_MESSAGE = 64 * 1024 };

static struct err copy_range(struct store_read *rd, const struct message_row *row,
                             struct mime_range range, uint8_t *to)
{
    uint64_t done = 0;

    while (done < range.len) {
        struct slice piece;
        struct err e = store_message_piece(rd, row, range.start + done, range.len - done, &piece);

        if (failed(e))
            return e;
        memcpy(to + done, piece.ptr, piece.len);
        done += piece.len;
    }
    return OK;
}

/* Will mime_search_message() look at the body? `header` is the part's. */
static bool is_text(const struct mime_part *part, struct slice header, struct arena *in)
{
    struct mime_type type;

    if (part->kind != MIME_LEAF)
        return false;
    mime_content_type(header, false, in, &type);
    return slice_eq(type.type, S("text")) || slice_eq(type.type, S("message"));
}

/* Headers and texts, one behind the other, and the table of parts that says where they are now. */
static struct err load_texts(struct store_read *rd, const struct message_row *row, struct arena *in,
                             struct slice *bytes, struct mime *parts)
{
    uint64_t room = 0, at = 0;

    for (uint32_t i = 0; i < parts->n_parts; i++) {
        struct mime_part *part = &parts->parts[i];
        struct slice header;
        struct err e =
            store_message_bytes(rd, row, part->header.start, part->header.len, in, &header);

        if (failed(e))
            return e;
        if (!is_text(part, header, in))
            part->body.len = 0;
        room += part->header.len + part->body.len;
    }
    uint8_t *to = arena_alloc(in, room);
    for (uint32_t i = 0; i < parts->n_parts; i++) {
        struct mime_range *ranges[] = {&parts->parts[i].header, &parts->parts[i].body};

        for (size_t k = 0; k < 2; k++) {
            struct err e = copy_range(rd, row, *ranges[k], to + at);

            if (failed(e))
                return e;
            ranges[k]->start = at;
            at += ranges[k]->len;
        }
    }
    *bytes = slice_of(to, room);
    return OK;
}

struct err search_load(struct store_read *rd, const struct message_row *row,
                       const struct message_meta *meta, struct arena *in, struct slice *bytes,
                       struct mime *parts)
{
    struct err e = mime_decode(meta->parts, row->size, in, parts);

    if (failed(e))
        return e;
    if (row->size <= SMALL_MESSAGE)
        return store_message_bytes(rd, row, 0, row->size, in, bytes);
    return load_texts(rd, row, in, bytes, parts);
}
