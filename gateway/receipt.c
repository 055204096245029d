/* receipt.c - which messages want a receipt, and the receipt. */
#include "gateway/receipt.h"

#include "base/clock.h"
#include "gateway/notice.h"
#include "store/mime/mime.h"
#include "store/property.h"
#include "store/queue.h"

/* What a receipt is made of; all in the arena. */
struct wish {
    uint64_t mid;
    struct slice to, header, subject, id;
    bool displayed; /* or deleted unread */
};

/* ---- who wants one ---- */

static bool get(struct store_object *object, uint32_t tag, struct store_prop *out)
{
    return !failed(store_object_get(object, tag, out));
}

/* Nothing in it ends a field or a command, or begins another. */
static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] == 0x7F || strchr("<>()[]:;,\\\"", text.ptr[i]))
            return false;
    return text.len > 0;
}

/* One address: of several nobody could say who is meant (RFC 8098 2.1). */
static bool take_address(struct slice header, struct arena *in, struct slice *out)
{
    struct mime_address *all;
    struct mime_field field;
    struct buf made = buf_make(QUEUE_ADDRESS_MAX);
    size_t n;

    if (!mime_get_field(header, S("Disposition-Notification-To"), &field))
        return false;
    mime_addresses(field.value, in, &all, &n);
    if (n != 1 || !is_plain(all[0].mailbox) || !is_plain(all[0].host))
        return false;
    buf_printf(&made, "%.*s@%.*s", SLICE_ARG(all[0].mailbox), SLICE_ARG(all[0].host));
    bool good = !made.failed;
    *out = good ? arena_slice(in, buf_slice(&made)) : SLICE_EMPTY;
    buf_done(&made);
    return good;
}

/* One line of what somebody else wrote, as long as lines may be (RFC 5322 2.1.1). */
static struct slice line_of(struct slice header, struct slice name, struct arena *in)
{
    enum { MOST = 700 };
    struct buf made = buf_make(MOST);
    struct mime_field field;

    if (!mime_get_field(header, name, &field))
        return SLICE_EMPTY;
    struct slice value = slice_head(slice_trim(field.value), MOST);
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] != '\r' && value.ptr[i] != '\n')
            buf_putc(&made, value.ptr[i] < ' ' || value.ptr[i] == 0x7F ? ' ' : value.ptr[i]);
    value = arena_slice(in, slice_trim(buf_slice(&made)));
    buf_done(&made);
    return value;
}

/*
 * Is a receipt for it pending? Not for what was made here: a copy in Sent Items asks for one too.
 * Reports are not answered with reports (RFC 8098 2.1).
 */
static bool is_pending(struct store_read *rd, const struct mapi_mail *rq, uint32_t uid,
                       struct arena *in, struct store_object **out)
{
    const uint16_t none = rq->task == MAPI_MAIL_UNREAD ? FLAG_DRAFT | FLAG_SEEN : FLAG_DRAFT;
    struct message_row row;
    struct store_prop wanted, class;

    return !failed(store_message(rd, rq->fid, uid, &row)) && !(row.flags & none) &&
           !failed(store_object_open_row(rd, rq->fid, &row, in, out)) &&
           !store_object_is_own(*out) && get(*out, PR_READ_RECEIPT_REQUESTED, &wanted) &&
           wanted.value.number &&
           !(get(*out, PR_MESSAGE_CLASS, &class) && slice_istarts(class.value.bytes, S("REPORT.")));
}

static bool find_wish(struct store_read *rd, const struct mapi_mail *rq, uint32_t uid,
                      struct arena *in, struct wish *out)
{
    struct store_object *object;
    struct message_meta meta;
    struct slice header;

    if (!is_pending(rd, rq, uid, in, &object))
        return false;
    const struct message_row *row = store_object_row(object);
    if (failed(store_message_meta(rd, row, &meta)) ||
        failed(store_message_bytes(rd, row, 0, meta.header_len, in, &header)))
        return false;
    *out = (struct wish){
        .mid = row->mid,
        .displayed = rq->task != MAPI_MAIL_UNREAD,
        .header = arena_slice(in, header),
        .subject = line_of(header, S("Subject"), in),
        .id = line_of(header, S("Message-ID"), in),
    };
    return take_address(header, in, &out->to);
}

/* ---- what they get ---- */

