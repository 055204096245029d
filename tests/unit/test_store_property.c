#include "tests/support/store.h"

#include "base/clock.h"
#include "store/engine/engine_faulty.h"
#include "store/engine/engine_lmdb.h"
#include "store/property.h"

/*
 * Random operations on a mailbox beside a plain model of it. After each one the folders that it
 * touched are compared row by row; now and then a client that was away catches up by QRESYNC's
 * questions and must arrive at the same; at the end, and now and then, the store verifies itself.
 */

enum { FOLDERS = 5, KEYWORDS = 6, MAX_ROWS = 400 };

static const char *const keyword_names[KEYWORDS] = {"$Work", "Red", "blue",
                                                    "Later", "x",   "$MDNSent"};

struct model_row {
    uint32_t uid;
    uint16_t flags;
    unsigned keywords; /* a bit each */
    char letter;       /* its content */
    uint32_t number;   /* an explicit property; 0: none */
    uint32_t length;   /* of a text that was set, a small or a large one; 0: none */
};

struct model_folder {
    uint64_t fid;
    struct model_row rows[MAX_ROWS];
    size_t n;
    uint32_t uidnext, recent_from;
};

/* A client that was away since `modseq`. */
struct away {
    uint64_t modseq;
    struct model_row rows[MAX_ROWS];
    size_t n;
};

struct world {
    struct bed bed;
    struct rng rng;
    struct engine *faulty;
    struct model_folder folders[FOLDERS];
    struct model_folder deleted[FOLDERS]; /* what was soft-deleted there; FID 0: nothing yet */
    struct away away[FOLDERS];
    int ops;
};

/* ---- running requests, also where the engine fails them ---- */

static bool should_repeat(struct err e)
{
    return e.code == ERR_UNAVAILABLE || e.code == ERR_UNKNOWN_END || e.code == ERR_NO_SPACE;
}

/* Until it is done for sure: under one id, so that it is done once. */
static struct err run(struct world *w, struct store_op *op)
{
    uint64_t id[2] = {rng_u64(&w->rng), rng_u64(&w->rng) | 1};
    struct err e;

    memcpy(op->id, id, sizeof op->id);
    do
        e = store_run(w->bed.mb, op);
    while (should_repeat(e));
    return e;
}

static struct store_read *begin(struct world *w)
{
    struct store_read *rd = NULL;

    assert_ok(store_read_begin(w->bed.mb, &rd));
    return rd;
}

/* ---- comparing ---- */

static char letter_of(struct store_read *rd, const struct message_row *row)
{
    struct slice piece;

    assert_ok(store_message_piece(rd, row, 0, UINT64_MAX, &piece));
    return (char)piece.ptr[0];
}

static unsigned keywords_of(struct store_read *rd, const struct message_row *row)
{
    const struct keyword_set *set;
    unsigned bits = 0;

    assert_ok(store_keywords(rd, row->keyword_set, &set));
    for (uint32_t i = 0; i < set->n; i++)
        for (unsigned k = 0; k < KEYWORDS; k++)
            if (slice_ieq(set->names[i], slice_str(keyword_names[k])))
                bits |= 1u << k;
    return bits;
}

/* Soft-deleted items are kept longer than any test takes. */
#define KEPT (86400 * FILETIME_SECOND)

#define NUMBER_TAG PROP_TAG(0x6000, PROP_INT32)
#define TEXT_TAG PROP_TAG(0x6001, PROP_STRING)

static void compare_props(struct store_read *rd, uint64_t fid, const struct model_row *want,
                          const struct message_row *row)
{
    struct arena arena = ARENA_INIT;
    struct store_object *object;
    struct store_prop prop;
    uint32_t number = 0, length = 0;

    assert_ok(store_object_open_row(rd, fid, row, &arena, &object));
    if (!failed(store_object_get(object, NUMBER_TAG, &prop)))
        number = (uint32_t)prop.value.number;
    if (!failed(store_object_get(object, TEXT_TAG, &prop))) {
        assert_ok(store_prop_load(rd, &prop, 100000, &arena));
        length = (uint32_t)prop.value.bytes.len;
        assert_int_equal(slice_index(prop.value.bytes, 't'), 0);
    }
    assert_int_equal(number, want->number);
    assert_int_equal(length, want->length);
    arena_done(&arena);
}

