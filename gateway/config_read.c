/* config_read.c - the grammar of the configuration, and what is wrong with a text. */
#include "gateway/config_int.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

/* ---- what is being read ---- */

/* Where a key of a section stands, or a section in the whole. */
struct place {
    const cfg_t *section;
    const cfg_opt_t *opt;
    const char *file;
    int line;
    const char *first; /* of a list's values */
    unsigned n;        /* how many there were last */
};

/* libconfuse's callbacks have no context of ours; a configuration is loaded by one thread. */
static _Thread_local struct reading {
    const char *path; /* of the file at hand */
    unsigned depth;   /* of includes */
    struct arena *arena;
    struct buf *complaints;
    struct place *places;
    size_t n_places;
} reading;

static int include_file(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv);

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
    CFG_STR("recover", "14d", CFGF_NONE),
    CFG_INT("max-folders", 0, CFGF_NONE),
    CFG_END()
};
static cfg_opt_t auth_options[] = {
    CFG_STR_LIST("domains", "{}", CFGF_NONE),
    CFG_STR("nt-domain", NULL, CFGF_NONE),
    CFG_STR("legacy-charset", NULL, CFGF_NONE),
    CFG_STR("master-separator", NULL, CFGF_NONE),
    CFG_INT("iterations", 4096, CFGF_NONE),
    CFG_INT("threads", 0, CFGF_NONE),
    CFG_INT("max-waiting", 0, CFGF_NONE),
    CFG_INT("max-sessions-per-user", 50, CFGF_NONE),
    CFG_BOOL("back-off", cfg_true, CFGF_NONE),
    CFG_STR_LIST("trusted-networks", "{}", CFGF_NONE),
    CFG_STR("audit-file", "", CFGF_NONE),
    CFG_STR("audit-journal", "", CFGF_NONE),
    CFG_STR("audit-syslog", "", CFGF_NONE),
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
    CFG_STR("client-ca", NULL, CFGF_NONE),
    CFG_BOOL("plaintext", cfg_false, CFGF_NONE),
    CFG_STR_LIST("mechanisms", "{}", CFGF_NONE),
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
    CFG_STR("http-request-line", "8K", CFGF_NONE),
    CFG_STR("http-head", "32K", CFGF_NONE),
    CFG_INT("http-fields", 100, CFGF_NONE),
    CFG_STR("http-body", "64M", CFGF_NONE),
    CFG_STR("http-timeout", "30s", CFGF_NONE),
    CFG_END()
};
static cfg_opt_t pop3_options[] = {
    CFG_BOOL("mark-read", cfg_true, CFGF_NONE),
    CFG_END()
};
static cfg_opt_t ops_options[] = {
    CFG_STR_LIST("without-logon", "{127.0.0.0/8, ::1}", CFGF_NONE),
    CFG_END()
};
static cfg_opt_t mapi_options[] = {
    CFG_STR("base-url", NULL, CFGF_NONE),
    CFG_STR("organization", "Gatepost", CFGF_NONE),
    CFG_STR("idle-timeout", "15m", CFGF_NONE),
    CFG_STR("notification-wait", "5m", CFGF_NONE),
    CFG_INT("sessions-per-user", 100, CFGF_NONE),
    CFG_INT("objects", 10000, CFGF_NONE),
    CFG_STR("unsaved", "256M", CFGF_NONE),
    CFG_END()
};
static cfg_opt_t transport_options[] = {
    CFG_STR("next-hop", NULL, CFGF_NONE),
    CFG_STR("tls", "none", CFGF_NONE),
    CFG_STR("user", NULL, CFGF_NONE),
    CFG_STR("password", NULL, CFGF_NONE),
    CFG_STR("timeout", "5m", CFGF_NONE),
    CFG_STR("retry", "1m", CFGF_NONE),
    CFG_STR("give-up", "5d", CFGF_NONE),
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
    CFG_SEC("pop3", pop3_options, CFGF_NONE),
    CFG_SEC("ops", ops_options, CFGF_NONE),
    CFG_SEC("mapi", mapi_options, CFGF_NONE),
    CFG_SEC("transport", transport_options, CFGF_NONE),
    CFG_SEC("log", log_options, CFGF_NONE),
    CFG_FUNC("include", &include_file),
    CFG_BOOL(LAST_KEY, cfg_false, CFGF_NONE),
    CFG_END()
};
/* clang-format on */

