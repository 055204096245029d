/* oxcmail_header.c - properties that come of a message's header ([MS-OXCMAIL] 2.2.3.1, 2.2.3.2). */
#include "base/base64.h"
#include "base/clock.h"
#include "base/utf.h"
#include "store/mapi/codepage.h"
#include "store/mapi/oxcmail_int.h"

enum { TEXT_MAX = 16 * 1024 * 1024 };

/* ---- addresses ---- */

/* With its NUL. */
static void put_utf16(struct buf *out, struct slice utf8)
{
    utf16le_from_utf8(utf8, out);
    buf_put(out, slice_of("\0", 2));
}

static struct slice keep(struct arena *in, struct buf *b)
{
    struct slice kept = arena_slice(in, buf_slice(b));

    buf_done(b);
    return kept;
}

/* A one-off EntryID: an address that no address book knows ([MS-OXCDATA] 2.2.5.1). */
struct slice oxcmail_one_off(struct arena *in, struct slice name, struct slice email)
{
    static const uint8_t head[] = {0,    0,    0,    0,    0x81, 0x2B, 0x1F, 0xA4,
                                   0xBE, 0xA3, 0x10, 0x19, 0x9D, 0x6E, 0x00, 0xDD,
                                   0x01, 0x0F, 0x54, 0x02, 0x00, 0x00, 0x01, 0x90};
    struct buf out = buf_make(TEXT_MAX);

    buf_put(&out, slice_of(head, sizeof head)); /* version 0; Unicode, no rich information */
    put_utf16(&out, name);
    put_utf16(&out, S("SMTP"));
    put_utf16(&out, email);
    return keep(in, &out);
}

/* "SMTP:" and the address in upper case, with its NUL ([MS-OXCMAIL] 2.2.3.1.2). */
struct slice oxcmail_search_key(struct arena *in, struct slice email)
{
    struct buf out = buf_make(TEXT_MAX);

    buf_puts(&out, "SMTP:");
    for (size_t i = 0; i < email.len; i++)
        buf_putc(&out, ascii_upper(email.ptr[i]));
    buf_putc(&out, 0);
    return keep(in, &out);
}

struct oxcmail_address oxcmail_address(const struct oxcmail *m, const struct mime_address *a)
{
    struct buf email = buf_make(TEXT_MAX);

    buf_put(&email, a->mailbox);
    if (a->host.len) {
        buf_putc(&email, '@');
        buf_put(&email, a->host);
    }
    struct oxcmail_address out = {.email = keep(m->in, &email)};
    out.name = a->name.len ? a->name : out.email;
    out.search_key = oxcmail_search_key(m->in, out.email);
    out.entry_id = oxcmail_one_off(m->in, out.name, out.email);
    return out;
}

/* The first real address of the first field of that name. */
static bool first_address(const struct oxcmail *m, struct slice field, struct oxcmail_address *out)
{
    struct mime_field found;
    struct mime_address *list;
    size_t n;

    if (!mime_get_field(oxcmail_header(m, 0), field, &found))
        return false;
    mime_addresses(found.value, m->in, &list, &n);
    for (size_t i = 0; i < n; i++) {
        if (list[i].kind == MIME_ADDRESS) {
            *out = oxcmail_address(m, &list[i]);
            return true;
        }
    }
    return false;
}

static void add_sender(const struct oxcmail *m, struct prop_list *out)
{
    struct oxcmail_address from, sender;
    bool has_from = first_address(m, S("From"), &from);

    if (!first_address(m, S("Sender"), &sender)) {
        if (!has_from)
            return;
        sender = from;
    } else if (!has_from) {
        from = sender;
    }
    prop_add_bytes(out, PR_SENT_REPRESENTING_NAME, from.name);
    prop_add_bytes(out, PR_SENT_REPRESENTING_ADDRESS_TYPE, S("SMTP"));
    prop_add_bytes(out, PR_SENT_REPRESENTING_EMAIL, from.email);
    prop_add_bytes(out, PR_SENT_REPRESENTING_SMTP, from.email);
    prop_add_bytes(out, PR_SENT_REPRESENTING_SEARCH_KEY, from.search_key);
    prop_add_bytes(out, PR_SENT_REPRESENTING_ENTRY_ID, from.entry_id);
    prop_add_bytes(out, PR_SENDER_NAME, sender.name);
    prop_add_bytes(out, PR_SENDER_ADDRESS_TYPE, S("SMTP"));
    prop_add_bytes(out, PR_SENDER_EMAIL, sender.email);
    prop_add_bytes(out, PR_SENDER_SMTP_ADDRESS, sender.email);
    prop_add_bytes(out, PR_SENDER_SEARCH_KEY, sender.search_key);
    prop_add_bytes(out, PR_SENDER_ENTRY_ID, sender.entry_id);
}

struct oxcmail_walk oxcmail_walk(const struct oxcmail *m, struct slice field)
{
    return (struct oxcmail_walk){.field = field, .header = oxcmail_header(m, 0)};
}

