/* message.c - Message and Attachment objects: their memory, reading them, changing them. */
#include "protocols/mapi/message_int.h"

#include <stdlib.h>

#include "base/mem.h"
#include "protocols/mapi/context.h"

/* ---- bodies ---- */

void body_init(struct mapi_body *body, struct mapi_context *context)
{
    *body = (struct mapi_body){.context = context};
    held_init(&body->props, context);
}

void part_done(struct mapi_part *part)
{
    held_done(&part->props);
    body_free(part->embedded);
}

static void drop_recipients(struct mapi_body *body)
{
    for (size_t i = 0; i < body->n_recipients; i++)
        held_done(&body->recipients[i].props);
    free(body->recipients);
    body->recipients = NULL;
    body->n_recipients = 0;
    body->own_recipients = false;
}

void body_done(struct mapi_body *body)
{
    held_done(&body->props);
    drop_recipients(body);
    for (size_t i = 0; i < body->n_parts; i++)
        part_done(&body->parts[i]);
    free(body->parts);
    context_discharge(body->context, body->cost);
    body_init(body, body->context);
}

struct mapi_body *body_new(struct mapi_context *context)
{
    struct mapi_body *body = mem_new(sizeof *body);

    body_init(body, context);
    return body;
}

void body_free(struct mapi_body *body)
{
    if (body)
        body_done(body);
    free(body);
}

/* Of its lists: values are charged to the context by themselves, and shared by copies. */
static uint64_t cost_of_lists(const struct mapi_body *body)
{
    uint64_t cost = sizeof *body + (body->props.n + 1) * sizeof(struct held_prop);

    for (size_t i = 0; i < body->n_recipients; i++)
        cost +=
            sizeof *body->recipients + (body->recipients[i].props.n + 1) * sizeof(struct held_prop);
    for (size_t i = 0; i < body->n_parts; i++)
        cost += sizeof *body->parts + (body->parts[i].props.n + 1) * sizeof(struct held_prop);
    return cost;
}

static void copy_own_recipients(const struct mapi_body *from, struct mapi_body *to)
{
    to->recipients = mem_array(from->n_recipients + 1, sizeof *to->recipients);
    to->n_recipients = from->n_recipients;
    for (size_t i = 0; i < from->n_recipients; i++) {
        to->recipients[i].row_id = from->recipients[i].row_id;
        held_init(&to->recipients[i].props, from->context);
        held_copy(&to->recipients[i].props, &from->recipients[i].props);
    }
}

static uint32_t copy_own_parts(const struct mapi_body *from, struct mapi_body *to)
{
    uint32_t ec = EC_SUCCESS;

    to->parts = mem_array(from->n_parts + 1, sizeof *to->parts);
    for (size_t i = 0; i < from->n_parts && !ec; i++) {
        struct mapi_part *part = &to->parts[to->n_parts++];

        *part =
            (struct mapi_part){.number = from->parts[i].number, .source = from->parts[i].source};
        held_init(&part->props, from->context);
        held_copy(&part->props, &from->parts[i].props);
        ec = body_copy(from->parts[i].embedded, &part->embedded);
    }
    return ec;
}

uint32_t body_copy(const struct mapi_body *from, struct mapi_body **out)
{
    *out = NULL;
    if (!from)
        return EC_SUCCESS;
    uint64_t cost = cost_of_lists(from);
    uint32_t ec = context_charge(from->context, cost);
    if (ec)
        return ec;
    struct mapi_body *to = body_new(from->context);

    to->cost = cost;
    held_copy(&to->props, &from->props);
    copy_own_recipients(from, to);
    to->own_recipients = from->own_recipients;
    to->own_parts = from->own_parts;
    to->next_number = from->next_number;
    ec = copy_own_parts(from, to);
    if (ec)
        body_free(to);
    else
        *out = to;
    return ec;
}

unsigned body_depth(const struct mapi_body *body)
{
    unsigned deepest = 0;

    for (size_t i = 0; body && i < body->n_parts; i++) {
        unsigned depth = body_depth(body->parts[i].embedded);

        deepest = depth > deepest ? depth : deepest;
    }
    return body ? deepest + 1 : 0;
}

unsigned message_depth(const struct mapi_message *message)
{
    unsigned depth = 1;

    for (; message->inside; message = message->inside->message)
        depth++;
    return depth;
}

