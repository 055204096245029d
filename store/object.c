/*
 * object.c - reading MAPI objects: which of the three places a property comes of.
 */
#include "store/content.h"
#include "store/object_int.h"

/* ---- opening ---- */

static struct err finish_open(struct store_object *o, struct store_object **out)
{
    bool may_have_bag = o->kind != OBJECT_MESSAGE || (o->row.flags & FLAG_BAG);
    struct err e = read_mailbox_rec(o->rd, &o->rec);

    if (!failed(e) && may_have_bag)
        e = bag_load(o->rd->engine, o->id, o->in, &o->bag);
    if (!failed(e))
        *out = o;
    return e;
}

struct err store_object_open_row(struct store_read *rd, uint64_t fid, const struct message_row *row,
                                 struct arena *in, struct store_object **out)
{
    struct store_object *o = arena_alloc(in, sizeof *o);

    o->rd = rd;
    o->in = in;
    o->kind = OBJECT_MESSAGE;
    o->id = row->mid;
    o->fid = fid;
    o->row = *row;
    return finish_open(o, out);
}

static struct err open_message(struct store_read *rd, uint64_t mid, struct arena *in,
                               struct store_object **out)
{
    struct message_row row;
    uint64_t fid;
    uint32_t uid;
    struct err e = store_message_by_mid(rd, mid, &fid, &uid);

    if (!failed(e))
        e = store_message(rd, fid, uid, &row);
    return failed(e) ? e : store_object_open_row(rd, fid, &row, in, out);
}

struct err store_object_open(struct store_read *rd, uint64_t id, struct arena *in,
                             struct store_object **out)
{
    struct store_object *o = arena_alloc(in, sizeof *o);
    struct err e = OK;

    o->rd = rd;
    o->in = in;
    o->id = id;
    o->kind = id == STORE_OBJECT_MAILBOX ? OBJECT_MAILBOX : OBJECT_FOLDER;
    if (o->kind == OBJECT_FOLDER)
        e = folder_load(rd->engine, id, &o->folder);
    if (e.code == ERR_NOT_FOUND)
        return open_message(rd, id, in, out);
    return failed(e) ? e : finish_open(o, out);
}

enum store_object_kind store_object_kind(const struct store_object *object)
{
    return object->kind;
}

const struct message_row *store_object_row(const struct store_object *object)
{
    return object->kind == OBJECT_MESSAGE ? &object->row : NULL;
}

/* A folder that cannot be read is found out by who reads it. */
const struct message_place *object_place(const struct store_object *object)
{
    struct message_place *place = &object->rd->place;
    struct folder_rec rec;

    if (place->fid == object->fid)
        return place;
    *place = (struct message_place){.fid = object->fid};
    if (failed(folder_load(object->rd->engine, object->fid, &rec)))
        return place;
    *place = (struct message_place){.fid = rec.fid,
                                    .parent = rec.parent,
                                    .shadow = (enum store_shadow)rec.shadow,
                                    .deleted = folder_is_deleted(&rec),
                                    .deleted_on = rec.deleted_on};
    return place;
}

/* ---- keywords ---- */

struct err keywords_prop_id(struct engine_read *rd, uint16_t *id)
{
    struct store_prop_name name = {.by_string = true, .name = S("Keywords")};

    memcpy(name.guid, store_ps_public_strings, 16);
    return named_find(rd, &name, id);
}

static bool is_keywords(const struct store_object *o, uint16_t id)
{
    uint16_t its;

    return o->kind == OBJECT_MESSAGE && id >= NAMED_FIRST &&
           !failed(keywords_prop_id(o->rd->engine, &its)) && its == id;
}

static struct err get_keywords(struct store_object *o, uint16_t id, struct store_prop *out)
{
    const struct keyword_set *set = &(struct keyword_set){0, NULL};
    struct err e = OK;
    size_t n = 0;

    if (o->row.keyword_set)
        e = store_keywords(o->rd, o->row.keyword_set, &set);
    if (failed(e))
        return e;
    struct prop_value *items = arena_array(o->in, set->n, sizeof *items);

    for (uint32_t i = 0; i < set->n; i++)
        if (!keyword_is_mark(set->names[i]))
            items[n++].bytes = category_of_keyword(set->names[i], o->in);
    if (n == 0)
        return ERR(ERR_NOT_FOUND, "the message has no categories");
    *out = (struct store_prop){.tag = PROP_TAG(id, PROP_STRING | PROP_MULTIPLE)};
    out->value.many.items = items;
    out->value.many.n = n;
    return OK;
}

