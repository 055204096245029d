#include "tests/support/imap.h"

struct fixture_session *imap_connect(struct fixture *fx)
{
    struct fixture_session *fs = fixture_connect(fx, imap_session_new, AUTH_IMAP);

    assert_true(slice_starts(buf_slice(&fs->out), S("* OK [CAPABILITY IMAP4rev2 IMAP4rev1")));
    buf_clear(&fs->out);
    return fs;
}

struct fixture_session *imap_log_on(struct fixture *fx, const char *user)
{
    struct fixture_session *fs = imap_connect(fx);
    char line[100];

    snprintf(line, sizeof line, "in LOGIN %s " FIXTURE_SECRET "\r\n", user);
    imap_expect(fs, line, "in OK [CAPABILITY ~] ~\r\n");
    buf_clear(&fs->out);
    return fs;
}

/* "~" is any bytes up to the end of the line. */
static bool fits(struct slice want, struct slice got)
{
    while (want.len) {
        if (want.ptr[0] == '~') {
            want = slice_from(want, 1);
            for (;; got = slice_from(got, 1)) {
                if (fits(want, got))
                    return true;
                if (got.len == 0 || got.ptr[0] == '\n')
                    return false;
            }
        }
        if (got.len == 0 || got.ptr[0] != want.ptr[0])
            return false;
        want = slice_from(want, 1);
        got = slice_from(got, 1);
    }
    return got.len == 0;
}

void imap_expect_text_at(struct slice got, const char *want, const char *say, const char *file,
                         int line)
{
    if (fits(slice_str(want), got))
        return;
    print_error("%s:%d: said:\n%s\nwanted:\n%s\ngot:\n%.*s\n", file, line, say, want,
                SLICE_ARG(got));
    _fail(file, line);
}

void imap_expect_at(struct fixture_session *fs, const char *say, const char *want, const char *file,
                    int line)
{
    imap_expect_text_at(fixture_say(fs, say), want, say, file, line);
}

void imap_await_wake(struct fixture_session *fs)
{
    while (!fs->woken)
        test_loop_wait(fs->fx->loop);
    fixture_run(fs);
}
