/* What MAPI has beside IMAP's folders and messages: associated and soft-deleted ones, and folders
 * by parent and name. */
#include "store/property.h"

#include <sched.h>

#include "base/clock.h"
#include "tests/support/objects.h"

static int setup_recovering(void **state)
{
    return setup_with(state, &(struct store_config){.map_bytes = 1ull << 28,
                                                    .recover = 14 * 86400 * FILETIME_SECOND});
}

/* ---- helpers ---- */

static struct err create_below(struct fixture *f, uint64_t parent, const char *name,
                               struct store_folder_create *rq)
{
    store_folder_create_init(rq);
    rq->parent = parent;
    rq->path = slice_str(name);
    return store_run(f->bed.mb, &rq->op);
}

static uint64_t folder_below(struct fixture *f, uint64_t parent, const char *name)
{
    struct store_folder_create rq;

    assert_ok(create_below(f, parent, name, &rq));
    return rq.fid;
}

/* A message of one property; its MID. */
static uint64_t save(struct fixture *f, uint64_t fid, const char *subject, bool associated)
{
    struct store_prop_change change = {
        .prop = {.tag = PR_SUBJECT, .value.bytes = slice_str(subject)}};
    struct store_save_message rq;

    store_save_message_init(&rq);
    rq.fid = fid;
    rq.associated = associated;
    rq.changes = &change;
    rq.n = 1;
    assert_ok(store_run(f->bed.mb, &rq.op));
    return rq.saved_mid;
}

/* The FID of a folder's shadow; 0: it has none. */
static uint64_t shadow_of(struct fixture *f, uint64_t fid, enum store_shadow shadow)
{
    struct store_folder folder;

    return failed(store_folder_shadow(read_anew(f), fid, shadow, &folder)) ? 0 : folder.fid;
}

/* The names of the folders below one, as "a, b". */
static void assert_children(struct fixture *f, uint64_t fid, bool deleted, const char *want)
{
    struct store_folder *all;
    struct buf names = buf_make(10000);
    size_t n;

    assert_ok(store_folder_children(read_anew(f), fid, deleted, &f->arena, &all, &n));
    for (size_t i = 0; i < n; i++) {
        buf_puts(&names, i ? ", " : "");
        buf_put(&names, store_folder_display_name(&all[i], &f->arena));
    }
    assert_slice(buf_slice(&names), want);
    buf_done(&names);
}

static struct mailbox_info info_of(struct fixture *f)
{
    struct mailbox_info info;

    assert_ok(store_mailbox_info(read_anew(f), &info));
    return info;
}

/* ---- names ---- */

static void a_folder_is_made_by_parent_and_name_whatever_the_case(void **state)
{
    struct fixture *f = *state;
    struct store_folder_create rq;
    uint64_t fid = folder_below(f, SPECIAL_IPM_SUBTREE,
                                "Stra\xC3\x9F"
                                "e");

    assert_code(create_below(f, SPECIAL_IPM_SUBTREE, "STRASSE", &rq), ERR_EXISTS);
    assert_code(create_below(f, SPECIAL_IPM_SUBTREE, "inbox", &rq), ERR_EXISTS);
    assert_code(create_below(f, SPECIAL_IPM_SUBTREE, "", &rq), ERR_INVALID);
    assert_code(create_below(f, SPECIAL_IPM_SUBTREE, "a\tb", &rq), ERR_INVALID);
    assert_code(create_below(f, 999, "a", &rq), ERR_NOT_FOUND);
    store_folder_create_init(&rq);
    rq.parent = SPECIAL_IPM_SUBTREE;
    rq.path = S("STRASSE");
    rq.open_existing = true;
    assert_ok(store_run(f->bed.mb, &rq.op));
    assert_true(rq.existed);
    assert_int_equal(rq.fid, fid);
    /* Outside of what IMAP sees there are no paths. */
    folder_below(f, SPECIAL_ROOT, "Reminders");
    assert_int_equal(bed_find(&f->bed, "Reminders"), 0);
    assert_true(bed_find(&f->bed, "Stra\xC3\x9F"
                                  "e") == fid);
}

static void a_slash_in_a_name_is_no_separator_for_imap(void **state)
{
    struct fixture *f = *state;
    uint64_t fid = folder_below(f, SPECIAL_IPM_SUBTREE, "in/out");

    assert_int_equal(bed_find(&f->bed, "in\xE2\x88\x95out"), fid);
    assert_int_equal(bed_find(&f->bed, "in/out"), 0);
    assert_slice(get(f, fid, PR_DISPLAY_NAME).value.bytes, "in/out");
    assert_int_equal(bed_create(&f->bed, "in/out") != fid, 1);
    assert_children(f, SPECIAL_INBOX, false, "");
}

