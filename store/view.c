/*
 * view.c - from sequence numbers to UIDs, as runs that sessions share.
 *
 * What a view shows is determined by two numbers of the folder: when UIDs last left it, and its
 * next UID. A cached view of the same two numbers is the same view; one that only lacks the newest
 * UIDs is extended.
 */
#include <stdlib.h>

#include "store/store_int.h"

enum { CACHED_VIEWS = 64 };

struct store_view {
    _Atomic unsigned holds;
    uint64_t gone_modseq;
    uint32_t uidnext;
    uint32_t count;
    struct uidset set;
    uint32_t *before; /* members before each run */
};

struct view_cache {
    struct {
        uint64_t fid;
        uint64_t used; /* when it was last asked for */
        struct store_view *view;
    } all[CACHED_VIEWS];
    size_t n;
    uint64_t clock;
};

/* ---- making ---- */

/* Takes the set over. */
static struct store_view *view_new(struct uidset *set, uint64_t gone_modseq, uint32_t uidnext)
{
    struct store_view *view = mem_new(sizeof *view);

    atomic_init(&view->holds, 1);
    view->gone_modseq = gone_modseq;
    view->uidnext = uidnext;
    view->set = *set;
    *set = UIDSET_EMPTY;
    view->before = mem_array(view->set.n + 1, sizeof *view->before);
    for (size_t i = 0; i < view->set.n; i++) {
        view->before[i] = view->count;
        view->count += view->set.runs[i].last - view->set.runs[i].first + 1;
    }
    return view;
}

struct store_view *store_view_hold(struct store_view *view)
{
    atomic_fetch_add(&view->holds, 1);
    return view;
}

void store_view_close(struct store_view *view)
{
    if (!view || atomic_fetch_sub(&view->holds, 1) != 1)
        return;
    uidset_done(&view->set);
    free(view->before);
    free(view);
}

/* ---- the cache, under the mailbox's mutex ---- */

void view_cache_free(struct view_cache *cache)
{
    for (size_t i = 0; cache && i < cache->n; i++)
        store_view_close(cache->all[i].view);
    free(cache);
}

/* A held view of the folder, or NULL. */
static struct store_view *cache_get(struct mailbox *mb, uint64_t fid)
{
    struct store_view *view = NULL;

    pthread_mutex_lock(&mb->mutex);
    for (size_t i = 0; mb->views && i < mb->views->n; i++) {
        if (mb->views->all[i].fid == fid) {
            mb->views->all[i].used = ++mb->views->clock;
            view = store_view_hold(mb->views->all[i].view);
            break;
        }
    }
    pthread_mutex_unlock(&mb->mutex);
    return view;
}

/* The place of the folder, or a free one, or that which was not asked for longest. */
static size_t cache_place(struct view_cache *cache, uint64_t fid)
{
    size_t oldest = 0;

    for (size_t i = 0; i < cache->n; i++) {
        if (cache->all[i].fid == fid)
            return i;
        if (cache->all[i].used < cache->all[oldest].used)
            oldest = i;
    }
    return cache->n < CACHED_VIEWS ? cache->n : oldest;
}

static bool is_newer(const struct store_view *a, const struct store_view *b)
{
    return a->gone_modseq != b->gone_modseq ? a->gone_modseq > b->gone_modseq
                                            : a->uidnext > b->uidnext;
}

static void cache_put(struct mailbox *mb, uint64_t fid, struct store_view *view)
{
    struct store_view *old = NULL;

    pthread_mutex_lock(&mb->mutex);
    if (!mb->views)
        mb->views = mem_new(sizeof *mb->views);
    struct view_cache *cache = mb->views;
    size_t i = cache_place(cache, fid);

    if (i == cache->n)
        cache->n++;
    old = cache->all[i].view;
    if (old && cache->all[i].fid == fid && is_newer(old, view)) {
        old = NULL; /* an older snapshot asked: what is there serves more */
    } else {
        cache->all[i].fid = fid;
        cache->all[i].used = ++cache->clock;
        cache->all[i].view = store_view_hold(view);
    }
    pthread_mutex_unlock(&mb->mutex);
    store_view_close(old);
}

/* ---- opening ---- */

