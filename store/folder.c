/*
 * folder.c - folders: their records, names and paths, and reading them.
 */
#include "store/folder_int.h"

#include <stdlib.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

/* Deeper than any tree: moving a folder may make paths deeper than a client can name. */
enum { PATH_RING = 1000 * 1000 };

/* ---- names ---- */

static struct err nfc_utf16(struct slice text, struct arena *in, struct slice *out)
{
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2 *nfc = unorm2_getNFCInstance(&status);
    int32_t len = 0, room = (int32_t)text.len + 1;
    UChar *wide = arena_array(in, (size_t)room, sizeof *wide);

    u_strFromUTF8(wide, room, &len, (const char *)text.ptr, (int32_t)text.len, &status);
    if (U_FAILURE(status))
        return ERR(ERR_INVALID, "not UTF-8");
    /* NFC makes no text longer than three times its UTF-16 form (UAX 15). */
    room = 3 * len + 1;
    UChar *normal = arena_array(in, (size_t)room, sizeof *normal);

    len = unorm2_normalize(nfc, wide, len, normal, room, &status);
    char *bytes = arena_alloc(in, 3 * (size_t)len + 1);
    int32_t n = 0;

    u_strToUTF8(bytes, 3 * len + 1, &n, normal, len, &status);
    if (U_FAILURE(status))
        return ERR(ERR_INVALID, "cannot be normalised");
    *out = slice_of(bytes, (size_t)n);
    return OK;
}

struct err text_nfc(struct slice text, struct arena *in, struct slice *out)
{
    if (slice_is_ascii(text)) {
        *out = text;
        return OK;
    }
    if (text.len > PATH_MAX_BYTES || !slice_is_utf8(text))
        return ERR(ERR_INVALID, "not UTF-8, or too long");
    return nfc_utf16(text, in, out);
}

static size_t count_levels(struct slice path)
{
    size_t n = 1;

    for (size_t i = 0; i < path.len; i++)
        n += path.ptr[i] == '/';
    return n;
}

struct err folder_path_parse(struct slice path, struct arena *in, struct folder_path *out)
{
    struct slice left;

    if (path.len == 0)
        return ERR(ERR_INVALID, "empty path");
    if (path.len > PATH_MAX_BYTES)
        return ERR(ERR_TOO_BIG, "path too long");
    struct err e = text_nfc(path, in, &left);
    if (failed(e))
        return e;
    size_t n = count_levels(left), i = 0;
    if (n > PATH_MAX_LEVELS)
        return ERR(ERR_TOO_BIG, "path with too many levels");
    out->levels = arena_array(in, n, sizeof *out->levels);
    out->n = n;
    for (; i < n; i++) {
        struct slice level = slice_cut(&left, '/');

        if (level.len == 0)
            return ERR(ERR_INVALID, "empty level in a path");
        if (level.len > NAME_MAX_BYTES)
            return ERR(ERR_TOO_BIG, "level of a path too long");
        out->levels[i] = level;
    }
    if (slice_ieq(out->levels[0], S("INBOX")))
        out->levels[0] = S("INBOX");
    return OK;
}

struct slice folder_path_join(const struct folder_path *path, struct arena *in)
{
    size_t len = path->n - 1, at = 0;

    for (size_t i = 0; i < path->n; i++)
        len += path->levels[i].len;
    char *bytes = arena_alloc(in, len + 1);

    for (size_t i = 0; i < path->n; i++) {
        if (i)
            bytes[at++] = '/';
        memcpy(bytes + at, path->levels[i].ptr, path->levels[i].len);
        at += path->levels[i].len;
    }
    return slice_of(bytes, len);
}

struct err store_folder_name_check(struct slice path)
{
    struct arena arena = ARENA_INIT;
    struct folder_path parsed;
    struct err e = folder_path_parse(path, &arena, &parsed);

    for (size_t i = 0; i < path.len && !failed(e); i++)
        if (path.ptr[i] < 0x20 || path.ptr[i] == 0x7F)
            e = ERR(ERR_INVALID, "control character in a name");
    arena_done(&arena);
    return e;
}

/* ---- records ---- */

struct err folder_load(struct engine_read *rd, uint64_t fid, struct folder_rec *out)
{
    struct key key = key_id(KEY_FOLDER, fid);
    struct slice value;
    struct err e = engine_get(rd, key_slice(&key), &value);

    if (failed(e))
        return e.code == ERR_NOT_FOUND ? ERR(ERR_NOT_FOUND, "there is no such folder") : e;
    return folder_rec_decode(value, fid, out);
}

