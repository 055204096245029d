#include "tests/support/imap.h"

#define MAIL "From: a@example.org\r\nSubject: x\r\n\r\ny\r\n"

static int begin(void **state)
{
    *state = fixture_new();
    return 0;
}

static int end(void **state)
{
    fixture_free(*state);
    return 0;
}

static void deliver(struct fixture *fx, unsigned n)
{
    fixture_deliver_many(fx, FIXTURE_ALICE, S(MAIL), n);
}

/* Change flags of UIDs of alice's Inbox, behind all sessions' backs. */
static void set_flags(struct fixture *fx, uint32_t first, uint32_t last, uint16_t flags,
                      const char *keyword)
{
    struct mailbox *mb = fixture_mailbox(fx, FIXTURE_ALICE);
    struct slice name = slice_str(keyword);
    struct store_set_flags rq;

    store_set_flags_init(&rq);
    rq.fid = fixture_inbox(mb);
    rq.how = FLAGS_ADD;
    rq.flags = flags;
    rq.keywords = &name;
    rq.n_keywords = keyword != NULL;
    uidset_add(&rq.uids, first, last);
    assert_ok(store_run(mb, &rq.op));
    uidset_done(&rq.uids);
    uidset_done(&rq.modified);
    uidset_done(&rq.changed);
    mailbox_close(mb);
}

/* ---- SELECT ---- */

static void select_tells_what_rfc_3501_wants(void **state)
{
    struct fixture *fx = *state;

    deliver(fx, 3);
    set_flags(fx, 1, 1, FLAG_SEEN, NULL);
    struct fixture_session *fs = imap_log_on(fx, "alice");
    imap_expect(fs, "a SELECT inbox\r\n",
                "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n"
                "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] ~\r\n"
                "* 3 EXISTS\r\n* 3 RECENT\r\n* OK [UNSEEN 2] ~\r\n* OK [UIDVALIDITY ~] ~\r\n"
                "* OK [UIDNEXT 4] ~\r\n* OK [HIGHESTMODSEQ ~] ~\r\n* OK [MAILBOXID (~)] ~\r\n"
                "a OK [READ-WRITE] Selected\r\n");
    imap_expect(fs, "b EXAMINE INBOX\r\n",
                "* OK [CLOSED] ~\r\n* FLAGS (~)\r\n* OK [PERMANENTFLAGS ()] ~\r\n"
                "* 3 EXISTS\r\n* 0 RECENT\r\n* OK [UNSEEN 2] ~\r\n* OK [UIDVALIDITY ~] ~\r\n"
                "* OK [UIDNEXT 4] ~\r\n* OK [HIGHESTMODSEQ ~] ~\r\n* OK [MAILBOXID (~)] ~\r\n"
                "b OK [READ-ONLY] Selected\r\n");
    imap_expect(fs, "c SELECT nosuch\r\n", "* OK [CLOSED] ~\r\nc NO [NONEXISTENT] ~\r\n");
    imap_expect(fs, "d CHECK\r\n", "d BAD Select a mailbox first\r\n");
    fixture_session_free(fs);
}

static void select_in_rev2_lists_and_knows_no_recent(void **state)
{
    struct fixture *fx = *state;

    deliver(fx, 1);
    struct fixture_session *fs = imap_log_on(fx, "alice");
    imap_expect(fs, "a ENABLE IMAP4rev2\r\n", "* ENABLED IMAP4rev2\r\na OK Done\r\n");
    imap_expect(fs, "b SELECT INBOX\r\n",
                "* FLAGS (~)\r\n* OK [PERMANENTFLAGS (~)] ~\r\n* 1 EXISTS\r\n"
                "* OK [UIDVALIDITY ~] ~\r\n* OK [UIDNEXT 2] ~\r\n* OK [HIGHESTMODSEQ ~] ~\r\n"
                "* OK [MAILBOXID (~)] ~\r\n* LIST (~) \"/\" INBOX\r\n"
                "b OK [READ-WRITE] Selected\r\n");
    fixture_session_free(fs);
}

