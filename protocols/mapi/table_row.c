/* table_row.c - what is in a row: properties, those that only tables have, and their wire form. */
#include "protocols/mapi/rights.h"
#include "protocols/mapi/table_int.h"
#include "store/mapi/codepage.h"
#include "store/mime/mime.h"

enum {
    VALUE_MAX = 510,        /* bytes of a value in a row ([MS-OXCTABL] 2.2.2.5.2) */
    HEAD_BYTES = 2048,      /* of a large value: enough for VALUE_MAX in every code page */
    LOAD_MAX = 1024 * 1024, /* of a large value that a restriction looks into */
};

static bool row_get(struct match_source *self, uint32_t tag, struct prop *out);
static bool row_parts(struct match_source *self, uint32_t tag, struct match_source ***out,
                      size_t *n);

static bool row_failed(struct table_row *row, struct err e)
{
    if (failed(e) && e.code != ERR_NOT_FOUND)
        row->source.err = e;
    return failed(e);
}

/* ---- opening ---- */

static void row_init(struct mapi_table *t, struct store_read *rd, struct arena *in,
                     struct table_row *out)
{
    *out = (struct table_row){.source = {.get = row_get, .parts = row_parts},
                              .table = t,
                              .rd = rd,
                              .in = in,
                              .category = NO_CATEGORY};
}

void table_row_of_message(struct mapi_table *t, struct store_read *rd,
                          const struct message_row *message, uint32_t instance, struct arena *in,
                          struct table_row *out)
{
    row_init(t, rd, in, out);
    out->message = *message;
    out->leaf_uid = table_leaf_of(t, message);
    out->instance = instance;
    out->depth = t->n_categories;
    out->id = out->leaf_uid | (uint64_t)instance << 32;
}

void table_row_of_item(struct mapi_table *t, struct store_read *rd, const struct table_item *item,
                       struct arena *in, struct table_row *out)
{
    row_init(t, rd, in, out);
    out->id = item->id;
    out->depth = item->depth;
    if (t->rows)
        out->props = &t->rows->items[item->id - 1];
}

/* A header is shown by its first leaf. */
static struct err open_leaf(struct mapi_table *t, struct store_read *rd, uint64_t id,
                            struct arena *in, struct table_row *out)
{
    struct message_row message;
    struct err e = t->search ? table_search_message(t, rd, (uint32_t)id, &message)
                             : store_message(rd, t->place, (uint32_t)id, &message);

    if (e.code == ERR_NOT_FOUND && table_search_is_frozen(t))
        e = OK;
    if (!failed(e))
        table_row_of_message(t, rd, &message, (uint32_t)(id >> 32), in, out);
    return e;
}

struct err table_row_open(struct mapi_table *t, struct store_read *rd, uint32_t at,
                          struct arena *in, struct table_row *out)
{
    uint64_t id = table_id(t, at);

    if (t->kind != TABLE_CONTENTS) {
        table_row_of_item(t, rd, &t->items[at], in, out);
        return OK;
    }
    uint32_t category = t->n_categories ? category_find(t, id) : NO_CATEGORY;

    if (category == NO_CATEGORY)
        return open_leaf(t, rd, id, in, out);
    const struct table_category *c = &t->categories[category];
    struct err e = open_leaf(t, rd, leaf_id(&t->leaves, c->first), in, out);

    out->category = category;
    out->is_header = true;
    out->id = id;
    out->depth = c->depth;
    return e;
}

/* ---- numbers ---- */

static bool give_number(struct prop *out, uint32_t tag, uint64_t n)
{
    *out = (struct prop){tag, {.number = (int64_t)n}};
    return true;
}

/* The one that the message is in, though it was found from a search folder. */
static uint64_t folder_of(const struct mapi_table *t)
{
    return t->search ? t->place : t->fid;
}

