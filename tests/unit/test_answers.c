#include "tests/support/test.h"

#include "protocols/answers.h"

static const char *const pop3_codes[] = {"[AUTH]", "[IN-USE]", "[SYS/TEMP]", "[SYS/PERM]"};

/* An answer that begins with a bracket must begin with a code that RFC 2449 or 3206 knows. */
static bool pop3_code_is_known(const char *text)
{
    if (text[0] != '[')
        return true;
    for (size_t i = 0; i < sizeof pop3_codes / sizeof *pop3_codes; i++)
        if (slice_starts(slice_str(text), slice_str(pop3_codes[i])))
            return true;
    return false;
}

static bool is_code(const char *code)
{
    size_t n = code ? strlen(code) : 0;

    return !code || (n > 2 && code[0] == '[' && code[n - 1] == ']');
}

static void every_verdict_has_an_answer_in_every_protocol(void **state)
{
    (void)state;
    for (int i = 0; i < AUTH_REASON_COUNT; i++) {
        const struct answer_verdict *a = answer_verdict((enum auth_reason)i);

        if (!a->pop3 || !a->imap)
            fail_msg("reason %d has no answer", i);
        assert_true(pop3_code_is_known(a->pop3));
        assert_true(is_code(a->imap_code));
        assert_int_equal(a->imap_status == ANSWER_OK, i == AUTH_OK);
        assert_int_equal(a->http == 200, i == AUTH_OK);
        assert_true(a->http == 200 || a->http == 401 || a->http == 403 || a->http == 503);
    }
}

static void every_error_has_an_answer_in_every_protocol(void **state)
{
    (void)state;
    for (int i = 0; i < ERR_COUNT; i++) {
        const struct answer_err *a = answer_err((enum err_code)i);

        if (!a->pop3 || !a->imap || !a->lmtp)
            fail_msg("code %d has no answer", i);
        assert_true(pop3_code_is_known(a->pop3));
        assert_true(is_code(a->imap_code));
        assert_int_equal(a->imap_status == ANSWER_OK, i == ERR_NONE);
        /* The class of the enhanced code is that of the reply (RFC 2034 4). */
        assert_int_equal(a->lmtp[0], a->lmtp[4]);
        assert_true(a->lmtp[0] == (i == ERR_NONE ? '2' : '4') || a->lmtp[0] == '5');
    }
}

/* Founding case: nothing but name and secret may be told as name and secret. */
static void only_credentials_are_told_as_credentials(void **state)
{
    (void)state;
    static const enum auth_reason others[] = {AUTH_NEEDS_TLS, AUTH_BACK_OFF, AUTH_UNAVAILABLE,
                                              AUTH_BUSY,      AUTH_TOO_MANY, AUTH_NO_MAILBOX,
                                              AUTH_CANCELLED, AUTH_LOST};

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const struct answer_verdict *a = answer_verdict(others[i]);

        assert_false(slice_starts(slice_str(a->pop3), S("[AUTH]")));
        assert_false(slice_eq(slice_str(a->imap_code), S("[AUTHENTICATIONFAILED]")));
        assert_true(a->http != 401 || others[i] == AUTH_CANCELLED);
    }
    for (int i = 0; i < ERR_COUNT; i++) {
        const struct answer_err *a = answer_err((enum err_code)i);

        assert_false(slice_starts(slice_str(a->pop3), S("[AUTH]")));
        assert_false(slice_eq(slice_str(a->imap_code), S("[AUTHENTICATIONFAILED]")));
    }
}

static void an_unknown_user_is_told_as_a_wrong_secret(void **state)
{
    (void)state;
    const struct answer_verdict *wrong = answer_verdict(AUTH_WRONG_SECRET);
    static const enum auth_reason same[] = {AUTH_UNKNOWN_USER, AUTH_AMBIGUOUS_NAME, AUTH_BAD_NAME,
                                            AUTH_LOCKED};

    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        const struct answer_verdict *a = answer_verdict(same[i]);

        assert_string_equal(a->pop3, wrong->pop3);
        assert_string_equal(a->imap_code, wrong->imap_code);
        assert_string_equal(a->imap, wrong->imap);
        assert_int_equal(a->http, wrong->http);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verdict_has_an_answer_in_every_protocol),
        cmocka_unit_test(every_error_has_an_answer_in_every_protocol),
        cmocka_unit_test(only_credentials_are_told_as_credentials),
        cmocka_unit_test(an_unknown_user_is_told_as_a_wrong_secret),
    };

    return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}
