/* test_mapi_message.c - messages, recipients, attachments: what a client sees of [MS-OXCMSG]. */
#include "protocols/mapi/message_int.h"
#include "store/access.h"
#include "tests/support/mapi.h"

#define MAIL                                                                                       \
    "From: Bob <bob@example.org>\r\n"                                                              \
    "To: Alice <alice@example.org>, carol@example.org\r\n"                                         \
    "Cc: Dave <dave@example.org>\r\n"                                                              \
    "Subject: Re: the plan\r\n"                                                                    \
    "\r\n"                                                                                         \
    "Hello.\r\n"

#define MAIL_WITH_MAIL                                                                             \
    "From: bob@example.org\r\nTo: alice@example.org\r\nSubject: outer\r\n"                         \
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"                       \
    "--x\r\nContent-Type: text/plain\r\n\r\ntext\r\n"                                              \
    "--x\r\nContent-Type: message/rfc822\r\n\r\n"                                                  \
    "From: dave@example.org\r\nTo: carol@example.org\r\nSubject: Fwd: inner\r\n\r\ninner text\r\n" \
    "--x--\r\n"

#define MAIL_WITH_FILE                                                                             \
    "From: bob@example.org\r\nTo: alice@example.org\r\nSubject: a file\r\n"                        \
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"                       \
    "--x\r\nContent-Type: text/plain\r\n\r\ntext\r\n"                                              \
    "--x\r\nContent-Type: application/octet-stream; name=a.bin\r\n"                                \
    "Content-Disposition: attachment; filename=a.bin\r\n"                                          \
    "Content-Transfer-Encoding: base64\r\n\r\nQUJDRA==\r\n"                                        \
    "--x--\r\n"

enum { LOGON, FOLDER, MESSAGE, ATTACHMENT, EMBEDDED, OTHER, INNER };

static int setup(void **state)
{
    struct mapi_bed *bed = mapi_bed_new();

    mapi_bed_logon(bed);
    *state = bed;
    return 0;
}

static int teardown(void **state)
{
    mapi_bed_free(*state);
    return 0;
}

/* ---- objects, without the operations on properties ---- */

struct hand {
    struct rop_call call;
    struct arena arena;
    struct store_read *rd;
    struct mapi_object *object;
};

static void hand_begin(struct mapi_bed *bed, int index, struct hand *h)
{
    static uint64_t reply;

    *h = (struct hand){.arena = ARENA_INIT};
    h->call.context = bed->context;
    h->call.mapi = bed->mapi;
    h->call.arena = &h->arena;
    h->call.reply = &reply;
    bed->context->executes++;
    assert_int_equal(object_find(bed->context, bed->handles[index], &h->object), HANDLE_OPEN);
    h->call.logon = h->object->logon;
    assert_ok(store_read_begin(bed->mailbox, &h->rd));
}

static void hand_end(struct hand *h)
{
    store_read_end(h->rd);
    arena_done(&h->arena);
}

static uint32_t set_one(struct mapi_bed *bed, int index, struct store_prop prop,
                        enum err_code *problem)
{
    struct store_prop_change change = {.prop = prop};
    struct hand h;

    hand_begin(bed, index, &h);
    uint32_t ec = mapi_message_change(&h.call, h.rd, h.object, &change, 1);
    hand_end(&h);
    *problem = change.problem;
    return ec;
}

static void set_text(struct mapi_bed *bed, int index, uint32_t tag, const char *text)
{
    enum err_code problem;
    struct store_prop prop = {.tag = tag, .value.bytes = slice_str(text)};

    assert_int_equal(set_one(bed, index, prop, &problem), EC_SUCCESS);
    assert_int_equal(problem, ERR_NONE);
}

static enum err_code set_number(struct mapi_bed *bed, int index, uint32_t tag, int64_t number)
{
    enum err_code problem;
    struct store_prop prop = {.tag = tag, .value.number = number};

    assert_int_equal(set_one(bed, index, prop, &problem), EC_SUCCESS);
    return problem;
}

static uint32_t get_number(struct mapi_bed *bed, int index, uint32_t tag, int64_t *out)
{
    struct store_prop prop;
    struct hand h;

    hand_begin(bed, index, &h);
    uint32_t ec = mapi_message_get(&h.call, h.rd, h.object, tag, &prop);
    *out = ec ? 0 : prop.value.number;
    hand_end(&h);
    return ec;
}

static int64_t number(struct mapi_bed *bed, int index, uint32_t tag)
{
    int64_t n;

    assert_int_equal(get_number(bed, index, tag, &n), EC_SUCCESS);
    return n;
}

static void assert_text(struct mapi_bed *bed, int index, uint32_t tag, const char *want)
{
    struct store_prop prop;
    struct hand h;

    hand_begin(bed, index, &h);
    assert_int_equal(mapi_message_get(&h.call, h.rd, h.object, tag, &prop), EC_SUCCESS);
    assert_slice(prop.value.bytes, want);
    hand_end(&h);
}

static bool has(struct mapi_bed *bed, int index, uint32_t tag)
{
    int64_t n;

    return get_number(bed, index, tag, &n) == EC_SUCCESS;
}

/* ---- operations ---- */

static uint32_t open_message(struct mapi_bed *bed, int index, uint64_t mid, uint8_t mode,
                             const struct rop_open_message_reply **reply)
{
    struct rop_open_message rq = {
        .codepage = 0x0FFF, .folder = bed->inbox, .mode = mode, .message = mid};

    return mapi_do(bed, ROP_OpenMessage, LOGON, (uint8_t)index, &rq, (const void **)reply);
}

/* A folder's object as RopOpenFolder makes it. */
static void open_folder(struct mapi_bed *bed, int index, uint64_t id)
{
    struct mapi_folder *folder = mem_new(sizeof *folder);
    struct mapi_object *logon;

    assert_int_equal(object_find(bed->context, bed->handles[LOGON], &logon), HANDLE_OPEN);
    folder->object.kind = MAPI_FOLDER;
    folder->object.free = (void (*)(struct mapi_object *))free;
    assert_int_equal(rop_counter(id, &folder->fid), EC_SUCCESS);
    assert_int_equal(object_add(bed->context, &folder->object, logon->logon, logon), EC_SUCCESS);
    bed->handles[index] = folder->object.handle;
}

static void open_inbox(struct mapi_bed *bed)
{
    open_folder(bed, FOLDER, bed->inbox);
}

static void create_message(struct mapi_bed *bed, int index, bool associated)
{
    const struct rop_create_message_reply *reply;
    struct rop_create_message rq = {
        .codepage = 0x0FFF, .folder = bed->inbox, .associated = associated};

    assert_int_equal(
        mapi_do(bed, ROP_CreateMessage, LOGON, (uint8_t)index, &rq, (const void **)&reply),
        EC_SUCCESS);
    assert_int_equal(reply->has_message, 0);
}

static uint32_t try_save(struct mapi_bed *bed, int index, uint8_t flags, uint64_t *mid)
{
    const struct rop_save_message_reply *reply;
    struct rop_save_message rq = {.flags = flags};
    /* The answer's handle is that of ResponseHandleIndex. */
    uint32_t ec =
        mapi_do(bed, ROP_SaveChangesMessage, (uint8_t)index, FOLDER, &rq, (const void **)&reply);

    assert_int_equal(mapi_reply(bed, 0)->handle, FOLDER);
    if (!ec && mid)
        *mid = reply->message;
    if (!ec)
        assert_int_equal(reply->input, index);
    return ec;
}

static uint64_t save(struct mapi_bed *bed, int index)
{
    uint64_t mid = 0;

    assert_int_equal(try_save(bed, index, 0x0A, &mid), EC_SUCCESS);
    return mid;
}

/* ---- what IMAP and POP3 see ---- */

static struct message_row row_of(struct mapi_bed *bed, uint64_t mid)
{
    struct message_row row;
    struct store_read *rd;
    uint64_t counter, fid;
    uint32_t uid;

    assert_int_equal(rop_counter(mid, &counter), EC_SUCCESS);
    assert_ok(store_read_begin(bed->mailbox, &rd));
    assert_ok(store_message_by_mid(rd, counter, &fid, &uid));
    assert_ok(store_message(rd, fid, uid, &row));
    store_read_end(rd);
    return row;
}

static bool is_there(struct mapi_bed *bed, uint64_t mid)
{
    struct store_read *rd;
    uint64_t counter, fid;
    uint32_t uid;

    assert_int_equal(rop_counter(mid, &counter), EC_SUCCESS);
    assert_ok(store_read_begin(bed->mailbox, &rd));
    bool there = !failed(store_message_by_mid(rd, counter, &fid, &uid));
    store_read_end(rd);
    return there;
}

