#include "tests/support/imap_client.h"
#include "tests/support/imap_grammar.h"

/* Parts whose sections are known byte by byte. */
static const char plain[] = "From: Ann <ann@example.org>\r\n"
                            "To: bob@example.org\r\n"
                            "Subject: plain\r\n"
                            "Date: Tue, 24 Nov 2026 03:40:31 +0100\r\n"
                            "Message-ID: <1@example.org>\r\n"
                            "\r\n"
                            "one line\r\nanother\r\n";

#define INNER                                                                                      \
    "From: in@example.org\r\nSubject: inner\r\n"                                                   \
    "Content-Type: multipart/alternative; boundary=in\r\n\r\n"                                     \
    "--in\r\nContent-Type: text/plain\r\n\r\ninner text\r\n"                                       \
    "--in\r\nContent-Type: text/html\r\n\r\n<p>inner</p>\r\n--in--\r\n"

static const char nested[] = "From: out@example.org\r\n"
                             "Subject: outer\r\n"
                             "MIME-Version: 1.0\r\n"
                             "Content-Type: multipart/mixed; boundary=out\r\n"
                             "\r\n"
                             "preamble\r\n"
                             "--out\r\n"
                             "Content-Type: text/plain\r\n"
                             "\r\n"
                             "first part\r\n"
                             "--out\r\n"
                             "Content-Type: application/octet-stream\r\n"
                             "Content-Transfer-Encoding: base64\r\n"
                             "\r\n"
                             "AAECAwQF/w==\r\n"
                             "--out\r\n"
                             "Content-Type: text/plain\r\n"
                             "Content-Transfer-Encoding: quoted-printable\r\n"
                             "\r\n"
                             "caf=C3=A9 =\r\nlatte\r\n"
                             "--out\r\n"
                             "Content-Type: text/plain\r\n"
                             "Content-Transfer-Encoding: x-secret\r\n"
                             "\r\n"
                             "????\r\n"
                             "--out\r\n"
                             "Content-Type: message/rfc822\r\n"
                             "\r\n" INNER "--out--\r\n";

struct world {
    struct fixture *fx;
    struct imap_client *ic;
};

static int setup(void **state)
{
    struct world *w = mem_new(sizeof *w);

    w->fx = fixture_new();
    fixture_deliver(w->fx, FIXTURE_ALICE, slice_str(plain));
    fixture_deliver(w->fx, FIXTURE_ALICE, slice_str(nested));
    w->ic = imap_client_new(w->fx, "alice");
    imap_client_ok(w->ic, "SELECT INBOX");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    imap_client_free(w->ic);
    fixture_free(w->fx);
    free(w);
    return 0;
}

/* ---- items ---- */

static void every_plain_item_has_its_value(void **state)
{
    struct world *w = *state;
    struct slice r = imap_client_ok(
        w->ic, "FETCH 1 (UID FLAGS RFC822.SIZE INTERNALDATE EMAILID THREADID SAVEDATE MODSEQ)");
    char size[16];

    snprintf(size, sizeof size, "%zu", sizeof plain - 1);
    assert_slice(imap_client_item(r, 1, "UID"), "1");
    assert_slice(imap_client_item(r, 1, "FLAGS"), "(\\Recent)");
    assert_slice(imap_client_item(r, 1, "RFC822.SIZE"), size);
    assert_int_equal(imap_client_item(r, 1, "INTERNALDATE").len, 28);
    assert_int_equal(imap_client_item(r, 1, "SAVEDATE").len, 28);
    assert_slice(imap_client_item(r, 1, "THREADID"), "NIL");
    assert_true(imap_client_item(r, 1, "EMAILID").len > 10);
    assert_true(slice_starts(imap_client_item(r, 1, "MODSEQ"), S("(")));
}

