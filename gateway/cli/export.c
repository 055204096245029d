/*
 * export.c - gatepost export USER DIR: a mailbox as Maildirs, one for each folder.
 *
 * A folder's path is a path of directories below DIR. A level that a Maildir would take for its
 * own, or that begins with a dot, has its first byte written as %XX, and so has every %. Import
 * reads all of it back, flags, keywords (up to 26 of a folder), dates and the Inbox's UIDLs too;
 * Dovecot also takes UIDs and UIDVALIDITY from dovecot-uidlist.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "gateway/cli/cli.h"
#include "store/account.h"
#include "store/store.h"

enum { LETTERS = 26, SNAPSHOT_MESSAGES = 256 };

struct export
{
    const struct cli *cli;
    struct mailbox *mailbox;
    uint64_t folders, messages;
};

/* A folder that is being written. */
struct maildir {
    struct buf path; /* ends in NUL */
    struct arena arena;
    struct slice letters[LETTERS]; /* keywords by their letter */
    size_t n_letters;
    bool is_inbox;
    uint64_t fid;
    struct buf uidlist; /* what will be dovecot-uidlist */
};

/* ---- names ---- */

static bool needs_escape(struct slice level)
{
    return level.ptr[0] == '.' || slice_eq(level, S("cur")) || slice_eq(level, S("new")) ||
           slice_eq(level, S("tmp"));
}

static void put_directory(struct buf *out, const char *top, struct slice path)
{
    buf_puts(out, top);
    while (path.len) {
        struct slice level = slice_cut(&path, '/');

        buf_putc(out, '/');
        for (size_t i = 0; i < level.len; i++)
            if (level.ptr[i] == '%' || (i == 0 && needs_escape(level)))
                buf_printf(out, "%%%02X", level.ptr[i]);
            else
                buf_putc(out, level.ptr[i]);
    }
    buf_putc(out, 0);
}

static bool make_directories(const struct cli *cli, const char *path)
{
    struct buf part = buf_make(16384);
    bool good = true;

    for (const char *c = path; good; c++) {
        if ((*c == '/' && c != path) || *c == '\0') {
            buf_clear(&part);
            buf_put(&part, slice_of(path, (size_t)(c - path)));
            buf_putc(&part, 0);
            if (mkdir((const char *)part.data, 0700) != 0 && errno != EEXIST) {
                cli_fail(cli, "%s: %s", (const char *)part.data, strerror(errno));
                good = false;
            }
        }
        if (*c == '\0')
            break;
    }
    buf_done(&part);
    return good;
}

static bool make_maildir(const struct cli *cli, const char *path)
{
    static const char *const parts[] = {"/cur", "/new", "/tmp"};
    bool good = true;

    for (size_t i = 0; i < 3 && good; i++) {
        struct buf part = buf_make(16384);

        buf_puts(&part, path);
        buf_puts(&part, parts[i]);
        buf_putc(&part, 0);
        good = make_directories(cli, (const char *)part.data);
        buf_done(&part);
    }
    return good;
}

/* The letter of a keyword in this folder; 0 where the letters have run out. */
static char letter_of(struct maildir *dir, struct slice keyword)
{
    if (slice_ieq(keyword, S("$Forwarded")))
        return 'P';
    for (size_t i = 0; i < dir->n_letters; i++)
        if (slice_eq(dir->letters[i], keyword))
            return (char)('a' + i);
    if (dir->n_letters == LETTERS)
        return 0;
    dir->letters[dir->n_letters] = arena_slice(&dir->arena, keyword);
    return (char)('a' + dir->n_letters++);
}

/* Letters in the order that Maildir wants: ASCII. */
static void put_flags(struct maildir *dir, uint16_t flags, const struct keyword_set *set,
                      struct buf *out)
{
    bool has['z' + 1] = {
        ['D'] = flags & FLAG_DRAFT, ['F'] = flags & FLAG_FLAGGED, ['R'] = flags & FLAG_ANSWERED,
        ['S'] = flags & FLAG_SEEN,  ['T'] = flags & FLAG_DELETED,
    };

