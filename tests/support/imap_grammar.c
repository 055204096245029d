#include "tests/support/imap_grammar.h"

/* Reads forward; the first rule that is broken stays. */
struct reader {
    struct slice s;
    size_t at;
    const char *why;
};

static bool broken(struct reader *r, const char *why)
{
    if (!r->why)
        r->why = why;
    return false;
}

static bool peek(const struct reader *r, uint8_t c)
{
    return r->at < r->s.len && r->s.ptr[r->at] == c;
}

static bool take(struct reader *r, uint8_t c, const char *why)
{
    if (!peek(r, c))
        return broken(r, why);
    r->at++;
    return true;
}

static bool take_sp(struct reader *r)
{
    return take(r, ' ', "SP");
}

static bool take_nil(struct reader *r)
{
    if (!slice_istarts(slice_from(r->s, r->at), S("NIL")))
        return false;
    r->at += 3;
    return true;
}

/* number = 1*DIGIT, unsigned 32 bits; number64 has 63. Literals may be as long as they are. */
static bool take_number(struct reader *r, uint64_t max)
{
    size_t n = 0;
    uint64_t value;

    while (r->at + n < r->s.len && ascii_is_digit(r->s.ptr[r->at + n]))
        n++;
    if (!slice_to_u64(slice_sub(r->s, r->at, n), &value) || value > max)
        return broken(r, "number");
    r->at += n;
    return true;
}

/* quoted = DQUOTE *QUOTED-CHAR DQUOTE, of 7-bit TEXT-CHAR (no CR, LF, NUL). */
static bool take_quoted(struct reader *r, struct slice *text)
{
    size_t start = ++r->at;

    for (; r->at < r->s.len; r->at++) {
        uint8_t c = r->s.ptr[r->at];

        if (c == '"') {
            *text = slice_sub(r->s, start, r->at - start);
            r->at++;
            return true;
        }
        if (c == 0 || c == '\r' || c == '\n' || c > 0x7F)
            return broken(r, "QUOTED-CHAR");
        if (c != '\\')
            continue;
        r->at++;
        if (!peek(r, '"') && !peek(r, '\\'))
            return broken(r, "quoted-specials");
    }
    return broken(r, "quoted without its end");
}

/* literal = "{" number "}" CRLF *CHAR8, and CHAR8 is not NUL. */
static bool take_literal(struct reader *r, struct slice *text)
{
    size_t digits = ++r->at;
    uint64_t len = 0;

    if (!take_number(r, UINT32_MAX))
        return false;
    slice_to_u64(slice_sub(r->s, digits, r->at - digits), &len);
    if (!take(r, '}', "literal") || !take(r, '\r', "literal") || !take(r, '\n', "literal"))
        return false;
    if (len > r->s.len - r->at)
        return broken(r, "literal that is too short");
    *text = slice_sub(r->s, r->at, len);
    if (slice_index(*text, 0) < text->len)
        return broken(r, "NUL in a literal");
    r->at += len;
    return true;
}

static bool take_string(struct reader *r, struct slice *text)
{
    struct slice ignored;

    if (!text)
        text = &ignored;
    if (peek(r, '"'))
        return take_quoted(r, text);
    if (peek(r, '{'))
        return take_literal(r, text);
    return broken(r, "string");
}

static bool take_nstring(struct reader *r)
{
    return take_nil(r) || take_string(r, NULL);
}

/* ---- envelope ---- */

/*
 * address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")". A group's start has a name
 * for a mailbox and nothing else, its end nothing at all (RFC 3501 7.4.2).
 */
static bool take_address(struct reader *r, int *group)
{
    bool nil[4];

    if (!take(r, '(', "address"))
        return false;
    for (int i = 0; i < 4; i++) {
        if (i > 0 && !take_sp(r))
            return false;
        nil[i] = take_nil(r);
        if (!nil[i] && !take_string(r, NULL))
            return false;
    }
    if (!take(r, ')', "address"))
        return false;
    if (!nil[3])
        return !nil[2] || broken(r, "addr-mailbox of an address is NIL");
    if (!nil[0] || !nil[1])
        return broken(r, "name or route of a group");
    *group += nil[2] ? -1 : 1;
    return (*group == 0 || *group == 1) || broken(r, "groups that do not pair");
}

/* "(" 1*address ")" / nil */
static bool take_addresses(struct reader *r)
{
    int group = 0;

    if (take_nil(r))
        return true;
    if (!take(r, '(', "list of addresses"))
        return false;
    do {
        if (!take_address(r, &group))
            return false;
    } while (peek(r, '('));
    if (group != 0)
        return broken(r, "a group without its end");
    return take(r, ')', "list of addresses");
}

static bool take_envelope(struct reader *r)
{
    if (!take(r, '(', "envelope"))
        return false;
    for (int i = 0; i < 10; i++) {
        if (i > 0 && !take_sp(r))
            return false;
        if (i >= 2 && i <= 7 ? !take_addresses(r) : !take_nstring(r))
            return false;
    }
    return take(r, ')', "envelope");
}

/* ---- body ---- */

