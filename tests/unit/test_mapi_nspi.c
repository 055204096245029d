/* The address book: requests as bytes by hand ([MS-OXCMAPIHTTP] 2.2.5), through a whole session. */
#include "protocols/mapi/ec.h"
#include "protocols/mapi/mapi.h"
#include "protocols/mapi/nspi_wire.h"
#include "tests/support/session_fixture.h"

static struct slice aliases[] = {{(const uint8_t *)"al@example.org", 14}};
static struct mapi_person people[] = {
    {.identity = {(const uint8_t *)"alice", 5},
     .display_name = {(const uint8_t *)"Zoe Alice", 9},
     .address = {(const uint8_t *)"alice@example.org", 17},
     .aliases = aliases,
     .n_aliases = 1,
     .mailbox_id = 1001},
    {.identity = {(const uint8_t *)"bob", 3},
     .display_name = {(const uint8_t *)"bob Builder", 11},
     .address = {(const uint8_t *)"bob@example.org", 15},
     .mailbox_id = 1002},
    {.identity = {(const uint8_t *)"carl", 4},
     .display_name = {(const uint8_t *)"\xC3\x84sop Carl", 10},
     .address = {(const uint8_t *)"carl@example.org", 16},
     .mailbox_id = 1003},
};
static size_t n_people;
static struct fixture *fx;
static struct fixture_session *fs;
static struct buf reply, cookies;

/* ---- a directory of the test's own ---- */

static struct err find(struct mapi_directory *self, struct slice name, struct arena *in,
                       struct mapi_person *out)
{
    (void)self, (void)in;
    for (size_t i = 0; i < n_people; i++)
        if (slice_eq(people[i].identity, name)) {
            *out = people[i];
            return OK;
        }
    return ERR(ERR_NOT_FOUND, "nobody");
}

/* user00000 and so on, of whom every hundredth is called Otto. */
static void make_crowd(struct arena *in, struct mapi_person *all, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct buf name = buf_make(100);

        buf_printf(&name, "user%05zu", i);
        all[i].identity = arena_slice(in, buf_slice(&name));
        buf_clear(&name);
        buf_printf(&name, "%s %05zu", i % 100 ? "Anna" : "Otto", i);
        all[i].display_name = arena_slice(in, buf_slice(&name));
        all[i].address = all[i].identity;
        buf_done(&name);
    }
}

static struct err list(struct mapi_directory *self, struct arena *in, struct mapi_person **out,
                       size_t *n)
{
    (void)self;
    *out = arena_array(in, n_people, sizeof **out);
    if (n_people > sizeof people / sizeof *people)
        make_crowd(in, *out, n_people);
    else
        memcpy(*out, people, n_people * sizeof **out);
    *n = n_people;
    return OK;
}

static struct mapi_directory directory = {.find = find, .list = list};

static int set_up(void **state)
{
    (void)state;
    n_people = 3;
    fx = fixture_new();
    mapi_free(fx->mapi);
    fx->mapi = mapi_new(&(struct mapi_config){.store = fx->store, .directory = &directory});
    fs = fixture_connect(fx, mapi_session_new, AUTH_MAPI);
    reply = buf_make(1 << 20);
    cookies = buf_make(4096);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_session_free(fs);
    fixture_free(fx);
    buf_done(&reply);
    buf_done(&cookies);
    return 0;
}

/* ---- HTTP, as much of it as is needed ---- */

static void keep_cookies(struct slice head)
{
    struct slice mark = S("\r\nSet-Cookie: ");

    buf_clear(&cookies);
    for (size_t at; (at = slice_find(head, mark)) < head.len;) {
        head = slice_from(head, at + mark.len);
        buf_put(&cookies, slice_head(head, slice_index(head, ';')));
        buf_puts(&cookies, "; ");
    }
}

