/*
 * table_news.c - what a client is told of a table that it looks at ([MS-OXCNOTIF] 3.1.4.3).
 *
 * A table that follows its folder notes the rows that go and come, and when it is up to date those
 * become changes: a row that was added, went, or is another. Two changes of one row become one, for
 * a row is told as it is now. Where there are many, or what went is not known, or rows stand under
 * headers, the client is told that the table has changed, and no more.
 */
#include <stdlib.h>

#include "protocols/mapi/notification.h"
#include "protocols/mapi/table_int.h"
#include "store/events.h"

enum {
    CHANGES_MAX = 64,
    FOLDERS_MAX = 2000, /* of a hierarchy that is listed anew to see what has changed */
};

static bool is_told(const struct mapi_table *t)
{
    return t->followed && !(t->flags & TABLE_NO_NOTIFICATIONS) &&
           (t->kind == TABLE_HIERARCHY || t->kind == TABLE_CONTENTS);
}

void news_free(struct mapi_table *t)
{
    free(t->news.changes);
    free(t->news.noted);
    t->news = (struct table_news){0};
}

void news_all(struct mapi_table *t)
{
    if (!is_told(t) || !t->news.known)
        return;
    t->news.all = true;
    t->news.n = t->news.n_noted = 0;
}

/* ---- changes ---- */

static bool is_same_row(const struct rop_row_id *a, const struct rop_row_id *b)
{
    return a->fid == b->fid && a->mid == b->mid && a->instance == b->instance;
}

static void push_change(struct mapi_table *t, const struct table_change *change)
{
    struct table_news *news = &t->news;

    if (news->n == CHANGES_MAX) {
        news_all(t);
        return;
    }
    if (news->n == news->cap) {
        news->cap = news->cap ? 2 * news->cap : 8;
        news->changes = mem_grow(news->changes, news->cap, sizeof *news->changes);
    }
    news->changes[news->n++] = *change;
}

/* Behind one that the client does not know yet. */
static void merge_change(struct table_news *news, size_t i, const struct table_change *change)
{
    struct table_change *before = &news->changes[i];

    before->id = change->id;
    if (change->event != TABLE_ROW_DELETED)
        before->event = before->event == TABLE_ROW_DELETED ? TABLE_ROW_MODIFIED : before->event;
    else if (before->event == TABLE_ROW_ADDED)
        *before = news->changes[--news->n];
    else
        before->event = TABLE_ROW_DELETED;
}

static void add_change(struct mapi_table *t, uint16_t event, const struct rop_row_id *row,
                       uint64_t id)
{
    const struct table_change change = {event, *row, id, 0};

    if (t->news.all)
        return;
    for (size_t i = 0; i < t->news.n; i++) {
        if (is_same_row(&t->news.changes[i].row, row)) {
            merge_change(&t->news, i, &change);
            return;
        }
    }
    push_change(t, &change);
}

/* ---- of leaves ---- */

void news_note(struct mapi_table *t, uint64_t id, bool came)
{
    struct table_news *news = &t->news;

    if (!is_told(t) || !news->known || news->all)
        return;
    if (news->n_noted == 2 * CHANGES_MAX) {
        news_all(t);
        return;
    }
    if (!news->noted)
        news->noted = mem_array(2 * CHANGES_MAX, sizeof *news->noted);
    news->noted[news->n_noted++] = (struct table_noted){id, came};
}

/* Messages that are no more, once somebody asks for one. */
struct gone_list {
    struct arena in;
    struct store_gone *items;
    size_t n;
    bool read, complete;
};

static bool find_gone(struct mapi_table *t, struct store_read *rd, struct gone_list *gone,
                      uint32_t uid, uint64_t *mid)
{
    if (!gone->read)
        gone->complete =
            !failed(store_gone_since(rd, t->place, t->state, 16 * CHANGES_MAX, &gone->in,
                                     &gone->items, &gone->n, &gone->complete)) &&
            gone->complete;
    gone->read = true;
    for (size_t i = 0; gone->complete && i < gone->n; i++) {
        if (gone->items[i].uid == uid) {
            *mid = gone->items[i].mid;
            return true;
        }
    }
    return false;
}

static bool find_mid(struct mapi_table *t, struct store_read *rd, struct gone_list *gone,
                     uint32_t uid, uint64_t *mid)
{
    struct message_row message;

    if (failed(store_message(rd, t->place, uid, &message)))
        return find_gone(t, rd, gone, uid, mid);
    *mid = message.mid;
    return true;
}

void news_settle(struct mapi_table *t, struct store_read *rd, uint64_t state)
{
    struct table_news *news = &t->news;
    struct gone_list gone = {.in = ARENA_INIT};
    size_t n = news->n_noted;

    if (n > 0 && (t->search || t->n_categories))
        news_all(t);
    if (t->told >= state) /* they were told that all has changed meanwhile */
        n = 0;
    for (size_t i = 0; i < n && !news->all; i++) {
        const struct table_noted *noted = &news->noted[i];
        struct rop_row_id row = {.fid = t->fid, .instance = (uint32_t)(noted->id >> 32)};

        if (find_mid(t, rd, &gone, (uint32_t)noted->id, &row.mid))
            add_change(t, noted->came ? TABLE_ROW_ADDED : TABLE_ROW_DELETED, &row, noted->id);
        else
            news_all(t);
    }
    news->n_noted = 0;
    arena_done(&gone.in);
}

