/* Names and secrets in their canonical forms, and which account a name means. */
#include "tests/support/auth_fixture.h"

#include "auth/auth_int.h"
#include "auth/precis.h"

static struct arena arena;

static int wipe(void **state)
{
    (void)state;
    arena_wipe(&arena);
    return 0;
}

/* RFC 8265 3.5 where it says so; NULL: not a name. */
static const struct {
    const char *given, *want;
} names[] = {
    {"juliet@example.com", "juliet@example.com"}, /* table 1, 1 */
    {"fussball", "fussball"},                     /* 2 */
    {"fu\xc3\x9f"
     "ball",
     "fu\xc3\x9f"
     "ball"},                    /* 3: not the same as 2 */
    {"\xcf\x80", "\xcf\x80"},    /* 4: pi */
    {"\xce\xa3", "\xcf\x83"},    /* 5: capital sigma */
    {"\xcf\x83", "\xcf\x83"},    /* 6 */
    {"\xcf\x82", "\xcf\x82"},    /* 7: final sigma is its own */
    {"foo bar", "foo bar"},      /* two userparts (3.1) */
    {"", NULL},                  /* table 2, 9 */
    {"henry\xe2\x85\xa3", NULL}, /* 10: roman four is compatibility */
    {"\xe2\x99\x9a", NULL},      /* 12: a chess king is a symbol */
    {" alice", NULL},
    {"alice ", NULL},
    {"a  b", "a  b"},
    {"Alice", "alice"},
    {"ALICE@Example.ORG", "alice@example.org"},
    {"a\tb", NULL},
    {"a\nb", NULL},
    {"a\x7f", NULL},
    {"\xff", NULL},
    {"\xc0\x80", NULL},     /* overlong NUL */
    {"\xed\xa0\x80", NULL}, /* surrogate */
    {"\xef\xbf\xbe", NULL}, /* noncharacter */
    {"\xf4\x90\x80\x80", NULL},
    {"zo\xc3\x8b", "zo\xc3\xab"},       /* composed, upper case */
    {"ZOE\xcc\x88", "zo\xc3\xab"},      /* decomposed */
    {"\xef\xbc\xa1\xef\xbc\xa2", "ab"}, /* fullwidth AB */
    {"\xef\xbd\xb1", "\xe3\x82\xa2"},   /* halfwidth katakana */
    {"\xe3\x80\x80x", NULL},            /* ideographic blank -> leading blank */
    {"x\xe3\x80\x80y", "x y"},
    {"bob\xef\xbc\xa0"
     "example.org",
     "bob@example.org"}, /* fullwidth @ */
    {"bob@a\xef\xbc\xa0"
     "b",
     NULL},
    {"bob@", NULL},
    {"@example.org", NULL},
    {"@", NULL},
    {"a@b@c", "a@b@c"},
    {"\xe2\x84\xaa", NULL},  /* the Kelvin sign is no k */
    {"\xef\xac\x81x", NULL}, /* the ligature fi */
    {"a\xc2\xad"
     "b",
     NULL}, /* soft hyphen */
    {"a\xe2\x80\x8d"
     "b",
     NULL}, /* joiner out of place */
    {"\xe0\xa4\x95\xe0\xa5\x8d\xe2\x80\x8d\xe0\xa4\xb7",
     "\xe0\xa4\x95\xe0\xa5\x8d\xe2\x80\x8d\xe0\xa4\xb7"},             /* behind a virama */
    {"\xd8\xa8\xe2\x80\x8c\xd8\xa8", "\xd8\xa8\xe2\x80\x8c\xd8\xa8"}, /* ZWNJ between joining */
    {"\xd8\xa7\xe2\x80\x8c\xd8\xa7", NULL}, /* alef does not join to its left */
    {"l\xc2\xb7l", "l\xc2\xb7l"},
    {"l\xc2\xb7"
     "a",
     NULL},
    {"\xc2\xb7", NULL},
    {"\xe3\x82\xab\xe3\x83\xbb", "\xe3\x82\xab\xe3\x83\xbb"}, /* katakana middle dot */
    {"a\xe3\x83\xbb", NULL},
    {"\xcd\xb5\xce\xb1", "\xcd\xb5\xce\xb1"}, /* keraia before Greek */
    {"\xcd\xb5"
     "a",
     NULL},
    {"\xd7\x90\xd7\xb3", "\xd7\x90\xd7\xb3"}, /* geresh behind Hebrew */
    {"a\xd7\xb3", NULL},
    {"\xd7\x90\xd7\x91", "\xd7\x90\xd7\x91"}, /* runs right to left */
    {"\xd7\x90"
     "a",
     NULL}, /* both ways (RFC 5893 2) */
    {"a\xd7\x90", NULL},
    {"1\xd7\x90", NULL},
    {"\xd7\x90"
     "1",
     "\xd7\x90"
     "1"},
    {"\xd8\xa7\xd9\xa1\xdb\xb1", NULL}, /* two sets of digits */
    {"\xd8\xa7\xd9\xa1", "\xd8\xa7\xd9\xa1"},
    {"\xd9\x80", NULL}, /* tatweel */
    {"a!#$%&'*+-/=?^_`{|}~\\\"", "a!#$%&'*+-/=?^_`{|}~\\\""},
    {"x@b\xc3\x9c"
     "cher.example",
     "x@b\xc3\xbc"
     "cher.example"},
    {"x@xn--bcher-kva.example", "x@b\xc3\xbc"
                                "cher.example"},
    {"x@XN--BCHER-KVA.Example", "x@b\xc3\xbc"
                                "cher.example"},
    {"x@xn--zzzzzzzzzzzz", "x@xn--zzzzzzzzzzzz"}, /* no A-label: as it is */
    {"x@[192.0.2.1]", "x@[192.0.2.1]"},
};

