/*
 * fuzz_header.c - header fields and all that is read from their values.
 *
 * What comes out as text is well-formed UTF-8 without NUL; what stays a slice of the input is in
 * it; and nothing takes longer than its length allows.
 */
#include "store/mime/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool good)
{
    if (!good)
        abort();
}

static void check_text(struct slice value, struct arena *arena)
{
    struct slice text = mime_text(value, arena);
    bool is_reply;

    require(slice_is_utf8(text));
    require(slice_index(text, 0) == text.len);
    struct slice base = mime_base_subject(text, arena, &is_reply);
    require(base.len <= text.len && slice_is_utf8(base));
    /* What was decoded stays as it is. */
    require(slice_index(text, '\n') == text.len && slice_index(text, '\r') == text.len);
}

static void check_params(struct slice value, struct arena *arena)
{
    struct mime_token_params p;

    mime_parse_params(value, arena, &p);
    require(p.n_params <= MIME_MAX_PARAMS);
    for (size_t i = 0; i < p.n_params; i++) {
        struct slice first = mime_param(p.params, p.n_params, p.params[i].name);

        require(p.params[i].name.len > 0);
        require(first.ptr == p.params[i].value.ptr || first.len <= value.len * 6 + 64);
    }
}

static void check_addresses(struct slice value, struct arena *arena)
{
    struct mime_address *list;
    size_t n;

    mime_addresses(value, arena, &list, &n);
    require(n <= MIME_MAX_ADDRESSES && n <= value.len + 1);
    for (size_t i = 0; i < n; i++) {
        require(slice_is_utf8(list[i].name));
        require(list[i].mailbox.len <= value.len && list[i].host.len <= value.len);
        require(list[i].kind == MIME_ADDRESS || list[i].host.len == 0);
    }
}

static void check_date(struct slice value)
{
    int64_t seconds = 0;
    int zone = 0;

    if (mime_date(value, &seconds, &zone))
        require(zone > -1500 && zone < 1500 && seconds < 253402400000);
}

static void check_charset(struct slice value)
{
    struct buf out = buf_make(SIZE_MAX / 2);
    struct slice rest = value, charset = slice_cut(&rest, '\n');
    struct err e = mime_to_utf8(charset, rest, &out);

    require(failed(e) || slice_is_utf8(buf_slice(&out)));
    buf_clear(&out);
    require(!failed(mime_to_utf8(S("iso-2022-jp"), rest, &out)));
    require(slice_is_utf8(buf_slice(&out)));
    buf_done(&out);
}

static void check_search(struct slice value)
{
    struct slice rest = value, needle = slice_cut(&rest, '\n');
    struct mime_search_key *key = mime_search_key_new(needle);

    /* What is there as it stands is found. */
    if (slice_is_utf8(needle) && slice_is_utf8(rest) && slice_find(rest, needle) < rest.len)
        require(mime_search_in_utf8(key, rest));
    mime_search_in_utf8(key, rest);
    mime_search_key_free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size), header = input;
    struct arena arena = ARENA_INIT;
    struct mime_field field;
    struct mime_type type;

    while (mime_next_field(&header, &field)) {
        require(field.name.len > 0 && field.all.len > field.name.len);
        require(!field.value.len ||
                (field.value.ptr >= data && field.value.ptr + field.value.len <= data + size));
        check_text(field.value, &arena);
    }
    mime_content_type(input, false, &arena, &type);
    require(type.type.len && type.subtype.len);
    mime_transfer_encoding(input);
    check_text(input, &arena);
    check_params(input, &arena);
    check_addresses(input, &arena);
    check_date(input);
    check_charset(input);
    check_search(input);
    arena_done(&arena);
    return 0;
}