static void macros_stand_for_their_items(void **state)
{
    struct world *w = *state;
    struct slice r = imap_client_ok(w->ic, "FETCH 1:2 FAST");

    assert_true(imap_client_item(r, 2, "INTERNALDATE").len);
    assert_int_equal(imap_client_item(r, 2, "ENVELOPE").len, 0);
    r = imap_client_ok(w->ic, "FETCH 1:2 all");
    assert_true(imap_client_item(r, 1, "ENVELOPE").len);
    assert_int_equal(imap_client_item(r, 1, "BODY").len, 0);
    r = imap_client_ok(w->ic, "FETCH 1:2 FULL");
    assert_true(imap_client_item(r, 1, "BODY").len);
    assert_true(imap_client_item(r, 2, "FLAGS").len);
}

static void what_is_asked_twice_is_told_once(void **state)
{
    struct world *w = *state;
    struct slice r = imap_client_ok(w->ic, "UID FETCH 1 (UID UID FLAGS BODY.PEEK[1] BODY.PEEK[1])");

    assert_slice(r,
                 "* 1 FETCH (UID 1 FLAGS (\\Recent) BODY[1] {19}\r\none line\r\nanother\r\n)\r\n");
}

static void structures_follow_the_grammar(void **state)
{
    struct world *w = *state;
    struct slice r = imap_client_ok(w->ic, "FETCH 1:2 (ENVELOPE BODY BODYSTRUCTURE)");

    for (uint32_t seq = 1; seq <= 2; seq++) {
        const char *why = "";
        size_t at = 0;

        if (!imap_is_envelope(imap_client_item(r, seq, "ENVELOPE"), &why, &at) ||
            !imap_is_body(imap_client_item(r, seq, "BODY"), false, &why, &at) ||
            !imap_is_body(imap_client_item(r, seq, "BODYSTRUCTURE"), true, &why, &at))
            fail_msg("message %u: %s at %zu", seq, why, at);
    }
}

/* ---- sections ---- */

struct section_case {
    uint32_t seq;
    const char *asked, *name;
    const char *value; /* the bytes; NULL: NIL */
};

/* clang-format off */
static const struct section_case sections[] = {
    { 1, "BODY.PEEK[]", "BODY[]", plain },
    { 1, "RFC822", "RFC822", plain },
    { 1, "BODY.PEEK[TEXT]", "BODY[TEXT]", "one line\r\nanother\r\n" },
    { 1, "RFC822.TEXT", "RFC822.TEXT", "one line\r\nanother\r\n" },
    { 1, "BODY.PEEK[1]", "BODY[1]", "one line\r\nanother\r\n" },
    { 1, "body.peek[header.fields (Subject)]", "BODY[HEADER.FIELDS (Subject)]",
      "Subject: plain\r\n\r\n" },
    { 1, "BODY.PEEK[HEADER.FIELDS (DATE FROM)]", "BODY[HEADER.FIELDS (DATE FROM)]",
      "From: Ann <ann@example.org>\r\nDate: Tue, 24 Nov 2026 03:40:31 +0100\r\n\r\n" },
    { 1, "BODY.PEEK[HEADER.FIELDS (X-None)]", "BODY[HEADER.FIELDS (X-None)]", "\r\n" },
    { 1, "BODY.PEEK[HEADER.FIELDS.NOT (to DATE From MESSAGE-ID)]",
      "BODY[HEADER.FIELDS.NOT (to DATE From MESSAGE-ID)]", "Subject: plain\r\n\r\n" },
    { 1, "BODY.PEEK[1.MIME]", "BODY[1.MIME]",
      "From: Ann <ann@example.org>\r\nTo: bob@example.org\r\nSubject: plain\r\n"
      "Date: Tue, 24 Nov 2026 03:40:31 +0100\r\nMessage-ID: <1@example.org>\r\n\r\n" },
    { 1, "BODY.PEEK[2]", "BODY[2]", NULL },
    { 1, "BODY.PEEK[1.1]", "BODY[1.1]", NULL },
    { 1, "BODY.PEEK[1.HEADER]", "BODY[1.HEADER]", NULL },
    { 2, "BODY.PEEK[1]", "BODY[1]", "first part" },
    { 2, "BODY.PEEK[2]", "BODY[2]", "AAECAwQF/w==" },
    { 2, "BODY.PEEK[2.MIME]", "BODY[2.MIME]",
      "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" },
    { 2, "BODY.PEEK[5.HEADER]", "BODY[5.HEADER]",
      "From: in@example.org\r\nSubject: inner\r\n"
      "Content-Type: multipart/alternative; boundary=in\r\n\r\n" },
    { 2, "BODY.PEEK[5.HEADER.FIELDS (SUBJECT)]", "BODY[5.HEADER.FIELDS (SUBJECT)]",
      "Subject: inner\r\n\r\n" },
    { 2, "BODY.PEEK[5.1]", "BODY[5.1]", "inner text" },
    { 2, "BODY.PEEK[5.2]", "BODY[5.2]", "<p>inner</p>" },
    { 2, "BODY.PEEK[5.2.MIME]", "BODY[5.2.MIME]", "Content-Type: text/html\r\n\r\n" },
    { 2, "BODY.PEEK[5.3]", "BODY[5.3]", NULL },
    { 2, "BODY.PEEK[6]", "BODY[6]", NULL },
    { 2, "BODY.PEEK[4294967295.4294967295]", "BODY[4294967295.4294967295]", NULL },
    { 1, "BODY.PEEK[TEXT]<4.4>", "BODY[TEXT]<4>", "line" },
    { 1, "BODY.PEEK[TEXT]<0.1000000>", "BODY[TEXT]<0>", "one line\r\nanother\r\n" },
    { 1, "BODY.PEEK[TEXT]<1000.1>", "BODY[TEXT]<1000>", "" },
    { 1, "BODY.PEEK[]<4294967295.4294967295>", "BODY[]<4294967295>", "" },
    { 1, "BODY.PEEK[HEADER.FIELDS (SUBJECT)]<9.5>", "BODY[HEADER.FIELDS (SUBJECT)]<9>", "plain" },
    { 2, "BINARY.PEEK[1]", "BINARY[1]", "first part" },
    { 2, "BINARY.PEEK[3]", "BINARY[3]", "caf\xC3\xA9 latte" },
    { 2, "BINARY.PEEK[3]<3.2>", "BINARY[3]<3>", "\xC3\xA9" },
    { 2, "BINARY.PEEK[9]", "BINARY[9]", NULL },
    { 2, "BINARY.SIZE[2]", "BINARY.SIZE[2]", "#7" },
    { 2, "BINARY.SIZE[3]", "BINARY.SIZE[3]", "#11" },
};
/* clang-format on */

