/*
 * session_fixture.h - a world for sessions: a real store, real auth, users, a clock set by hand.
 *
 * Drives any protocol's session without a socket: what is said is fed, what comes out is
 * collected, and answers of store and auth are waited for. Everything runs on the test's thread
 * except the store's writer and auth's pool.
 *
 *     struct fixture *fx = fixture_new();
 *     fixture_deliver(fx, FIXTURE_ALICE, S("Subject: x\r\n\r\ny\r\n"));
 *     struct fixture_session *fs = fixture_connect(fx, pop3_session_new, AUTH_POP3);
 *     assert_slice(fixture_say(fs, "USER alice\r\n"), "+OK ...");
 *     fixture_session_free(fs);
 *     fixture_free(fx);
 *
 * Users: alice (mailbox 1001) and bob (mailbox 1002), both also @example.org, password "gatepost"
 * (FIXTURE_SECRET). carol has no mailbox that opens (its id is the system's). user0, user1, ...
 * are as many as a test wants (mailbox FIXTURE_NUMBERED + n).
 */
#ifndef GATEPOST_TESTS_SUPPORT_SESSION_FIXTURE_H
#define GATEPOST_TESTS_SUPPORT_SESSION_FIXTURE_H

#include <pthread.h>

#include "protocols/session.h"
#include "tests/support/test.h"

#define FIXTURE_SECRET "gatepost"

enum { FIXTURE_ALICE = 1001, FIXTURE_BOB = 1002, FIXTURE_NUMBERED = 100000 };

struct fixture {
    char *dir;
    struct test_loop *loop;
    struct store *store;
    struct auth *auth;
    struct mapi *mapi;
    struct auth_source source;
    struct auth_sink sink;
    struct session_limits limits; /* of sessions made from here on; all 0 at first */
    struct clock clock;
    bool plaintext_ok;         /* of peers made from here on; true at first */
    enum err_code source_down; /* not ERR_NONE: every look-up of an account fails with it */
    unsigned protocols;        /* which both may use; all at first */
    uint64_t generation;       /* of every account; 1 at first */
    unsigned lookups;          /* of accounts, till now */
    uint64_t expires;          /* of every secret */
    bool inline_steps;         /* see fixture_new_inline() */
    bool pop3_marks_read;      /* of sessions made from here on; true at first */
    bool no_logon;             /* of sessions made from here on */
    uint8_t *records;          /* enum auth_reason of every record, in order */
    size_t n_records;
    pthread_mutex_t records_lock; /* they come from sessions and from auth's pool at once */
    struct buf credentials;
};

struct fixture *fixture_new(void);

/*
 * As fixture_new(), but auth has no pool: a session that waits while nothing is posted waits for
 * time or its peer, and fixture_run() returns. For fuzzers of sessions that may do so.
 */
struct fixture *fixture_new_inline(void);

/* As fixture_new(), over an engine that the test made (or NULL) and with this store_config. */
struct fixture *fixture_new_with(const struct store_config *config, struct engine *engine);
void fixture_free(struct fixture *fx);

/* Close the store and open it again: what is on disk is all that is left. No session may live. */
void fixture_reopen(struct fixture *fx);

/* The reason of the last record; fails the test where there is none. */
enum auth_reason fixture_last_record(const struct fixture *fx);

/* ---- mail ---- */

/* An open mailbox; mailbox_close() it. */
struct mailbox *fixture_mailbox(struct fixture *fx, uint64_t id);
uint64_t fixture_inbox(struct mailbox *mb);

/* Put a message into the Inbox; returns its UID. */
uint32_t fixture_deliver(struct fixture *fx, uint64_t id, struct slice message);
/* The same one `n` times, in batches. */
void fixture_deliver_many(struct fixture *fx, uint64_t id, struct slice message, uint32_t n);
void fixture_expunge(struct fixture *fx, uint64_t id, uint32_t first_uid, uint32_t last_uid);
uint32_t fixture_count(struct fixture *fx, uint64_t id);
/* The bytes of the message at seq (1 is the oldest) of the Inbox. */
void fixture_message(struct fixture *fx, uint64_t id, uint32_t seq, struct buf *out);

/* ---- sessions ---- */

struct fixture_session {
    struct session_host host;
    struct fixture *fx;
    struct session *session;
    struct session_env env;
    struct auth_peer peer;
    struct session_summary summary;
    struct buf in;   /* fed, not yet used */
    struct buf out;  /* what came since the last fixture_say() */
    size_t room;     /* of each pull; 65,536 at first */
    size_t max_feed; /* bytes given to one feed; SIZE_MAX at first */
    uint64_t tick_at;
    enum session_next next;
    bool woken, over; /* over: the session said NEXT_CLOSE */
    unsigned pulls, tls_starts;
};

typedef struct session *(*session_maker)(const struct session_env *env);

/* Connect without TLS, STLS on offer; runs until the session wants input. */
struct fixture_session *fixture_connect(struct fixture *fx, session_maker make,
                                        enum auth_protocol protocol);
/* The same, with TLS from the start. */
struct fixture_session *fixture_connect_tls(struct fixture *fx, session_maker make,
                                            enum auth_protocol protocol);
void fixture_session_free(struct fixture_session *fs);

/* Feed, run until the session wants input or has ended, and return what came out meanwhile. */
struct slice fixture_say(struct fixture_session *fs, const char *text);
struct slice fixture_say_bytes(struct fixture_session *fs, struct slice bytes);

/* Feed, one pull at most, wait for nothing: to stop a session half way. */
void fixture_poke(struct fixture_session *fs, struct slice bytes);

/*
 * Say the whole script, which ends the session, in pieces of every kind, each time to a session
 * that `connect` made; what comes out must be the same, and end in `end`. `each` looks at what has
 * become of the world after each of the first `i`; NULL: nothing is to be seen there.
 */
void fixture_say_in_pieces(struct fixture *fx,
                           struct fixture_session *(*connect)(struct fixture *fx),
                           const char *script, const char *end,
                           void (*each)(struct fixture *fx, uint32_t i));

/*
 * Say the front of the script, and go: `waiting`: what came before the last byte has been answered;
 * else all of it may still be on its way.
 */
void fixture_say_and_go(struct fixture *fx, struct fixture_session *(*connect)(struct fixture *fx),
                        struct slice front, bool waiting);

/* Run until the session wants input or has ended; output is added to fs->out. */
void fixture_run(struct fixture_session *fs);

/* Let `ms` pass: the clock goes on, the session is ticked when it asked to be, and run. */
struct slice fixture_pass(struct fixture_session *fs, uint64_t ms);

#endif
