/*
 * test_mapi_notify.c - notifications as a client sees them: the bytes of [MS-OXCNOTIF] 2.2.1.4.1.2,
 * and when there is something to wait for.
 */
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "protocols/mapi/notification.h"
#include "tests/support/mapi.h"

static const char mail[] = "From: a@example.org\r\nSubject: x\r\n\r\ny\r\n";

struct world {
    struct mapi_bed *bed;
    struct buf want;
};

static int setup_with(void **state, const struct store_config *config)
{
    struct world *w = mem_new(sizeof *w);

    w->bed = config ? mapi_bed_new_with(config) : mapi_bed_new();
    w->want = buf_make(1 << 20);
    mapi_bed_logon(w->bed);
    *state = w;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, NULL);
}

static int setup_short_log(void **state)
{
    return setup_with(state,
                      &(struct store_config){.max_log = 10, .map_bytes = 1 << 28, .create = true});
}

static int teardown(void **state)
{
    struct world *w = *state;

    mapi_bed_free(w->bed);
    buf_done(&w->want);
    free(w);
    return 0;
}

/* ---- what is wanted ---- */

/* Fields behind RopId and NotificationHandle (of the subscription in that slot), LogonId 0. */
static void want(struct world *w, unsigned slot, const char *fields, ...)
{
    va_list args;

    wire_put_u8(&w->want, 0x2A);
    wire_put_u32(&w->want, w->bed->handles[slot]);
    wire_put_u8(&w->want, 0);
    va_start(args, fields);
    for (; *fields; fields++) {
        if (*fields == '2')
            wire_put_u16(&w->want, (uint16_t)va_arg(args, unsigned));
        else if (*fields == '4')
            wire_put_u32(&w->want, va_arg(args, unsigned));
        else if (*fields == '1')
            wire_put_u8(&w->want, (uint8_t)va_arg(args, unsigned));
        else
            wire_put_u64(&w->want, va_arg(args, uint64_t));
    }
    va_end(args);
}

static void assert_slice_eq(struct slice got, struct slice wanted)
{
    struct buf a = buf_make(1 << 20), b = buf_make(1 << 20);

    for (size_t i = 0; i < got.len; i++)
        buf_printf(&a, "%02x", got.ptr[i]);
    for (size_t i = 0; i < wanted.len; i++)
        buf_printf(&b, "%02x", wanted.ptr[i]);
    buf_putc(&b, 0);
    assert_slice(buf_slice(&a), (const char *)buf_slice(&b).ptr);
    buf_done(&a);
    buf_done(&b);
}

/* An Execute without ROPs is answered with just what is wanted. */
static void assert_told(struct world *w)
{
    mapi_run(w->bed);
    assert_slice_eq(w->bed->rest, buf_slice(&w->want));
    buf_clear(&w->want);
}

static void subscribe(struct world *w, uint8_t slot, uint16_t events, uint64_t fid, uint64_t mid)
{
    struct rop_register_notification rq = {
        .events = events, .whole = fid == 0, .folder = fid, .message = mid};

    assert_int_equal(mapi_do(w->bed, ROP_RegisterNotification, 0, slot, &rq, NULL), EC_SUCCESS);
}

static bool is_pending(struct world *w)
{
    struct mapi_context *context = w->bed->context;

    pthread_mutex_lock(&context->mutex);
    bool pending = mapi_notify_is_pending(context);
    pthread_mutex_unlock(&context->mutex);
    return pending;
}

/* ---- what others do to the mailbox ---- */

static void deliver_mail(struct world *w)
{
    struct store_spool *spool = store_spool_new(w->bed->fx->store);
    struct store_new_message message = {.internaldate = clock_now().wall};
    struct store_append rq;

    assert_ok(store_spool_put(spool, slice_str(mail)));
    assert_ok(store_prepare(w->bed->fx->store, spool, &message.prepared));
    store_append_init(&rq);
    rq.fid = fixture_inbox(w->bed->mailbox);
    rq.messages = &message;
    rq.n = 1;
    rq.delivered = true;
    assert_ok(store_run(w->bed->mailbox, &rq.op));
    store_prepared_free(message.prepared);
}

static uint64_t mid_of(struct world *w, uint64_t fid, uint32_t uid)
{
    struct message_row row;
    struct store_read *rd;

    assert_ok(store_read_begin(w->bed->mailbox, &rd));
    assert_ok(store_message(rd, fid, uid, &row));
    store_read_end(rd);
    return mapi_id(row.mid);
}