static void unchunk(struct slice rest, struct buf *out)
{
    for (;;) {
        size_t n = 0;

        for (; rest.len && *rest.ptr != '\r'; rest = slice_from(rest, 1))
            n = n * 16 + (size_t)(ascii_is_digit(*rest.ptr) ? *rest.ptr - '0'
                                                            : (ascii_lower(*rest.ptr) - 'a') + 10);
        if (!n)
            return;
        buf_put(out, slice_sub(rest, 2, n));
        rest = slice_from(rest, n + 4);
    }
}

static void put_request(struct buf *out, const char *operation, struct slice body)
{
    buf_printf(out,
               "POST /mapi/nspi/?MailboxId=x HTTP/1.1\r\nHost: mail.example.org:1443\r\n"
               "Authorization: Basic YWxpY2U6Z2F0ZXBvc3Q=\r\n"
               "Content-Type: application/mapi-http\r\nX-RequestId: {1}:1\r\n"
               "X-RequestType: %s\r\nCookie: %.*s\r\nContent-Length: %zu\r\n\r\n",
               operation, SLICE_ARG(buf_slice(&cookies)), body.len);
    buf_put(out, body);
}

/* The whole answer without its framing is in `reply`; returns what is behind DONE. */
static struct slice ask(const char *operation, struct slice body)
{
    struct buf rq = buf_make(1 << 20);

    put_request(&rq, operation, body);
    struct slice got = fixture_say_bytes(fs, buf_slice(&rq));
    buf_done(&rq);
    while (slice_find(got, S("\r\n\r\nC\r\nPROCESSING\r\n")) < got.len &&
           !slice_ends(got, S("\r\n0\r\n\r\n"))) { /* it has turns */
        test_loop_wait(fx->loop);
        fixture_run(fs);
        got = buf_slice(&fs->out);
    }
    size_t end = slice_find(got, S("\r\n\r\n"));
    struct slice head = slice_head(got, end);
    keep_cookies(head);
    buf_clear(&reply);
    if (slice_find(head, S("chunked")) < head.len)
        unchunk(slice_from(got, end + 4), &reply);
    else
        buf_put(&reply, slice_from(got, end + 4));
    if (slice_find(head, S("X-ResponseCode: 0")) == head.len)
        return SLICE_EMPTY;
    struct slice all = buf_slice(&reply);
    return slice_from(all, slice_find(all, S("\r\n\r\n")) + 4);
}

#define ASK(operation, literal) ask(operation, slice_of(literal, sizeof(literal) - 1))

static void assert_bytes(struct slice got, struct slice want)
{
    if (!slice_eq(got, want)) {
        for (size_t i = 0; i < got.len; i++)
            print_message("%02x ", got.ptr[i]);
        print_message("\n");
    }
    assert_int_equal(got.len, want.len);
    assert_memory_equal(got.ptr, want.ptr, want.len);
}

#define ASSERT_BYTES(got, literal) assert_bytes(got, slice_of(literal, sizeof(literal) - 1))

#define ZERO4 "\0\0\0\0"
/* A STAT at the place `current`, code page 1252, English; 36 bytes ([MS-OXNSPI] 2.2.8). */
#define STAT(current, delta)                                                                       \
    ZERO4 ZERO4 current delta ZERO4 ZERO4 "\xE4\x04\0\0\x09\x04\0\0\x09\x04\0\0"
#define AT(current, delta, position)                                                               \
    ZERO4 ZERO4 current delta position "\x03\0\0\0\xE4\x04\0\0\x09\x04\0\0\x09\x04\0\0"
#define BEGIN ZERO4
#define CURRENT "\x01\0\0\0"
#define END "\x02\0\0\0"
/* In the order of names: Äsop Carl, bob Builder, Zoe Alice; numbered in that of identities. */
#define ALICE "\x10\0\0\0"
#define BOB "\x11\0\0\0"
#define CARL "\x12\0\0\0"
#define GOOD ZERO4 ZERO4

static uint32_t error_of(struct slice body)
{
    struct wire w = wire_of(body, NULL);

    assert_int_equal(wire_u32(&w), 0);
    uint32_t error = wire_u32(&w);
    assert_false(w.failed);
    return error;
}