static bool mail_has(struct mapi_bed *bed, uint64_t mid, const char *text)
{
    struct message_row row = row_of(bed, mid);
    struct arena arena = ARENA_INIT;
    struct store_read *rd;
    struct slice bytes;

    assert_ok(store_read_begin(bed->mailbox, &rd));
    assert_ok(store_message_bytes(rd, &row, 0, row.size, &arena, &bytes));
    assert_int_equal(bytes.len, row.size);
    bool found = memmem(bytes.ptr, bytes.len, text, strlen(text)) != NULL;
    store_read_end(rd);
    arena_done(&arena);
    return found;
}

/* ---- opening ---- */

static void test_open_tells_subject_and_recipients(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_open_message_reply *reply;
    uint64_t mid = mapi_bed_deliver(bed, MAIL);

    assert_int_equal(open_message(bed, MESSAGE, mid, 0, &reply), EC_SUCCESS);
    assert_int_equal(reply->has_named, 0);
    assert_slice(reply->prefix, "Re: ");
    assert_slice(reply->subject, "the plan");
    assert_int_equal(reply->recipients, 3);
    assert_int_equal(reply->rows.n, 3);
    struct wire w = wire_of(reply->rows.bytes, &bed->arena);
    struct value_form form = {.codepage = 1252};
    static const struct {
        const char *name, *email;
        uint8_t kind;
    } want[] = {{"Alice", "alice@example.org", 1},
                {NULL, "carol@example.org", 1},
                {"Dave", "dave@example.org", 2}};

    for (size_t i = 0; i < 3; i++) {
        struct recipient r;

        assert_true(
            recipient_open_read(&w, &form, reply->columns.items, reply->columns.n, false, &r));
        assert_int_equal(recipient_type(&r), RECIPIENT_SMTP);
        assert_int_equal(r.kind, want[i].kind);
        assert_slice(r.email, want[i].email);
        if (want[i].name)
            assert_slice(r.display_name, want[i].name);
        assert_true(r.flags & RECIPIENT_UNICODE);
    }
    assert_int_equal(w.rest.len, 0);
}

static void test_open_refuses(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t mid = mapi_bed_deliver(bed, MAIL);
    struct rop_open_message rq = {.codepage = 0x0FFF, .folder = bed->inbox, .message = mid};
    const struct {
        struct rop_open_message rq;
        uint32_t ec;
    } rows[] = {
        /* no such message; of another replica; another folder's; no folder (3.2.5.1) */
        {{.codepage = 0x0FFF, .folder = bed->inbox, .message = mapi_id(0xFFFFFF)}, EC_NOT_FOUND},
        {{.codepage = 0x0FFF, .folder = bed->inbox, .message = mid + 1}, EC_NOT_FOUND},
        {{.codepage = 0x0FFF, .folder = bed->folders[6], .message = mid}, EC_NOT_FOUND},
        {{.codepage = 0x0FFF, .folder = mapi_id(0xFFFFFF), .message = mid}, EC_NOT_FOUND},
        {{.codepage = 0x0FFF, .folder = bed->inbox, .message = bed->inbox}, EC_NOT_FOUND},
        {{.codepage = 1, .folder = bed->inbox, .message = mid}, EC_UNKNOWN_CODEPAGE},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(mapi_do(bed, ROP_OpenMessage, LOGON, MESSAGE, &rows[i].rq, NULL),
                         rows[i].ec);
        assert_int_equal(bed->handles[MESSAGE], 0xFFFFFFFF);
    }
    /* 2.2.3.1.1: other bits are ignored; these open it to be read */
    for (size_t i = 0; i < 2; i++) {
        rq.mode = (uint8_t[]){0x02, 0xF8}[i];
        assert_int_equal(mapi_do(bed, ROP_OpenMessage, LOGON, MESSAGE, &rq, NULL), EC_SUCCESS);
        assert_int_equal(number(bed, MESSAGE, 0x0FF70003), 0);
    }
    /* Neither a log-on nor a folder. */
    assert_int_equal(mapi_do(bed, ROP_OpenMessage, MESSAGE, OTHER, &rq, NULL), EC_NULL_OBJECT);
    assert_int_equal(mapi_do(bed, ROP_SaveChangesMessage, LOGON, LOGON,
                             &(struct rop_save_message){.flags = 2}, NULL),
                     EC_NULL_OBJECT);
}

/* ---- making ---- */

static void test_a_new_message_has_initial_values(void **state)
{
    struct mapi_bed *bed = *state;
    static const struct {
        uint32_t tag;
        int64_t want;
    } numbers[] = {/* [MS-OXCMSG] 3.2.5.2 */
                   {PR_IMPORTANCE, 1},      {PR_SENSITIVITY, 0}, {PR_MESSAGE_FLAGS, 0x409},
                   {PR_HAS_ATTACHMENTS, 0}, {0x0E790003, 1},     {PR_ACCESS, 3},
                   {0x0FF70003, 1}};

    create_message(bed, MESSAGE, false);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_int_equal(number(bed, MESSAGE, numbers[i].tag), numbers[i].want);
    assert_text(bed, MESSAGE, PR_MESSAGE_CLASS, "IPM.Note");
    assert_text(bed, MESSAGE, PR_DISPLAY_TO, "");
    assert_text(bed, MESSAGE, PR_DISPLAY_CC, "");
    assert_text(bed, MESSAGE, PR_DISPLAY_BCC, "");
    assert_int_equal(number(bed, MESSAGE, PR_CREATION_TIME),
                     number(bed, MESSAGE, PR_LAST_MODIFICATION_TIME));
    assert_int_equal(number(bed, MESSAGE, PR_CREATION_TIME),
                     number(bed, MESSAGE, PR_LOCAL_COMMIT_TIME));
    assert_int_equal(number(bed, MESSAGE, 0x3FF10003), number(bed, MESSAGE, 0x66A10003));
    assert_int_equal(number(bed, MESSAGE, 0x664A000B), 0);
    assert_true(has(bed, MESSAGE, PR_MESSAGE_SIZE));
    assert_true(has(bed, MESSAGE, PR_SEARCH_KEY));
    assert_true(has(bed, MESSAGE, 0x3FF8001F)); /* creator's name */
    assert_true(has(bed, MESSAGE, 0x3FF90102)); /* and EntryID; the modifier's are the same */
    assert_true(has(bed, MESSAGE, 0x3FFA001F) && has(bed, MESSAGE, 0x3FFB0102));
    assert_false(has(bed, MESSAGE, PR_MID));
}

static void test_nothing_is_stored_before_it_is_saved(void **state)
{
    struct mapi_bed *bed = *state;
    struct store_folder inbox;
    struct store_read *rd;

    create_message(bed, MESSAGE, false);
    set_text(bed, MESSAGE, PR_SUBJECT, "Re: hello");
    set_text(bed, MESSAGE, PR_BODY, "text of the body");
    assert_text(bed, MESSAGE, PR_SUBJECT_PREFIX, "Re: ");
    assert_text(bed, MESSAGE, PR_NORMALIZED_SUBJECT, "hello");
    assert_ok(store_read_begin(bed->mailbox, &rd));
    assert_ok(store_folder_special(rd, SPECIAL_INBOX, &inbox));
    assert_int_equal(inbox.exists, 0);
    store_read_end(rd);

    uint64_t mid = save(bed, MESSAGE);
    struct message_row row = row_of(bed, mid);

    assert_int_equal(row.flags & FLAG_ALL_IMAP, FLAG_SEEN | FLAG_DRAFT);
    assert_true(mail_has(bed, mid, "Subject: Re: hello\r\n"));
    assert_true(mail_has(bed, mid, "text of the body"));
    assert_int_equal(number(bed, MESSAGE, PR_MESSAGE_FLAGS) & 0x409, 0x409);
    assert_int_equal(number(bed, MESSAGE, PR_MESSAGE_SIZE), row.size);
    assert_int_equal((uint64_t)number(bed, MESSAGE, PR_MID), mid);
    /* And it can be opened by what was answered. */
    const struct rop_open_message_reply *reply;
    assert_int_equal(open_message(bed, OTHER, mid, 3, &reply), EC_SUCCESS);
    assert_slice(reply->subject, "hello");
}

static void test_message_flags_are_the_clients_until_saved(void **state)
{
    struct mapi_bed *bed = *state;

    create_message(bed, MESSAGE, false);
    /* Bits that are the server's are passed over ([MS-OXCMSG] 2.2.1.6). */
    assert_int_equal(set_number(bed, MESSAGE, PR_MESSAGE_FLAGS, 0x10 | 0x100), ERR_NONE);
    assert_int_equal(number(bed, MESSAGE, PR_MESSAGE_FLAGS), 0x100);
    uint64_t mid = save(bed, MESSAGE);

    assert_int_equal(row_of(bed, mid).flags & FLAG_ALL_IMAP, 0);
    assert_int_equal(set_number(bed, MESSAGE, PR_MESSAGE_FLAGS, 1), ERR_DENIED);
    assert_int_equal(set_number(bed, MESSAGE, PR_MID, 1), ERR_DENIED);
    assert_int_equal(set_number(bed, MESSAGE, PR_FLAG_STATUS, 3), ERR_INVALID);
}