static void a_malformed_select_leaves_the_mailbox_selected(void **state)
{
    static const char *const bad[] = {
        "x SELECT\r\n",
        "x SELECT INBOX x\r\n",
        "x SELECT INBOX ()\r\n",
        "x SELECT INBOX (WHAT)\r\n",
        "x SELECT INBOX (CONDSTORE\r\n",
        "x SELECT INBOX (QRESYNC (1 2))\r\n", /* not enabled */
    };
    struct fixture_session *fs = imap_log_on(*state, "alice");

    fixture_say(fs, "a SELECT INBOX\r\n");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        imap_expect(fs, bad[i], "x BAD ~\r\n");
        imap_expect(fs, "y CHECK\r\n", "y OK Done\r\n");
    }
    fixture_session_free(fs);
}

static void only_one_session_is_told_that_a_message_is_recent(void **state)
{
    struct fixture *fx = *state;

    deliver(fx, 2);
    struct fixture_session *one = imap_log_on(fx, "alice");
    struct fixture_session *two = imap_log_on(fx, "alice");
    struct slice got = fixture_say(one, "a EXAMINE INBOX\r\n");
    assert_true(slice_find(got, S("* 2 RECENT")) < got.len);
    got = fixture_say(one, "b SELECT INBOX\r\n");
    assert_true(slice_find(got, S("* 2 RECENT")) < got.len);
    imap_expect(two, "a STATUS INBOX (RECENT)\r\n", "* STATUS INBOX (RECENT 0)\r\na OK Done\r\n");
    got = fixture_say(two, "b SELECT INBOX\r\n");
    assert_true(slice_find(got, S("* 0 RECENT")) < got.len);
    deliver(fx, 1);
    imap_expect(one, "c NOOP\r\n", "* 3 EXISTS\r\n* 3 RECENT\r\nc OK Done\r\n");
    imap_expect(two, "c NOOP\r\n", "* 3 EXISTS\r\n* 0 RECENT\r\nc OK Done\r\n");
    fixture_session_free(one);
    fixture_session_free(two);
}

/* ---- what other sessions do ---- */

static void changes_of_others_are_told_after_a_command(void **state)
{
    struct fixture *fx = *state;

    deliver(fx, 5);
    struct fixture_session *fs = imap_log_on(fx, "alice");
    fixture_say(fs, "a SELECT INBOX\r\n");
    imap_expect(fs, "b NOOP\r\n", "b OK Done\r\n");
    set_flags(fx, 2, 3, FLAG_FLAGGED, NULL);
    imap_expect(fs, "c NOOP\r\n",
                "* 2 FETCH (FLAGS (\\Flagged \\Recent))\r\n"
                "* 3 FETCH (FLAGS (\\Flagged \\Recent))\r\nc OK Done\r\n");
    fixture_expunge(fx, FIXTURE_ALICE, 1, 2);
    fixture_expunge(fx, FIXTURE_ALICE, 4, 4);
    set_flags(fx, 5, 5, FLAG_SEEN, NULL);
    deliver(fx, 1);
    imap_expect(fs, "d NOOP\r\n",
                "* 4 EXPUNGE\r\n* 2 EXPUNGE\r\n* 1 EXPUNGE\r\n* 3 EXISTS\r\n* 3 RECENT\r\n"
                "* 2 FETCH (FLAGS (\\Seen \\Recent))\r\nd OK Done\r\n");
    imap_expect(fs, "e NOOP\r\n", "e OK Done\r\n");
    fixture_session_free(fs);
}

static void a_new_keyword_is_announced_before_it_is_used(void **state)
{
    struct fixture *fx = *state;

    deliver(fx, 1);
    struct fixture_session *fs = imap_log_on(fx, "alice");
    fixture_say(fs, "a ENABLE IMAP4rev2\r\nb SELECT INBOX\r\n");
    set_flags(fx, 1, 1, 0, "$Junk");
    imap_expect(fs, "c NOOP\r\n",
                "* FLAGS (~ $Junk)\r\n* OK [PERMANENTFLAGS (~ $Junk \\*)] ~\r\n"
                "* 1 FETCH (UID 1 FLAGS ($Junk))\r\nc OK Done\r\n");
    fixture_session_free(fs);
}

static void expunges_wait_while_sequence_numbers_are_in_use(void **state)
{
    struct fixture *fx = *state;

    deliver(fx, 4);
    struct fixture_session *fs = imap_log_on(fx, "alice");
    fixture_say(fs, "a SELECT INBOX\r\n");
    fixture_expunge(fx, FIXTURE_ALICE, 2, 2);
    deliver(fx, 1);
    imap_expect(fs, "b SEARCH ALL\r\n", "* SEARCH ~\r\n* 5 EXISTS\r\n* 5 RECENT\r\nb OK ~\r\n");
    imap_expect(fs, "c NOOP\r\n", "* 2 EXPUNGE\r\nc OK Done\r\n");
    fixture_session_free(fs);
}

