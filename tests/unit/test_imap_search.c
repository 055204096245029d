#include "base/clock.h"
#include "tests/support/imap_client.h"

enum { MESSAGES = 80, QUERIES = 400 };

/* What the test knows of a message, beside the server. */
struct known {
    unsigned flags, keywords; /* bits of the tables below */
    int64_t day, sent_day;    /* as written, without zone; sent_day 0: no Date, the day it came */
    int64_t received;         /* Unix seconds */
    size_t size;
    unsigned subject, body, from; /* bits of `words`; from: index of people */
    uint32_t uid;
};

static const char *const flag_names[] = {"Seen", "Answered", "Flagged", "Deleted", "Draft"};
static const char *const keyword_names[] = {"$Work", "later", "$Junk"};
static const char *const words[] = {"apple", "Birne", "K\xC3\xB6nig", "quartz", "LINE"};
static const char *const people[] = {"ann@example.org", "Bob <bob@example.net>", "carol@x.example"};

struct world {
    struct fixture *fx;
    struct imap_client *ic;
    struct rng rng;
    struct known known[MESSAGES];
    size_t n;
};

/* ---- the mailbox ---- */

static void put_words(struct buf *b, unsigned bits)
{
    for (size_t i = 0; i < 5; i++)
        if (bits >> i & 1)
            buf_printf(b, " %s", words[i]);
}

static void put_date(struct buf *b, int64_t seconds)
{
    struct civil c = civil_from_unix(seconds);

    buf_printf(b, "%d-%s-%04d", c.day, clock_month_names[c.month - 1], c.year);
}

static void make_message(struct world *w, struct known *k, struct buf *b)
{
    struct civil c = civil_from_unix(k->sent_day + rng_below(&w->rng, 86400));

    buf_printf(b, "From: %s\r\nSubject: re", people[k->from]);
    put_words(b, k->subject);
    if (k->sent_day)
        buf_printf(b, "\r\nDate: %d %s %d %02d:%02d:%02d %s", c.day, clock_month_names[c.month - 1],
                   c.year, c.hour, c.minute, c.second, rng_below(&w->rng, 2) ? "+1400" : "-1200");
    buf_puts(b, "\r\nContent-Type: text/plain; charset=utf-8\r\n"
                "Content-Transfer-Encoding: 8bit\r\n\r\nbody");
    put_words(b, k->body);
    buf_puts(b, "\r\n");
    for (uint32_t i = rng_below(&w->rng, 40); i; i--)
        buf_puts(b, "0123456789 0123456789\r\n");
    k->size = b->len;
}

static void append(struct world *w, struct known *k)
{
    struct buf mail = buf_make(SIZE_MAX), command = buf_make(SIZE_MAX);
    const char *blank = "";
    int zone = (int)rng_below(&w->rng, 27) * 60 - 720;

    make_message(w, k, &mail);
    buf_puts(&command, "APPEND INBOX (");
    for (size_t i = 0; i < 5; i++)
        if (k->flags >> i & 1) {
            buf_printf(&command, "%s\\%s", blank, flag_names[i]);
            blank = " ";
        }
    for (size_t i = 0; i < 3; i++)
        if (k->keywords >> i & 1) {
            buf_printf(&command, "%s%s", blank, keyword_names[i]);
            blank = " ";
        }
    struct civil c = civil_from_unix(k->day + 3600 * rng_below(&w->rng, 24));
    int64_t local = 0;
    assert_true(civil_to_unix(&c, &local));
    k->received = local - zone * 60;
    buf_printf(&command, ") \"%2d-%s-%04d %02d:%02d:%02d %c%02d%02d\" {%zu+}\r\n", c.day,
               clock_month_names[c.month - 1], c.year, c.hour, c.minute, c.second,
               zone < 0 ? '-' : '+', abs(zone) / 60, abs(zone) % 60, mail.len);
    buf_put(&command, buf_slice(&mail));
    imap_client_bytes(w->ic, buf_slice(&command));
    assert_true(slice_starts(w->ic->tagged, S("OK [APPENDUID ")));
    buf_done(&mail);
    buf_done(&command);
}

static int64_t random_day(struct rng *rng)
{
    return (20000 + (int64_t)rng_below(rng, 30)) * 86400;
}