static void names_have_one_canonical_form_or_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct slice out = S("?"), again;
        struct err e = auth_name(slice_str(names[i].given), &arena, &out);

        if (failed(e) != !names[i].want)
            fail_msg("\"%s\": %s %.*s", names[i].given, e.why, SLICE_ARG(out));
        if (failed(e)) {
            assert_int_equal(e.code, ERR_INVALID);
            assert_slice(out, "?");
            continue;
        }
        assert_slice(out, names[i].want);
        assert_ok(auth_name(out, &arena, &again));
        assert_slice(again, names[i].want);
    }
}

static void names_with_nuls_or_without_end_are_none(void **state)
{
    uint8_t a[1200];
    struct slice out;

    (void)state;
    memset(a, 'a', sizeof a);
    assert_code(auth_name(S("al\0ice"), &arena, &out), ERR_INVALID);
    assert_ok(auth_name(slice_of(a, 255), &arena, &out));
    assert_code(auth_name(slice_of(a, 256), &arena, &out), ERR_INVALID);
    assert_code(auth_name(slice_of(a, 1200), &arena, &out), ERR_INVALID);
}

/* RFC 8265 4.3 */
static const struct {
    const char *given, *want;
} secrets[] = {
    {"correct horse battery staple", "correct horse battery staple"},
    {"Correct Horse Battery Staple", "Correct Horse Battery Staple"},
    {"\xcf\x80\xc3\x9f\xc3\xa5", "\xcf\x80\xc3\x9f\xc3\xa5"},
    {"Jack of \xe2\x99\xa6s", "Jack of \xe2\x99\xa6s"},
    {"foo\xe1\x9a\x80"
     "bar",
     "foo bar"}, /* ogham space */
    {"", NULL},
    {"my cat is a \x09"
     "by",
     NULL},
    {" x ", " x "},
    {"a\xc2\xa0"
     "b",
     "a b"},
    {"Gru\xcc\x88n", "Gr\xc3\xbcn"},
    {"\xef\xbc\xa1", "\xef\xbc\xa1"}, /* width stays */
    {"\xe2\x85\xa3", "\xe2\x85\xa3"}, /* compatibility is allowed */
    {"a\x80", NULL},
    {"\xc2\x80", NULL}, /* a C1 control */
    {"\xd7\x90"
     "a",
     "\xd7\x90"
     "a"}, /* no bidi rule */
    {"a\xe2\x80\x8b", NULL},
};

