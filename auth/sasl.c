/*
 * sasl.c - libsasl2: its set-up, its callbacks, and one exchange of it.
 *
 * The library parses messages and proves secrets; it decides nothing. Names come from our canonuser
 * plugin, plain secrets go to our checkpass callback, SCRAM is a mechanism of our own (scram.c),
 * and whoever proved a secret goes through our policy callback. What these find out is kept in the
 * exchange, for the library drops or changes codes on their way out. It reads no file but its
 * plugins.
 *
 * One connection serves one exchange and is disposed of at its end, whatever that was: after some
 * failures a further call on it would succeed.
 */
#include <assert.h>

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include "auth/auth_int.h"
#include "base/base64.h"
#include "base/mem.h"

#ifndef GATEPOST_SASL_PLUGINS
#define GATEPOST_SASL_PLUGINS "/usr/lib/x86_64-linux-gnu/sasl2"
#endif

/* libsasl2 keeps callbacks as functions without arguments, and calls them by their number. */
#define CALLBACK(id, function, context)                                                            \
    {                                                                                              \
        (id), (int (*)(void))(void (*)(void))(function), (context)                                 \
    }

struct sasl_wires {
    sasl_conn_t *conn;
    sasl_callback_t callbacks[4];
    bool started;
};

/* ---- global callbacks ---- */

static struct log *global_log;

static const struct option {
    const char *name, *value;
} options[] = {
    {"mech_list", "EXTERNAL SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN"},
    {"auxprop_plugin", "gate"},
    {"canon_user_plugin", "gate"},
    /* No verifier behind ours: its answer would replace ours. */
    {"pwcheck_method", ""},
};

/* Always an answer: without one the library would look into files. */
static int get_option(void *context, const char *plugin, const char *name, const char **result,
                      unsigned *len)
{
    (void)context, (void)plugin;
    *result = NULL;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strcmp(name, options[i].name) == 0)
            *result = options[i].value;
    if (len)
        *len = *result ? (unsigned)strlen(*result) : 0;
    return SASL_OK;
}

/*
 * The library's own words are for those who look for a fault in it. The line about the missing
 * verifier comes with every wrong secret, and is what we want.
 */
static int log_message(void *context, int level, const char *message)
{
    const struct exchange *x = context;
    const char *session = x && x->peer->session_id ? x->peer->session_id : "";

    if (level <= SASL_LOG_WARN && message && !strstr(message, "unknown password verifier"))
        log_event(global_log, LOG_LEVEL_DEBUG, "auth.sasl", log_str("session", session),
                  log_number("level", level), log_str("message", message));
    return SASL_OK;
}

static int get_path(void *context, const char **path)
{
    (void)context;
    *path = GATEPOST_SASL_PLUGINS;
    return SASL_OK;
}

static int get_conf_path(void *context, char **path)
{
    static char none[] = "";

    (void)context;
    *path = none;
    return SASL_OK;
}

/* Only these are loaded; and no configuration file is ever read. */
static int verify_file(void *context, char *file, sasl_verify_type_t type)
{
    static const char *const allowed[] = {"libplain.so", "liblogin.so"};
    const char *slash = strrchr(file, '/');
    const char *base = slash ? slash + 1 : file;

    (void)context;
    for (size_t i = 0; type == SASL_VRFY_PLUGIN && i < sizeof allowed / sizeof *allowed; i++)
        if (strcmp(base, allowed[i]) == 0)
            return SASL_OK;
    return SASL_CONTINUE;
}

/* Kept by pointer until sasl_server_done(). */
static const sasl_callback_t global_callbacks[] = {
    CALLBACK(SASL_CB_GETOPT, get_option, NULL),
    CALLBACK(SASL_CB_LOG, log_message, NULL),
    CALLBACK(SASL_CB_GETPATH, get_path, NULL),
    CALLBACK(SASL_CB_GETCONFPATH, get_conf_path, NULL),
    CALLBACK(SASL_CB_VERIFYFILE, verify_file, NULL),
    {SASL_CB_LIST_END, NULL, NULL},
};

static void *mutex_new(void)
{
    pthread_mutex_t *mutex = mem_new(sizeof *mutex);

    pthread_mutex_init(mutex, NULL);
    return mutex;
}

static int mutex_lock(void *mutex)
{
    return pthread_mutex_lock(mutex) == 0 ? SASL_OK : SASL_FAIL;
}

static int mutex_unlock(void *mutex)
{
    return pthread_mutex_unlock(mutex) == 0 ? SASL_OK : SASL_FAIL;
}

static void mutex_free(void *mutex)
{
    pthread_mutex_destroy(mutex);
    free(mutex);
}

/* The first to refuse is the one who says why. */
static void refuse(struct exchange *x, enum auth_reason reason)
{
    if (!x->refused)
        x->reason = reason;
    x->refused = true;
}

/* ---- the plugins "gate" ---- */

static int policy(sasl_conn_t *conn, void *context, const char *user, unsigned user_len,
                  const char *auth, unsigned auth_len, const char *realm, unsigned realm_len,
                  struct propctx *properties);

