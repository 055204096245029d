/* What a MAPI client keeps beside messages, or soft-deletes, is no part of what IMAP and POP3 see.
 */
#include "tests/support/imap.h"

#include "protocols/pop3/pop3_int.h"
#include "store/property.h"

#define MAIL "Subject: x\r\n\r\nbody\r\n"

static int begin(void **state)
{
    *state = fixture_new_with(&(struct store_config){.map_bytes = 1ull << 28,
                                                     .create = true,
                                                     .recover = 86400 * FILETIME_SECOND},
                              NULL);
    return 0;
}

static int end(void **state)
{
    fixture_free(*state);
    return 0;
}

/* What MAPI does to alice's Inbox, behind all sessions' backs. */
static void save_associated(struct fixture *fx)
{
    struct mailbox *mb = fixture_mailbox(fx, FIXTURE_ALICE);
    struct store_prop_change change = {
        .prop = {.tag = PR_MESSAGE_CLASS, .value.bytes = S("IPM.Configuration.x")}};
    struct store_save_message rq;

    store_save_message_init(&rq);
    rq.fid = SPECIAL_INBOX;
    rq.associated = true;
    rq.changes = &change;
    rq.n = 1;
    assert_ok(store_run(mb, &rq.op));
    mailbox_close(mb);
}

static void soft_delete(struct fixture *fx, uint32_t uid)
{
    struct mailbox *mb = fixture_mailbox(fx, FIXTURE_ALICE);
    struct store_delete_messages rq;
    struct message_row row;
    struct store_read *rd;

    assert_ok(store_read_begin(mb, &rd));
    assert_ok(store_message(rd, SPECIAL_INBOX, uid, &row));
    store_read_end(rd);
    store_delete_messages_init(&rq);
    rq.fid = SPECIAL_INBOX;
    rq.mids = &row.mid;
    rq.n = 1;
    assert_ok(store_run(mb, &rq.op));
    assert_int_equal(rq.deleted, 1);
    mailbox_close(mb);
}

static void soft_delete_folder(struct fixture *fx, const char *path)
{
    struct mailbox *mb = fixture_mailbox(fx, FIXTURE_ALICE);
    struct store_folder_remove rq;
    struct store_folder folder;
    struct store_read *rd;

    assert_ok(store_read_begin(mb, &rd));
    assert_ok(store_folder_find(rd, slice_str(path), &folder));
    store_read_end(rd);
    store_folder_remove_init(&rq);
    rq.fid = folder.fid;
    rq.messages = rq.folders = true;
    assert_ok(store_run(mb, &rq.op));
    assert_false(rq.partial);
    mailbox_close(mb);
}

/* ---- IMAP ---- */

static void a_soft_deleted_message_has_vanished(void **state)
{
    struct fixture *fx = *state;

    fixture_deliver_many(fx, FIXTURE_ALICE, S(MAIL), 4);
    struct fixture_session *fs = imap_log_on(fx, "alice"), *old = imap_log_on(fx, "alice");

    fixture_say(fs, "a ENABLE QRESYNC\r\nb SELECT INBOX\r\n");
    fixture_say(old, "a SELECT INBOX\r\n");
    soft_delete(fx, 2);
    imap_expect(fs, "c NOOP\r\n", "* VANISHED 2\r\nc OK Done\r\n");
    imap_expect(old, "b NOOP\r\n", "* 2 EXPUNGE\r\nb OK Done\r\n");
    imap_expect(fs, "d UID SEARCH ALL\r\n", "* SEARCH 1 3 4\r\nd OK ~\r\n");
    fixture_session_free(fs);
    fixture_session_free(old);
}

static void an_idle_session_is_told(void **state)
{
    struct fixture *fx = *state;

    fixture_deliver_many(fx, FIXTURE_ALICE, S(MAIL), 2);
    struct fixture_session *fs = imap_log_on(fx, "alice");

    fixture_say(fs, "a SELECT INBOX\r\n");
    fixture_say(fs, "b IDLE\r\n");
    soft_delete(fx, 1);
    imap_await_wake(fs);
    imap_expect_text(buf_slice(&fs->out), "+ idling\r\n* 1 EXPUNGE\r\n", "IDLE");
    fixture_session_free(fs);
}

