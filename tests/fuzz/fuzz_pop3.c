/*
 * A POP3 session driven by whatever bytes come, over a real store. The first byte says whether
 * the session is logged on, how much is fed at a time and how much room there is for output.
 */
#include "protocols/pop3/pop3.h"
#include "tests/support/session_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fixture *fx;

static void fill(void)
{
    if (!fx) {
        fx = fixture_new();
        fx->limits.max_bad_before_logon = 1000;
        fx->limits.max_attempts = 1000;
    }
    while (fixture_count(fx, FIXTURE_ALICE) < 3) {
        fixture_deliver(fx, FIXTURE_ALICE, S("Subject: a\r\n\r\n.b\r\n..\r\n\n.\r\n"));
        fixture_deliver(fx, FIXTURE_ALICE, S("no end, no header"));
        fixture_deliver(fx, FIXTURE_ALICE, S(""));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_of(data, size);

    if (size == 0)
        return 0;
    fill();
    struct fixture_session *fs = fixture_connect(fx, pop3_session_new, AUTH_POP3);
    if (data[0] & 1)
        fixture_say(fs, "USER alice\r\nPASS gatepost\r\n");
    fs->room = data[0] & 2 ? 7 : 65536;
    fs->max_feed = data[0] & 4 ? 1 : SIZE_MAX;
    fixture_say_bytes(fs, slice_from(in, 1));
    if (data[0] & 8 && !fs->over)
        fixture_poke(fs, S("RETR 1\r\nQUIT\r\n"));
    fixture_session_free(fs);
    return 0;
}
