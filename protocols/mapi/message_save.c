/*
 * message_save.c - RopSaveChangesMessage: what a message becomes in the store
 * ([MS-OXCMSG] 3.2.5.3).
 *
 * What is not told in its RFC 822 form is set on the message that is there, which keeps its UID.
 * Everything else makes a message with new bytes, and so a new UID (RFC 9051 2.3.1.1).
 */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "protocols/mapi/message_int.h"
#include "protocols/mapi/props.h"

struct saving {
    struct mapi_message *message;
    bool force;
    bool stale; /* the attachments that the message has are not those that were counted */
    uint32_t (*then)(struct rop_call *call, uint32_t ec);
    struct store_set_props set;
    struct store_save_message save;
    struct store_content content;
};

/* ---- is it another mail? ---- */

static bool changes_mail(struct rop_call *call, struct store_read *rd, const struct mapi_message *m)
{
    if (m->mid == 0 || m->body.own_recipients || m->body.parts_changed)
        return true;
    for (size_t i = 0; i < m->body.props.n; i++)
        if (tag_is_in_mail(rd, m->body.props.items[i].tag, call->arena))
            return true;
    return false;
}

/* ---- copies of what is stored: the snapshot ends before it is saved ---- */

static struct store_prop copy_prop(const struct store_prop *prop, struct arena *in)
{
    struct store_prop copy = *prop;

    if (!prop->large)
        copy.value = prop_copy(prop_type(prop->tag), &prop->value, in);
    return copy;
}

static struct store_props copy_props(const struct store_props *from, struct arena *in)
{
    struct store_prop *items = arena_array(in, from->n, sizeof *items);

    for (size_t i = 0; i < from->n; i++)
        items[i] = copy_prop(&from->items[i], in);
    return (struct store_props){items, from->n};
}

static void copy_content(const struct store_content *from, struct arena *in,
                         struct store_content *to);

static void copy_attachment(const struct store_attachment *from, struct arena *in,
                            struct store_attachment *to)
{
    to->props = copy_props(&from->props, in);
    if (from->embedded) {
        struct store_content *embedded = arena_alloc(in, sizeof *embedded);

        copy_content(from->embedded, in, embedded);
        to->embedded = embedded;
    }
}

static void copy_content(const struct store_content *from, struct arena *in,
                         struct store_content *to)
{
    struct store_props *recipients = arena_array(in, from->n_recipients, sizeof *recipients);
    struct store_attachment *attachments =
        arena_array(in, from->n_attachments, sizeof *attachments);

    for (size_t i = 0; i < from->n_recipients; i++)
        recipients[i] = copy_props(&from->recipients[i], in);
    for (size_t i = 0; i < from->n_attachments; i++)
        copy_attachment(&from->attachments[i], in, &attachments[i]);
    *to = (struct store_content){copy_props(&from->props, in), recipients, from->n_recipients,
                                 attachments, from->n_attachments};
}

/* ---- what hangs on it ---- */

/* To, Cc and Bcc by name ([MS-OXOMSG] 2.2.1.7 to 2.2.1.9), as the store makes them at the top. */
static struct slice display_of(const struct store_content *content, int64_t type, struct arena *in)
{
    struct buf names = buf_make(SIZE_MAX / 2);

    for (size_t i = 0; i < content->n_recipients; i++) {
        const struct store_props *r = &content->recipients[i];
        const struct store_prop *its = props_find(r, prop_id(PR_RECIPIENT_TYPE));
        const struct store_prop *name = props_find(r, prop_id(PR_DISPLAY_NAME));

        if (!name || name->value.bytes.len == 0)
            name = props_find(r, prop_id(PR_EMAIL_ADDRESS));
        if (!its || (its->value.number & 0xF) != type || !name || name->large)
            continue;
        if (names.len)
            buf_puts(&names, "; ");
        buf_put(&names, name->value.bytes);
    }
    struct slice text = arena_slice(in, buf_slice(&names));

    buf_done(&names);
    return text;
}

