/* audit.c - records: adding, asking, forgetting. */
#include "store/audit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "store/audit_int.h"
#include "store/system.h"

enum { TIME_KEY_LEN = 1 + 8 + 4, VALUE_FORM = 1, VALUE_HEAD = 1 + 1 + 1 + 4 };

/* ---- keys ---- */

static void key_add(struct audit_key *key, struct slice bytes)
{
    if (bytes.len)
        memcpy(key->bytes + key->len, bytes.ptr, bytes.len);
    key->len += bytes.len;
}

static void key_add_number(struct audit_key *key, uint64_t n, unsigned bytes)
{
    while (bytes-- > 0)
        key->bytes[key->len++] = (uint8_t)(n >> (8 * bytes));
}

uint64_t audit_number(const uint8_t *at, unsigned bytes)
{
    uint64_t n = 0;

    while (bytes-- > 0)
        n = n << 8 | *at++;
    return n;
}

struct audit_key audit_time_key(uint64_t time, uint32_t number)
{
    struct audit_key key = {.len = 0};

    key_add(&key, S("T"));
    key_add_number(&key, time, 8);
    key_add_number(&key, number, 4);
    return key;
}

/* Names hold no NUL, so one name's records stand together. */
struct audit_key audit_user_key(struct slice user, uint64_t time, uint32_t number)
{
    struct audit_key key = {.len = 0};

    key_add(&key, S("U"));
    key_add(&key, user);
    key_add(&key, S("\0"));
    key_add_number(&key, time, 8);
    key_add_number(&key, number, 4);
    return key;
}

struct audit_key audit_count_key(uint32_t hour, struct slice user, struct slice kind)
{
    struct audit_key key = {.len = 0};

    key_add(&key, S("S"));
    key_add_number(&key, hour, 4);
    key_add(&key, user);
    key_add(&key, S("\0"));
    key_add(&key, slice_head(kind, AUDIT_KIND_MAX));
    return key;
}

struct audit_key audit_latency_key(uint32_t hour, struct slice kind)
{
    struct audit_key key = {.len = 0};

    key_add(&key, S("H"));
    key_add_number(&key, hour, 4);
    key_add(&key, slice_head(kind, AUDIT_KIND_MAX));
    return key;
}

struct audit_key audit_last_key(struct slice user, struct slice door)
{
    struct audit_key key = {.len = 0};

    key_add(&key, S("O"));
    key_add(&key, user);
    key_add(&key, S("\0"));
    key_add(&key, slice_head(door, AUDIT_KIND_MAX));
    return key;
}

bool audit_is_time_key(struct slice key, uint64_t *time, uint32_t *number)
{
    if (key.len != TIME_KEY_LEN || key.ptr[0] != 'T')
        return false;
    *time = audit_number(key.ptr + 1, 8);
    *number = (uint32_t)audit_number(key.ptr + 9, 4);
    return true;
}

bool audit_is_hour_key(struct slice key, uint8_t first, uint32_t *hour)
{
    if (key.len < 1 + 4 || key.ptr[0] != first)
        return false;
    *hour = (uint32_t)audit_number(key.ptr + 1, 4);
    return true;
}

struct slice audit_indexable(struct slice user)
{
    return slice_index(user, 0) == user.len ? slice_head(user, AUDIT_USER_MAX) : SLICE_EMPTY;
}

/* ---- values: form u8, length of the user u8, of the kind u8, latency u32; user, kind, line ----
 */

static void entry_encode(const struct audit_entry *entry, struct buf *out)
{
    struct slice user = audit_indexable(entry->user);
    struct slice kind = slice_head(entry->kind, AUDIT_KIND_MAX);
    uint8_t head[VALUE_HEAD] = {VALUE_FORM, (uint8_t)user.len, (uint8_t)kind.len};

    for (unsigned i = 0; i < 4; i++)
        head[3 + i] = (uint8_t)(entry->latency_us >> (8 * (3 - i)));
    buf_put(out, slice_of(head, sizeof head));
    buf_put(out, user);
    buf_put(out, kind);
    buf_put(out, entry->line);
}

bool audit_entry_decode(uint64_t time, struct slice value, struct audit_entry *out)
{
    if (value.len < VALUE_HEAD || value.ptr[0] != VALUE_FORM)
        return false;
    size_t user_len = value.ptr[1], kind_len = value.ptr[2];
    if (value.len < VALUE_HEAD + user_len + kind_len)
        return false;
    *out = (struct audit_entry){
        .time = time,
        .user = slice_sub(value, VALUE_HEAD, user_len),
        .kind = slice_sub(value, VALUE_HEAD + user_len, kind_len),
        .latency_us = (uint32_t)audit_number(value.ptr + 3, 4),
        .line = slice_from(value, VALUE_HEAD + user_len + kind_len),
    };
    return true;
}

