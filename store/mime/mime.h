/*
 * mime.h - what a message's bytes say, for IMAP and for MAPI.
 *
 * One pass over the bytes finds every part and its exact byte ranges (RFC 5322, RFC 2045, 2046).
 * No message is refused for being broken: it gets the best structure that its bytes allow. Time
 * is linear in the bytes whatever they are, and depth, number of parts and number of headers are
 * bounded: beyond a bound a part is a leaf (a multipart or message there is shown to IMAP as
 * application/octet-stream), and its bytes are still there. docs/mime.md says what is made of
 * broken mail, and why.
 *
 * Threads    Pure functions over memory: any thread.
 * Ownership  A struct mime and what hangs on it live in the arena that was given; slices of
 *            the message point into the caller's bytes.
 * Units      Offsets and sizes are bytes from the start of the message.
 */
#ifndef GATEPOST_STORE_MIME_MIME_H
#define GATEPOST_STORE_MIME_MIME_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

/* Bounds that a hostile message cannot pass. */
enum mime_limit {
    MIME_MAX_DEPTH = 100,
    MIME_MAX_PARTS = 10000,
    MIME_MAX_HEADER = 10 * 1024 * 1024, /* bytes of one part's header that are looked at */
    MIME_MAX_PARAMS = 128,              /* of one header field (RFC 2231 pieces count) */
    MIME_MAX_PARAM_NAME = 256,          /* bytes of a parameter's name */
    MIME_MAX_ADDRESSES = 10000,         /* of one header field, in an ENVELOPE */
};

enum mime_kind {
    MIME_LEAF,      /* text, image, ... */
    MIME_MULTIPART, /* has children: one that is empty where the bytes have none */
    MIME_MESSAGE,   /* message/rfc822 or message/global: one child, the embedded message */
};

/* A range of the message. */
struct mime_range {
    uint64_t start, len;
};

/*
 * Of one part. They stand in the order of the message, a parent before its children; parts[0] is
 * the message itself. A child's ranges are inside its parent's body, and a body starts where the
 * header ends.
 */
struct mime_part {
    enum mime_kind kind;
    uint32_t parent;          /* index; of parts[0]: 0 */
    uint32_t first_child;     /* index, or 0 */
    uint32_t next;            /* next sibling's index, or 0 */
    uint32_t lines;           /* line ends in body; a last line without one counts as a line */
    struct mime_range header; /* with the empty line behind it, which may be missing */
    struct mime_range body;   /* as encoded, without the line end before the boundary */
};

struct mime {
    struct mime_part *parts;
    uint32_t n_parts;
    size_t max_header; /* bytes of one part's header that are looked at for IMAP's forms */
};

/*
 * The structure of `message`. Never fails. `in` keeps the parts.
 */
void mime_parse(struct slice message, struct arena *in, struct mime *out);

/* Narrower bounds than MIME_MAX_PARTS and MIME_MAX_HEADER, for what must fit somewhere. */
struct mime_bounds {
    uint32_t parts;
    size_t header;
};

void mime_parse_within(struct slice message, const struct mime_bounds *bounds, struct arena *in,
                       struct mime *out);

/*
 * The parts as bytes that can be stored, and back. Decoding checks every index and range against
 * `message_len`. ERR_CORRUPT: these are not bytes that mime_encode() made.
 */
void mime_encode(const struct mime *mime, struct buf *out);
struct err mime_decode(struct slice bytes, uint64_t message_len, struct arena *in,
                       struct mime *out) MUST_USE;

/*
 * The part that an IMAP section number names: path {1, 2} is "1.2". Applies the rule that part 1
 * of a message that is not a multipart is its body, also inside message/rfc822. Of what it finds,
 * BODY[n] is the body and BODY[n.MIME] the header; where it is a MIME_MESSAGE, BODY[n.HEADER] and
 * BODY[n.TEXT] are header and body of its child.
 * ERR_NOT_FOUND: there is no such part. With n = 0 it is parts[0].
 */
