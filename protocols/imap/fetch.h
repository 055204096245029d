/*
 * fetch.h - the parts of FETCH: what is asked for, and the contents that are streamed.
 *
 *   fetch_parse.c    items and modifiers of the command
 *   fetch_content.c  bytes of a message as they go over the wire: ranges, picked header fields,
 *                    decoded parts; resumable at any byte
 *   fetch_reply.c    the answer for one message, made in one go or sent bit by bit
 *   cmd_fetch.c      the walk over the messages
 *
 * RFC 3501 6.4.5, RFC 9051 6.4.5, RFC 3516, RFC 7162, RFC 8474, RFC 8514.
 */
#ifndef GATEPOST_PROTOCOLS_IMAP_FETCH_H
#define GATEPOST_PROTOCOLS_IMAP_FETCH_H

#include "protocols/imap/section.h"

/* ---- what is asked for ---- */

enum fetch_kind {
    FETCH_UID,
    FETCH_FLAGS,
    FETCH_INTERNALDATE,
    FETCH_SIZE,
    FETCH_MODSEQ,
    FETCH_SAVEDATE,
    FETCH_THREADID,
    /* from here on it takes more than the row */
    FETCH_EMAILID,
    FETCH_ENVELOPE,
    FETCH_BODY,
    FETCH_BODYSTRUCTURE,
    /* from here on it is about a section; these may come more than once */
    FETCH_SECTION,
    FETCH_BINARY,
    FETCH_BINARY_SIZE,
};

enum { FETCH_MAX_ITEMS = 1000 };

struct fetch_item {
    enum fetch_kind kind;
    struct slice name; /* as the answer has it, with the blank behind: "BODY[1]<0> " */
    struct section section;
    bool partial; /* only the bytes from `from` on, at most `count` */
    uint64_t from, count;
};

struct fetch_request {
    struct fetch_item *items;
    size_t n_items;
    size_t names_len;  /* of all names together */
    bool marks_seen;   /* has an item that sets \Seen */
    bool needs_meta;   /* has one that takes more than the row */
    bool needs_parts;  /* ... and one that takes the table of parts */
    bool has_contents; /* ... and one whose value may be a literal */
    bool has_binary;
    bool changed_since;
    uint64_t since;
    bool vanished;
};

/*
 * Take items and modifiers off the arguments, up to their end. False: c->complaint. Turns
 * CONDSTORE on where an item or modifier does (RFC 7162 3.1).
 */
bool fetch_parse(struct imap_session *s, struct imap_cmd *c, struct fetch_request *out);

/* "item first-octet octets" of PARTIAL (RFC 1730 6.4.5). False: c->complaint. */
bool fetch_parse_partial(struct imap_cmd *c, struct fetch_request *out);

/* ---- contents ---- */

enum content_kind {
    CONTENT_NIL,     /* there is no such section */
    CONTENT_RANGE,   /* bytes of the message as they are */
    CONTENT_FIELDS,  /* header fields picked from a header */
    CONTENT_DECODED, /* a part without its transfer encoding */
    CONTENT_UNKNOWN, /* a part whose transfer encoding is not known */
};

struct content {
    enum content_kind kind;
    struct mime_range range; /* the bytes of the message it is made of */
    const struct section *section;
    enum mime_encoding encoding;
    bool measured; /* `total`, and of a decoded one has_nul, are known */
    bool has_nul;
    uint64_t total; /* bytes, all of it */
    uint64_t skip;  /* what goes out: `len` bytes behind the first `skip` */
    uint64_t len;
};

/* A decoder on its way through a part; of a content that is being sent, or measured. */
struct content_reader {
    uint64_t raw;     /* encoded bytes taken */
    uint64_t decoded; /* bytes that came of them */
    uint64_t sent;
    struct mime_decoder decoder;
    struct buf side; /* made but not sent yet */
    bool has_nul, started, ended;
};

void content_reader_done(struct content_reader *reader);

/* What of the total goes out for `item` (RFC 3501 6.4.5: partial). Once it is measured. */
void content_cut(struct content *content, const struct fetch_item *item);

/*
 * How long it is, and whether it has a NUL. Goes on where `reader` stands, for about `*budget`
 * encoded bytes, which it takes off the budget. content->measured tells whether it is through.
 */
struct err content_measure(struct content *content, struct content_reader *reader,
                           struct store_read *rd, const struct message_row *row,
                           uint64_t *budget) MUST_USE;

/*
 * Put up to `room` bytes more of it. *complete: that was the last. It may put fewer than there is
 * room for without being complete where much has to be passed over: call again in the next pull.
 */
struct err content_put(const struct content *content, struct content_reader *reader,
                       struct store_read *rd, const struct message_row *row, struct buf *out,
                       size_t room, bool *complete) MUST_USE;

/* ---- the answer for one message ---- */

enum { FLAG_TEXTS = 64 };

/* "(\Seen $Forwarded)" as it was made for an earlier message: most have the same as another. */
struct flag_text {
    bool valid, recent;
    uint16_t flags;
    uint32_t keyword_set;
    struct buf text;
};

/* A place in the text of an answer where a content goes in. */
struct reply_cut {
    size_t at;
    size_t item;
};

enum reply_stage {
    REPLY_NONE,
    REPLY_MEASURE, /* long parts are decoded, to know their length before they are sent */
    REPLY_SEND,
};

struct fetch_reply {
    struct imap_session *s;
    const struct fetch_request *rq;
    uint32_t seq;
    struct message_row row;
    struct content *contents; /* of rq->items, by index */
    struct mime parts;
    struct message_meta meta; /* dies with the read */
    struct arena scratch;     /* of one message in one read */
    struct buf side;
    struct flag_text flag_texts[FLAG_TEXTS];
    bool unknown_cte; /* some part's encoding was not known */
    /* an answer that did not fit is sent bit by bit, from here */
    enum reply_stage stage;
    bool pinned, fresh; /* fresh: pinned, and not yet seen in a read begun after that */
    size_t measuring;
    struct buf text;
    size_t text_sent;
    struct reply_cut *cuts;
    size_t n_cuts, cut;
    struct content_reader reader;
};

enum reply_end {
    REPLY_DONE,  /* it is all in the output */
    REPLY_MORE,  /* call reply_resume() when there is room, or in the next turn */
    REPLY_AGAIN, /* end the read, begin another, and call reply_resume() at once */
    REPLY_GONE,  /* the message is gone: nothing was put */
};

void reply_init(struct fetch_reply *a, struct imap_session *s, struct arena *arena,
                const struct fetch_request *rq);
void reply_done(struct fetch_reply *a);

/*
 * "* 12 FETCH (...)" for a message. On failure nothing was put for it, and the caller may go on
 * with others.
 */
struct err reply_start(struct fetch_reply *a, struct store_read *rd, uint32_t seq,
                       const struct message_row *row, enum reply_end *end) MUST_USE;

/*
 * Go on with an answer, in a later read. An error with a->stage == REPLY_SEND and something sent
 * means that the promised bytes cannot be told: the connection has to be closed.
 */
struct err reply_resume(struct fetch_reply *a, struct store_read *rd, uint64_t fid,
                        enum reply_end *end) MUST_USE;

/* Has a part of the answer already left in an earlier pull, or is in the output? */
bool reply_is_cut_off(const struct fetch_reply *a);

/* Let the answer go: unpins. */
void reply_drop(struct fetch_reply *a);

#endif
