/*
 * imap_client.h - the client's side of an IMAP session in a test: says commands, takes answers
 * apart. Knows lines, literals and items from the grammar alone.
 *
 *     struct imap_client *ic = imap_client_new(fx, "alice");
 *     imap_client_ok(ic, "SELECT INBOX");
 *     struct slice reply = imap_client_ok(ic, "FETCH 1 (FLAGS BODY[])");
 *     assert_slice(imap_client_item(reply, 1, "FLAGS"), "(\\Seen)");
 *
 * Every slice lives until the next command.
 */
#ifndef GATEPOST_TESTS_SUPPORT_IMAP_CLIENT_H
#define GATEPOST_TESTS_SUPPORT_IMAP_CLIENT_H

#include "tests/support/session_fixture.h"

struct imap_client {
    struct fixture_session *fs;
    unsigned tag;
    struct buf reply;
    struct slice tagged; /* of the last command: "OK [CODE] text", without its line end */
};

/* Connects and logs on. */
struct imap_client *imap_client_new(struct fixture *fx, const char *user);
void imap_client_free(struct imap_client *ic);

/*
 * Say a command, which gets a tag and a line end; returns its untagged answers. Fails the test
 * where they are not well-formed lines that end in this command's tagged line.
 */
struct slice imap_client_say(struct imap_client *ic, const char *format, ...) PRINTF_LIKE(2, 3);
/* ... of bytes, which may hold non-synchronizing literals. */
struct slice imap_client_bytes(struct imap_client *ic, struct slice command);

/* The same; fails the test where the answer is another. */
struct slice imap_client_ok(struct imap_client *ic, const char *format, ...) PRINTF_LIKE(2, 3);
struct slice imap_client_no(struct imap_client *ic, const char *format, ...) PRINTF_LIKE(2, 3);
struct slice imap_client_bad(struct imap_client *ic, const char *format, ...) PRINTF_LIKE(2, 3);

/* What is in the brackets of the tagged line; empty where there are none. */
struct slice imap_client_code(const struct imap_client *ic);

/* Take one line with its literals, and without its line end, off the front. */
bool imap_client_line(struct slice *reply, struct slice *line);

/* Take one value (atom, string, list) off the front, and the blank behind it. */
bool imap_client_value(struct slice *rest, struct slice *value);

/* The bytes of a string: without quotes, escapes, or the head of a literal. */
struct slice imap_client_string(struct imap_client *ic, struct slice value);

/*
 * The value of an item in the last FETCH answer for a message that has it; SLICE_EMPTY where there
 * is none.
 */
struct slice imap_client_item(struct slice reply, uint32_t seq, const char *name);

/* The first line that begins like this, from behind "* " on; SLICE_EMPTY where there is none. */
struct slice imap_client_find(struct slice reply, const char *start);
/* How many lines end like this. */
unsigned imap_client_count(struct slice reply, const char *end);

#endif
