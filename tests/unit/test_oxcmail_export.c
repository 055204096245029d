/* Messages made of properties as RFC 822 bytes, and what is read of those bytes again. */
#include "base/utf.h"
#include "store/mapi/oxcmail.h"
#include "store/mapi/oxcmail_export.h"
#include "store/mapi/rtf.h"
#include "tests/support/test.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- helpers ---- */

struct round {
    struct arena arena;
    struct buf bytes;
    struct mime mime;
    struct oxcmail mail;
    struct prop_list props;
};

static struct err no_load(void *ctx, const struct store_prop *prop, struct slice *out)
{
    (void)ctx, (void)prop, (void)out;
    return ERR(ERR_IO, "not in this test");
}

static const struct oxcmail_export plainly = {.load = no_load, .now = 134086938310000000ull};

static void read_again(struct round *r)
{
    struct slice bytes = buf_slice(&r->bytes);

    mime_parse(bytes, &r->arena, &r->mime);
    oxcmail_open(bytes, &r->mime, &r->arena, &r->mail);
    r->props = (struct prop_list){.in = &r->arena};
    oxcmail_properties(&r->mail, &r->props);
}

static void export_with(struct round *r, const struct oxcmail_export *how,
                        const struct store_content *content)
{
    *r = (struct round){.arena = ARENA_INIT, .bytes = buf_make(1 << 24)};
    assert_ok(oxcmail_export(how, content, &r->bytes));
    read_again(r);
}

static void export_props(struct round *r, const struct store_prop *props, size_t n)
{
    struct store_content content = {.props = {props, n}};

    export_with(r, &plainly, &content);
}

static void round_done(struct round *r)
{
    arena_done(&r->arena);
    buf_done(&r->bytes);
}

static struct store_prop text(uint32_t tag, const char *value)
{
    return (struct store_prop){.tag = tag, .value.bytes = slice_str(value)};
}

static struct store_prop number(uint32_t tag, int64_t n)
{
    return (struct store_prop){.tag = tag, .value.number = n};
}

static void assert_text(const struct round *r, uint32_t tag, const char *want)
{
    const struct prop *prop = prop_find(&r->props, prop_id(tag));

    assert_non_null(prop);
    assert_slice(prop->value.bytes, want);
}

static int64_t number_of(const struct round *r, uint32_t tag)
{
    const struct prop *prop = prop_find(&r->props, prop_id(tag));

    assert_non_null(prop);
    return prop->value.number;
}

static bool has_field(const struct round *r, struct slice name)
{
    struct slice header = slice_head(buf_slice(&r->bytes), (size_t)r->mime.parts[0].header.len);
    struct mime_field field;

    return mime_get_field(header, name, &field);
}

/* Nothing but printable ASCII in lines that end in CRLF and are not too long. */
static void assert_clean(struct slice bytes)
{
    size_t line = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t c = bytes.ptr[i];

        if (c == '\r') {
            assert_true(i + 1 < bytes.len && bytes.ptr[i + 1] == '\n');
            assert_true(line <= 998);
            line = 0;
            i++;
            continue;
        }
        assert_true((c >= 0x20 && c < 0x7F) || c == '\t');
        line++;
    }
}

/* ---- tests ---- */