static void a_folder_can_be_made_with_a_comment_or_as_a_search_folder(void **state)
{
    struct fixture *f = *state;
    struct store_folder_create rq;

    store_folder_create_init(&rq);
    rq.parent = SPECIAL_SEARCH;
    rq.path = S("Unread");
    rq.comment = S("what is new");
    rq.search = true;
    assert_ok(store_run(f->bed.mb, &rq.op));
    assert_slice(get(f, rq.fid, PR_COMMENT).value.bytes, "what is new");
    assert_int_equal(get(f, rq.fid, PR_FOLDER_TYPE).value.number, 2);
    assert_int_equal(get(f, SPECIAL_SEARCH, PR_FOLDER_TYPE).value.number, 1);
    assert_children(f, SPECIAL_SEARCH, false, "Unread");
}

/* ---- associated messages ---- */

static void associated_messages_are_beside_the_others(void **state)
{
    struct fixture *f = *state;
    uint64_t mid = save(f, SPECIAL_INBOX, "a view", true),
             normal = save(f, SPECIAL_INBOX, "m", false);
    uint64_t shadow = shadow_of(f, SPECIAL_INBOX, SHADOW_ASSOCIATED);

    assert_folder_uids(&f->bed, SPECIAL_INBOX, "1");
    assert_folder_uids(&f->bed, shadow, "1");
    assert_int_equal(bed_folder(&f->bed, SPECIAL_INBOX).exists, 1);
    assert_int_equal(bed_folder(&f->bed, shadow).parent, SPECIAL_INBOX);
    assert_int_equal(get(f, SPECIAL_INBOX, PR_CONTENT_COUNT).value.number, 1);
    assert_int_equal(get(f, SPECIAL_INBOX, PR_ASSOCIATED_COUNT).value.number, 1);
    assert_true(get(f, mid, PR_ASSOCIATED).value.number);
    assert_false(get(f, normal, PR_ASSOCIATED).value.number);
    assert_int_equal(get(f, mid, PR_MESSAGE_FLAGS).value.number & 0x40, 0x40);
    assert_true(get(f, mid, PR_PARENT_FOLDER_ID).value.number ==
                get(f, normal, PR_PARENT_FOLDER_ID).value.number);
    assert_int_equal(shadow_of(f, SPECIAL_INBOX, SHADOW_DELETED), 0);
    assert_int_equal(info_of(f).messages, 2);
}

static void a_message_becomes_an_associated_one_of_its_own_folder(void **state)
{
    struct fixture *f = *state;
    struct store_copy rq;

    save(f, SPECIAL_INBOX, "m", false);
    for (int move = 0; move < 2; move++) {
        store_copy_init(&rq);
        rq.from = rq.to = SPECIAL_INBOX;
        rq.associated = true;
        rq.move = move;
        rq.uids = uids("1");
        assert_ok(store_run(f->bed.mb, &rq.op));
        uidset_done(&rq.uids);
        uidset_done(&rq.source);
    }
    assert_int_equal(get(f, SPECIAL_INBOX, PR_ASSOCIATED_COUNT).value.number, 2);
    assert_folder_uids(&f->bed, SPECIAL_INBOX, "");
}

static void shadows_go_with_their_folder(void **state)
{
    struct fixture *f = *state;
    uint64_t fid = bed_create(&f->bed, "x"), level = bed_create(&f->bed, "y/z");

    save(f, fid, "a view", true);
    save(f, bed_find(&f->bed, "y"), "a view", true);
    assert_ok(bed_delete(&f->bed, fid));
    assert_ok(bed_delete(&f->bed, bed_find(&f->bed, "y")));
    assert_int_equal(info_of(f).messages, 0);
    bed_verify(&f->bed);
    assert_ok(bed_delete(&f->bed, level));
}

/* ---- deleting messages ---- */

static struct store_delete_messages delete_mids(struct fixture *f, uint64_t fid,
                                                const uint64_t *mids, size_t n, bool hard)
{
    struct store_delete_messages rq;

    store_delete_messages_init(&rq);
    rq.fid = fid;
    rq.mids = mids;
    rq.n = n;
    rq.hard = hard;
    rq.everything = !mids;
    assert_ok(store_run(f->bed.mb, &rq.op));
    return rq;
}

