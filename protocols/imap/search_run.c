#include "protocols/imap/search.h"

/* What one slice may cost: nanoseconds or so, on a machine like ours. */
enum { COST_PER_PULL = 2000000, COST_PER_BODY_BYTE = 1, DAY = 86400 };

/* One message, of which more is read as criteria ask for it. */
struct looking {
    struct imap_session *s;
    struct search *search;
    struct store_read *rd;
    const struct message_row *row;
    struct message_meta meta;
    struct slice header, bytes;
    struct mime parts;
    bool has_meta, has_header, has_bytes;
    struct err err;
    uint64_t cost;
};

/* ---- reading ---- */

static bool need_meta(struct looking *at)
{
    if (!at->has_meta && !failed(at->err)) {
        at->err = store_message_meta(at->rd, at->row, &at->meta);
        at->has_meta = true;
        at->cost += COST_META;
    }
    return !failed(at->err);
}

static bool need_header(struct looking *at)
{
    if (!need_meta(at))
        return false;
    if (!at->has_header) {
        at->err = store_message_bytes(at->rd, at->row, 0, at->meta.header_len, &at->search->scratch,
                                      &at->header);
        at->has_header = true;
    }
    at->cost += at->meta.header_len;
    return !failed(at->err);
}

static bool need_bytes(struct looking *at)
{
    if (!need_meta(at))
        return false;
    if (!at->has_bytes) {
        at->err =
            search_load(at->rd, at->row, &at->meta, &at->search->scratch, &at->bytes, &at->parts);
        at->has_bytes = true;
    }
    at->cost += COST_HEADER + (uint64_t)at->bytes.len * COST_PER_BODY_BYTE;
    return !failed(at->err);
}

/* ---- criteria ---- */

/*
 * The day that counts for a date criterion, without its zone. Of a message that says no date the
 * store keeps the day it came, as RFC 5256 2.2 has it.
 */
static int64_t day_of(const struct message_row *row, enum search_when when)
{
    int64_t seconds = when == WHEN_SENT ? row->sent
                      : when == WHEN_SAVED
                          ? filetime_to_unix(row->savedate)
                          : filetime_to_unix(row->internaldate) + (int64_t)row->zone * 60;

    return seconds - ((seconds % DAY) + DAY) % DAY;
}

static bool meets_date(const struct search_key *key, const struct message_row *row)
{
    int64_t day = day_of(row, key->when);

    return key->op == SEARCH_BEFORE ? day < key->day
           : key->op == SEARCH_ON   ? day == key->day
                                    : day >= key->day;
}

/* RFC 5032 3: YOUNGER takes the last `number` seconds in, OLDER all before them. */
static bool meets_interval(const struct looking *at, const struct search_key *key)
{
    uint64_t now = at->s->env->clock->wall;
    bool forever = key->number > now / FILETIME_SECOND;
    uint64_t since = forever ? 0 : now - key->number * FILETIME_SECOND;

    return key->op == SEARCH_YOUNGER ? at->row->internaldate >= since
                                     : at->row->internaldate <= since && !forever;
}

/* Messages with the same keywords mostly stand together: the last answer is kept. */
static bool meets_keyword(struct looking *at, struct search_key *key)
{
    const struct keyword_set *set;

    if (at->row->keyword_set == 0)
        return false;
    if (key->seen_valid && key->seen_set == at->row->keyword_set)
        return key->seen_has;
    at->err = store_keywords(at->rd, at->row->keyword_set, &set);
    if (failed(at->err))
        return false;
    key->seen_has = false;
    for (uint32_t i = 0; i < set->n && !key->seen_has; i++)
        key->seen_has = slice_ieq(set->names[i], key->name);
    key->seen_set = at->row->keyword_set;
    key->seen_valid = true;
    return key->seen_has;
}

static bool meets_email_id(struct looking *at, const struct search_key *key)
{
    struct buf id = buf_make(256);

    at->cost += COST_META;
    at->err = store_email_id(at->rd, at->row, &id);
    bool same = !failed(at->err) && slice_eq(buf_slice(&id), key->name);
    buf_done(&id);
    return same;
}

static bool meets_text(struct looking *at, const struct search_key *key)
{
    if (key->op == SEARCH_HEADER)
        return need_header(at) && mime_search_header(key->needle, at->header, key->name);
    return need_bytes(at) &&
           mime_search_message(key->needle, at->bytes, &at->parts, key->op == SEARCH_TEXT);
}

static bool meets(struct looking *at, struct search_key *key);

static bool meets_any(struct looking *at, struct search_key *key)
{
    for (struct search_key *child = key->child; child; child = child->next)
        if (meets(at, child))
            return true;
    return false;
}

static bool meets_all(struct looking *at, struct search_key *key)
{
    for (struct search_key *child = key->child; child; child = child->next)
        if (!meets(at, child))
            return false;
    return true;
}

