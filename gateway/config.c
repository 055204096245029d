#include "gateway/config.h"

#include <confuse.h>
#include <errno.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"

struct config_memory {
    cfg_t *file; /* strings point into it */
    struct arena arena;
};

/* ---- the grammar ---- */

/*
 * libconfuse takes the end of the file for the end of every open section. So the text is parsed
 * with one more key behind it: inside a section that is not closed, there is no such key.
 */
#define LAST_KEY "end-of-configuration"

/* clang-format off */
static cfg_opt_t server_options[] = {
    CFG_STR("name", NULL, CFGF_NONE),
    CFG_STR("user", NULL, CFGF_NONE),
    CFG_INT("workers", 0, CFGF_NONE),
    CFG_STR("drain-timeout", "30s", CFGF_NONE),
    CFG_END()
};
static cfg_opt_t store_options[] = {
    CFG_STR("directory", "/var/lib/gatepost", CFGF_NONE),
    CFG_STR("map-size", "0", CFGF_NONE),
    CFG_STR("reserve", "256M", CFGF_NONE),
    CFG_INT("change-log", 0, CFGF_NONE),
    CFG_INT("max-folders", 0, CFGF_NONE),
    CFG_END()
};
static cfg_opt_t auth_options[] = {
    CFG_STR_LIST("domains", "{}", CFGF_NONE),
    CFG_STR("nt-domain", NULL, CFGF_NONE),
    CFG_STR("legacy-charset", NULL, CFGF_NONE),
    CFG_INT("iterations", 4096, CFGF_NONE),
    CFG_INT("threads", 0, CFGF_NONE),
    CFG_INT("max-waiting", 0, CFGF_NONE),
    CFG_INT("max-sessions-per-user", 50, CFGF_NONE),
    CFG_BOOL("back-off", cfg_true, CFGF_NONE),
    CFG_STR_LIST("trusted-networks", "{}", CFGF_NONE),
    CFG_STR("audit-file", "", CFGF_NONE),
    CFG_STR("audit-keep", "90d", CFGF_NONE),
    CFG_END()
};
static cfg_opt_t certificate_options[] = {
    CFG_STR("file", NULL, CFGF_NONE),
    CFG_STR("key", NULL, CFGF_NONE),
    CFG_STR_LIST("names", "{}", CFGF_NONE),
    CFG_END()
};
static cfg_opt_t tls_options[] = {
    CFG_STR("min-version", "1.2", CFGF_NONE),
    CFG_STR("ciphers", NULL, CFGF_NONE),
    CFG_STR("ciphersuites", NULL, CFGF_NONE),
    CFG_END()
};
static cfg_opt_t listener_options[] = {
    CFG_STR("protocol", NULL, CFGF_NONE),
    CFG_STR("address", "*", CFGF_NONE),
    CFG_INT("port", 0, CFGF_NONE),
    CFG_STR("socket", NULL, CFGF_NONE),
    CFG_STR("socket-mode", "0600", CFGF_NONE),
    CFG_STR("tls", "none", CFGF_NONE),
    CFG_STR_LIST("certificates", "{}", CFGF_NONE),
    CFG_BOOL("plaintext", cfg_false, CFGF_NONE),
    CFG_BOOL("compress", cfg_true, CFGF_NONE),
    CFG_BOOL("proxy-protocol", cfg_false, CFGF_NONE),
    CFG_STR_LIST("proxy-from", "{}", CFGF_NONE),
    CFG_END()
};
static cfg_opt_t limits_options[] = {
    CFG_INT("connections", 0, CFGF_NONE),
    CFG_INT("connections-per-address", 0, CFGF_NONE),
    CFG_STR("message", "64M", CFGF_NONE),
    CFG_STR("line", "64K", CFGF_NONE),
    CFG_STR("literal", "128K", CFGF_NONE),
    CFG_STR("command", "1M", CFGF_NONE),
    CFG_STR("before-logon", "16K", CFGF_NONE),
    CFG_INT("bad-before-logon", 3, CFGF_NONE),
    CFG_INT("attempts", 3, CFGF_NONE),
    CFG_STR("logon-timeout", "60s", CFGF_NONE),
    CFG_STR("idle-timeout", "0s", CFGF_NONE),
    CFG_STR("handshake-timeout", "30s", CFGF_NONE),
    CFG_STR("write-timeout", "5m", CFGF_NONE),
    CFG_END()
};
static cfg_opt_t log_options[] = {
    CFG_STR("format", "text", CFGF_NONE),
    CFG_STR("level", "info", CFGF_NONE),
    CFG_STR("file", NULL, CFGF_NONE),
    CFG_END()
};
static cfg_opt_t all_options[] = {
    CFG_SEC("server", server_options, CFGF_NONE),
    CFG_SEC("store", store_options, CFGF_NONE),
    CFG_SEC("auth", auth_options, CFGF_NONE),
    CFG_SEC("certificate", certificate_options, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
    CFG_SEC("tls", tls_options, CFGF_NONE),
    CFG_SEC("listener", listener_options, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
    CFG_SEC("limits", limits_options, CFGF_NONE),
    CFG_SEC("log", log_options, CFGF_NONE),
    CFG_FUNC("include", &cfg_include),
    CFG_BOOL(LAST_KEY, cfg_false, CFGF_NONE),
    CFG_END()
};
/* clang-format on */

/* ---- complaints ---- */

/* libconfuse's callbacks have no context of ours; a configuration is loaded by one thread. */
static _Thread_local struct buf *complaints;
static _Thread_local const char *main_file;

static void on_error(cfg_t *cfg, const char *format, va_list args)
{
    struct buf text = buf_make(64 * 1024);
    bool in_include = cfg && cfg->filename && strcmp(cfg->filename, "[buf]") != 0;

    buf_vprintf(&text, format, args);
    if (slice_find(buf_slice(&text), S(LAST_KEY)) < text.len) {
        buf_printf(complaints, "%s: expected `}`: a section is not closed\n", main_file);
    } else {
        buf_printf(complaints, "%s:%d: ", in_include ? cfg->filename : main_file,
                   cfg ? cfg->line : 0);
        buf_put(complaints, buf_slice(&text));
        buf_putc(complaints, '\n');
    }
    buf_done(&text);
}

/* A fault that is seen only when all has been read: it names its section. */
static void complain(const char *section, const char *title, const char *format, ...)
    PRINTF_LIKE(3, 4);

static void complain(const char *section, const char *title, const char *format, ...)
{
    va_list args;

    buf_puts(complaints, section);
    if (title)
        buf_printf(complaints, " \"%s\"", title);
    buf_puts(complaints, ": ");
    va_start(args, format);
    buf_vprintf(complaints, format, args);
    va_end(args);
    buf_putc(complaints, '\n');
}

/* ---- values that are checked where they stand, so that the line is known ---- */

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit byte_units[] = {{"", 1},           {"K", 1024},       {"M", 1024 * 1024},
                                         {"G", 1ull << 30}, {"T", 1ull << 40}, {NULL, 0}};
static const struct unit time_units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                         {"h", 3600000}, {"d", 86400000}, {NULL, 0}};

static bool parse_units(const char *text, const struct unit *units, uint64_t *out)
{
    struct slice s = slice_str(text);
    size_t digits = 0;
    uint64_t n;

    while (digits < s.len && ascii_is_digit(s.ptr[digits]))
        digits++;
    if (!slice_to_u64(slice_head(s, digits), &n))
        return false;
    for (; units->name; units++)
        if (slice_ieq(slice_from(s, digits), slice_str(units->name)))
            return !__builtin_mul_overflow(n, units->factor, out);
    return false;
}

static const char *last_string(cfg_opt_t *opt)
{
    return cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1);
}

