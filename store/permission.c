/*
 * permission.c - who has which rights on a folder ([MS-OXCPERM] 3.2.5).
 *
 * Value of KEY_PERMISSIONS: checksum u32 (CRC-32C of what follows), a varint count, then each
 * member as varints of its number and rights, and user and name, each behind a varint of its
 * length. The default and the anonymous member come first.
 */
#include "base/crc32c.h"
#include "base/varint.h"
#include "store/access_int.h"

enum { TEXT_MAX = 1000 };

/* ---- bytes ---- */

static bool take_member(struct slice *in, struct store_permission *out)
{
    uint64_t rights;

    if (!varint_take(in, &out->member) || !varint_take(in, &rights) || rights > UINT32_MAX ||
        !varint_take_slice(in, &out->user) || !varint_take_slice(in, &out->name))
        return false;
    out->rights = (uint32_t)rights;
    return true;
}

struct err permissions_decode(struct slice value, struct arena *in, struct store_permission **out,
                              size_t *n)
{
    static const char why[] = "the permissions of a folder are damaged";
    struct slice left = slice_from(value, 4);
    uint64_t count;

    if (value.len < 4 || get_le32(value.ptr) != crc32c(0, left) || !varint_take(&left, &count) ||
        count < 2 || count > STORE_MEMBERS_MAX)
        return (struct err){ERR_CORRUPT, why};
    struct store_permission *all = arena_array(in, (size_t)count, sizeof *all);

    for (size_t i = 0; i < count; i++)
        if (!take_member(&left, &all[i]))
            return (struct err){ERR_CORRUPT, why};
    if (left.len > 0 || all[0].member != STORE_MEMBER_DEFAULT ||
        all[1].member != STORE_MEMBER_ANONYMOUS)
        return (struct err){ERR_CORRUPT, why};
    *out = all;
    *n = (size_t)count;
    return OK;
}

static struct err save(struct store_tx *tx, uint64_t fid, const struct store_permission *all,
                       size_t n)
{
    struct key key = key_id(KEY_PERMISSIONS, fid);
    struct buf members = buf_make(ENGINE_VALUE_MAX), value = buf_make(ENGINE_VALUE_MAX);
    uint8_t sum[4];

    varint_put(&members, n);
    for (size_t i = 0; i < n; i++) {
        varint_put(&members, all[i].member);
        varint_put(&members, all[i].rights);
        varint_put_slice(&members, all[i].user);
        varint_put_slice(&members, all[i].name);
    }
    put_le32(sum, crc32c(0, buf_slice(&members)));
    buf_put(&value, slice_of(sum, sizeof sum));
    buf_put(&value, buf_slice(&members));
    struct err e = value.failed || members.failed
                       ? ERR(ERR_TOO_BIG, "too many bytes of permissions")
                       : tx_put(tx, &key, buf_slice(&value));

    buf_done(&members);
    buf_done(&value);
    return e;
}

/* ---- reading ---- */

static void begin_anew(struct store_permission *all, size_t *n)
{
    all[0] = (struct store_permission){.member = STORE_MEMBER_DEFAULT};
    all[1] = (struct store_permission){.member = STORE_MEMBER_ANONYMOUS};
    *n = 2;
}

/* Copied to the arena. */
static struct err load(struct engine_read *rd, uint64_t fid, struct arena *in,
                       struct store_permission **out, size_t *n)
{
    struct key key = key_id(KEY_PERMISSIONS, fid);
    struct slice value;
    struct err e = engine_get(rd, key_slice(&key), &value);

    if (e.code != ERR_NOT_FOUND)
        return failed(e) ? e : permissions_decode(arena_slice(in, value), in, out, n);
    *out = arena_array(in, 2, sizeof **out);
    begin_anew(*out, n);
    return OK;
}

struct err store_permissions(struct store_read *rd, uint64_t fid, struct arena *in,
                             struct store_permission **out, size_t *n)
{
    struct folder_rec rec;
    struct err e = folder_load(rd->engine, fid, &rec);

    return failed(e) ? e : load(rd->engine, fid, in, out, n);
}

/* ---- changing ---- */

struct members {
    struct store_permission *all; /* room for STORE_MEMBERS_MAX */
    size_t n;
};

static size_t find_member(const struct members *m, uint64_t member)
{
    size_t i = 0;

    while (i < m->n && m->all[i].member != member)
        i++;
    return i;
}

static struct err add(struct store_tx *tx, struct members *m, const struct store_permission *new)
{
    size_t i = 2;

    if (new->user.len == 0)
        return ERR(ERR_INVALID, "permissions of nobody");
    if (new->user.len > TEXT_MAX || new->name.len > TEXT_MAX)
        return ERR(ERR_TOO_BIG, "user or name of a permission");
    while (i < m->n && !slice_eq(m->all[i].user, new->user))
        i++;
    if (i == STORE_MEMBERS_MAX)
        return ERR(ERR_LIMIT, "too many members");
    if (i == m->n) {
        m->all[m->n++] = *new;
        m->all[i].member = tx_take(tx, 1);
    }
    m->all[i].rights = new->rights;
    return OK;
}

static struct err change(struct store_tx *tx, struct members *m,
                         const struct store_permission_change *c)
{
    size_t i = find_member(m, c->permission.member);

    if (c->how == PERMISSION_ADD)
        return add(tx, m, &c->permission);
    if (i == m->n)
        return ERR(ERR_NOT_FOUND, "there is no such member");
    if (c->how == PERMISSION_MODIFY)
        m->all[i].rights = c->permission.rights;
    else if (c->how != PERMISSION_REMOVE)
        return ERR(ERR_INVALID, "not a change of permissions");
    else if (i < 2) /* those two are always there */
        m->all[i].rights = 0;
    else
        memmove(m->all + i, m->all + i + 1, (--m->n - i) * sizeof *m->all);
    return OK;
}

static struct err change_all(struct store_tx *tx, struct store_modify_permissions *rq,
                             struct arena *in)
{
    struct members m = {.all = arena_array(in, STORE_MEMBERS_MAX, sizeof *m.all)};
    struct store_permission *old;
    struct err e = load(tx->read, rq->fid, in, &old, &m.n);

    if (failed(e))
        return e;
    memcpy(m.all, old, m.n * sizeof *old);
    if (rq->replace)
        begin_anew(m.all, &m.n);
    for (size_t i = 0; i < rq->n && !failed(e); i++)
        e = change(tx, &m, &rq->changes[i]);
    return failed(e) ? e : save(tx, rq->fid, m.all, m.n);
}

static struct err modify_step(struct store_tx *tx, struct store_op *op)
{
    struct store_modify_permissions *rq = container_of(op, struct store_modify_permissions, op);
    struct arena arena = ARENA_INIT;
    struct folder_rec rec;
    struct err e = folder_load_plain(tx, rq->fid, &rec);

    if (!failed(e))
        e = change_all(tx, rq, &arena);
    arena_done(&arena);
    if (failed(e))
        return e;
    rec.flags |= FOLDER_PERMISSIONS;
    rec.cn = tx_take(tx, 1);
    rec.changed = tx->now;
    e = folder_save(tx, &rec);
    return failed(e) ? e : log_folder_changed(tx, &rec);
}

void store_modify_permissions_init(struct store_modify_permissions *rq)
{
    *rq = (struct store_modify_permissions){.op = {.step = modify_step}};
}
