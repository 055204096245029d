/*
 * rop_stream.c - operations on streams: [MS-OXCPRPT] 3.2.5.12 - 3.2.5.27.
 *
 * A stream is read out of the store piece by piece until something is written to it: then its bytes
 * are in memory, and count for what the context may hold. Text is in memory from the beginning, for
 * its form on the wire is not that of the store. A clone shares the bytes of its stream.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "base/utf.h"
#include "protocols/mapi/context.h"
#include "protocols/mapi/props.h"
#include "store/mapi/codepage.h"

#define STREAM_MAX 0x80000000ull /* 3.2.5.18: seek pointers, and so sizes */

enum { SLICE = 4 * 1024 * 1024, SMALL_READ = 4096 };

enum { PR_ATTACH_DATA_OBJECT = 0x3701000D };

/* The bytes of a property, as they are on the wire. Shared by clones. */
struct stream_bytes {
    unsigned refs;
    struct mapi_context *context;
    uint32_t tag; /* as it was asked; the type is never PROP_UNSPECIFIED */
    int codepage; /* of PtypString8 */
    bool writable, changed;
    bool stored; /* they are in a blob, and not here */
    uint64_t blob;
    uint8_t *data;
    uint64_t len;
    uint64_t have, cap; /* what is in memory of it: zeros follow; and the memory that is charged */
};

struct mapi_stream {
    struct mapi_object object;
    struct mapi_object *of; /* the parent: it lives longer */
    struct stream_bytes *bytes;
    uint64_t position;
};

static struct mapi_stream *stream_of(struct mapi_object *object)
{
    return (struct mapi_stream *)object;
}

static struct stream_bytes *bytes_of(struct rop_call *call)
{
    return stream_of(call->object)->bytes;
}

/* ---- memory ---- */

static void bytes_free(struct stream_bytes *b)
{
    if (--b->refs > 0)
        return;
    context_discharge(b->context, b->cap);
    free(b->data);
    free(b);
}

static void stream_free(struct mapi_object *object)
{
    bytes_free(stream_of(object)->bytes);
    free(object);
}

static uint32_t reserve(struct stream_bytes *b, uint64_t len)
{
    uint64_t cap = b->cap ? b->cap : 4096;

    if (len <= b->cap)
        return EC_SUCCESS;
    while (cap < len)
        cap *= 2;
    uint32_t ec = context_charge(b->context, cap - b->cap);
    if (ec)
        return ec;
    b->data = mem_grow(b->data, cap, 1);
    b->cap = cap;
    return EC_SUCCESS;
}

/* What is new is zero (3.2.5.17, 3.2.5.18), and needs no memory before something is written there.
 */
static void set_len(struct stream_bytes *b, uint64_t len)
{
    b->len = len;
    if (b->have > len)
        b->have = len;
}

/* At least its first bytes are in memory. */
static uint32_t have_all(struct stream_bytes *b, uint64_t n)
{
    if (n <= b->have)
        return EC_SUCCESS;
    uint32_t ec = reserve(b, n);

    if (ec)
        return ec;
    memset(b->data + b->have, 0, n - b->have);
    b->have = n;
    return EC_SUCCESS;
}

static uint32_t write_at(struct stream_bytes *b, uint64_t at, struct slice data)
{
    if (data.len == 0)
        return EC_SUCCESS;
    uint32_t ec = have_all(b, at + data.len);

    if (ec)
        return ec;
    memcpy(b->data + at, data.ptr, data.len);
    if (b->len < b->have)
        b->len = b->have;
    return EC_SUCCESS;
}

/* ---- out of the store ---- */

/* At most `most` bytes at `at`, and no more than lie in one piece. */
static uint32_t piece_at(struct store_read *rd, const struct stream_bytes *b, uint64_t at,
                         uint64_t most, struct slice *out)
{
    static const uint8_t zeros[64 * 1024];
    uint64_t left = at < b->len ? b->len - at : 0;

    most = most < left ? most : left;
    if (b->stored && most > 0)
        return mapi_ec_of(store_blob_piece(rd, b->blob, at, most, out));
    *out = at < b->have ? slice_head(slice_of(b->data + at, b->have - at), most)
                        : slice_head(slice_of(zeros, sizeof zeros), most);
    return EC_SUCCESS;
}