static void check_section(struct imap_client *ic, const struct section_case *it)
{
    struct slice r = imap_client_ok(ic, "FETCH %u (%s)", it->seq, it->asked);
    struct slice value = imap_client_item(r, it->seq, it->name);

    if (value.len == 0)
        fail_msg("%s: no such item in %.*s", it->asked, SLICE_ARG(r));
    if (!it->value)
        assert_slice(value, "NIL");
    else if (it->value[0] == '#')
        assert_slice(value, it->value + 1);
    else
        assert_slice(imap_client_string(ic, value), it->value);
}

static void every_section_is_its_bytes(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        check_section(w->ic, &sections[i]);
}

static void sections_are_the_same_through_a_narrow_pipe(void **state)
{
    struct world *w = *state;
    static const size_t rooms[] = {1, 2, 7, 64, 200};

    for (size_t r = 0; r < sizeof rooms / sizeof *rooms; r++) {
        w->ic->fs->room = rooms[r];
        for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
            check_section(w->ic, &sections[i]);
    }
}

/* RFC 9051 6.4.5.1: "except in the case of a message that has no body and no blank line". */
static void picked_fields_end_as_the_header_does(void **state)
{
    struct world *w = *state;

    fixture_deliver(w->fx, FIXTURE_ALICE, S("A: 1\r\nB: 2\r\n"));
    imap_client_ok(w->ic, "NOOP");
    struct slice r = imap_client_ok(
        w->ic, "FETCH 3 (BODY.PEEK[HEADER.FIELDS (A)] BODY.PEEK[HEADER.FIELDS.NOT (A)])");
    assert_slice(imap_client_string(w->ic, imap_client_item(r, 3, "BODY[HEADER.FIELDS (A)]")),
                 "A: 1\r\n");
    assert_slice(imap_client_string(w->ic, imap_client_item(r, 3, "BODY[HEADER.FIELDS.NOT (A)]")),
                 "B: 2\r\n");
}