static struct err load(struct store_read *rd, const struct folder_rec *folder,
                       const struct store_view *base, struct store_view **out)
{
    struct uidset set = UIDSET_EMPTY;
    uint32_t from = 0;

    /* Where nothing has left since, only the last run of the old view and what follows is new. */
    if (base && base->gone_modseq == folder->gone_modseq && base->uidnext <= folder->uidnext &&
        base->set.n > 0) {
        uidset_copy(&set, &base->set);
        from = set.runs[--set.n].first;
    }
    struct err e = runs_load(rd->engine, KEY_RUN_ALL, folder->fid, from, &set);

    if (!failed(e) && uidset_count(&set) != folder->exists)
        e = ERR(ERR_CORRUPT, "the runs of a folder are not its messages");
    if (failed(e)) {
        uidset_done(&set);
        return e;
    }
    *out = view_new(&set, folder->gone_modseq, folder->uidnext);
    return OK;
}

struct err store_view_open(struct store_read *rd, uint64_t fid, struct store_view **out)
{
    struct folder_rec folder;
    struct err e = folder_load(rd->engine, fid, &folder);

    if (failed(e))
        return e;
    if (folder.flags & FOLDER_NOSELECT)
        return ERR(ERR_NOT_FOUND, "only a level of the hierarchy");
    struct store_view *cached = cache_get(rd->mailbox, fid), *view;

    if (cached && cached->gone_modseq == folder.gone_modseq && cached->uidnext == folder.uidnext) {
        *out = cached;
        return OK;
    }
    e = load(rd, &folder, cached, &view);
    store_view_close(cached);
    if (failed(e))
        return e;
    cache_put(rd->mailbox, fid, view);
    *out = view;
    return OK;
}

struct err store_unseen(struct store_read *rd, uint64_t fid, struct uidset *out)
{
    struct uidset set = UIDSET_EMPTY;
    struct err e = runs_load(rd->engine, KEY_RUN_UNSEEN, fid, 0, &set);

    if (failed(e)) {
        uidset_done(&set);
        return e;
    }
    uidset_done(out);
    *out = set;
    return OK;
}

/* ---- asking ---- */

uint32_t store_view_count(const struct store_view *view)
{
    return view->count;
}

uint32_t store_view_last_uid(const struct store_view *view)
{
    return view->set.n ? view->set.runs[view->set.n - 1].last : 0;
}

uint32_t store_view_uid(const struct store_view *view, uint32_t seq)
{
    size_t low = 0, high = view->set.n;

    if (seq == 0 || seq > view->count)
        return 0;
    /* The last run that begins before seq. */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (view->before[middle] < seq)
            low = middle;
        else
            high = middle;
    }
    return view->set.runs[low].first + (seq - view->before[low] - 1);
}

/* The first run that ends at or behind `uid`. */
static size_t run_of(const struct store_view *view, uint32_t uid)
{
    size_t low = 0, high = view->set.n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (view->set.runs[middle].last < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t store_view_rank(const struct store_view *view, uint32_t uid)
{
    size_t i = run_of(view, uid);

    if (i == view->set.n)
        return view->count;
    uint32_t first = view->set.runs[i].first;

    return view->before[i] + (uid > first ? uid - first : 0);
}

uint32_t store_view_seq(const struct store_view *view, uint32_t uid)
{
    size_t i = run_of(view, uid);

    if (i == view->set.n || view->set.runs[i].first > uid)
        return 0;
    return view->before[i] + (uid - view->set.runs[i].first) + 1;
}

const struct uidset *store_view_uids(const struct store_view *view)
{
    return &view->set;
}

void store_view_gone(const struct store_view *old, const struct store_view *new,
                     struct uidset *gone)
{
    if (old == new)
        uidset_clear(gone);
    else
        uidset_subtract(&old->set, &new->set, gone);
}

struct store_view *store_view_extend(struct store_view *old, const struct store_view *new)
{
    uint32_t last = store_view_last_uid(old), next = old->uidnext;
    struct uidset set = UIDSET_EMPTY;

    if (store_view_last_uid(new) <= last || new->uidnext <= next)
        return store_view_hold(old);
    uidset_copy(&set, &old->set);
    for (size_t i = run_of(new, next); i < new->set.n; i++) {
        struct uid_run run = new->set.runs[i];

        uidset_add(&set, run.first > next ? run.first : next, run.last);
    }
    /* Not what any snapshot shows, so it never stands for one. */
    return view_new(&set, 0, new->uidnext);
}
