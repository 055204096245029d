/*
 * oxcmail.h - a delivered RFC 822 message as MAPI sees it ([MS-OXCMAIL] 2.2.3).
 *
 * Properties are derived from the bytes when they are asked for; what a client sets by MAPI is
 * kept beside the message and wins over what is derived (store/props.h).
 *
 * Threads    Pure functions over memory: any thread.
 * Ownership  Everything lives in the arena that was given, or in the message's bytes.
 */
#ifndef GATEPOST_STORE_MAPI_OXCMAIL_H
#define GATEPOST_STORE_MAPI_OXCMAIL_H

#include "store/mapi/prop.h"
#include "store/mime/mime.h"

/* A parsed message; `message` must outlive what is derived. */
struct oxcmail {
    struct slice message;
    struct mime mime;
    struct arena *in;
    const struct mime_type *types; /* of each part: looked up once, however many ask */
    /* Which parts play which role; indexes into mime.parts, 0xFFFFFFFF where there is none. */
    uint32_t plain, html;
    uint32_t *attachments;
    size_t n_attachments;
};

#define OXCMAIL_NO_PART 0xFFFFFFFFu

/* Find the bodies and the attachments ([MS-OXCMAIL] 2.2.3.3, 2.2.3.4). */
void oxcmail_open(struct slice message, const struct mime *mime, struct arena *in,
                  struct oxcmail *out);

/* The message's class: "IPM.Note", "IPM.Schedule.Meeting.Request", "REPORT.IPM.Note.NDR", ... */
struct slice oxcmail_class(const struct oxcmail *m);

/* How much of a subject is its prefix: at most three letters and ": " ([MS-OXCMSG] 2.2.1.9). */
size_t oxcmail_subject_prefix(struct slice subject);

/* The properties of the message itself, without those that depend on its row. */
void oxcmail_properties(const struct oxcmail *m, struct prop_list *out);

/* PidTagBody (UTF-8) and PidTagHtml (bytes in the part's charset); empty where there is none. */
struct slice oxcmail_body(const struct oxcmail *m);
struct slice oxcmail_html(const struct oxcmail *m);

/* Recipients: To, Cc and Bcc in order, each a list of properties ([MS-OXCMSG] 2.2.3). */
size_t oxcmail_recipients(const struct oxcmail *m, struct prop_list **out);

/* Properties of attachment `number` (0 .. n_attachments - 1); its contents, decoded. */
void oxcmail_attachment(const struct oxcmail *m, size_t number, struct prop_list *out);
struct slice oxcmail_attachment_data(const struct oxcmail *m, size_t number);

#endif
