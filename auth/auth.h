/*
 * auth.h - who is this, and may he come in: one answer for every protocol.
 *
 * Every attempt to log on ends in exactly one verdict with a stage and a reason, sealed before
 * the mailbox is opened and recorded before the client is answered. USER/PASS, LOGIN and HTTP
 * Basic are the PLAIN mechanism under other names. libsasl2 is the engine of mechanisms, run by
 * callbacks only: no file outside Gatepost's configuration changes what it does.
 *
 *   transport -> syntax -> mechanism -> identity -> credential -> policy -> ok
 *
 * Threads    An attempt belongs to its connection's thread (home). Steps run on a bounded pool,
 *            one at a time, with fair queues per client address; answers are posted to home.
 *            auth_resolve() and the record functions run on any thread.
 * Ownership  Secrets live in memory that is wiped; they are in no record and no log line.
 * Errors     A refusal is a verdict, not an error.
 * Units      Times are FILETIME; durations are milliseconds.
 */
#ifndef GATEPOST_AUTH_AUTH_H
#define GATEPOST_AUTH_AUTH_H

#include <sys/socket.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/executor.h"
#include "base/log.h"

/* ---- words ---- */

enum auth_protocol {
    AUTH_POP3 = 1 << 0,
    AUTH_IMAP = 1 << 1,
    AUTH_MAPI = 1 << 2,
    AUTH_LMTP = 1 << 3,
    AUTH_OPS = 1 << 4,
};

/* For tables by protocol: 0 to AUTH_PROTOCOLS - 1. */
enum { AUTH_PROTOCOLS = 5 };

static inline unsigned auth_protocol_index(enum auth_protocol protocol)
{
    return (unsigned)__builtin_ctz(protocol);
}

enum auth_stage {
    AUTH_STAGE_TRANSPORT,
    AUTH_STAGE_SYNTAX,
    AUTH_STAGE_MECHANISM,
    AUTH_STAGE_IDENTITY,
    AUTH_STAGE_CREDENTIAL,
    AUTH_STAGE_POLICY,
    AUTH_STAGE_OK,
};

/*
 * Why. Each protocol has a table from these to its answers (a test finds any gap).
 * Event ids 11310 and 11103 are Exchange 5.5's (Q256221); the others are ours.
 *
 *    reason                    name            stage       event */
#define AUTH_REASONS(X)                                                                            \
    X(AUTH_OK, "ok", AUTH_STAGE_OK, 11301)                                                         \
    X(AUTH_WRONG_SECRET, "wrong-secret", AUTH_STAGE_CREDENTIAL, 11310)                             \
    X(AUTH_UNKNOWN_USER, "unknown-user", AUTH_STAGE_IDENTITY, 11310)                               \
    X(AUTH_AMBIGUOUS_NAME, "ambiguous-name", AUTH_STAGE_IDENTITY, 11310)                           \
    X(AUTH_BAD_NAME, "bad-name", AUTH_STAGE_IDENTITY, 11310)                                       \
    X(AUTH_LOCKED, "locked", AUTH_STAGE_POLICY, 11310)                                             \
    X(AUTH_NOT_AUTHORIZED, "not-authorized", AUTH_STAGE_POLICY, 11310)                             \
    X(AUTH_EXPIRED, "expired", AUTH_STAGE_POLICY, 11311)                                           \
    X(AUTH_PROTOCOL_OFF, "protocol-off", AUTH_STAGE_POLICY, 11312)                                 \
    X(AUTH_NEEDS_TLS, "needs-tls", AUTH_STAGE_TRANSPORT, 11313)                                    \
    X(AUTH_BACK_OFF, "back-off", AUTH_STAGE_POLICY, 11314)                                         \
    X(AUTH_UNAVAILABLE, "unavailable", AUTH_STAGE_CREDENTIAL, 11315)                               \
    X(AUTH_BUSY, "busy", AUTH_STAGE_CREDENTIAL, 11315)                                             \
    X(AUTH_BAD_MECHANISM, "bad-mechanism", AUTH_STAGE_MECHANISM, 11318)                            \
    X(AUTH_BAD_EXCHANGE, "bad-exchange", AUTH_STAGE_SYNTAX, 11319)                                 \
    X(AUTH_BAD_BINDING, "bad-binding", AUTH_STAGE_TRANSPORT, 11320)                                \
    X(AUTH_CANCELLED, "cancelled", AUTH_STAGE_SYNTAX, 11321)                                       \
    X(AUTH_LOST, "lost", AUTH_STAGE_TRANSPORT, 11103)                                              \
    /* after a good verdict; these are events of their own */                                      \
    X(AUTH_TOO_MANY, "too-many-connections", AUTH_STAGE_OK, 11316)                                 \
    X(AUTH_NO_MAILBOX, "mailbox-unavailable", AUTH_STAGE_OK, 11317)

