#include "tests/support/test.h"

#include "store/mime/mime.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void fields_come_one_by_one_and_lines_that_are_none_are_skipped(void **state)
{
    struct slice header =
        S("A: b\r\nno field\r\n part of that\r\nSubject : x\r\n\ty\r\n: no name\r\n"
          "B c: blank in the name\r\nE:\nF: last\r\n\r\nG: body\r\n");
    static const char *const want[][3] = {
        {"A", " b", "A: b\r\n"},
        {"Subject", " x\r\n\ty", "Subject : x\r\n\ty\r\n"},
        {"E", "", "E:\n"},
        {"F", " last", "F: last\r\n"},
    };
    struct mime_field field;

    (void)state;
    for (size_t i = 0; i < COUNT(want); i++) {
        assert_true(mime_next_field(&header, &field));
        assert_slice(field.name, want[i][0]);
        assert_slice(field.value, want[i][1]);
        assert_slice(field.all, want[i][2]);
    }
    assert_false(mime_next_field(&header, &field));
    assert_false(mime_next_field(&header, &field));
}

static void a_field_is_found_whatever_its_case(void **state)
{
    struct slice header = S("X: 1\nsubject: first\nSUBJECT: second\n\nTo: body");
    struct mime_field field;

    (void)state;
    assert_true(mime_get_field(header, S("Subject"), &field));
    assert_slice(field.value, " first");
    assert_false(mime_get_field(header, S("To"), &field));
    assert_false(mime_get_field(header, S(""), &field));
    assert_false(mime_get_field(SLICE_EMPTY, S("To"), &field));
    assert_true(mime_get_field(S("To: cut"), S("to"), &field));
    assert_slice(field.value, " cut");
}

static void unfolding_drops_line_ends_and_nothing_else(void **state)
{
    struct arena arena = ARENA_INIT;

    (void)state;
    assert_slice(mime_unfold(S("a b"), &arena), "a b");
    assert_slice(mime_unfold(S("a\r\n b\n\t c\rd\r\ne"), &arena), "a b\t c\rd\r\ne");
    arena_done(&arena);
}

/* RFC 2047, its examples in section 8 among them. */
static const char *const texts[][2] = {
    {"", ""},
    {" plain ", "plain"},
    {"folded\r\n text", "folded text"},
    {"=?ISO-8859-1?Q?a?=", "a"},
    {"=?ISO-8859-1?Q?a?= b", "a b"},
    {"=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"},
    {"=?ISO-8859-1?Q?a?=  \r\n  =?ISO-8859-1?Q?b?=", "ab"},
    {"=?ISO-8859-1?Q?a_b?=", "a b"},
    {"=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"},
    {"=?iso-8859-1?q?Andr=E9?= Pirard", "Andr\xC3\xA9 Pirard"},
    {"=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"},
    {"=?utf-8?B?w6Q=?=", "\xC3\xA4"},
    /* a character cut in two by words of one charset */
    {"=?utf-8?Q?=C3?= =?UTF-8?Q?=A4?=", "\xC3\xA4"},
    {"=?utf-8?B?4g==?=\r\n =?utf-8?B?gqw=?=", "\xE2\x82\xAC"},
    {"=?utf-8?Q?=C3?= =?iso-8859-1?Q?=A4?=", "\xEF\xBF\xBD\xC2\xA4"},
    {"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\xE6\x97\xA5\xE6\x9C\xAC"},
    {"=?gb2312?B?xOO6ww==?=", "\xE4\xBD\xA0\xE5\xA5\xBD"},
    {"=?windows-1252?Q?=80?=", "\xE2\x82\xAC"},
    {"=?iso-8859-1?Q?=80?=", "\xE2\x82\xAC"},
    /* what is broken stays as it is */
    {"=?utf-8?Q?open", "=?utf-8?Q?open"},
    {"=?utf-8?X?a?=", "=?utf-8?X?a?="},
    {"=??Q?a?=", "=??Q?a?="},
    {"=?no-such-charset?Q?=E9?= x", "=?no-such-charset?Q?=E9?= x"},
    {"=?utf-8?Q?a?= =?nope?Q?b?=", "a =?nope?Q?b?="},
    {"=?utf-8?Q?a=ZZ=?=", "a=ZZ="},
    {"=?=?utf-8?Q?a?=", "=?a"},
    {"a=?utf-8?Q?b?=c", "abc"},
    /* lenient: blanks inside, base64 without its padding */
    {"=?utf-8?Q?a b?=", "a b"},
    {"=?utf-8?B?w6Q?=", "\xC3\xA4"},
    /* raw 8-bit: UTF-8 where it is, else windows-1252 */
    {"J\xC3\xB6rg", "J\xC3\xB6rg"},
    {"J\xF6rg \x80", "J\xC3\xB6rg \xE2\x82\xAC"},
    /* decoded line ends would look like another field */
    {"=?utf-8?Q?a=0D=0ABcc:_b=00c?=", "a  Bcc: b c"},
};

