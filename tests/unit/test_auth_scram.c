/* SCRAM and its channel binding; with our own client, and with libsasl2's. */
#include "tests/support/scram_client.h"

#include <sasl/sasl.h>

#include "base/base64.h"

static const char exporter[] = "made-up data of tls-exporter";

static enum auth_reason log_on(struct fixture *f, const char *mechanism, const char *header,
                               const char *name, const char *secret, const char *binding)
{
    struct scram_client c = {mechanism, header, name, secret, binding, .initial = true};
    struct scram_client turn = c;

    turn.initial = false;
    enum auth_reason reason = scram_log_on(f, &c);
    assert_int_equal(scram_log_on(f, &turn), reason);
    assert_int_equal(c.server_proved, reason == AUTH_OK);
    assert_int_equal(turn.server_proved, reason == AUTH_OK);
    return reason;
}

static void the_right_secret_logs_on_by_either_hash(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(log_on(f, "SCRAM-SHA-256", "n,,", "alice", "gatepost", NULL), AUTH_OK);
    assert_int_equal(log_on(f, "SCRAM-SHA-1", "n,,", "alice", "gatepost", NULL), AUTH_OK);
    assert_int_equal(log_on(f, "SCRAM-SHA-256", "n,,", "EXAMPLE\\Bob", " two  blanks ", NULL),
                     AUTH_OK);
    assert_int_equal(log_on(f, "SCRAM-SHA-256", "n,,", "alice", "gatepos", NULL),
                     AUTH_WRONG_SECRET);
    assert_int_equal(log_on(f, "SCRAM-SHA-1", "n,,", "alice", "gatepos", NULL), AUTH_WRONG_SECRET);
    assert_int_equal(f->n_records, 10);
    assert_string_equal(f->records[4].identity, "bob");
    assert_string_equal(f->records[4].name, "EXAMPLE\\Bob");
}

/* What PLAIN would have said, for the same names. */
static void every_name_ends_where_plain_ends_it(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"alice", "nobody", "both", "nora",
                                        "dora",  "ed",     "fay",  "sales",
                                        "down",  "\xff",   "",     "Alice@example.net",
                                        "twin",  "a b\x01"};
    static const char *const secrets[] = {"gatepost", "wrong"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t k = 0; k < 2; k++) {
            enum auth_reason plain =
                fixture_password(f, slice_str(names[i]), slice_str(secrets[k]));

            assert_int_equal(log_on(f, "SCRAM-SHA-256", "n,,", names[i], secrets[k], NULL), plain);
            assert_int_equal(log_on(f, "SCRAM-SHA-1", "n,,", names[i], secrets[k], NULL), plain);
        }
}

static void an_unknown_name_has_a_salt_that_stays_and_the_usual_count(void **state)
{
    struct fixture *f = *state;
    static const char *const same[] = {"nobody", "NOBODY", "nobody@example.org",
                                       "Nobody@EXAMPLE.net", "EXAMPLE\\nobody"};
    struct scram_client known = {
        .mechanism = "SCRAM-SHA-256", .header = "n,,", .name = "alice", .secret = "x"};
    char salt[200] = "";

    scram_log_on(f, &known);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct scram_client c = {
            .mechanism = "SCRAM-SHA-256", .header = "n,,", .name = same[i], .secret = "x"};

        assert_int_equal(scram_log_on(f, &c), AUTH_UNKNOWN_USER);
        assert_int_equal(c.iterations, known.iterations);
        assert_int_equal(strlen(c.salt), strlen(known.salt));
        if (i == 0)
            snprintf(salt, sizeof salt, "%s", c.salt);
        assert_string_equal(c.salt, salt);
    }
    struct scram_client sha1 = {
        .mechanism = "SCRAM-SHA-1", .header = "n,,", .name = "nobody", .secret = "x"};
    struct scram_client other = {
        .mechanism = "SCRAM-SHA-256", .header = "n,,", .name = "nobody2", .secret = "x"};
    scram_log_on(f, &sha1);
    scram_log_on(f, &other);
    assert_string_not_equal(sha1.salt, salt);
    assert_string_not_equal(other.salt, salt);
    /* and an account that cannot log on looks the same */
    struct scram_client without = {
        .mechanism = "SCRAM-SHA-256", .header = "n,,", .name = "nora", .secret = "x"};
    assert_int_equal(scram_log_on(f, &without), AUTH_WRONG_SECRET);
    assert_int_equal(strlen(without.salt), strlen(known.salt));
}

