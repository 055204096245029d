/* rop_recipient.c - operations on recipients: [MS-OXCMSG] 2.2.3.4 to 2.2.3.6. */
#include <stdlib.h>

#include "base/mem.h"
#include "protocols/mapi/context.h"
#include "protocols/mapi/message_int.h"

enum {
    MAX_COLUMNS = 200,
    MAX_RECIPIENTS = 32767, /* what the count of OpenMessage's response can tell */
    MAX_ROWS = 255,         /* in one response */
    TYPE_MAX = 3,           /* Bcc */
    RESENDS = 0x10 | 0x80,  /* with RecipientType ([MS-OXCMSG] 2.2.3.1.2) */
    DISPLAY_TYPE_PRIVATE_LIST = 5,
};

#define TYPE_SMTP "SMTP"
#define TYPE_EX "EX"
#define TYPE_LIST "MAPIPDL"

/* The types of address that have a number in RecipientFlags ([MS-OXCDATA] 2.8.3.1). */
static const struct {
    uint16_t number;
    const char *name;
} address_types[] = {
    {RECIPIENT_X500, TYPE_EX},
    {2, "MS"},
    {RECIPIENT_SMTP, TYPE_SMTP},
    {4, "FAX"},
    {5, "PROFS"},
    {RECIPIENT_PERSONAL_LIST_1, TYPE_LIST},
    {RECIPIENT_PERSONAL_LIST_2, TYPE_LIST},
};
enum { ADDRESS_TYPES = sizeof address_types / sizeof *address_types };

/* What the fields of a row tell, so that no column has to. */
static bool is_of_the_row(uint32_t tag)
{
    static const uint32_t tags[] = {PR_ROWID,          PR_RECIPIENT_TYPE, PR_ADDRESS_TYPE,
                                    PR_EMAIL_ADDRESS,  PR_DISPLAY_NAME,   TAG_SIMPLE_NAME,
                                    TAG_TRANSMITTABLE, PR_RESPONSIBILITY, TAG_SEND_RICH_INFO};

    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (prop_id(tags[i]) == prop_id(tag))
            return true;
    return false;
}

/* ---- from the store to a row ---- */

static struct slice text_of(const struct store_props *props, uint32_t tag)
{
    const struct store_prop *prop = props_find(props, prop_id(tag));

    return prop && prop->tag == tag && !prop->large ? prop->value.bytes : SLICE_EMPTY;
}

static bool is_true(const struct store_props *props, uint32_t tag, bool otherwise)
{
    const struct store_prop *prop = props_find(props, prop_id(tag));

    return prop && prop->tag == tag ? prop->value.number != 0 : otherwise;
}

static int64_t number_of(const struct store_props *props, uint32_t tag, int64_t otherwise)
{
    const struct store_prop *prop = props_find(props, prop_id(tag));

    return prop && prop->tag == tag ? prop->value.number : otherwise;
}

static void put_address(const struct store_props *props, struct recipient *r)
{
    struct slice type = text_of(props, PR_ADDRESS_TYPE);
    uint16_t number = RECIPIENT_NO_TYPE;

    for (size_t i = 0; i < ADDRESS_TYPES && number == RECIPIENT_NO_TYPE; i++)
        if (slice_ieq(type, slice_str(address_types[i].name)))
            number = address_types[i].number;
    r->flags |= number;
    r->email = text_of(props, PR_EMAIL_ADDRESS);
    switch (number) {
    case RECIPIENT_X500:
        r->x500 = r->email;
        r->display_type = (uint8_t)number_of(props, PR_DISPLAY_TYPE, 0);
        return;
    case RECIPIENT_PERSONAL_LIST_1:
        r->entry_id = text_of(props, PR_ENTRY_ID);
        r->search_key = text_of(props, PR_SEARCH_KEY);
        return;
    case RECIPIENT_NO_TYPE:
        r->address_type = type;
        r->flags |= type.len ? RECIPIENT_OTHER_TYPE : 0;
        break;
    default:
        break;
    }
    r->flags |= r->email.len ? RECIPIENT_EMAIL : 0;
}

static void put_names(const struct store_props *props, struct recipient *r)
{
    r->display_name = text_of(props, PR_DISPLAY_NAME);
    r->simple_name = text_of(props, TAG_SIMPLE_NAME);
    r->transmittable = text_of(props, TAG_TRANSMITTABLE);
    r->flags |= r->display_name.len ? RECIPIENT_DISPLAY_NAME : 0;
    r->flags |= r->simple_name.len ? RECIPIENT_SIMPLE_NAME : 0;
    if (r->transmittable.len == 0 || slice_eq(r->transmittable, r->display_name))
        r->flags |= RECIPIENT_SAME;
    else
        r->flags |= RECIPIENT_TRANSMITTABLE;
}

