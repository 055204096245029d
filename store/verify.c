/*
 * verify.c - every invariant of schema.h, recomputed on a live store.
 *
 * This file has folders and their rows, verify_mailbox.c the rest of a mailbox, verify_store.c the
 * references to blobs and the engine.
 */
#include <stdio.h>
#include <stdlib.h>

#include "store/message_int.h"
#include "store/verify_int.h"

/* ---- saying what is wrong ---- */

void verify_fault(struct verify *v, const char *format, ...)
{
    struct buf text = buf_make(4096);
    va_list args;

    v->report->faults++;
    if (!v->finding)
        return;
    if (v->mailbox_id)
        buf_printf(&text, "mailbox %llu: ", (unsigned long long)v->mailbox_id);
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    buf_putc(&text, 0);
    if (!text.failed)
        v->finding(v->ctx, (const char *)buf_slice(&text).ptr);
    buf_done(&text);
}

/* ---- references ---- */

static void refs_grow(struct refs *refs)
{
    struct ref *old = refs->all;
    size_t room = refs->room;

    refs->room = room ? room * 2 : 1024;
    refs->all = mem_array(refs->room, sizeof *refs->all);
    refs->n = 0;
    for (size_t i = 0; i < room; i++)
        if (old[i].n)
            refs_add(refs, old[i].id, old[i].n);
    free(old);
}

static struct ref *refs_slot(const struct refs *refs, uint64_t id)
{
    size_t i = (id * 0x9E3779B97F4A7C15ull >> 20) & (refs->room - 1);

    while (refs->all[i].n && refs->all[i].id != id)
        i = (i + 1) & (refs->room - 1);
    return &refs->all[i];
}

void refs_add(struct refs *refs, uint64_t id, uint64_t n)
{
    if (refs->n * 2 >= refs->room)
        refs_grow(refs);
    struct ref *slot = refs_slot(refs, id);

    if (slot->n == 0) {
        slot->id = id;
        refs->n++;
    }
    slot->n += n;
}

uint64_t refs_get(const struct refs *refs, uint64_t id)
{
    return refs->room ? refs_slot(refs, id)->n : 0;
}

void refs_done(struct refs *refs)
{
    free(refs->all);
    *refs = (struct refs){NULL, 0, 0};
}

/* ---- the rows of one FID ---- */

static void check_row(struct verify *v, const struct verify_folder *f,
                      const struct message_row *row)
{
    struct key key = key_id(KEY_MID, row->mid), uidl = key_id(KEY_UIDL, row->mid);
    struct engine_blob_info blob;
    struct slice value;
    uint64_t fid;
    uint32_t uid;

    if (failed(engine_get(v->rd->engine, key_slice(&key), &value)) ||
        failed(mid_value_decode(value, &fid, &uid)) || fid != f->fid || uid != row->uid)
        verify_fault(v, "folder %llu, UID %u: its MID does not lead to it",
                     (unsigned long long)f->fid, row->uid);
    if (failed(engine_blob_stat(v->rd->engine, row->blob, &blob)))
        verify_fault(v, "folder %llu, UID %u: its bytes are missing", (unsigned long long)f->fid,
                     row->uid);
    else if (blob.len != row->size)
        verify_fault(v, "folder %llu, UID %u: its size is not that of its bytes",
                     (unsigned long long)f->fid, row->uid);
    if (!failed(engine_get(v->rd->engine, key_slice(&uidl), &value)) !=
        !!(row->flags & FLAG_IMPORTED_UIDL))
        verify_fault(v, "folder %llu, UID %u: an imported UIDL is missing or too many",
                     (unsigned long long)f->fid, row->uid);
    struct key bag = key_id(KEY_BAG, row->mid);
    if (!failed(engine_get(v->rd->engine, key_slice(&bag), &value)) != !!(row->flags & FLAG_BAG))
        verify_fault(v, "folder %llu, UID %u: its properties are missing or too many",
                     (unsigned long long)f->fid, row->uid);
    if (row->modseq > v->rec.counter || row->cn > row->modseq || row->read_cn > row->modseq ||
        row->mid > row->modseq || row->mid == 0)
        verify_fault(v, "folder %llu, UID %u: change numbers out of order",
                     (unsigned long long)f->fid, row->uid);
}

static void count_row(struct verify *v, struct verify_folder *f, const struct message_row *row)
{
    if (f->exists && row->uid <= f->last_uid)
        verify_fault(v, "folder %llu, UID %u: not in order", (unsigned long long)f->fid, row->uid);
    f->last_uid = row->uid;
    f->exists++;
    f->size += row->size;
    if (row->flags & FLAG_DELETED)
        f->deleted++;
    if (!(row->flags & FLAG_SEEN))
        uidset_add(&f->unseen, row->uid, row->uid);
    uidset_add(&f->all, row->uid, row->uid);
    if (row->modseq > f->modseq)
        f->modseq = row->modseq;
    if (row->keyword_set)
        refs_add(&v->keyword_sets, row->keyword_set, 1);
}

