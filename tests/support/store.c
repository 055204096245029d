#include "tests/support/store.h"

#include "base/arena.h"
#include "base/clock.h"

static void print_finding(void *ctx, const char *text)
{
    (void)ctx;
    print_error("verify: %s\n", text);
}

void bed_verify(struct bed *bed)
{
    struct store_verify_report report;

    assert_ok(store_verify(bed->store, print_finding, NULL, &report));
    assert_int_equal(report.faults, 0);
}

static void open_all(struct bed *bed)
{
    assert_ok(store_open(&bed->config, NULL, &bed->store));
    assert_ok(store_mailbox_open_now(bed->store, bed->mailbox_id, &bed->mb));
}

void bed_init_with(struct bed *bed, const struct store_config *config)
{
    *bed = (struct bed){.dir = test_dir_new(), .mailbox_id = 1000};
    bed->config = *config;
    bed->config.dir = bed->dir;
    bed->config.create = true;
    open_all(bed);
}

void bed_init(struct bed *bed)
{
    bed_init_with(bed, &(struct store_config){.map_bytes = 1ull << 30});
}

void bed_reopen(struct bed *bed)
{
    mailbox_close(bed->mb);
    store_close(bed->store);
    open_all(bed);
}

void bed_done(struct bed *bed)
{
    bed_verify(bed);
    mailbox_close(bed->mb);
    store_close(bed->store);
    test_dir_free(bed->dir);
}

/* ---- messages ---- */

struct store_prepared *bed_prepare(struct bed *bed, const char *text)
{
    struct store_spool *spool = store_spool_new(bed->store);
    struct store_prepared *prepared;

    assert_ok(store_spool_put(spool, slice_str(text)));
    assert_ok(store_prepare(bed->store, spool, &prepared));
    return prepared;
}

uint32_t bed_append(struct bed *bed, uint64_t fid, const char *text, uint16_t flags)
{
    struct store_prepared *prepared = bed_prepare(bed, text);
    struct store_new_message m = {
        .prepared = prepared, .flags = flags, .internaldate = clock_now().wall};
    struct store_append rq;

    store_append_init(&rq);
    rq.fid = fid;
    rq.messages = &m;
    rq.n = 1;
    assert_ok(store_run(bed->mb, &rq.op));
    store_prepared_free(prepared);
    return rq.first_uid;
}

uint32_t bed_append_many(struct bed *bed, uint64_t fid, uint32_t n, uint16_t flags)
{
    struct store_prepared *prepared = bed_prepare(bed, "Subject: many\r\n\r\nbody\r\n");
    struct store_new_message *m = mem_array(n, sizeof *m);
    struct store_append rq;

    for (uint32_t i = 0; i < n; i++)
        m[i] = (struct store_new_message){
            .prepared = prepared, .flags = flags, .internaldate = clock_now().wall};
    store_append_init(&rq);
    rq.fid = fid;
    rq.messages = m;
    rq.n = n;
    assert_ok(store_run(bed->mb, &rq.op));
    store_prepared_free(prepared);
    free(m);
    return rq.first_uid;
}

struct uidset uids(const char *text)
{
    struct uidset set = UIDSET_EMPTY;
    struct slice left = slice_str(text);

    while (left.len) {
        struct slice run = slice_cut(&left, ','), from = slice_cut(&run, ':');
        uint32_t first, last;

        assert_true(slice_to_u32(from, &first));
        last = first;
        if (run.len)
            assert_true(slice_to_u32(run, &last));
        uidset_add(&set, first, last);
    }
    return set;
}

void assert_uids(const struct uidset *set, const char *want)
{
    struct buf out = buf_make(1 << 20);

    uidset_put(set, &out);
    assert_slice(buf_slice(&out), want);
    buf_done(&out);
}

struct err bed_set_flags(struct bed *bed, uint64_t fid, const char *set, enum store_flags_how how,
                         uint16_t flags, const char *keyword)
{
    struct store_set_flags rq;
    struct slice name = slice_str(keyword);

    store_set_flags_init(&rq);
    rq.fid = fid;
    rq.uids = uids(set);
    rq.how = how;
    rq.flags = flags;
    rq.keywords = &name;
    rq.n_keywords = keyword ? 1 : 0;
    struct err e = store_run(bed->mb, &rq.op);

    uidset_done(&rq.uids);
    uidset_done(&rq.changed);
    uidset_done(&rq.modified);
    return e;
}

