/*
 * mime_int.h - what the files of store/mime share: the lexical ground of RFC 5322 and RFC 2045.
 *
 * Threads    Pure functions: any thread.
 */
#ifndef GATEPOST_STORE_MIME_MIME_INT_H
#define GATEPOST_STORE_MIME_MIME_INT_H

#include "base/utf.h"
#include "store/mime/mime.h"

/* ---- lines ---- */

/* The length of the first line with its LF, or all where there is none. */
static inline size_t line_length(struct slice s)
{
    const uint8_t *lf = s.len ? memchr(s.ptr, '\n', s.len) : NULL;

    return lf ? (size_t)(lf - s.ptr) + 1 : s.len;
}

/* Without the LF or CRLF at its end. */
static inline struct slice line_chomp(struct slice line)
{
    if (line.len && line.ptr[line.len - 1] == '\n') {
        line.len--;
        if (line.len && line.ptr[line.len - 1] == '\r')
            line.len--;
    }
    return line;
}

static inline bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* What separates words in a header value: blanks, and the line ends of its folds. */
static inline bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Without the spaces and line ends at both ends. */
struct slice mime_trim(struct slice s);

/* True if no byte is above 127; eight at a time. */
bool mime_is_ascii(struct slice s);

/* ---- words ---- */

/*
 * Text put together from pieces of a header. One piece, or pieces that follow each other in the
 * source, stay a slice of it; anything else is copied to the arena.
 */
struct words {
    struct arena *in;
    struct slice direct; /* the text, while it is one piece of the source */
    uint8_t *copy;       /* else here */
    size_t len, cap;
    bool any; /* a piece was added, if only an empty one */
};

static inline struct words words_make(struct arena *in)
{
    return (struct words){.in = in};
}

void words_add(struct words *w, struct slice piece);
void words_add_byte(struct words *w, uint8_t byte);
struct slice words_slice(const struct words *w);

/* Skip spaces and comments (RFC 5322 3.2.2). */
void mime_skip_cfws(struct slice *s);

/*
 * Take the comment at the front (*s starts with '('), nested ones inside. Its text without the
 * outer parentheses and without escapes goes to `text` unless that is NULL. An unfinished
 * comment runs to the end.
 */
void mime_take_comment(struct slice *s, struct words *text);

/*
 * Take the quoted string at the front (*s starts with '"'); its text without escapes and folds is
 * added. An unfinished one runs to the end.
 */
void mime_take_quoted(struct slice *s, struct words *text);

/* ---- parameters as written, before RFC 2231 ---- */

struct raw_param {
    struct slice name, value;
};

/* Take the next "; name=value" off *rest. False at the end. */
bool mime_next_param(struct slice *rest, struct arena *in, struct raw_param *out);

/*
 * The token at the front ("text/plain", "attachment"), without comments and spaces in it; *value
 * is left before the first ';'.
 */
struct slice mime_take_value_token(struct slice *value, struct arena *in);

/* Split "type/subtype"; false unless both are tokens. */
bool mime_split_type(struct slice token, struct slice *type, struct slice *subtype);

/*
 * As IMAP lists parameters: RFC 2231 pieces joined, but nothing decoded (RFC 2231 6): a joined
 * value with a charset is called "name*".
 */
void mime_imap_params(struct slice rest, struct arena *in, struct mime_param **out, size_t *n);

/* As programs want them: joined, and decoded to UTF-8. */
void mime_decode_params(struct slice rest, struct arena *in, struct mime_param **out, size_t *n);

/* ---- addresses one by one ---- */

struct address_reader {
    struct slice rest;
    struct arena *in;
    bool in_group;
};

/* The next address of a value, `name` not yet decoded (only raw_name is set). False at the end. */
bool mime_next_address(struct address_reader *r, struct mime_address *out);

/* ---- IMAP strings ---- */

/* A string (RFC 3501 9): quoted where it can be, else a literal. Folds are taken out. */
void mime_put_string(struct slice s, struct buf *out);

/* The same, or NIL where there is nothing. */
void mime_put_nstring(struct slice s, struct buf *out);

/* ---- charsets ---- */

/* windows-1252 (and what it leaves undefined, as ISO 8859-1 controls) to UTF-8. */
void mime_put_windows1252(struct buf *out, struct slice bytes);

/*
 * Can an ASCII needle be looked for in bytes of this charset as they are? True if every byte below
 * 128 is ASCII, always.
 */
bool mime_charset_keeps_ascii(struct slice charset);

#endif
