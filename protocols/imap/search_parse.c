#include "protocols/imap/search.h"

enum search_args {
    ARGS_NONE,
    ARGS_STRING,  /* for a needle */
    ARGS_HEADER,  /* field and string */
    ARGS_KEYWORD, /* an atom */
    ARGS_ID,      /* an objectid */
    ARGS_DATE,
    ARGS_NUMBER,
    ARGS_MODSEQ, /* [entry-name entry-type] number */
    ARGS_UIDS,
    ARGS_NOT,
    ARGS_OR,
};

/* clang-format off */
static const struct key_word {
    const char *word;
    enum search_op op;
    enum search_args args;
    uint16_t mask, wanted;
    enum search_when when;
    const char *field;
    bool negated;
} key_words[] = {
    { .word = "ALL",        .op = SEARCH_ALL },
    { .word = "ANSWERED",   .op = SEARCH_FLAGS, .mask = FLAG_ANSWERED, .wanted = FLAG_ANSWERED },
    { .word = "DELETED",    .op = SEARCH_FLAGS, .mask = FLAG_DELETED,  .wanted = FLAG_DELETED },
    { .word = "DRAFT",      .op = SEARCH_FLAGS, .mask = FLAG_DRAFT,    .wanted = FLAG_DRAFT },
    { .word = "FLAGGED",    .op = SEARCH_FLAGS, .mask = FLAG_FLAGGED,  .wanted = FLAG_FLAGGED },
    { .word = "SEEN",       .op = SEARCH_FLAGS, .mask = FLAG_SEEN,     .wanted = FLAG_SEEN },
    { .word = "UNANSWERED", .op = SEARCH_FLAGS, .mask = FLAG_ANSWERED },
    { .word = "UNDELETED",  .op = SEARCH_FLAGS, .mask = FLAG_DELETED },
    { .word = "UNDRAFT",    .op = SEARCH_FLAGS, .mask = FLAG_DRAFT },
    { .word = "UNFLAGGED",  .op = SEARCH_FLAGS, .mask = FLAG_FLAGGED },
    { .word = "UNSEEN",     .op = SEARCH_FLAGS, .mask = FLAG_SEEN },
    { .word = "RECENT",     .op = SEARCH_RECENT },
    { .word = "OLD",        .op = SEARCH_RECENT, .negated = true },
    { .word = "NEW",        .op = SEARCH_NEW },
    { .word = "KEYWORD",    .op = SEARCH_KEYWORD, .args = ARGS_KEYWORD },
    { .word = "UNKEYWORD",  .op = SEARCH_KEYWORD, .args = ARGS_KEYWORD, .negated = true },
    { .word = "LARGER",     .op = SEARCH_LARGER,  .args = ARGS_NUMBER },
    { .word = "SMALLER",    .op = SEARCH_SMALLER, .args = ARGS_NUMBER },
    { .word = "BEFORE",     .op = SEARCH_BEFORE,  .args = ARGS_DATE, .when = WHEN_RECEIVED },
    { .word = "ON",         .op = SEARCH_ON,      .args = ARGS_DATE, .when = WHEN_RECEIVED },
    { .word = "SINCE",      .op = SEARCH_SINCE,   .args = ARGS_DATE, .when = WHEN_RECEIVED },
    { .word = "SENTBEFORE", .op = SEARCH_BEFORE,  .args = ARGS_DATE, .when = WHEN_SENT },
    { .word = "SENTON",     .op = SEARCH_ON,      .args = ARGS_DATE, .when = WHEN_SENT },
    { .word = "SENTSINCE",  .op = SEARCH_SINCE,   .args = ARGS_DATE, .when = WHEN_SENT },
    { .word = "SAVEDBEFORE", .op = SEARCH_BEFORE, .args = ARGS_DATE, .when = WHEN_SAVED },
    { .word = "SAVEDON",    .op = SEARCH_ON,      .args = ARGS_DATE, .when = WHEN_SAVED },
    { .word = "SAVEDSINCE", .op = SEARCH_SINCE,   .args = ARGS_DATE, .when = WHEN_SAVED },
    { .word = "SAVEDATESUPPORTED", .op = SEARCH_SAVEDATESUPPORTED },
    { .word = "OLDER",      .op = SEARCH_OLDER,   .args = ARGS_NUMBER },
    { .word = "YOUNGER",    .op = SEARCH_YOUNGER, .args = ARGS_NUMBER },
    { .word = "MODSEQ",     .op = SEARCH_MODSEQ,  .args = ARGS_MODSEQ },
    { .word = "EMAILID",    .op = SEARCH_EMAILID, .args = ARGS_ID },
    { .word = "THREADID",   .op = SEARCH_NONE,    .args = ARGS_ID },
    { .word = "BCC",        .op = SEARCH_HEADER,  .args = ARGS_STRING, .field = "Bcc" },
    { .word = "CC",         .op = SEARCH_HEADER,  .args = ARGS_STRING, .field = "Cc" },
    { .word = "FROM",       .op = SEARCH_HEADER,  .args = ARGS_STRING, .field = "From" },
    { .word = "SUBJECT",    .op = SEARCH_HEADER,  .args = ARGS_STRING, .field = "Subject" },
    { .word = "TO",         .op = SEARCH_HEADER,  .args = ARGS_STRING, .field = "To" },
    { .word = "HEADER",     .op = SEARCH_HEADER,  .args = ARGS_HEADER },
    { .word = "BODY",       .op = SEARCH_BODY,    .args = ARGS_STRING },
    { .word = "TEXT",       .op = SEARCH_TEXT,    .args = ARGS_STRING },
    { .word = "UID",        .op = SEARCH_UIDS,    .args = ARGS_UIDS },
    { .word = "NOT",        .op = SEARCH_NOT,     .args = ARGS_NOT },
    { .word = "OR",         .op = SEARCH_OR,      .args = ARGS_OR },
};
/* clang-format on */

