#include "store/schema.h"

#include <openssl/sha.h>

#include "base/crc32c.h"
#include "base/varint.h"

/* ---- keys ---- */

struct key key_kind(enum key_kind kind)
{
    struct key key;

    key.bytes[0] = (uint8_t)kind;
    key.len = 1;
    return key;
}

struct key key_id(enum key_kind kind, uint64_t id)
{
    struct key key = key_kind(kind);

    put_be64(key.bytes + 1, id);
    key.len = 9;
    return key;
}

struct key key_uid(enum key_kind kind, uint64_t fid, uint64_t uid)
{
    struct key key = key_id(kind, uid > UINT32_MAX ? fid + 1 : fid);

    put_be32(key.bytes + 9, (uint32_t)uid);
    key.len = 13;
    return key;
}

struct key key_tombstone(uint64_t fid, uint64_t counter)
{
    struct key key = key_id(KEY_TOMBSTONE, fid);

    put_be64(key.bytes + 9, counter);
    key.len = 17;
    return key;
}

struct key key_deleted(uint64_t parent, uint64_t fid)
{
    struct key key = key_tombstone(parent, fid);

    key.bytes[0] = KEY_DELETED;
    return key;
}

struct key key_special(enum store_special special)
{
    struct key key = key_kind(KEY_SPECIAL);

    key.bytes[1] = (uint8_t)special;
    key.len = 2;
    return key;
}

static void append(struct key *key, const uint8_t *bytes, size_t len)
{
    if (len)
        memcpy(key->bytes + key->len, bytes, len);
    key->len = (uint16_t)(key->len + len);
}

struct key key_name(uint64_t parent, struct slice name)
{
    struct key key = key_id(KEY_FOLDER_NAME, parent);

    append(&key, name.ptr, name.len < NAME_MAX_BYTES ? name.len : NAME_MAX_BYTES);
    return key;
}

struct key key_keyword_name(struct slice name)
{
    struct key key = key_kind(KEY_KEYWORD_NAME);

    for (size_t i = 0; i < name.len && i < KEYWORD_MAX_BYTES; i++)
        key.bytes[key.len++] = ascii_lower(name.ptr[i]);
    return key;
}

struct key key_keyword_set(uint32_t id)
{
    struct key key = key_kind(KEY_KEYWORD_SET);

    put_be32(key.bytes + 1, id);
    key.len = 5;
    return key;
}

struct key key_keyword_hash(const uint8_t hash[32])
{
    struct key key = key_kind(KEY_KEYWORD_SET_HASH);

    append(&key, hash, 32);
    return key;
}

/* A path may be longer than a key: of a long one, its beginning and the hash of all of it. */
struct key key_subscription(struct slice path)
{
    enum { WHOLE = 400 };
    struct key key = key_kind(KEY_SUBSCRIPTION);

    append(&key, path.ptr, path.len < WHOLE ? path.len : WHOLE);
    if (path.len >= WHOLE) {
        uint8_t hash[32];

        SHA256(path.ptr, path.len, hash); /* cannot fail: one-shot, in memory */
        append(&key, hash, 32);
    }
    return key;
}

struct key key_named(uint16_t id)
{
    struct key key = key_kind(KEY_NAMED);

    key.bytes[1] = (uint8_t)(id >> 8);
    key.bytes[2] = (uint8_t)id;
    key.len = 3;
    return key;
}

struct key key_named_id(const uint8_t guid[16], uint8_t kind, struct slice rest)
{
    struct key key = key_kind(KEY_NAMED_ID);

    append(&key, guid, 16);
    append(&key, &kind, 1);
    append(&key, rest.ptr, rest.len);
    return key;
}

bool key_is_kind(struct slice key, enum key_kind kind)
{
    return key.len >= 1 && key.ptr[0] == (uint8_t)kind;
}

bool key_is_id(struct slice key, enum key_kind kind, uint64_t *id)
{
    if (key.len != 9 || !key_is_kind(key, kind))
        return false;
    *id = get_be64(key.ptr + 1);
    return true;
}

bool key_any_uid(struct slice key, enum key_kind kind, uint64_t *fid, uint32_t *uid)
{
    if (key.len != 13 || !key_is_kind(key, kind))
        return false;
    *fid = get_be64(key.ptr + 1);
    *uid = get_be32(key.ptr + 9);
    return true;
}