static void what_has_a_nul_is_a_literal8(void **state)
{
    struct world *w = *state;
    static const uint8_t want[] = {0, 1, 2, 3, 4, 5, 0xFF};
    struct slice r = imap_client_ok(w->ic, "FETCH 2 BINARY[2]");
    struct slice value = imap_client_item(r, 2, "BINARY[2]");

    assert_true(slice_starts(value, S("~{7}\r\n")));
    assert_true(slice_eq(slice_from(value, 6), slice_of(want, sizeof want)));
}

static void an_unknown_encoding_is_said(void **state)
{
    struct world *w = *state;

    imap_client_no(w->ic, "FETCH 2 BINARY.PEEK[4]");
    assert_slice(imap_client_code(w->ic), "UNKNOWN-CTE");
    imap_client_no(w->ic, "FETCH 2 BINARY.SIZE[4]");
    assert_slice(imap_client_code(w->ic), "UNKNOWN-CTE");
}

/* ---- large messages ---- */

static struct buf large_message(size_t lines)
{
    struct buf b = buf_make(SIZE_MAX);

    buf_puts(&b, "Subject: large\r\nContent-Type: application/octet-stream\r\n"
                 "Content-Transfer-Encoding: base64\r\n\r\n");
    for (size_t i = 0; i < lines; i++)
        buf_printf(&b, "%08zxAAAABBBBCCCCDDDDEEEEFFFFGGGGHHHHIIIIJJJJKKKKLLLLMMMMNNNNOOOOPPPP\r\n",
                   i);
    return b;
}

static void a_large_body_is_exact_through_any_pipe(void **state)
{
    struct world *w = *state;
    struct buf mail = large_message(6000);
    static const size_t rooms[] = {300, 1000, 4096, 65536};

    fixture_deliver(w->fx, FIXTURE_ALICE, buf_slice(&mail));
    imap_client_ok(w->ic, "NOOP");
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        w->ic->fs->room = rooms[i];
        struct slice r = imap_client_ok(w->ic, "FETCH 1:3 (UID BODY.PEEK[] RFC822.SIZE)");
        struct slice value = imap_client_string(w->ic, imap_client_item(r, 3, "BODY[]"));

        assert_true(slice_eq(value, buf_slice(&mail)));
        assert_slice(imap_client_string(w->ic, imap_client_item(r, 1, "BODY[]")), plain);
    }
    buf_done(&mail);
}

static void partial_fetches_make_up_the_whole(void **state)
{
    struct world *w = *state;
    struct buf mail = large_message(3000), got = buf_make(SIZE_MAX);
    static const char *const items[] = {"BODY.PEEK[]<%zu.%u>", "BINARY.PEEK[1]<%zu.%u>"};
    static const char *const names[] = {"BODY[]<%zu>", "BINARY[1]<%zu>"};

    fixture_deliver(w->fx, FIXTURE_ALICE, buf_slice(&mail));
    imap_client_ok(w->ic, "NOOP");
    for (size_t k = 0; k < 2; k++) {
        buf_clear(&got);
        for (;;) {
            char item[64], name[64];

            snprintf(item, sizeof item, k ? items[1] : items[0], got.len, 10007u);
            snprintf(name, sizeof name, k ? names[1] : names[0], got.len);
            struct slice r = imap_client_ok(w->ic, "FETCH 3 %s", item);
            struct slice value = imap_client_string(w->ic, imap_client_item(r, 3, name));
            if (value.len == 0)
                break;
            buf_put(&got, value);
        }
        struct slice whole = imap_client_ok(w->ic, "FETCH 3 %s", k ? "BINARY.PEEK[1]" : "RFC822");
        whole = imap_client_string(w->ic, imap_client_item(whole, 3, k ? "BINARY[1]" : "RFC822"));
        assert_true(slice_eq(whole, buf_slice(&got)));
        assert_true(k || slice_eq(whole, buf_slice(&mail)));
    }
    buf_done(&mail);
    buf_done(&got);
}

