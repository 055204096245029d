/* Several secrets of one account, and one account's secret for another's mailbox. */
#include "tests/support/scram_client.h"

#include "base/base64.h"

static const unsigned all = AUTH_POP3 | AUTH_IMAP | AUTH_MAPI;

static struct slice keys_for(struct fixture *f, const struct auth_account *account, bool app,
                             const char *secret)
{
    struct buf keys = buf_make(4096);

    assert_ok(auth_credentials_add(account, app, slice_str(secret), 0, &keys));
    struct slice kept = arena_slice(&f->arena, buf_slice(&keys));
    buf_done(&keys);
    return kept;
}

static struct auth_app_password *add_app(struct fixture *f, struct auth_account *account,
                                         const char *name, const char *secret)
{
    struct auth_app_password *list =
        arena_grow(&f->arena, account->app_passwords, account->n_app_passwords, 1, sizeof *list);

    list[account->n_app_passwords] =
        (struct auth_app_password){.name = slice_str(name),
                                   .protocols = all,
                                   .credentials = keys_for(f, account, true, secret)};
    account->app_passwords = list;
    account->generation++;
    return &list[account->n_app_passwords++];
}

static enum auth_reason by_scram(struct fixture *f, const char *mechanism, const char *header,
                                 const char *name, const char *secret)
{
    struct scram_client c = {
        .mechanism = mechanism, .header = header, .name = name, .secret = secret, .initial = true};
    enum auth_reason reason = scram_log_on(f, &c);

    assert_int_equal(c.server_proved, reason == AUTH_OK);
    return reason;
}

/* By PLAIN under another name, and by SCRAM: one verdict, and one account of it. */
static enum auth_reason by_all(struct fixture *f, const char *name, const char *secret,
                               const char *app_password)
{
    enum auth_reason reason = fixture_password(f, slice_str(name), slice_str(secret));
    static const char *const mechanisms[] = {"SCRAM-SHA-256", "SCRAM-SHA-1"};

    assert_string_equal(fixture_last(f)->app_password, app_password);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(by_scram(f, mechanisms[i], "n,,", name, secret), reason);
        assert_string_equal(fixture_last(f)->app_password, app_password);
    }
    return reason;
}

static void every_secret_of_an_account_is_right_by_every_mechanism(void **state)
{
    struct fixture *f = *state;
    struct auth_account *alice = fixture_account(f, "alice");

    add_app(f, alice, "phone", "aaaa-bbbb");
    add_app(f, alice, "tablet", "cccc-dddd");
    for (int again = 0; again < 2; again++) {
        assert_int_equal(by_all(f, "alice", "gatepost", ""), AUTH_OK);
        assert_int_equal(by_all(f, "alice", "aaaa-bbbb", "phone"), AUTH_OK);
        assert_int_equal(by_all(f, "EXAMPLE\\alice", "cccc-dddd", "tablet"), AUTH_OK);
        assert_int_equal(by_all(f, "alice", "aaaa-bbbc", ""), AUTH_WRONG_SECRET);
        assert_int_equal(by_all(f, "bob", "aaaa-bbbb", ""), AUTH_WRONG_SECRET);
    }
    alice->n_app_passwords = 1; /* the tablet is revoked */
    alice->generation++;
    assert_int_equal(by_all(f, "alice", "cccc-dddd", ""), AUTH_WRONG_SECRET);
    assert_int_equal(by_all(f, "alice", "aaaa-bbbb", "phone"), AUTH_OK);
}

static void an_app_password_opens_what_it_was_made_for(void **state)
{
    struct fixture *f = *state;
    struct auth_account *alice = fixture_account(f, "alice"), *root = fixture_account(f, "root");

    add_app(f, alice, "phone", "aaaa")->protocols = AUTH_POP3;
    add_app(f, alice, "old", "bbbb")->expires = 1;
    add_app(f, root, "phone", "cccc");
    assert_int_equal(by_all(f, "alice", "aaaa", "phone"), AUTH_PROTOCOL_OFF);
    assert_int_equal(by_all(f, "alice", "bbbb", "old"), AUTH_EXPIRED);
    /* an administrator's opens no other mailbox */
    assert_int_equal(by_all(f, "EXAMPLE\\root\\bob", "gatepost", ""), AUTH_OK);
    assert_int_equal(by_all(f, "EXAMPLE\\root\\bob", "cccc", "phone"), AUTH_NOT_AUTHORIZED);
    f->peer.protocol = AUTH_POP3;
    assert_int_equal(by_all(f, "alice", "aaaa", "phone"), AUTH_OK);
    f->peer.protocol = AUTH_OPS;
    root->protocols |= AUTH_OPS;
    assert_int_equal(by_all(f, "root", "gatepost", ""), AUTH_OK);
    assert_int_equal(by_all(f, "root", "cccc", "phone"), AUTH_PROTOCOL_OFF);
}

