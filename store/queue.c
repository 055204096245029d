/*
 * queue.c - the queue of outgoing mail in the system partition. Keys, numbers in them big-endian:
 *
 *   'Q' id                entry: checksum u32, then varints and slices in the order of put_entry()
 *   'W' due, id           (empty) in which order they are tried
 *   'M' mailbox id, mid   id: the entry of a message that still is in its sender's mailbox
 */
#include "store/queue.h"

#include "base/crc32c.h"
#include "base/varint.h"
#include "store/prepare_int.h"
#include "store/queue_int.h"
#include "store/schema.h"
#include "store/store_int.h"
#include "store/system.h"

enum { FORM = 1, NUMBER = 8, CHECKSUM = 4 };

/* ---- keys ---- */

static struct key key_of(char kind, uint64_t a)
{
    return key_id((enum key_kind)kind, a);
}

static struct key key_of_two(char kind, uint64_t a, uint64_t b)
{
    struct key key = key_of(kind, a);

    put_be64(key.bytes + key.len, b);
    key.len += NUMBER;
    return key;
}

static bool is_key_of_two(struct slice key, char kind, uint64_t *a, uint64_t *b)
{
    if (key.len != 1 + 2 * NUMBER || key.ptr[0] != (uint8_t)kind)
        return false;
    *a = get_be64(key.ptr + 1);
    *b = get_be64(key.ptr + 1 + NUMBER);
    return true;
}

/* ---- values ---- */

static void put_recipient(struct buf *out, const struct queue_recipient *r)
{
    varint_put_slice(out, r->address);
    varint_put(out, (uint64_t)r->state << 2 | (unsigned)r->told << 1 | r->answered);
    varint_put_slice(out, slice_head(r->reply, QUEUE_REPLY_MAX));
}

static void put_entry(struct buf *out, const struct queue_entry *e)
{
    const uint64_t numbers[] = {e->mailbox_id, e->fid,          e->mid,  e->to,
                                e->created,    e->since,        e->due,  e->locked_until,
                                e->attempts,   e->wants_report, e->blob, e->size};

    buf_putc(out, FORM);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        varint_put(out, numbers[i]);
    varint_put_slice(out, e->owner);
    varint_put_slice(out, e->sender);
    varint_put(out, e->n_recipients);
    for (size_t i = 0; i < e->n_recipients; i++)
        put_recipient(out, &e->recipients[i]);
}

static void encode(const struct queue_entry *entry, struct buf *out)
{
    struct buf body = buf_make(ENGINE_VALUE_MAX);
    uint8_t sum[CHECKSUM];

    put_entry(&body, entry);
    put_le32(sum, crc32c(0, buf_slice(&body)));
    buf_put(out, slice_of(sum, sizeof sum));
    buf_put(out, buf_slice(&body));
    out->failed = out->failed || body.failed;
    buf_done(&body);
}

static bool take_recipient(struct slice *in, struct arena *arena, struct queue_recipient *out)
{
    struct slice address, reply;
    uint64_t bits;

    if (!varint_take_slice(in, &address) || !varint_take(in, &bits) ||
        !varint_take_slice(in, &reply) || bits >> 2 > QUEUE_FAILED)
        return false;
    *out = (struct queue_recipient){
        .address = arena_slice(arena, address),
        .state = (enum queue_state)(bits >> 2),
        .told = bits & 2,
        .answered = bits & 1,
        .reply = arena_slice(arena, reply),
    };
    return true;
}

static bool take_numbers(struct slice *in, struct queue_entry *e)
{
    uint64_t attempts = 0, wants_report = 0;
    uint64_t *const numbers[] = {&e->mailbox_id, &e->fid,       &e->mid,  &e->to,
                                 &e->created,    &e->since,     &e->due,  &e->locked_until,
                                 &attempts,      &wants_report, &e->blob, &e->size};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!varint_take(in, numbers[i]))
            return false;
    e->attempts = (uint32_t)attempts;
    e->wants_report = wants_report;
    return true;
}