/* ---- saving ---- */

static void test_a_change_of_state_keeps_the_uid(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t mid = mapi_bed_deliver(bed, MAIL);
    struct message_row before = row_of(bed, mid);

    assert_int_equal(open_message(bed, MESSAGE, mid, 1, NULL), EC_SUCCESS);
    assert_int_equal(set_number(bed, MESSAGE, PR_FLAG_STATUS, 2), ERR_NONE);
    assert_int_equal(set_number(bed, MESSAGE, PR_ICON_INDEX, 0x105), ERR_NONE);
    assert_false(row_of(bed, mid).flags & FLAG_FLAGGED);
    assert_int_equal(save(bed, MESSAGE), mid);
    struct message_row after = row_of(bed, mid);

    assert_int_equal(after.uid, before.uid);
    assert_int_equal(after.blob, before.blob);
    assert_true(after.flags & FLAG_FLAGGED);
    assert_true(after.cn > before.cn);
    /* This handle knows: it can save again. */
    assert_int_equal(set_number(bed, MESSAGE, PR_FLAG_STATUS, 0), ERR_NONE);
    save(bed, MESSAGE);
    assert_false(row_of(bed, mid).flags & FLAG_FLAGGED);
}

static void test_a_change_of_content_makes_another_mail(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t mid = mapi_bed_deliver(bed, MAIL);
    struct message_row before = row_of(bed, mid);

    assert_int_equal(open_message(bed, MESSAGE, mid, 1, NULL), EC_SUCCESS);
    set_text(bed, MESSAGE, PR_SUBJECT, "another plan");
    assert_text(bed, MESSAGE, PR_SUBJECT, "another plan");
    assert_text(bed, MESSAGE, PR_BODY, "Hello.\r\n");
    assert_int_equal(save(bed, MESSAGE), mid);
    struct message_row after = row_of(bed, mid);

    assert_true(after.uid > before.uid);
    assert_true(mail_has(bed, mid, "Subject: another plan\r\n"));
    assert_true(mail_has(bed, mid, "Hello."));
    assert_true(mail_has(bed, mid, "dave@example.org"));
    assert_int_equal(after.internaldate, before.internaldate);
    assert_text(bed, MESSAGE, PR_NORMALIZED_SUBJECT, "another plan");
    assert_text(bed, MESSAGE, PR_DISPLAY_CC, "Dave");
}

/* [MS-OXCMSG] 3.2.5.14: flags that do not go together, and what is no attachment. */
static void test_attachments_that_are_not_saved(void **state)
{
    struct mapi_bed *bed = *state;
    struct rop_save_attachment rq = {.flags = 0};

    create_message(bed, MESSAGE, false);
    assert_int_equal(mapi_do(bed, ROP_CreateAttachment, MESSAGE, OTHER, NULL, NULL), EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_SaveChangesAttachment, MESSAGE, MESSAGE, &rq, NULL),
                     0x80040102);
    for (rq.flags = 0; rq.flags <= 0x0F; rq.flags++) {
        uint8_t known = rq.flags & 7;
        bool goes = known == 0 || known == 1 || known == 2 || known == 4;

        if (known != 1) /* that would be the last */
            assert_int_equal(mapi_do(bed, ROP_SaveChangesAttachment, OTHER, OTHER, &rq, NULL),
                             goes ? EC_SUCCESS : 0x80040102);
    }
}

static void test_the_second_to_save_is_told(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t mid = mapi_bed_deliver(bed, MAIL);

    assert_int_equal(open_message(bed, MESSAGE, mid, 1, NULL), EC_SUCCESS);
    assert_int_equal(open_message(bed, OTHER, mid, 1, NULL), EC_SUCCESS);
    set_text(bed, MESSAGE, PR_SUBJECT, "first");
    set_text(bed, OTHER, PR_SUBJECT, "second");
    save(bed, MESSAGE);
    /* [MS-OXCMSG] 3.2.5.3 */
    assert_int_equal(try_save(bed, OTHER, 0x02, NULL), EC_OBJECT_MODIFIED);
    assert_true(mail_has(bed, mid, "Subject: first\r\n"));
    assert_int_equal(try_save(bed, OTHER, 0x04, NULL), EC_SUCCESS);
    assert_true(mail_has(bed, mid, "Subject: second\r\n"));
}

static void test_save_flags_and_access(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t mid = mapi_bed_deliver(bed, MAIL);
    enum err_code problem;
    struct store_prop subject = {.tag = PR_SUBJECT, .value.bytes = S("x")};

    assert_int_equal(open_message(bed, MESSAGE, mid, 0, NULL), EC_SUCCESS);
    assert_int_equal(number(bed, MESSAGE, 0x0FF70003), 0);
    assert_int_equal(set_one(bed, MESSAGE, subject, &problem), EC_ACCESS_DENIED);
    assert_int_equal(try_save(bed, MESSAGE, 0x02, NULL), 0x80004005); /* 3.2.5.3: ecError */

    assert_int_equal(open_message(bed, OTHER, mid, 3, NULL), EC_SUCCESS);
    assert_int_equal(number(bed, OTHER, 0x0FF70003), 1);
    set_text(bed, OTHER, PR_SUBJECT, "y");
    assert_int_equal(try_save(bed, OTHER, 0x01, NULL), EC_SUCCESS); /* KeepOpenReadOnly */
    assert_int_equal(number(bed, OTHER, 0x0FF70003), 0);
    assert_int_equal(try_save(bed, OTHER, 0x02, NULL), 0x80004005);
    /* 2.2.3.3.1: other flags are ignored */
    assert_int_equal(open_message(bed, OTHER, mid, 1, NULL), EC_SUCCESS);
    assert_int_equal(try_save(bed, OTHER, 0xF8, NULL), EC_SUCCESS);
    assert_int_equal(number(bed, OTHER, 0x0FF70003), 1);
}

