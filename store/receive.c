/*
 * receive.c - the folders that receive mail of a class ([MS-OXCSTOR] 3.2.3).
 *
 * What every mailbox begins with is a table here; rows of KEY_RECEIVE, under the class in lower
 * case, win over it. One of FID 0 says that there is none. A row whose folder is gone counts for
 * nothing.
 */
#include "base/crc32c.h"
#include "store/access_int.h"

enum { ROW_HEAD = 4 + 8 + 8 };

static const struct {
    struct slice class;
    uint64_t fid;
} at_first[] = {
    /* in the order of their keys */
    {S(""), SPECIAL_INBOX},
    {S("IPC"), SPECIAL_ROOT},
    {S("IPM"), SPECIAL_INBOX},
    {S("REPORT.IPM"), SPECIAL_INBOX},
};
enum { AT_FIRST = sizeof at_first / sizeof *at_first };

bool store_receive_class_valid(struct slice class)
{
    for (size_t i = 0; i < class.len; i++) {
        bool dot = class.ptr[i] == '.';

        if (class.ptr[i] < 0x20 || class.ptr[i] > 0x7E ||
            (dot && (i == 0 || i + 1 == class.len || class.ptr[i - 1] == '.')))
            return false;
    }
    return class.len <= CLASS_MAX_BYTES;
}

/* ---- rows ---- */

static struct key key_receive(struct slice class)
{
    struct key key = key_keyword_name(class);

    key.bytes[0] = KEY_RECEIVE;
    return key;
}

struct err receive_decode(struct slice value, struct store_receive_folder *out)
{
    if (value.len < ROW_HEAD || get_le32(value.ptr) != crc32c(0, slice_from(value, 4)))
        return ERR(ERR_CORRUPT, "a receive folder: checksum");
    *out = (struct store_receive_folder){.class = slice_from(value, ROW_HEAD),
                                         .fid = get_le64(value.ptr + 4),
                                         .changed = get_le64(value.ptr + 12)};
    return OK;
}

static bool is_there(struct engine_read *rd, uint64_t fid)
{
    struct folder_rec rec;

    return !failed(folder_load(rd, fid, &rec)) && folder_is_plain(&rec);
}

/* ---- reading ---- */

/* The row of exactly this class, or what there is at first. ERR_NOT_FOUND. */
static struct err find(struct store_read *rd, struct slice class, struct store_receive_folder *out)
{
    struct key key = key_receive(class);
    const struct mailbox_rec *rec;
    struct slice value;
    struct err e = engine_get(rd->engine, key_slice(&key), &value);

    if (!failed(e))
        e = receive_decode(value, out);
    if (!failed(e) && out->fid == 0)
        return ERR(ERR_NOT_FOUND, "the class has no folder");
    if (!failed(e) && is_there(rd->engine, out->fid))
        return OK;
    if (failed(e) && e.code != ERR_NOT_FOUND)
        return e;
    e = read_mailbox_rec(rd, &rec);
    for (size_t i = 0; i < AT_FIRST && !failed(e); i++)
        if (slice_ieq(class, at_first[i].class)) {
            *out = (struct store_receive_folder){at_first[i].class, at_first[i].fid, rec->created};
            return OK;
        }
    return failed(e) ? e : ERR(ERR_NOT_FOUND, "the class has no folder");
}

/* Without its last part. */
static struct slice shorter(struct slice class)
{
    size_t len = class.len;

    while (len > 0 && class.ptr[len - 1] != '.')
        len--;
    return slice_head(class, len ? len - 1 : 0);
}

struct err store_receive_folder(struct store_read *rd, struct slice class, struct arena *in,
                                struct store_receive_folder *out)
{
    struct store_receive_folder found;
    struct err e;

    if (!store_receive_class_valid(class))
        return ERR(ERR_INVALID, "not a class");
    while ((e = find(rd, class, &found)).code == ERR_NOT_FOUND && class.len > 0)
        class = shorter(class);
    if (failed(e))
        return e.code == ERR_NOT_FOUND ? ERR(ERR_CORRUPT, "no folder receives") : e;
    found.class = arena_slice(in, found.class);
    *out = found;
    return OK;
}