/* What the store's row tells, without opening the message. */
static bool row_field(const struct table_row *row, uint32_t id, struct prop *out)
{
    const struct message_row *m = &row->message;
    bool has_bag = m->flags & FLAG_BAG;

    switch (id) {
    case PR_MID >> 16:
        return give_number(out, PR_MID, mapi_id(m->mid));
    case PR_FOLDER_ID >> 16:
        return give_number(out, PR_FOLDER_ID, mapi_id(folder_of(row->table)));
    case PR_PARENT_FOLDER_ID >> 16:
        return give_number(out, PR_PARENT_FOLDER_ID, mapi_id(folder_of(row->table)));
    case PR_CHANGE_NUMBER >> 16:
        return give_number(out, PR_CHANGE_NUMBER, mapi_id(m->cn));
    case PR_READ >> 16:
        return give_number(out, PR_READ, (m->flags & FLAG_SEEN) != 0);
    case PR_HAS_ATTACHMENTS >> 16:
        return give_number(out, PR_HAS_ATTACHMENTS, (m->flags & FLAG_ATTACHMENTS) != 0);
    case PR_INTERNET_ARTICLE_NUMBER >> 16:
        return give_number(out, PR_INTERNET_ARTICLE_NUMBER, m->uid);
    case PR_DELIVERY_TIME >> 16:
        return !has_bag && give_number(out, PR_DELIVERY_TIME, m->internaldate);
    case PR_CREATION_TIME >> 16:
        return !has_bag && give_number(out, PR_CREATION_TIME, m->savedate);
    default:
        return false;
    }
}

/* A frozen search has found it, and it was deleted since. */
static bool row_is_gone(const struct table_row *row)
{
    return row->table->search && row->message.uid == 0;
}

static uint64_t row_type(const struct table_row *row)
{
    if (!row->is_header)
        return ROW_LEAF;
    return row->table->categories[row->category].collapsed ? ROW_COLLAPSED : ROW_EXPANDED;
}

static uint64_t inst_id(const struct table_row *row)
{
    return row->is_header ? row->id : mapi_id(row->message.mid);
}

/* PidTagInstanceKey of what is not one message or folder. */
static bool give_instance_key(const struct table_row *row, struct prop *out)
{
    struct buf made = buf_make(64);

    wire_put_u64(&made, inst_id(row));
    wire_put_u32(&made, row->instance);
    *out = (struct prop){PR_INSTANCE_KEY, {.bytes = arena_slice(row->in, buf_slice(&made))}};
    buf_done(&made);
    return true;
}

/* Columns that only tables have. */
static bool table_field(struct table_row *row, uint32_t id, struct prop *out)
{
    bool contents = row->table->kind == TABLE_CONTENTS;

    switch (id) {
    case PR_DEPTH >> 16:
        return !row->props && give_number(out, PR_DEPTH, row->depth);
    case PR_ROW_TYPE >> 16:
        return contents && give_number(out, PR_ROW_TYPE, row_type(row));
    case PR_INST_ID >> 16:
        return contents && give_number(out, PR_INST_ID, inst_id(row));
    case PR_INSTANCE_NUM >> 16:
        return contents && give_number(out, PR_INSTANCE_NUM, row->instance);
    case PR_INSTANCE_KEY >> 16:
        return (row->is_header || row->instance) && give_instance_key(row, out);
    default:
        return false;
    }
}

/* ---- header rows ---- */

static uint32_t count_unread_found(struct table_row *row, const struct table_category *c)
{
    struct mapi_table *t = row->table;
    struct message_row message;
    uint32_t n = 0;

    for (uint32_t i = c->first; i < c->first + c->n; i++)
        n += !failed(table_search_message(t, row->rd, t->leaves.uids[i], &message)) &&
             !(message.flags & FLAG_SEEN);
    return n;
}