struct err folder_child(struct engine_read *rd, uint64_t parent, struct slice name, uint64_t *fid)
{
    struct key key = key_name(parent, name);
    struct slice value;

    if (name.len > NAME_MAX_BYTES)
        return ERR(ERR_NOT_FOUND, "no folder has a name this long");
    struct err e = engine_get(rd, key_slice(&key), &value);
    return failed(e) ? e : u64_value_decode(value, fid);
}

static struct err special_fid(struct engine_read *rd, enum store_special special, uint64_t *fid)
{
    struct key key = key_special(special);
    struct slice value;
    struct err e = engine_get(rd, key_slice(&key), &value);

    return failed(e) ? e : u64_value_decode(value, fid);
}

struct err folder_special_load(struct engine_read *rd, enum store_special special,
                               struct folder_rec *out)
{
    uint64_t fid;
    struct err e = special_fid(rd, special, &fid);

    return failed(e) ? e : folder_load(rd, fid, out);
}

struct err folder_walk(struct engine_read *rd, const struct folder_path *path,
                       struct folder_rec *out, size_t *found)
{
    struct err e = folder_special_load(rd, SPECIAL_IPM_SUBTREE, out);

    *found = 0;
    for (size_t i = 0; i < path->n && !failed(e); i++) {
        uint64_t fid;

        e = folder_child(rd, out->fid, path->levels[i], &fid);
        if (e.code == ERR_NOT_FOUND)
            return OK;
        if (!failed(e))
            e = folder_load(rd, fid, out);
        if (e.code == ERR_NOT_FOUND)
            e = ERR(ERR_CORRUPT, "a name without its folder");
        *found = i + 1;
    }
    return e;
}

/* ---- what the header promises ---- */

/* IMAP sees mail folders; the Outbox is MAPI's own affair. */
static bool is_visible(const struct folder_rec *rec)
{
    struct slice class = slice_of(rec->class, rec->class_len);

    return (rec->flags & FOLDER_IPM) && !(rec->flags & FOLDER_SEARCH) &&
           rec->special != SPECIAL_OUTBOX &&
           (slice_ieq(class, S("IPF.Note")) || slice_istarts(class, S("IPF.Note.")) ||
            slice_ieq(class, S("IPF.Imap")));
}

/* All but `subscribed`. The names are lent by the value that `rec` was decoded from. */
static void fill(const struct folder_rec *rec, struct slice value, struct store_folder *out)
{
    *out = (struct store_folder){
        .fid = rec->fid,
        .parent = rec->parent,
        .shadow = (enum store_shadow)rec->shadow,
        .soft_deleted = rec->flags & FOLDER_DELETED,
        .search = rec->flags & FOLDER_SEARCH,
        .deleted_on = rec->deleted_on,
        .name = slice_sub(value, FOLDER_REC_TEXTS, rec->name_len),
        .class = slice_sub(value, FOLDER_REC_TEXTS + rec->name_len, rec->class_len),
        .special = (enum store_special)rec->special,
        .noselect = rec->flags & FOLDER_NOSELECT,
        .visible = is_visible(rec),
        .has_children = rec->children > 0,
        .uidvalidity = rec->uidvalidity,
        .uidnext = rec->uidnext,
        .exists = rec->exists,
        .unseen = rec->unseen,
        .deleted = rec->deleted,
        .recent_from = rec->recent_from,
        .size = rec->size,
        .modseq = rec->modseq,
        .flags_modseq = rec->flags_modseq,
        .expunge_floor = rec->expunge_floor,
        .cn = rec->cn,
        .created = rec->created,
    };
}

static struct err is_subscribed(struct engine_read *rd, struct slice path, bool *out)
{
    struct key key = key_subscription(path);
    struct slice value;
    struct err e = engine_get(rd, key_slice(&key), &value);

    *out = !failed(e);
    return e.code == ERR_NOT_FOUND ? OK : e;
}

struct err folder_decode(struct slice value, uint64_t fid, struct store_folder *out)
{
    struct folder_rec rec;
    struct err e = folder_rec_decode(value, fid, &rec);

    if (!failed(e))
        fill(&rec, value, out);
    return e;
}

static struct err load_lent(struct store_read *rd, uint64_t fid, struct store_folder *out)
{
    struct key key = key_id(KEY_FOLDER, fid);
    struct slice value;
    struct err e = engine_get(rd->engine, key_slice(&key), &value);

    if (failed(e))
        return e.code == ERR_NOT_FOUND ? ERR(ERR_NOT_FOUND, "there is no such folder") : e;
    return folder_decode(value, fid, out);
}