static bool take_entry(struct slice in, struct arena *arena, struct queue_entry *e)
{
    struct slice owner, sender;
    uint64_t n;

    if (in.len < CHECKSUM + 1 || get_le32(in.ptr) != crc32c(0, slice_from(in, CHECKSUM)) ||
        in.ptr[CHECKSUM] != FORM)
        return false;
    in = slice_from(in, CHECKSUM + 1);
    if (!take_numbers(&in, e) || !varint_take_slice(&in, &owner) ||
        !varint_take_slice(&in, &sender) || !varint_take(&in, &n) || n > QUEUE_MAX_RECIPIENTS)
        return false;
    e->owner = arena_slice(arena, owner);
    e->sender = arena_slice(arena, sender);
    e->n_recipients = (size_t)n;
    e->recipients = arena_array(arena, e->n_recipients + 1, sizeof *e->recipients);
    for (size_t i = 0; i < e->n_recipients; i++)
        if (!take_recipient(&in, arena, &e->recipients[i]))
            return false;
    return true;
}

static struct err decode(uint64_t id, struct slice value, struct arena *in, struct queue_entry *out)
{
    struct queue_entry e = {.id = id};

    if (!take_entry(value, in, &e))
        return ERR(ERR_CORRUPT, "an entry of the queue is damaged");
    *out = e;
    return OK;
}

/* ---- changing ---- */

struct change {
    struct engine_batch batch;
    struct queue_entry *entry; /* of an addition: it gets its id and blob */
    const struct queue_entry *with;
    const struct queue_times *times;
    uint64_t id;
    const struct store_prepared *prepared;
};

static struct err put(struct engine_write *w, const struct queue_entry *e)
{
    struct key key = key_of('Q', e->id), due = key_of_two('W', e->due, e->id);
    struct buf value = buf_make(ENGINE_VALUE_MAX);

    encode(e, &value);
    struct err error = value.failed ? ERR(ERR_TOO_BIG, "the envelope is too large for the queue")
                                    : engine_put(w, key_slice(&key), buf_slice(&value));
    buf_done(&value);
    if (!failed(error))
        error = engine_put(w, key_slice(&due), SLICE_EMPTY);
    if (!failed(error) && e->mid) {
        struct key of = key_of_two('M', e->mailbox_id, e->mid);
        struct record record;

        u64_value_encode(e->id, &record);
        error = engine_put(w, key_slice(&of), record_slice(&record));
    }
    return error;
}

/* Its keys go; its blob is the caller's matter. What it was lives in the arena. */
static struct err take_out(struct engine_write *w, uint64_t id, struct arena *in,
                           struct queue_entry *out)
{
    struct key key = key_of('Q', id);
    struct slice value;
    struct err e = engine_get(engine_write_read(w), key_slice(&key), &value);

    if (!failed(e))
        e = decode(id, value, in, out);
    if (failed(e))
        return e;
    struct key due = key_of_two('W', out->due, id);
    struct key of = key_of_two('M', out->mailbox_id, out->mid);
    e = engine_delete(w, key_slice(&key));
    if (!failed(e))
        e = engine_delete(w, key_slice(&due));
    if (!failed(e) && out->mid)
        e = engine_delete(w, key_slice(&of));
    return e;
}

static bool has(struct engine_write *w, const struct key *key)
{
    struct slice value;

    return !failed(engine_get(engine_write_read(w), key_slice(key), &value));
}

static struct err add_run(struct engine_write *w, struct engine_batch *batch)
{
    struct change *c = container_of(batch, struct change, batch);
    struct queue_entry *e = c->entry;
    struct key of = key_of_two('M', e->mailbox_id, e->mid);
    struct engine_blob_info blob;

    if (e->mid && has(w, &of))
        return ERR(ERR_EXISTS, "the message is in the queue already");
    e->id = e->created;
    for (struct key key = key_of('Q', e->id); has(w, &key); key = key_of('Q', e->id))
        e->id++;
    struct err error = engine_blob_link(w, c->prepared->hash, &blob);
    if (failed(error))
        return error;
    e->blob = blob.id;
    e->size = blob.len;
    return put(w, e);
}