/* The client asks for it, on its user's behalf: sent, and done, by hand (RFC 8098 3.2.6). */
static void put_receipt(const struct wish *wish, struct slice from, const char *host_name,
                        uint64_t now, struct buf *out)
{
    const struct notice n = {
        .kind = "receipt",
        .number = wish->mid,
        .now = now,
        .host_name = host_name,
        .report_type = "disposition-notification",
        .to = wish->to,
        .prefix = wish->displayed ? "Read: " : "Not read: ",
        .subject = wish->subject,
        .about_id = wish->id,
    };

    buf_printf(out, "From: <%.*s>\r\n", SLICE_ARG(from));
    notice_put_head(&n, out);
    notice_put_part(&n, "text/plain; charset=utf-8", out);
    if (wish->displayed)
        buf_printf(out,
                   "Your message was displayed to %.*s. Whether it was read or understood\r\n"
                   "nobody can say.\r\n",
                   SLICE_ARG(from));
    else
        buf_printf(out, "Your message to %.*s was deleted without being read.\r\n",
                   SLICE_ARG(from));
    notice_put_part(&n, "message/disposition-notification", out);
    buf_printf(out, "Reporting-UA: %s; Gatepost\r\nFinal-Recipient: %s;%.*s\r\n", host_name,
               slice_is_ascii(from) ? "rfc822" : "utf-8", SLICE_ARG(from));
    if (wish->id.len)
        buf_printf(out, "Original-Message-ID: %.*s\r\n", SLICE_ARG(wish->id));
    buf_printf(out, "Disposition: manual-action/MDN-sent-manually; %s\r\n",
               wish->displayed ? "displayed" : "deleted");
    notice_put_original(&n, wish->header, out);
}

/* ---- one message ---- */

/* False: somebody else did it. */
static struct err settle(struct mailbox *mailbox, uint64_t mid, bool *ours)
{
    struct store_prop_change change = {.prop = {.tag = PR_READ_RECEIPT_REQUESTED}};
    struct store_set_props rq;

    store_set_props_init(&rq);
    rq.id = mid;
    rq.changes = &change;
    rq.n = 1;
    struct err e = store_run(mailbox, &rq.op);
    *ours = !failed(e) && rq.changed;
    return e.code == ERR_NOT_FOUND ? OK : e;
}

static struct err send_receipt(struct store *store, struct mapi_directory *directory,
                               const char *host_name, const struct mapi_mail *rq,
                               const struct wish *wish, struct arena *in)
{
    struct buf text = buf_make(SIZE_MAX);
    struct queue_recipient to = {.address = wish->to};
    struct store_prepared *prepared;
    struct mapi_person own;
    uint64_t now = clock_now().wall;

    struct err e = directory->find(directory, rq->identity, in, &own);
    if (!failed(e)) {
        put_receipt(wish, own.address, host_name, now, &text);
        e = store_prepare_bytes(store, SLICE_EMPTY, buf_slice(&text), &prepared);
    }
    buf_done(&text);
    if (failed(e))
        return e;
    struct queue_entry entry = {
        .owner = rq->identity,
        .mailbox_id = rq->mailbox_id,
        .created = now,
        .since = now,
        .due = now,
        .recipients = &to,
        .n_recipients = 1,
    };
    e = store_queue_add(store, &entry, prepared);
    store_prepared_free(prepared);
    return e;
}

static struct err run_one(struct store *store, struct mapi_directory *directory,
                          const char *host_name, const struct mapi_mail *rq,
                          struct mailbox *mailbox, uint32_t uid)
{
    struct arena arena = ARENA_INIT;
    struct store_read *rd;
    struct wish wish;
    bool ours = false;

    struct err e = store_read_begin(mailbox, &rd);
    if (!failed(e)) {
        bool wanted = find_wish(rd, rq, uid, &arena, &wish);

        store_read_end(rd);
        if (wanted)
            e = settle(mailbox, wish.mid, &ours);
    }
    if (ours && rq->task != MAPI_MAIL_NO_RECEIPTS)
        e = send_receipt(store, directory, host_name, rq, &wish, &arena);
    arena_done(&arena);
    return e;
}

struct err receipts_run(struct store *store, struct mapi_directory *directory,
                        const char *host_name, const struct mapi_mail *rq, uint32_t from,
                        uint32_t *next)
{
    struct mailbox *mailbox;
    uint32_t uid = from, n = 0;
    struct err e = store_mailbox_open_now(store, rq->mailbox_id, &mailbox);

    if (failed(e))
        return e;
    *next = 0;
    for (; !failed(e) && uidset_next(rq->uids, uid, &uid); uid++) {
        if (n++ == RECEIPTS_AT_ONCE) {
            *next = uid;
            break;
        }
        e = run_one(store, directory, host_name, rq, mailbox, uid);
    }
    mailbox_close(mailbox);
    return e;
}
