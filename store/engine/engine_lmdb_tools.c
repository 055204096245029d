/* Figures, backup and compaction. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "store/engine/engine_lmdb_int.h"

/* ---- figures ---- */

/* The list of free pages is LMDB's database 0: transaction => count, page numbers. */
static int free_pages(struct lmdb_read *rd, uint64_t *pages)
{
    MDB_cursor *mc;
    MDB_val k, v;
    uint64_t sum = 0;

    int rc = mdb_cursor_open(rd->txn, 0, &mc);
    if (rc)
        return rc;
    while ((rc = mdb_cursor_get(mc, &k, &v, MDB_NEXT)) == 0) {
        size_t count = 0;

        if (v.mv_size >= sizeof count)
            memcpy(&count, v.mv_data, sizeof count);
        sum += count;
    }
    mdb_cursor_close(mc);
    if (rc != MDB_NOTFOUND)
        return rc;
    *pages = sum;
    return 0;
}

static int entries(struct lmdb_read *rd, enum lmdb_db db, uint64_t *n)
{
    MDB_stat st;
    int rc = mdb_stat(rd->txn, rd->eng->dbi[db], &st);

    if (rc == 0)
        *n = st.ms_entries;
    return rc;
}

static int stats_of_file(struct lmdb_read *rd, struct engine_stats *st)
{
    struct lmdb_state state;
    uint64_t pages;
    MDB_envinfo info;
    MDB_stat whole;
    struct stat file;

    int rc = free_pages(rd, &pages);
    if (rc == 0)
        rc = mdb_env_info(rd->eng->env, &info);
    if (rc == 0)
        rc = mdb_env_stat(rd->eng->env, &whole);
    if (rc == 0 && fstatat(rd->eng->dir_fd, "data.mdb", &file, 0))
        rc = errno;
    if (rc == 0)
        rc = lmdb_state_get(rd->eng, rd->txn, &state);
    if (rc)
        return rc;
    st->file_bytes = (uint64_t)file.st_size;
    st->free_bytes = pages * whole.ms_psize;
    st->used_bytes = ((uint64_t)info.me_last_pgno + 1 - pages) * whole.ms_psize;
    st->blobs = state.blobs;
    st->blob_bytes = state.blob_bytes;
    rc = entries(rd, DB_PARTS, &st->partitions);
    return rc ? rc : entries(rd, DB_DEAD, &st->dead_blobs);
}

/* Without the snapshot that asks. */
static void stats_of_reads(struct lmdb_engine *eng, const struct lmdb_read *self,
                           struct engine_stats *st)
{
    uint64_t now = lmdb_now_coarse_ms();

    for (int i = 0; i < STRIPES; i++) {
        struct lmdb_stripe *stripe = &eng->stripes[i];

        pthread_mutex_lock(&stripe->mutex);
        for (struct lmdb_read *rd = stripe->all; rd; rd = rd->next_all) {
            uint64_t since = atomic_load(&rd->since_ms);

            if (since == 0 || rd == self)
                continue;
            st->readers++;
            if (since < now && now - since > st->oldest_read_ms)
                st->oldest_read_ms = now - since;
        }
        pthread_mutex_unlock(&stripe->mutex);
    }
}

struct err lmdb_stats(struct engine *engine, struct engine_stats *out)
{
    struct lmdb_engine *eng = (struct lmdb_engine *)engine;
    struct engine_stats st = {.commits = atomic_load(&eng->commits),
                              .batches = atomic_load(&eng->batches)};
    struct lmdb_read *rd;

    struct err e = lmdb_snapshot(eng, 0, &rd);
    if (failed(e))
        return e;
    int rc = stats_of_file(rd, &st);
    stats_of_reads(eng, rd, &st);
    lmdb_read_end(&rd->base);
    if (rc)
        return lmdb_err(rc);
    *out = st;
    return OK;
}