static void an_envelope_comes_back_as_the_same_properties(void **state)
{
    struct store_prop to[] = {number(PR_RECIPIENT_TYPE, 1), text(PR_DISPLAY_NAME, "Doe, \"Jane\""),
                              text(PR_SMTP_ADDRESS, "jane@example.com")};
    struct store_prop cc[] = {number(PR_RECIPIENT_TYPE, 0x82),
                              text(PR_DISPLAY_NAME, "J\xC3\xBCrgen"), text(PR_ADDRESS_TYPE, "SMTP"),
                              text(PR_EMAIL_ADDRESS, "odd local@example.org")};
    struct store_prop bcc[] = {number(PR_RECIPIENT_TYPE, 3),
                               text(PR_EMAIL_ADDRESS, "b@example.org")};
    struct store_props recipients[] = {{to, 3}, {cc, 4}, {bcc, 2}};
    struct store_prop props[] = {
        text(PR_SENT_REPRESENTING_NAME, "The Boss"),
        text(PR_SENT_REPRESENTING_EMAIL, "boss@example.org"),
        text(PR_SENT_REPRESENTING_ADDRESS_TYPE, "SMTP"),
        text(PR_SENDER_NAME, "Secretary"),
        text(PR_SENDER_SMTP_ADDRESS, "sec@example.org"),
        text(PR_SUBJECT, "RE: the Br\xC3\xBC"
                         "cke"),
        text(PR_CONVERSATION_TOPIC, "the bridge"),
        text(PR_CONVERSATION_INDEX, "\1\2\3"),
        text(PR_INTERNET_MESSAGE_ID, "<1@example.org>"),
        text(PR_INTERNET_REFERENCES, "<0@example.org> <00@example.org>"),
        text(PR_IN_REPLY_TO_ID, "<0@example.org>"),
        number(PR_IMPORTANCE, 2),
        number(PR_SENSITIVITY, 2),
        number(PR_READ_RECEIPT_REQUESTED, 1),
        {.tag = PR_CLIENT_SUBMIT_TIME, .value.time = 134086938310000000ull},
        text(PR_BODY, "text\r\n"),
    };
    struct store_content content = {
        .props = {props, COUNT(props)}, .recipients = recipients, .n_recipients = 3};
    struct prop_list *rows;
    struct round r;

    (void)state;
    export_with(&r, &plainly, &content);
    assert_clean(buf_slice(&r.bytes));
    assert_text(&r, PR_SENT_REPRESENTING_NAME, "The Boss");
    assert_text(&r, PR_SENT_REPRESENTING_EMAIL, "boss@example.org");
    assert_text(&r, PR_SENDER_NAME, "Secretary");
    assert_text(&r, PR_SENDER_EMAIL, "sec@example.org");
    assert_text(&r, PR_SUBJECT,
                "RE: the Br\xC3\xBC"
                "cke");
    assert_text(&r, PR_SUBJECT_PREFIX, "RE: ");
    assert_text(&r, PR_CONVERSATION_TOPIC, "the bridge");
    assert_text(&r, PR_CONVERSATION_INDEX, "\1\2\3");
    assert_text(&r, PR_INTERNET_MESSAGE_ID, "<1@example.org>");
    assert_text(&r, PR_INTERNET_REFERENCES, "<0@example.org> <00@example.org>");
    assert_text(&r, PR_IN_REPLY_TO_ID, "<0@example.org>");
    assert_text(&r, PR_DISPLAY_TO, "Doe, \"Jane\"");
    assert_int_equal(number_of(&r, PR_IMPORTANCE), 2);
    assert_int_equal(number_of(&r, PR_SENSITIVITY), 2);
    assert_int_equal(number_of(&r, PR_READ_RECEIPT_REQUESTED), 1);
    assert_int_equal(number_of(&r, PR_CLIENT_SUBMIT_TIME), 134086938310000000ll);
    assert_int_equal(oxcmail_recipients(&r.mail, &rows), 3);
    assert_slice(prop_find(&rows[1], prop_id(PR_DISPLAY_NAME))->value.bytes, "J\xC3\xBCrgen");
    assert_slice(prop_find(&rows[1], prop_id(PR_EMAIL_ADDRESS))->value.bytes,
                 "odd local@example.org");
    assert_int_equal(prop_find(&rows[1], prop_id(PR_RECIPIENT_TYPE))->value.number, 2);
    assert_slice(prop_find(&rows[2], prop_id(PR_EMAIL_ADDRESS))->value.bytes, "b@example.org");
    round_done(&r);
}

static void who_sent_it_is_told_once_where_it_is_one(void **state)
{
    struct store_prop props[] = {text(PR_SENDER_NAME, "Me"),
                                 text(PR_SENDER_EMAIL, "me@example.org")};
    struct round r;

    (void)state;
    export_props(&r, props, 2);
    assert_text(&r, PR_SENT_REPRESENTING_EMAIL, "me@example.org");
    assert_false(has_field(&r, S("Sender")));
    assert_false(has_field(&r, S("To")));
    round_done(&r);
}

/* What has no SMTP address is told by its name, in a group that nobody can be reached by. */
static void a_recipient_without_an_address_is_an_empty_group(void **state)
{
    struct store_prop to[] = {number(PR_RECIPIENT_TYPE, 1), text(PR_DISPLAY_NAME, "Somebody"),
                              text(PR_ADDRESS_TYPE, "EX"), text(PR_EMAIL_ADDRESS, "/o=x/cn=y")};
    struct store_props recipients[] = {{to, 4}};
    struct store_content content = {.recipients = recipients, .n_recipients = 1};
    struct prop_list *rows;
    struct round r;

    (void)state;
    export_with(&r, &plainly, &content);
    assert_true(slice_find(buf_slice(&r.bytes), S("To: \"Somebody\":;\r\n")) < r.bytes.len);
    assert_int_equal(oxcmail_recipients(&r.mail, &rows), 0);
    round_done(&r);
}

