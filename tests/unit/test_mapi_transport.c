/* test_mapi_transport.c - mail is sent ([MS-OXOMSG]). */
#include "tests/support/mapi.h"

enum { LOGON, MESSAGE };

/* ---- who there is, and where mail goes ---- */

static struct err find(struct mapi_directory *self, struct slice name, struct arena *in,
                       struct mapi_person *out)
{
    (void)self;
    (void)in;
    if (slice_eq(name, S("alice")) || slice_eq(name, S("alice@here.test")))
        *out = (struct mapi_person){.identity = S("alice"),
                                    .display_name = S("Alice"),
                                    .address = S("alice@here.test"),
                                    .mailbox_id = FIXTURE_ALICE};
    else if (slice_eq(name, S("bob")) || slice_eq(name, S("bob@here.test")))
        *out = (struct mapi_person){.identity = S("bob"),
                                    .display_name = S("Bob"),
                                    .address = S("bob@here.test"),
                                    .mailbox_id = FIXTURE_BOB};
    else
        return ERR(ERR_NOT_FOUND, "nobody");
    return OK;
}

static struct mapi_directory directory = {.find = find, .find_address = find};

/* What was asked last, and what comes of it. */
static struct sent {
    struct mapi_transport transport;
    struct mapi_mail *rq;
    struct task task;
    struct err err;
    unsigned n;
    struct buf recipients, bytes;
    char sender[100];
    struct mapi_mail was; /* its texts are gone */
} sent;

static void answer(struct task *task)
{
    (void)task;
    sent.rq->err = sent.err;
    sent.rq->done(sent.rq);
}

static void take(struct mapi_transport *self, struct mapi_mail *rq)
{
    (void)self;
    sent.n++;
    sent.rq = rq;
    sent.was = *rq;
    buf_clear(&sent.recipients);
    buf_clear(&sent.bytes);
    for (size_t i = 0; i < rq->n_recipients; i++) {
        buf_put(&sent.recipients, rq->recipients[i]);
        buf_putc(&sent.recipients, ' ');
    }
    buf_put(&sent.bytes, rq->bytes);
    snprintf(sent.sender, sizeof sent.sender, "%.*s", SLICE_ARG(rq->sender));
    sent.task.run = answer;
    executor_post(rq->home, &sent.task);
}

static int setup(void **state)
{
    struct mapi_bed *bed = mapi_bed_new();

    sent = (struct sent){.transport.ask = take};
    sent.recipients = sent.bytes = buf_make(64 * 1024);
    bed->mapi->config.directory = &directory;
    bed->mapi->config.transport = &sent.transport;
    mapi_bed_logon(bed);
    *state = bed;
    return 0;
}

static int teardown(void **state)
{
    buf_done(&sent.recipients);
    buf_done(&sent.bytes);
    mapi_bed_free(*state);
    return 0;
}

/* ---- a message in the Outbox ---- */

static struct recipient to(uint32_t row, uint8_t kind, const char *address)
{
    return (struct recipient){
        .row_id = row,
        .kind = kind,
        .flags = RECIPIENT_SMTP | RECIPIENT_EMAIL | RECIPIENT_DISPLAY_NAME | RECIPIENT_UNICODE,
        .email = slice_str(address),
        .display_name = slice_str(address),
    };
}

static void make_message(struct mapi_bed *bed, const struct recipient *recipients, size_t n)
{
    struct rop_create_message create = {0x0FFF, bed->folders[5], 0};
    struct rop_modify_recipients modify = {{{0, NULL}, n, recipients}};

    assert_int_equal(mapi_do(bed, ROP_CreateMessage, LOGON, MESSAGE, &create, NULL), EC_SUCCESS);
    if (n > 0)
        assert_int_equal(mapi_do(bed, ROP_ModifyRecipients, MESSAGE, 0, &modify, NULL), EC_SUCCESS);
}

static void set_text(struct mapi_bed *bed, uint32_t tag, const char *text)
{
    const struct prop prop = {tag, {.bytes = slice_str(text)}};
    struct rop_set_properties rq = {{1, &prop}};

    assert_int_equal(mapi_do(bed, ROP_SetProperties, MESSAGE, 0, &rq, NULL), EC_SUCCESS);
}

static uint32_t submit(struct mapi_bed *bed)
{
    return mapi_do(bed, ROP_SubmitMessage, MESSAGE, 0, &(struct rop_submit_message){0}, NULL);
}

static struct store_folder folder_of(struct mapi_bed *bed, size_t i)
{
    struct store_folder folder;
    struct store_read *rd;
    uint64_t fid;

