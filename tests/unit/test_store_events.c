/* What happened in a mailbox, as those read it who tell others. */
#include "store/events.h"

#include <stdio.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "store/property.h"
#include "store/store_int.h"
#include "tests/support/store.h"

struct fixture {
    struct bed bed;
    uint64_t since; /* what was told */
};

static int setup_with(void **state, uint32_t max_log)
{
    struct fixture *f = mem_new(sizeof *f);

    bed_init_with(&f->bed, &(struct store_config){.map_bytes = 1ull << 28,
                                                  .max_log = max_log,
                                                  .recover = 14 * 86400 * FILETIME_SECOND});
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, 0);
}

static int setup_short(void **state)
{
    return setup_with(state, 10);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    bed_done(&f->bed);
    free(f);
    return 0;
}

/* ---- as text ---- */

static void put_mids(struct buf *out, const char *before, struct slice mids)
{
    struct store_mid_walk walk = store_mid_walk(mids);
    uint64_t mid;

    while (store_mid_walk_next(&walk, &mid)) {
        buf_printf(out, "%s%llu", before, (unsigned long long)mid);
        before = ",";
    }
}

static void put_event(struct buf *out, const struct store_event *e)
{
    static const char *const kinds[] = {"", "arrived", "changed", "gone", "new", "is", "lost"};
    static const char *const causes[] = {"",          "!",     " moved",   " copied",
                                         " replaced", " read", " searched"};

    buf_printf(out, "%s%llu %s%s", out->len ? "; " : "", (unsigned long long)e->fid, kinds[e->kind],
               causes[e->cause]);
    buf_puts(out, e->associated ? " fai" : "");
    buf_puts(out, e->hidden ? " hidden" : "");
    put_mids(out, " ", e->mids);
    if (e->parent)
        buf_printf(out, " in %llu", (unsigned long long)e->parent);
    if (e->old_fid)
        buf_printf(out, " from %llu", (unsigned long long)e->old_fid);
    if (e->old_parent)
        buf_printf(out, " in %llu", (unsigned long long)e->old_parent);
    put_mids(out, ":", e->old_mids);
}

/* All since it was asked last. */
static void assert_events(struct fixture *f, const char *want)
{
    struct store_events *events;
    struct store_event event;
    struct buf text = buf_make(100000);
    struct store_read *rd;
    struct mailbox_info info;
    bool complete;
    struct err e;

    assert_ok(store_read_begin(f->bed.mb, &rd));
    assert_ok(store_mailbox_info(rd, &info));
    assert_ok(store_events_open(rd, f->since, &complete, &events));
    assert_true(complete);
    while (!failed(e = store_events_next(events, &event)))
        put_event(&text, &event);
    assert_code(e, ERR_NOT_FOUND);
    store_events_close(events);
    store_read_end(rd);
    f->since = info.counter;
    buf_putc(&text, 0);
    assert_string_equal((char *)text.data + text.head, want);
    buf_done(&text);
}

static const char *text(const char *format, ...)
{
    static char buffer[4][1000];
    static unsigned next;
    char *out = buffer[next++ % 4];
    va_list args;

    va_start(args, format);
    vsnprintf(out, sizeof buffer[0], format, args);
    va_end(args);
    return out;
}

static unsigned long long mid_of(struct fixture *f, uint64_t fid, uint32_t uid)
{
    return bed_row(&f->bed, fid, uid).mid;
}

static uint64_t begin(struct fixture *f)
{
    struct store_read *rd;
    struct mailbox_info info;

    assert_ok(store_read_begin(f->bed.mb, &rd));
    assert_ok(store_mailbox_info(rd, &info));
    store_read_end(rd);
    f->since = info.counter;
    return SPECIAL_INBOX;
}

/* ---- messages ---- */

static void messages_arrive_change_and_go(void **state)
{
    struct fixture *f = *state;
    uint64_t inbox = begin(f);
    unsigned long long m;

    bed_append_many(&f->bed, inbox, 3, 0);
    m = mid_of(f, inbox, 1);
    assert_events(f, text("5 arrived %llu,%llu,%llu", m, m + 1, m + 2));
    assert_ok(bed_set_flags(&f->bed, inbox, "1:2", FLAGS_ADD, FLAG_SEEN, NULL));
    assert_events(f, text("5 changed read %llu,%llu", m, m + 1));
    assert_ok(bed_set_flags(&f->bed, inbox, "3", FLAGS_ADD, FLAG_FLAGGED, NULL));
    assert_events(f, text("5 changed %llu", m + 2));
    bed_expunge(&f->bed, inbox, "1,3", "1,3");
    assert_events(f, text("5 gone %llu,%llu", m, m + 2));
    assert_events(f, "");
}