const struct mime_address *oxcmail_next(const struct oxcmail *m, struct oxcmail_walk *walk)
{
    struct mime_field found;

    for (;;) {
        while (walk->at < walk->n)
            if (walk->list[walk->at++].kind == MIME_ADDRESS)
                return &walk->list[walk->at - 1];
        do {
            if (!mime_next_field(&walk->header, &found))
                return NULL;
        } while (!slice_ieq(found.name, walk->field));
        mime_addresses(found.value, m->in, &walk->list, &walk->n);
        walk->at = 0;
    }
}

/* A FLATENTRYLIST ([MS-OXCDATA] 2.3.3) of the Reply-To addresses, and their names. */
static void add_reply_to(const struct oxcmail *m, struct prop_list *out)
{
    struct buf entries = buf_make(TEXT_MAX), names = buf_make(TEXT_MAX);
    struct mime_field found;
    struct mime_address *list;
    size_t n, count = 0;

    if (!mime_get_field(oxcmail_header(m, 0), S("Reply-To"), &found))
        return;
    mime_addresses(found.value, m->in, &list, &n);
    for (size_t i = 0; i < n; i++) {
        if (list[i].kind != MIME_ADDRESS)
            continue;
        struct oxcmail_address a = oxcmail_address(m, &list[i]);
        uint32_t len = (uint32_t)a.entry_id.len;

        for (unsigned shift = 0; shift < 32; shift += 8)
            buf_putc(&entries, (uint8_t)(len >> shift));
        buf_put(&entries, a.entry_id);
        for (size_t pad = a.entry_id.len; pad % 4; pad++)
            buf_putc(&entries, 0);
        buf_puts(&names, count++ ? ";" : "");
        buf_put(&names, a.name);
    }
    if (count) {
        struct buf flat = buf_make(TEXT_MAX + 8);

        for (unsigned shift = 0; shift < 32; shift += 8)
            buf_putc(&flat, (uint8_t)(count >> shift));
        for (unsigned shift = 0; shift < 32; shift += 8)
            buf_putc(&flat, (uint8_t)(entries.len >> shift));
        buf_put(&flat, buf_slice(&entries));
        prop_add_bytes(out, PR_REPLY_RECIPIENT_ENTRIES, keep(m->in, &flat));
        prop_add_bytes(out, PR_REPLY_RECIPIENT_NAMES, keep(m->in, &names));
    }
    buf_done(&entries);
    buf_done(&names);
}

/* The names of all addresses of the fields of one name, "; " between them. */
static void add_display(const struct oxcmail *m, struct slice field, uint32_t tag,
                        struct prop_list *out)
{
    struct oxcmail_walk walk = oxcmail_walk(m, field);
    const struct mime_address *address;
    struct buf names = buf_make(TEXT_MAX);

    while ((address = oxcmail_next(m, &walk))) {
        buf_puts(&names, names.len ? "; " : "");
        buf_put(&names, oxcmail_address(m, address).name);
    }
    prop_add_bytes(out, tag, keep(m->in, &names));
}

/* ---- subject and thread ---- */

size_t oxcmail_subject_prefix(struct slice subject)
{
    size_t n = 0;

    while (n < subject.len && n < 3 && ascii_is_alpha(subject.ptr[n]))
        n++;
    bool ends = n > 0 && n + 1 < subject.len && subject.ptr[n] == ':' && subject.ptr[n + 1] == ' ';
    return ends ? n + 2 : 0;
}

static void add_subject(const struct oxcmail *m, struct prop_list *out)
{
    struct slice subject = oxcmail_text(m, S("Subject"));
    size_t prefix = oxcmail_subject_prefix(subject);
    struct slice topic = oxcmail_text(m, S("Thread-Topic"));
    struct buf index = buf_make(TEXT_MAX);

    prop_add_bytes(out, PR_SUBJECT, subject);
    prop_add_bytes(out, PR_SUBJECT_PREFIX, slice_head(subject, prefix));
    prop_add_bytes(out, PR_NORMALIZED_SUBJECT, slice_from(subject, prefix));
    prop_add_bytes(out, PR_CONVERSATION_TOPIC, topic.len ? topic : slice_from(subject, prefix));
    struct slice thread = oxcmail_raw(m, S("Thread-Index"));
    if (thread.len && base64_decode(thread, &index))
        prop_add_bytes(out, PR_CONVERSATION_INDEX, arena_slice(m->in, buf_slice(&index)));
    buf_done(&index);
}

static void add_text(const struct oxcmail *m, struct slice field, uint32_t tag,
                     struct prop_list *out)
{
    struct slice value = oxcmail_text(m, field);

    if (value.len)
        prop_add_bytes(out, tag, value);
}

/* ---- importance, sensitivity, receipts ---- */

struct word {
    const char *text;
    int number;
};

static int lookup(const struct word *words, struct slice text, int otherwise)
{
    for (; words->text; words++)
        if (slice_ieq(text, slice_str(words->text)))
            return words->number;
    return otherwise;
}

