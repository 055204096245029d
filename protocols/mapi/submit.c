/* submit.c - from a stored message to the queue of outgoing mail. */
#include "protocols/mapi/submit.h"

#include "protocols/mapi/context.h"
#include "protocols/mapi/message_int.h"

/* [MS-OXOMSG] 2.2.3; not among the names of prop.h */
enum {
    PR_DELETE_AFTER_SUBMIT = 0x0E01000B,
    PR_SENTMAIL_ENTRY_ID = 0x0E0A0102,
    PR_SENTMAIL_SERVER_ID = 0x674000FB,
    PR_DEFERRED_SEND_NUMBER = 0x3FEB0003,
    PR_DEFERRED_SEND_UNITS = 0x3FEC0003,
    PR_DEFERRED_SEND_TIME = 0x3FEF0040,
};

enum {
    ENTRY_ID_BYTES = 46, /* of a folder ([MS-OXCDATA] 2.2.4.1) */
    ENTRY_ID_REPLICA = 22,
    ENTRY_ID_COUNTER = 38,
    SERVER_ID_BYTES = 21, /* [MS-OXCDATA] 2.11.1.4: is it ours, FID, MID, instance */
    DEFERRED_NUMBER_MAX = 999,
    RECIPIENT_HAS_IT_BYTE = 0x80, /* as RopModifyRecipients has it ([MS-OXCMSG] 2.2.3.5.1) */
};

#define RECIPIENT_HAS_IT 0x80000000ll

struct submitting {
    struct rop_call *call;
    struct mapi_mail mail;
};

/* ---- addresses ---- */

/* Nothing in it ends a command or a field, or begins another. */
static bool is_address(struct slice text)
{
    size_t at = slice_index(text, '@');

    if (at == 0 || at + 1 >= text.len || text.len > 320)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] == 0x7F || text.ptr[i] == '<' || text.ptr[i] == '>')
            return false;
    return true;
}

static const struct store_prop *find(const struct store_props *props, uint32_t tag)
{
    for (size_t i = 0; i < props->n; i++)
        if (prop_id(props->items[i].tag) == prop_id(tag) && !props->items[i].large)
            return &props->items[i];
    return NULL;
}

static struct slice text_of(const struct store_props *props, uint32_t tag)
{
    const struct store_prop *prop = find(props, tag);

    return prop && prop_type(prop->tag) == PROP_STRING ? prop->value.bytes : SLICE_EMPTY;
}

/* Where his mail goes who is named so here; empty: nobody is. */
static struct slice address_of_name(struct rop_call *call, struct slice dn)
{
    struct slice identity = mapi_dn_identity(dn);
    struct mapi_person person;

    if (identity.len == 0 || failed(mapi_find_person(call->mapi, identity, call->arena, &person)))
        return SLICE_EMPTY;
    return person.address;
}

static struct slice address_of(struct rop_call *call, const struct store_props *recipient)
{
    struct slice smtp = text_of(recipient, PR_SMTP_ADDRESS);
    struct slice email = text_of(recipient, PR_EMAIL_ADDRESS);

    if (is_address(smtp))
        return smtp;
    if (slice_ieq(text_of(recipient, PR_ADDRESS_TYPE), S("EX")))
        return address_of_name(call, email);
    return email;
}

/* Of a message that is sent again: had this one got it ([MS-OXOMSG] 2.2.3.1)? */
static bool has_it(const struct store_props *recipient)
{
    const struct store_prop *type = find(recipient, PR_RECIPIENT_TYPE);

    return type && (type->value.number & (RECIPIENT_HAS_IT | RECIPIENT_HAS_IT_BYTE));
}

static bool is_resent(struct store_object *object)
{
    struct store_prop flags;

    return !failed(store_object_get(object, PR_MESSAGE_FLAGS, &flags)) &&
           (flags.value.number & MESSAGE_RESEND);
}