void bed_expunge(struct bed *bed, uint64_t fid, const char *set, const char *want)
{
    struct store_expunge rq;

    store_expunge_init(&rq);
    rq.fid = fid;
    rq.uids = uids(set);
    assert_ok(store_run(bed->mb, &rq.op));
    assert_uids(&rq.expunged, want);
    uidset_done(&rq.uids);
    uidset_done(&rq.expunged);
}

static void copy(struct bed *bed, uint64_t from, uint64_t to, const char *set, const char *want,
                 bool move)
{
    struct store_copy rq;

    store_copy_init(&rq);
    rq.from = from;
    rq.to = to;
    rq.move = move;
    rq.uids = uids(set);
    assert_ok(store_run(bed->mb, &rq.op));
    assert_uids(&rq.source, want);
    uidset_done(&rq.uids);
    uidset_done(&rq.source);
}

void bed_move(struct bed *bed, uint64_t from, uint64_t to, const char *set, const char *want)
{
    copy(bed, from, to, set, want, true);
}

void bed_copy(struct bed *bed, uint64_t from, uint64_t to, const char *set, const char *want)
{
    copy(bed, from, to, set, want, false);
}

/* ---- folders ---- */

struct err bed_try_create(struct bed *bed, const char *path, enum store_special special,
                          uint64_t *fid)
{
    struct store_folder_create rq;

    store_folder_create_init(&rq);
    rq.path = slice_str(path);
    rq.special = special;
    struct err e = store_run(bed->mb, &rq.op);

    if (!failed(e))
        *fid = rq.fid;
    return e;
}

uint64_t bed_create(struct bed *bed, const char *path)
{
    uint64_t fid = 0;

    assert_ok(bed_try_create(bed, path, SPECIAL_NONE, &fid));
    return fid;
}

struct err bed_rename(struct bed *bed, uint64_t fid, const char *path)
{
    struct store_folder_rename rq;

    store_folder_rename_init(&rq);
    rq.fid = fid;
    rq.path = slice_str(path);
    return store_run(bed->mb, &rq.op);
}

struct err bed_delete(struct bed *bed, uint64_t fid)
{
    struct store_folder_delete rq;

    store_folder_delete_init(&rq);
    rq.fid = fid;
    return store_run(bed->mb, &rq.op);
}

struct err bed_subscribe(struct bed *bed, const char *path, bool on)
{
    struct store_subscribe rq;

    store_subscribe_init(&rq);
    rq.path = slice_str(path);
    rq.on = on;
    return store_run(bed->mb, &rq.op);
}

uint64_t bed_find(struct bed *bed, const char *path)
{
    struct store_read *rd;
    struct store_folder folder = {.fid = 0};

    assert_ok(store_read_begin(bed->mb, &rd));
    struct err e = store_folder_find(rd, slice_str(path), &folder);

    if (failed(e))
        assert_code(e, ERR_NOT_FOUND);
    store_read_end(rd);
    return folder.fid;
}

struct store_folder bed_folder(struct bed *bed, uint64_t fid)
{
    struct store_read *rd;
    struct store_folder folder;

    assert_ok(store_read_begin(bed->mb, &rd));
    assert_ok(store_folder_get(rd, fid, &folder));
    store_read_end(rd);
    folder.name = folder.class = SLICE_EMPTY;
    return folder;
}

struct message_row bed_row(struct bed *bed, uint64_t fid, uint32_t uid)
{
    struct store_read *rd;
    struct message_row row;

    assert_ok(store_read_begin(bed->mb, &rd));
    assert_ok(store_message(rd, fid, uid, &row));
    store_read_end(rd);
    return row;
}

struct store_view *bed_view(struct bed *bed, uint64_t fid)
{
    struct store_read *rd;
    struct store_view *view;

    assert_ok(store_read_begin(bed->mb, &rd));
    assert_ok(store_view_open(rd, fid, &view));
    store_read_end(rd);
    return view;
}

void assert_folder_uids(struct bed *bed, uint64_t fid, const char *want)
{
    struct store_view *view = bed_view(bed, fid);

    assert_uids(store_view_uids(view), want);
    store_view_close(view);
}

void assert_unseen(struct bed *bed, uint64_t fid, const char *want)
{
    struct uidset set = UIDSET_EMPTY;
    struct store_read *rd;

    assert_ok(store_read_begin(bed->mb, &rd));
    assert_ok(store_unseen(rd, fid, &set));
    store_read_end(rd);
    assert_uids(&set, want);
    uidset_done(&set);
}