    assert_true(mapi_id_counter(bed->folders[i], &fid));
    assert_ok(store_read_begin(bed->mailbox, &rd));
    assert_ok(store_folder_get(rd, fid, &folder));
    store_read_end(rd);
    return folder;
}

enum { OUTBOX = 5, SENT = 6 };

static void test_a_message_goes_into_the_queue(void **state)
{
    struct mapi_bed *bed = *state;
    const struct recipient recipients[] = {to(0, 1, "eve@elsewhere.test"),
                                           to(1, 2, "bob@here.test"),
                                           to(2, 3, "secret@elsewhere.test")};

    make_message(bed, recipients, 3);
    assert_int_equal(submit(bed), EC_SUCCESS);
    assert_string_equal(sent.sender, "alice@here.test");
    assert_slice(buf_slice(&sent.recipients),
                 "eve@elsewhere.test bob@here.test secret@elsewhere.test ");
    struct slice bytes = buf_slice(&sent.bytes);
    assert_true(slice_find(bytes, S("eve@elsewhere.test")) < bytes.len);
    assert_true(slice_starts(bytes, S("From: \"Alice\"\r\n <alice@here.test>\r\n")));
    assert_true(slice_find(bytes, S("Message-ID: <")) < bytes.len);
    /* Nobody else is to know who was named in Bcc. */
    assert_int_equal(slice_find(bytes, S("secret@")), bytes.len);
    assert_int_equal(slice_find(bytes, S("Bcc")), bytes.len);
    assert_int_equal(sent.was.task, MAPI_MAIL_SEND);
    assert_int_equal(sent.was.mailbox_id, FIXTURE_ALICE);
    assert_int_equal(sent.was.fid, folder_of(bed, OUTBOX).fid);
    assert_int_equal(sent.was.to, folder_of(bed, SENT).fid);
    assert_int_equal(sent.was.not_before, 0);
    assert_false(sent.was.wants_report);
    assert_int_equal(folder_of(bed, OUTBOX).exists, 1);
}

static void set_value(struct mapi_bed *bed, uint32_t tag, struct prop_value value)
{
    const struct prop prop = {tag, value};
    struct rop_set_properties rq = {{1, &prop}};

    assert_int_equal(mapi_do(bed, ROP_SetProperties, MESSAGE, 0, &rq, NULL), EC_SUCCESS);
}

/* [MS-OXOMSG] 2.2.3: units and a number go before a time. */
static void test_a_client_says_when_and_what_becomes_of_it(void **state)
{
    struct mapi_bed *bed = *state;
    const struct recipient one = to(0, 1, "eve@elsewhere.test");
    const uint64_t time = filetime_from_unix(4000000000);

    make_message(bed, &one, 1);
    set_value(bed, 0x3FEF0040, (struct prop_value){.time = time}); /* PidTagDeferredSendTime */
    set_value(bed, 0x0E01000B, (struct prop_value){.number = 1});  /* PidTagDeleteAfterSubmit */
    set_value(bed, PR_DELIVERY_REPORT_REQUESTED, (struct prop_value){.number = 1});
    assert_int_equal(submit(bed), EC_SUCCESS);
    assert_int_equal(sent.was.not_before, time);
    assert_int_equal(sent.was.to, 0);
    assert_true(sent.was.wants_report);

    make_message(bed, &one, 1);
    set_value(bed, 0x3FEF0040, (struct prop_value){.time = time});
    set_value(bed, 0x3FEB0003, (struct prop_value){.number = 3}); /* PidTagDeferredSendNumber */
    set_value(bed, 0x3FEC0003, (struct prop_value){.number = 1}); /* PidTagDeferredSendUnits */
    assert_int_equal(submit(bed), EC_SUCCESS);
    assert_true(sent.was.not_before > clock_now().wall);
    assert_true(sent.was.not_before < time);
}

static void test_what_does_not_get_into_the_queue_stays(void **state)
{
    struct mapi_bed *bed = *state;
    const struct recipient one = to(0, 1, "eve@elsewhere.test");
    static const struct {
        enum err_code code;
        uint32_t ec;
    } rows[] = {
        {ERR_EXISTS, EC_SUBMITTED},
        {ERR_UNAVAILABLE, EC_SERVER_TOO_BUSY},
        {ERR_NO_SPACE, EC_DISK_FULL},
    };

    make_message(bed, &one, 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sent.err = (struct err){rows[i].code, "no"};
        assert_int_equal(submit(bed), rows[i].ec);
        assert_int_equal(folder_of(bed, OUTBOX).exists, 1);
        assert_int_equal(folder_of(bed, SENT).exists, 0);
    }
}