static void a_soft_deleted_message_keeps_its_mid_and_vanishes_for_imap(void **state)
{
    struct fixture *f = *state;
    uint64_t mids[] = {save(f, SPECIAL_INBOX, "one", false), save(f, SPECIAL_INBOX, "two", false)};
    uint64_t before = info_of(f).counter, size = info_of(f).size;
    struct uidset gone = UIDSET_EMPTY;
    bool complete = false;
    struct store_delete_messages rq = delete_mids(f, SPECIAL_INBOX, mids, 1, false);
    uint64_t shadow = shadow_of(f, SPECIAL_INBOX, SHADOW_DELETED);

    assert_int_equal(rq.deleted, 1);
    assert_int_equal(rq.gone, 0);
    assert_folder_uids(&f->bed, SPECIAL_INBOX, "2");
    assert_ok(store_expunged_since(read_anew(f), SPECIAL_INBOX, before, &gone, &complete));
    assert_true(complete);
    assert_uids(&gone, "1");
    uidset_done(&gone);
    assert_folder_uids(&f->bed, shadow, "1");
    assert_true(bed_row(&f->bed, shadow, 1).mid == mids[0]);
    assert_slice(get(f, mids[0], PR_SUBJECT).value.bytes, "one");
    assert_int_equal(get(f, SPECIAL_INBOX, PR_DELETED_COUNT_TOTAL).value.number, 1);
    /* It counts apart. */
    assert_int_equal(info_of(f).messages, 1);
    assert_int_equal(info_of(f).deleted_messages, 1);
    assert_int_equal(info_of(f).size + info_of(f).deleted_size, size);

    bed_move(&f->bed, shadow, SPECIAL_TRASH, "1", "1");
    assert_folder_uids(&f->bed, SPECIAL_TRASH, "1");
    assert_true(bed_row(&f->bed, SPECIAL_TRASH, 1).mid != mids[0]);
    assert_int_equal(info_of(f).deleted_messages, 0);
    assert_int_equal(info_of(f).messages, 2);
}

static void what_is_not_in_the_folder_is_counted_and_left(void **state)
{
    struct fixture *f = *state;
    uint64_t mids[] = {save(f, SPECIAL_INBOX, "a view", true), save(f, SPECIAL_TRASH, "x", false),
                       12345, save(f, SPECIAL_INBOX, "y", false)};
    struct store_delete_messages rq = delete_mids(f, SPECIAL_INBOX, mids, 4, false);

    assert_int_equal(rq.deleted, 2);
    assert_int_equal(rq.gone, 2);
    assert_int_equal(info_of(f).messages, 1);
    assert_int_equal(info_of(f).deleted_messages, 1); /* the view is gone for good */
    assert_int_equal(get(f, SPECIAL_INBOX, PR_ASSOCIATED_COUNT).value.number, 0);
}

static void soft_deleted_twice_or_hard_is_gone(void **state)
{
    struct fixture *f = *state;
    uint64_t mid = save(f, SPECIAL_INBOX, "one", false);
    uint64_t other = save(f, SPECIAL_INBOX, "two", false);
    struct store_object *object;

    delete_mids(f, SPECIAL_INBOX, &mid, 1, false);
    delete_mids(f, shadow_of(f, SPECIAL_INBOX, SHADOW_DELETED), &mid, 1, false);
    delete_mids(f, SPECIAL_INBOX, &other, 1, true);
    assert_code(store_object_open(read_anew(f), mid, &f->arena, &object), ERR_NOT_FOUND);
    assert_code(store_object_open(read_anew(f), other, &f->arena, &object), ERR_NOT_FOUND);
    assert_int_equal(info_of(f).deleted_messages + info_of(f).messages, 0);
}

static void many_messages_are_deleted_in_slices(void **state)
{
    struct fixture *f = *state;

    bed_append_many(&f->bed, SPECIAL_INBOX, 5000, FLAG_SEEN);
    struct store_delete_messages rq = delete_mids(f, SPECIAL_INBOX, NULL, 0, false);

    assert_int_equal(rq.deleted, 5000);
    assert_true(rq.op.batches > 1);
    assert_folder_uids(&f->bed, SPECIAL_INBOX, "");
    assert_folder_uids(&f->bed, shadow_of(f, SPECIAL_INBOX, SHADOW_DELETED), "1:5000");
    delete_mids(f, shadow_of(f, SPECIAL_INBOX, SHADOW_DELETED), NULL, 0, false);
    assert_int_equal(info_of(f).deleted_messages, 0);
}

