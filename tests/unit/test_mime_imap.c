#include "tests/support/test.h"

#include "store/mime/mime.h"
#include "tests/support/imap_grammar.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static const struct {
    const char *header, *want;
} envelopes[] = {
    {"", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"},
    {"Date: d\r\nSubject: s\r\nFrom: A <a@b>\r\nSender: c@d\r\nReply-To: e@f\r\nTo: g@h, i@j\r\n"
     "Cc: k@l\r\nBcc: m@n\r\nIn-Reply-To: <r>\r\nMessage-ID: <m>\r\n\r\n",
     "(\"d\" \"s\" ((\"A\" NIL \"a\" \"b\")) ((NIL NIL \"c\" \"d\")) ((NIL NIL \"e\" \"f\"))"
     " ((NIL NIL \"g\" \"h\")(NIL NIL \"i\" \"j\")) ((NIL NIL \"k\" \"l\"))"
     " ((NIL NIL \"m\" \"n\")) \"<r>\" \"<m>\")"},
    /* RFC 3501 7.4.2: Sender and Reply-To default to From, also where they are empty */
    {"From: a@b\nSender: \nReply-To: ,,\nTo: \n",
     "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\"))"
     " NIL NIL NIL NIL NIL)"},
    /* present but empty is not absent */
    {"Subject:\nMessage-ID: \n", "(NIL \"\" NIL NIL NIL NIL NIL NIL NIL \"\")"},
    {"Subject: a\r\n  b\r\n\tc \r\n", "(NIL \"a  b\tc\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
    {"Subject: q\"\\\n", "(NIL \"q\\\"\\\\\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
    {"Subject: \xC3\xA4\r\n b\n", "(NIL {4}\r\n\xC3\xA4 b NIL NIL NIL NIL NIL NIL NIL NIL)"},
    {"Subject: lone\rCR\n", "(NIL \"loneCR\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
    {"Subject: =?utf-8?Q?a?=\n", "(NIL \"=?utf-8?Q?a?=\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
    {"To: g: a@b;, c\n",
     "(NIL NIL NIL NIL NIL ((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)"
     "(NIL NIL \"c\" \"\")) NIL NIL NIL NIL)"},
    {"To: open: a@b\n",
     "(NIL NIL NIL NIL NIL ((NIL NIL \"open\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL))"
     " NIL NIL NIL NIL)"},
    {"To: <@x:a@b>, Name <>, <>\n",
     "(NIL NIL NIL NIL NIL ((NIL \"@x\" \"a\" \"b\")(\"Name\" NIL \"\" \"\")) NIL NIL NIL NIL)"},
    /* several fields are one list, so that none can hide another; of texts the first counts */
    {"To: a@b\nSubject: 1\nTo: c@d\nSubject: 2\n",
     "(NIL \"1\" NIL NIL NIL ((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")) NIL NIL NIL NIL)"},
};

static void envelopes_say_what_the_header_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(envelopes); i++) {
        struct buf out = buf_make(10000);
        const char *why;
        size_t at;

        mime_put_envelope(slice_str(envelopes[i].header), &out);
        assert_slice(buf_slice(&out), envelopes[i].want);
        assert_true(imap_is_envelope(buf_slice(&out), &why, &at));
        buf_done(&out);
    }
}

static void no_nul_is_sent(void **state)
{
    struct buf out = buf_make(10000);

    (void)state;
    mime_put_envelope(S("Subject: a\0b\nFrom: \"\0\" <\0@\0>\n"), &out);
    assert_int_equal(slice_index(buf_slice(&out), 0), out.len);
    assert_int_not_equal(slice_find(buf_slice(&out), S("{3}\r\na\x80"
                                                       "b")),
                         out.len);
    buf_done(&out);
}

static void a_long_string_is_a_literal(void **state)
{
    struct buf header = buf_make(10000), out = buf_make(10000);

    (void)state;
    buf_puts(&header, "Subject: ");
    for (int i = 0; i < 2000; i++)
        buf_putc(&header, 'x');
    mime_put_envelope(buf_slice(&header), &out);
    assert_int_not_equal(slice_find(buf_slice(&out), S("{2000}\r\nxx")), out.len);
    buf_done(&header);
    buf_done(&out);
}

#define PLAIN "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "

static const struct {
    const char *message, *body, *structure;
} bodies[] = {
    {"", PLAIN "0 0)", PLAIN "0 0 NIL NIL NIL NIL)"},
    {"A: b\r\n\r\nx\r\ny", PLAIN "4 2)", PLAIN "4 2 NIL NIL NIL NIL)"},
    {"Content-Type: Text/HTML; Charset=\"utf-8\"; x=y\nContent-ID: <i>\n"
     "Content-Description: d \"q\"\nContent-Transfer-Encoding: Base64\nContent-MD5: m=\n"
     "Content-Disposition: inline; filename=\"a\"\nContent-Language: en, de (c)\n"
     "Content-Location: http://\n x\n\nxx\n",
     "(\"Text\" \"HTML\" (\"Charset\" \"utf-8\" \"x\" \"y\") \"<i>\" \"d \\\"q\\\"\" \"Base64\" 3 "
     "1)",
     "(\"Text\" \"HTML\" (\"Charset\" \"utf-8\" \"x\" \"y\") \"<i>\" \"d \\\"q\\\"\" \"Base64\" 3 1"
     " \"m=\" (\"inline\" (\"filename\" \"a\")) (\"en\" \"de\") \"http:// x\")"},
    {"Content-Type: image/png\nContent-Disposition: attachment\n\nx",
     "(\"image\" \"png\" NIL NIL NIL \"7bit\" 1)",
     "(\"image\" \"png\" NIL NIL NIL \"7bit\" 1 NIL (\"attachment\" NIL) NIL NIL)"},
    /* what cannot be a type is text/plain (RFC 2045 5.2); a disposition without a type is none */
    {"Content-Type: ???\nContent-Disposition: ; x=y\nContent-Language: ,\n\n", PLAIN "0 0)",
     PLAIN "0 0 NIL NIL NIL NIL)"},
    /* RFC 2231 6: pieces are joined, not decoded */
    {"Content-Type: a/b; n*0*=utf-8''%C3; n*1=\"x'y\"; m*1=b; m*0=a; k*=us-ascii''x; g*2=gap\n\n",
     "(\"a\" \"b\" (\"n*\" \"utf-8''%C3x%27y\" \"m\" \"ab\" \"k*\" \"us-ascii''x\" \"g*2\" \"gap\")"
     " NIL NIL \"7bit\" 0)",
     "(\"a\" \"b\" (\"n*\" \"utf-8''%C3x%27y\" \"m\" \"ab\" \"k*\" \"us-ascii''x\" \"g*2\" \"gap\")"
     " NIL NIL \"7bit\" 0 NIL NIL NIL NIL)"},
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b\nContent-Type: a/b\n\n--b--\n",
     "(" PLAIN "1 1)(\"a\" \"b\" NIL NIL NIL \"7bit\" 0) \"mixed\")",
     "(" PLAIN "1 1 NIL NIL NIL NIL)(\"a\" \"b\" NIL NIL NIL \"7bit\" 0 NIL NIL NIL NIL)"
     " \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)"},
    /* a multipart must have a part */
    {"Content-Type: multipart/mixed\n\nx", "(" PLAIN "0 0) \"mixed\")",
     "(" PLAIN "0 0 NIL NIL NIL NIL) \"mixed\" NIL NIL NIL NIL)"},
    {"Content-Type: message/rfc822\nContent-MD5: m\n\nSubject: s\n\nx\n",
     "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 14"
     " (NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL) " PLAIN "2 1) 3)",
     "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 14"
     " (NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL) " PLAIN "2 1 NIL NIL NIL NIL) 3"
     " \"m\" NIL NIL NIL)"},
    /* RFC 9051 7.5.2 treats message/global alike; other messages are simple */
    {"Content-Type: message/global\n\n\n",
     "(\"message\" \"global\" NIL NIL NIL \"7bit\" 1"
     " (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) " PLAIN "0 0) 1)",
     "(\"message\" \"global\" NIL NIL NIL \"7bit\" 1"
     " (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) " PLAIN "0 0 NIL NIL NIL NIL) 1"
     " NIL NIL NIL NIL)"},
    {"Content-Type: message/delivery-status\n\nx",
     "(\"message\" \"delivery-status\" NIL NIL NIL \"7bit\" 1)",
     "(\"message\" \"delivery-status\" NIL NIL NIL \"7bit\" 1 NIL NIL NIL NIL)"},
    {"Content-Type: multipart/digest; boundary=b\n\n--b\n\nTo: a@b\n\nx\n--b--\n",
     "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 10"
     " (NIL NIL NIL NIL NIL ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL) " PLAIN "1 1) 3) \"digest\")",
     "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 10"
     " (NIL NIL NIL NIL NIL ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL) " PLAIN
     "1 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL) \"digest\" (\"boundary\" \"b\") NIL NIL NIL)"},
};

