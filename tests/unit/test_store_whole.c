#include "tests/support/store.h"

#include <pthread.h>
#include <unistd.h>

#include "store/access.h"
#include "store/property.h"
#include "store/schema.h"
#include "store/store_int.h"
#include "store/system.h"

/* ---- damage ---- */

struct change {
    struct engine_batch batch;
    struct slice key;
    struct slice value;
    bool remove;
};

static struct err change_run(struct engine_write *w, struct engine_batch *batch)
{
    struct change *c = container_of(batch, struct change, batch);

    return c->remove ? engine_delete(w, c->key) : engine_put(w, c->key, c->value);
}

static void put_raw(struct bed *bed, struct slice key, struct slice value, bool remove)
{
    struct change c = {.batch = {.partition = bed->mb->partition, .run = change_run},
                       .key = key,
                       .value = value,
                       .remove = remove};

    assert_ok(system_commit(store_engine(bed->store), &c.batch));
}

/* Every key and value of the mailbox, copied. */
struct raw {
    struct slice key, value;
};

static size_t all_raw(struct bed *bed, struct arena *in, struct raw **out)
{
    struct store_read *rd;
    struct slice key, value;
    struct raw *all = NULL;
    size_t n = 0, room = 0;

    assert_ok(store_read_begin(bed->mb, &rd));
    struct engine_cursor *cursor = engine_cursor_open(rd->engine);

    for (struct err e = engine_seek(cursor, SLICE_EMPTY, &key, &value); !failed(e);
         e = engine_next(cursor, &key, &value)) {
        if (n == room) {
            room = room ? room * 2 : 64;
            all = arena_grow(in, all, n, room - n, sizeof *all);
        }
        all[n++] = (struct raw){arena_slice(in, key), arena_slice(in, value)};
    }
    engine_cursor_close(cursor);
    store_read_end(rd);
    *out = all;
    return n;
}

static uint64_t count_faults(struct bed *bed)
{
    struct store_verify_report report;

    assert_ok(store_verify(bed->store, NULL, NULL, &report));
    return report.faults;
}

/* What MAPI keeps of folders. */
static void fill_access(struct bed *bed)
{
    struct store_permission_change add = {PERMISSION_ADD,
                                          {.user = S("bob"), .name = S("Bob"), .rights = 0x401}};
    struct store_modify_permissions permissions;
    struct store_set_receive_folder receive;
    struct store_set_search_criteria criteria;
    struct store_folder_create search;

    store_modify_permissions_init(&permissions);
    permissions.fid = SPECIAL_INBOX;
    permissions.changes = &add;
    permissions.n = 1;
    assert_ok(store_run(bed->mb, &permissions.op));
    store_set_receive_folder_init(&receive);
    receive.class = S("IPM.Task");
    receive.fid = SPECIAL_TASKS;
    assert_ok(store_run(bed->mb, &receive.op));
    store_folder_create_init(&search);
    search.parent = SPECIAL_SEARCH;
    search.path = S("all");
    search.search = true;
    assert_ok(store_run(bed->mb, &search.op));
    store_set_search_criteria_init(&criteria);
    criteria.fid = search.fid;
    criteria.criteria = (struct store_search_criteria){
        .restriction = S("x"), .scope = (uint64_t[]){SPECIAL_INBOX}, .n_scope = 1, .flags = 4};
    assert_ok(store_run(bed->mb, &criteria.op));
}

/* Associated messages, and messages and a folder that are soft-deleted. */
static void fill_hidden(struct bed *bed)
{
    struct store_save_message associated;
    struct store_delete_messages messages;
    struct store_folder_remove folder;

    bed->config.recover = bed->store->config.recover = 86400 * FILETIME_SECOND;
    store_save_message_init(&associated);
    associated.fid = SPECIAL_INBOX;
    associated.associated = true;
    assert_ok(store_run(bed->mb, &associated.op));
    store_delete_messages_init(&messages);
    messages.fid = SPECIAL_TRASH;
    messages.everything = true;
    assert_ok(store_run(bed->mb, &messages.op));
    bed_append_many(bed, bed_create(bed, "x"), 2, 0);
    store_folder_remove_init(&folder);
    folder.fid = bed_find(bed, "x");
    folder.messages = true;
    assert_ok(store_run(bed->mb, &folder.op));
}