static int want_bytes(cfg_t *cfg, cfg_opt_t *opt)
{
    uint64_t n;

    if (parse_units(last_string(opt), byte_units, &n))
        return 0;
    cfg_error(cfg, "%s: expected a size such as 64M (units K, M, G, T), found \"%s\"",
              cfg_opt_name(opt), last_string(opt));
    return -1;
}

static int want_time(cfg_t *cfg, cfg_opt_t *opt)
{
    uint64_t n;

    if (parse_units(last_string(opt), time_units, &n))
        return 0;
    cfg_error(cfg, "%s: expected a time such as 30s (units ms, s, m, h, d), found \"%s\"",
              cfg_opt_name(opt), last_string(opt));
    return -1;
}

static int want_number(cfg_t *cfg, cfg_opt_t *opt, long least, long most)
{
    long n = cfg_opt_getnint(opt, cfg_opt_size(opt) - 1);

    if (n >= least && n <= most)
        return 0;
    cfg_error(cfg, "%s: expected a number from %ld to %ld, found %ld", cfg_opt_name(opt), least,
              most, n);
    return -1;
}

static int want_count(cfg_t *cfg, cfg_opt_t *opt)
{
    return want_number(cfg, opt, 0, 1000000000);
}

static int want_port(cfg_t *cfg, cfg_opt_t *opt)
{
    return want_number(cfg, opt, 0, 65535);
}