/* All of it into memory: it is going to be written to. */
static uint32_t take_over(struct rop_call *call, struct stream_bytes *b)
{
    struct store_read *rd;
    struct slice piece;
    uint64_t at = 0;

    if (!b->stored)
        return EC_SUCCESS;
    uint32_t ec = reserve(b, b->len);
    if (!ec)
        ec = rop_read(call, &rd);
    if (ec)
        return ec;
    while (!ec && at < b->len) {
        ec = piece_at(rd, b, at, b->len - at, &piece);
        if (!ec && piece.len > 0) {
            memcpy(b->data + at, piece.ptr, piece.len);
            at += piece.len;
        }
    }
    store_read_end(rd);
    if (ec)
        return ec;
    b->stored = false;
    b->have = b->len;
    return EC_SUCCESS;
}

/* May it be written to? And if so, bring it into memory. */
static uint32_t begin_write(struct rop_call *call, struct stream_bytes *b)
{
    return b->writable ? take_over(call, b) : EC_STREAM_ACCESS_DENIED;
}

/* ---- text in its form on the wire, and back ---- */

static bool is_text(const struct stream_bytes *b)
{
    return prop_type(b->tag) == PROP_STRING || prop_type(b->tag) == PROP_STRING8;
}

static struct err put_text(const struct stream_bytes *b, struct slice text, struct buf *out)
{
    struct slice charset;
    struct err e = OK;

    if (prop_type(b->tag) == PROP_STRING)
        utf16le_from_utf8(text, out);
    else if (!failed(e = codepage_charset(b->codepage, &charset)))
        e = mime_from_utf8(charset, text, out);
    return !failed(e) && out->failed ? ERR(ERR_TOO_BIG, "the text is too long") : e;
}

static uint32_t fill_text(struct stream_bytes *b, struct slice text)
{
    struct buf out = buf_make(STREAM_MAX);
    struct err e = put_text(b, text, &out);
    uint32_t ec = failed(e) ? mapi_ec_of(e) : write_at(b, 0, buf_slice(&out));

    buf_done(&out);
    return ec;
}

/* The text that was written; it ends at its NUL, if a client sent one. Lives in the arena. */
static uint32_t text_of(struct rop_call *call, const struct stream_bytes *b, struct slice *out)
{
    struct slice bytes = slice_of(b->data, b->len), charset = S("utf-8");
    struct buf text = buf_make(STREAM_MAX);
    struct err e = OK;

    if (prop_type(b->tag) == PROP_STRING)
        utf8_from_utf16le(bytes, &text);
    else if (!failed(e = codepage_charset(b->codepage, &charset)))
        e = mime_to_utf8(charset, bytes, &text);
    if (!failed(e) && text.failed)
        e = ERR(ERR_TOO_BIG, "the text is too long");
    struct slice whole = buf_slice(&text);
    if (!failed(e))
        *out = arena_slice(call->arena, slice_head(whole, slice_index(whole, 0)));
    buf_done(&text);
    return mapi_ec_of(e);
}

static uint32_t stream_released(struct rop_call *call, struct mapi_object *object);

/* ---- RopOpenStream (3.2.5.12) ---- */

enum stream_mode { OPEN_READ = 0, OPEN_WRITE = 1, OPEN_CREATE = 2, OPEN_BEST = 3 };

/* 2.2.14: which properties can be streams. */
static bool is_streamable(const struct mapi_object *of, uint32_t tag)
{
    uint16_t type = prop_type(tag);

    if (of->kind == MAPI_FOLDER)
        return type == PROP_BINARY;
    return type == PROP_BINARY || type == PROP_STRING || type == PROP_STRING8 ||
           type == PROP_OBJECT;
}

/* An object is kept as the bytes that it is read and written as. */
static uint32_t kept_as(uint32_t tag)
{
    return prop_type(tag) == PROP_OBJECT ? PROP_TAG(prop_id(tag), PROP_BINARY) : tag;
}

static uint32_t fill(struct props *p, struct stream_bytes *b)
{
    struct store_prop prop;
    uint32_t ec = props_get(p, kept_as(b->tag), &prop);

    if (ec)
        return ec;
    if (prop.large && !is_text(b)) {
        b->stored = true;
        b->blob = prop.blob;
        b->len = prop.len;
        return prop.len < STREAM_MAX ? EC_SUCCESS : EC_NOT_ENOUGH_MEMORY;
    }
    ec = props_load(p, &prop, STREAM_MAX);
    if (ec)
        return ec;
    return is_text(b) ? fill_text(b, prop.value.bytes) : write_at(b, 0, prop.value.bytes);
}

