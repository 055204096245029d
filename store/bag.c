#include "store/bag.h"

#include "base/crc32c.h"
#include "base/varint.h"

enum { BAG_HEAD = 4, BAG_FORM = 1 };

/* ---- bytes ---- */

void bag_put_prop(const struct store_prop *prop, struct buf *out)
{
    uint8_t head[4];

    put_le16(head, prop_id(prop->tag));
    put_le16(head + 2, (uint16_t)(prop_type(prop->tag) | (prop->large ? BAG_LARGE : 0)));
    buf_put(out, slice_of(head, sizeof head));
    if (prop->large) {
        varint_put(out, prop->blob);
        varint_put(out, prop->len);
        return;
    }
    /* What cannot be stored was refused when it was set. */
    if (failed(prop_encode(prop_type(prop->tag), &prop->value, out)))
        out->failed = true;
}

bool bag_take_prop(struct slice *in, struct arena *arena, struct store_prop *out)
{
    struct store_prop prop = {.large = false};

    if (in->len < 4)
        return false;
    uint16_t type = get_le16(in->ptr + 2);

    prop.large = type & BAG_LARGE;
    prop.tag = PROP_TAG(get_le16(in->ptr), type & ~BAG_LARGE);
    *in = slice_from(*in, 4);
    if (prop.large) {
        if (!varint_take(in, &prop.blob) || !varint_take(in, &prop.len) || prop.blob == 0)
            return false;
    } else if (failed(prop_take(prop_type(prop.tag), in, arena, &prop.value))) {
        return false;
    }
    *out = prop;
    return true;
}

static void put_content(const struct bag *bag, struct buf *out)
{
    varint_put(out, bag->content);
    varint_put(out, bag->content_len);
    varint_put(out, bag->n_content_blobs);
    for (size_t i = 0; i < bag->n_content_blobs; i++)
        varint_put(out, bag->content_blobs[i]);
}

static bool take_content(struct slice *in, struct arena *arena, struct bag *bag)
{
    uint64_t n;

    /* A blob's number takes a byte at least. */
    if (!varint_take(in, &bag->content) || !varint_take(in, &bag->content_len) ||
        !varint_take(in, &n) || n > in->len || (bag->content == 0 && n > 0))
        return false;
    uint64_t *blobs = arena_array(arena, (size_t)n, sizeof *blobs);

    for (; bag->n_content_blobs < n; bag->n_content_blobs++)
        if (!varint_take(in, &blobs[bag->n_content_blobs]))
            return false;
    bag->content_blobs = blobs;
    return true;
}

void bag_encode(const struct bag *bag, struct buf *out)
{
    struct buf bytes = buf_make(STORE_BAG_MAX);
    uint8_t sum[BAG_HEAD];

    buf_putc(&bytes, BAG_FORM);
    buf_putc(&bytes, bag->own ? BAG_OWN : 0);
    if (bag->own)
        put_content(bag, &bytes);
    varint_put(&bytes, bag->n);
    for (size_t i = 0; i < bag->n; i++)
        bag_put_prop(&bag->props[i], &bytes);
    put_le32(sum, crc32c(0, buf_slice(&bytes)));
    buf_put(out, slice_of(sum, sizeof sum));
    buf_put(out, buf_slice(&bytes));
    out->failed |= bytes.failed;
    buf_done(&bytes);
}

struct err bag_decode(struct slice bytes, struct arena *in, struct bag *out)
{
    static const char why[] = "the properties of an object are damaged";
    struct bag bag = {.n = 0};
    uint64_t n;