static void values_become_utf8_text(void **state)
{
    struct arena arena = ARENA_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_slice(mime_text(slice_str(texts[i][0]), &arena), texts[i][1]);
    assert_slice(mime_text(S("a\0b"), &arena), "a b");
    arena_done(&arena);
}

/* ---- parameters ---- */

static const struct {
    const char *value, *want; /* token|name=value|... */
} params[] = {
    {"text/plain", "text/plain"},
    {" text / plain ; charset = us-ascii (Plain text)", "text/plain|charset=us-ascii"},
    {"text/plain; charset=\"us-ascii\"", "text/plain|charset=us-ascii"},
    {"attachment; filename=\"a \\\"b\\\" \\\\.txt\"", "attachment|filename=a \"b\" \\.txt"},
    {"attachment;\r\n\tfilename=\"fol\r\n ded\"", "attachment|filename=fol ded"},
    {"attachment; filename=my(1)[2].txt", "attachment|filename=my(1)[2].txt"},
    {"text/plain; a=1;; b=2 ;c", "text/plain|a=1|b=2"},
    {"text/plain; a=1 b=2 junk c=3", "text/plain|a=1|b=2|c=3"},
    {"text/plain junk; a=1", "text/plain|a=1"},
    {"text/plain a=1", "text/plain|a=1"},
    {"; a=1", "|a=1"},
    {"", ""},
    {"x; a=\"open", "x|a=open"},
    {"x; a=", "x|a="},
    {"x; =b; \"q\"; a=1", "x|a=1"},
    /* RFC 2231 3, 4 and 4.1 */
    {"message/external-body; access-type=URL; URL*0=\"ftp://\"; URL*1=\"cs.utk.edu/x\"",
     "message/external-body|URL=ftp://cs.utk.edu/x|access-type=URL"},
    {"application/x-stuff; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
     "application/x-stuff|title=This is ***fun***"},
    {"application/x-stuff; title*0*=us-ascii'en'This%20is%20even%20more%20;"
     " title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"",
     "application/x-stuff|title=This is even more ***fun*** isn't it!"},
    {"x; n*=utf-8''%e2%82%ac", "x|n=\xE2\x82\xAC"},
    {"x; n*=iso-8859-1''%E9", "x|n=\xC3\xA9"},
    /* a character cut in two by a piece's end; pieces in any order */
    {"x; n*1*=%82%ac; n*0*=utf-8''%e2", "x|n=\xE2\x82\xAC"},
    /* both forms: the second says more */
    {"x; filename=fallback; filename*=utf-8''%c3%a4", "x|filename=\xC3\xA4"},
    /* broken ones */
    {"x; n*=no-quotes%41", "x|n=no-quotesA"},
    {"x; n*=nope''%e9", "x|n=\xEF\xBF\xBD"},
    {"x; n*0=a; n*2=c", "x|n=a"},
    {"x; n*1=b", "x"},
    {"x; n*0=a; n*0=b", "x|n=a"},
    {"x; n*z=a; *=b; *0=c", "x|n*z=a|*=b|*0=c"},
};