static int setup(void **state)
{
    struct world *w = mem_new(sizeof *w);

    w->rng = rng_seeded();
    w->fx = fixture_new();
    w->ic = imap_client_new(w->fx, "alice");
    for (w->n = 0; w->n < MESSAGES; w->n++) {
        struct known *k = &w->known[w->n];

        *k = (struct known){
            .flags = rng_below(&w->rng, 32),
            .keywords = rng_below(&w->rng, 8),
            .day = random_day(&w->rng),
            .sent_day = rng_below(&w->rng, 8) ? random_day(&w->rng) : 0,
            .subject = rng_below(&w->rng, 32),
            .body = rng_below(&w->rng, 32),
            .from = rng_below(&w->rng, 3),
            .uid = (uint32_t)w->n + 1,
        };
        append(w, k);
    }
    fixture_expunge(w->fx, FIXTURE_ALICE, 11, 13); /* UIDs and numbers are not the same */
    memmove(&w->known[10], &w->known[13], (MESSAGES - 13) * sizeof w->known[0]);
    w->n -= 3;
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

/* ---- naive evaluation ---- */

/* A query as text, and which messages meet it. */
struct query {
    struct buf text;
    bool met[MESSAGES];
};

static struct query new_query(void)
{
    return (struct query){.text = buf_make(SIZE_MAX)};
}

static bool has_word(unsigned bits, size_t word)
{
    return bits >> word & 1;
}

/* A date of the message, compared as `how` says: 0 before, 1 on, 2 since. */
static bool day_meets(int64_t day, int64_t than, unsigned how)
{
    return how == 0 ? day < than : how == 1 ? day == than : day >= than;
}

static void date_query(struct world *w, struct query *q, bool sent)
{
    static const char *const hows[] = {"BEFORE", "ON", "SINCE"};
    unsigned how = rng_below(&w->rng, 3);
    int64_t day = random_day(&w->rng);

    buf_printf(&q->text, "%s%s ", sent ? "SENT" : "", hows[how]);
    put_date(&q->text, day);
    for (size_t i = 0; i < w->n; i++) {
        const struct known *k = &w->known[i];

        q->met[i] = day_meets(sent && k->sent_day ? k->sent_day : k->day, day, how);
    }
}

static void text_query(struct world *w, struct query *q)
{
    static const char *const keys[] = {"SUBJECT", "BODY", "TEXT", "HEADER SuBJect"};
    unsigned key = rng_below(&w->rng, 4), word = rng_below(&w->rng, 5);

    /* In other letters than the mail has them; parts of words too. */
    static const char *const asked[] = {"aPPle", "IRN", "k\xC3\x96nig", "quartz", "line"};
    buf_printf(&q->text, "%s \"%s\"", keys[key], asked[word]);
    for (size_t i = 0; i < w->n; i++) {
        const struct known *k = &w->known[i];
        unsigned in = key == 1 ? k->body : key == 2 ? k->body | k->subject : k->subject;

        q->met[i] = has_word(in, word);
    }
}

static void set_query(struct world *w, struct query *q)
{
    uint32_t a = 1 + rng_below(&w->rng, (uint32_t)w->n), b = 1 + rng_below(&w->rng, (uint32_t)w->n);
    bool uid = rng_below(&w->rng, 2);

    buf_printf(&q->text, "%s%u:%u", uid ? "UID " : "", a, b);
    for (size_t i = 0; i < w->n; i++) {
        uint32_t n = uid ? w->known[i].uid : (uint32_t)i + 1;

        q->met[i] = a < b ? n >= a && n <= b : n >= b && n <= a;
    }
}

static void flag_query(struct world *w, struct query *q)
{
    unsigned which = rng_below(&w->rng, 8), not = rng_below(&w->rng, 2);

    if (which < 5)
        buf_printf(&q->text, "%s%s", not ? "UN" : "", flag_names[which]);
    else
        buf_printf(&q->text, "%sKEYWORD %s", not ? "UN" : "", keyword_names[which - 5]);
    for (size_t i = 0; i < w->n; i++) {
        const struct known *k = &w->known[i];

        q->met[i] = (which < 5 ? k->flags >> which & 1 : k->keywords >> (which - 5) & 1) != not ;
    }
}

static void size_query(struct world *w, struct query *q)
{
    size_t size = w->known[rng_below(&w->rng, (uint32_t)w->n)].size;
    bool larger = rng_below(&w->rng, 2);

    buf_printf(&q->text, "%s %zu", larger ? "LARGER" : "SMALLER", size);
    for (size_t i = 0; i < w->n; i++)
        q->met[i] = larger ? w->known[i].size > size : w->known[i].size < size;
}

static void from_query(struct world *w, struct query *q)
{
    static const char *const asked[] = {"ANN@", "bob <", "x.example"};
    unsigned who = rng_below(&w->rng, 3);

    buf_printf(&q->text, "FROM \"%s\"", asked[who]);
    for (size_t i = 0; i < w->n; i++)
        q->met[i] = w->known[i].from == who;
}

static void within_query(struct world *w, struct query *q)
{
    int64_t now = filetime_to_unix(w->fx->clock.wall);
    int64_t seconds = now - random_day(&w->rng);
    bool older = rng_below(&w->rng, 2);

    buf_printf(&q->text, "%s %lld", older ? "OLDER" : "YOUNGER", (long long)seconds);
    for (size_t i = 0; i < w->n; i++) {
        int64_t received = w->known[i].received;

        q->met[i] = older ? received <= now - seconds : received >= now - seconds;
    }
}

static void random_query(struct world *w, struct query *q, unsigned depth);

static void compound_query(struct world *w, struct query *q, unsigned depth, unsigned kind)
{
    struct query a = new_query(), b = new_query();

    random_query(w, &a, depth - 1);
    random_query(w, &b, depth - 1);
    if (kind == 0)
        buf_printf(&q->text, "NOT %.*s", SLICE_ARG(buf_slice(&a.text)));
    else if (kind == 1)
        buf_printf(&q->text, "OR %.*s %.*s", SLICE_ARG(buf_slice(&a.text)),
                   SLICE_ARG(buf_slice(&b.text)));
    else
        buf_printf(&q->text, "(%.*s %.*s)", SLICE_ARG(buf_slice(&a.text)),
                   SLICE_ARG(buf_slice(&b.text)));
    for (size_t i = 0; i < w->n; i++)
        q->met[i] = kind == 0 ? !a.met[i] : kind == 1 ? a.met[i] || b.met[i] : a.met[i] && b.met[i];
    buf_done(&a.text);
    buf_done(&b.text);
}

static void random_query(struct world *w, struct query *q, unsigned depth)
{
    unsigned kind = rng_below(&w->rng, depth ? 12 : 9);

    if (kind >= 9)
        compound_query(w, q, depth, kind - 9);
    else if (kind < 2)
        flag_query(w, q);
    else if (kind == 2)
        date_query(w, q, false);
    else if (kind == 3)
        date_query(w, q, true);
    else if (kind == 4)
        set_query(w, q);
    else if (kind == 5)
        size_query(w, q);
    else if (kind == 6)
        from_query(w, q);
    else if (kind == 7)
        within_query(w, q);
    else
        text_query(w, q);
}

/* "* SEARCH 1 5 9", as it has to be. */
static void check_query(struct world *w, const struct query *q, bool uid)
{
    struct buf want = buf_make(SIZE_MAX), command = buf_make(SIZE_MAX);

    buf_puts(&want, "* SEARCH");
    for (size_t i = 0; i < w->n; i++)
        if (q->met[i])
            buf_printf(&want, " %u", uid ? w->known[i].uid : (uint32_t)i + 1);
    buf_puts(&want, "\r\n");
    buf_printf(&command, "%sSEARCH CHARSET UTF-8 %.*s", uid ? "UID " : "",
               SLICE_ARG(buf_slice(&q->text)));
    struct slice got = imap_client_bytes(w->ic, buf_slice(&command));
    if (!slice_eq(got, buf_slice(&want)))
        fail_msg("%.*s\n got %.*s\nwant %.*s", SLICE_ARG(buf_slice(&command)), SLICE_ARG(got),
                 SLICE_ARG(buf_slice(&want)));
    buf_done(&want);
    buf_done(&command);
}

static void random_searches_find_what_a_naive_look_finds(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < QUERIES; i++) {
        struct query q = new_query();

        random_query(w, &q, i % 4);
        check_query(w, &q, i & 1);
        buf_done(&q.text);
    }
}