static void bind_book(void)
{
    struct slice got = ASK("Bind", ZERO4 "\xFF" STAT(BEGIN, ZERO4) ZERO4);

    assert_int_equal(got.len, 4 + 4 + 16 + 4);
    assert_int_equal(error_of(got), 0);
}

/* ---- Bind and Unbind ---- */

static void bind_gives_the_guid_and_unbind_says_one(void **state)
{
    (void)state;
    bind_book();
    ASSERT_BYTES(ASK("Unbind", ZERO4 ZERO4), "\0\0\0\0\x01\0\0\0\0\0\0\0");
    /* The session is gone: X-ResponseCode 10. */
    assert_int_equal(ASK("Unbind", ZERO4 ZERO4).len, 0);
}

static void an_unknown_code_page_does_not_bind(void **state)
{
    (void)state;
    struct slice got = ASK("Bind", ZERO4 "\xFF" ZERO4 ZERO4 ZERO4 ZERO4 ZERO4 ZERO4
                                         "\xFF\0\0\0" ZERO4 ZERO4 ZERO4);

    assert_int_equal(error_of(got), 0x8004011E);
    assert_int_equal(ASK("Unbind", ZERO4 ZERO4).len, 0);
}

static void what_is_cut_short_is_no_body(void **state)
{
    static const char body[] = ZERO4 "\xFF" STAT(BEGIN, ZERO4) "\xFF" ZERO4;

    (void)state;
    bind_book();
    for (size_t n = 0; n + 1 < sizeof body - 1; n++)
        assert_int_equal(ask("UpdateStat", slice_of(body, n < 42 ? n : 41)).len, 0);
    assert_int_equal(ASK("DNToMId", ZERO4 "\xFF\xFF\xFF\xFF\xFF" ZERO4).len, 0);
}

/* ---- places ---- */

static void update_stat_moves_and_stays_within_the_table(void **state)
{
    (void)state;
    bind_book();
    ASSERT_BYTES(ASK("UpdateStat", ZERO4 "\x01" STAT(BEGIN, "\x01\0\0\0") "\x01" ZERO4),
                 GOOD "\xFF" AT(BOB, ZERO4, "\x01\0\0\0") "\xFF\x01\0\0\0" ZERO4);
    ASSERT_BYTES(ASK("UpdateStat", ZERO4 "\x01" STAT(BOB, "\x09\0\0\0") "\x01" ZERO4),
                 GOOD "\xFF" AT(END, ZERO4, "\x03\0\0\0") "\xFF\x02\0\0\0" ZERO4);
    ASSERT_BYTES(ASK("UpdateStat", ZERO4 "\x01" STAT(END, "\xFE\xFF\xFF\xFF") "\0" ZERO4),
                 GOOD "\xFF" AT(BOB, ZERO4, "\x01\0\0\0") "\0" ZERO4);
    ASSERT_BYTES(ASK("UpdateStat", ZERO4 "\x01" AT(CURRENT, ZERO4, "\x02\0\0\0") "\0" ZERO4),
                 GOOD "\xFF" AT(ALICE, ZERO4, "\x02\0\0\0") "\0" ZERO4);
}

static void a_place_that_is_none_is_told(void **state)
{
    (void)state;
    bind_book();
    assert_int_equal(error_of(ASK("UpdateStat", ZERO4 "\x01" STAT("\x99\0\0\0", ZERO4) "\0" ZERO4)),
                     EC_NOT_FOUND);
    /* Another container: InvalidBookmark ([MS-OXNSPI] 3.1.4.4) */
    ASSERT_BYTES(ASK("UpdateStat", ZERO4 "\x01" ZERO4 "\x07\0\0\0" ZERO4 ZERO4 ZERO4 ZERO4
                                         "\xE4\x04\0\0" ZERO4 ZERO4 "\0" ZERO4),
                 ZERO4 "\x05\x04\x04\x80\0\0" ZERO4);
}

/* ---- rows ---- */

