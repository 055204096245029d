/* rop_transport.c - operations on the way of mail: [MS-OXOMSG]. */
#include <openssl/rand.h>

#include "protocols/mapi/context.h"
#include "protocols/mapi/message_int.h"
#include "protocols/mapi/submit.h"

enum lock_state { LOCK_HELD = 0, LOCK_FREE = 1, LOCK_FINISHED = 2 }; /* 2.2.3.5.1 */

/* ---- submitting (3.2.5.1, 3.2.5.6) ---- */

enum {
    DEFAULTS = 12,
    PR_SPAM_CONFIDENCE = 0x40760003, /* PidTagContentFilterSpamConfidenceLevel */
};

struct defaults {
    struct rop_call *call;
    struct store_read *rd;
    struct mapi_object *message;
    struct store_prop_change items[DEFAULTS];
    size_t n;
};

static void set_text(struct defaults *d, uint32_t tag, struct slice text)
{
    d->items[d->n++] = (struct store_prop_change){.prop = {.tag = tag, .value = {.bytes = text}}};
}

/* Set it where the message has none. */
static void add_text(struct defaults *d, uint32_t tag, struct slice text)
{
    struct store_prop old;

    if (mapi_message_get(d->call, d->rd, d->message, tag, &old) != EC_SUCCESS)
        set_text(d, tag, text);
}

static struct slice new_message_id(struct rop_call *call, struct slice address)
{
    struct slice domain = slice_from(address, slice_index(address, '@'));
    char text[400];
    uint64_t random[2];

    if (RAND_bytes((unsigned char *)random, sizeof random) != 1)
        return SLICE_EMPTY;
    snprintf(text, sizeof text, "<%016llx%016llx%.*s>", (unsigned long long)random[0],
             (unsigned long long)random[1], SLICE_ARG(slice_head(domain, 320)));
    return arena_slice(call->arena, slice_str(text));
}

/* Who sends it, when, and its name among all messages. */
static uint32_t set_defaults(struct rop_call *call)
{
    struct defaults d = {.call = call, .message = call->object};
    struct mapi_person own;

    if (failed(mapi_find_person(call->mapi, slice_str(call->logon->identity), call->arena, &own)))
        return EC_SEND_AS_DENIED;
    uint32_t ec = rop_read(call, &d.rd);
    if (ec)
        return ec;
    add_text(&d, PR_SENT_REPRESENTING_NAME, own.display_name);
    add_text(&d, PR_SENT_REPRESENTING_ADDRESS_TYPE, S("SMTP"));
    add_text(&d, PR_SENT_REPRESENTING_EMAIL, own.address);
    add_text(&d, PR_SENT_REPRESENTING_SMTP, own.address);
    set_text(&d, PR_SENDER_NAME, own.display_name); /* whatever the client says */
    set_text(&d, PR_SENDER_ADDRESS_TYPE, S("SMTP"));
    set_text(&d, PR_SENDER_EMAIL, own.address);
    set_text(&d, PR_SENDER_SMTP_ADDRESS, own.address);
    add_text(&d, PR_INTERNET_MESSAGE_ID, new_message_id(call, own.address));
    d.items[d.n++] = (struct store_prop_change){
        .prop = {.tag = PR_CLIENT_SUBMIT_TIME, .value = {.time = call->now}}};
    d.items[d.n++] =
        (struct store_prop_change){.prop = {.tag = PR_SPAM_CONFIDENCE, .value = {.number = -1}}};
    ec = mapi_message_change(call, d.rd, call->object, d.items, d.n);
    store_read_end(d.rd);
    return ec;
}

static uint32_t on_saved(struct rop_call *call, uint32_t ec)
{
    return ec ? ec : mapi_submit(call, message_of(call->object)->mid);
}

static uint32_t submit_message(struct rop_call *call)
{
    struct mapi_message *message = message_of(call->object);

    if (message->inside || message->associated)
        return EC_NOT_SUPPORTED;
    if (!call->logon->owner)
        return EC_ACCESS_DENIED;
    uint32_t ec = set_defaults(call);
    return ec ? ec : message_save(call, message, false, on_saved);
}