/* The first of these fields that is there decides (2.2.3.2.5). */
static int importance(const struct oxcmail *m)
{
    static const struct word plain[] = {{"low", 0}, {"normal", 1}, {"high", 2}, {NULL, 0}};
    static const struct word urgency[] = {
        {"non-urgent", 0}, {"normal", 1}, {"urgent", 2}, {NULL, 0}};
    static const struct word number[] = {{"5", 0}, {"4", 0}, {"3", 1},
                                         {"2", 2}, {"1", 2}, {NULL, 0}};
    struct slice value = oxcmail_raw(m, S("Importance"));

    if (value.len)
        return lookup(plain, value, 1);
    value = oxcmail_raw(m, S("Priority"));
    if (value.len)
        return lookup(urgency, value, 1);
    value = oxcmail_raw(m, S("X-Priority"));
    if (value.len)
        return lookup(number, slice_head(value, 1), 1);
    return lookup(plain, oxcmail_raw(m, S("X-MSMail-Priority")), 1);
}

static int sensitivity(const struct oxcmail *m)
{
    static const struct word words[] = {
        {"personal", 1}, {"private", 2}, {"company-confidential", 3}, {NULL, 0}};

    return lookup(words, oxcmail_raw(m, S("Sensitivity")), 0);
}

static void add_wishes(const struct oxcmail *m, struct prop_list *out)
{
    int how = importance(m);

    prop_add_number(out, PR_IMPORTANCE, how);
    prop_add_number(out, PR_PRIORITY, how - 1);
    prop_add_number(out, PR_SENSITIVITY, sensitivity(m));
    prop_add_number(out, PR_READ_RECEIPT_REQUESTED,
                    oxcmail_raw(m, S("Disposition-Notification-To")).len > 0);
    prop_add_number(out, PR_DELIVERY_REPORT_REQUESTED,
                    oxcmail_raw(m, S("Return-Receipt-To")).len > 0);
    struct slice automatic = oxcmail_raw(m, S("Auto-Submitted"));
    if (automatic.len && !slice_ieq(automatic, S("no")))
        prop_add_number(out, PR_AUTO_RESPONSE_SUPPRESS, -1);
}

/* ---- the header as a whole ---- */

static void add_times(const struct oxcmail *m, struct prop_list *out)
{
    struct mime_field date;
    int64_t seconds;
    int zone;

    if (mime_get_field(oxcmail_header(m, 0), S("Date"), &date) &&
        mime_date(date.value, &seconds, &zone))
        prop_add_time(out, PR_CLIENT_SUBMIT_TIME, filetime_from_unix(seconds));
}

/* Text for a property: UTF-8 as it is, anything else read as windows-1252. */
static struct slice header_text(const struct oxcmail *m)
{
    struct slice header = oxcmail_header(m, 0);
    struct buf out = buf_make(4 * (size_t)TEXT_MAX);

    if (slice_is_utf8(header))
        return header;
    if (failed(mime_to_utf8(S("windows-1252"), header, &out)))
        buf_clear(&out);
    return keep(m->in, &out);
}

static void add_body_facts(const struct oxcmail *m, struct prop_list *out)
{
    uint32_t part = m->html != OXCMAIL_NO_PART ? m->html : m->plain;

    if (part == OXCMAIL_NO_PART)
        return;
    const struct mime_type *type = oxcmail_type(m, part);
    struct slice charset = mime_param(type->params, type->n_params, S("charset"));
    prop_add_number(out, PR_NATIVE_BODY, m->html != OXCMAIL_NO_PART ? 3 : 1);
    prop_add_number(out, PR_INTERNET_CODEPAGE, codepage_of_charset(charset));
}

void oxcmail_properties(const struct oxcmail *m, struct prop_list *out)
{
    prop_add_bytes(out, PR_MESSAGE_CLASS, oxcmail_class(m));
    add_subject(m, out);
    add_sender(m, out);
    add_reply_to(m, out);
    add_display(m, S("To"), PR_DISPLAY_TO, out);
    add_display(m, S("Cc"), PR_DISPLAY_CC, out);
    add_display(m, S("Bcc"), PR_DISPLAY_BCC, out);
    add_times(m, out);
    add_wishes(m, out);
    add_text(m, S("Message-ID"), PR_INTERNET_MESSAGE_ID, out);
    add_text(m, S("References"), PR_INTERNET_REFERENCES, out);
    add_text(m, S("In-Reply-To"), PR_IN_REPLY_TO_ID, out);
    add_text(m, S("List-Help"), PR_LIST_HELP, out);
    add_text(m, S("List-Subscribe"), PR_LIST_SUBSCRIBE, out);
    add_text(m, S("List-Unsubscribe"), PR_LIST_UNSUBSCRIBE, out);
    add_body_facts(m, out);
    prop_add_bytes(out, PR_TRANSPORT_HEADERS, header_text(m));
}