static void test_a_message_that_is_deleted_meanwhile(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t mid = mapi_bed_deliver(bed, MAIL);
    struct rop_hard_delete_messages rq = {.messages = {1, &mid}};
    const struct rop_hard_delete_messages_reply *reply;
    int64_t n;

    open_inbox(bed);
    assert_int_equal(open_message(bed, MESSAGE, mid, 1, NULL), EC_SUCCESS);
    set_text(bed, MESSAGE, PR_SUBJECT, "late");
    assert_int_equal(mapi_do(bed, ROP_HardDeleteMessages, FOLDER, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->partial, 0);
    assert_false(is_there(bed, mid));
    assert_int_equal(get_number(bed, MESSAGE, PR_IMPORTANCE, &n), EC_OBJECT_DELETED);
    assert_int_equal(try_save(bed, MESSAGE, 0x02, NULL), EC_OBJECT_DELETED);
}

static void test_associated_messages_are_no_mail(void **state)
{
    struct mapi_bed *bed = *state;
    struct store_folder inbox;
    struct store_read *rd;

    create_message(bed, MESSAGE, true);
    set_text(bed, MESSAGE, PR_MESSAGE_CLASS, "IPM.Configuration.Test");
    set_text(bed, MESSAGE, PR_SUBJECT, "settings");
    assert_int_equal(number(bed, MESSAGE, PR_MESSAGE_FLAGS) & 0x40, 0x40);
    uint64_t mid = save(bed, MESSAGE);

    assert_ok(store_read_begin(bed->mailbox, &rd));
    assert_ok(store_folder_special(rd, SPECIAL_INBOX, &inbox));
    assert_int_equal(inbox.exists, 0);
    store_read_end(rd);
    assert_int_equal(open_message(bed, OTHER, mid, 0, NULL), EC_SUCCESS);
    assert_int_equal(number(bed, OTHER, PR_ASSOCIATED), 1);
    assert_int_equal((uint64_t)number(bed, OTHER, PR_FOLDER_ID), bed->inbox);
}

/* ---- recipients ---- */

static const uint32_t columns[] = {PR_SMTP_ADDRESS, PR_OBJECT_TYPE};

static uint32_t modify(struct mapi_bed *bed, const struct recipient *rows, size_t n)
{
    struct rop_modify_recipients rq = {
        .recipients = {.columns = {2, columns}, .n = n, .items = rows}};

    return mapi_do(bed, ROP_ModifyRecipients, MESSAGE, 0, &rq, NULL);
}

static const struct prop *values_of(const char *address)
{
    static struct prop values[2];

    values[0] = (struct prop){PR_SMTP_ADDRESS, {.bytes = slice_str(address)}};
    values[1] = (struct prop){PR_OBJECT_TYPE, {.number = 6}};
    return values;
}

static uint32_t read_rows(struct mapi_bed *bed, uint32_t from, struct recipient *rows, size_t *n)
{
    const struct rop_read_recipients_reply *reply;
    struct rop_read_recipients rq = {.row = from};
    struct value_form form = {.codepage = 1252};
    struct mapi_object *object;
    uint32_t ec = mapi_do(bed, ROP_ReadRecipients, MESSAGE, 0, &rq, (const void **)&reply);

    assert_int_equal(object_find(bed->context, bed->handles[MESSAGE], &object), HANDLE_OPEN);
    const struct mapi_message *m = message_of(object);
    *n = ec ? 0 : reply->rows.n;
    struct wire w = wire_of(ec ? SLICE_EMPTY : reply->rows.bytes, &bed->arena);
    for (size_t i = 0; i < *n; i++)
        assert_true(recipient_open_read(&w, &form, m->columns, m->n_columns, true, &rows[i]));
    assert_int_equal(w.rest.len, 0);
    return ec;
}

static void test_recipients_are_added_replaced_and_removed(void **state)
{
    struct mapi_bed *bed = *state;
    const struct recipient rows[] = {
        {.row_id = 7,
         .kind = 1,
         .flags = RECIPIENT_SMTP | RECIPIENT_EMAIL | RECIPIENT_DISPLAY_NAME | RECIPIENT_UNICODE |
                  RECIPIENT_SAME,
         .email = S("bob@example.org"),
         .display_name = S("Bob"),
         .n_values = 2,
         .values = values_of("bob@example.org")},
        {.row_id = 2,
         .kind = 2,
         .flags = RECIPIENT_OTHER_TYPE | RECIPIENT_EMAIL | RECIPIENT_DISPLAY_NAME,
         .address_type = S("SMTP"),
         .email = S("carol@example.org"),
         .display_name = S("Carol")},
    };
    struct recipient got[8];
    size_t n;

    create_message(bed, MESSAGE, false);
    assert_int_equal(read_rows(bed, 0, got, &n), EC_NOT_FOUND);
    assert_int_equal(modify(bed, rows, 2), EC_SUCCESS);
    assert_int_equal(read_rows(bed, 0, got, &n), EC_SUCCESS);
    assert_int_equal(n, 2);
    assert_int_equal(got[0].row_id, 2);
    assert_int_equal(got[0].kind, 2);
    assert_slice(got[0].email, "carol@example.org");
    assert_int_equal(recipient_type(&got[0]), RECIPIENT_SMTP);
    assert_int_equal(got[1].row_id, 7);
    assert_slice(got[1].display_name, "Bob");
    assert_int_equal(read_rows(bed, 7, got, &n), EC_SUCCESS);
    assert_int_equal(n, 1);
    assert_int_equal(read_rows(bed, 3, got, &n), EC_NOT_FOUND); /* 3.2.5.6: no such row */
    assert_int_equal(read_rows(bed, 8, got, &n), EC_NOT_FOUND);

    uint64_t mid = save(bed, MESSAGE);
    assert_true(mail_has(bed, mid, "To: \"Bob\"\r\n <bob@example.org>"));
    assert_true(mail_has(bed, mid, "Cc: \"Carol\"\r\n <carol@example.org>"));
    assert_text(bed, MESSAGE, PR_DISPLAY_TO, "Bob");
    assert_int_equal(read_rows(bed, 7, got, &n), EC_SUCCESS);
    assert_int_equal(n, 1);

    const struct recipient gone = {.row_id = 7, .removed = true};
    const struct recipient never = {.row_id = 99, .removed = true};
    assert_int_equal(modify(bed, &gone, 1), EC_SUCCESS);
    assert_int_equal(modify(bed, &never, 1), EC_SUCCESS);
    save(bed, MESSAGE);
    assert_false(mail_has(bed, mid, "bob@example.org"));
    assert_int_equal(
        mapi_do(bed, ROP_RemoveAllRecipients, MESSAGE, 0, &(struct rop_remove_recipients){}, NULL),
        EC_SUCCESS);
    save(bed, MESSAGE);
    assert_false(mail_has(bed, mid, "carol@example.org"));
    assert_int_equal(read_rows(bed, 0, got, &n), EC_NOT_FOUND);
}

static void test_every_kind_of_address_comes_back(void **state)
{
    struct mapi_bed *bed = *state;
    const struct recipient rows[] = {
        {.row_id = 0,
         .kind = 1,
         .flags = RECIPIENT_X500,
         .x500 = S("X/cn=bob"),
         .prefix_used = 3, /* "/o=" of what Connect tells */
         .display_type = 0},
        {.row_id = 1,
         .kind = 1,
         .flags = RECIPIENT_PERSONAL_LIST_1,
         .entry_id = S("\1\2"),
         .search_key = S("\3")},
        {.row_id = 2, .kind = 1, .flags = 4 | RECIPIENT_EMAIL, .email = S("12345")},
        {.row_id = 3, .kind = 1, .flags = 2 | RECIPIENT_EMAIL, .email = S("net/po/user")},
        {.row_id = 4,
         .kind = 3,
         .flags = RECIPIENT_OTHER_TYPE | RECIPIENT_EMAIL,
         .address_type = S("X400"),
         .email = S("c=de;a=x")},
        {.row_id = 5,
         .kind = 0x81,
         .flags = RECIPIENT_DISPLAY_NAME | RECIPIENT_NON_RICH | RECIPIENT_RESPONSIBLE,
         .display_name = S("nobody yet")},
    };
    struct recipient got[8];
    size_t n;

    create_message(bed, MESSAGE, false);
    assert_int_equal(modify(bed, rows, 6), EC_SUCCESS);
    save(bed, MESSAGE);
    assert_int_equal(read_rows(bed, 0, got, &n), EC_SUCCESS);
    assert_int_equal(n, 6);
    assert_int_equal(recipient_type(&got[0]), RECIPIENT_X500);
    assert_slice(got[0].x500, "/o=X/cn=bob");
    assert_int_equal(recipient_type(&got[1]), RECIPIENT_PERSONAL_LIST_1);
    assert_slice(got[1].entry_id, "\1\2");
    assert_slice(got[1].search_key, "\3");
    assert_int_equal(recipient_type(&got[2]), 4);
    assert_slice(got[2].email, "12345");
    assert_int_equal(recipient_type(&got[3]), 2);
    assert_true(got[4].flags & RECIPIENT_OTHER_TYPE);
    assert_slice(got[4].address_type, "X400");
    assert_int_equal(got[4].kind, 3);
    assert_int_equal(got[5].kind, 0x81);
    assert_slice(got[5].display_name, "nobody yet");
    assert_true(got[5].flags & RECIPIENT_NON_RICH);
    assert_true(got[5].flags & RECIPIENT_RESPONSIBLE);
}

static void test_recipients_are_refused(void **state)
{
    struct mapi_bed *bed = *state;
    const struct recipient bad = {.row_id = 0, .kind = 9, .flags = RECIPIENT_SMTP};
    const struct recipient good = {.row_id = 0, .kind = 1, .flags = RECIPIENT_SMTP};

    create_message(bed, MESSAGE, false);
    assert_int_equal(modify(bed, &bad, 1), EC_INVALID_PARAMETER);
    uint64_t mid = mapi_bed_deliver(bed, MAIL);
    assert_int_equal(open_message(bed, MESSAGE, mid, 0, NULL), EC_SUCCESS);
    assert_int_equal(modify(bed, &good, 1), EC_ACCESS_DENIED);
    assert_int_equal(
        mapi_do(bed, ROP_RemoveAllRecipients, MESSAGE, 0, &(struct rop_remove_recipients){}, NULL),
        EC_ACCESS_DENIED);
    assert_int_equal(
        mapi_do(bed, ROP_ReadRecipients, LOGON, 0, &(struct rop_read_recipients){}, NULL),
        EC_NULL_OBJECT);
}

/* ---- attachments ---- */

static uint32_t attach(struct mapi_bed *bed, int message, int index)
{
    const struct rop_create_attachment_reply *reply;

    assert_int_equal(mapi_do(bed, ROP_CreateAttachment, (uint8_t)message, (uint8_t)index,
                             &(struct rop_create_attachment){}, (const void **)&reply),
                     EC_SUCCESS);
    return reply->number;
}

static uint32_t save_attachment(struct mapi_bed *bed, int index)
{
    return mapi_do(bed, ROP_SaveChangesAttachment, (uint8_t)index, MESSAGE,
                   &(struct rop_save_attachment){.flags = 0x0A}, NULL);
}

static uint32_t open_attachment(struct mapi_bed *bed, uint32_t number_, uint8_t mode)
{
    struct rop_open_attachment rq = {.mode = mode, .number = number_};

    return mapi_do(bed, ROP_OpenAttachment, MESSAGE, ATTACHMENT, &rq, NULL);
}

static size_t valid(struct mapi_bed *bed)
{
    const struct rop_get_valid_attachments_reply *reply;

    assert_int_equal(mapi_do(bed, ROP_GetValidAttachments, MESSAGE, 0,
                             &(struct rop_get_valid_attachments){}, (const void **)&reply),
                     EC_SUCCESS);
    return reply->numbers.n;
}

static void test_attachments_of_delivered_mail(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t mid = mapi_bed_deliver(bed, MAIL_WITH_FILE);

    assert_int_equal(open_message(bed, MESSAGE, mid, 1, NULL), EC_SUCCESS);
    assert_int_equal(valid(bed), 1);
    assert_int_equal(open_attachment(bed, 0, 1), EC_SUCCESS);
    assert_text(bed, ATTACHMENT, PR_ATTACH_DATA, "ABCD");
    assert_text(bed, ATTACHMENT, PR_ATTACH_LONG_FILENAME, "a.bin");
    assert_int_equal(number(bed, ATTACHMENT, PR_ATTACH_NUMBER), 0);
    assert_int_equal(open_attachment(bed, 1, 0), EC_NOT_FOUND);
    assert_int_equal(open_attachment(bed, 0, 2), EC_INVALID_PARAMETER);
}

static void test_an_attachment_is_saved_in_two_steps(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t mid = mapi_bed_deliver(bed, MAIL);
    uint32_t uid = row_of(bed, mid).uid;

    assert_int_equal(open_message(bed, MESSAGE, mid, 1, NULL), EC_SUCCESS);
    assert_int_equal(attach(bed, MESSAGE, ATTACHMENT), 0);
    assert_int_equal(number(bed, ATTACHMENT, PR_ATTACH_SIZE), 0x40); /* 3.2.5.13 */
    assert_int_equal(number(bed, ATTACHMENT, PR_RENDERING_POSITION), -1);
    assert_int_equal(number(bed, ATTACHMENT, 0x0FF70003), 1);
    assert_true(has(bed, ATTACHMENT, PR_CREATION_TIME));
    set_text(bed, ATTACHMENT, PR_ATTACH_LONG_FILENAME, "note.txt");
    set_number(bed, ATTACHMENT, PR_ATTACH_METHOD, 1);
    set_text(bed, ATTACHMENT, PR_ATTACH_DATA, "contents of it");
    assert_int_equal(set_number(bed, ATTACHMENT, PR_ATTACH_NUMBER, 9), ERR_DENIED);
    assert_int_equal(valid(bed), 0);
    assert_int_equal(save_attachment(bed, ATTACHMENT), EC_SUCCESS);
    assert_int_equal(valid(bed), 1);
    assert_int_equal(row_of(bed, mid).uid, uid);
    save(bed, MESSAGE);
    assert_true(row_of(bed, mid).uid > uid);
    assert_true(row_of(bed, mid).flags & FLAG_ATTACHMENTS);
    assert_true(mail_has(bed, mid, "note.txt"));
    assert_int_equal(number(bed, MESSAGE, PR_HAS_ATTACHMENTS), 1);

    /* Another handle sees it, and what was of the mail before. */
    assert_int_equal(open_message(bed, MESSAGE, mid, 1, NULL), EC_SUCCESS);
    assert_text(bed, MESSAGE, PR_SUBJECT, "Re: the plan");
    assert_int_equal(open_attachment(bed, 0, 0), EC_SUCCESS);
    assert_text(bed, ATTACHMENT, PR_ATTACH_DATA, "contents of it");
    assert_int_equal(save_attachment(bed, ATTACHMENT), EC_ACCESS_DENIED);
}

static void test_numbers_of_attachments_are_not_given_twice(void **state)
{
    struct mapi_bed *bed = *state;
    struct rop_delete_attachment rq = {.number = 0};

    create_message(bed, MESSAGE, false);
    assert_int_equal(attach(bed, MESSAGE, ATTACHMENT), 0);
    assert_int_equal(save_attachment(bed, ATTACHMENT), EC_SUCCESS);
    save(bed, MESSAGE);
    assert_int_equal(mapi_do(bed, ROP_DeleteAttachment, MESSAGE, 0, &rq, NULL), EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_DeleteAttachment, MESSAGE, 0, &rq, NULL), EC_NOT_FOUND);
    /* What was deleted cannot be saved any more. */
    assert_int_equal(save_attachment(bed, ATTACHMENT), EC_OBJECT_DELETED);
    assert_int_equal(attach(bed, MESSAGE, ATTACHMENT), 1);
    set_text(bed, ATTACHMENT, PR_ATTACH_DATA, "x");
    assert_int_equal(save_attachment(bed, ATTACHMENT), EC_SUCCESS);
    save(bed, MESSAGE);
    assert_int_equal(valid(bed), 1);
    assert_int_equal(open_attachment(bed, 1, 1), EC_SUCCESS);
    assert_text(bed, ATTACHMENT, PR_ATTACH_DATA, "x");
}