/* What is being parsed, and into what. */
struct parsing {
    struct imap_session *s;
    struct imap_cmd *c;
    struct search *search;
    unsigned depth;
};

static bool complain(struct parsing *p, const char *what)
{
    p->c->complaint = what;
    return false;
}

static struct search_key *new_key(struct parsing *p, enum search_op op)
{
    struct search_key *key = arena_alloc(&p->c->arena, sizeof *key);

    key->op = op;
    key->cost = op == SEARCH_BODY || op == SEARCH_TEXT ? COST_BODY
                : op == SEARCH_HEADER                  ? COST_HEADER
                : op == SEARCH_EMAILID                 ? COST_META
                                                       : COST_ROW;
    key->owned = p->search->owned;
    p->search->owned = key;
    p->search->n_keys++;
    return key;
}

/* A child takes its place among its siblings: the cheap ones first. */
static void add_child(struct search_key *parent, struct search_key *child)
{
    bool at_end = parent->last && parent->last->cost <= child->cost;
    struct search_key **at = at_end ? &parent->last->next : &parent->child;

    while (*at && (*at)->cost <= child->cost)
        at = &(*at)->next;
    child->next = *at;
    *at = child;
    if (!child->next)
        parent->last = child;
    if (child->cost > parent->cost)
        parent->cost = child->cost;
}

static const struct key_word *find_word(struct slice word)
{
    for (size_t i = 0; i < sizeof key_words / sizeof key_words[0]; i++)
        if (slice_ieq(word, slice_str(key_words[i].word)))
            return &key_words[i];
    return NULL;
}

/* ---- strings ---- */

/* The answer names a few that are understood; all that ICU knows are (RFC 3501 6.4.4). */
static const char bad_charset[] = "[BADCHARSET (US-ASCII UTF-8 ISO-8859-1 ISO-8859-15 "
                                  "WINDOWS-1252 ISO-2022-JP KOI8-R GB18030)]";

static bool refuse_charset(struct imap_cmd *c, const char *why)
{
    c->refusal = bad_charset;
    c->complaint = why;
    return false;
}

bool search_charset(struct imap_cmd *c, struct search *search, struct slice charset)
{
    if (slice_ieq(charset, S("US-ASCII")) || slice_ieq(charset, S("UTF-8"))) {
        search->charset = SLICE_EMPTY;
        return true;
    }
    if (!mime_charset_known(charset))
        return refuse_charset(c, "That charset is not known here");
    search->charset = charset;
    return true;
}

/* A string to search for, in UTF-8. */
static bool parse_string(struct parsing *p, struct slice *out)
{
    struct slice given;

    if (!imap_arg_space(p->c) || !imap_arg_astring(p->c, &given))
        return complain(p, "A string to search for is missing");
    if (p->search->charset.len == 0) {
        *out = given;
        return slice_is_utf8(given) || refuse_charset(p->c, "A string is not in UTF-8");
    }
    struct buf utf8 = buf_make(given.len * 4 + 64);
    struct err e = mime_to_utf8(p->search->charset, given, &utf8);
    *out = arena_slice(&p->c->arena, buf_slice(&utf8));
    buf_done(&utf8);
    return !failed(e) || refuse_charset(p->c, "A string cannot be read in that charset");
}