/* The count of iterations that a client is shown for a name. */
static unsigned shown_count(struct fixture *f, const char *name)
{
    struct scram_client c = {
        .mechanism = "SCRAM-SHA-256", .header = "n,,", .name = name, .secret = "x"};

    scram_log_on(f, &c);
    return c.iterations;
}

static struct slice keys_of(struct fixture *f, const char *secret, unsigned iterations)
{
    struct buf keys = buf_make(4096);

    assert_ok(auth_credentials_make(slice_str(secret), iterations, &keys));
    struct slice kept = arena_slice(&f->arena, buf_slice(&keys));
    buf_done(&keys);
    return kept;
}

/* What unknown names must not have of their own: a count, or a change of counts. */
static void unknown_names_have_counts_like_accounts_and_change_with_them(void **state)
{
    enum { NAMES = 100 };
    struct fixture *f = *state;
    struct slice newer = keys_of(f, "gatepost", 6000);
    unsigned before[NAMES], with_newer = 0;
    char name[32];

    for (size_t i = 0; i < f->n_accounts; i += 2)
        f->accounts[i].credentials = newer;
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "stranger%u", i);
        before[i] = shown_count(f, name);
        assert_true(before[i] == 4096 || before[i] == 6000);
        with_newer += before[i] == 6000;
    }
    assert_in_range(with_newer, NAMES / 4, NAMES * 3 / 4);
    f->config.iterations = 5000; /* no account has that yet */
    assert_ok(auth_reconfigure(f->auth, &f->config));
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "STRANGER%u@example.org", i);
        assert_int_equal(shown_count(f, name), before[i]);
    }
    for (size_t i = 1; i < f->n_accounts; i += 2)
        f->accounts[i].credentials = newer;
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "stranger%u", i);
        assert_int_equal(shown_count(f, name), 6000);
    }
}

static void a_right_secret_in_plain_gets_keys_of_the_configured_count(void **state)
{
    struct fixture *f = *state;
    struct auth_account *alice = fixture_account(f, "alice");

    f->source.set_credentials = fixture_set_credentials;
    f->config.iterations = 6000;
    assert_ok(auth_reconfigure(f->auth, &f->config));
    assert_int_equal(fixture_password(f, S("alice"), S("wrong")), AUTH_WRONG_SECRET);
    assert_int_equal(log_on(f, "SCRAM-SHA-1", "n,,", "alice", "gatepost", NULL), AUTH_OK);
    assert_int_equal(fixture_password(f, S("dora"), S("gatepost")), AUTH_LOCKED);
    assert_int_equal(shown_count(f, "alice"), 4096);
    assert_int_equal(shown_count(f, "dora"), 4096);

    assert_int_equal(fixture_password(f, S("alice"), S("gatepost")), AUTH_OK);
    assert_int_equal(shown_count(f, "alice"), 6000);
    assert_int_equal(log_on(f, "SCRAM-SHA-256", "n,,", "alice", "gatepost", NULL), AUTH_OK);
    assert_int_equal(log_on(f, "SCRAM-SHA-1", "n,,", "alice", "gatepost", NULL), AUTH_OK);
    assert_int_equal(fixture_password(f, S("alice"), S("wrong")), AUTH_WRONG_SECRET);
    /* once, and not again */
    uint64_t generation = alice->generation;
    assert_int_equal(fixture_password(f, S("alice"), S("gatepost")), AUTH_OK);
    assert_true(alice->generation == generation);
}

/* Latin-1 on the wire, UTF-8 in the keys: they stay keys of the same secret. */
static void keys_are_renewed_of_what_the_secret_means(void **state)
{
    struct fixture *f = *state;
    const char *zoe = "zo\xc3\xab";

    f->source.set_credentials = fixture_set_credentials;
    f->config.iterations = 6000;
    f->config.legacy_charset = "ISO-8859-1";
    assert_ok(auth_reconfigure(f->auth, &f->config));
    assert_int_equal(fixture_password(f, slice_str(zoe),
                                      S("Gr\xfc\xdf"
                                        "e")),
                     AUTH_OK);
    assert_int_equal(shown_count(f, zoe), 6000);
    assert_int_equal(log_on(f, "SCRAM-SHA-256", "n,,", zoe,
                            "Gr\xc3\xbc\xc3\x9f"
                            "e",
                            NULL),
                     AUTH_OK);
}