static void set_flags(struct world *w, uint32_t uid, uint16_t flags)
{
    struct store_set_flags rq;

    store_set_flags_init(&rq);
    rq.fid = fixture_inbox(w->bed->mailbox);
    uidset_add(&rq.uids, uid, uid);
    rq.how = FLAGS_ADD;
    rq.flags = flags;
    assert_ok(store_run(w->bed->mailbox, &rq.op));
    uidset_done(&rq.uids);
    uidset_done(&rq.changed);
    uidset_done(&rq.modified);
}

static void copy(struct world *w, uint64_t to, uint32_t uid, bool move)
{
    struct store_copy rq;

    store_copy_init(&rq);
    rq.from = fixture_inbox(w->bed->mailbox);
    rq.to = to;
    rq.move = move;
    uidset_add(&rq.uids, uid, uid);
    assert_ok(store_run(w->bed->mailbox, &rq.op));
    uidset_done(&rq.uids);
    uidset_done(&rq.source);
}

static uint64_t create(struct world *w, uint64_t parent, const char *name)
{
    struct store_folder_create rq;

    store_folder_create_init(&rq);
    rq.parent = parent;
    rq.path = slice_str(name);
    assert_ok(store_run(w->bed->mailbox, &rq.op));
    return rq.fid;
}

static void move_folder(struct world *w, uint64_t fid, uint64_t parent, const char *name)
{
    struct store_folder_move rq;

    store_folder_move_init(&rq);
    rq.fid = fid;
    rq.parent = parent;
    rq.name = slice_str(name);
    assert_ok(store_run(w->bed->mailbox, &rq.op));
}

static uint64_t copy_folder(struct world *w, uint64_t fid, uint64_t parent, const char *name)
{
    struct store_folder_copy rq;

    store_folder_copy_init(&rq);
    rq.fid = fid;
    rq.parent = parent;
    rq.name = slice_str(name);
    assert_ok(store_run(w->bed->mailbox, &rq.op));
    return rq.copy;
}

static void remove_folder(struct world *w, uint64_t fid)
{
    struct store_folder_remove rq;

    store_folder_remove_init(&rq);
    rq.fid = fid;
    rq.hard = true;
    assert_ok(store_run(w->bed->mailbox, &rq.op));
}

/* ---- kinds of events ---- */

enum { EVERYTHING = 0x007E, ALL = 1 };

/* 2.2.1.1: a message is created, and where it was delivered it is new mail, too. */
static void new_mail_is_told(void **state)
{
    struct world *w = *state;
    uint64_t inbox = w->bed->inbox, mid;

    subscribe(w, ALL, EVERYTHING, 0, 0);
    assert_told(w);
    deliver_mail(w);
    mid = mid_of(w, fixture_inbox(w->bed->mailbox), 1);
    want(w, ALL, "2882", 0x8004, inbox, mid, 0);
    want(w, ALL, "28841111111111", 0x8002, inbox, mid, 0x2002, 0, 'I', 'P', 'M', '.', 'N', 'o', 't',
         'e', 0);
    want(w, ALL, "28244", 0x3010, inbox, 0, 1, 1);
    assert_told(w);
    assert_told(w); /* once */
}

/* What its owner puts there, by IMAP or MAPI, is not new mail. */
static void what_is_not_delivered_is_only_created(void **state)
{
    struct world *w = *state;

    subscribe(w, ALL, 0x0002, 0, 0);
    subscribe(w, 2, 0x0004, 0, 0);
    uint64_t mid = mapi_bed_deliver(w->bed, mail);
    want(w, 2, "2882", 0x8004, w->bed->inbox, mid, 0);
    assert_told(w);
}

static void messages_that_change_are_told(void **state)
{
    struct world *w = *state;
    uint64_t inbox = w->bed->inbox, mid = mapi_bed_deliver(w->bed, mail);

    subscribe(w, ALL, EVERYTHING, 0, 0);
    set_flags(w, 1, FLAG_FLAGGED);
    want(w, ALL, "2882", 0x8010, inbox, mid, 0);
    assert_told(w);
    set_flags(w, 1, FLAG_SEEN); /* the folder has an unread message less */
    want(w, ALL, "2882", 0x8010, inbox, mid, 0);
    want(w, ALL, "2824", 0x2010, inbox, 0, 0);
    assert_told(w);
    fixture_expunge(w->bed->fx, FIXTURE_ALICE, 1, 1);
    want(w, ALL, "288", 0x8008, inbox, mid);
    want(w, ALL, "28244", 0x3010, inbox, 0, 0, 0);
    assert_told(w);
}

