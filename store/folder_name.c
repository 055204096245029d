/*
 * folder_name.c - names of folders as MAPI has them, and looking among siblings by them.
 *
 * `/` is IMAP's separator. In names it is kept as U+2215, DIVISION SLASH, which looks the same and
 * is no separator anywhere.
 */
#include <unicode/ucasemap.h>

#include "store/folder_int.h"

#define SLASH "\xE2\x88\x95"

/* A name as MAPI shows it: in the arena, or the name itself. */
static struct slice folder_name_shown(struct slice name, struct arena *in)
{
    struct buf out = buf_make(name.len + 1);

    if (slice_is_ascii(name))
        return name;
    while (name.len > 0) {
        bool slash = slice_starts(name, S(SLASH));

        buf_putc(&out, slash ? '/' : name.ptr[0]);
        name = slice_from(name, slash ? 3 : 1);
    }
    struct slice shown = arena_slice(in, buf_slice(&out));
    buf_done(&out);
    return shown;
}

struct slice store_folder_display_name(const struct store_folder *folder, struct arena *in)
{
    /* The one name that IMAP writes in its own way. */
    return folder->special == SPECIAL_INBOX ? S("Inbox") : folder_name_shown(folder->name, in);
}

struct err folder_name_take(struct slice shown, struct arena *in, struct slice *out)
{
    struct buf name = buf_make(3 * shown.len + 1);
    struct folder_path path;

    for (size_t i = 0; i < shown.len; i++)
        if (shown.ptr[i] == '/')
            buf_puts(&name, SLASH);
        else
            buf_putc(&name, shown.ptr[i]);
    struct err e = store_folder_name_check(buf_slice(&name));

    if (!failed(e))
        e = text_nfc(arena_slice(in, buf_slice(&name)), in, out);
    if (!failed(e)) /* NFC may have made it longer */
        e = folder_path_parse(*out, in, &path);
    buf_done(&name);
    return failed(e) ? ERR(ERR_INVALID, "not a name of a folder") : OK;
}

/* ---- without regard to case ---- */

struct folding {
    UCaseMap *map;
    char want[4 * NAME_MAX_BYTES]; /* no folding makes UTF-8 more than three times as long */
    int32_t len;
};

static int32_t fold(const UCaseMap *map, struct slice name, char *out)
{
    UErrorCode status = U_ZERO_ERROR;
    int32_t len = ucasemap_utf8FoldCase(map, out, 4 * NAME_MAX_BYTES, (const char *)name.ptr,
                                        (int32_t)name.len, &status);

    return U_FAILURE(status) ? -1 : len;
}

static bool is_same(const struct folding *f, struct slice name)
{
    char folded[4 * NAME_MAX_BYTES];
    int32_t len = fold(f->map, name, folded);

    return len >= 0 && len == f->len && memcmp(folded, f->want, (size_t)len) == 0;
}

static struct err scan(struct engine_read *rd, uint64_t parent, const struct folding *f,
                       uint64_t *fid)
{
    struct engine_cursor *cursor = engine_cursor_open(rd);
    struct key from = key_id(KEY_FOLDER_NAME, parent);
    struct slice key, value;
    struct err e = engine_seek(cursor, key_slice(&from), &key, &value);

    while (!failed(e) && key_is_name(key, parent) && !is_same(f, slice_from(key, 9)))
        e = engine_next(cursor, &key, &value);
    if (!failed(e))
        e = key_is_name(key, parent) ? u64_value_decode(value, fid)
                                     : ERR(ERR_NOT_FOUND, "no folder of this name");
    engine_cursor_close(cursor);
    return e;
}

struct err folder_sibling(struct engine_read *rd, uint64_t parent, struct slice name, uint64_t *fid)
{
    UErrorCode status = U_ZERO_ERROR;
    struct folding f;
    struct err e = folder_child(rd, parent, name, fid);

    if (e.code != ERR_NOT_FOUND)
        return e;
    f.map = ucasemap_open("", U_FOLD_CASE_DEFAULT, &status);
    if (U_FAILURE(status))
        return ERR(ERR_UNAVAILABLE, "no folding of case");
    f.len = fold(f.map, name, f.want);
    e = scan(rd, parent, &f, fid);
    ucasemap_close(f.map);
    return e;
}