/* ---- the answer ---- */

static void every_return_option_tells_its_part(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *asked, *told;
    } cases[] = {
        {"RETURN (MIN) 2:5,8", "MIN 2"},
        {"RETURN (MAX) 2:5,8", "MAX 8"},
        {"RETURN (MIN MAX) 2:5,8", "MIN 2 MAX 8"},
        {"RETURN (COUNT) 2:5,8", "COUNT 5"},
        {"RETURN (ALL) 2:5,8", "ALL 2:5,8"},
        {"RETURN () 2:5,8", "ALL 2:5,8"},
        {"RETURN (MIN MAX COUNT ALL) 2:5,8", "MIN 2 MAX 8 COUNT 5 ALL 2:5,8"},
        {"RETURN (COUNT ALL MIN) LARGER 1000000", "COUNT 0"},
        {"RETURN (MIN) NOT ALL", NULL},
        /* UIDs 11 to 13 are gone: 10 and 14 are neighbours in numbers */
        {"RETURN (ALL) 9:12", "ALL 9:12"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice r = imap_client_ok(w->ic, "SEARCH %s", cases[i].asked);
        char want[128];

        snprintf(want, sizeof want, "* ESEARCH (TAG \"a%u\")%s%s\r\n", w->ic->tag,
                 cases[i].told ? " " : "", cases[i].told ? cases[i].told : "");
        assert_slice(r, want);
    }
    struct slice r = imap_client_ok(w->ic, "UID SEARCH RETURN (ALL) 9:12");
    assert_true(slice_ends(r, S(" UID ALL 9:10,14:15\r\n")));
}

