/* oxcmail_export_header.c - the header of a message ([MS-OXCMAIL] 2.1.3.1, 2.1.3.2). */
#include "base/base64.h"
#include "base/utf.h"
#include "store/mapi/oxcmail_export_int.h"

/* ---- values ---- */

void export_fail(struct exporter *x, struct err e)
{
    if (!failed(x->err))
        x->err = e;
}

static bool is_bytes(uint16_t type)
{
    return type == PROP_STRING || type == PROP_BINARY;
}

const struct store_prop *export_find(const struct store_props *props, uint32_t tag)
{
    for (size_t i = 0; i < props->n; i++) {
        uint16_t has = prop_type(props->items[i].tag), want = prop_type(tag);

        /* PidTagHtml comes as a string too. */
        if (prop_id(props->items[i].tag) == prop_id(tag) &&
            (has == want || (tag == PR_HTML && is_bytes(has))))
            return &props->items[i];
    }
    return NULL;
}

struct slice export_value(struct exporter *x, const struct store_prop *prop)
{
    struct slice bytes = prop->value.bytes;

    if (prop->large || prop->prepared) {
        struct err e = x->how->load(x->how->ctx, prop, &bytes);

        if (failed(e)) {
            export_fail(x, e);
            bytes = SLICE_EMPTY;
        }
    }
    return bytes;
}

struct slice export_string(struct exporter *x, const struct store_props *props, uint32_t tag)
{
    const struct store_prop *prop = export_find(props, tag);

    return prop ? export_value(x, prop) : SLICE_EMPTY;
}

static int64_t number(const struct store_props *props, uint32_t tag, int64_t otherwise)
{
    const struct store_prop *prop = export_find(props, tag);

    return prop ? prop->value.number : otherwise;
}

/* ---- who ---- */

struct person {
    struct slice name, address;
};

/* The tags that tell a person, best first; addresses of other kinds than SMTP are none here. */
struct person_tags {
    uint32_t name, smtp, type, address;
};

static const struct person_tags sent_representing = {
    PR_SENT_REPRESENTING_NAME, PR_SENT_REPRESENTING_SMTP, PR_SENT_REPRESENTING_ADDRESS_TYPE,
    PR_SENT_REPRESENTING_EMAIL};
static const struct person_tags sender = {PR_SENDER_NAME, PR_SENDER_SMTP_ADDRESS,
                                          PR_SENDER_ADDRESS_TYPE, PR_SENDER_EMAIL};
static const struct person_tags recipient = {PR_DISPLAY_NAME, PR_SMTP_ADDRESS, PR_ADDRESS_TYPE,
                                             PR_EMAIL_ADDRESS};

static struct person person_of(struct exporter *x, const struct store_props *props,
                               const struct person_tags *tags)
{
    struct slice type = export_string(x, props, tags->type);
    struct person p = {.name = export_string(x, props, tags->name),
                       .address = export_string(x, props, tags->smtp)};

    if (p.address.len == 0 && (type.len == 0 || slice_ieq(type, S("SMTP"))))
        p.address = export_string(x, props, tags->address);
    return p;
}

static bool is_nobody(const struct person *p)
{
    return p->name.len == 0 && p->address.len == 0;
}

static void put_person(struct exporter *x, const char *field, const struct person *p)
{
    struct export_addresses list = {.out = x->out, .name = field};

    export_address(&list, p->name, p->address);
    export_addresses_end(&list);
}

/* Sender is told where it is another one (2.1.3.1.4). */
static void put_senders(struct exporter *x, const struct store_content *c)
{
    struct person from = person_of(x, &c->props, &sent_representing);
    struct person by = person_of(x, &c->props, &sender);

    if (is_nobody(&from))
        from = by;
    put_person(x, "From", &from);
    if (!is_nobody(&by) && !slice_ieq(by.address, from.address))
        put_person(x, "Sender", &by);
    if (number(&c->props, PR_READ_RECEIPT_REQUESTED, 0))
        put_person(x, "Disposition-Notification-To", &from);
    if (number(&c->props, PR_DELIVERY_REPORT_REQUESTED, 0))
        put_person(x, "Return-Receipt-To", &from);
}