static size_t add_displays(const struct store_content *content, struct arena *in,
                           struct store_prop *to)
{
    static const struct {
        uint32_t tag;
        int64_t type;
    } displays[] = {{PR_DISPLAY_TO, 1}, {PR_DISPLAY_CC, 2}, {PR_DISPLAY_BCC, 3}};
    enum { DISPLAYS = sizeof displays / sizeof *displays };

    for (size_t i = 0; i < DISPLAYS; i++)
        to[i] = (struct store_prop){.tag = displays[i].tag,
                                    .value.bytes = display_of(content, displays[i].type, in)};
    return DISPLAYS;
}

static void put_body(const struct mapi_body *body, struct arena *in, struct store_content *to);

static struct store_props part_props(const struct mapi_part *part, const struct store_props *from,
                                     struct arena *in)
{
    struct store_prop *items = arena_array(in, from->n + 2, sizeof *items);
    size_t n = 0;

    for (size_t i = 0; i < from->n; i++)
        if (prop_id(from->items[i].tag) != prop_id(PR_ATTACH_NUMBER))
            items[n++] = from->items[i];
    items[n++] = (struct store_prop){.tag = PR_ATTACH_NUMBER, .value.number = part->number};
    return (struct store_props){items, n};
}

static void put_part(const struct mapi_part *part, const struct store_content *base,
                     struct arena *in, struct store_attachment *to)
{
    if (part->source != IN_MEMORY) {
        assert(base && base->attachments);
        copy_attachment(&base->attachments[part->source], in, to);
        return;
    }
    struct store_props props = held_props_of(&part->props, in);

    to->props = part_props(part, &props, in);
    if (part->embedded) {
        struct store_content *embedded = arena_alloc(in, sizeof *embedded);

        put_body(part->embedded, in, embedded);
        to->embedded = embedded;
    }
}

static struct store_props recipient_props(const struct mapi_recipient *r, struct arena *in)
{
    struct store_props props = held_props_of(&r->props, in);
    struct store_prop *items = arena_array(in, props.n + 1, sizeof *items);
    size_t n = 0;

    for (size_t i = 0; i < props.n; i++)
        if (prop_id(props.items[i].tag) != prop_id(PR_ROWID))
            items[n++] = props.items[i];
    items[n++] = (struct store_prop){.tag = PR_ROWID, .value.number = r->row_id};
    return (struct store_props){items, n};
}

/*
 * Recipients and attachments; `base` are those that are stored, if any. Those that nobody changed
 * are taken as they are stored now, not as they were when they were counted.
 */
static void put_content(const struct mapi_body *body, const struct store_content *base,
                        struct arena *in, struct store_content *to)
{
    struct store_props *recipients = arena_array(in, body->n_recipients, sizeof *recipients);
    struct store_attachment *parts = arena_array(in, body->n_parts, sizeof *parts);

    *to = (struct store_content){.n_recipients = 0};
    if (base)
        copy_content(base, in, to);
    if (body->own_recipients) {
        for (size_t i = 0; i < body->n_recipients; i++)
            recipients[i] = recipient_props(&body->recipients[i], in);
        to->recipients = recipients;
        to->n_recipients = body->n_recipients;
    }
    if (!base || body->parts_changed) {
        for (size_t i = 0; i < body->n_parts; i++)
            put_part(&body->parts[i], base, in, &parts[i]);
        to->attachments = parts;
        to->n_attachments = body->n_parts;
    }
}

static void put_body(const struct mapi_body *body, struct arena *in, struct store_content *to)
{
    enum { DISPLAYS = 3 };

    put_content(body, NULL, in, to);
    struct store_props props = held_props_of(&body->props, in);
    struct store_prop *items = arena_array(in, props.n + DISPLAYS, sizeof *items);
    size_t n = 0;

    for (size_t i = 0; i < props.n; i++)
        if (!tag_is_computed(props.items[i].tag))
            items[n++] = props.items[i];
    n += add_displays(to, in, items + n);
    to->props = (struct store_props){items, n};
}

/* ---- its properties ---- */

