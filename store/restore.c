/*
 * restore.c - making a store of a backup, and compacting one.
 *
 * Clients remember what they saw in the store that was lost, some of which the backup does not
 * have. So each mailbox gets a new replica GUID and its folders new UIDVALIDITYs, and the counter
 * makes a leap: no number that the lost store may have given is given again to something else.
 */
#include <errno.h>
#include <ftw.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/engine/engine_lmdb.h"
#include "store/message_int.h"
#include "store/system.h"

/* More changes than a mailbox makes between two backups; 65,536 restores fit into the counter. */
#define RESTORE_LEAP (1ull << 32)

struct renew {
    struct engine_batch batch;
    uint64_t after;  /* the folder that was renewed last by a batch before */
    uint64_t so_far; /* and by this one */
    bool more, existed;
    struct mailbox mailbox;
};

enum { FOLDERS_PER_BATCH = 1000 };

static struct err renew_mailbox(struct store_tx *tx)
{
    if (tx->rec.counter + RESTORE_LEAP > COUNTER_MAX)
        return ERR(ERR_LIMIT, "the mailbox's counter is used up");
    tx->rec.counter += RESTORE_LEAP;
    if (RAND_bytes(tx->rec.replica_guid, 16) != 1)
        return ERR(ERR_UNAVAILABLE, "no random bytes");
    return OK;
}

static struct err renew_folders(struct store_tx *tx, struct renew *rq)
{
    struct folder_rec rec;
    struct slice key, value;
    uint64_t fid = rq->after;

    for (int i = 0; i < FOLDERS_PER_BATCH; i++) {
        struct key from = key_id(KEY_FOLDER, fid + 1);
        struct err e = engine_seek(tx->cursor, key_slice(&from), &key, &value);

        if (e.code == ERR_NOT_FOUND || (!failed(e) && !key_is_id(key, KEY_FOLDER, &fid))) {
            rq->more = false;
            return OK;
        }
        if (!failed(e))
            e = folder_rec_decode(value, fid, &rec);
        if (failed(e))
            return e;
        rec.uidvalidity = tx_uidvalidity(tx);
        e = folder_save(tx, &rec);
        if (failed(e))
            return e;
        rq->so_far = fid;
    }
    rq->more = true;
    return OK;
}

static struct err renew_run(struct engine_write *w, struct engine_batch *batch)
{
    struct renew *rq = container_of(batch, struct renew, batch);
    struct store_tx tx = {
        .w = w, .read = engine_write_read(w), .mailbox = &rq->mailbox, .now = clock_now().wall};
    struct key key = key_kind(KEY_MAILBOX);
    struct record record;
    struct slice value;
    struct err e = tx_get(&tx, &key, &value);

    rq->more = false;
    rq->existed = e.code != ERR_NOT_FOUND;
    if (!rq->existed)
        return OK;
    if (!failed(e))
        e = mailbox_rec_decode(value, &tx.rec);
    if (failed(e))
        return e;
    tx.cursor = engine_cursor_open(tx.read);
    if (rq->after == 0)
        e = renew_mailbox(&tx);
    if (!failed(e))
        e = renew_folders(&tx, rq);
    engine_cursor_close(tx.cursor);
    if (failed(e))
        return e;
    mailbox_rec_encode(&tx.rec, &record);
    return tx_put(&tx, &key, record_slice(&record));
}

static struct err renew_one(struct engine *engine, uint64_t id)
{
    struct renew rq = {.after = 0};
    struct engine_partition *partition;
    struct err e = partition_open_now(engine, id, &partition);

    if (failed(e))
        return e;
    do {
        rq.batch = (struct engine_batch){.partition = partition, .run = renew_run};
        e = system_commit(engine, &rq.batch);
        rq.after = rq.so_far;
    } while (!failed(e) && rq.more);
    engine_partition_close(partition);
    return e;
}

static struct err renew_all(struct engine *engine)
{
    uint64_t id = ENGINE_SYSTEM_PARTITION;
    struct err e;

    while (!failed(e = engine_partition_next(engine, id, &id))) {
        e = renew_one(engine, id);
        if (failed(e))
            return e;
    }
    return e.code == ERR_NOT_FOUND ? OK : e;
}

static struct err copy_backup(const char *backup_dir, const char *dir, struct log *log)
{
    struct engine_lmdb_config config = {.dir = backup_dir};
    struct engine *engine;
    struct err e = engine_lmdb_open(&config, log, &engine);

    if (failed(e))
        return e;
    e = engine_backup(engine, dir, true);
    engine_close(engine);
    return e;
}

static struct err make_anew(const char *backup_dir, const char *dir, struct log *log)
{
    struct engine_lmdb_config config = {.dir = dir};
    struct engine *engine;
    struct err e = copy_backup(backup_dir, dir, log);

    if (!failed(e))
        e = engine_lmdb_open(&config, log, &engine);
    if (failed(e))
        return e;
    e = renew_all(engine);
    engine_close(engine);
    return e;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

/* The store gets its name when it is complete: a crash leaves none that is half renewed. */
struct err store_restore(const char *backup_dir, const char *store_dir, struct log *log)
{
    struct buf name = buf_make(SIZE_MAX);
    size_t len = strlen(store_dir);

    while (len > 1 && store_dir[len - 1] == '/')
        len--;
    buf_put(&name, slice_of(store_dir, len));
    buf_puts(&name, ".restore-XXXXXX");
    buf_putc(&name, 0);
    char *dir = (char *)name.data;
    struct err e = OK;

    if (!mkdtemp(dir))
        e = ERR(ERR_IO, "no directory can be made beside the store");
    if (!failed(e)) {
        e = make_anew(backup_dir, dir, log);
        if (!failed(e) && rename(dir, store_dir) != 0)
            e = errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR
                    ? ERR(ERR_EXISTS, "there is a store already")
                    : ERR(ERR_IO, "the restored store could not be put in its place");
        if (failed(e))
            nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    }
    buf_done(&name);
    return e;
}

struct err store_compact(const char *dir, struct log *log)
{
    struct err e = engine_lmdb_compact(dir, log);

    return e.code == ERR_UNAVAILABLE ? ERR(ERR_DENIED, "another process has the store open") : e;
}