static bool parse_needle(struct parsing *p, struct search_key *key)
{
    struct slice needle;

    if (!parse_string(p, &needle))
        return false;
    key->empty = needle.len == 0;
    key->needle = mime_search_key_new(needle);
    if (key->empty && key->op != SEARCH_HEADER)
        key->op = SEARCH_ALL; /* the empty string is in every text */
    return true;
}

static bool parse_header(struct parsing *p, struct search_key *key)
{
    struct slice name;

    if (!imap_arg_space(p->c) || !imap_arg_astring(p->c, &name))
        return complain(p, "The name of a header field is missing");
    key->name = name;
    return parse_needle(p, key);
}

/* ---- sets ---- */

/* Sequence numbers as UIDs; what is beyond the view is nothing. */
static void numbers_to_uids(const struct store_view *view, const struct uidset *numbers,
                            struct uidset *uids)
{
    uint32_t count = store_view_count(view);
    struct uidset spans = UIDSET_EMPTY;

    for (size_t i = 0; i < numbers->n && numbers->runs[i].first <= count; i++) {
        uint32_t last = numbers->runs[i].last < count ? numbers->runs[i].last : count;

        uidset_add(&spans, store_view_uid(view, numbers->runs[i].first),
                   store_view_uid(view, last));
    }
    uidset_intersect(&spans, store_view_uids(view), uids);
    uidset_done(&spans);
}

/* Sequence numbers, or UIDs behind the word UID; "$" stands for the same in both (RFC 5182 2.1). */
static bool parse_set(struct parsing *p, struct search_key *key, bool by_uid)
{
    const struct imap_selected *selected = p->s->selected;
    const struct store_view *view = selected->view;
    struct uidset named = UIDSET_EMPTY;

    if (imap_arg_byte(p->c, '$')) {
        uidset_intersect(&selected->saved, store_view_uids(view), &key->uids);
        return true;
    }
    if (!imap_arg_raw_set(p->c, by_uid ? store_view_last_uid(view) : store_view_count(view),
                          &named))
        return complain(p, "This is no set of messages");
    if (by_uid)
        uidset_intersect(&named, store_view_uids(view), &key->uids);
    else
        numbers_to_uids(view, &named, &key->uids);
    uidset_done(&named);
    return true;
}

/* ---- keys ---- */

static bool parse_key(struct parsing *p, struct search_key *parent);

/* "/flags/\\Seen" all 12: all kinds of changes count alike here (RFC 7162 3.1.5). */
static bool parse_modseq(struct parsing *p, struct search_key *key)
{
    struct slice entry;

    p->search->modseq = true;
    if (!imap_arg_space(p->c))
        return complain(p, "MODSEQ takes a mod-sequence");
    if (imap_arg_peek(p->c, '"')) {
        if (!imap_arg_string(p->c, &entry) || !slice_istarts(entry, S("/flags/")) ||
            !imap_arg_space(p->c))
            return complain(p, "MODSEQ takes the name of a flag as /flags/name");
        if (!imap_arg_word(p->c, "all") && !imap_arg_word(p->c, "priv") &&
            !imap_arg_word(p->c, "shared"))
            return complain(p, "MODSEQ takes priv, shared or all");
        if (!imap_arg_space(p->c))
            return complain(p, "MODSEQ takes a mod-sequence");
    }
    return imap_arg_number64(p->c, &key->number) || complain(p, "MODSEQ takes a mod-sequence");
}

static bool parse_number(struct parsing *p, struct search_key *key)
{
    if (!imap_arg_space(p->c) || !imap_arg_number64(p->c, &key->number))
        return complain(p, "A number is missing");
    if ((key->op == SEARCH_OLDER || key->op == SEARCH_YOUNGER) && key->number == 0)
        return complain(p, "An interval is at least one second"); /* RFC 5032 4 */
    return true;
}

static bool parse_id(struct parsing *p, struct search_key *key)
{
    return (imap_arg_space(p->c) && imap_arg_astring(p->c, &key->name)) ||
           complain(p, "An id is missing");
}

