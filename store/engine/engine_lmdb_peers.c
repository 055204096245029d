/*
 * Other processes that have the same store open: the daemon and the command line's tools.
 *
 * Each binds a datagram socket in DIR/watch/ and sends what it has committed, pairs of partition
 * and version, to all others there. The directory's time tells the sender when to list it anew. A
 * datagram may be lost (the receiver's queue is full, or the sender was killed between its commit
 * and the sending), so every TICK_MS a receiver that is not alone and sees that transactions were
 * made looks up all partitions that are watched. The pair (0, 0) asks for the same at once.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/engine/engine_lmdb_int.h"

enum {
    TICK_MS = 2000,
    POKE_MS = 1000,
    PAIR_LEN = 16,
    NAME_MAX_LEN = 40,
    MTIME_GRAIN_MS = 20, /* file times are that coarse: a younger listing may miss a newcomer */
};

struct peer {
    char name[NAME_MAX_LEN];
    bool owed; /* a datagram did not fit in its queue */
};

struct lmdb_peers {
    struct lmdb_engine *eng;
    pthread_t thread;
    bool started;
    int watch_fd, socket, stop_fd;
    char name[NAME_MAX_LEN]; /* of our socket; empty before it is bound */
    atomic_bool look;        /* somebody died: his last commit may not have been told */
    /* the writer thread's */
    struct peer *peers;
    size_t n_peers;
    struct timespec listed_mtime;
    uint64_t listed_ms;
    /* the receiving thread's */
    uint64_t seen_txn, poked_ms;
    bool poke_owed; /* it was too soon after the last one */
};

/* ---- addresses ---- */

/* DIR may be too long for sun_path, and then goes through its descriptor. */
static bool address_of(struct lmdb_peers *ps, const char *name, struct sockaddr_un *out)
{
    struct lmdb_engine *eng = ps->eng;
    int n;

    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    n = snprintf(out->sun_path, sizeof out->sun_path, "%s/watch/%s", eng->dir, name);
    if (n > 0 && (size_t)n < sizeof out->sun_path)
        return true;
    n = snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d/%s", ps->watch_fd, name);
    return n > 0 && (size_t)n < sizeof out->sun_path;
}

/* Bound under a name that nobody lists, then renamed: a half-made socket seems a dead one. */
static int bind_socket(struct lmdb_peers *ps)
{
    struct sockaddr_un address;
    char hidden[NAME_MAX_LEN];
    unsigned long long salt;

    if (getrandom(&salt, sizeof salt, 0) != sizeof salt)
        return EIO;
    snprintf(hidden, sizeof hidden, ".%d-%016llx", (int)getpid(), salt);
    if (!address_of(ps, hidden, &address))
        return ENAMETOOLONG;
    ps->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (ps->socket < 0 || bind(ps->socket, (struct sockaddr *)&address, sizeof address))
        return errno;
    lmdb_adopt(ps->watch_fd, hidden);
    if (renameat(ps->watch_fd, hidden, ps->watch_fd, hidden + 1)) {
        int rc = errno;
        unlinkat(ps->watch_fd, hidden, 0);
        return rc;
    }
    snprintf(ps->name, sizeof ps->name, "%s", hidden + 1);
    return 0;
}

/* ---- sending ---- */

static void add_peer(struct lmdb_peers *ps, const char *name)
{
    struct peer *peer;

    if (name[0] == '.' || strlen(name) >= NAME_MAX_LEN || strcmp(name, ps->name) == 0)
        return;
    ps->peers = mem_grow(ps->peers, ps->n_peers + 1, sizeof *ps->peers);
    peer = &ps->peers[ps->n_peers++];
    *peer = (struct peer){.owed = true}; /* so it hears at least once */
    memcpy(peer->name, name, strlen(name) + 1);
}