static uint32_t load(struct rop_call *call, struct stream_bytes *b)
{
    struct props p;
    uint32_t ec = props_begin(call, call->object, &p);

    if (ec)
        return ec;
    ec = fill(&p, b);
    props_end(&p);
    return ec;
}

static struct stream_bytes *bytes_new(struct rop_call *call, uint32_t tag, bool writable)
{
    struct stream_bytes *b = mem_new(sizeof *b);

    b->refs = 1;
    b->context = call->context;
    b->tag = tag;
    b->codepage = props_form(call, call->object).codepage;
    b->writable = writable;
    return b;
}

static uint32_t open_on(struct rop_call *call, struct mapi_object *of, struct stream_bytes *b,
                        uint64_t position)
{
    struct mapi_stream *s = mem_new(sizeof *s);

    s->object.kind = MAPI_STREAM;
    s->object.free = stream_free;
    s->object.released = stream_released;
    s->of = of;
    s->bytes = b;
    s->position = position;
    return rop_open(call, &s->object, of);
}

static uint32_t mode_of(struct rop_call *call, uint8_t mode, bool *writable)
{
    uint32_t ec = props_may_change(call, call->object);

    if (mode > OPEN_BEST)
        return EC_INVALID_PARAMETER;
    *writable = mode != OPEN_READ && !ec;
    return mode == OPEN_READ || mode == OPEN_BEST ? EC_SUCCESS : ec;
}

static uint32_t finish_open(struct rop_call *call, struct stream_bytes *b)
{
    struct rop_open_stream_reply *reply = call->reply;

    reply->size = (uint32_t)b->len;
    return open_on(call, call->object, b, 0);
}

static uint32_t on_deleted(struct rop_call *call, struct props_change *change, uint32_t ec)
{
    (void)change;
    if (!ec)
        return finish_open(call, call->state);
    bytes_free(call->state);
    return ec;
}

/* A new stream begins with the end of what was there (2.2.14.1). */
static uint32_t create(struct rop_call *call, struct stream_bytes *b)
{
    struct props_change *change = arena_alloc(call->arena, sizeof *change);

    b->changed = true;
    call->state = b;
    change->object = call->object;
    change->changes = arena_alloc(call->arena, sizeof *change->changes);
    change->changes->prop.tag = kept_as(b->tag);
    change->changes->remove = true;
    change->n = 1;
    change->then = on_deleted;
    return props_change(call, change);
}

static uint32_t open_stream(struct rop_call *call)
{
    const struct rop_open_stream *rq = call->fields;
    bool writable;

    if (!is_streamable(call->object, rq->tag))
        return EC_NOT_SUPPORTED;
    uint32_t ec = mode_of(call, rq->mode, &writable);
    if (ec)
        return ec;
    struct stream_bytes *b = bytes_new(call, rq->tag, writable);
    if (rq->mode == OPEN_CREATE)
        return create(call, b);
    ec = load(call, b);
    if (!ec)
        return finish_open(call, b);
    bytes_free(b);
    return ec;
}

/* ---- RopReadStream (3.2.5.13) ---- */

/* How much of what was asked: what there is, and what the response holds. */
static uint64_t readable(const struct mapi_stream *s, uint64_t asked)
{
    uint64_t left = s->position < s->bytes->len ? s->bytes->len - s->position : 0;

    asked = asked < left ? asked : left;
    return asked < UINT16_MAX ? asked : UINT16_MAX;
}

static uint32_t read_bytes(struct rop_call *call, struct mapi_stream *s, uint64_t n,
                           struct slice *out)
{
    uint8_t *to = arena_alloc(call->arena, n + 1);
    struct store_read *rd;
    struct slice piece;
    uint64_t done = 0;
    uint32_t ec = rop_read(call, &rd);

    if (ec)
        return ec;
    while (!ec && done < n) {
        ec = piece_at(rd, s->bytes, s->position + done, n - done, &piece);
        if (!ec) {
            memcpy(to + done, piece.ptr, piece.len);
            done += piece.len;
        }
    }
    store_read_end(rd);
    *out = slice_of(to, n);
    return ec;
}