static void reply_to_comes_back_as_the_entries_it_was(void **state)
{
    struct round first, r;
    struct slice mail = S("Reply-To: \"A, B\" <a@example.org>, c@example.org\r\n\r\n");
    const struct prop *entries;

    (void)state;
    first = (struct round){.arena = ARENA_INIT, .bytes = buf_make(1000)};
    buf_put(&first.bytes, mail);
    read_again(&first);
    entries = prop_find(&first.props, prop_id(PR_REPLY_RECIPIENT_ENTRIES));
    struct store_prop props[] = {{.tag = entries->tag, .value = entries->value}};
    export_props(&r, props, 1);
    assert_true(slice_eq(prop_find(&r.props, prop_id(PR_REPLY_RECIPIENT_ENTRIES))->value.bytes,
                         entries->value.bytes));
    assert_text(&r, PR_REPLY_RECIPIENT_NAMES, "A, B;c@example.org");
    round_done(&r);
    for (size_t cut = 0; cut < entries->value.bytes.len; cut++) {
        props[0].value.bytes = slice_head(entries->value.bytes, cut);
        export_props(&r, props, 1);
        assert_clean(buf_slice(&r.bytes));
        round_done(&r);
    }
    round_done(&first);
}

static void bodies_come_back_to_the_byte(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *how;
    } cases[] = {
#define BODY(bytes, how) {bytes, sizeof(bytes) - 1, how}
        BODY("plain\r\ntext", "7bit"),
        BODY("", "7bit"),
        BODY("\r\n\r\n", "7bit"),
        BODY("Gr\xC3\xBC\xC3\x9F"
             "e, and much that is ASCII besides\r\n",
             "quoted-printable"),
        BODY("\xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82", "base64"),
        BODY("a lone\nline feed and \r return", "quoted-printable"),
        BODY("blanks \r\nat ends\t\r\n and = signs ", "7bit"),
        BODY("--=_1\r\nno boundary\r\n--=_1--\r\n", "quoted-printable"),
        BODY("trailing blank of what is quoted \xC3\xBC \r\nx", "quoted-printable"),
#undef BODY
    };
    struct round r;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct store_prop props[] = {
            {.tag = PR_BODY, .value.bytes = slice_of(cases[i].bytes, cases[i].len)},
            {.tag = PR_HTML, .value.bytes = slice_of(cases[i].bytes, cases[i].len)},
            number(PR_INTERNET_CODEPAGE, 65001),
        };
        struct buf field = buf_make(100);

        export_props(&r, props, 3);
        assert_clean(buf_slice(&r.bytes));
        assert_true(slice_eq(oxcmail_body(&r.mail), props[0].value.bytes));
        assert_true(slice_eq(oxcmail_html(&r.mail), props[1].value.bytes));
        buf_printf(&field, "Content-Transfer-Encoding: %s\r\n", cases[i].how);
        assert_true(slice_find(buf_slice(&r.bytes), buf_slice(&field)) < r.bytes.len);
        buf_done(&field);
        round_done(&r);
    }
}

static void html_alone_is_not_wrapped(void **state)
{
    struct store_prop html[] = {{.tag = PR_HTML, .value.bytes = S("<p>\xFC</p>")},
                                number(PR_INTERNET_CODEPAGE, 1252)};
    struct round r;

    (void)state;
    export_props(&r, html, 2);
    assert_int_equal(r.mime.n_parts, 1);
    assert_slice(oxcmail_html(&r.mail), "<p>\xFC</p>");
    assert_int_equal(number_of(&r, PR_INTERNET_CODEPAGE), 1252);
    round_done(&r);
}

