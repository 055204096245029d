#include "protocols/imap/imap_int.h"

#include "base/clock.h"

static bool complain(struct imap_cmd *c, const char *what)
{
    if (!c->complaint)
        c->complaint = what;
    return false;
}

/* ---- bytes ---- */

static bool is_atom_char(uint8_t ch)
{
    return ch > 0x20 && ch < 0x7F && !strchr("(){%*\"\\]", ch);
}

/* astring, and 8-bit bytes: some clients send names and secrets so (not legal, but harmless). */
static bool is_astring_char(uint8_t ch)
{
    return is_atom_char(ch) || ch == ']' || ch >= 0x80;
}

static bool is_list_char(uint8_t ch)
{
    return is_astring_char(ch) || ch == '%' || ch == '*';
}

static struct slice take_while(struct imap_cmd *c, bool (*belongs)(uint8_t))
{
    size_t n = 0;

    while (n < c->rest.len && belongs(c->rest.ptr[n]))
        n++;
    struct slice taken = slice_head(c->rest, n);
    c->rest = slice_from(c->rest, n);
    return taken;
}

bool imap_arg_peek(const struct imap_cmd *c, uint8_t byte)
{
    return c->rest.len && c->rest.ptr[0] == byte;
}

bool imap_arg_byte(struct imap_cmd *c, uint8_t byte)
{
    if (!imap_arg_peek(c, byte))
        return false;
    c->rest = slice_from(c->rest, 1);
    return true;
}

bool imap_arg_space(struct imap_cmd *c)
{
    return imap_arg_byte(c, ' ') || complain(c, "A space is missing between arguments");
}

bool imap_arg_end(struct imap_cmd *c)
{
    return c->rest.len == 0 || complain(c, "There is something behind the last argument");
}

bool imap_arg_atom(struct imap_cmd *c, struct slice *out)
{
    struct slice atom = take_while(c, is_atom_char);

    if (atom.len == 0)
        return complain(c, "An atom is missing");
    *out = atom;
    return true;
}

bool imap_arg_word(struct imap_cmd *c, const char *word)
{
    size_t n = strlen(word);

    if (!slice_istarts(c->rest, slice_str(word)) ||
        (c->rest.len > n && is_atom_char(c->rest.ptr[n])))
        return false;
    c->rest = slice_from(c->rest, n);
    return true;
}

/* ---- strings ---- */

static bool arg_quoted(struct imap_cmd *c, struct slice *out)
{
    struct slice s = slice_from(c->rest, 1);
    size_t n = 0, escapes = 0;

    for (;; n++) {
        if (n >= s.len || s.ptr[n] == '\r' || s.ptr[n] == '\n' || s.ptr[n] == 0)
            return complain(c, "A quoted string is not closed");
        if (s.ptr[n] == '"')
            break;
        if (s.ptr[n] != '\\')
            continue;
        if (++n >= s.len || (s.ptr[n] != '"' && s.ptr[n] != '\\'))
            return complain(c, "A backslash in a quoted string must be doubled");
        escapes++;
    }
    c->rest = slice_from(s, n + 1);
    *out = slice_head(s, n);
    if (!escapes)
        return true;
    uint8_t *plain = arena_alloc(&c->arena, n - escapes);
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        if (s.ptr[i] == '\\')
            i++;
        plain[len++] = s.ptr[i];
    }
    *out = slice_of(plain, len);
    return true;
}

/* "{n}" CRLF and n bytes, which the reader has seen to be there. */
static bool arg_literal(struct imap_cmd *c, struct slice *out)
{
    struct slice s = slice_from(c->rest, 1);
    size_t close = slice_index(s, '}');
    struct slice digits = slice_head(s, close);
    uint64_t n;

    if (digits.len && digits.ptr[digits.len - 1] == '+')
        digits.len--;
    s = slice_from(s, close + 1);
    if (s.len && s.ptr[0] == '\r')
        s = slice_from(s, 1);
    if (!slice_to_u64(digits, &n) || s.len == 0 || s.ptr[0] != '\n' || n > s.len - 1)
        return complain(c, "A literal is malformed");
    *out = slice_sub(s, 1, n);
    c->rest = slice_from(s, 1 + n);
    return true;
}