static void secrets_have_one_form_or_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        struct slice out = S("?");
        struct err e = precis_opaque(slice_str(secrets[i].given), &arena, &out);

        if (failed(e) != !secrets[i].want)
            fail_msg("\"%s\": %s", secrets[i].given, e.why);
        assert_slice(out, secrets[i].want ? secrets[i].want : "?");
    }
}

static void credentials_are_made_only_of_possible_secrets(void **state)
{
    struct buf out = buf_make(4096), small = buf_make(100);
    uint8_t x[1001];

    (void)state;
    memset(x, 'x', sizeof x);
    assert_code(auth_credentials_make(S(""), 0, &out), ERR_INVALID);
    assert_code(auth_credentials_make(S("\xff"), 0, &out), ERR_INVALID);
    assert_code(auth_credentials_make(S("a\0b"), 0, &out), ERR_INVALID);
    assert_code(auth_credentials_make(slice_of(x, 1001), 0, &out), ERR_TOO_BIG);
    assert_code(auth_credentials_make(S("x"), 4095, &out), ERR_INVALID);
    assert_code(auth_credentials_make(S("x"), 65537, &out), ERR_INVALID);
    assert_int_equal(out.len, 0);
    assert_ok(auth_credentials_make(slice_of(x, 1000), 5000, &out));
    assert_true(slice_starts(buf_slice(&out), S("SCRAM-SHA-256$5000:")));
    assert_int_equal(slice_index(buf_slice(&out), 0), out.len);
    assert_code(auth_credentials_make(S("x"), 0, &small), ERR_TOO_BIG);
    buf_done(&out);
    buf_done(&small);
}