static void copies_and_moves_say_where_from(void **state)
{
    struct world *w = *state;
    uint64_t inbox = w->bed->inbox, mid = mapi_bed_deliver(w->bed, mail);
    uint64_t to = create(w, fixture_inbox(w->bed->mailbox), "to");

    subscribe(w, ALL, EVERYTHING, 0, 0);
    copy(w, to, 1, false);
    want(w, ALL, "28888", 0x8040, mapi_id(to), mid_of(w, to, 1), inbox, mid);
    want(w, ALL, "28244", 0x3010, mapi_id(to), 0, 1, 1);
    assert_told(w);
    copy(w, to, 1, true);
    want(w, ALL, "28888", 0x8020, mapi_id(to), mid_of(w, to, 2), inbox, mid);
    want(w, ALL, "28244", 0x3010, mapi_id(to), 0, 2, 2);
    want(w, ALL, "28244", 0x3010, inbox, 0, 0, 0);
    assert_told(w);
}

static void folders_are_told(void **state)
{
    struct world *w = *state;
    uint64_t inbox = w->bed->inbox, in = fixture_inbox(w->bed->mailbox);
    uint64_t top = w->bed->folders[3], a, copied;

    subscribe(w, ALL, EVERYTHING, 0, 0);
    a = create(w, in, "a");
    want(w, ALL, "2882", 0x0004, mapi_id(a), inbox, 0);
    assert_told(w);
    move_folder(w, a, in, "b");
    want(w, ALL, "282", 0x0010, mapi_id(a), 0);
    assert_told(w);
    move_folder(w, a, SPECIAL_IPM_SUBTREE, "");
    want(w, ALL, "28888", 0x0020, mapi_id(a), top, mapi_id(a), inbox);
    assert_told(w);
    copied = copy_folder(w, a, in, "c");
    want(w, ALL, "28888", 0x0040, mapi_id(copied), inbox, mapi_id(a), top);
    assert_told(w);
    remove_folder(w, copied);
    want(w, ALL, "288", 0x0008, mapi_id(copied), inbox);
    assert_told(w);
}

/* What the session does itself it is told in the same response. */
static void own_changes_are_told(void **state)
{
    struct world *w = *state;
    struct rop_open_folder open = {.folder = w->bed->inbox};
    uint64_t mid = mapi_bed_deliver(w->bed, mail);
    struct rop_delete_messages rq = {.messages = {1, &mid}};

    subscribe(w, ALL, 0x0008, 0, 0);
    assert_int_equal(mapi_do(w->bed, ROP_OpenFolder, 0, 2, &open, NULL), EC_SUCCESS);
    want(w, ALL, "288", 0x8008, w->bed->inbox, mid);
    mapi_ask(w->bed, ROP_DeleteMessages, 2, 2, &rq);
    assert_told(w);
    assert_int_equal(mapi_reply(w->bed, 0)->error, EC_SUCCESS);
}

/* ---- scopes ---- */

static void a_subscription_is_told_of_its_scope_alone(void **state)
{
    struct world *w = *state;
    uint64_t in = fixture_inbox(w->bed->mailbox), inbox = w->bed->inbox;
    uint64_t to = create(w, in, "to"), other = mapi_bed_deliver(w->bed, mail);
    uint64_t mid = mapi_bed_deliver(w->bed, mail);

    subscribe(w, 1, EVERYTHING, mapi_id(to), 0);
    subscribe(w, 2, 0x0018, inbox, mid);
    subscribe(w, 3, 0x0008, inbox, 0);
    subscribe(w, 4, 0x0020, inbox, mid);
    set_flags(w, 1, FLAG_FLAGGED);
    assert_told(w);
    set_flags(w, 2, FLAG_FLAGGED);
    want(w, 2, "2882", 0x8010, inbox, mid, 0);
    assert_told(w);
    fixture_expunge(w->bed->fx, FIXTURE_ALICE, 1, 1);
    want(w, 3, "288", 0x8008, inbox, other);
    assert_told(w);
    copy(w, to, 2, true);
    uint64_t moved = mid_of(w, to, 1);
    want(w, 1, "28888", 0x8020, mapi_id(to), moved, inbox, mid);
    want(w, 4, "28888", 0x8020, mapi_id(to), moved, inbox, mid);
    want(w, 1, "28244", 0x3010, mapi_id(to), 0, 1, 1);
    assert_told(w);
    uint64_t sub = create(w, to, "sub"); /* of a folder below it, too */
    want(w, 1, "2882", 0x0004, mapi_id(sub), mapi_id(to), 0);
    assert_told(w);
}