    for (uint32_t i = 0; set && i < set->n; i++)
        has[(unsigned char)letter_of(dir, set->names[i])] = true;
    for (int c = 'A'; c <= 'z'; c++)
        if (has[c])
            buf_putc(out, (uint8_t)c);
}

/* ---- messages ---- */

static struct err write_message(struct store_read *rd, const struct message_row *row, int fd)
{
    for (uint64_t at = 0; at < row->size;) {
        struct slice piece;
        struct err e = store_message_piece(rd, row, at, UINT64_MAX, &piece);

        if (failed(e))
            return e;
        if (file_write(fd, piece) != 0)
            return ERR(ERR_IO, "the message could not be written");
        at += piece.len;
    }
    int64_t seconds = filetime_to_unix(row->internaldate);
    struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    return futimens(fd, times) == 0 && fsync(fd) == 0
               ? OK
               : ERR(ERR_IO, "the message could not be written");
}

/* A line of dovecot-uidlist; `file` is the name without flags. */
static struct err put_uid(struct maildir *dir, struct store_read *rd, const struct message_row *row,
                          struct slice file)
{
    struct err e = OK;

    buf_printf(&dir->uidlist, "%u ", row->uid);
    if (dir->is_inbox) {
        buf_putc(&dir->uidlist, 'P');
        e = store_uidl(rd, dir->fid, row, &dir->uidlist);
        buf_putc(&dir->uidlist, ' ');
    }
    buf_printf(&dir->uidlist, ":%.*s\n", SLICE_ARG(file));
    return e;
}