void news_rebuilt(struct mapi_table *t, uint64_t state)
{
    t->news.n_noted = 0;
    if (t->told < state)
        news_all(t);
}

/* ---- of a table in the order of the store ---- */

static void note_all(struct mapi_table *t, const struct uidset *uids, bool came)
{
    uint32_t uid;

    for (uint32_t from = 0; uidset_next(uids, from, &uid) && !t->news.all; from = uid + 1) {
        news_note(t, uid, came);
        if (uid == UINT32_MAX)
            break;
    }
}

/* What has changed goes and comes: it is the same row. */
static void note_touched(struct mapi_table *t, const struct store_view *old,
                         const struct uidset *touched)
{
    uint32_t uid;

    for (uint32_t from = 0; uidset_next(touched, from, &uid) && !t->news.all; from = uid + 1) {
        if (old && store_view_seq(old, uid))
            news_note(t, uid, false);
        news_note(t, uid, true);
        if (uid == UINT32_MAX)
            break;
    }
}

void news_of_view(struct mapi_table *t, struct store_read *rd, const struct store_view *now,
                  uint64_t state)
{
    struct uidset touched = UIDSET_EMPTY, gone = UIDSET_EMPTY;

    if (!is_told(t) || !t->news.known || t->news.all)
        return;
    if (t->view)
        store_view_gone(t->view, now, &gone);
    note_all(t, &gone, false);
    if (failed(store_changed_since(rd, t->place, t->state, &touched)))
        news_all(t);
    note_touched(t, t->view, &touched);
    uidset_done(&touched);
    uidset_done(&gone);
    news_settle(t, rd, state);
}

/* ---- of hierarchies ---- */

static const struct table_item *item_of(const struct table_item *items, uint32_t n, uint64_t id)
{
    for (uint32_t i = 0; i < n; i++)
        if (items[i].id == id)
            return &items[i];
    return NULL;
}

static bool is_same_item(const struct table_item *a, const struct table_item *b)
{
    return a->depth == b->depth && a->version == b->version && a->has_children == b->has_children;
}

void news_of_items(struct mapi_table *t, const struct table_item *now, uint32_t n)
{
    if (t->kind != TABLE_HIERARCHY || !is_told(t) || !t->news.known)
        return;
    if (n > FOLDERS_MAX || t->n_items > FOLDERS_MAX)
        news_all(t); /* each is looked for among all */
    for (uint32_t i = 0; i < t->n_items && !t->news.all; i++)
        if (!item_of(now, n, t->items[i].id))
            add_change(t, TABLE_ROW_DELETED, &(struct rop_row_id){.fid = t->items[i].id},
                       t->items[i].id);
    for (uint32_t i = 0; i < n && !t->news.all; i++) {
        const struct table_item *old = item_of(t->items, t->n_items, now[i].id);

        if (!old || !is_same_item(old, &now[i]))
            add_change(t, old ? TABLE_ROW_MODIFIED : TABLE_ROW_ADDED,
                       &(struct rop_row_id){.fid = now[i].id}, now[i].id);
    }
}

/* ---- telling ---- */

static bool state_now(const struct mapi_table *t, struct store_read *rd, uint64_t *state)
{
    struct store_folder folder;

    if (t->kind == TABLE_HIERARCHY) {
        *state = store_read_version(rd);
        return true;
    }
    if (failed(table_folder(t, rd, &folder)))
        return false;
    *state = t->search ? store_read_version(rd) : folder.modseq;
    return true;
}

/* Can it be seen row by row what has changed, in little time? */
static bool can_tell_rows(const struct mapi_table *t)
{
    return t->news.known && t->columns && !t->search && !t->n_categories &&
           t->n_items <= FOLDERS_MAX;
}

/* Bring it up to date: what changes on the way is noted. */
static void learn(struct mapi_table *t, struct store_read *rd, uint64_t state)
{
    bool more = false;

    if (!can_tell_rows(t) || table_refresh(t, rd, &more) || more) {
        t->news.all = true;
        t->news.n = t->news.n_noted = 0;
    }
    t->told = state;
}

static void begin_notification(const struct mapi_table *t, uint16_t event,
                               struct rop_notification *n)
{
    *n = (struct rop_notification){.handle = t->object.handle,
                                   .logon = t->object.logon->id,
                                   .flags = NOTIFY_TABLE,
                                   .table_event = event};
    if (event != TABLE_CHANGED && t->kind == TABLE_CONTENTS)
        n->flags |= NOTIFY_MESSAGE;
}

/* False: there is no room. */
static bool put(struct buf *out, size_t end, const struct rop_notification *n)
{
    size_t before = out->len;

    rop_notification_put(out, n);
    if (!out->failed && out->len <= end)
        return true;
    out->failed = false;
    buf_truncate(out, before);
    return false;
}