static void a_folder_of_no_mailbox_is_not_found(void **state)
{
    struct world *w = *state;
    struct rop_register_notification rq = {.events = 2, .folder = 0x0100000000000002};

    assert_int_equal(mapi_do(w->bed, ROP_RegisterNotification, 0, 1, &rq, NULL), EC_NOT_FOUND);
    assert_int_equal(w->bed->handles[1], 0xFFFFFFFF);
}

static void what_was_before_is_not_told(void **state)
{
    struct world *w = *state;

    subscribe(w, 1, 0x0004, 0, 0);
    uint64_t first = mapi_bed_deliver(w->bed, mail);
    want(w, 1, "2882", 0x8004, w->bed->inbox, first, 0);
    struct rop_register_notification rq = {.events = 0x0004, .whole = 1};
    mapi_ask(w->bed, ROP_RegisterNotification, 0, 2, &rq);
    assert_told(w);
    uint64_t second = mapi_bed_deliver(w->bed, mail);
    want(w, 1, "2882", 0x8004, w->bed->inbox, second, 0);
    want(w, 2, "2882", 0x8004, w->bed->inbox, second, 0);
    assert_told(w);
}

static void a_released_subscription_is_silent(void **state)
{
    struct world *w = *state;

    subscribe(w, 1, EVERYTHING, 0, 0);
    subscribe(w, 2, 0x0008, 0, 0);
    mapi_bed_deliver(w->bed, mail);
    assert_true(is_pending(w));
    mapi_ask(w->bed, ROP_Release, 1, 1, NULL);
    assert_told(w);
    assert_false(is_pending(w));
    mapi_ask(w->bed, ROP_Release, 0, 0, NULL); /* the log-on, with what hangs on it */
    assert_told(w);
    mapi_bed_deliver(w->bed, mail);
    assert_false(is_pending(w));
}

/* ---- room ---- */

/* 3.1.5.7: as many as fit, then RopPending; the next response goes on. */
static void what_does_not_fit_comes_later(void **state)
{
    struct world *w = *state;
    uint64_t fid = fixture_inbox(w->bed->mailbox);
    unsigned told = 0, rounds = 0;

    subscribe(w, 1, 0x0004, 0, 0);
    subscribe(w, 2, 0x0004, 0, 0);
    fixture_deliver_many(w->bed->fx, FIXTURE_ALICE, slice_str(mail), 20);
    w->bed->max_out = 8 + 2 + 4 * BED_HANDLES + 100; /* three of 26 bytes, and RopPending */
    for (bool more = true; more; rounds++) {
        assert_true(is_pending(w));
        mapi_run(w->bed);
        struct slice rest = w->bed->rest;
        more = rest.len > 3 && slice_eq(slice_from(rest, rest.len - 3), S("\x6E\0\0"));
        rest.len -= more ? 3 : 0;
        for (; rest.len; told++, rest = slice_from(rest, 26)) {
            want(w, 1 + told % 2, "2882", 0x8004, w->bed->inbox, mid_of(w, fid, 1 + told / 2), 0);
            assert_slice_eq(slice_of(rest.ptr, 26), buf_slice(&w->want));
            buf_clear(&w->want);
        }
    }
    assert_int_equal(told, 40);
    assert_int_equal(rounds, 14);
    assert_false(is_pending(w));
    w->bed->max_out = 8 + 2 + 4 * BED_HANDLES + 2; /* not even for RopPending */
    mapi_bed_deliver(w->bed, mail);
    assert_told(w);
    assert_true(is_pending(w));
}

/* ---- the log is too short ---- */

static void what_the_log_has_lost_is_told_by_folder(void **state)
{
    struct world *w = *state;
    uint64_t to = create(w, fixture_inbox(w->bed->mailbox), "to");

    mapi_bed_deliver(w->bed, mail);
    subscribe(w, 1, 0x0008, 0, 0);
    subscribe(w, 2, 0x0008, mapi_id(to), 0);
    for (int i = 0; i < 100; i++)
        mapi_bed_deliver(w->bed, mail);
    assert_true(is_pending(w));
    want(w, 1, "28244", 0x3010, w->bed->inbox, 0, 101, 101);
    assert_told(w);
    assert_false(is_pending(w));
    uint64_t mid = mid_of(w, fixture_inbox(w->bed->mailbox), 1);
    fixture_expunge(w->bed->fx, FIXTURE_ALICE, 1, 1);
    want(w, 1, "288", 0x8008, w->bed->inbox, mid);
    assert_told(w);
}

/* ---- is there anything? ---- */

