/*
 * flags.c - changing flags and keywords.
 *
 * A request for many messages works through the row groups in order, a bounded number in a batch:
 * each group that changes is one copy of a page.
 */
#include "store/message_int.h"

/* What one batch changes. */
struct flags_batch {
    struct store_set_flags *rq;
    struct folder_rec folder;
    struct keyword_change keywords;
    struct keyword_counts counts;
    struct uidset seen, unseen; /* became so */
    struct mid_runs mids;       /* of those that changed */
    uint64_t first_counter;
    uint32_t looked_at;
};

static uint16_t wanted(const struct store_set_flags *rq, uint16_t flags)
{
    uint16_t named = rq->flags & FLAG_ALL_IMAP;

    if (rq->how == FLAGS_ADD)
        return flags | named;
    if (rq->how == FLAGS_REMOVE)
        return (uint16_t)(flags & ~named);
    return (uint16_t)((flags & ~FLAG_ALL_IMAP) | named);
}

static void count_change(struct flags_batch *b, uint32_t uid, uint16_t before, uint16_t after)
{
    uint16_t changed = before ^ after;

    if (changed & FLAG_SEEN) {
        uidset_add(after & FLAG_SEEN ? &b->seen : &b->unseen, uid, uid);
        b->folder.unseen += after & FLAG_SEEN ? -1u : 1u;
    }
    if (changed & FLAG_DELETED)
        b->folder.deleted += after & FLAG_DELETED ? 1u : -1u;
}

/* Change one row if it has to be. *changed tells whether it was. */
static struct err change_row(struct store_tx *tx, struct flags_batch *b, uint8_t *bytes,
                             bool *changed)
{
    struct message_row row;
    uint32_t set;

    row_decode(bytes, &row);
    if (b->rq->conditional && row.modseq > b->rq->unchanged_since) {
        uidset_add(&b->rq->batch_modified, row.uid, row.uid);
        return OK;
    }
    uint16_t flags = wanted(b->rq, row.flags);
    struct err e = keyword_change_find(tx, &b->keywords, row.keyword_set, &set);

    if (failed(e) || (flags == row.flags && set == row.keyword_set))
        return e;
    count_change(b, row.uid, row.flags, flags);
    keyword_counts_add(&b->counts, row.keyword_set, -1);
    keyword_counts_add(&b->counts, set, 1);
    row.modseq = tx_take(tx, 1);
    /*
     * The read state has a number of its own ([MS-OXCFXICS] 3.2.5.6); \Deleted is not told to MAPI
     * clients at all, and moves only the MODSEQ.
     */
    if ((flags ^ row.flags) & FLAG_SEEN)
        row.read_cn = row.modseq;
    if (((flags ^ row.flags) & ~(FLAG_SEEN | FLAG_DELETED)) || set != row.keyword_set)
        row.cn = row.modseq;
    row.flags = flags;
    row.keyword_set = set;
    row_encode(&row, bytes);
    uidset_add(&b->rq->batch_changed, row.uid, row.uid);
    mid_runs_add(&b->mids, row.mid);
    *changed = true;
    return OK;
}

static struct err change_group(struct store_tx *tx, struct flags_batch *b, struct group *group,
                               struct uid_walk *walk)
{
    bool changed = false;
    struct err e = OK;

    for (uint32_t i = 0; i < group->n && !failed(e); i++) {
        uint8_t *row = group_row(group, i);

        if (row_uid(row) >= b->rq->next && uid_walk_has(walk, row_uid(row)))
            e = change_row(tx, b, row, &changed);
    }
    b->looked_at += group->n;
    return failed(e) || !changed ? e : group_save(tx, group);
}

static bool batch_is_full(const struct flags_batch *b)
{
    return b->looked_at >= SLICE_MESSAGES || b->seen.n + b->unseen.n >= SLICE_RUNS ||
           b->rq->batch_changed.n >= SLICE_RUNS * 4 || b->keywords.n_known >= SLICE_RUNS;
}