/* Written under tmp/, renamed when it is whole: an export that breaks off leaves no half mail. */
static struct err export_message(struct maildir *dir, struct store_read *rd,
                                 const struct message_row *row)
{
    const struct keyword_set *set = NULL;
    struct buf name = buf_make(256), from = buf_make(16384), to = buf_make(16384);
    struct err e = row->keyword_set ? store_keywords(rd, row->keyword_set, &set) : OK;

    buf_printf(&name, "%lld.M%llu.gatepost,S=%u", (long long)filetime_to_unix(row->internaldate),
               (unsigned long long)row->mid, row->size);
    if (!failed(e))
        e = put_uid(dir, rd, row, buf_slice(&name));
    buf_puts(&name, ":2,");
    put_flags(dir, row->flags, set, &name);
    buf_printf(&from, "%s/tmp/%.*s", (const char *)dir->path.data, SLICE_ARG(buf_slice(&name)));
    buf_printf(&to, "%s/cur/%.*s", (const char *)dir->path.data, SLICE_ARG(buf_slice(&name)));
    buf_putc(&from, 0);
    buf_putc(&to, 0);
    int fd = failed(e)
                 ? -1
                 : open((const char *)from.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (!failed(e) && fd < 0)
        e = ERR(ERR_IO, "a file cannot be made");
    if (fd >= 0) {
        e = write_message(rd, row, fd);
        close(fd);
        if (!failed(e) && rename((const char *)from.data, (const char *)to.data) != 0)
            e = ERR(ERR_IO, "a file cannot be renamed");
    }
    buf_done(&name);
    buf_done(&from);
    buf_done(&to);
    return e;
}

/* Some messages of one snapshot; ERR_NOT_FOUND when that was all. */
static struct err export_some(struct export *ex, struct maildir *dir, uint32_t *from)
{
    struct store_read *rd;
    const struct message_row *row;
    struct err e = store_read_begin(ex->mailbox, &rd);

    if (failed(e))
        return e;
    struct store_rows *rows = store_rows_open(rd, dir->fid, *from);
    for (unsigned n = 0; n < SNAPSHOT_MESSAGES && !failed(e); n++) {
        e = store_rows_next(rows, &row);
        if (!failed(e)) {
            *from = row->uid + 1;
            e = export_message(dir, rd, row);
            ex->messages += !failed(e);
        }
    }
    store_rows_close(rows);
    store_read_end(rd);
    return e;
}

/* A file beside cur/ and new/; NULL: it cannot be made. */
static FILE *create_beside(const struct maildir *dir, const char *name)
{
    struct buf path = buf_make(16384);

    buf_printf(&path, "%s/%s", (const char *)dir->path.data, name);
    buf_putc(&path, 0);
    FILE *file = fopen((const char *)path.data, "we");
    buf_done(&path);
    return file;
}

static struct err write_uidlist(const struct maildir *dir, const struct store_folder *folder)
{
    struct slice lines = buf_slice(&dir->uidlist);
    FILE *file = create_beside(dir, "dovecot-uidlist");

    if (!file)
        return ERR(ERR_IO, "the UIDs could not be written");
    fprintf(file, "3 V%u N%u\n", folder->uidvalidity, folder->uidnext);
    bool whole = lines.len == 0 || fwrite(lines.ptr, lines.len, 1, file) == 1;
    return fclose(file) == 0 && whole ? OK : ERR(ERR_IO, "the UIDs could not be written");
}

static struct err write_keywords(const struct maildir *dir)
{
    if (dir->n_letters == 0)
        return OK;
    FILE *file = create_beside(dir, "dovecot-keywords");
    for (size_t i = 0; file && i < dir->n_letters; i++)
        fprintf(file, "%zu %.*s\n", i, SLICE_ARG(dir->letters[i]));
    return file && fclose(file) == 0 ? OK : ERR(ERR_IO, "the keywords could not be written");
}

static bool export_folder(struct export *ex, const struct store_folder_entry *folder)
{
    const struct cli *cli = ex->cli;
    struct maildir dir = {
        .path = buf_make(16384),
        .arena = ARENA_INIT,
        .is_inbox = slice_ieq(folder->path, S("INBOX")),
        .fid = folder->folder.fid,
        .uidlist = buf_make(SIZE_MAX / 2),
    };
    uint32_t from = 1;
    struct err e = OK;

    put_directory(&dir.path, cli->operands[1], folder->path);
    bool good = !dir.path.failed && make_maildir(cli, (const char *)dir.path.data);
    while (good && !failed(e))
        e = export_some(ex, &dir, &from);
    if (good && e.code == ERR_NOT_FOUND)
        e = write_keywords(&dir);
    if (good && !failed(e))
        e = write_uidlist(&dir, &folder->folder);
    if (good && failed(e)) {
        cli_fail_err(cli, (const char *)dir.path.data, e);
        good = false;
    }
    ex->folders += good;
    buf_done(&dir.path);
    buf_done(&dir.uidlist);
    arena_done(&dir.arena);
    return good;
}

static struct err list_folders(struct mailbox *mb, struct arena *arena,
                               struct store_folder_entry **list, size_t *n)
{
    struct store_read *rd;
    struct err e = store_read_begin(mb, &rd);

    if (failed(e))
        return e;
    e = store_folder_list(rd, false, arena, list, n);
    store_read_end(rd);
    return e;
}

static int export_mailbox(struct export *ex, struct arena *arena)
{
    struct store_folder_entry *list;
    size_t n;
    struct err e = list_folders(ex->mailbox, arena, &list, &n);

    if (failed(e))
        return cli_fail_err(ex->cli, "folders", e);
    for (size_t i = 0; i < n; i++)
        if (!list[i].folder.noselect && !export_folder(ex, &list[i]))
            return CLI_FAILED;
    if (ex->cli->json)
        printf("{\"folders\":%llu,\"messages\":%llu}\n", (unsigned long long)ex->folders,
               (unsigned long long)ex->messages);
    else
        printf("%llu folders, %llu messages\n", (unsigned long long)ex->folders,
               (unsigned long long)ex->messages);
    return CLI_OK;
}

int cli_export(struct cli *cli)
{
    struct arena arena = ARENA_INIT;
    struct cli_world world;
    struct account account;
    struct export ex = {.cli = cli};
    int status = CLI_FAILED;

    if (!cli_open(cli, &world))
        return CLI_FAILED;
    if (cli_find_account(cli, &world, cli->operands[0], &arena, &account)) {
        struct err e = store_mailbox_open_now(world.store, account.mailbox_id, &ex.mailbox);

        status = failed(e) ? cli_fail_err(cli, cli->operands[0], e) : export_mailbox(&ex, &arena);
        if (!failed(e))
            mailbox_close(ex.mailbox);
    }
    cli_close(&world);
    arena_wipe(&arena);
    return status;
}