static void only_what_concerns_somebody_is_pending(void **state)
{
    struct world *w = *state;

    mapi_bed_deliver(w->bed, mail);
    assert_false(is_pending(w)); /* nobody has subscribed */
    subscribe(w, 1, 0x0008, 0, 0);
    mapi_bed_deliver(w->bed, mail);
    assert_false(is_pending(w));
    uint64_t mid = mid_of(w, fixture_inbox(w->bed->mailbox), 1);
    fixture_expunge(w->bed->fx, FIXTURE_ALICE, 1, 1);
    assert_true(is_pending(w));
    assert_true(is_pending(w));
    want(w, 1, "288", 0x8008, w->bed->inbox, mid);
    assert_told(w);
    assert_false(is_pending(w));
}

/* ---- tables ---- */

enum { INBOX = 1, TABLE = 2, SILENT = 3 };

static const uint32_t mid_column[] = {PR_MID};

static uint32_t set_columns(struct world *w, uint8_t slot, const uint32_t *columns, size_t n)
{
    struct rop_set_columns rq = {.columns = {n, columns}};

    return mapi_do(w->bed, ROP_SetColumns, slot, slot, &rq, NULL);
}

static void open_folder(struct world *w, uint8_t slot, uint64_t fid)
{
    struct rop_open_folder rq = {.folder = fid};

    assert_int_equal(mapi_do(w->bed, ROP_OpenFolder, 0, slot, &rq, NULL), EC_SUCCESS);
}

/* A contents table of the Inbox with that column, at which nobody looks yet. */
static void open_table(struct world *w, uint8_t slot, uint8_t flags, const uint32_t *columns,
                       size_t n)
{
    struct rop_get_contents_table get = {.flags = flags};

    open_folder(w, INBOX, w->bed->inbox);
    assert_int_equal(mapi_do(w->bed, ROP_GetContentsTable, INBOX, slot, &get, NULL), EC_SUCCESS);
    assert_int_equal(set_columns(w, slot, columns, n), EC_SUCCESS);
}

static void look_at(struct world *w, uint8_t slot)
{
    assert_int_equal(mapi_do(w->bed, ROP_QueryPosition, slot, slot, NULL, NULL), EC_SUCCESS);
}

/* A row of mid_column behind another (0: the first): TableRowAdded 3, TableRowModified 5. */
static void want_row(struct world *w, uint8_t slot, unsigned event, uint64_t mid, uint64_t after)
{
    uint64_t inbox = w->bed->inbox;

    want(w, slot, "22884884218", 0x8100, event, inbox, mid, 0, after ? inbox : (uint64_t)0, after,
         0, 9, 0, mid);
}

/* TableRowDeleted */
static void want_gone(struct world *w, uint8_t slot, uint64_t mid)
{
    want(w, slot, "22884", 0x8100, 4, w->bed->inbox, mid, 0);
}

/* 3.1.4.3: a table is told of from when it is looked at, and never where that is not wanted. */
static void tables_that_are_looked_at_are_told(void **state)
{
    struct world *w = *state;

    open_table(w, TABLE, 0, mid_column, 1);
    open_table(w, SILENT, 0x10, mid_column, 1);
    uint64_t first = mapi_bed_deliver(w->bed, mail); /* no row was read yet */
    assert_false(is_pending(w));
    assert_told(w);
    look_at(w, TABLE);
    look_at(w, SILENT);
    assert_told(w);
    assert_false(is_pending(w));
    uint64_t second = mapi_bed_deliver(w->bed, mail);
    assert_true(is_pending(w));
    want_row(w, TABLE, 3, second, first);
    assert_told(w);
    assert_told(w);
    assert_false(is_pending(w));
    create(w, fixture_inbox(w->bed->mailbox), "x"); /* not in the table */
    assert_false(is_pending(w));
    assert_told(w);
}

/* 2.2.1.4.1.2: what goes and what changes; of the first row nothing stands before. */
static void rows_that_change_and_go_are_told(void **state)
{
    struct world *w = *state;
    uint64_t first = mapi_bed_deliver(w->bed, mail), second = mapi_bed_deliver(w->bed, mail);

    open_table(w, TABLE, 0, mid_column, 1);
    look_at(w, TABLE);
    set_flags(w, 1, FLAG_FLAGGED);
    want_row(w, TABLE, 5, first, 0);
    assert_told(w);
    set_flags(w, 2, FLAG_SEEN);
    set_flags(w, 1, FLAG_SEEN);
    want_row(w, TABLE, 5, first, 0);
    want_row(w, TABLE, 5, second, first);
    assert_told(w);
    fixture_expunge(w->bed->fx, FIXTURE_ALICE, 1, 1);
    uint64_t third = mapi_bed_deliver(w->bed, mail);
    want_gone(w, TABLE, first);
    want_row(w, TABLE, 3, third, second);
    assert_told(w);
    fixture_expunge(w->bed->fx, FIXTURE_ALICE, 2, 3);
    want_gone(w, TABLE, second);
    want_gone(w, TABLE, third);
    assert_told(w);
    mapi_bed_deliver(w->bed, mail); /* what came and went meanwhile is no news */
    fixture_expunge(w->bed->fx, FIXTURE_ALICE, 4, 4);
    assert_told(w);
}

