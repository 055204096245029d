/*
 * folder_list.c - the tree of folders as a list, and the names that were subscribed to.
 */
#include <stdlib.h>

#include "store/folder_int.h"

/* ---- subscriptions ---- */

/* In the order of their paths, but for paths too long for a key, which are put in place here. */
static int by_path(const void *a, const void *b)
{
    return slice_order(*(const struct slice *)a, *(const struct slice *)b);
}

struct err store_subscriptions(struct store_read *rd, struct arena *in, struct slice **out,
                               size_t *n)
{
    struct engine_cursor *cursor = engine_cursor_open(rd->engine);
    struct key from = key_kind(KEY_SUBSCRIPTION);
    struct slice key, value, *paths = NULL;
    size_t count = 0, room = 0;
    struct err e = engine_seek(cursor, key_slice(&from), &key, &value);

    while (!failed(e) && key_is_kind(key, KEY_SUBSCRIPTION)) {
        if (count == room) {
            size_t more = room ? room : 16;

            paths = arena_grow(in, paths, count, more, sizeof *paths);
            room = count + more;
        }
        paths[count++] = arena_slice(in, value);
        e = engine_next(cursor, &key, &value);
    }
    engine_cursor_close(cursor);
    if (failed(e) && e.code != ERR_NOT_FOUND)
        return e;
    if (count)
        qsort(paths, count, sizeof *paths, by_path);
    *out = paths;
    *n = count;
    return OK;
}

/* ---- the tree ---- */

struct tree {
    struct store_folder_entry *all; /* by parent, then in the order of siblings */
    size_t n;
    struct slice *subscribed;
    size_t n_subscribed;
    struct arena *in;
    struct store_folder_entry *out;
    size_t n_out;
};

static bool is_inbox(const struct store_folder *folder)
{
    return folder->special == SPECIAL_INBOX;
}

static int by_place(const void *a, const void *b)
{
    const struct store_folder *x = &((const struct store_folder_entry *)a)->folder;
    const struct store_folder *y = &((const struct store_folder_entry *)b)->folder;

    if (x->parent != y->parent)
        return x->parent < y->parent ? -1 : 1;
    if (is_inbox(x) != is_inbox(y))
        return is_inbox(x) ? -1 : 1;
    return slice_order(x->name, y->name);
}

static struct err load_all(struct store_read *rd, struct tree *tree)
{
    struct engine_cursor *cursor = engine_cursor_open(rd->engine);
    struct key from = key_kind(KEY_FOLDER);
    struct slice key, value;
    size_t room = 0;
    uint64_t fid;
    struct err e = engine_seek(cursor, key_slice(&from), &key, &value);

    while (!failed(e) && key_is_id(key, KEY_FOLDER, &fid)) {
        if (tree->n == room) {
            size_t more = room ? room : 32;

            tree->all = arena_grow(tree->in, tree->all, tree->n, more, sizeof *tree->all);
            room = tree->n + more;
        }
        struct store_folder *folder = &tree->all[tree->n].folder;

        e = folder_decode(value, fid, folder);
        if (failed(e))
            break;
        if (folder->shadow == SHADOW_NONE && !folder->soft_deleted) {
            folder->name = arena_slice(tree->in, folder->name);
            folder->class = arena_slice(tree->in, folder->class);
            tree->n++;
        }
        e = engine_next(cursor, &key, &value);
    }
    engine_cursor_close(cursor);
    return failed(e) && e.code != ERR_NOT_FOUND ? e : OK;
}