/* The row id that a recipient was saved with; those of delivered mail have none. */
static bool stored_row_id(const struct store_props *props, uint32_t *out)
{
    const struct store_prop *prop = props_find(props, prop_id(PR_ROWID));

    if (prop && prop->tag == PR_ROWID)
        *out = (uint32_t)prop->value.number;
    return prop && prop->tag == PR_ROWID;
}

/* They count where they rise; else a recipient's place does. */
static bool row_ids_rise(const struct store_content *content)
{
    uint32_t before = 0, id;

    for (size_t i = 0; i < content->n_recipients; i++) {
        if (!stored_row_id(&content->recipients[i], &id) || (i > 0 && id <= before))
            return false;
        before = id;
    }
    return true;
}

static struct recipient_view *views_of(const struct store_content *content, struct arena *in)
{
    struct recipient_view *views = arena_array(in, content->n_recipients, sizeof *views);
    bool rise = row_ids_rise(content);

    for (size_t i = 0; i < content->n_recipients; i++) {
        views[i].row_id = (uint32_t)i;
        views[i].props = content->recipients[i];
        if (rise)
            (void)stored_row_id(&views[i].props, &views[i].row_id);
    }
    return views;
}

static uint32_t take_recipients(struct mapi_body *body, const struct store_content *from)
{
    struct arena arena = ARENA_INIT;
    struct recipient_view *views = views_of(from, &arena);
    uint32_t ec = EC_SUCCESS;

    body->recipients = mem_array(from->n_recipients + 1, sizeof *body->recipients);
    for (size_t i = 0; i < from->n_recipients && !ec; i++) {
        struct mapi_recipient *r = &body->recipients[body->n_recipients++];

        r->row_id = views[i].row_id;
        held_init(&r->props, body->context);
        ec = held_take(&r->props, &views[i].props);
    }
    body->own_recipients = true;
    if (ec)
        drop_recipients(body);
    arena_done(&arena);
    return ec;
}

uint32_t attachment_take(struct held_props *props, struct mapi_body **embedded,
                         const struct store_attachment *from)
{
    uint32_t ec = held_take(props, &from->props);

    if (ec || !from->embedded)
        return ec;
    *embedded = body_new(props->context);
    return body_take(*embedded, from->embedded);
}

uint32_t body_take(struct mapi_body *body, const struct store_content *from)
{
    uint32_t ec = held_take(&body->props, &from->props);

    if (!ec)
        ec = take_recipients(body, from);
    body->parts = mem_array(from->n_attachments + 1, sizeof *body->parts);
    for (size_t i = 0; i < from->n_attachments && !ec; i++) {
        struct mapi_part *part = &body->parts[body->n_parts++];

        *part = (struct mapi_part){.number = body->next_number++, .source = IN_MEMORY};
        held_init(&part->props, body->context);
        ec = attachment_take(&part->props, &part->embedded, &from->attachments[i]);
    }
    body->own_recipients = body->own_parts = true;
    return ec;
}

/* ---- objects ---- */

static void message_free(struct mapi_object *object)
{
    struct mapi_message *m = message_of(object);

    body_done(&m->body);
    free(m->columns);
    free(m);
}

struct mapi_message *message_new(struct rop_call *call)
{
    struct mapi_message *m = mem_new(sizeof *m);

    m->object.kind = MAPI_MESSAGE;
    m->object.free = message_free;
    m->codepage = call->form.codepage;
    body_init(&m->body, call->context);
    return m;
}

static void attachment_free(struct mapi_object *object)
{
    struct mapi_attachment *a = attachment_of(object);

    held_done(&a->props);
    body_free(a->embedded);
    free(a);
}

struct mapi_attachment *attachment_new(struct rop_call *call, struct mapi_message *message)
{
    struct mapi_attachment *a = mem_new(sizeof *a);

    a->object.kind = MAPI_ATTACHMENT;
    a->object.free = attachment_free;
    a->message = message;
    held_init(&a->props, call->context);
    return a;
}

bool mapi_message_is_writable(const struct mapi_object *object)
{
    return object->kind == MAPI_MESSAGE ? ((const struct mapi_message *)object)->writable
                                        : ((const struct mapi_attachment *)object)->writable;
}