static void an_expired_secret_does_not_end_app_passwords_and_a_lock_does(void **state)
{
    struct fixture *f = *state;

    add_app(f, fixture_account(f, "ed"), "phone", "aaaa");
    add_app(f, fixture_account(f, "dora"), "phone", "aaaa");
    assert_int_equal(by_all(f, "ed", "gatepost", ""), AUTH_EXPIRED);
    assert_int_equal(by_all(f, "ed", "aaaa", "phone"), AUTH_OK);
    assert_int_equal(by_all(f, "dora", "aaaa", "phone"), AUTH_LOCKED);
}

static void an_account_without_a_secret_may_have_app_passwords(void **state)
{
    struct fixture *f = *state;

    add_app(f, fixture_account(f, "nora"), "phone", "aaaa");
    add_app(f, fixture_account(f, "nora"), "tablet", "bbbb");
    assert_int_equal(by_all(f, "nora", "aaaa", "phone"), AUTH_OK);
    assert_int_equal(by_all(f, "nora", "bbbb", "tablet"), AUTH_OK);
    assert_int_equal(by_all(f, "nora", "", ""), AUTH_WRONG_SECRET);
}

static void a_new_secret_leaves_app_passwords_as_they_are(void **state)
{
    struct fixture *f = *state;
    struct auth_account *alice = fixture_account(f, "alice");

    add_app(f, alice, "phone", "aaaa");
    alice->credentials = keys_for(f, alice, false, "changed");
    alice->generation++;
    assert_int_equal(by_all(f, "alice", "gatepost", ""), AUTH_WRONG_SECRET);
    assert_int_equal(by_all(f, "alice", "changed", ""), AUTH_OK);
    assert_int_equal(by_all(f, "alice", "aaaa", "phone"), AUTH_OK);
    /* nor does another configured count */
    f->source.set_credentials = fixture_set_credentials;
    f->config.iterations = 6000;
    assert_ok(auth_reconfigure(f->auth, &f->config));
    assert_int_equal(by_all(f, "alice", "changed", ""), AUTH_OK);
    assert_int_equal(by_all(f, "alice", "aaaa", "phone"), AUTH_OK);
}

static void an_account_of_sha_1_keys_may_have_app_passwords(void **state)
{
    struct fixture *f = *state;
    struct auth_account *alice = fixture_account(f, "alice");
    struct slice rest = alice->credentials;

    (void)slice_cut(&rest, '\n');
    alice->credentials = rest;
    add_app(f, alice, "phone", "aaaa");
    assert_int_equal(fixture_password(f, S("alice"), S("gatepost")), AUTH_OK);
    assert_int_equal(fixture_password(f, S("alice"), S("aaaa")), AUTH_OK);
    assert_int_equal(fixture_password(f, S("alice"), S("bbbb")), AUTH_WRONG_SECRET);
    assert_int_equal(by_scram(f, "SCRAM-SHA-1", "n,,", "alice", "gatepost"), AUTH_OK);
    assert_int_equal(by_scram(f, "SCRAM-SHA-1", "n,,", "alice", "aaaa"), AUTH_OK);
    assert_int_equal(by_scram(f, "SCRAM-SHA-256", "n,,", "alice", "aaaa"), AUTH_OK);
}

/* ---- acting for others ---- */

static void set_separator(struct fixture *f, const char *separator)
{
    f->config.master_separator = separator;
    assert_ok(auth_reconfigure(f->auth, &f->config));
}

static enum auth_reason by_authzid(struct fixture *f, const char *target, const char *name)
{
    char header[200], message[400];

    snprintf(header, sizeof header, "n,a=%s,", target);
    enum auth_reason reason = by_scram(f, "SCRAM-SHA-256", header, name, "gatepost");
    int len = snprintf(message, sizeof message, "%s%c%s%cgatepost", target, 0, name, 0);
    assert_int_equal(fixture_exchange(f, "PLAIN", b64(slice_of(message, (size_t)len)), NULL),
                     reason);
    return reason;
}

/* "target*name", and name with target as authorization identity: the same verdict. */
static enum auth_reason acting(struct fixture *f, const char *target, const char *name)
{
    char given[400];