/* ---- life ---- */

struct err audit_open(struct engine *engine, struct audit **out)
{
    struct engine_partition *partition;
    struct err e = system_open(engine, &partition);

    if (failed(e))
        return e;
    struct audit *audit = mem_new(sizeof *audit);
    audit->engine = engine;
    audit->partition = partition;
    *out = audit;
    return OK;
}

void audit_close(struct audit *audit)
{
    if (!audit)
        return;
    engine_partition_close(audit->partition);
    free(audit);
}

/* ---- appending ---- */

struct append {
    struct engine_batch batch;
    const struct audit_entry *entries;
    size_t n;
};

/* The number that a record of this time gets: behind those that have the same time. */
static struct err next_number(struct engine_write *w, uint64_t time, uint32_t *number)
{
    struct audit_key behind = audit_time_key(time + 1, 0);
    struct engine_cursor *cursor = engine_cursor_open(engine_write_read(w));
    struct slice key, value;
    uint64_t last_time;
    uint32_t last_number;
    struct err e = engine_seek_before(cursor, audit_key_slice(&behind), &key, &value);

    engine_cursor_close(cursor);
    if (failed(e) && e.code != ERR_NOT_FOUND)
        return e;
    bool same = !failed(e) && audit_is_time_key(key, &last_time, &last_number) && last_time == time;
    *number = same ? last_number + 1 : 0;
    return OK;
}

static struct err put_entry(struct engine_write *w, const struct audit_entry *entry)
{
    struct slice user = audit_indexable(entry->user);
    struct buf value = buf_make(VALUE_HEAD + AUDIT_USER_MAX + AUDIT_KIND_MAX + entry->line.len);
    uint32_t number;
    struct err e = next_number(w, entry->time, &number);

    if (failed(e))
        return e;
    entry_encode(entry, &value);
    struct audit_key by_time = audit_time_key(entry->time, number);
    e = engine_put(w, audit_key_slice(&by_time), buf_slice(&value));
    buf_done(&value);
    if (failed(e) || user.len == 0)
        return e;
    struct audit_key by_user = audit_user_key(user, entry->time, number);
    return engine_put(w, audit_key_slice(&by_user), SLICE_EMPTY);
}

static struct err run_append(struct engine_write *w, struct engine_batch *batch)
{
    const struct append *rq = (const struct append *)batch;

    for (size_t i = 0; i < rq->n; i++) {
        struct err e = put_entry(w, &rq->entries[i]);

        if (failed(e))
            return e;
    }
    return audit_count_entries(w, rq->entries, rq->n);
}

struct err audit_append(struct audit *audit, const struct audit_entry *entries, size_t n)
{
    struct append rq = {
        .batch = {.partition = audit->partition, .run = run_append},
        .entries = entries,
        .n = n,
    };

    return system_commit(audit->engine, &rq.batch);
}

/* ---- walking ---- */

/* *more: there were rows left when the snapshot had been open for long enough. */
static struct err walk_snapshot(struct engine_read *rd, struct audit_walk *walk, bool *more)
{
    struct engine_cursor *cursor = engine_cursor_open(rd);
    struct slice key, value;
    struct err e = engine_seek(cursor, audit_key_slice(&walk->from), &key, &value);

    *more = false;
    for (unsigned n = 0; !failed(e) && walk->row(walk, rd, key, value); n++) {
        if (n == AUDIT_SNAPSHOT_ROWS) {
            /* The least key behind this one. */
            walk->from.len = 0;
            key_add(&walk->from, slice_head(key, AUDIT_KEY_MAX - 1));
            key_add(&walk->from, S("\0"));
            *more = true;
            break;
        }
        e = engine_next(cursor, &key, &value);
    }
    engine_cursor_close(cursor);
    return e.code == ERR_NOT_FOUND ? OK : e;
}

struct err audit_walk(struct audit *audit, struct audit_walk *walk)
{
    bool more = true;
    struct err e = OK;

    while (more && !failed(e)) {
        struct engine_read *rd;

        e = engine_read_begin(audit->partition, &rd);
        if (failed(e))
            return e;
        e = walk_snapshot(rd, walk, &more);
        engine_read_end(rd);
    }
    return e;
}

/* ---- asking ---- */

struct query {
    struct audit_walk walk;
    struct slice user; /* empty: all */
    uint64_t until;
    bool (*each)(void *ctx, struct audit_place at, struct slice line);
    void *ctx;
};

/* A damaged record gives an empty line: somebody tried to log on then, and that is all we know. */
static bool tell(struct query *q, struct audit_place at, struct slice value)
{
    struct audit_entry entry = {.line = SLICE_EMPTY};

    (void)audit_entry_decode(at.time, value, &entry);
    return q->each(q->ctx, at, entry.line);
}

