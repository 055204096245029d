/* config.c - from what was read to what the program wants. */
#include "gateway/config_int.h"

#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

struct config_memory {
    cfg_t *file; /* strings point into it */
    struct arena arena;
};

/* ---- values ---- */

/* They were checked when they were read, and the defaults are ours. */
static uint64_t bytes_of(cfg_t *section, const char *name)
{
    uint64_t n = 0;

    config_parse_units(cfg_getstr(section, name), config_byte_units, &n);
    return n;
}

static uint64_t time_of(cfg_t *section, const char *name)
{
    uint64_t n = 0;

    config_parse_units(cfg_getstr(section, name), config_time_units, &n);
    return n;
}

static unsigned count_of(cfg_t *section, const char *name)
{
    return (unsigned)cfg_getint(section, name);
}

/* NULL-terminated. */
static const char **strings_of(struct arena *in, cfg_t *section, const char *name)
{
    unsigned n = cfg_size(section, name);
    const char **list = arena_array(in, n + 1, sizeof *list);

    for (unsigned i = 0; i < n; i++)
        list[i] = cfg_getnstr(section, name, i);
    return list;
}

static const struct network *networks_of(struct arena *in, cfg_t *section, const char *name,
                                         size_t *n)
{
    struct network *list;

    *n = cfg_size(section, name);
    list = arena_array(in, *n, sizeof *list);
    for (unsigned i = 0; i < *n; i++)
        if (failed(network_parse(cfg_getnstr(section, name, i), &list[i])))
            config_complain(section, name, "not a network");
    return list;
}

static const char *own_host_name(struct arena *in)
{
    char name[256] = "localhost";

    if (gethostname(name, sizeof name - 1) != 0 || !name[0])
        return "localhost";
    return arena_str(in, slice_str(name));
}

static void fill_server(struct config *c, cfg_t *file)
{
    cfg_t *server = cfg_getsec(file, "server"), *log = cfg_getsec(file, "log");
    const char *name = cfg_getstr(server, "name"), *level = cfg_getstr(log, "level");
    static const char *const levels[] = {"debug", "info", "warn", "error"};

    c->user = cfg_getstr(server, "user");
    c->drain_ms = time_of(server, "drain-timeout");
    c->net.workers = count_of(server, "workers");
    c->net.host_name = name ? name : own_host_name(&c->memory->arena);
    c->log.json = strcmp(cfg_getstr(log, "format"), "json") == 0;
    c->log.file = cfg_getstr(log, "file");
    for (unsigned i = 0; i < 4; i++)
        if (strcmp(level, levels[i]) == 0)
            c->log.level = (enum log_level)i;
}

static void fill_store(struct config *c, cfg_t *file)
{
    cfg_t *store = cfg_getsec(file, "store");

    c->store = (struct store_config){
        .dir = cfg_getstr(store, "directory"),
        .map_bytes = bytes_of(store, "map-size"),
        .reserve_bytes = bytes_of(store, "reserve"),
        .max_log = count_of(store, "change-log"),
        .recover = time_of(store, "recover") * (FILETIME_SECOND / 1000),
        .max_message = bytes_of(cfg_getsec(file, "limits"), "message"),
        .max_folders = count_of(store, "max-folders"),
        .create = true,
    };
}

