#include "tests/support/imap_client.h"

#include "protocols/imap/imap.h"

struct imap_client *imap_client_new(struct fixture *fx, const char *user)
{
    struct imap_client *ic = mem_new(sizeof *ic);

    ic->fs = fixture_connect(fx, imap_session_new, AUTH_IMAP);
    ic->reply = buf_make(SIZE_MAX);
    imap_client_ok(ic, "LOGIN %s " FIXTURE_SECRET, user);
    return ic;
}

void imap_client_free(struct imap_client *ic)
{
    if (!ic)
        return;
    fixture_session_free(ic->fs);
    buf_done(&ic->reply);
    free(ic);
}

/* ---- lines and values ---- */

/* Does it end in "{n}"? */
static bool ends_in_literal(struct slice line, uint64_t *n)
{
    size_t at = line.len;

    if (at < 3 || line.ptr[at - 1] != '}')
        return false;
    at--;
    size_t end = at;
    while (at && ascii_is_digit(line.ptr[at - 1]))
        at--;
    return at && line.ptr[at - 1] == '{' && slice_to_u64(slice_sub(line, at, end - at), n);
}

bool imap_client_line(struct slice *reply, struct slice *line)
{
    size_t at = 0;
    uint64_t n;

    for (;;) {
        size_t end = at + slice_find(slice_from(*reply, at), S("\r\n"));

        if (end + 2 > reply->len)
            return false;
        *line = slice_head(*reply, end);
        if (!ends_in_literal(slice_from(*line, at), &n))
            break;
        if (n > reply->len - end - 2)
            return false;
        at = end + 2 + (size_t)n;
    }
    *reply = slice_from(*reply, line->len + 2);
    return true;
}

static size_t quoted_len(struct slice s)
{
    for (size_t i = 1; i < s.len; i++) {
        if (s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == '"')
            return i + 1;
    }
    return 0;
}

/* Of the literal at the front, with its head; 0 where it is none. */
static size_t literal_len(struct slice s)
{
    size_t at = s.len && s.ptr[0] == '~';
    struct slice digits = slice_from(s, at + 1);
    size_t close = slice_index(digits, '}');
    uint64_t n;

    if (!slice_to_u64(slice_head(digits, close), &n) ||
        !slice_starts(slice_from(digits, close), S("}\r\n")))
        return 0;
    size_t head = at + 1 + close + 3;
    return n <= s.len - head ? head + (size_t)n : 0;
}

static size_t value_len(struct slice s);

static size_t list_len(struct slice s)
{
    size_t at = 1;

    while (at < s.len && s.ptr[at] != ')') {
        size_t n = s.ptr[at] == ' ' ? 1 : value_len(slice_from(s, at));

        if (n == 0)
            return 0;
        at += n;
    }
    return at < s.len ? at + 1 : 0;
}

/* An atom, and what brackets it has: BODY[HEADER.FIELDS (DATE)]<0>. */
static size_t atom_len(struct slice s)
{
    size_t at = 0, depth = 0;

    for (; at < s.len; at++) {
        uint8_t c = s.ptr[at];

        if (depth == 0 && (c == ' ' || c == '(' || c == ')'))
            break;
        if (depth && (c == '"' || c == '{')) {
            struct slice rest = slice_from(s, at);
            size_t n = c == '"' ? quoted_len(rest) : literal_len(rest);

            if (n == 0)
                return 0;
            at += n - 1;
        }
        depth += c == '[';
        depth -= c == ']' && depth;
    }
    return at;
}

static size_t value_len(struct slice s)
{
    if (s.len == 0)
        return 0;
    if (s.ptr[0] == '(')
        return list_len(s);
    if (s.ptr[0] == '"')
        return quoted_len(s);
    if (s.ptr[0] == '{' || slice_starts(s, S("~{")))
        return literal_len(s);
    return atom_len(s);
}

bool imap_client_value(struct slice *rest, struct slice *value)
{
    size_t n = value_len(*rest);

    if (n == 0)
        return false;
    *value = slice_head(*rest, n);
    *rest = slice_from(*rest, n);
    if (slice_starts(*rest, S(" ")))
        *rest = slice_from(*rest, 1);
    return true;
}

struct slice imap_client_string(struct imap_client *ic, struct slice value)
{
    static struct buf plain;
    (void)ic;

    if (value.len && value.ptr[0] != '"')
        return slice_from(value, slice_find(value, S("\r\n")) + 2);
    buf_done(&plain);
    plain = buf_make(SIZE_MAX);
    for (size_t i = 1; i + 1 < value.len; i++) {
        if (value.ptr[i] == '\\')
            i++;
        buf_putc(&plain, value.ptr[i]);
    }
    return buf_slice(&plain);
}