static struct err update_run(struct engine_write *w, struct engine_batch *batch)
{
    struct change *c = container_of(batch, struct change, batch);
    struct arena arena = ARENA_INIT;
    struct queue_entry old;
    struct err e = take_out(w, c->with->id, &arena, &old);

    arena_done(&arena);
    return failed(e) ? e : put(w, c->with);
}

static struct err reschedule_run(struct engine_write *w, struct engine_batch *batch)
{
    struct change *c = container_of(batch, struct change, batch);
    struct arena arena = ARENA_INIT;
    struct queue_entry entry;
    struct err e = take_out(w, c->id, &arena, &entry);

    if (!failed(e)) {
        entry.since = c->times->since;
        entry.due = c->times->due;
        entry.locked_until = c->times->locked_until;
        e = put(w, &entry);
    }
    arena_done(&arena);
    return e;
}

static struct err remove_run(struct engine_write *w, struct engine_batch *batch)
{
    struct change *c = container_of(batch, struct change, batch);
    struct arena arena = ARENA_INIT;
    struct queue_entry old;
    struct err e = take_out(w, c->id, &arena, &old);

    arena_done(&arena);
    return failed(e) ? e : engine_blob_unlink(w, old.blob);
}

struct err store_queue_add(struct store *st, struct queue_entry *entry,
                           struct store_prepared *prepared)
{
    struct engine_new_blob blob = prepared_blob(prepared);
    struct change c = {
        .batch = {.partition = st->system, .run = add_run, .blobs = &blob, .n_blobs = 1},
        .entry = entry,
        .prepared = prepared,
    };

    if (entry->n_recipients > QUEUE_MAX_RECIPIENTS)
        return ERR(ERR_LIMIT, "too many recipients");
    if (store_low_space(st))
        return ERR(ERR_NO_SPACE, "less than the reserve is left");
    return system_commit(st->engine, &c.batch);
}

struct err store_queue_update(struct store *st, const struct queue_entry *entry)
{
    struct change c = {.batch = {.partition = st->system, .run = update_run}, .with = entry};

    return system_commit(st->engine, &c.batch);
}

struct err store_queue_reschedule(struct store *st, uint64_t id, const struct queue_times *times)
{
    struct change c = {
        .batch = {.partition = st->system, .run = reschedule_run}, .id = id, .times = times};

    return system_commit(st->engine, &c.batch);
}

struct err store_queue_remove(struct store *st, uint64_t id)
{
    struct change c = {.batch = {.partition = st->system, .run = remove_run}, .id = id};

    return system_commit(st->engine, &c.batch);
}

/* ---- reading ---- */

static struct err get(struct engine_read *rd, uint64_t id, struct arena *in,
                      struct queue_entry *out)
{
    struct key key = key_of('Q', id);
    struct slice value;
    struct err e = engine_get(rd, key_slice(&key), &value);

    return failed(e) ? e : decode(id, value, in, out);
}

struct err store_queue_get(struct store *st, uint64_t id, struct arena *in, struct queue_entry *out)
{
    struct engine_read *rd;
    struct err e = engine_read_begin(st->system, &rd);

    if (failed(e))
        return e;
    e = get(rd, id, in, out);
    engine_read_end(rd);
    return e;
}

struct err store_queue_find(struct store *st, uint64_t mailbox_id, uint64_t mid, struct arena *in,
                            struct queue_entry *out)
{
    struct key key = key_of_two('M', mailbox_id, mid);
    struct engine_read *rd;
    struct slice value;
    uint64_t id;
    struct err e = engine_read_begin(st->system, &rd);

    if (failed(e))
        return e;
    e = engine_get(rd, key_slice(&key), &value);
    if (!failed(e))
        e = u64_value_decode(value, &id);
    if (!failed(e))
        e = get(rd, id, in, out);
    engine_read_end(rd);
    return e;
}

/* The first key from `from` on that is of the same kind. */
static struct err first_from(struct engine_read *rd, const struct key *from, struct slice *key,
                             struct slice *value)
{
    struct engine_cursor *cursor = engine_cursor_open(rd);
    struct err e = engine_seek(cursor, key_slice(from), key, value);