static void qresync_tells_vanished_and_condstore_tells_modseq(void **state)
{
    struct fixture *fx = *state;

    deliver(fx, 6);
    struct fixture_session *fs = imap_log_on(fx, "alice");
    fixture_say(fs, "a ENABLE QRESYNC\r\nb SELECT INBOX\r\n");
    fixture_expunge(fx, FIXTURE_ALICE, 1, 2);
    fixture_expunge(fx, FIXTURE_ALICE, 4, 4);
    set_flags(fx, 5, 5, FLAG_SEEN, NULL);
    imap_expect(fs, "c NOOP\r\n",
                "* VANISHED 1:2,4\r\n"
                "* 2 FETCH (UID 5 FLAGS (\\Seen \\Recent) MODSEQ (~))\r\nc OK Done\r\n");
    fixture_session_free(fs);
}

static uint64_t number_behind(struct slice text, const char *what)
{
    size_t at = slice_find(text, slice_str(what));
    uint64_t n = 0;

    assert_true(at < text.len);
    for (at += strlen(what); ascii_is_digit(text.ptr[at]); at++)
        n = n * 10 + (uint64_t)(text.ptr[at] - '0');
    return n;
}

static void qresync_catches_up_from_where_the_client_was(void **state)
{
    struct fixture *fx = *state;
    char line[200];

    deliver(fx, 6);
    struct fixture_session *fs = imap_log_on(fx, "alice");
    struct slice got = fixture_say(fs, "a ENABLE QRESYNC\r\nb SELECT INBOX\r\n");
    unsigned uidvalidity = (unsigned)number_behind(got, "UIDVALIDITY ");
    unsigned modseq = (unsigned)number_behind(got, "HIGHESTMODSEQ ");
    fixture_say(fs, "c UNSELECT\r\n");
    fixture_expunge(fx, FIXTURE_ALICE, 1, 2);
    fixture_expunge(fx, FIXTURE_ALICE, 6, 6);
    set_flags(fx, 4, 5, FLAG_SEEN, NULL);
    deliver(fx, 1);
    snprintf(line, sizeof line, "d SELECT INBOX (QRESYNC (%u %u))\r\n", uidvalidity, modseq);
    imap_expect(fs, line,
                "* FLAGS ~\r\n* OK [PERM~\r\n* 4 EXISTS\r\n* 1 RECENT\r\n* OK [UNSEEN 1] ~\r\n"
                "* OK [UIDV~\r\n* OK [UIDN~\r\n* OK [HIGH~\r\n* OK [MAILB~\r\n"
                "* VANISHED (EARLIER) 1:2,6\r\n"
                "* 2 FETCH (UID 4 FLAGS (\\Seen) MODSEQ (~))\r\n"
                "* 3 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (~))\r\n"
                "* 4 FETCH (UID 7 FLAGS (\\Recent) MODSEQ (~))\r\n"
                "d OK [READ-WRITE] Selected\r\n");
    /* Only of those the client knows. */
    snprintf(line, sizeof line, "e SELECT INBOX (QRESYNC (%u %u 2:4 (1,2 2,3)))\r\n", uidvalidity,
             modseq);
    got = fixture_say(fs, line);
    assert_true(slice_find(got, S("* VANISHED (EARLIER) 2\r\n* 2 FETCH (UID 4 ")) < got.len);
    assert_true(slice_find(got, S("UID 5")) == got.len);
    /* Another UIDVALIDITY: nothing is known. */
    snprintf(line, sizeof line, "f SELECT INBOX (QRESYNC (%u %u))\r\n", uidvalidity + 1, modseq);
    got = fixture_say(fs, line);
    assert_true(slice_find(got, S("VANISHED")) == got.len);
    fixture_session_free(fs);
}

