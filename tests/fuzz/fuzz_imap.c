/*
 * A whole IMAP session on a small store. The first three bytes choose the state to start in, the
 * room of each pull and how many bytes are fed at once; the rest is what the client says.
 */
#include "protocols/imap/imap.h"
#include "tests/support/session_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fixture *world(void)
{
    static struct fixture *fx;
    static unsigned runs;

    /* What one input stores the next one sees; that must not go on for ever. */
    if (fx && ++runs % 2000 == 0) {
        fixture_free(fx);
        fx = NULL;
    }
    if (!fx) {
        fx = fixture_new();
        fx->limits = (struct session_limits){
            .max_line = 2000, .max_literal = 1000, .max_command = 4000, .max_message = 10000};
        fixture_deliver_many(fx, FIXTURE_ALICE, S("From: a@example.org\r\nSubject: x\r\n\r\ny\r\n"),
                             5);
    }
    return fx;
}

static void enter(struct fixture_session *fs, unsigned how)
{
    if (how & 1)
        fixture_say(fs, "in LOGIN alice " FIXTURE_SECRET "\r\n");
    if (how & 2)
        fixture_say(fs, "en ENABLE QRESYNC\r\n");
    if (how & 4)
        fixture_say(fs, "en ENABLE IMAP4rev2 UTF8=ACCEPT\r\n");
    if (how & 8)
        fixture_say(fs, "se SELECT INBOX\r\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fixture *fx = world();

    if (size < 3)
        return 0;
    struct fixture_session *fs = fixture_connect(fx, imap_session_new, AUTH_IMAP);
    enter(fs, data[0]);
    fs->room = (size_t)data[1] * 16 + 1;
    fs->max_feed = data[2] ? data[2] : SIZE_MAX;
    if (!fs->over) {
        if (data[0] & 16)
            fixture_deliver(fx, FIXTURE_ALICE, S("Subject: new\r\n\r\nz\r\n"));
        if (data[0] & 32)
            fixture_poke(fs, slice_of(data + 3, size - 3)); /* freed half way */
        else
            fixture_say_bytes(fs, slice_of(data + 3, size - 3));
    }
    fixture_session_free(fs);
    return 0;
}