struct change_list {
    struct store_prop_change *items;
    size_t n;
};

static void add_set(struct change_list *list, struct store_prop prop)
{
    list->items[list->n++].prop = prop;
}

/* The state of a message is its row's, and stays as it is; its categories too. */
static bool is_state(struct store_read *rd, uint32_t tag)
{
    static const uint32_t tags[] = {PR_MESSAGE_FLAGS,      PR_MESSAGE_STATUS,
                                    PR_ICON_INDEX,         PR_FLAG_STATUS,
                                    PR_LAST_VERB_EXECUTED, PR_LAST_MODIFICATION_TIME};
    struct store_prop_name keywords = {.by_string = true, .name = S("Keywords")};
    uint16_t id;

    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (prop_id(tags[i]) == prop_id(tag))
            return true;
    memcpy(keywords.guid, store_ps_public_strings, 16);
    return !failed(store_named_id(rd, &keywords, &id)) && id == prop_id(tag);
}

static void add_held(const struct mapi_message *m, struct change_list *list)
{
    for (size_t i = 0; i < m->body.props.n; i++) {
        const struct held_prop *held = &m->body.props.items[i];

        if (tag_is_computed(held->tag))
            continue;
        if (held->value) {
            add_set(list, held_get(held));
            continue;
        }
        list->items[list->n].prop.tag = held->tag;
        list->items[list->n++].remove = true;
    }
}

static void add_stored(struct rop_call *call, struct store_read *rd, const struct mapi_message *m,
                       const struct store_props *base, struct change_list *list)
{
    for (size_t i = 0; i < base->n; i++) {
        uint32_t tag = base->items[i].tag;

        if (!tag_is_computed(tag) && !held_find(&m->body.props, prop_id(tag)) &&
            !body_hides(&m->body, tag) && !is_state(rd, tag))
            add_set(list, copy_prop(&base->items[i], call->arena));
    }
}

/* [MS-OXCMSG] 3.2.5.2: read for ever, where the client did not say whether it is. */
static void add_first_flags(const struct mapi_message *m, struct change_list *list)
{
    if (m->mid == 0 && !held_find(&m->body.props, prop_id(PR_MESSAGE_FLAGS)))
        add_set(list, (struct store_prop){.tag = PR_MESSAGE_FLAGS,
                                          .value.number =
                                              MESSAGE_READ | MESSAGE_UNSENT | MESSAGE_EVER_READ});
}

/* Where none of them was changed it does not matter which they are. */
static uint32_t check_parts(struct rop_call *call, struct store_read *rd, struct saving *s)
{
    uint32_t ec = message_check_parts(call, rd, s->message);

    s->stale = ec == EC_OBJECT_MODIFIED && !s->message->body.parts_changed;
    return s->stale ? EC_SUCCESS : ec;
}

static uint32_t build(struct rop_call *call, struct store_read *rd, struct saving *s)
{
    struct mapi_message *m = s->message;
    struct store_content base = {.n_recipients = 0};
    struct store_props stored = {NULL, 0};
    struct store_object *object;
    struct store_prop *items = NULL;
    enum { MORE = 1 }; /* add_first_flags() */
    uint32_t ec = EC_SUCCESS;

    if (m->mid != 0) {
        ec = message_object(call, rd, m, &object);
        if (!ec)
            ec = mapi_ec_of(store_object_list(object, &items, &stored.n));
        if (!ec)
            ec = message_content(call, rd, m, &base);
        stored.items = items;
    }
    if (!ec)
        ec = check_parts(call, rd, s);
    if (!ec)
        ec = message_set_modifier(call, &m->body.props);
    if (ec)
        return ec;
    struct change_list list = {
        arena_array(call->arena, stored.n + m->body.props.n + MORE, sizeof *list.items), 0};

    add_held(m, &list);
    add_stored(call, rd, m, &stored, &list);
    add_first_flags(m, &list);
    put_content(&m->body, m->mid ? &base : NULL, call->arena, &s->content);
    s->save.changes = list.items;
    s->save.n = list.n;
    s->save.content = &s->content;
    return EC_SUCCESS;
}

