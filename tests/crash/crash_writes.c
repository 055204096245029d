/*
 * The LMDB engine and a power cut.
 *
 * What the engine writes to its file is recorded, with every sync and every answer, while numbered
 * batches run (crash_load.h). Then the file is made again as a disk might have left it at some
 * instant: all that was synced by then, and of what was not synced any pages, or none. The store
 * must be sound, and hold at least what had been answered.
 *
 * The program defines pwrite, writev and the syncs itself; LMDB's calls end here first.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/support/crash_load.h"

enum { IN_FLIGHT = 16, BATCHES = 110, PAGE = 4096 };

/* ---- the record ---- */

enum entry_kind { ENTRY_WRITE, ENTRY_SYNC, ENTRY_ANSWER };

struct entry {
    enum entry_kind kind;
    size_t at, len; /* a write's */
    uint8_t *bytes;
    bool synced;     /* the write waited for the disk (O_DSYNC) */
    uint64_t number; /* of the batch that was answered */
};

static struct {
    pthread_mutex_t mutex;
    bool on;
    ino_t file; /* whose writes are recorded */
    struct entry *entries;
    size_t n;
} record = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void note(struct entry entry)
{
    pthread_mutex_lock(&record.mutex);
    record.entries = mem_grow(record.entries, record.n + 1, sizeof *record.entries);
    record.entries[record.n++] = entry;
    pthread_mutex_unlock(&record.mutex);
}

static bool is_recorded(int fd)
{
    struct stat st;

    return record.on && fstat(fd, &st) == 0 && st.st_ino == record.file;
}

static void note_write(int fd, const void *bytes, size_t len, off_t at)
{
    struct entry entry = {.kind = ENTRY_WRITE,
                          .at = (size_t)at,
                          .len = len,
                          .bytes = mem_array(len, 1),
                          .synced = (fcntl(fd, F_GETFL) & O_DSYNC) != 0};

    memcpy(entry.bytes, bytes, len);
    note(entry);
}

/* ---- in place of the C library's ---- */

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    static ssize_t (*real)(int, const void *, size_t, off_t);

    if (!real)
        real = (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
    ssize_t n = real(fd, bytes, len, at);
    if (n > 0 && is_recorded(fd))
        note_write(fd, bytes, (size_t)n, at);
    return n;
}

