/*
 * search.h - the criteria of SEARCH (and of SORT and THREAD, which take the same): parsing them,
 * and finding the messages that meet them.
 *
 * RFC 3501 6.4.4, RFC 9051 6.4.4, RFC 5032 (OLDER, YOUNGER), RFC 7162 3.1.5 (MODSEQ), RFC 8474
 * (EMAILID, THREADID), RFC 8514 (SAVED...), RFC 5182 ($).
 *
 * What is cheap is asked first: sets, then rows, then headers, then bodies. A search runs in
 * slices, each with a snapshot of its own.
 *
 * Ownership  Keys live in the command's arena; search_done() frees what hangs on them.
 */
#ifndef GATEPOST_PROTOCOLS_IMAP_SEARCH_H
#define GATEPOST_PROTOCOLS_IMAP_SEARCH_H

#include "protocols/imap/imap_int.h"

/* Against recursion and load: what a client may nest, and how many criteria it may give. */
enum { SEARCH_MAX_DEPTH = 1000, SEARCH_MAX_KEYS = 5000 };

enum search_op {
    SEARCH_ALL,
    SEARCH_AND, /* of the children */
    SEARCH_OR,
    SEARCH_NOT, /* of the one child */
    SEARCH_UIDS,
    SEARCH_FLAGS, /* (flags & mask) == wanted */
    SEARCH_RECENT,
    SEARCH_NEW, /* \Recent and not \Seen */
    SEARCH_KEYWORD,
    SEARCH_LARGER,
    SEARCH_SMALLER,
    SEARCH_BEFORE, /* of the date of the message that `when` names */
    SEARCH_ON,
    SEARCH_SINCE,
    SEARCH_OLDER,
    SEARCH_YOUNGER,
    SEARCH_MODSEQ,
    SEARCH_NONE, /* THREADID: no message has one; */
    SEARCH_SAVEDATESUPPORTED,
    SEARCH_EMAILID,
    SEARCH_HEADER,
    SEARCH_BODY,
    SEARCH_TEXT,
};

enum search_when { WHEN_RECEIVED, WHEN_SENT, WHEN_SAVED };

/* What it takes to decide, in nanoseconds or so; children are asked in this order. */
enum search_cost { COST_ROW = 20, COST_META = 500, COST_HEADER = 2500, COST_BODY = 100000 };

struct search_key {
    enum search_op op;
    enum search_cost cost;
    struct search_key *child, *next; /* its first child; its next sibling */
    struct search_key *last;         /* its last child */
    struct search_key *owned;        /* chain of all keys, for search_done() */
    uint16_t mask, wanted;
    enum search_when when;
    int64_t day;     /* Unix seconds of its start */
    uint64_t number; /* size, mod-sequence, seconds */
    struct slice name;
    struct uidset uids;
    struct mime_search_key *needle;
    bool empty; /* the needle is the empty string */
    /* of SEARCH_KEYWORD: what was found for the last keyword set */
    uint32_t seen_set;
    bool seen_valid, seen_has;
};

struct search {
    struct search_key *root; /* a SEARCH_AND */
    struct search_key *owned;
    size_t n_keys;
    struct slice charset; /* empty: UTF-8 */
    bool modseq;          /* a MODSEQ criterion was given */
    /* the walk */
    struct uidset candidates; /* what may still be met */
    bool narrowed, walked;
    size_t run;
    uint64_t next;
    bool first_only; /* stop at the first hit (MIN) */
    struct uidset hits;
    uint64_t modseq_all, modseq_min, modseq_max; /* of the hits: greatest, first's, last's */
    struct arena scratch;
    struct err trouble; /* the first message that could not be looked at; it is no hit */
};

/*
 * Take criteria off the arguments up to their end, "CHARSET x" before them as well where
 * `charset` is asked for. False: c->complaint, or c->refusal (BADCHARSET).
 */
bool search_parse(struct imap_session *s, struct imap_cmd *c, struct search *search);

/* The rest of the text in a charset: for SORT and THREAD, which name it elsewhere. */
bool search_charset(struct imap_cmd *c, struct search *search, struct slice charset);

/*
 * Search on, for about 5 ms. *complete: search->hits are all there are, as UIDs of the view.
 * search->trouble tells of messages that could not be read.
 */
struct err search_run(struct imap_session *s, struct search *search, bool *complete) MUST_USE;

void search_done(struct search *search);

/*
 * The bytes of a message that mime_search_message() looks at, and the table of parts that goes
 * with them (search_bytes.c). Both live in the arena, or in the map.
 */
struct err search_load(struct store_read *rd, const struct message_row *row,
                       const struct message_meta *meta, struct arena *in, struct slice *bytes,
                       struct mime *parts) MUST_USE;

#endif
