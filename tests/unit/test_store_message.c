#include "tests/support/store.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/checksum.h"

/* ---- appending ---- */

static struct err try_append(struct bed *bed, uint64_t fid, const struct store_new_message *m,
                             size_t n, uint32_t *first)
{
    struct store_append rq;

    store_append_init(&rq);
    rq.fid = fid;
    rq.messages = m;
    rq.n = n;
    struct err e = store_run(bed->mb, &rq.op);

    if (first)
        *first = rq.first_uid;
    return e;
}

/* `head`, then `again` until there are `size` bytes of that. */
static struct store_prepared *prepare_repeated(struct bed *bed, const char *head, const char *again,
                                               size_t size)
{
    struct buf text = buf_make(SIZE_MAX / 2);
    struct store_prepared *prepared = NULL;

    buf_puts(&text, head);
    for (size_t n = 0; n < size; n += strlen(again))
        buf_puts(&text, again);
    struct store_spool *spool = store_spool_new(bed->store);
    assert_ok(store_spool_put(spool, buf_slice(&text)));
    assert_ok(store_prepare(bed->store, spool, &prepared));
    buf_done(&text);
    return prepared;
}

/* What would take more to describe than a store keeps is described less closely, and kept. */
static void no_message_is_refused_for_what_it_looks_like(void **state)
{
    static const char *const cases[][2] = {
        {"Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\r\nContent-ID: <a>\r\n\r\n"},
        {"", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"},
        {"", "Content-Type: message/rfc822\r\n\r\n"},
        {"From: ", "g:"},
        {"From: ", "a@b,"},
        {"Subject: ", "x"},
        {"Content-Type: text/plain; a=\"", "\\\\"},
        {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
         "Content-Type: message/rfc822\r\n\r\nFrom: ",
         "g:"},
        {"Content-Type: message/rfc822\r\n\r\nTo: ", "\"\\\"\" <@a:b@c>,"},
        {"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
         "--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: g:g:g:g:g:g:g:g:g:g:g:g:g:\r\n\r\n"},
    };
    const size_t n = sizeof cases / sizeof *cases;
    struct bed bed;

    (void)state;
    bed_init(&bed);
    for (size_t i = 0; i < n; i++) {
        struct store_new_message m = {
            .prepared = prepare_repeated(&bed, cases[i][0], cases[i][1], 3 << 20)};
        struct err e = try_append(&bed, SPECIAL_INBOX, &m, 1, NULL);

        if (failed(e))
            fail_msg("case %zu: %s", i, e.why);
        store_prepared_free(m.prepared);
    }
    assert_int_equal(bed_folder(&bed, SPECIAL_INBOX).exists, n);
    bed_verify(&bed);
    bed_done(&bed);
}

static void an_append_is_refused_as_a_whole(void **state)
{
    struct bed bed;
    struct slice many[101], long_name, names[] = {S("a"), S("b")};
    char text[300];

    (void)state;
    bed_init(&bed);
    memset(text, 'k', sizeof text);
    long_name = slice_of(text, 256);
    for (size_t i = 0; i < 101; i++)
        many[i] = slice_of(text, i + 1);
    struct store_prepared *prepared = bed_prepare(&bed, "A: b\r\n\r\nc");
    struct store_new_message good = {.prepared = prepared, .keywords = names, .n_keywords = 2};
    const struct {
        struct store_new_message bad;
        enum err_code code;
    } cases[] = {
        {{.prepared = prepared, .keywords = many, .n_keywords = 101}, ERR_LIMIT},
        {{.prepared = prepared, .keywords = &long_name, .n_keywords = 1}, ERR_TOO_BIG},
        {{.prepared = prepared, .keywords = &S(""), .n_keywords = 1}, ERR_INVALID},
        {{.prepared = prepared, .keywords = &S("a\n"), .n_keywords = 1}, ERR_INVALID},
        {{.prepared = prepared, .uidl = slice_of(text, 71)}, ERR_INVALID},
        {{.prepared = prepared, .uidl = S("a b")}, ERR_INVALID},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct store_new_message both[] = {good, cases[i].bad};

        assert_code(try_append(&bed, SPECIAL_INBOX, both, 2, NULL), cases[i].code);
    }
    assert_code(try_append(&bed, 12345, &good, 1, NULL), ERR_NOT_FOUND);
    assert_folder_uids(&bed, SPECIAL_INBOX, "");
    bed_verify(&bed);
    assert_ok(try_append(&bed, SPECIAL_INBOX, &good, 1, NULL));
    assert_folder_uids(&bed, SPECIAL_INBOX, "1");
    store_prepared_free(prepared);
    bed_done(&bed);
}

static void a_quota_refuses_new_mail_and_nothing_else(void **state)
{
    struct bed bed;
    struct store_set_quota quota;
    struct store_copy copy;

    (void)state;
    bed_init(&bed);
    struct store_prepared *prepared = bed_prepare(&bed, "A: b\r\n\r\nc");
    struct store_new_message m = {.prepared = prepared};

    store_set_quota_init(&quota);
    quota.quota = 19; /* two messages of 9 bytes */
    assert_ok(store_run(bed.mb, &quota.op));
    assert_ok(try_append(&bed, SPECIAL_INBOX, &m, 1, NULL));
    assert_ok(try_append(&bed, SPECIAL_INBOX, &m, 1, NULL));
    assert_code(try_append(&bed, SPECIAL_INBOX, &m, 1, NULL), ERR_QUOTA);
    store_copy_init(&copy);
    copy.from = SPECIAL_INBOX;
    copy.to = SPECIAL_TRASH;
    copy.uids = uids("1");
    assert_code(store_run(bed.mb, &copy.op), ERR_QUOTA);
    uidset_done(&copy.uids);
    uidset_done(&copy.source);
    bed_move(&bed, SPECIAL_INBOX, SPECIAL_TRASH, "1", "1");
    bed_expunge(&bed, SPECIAL_TRASH, "1", "1");
    assert_ok(try_append(&bed, SPECIAL_INBOX, &m, 1, NULL));
    store_prepared_free(prepared);
    bed_done(&bed);
}

static void a_disk_that_is_nearly_full_takes_flags_and_deletes(void **state)
{
    struct bed bed;

    (void)state;
    bed_init(&bed);
    bed_append_many(&bed, SPECIAL_INBOX, 3, 0);
    struct store_prepared *prepared = bed_prepare(&bed, "A: b\r\n\r\nc");
    struct store_new_message m = {.prepared = prepared};

    mailbox_close(bed.mb);
    store_prepared_free(prepared);
    store_close(bed.store);
    bed.config.reserve_bytes = UINT64_MAX;
    assert_ok(store_open(&bed.config, NULL, &bed.store));
    assert_ok(store_mailbox_open_now(bed.store, bed.mailbox_id, &bed.mb));
    prepared = m.prepared = bed_prepare(&bed, "A: b\r\n\r\nc");
    assert_code(try_append(&bed, SPECIAL_INBOX, &m, 1, NULL), ERR_NO_SPACE);
    assert_ok(bed_set_flags(&bed, SPECIAL_INBOX, "1", FLAGS_ADD, FLAG_SEEN, NULL));
    bed_expunge(&bed, SPECIAL_INBOX, "2", "2");
    store_prepared_free(prepared);
    bed_done(&bed);
}

static void a_repeated_append_is_done_once(void **state)
{
    struct bed bed;
    struct store_append rq;

    (void)state;
    bed_init(&bed);
    struct store_prepared *prepared = bed_prepare(&bed, "A: b\r\n\r\nc");
    struct store_new_message m = {.prepared = prepared};

    for (int i = 0; i < 2; i++) {
        store_append_init(&rq);
        rq.fid = SPECIAL_INBOX;
        rq.messages = &m;
        rq.n = 1;
        memset(rq.op.id, 7, sizeof rq.op.id);
        assert_ok(store_run(bed.mb, &rq.op));
        assert_int_equal(rq.op.repeated, i == 1);
    }
    assert_folder_uids(&bed, SPECIAL_INBOX, "1");
    store_prepared_free(prepared);
    bed_done(&bed);
}

/* ---- flags ---- */

static void a_condition_leaves_alone_what_changed_since(void **state)
{
    struct bed bed;
    struct store_set_flags rq;

    (void)state;
    bed_init(&bed);
    bed_append_many(&bed, SPECIAL_INBOX, 10, 0);
    uint64_t then = bed_folder(&bed, SPECIAL_INBOX).modseq;

    assert_ok(bed_set_flags(&bed, SPECIAL_INBOX, "3:4", FLAGS_ADD, FLAG_FLAGGED, NULL));
    store_set_flags_init(&rq);
    rq.fid = SPECIAL_INBOX;
    rq.uids = uids("1:20");
    rq.how = FLAGS_ADD;
    rq.flags = FLAG_SEEN;
    rq.conditional = true;
    rq.unchanged_since = then;
    assert_ok(store_run(bed.mb, &rq.op));
    assert_uids(&rq.modified, "3:4");
    assert_uids(&rq.changed, "1:2,5:10");
    assert_int_equal(rq.op.modseq, bed_folder(&bed, SPECIAL_INBOX).modseq);
    uidset_done(&rq.uids);
    uidset_done(&rq.modified);
    uidset_done(&rq.changed);
    bed_done(&bed);
}

static void each_kind_of_change_moves_its_own_number(void **state)
{
    struct bed bed;
    struct message_row before, after;

    (void)state;
    bed_init(&bed);
    bed_append_many(&bed, SPECIAL_INBOX, 1, 0);
    const struct {
        uint16_t flags;
        const char *keyword;
        bool cn, read_cn;
    } cases[] = {
        {FLAG_SEEN, NULL, false, true},
        {FLAG_DELETED, NULL, false, false},
        {FLAG_ANSWERED, NULL, true, false},
        {0, "Red", true, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        before = bed_row(&bed, SPECIAL_INBOX, 1);
        assert_ok(
            bed_set_flags(&bed, SPECIAL_INBOX, "1", FLAGS_ADD, cases[i].flags, cases[i].keyword));
        after = bed_row(&bed, SPECIAL_INBOX, 1);
        assert_int_equal(after.modseq, before.modseq + 1);
        assert_int_equal(after.cn == after.modseq, cases[i].cn);
        assert_int_equal(after.read_cn == after.modseq, cases[i].read_cn);
        assert_int_equal(after.mid, before.mid);
    }
    bed_done(&bed);
}

static void a_long_request_takes_many_batches_and_changes_all(void **state)
{
    struct bed bed;
    struct store_set_flags rq;

    (void)state;
    bed_init(&bed);
    for (int i = 0; i < 4; i++)
        bed_append_many(&bed, SPECIAL_INBOX, 5000, 0);
    store_set_flags_init(&rq);
    rq.fid = SPECIAL_INBOX;
    rq.uids = uids("1:4294967295");
    rq.how = FLAGS_ADD;
    rq.flags = FLAG_SEEN;
    assert_ok(store_run(bed.mb, &rq.op));
    assert_true(rq.op.batches >= 20000 / 4200);
    assert_uids(&rq.changed, "1:20000");
    assert_unseen(&bed, SPECIAL_INBOX, "");
    uidset_done(&rq.uids);
    uidset_done(&rq.changed);

    /* The worst case for run sets: every other one. */
    store_set_flags_init(&rq);
    rq.fid = SPECIAL_INBOX;
    for (uint32_t uid = 1; uid <= 20000; uid += 2)
        uidset_add(&rq.uids, uid, uid);
    rq.how = FLAGS_REMOVE;
    rq.flags = FLAG_SEEN;
    assert_ok(store_run(bed.mb, &rq.op));
    assert_int_equal(uidset_count(&rq.changed), 10000);
    uidset_done(&rq.changed);
    bed_verify(&bed);
    struct store_expunge expunge;

    store_expunge_init(&expunge);
    expunge.fid = SPECIAL_INBOX;
    uidset_copy(&expunge.uids, &rq.uids);
    assert_ok(store_run(bed.mb, &expunge.op));
    assert_int_equal(uidset_count(&expunge.expunged), 10000);
    uidset_done(&expunge.uids);
    uidset_done(&expunge.expunged);
    uidset_done(&rq.uids);
    assert_int_equal(bed_folder(&bed, SPECIAL_INBOX).exists, 10000);
    bed_done(&bed);
}

static void keywords_keep_the_case_they_were_first_seen_in(void **state)
{
    struct bed bed;
    struct arena arena = ARENA_INIT;
    const struct keyword_set *set;
    struct store_read *rd;
    struct slice *all;
    size_t n;

    (void)state;
    bed_init(&bed);
    bed_append_many(&bed, SPECIAL_INBOX, 2, 0);
    assert_ok(bed_set_flags(&bed, SPECIAL_INBOX, "1", FLAGS_ADD, 0, "Work"));
    assert_ok(bed_set_flags(&bed, SPECIAL_INBOX, "2", FLAGS_ADD, 0, "WORK"));
    assert_int_equal(bed_row(&bed, SPECIAL_INBOX, 1).keyword_set,
                     bed_row(&bed, SPECIAL_INBOX, 2).keyword_set);
    uint64_t modseq = bed_row(&bed, SPECIAL_INBOX, 2).modseq;

    assert_ok(bed_set_flags(&bed, SPECIAL_INBOX, "2", FLAGS_ADD, 0, "wOrK"));
    assert_ok(bed_set_flags(&bed, SPECIAL_INBOX, "2", FLAGS_REMOVE, 0, "other"));
    assert_int_equal(bed_row(&bed, SPECIAL_INBOX, 2).modseq, modseq);
    assert_ok(store_read_begin(bed.mb, &rd));
    assert_ok(store_keywords(rd, bed_row(&bed, SPECIAL_INBOX, 2).keyword_set, &set));
    assert_int_equal(set->n, 1);
    assert_slice(set->names[0], "Work");
    assert_ok(store_keywords(rd, 0, &set));
    assert_int_equal(set->n, 0);
    assert_code(store_keywords(rd, 4711, &set), ERR_CORRUPT);
    assert_ok(store_all_keywords(rd, &arena, &all, &n));
    assert_int_equal(n, 1);
    assert_slice(all[0], "Work");
    store_read_end(rd);
    assert_ok(bed_set_flags(&bed, SPECIAL_INBOX, "1:2", FLAGS_REPLACE, 0, NULL));
    assert_int_equal(bed_row(&bed, SPECIAL_INBOX, 1).keyword_set, 0);
    arena_done(&arena);
    bed_done(&bed);
}

/* ---- copies ---- */

static void a_copy_into_its_own_folder_takes_each_message_once(void **state)
{
    struct bed bed;

    (void)state;
    bed_init(&bed);
    bed_append_many(&bed, SPECIAL_INBOX, 54, 0);
    bed_expunge(&bed, SPECIAL_INBOX, "51:54", "51:54");
    bed_copy(&bed, SPECIAL_INBOX, SPECIAL_INBOX, "25:108", "25:50");
    assert_folder_uids(&bed, SPECIAL_INBOX, "1:50,55:80");
    bed_done(&bed);
}

static void copying_needs_both_folders(void **state)
{
    struct bed bed;
    struct store_copy rq;

    (void)state;
    bed_init(&bed);
    bed_append_many(&bed, SPECIAL_INBOX, 2, 0);
    for (int i = 0; i < 2; i++) {
        store_copy_init(&rq);
        rq.from = i ? SPECIAL_INBOX : 9999;
        rq.to = i ? 9999 : SPECIAL_INBOX;
        rq.uids = uids("1:2");
        assert_code(store_run(bed.mb, &rq.op), ERR_NOT_FOUND);
        uidset_done(&rq.uids);
    }
    bed_copy(&bed, SPECIAL_INBOX, SPECIAL_TRASH, "7:9", "");
    bed_done(&bed);
}

/* ---- identities ---- */

static void identities_are_stable(void **state)
{
    struct bed bed;
    struct store_read *rd;
    struct buf before = buf_make(100), after = buf_make(100), email = buf_make(100);
    struct message_row row;
    uint64_t fid;
    uint32_t uid;

    (void)state;
    bed_init(&bed);
    bed_append(&bed, SPECIAL_INBOX, "A: b\r\n\r\n", 0);
    struct store_prepared *prepared = bed_prepare(&bed, "A: b\r\n\r\n");
    struct store_new_message m = {.prepared = prepared, .uidl = S("imported!")};

    assert_ok(try_append(&bed, SPECIAL_INBOX, &m, 1, NULL));
    store_prepared_free(prepared);
    row = bed_row(&bed, SPECIAL_INBOX, 1);
    assert_ok(store_read_begin(bed.mb, &rd));
    assert_ok(store_uidl(rd, SPECIAL_INBOX, &row, &before));
    assert_in_range(before.len, 1, 70);
    store_read_end(rd);
    bed_reopen(&bed);
    assert_ok(store_read_begin(bed.mb, &rd));
    row = bed_row(&bed, SPECIAL_INBOX, 1);
    assert_ok(store_uidl(rd, SPECIAL_INBOX, &row, &after));
    assert_true(slice_eq(buf_slice(&before), buf_slice(&after)));
    assert_ok(store_message_by_mid(rd, row.mid, &fid, &uid));
    assert_true(fid == SPECIAL_INBOX && uid == 1);
    assert_code(store_message_by_mid(rd, 1, &fid, &uid), ERR_NOT_FOUND);
    buf_clear(&after);
    row = bed_row(&bed, SPECIAL_INBOX, 2);
    assert_ok(store_uidl(rd, SPECIAL_INBOX, &row, &after));
    assert_slice(buf_slice(&after), "imported!");
    assert_ok(store_email_id(rd, &row, &email));
    assert_int_equal(email.len, 33);
    store_read_end(rd);
    bed_move(&bed, SPECIAL_INBOX, SPECIAL_TRASH, "2", "2");
    bed_copy(&bed, SPECIAL_TRASH, SPECIAL_TRASH, "1", "1");
    assert_ok(store_read_begin(bed.mb, &rd));
    buf_clear(&after);
    row = bed_row(&bed, SPECIAL_TRASH, 1);
    assert_ok(store_uidl(rd, SPECIAL_TRASH, &row, &after));
    assert_slice(buf_slice(&after), "imported!"); /* it went along */
    buf_clear(&after);
    row = bed_row(&bed, SPECIAL_TRASH, 2);
    assert_ok(store_uidl(rd, SPECIAL_TRASH, &row, &after));
    assert_false(slice_eq(buf_slice(&after), S("imported!"))); /* a copy is another message */
    buf_clear(&after);
    assert_ok(store_email_id(rd, &row, &after));
    assert_true(slice_eq(buf_slice(&after), buf_slice(&email)));
    store_read_end(rd);
    buf_done(&before);
    buf_done(&after);
    buf_done(&email);
    bed_done(&bed);
}

/* ---- views ---- */

static void a_view_grows_without_losing_what_was_expunged(void **state)
{
    struct bed bed;
    struct uidset gone = UIDSET_EMPTY;

    (void)state;
    bed_init(&bed);
    bed_append_many(&bed, SPECIAL_INBOX, 10, 0);
    struct store_view *old = bed_view(&bed, SPECIAL_INBOX), *same = bed_view(&bed, SPECIAL_INBOX);

    assert_ptr_equal(old, same);
    store_view_close(same);
    bed_expunge(&bed, SPECIAL_INBOX, "2:3,10", "2:3,10");
    bed_append_many(&bed, SPECIAL_INBOX, 5, 0);
    struct store_view *new = bed_view(&bed, SPECIAL_INBOX);

    assert_uids(store_view_uids(new), "1,4:9,11:15");
    store_view_gone(old, new, &gone);
    assert_uids(&gone, "2:3,10");
    struct store_view *grown = store_view_extend(old, new);

    assert_uids(store_view_uids(grown), "1:15");
    assert_uids(store_view_uids(old), "1:10");
    assert_int_equal(store_view_uid(new, 3), 5);
    assert_int_equal(store_view_uid(new, 0), 0);
    assert_int_equal(store_view_uid(new, 13), 0);
    assert_int_equal(store_view_seq(new, 10), 0);
    assert_int_equal(store_view_rank(new, 10), 7);
    assert_int_equal(store_view_rank(new, UINT32_MAX), 12);
    assert_int_equal(store_view_last_uid(new), 15);
    store_view_close(old);
    store_view_close(new);
    store_view_close(grown);
    uidset_done(&gone);
    bed_done(&bed);
}

static void a_view_of_an_old_snapshot_shows_the_old(void **state)
{
    struct bed bed;
    struct store_read *rd;
    struct store_view *old, *new;

    (void)state;
    bed_init(&bed);
    bed_append_many(&bed, SPECIAL_INBOX, 3, 0);
    assert_ok(store_read_begin(bed.mb, &rd));
    bed_append_many(&bed, SPECIAL_INBOX, 3, 0);
    bed_expunge(&bed, SPECIAL_INBOX, "1", "1");
    new = bed_view(&bed, SPECIAL_INBOX);
    assert_ok(store_view_open(rd, SPECIAL_INBOX, &old));
    store_read_end(rd);
    assert_uids(store_view_uids(old), "1:3");
    assert_uids(store_view_uids(new), "2:6");
    store_view_close(old);
    store_view_close(new);
    bed_done(&bed);
}

static void rows_can_be_sought_in_any_direction(void **state)
{
    struct bed bed;
    struct store_read *rd;
    const struct message_row *row;

    (void)state;
    bed_init(&bed);
    bed_append_many(&bed, SPECIAL_INBOX, 500, 0);
    bed_expunge(&bed, SPECIAL_INBOX, "60:70,200:300", "60:70,200:300");
    assert_ok(store_read_begin(bed.mb, &rd));
    struct store_rows *rows = store_rows_open(rd, SPECIAL_INBOX, 65);
    static const uint32_t asked[] = {65, 10, 500, 250, 1, 59, 60, 199, 300, 301};
    static const uint32_t got[] = {71, 10, 500, 301, 1, 59, 71, 199, 301, 301};

    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        store_rows_seek(rows, asked[i]);
        assert_ok(store_rows_next(rows, &row));
        assert_int_equal(row->uid, got[i]);
    }
    store_rows_seek(rows, 501);
    assert_code(store_rows_next(rows, &row), ERR_NOT_FOUND);
    assert_code(store_rows_next(rows, &row), ERR_NOT_FOUND);
    store_rows_seek(rows, 1);
    assert_ok(store_rows_next(rows, &row));
    store_rows_close(rows);
    store_read_end(rd);
    bed_done(&bed);
}

/* ---- other processes ---- */

static int other_process(struct bed *bed, int go)
{
    char byte;

    if (read(go, &byte, 1) != 1)
        return 1;
    assert_ok(store_open(&bed->config, NULL, &bed->store));
    assert_ok(store_mailbox_open_now(bed->store, bed->mailbox_id, &bed->mb));
    bed_append_many(bed, SPECIAL_INBOX, 2, 0);
    assert_ok(bed_set_flags(bed, SPECIAL_INBOX, "1", FLAGS_ADD, 0, "Theirs"));
    bed_expunge(bed, SPECIAL_INBOX, "2", "2");
    mailbox_close(bed->mb);
    store_close(bed->store);
    return 0;
}

static void on_changed(struct store_watch *watch)
{
    (*(int *)watch->owner)++;
}

static void on_stopped(struct store_watch *watch)
{
    watch->owner = NULL;
}

static void what_another_process_does_is_seen(void **state)
{
    struct bed bed = {.dir = test_dir_new(), .mailbox_id = 1000};
    struct test_loop *loop = test_loop_new();
    struct store_watch watch = {0};
    const struct keyword_set *set;
    struct store_read *rd;
    int go[2], status, seen = 0;

    (void)state;
    bed.config = (struct store_config){.dir = bed.dir, .map_bytes = 1ull << 28, .create = true};
    assert_int_equal(pipe(go), 0);
    pid_t pid = fork(); /* before the store is open: LMDB must not cross a fork */

    if (pid == 0)
        _exit(other_process(&bed, go[0]));
    assert_ok(store_open(&bed.config, NULL, &bed.store));
    assert_ok(store_mailbox_open_now(bed.store, bed.mailbox_id, &bed.mb));
    bed_append_many(&bed, SPECIAL_INBOX, 3, 0);
    assert_folder_uids(&bed, SPECIAL_INBOX, "1:3");
    watch.owner = &seen;
    watch.changed = on_changed;
    store_watch_start(bed.mb, &watch, test_loop_executor(loop));
    assert_int_equal(write(go[1], "x", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    while (seen == 0)
        test_loop_wait(loop);
    assert_folder_uids(&bed, SPECIAL_INBOX, "1,3:5");
    assert_ok(store_read_begin(bed.mb, &rd));
    assert_ok(store_keywords(rd, bed_row(&bed, SPECIAL_INBOX, 1).keyword_set, &set));
    assert_slice(set->names[0], "Theirs");
    store_read_end(rd);
    store_watch_stop(&watch, on_stopped);
    while (watch.owner)
        test_loop_wait(loop);
    test_loop_free(loop);
    close(go[0]);
    close(go[1]);
    bed_done(&bed);
}

/* ---- the checksum of row groups ---- */

static void the_checksum_is_the_same_on_every_machine(void **state)
{
    uint8_t bytes[4040];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t len = 0; len <= sizeof bytes; len += len < 200 ? 1 : 641) {
        struct slice s = slice_of(bytes, len);
        uint32_t sum = checksum_lanes(s);

        assert_int_equal(sum, checksum_lanes_portable(s));
        if (len) {
            bytes[len - 1] ^= 0x10;
            assert_int_not_equal(sum, checksum_lanes(s));
            bytes[len - 1] ^= 0x10;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_message_is_refused_for_what_it_looks_like),
        cmocka_unit_test(an_append_is_refused_as_a_whole),
        cmocka_unit_test(a_quota_refuses_new_mail_and_nothing_else),
        cmocka_unit_test(a_disk_that_is_nearly_full_takes_flags_and_deletes),
        cmocka_unit_test(a_repeated_append_is_done_once),
        cmocka_unit_test(a_condition_leaves_alone_what_changed_since),
        cmocka_unit_test(each_kind_of_change_moves_its_own_number),
        cmocka_unit_test(a_long_request_takes_many_batches_and_changes_all),
        cmocka_unit_test(keywords_keep_the_case_they_were_first_seen_in),
        cmocka_unit_test(a_copy_into_its_own_folder_takes_each_message_once),
        cmocka_unit_test(copying_needs_both_folders),
        cmocka_unit_test(identities_are_stable),
        cmocka_unit_test(a_view_grows_without_losing_what_was_expunged),
        cmocka_unit_test(a_view_of_an_old_snapshot_shows_the_old),
        cmocka_unit_test(rows_can_be_sought_in_any_direction),
        cmocka_unit_test(what_another_process_does_is_seen),
        cmocka_unit_test(the_checksum_is_the_same_on_every_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