/* RFC 5802 5 and RFC 7677 3 give salt, count and proofs of the secret "pencil". */
static void keys_match_the_examples_of_the_rfcs(void **state)
{
    static const struct {
        enum scram_hash hash;
        const char *line;
    } rows[] = {
        {SCRAM_SHA_1, "SCRAM-SHA-1$4096:QSXCR+Q6sek8bf92$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:"
                      "D+CSWLOshSulAsxiupA+qs2/fTE="},
        {SCRAM_SHA_256, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
                        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
                        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="},
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct buf text = buf_make(1024);
        struct scram_keys keys;

        assert_true(scram_keys_find(slice_str(rows[i].line), rows[i].hash, &keys));
        assert_false(scram_keys_find(slice_str(rows[i].line), !rows[i].hash, &keys));
        memset(keys.stored, 0, sizeof keys.stored);
        memset(keys.server, 0, sizeof keys.server);
        scram_keys_derive(&keys, rows[i].hash, S("pencil2"));
        scram_keys_put(&keys, rows[i].hash, &text);
        assert_false(slice_eq(buf_slice(&text), slice_str(rows[i].line)));
        buf_clear(&text);
        scram_keys_derive(&keys, rows[i].hash, S("pencil"));
        scram_keys_put(&keys, rows[i].hash, &text);
        assert_slice(buf_slice(&text), rows[i].line);
        buf_done(&text);
    }
}

static void damaged_credentials_are_none(void **state)
{
    static const char good[] = "SCRAM-SHA-1$4096:QSXCR+Q6sek8bf92$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:"
                               "D+CSWLOshSulAsxiupA+qs2/fTE=";
    static const char *const bad[] = {
        "SCRAM-SHA-1$4095:QSXCR+Q6sek8bf92$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:"
        "D+CSWLOshSulAsxiupA+qs2/fTE=",
        "SCRAM-SHA-1$65537:QSXCR+Q6sek8bf92$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:"
        "D+CSWLOshSulAsxiupA+qs2/fTE=",
        "SCRAM-SHA-1$4096:$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:D+CSWLOshSulAsxiupA+qs2/fTE=",
        "SCRAM-SHA-1$4096:QSXCR+Q6sek8bf92$AAAA:D+CSWLOshSulAsxiupA+qs2/fTE=",
        "SCRAM-SHA-1$4096:QSXCR+Q6sek8bf92$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:AAAA",
        "$$$:::",
        "",
        "\n\n\n",
    };
    struct scram_keys keys;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(scram_keys_find(slice_str(bad[i]), SCRAM_SHA_1, &keys));
    for (size_t len = 0; len < sizeof good - 1; len++)
        assert_false(scram_keys_find(slice_of(good, len), SCRAM_SHA_1, &keys));
    assert_true(scram_keys_find(S("\nx\nSCRAM-SHA-1$4096:QSXCR+Q6sek8bf92$6dlGYMOdZcOPutkcNY8U2g"
                                  "7vK9Y=:D+CSWLOshSulAsxiupA+qs2/fTE=\nSCRAM"),
                                SCRAM_SHA_1, &keys));
}

static const struct {
    const char *given, *identity; /* NULL: `code` */
    enum err_code code;
} forms[] = {
    {"alice", "alice", ERR_NONE},
    {"Alice@example.org", "alice", ERR_NONE},
    {"alice@EXAMPLE.net", "alice", ERR_NONE}, /* every local domain */
    {"alice@example.com", NULL, ERR_NOT_FOUND},
    {"example\\bob", "bob", ERR_NONE},
    {"EXAMPLE/bob", "bob", ERR_NONE},
    {"EXAMPLE\\\\bob", "bob", ERR_NONE},
    {"OTHER\\bob", NULL, ERR_NOT_FOUND},
    {"example.org\\bob", "bob", ERR_NONE}, /* a mail domain for the NT domain */
    {"EXAMPLE\\bob@example.org", NULL, ERR_NOT_FOUND},
    {"EXAMPLE\\bob\\bob", "bob", ERR_NONE},
    {"EXAMPLE/carol/sales", "carol@example.net", ERR_NONE},
    {"EXAMPLE\\\\carol\\\\sales", "carol@example.net", ERR_NONE},
    {"EXAMPLE\\bob\\sales", "carol@example.net", ERR_NONE}, /* bob acts for carol */
    {"EXAMPLE\\bob\\nobody", NULL, ERR_NOT_FOUND},
    {"EXAMPLE\\nobody\\bob", NULL, ERR_NOT_FOUND},
    {"EXAMPLE\\a\\b\\c", NULL, ERR_NOT_FOUND},
    {"sales", "carol@example.net", ERR_NONE},
    {"carol", NULL, ERR_NOT_FOUND}, /* a name without a domain is of the default one */
    {"carol@example.net", "carol@example.net", ERR_NONE},
    {"carol@example.org", NULL, ERR_NOT_FOUND},
    {"twin", "twin@example.org", ERR_NONE},
    {"EAST\\twin", "twin@example.org", ERR_NONE},
    {"west/TWIN", "twin@example.net", ERR_NONE},
    {"EXAMPLE\\twin", NULL, ERR_NOT_FOUND},
    {"example.net\\twin", "twin@example.net", ERR_NONE},
    {"example/alice", NULL, ERR_CONFLICT}, /* bob's alias, and alice of EXAMPLE */
    {"example\\alice", "alice", ERR_NONE},
    {"both", NULL, ERR_CONFLICT},
    {"EXAMPLE\\both", NULL, ERR_CONFLICT},
    {"down", NULL, ERR_UNAVAILABLE},
    {"EXAMPLE\\down", NULL, ERR_UNAVAILABLE},
    {"", NULL, ERR_INVALID},
    {"\\", NULL, ERR_NOT_FOUND},
    {"\\\\\\", NULL, ERR_NOT_FOUND},
    {"\\bob", NULL, ERR_NOT_FOUND},
    {"bob\\", NULL, ERR_NOT_FOUND},
    {"a\x01", NULL, ERR_INVALID},
    {"EXAMPLE\\a\x01", NULL, ERR_INVALID},
    {"b\xc3\xbc@xn--bcher-kva.example", "bob", ERR_NONE},
};

static void every_form_of_name_finds_its_account(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct auth_account account = {.identity = S("untouched")};
        struct err e = auth_resolve(f->auth, slice_str(forms[i].given), &arena, &account);

        if (e.code != forms[i].code)
            fail_msg("%s: %s %.*s", forms[i].given, err_name(e.code), SLICE_ARG(account.identity));
        assert_slice(account.identity, forms[i].identity ? forms[i].identity : "untouched");
    }
}