static void a_part_too_long_to_measure_at_once_is_exact(void **state)
{
    struct world *w = *state;
    struct buf mail = large_message(40000); /* 3 MB */

    fixture_deliver(w->fx, FIXTURE_ALICE, buf_slice(&mail));
    imap_client_ok(w->ic, "NOOP");
    struct slice r = imap_client_ok(w->ic, "FETCH 3 (BINARY.SIZE[1] BINARY.PEEK[1])");
    struct slice size = imap_client_item(r, 3, "BINARY.SIZE[1]");
    struct slice value = imap_client_string(w->ic, imap_client_item(r, 3, "BINARY[1]"));
    uint64_t n = 0;

    assert_true(slice_to_u64(size, &n));
    assert_int_equal(n, 40000 * 54);
    assert_int_equal(value.len, n);
    buf_done(&mail);
}

/* ---- what others do meanwhile ---- */

static void a_message_that_is_expunged_while_it_is_sent_is_sent_whole(void **state)
{
    struct world *w = *state;
    struct buf mail = large_message(6000);

    fixture_deliver(w->fx, FIXTURE_ALICE, buf_slice(&mail));
    imap_client_ok(w->ic, "NOOP");
    w->ic->fs->room = 5000;
    fixture_say(w->ic->fs, ""); /* nothing is left over */
    buf_clear(&w->ic->fs->out);
    fixture_poke(w->ic->fs, S("x FETCH 3 BODY.PEEK[]\r\n"));
    assert_true(w->ic->fs->out.len < 20000);
    fixture_expunge(w->fx, FIXTURE_ALICE, 3, 3);
    fixture_run(w->ic->fs);
    struct slice out = buf_slice(&w->ic->fs->out), line = SLICE_EMPTY;
    assert_true(imap_client_line(&out, &line));
    struct slice value =
        imap_client_string(w->ic, imap_client_item(buf_slice(&w->ic->fs->out), 3, "BODY[]"));
    assert_true(slice_eq(value, buf_slice(&mail)));
    assert_true(slice_starts(out, S("x OK ")));
    buf_done(&mail);
}

static void an_expunged_message_is_never_told_wrongly(void **state)
{
    struct world *w = *state;

    fixture_expunge(w->fx, FIXTURE_ALICE, 1, 1);
    struct slice r = imap_client_no(w->ic, "FETCH 1:2 BODY.PEEK[1]");
    assert_slice(imap_client_code(w->ic), "EXPUNGEISSUED");
    assert_int_equal(imap_client_item(r, 1, "BODY[1]").len, 0);
    assert_slice(imap_client_string(w->ic, imap_client_item(r, 2, "BODY[1]")), "first part");
    assert_int_equal(imap_client_count(r, "EXPUNGE"), 0); /* RFC 3501 7.4.1 */
    r = imap_client_ok(w->ic, "UID FETCH 1:2 UID");
    assert_int_equal(imap_client_item(r, 1, "UID").len, 0);
    assert_int_equal(imap_client_count(r, "EXPUNGE"), 1);
}

/* ---- \Seen ---- */

static void reading_marks_as_seen(void **state)
{
    struct world *w = *state;
    static const char *const peeks[] = {"BODY.PEEK[]",   "BINARY.PEEK[1]", "BODYSTRUCTURE",
                                        "RFC822.HEADER", "ENVELOPE",       "BINARY.SIZE[1]"};
    static const char *const reads[] = {"BODY[TEXT]<0.1>", "RFC822", "RFC822.TEXT", "BINARY[1]",
                                        "BODY[HEADER]"};

    for (size_t i = 0; i < sizeof peeks / sizeof *peeks; i++) {
        imap_client_ok(w->ic, "FETCH 1 %s", peeks[i]);
        assert_slice(imap_client_item(imap_client_ok(w->ic, "FETCH 1 FLAGS"), 1, "FLAGS"),
                     "(\\Recent)");
    }
    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) {
        imap_client_ok(w->ic, "STORE 1 -FLAGS.SILENT (\\Seen)");
        struct slice r = imap_client_ok(w->ic, "FETCH 1 %s", reads[i]);
        assert_slice(imap_client_item(r, 1, "FLAGS"), "(\\Seen \\Recent)");
        assert_int_equal(
            imap_client_item(imap_client_ok(w->ic, "FETCH 1 %s", reads[i]), 1, "FLAGS").len, 0);
    }
}

