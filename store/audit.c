#include "store/audit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "store/system.h"

enum {
    USER_MAX_BYTES = 255, /* of a name that is indexed; what is longer was no user of ours */
    TIME_KEY_LEN = 1 + 8 + 4,
    SNAPSHOT_RECORDS = 4096,
};

struct audit {
    struct engine *engine;
    struct engine_partition *partition;
};

/* ---- keys ---- */

struct audit_key {
    uint8_t bytes[1 + USER_MAX_BYTES + 1 + 8 + 4];
    size_t len;
};

static void key_add(struct audit_key *key, const void *bytes, size_t len)
{
    if (len)
        memcpy(key->bytes + key->len, bytes, len);
    key->len += len;
}

static void key_add_number(struct audit_key *key, uint64_t n, unsigned bytes)
{
    while (bytes-- > 0)
        key->bytes[key->len++] = (uint8_t)(n >> (8 * bytes));
}

static struct slice key_slice(const struct audit_key *key)
{
    return slice_of(key->bytes, key->len);
}

static uint64_t read_number(const uint8_t *at, unsigned bytes)
{
    uint64_t n = 0;

    while (bytes-- > 0)
        n = n << 8 | *at++;
    return n;
}

static struct audit_key time_key(uint64_t time, uint32_t number)
{
    struct audit_key key = {.len = 0};

    key_add(&key, "T", 1);
    key_add_number(&key, time, 8);
    key_add_number(&key, number, 4);
    return key;
}

static struct audit_key user_key(struct slice user, uint64_t time, uint32_t number)
{
    struct audit_key key = {.len = 0};

    key_add(&key, "U", 1);
    key_add(&key, user.ptr, user.len);
    key_add(&key, "", 1); /* names hold no NUL, so one name's records stand together */
    key_add_number(&key, time, 8);
    key_add_number(&key, number, 4);
    return key;
}

/* A name that can be a key: the rest is found by its time only. */
static struct slice indexable(struct slice user)
{
    return slice_index(user, 0) == user.len ? slice_head(user, USER_MAX_BYTES) : SLICE_EMPTY;
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
    struct audit_key behind = time_key(time + 1, 0), first = time_key(time, 0);
    struct engine_cursor *cursor = engine_cursor_open(engine_write_read(w));
    struct slice key, value;
    struct err e = engine_seek_before(cursor, key_slice(&behind), &key, &value);

    engine_cursor_close(cursor);
    if (failed(e) && e.code != ERR_NOT_FOUND)
        return e;
    bool same = !failed(e) && key.len == TIME_KEY_LEN &&
                slice_eq(slice_head(key, 9), slice_head(key_slice(&first), 9));
    *number = same ? (uint32_t)read_number(key.ptr + 9, 4) + 1 : 0;
    return OK;
}

static struct err put_entry(struct engine_write *w, const struct audit_entry *entry)
{
    struct slice user = indexable(entry->user);
    struct buf value = buf_make(2 + USER_MAX_BYTES + entry->line.len);
    uint32_t number;
    struct err e = next_number(w, entry->time, &number);

    if (failed(e))
        return e;
    buf_putc(&value, (uint8_t)(user.len >> 8));
    buf_putc(&value, (uint8_t)user.len);
    buf_put(&value, user);
    buf_put(&value, entry->line);
    struct audit_key by_time = time_key(entry->time, number);
    e = engine_put(w, key_slice(&by_time), buf_slice(&value));
    buf_done(&value);
    if (failed(e) || user.len == 0)
        return e;
    struct audit_key by_user = user_key(user, entry->time, number);
    return engine_put(w, key_slice(&by_user), SLICE_EMPTY);
}

static struct err run_append(struct engine_write *w, struct engine_batch *batch)
{
    const struct append *rq = (const struct append *)batch;

    for (size_t i = 0; i < rq->n; i++) {
        struct err e = put_entry(w, &rq->entries[i]);

        if (failed(e))
            return e;
    }
    return OK;
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

/* ---- asking ---- */

struct query {
    struct slice user; /* empty: all */
    uint64_t until;
    bool (*each)(void *ctx, uint64_t time, struct slice line);
    void *ctx;
    struct audit_key from; /* where the next snapshot goes on */
    bool more;
};

/* Split a stored value; a damaged one gives the empty line. */
static struct slice line_of(struct slice value)
{
    size_t user_len = value.len >= 2 ? (size_t)value.ptr[0] << 8 | value.ptr[1] : 0;

    return slice_from(value, 2 + user_len);
}

static struct slice user_of(struct slice value)
{
    size_t user_len = value.len >= 2 ? (size_t)value.ptr[0] << 8 | value.ptr[1] : 0;