/* ---- afterwards ---- */

/*
 * Its memory is that of what is stored now, of this UID if it is another; numbers of attachments
 * stay as they are.
 */
static void settle(struct mapi_message *m, uint32_t uid)
{
    struct mapi_body *body = &m->body;
    struct mapi_part *parts = body->parts;
    size_t n = body->n_parts;
    uint32_t next = body->next_number;
    bool own = body->own_parts;
    uint32_t own_uid = uid ? uid : body->uid;

    body->parts = NULL;
    body->n_parts = 0;
    body_done(body);
    for (size_t i = 0; i < n; i++) {
        part_done(&parts[i]);
        parts[i].embedded = NULL;
        parts[i].source = (long)i;
    }
    body->parts = parts;
    body->n_parts = n;
    body->next_number = next;
    body->own_parts = own;
    body->uid = own_uid;
    m->cache.object = NULL;
}

static uint32_t failure(struct err e)
{
    if (e.code == ERR_NOT_FOUND)
        return EC_OBJECT_DELETED;
    return mapi_ec_of(e);
}

static uint32_t saved(struct rop_call *call, struct store_op *op)
{
    struct saving *s = call->state;
    struct mapi_message *m = s->message;

    if (failed(op->err))
        return s->then(call, failure(op->err));
    m->mid = s->save.saved_mid;
    m->cn = s->save.cn;
    settle(m, s->save.uid);
    if (s->stale) {
        m->body.n_parts = 0;
        m->body.own_parts = false;
    }
    return s->then(call, EC_SUCCESS);
}

/* Its change number, for the next one. */
static uint32_t set(struct rop_call *call, struct store_op *op)
{
    struct saving *s = call->state;
    struct mapi_message *m = s->message;
    struct store_object *object;
    struct store_read *rd;

    if (failed(op->err))
        return s->then(call, failure(op->err));
    settle(m, 0);
    uint32_t ec = rop_read(call, &rd);
    if (ec)
        return s->then(call, ec);
    ec = message_object(call, rd, m, &object);
    if (!ec)
        m->cn = store_object_row(object)->cn;
    store_read_end(rd);
    return s->then(call, EC_SUCCESS); /* it was saved, though it be gone since */
}

static uint32_t submit_set(struct rop_call *call, struct saving *s)
{
    struct mapi_message *m = s->message;
    struct change_list list = {arena_array(call->arena, m->body.props.n, sizeof *list.items), 0};

    add_held(m, &list);
    store_set_props_init(&s->set);
    s->set.id = m->mid;
    s->set.changes = list.items;
    s->set.n = list.n;
    s->set.conditional = !s->force;
    s->set.unchanged_since = m->cn;
    return rop_submit(call, call->logon->mailbox, &s->set.op, set);
}

static uint32_t submit_save(struct rop_call *call, struct saving *s)
{
    struct mapi_message *m = s->message;

    s->save.fid = m->fid;
    s->save.mid = m->mid;
    s->save.associated = m->associated;
    s->save.conditional = m->mid != 0 && !s->force;
    s->save.unchanged_since = m->cn;
    return rop_submit(call, call->logon->mailbox, &s->save.op, saved);
}

uint32_t message_save(struct rop_call *call, struct mapi_message *m, bool force,
                      uint32_t (*then)(struct rop_call *call, uint32_t ec))
{
    struct saving *s = arena_alloc(call->arena, sizeof *s);
    struct store_read *rd;
    uint32_t ec = streams_flush(call, &m->object);

    if (!ec)
        ec = rop_read(call, &rd);
    if (ec)
        return then(call, ec);
    s->message = m;
    s->force = force;
    s->then = then;
    call->state = s;
    store_save_message_init(&s->save);
    bool mail = changes_mail(call, rd, m);

    if (mail)
        ec = build(call, rd, s);
    store_read_end(rd);
    if (ec)
        return then(call, ec);
    if (mail)
        return submit_save(call, s);
    return submit_set(call, s);
}