static void query_rows_gives_rows_and_the_next_place(void **state)
{
    (void)state;
    bind_book();
    ASSERT_BYTES(
        ASK("QueryRows",
            ZERO4 "\x01" STAT(BEGIN, ZERO4) ZERO4 "\x02\0\0\0\x01"
                                                  "\x02\0\0\0\x1F\0\xFE\x39\x02\x01\xF6\x0F" ZERO4),
        GOOD "\xFF" AT(
            ALICE, ZERO4,
            "\x02\0\0\0") "\xFF"
                          "\x02\0\0\0\x1F\0\xFE\x39\x02\x01\xF6\x0F\x02\0\0\0"
                          "\0\xFF"
                          "c\0a\0r\0l\0@\0e\0x\0a\0m\0p\0l\0e\0.\0o\0r\0g\0\0\0\xFF\x04\0\0\0" CARL
                          "\0\xFF"
                          "b\0o\0b\0@\0e\0x\0a\0m\0p\0l\0e\0.\0o\0r\0g\0\0\0\xFF\x04\0\0\0" BOB
                              ZERO4);
}

static void an_explicit_table_has_a_row_for_each_also_for_nobody(void **state)
{
    (void)state;
    bind_book();
    ASSERT_BYTES(ASK("QueryRows",
                     ZERO4 "\x01" STAT(BEGIN, ZERO4) "\x02\0\0\0" BOB "\x99\0\0\0" ZERO4
                                                     "\x01\x01\0\0\0\x1E\0\x01\x30" ZERO4),
                 GOOD "\xFF" STAT(BEGIN, ZERO4) "\xFF\x01\0\0\0\x1E\0\x01\x30\x02\0\0\0"
                                                "\0\xFF"
                                                "bob Builder\0"
                                                "\x01\x0A\x0F\x01\x04\x80" ZERO4);
}

static void no_rows_at_all_cannot_be_asked_for(void **state)
{
    (void)state;
    bind_book();
    ASSERT_BYTES(ASK("QueryRows", ZERO4 "\x01" STAT(BEGIN, ZERO4) ZERO4 ZERO4 "\0" ZERO4),
                 ZERO4 "\x57\0\x07\x80\0\0" ZERO4);
}

static void get_props_tells_what_is_missing(void **state)
{
    (void)state;
    bind_book();
    ASSERT_BYTES(ASK("GetProps",
                     ZERO4 "\x01" STAT(BOB, ZERO4) "\x01\x02\0\0\0"
                                                   "\x1E\0\x01\x30\x1F\0\x18\x3A" ZERO4),
                 ZERO4 "\x80\x03\x04\0\xE4\x04\0\0\xFF\x02\0\0\0"
                       "\x1E\0\x01\x30\xFF"
                       "bob Builder\0"
                       "\x0A\0\x18\x3A\x0F\x01\x04\x80" ZERO4);
    assert_int_equal(error_of(ASK("GetProps", ZERO4 "\x01" STAT(BOB, ZERO4) "\0" ZERO4)), 0);
}

static void the_hierarchy_is_one_list(void **state)
{
    (void)state;
    bind_book();
    ASSERT_BYTES(ASK("GetSpecialTable", "\x04\0\0\0\x01" STAT(BEGIN, ZERO4) "\0" ZERO4),
                 GOOD "\xE4\x04\0\0\xFF\x01\0\0\0\xFF\x01\0\0\0\x06\0\0\0"
                      "\x02\x01\xFF\x0F\xFF\x1E\0\0\0" ZERO4
                      "\xDC\xA7\x40\xC8\xC0\x42\x10\x1A\xB4\xB9\x08\0\x2B\x2F\xE1\x82"
                      "\x01\0\0\0\0\x01\0\0/\0"
                      "\x03\0\0\x36\x09\0\0\0\x03\0\x05\x30" ZERO4 "\x03\0\xFD\xFF" ZERO4
                      "\x1F\0\x01\x30\xFF"
                      "G\0l\0o\0b\0a\0l\0 \0A\0d\0d\0r\0e\0s\0s\0 \0L\0i\0s\0t\0\0\0"
                      "\x0B\0\xFB\xFF\0" ZERO4);
    /* Who has this version already gets none of it. */
    ASSERT_BYTES(ASK("GetSpecialTable", "\x04\0\0\0\x01" STAT(BEGIN, ZERO4) "\x01\x01\0\0\0" ZERO4),
                 GOOD "\xE4\x04\0\0\xFF\x01\0\0\0\xFF" ZERO4 ZERO4);
}

