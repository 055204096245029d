#include "store/mime/mime_int.h"

/*
 * Addresses of RFC 5322 3.4 and of what mail has instead. The reader goes over the value once,
 * collecting words until a special tells what they were: a display name before '<', a local part
 * before '@', a group's name before ':'.
 */

/* What was collected since the last comma. */
struct pending {
    struct words phrase;  /* words with one space between: a display name */
    struct words local;   /* the same without spaces: a local part */
    struct words comment; /* the last comment: a name where there is no other */
    bool space;           /* space or a comment since the last word */
};

static bool ends_atom(uint8_t c)
{
    return is_space(c) || (c && strchr("()<>@,;:\"", c));
}

static struct slice take_atom(struct slice *s, bool (*ends)(uint8_t))
{
    size_t n = 0;

    while (n < s->len && !ends(s->ptr[n]))
        n++;
    struct slice atom = slice_head(*s, n);
    *s = slice_from(*s, n);
    return atom;
}

/* The blank between two words: as it stands in the source if it is one, so nothing is copied. */
static void add_blank(struct words *phrase, const uint8_t *next_word)
{
    if (!phrase->any)
        return;
    if (next_word[-1] == ' ')
        words_add(phrase, slice_of(next_word - 1, 1));
    else
        words_add_byte(phrase, ' ');
}

static void take_word(struct slice *s, struct pending *p)
{
    const uint8_t *at = s->ptr;

    if (p->space)
        add_blank(&p->phrase, at);
    p->space = false;
    if (*at == '"') {
        struct slice again = *s;

        mime_take_quoted(s, &p->phrase);
        mime_take_quoted(&again, &p->local);
        return;
    }
    struct slice atom = take_atom(s, ends_atom);
    words_add(&p->phrase, atom);
    words_add(&p->local, atom);
}

static bool ends_domain(uint8_t c)
{
    return is_space(c) || (c && strchr("()<>@,;:", c));
}

/*
 * "example.org", with the spaces and comments of RFC 822 around its dots, or "[192.0.2.1]". A
 * comment behind it may be a name.
 */
static struct slice take_domain(struct slice *s, struct arena *in, struct words *comment)
{
    struct words domain = words_make(in);
    bool dot = true;

    while (s->len) {
        if (is_space(s->ptr[0])) {
            *s = slice_from(*s, 1);
            continue;
        }
        if (s->ptr[0] == '(') {
            *comment = words_make(in);
            mime_take_comment(s, dot ? NULL : comment);
            continue;
        }
        if (s->ptr[0] == '[' && dot) {
            size_t close = slice_index(*s, ']');

            words_add(&domain, slice_head(*s, close + 1));
            *s = slice_from(*s, close + 1);
            dot = false;
            continue;
        }
        if (!dot && s->ptr[0] != '.')
            break;
        struct slice atom = take_atom(s, ends_domain);
        if (atom.len == 0)
            break;
        words_add(&domain, atom);
        dot = atom.ptr[atom.len - 1] == '.';
    }
    return words_slice(&domain);
}

/* "@a,@b:" of "<@a,@b:user@c>" (RFC 5322 4.4); nothing where it is no route. */
static struct slice take_route(struct slice *s, struct arena *in)
{
    struct words route = words_make(in), ignored = words_make(in);
    struct slice at = *s;

    while (at.len && at.ptr[0] == '@') {
        words_add(&route, slice_head(at, 1));
        at = slice_from(at, 1);
        words_add(&route, take_domain(&at, in, &ignored));
        mime_skip_cfws(&at);
        if (at.len == 0 || at.ptr[0] != ',')
            break;
        while (at.len && (at.ptr[0] == ',' || is_space(at.ptr[0])))
            at = slice_from(at, 1);
        words_add_byte(&route, ',');
    }
    if (at.len == 0 || at.ptr[0] != ':')
        return SLICE_EMPTY;
    *s = slice_from(at, 1);
    return words_slice(&route);
}

/* Behind the '<': the address up to '>', or to what must be behind one that is missing. */
static void take_angle(struct address_reader *r, struct mime_address *out, struct words *comment)
{
    struct pending p = {words_make(r->in), words_make(r->in), words_make(r->in), false};
    struct slice *s = &r->rest;

    mime_skip_cfws(s);
    out->route = take_route(s, r->in);
    for (;;) {
        mime_skip_cfws(s);
        if (s->len == 0 || s->ptr[0] == '>' || s->ptr[0] == ',' || s->ptr[0] == ';')
            break;
        if (s->ptr[0] == '@') {
            *s = slice_from(*s, 1);
            out->host = take_domain(s, r->in, comment);
            break;
        }
        if (ends_atom(s->ptr[0]) && s->ptr[0] != '"')
            *s = slice_from(*s, 1);
        else
            take_word(s, &p);
    }
    out->mailbox = words_slice(&p.local);
}