/* What a client reads itself does not hide from it what had changed in the rows before. */
static void rows_are_told_that_were_seen_first(void **state)
{
    struct world *w = *state;
    uint64_t first = mapi_bed_deliver(w->bed, mail);

    open_table(w, TABLE, 0, mid_column, 1);
    look_at(w, TABLE);
    set_flags(w, 1, FLAG_FLAGGED);
    want_row(w, TABLE, 5, first, 0);
    mapi_ask(w->bed, ROP_QueryPosition, TABLE, TABLE, NULL);
    assert_told(w);
}

/* A message whose content is saved anew is the same row, though IMAP sees another message. */
static void tables_that_are_sorted_or_restricted_are_told_by_rows(void **state)
{
    struct world *w = *state;
    struct sort_order down = {PR_SUBJECT, SORT_DESCENDING};
    struct rop_sort_table sort = {.orders = {1, 0, 0, &down}};
    struct rop_restrict_table unread = {
        .restriction = {.bytes = S("\x04\4\x0B\0\x69\x0E\x0B\0\x69\x0E\0")}};

    open_table(w, TABLE, 0, mid_column, 1);
    assert_int_equal(mapi_do(w->bed, ROP_SortTable, TABLE, TABLE, &sort, NULL), EC_SUCCESS);
    assert_int_equal(mapi_do(w->bed, ROP_Restrict, TABLE, TABLE, &unread, NULL), EC_SUCCESS);
    look_at(w, TABLE);
    uint64_t b = mapi_bed_deliver(w->bed, "Subject: b\r\n\r\n");
    uint64_t c = mapi_bed_deliver(w->bed, "Subject: c\r\n\r\n");
    uint64_t a = mapi_bed_deliver(w->bed, "Subject: a\r\n\r\n");
    want_row(w, TABLE, 3, c, 0);
    want_row(w, TABLE, 3, b, c);
    want_row(w, TABLE, 3, a, b);
    assert_told(w);
    set_flags(w, 1, FLAG_SEEN); /* it does not fit any more */
    set_flags(w, 3, FLAG_FLAGGED);
    want_gone(w, TABLE, b);
    want_row(w, TABLE, 5, a, c);
    assert_told(w);
    fixture_expunge(w->bed->fx, FIXTURE_ALICE, 3, 3);
    want_gone(w, TABLE, a);
    assert_told(w);
}

/* 3.1.4.3: where it is not feasible to tell more, TableChanged; so with many changes, */
static void many_changes_are_told_as_one(void **state)
{
    struct world *w = *state;

    open_table(w, TABLE, 0, mid_column, 1);
    look_at(w, TABLE);
    fixture_deliver_many(w->bed->fx, FIXTURE_ALICE, slice_str(mail), 70);
    want(w, TABLE, "22", 0x0100, 1);
    assert_told(w);
    assert_told(w);
    uint64_t last = mapi_bed_deliver(w->bed, mail);
    want_row(w, TABLE, 3, last, mid_of(w, fixture_inbox(w->bed->mailbox), 70));
    assert_told(w);
}

/* and under headers. */
static void tables_with_categories_are_told_as_one(void **state)
{
    struct world *w = *state;
    struct sort_order up = {PR_SUBJECT, SORT_ASCENDING};
    struct rop_sort_table sort = {.orders = {1, 1, 1, &up}};

    open_table(w, TABLE, 0, mid_column, 1);
    assert_int_equal(mapi_do(w->bed, ROP_SortTable, TABLE, TABLE, &sort, NULL), EC_SUCCESS);
    look_at(w, TABLE);
    mapi_bed_deliver(w->bed, mail);
    want(w, TABLE, "22", 0x0100, 1);
    assert_told(w);
    look_at(w, TABLE);
    assert_told(w);
}

