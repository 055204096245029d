#include "protocols/imap/fetch.h"

/* What a word of the command stands for. */
/* clang-format off */
static const struct item_word {
    const char *word;
    enum fetch_kind kind;
    enum { PLAIN, SECTION, MAYBE_SECTION, FIXED } form;
    bool seen;               /* sets \Seen */
    enum section_text fixed; /* of FIXED: the section it is another name of */
} item_words[] = {
    /* word            kind                 form           seen */
    { "FLAGS",         FETCH_FLAGS,         PLAIN,         false, SECTION_ALL    },
    { "UID",           FETCH_UID,           PLAIN,         false, SECTION_ALL    },
    { "INTERNALDATE",  FETCH_INTERNALDATE,  PLAIN,         false, SECTION_ALL    },
    { "RFC822.SIZE",   FETCH_SIZE,          PLAIN,         false, SECTION_ALL    },
    { "ENVELOPE",      FETCH_ENVELOPE,      PLAIN,         false, SECTION_ALL    },
    { "BODYSTRUCTURE", FETCH_BODYSTRUCTURE, PLAIN,         false, SECTION_ALL    },
    { "BODY",          FETCH_BODY,          MAYBE_SECTION, true,  SECTION_ALL    },
    { "BODY.PEEK",     FETCH_SECTION,       SECTION,       false, SECTION_ALL    },
    { "RFC822",        FETCH_SECTION,       FIXED,         true,  SECTION_ALL    },
    { "RFC822.HEADER", FETCH_SECTION,       FIXED,         false, SECTION_HEADER },
    { "RFC822.TEXT",   FETCH_SECTION,       FIXED,         true,  SECTION_TEXT   },
    /* RFC 1730 6.4.5, for clients of that age */
    { "RFC822.PEEK",   FETCH_SECTION,       FIXED,         false, SECTION_ALL },
    { "RFC822.TEXT.PEEK", FETCH_SECTION,    FIXED,         false, SECTION_TEXT },
    { "RFC822.HEADER.LINES", FETCH_SECTION, FIXED,         false, SECTION_FIELDS },
    { "RFC822.HEADER.LINES.NOT", FETCH_SECTION, FIXED,     false, SECTION_FIELDS_NOT },
    { "BINARY",        FETCH_BINARY,        SECTION,       true,  SECTION_ALL    },
    { "BINARY.PEEK",   FETCH_BINARY,        SECTION,       false, SECTION_ALL    },
    { "BINARY.SIZE",   FETCH_BINARY_SIZE,   SECTION,       false, SECTION_ALL    },
    { "MODSEQ",        FETCH_MODSEQ,        PLAIN,         false, SECTION_ALL    },
    { "EMAILID",       FETCH_EMAILID,       PLAIN,         false, SECTION_ALL    },
    { "THREADID",      FETCH_THREADID,      PLAIN,         false, SECTION_ALL    },
    { "SAVEDATE",      FETCH_SAVEDATE,      PLAIN,         false, SECTION_ALL    },
};

static const struct {
    const char *word;
    const char *items[6];
} macros[] = {
    { "ALL",  { "FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", NULL, NULL } },
    { "FULL", { "FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY", NULL } },
    { "FAST", { "FLAGS", "INTERNALDATE", "RFC822.SIZE", NULL, NULL, NULL } },
};
/* clang-format on */

static bool complain(struct imap_cmd *c, const char *what)
{
    c->complaint = what;
    return false;
}

static const struct item_word *find_word(struct slice word)
{
    for (size_t i = 0; i < sizeof item_words / sizeof item_words[0]; i++)
        if (slice_ieq(word, slice_str(item_words[i].word)))
            return &item_words[i];
    return NULL;
}

/* Letters, digits and dots: what is before a bracket, a blank or the end. */
static struct slice take_word(struct imap_cmd *c)
{
    size_t len = 0;

    while (len < c->rest.len && (ascii_is_alpha(c->rest.ptr[len]) ||
                                 ascii_is_digit(c->rest.ptr[len]) || c->rest.ptr[len] == '.'))
        len++;
    struct slice word = slice_head(c->rest, len);
    c->rest = slice_from(c->rest, len);
    return word;
}

