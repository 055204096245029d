/*
 * Plays the transcripts of tests/golden/ against the bare engines; tests/e2e/test_golden.py plays
 * the same against the daemon. tests/golden/README.md says how they are written.
 */
#include <glob.h>

#include "protocols/imap/imap.h"
#include "protocols/lmtp/lmtp.h"
#include "protocols/ops/ops.h"
#include "protocols/pop3/pop3.h"
#include "tests/support/session_fixture.h"

enum { CONNECTIONS = 10, VARS = 30 };

struct player {
    struct fixture *fx;
    const char *file;
    unsigned line;
    size_t room, max_feed; /* how the engine is driven */
    struct {
        uint8_t label[2];
        struct fixture_session *fs;
    } connections[CONNECTIONS];
    size_t n_connections;
    struct {
        struct slice name, value;
    } vars[VARS];
    size_t n_vars;
    struct arena arena;
};

/* ---- names for what is not known before ---- */

static struct slice *value_of(struct player *p, struct slice name)
{
    for (size_t i = 0; i < p->n_vars; i++)
        if (slice_eq(p->vars[i].name, name))
            return &p->vars[i].value;
    return NULL;
}

/* "${name}" at the front: takes it off. */
static bool take_name(struct slice *text, struct slice *name)
{
    if (!slice_starts(*text, S("${")))
        return false;
    *name = slice_from(*text, 2);
    *name = slice_head(*name, slice_index(*name, '}'));
    *text = slice_from(*text, name->len + 3);
    return true;
}

static bool is_value(uint8_t c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || (c && strchr("_.-@$", c));
}

static void learn(struct player *p, struct slice name, struct slice value)
{
    assert_true(p->n_vars < VARS);
    p->vars[p->n_vars].name = arena_slice(&p->arena, name);
    p->vars[p->n_vars++].value = arena_slice(&p->arena, value);
}

static bool fits(struct player *p, struct slice want, struct slice got);

static bool fits_name(struct player *p, struct slice name, struct slice want, struct slice got)
{
    struct slice *value = value_of(p, name);
    size_t n = 0;

    if (value)
        return slice_starts(got, *value) && fits(p, want, slice_from(got, value->len));
    while (n < got.len && is_value(got.ptr[n]))
        n++;
    if (n == 0)
        return false;
    learn(p, name, slice_head(got, n));
    return fits(p, want, slice_from(got, n));
}

/* One line; "~" is any bytes. */
static bool fits(struct player *p, struct slice want, struct slice got)
{
    struct slice name;

    for (;; want = slice_from(want, 1), got = slice_from(got, 1)) {
        if (want.len == 0)
            return got.len == 0;
        if (take_name(&want, &name))
            return fits_name(p, name, want, got);
        if (want.ptr[0] == '~') {
            want = slice_from(want, 1);
            for (size_t skip = 0; skip <= got.len; skip++)
                if (fits(p, want, slice_from(got, skip)))
                    return true;
            return false;
        }
        if (got.len == 0 || want.ptr[0] != got.ptr[0])
            return false;
    }
}

/* ---- reading a transcript ---- */

static int hex(uint8_t c)
{
    const char *at = c ? strchr("0123456789abcdef", ascii_lower(c)) : NULL;

    return at ? (int)(at - "0123456789abcdef") : -1;
}

/* "\x80" as its byte, "${name}" as its value where `say`. */
static void put_text(struct player *p, struct slice text, bool say, struct buf *out)
{
    struct slice name;

    while (text.len) {
        if (text.len >= 4 && text.ptr[0] == '\\' && text.ptr[1] == 'x' && hex(text.ptr[2]) >= 0 &&
            hex(text.ptr[3]) >= 0) {
            buf_putc(out, (uint8_t)(hex(text.ptr[2]) * 16 + hex(text.ptr[3])));
            text = slice_from(text, 4);
        } else if (say && take_name(&text, &name)) {
            struct slice *value = value_of(p, name);

            if (!value)
                fail_msg("%s:%u: nobody told %.*s", p->file, p->line, SLICE_ARG(name));
            buf_put(out, *value);
        } else {
            buf_putc(out, text.ptr[0]);
            text = slice_from(text, 1);
        }
    }
}

/* ---- playing it ---- */

static struct fixture_session *connect_to(struct player *p, char letter)
{
    static const struct {
        char letter;
        session_maker make;
        enum auth_protocol protocol;
    } makers[] = {
        {'I', imap_session_new, AUTH_IMAP},
        {'P', pop3_session_new, AUTH_POP3},
        {'L', lmtp_session_new, AUTH_LMTP},
        {'O', ops_session_new, AUTH_OPS},
    };

    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++)
        if (makers[i].letter == letter) {
            struct fixture_session *fs = fixture_connect(p->fx, makers[i].make, makers[i].protocol);

            buf_clear(&fs->out);
            fs->room = p->room;
            fs->max_feed = p->max_feed;
            return fs;
        }
    fail_msg("%s:%u: no such protocol", p->file, p->line);
    return NULL;
}