/* After RopResetTable nothing, until it is looked at again; RopQueryColumnsAll does that, too. */
static void tables_that_were_reset_are_silent(void **state)
{
    struct world *w = *state;

    open_table(w, TABLE, 0, mid_column, 1);
    assert_int_equal(mapi_do(w->bed, ROP_QueryColumnsAll, TABLE, TABLE, NULL, NULL), EC_SUCCESS);
    uint64_t first = mapi_bed_deliver(w->bed, mail);
    want_row(w, TABLE, 3, first, 0);
    assert_told(w);
    assert_int_equal(mapi_do(w->bed, ROP_ResetTable, TABLE, TABLE, NULL, NULL), EC_SUCCESS);
    uint64_t second = mapi_bed_deliver(w->bed, mail);
    assert_false(is_pending(w));
    assert_told(w);
    assert_int_equal(set_columns(w, TABLE, mid_column, 1), EC_SUCCESS);
    assert_int_equal(mapi_do(w->bed, ROP_QueryColumnsAll, TABLE, TABLE, NULL, NULL), EC_SUCCESS);
    uint64_t third = mapi_bed_deliver(w->bed, mail);
    want_row(w, TABLE, 3, third, second);
    assert_told(w);
}

/* Of folders there is no MessageID and no Instance. */
static void hierarchies_are_told_by_rows(void **state)
{
    struct world *w = *state;
    struct rop_get_hierarchy_table get = {.flags = 0};
    static const uint32_t columns[] = {PR_FOLDER_ID, PR_CONTENT_COUNT};
    uint64_t in = fixture_inbox(w->bed->mailbox), inbox = w->bed->inbox;

    open_folder(w, INBOX, inbox);
    assert_int_equal(mapi_do(w->bed, ROP_GetHierarchyTable, INBOX, TABLE, &get, NULL), EC_SUCCESS);
    assert_int_equal(set_columns(w, TABLE, columns, 2), EC_SUCCESS);
    look_at(w, TABLE);
    uint64_t a = create(w, in, "a"), b = create(w, in, "b");
    want(w, TABLE, "22882184", 0x0100, 3, mapi_id(a), (uint64_t)0, 13, 0, mapi_id(a), 0);
    want(w, TABLE, "22882184", 0x0100, 3, mapi_id(b), mapi_id(a), 13, 0, mapi_id(b), 0);
    assert_told(w);
    mapi_bed_deliver(w->bed, mail);
    copy(w, b, 1, false);
    want(w, TABLE, "22882184", 0x0100, 5, mapi_id(b), mapi_id(a), 13, 0, mapi_id(b), 1);
    assert_told(w);
    remove_folder(w, a);
    want(w, TABLE, "228", 0x0100, 4, mapi_id(a));
    assert_told(w);
}

/* 3.1.5.7, with rows. */
static void rows_that_do_not_fit_come_later(void **state)
{
    struct world *w = *state;
    uint64_t fid = fixture_inbox(w->bed->mailbox), after = 0;
    size_t one = 8 + 20 + 20 + 2 + 9 + 2;

    open_table(w, TABLE, 0, mid_column, 1);
    look_at(w, TABLE);
    fixture_deliver_many(w->bed->fx, FIXTURE_ALICE, slice_str(mail), 5);
    w->bed->max_out = (uint32_t)(8 + 2 + 4 * BED_HANDLES + 2 * one + 3);
    for (uint32_t uid = 1; uid <= 5; uid++) {
        uint64_t mid = mid_of(w, fid, uid);

        want_row(w, TABLE, 3, mid, after);
        after = mid;
        if (uid % 2 == 0) {
            buf_put(&w->want, S("\x6E\0\0"));
            assert_told(w);
            assert_true(is_pending(w));
        }
    }
    assert_told(w);
    assert_false(is_pending(w));
    w->bed->max_out = 8 + 2 + 4 * BED_HANDLES + 20; /* in no response is room for a row */
    mapi_bed_deliver(w->bed, mail);
    want(w, TABLE, "22", 0x0100, 1);
    assert_told(w);
}

/* ---- threads ---- */

/* What a NotificationWait does on another worker: it looks, woken or not. */
struct looker {
    struct mapi_wait wait;
    struct mapi_context *context;
    _Atomic bool over;
    _Atomic unsigned found, woken;
};

static void wake(struct mapi_wait *wait)
{
    ((struct looker *)wait)->woken++;
}

static void *look(void *arg)
{
    struct looker *l = arg;

    while (!l->over) {
        pthread_mutex_lock(&l->context->mutex);
        l->found += mapi_notify_is_pending(l->context);
        pthread_mutex_unlock(&l->context->mutex);
        sched_yield();
    }
    return NULL;
}

struct committer {
    struct world *w;
    unsigned n;
};

static void *commit(void *arg)
{
    struct committer *c = arg;

    for (unsigned i = 0; i < c->n; i++)
        deliver_mail(c->w);
    return NULL;
}

