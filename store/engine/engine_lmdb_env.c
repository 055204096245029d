/*
 * Opening and closing the environment, and the engine's table.
 *
 * Flags: MDB_NOTLS (snapshots are pooled, not tied to threads) and MDB_NORDAHEAD (with read-ahead
 * a cold message reads 15 times its bytes). Never WRITEMAP (a full disk kills the process, and
 * stray writes reach the file), NOSYNC, NOMETASYNC or NOMEMINIT (old heap bytes, so secrets, would
 * reach the file).
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/signals.h"
#include "store/engine/engine_lmdb_int.h"

#define MAP_DEFAULT (1ull << 40)
#define MAP_LEAST (64ull << 20)

static const char *const db_names[DB_COUNT] = {
    [DB_META] = "meta",   [DB_DATA] = "data",   [DB_PARTS] = "parts", [DB_IDS] = "ids",
    [DB_IDLOG] = "idlog", [DB_CHUNK] = "chunk", [DB_INFO] = "info",   [DB_HASH] = "hash",
    [DB_BMETA] = "bmeta", [DB_DEAD] = "dead",
};

static const char format_name[] = "gatepost-engine";

enum { FORMAT_NAME_LEN = sizeof format_name - 1, FORMAT_LEN = FORMAT_NAME_LEN + 4 };

/* ---- errors, time, threads ---- */

struct err lmdb_err(int rc)
{
    switch (rc) {
    case 0:
        return OK;
    case MDB_NOTFOUND:
        return ERR(ERR_NOT_FOUND, "no such key");
    case MDB_MAP_FULL:
        return ERR(ERR_NO_SPACE, "the store has reached its configured size");
    case ENOSPC:
    case EDQUOT:
        return ERR(ERR_NO_SPACE, "the disk is full");
    case MDB_TXN_FULL:
    case E2BIG:
        return ERR(ERR_TOO_BIG, "the batch changes more than one batch may");
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_INCOMPATIBLE:
        return ERR(ERR_CORRUPT, "the store's file is damaged");
    case MDB_VERSION_MISMATCH:
        return ERR(ERR_UNSUPPORTED, "the file was made by another version of LMDB");
    case MDB_READERS_FULL:
        return ERR(ERR_LIMIT, "too many snapshots are open");
    case MDB_PANIC:
        return ERR(ERR_UNAVAILABLE, "a commit broke off: the store must be opened anew");
    case MDB_MAP_RESIZED:
    case MDB_BAD_TXN:
        return ERR(ERR_UNAVAILABLE, "the transaction cannot go on");
    case ENOMEM:
        return ERR(ERR_UNAVAILABLE, "out of memory or address space");
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR(ERR_DENIED, "no permission on the store's files");
    case ENOENT:
        return ERR(ERR_NOT_FOUND, "there is no store");
    default:
        return ERR(ERR_IO, "the store's files could not be read or written");
    }
}

void lmdb_log(struct lmdb_engine *eng, enum log_level level, const char *event, int rc)
{
    log_event(eng->log, level, event, log_str("dir", eng->dir), log_number("code", rc),
              log_str("error", mdb_strerror(rc)));
}

static uint64_t ms_of(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t lmdb_now_ms(void)
{
    return ms_of(CLOCK_MONOTONIC);
}

uint64_t lmdb_now_coarse_ms(void)
{
    return ms_of(CLOCK_MONOTONIC_COARSE);
}

uint64_t lmdb_due(uint64_t deadline_ms)
{
    uint64_t now = lmdb_now_ms(), due = now + (deadline_ms ? deadline_ms : DEFAULT_DEADLINE_MS);

    return due < now ? UINT64_MAX : due;
}

struct err lmdb_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
    sigset_t others, before;

    signals_but_faults(&others);
    pthread_sigmask(SIG_SETMASK, &others, &before);
    int rc = pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc ? ERR(ERR_UNAVAILABLE, "no thread could be made") : OK;
}

void lmdb_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

/* ---- one engine for a directory in a process: LMDB loses its locks otherwise ---- */

static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
struct lmdb_engine *lmdb_open_engines;

static bool register_open(struct lmdb_engine *eng)
{
    bool taken = false;

    pthread_mutex_lock(&open_lock);
    for (struct lmdb_engine *other = lmdb_open_engines; other; other = other->next_open)
        taken |= other->dev == eng->dev && other->ino == eng->ino;
    if (!taken) {
        eng->next_open = lmdb_open_engines;
        lmdb_open_engines = eng;
    }
    pthread_mutex_unlock(&open_lock);
    return !taken;
}

static void unregister_open(struct lmdb_engine *eng)
{
    pthread_mutex_lock(&open_lock);
    for (struct lmdb_engine **at = &lmdb_open_engines; *at; at = &(*at)->next_open)
        if (*at == eng) {
            *at = eng->next_open;
            break;
        }
    pthread_mutex_unlock(&open_lock);
}

