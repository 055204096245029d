/* Every key of the configuration: what it takes, what it refuses, and how that is told. */
#include "tests/support/test.h"

#include <unistd.h>

#include "gateway/config.h"

/* What is wrong with `text`, or "" where it is taken. In the file "conf" of a new directory. */
struct attempt {
    char dir[64], path[96];
    struct buf why;
    struct config *config;
};

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void attempt_begin(struct attempt *a)
{
    *a = (struct attempt){.dir = "/tmp/gatepost-config-XXXXXX", .why = buf_make(64 * 1024)};
    assert_non_null(mkdtemp(a->dir));
    snprintf(a->path, sizeof a->path, "%s/conf", a->dir);
}

static const char *attempt_load(struct attempt *a, const char *text)
{
    buf_clear(&a->why);
    config_free(a->config);
    a->config = NULL;
    write_file(a->path, text);
    struct err e = config_load(a->path, &a->why, &a->config);
    assert_int_equal(failed(e), a->config == NULL);
    buf_putc(&a->why, 0);
    return (const char *)a->why.data;
}

static void attempt_end(struct attempt *a)
{
    config_free(a->config);
    buf_done(&a->why);
    unlink(a->path);
    assert_int_equal(rmdir(a->dir), 0);
}

/* The one complaint, as FILE:LINE: and a text that has `expected` in it. */
static void assert_refused(struct attempt *a, const char *text, int line, const char *expected)
{
    const char *why = attempt_load(a, text);
    char start[128];

    snprintf(start, sizeof start, "%s:%d: ", a->path, line);
    if (strncmp(why, start, strlen(start)) != 0 || !strstr(why, expected) ||
        strchr(why, '\n') != why + strlen(why) - 1)
        fail_msg("%s\nis told as: %s\nwanted: %s… %s", text, why, start, expected);
}

/* ---- every key ---- */

#define LISTENER "protocol = imap port = 1143"
#define ANY_TEXT "a text that is not empty"
#define SIZE "a size such as 64M"
#define TIME "a time such as 30s"
#define LONG_PATH                                                                                  \
    "\"/a/path/longer/than/the/address/of/a/socket/can/be/which/is/107/bytes/of/a/text/that/ends/" \
    "somewhere/beyond/there\""
#define TOO_LONG "the path is too long for a socket"
#define NETWORK "a network such as 192.0.2.0/24"