/* Who had it already does not get it again ([MS-OXOMSG] 2.2.3.1). */
static void test_a_message_is_sent_again_to_who_did_not_get_it(void **state)
{
    struct mapi_bed *bed = *state;
    const struct recipient recipients[] = {to(0, 0x81, "has@it.test"), to(1, 0x11, "not@yet.test")};

    make_message(bed, recipients, 2);
    assert_int_equal(submit(bed), EC_SUCCESS);
    assert_slice(buf_slice(&sent.recipients), "has@it.test not@yet.test ");
    make_message(bed, recipients, 2);
    set_value(bed, PR_MESSAGE_FLAGS, (struct prop_value){.number = 0x88}); /* mfResend, mfUnsent */
    assert_int_equal(submit(bed), EC_SUCCESS);
    assert_slice(buf_slice(&sent.recipients), "not@yet.test ");
    make_message(bed, recipients, 1);
    set_value(bed, PR_MESSAGE_FLAGS, (struct prop_value){.number = 0x88});
    assert_int_equal(submit(bed), EC_NO_RECIPIENTS);
}

static void test_recipients_that_are_none(void **state)
{
    struct mapi_bed *bed = *state;
    static const char *const bad[] = {"nobody", "a@b>\r\nRCPT TO:<c@d", "@", "a b@c",
                                      "a@b\r\nX: y"};

    make_message(bed, NULL, 0);
    assert_int_equal(submit(bed), EC_NO_RECIPIENTS);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct recipient one = to(0, 1, bad[i]);

        make_message(bed, &one, 1);
        assert_int_equal(submit(bed), EC_UNKNOWN_USER);
    }
    assert_int_equal(sent.n, 0);
}