/* "<0.1024>" */
static bool parse_partial(struct imap_cmd *c, struct fetch_item *item)
{
    if (!imap_arg_byte(c, '<'))
        return true;
    item->partial = true;
    if (!imap_arg_number64(c, &item->from) || !imap_arg_byte(c, '.') ||
        !imap_arg_number64(c, &item->count) || item->count == 0 || !imap_arg_byte(c, '>'))
        return complain(c, "a partial is <start.length>");
    return true;
}

/* "RFC822.TEXT" of "RFC822.TEXT.PEEK": how it was asked for is not repeated (RFC 1730 7.3). */
static size_t answered_len(struct slice word)
{
    size_t peek = slice_find(word, S(".PEEK")), lines = slice_find(word, S(".LINES"));

    return peek < lines ? peek : lines;
}

/* The name of an item in the answer: canonical, and without the ".PEEK" and the length. */
static void name_item(struct imap_cmd *c, struct fetch_item *item, const struct item_word *word)
{
    struct buf text = buf_make(SIZE_MAX);
    bool bracket = item->kind >= FETCH_SECTION && word->form != FIXED;

    buf_puts(&text, !bracket                          ? word->word
                    : item->kind == FETCH_BINARY_SIZE ? "BINARY.SIZE"
                    : item->kind == FETCH_BINARY      ? "BINARY"
                                                      : "BODY");
    if (word->form == FIXED)
        buf_truncate(&text, answered_len(slice_str(word->word)));
    if (bracket) {
        buf_putc(&text, '[');
        section_put(&item->section, &text);
        buf_putc(&text, ']');
    }
    if (item->partial) {
        buf_putc(&text, '<');
        buf_put_u64(&text, item->from);
        buf_putc(&text, '>');
    }
    buf_putc(&text, ' ');
    item->name = arena_slice(&c->arena, buf_slice(&text));
    buf_done(&text);
}

static void note_needs(struct fetch_request *rq, const struct fetch_item *item)
{
    if (item->kind > FETCH_THREADID)
        rq->needs_meta = true;
    if (item->kind >= FETCH_SECTION)
        rq->has_contents = true;
    if (item->kind >= FETCH_BINARY)
        rq->has_binary = true;
    if (item->kind >= FETCH_BINARY || section_needs_parts(&item->section))
        rq->needs_parts = true;
    rq->names_len += item->name.len;
}

/* Asking for the same twice gives it once. False: too many items. */
static bool add_item(struct imap_cmd *c, struct fetch_request *rq, const struct fetch_item *item)
{
    for (size_t i = 0; i < rq->n_items; i++)
        if (slice_eq(rq->items[i].name, item->name) && rq->items[i].count == item->count)
            return true;
    if (rq->n_items == FETCH_MAX_ITEMS)
        return complain(c, "too many items for one FETCH");
    if ((rq->n_items & (rq->n_items + 1)) == 0) /* full at 0, 1, 3, 7, ... */
        rq->items =
            arena_grow(&c->arena, rq->items, rq->n_items, rq->n_items + 1, sizeof *rq->items);
    rq->items[rq->n_items++] = *item;
    note_needs(rq, item);
    return true;
}

/* One item, its word already taken. */
static bool parse_item(struct imap_cmd *c, struct fetch_request *rq, struct slice spelled)
{
    const struct item_word *word = find_word(spelled);

    if (!word)
        return complain(c, "unknown FETCH item");
    struct fetch_item item = {.kind = word->kind, .section.text = word->fixed};
    bool bracket = imap_arg_peek(c, '[');
    if (word->form == SECTION ? !bracket : word->form != MAYBE_SECTION && bracket)
        return complain(c, bracket ? "this item takes no section" : "a section is missing");
    if (bracket) {
        if (item.kind == FETCH_BODY)
            item.kind = FETCH_SECTION;
        (void)imap_arg_byte(c, '[');
        if (!section_parse(c, item.kind != FETCH_SECTION, &item.section))
            return false;
        if (item.kind != FETCH_BINARY_SIZE && !parse_partial(c, &item))
            return false;
    } else if (item.section.text == SECTION_FIELDS || item.section.text == SECTION_FIELDS_NOT) {
        if (!section_parse_fields(c, &item.section))
            return false;
    }
    if (word->seen && item.kind >= FETCH_SECTION)
        rq->marks_seen = true;
    name_item(c, &item, word);
    return add_item(c, rq, &item);
}