struct err store_folder_path(struct store_read *rd, uint64_t fid, struct buf *out)
{
    struct store_folder folder;
    struct slice few[16], *levels = few;
    size_t n = 0, room = 16;
    struct arena arena = ARENA_INIT;
    struct err e = OK;

    for (; fid != SPECIAL_IPM_SUBTREE && fid != SPECIAL_ROOT; fid = folder.parent) {
        e = n < PATH_RING ? load_lent(rd, fid, &folder) : ERR(ERR_CORRUPT, "folders form a ring");
        if (failed(e))
            break;
        if (n == room) {
            levels = arena_grow(&arena, levels, n, n, sizeof *levels);
            room = 2 * n;
        }
        levels[n++] = folder.name;
    }
    for (size_t i = failed(e) ? 0 : n; i-- > 0;) {
        buf_put(out, levels[i]);
        if (i)
            buf_putc(out, '/');
    }
    arena_done(&arena);
    if (failed(e))
        return e;
    return out->failed ? ERR(ERR_TOO_BIG, "path does not fit") : OK;
}

static struct err fill_subscribed(struct store_read *rd, struct store_folder *folder)
{
    struct buf path = buf_make(SIZE_MAX);
    const struct mailbox_rec *rec;
    struct err e = read_mailbox_rec(rd, &rec);

    if (failed(e) || rec->subscriptions == 0 || folder->shadow != SHADOW_NONE)
        return e;
    e = store_folder_path(rd, folder->fid, &path);
    if (!failed(e))
        e = is_subscribed(rd->engine, buf_slice(&path), &folder->subscribed);
    buf_done(&path);
    return e;
}

struct err store_folder_get(struct store_read *rd, uint64_t fid, struct store_folder *out)
{
    struct store_folder folder;
    struct err e = load_lent(rd, fid, &folder);

    if (!failed(e) && folder.soft_deleted)
        e = ERR(ERR_NOT_FOUND, "the folder is soft-deleted");
    if (!failed(e))
        e = fill_subscribed(rd, &folder);
    if (!failed(e))
        *out = folder;
    return e;
}

struct err store_folder_get_deleted(struct store_read *rd, uint64_t fid, struct store_folder *out)
{
    struct store_folder folder;
    struct err e = load_lent(rd, fid, &folder);

    if (!failed(e) && !folder.soft_deleted)
        e = ERR(ERR_NOT_FOUND, "the folder is not soft-deleted");
    if (!failed(e))
        *out = folder;
    return e;
}

struct err store_folder_find(struct store_read *rd, struct slice path, struct store_folder *out)
{
    struct arena arena = ARENA_INIT;
    struct folder_path parsed;
    struct folder_rec rec;
    struct store_folder folder;
    size_t found = 0;
    struct err e = folder_path_parse(path, &arena, &parsed);

    if (failed(e))
        e = ERR(ERR_NOT_FOUND, "no folder can have this path");
    else
        e = folder_walk(rd->engine, &parsed, &rec, &found);
    if (!failed(e) && found < parsed.n)
        e = ERR(ERR_NOT_FOUND, "there is no such folder");
    if (!failed(e))
        e = load_lent(rd, rec.fid, &folder);
    if (!failed(e))
        e = is_subscribed(rd->engine, folder_path_join(&parsed, &arena), &folder.subscribed);
    arena_done(&arena);
    if (!failed(e))
        *out = folder;
    return e;
}

struct err store_folder_special(struct store_read *rd, enum store_special special,
                                struct store_folder *out)
{
    uint64_t fid;
    struct err e = special_fid(rd->engine, special, &fid);

    if (failed(e))
        return e.code == ERR_NOT_FOUND ? ERR(ERR_NOT_FOUND, "no folder has this use") : e;
    return store_folder_get(rd, fid, out);
}

struct err store_special_fid(struct mailbox *mailbox, enum store_special special, uint64_t *fid)
{
    struct store_folder folder;
    struct store_read *rd;
    struct err e = store_read_begin(mailbox, &rd);

    if (failed(e))
        return e;
    e = store_folder_special(rd, special, &folder);
    if (!failed(e))
        *fid = folder.fid;
    store_read_end(rd);
    return e;
}

void store_mailbox_object_id(const struct mailbox_info *info, const struct store_folder *folder,
                             struct buf *out)
{
    (void)info;
    /* A FID is never used again; a level that is made selectable anew is a new mailbox. */
    buf_printf(out, "F%llx-%x", (unsigned long long)folder->fid, folder->uidvalidity);
}
