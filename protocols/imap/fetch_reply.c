#include "protocols/imap/fetch.h"

enum {
    MEASURE_INLINE = 256 * 1024,    /* encoded bytes that are decoded at once to be measured */
    MEASURE_PER_PULL = 1024 * 1024, /* ... and in one pull */
    VALUE_MAX = 64,                 /* of items that are made of the row alone, but FLAGS */
};

void reply_init(struct fetch_reply *a, struct imap_session *s, struct arena *arena,
                const struct fetch_request *rq)
{
    a->s = s;
    a->rq = rq;
    a->contents = arena_array(arena, rq->n_items, sizeof *a->contents);
    a->cuts = arena_array(arena, rq->n_items, sizeof *a->cuts);
    a->side = buf_make(SIZE_MAX);
    a->text = buf_make(SIZE_MAX);
    content_reader_done(&a->reader);
}

void reply_done(struct fetch_reply *a)
{
    reply_drop(a);
    for (size_t i = 0; i < FLAG_TEXTS; i++)
        buf_done(&a->flag_texts[i].text);
    buf_done(&a->side);
    buf_done(&a->text);
    arena_done(&a->scratch);
}

void reply_drop(struct fetch_reply *a)
{
    if (a->pinned)
        store_unpin(a->s->env->store, &a->row);
    a->pinned = a->fresh = false;
    a->stage = REPLY_NONE;
    buf_clear(&a->text);
    a->text_sent = a->n_cuts = a->cut = a->measuring = 0;
    content_reader_done(&a->reader);
}

bool reply_is_cut_off(const struct fetch_reply *a)
{
    return a->stage == REPLY_SEND && a->text_sent > 0;
}

/* ---- values ---- */

static struct err flags_text(struct fetch_reply *a, struct store_read *rd, struct slice *out)
{
    const struct message_row *row = &a->row;
    bool recent = imap_is_recent(a->s, row->uid);
    uint16_t flags = row->flags & FLAG_ALL_IMAP;
    uint32_t mix = row->keyword_set * 0x9e3779b1u >> 26;
    struct flag_text *slot = &a->flag_texts[(flags ^ ((uint32_t)recent << 5) ^ mix) % FLAG_TEXTS];

    if (!slot->valid || slot->flags != flags || slot->recent != recent ||
        slot->keyword_set != row->keyword_set) {
        slot->valid = false;
        slot->text.max = SIZE_MAX;
        buf_clear(&slot->text);
        struct err e = imap_put_flags(a->s, rd, row, &slot->text);
        if (failed(e))
            return e;
        slot->flags = flags;
        slot->recent = recent;
        slot->keyword_set = row->keyword_set;
        slot->valid = true;
    }
    *out = buf_slice(&slot->text);
    return OK;
}

static void put_parenthesized(struct buf *out, uint64_t number)
{
    buf_putc(out, '(');
    buf_put_u64(out, number);
    buf_putc(out, ')');
}

/* The value of an item that is no section. */
static struct err put_plain(struct fetch_reply *a, struct store_read *rd, enum fetch_kind kind,
                            struct buf *out)
{
    const struct message_row *row = &a->row;
    struct slice flags;
    struct err e;

    switch (kind) {
    case FETCH_UID:
        buf_put_u64(out, row->uid);
        break;
    case FETCH_FLAGS:
        e = flags_text(a, rd, &flags);
        if (failed(e))
            return e;
        buf_put(out, flags);
        break;
    case FETCH_INTERNALDATE:
        imap_put_date_time(out, row->internaldate, row->zone);
        break;
    case FETCH_SIZE:
        buf_put_u64(out, row->size);
        break;
    case FETCH_MODSEQ:
        put_parenthesized(out, row->modseq);
        break;
    case FETCH_SAVEDATE:
        imap_put_date_time(out, row->savedate, 0);
        break;
    case FETCH_EMAILID:
        buf_putc(out, '(');
        e = store_email_id(rd, row, out);
        if (failed(e))
            return e;
        buf_putc(out, ')');
        break;
    case FETCH_ENVELOPE:
        buf_put(out, a->meta.envelope);
        break;
    case FETCH_BODY:
        buf_put(out, a->meta.body);
        break;
    case FETCH_BODYSTRUCTURE:
        buf_put(out, a->meta.bodystructure);
        break;
    default: /* RFC 8474 5.2: no threads are kept */
        buf_puts(out, "NIL");
        break;
    }
    return OK;
}

/* ---- contents ---- */

static struct err load(struct fetch_reply *a, struct store_read *rd)
{
    if (!a->rq->needs_meta)
        return OK;
    struct err e = store_message_meta(rd, &a->row, &a->meta);
    if (failed(e) || !a->rq->needs_parts)
        return e;
    arena_done(&a->scratch);
    return mime_decode(a->meta.parts, a->row.size, &a->scratch, &a->parts);
}