bool imap_arg_string(struct imap_cmd *c, struct slice *out)
{
    if (imap_arg_peek(c, '"'))
        return arg_quoted(c, out);
    if (imap_arg_peek(c, '{'))
        return arg_literal(c, out);
    return complain(c, "A string is missing");
}

bool imap_arg_astring(struct imap_cmd *c, struct slice *out)
{
    if (imap_arg_peek(c, '"') || imap_arg_peek(c, '{'))
        return imap_arg_string(c, out);
    struct slice atom = take_while(c, is_astring_char);
    if (atom.len == 0)
        return complain(c, "An argument is missing");
    *out = atom;
    return true;
}

bool imap_arg_nstring(struct imap_cmd *c, struct slice *out, bool *nil)
{
    *nil = imap_arg_word(c, "NIL");
    if (*nil)
        *out = SLICE_EMPTY;
    return *nil || imap_arg_string(c, out);
}

/* ---- numbers and dates ---- */

static bool is_digit(uint8_t ch)
{
    return ascii_is_digit(ch);
}

bool imap_arg_number64(struct imap_cmd *c, uint64_t *out)
{
    struct slice digits = take_while(c, is_digit);
    uint64_t n;

    /* RFC 9051 9: number64 is at most 2^63-1 */
    if (!slice_to_u64(digits, &n) || n > INT64_MAX)
        return complain(c, "A number is missing or too large");
    *out = n;
    return true;
}

bool imap_arg_number(struct imap_cmd *c, uint32_t *out)
{
    struct slice digits = take_while(c, is_digit);

    return slice_to_u32(digits, out) || complain(c, "A number is missing or too large");
}

/* A field of `least` to `most` digits. */
static bool take_digits(struct slice *s, size_t least, size_t most, int *out)
{
    uint32_t value;
    size_t n = 0;

    while (n < most && n < s->len && ascii_is_digit(s->ptr[n]))
        n++;
    if (n < least || !slice_to_u32(slice_head(*s, n), &value))
        return false;
    *s = slice_from(*s, n);
    *out = (int)value;
    return true;
}

static bool take_byte(struct slice *s, uint8_t byte)
{
    if (s->len == 0 || s->ptr[0] != byte)
        return false;
    *s = slice_from(*s, 1);
    return true;
}

static bool take_month(struct slice *s, int *month)
{
    for (int i = 0; i < 12; i++)
        if (slice_istarts(*s, slice_str(clock_month_names[i]))) {
            *s = slice_from(*s, 3);
            *month = i + 1;
            return true;
        }
    return false;
}

/* d-Mon-yyyy */
static bool take_date(struct slice *s, struct civil *civil)
{
    return take_digits(s, 1, 2, &civil->day) && take_byte(s, '-') && take_month(s, &civil->month) &&
           take_byte(s, '-') && take_digits(s, 4, 4, &civil->year);
}

static bool take_time(struct slice *s, struct civil *civil)
{
    return take_digits(s, 2, 2, &civil->hour) && take_byte(s, ':') &&
           take_digits(s, 2, 2, &civil->minute) && take_byte(s, ':') &&
           take_digits(s, 2, 2, &civil->second);
}