static void looking_at_an_examined_mailbox_marks_nothing(void **state)
{
    struct world *w = *state;

    imap_client_ok(w->ic, "EXAMINE INBOX");
    imap_client_ok(w->ic, "FETCH 1:2 BODY[]");
    assert_int_equal(imap_client_count(imap_client_ok(w->ic, "SEARCH SEEN"), "SEARCH"), 1);
}

/* ---- CHANGEDSINCE ---- */

static uint64_t modseq_of(struct imap_client *ic, uint32_t seq)
{
    struct slice m = imap_client_item(imap_client_ok(ic, "FETCH %u MODSEQ", seq), seq, "MODSEQ");
    uint64_t n = 0;

    assert_true(slice_to_u64(slice_sub(m, 1, m.len - 2), &n));
    return n;
}

static void only_what_changed_since_is_told(void **state)
{
    struct world *w = *state;
    uint64_t before = modseq_of(w->ic, 2);

    struct slice r =
        imap_client_ok(w->ic, "FETCH 1:* FLAGS (CHANGEDSINCE %llu)", (unsigned long long)before);
    assert_int_equal(r.len, 0);
    imap_client_ok(w->ic, "STORE 1 +FLAGS (\\Flagged)");
    r = imap_client_ok(w->ic, "UID FETCH 1:* FLAGS (CHANGEDSINCE %llu)",
                       (unsigned long long)before);
    assert_true(imap_client_item(r, 1, "MODSEQ").len > 2);
    assert_int_equal(imap_client_item(r, 2, "FLAGS").len, 0);
}

static void what_vanished_is_told_to_who_asks(void **state)
{
    struct world *w = *state;
    uint64_t before = modseq_of(w->ic, 2);

    imap_client_ok(w->ic, "ENABLE QRESYNC");
    fixture_deliver_many(w->fx, FIXTURE_ALICE, slice_str(plain), 5);
    imap_client_ok(w->ic, "NOOP");
    fixture_expunge(w->fx, FIXTURE_ALICE, 4, 5);
    fixture_expunge(w->fx, FIXTURE_ALICE, 7, 7);
    struct slice r = imap_client_ok(w->ic, "NOOP");
    assert_true(imap_client_find(r, "VANISHED ").len);
    r = imap_client_ok(w->ic, "UID FETCH 1:* FLAGS (CHANGEDSINCE %llu VANISHED)",
                       (unsigned long long)before);
    /* "*" is the last UID there ever was: 7, though 6 is the last that is there. */
    assert_slice(imap_client_find(r, "VANISHED "), "VANISHED (EARLIER) 4:5,7");
    assert_true(imap_client_item(r, 4, "FLAGS").len);
    r = imap_client_ok(w->ic, "UID FETCH 5 FLAGS (CHANGEDSINCE %llu VANISHED)",
                       (unsigned long long)before);
    assert_slice(imap_client_find(r, "VANISHED "), "VANISHED (EARLIER) 5");
    imap_client_bad(w->ic, "FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)");
    imap_client_bad(w->ic, "UID FETCH 1 FLAGS (VANISHED)");
}

/* ---- what is no FETCH ---- */

