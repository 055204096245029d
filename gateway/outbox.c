/* outbox.c - messages of the queue in their senders' mailboxes. */
#include "gateway/outbox.h"

#include "store/property.h"

enum { IS_READ = 0x1, IS_SUBMITTED = 0x4, IS_UNSENT = 0x8 }; /* [MS-OXCMSG] 2.2.1.6 */

struct found {
    struct mailbox *mailbox;
    uint32_t uid;
    int64_t flags; /* PidTagMessageFlags */
};

static struct err look(struct store_read *rd, const struct queue_entry *entry, struct found *out)
{
    struct arena arena = ARENA_INIT;
    struct store_object *object;
    struct store_prop prop;
    struct message_row row;
    uint64_t fid;

    struct err e = store_message_by_mid(rd, entry->mid, &fid, &out->uid);
    if (!failed(e) && fid != entry->fid)
        e = ERR(ERR_NOT_FOUND, "the message is elsewhere");
    if (!failed(e))
        e = store_message(rd, fid, out->uid, &row);
    if (!failed(e))
        e = store_object_open_row(rd, fid, &row, &arena, &object);
    if (!failed(e))
        e = store_object_get(object, PR_MESSAGE_FLAGS, &prop);
    if (!failed(e))
        out->flags = prop.value.number;
    arena_done(&arena);
    return e;
}

/* mailbox_close() what it finds. ERR_NOT_FOUND: it is not where it was. */
static struct err find(struct store *store, const struct queue_entry *entry, struct found *out)
{
    struct store_read *rd;
    struct err e = store_mailbox_open_now(store, entry->mailbox_id, &out->mailbox);

    if (failed(e))
        return e;
    e = store_read_begin(out->mailbox, &rd);
    if (!failed(e)) {
        e = look(rd, entry, out);
        store_read_end(rd);
    }
    if (failed(e))
        mailbox_close(out->mailbox);
    return e;
}

struct err outbox_has(struct store *store, const struct queue_entry *entry, bool *has)
{
    struct found found;
    struct err e = find(store, entry, &found);

    *has = !failed(e);
    if (!failed(e))
        mailbox_close(found.mailbox);
    return e.code == ERR_NOT_FOUND ? OK : e;
}

static struct err set_flags(const struct found *found, uint64_t mid, int64_t flags)
{
    struct store_prop_change change = {.prop = {.tag = PR_MESSAGE_FLAGS, .value.number = flags}};
    struct store_set_props rq;

    if (flags == found->flags)
        return OK;
    store_set_props_init(&rq);
    rq.id = mid;
    rq.changes = &change;
    rq.n = 1;
    return store_run(found->mailbox, &rq.op);
}

struct err outbox_mark(struct store *store, const struct queue_entry *entry, bool on)
{
    struct found found;
    struct err e = find(store, entry, &found);

    if (failed(e))
        return e;
    e = set_flags(&found, entry->mid,
                  on ? found.flags | IS_SUBMITTED : found.flags & ~(int64_t)IS_SUBMITTED);
    mailbox_close(found.mailbox);
    return e;
}

/* ---- filing ---- */

static struct err remove_it(const struct found *found, const struct queue_entry *entry)
{
    struct store_delete_messages rq;

    store_delete_messages_init(&rq);
    rq.fid = entry->fid;
    rq.mids = &entry->mid;
    rq.n = 1;
    rq.hard = true;
    return store_run(found->mailbox, &rq.op);
}

static struct err move_it(const struct found *found, const struct queue_entry *entry, uint64_t to)
{
    struct store_copy rq;

    store_copy_init(&rq);
    rq.from = entry->fid;
    rq.to = to;
    rq.move = true;
    uidset_add(&rq.uids, found->uid, found->uid);
    struct err e = store_run(found->mailbox, &rq.op);
    uidset_done(&rq.uids);
    uidset_done(&rq.source);
    return e;
}

static struct err put_away(const struct found *found, const struct queue_entry *entry)
{
    uint64_t sent;

    if (entry->to == 0)
        return remove_it(found, entry);
    if (entry->to == entry->fid)
        return OK;
    struct err e = move_it(found, entry, entry->to);
    if (e.code != ERR_NOT_FOUND)
        return e;
    e = store_special_fid(found->mailbox, SPECIAL_SENT, &sent);
    return failed(e) ? e : move_it(found, entry, sent);
}

struct err outbox_file(struct store *store, const struct queue_entry *entry)
{
    struct found found;
    struct err e = find(store, entry, &found);

    if (failed(e))
        return e.code == ERR_NOT_FOUND ? OK : e;
    e = set_flags(&found, entry->mid,
                  (found.flags | IS_READ) & ~(int64_t)(IS_UNSENT | IS_SUBMITTED));
    if (!failed(e))
        e = put_away(&found, entry);
    mailbox_close(found.mailbox);
    return e;
}