bool key_is_uid(struct slice key, enum key_kind kind, uint64_t fid, uint32_t *uid)
{
    uint64_t its;

    return key_any_uid(key, kind, &its, uid) && its == fid;
}

bool key_is_tombstone(struct slice key, uint64_t fid, uint64_t *counter)
{
    if (key.len != 17 || !key_is_kind(key, KEY_TOMBSTONE) || get_be64(key.ptr + 1) != fid)
        return false;
    *counter = get_be64(key.ptr + 9);
    return true;
}

bool key_is_name(struct slice key, uint64_t parent)
{
    return key.len > 9 && key_is_kind(key, KEY_FOLDER_NAME) && get_be64(key.ptr + 1) == parent;
}

bool key_is_deleted(struct slice key, uint64_t *parent, uint64_t *fid)
{
    if (key.len != 17 || !key_is_kind(key, KEY_DELETED))
        return false;
    *parent = get_be64(key.ptr + 1);
    *fid = get_be64(key.ptr + 9);
    return true;
}

bool key_is_keyword_set(struct slice key, uint32_t *id)
{
    if (key.len != 5 || !key_is_kind(key, KEY_KEYWORD_SET))
        return false;
    *id = get_be32(key.ptr + 1);
    return true;
}

/* ---- records: a checksum, then fields ---- */

static void begin(struct record *out)
{
    out->len = 4; /* of the checksum */
}

static void add(struct record *out, const void *bytes, size_t len)
{
    memcpy(out->bytes + out->len, bytes, len);
    out->len = (uint16_t)(out->len + len);
}

static void add64(struct record *out, uint64_t n)
{
    put_le64(out->bytes + out->len, n);
    out->len = (uint16_t)(out->len + 8);
}

static void add32(struct record *out, uint32_t n)
{
    put_le32(out->bytes + out->len, n);
    out->len = (uint16_t)(out->len + 4);
}

static void end(struct record *out)
{
    put_le32(out->bytes, crc32c(0, slice_from(record_slice(out), 4)));
}

/* A reader that notices the end. */
struct reader {
    struct slice left;
    bool bad;
};

static bool reader_begin(struct reader *r, struct slice bytes)
{
    if (bytes.len < 4 || get_le32(bytes.ptr) != crc32c(0, slice_from(bytes, 4)))
        return false;
    *r = (struct reader){slice_from(bytes, 4), false};
    return true;
}

static const uint8_t *take(struct reader *r, size_t n)
{
    static const uint8_t zero[256];
    const uint8_t *p = r->left.ptr;

    if (r->left.len < n || n == 0) {
        r->bad |= n > 0;
        return zero;
    }
    r->left = slice_from(r->left, n);
    return p;
}

static uint64_t take64(struct reader *r)
{
    return get_le64(take(r, 8));
}

static uint32_t take32(struct reader *r)
{
    return get_le32(take(r, 4));
}

void mailbox_rec_encode(const struct mailbox_rec *rec, struct record *out)
{
    begin(out);
    add32(out, rec->version);
    add32(out, rec->state);
    add(out, rec->replica_guid, 16);
    add(out, rec->mailbox_guid, 16);
    add64(out, rec->counter);
    add64(out, rec->created);
    add64(out, rec->quota);
    add64(out, rec->messages);
    add64(out, rec->size);
    add64(out, rec->log_entries);
    add64(out, rec->log_floor);
    add32(out, rec->last_uidvalidity);
    add32(out, rec->folders);
    add32(out, rec->doomed);
    add32(out, rec->next_keyword_set);
    add32(out, rec->keywords);
    add32(out, rec->subscriptions);
    add32(out, rec->named);
    add32(out, rec->hidden);
    add64(out, rec->deleted_messages);
    add64(out, rec->deleted_size);
    add64(out, rec->deleted_since);
    add32(out, rec->receive);
    end(out);
}

struct err mailbox_rec_decode(struct slice bytes, struct mailbox_rec *out)
{
    struct reader r;
    struct mailbox_rec rec;