static void structures_are_what_imap_wants(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct slice message = slice_str(bodies[i].message);
        struct arena arena = ARENA_INIT;
        struct buf out = buf_make(10000);
        struct mime mime;
        const char *why;
        size_t at;

        mime_parse(message, &arena, &mime);
        mime_put_bodystructure(message, &mime, 0, false, &out);
        assert_slice(buf_slice(&out), bodies[i].body);
        assert_true(imap_is_body(buf_slice(&out), false, &why, &at));
        buf_clear(&out);
        mime_put_bodystructure(message, &mime, 0, true, &out);
        assert_slice(buf_slice(&out), bodies[i].structure);
        assert_true(imap_is_body(buf_slice(&out), true, &why, &at));
        buf_done(&out);
        arena_done(&arena);
    }
}

static void the_structure_of_one_part_is_that_part_alone(void **state)
{
    struct slice message =
        S("Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b\n\ny\n--b--");
    struct arena arena = ARENA_INIT;
    struct buf out = buf_make(10000);
    struct mime mime;

    (void)state;
    mime_parse(message, &arena, &mime);
    mime_put_bodystructure(message, &mime, 1, false, &out);
    assert_slice(buf_slice(&out), PLAIN "1 1)");
    buf_done(&out);
    arena_done(&arena);
}