struct err mime_find(const struct mime *mime, const uint32_t *path, size_t n,
                     uint32_t *index) MUST_USE;

/* ---- IMAP's forms (RFC 3501 7.4.2, RFC 9051 7.5.2), as they go over the wire ---- */

/*
 * "(date subject from ...)" of the message whose header is `header`. 7-bit; a string that cannot
 * be quoted is a literal, so the bytes may hold CRLF. Bytes above 127 are sent as they are in
 * literals (rev1 clients get what the mail says), NUL as 0x80. Always well-formed, unless `out`
 * is full.
 */
void mime_put_envelope(struct slice header, struct buf *out);

/*
 * BODYSTRUCTURE (`extended`) or BODY, of the part `index` and what is in it. `mime` must be that of
 * `message`. message/global has the form of message/rfc822, as RFC 9051 9 has it.
 */
void mime_put_bodystructure(struct slice message, const struct mime *mime, uint32_t index,
                            bool extended, struct buf *out);

/* ---- header fields ---- */

struct mime_field {
    struct slice name;  /* without the colon and the blanks before it */
    struct slice value; /* unparsed: behind the colon to before the last line end, folds inside */
    struct slice all;   /* the field's lines, with line ends: what HEADER.FIELDS sends */
};

/*
 * Take the next field off the front of *header. False at the end (or the empty line).
 * Lines that are no field are skipped; they appear in no field's `all`.
 */
bool mime_next_field(struct slice *header, struct mime_field *out);

/* Take off *header up to the next field of that name (case-insensitive), and its first line. */
bool mime_next_named(struct slice *header, struct slice name, struct mime_field *out);

/* The first field of that name, false if there is none. */
bool mime_get_field(struct slice header, struct slice name, struct mime_field *out);

/* The value without folds: line ends that precede blanks are dropped (RFC 5322 2.2.3). */
struct slice mime_unfold(struct slice value, struct arena *in);

/*
 * The text of an unstructured value in UTF-8: unfolded and trimmed, encoded words decoded (RFC
 * 2047), raw 8-bit read as UTF-8 where it is that, as windows-1252 otherwise. Encoded words that
 * are broken or of an unknown charset stay as they are. Always well-formed UTF-8, without NUL and
 * without line ends. Where nothing had to be changed it is a slice of `value`.
 */
struct slice mime_text(struct slice value, struct arena *in);

struct mime_param {
    struct slice name; /* as written, without the stars of RFC 2231 */
    /*
     * Without quotes and escapes; in UTF-8 if it had a charset (RFC 2231), pieces joined. Else as
     * written, perhaps with raw 8-bit or encoded words: mime_text() makes a file name of it.
     */
    struct slice value;
};

/*
 * A value of the form "token; name=value; ..." (Content-Type, Content-Disposition). Where a name
 * is given both plainly and as RFC 2231 has it, only the latter is listed.
 */
struct mime_token_params {
    struct slice token; /* "text/plain", "attachment"; empty where there is none */
    struct mime_param *params;
    size_t n_params;
};

void mime_parse_params(struct slice value, struct arena *in, struct mime_token_params *out);

/* Content-Type of a header, with the defaults of RFC 2045 5.2 where it is missing or broken. */
struct mime_type {
    struct slice type, subtype; /* lower case */
    struct mime_param *params;
    size_t n_params;
};

void mime_content_type(struct slice header, bool in_digest, struct arena *in,
                       struct mime_type *out);

/* The value of the parameter (case-insensitive name), or the empty slice. */
struct slice mime_param(const struct mime_param *params, size_t n, struct slice name);