int mapi_message_codepage(const struct mapi_object *object)
{
    return object->kind == MAPI_MESSAGE
               ? ((const struct mapi_message *)object)->codepage
               : ((const struct mapi_attachment *)object)->message->codepage;
}

/* ---- what is stored ---- */

static bool is_cached(struct rop_call *call, struct store_read *rd, const struct mapi_message *m)
{
    return m->cache.object && m->cache.execute == call->context->executes &&
           m->cache.reply == call->reply && m->cache.rd == rd &&
           m->cache.version == store_read_version(rd);
}

uint32_t message_object(struct rop_call *call, struct store_read *rd, struct mapi_message *m,
                        struct store_object **out)
{
    if (!is_cached(call, rd, m)) {
        struct err e = store_object_open(rd, m->mid, call->arena, out);

        m->cache.object = NULL;
        if (failed(e))
            return e.code == ERR_NOT_FOUND ? EC_OBJECT_DELETED : mapi_ec_of(e);
        m->cache.execute = call->context->executes;
        m->cache.version = store_read_version(rd);
        m->cache.reply = call->reply;
        m->cache.rd = rd;
        m->cache.object = *out;
    }
    *out = m->cache.object;
    return EC_SUCCESS;
}

uint32_t message_content(struct rop_call *call, struct store_read *rd, struct mapi_message *m,
                         struct store_content *out)
{
    struct store_object *object;

    *out = (struct store_content){.n_recipients = 0};
    if (!message_is_stored(m))
        return EC_SUCCESS;
    uint32_t ec = message_object(call, rd, m, &object);
    return ec ? ec : mapi_ec_of(store_object_content(object, out));
}

uint32_t message_recipients(struct rop_call *call, struct store_read *rd, struct mapi_message *m,
                            struct recipient_view **out, size_t *n)
{
    struct mapi_body *body = &m->body;
    struct store_content content;

    if (!body->own_recipients) {
        uint32_t ec = message_content(call, rd, m, &content);

        if (ec)
            return ec;
        *out = views_of(&content, call->arena);
        *n = content.n_recipients;
        return EC_SUCCESS;
    }
    *n = body->n_recipients;
    *out = arena_array(call->arena, *n, sizeof **out);
    for (size_t i = 0; i < *n; i++)
        (*out)[i] = (struct recipient_view){body->recipients[i].row_id,
                                            held_props_of(&body->recipients[i].props, call->arena)};
    return EC_SUCCESS;
}

uint32_t message_own_recipients(struct rop_call *call, struct store_read *rd,
                                struct mapi_message *m)
{
    struct store_content content;

    if (m->body.own_recipients)
        return EC_SUCCESS;
    uint32_t ec = message_content(call, rd, m, &content);
    return ec ? ec : take_recipients(&m->body, &content);
}

uint32_t message_own_parts(struct rop_call *call, struct store_read *rd, struct mapi_message *m)
{
    struct mapi_body *body = &m->body;
    struct store_content content;

    if (body->own_parts)
        return EC_SUCCESS;
    uint32_t ec = message_content(call, rd, m, &content);
    if (ec)
        return ec;
    free(body->parts);
    body->parts = mem_array(content.n_attachments + 1, sizeof *body->parts);
    for (size_t i = 0; i < content.n_attachments; i++) {
        struct mapi_part *part = &body->parts[body->n_parts++];

        part->number = body->next_number++;
        part->source = (long)i;
        held_init(&part->props, body->context);
    }
    body->own_parts = true;
    if (message_is_stored(m))
        body->uid = store_object_row(m->cache.object)->uid;
    return EC_SUCCESS;
}

uint32_t message_check_parts(struct rop_call *call, struct store_read *rd, struct mapi_message *m)
{
    struct store_object *object;

    if (!message_is_stored(m) || !m->body.own_parts)
        return EC_SUCCESS;
    uint32_t ec = message_object(call, rd, m, &object);
    if (ec)
        return ec;
    return store_object_row(object)->uid == m->body.uid ? EC_SUCCESS : EC_OBJECT_MODIFIED;
}

struct mapi_part *message_part(struct mapi_message *m, uint32_t number)
{
    for (size_t i = 0; i < m->body.n_parts; i++)
        if (m->body.parts[i].number == number)
            return &m->body.parts[i];
    return NULL;
}

/* ---- kinds of properties ---- */

struct store_props held_props_of(const struct held_props *held, struct arena *in)
{
    struct store_prop *items = arena_array(in, held->n, sizeof *items);
    size_t n = 0;