enum auth_reason {
#define AUTH_REASON_AS_ENUM(reason, name, stage, event) reason,
    AUTH_REASONS(AUTH_REASON_AS_ENUM)
#undef AUTH_REASON_AS_ENUM
        AUTH_REASON_COUNT
};

const char *auth_protocol_name(enum auth_protocol protocol); /* "pop3", "imap", ... */
const char *auth_stage_name(enum auth_stage stage);
const char *auth_reason_name(enum auth_reason reason);
enum auth_stage auth_reason_stage(enum auth_reason reason);
unsigned auth_reason_event(enum auth_reason reason);

/* ---- accounts, as auth needs them ---- */

/*
 * One more secret of an account, made for one client of its owner. It opens his own mailbox and
 * nothing else: no other's, and nothing that administrators see.
 */
struct auth_app_password {
    struct slice name; /* the owner's word for it: UTF-8 */
    struct slice credentials;
    unsigned protocols; /* mask of enum auth_protocol */
    uint64_t expires;   /* 0: never */
};

/* Who may open the mailbox of an account with a secret of his own. */
struct auth_delegate {
    struct slice identity;
    uint64_t mailbox_id; /* a later account of the same name is somebody else */
};

struct auth_account {
    struct slice identity; /* canonical; all slices live in the arena that was given */
    struct slice display_name;
    struct slice nt_domain;   /* or empty */
    struct slice credentials; /* as auth_credentials_make() wrote them; empty: none set */
    uint64_t mailbox_id;
    unsigned protocols; /* mask of enum auth_protocol: which he may use */
    bool locked, admin;
    bool master;                           /* may open every mailbox but administrators' */
    uint64_t expires;                      /* of the secret; 0: never */
    uint64_t generation;                   /* raised by every change */
    const struct auth_delegate *delegates; /* who may open this one's mailbox */
    size_t n_delegates;
    const struct auth_app_password *app_passwords;
    size_t n_app_passwords;
};

/* Where accounts come from. The gateway plugs the store in. Called on any thread. */
struct auth_source {
    /*
     * The account whose name or alias is `name` (canonical form, see auth_name()).
     * ERR_NOT_FOUND; ERR_CONFLICT: more than one; anything else: the source cannot tell now.
     */
    struct err (*lookup)(struct auth_source *source, struct slice name, struct arena *in,
                         struct auth_account *out);
    /*
     * Some account, by a point on a circle: the same one for the same point, unless an account
     * comes or goes right there. What unknown names must look like is taken from it.
     * ERR_NOT_FOUND: there is no account.
     */
    struct err (*near)(struct auth_source *source, const uint8_t point[8], struct arena *in,
                       struct auth_account *out);
    /*
     * Give an account new credentials of the same secret, if nobody has changed it since it was
     * looked up (ERR_CONFLICT). Waits until it is durable. NULL: this source keeps them elsewhere.
     */
    struct err (*set_credentials)(struct auth_source *source, const struct auth_account *account,
                                  struct slice credentials);
    /*
     * A number that is another one once any account has changed, and maybe without: it spares
     * looking up what cannot have changed. NULL: this source has none.
     */
    struct err (*version)(struct auth_source *source, uint64_t *version);
};

/* ---- records ---- */