static uint32_t gather_recipients(struct submitting *st, const struct store_content *content,
                                  bool resent)
{
    struct rop_call *call = st->call;
    struct slice *list = arena_array(call->arena, content->n_recipients + 1, sizeof *list);
    size_t n = 0;

    if (content->n_recipients > SUBMIT_MAX_RECIPIENTS)
        return EC_TOO_MANY_RECIPIENTS;
    for (size_t i = 0; i < content->n_recipients; i++) {
        struct slice address = address_of(call, &content->recipients[i]);

        if (resent && has_it(&content->recipients[i]))
            continue;
        if (!is_address(address))
            return EC_UNKNOWN_USER;
        list[n++] = arena_slice(call->arena, address);
    }
    st->mail.recipients = list;
    st->mail.n_recipients = n;
    return n ? EC_SUCCESS : EC_NO_RECIPIENTS;
}

/* Is it an address of his, or a name that the address book gives him? What is not there is. */
static bool is_own(struct submitting *st, struct store_object *object, uint32_t tag,
                   const struct mapi_person *own)
{
    struct rop_call *call = st->call;
    struct mapi_directory *directory = call->mapi->config.directory;
    struct mapi_person named;
    struct store_prop prop;

    if (failed(store_object_get(object, tag, &prop)) || prop.value.bytes.len == 0)
        return true;
    struct slice address = prop.value.bytes, identity = mapi_dn_identity(address);
    if (prop.large || slice_ieq(address, own->address))
        return !prop.large;
    if (identity.len)
        return !failed(mapi_find_person(call->mapi, identity, call->arena, &named)) &&
               named.mailbox_id == own->mailbox_id;
    return is_address(address) &&
           !failed(directory->find_address(directory, address, call->arena, &named)) &&
           named.mailbox_id == own->mailbox_id;
}

/* Whoever it says it is from must be who sends it: nobody sends for others ([MS-OXOMSG] 3.2.4). */
static uint32_t check_sender(struct submitting *st, struct store_object *object)
{
    static const uint32_t tags[] = {PR_SENT_REPRESENTING_SMTP, PR_SENT_REPRESENTING_EMAIL,
                                    PR_SENDER_SMTP_ADDRESS, PR_SENDER_EMAIL};
    struct rop_call *call = st->call;
    struct mapi_person own;

    if (failed(mapi_find_person(call->mapi, slice_str(call->logon->identity), call->arena, &own)) ||
        !is_address(own.address))
        return EC_SEND_AS_DENIED;
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (!is_own(st, object, tags[i], &own))
            return EC_SEND_AS_DENIED;
    st->mail.sender = own.address;
    return EC_SUCCESS;
}

/* ---- bytes ---- */

/* The field at the front of a header, with the lines that go on with it. */
static struct slice cut_field(struct slice *header)
{
    size_t len = 0;

    do {
        size_t line = slice_index(slice_from(*header, len), '\n');

        len = len + line < header->len ? len + line + 1 : header->len;
    } while (len < header->len && (header->ptr[len] == ' ' || header->ptr[len] == '\t'));
    struct slice field = slice_head(*header, len);
    *header = slice_from(*header, len);
    return field;
}

/* A copy that outlives the snapshot, without what the recipients are not to see (RFC 5322 3.6.3).
 */
static struct slice bytes_to_send(struct arena *in, struct slice whole, size_t header_len)
{
    struct slice header = slice_head(whole, header_len), body = slice_from(whole, header.len);
    uint8_t *to = arena_alloc(in, whole.len + 1);
    size_t n = 0;

    while (header.len > 0) {
        struct slice field = cut_field(&header);

        if (slice_istarts(field, S("bcc:")) || slice_istarts(field, S("resent-bcc:")))
            continue;
        memcpy(to + n, field.ptr, field.len);
        n += field.len;
    }
    if (body.len > 0)
        memcpy(to + n, body.ptr, body.len);
    return slice_of(to, n + body.len);
}