static bool add_word(struct imap_cmd *c, struct fetch_request *rq, const char *word)
{
    return parse_item(c, rq, slice_str(word));
}

/* ALL, FAST or FULL, which stand alone. *found: it was one. */
static bool parse_macro(struct imap_cmd *c, struct fetch_request *rq, struct slice word,
                        bool *found)
{
    *found = false;
    for (size_t i = 0; i < sizeof macros / sizeof macros[0]; i++) {
        if (!slice_ieq(word, slice_str(macros[i].word)))
            continue;
        *found = true;
        for (size_t k = 0; macros[i].items[k]; k++)
            if (!parse_item(c, rq, slice_str(macros[i].items[k])))
                return false;
    }
    return true;
}

static bool parse_items(struct imap_cmd *c, struct fetch_request *rq)
{
    bool macro;

    if (!imap_arg_byte(c, '(')) {
        struct slice word = take_word(c);

        if (!parse_macro(c, rq, word, &macro))
            return false;
        return macro || parse_item(c, rq, word);
    }
    do {
        if (!parse_item(c, rq, take_word(c)))
            return false;
    } while (imap_arg_byte(c, ' '));
    return imap_arg_byte(c, ')') || complain(c, "the list of items has no end");
}

static bool parse_modifier(struct imap_cmd *c, struct fetch_request *rq)
{
    struct slice word = take_word(c);

    if (slice_ieq(word, S("CHANGEDSINCE"))) {
        rq->changed_since = true;
        return (imap_arg_space(c) && imap_arg_number64(c, &rq->since)) ||
               complain(c, "CHANGEDSINCE takes a mod-sequence");
    }
    if (slice_ieq(word, S("VANISHED"))) {
        rq->vanished = true;
        return true;
    }
    return complain(c, "unknown FETCH modifier");
}

/* " (CHANGEDSINCE 12 VANISHED)" (RFC 7162 3.1.4.1, 3.2.6) */
static bool parse_modifiers(struct imap_session *s, struct imap_cmd *c, struct fetch_request *rq)
{
    if (!imap_arg_byte(c, ' '))
        return true;
    if (!imap_arg_byte(c, '('))
        return complain(c, "only modifiers in parentheses may follow the items");
    do {
        if (!parse_modifier(c, rq))
            return false;
    } while (imap_arg_byte(c, ' '));
    if (!imap_arg_byte(c, ')'))
        return complain(c, "the list of modifiers has no end");
    if (rq->vanished && (!rq->changed_since || !(c->def->flags & CMD_UID) || !s->qresync))
        return complain(c, "VANISHED needs UID FETCH, CHANGEDSINCE and ENABLE QRESYNC");
    return true;
}

/* The first octet is number 1 there. */
bool fetch_parse_partial(struct imap_cmd *c, struct fetch_request *out)
{
    struct fetch_item *item;

    *out = (struct fetch_request){0};
    if (!parse_item(c, out, take_word(c)))
        return false;
    item = &out->items[0];
    if (item->kind != FETCH_SECTION || item->partial)
        return complain(c, "PARTIAL takes an item that is a text");
    item->partial = true;
    if (!imap_arg_space(c) || !imap_arg_number64(c, &item->from) || item->from == 0 ||
        !imap_arg_space(c) || !imap_arg_number64(c, &item->count) || !imap_arg_end(c))
        return complain(c, "PARTIAL takes the number of the first octet and how many");
    item->from--;
    return true;
}

static bool asks_for(const struct fetch_request *rq, enum fetch_kind kind)
{
    for (size_t i = 0; i < rq->n_items; i++)
        if (rq->items[i].kind == kind)
            return true;
    return false;
}

bool fetch_parse(struct imap_session *s, struct imap_cmd *c, struct fetch_request *out)
{
    *out = (struct fetch_request){0};
    if ((c->def->flags & CMD_UID) && !add_word(c, out, "UID"))
        return false;
    if (!parse_items(c, out) || !parse_modifiers(s, c, out))
        return false;
    if (!imap_arg_end(c))
        return complain(c, "something follows the end of the command");
    if (out->changed_since && !add_word(c, out, "MODSEQ"))
        return false;
    if (asks_for(out, FETCH_MODSEQ))
        imap_condstore_on(s);
    return true;
}