    for (size_t i = 0; i < held->n; i++)
        if (held->items[i].value)
            items[n++] = held_get(&held->items[i]);
    return (struct store_props){items, n};
}

const struct store_prop *props_find(const struct store_props *props, uint16_t id)
{
    for (size_t i = 0; i < props->n; i++)
        if (prop_id(props->items[i].tag) == id)
            return &props->items[i];
    return NULL;
}

static bool is_among(const uint32_t *tags, size_t n, uint32_t tag)
{
    for (size_t i = 0; i < n; i++)
        if (prop_id(tags[i]) == prop_id(tag))
            return true;
    return false;
}

bool tag_is_in_mail(struct store_read *rd, uint32_t tag, struct arena *in)
{
    /* What oxcmail_export() looks at, of the message itself. */
    static const uint32_t tags[] = {
        PR_BODY,
        PR_CLIENT_SUBMIT_TIME,
        PR_CONVERSATION_INDEX,
        PR_CONVERSATION_TOPIC,
        PR_DELIVERY_REPORT_REQUESTED,
        PR_HTML,
        PR_IMPORTANCE,
        PR_INTERNET_CODEPAGE,
        PR_INTERNET_MESSAGE_ID,
        PR_INTERNET_REFERENCES,
        PR_IN_REPLY_TO_ID,
        PR_LIST_HELP,
        PR_LIST_SUBSCRIBE,
        PR_LIST_UNSUBSCRIBE,
        PR_NORMALIZED_SUBJECT,
        PR_READ_RECEIPT_REQUESTED,
        PR_REPLY_RECIPIENT_ENTRIES,
        PR_REPLY_RECIPIENT_NAMES,
        PR_REPLY_TIME,
        PR_RTF_COMPRESSED,
        PR_SENDER_ADDRESS_TYPE,
        PR_SENDER_EMAIL,
        PR_SENDER_NAME,
        PR_SENDER_SMTP_ADDRESS,
        PR_SENSITIVITY,
        PR_SENT_REPRESENTING_ADDRESS_TYPE,
        PR_SENT_REPRESENTING_EMAIL,
        PR_SENT_REPRESENTING_NAME,
        PR_SENT_REPRESENTING_SMTP,
        PR_SUBJECT,
        PR_SUBJECT_PREFIX,
    };
    struct store_prop_name name;

    if (prop_id(tag) < 0x8000)
        return is_among(tags, sizeof tags / sizeof *tags, tag);
    return !failed(store_named_name(rd, prop_id(tag), in, &name)) &&
           memcmp(name.guid, store_ps_internet_headers, 16) == 0;
}

bool tag_is_computed(uint32_t tag)
{
    static const uint32_t tags[] = {
        PR_MID,
        PR_FOLDER_ID,
        PR_PARENT_FOLDER_ID,
        PR_CHANGE_NUMBER,
        PR_INTERNET_ARTICLE_NUMBER,
        PR_READ,
        PR_HAS_ATTACHMENTS,
        PR_ASSOCIATED,
        PR_MESSAGE_SIZE,
        PR_LOCAL_COMMIT_TIME,
        PR_ENTRY_ID,
        PR_RECORD_KEY,
        PR_PARENT_ENTRY_ID,
        PR_INSTANCE_KEY,
        PR_SOURCE_KEY,
        PR_PARENT_SOURCE_KEY,
        PR_CHANGE_KEY,
        PR_PREDECESSOR_CHANGE_LIST,
        PR_STORE_RECORD_KEY,
        TAG_STORE_ENTRY_ID,
        PR_MAPPING_SIGNATURE,
        PR_OBJECT_TYPE,
        PR_ACCESS,
        TAG_ACCESS_LEVEL,
        TAG_HAS_NAMED,
        PR_DISPLAY_TO,
        PR_DISPLAY_CC,
        PR_DISPLAY_BCC,
    };

    return is_among(tags, sizeof tags / sizeof *tags, tag);
}

/* One body is set: the others that are stored said what the message was before. */
bool body_hides(const struct mapi_body *body, uint32_t tag)
{
    static const uint32_t bodies[] = {PR_BODY, PR_HTML, PR_RTF_COMPRESSED, PR_NATIVE_BODY};
    enum { BODIES = sizeof bodies / sizeof *bodies };

    if (!is_among(bodies, BODIES, tag))
        return false;
    for (size_t i = 0; i + 1 < BODIES; i++) {
        const struct held_prop *held = held_find(&body->props, prop_id(bodies[i]));

        if (held && held->value)
            return true;
    }
    return false;
}