    if (!reader_begin(&r, bytes))
        return ERR(ERR_CORRUPT, "mailbox record: checksum");
    rec.version = take32(&r);
    if (rec.version < SCHEMA_WITHOUT_BAGS || rec.version > SCHEMA_VERSION)
        return ERR(ERR_UNSUPPORTED, "mailbox of a format version that is not known");
    rec.state = take32(&r);
    memcpy(rec.replica_guid, take(&r, 16), 16);
    memcpy(rec.mailbox_guid, take(&r, 16), 16);
    rec.counter = take64(&r);
    rec.created = take64(&r);
    rec.quota = take64(&r);
    rec.messages = take64(&r);
    rec.size = take64(&r);
    rec.log_entries = take64(&r);
    rec.log_floor = take64(&r);
    rec.last_uidvalidity = take32(&r);
    rec.folders = take32(&r);
    rec.doomed = take32(&r);
    rec.next_keyword_set = take32(&r);
    rec.keywords = take32(&r);
    rec.subscriptions = take32(&r);
    rec.named = rec.version < SCHEMA_WITHOUT_SHADOWS ? 0 : take32(&r);
    bool shadows = rec.version > SCHEMA_WITHOUT_SHADOWS;
    rec.hidden = shadows ? take32(&r) : 0;
    rec.deleted_messages = shadows ? take64(&r) : 0;
    rec.deleted_size = shadows ? take64(&r) : 0;
    rec.deleted_since = shadows ? take64(&r) : 0;
    rec.receive = shadows ? take32(&r) : 0;
    rec.version = SCHEMA_VERSION;
    if (r.bad)
        return ERR(ERR_CORRUPT, "mailbox record: too short");
    *out = rec;
    return OK;
}

void folder_rec_encode(const struct folder_rec *rec, struct record *out)
{
    begin(out);
    add64(out, rec->fid);
    add64(out, rec->parent);
    add64(out, rec->size);
    add64(out, rec->modseq);
    add64(out, rec->flags_modseq);
    add64(out, rec->expunge_floor);
    add64(out, rec->gone_modseq);
    add64(out, rec->cn);
    add64(out, rec->created);
    add32(out, rec->uidvalidity);
    add32(out, rec->uidnext);
    add32(out, rec->exists);
    add32(out, rec->unseen);
    add32(out, rec->deleted);
    add32(out, rec->recent_from);
    add32(out, rec->children);
    add(out, &rec->flags, 2);
    add(out, &rec->special, 2);
    add(out, &rec->name_len, 1);
    add(out, &rec->class_len, 1);
    add(out, rec->name, rec->name_len);
    add(out, rec->class, rec->class_len);
    add64(out, rec->changed);
    add64(out, rec->contents_changed);
    add32(out, rec->removed);
    add64(out, rec->shadows[SHADOW_ASSOCIATED]);
    add64(out, rec->shadows[SHADOW_DELETED]);
    add64(out, rec->deleted_on);
    add(out, &rec->shadow, 1);
    add32(out, rec->hierarchy);
    end(out);
}

/* What version 2 of the mailbox had not. */
static void take_shadows(struct reader *r, struct folder_rec *out)
{
    bool old = r->left.len == 0;

    out->shadows[SHADOW_NONE] = 0;
    out->shadows[SHADOW_ASSOCIATED] = old ? 0 : take64(r);
    out->shadows[SHADOW_DELETED] = old ? 0 : take64(r);
    out->deleted_on = old ? 0 : take64(r);
    out->shadow = old ? SHADOW_NONE : *take(r, 1);
    out->hierarchy = old ? 0 : take32(r);
}

struct err folder_rec_decode(struct slice bytes, uint64_t fid, struct folder_rec *out)
{
    struct reader r;

    if (!reader_begin(&r, bytes))
        return ERR(ERR_CORRUPT, "folder record: checksum");
    if (bytes.len < FOLDER_REC_TEXTS || get_le64(r.left.ptr) != fid)
        return ERR(ERR_CORRUPT, "folder record: not of this folder");
    out->fid = take64(&r);
    out->parent = take64(&r);
    out->size = take64(&r);
    out->modseq = take64(&r);
    out->flags_modseq = take64(&r);
    out->expunge_floor = take64(&r);
    out->gone_modseq = take64(&r);
    out->cn = take64(&r);
    out->created = take64(&r);
    out->uidvalidity = take32(&r);
    out->uidnext = take32(&r);
    out->exists = take32(&r);
    out->unseen = take32(&r);
    out->deleted = take32(&r);
    out->recent_from = take32(&r);
    out->children = take32(&r);
    out->flags = get_le16(take(&r, 2));
    out->special = get_le16(take(&r, 2));
    out->name_len = *take(&r, 1);
    out->class_len = *take(&r, 1);
    memcpy(out->name, take(&r, out->name_len), out->name_len);
    memcpy(out->class, take(&r, out->class_len), out->class_len);
    bool old = r.left.len == 0; /* version 1 of the mailbox had no more */
    out->changed = old ? out->created : take64(&r);
    out->contents_changed = old ? out->created : take64(&r);
    out->removed = old ? 0 : take32(&r);
    take_shadows(&r, out);
    if (r.bad || out->special >= SPECIAL_COUNT || out->shadow >= SHADOW_COUNT)
        return ERR(ERR_CORRUPT, "folder record: too short");
    return OK;
}