static struct err gather_bytes(struct submitting *st, struct store_read *rd,
                               const struct message_row *row)
{
    struct slice whole = SLICE_EMPTY;
    struct message_meta meta;

    struct err e = store_message_meta(rd, row, &meta);
    if (!failed(e))
        e = store_message_bytes(rd, row, 0, row->size, st->call->arena, &whole);
    if (!failed(e))
        st->mail.bytes = bytes_to_send(st->call->arena, whole, meta.header_len);
    return e;
}

/* ---- where it goes then ---- */

static bool fid_of_entry_id(const struct mapi_logon *logon, struct slice id, uint64_t *fid)
{
    if (id.len != ENTRY_ID_BYTES ||
        memcmp(id.ptr + ENTRY_ID_REPLICA, logon->info.replica_guid, 16) != 0)
        return false;
    *fid = 0;
    for (size_t i = 0; i < 6; i++)
        *fid = *fid << 8 | id.ptr[ENTRY_ID_COUNTER + i];
    return true;
}

static bool fid_of_server_id(struct slice id, uint64_t *fid)
{
    uint64_t wire_id = 0;

    if (id.len != SERVER_ID_BYTES || id.ptr[0] != 1)
        return false;
    for (size_t i = 8; i > 0; i--)
        wire_id = wire_id << 8 | id.ptr[i];
    return mapi_id_counter(wire_id, fid);
}

static struct err choose_folder(struct submitting *st, struct store_read *rd,
                                struct store_object *object)
{
    struct store_prop prop;
    struct store_folder folder;
    uint64_t fid;

    if (!failed(store_object_get(object, PR_DELETE_AFTER_SUBMIT, &prop)) && prop.value.number)
        return OK;
    bool named = (!failed(store_object_get(object, PR_SENTMAIL_SERVER_ID, &prop)) &&
                  fid_of_server_id(prop.value.bytes, &fid)) ||
                 (!failed(store_object_get(object, PR_SENTMAIL_ENTRY_ID, &prop)) &&
                  fid_of_entry_id(st->call->logon, prop.value.bytes, &fid));
    if (named && !failed(store_folder_get(rd, fid, &folder)) && folder.shadow == SHADOW_NONE &&
        !folder.search) {
        st->mail.to = fid;
        return OK;
    }
    struct err e = store_folder_special(rd, SPECIAL_SENT, &folder);
    if (!failed(e))
        st->mail.to = folder.fid;
    return e;
}

/* ---- when ---- */

static bool number_of(struct store_object *object, uint32_t tag, int64_t *out)
{
    struct store_prop prop;

    if (failed(store_object_get(object, tag, &prop)))
        return false;
    *out = prop.value.number;
    return true;
}

/* Units and a number of them go before a time ([MS-OXOMSG] 2.2.3.3 to 2.2.3.6). */
static uint64_t deferred_until(const struct rop_call *call, struct store_object *object)
{
    static const uint64_t seconds[] = {60, 3600, 86400, 7 * 86400};
    struct store_prop time;
    int64_t n, unit;

    if (number_of(object, PR_DEFERRED_SEND_NUMBER, &n) &&
        number_of(object, PR_DEFERRED_SEND_UNITS, &unit) && n >= 0 && n <= DEFERRED_NUMBER_MAX &&
        unit >= 0 && unit < (int64_t)(sizeof seconds / sizeof *seconds))
        return call->now + (uint64_t)n * seconds[unit] * FILETIME_SECOND;
    return failed(store_object_get(object, PR_DEFERRED_SEND_TIME, &time)) ? 0 : time.value.time;
}

static void gather_wishes(struct submitting *st, struct store_object *object)
{
    int64_t report = 0;

    st->mail.not_before = deferred_until(st->call, object);
    st->mail.wants_report = number_of(object, PR_DELIVERY_REPORT_REQUESTED, &report) && report;
}

/* ---- into the queue ---- */