/* ---- names ---- */

static void distinguished_names_become_ids(void **state)
{
    (void)state;
    bind_book();
    ASSERT_BYTES(ASK("DNToMId",
                     ZERO4 "\x01\x02\0\0\0"
                           "/o=X/ou=Y/cn=Recipients/cn=BOB\0/o=X/cn=Recipients/cn=eve\0" ZERO4),
                 GOOD "\xFF\x02\0\0\0" BOB ZERO4 ZERO4);
}

#define W_NAMES(names) ZERO4 "\x01" STAT(BEGIN, ZERO4) "\x01\x01\0\0\0" ALICE_MID_TAG "\x01" names
#define ALICE_MID_TAG "\x02\x01\xF6\x0F"

static void names_as_typed_are_resolved(void **state)
{
    (void)state;
    bind_book();
    /* al: an alias begins so; b: nobody but bob; "o": no word of two begins so; xyz: nobody */
    ASSERT_BYTES(ASK("ResolveNames", W_NAMES("\x03\0\0\0"
                                             "a\0l\0\0\0"
                                             "b\0u\0i\0l\0\0\0"
                                             "x\0y\0z\0\0\0") ZERO4),
                 GOOD "\xE4\x04\0\0\xFF\x03\0\0\0\x02\0\0\0\x02\0\0\0" ZERO4
                      "\xFF\x01\0\0\0" ALICE_MID_TAG "\x02\0\0\0\0\xFF\x04\0\0\0" ALICE
                      "\0\xFF\x04\0\0\0" BOB ZERO4);
    people[2].display_name = S("bob Carl");
    fixture_pass(fs, 61 * 1000);
    /* Two of that name; the address and "=" say which. */
    ASSERT_BYTES(
        ASK("ResolveNames", W_NAMES("\x03\0\0\0"
                                    "b\0o\0b\0 \0\0\0"
                                    "=\0c\0a\0r\0l\0\0\0"
                                    "S\0M\0T\0P\0:\0B\0O\0B\0@\0e\0x\0a\0m\0p\0l\0e\0.\0o\0r\0g\0"
                                    "\0\0") ZERO4),
        GOOD "\xE4\x04\0\0\xFF\x03\0\0\0\x02\0\0\0\x02\0\0\0\x02\0\0\0"
             "\xFF\x01\0\0\0" ALICE_MID_TAG "\x03\0\0\0\0\xFF\x04\0\0\0" BOB "\0\xFF\x04\0\0\0" CARL
             "\0\xFF\x04\0\0\0" BOB ZERO4);
    people[2].display_name = S("\xC3\x84sop Carl");
}

static void ids_stay_when_people_come_and_go(void **state)
{
    (void)state;
    n_people = 2;
    bind_book();
    people[0].identity = S("aaron"); /* alice goes, aaron comes */
    n_people = 3;
    fixture_pass(fs, 61 * 1000);
    ASSERT_BYTES(ASK("DNToMId", ZERO4 "\x01\x03\0\0\0"
                                      "/cn=Recipients/cn=aaron\0/cn=Recipients/cn=bob\0"
                                      "/cn=Recipients/cn=alice\0" ZERO4),
                 GOOD "\xFF\x03\0\0\0" CARL BOB ZERO4 ZERO4);
    people[0].identity = S("alice");
}

/* ---- matches, seeking, order ---- */

#define CONTENT_IS(name) "\x03\x02\0\x01\0\x1F\0\x01\x30\x1F\0\x01\x30\xFF" name "\0\0"