/* `more`: what else the section needs. `bad`: taken for no value of it. */
static const struct row {
    const char *section, *key, *good, *bad, *expected, *more;
} rows[] = {
    {"server", "name", "mail.example.org", "\"\"", ANY_TEXT, ""},
    {"server", "user", "nobody", "\"\"", ANY_TEXT, ""},
    {"server", "workers", "3", "1025", "a number from 0 to 1024, found 1025", ""},
    {"server", "drain-timeout", "1500ms", "10", TIME, ""},
    {"store", "directory", "/nowhere", "\"\"", ANY_TEXT, ""},
    {"store", "map-size", "1g", "1X", SIZE, ""},
    {"store", "reserve", "0", "-1", SIZE, ""},
    {"store", "recover", "\"30d\"", "soon", TIME, ""},
    {"store", "change-log", "5", "-5", "a number from 0 to", ""},
    {"store", "max-folders", "5", "many", "a whole number", ""},
    {"auth", "domains", "{\"example.org\", \"example.net\"}", "{\"a@b\"}", "a domain such as", ""},
    {"auth", "nt-domain", "CORP", "\"\"", ANY_TEXT, ""},
    {"auth", "legacy-charset", "ISO-8859-1", "klingon", "the legacy character set is unknown", ""},
    {"auth", "master-separator", "\"*\"", "\"@\"", "the master separator is of visible ASCII", ""},
    {"auth", "iterations", "65536", "4095", "a number from 4096 to 65536", ""},
    {"auth", "threads", "2", "1.5", "a whole number", ""},
    {"auth", "max-waiting", "10", "99999999999999999999", "a smaller number", ""},
    {"auth", "max-sessions-per-user", "1", "-1", "a number from 0 to", ""},
    {"auth", "back-off", "off", "2", "true or false", ""},
    {"auth", "trusted-networks", "{\"::1\", \"10.0.0.0/8\"}", "{\"10.0.0.0/33\"}", NETWORK, ""},
    {"auth", "audit-file", "\"\"", NULL, NULL, ""},
    {"auth", "audit-journal", "\"/run/systemd/journal/socket\"", LONG_PATH, TOO_LONG, ""},
    {"auth", "audit-syslog", "\"/dev/log\"", LONG_PATH, TOO_LONG, ""},
    {"auth", "audit-keep", "0s", "forever", TIME, ""},
    {"certificate \"c\"", "file", "/c.pem", "\"\"", ANY_TEXT, ""},
    {"certificate \"c\"", "key", "/k.pem", "\"\"", ANY_TEXT, "file = \"/c\""},
    {"certificate \"c\"", "names", "{\"*.example.org\"}", "{\"\"}", "a domain", "file = \"/c\""},
    {"tls", "min-version", "1.3", "1.1", "one of 1.2, 1.3, found \"1.1\"", ""},
    {"tls", "ciphers", "HIGH", "\"\"", ANY_TEXT, ""},
    {"tls", "ciphersuites", "TLS_AES_128_GCM_SHA256", "\"\"", ANY_TEXT, ""},
    {"listener \"l\"", "protocol", "lmtp", "smtp", "one of imap, pop3, lmtp, ops, mapi",
     "port = 24"},
    {"listener \"l\"", "address", "\"::1\"", "localhost", "an IP address or \"*\"", LISTENER},
    {"listener \"l\"", "port", "65535", "65536", "from 1 to 65535", "protocol = imap"},
    {"listener \"l\"", "socket", "/run/x", "\"\"", ANY_TEXT, "protocol = lmtp"},
    {"listener \"l\"", "socket-mode", "0660", "0888", "permissions such as 0660", LISTENER},
    {"listener \"l\"", "tls", "none", "yes", "one of none, starttls, implicit", LISTENER},
    {"listener \"l\"", "certificates", "{}", NULL, NULL, LISTENER},
    {"certificate \"c\" { file = \"/c\" } listener \"l\"", "client-ca", "/ca.pem", "\"\"", ANY_TEXT,
     LISTENER " tls = implicit"},
    {"listener \"l\"", "plaintext", "true", "maybe", "true or false", LISTENER},
    {"listener \"l\"", "mechanisms", "{plain, \"SCRAM-SHA-1\"}", "{PLAIN, GSSAPI}",
     "a mechanism such as PLAIN", LISTENER},
    {"listener \"l\"", "compress", "no", "zip", "true or false", LISTENER},
    {"listener \"l\"", "proxy-protocol", "false", "v2", "true or false", LISTENER},
    {"listener \"l\"", "proxy-from", "{\"127.0.0.1\"}", "{\"proxy\"}", NETWORK, LISTENER},
    {"limits", "connections", "9", "-1", "a number from 0 to", ""},
    {"limits", "connections-per-address", "9", "few", "a whole number", ""},
    {"limits", "message", "1M", "1MB", SIZE, ""},
    {"limits", "line", "64K", "K", SIZE, ""},
    {"limits", "literal", "64K", "\"\"", SIZE, ""},
    {"limits", "command", "1M", "99999999T", SIZE, ""},
    {"limits", "before-logon", "16K", "16 K", SIZE, ""},
    {"limits", "bad-before-logon", "5", "-1", "a number from 0 to", ""},
    {"limits", "attempts", "5", "-1", "a number from 0 to", ""},
    {"limits", "logon-timeout", "1m", "1", TIME, ""},
    {"limits", "idle-timeout", "1h", "1w", TIME, ""},
    {"limits", "handshake-timeout", "1s", "-1s", TIME, ""},
    {"limits", "write-timeout", "1d", "1.5s", TIME, ""},
    {"limits", "http-request-line", "16K", "16KB", SIZE, ""},
    {"limits", "http-head", "64K", "big", SIZE, ""},
    {"limits", "http-fields", "50", "-1", "a number from 0 to", ""},
    {"limits", "http-body", "1G", "1 G", SIZE, ""},
    {"limits", "http-timeout", "10s", "10", TIME, ""},
    {"pop3", "mark-read", "off", "sometimes", "true or false", ""},
    {"ops", "without-logon", "{}", "{\"here\"}", NETWORK, ""},
    {"mapi", "base-url", "\"https://mail.example.org\"", "\"https://mail.example.org/x\"",
     "a URL without a path", ""},
    {"mapi", "organization", "Example", "\"\"", ANY_TEXT, ""},
    {"mapi", "idle-timeout", "10m", "10", TIME, ""},
    {"mapi", "notification-wait", "1m", "1", TIME, ""},
    {"mapi", "sessions-per-user", "10", "-1", "a number from 0 to", ""},
    {"mapi", "objects", "500", "-1", "a number from 0 to", ""},
    {"mapi", "unsaved", "10M", "10MB", SIZE, ""},
    {"transport", "next-hop", "\"smtp://127.0.0.1:25\"", "\"lmtp:/run/x\"",
     "expected smtp://host:port, smtps://host:port, lmtp://host:port or lmtp:///path, found "
     "\"lmtp:/run/x\"",
     ""},
    {"transport", "tls", "starttls", "implicit", "one of none, starttls, found \"implicit\"", ""},
    {"transport", "user", "gatepost", "\"\"", ANY_TEXT, ""},
    {"transport", "password", "secret", "\"\"", ANY_TEXT, ""},
    {"transport", "timeout", "10m", "10", TIME, ""},
    {"transport", "retry", "10s", "10", TIME, ""},
    {"transport", "give-up", "2d", "2w", TIME, ""},
    {"log", "format", "json", "xml", "one of text, json, found \"xml\"", ""},
    {"log", "level", "warn", "loud", "one of debug, info, warn, error", ""},
    {"log", "file", "/var/log/x", "\"\"", ANY_TEXT, ""},
};

