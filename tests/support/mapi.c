#include "tests/support/mapi.h"

#include "protocols/mapi/frame.h"

static const struct value_form form = {.codepage = 1252};

struct mapi_bed *mapi_bed_new(void)
{
    return mapi_bed_new_with(NULL);
}

struct mapi_bed *mapi_bed_new_with(const struct store_config *config)
{
    struct mapi_bed *bed = mem_new(sizeof *bed);

    bed->fx = config ? fixture_new_with(config, NULL) : fixture_new();
    bed->mapi = bed->fx->mapi;
    bed->mailbox = fixture_mailbox(bed->fx, FIXTURE_ALICE);
    bed->max_out = FRAME_HEADER + FRAME_PAYLOAD_MAX;
    bed->ask = buf_make(SIZE_MAX / 2);
    memset(bed->handles, 0xFF, sizeof bed->handles);
    assert_ok(context_new(
        bed->mapi, &(struct mapi_context_want){.identity = S("alice"), .mailbox_id = FIXTURE_ALICE},
        &bed->context));
    bed->context->codepage = form.codepage;
    return bed;
}

void mapi_bed_free(struct mapi_bed *bed)
{
    context_drop(bed->context);
    context_let_go(bed->context, 0);
    mailbox_close(bed->mailbox);
    buf_done(&bed->ask);
    arena_done(&bed->arena);
    fixture_free(bed->fx);
    free(bed);
}

/* ---- asking ---- */

void mapi_ask(struct mapi_bed *bed, uint8_t rop, uint8_t in, uint8_t out, const void *fields)
{
    struct rop_request rq = {
        .def = rop_find(rop),
        .logon = bed->logon,
        .in = in,
        .out = rop_find(rop)->head == HEAD_OUT ? in : out,
        .answer = out,
        .fields = fields,
    };

    rop_request_put(&bed->ask, &form, &rq);
}

void mapi_ask_bytes(struct mapi_bed *bed, struct slice rop)
{
    buf_put(&bed->ask, rop);
}

struct end {
    bool done;
};

static void on_done(struct mapi_execute *ex)
{
    ((struct end *)ex->owner)->done = true;
}

/* `rop_buffer` with its header. */
static void execute(struct mapi_bed *bed, struct slice rop_buffer)
{
    struct end end = {false};
    struct mapi_execute ex = {
        .context = bed->context,
        .home = test_loop_executor(bed->fx->loop),
        .now = clock_now().wall,
        .in = rop_buffer,
        .max_out = bed->max_out,
        .done = on_done,
        .owner = &end,
        .log = bed->log,
        .session = "s1",
    };

    arena_done(&bed->arena);
    bed->n = 0;
    bed->rest = bed->payload = SLICE_EMPTY;
    assert_ok(context_begin(bed->context, context_issue(bed->context)));
    mapi_execute_start(&ex);
    while (!end.done)
        test_loop_wait(bed->fx->loop);
    context_end(bed->context);
    bed->status = ex.status;
    bed->ec = ex.ec;
    if (!ex.status && !ex.ec) {
        struct slice whole = arena_slice(&bed->arena, buf_slice(&ex.out));

        assert_ok(frame_read(whole, &bed->arena, &bed->payload));
    }
    buf_done(&ex.out);
}

static bool is_rop_response(uint8_t id)
{
    return id != 0x2A && id != 0x6E && id != 0xFF;
}

static void read_replies(struct mapi_bed *bed)
{
    struct wire w = wire_of(bed->payload, &bed->arena);
    uint16_t size = wire_u16(&w);
    struct slice list = wire_bytes(&w, size - 2u);
    struct wire rops = wire_of(list, &bed->arena);

    while (rops.rest.len > 0 && is_rop_response(rops.rest.ptr[0])) {
        assert_true(bed->n < BED_REPLIES);
        assert_ok(rop_response_read(&rops, &form, &bed->columns, &bed->replies[bed->n++]));
    }
    bed->rest = rops.rest;
    for (size_t i = 0; i < BED_HANDLES && w.rest.len > 0; i++)
        bed->handles[i] = wire_u32(&w);
    assert_false(w.failed);
}

static void send_asked(struct mapi_bed *bed)
{
    struct buf payload = buf_make(SIZE_MAX / 2), frame = buf_make(SIZE_MAX / 2);

    wire_put_u16(&payload, (uint16_t)(bed->ask.len + 2));
    buf_put(&payload, buf_slice(&bed->ask));
    for (size_t i = 0; i < BED_HANDLES; i++)
        wire_put_u32(&payload, bed->handles[i]);
    frame_put(&frame, buf_slice(&payload));
    execute(bed, buf_slice(&frame));
    buf_done(&payload);
    buf_done(&frame);
    buf_clear(&bed->ask);
}

void mapi_try(struct mapi_bed *bed)
{
    send_asked(bed);
    if (!bed->status && !bed->ec)
        read_replies(bed);
}

void mapi_send_all(struct mapi_bed *bed)
{
    send_asked(bed);
    struct wire w = wire_of(bed->payload, &bed->arena);
    uint16_t size = wire_u16(&w);

    wire_bytes(&w, size - 2u);
    for (size_t i = 0; i < BED_HANDLES && w.rest.len > 0; i++)
        bed->handles[i] = wire_u32(&w);
}

void mapi_run(struct mapi_bed *bed)
{
    mapi_try(bed);
    assert_int_equal(bed->status, 0);
    assert_int_equal(bed->ec, 0);
}

void mapi_try_bytes(struct mapi_bed *bed, struct slice rop_buffer)
{
    execute(bed, rop_buffer);
}

const struct rop_response *mapi_reply(const struct mapi_bed *bed, size_t i)
{
    assert_true(i < bed->n);
    return &bed->replies[i];
}

uint32_t mapi_do(struct mapi_bed *bed, uint8_t rop, uint8_t in, uint8_t out, const void *fields,
                 const void **reply)
{
    mapi_ask(bed, rop, in, out, fields);
    mapi_run(bed);
    if (reply)
        *reply = mapi_reply(bed, 0)->fields;
    return mapi_reply(bed, 0)->error;
}

/* ---- a mailbox ---- */

void mapi_bed_logon(struct mapi_bed *bed)
{
    const struct rop_logon_reply *reply;
    struct buf dn = buf_make(256);

    mapi_put_dn(bed->mapi, &dn, S("alice"));
    struct rop_logon rq = {
        .flags = 0x01,
        .open_flags = 0x01000000 | 0x00000004, /* UsePerMdbReplidMapping, HomeLogon */
        .essdn = buf_slice(&dn),
    };
    assert_int_equal(mapi_do(bed, ROP_Logon, 0, 0, &rq, (const void **)&reply), EC_SUCCESS);
    memcpy(bed->folders, reply->folder_ids.ids, sizeof bed->folders);
    bed->inbox = bed->folders[4];
    buf_done(&dn);
}

uint64_t mapi_bed_deliver(struct mapi_bed *bed, const char *message)
{
    uint32_t uid = fixture_deliver(bed->fx, FIXTURE_ALICE, slice_str(message));
    struct message_row row;
    struct store_read *rd;

    assert_ok(store_read_begin(bed->mailbox, &rd));
    assert_ok(store_message(rd, fixture_inbox(bed->mailbox), uid, &row));
    store_read_end(rd);
    return mapi_id(row.mid);
}