static void fill(struct bed *bed)
{
    uint64_t fid = bed_create(bed, "a/b");
    struct store_prepared *prepared = bed_prepare(bed, "A: b\r\n\r\nc");
    struct store_new_message m = {.prepared = prepared, .uidl = S("imported")};
    struct store_append rq;

    bed_append_many(bed, SPECIAL_INBOX, 70, FLAG_SEEN);
    bed_append_many(bed, fid, 5, 0);
    store_append_init(&rq);
    rq.fid = fid;
    rq.messages = &m;
    rq.n = 1;
    assert_ok(store_run(bed->mb, &rq.op));
    store_prepared_free(prepared);
    assert_ok(bed_set_flags(bed, fid, "2", FLAGS_ADD, FLAG_SEEN, "Red"));
    assert_ok(bed_set_flags(bed, fid, "4:5", FLAGS_ADD, FLAG_DELETED, "Blue"));
    bed_expunge(bed, fid, "4", "4");
    bed_copy(bed, fid, SPECIAL_TRASH, "1:3", "1:3");
    assert_ok(bed_subscribe(bed, "a/b", true));
    fill_hidden(bed);
    fill_access(bed);
    bed_append_many(bed, SPECIAL_TRASH, 3, 0);
}

/* These hold text of which any is as good as another. */
static bool may_be_anything(const struct raw *raw)
{
    return key_is_kind(raw->key, KEY_UIDL);
}

static void verification_finds_every_key_that_is_missing_or_changed(void **state)
{
    struct bed bed;
    struct arena arena = ARENA_INIT;
    struct raw *all;

    (void)state;
    bed_init(&bed);
    fill(&bed);
    assert_int_equal(count_faults(&bed), 0);
    size_t n = all_raw(&bed, &arena, &all);

    for (size_t i = 0; i < n; i++) {
        put_raw(&bed, all[i].key, SLICE_EMPTY, true);
        if (count_faults(&bed) == 0)
            fail_msg("key %zu of kind '%c' is missing and nobody noticed", i, all[i].key.ptr[0]);
        put_raw(&bed, all[i].key, all[i].value, false);
        for (size_t k = 0; k < all[i].value.len && !may_be_anything(&all[i]);
             k += 1 + all[i].value.len / 7) {
            uint8_t *bytes = (uint8_t *)all[i].value.ptr;

            bytes[k] ^= 0x40;
            put_raw(&bed, all[i].key, all[i].value, false);
            if (count_faults(&bed) == 0)
                fail_msg("byte %zu of a value of kind '%c' was changed and nobody noticed", k,
                         all[i].key.ptr[0]);
            bytes[k] ^= 0x40;
            put_raw(&bed, all[i].key, all[i].value, false);
        }
    }
    assert_int_equal(count_faults(&bed), 0);
    arena_done(&arena);
    bed_done(&bed);
}

static void damage_is_told_and_never_looks_like_an_empty_mailbox(void **state)
{
    struct bed bed;
    struct arena arena = ARENA_INIT;
    struct store_read *rd;
    struct store_folder folder;
    struct store_view *view;
    struct message_row row;
    const struct message_row *next;
    struct raw *all;

    (void)state;
    bed_init(&bed);
    bed_append_many(&bed, SPECIAL_INBOX, 3, 0);
    size_t n = all_raw(&bed, &arena, &all);

    for (size_t i = 0; i < n; i++) {
        uint64_t fid;
        uint32_t uid;
        bool rows = key_is_uid(all[i].key, KEY_ROWS, SPECIAL_INBOX, &uid);
        bool rec = key_is_id(all[i].key, KEY_FOLDER, &fid) && fid == SPECIAL_INBOX;
        bool runs = key_is_uid(all[i].key, KEY_RUN_ALL, SPECIAL_INBOX, &uid);

        if (!rows && !rec && !runs)
            continue;
        ((uint8_t *)all[i].value.ptr)[all[i].value.len - 1] ^= 1;
        put_raw(&bed, all[i].key, all[i].value, false);
        assert_ok(store_read_begin(bed.mb, &rd));
        struct store_rows *walk = store_rows_open(rd, SPECIAL_INBOX, 0);

        if (rows) {
            assert_code(store_message(rd, SPECIAL_INBOX, 1, &row), ERR_CORRUPT);
            assert_code(store_rows_next(walk, &next), ERR_CORRUPT);
        }
        if (rec) {
            assert_code(store_folder_get(rd, SPECIAL_INBOX, &folder), ERR_CORRUPT);
            assert_code(store_folder_find(rd, S("INBOX"), &folder), ERR_CORRUPT);
        }
        if (runs)
            assert_code(store_view_open(rd, SPECIAL_INBOX, &view), ERR_CORRUPT);
        store_rows_close(walk);
        store_read_end(rd);
        if (rows)
            assert_code(bed_set_flags(&bed, SPECIAL_INBOX, "1", FLAGS_ADD, FLAG_SEEN, NULL),
                        ERR_CORRUPT);
        ((uint8_t *)all[i].value.ptr)[all[i].value.len - 1] ^= 1;
        put_raw(&bed, all[i].key, all[i].value, false);
    }
    arena_done(&arena);
    bed_done(&bed);
}