/* ---- complaints ---- */

/* `listener has no key "prot": expected one of protocol, address, ...` */
static void unknown_key(const cfg_t *cfg, struct slice key)
{
    struct buf *out = reading.complaints;

    if (strcmp(cfg->name, "root") == 0)
        buf_printf(out, "there is no section \"%.*s\": expected one of", SLICE_ARG(key));
    else
        buf_printf(out, "%s has no key \"%.*s\": expected one of", cfg->name, SLICE_ARG(key));
    for (const cfg_opt_t *o = cfg->opts; o->name; o++)
        if (strcmp(o->name, LAST_KEY) != 0)
            buf_printf(out, "%s %s", o == cfg->opts ? "" : ",", o->name);
}

/* What libconfuse's messages leave out. */
static const struct {
    const char *starts, *expected;
} expectations[] = {
    {"invalid integer value", "expected a whole number"},
    {"integer value", "expected a smaller number"},
    {"invalid boolean value", "expected true or false"},
    {"missing title", "expected a name in quotes before the brace"},
    {"missing equal sign", "expected ="},
    {"unexpected token", "expected a value"},
    {"missing opening brace", "expected {"},
};

static void put_problem(const cfg_t *cfg, struct slice text)
{
    struct slice rest, no_option = S("no such option '");

    if (slice_starts(text, no_option)) {
        rest = slice_from(text, no_option.len);
        unknown_key(cfg, slice_head(rest, rest.len - 1));
        return;
    }
    buf_put(reading.complaints, text);
    for (size_t i = 0; i < sizeof expectations / sizeof *expectations; i++)
        if (slice_starts(text, slice_str(expectations[i].starts)))
            buf_printf(reading.complaints, ": %s", expectations[i].expected);
}

static void on_error(cfg_t *cfg, const char *format, va_list args)
{
    struct buf text = buf_make(64 * 1024);

    buf_vprintf(&text, format, args);
    if (slice_find(buf_slice(&text), S(LAST_KEY)) < text.len) {
        buf_printf(reading.complaints, "%s: expected }: section %s is not closed\n", reading.path,
                   cfg->name);
    } else {
        buf_printf(reading.complaints, "%s:%d: ", reading.path, cfg->line);
        put_problem(cfg, buf_slice(&text));
        buf_putc(reading.complaints, '\n');
    }
    buf_done(&text);
}

static struct place *place_of(const cfg_t *section, const cfg_opt_t *opt)
{
    for (size_t i = 0; i < reading.n_places; i++)
        if (reading.places[i].section == section && (!opt || reading.places[i].opt == opt))
            return &reading.places[i];
    return NULL;
}

void config_complain(cfg_t *section, const char *key, const char *format, ...)
{
    const struct place *at = key ? place_of(section, cfg_getopt(section, key)) : NULL;
    struct buf *out = reading.complaints;
    va_list args;

    if (!at)
        at = place_of(section, NULL);
    buf_printf(out, "%s:%d: %s", at ? at->file : reading.path, at ? at->line : section->line,
               section->name);
    if (cfg_title(section))
        buf_printf(out, " \"%s\"", cfg_title(section));
    buf_puts(out, ": ");
    va_start(args, format);
    buf_vprintf(out, format, args);
    va_end(args);
    buf_putc(out, '\n');
}

/* ---- values that are checked where they stand, so that the line is known ---- */