static bool parse_arguments(struct parsing *p, struct search_key *key, const struct key_word *word)
{
    struct imap_cmd *c = p->c;

    switch (word->args) {
    case ARGS_NONE:
        return true;
    case ARGS_STRING:
        key->name = slice_str(word->field);
        return parse_needle(p, key);
    case ARGS_HEADER:
        return parse_header(p, key);
    case ARGS_KEYWORD:
        return (imap_arg_space(c) && imap_arg_atom(c, &key->name)) ||
               complain(p, "A keyword is missing");
    case ARGS_ID:
        return parse_id(p, key);
    case ARGS_DATE:
        return (imap_arg_space(c) && imap_arg_date(c, &key->day)) ||
               complain(p, "A date is missing");
    case ARGS_NUMBER:
        return parse_number(p, key);
    case ARGS_MODSEQ:
        return parse_modseq(p, key);
    case ARGS_UIDS:
        return (imap_arg_space(c) && parse_set(p, key, true)) || complain(p, "UIDs are missing");
    case ARGS_NOT:
        return imap_arg_space(c) && parse_key(p, key);
    case ARGS_OR:
        return imap_arg_space(c) && parse_key(p, key) && imap_arg_space(c) && parse_key(p, key);
    }
    return false;
}

static bool parse_word(struct parsing *p, struct search_key *parent)
{
    struct slice spelled;
    struct search_key *outer = parent;

    if (!imap_arg_atom(p->c, &spelled))
        return complain(p, "A search key is missing");
    const struct key_word *word = find_word(spelled);
    if (!word)
        return complain(p, "Unknown search key");
    if (word->negated)
        outer = new_key(p, SEARCH_NOT);
    struct search_key *key = new_key(p, word->op);
    key->mask = word->mask;
    key->wanted = word->wanted;
    key->when = word->when;
    if (!parse_arguments(p, key, word))
        return false;
    add_child(outer, key);
    if (outer != parent)
        add_child(parent, outer);
    return true;
}

/* "key key key", into an AND. */
static bool parse_list(struct parsing *p, struct search_key *all)
{
    do {
        if (!parse_key(p, all))
            return false;
    } while (imap_arg_byte(p->c, ' '));
    return true;
}

static bool parse_parenthesized(struct parsing *p, struct search_key *parent)
{
    struct search_key *all = new_key(p, SEARCH_AND);

    if (!parse_list(p, all))
        return false;
    if (!imap_arg_byte(p->c, ')'))
        return complain(p, "A parenthesis is not closed");
    add_child(parent, all);
    return true;
}

/* A set as a key of its own: "1:5", "$". */
static bool starts_set(const struct imap_cmd *c)
{
    return c->rest.len &&
           (ascii_is_digit(c->rest.ptr[0]) || c->rest.ptr[0] == '*' || c->rest.ptr[0] == '$');
}

static bool parse_key(struct parsing *p, struct search_key *parent)
{
    bool ok;

    if (p->depth == SEARCH_MAX_DEPTH || p->search->n_keys >= SEARCH_MAX_KEYS)
        return complain(p, "Too many search keys, or nested too deep");
    p->depth++;
    if (imap_arg_byte(p->c, '(')) {
        ok = parse_parenthesized(p, parent);
    } else if (starts_set(p->c)) {
        struct search_key *key = new_key(p, SEARCH_UIDS);

        ok = parse_set(p, key, false);
        add_child(parent, key);
    } else {
        ok = parse_word(p, parent);
    }
    p->depth--;
    return ok;
}

bool search_parse(struct imap_session *s, struct imap_cmd *c, struct search *search)
{
    struct parsing p = {.s = s, .c = c, .search = search};
    struct slice charset;

    if (imap_arg_word(c, "CHARSET")) {
        if (s->utf8) /* RFC 6855 3 */
            return complain(&p, "Everything is UTF-8 after ENABLE UTF8=ACCEPT");
        if (!imap_arg_space(c) || !imap_arg_astring(c, &charset) || !imap_arg_space(c))
            return complain(&p, "CHARSET takes the name of a charset");
        if (!search_charset(c, search, charset))
            return false;
    }
    search->root = new_key(&p, SEARCH_AND);
    if (!parse_list(&p, search->root))
        return false;
    if (!imap_arg_end(c))
        return complain(&p, "Something follows the last search key");
    if (search->modseq)
        imap_condstore_on(s); /* RFC 7162 3.1: so does a MODSEQ criterion */
    return true;
}