struct merge {
    struct store_receive_folder *all;
    size_t n;
    size_t next; /* of those at first */
    uint64_t created;
};

static void add_first(struct merge *m)
{
    m->all[m->n++] =
        (struct store_receive_folder){at_first[m->next].class, at_first[m->next].fid, m->created};
    m->next++;
}

/* One row, after those at first that come before it. */
static void merge_row(struct merge *m, struct engine_read *rd, struct slice key,
                      const struct store_receive_folder *row, struct arena *in)
{
    while (m->next < AT_FIRST) {
        struct key first = key_receive(at_first[m->next].class);

        if (slice_order(key_slice(&first), key) >= 0)
            break;
        add_first(m);
    }
    bool of_first = m->next < AT_FIRST && slice_ieq(row->class, at_first[m->next].class);

    if (row->fid == 0) {
        m->next += of_first;
    } else if (is_there(rd, row->fid)) {
        m->next += of_first;
        m->all[m->n] = *row;
        m->all[m->n++].class = arena_slice(in, row->class);
    }
}

struct err store_receive_folders(struct store_read *rd, struct arena *in,
                                 struct store_receive_folder **out, size_t *n)
{
    struct key from = key_kind(KEY_RECEIVE);
    struct store_receive_folder row;
    const struct mailbox_rec *rec;
    struct slice key, value;
    struct merge m = {.all = arena_array(in, STORE_RECEIVE_MAX + AT_FIRST, sizeof *m.all)};
    struct err e = read_mailbox_rec(rd, &rec);

    if (failed(e))
        return e;
    m.created = rec->created;
    struct engine_cursor *cursor = engine_cursor_open(rd->engine);

    e = engine_seek(cursor, key_slice(&from), &key, &value);
    for (size_t rows = 0; !failed(e) && key_is_kind(key, KEY_RECEIVE) && rows < STORE_RECEIVE_MAX;
         rows++) {
        e = receive_decode(value, &row);
        if (failed(e))
            break;
        merge_row(&m, rd->engine, key, &row, in);
        e = engine_next(cursor, &key, &value);
    }
    engine_cursor_close(cursor);
    if (failed(e) && e.code != ERR_NOT_FOUND)
        return e;
    while (m.next < AT_FIRST)
        add_first(&m);
    *out = m.all;
    *n = m.n;
    return OK;
}

/* ---- setting ---- */

static struct err put_row(struct store_tx *tx, const struct store_set_receive_folder *rq)
{
    struct key key = key_receive(rq->class);
    struct slice old;
    uint8_t bytes[ROW_HEAD + CLASS_MAX_BYTES];

    put_le64(bytes + 4, rq->fid);
    put_le64(bytes + 12, tx->now);
    if (rq->class.len)
        memcpy(bytes + ROW_HEAD, rq->class.ptr, rq->class.len);
    put_le32(bytes, crc32c(0, slice_of(bytes + 4, ROW_HEAD - 4 + rq->class.len)));
    struct err e = tx_get(tx, &key, &old);

    if (failed(e) && e.code != ERR_NOT_FOUND)
        return e;
    if (failed(e) && tx->rec.receive >= STORE_RECEIVE_MAX)
        return ERR(ERR_LIMIT, "too many receive folders");
    tx->rec.receive += failed(e);
    tx_take(tx, 1);
    return tx_put(tx, &key, slice_of(bytes, ROW_HEAD + rq->class.len));
}

static struct err set_step(struct store_tx *tx, struct store_op *op)
{
    struct store_set_receive_folder *rq = container_of(op, struct store_set_receive_folder, op);

    if (!store_receive_class_valid(rq->class) || (rq->class.len == 0 && rq->fid == 0))
        return ERR(ERR_INVALID, "not a class");
    if (slice_ieq(rq->class, S("IPM")) || slice_ieq(rq->class, S("REPORT.IPM")))
        return ERR(ERR_DENIED, "this class is the Inbox's for ever");
    if (rq->fid != 0 && !is_there(tx->read, rq->fid))
        return ERR(ERR_NOT_FOUND, "there is no such folder");
    return put_row(tx, rq);
}

void store_set_receive_folder_init(struct store_set_receive_folder *rq)
{
    *rq = (struct store_set_receive_folder){.op = {.step = set_step}};
}