static uint32_t read_stream(struct rop_call *call)
{
    const struct rop_read_stream *rq = call->fields;
    struct rop_read_stream_reply *reply = call->reply;
    struct mapi_stream *s = stream_of(call->object);
    uint64_t n = readable(s, rq->n), most = call->room - 2;

    /* A few bytes at the end of a full response would only make more of them. */
    if (n > most && most < SMALL_READ && call->may_give_back)
        return ROP_GIVE_BACK;
    n = n < most ? n : most;
    uint32_t ec = read_bytes(call, s, n, &reply->data);
    if (ec)
        reply->data = SLICE_EMPTY;
    else
        s->position += n;
    return ec;
}

/* ---- RopWriteStream, RopWriteStreamExtended (3.2.5.14, 3.2.5.15) ---- */

static uint32_t write_stream(struct rop_call *call, struct slice data)
{
    struct mapi_stream *s = stream_of(call->object);
    uint32_t ec = begin_write(call, s->bytes);

    /* 3.2.5.13: also where it is the context that may hold no more. */
    if (!ec && (s->position + data.len > STREAM_MAX || write_at(s->bytes, s->position, data)))
        ec = EC_TOO_BIG;
    if (ec)
        return ec;
    s->bytes->changed = true;
    s->position += data.len;
    return EC_SUCCESS;
}

static uint32_t write_plain(struct rop_call *call)
{
    const struct rop_write_stream *rq = call->fields;
    struct rop_write_stream_reply *reply = call->reply;
    uint32_t ec = write_stream(call, rq->data);

    reply->written = ec ? 0 : (uint16_t)rq->data.len;
    return ec;
}

static uint32_t write_extended(struct rop_call *call)
{
    const struct rop_write_extended *rq = call->fields;
    struct rop_write_extended_reply *reply = call->reply;
    uint32_t ec = write_stream(call, rq->data);

    reply->written = ec ? 0 : (uint32_t)rq->data.len;
    return ec;
}

/* ---- RopCommitStream (3.2.5.16) ---- */

struct commit {
    struct rop_call *call;
    struct stream_bytes *bytes;
    struct props_change change;
    struct store_prop_change value;
    struct store_prepare_op prepare; /* of what is stored at once, and is large */
};

static uint32_t on_committed(struct rop_call *call, struct props_change *change, uint32_t ec)
{
    struct commit *c = container_of(change, struct commit, change);

    (void)call;
    store_prepared_free(c->value.prop.prepared);
    if (!ec)
        ec = props_problem(&c->value);
    c->bytes->changed = ec && c->bytes->changed;
    return ec;
}

static void on_prepared(struct store_prepare_op *op)
{
    struct commit *c = op->owner;

    if (failed(op->err)) {
        rop_resume(c->call, mapi_ec_of(op->err));
        return;
    }
    c->value.prop.prepared = op->prepared;
    c->value.prop.large = true;
    rop_resume(c->call, props_change(c->call, &c->change));
}

/* Off this thread. */
static uint32_t prepare(struct commit *c)
{
    struct store *store = c->call->mapi->config.store;
    struct store_spool *spool = store_spool_new(store);
    struct err e = store_spool_put(spool, c->value.prop.value.bytes);

    if (failed(e)) {
        store_spool_free(spool);
        return mapi_ec_of(e);
    }
    c->prepare = (struct store_prepare_op){
        .spool = spool, .home = c->call->home, .done = on_prepared, .owner = c};
    store_prepare_async(store, &c->prepare);
    return ROP_PENDING;
}

/* What was written becomes the property's value; of a message or attachment until it is saved. */
static uint32_t commit(struct rop_call *call, struct mapi_stream *s)
{
    struct stream_bytes *b = s->bytes;

    if (!b->changed)
        return EC_SUCCESS;
    struct commit *c = arena_alloc(call->arena, sizeof *c);
    struct slice *bytes = &c->value.prop.value.bytes;
    uint32_t ec = have_all(b, b->len);
    if (ec)
        return ec;
    c->call = call;
    c->bytes = b;
    c->value.prop.tag = kept_as(b->tag);
    *bytes = slice_of(b->data, b->len);
    if (is_text(b) && (ec = text_of(call, b, bytes)))
        return ec;
    c->change =
        (struct props_change){.object = s->of, .changes = &c->value, .n = 1, .then = on_committed};
    return s->of->kind == MAPI_FOLDER && bytes->len > STORE_PREPARE_INLINE
               ? prepare(c)
               : props_change(call, &c->change);
}