struct err lmdb_partition_next(struct engine *engine, uint64_t after, uint64_t *id)
{
    struct lmdb_engine *eng = (struct lmdb_engine *)engine;
    struct lmdb_read *rd;
    MDB_cursor *mc;
    uint8_t key[8];
    MDB_val v;

    if (after == UINT64_MAX)
        return ERR(ERR_NOT_FOUND, "no further partition");
    struct err e = lmdb_snapshot(eng, 0, &rd);
    if (failed(e))
        return e;
    put_u64(key, after + 1);
    MDB_val k = val_of(key, sizeof key);
    int rc = mdb_cursor_open(rd->txn, eng->dbi[DB_PARTS], &mc);
    if (rc == 0) {
        rc = mdb_cursor_get(mc, &k, &v, MDB_SET_RANGE);
        mdb_cursor_close(mc);
    }
    if (rc == 0 && k.mv_size != 8)
        rc = MDB_CORRUPTED;
    if (rc == 0)
        *id = get_u64(k.mv_data);
    lmdb_read_end(&rd->base);
    return lmdb_err(rc);
}

/* ---- copying ---- */

enum { COPY_BUFFER = 1 << 18, BYTES_PER_MS = 300000 };

struct copy {
    MDB_env *env;
    unsigned flags;
    int pipe_fd;
    int rc;
};

static void *copy_main(void *arg)
{
    struct copy *copy = arg;

    copy->rc = mdb_env_copyfd2(copy->env, copy->pipe_fd, copy->flags);
    close(copy->pipe_fd);
    return NULL;
}

/* Wait until `done` bytes are due. */
static void throttle(uint64_t start_ms, uint64_t done)
{
    uint64_t due = start_ms + done / BYTES_PER_MS, now = lmdb_now_ms();

    if (due > now) {
        uint64_t ms = due - now;
        struct timespec pause = {.tv_sec = (time_t)(ms / 1000),
                                 .tv_nsec = (long)(ms % 1000) * 1000000};
        nanosleep(&pause, NULL);
    }
}

static int drain(int from, int to, bool slowly)
{
    uint8_t *buffer = mem_array(COPY_BUFFER, 1);
    uint64_t start_ms = lmdb_now_ms(), done = 0;
    int rc = 0;

    for (;;) {
        ssize_t n = read(from, buffer, COPY_BUFFER);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = errno;
        if (n <= 0 || (rc = file_write(to, slice_of(buffer, (size_t)n))) != 0)
            break;
        done += (uint64_t)n;
        if (slowly)
            throttle(start_ms, done);
    }
    free(buffer);
    return rc;
}

/*
 * Copy the environment into `fd` through a pipe. LMDB keeps writers out while it writes its first
 * 8 KB, which the pipe takes at once; the rest may go as slowly as the disk likes. A reader that
 * gives up breaks the pipe, and with it the copy.
 */
static int copy_env(MDB_env *env, int fd, bool compact, bool slowly)
{
    struct copy copy = {.env = env, .flags = compact ? MDB_CP_COMPACT : 0};
    pthread_t thread;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC))
        return errno;
    copy.pipe_fd = ends[1];
    if (failed(lmdb_thread_start(&thread, copy_main, &copy))) {
        close(ends[0]);
        close(ends[1]);
        return EAGAIN;
    }
    int rc = drain(ends[0], fd, slowly);
    close(ends[0]);
    pthread_join(thread, NULL);
    if (rc == 0)
        rc = copy.rc;
    return rc == 0 && fsync(fd) ? errno : rc;
}

/* ---- backup ---- */