static DIR *list_watch(struct lmdb_peers *ps)
{
    int fd = openat(ps->watch_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (fd >= 0 && !dir)
        close(fd);
    return dir;
}

static bool list_is_fresh(struct lmdb_peers *ps, const struct stat *st)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    int64_t age_ms = (int64_t)(now.tv_sec - st->st_mtim.tv_sec) * 1000 +
                     (now.tv_nsec - st->st_mtim.tv_nsec) / 1000000;
    return ps->listed_ms && st->st_mtim.tv_sec == ps->listed_mtime.tv_sec &&
           st->st_mtim.tv_nsec == ps->listed_mtime.tv_nsec &&
           (age_ms > 2 * MTIME_GRAIN_MS && lmdb_now_ms() > ps->listed_ms + MTIME_GRAIN_MS);
}

static void refresh_peers(struct lmdb_peers *ps)
{
    struct dirent *entry;
    struct stat st;
    DIR *dir;

    if (fstat(ps->watch_fd, &st) || list_is_fresh(ps, &st) || !(dir = list_watch(ps)))
        return;
    bool young = ps->listed_ms == 0 || st.st_mtim.tv_sec != ps->listed_mtime.tv_sec ||
                 st.st_mtim.tv_nsec != ps->listed_mtime.tv_nsec;
    ps->n_peers = 0;
    while ((entry = readdir(dir)) != NULL)
        add_peer(ps, entry->d_name);
    closedir(dir);
    ps->listed_mtime = st.st_mtim;
    if (young)
        ps->listed_ms = lmdb_now_ms();
}

/* 0, or why not. */
static int send_to(struct lmdb_peers *ps, const struct peer *peer, struct slice bytes)
{
    struct sockaddr_un address;

    if (!address_of(ps, peer->name, &address))
        return ENAMETOOLONG;
    ssize_t n = sendto(ps->socket, bytes.ptr, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL,
                       (struct sockaddr *)&address, sizeof address);
    return n < 0 ? errno : 0;
}

/* False: the peer is gone. */
static bool tell_peer(struct lmdb_peers *ps, struct peer *peer, struct slice pairs)
{
    static const uint8_t look_at_all[PAIR_LEN];
    int rc = send_to(ps, peer, peer->owed ? slice_of(look_at_all, PAIR_LEN) : pairs);

    if (rc == ECONNREFUSED || rc == ENOENT) {
        unlinkat(ps->watch_fd, peer->name, 0);
        atomic_store(&ps->look, true);
        return false;
    }
    peer->owed = rc != 0;
    return true;
}

void lmdb_peers_tell(struct lmdb_engine *eng, const struct lmdb_change *changes, size_t n)
{
    struct lmdb_peers *ps = eng->peers;
    uint8_t pairs[GROUP_BATCHES * PAIR_LEN];

    if (!ps || !ps->started)
        return;
    refresh_peers(ps);
    if (ps->n_peers == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        put_u64(pairs + i * PAIR_LEN, changes[i].partition_id);
        put_u64(pairs + i * PAIR_LEN + 8, changes[i].version);
    }
    for (size_t i = 0; i < ps->n_peers;)
        if (tell_peer(ps, &ps->peers[i], slice_of(pairs, n * PAIR_LEN)))
            i++;
        else
            ps->peers[i] = ps->peers[--ps->n_peers];
}

/* ---- receiving ---- */

static void hear(struct lmdb_peers *ps, struct slice pairs)
{
    for (; pairs.len >= PAIR_LEN; pairs = slice_from(pairs, PAIR_LEN)) {
        uint64_t partition_id = get_u64(pairs.ptr);

        if (partition_id == 0)
            atomic_store(&ps->look, true);
        else
            lmdb_notify_id(ps->eng, partition_id, get_u64(pairs.ptr + 8));
    }
}

/* True: something came. */
static bool receive_all(struct lmdb_peers *ps)
{
    uint8_t bytes[GROUP_BATCHES * PAIR_LEN];
    bool any = false;
    ssize_t n;

    while ((n = recv(ps->socket, bytes, sizeof bytes, 0)) >= 0) {
        hear(ps, slice_of(bytes, (size_t)n));
        any = true;
    }
    return any;
}

static bool others_are_there(struct lmdb_peers *ps)
{
    DIR *dir = list_watch(ps);
    struct dirent *entry;
    bool others = false;

    if (!dir)
        return false;
    while (!others && (entry = readdir(dir)) != NULL)
        others = entry->d_name[0] != '.' && strcmp(entry->d_name, ps->name) != 0;
    closedir(dir);
    return others;
}