static bool give_unread(struct table_row *row, struct prop *out)
{
    struct mapi_table *t = row->table;
    const struct table_category *c = &t->categories[row->category];
    uint32_t n = 0;

    if (t->search)
        return give_number(out, PR_CONTENT_UNREAD_COUNT, count_unread_found(row, c));

    if (!t->unseen_loaded && row_failed(row, store_unseen(row->rd, t->place, &t->unseen)))
        return false;
    t->unseen_loaded = true;
    for (uint32_t i = c->first; i < c->first + c->n; i++)
        n += uidset_has(&t->unseen, t->leaves.uids[i]);
    return give_number(out, PR_CONTENT_UNREAD_COUNT, n);
}

static bool header_get(struct table_row *row, uint32_t tag, struct prop *out)
{
    const struct mapi_table *t = row->table;
    struct table_row leaf = *row;

    if (prop_id(tag) == PR_CONTENT_COUNT >> 16)
        return give_number(out, PR_CONTENT_COUNT, t->categories[row->category].n);
    if (prop_id(tag) == PR_CONTENT_UNREAD_COUNT >> 16)
        return give_unread(row, out);
    leaf.is_header = false;
    for (size_t i = 0; i <= row->depth; i++)
        if (prop_id(t->orders[i].tag) == prop_id(tag)) {
            bool has = table_row_get(&leaf, t->orders[i].tag, out);

            row->object = leaf.object; /* opened once, for all its columns */
            row->source.err = leaf.source.err;
            return has;
        }
    return false;
}

/* ---- properties of the store ---- */

static struct err open_object(struct table_row *row)
{
    const struct mapi_table *t = row->table;

    if (row->object)
        return OK;
    return t->kind == TABLE_CONTENTS
               ? store_object_open_row(row->rd, t->place, &row->message, row->in, &row->object)
               : store_object_open(row->rd, row->id, row->in, &row->object);
}

uint32_t table_row_cost(const struct table_row *row)
{
    if (!row->object)
        return 1;
    return row->content || store_object_was_read(row->object) ? EXPENSIVE_ROW : OPENED_ROW;
}

static struct err load_head(struct table_row *row, struct store_prop *p)
{
    uint64_t want = row->heads ? HEAD_BYTES : LOAD_MAX;
    struct buf made = buf_make(SIZE_MAX);
    struct err e = OK;

    want = p->len < want ? p->len : want;
    while (made.len < want && !failed(e)) {
        struct slice piece;

        e = store_blob_piece(row->rd, p->blob, made.len, want - made.len, &piece);
        if (!failed(e) && piece.len == 0)
            e = ERR(ERR_CORRUPT, "a large value is not of its length");
        if (!failed(e))
            buf_put(&made, piece);
    }
    p->value = (struct prop_value){.bytes = arena_slice(row->in, buf_slice(&made))};
    buf_done(&made);
    return e;
}

static bool stored_get(struct table_row *row, uint32_t id, struct prop *out)
{
    struct store_prop p = {0};
    struct err e = open_object(row);

    if (!failed(e))
        e = store_object_get(row->object, PROP_TAG(id, PROP_UNSPECIFIED), &p);
    if (!failed(e) && p.large)
        e = load_head(row, &p);
    if (row_failed(row, e))
        return false;
    *out = (struct prop){p.tag, p.value};
    return true;
}

static bool size_get(const struct table_row *row, uint32_t tag, struct prop *out)
{
    if (prop_type(tag) == PROP_INT64)
        return give_number(out, PR_MESSAGE_SIZE_EXTENDED, row->message.size);
    return give_number(out, PR_MESSAGE_SIZE,
                       row->message.size < INT32_MAX ? row->message.size : INT32_MAX);
}

static bool give_rights(const struct table_row *row, uint32_t tag, struct prop *out)
{
    const struct mapi_table *t = row->table;
    bool of_folder = t->kind == TABLE_HIERARCHY;
    uint32_t rights =
        mapi_rights(t->object.logon, row->rd, of_folder ? row->id : folder_of(t), row->in);

    if (!of_folder && prop_id(tag) != PR_ACCESS >> 16)
        return false;
    return give_number(out, PROP_TAG(prop_id(tag), PROP_INT32),
                       (uint64_t)mapi_rights_told(tag, rights, of_folder));
}