static int want_workers(cfg_t *cfg, cfg_opt_t *opt)
{
    return want_number(cfg, opt, 0, 1024);
}

/* RFC 5802: at least 4,096; libsasl2's client refuses more than 65,536. */
static int want_iterations(cfg_t *cfg, cfg_opt_t *opt)
{
    return want_number(cfg, opt, 4096, 65536);
}

static int want_word(cfg_t *cfg, cfg_opt_t *opt, const char *const *words)
{
    struct buf list = buf_make(1000);

    for (size_t i = 0; words[i]; i++) {
        if (strcmp(last_string(opt), words[i]) == 0) {
            buf_done(&list);
            return 0;
        }
        buf_printf(&list, "%s%s", i ? ", " : "", words[i]);
    }
    buf_putc(&list, 0);
    cfg_error(cfg, "%s: expected one of %s, found \"%s\"", cfg_opt_name(opt), (char *)list.data,
              last_string(opt));
    buf_done(&list);
    return -1;
}

static int want_protocol(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *words[16] = {NULL};

    for (size_t i = 0; i < 15 && gateway_protocols[i].name; i++)
        words[i] = gateway_protocols[i].name;
    return want_word(cfg, opt, words);
}

static int want_tls_mode(cfg_t *cfg, cfg_opt_t *opt)
{
    return want_word(cfg, opt, (const char *const[]){"none", "starttls", "implicit", NULL});
}

static int want_tls_version(cfg_t *cfg, cfg_opt_t *opt)
{
    return want_word(cfg, opt, (const char *const[]){"1.2", "1.3", NULL});
}

static int want_log_format(cfg_t *cfg, cfg_opt_t *opt)
{
    return want_word(cfg, opt, (const char *const[]){"text", "json", NULL});
}

static int want_log_level(cfg_t *cfg, cfg_opt_t *opt)
{
    return want_word(cfg, opt, (const char *const[]){"debug", "info", "warn", "error", NULL});
}

static int want_mode(cfg_t *cfg, cfg_opt_t *opt)
{
    char *end;
    unsigned long mode = strtoul(last_string(opt), &end, 8);

    if (*last_string(opt) && !*end && mode <= 0777)
        return 0;
    cfg_error(cfg, "%s: expected permissions such as 0660, found \"%s\"", cfg_opt_name(opt),
              last_string(opt));
    return -1;
}

static int want_network(cfg_t *cfg, cfg_opt_t *opt)
{
    struct network network;

    if (!failed(network_parse(last_string(opt), &network)))
        return 0;
    cfg_error(cfg, "%s: expected a network such as 192.0.2.0/24, found \"%s\"", cfg_opt_name(opt),
              last_string(opt));
    return -1;
}

