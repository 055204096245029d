/*
 * An HTTP session driven by whatever bytes come. The first byte says how much is fed at a time,
 * how much room there is for output, and what happens at the end: time passes, the client goes,
 * the server drains. What comes out must be responses and nothing else.
 */
#include "tests/support/http_site.h"
#include "tests/support/session_fixture.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fixture *fx;

static void at_end(struct fixture_session *fs, uint8_t how)
{
    if (fs->over)
        return;
    if (how & 4)
        fixture_pass(fs, 200000);
    if (how & 8 && !fs->over)
        fs->session->ops->drain(fs->session);
    if (how & 16 && !fs->over)
        fs->session->ops->closed(fs->session);
    if (!fs->over)
        fixture_poke(fs, SLICE_EMPTY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (!fx) {
        fx = fixture_new_inline();
        test_site_big = 5000;
        fx->limits.max_attempts = 1000;
        fx->limits.max_request_body = 100000;
    }
    fx->no_logon = data[0] & 32;
    struct fixture_session *fs = fixture_connect(fx, test_site_session_new, AUTH_OPS);
    fs->max_feed = data[0] & 1 ? 1 : SIZE_MAX;
    fs->room = data[0] & 2 ? 7 : 65536;
    test_site_wait = false; /* nobody is there who would wake it */
    struct slice out = fixture_say_bytes(fs, slice_from(slice_of(data, size), 1));
    if (out.len && !slice_starts(out, S("HTTP/1.1 ")))
        abort();
    at_end(fs, data[0]);
    fixture_session_free(fs);
    if (test_site_open)
        abort();
    return 0;
}
