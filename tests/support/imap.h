/* imap.h - talking IMAP to a session of the fixture. */
#ifndef GATEPOST_TESTS_SUPPORT_IMAP_H
#define GATEPOST_TESTS_SUPPORT_IMAP_H

#include "protocols/imap/imap.h"
#include "tests/support/session_fixture.h"

/* Connect; the greeting is taken. */
struct fixture_session *imap_connect(struct fixture *fx);

/* Connect and log on; nothing is left in fs->out. */
struct fixture_session *imap_log_on(struct fixture *fx, const char *user);

/*
 * Say it, and compare all that is answered with `want`, where "~" stands for any bytes of one
 * line. Prints both where they differ.
 */
#define imap_expect(fs, say, want) imap_expect_at((fs), (say), (want), __FILE__, __LINE__)
void imap_expect_at(struct fixture_session *fs, const char *say, const char *want, const char *file,
                    int line);

/* The same for answers that were collected elsewhere. */
#define imap_expect_text(got, want, what)                                                          \
    imap_expect_text_at((got), (want), (what), __FILE__, __LINE__)
void imap_expect_text_at(struct slice got, const char *want, const char *what, const char *file,
                         int line);

/* Wait until an idle session is woken, and run it; for what other sessions do. */
void imap_await_wake(struct fixture_session *fs);

#endif