/* RFC 7162 3.2.5.1: then all is told as gone that is not there, of what the client knows. */
static void tombstones_that_are_forgotten_leave_no_ghosts(void **state)
{
    struct store_config config = {.max_log = 10, .map_bytes = 1 << 30, .create = true};
    struct fixture *fx = fixture_new_with(&config, NULL);
    char line[200];

    (void)state;
    deliver(fx, 30);
    struct fixture_session *fs = imap_log_on(fx, "alice");
    struct slice got = fixture_say(fs, "a ENABLE QRESYNC\r\nb SELECT INBOX\r\n");
    unsigned uidvalidity = (unsigned)number_behind(got, "UIDVALIDITY ");
    unsigned modseq = (unsigned)number_behind(got, "HIGHESTMODSEQ ");
    fixture_say(fs, "c UNSELECT\r\n");
    fixture_expunge(fx, FIXTURE_ALICE, 1, 5);
    fixture_expunge(fx, FIXTURE_ALICE, 30, 30);
    for (uint32_t uid = 6; uid < 26; uid++)
        set_flags(fx, uid, uid, FLAG_SEEN, NULL);
    static const char *const known[] = {"", " 1:30", " 1:4294967295", " 1:*"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        snprintf(line, sizeof line, "d SELECT INBOX (QRESYNC (%u %u%s))\r\n", uidvalidity, modseq,
                 known[i]);
        got = fixture_say(fs, line);
        assert_true(slice_find(got, S("* VANISHED (EARLIER) 1:5,30\r\n* 1 FETCH (UID 6 ")) <
                    got.len);
        assert_true(slice_find(got, S("UID 25")) < got.len);
        assert_true(slice_find(got, S("UID 26")) == got.len);
    }
    got = fixture_say(fs, "e UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)\r\n");
    assert_true(slice_starts(got, S("* VANISHED (EARLIER) 1:5,30\r\n* 1 FETCH (UID 6 ")));
    fixture_session_free(fs);
    fixture_free(fx);
}

static void many_changes_are_told_in_little_room(void **state)
{
    struct fixture *fx = *state;

    deliver(fx, 300);
    struct fixture_session *fs = imap_log_on(fx, "alice");
    fixture_say(fs, "a SELECT INBOX\r\n");
    fs->room = 1;
    for (uint32_t uid = 1; uid <= 300; uid += 2)
        fixture_expunge(fx, FIXTURE_ALICE, uid, uid);
    set_flags(fx, 1, 300, FLAG_SEEN, NULL);
    deliver(fx, 1);
    struct slice got = fixture_say(fs, "b NOOP\r\n");
    assert_true(slice_starts(got, S("* 299 EXPUNGE\r\n* 297 EXPUNGE\r\n")));
    assert_true(slice_find(got, S("\r\n* 1 EXPUNGE\r\n* 151 EXISTS\r\n* 151 RECENT\r\n* 1 FETCH"
                                  " (FLAGS (\\Seen \\Recent))\r\n* 2 FETCH")) < got.len);
    assert_true(slice_ends(got, S("* 150 FETCH (FLAGS (\\Seen \\Recent))\r\nb OK Done\r\n")));
    fixture_session_free(fs);
}

static void a_mailbox_that_another_session_deletes_ends_the_session(void **state)
{
    struct fixture_session *one = imap_log_on(*state, "alice");
    struct fixture_session *two = imap_log_on(*state, "alice");

    imap_expect(one, "a CREATE work\r\n", "a OK [MAILBOXID (~)] Created\r\n");
    fixture_say(two, "a SELECT work\r\n");
    imap_expect(one, "b DELETE work\r\n", "b OK Deleted\r\n");
    imap_expect(two, "b NOOP\r\n", "b OK Done\r\n* BYE The selected mailbox was deleted\r\n");
    fixture_say(one, "c CREATE mine\r\nd SELECT mine\r\n");
    imap_expect(one, "e DELETE mine\r\n", "* OK [CLOSED] ~\r\ne OK Deleted\r\n");
    imap_expect(one, "f CHECK\r\n", "f BAD Select a mailbox first\r\n");
    fixture_session_free(one);
    fixture_session_free(two);
}

/* ---- IDLE ---- */