/* One address, as ENVELOPE sees it (RFC 3501 7.4.2): a group start has no host and no mailbox... */
struct mime_address {
    struct slice name;     /* display name in UTF-8, or the comment that stands for it, or empty */
    struct slice raw_name; /* as written, unquoted: for ENVELOPE */
    struct slice route;    /* obsolete source route, or empty */
    struct slice mailbox;  /* local part; of a group start: the group's name; of an end: empty */
    struct slice host;     /* domain; empty in a group's start and end */
    enum { MIME_ADDRESS, MIME_GROUP_START, MIME_GROUP_END } kind;
};

/* The addresses of a From, To, ... value, at most MIME_MAX_ADDRESSES. *out is in the arena. */
void mime_addresses(struct slice value, struct arena *in, struct mime_address **out, size_t *n);

/*
 * A date (RFC 5322 3.3, with the obsolete forms and what real mail writes). `zone` is minutes
 * east of UTC. False if no time can be made of it.
 */
bool mime_date(struct slice value, int64_t *unix_seconds, int *zone);

/*
 * The subject with "Re:", "Fwd:", "[list]" and the like taken off (RFC 5256 2.1), in UTF-8;
 * *is_reply tells whether something was.
 */
struct slice mime_base_subject(struct slice subject_utf8, struct arena *in, bool *is_reply);

/* ---- contents ---- */

enum mime_encoding { MIME_7BIT, MIME_8BIT, MIME_BINARY, MIME_QP, MIME_BASE64, MIME_UNKNOWN };

/* The Content-Transfer-Encoding of a part's header. */
enum mime_encoding mime_transfer_encoding(struct slice header);

/*
 * Undo a transfer encoding, piece by piece: feed the body in slices of any size, in order.
 * What cannot be decoded is passed over (base64) or kept as it is (quoted-printable). All that
 * comes out is no longer than what went in; room for a piece and 80 bytes is always enough.
 */
struct mime_decoder {
    enum mime_encoding encoding;
    uint32_t bits;
    uint8_t n_bits, n_held;
    uint8_t held[80]; /* blanks or a soft line end that may turn out to be trailing */
    bool broken;      /* something could not be decoded; what came out is the best of it */
};

void mime_decoder_init(struct mime_decoder *d, enum mime_encoding encoding);
void mime_decode_piece(struct mime_decoder *d, struct slice in, struct buf *out);
void mime_decode_end(struct mime_decoder *d, struct buf *out);

/*
 * Bytes of `charset` to UTF-8, by ICU. What is malformed becomes U+FFFD.
 * ERR_UNSUPPORTED: no such charset. ERR_TOO_BIG: `out` is full.
 */
struct err mime_to_utf8(struct slice charset, struct slice bytes, struct buf *out) MUST_USE;
bool mime_charset_known(struct slice charset);

/*
 * UTF-8 to bytes of `charset`. What it has no character for becomes "?".
 * ERR_UNSUPPORTED: no such charset. ERR_TOO_BIG: `out` is full.
 */
struct err mime_from_utf8(struct slice charset, struct slice text, struct buf *out) MUST_USE;

/*
 * A needle prepared for searching: case folded and normalised as IMAP's i;unicode-casemap
 * (RFC 5051) does. Any number of threads may search for it. Free with mime_search_key_free().
 */
struct mime_search_key;
struct mime_search_key *mime_search_key_new(struct slice needle_utf8) MUST_USE;
void mime_search_key_free(struct mime_search_key *key);

/* Is the key a substring of `utf8`, under i;unicode-casemap? ASCII needles take a fast path. */
bool mime_search_in_utf8(const struct mime_search_key *key, struct slice utf8);

/*
 * SEARCH BODY (`with_header` false) and TEXT: text parts and the headers in the body, decoded part
 * by part; TEXT looks at the message's own header as well. Stops at the first hit.
 */
bool mime_search_message(const struct mime_search_key *key, struct slice message,
                         const struct mime *mime, bool with_header);

/* SEARCH HEADER, SUBJECT, FROM, ...: any field of that name; an empty key asks for its presence. */
bool mime_search_header(const struct mime_search_key *key, struct slice header,
                        struct slice field_name);

#endif