/* ---- the directory ---- */

void lmdb_adopt(int dir_fd, const char *name)
{
    struct stat dir;

    if (geteuid() != 0 || fstat(dir_fd, &dir) || dir.st_uid == 0)
        return;
    /* Where it fails the daemon will say which file it may not open. */
    if (fchownat(dir_fd, name, dir.st_uid, dir.st_gid, AT_SYMLINK_NOFOLLOW))
        return;
}

static int open_private(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd >= 0)
        lmdb_adopt(dir_fd, name);
    return fd;
}

static struct err dir_open(struct lmdb_engine *eng, bool create)
{
    struct stat st;

    if (create && mkdir(eng->dir, 0700) && errno != EEXIST)
        return lmdb_err(errno);
    eng->dir_fd = open(eng->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (eng->dir_fd < 0 || fstat(eng->dir_fd, &st))
        return lmdb_err(errno);
    eng->dev = st.st_dev;
    eng->ino = st.st_ino;
    if (fstatat(eng->dir_fd, "data.mdb", &st, 0) == 0) {
        /* LMDB would make a new store of it, and every mailbox would look empty. */
        if (st.st_size == 0)
            return ERR(ERR_CORRUPT, "data.mdb is empty (where this is a new store, remove it)");
    } else if (!create || errno != ENOENT) {
        return lmdb_err(errno);
    }
    eng->open_fd = open_private(eng->dir_fd, "open.lock");
    eng->pins_fd = open_private(eng->dir_fd, "pins.lock");
    if (eng->open_fd < 0 || eng->pins_fd < 0)
        return lmdb_err(errno);
    if (flock(eng->open_fd, LOCK_SH | LOCK_NB))
        return ERR(ERR_UNAVAILABLE, "the store is being compacted");
    return OK;
}

static void dir_close(struct lmdb_engine *eng)
{
    if (eng->pins_fd >= 0)
        close(eng->pins_fd);
    if (eng->open_fd >= 0)
        close(eng->open_fd);
    if (eng->dir_fd >= 0)
        close(eng->dir_fd);
}

/* ---- the map ---- */

static int env_open_with(struct lmdb_engine *eng, uint64_t map_bytes)
{
    int rc = mdb_env_create(&eng->env);

    if (rc) {
        eng->env = NULL;
        return rc;
    }
    rc = mdb_env_set_maxdbs(eng->env, DB_COUNT);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(eng->env, MAX_READERS);
    if (rc == 0)
        rc = mdb_env_set_mapsize(eng->env, (size_t)map_bytes);
    if (rc == 0)
        rc = mdb_env_open(eng->env, eng->dir, MDB_NOTLS | MDB_NORDAHEAD, 0600);
    if (rc) {
        mdb_env_close(eng->env);
        eng->env = NULL;
    }
    return rc;
}

/* Where address space is limited (ulimit -v, a small virtual address size) reserve less. */
static struct err env_open(struct lmdb_engine *eng, uint64_t map_bytes)
{
    uint64_t bytes = map_bytes ? map_bytes : MAP_DEFAULT;
    int rc = env_open_with(eng, bytes);

    while (rc == ENOMEM && bytes / 2 >= MAP_LEAST) {
        bytes /= 2;
        rc = env_open_with(eng, bytes);
    }
    if (rc) {
        lmdb_log(eng, LOG_LEVEL_ERROR, "store.open_failed", rc);
        return lmdb_err(rc);
    }
    if (map_bytes ? bytes < map_bytes : bytes < MAP_DEFAULT)
        log_event(eng->log, LOG_LEVEL_WARN, "store.small_map", log_str("dir", eng->dir),
                  log_number("bytes", (int64_t)bytes));
    lmdb_adopt(eng->dir_fd, "data.mdb");
    lmdb_adopt(eng->dir_fd, "lock.mdb");
    return OK;
}

static bool address_space_has(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        return false;
    munmap(p, bytes);
    return true;
}

/*
 * How much to map of a file that is longer than our map: some times its length where the address
 * space has it. LMDB gives up the old map before it asks for the new one, hence the trial.
 */
static size_t next_map_size(struct lmdb_engine *eng)
{
    struct stat st;

    if (fstatat(eng->dir_fd, "data.mdb", &st, 0) || st.st_size <= 0)
        return 0;
    for (unsigned times = 16; times >= 2; times /= 2) {
        size_t bytes = (size_t)st.st_size * times;

        if (bytes / times == (size_t)st.st_size && address_space_has(bytes))
            return bytes;
    }
    return 0;
}

/* With no transaction active anywhere in the process. */
static struct err remap_alone(struct lmdb_engine *eng)
{
    size_t bytes = next_map_size(eng);