static void what_does_not_fit_beside_the_quota_is_deleted_for_good(void **state)
{
    struct fixture *f = *state;
    struct store_set_quota quota;
    uint64_t mid;

    bed_append_many(&f->bed, SPECIAL_INBOX, 10, 0);
    store_set_quota_init(&quota);
    quota.quota = bed_folder(&f->bed, SPECIAL_INBOX).size;
    assert_ok(store_run(f->bed.mb, &quota.op));
    delete_mids(f, SPECIAL_INBOX, NULL, 0, false);
    assert_int_equal(info_of(f).deleted_messages, 10);
    bed_append(&f->bed, SPECIAL_INBOX, "x", 0); /* they do not count for the quota */
    mid = bed_row(&f->bed, SPECIAL_INBOX, 11).mid;
    delete_mids(f, SPECIAL_INBOX, &mid, 1, false);
    assert_int_equal(info_of(f).deleted_messages, 10);
    assert_int_equal(info_of(f).messages, 0);
}

/* ---- deleting, emptying and moving folders ---- */

static struct store_folder_remove remove_folder(struct fixture *f, uint64_t fid, bool messages,
                                                bool folders, bool hard)
{
    struct store_folder_remove rq;

    store_folder_remove_init(&rq);
    rq.fid = fid;
    rq.messages = messages;
    rq.folders = folders;
    rq.hard = hard;
    assert_ok(store_run(f->bed.mb, &rq.op));
    return rq;
}

static void a_folder_is_deleted_with_what_the_flags_allow(void **state)
{
    struct fixture *f = *state;
    uint64_t fid = bed_create(&f->bed, "a"), below = bed_create(&f->bed, "a/b");
    struct store_folder folder;
    struct store_folder_remove rq;

    bed_append(&f->bed, fid, "x", 0);
    bed_append(&f->bed, below, "y", 0);
    assert_true(remove_folder(f, fid, true, false, false).partial);
    assert_true(remove_folder(f, fid, false, true, false).partial);
    assert_int_equal(bed_find(&f->bed, "a/b"), below);
    assert_false(remove_folder(f, fid, true, true, false).partial);
    assert_int_equal(bed_find(&f->bed, "a"), 0);
    assert_code(store_folder_get(read_anew(f), below, &folder), ERR_NOT_FOUND);
    assert_ok(store_folder_get_deleted(read_anew(f), fid, &folder));
    assert_true(folder.deleted_on > 0);
    assert_children(f, SPECIAL_IPM_SUBTREE, true, "a");
    assert_children(f, fid, true, "b");
    assert_int_equal(info_of(f).messages, 0);
    assert_int_equal(info_of(f).deleted_messages, 2);
    bed_verify(&f->bed);

    /* Its name is free, and what it holds can be taken out. */
    assert_int_equal(bed_create(&f->bed, "a") != fid, 1);
    bed_copy(&f->bed, below, SPECIAL_INBOX, "1", "1");
    assert_folder_uids(&f->bed, SPECIAL_INBOX, "1");

    store_folder_remove_init(&rq);
    rq.fid = SPECIAL_TRASH;
    assert_code(store_run(f->bed.mb, &rq.op), ERR_DENIED);
    remove_folder(f, fid, true, true, false);
    assert_children(f, SPECIAL_IPM_SUBTREE, true, "");
    assert_code(store_folder_get_deleted(read_anew(f), below, &folder), ERR_NOT_FOUND);
    assert_int_equal(info_of(f).deleted_messages, 0);
}

static void soft_deleted_folders_have_a_bound(void **state)
{
    struct fixture *f = *state;
    struct store_folder *all;
    size_t n;

    unread(f);
    f->bed.config.max_folders = 25;
    bed_reopen(&f->bed);
    for (int i = 0; i < 90; i++)
        remove_folder(f, folder_below(f, SPECIAL_IPM_SUBTREE, "again"), true, true, false);
    assert_ok(store_folder_children(read_anew(f), SPECIAL_IPM_SUBTREE, true, &f->arena, &all, &n));
    assert_int_equal(n, 75);
}

static void a_large_tree_is_deleted_in_slices(void **state)
{
    struct fixture *f = *state;
    char path[100];

    for (int i = 0; i < 120; i++) {
        snprintf(path, sizeof path, "t/%d/x", i);
        bed_create(&f->bed, path);
    }
    uint64_t fid = bed_find(&f->bed, "t");
    remove_folder(f, bed_find(&f->bed, "t/5"), true, true, false);
    assert_true(remove_folder(f, fid, true, true, true).op.batches > 1);
    assert_int_equal(bed_find(&f->bed, "t"), 0);
    assert_children(f, SPECIAL_IPM_SUBTREE, true, "");
}

static void imap_deletes_a_folder_with_what_was_soft_deleted_below_it(void **state)
{
    struct fixture *f = *state;
    uint64_t fid = bed_create(&f->bed, "a"), below = bed_create(&f->bed, "a/b");
    struct store_folder folder;

    bed_append(&f->bed, below, "y", 0);
    remove_folder(f, below, true, true, false);
    assert_ok(bed_delete(&f->bed, fid));
    assert_code(store_folder_get_deleted(read_anew(f), below, &folder), ERR_NOT_FOUND);
}

