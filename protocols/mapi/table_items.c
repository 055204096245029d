/* table_items.c - hierarchies, and tables of what is at hand: lists of items. */
#include <stdlib.h>

#include "protocols/mapi/rights.h"
#include "protocols/mapi/table_int.h"

struct listing {
    struct mapi_table *t;
    struct store_read *rd;
    struct arena in;
    struct match_run run;
    struct table_item *items;
    uint32_t n, cap;
};

static void add(struct listing *list, struct table_item item)
{
    if (list->n == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 16;
        list->items = mem_grow(list->items, list->cap, sizeof *list->items);
    }
    list->items[list->n++] = item;
}

static struct err add_matching(struct listing *list, struct table_item item)
{
    struct arena in = ARENA_INIT;
    struct table_row row;

    if (!list->t->restriction) {
        add(list, item);
        return OK;
    }
    table_row_of_item(list->t, list->rd, &item, &in, &row);
    bool fits = match(list->t->restriction, &list->run, &row.source);
    struct err e = row.source.err;

    arena_done(&in);
    if (!failed(e) && fits)
        add(list, item);
    return e;
}

/* Somebody else passes through the subtree, and sees what he may ([MS-OXCPERM] 2.2.7). */
static bool is_seen(struct listing *list, const struct store_folder *folder)
{
    const struct mapi_logon *logon = list->t->object.logon;

    return logon->owner || folder->special == SPECIAL_IPM_SUBTREE ||
           (mapi_rights(logon, list->rd, folder->fid, &list->in) & RIGHTS_SEEING);
}

static struct table_item item_of(const struct store_folder *folder, uint32_t depth)
{
    return (struct table_item){
        .id = folder->fid,
        .depth = depth,
        .has_children = folder->has_children,
        .version = folder->cn > folder->modseq ? folder->cn : folder->modseq,
    };
}

/*
 * The folders below one, each before those below it. The first level has PidTagDepth 1: the depth
 * is counted from the folder that the table was opened on.
 */
static struct err add_folders(struct listing *list, uint64_t fid, uint32_t depth)
{
    bool deleted = list->t->of_deleted || (list->t->flags & TABLE_SOFT_DELETES);
    struct store_folder *children;
    struct err e;
    size_t n;

    e = store_folder_children(list->rd, fid, deleted, &list->in, &children, &n);
    for (size_t i = 0; i < n && !failed(e); i++) {
        if (!is_seen(list, &children[i]))
            continue;
        e = add_matching(list, item_of(&children[i], depth));
        if (!failed(e) && (list->t->flags & TABLE_DEPTH) && children[i].has_children)
            e = add_folders(list, children[i].fid, depth + 1);
    }
    return e;
}

static struct err add_rows(struct listing *list)
{
    struct err e = OK;

    for (size_t i = 0; i < list->t->rows->n && !failed(e); i++)
        e = add_matching(list, (struct table_item){.id = i + 1});
    return e;
}

uint32_t table_list_items(struct mapi_table *t, struct store_read *rd)
{
    struct listing list = {.t = t, .rd = rd, .in = ARENA_INIT};
    struct err e;

    list.run.in = &list.in;
    e = t->kind == TABLE_HIERARCHY ? add_folders(&list, t->fid, 1) : add_rows(&list);
    uint32_t ec = mapi_ec_of(e);
    if (!ec)
        ec = table_charge(t, list.n * sizeof *list.items);
    arena_done(&list.in);
    if (ec) {
        free(list.items);
        return ec;
    }
    news_of_items(t, list.items, list.n);
    free(t->items);
    t->items = list.items;
    t->n_items = list.n;
    t->state = store_read_version(rd);
    t->built = true;
    table_find_places(t);
    return EC_SUCCESS;
}