/* The checker must refuse, or what it accepts says nothing. */
static void the_grammar_checker_refuses_what_is_wrong(void **state)
{
    static const char *const bad_envelopes[] = {
        "",
        "(NIL NIL NIL NIL NIL NIL NIL NIL NIL)",
        "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ",
        "(NIL NIL () NIL NIL NIL NIL NIL NIL NIL)",
        "(NIL NIL ((NIL NIL NIL \"h\")) NIL NIL NIL NIL NIL NIL NIL)",
        "(NIL NIL ((NIL NIL \"group\" NIL)) NIL NIL NIL NIL NIL NIL NIL)",
        "(NIL NIL ((NIL NIL NIL NIL)) NIL NIL NIL NIL NIL NIL NIL)",
        "(NIL \"a\rb\" NIL NIL NIL NIL NIL NIL NIL NIL)",
        "(NIL \"\xC3\xA4\" NIL NIL NIL NIL NIL NIL NIL NIL)",
        "(NIL \"a\\b\" NIL NIL NIL NIL NIL NIL NIL NIL)",
        "(NIL {99}\r\nx NIL NIL NIL NIL NIL NIL NIL NIL)",
        "(NIL {1}\nx NIL NIL NIL NIL NIL NIL NIL NIL)",
        "(NIL atom NIL NIL NIL NIL NIL NIL NIL NIL)",
    };
    static const char *const bad_bodies[] = {
        "(\"mixed\")",
        "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 1)",
        "(\"image\" \"png\" NIL NIL NIL \"7bit\" 1 1)",
        "(\"image\" \"png\" () NIL NIL \"7bit\" 1)",
        "(\"image\" \"png\" (\"a\") NIL NIL \"7bit\" 1)",
        "(\"image\" \"png\" NIL NIL NIL NIL 1)",
        "(\"image\" \"png\" NIL NIL NIL \"7bit\" x)",
        "(\"image\" \"png\" NIL NIL NIL \"7bit\" 4294967296)",
        "(\"\" \"\" NIL NIL NIL \"7bit\" 1)",
        "(\"multipart\" \"mixed\" NIL NIL NIL \"7bit\" 1)",
        "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 1)",
        "((\"a\" \"b\" NIL NIL NIL \"7bit\" 1) (\"a\" \"b\" NIL NIL NIL \"7bit\" 1) \"mixed\")",
        "((\"a\" \"b\" NIL NIL NIL \"7bit\" 1) NIL)",
        "(\"a\" \"b\" NIL NIL NIL \"7bit\" 1 NIL NIL NIL NIL)",
    };
    const char *why;
    size_t at;

    (void)state;
    for (size_t i = 0; i < COUNT(bad_envelopes); i++)
        assert_false(imap_is_envelope(slice_str(bad_envelopes[i]), &why, &at));
    assert_false(imap_is_envelope(S("(NIL {1}\r\n\0 NIL NIL NIL NIL NIL NIL NIL NIL)"), &why, &at));
    for (size_t i = 0; i < COUNT(bad_bodies); i++)
        assert_false(imap_is_body(slice_str(bad_bodies[i]), false, &why, &at));
    assert_false(imap_is_body(S("(\"a\" \"b\" NIL NIL NIL \"7bit\" 1 NIL)"), true, &why, &at));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(envelopes_say_what_the_header_says),
        cmocka_unit_test(no_nul_is_sent),
        cmocka_unit_test(a_long_string_is_a_literal),
        cmocka_unit_test(structures_are_what_imap_wants),
        cmocka_unit_test(the_structure_of_one_part_is_that_part_alone),
        cmocka_unit_test(the_grammar_checker_refuses_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