static void a_folder_is_emptied_but_for_special_ones(void **state)
{
    struct fixture *f = *state;
    struct store_folder_empty rq;
    uint64_t fid = bed_create(&f->bed, "a/b");

    bed_append(&f->bed, fid, "y", 0);
    bed_append(&f->bed, bed_find(&f->bed, "a"), "x", 0);
    save(f, bed_find(&f->bed, "a"), "a view", true);
    store_folder_empty_init(&rq);
    rq.fid = bed_find(&f->bed, "a");
    assert_ok(store_run(f->bed.mb, &rq.op));
    assert_false(rq.partial);
    assert_int_equal(info_of(f).messages, 1);
    assert_int_equal(info_of(f).deleted_messages, 2);
    assert_int_equal(bed_find(&f->bed, "a/b"), 0);

    store_folder_empty_init(&rq);
    rq.fid = bed_find(&f->bed, "a");
    rq.associated = rq.hard = true;
    assert_ok(store_run(f->bed.mb, &rq.op));
    assert_int_equal(info_of(f).messages + info_of(f).deleted_messages, 0);
    assert_children(f, rq.fid, true, "");

    store_folder_empty_init(&rq);
    rq.fid = SPECIAL_IPM_SUBTREE;
    assert_ok(store_run(f->bed.mb, &rq.op));
    assert_true(rq.partial);
    assert_int_equal(bed_find(&f->bed, "a"), 0);
    assert_int_equal(bed_find(&f->bed, "INBOX"), SPECIAL_INBOX);
}

static struct err move_folder(struct fixture *f, uint64_t fid, uint64_t parent, const char *name)
{
    struct store_folder_move rq;

    store_folder_move_init(&rq);
    rq.fid = fid;
    rq.parent = parent;
    rq.name = slice_str(name);
    return store_run(f->bed.mb, &rq.op);
}

static void a_folder_is_moved_by_parent_and_name(void **state)
{
    struct fixture *f = *state;
    uint64_t fid = bed_create(&f->bed, "a"), below = bed_create(&f->bed, "a/b");

    bed_create(&f->bed, "c/Dee");
    assert_code(move_folder(f, fid, bed_find(&f->bed, "c"), "dee"), ERR_EXISTS);
    assert_code(move_folder(f, fid, below, "x"), ERR_CONFLICT);
    assert_code(move_folder(f, fid, fid, "x"), ERR_CONFLICT);
    assert_code(move_folder(f, fid, 4711, "x"), ERR_NOT_FOUND);
    assert_code(move_folder(f, SPECIAL_INBOX, fid, "x"), ERR_DENIED);
    assert_ok(move_folder(f, fid, bed_find(&f->bed, "c"), ""));
    assert_int_equal(bed_find(&f->bed, "c/a/b"), below);
    assert_ok(move_folder(f, fid, bed_find(&f->bed, "c"), "A"));
    assert_int_equal(bed_find(&f->bed, "c/A/b"), below);
    assert_true(bed_folder(&f->bed, below).visible);
    assert_ok(move_folder(f, fid, SPECIAL_ROOT, "out"));
    assert_false(bed_folder(&f->bed, fid).visible);
    assert_false(bed_folder(&f->bed, below).visible);
    assert_ok(move_folder(f, fid, SPECIAL_INBOX, "back"));
    assert_int_equal(bed_find(&f->bed, "INBOX/back/b"), below);
    assert_true(bed_folder(&f->bed, below).visible);
}

static void a_soft_deleted_folder_is_recovered_by_moving_it(void **state)
{
    struct fixture *f = *state;
    uint64_t fid = bed_create(&f->bed, "a");

    bed_append(&f->bed, fid, "x", 0);
    remove_folder(f, fid, true, true, false);
    assert_ok(move_folder(f, fid, SPECIAL_IPM_SUBTREE, "again"));
    assert_int_equal(bed_find(&f->bed, "again"), fid);
    assert_folder_uids(&f->bed, fid, "1");
    assert_int_equal(info_of(f).messages, 1);
    assert_int_equal(info_of(f).deleted_messages, 0);
    assert_children(f, SPECIAL_IPM_SUBTREE, true, "");
}

/* ---- for how long ---- */

/* Open again, where items are kept for so long, and wait until nothing is soft-deleted any more. */
static void reopen_keeping(struct fixture *f, uint64_t keep)
{
    unread(f);
    f->bed.config.recover = keep;
    bed_reopen(&f->bed);
}

