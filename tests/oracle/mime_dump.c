/*
 * mime_dump.c - what store/mime makes of one mail, for compare_oracle.py.
 *
 *     mime_dump FILE ITEM...
 *
 * An item is ENVELOPE, BODYSTRUCTURE, BODY (the short structure), DATE (the day that was sent, in
 * the sender's zone), BODY[...] or BINARY[...]
 * of RFC 3501 6.4.5 and RFC 3516, or SEARCH:BODY:key, SEARCH:TEXT:key, SEARCH:name:key. The answer
 * to each is a line with a length (-1: no such thing), then so many bytes and a line end.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "store/mime/mime.h"

static struct slice message;
static struct mime mime;
static struct arena arena;

static struct slice range(struct mime_range r)
{
    return slice_sub(message, r.start, r.len);
}

static void answer(struct slice bytes)
{
    printf("%zu\n", bytes.len);
    if (bytes.len)
        fwrite(bytes.ptr, 1, bytes.len, stdout);
    putchar('\n');
}

static void answer_none(void)
{
    printf("-1\n\n");
}

/* "(A B)" chooses fields; `unless` those that are not named. The empty line is kept. */
static void put_header_fields(struct slice header, struct slice list, bool unless, struct buf *out)
{
    struct mime_field field;

    list = slice_sub(list, 1, list.len - 2);
    while (mime_next_field(&header, &field)) {
        struct slice names = list;
        bool named = false;

        while (names.len)
            named |= slice_ieq(slice_cut(&names, ' '), field.name);
        if (named != unless)
            buf_put(out, field.all);
    }
    if (slice_eq(header, S("\r\n")) || slice_ends(header, S("\n\r\n")))
        buf_puts(out, "\r\n");
}

/* Cut "1.2." off the front. */
static size_t take_path(struct slice *spec, uint32_t *path, size_t max)
{
    size_t n = 0;

    while (spec->len && ascii_is_digit(spec->ptr[0]) && n < max) {
        struct slice digits = slice_cut(spec, '.');

        if (!slice_to_u32(digits, &path[n++]))
            return 0;
    }
    return n;
}

static void answer_binary(const struct mime_part *part)
{
    struct buf out = buf_make(SIZE_MAX / 2);
    struct mime_decoder d;

    mime_decoder_init(&d, mime_transfer_encoding(range(part->header)));
    mime_decode_piece(&d, range(part->body), &out);
    mime_decode_end(&d, &out);
    if (d.broken)
        printf("!");
    answer(buf_slice(&out));
    buf_done(&out);
}

static void answer_section(struct slice spec, bool binary)
{
    uint32_t path[128], index;
    size_t n = take_path(&spec, path, 128);
    struct buf out = buf_make(SIZE_MAX / 2);

    if (failed(mime_find(&mime, path, n, &index))) {
        answer_none();
        return;
    }
    const struct mime_part *part = &mime.parts[index];
    /* Of an embedded message HEADER and TEXT are those of what is in it. */
    bool embedded = n > 0 && part->kind == MIME_MESSAGE;
    const struct mime_part *inner = embedded ? &mime.parts[part->first_child] : part;
    if (binary && spec.len == 0) {
        answer_binary(part);
    } else if (spec.len == 0) {
        answer(n ? range(part->body) : message);
    } else if (slice_eq(spec, S("MIME")) && n) {
        answer(range(part->header));
    } else if (n && !embedded) {
        answer_none();
    } else if (slice_eq(spec, S("HEADER"))) {
        answer(range(inner->header));
    } else if (slice_eq(spec, S("TEXT"))) {
        answer(range(inner->body));
    } else if (slice_starts(spec, S("HEADER.FIELDS"))) {
        bool unless = slice_starts(spec, S("HEADER.FIELDS.NOT"));

        put_header_fields(range(inner->header), slice_from(spec, slice_index(spec, '(')), unless,
                          &out);
        answer(buf_slice(&out));
    } else {
        answer_none();
    }
    buf_done(&out);
}

static void answer_search(struct slice spec)
{
    struct slice where = slice_cut(&spec, ':');
    struct mime_search_key *key = mime_search_key_new(spec);
    bool found;

    if (slice_eq(where, S("BODY")) || slice_eq(where, S("TEXT")))
        found = mime_search_message(key, message, &mime, slice_eq(where, S("TEXT")));
    else
        found = mime_search_header(key, range(mime.parts[0].header), where);
    answer(found ? S("1") : S("0"));
    mime_search_key_free(key);
}

static void answer_date(void)
{
    struct buf out = buf_make(100);
    struct mime_field field;
    int64_t seconds;
    int zone;

    if (!mime_get_field(range(mime.parts[0].header), S("Date"), &field) ||
        !mime_date(field.value, &seconds, &zone)) {
        answer_none();
        return;
    }
    struct civil day = civil_from_unix(seconds + (int64_t)zone * 60);
    buf_printf(&out, "%04d-%02d-%02d", day.year, day.month, day.day);
    answer(buf_slice(&out));
    buf_done(&out);
}

static void answer_item(struct slice item)
{
    struct buf out = buf_make(SIZE_MAX / 2);

    if (slice_starts(item, S("SEARCH:"))) {
        answer_search(slice_from(item, 7));
    } else if (slice_starts(item, S("BODY["))) {
        answer_section(slice_sub(item, 5, item.len - 6), false);
    } else if (slice_starts(item, S("BINARY["))) {
        answer_section(slice_sub(item, 7, item.len - 8), true);
    } else if (slice_eq(item, S("DATE"))) {
        answer_date();
    } else {
        if (slice_eq(item, S("ENVELOPE")))
            mime_put_envelope(range(mime.parts[0].header), &out);
        else
            mime_put_bodystructure(message, &mime, 0, slice_eq(item, S("BODYSTRUCTURE")), &out);
        answer(buf_slice(&out));
    }
    buf_done(&out);
}

static struct slice read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    size_t len = 0, got;

    if (!file) {
        perror(path);
        exit(2);
    }
    do {
        bytes = mem_grow(bytes, len + 65536, 1);
        got = fread(bytes + len, 1, 65536, file);
        len += got;
    } while (got > 0);
    fclose(file);
    return slice_of(bytes, len);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE ITEM...\n", argv[0]);
        return 2;
    }
    message = read_file(argv[1]);
    mime_parse(message, &arena, &mime);
    for (int i = 2; i < argc; i++)
        answer_item(slice_str(argv[i]));
    arena_done(&arena);
    free((void *)(uintptr_t)message.ptr);
    return 0;
}