    snprintf(given, sizeof given, "%s*%s", target, name);
    enum auth_reason reason = by_all(f, given, "gatepost", "");
    if (reason == AUTH_OK && strcmp(target, name) != 0)
        assert_string_equal(fixture_last(f)->actor, name);
    assert_int_equal(by_authzid(f, target, name), reason);
    return reason;
}

static void who_may_open_whose_mailbox(void **state)
{
    struct fixture *f = *state;
    struct auth_delegate delegates[] = {{S("alice"), 1}, {S("ed"), 6}};
    struct auth_account *bob = fixture_account(f, "bob"), *twin;

    set_separator(f, "*");
    twin = fixture_account(f, "twin@example.org");
    twin->master = true;
    bob->delegates = delegates;
    bob->n_delegates = 2;
    assert_int_equal(acting(f, "bob", "alice"), AUTH_OK);
    assert_int_equal(acting(f, "carol@example.net", "alice"), AUTH_NOT_AUTHORIZED);
    assert_int_equal(acting(f, "alice", "carol@example.net"), AUTH_NOT_AUTHORIZED);
    assert_int_equal(acting(f, "bob", "ed"), AUTH_EXPIRED);
    assert_int_equal(acting(f, "alice", "twin@example.org"), AUTH_OK);
    assert_int_equal(acting(f, "root", "twin@example.org"), AUTH_NOT_AUTHORIZED);
    assert_int_equal(acting(f, "root", "root"), AUTH_OK);
    assert_int_equal(acting(f, "dora", "root"), AUTH_LOCKED);
    assert_int_equal(acting(f, "fay", "root"), AUTH_PROTOCOL_OFF);
    assert_int_equal(acting(f, "down", "root"), AUTH_UNAVAILABLE);
    /* a later account of a delegate's name is somebody else */
    delegates[0].mailbox_id = 99;
    assert_int_equal(acting(f, "bob", "alice"), AUTH_NOT_AUTHORIZED);
}

static void a_delegate_gets_no_rights_with_the_mailbox(void **state)
{
    struct fixture *f = *state;
    struct auth_delegate delegate = {S("alice"), 1};
    struct auth_account *root = fixture_account(f, "root");
    struct auth_attempt *a = fixture_begin(f);
    struct slice initial = slice_str(b64(S("root\0alice\0gatepost")));

    root->delegates = &delegate;
    root->n_delegates = 1;
    assert_int_equal(fixture_send_initial(f, a, "PLAIN", &initial), AUTH_DONE);
    assert_int_equal(auth_attempt_verdict(a)->reason, AUTH_OK);
    assert_false(auth_attempt_verdict(a)->admin);
    auth_attempt_free(a);
    a = fixture_begin(f);
    initial = slice_str(b64(S("root\0root\0gatepost")));
    assert_int_equal(fixture_send_initial(f, a, "PLAIN", &initial), AUTH_DONE);
    assert_true(auth_attempt_verdict(a)->admin);
    auth_attempt_free(a);
}

static void whose_mailbox_exists_is_told_only_to_those_who_may_log_on(void **state)
{
    struct fixture *f = *state;
    struct scram_client with = {
        .mechanism = "SCRAM-SHA-256", .header = "n,,", .name = "bob*root", .secret = "x"};
    struct scram_client without = with;
    struct scram_client nt = with;

    set_separator(f, "*");
    without.name = "nobody*root";
    nt.name = "EXAMPLE\\root\\nobody";
    assert_int_equal(scram_log_on(f, &with), AUTH_WRONG_SECRET);
    assert_int_equal(scram_log_on(f, &without), AUTH_WRONG_SECRET);
    assert_int_equal(scram_log_on(f, &nt), AUTH_WRONG_SECRET);
    assert_string_equal(with.salt, without.salt);
    assert_string_equal(with.salt, nt.salt);
    assert_int_equal(by_all(f, "nobody*root", "gatepost", ""), AUTH_UNKNOWN_USER);
    assert_int_equal(by_all(f, "EXAMPLE\\root\\nobody", "gatepost", ""), AUTH_UNKNOWN_USER);
    assert_int_equal(by_all(f, "nobody*alice", "gatepost", ""), AUTH_NOT_AUTHORIZED);
    assert_int_equal(by_all(f, "bob*alice", "gatepost", ""), AUTH_NOT_AUTHORIZED);
}