static void await_purge(struct fixture *f, uint64_t left)
{
    while (info_of(f).deleted_messages > left)
        sched_yield();
}

static void what_was_soft_deleted_goes_when_it_is_too_old(void **state)
{
    struct fixture *f = *state;
    uint64_t fid = bed_create(&f->bed, "a/b");
    struct store_folder folder;

    bed_append_many(&f->bed, SPECIAL_INBOX, 3000, 0);
    bed_append(&f->bed, fid, "x", 0);
    delete_mids(f, SPECIAL_INBOX, NULL, 0, false);
    remove_folder(f, bed_find(&f->bed, "a"), true, true, false);
    assert_int_equal(info_of(f).deleted_messages, 3001);
    reopen_keeping(f, 14 * 86400 * FILETIME_SECOND);
    assert_int_equal(info_of(f).deleted_messages, 3001);
    reopen_keeping(f, 1);
    await_purge(f, 0);
    store_quiesce(f->bed.store);
    bed_verify(&f->bed);
    /* The folders may take another batch; opening goes on with it. */
    while (!failed(store_folder_get_deleted(read_anew(f), fid, &folder)))
        sched_yield();
    assert_folder_uids(&f->bed, shadow_of(f, SPECIAL_INBOX, SHADOW_DELETED), "");
}

static void where_nothing_is_kept_a_soft_delete_is_a_hard_one(void **state)
{
    struct fixture *f = *state;

    reopen_keeping(f, 0);
    bed_append(&f->bed, bed_create(&f->bed, "a"), "x", 0);
    bed_append(&f->bed, SPECIAL_INBOX, "x", 0);
    delete_mids(f, SPECIAL_INBOX, NULL, 0, false);
    remove_folder(f, bed_find(&f->bed, "a"), true, true, false);
    assert_int_equal(info_of(f).deleted_messages + info_of(f).messages, 0);
    assert_children(f, SPECIAL_IPM_SUBTREE, true, "");
}

/* ---- copying folders ---- */

static struct err copy_folder(struct fixture *f, struct store_folder_copy *rq, uint64_t fid,
                              uint64_t parent, const char *name, bool recursive)
{
    store_folder_copy_init(rq);
    rq->fid = fid;
    rq->parent = parent;
    rq->name = slice_str(name);
    rq->recursive = recursive;
    return store_run(f->bed.mb, &rq->op);
}

static void a_folder_is_copied_with_all_that_it_has(void **state)
{
    struct fixture *f = *state;
    uint64_t fid = bed_create(&f->bed, "a"), below = bed_create(&f->bed, "a/b/c");
    struct store_folder_copy rq;

    bed_create(&f->bed, "a/d/e");
    bed_append_many(&f->bed, fid, 2500, FLAG_SEEN);
    bed_append(&f->bed, below, "x", 0);
    save(f, below, "a view", true);
    bed_append(&f->bed, bed_find(&f->bed, "a/d/e"), "y", 0);
    remove_folder(f, bed_create(&f->bed, "a/gone"), true, true, false);

    assert_ok(copy_folder(f, &rq, fid, SPECIAL_IPM_SUBTREE, "copy", true));
    assert_false(rq.partial);
    assert_int_equal(rq.copy, bed_find(&f->bed, "copy"));
    assert_folder_uids(&f->bed, rq.copy, "1:2500");
    uint64_t c = bed_find(&f->bed, "copy/b/c");
    assert_folder_uids(&f->bed, c, "1");
    assert_int_equal(get(f, c, PR_ASSOCIATED_COUNT).value.number, 1);
    assert_folder_uids(&f->bed, bed_find(&f->bed, "copy/d/e"), "1");
    assert_children(f, rq.copy, false, "b, d");
    assert_children(f, rq.copy, true, "");
    assert_int_equal(info_of(f).messages, 2 * 2503);

    assert_ok(copy_folder(f, &rq, fid, bed_find(&f->bed, "copy/b"), "", false));
    assert_children(f, bed_find(&f->bed, "copy/b"), false, "a, c");
    assert_children(f, rq.copy, false, "");
    assert_int_equal(bed_folder(&f->bed, rq.copy).exists, 2500);
}

static void a_folder_is_not_copied_where_it_cannot_be(void **state)
{
    struct fixture *f = *state;
    uint64_t fid = bed_create(&f->bed, "a"), below = bed_create(&f->bed, "a/b");
    struct store_folder_copy rq;

    assert_code(copy_folder(f, &rq, fid, SPECIAL_IPM_SUBTREE, "", true), ERR_EXISTS);
    assert_code(copy_folder(f, &rq, fid, below, "x", true), ERR_CONFLICT);
    assert_code(copy_folder(f, &rq, fid, 4711, "x", true), ERR_NOT_FOUND);
    assert_code(copy_folder(f, &rq, 4711, fid, "x", true), ERR_NOT_FOUND);
    assert_ok(copy_folder(f, &rq, SPECIAL_INBOX, fid, "", true));
    assert_int_equal(bed_find(&f->bed, "a/INBOX"), rq.copy);
    assert_int_equal(bed_folder(&f->bed, rq.copy).special, SPECIAL_NONE);
}