/* What others than the writer's program can read of it. */
static void rtf_alone_goes_as_what_is_in_it(void **state)
{
    struct store_prop prop = {.tag = PR_RTF_COMPRESSED};
    struct buf rtf = buf_make(10000), wrapped = buf_make(10000);
    struct round r;

    (void)state;
    rtf_wrap(S("{\\rtf1\\ansi Gr\\'fc\\'dfe\\par}"), &wrapped);
    prop.value.bytes = buf_slice(&wrapped);
    export_props(&r, &prop, 1);
    assert_slice(oxcmail_body(&r.mail), "Gr\xC3\xBC\xC3\x9F"
                                        "e\r\n");
    round_done(&r);
    buf_clear(&wrapped);
    rtf_of_html(S("<p>Gr\xC3\xBC\xC3\x9F"
                  "e</p>"),
                &rtf);
    rtf_wrap(buf_slice(&rtf), &wrapped);
    prop.value.bytes = buf_slice(&wrapped);
    export_props(&r, &prop, 1);
    assert_slice(oxcmail_html(&r.mail), "<p>Gr\xC3\xBC\xC3\x9F"
                                        "e</p>");
    round_done(&r);
    prop.value.bytes = S("damaged");
    export_props(&r, &prop, 1);
    assert_slice(oxcmail_body(&r.mail), "");
    round_done(&r);
    buf_done(&rtf);
    buf_done(&wrapped);
}

static void attachments_come_back_with_their_names_and_places(void **state)
{
    struct store_prop file[] = {
        text(PR_ATTACH_LONG_FILENAME,
             "R\xC3\xA9sum\xC3\xA9 of a very long name; with \"quotes\" and more.pdf"),
        text(PR_ATTACH_MIME_TAG, "application/pdf"),
        {.tag = PR_ATTACH_DATA, .value.bytes = S("\0\1\2binary\r\n.\r\n")}};
    struct store_prop picture[] = {text(PR_ATTACH_FILENAME, "a.png"),
                                   text(PR_ATTACH_MIME_TAG, "image/png"),
                                   text(PR_ATTACH_CONTENT_ID, "pic@1"),
                                   number(PR_ATTACH_FLAGS, 4),
                                   {.tag = PR_ATTACH_DATA, .value.bytes = S("PNG")}};
    struct store_prop odd[] = {text(PR_ATTACH_MIME_TAG, "message/rfc822"),
                               {.tag = PR_ATTACH_DATA, .value.bytes = S("raw")}};
    struct store_prop inner[] = {text(PR_SUBJECT, "inner"), text(PR_BODY, "inner text")};
    struct store_attachment in_inner = {.props = {file, 3}};
    struct store_content embedded = {
        .props = {inner, 2}, .attachments = &in_inner, .n_attachments = 1};
    struct store_attachment attachments[] = {{.props = {file, 3}},
                                             {.props = {picture, 5}},
                                             {.embedded = &embedded},
                                             {.props = {odd, 2}}};
    struct store_prop props[] = {text(PR_BODY, "text"), text(PR_HTML, "<img src=\"cid:pic@1\">"),
                                 text(PR_SUBJECT, "outer")};
    struct store_content content = {
        .props = {props, 3}, .attachments = attachments, .n_attachments = 4};
    struct prop_list list;
    struct round r;

    (void)state;
    export_with(&r, &plainly, &content);
    assert_clean(buf_slice(&r.bytes));
    assert_text(&r, PR_SUBJECT, "outer");
    assert_slice(oxcmail_body(&r.mail), "text");
    assert_slice(oxcmail_html(&r.mail), "<img src=\"cid:pic@1\">");
    assert_int_equal(r.mail.n_attachments, 4); /* the picture first: it is inside the text */
    list = (struct prop_list){.in = &r.arena};
    oxcmail_attachment(&r.mail, 0, &list);
    assert_int_equal(prop_find(&list, prop_id(PR_ATTACH_FLAGS))->value.number, 4);
    assert_slice(prop_find(&list, prop_id(PR_ATTACH_CONTENT_ID))->value.bytes, "pic@1");
    assert_slice(oxcmail_attachment_data(&r.mail, 0), "PNG");
    list = (struct prop_list){.in = &r.arena};
    oxcmail_attachment(&r.mail, 1, &list);
    assert_true(slice_eq(prop_find(&list, prop_id(PR_ATTACH_LONG_FILENAME))->value.bytes,
                         file[0].value.bytes));
    assert_true(slice_eq(oxcmail_attachment_data(&r.mail, 1), file[2].value.bytes));
    list = (struct prop_list){.in = &r.arena};
    oxcmail_attachment(&r.mail, 2, &list);
    assert_int_equal(prop_find(&list, prop_id(PR_ATTACH_METHOD))->value.number, 5);
    assert_slice(prop_find(&list, prop_id(PR_DISPLAY_NAME))->value.bytes, "inner");
    list = (struct prop_list){.in = &r.arena};
    oxcmail_attachment(&r.mail, 3, &list);
    assert_slice(prop_find(&list, prop_id(PR_ATTACH_MIME_TAG))->value.bytes,
                 "application/octet-stream");
    assert_slice(oxcmail_attachment_data(&r.mail, 3), "raw");
    round_done(&r);
}