/* ---- computed ones ---- */

int64_t attachment_size(const struct store_props *props, const struct mapi_body *embedded)
{
    enum { EMPTY = 0x40, EACH = 8 }; /* [MS-OXCMSG] 3.2.5.13: of one that has just been created */
    uint64_t size = EMPTY;

    for (size_t i = 0; i < props->n; i++) {
        const struct store_prop *p = &props->items[i];
        uint16_t type = prop_type(p->tag);
        bool bytes = type == PROP_STRING || type == PROP_BINARY;

        if (p->tag == PR_ATTACH_DATA)
            size += p->large ? p->len : p->value.bytes.len;
        else if (bytes && !p->large && p->value.bytes.len > 0)
            size += EACH + p->value.bytes.len;
    }
    for (size_t i = 0; embedded && i < embedded->props.n; i++) {
        struct store_prop p = {.tag = 0};

        if (embedded->props.items[i].value)
            p = held_get(&embedded->props.items[i]);
        bool bytes = prop_type(p.tag) == PROP_STRING || prop_type(p.tag) == PROP_BINARY;
        size += EACH + (p.large ? p.len : bytes ? p.value.bytes.len : 0);
    }
    for (size_t i = 0; embedded && i < embedded->n_parts; i++) {
        struct arena arena = ARENA_INIT;
        struct store_props its = held_props_of(&embedded->parts[i].props, &arena);

        size += (uint64_t)attachment_size(&its, embedded->parts[i].embedded);
        arena_done(&arena);
    }
    return size > INT32_MAX ? INT32_MAX : (int64_t)size;
}

static int64_t held_number(const struct held_props *props, uint32_t tag, int64_t otherwise)
{
    const struct held_prop *held = held_find(props, prop_id(tag));

    return held && held->value && held->tag == tag ? held_get(held).value.number : otherwise;
}

static bool held_has_named(const struct held_props *props)
{
    for (size_t i = 0; i < props->n; i++)
        if (props->items[i].value && prop_id(props->items[i].tag) >= 0x8000)
            return true;
    return false;
}

static int64_t unstored_flags(const struct mapi_message *m)
{
    int64_t otherwise = MESSAGE_READ | MESSAGE_EVER_READ | (m->inside ? 0 : MESSAGE_UNSENT);
    int64_t flags = held_number(&m->body.props, PR_MESSAGE_FLAGS, otherwise);

    return (flags & ~(int64_t)MESSAGE_HAS_ATTACHMENTS) |
           (m->body.n_parts > 0 ? MESSAGE_HAS_ATTACHMENTS : 0) |
           (m->associated ? MESSAGE_ASSOCIATED : 0);
}

/* What a message that is not stored tells, where the store would ([MS-OXCMSG] 3.2.5.2). */
static bool unstored_number(const struct mapi_message *m, uint32_t tag, int64_t *out)
{
    const struct store_props none = {NULL, 0};

    switch (tag) {
    case PR_ACCESS:
        *out = 3; /* modify and read */
        return true;
    case PR_OBJECT_TYPE:
        *out = 5;
        return true;
    case PR_MESSAGE_FLAGS:
        *out = unstored_flags(m);
        return true;
    case PR_READ:
        *out = (unstored_flags(m) & MESSAGE_READ) != 0;
        return true;
    case PR_HAS_ATTACHMENTS:
        *out = m->body.n_parts > 0;
        return true;
    case PR_ASSOCIATED:
        *out = m->associated;
        return true;
    case PR_MESSAGE_SIZE:
    case PR_MESSAGE_SIZE_EXTENDED:
        *out = attachment_size(&none, &m->body);
        return true;
    case TAG_HAS_NAMED:
        *out = held_has_named(&m->body.props);
        return true;
    default:
        return false;
    }
}

