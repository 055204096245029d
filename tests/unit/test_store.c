#include "tests/support/store.h"

#include <pthread.h>

static void a_new_mailbox_has_its_special_folders(void **state)
{
    struct bed bed;
    struct arena arena = ARENA_INIT;
    struct store_folder_entry *all;
    struct store_folder folder;
    struct store_read *rd;
    struct buf names = buf_make(10000);
    size_t n;

    (void)state;
    bed_init(&bed);
    assert_ok(store_read_begin(bed.mb, &rd));
    assert_ok(store_folder_list(rd, false, &arena, &all, &n));
    for (size_t i = 0; i < n; i++)
        if (all[i].folder.visible)
            buf_printf(&names, "%.*s,", SLICE_ARG(all[i].path));
    assert_slice(buf_slice(&names), "INBOX,Archive,Deleted Items,Drafts,Junk Email,Sent Items,");
    for (unsigned i = SPECIAL_ROOT; i < SPECIAL_ALL; i++) {
        assert_ok(store_folder_special(rd, (enum store_special)i, &folder));
        assert_int_equal(folder.special, i);
    }
    assert_code(store_folder_special(rd, SPECIAL_FLAGGED, &folder), ERR_NOT_FOUND);
    assert_ok(store_folder_find(rd, S("inBOX"), &folder));
    assert_int_equal(folder.special, SPECIAL_INBOX);
    assert_int_equal(folder.uidnext, 1);
    assert_true(folder.modseq >= 1);
    store_read_end(rd);
    arena_done(&arena);
    buf_done(&names);
    bed_done(&bed);
}

static void what_was_appended_is_there_to_the_byte_after_a_restart(void **state)
{
    static const char text[] = "From: a@example.org\r\nSubject: hello\r\nDate: Tue, 24 Nov 2026 "
                               "10:00:00 +0100\r\n\r\nhi\r\n";
    struct bed bed;
    struct arena arena = ARENA_INIT;
    struct message_meta meta;
    struct store_read *rd;
    struct slice bytes;

    (void)state;
    bed_init(&bed);
    assert_int_equal(bed_append(&bed, SPECIAL_INBOX, text, FLAG_FLAGGED), 1);
    assert_int_equal(bed_append(&bed, SPECIAL_INBOX, "Subject: two\r\n\r\n", 0), 2);
    bed_reopen(&bed);
    struct message_row row = bed_row(&bed, SPECIAL_INBOX, 1);

    assert_int_equal(row.flags, FLAG_FLAGGED);
    assert_int_equal(row.size, sizeof text - 1);
    assert_int_equal(row.sent, 1795514400); /* 10:00 on the 24th, as the sender saw it */
    assert_ok(store_read_begin(bed.mb, &rd));
    assert_ok(store_message_bytes(rd, &row, 0, row.size, &arena, &bytes));
    assert_slice(bytes, text);
    assert_ok(store_message_meta(rd, &row, &meta));
    assert_int_equal(meta.header_len, sizeof text - 1 - 4);
    assert_true(slice_find(meta.envelope, S("hello")) < meta.envelope.len);
    assert_code(store_message_bytes(rd, &row, 1, row.size, &arena, &bytes), ERR_INVALID);
    store_read_end(rd);
    assert_folder_uids(&bed, SPECIAL_INBOX, "1:2");
    arena_done(&arena);
    bed_done(&bed);
}

static void flags_counters_and_runs_change_together(void **state)
{
    struct bed bed;
    struct store_folder f;

    (void)state;
    bed_init(&bed);
    bed_append_many(&bed, SPECIAL_INBOX, 200, 0);
    f = bed_folder(&bed, SPECIAL_INBOX);
    uint64_t before = f.modseq;

    assert_int_equal(f.unseen, 200);
    assert_ok(
        bed_set_flags(&bed, SPECIAL_INBOX, "10:20,150", FLAGS_ADD, FLAG_SEEN | FLAG_DELETED, NULL));
    f = bed_folder(&bed, SPECIAL_INBOX);
    assert_int_equal(f.unseen, 188);
    assert_int_equal(f.deleted, 12);
    assert_int_equal(f.modseq, before + 12); /* each message takes a number of its own */
    assert_int_equal(f.flags_modseq, f.modseq);
    assert_unseen(&bed, SPECIAL_INBOX, "1:9,21:149,151:200");
    assert_ok(bed_set_flags(&bed, SPECIAL_INBOX, "10:20", FLAGS_ADD, FLAG_SEEN, NULL));
    assert_int_equal(bed_folder(&bed, SPECIAL_INBOX).modseq, before + 12);
    assert_ok(bed_set_flags(&bed, SPECIAL_INBOX, "15", FLAGS_REPLACE, FLAG_ANSWERED, "$Work"));
    assert_unseen(&bed, SPECIAL_INBOX, "1:9,15,21:149,151:200");
    bed_expunge(&bed, SPECIAL_INBOX, "1:100", "1:100");
    assert_folder_uids(&bed, SPECIAL_INBOX, "101:200");
    bed_verify(&bed);
    bed_expunge(&bed, SPECIAL_INBOX, "1:4294967295", "101:200");
    f = bed_folder(&bed, SPECIAL_INBOX);
    assert_int_equal(f.exists + f.unseen + f.deleted + f.size, 0);
    assert_int_equal(f.uidnext, 201);
    bed_done(&bed);
}