static void what_was_delivered_is_told_apart(void **state)
{
    struct fixture *f = *state;
    uint64_t inbox = begin(f);
    struct store_prepared *prepared = bed_prepare(&f->bed, "Subject: x\r\n\r\nx\r\n");
    struct store_new_message message = {.prepared = prepared};
    struct store_append rq;

    store_append_init(&rq);
    rq.fid = inbox;
    rq.messages = &message;
    rq.n = 1;
    rq.delivered = true;
    assert_ok(store_run(f->bed.mb, &rq.op));
    store_prepared_free(prepared);
    assert_events(f, text("5 arrived! %llu", mid_of(f, inbox, rq.first_uid)));
}

static void a_move_says_what_came_from_where(void **state)
{
    struct fixture *f = *state;
    uint64_t inbox = begin(f), to = bed_create(&f->bed, "to");
    unsigned long long old, new;

    bed_append_many(&f->bed, inbox, 3, 0);
    old = mid_of(f, inbox, 1);
    begin(f);
    bed_move(&f->bed, inbox, to, "1,3", "1,3");
    new = mid_of(f, to, 1);
    assert_events(f, text("%llu arrived moved %llu,%llu from 5:%llu,%llu; 5 gone moved %llu,%llu",
                          (unsigned long long)to, new, new + 1, old, old + 2, old, old + 2));
    bed_copy(&f->bed, to, inbox, "2", "2");
    assert_events(f, text("5 arrived copied %llu from %llu:%llu", mid_of(f, inbox, 4),
                          (unsigned long long)to, new + 1));
}

static uint64_t save(struct fixture *f, uint64_t mid, bool associated)
{
    struct store_prop_change change = {.prop = {.tag = PR_SUBJECT, .value.bytes = S("x")}};
    struct store_save_message rq;

    store_save_message_init(&rq);
    rq.fid = SPECIAL_DRAFTS;
    rq.mid = mid;
    rq.associated = associated;
    rq.changes = &change;
    rq.n = 1;
    assert_ok(store_run(f->bed.mb, &rq.op));
    return rq.saved_mid;
}

static void what_is_saved_again_is_the_same_message(void **state)
{
    struct fixture *f = *state;
    unsigned long long drafts = SPECIAL_DRAFTS, mid, fai;

    begin(f);
    mid = save(f, 0, false);
    assert_events(f, text("%llu arrived %llu", drafts, mid));
    save(f, mid, false);
    assert_events(
        f, text("%llu arrived replaced %llu; %llu gone replaced %llu", drafts, mid, drafts, mid));
    fai = save(f, 0, true);
    assert_events(f, text("%llu arrived fai %llu", drafts, fai));
}

static void what_is_deleted_softly_comes_back_as_new(void **state)
{
    struct fixture *f = *state;
    uint64_t inbox = begin(f), mid;
    struct store_delete_messages rq;
    struct store_folder shadow;
    struct store_read *rd;

    bed_append_many(&f->bed, inbox, 1, 0);
    mid = mid_of(f, inbox, 1);
    begin(f);
    store_delete_messages_init(&rq);
    rq.fid = inbox;
    rq.mids = &mid;
    rq.n = 1;
    assert_ok(store_run(f->bed.mb, &rq.op));
    assert_events(f,
                  text("5 arrived moved hidden %llu from 5:%llu; 5 gone %llu",
                       (unsigned long long)mid, (unsigned long long)mid, (unsigned long long)mid));
    assert_ok(store_read_begin(f->bed.mb, &rd));
    assert_ok(store_folder_shadow(rd, inbox, SHADOW_DELETED, &shadow));
    uint64_t fid = shadow.fid;
    store_read_end(rd);
    bed_move(&f->bed, fid, inbox, "1", "1");
    assert_events(f, text("5 arrived %llu; 5 gone moved hidden %llu", mid_of(f, inbox, 2),
                          (unsigned long long)mid));
}

/* ---- folders ---- */