/* ---- mailboxes ---- */

static void a_deleted_mailbox_is_gone_with_its_bytes(void **state)
{
    struct bed bed;
    struct mailbox *other;
    struct engine_stats stats;
    uint64_t id, next;

    (void)state;
    bed_init(&bed);
    assert_ok(store_mailbox_new_id(bed.store, &id));
    assert_ok(store_mailbox_new_id(bed.store, &next));
    assert_true(next > id && id > 1);
    assert_ok(store_mailbox_open_now(bed.store, id, &other));
    mailbox_close(bed.mb);
    bed.mb = other;
    fill(&bed);
    bed_append_many(&bed, SPECIAL_INBOX, 3000, 0);
    mailbox_close(other);
    assert_ok(store_mailbox_delete(bed.store, id));
    assert_ok(store_mailbox_delete(bed.store, id));
    assert_code(store_mailbox_delete(bed.store, 1), ERR_INVALID);
    assert_code(store_mailbox_open_now(bed.store, 1, &other), ERR_INVALID);
    assert_ok(store_mailbox_open_now(bed.store, bed.mailbox_id, &bed.mb));
    assert_ok(engine_stats(bed.store->engine, &stats));
    assert_int_equal(stats.blobs - stats.dead_blobs, 0);
    bed_done(&bed);
}

static void a_mailbox_that_is_deleted_while_open_says_so(void **state)
{
    struct bed bed;
    struct store_read *rd;
    struct mailbox_info info;

    (void)state;
    bed_init(&bed);
    bed_append_many(&bed, SPECIAL_INBOX, 3, 0);
    assert_ok(store_mailbox_delete(bed.store, bed.mailbox_id));
    assert_ok(store_read_begin(bed.mb, &rd));
    assert_code(store_mailbox_info(rd, &info), ERR_NOT_FOUND);
    store_read_end(rd);
    assert_code(bed_set_flags(&bed, SPECIAL_INBOX, "1", FLAGS_ADD, FLAG_SEEN, NULL), ERR_NOT_FOUND);
    bed_done(&bed);
}

/* What a crash between the slices leaves is swept by the next to open the mailbox. */
static void sweeping_goes_on_after_a_restart(void **state)
{
    struct bed bed;
    struct store_read *rd;
    const struct mailbox_rec *rec;
    uint32_t left;

    (void)state;
    bed_init(&bed);
    uint64_t fid = bed_create(&bed, "a");

    for (int i = 0; i < 3; i++)
        bed_append_many(&bed, fid, 5000, 0);
    assert_ok(bed_delete(&bed, fid));
    bed_verify(&bed);
    bed_reopen(&bed); /* closing stops the sweep at its next slice */
    do {
        assert_ok(store_read_begin(bed.mb, &rd));
        assert_ok(read_mailbox_rec(rd, &rec));
        left = rec->doomed;
        store_read_end(rd);
        usleep(1000);
    } while (left > 0);
    assert_int_equal(bed_folder(&bed, SPECIAL_INBOX).exists, 0);
    bed_done(&bed);
}

/* ---- the whole store ---- */

