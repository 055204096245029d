#include "tests/support/test.h"

#include "base/clock.h"
#include "store/mapi/oxcmail.h"

struct view {
    struct arena arena;
    struct mime mime;
    struct oxcmail mail;
    struct prop_list props;
};

static void view_of(struct view *v, const char *text)
{
    struct slice message = slice_str(text);

    *v = (struct view){.arena = ARENA_INIT};
    mime_parse(message, &v->arena, &v->mime);
    oxcmail_open(message, &v->mime, &v->arena, &v->mail);
    v->props = (struct prop_list){.in = &v->arena};
    oxcmail_properties(&v->mail, &v->props);
}

static void assert_text(const struct prop_list *props, uint32_t tag, const char *want)
{
    const struct prop *prop = prop_find(props, prop_id(tag));

    if (!want) {
        assert_null(prop);
        return;
    }
    if (!prop)
        print_error("%s is missing\n", prop_name(tag));
    assert_non_null(prop);
    assert_slice(prop->value.bytes, want);
}

static int64_t number(const struct prop_list *props, uint32_t tag)
{
    const struct prop *prop = prop_find(props, prop_id(tag));

    assert_non_null(prop);
    return prop->value.number;
}

static const char simple[] = "From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\r\n"
                             "To: \"Doe, Jane\" <jane@example.com>, bob@example.com\r\n"
                             "Cc: Friends: a@example.com, b@example.com;\r\n"
                             "Subject: RE: the =?iso-8859-1?q?Br=FCcke?=\r\n"
                             "Date: Tue, 24 Nov 2026 03:40:31 +0100\r\n"
                             "Message-ID: <1@example.org>\r\n"
                             "X-Priority: 1 (Highest)\r\n"
                             "Content-Type: text/plain; charset=iso-8859-1\r\n"
                             "Content-Transfer-Encoding: quoted-printable\r\n"
                             "\r\n"
                             "Gr=FC=DFe\r\n";

static void a_plain_message_has_its_envelope_as_properties(void **state)
{
    struct view v;

    (void)state;
    view_of(&v, simple);
    assert_text(&v.props, PR_MESSAGE_CLASS, "IPM.Note");
    assert_text(&v.props, PR_SUBJECT,
                "RE: the Br\xC3\xBC"
                "cke");
    assert_text(&v.props, PR_SUBJECT_PREFIX, "RE: ");
    assert_text(&v.props, PR_NORMALIZED_SUBJECT,
                "the Br\xC3\xBC"
                "cke");
    assert_text(&v.props, PR_SENDER_NAME, "J\xC3\xBCrgen");
    assert_text(&v.props, PR_SENT_REPRESENTING_EMAIL, "j@example.org");
    assert_text(&v.props, PR_DISPLAY_TO, "Doe, Jane; bob@example.com");
    assert_text(&v.props, PR_DISPLAY_CC, "a@example.com; b@example.com");
    assert_text(&v.props, PR_DISPLAY_BCC, "");
    assert_text(&v.props, PR_INTERNET_MESSAGE_ID, "<1@example.org>");
    assert_int_equal(number(&v.props, PR_IMPORTANCE), 2);
    assert_int_equal(number(&v.props, PR_INTERNET_CODEPAGE), 28591);
    const struct prop *submit = prop_find(&v.props, prop_id(PR_CLIENT_SUBMIT_TIME));
    assert_int_equal(filetime_to_unix(submit->value.time), 1795488031);
    assert_slice(oxcmail_body(&v.mail), "Gr\xC3\xBC\xC3\x9F"
                                        "e\r\n");
    assert_int_equal(v.mail.n_attachments, 0);
    arena_done(&v.arena);
}

static void a_search_key_is_the_address_in_upper_case_with_its_nul(void **state)
{
    struct view v;

    (void)state;
    view_of(&v, simple);
    const struct prop *key = prop_find(&v.props, prop_id(PR_SENDER_SEARCH_KEY));
    assert_int_equal(key->value.bytes.len, sizeof "SMTP:J@EXAMPLE.ORG");
    assert_memory_equal(key->value.bytes.ptr, "SMTP:J@EXAMPLE.ORG", key->value.bytes.len);
    arena_done(&v.arena);
}