    engine_cursor_close(cursor);
    if (!failed(e) && (key->len == 0 || key->ptr[0] != from->bytes[0]))
        e = ERR(ERR_NOT_FOUND, "that was the last entry of the queue");
    return e;
}

static struct err next(struct engine_read *rd, uint64_t after, struct arena *in,
                       struct queue_entry *out)
{
    struct key from = key_of('Q', after + 1);
    struct slice key, value;
    struct err e = first_from(rd, &from, &key, &value);

    if (failed(e))
        return e;
    if (key.len != 1 + NUMBER)
        return ERR(ERR_CORRUPT, "a key of the queue is damaged");
    return decode(get_be64(key.ptr + 1), value, in, out);
}

struct err store_queue_next(struct store *st, uint64_t after, struct arena *in,
                            struct queue_entry *out)
{
    struct engine_read *rd;
    struct err e = engine_read_begin(st->system, &rd);

    if (failed(e))
        return e;
    e = next(rd, after, in, out);
    engine_read_end(rd);
    return e;
}

struct err store_queue_due(struct store *st, uint64_t *due, uint64_t *id)
{
    struct key from = key_of_two('W', *due, *id + 1);
    struct engine_read *rd;
    struct slice key, value;
    struct err e = engine_read_begin(st->system, &rd);

    if (failed(e))
        return e;
    e = first_from(rd, &from, &key, &value);
    if (!failed(e) && !is_key_of_two(key, 'W', due, id))
        e = ERR(ERR_CORRUPT, "a key of the queue is damaged");
    engine_read_end(rd);
    return e;
}

/* Ids begin as the time when they came, so the first is the oldest. */
struct err store_queue_count(struct store *st, uint64_t *n, uint64_t *oldest)
{
    struct key from = key_of('Q', 0);
    struct engine_read *rd;
    struct slice key, value;
    struct err e = engine_read_begin(st->system, &rd);

    if (failed(e))
        return e;
    struct engine_cursor *cursor = engine_cursor_open(rd);
    *n = *oldest = 0;
    e = engine_seek(cursor, key_slice(&from), &key, &value);
    for (; !failed(e) && key.len == 1 + NUMBER && key.ptr[0] == 'Q';
         e = engine_next(cursor, &key, &value), ++*n)
        if (*n == 0)
            *oldest = get_be64(key.ptr + 1);
    engine_cursor_close(cursor);
    engine_read_end(rd);
    return failed(e) && e.code != ERR_NOT_FOUND ? e : OK;
}

struct err store_queue_bytes(struct store *st, const struct queue_entry *entry, struct arena *in,
                             struct slice *out)
{
    uint8_t *to = arena_alloc(in, (size_t)entry->size + 1);
    struct engine_read *rd;
    struct slice piece;
    uint64_t at = 0;
    struct err e = engine_read_begin(st->system, &rd);

    if (failed(e))
        return e;
    while (at < entry->size && !failed(e)) {
        e = engine_blob_piece(rd, entry->blob, at, entry->size - at, &piece);
        if (!failed(e))
            memcpy(to + at, piece.ptr, piece.len);
        at += failed(e) ? 0 : piece.len;
    }
    engine_read_end(rd);
    if (!failed(e))
        *out = slice_of(to, (size_t)entry->size);
    return e;
}

/* ---- verifying ---- */

struct err queue_blobs(struct store *st, void (*each)(void *ctx, uint64_t blob), void *ctx)
{
    struct queue_entry entry = {.id = 0};
    struct engine_read *rd;
    struct err e = engine_read_begin(st->system, &rd);

    if (failed(e))
        return e;
    while (!failed(e)) {
        struct arena arena = ARENA_INIT;

        e = next(rd, entry.id, &arena, &entry);
        if (!failed(e))
            each(ctx, entry.blob);
        arena_done(&arena);
    }
    engine_read_end(rd);
    return e.code == ERR_NOT_FOUND ? OK : e;
}
