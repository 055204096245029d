/*
 * An LMTP session driven by whatever bytes come, over a real store. The first byte says how far
 * the session has come, how much is fed at a time and how much room there is for output.
 */
#include "protocols/lmtp/lmtp.h"
#include "tests/support/session_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fixture *fx;

static const char *const beginnings[] = {
    "",
    "LHLO x\r\n",
    "LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<alice@example.org>\r\n",
    "LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n",
};

/* A long run must not fill the disk. */
static void empty(void)
{
    if (!fx) {
        fx = fixture_new();
        fx->limits.max_bad_before_logon = 1000;
        fx->limits.max_message = 100000;
    }
    if (fixture_count(fx, FIXTURE_ALICE) > 1000)
        fixture_expunge(fx, FIXTURE_ALICE, 1, UINT32_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_of(data, size);

    if (size == 0)
        return 0;
    empty();
    struct fixture_session *fs = fixture_connect(fx, lmtp_session_new, AUTH_LMTP);
    fixture_say(fs, beginnings[data[0] & 3]);
    fs->room = data[0] & 4 ? 7 : 65536;
    fs->max_feed = data[0] & 8 ? 1 : SIZE_MAX;
    fixture_say_bytes(fs, slice_from(in, 1));
    if (data[0] & 16 && !fs->over)
        fixture_poke(fs, S("\r\n.\r\n"));
    fixture_session_free(fs);
    return 0;
}