static void recipients_may_have_a_detail_but_no_nt_domain(void **state)
{
    static const struct {
        const char *address, *identity;
        enum err_code code;
    } rows[] = {
        {"alice@example.org", "alice", ERR_NONE},
        {"alice+news@example.org", "alice", ERR_NONE},
        {"Alice+a+b@example.net", "alice", ERR_NONE},
        {"alice+@example.org", "alice", ERR_NONE},
        {"+news@example.org", NULL, ERR_NOT_FOUND},
        {"alice+x", "alice", ERR_NONE},
        {"carol+x@example.net", "carol@example.net", ERR_NONE},
        {"carol+x@example.org", NULL, ERR_NOT_FOUND},
        {"alice+x@example.com", NULL, ERR_NOT_FOUND},
        {"EXAMPLE\\bob@example.org", NULL, ERR_NOT_FOUND},
        {"example/alice@example.org", "bob", ERR_NONE}, /* that alias, as it stands */
        {"both@example.org", NULL, ERR_CONFLICT},
        {"down+x@example.org", NULL, ERR_UNAVAILABLE},
        {"\xff@example.org", NULL, ERR_INVALID},
        {"", NULL, ERR_INVALID},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct auth_account account;
        struct err e =
            auth_resolve_recipient(f->auth, slice_str(rows[i].address), &arena, &account);

        if (e.code != rows[i].code)
            fail_msg("%s: %s", rows[i].address, err_name(e.code));
        if (!failed(e))
            assert_slice(account.identity, rows[i].identity);
    }
}

/* The name that ends like a master's is inert; so is one that only looks like an account. */
static void random_names_never_find_an_account_by_accident(void **state)
{
    static const char *const pieces[] = {"alice", "bob",  "\\",    "/",    "@",    "example",
                                         "+",     "*",    "%",     "root", ".org", " ",
                                         "\xff",  "\\\\", "carol", "::"};
    struct fixture *f = *state;
    struct rng rng = rng_seeded();

    for (int round = 0; round < 5000; round++) {
        struct buf name = buf_make(1024);
        struct auth_account account, again;
        struct slice canonical;

        for (uint32_t n = 1 + rng_below(&rng, 5); n > 0; n--)
            buf_puts(&name, pieces[rng_below(&rng, sizeof pieces / sizeof *pieces)]);
        if (!failed(auth_resolve(f->auth, buf_slice(&name), &arena, &account))) {
            /* what was found is found by its own name too */
            assert_ok(auth_resolve(f->auth, account.identity, &arena, &again));
            assert_true(slice_eq(account.identity, again.identity));
        }
        if (!failed(auth_name(buf_slice(&name), &arena, &canonical)))
            assert_true(slice_is_utf8(canonical));
        buf_done(&name);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_one_canonical_form_or_none),
        cmocka_unit_test(names_with_nuls_or_without_end_are_none),
        cmocka_unit_test(secrets_have_one_form_or_none),
        cmocka_unit_test(credentials_are_made_only_of_possible_secrets),
        cmocka_unit_test(keys_match_the_examples_of_the_rfcs),
        cmocka_unit_test(damaged_credentials_are_none),
        T(every_form_of_name_finds_its_account),
        T(recipients_may_have_a_detail_but_no_nt_domain),
        T(random_names_never_find_an_account_by_accident),
    };

    return cmocka_run_group_tests(tests, NULL, wipe);
}