/* Whose call this is: the context of the policy callback of the connection. */
struct exchange *exchange_of(const struct sasl_server_params *params)
{
    for (const sasl_callback_t *c = params->callbacks; c && c->id != SASL_CB_LIST_END; c++)
        if (c->id == SASL_CB_PROXY_POLICY)
            return c->context;
    return NULL;
}

/*
 * The canonical form of a name: found before the library saw it. No name is refused here, known or
 * not: that would tell which it is, and LOGIN would leak the secret.
 */
static int canon_user(void *glob, sasl_server_params_t *params, const char *user, unsigned len,
                      unsigned flags, char *out, unsigned max, unsigned *out_len)
{
    struct exchange *x = exchange_of(params);
    struct slice given = slice_of(user, len);

    (void)glob;
    if (!x)
        return SASL_FAIL;
    const struct claim *claim = flags & SASL_CU_AUTHID ? &x->name : &x->authzid;
    struct slice canonical = claim->canonical;
    /* What the library read must be what we read. */
    if (!slice_eq(given, claim->given) || canonical.len > max) {
        refuse(x, AUTH_BAD_EXCHANGE);
        canonical = S("?");
    }
    memcpy(out, canonical.ptr, canonical.len);
    out[canonical.len] = 0;
    *out_len = (unsigned)canonical.len;
    return SASL_OK;
}

static int canon_init(const sasl_utils_t *utils, int max_version, int *out_version,
                      sasl_canonuser_plug_t **plug, const char *name)
{
    static char gate[] = "gate";
    static sasl_canonuser_plug_t plugin = {.name = gate, .canon_user_server = canon_user};

    (void)utils, (void)name;
    if (max_version < SASL_CANONUSER_PLUG_VERSION)
        return SASL_BADVERS;
    *out_version = SASL_CANONUSER_PLUG_VERSION;
    *plug = &plugin;
    return SASL_OK;
}

/* Nobody has properties: secrets are checked by callbacks, and SCRAM is ours. */
static int find_nothing(void *glob, sasl_server_params_t *params, unsigned flags, const char *user,
                        unsigned len)
{
    (void)glob, (void)params, (void)flags, (void)user, (void)len;
    return SASL_OK;
}

static int auxprop_init(const sasl_utils_t *utils, int max_version, int *out_version,
                        sasl_auxprop_plug_t **plug, const char *name)
{
    static char gate[] = "gate";
    static sasl_auxprop_plug_t plugin = {.name = gate, .auxprop_lookup = find_nothing};

    (void)utils, (void)name;
    if (max_version < SASL_AUXPROP_PLUG_VERSION)
        return SASL_BADVERS;
    *out_version = SASL_AUXPROP_PLUG_VERSION;
    *plug = &plugin;
    return SASL_OK;
}

/* ---- start and stop ---- */