    if (bytes.len < BAG_HEAD + 2 || get_le32(bytes.ptr) != crc32c(0, slice_from(bytes, BAG_HEAD)) ||
        bytes.ptr[BAG_HEAD] != BAG_FORM || (bytes.ptr[BAG_HEAD + 1] & ~BAG_OWN) != 0)
        return (struct err){ERR_CORRUPT, why};
    bag.own = bytes.ptr[BAG_HEAD + 1] & BAG_OWN;
    bytes = slice_from(bytes, BAG_HEAD + 2);
    if (bag.own && !take_content(&bytes, in, &bag))
        return (struct err){ERR_CORRUPT, why};
    /* Each has four bytes at least. */
    if (!varint_take(&bytes, &n) || n > bytes.len / 4)
        return (struct err){ERR_CORRUPT, why};
    bag.props = arena_array(in, (size_t)n, sizeof *bag.props);
    for (; bag.n < n; bag.n++) {
        struct store_prop *prop = &bag.props[bag.n];

        if (!bag_take_prop(&bytes, in, prop) ||
            (bag.n > 0 && prop_id(prop->tag) <= prop_id(prop[-1].tag)))
            return (struct err){ERR_CORRUPT, why};
    }
    if (bytes.len != 0)
        return (struct err){ERR_CORRUPT, why};
    *out = bag;
    return OK;
}

size_t bag_find(const struct bag *bag, uint16_t id, bool *there)
{
    size_t low = 0, high = bag->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (prop_id(bag->props[middle].tag) < id)
            low = middle + 1;
        else
            high = middle;
    }
    *there = low < bag->n && prop_id(bag->props[low].tag) == id;
    return low;
}

static uint64_t *blobs_of(const struct bag *bag, struct arena *in, size_t *n)
{
    uint64_t *blobs = arena_array(in, bag->n + bag->n_content_blobs + 1, sizeof *blobs);

    *n = 0;
    if (bag->content)
        blobs[(*n)++] = bag->content;
    for (size_t i = 0; i < bag->n_content_blobs; i++)
        blobs[(*n)++] = bag->content_blobs[i];
    for (size_t i = 0; i < bag->n; i++)
        if (bag->props[i].large)
            blobs[(*n)++] = bag->props[i].blob;
    return blobs;
}

struct err bag_blobs(struct slice bytes, struct arena *in, uint64_t **out, size_t *n)
{
    struct bag bag;
    struct err e = bag_decode(bytes, in, &bag);

    if (!failed(e))
        *out = blobs_of(&bag, in, n);
    return e;
}

struct err bag_unlink(struct store_tx *tx, const struct bag *bag, size_t *n)
{
    struct arena arena = ARENA_INIT;
    uint64_t *blobs = blobs_of(bag, &arena, n);
    struct err e = OK;

    for (size_t i = 0; i < *n && !failed(e); i++)
        e = engine_blob_unlink(tx->w, blobs[i]);
    arena_done(&arena);
    return e.code == ERR_NOT_FOUND ? ERR(ERR_CORRUPT, "the blob of a large value is missing") : e;
}

/* ---- stored ---- */

struct err bag_load(struct engine_read *rd, uint64_t id, struct arena *in, struct bag *out)
{
    struct key key = key_id(KEY_BAG, id);
    struct slice value;
    struct err e = engine_get(rd, key_slice(&key), &value);

    if (e.code == ERR_NOT_FOUND) {
        *out = (struct bag){.n = 0};
        return OK;
    }
    return failed(e) ? e : bag_decode(value, in, out);
}

struct err bag_save(struct store_tx *tx, uint64_t id, const struct bag *bag)
{
    struct key key = key_id(KEY_BAG, id);
    struct buf bytes = buf_make(STORE_BAG_MAX);

    if (bag_is_empty(bag))
        return tx_delete_any(tx, &key);
    bag_encode(bag, &bytes);
    struct err e = bytes.failed ? ERR(ERR_TOO_BIG, "an object with too many properties")
                                : tx_put(tx, &key, buf_slice(&bytes));

    buf_done(&bytes);
    return e;
}

/* A copy of the stored bytes: a put would end what the engine lends. */
static struct err load_bytes(struct store_tx *tx, uint64_t id, struct arena *in, struct slice *out)
{
    struct key key = key_id(KEY_BAG, id);
    struct slice value;
    struct err e = tx_get(tx, &key, &value);