static struct rop_row_id on_wire(const struct rop_row_id *row)
{
    return (struct rop_row_id){.fid = mapi_id(row->fid),
                               .mid = row->mid ? mapi_id(row->mid) : 0,
                               .instance = row->instance};
}

/* The row that stands before the one at `at`. */
static struct err fill_after(struct mapi_table *t, struct store_read *rd, uint32_t at,
                             struct arena *in, struct rop_notification *n)
{
    struct table_row row;

    if (at == 0)
        return OK;
    struct err e = table_row_open(t, rd, at - 1, in, &row);

    if (t->kind == TABLE_HIERARCHY)
        n->after = (struct rop_row_id){.fid = mapi_id(row.id)};
    else if (!failed(e))
        n->after = (struct rop_row_id){mapi_id(t->fid), mapi_id(row.message.mid), row.instance};
    return e;
}

static struct err fill_row(struct mapi_table *t, struct store_read *rd, uint32_t at,
                           struct arena *in, struct rop_notification *n)
{
    const struct value_form form = {.codepage = t->object.logon->context->codepage};
    struct buf data = buf_make(UINT16_MAX);
    struct table_row row;
    struct err e = fill_after(t, rd, at, in, n);

    if (!failed(e))
        e = table_row_open(t, rd, at, in, &row);
    if (!failed(e) && !table_row_put(&row, &form, &data))
        e = ERR(ERR_TOO_BIG, "a row that no notification can hold");
    if (!failed(e))
        e = row.source.err;
    n->row_data = arena_slice(in, buf_slice(&data));
    buf_done(&data);
    return e;
}

/* The number of its row now; rows that went come first. */
static int order_changes(const void *one, const void *other)
{
    const struct table_change *a = one, *b = other;
    bool a_went = a->event == TABLE_ROW_DELETED, b_went = b->event == TABLE_ROW_DELETED;

    if (a_went != b_went)
        return a_went ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

static bool order_news(struct mapi_table *t)
{
    struct table_news *news = &t->news;

    for (size_t i = 0; i < news->n; i++) {
        struct table_change *c = &news->changes[i];

        if (c->event != TABLE_ROW_DELETED && !table_find(t, c->id, &c->at))
            return false;
    }
    if (news->n > 0)
        qsort(news->changes, news->n, sizeof *news->changes, order_changes);
    return true;
}

/* *fits false: there is no room. */
static struct err tell_change(struct mapi_table *t, struct store_read *rd,
                              const struct table_change *change, struct buf *out, size_t end,
                              bool *fits)
{
    struct rop_notification n;
    struct arena in = ARENA_INIT;
    struct err e = OK;

    begin_notification(t, change->event, &n);
    n.row = on_wire(&change->row);
    if (change->event != TABLE_ROW_DELETED)
        e = fill_row(t, rd, change->at, &in, &n);
    *fits = !failed(e) && put(out, end, &n);
    if (!failed(e) && !*fits && out->len == 0)
        e = ERR(ERR_TOO_BIG, "a notification that this client takes in no response");
    arena_done(&in);
    return e;
}

/* Those that were told go. */
static struct err tell_changes(struct mapi_table *t, struct store_read *rd, struct buf *out,
                               size_t end)
{
    struct table_news *news = &t->news;
    struct err e = order_news(t) ? OK : ERR(ERR_NOT_FOUND, "a row that came is not there");
    size_t told = 0;

    for (bool fits = true; told < news->n && !failed(e); told++) {
        e = tell_change(t, rd, &news->changes[told], out, end, &fits);
        if (!fits)
            break;
    }
    memmove(news->changes, news->changes + told, (news->n - told) * sizeof *news->changes);
    news->n -= told;
    return e;
}

bool mapi_table_tell(struct mapi_object *object, struct store_read *rd, struct buf *out, size_t end)
{
    struct mapi_table *t = (struct mapi_table *)object;
    struct table_news *news = &t->news;
    struct rop_notification n;
    uint64_t state;

    if (!is_told(t) || !state_now(t, rd, &state))
        return false;
    if (state != t->told)
        learn(t, rd, state);
    if (news->n > 0 && (!t->columns || failed(tell_changes(t, rd, out, end)))) {
        news->all = true;
        news->n = 0;
    }
    begin_notification(t, TABLE_CHANGED, &n);
    if (news->all)
        news->all = !put(out, end, &n);
    return news->all || news->n > 0;
}

bool mapi_table_interest(const struct mapi_object *object, struct mapi_table_interest *out)
{
    const struct mapi_table *t = (const struct mapi_table *)object;

    if (!is_told(t))
        return false;
    *out = (struct mapi_table_interest){
        .anything = t->kind == TABLE_HIERARCHY || t->search,
        .fid = t->fid,
        .associated = t->flags & TABLE_ASSOCIATED,
        .deleted = t->of_deleted || (t->flags & TABLE_SOFT_DELETES),
    };
    return true;
}