static void compare_row(struct store_read *rd, uint64_t fid, const struct model_row *want,
                        const struct message_row *row)
{
    if (want->number || want->length || row->flags & FLAG_BAG)
        compare_props(rd, fid, want, row);
    assert_int_equal(row->uid, want->uid);
    assert_int_equal(row->flags & FLAG_ALL_IMAP, want->flags);
    assert_int_equal(keywords_of(rd, row), want->keywords);
    assert_int_equal(letter_of(rd, row), want->letter);
}

static void compare_view(struct store_read *rd, const struct model_folder *f)
{
    struct store_view *view;

    assert_ok(store_view_open(rd, f->fid, &view));
    assert_int_equal(store_view_count(view), f->n);
    for (size_t i = 0; i < f->n; i++) {
        assert_int_equal(store_view_uid(view, (uint32_t)i + 1), f->rows[i].uid);
        assert_int_equal(store_view_seq(view, f->rows[i].uid), i + 1);
        assert_int_equal(store_view_rank(view, f->rows[i].uid), i);
    }
    store_view_close(view);
}

static void compare(struct world *w, struct model_folder *f)
{
    struct store_read *rd = begin(w);
    struct store_folder folder;
    const struct message_row *row;
    size_t unseen = 0, deleted = 0;

    assert_ok(store_folder_get(rd, f->fid, &folder));
    struct store_rows *rows = store_rows_open(rd, f->fid, 0);

    for (size_t i = 0; i < f->n; i++) {
        assert_ok(store_rows_next(rows, &row));
        compare_row(rd, f->fid, &f->rows[i], row);
        unseen += !(row->flags & FLAG_SEEN);
        deleted += !!(row->flags & FLAG_DELETED);
    }
    assert_code(store_rows_next(rows, &row), ERR_NOT_FOUND);
    store_rows_close(rows);
    assert_int_equal(folder.exists, f->n);
    assert_int_equal(folder.unseen, unseen);
    assert_int_equal(folder.deleted, deleted);
    assert_int_equal(folder.uidnext, f->uidnext);
    assert_int_equal(folder.recent_from, f->recent_from);
    compare_view(rd, f);
    store_read_end(rd);
}

/* ---- a client that was away ---- */

static void go_away(struct world *w, size_t i)
{
    struct store_read *rd = begin(w);
    struct store_folder folder;

    assert_ok(store_folder_get(rd, w->folders[i].fid, &folder));
    store_read_end(rd);
    w->away[i].modseq = folder.modseq;
    w->away[i].n = w->folders[i].n;
    memcpy(w->away[i].rows, w->folders[i].rows, sizeof w->away[i].rows);
}

static void forget_gone(struct away *away, const struct uidset *gone, const struct uidset *kept)
{
    size_t n = 0;

    for (size_t i = 0; i < away->n; i++)
        if (kept ? uidset_has(kept, away->rows[i].uid) : !uidset_has(gone, away->rows[i].uid))
            away->rows[n++] = away->rows[i];
    away->n = n;
}

static void learn(struct store_read *rd, struct away *away, const struct message_row *row)
{
    size_t i = 0;

    while (i < away->n && away->rows[i].uid < row->uid)
        i++;
    if (i == away->n || away->rows[i].uid != row->uid) {
        memmove(away->rows + i + 1, away->rows + i, (away->n - i) * sizeof *away->rows);
        away->n++;
    }
    away->rows[i] = (struct model_row){.uid = row->uid,
                                       .flags = row->flags & FLAG_ALL_IMAP,
                                       .keywords = keywords_of(rd, row),
                                       .letter = letter_of(rd, row)};
}