    if (failed(e))
        return e.code == ERR_NOT_FOUND ? ERR(ERR_CORRUPT, "a message's properties are missing") : e;
    *out = arena_slice(in, value);
    return OK;
}

struct err bag_copy(struct store_tx *tx, uint64_t from, uint64_t to)
{
    struct key key = key_id(KEY_BAG, to);
    struct arena arena = ARENA_INIT;
    struct slice bytes;
    uint64_t *blobs;
    size_t n;
    struct err e = load_bytes(tx, from, &arena, &bytes);

    if (!failed(e))
        e = bag_blobs(bytes, &arena, &blobs, &n);
    for (size_t i = 0; !failed(e) && i < n; i++)
        e = engine_blob_link_id(tx->w, blobs[i]);
    if (!failed(e))
        e = tx_put(tx, &key, bytes);
    arena_done(&arena);
    return e;
}

struct err bag_move(struct store_tx *tx, uint64_t from, uint64_t to)
{
    struct key old = key_id(KEY_BAG, from), new = key_id(KEY_BAG, to);
    struct arena arena = ARENA_INIT;
    struct slice bytes;
    struct err e = load_bytes(tx, from, &arena, &bytes);

    if (!failed(e))
        e = tx_delete(tx, &old);
    if (!failed(e))
        e = tx_put(tx, &new, bytes);
    arena_done(&arena);
    return e;
}

struct err bag_drop(struct store_tx *tx, uint64_t id, size_t *blobs)
{
    struct key key = key_id(KEY_BAG, id);
    struct arena arena = ARENA_INIT;
    struct bag bag;
    struct err e = bag_load(tx->read, id, &arena, &bag);

    size_t n = 0;

    if (!failed(e))
        e = bag_unlink(tx, &bag, &n);
    *blobs += n;
    arena_done(&arena);
    return failed(e) ? e : tx_delete_any(tx, &key);
}

/* ---- categories ---- */

/* Does an escape stand at `i`? */
static bool is_escape(struct slice text, size_t i)
{
    return text.ptr[i] == '=' && i + 2 < text.len && ascii_hex(text.ptr[i + 1]) >= 0 &&
           ascii_hex(text.ptr[i + 2]) >= 0;
}

/* What an atom of IMAP may not have (RFC 9051 9), and what would be read as something else. */
static bool needs_escape(struct slice text, size_t i)
{
    uint8_t c = text.ptr[i];

    return c <= 0x20 || c >= 0x7F || c == '(' || c == ')' || c == '{' || c == '%' || c == '*' ||
           c == '"' || c == '\\' || c == ']' || (i == 0 && c == '$') || is_escape(text, i);
}

struct slice keyword_of_category(struct slice category, struct arena *in)
{
    struct buf out = buf_make(3 * category.len + 1);

    for (size_t i = 0; i < category.len; i++) {
        if (needs_escape(category, i))
            buf_printf(&out, "=%02X", category.ptr[i]);
        else
            buf_putc(&out, category.ptr[i]);
    }
    struct slice keyword = arena_slice(in, buf_slice(&out));
    buf_done(&out);
    return keyword;
}

struct slice category_of_keyword(struct slice keyword, struct arena *in)
{
    struct buf out = buf_make(keyword.len + 1);

    for (size_t i = 0; i < keyword.len; i++) {
        uint8_t c = keyword.ptr[i];

        if (is_escape(keyword, i)) {
            c = (uint8_t)(ascii_hex(keyword.ptr[i + 1]) << 4 | ascii_hex(keyword.ptr[i + 2]));
            i += 2;
        }
        buf_putc(&out, c);
    }
    /* A program's own keyword may look like an escape and be none: then it is shown as it is. */
    struct slice text = buf_slice(&out);
    bool good = slice_is_utf8(text) && slice_index(text, 0) == text.len;
    text = good ? arena_slice(in, text) : keyword;
    buf_done(&out);
    return text;
}
