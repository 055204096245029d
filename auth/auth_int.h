/*
 * auth_int.h - shared inside auth/: settings, the parts that an attempt is made of.
 *
 *   message.c      what a client's message says, read before libsasl2 sees it
 *   resolve.c      a name as typed -> an account
 *   credentials.c  SCRAM keys, real and fake, of an account's one or more secrets
 *   scram.c        SCRAM, as a mechanism of libsasl2's
 *   verify.c       a secret against an account; verifycache.c: seen right before
 *   backoff.c      who must wait
 *   pass.c         what a good verdict rests on
 *   sasl.c         libsasl2: set-up, callbacks, one exchange
 *   attempt.c      drives all of these, on pool.c, to one verdict, which record.c writes down
 */
#ifndef GATEPOST_AUTH_AUTH_INT_H
#define GATEPOST_AUTH_AUTH_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "auth/auth.h"
#include "base/clock.h"

/* ---- settings: a configuration, made ready to use; shared until the last attempt is done ---- */

struct auth_settings {
    atomic_uint refs;
    struct arena arena;
    const char *host_name;
    struct slice *domains; /* canonical; the first is default */
    size_t n_domains;
    struct slice nt_domain; /* canonical, or empty */
    const char *legacy_charset;
    struct slice master_separator; /* or empty */
    uint8_t server_secret[32];
    unsigned iterations, max_per_user;
    bool no_back_off;
};

struct err settings_new(const struct auth_config *config, struct auth_settings **out) MUST_USE;
struct auth_settings *settings_ref(struct auth_settings *settings);
void settings_unref(struct auth_settings *settings);

/* ---- client addresses ---- */

/* What counts as one client: an IPv4 address, or a /64 of IPv6. Unix sockets are all one. */
struct auth_place {
    uint8_t bytes[9];
};

struct auth_place place_of(const struct sockaddr_storage *address);

/* "192.0.2.7" and the port; "" and 0 of what has none. `text` has room for 64. */
unsigned place_text(const struct sockaddr_storage *address, char text[64]);

/* "192.0.2.7", "2001:db8:1:2::/64", or "unix". */
void place_put(struct auth_place place, char text[64]);

/* ---- names ---- */

enum { NAME_MAX_CANONICAL = 255 };

/* Where the last '@' is; name.len where there is none. */
size_t name_at_sign(struct slice name);

struct slice name_join(struct slice local, struct slice domain, struct arena *in) MUST_USE;

/* Whose secret is asked for, and whose mailbox is meant. */
struct resolved {
    struct auth_account account;
    struct auth_account target; /* the same one, but for DOMAIN\account\alias of somebody else */
    struct err no_target;       /* why there is none; told after the secret was right, not before */
    bool acts;                  /* it is somebody else */
};

/*
 * As auth_resolve(), but OK where only the target is missing. *stable is set in every case: one and
 * the same for all forms of one name, known or not, for what must not tell the difference (fake
 * salts, back-off).
 */
struct err resolve_name(const struct auth_settings *settings, struct auth_source *source,
                        struct slice given, struct arena *in, struct resolved *out,
                        struct slice *stable) MUST_USE;
struct err resolve_address(const struct auth_settings *settings, struct auth_source *source,
                           struct slice address, struct arena *in,
                           struct auth_account *out) MUST_USE;

/* ---- credentials (RFC 5802 3, RFC 5803) ---- */

enum scram_hash { SCRAM_SHA_256, SCRAM_SHA_1, SCRAM_HASHES };

enum { SCRAM_MIN_ITERATIONS = 4096, SCRAM_MAX_ITERATIONS = 65536, SCRAM_SALT = 16 };

struct scram_keys {
    unsigned iterations;
    size_t salt_len, key_len; /* key_len: of the hash, 32 or 20 */
    uint8_t salt[64], stored[32], server[32];
};

/* The keys of one hash out of an account's credentials; false where there are none. */
bool scram_keys_find(struct slice credentials, enum scram_hash hash, struct scram_keys *out);

/* What fake keys are made of: always the same ones for a name. */
struct scram_fake {
    const struct auth_settings *settings;
    struct slice name;   /* the stable form */
    unsigned iterations; /* some account's: see scram_fake_init() */
};