static void recipients_come_in_order_with_their_type(void **state)
{
    static const struct {
        int type;
        const char *email, *name;
    } want[] = {{1, "jane@example.com", "Doe, Jane"},
                {1, "bob@example.com", "bob@example.com"},
                {2, "a@example.com", "a@example.com"},
                {2, "b@example.com", "b@example.com"}};
    struct view v;
    struct prop_list *rows;

    (void)state;
    view_of(&v, simple);
    assert_int_equal(oxcmail_recipients(&v.mail, &rows), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(number(&rows[i], PR_ROWID), i);
        assert_int_equal(number(&rows[i], PR_RECIPIENT_TYPE), want[i].type);
        assert_text(&rows[i], PR_SMTP_ADDRESS, want[i].email);
        assert_text(&rows[i], PR_DISPLAY_NAME, want[i].name);
    }
    arena_done(&v.arena);
}

static void bodies_and_attachments_are_told_apart(void **state)
{
    struct view v;
    struct prop_list props;

    (void)state;
    view_of(&v, "Content-Type: multipart/mixed; boundary=m\r\n\r\n"
                "--m\r\nContent-Type: multipart/related; boundary=r\r\n\r\n"
                "--r\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n"
                "--a\r\nContent-Type: text/plain\r\n\r\nplain\r\n"
                "--a\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--a--\r\n"
                "--r\r\nContent-Type: image/png; name=dot.png\r\nContent-ID: <dot@x>\r\n"
                "Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--r--\r\n"
                "--m\r\nContent-Type: text/plain\r\n"
                "Content-Disposition: attachment; filename*=utf-8''n%C3%B6te.txt\r\n\r\nnote\r\n"
                "--m\r\nContent-Type: message/rfc822\r\n\r\n"
                "Subject: inner\r\nContent-Type: text/plain\r\n\r\ninside\r\n--m--\r\n");
    assert_slice(oxcmail_body(&v.mail), "plain");
    assert_slice(oxcmail_html(&v.mail), "<p>html</p>");
    assert_int_equal(number(&v.props, PR_NATIVE_BODY), 3);
    assert_int_equal(v.mail.n_attachments, 3);

    props = (struct prop_list){.in = &v.arena};
    oxcmail_attachment(&v.mail, 0, &props);
    assert_text(&props, PR_ATTACH_CONTENT_ID, "dot@x");
    assert_text(&props, PR_ATTACH_EXTENSION, ".png");
    assert_int_equal(number(&props, PR_ATTACHMENT_HIDDEN), 1);
    assert_int_equal(number(&props, PR_ATTACH_SIZE), 5);
    assert_slice(oxcmail_attachment_data(&v.mail, 0), "hello");

    props = (struct prop_list){.in = &v.arena};
    oxcmail_attachment(&v.mail, 1, &props);
    assert_text(&props, PR_ATTACH_LONG_FILENAME, "n\xC3\xB6te.txt");
    assert_int_equal(number(&props, PR_ATTACHMENT_HIDDEN), 0);

    props = (struct prop_list){.in = &v.arena};
    oxcmail_attachment(&v.mail, 2, &props);
    assert_int_equal(number(&props, PR_ATTACH_METHOD), 5);
    assert_text(&props, PR_DISPLAY_NAME, "inner");
    assert_text(&props, PR_ATTACH_MIME_TAG, "message/rfc822");
    arena_done(&v.arena);
}