/* ---- what tables show ---- */

/* [MS-OXCFOLD] 2.2.2.2, and the columns that clients ask of a hierarchy table. */
static void a_folder_answers_what_hierarchy_tables_show(void **state)
{
    static const uint32_t tags[] = {
        PR_FOLDER_ID,
        PR_PARENT_FOLDER_ID,
        PR_DISPLAY_NAME,
        PR_CONTENT_COUNT,
        PR_CONTENT_UNREAD_COUNT,
        PR_ASSOCIATED_COUNT,
        PR_SUBFOLDERS,
        PR_FOLDER_TYPE,
        PR_CONTAINER_CLASS,
        PR_ENTRY_ID,
        PR_PARENT_ENTRY_ID,
        PR_ACCESS,
        PR_RIGHTS,
        PR_CHANGE_KEY,
        PR_SOURCE_KEY,
        PR_PARENT_SOURCE_KEY,
        PR_PREDECESSOR_CHANGE_LIST,
        PR_ATTRIBUTE_HIDDEN,
        PR_HIERARCHY_CHANGE,
        PR_DELETED_COUNT_TOTAL,
        PR_LOCAL_COMMIT_TIME,
        PR_LOCAL_COMMIT_TIME_MAX,
        PR_INST_ID,
        PR_INSTANCE_NUM,
        PR_INSTANCE_KEY,
        PR_RECORD_KEY,
        PR_CHANGE_NUMBER,
        PR_CREATION_TIME,
        PR_LAST_MODIFICATION_TIME,
        PR_OBJECT_TYPE,
        PR_MESSAGE_SIZE,
        PR_MESSAGE_SIZE_EXTENDED,
    };
    struct fixture *f = *state;
    uint64_t fid = folder_below(f, SPECIAL_IPM_SUBTREE, "x");
    struct store_object *object = open_object(f, fid);
    struct store_prop prop;

    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (failed(store_object_get(object, tags[i], &prop)))
            fail_msg("no property 0x%08X", tags[i]);
    assert_code(store_object_get(object, PR_DELETED_ON, &prop), ERR_NOT_FOUND);
}

static void folders_below_move_the_number_of_the_hierarchy(void **state)
{
    struct fixture *f = *state;
    uint64_t fid = folder_below(f, SPECIAL_IPM_SUBTREE, "x"), below = folder_below(f, fid, "y");

    assert_int_equal(get(f, fid, PR_HIERARCHY_CHANGE).value.number, 1);
    remove_folder(f, below, true, true, false);
    assert_int_equal(get(f, fid, PR_HIERARCHY_CHANGE).value.number, 2);
    assert_ok(move_folder(f, below, fid, "z"));
    assert_int_equal(get(f, fid, PR_HIERARCHY_CHANGE).value.number, 3);
}

static void soft_deleted_items_tell_since_when(void **state)
{
    struct fixture *f = *state;
    uint64_t fid = folder_below(f, SPECIAL_IPM_SUBTREE, "x");
    uint64_t mid = save(f, SPECIAL_INBOX, "m", false);
    uint64_t parent = (uint64_t)get(f, mid, PR_PARENT_FOLDER_ID).value.number;
    struct slice entry = get(f, mid, PR_ENTRY_ID).value.bytes;

    delete_mids(f, SPECIAL_INBOX, &mid, 1, false);
    remove_folder(f, fid, true, true, false);
    assert_true(get(f, mid, PR_DELETED_ON).value.time > 0);
    assert_true(get(f, fid, PR_DELETED_ON).value.time > 0);
    assert_true((uint64_t)get(f, mid, PR_PARENT_FOLDER_ID).value.number == parent);
    assert_true(slice_eq(get(f, mid, PR_ENTRY_ID).value.bytes, entry));
    assert_false(get(f, mid, PR_ASSOCIATED).value.number);
}

/* ---- what hidden folders are not for ---- */

static enum err_code rename_by_property(struct fixture *f, uint64_t fid)
{
    struct store_prop_change change = {.prop = {.tag = PR_DISPLAY_NAME, .value.bytes = S("other")}};
    struct store_set_props rq;

    store_set_props_init(&rq);
    rq.id = fid;
    rq.changes = &change;
    rq.n = 1;
    return store_run(f->bed.mb, &rq.op).code;
}