static void filters_find_people(void **state)
{
    (void)state;
    bind_book();
    ASSERT_BYTES(ASK("GetMatches", ZERO4
                     "\x01" STAT(BEGIN, ZERO4) "\0" ZERO4 "\x01\x01\x02\0\0\0" CONTENT_IS("Z\0O\0")
                         CONTENT_IS("b\0") "\0\x05\0\0\0\x01\x01\0\0\0" ALICE_MID_TAG ZERO4),
                 GOOD "\xFF" STAT(BEGIN, ZERO4) "\xFF\x02\0\0\0" BOB ALICE
                                                "\xFF\x01\0\0\0" ALICE_MID_TAG
                                                "\x02\0\0\0\0\xFF\x04\0\0\0" BOB
                                                "\0\xFF\x04\0\0\0" ALICE ZERO4);
    /* More than were asked for: TableTooBig */
    assert_int_equal(
        error_of(ASK("GetMatches",
                     ZERO4 "\x01" STAT(BEGIN, ZERO4) "\0" ZERO4
                                                     "\x01\x08\x1F\0\x01\x30\0\x02\0\0\0\0" ZERO4)),
        EC_TABLE_TOO_BIG);
    /* A table of ids to look in is reserved, and too much as well. */
    assert_int_equal(
        error_of(ASK("GetMatches",
                     ZERO4 "\x01" STAT(BEGIN, ZERO4) "\x01\x01\0\0\0" BOB ZERO4
                                                     "\x01\x08\x1F\0\x01\x30\0\x09\0\0\0\0" ZERO4)),
        EC_TOO_COMPLEX);
    /* SIZE, and what is nested beyond measure: TooComplex */
    assert_int_equal(
        error_of(ASK("GetMatches",
                     ZERO4 "\x01" STAT(BEGIN, ZERO4) "\0" ZERO4 "\x01\x07\0\x1F\0\x01\x30" ZERO4
                                                     "\0\x02\0\0\0\0" ZERO4)),
        EC_TOO_COMPLEX);
    char deep[300] = ZERO4 "\x01" STAT(BEGIN, ZERO4) "\0" ZERO4 "\x01";
    memset(deep + 47, RESTRICTION_NOT, 100);
    assert_int_equal(error_of(ask("GetMatches", slice_of(deep, sizeof deep))), EC_TOO_COMPLEX);
}

/* More than one turn's worth of people and of names. */
static void many_people_are_searched_in_turns(void **state)
{
    static const char otto[] =
        ZERO4 "\x01" STAT(BEGIN, ZERO4) "\0" ZERO4
                                        "\x01" CONTENT_IS("O\0t\0t\0o\0") "\0\xFF\0\0\0\0" ZERO4;
    struct buf body = buf_make(1 << 16);

    (void)state;
    n_people = 12345;
    bind_book();
    struct slice got = ask("GetMatches", slice_of(otto, sizeof otto - 1));
    assert_int_equal(error_of(got), 0);
    assert_bytes(slice_sub(got, 8 + 37, 5), slice_of("\xFF\x7C\0\0\0", 5)); /* 124 of them */

    buf_put(&body, slice_of(ZERO4 "\x01" STAT(BEGIN, ZERO4) "\x01" ZERO4 "\x01\x03\0\0\0",
                            4 + 1 + 36 + 10));
    wire_put_usz(&body, S("user12344"));
    wire_put_usz(&body, S("Otto 1"));
    wire_put_usz(&body, S("nobody"));
    wire_put_u32(&body, 0);
    ASSERT_BYTES(ask("ResolveNames", buf_slice(&body)),
                 GOOD "\xE4\x04\0\0\xFF\x03\0\0\0\x02\0\0\0\x01\0\0\0" ZERO4 "\xFF" ZERO4
                      "\x01\0\0\0\0" ZERO4);
    buf_done(&body);
}

