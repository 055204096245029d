#include "store/content.h"

#include "base/varint.h"
#include "store/edit.h"
#include "store/prepare_int.h"

#include <stdlib.h>

enum { CONTENT_FORM = 1 };

/* ---- to bytes ---- */

struct encoder {
    struct store *store;
    struct save_content *saved;
    struct buf out;
};

/* Takes `prepared` over. */
static struct err add_blob(struct save_content *saved, struct store_prepared *prepared,
                           uint64_t blob)
{
    if (saved->n == saved->cap) {
        saved->cap = saved->cap ? saved->cap * 2 : 8;
        saved->prepared = mem_grow(saved->prepared, saved->cap, sizeof(void *));
        saved->blobs = mem_grow(saved->blobs, saved->cap, sizeof *saved->blobs);
    }
    saved->prepared[saved->n] = prepared;
    saved->blobs[saved->n++] = blob;
    return saved->n < STORE_BAG_BLOBS ? OK : ERR(ERR_LIMIT, "too many large values");
}

static struct err make_large(struct encoder *enc, struct store_prop *prop)
{
    struct store_prepared *prepared = NULL;
    struct err e = OK;

    if (prop->prepared)
        prepared = store_prepared_hold(prop->prepared);
    else if (!prop->large)
        e = store_prepare_bytes(enc->store, SLICE_EMPTY, prop->value.bytes, &prepared);
    else if (prop->blob == 0)
        e = ERR(ERR_INVALID, "a large value without its blob");
    if (failed(e))
        return e;
    if (prepared)
        prop->len = store_prepared_size(prepared);
    e = add_blob(enc->saved, prepared, prop->blob);
    prop->large = true;
    prop->blob = enc->saved->n; /* its place */
    return e;
}

static struct err put_prop(struct encoder *enc, struct store_prop prop)
{
    uint16_t type = prop_type(prop.tag);
    bool large = prop.large || prop.prepared;
    struct err e = large && type != PROP_STRING && type != PROP_BINARY
                       ? ERR(ERR_UNSUPPORTED, "large values are text or binary")
                       : OK;

    if ((type & ~PROP_MULTIPLE) == PROP_STRING8)
        prop.tag += PROP_STRING - PROP_STRING8;
    if (!large)
        e = prop_check(prop_type(prop.tag), &prop.value);
    if (!failed(e) && (large || prop_is_long(&prop)))
        e = make_large(enc, &prop);
    if (!failed(e))
        bag_put_prop(&prop, &enc->out);
    return e;
}

static struct err put_props(struct encoder *enc, const struct store_props *props)
{
    struct err e = OK;

    varint_put(&enc->out, props->n);
    for (size_t i = 0; i < props->n && !failed(e); i++)
        e = put_prop(enc, props->items[i]);
    return e;
}

static struct err put_content(struct encoder *enc, const struct store_content *c, unsigned depth)
{
    struct err e = put_props(enc, &c->props);

    if (depth > STORE_CONTENT_DEPTH)
        return ERR(ERR_LIMIT, "messages embedded too deep");
    varint_put(&enc->out, c->n_recipients);
    for (size_t i = 0; i < c->n_recipients && !failed(e); i++)
        e = put_props(enc, &c->recipients[i]);
    varint_put(&enc->out, c->n_attachments);
    for (size_t i = 0; i < c->n_attachments && !failed(e); i++) {
        const struct store_attachment *attachment = &c->attachments[i];

        e = put_props(enc, &attachment->props);
        buf_putc(&enc->out, attachment->embedded != NULL);
        if (!failed(e) && attachment->embedded)
            e = put_content(enc, attachment->embedded, depth + 1);
    }
    return e;
}

struct err content_encode(struct store *st, const struct store_content *content,
                          struct save_content **out)
{
    struct encoder enc = {
        .store = st, .saved = mem_new(sizeof *enc.saved), .out = buf_make(STORE_CONTENT_MAX)};