/* ---- what is derived of a delivered message ---- */

static bool is_derived(const struct store_object *o)
{
    return o->kind == OBJECT_MESSAGE && !o->bag.own;
}

bool store_object_is_own(const struct store_object *object)
{
    return object->bag.own;
}

bool store_object_was_read(const struct store_object *object)
{
    return object->have_mail;
}

static struct err load_mail(struct store_object *o)
{
    struct message_meta meta;
    struct slice bytes;
    struct mime mime;

    if (o->have_mail)
        return OK;
    struct err e = store_message_meta(o->rd, &o->row, &meta);
    if (!failed(e))
        e = store_message_bytes(o->rd, &o->row, 0, o->row.size, o->in, &bytes);
    if (!failed(e))
        e = mime_decode(meta.parts, o->row.size, o->in, &mime);
    if (failed(e))
        return e;
    oxcmail_open(bytes, &mime, o->in, &o->mail);
    o->have_mail = true;
    return OK;
}

/* Those of a message that was stored before there were columns have to be made now. */
static struct err load_columns(struct store_object *o)
{
    struct message_meta meta;
    struct err e = o->have_columns ? OK : store_message_meta(o->rd, &o->row, &meta);

    if (failed(e) || o->have_columns)
        return e;
    if (meta.columns.len > 0 && !columns_decode(meta.columns, &o->columns))
        return ERR(ERR_CORRUPT, "what lists show of a message is damaged");
    if (meta.columns.len == 0)
        o->columns.too_long = UINT64_MAX;
    o->have_columns = true;
    return OK;
}

static struct err load_derived(struct store_object *o)
{
    struct err e = load_mail(o);

    if (failed(e) || o->have_derived)
        return e;
    o->derived = (struct prop_list){.in = o->in};
    oxcmail_properties(&o->mail, &o->derived);
    o->have_derived = true;
    return OK;
}

/* Apart from the others: a table that shows subjects does not decode what it does not show. */
static struct err load_bodies(struct store_object *o)
{
    struct err e = load_derived(o);

    if (failed(e) || o->have_bodies)
        return e;
    prop_add_bytes(&o->derived, PR_BODY, oxcmail_body(&o->mail));
    if (o->mail.html != OXCMAIL_NO_PART)
        prop_add_bytes(&o->derived, PR_HTML, oxcmail_html(&o->mail));
    o->have_bodies = true;
    return OK;
}

static bool is_body(uint16_t id)
{
    return id == prop_id(PR_BODY) || id == prop_id(PR_HTML);
}

static struct err absent(void)
{
    return ERR(ERR_NOT_FOUND, "the object has no such property");
}

static bool type_fits(uint32_t asked, uint32_t has)
{
    return prop_type(asked) == PROP_UNSPECIFIED || prop_type(asked) == prop_type(has);
}

/* One that is in no column. */
static struct err derive(struct store_object *o, uint16_t id, struct prop *out)
{
    struct err e = is_body(id) ? load_bodies(o) : load_derived(o);
    const struct prop *prop = failed(e) ? NULL : prop_find(&o->derived, id);

    if (!failed(e) && !prop)
        return absent();
    if (prop)
        *out = *prop;
    return e;
}

static struct err get_derived(struct store_object *o, uint32_t tag, struct store_prop *out)
{
    enum column_answer answer = COLUMN_IS_NOT;
    struct prop prop = {0};

    if (!is_derived(o) || !columns_are_derived(prop_id(tag)))
        return absent();
    struct err e = load_columns(o);
    if (!failed(e))
        answer = columns_get(&o->columns, prop_id(tag), o->in, &prop);
    if (answer == COLUMN_ELSEWHERE)
        e = derive(o, prop_id(tag), &prop);
    else if (!failed(e) && answer == COLUMN_IS_NOT)
        e = absent();
    if (!failed(e) && !type_fits(tag, prop.tag))
        e = absent();
    if (!failed(e))
        *out = (struct store_prop){.tag = prop.tag, .value = prop.value};
    return e;
}

/* ---- one property ---- */

static struct err get_computed(struct store_object *o, const struct computed *c,
                               struct store_prop *out)
{
    struct store_prop prop = {.tag = c->tag};
    struct err e = c->get(o, c->tag, &prop.value);

    if (!failed(e))
        *out = prop;
    return e;
}

