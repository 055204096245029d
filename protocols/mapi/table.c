/* table.c - a table: what it shall show, where it is looked at, and keeping it up to date. */
#include "protocols/mapi/table_int.h"

#include <stdlib.h>

static void forget(struct mapi_table *t)
{
    table_build_free(t);
    table_follow_free(t);
    store_view_close(t->view);
    t->view = NULL;
    leaves_done(&t->leaves);
    categories_done(t);
    uidset_done(&t->unseen);
    t->unseen_loaded = false;
    if (t->kind == TABLE_HIERARCHY || t->kind == TABLE_CONTENTS)
        (void)table_charge(t, 0);
    t->built = false;
}

static void table_free(struct mapi_object *object)
{
    struct mapi_table *t = (struct mapi_table *)object;

    forget(t);
    news_free(t);
    if (t->object.logon)
        (void)table_charge(t, 0);
    if (t->rows)
        arena_done(&t->rows->arena);
    table_search_free(t->search);
    free(t->rows);
    free(t->items);
    free(t->columns);
    free(t->orders);
    free(t->bookmarks);
    arena_done(&t->restriction_arena);
    free(t);
}

struct mapi_table *table_new(struct rop_call *call, enum table_kind kind)
{
    struct mapi_table *t = mem_new(sizeof *t);

    t->object.kind = MAPI_TABLE;
    t->object.free = table_free;
    t->object.logon = call->logon;
    t->kind = kind;
    return t;
}

uint32_t table_charge(struct mapi_table *t, uint64_t bytes)
{
    struct mapi_context *context = t->object.logon->context;

    if (bytes <= t->charged) {
        context_discharge(context, t->charged - bytes);
    } else {
        uint32_t ec = context_charge(context, bytes - t->charged);

        if (ec)
            return ec;
    }
    t->charged = bytes;
    return EC_SUCCESS;
}

void table_restart(struct mapi_table *t)
{
    forget(t);
    news_free(t);
    free(t->bookmarks);
    t->bookmarks = NULL;
    t->n_bookmarks = 0;
    t->cursor = (struct table_place){0};
}

/* ---- rows and places ---- */

uint32_t table_count(const struct mapi_table *t)
{
    if (t->kind != TABLE_CONTENTS)
        return t->n_items;
    if (t->n_categories)
        return t->n_visible;
    if (table_is_plain(t))
        return t->view ? store_view_count(t->view) : 0;
    return t->leaves.n;
}

/* The last segment that begins at or before `at`. */
static const struct table_segment *segment_at(const struct mapi_table *t, uint32_t at)
{
    uint32_t low = 0, high = t->n_segments;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (t->segments[middle].at <= at)
            low = middle;
        else
            high = middle;
    }
    return &t->segments[low];
}

uint64_t table_id(const struct mapi_table *t, uint32_t at)
{
    if (at >= table_count(t))
        return 0;
    if (t->kind != TABLE_CONTENTS)
        return t->items[at].id;
    if (table_is_plain(t))
        return store_view_uid(t->view, at + 1);
    if (!t->n_categories)
        return leaf_id(&t->leaves, at);
    const struct table_segment *s = segment_at(t, at);

    return s->category != NO_CATEGORY ? t->categories[s->category].id
                                      : leaf_id(&t->leaves, s->first + (at - s->at));
}

void table_move_to(struct mapi_table *t, uint32_t at)
{
    t->cursor = (struct table_place){table_id(t, at), at, false};
}

static bool find_item(const struct mapi_table *t, uint64_t id, uint32_t *at)
{
    for (uint32_t i = 0; i < t->n_items; i++) {
        if (t->items[i].id == id) {
            *at = i;
            return true;
        }
    }
    return false;
}

static bool find_leaf(const struct mapi_table *t, uint64_t id, uint32_t *at)
{
    for (uint32_t i = 0; i < t->leaves.n; i++) {
        if (t->leaves.uids[i] == (uint32_t)id && leaf_id(&t->leaves, i) == id) {
            *at = i;
            return true;
        }
    }
    return false;
}

static bool find_header(const struct mapi_table *t, uint64_t id, uint32_t *at)
{
    uint32_t category = category_find(t, id);

    for (uint32_t i = 0; category != NO_CATEGORY && i < t->n_segments; i++) {
        if (t->segments[i].category == category) {
            *at = t->segments[i].at;
            return true;
        }
    }
    return false;
}

static bool find_visible(const struct mapi_table *t, uint64_t id, uint32_t *at)
{
    uint32_t leaf;

    if (!find_leaf(t, id, &leaf))
        return find_header(t, id, at);
    for (uint32_t i = 0; i < t->n_segments; i++) {
        const struct table_segment *s = &t->segments[i];

        if (s->category == NO_CATEGORY && leaf - s->first < s->n) {
            *at = s->at + (leaf - s->first);
            return true;
        }
    }
    return false;
}

bool table_find(const struct mapi_table *t, uint64_t id, uint32_t *at)
{
    if (t->kind != TABLE_CONTENTS)
        return find_item(t, id, at);
    if (t->n_categories)
        return find_visible(t, id, at);
    if (!table_is_plain(t))
        return find_leaf(t, id, at);
    uint32_t seq = t->view ? store_view_seq(t->view, (uint32_t)id) : 0;

    if (seq)
        *at = seq - 1;
    return seq != 0;
}