static bool by_time(struct audit_walk *walk, struct engine_read *rd, struct slice key,
                    struct slice value)
{
    struct query *q = (struct query *)walk;
    struct audit_place at = {0};

    (void)rd;
    return audit_is_time_key(key, &at.time, &at.number) && at.time < q->until && tell(q, at, value);
}

static bool by_user(struct audit_walk *walk, struct engine_read *rd, struct slice key,
                    struct slice value)
{
    struct query *q = (struct query *)walk;
    struct audit_key first = audit_user_key(q->user, 0, 0);
    size_t prefix = first.len - 12;

    if (key.len != first.len ||
        !slice_eq(slice_head(key, prefix), slice_head(audit_key_slice(&first), prefix)))
        return false;
    const struct audit_place at = {audit_number(key.ptr + prefix, 8),
                                   (uint32_t)audit_number(key.ptr + prefix + 8, 4)};
    if (at.time >= q->until)
        return false;
    struct audit_key by_time = audit_time_key(at.time, at.number);
    if (failed(engine_get(rd, audit_key_slice(&by_time), &value)))
        return true; /* trimmed: the index entry goes with the next trim */
    return tell(q, at, value);
}

struct err audit_query(struct audit *audit, uint64_t since, uint64_t until, struct slice user,
                       bool (*each)(void *ctx, struct audit_place at, struct slice line), void *ctx)
{
    struct query q = {.user = user, .until = until, .each = each, .ctx = ctx};

    if (user.len && audit_indexable(user).len != user.len)
        return OK; /* no record is kept under such a name */
    q.walk.from = user.len ? audit_user_key(user, since, 0) : audit_time_key(since, 0);
    q.walk.row = user.len ? by_user : by_time;
    return audit_walk(audit, &q.walk);
}

struct err audit_newest(struct audit *audit, uint64_t *time)
{
    struct engine_read *rd;
    struct slice key, value;
    uint64_t newest = 0;
    uint32_t number;
    struct err e = engine_read_begin(audit->partition, &rd);

    if (failed(e))
        return e;
    struct engine_cursor *cursor = engine_cursor_open(rd);
    e = engine_seek_before(cursor, S("U"), &key, &value);
    if (!failed(e) && !audit_is_time_key(key, &newest, &number))
        newest = 0;
    engine_cursor_close(cursor);
    engine_read_end(rd);
    if (failed(e) && e.code != ERR_NOT_FOUND)
        return e;
    *time = newest;
    return OK;
}

/* ---- trimming ---- */

struct trim {
    struct engine_batch batch;
    uint64_t before;
    unsigned most, removed;
};

/* Remove the oldest record, if it is before the limit. ERR_NOT_FOUND: it is not. */
static struct err trim_one(struct engine_write *w, uint64_t before)
{
    struct audit_key start = audit_time_key(0, 0);
    struct engine_cursor *cursor = engine_cursor_open(engine_write_read(w));
    struct audit_entry entry = {.user = SLICE_EMPTY};
    struct slice key, value;
    uint64_t time;
    uint32_t number;
    struct err e = engine_seek(cursor, audit_key_slice(&start), &key, &value);

    engine_cursor_close(cursor);
    if (failed(e))
        return e;
    if (!audit_is_time_key(key, &time, &number) || time >= before)
        return ERR(ERR_NOT_FOUND, "no record is that old");
    (void)audit_entry_decode(time, value, &entry);
    struct audit_key by_time = audit_time_key(time, number);
    struct audit_key by_user = audit_user_key(entry.user, time, number);
    e = engine_delete(w, audit_key_slice(&by_time));
    if (failed(e))
        return e;
    e = engine_delete(w, audit_key_slice(&by_user));
    return e.code == ERR_NOT_FOUND ? OK : e;
}

static struct err run_trim(struct engine_write *w, struct engine_batch *batch)
{
    struct trim *rq = (struct trim *)batch;

    for (rq->removed = 0; rq->removed < rq->most; rq->removed++) {
        struct err e = trim_one(w, rq->before);

        if (e.code == ERR_NOT_FOUND)
            break;
        if (failed(e))
            return e;
    }
    return audit_trim_counts(w, rq->before, rq->most);
}

struct err audit_trim(struct audit *audit, uint64_t before, unsigned most, unsigned *removed)
{
    struct trim rq = {
        .batch = {.partition = audit->partition, .run = run_trim},
        .before = before,
        .most = most,
    };
    struct err e = system_commit(audit->engine, &rq.batch);

    if (!failed(e))
        *removed = rq.removed;
    return e;
}