    if (bytes == 0)
        return ERR(ERR_UNAVAILABLE, "no address space for the grown store");
    int rc = mdb_env_set_mapsize(eng->env, bytes);
    if (rc) {
        atomic_store(&eng->broken, true);
        lmdb_log(eng, LOG_LEVEL_ERROR, "store.map_lost", rc);
    }
    return lmdb_err(rc);
}

static bool no_read_is_active(struct lmdb_engine *eng)
{
    for (int i = 0; i < STRIPES; i++)
        if (atomic_load(&eng->stripes[i].active) != 0)
            return false;
    return true;
}

/*
 * Remapping under a live snapshot would crash it, so no new ones begin while the old ones end.
 * They are short; a thread that holds one while it begins another gets an error here.
 */
struct err lmdb_remap(struct lmdb_engine *eng)
{
    const struct timespec moment = {.tv_nsec = 200000};
    struct err e = ERR(ERR_UNAVAILABLE, "the store has grown, and a snapshot keeps its old map");
    uint64_t until = lmdb_now_ms() + 2000;

    pthread_mutex_lock(&eng->txn_lock);
    for (int i = 0; i < STRIPES; i++)
        pthread_mutex_lock(&eng->stripes[i].mutex);
    while (!no_read_is_active(eng) && lmdb_now_ms() < until)
        nanosleep(&moment, NULL);
    if (no_read_is_active(eng))
        e = remap_alone(eng);
    for (int i = STRIPES - 1; i >= 0; i--)
        pthread_mutex_unlock(&eng->stripes[i].mutex);
    pthread_mutex_unlock(&eng->txn_lock);
    return e;
}

/* ---- the format ---- */

static int format_write(struct lmdb_engine *eng, MDB_txn *txn)
{
    const struct lmdb_state first = {.next_blob = 1};
    uint8_t value[FORMAT_LEN];

    memcpy(value, format_name, FORMAT_NAME_LEN);
    put_u32(value + FORMAT_NAME_LEN, LMDB_FORMAT_VERSION);
    int rc = lmdb_put(eng, txn, DB_META, S("format"), slice_of(value, sizeof value));
    return rc ? rc : lmdb_state_put(eng, txn, &first);
}

static struct err format_check(MDB_val v)
{
    if (v.mv_size != FORMAT_LEN || memcmp(v.mv_data, format_name, FORMAT_NAME_LEN) != 0)
        return ERR(ERR_CORRUPT, "the file is not a store of ours");
    if (get_u32((const uint8_t *)v.mv_data + FORMAT_NAME_LEN) != LMDB_FORMAT_VERSION)
        return ERR(ERR_UNSUPPORTED, "the store has a format version that this program is too old "
                                    "(or too new) for");
    return OK;
}

/* The databases may be made only in a file that is empty. */
static bool is_empty(MDB_txn *txn)
{
    MDB_stat st;
    MDB_dbi main_db;

    return mdb_dbi_open(txn, NULL, 0, &main_db) == 0 && mdb_stat(txn, main_db, &st) == 0 &&
           st.ms_entries == 0;
}

static struct err databases_open(struct lmdb_engine *eng, MDB_txn *txn)
{
    bool fresh = is_empty(txn);
    MDB_val v;
    int rc;

    if (!fresh && mdb_dbi_open(txn, db_names[DB_META], 0, &eng->dbi[DB_META]))
        return ERR(ERR_CORRUPT, "the file is not a store of ours");
    if (!fresh) {
        rc = lmdb_get(eng, txn, DB_META, S("format"), &v);
        struct err e = rc ? ERR(ERR_CORRUPT, "the file is not a store of ours") : format_check(v);
        if (failed(e))
            return e;
    }
    for (int db = 0; db < DB_COUNT; db++) {
        rc = mdb_dbi_open(txn, db_names[db], fresh ? MDB_CREATE : 0, &eng->dbi[db]);
        if (rc)
            return lmdb_err(rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc);
    }
    return fresh ? lmdb_err(format_write(eng, txn)) : OK;
}

static struct err format_open(struct lmdb_engine *eng)
{
    MDB_txn *txn;

