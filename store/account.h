/*
 * account.h - the users of the store: names, aliases, what they may use, their credentials.
 *
 * Accounts live in the engine's system partition. The store does not know how names are made
 * canonical nor what credentials mean: both come from the authentication layer, as they are.
 *
 * Threads    Any. Reads take a snapshot of their own; changes wait for their commit, so they are
 *            for the command line and administration, never for a worker.
 * Ownership  What is read lives in the arena that was given.
 * Units      Times are FILETIME; 0 means never. Sizes are bytes.
 */
#ifndef GATEPOST_STORE_ACCOUNT_H
#define GATEPOST_STORE_ACCOUNT_H

#include "base/arena.h"
#include "base/err.h"
#include "store/engine/engine.h"

enum account_protocol {
    ACCOUNT_POP3 = 1 << 0,
    ACCOUNT_IMAP = 1 << 1,
    ACCOUNT_MAPI = 1 << 2,
    ACCOUNT_ALL = ACCOUNT_POP3 | ACCOUNT_IMAP | ACCOUNT_MAPI,
};

/* One more secret, for one client. */
struct account_app_password {
    struct slice name; /* the user's word for it */
    struct slice credentials;
    unsigned protocols; /* enum account_protocol */
    uint64_t expires, created;
};

/* Who may open the mailbox: an account, by its name and by its mailbox. */
struct account_delegate {
    struct slice name;
    uint64_t mailbox_id; /* a later account of that name has another one */
};

struct account {
    struct slice name; /* canonical; 1 to 255 bytes of UTF-8 */
    struct slice display_name;
    struct slice nt_domain; /* or empty */
    struct slice *aliases;  /* canonical */
    size_t n_aliases;
    struct slice credentials; /* text; empty: none set */
    uint64_t mailbox_id;
    unsigned protocols; /* enum account_protocol */
    bool locked, admin;
    bool master; /* may open others' mailboxes */
    struct account_delegate *delegates;
    size_t n_delegates;
    struct account_app_password *app_passwords;
    size_t n_app_passwords;
    uint64_t expires;    /* of the secret */
    uint64_t quota;      /* 0: none */
    uint64_t generation; /* raised by every change */
    uint64_t created, changed;
};

struct accounts;

/* Over an engine that outlives it. */
struct err accounts_open(struct engine *engine, struct accounts **out) MUST_USE;
void accounts_close(struct accounts *accounts);

/* The account with this name or alias. ERR_NOT_FOUND. */
struct err accounts_lookup(struct accounts *accounts, struct slice name, struct arena *in,
                           struct account *out) MUST_USE;

/*
 * A number that is another one once any account has changed, by whatever process; it may be another
 * one without.
 */
struct err accounts_version(struct accounts *accounts, uint64_t *version) MUST_USE;

/* The first account whose name sorts behind `after`. ERR_NOT_FOUND: that was the last. */
struct err accounts_next(struct accounts *accounts, struct slice after, struct arena *in,
                         struct account *out) MUST_USE;

/*
 * Some account. All accounts stand on a circle, each in a place of its own that has nothing to do
 * with its name; this is the first one from `point` on. So every account is some points' answer,
 * and a point's answer changes only when an account comes or goes right there.
 * ERR_NOT_FOUND: there is no account.
 */
struct err accounts_near(struct accounts *accounts, const uint8_t point[8], struct arena *in,
                         struct account *out) MUST_USE;

/* ERR_EXISTS: the name or an alias is another account's name or alias. ERR_INVALID: a name. */
struct err accounts_add(struct accounts *accounts, const struct account *account) MUST_USE;

/*
 * Replace the account of that name, if it still is as `account->generation` says.
 * ERR_NOT_FOUND, ERR_CONFLICT, ERR_EXISTS (an alias).
 */
struct err accounts_update(struct accounts *accounts, const struct account *account) MUST_USE;

struct err accounts_delete(struct accounts *accounts, struct slice name) MUST_USE;

/*
 * 32 random bytes that belong to the store, by purpose ("fake-salt"); made at the first call and
 * the same ever after.
 */
struct err accounts_key(struct accounts *accounts, const char *purpose, uint8_t key[32]) MUST_USE;

#endif