static int make_empty_dir(const char *dir)
{
    if (mkdir(dir, 0700) && errno != EEXIST)
        return -1;
    /* rmdir() refuses a directory that has something in it, and one made anew is durable. */
    if (rmdir(dir) || mkdir(dir, 0700))
        return -1;
    return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int sync_parent(int dir_fd)
{
    int fd = openat(dir_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) ? errno : 0;

    if (fd >= 0)
        close(fd);
    return rc;
}

static int backup_into(struct lmdb_engine *eng, int dir_fd, bool compact)
{
    int fd = openat(dir_fd, "data.mdb", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return errno;
    int rc = copy_env(eng->env, fd, compact, true);
    close(fd);
    if (rc == 0 && fsync(dir_fd))
        rc = errno;
    if (rc == 0)
        rc = sync_parent(dir_fd);
    if (rc)
        unlinkat(dir_fd, "data.mdb", 0);
    return rc;
}

struct err lmdb_backup(struct engine *engine, const char *dir, bool compact)
{
    struct lmdb_engine *eng = (struct lmdb_engine *)engine;
    struct lmdb_read *rd;

    /* LMDB's own snapshot keeps the pages; ours keeps the map in its place meanwhile. */
    struct err e = lmdb_snapshot(eng, 0, &rd);
    if (failed(e))
        return e;
    int dir_fd = make_empty_dir(dir);
    if (dir_fd < 0) {
        e = errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR
                ? ERR(ERR_EXISTS, "the directory of the backup is not empty")
                : lmdb_err(errno);
    } else {
        int rc = backup_into(eng, dir_fd, compact);

        close(dir_fd);
        if (rc) {
            lmdb_log(eng, LOG_LEVEL_ERROR, "store.backup_failed", rc);
            e = rc == EIO || rc == EFBIG ? ERR(ERR_IO, "the backup could not be written")
                                         : lmdb_err(rc);
        }
    }
    lmdb_read_end(&rd->base);
    return e;
}

/* ---- compaction ---- */

#define COMPACT_NAME "data.mdb.compact"

static int compact_into(MDB_env *env, int dir_fd)
{
    struct stat old;
    int fd = openat(dir_fd, COMPACT_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return errno;
    int rc = copy_env(env, fd, true, false);
    if (rc == 0 && fstatat(dir_fd, "data.mdb", &old, 0) == 0 && geteuid() == 0 &&
        fchown(fd, old.st_uid, old.st_gid))
        rc = errno;
    close(fd);
    if (rc)
        unlinkat(dir_fd, COMPACT_NAME, 0);
    return rc;
}

static int open_env(const char *dir, MDB_env **env)
{
    int rc = mdb_env_create(env);

    if (rc)
        return rc;
    rc = mdb_env_set_maxdbs(*env, DB_COUNT);
    /* Its map need not be larger than the file: LMDB sees to that much. */
    if (rc == 0)
        rc = mdb_env_open(*env, dir, MDB_NOTLS, 0600);
    if (rc)
        mdb_env_close(*env);
    return rc;
}

static int compact_locked(const char *dir, int dir_fd)
{
    MDB_env *env;
    int rc = open_env(dir, &env);

    if (rc)
        return rc;
    rc = compact_into(env, dir_fd);
    mdb_env_close(env);
    if (rc == 0 && renameat(dir_fd, COMPACT_NAME, dir_fd, "data.mdb"))
        rc = errno;
    return rc == 0 && fsync(dir_fd) ? errno : rc;
}

struct err engine_lmdb_compact(const char *dir, struct log *log)
{
    struct err e;
    int lock_fd = -1, dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir_fd < 0)
        return lmdb_err(errno);
    if (faccessat(dir_fd, "data.mdb", F_OK, 0)) {
        e = lmdb_err(errno);
        goto out;
    }
    lock_fd = openat(dir_fd, "open.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock_fd < 0) {
        e = lmdb_err(errno);
        goto out;
    }
    lmdb_adopt(dir_fd, "open.lock");
    if (flock(lock_fd, LOCK_EX | LOCK_NB)) {
        e = ERR(ERR_UNAVAILABLE, "the store is open in some process");
        goto out;
    }
    int rc = compact_locked(dir, dir_fd);
    if (rc)
        log_event(log, LOG_LEVEL_ERROR, "store.compact_failed", log_str("dir", dir),
                  log_number("code", rc), log_str("error", mdb_strerror(rc)));
    e = lmdb_err(rc);
out:
    if (lock_fd >= 0)
        close(lock_fd);
    close(dir_fd);
    return e;
}