static void test_the_table_of_attachments(void **state)
{
    static const uint32_t tags[] = {PR_ATTACH_NUMBER, PR_ATTACH_SIZE, PR_ATTACH_LONG_FILENAME};
    struct mapi_bed *bed = *state;
    uint64_t mid = mapi_bed_deliver(bed, MAIL_WITH_FILE);
    const struct rop_query_rows_reply *reply;
    struct value_form form = {.codepage = 1252};

    assert_int_equal(open_message(bed, MESSAGE, mid, 1, NULL), EC_SUCCESS);
    attach(bed, MESSAGE, ATTACHMENT);
    set_text(bed, ATTACHMENT, PR_ATTACH_LONG_FILENAME, "new.txt");
    assert_int_equal(save_attachment(bed, ATTACHMENT), EC_SUCCESS);
    bed->columns = (struct rop_numbers){3, tags};
    mapi_ask(bed, ROP_GetAttachmentTable, MESSAGE, OTHER, &(struct rop_get_attachment_table){});
    mapi_ask(bed, ROP_SetColumns, OTHER, 0, &(struct rop_set_columns){.columns = bed->columns});
    mapi_ask(bed, ROP_QueryRows, OTHER, 0, &(struct rop_query_rows){.forward = 1, .n = 10});
    mapi_run(bed);
    assert_int_equal(mapi_reply(bed, 0)->error, EC_SUCCESS);
    assert_int_equal(mapi_reply(bed, 2)->error, EC_SUCCESS);
    reply = mapi_reply(bed, 2)->fields;
    assert_int_equal(reply->rows.n, 2);
    struct wire w = wire_of(reply->rows.bytes, &bed->arena);
    static const char *const names[] = {"a.bin", "new.txt"};

    for (size_t i = 0; i < 2; i++) {
        struct prop *values;

        assert_true(row_read(&w, &form, tags, 3, &values));
        assert_int_equal(values[0].value.number, i);
        assert_true(values[1].value.number > 0x40);
        assert_slice(values[2].value.bytes, names[i]);
    }
}

static void test_attachments_that_another_changed(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t mid = mapi_bed_deliver(bed, MAIL_WITH_FILE);
    struct rop_delete_attachment rq = {.number = 0};

    assert_int_equal(open_message(bed, OTHER, mid, 1, NULL), EC_SUCCESS);
    assert_int_equal(open_message(bed, MESSAGE, mid, 1, NULL), EC_SUCCESS);
    assert_int_equal(valid(bed), 1);
    assert_int_equal(mapi_do(bed, ROP_DeleteAttachment, OTHER, 0, &rq, NULL), EC_SUCCESS);
    save(bed, OTHER);
    assert_int_equal(open_attachment(bed, 0, 0), EC_OBJECT_MODIFIED);
    set_text(bed, MESSAGE, PR_SUBJECT, "mine");
    assert_int_equal(try_save(bed, MESSAGE, 0x02, NULL), EC_OBJECT_MODIFIED);
    assert_int_equal(try_save(bed, MESSAGE, 0x04, NULL), EC_SUCCESS);
    assert_int_equal(valid(bed), 0);
    assert_true(mail_has(bed, mid, "Subject: mine"));
    assert_false(mail_has(bed, mid, "a.bin"));
}

static uint32_t open_embedded(struct mapi_bed *bed, int attachment, int index, uint8_t mode,
                              const struct rop_open_embedded_reply **reply)
{
    struct rop_open_embedded rq = {.codepage = 0x0FFF, .mode = mode};

    return mapi_do(bed, ROP_OpenEmbeddedMessage, (uint8_t)attachment, (uint8_t)index, &rq,
                   (const void **)reply);
}