static const struct prop *row_values(const struct mapi_message *m, const struct store_props *props,
                                     struct arena *in)
{
    struct prop *values = arena_array(in, m->n_columns, sizeof *values);

    for (size_t i = 0; i < m->n_columns; i++) {
        uint32_t tag = m->columns[i];
        const struct store_prop *prop = props_find(props, prop_id(tag));

        values[i] = (struct prop){PROP_TAG(prop_id(tag), PROP_ERROR), {.number = EC_NOT_FOUND}};
        if (prop && prop->large)
            values[i].value.number = EC_NOT_ENOUGH_MEMORY;
        else if (prop && prop->tag == prop_as_unicode(tag))
            values[i] = (struct prop){tag, prop->value};
    }
    return values;
}

static struct recipient row_of(struct rop_call *call, const struct mapi_message *m,
                               const struct recipient_view *view)
{
    struct recipient r = {.row_id = view->row_id, .flags = RECIPIENT_UNICODE};

    r.kind = (uint8_t)number_of(&view->props, PR_RECIPIENT_TYPE, 1);
    r.codepage = (uint16_t)m->codepage;
    put_address(&view->props, &r);
    put_names(&view->props, &r);
    r.flags |= is_true(&view->props, PR_RESPONSIBILITY, false) ? RECIPIENT_RESPONSIBLE : 0;
    r.flags |= is_true(&view->props, TAG_SEND_RICH_INFO, true) ? 0 : RECIPIENT_NON_RICH;
    r.n_values = m->n_columns;
    r.values = row_values(m, &view->props, call->arena);
    return r;
}

uint32_t recipients_put(struct rop_call *call, const struct mapi_message *m,
                        const struct recipient_view *views, size_t n, bool with_row_id, size_t room,
                        struct rop_rows *out)
{
    struct buf rows = buf_make(room);
    uint32_t ec = EC_SUCCESS;

    for (size_t i = 0; i < n && i < MAX_ROWS; i++) {
        struct recipient r = row_of(call, m, &views[i]);
        size_t before = rows.len;

        recipient_open_put(&rows, &call->form, m->columns, with_row_id, &r);
        if (rows.failed) {
            rows.failed = false;
            buf_truncate(&rows, before);
            break;
        }
        out->n++;
    }
    if (n > 0 && out->n == 0)
        ec = EC_BUFFER_TOO_SMALL;
    out->bytes = arena_slice(call->arena, buf_slice(&rows));
    buf_done(&rows);
    return ec;
}

static bool is_column(const struct mapi_message *m, uint32_t tag)
{
    for (size_t i = 0; i < m->n_columns; i++)
        if (prop_id(m->columns[i]) == prop_id(tag))
            return true;
    return false;
}

static void add_column(struct mapi_message *m, uint32_t tag)
{
    if (m->n_columns == MAX_COLUMNS || is_column(m, tag))
        return;
    m->columns = mem_grow(m->columns, m->n_columns + 1, sizeof *m->columns);
    m->columns[m->n_columns++] = tag;
}

void recipients_columns(struct mapi_message *m, const struct recipient_view *views, size_t n)
{
    /* Those that clients look for first. */
    static const uint32_t customary[] = {PR_OBJECT_TYPE, PR_DISPLAY_TYPE, PR_SMTP_ADDRESS};

    m->n_columns = 0;
    for (size_t i = 0; i < sizeof customary / sizeof *customary; i++)
        add_column(m, customary[i]);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < views[i].props.n; j++)
            if (!is_of_the_row(views[i].props.items[j].tag))
                add_column(m, views[i].props.items[j].tag);
}

/* ---- from a row to the store ---- */

static uint32_t set_text(struct held_props *to, uint32_t tag, struct slice text, bool there)
{
    return there ? held_set_bytes(to, tag, text) : EC_SUCCESS;
}

/* Somebody of ours: mail goes to his address. */
static uint32_t set_smtp_of_dn(struct rop_call *call, struct held_props *to, struct slice dn)
{
    struct slice identity = mapi_dn_identity(dn);
    struct mapi_person person;

    if (identity.len == 0 || failed(mapi_find_person(call->mapi, identity, call->arena, &person)))
        return EC_SUCCESS;
    return held_set_bytes(to, PR_SMTP_ADDRESS, person.address);
}

/* AddressPrefixUsed: so much of the DnPrefix that Connect told stands before it. */
static struct slice whole_dn(struct rop_call *call, const struct recipient *r)
{
    struct buf dn = buf_make(SIZE_MAX / 2);

    buf_puts(&dn, "/o=");
    buf_puts(&dn, call->mapi->config.organization);
    if (r->prefix_used < dn.len)
        buf_truncate(&dn, r->prefix_used);
    buf_put(&dn, r->x500);
    struct slice whole = arena_slice(call->arena, buf_slice(&dn));