static void rev2_is_always_answered_by_esearch(void **state)
{
    struct world *w = *state;

    imap_client_ok(w->ic, "SELECT INBOX");
    imap_client_ok(w->ic, "ENABLE IMAP4rev2");
    struct slice r = imap_client_ok(w->ic, "SEARCH 2:3");
    assert_true(slice_ends(r, S(" ALL 2:3\r\n")));
}

static void a_result_can_be_saved_and_used(void **state)
{
    struct world *w = *state;

    assert_int_equal(imap_client_ok(w->ic, "SEARCH RETURN (SAVE) 3:6").len, 0);
    assert_slice(imap_client_ok(w->ic, "SEARCH $"), "* SEARCH 3 4 5 6\r\n");
    assert_slice(imap_client_ok(w->ic, "SEARCH UID $ 5:9"), "* SEARCH 5 6\r\n");
    assert_int_equal(imap_client_count(imap_client_ok(w->ic, "FETCH $ UID"), ")"), 4);
    imap_client_ok(w->ic, "SEARCH RETURN (SAVE MIN MAX) $");
    assert_slice(imap_client_ok(w->ic, "SEARCH $"), "* SEARCH 3 6\r\n");
    imap_client_ok(w->ic, "SEARCH RETURN (SAVE COUNT) 1:4");
    imap_client_bad(w->ic, "SEARCH RETURN (SAVE) NONSENSE");
    assert_slice(imap_client_ok(w->ic, "SEARCH $"), "* SEARCH 1 2 3 4\r\n");
    imap_client_no(w->ic, "SEARCH RETURN (SAVE) CHARSET x-none SUBJECT a");
    assert_slice(imap_client_ok(w->ic, "SEARCH $"), "* SEARCH\r\n");
}

static void mod_sequences_are_told_where_they_were_asked_for(void **state)
{
    struct world *w = *state;

    imap_client_ok(w->ic, "STORE 7 +FLAGS (seven)");
    struct slice m = imap_client_item(imap_client_ok(w->ic, "FETCH 7 MODSEQ"), 7, "MODSEQ");
    struct slice n = slice_sub(m, 1, m.len - 2);
    char want[128];

    snprintf(want, sizeof want, "* SEARCH 7 (MODSEQ %.*s)\r\n", SLICE_ARG(n));
    assert_slice(imap_client_ok(w->ic, "SEARCH MODSEQ %.*s", SLICE_ARG(n)), want);
    assert_slice(imap_client_ok(w->ic, "SEARCH MODSEQ \"/flags/\\\\Seen\" all %.*s", SLICE_ARG(n)),
                 want);
    snprintf(want, sizeof want, " COUNT 1 MODSEQ %.*s\r\n", SLICE_ARG(n));
    assert_true(slice_ends(imap_client_ok(w->ic, "SEARCH RETURN (COUNT) MODSEQ %.*s", SLICE_ARG(n)),
                           slice_str(want)));
    assert_slice(imap_client_ok(w->ic, "SEARCH MODSEQ 9223372036854775807"), "* SEARCH\r\n");
}