static void catch_up(struct world *w, size_t i)
{
    struct store_read *rd = begin(w);
    struct away *away = &w->away[i];
    struct model_folder *f = &w->folders[i];
    struct uidset gone = UIDSET_EMPTY, changed = UIDSET_EMPTY;
    struct uidset touched = UIDSET_EMPTY, untouched = UIDSET_EMPTY;
    struct store_view *view;
    struct message_row row;
    uint32_t uid = 0;
    bool complete;

    assert_ok(store_expunged_since(rd, f->fid, away->modseq, &gone, &complete));
    assert_ok(store_changed_since(rd, f->fid, away->modseq, &changed));
    assert_ok(store_touched_since(rd, f->fid, away->modseq, &touched));
    uidset_subtract(&changed, &touched, &untouched);
    assert_int_equal(untouched.n, 0);
    assert_ok(store_view_open(rd, f->fid, &view));
    forget_gone(away, &gone, complete ? NULL : store_view_uids(view));
    for (; uidset_next(&changed, uid, &uid); uid++) {
        assert_ok(store_message(rd, f->fid, uid, &row));
        assert_true(row.modseq > away->modseq);
        learn(rd, away, &row);
    }
    store_view_close(view);
    store_read_end(rd);
    uidset_done(&gone);
    uidset_done(&changed);
    uidset_done(&touched);
    uidset_done(&untouched);
    assert_int_equal(away->n, f->n);
    for (size_t k = 0; k < f->n; k++) {
        assert_int_equal(away->rows[k].uid, f->rows[k].uid);
        assert_int_equal(away->rows[k].flags, f->rows[k].flags);
        assert_int_equal(away->rows[k].keywords, f->rows[k].keywords);
    }
    go_away(w, i);
}

/* ---- operations ---- */

static struct model_folder *any_folder(struct world *w)
{
    return &w->folders[rng_below(&w->rng, FOLDERS)];
}

static struct uidset any_uids(struct world *w, const struct model_folder *f)
{
    struct uidset set = UIDSET_EMPTY;

    for (uint32_t i = 1 + rng_below(&w->rng, 4); i > 0; i--) {
        uint32_t first = 1 + rng_below(&w->rng, f->uidnext + 3);

        uidset_add(&set, first, first + rng_below(&w->rng, rng_below(&w->rng, 4) ? 3 : 100));
    }
    return set;
}

static unsigned any_keywords(struct world *w)
{
    return rng_below(&w->rng, 2) ? 0 : rng_below(&w->rng, 1u << KEYWORDS);
}

static size_t keyword_slices(unsigned bits, struct slice *names)
{
    size_t n = 0;

    for (unsigned k = 0; k < KEYWORDS; k++)
        if (bits & 1u << k)
            names[n++] = slice_str(keyword_names[k]);
    return n;
}

static void model_add(struct model_folder *f, struct model_row row)
{
    row.uid = f->uidnext++;
    f->rows[f->n++] = row;
}

static void do_append(struct world *w)
{
    struct model_folder *f = any_folder(w);
    struct store_new_message m[70];
    struct store_prepared *prepared[70];
    struct slice names[KEYWORDS];
    struct store_append rq;
    unsigned keywords = any_keywords(w);
    size_t n = 1 + rng_below(&w->rng, rng_below(&w->rng, 5) ? 3 : 70);

    if (f->n + n > MAX_ROWS)
        return;
    size_t n_names = keyword_slices(keywords, names);
    store_append_init(&rq);
    rq.fid = f->fid;
    rq.messages = m;
    rq.n = n;
    for (size_t i = 0; i < n; i++) {
        char text[] = "A: b\r\n\r\nc\r\n";

        text[0] = (char)('A' + rng_below(&w->rng, 20));
        prepared[i] = bed_prepare(&w->bed, text);
        m[i] = (struct store_new_message){
            .prepared = prepared[i],
            .flags = (uint16_t)rng_below(&w->rng, 32),
            .keywords = names,
            .n_keywords = n_names,
            .uidl = rng_below(&w->rng, 8) ? SLICE_EMPTY : S("imported-uidl"),
        };
        model_add(f,
                  (struct model_row){.flags = m[i].flags, .keywords = keywords, .letter = text[0]});
    }
    assert_ok(run(w, &rq.op));
    if (!rq.op.repeated)
        assert_int_equal(rq.first_uid, f->uidnext - n);
    for (size_t i = 0; i < n; i++)
        store_prepared_free(prepared[i]);
    compare(w, f);
}