static uint64_t folder_below(struct fixture *f, uint64_t parent, const char *name)
{
    struct store_folder_create rq;

    store_folder_create_init(&rq);
    rq.parent = parent;
    rq.path = slice_str(name);
    assert_ok(store_run(f->bed.mb, &rq.op));
    return rq.fid;
}

static void move_folder(struct fixture *f, uint64_t fid, uint64_t parent, const char *name)
{
    struct store_folder_move rq;

    store_folder_move_init(&rq);
    rq.fid = fid;
    rq.parent = parent;
    rq.name = slice_str(name);
    assert_ok(store_run(f->bed.mb, &rq.op));
}

static void folders_come_move_and_go(void **state)
{
    struct fixture *f = *state;
    unsigned long long inbox = begin(f), a = folder_below(f, inbox, "a"), copy, top;

    assert_events(f, text("%llu new in 5", a));
    move_folder(f, a, inbox, "b");
    assert_events(f, text("%llu is in 5", a));
    top = SPECIAL_IPM_SUBTREE;
    move_folder(f, a, top, "");
    assert_events(f, text("%llu is moved in %llu from %llu in 5", a, top, a));

    struct store_folder_copy rq;
    store_folder_copy_init(&rq);
    rq.fid = a;
    rq.parent = inbox;
    assert_ok(store_run(f->bed.mb, &rq.op));
    copy = rq.copy;
    assert_events(f, text("%llu new copied in 5 from %llu in %llu", copy, a, top));

    struct store_folder_remove remove;
    store_folder_remove_init(&remove);
    remove.fid = copy;
    assert_ok(store_run(f->bed.mb, &remove.op));
    assert_events(f, text("%llu lost in 5", copy));
    move_folder(f, copy, top, "c");
    assert_events(f, text("%llu new in %llu", copy, top));
    assert_ok(bed_delete(&f->bed, a));
    assert_events(f, text("%llu lost in %llu", a, top));
}

/* ---- the end of the log ---- */

static void what_the_log_lacks_is_known(void **state)
{
    struct fixture *f = *state;
    uint64_t inbox = begin(f), since = f->since;
    struct store_events *events;
    struct store_read *rd;
    bool complete;

    for (int i = 0; i < 100; i++)
        bed_append_many(&f->bed, inbox, 1, 0);
    assert_ok(store_read_begin(f->bed.mb, &rd));
    assert_ok(store_events_open(rd, since, &complete, &events));
    assert_false(complete);
    store_events_close(events);
    store_read_end(rd);
}

/* An entry that a version before this one has written. */
static void older_entries_are_read(void **state)
{
    uint8_t bytes[23] = {0, 0, 0, 0, LOG_ARRIVED, 7};
    struct log_rec rec;

    (void)state;
    bytes[13] = 9;
    bytes[21] = 1;
    put_le32(bytes, crc32c(0, slice_of(bytes + 4, sizeof bytes - 4)));
    assert_ok(log_rec_decode(slice_of(bytes, sizeof bytes), &rec));
    assert_int_equal(rec.kind, LOG_ARRIVED);
    assert_int_equal(rec.fid, 7);
    assert_int_equal(rec.first, 9);
    assert_int_equal(rec.uids.len, 2);
    assert_int_equal(rec.mids.len, 0);
    assert_int_equal(rec.cause, CAUSE_NONE);
}

/* Every beginning of an entry is refused, or is one with fewer old MIDs. */
static void cut_entries_do_no_harm(void **state)
{
    struct log_rec rec = {.kind = LOG_ARRIVED,
                          .cause = CAUSE_MOVED,
                          .fid = 7,
                          .first = 300,
                          .uids = S("ab"),
                          .mids = S("cdef"),
                          .old_mids = S("gh"),
                          .old_fid = 1000};
    struct buf bytes = buf_make(1000);
    struct log_rec back;

    (void)state;
    log_rec_encode(&rec, &bytes);
    for (size_t len = 0; len <= bytes.len; len++) {
        uint8_t *copy = mem_new(len + 1);

        memcpy(copy, buf_slice(&bytes).ptr, len);
        if (len > 4)
            put_le32(copy, crc32c(0, slice_of(copy + 4, len - 4)));
        struct err e = log_rec_decode(slice_of(copy, len), &back);
        if (len + 2 < bytes.len)
            assert_code(e, ERR_CORRUPT);
        else
            assert_ok(e);
        free(copy);
    }
    assert_ok(log_rec_decode(buf_slice(&bytes), &back));
    assert_int_equal(back.old_fid, 1000);
    assert_slice(back.uids, "ab");
    assert_slice(back.mids, "cdef");
    assert_slice(back.old_mids, "gh");
    assert_int_equal(back.cause, CAUSE_MOVED);
    buf_done(&bytes);
}