static void test_nobody_speaks_for_another(void **state)
{
    struct mapi_bed *bed = *state;
    const struct recipient one = to(0, 1, "eve@elsewhere.test");
    static const struct {
        uint32_t tag;
        const char *address;
    } rows[] = {
        {PR_SENT_REPRESENTING_EMAIL, "bob@here.test"},
        {PR_SENT_REPRESENTING_SMTP, "bob@here.test"},
        {PR_SENT_REPRESENTING_EMAIL, "ceo@elsewhere.test"},
        {PR_SENT_REPRESENTING_EMAIL, "alice"},
        {PR_SENT_REPRESENTING_SMTP, "alice@here.test>\r\nX-Forged: yes\r\nY: <a@b"},
        {PR_SENT_REPRESENTING_EMAIL, "/o=Gatepost/ou=Exchange Administrative Group "
                                     "(FYDIBOHF23SPDLT)/cn=Recipients/cn=bob"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        make_message(bed, &one, 1);
        set_text(bed, PR_SENT_REPRESENTING_ADDRESS_TYPE, "SMTP");
        set_text(bed, rows[i].tag, rows[i].address);
        assert_int_equal(submit(bed), EC_SEND_AS_DENIED);
    }
    assert_int_equal(sent.n, 0);
}

/* Who really sends it is what the server says. */
static void test_a_sender_that_is_set_is_not_believed(void **state)
{
    struct mapi_bed *bed = *state;
    const struct recipient one = to(0, 1, "eve@elsewhere.test");

    make_message(bed, &one, 1);
    set_text(bed, PR_SENDER_NAME, "The Boss");
    set_text(bed, PR_SENDER_ADDRESS_TYPE, "SMTP");
    set_text(bed, PR_SENDER_EMAIL, "boss@elsewhere.test");
    set_text(bed, PR_SENDER_SMTP_ADDRESS, "boss@elsewhere.test");
    assert_int_equal(submit(bed), EC_SUCCESS);
    struct slice bytes = buf_slice(&sent.bytes);
    assert_int_equal(slice_find(bytes, S("boss@")), bytes.len);
    assert_int_equal(slice_find(bytes, S("Sender:")), bytes.len);
}

/* ---- the others ---- */

static void test_what_there_is(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_get_address_types_reply *types;
    const struct rop_get_transport_folder_reply *folder;
    const struct rop_options_data_reply *options;
    struct rop_options_data rq = {S("SMTP"), 1};

    assert_int_equal(mapi_do(bed, ROP_GetAddressTypes, LOGON, 0, &(struct rop_get_address_types){},
                             (const void **)&types),
                     EC_SUCCESS);
    assert_int_equal(types->types.n, 2);
    assert_slice(types->types.items[0], "EX");
    assert_slice(types->types.items[1], "SMTP");
    assert_int_equal(mapi_do(bed, ROP_GetTransportFolder, LOGON, 0,
                             &(struct rop_get_transport_folder){}, (const void **)&folder),
                     EC_SUCCESS);
    assert_int_equal(folder->folder, bed->folders[OUTBOX]);
    assert_int_equal(mapi_do(bed, ROP_OptionsData, LOGON, 0, &rq, (const void **)&options),
                     EC_SUCCESS);
    assert_int_equal(options->reserved, 1);
    assert_int_equal(options->options.len, 0);
    assert_int_equal(mapi_do(bed, ROP_SetSpooler, LOGON, 0, &(struct rop_set_spooler){}, NULL),
                     EC_SUCCESS);
}

static void test_messages_by_their_id(void **state)
{
    struct mapi_bed *bed = *state;
    uint64_t mid = mapi_bed_deliver(bed, "Subject: x\r\n\r\nx\r\n");
    struct rop_abort_submit abort = {bed->inbox, mid};
    struct rop_lock_message lock = {mid, 0};
    struct rop_transport_new_mail mail = {mid, bed->inbox, S("IPM.Note"), 0};

    sent.err = (struct err){ERR_NOT_FOUND, "it is not in the queue"};
    assert_int_equal(mapi_do(bed, ROP_AbortSubmit, LOGON, 0, &abort, NULL), EC_NOT_IN_QUEUE);
    assert_int_equal(sent.was.task, MAPI_MAIL_ABORT);
    assert_int_equal(mapi_do(bed, ROP_SpoolerLockMessage, LOGON, 0, &lock, NULL), EC_SUCCESS);
    assert_int_equal(sent.was.task, MAPI_MAIL_LOCK);
    sent.err = (struct err){ERR_CONFLICT, "it is being handed over"};
    assert_int_equal(mapi_do(bed, ROP_AbortSubmit, LOGON, 0, &abort, NULL), EC_UNABLE_TO_ABORT);
    sent.err = OK;
    assert_int_equal(mapi_do(bed, ROP_AbortSubmit, LOGON, 0, &abort, NULL), EC_SUCCESS);
    lock.state = 1;
    assert_int_equal(mapi_do(bed, ROP_SpoolerLockMessage, LOGON, 0, &lock, NULL), EC_SUCCESS);
    assert_int_equal(sent.was.task, MAPI_MAIL_UNLOCK);
    assert_int_equal(mapi_do(bed, ROP_TransportNewMail, LOGON, 0, &mail, NULL), EC_SUCCESS);
    lock.state = 3;
    assert_int_equal(mapi_do(bed, ROP_SpoolerLockMessage, LOGON, 0, &lock, NULL),
                     EC_INVALID_PARAMETER);
    lock.state = 2; /* the client has sent it */
    assert_int_equal(mapi_do(bed, ROP_SpoolerLockMessage, LOGON, 0, &lock, NULL), EC_SUCCESS);
    assert_int_equal(sent.was.task, MAPI_MAIL_FILE);
    assert_int_equal(sent.was.to, folder_of(bed, SENT).fid);
    abort.message = mail.message = lock.message = mapi_id(0xFFFFFF);
    assert_int_equal(mapi_do(bed, ROP_AbortSubmit, LOGON, 0, &abort, NULL), EC_NOT_FOUND);
    assert_int_equal(mapi_do(bed, ROP_TransportNewMail, LOGON, 0, &mail, NULL), EC_NOT_FOUND);
    assert_int_equal(mapi_do(bed, ROP_SpoolerLockMessage, LOGON, 0, &lock, NULL), EC_NOT_FOUND);
}

static void test_on_what_is_no_message(void **state)
{
    struct mapi_bed *bed = *state;
    struct rop_submit_message rq = {0};

    assert_int_equal(mapi_do(bed, ROP_SubmitMessage, LOGON, 0, &rq, NULL), EC_NOT_SUPPORTED);
    assert_int_equal(
        mapi_do(bed, ROP_TransportSend, LOGON, 0, &(struct rop_transport_send){}, NULL),
        EC_NOT_SUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_message_goes_into_the_queue, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_does_not_get_into_the_queue_stays, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_client_says_when_and_what_becomes_of_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_sender_that_is_set_is_not_believed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_message_is_sent_again_to_who_did_not_get_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_recipients_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_speaks_for_another, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_there_is, setup, teardown),
        cmocka_unit_test_setup_teardown(test_messages_by_their_id, setup, teardown),
        cmocka_unit_test_setup_teardown(test_on_what_is_no_message, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