/* The book is let go of, and nobody is answered. */
static void a_client_may_leave_between_turns(void **state)
{
    (void)state;
    n_people = 12345;
    bind_book();
    struct buf rq = buf_make(4096);
    static const char otto[] =
        ZERO4 "\x01" STAT(BEGIN, ZERO4) "\0" ZERO4
                                        "\x01" CONTENT_IS("O\0t\0t\0o\0") "\0\xFF\0\0\0\0" ZERO4;

    put_request(&rq, "GetMatches", slice_of(otto, sizeof otto - 1));
    fixture_poke(fs, buf_slice(&rq));
    buf_done(&rq);
    fixture_session_free(fs);
    test_loop_pump(fx->loop);
    fs = fixture_connect(fx, mapi_session_new, AUTH_MAPI);
    assert_int_equal(error_of(ASK("QueryColumns", ZERO4 ZERO4 ZERO4)), 0);
}

static void seeking_finds_the_first_name_that_is_not_before(void **state)
{
    (void)state;
    bind_book();
    ASSERT_BYTES(
        ASK("SeekEntries", ZERO4 "\x01" STAT(BEGIN, ZERO4) "\x01\x1F\0\x01\x30\xFF"
                                                           "C\0\0\0"
                                                           "\0\x01\x01\0\0\0" ALICE_MID_TAG ZERO4),
        GOOD "\xFF" AT(ALICE, ZERO4, "\x02\0\0\0") "\xFF\x01\0\0\0" ALICE_MID_TAG
                                                   "\x01\0\0\0\0\xFF\x04\0\0\0" ALICE ZERO4);
    assert_int_equal(
        error_of(ASK("SeekEntries", ZERO4 "\x01" STAT(BEGIN, ZERO4) "\x01\x1F\0\x01\x30\xFF"
                                                                    "z\0z\0\0\0"
                                                                    "\0\0" ZERO4)),
        EC_NOT_FOUND);
    /* Not by what the table is sorted by: GeneralFailure */
    assert_int_equal(
        error_of(ASK("SeekEntries", ZERO4 "\x01" STAT(BEGIN, ZERO4) "\x01\x1F\0\x18\x3A\xFF"
                                                                    "z\0\0\0"
                                                                    "\0\0" ZERO4)),
        EC_ERROR);
}

static void ids_are_compared_and_sorted(void **state)
{
    (void)state;
    bind_book();
    ASSERT_BYTES(ASK("CompareMIds", ZERO4 "\x01" STAT(BEGIN, ZERO4) ALICE CARL ZERO4),
                 GOOD "\x01\0\0\0" ZERO4);
    ASSERT_BYTES(ASK("CompareMIds", ZERO4 "\x01" STAT(BEGIN, ZERO4) CARL BOB ZERO4),
                 GOOD "\xFF\xFF\xFF\xFF" ZERO4);
    assert_int_equal(
        error_of(ASK("CompareMIds", ZERO4 "\x01" STAT(BEGIN, ZERO4) CARL "\x77\0\0\0" ZERO4)),
        EC_ERROR);
    ASSERT_BYTES(ASK("ResortRestriction", ZERO4 "\x01" STAT(ALICE, ZERO4) "\x01\x03\0\0\0" ALICE
                                                                          "\x77\0\0\0" CARL ZERO4),
                 GOOD "\xFF" ZERO4 ZERO4 ALICE ZERO4 "\x01\0\0\0\x02\0\0\0"
                      "\xE4\x04\0\0\x09\x04\0\0\x09\x04\0\0\xFF\x02\0\0\0" CARL ALICE ZERO4);
}

/* ---- the rest ---- */