static void parameters_are_read_and_joined(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(params); i++) {
        struct arena arena = ARENA_INIT;
        struct buf got = buf_make(10000);
        struct mime_token_params p;

        mime_parse_params(slice_str(params[i].value), &arena, &p);
        buf_put(&got, p.token);
        for (size_t k = 0; k < p.n_params; k++) {
            buf_putc(&got, '|');
            buf_put(&got, p.params[k].name);
            buf_putc(&got, '=');
            buf_put(&got, p.params[k].value);
        }
        assert_slice(buf_slice(&got), params[i].want);
        buf_done(&got);
        arena_done(&arena);
    }
}

static void a_content_type_has_the_defaults_of_rfc_2045(void **state)
{
    static const char *const cases[][3] = {
        {"", "text", "plain"},
        {"Content-Type: TEXT/HTML; charset=x\n", "text", "html"},
        {"Content-Type: text\n", "text", "plain"},
        {"Content-Type: \n", "text", "plain"},
        {"Content-Type: image/\n", "text", "plain"},
        {"Content-Type: /png\n", "text", "plain"},
        {"Content-Type: image/png, image/gif\n", "image", "png"},
        {"Content-Type: (c) image / (d) png (e)\n", "image", "png"},
        {"Content-Type: \xE9/png\n", "text", "plain"},
        {"Content-Type: multipart/mixed\nContent-Type: text/html\n", "multipart", "mixed"},
    };
    struct arena arena = ARENA_INIT;
    struct mime_type type;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        mime_content_type(slice_str(cases[i][0]), false, &arena, &type);
        assert_slice(type.type, cases[i][1]);
        assert_slice(type.subtype, cases[i][2]);
    }
    mime_content_type(S("A: b\n"), true, &arena, &type);
    assert_slice(type.subtype, "rfc822");
    mime_content_type(S("Content-Type: text/plain\n"), true, &arena, &type);
    assert_slice(type.subtype, "plain");
    arena_done(&arena);
}

static void transfer_encodings_are_known_by_name(void **state)
{
    static const struct {
        const char *header;
        enum mime_encoding want;
    } cases[] = {
        {"", MIME_7BIT},
        {"Content-Transfer-Encoding: Quoted-Printable (yes)\n", MIME_QP},
        {"Content-Transfer-Encoding: base64;\n", MIME_BASE64},
        {"Content-Transfer-Encoding: 8BIT\n", MIME_8BIT},
        {"Content-Transfer-Encoding: binary\n", MIME_BINARY},
        {"Content-Transfer-Encoding: \n", MIME_7BIT},
        {"Content-Transfer-Encoding: x-uuencode\n", MIME_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(mime_transfer_encoding(slice_str(cases[i].header)), cases[i].want);
}

/* ---- addresses ---- */

static const struct {
    const char *value, *want; /* name<route|mailbox|host>; {group and } around groups */
} addresses[] = {
    {"", ""},
    {" , ,, ", ""},
    {"a@b", "<|a|b>"},
    {"a@b, c@d", "<|a|b><|c|d>"},
    {"A B <a@b>", "A B<|a|b>"},
    {"\"B, A\" <a@b>", "B, A<|a|b>"},
    {"\"A \\\"q\\\"\" X <a@b>", "A \"q\" X<|a|b>"},
    {"A\r\n B  C <a@b>", "A B C<|a|b>"},
    {"a@b (Name)", "Name<|a|b>"},
    {"(c) a@b", "<|a|b>"},
    {"<a@b> (Name)", "Name<|a|b>"},
    {"A (c) <a@b> (d)", "A<|a|b>"},
    {"a (x) @ (y) b (z) . c", "z<|a|b.c>"},
    {"\"odd local\"@b", "<|odd local|b>"},
    {"a . b @ c . d", "<|a.b|c.d>"},
    {"a@[192.0.2.1]", "<|a|[192.0.2.1]>"},
    {"<@r1,@r2:a@b>", "<@r1,@r2|a|b>"},
    {"N < a @ b >", "N<|a|b>"},
    {"undisclosed-recipients:;", "{undisclosed-recipients}"},
    {"My Group: A <a@b>, c@d; , e@f", "{My GroupA<|a|b><|c|d>}<|e|f>"},
    {"g: a@b", "{g<|a|b>}"},
    {"g: h: a@b;;", "{g<|a|b>}"},
    {"=?utf-8?Q?J=C3=B6rg?= <j@x>", "J\xC3\xB6rg<|j|x>"},
    {"\"=?utf-8?Q?J=C3=B6rg?=\" <j@x>", "J\xC3\xB6rg<|j|x>"},
    {"J\xF6rg <j@x>", "J\xC3\xB6rg<|j|x>"},
    {"local", "<|local|>"},
    {"local, b@c", "<|local|><|b|c>"},
    {"<>", ""},
    {"Name <>", "Name<||>"},
    {"a@b <c@d>", "a@b<|c|d>"},
    {"a@b@c", "<|a|b>"},
    {"@b", "<||b>"},
    {"A <a@b, C <c@d>", "A<|a|b>C<|c|d>"},
    {"\"open <a@b>", "<|open <a@b>|>"},
    {"(open a@b", ""},
    {"<a@b", "<|a|b>"},
    {"a@b c@d", "<|a|b>"},
    {"((nested) (c)) a@b", "<|a|b>"},
    {"<a b@c>", "<|ab|c>"},
    {"))>>a@b", "<|a|b>"},
};

static void put_address(const struct mime_address *a, struct buf *out)
{
    if (a->kind == MIME_GROUP_END) {
        buf_putc(out, '}');
    } else if (a->kind == MIME_GROUP_START) {
        buf_putc(out, '{');
        buf_put(out, a->mailbox);
    } else {
        buf_put(out, a->name);
        buf_printf(out, "<%.*s|%.*s|%.*s>", SLICE_ARG(a->route), SLICE_ARG(a->mailbox),
                   SLICE_ARG(a->host));
    }
}

static void addresses_are_read_as_they_are_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(addresses); i++) {
        struct arena arena = ARENA_INIT;
        struct buf got = buf_make(10000);
        struct mime_address *list;
        size_t n;

        mime_addresses(slice_str(addresses[i].value), &arena, &list, &n);
        for (size_t k = 0; k < n; k++)
            put_address(&list[k], &got);
        assert_slice(buf_slice(&got), addresses[i].want);
        buf_done(&got);
        arena_done(&arena);
    }
}