static bool library_has(const char *name)
{
    const char **list = sasl_global_listmech();

    for (; list && *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

struct err sasl_layer_start(struct auth *auth)
{
    struct err e = OK;

    global_log = auth->log;
    sasl_set_mutex(mutex_new, mutex_lock, mutex_unlock, mutex_free);
    if (sasl_server_init(global_callbacks, "gatepost") != SASL_OK)
        return ERR(ERR_UNAVAILABLE, "libsasl2 does not start");
    if (sasl_auxprop_add_plugin("gate", auxprop_init) != SASL_OK ||
        sasl_canonuser_add_plugin("gate", canon_init) != SASL_OK)
        e = ERR(ERR_UNAVAILABLE, "libsasl2 does not take our plugins");
    for (size_t i = 0; !failed(e) && i < n_mechanisms; i++)
        if (mechanisms[i].kind != MECHANISM_SCRAM && !library_has(mechanisms[i].base)) {
            log_event(auth->log, LOG_LEVEL_ERROR, "auth.mechanism-missing",
                      log_str("mechanism", mechanisms[i].base),
                      log_str("directory", GATEPOST_SASL_PLUGINS));
            e = ERR(ERR_UNAVAILABLE, "libsasl2 lacks a mechanism; is libsasl2-modules installed?");
        }
    if (!failed(e))
        e = scram_add();
    if (failed(e))
        sasl_layer_stop();
    return e;
}

void sasl_layer_stop(void)
{
    sasl_server_done();
    global_log = NULL;
}

/* ---- one exchange ---- */

/* A secret in plain: PLAIN, LOGIN. The library forgets which error this returns; we do not. */
static int check_secret(sasl_conn_t *conn, void *context, const char *user, const char *secret,
                        unsigned len, struct propctx *properties)
{
    struct exchange *x = context;
    bool known = x->name.reason == AUTH_OK;

    (void)conn, (void)user, (void)properties;
    x->verified = verify_secret(x->settings, x->auth->cache, known ? exchange_actor(x) : NULL,
                                &x->fake, slice_of(secret, len));
    if (x->verified.secret != SECRET_NONE)
        return SASL_OK;
    refuse(x, known ? AUTH_WRONG_SECRET : x->name.reason);
    return SASL_BADAUTH;
}

static int policy(sasl_conn_t *conn, void *context, const char *user, unsigned user_len,
                  const char *auth, unsigned auth_len, const char *realm, unsigned realm_len,
                  struct propctx *properties)
{
    struct exchange *x = context;

    (void)conn, (void)user, (void)user_len, (void)auth, (void)auth_len;
    (void)realm, (void)realm_len, (void)properties;
    x->proven = true;
    enum auth_reason reason = policy_check(x);
    if (reason == AUTH_OK && !x->refused)
        return SASL_OK;
    refuse(x, reason);
    return SASL_NOAUTHZ;
}

static const char *service_name(enum auth_protocol protocol)
{
    switch (protocol) {
    case AUTH_POP3:
        return "pop";
    case AUTH_IMAP:
        return "imap";
    case AUTH_LMTP:
        return "lmtp";
    case AUTH_MAPI:
    case AUTH_OPS:
        break;
    }
    return "HTTP";
}

static int set_up(struct exchange *x, struct sasl_wires *w)
{
    static const sasl_security_properties_t no_layers = {.security_flags = SASL_SEC_NOANONYMOUS};
    const sasl_callback_t callbacks[] = {
        CALLBACK(SASL_CB_LOG, log_message, x),
        CALLBACK(SASL_CB_SERVER_USERDB_CHECKPASS, check_secret, x),
        CALLBACK(SASL_CB_PROXY_POLICY, policy, x),
        {SASL_CB_LIST_END, NULL, NULL},
    };

    memcpy(w->callbacks, callbacks, sizeof callbacks);
    int code = sasl_server_new(service_name(x->peer->protocol), x->settings->host_name, NULL, NULL,
                               NULL, w->callbacks, 0, &w->conn);
    if (code == SASL_OK)
        code = sasl_setprop(w->conn, SASL_SEC_PROPS, &no_layers);
    /* It takes a copy. */
    if (code == SASL_OK && x->mechanism->kind == MECHANISM_EXTERNAL)
        code = sasl_setprop(w->conn, SASL_AUTH_EXTERNAL, arena_str(x->arena, x->name.given));
    return code;
}

static int call_library(struct sasl_wires *w, const struct exchange *x, const struct slice *message,
                        const char **out, unsigned *out_len)
{
    /* The library takes NULL for "absent", and not for "empty". */
    const char *in = !message ? NULL : message->len ? (const char *)message->ptr : "";
    unsigned len = message ? (unsigned)message->len : 0;

    if (w->started)
        return sasl_server_step(w->conn, in ? in : "", len, out, out_len);
    w->started = true;
    return sasl_server_start(w->conn, x->mechanism->base, in, len, out, out_len);
}

/* What a code of the library means where none of our callbacks said more. */
static enum auth_reason reason_of(const struct exchange *x, int code)
{
    switch (code) {
    case SASL_BADAUTH:
    case SASL_NOUSER:
    case SASL_NOVERIFY:
        return x->name.reason == AUTH_OK ? AUTH_WRONG_SECRET : x->name.reason;
    case SASL_BADBINDING:
        return AUTH_BAD_BINDING;
    case SASL_UNAVAIL:
    case SASL_NOMEM:
        return AUTH_UNAVAILABLE;
    default:
        return AUTH_BAD_EXCHANGE;
    }
}

/* Success by the library counts only where our gate opened, and without a security layer. */
static bool really_in(const struct exchange *x, sasl_conn_t *conn)
{
    const void *ssf = NULL;

    return x->proven && !x->refused && sasl_getprop(conn, SASL_SSF, &ssf) == SASL_OK && ssf &&
           *(const sasl_ssf_t *)ssf == 0;
}

enum exchange_end exchange_run(struct exchange *x, const struct slice *message, struct buf *reply)
{
    const char *out = NULL;
    unsigned out_len = 0;
    int code = SASL_OK;

    if (!x->wires) {
        x->wires = mem_new(sizeof *x->wires);
        code = set_up(x, x->wires);
        if (code != SASL_OK) {
            refuse(x, AUTH_UNAVAILABLE);
            exchange_done(x);
            return EXCHANGE_FAILED;
        }
    }
    code = call_library(x->wires, x, message, &out, &out_len);
    /* After an error `out` may point anywhere. */
    if (code == SASL_CONTINUE && !x->refused) {
        base64_encode(slice_of(out, out ? out_len : 0), reply);
        return EXCHANGE_CHALLENGE;
    }
    bool in = code == SASL_OK && really_in(x, x->wires->conn);
    if (!in)
        refuse(x, reason_of(x, code));
    exchange_done(x);
    return in ? EXCHANGE_OK : EXCHANGE_FAILED;
}

void exchange_done(struct exchange *x)
{
    if (!x->wires)
        return;
    sasl_dispose(&x->wires->conn);
    free(x->wires);
    x->wires = NULL;
}