static bool row_get(struct match_source *self, uint32_t tag, struct prop *out)
{
    struct table_row *row = (struct table_row *)self;

    if (table_field(row, prop_id(tag), out))
        return true;
    if (row->is_header)
        return header_get(row, tag, out);
    if (row_is_gone(row))
        return prop_id(tag) == PR_MID >> 16 && give_number(out, PR_MID, mapi_id(row->message.mid));
    if (row->props) {
        const struct prop *p = prop_find(row->props, prop_id(tag));

        if (p)
            *out = *p;
        return p != NULL;
    }
    if (mapi_tells_rights(tag) && !row->table->object.logon->owner)
        return give_rights(row, tag, out);
    if (row->table->kind == TABLE_CONTENTS && prop_id(tag) == PR_MESSAGE_SIZE >> 16)
        return size_get(row, tag, out);
    return (row->table->kind == TABLE_CONTENTS && row_field(row, prop_id(tag), out)) ||
           stored_get(row, prop_id(tag), out);
}

/* ---- recipients and attachments, for restrictions ---- */

struct part {
    struct match_source source;
    const struct store_props *props;
};

static bool part_get(struct match_source *self, uint32_t tag, struct prop *out)
{
    const struct store_props *props = ((struct part *)self)->props;

    for (size_t i = 0; i < props->n; i++) {
        if (prop_id(props->items[i].tag) == prop_id(tag) && !props->items[i].large) {
            *out = (struct prop){props->items[i].tag, props->items[i].value};
            return true;
        }
    }
    return false;
}

static bool row_parts(struct match_source *self, uint32_t tag, struct match_source ***out,
                      size_t *n)
{
    struct table_row *row = (struct table_row *)self;

    if (row->is_header || row->table->kind != TABLE_CONTENTS || row_is_gone(row) ||
        row_failed(row, open_object(row)))
        return false;
    if (!row->content) {
        row->content = arena_alloc(row->in, sizeof *row->content);
        if (row_failed(row, store_object_content(row->object, row->content)))
            return false;
    }
    bool attachments = tag == PR_MESSAGE_ATTACHMENTS;

    *n = attachments ? row->content->n_attachments : row->content->n_recipients;
    *out = arena_array(row->in, *n, sizeof **out);
    for (size_t i = 0; i < *n; i++) {
        struct part *part = arena_alloc(row->in, sizeof *part);

        part->source.get = part_get;
        part->props =
            attachments ? &row->content->attachments[i].props : &row->content->recipients[i];
        (*out)[i] = &part->source;
    }
    return true;
}

/* ---- columns ---- */

static uint16_t plain_type(uint16_t type)
{
    uint16_t base = type & (uint16_t) ~(PROP_MULTIPLE | MULTI_INSTANCE);

    return (uint16_t)((base == PROP_STRING8 ? PROP_STRING : base) | (type & PROP_MULTIPLE));
}

static bool get_typed(struct table_row *row, uint32_t tag, struct prop *out)
{
    return row_get(&row->source, tag & ~(uint32_t)MULTI_INSTANCE, out) &&
           plain_type(prop_type(tag)) == plain_type(prop_type(out->tag));
}

bool table_row_get(struct table_row *row, uint32_t tag, struct prop *out)
{
    uint16_t type = prop_type(tag);

    if (!(type & MULTI_INSTANCE)) {
        if (!get_typed(row, tag, out))
            return false;
        out->tag = tag; /* String8, where that is what it asks for */
        return true;
    }
    uint16_t base = type & (uint16_t) ~(PROP_MULTIPLE | MULTI_INSTANCE);

    if (row->is_header) { /* it has the value of its leaves */
        if (!row_get(&row->source, tag, out))
            return false;
    } else {
        if (!get_typed(row, tag, out) || row->instance >= out->value.many.n)
            return false;
        out->value = out->value.many.items[row->instance];
    }
    out->tag = PROP_TAG(prop_id(tag), base);
    return true;
}