static bool give_name(void *ctx, uint16_t id, struct store_prop_name *out)
{
    static const char *const names[] = {"x-mailer", "subject", "x bad", "content-type",
                                        "x-\xC3\xBC"};

    (void)ctx;
    *out = (struct store_prop_name){.by_string = true, .name = slice_str(names[id - 0x8000])};
    memcpy(out->guid, store_ps_internet_headers, 16);
    return true;
}

static void named_fields_are_written_but_not_those_that_others_say(void **state)
{
    const struct oxcmail_export how = {.load = no_load, .name = give_name};
    struct store_prop props[5];
    struct store_content content = {.props = {props, 5}};
    struct round r;

    (void)state;
    for (unsigned i = 0; i < 5; i++)
        props[i] = text(PROP_TAG(0x8000 + i, PROP_STRING), "evil/mixed");
    export_with(&r, &how, &content);
    assert_true(has_field(&r, S("x-mailer")));
    assert_false(has_field(&r, S("Subject")));
    assert_int_equal(slice_find(buf_slice(&r.bytes), S("x bad")), r.bytes.len);
    assert_int_equal(r.mime.n_parts, 1);
    round_done(&r);
}

/* Whatever a property holds: the fields are those that it may make, and the parts too. */
static void no_property_can_add_a_field_or_a_part(void **state)
{
    static const char *const attacks[] = {
        "x\r\nBcc: evil@example.org",
        "x\nX-Evil: 1",
        "x\rX-Evil: 1",
        "x\r\n\r\n--=_1\r\nContent-Type: text/html\r\n\r\n<b>",
        "\"\r\nX-Evil: 1",
        "=?utf-8?B?DQpYLUV2aWw6IDE=?=",
        "a@b>,\r\n <evil@example.org",
        "<evil@example.org>",
        "evil@example.org, other@example.org",
        "\xC3\xBC\r\nX-Evil: 1",
        "x\x7F\x01\x1B",
        ";\r\n boundary=evil; name=\"a\"",
        "\\\"; X-Evil: 1",
    };
    static const uint32_t tags[] = {PR_SUBJECT,
                                    PR_CONVERSATION_TOPIC,
                                    PR_INTERNET_MESSAGE_ID,
                                    PR_INTERNET_REFERENCES,
                                    PR_IN_REPLY_TO_ID,
                                    PR_LIST_HELP,
                                    PR_SENDER_NAME,
                                    PR_SENDER_EMAIL,
                                    PR_SENT_REPRESENTING_NAME,
                                    PR_SENT_REPRESENTING_SMTP,
                                    PR_BODY,
                                    PR_HTML};
    static const uint32_t attached[] = {PR_ATTACH_LONG_FILENAME, PR_ATTACH_MIME_TAG,
                                        PR_ATTACH_CONTENT_ID, PR_ATTACH_CONTENT_LOCATION};

    (void)state;
    for (size_t i = 0; i < COUNT(attacks); i++) {
        struct store_prop props[COUNT(tags)], file[COUNT(attached) + 1],
            to[] = {text(PR_DISPLAY_NAME, attacks[i]), text(PR_SMTP_ADDRESS, attacks[i])};
        struct store_props recipients = {to, 2};
        struct store_attachment attachment = {.props = {file, COUNT(file)}};
        struct store_content content = {.props = {props, COUNT(tags)},
                                        .recipients = &recipients,
                                        .n_recipients = 1,
                                        .attachments = &attachment,
                                        .n_attachments = 1};
        struct prop_list *rows;
        struct round r;

        for (size_t k = 0; k < COUNT(tags); k++)
            props[k] = text(tags[k], attacks[i]);
        for (size_t k = 0; k < COUNT(attached); k++)
            file[k] = text(attached[k], attacks[i]);
        file[COUNT(attached)] = text(PR_ATTACH_DATA, attacks[i]);
        export_with(&r, &plainly, &content);
        assert_clean(buf_slice(&r.bytes));
        assert_false(has_field(&r, S("Bcc")));
        assert_false(has_field(&r, S("X-Evil")));
        /* mixed, alternative, plain, HTML, the attachment */
        assert_int_equal(r.mime.n_parts, 5);
        assert_int_equal(r.mail.n_attachments, 1);
        assert_slice(oxcmail_body(&r.mail), attacks[i]);
        assert_slice(oxcmail_attachment_data(&r.mail, 0), attacks[i]);
        assert_true(oxcmail_recipients(&r.mail, &rows) <= 1);
        round_done(&r);
    }
}