/*
 * Fake keys of `name` have the count of iterations of some account, always the same one: clients
 * see the count, so a count that only accounts have, or only unknown names, would tell which it
 * is. Where accounts differ in their counts, unknown names differ in the same proportion, and
 * change with them.
 */
void scram_fake_init(struct scram_fake *fake, const struct auth_settings *settings,
                     struct auth_source *source, struct slice name);

/* An account's secrets in their order: its own is 0, app passwords are 1 and up. */
enum { SECRET_OWN = 0, SECRET_NONE = -1 };

/* The app password that a secret is; NULL: it is the account's own. */
static inline const struct auth_app_password *
secret_app_password(const struct auth_account *account, int secret)
{
    return secret > SECRET_OWN ? &account->app_passwords[secret - 1] : NULL;
}

static inline struct slice secret_credentials(const struct auth_account *account, int secret)
{
    const struct auth_app_password *app = secret_app_password(account, secret);

    return app ? app->credentials : account->credentials;
}

/*
 * The keys whose salt and count stand for all secrets of an account (NULL: there is none). Where
 * it has none, fake ones that nobody has the secret of, and false. The work is the same either way.
 */
bool scram_keys_of(const struct scram_fake *fake, const struct auth_account *account,
                   enum scram_hash hash, struct scram_keys *out);

/*
 * Go through the keys of an account's secrets that have the salt and count of `salting`: *secret
 * is SECRET_NONE before the first. False: there is no further one.
 */
bool scram_keys_next(const struct auth_account *account, enum scram_hash hash,
                     const struct scram_keys *salting, int *secret, struct scram_keys *out);

/* Is an account's own secret kept as auth_credentials_add() would keep it today? */
bool scram_keys_current(const struct auth_settings *settings, const struct auth_account *account);

/* "SCRAM-SHA-256$4096:salt$stored:server", without a line end. */
void scram_keys_put(const struct scram_keys *keys, enum scram_hash hash, struct buf *out);

/* The keys of a secret (prepared), by salt and count. Costly: `iterations` rounds of HMAC. */
void scram_keys_derive(struct scram_keys *keys, enum scram_hash hash, struct slice secret);

/*
 * ClientProof (RFC 5802 3): was it made with the secret of these keys, for this AuthMessage?
 * `signature`, of key_len bytes: the answer that proves the server to the client.
 */
bool scram_keys_prove(const struct scram_keys *keys, enum scram_hash hash, struct slice message,
                      struct slice proof, uint8_t signature[32]);

/* The name of the hash's mechanism, "SCRAM-SHA-256". */
const char *scram_hash_name(enum scram_hash hash);

/* HMAC-SHA-256 over parts, each with its length before it. */
void auth_hmac(const uint8_t key[32], const struct slice *parts, size_t n, uint8_t out[32]);

/* ---- secrets that were right ---- */

struct verify_cache;

struct verify_cache *verify_cache_new(size_t slots);
void verify_cache_free(struct verify_cache *cache);

/*
 * Was this secret right for the account as it is now? Whatever changes the account (generation,
 * credentials) makes all answers no. *out: as it was given to verify_cache_add().
 */
struct verified {
    int secret;  /* which of the account's it is; or SECRET_NONE */
    bool legacy; /* in the legacy character set */
};

bool verify_cache_has(struct verify_cache *cache, const struct auth_account *account,
                      struct slice secret, struct verified *out);
void verify_cache_add(struct verify_cache *cache, const struct auth_account *account,
                      struct slice secret, const struct verified *what);

/*
 * Is `secret` (as sent) one of the account's? NULL for an account that does not exist: the same
 * work, then SECRET_NONE.
 */
struct verified verify_secret(const struct auth_settings *settings, struct verify_cache *cache,
                              const struct auth_account *account, const struct scram_fake *fake,
                              struct slice secret);

/*
 * The account's own secret was right: where its keys are not those that it would get today
 * (the count was changed, or they came from elsewhere), the source is given new ones.
 */