uint32_t table_row_instances(struct table_row *row)
{
    struct prop has;

    if (!row->table->instances_of || !get_typed(row, row->table->instances_of, &has) ||
        has.value.many.n == 0)
        return 1;
    return (uint32_t)has.value.many.n;
}

/* ---- cutting ([MS-OXCTABL] 2.2.2.5.2) ---- */

/* The first bytes of UTF-8 that are whole characters, and no more than `units` of UTF-16. */
static struct slice cut_text(struct slice text, size_t units)
{
    size_t at = 0;

    while (at < text.len) {
        uint8_t lead = text.ptr[at];
        size_t len = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
        size_t takes = len == 4 ? 2 : 1;

        if (at + len > text.len || takes > units)
            break;
        units -= takes;
        at += len;
    }
    return slice_head(text, at);
}

static size_t bytes_in(int codepage, struct slice text)
{
    struct buf out = buf_make(SIZE_MAX);
    struct slice charset;
    size_t n = text.len;

    if (!failed(codepage_charset(codepage, &charset)) &&
        !failed(mime_from_utf8(charset, text, &out)))
        n = out.len;
    buf_done(&out);
    return n;
}

static struct slice cut_text8(struct slice text, int codepage, size_t most)
{
    size_t units = most;

    text = cut_text(text, units);
    while (text.len > 0 && bytes_in(codepage, text) > most) {
        units -= units / 8 + 1;
        text = cut_text(text, units);
    }
    return text;
}

static struct prop_value cut_one(const struct value_form *form, uint16_t type,
                                 struct prop_value value, size_t most)
{
    if (type == PROP_STRING)
        value.bytes = cut_text(value.bytes, most / 2 - 1);
    else if (type == PROP_STRING8)
        value.bytes = cut_text8(value.bytes, form->codepage, most - 1);
    else if (type == PROP_BINARY || type == PROP_SERVER_ID)
        value.bytes = slice_head(value.bytes, most);
    return value;
}

static size_t size_in_row(const struct value_form *form, uint16_t type,
                          const struct prop_value *value)
{
    struct buf out = buf_make(SIZE_MAX);

    value_put(&out, form, type, value);
    size_t n = out.len;

    buf_done(&out);
    return n;
}

/* So many of the values as there is room for. */
static void cut_many(const struct value_form *form, struct prop *p)
{
    uint16_t base = prop_type(p->tag) & (uint16_t)~PROP_MULTIPLE;
    size_t used = 4, n = 0;

    for (; n < p->value.many.n; n++) {
        used += size_in_row(form, base, &p->value.many.items[n]);
        if (used > VALUE_MAX)
            break;
    }
    p->value.many.n = n;
}

static void cut(const struct value_form *form, struct prop *p)
{
    if (prop_type(p->tag) & PROP_MULTIPLE)
        cut_many(form, p);
    else
        p->value = cut_one(form, prop_type(p->tag), p->value, VALUE_MAX);
}

bool table_row_put(struct table_row *row, const struct value_form *form, struct buf *out)
{
    const struct mapi_table *t = row->table;
    struct prop *values = arena_array(row->in, t->n_columns, sizeof *values);
    size_t before = out->len;

    row->heads = true;
    for (size_t i = 0; i < t->n_columns; i++) {
        if (table_row_get(row, t->columns[i], &values[i]))
            cut(form, &values[i]);
        else
            values[i] = (struct prop){PROP_TAG(prop_id(t->columns[i]), PROP_ERROR),
                                      {.number = EC_NOT_FOUND}};
    }
    row_put(out, form, t->columns, t->n_columns, values);
    if (!out->failed)
        return true;
    out->failed = false;
    buf_truncate(out, before);
    return false;
}
