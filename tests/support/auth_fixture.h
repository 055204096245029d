/*
 * auth_fixture.h - an authentication layer over accounts in memory, which keeps its records.
 *
 * Accounts (secret): alice ("gatepost"), bob (" two  blanks "), zoë (of "zoë": composed "Grüße"),
 * carol@example.net (alias "sales"), dora locked, ed expired, fay without IMAP, root an
 * administrator, nora without a secret; twin in two NT domains. All but those that say otherwise
 * have the secret "gatepost". The local domains are example.org (default) and example.net, the NT
 * domain is EXAMPLE. Anything that is asked for "down" is unavailable.
 */
#ifndef GATEPOST_TESTS_SUPPORT_AUTH_FIXTURE_H
#define GATEPOST_TESTS_SUPPORT_AUTH_FIXTURE_H

#include "tests/support/test.h"

#include <pthread.h>

#include "auth/auth.h"

struct kept_record {
    enum auth_reason reason;
    char *line, *name, *identity, *actor, *mechanism, *app_password;
    bool legacy;
};

struct fixture {
    struct auth *auth;
    struct auth_config config;
    struct auth_source source;
    struct auth_sink sink;
    struct log log;
    struct auth_peer peer;
    struct test_loop *loop;
    struct arena arena; /* of the accounts */
    struct auth_account *accounts;
    size_t n_accounts;
    struct {
        const char *alias, *account;
    } aliases[8];
    pthread_mutex_t mutex; /* of the records */
    struct kept_record *records;
    size_t n_records;
    struct clock clock; /* where config.now is fixture_now */
    char log_text[1 << 16];
    size_t log_len;
};

/* The default configuration; change it, then start. */
struct fixture *auth_fixture_new(void);
void fixture_start(struct fixture *f);
void auth_fixture_free(struct fixture *f);

/* auth_fixture_new() and fixture_start() as cmocka wants them. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

struct auth_account *fixture_account(struct fixture *f, const char *identity);

/* For source.set_credentials, which is NULL until a test sets it. */
struct err fixture_set_credentials(struct auth_source *source, const struct auth_account *account,
                                   struct slice credentials);

/* The peer's channel binding: every type of RFC 5929 and 9266 has made-up data. */
void fixture_use_tls(struct fixture *f);

/* A USER/PASS log-on to its end. */
enum auth_reason fixture_password(struct fixture *f, struct slice name, struct slice secret);

/*
 * An exchange to its end: `lines` are in base64 as a client sends them, NULL-terminated; the first
 * one is the initial response (NULL in `initial` where there is none).
 */
enum auth_reason fixture_exchange(struct fixture *f, const char *mechanism, const char *initial,
                                  const char *const lines[]);

/* One attempt by hand: as fixture_exchange(), leaving it where it stands. */
struct auth_attempt *fixture_begin(struct fixture *f);
enum auth_state fixture_send_initial(struct fixture *f, struct auth_attempt *a,
                                     const char *mechanism, const struct slice *initial);
enum auth_state fixture_send(struct fixture *f, struct auth_attempt *a, struct slice line);
enum auth_reason fixture_end(struct auth_attempt *a); /* frees it */

/* Bytes to base64, in memory that lives until the next but seven calls. */
const char *b64(struct slice bytes);

const struct kept_record *fixture_last(struct fixture *f);
void fixture_forget_records(struct fixture *f);

#endif