static bool own_number(const struct mapi_object *object, uint32_t tag, int64_t *out)
{
    const struct mapi_attachment *a = (const struct mapi_attachment *)object;
    const struct mapi_message *m = (const struct mapi_message *)object;
    struct arena arena = ARENA_INIT;

    if (tag == TAG_ACCESS_LEVEL) { /* [MS-OXCPRPT] 2.2.1.2 */
        *out = mapi_message_is_writable(object);
        return true;
    }
    if (object->kind == MAPI_MESSAGE)
        return !message_is_stored(m) && unstored_number(m, tag, out);
    switch (tag) {
    case PR_ATTACH_NUMBER:
        *out = a->number;
        return true;
    case PR_ACCESS:
        *out = a->writable ? 3 : 2; /* modify, read */
        return true;
    case PR_OBJECT_TYPE:
        *out = 7;
        return true;
    case PR_ATTACH_SIZE: {
        struct store_props props = held_props_of(&a->props, &arena);

        *out = attachment_size(&props, a->embedded);
        arena_done(&arena);
        return true;
    }
    default:
        return false;
    }
}

static const uint32_t own_tags[] = {
    TAG_ACCESS_LEVEL,   PR_ACCESS,      PR_OBJECT_TYPE,  PR_MESSAGE_FLAGS,         PR_READ,
    PR_HAS_ATTACHMENTS, PR_ASSOCIATED,  PR_MESSAGE_SIZE, PR_MESSAGE_SIZE_EXTENDED, TAG_HAS_NAMED,
    PR_ATTACH_NUMBER,   PR_ATTACH_SIZE, PR_RECORD_KEY,
};
enum { OWN_TAGS = sizeof own_tags / sizeof *own_tags };

/* PidTagRecordKey of an attachment ([MS-OXCMSG] 2.2.2.1): its number tells it from the others. */
static bool own_key(const struct mapi_object *object, uint32_t tag, struct store_prop *out)
{
    const struct mapi_attachment *a = (const struct mapi_attachment *)object;
    bool typed = prop_type(tag) == PROP_UNSPECIFIED || tag == PR_RECORD_KEY;

    if (object->kind != MAPI_ATTACHMENT || prop_id(tag) != prop_id(PR_RECORD_KEY) || !typed)
        return false;
    *out = (struct store_prop){
        .tag = PR_RECORD_KEY,
        .value.bytes = slice_of((const uint8_t *)&a->number, sizeof a->number),
    };
    return true;
}

static bool own_value(const struct mapi_object *object, uint32_t tag, struct store_prop *out)
{
    for (size_t i = 0; i < OWN_TAGS; i++) {
        uint32_t its = own_tags[i];
        bool asked = prop_type(tag) == PROP_UNSPECIFIED ? prop_id(tag) == prop_id(its) : tag == its;
        int64_t number;

        if (asked && own_number(object, its, &number)) {
            *out = (struct store_prop){.tag = its, .value.number = number};
            return true;
        }
    }
    return own_key(object, tag, out);
}

/* ---- reading ---- */

static const struct held_props *props_of_object(const struct mapi_object *object)
{
    return object->kind == MAPI_MESSAGE ? &((const struct mapi_message *)object)->body.props
                                        : &((const struct mapi_attachment *)object)->props;
}

static bool type_fits(uint32_t asked, uint32_t has)
{
    return prop_type(asked) == PROP_UNSPECIFIED || prop_type(asked) == prop_type(has);
}

static bool is_stored(const struct mapi_object *object)
{
    return object->kind == MAPI_MESSAGE && message_is_stored((const struct mapi_message *)object);
}

uint64_t mapi_message_folder(const struct mapi_object *object)
{
    return is_stored(object) ? ((const struct mapi_message *)object)->fid : 0;
}

uint32_t mapi_message_get(struct rop_call *call, struct store_read *rd, struct mapi_object *object,
                          uint32_t tag, struct store_prop *out)
{
    struct store_object *stored;

    tag = prop_as_unicode(tag);
    if (own_value(object, tag, out))
        return EC_SUCCESS;
    const struct held_prop *held = held_find(props_of_object(object), prop_id(tag));

    if (held && (!held->value || !type_fits(tag, held->tag)))
        return EC_NOT_FOUND;
    if (held) {
        *out = held_get(held);
        return EC_SUCCESS;
    }
    if (!is_stored(object) || body_hides(&message_of(object)->body, tag))
        return EC_NOT_FOUND;
    uint32_t ec = message_object(call, rd, message_of(object), &stored);
    return ec ? ec : mapi_ec_of(store_object_get(stored, tag, out));
}

