/*
 * fuzz_content.c - stored recipients and attachments, as a damaged file might hold them.
 *
 * Whatever is decoded is bounded in depth, and its large values are blobs that the bag names.
 */
#include "store/content.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BLOBS = 3, FIRST_BLOB = 100 };

static void require(bool good)
{
    if (!good)
        abort();
}

static void check_props(const struct store_props *props)
{
    for (size_t i = 0; i < props->n; i++) {
        const struct store_prop *prop = &props->items[i];

        require(!prop->large || (prop->blob >= FIRST_BLOB && prop->blob < FIRST_BLOB + BLOBS));
    }
}

static void check(const struct store_content *content, int depth)
{
    require(depth <= STORE_CONTENT_DEPTH);
    check_props(&content->props);
    for (size_t i = 0; i < content->n_recipients; i++)
        check_props(&content->recipients[i]);
    for (size_t i = 0; i < content->n_attachments; i++) {
        check_props(&content->attachments[i].props);
        if (content->attachments[i].embedded)
            check(content->attachments[i].embedded, depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t blobs[BLOBS] = {FIRST_BLOB, FIRST_BLOB + 1, FIRST_BLOB + 2};
    struct arena arena = ARENA_INIT;
    struct store_content content;

    if (!failed(content_decode(slice_of(data, size), blobs, BLOBS, &arena, &content)))
        check(&content, 1);
    arena_done(&arena);
    return 0;
}