static struct err fail_to_set(struct auth_source *source, const struct auth_account *account,
                              struct slice credentials)
{
    (void)source, (void)account, (void)credentials;
    return ERR(ERR_NO_SPACE, "the disk is full");
}

static void whether_keys_can_be_renewed_is_of_no_matter_to_the_verdict(void **state)
{
    struct fixture *f = *state;

    f->source.set_credentials = fail_to_set;
    f->config.iterations = 6000;
    assert_ok(auth_reconfigure(f->auth, &f->config));
    assert_int_equal(fixture_password(f, S("alice"), S("gatepost")), AUTH_OK);
    assert_int_equal(shown_count(f, "alice"), 4096);
    assert_int_equal(fixture_password(f, S("alice"), S("gatepost")), AUTH_OK);
}

static void an_account_with_keys_of_one_hash_looks_like_one_with_both(void **state)
{
    struct fixture *f = *state;
    struct auth_account *alice = fixture_account(f, "alice");
    struct slice rest = alice->credentials;

    alice->credentials = slice_cut(&rest, '\n');
    assert_int_equal(log_on(f, "SCRAM-SHA-256", "n,,", "alice", "gatepost", NULL), AUTH_OK);
    assert_int_equal(log_on(f, "SCRAM-SHA-1", "n,,", "alice", "gatepost", NULL), AUTH_WRONG_SECRET);
    alice->credentials = rest;
    assert_int_equal(log_on(f, "SCRAM-SHA-1", "n,,", "alice", "gatepost", NULL), AUTH_OK);
    assert_int_equal(log_on(f, "SCRAM-SHA-256", "n,,", "alice", "gatepost", NULL),
                     AUTH_WRONG_SECRET);
    assert_int_equal(fixture_password(f, S("alice"), S("gatepost")), AUTH_OK);
    alice->credentials = S("nonsense\nSCRAM-SHA-256$1:AA==$AA==:AA==\n");
    assert_int_equal(log_on(f, "SCRAM-SHA-256", "n,,", "alice", "gatepost", NULL),
                     AUTH_WRONG_SECRET);
    assert_int_equal(fixture_password(f, S("alice"), S("gatepost")), AUTH_WRONG_SECRET);
}

static void names_with_commas_and_equals_signs_are_decoded_once(void **state)
{
    struct fixture *f = *state;

    f->aliases[3].alias = "a,b=c=2c";
    f->aliases[3].account = "alice";
    assert_int_equal(log_on(f, "SCRAM-SHA-256", "n,,", "a=2Cb=3Dc=3D2C", "gatepost", NULL),
                     AUTH_OK);
    assert_int_equal(log_on(f, "SCRAM-SHA-256", "n,,", "a=2cb", "gatepost", NULL),
                     AUTH_BAD_EXCHANGE);
    assert_int_equal(log_on(f, "SCRAM-SHA-256", "n,,", "a=", "gatepost", NULL), AUTH_BAD_EXCHANGE);
}

static void an_authorization_identity_is_an_administrators(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *header, *name;
        enum auth_reason reason;
    } rows[] = {
        {"n,a=alice,", "alice", AUTH_OK},
        {"n,a=ALICE,", "alice", AUTH_OK},
        {"n,a=bob,", "alice", AUTH_NOT_AUTHORIZED},
        {"n,a=nobody,", "alice", AUTH_NOT_AUTHORIZED},
        {"n,a=nobody,", "root", AUTH_NOT_AUTHORIZED},
        {"n,a=bob,", "root", AUTH_OK},
        {"n,a=down,", "root", AUTH_UNAVAILABLE},
        {"n,a=bob,", "nobody", AUTH_UNKNOWN_USER},
        {"n,a=,", "alice", AUTH_BAD_EXCHANGE},
        {"n,b=bob,", "alice", AUTH_BAD_EXCHANGE},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (log_on(f, "SCRAM-SHA-256", rows[i].header, rows[i].name, "gatepost", NULL) !=
            rows[i].reason)
            fail_msg("%s%s: %s", rows[i].header, rows[i].name,
                     auth_reason_name(fixture_last(f)->reason));
    /* the target's existence is not told by where a wrong secret ends */
    assert_int_equal(log_on(f, "SCRAM-SHA-256", "n,a=bob,", "root", "x", NULL), AUTH_WRONG_SECRET);
    assert_int_equal(log_on(f, "SCRAM-SHA-256", "n,a=nobody,", "root", "x", NULL),
                     AUTH_WRONG_SECRET);
}