const struct config_unit config_byte_units[] = {
    {"", 1}, {"K", 1024}, {"M", 1024 * 1024}, {"G", 1ull << 30}, {"T", 1ull << 40}, {NULL, 0}};
const struct config_unit config_time_units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                                {"h", 3600000}, {"d", 86400000}, {NULL, 0}};

bool config_parse_units(const char *text, const struct config_unit *units, uint64_t *out)
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

    if (config_parse_units(last_string(opt), config_byte_units, &n))
        return 0;
    cfg_error(cfg, "%s: expected a size such as 64M (units K, M, G, T), found \"%s\"",
              cfg_opt_name(opt), last_string(opt));
    return -1;
}

static int want_time(cfg_t *cfg, cfg_opt_t *opt)
{
    uint64_t n;

    if (config_parse_units(last_string(opt), config_time_units, &n))
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
    return want_number(cfg, opt, 1, 65535);
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

static int want_hop_tls(cfg_t *cfg, cfg_opt_t *opt)
{
    return want_word(cfg, opt, (const char *const[]){"none", "starttls", NULL});
}

static int want_next_hop(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *found = last_string(opt);
    const char *why = hop_check(found);

    if (!why)
        return 0;
    cfg_error(cfg, "%s: %s, found \"%s\"", cfg_opt_name(opt), why, found);
    return -1;
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

static int want_text(cfg_t *cfg, cfg_opt_t *opt)
{
    if (*last_string(opt))
        return 0;
    cfg_error(cfg, "%s: expected a text that is not empty", cfg_opt_name(opt));
    return -1;
}

static int want_domain(cfg_t *cfg, cfg_opt_t *opt)
{
    if (*last_string(opt) && !strpbrk(last_string(opt), "@ \t"))
        return 0;
    cfg_error(cfg, "%s: expected a domain such as example.org, found \"%s\"", cfg_opt_name(opt),
              last_string(opt));
    return -1;
}

static int want_address(cfg_t *cfg, cfg_opt_t *opt)
{
    struct network network;

    if (strcmp(last_string(opt), "*") == 0 ||
        (!strchr(last_string(opt), '/') && !failed(network_parse(last_string(opt), &network))))
        return 0;
    cfg_error(cfg, "%s: expected an IP address or \"*\", found \"%s\"", cfg_opt_name(opt),
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

/* "https://mail.example.org:1443", and no path */
static int want_base_url(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *url = last_string(opt), *host = strstr(url, "://");

    if (host && (strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0) && host[3] &&
        !strpbrk(host + 3, "/?# \"<>&"))
        return 0;
    cfg_error(cfg,
              "%s: expected a URL without a path such as https://mail.example.org, found \"%s\"",
              cfg_opt_name(opt), url);
    return -1;
}

static int want_mechanism(cfg_t *cfg, cfg_opt_t *opt)
{
    if (auth_mechanism_bit(slice_str(last_string(opt))))
        return 0;
    cfg_error(cfg, "%s: expected a mechanism such as PLAIN or SCRAM-SHA-256, found \"%s\"",
              cfg_opt_name(opt), last_string(opt));
    return -1;
}

static const struct check {
    const char *section, *key;
    int (*run)(cfg_t *cfg, cfg_opt_t *opt);
} checks[] = {
    {"server", "name", want_text},
    {"server", "user", want_text},
    {"server", "workers", want_workers},
    {"server", "drain-timeout", want_time},
    {"store", "directory", want_text},
    {"store", "map-size", want_bytes},
    {"store", "reserve", want_bytes},
    {"store", "change-log", want_count},
    {"store", "recover", want_time},
    {"store", "max-folders", want_count},
    {"auth", "domains", want_domain},
    {"auth", "nt-domain", want_text},
    {"auth", "legacy-charset", want_text},
    {"auth", "master-separator", want_text},
    {"auth", "iterations", want_iterations},
    {"auth", "threads", want_workers},
    {"auth", "max-waiting", want_count},
    {"auth", "max-sessions-per-user", want_count},
    {"auth", "trusted-networks", want_network},
    {"auth", "audit-keep", want_time},
    {"certificate", "file", want_text},
    {"certificate", "key", want_text},
    {"certificate", "names", want_domain},
    {"tls", "min-version", want_tls_version},
    {"tls", "ciphers", want_text},
    {"tls", "ciphersuites", want_text},
    {"listener", "address", want_address},
    {"listener", "socket", want_text},
    {"listener", "protocol", want_protocol},
    {"listener", "port", want_port},
    {"listener", "socket-mode", want_mode},
    {"listener", "tls", want_tls_mode},
    {"listener", "client-ca", want_text},
    {"listener", "mechanisms", want_mechanism},
    {"listener", "proxy-from", want_network},
    {"limits", "connections", want_count},
    {"limits", "connections-per-address", want_count},
    {"limits", "message", want_bytes},
    {"limits", "line", want_bytes},
    {"limits", "literal", want_bytes},
    {"limits", "command", want_bytes},
    {"limits", "before-logon", want_bytes},
    {"limits", "bad-before-logon", want_count},
    {"limits", "attempts", want_count},
    {"limits", "logon-timeout", want_time},
    {"limits", "idle-timeout", want_time},
    {"limits", "handshake-timeout", want_time},
    {"limits", "write-timeout", want_time},
    {"limits", "http-request-line", want_bytes},
    {"limits", "http-head", want_bytes},
    {"limits", "http-fields", want_count},
    {"limits", "http-body", want_bytes},
    {"limits", "http-timeout", want_time},
    {"ops", "without-logon", want_network},
    {"mapi", "base-url", want_base_url},
    {"mapi", "organization", want_text},
    {"mapi", "idle-timeout", want_time},
    {"mapi", "notification-wait", want_time},
    {"mapi", "sessions-per-user", want_count},
    {"mapi", "objects", want_count},
    {"mapi", "unsaved", want_bytes},
    {"transport", "next-hop", want_next_hop},
    {"transport", "tls", want_hop_tls},
    {"transport", "user", want_text},
    {"transport", "password", want_text},
    {"transport", "timeout", want_time},
    {"transport", "retry", want_time},
    {"transport", "give-up", want_time},
    {"log", "file", want_text},
    {"log", "format", want_log_format},
    {"log", "level", want_log_level},
};

static const char *first_of(const cfg_opt_t *list)
{
    return list->nvalues ? list->values[0]->string : "";
}

/*
 * A key, or a section that has no name, that stands there for the second time. Of a list we hear
 * for each value and once more at its end: it is another one when it is shorter than it was, or
 * begins with something else.
 */
static bool is_again(const cfg_opt_t *opt, const struct place *before)
{
    if (!before || (opt->flags & CFGF_MULTI))
        return false;
    if (!(opt->flags & CFGF_LIST))
        return true;
    return opt->nvalues < before->n || strcmp(first_of(opt), before->first) != 0;
}

static struct place *note_place(const cfg_t *cfg, const cfg_opt_t *opt)
{
    reading.places = mem_grow(reading.places, reading.n_places + 1, sizeof *reading.places);
    struct place *place = &reading.places[reading.n_places++];
    *place = (struct place){.section = cfg, .opt = opt, .file = reading.path, .line = cfg->line};
    if (opt->flags & CFGF_LIST)
        place->first = arena_str(reading.arena, slice_str(first_of(opt)));
    return place;
}

/* Called by libconfuse behind every value and every section. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt)
{
    struct place *before = place_of(cfg, opt);

    if (is_again(opt, before)) {
        cfg_error(cfg, "%s: expected it once; it stands in %s:%d already", cfg_opt_name(opt),
                  before->file, before->line);
        return -1;
    }
    if (!before)
        before = note_place(cfg, opt);
    before->n = opt->nvalues;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (strcmp(checks[i].section, cfg->name) == 0 && strcmp(checks[i].key, opt->name) == 0)
            return checks[i].run(cfg, opt);
    return 0;
}

/* ---- reading ---- */

enum { FILE_MAX = 16 * 1024 * 1024, INCLUDE_DEPTH = 10 };

/* The whole file with LAST_KEY behind it, ended by NUL. */
static bool read_text(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "r");
    uint8_t *to;

    if (!file) {
        buf_printf(reading.complaints, "%s: %s\n", path, strerror(errno));
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
        buf_printf(reading.complaints, "%s: cannot be read as a configuration\n", path);
    else if (slice_index(buf_slice(out), 0) < out->len)
        buf_printf(reading.complaints, "%s: has a NUL byte\n", path);
    good = good && slice_index(buf_slice(out), 0) == out->len;
    fclose(file);
    buf_puts(out, "\n" LAST_KEY " = true\n");
    buf_putc(out, 0);
    return good;
}

/* libconfuse counts lines for each section of its grammar, and files not at all: we do. */
static bool parse(cfg_t *cfg, const char *path)
{
    const char *before = reading.path;
    struct buf text = buf_make(FILE_MAX);
    int line = cfg->line;

    reading.path = path;
    size_t said = reading.complaints->len;
    bool good = read_text(path, &text) && cfg_parse_buf(cfg, (char *)text.data) == CFG_SUCCESS;
    /* It refuses some things without a word: a string where a key should be. */
    if (!good && reading.complaints->len == said)
        cfg_error(cfg, "expected a section or a key");
    reading.path = before;
    cfg->line = line;
    buf_done(&text);
    return good;
}

/*
 * Not libconfuse's own: that ends the process over a file that it can open and not read (a
 * directory), and looks for a relative path where the process happens to be, not beside the file
 * that includes it.
 */
static int include_file(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
    const char *slash = strrchr(reading.path, '/');
    struct buf path = buf_make(8192);
    struct stat st;

    (void)opt;
    if (argc == 1 && argv[0][0] != '/' && slash)
        buf_put(&path, slice_of(reading.path, (size_t)(slash - reading.path) + 1));
    if (argc == 1)
        buf_puts(&path, argv[0]);
    const char *full = arena_str(reading.arena, buf_slice(&path));
    buf_done(&path);
    if (argc != 1 || !*full)
        cfg_error(cfg, "include: expected include(\"file\")");
    else if (stat(full, &st) != 0 || access(full, R_OK) != 0)
        cfg_error(cfg, "include: %s: %s", full, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        cfg_error(cfg, "include: %s: expected a file", full);
    else if (reading.depth >= INCLUDE_DEPTH)
        cfg_error(cfg, "include: %s: expected files that do not include each other for ever", full);
    else {
        reading.depth++;
        bool good = parse(cfg, full);
        reading.depth--;
        return good ? 0 : -1;
    }
    return -1;
}

/* Every section and every key tells us when it has been read. */
static void watch_values(cfg_t *file)
{
    char name[128];

    for (const cfg_opt_t *section = all_options; section->name; section++) {
        if (section->type != CFGT_SEC)
            continue;
        cfg_set_validate_func(file, section->name, on_value);
        for (const cfg_opt_t *key = section->subopts; key && key->name; key++) {
            snprintf(name, sizeof name, "%s|%s", section->name, key->name);
            cfg_set_validate_func(file, name, on_value);
        }
    }
}

cfg_t *config_read(const char *path, struct arena *arena, struct buf *why)
{
    cfg_t *file = cfg_init(all_options, CFGF_NONE);

    reading = (struct reading){.path = path, .arena = arena, .complaints = why};
    cfg_set_error_function(file, on_error);
    watch_values(file);
    if (parse(file, path))
        return file;
    cfg_free(file);
    return NULL;
}

void config_read_end(void)
{
    free(reading.places);
    reading = (struct reading){0};
}