/* ---- subjects ---- */

static const struct {
    const char *subject, *base;
    bool is_reply;
} subjects[] = {
    {"", "", false},
    {"x", "x", false},
    {"Re: x", "x", true},
    {"RE : re: Fwd: FW: x", "x", true},
    {"Re[2]: x", "x", true},
    {"[list] Re: x", "x", true},
    {"[list] x", "x", false},
    {"[a] [b] x", "x", false},
    {"[only]", "[only]", false},
    {"Re: [only]", "[only]", true},
    {"[a] [b]", "[b]", false},
    {"x (fwd)", "x", true},
    {"x (FWD) (fwd) ", "x", true},
    {"[fwd: x]", "x", true},
    {"[Fwd: Re: [l] x (fwd)]", "x", true},
    {"[fwd: [fwd: x]]", "x", true},
    {"[fwd: x] y", "y", false},
    {"  a \t b\r\n c ", "a b c", false},
    {"Regarding: x", "Regarding: x", false},
    {"Re x", "Re x", false},
    {"Re:", "", true},
    {"[open x", "[open x", false},
    {"[[a]] x", "[[a]] x", false},
    {"AW: x", "AW: x", false},
};

static void base_subjects_follow_rfc_5256(void **state)
{
    struct arena arena = ARENA_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(subjects); i++) {
        bool is_reply;

        assert_slice(mime_base_subject(slice_str(subjects[i].subject), &arena, &is_reply),
                     subjects[i].base);
        assert_int_equal(is_reply, subjects[i].is_reply);
    }
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_come_one_by_one_and_lines_that_are_none_are_skipped),
        cmocka_unit_test(a_field_is_found_whatever_its_case),
        cmocka_unit_test(unfolding_drops_line_ends_and_nothing_else),
        cmocka_unit_test(values_become_utf8_text),
        cmocka_unit_test(parameters_are_read_and_joined),
        cmocka_unit_test(a_content_type_has_the_defaults_of_rfc_2045),
        cmocka_unit_test(transfer_encodings_are_known_by_name),
        cmocka_unit_test(addresses_are_read_as_they_are_written),
        cmocka_unit_test(base_subjects_follow_rfc_5256),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