static bool meets(struct looking *at, struct search_key *key)
{
    const struct message_row *row = at->row;

    if (failed(at->err))
        return false; /* and what was to be told is told: nothing may put OK over it */
    at->cost += COST_ROW;
    switch (key->op) {
    case SEARCH_ALL:
    case SEARCH_SAVEDATESUPPORTED:
        return true;
    case SEARCH_NONE:
        return false;
    case SEARCH_AND:
        return meets_all(at, key);
    case SEARCH_OR:
        return meets_any(at, key);
    case SEARCH_NOT:
        return !meets(at, key->child);
    case SEARCH_UIDS:
        return uidset_has(&key->uids, row->uid);
    case SEARCH_FLAGS:
        return (row->flags & key->mask) == key->wanted;
    case SEARCH_RECENT:
        return imap_is_recent(at->s, row->uid);
    case SEARCH_NEW:
        return !(row->flags & FLAG_SEEN) && imap_is_recent(at->s, row->uid);
    case SEARCH_KEYWORD:
        return meets_keyword(at, key);
    case SEARCH_LARGER:
        return row->size > key->number;
    case SEARCH_SMALLER:
        return row->size < key->number;
    case SEARCH_BEFORE:
    case SEARCH_ON:
    case SEARCH_SINCE:
        return meets_date(key, row);
    case SEARCH_OLDER:
    case SEARCH_YOUNGER:
        return meets_interval(at, key);
    case SEARCH_MODSEQ:
        return row->modseq >= key->number;
    case SEARCH_EMAILID:
        return meets_email_id(at, key);
    case SEARCH_HEADER:
    case SEARCH_BODY:
    case SEARCH_TEXT:
        return meets_text(at, key);
    }
    return false;
}

/* ---- the walk ---- */

static void narrow_to(struct search *search, const struct uidset *set)
{
    struct uidset both = UIDSET_EMPTY;

    uidset_intersect(&search->candidates, set, &both);
    uidset_done(&search->candidates);
    search->candidates = both;
}

/*
 * Criteria that all messages have to meet and that are sets, or that the store keeps as one, need
 * no look at rows. What is left of the AND is what each candidate is asked.
 */
static struct err narrow(struct imap_session *s, struct search *search, struct store_read *rd)
{
    struct search_key **link = &search->root->child;

    uidset_copy(&search->candidates, store_view_uids(s->selected->view));
    while (*link) {
        struct search_key *key = *link;
        bool unseen = key->op == SEARCH_FLAGS && key->mask == FLAG_SEEN && !key->wanted;

        if (unseen) {
            struct err e = store_unseen(rd, s->selected->fid, &key->uids);
            if (failed(e))
                return e;
        }
        if (unseen || key->op == SEARCH_UIDS)
            narrow_to(search, &key->uids);
        if (unseen || key->op == SEARCH_UIDS || key->op == SEARCH_ALL)
            *link = key->next;
        else
            link = &key->next;
    }
    search->narrowed = true;
    return OK;
}

static void hit(struct search *search, const struct message_row *row)
{
    if (search->hits.n == 0)
        search->modseq_min = row->modseq;
    search->modseq_max = row->modseq;
    if (row->modseq > search->modseq_all)
        search->modseq_all = row->modseq;
    uidset_add(&search->hits, row->uid, row->uid);
}

/* Does this message meet them all? Most criteria need nothing but the row: no more is made ready.
 */
static void look(struct looking *at, const struct message_row *row)
{
    struct search *search = at->search;

    at->row = row;
    at->has_meta = at->has_header = at->has_bytes = false;
    at->err = OK;
    at->cost += COST_ROW;
    bool met = meets_all(at, search->root);
    if (failed(at->err)) {
        if (!failed(search->trouble))
            search->trouble = at->err;
    } else if (met) {
        hit(search, row);
    }
    if (search->scratch.total)
        arena_done(&search->scratch);
}

/* One run of candidates. */
static struct err walk_run(struct looking *at, struct store_rows *rows)
{
    struct search *search = at->search;
    const struct uid_run *run = &search->candidates.runs[search->run];
    const struct message_row *row;

    if (search->next < run->first)
        search->next = run->first;
    store_rows_seek(rows, (uint32_t)search->next);
    while (search->next <= run->last && at->cost < COST_PER_PULL) {
        struct err e = store_rows_next(rows, &row);

        if (failed(e) && e.code != ERR_NOT_FOUND)
            return e;
        if (failed(e) || row->uid > run->last) { /* expunged by somebody else */
            search->next = (uint64_t)run->last + 1;
            break;
        }
        search->next = (uint64_t)row->uid + 1;
        look(at, row);
        if (search->first_only && search->hits.n) {
            search->walked = true;
            break;
        }
    }
    return OK;
}

static struct err walk(struct imap_session *s, struct search *search, struct store_read *rd)
{
    struct looking at = {.s = s, .search = search, .rd = rd};
    struct err e = OK;

    if (search->run == search->candidates.n) {
        search->walked = true;
        return OK;
    }
    struct store_rows *rows =
        store_rows_open(rd, s->selected->fid, search->candidates.runs[search->run].first);
    while (!failed(e) && !search->walked && at.cost < COST_PER_PULL) {
        e = walk_run(&at, rows);
        if (search->next > search->candidates.runs[search->run].last)
            search->run++;
        if (search->run == search->candidates.n)
            search->walked = true;
    }
    store_rows_close(rows);
    return e;
}

struct err search_run(struct imap_session *s, struct search *search, bool *complete)
{
    struct store_read *rd;
    struct err e = store_read_begin(s->mailbox, &rd);

    if (failed(e))
        return e;
    if (!search->narrowed)
        e = narrow(s, search, rd);
    if (!failed(e) && !search->root->child) {
        uidset_copy(&search->hits, &search->candidates);
        search->walked = true;
    } else if (!failed(e)) {
        e = walk(s, search, rd);
    }
    store_read_end(rd);
    *complete = search->walked;
    return e;
}

void search_done(struct search *search)
{
    for (struct search_key *key = search->owned; key; key = key->owned) {
        uidset_done(&key->uids);
        mime_search_key_free(key->needle);
    }
    search->owned = NULL;
    uidset_done(&search->candidates);
    uidset_done(&search->hits);
    arena_done(&search->scratch);
}