    return slice_sub(value, 2, user_len);
}

/* Tell one index entry; false when the query is at its end. */
static bool tell(struct engine_read *rd, struct query *q, struct slice key, struct slice value)
{
    size_t prefix = q->user.len ? 1 + q->user.len + 1 : 1;

    if (key.len != prefix + 12 ||
        !slice_eq(slice_head(key, prefix), slice_head(key_slice(&q->from), prefix)))
        return false;
    uint64_t time = read_number(key.ptr + prefix, 8);
    uint32_t number = (uint32_t)read_number(key.ptr + prefix + 8, 4);
    if (time >= q->until)
        return false;
    q->from = q->user.len ? user_key(q->user, time, number + 1) : time_key(time, number + 1);
    if (q->user.len) {
        struct audit_key by_time = time_key(time, number);

        if (failed(engine_get(rd, key_slice(&by_time), &value)))
            return true; /* trimmed: the index entry goes with the next trim */
    }
    return q->each(q->ctx, time, line_of(value));
}

static struct err query_snapshot(struct engine_read *rd, struct query *q)
{
    struct engine_cursor *cursor = engine_cursor_open(rd);
    struct slice key, value;
    struct audit_key start = q->from;
    struct err e = engine_seek(cursor, key_slice(&start), &key, &value);
    unsigned told = 0;

    q->more = false;
    while (!failed(e) && tell(rd, q, key, value)) {
        if (++told == SNAPSHOT_RECORDS) {
            q->more = true;
            break;
        }
        e = engine_next(cursor, &key, &value);
    }
    engine_cursor_close(cursor);
    return e.code == ERR_NOT_FOUND ? OK : e;
}

struct err audit_query(struct audit *audit, uint64_t since, uint64_t until, struct slice user,
                       bool (*each)(void *ctx, uint64_t time, struct slice line), void *ctx)
{
    struct query q = {
        .user = user,
        .until = until,
        .each = each,
        .ctx = ctx,
        .more = true,
    };

    if (user.len && indexable(user).len != user.len)
        return OK; /* no record is kept under such a name */
    q.from = user.len ? user_key(user, since, 0) : time_key(since, 0);
    while (q.more) {
        struct engine_read *rd;
        struct err e = engine_read_begin(audit->partition, &rd);

        if (failed(e))
            return e;
        e = query_snapshot(rd, &q);
        engine_read_end(rd);
        if (failed(e))
            return e;
    }
    return OK;
}

struct err audit_newest(struct audit *audit, uint64_t *time)
{
    struct audit_key behind = {.bytes = {'T' + 1}, .len = 1};
    struct engine_read *rd;
    struct slice key, value;
    struct err e = engine_read_begin(audit->partition, &rd);

    if (failed(e))
        return e;
    struct engine_cursor *cursor = engine_cursor_open(rd);
    e = engine_seek_before(cursor, key_slice(&behind), &key, &value);
    if (!failed(e))
        *time = key.len == TIME_KEY_LEN && key.ptr[0] == 'T' ? read_number(key.ptr + 1, 8) : 0;
    else if (e.code == ERR_NOT_FOUND)
        *time = 0;
    engine_cursor_close(cursor);
    engine_read_end(rd);
    return e.code == ERR_NOT_FOUND ? OK : e;
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
    struct audit_key start = time_key(0, 0);
    struct engine_cursor *cursor = engine_cursor_open(engine_write_read(w));
    struct slice key, value;
    struct err e = engine_seek(cursor, key_slice(&start), &key, &value);

    engine_cursor_close(cursor);
    if (failed(e))
        return e;
    if (key.len != TIME_KEY_LEN || key.ptr[0] != 'T' || read_number(key.ptr + 1, 8) >= before)
        return ERR(ERR_NOT_FOUND, "no record is that old");
    uint64_t time = read_number(key.ptr + 1, 8);
    uint32_t number = (uint32_t)read_number(key.ptr + 9, 4);
    struct audit_key by_time = time_key(time, number);
    struct audit_key by_user = user_key(slice_head(user_of(value), USER_MAX_BYTES), time, number);
    e = engine_delete(w, key_slice(&by_time));
    if (failed(e))
        return e;
    e = engine_delete(w, key_slice(&by_user));
    return e.code == ERR_NOT_FOUND ? OK : e;
}

static struct err run_trim(struct engine_write *w, struct engine_batch *batch)
{
    struct trim *rq = (struct trim *)batch;

    for (rq->removed = 0; rq->removed < rq->most; rq->removed++) {
        struct err e = trim_one(w, rq->before);

        if (e.code == ERR_NOT_FOUND)
            return OK;
        if (failed(e))
            return e;
    }
    return OK;
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