static void nothing_is_put_into_what_was_deleted(void **state)
{
    struct fixture *f = *state;
    uint64_t fid = bed_create(&f->bed, "a");
    uint64_t mid = save(f, SPECIAL_INBOX, "m", false);
    struct store_folder_create create;
    struct store_save_message sv;
    struct store_copy cp;

    bed_append(&f->bed, SPECIAL_INBOX, "x", 0);
    delete_mids(f, SPECIAL_INBOX, &mid, 1, false);
    remove_folder(f, fid, true, true, false);
    uint64_t to[] = {fid, shadow_of(f, SPECIAL_INBOX, SHADOW_DELETED)};

    for (size_t i = 0; i < 2; i++) {
        store_save_message_init(&sv);
        sv.fid = to[i];
        assert_code(store_run(f->bed.mb, &sv.op), ERR_NOT_FOUND);
        store_copy_init(&cp);
        cp.from = SPECIAL_INBOX;
        cp.to = to[i];
        cp.uids = uids("2");
        assert_code(store_run(f->bed.mb, &cp.op), ERR_NOT_FOUND);
        uidset_done(&cp.uids);
        assert_code(create_below(f, to[i], "b", &create), ERR_NOT_FOUND);
        assert_int_equal(rename_by_property(f, to[i]), ERR_NOT_FOUND);
        assert_code(move_folder(f, to[1], SPECIAL_ROOT, "b"), ERR_NOT_FOUND);
        assert_code(bed_delete(&f->bed, to[i]), ERR_NOT_FOUND);
        assert_code(bed_rename(&f->bed, to[i], "c"), ERR_NOT_FOUND);
    }
}

/* ---- ids ---- */

static void reserved_ids_are_given_to_nobody_else(void **state)
{
    struct fixture *f = *state;
    struct store_reserve_ids rq;
    struct store_save_message sv;

    store_reserve_ids_init(&rq);
    rq.n = 0x10000;
    assert_ok(store_run(f->bed.mb, &rq.op));
    assert_true(save(f, SPECIAL_INBOX, "m", false) >= rq.first + rq.n);
    for (int again = 0; again < 2; again++) {
        store_save_message_init(&sv);
        sv.fid = SPECIAL_INBOX;
        sv.new_mid = rq.first + 7;
        assert_code(store_run(f->bed.mb, &sv.op), again ? ERR_EXISTS : ERR_NONE);
    }
    assert_int_equal(sv.saved_mid, 0);
    open_object(f, rq.first + 7);
    store_save_message_init(&sv);
    sv.fid = SPECIAL_INBOX;
    sv.new_mid = 1ull << 40;
    assert_code(store_run(f->bed.mb, &sv.op), ERR_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_recovering, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_folder_is_made_by_parent_and_name_whatever_the_case),
        TEST(a_slash_in_a_name_is_no_separator_for_imap),
        TEST(a_folder_can_be_made_with_a_comment_or_as_a_search_folder),
        TEST(associated_messages_are_beside_the_others),
        TEST(a_message_becomes_an_associated_one_of_its_own_folder),
        TEST(shadows_go_with_their_folder),
        TEST(a_soft_deleted_message_keeps_its_mid_and_vanishes_for_imap),
        TEST(what_is_not_in_the_folder_is_counted_and_left),
        TEST(soft_deleted_twice_or_hard_is_gone),
        TEST(many_messages_are_deleted_in_slices),
        TEST(what_does_not_fit_beside_the_quota_is_deleted_for_good),
        TEST(a_folder_is_deleted_with_what_the_flags_allow),
        TEST(soft_deleted_folders_have_a_bound),
        TEST(a_large_tree_is_deleted_in_slices),
        TEST(imap_deletes_a_folder_with_what_was_soft_deleted_below_it),
        TEST(a_folder_is_emptied_but_for_special_ones),
        TEST(a_folder_is_moved_by_parent_and_name),
        TEST(a_soft_deleted_folder_is_recovered_by_moving_it),
        TEST(what_was_soft_deleted_goes_when_it_is_too_old),
        TEST(where_nothing_is_kept_a_soft_delete_is_a_hard_one),
        TEST(a_folder_is_copied_with_all_that_it_has),
        TEST(a_folder_is_not_copied_where_it_cannot_be),
        TEST(a_folder_answers_what_hierarchy_tables_show),
        TEST(folders_below_move_the_number_of_the_hierarchy),
        TEST(soft_deleted_items_tell_since_when),
        TEST(nothing_is_put_into_what_was_deleted),
        TEST(reserved_ids_are_given_to_nobody_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