static void nothing_can_be_changed_and_there_are_no_templates(void **state)
{
    (void)state;
    bind_book();
    ASSERT_BYTES(ASK("ModProps",
                     ZERO4 "\x01" STAT(BOB, ZERO4) "\x01\x01\0\0\0\x1E\0\x01\x30\x01\x01\0\0\0"
                                                   "\x1E\0\x01\x30\xFFx\0" ZERO4),
                 ZERO4 "\x05\0\x07\x80" ZERO4);
    ASSERT_BYTES(ASK("ModProps", ZERO4 "\x01" STAT(BOB, ZERO4) "\0\0" ZERO4),
                 ZERO4 "\x57\0\x07\x80" ZERO4);
    ASSERT_BYTES(ASK("ModLinkAtt", ZERO4 "\x0D\0\x09\x80" BOB "\x01\x01\0\0\0\x02\0\0\0xy" ZERO4),
                 ZERO4 "\x05\0\x07\x80" ZERO4);
    ASSERT_BYTES(ASK("ModLinkAtt", ZERO4 "\x0D\0\x15\x80\x77\0\0\0"
                                         "\0" ZERO4),
                 ZERO4 "\x57\0\x07\x80" ZERO4);
    ASSERT_BYTES(ASK("ModLinkAtt", ZERO4 "\x1F\0\x01\x30" BOB "\0" ZERO4),
                 ZERO4 "\x0F\x01\x04\x80" ZERO4);
    ASSERT_BYTES(ASK("GetTemplateInfo", "\x01\0\0\0" ZERO4 "\0\xB0\x04\0\0\x09\x04\0\0" ZERO4),
                 ZERO4 "\x1E\x01\x04\x80" ZERO4 "\0" ZERO4);
    ASSERT_BYTES(ASK("GetTemplateInfo", "\x01\0\0\0" ZERO4 "\0\xE4\x04\0\0\x09\x04\0\0" ZERO4),
                 ZERO4 "\x1F\x01\x04\x80" ZERO4 "\0" ZERO4);
}

static void urls_are_those_that_were_asked(void **state)
{
    struct buf want = buf_make(1024);

    (void)state;
    bind_book();
    wire_put_u64(&want, 0);
    wire_put_usz(&want, S("http://mail.example.org:1443/mapi/emsmdb/?MailboxId="
                          "00000000-0000-03e9-8000-000000000000@example.org"));
    wire_put_u32(&want, 0);
    assert_bytes(ASK("GetMailboxUrl", ZERO4 "x\0\0\0" ZERO4), buf_slice(&want));
    buf_done(&want);
}

static void tags_are_told_in_the_width_that_was_asked_for(void **state)
{
    (void)state;
    bind_book();
    struct slice got = ASK("QueryColumns", ZERO4 "\0\0\0\x80" ZERO4);
    assert_true(slice_find(got, slice_of("\x1F\0\x01\x30", 4)) < got.len);
    got = ASK("QueryColumns", ZERO4 ZERO4 ZERO4);
    assert_true(slice_find(got, slice_of("\x1E\0\x01\x30", 4)) < got.len);
    got = ASK("GetPropList", ZERO4 BOB "\xE4\x04\0\0" ZERO4);
    assert_true(slice_find(got, slice_of("\x1F\x10\x0F\x80", 4)) < got.len);
    ASSERT_BYTES(ASK("GetPropList", ZERO4 ZERO4 "\xE4\x04\0\0" ZERO4),
                 ZERO4 "\x08\x01\x04\x80\0" ZERO4);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(bind_gives_the_guid_and_unbind_says_one),
        TEST(an_unknown_code_page_does_not_bind),
        TEST(what_is_cut_short_is_no_body),
        TEST(update_stat_moves_and_stays_within_the_table),
        TEST(a_place_that_is_none_is_told),
        TEST(query_rows_gives_rows_and_the_next_place),
        TEST(an_explicit_table_has_a_row_for_each_also_for_nobody),
        TEST(no_rows_at_all_cannot_be_asked_for),
        TEST(get_props_tells_what_is_missing),
        TEST(the_hierarchy_is_one_list),
        TEST(distinguished_names_become_ids),
        TEST(names_as_typed_are_resolved),
        TEST(ids_stay_when_people_come_and_go),
        TEST(filters_find_people),
        TEST(many_people_are_searched_in_turns),
        TEST(a_client_may_leave_between_turns),
        TEST(seeking_finds_the_first_name_that_is_not_before),
        TEST(ids_are_compared_and_sorted),
        TEST(nothing_can_be_changed_and_there_are_no_templates),
        TEST(urls_are_those_that_were_asked),
        TEST(tags_are_told_in_the_width_that_was_asked_for),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
