/*
 * rtf.h - bodies in rich text: [MS-OXRTFCP] (its container), [MS-OXRTFEX] (what is in it of HTML).
 *
 * Text is UTF-8, with CRLF as line ends. What RTF says of looks is not carried over: a body that
 * was made as HTML or plain text comes back as that, of any other its text.
 *
 * Threads    Pure functions: any thread.
 * Errors     ERR_CORRUPT: not what it says it is. ERR_TOO_BIG: `out` is full.
 */
#ifndef GATEPOST_STORE_MAPI_RTF_H
#define GATEPOST_STORE_MAPI_RTF_H

#include "base/buf.h"
#include "base/err.h"

/* PidTagRtfCompressed as RTF. */
struct err rtf_decompress(struct slice compressed, struct buf *out) MUST_USE;

/* RTF as PidTagRtfCompressed: in the container that is not compressed. */
void rtf_wrap(struct slice rtf, struct buf *out);

/* Was it HTML ([MS-OXRTFEX] 2.1.3.1)? */
bool rtf_is_html(struct slice rtf);

/* The HTML that it was made of. ERR_NOT_FOUND: it was not. */
struct err rtf_to_html(struct slice rtf, struct buf *out) MUST_USE;

/* Its text; of what was HTML that HTML's. */
struct err rtf_to_text(struct slice rtf, struct buf *out) MUST_USE;

/* RTF that shows the text, or the HTML, and has it inside. */
void rtf_of_text(struct slice text, struct buf *out);
void rtf_of_html(struct slice html, struct buf *out);

#endif