static void test_a_message_in_a_message(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_open_embedded_reply *reply;

    create_message(bed, MESSAGE, false);
    attach(bed, MESSAGE, ATTACHMENT);
    assert_int_equal(open_embedded(bed, ATTACHMENT, EMBEDDED, 1, NULL), EC_NOT_FOUND);
    assert_int_equal(open_embedded(bed, ATTACHMENT, EMBEDDED, 2, &reply), EC_SUCCESS);
    assert_int_equal(reply->reserved, 0);
    assert_int_equal(number(bed, ATTACHMENT, PR_ATTACH_METHOD), 5);
    set_text(bed, EMBEDDED, PR_SUBJECT, "inner one");
    set_text(bed, EMBEDDED, PR_BODY, "inner text");
    assert_int_equal(try_save(bed, EMBEDDED, 0x02, NULL), EC_SUCCESS);
    assert_int_equal(save_attachment(bed, ATTACHMENT), EC_SUCCESS);
    uint64_t mid = save(bed, MESSAGE);

    assert_true(mail_has(bed, mid, "message/rfc822"));
    assert_true(mail_has(bed, mid, "Subject: inner one"));
    assert_true(mail_has(bed, mid, "inner text"));
    assert_int_equal(open_message(bed, MESSAGE, mid, 0, NULL), EC_SUCCESS);
    assert_int_equal(open_attachment(bed, 0, 1), EC_ACCESS_DENIED);
    assert_int_equal(open_attachment(bed, 0, 3), EC_SUCCESS);
    assert_int_equal(open_embedded(bed, ATTACHMENT, EMBEDDED, 1, NULL), EC_ACCESS_DENIED);
    assert_int_equal(open_embedded(bed, ATTACHMENT, EMBEDDED, 0, &reply), EC_SUCCESS);
    assert_slice(reply->subject, "inner one");
    assert_text(bed, EMBEDDED, PR_BODY, "inner text");
}

static void test_a_delivered_message_in_a_message(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_open_embedded_reply *reply;
    uint64_t mid = mapi_bed_deliver(bed, MAIL_WITH_MAIL);

    assert_int_equal(open_message(bed, MESSAGE, mid, 1, NULL), EC_SUCCESS);
    assert_int_equal(open_attachment(bed, 0, 1), EC_SUCCESS);
    assert_int_equal(number(bed, ATTACHMENT, PR_ATTACH_METHOD), 5);
    assert_int_equal(open_embedded(bed, ATTACHMENT, EMBEDDED, 1, &reply), EC_SUCCESS);
    assert_slice(reply->prefix, "Fwd: ");
    assert_slice(reply->subject, "inner");
    assert_int_equal(reply->recipients, 1);
    assert_int_equal(number(bed, EMBEDDED, PR_MESSAGE_FLAGS) & 0x8, 0); /* it was sent */
    set_text(bed, EMBEDDED, PR_SUBJECT, "changed");
    save(bed, EMBEDDED);
    assert_true(mail_has(bed, mid, "Fwd: inner"));
    assert_int_equal(save_attachment(bed, ATTACHMENT), EC_SUCCESS);
    assert_true(mail_has(bed, mid, "Fwd: inner"));
    save(bed, MESSAGE);
    assert_true(mail_has(bed, mid, "Subject: changed"));
    assert_true(mail_has(bed, mid, "carol@example.org"));
    assert_true(mail_has(bed, mid, "inner text"));
    /* Data that is set takes the place of the message. */
    assert_int_equal(open_attachment(bed, 0, 1), EC_SUCCESS);
    set_text(bed, ATTACHMENT, PR_ATTACH_DATA, "no message");
    set_number(bed, ATTACHMENT, PR_ATTACH_METHOD, 1);
    assert_int_equal(open_embedded(bed, ATTACHMENT, EMBEDDED, 1, &reply), EC_NOT_FOUND);
    save_attachment(bed, ATTACHMENT);
    save(bed, MESSAGE);
    assert_false(mail_has(bed, mid, "message/rfc822"));
}

/* By the operations alone, as a client does it. */
static void test_a_message_is_composed_by_operations(void **state)
{
    struct mapi_bed *bed = *state;
    const struct recipient to = {.row_id = 0,
                                 .kind = 1,
                                 .flags = RECIPIENT_SMTP | RECIPIENT_EMAIL | RECIPIENT_UNICODE,
                                 .email = S("bob@example.org")};
    const struct prop props[] = {{PR_SUBJECT, {.bytes = S("composed")}},
                                 {PR_BODY, {.bytes = S("words")}}};
    const struct prop file[] = {{PR_ATTACH_LONG_FILENAME, {.bytes = S("f.bin")}},
                                {PR_ATTACH_METHOD, {.number = 1}}};
    struct rop_create_message create = {.codepage = 0x0FFF, .folder = bed->inbox};

    mapi_ask(bed, ROP_CreateMessage, LOGON, MESSAGE, &create);
    mapi_ask(bed, ROP_SetProperties, MESSAGE, 0, &(struct rop_set_properties){{2, props}});
    mapi_ask(bed, ROP_ModifyRecipients, MESSAGE, 0,
             &(struct rop_modify_recipients){.recipients = {.n = 1, .items = &to}});
    mapi_ask(bed, ROP_CreateAttachment, MESSAGE, ATTACHMENT, &(struct rop_create_attachment){});
    mapi_ask(bed, ROP_SetProperties, ATTACHMENT, 0, &(struct rop_set_properties){{2, file}});
    mapi_ask(bed, ROP_OpenStream, ATTACHMENT, OTHER,
             &(struct rop_open_stream){.tag = PR_ATTACH_DATA, .mode = 2});
    mapi_ask(bed, ROP_WriteStream, OTHER, 0, &(struct rop_write_stream){S("ABCD")});
    mapi_ask(bed, ROP_CommitStream, OTHER, 0, &(struct rop_commit_stream){});
    mapi_ask(bed, ROP_SaveChangesAttachment, ATTACHMENT, MESSAGE,
             &(struct rop_save_attachment){.flags = 2});
    mapi_ask(bed, ROP_SaveChangesMessage, MESSAGE, LOGON, &(struct rop_save_message){.flags = 2});
    mapi_run(bed);
    for (size_t i = 0; i < bed->n; i++)
        assert_int_equal(mapi_reply(bed, i)->error, EC_SUCCESS);
    uint64_t mid = ((const struct rop_save_message_reply *)mapi_reply(bed, 9)->fields)->message;

    assert_true(mail_has(bed, mid, "Subject: composed"));
    assert_true(mail_has(bed, mid, "words"));
    assert_true(mail_has(bed, mid, "bob@example.org"));
    assert_true(mail_has(bed, mid, "f.bin"));
    assert_true(mail_has(bed, mid, "QUJDRA=="));
}

static void test_messages_are_not_embedded_too_deep(void **state)
{
    struct mapi_bed *bed = *state;

    create_message(bed, MESSAGE, false);
    int outer = MESSAGE, inner = EMBEDDED;

    for (int depth = 1; depth < STORE_CONTENT_DEPTH; depth++) {
        attach(bed, outer, ATTACHMENT);
        assert_int_equal(open_embedded(bed, ATTACHMENT, inner, 2, NULL), EC_SUCCESS);
        outer = inner;
        inner = inner == EMBEDDED ? INNER : EMBEDDED;
    }
    attach(bed, outer, ATTACHMENT);
    assert_int_equal(open_embedded(bed, ATTACHMENT, inner, 2, NULL), EC_TOO_COMPLEX);
}

static uint32_t copy_hanging(struct mapi_bed *bed, int from, int to)
{
    return mapi_do(bed, ROP_CopyTo, (uint8_t)from, (uint8_t)to,
                   &(struct rop_copy_to){.subobjects = 1}, NULL);
}

/* The message in ATTACHMENT becomes one that has the message before it `copies` times. */
static uint32_t wrap(struct mapi_bed *bed, int copies)
{
    uint32_t ec = EC_SUCCESS;

    attach(bed, MESSAGE, OTHER);
    assert_int_equal(open_embedded(bed, OTHER, INNER, 2, NULL), EC_SUCCESS);
    for (int i = 0; i < copies && !ec; i++) {
        attach(bed, INNER, EMBEDDED);
        ec = copy_hanging(bed, ATTACHMENT, EMBEDDED);
        if (!ec)
            ec = save_attachment(bed, EMBEDDED);
    }
    if (!ec)
        ec = try_save(bed, INNER, 0x0A, NULL);
    return ec ? ec : copy_hanging(bed, OTHER, ATTACHMENT);
}

static uint32_t wrap_until_refused(struct mapi_bed *bed, int copies)
{
    uint64_t held = bed->context->held;
    uint32_t ec = EC_SUCCESS;

    create_message(bed, MESSAGE, false);
    attach(bed, MESSAGE, ATTACHMENT);
    assert_int_equal(open_embedded(bed, ATTACHMENT, INNER, 2, NULL), EC_SUCCESS);
    save(bed, INNER);
    for (int round = 0; round < 2 * STORE_CONTENT_DEPTH && !ec; round++)
        ec = wrap(bed, copies);
    mapi_ask(bed, ROP_Release, MESSAGE, 0, &(struct rop_release){});
    mapi_run(bed);
    assert_int_equal(bed->context->held, held);
    return ec;
}