static void check_group(struct verify *v, struct verify_folder *f, uint32_t key_uid_,
                        const struct group_view *group)
{
    struct message_row row;
    uint64_t modseq = 0;
    uint16_t any = 0;

    if (row_uid(group->rows) < key_uid_ || (f->exists && key_uid_ <= f->last_uid))
        verify_fault(v, "folder %llu: a row group under the wrong key", (unsigned long long)f->fid);
    for (uint32_t i = 0; i < group->n; i++) {
        row_decode(group->rows + (size_t)i * ROW_BYTES, &row);
        count_row(v, f, &row);
        check_row(v, f, &row);
        any |= row.flags;
        if (row.modseq > modseq)
            modseq = row.modseq;
    }
    if (any != group->any_flags || modseq != group->modseq)
        verify_fault(v, "folder %llu: head of a row group", (unsigned long long)f->fid);
}

void verify_rows(struct verify *v, struct verify_folder *f)
{
    struct engine_cursor *cursor = engine_cursor_open(v->rd->engine);
    struct key from = key_uid(KEY_ROWS, f->fid, 0);
    struct group_view group;
    struct slice key, value;
    uint32_t uid;
    struct err e = engine_seek(cursor, key_slice(&from), &key, &value);

    for (; !failed(e) && key_is_uid(key, KEY_ROWS, f->fid, &uid);
         e = engine_next(cursor, &key, &value)) {
        struct err bad = group_open(value, true, &group);

        if (failed(bad))
            verify_fault(v, "folder %llu, UIDs from %u: %s", (unsigned long long)f->fid, uid,
                         bad.why);
        else
            check_group(v, f, uid, &group);
    }
    if (failed(e) && e.code != ERR_NOT_FOUND)
        verify_fault(v, "folder %llu: %s", (unsigned long long)f->fid, e.why);
    engine_cursor_close(cursor);
}

static bool same_runs(const struct uidset *a, const struct uidset *b)
{
    return a->n == b->n && (a->n == 0 || memcmp(a->runs, b->runs, a->n * sizeof *a->runs) == 0);
}

static void check_runs(struct verify *v, const struct verify_folder *f, enum key_kind kind,
                       const struct uidset *want, const char *name)
{
    struct uidset set = UIDSET_EMPTY;
    struct err e = runs_load(v->rd->engine, kind, f->fid, 0, &set);

    if (failed(e))
        verify_fault(v, "folder %llu, %s: %s", (unsigned long long)f->fid, name, e.why);
    else if (!same_runs(&set, want))
        verify_fault(v, "folder %llu: %s are not those of its rows", (unsigned long long)f->fid,
                     name);
    uidset_done(&set);
}

static void check_number(struct verify *v, uint64_t fid, const char *name, uint64_t has,
                         uint64_t want)
{
    if (has != want)
        verify_fault(v, "folder %llu: %s is %llu, and should be %llu", (unsigned long long)fid,
                     name, (unsigned long long)has, (unsigned long long)want);
}

static void check_counters(struct verify *v, const struct folder_rec *rec,
                           const struct verify_folder *f)
{
    check_number(v, rec->fid, "its number of messages", rec->exists, f->exists);
    check_number(v, rec->fid, "its number of unseen messages", rec->unseen,
                 uidset_count(&f->unseen));
    check_number(v, rec->fid, "its number of deleted messages", rec->deleted, f->deleted);
    check_number(v, rec->fid, "its size", rec->size, f->size);
    if (f->exists && rec->uidnext <= f->last_uid)
        verify_fault(v, "folder %llu: next UID is not beyond its messages",
                     (unsigned long long)rec->fid);
    if (rec->modseq < f->modseq || rec->modseq > v->rec.counter || rec->cn > v->rec.counter ||
        rec->gone_modseq > rec->modseq || rec->modseq == 0)
        verify_fault(v, "folder %llu: change numbers out of order", (unsigned long long)rec->fid);
    if (rec->recent_from > rec->uidnext || rec->uidvalidity == 0 ||
        rec->uidvalidity > v->rec.last_uidvalidity)
        verify_fault(v, "folder %llu: UIDVALIDITY or recent UIDs", (unsigned long long)rec->fid);
}

void verify_folder(struct verify *v, const struct folder_rec *rec)
{
    struct verify_folder f = {.fid = rec->fid};
    struct key doomed = key_id(KEY_DOOMED, rec->fid);
    struct slice value;
    bool sweeping = !failed(engine_get(v->rd->engine, key_slice(&doomed), &value));

    if (sweeping != !!(rec->flags & FOLDER_SWEEPING))
        verify_fault(v, "folder %llu: swept without need, or not swept",
                     (unsigned long long)rec->fid);
    if (!sweeping) { /* else verify_doomed() counts its rows */
        verify_rows(v, &f);
        check_counters(v, rec, &f);
        check_runs(v, &f, KEY_RUN_ALL, &f.all, "its UIDs");
        check_runs(v, &f, KEY_RUN_UNSEEN, &f.unseen, "its unseen UIDs");
    }
    if (folder_is_deleted(rec)) {
        v->deleted_messages += rec->exists;
        v->deleted_size += rec->size;
    } else {
        v->messages += rec->exists;
        v->size += rec->size;
    }
    v->rows += f.exists;
    v->report->messages += rec->exists;
    uidset_done(&f.all);
    uidset_done(&f.unseen);
}

void verify_doomed(struct verify *v, uint64_t fid)
{
    struct verify_folder f = {.fid = fid};

    verify_rows(v, &f);
    v->rows += f.exists;
    uidset_done(&f.all);
    uidset_done(&f.unseen);
}