static uint32_t gather_all(struct submitting *st, struct store_read *rd, bool sends)
{
    struct store_object *object;
    struct store_content content;
    struct message_row row;
    uint32_t uid;

    struct err e = store_message_by_mid(rd, st->mail.mid, &st->mail.fid, &uid);
    if (!failed(e))
        e = store_message(rd, st->mail.fid, uid, &row);
    if (!failed(e))
        e = store_object_open_row(rd, st->mail.fid, &row, st->call->arena, &object);
    if (!failed(e))
        e = choose_folder(st, rd, object);
    if (failed(e) || !sends)
        return mapi_ec_of(e);
    e = store_object_content(object, &content);
    uint32_t ec = failed(e) ? mapi_ec_of(e) : gather_recipients(st, &content, is_resent(object));
    if (!ec)
        ec = check_sender(st, object);
    gather_wishes(st, object);
    return ec ? ec : mapi_ec_of(gather_bytes(st, rd, &row));
}

static uint32_t gather(struct rop_call *call, uint64_t mid, bool sends, struct submitting **out)
{
    struct submitting *st = arena_alloc(call->arena, sizeof *st);
    struct store_read *rd;
    uint32_t ec = rop_read(call, &rd);

    if (ec)
        return ec;
    st->call = call;
    st->mail.mid = mid;
    ec = gather_all(st, rd, sends);
    store_read_end(rd);
    *out = st;
    return ec;
}

/* Who locks what is not in the queue keeps nobody from anything. */
static uint32_t outcome(const struct mapi_mail *mail)
{
    bool locks = mail->task == MAPI_MAIL_LOCK || mail->task == MAPI_MAIL_UNLOCK;

    switch (mail->err.code) {
    case ERR_EXISTS:
        return EC_SUBMITTED;
    case ERR_NOT_FOUND:
        return locks ? EC_SUCCESS : EC_NOT_IN_QUEUE;
    case ERR_CONFLICT:
        return EC_UNABLE_TO_ABORT;
    default:
        return mapi_ec_of(mail->err);
    }
}

static void on_done(struct mapi_mail *mail)
{
    struct submitting *st = mail->owner;

    rop_resume(st->call, outcome(mail));
}

static uint32_t ask(struct submitting *st, enum mapi_mail_task task)
{
    struct rop_call *call = st->call;
    struct mapi_transport *transport = call->mapi->config.transport;

    st->mail.task = task;
    st->mail.home = call->home;
    st->mail.done = on_done;
    st->mail.owner = st;
    st->mail.identity = arena_slice(call->arena, slice_str(call->logon->identity));
    st->mail.mailbox_id = call->context->mailbox_id;
    transport->ask(transport, &st->mail);
    return ROP_PENDING;
}

/* Mail of somebody else is his to send. */
static uint32_t may_send(const struct rop_call *call)
{
    if (!call->logon->owner)
        return EC_ACCESS_DENIED;
    return call->mapi->config.transport ? EC_SUCCESS : EC_NOT_SUPPORTED;
}

uint32_t mapi_submit(struct rop_call *call, uint64_t mid)
{
    struct submitting *st;
    uint32_t ec = may_send(call);

    if (!ec)
        ec = gather(call, mid, true, &st);
    return ec ? ec : ask(st, MAPI_MAIL_SEND);
}

uint32_t mapi_submit_file(struct rop_call *call, uint64_t mid)
{
    struct submitting *st;
    uint32_t ec = may_send(call);

    if (!ec)
        ec = gather(call, mid, false, &st);
    return ec ? ec : ask(st, MAPI_MAIL_FILE);
}

uint32_t mapi_submit_task(struct rop_call *call, uint64_t mid, enum mapi_mail_task task)
{
    struct submitting *st = arena_alloc(call->arena, sizeof *st);
    uint32_t ec = may_send(call);

    st->call = call;
    st->mail.mid = mid;
    return ec ? ec : ask(st, task);
}