static const struct {
    const char *option;
    int (*check)(cfg_t *cfg, cfg_opt_t *opt);
} checks[] = {
    {"server|workers", want_workers},
    {"server|drain-timeout", want_time},
    {"store|map-size", want_bytes},
    {"store|reserve", want_bytes},
    {"store|change-log", want_count},
    {"store|max-folders", want_count},
    {"auth|iterations", want_iterations},
    {"auth|threads", want_workers},
    {"auth|max-waiting", want_count},
    {"auth|max-sessions-per-user", want_count},
    {"auth|trusted-networks", want_network},
    {"auth|audit-keep", want_time},
    {"tls|min-version", want_tls_version},
    {"listener|protocol", want_protocol},
    {"listener|port", want_port},
    {"listener|socket-mode", want_mode},
    {"listener|tls", want_tls_mode},
    {"listener|proxy-from", want_network},
    {"limits|connections", want_count},
    {"limits|connections-per-address", want_count},
    {"limits|message", want_bytes},
    {"limits|line", want_bytes},
    {"limits|literal", want_bytes},
    {"limits|command", want_bytes},
    {"limits|before-logon", want_bytes},
    {"limits|bad-before-logon", want_count},
    {"limits|attempts", want_count},
    {"limits|logon-timeout", want_time},
    {"limits|idle-timeout", want_time},
    {"limits|handshake-timeout", want_time},
    {"limits|write-timeout", want_time},
    {"log|format", want_log_format},
    {"log|level", want_log_level},
};

/* ---- from what was read to what the program wants ---- */

/* They were checked when they were read, and the defaults are ours. */
static uint64_t bytes_of(cfg_t *section, const char *name)
{
    uint64_t n = 0;

    parse_units(cfg_getstr(section, name), byte_units, &n);
    return n;
}

static uint64_t time_of(cfg_t *section, const char *name)
{
    uint64_t n = 0;

    parse_units(cfg_getstr(section, name), time_units, &n);
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
            complain("configuration", NULL, "%s: not a network", name);
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
        .max_message = bytes_of(cfg_getsec(file, "limits"), "message"),
        .max_folders = count_of(store, "max-folders"),
        .create = true,
    };
}