static void model_change(struct model_row *row, enum store_flags_how how, uint16_t flags,
                         unsigned keywords)
{
    if (how == FLAGS_REPLACE) {
        row->flags = flags;
        row->keywords = keywords;
    } else if (how == FLAGS_ADD) {
        row->flags |= flags;
        row->keywords |= keywords;
    } else {
        row->flags = (uint16_t)(row->flags & ~flags);
        row->keywords &= ~keywords;
    }
}

static void do_flags(struct world *w)
{
    struct model_folder *f = any_folder(w);
    struct slice names[KEYWORDS];
    unsigned keywords = any_keywords(w);
    struct store_set_flags rq;

    store_set_flags_init(&rq);
    rq.fid = f->fid;
    rq.uids = any_uids(w, f);
    rq.how = (enum store_flags_how)rng_below(&w->rng, 3);
    rq.flags = (uint16_t)rng_below(&w->rng, 32);
    rq.flags &= (uint16_t)rng_below(&w->rng, 32);
    rq.keywords = names;
    rq.n_keywords = keyword_slices(keywords, names);
    assert_ok(run(w, &rq.op));
    for (size_t i = 0; i < f->n; i++)
        if (uidset_has(&rq.uids, f->rows[i].uid))
            model_change(&f->rows[i], rq.how, rq.flags, keywords);
    uidset_done(&rq.uids);
    uidset_done(&rq.changed);
    uidset_done(&rq.modified);
    compare(w, f);
}

/* Set a number, a text (short or long) and the flags of one message, or remove them. */
static void do_props(struct world *w)
{
    static const uint32_t lengths[] = {1, 100, STORE_PROP_INLINE, STORE_PROP_INLINE + 1, 70000};
    static char text[70000];
    struct model_folder *f = any_folder(w);
    struct store_read *rd = begin(w);
    struct message_row row;
    struct store_set_props rq;

    if (f->n == 0) {
        store_read_end(rd);
        return;
    }
    struct model_row *model = &f->rows[rng_below(&w->rng, (uint32_t)f->n)];

    assert_ok(store_message(rd, f->fid, model->uid, &row));
    store_read_end(rd);
    memset(text, 't', sizeof text);
    uint32_t number = rng_below(&w->rng, 3), length = lengths[rng_below(&w->rng, 5)];
    bool remove = rng_below(&w->rng, 3) == 0, seen = rng_below(&w->rng, 2);
    struct store_prop_change changes[] = {
        {.prop = {.tag = NUMBER_TAG, .value.number = number}, .remove = number == 0},
        {.prop = {.tag = TEXT_TAG, .value.bytes = slice_of(text, length)}, .remove = remove},
        {.prop = {.tag = PR_MESSAGE_FLAGS,
                  .value.number = (model->flags & FLAG_DRAFT ? 0x8 : 0) | seen}},
        {.prop = {.tag = PR_FLAG_STATUS, .value.number = seen ? 2 : 0}},
    };
    store_set_props_init(&rq);
    rq.id = row.mid;
    rq.changes = changes;
    rq.n = 4;
    assert_ok(run(w, &rq.op));
    model->number = number;
    model->length = remove ? 0 : length;
    model->flags = (uint16_t)((model->flags & ~(FLAG_SEEN | FLAG_FLAGGED)) |
                              (seen ? FLAG_SEEN | FLAG_FLAGGED : 0));
    compare(w, f);
}

static void model_remove(struct model_folder *f, const struct uidset *set, bool only_deleted)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++) {
        bool goes = (!set || uidset_has(set, f->rows[i].uid)) &&
                    (!only_deleted || (f->rows[i].flags & FLAG_DELETED));

        if (!goes)
            f->rows[n++] = f->rows[i];
    }
    f->n = n;
}

