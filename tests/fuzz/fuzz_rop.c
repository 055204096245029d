/*
 * fuzz_rop.c - extended buffers, and the requests and responses in them.
 *
 * What can be read can be written, and then reads as the same and writes the same bytes; nothing
 * takes more memory than some multiple of the input. The first byte says what the rest is.
 */
#include "protocols/mapi/frame.h"
#include "protocols/mapi/rop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A value of 24 bytes for each byte of input, twice over for what is written and read again. */
enum { MEMORY_FACTOR = 400, MEMORY_FIXED = 1 << 20 };

static const struct value_form forms[] = {{.codepage = 1252}, {.codepage = 932}};

static void require(bool good)
{
    if (!good)
        abort();
}

static void check_request(const struct value_form *form, const struct rop_request *rq,
                          struct arena *arena)
{
    struct buf once = buf_make(1 << 24), again = buf_make(1 << 24);
    struct rop_request back;

    rop_request_put(&once, form, rq);
    if (!once.failed) {
        struct wire w = wire_of(buf_slice(&once), arena);

        require(!failed(rop_request_read(&w, form, &back)) && w.rest.len == 0);
        rop_request_put(&again, form, &back);
        require(slice_eq(buf_slice(&once), buf_slice(&again)));
    }
    buf_done(&once);
    buf_done(&again);
}

static void fuzz_requests(const struct value_form *form, struct wire *w, struct arena *arena)
{
    struct rop_request rq;

    while (w->rest.len && !failed(rop_request_read(w, form, &rq)))
        check_request(form, &rq, arena);
}

static void fuzz_responses(const struct value_form *form, struct wire *w, struct arena *arena)
{
    static const uint32_t tags[] = {PR_MID, PR_SUBJECT, PROP_TAG(0x6800, PROP_UNSPECIFIED)};
    static const struct rop_numbers columns = {3, tags};
    struct buf once = buf_make(1 << 24);
    struct rop_response response;

    while (w->rest.len && !failed(rop_response_read(w, form, &columns, &response))) {
        buf_clear(&once);
        rop_response_put(&once, form, &response);
        struct wire back = wire_of(buf_slice(&once), arena);
        require(once.failed || (!failed(rop_response_read(&back, form, &columns, &response)) &&
                                back.rest.len == 0));
    }
    buf_done(&once);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_of(data, size), payload;
    struct arena arena = ARENA_INIT;

    if (size == 0)
        return 0;
    const struct value_form *form = &forms[data[0] & 1];
    struct wire w = wire_of(slice_from(in, 1), &arena);
    if (data[0] & 4) {
        if (!failed(frame_read(w.rest, &arena, &payload))) {
            require(payload.len <= UINT16_MAX);
            w.rest = payload;
        }
    }
    if (data[0] & 2)
        fuzz_responses(form, &w, &arena);
    else
        fuzz_requests(form, &w, &arena);
    require(arena.total <= MEMORY_FIXED + MEMORY_FACTOR * size);
    arena_done(&arena);
    return 0;
}