/* What is copied is neither deeper nor more than what may be made. */
static void test_copies_are_bounded(void **state)
{
    struct mapi_bed *bed = *state;

    assert_int_equal(wrap_until_refused(bed, 1), EC_TOO_COMPLEX);
    bed->mapi->config.max_memory = bed->context->held + (1 << 20);
    assert_int_equal(wrap_until_refused(bed, 2), EC_NOT_ENOUGH_MEMORY);
}

static void test_what_is_unsaved_is_bounded_and_given_back(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t held = bed->context->held;

    create_message(bed, MESSAGE, false);
    attach(bed, MESSAGE, ATTACHMENT);
    set_text(bed, ATTACHMENT, PR_ATTACH_DATA, "some bytes");
    save_attachment(bed, ATTACHMENT);
    assert_true(bed->context->held > held);
    save(bed, MESSAGE);
    mapi_ask(bed, ROP_Release, MESSAGE, 0, &(struct rop_release){});
    mapi_run(bed);
    assert_int_equal(bed->context->held, held);
}

static void test_a_full_mailbox_and_full_memory(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t most = bed->mapi->config.max_memory, mid;
    static uint8_t bytes[4096];
    struct store_prop data = {.tag = PR_BODY, .value.bytes = {bytes, sizeof bytes}};
    struct store_set_quota rq;
    enum err_code problem;

    memset(bytes, 'x', sizeof bytes);
    mapi_bed_deliver(bed, MAIL);
    create_message(bed, MESSAGE, false);
    store_set_quota_init(&rq);
    rq.quota = 1;
    assert_ok(store_run(bed->mailbox, &rq.op));
    assert_int_equal(try_save(bed, MESSAGE, 0x02, &mid), EC_QUOTA_EXCEEDED);
    rq.quota = 0;
    assert_ok(store_run(bed->mailbox, &rq.op));
    bed->mapi->config.max_memory = bed->context->held + sizeof bytes;
    assert_int_equal(set_one(bed, MESSAGE, data, &problem), EC_NOT_ENOUGH_MEMORY);
    bed->mapi->config.max_memory = most;
    assert_int_equal(try_save(bed, MESSAGE, 0x02, &mid), EC_SUCCESS);
}

static void test_recipients_that_do_not_fit_are_read_later(void **state)
{
    enum { MANY = 600 };
    static struct recipient got[MANY];
    struct mapi_bed *bed = *state;
    const struct rop_open_message_reply *reply;
    struct recipient rows[4];
    size_t n, have = 0;

    create_message(bed, MESSAGE, false);
    for (uint32_t i = 0; i < MANY; i += 4) {
        for (uint32_t j = 0; j < 4; j++)
            rows[j] = (struct recipient){.row_id = i + j,
                                         .kind = 1,
                                         .flags = RECIPIENT_SMTP | RECIPIENT_EMAIL,
                                         .email = S("somebody@example.org")};
        assert_int_equal(modify(bed, rows, 4), EC_SUCCESS);
    }
    uint64_t mid = save(bed, MESSAGE);

    assert_int_equal(open_message(bed, MESSAGE, mid, 0, &reply), EC_SUCCESS);
    assert_int_equal(reply->recipients, MANY);
    assert_true(reply->rows.n > 0 && reply->rows.n < MANY);
    while (read_rows(bed, (uint32_t)have, got + have, &n) == EC_SUCCESS) {
        assert_int_equal(got[have].row_id, have);
        have += n;
    }
    assert_int_equal(have, MANY);
}

/* ---- who may ---- */

/* A log-on of somebody else to this mailbox. */
static void log_on_as(struct mapi_bed *bed, const char *identity)
{
    struct mapi_object *logon;

    assert_int_equal(object_find(bed->context, bed->handles[LOGON], &logon), HANDLE_OPEN);
    logon->logon->owner = false;
    free(bed->context->identity);
    bed->context->identity = mem_str(identity);
}

static void give_bob(struct mapi_bed *bed, uint32_t rights)
{
    struct store_permission_change bob = {
        .how = PERMISSION_ADD,
        .permission = {.user = S("bob"), .name = S("Bob"), .rights = rights}};
    struct store_modify_permissions rq;

    store_modify_permissions_init(&rq);
    rq.fid = fixture_inbox(bed->mailbox);
    rq.changes = &bob;
    rq.n = 1;
    assert_ok(store_run(bed->mailbox, &rq.op));
}

static void test_rights_of_somebody_else(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t mid = mapi_bed_deliver(bed, MAIL);
    struct rop_create_message create = {.codepage = 0x0FFF, .folder = bed->inbox};
    struct rop_delete_messages del = {.messages = {1, &mid}};
    struct rop_set_read_flags read = {.flags = 1, .messages = {1, &mid}};
    struct rop_move_messages move = {.messages = {1, &mid}};

    open_inbox(bed);
    log_on_as(bed, "bob");
    assert_int_equal(open_message(bed, MESSAGE, mid, 0, NULL), EC_ACCESS_DENIED);
    give_bob(bed, 0x1); /* ReadAny */
    assert_int_equal(open_message(bed, MESSAGE, mid, 1, NULL), EC_ACCESS_DENIED);
    assert_int_equal(open_message(bed, MESSAGE, mid, 3, NULL), EC_SUCCESS);
    assert_int_equal(number(bed, MESSAGE, 0x0FF70003), 0);
    assert_int_equal(mapi_do(bed, ROP_CreateMessage, LOGON, OTHER, &create, NULL),
                     EC_ACCESS_DENIED);
    assert_int_equal(mapi_do(bed, ROP_DeleteMessages, FOLDER, 0, &del, NULL), EC_ACCESS_DENIED);
    assert_int_equal(mapi_do(bed, ROP_SetReadFlags, FOLDER, 0, &read, NULL), EC_ACCESS_DENIED);
    assert_int_equal(mapi_do(bed, ROP_MoveCopyMessages, FOLDER, FOLDER, &move, NULL),
                     EC_ACCESS_DENIED);
    give_bob(bed, 0x1 | 0x2 | 0x20);
    assert_int_equal(open_message(bed, MESSAGE, mid, 1, NULL), EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_CreateMessage, LOGON, OTHER, &create, NULL), EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_SetReadFlags, FOLDER, 0, &read, NULL), EC_SUCCESS);
    assert_true(row_of(bed, mid).flags & FLAG_SEEN);
}

/* ---- by ids ---- */