static void idle_tells_at_once(void **state)
{
    struct fixture *fx = *state;

    deliver(fx, 2);
    struct fixture_session *fs = imap_log_on(fx, "alice");
    fixture_say(fs, "a SELECT INBOX\r\n");
    deliver(fx, 1);
    imap_expect(fs, "b IDLE\r\n", "+ idling\r\n* 3 EXISTS\r\n* 3 RECENT\r\n");
    buf_clear(&fs->out);
    fixture_expunge(fx, FIXTURE_ALICE, 1, 1);
    imap_await_wake(fs);
    assert_slice(buf_slice(&fs->out), "* 1 EXPUNGE\r\n");
    buf_clear(&fs->out);
    set_flags(fx, 3, 3, FLAG_SEEN, NULL);
    imap_await_wake(fs);
    assert_slice(buf_slice(&fs->out), "* 2 FETCH (FLAGS (\\Seen \\Recent))\r\n");
    imap_expect(fs, "DONE\r\n", "b OK Done\r\n");
    imap_expect(fs, "c IDLE\r\nwhat\r\n", "+ idling\r\nc BAD DONE was expected\r\n");
    imap_expect(fs, "d CLOSE\r\n", "d OK Closed\r\n");
    imap_expect(fs, "e IDLE\r\ndone\r\n", "+ idling\r\ne OK Done\r\n");
    fixture_session_free(fs);
}

/* ---- CLOSE, UNSELECT ---- */

static void close_removes_what_is_deleted_and_unselect_does_not(void **state)
{
    struct fixture *fx = *state;

    deliver(fx, 3);
    set_flags(fx, 2, 2, FLAG_DELETED, NULL);
    struct fixture_session *fs = imap_log_on(fx, "alice");
    fixture_say(fs, "a SELECT INBOX\r\n");
    imap_expect(fs, "b UNSELECT\r\n", "b OK Unselected\r\n");
    imap_expect(fs, "c STATUS INBOX (MESSAGES DELETED)\r\n",
                "* STATUS INBOX (MESSAGES 3 DELETED 1)\r\nc OK Done\r\n");
    fixture_say(fs, "d EXAMINE INBOX\r\ne CLOSE\r\n");
    assert_int_equal(fixture_count(fx, FIXTURE_ALICE), 3);
    fixture_say(fs, "f SELECT INBOX\r\n");
    imap_expect(fs, "g CLOSE\r\n", "g OK Closed\r\n");
    assert_int_equal(fixture_count(fx, FIXTURE_ALICE), 2);
    imap_expect(fs, "h CLOSE\r\n", "h BAD ~\r\n");
    fixture_session_free(fs);
}

/* ---- STATUS ---- */

static void status_tells_every_item_without_selecting(void **state)
{
    struct fixture *fx = *state;

    deliver(fx, 3);
    set_flags(fx, 1, 1, FLAG_SEEN | FLAG_DELETED, NULL);
    struct fixture_session *fs = imap_log_on(fx, "alice");
    imap_expect(fs,
                "a STATUS inbox (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE "
                "HIGHESTMODSEQ APPENDLIMIT MAILBOXID)\r\n",
                "* STATUS INBOX (MESSAGES 3 RECENT 3 UIDNEXT 4 UIDVALIDITY ~ UNSEEN 2 DELETED 1 "
                "SIZE 114 HIGHESTMODSEQ ~ APPENDLIMIT 67108864 MAILBOXID (~))\r\na OK Done\r\n");
    imap_expect(fs, "b STATUS nosuch (MESSAGES)\r\n", "b NO [NONEXISTENT] ~\r\n");
    imap_expect(fs, "c STATUS INBOX ()\r\n", "c BAD ~\r\n");
    imap_expect(fs, "d STATUS INBOX (WHAT)\r\n", "d BAD ~\r\n");
    imap_expect(fs, "e STATUS INBOX\r\n", "e BAD ~\r\n");
    fixture_session_free(fs);
}

/* ---- the tree ---- */