static void ids_are_found(void **state)
{
    struct world *w = *state;
    struct slice id = imap_client_item(imap_client_ok(w->ic, "FETCH 4 EMAILID"), 4, "EMAILID");
    char text[300];

    snprintf(text, sizeof text, "SEARCH EMAILID %.*s", (int)id.len - 2, (const char *)id.ptr + 1);
    assert_slice(imap_client_ok(w->ic, "%s", text), "* SEARCH 4\r\n");
    assert_slice(imap_client_ok(w->ic, "SEARCH THREADID T1"), "* SEARCH\r\n");
    assert_true(slice_ends(imap_client_ok(w->ic, "SEARCH RETURN (MIN) SAVEDATESUPPORTED SAVEDSINCE "
                                                 "1-Jan-2000 NOT SAVEDBEFORE 1-Jan-2000"),
                           S(" MIN 1\r\n")));
}

static void other_charsets_are_understood(void **state)
{
    struct world *w = *state;
    struct buf utf8 = buf_make(SIZE_MAX);

    buf_put(&utf8, imap_client_ok(w->ic, "SEARCH CHARSET UTF-8 SUBJECT \"K\xC3\xB6nig\""));
    assert_true(slice_eq(imap_client_ok(w->ic, "SEARCH CHARSET ISO-8859-1 SUBJECT \"K\xF6nig\""),
                         buf_slice(&utf8)));
    imap_client_no(w->ic, "SEARCH CHARSET no-such SUBJECT x");
    assert_true(slice_starts(imap_client_code(w->ic), S("BADCHARSET (US-ASCII UTF-8")));
    imap_client_no(w->ic, "SEARCH CHARSET UTF-8 SUBJECT \"\xFF\xFE\"");
    buf_done(&utf8);
}

static void an_empty_mailbox_has_no_hits(void **state)
{
    struct world *w = *state;

    imap_client_ok(w->ic, "CREATE empty");
    imap_client_ok(w->ic, "SELECT empty");
    assert_slice(imap_client_ok(w->ic, "SEARCH 1:* UNSEEN"), "* SEARCH\r\n");
    assert_slice(imap_client_ok(w->ic, "UID SEARCH UID 1:*"), "* SEARCH\r\n");
}

/* Change a byte of the text wherever the store's file has it, behind the store's back. */
static void damage(struct world *w, const char *text)
{
    struct buf path = buf_make(4096), file = buf_make(SIZE_MAX);
    char piece[65536];
    size_t n, found = 0;

    buf_printf(&path, "%s/data.mdb", w->fx->dir);
    buf_putc(&path, 0);
    FILE *f = fopen((const char *)path.data, "r+");
    assert_non_null(f);
    while ((n = fread(piece, 1, sizeof piece, f)) > 0)
        buf_put(&file, slice_of(piece, n));
    struct slice rest = buf_slice(&file);
    for (size_t at; (at = slice_find(rest, slice_str(text))) < rest.len; found++) {
        assert_int_equal(fseek(f, (long)(rest.ptr - file.data + (ptrdiff_t)at), SEEK_SET), 0);
        assert_int_equal(fputc('!', f), '!');
        rest = slice_from(rest, at + 1);
    }
    assert_int_equal(fclose(f), 0);
    assert_true(found > 0);
    buf_done(&file);
    buf_done(&path);
}

/* What cannot be looked at is no hit, whatever is asked of it afterwards. */
static void a_message_that_cannot_be_read_is_told(void **state)
{
    struct world *w = *state;
    static const char mail[] = "Subject: x\r\n\r\nzebra crossing ahead\r\n";

    imap_client_ok(w->ic, "CREATE spoilt");
    imap_client_ok(w->ic, "APPEND spoilt (other) {%zu+}\r\n%s", sizeof mail - 1, mail);
    imap_client_ok(w->ic, "SELECT spoilt");
    assert_slice(imap_client_ok(w->ic, "SEARCH BODY zebra"), "* SEARCH 1\r\n");
    damage(w, "zebra crossing");
    assert_slice(imap_client_no(w->ic, "SEARCH NOT BODY okapi"), "* SEARCH\r\n");
    assert_slice(
        imap_client_no(w->ic, "SEARCH NOT OR KEYWORD a BODY okapi OR KEYWORD other BODY b"),
        "* SEARCH\r\n");
}