/* Runs of blanks give no place to fold a line at. */
static void long_runs_of_blanks_make_no_long_line(void **state)
{
    char blanks[3000];
    struct round r;

    (void)state;
    memset(blanks, ' ', sizeof blanks);
    blanks[0] = 'a';
    blanks[sizeof blanks - 2] = 'z';
    blanks[sizeof blanks - 1] = '\0';
    struct store_prop props[] = {text(PR_SUBJECT, blanks), text(PR_INTERNET_MESSAGE_ID, blanks),
                                 text(PR_SENDER_NAME, blanks), text(PR_LIST_HELP, blanks)};

    export_props(&r, props, COUNT(props));
    assert_clean(buf_slice(&r.bytes));
    assert_text(&r, PR_SUBJECT, blanks);
    assert_text(&r, PR_INTERNET_MESSAGE_ID, "a z");
    round_done(&r);
}

static uint32_t any_code_point(struct rng *rng)
{
    static const uint32_t ends[] = {0x80, 0x800, 0x3000, 0x1F650};
    uint32_t c = 1 + rng_below(rng, ends[rng_below(rng, 4)]);

    return c >= 0xD800 && c < 0xE000 ? '?' : c;
}

/* Random texts: what has no control characters and no blanks at its ends comes back the same. */
static void any_subject_comes_back(void **state)
{
    struct rng rng = rng_seeded();

    (void)state;
    for (int i = 0; i < 2000; i++) {
        struct buf subject = buf_make(4000);
        struct round r;

        buf_putc(&subject, 'x');
        for (uint32_t n = rng_below(&rng, rng_below(&rng, 10) ? 60 : 900); n > 0; n--) {
            uint32_t c = any_code_point(&rng);

            utf8_put(&subject, c < 0x20 || (c >= 0x7F && c < 0xA1) ? ' ' : c);
        }
        buf_puts(&subject, "=?x");
        buf_putc(&subject, 0);
        struct store_prop props[] = {text(PR_SUBJECT, (const char *)subject.data)};

        export_props(&r, props, 1);
        assert_clean(buf_slice(&r.bytes));
        assert_text(&r, PR_SUBJECT, (const char *)subject.data);
        round_done(&r);
        buf_done(&subject);
    }
}

static void messages_in_one_another_are_bounded(void **state)
{
    struct store_content deep[STORE_CONTENT_DEPTH + 1];
    struct store_attachment down[STORE_CONTENT_DEPTH + 1];
    struct buf out = buf_make(1 << 20), small = buf_make(50);

    (void)state;
    for (int i = 0; i <= STORE_CONTENT_DEPTH; i++) {
        down[i] =
            (struct store_attachment){.embedded = i < STORE_CONTENT_DEPTH ? &deep[i + 1] : NULL};
        deep[i] = (struct store_content){.attachments = &down[i], .n_attachments = 1};
    }
    assert_code(oxcmail_export(&plainly, &deep[0], &out), ERR_TOO_BIG);
    buf_clear(&out);
    assert_ok(oxcmail_export(&plainly, &deep[1], &out));
    assert_code(oxcmail_export(&plainly, &deep[1], &small), ERR_TOO_BIG);
    buf_done(&out);
    buf_done(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_envelope_comes_back_as_the_same_properties),
        cmocka_unit_test(who_sent_it_is_told_once_where_it_is_one),
        cmocka_unit_test(a_recipient_without_an_address_is_an_empty_group),
        cmocka_unit_test(reply_to_comes_back_as_the_entries_it_was),
        cmocka_unit_test(bodies_come_back_to_the_byte),
        cmocka_unit_test(html_alone_is_not_wrapped),
        cmocka_unit_test(rtf_alone_goes_as_what_is_in_it),
        cmocka_unit_test(attachments_come_back_with_their_names_and_places),
        cmocka_unit_test(named_fields_are_written_but_not_those_that_others_say),
        cmocka_unit_test(no_property_can_add_a_field_or_a_part),
        cmocka_unit_test(long_runs_of_blanks_make_no_long_line),
        cmocka_unit_test(any_subject_comes_back),
        cmocka_unit_test(messages_in_one_another_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