static void find_place(struct mapi_table *t, struct table_place *place)
{
    place->lost = place->id && !table_find(t, place->id, &place->at);
    if (place->at > table_count(t))
        place->at = table_count(t);
}

void table_find_places(struct mapi_table *t)
{
    find_place(t, &t->cursor);
    for (size_t i = 0; i < t->n_bookmarks; i++)
        find_place(t, &t->bookmarks[i].place);
}

/* ---- keeping it up to date ---- */

struct err table_folder(const struct mapi_table *t, struct store_read *rd, struct store_folder *out)
{
    enum store_shadow shadow = t->flags & TABLE_ASSOCIATED     ? SHADOW_ASSOCIATED
                               : t->flags & TABLE_SOFT_DELETES ? SHADOW_DELETED
                                                               : SHADOW_NONE;

    if (shadow != SHADOW_NONE)
        return store_folder_shadow(rd, t->fid, shadow, out);
    return t->of_deleted ? store_folder_get_deleted(rd, t->fid, out)
                         : store_folder_get(rd, t->fid, out);
}

/*
 * In a view a row that is gone has a place all the same: where its UID would stand. What is at the
 * end will see the next that comes; what is at the top stays there.
 */
static void place_in_view(const struct store_view *old, const struct store_view *now,
                          struct table_place *place)
{
    if (!place->id && place->at == 0)
        return;
    uint32_t uid = place->id ? (uint32_t)place->id : old ? store_view_last_uid(old) + 1 : 0;

    place->at = store_view_rank(now, uid);
    place->lost = place->id && !store_view_seq(now, uid);
}

static uint32_t take_view(struct mapi_table *t, struct store_read *rd,
                          const struct store_folder *folder)
{
    struct store_view *view;
    struct err e = store_view_open(rd, folder->fid, &view);

    if (failed(e))
        return mapi_ec_of(e);
    news_of_view(t, rd, view, folder->modseq);
    place_in_view(t->view, view, &t->cursor);
    for (size_t i = 0; i < t->n_bookmarks; i++)
        place_in_view(t->view, view, &t->bookmarks[i].place);
    store_view_close(t->view);
    t->view = view;
    t->built = true;
    t->state = folder->modseq;
    return EC_SUCCESS;
}

static uint32_t refresh_leaves(struct mapi_table *t, struct store_read *rd,
                               const struct store_folder *folder, bool *more)
{
    bool can = false;
    uint32_t ec = EC_SUCCESS;

    if (t->built && !t->follow && !t->build && t->state == folder->modseq)
        return EC_SUCCESS;
    if (t->built && !t->build)
        ec = table_follow(t, rd, folder, &can, more);
    if (!ec && !can)
        ec = table_build(t, rd, folder, more);
    /* What changed while it was made is followed in another turn. */
    *more = *more || (!ec && t->state != folder->modseq);
    return ec;
}

/* Whatever changed in the mailbox may be found now, or not any more. */
static uint32_t refresh_search(struct mapi_table *t, struct store_read *rd,
                               const struct store_folder *folder, bool *more)
{
    struct store_folder now = *folder;

    now.modseq = store_read_version(rd);
    if (t->built && !t->build && (t->state == now.modseq || !table_search_is_stale(t, rd))) {
        t->state = now.modseq;
        return EC_SUCCESS;
    }
    if (!t->search)
        t->search = table_search_new();
    if (!t->build) {
        uint32_t ec = mapi_ec_of(table_search_begin(t, rd));

        if (ec)
            return ec;
    }
    return table_build(t, rd, &now, more);
}

static uint32_t refresh_contents(struct mapi_table *t, struct store_read *rd, bool *more)
{
    struct store_folder folder;
    struct err e = table_folder(t, rd, &folder);

    if (e.code == ERR_NOT_FOUND && (t->flags & (TABLE_ASSOCIATED | TABLE_SOFT_DELETES)))
        return EC_SUCCESS; /* it has none, and is empty */
    if (failed(e))
        return mapi_ec_of(e);
    if (folder.search || table_is_of_conversations(t))
        return refresh_search(t, rd, &folder, more);
    t->place = folder.fid;
    if (!table_is_plain(t))
        return refresh_leaves(t, rd, &folder, more);
    if (t->built && t->state == folder.modseq)
        return EC_SUCCESS;
    return take_view(t, rd, &folder);
}

uint32_t table_refresh(struct mapi_table *t, struct store_read *rd, bool *more)
{
    uint32_t ec;

    *more = false;
    if (t->kind == TABLE_CONTENTS) {
        ec = refresh_contents(t, rd, more);
    } else {
        bool same = t->kind != TABLE_HIERARCHY || t->state == store_read_version(rd);

        ec = t->built && same ? EC_SUCCESS : table_list_items(t, rd);
    }
    if (!ec && !*more) {
        t->told = t->state;
        t->news.known = true;
    }
    return ec;
}