static void mailboxes_are_made_renamed_and_deleted(void **state)
{
    struct fixture_session *fs = imap_log_on(*state, "alice");

    imap_expect(fs, "a CREATE a/b/c/\r\n", "a OK [MAILBOXID (~)] Created\r\n");
    imap_expect(fs, "b CREATE a/b/c\r\n", "b NO [ALREADYEXISTS] ~\r\n");
    imap_expect(fs, "c CREATE inbox\r\n", "c NO [ALREADYEXISTS] ~\r\n");
    imap_expect(fs, "d CREATE \"\"\r\n", "d NO [CANNOT] ~\r\n");
    imap_expect(fs, "e CREATE a//b\r\n", "e NO [CANNOT] ~\r\n");
    imap_expect(fs, "f CREATE R&D\r\n", "f NO [CANNOT] ~\r\n");
    imap_expect(fs, "g LIST \"\" a*\r\n",
                "* LIST (\\HasChildren) \"/\" a\r\n* LIST (\\HasChildren) \"/\" a/b\r\n"
                "* LIST (\\HasNoChildren) \"/\" a/b/c\r\ng OK Done\r\n");
    imap_expect(fs, "h RENAME a/b x/y\r\n", "h OK Renamed\r\n");
    imap_expect(fs, "i LIST \"\" (a* x*)\r\n",
                "* LIST (\\HasNoChildren) \"/\" a\r\n* LIST (\\HasChildren) \"/\" x\r\n"
                "* LIST (\\HasChildren) \"/\" x/y\r\n* LIST (\\HasNoChildren) \"/\" x/y/c\r\n"
                "i OK Done\r\n");
    imap_expect(fs, "j RENAME nosuch y\r\n", "j NO [NONEXISTENT] ~\r\n");
    imap_expect(fs, "k RENAME a x\r\n", "k NO [ALREADYEXISTS] ~\r\n");
    imap_expect(fs, "l RENAME x x/y/z\r\n", "l NO [CANNOT] ~\r\n");
    imap_expect(fs, "m DELETE INBOX\r\n", "m NO [CANNOT] ~\r\n");
    imap_expect(fs, "n DELETE nosuch\r\n", "n NO [NONEXISTENT] ~\r\n");
    imap_expect(fs, "o DELETE x/y\r\n", "o OK Deleted\r\n");
    imap_expect(fs, "p LIST \"\" x/*\r\n",
                "* LIST (\\Noselect \\HasChildren) \"/\" x/y\r\n"
                "* LIST (\\HasNoChildren) \"/\" x/y/c\r\np OK Done\r\n");
    imap_expect(fs, "q SELECT x/y\r\n", "q NO [NONEXISTENT] ~\r\n");
    imap_expect(fs, "r STATUS x/y (MESSAGES)\r\n", "r NO [NONEXISTENT] ~\r\n");
    imap_expect(fs, "s DELETE x/y\r\n", "s NO [HASCHILDREN] ~\r\n");
    fixture_session_free(fs);
}

static void names_are_told_in_the_form_that_was_enabled(void **state)
{
    struct fixture_session *fs = imap_log_on(*state, "alice");

    imap_expect(fs, "a CREATE \"Entw&APw-rfe & co\"\r\n", "a NO [CANNOT] ~\r\n");
    imap_expect(fs, "b CREATE \"Entw&APw-rfe &- co\"\r\n", "b OK ~\r\n");
    imap_expect(fs, "c LIST \"\" Ent%\r\n",
                "* LIST (\\HasNoChildren) \"/\" \"Entw&APw-rfe &- co\"\r\nc OK Done\r\n");
    fixture_say(fs, "d ENABLE UTF8=ACCEPT\r\n");
    imap_expect(fs, "e LIST \"\" Ent%\r\n",
                "* LIST (\\HasNoChildren) \"/\" \"Entw\xC3\xBCrfe & co\"\r\ne OK Done\r\n");
    imap_expect(fs, "f STATUS \"Entw\xC3\xBCrfe & co\" (MESSAGES)\r\n",
                "* STATUS \"Entw\xC3\xBCrfe & co\" (MESSAGES 0)\r\nf OK Done\r\n");
    fixture_session_free(fs);
}

static void list_answers_basic_questions(void **state)
{
    struct fixture_session *fs = imap_log_on(*state, "alice");

    imap_expect(fs, "a LIST \"\" \"\"\r\n", "* LIST (\\Noselect) \"/\" \"\"\r\na OK Done\r\n");
    imap_expect(fs, "b LIST \"\" inbox\r\n",
                "* LIST (\\HasNoChildren) \"/\" INBOX\r\nb OK Done\r\n");
    imap_expect(fs, "c LIST \"\" nosuch\r\n", "c OK Done\r\n");
    imap_expect(fs, "d LIST \"a/\" \"b\"\r\n", "d OK Done\r\n");
    imap_expect(fs, "e LIST\r\n", "e BAD ~\r\n");
    imap_expect(fs, "f LIST () \"\" INBOX\r\n",
                "* LIST (\\HasNoChildren) \"/\" INBOX\r\nf OK Done\r\n");
    imap_expect(fs, "g LIST (RECURSIVEMATCH) \"\" *\r\n", "g BAD ~\r\n");
    imap_expect(fs, "h LIST (WHAT) \"\" *\r\n", "h BAD ~\r\n");
    imap_expect(fs, "i LIST \"\" * RETURN (WHAT)\r\n", "i BAD ~\r\n");
    imap_expect(fs, "j NAMESPACE\r\n", "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\nj OK Done\r\n");
    fixture_session_free(fs);
}