/* The facts of a connection that verdicts and records need. The session keeps it up to date. */
struct auth_peer {
    enum auth_protocol protocol;
    const char *listener; /* its name in the configuration */
    const char *session_id;
    struct sockaddr_storage remote, local;
    struct sockaddr_storage proxy; /* on whose word `remote` stands; of no family: he is there */
    struct slice proxy_session;    /* what the proxy calls the session; may be empty */
    struct slice client_name;      /* IMAP ID; may be empty */
    bool tls;
    const char *tls_version, *tls_cipher; /* NULL without TLS */
    unsigned tls_bits;
    struct slice certificate_name; /* whom the client's verified certificate names; empty: none */
    bool plaintext_ok;             /* listener policy: PLAIN, LOGIN, USER/PASS without TLS */
    unsigned
        mechanisms; /* listener policy: those offered, a mask of auth_mechanism_bit(); 0: all */
    bool exempt;    /* from back-off: a trusted network */
    /* Channel binding data of RFC 5929/9266 by type ("tls-exporter"); false: there is none. */
    bool (*binding)(void *ctx, struct slice type, struct buf *out);
    void *binding_ctx;
};

struct auth_record {
    uint64_t time;
    enum auth_reason reason;
    const struct auth_peer *peer;
    struct slice mechanism;    /* "PLAIN", "SCRAM-SHA-256-PLUS"; of USER/PASS and LOGIN: "USER",
                                  "LOGIN-COMMAND" */
    struct slice name_given;   /* as the client sent it: any bytes */
    struct slice identity;     /* canonical; empty where none was found */
    struct slice actor;        /* who authenticated, where he acts for another; else empty */
    struct slice app_password; /* the name of the one whose secret it was; empty: the account's */
    bool legacy_charset;       /* the secret matched in the configured legacy character set */
    uint64_t latency_ms;       /* of our work and its queue; the client's turns do not count */
    uint64_t latency_us;       /* the same, finer */
};

/*
 * Gets every record, on the thread that sealed the verdict, before the client is answered. `line`
 * is the record as one line of JSON, with its line feed. Returns after the line is written.
 */
struct auth_sink {
    void (*record)(struct auth_sink *sink, const struct auth_record *record, struct slice line);
};

/* The line; escapes whatever bytes the client sent into valid JSON. */
void auth_record_put(const struct auth_record *record, struct buf *out);

/* ---- the layer ---- */

struct auth_config {
    const char *host_name;        /* of this server: SASL's serverFQDN */
    const char *const *domains;   /* local mail domains; NULL-terminated; the first is default */
    const char *nt_domain;        /* of accounts that name none; or NULL */
    const char *legacy_charset;   /* secrets are tried in it after UTF-8; or NULL */
    const char *master_separator; /* "*": "user*master" is the mailbox of user with the secret of
                                     master; NULL or "": names are not split */
    uint8_t server_secret[32];    /* from the store: fake salts come of it */
    unsigned iterations;          /* of SCRAM keys: 4,096 to 65,536; 0: 4,096. An account gets this
                                     count with its next secret, or when PLAIN was right */
    unsigned threads;             /* of the pool; 0: number of cores */
    unsigned max_waiting;         /* steps that wait for the pool; 0: 10,000 */
    unsigned max_per_user;        /* sessions per user and address; 0: 50 */
    bool no_back_off;
    struct clock (*now)(void); /* NULL: clock_now() */
    bool inline_steps;         /* no pool: a step runs within its call (tests, fuzzers, tools) */
};

struct auth;

/* Would auth_new() take it? ERR_INVALID: `why` says which value it would not. */
struct err auth_check(const struct auth_config *config) MUST_USE;

/* One per process (libsasl2's state is global). Call before other threads run. */
struct err auth_new(const struct auth_config *config, struct auth_source *source,
                    struct auth_sink *sink, struct log *log, struct auth **out) MUST_USE;
void auth_free(struct auth *auth);

/* On SIGHUP: what can change without a restart (all but the threads) does. */
struct err auth_reconfigure(struct auth *auth, const struct auth_config *config) MUST_USE;

/*
 * What may be advertised to this peer now, in order of preference: "SCRAM-SHA-256-PLUS", ...
 * The strings are static. USER/PASS and LOGIN go with "PLAIN". On the peer's own thread, for it
 * asks peer->binding.
 */
size_t auth_mechanisms(struct auth *auth, const struct auth_peer *peer, const char *names[],
                       size_t max);

/* The bit of a mechanism in auth_peer.mechanisms; 0: there is none of that name. */
unsigned auth_mechanism_bit(struct slice name);

/* May secrets be sent as they are (PLAIN and its other names)? */
bool auth_plaintext_allowed(const struct auth_peer *peer);

/* Whose secret is asked about, and for which mailbox. */
struct auth_question {
    const struct auth_account *account;
    const struct auth_app_password *app_password; /* one of his; NULL: the account's own secret */
    const struct auth_account *target;            /* NULL: his own mailbox */
};