/* Save a message that is made of properties: a new one, or in the place of one that is there. */
static void do_save(struct world *w)
{
    static char text[60000];
    struct model_folder *f = any_folder(w);
    struct store_read *rd = begin(w);
    bool replace = f->n > 0 && rng_below(&w->rng, 2);
    struct model_row row = {.flags = FLAG_SEEN}, *old = NULL;
    struct message_row there = {.mid = 0};
    char mail[] = "A: b\r\n\r\nc\r\n";

    if (replace) {
        old = &f->rows[rng_below(&w->rng, (uint32_t)f->n)];
        row = *old;
        assert_ok(store_message(rd, f->fid, old->uid, &there));
    }
    store_read_end(rd);
    if (f->n + 1 > MAX_ROWS)
        return;
    memset(text, 'a', sizeof text);
    row.letter = mail[0] = (char)('A' + rng_below(&w->rng, 20));
    row.number = 1 + rng_below(&w->rng, 3);
    row.length = 0;
    struct store_prop data = {.tag = PR_ATTACH_DATA,
                              .value.bytes = slice_of(text, rng_below(&w->rng, sizeof text))};
    struct store_attachment attachment = {.props = {&data, 1}};
    struct store_content content = {.attachments = &attachment, .n_attachments = 1};
    struct store_prop_change changes[] = {
        {.prop = {.tag = NUMBER_TAG, .value.number = row.number}},
        {.prop = {.tag = PR_MESSAGE_FLAGS, .value.number = 1}},
    };
    struct store_save_message rq;

    store_save_message_init(&rq);
    rq.fid = f->fid;
    rq.mid = there.mid;
    rq.prepared = bed_prepare(&w->bed, mail);
    rq.changes = changes;
    rq.n = replace ? 1 : 2;
    rq.content = rng_below(&w->rng, 2) ? &content : NULL;
    assert_ok(run(w, &rq.op));
    store_prepared_free(rq.prepared);
    if (old) {
        memmove(old, old + 1, (size_t)(f->rows + f->n - old - 1) * sizeof *old);
        f->n--;
    }
    model_add(f, row);
    compare(w, f);
}

static void do_expunge(struct world *w)
{
    struct model_folder *f = any_folder(w);
    struct store_expunge rq;

    store_expunge_init(&rq);
    rq.fid = f->fid;
    rq.everything = rng_below(&w->rng, 3) == 0;
    rq.only_deleted = rng_below(&w->rng, 8) != 0;
    rq.uids = any_uids(w, f);
    assert_ok(run(w, &rq.op));
    model_remove(f, rq.everything ? NULL : &rq.uids, rq.only_deleted);
    uidset_done(&rq.uids);
    uidset_done(&rq.expunged);
    compare(w, f);
}

static void do_copy(struct world *w)
{
    struct model_folder *from = any_folder(w), *to = any_folder(w);
    struct model_row picked[MAX_ROWS];
    struct store_copy rq;
    size_t n = 0;

    store_copy_init(&rq);
    rq.from = from->fid;
    rq.to = to->fid;
    rq.move = rng_below(&w->rng, 2);
    rq.uids = any_uids(w, from);
    for (size_t i = 0; i < from->n; i++)
        if (uidset_has(&rq.uids, from->rows[i].uid))
            picked[n++] = from->rows[i];
    if (to->n + n <= MAX_ROWS) {
        assert_ok(run(w, &rq.op));
        if (!rq.op.repeated)
            assert_int_equal(uidset_count(&rq.source), n);
        if (rq.move)
            for (size_t i = 0; i < n; i++)
                model_remove(
                    from, &(struct uidset){&(struct uid_run){picked[i].uid, picked[i].uid}, 1, 1},
                    false);
        for (size_t i = 0; i < n; i++)
            model_add(to, picked[i]);
    }
    uidset_done(&rq.uids);
    uidset_done(&rq.source);
    compare(w, from);
    compare(w, to);
}

static void do_recent(struct world *w)
{
    struct model_folder *f = any_folder(w);
    struct store_claim_recent rq;

    store_claim_recent_init(&rq);
    rq.fid = f->fid;
    assert_ok(run(w, &rq.op));
    if (!rq.op.repeated) {
        assert_int_equal(rq.from, f->recent_from);
        assert_int_equal(rq.to, f->uidnext);
    }
    f->recent_from = f->uidnext;
}