struct slice folder_rec_name(const struct folder_rec *rec)
{
    return slice_of(rec->name, rec->name_len);
}

/* In the byte of the kind: the entry tells more than its UIDs. */
enum { LOG_HEAD = 4 + 17, LOG_TELLS_MORE = 0x80 };

void log_rec_encode(const struct log_rec *rec, struct buf *out)
{
    uint8_t head[LOG_HEAD] = {0};
    size_t at = out->len;

    head[4] = (uint8_t)(rec->kind | LOG_TELLS_MORE);
    put_le64(head + 5, rec->fid);
    put_le64(head + 13, rec->first);
    buf_put(out, slice_of(head, sizeof head));
    buf_putc(out, (uint8_t)rec->cause);
    varint_put(out, rec->parent);
    varint_put(out, rec->old_fid);
    varint_put(out, rec->old_parent);
    varint_put_slice(out, rec->uids);
    varint_put_slice(out, rec->mids);
    buf_put(out, rec->old_mids);
    if (!out->failed)
        put_le32(out->data + out->head + at, crc32c(0, slice_from(buf_slice(out), at + 4)));
}

static struct err take_more(struct slice in, struct log_rec *out)
{
    if (in.len == 0)
        return ERR(ERR_CORRUPT, "change log entry: too short");
    out->cause = (enum store_cause)in.ptr[0];
    in = slice_from(in, 1);
    if (!varint_take(&in, &out->parent) || !varint_take(&in, &out->old_fid) ||
        !varint_take(&in, &out->old_parent) || !varint_take_slice(&in, &out->uids) ||
        !varint_take_slice(&in, &out->mids))
        return ERR(ERR_CORRUPT, "change log entry: malformed");
    out->old_mids = in;
    return OK;
}

struct err log_rec_decode(struct slice bytes, struct log_rec *out)
{
    if (bytes.len < LOG_HEAD)
        return ERR(ERR_CORRUPT, "change log entry: too short");
    if (get_le32(bytes.ptr) != crc32c(0, slice_from(bytes, 4)))
        return ERR(ERR_CORRUPT, "change log entry: checksum");
    *out = (struct log_rec){
        .kind = (enum log_kind_of_change)(bytes.ptr[4] & ~LOG_TELLS_MORE),
        .fid = get_le64(bytes.ptr + 5),
        .first = get_le64(bytes.ptr + 13),
        .uids = slice_from(bytes, LOG_HEAD),
    };
    return bytes.ptr[4] & LOG_TELLS_MORE ? take_more(out->uids, out) : OK;
}

/* ---- small values ---- */

void mid_value_encode(uint64_t fid, uint32_t uid, struct record *out)
{
    out->len = 0;
    add64(out, fid);
    add32(out, uid);
}

struct err mid_value_decode(struct slice bytes, uint64_t *fid, uint32_t *uid)
{
    if (bytes.len != 12)
        return ERR(ERR_CORRUPT, "place of a message: wrong length");
    *fid = get_le64(bytes.ptr);
    *uid = get_le32(bytes.ptr + 8);
    return OK;
}

void u64_value_encode(uint64_t n, struct record *out)
{
    out->len = 0;
    add64(out, n);
}

struct err u64_value_decode(struct slice bytes, uint64_t *n)
{
    if (bytes.len != 8)
        return ERR(ERR_CORRUPT, "number: wrong length");
    *n = get_le64(bytes.ptr);
    return OK;
}

void u32_value_encode(uint32_t n, struct record *out)
{
    out->len = 0;
    add32(out, n);
}

struct err u32_value_decode(struct slice bytes, uint32_t *n)
{
    if (bytes.len != 4)
        return ERR(ERR_CORRUPT, "number: wrong length");
    *n = get_le32(bytes.ptr);
    return OK;
}