static struct err get_unowned(struct store_object *o, uint32_t tag,
                              const struct computed *otherwise, struct store_prop *out)
{
    bool there;
    size_t i = bag_find(&o->bag, prop_id(tag), &there);

    if (there && !type_fits(tag, o->bag.props[i].tag))
        return absent();
    if (there) {
        *out = o->bag.props[i];
        return OK;
    }
    struct err e = otherwise ? get_computed(o, otherwise, out) : absent();

    return e.code == ERR_NOT_FOUND ? get_derived(o, tag, out) : e;
}

struct err store_object_get(struct store_object *o, uint32_t tag, struct store_prop *out)
{
    if (prop_type(tag) == PROP_STRING8)
        tag = PROP_TAG(prop_id(tag), PROP_STRING);
    if (prop_type(tag) == (PROP_STRING8 | PROP_MULTIPLE))
        tag = PROP_TAG(prop_id(tag), PROP_STRING | PROP_MULTIPLE);
    if (is_keywords(o, prop_id(tag)))
        return type_fits(tag, PROP_STRING | PROP_MULTIPLE) ? get_keywords(o, prop_id(tag), out)
                                                           : absent();
    const struct computed *any = computed_find(o->kind, PROP_TAG(prop_id(tag), PROP_UNSPECIFIED));
    const struct computed *c = computed_find(o->kind, tag);

    if (any && any->how != COMPUTED_DEFAULT)
        return c ? get_computed(o, c, out) : absent();
    return get_unowned(o, tag, c, out);
}

/* ---- all of them ---- */

struct listing {
    struct store_prop *items;
    size_t n;
};

static struct err list_computed(struct store_object *o, struct listing *to)
{
    const struct computed *c = NULL;

    while ((c = computed_next(o->kind, c)) != NULL) {
        struct err e = store_object_get(o, c->tag, &to->items[to->n]);

        if (!failed(e))
            to->n++;
        else if (e.code != ERR_NOT_FOUND)
            return e;
    }
    return OK;
}

static bool is_computed(const struct store_object *o, uint32_t tag)
{
    return computed_find(o->kind, PROP_TAG(prop_id(tag), PROP_UNSPECIFIED)) != NULL;
}

static struct err list_keywords(struct store_object *o, struct listing *to)
{
    uint16_t id;

    if (o->kind != OBJECT_MESSAGE || failed(keywords_prop_id(o->rd->engine, &id)))
        return OK;
    struct err e = get_keywords(o, id, &to->items[to->n]);

    to->n += !failed(e);
    return e.code == ERR_NOT_FOUND ? OK : e;
}

struct err store_object_list(struct store_object *o, struct store_prop **out, size_t *n)
{
    struct err e = is_derived(o) ? load_bodies(o) : OK;
    const struct computed *c = NULL;
    struct listing list = {NULL, 0};
    size_t room = o->bag.n + o->derived.n + 1;
    bool there;

    if (failed(e))
        return e;
    while ((c = computed_next(o->kind, c)) != NULL)
        room++;
    list.items = arena_array(o->in, room, sizeof *list.items);
    e = list_computed(o, &list);
    if (!failed(e))
        e = list_keywords(o, &list);
    for (size_t i = 0; i < o->bag.n; i++)
        if (!is_computed(o, o->bag.props[i].tag))
            list.items[list.n++] = o->bag.props[i];
    for (size_t i = 0; i < o->derived.n; i++) {
        const struct prop *p = &o->derived.items[i];

        bag_find(&o->bag, prop_id(p->tag), &there);
        if (!there && !is_computed(o, p->tag))
            list.items[list.n++] = (struct store_prop){.tag = p->tag, .value = p->value};
    }
    if (failed(e))
        return e;
    *out = list.items;
    *n = list.n;
    return OK;
}

const struct store_prop *store_object_explicit(const struct store_object *o, size_t *n)
{
    *n = o->bag.n;
    return o->bag.props;
}

/* ---- what hangs on a message ---- */

static struct store_props props_of(const struct prop_list *list, struct arena *in)
{
    struct store_prop *items = arena_array(in, list->n, sizeof *items);

    for (size_t i = 0; i < list->n; i++)
        items[i] = (struct store_prop){.tag = list->items[i].tag, .value = list->items[i].value};
    return (struct store_props){items, list->n};
}

static void derive_content(const struct oxcmail *mail, unsigned depth, struct arena *in,
                           struct store_content *out);