static void fill_auth(struct config *c, cfg_t *file)
{
    cfg_t *auth = cfg_getsec(file, "auth");

    c->auth = (struct auth_config){
        .host_name = c->net.host_name,
        .domains = strings_of(&c->memory->arena, auth, "domains"),
        .nt_domain = cfg_getstr(auth, "nt-domain"),
        .legacy_charset = cfg_getstr(auth, "legacy-charset"),
        .iterations = count_of(auth, "iterations"),
        .threads = count_of(auth, "threads"),
        .max_waiting = count_of(auth, "max-waiting"),
        .max_per_user = count_of(auth, "max-sessions-per-user"),
        .no_back_off = !cfg_getbool(auth, "back-off"),
    };
    c->audit_file = cfg_getstr(auth, "audit-file");
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

static bool fill_certificate(struct arena *in, cfg_t *section, struct net_cert *out)
{
    out->certificate = cfg_getstr(section, "file");
    out->key = cfg_getstr(section, "key");
    out->names = cfg_size(section, "names") ? strings_of(in, section, "names") : NULL;
    if (!out->certificate)
        complain("certificate", cfg_title(section), "expected a key `file`");
    if (!out->key)
        out->key = out->certificate; /* both in one file */
    return out->certificate != NULL;
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
        complain("listener", cfg_title(listener), "TLS needs a `certificate` section");
    for (unsigned i = 0; i < n; i++) {
        cfg_t *section = named ? certificate_named(file, cfg_getnstr(listener, "certificates", i))
                               : cfg_getnsec(file, "certificate", i);

        if (!section)
            complain("listener", cfg_title(listener), "there is no certificate \"%s\"",
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

static void check_listener(const struct net_listener_config *l)
{
    if (!l->protocol)
        complain("listener", l->name, "expected a key `protocol`");
    if (!l->path && l->port == 0)
        complain("listener", l->name, "expected a key `port` (1 to 65535) or `socket`");
    if (l->path && l->port)
        complain("listener", l->name, "has both `port` and `socket`: expected one of them");
    if (l->proxy && l->n_proxy_from == 0)
        complain(
            "listener", l->name,
            "`proxy-protocol` needs `proxy-from`: the networks that may say who the client is");
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
        .compress_ok = cfg_getbool(section, "compress"),
        .proxy = cfg_getbool(section, "proxy-protocol"),
    };
    out->proxy_from = networks_of(in, section, "proxy-from", &out->n_proxy_from);
    if (out->tls_mode != NET_TLS_NONE)
        out->tls = tls_of(in, file, section);
    check_listener(out);
}

static void fill_listeners(struct config *c, cfg_t *file)
{
    struct net_listener_config *list;

    c->net.n_listeners = cfg_size(file, "listener");
    list = arena_array(&c->memory->arena, c->net.n_listeners, sizeof *list);
    for (unsigned i = 0; i < c->net.n_listeners; i++)
        fill_listener(c, file, cfg_getnsec(file, "listener", i), &list[i]);
    c->net.listeners = list;
}

/* ---- loading ---- */

enum { FILE_MAX = 16 * 1024 * 1024 };

/* The whole file with LAST_KEY behind it, ended by NUL. */
static bool read_text(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "r");
    uint8_t *to;

    if (!file) {
        buf_printf(complaints, "%s: %s\n", path, strerror(errno));
        return false;
    }
    while ((to = buf_reserve(out, 4096))) {
        size_t n = fread(to, 1, 4096, file);

        if (n == 0)
            break;
        buf_commit(out, n);
    }
    bool good = !ferror(file) && !out->failed;
    if (!good)
        buf_printf(complaints, "%s: cannot be read as a configuration\n", path);
    else if (slice_index(buf_slice(out), 0) < out->len)
        buf_printf(complaints, "%s: has a NUL byte\n", path);
    good = good && slice_index(buf_slice(out), 0) == out->len;
    fclose(file);
    buf_puts(out, "\n" LAST_KEY " = true\n");
    buf_putc(out, 0);
    return good;
}

static cfg_t *read_file(const char *path)
{
    struct buf text = buf_make(FILE_MAX);
    cfg_t *file = cfg_init(all_options, CFGF_NONE);
    bool good;

    cfg_set_error_function(file, on_error);
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        cfg_set_validate_func(file, checks[i].option, checks[i].check);
    main_file = path;
    good = read_text(path, &text) && cfg_parse_buf(file, (char *)text.data) == CFG_SUCCESS;
    buf_done(&text);
    if (good)
        return file;
    cfg_free(file);
    return NULL;
}

struct err config_load(const char *path, struct buf *why, struct config **out)
{
    size_t before = why->len;

    complaints = why;
    cfg_t *file = read_file(path);
    if (!file)
        return access(path, F_OK) != 0 ? ERR(ERR_NOT_FOUND, "no configuration there")
                                       : ERR(ERR_INVALID, "the configuration has faults");
    struct config *c = mem_new(sizeof *c);
    c->memory = mem_new(sizeof *c->memory);
    c->memory->file = file;
    c->path = arena_str(&c->memory->arena, slice_str(path));
    fill_server(c, file);
    fill_store(c, file);
    fill_auth(c, file);
    fill_limits(c, file);
    fill_listeners(c, file);
    if (why->len > before) {
        config_free(c);
        return ERR(ERR_INVALID, "the configuration has faults");
    }
    *out = c;
    return OK;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    cfg_free(c->memory->file);
    arena_done(&c->memory->arena);
    free(c->memory);
    free(c);
}