/* ---- what is no SEARCH ---- */

static void what_is_no_search_is_bad(void **state)
{
    struct world *w = *state;
    static const char *const bad[] = {
        "SEARCH",
        "SEARCH ",
        "SEARCH NONSENSE",
        "SEARCH ALL ",
        "SEARCH ()",
        "SEARCH (ALL",
        "SEARCH ALL)",
        "SEARCH NOT",
        "SEARCH OR ALL",
        "SEARCH KEYWORD",
        "SEARCH KEYWORD \\Seen",
        "SEARCH LARGER x",
        "SEARCH LARGER -1",
        "SEARCH OLDER 0",
        "SEARCH BEFORE 31-Feb-2026",
        "SEARCH BEFORE yesterday",
        "SEARCH HEADER Subject",
        "SEARCH SUBJECT",
        "SEARCH UID x",
        "SEARCH UID",
        "SEARCH MODSEQ",
        "SEARCH MODSEQ \"/mail/x\" all 1",
        "SEARCH MODSEQ \"/flags/x\" some 1",
        "SEARCH RETURN (NONE) ALL",
        "SEARCH RETURN (MIN",
        "SEARCH RETURN MIN ALL",
        "SEARCH RETURN (MIN)",
        "SEARCH CHARSET UTF-8",
        "SEARCH 1,",
        "SEARCH 1: ALL",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct slice r = imap_client_say(w->ic, "%s", bad[i]);

        if (!slice_starts(w->ic->tagged, S("BAD ")) || r.len)
            fail_msg("%s: %.*s", bad[i], SLICE_ARG(w->ic->tagged));
    }
}

static void nesting_without_end_is_refused(void **state)
{
    struct world *w = *state;
    static const char *const nests[] = {"(", "NOT ", "OR ALL "};

    for (size_t k = 0; k < 3; k++) {
        struct buf b = buf_make(SIZE_MAX);

        buf_puts(&b, "SEARCH ");
        for (int i = 0; i < 9000; i++)
            buf_puts(&b, nests[k]);
        buf_puts(&b, "ALL");
        imap_client_bytes(w->ic, buf_slice(&b));
        assert_true(slice_starts(w->ic->tagged, S("BAD ")));
        buf_done(&b);
    }
}

static void clients_that_look_for_many_at_once_are_served(void **state)
{
    struct world *w = *state;
    struct buf b = buf_make(SIZE_MAX);

    buf_puts(&b, "SEARCH ");
    for (int i = 0; i < 500; i++)
        buf_printf(&b, "OR HEADER Message-ID %d@nowhere ", i);
    buf_puts(&b, "3");
    assert_slice(imap_client_bytes(w->ic, buf_slice(&b)), "* SEARCH 3\r\n");
    buf_done(&b);
}

static void long_results_fit_through_a_narrow_pipe(void **state)
{
    struct world *w = *state;
    struct buf want = buf_make(SIZE_MAX);

    buf_puts(&want, "* SEARCH");
    for (size_t i = 1; i <= w->n; i++)
        buf_printf(&want, " %zu", i);
    buf_puts(&want, "\r\n");
    buf_putc(&want, 0);
    w->ic->fs->room = 8;
    assert_slice(imap_client_ok(w->ic, "SEARCH ALL"), (const char *)want.data);
    assert_slice(imap_client_ok(w->ic, "SEARCH LARGER 1"), (const char *)want.data);
    buf_done(&want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_searches_find_what_a_naive_look_finds),
        cmocka_unit_test(every_return_option_tells_its_part),
        cmocka_unit_test(a_result_can_be_saved_and_used),
        cmocka_unit_test(ids_are_found),
        cmocka_unit_test(other_charsets_are_understood),
        cmocka_unit_test(nesting_without_end_is_refused),
        cmocka_unit_test(clients_that_look_for_many_at_once_are_served),
        cmocka_unit_test(long_results_fit_through_a_narrow_pipe),
        cmocka_unit_test(mod_sequences_are_told_where_they_were_asked_for),
        cmocka_unit_test(what_is_no_search_is_bad),
        cmocka_unit_test(an_empty_mailbox_has_no_hits),
        cmocka_unit_test(a_message_that_cannot_be_read_is_told),
        cmocka_unit_test(rev2_is_always_answered_by_esearch),
    };

    return cmocka_run_group_tests_name("imap_search", tests, setup, teardown);
}