static void the_message_class_follows_the_content(void **state)
{
    static const struct {
        const char *message, *class;
    } cases[] = {
        {"\r\n", "IPM.Note"},
        {"Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n\r\nx\r\n--s--\r\n",
         "IPM.Note.SMIME.MultipartSigned"},
        {"Content-Type: application/pkcs7-mime\r\n\r\nMIIB\r\n", "IPM.Note.SMIME"},
        {"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\n",
         "IPM.Schedule.Meeting.Request"},
        {"Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\nMETHOD:REPLY\r\n"
         "ATTENDEE;PARTSTAT=DECLINED:mailto:a@b\r\n",
         "IPM.Schedule.Meeting.Resp.Neg"},
        {"Content-Type: text/calendar\r\n\r\nMETHOD:CANCEL\n", "IPM.Schedule.Meeting.Canceled"},
        {"Content-Type: text/calendar\r\n\r\nMETHOD:PUBLISH\n", "IPM.Note"},
        {"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
         "--b\r\n\r\ntext\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
         "Reporting-MTA: dns; x\r\n\r\nAction: failed\r\n\r\n--b--\r\n",
         "REPORT.IPM.Note.NDR"},
        {"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
         "--b\r\nContent-Type: message/delivery-status\r\n\r\nAction: delivered\r\n--b--\r\n",
         "REPORT.IPM.Note.DR"},
        {"Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n\r\n"
         "--b\r\nContent-Type: message/disposition-notification\r\n\r\n"
         "Disposition: manual-action/MDN-sent-manually; displayed\r\n--b--\r\n",
         "REPORT.IPM.Note.IPNRN"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct view v;

        view_of(&v, cases[i].message);
        assert_text(&v.props, PR_MESSAGE_CLASS, cases[i].class);
        arena_done(&v.arena);
    }
}

static void a_clear_signed_message_is_its_own_attachment(void **state)
{
    static const char text[] =
        "Content-Type: multipart/signed; boundary=s\r\n\r\n"
        "--s\r\nContent-Type: text/plain\r\n\r\nsigned\r\n"
        "--s\r\nContent-Type: application/pkcs7-signature\r\n\r\nMI\r\n--s--\r\n";
    struct view v;

    (void)state;
    view_of(&v, text);
    assert_slice(oxcmail_body(&v.mail), "signed");
    assert_int_equal(v.mail.n_attachments, 1);
    assert_slice(oxcmail_attachment_data(&v.mail, 0), text);
    arena_done(&v.arena);
}

static void values_survive_being_stored(void **state)
{
    struct arena arena = ARENA_INIT;
    struct prop_value strings[] = {{.bytes = S("one")}, {.bytes = S("")}, {.bytes = S("three")}};
    const struct {
        uint16_t type;
        struct prop_value value;
    } cases[] = {
        {PROP_INT16, {.number = -2}},
        {PROP_INT32, {.number = INT32_MIN}},
        {PROP_INT64, {.number = INT64_MIN}},
        {PROP_BOOLEAN, {.number = 1}},
        {PROP_FLOAT64, {.real = 2.5}},
        {PROP_TIME, {.time = 133000000000000000u}},
        {PROP_STRING, {.bytes = S("text")}},
        {PROP_BINARY, {.bytes = S("\0\1\2")}},
        {PROP_STRING | PROP_MULTIPLE, {.many = {strings, 3}}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = buf_make(1000);
        struct prop_value back;

        assert_ok(prop_encode(cases[i].type, &cases[i].value, &out));
        assert_ok(prop_decode(cases[i].type, buf_slice(&out), &arena, &back));
        if (cases[i].type & PROP_MULTIPLE) {
            assert_int_equal(back.many.n, 3);
            for (size_t j = 0; j < 3; j++)
                assert_true(slice_eq(back.many.items[j].bytes, strings[j].bytes));
        } else if (cases[i].type == PROP_STRING || cases[i].type == PROP_BINARY) {
            assert_true(slice_eq(back.bytes, cases[i].value.bytes));
        } else {
            assert_int_equal(back.number, cases[i].value.number);
        }
        for (size_t cut = 0; cut < out.len; cut++)
            assert_code(prop_decode(cases[i].type, slice_head(buf_slice(&out), cut), &arena, &back),
                        ERR_CORRUPT);
        buf_done(&out);
    }
    struct prop_value none;
    assert_code(prop_decode(PROP_STRING | PROP_MULTIPLE, S("\xFF\xFF\xFF\xFF"), &arena, &none),
                ERR_CORRUPT);
    assert_code(prop_decode(PROP_OBJECT, S(""), &arena, &none), ERR_UNSUPPORTED);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_message_has_its_envelope_as_properties),
        cmocka_unit_test(a_search_key_is_the_address_in_upper_case_with_its_nul),
        cmocka_unit_test(recipients_come_in_order_with_their_type),
        cmocka_unit_test(bodies_and_attachments_are_told_apart),
        cmocka_unit_test(the_message_class_follows_the_content),
        cmocka_unit_test(a_clear_signed_message_is_its_own_attachment),
        cmocka_unit_test(values_survive_being_stored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
