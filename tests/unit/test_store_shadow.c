/* What MAPI has beside IMAP's folders and messages: associated and soft-deleted ones, and folders
 * by parent and name. */
#include "store/property.h"

#include "base/clock.h"
#include "tests/support/store.h"

struct fixture {
    struct bed bed;
    struct arena arena;
    struct store_read *rd;
};

static int setup(void **state)
{
    struct fixture *f = mem_new(sizeof *f);

    bed_init_with(&f->bed, &(struct store_config){.map_bytes = 1ull << 28,
                                                  .recover = 14 * 86400 * FILETIME_SECOND});
    *state = f;
    return 0;
}

static void unread(struct fixture *f)
{
    store_read_end(f->rd);
    f->rd = NULL;
}

static struct store_read *read_anew(struct fixture *f)
{
    unread(f);
    assert_ok(store_read_begin(f->bed.mb, &f->rd));
    return f->rd;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    unread(f);
    bed_done(&f->bed);
    arena_done(&f->arena);
    free(f);
    return 0;
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

static struct store_object *open_object(struct fixture *f, uint64_t id)
{
    struct store_object *object = NULL;

    assert_ok(store_object_open(read_anew(f), id, &f->arena, &object));
    return object;
}

static struct store_prop get(struct fixture *f, uint64_t id, uint32_t tag)
{
    struct store_prop prop = {.tag = 0};

    assert_ok(store_object_get(open_object(f, id), tag, &prop));
    return prop;
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_folder_is_made_by_parent_and_name_whatever_the_case),
        TEST(a_slash_in_a_name_is_no_separator_for_imap),
        TEST(a_folder_can_be_made_with_a_comment_or_as_a_search_folder),
        TEST(associated_messages_are_beside_the_others),
        TEST(shadows_go_with_their_folder),
        TEST(reserved_ids_are_given_to_nobody_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
