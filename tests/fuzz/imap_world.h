/*
 * imap_world.h - a session on a small mailbox, for fuzz targets that speak whole commands.
 *
 * Made once for a process. What the target says is one command; the answer has to be whole lines
 * with whole literals, and end in the command's tagged line.
 */
#ifndef GATEPOST_TESTS_FUZZ_IMAP_WORLD_H
#define GATEPOST_TESTS_FUZZ_IMAP_WORLD_H

#include "tests/support/imap_client.h"

static struct imap_client *fuzz_client;

static inline void fuzz_imap_begin(void)
{
    static const char *const mails[] = {
        "From: a@b.example\r\nSubject: one\r\n\r\nbody\r\n",
        ("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\n"
         "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ny\r\n--b--\r\n"),
        "Content-Transfer-Encoding: base64\r\n\r\nAAEC\r\n",
        "",
        "no header at all",
    };
    struct fixture *fx = fixture_new();

    for (size_t i = 0; i < sizeof mails / sizeof *mails; i++)
        fixture_deliver(fx, FIXTURE_ALICE, slice_str(mails[i]));
    fixture_expunge(fx, FIXTURE_ALICE, 3, 3);
    fuzz_client = imap_client_new(fx, "alice");
    imap_client_ok(fuzz_client, "ENABLE QRESYNC");
    imap_client_ok(fuzz_client, "EXAMINE INBOX");
}

/* `start` and the input as one line: without line ends, and without the brace of a literal. */
static inline void fuzz_imap_say(const char *start, const uint8_t *data, size_t size)
{
    struct buf command = buf_make(SIZE_MAX);

    if (!fuzz_client)
        fuzz_imap_begin();
    buf_puts(&command, start);
    for (size_t i = 0; i < size; i++)
        buf_putc(&command, data[i] == '\r' || data[i] == '\n' ? ' ' : data[i]);
    if (size && data[size - 1] == '}')
        buf_putc(&command, ' ');
    imap_client_bytes(fuzz_client, buf_slice(&command));
    buf_done(&command);
}

#endif
