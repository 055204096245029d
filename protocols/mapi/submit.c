/* submit.c - from a stored message to the transport, and then to Sent Items. */
#include "protocols/mapi/submit.h"

#include "protocols/mapi/context.h"

/* [MS-OXOMSG] 2.2.3; not among the names of prop.h */
enum {
    PR_DELETE_AFTER_SUBMIT = 0x0E01000B,
    PR_SENTMAIL_ENTRY_ID = 0x0E0A0102,
    PR_SENTMAIL_SERVER_ID = 0x674000FB,
};

enum {
    ENTRY_ID_BYTES = 46, /* of a folder ([MS-OXCDATA] 2.2.4.1) */
    ENTRY_ID_REPLICA = 22,
    ENTRY_ID_COUNTER = 38,
    SERVER_ID_BYTES = 21, /* [MS-OXCDATA] 2.11.1.4: is it ours, FID, MID, instance */
    TEXT_MAX = 4096,
};

struct submitting {
    struct rop_call *call;
    uint64_t mid, fid;
    uint32_t uid;
    struct mapi_send send;
    uint64_t to; /* the folder it is filed in */
    bool remove; /* or it is not kept */
    struct uidset uids;
    union {
        struct store_set_flags flags;
        struct store_copy copy;
        struct store_delete_messages remove;
    } op;
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

static uint32_t gather_recipients(struct submitting *st, const struct store_content *content)
{
    struct rop_call *call = st->call;
    struct slice *list = arena_array(call->arena, content->n_recipients + 1, sizeof *list);

    if (content->n_recipients == 0)
        return EC_NO_RECIPIENTS;
    if (content->n_recipients > SUBMIT_MAX_RECIPIENTS)
        return EC_TOO_MANY_RECIPIENTS;
    for (size_t i = 0; i < content->n_recipients; i++) {
        struct slice address = address_of(call, &content->recipients[i]);

        if (!is_address(address))
            return EC_UNKNOWN_USER;
        list[i] = arena_slice(call->arena, address);
    }
    st->send.recipients = list;
    st->send.n_recipients = content->n_recipients;
    return EC_SUCCESS;
}

/* Whoever it says it is from must be who sends it. */
static uint32_t check_sender(struct submitting *st, struct store_object *object)
{
    struct rop_call *call = st->call;
    struct mapi_person own, named;
    struct store_prop prop;
    struct slice from = SLICE_EMPTY;

    if (failed(mapi_find_person(call->mapi, slice_str(call->logon->identity), call->arena, &own)) ||
        !is_address(own.address))
        return EC_SEND_AS_DENIED;
    st->send.sender = own.address;
    if (!failed(store_object_get(object, PR_SENT_REPRESENTING_SMTP, &prop)) ||
        !failed(store_object_get(object, PR_SENT_REPRESENTING_EMAIL, &prop)))
        from = prop.value.bytes;
    if (from.len == 0 || slice_ieq(from, own.address))
        return EC_SUCCESS;
    struct slice identity = mapi_dn_identity(from);
    struct err e =
        mapi_find_person(call->mapi, identity.len ? identity : from, call->arena, &named);
    return !failed(e) && named.mailbox_id == own.mailbox_id ? EC_SUCCESS : EC_SEND_AS_DENIED;
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
        st->send.bytes = bytes_to_send(st->call->arena, whole, meta.header_len);
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

    st->remove =
        !failed(store_object_get(object, PR_DELETE_AFTER_SUBMIT, &prop)) && prop.value.number;
    bool named = (!failed(store_object_get(object, PR_SENTMAIL_SERVER_ID, &prop)) &&
                  fid_of_server_id(prop.value.bytes, &fid)) ||
                 (!failed(store_object_get(object, PR_SENTMAIL_ENTRY_ID, &prop)) &&
                  fid_of_entry_id(st->call->logon, prop.value.bytes, &fid));
    if (named && !failed(store_folder_get(rd, fid, &folder)) && folder.shadow == SHADOW_NONE &&
        !folder.search) {
        st->to = fid;
        return OK;
    }
    struct err e = store_folder_special(rd, SPECIAL_SENT, &folder);
    if (!failed(e))
        st->to = folder.fid;
    return e;
}

/* ---- filing ---- */

static uint32_t finish(struct submitting *st, struct err e)
{
    uidset_done(&st->uids);
    return mapi_ec_of(e);
}

/* What was sent was sent: that it could not be filed does not undo it. */
static uint32_t on_moved(struct rop_call *call, struct store_op *op)
{
    struct submitting *st = call->state;

    (void)op;
    uidset_done(&st->op.copy.source);
    return finish(st, OK);
}

static uint32_t on_removed(struct rop_call *call, struct store_op *op)
{
    (void)op;
    return finish(call->state, OK);
}

static uint32_t put_away(struct rop_call *call, struct store_op *op)
{
    struct submitting *st = call->state;

    (void)op;
    uidset_done(&st->op.flags.changed);
    uidset_done(&st->op.flags.modified);
    if (st->remove) {
        struct store_delete_messages *rq = &st->op.remove;

        store_delete_messages_init(rq);
        rq->fid = st->fid;
        rq->mids = &st->mid;
        rq->n = 1;
        rq->hard = true;
        return rop_submit(call, call->logon->mailbox, &rq->op, on_removed);
    }
    if (st->to == st->fid)
        return finish(st, OK);
    store_copy_init(&st->op.copy);
    st->op.copy.from = st->fid;
    st->op.copy.to = st->to;
    st->op.copy.uids = st->uids;
    st->op.copy.move = true;
    return rop_submit(call, call->logon->mailbox, &st->op.copy.op, on_moved);
}

static uint32_t set_flags(struct submitting *st, enum store_flags_how how, uint16_t flags,
                          uint32_t (*then)(struct rop_call *call, struct store_op *op))
{
    struct store_set_flags *rq = &st->op.flags;

    store_set_flags_init(rq);
    rq->fid = st->fid;
    rq->uids = st->uids;
    rq->how = how;
    rq->flags = flags;
    return rop_submit(st->call, st->call->logon->mailbox, &rq->op, then);
}

static uint32_t no_draft(struct rop_call *call, struct store_op *op)
{
    struct submitting *st = call->state;

    (void)op;
    uidset_done(&st->op.flags.changed);
    uidset_done(&st->op.flags.modified);
    return set_flags(st, FLAGS_REMOVE, FLAG_DRAFT, put_away);
}

static uint32_t file(struct submitting *st)
{
    uidset_add(&st->uids, st->uid, st->uid);
    return set_flags(st, FLAGS_ADD, FLAG_SEEN, no_draft);
}

/* ---- sending ---- */

/* It goes no further than this server, and a recipient is nobody here. */
static uint32_t refusal(struct err e)
{
    return e.code == ERR_NOT_FOUND ? EC_NO_RECIPIENTS : mapi_ec_of(e);
}

static void on_sent(struct mapi_send *send)
{
    struct submitting *st = send->owner;

    rop_resume(st->call, failed(send->err) ? refusal(send->err) : file(st));
}

static uint32_t gather_all(struct submitting *st, struct store_read *rd, bool sends)
{
    struct store_object *object;
    struct store_content content;
    struct message_row row;

    struct err e = store_message_by_mid(rd, st->mid, &st->fid, &st->uid);
    if (!failed(e))
        e = store_message(rd, st->fid, st->uid, &row);
    if (!failed(e))
        e = store_object_open_row(rd, st->fid, &row, st->call->arena, &object);
    if (!failed(e))
        e = choose_folder(st, rd, object);
    if (failed(e) || !sends)
        return mapi_ec_of(e);
    e = store_object_content(object, &content);
    uint32_t ec = failed(e) ? mapi_ec_of(e) : gather_recipients(st, &content);
    if (!ec)
        ec = check_sender(st, object);
    return ec ? ec : mapi_ec_of(gather_bytes(st, rd, &row));
}

static uint32_t gather(struct rop_call *call, uint64_t mid, bool sends)
{
    struct submitting *st = arena_alloc(call->arena, sizeof *st);
    struct store_read *rd;

    st->call = call;
    st->mid = mid;
    call->state = st;
    uint32_t ec = rop_read(call, &rd);
    if (ec)
        return ec;
    ec = gather_all(st, rd, sends);
    store_read_end(rd);
    return ec;
}

uint32_t mapi_submit(struct rop_call *call, uint64_t mid)
{
    struct mapi_transport *transport = call->mapi->config.transport;

    if (!call->logon->owner)
        return EC_ACCESS_DENIED;
    if (!transport)
        return EC_NOT_SUPPORTED;
    uint32_t ec = gather(call, mid, true);
    if (ec)
        return ec;
    struct submitting *st = call->state;
    st->send.home = call->home;
    st->send.done = on_sent;
    st->send.owner = st;
    transport->send(transport, &st->send);
    return ROP_PENDING;
}

uint32_t mapi_submit_file(struct rop_call *call, uint64_t mid)
{
    if (!call->logon->owner)
        return EC_ACCESS_DENIED;
    uint32_t ec = gather(call, mid, false);

    return ec ? ec : file(call->state);
}