static struct err find_encoding(struct fetch_reply *a, struct store_read *rd, uint32_t part,
                                struct content *content)
{
    const struct mime_part *found = &a->parts.parts[part];
    struct slice header;

    content->kind = CONTENT_DECODED;
    content->encoding = MIME_BINARY; /* what holds parts is sent as it is (RFC 2045 6.4) */
    if (content->section->n_path == 0 || found->kind != MIME_LEAF)
        return OK;
    struct err e = store_message_bytes(rd, &a->row, found->header.start, found->header.len,
                                       &a->scratch, &header);
    if (failed(e))
        return e;
    content->encoding = mime_transfer_encoding(header);
    if (content->encoding == MIME_UNKNOWN)
        content->kind = CONTENT_UNKNOWN;
    return OK;
}

static struct err find_content(struct fetch_reply *a, struct store_read *rd, size_t i)
{
    const struct fetch_item *item = &a->rq->items[i];
    struct content *content = &a->contents[i];
    uint32_t part;

    *content = (struct content){.kind = CONTENT_NIL, .section = &item->section, .measured = true};
    if (!section_find(&item->section, &a->parts, a->row.size, a->meta.header_len, &part,
                      &content->range))
        return OK;
    if (item->kind != FETCH_SECTION) {
        content->measured = false;
        return find_encoding(a, rd, part, content);
    }
    if (item->section.text == SECTION_FIELDS || item->section.text == SECTION_FIELDS_NOT) {
        content->kind = CONTENT_FIELDS;
        content->measured = false;
        return OK;
    }
    content->kind = CONTENT_RANGE;
    content->total = content->range.len;
    content_cut(content, item);
    return OK;
}

/* *to_decode: encoded bytes that have to be looked at before the answer can begin. */
static struct err find_contents(struct fetch_reply *a, struct store_read *rd, uint64_t *to_decode)
{
    *to_decode = 0;
    for (size_t i = 0; i < a->rq->n_items; i++) {
        if (a->rq->items[i].kind < FETCH_SECTION)
            continue;
        struct err e = find_content(a, rd, i);
        if (failed(e))
            return e;
        if (a->contents[i].kind == CONTENT_DECODED)
            *to_decode += a->contents[i].range.len;
    }
    return OK;
}

/* Learn the lengths of decoded parts. *complete: all are known. */
static struct err measure(struct fetch_reply *a, struct store_read *rd, uint64_t budget,
                          bool *complete)
{
    *complete = false;
    for (; a->measuring < a->rq->n_items; a->measuring++) {
        struct content *content = &a->contents[a->measuring];

        if (a->rq->items[a->measuring].kind < FETCH_BINARY || content->kind != CONTENT_DECODED)
            continue;
        struct err e = content_measure(content, &a->reader, rd, &a->row, &budget);
        if (failed(e))
            return e;
        if (!content->measured)
            return OK;
        content_reader_done(&a->reader);
        content_cut(content, &a->rq->items[a->measuring]);
    }
    *complete = true;
    return OK;
}

/* ---- the text ---- */

static void put_literal_head(const struct fetch_item *item, const struct content *content,
                             struct buf *out)
{
    /*
     * RFC 3516 4.2: what holds a NUL must be a literal8. DEVIATES: BODY[] has no such form, and
     * gives NULs in a literal; clients that copy mail want its bytes.
     */
    buf_puts(out, item->kind == FETCH_BINARY && content->has_nul ? "~{" : "{");
    buf_put_u64(out, content->len);
    buf_puts(out, "}\r\n");
}

/* Picked header fields, in one go: made beside, for their length is told before them. */
static struct err put_fields_now(struct fetch_reply *a, struct store_read *rd,
                                 const struct fetch_item *item, struct content *content,
                                 struct buf *out)
{
    struct arena copy = ARENA_INIT;
    struct slice header;
    struct err e =
        store_message_bytes(rd, &a->row, content->range.start, content->range.len, &copy, &header);

    if (!failed(e)) {
        buf_clear(&a->side);
        section_put_fields(&item->section, header, &a->side);
        content->total = a->side.len;
        content_cut(content, item);
        put_literal_head(item, content, out);
        buf_put(out, slice_sub(buf_slice(&a->side), (size_t)content->skip, (size_t)content->len));
    }
    arena_done(&copy);
    return e;
}

static struct err put_content_now(struct fetch_reply *a, struct store_read *rd,
                                  const struct fetch_item *item, struct content *content,
                                  struct buf *out)
{
    bool complete;

