/*
 * fuzz_smtp_client.c - whatever a next hop says, every recipient ends with one result, and nothing
 * of the message is sent before it was asked for.
 *
 * First byte: LMTP, STARTTLS, a log-on; then what the next hop says, in pieces that end at NUL.
 */
#include "protocols/smtp/smtp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECIPIENTS = 3 };

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* NEXT_TLS, and whatever comes of the pulls in between. */
static enum smtp_next pull_all(struct smtp_client *client, struct buf *out)
{
    enum smtp_next next;

    do {
        next = smtp_client_pull(client, out, 16);
        if (next == SMTP_NEXT_TLS)
            smtp_client_tls_started(client);
    } while (next == SMTP_NEXT_PULL || next == SMTP_NEXT_TLS);
    return next;
}

static void check(const struct smtp_mail *mail, const struct buf *out, struct slice said)
{
    struct slice sent = buf_slice(out);
    bool has_content = slice_find(sent, S("SECRET")) < sent.len;

    must(!has_content || slice_find(said, S("354")) < said.len);
    for (size_t i = 0; i < mail->n_recipients; i++) {
        const struct smtp_recipient *r = &mail->recipients[i];

        must(r->result != SMTP_PENDING);
        must(r->reply[0] && strlen(r->reply) < SMTP_REPLY_MAX);
        must(!strpbrk(r->reply, "\r\n"));
        must(r->result != SMTP_TAKEN || has_content);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[RECIPIENTS] = {"a@x.test", "j\xc3\xbcrgen@x.test", "c@x.test"};
    struct smtp_recipient recipients[RECIPIENTS] = {{.address = SLICE_EMPTY}};
    struct smtp_mail mail = {.sender = S("me@here.test"),
                             .bytes = S("Subject: SECRET\r\n\r\n.\r\n"),
                             .recipients = recipients,
                             .n_recipients = RECIPIENTS,
                             .wants_report = true,
                             .envelope_id = S("77")};
    struct buf out = buf_make(1 << 20);

    if (size == 0)
        return 0;
    const struct smtp_settings settings = {.host_name = "here.test",
                                           .lmtp = data[0] & 1,
                                           .starttls = data[0] & 2,
                                           .user = data[0] & 4 ? "me" : NULL,
                                           .password = "secret"};
    for (size_t i = 0; i < RECIPIENTS; i++)
        recipients[i].address = slice_str(names[i]);
    struct smtp_client *client = smtp_client_new(&settings, &mail);
    struct slice said = slice_of(data + 1, size - 1), rest = said;
    enum smtp_next next = pull_all(client, &out);
    while (rest.len && next != SMTP_NEXT_END) {
        smtp_client_feed(client, slice_cut(&rest, 0));
        next = pull_all(client, &out);
    }
    smtp_client_break(client, "the end");
    smtp_client_free(client);
    check(&mail, &out, said);
    buf_done(&out);
    return 0;
}