struct err verify_renew(const struct auth_settings *settings, struct auth_source *source,
                        const struct auth_account *account, struct slice secret,
                        bool legacy) MUST_USE;

/* ---- back-off ---- */

struct backoff;

struct backoff *backoff_new(size_t max_entries, const uint8_t server_secret[32]);
void backoff_free(struct backoff *backoff);

/* Must this client wait before he may try this account? Times are of a monotonic clock. */
bool backoff_refuses(struct backoff *backoff, struct auth_place place, struct slice name,
                     uint64_t now_ms);

/* He failed. The same wrong secret for the same name counts once; an empty one always counts. */
void backoff_failed(struct backoff *backoff, struct auth_place place, struct slice name,
                    struct slice secret, uint64_t now_ms);
void backoff_succeeded(struct backoff *backoff, struct auth_place place, struct slice name,
                       uint64_t now_ms);

/* Who must wait, and names under attack; under the lock, so `each` must be short. */
void backoff_each(struct backoff *backoff, uint64_t now_ms,
                  void (*each)(void *ctx, const struct auth_throttled *one), void *ctx);

/* Forget what was counted for the place, for the name, or for all (both NULL). See auth_lift(). */
size_t backoff_lift(struct backoff *backoff, const struct auth_place *place,
                    const struct slice *name, uint64_t now_ms);

/* See auth_penalties_save(). */
void backoff_save(struct backoff *backoff, struct clock now, struct buf *out);
struct err backoff_load(struct backoff *backoff, struct clock now, struct slice saved) MUST_USE;
uint64_t backoff_changes(struct backoff *backoff);

/* ---- sessions ---- */

struct sessions;

struct sessions *sessions_new(void);
void sessions_free(struct sessions *sessions);
bool sessions_enter(struct sessions *sessions, struct auth_place place, struct slice identity,
                    unsigned max);
void sessions_leave(struct sessions *sessions, struct auth_place place, struct slice identity);

/* ---- the pool ---- */

struct pool;

struct job {
    void (*run)(struct job *job);
    struct auth_place place;
    struct job *next; /* the pool's */
};

/* No threads: jobs run inside pool_submit(). */
struct pool *pool_new(unsigned threads, unsigned max_waiting);
/* Waits for the jobs that are queued or running. */
void pool_free(struct pool *pool);
/* ERR_LIMIT: too many wait, of all or of this client. */
struct err pool_submit(struct pool *pool, struct job *job) MUST_USE;

/* ---- mechanisms ---- */

enum mechanism_kind { MECHANISM_PLAIN, MECHANISM_LOGIN, MECHANISM_SCRAM, MECHANISM_EXTERNAL };

struct mechanism {
    const char *name;
    const char *base; /* as libsasl2 lists it: without -PLUS */
    enum mechanism_kind kind;
    bool plaintext; /* sends the secret: needs TLS, or a listener that allows it */
    bool binds;     /* -PLUS: needs TLS with channel binding data */
};

/* In order of preference. */
extern const struct mechanism mechanisms[];
extern const size_t n_mechanisms;

/* By the name that a client sent, in any case; NULL. */
const struct mechanism *mechanism_find(struct slice name);

/* May this peer use it (NULL: there is no such mechanism) at all? AUTH_OK, or why not. */
enum auth_reason mechanism_admits(const struct mechanism *m, bool binding_offered,
                                  const struct auth_peer *peer);

/* Is this peer offered any -PLUS: has it channel binding data? On the peer's thread. */
bool mechanism_binding_offered(const struct auth_peer *peer);

/* ---- passes ---- */

struct exchange;

/* auth_pass_new(), of what an attempt is made of. */
struct auth_pass *pass_new(const struct exchange *x, struct slice name,
                           struct slice secret) MUST_USE;

/* ---- client messages ---- */

/* [authzid] NUL authcid NUL secret (RFC 4616 2). False: not exactly two NULs. */
bool message_plain(struct slice message, struct slice *authzid, struct slice *name,
                   struct slice *secret);