static uint64_t make_folder(struct world *w)
{
    struct store_folder_create rq;
    char path[40];

    snprintf(path, sizeof path, "folder/%d", w->ops * 10 + (int)rng_below(&w->rng, 10));
    store_folder_create_init(&rq);
    rq.path = slice_str(path);
    assert_ok(run(w, &rq.op));
    return bed_find(&w->bed, path);
}

/* Delete one and make another in its place: the contents are swept meanwhile. */
static void do_replace(struct world *w)
{
    size_t i = 1 + rng_below(&w->rng, FOLDERS - 1);
    struct store_folder_delete rq;

    store_folder_delete_init(&rq);
    rq.fid = w->folders[i].fid;
    assert_ok(run(w, &rq.op));
    w->folders[i] = (struct model_folder){.fid = make_folder(w), .uidnext = 1, .recent_from = 1};
    w->deleted[i] = (struct model_folder){.fid = 0};
    go_away(w, i);
    compare(w, &w->folders[i]);
}

/* ---- as MAPI deletes ---- */

static void find_shadow(struct world *w, size_t i)
{
    struct store_read *rd = begin(w);
    struct store_folder shadow;
    struct err e = store_folder_shadow(rd, w->folders[i].fid, SHADOW_DELETED, &shadow);

    if (w->deleted[i].fid == 0 && !failed(e))
        w->deleted[i] = (struct model_folder){.fid = shadow.fid, .uidnext = 1, .recent_from = 1};
    if (w->deleted[i].fid)
        assert_int_equal(shadow.fid, w->deleted[i].fid);
    store_read_end(rd);
}

/* Messages of a folder, by MID, some of which nobody has. */
static void do_delete(struct world *w)
{
    size_t i = rng_below(&w->rng, FOLDERS), n = 0;
    struct model_folder *f = &w->folders[i];
    struct model_row picked[MAX_ROWS];
    uint64_t mids[MAX_ROWS + 1];
    struct store_read *rd = begin(w);
    struct uidset set = any_uids(w, f);
    struct store_delete_messages rq;
    struct message_row row;

    for (size_t k = 0; k < f->n; k++) {
        if (!uidset_has(&set, f->rows[k].uid))
            continue;
        assert_ok(store_message(rd, f->fid, f->rows[k].uid, &row));
        mids[n] = row.mid;
        picked[n++] = f->rows[k];
    }
    store_read_end(rd);
    mids[n] = rng_u64(&w->rng) | 1ull << 50;
    store_delete_messages_init(&rq);
    rq.fid = f->fid;
    rq.mids = mids;
    rq.n = n + 1;
    rq.hard = rng_below(&w->rng, 3) == 0 || w->deleted[i].n + n > MAX_ROWS;
    assert_ok(run(w, &rq.op));
    model_remove(f, &set, false);
    find_shadow(w, i);
    for (size_t k = 0; k < n && !rq.hard; k++)
        model_add(&w->deleted[i], picked[k]);
    uidset_done(&set);
    compare(w, f);
    if (w->deleted[i].fid)
        compare(w, &w->deleted[i]);
}

/* What was soft-deleted in one folder is recovered into another, or goes for good. */
static void do_recover(struct world *w)
{
    struct model_folder *from = &w->deleted[rng_below(&w->rng, FOLDERS)], *to = any_folder(w);
    struct store_delete_messages purge;
    struct store_copy rq;

    if (from->fid == 0)
        return;
    if (to->n + from->n > MAX_ROWS || rng_below(&w->rng, 3) == 0) {
        store_delete_messages_init(&purge);
        purge.fid = from->fid;
        purge.everything = true;
        assert_ok(run(w, &purge.op));
    } else {
        store_copy_init(&rq);
        rq.from = from->fid;
        rq.to = to->fid;
        rq.move = true;
        uidset_add(&rq.uids, 1, UINT32_MAX);
        assert_ok(run(w, &rq.op));
        uidset_done(&rq.uids);
        uidset_done(&rq.source);
        for (size_t i = 0; i < from->n; i++)
            model_add(to, from->rows[i]);
    }
    from->n = 0;
    compare(w, from);
    compare(w, to);
}