    buf_done(&dn);
    return whole;
}

static uint32_t set_x500(struct rop_call *call, struct held_props *to, const struct recipient *r)
{
    struct slice dn = whole_dn(call, r);
    uint32_t ec = held_set_bytes(to, PR_ADDRESS_TYPE, S(TYPE_EX));

    if (!ec)
        ec = held_set_bytes(to, PR_EMAIL_ADDRESS, dn);
    if (!ec)
        ec = held_set_number(to, PR_DISPLAY_TYPE, r->display_type);
    return ec ? ec : set_smtp_of_dn(call, to, dn);
}

static uint32_t set_list(struct held_props *to, const struct recipient *r)
{
    uint32_t ec = held_set_bytes(to, PR_ADDRESS_TYPE, S(TYPE_LIST));

    if (!ec)
        ec = held_set_number(to, PR_DISPLAY_TYPE, DISPLAY_TYPE_PRIVATE_LIST);
    if (!ec)
        ec = held_set_bytes(to, PR_ENTRY_ID, r->entry_id);
    return ec ? ec : held_set_bytes(to, PR_SEARCH_KEY, r->search_key);
}

static uint32_t set_address(struct rop_call *call, struct held_props *to, const struct recipient *r)
{
    struct slice type = r->address_type;
    uint32_t ec = EC_SUCCESS;

    if (recipient_type(r) == RECIPIENT_X500)
        return set_x500(call, to, r);
    if (recipient_type(r) >= RECIPIENT_PERSONAL_LIST_1)
        return set_list(to, r);
    for (size_t i = 0; i < ADDRESS_TYPES; i++)
        if (address_types[i].number == recipient_type(r))
            type = slice_str(address_types[i].name);
    if (type.len)
        ec = held_set_bytes(to, PR_ADDRESS_TYPE, type);
    if (!ec)
        ec = set_text(to, PR_EMAIL_ADDRESS, r->email, r->flags & RECIPIENT_EMAIL);
    if (!ec && slice_ieq(type, S(TYPE_SMTP)))
        ec = set_text(to, PR_SMTP_ADDRESS, r->email, r->flags & RECIPIENT_EMAIL);
    if (!ec && slice_ieq(type, S(TYPE_EX)))
        ec = set_smtp_of_dn(call, to, r->email);
    return ec;
}

static uint32_t set_names(struct held_props *to, const struct recipient *r)
{
    bool same = r->flags & RECIPIENT_SAME;
    uint32_t ec = set_text(to, PR_DISPLAY_NAME, r->display_name, r->flags & RECIPIENT_DISPLAY_NAME);

    if (!ec)
        ec = set_text(to, TAG_SIMPLE_NAME, r->simple_name, r->flags & RECIPIENT_SIMPLE_NAME);
    if (!ec)
        ec =
            set_text(to, TAG_TRANSMITTABLE, same ? r->display_name : r->transmittable,
                     same ? r->flags & RECIPIENT_DISPLAY_NAME : r->flags & RECIPIENT_TRANSMITTABLE);
    if (!ec)
        ec = held_set_number(to, PR_RESPONSIBILITY, (r->flags & RECIPIENT_RESPONSIBLE) != 0);
    return ec ? ec : held_set_number(to, TAG_SEND_RICH_INFO, (r->flags & RECIPIENT_NON_RICH) == 0);
}

/* The columns; those that the row's fields tell are not asked. */
static uint32_t set_columns(struct held_props *to, const struct recipient *r)
{
    uint32_t ec = EC_SUCCESS;

    for (size_t i = 0; i < r->n_values && !ec; i++) {
        struct store_prop prop = {.tag = prop_as_unicode(r->values[i].tag),
                                  .value = r->values[i].value};

        if (prop_type(prop.tag) == PROP_ERROR || is_of_the_row(prop.tag) ||
            held_find(to, prop_id(prop.tag)))
            continue;
        if (failed(prop_check(prop_type(prop.tag), &prop.value)))
            return EC_INVALID_PARAMETER;
        ec = held_set(to, &prop);
    }
    return ec;
}

static uint32_t take_row(struct rop_call *call, const struct recipient *r,
                         struct mapi_recipient *out)
{
    out->row_id = r->row_id;
    held_init(&out->props, call->context);
    uint32_t ec = held_set_number(&out->props, PR_RECIPIENT_TYPE, r->kind);

    if (!ec)
        ec = set_address(call, &out->props, r);
    if (!ec)
        ec = set_names(&out->props, r);
    if (!ec)
        ec = set_columns(&out->props, r);
    if (ec)
        held_done(&out->props);
    return ec;
}

/* ---- ModifyRecipients ---- */