/*
 * What the right secret would get this peer by that mechanism ("PLAIN" stands for its other names
 * too): for people who ask why. Nothing is recorded. Back-off is not looked at, for it is the
 * daemon's and the moment's.
 */
enum auth_reason auth_explain(struct auth *auth, const struct auth_peer *peer,
                              const char *mechanism, const struct auth_question *question);

/* ---- attempts ---- */

struct auth_verdict {
    enum auth_reason reason;
    struct slice identity; /* with AUTH_OK; lives as long as the attempt */
    uint64_t mailbox_id;
    bool admin;
};

/* One try to log on: one verdict, one record. */
struct auth_attempt;

enum auth_state {
    AUTH_IDLE,      /* made, not started */
    AUTH_WORKING,   /* `answer` will be called */
    AUTH_CHALLENGE, /* send auth_attempt_challenge(), then auth_attempt_step() the client's line */
    AUTH_DONE,      /* see auth_attempt_verdict() */
};

/*
 * `answer` is called on home after every start or step, never from inside it; it may free the
 * attempt. `peer` must outlive the attempt's auth_attempt_free(), and no more: what comes later
 * uses a copy.
 */
struct auth_attempt *auth_attempt_new(struct auth *auth, const struct auth_peer *peer,
                                      struct executor *home,
                                      void (*answer)(struct auth_attempt *attempt, void *owner),
                                      void *owner) MUST_USE;

/*
 * AUTH / AUTHENTICATE: `initial` is the initial response in base64 as the client sent it ("=" is
 * the empty one), or NULL where there was none. Lines are without their CRLF; "*" cancels.
 */
void auth_attempt_start(struct auth_attempt *attempt, struct slice mechanism,
                        const struct slice *initial);
void auth_attempt_step(struct auth_attempt *attempt, struct slice line);

/* USER/PASS, LOGIN, Basic: any bytes. `command` names it in the record. */
void auth_attempt_password(struct auth_attempt *attempt, const char *command, struct slice name,
                           struct slice secret);

enum auth_state auth_attempt_state(const struct auth_attempt *attempt);
struct slice auth_attempt_challenge(const struct auth_attempt *attempt); /* base64, maybe empty */
const struct auth_verdict *auth_attempt_verdict(const struct auth_attempt *attempt);

/*
 * Done with it, in any state: `answer` is not called any more. Without a verdict it is recorded as
 * lost (event 11103). NULL is fine. Freed while working it goes by itself, on a thread of the pool
 * or in a last task at home: so home must outlive auth_free().
 */
void auth_attempt_free(struct auth_attempt *attempt);

/*
 * For protocols that send the secret with every request (HTTP Basic): what the good verdict of a
 * password attempt rests on. While it holds, the same name and secret get the same verdict, and
 * are no attempt of their own. It does not hold once the account, its rights, its secret, its
 * expiry or the configuration have changed, or where accounts cannot be reached; then an attempt
 * tells. Looks accounts up where any may have changed; one thread at a time.
 *
 * `name` and `secret` are those of the attempt, which has the verdict AUTH_OK. May return NULL.
 */
struct auth_pass;

struct auth_pass *auth_pass_new(const struct auth_attempt *attempt, struct slice name,
                                struct slice secret) MUST_USE;
bool auth_pass_holds(struct auth *auth, struct auth_pass *pass, struct slice name,
                     struct slice secret);
void auth_pass_free(struct auth_pass *pass); /* NULL is fine; before auth_free() */

/* The longest line that a client may send in an exchange (base64, without CRLF). */
enum { AUTH_MAX_LINE = 8192, AUTH_MAX_SECRET = 1000, AUTH_MAX_NAME = 1024 };

/* A connection that ends without any attempt having been made, or between USER and PASS. */
void auth_record_lost(struct auth *auth, const struct auth_peer *peer, struct slice name_given);

/* AUTH_TOO_MANY or AUTH_NO_MAILBOX, after a good verdict. */
void auth_record_event(struct auth *auth, const struct auth_peer *peer, struct slice identity,
                       enum auth_reason reason);

/*
 * Count a session in; ERR_LIMIT: this user has as many from this address as he may, and it is not
 * counted. Whoever was counted in is counted out once, with the same address.
 */