/* Behind an address: to the comma. A comment there may be its name. */
static void skip_to_comma(struct address_reader *r, struct words *comment)
{
    struct slice *s = &r->rest;

    while (s->len && s->ptr[0] != ',' && s->ptr[0] != ';') {
        struct words ignored = words_make(r->in);

        if (s->ptr[0] == '(') {
            *comment = words_make(r->in);
            mime_take_comment(s, comment);
        } else if (s->ptr[0] == '"') {
            mime_take_quoted(s, &ignored);
        } else {
            *s = slice_from(*s, 1);
        }
    }
}

static bool finish(struct address_reader *r, struct pending *p, struct mime_address *out)
{
    skip_to_comma(r, &p->comment);
    if (out->raw_name.len == 0)
        out->raw_name = mime_trim(words_slice(&p->comment));
    return true;
}

/* A special that ends what was collected. True if *out is an address. */
static bool take_special(struct address_reader *r, struct pending *p, struct mime_address *out)
{
    struct slice *s = &r->rest;
    uint8_t c = s->ptr[0];

    *s = slice_from(*s, 1);
    switch (c) {
    case '<':
        out->raw_name = words_slice(&p->phrase);
        take_angle(r, out, &p->comment);
        if (!out->mailbox.len && !out->host.len && !out->raw_name.len) {
            skip_to_comma(r, &p->comment);
            return false; /* "<>" */
        }
        return finish(r, p, out);
    case '@':
        out->mailbox = words_slice(&p->local);
        p->comment = words_make(r->in);
        out->host = take_domain(s, r->in, &p->comment);
        if (s->len && s->ptr[0] == '<') {
            /* "a@b <c@d>": what looked like an address is the name of the one that follows. */
            words_add_byte(&p->local, '@');
            words_add(&p->local, out->host);
            p->phrase = p->local;
            out->host = SLICE_EMPTY;
            return take_special(r, p, out);
        }
        return finish(r, p, out);
    case ':':
        if (r->in_group || !p->phrase.any)
            return false;
        r->in_group = true;
        out->kind = MIME_GROUP_START;
        out->mailbox = words_slice(&p->phrase);
        return true;
    default:
        return false;
    }
}

/* Words without '@' before a comma or the end: a local part that lost its domain. */
static bool take_bare(struct pending *p, struct mime_address *out)
{
    if (!p->phrase.any)
        return false;
    out->mailbox = words_slice(&p->phrase);
    out->raw_name = mime_trim(words_slice(&p->comment));
    return out->mailbox.len > 0;
}

static void collect(struct address_reader *r, struct pending *p)
{
    struct slice *s = &r->rest;

    while (s->len) {
        uint8_t c = s->ptr[0];

        if (is_space(c)) {
            *s = slice_from(*s, 1);
            p->space = true;
        } else if (c == '(') {
            p->comment = words_make(r->in);
            mime_take_comment(s, &p->comment);
            p->space = true;
        } else if (c == '"' || !ends_atom(c)) {
            take_word(s, p);
        } else {
            return;
        }
    }
}

bool mime_next_address(struct address_reader *r, struct mime_address *out)
{
    struct slice *s = &r->rest;

    for (;;) {
        struct pending p = {words_make(r->in), words_make(r->in), words_make(r->in), false};

        *out = (struct mime_address){.kind = MIME_ADDRESS};
        collect(r, &p);
        uint8_t c = s->len ? s->ptr[0] : ';';
        if (c == ',' || c == ';') {
            if (take_bare(&p, out))
                return true;
            bool ends_group = r->in_group && c == ';';
            if (s->len == 0 && !ends_group)
                return false;
            *s = slice_from(*s, 1);
            if (ends_group) {
                r->in_group = false;
                out->kind = MIME_GROUP_END;
                return true;
            }
        } else if (take_special(r, &p, out)) {
            return true;
        }
    }
}

void mime_addresses(struct slice value, struct arena *in, struct mime_address **out, size_t *n)
{
    struct address_reader r = {.rest = value, .in = in};
    struct mime_address *list = NULL, address;
    size_t count = 0, cap = 0;

    while (count < MIME_MAX_ADDRESSES && mime_next_address(&r, &address)) {
        if (count == cap) {
            size_t more = cap ? cap : 4;

            list = arena_grow(in, list, count, more, sizeof *list);
            cap += more;
        }
        address.name = mime_text(address.raw_name, in);
        list[count++] = address;
    }
    *out = list;
    *n = count;
}