static void a_separator_takes_no_account_its_name(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(by_all(f, "bob*root", "gatepost", ""), AUTH_UNKNOWN_USER); /* not configured */
    set_separator(f, "**");
    assert_int_equal(by_all(f, "bob*root", "gatepost", ""), AUTH_UNKNOWN_USER);
    assert_int_equal(by_all(f, "bob**root", "gatepost", ""), AUTH_OK);
    assert_int_equal(by_all(f, "**root", "gatepost", ""), AUTH_UNKNOWN_USER);
    assert_int_equal(by_all(f, "bob**", "gatepost", ""), AUTH_UNKNOWN_USER);
    assert_int_equal(by_all(f, "EXAMPLE\\bob**root@example.org", "gatepost", ""), AUTH_OK);
    assert_int_equal(by_all(f, "bob**nobody", "gatepost", ""), AUTH_UNKNOWN_USER);
    f->aliases[3].alias = "bob**root";
    f->aliases[3].account = "alice";
    assert_int_equal(by_all(f, "bob**root", "gatepost", ""), AUTH_AMBIGUOUS_NAME);
    f->aliases[3].alias = "x**nobody";
    assert_int_equal(by_all(f, "x**nobody", "gatepost", ""), AUTH_OK);
    assert_string_equal(fixture_last(f)->identity, "alice");
}

static void two_mailboxes_in_one_attempt_are_none(void **state)
{
    struct fixture *f = *state;

    set_separator(f, "*");
    assert_int_equal(by_authzid(f, "bob", "bob*root"), AUTH_OK);
    assert_int_equal(by_authzid(f, "alice", "bob*root"), AUTH_NOT_AUTHORIZED);
}

/* ---- without a secret ---- */

static void a_verified_certificate_names_the_account(void **state)
{
    struct fixture *f = *state;
    const char *names[32];

    fixture_use_tls(f);
    assert_int_equal(fixture_exchange(f, "EXTERNAL", "=", NULL), AUTH_BAD_MECHANISM);
    f->peer.certificate_name = S("ALICE@example.org");
    assert_true(auth_mechanisms(f->auth, &f->peer, names, 32) > 0);
    assert_string_equal(names[0], "EXTERNAL");
    assert_int_equal(fixture_exchange(f, "EXTERNAL", "=", NULL), AUTH_OK);
    assert_string_equal(fixture_last(f)->identity, "alice");
    assert_int_equal(fixture_exchange(f, "EXTERNAL", NULL, (const char *[]){"", NULL}), AUTH_OK);
    assert_int_equal(fixture_exchange(f, "EXTERNAL", b64(S("alice")), NULL), AUTH_OK);
    assert_int_equal(fixture_exchange(f, "EXTERNAL", b64(S("bob")), NULL), AUTH_NOT_AUTHORIZED);
    assert_int_equal(fixture_exchange(f, "EXTERNAL", b64(S("alice\0x")), NULL), AUTH_BAD_EXCHANGE);
    assert_int_equal(fixture_exchange(f, "EXTERNAL", NULL, NULL), AUTH_LOST);
    assert_int_equal(fixture_exchange(f, "EXTERNAL", NULL, (const char *[]){"*", NULL}),
                     AUTH_CANCELLED);
    f->peer.certificate_name = S("dora");
    assert_int_equal(fixture_exchange(f, "EXTERNAL", "=", NULL), AUTH_LOCKED);
    f->peer.certificate_name = S("ed");
    assert_int_equal(fixture_exchange(f, "EXTERNAL", "=", NULL), AUTH_EXPIRED);
    f->peer.certificate_name = S("nobody");
    assert_int_equal(fixture_exchange(f, "EXTERNAL", "=", NULL), AUTH_UNKNOWN_USER);
    f->peer.certificate_name = S("both");
    assert_int_equal(fixture_exchange(f, "EXTERNAL", "=", NULL), AUTH_AMBIGUOUS_NAME);
    f->peer.certificate_name = S("down");
    assert_int_equal(fixture_exchange(f, "EXTERNAL", "=", NULL), AUTH_UNAVAILABLE);
    f->peer.tls = false;
    assert_int_equal(fixture_exchange(f, "EXTERNAL", "=", NULL), AUTH_BAD_MECHANISM);
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_secret_of_an_account_is_right_by_every_mechanism),
        T(an_app_password_opens_what_it_was_made_for),
        T(an_expired_secret_does_not_end_app_passwords_and_a_lock_does),
        T(an_account_without_a_secret_may_have_app_passwords),
        T(a_new_secret_leaves_app_passwords_as_they_are),
        T(an_account_of_sha_1_keys_may_have_app_passwords),
        T(who_may_open_whose_mailbox),
        T(a_delegate_gets_no_rights_with_the_mailbox),
        T(whose_mailbox_exists_is_told_only_to_those_who_may_log_on),
        T(a_separator_takes_no_account_its_name),
        T(two_mailboxes_in_one_attempt_are_none),
        T(a_verified_certificate_names_the_account),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