static void hidden_items_count_nowhere(void **state)
{
    struct fixture *fx = *state;
    static const char status[] = "a STATUS INBOX (MESSAGES UNSEEN UIDNEXT SIZE)\r\n";

    fixture_deliver_many(fx, FIXTURE_ALICE, S(MAIL), 3);
    save_associated(fx);
    soft_delete(fx, 3);
    struct fixture_session *fs = imap_log_on(fx, "alice");

    imap_expect(fs, status, "* STATUS INBOX (MESSAGES 2 UIDNEXT 4 UNSEEN 2 SIZE 40)\r\na OK ~\r\n");
    imap_expect(fs, "b SELECT INBOX\r\n",
                "* FLAGS (~)\r\n* OK [PERMANENTFLAGS (~)] ~\r\n* 2 EXISTS\r\n* 2 RECENT\r\n"
                "* OK [UNSEEN 1] ~\r\n* OK [UIDVALIDITY ~] ~\r\n* OK [UIDNEXT 4] ~\r\n"
                "* OK [HIGHESTMODSEQ ~] ~\r\n* OK [MAILBOXID (~)] ~\r\n"
                "b OK [READ-WRITE] Selected\r\n");
    fixture_session_free(fs);
}

static size_t count_lines(struct slice text, const char *begin)
{
    size_t n = 0;

    while (text.len > 0)
        n += slice_starts(slice_cut(&text, '\n'), slice_str(begin));
    return n;
}

static void shadows_and_soft_deleted_folders_are_not_listed(void **state)
{
    struct fixture *fx = *state;
    struct fixture_session *fs = imap_log_on(fx, "alice"), *in_it = imap_log_on(fx, "alice");
    size_t before = count_lines(fixture_say(fs, "a LIST \"\" *\r\n"), "* LIST ");

    fixture_deliver_many(fx, FIXTURE_ALICE, S(MAIL), 2);
    fixture_say(fs, "b CREATE Old\r\nc CREATE Old/Sub\r\nd COPY 1 Old\r\n");
    fixture_say(in_it, "a SELECT Old\r\n");
    save_associated(fx);
    soft_delete(fx, 1);
    soft_delete_folder(fx, "Old");
    assert_int_equal(count_lines(fixture_say(fs, "e LIST \"\" *\r\n"), "* LIST "), before);
    imap_expect(fs, "f SELECT Old\r\n", "f NO [NONEXISTENT] ~\r\n");
    imap_expect(fs, "g STATUS Old/Sub (MESSAGES)\r\n", "g NO [NONEXISTENT] ~\r\n");
    imap_expect(fs, "h CREATE Old\r\n", "h OK ~\r\n");
    /* A session that has it selected is in the place of one whose folder was deleted by IMAP. */
    assert_true(slice_find(fixture_say(in_it, "b NOOP\r\n"), S("EXISTS")) == in_it->out.len);
    fixture_session_free(fs);
    fixture_session_free(in_it);
}

static void what_mapi_calls_a_slash_is_no_level(void **state)
{
    struct fixture *fx = *state;
    struct mailbox *mb = fixture_mailbox(fx, FIXTURE_ALICE);
    struct store_folder_create rq;

    store_folder_create_init(&rq);
    rq.parent = SPECIAL_IPM_SUBTREE;
    rq.path = S("in/out");
    assert_ok(store_run(mb, &rq.op));
    mailbox_close(mb);
    struct fixture_session *fs = imap_log_on(fx, "alice");

    imap_expect(fs, "a LIST \"\" in*\r\n",
                "* LIST (~) \"/\" INBOX\r\n* LIST (~) \"/\" \"in&IhU-out\"\r\na OK ~\r\n");
    fixture_session_free(fs);
}

/* ---- POP3 ---- */

static void pop3_has_the_messages_alone(void **state)
{
    struct fixture *fx = *state;

    fixture_deliver_many(fx, FIXTURE_ALICE, S(MAIL), 3);
    save_associated(fx);
    soft_delete(fx, 2);
    struct fixture_session *fs = fixture_connect(fx, pop3_session_new, AUTH_POP3);

    fixture_say(fs, "USER alice\r\nPASS gatepost\r\n");
    assert_slice(fixture_say(fs, "STAT\r\n"), "+OK 2 40\r\n");
    assert_slice(fixture_say(fs, "LIST\r\n"), "+OK 2 40\r\n1 20\r\n2 20\r\n.\r\n");
    /* One that is soft-deleted while the session has it is not there any more. */
    soft_delete(fx, 3);
    assert_true(slice_starts(fixture_say(fs, "RETR 2\r\n"), S("-ERR ")));
    fixture_session_free(fs);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_soft_deleted_message_has_vanished),
        TEST(an_idle_session_is_told),
        TEST(hidden_items_count_nowhere),
        TEST(shadows_and_soft_deleted_folders_are_not_listed),
        TEST(what_mapi_calls_a_slash_is_no_level),
        TEST(pop3_has_the_messages_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