/* "+hhmm" or "-hhmm", as minutes east of UTC */
static bool take_zone(struct slice *s, int *minutes)
{
    int sign = take_byte(s, '-') ? -1 : 1;
    int hour, minute;

    if (sign == 1 && !take_byte(s, '+'))
        return false;
    if (!take_digits(s, 2, 2, &hour) || !take_digits(s, 2, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *minutes = sign * (hour * 60 + minute);
    return true;
}

bool imap_arg_date_time(struct imap_cmd *c, uint64_t *filetime, int16_t *zone)
{
    struct slice s;
    struct civil civil = {0};
    int64_t seconds;
    int minutes;

    if (!imap_arg_peek(c, '"') || !arg_quoted(c, &s))
        return complain(c, "A date and time is missing");
    take_byte(&s, ' '); /* date-day-fixed (RFC 9051 9) */
    if (!take_date(&s, &civil) || !take_byte(&s, ' ') || !take_time(&s, &civil) ||
        !take_byte(&s, ' ') || !take_zone(&s, &minutes) || s.len ||
        !civil_to_unix(&civil, &seconds))
        return complain(c, "A date and time is malformed");
    *filetime = filetime_from_unix(seconds - minutes * 60);
    *zone = (int16_t)minutes;
    return true;
}

bool imap_arg_date(struct imap_cmd *c, int64_t *unix_day)
{
    struct slice s;
    struct civil civil = {0};

    if (imap_arg_peek(c, '"') ? !arg_quoted(c, &s) : !imap_arg_atom(c, &s))
        return complain(c, "A date is missing");
    if (!take_date(&s, &civil) || s.len || !civil_to_unix(&civil, unix_day))
        return complain(c, "A date is malformed");
    return true;
}

/* ---- mailbox names ---- */

static bool refuse_name(struct imap_cmd *c, const char *why)
{
    c->refusal = "[CANNOT]";
    return complain(c, why);
}

/*
 * A name as it came to a store path. After ENABLE of UTF-8 names are UTF-8; before, modified
 * UTF-7, but bare UTF-8 is taken too: no valid name of the one is a name of the other.
 */
static bool decode_name(struct imap_session *s, struct imap_cmd *c, struct slice name,
                        struct slice *path)
{
    struct buf utf8 = buf_make(name.len * 3 + 4);

    if (s->utf8 || s->rev2 || !slice_is_ascii(name)) {
        if (!slice_is_utf8(name))
            return refuse_name(c, "A mailbox name is not UTF-8");
        *path = arena_slice(&c->arena, name);
        return true;
    }
    bool ok = imap_utf7_to_utf8(name, &utf8);
    if (ok)
        *path = arena_slice(&c->arena, buf_slice(&utf8));
    buf_done(&utf8);
    return ok || refuse_name(c, "A mailbox name is not modified UTF-7");
}

/* A first level INBOX is that in any case (RFC 9051 5.1): one name in all answers. */
static struct slice with_inbox(struct imap_cmd *c, struct slice path)
{
    static const struct slice inbox = {(const uint8_t *)"INBOX", 5};

    if (!slice_istarts(path, inbox) || (path.len > inbox.len && path.ptr[inbox.len] != '/'))
        return path;
    uint8_t *copy = arena_alloc(&c->arena, path.len);
    memcpy(copy, path.ptr, path.len);
    memcpy(copy, inbox.ptr, inbox.len);
    return slice_of(copy, path.len);
}

bool imap_arg_mailbox(struct imap_session *s, struct imap_cmd *c, struct slice *path)
{
    struct slice name;

    if (!imap_arg_astring(c, &name) || !decode_name(s, c, name, path))
        return false;
    *path = with_inbox(c, *path);
    return true;
}

bool imap_arg_list_mailbox(struct imap_session *s, struct imap_cmd *c, struct slice *pattern)
{
    struct slice name;

    if (imap_arg_peek(c, '"') || imap_arg_peek(c, '{')) {
        if (!imap_arg_string(c, &name))
            return false;
    } else {
        name = take_while(c, is_list_char);
        if (name.len == 0)
            return complain(c, "A mailbox pattern is missing");
    }
    return decode_name(s, c, name, pattern);
}

/* ---- flags ---- */

static bool system_flag(struct slice name, uint16_t *flags)
{
    static const struct {
        const char *name;
        uint16_t flag;
    } known[] = {
        {"Seen", FLAG_SEEN},       {"Answered", FLAG_ANSWERED}, {"Flagged", FLAG_FLAGGED},
        {"Deleted", FLAG_DELETED}, {"Draft", FLAG_DRAFT},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_ieq(name, slice_str(known[i].name))) {
            *flags |= known[i].flag;
            return true;
        }
    return false;
}

struct keyword_list {
    struct slice *names;
    size_t n, cap;
};

static void add_keyword(struct imap_cmd *c, struct keyword_list *list, struct slice name)
{
    if (list->n == list->cap) {
        size_t more = list->cap ? list->cap : 4;

        list->names = arena_grow(&c->arena, list->names, list->n, more, sizeof *list->names);
        list->cap += more;
    }
    list->names[list->n++] = arena_slice(&c->arena, name);
}

static bool arg_flag(struct imap_cmd *c, uint16_t *flags, struct keyword_list *keywords)
{
    bool system = imap_arg_byte(c, '\\');
    struct slice name;

    if (!imap_arg_atom(c, &name))
        return complain(c, "A flag is missing");
    if (system)
        return system_flag(name, flags) || complain(c, "There is no such system flag");
    add_keyword(c, keywords, name);
    return true;
}

bool imap_arg_flags(struct imap_cmd *c, uint16_t *flags, struct slice **keywords, size_t *n)
{
    bool list = imap_arg_byte(c, '(');
    struct keyword_list found = {NULL, 0, 0};
    uint16_t mask = 0;

    if (!list || !imap_arg_byte(c, ')')) {
        do {
            if (!arg_flag(c, &mask, &found))
                return false;
        } while (imap_arg_byte(c, ' '));
        if (list && !imap_arg_byte(c, ')'))
            return complain(c, "A list of flags is not closed");
    }
    *flags = mask;
    *keywords = found.names;
    *n = found.n;
    return true;
}

/* ---- sets ---- */

/* One number, or "*"; `most` is the largest there may be. */
static bool set_number(struct imap_cmd *c, uint32_t star, uint32_t most, uint32_t *out)
{
    struct slice digits;
    uint32_t n;

    if (imap_arg_byte(c, '*')) {
        *out = star;
        return true;
    }
    digits = take_while(c, is_digit);
    if (!slice_to_u32(digits, &n) || n == 0)
        return complain(c, "A set of messages is malformed");
    if (n > most)
        return complain(c, "There are fewer messages than that");
    *out = n;
    return true;
}

/* Ranges in any order; zero stands for "*" in an empty mailbox, which is nothing. */
static bool arg_ranges(struct imap_cmd *c, uint32_t star, uint32_t most, struct uidset *set)
{
    do {
        uint32_t a, b;

        if (!set_number(c, star, most, &a))
            return false;
        b = a;
        if (imap_arg_byte(c, ':') && !set_number(c, star, most, &b))
            return false;
        if (a && b)
            uidset_append_unordered(set, a < b ? a : b, a < b ? b : a);
    } while (imap_arg_byte(c, ','));
    uidset_normalize(set);
    return true;
}

bool imap_arg_raw_set(struct imap_cmd *c, uint32_t star, struct uidset *set)
{
    struct uidset found = UIDSET_EMPTY;

    if (!arg_ranges(c, star, UINT32_MAX, &found)) {
        uidset_done(&found);
        return false;
    }
    uidset_done(set);
    *set = found;
    return true;
}

/* In place: the sequence numbers of each run become the UIDs at their ends. */
static void numbers_to_uids(const struct store_view *view, struct uidset *set)
{
    for (size_t i = 0; i < set->n; i++) {
        set->runs[i].first = store_view_uid(view, set->runs[i].first);
        set->runs[i].last = store_view_uid(view, set->runs[i].last);
    }
}

bool imap_arg_set(struct imap_session *s, struct imap_cmd *c, struct uidset *uids)
{
    const struct store_view *view = s->selected->view;
    bool by_uid = c->def->flags & CMD_UID;
    uint32_t count = store_view_count(view);
    struct uidset asked = UIDSET_EMPTY;

    if (imap_arg_byte(c, '$')) {
        uidset_intersect(&s->selected->saved, store_view_uids(view), uids);
        return true;
    }
    /* Clients ask for 1:* of an empty mailbox; it is no crime. */
    if (!arg_ranges(c, by_uid ? store_view_last_uid(view) : count,
                    by_uid || count == 0 ? UINT32_MAX : count, &asked)) {
        uidset_done(&asked);
        return false;
    }
    if (count == 0)
        uidset_clear(&asked);
    if (!by_uid)
        numbers_to_uids(view, &asked);
    uidset_intersect(&asked, store_view_uids(view), uids);
    uidset_done(&asked);
    return true;
}