    if (content->kind == CONTENT_FIELDS)
        return put_fields_now(a, rd, item, content, out);
    put_literal_head(item, content, out);
    struct err e = content_put(content, &a->reader, rd, &a->row, out, SIZE_MAX, &complete);
    content_reader_done(&a->reader);
    if (!failed(e) && !complete)
        return ERR(ERR_CORRUPT, "a part is longer than it was when it was measured");
    return e;
}

/* Only its place in the text; the bytes are put when their turn comes. */
static struct err put_content_later(struct fetch_reply *a, struct store_read *rd, size_t i)
{
    const struct fetch_item *item = &a->rq->items[i];
    struct content *content = &a->contents[i];
    uint64_t budget = UINT64_MAX;

    if (!content->measured) {
        struct err e = content_measure(content, &a->reader, rd, &a->row, &budget);
        if (failed(e))
            return e;
        content_reader_done(&a->reader);
        content_cut(content, item);
    }
    put_literal_head(item, content, &a->text);
    a->cuts[a->n_cuts++] = (struct reply_cut){.at = a->text.len, .item = i};
    return OK;
}

static struct err put_section(struct fetch_reply *a, struct store_read *rd, size_t i, bool now,
                              struct buf *out)
{
    const struct fetch_item *item = &a->rq->items[i];
    struct content *content = &a->contents[i];

    if (content->kind == CONTENT_UNKNOWN)
        a->unknown_cte = true;
    if (item->kind == FETCH_BINARY_SIZE)
        buf_put_u64(out, content->total);
    else if (content->kind == CONTENT_NIL || content->kind == CONTENT_UNKNOWN)
        buf_puts(out, "NIL");
    else if (content->measured && content->len == 0)
        buf_puts(out, "\"\"");
    else
        return now ? put_content_now(a, rd, item, content, out) : put_content_later(a, rd, i);
    return OK;
}

/* A number has no NIL: BINARY.SIZE of what is not there is not answered. */
static bool has_no_answer(const struct fetch_reply *a, size_t i)
{
    return a->rq->items[i].kind == FETCH_BINARY_SIZE && a->contents[i].kind != CONTENT_DECODED;
}

/* `now`: contents stand in `out` at once; otherwise `out` is a->text, with cuts. */
static struct err put_answer(struct fetch_reply *a, struct store_read *rd, bool now,
                             struct buf *out)
{
    size_t start = out->len, put = 0;

    buf_put(out, S("* "));
    buf_put_u64(out, a->seq);
    buf_put(out, S(" FETCH ("));
    for (size_t i = 0; i < a->rq->n_items; i++) {
        const struct fetch_item *item = &a->rq->items[i];

        if (item->kind >= FETCH_SECTION && has_no_answer(a, i)) {
            a->unknown_cte |= a->contents[i].kind == CONTENT_UNKNOWN;
            continue;
        }
        if (put++)
            buf_putc(out, ' ');
        buf_put(out, item->name);
        struct err e = item->kind >= FETCH_SECTION ? put_section(a, rd, i, now, out)
                                                   : put_plain(a, rd, item->kind, out);
        if (failed(e))
            return e;
    }
    buf_put(out, S(")\r\n"));
    if (!put)
        buf_truncate(out, start);
    return out->failed ? ERR(ERR_TOO_BIG, "an answer does not fit into the output") : OK;
}

/* The most that the answer can be long. */
static struct err longest(struct fetch_reply *a, struct store_read *rd, uint64_t *len)
{
    const struct fetch_request *rq = a->rq;

    *len = VALUE_MAX + rq->names_len + VALUE_MAX * rq->n_items;
    for (size_t i = 0; i < rq->n_items; i++) {
        const struct content *content = &a->contents[i];
        struct slice flags;

        switch (rq->items[i].kind) {
        case FETCH_FLAGS: {
            struct err e = flags_text(a, rd, &flags);
            if (failed(e))
                return e;
            *len += flags.len;
            break;
        }
        case FETCH_EMAILID:
            *len += 255;
            break;
        case FETCH_ENVELOPE:
            *len += a->meta.envelope.len;
            break;
        case FETCH_BODY:
            *len += a->meta.body.len;
            break;
        case FETCH_BODYSTRUCTURE:
            *len += a->meta.bodystructure.len;
            break;
        case FETCH_SECTION:
        case FETCH_BINARY:
            *len += content->measured ? content->len : content->range.len + 2;
            break;
        default:
            break;
        }
    }
    return OK;
}

/* ---- sending ---- */

/* Put text up to `end`; false where there was no room for all of it. */
static bool send_text(struct fetch_reply *a, size_t end)
{
    struct slice left = slice_sub(buf_slice(&a->text), a->text_sent, end - a->text_sent);
    struct slice fits = slice_head(left, imap_room(a->s));

    buf_put(a->s->out, fits);
    a->text_sent += fits.len;
    return fits.len == left.len;
}