/* The index of the first child of `parent`. */
static size_t first_child(const struct tree *tree, uint64_t parent)
{
    size_t low = 0, high = tree->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (tree->all[middle].folder.parent < parent)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct slice join(struct arena *in, struct slice parent, struct slice name)
{
    if (parent.len == 0)
        return name;
    uint8_t *bytes = arena_alloc(in, parent.len + 1 + name.len + 1);

    memcpy(bytes, parent.ptr, parent.len);
    bytes[parent.len] = '/';
    memcpy(bytes + parent.len + 1, name.ptr, name.len);
    return slice_of(bytes, parent.len + 1 + name.len);
}

static void emit(struct tree *tree, const struct store_folder *folder, struct slice path,
                 uint32_t depth)
{
    struct store_folder_entry *entry = &tree->out[tree->n_out++];

    *entry = (struct store_folder_entry){*folder, path, depth};
    entry->folder.subscribed =
        tree->n_subscribed &&
        bsearch(&path, tree->subscribed, tree->n_subscribed, sizeof *tree->subscribed, by_path);
}

/* Each level of the walk: where it is among its siblings, and what it stands below. */
struct level {
    size_t at;
    uint64_t parent;
    struct slice path;
};

static void walk(struct tree *tree, uint64_t root)
{
    struct level *stack = mem_array(tree->n + 1, sizeof *stack);
    size_t depth = 0;

    stack[0] = (struct level){first_child(tree, root), root, SLICE_EMPTY};
    for (;;) {
        struct level *level = &stack[depth];

        if (level->at >= tree->n || tree->all[level->at].folder.parent != level->parent) {
            if (depth-- == 0)
                break;
            continue;
        }
        const struct store_folder *folder = &tree->all[level->at++].folder;

        if (folder->fid == root) /* the root is its own parent */
            continue;
        struct slice path = join(tree->in, level->path, folder->name);

        emit(tree, folder, path, (uint32_t)depth);
        if (folder->has_children) {
            bool ipm = folder->special == SPECIAL_IPM_SUBTREE;

            stack[++depth] = (struct level){first_child(tree, folder->fid), folder->fid,
                                            ipm ? SLICE_EMPTY : path};
        }
    }
    free(stack);
}

struct err store_folder_list(struct store_read *rd, bool all, struct arena *in,
                             struct store_folder_entry **out, size_t *n)
{
    struct tree tree = {.in = in};
    struct err e = load_all(rd, &tree);

    if (!failed(e))
        e = store_subscriptions(rd, in, &tree.subscribed, &tree.n_subscribed);
    if (failed(e))
        return e;
    if (tree.n)
        qsort(tree.all, tree.n, sizeof *tree.all, by_place);
    tree.out = arena_array(in, tree.n, sizeof *tree.out);
    walk(&tree, all ? SPECIAL_ROOT : SPECIAL_IPM_SUBTREE);
    *out = tree.out;
    *n = tree.n_out;
    return OK;
}

/* ---- one level ---- */

struct children {
    uint64_t parent;
    bool deleted;
    struct arena *in;
    struct store_folder *all;
    size_t n, room;
};

/* The folder that a key of the level names. */
static bool is_child(const struct children *c, struct slice key, struct slice value, uint64_t *fid)
{
    uint64_t parent;

    if (c->deleted)
        return key_is_deleted(key, &parent, fid) && parent == c->parent;
    return key_is_name(key, c->parent) && !failed(u64_value_decode(value, fid));
}

static struct err add_child(struct children *c, struct engine_read *rd, uint64_t fid)
{
    struct key key = key_id(KEY_FOLDER, fid);
    struct store_folder folder;
    struct slice value;
    struct err e = engine_get(rd, key_slice(&key), &value);

    if (!failed(e))
        e = folder_decode(value, fid, &folder);
    if (failed(e))
        return e.code == ERR_NOT_FOUND ? ERR(ERR_CORRUPT, "a name without its folder") : e;
    if (folder.shadow != SHADOW_NONE)
        return OK;
    if (c->n == c->room) {
        size_t more = c->room ? c->room : 16;

        c->all = arena_grow(c->in, c->all, c->n, more, sizeof *c->all);
        c->room = c->n + more;
    }
    folder.name = arena_slice(c->in, folder.name);
    folder.class = arena_slice(c->in, folder.class);
    c->all[c->n++] = folder;
    return OK;
}

struct err store_folder_children(struct store_read *rd, uint64_t fid, bool deleted,
                                 struct arena *in, struct store_folder **out, size_t *n)
{
    struct children c = {.parent = fid, .deleted = deleted, .in = in};
    struct key from = key_id(deleted ? KEY_DELETED : KEY_FOLDER_NAME, fid);
    struct engine_cursor *cursor = engine_cursor_open(rd->engine);
    struct slice key, value;
    uint64_t child;
    struct err e = engine_seek(cursor, key_slice(&from), &key, &value);

    while (!failed(e) && is_child(&c, key, value, &child)) {
        e = add_child(&c, rd->engine, child);
        if (!failed(e))
            e = engine_next(cursor, &key, &value);
    }
    engine_cursor_close(cursor);
    if (failed(e) && e.code != ERR_NOT_FOUND)
        return e;
    *out = c.all;
    *n = c.n;
    return OK;
}