static void put_recipients(struct exporter *x, const struct store_content *c, const char *field,
                           int64_t type)
{
    struct export_addresses list = {.out = x->out, .name = field};

    for (size_t i = 0; i < c->n_recipients; i++) {
        /* The flags beside the type are of sending again ([MS-OXCMSG] 2.2.3.1.2). */
        if ((number(&c->recipients[i], PR_RECIPIENT_TYPE, 1) & 0xF) != type)
            continue;
        struct person p = person_of(x, &c->recipients[i], &recipient);

        export_address(&list, p.name, p.address);
    }
    export_addresses_end(&list);
}

/* ---- Reply-To: one-off EntryIDs in a FLATENTRYLIST ([MS-OXCDATA] 2.2.5.1, 2.3.3) ---- */

static uint32_t get32(struct slice s, size_t at)
{
    return (uint32_t)s.ptr[at] | (uint32_t)s.ptr[at + 1] << 8 | (uint32_t)s.ptr[at + 2] << 16 |
           (uint32_t)s.ptr[at + 3] << 24;
}

/* UTF-16 up to its NUL. */
static bool take_wide(struct slice *in, struct buf *out)
{
    size_t n = 0;

    while (n + 1 < in->len && (in->ptr[n] || in->ptr[n + 1]))
        n += 2;
    if (n + 1 >= in->len)
        return false;
    utf8_from_utf16le(slice_head(*in, n), out);
    *in = slice_from(*in, n + 2);
    return true;
}

static void put_one_off(struct export_addresses *list, struct slice entry)
{
    enum { HEAD = 24, UNICODE_BIT = 0x80 };
    struct buf name = buf_make(3 * entry.len), type = buf_make(3 * entry.len),
               address = buf_make(3 * entry.len);
    struct slice rest = slice_from(entry, HEAD);

    if (entry.len > HEAD && (entry.ptr[HEAD - 1] & UNICODE_BIT) && take_wide(&rest, &name) &&
        take_wide(&rest, &type) && take_wide(&rest, &address))
        export_address(list, buf_slice(&name), buf_slice(&address));
    buf_done(&name);
    buf_done(&type);
    buf_done(&address);
}

static void put_reply_to(struct exporter *x, const struct store_content *c)
{
    struct slice flat = export_string(x, &c->props, PR_REPLY_RECIPIENT_ENTRIES);
    struct export_addresses list = {.out = x->out, .name = "Reply-To"};

    if (flat.len < 8)
        return;
    flat = slice_from(flat, 8); /* the count, and the bytes that follow */
    while (flat.len >= 4) {
        uint32_t len = get32(flat, 0);

        flat = slice_from(flat, 4);
        if (len > flat.len)
            break;
        put_one_off(&list, slice_head(flat, len));
        flat = slice_from(flat, len + (4 - len % 4) % 4);
    }
    export_addresses_end(&list);
}

/* ---- what about ---- */

static void put_subject(struct exporter *x, const struct store_content *c)
{
    struct slice subject = export_string(x, &c->props, PR_SUBJECT);
    struct slice thread = export_string(x, &c->props, PR_CONVERSATION_INDEX);
    struct buf made = buf_make(SIZE_MAX);

    if (subject.len == 0) {
        buf_put(&made, export_string(x, &c->props, PR_SUBJECT_PREFIX));
        buf_put(&made, export_string(x, &c->props, PR_NORMALIZED_SUBJECT));
        subject = buf_slice(&made);
    }
    export_text(x->out, "Subject", subject);
    export_text(x->out, "Thread-Topic", export_string(x, &c->props, PR_CONVERSATION_TOPIC));
    buf_clear(&made);
    base64_encode(slice_head(thread, 512), &made);
    export_token(x->out, "Thread-Index", buf_slice(&made));
    buf_done(&made);
}