/* A message in a message, with all that hangs on it. */
static const struct store_content *derive_embedded(struct slice bytes, unsigned depth,
                                                   struct arena *in)
{
    struct store_content *content = arena_alloc(in, sizeof *content);
    struct prop_list props = {.in = in};
    struct oxcmail mail;
    struct mime mime;

    mime_parse(bytes, in, &mime);
    oxcmail_open(bytes, &mime, in, &mail);
    oxcmail_properties(&mail, &props);
    prop_add_bytes(&props, PR_BODY, oxcmail_body(&mail));
    if (mail.html != OXCMAIL_NO_PART)
        prop_add_bytes(&props, PR_HTML, oxcmail_html(&mail));
    derive_content(&mail, depth, in, content);
    content->props = props_of(&props, in);
    return content;
}

static void derive_attachment(const struct oxcmail *mail, size_t number, unsigned depth,
                              struct arena *in, struct store_attachment *out)
{
    struct slice data = oxcmail_attachment_data(mail, number);
    bool embedded = mail->mime.parts[mail->attachments[number]].kind == MIME_MESSAGE;
    struct prop_list props = {.in = in};

    oxcmail_attachment(mail, number, &props);
    if (embedded && depth < STORE_CONTENT_DEPTH)
        out->embedded = derive_embedded(data, depth + 1, in);
    else
        prop_add_bytes(&props, PR_ATTACH_DATA, data);
    out->props = props_of(&props, in);
}

static void derive_content(const struct oxcmail *mail, unsigned depth, struct arena *in,
                           struct store_content *out)
{
    struct store_attachment *attachments =
        arena_array(in, mail->n_attachments, sizeof *attachments);
    struct prop_list *lists;
    size_t n = oxcmail_recipients(mail, &lists);
    struct store_props *recipients = arena_array(in, n, sizeof *recipients);

    for (size_t i = 0; i < n; i++)
        recipients[i] = props_of(&lists[i], in);
    for (size_t i = 0; i < mail->n_attachments; i++)
        derive_attachment(mail, i, depth, in, &attachments[i]);
    *out = (struct store_content){.recipients = recipients,
                                  .n_recipients = n,
                                  .attachments = attachments,
                                  .n_attachments = mail->n_attachments};
}

static struct err own_content(struct store_object *o, struct store_content *out)
{
    struct store_prop bytes = {.large = true, .blob = o->bag.content, .len = o->bag.content_len};

    if (o->bag.content == 0) {
        *out = (struct store_content){.n_recipients = 0};
        return OK;
    }
    struct err e = store_prop_load(o->rd, &bytes, STORE_CONTENT_MAX, o->in);
    if (e.code == ERR_TOO_BIG)
        e = ERR(ERR_CORRUPT, "what hangs on a message is too much");
    return failed(e) ? e
                     : content_decode(bytes.value.bytes, o->bag.content_blobs,
                                      o->bag.n_content_blobs, o->in, out);
}

struct err store_object_content(struct store_object *o, struct store_content *out)
{
    if (o->kind != OBJECT_MESSAGE)
        return ERR(ERR_INVALID, "recipients and attachments are of messages");
    if (o->bag.own)
        return own_content(o, out);
    struct err e = load_mail(o);

    if (!failed(e))
        derive_content(&o->mail, 1, o->in, out);
    return e;
}

/* ---- large values ---- */

struct err store_blob_piece(struct store_read *rd, uint64_t blob, uint64_t offset, uint64_t most,
                            struct slice *piece)
{
    return engine_blob_piece(rd->engine, blob, offset, most, piece);
}

struct err store_prop_load(struct store_read *rd, struct store_prop *prop, uint64_t max,
                           struct arena *in)
{
    if (!prop->large)
        return OK;
    if (prop->len > max)
        return ERR(ERR_TOO_BIG, "a large value");
    uint8_t *bytes = arena_alloc(in, (size_t)prop->len + 1);
    uint64_t have = 0;

    while (have < prop->len) {
        struct slice piece;
        struct err e = engine_blob_piece(rd->engine, prop->blob, have, prop->len - have, &piece);

        if (!failed(e) && (piece.len == 0 || piece.len > prop->len - have))
            e = ERR(ERR_CORRUPT, "a large value is not of its length");
        if (failed(e))
            return e;
        memcpy(bytes + have, piece.ptr, piece.len);
        have += piece.len;
    }
    prop->value = (struct prop_value){.bytes = slice_of(bytes, (size_t)prop->len)};
    prop->large = false;
    return OK;
}