/* The connection that a label names: "I2" is the second IMAP connection. */
static struct fixture_session *connection(struct player *p, struct slice label)
{
    for (size_t i = 0; i < p->n_connections; i++)
        if (memcmp(p->connections[i].label, label.ptr, 2) == 0)
            return p->connections[i].fs;
    assert_true(p->n_connections < CONNECTIONS);
    memcpy(p->connections[p->n_connections].label, label.ptr, 2);
    return p->connections[p->n_connections++].fs = connect_to(p, (char)label.ptr[0]);
}

static void say(struct player *p, struct slice label, struct slice text)
{
    struct fixture_session *fs = connection(p, label);
    struct buf line = buf_make(1 << 20);
    struct buf before = fs->out;

    put_text(p, text, true, &line);
    buf_puts(&line, "\r\n");
    fs->out = buf_make(SIZE_MAX);
    buf_put(&before, fixture_say_bytes(fs, buf_slice(&line)));
    buf_done(&fs->out);
    fs->out = before;
    buf_done(&line);
}

static void expect(struct player *p, struct slice label, struct slice text)
{
    struct fixture_session *fs = connection(p, label);
    struct buf want = buf_make(1 << 20);

    put_text(p, text, false, &want);
    while (slice_index(buf_slice(&fs->out), '\n') == fs->out.len && !fs->over) {
        if (!fs->woken)
            test_loop_wait(fs->fx->loop); /* an idle session: what another did will wake it */
        fixture_run(fs);
    }
    struct slice got = buf_slice(&fs->out);
    struct slice line = slice_head(got, slice_index(got, '\n'));
    size_t used = line.len + (line.len < got.len);

    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    if (!fits(p, buf_slice(&want), line))
        fail_msg("%s:%u:\nwanted: %.*s\ngot:    %.*s", p->file, p->line,
                 SLICE_ARG(buf_slice(&want)), SLICE_ARG(got));
    buf_consume(&fs->out, used);
    buf_done(&want);
}

/* "C:", "S2:", "CP:", "SI1:": who speaks, and on which connection. */
static void play_line(struct player *p, struct slice line, char protocol)
{
    size_t colon = slice_index(line, ':');
    struct slice label = slice_sub(line, 1, colon - 1);
    struct slice text = slice_from(line, colon + 1);
    uint8_t name[2] = {(uint8_t)protocol, '0'};

    if (line.len == 0 || line.ptr[0] == '#')
        return;
    if (colon == line.len || !strchr("CS", line.ptr[0]))
        fail_msg("%s:%u: neither C: nor S:", p->file, p->line);
    if (label.len && ascii_is_alpha(label.ptr[0])) {
        name[0] = label.ptr[0];
        label = slice_from(label, 1);
    }
    if (label.len)
        name[1] = label.ptr[0];
    if (text.len && text.ptr[0] == ' ')
        text = slice_from(text, 1);
    if (line.ptr[0] == 'C')
        say(p, slice_of(name, 2), text);
    else
        expect(p, slice_of(name, 2), text);
}

static void close_all(struct player *p)
{
    for (size_t i = 0; i < p->n_connections; i++) {
        struct fixture_session *fs = p->connections[i].fs;

        if (fs->out.len)
            fail_msg("%s: unasked for at the end: %.*s", p->file, SLICE_ARG(buf_slice(&fs->out)));
        fixture_session_free(fs);
    }
}

static void play(const char *file, char protocol, size_t room, size_t max_feed)
{
    struct player p = {
        .fx = fixture_new(), .file = file, .room = room, .max_feed = max_feed, .arena = ARENA_INIT};
    FILE *in = fopen(file, "r");
    char line[8192];

    assert_non_null(in);
    p.fx->no_logon = true; /* as the daemon has it on loopback */
    while (fgets(line, sizeof line, in)) {
        p.line++;
        play_line(&p, slice_head(slice_str(line), strcspn(line, "\n")), protocol);
    }
    fclose(in);
    close_all(&p);
    fixture_free(p.fx);
    arena_done(&p.arena);
}

static void play_all(const char *pattern, char protocol)
{
    glob_t found;

    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        play(found.gl_pathv[i], protocol, 65536, SIZE_MAX);
        /* The same, a byte in and a line out at a time. */
        play(found.gl_pathv[i], protocol, 1, 1);
    }
    globfree(&found);
}

static void imap_transcripts(void **state)
{
    (void)state;
    play_all("tests/golden/imap/*.txt", 'I');
}

static void pop3_transcripts(void **state)
{
    (void)state;
    play_all("tests/golden/pop3/*.txt", 'P');
}

static void lmtp_transcripts(void **state)
{
    (void)state;
    play_all("tests/golden/lmtp/*.txt", 'L');
}

static void ops_transcripts(void **state)
{
    (void)state;
    play_all("tests/golden/ops/*.txt", 'O');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(imap_transcripts),
        cmocka_unit_test(pop3_transcripts),
        cmocka_unit_test(lmtp_transcripts),
        cmocka_unit_test(ops_transcripts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