enum { ROWS = sizeof rows / sizeof *rows };

static void put_key(char *out, size_t size, const struct row *r, const char *value, int times)
{
    int at = snprintf(out, size, "%s {\n    %s\n", r->section, r->more);

    for (int i = 0; i < times; i++)
        at +=
            snprintf(out + at, size - (size_t)at,
                     strpbrk(value, "{\"") ? "    %s = %s\n" : "    %s = \"%s\"\n", r->key, value);
    snprintf(out + at, size - (size_t)at, "}\n");
}

static void every_key_takes_a_good_value(void **state)
{
    struct attempt a;
    char text[512];

    (void)state;
    attempt_begin(&a);
    for (size_t i = 0; i < ROWS; i++) {
        put_key(text, sizeof text, &rows[i], rows[i].good, 1);
        assert_string_equal(attempt_load(&a, text), "");
    }
    attempt_end(&a);
}

static void every_key_refuses_a_bad_value_at_its_line(void **state)
{
    struct attempt a;
    char text[512];

    (void)state;
    attempt_begin(&a);
    for (size_t i = 0; i < ROWS; i++) {
        if (!rows[i].bad)
            continue;
        put_key(text, sizeof text, &rows[i], rows[i].bad, 1);
        assert_refused(&a, text, 3, rows[i].expected);
    }
    attempt_end(&a);
}

static void no_key_may_stand_twice(void **state)
{
    struct attempt a;
    char text[512];

    (void)state;
    attempt_begin(&a);
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].good, "{}") == 0)
            continue; /* the same list of nothing */
        put_key(text, sizeof text, &rows[i], rows[i].good, 2);
        if (*rows[i].good == '{') { /* another list: the same one again says the same */
            char *last = strrchr(text, '{');

            memcpy(last + 1, "\"192.0.2.1\"}\n}\n", 16);
        }
        assert_refused(&a, text, 4, "expected it once; it stands in");
    }
    attempt_end(&a);
}