struct listing {
    struct store_prop *items;
    size_t n;
};

static void list_own(const struct mapi_object *object, struct listing *to)
{
    for (size_t i = 0; i < OWN_TAGS; i++)
        to->n += own_value(object, own_tags[i], &to->items[to->n]);
}

static bool is_listed(const struct listing *list, uint32_t tag)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].tag == tag)
            return true;
    return false;
}

static void list_held(const struct held_props *held, struct listing *to)
{
    for (size_t i = 0; i < held->n; i++)
        if (held->items[i].value && !is_listed(to, held->items[i].tag))
            to->items[to->n++] = held_get(&held->items[i]);
}

uint32_t mapi_message_list(struct rop_call *call, struct store_read *rd, struct mapi_object *object,
                           struct store_prop **out, size_t *n)
{
    const struct held_props *held = props_of_object(object);
    struct store_prop *base = NULL;
    struct store_object *stored;
    size_t n_base = 0;

    if (is_stored(object)) {
        uint32_t ec = message_object(call, rd, message_of(object), &stored);

        if (!ec)
            ec = mapi_ec_of(store_object_list(stored, &base, &n_base));
        if (ec)
            return ec;
    }
    struct listing list = {
        arena_array(call->arena, OWN_TAGS + held->n + n_base, sizeof *list.items), 0};

    list_own(object, &list);
    list_held(held, &list);
    for (size_t i = 0; i < n_base; i++)
        if (!held_find(held, prop_id(base[i].tag)) && !is_listed(&list, base[i].tag) &&
            !body_hides(&message_of(object)->body, base[i].tag))
            list.items[list.n++] = base[i];
    *out = list.items;
    *n = list.n;
    return EC_SUCCESS;
}

/* ---- changing ---- */

struct changing {
    struct rop_call *call;
    struct store_read *rd;
    struct mapi_object *object;
    struct held_props *held;
};

static bool has_known_id(const struct changing *c, uint32_t tag)
{
    struct store_prop_name name;
    uint16_t id = prop_id(tag);

    return id != 0 && (id < 0x8000 || !failed(store_named_name(c->rd, id, c->call->arena, &name)));
}

/* Of an attachment only these are told by the server ([MS-OXCMSG] 2.2.2). */
static bool is_fixed(const struct mapi_object *object, uint32_t tag)
{
    static const uint32_t tags[] = {PR_ATTACH_NUMBER, PR_ATTACH_SIZE, PR_ACCESS,
                                    TAG_ACCESS_LEVEL, PR_OBJECT_TYPE, PR_RECORD_KEY};

    if (object->kind == MAPI_MESSAGE)
        return tag_is_computed(tag);
    return is_among(tags, sizeof tags / sizeof *tags, tag);
}

static enum err_code check_number(const struct changing *c, const struct store_prop_change *change)
{
    static const uint32_t numbers[] = {PR_MESSAGE_FLAGS, PR_MESSAGE_STATUS, PR_FLAG_STATUS,
                                       PR_LAST_VERB_EXECUTED, PR_ICON_INDEX};
    uint32_t tag = change->prop.tag;

    if (c->object->kind != MAPI_MESSAGE)
        return ERR_NONE;
    /* The client sets them until the message is saved first ([MS-OXCMSG] 2.2.1.6). */
    if (prop_id(tag) == prop_id(PR_MESSAGE_FLAGS) && (change->remove || is_stored(c->object)))
        return ERR_DENIED;
    if (change->remove || !is_among(numbers, sizeof numbers / sizeof *numbers, tag))
        return ERR_NONE;
    if (prop_type(tag) != PROP_INT32)
        return ERR_INVALID;
    bool bad_status =
        tag == PR_FLAG_STATUS && (change->prop.value.number < 0 || change->prop.value.number > 2);
    return bad_status ? ERR_INVALID : ERR_NONE;
}

static enum err_code check_change(const struct changing *c, const struct store_prop_change *change)
{
    uint32_t tag = prop_as_unicode(change->prop.tag);
    struct store_prop prop;