/* Did anybody commit since we last looked? */
static bool transactions_were_made(struct lmdb_peers *ps)
{
    struct lmdb_read *rd;

    if (failed(lmdb_snapshot(ps->eng, 0, &rd)))
        return false;
    uint64_t txn = mdb_txn_id(rd->txn);
    lmdb_read_end(&rd->base);
    bool moved = txn != ps->seen_txn;
    ps->seen_txn = txn;
    return moved;
}

/* What others delete is ours to sweep when they are gone: the last that they said counts most. */
static void poke_writer(struct lmdb_peers *ps)
{
    uint64_t now = lmdb_now_ms();

    ps->poke_owed = now < ps->poked_ms + POKE_MS;
    if (ps->poke_owed)
        return;
    ps->poked_ms = now;
    lmdb_writer_poke(ps->eng);
}

static void turn(struct lmdb_peers *ps, bool tick)
{
    bool heard = receive_all(ps);
    bool look = atomic_exchange(&ps->look, false);

    if (tick && transactions_were_made(ps) && others_are_there(ps))
        look = true;
    if (look)
        lmdb_notify_all(ps->eng);
    if (look || heard || ps->poke_owed)
        poke_writer(ps);
}

static void *receiver_main(void *arg)
{
    struct lmdb_peers *ps = arg;
    struct pollfd fds[2] = {{.fd = ps->socket, .events = POLLIN},
                            {.fd = ps->stop_fd, .events = POLLIN}};
    uint64_t next = lmdb_now_ms() + TICK_MS;

    for (;;) {
        uint64_t now = lmdb_now_ms();
        int n = poll(fds, 2, now < next ? (int)(next - now) : 0);

        if (fds[1].revents)
            return NULL;
        if (n < 0)
            continue;
        bool tick = lmdb_now_ms() >= next;
        turn(ps, tick);
        if (tick)
            next = lmdb_now_ms() + TICK_MS;
    }
}

/* ---- starting and stopping ---- */

static int prepare(struct lmdb_peers *ps)
{
    struct lmdb_engine *eng = ps->eng;

    if (mkdirat(eng->dir_fd, "watch", 0700) && errno != EEXIST)
        return errno;
    lmdb_adopt(eng->dir_fd, "watch");
    ps->watch_fd = openat(eng->dir_fd, "watch", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ps->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (ps->watch_fd < 0 || ps->stop_fd < 0)
        return errno;
    return bind_socket(ps);
}

struct err lmdb_peers_start(struct lmdb_engine *eng)
{
    struct lmdb_peers *ps = eng->peers = mem_new(sizeof *ps);

    ps->eng = eng;
    ps->watch_fd = ps->socket = ps->stop_fd = -1;
    int rc = prepare(ps);
    if (rc) {
        lmdb_log(eng, LOG_LEVEL_ERROR, "store.watch_failed", rc);
        return lmdb_err(rc);
    }
    struct err e = lmdb_thread_start(&ps->thread, receiver_main, ps);
    ps->started = !failed(e);
    return e;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* The thread goes; the writer may still tell what it commits at the end. */
void lmdb_peers_stop(struct lmdb_engine *eng)
{
    struct lmdb_peers *ps = eng->peers;

    if (!ps || !ps->started)
        return;
    (void)!write(ps->stop_fd, &(uint64_t){1}, sizeof(uint64_t));
    pthread_join(ps->thread, NULL);
    if (ps->name[0])
        unlinkat(ps->watch_fd, ps->name, 0);
}

void lmdb_peers_free(struct lmdb_engine *eng)
{
    struct lmdb_peers *ps = eng->peers;

    if (!ps)
        return;
    if (ps->name[0])
        unlinkat(ps->watch_fd, ps->name, 0);
    close_fd(ps->socket);
    close_fd(ps->stop_fd);
    close_fd(ps->watch_fd);
    free(ps->peers);
    free(ps);
    eng->peers = NULL;
}