static void a_key_that_is_not_known_is_told_with_those_that_are(void **state)
{
    struct attempt a;
    char text[512];

    (void)state;
    attempt_begin(&a);
    for (size_t i = 0; i < ROWS; i++) {
        snprintf(text, sizeof text, "%s {\n\n    color = blue\n}\n", rows[i].section);
        assert_refused(&a, text, 3, " has no key \"color\": expected one of ");
        const char *known = strstr((const char *)a.why.data, "one of");
        if (!strstr(known, rows[i].key))
            fail_msg("%s is not named: %s", rows[i].key, known);
    }
    attempt_end(&a);
}

/* The rows above are all there are. */
static void the_manual_has_no_key_that_is_not_tested_here(void **state)
{
    static char page[65536];
    FILE *file = fopen("docs/manual/configuration.md", "rb");
    size_t keys = 0;

    (void)state;
    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = 0;
    fclose(file);
    for (const char *at = page; (at = strstr(at, "\n| `")); at++)
        keys++;
    assert_int_equal(keys, ROWS);
}

/* ---- the whole ---- */

static void sections_are_told_like_keys(void **state)
{
    struct attempt a;

    (void)state;
    attempt_begin(&a);
    assert_refused(&a, "\ncolor { }\n", 2, "no section \"color\": expected one of server, store");
    assert_refused(&a, "log { }\nlog { }\n", 2, "expected it once");
    assert_refused(&a, "listener { }\n", 1, "expected a name in quotes");
    assert_refused(&a, "listener \"\" { " LISTENER " }\n", 1, "expected a name that is not empty");
    assert_refused(&a, "log \"x\" { }\n", 1, "expected {");
    assert_refused(&a, "log {\n}\n}\n", 3, "unexpected closing brace");
    assert_refused(&a, "log {\nlevel\n= }\n", 3, "expected a value");
    assert_refused(&a, "log { level info }\n", 1, "expected =");
    assert_refused(&a, "listener \"a\" { " LISTENER " }\n\nlistener \"a\" { }\n", 3, "duplicate");
    attempt_end(&a);
}

static void what_is_missing_is_told_at_its_section(void **state)
{
    struct attempt a;

    (void)state;
    attempt_begin(&a);
    assert_refused(&a, "\nlistener \"a\" {\n port = 1\n}\n", 3,
                   "\"a\": expected a key \"protocol\"");
    assert_refused(&a, "\nlistener \"a\" {\n protocol = imap\n}\n", 3, "expected a key \"port\"");
    assert_refused(&a, "listener \"a\" {\n " LISTENER "\n socket = x\n}\n", 3, "found both");
    assert_refused(&a, "listener \"a\" {\n " LISTENER "\n tls = starttls\n}\n", 3,
                   "expected a section \"certificate\"");
    assert_refused(&a, "listener \"a\" {\n " LISTENER "\n proxy-protocol = on\n}\n", 3,
                   "expected a key \"proxy-from\"");
    assert_refused(&a, "certificate \"c\" {\n key = k\n}\n", 2, "expected a key \"file\"");
    assert_refused(&a,
                   "certificate \"c\" { file = x }\nlistener \"a\" {\n " LISTENER
                   "\n tls = implicit\n certificates = {\"d\"}\n}\n",
                   5, "there is no certificate \"d\"");
    attempt_end(&a);
}

static void two_faults_are_both_told(void **state)
{
    struct attempt a;

    (void)state;
    attempt_begin(&a);
    const char *why = attempt_load(&a, "certificate \"c\" { }\nlistener \"a\" { port = 1 }\n");
    assert_non_null(strstr(why, "conf:1: certificate \"c\": expected a key \"file\"\n"));
    assert_non_null(strstr(why, "conf:2: listener \"a\": expected a key \"protocol\"\n"));
    attempt_end(&a);
}

