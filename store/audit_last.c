/* audit_last.c - the last log-on of each user by each door, however old: one row, written over. */
#include "base/buf.h"
#include "store/audit_int.h"

enum { TIME_LEN = 8 };

struct err audit_keep_last(struct engine_write *w, const struct audit_entry *entry)
{
    struct slice user = audit_indexable(entry->user), old;
    struct audit_key key = audit_last_key(user, entry->door);
    struct buf value = buf_make(TIME_LEN + entry->line.len);

    if (user.len == 0)
        return OK;
    struct err e = engine_get(engine_write_read(w), audit_key_slice(&key), &old);
    if (failed(e) && e.code != ERR_NOT_FOUND)
        return e;
    /* Records of two threads may come in another order than their times. */
    if (!failed(e) && old.len >= TIME_LEN && audit_number(old.ptr, TIME_LEN) > entry->time)
        return OK;
    for (unsigned i = 0; i < TIME_LEN; i++)
        buf_putc(&value, (uint8_t)(entry->time >> (8 * (TIME_LEN - 1 - i))));
    buf_put(&value, entry->line);
    e = engine_put(w, audit_key_slice(&key), buf_slice(&value));
    buf_done(&value);
    return e;
}

/* ---- telling and forgetting: the rows of a user stand together ---- */

struct telling {
    struct audit_walk walk;
    struct slice user;
    void (*each)(void *ctx, const struct audit_entry *entry);
    void *ctx;
};

static bool is_row_of(struct slice user, struct slice key, struct slice *door)
{
    struct audit_key first = audit_last_key(user, SLICE_EMPTY);

    if (!slice_starts(key, audit_key_slice(&first)))
        return false;
    *door = slice_from(key, first.len);
    return true;
}

static bool tell(struct audit_walk *walk, struct engine_read *rd, struct slice key,
                 struct slice value)
{
    struct telling *t = (struct telling *)walk;
    struct audit_entry entry = {.user = t->user};

    (void)rd;
    if (!is_row_of(t->user, key, &entry.door))
        return false;
    if (value.len >= TIME_LEN) {
        entry.time = audit_number(value.ptr, TIME_LEN);
        entry.line = slice_from(value, TIME_LEN);
        t->each(t->ctx, &entry);
    }
    return true;
}

struct err audit_last(struct audit *audit, struct slice user,
                      void (*each)(void *ctx, const struct audit_entry *entry), void *ctx)
{
    struct telling t = {.walk.row = tell, .user = user, .each = each, .ctx = ctx};

    if (user.len == 0 || audit_indexable(user).len != user.len)
        return OK;
    t.walk.from = audit_last_key(user, SLICE_EMPTY);
    return audit_walk(audit, &t.walk);
}

struct err audit_forget_last(struct engine_write *w, struct slice user)
{
    struct audit_key first = audit_last_key(user, SLICE_EMPTY);
    struct slice key, value, door;
    struct err e = OK;

    while (!failed(e)) {
        struct engine_cursor *cursor = engine_cursor_open(engine_write_read(w));

        e = engine_seek(cursor, audit_key_slice(&first), &key, &value);
        engine_cursor_close(cursor);
        if (!failed(e) && !is_row_of(user, key, &door))
            break;
        struct audit_key row = audit_last_key(user, failed(e) ? SLICE_EMPTY : door);
        if (!failed(e))
            e = engine_delete(w, audit_key_slice(&row));
    }
    return e.code == ERR_NOT_FOUND ? OK : e;
}