static uint32_t commit_stream(struct rop_call *call)
{
    return commit(call, stream_of(call->object));
}

/* 3.2.5.13: what was written is the property's value, if it was not committed before. */
static uint32_t stream_released(struct rop_call *call, struct mapi_object *object)
{
    return commit(call, stream_of(object));
}

uint32_t streams_flush(struct rop_call *call, struct mapi_object *of)
{
    uint32_t ec = EC_SUCCESS;

    for (struct mapi_object *child = of->children; child && !ec; child = child->next)
        if (child->kind == MAPI_STREAM)
            ec = commit(call, stream_of(child));
    return ec;
}

bool streams_get(const struct mapi_object *of, uint32_t tag, struct store_prop *out)
{
    for (struct mapi_object *child = of->children; child; child = child->next) {
        struct stream_bytes *b = child->kind == MAPI_STREAM ? stream_of(child)->bytes : NULL;

        if (!b || !b->changed || prop_id(b->tag) != prop_id(tag) || have_all(b, b->len))
            continue;
        *out = (struct store_prop){.tag = b->tag, .value.bytes = slice_of(b->data, b->len)};
        return true;
    }
    return false;
}

/* 2.2.26: not on a property of a folder. */
static uint32_t write_and_commit(struct rop_call *call)
{
    const struct rop_write_and_commit *rq = call->fields;
    struct rop_write_and_commit_reply *reply = call->reply;
    struct mapi_stream *s = stream_of(call->object);

    if (s->of->kind == MAPI_FOLDER)
        return EC_NOT_SUPPORTED;
    uint32_t ec = write_stream(call, rq->data);
    if (!ec)
        ec = commit(call, s);
    reply->written = ec ? 0 : (uint16_t)rq->data.len;
    return ec;
}

/* ---- sizes and positions ---- */

static uint32_t get_size(struct rop_call *call)
{
    struct rop_get_stream_size_reply *reply = call->reply;

    reply->size = (uint32_t)bytes_of(call)->len;
    return EC_SUCCESS;
}

/* 3.2.5.17 */
static uint32_t set_size(struct rop_call *call)
{
    const struct rop_set_stream_size *rq = call->fields;
    struct stream_bytes *b = bytes_of(call);

    if (rq->size > STREAM_MAX)
        return EC_STREAM_SIZE;
    uint32_t ec = begin_write(call, b);
    if (ec)
        return ec;
    b->changed = true;
    set_len(b, rq->size);
    return EC_SUCCESS;
}

enum seek_origin { SEEK_BEGIN = 0, SEEK_CURRENT = 1, SEEK_LAST = 2 };

static bool origin_of(const struct mapi_stream *s, uint8_t origin, uint64_t *base)
{
    switch (origin) {
    case SEEK_BEGIN:
        *base = 0;
        return true;
    case SEEK_CURRENT:
        *base = s->position;
        return true;
    case SEEK_LAST:
        *base = s->bytes->len;
        return true;
    default:
        return false;
    }
}

/*
 * 3.2.5.18: beyond its end a stream is extended. One that cannot be written to is left as it is,
 * and nothing is read there.
 */
static uint32_t seek(struct rop_call *call)
{
    const struct rop_seek_stream *rq = call->fields;
    struct rop_seek_stream_reply *reply = call->reply;
    struct mapi_stream *s = stream_of(call->object);
    int64_t offset = (int64_t)rq->offset;
    uint64_t base;

    if (!origin_of(s, rq->origin, &base))
        return EC_STREAM_INVALID_PARAM;
    if (offset > (int64_t)(STREAM_MAX - base) || offset < -(int64_t)base)
        return EC_STREAM_SEEK;
    uint64_t to = (uint64_t)((int64_t)base + offset);
    if (to > s->bytes->len && s->bytes->writable) {
        uint32_t ec = begin_write(call, s->bytes);

        if (ec)
            return ec;
        set_len(s->bytes, to);
        s->bytes->changed = true;
    }
    s->position = reply->position = to;
    return EC_SUCCESS;
}

/* ---- RopCopyToStream (3.2.5.19), in slices ---- */