struct scram_first {
    uint8_t flag;               /* 'n', 'y' or 'p' */
    struct slice binding;       /* with 'p': the type */
    struct slice header;        /* the GS2 header, which the last message repeats */
    struct slice bare;          /* what stands behind it */
    struct slice authzid, name; /* decoded, in the arena that was given */
    struct slice nonce;
};

/* client-first-message (RFC 5802 7); extensions are ignored, as they must be. */
bool message_scram_first(struct slice message, struct arena *in, struct scram_first *out);

struct scram_final {
    struct slice bare; /* all before the proof */
    struct slice nonce;
    struct slice proof; /* in base64 */
};

/* client-final-message. */
bool message_scram_final(struct slice message, struct scram_final *out);

/* Does client-final-message bind to this header and this data? False too where it is malformed. */
bool message_scram_binds(struct slice message, struct slice header, struct slice data);

/* ---- the layer ---- */

struct auth {
    struct auth_source *source;
    struct auth_sink *sink;
    struct log *log;
    struct clock (*now)(void);
    pthread_mutex_t mutex; /* of settings, the pointer */
    struct auth_settings *settings;
    struct pool *pool;
    struct verify_cache *cache;
    struct backoff *backoff;
    struct sessions *sessions;
};

struct auth_settings *auth_settings(struct auth *auth); /* to be given back */

/* To the sink. */
void auth_write(struct auth *auth, const struct auth_record *record);

/* ---- libsasl2 ---- */

struct err sasl_layer_start(struct auth *auth) MUST_USE;
void sasl_layer_stop(void);

/* Add SCRAM to libsasl2, which has been started. */
struct err scram_add(void) MUST_USE;

/* Who the client says he is; found before libsasl2 is asked anything. */
struct claim {
    struct slice given;      /* as sent, or empty */
    struct slice stable;     /* resolve_name()'s */
    struct slice canonical;  /* for libsasl2: the identity, or a form that no account can have */
    enum auth_reason reason; /* AUTH_OK: `resolved` is valid */
    struct resolved resolved;
};

/* One exchange of libsasl2, and what its callbacks need and find out. */
struct exchange {
    struct auth *auth;
    const struct auth_settings *settings;
    const struct auth_peer *peer;
    const struct mechanism *mechanism;
    struct arena *arena;
    struct claim name, authzid; /* an empty authzid: none was sent, or the same as the name */
    struct scram_fake fake;     /* of the name */
    struct slice binding_type, binding; /* with a -PLUS mechanism */
    uint64_t now;                       /* FILETIME, for expiry */

    bool refused; /* `reason` says more than libsasl2's code does */
    enum auth_reason reason;
    bool proven; /* the policy was asked, so the secret was right */
    struct verified verified;
    struct sasl_wires *wires; /* sasl.c's */
};

enum exchange_end { EXCHANGE_CHALLENGE, EXCHANGE_OK, EXCHANGE_FAILED };

/*
 * Give libsasl2 a message (NULL: an absent initial response) and take its answer. On
 * EXCHANGE_FAILED x->reason says why. Any end but a challenge disposes of the connection.
 */
enum exchange_end exchange_run(struct exchange *x, const struct slice *message, struct buf *reply);
void exchange_done(struct exchange *x);

/* The account on which a good verdict lets the client in; only after EXCHANGE_OK. */
const struct auth_account *exchange_target(const struct exchange *x);
/* Who gave the secret. */
const struct auth_account *exchange_actor(const struct exchange *x);
/* Which of his secrets it was; NULL: the account's own, or none yet. */
const struct auth_app_password *exchange_app_password(const struct exchange *x);
/* When what he logged on with ends; 0: never. */
uint64_t exchange_expires(const struct exchange *x);

/* May he come in, now that he has proven who he is? The one gate of every mechanism. */
enum auth_reason policy_check(const struct exchange *x);

/* The same of somebody who asks about it. */
enum auth_reason policy_of(const struct auth_question *question, const struct auth_peer *peer,
                           uint64_t now);

/* What a failed look-up of a name means. */
enum auth_reason reason_of_name(struct err e);

/* Whose exchange a call of libsasl2 belongs to; sasl.c's. */
struct sasl_server_params;
struct exchange *exchange_of(const struct sasl_server_params *params);

#endif