/* ---- commands ---- */

/* Split the reply into untagged lines and the tagged one; fails the test where it is neither. */
static struct slice take_reply(struct imap_client *ic, const char *tag)
{
    struct slice rest = buf_slice(&ic->reply), line = SLICE_EMPTY, all = rest;
    struct buf start = buf_make(64);

    buf_printf(&start, "%s ", tag);
    while (rest.len) {
        if (!imap_client_line(&rest, &line))
            fail_msg("not a whole line: %.*s", SLICE_ARG(rest));
        if (slice_starts(line, buf_slice(&start)))
            break;
        if (!slice_starts(line, S("* ")) && !slice_starts(line, S("+")))
            fail_msg("neither tagged nor untagged: %.*s", SLICE_ARG(line));
    }
    if (!slice_starts(line, buf_slice(&start)) || rest.len)
        fail_msg("no tagged line at the end of: %.*s", SLICE_ARG(all));
    ic->tagged = slice_from(line, start.len);
    buf_done(&start);
    return slice_head(all, (size_t)(line.ptr - all.ptr));
}

struct slice imap_client_bytes(struct imap_client *ic, struct slice command)
{
    struct buf text = buf_make(SIZE_MAX);
    char tag[16];

    snprintf(tag, sizeof tag, "a%u", ++ic->tag);
    buf_printf(&text, "%s ", tag);
    buf_put(&text, command);
    buf_puts(&text, "\r\n");
    struct slice said = fixture_say_bytes(ic->fs, buf_slice(&text));
    buf_clear(&ic->reply);
    buf_put(&ic->reply, said);
    buf_done(&text);
    return take_reply(ic, tag);
}

static struct slice say(struct imap_client *ic, const char *status, const char *format,
                        va_list args)
{
    struct buf text = buf_make(SIZE_MAX);

    buf_vprintf(&text, format, args);
    struct slice reply = imap_client_bytes(ic, buf_slice(&text));
    if (status && !slice_starts(ic->tagged, slice_str(status)))
        fail_msg("%.*s: answered %.*s", SLICE_ARG(buf_slice(&text)), SLICE_ARG(ic->tagged));
    buf_done(&text);
    return reply;
}

struct slice imap_client_say(struct imap_client *ic, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    struct slice reply = say(ic, NULL, format, args);
    va_end(args);
    return reply;
}

struct slice imap_client_ok(struct imap_client *ic, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    struct slice reply = say(ic, "OK ", format, args);
    va_end(args);
    return reply;
}

struct slice imap_client_no(struct imap_client *ic, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    struct slice reply = say(ic, "NO ", format, args);
    va_end(args);
    return reply;
}

struct slice imap_client_bad(struct imap_client *ic, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    struct slice reply = say(ic, "BAD ", format, args);
    va_end(args);
    return reply;
}

struct slice imap_client_code(const struct imap_client *ic)
{
    struct slice s = slice_from(ic->tagged, slice_index(ic->tagged, ' ') + 1);

    if (!slice_starts(s, S("[")))
        return SLICE_EMPTY;
    return slice_sub(s, 1, slice_index(s, ']') - 1);
}

/* ---- looking for things ---- */

/* "* 12 FETCH (": the items behind it. */
static bool is_fetch_of(struct slice line, uint32_t seq, struct slice *items)
{
    struct buf start = buf_make(64);

    buf_printf(&start, "* %u FETCH (", seq);
    bool is = slice_starts(line, buf_slice(&start)) && slice_ends(line, S(")"));
    if (is)
        *items = slice_sub(line, start.len, line.len - start.len - 1);
    buf_done(&start);
    return is;
}

struct slice imap_client_item(struct slice reply, uint32_t seq, const char *name)
{
    struct slice line, items, word, value, found = SLICE_EMPTY;

    while (imap_client_line(&reply, &line)) {
        if (!is_fetch_of(line, seq, &items))
            continue;
        while (items.len) {
            if (!imap_client_value(&items, &word) || !imap_client_value(&items, &value))
                fail_msg("no list of items: %.*s", SLICE_ARG(line));
            if (slice_eq(word, slice_str(name)))
                found = value;
        }
    }
    return found;
}

struct slice imap_client_find(struct slice reply, const char *start)
{
    struct slice line;

    while (imap_client_line(&reply, &line))
        if (slice_starts(slice_from(line, 2), slice_str(start)))
            return slice_from(line, 2);
    return SLICE_EMPTY;
}

unsigned imap_client_count(struct slice reply, const char *end)
{
    struct slice line;
    unsigned n = 0;

    while (imap_client_line(&reply, &line))
        n += slice_ends(line, slice_str(end));
    return n;
}