/* The place of a row id, or where it would stand. */
static size_t place_of(const struct mapi_body *body, uint32_t row_id, bool *there)
{
    size_t lo = 0, hi = body->n_recipients;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (body->recipients[mid].row_id < row_id)
            lo = mid + 1;
        else
            hi = mid;
    }
    *there = lo < body->n_recipients && body->recipients[lo].row_id == row_id;
    return lo;
}

static void remove_at(struct mapi_body *body, size_t at)
{
    held_done(&body->recipients[at].props);
    memmove(body->recipients + at, body->recipients + at + 1,
            (--body->n_recipients - at) * sizeof *body->recipients);
}

static void put_at(struct mapi_body *body, size_t at, bool there, const struct mapi_recipient *row)
{
    if (there) {
        held_done(&body->recipients[at].props);
        body->recipients[at] = *row;
        return;
    }
    body->recipients = mem_grow(body->recipients, body->n_recipients + 1, sizeof *body->recipients);
    memmove(body->recipients + at + 1, body->recipients + at,
            (body->n_recipients++ - at) * sizeof *body->recipients);
    body->recipients[at] = *row;
}

static uint32_t modify_row(struct rop_call *call, struct mapi_body *body, const struct recipient *r)
{
    struct mapi_recipient row;
    bool there;
    size_t at = place_of(body, r->row_id, &there);

    if (r->removed) {
        if (there)
            remove_at(body, at);
        return EC_SUCCESS;
    }
    if (!there && body->n_recipients >= MAX_RECIPIENTS)
        return EC_TOO_MANY_RECIPIENTS;
    uint32_t ec = take_row(call, r, &row);
    if (!ec)
        put_at(body, at, there, &row);
    return ec;
}

static bool is_type(const struct recipient *r)
{
    return r->removed || (r->kind & ~RESENDS) <= TYPE_MAX;
}

static uint32_t own_recipients(struct rop_call *call)
{
    struct mapi_message *m = message_of(call->object);
    struct store_read *rd;

    if (!m->writable)
        return EC_ACCESS_DENIED;
    if (m->body.own_recipients)
        return EC_SUCCESS;
    uint32_t ec = rop_read(call, &rd);
    if (ec)
        return ec;
    ec = message_own_recipients(call, rd, m);
    store_read_end(rd);
    return ec;
}

static uint32_t modify_recipients(struct rop_call *call)
{
    const struct rop_modify_recipients *rq = call->fields;
    struct mapi_message *m = message_of(call->object);

    for (size_t i = 0; i < rq->recipients.n; i++)
        if (!is_type(&rq->recipients.items[i]))
            return EC_INVALID_PARAMETER;
    uint32_t ec = own_recipients(call);

    for (size_t i = 0; i < rq->recipients.columns.n && !ec; i++)
        if (!is_of_the_row(rq->recipients.columns.items[i]))
            add_column(m, rq->recipients.columns.items[i]);
    for (size_t i = 0; i < rq->recipients.n && !ec; i++)
        ec = modify_row(call, &m->body, &rq->recipients.items[i]);
    return ec;
}

static uint32_t remove_recipients(struct rop_call *call)
{
    struct mapi_body *body = &message_of(call->object)->body;
    uint32_t ec = own_recipients(call);

    while (!ec && body->n_recipients > 0)
        remove_at(body, body->n_recipients - 1);
    return ec;
}

/* ---- ReadRecipients ---- */

static uint32_t read_from(struct rop_call *call, struct store_read *rd, uint32_t row_id)
{
    struct rop_read_recipients_reply *reply = call->reply;
    struct mapi_message *m = message_of(call->object);
    struct recipient_view *views;
    size_t n, from = 0;
    uint32_t ec = message_recipients(call, rd, m, &views, &n);

    if (ec)
        return ec;
    while (from < n && views[from].row_id < row_id)
        from++;
    /* 0 is the beginning; another has to be there ([MS-OXCMSG] 3.2.5.6). */
    if (from == n || (row_id != 0 && views[from].row_id != row_id))
        return EC_NOT_FOUND;
    return recipients_put(call, m, views + from, n - from, true, call->room - 1, &reply->rows);
}

static uint32_t read_recipients(struct rop_call *call)
{
    const struct rop_read_recipients *rq = call->fields;
    struct store_read *rd;
    uint32_t ec = rop_read(call, &rd);

    if (ec)
        return ec;
    ec = read_from(call, rd, rq->row);
    store_read_end(rd);
    return ec;
}

const struct rop_handler mapi_recipient_handlers[] = {
    {ROP_ModifyRecipients, MAPI_MESSAGE, 0, EC_NULL_OBJECT, 0, modify_recipients},
    {ROP_ReadRecipients, MAPI_MESSAGE, 0, EC_NULL_OBJECT, 0, read_recipients},
    {ROP_RemoveAllRecipients, MAPI_MESSAGE, 0, EC_NULL_OBJECT, 0, remove_recipients},
    {.run = NULL},
};