static void special_uses_are_told_and_selected(void **state)
{
    struct fixture_session *fs = imap_log_on(*state, "alice");
    struct slice got = fixture_say(fs, "a LIST (SPECIAL-USE) \"\" *\r\n");

    static const char *const uses[] = {"\\Sent", "\\Trash", "\\Drafts", "\\Junk"};
    for (size_t i = 0; i < 4; i++)
        assert_true(slice_find(got, slice_str(uses[i])) < got.len);
    assert_true(slice_find(got, S("INBOX")) == got.len);
    imap_expect(fs, "b CREATE everything (USE (\\All))\r\n", "b OK ~\r\n");
    imap_expect(fs, "c LIST \"\" every%\r\n",
                "* LIST (\\HasNoChildren \\All) \"/\" everything\r\nc OK Done\r\n");
    imap_expect(fs, "d CREATE more (USE (\\All))\r\n", "d NO [USEATTR] ~\r\n");
    imap_expect(fs, "e CREATE more (USE (\\What))\r\n", "e NO [USEATTR] ~\r\n");
    imap_expect(fs, "f CREATE more (USE (\\Flagged \\Important))\r\n", "f NO [USEATTR] ~\r\n");
    imap_expect(fs, "g CREATE more (USE \\Flagged)\r\n", "g BAD ~\r\n");
    imap_expect(fs, "h CREATE more (USE ())\r\n", "h OK ~\r\n");
    fixture_session_free(fs);
}

static void subscriptions_outlive_their_mailboxes(void **state)
{
    struct fixture_session *fs = imap_log_on(*state, "alice");

    fixture_say(fs, "a CREATE foo/bar\r\nb CREATE foo/baz\r\nc CREATE old\r\n");
    imap_expect(fs, "d SUBSCRIBE foo/bar\r\n", "d OK Done\r\n");
    imap_expect(fs, "e SUBSCRIBE old\r\n", "e OK Done\r\n");
    imap_expect(fs, "f DELETE old\r\n", "f OK Deleted\r\n");
    imap_expect(fs, "g LSUB \"\" (f* o*)\r\n", "g BAD ~\r\n");
    imap_expect(fs, "h LSUB \"\" foo*\r\n", "* LSUB () \"/\" foo/bar\r\nh OK Done\r\n");
    imap_expect(fs, "i LSUB \"\" o%\r\n", "* LSUB () \"/\" old\r\ni OK Done\r\n");
    imap_expect(fs, "j LSUB \"\" f%\r\n", "* LSUB (\\Noselect) \"/\" foo\r\nj OK Done\r\n");
    imap_expect(fs, "k LIST (SUBSCRIBED) \"\" (f* o*)\r\n",
                "* LIST (\\HasNoChildren \\Subscribed) \"/\" foo/bar\r\n"
                "* LIST (\\NonExistent \\Subscribed) \"/\" old\r\nk OK Done\r\n");
    imap_expect(fs, "l LIST (SUBSCRIBED RECURSIVEMATCH) \"\" f%\r\n",
                "* LIST (\\HasChildren) \"/\" foo (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
                "l OK Done\r\n");
    imap_expect(fs, "m LIST (SUBSCRIBED RECURSIVEMATCH) \"\" f*\r\n",
                "* LIST (\\HasNoChildren \\Subscribed) \"/\" foo/bar\r\nm OK Done\r\n");
    imap_expect(fs, "n LIST \"\" foo/% RETURN (SUBSCRIBED)\r\n",
                "* LIST (\\HasNoChildren \\Subscribed) \"/\" foo/bar\r\n"
                "* LIST (\\HasNoChildren) \"/\" foo/baz\r\nn OK Done\r\n");
    imap_expect(fs, "o UNSUBSCRIBE old\r\np UNSUBSCRIBE old\r\n", "o OK Done\r\np OK Done\r\n");
    imap_expect(fs, "q LSUB \"\" o*\r\n", "q OK Done\r\n");
    fixture_session_free(fs);
}