static void copies_and_moves_keep_what_a_message_is(void **state)
{
    struct bed bed;
    uint64_t to;

    (void)state;
    bed_init(&bed);
    to = bed_create(&bed, "a/b");
    bed_append_many(&bed, SPECIAL_INBOX, 130, FLAG_FLAGGED);
    assert_ok(bed_set_flags(&bed, SPECIAL_INBOX, "7", FLAGS_ADD, 0, "Red"));
    bed_copy(&bed, SPECIAL_INBOX, to, "7,9,500", "7,9");
    assert_folder_uids(&bed, to, "1:2");
    assert_int_equal(bed_row(&bed, to, 1).keyword_set, bed_row(&bed, SPECIAL_INBOX, 7).keyword_set);
    assert_int_equal(bed_row(&bed, to, 2).flags, FLAG_FLAGGED);
    bed_move(&bed, SPECIAL_INBOX, to, "1:7", "1:7");
    assert_folder_uids(&bed, to, "1:9");
    assert_folder_uids(&bed, SPECIAL_INBOX, "8:130");
    bed_verify(&bed);
    bed_move(&bed, SPECIAL_INBOX, SPECIAL_INBOX, "8:70", "8:70");
    assert_folder_uids(&bed, SPECIAL_INBOX, "71:193");
    bed_copy(&bed, to, to, "1:9", "1:9");
    assert_folder_uids(&bed, to, "1:18");
    bed_done(&bed);
}

/* ---- closing down ---- */

/* An executor whose tasks run when the test says so, as those of a worker that is asked to. */
struct later {
    struct executor executor;
    pthread_mutex_t mutex;
    struct task *posted[8];
    size_t n;
};

static void later_post(struct executor *executor, struct task *task)
{
    struct later *later = (struct later *)executor;

    pthread_mutex_lock(&later->mutex);
    assert_true(later->n < 8);
    later->posted[later->n++] = task;
    pthread_mutex_unlock(&later->mutex);
}

static void later_run(struct later *later)
{
    struct task *tasks[8];

    pthread_mutex_lock(&later->mutex);
    size_t n = later->n;
    memcpy(tasks, later->posted, sizeof tasks);
    later->n = 0;
    pthread_mutex_unlock(&later->mutex);
    for (size_t i = 0; i < n; i++)
        tasks[i]->run(tasks[i]);
}

static void note_done(struct store_op *op)
{
    *(bool *)op->owner = true;
}

static void a_request_is_asked_until_its_last_step_is_answered(void **state)
{
    struct later later = {.executor.post = later_post, .mutex = PTHREAD_MUTEX_INITIALIZER};
    struct store_expunge rq;
    struct bed bed;
    bool finished = false;
    int rounds = 0;

    (void)state;
    bed_init(&bed);
    uint64_t inbox = bed_find(&bed, "INBOX");
    bed_append_many(&bed, inbox, 3500, FLAG_DELETED);
    assert_false(store_is_asked(bed.store));
    store_expunge_init(&rq);
    rq.fid = inbox;
    rq.uids = uids("1:3500");
    rq.op.home = &later.executor;
    rq.op.done = note_done;
    rq.op.owner = &finished;
    store_submit(bed.mb, &rq.op);
    for (; store_is_asked(bed.store); rounds++) {
        assert_false(finished);
        store_quiesce(bed.store);
        later_run(&later);
    }
    assert_true(finished);
    assert_ok(rq.op.err);
    assert_true(rounds > 2);
    uidset_done(&rq.uids);
    uidset_done(&rq.expunged);
    bed_done(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_mailbox_has_its_special_folders),
        cmocka_unit_test(what_was_appended_is_there_to_the_byte_after_a_restart),
        cmocka_unit_test(flags_counters_and_runs_change_together),
        cmocka_unit_test(copies_and_moves_keep_what_a_message_is),
        cmocka_unit_test(a_request_is_asked_until_its_last_step_is_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
