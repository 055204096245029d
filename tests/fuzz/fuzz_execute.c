/*
 * fuzz_execute.c - ROPs run on a mailbox, as any client may send them.
 *
 * The input is a list of operations: RopId, two indexes of handles, how many bytes follow, and the
 * bytes of its fields. Where these have 0xEE, it and the byte behind it stand for the id of a
 * folder or message that there is, which no mutation would find. 0xFF in place of a RopId ends the
 * buffer: what follows comes in another Execute, with the handles of the one before.
 *
 * Nothing may be read that is not there, nothing may stay when the session ends, and the mailbox
 * is sound afterwards.
 */
#include <stdio.h>

#include "tests/support/mapi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ID_MARK = 0xEE, NEXT_BUFFER = 0xFF, MESSAGES = 8, RUNS = 400, WORD = 4096 };

static uint64_t messages[MESSAGES];

static const char plain[] = "From: a@example.org\r\nTo: alice@example.org\r\nSubject: Re: x\r\n"
                            "Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n\r\ny\r\n";
static const char mixed[] =
    "From: b@example.org\r\nTo: alice@example.org, c@example.net\r\nSubject: two\r\n"
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    "Content-Type: text/html\r\n\r\n<p>hi</p>\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
    "Subject: inner\r\n\r\nz\r\n--b\r\nContent-Disposition: attachment; filename=a.bin\r\n\r\nq\r\n"
    "--b--\r\n";

static void finding(void *ctx, const char *text)
{
    (void)ctx;
    fprintf(stderr, "%s\n", text);
}

static struct mapi_bed *world(void)
{
    static struct mapi_bed *bed;
    static unsigned runs;

    if (bed && ++runs % RUNS == 0) {
        struct store_verify_report report;

        assert_ok(store_verify(bed->fx->store, finding, NULL, &report));
        if (report.faults)
            abort();
        mapi_bed_free(bed);
        bed = NULL;
    }
    if (!bed) {
        bed = mapi_bed_new();
        for (size_t i = 0; i < MESSAGES; i++)
            messages[i] = mapi_bed_deliver(bed, i % 2 ? mixed : plain);
    }
    return bed;
}

/* A session of its own for each input: what it leaves open goes with it. */
static void enter(struct mapi_bed *bed)
{
    context_drop(bed->context);
    context_let_go(bed->context, 0);
    assert_ok(context_new(
        bed->mapi, &(struct mapi_context_want){.identity = S("alice"), .mailbox_id = FIXTURE_ALICE},
        &bed->context));
    bed->context->codepage = 1252;
    memset(bed->handles, 0xFF, sizeof bed->handles);
    buf_clear(&bed->ask);
    mapi_bed_logon(bed);
}

static void put_fields(const struct mapi_bed *bed, struct slice fields, struct buf *out)
{
    for (size_t i = 0; i < fields.len; i++) {
        uint8_t c = fields.ptr[i];

        if (c != ID_MARK || i + 1 == fields.len) {
            buf_putc(out, c);
            continue;
        }
        uint8_t which = fields.ptr[++i];
        wire_put_u64(out,
                     which < ROP_FOLDER_IDS ? bed->folders[which] : messages[which % MESSAGES]);
    }
}

static void put_rop(struct mapi_bed *bed, const struct rop_def *def, uint8_t in, uint8_t out,
                    struct slice fields)
{
    struct buf rop = buf_make(1 << 16);

    buf_putc(&rop, def->id);
    buf_putc(&rop, 0);
    buf_putc(&rop, in % BED_HANDLES);
    if (def->head != HEAD_IN && def->head != HEAD_OUT)
        buf_putc(&rop, out % BED_HANDLES);
    put_fields(bed, fields, &rop);
    mapi_ask_bytes(bed, buf_slice(&rop));
    buf_done(&rop);
}

static void send_buffer(struct mapi_bed *bed)
{
    if (bed->ask.len && bed->ask.len < 0x7000)
        mapi_send_all(bed);
    buf_clear(&bed->ask);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mapi_bed *bed = world();
    struct slice in = slice_of(data, size < WORD ? size : WORD);

    enter(bed);
    while (in.len > 4) {
        const struct rop_def *def = rop_find(in.ptr[0]);
        struct slice fields = slice_head(slice_from(in, 4), in.ptr[3]);

        if (in.ptr[0] == NEXT_BUFFER)
            send_buffer(bed);
        else if (def)
            put_rop(bed, def, in.ptr[1], in.ptr[2], fields);
        in = slice_from(in, 4 + fields.len);
    }
    send_buffer(bed);
    return 0;
}