static void a_section_must_be_closed(void **state)
{
    struct attempt a;

    (void)state;
    attempt_begin(&a);
    assert_non_null(strstr(attempt_load(&a, "log {\n level = info\n"),
                           "expected }: section log is not closed"));
    attempt_end(&a);
}

/* libconfuse refuses them without a word; `gatepost check` said that nothing was wrong. */
static void quotes_where_a_key_should_be_are_told(void **state)
{
    struct attempt a;

    (void)state;
    attempt_begin(&a);
    assert_refused(&a, "\"\"", 1, "expected a section or a key");
    assert_refused(&a, "log { level = info }\n\n\"\"\n", 3, "expected a section or a key");
    attempt_end(&a);
}

/* ---- include ---- */

static void an_included_file_is_found_beside_the_one_that_includes_it(void **state)
{
    struct attempt a;
    char other[128];

    (void)state;
    attempt_begin(&a);
    snprintf(other, sizeof other, "%s/other", a.dir);
    write_file(other, "log { level = warn }\n");
    assert_string_equal(attempt_load(&a, "include(\"other\")\nserver { name = x }\n"), "");
    assert_int_equal(a.config->log.level, LOG_LEVEL_WARN);
    assert_string_equal(a.config->net.host_name, "x");
    assert_refused(&a, "include(\"other\")\n\nserver { nam = x }\n", 3, "no key \"nam\"");
    assert_refused(&a, "include(\"other\")\nlog { }\n", 2, "/other:1 already");
    write_file(other, "\n\nlog { level = loud }\n");
    assert_non_null(strstr(attempt_load(&a, "include(\"other\")\n"), "/other:3: level: expected"));
    write_file(other, "log {\n");
    assert_non_null(strstr(attempt_load(&a, "include(\"other\")\nserver { }\n"),
                           "/other: expected }: section log is not closed"));
    unlink(other);
    attempt_end(&a);
}

static void a_file_that_cannot_be_included_is_told(void **state)
{
    struct attempt a;

    (void)state;
    attempt_begin(&a);
    assert_refused(&a, "\ninclude(\"nowhere\")\n", 2, "/nowhere: No such file or directory");
    assert_refused(&a, "\ninclude(\"..\")\n", 2, "/..: expected a file");
    assert_refused(&a, "include()\n", 1, "expected include(\"file\")");
    assert_refused(&a, "include(\"a\", \"b\")\n", 1, "expected include(\"file\")");
    assert_refused(&a, "include(\"conf\")\n", 1, "that do not include each other for ever");
    attempt_end(&a);
}

static void a_file_that_is_no_text_is_refused(void **state)
{
    struct attempt a;
    struct config *config;

    (void)state;
    attempt_begin(&a);
    assert_int_equal(config_load("/nowhere/conf", &a.why, &config).code, ERR_NOT_FOUND);
    assert_int_equal(config_load("/tmp", &a.why, &config).code, ERR_INVALID);
    assert_true(slice_find(buf_slice(&a.why), S("/tmp: cannot be read")) < a.why.len);
    write_file(a.path, "x");
    attempt_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_takes_a_good_value),
        cmocka_unit_test(every_key_refuses_a_bad_value_at_its_line),
        cmocka_unit_test(no_key_may_stand_twice),
        cmocka_unit_test(a_key_that_is_not_known_is_told_with_those_that_are),
        cmocka_unit_test(the_manual_has_no_key_that_is_not_tested_here),
        cmocka_unit_test(sections_are_told_like_keys),
        cmocka_unit_test(what_is_missing_is_told_at_its_section),
        cmocka_unit_test(two_faults_are_both_told),
        cmocka_unit_test(a_section_must_be_closed),
        cmocka_unit_test(quotes_where_a_key_should_be_are_told),
        cmocka_unit_test(an_included_file_is_found_beside_the_one_that_includes_it),
        cmocka_unit_test(a_file_that_cannot_be_included_is_told),
        cmocka_unit_test(a_file_that_is_no_text_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