static void a_binding_must_be_the_one_of_this_connection(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *mechanism, *header, *binding;
        enum auth_reason reason;
    } rows[] = {
        {"SCRAM-SHA-256-PLUS", "p=tls-exporter,,", exporter, AUTH_OK},
        {"SCRAM-SHA-1-PLUS", "p=tls-exporter,,", exporter, AUTH_OK},
        {"SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,", "made-up data of tls-server-end-point",
         AUTH_OK},
        {"SCRAM-SHA-256-PLUS", "p=tls-exporter,a=alice,", exporter, AUTH_OK},
        {"SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "made-up data of tls-exporteR",
         AUTH_BAD_BINDING},
        {"SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "", AUTH_BAD_BINDING},
        {"SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,", exporter, AUTH_BAD_BINDING},
        {"SCRAM-SHA-256-PLUS", "p=tls-unique,,", exporter, AUTH_BAD_BINDING}, /* there is none */
        {"SCRAM-SHA-256-PLUS", "p=x,,", exporter, AUTH_BAD_BINDING},
        {"SCRAM-SHA-256-PLUS", "p=,,", exporter, AUTH_BAD_EXCHANGE},
        {"SCRAM-SHA-256-PLUS", "p,,", exporter, AUTH_BAD_EXCHANGE},
        {"SCRAM-SHA-256-PLUS", "n,,", "", AUTH_BAD_BINDING},
        {"SCRAM-SHA-256-PLUS", "y,,", "", AUTH_BAD_BINDING},
        {"SCRAM-SHA-256", "p=tls-exporter,,", exporter, AUTH_BAD_BINDING},
        {"SCRAM-SHA-256", "n,,", "", AUTH_OK},
        {"SCRAM-SHA-256", "y,,", "", AUTH_BAD_BINDING}, /* downgraded: it was offered */
        {"SCRAM-SHA-1", "y,,", "", AUTH_BAD_BINDING},
        {"SCRAM-SHA-256", "n,,", "more", AUTH_BAD_EXCHANGE},
        {"SCRAM-SHA-256", "N,,", "", AUTH_BAD_EXCHANGE},
        {"SCRAM-SHA-256", "", "", AUTH_BAD_EXCHANGE},
    };

    fixture_use_tls(f);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (log_on(f, rows[i].mechanism, rows[i].header, "alice", "gatepost", rows[i].binding) !=
            rows[i].reason)
            fail_msg("%s %s: %s", rows[i].mechanism, rows[i].header,
                     auth_reason_name(fixture_last(f)->reason));
    assert_int_equal(log_on(f, "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "alice", "x", exporter),
                     AUTH_WRONG_SECRET);
    assert_int_equal(f->n_records, 2 * (sizeof rows / sizeof *rows + 1));
}

static void a_header_that_is_repeated_otherwise_is_refused(void **state)
{
    struct fixture *f = *state;
    struct scram_client c = {.mechanism = "SCRAM-SHA-256-PLUS",
                             .header = "p=tls-exporter,,",
                             .name = "alice",
                             .secret = "gatepost",
                             .binding = exporter,
                             .header_said = "p=tls-server-end-point,,"};
    struct scram_client n = {.mechanism = "SCRAM-SHA-256",
                             .header = "n,,",
                             .name = "alice",
                             .secret = "gatepost",
                             .header_said = "y,,"};

    fixture_use_tls(f);
    assert_int_equal(scram_log_on(f, &c), AUTH_BAD_BINDING);
    assert_int_equal(scram_log_on(f, &n), AUTH_BAD_EXCHANGE);
}

static void without_binding_data_nobody_may_bind_and_y_is_true(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(log_on(f, "SCRAM-SHA-256", "y,,", "alice", "gatepost", NULL), AUTH_OK);
    assert_int_equal(
        log_on(f, "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "alice", "gatepost", exporter),
        AUTH_BAD_MECHANISM);
    assert_int_equal(log_on(f, "SCRAM-SHA-256", "p=tls-exporter,,", "alice", "gatepost", exporter),
                     AUTH_BAD_BINDING);
}

static void one_record_whenever_the_client_drops(void **state)
{
    struct fixture *f = *state;

    for (unsigned after = 0; after <= 3; after++) {
        struct scram_client c = {"SCRAM-SHA-256", "n,,", "alice", "gatepost", .initial = true};
        size_t before = f->n_records;

        scram_abandon(f, &c, after);
        assert_int_equal(f->n_records, before + 1);
        /* success is when the client has answered our proof, not when it was sent */
        assert_int_equal(fixture_last(f)->reason, after == 3 ? AUTH_OK : AUTH_LOST);
        assert_string_equal(fixture_last(f)->name, after ? "alice" : "");
    }
}

static void rubbish_at_any_turn_is_a_bad_exchange(void **state)
{
    struct fixture *f = *state;
    static const struct slice rubbish[] = {
        S("x"),
        S(",,,,"),
        S("n,,n=alice"),
        S("n,,n=alice,"),
        S("n,,r=x,n=alice"),
        S("\0"),
        S("n,,m=x,n=alice,r=abc"),
        S("n,,n=ali\0ce,r=abc"),
        S("n,,n=alice,r=a\0bc"),
        S("c=biws,r=x,p=x"),
        S("\xff\xff"),
    };

    for (size_t i = 0; i < sizeof rubbish / sizeof *rubbish; i++) {
        const char *bad = b64(rubbish[i]);
        const char *first = b64(S("n,,n=alice,r=abcdefgh"));

        assert_int_equal(fixture_exchange(f, "SCRAM-SHA-256", bad, NULL), AUTH_BAD_EXCHANGE);
        assert_int_equal(fixture_exchange(f, "SCRAM-SHA-256", NULL, (const char *[]){bad, NULL}),
                         AUTH_BAD_EXCHANGE);
        assert_int_equal(fixture_exchange(f, "SCRAM-SHA-256", first, (const char *[]){bad, NULL}),
                         AUTH_BAD_EXCHANGE);
        assert_int_equal(fixture_exchange(f, "SCRAM-SHA-256", first, (const char *[]){"", NULL}),
                         AUTH_BAD_EXCHANGE);
        assert_int_equal(fixture_exchange(f, "SCRAM-SHA-256", first, (const char *[]){"*", NULL}),
                         AUTH_CANCELLED);
    }
}

static void long_messages_are_refused_not_cut(void **state)
{
    struct fixture *f = *state;
    char nonce[6000], message[6100];

    memset(nonce, 'r', sizeof nonce);
    for (int len = 1000; len <= 5000; len += 1000) {
        snprintf(message, sizeof message, "n,,n=alice,r=%.*s", len, nonce);
        enum auth_reason reason =
            fixture_exchange(f, "SCRAM-SHA-256", b64(slice_str(message)), NULL);
        assert_int_equal(reason, len <= 2000 ? AUTH_LOST : AUTH_BAD_EXCHANGE);
    }
}

/* ---- libsasl2's client ---- */

struct foreign {
    const char *name, *authzid;
    sasl_secret_t *secret;
};

static int get_simple(void *context, int id, const char **result, unsigned *len)
{
    const struct foreign *who = context;

    *result = id == SASL_CB_USER ? who->authzid : who->name;
    if (len)
        *len = (unsigned)strlen(*result);
    return SASL_OK;
}

static int get_secret(sasl_conn_t *conn, void *context, int id, sasl_secret_t **secret)
{
    (void)conn, (void)id;
    *secret = ((struct foreign *)context)->secret;
    return SASL_OK;
}

#define CALLBACK(id, function, context)                                                            \
    {                                                                                              \
        (id), (int (*)(void))(void (*)(void))(function), (context)                                 \
    }

static enum auth_reason foreign_log_on(struct fixture *f, const char *mechanism, const char *name,
                                       const char *secret, const char *binding)
{
    struct foreign who = {name, "", mem_new(sizeof(sasl_secret_t) + strlen(secret))};
    const sasl_callback_t callbacks[] = {CALLBACK(SASL_CB_USER, get_simple, &who),
                                         CALLBACK(SASL_CB_AUTHNAME, get_simple, &who),
                                         CALLBACK(SASL_CB_PASS, get_secret, &who),
                                         {SASL_CB_LIST_END, NULL, NULL}};
    sasl_channel_binding_t cb = {"tls-exporter", 0, binding ? strlen(binding) : 0,
                                 (const unsigned char *)binding};
    struct auth_attempt *a = fixture_begin(f);
    sasl_conn_t *conn;
    const char *out, *chosen;
    unsigned len;
    struct buf in = buf_make(8192);

    who.secret->len = strlen(secret);
    memcpy(who.secret->data, secret, strlen(secret));
    assert_int_equal(sasl_client_new("imap", "mail.example.org", NULL, NULL, callbacks, 0, &conn),
                     SASL_OK);
    if (binding)
        assert_int_equal(sasl_setprop(conn, SASL_CHANNEL_BINDING, &cb), SASL_OK);
    int code = sasl_client_start(conn, mechanism, NULL, &out, &len, &chosen);
    assert_true(code == SASL_CONTINUE || code == SASL_OK);
    struct slice initial = slice_str(out ? b64(slice_of(out, len)) : "");
    enum auth_state state = fixture_send_initial(f, a, mechanism, out ? &initial : NULL);
    while (state == AUTH_CHALLENGE) {
        buf_clear(&in);
        assert_true(base64_decode(auth_attempt_challenge(a), &in));
        buf_putc(&in, 0);
        code = sasl_client_step(conn, (const char *)buf_slice(&in).ptr, (unsigned)in.len - 1, NULL,
                                &out, &len);
        assert_true(code == SASL_CONTINUE || code == SASL_OK);
        state = fixture_send(f, a, slice_str(out ? b64(slice_of(out, len)) : ""));
    }
    sasl_dispose(&conn);
    free(who.secret);
    buf_done(&in);
    return fixture_end(a);
}

static void the_librarys_own_client_gets_on_with_us(void **state)
{
    struct fixture *f = *state;
    static const char *const all[] = {"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"};

    assert_int_equal(sasl_client_init(NULL), SASL_OK);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(foreign_log_on(f, all[i], "alice", "gatepost", NULL), AUTH_OK);
        assert_int_equal(foreign_log_on(f, all[i], "bob", " two  blanks ", NULL), AUTH_OK);
        assert_int_equal(foreign_log_on(f, all[i], "alice", "gatepos", NULL), AUTH_WRONG_SECRET);
        assert_int_equal(foreign_log_on(f, all[i], "nobody", "gatepost", NULL), AUTH_UNKNOWN_USER);
        assert_int_equal(foreign_log_on(f, all[i], "dora", "gatepost", NULL), AUTH_LOCKED);
    }
    fixture_use_tls(f);
    for (size_t i = 0; i < 2; i++) {
        const char *plus = i ? "SCRAM-SHA-1-PLUS" : "SCRAM-SHA-256-PLUS";

        assert_int_equal(foreign_log_on(f, plus, "alice", "gatepost", exporter), AUTH_OK);
        assert_int_equal(foreign_log_on(f, plus, "alice", "gatepost", "other data"),
                         AUTH_BAD_BINDING);
    }
    sasl_client_done();
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_right_secret_logs_on_by_either_hash),
        T(every_name_ends_where_plain_ends_it),
        T(an_unknown_name_has_a_salt_that_stays_and_the_usual_count),
        T(unknown_names_have_counts_like_accounts_and_change_with_them),
        T(a_right_secret_in_plain_gets_keys_of_the_configured_count),
        T(keys_are_renewed_of_what_the_secret_means),
        T(whether_keys_can_be_renewed_is_of_no_matter_to_the_verdict),
        T(an_account_with_keys_of_one_hash_looks_like_one_with_both),
        T(names_with_commas_and_equals_signs_are_decoded_once),
        T(an_authorization_identity_is_an_administrators),
        T(a_binding_must_be_the_one_of_this_connection),
        T(a_header_that_is_repeated_otherwise_is_refused),
        T(without_binding_data_nobody_may_bind_and_y_is_true),
        T(one_record_whenever_the_client_drops),
        T(rubbish_at_any_turn_is_a_bad_exchange),
        T(long_messages_are_refused_not_cut),
        T(the_librarys_own_client_gets_on_with_us),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