static uint32_t transport_send(struct rop_call *call)
{
    struct rop_transport_send_reply *reply = call->reply;

    reply->none = true;
    return submit_message(call);
}

/* ---- of messages that are stored ---- */

static uint32_t find_message(struct rop_call *call, uint64_t wire_id, uint64_t *mid)
{
    struct store_read *rd;
    uint64_t fid;
    uint32_t uid;

    uint32_t ec = rop_counter(wire_id, mid);
    if (!ec)
        ec = rop_read(call, &rd);
    if (ec)
        return ec;
    ec = mapi_ec_of(store_message_by_mid(rd, *mid, &fid, &uid));
    store_read_end(rd);
    return ec;
}

static uint32_t abort_submit(struct rop_call *call)
{
    const struct rop_abort_submit *rq = call->fields;
    uint64_t mid;
    uint32_t ec = find_message(call, rq->message, &mid);

    return ec ? ec : mapi_submit_task(call, mid, MAPI_MAIL_ABORT);
}

static uint32_t lock_message(struct rop_call *call)
{
    const struct rop_lock_message *rq = call->fields;
    uint64_t mid;

    if (rq->state > LOCK_FINISHED)
        return EC_INVALID_PARAMETER;
    uint32_t ec = find_message(call, rq->message, &mid);
    if (ec)
        return ec;
    if (rq->state == LOCK_FINISHED)
        return mapi_submit_file(call, mid);
    return mapi_submit_task(call, mid, rq->state == LOCK_HELD ? MAPI_MAIL_LOCK : MAPI_MAIL_UNLOCK);
}

/* Mail comes by delivery, which tells of it itself (3.2.5.7). */
static uint32_t transport_new_mail(struct rop_call *call)
{
    const struct rop_transport_new_mail *rq = call->fields;
    uint64_t mid;

    return find_message(call, rq->message, &mid);
}

/* ---- what there is ---- */

static uint32_t get_address_types(struct rop_call *call)
{
    static const struct slice types[] = {{(const uint8_t *)"EX", 2}, {(const uint8_t *)"SMTP", 4}};
    struct rop_get_address_types_reply *reply = call->reply;

    reply->types = (struct rop_texts){2, types};
    return EC_SUCCESS;
}

/* The client may be its own spooler; mail is sent by the server all the same. */
static uint32_t set_spooler(struct rop_call *call)
{
    (void)call;
    return EC_SUCCESS;
}

static uint32_t get_transport_folder(struct rop_call *call)
{
    struct rop_get_transport_folder_reply *reply = call->reply;
    struct store_folder outbox;
    struct store_read *rd;

    uint32_t ec = rop_read(call, &rd);
    if (ec)
        return ec;
    ec = mapi_ec_of(store_folder_special(rd, SPECIAL_OUTBOX, &outbox));
    if (!ec)
        reply->folder = mapi_id(outbox.fid);
    store_read_end(rd);
    return ec;
}

/* There are no options, and so no help with them (2.2.3.9). */
static uint32_t options_data(struct rop_call *call)
{
    struct rop_options_data_reply *reply = call->reply;

    reply->reserved = 1;
    return EC_SUCCESS;
}

#define ON_LOGON MAPI_LOGON, 0, EC_NOT_SUPPORTED, 0
#define ON_MESSAGE MAPI_MESSAGE, 0, EC_NOT_SUPPORTED, 0

/* clang-format off */
const struct rop_handler mapi_transport_handlers[] = {
    {ROP_SubmitMessage,      ON_MESSAGE, submit_message},
    {ROP_TransportSend,      ON_MESSAGE, transport_send},
    {ROP_AbortSubmit,        ON_LOGON,   abort_submit},
    {ROP_GetAddressTypes,    ON_LOGON,   get_address_types},
    {ROP_SetSpooler,         ON_LOGON,   set_spooler},
    {ROP_SpoolerLockMessage, ON_LOGON,   lock_message},
    {ROP_TransportNewMail,   ON_LOGON,   transport_new_mail},
    {ROP_GetTransportFolder, ON_LOGON,   get_transport_folder},
    {ROP_OptionsData,        ON_LOGON,   options_data},
    {.run = NULL},
};
/* clang-format on */