static void put_wishes(struct exporter *x, const struct store_content *c)
{
    static const char *const importance[] = {"low", NULL, "high"};
    static const char *const sensitivity[] = {NULL, "personal", "private", "company-confidential"};
    int64_t how = number(&c->props, PR_IMPORTANCE, 1);
    int64_t secret = number(&c->props, PR_SENSITIVITY, 0);

    if (how >= 0 && how < 3 && importance[how])
        buf_printf(x->out, "Importance: %s\r\n", importance[how]);
    if (secret > 0 && secret < 4)
        buf_printf(x->out, "Sensitivity: %s\r\n", sensitivity[secret]);
}

static void put_ids(struct exporter *x, const struct store_content *c)
{
    static const struct {
        const char *field;
        uint32_t tag;
    } fields[] = {
        {"Message-ID", PR_INTERNET_MESSAGE_ID}, {"References", PR_INTERNET_REFERENCES},
        {"In-Reply-To", PR_IN_REPLY_TO_ID},     {"List-Help", PR_LIST_HELP},
        {"List-Subscribe", PR_LIST_SUBSCRIBE},  {"List-Unsubscribe", PR_LIST_UNSUBSCRIBE},
    };

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        export_token(x->out, fields[i].field, export_string(x, &c->props, fields[i].tag));
}

static void put_dates(struct exporter *x, const struct store_content *c)
{
    const struct store_prop *sent = export_find(&c->props, PR_CLIENT_SUBMIT_TIME);
    const struct store_prop *reply = export_find(&c->props, PR_REPLY_TIME);

    export_date(x->out, "Date", sent ? sent->value.time : x->how->now);
    if (reply)
        export_date(x->out, "Reply-By", reply->value.time);
}

/* ---- fields that are named properties (PS_INTERNET_HEADERS) ---- */

/* Those that say what only the server or other properties say. */
static bool is_ours(struct slice name)
{
    static const char *const ours[] = {"from",
                                       "sender",
                                       "to",
                                       "cc",
                                       "bcc",
                                       "reply-to",
                                       "subject",
                                       "date",
                                       "message-id",
                                       "references",
                                       "in-reply-to",
                                       "thread-topic",
                                       "thread-index",
                                       "importance",
                                       "sensitivity",
                                       "disposition-notification-to",
                                       "return-receipt-to",
                                       "reply-by",
                                       "list-help",
                                       "list-subscribe",
                                       "list-unsubscribe",
                                       "mime-version",
                                       "received",
                                       "return-path"};

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (slice_ieq(name, slice_str(ours[i])))
            return true;
    return slice_istarts(name, S("content-")) || slice_istarts(name, S("resent-"));
}

static void put_named(struct exporter *x, const struct store_content *c)
{
    for (size_t i = 0; i < c->props.n && x->how->name; i++) {
        const struct store_prop *prop = &c->props.items[i];
        struct store_prop_name name;
        char field[80];

        if (prop_id(prop->tag) < 0x8000 || prop_type(prop->tag) != PROP_STRING ||
            !x->how->name(x->how->ctx, prop_id(prop->tag), &name) || !name.by_string ||
            memcmp(name.guid, store_ps_internet_headers, 16) != 0 ||
            !export_is_field_name(name.name) || is_ours(name.name))
            continue;
        snprintf(field, sizeof field, "%.*s", SLICE_ARG(name.name));
        export_text(x->out, field, export_value(x, prop));
    }
}

void export_header(struct exporter *x, const struct store_content *c)
{
    put_senders(x, c);
    put_recipients(x, c, "To", 1);
    put_recipients(x, c, "Cc", 2);
    put_recipients(x, c, "Bcc", 3);
    put_reply_to(x, c);
    put_subject(x, c);
    put_dates(x, c);
    put_ids(x, c);
    put_wishes(x, c);
    put_named(x, c);
    buf_puts(x->out, "MIME-Version: 1.0\r\n");
}