static void lists_of_mids_come_back(void **state)
{
    static const uint64_t mids[] = {5, 6, 7, 3, 1ull << 47, 2, 2, 9, 10};
    struct mid_runs runs = mid_runs_make();
    uint64_t n, mid;

    (void)state;
    for (size_t i = 0; i < sizeof mids / sizeof *mids; i++)
        mid_runs_add(&runs, mids[i]);
    struct slice bytes = mid_runs_end(&runs);
    struct store_mid_walk walk = store_mid_walk(bytes);
    for (size_t i = 0; i < sizeof mids / sizeof *mids; i++) {
        assert_true(store_mid_walk_next(&walk, &mid));
        assert_int_equal(mid, mids[i]);
    }
    assert_false(store_mid_walk_next(&walk, &mid));
    assert_true(mids_are_sound(bytes, 1ull << 47, &n));
    assert_int_equal(n, 9);
    assert_false(mids_are_sound(bytes, (1ull << 47) - 1, &n));
    assert_false(mids_are_sound(slice_of(bytes.ptr, bytes.len - 1), 1ull << 47, &n));
    mid_runs_done(&runs);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* ---- what left a folder ---- */

static size_t gone_since(struct fixture *f, uint64_t since, size_t most, struct store_gone *out,
                         bool *complete)
{
    struct arena in = ARENA_INIT;
    struct store_gone *gone;
    struct store_read *rd;
    size_t n = 0;

    assert_ok(store_read_begin(f->bed.mb, &rd));
    assert_ok(store_gone_since(rd, SPECIAL_INBOX, since, most, &in, &gone, &n, complete));
    store_read_end(rd);
    for (size_t i = 0; i < n && *complete; i++)
        out[i] = gone[i];
    arena_done(&in);
    return n;
}

static void what_left_a_folder_is_known_by_its_mid(void **state)
{
    struct fixture *f = *state;
    struct message_row rows[4];
    struct store_gone gone[9];
    struct store_read *rd;
    bool complete;

    bed_append_many(&f->bed, SPECIAL_INBOX, 4, 0);
    assert_ok(store_read_begin(f->bed.mb, &rd));
    for (uint32_t i = 0; i < 4; i++)
        assert_ok(store_message(rd, SPECIAL_INBOX, i + 1, &rows[i]));
    store_read_end(rd);
    bed_expunge(&f->bed, SPECIAL_INBOX, "2,4", "2,4");
    bed_expunge(&f->bed, SPECIAL_INBOX, "1", "1");
    assert_int_equal(gone_since(f, 0, 9, gone, &complete), 3);
    assert_true(complete);
    assert_true(gone[0].uid == 2 && gone[0].mid == rows[1].mid);
    assert_true(gone[1].uid == 4 && gone[1].mid == rows[3].mid);
    assert_true(gone[2].uid == 1 && gone[2].mid == rows[0].mid);
    gone_since(f, 0, 2, gone, &complete);
    assert_false(complete);
}

static void what_the_log_has_forgotten_left_it_is_not_known(void **state)
{
    struct fixture *f = *state;
    struct store_gone gone[9];
    bool complete;

    for (int i = 0; i < 100; i++)
        bed_append_many(&f->bed, SPECIAL_INBOX, 1, 0);
    gone_since(f, 0, 9, gone, &complete);
    assert_false(complete);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_arrive_change_and_go),
        TEST(what_was_delivered_is_told_apart),
        TEST(a_move_says_what_came_from_where),
        TEST(what_is_saved_again_is_the_same_message),
        TEST(what_is_deleted_softly_comes_back_as_new),
        TEST(folders_come_move_and_go),
        cmocka_unit_test_setup_teardown(what_the_log_lacks_is_known, setup_short, teardown),
        cmocka_unit_test(older_entries_are_read),
        cmocka_unit_test(cut_entries_do_no_harm),
        cmocka_unit_test(lists_of_mids_come_back),
        cmocka_unit_test_setup_teardown(what_left_a_folder_is_known_by_its_mid, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_log_has_forgotten_left_it_is_not_known,
                                        setup_short, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