static void a_subscribed_name_below_nothing_is_led_to(void **state)
{
    struct fixture_session *fs = imap_log_on(*state, "alice");

    imap_expect(fs, "a SUBSCRIBE no/such/name\r\n", "a OK Done\r\n");
    imap_expect(fs, "b LSUB \"\" n%\r\n", "* LSUB (\\Noselect) \"/\" no\r\nb OK Done\r\n");
    imap_expect(fs, "c LIST (SUBSCRIBED RECURSIVEMATCH) \"\" no/%\r\n",
                "* LIST (\\NonExistent) \"/\" no/such (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
                "c OK Done\r\n");
    fixture_session_free(fs);
}

static void list_tells_status_of_what_can_be_selected(void **state)
{
    struct fixture_session *fs = imap_log_on(*state, "alice");

    fixture_say(fs, "a CREATE p/q\r\nb DELETE p\r\n");
    imap_expect(fs, "c LIST \"\" p* RETURN (STATUS (MESSAGES UNSEEN))\r\n",
                "* LIST (\\Noselect \\HasChildren) \"/\" p\r\n"
                "* LIST (\\HasNoChildren) \"/\" p/q\r\n"
                "* STATUS p/q (MESSAGES 0 UNSEEN 0)\r\nc OK Done\r\n");
    imap_expect(fs, "d LIST \"\" INBOX RETURN (CHILDREN STATUS (MESSAGES) SPECIAL-USE)\r\n",
                "* LIST (\\HasNoChildren) \"/\" INBOX\r\n* STATUS INBOX (MESSAGES 0)\r\n"
                "d OK Done\r\n");
    fixture_session_free(fs);
}

static void users_do_not_see_each_other(void **state)
{
    struct fixture_session *alice = imap_log_on(*state, "alice");
    struct fixture_session *bob = imap_log_on(*state, "bob");

    fixture_say(alice, "a CREATE secret\r\n");
    imap_expect(bob, "a LIST \"\" secret\r\n", "a OK Done\r\n");
    imap_expect(bob, "b SELECT ../1001/secret\r\n", "b NO [NONEXISTENT] ~\r\n");
    imap_expect(bob, "c SELECT /secret\r\n", "c NO [NONEXISTENT] ~\r\n");
    fixture_session_free(alice);
    fixture_session_free(bob);
}

int main(void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(select_tells_what_rfc_3501_wants),
        WITH_FIXTURE(select_in_rev2_lists_and_knows_no_recent),
        WITH_FIXTURE(a_malformed_select_leaves_the_mailbox_selected),
        WITH_FIXTURE(only_one_session_is_told_that_a_message_is_recent),
        WITH_FIXTURE(changes_of_others_are_told_after_a_command),
        WITH_FIXTURE(a_new_keyword_is_announced_before_it_is_used),
        WITH_FIXTURE(expunges_wait_while_sequence_numbers_are_in_use),
        WITH_FIXTURE(qresync_tells_vanished_and_condstore_tells_modseq),
        WITH_FIXTURE(qresync_catches_up_from_where_the_client_was),
        cmocka_unit_test(tombstones_that_are_forgotten_leave_no_ghosts),
        WITH_FIXTURE(many_changes_are_told_in_little_room),
        WITH_FIXTURE(a_mailbox_that_another_session_deletes_ends_the_session),
        WITH_FIXTURE(idle_tells_at_once),
        WITH_FIXTURE(close_removes_what_is_deleted_and_unselect_does_not),
        WITH_FIXTURE(status_tells_every_item_without_selecting),
        WITH_FIXTURE(mailboxes_are_made_renamed_and_deleted),
        WITH_FIXTURE(names_are_told_in_the_form_that_was_enabled),
        WITH_FIXTURE(list_answers_basic_questions),
        WITH_FIXTURE(special_uses_are_told_and_selected),
        WITH_FIXTURE(subscriptions_outlive_their_mailboxes),
        WITH_FIXTURE(a_subscribed_name_below_nothing_is_led_to),
        WITH_FIXTURE(list_tells_status_of_what_can_be_selected),
        WITH_FIXTURE(users_do_not_see_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