static uint32_t copy_piece(struct rop_call *call, struct store_read *rd, uint64_t most)
{
    struct rop_copy_to_stream_reply *reply = call->reply;
    struct mapi_stream *from = stream_of(call->object), *to = stream_of(call->dest);
    struct slice piece;
    uint32_t ec = piece_at(rd, from->bytes, from->position, most, &piece);

    /* What is read may move when what is written grows: they may be clones. */
    if (!ec && !from->bytes->stored && from->bytes == to->bytes)
        piece = arena_slice(call->arena, slice_head(piece, 64 * 1024));
    if (!ec && (to->position + piece.len > STREAM_MAX || write_at(to->bytes, to->position, piece)))
        ec = EC_TOO_BIG;
    if (ec)
        return ec;
    from->position += piece.len;
    to->position += piece.len;
    to->bytes->changed = true;
    reply->read += piece.len;
    reply->written += piece.len;
    return EC_SUCCESS;
}

static uint32_t copy_more(struct rop_call *call)
{
    const struct rop_copy_to_stream *rq = call->fields;
    const struct rop_copy_to_stream_reply *reply = call->reply;
    const struct mapi_stream *from = stream_of(call->object);
    uint64_t end = reply->read + SLICE < rq->n ? reply->read + SLICE : rq->n;
    struct store_read *rd;
    uint32_t ec = rop_read(call, &rd);

    if (ec)
        return ec;
    while (!ec && reply->read < end && from->position < from->bytes->len)
        ec = copy_piece(call, rd, end - reply->read);
    store_read_end(rd);
    if (ec || reply->read >= rq->n || from->position >= from->bytes->len)
        return ec;
    return rop_later(call, copy_more);
}

static uint32_t copy_to_stream(struct rop_call *call)
{
    uint32_t ec = begin_write(call, stream_of(call->dest)->bytes);

    return ec ? ec : copy_more(call);
}

/* ---- RopCloneStream (3.2.5.25) ---- */

/* The same bytes, and a seek pointer of its own. */
static uint32_t clone_stream(struct rop_call *call)
{
    struct mapi_stream *s = stream_of(call->object);

    s->bytes->refs++;
    return open_on(call, s->of, s->bytes, s->position);
}

/* ---- RopLockRegionStream, RopUnlockRegionStream (3.2.5.21, 3.2.5.22) ---- */

/* A server need not have them: nobody else sees the bytes of a stream before they are saved. */
static uint32_t lock_region(struct rop_call *call)
{
    (void)call;
    return EC_NOT_IMPLEMENTED;
}

/* clang-format off */
const struct rop_handler mapi_stream_handlers[] = {
    {ROP_OpenStream,           MAPI_FOLDER | MAPI_MESSAGE | MAPI_ATTACHMENT,
                                                         0, EC_NOT_SUPPORTED, 0, open_stream},
    {ROP_ReadStream,           MAPI_STREAM,              0, EC_NOT_SUPPORTED, 0, read_stream},
    {ROP_WriteStream,          MAPI_STREAM,              0, EC_NOT_SUPPORTED, 0, write_plain},
    {ROP_WriteStreamExtended,  MAPI_STREAM,              0, EC_NOT_SUPPORTED, 0, write_extended},
    {ROP_CommitStream,         MAPI_STREAM,              0, EC_NOT_SUPPORTED, 0, commit_stream},
    {ROP_WriteAndCommitStream, MAPI_STREAM,              0, EC_NOT_SUPPORTED, 0, write_and_commit},
    {ROP_GetStreamSize,        MAPI_STREAM,              0, EC_NOT_SUPPORTED, 0, get_size},
    {ROP_SetStreamSize,        MAPI_STREAM,              0, EC_NOT_SUPPORTED, 0, set_size},
    {ROP_SeekStream,           MAPI_STREAM,              0, EC_NOT_SUPPORTED, 0, seek},
    {ROP_CopyToStream,         MAPI_STREAM,    MAPI_STREAM, EC_NOT_SUPPORTED, 0, copy_to_stream},
    {ROP_CloneStream,          MAPI_STREAM,              0, EC_NOT_SUPPORTED, 0, clone_stream},
    {ROP_LockRegionStream,     MAPI_STREAM,              0, EC_NOT_SUPPORTED, 0, lock_region},
    {ROP_UnlockRegionStream,   MAPI_STREAM,              0, EC_NOT_SUPPORTED, 0, lock_region},
    {.run = NULL},
};
/* clang-format on */
