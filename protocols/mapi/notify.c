/* notify.c - what a context's log-ons are to be told, and whether there is anything. */
#include "protocols/mapi/notify.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/events.h"

/* ---- sources and scopes ---- */

static struct notify_source **find_source(struct mapi_context *context,
                                          const struct mapi_logon *logon)
{
    struct notify_source **link = &context->notify;

    while (*link && (*link)->logon != logon)
        link = &(*link)->next;
    return link;
}

static struct notify_source *source_of(struct mapi_context *context, struct mapi_logon *logon)
{
    struct notify_source **link = find_source(context, logon);
    struct notify_source *source = *link;

    if (source)
        return source;
    source = mem_new(sizeof *source);
    *source = (struct notify_source){.logon = logon, .end = &source->scopes};
    *link = source;
    return source;
}

static struct err read_now(struct notify_source *s, struct store_read **rd, uint64_t *now)
{
    struct mailbox_info info;
    struct err e = store_read_begin(s->logon->mailbox, rd);

    if (failed(e))
        return e;
    e = store_mailbox_info(*rd, &info);
    *now = info.counter;
    if (failed(e))
        store_read_end(*rd);
    return e;
}

static void count_types(struct notify_source *s)
{
    s->types = 0;
    for (const struct notify_scope *scope = s->scopes; scope; scope = scope->next)
        s->types |= scope->types;
}

/* Handles rise, so behind the others is where it belongs. */
void notify_add(struct mapi_logon *logon, struct notify_scope *scope)
{
    struct mapi_context *context = logon->context;

    pthread_mutex_lock(&context->mutex);
    struct notify_source *s = source_of(context, logon);
    if (!s->scopes)
        s->told = (struct notify_place){.counter = scope->since};
    *s->end = scope;
    s->end = &scope->next;
    s->types |= scope->types;
    pthread_mutex_unlock(&context->mutex);
}

void notify_remove(struct mapi_logon *logon, struct notify_scope *scope)
{
    struct mapi_context *context = logon->context;

    pthread_mutex_lock(&context->mutex);
    struct notify_source *s = *find_source(context, logon);
    struct notify_scope **link = &s->scopes;
    while (*link != scope)
        link = &(*link)->next;
    *link = scope->next;
    if (s->end == &scope->next)
        s->end = link;
    count_types(s);
    pthread_mutex_unlock(&context->mutex);
    free(scope);
}

void notify_forget(struct mapi_logon *logon)
{
    struct mapi_context *context = logon->context;

    pthread_mutex_lock(&context->mutex);
    struct notify_source **link = find_source(context, logon), *s = *link;
    if (s)
        *link = s->next;
    pthread_mutex_unlock(&context->mutex);
    if (s)
        free(s->tables);
    free(s);
}

/* ---- tables ---- */

static void note_table(struct notify_source *s, const struct mapi_table_interest *interest)
{
    if (s->n_tables == s->cap_tables) {
        s->cap_tables = s->cap_tables ? 2 * s->cap_tables : 8;
        s->tables = mem_grow(s->tables, s->cap_tables, sizeof *s->tables);
    }
    s->tables[s->n_tables++] = *interest;
}

/* The next table of the log-on, from *i on, of which there may be news; NULL: there is none. */
static struct mapi_object *next_table(const struct mapi_objects *o, const struct mapi_logon *logon,
                                      size_t *i, struct mapi_table_interest *interest)
{
    while (*i < o->cap) {
        struct mapi_object *object = o->slots[(*i)++];

        if (object && object->kind == MAPI_TABLE && object->logon == logon &&
            mapi_table_interest(object, interest))
            return object;
    }
    return NULL;
}

/* True: there is no room for them all. A NotificationWait sees what each is interested in now. */
static bool tell_tables(struct mapi_context *context, struct notify_source *s,
                        struct store_read *rd, struct buf *out, size_t end)
{
    struct mapi_table_interest interest;
    struct mapi_object *object;
    size_t i = 0;
    bool more = false;

    s->n_tables = 0;
    while ((object = next_table(&context->objects, s->logon, &i, &interest))) {
        note_table(s, &interest);
        more = mapi_table_tell(object, rd, out, end) || more;
    }
    return more;
}

static bool touches(const struct mapi_table_interest *table, const struct store_event *event)
{
    return table->anything ||
           (event->kind <= EVENT_GONE && event->fid == table->fid &&
            event->associated == table->associated && event->hidden == table->deleted);
}

static bool touches_any(const struct notify_source *s, const struct store_event *event)
{
    for (size_t i = 0; i < s->n_tables; i++)
        if (touches(&s->tables[i], event))
            return true;
    return false;
}

static bool has_table_news(struct notify_source *s, struct store_read *rd)
{
    struct store_events *events;
    struct store_event event;
    bool complete, found = false;

    if (s->n_tables == 0 || failed(store_events_open(rd, s->looked, &complete, &events)))
        return false;
    found = !complete;
    while (!found && !failed(store_events_next(events, &event)))
        found = touches_any(s, &event);
    store_events_close(events);
    return found;
}

/* ---- telling ---- */

static bool source_put(struct mapi_context *context, struct notify_source *s, struct buf *out,
                       size_t end, struct arena *arena)
{
    struct notify_telling t = {.source = s, .place = s->told, .in = arena, .out = out, .end = end};
    bool more;

    if (failed(read_now(s, &t.rd, &t.now)))
        return false;
    if (s->scopes && t.now > s->told.counter)
        notify_tell(&t);
    s->told = t.place;
    more = tell_tables(context, s, t.rd, out, end) || t.more;
    s->looked = t.now;
    s->pending = more;
    store_read_end(t.rd);
    return more;
}

static bool follows_tables(const struct mapi_context *context, const struct mapi_logon *logon)
{
    struct mapi_table_interest interest;

    return next_table(&context->objects, logon, &(size_t){0}, &interest) != NULL;
}

bool mapi_notify_put(struct mapi_context *context, struct buf *out, size_t room,
                     struct arena *arena)
{
    size_t end = out->len + room;
    bool more = false;

    pthread_mutex_lock(&context->mutex);
    for (struct mapi_logon *logon = context->logons; logon; logon = logon->next)
        if ((*find_source(context, logon) || follows_tables(context, logon)) &&
            source_put(context, source_of(context, logon), out, end, arena))
            more = true;
    pthread_mutex_unlock(&context->mutex);
    return more;
}

/* ---- is there anything? ---- */

static bool source_look(struct notify_source *s)
{
    struct arena arena = ARENA_INIT;
    struct notify_telling t = {.source = s, .place = s->told, .in = &arena};

    if (s->pending || failed(read_now(s, &t.rd, &t.now)))
        return s->pending;
    if (s->scopes && t.now > s->told.counter)
        notify_tell(&t);
    s->pending = t.more || (t.now > s->looked && has_table_news(s, t.rd));
    /* What concerns nobody need not be looked at again. */
    if (!t.more && s->scopes)
        s->told = t.place;
    if (!s->pending)
        s->looked = t.now;
    store_read_end(t.rd);
    arena_done(&arena);
    return s->pending;
}

bool mapi_notify_is_pending(struct mapi_context *context)
{
    bool pending = false;

    for (struct notify_source *s = context->notify; s && !pending; s = s->next)
        pending = source_look(s);
    return pending;
}
