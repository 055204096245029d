/*
 * fuzz_mime.c - any bytes have a structure, IMAP can say it, and it survives being stored.
 */
#include <assert.h>

#include "store/mime/mime.h"
#include "tests/support/imap_grammar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool good, const char *why)
{
    if (good)
        return;
    fprintf(stderr, "broken: %s\n", why ? why : "?");
    abort();
}

static void check_range(struct mime_range r, uint64_t from, uint64_t to)
{
    require(r.start >= from && r.start <= to && r.len <= to - r.start, "range");
}

static void check_parts(const struct mime *mime, size_t size)
{
    require(mime->n_parts > 0 && mime->n_parts <= MIME_MAX_PARTS, "number of parts");
    for (uint32_t i = 0; i < mime->n_parts; i++) {
        const struct mime_part *p = &mime->parts[i];
        const struct mime_part *parent = &mime->parts[p->parent];
        uint64_t from = i ? parent->body.start : 0;
        uint64_t to = i ? parent->body.start + parent->body.len : size;

        check_range(p->header, from, to);
        check_range(p->body, from, to);
        require(p->body.start == p->header.start + p->header.len, "body behind header");
        require((p->kind == MIME_LEAF) == (p->first_child == 0), "children");
        require(p->next == 0 || p->next > i, "order");
        require(p->lines <= p->body.len, "lines");
    }
}

static bool same_range(struct mime_range a, struct mime_range b)
{
    return a.start == b.start && a.len == b.len;
}

static bool same_part(const struct mime_part *a, const struct mime_part *b)
{
    return a->kind == b->kind && a->parent == b->parent && a->first_child == b->first_child &&
           a->next == b->next && a->lines == b->lines && same_range(a->header, b->header) &&
           same_range(a->body, b->body);
}

static void check_stored(const struct mime *mime, size_t size, struct arena *arena)
{
    struct buf stored = buf_make(SIZE_MAX / 2);
    struct mime back;

    mime_encode(mime, &stored);
    require(!failed(mime_decode(buf_slice(&stored), size, arena, &back)), "decode");
    require(back.n_parts == mime->n_parts, "number of parts decoded");
    for (uint32_t i = 0; i < back.n_parts; i++)
        require(same_part(&back.parts[i], &mime->parts[i]), "part decoded");
    buf_done(&stored);
}

static void check_imap(struct slice message, const struct mime *mime)
{
    struct buf out = buf_make(SIZE_MAX / 2);
    const char *why;
    size_t at;

    mime_put_envelope(slice_sub(message, mime->parts[0].header.start, mime->parts[0].header.len),
                      &out);
    require(imap_is_envelope(buf_slice(&out), &why, &at), why);
    for (int extended = 0; extended < 2; extended++) {
        buf_clear(&out);
        mime_put_bodystructure(message, mime, 0, extended, &out);
        require(imap_is_body(buf_slice(&out), extended, &why, &at), why);
    }
    buf_done(&out);
}

static void check_search(struct slice message, const struct mime *mime)
{
    static const char *const needles[] = {"a", "the", "--", "\xC3\xA9", "content-type"};

    for (size_t i = 0; i < sizeof needles / sizeof *needles; i++) {
        struct mime_search_key *key = mime_search_key_new(slice_str(needles[i]));
        bool in_body = mime_search_message(key, message, mime, false);

        require(!in_body || mime_search_message(key, message, mime, true), "TEXT finds less");
        mime_search_key_free(key);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice message = slice_of(data, size);
    struct arena arena = ARENA_INIT;
    struct mime mime, damaged;

    mime_parse(message, &arena, &mime);
    check_parts(&mime, size);
    check_stored(&mime, size, &arena);
    check_imap(message, &mime);
    check_search(message, &mime);
    /* The same bytes as a stored structure: damaged or good, but never out of bounds. */
    if (!failed(mime_decode(message, 100000, &arena, &damaged)))
        check_parts(&damaged, 100000);
    arena_done(&arena);
    return 0;
}