/* Folders beside those of the model, of which only the store's own verification is asked. */
static uint64_t tree_folder(struct world *w)
{
    struct arena arena = ARENA_INIT;
    struct store_read *rd = begin(w);
    uint64_t fid = SPECIAL_JUNK;
    struct store_folder *below;
    size_t n;

    do {
        assert_ok(store_folder_children(rd, fid, false, &arena, &below, &n));
        if (n > 0)
            fid = below[rng_below(&w->rng, (uint32_t)n)].fid;
    } while (n > 0 && rng_below(&w->rng, 3) != 0);
    store_read_end(rd);
    arena_done(&arena);
    return fid;
}

static void tree_grow(struct world *w)
{
    struct store_folder_create create;
    struct store_folder_copy copy;
    char name[40];
    struct err e;

    snprintf(name, sizeof name, "t/%u", rng_below(&w->rng, 20));
    if (rng_below(&w->rng, 2)) {
        store_folder_create_init(&create);
        create.parent = tree_folder(w);
        create.path = slice_str(name);
        create.open_existing = true;
        assert_ok(run(w, &create.op));
        return;
    }
    store_folder_copy_init(&copy);
    copy.fid = rng_below(&w->rng, 3) ? tree_folder(w) : any_folder(w)->fid;
    copy.parent = tree_folder(w);
    copy.name = slice_str(name);
    copy.recursive = rng_below(&w->rng, 2);
    e = run(w, &copy.op);
    assert_true(!failed(e) || e.code == ERR_EXISTS || e.code == ERR_CONFLICT);
}

static void tree_shrink(struct world *w)
{
    struct store_folder_remove remove;
    struct store_folder_empty empty;
    uint64_t fid = tree_folder(w);

    if (rng_below(&w->rng, 3) == 0) {
        store_folder_empty_init(&empty);
        empty.fid = fid;
        empty.hard = rng_below(&w->rng, 2);
        empty.associated = rng_below(&w->rng, 2);
        assert_ok(run(w, &empty.op));
        return;
    }
    store_folder_remove_init(&remove);
    remove.fid = fid;
    remove.messages = remove.folders = true;
    remove.hard = rng_below(&w->rng, 2);
    struct err e = run(w, &remove.op);
    /* Where nobody heard that it was done, it is gone when it is asked for again. */
    assert_true(!failed(e) || fid == SPECIAL_JUNK || (w->faulty && e.code == ERR_NOT_FOUND));
}

static void do_tree(struct world *w)
{
    struct store_folder_move move;
    char name[40];

    if (rng_below(&w->rng, 3)) {
        tree_grow(w);
    } else if (rng_below(&w->rng, 2)) {
        tree_shrink(w);
    } else {
        snprintf(name, sizeof name, "m%u", rng_below(&w->rng, 20));
        store_folder_move_init(&move);
        move.fid = tree_folder(w);
        move.parent = rng_below(&w->rng, 4) ? tree_folder(w) : SPECIAL_ROOT;
        move.name = slice_str(name);
        struct err e = run(w, &move.op);
        assert_true(!failed(e) || e.code == ERR_EXISTS || e.code == ERR_CONFLICT ||
                    e.code == ERR_DENIED);
    }
}

static void do_rename(struct world *w)
{
    struct store_folder_rename rq;
    char path[40];

    snprintf(path, sizeof path, "other/%d", w->ops);
    store_folder_rename_init(&rq);
    rq.fid = w->folders[1 + rng_below(&w->rng, FOLDERS - 1)].fid;
    rq.path = slice_str(path);
    assert_ok(run(w, &rq.op));
    assert_int_equal(bed_find(&w->bed, path), rq.fid);
}

static void print_finding(void *ctx, const char *text)
{
    (void)ctx;
    print_error("verify: %s\n", text);
}

