#include "store/mime/search_int.h"

/* What one search of a message needs: memory that is used again for each part. */
struct search {
    const struct mime_search_key *key;
    struct slice message;
    struct buf decoded; /* a body without its transfer encoding */
    struct buf text;    /* the same in UTF-8; or a header as people see it */
    struct arena arena;
};

/* ---- headers ---- */

static bool has_encoded_words(struct slice s)
{
    return slice_find(s, S("=?")) < s.len;
}

/* Search one value: as it is where it can be, else decoded. */
static bool in_value(const struct mime_search_key *key, struct slice value, struct arena *in)
{
    bool folded = slice_index(value, '\n') < value.len;

    if (key->ascii && !folded && mime_is_ascii(value) && !has_encoded_words(value))
        return mime_search_ascii(key, mime_trim(value));
    return mime_search_in_utf8(key, mime_text(value, in));
}

bool mime_search_header(const struct mime_search_key *key, struct slice header, struct slice name)
{
    struct arena scratch = ARENA_INIT;
    struct mime_field field;
    bool found = false;

    while (!found && mime_next_named(&header, name, &field))
        found = key->folded.len == 0 || in_value(key, field.value, &scratch);
    arena_done(&scratch);
    return found;
}

/* Without folds: line ends before blanks go. */
static void put_unfolded(struct slice header, struct buf *out)
{
    while (header.len) {
        size_t n = line_length(header);
        struct slice line = slice_head(header, n);

        header = slice_from(header, n);
        buf_put(out, header.len && is_blank(header.ptr[0]) ? line_chomp(line) : line);
    }
}

static void put_decoded_header(struct slice header, struct arena *in, struct buf *out)
{
    struct mime_field field;

    while (mime_next_field(&header, &field)) {
        buf_put(out, field.name);
        buf_puts(out, ": ");
        buf_put(out, mime_text(field.value, in));
        buf_puts(out, "\r\n");
    }
}

static bool in_header(struct search *s, struct mime_range range)
{
    struct slice header = slice_sub(s->message, range.start, range.len);

    buf_clear(&s->text);
    if (mime_is_ascii(header) && !has_encoded_words(header)) {
        put_unfolded(header, &s->text);
    } else {
        put_decoded_header(header, &s->arena, &s->text);
        arena_done(&s->arena);
    }
    return mime_search_in_utf8(s->key, buf_slice(&s->text));
}

/* ---- bodies ---- */

/* The body without its transfer encoding: the bytes of the message, if there is nothing to undo. */
static struct slice undo_encoding(struct search *s, struct slice body, enum mime_encoding encoding)
{
    struct mime_decoder d;

    if (encoding == MIME_QP && slice_index(body, '=') == body.len)
        return body;
    if (encoding != MIME_QP && encoding != MIME_BASE64)
        return body;
    buf_clear(&s->decoded);
    mime_decoder_init(&d, encoding);
    mime_decode_piece(&d, body, &s->decoded);
    mime_decode_end(&d, &s->decoded);
    return buf_slice(&s->decoded);
}

static bool in_text(struct search *s, struct slice bytes, struct slice charset)
{
    if (mime_charset_keeps_ascii(charset)) {
        /* Most text ends here: no character but ASCII's can match in ASCII. */
        if (s->key->ascii && mime_search_ascii(s->key, bytes))
            return true;
        if (mime_is_ascii(bytes))
            return !s->key->ascii && mime_search_in_utf8(s->key, bytes);
    }
    buf_clear(&s->text);
    if (failed(mime_to_utf8(charset.len ? charset : S("us-ascii"), bytes, &s->text))) {
        buf_clear(&s->text);
        utf8_put_lossy(&s->text, bytes);
    }
    return mime_search_in_utf8(s->key, buf_slice(&s->text));
}

static bool in_body(struct search *s, const struct mime_part *part)
{
    struct slice header = slice_sub(s->message, part->header.start, part->header.len);
    struct slice body = slice_sub(s->message, part->body.start, part->body.len);
    struct mime_type type;
    bool found = false;

    mime_content_type(header, false, &s->arena, &type);
    if (slice_eq(type.type, S("text")) || slice_eq(type.type, S("message")))
        found = in_text(s, undo_encoding(s, body, mime_transfer_encoding(header)),
                        mime_param(type.params, type.n_params, S("charset")));
    arena_done(&s->arena);
    return found;
}

/*
 * The header of an embedded message is part of the body (RFC 3501 6.4.4 looks at the message's
 * own header apart), and so are the headers of the parts.
 */
bool mime_search_message(const struct mime_search_key *key, struct slice message,
                         const struct mime *mime, bool with_header)
{
    struct search s = {key, message, buf_make(SIZE_MAX / 2), buf_make(SIZE_MAX / 2), ARENA_INIT};
    bool found = key->folded.len == 0;

    for (uint32_t i = 0; i < mime->n_parts && !found; i++) {
        const struct mime_part *part = &mime->parts[i];

        if (with_header || i > 0)
            found = in_header(&s, part->header);
        if (!found && part->kind == MIME_LEAF)
            found = in_body(&s, part);
    }
    buf_done(&s.decoded);
    buf_done(&s.text);
    arena_done(&s.arena);
    return found;
}