    int rc = lmdb_begin(eng, &txn);
    if (rc)
        return lmdb_err(rc);
    struct err e = databases_open(eng, txn);
    if (failed(e)) {
        lmdb_abort(eng, txn);
        return e;
    }
    rc = lmdb_commit(eng, txn);
    if (rc)
        return lmdb_err(rc);
    return fsync(eng->dir_fd) ? lmdb_err(errno) : OK;
}

/* ---- opening and closing ---- */

const struct engine_ops lmdb_ops = {
    .open_partition = lmdb_open_partition,
    .partition_close = lmdb_partition_close,
    .read_begin = lmdb_read_begin,
    .read_end = lmdb_read_end,
    .read_version = lmdb_read_version,
    .get = lmdb_read_get,
    .cursor_open = lmdb_cursor_open,
    .cursor_close = lmdb_cursor_close,
    .seek = lmdb_cursor_seek,
    .seek_before = lmdb_cursor_seek_before,
    .next = lmdb_cursor_next,
    .prev = lmdb_cursor_prev,
    .submit = lmdb_submit,
    .write_read = lmdb_write_read,
    .put = lmdb_write_put,
    .del = lmdb_write_del,
    .blob_link = lmdb_blob_link,
    .blob_link_id = lmdb_blob_link_id,
    .blob_unlink = lmdb_blob_unlink,
    .blob_stat = lmdb_blob_stat,
    .blob_meta = lmdb_blob_meta,
    .blob_piece = lmdb_blob_piece,
    .blob_next = lmdb_blob_next,
    .blob_is_cold = lmdb_blob_is_cold,
    .blob_fetch = lmdb_blob_fetch,
    .blob_pin = lmdb_blob_pin,
    .blob_unpin = lmdb_blob_unpin,
    .watch_start = lmdb_watch_start,
    .watch_stop = lmdb_watch_stop,
    .stats = lmdb_stats,
    .partition_next = lmdb_partition_next,
    .sound = lmdb_sound,
    .verify = lmdb_verify,
    .backup = lmdb_backup,
    .close = lmdb_close,
};

static struct lmdb_engine *engine_new(const char *dir, struct log *log)
{
    struct lmdb_engine *eng;

    /* Stripes have cache lines of their own. */
    if (posix_memalign((void **)&eng, _Alignof(struct lmdb_engine), sizeof *eng))
        abort();
    memset(eng, 0, sizeof *eng);
    eng->base.ops = &lmdb_ops;
    eng->log = log;
    eng->dir = mem_str(dir);
    eng->dir_fd = eng->open_fd = eng->pins_fd = -1;
    eng->pins_state = F_UNLCK;
    pthread_mutex_init(&eng->txn_lock, NULL);
    pthread_mutex_init(&eng->parts_lock, NULL);
    pthread_mutex_init(&eng->pins_lock, NULL);
    pthread_mutex_init(&eng->writer.mutex, NULL);
    pthread_mutex_init(&eng->fetcher.mutex, NULL);
    lmdb_cond_init(&eng->writer.wake);
    lmdb_cond_init(&eng->fetcher.wake);
    lmdb_pool_init(eng);
    return eng;
}

void lmdb_engine_free(struct lmdb_engine *eng)
{
    pthread_cond_destroy(&eng->fetcher.wake);
    pthread_cond_destroy(&eng->writer.wake);
    pthread_mutex_destroy(&eng->fetcher.mutex);
    pthread_mutex_destroy(&eng->writer.mutex);
    pthread_mutex_destroy(&eng->pins_lock);
    pthread_mutex_destroy(&eng->parts_lock);
    pthread_mutex_destroy(&eng->txn_lock);
    idmap_done(&eng->parts);
    free(eng->dir);
    free(eng);
}

/* Undo what was done of opening; the struct stays for partitions that are still open. */
void lmdb_close(struct engine *engine)
{
    struct lmdb_engine *eng = (struct lmdb_engine *)engine;

    atomic_store(&eng->closed, true);
    lmdb_peers_stop(eng);
    lmdb_fetcher_stop(eng);
    lmdb_writer_stop(eng);
    lmdb_peers_free(eng);
    lmdb_pool_done(eng);
    if (eng->env)
        mdb_env_close(eng->env);
    lmdb_pins_done(eng);
    unregister_open(eng);
    dir_close(eng);
    pthread_mutex_lock(&eng->parts_lock);
    eng->ended = true;
    bool last = eng->parts.count == 0;
    pthread_mutex_unlock(&eng->parts_lock);
    if (last)
        lmdb_engine_free(eng);
}

static struct err open_all(struct lmdb_engine *eng, const struct engine_lmdb_config *config)
{
    struct err e = dir_open(eng, config->create);

    if (failed(e))
        return e;
    if (!register_open(eng))
        return ERR(ERR_CONFLICT, "this process has the store open already");
    e = env_open(eng, config->map_bytes);
    if (!failed(e))
        e = lmdb_pages_open(eng);
    if (!failed(e))
        e = format_open(eng);
    if (!failed(e))
        e = lmdb_writer_start(eng);
    if (!failed(e))
        e = lmdb_fetcher_start(eng);
    if (!failed(e))
        e = lmdb_peers_start(eng);
    return e;
}

struct err engine_lmdb_open(const struct engine_lmdb_config *config, struct log *log,
                            struct engine **out)
{
    struct lmdb_engine *eng = engine_new(config->dir, log);

    struct err e = open_all(eng, config);
    if (failed(e)) {
        lmdb_close(&eng->base);
        return e;
    }
    *out = &eng->base;
    return OK;
}