/* body-fld-param = "(" string SP string *(SP string SP string) ")" / nil */
static bool take_params(struct reader *r)
{
    if (take_nil(r))
        return true;
    if (!take(r, '(', "body-fld-param"))
        return false;
    for (;;) {
        if (!take_string(r, NULL) || !take_sp(r) || !take_string(r, NULL))
            return false;
        if (!peek(r, ' '))
            return take(r, ')', "body-fld-param");
        r->at++;
    }
}

/* body-fld-dsp = "(" string SP body-fld-param ")" / nil */
static bool take_disposition(struct reader *r)
{
    if (take_nil(r))
        return true;
    return take(r, '(', "body-fld-dsp") && take_string(r, NULL) && take_sp(r) && take_params(r) &&
           take(r, ')', "body-fld-dsp");
}

/* body-fld-lang = nstring / "(" string *(SP string) ")" */
static bool take_language(struct reader *r)
{
    if (!peek(r, '('))
        return take_nstring(r);
    r->at++;
    for (;;) {
        if (!take_string(r, NULL))
            return false;
        if (!peek(r, ' '))
            return take(r, ')', "body-fld-lang");
        r->at++;
    }
}

/* SP disposition SP language SP location */
static bool take_extension_tail(struct reader *r)
{
    return take_sp(r) && take_disposition(r) && take_sp(r) && take_language(r) && take_sp(r) &&
           take_nstring(r);
}

enum form { BASIC, TEXT, MESSAGE };

/* Type to octets: what body-type-basic, -text and -msg have in common. */
static bool take_fields(struct reader *r, enum form *form)
{
    struct slice type, subtype;

    if (!take_string(r, &type) || !take_sp(r) || !take_string(r, &subtype))
        return false;
    if (type.len == 0 || subtype.len == 0)
        return broken(r, "empty media type");
    if (slice_ieq(type, S("multipart")))
        return broken(r, "multipart as a basic type");
    bool message = slice_ieq(type, S("message")) &&
                   (slice_ieq(subtype, S("rfc822")) || slice_ieq(subtype, S("global")));
    *form = slice_ieq(type, S("text")) ? TEXT : message ? MESSAGE : BASIC;
    return take_sp(r) && take_params(r) && take_sp(r) && take_nstring(r) && take_sp(r) &&
           take_nstring(r) && take_sp(r) && take_string(r, NULL) && take_sp(r) &&
           take_number(r, UINT32_MAX);
}

/* What is open above the body that is read: m for a multipart's "(", r for a message's. */
struct nesting {
    char open[4096];
    unsigned depth;
};

/* A body up to its end, or to the body in it. */
static bool begin_body(struct reader *r, struct nesting *n, bool extended, bool *ended)
{
    enum form form;

    if (!take(r, '(', "body") || n->depth == sizeof n->open)
        return broken(r, "nesting");
    *ended = false;
    if (peek(r, '(')) {
        n->open[n->depth++] = 'm';
        return true;
    }
    if (!take_fields(r, &form))
        return false;
    if (form == MESSAGE) {
        n->open[n->depth++] = 'r';
        return take_sp(r) && take_envelope(r) && take_sp(r);
    }
    if (form == TEXT && !(take_sp(r) && take_number(r, UINT32_MAX)))
        return false;
    if (extended && !(take_sp(r) && take_nstring(r) && take_extension_tail(r)))
        return false;
    *ended = true;
    return take(r, ')', "body");
}

/* What stands behind the last body in a message or multipart. */
static bool end_body(struct reader *r, char what, bool extended)
{
    struct slice subtype;

    if (!take_sp(r))
        return false;
    if (what == 'r') {
        if (!take_number(r, UINT32_MAX) || (extended && !(take_sp(r) && take_nstring(r))))
            return false;
    } else {
        if (!take_string(r, &subtype))
            return false;
        if (subtype.len == 0)
            return broken(r, "empty media-subtype");
        if (extended && !(take_sp(r) && take_params(r)))
            return false;
    }
    if (extended && !take_extension_tail(r))
        return false;
    return take(r, ')', "body");
}

static bool take_body(struct reader *r, bool extended)
{
    struct nesting n = {.depth = 0};

    for (;;) {
        bool ended;

        if (!begin_body(r, &n, extended, &ended))
            return false;
        if (!ended)
            continue;
        /* A multipart goes on with the next body, without a space between. */
        while (n.depth && !(n.open[n.depth - 1] == 'm' && peek(r, '(')))
            if (!end_body(r, n.open[--n.depth], extended))
                return false;
        if (n.depth == 0)
            return true;
    }
}

static bool finish(struct reader *r, bool good, const char **why, size_t *at)
{
    if (good && r->at != r->s.len)
        good = broken(r, "something behind the end");
    *why = r->why;
    *at = r->at;
    return good;
}

bool imap_is_envelope(struct slice s, const char **why, size_t *at)
{
    struct reader r = {s, 0, NULL};

    return finish(&r, take_envelope(&r), why, at);
}

bool imap_is_body(struct slice s, bool extended, const char **why, size_t *at)
{
    struct reader r = {s, 0, NULL};

    return finish(&r, take_body(&r, extended), why, at);
}