static void check_all(struct world *w)
{
    struct store_verify_report report = {0};

    for (size_t i = 0; i < FOLDERS; i++) {
        compare(w, &w->folders[i]);
        if (w->deleted[i].fid)
            compare(w, &w->deleted[i]);
    }
    if (!w->faulty)
        bed_verify(&w->bed);
    else {
        struct err e;

        engine_faulty_rates(w->faulty, &(struct fault_rates){0});
        e = store_verify(w->bed.store, print_finding, NULL, &report);
        assert_ok(e);
        assert_int_equal(report.faults, 0);
    }
}

static void step(struct world *w)
{
    uint32_t dice = rng_below(&w->rng, 100);

    w->ops++;
    if (dice < 30)
        do_append(w);
    else if (dice < 48)
        do_flags(w);
    else if (dice < 54)
        do_props(w);
    else if (dice < 60)
        do_save(w);
    else if (dice < 68)
        do_expunge(w);
    else if (dice < 73)
        do_delete(w);
    else if (dice < 75)
        do_recover(w);
    else if (dice < 78)
        do_tree(w);
    else if (dice < 88)
        do_copy(w);
    else if (dice < 90)
        do_recent(w);
    else if (dice < 92)
        do_replace(w);
    else if (dice < 94)
        do_rename(w);
    else
        catch_up(w, rng_below(&w->rng, FOLDERS));
}

static const struct fault_rates rates = {.unavailable = 30,
                                         .refused = 20,
                                         .unknown_done = 50,
                                         .unknown_lost = 50,
                                         .stalled = 5,
                                         .late = 20,
                                         .most_ms = 2};

static void world_init(struct world *w, const struct store_config *config, bool faulty)
{
    w->rng = rng_seeded();
    bed_init_with(&w->bed, config);
    if (faulty) {
        mailbox_close(w->bed.mb);
        store_close(w->bed.store);
        struct engine_lmdb_config lmdb = {.dir = w->bed.dir, .map_bytes = config->map_bytes};
        struct engine *inner;

        assert_ok(engine_lmdb_open(&lmdb, NULL, &inner));
        assert_ok(engine_faulty_new(inner, rng_u64(&w->rng), &w->faulty));
        assert_ok(store_open_engine(&w->bed.config, w->faulty, NULL, &w->bed.store));
        assert_ok(store_mailbox_open_now(w->bed.store, w->bed.mailbox_id, &w->bed.mb));
        engine_faulty_rates(w->faulty, &rates);
    }
    for (size_t i = 0; i < FOLDERS; i++) {
        w->ops++;
        w->folders[i] = (struct model_folder){
            .fid = i ? make_folder(w) : SPECIAL_INBOX, .uidnext = 1, .recent_from = 1};
        go_away(w, i);
    }
}

static void run_world(const struct store_config *config, bool faulty, int steps)
{
    struct world *w = mem_new(sizeof *w);

    world_init(w, config, faulty);
    for (int i = 0; i < steps; i++) {
        step(w);
        if (i % 150 == 149)
            check_all(w);
        if (i % 400 == 399 && !faulty)
            bed_reopen(&w->bed);
        if (faulty)
            engine_faulty_rates(w->faulty, &rates);
    }
    check_all(w);
    mailbox_close(w->bed.mb);
    store_close(w->bed.store);
    test_dir_free(w->bed.dir);
    free(w);
}

static void random_changes_agree_with_a_plain_model(void **state)
{
    (void)state;
    run_world(&(struct store_config){.map_bytes = 1ull << 30, .recover = KEPT}, false, 1200);
}

static void a_short_change_log_forgets_and_says_so(void **state)
{
    (void)state;
    run_world(&(struct store_config){.map_bytes = 1ull << 30, .recover = KEPT, .max_log = 10},
              false, 600);
}

static void an_engine_that_fails_in_every_way_loses_and_doubles_nothing(void **state)
{
    (void)state;
    run_world(&(struct store_config){.map_bytes = 1ull << 30, .recover = KEPT}, true, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes_agree_with_a_plain_model),
        cmocka_unit_test(a_short_change_log_forgets_and_says_so),
        cmocka_unit_test(an_engine_that_fails_in_every_way_loses_and_doubles_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