    if (!has_known_id(c, tag))
        return ERR_INVALID;
    if (is_fixed(c->object, tag))
        return ERR_DENIED;
    enum err_code problem = check_number(c, change);
    if (problem || !change->remove) {
        struct err e =
            problem || change->prop.large ? OK : prop_check(prop_type(tag), &change->prop.value);
        return problem ? problem : e.code;
    }
    uint32_t any = PROP_TAG(prop_id(tag), PROP_UNSPECIFIED);
    return mapi_message_get(c->call, c->rd, c->object, any, &prop) ? ERR_NOT_FOUND : ERR_NONE;
}

/* Up to three letters, a colon and a space ([MS-OXCMSG] 3.2.5.2 by way of [MS-OXCMAIL] 2.2.3.2.6)
 */
static size_t prefix_length(struct slice subject)
{
    size_t n = 0;

    while (n < subject.len && n < 3 && ascii_is_alpha(subject.ptr[n]))
        n++;
    return n > 0 && n + 1 < subject.len && subject.ptr[n] == ':' && subject.ptr[n + 1] == ' '
               ? n + 2
               : 0;
}

static struct slice text_of(const struct changing *c, uint32_t tag)
{
    struct store_prop prop;

    if (mapi_message_get(c->call, c->rd, c->object, tag, &prop) || prop.large)
        return SLICE_EMPTY;
    return prop.value.bytes;
}

/* A subject is one fact in three properties ([MS-OXCMSG] 2.2.1.9, 2.2.1.10, 2.2.1.46). */
static uint32_t settle_subject(const struct changing *c, uint32_t tag)
{
    struct buf whole = buf_make(SIZE_MAX / 2);
    struct slice subject;
    uint32_t ec;

    if (c->object->kind != MAPI_MESSAGE)
        return EC_SUCCESS;
    if (tag == PR_SUBJECT) {
        subject = arena_slice(c->call->arena, text_of(c, PR_SUBJECT));
        size_t n = prefix_length(subject);

        ec = held_set_bytes(c->held, PR_SUBJECT_PREFIX, slice_head(subject, n));
        return ec ? ec : held_set_bytes(c->held, PR_NORMALIZED_SUBJECT, slice_from(subject, n));
    }
    if (tag != PR_SUBJECT_PREFIX && tag != PR_NORMALIZED_SUBJECT)
        return EC_SUCCESS;
    buf_put(&whole, text_of(c, PR_SUBJECT_PREFIX));
    buf_put(&whole, text_of(c, PR_NORMALIZED_SUBJECT));
    ec = held_set_bytes(c->held, PR_SUBJECT, buf_slice(&whole));
    buf_done(&whole);
    return ec;
}

static void forget(const struct changing *c, uint32_t tag)
{
    held_remove(c->held, tag);
    if (c->object->kind != MAPI_MESSAGE || prop_id(tag) != prop_id(PR_SUBJECT))
        return;
    held_remove(c->held, PR_SUBJECT_PREFIX);
    held_remove(c->held, PR_NORMALIZED_SUBJECT);
}

static uint32_t apply(const struct changing *c, const struct store_prop_change *change)
{
    struct store_prop prop = change->prop;
    bool attachment = c->object->kind == MAPI_ATTACHMENT;

    prop.tag = prop_as_unicode(prop.tag);
    if (change->remove) {
        forget(c, prop.tag);
        return EC_SUCCESS;
    }
    if (!attachment && prop.tag == PR_MESSAGE_FLAGS)
        prop.value.number &= MESSAGE_CLIENTS;
    uint32_t ec = held_set(c->held, &prop);
    if (!ec && attachment && prop.tag == PR_ATTACH_DATA) { /* it is no message any more */
        body_free(attachment_of(c->object)->embedded);
        attachment_of(c->object)->embedded = NULL;
    }
    return ec ? ec : settle_subject(c, prop.tag);
}

uint32_t mapi_message_change(struct rop_call *call, struct store_read *rd,
                             struct mapi_object *object, struct store_prop_change *changes,
                             size_t n)
{
    struct changing c = {.call = call, .rd = rd, .object = object};
    uint32_t ec = mapi_message_is_writable(object) ? EC_SUCCESS : EC_ACCESS_DENIED;

    c.held = object->kind == MAPI_MESSAGE ? &message_of(object)->body.props
                                          : &attachment_of(object)->props;
    for (size_t i = 0; i < n && !ec; i++) {
        changes[i].problem = check_change(&c, &changes[i]);
        if (changes[i].problem == ERR_NONE)
            ec = apply(&c, &changes[i]);
    }
    return ec;
}