static void a_restored_store_gives_no_number_twice(void **state)
{
    struct bed bed, copy;
    struct store_read *rd;
    struct mailbox_info before, after;
    struct buf backup = buf_make(5000), restored = buf_make(5000);

    (void)state;
    bed_init(&bed);
    fill(&bed);
    uint32_t validity = bed_folder(&bed, SPECIAL_INBOX).uidvalidity;
    uint64_t mid = bed_row(&bed, SPECIAL_INBOX, 1).mid;

    assert_ok(store_read_begin(bed.mb, &rd));
    assert_ok(store_mailbox_info(rd, &before));
    store_read_end(rd);
    buf_printf(&backup, "%s/backup", bed.dir);
    buf_putc(&backup, 0);
    buf_printf(&restored, "%s/restored", bed.dir);
    buf_putc(&restored, 0);
    const char *from = (char *)backup.data, *to = (char *)restored.data;

    assert_ok(engine_backup(bed.store->engine, from, false));
    assert_ok(store_restore(from, to, NULL));
    assert_code(store_restore(from, to, NULL), ERR_EXISTS);
    copy = bed;
    copy.config.dir = to;
    assert_ok(store_open(&copy.config, NULL, &copy.store));
    assert_ok(store_mailbox_open_now(copy.store, copy.mailbox_id, &copy.mb));
    assert_true(bed_folder(&copy, SPECIAL_INBOX).uidvalidity > validity);
    assert_int_equal(bed_row(&copy, SPECIAL_INBOX, 1).mid, mid); /* and so its UIDL */
    assert_ok(store_read_begin(copy.mb, &rd));
    assert_ok(store_mailbox_info(rd, &after));
    store_read_end(rd);
    assert_memory_not_equal(before.replica_guid, after.replica_guid, 16);
    assert_int_equal(after.messages, before.messages);
    assert_int_equal(after.deleted_messages, before.deleted_messages);
    assert_true(after.counter > before.counter + (1ull << 31));
    bed_verify(&copy);
    mailbox_close(copy.mb);
    store_close(copy.store);
    assert_ok(store_compact(to, NULL));
    assert_ok(store_open(&copy.config, NULL, &copy.store));
    store_close(copy.store);
    buf_done(&backup);
    buf_done(&restored);
    bed_done(&bed);
}

static void a_store_that_is_not_there_is_not_made(void **state)
{
    char *dir = test_dir_new();
    struct buf path = buf_make(5000);
    struct store *st;

    (void)state;
    buf_printf(&path, "%s/none", dir);
    buf_putc(&path, 0);
    struct store_config config = {.dir = (char *)path.data, .map_bytes = 1ull << 26};

    assert_code(store_open(&config, NULL, &st), ERR_NOT_FOUND);
    buf_done(&path);
    test_dir_free(dir);
}

/* ---- all at once ---- */

enum { WRITERS = 3, ROUNDS = 60 };

struct busy {
    struct bed *bed;
    uint64_t fid;
    _Atomic bool stop;
};

static void *write_and_read(void *arg)
{
    struct busy *busy = arg;

    for (int i = 0; i < ROUNDS; i++) {
        uint32_t uid = bed_append_many(busy->bed, busy->fid, 20, 0);
        struct uidset set = UIDSET_EMPTY;
        struct buf text = buf_make(100);

        uidset_add(&set, uid, uid + 9);
        uidset_put(&set, &text);
        buf_putc(&text, 0);
        assert_ok(bed_set_flags(busy->bed, busy->fid, (char *)text.data, FLAGS_ADD, FLAG_SEEN,
                                i % 2 ? "Odd" : "Even"));
        bed_expunge(busy->bed, busy->fid, (char *)text.data, (char *)text.data);
        struct store_view *view = bed_view(busy->bed, busy->fid);

        assert_true(store_view_count(view) >= 10);
        store_view_close(view);
        uidset_done(&set);
        buf_done(&text);
    }
    return NULL;
}

static void *verify_all_the_time(void *arg)
{
    struct busy *busy = arg;

    while (!atomic_load(&busy->stop))
        bed_verify(busy->bed);
    return NULL;
}

static void a_store_that_is_written_to_verifies_at_any_moment(void **state)
{
    struct bed bed;
    pthread_t threads[WRITERS], verifier;
    struct busy busy[WRITERS] = {{0}};

    (void)state;
    bed_init(&bed);
    for (int i = 0; i < WRITERS; i++) {
        busy[i].bed = &bed;
        busy[i].fid = i ? SPECIAL_TRASH : SPECIAL_INBOX; /* two share a folder */
        pthread_create(&threads[i], NULL, write_and_read, &busy[i]);
    }
    pthread_create(&verifier, NULL, verify_all_the_time, &busy[0]);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&busy[0].stop, true);
    pthread_join(verifier, NULL);
    assert_int_equal(bed_folder(&bed, SPECIAL_INBOX).exists, ROUNDS * 10);
    assert_int_equal(bed_folder(&bed, SPECIAL_TRASH).exists, ROUNDS * 20);
    bed_done(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verification_finds_every_key_that_is_missing_or_changed),
        cmocka_unit_test(damage_is_told_and_never_looks_like_an_empty_mailbox),
        cmocka_unit_test(a_deleted_mailbox_is_gone_with_its_bytes),
        cmocka_unit_test(a_mailbox_that_is_deleted_while_open_says_so),
        cmocka_unit_test(sweeping_goes_on_after_a_restart),
        cmocka_unit_test(a_restored_store_gives_no_number_twice),
        cmocka_unit_test(a_store_that_is_not_there_is_not_made),
        cmocka_unit_test(a_store_that_is_written_to_verifies_at_any_moment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