/* Subscriptions and log-ons come and go while it does; no message is told twice or not at all. */
static void others_look_and_commit_meanwhile(void **state)
{
    struct world *w = *state;
    struct looker looker = {.wait.wake = wake, .context = w->bed->context};
    struct committer committer = {w, 60};
    struct arena arena = ARENA_INIT;
    pthread_t looks, commits;
    unsigned told = 0;

    subscribe(w, 1, 0x0004, 0, 0);
    pthread_mutex_lock(&w->bed->context->mutex);
    w->bed->context->wait = &looker.wait;
    pthread_mutex_unlock(&w->bed->context->mutex);
    assert_int_equal(pthread_create(&looks, NULL, look, &looker), 0);
    assert_int_equal(pthread_create(&commits, NULL, commit, &committer), 0);
    while (told < committer.n || looker.woken == 0) {
        struct rop_register_notification rq = {.events = 0x0008, .whole = 1};

        mapi_ask(w->bed, ROP_RegisterNotification, 0, 2, &rq);
        mapi_ask(w->bed, ROP_Release, 2, 2, NULL);
        mapi_run(w->bed);
        test_loop_pump(w->bed->fx->loop); /* watches fire */
        struct wire rest = wire_of(w->bed->rest, &arena);
        for (struct rop_notification n; rest.rest.len; told++)
            assert_true(rop_notification_read(&rest, &n));
    }
    pthread_join(commits, NULL);
    assert_int_equal(told, committer.n);
    mapi_ask(w->bed, ROP_Release, 0, 0, NULL);
    mapi_run(w->bed);
    looker.over = true;
    pthread_join(looks, NULL);
    pthread_mutex_lock(&w->bed->context->mutex);
    w->bed->context->wait = NULL;
    pthread_mutex_unlock(&w->bed->context->mutex);
    arena_done(&arena);
}

/* ---- for a client ---- */

static void what_is_written_can_be_read(void **state)
{
    static const uint16_t flags[] = {0x8002, 0x8004, 0xC004, 0x0004, 0x8008, 0x0008, 0x3010, 0x8010,
                                     0x8020, 0x0020, 0xC020, 0x8040, 0x0040, 0x0080, 0x0100};
    struct arena arena = ARENA_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        struct rop_notification n = {.handle = 7,
                                     .logon = 3,
                                     .flags = flags[i],
                                     .table_event = 1,
                                     .fid = 1,
                                     .mid = 2,
                                     .parent = 3,
                                     .old_fid = 4,
                                     .old_mid = 5,
                                     .old_parent = 6,
                                     .total = 8,
                                     .unread = 9,
                                     .class = S("IPM.\xC3\xA9")},
                                back;
        struct buf bytes = buf_make(1000), again = buf_make(1000);

        rop_notification_put(&bytes, &n);
        struct wire w = wire_of(buf_slice(&bytes), &arena);
        assert_true(rop_notification_read(&w, &back));
        assert_int_equal(w.rest.len, 0);
        rop_notification_put(&again, &back);
        assert_slice_eq(buf_slice(&again), buf_slice(&bytes));
        for (size_t len = 0; len < bytes.len; len++) {
            w = wire_of(slice_of(buf_slice(&bytes).ptr, len), &arena);
            assert_false(rop_notification_read(&w, &back));
        }
        buf_done(&bytes);
        buf_done(&again);
    }
    arena_done(&arena);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(new_mail_is_told),
        TEST(what_is_not_delivered_is_only_created),
        TEST(messages_that_change_are_told),
        TEST(copies_and_moves_say_where_from),
        TEST(folders_are_told),
        TEST(own_changes_are_told),
        TEST(a_subscription_is_told_of_its_scope_alone),
        TEST(a_folder_of_no_mailbox_is_not_found),
        TEST(what_was_before_is_not_told),
        TEST(a_released_subscription_is_silent),
        TEST(what_does_not_fit_comes_later),
        cmocka_unit_test_setup_teardown(what_the_log_has_lost_is_told_by_folder, setup_short_log,
                                        teardown),
        TEST(only_what_concerns_somebody_is_pending),
        TEST(tables_that_are_looked_at_are_told),
        TEST(rows_that_change_and_go_are_told),
        TEST(rows_are_told_that_were_seen_first),
        TEST(tables_that_are_sorted_or_restricted_are_told_by_rows),
        TEST(many_changes_are_told_as_one),
        TEST(tables_with_categories_are_told_as_one),
        TEST(tables_that_were_reset_are_silent),
        TEST(hierarchies_are_told_by_rows),
        TEST(rows_that_do_not_fit_come_later),
        TEST(others_look_and_commit_meanwhile),
        cmocka_unit_test(what_is_written_can_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