static void what_is_no_fetch_is_bad(void **state)
{
    struct world *w = *state;
    static const char *const bad[] = {
        "FETCH",
        "FETCH 1",
        "FETCH 1 ",
        "FETCH 1 ()",
        "FETCH 1 (FLAGS",
        "FETCH 1 (FLAGS ALL)",
        "FETCH 1 FLAGS UID",
        "FETCH 1 (FLAGS  UID)",
        "FETCH 1 BODY[",
        "FETCH 1 BODY[]<0>",
        "FETCH 1 BODY[]<0.0>",
        "FETCH 1 BODY[]<.1>",
        "FETCH 1 BODY[]<0.1",
        "FETCH 1 BODY[]<99999999999999999999.1>",
        "FETCH 1 BODY[1.]",
        "FETCH 1 BODY[.1]",
        "FETCH 1 BODY[0]",
        "FETCH 1 BODY[1.0]",
        "FETCH 1 BODY[4294967296]",
        "FETCH 1 BODY[MIME]",
        "FETCH 1 BODY[HEADERS]",
        "FETCH 1 BODY[HEADER.FIELDS]",
        "FETCH 1 BODY[HEADER.FIELDS ()]",
        "FETCH 1 BODY[HEADER.FIELDS (A]",
        "FETCH 1 BODY[HEADER.FIELDS (A)",
        "FETCH 1 BODY[TEXT",
        "FETCH 1 BODY.PEEK",
        "FETCH 1 FLAGS[]",
        "FETCH 1 BODYSTRUCTURE[1]",
        "FETCH 1 RFC822[]",
        "FETCH 1 BINARY",
        "FETCH 1 BINARY[TEXT]",
        "FETCH 1 BINARY[1.MIME]",
        "FETCH 1 BINARY.SIZE[1]<0.1>",
        "FETCH 1 FLAGS (CHANGEDSINCE)",
        "FETCH 1 FLAGS (CHANGEDSINCE x)",
        "FETCH 1 FLAGS (SINCE 1)",
        "FETCH 1 FLAGS ()",
        "FETCH 0 FLAGS",
        "FETCH 3 FLAGS",
        "FETCH 1:3 FLAGS",
        "FETCH 1,,2 FLAGS",
        "FETCH a FLAGS",
        "FETCH 4294967296 FLAGS",
        "UID FETCH 1:4294967296 FLAGS",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct slice r = imap_client_say(w->ic, "%s", bad[i]);

        if (!slice_starts(w->ic->tagged, S("BAD ")))
            fail_msg("%s: %.*s", bad[i], SLICE_ARG(w->ic->tagged));
        assert_int_equal(r.len, 0);
    }
}

static void numbers_come_in_any_order(void **state)
{
    struct world *w = *state;

    assert_int_equal(imap_client_count(imap_client_ok(w->ic, "FETCH 2:1,1,*:1 UID"), ")"), 2);
    assert_int_equal(imap_client_count(imap_client_ok(w->ic, "UID FETCH 4294967295:* UID"), ")"),
                     1);
    assert_int_equal(imap_client_ok(w->ic, "UID FETCH 7:9 UID").len, 0);
}

static void too_many_items_are_refused(void **state)
{
    struct world *w = *state;
    struct buf b = buf_make(SIZE_MAX);

    buf_puts(&b, "FETCH 1 (FLAGS");
    for (int i = 1; i <= 2000; i++)
        buf_printf(&b, " BODY.PEEK[%d]", i);
    buf_puts(&b, ")");
    imap_client_bytes(w->ic, buf_slice(&b));
    assert_true(slice_starts(w->ic->tagged, S("BAD ")));
    buf_done(&b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_plain_item_has_its_value),
        TEST(macros_stand_for_their_items),
        TEST(what_is_asked_twice_is_told_once),
        TEST(structures_follow_the_grammar),
        TEST(every_section_is_its_bytes),
        TEST(sections_are_the_same_through_a_narrow_pipe),
        TEST(picked_fields_end_as_the_header_does),
        TEST(what_has_a_nul_is_a_literal8),
        TEST(an_unknown_encoding_is_said),
        TEST(a_large_body_is_exact_through_any_pipe),
        TEST(partial_fetches_make_up_the_whole),
        TEST(a_part_too_long_to_measure_at_once_is_exact),
        TEST(a_message_that_is_expunged_while_it_is_sent_is_sent_whole),
        TEST(an_expunged_message_is_never_told_wrongly),
        TEST(reading_marks_as_seen),
        TEST(looking_at_an_examined_mailbox_marks_nothing),
        TEST(only_what_changed_since_is_told),
        TEST(what_vanished_is_told_to_who_asks),
        TEST(what_is_no_fetch_is_bad),
        TEST(numbers_come_in_any_order),
        TEST(too_many_items_are_refused),
    };

    return cmocka_run_group_tests_name("imap_fetch", tests, NULL, NULL);
}
