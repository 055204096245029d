/*
 * table_search.c - the rows of a search folder: messages in the folders of its scope that are as
 * its restriction wants them ([MS-OXCFOLD] 3.2.5.4). Found when the table is made, and again when
 * something in the mailbox has changed.
 *
 * Messages of many folders have no UID in common; what names a row is the low half of its MID.
 */
#include <stdlib.h>

#include "protocols/mapi/rights.h"
#include "protocols/mapi/table_int.h"
#include "store/access.h"

enum { SEARCH_RECURSIVE = 0x00000004 };

struct found {
    uint32_t id;
    uint64_t mid;
};

struct table_search {
    struct arena in; /* what is looked for, and what was let through */
    const struct restriction *wanted;
    struct match_run run;
    uint64_t *scope;
    size_t n_scope, at;
    struct found *found;
    size_t n, cap;
    bool sorted;
};

struct table_search *table_search_new(void)
{
    return mem_new(sizeof(struct table_search));
}

void table_search_free(struct table_search *s)
{
    if (!s)
        return;
    arena_done(&s->in);
    free(s->found);
    free(s);
}

/* ---- where it looks ---- */

static int order_fids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Each once, and in order. */
static void settle_scope(struct table_search *s)
{
    size_t n = 0;

    qsort(s->scope, s->n_scope, sizeof *s->scope, order_fids);
    for (size_t i = 0; i < s->n_scope; i++)
        if (n == 0 || s->scope[n - 1] != s->scope[i])
            s->scope[n++] = s->scope[i];
    s->n_scope = n;
}

static void add_scope(struct table_search *s, size_t *cap, uint64_t fid)
{
    if (s->n_scope == *cap) {
        s->scope = arena_grow(&s->in, s->scope, *cap, *cap * 2 + 16, sizeof *s->scope);
        *cap = *cap * 2 + 16;
    }
    s->scope[s->n_scope++] = fid;
}

/* Behind each folder those below it. */
static struct err add_below(struct table_search *s, struct store_read *rd, size_t *cap)
{
    struct store_folder *children;
    size_t n;

    for (size_t i = 0; i < s->n_scope; i++) {
        struct err e = store_folder_children(rd, s->scope[i], false, &s->in, &children, &n);

        if (failed(e) && e.code != ERR_NOT_FOUND)
            return e;
        for (size_t k = 0; !failed(e) && k < n; k++)
            add_scope(s, cap, children[k].fid);
    }
    return OK;
}

static struct err read_wanted(struct mapi_table *t, struct slice bytes)
{
    struct table_search *s = t->search;
    struct wire w = wire_of(bytes, &s->in);
    const struct value_form form = {.codepage = t->object.logon->context->codepage};
    struct restriction *wanted = arena_alloc(&s->in, sizeof *wanted);
    struct err e = restriction_read(&w, &form, wanted);

    if (!failed(e))
        s->wanted = wanted;
    return e;
}

struct err table_search_begin(struct mapi_table *t, struct store_read *rd)
{
    struct table_search *s = t->search;
    struct store_search_criteria criteria;
    size_t cap = 0;

    arena_done(&s->in);
    free(s->found);
    *s = (struct table_search){.run.in = &s->in};
    struct err e = store_search_criteria(rd, t->fid, &s->in, &criteria);
    if (e.code == ERR_NOT_FOUND)
        return OK; /* none were set: it is empty */
    if (!failed(e))
        e = read_wanted(t, criteria.restriction);
    for (size_t i = 0; !failed(e) && i < criteria.n_scope; i++)
        add_scope(s, &cap, criteria.scope[i]);
    if (!failed(e) && criteria.flags & SEARCH_RECURSIVE)
        e = add_below(s, rd, &cap);
    if (!failed(e))
        settle_scope(s);
    return e;
}

bool table_search_place(struct mapi_table *t, struct store_read *rd)
{
    struct table_search *s = t->search;
    struct store_folder folder;

    for (; s->at < s->n_scope; s->at++) {
        t->place = s->scope[s->at];
        if (!failed(store_folder_get(rd, t->place, &folder)) && !folder.search &&
            mapi_rights(t->object.logon, rd, t->place, &s->in) & (RIGHT_READ_ANY | RIGHT_OWNER))
            return true;
    }
    return false;
}

void table_search_next(struct mapi_table *t)
{
    t->search->at++;
}

/* ---- what it finds ---- */

bool table_search_wants(struct mapi_table *t, struct table_row *row)
{
    struct table_search *s = t->search;

    if (!match(s->wanted, &s->run, &row->source) || failed(row->source.err))
        return false;
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 64;
        s->found = mem_grow(s->found, s->cap, sizeof *s->found);
    }
    s->found[s->n++] = (struct found){(uint32_t)row->message.mid, row->message.mid};
    s->sorted = false;
    return true;
}

static int order_found(const void *a, const void *b)
{
    uint32_t x = ((const struct found *)a)->id, y = ((const struct found *)b)->id;

    return (x > y) - (x < y);
}

struct err table_search_message(struct mapi_table *t, struct store_read *rd, uint32_t id,
                                struct message_row *out)
{
    struct table_search *s = t->search;
    const struct found key = {.id = id};
    uint64_t fid;
    uint32_t uid;

    if (!s->sorted && s->n > 0)
        qsort(s->found, s->n, sizeof *s->found, order_found);
    s->sorted = true;
    const struct found *found =
        s->n ? bsearch(&key, s->found, s->n, sizeof *s->found, order_found) : NULL;
    struct err e = found ? store_message_by_mid(rd, found->mid, &fid, &uid)
                         : ERR(ERR_NOT_FOUND, "it was not found");
    if (!failed(e))
        e = store_message(rd, fid, uid, out);
    if (!failed(e))
        t->place = fid;
    return e;
}
