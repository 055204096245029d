#include "tests/support/damage.h"

#include <fcntl.h>
#include <unistd.h>

#include "store/store.h"
#include "tests/support/store.h"

enum { MAP_BYTES = 64 << 20, BIG = 150000 };

static char *path_in(const char *dir, const char *name)
{
    size_t len = strlen(dir) + strlen(name) + 2;
    char *path = mem_array(len, 1);

    snprintf(path, len, "%s/%s", dir, name);
    return path;
}

static void file_write(const char *dir, const char *name, const uint8_t *bytes, size_t len)
{
    char *path = path_in(dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
    free(path);
}

static uint8_t *file_read(const char *dir, const char *name, size_t *len)
{
    char *path = path_in(dir, name);
    int fd = open(path, O_RDONLY);

    assert_true(fd >= 0);
    *len = (size_t)lseek(fd, 0, SEEK_END);
    uint8_t *bytes = mem_array(*len, 1);
    assert_int_equal(pread(fd, bytes, *len, 0), *len);
    close(fd);
    free(path);
    return bytes;
}

/* ---- making it ---- */

/* Two mailboxes, folders, a big message and small ones, some gone: trees, lists, a free list. */
static void fill(struct bed *bed)
{
    const struct slice head = S("Subject: big\r\n\r\n");
    char *big = mem_array(BIG + 1, 1);

    memset(big, 'x', BIG);
    memcpy(big, head.ptr, head.len);
    for (int i = 0; i < 3; i++) {
        char path[20];

        snprintf(path, sizeof path, "Folder %d", i);
        uint64_t fid = bed_create(bed, path);
        bed_append_many(bed, fid, 100, FLAG_SEEN);
        bed_append(bed, fid, "From: a@example.org\r\nSubject: one\r\n\r\nbody\r\n", 0);
        bed_append(bed, fid, big, FLAG_FLAGGED);
        big[BIG - 1 - i] = '\n';
        bed_expunge(bed, fid, "3:40", "3:40");
    }
    bed_append_many(bed, SPECIAL_INBOX, 200, 0);
    assert_ok(bed_set_flags(bed, SPECIAL_INBOX, "1:50", FLAGS_ADD, FLAG_SEEN, "keyword"));
    free(big);
}

/* ---- reading it all ---- */

static struct err read_message(struct store_read *rd, const struct message_row *row,
                               struct buf *out)
{
    struct arena arena = ARENA_INIT;
    struct slice bytes;
    struct err e = OK;

    buf_printf(out, "%u %x %u\n", row->uid, row->flags, (unsigned)row->size);
    for (uint64_t at = 0; at < row->size && !failed(e); at += bytes.len) {
        e = store_message_bytes(rd, row, at, row->size - at, &arena, &bytes);
        if (!failed(e))
            buf_put(out, bytes);
    }
    arena_done(&arena);
    return e;
}

static struct err read_folder(struct store_read *rd, const struct store_folder *folder,
                              struct buf *out)
{
    struct store_rows *rows = store_rows_open(rd, folder->fid, 0);
    const struct message_row *row;
    struct store_view *view;
    struct err e;

    while (!failed(e = store_rows_next(rows, &row))) {
        e = read_message(rd, row, out);
        if (failed(e))
            break;
    }
    store_rows_close(rows);
    if (e.code != ERR_NOT_FOUND)
        return e;
    e = store_view_open(rd, folder->fid, &view);
    if (!failed(e)) {
        buf_printf(out, "%u messages, last %u\n", store_view_count(view),
                   store_view_last_uid(view));
        store_view_close(view);
    }
    return e;
}

static struct err read_mailbox(struct mailbox *mb, struct buf *out)
{
    struct arena arena = ARENA_INIT;
    struct store_folder_entry *folders;
    struct store_read *rd;
    size_t n = 0;
    struct err e = store_read_begin(mb, &rd);

    if (failed(e))
        return e;
    e = store_folder_list(rd, true, &arena, &folders, &n);
    for (size_t i = 0; i < n && !failed(e); i++) {
        const struct store_folder *f = &folders[i].folder;

        buf_put(out, folders[i].path);
        buf_printf(out, " %llx %u %u %u\n", (unsigned long long)f->fid, f->exists, f->unseen,
                   f->uidnext);
        e = read_folder(rd, f, out);
    }
    store_read_end(rd);
    arena_done(&arena);
    return e;
}

static struct err read_all(struct store *st, uint64_t mailbox_id, struct buf *out)
{
    struct mailbox *mb;
    struct err e = store_mailbox_open_now(st, mailbox_id, &mb);

    if (failed(e))
        return e;
    e = read_mailbox(mb, out);
    mailbox_close(mb);
    return e;
}

/* ---- what is asked for ---- */

void damage_init(struct damage *d)
{
    struct store_config config = {.map_bytes = MAP_BYTES};
    struct bed bed;

    bed_init_with(&bed, &config);
    fill(&bed);
    bed_verify(&bed);
    d->whole = buf_make(SIZE_MAX / 2);
    assert_ok(read_mailbox(bed.mb, &d->whole));
    d->mailbox_id = bed.mailbox_id;
    mailbox_close(bed.mb);
    store_close(bed.store);
    d->dir = bed.dir;
    d->file = file_read(d->dir, "data.mdb", &d->len);
}

void damage_done(struct damage *d)
{
    test_dir_free(d->dir);
    buf_done(&d->whole);
    free(d->file);
}

static void count(void *ctx, const char *text)
{
    (void)text;
    ++*(int *)ctx;
}

static enum damage_end look(struct damage *d, struct store *st)
{
    struct buf got = buf_make(SIZE_MAX / 2);
    struct store_verify_report report;
    int findings = 0;
    struct err found = store_verify(st, count, &findings, &report);
    struct err read = OK;

    /* What cannot be walked is not read either. */
    if (!failed(found) || engine_sound(store_engine(st), count, &findings).code == ERR_NONE)
        read = read_all(st, d->mailbox_id, &got);
    bool same = slice_eq(buf_slice(&got), buf_slice(&d->whole));
    buf_done(&got);
    if (failed(found) || findings)
        return DAMAGE_FOUND;
    if (failed(read))
        return DAMAGE_READ;
    return same ? DAMAGE_HARMLESS : DAMAGE_UNSEEN;
}

struct err damage_open(const struct damage *d, struct store **out)
{
    struct store_config config = {.dir = d->dir, .map_bytes = MAP_BYTES};

    return store_open(&config, NULL, out);
}

enum damage_end damage_look(struct damage *d)
{
    struct store *st;
    struct err e = damage_open(d, &st);

    if (failed(e))
        return DAMAGE_REFUSED;
    enum damage_end end = look(d, st);
    store_close(st);
    return end;
}

enum damage_end damage_try(struct damage *d, const uint8_t *file, size_t len, bool suspect)
{
    char *mark = path_in(d->dir, "suspect");

    unlink(mark);
    free(mark);
    file_write(d->dir, "data.mdb", file, len);
    if (suspect)
        file_write(d->dir, "suspect", NULL, 0);
    return damage_look(d);
}

void damage_reread(struct damage *d)
{
    free(d->file);
    d->file = file_read(d->dir, "data.mdb", &d->len);
}

void damage_overwrite(struct damage *d, size_t at, const uint8_t *bytes, size_t len)
{
    char *path = path_in(d->dir, "data.mdb");
    int fd = open(path, O_WRONLY);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, len, (off_t)at), len);
    close(fd);
    free(path);
}