ssize_t writev(int fd, const struct iovec *pieces, int n_pieces)
{
    static ssize_t (*real)(int, const struct iovec *, int);
    off_t at = is_recorded(fd) ? lseek(fd, 0, SEEK_CUR) : -1;

    if (!real)
        real = (ssize_t(*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
    ssize_t n = real(fd, pieces, n_pieces), left = n;
    for (int i = 0; at >= 0 && left > 0; i++) {
        size_t len = pieces[i].iov_len < (size_t)left ? pieces[i].iov_len : (size_t)left;

        note_write(fd, pieces[i].iov_base, len, at);
        at += (off_t)len;
        left -= (ssize_t)len;
    }
    return n;
}

static int sync_with(const char *name, int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int rc = real(fd);

    if (rc == 0 && is_recorded(fd))
        note((struct entry){.kind = ENTRY_SYNC});
    return rc;
}

int fdatasync(int fd)
{
    return sync_with("fdatasync", fd);
}

int fsync(int fd)
{
    return sync_with("fsync", fd);
}

/* ---- a file in memory ---- */

struct image {
    uint8_t *bytes;
    size_t len;
};

static void image_write(struct image *image, const uint8_t *bytes, size_t len, size_t at)
{
    if (at + len > image->len) {
        image->bytes = mem_grow(image->bytes, at + len, 1);
        memset(image->bytes + image->len, 0, at + len - image->len);
        image->len = at + len;
    }
    memcpy(image->bytes + at, bytes, len);
}

static void image_load(struct image *image, const char *dir)
{
    char path[4096];
    struct stat st;

    snprintf(path, sizeof path, "%s/data.mdb", dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(fstat(fd, &st), 0);
    *image = (struct image){mem_array((size_t)st.st_size, 1), (size_t)st.st_size};
    assert_int_equal(read(fd, image->bytes, image->len), st.st_size);
    record.file = st.st_ino;
    close(fd);
}

static void image_save(const struct image *image, const char *dir)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/data.mdb", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, image->bytes, image->len), image->len);
    close(fd);
}

/* ---- what a disk leaves ---- */

struct disk {
    struct image synced;
    const struct entry **pending; /* written and not synced */
    size_t n_pending;
    uint64_t answered;
};

static void disk_take(struct disk *disk, const struct entry *entry)
{
    switch (entry->kind) {
    case ENTRY_WRITE:
        if (entry->synced) {
            image_write(&disk->synced, entry->bytes, entry->len, entry->at);
        } else {
            disk->pending = mem_grow(disk->pending, disk->n_pending + 1, sizeof *disk->pending);
            disk->pending[disk->n_pending++] = entry;
        }
        break;
    case ENTRY_SYNC:
        for (size_t i = 0; i < disk->n_pending; i++)
            image_write(&disk->synced, disk->pending[i]->bytes, disk->pending[i]->len,
                        disk->pending[i]->at);
        disk->n_pending = 0;
        break;
    case ENTRY_ANSWER:
        disk->answered = entry->number;
        break;
    }
}

/* Of each pending write the pages that luck chose; `percent` of them. In order: where two writes
 * are to one page, the choice already makes either the last. */
static void disk_cut(const struct disk *disk, struct rng *rng, uint32_t percent, struct image *out)
{
    *out = (struct image){mem_array(disk->synced.len, 1), disk->synced.len};
    memcpy(out->bytes, disk->synced.bytes, disk->synced.len);
    for (size_t i = 0; i < disk->n_pending; i++) {
        const struct entry *e = disk->pending[i];

        for (size_t at = 0; at < e->len; at += PAGE) {
            size_t len = e->len - at < PAGE ? e->len - at : PAGE;

            if (rng_below(rng, 100) < percent)
                image_write(out, e->bytes + at, len, e->at + at);
        }
    }
}

static void check_image(const struct image *image, uint64_t answered)
{
    struct bench b = {.dir = test_dir_new(), .loop = test_loop_new()};

    image_save(image, b.dir);
    bench_open(&b);
    crash_check(&b, answered, answered + IN_FLIGHT);
    bench_done(&b);
}

/* ---- the test ---- */

/* Run the batches, and have it all recorded. */
static void run_recorded(struct bench *b)
{
    struct engine_partition *p = bench_partition(b, CRASH_PARTITION);
    struct crash_load loads[IN_FLIGHT];

    record.on = true;
    for (uint64_t i = 1; i <= IN_FLIGHT; i++)
        crash_submit(b, p, &loads[i % IN_FLIGHT], i);
    for (uint64_t i = 1; i <= BATCHES; i++) {
        struct crash_load *load = &loads[i % IN_FLIGHT];

        job_wait(b, &load->job);
        assert_int_equal(load->job.batch.end, ENGINE_DONE);
        note((struct entry){.kind = ENTRY_ANSWER, .number = i});
        free(load->bytes);
        if (i + IN_FLIGHT <= BATCHES)
            crash_submit(b, p, load, i + IN_FLIGHT);
    }
    record.on = false;
    engine_partition_close(p);
}

static unsigned rounds(void)
{
    const char *text = getenv("GATEPOST_CRASH_ROUNDS");
    uint32_t n;

    return text && slice_to_u32(slice_str(text), &n) ? n : 20;
}

/* Instants, in order: anywhere, and as often right at a sync, an answer or a synced write. */
static bool is_instant(const struct entry *entry, struct rng *rng, size_t n_turning, size_t n)
{
    bool turning = entry->kind != ENTRY_WRITE || entry->synced;

    return rng_below(rng, (uint32_t)(2 * (turning ? n_turning : n) / rounds()) + 1) == 0;
}

static size_t count_turning(void)
{
    size_t turning = 0;

    for (size_t i = 0; i < record.n; i++)
        turning += record.entries[i].kind != ENTRY_WRITE || record.entries[i].synced;
    return turning;
}

static void whatever_a_power_cut_leaves_of_unsynced_writes_nothing_answered_is_lost(void **state)
{
    struct rng rng = rng_seeded();
    struct disk disk = {{NULL, 0}, NULL, 0, 0};
    struct bench b = {0};
    unsigned cuts = 0;

    (void)state;
    bench_init(&b);
    image_load(&disk.synced, b.dir);
    run_recorded(&b);
    bench_done(&b);
    size_t turning = count_turning();
    assert_true(turning > BATCHES);
    for (size_t i = 0; i < record.n; i++) {
        if (is_instant(&record.entries[i], &rng, turning, record.n)) {
            static const uint32_t percents[] = {0, 10, 50, 90, 100};
            struct image image;

            disk_cut(&disk, &rng, percents[rng_below(&rng, 5)], &image);
            check_image(&image, disk.answered);
            free(image.bytes);
            cuts++;
        }
        disk_take(&disk, &record.entries[i]);
    }
    assert_true(cuts > 0);
    for (size_t i = 0; i < record.n; i++)
        free(record.entries[i].bytes);
    free(record.entries);
    free(disk.pending);
    free(disk.synced.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_a_power_cut_leaves_of_unsynced_writes_nothing_answered_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
