/*
 * table_search.c - the rows of a search folder: messages in the folders of its scope that are as
 * its restriction wants them ([MS-OXCFOLD] 3.2.5.4). Found when the table is made, and again when
 * something has changed where it looks. Of one that is frozen, what was found when its criteria
 * were set: messages that are gone have rows, too, in which only their IDs are.
 *
 * Messages of many folders have no UID in common; what names a row is the low half of its MID.
 */
#include <stdlib.h>

#include "protocols/mapi/rights.h"
#include "protocols/mapi/table_int.h"
#include "store/access.h"
#include "store/events.h"

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
    uint32_t unread;
    uint64_t counter; /* of the mailbox when it began */
    bool recursive, frozen;
    size_t next; /* of those that a frozen one has */
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

/* ---- what was found ---- */

static void add_found(struct table_search *s, uint64_t mid, bool unread)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 64;
        s->found = mem_grow(s->found, s->cap, sizeof *s->found);
    }
    s->found[s->n++] = (struct found){(uint32_t)mid, mid};
    s->unread += unread;
    s->sorted = false;
}

static int order_found(const void *a, const void *b)
{
    uint32_t x = ((const struct found *)a)->id, y = ((const struct found *)b)->id;

    return (x > y) - (x < y);
}

static void sort_found(struct table_search *s)
{
    if (!s->sorted && s->n > 0)
        qsort(s->found, s->n, sizeof *s->found, order_found);
    s->sorted = true;
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

    if (s->n_scope == 0)
        return;
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

static void take_found(struct table_search *s, struct slice mids)
{
    struct store_mid_walk walk = store_mid_walk(mids);
    uint64_t mid;

    while (store_mid_walk_next(&walk, &mid))
        add_found(s, mid, false);
    sort_found(s);
}

/* Of a table of conversations: every message of the mail. */
static struct err begin_conversations(struct table_search *s, struct store_read *rd, size_t *cap)
{
    struct store_folder mail;
    struct err e = store_folder_special(rd, SPECIAL_IPM_SUBTREE, &mail);

    if (!failed(e))
        add_scope(s, cap, mail.fid);
    s->recursive = true;
    return e;
}

static struct err begin_criteria(struct mapi_table *t, struct store_read *rd, size_t *cap)
{
    struct table_search *s = t->search;
    struct store_search_criteria criteria;
    struct err e = store_search_criteria(rd, t->fid, &s->in, &criteria);

    if (e.code == ERR_NOT_FOUND)
        return OK; /* none were set: it is empty */
    if (failed(e))
        return e;
    s->frozen = search_is_frozen(&criteria);
    if (s->frozen) {
        take_found(s, criteria.mids);
        return OK;
    }
    s->recursive = criteria.flags & SEARCH_RECURSIVE;
    for (size_t i = 0; i < criteria.n_scope; i++)
        add_scope(s, cap, criteria.scope[i]);
    return read_wanted(t, criteria.restriction);
}

struct err table_search_begin(struct mapi_table *t, struct store_read *rd)
{
    struct table_search *s = t->search;
    struct mailbox_info info = {.counter = 0};
    size_t cap = 0;

    arena_done(&s->in);
    free(s->found);
    *s = (struct table_search){.run.in = &s->in};
    struct err e = store_mailbox_info(rd, &info);
    s->counter = info.counter;
    if (!failed(e))
        e = table_is_of_conversations(t) ? begin_conversations(s, rd, &cap)
                                         : begin_criteria(t, rd, &cap);
    if (!failed(e) && s->recursive)
        e = add_below(s, rd, &cap);
    if (!failed(e))
        settle_scope(s);
    return e;
}

/* ---- has anything happened there? ---- */

static bool is_in_scope(const struct table_search *s, uint64_t fid)
{
    return s->n_scope > 0 &&
           bsearch(&fid, s->scope, s->n_scope, sizeof *s->scope, order_fids) != NULL;
}

static bool concerns(const struct mapi_table *t, const struct store_event *event)
{
    const struct table_search *s = t->search;

    if (event->kind > EVENT_GONE && event->fid == t->fid)
        return event->cause != CAUSE_SEARCHED;
    if (s->frozen)
        return false;
    if (event->kind > EVENT_GONE)
        return s->recursive || is_in_scope(s, event->fid);
    return !event->associated && is_in_scope(s, event->fid);
}

bool table_search_is_stale(struct mapi_table *t, struct store_read *rd)
{
    struct store_events *events;
    struct store_event event;
    struct mailbox_info info;
    bool complete, stale = false;

    if (failed(store_mailbox_info(rd, &info)) ||
        failed(store_events_open(rd, t->search->counter, &complete, &events)))
        return true;
    while (complete && !stale && !failed(store_events_next(events, &event)))
        stale = concerns(t, &event);
    store_events_close(events);
    if (complete && !stale)
        t->search->counter = info.counter;
    return stale || !complete;
}

/* ---- where it looks now ---- */

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

    if (s->frozen)
        return true;
    if (!match(s->wanted, &s->run, &row->source) || failed(row->source.err))
        return false;
    add_found(s, row->message.mid, !(row->message.flags & FLAG_SEEN));
    return true;
}

bool table_search_is_frozen(const struct mapi_table *t)
{
    return t->search && t->search->frozen;
}

size_t table_search_found(const struct mapi_table *t, struct arena *in, const uint64_t **mids,
                          uint32_t *unread)
{
    const struct table_search *s = t->search;
    uint64_t *list = arena_array(in, s->n + 1, sizeof *list);

    for (size_t i = 0; i < s->n; i++)
        list[i] = s->found[i].mid;
    *mids = list;
    *unread = s->unread;
    return s->n;
}

struct err table_search_message(struct mapi_table *t, struct store_read *rd, uint32_t id,
                                struct message_row *out)
{
    struct table_search *s = t->search;
    const struct found key = {.id = id};
    uint64_t fid;
    uint32_t uid;

    sort_found(s);
    const struct found *found =
        s->n ? bsearch(&key, s->found, s->n, sizeof *s->found, order_found) : NULL;
    struct err e = found ? store_message_by_mid(rd, found->mid, &fid, &uid)
                         : ERR(ERR_NOT_FOUND, "it was not found");
    if (!failed(e))
        e = store_message(rd, fid, uid, out);
    if (!failed(e))
        t->place = fid;
    if (e.code == ERR_NOT_FOUND && found)
        *out = (struct message_row){.mid = found->mid};
    return e;
}

/* Somebody else than the owner sees what is where he may read, and nothing of what is gone. */
static bool may_show(struct mapi_table *t, struct store_read *rd, bool is_gone)
{
    const struct mapi_logon *logon = t->object.logon;

    return logon->owner || (!is_gone && mapi_rights(logon, rd, t->place, &t->search->in) &
                                            (RIGHT_READ_ANY | RIGHT_OWNER));
}

struct err table_search_next_frozen(struct mapi_table *t, struct store_read *rd,
                                    struct message_row *out)
{
    struct table_search *s = t->search;

    while (s->next < s->n) {
        struct err e = table_search_message(t, rd, s->found[s->next++].id, out);
        bool is_gone = e.code == ERR_NOT_FOUND;

        if (failed(e) && !is_gone)
            return e;
        if (may_show(t, rd, is_gone))
            return OK;
    }
    return ERR(ERR_NOT_FOUND, "that was all");
}