    buf_putc(&enc.out, CONTENT_FORM);
    struct err e = put_content(&enc, content, 1);

    if (!failed(e) && enc.out.failed)
        e = ERR(ERR_TOO_BIG, "too much hangs on a message");
    if (!failed(e))
        e = store_prepare_bytes(st, SLICE_EMPTY, buf_slice(&enc.out), &enc.saved->bytes);
    buf_done(&enc.out);
    if (failed(e)) {
        save_content_free(enc.saved);
        return e;
    }
    *out = enc.saved;
    return OK;
}

void save_content_free(struct save_content *saved)
{
    if (!saved)
        return;
    for (size_t i = 0; i < saved->n; i++)
        store_prepared_free(saved->prepared[i]);
    store_prepared_free(saved->bytes);
    free(saved->prepared);
    free(saved->blobs);
    free(saved);
}

/* ---- and back ---- */

struct decoder {
    struct slice left;
    const uint64_t *blobs;
    size_t n_blobs;
    struct arena *in;
};

/* A count of things that take `least` bytes each. */
static bool take_count(struct decoder *dec, size_t least, size_t *out)
{
    uint64_t n;

    if (!varint_take(&dec->left, &n) || n > dec->left.len / least)
        return false;
    *out = (size_t)n;
    return true;
}

static bool take_props(struct decoder *dec, struct store_props *out)
{
    size_t n;

    if (!take_count(dec, 4, &n))
        return false;
    struct store_prop *items = arena_array(dec->in, n, sizeof *items);

    for (size_t i = 0; i < n; i++) {
        struct store_prop *prop = &items[i];

        if (!bag_take_prop(&dec->left, dec->in, prop))
            return false;
        if (prop->large && prop->blob > dec->n_blobs)
            return false;
        if (prop->large)
            prop->blob = dec->blobs[prop->blob - 1];
    }
    *out = (struct store_props){items, n};
    return true;
}

static bool take_content(struct decoder *dec, unsigned depth, struct store_content *out);

static bool take_attachment(struct decoder *dec, unsigned depth, struct store_attachment *out)
{
    if (!take_props(dec, &out->props) || dec->left.len == 0 || dec->left.ptr[0] > 1)
        return false;
    bool embedded = dec->left.ptr[0];

    dec->left = slice_from(dec->left, 1);
    if (!embedded)
        return true;
    struct store_content *content = arena_alloc(dec->in, sizeof *content);

    out->embedded = content;
    return take_content(dec, depth + 1, content);
}

static bool take_content(struct decoder *dec, unsigned depth, struct store_content *out)
{
    struct store_content c = {.n_recipients = 0};

    if (depth > STORE_CONTENT_DEPTH || !take_props(dec, &c.props) ||
        !take_count(dec, 1, &c.n_recipients))
        return false;
    struct store_props *recipients = arena_array(dec->in, c.n_recipients, sizeof *recipients);

    for (size_t i = 0; i < c.n_recipients; i++)
        if (!take_props(dec, &recipients[i]))
            return false;
    if (!take_count(dec, 2, &c.n_attachments))
        return false;
    struct store_attachment *attachments =
        arena_array(dec->in, c.n_attachments, sizeof *attachments);

    for (size_t i = 0; i < c.n_attachments; i++)
        if (!take_attachment(dec, depth, &attachments[i]))
            return false;
    c.recipients = recipients;
    c.attachments = attachments;
    *out = c;
    return true;
}

struct err content_decode(struct slice bytes, const uint64_t *blobs, size_t n_blobs,
                          struct arena *in, struct store_content *out)
{
    struct decoder dec = {slice_from(bytes, 1), blobs, n_blobs, in};

    if (bytes.len == 0 || bytes.ptr[0] != CONTENT_FORM || !take_content(&dec, 1, out) ||
        dec.left.len > 0)
        return ERR(ERR_CORRUPT, "what hangs on a message is damaged");
    return OK;
}