static struct err send_on(struct fetch_reply *a, struct store_read *rd, enum reply_end *end)
{
    bool complete;

    *end = REPLY_MORE;
    for (; a->cut < a->n_cuts; a->cut++) {
        const struct reply_cut *cut = &a->cuts[a->cut];

        if (!send_text(a, cut->at) || imap_room(a->s) == 0)
            return OK;
        struct err e = content_put(&a->contents[cut->item], &a->reader, rd, &a->row, a->s->out,
                                   imap_room(a->s), &complete);
        if (failed(e) || !complete)
            return e;
        content_reader_done(&a->reader);
    }
    if (send_text(a, a->text.len)) {
        reply_drop(a);
        *end = REPLY_DONE;
    }
    return OK;
}

/* From here on the bytes stay, once a later read has shown that they are still there. */
static void pin(struct fetch_reply *a, enum reply_stage stage, enum reply_end *end)
{
    store_pin(a->s->env->store, &a->row);
    a->pinned = a->fresh = true;
    a->stage = stage;
    *end = REPLY_AGAIN;
}

static uint64_t whole_len(const struct fetch_reply *a)
{
    uint64_t len = a->text.len;

    for (size_t i = 0; i < a->n_cuts; i++)
        len += a->contents[a->cuts[i].item].len;
    return len;
}

/* Lengths are known: make the answer, at once where it fits. */
static struct err make(struct fetch_reply *a, struct store_read *rd, enum reply_end *end)
{
    uint64_t len;
    struct err e = longest(a, rd, &len);

    if (failed(e))
        return e;
    if (!a->pinned && len <= imap_room(a->s)) {
        *end = REPLY_DONE;
        return put_answer(a, rd, true, a->s->out);
    }
    e = put_answer(a, rd, false, &a->text);
    if (failed(e))
        return e;
    if (!a->pinned && whole_len(a) > imap_room(a->s)) {
        pin(a, REPLY_SEND, end);
        return OK;
    }
    a->stage = REPLY_SEND;
    return send_on(a, rd, end);
}

static struct err start(struct fetch_reply *a, struct store_read *rd, enum reply_end *end)
{
    uint64_t to_decode = 0;
    bool complete;

    if (a->rq->needs_meta) {
        struct err e = load(a, rd);
        if (!failed(e) && a->rq->has_contents)
            e = find_contents(a, rd, &to_decode);
        if (failed(e))
            return e;
    }
    if (to_decode > MEASURE_INLINE) {
        pin(a, REPLY_MEASURE, end);
        return OK;
    }
    if (to_decode) {
        struct err e = measure(a, rd, UINT64_MAX, &complete);
        if (failed(e))
            return e;
        a->measuring = 0;
    }
    return make(a, rd, end);
}

struct err reply_start(struct fetch_reply *a, struct store_read *rd, uint32_t seq,
                       const struct message_row *row, enum reply_end *end)
{
    size_t mark = a->s->out->len;

    a->seq = seq;
    a->row = *row;
    struct err e = start(a, rd, end);
    if (failed(e)) {
        buf_truncate(a->s->out, mark);
        reply_drop(a);
    }
    return e;
}

static struct err resume(struct fetch_reply *a, struct store_read *rd, enum reply_end *end)
{
    bool complete;

    if (a->stage == REPLY_SEND)
        return send_on(a, rd, end);
    *end = REPLY_MORE;
    struct err e = measure(a, rd, MEASURE_PER_PULL, &complete);
    if (failed(e) || !complete)
        return e;
    e = load(a, rd);
    return failed(e) ? e : make(a, rd, end);
}

/*
 * Is the message still in its folder, now that its bytes are pinned? Bytes that were swept before
 * the pin are those of a message that was expunged before this read.
 */
static struct err look_again(struct fetch_reply *a, struct store_read *rd, uint64_t fid,
                             bool *there)
{
    struct message_row row;
    struct err e = store_message(rd, fid, a->row.uid, &row);

    *there = !failed(e) && row.blob == a->row.blob;
    return e.code == ERR_NOT_FOUND ? OK : e;
}

struct err reply_resume(struct fetch_reply *a, struct store_read *rd, uint64_t fid,
                        enum reply_end *end)
{
    size_t mark = a->s->out->len;
    bool cut_off = reply_is_cut_off(a);
    struct err e = OK;

    if (a->fresh) {
        bool there;

        e = look_again(a, rd, fid, &there);
        if (!failed(e) && !there) {
            reply_drop(a);
            *end = REPLY_GONE;
            return OK;
        }
        a->fresh = false;
    }
    if (!failed(e))
        e = resume(a, rd, end);
    if (failed(e) && !cut_off) {
        buf_truncate(a->s->out, mark);
        reply_drop(a);
    }
    return e;
}