/* The path of a socket that somebody else listens on. */
static const char *socket_of(cfg_t *section, const char *key)
{
    const char *path = cfg_getstr(section, key);

    if (strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        config_complain(section, key, "%s: the path is too long for a socket", key);
    return path;
}

static void fill_auth(struct config *c, cfg_t *file)
{
    cfg_t *auth = cfg_getsec(file, "auth");

    c->auth = (struct auth_config){
        .host_name = c->net.host_name,
        .domains = strings_of(&c->memory->arena, auth, "domains"),
        .nt_domain = cfg_getstr(auth, "nt-domain"),
        .legacy_charset = cfg_getstr(auth, "legacy-charset"),
        .master_separator = cfg_getstr(auth, "master-separator"),
        .iterations = count_of(auth, "iterations"),
        .threads = count_of(auth, "threads"),
        .max_waiting = count_of(auth, "max-waiting"),
        .max_per_user = count_of(auth, "max-sessions-per-user"),
        .no_back_off = !cfg_getbool(auth, "back-off"),
    };
    struct err e = auth_check(&c->auth);
    if (failed(e))
        config_complain(auth, NULL, "%s", e.why);
    c->audit_file = cfg_getstr(auth, "audit-file");
    c->audit_journal = socket_of(auth, "audit-journal");
    c->audit_syslog = socket_of(auth, "audit-syslog");
    c->audit_keep_ms = time_of(auth, "audit-keep");
    c->net.trusted = networks_of(&c->memory->arena, auth, "trusted-networks", &c->net.n_trusted);
}

static void fill_limits(struct config *c, cfg_t *file)
{
    cfg_t *limits = cfg_getsec(file, "limits");

    c->net.max_connections = count_of(limits, "connections");
    c->net.max_connections_per_address = count_of(limits, "connections-per-address");
    c->net.handshake_timeout_ms = time_of(limits, "handshake-timeout");
    c->net.write_timeout_ms = time_of(limits, "write-timeout");
    c->net.limits = (struct session_limits){
        .max_line = bytes_of(limits, "line"),
        .max_literal = bytes_of(limits, "literal"),
        .max_command = bytes_of(limits, "command"),
        .max_before_logon = bytes_of(limits, "before-logon"),
        .max_message = bytes_of(limits, "message"),
        .max_bad_before_logon = count_of(limits, "bad-before-logon"),
        .max_attempts = count_of(limits, "attempts"),
        .logon_timeout_ms = time_of(limits, "logon-timeout"),
        .idle_timeout_ms = time_of(limits, "idle-timeout"),
        .max_request_line = bytes_of(limits, "http-request-line"),
        .max_request_head = bytes_of(limits, "http-head"),
        .max_request_fields = count_of(limits, "http-fields"),
        .max_request_body = bytes_of(limits, "http-body"),
        .request_timeout_ms = time_of(limits, "http-timeout"),
    };
}

static void fill_pop3(struct config *c, cfg_t *file)
{
    c->net.pop3_marks_read = cfg_getbool(cfg_getsec(file, "pop3"), "mark-read");
}

static void fill_ops(struct config *c, cfg_t *file)
{
    c->net.no_logon = networks_of(&c->memory->arena, cfg_getsec(file, "ops"), "without-logon",
                                  &c->net.n_no_logon);
}

static void fill_mapi(struct config *c, cfg_t *file)
{
    cfg_t *mapi = cfg_getsec(file, "mapi");

    c->mapi = (struct mapi_config){
        .organization = cfg_getstr(mapi, "organization"),
        .base_url = cfg_getstr(mapi, "base-url"),
        .idle_ms = time_of(mapi, "idle-timeout"),
        .wait_ms = time_of(mapi, "notification-wait"),
        .max_contexts = count_of(mapi, "sessions-per-user"),
        .max_objects = count_of(mapi, "objects"),
        .max_memory = bytes_of(mapi, "unsaved"),
    };
}

static void fill_transport(struct config *c, cfg_t *file)
{
    cfg_t *transport = cfg_getsec(file, "transport");

    c->transport = (struct transport_config){
        .hop =
            {
                .url = cfg_getstr(transport, "next-hop"),
                .tls = strcmp(cfg_getstr(transport, "tls"), "starttls") == 0 ? HOP_STARTTLS
                                                                             : HOP_CLEAR,
                .user = cfg_getstr(transport, "user"),
                .password = cfg_getstr(transport, "password"),
                .host_name = c->net.host_name,
                .timeout_ms = time_of(transport, "timeout"),
            },
        .retry_ms = time_of(transport, "retry"),
        .give_up_ms = time_of(transport, "give-up"),
    };
}

/* ---- listeners ---- */

static cfg_t *certificate_named(cfg_t *file, const char *title)
{
    for (unsigned i = 0; i < cfg_size(file, "certificate"); i++) {
        cfg_t *section = cfg_getnsec(file, "certificate", i);

        if (strcmp(cfg_title(section), title) == 0)
            return section;
    }
    return NULL;
}

static void fill_certificate(struct arena *in, cfg_t *section, struct net_cert *out)
{
    out->certificate = cfg_getstr(section, "file");
    out->key = cfg_getstr(section, "key");
    out->names = cfg_size(section, "names") ? strings_of(in, section, "names") : NULL;
    if (!out->key)
        out->key = out->certificate; /* both in one file */
}

static void check_certificates(cfg_t *file)
{
    for (unsigned i = 0; i < cfg_size(file, "certificate"); i++) {
        cfg_t *section = cfg_getnsec(file, "certificate", i);

        if (!cfg_getstr(section, "file"))
            config_complain(section, NULL, "expected a key \"file\"");
    }
}

/* Those that the listener names, or all that there are. */
static const struct net_tls_config *tls_of(struct arena *in, cfg_t *file, cfg_t *listener)
{
    unsigned named = cfg_size(listener, "certificates");
    unsigned n = named ? named : cfg_size(file, "certificate");
    struct net_cert *certs = arena_array(in, n, sizeof *certs);
    struct net_tls_config *tls = arena_alloc(in, sizeof *tls);
    cfg_t *options = cfg_getsec(file, "tls");

    if (n == 0)
        config_complain(listener, "tls", "expected a section \"certificate\": TLS needs one");
    for (unsigned i = 0; i < n; i++) {
        cfg_t *section = named ? certificate_named(file, cfg_getnstr(listener, "certificates", i))
                               : cfg_getnsec(file, "certificate", i);

        if (!section)
            config_complain(listener, "certificates", "there is no certificate \"%s\"",
                            cfg_getnstr(listener, "certificates", i));
        else
            fill_certificate(in, section, &certs[i]);
    }
    *tls = (struct net_tls_config){
        .certs = certs,
        .n_certs = n,
        .min_version = cfg_getstr(options, "min-version"),
        .ciphers = cfg_getstr(options, "ciphers"),
        .ciphersuites = cfg_getstr(options, "ciphersuites"),
        .client_ca = cfg_getstr(listener, "client-ca"),
    };
    return tls;
}

static const struct net_protocol *protocol_named(const char *name)
{
    for (const struct net_protocol *p = gateway_protocols; p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

static enum net_tls_mode tls_mode_of(cfg_t *section)
{
    const char *mode = cfg_getstr(section, "tls");

    return strcmp(mode, "implicit") == 0   ? NET_TLS_IMPLICIT
           : strcmp(mode, "starttls") == 0 ? NET_TLS_STARTTLS
                                           : NET_TLS_NONE;
}

static unsigned mechanisms_of(cfg_t *section)
{
    unsigned mask = 0;

    for (unsigned i = 0; i < cfg_size(section, "mechanisms"); i++)
        mask |= auth_mechanism_bit(slice_str(cfg_getnstr(section, "mechanisms", i)));
    return mask;
}

static void check_listener(cfg_t *section, const struct net_listener_config *l)
{
    if (!*l->name)
        config_complain(section, NULL, "expected a name that is not empty");
    if (!l->protocol)
        config_complain(section, NULL, "expected a key \"protocol\"");
    if (!l->path && l->port == 0)
        config_complain(section, NULL, "expected a key \"port\" (1 to 65535) or \"socket\"");
    if (cfg_getstr(section, "client-ca") && l->tls_mode == NET_TLS_NONE)
        config_complain(section, "client-ca", "expected tls = starttls or implicit");
    if (cfg_getstr(section, "client-ca") && l->protocol &&
        !(l->protocol->id & (AUTH_POP3 | AUTH_IMAP)))
        config_complain(section, "client-ca", "expected protocol imap or pop3: %s has no EXTERNAL",
                        l->protocol->name);
    if (l->path && l->port)
        config_complain(section, "socket", "expected one of \"port\" and \"socket\", found both");
    if (l->protocol && l->protocol->no_starttls && l->tls_mode == NET_TLS_STARTTLS)
        config_complain(section, "tls", "expected none or implicit: %s has no STARTTLS",
                        l->protocol->name);
    if (l->proxy && l->n_proxy_from == 0)
        config_complain(
            section, "proxy-protocol",
            "expected a key \"proxy-from\": the networks that may say who the client is");
}

static void fill_listener(struct config *c, cfg_t *file, cfg_t *section,
                          struct net_listener_config *out)
{
    struct arena *in = &c->memory->arena;
    const char *protocol = cfg_getstr(section, "protocol");

    *out = (struct net_listener_config){
        .name = cfg_title(section),
        .protocol = protocol ? protocol_named(protocol) : NULL,
        .address = cfg_getstr(section, "address"),
        .port = (uint16_t)cfg_getint(section, "port"),
        .path = cfg_getstr(section, "socket"),
        .path_mode = (unsigned)strtoul(cfg_getstr(section, "socket-mode"), NULL, 8),
        .tls_mode = tls_mode_of(section),
        .plaintext_ok = cfg_getbool(section, "plaintext"),
        .mechanisms = mechanisms_of(section),
        .compress_ok = cfg_getbool(section, "compress"),
        .proxy = cfg_getbool(section, "proxy-protocol"),
    };
    out->proxy_from = networks_of(in, section, "proxy-from", &out->n_proxy_from);
    if (out->tls_mode != NET_TLS_NONE)
        out->tls = tls_of(in, file, section);
    check_listener(section, out);
}

static void fill_listeners(struct config *c, cfg_t *file)
{
    struct net_listener_config *list;

    check_certificates(file);
    c->net.n_listeners = cfg_size(file, "listener");
    list = arena_array(&c->memory->arena, c->net.n_listeners, sizeof *list);
    for (unsigned i = 0; i < c->net.n_listeners; i++)
        fill_listener(c, file, cfg_getnsec(file, "listener", i), &list[i]);
    c->net.listeners = list;
}

/* ---- loading ---- */

static void fill(struct config *c, cfg_t *file)
{
    fill_server(c, file);
    fill_store(c, file);
    fill_auth(c, file);
    fill_limits(c, file);
    fill_pop3(c, file);
    fill_ops(c, file);
    fill_mapi(c, file);
    fill_transport(c, file);
    fill_listeners(c, file);
}

struct err config_load(const char *path, struct buf *why, struct config **out)
{
    size_t before = why->len;
    struct config *c = mem_new(sizeof *c);
    struct err e = OK;

    c->memory = mem_new(sizeof *c->memory);
    c->path = arena_str(&c->memory->arena, slice_str(path));
    c->memory->file = config_read(c->path, &c->memory->arena, why);
    if (c->memory->file)
        fill(c, c->memory->file);
    else if (access(path, F_OK) != 0)
        e = ERR(ERR_NOT_FOUND, "no configuration there");
    else
        e = ERR(ERR_INVALID, "the configuration has faults");
    config_read_end();
    if (!failed(e) && why->len > before)
        e = ERR(ERR_INVALID, "the configuration has faults");
    if (failed(e))
        config_free(c);
    else
        *out = c;
    return e;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    if (c->memory->file)
        cfg_free(c->memory->file);
    arena_done(&c->memory->arena);
    free(c->memory);
    free(c);
}
