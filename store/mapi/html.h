/*
 * html.h - HTML bodies as text, and the other way round ([MS-OXCMAIL] 2.1.3.3).
 *
 * Threads    Pure functions: any thread.
 */
#ifndef GATEPOST_STORE_MAPI_HTML_H
#define GATEPOST_STORE_MAPI_HTML_H

#include "base/buf.h"

/*
 * A token of HTML: a run of text, a tag, a comment or an entity. Whatever the bytes are, the tokens
 * are all of them, one after the other.
 */
enum html_kind { HTML_TEXT, HTML_TAG, HTML_ENTITY, HTML_HIDDEN };

struct html_token {
    enum html_kind kind; /* HTML_HIDDEN: comments, and elements with content that is not shown */
    struct slice bytes;
    struct slice name; /* of a tag, without "/" */
    bool closing;
    uint32_t c; /* of an entity: its code point */
};

/* Take the token at the front of *html, which is not empty. */
struct html_token html_take(struct slice *html);

/* Does an element of this name begin a line of its own? */
bool html_is_block(struct slice name);

/* What people would read of it. UTF-8 both. */
void html_to_text(struct slice html, struct buf *out);

/* A page that shows the text. It is ASCII, and so right in any code page. */
void html_of_text(struct slice text, struct buf *out);

#endif