/* Work on from rq->next until all is done or the batch is full. */
static struct err change_some(struct store_tx *tx, struct flags_batch *b, bool *more)
{
    struct uid_walk walk = {&b->rq->uids, 0};
    struct group group;
    uint64_t at = b->rq->next;
    uint32_t uid;

    while (at <= UINT32_MAX && uidset_next(&b->rq->uids, (uint32_t)at, &uid)) {
        *more = batch_is_full(b);
        b->rq->batch_next = at;
        if (*more)
            return OK;
        struct err e = group_load(tx, b->rq->fid, uid, &group);
        if (e.code == ERR_NOT_FOUND)
            return OK;
        if (!failed(e))
            e = change_group(tx, b, &group, &walk);
        if (failed(e))
            return e;
        at = (uint64_t)row_uid(group_row(&group, group.n - 1)) + 1;
    }
    return OK;
}

static struct err write_down(struct store_tx *tx, struct flags_batch *b)
{
    uint64_t fid = b->folder.fid;
    struct log_rec rec = {
        .kind = LOG_CHANGED,
        .cause = b->seen.n + b->unseen.n ? CAUSE_READ : CAUSE_NONE,
        .fid = fid,
        .first = b->first_counter,
        .mids = mid_runs_end(&b->mids),
    };
    struct err e = runs_remove_set(tx, KEY_RUN_UNSEEN, fid, &b->seen);

    if (!failed(e))
        e = runs_add_set(tx, KEY_RUN_UNSEEN, fid, &b->unseen);
    if (!failed(e))
        e = keyword_counts_write(tx, &b->counts);
    if (!failed(e))
        e = log_put(tx, &rec, &b->rq->batch_changed);
    b->folder.modseq = b->folder.flags_modseq = tx->rec.counter;
    b->folder.contents_changed = tx->now;
    return failed(e) ? e : folder_save(tx, &b->folder);
}

static struct err set_flags_step(struct store_tx *tx, struct store_op *op)
{
    struct store_set_flags *rq = container_of(op, struct store_set_flags, op);
    struct flags_batch b = {
        .rq = rq,
        .keywords = {.how = rq->how, .names = rq->keywords, .n = rq->n_keywords},
        .first_counter = tx->rec.counter + 1,
        .mids = mid_runs_make(),
    };
    struct err e = keyword_names_check(rq->keywords, rq->n_keywords);

    uidset_clear(&rq->batch_changed);
    uidset_clear(&rq->batch_modified);
    if (!failed(e))
        e = folder_load_open(tx, rq->fid, &b.folder);
    rq->batch_others = b.folder.flags_modseq > rq->known;
    if (!failed(e))
        e = change_some(tx, &b, &op->more);
    if (!failed(e) && rq->batch_changed.n)
        e = write_down(tx, &b);
    rq->batch_known = b.folder.flags_modseq;
    uidset_done(&b.seen);
    uidset_done(&b.unseen);
    mid_runs_done(&b.mids);
    keyword_change_done(&b.keywords);
    keyword_counts_done(&b.counts);
    return e;
}

static void take_over(struct uidset *to, const struct uidset *from)
{
    for (size_t i = 0; i < from->n; i++)
        uidset_add(to, from->runs[i].first, from->runs[i].last);
}

static void set_flags_settle(struct store_op *op)
{
    struct store_set_flags *rq = container_of(op, struct store_set_flags, op);

    take_over(&rq->changed, &rq->batch_changed);
    take_over(&rq->modified, &rq->batch_modified);
    rq->others |= rq->batch_others;
    if (rq->batch_known > rq->known)
        rq->known = rq->batch_known;
    rq->next = rq->batch_next;
}

static void set_flags_cleanup(struct store_op *op)
{
    struct store_set_flags *rq = container_of(op, struct store_set_flags, op);

    uidset_done(&rq->batch_changed);
    uidset_done(&rq->batch_modified);
}

void store_set_flags_init(struct store_set_flags *rq)
{
    *rq = (struct store_set_flags){.op = {.sliced = true,
                                          .step = set_flags_step,
                                          .settle = set_flags_settle,
                                          .cleanup = set_flags_cleanup}};
}