struct err auth_session_enter(struct auth *auth, const struct auth_peer *peer,
                              struct slice identity) MUST_USE;
void auth_session_leave(struct auth *auth, const struct auth_peer *peer, struct slice identity);

/* ---- back-off, for administrators ---- */

struct auth_throttled {
    struct slice address; /* "192.0.2.7", "2001:db8:1:2::/64"; empty: from anywhere */
    struct slice name;    /* canonical, or as it was tried; empty: any */
    uint64_t failures;    /* that still count */
    uint64_t wait_ms; /* so long yet; 0: a name under attack, for which nobody waits by itself */
};

/*
 * Addresses that must wait, names for which an address must wait, and names under attack; those
 * that failed last come first. `each` may not call auth. Any thread.
 */
void auth_throttled(struct auth *auth, void (*each)(void *ctx, const struct auth_throttled *one),
                    void *ctx);

/*
 * Forget the failures of an address, whatever names it tried (NULL: of all), or for a name as
 * typed, wherever it was tried (empty: any). Returns how many of auth_throttled()'s are lifted by
 * it.
 */
size_t auth_lift(struct auth *auth, const struct sockaddr_storage *address, struct slice name);

/*
 * What is counted, so that a restart forgives nobody: written down, and taken over by the next
 * process of the same server_secret. It holds addresses, keyed hashes, and the names for which
 * somebody must wait; nothing of any secret. What has gone by meanwhile is forgiven as if the
 * process had lived.
 */
void auth_penalties_save(struct auth *auth, struct buf *out);
/* Before the first attempt. ERR_INVALID: damaged; what was whole of it is taken. */
struct err auth_penalties_load(struct auth *auth, struct slice saved) MUST_USE;
/* Another number: there is something new to write down. Any thread. */
uint64_t auth_penalties_changes(struct auth *auth);

/* ---- names and secrets ---- */

/*
 * The canonical form of one name or alias: PRECIS UsernameCaseMapped (RFC 8265 3.3), of
 * local@domain each part. ERR_INVALID: this can be no name.
 */
struct err auth_name(struct slice given, struct arena *in, struct slice *out) MUST_USE;

/*
 * The account that a name as typed means, in any of the forms: alias, user@domain,
 * DOMAIN\account, DOMAIN/account, DOMAIN\account\alias, DOMAIN/account/alias. DOMAIN is the NT
 * domain of the account, or a local mail domain. In the last two forms, and in user*master where
 * that is configured, the mailbox is the alias's or user's, and the secret is the account's or
 * master's, who must have the right to it, as with an authorization identity. The answer is the
 * account whose mailbox is meant.
 * ERR_NOT_FOUND, ERR_CONFLICT (ambiguous), ERR_INVALID, ERR_UNAVAILABLE.
 */
struct err auth_resolve(struct auth *auth, struct slice given, struct arena *in,
                        struct auth_account *out) MUST_USE;

/* The same for a recipient's address: local@domain, also with +detail behind the local part. */
struct err auth_resolve_recipient(struct auth *auth, struct slice address, struct arena *in,
                                  struct auth_account *out) MUST_USE;

/* The address of a canonical name: with the default domain where it has none and there is one. */
struct slice auth_address(struct auth *auth, struct slice name, struct arena *in) MUST_USE;

/*
 * Salted SCRAM-SHA-256 and SCRAM-SHA-1 keys of a secret (OpaqueString, RFC 8265 4.2), as text.
 * ERR_INVALID: not UTF-8 or has forbidden characters; ERR_TOO_BIG: beyond AUTH_MAX_SECRET.
 */
struct err auth_credentials_make(struct slice secret, unsigned iterations,
                                 struct buf *out) MUST_USE;

/*
 * The same for an account that has secrets already: a new one of its own, or an app password. All
 * secrets of an account share salts and counts, for SCRAM's challenge names one salt before it is
 * known which of them the client has. So while it has app passwords, `iterations` is that of the
 * first; `app_password`: this one is not to replace the account's own.
 */
struct err auth_credentials_add(const struct auth_account *account, bool app_password,
                                struct slice secret, unsigned iterations, struct buf *out) MUST_USE;

/* A secret nobody can guess, of characters that every client can send: 24 of them. */
void auth_secret_make(struct buf *out);

#endif