static void test_read_flags(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_set_read_flags_reply *reply;
    uint64_t mids[] = {mapi_bed_deliver(bed, MAIL), mapi_bed_deliver(bed, MAIL), mapi_id(0xFFFFF)};
    struct rop_set_read_flags rq = {.flags = 0x01, .messages = {1, mids}};

    open_inbox(bed);
    uint64_t cn = row_of(bed, mids[0]).cn;
    assert_int_equal(mapi_do(bed, ROP_SetReadFlags, FOLDER, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->partial, 0);
    assert_true(row_of(bed, mids[0]).flags & FLAG_SEEN);
    assert_false(row_of(bed, mids[1]).flags & FLAG_SEEN);
    assert_int_equal(row_of(bed, mids[0]).cn, cn);

    rq = (struct rop_set_read_flags){.flags = 0x05, .messages = {3, mids}};
    assert_int_equal(mapi_do(bed, ROP_SetReadFlags, FOLDER, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->partial, 1);
    assert_false(row_of(bed, mids[0]).flags & FLAG_SEEN);

    rq = (struct rop_set_read_flags){.flags = 0x00}; /* all of the folder */
    assert_int_equal(mapi_do(bed, ROP_SetReadFlags, FOLDER, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_true(row_of(bed, mids[1]).flags & FLAG_SEEN);
    rq.flags = 0x14; /* mutually exclusive ([MS-OXCMSG] 2.2.3.10.1) */
    assert_int_equal(mapi_do(bed, ROP_SetReadFlags, FOLDER, 0, &rq, NULL), EC_INVALID_PARAMETER);
    assert_int_equal(mapi_do(bed, ROP_SetReadFlags, LOGON, 0, &rq, NULL), EC_NULL_OBJECT);
}

static uint8_t set_read(struct mapi_bed *bed, uint8_t flags)
{
    const struct rop_set_message_read_reply *reply;
    struct rop_set_message_read rq = {.flags = flags};

    assert_int_equal(
        mapi_do(bed, ROP_SetMessageReadFlag, MESSAGE, LOGON, &rq, (const void **)&reply),
        EC_SUCCESS);
    assert_int_equal(mapi_reply(bed, 0)->handle, LOGON);
    return reply->changed;
}

static void test_the_read_flag_of_an_open_message(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t mid = mapi_bed_deliver(bed, MAIL);

    assert_int_equal(open_message(bed, MESSAGE, mid, 1, NULL), EC_SUCCESS);
    assert_int_equal(set_read(bed, 0x01), 1);
    assert_int_equal(set_read(bed, 0x01), 0);
    assert_int_equal(set_read(bed, 0x10), 0);
    assert_true(row_of(bed, mid).flags & FLAG_SEEN);
    assert_int_equal(set_read(bed, 0x05), 1);
    assert_false(row_of(bed, mid).flags & FLAG_SEEN);
    /* It is no conflict with what this handle changes. */
    set_text(bed, MESSAGE, PR_SUBJECT, "x");
    save(bed, MESSAGE);

    create_message(bed, MESSAGE, false);
    assert_int_equal(set_read(bed, 0x05), 1);
    assert_int_equal(number(bed, MESSAGE, PR_MESSAGE_FLAGS), 8);
    mid = save(bed, MESSAGE);
    assert_false(row_of(bed, mid).flags & FLAG_SEEN);
}

static void test_notifications_are_given_up(void **state)
{
    struct mapi_bed *bed = *state;

    open_inbox(bed);
    create_message(bed, MESSAGE, false);
    set_number(bed, MESSAGE, PR_MESSAGE_FLAGS, 0x300);
    uint64_t mid = save(bed, MESSAGE);
    struct rop_set_read_flags rq = {.flags = 0x20, .messages = {1, &mid}};

    assert_int_equal(number(bed, MESSAGE, PR_MESSAGE_FLAGS) & 0x301, 0x300);
    assert_int_equal(mapi_do(bed, ROP_SetReadFlags, FOLDER, 0, &rq, NULL), EC_SUCCESS);
    assert_int_equal(number(bed, MESSAGE, PR_MESSAGE_FLAGS) & 0x301, 0x200);
    assert_int_equal(set_read(bed, 0x40), 0);
    assert_int_equal(number(bed, MESSAGE, PR_MESSAGE_FLAGS) & 0x301, 0);
}

static void test_the_status_word(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t mid = mapi_bed_deliver(bed, MAIL), cn = row_of(bed, mid).cn;
    const struct rop_set_message_status_reply *reply;
    struct rop_set_message_status rq = {.message = mid, .flags = 0x3008, .mask = 0x1008};

    open_inbox(bed);
    assert_int_equal(mapi_do(bed, ROP_SetMessageStatus, FOLDER, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->flags, 0); /* those before */
    assert_true(row_of(bed, mid).flags & FLAG_DELETED);
    assert_int_equal(row_of(bed, mid).cn, cn);
    struct rop_get_message_status get = {.message = mid};
    assert_int_equal(mapi_do(bed, ROP_GetMessageStatus, FOLDER, 0, &get, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(mapi_reply(bed, 0)->def->id, ROP_SetMessageStatus);
    assert_int_equal(reply->flags, 0x1008);
    rq = (struct rop_set_message_status){.message = mid, .flags = 0, .mask = 0x8};
    assert_int_equal(mapi_do(bed, ROP_SetMessageStatus, FOLDER, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->flags, 0x1008);
    assert_false(row_of(bed, mid).flags & FLAG_DELETED);
    get.message = mapi_id(0xFFFFFF);
    assert_int_equal(mapi_do(bed, ROP_GetMessageStatus, FOLDER, 0, &get, NULL), EC_NOT_FOUND);
    assert_int_equal(mapi_do(bed, ROP_GetMessageStatus, LOGON, 0, &get, NULL), EC_NULL_OBJECT);
}

static void test_messages_are_moved_and_copied(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t mids[] = {mapi_bed_deliver(bed, MAIL), mapi_id(0xFFFFFF)};
    const struct rop_move_messages_reply *reply;
    struct rop_move_messages rq = {.messages = {2, mids}, .copy = 1};
    struct store_folder sent;
    struct store_read *rd;

    open_inbox(bed);
    open_folder(bed, OTHER, bed->folders[6]);
    assert_int_equal(mapi_do(bed, ROP_MoveCopyMessages, FOLDER, OTHER, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->partial, 1);
    assert_true(is_there(bed, mids[0]));
    rq = (struct rop_move_messages){.messages = {1, mids}};
    assert_int_equal(mapi_do(bed, ROP_MoveCopyMessages, FOLDER, OTHER, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->partial, 0);
    assert_false(is_there(bed, mids[0])); /* it has another MID now */
    assert_ok(store_read_begin(bed->mailbox, &rd));
    assert_ok(store_folder_special(rd, SPECIAL_SENT, &sent));
    assert_int_equal(sent.exists, 2);
    store_read_end(rd);
    /* DestHandleIndex is told where that handle is none ([MS-OXCROPS] 2.2.4.6). */
    assert_int_equal(mapi_do(bed, ROP_MoveCopyMessages, FOLDER, INNER, &rq, (const void **)&reply),
                     EC_DEST_NULL_OBJECT);
}

static void test_associated_messages_are_copied_as_such(void **state)
{
    struct mapi_bed *bed = *state;
    struct store_folder sent, shadow;
    struct store_read *rd;

    open_inbox(bed);
    open_folder(bed, OTHER, bed->folders[6]);
    create_message(bed, MESSAGE, true);
    uint64_t mid = save(bed, MESSAGE);
    struct rop_move_messages rq = {.messages = {1, &mid}, .copy = 1};

    assert_int_equal(mapi_do(bed, ROP_MoveCopyMessages, FOLDER, OTHER, &rq, NULL), EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_MoveCopyMessages, FOLDER, FOLDER, &rq, NULL), EC_SUCCESS);
    assert_ok(store_read_begin(bed->mailbox, &rd));
    assert_ok(store_folder_special(rd, SPECIAL_SENT, &sent));
    assert_int_equal(sent.exists, 0);
    assert_ok(store_folder_shadow(rd, sent.fid, SHADOW_ASSOCIATED, &shadow));
    assert_int_equal(shadow.exists, 1);
    assert_ok(store_folder_special(rd, SPECIAL_INBOX, &sent));
    assert_ok(store_folder_shadow(rd, sent.fid, SHADOW_ASSOCIATED, &shadow));
    assert_int_equal(shadow.exists, 2);
    store_read_end(rd);
}

static void test_messages_are_deleted(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t mids[] = {mapi_bed_deliver(bed, MAIL), mapi_id(0xFFFFFF)};
    const struct rop_delete_messages_reply *reply;
    struct rop_delete_messages rq = {.messages = {2, mids}};

    open_inbox(bed);
    assert_int_equal(mapi_do(bed, ROP_DeleteMessages, FOLDER, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->partial, 1);
    assert_int_equal(open_message(bed, MESSAGE, mids[0], 0, NULL), EC_NOT_FOUND);
    assert_int_equal(mapi_do(bed, ROP_DeleteMessages, LOGON, 0, &rq, NULL), EC_NOT_SUPPORTED);
}

static void test_kinds_are_checked(void **state)
{
    struct mapi_bed *bed = *state;

    open_inbox(bed);
    assert_int_equal(mapi_do(bed, ROP_CreateAttachment, FOLDER, ATTACHMENT,
                             &(struct rop_create_attachment){}, NULL),
                     EC_NULL_OBJECT);
    assert_int_equal(open_embedded(bed, FOLDER, EMBEDDED, 0, NULL), EC_NULL_OBJECT);
    struct rop_create_message rq = {.codepage = 0x0FFF, .folder = mapi_id(0xFFFFFF)};
    assert_int_equal(mapi_do(bed, ROP_CreateMessage, LOGON, MESSAGE, &rq, NULL), EC_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_open_tells_subject_and_recipients),
        T(test_open_refuses),
        T(test_a_new_message_has_initial_values),
        T(test_nothing_is_stored_before_it_is_saved),
        T(test_message_flags_are_the_clients_until_saved),
        T(test_a_change_of_state_keeps_the_uid),
        T(test_a_change_of_content_makes_another_mail),
        T(test_attachments_that_are_not_saved),
        T(test_the_second_to_save_is_told),
        T(test_save_flags_and_access),
        T(test_a_message_that_is_deleted_meanwhile),
        T(test_associated_messages_are_no_mail),
        T(test_recipients_are_added_replaced_and_removed),
        T(test_every_kind_of_address_comes_back),
        T(test_recipients_are_refused),
        T(test_attachments_of_delivered_mail),
        T(test_an_attachment_is_saved_in_two_steps),
        T(test_numbers_of_attachments_are_not_given_twice),
        T(test_the_table_of_attachments),
        T(test_attachments_that_another_changed),
        T(test_a_message_in_a_message),
        T(test_a_delivered_message_in_a_message),
        T(test_a_message_is_composed_by_operations),
        T(test_messages_are_not_embedded_too_deep),
        T(test_copies_are_bounded),
        T(test_what_is_unsaved_is_bounded_and_given_back),
        T(test_a_full_mailbox_and_full_memory),
        T(test_recipients_that_do_not_fit_are_read_later),
        T(test_rights_of_somebody_else),
        T(test_read_flags),
        T(test_the_read_flag_of_an_open_message),
        T(test_notifications_are_given_up),
        T(test_the_status_word),
        T(test_messages_are_moved_and_copied),
        T(test_associated_messages_are_copied_as_such),
        T(test_messages_are_deleted),
        T(test_kinds_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
