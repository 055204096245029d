/* What lists show of a message is what is derived of its bytes, whichever way it is asked for. */
#include "tests/support/test.h"

#include "store/mapi/columns.h"
#include "store/mapi/oxcmail.h"

struct both {
    struct arena arena;
    struct prop_list derived;
    struct buf bytes;
    struct mail_columns columns;
};

static void make(struct both *b, struct slice message)
{
    struct oxcmail mail;
    struct mime mime;

    *b = (struct both){.arena = ARENA_INIT, .bytes = buf_make(SIZE_MAX)};
    b->derived.in = &b->arena;
    mime_parse(message, &b->arena, &mime);
    oxcmail_open(message, &mime, &b->arena, &mail);
    oxcmail_properties(&mail, &b->derived);
    columns_encode(&b->derived, &b->bytes);
    assert_true(columns_decode(buf_slice(&b->bytes), &b->columns));
}

static void drop(struct both *b)
{
    buf_done(&b->bytes);
    arena_done(&b->arena);
}

static void assert_same(const struct prop *want, const struct prop *have)
{
    assert_int_equal(have->tag, want->tag);
    if (prop_type_has_bytes(prop_type(want->tag))) {
        assert_int_equal(have->value.bytes.len, want->value.bytes.len);
        assert_memory_equal(have->value.bytes.ptr ? have->value.bytes.ptr : (const uint8_t *)"",
                            want->value.bytes.ptr ? want->value.bytes.ptr : (const uint8_t *)"",
                            want->value.bytes.len);
    } else {
        assert_int_equal(have->value.number, want->value.number);
    }
}

/* Of every id that there may be: it is the same, or known to be elsewhere. How many were told. */
static size_t compare(struct both *b)
{
    size_t told = 0;

    for (uint32_t id = 1; id < 0x8000; id++) {
        const struct prop *want = prop_find(&b->derived, (uint16_t)id);
        struct prop have;

        switch (columns_get(&b->columns, (uint16_t)id, &b->arena, &have)) {
        case COLUMN_IS:
            assert_non_null(want);
            assert_same(want, &have);
            told++;
            break;
        case COLUMN_IS_NOT:
            assert_null(want);
            break;
        case COLUMN_ELSEWHERE:
            break;
        }
        if (want)
            assert_true(columns_are_derived((uint16_t)id));
    }
    return told;
}

static size_t told_of(const char *message)
{
    struct both b;

    make(&b, slice_str(message));
    size_t told = compare(&b);
    drop(&b);
    return told;
}

#define HEAD "Date: Tue, 24 Nov 2026 03:40:31 +0100\r\nMessage-ID: <1@example.org>\r\n"

static void every_column_is_what_is_derived(void **state)
{
    static const struct {
        const char *message;
        size_t told;
    } cases[] = {
        {"", 15},
        {"Subject: a\r\n\r\nb\r\n", 15},
        {HEAD "From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\r\n"
              "To: \"Doe, Jane\" <jane@example.com>, bob@example.com\r\n"
              "Cc: Friends: a@example.com, b@example.com;\r\nBcc: c@example.com\r\n"
              "Subject: RE: the =?iso-8859-1?q?Br=FCcke?=\r\nIn-Reply-To: <0@example.org>\r\n"
              "X-Priority: 1\r\nSensitivity: Private\r\nAuto-Submitted: auto-replied\r\n"
              "Disposition-Notification-To: j@example.org\r\nReturn-Receipt-To: j@example.org\r\n"
              "Thread-Index: AAAA\r\nThread-Topic: a topic\r\n\r\nhello\r\n",
         32},
        /* Sender and From differ in the name, in the address, in both; one of them is missing. */
        {HEAD "From: A <a@example.org>\r\nSender: B <a@example.org>\r\n\r\n", 29},
        {HEAD "From: A <a@example.org>\r\nSender: A <b@example.org>\r\n\r\n", 29},
        {HEAD "From: A <a@example.org>\r\nSender: B <b@example.org>\r\n\r\n", 29},
        {HEAD "Sender: B <b@example.org>\r\n\r\n", 29},
        {HEAD "Content-Type: text/html; charset=utf-8\r\n\r\n<p>x</p>\r\n", 17},
        {HEAD "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
              "--b\r\nContent-Type: text/calendar\r\n\r\nMETHOD:REQUEST\r\n--b--\r\n",
         15},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(told_of(cases[i].message), cases[i].told);
}

/* Nobody else's row shall cost what one message with 10,000 recipients does. */
static void what_is_too_long_is_looked_up_in_the_message(void **state)
{
    struct buf message = buf_make(SIZE_MAX);
    struct prop out;
    struct both b;

    (void)state;
    buf_puts(&message, "From: ");
    for (int i = 0; i < 2000; i++)
        buf_putc(&message, 'n');
    buf_puts(&message, " <a@example.org>\r\nSubject: short\r\nTo: x@example.org");
    for (int i = 0; i < 100; i++)
        buf_printf(&message, ",\r\n user%d@example.org", i);
    buf_puts(&message, "\r\n\r\n");
    make(&b, buf_slice(&message));
    compare(&b);
    assert_true(b.bytes.len < 256);
    assert_int_equal(columns_get(&b.columns, prop_id(PR_DISPLAY_TO), &b.arena, &out),
                     COLUMN_ELSEWHERE);
    /* Names that are not there because they are From's are where those are. */
    assert_int_equal(columns_get(&b.columns, prop_id(PR_SENDER_NAME), &b.arena, &out),
                     COLUMN_ELSEWHERE);
    assert_int_equal(columns_get(&b.columns, prop_id(PR_SENDER_ENTRY_ID), &b.arena, &out),
                     COLUMN_ELSEWHERE);
    assert_int_equal(columns_get(&b.columns, prop_id(PR_SENDER_EMAIL), &b.arena, &out), COLUMN_IS);
    assert_int_equal(columns_get(&b.columns, prop_id(PR_SUBJECT), &b.arena, &out), COLUMN_IS);
    drop(&b);
    buf_done(&message);
}

static void bytes_that_are_no_columns_are_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {{"", 0},
                 {"\x02", 1},
                 {"\x01\x7F\x00", 3},
                 {"\x01\x01\x05"
                  "ab",
                  5},
                 {"\x01\x01", 2}};
    struct mail_columns out;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_false(columns_decode(slice_of(cases[i].bytes, cases[i].len), &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_column_is_what_is_derived),
        cmocka_unit_test(what_is_too_long_is_looked_up_in_the_message),
        cmocka_unit_test(bytes_that_are_no_columns_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
