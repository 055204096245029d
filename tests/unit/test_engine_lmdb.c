/*
 * What the LMDB engine promises beyond engine.h: other processes, full disks, damaged files,
 * backups, formats. A second process is this program again, as `test_engine_lmdb --child ...`.
 */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/engine/engine_lmdb.h"
#include "tests/support/engine.h"

extern char **environ;

static int setup(void **state)
{
    struct bench *b = mem_new(sizeof *b);

    bench_init(b);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    bench_done(*state);
    free(*state);
    return 0;
}

/* ---- helpers ---- */

static char *path_of(struct bench *b, const char *name)
{
    size_t len = strlen(b->dir) + strlen(name) + 2;
    char *path = mem_array(len, 1);

    snprintf(path, len, "%s/%s", b->dir, name);
    return path;
}

static void count_finding(void *ctx, const char *text)
{
    (void)text;
    ++*(int *)ctx;
}

static int findings_of(struct bench *b)
{
    int findings = 0;
    struct err e = engine_verify(b->engine, count_finding, &findings);

    assert_int_equal(e.code, findings ? ERR_CORRUPT : ERR_NONE);
    return findings;
}

/* ---- the other process ---- */

static struct bench child_bench(const char *dir)
{
    struct bench b = {.dir = mem_str(dir), .loop = test_loop_new()};

    bench_open(&b);
    return b;
}

static int child_done(struct bench *b)
{
    bench_close(b);
    test_loop_free(b->loop);
    free(b->dir);
    return 0;
}

/* put DIR PARTITION KEY VALUE; then stay until standard input ends. */
static int child_put(char **argv)
{
    struct bench b = child_bench(argv[0]);
    struct engine_partition *p = bench_partition(&b, strtoull(argv[1], NULL, 10));
    struct job job = JOB(p, PUT(argv[2], argv[3]));
    char byte;

    job_done(&b, &job);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    engine_partition_close(p);
    return child_done(&b);
}

/* unlink DIR PARTITION ID ID */
static int child_unlink(char **argv)
{
    struct bench b = child_bench(argv[0]);
    struct engine_partition *p = bench_partition(&b, strtoull(argv[1], NULL, 10));

    bench_unlink_blob(&b, p, strtoull(argv[2], NULL, 10));
    bench_unlink_blob(&b, p, strtoull(argv[3], NULL, 10));
    engine_partition_close(p);
    return child_done(&b);
}

/* fill DIR PARTITION MEGABYTES */
static int child_fill(char **argv)
{
    struct bench b = child_bench(argv[0]);
    struct engine_partition *p = bench_partition(&b, strtoull(argv[1], NULL, 10));

    for (uint64_t i = 0; i < strtoull(argv[2], NULL, 10); i++) {
        uint8_t *bytes = bytes_make(1 << 20, 1000 + i);
        bench_store_blob(&b, p, bytes, 1 << 20);
        free(bytes);
    }
    engine_partition_close(p);
    return child_done(&b);
}

/* Big blobs, which are staged under pins, come and go. */
static void churn(struct bench *b, uint64_t partition_id)
{
    enum { TIMES = 12, LEN = 5 << 20 };
    struct engine_partition *p = bench_partition(b, partition_id);

    for (uint64_t i = 0; i < TIMES; i++) {
        uint8_t *bytes = bytes_make(LEN, partition_id << 32 | i);

        bench_unlink_blob(b, p, bench_store_blob(b, p, bytes, LEN));
        free(bytes);
    }
    engine_partition_close(p);
}

/* churn DIR PARTITION */
static int child_churn(char **argv)
{
    struct bench b = child_bench(argv[0]);

    churn(&b, strtoull(argv[1], NULL, 10));
    return child_done(&b);
}

/* narrow DIR: with little address space */
static int child_narrow(char **argv)
{
    struct rlimit limit = {4ull << 30, 4ull << 30};
    const struct engine_lmdb_config config = {.dir = argv[0], .create = true};
    struct engine *engine;

    if (setrlimit(RLIMIT_AS, &limit) || failed(engine_lmdb_open(&config, NULL, &engine)))
        return 1;
    engine_close(engine);
    return 0;
}

/* hoard DIR: opens as many snapshots as there can be, and is killed */
static int child_hoard(char **argv)
{
    struct bench b = child_bench(argv[0]);
    struct engine_partition *p = bench_partition(&b, 5);
    struct engine_read *rd;

    while (!failed(engine_read_begin(p, &rd)))
        continue;
    return kill(getpid(), SIGKILL);
}

static int child_main(char **argv)
{
    static const struct {
        const char *name;
        int (*run)(char **argv);
    } roles[] = {
        {"put", child_put},     {"unlink", child_unlink}, {"fill", child_fill},
        {"churn", child_churn}, {"narrow", child_narrow}, {"hoard", child_hoard},
    };

    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (strcmp(roles[i].name, argv[0]) == 0)
            return roles[i].run(argv + 1);
    return 2;
}

struct child {
    pid_t pid;
    int stdin_fd;
};

#define CHILD_START(...) child_start((char *[]){"test_engine_lmdb", "--child", __VA_ARGS__, NULL})

static struct child child_start(char **argv)
{
    posix_spawn_file_actions_t actions;
    struct child child;
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
    assert_int_equal(posix_spawn(&child.pid, "/proc/self/exe", &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[0]);
    child.stdin_fd = ends[1];
    return child;
}

static void child_wait(struct child *child)
{
    int status;

    close(child->stdin_fd);
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_killed_process_takes_no_snapshots_with_it(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    struct child killed = CHILD_START("hoard", b->dir);
    int status;

    assert_int_equal(waitpid(killed.pid, &status, 0), killed.pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(killed.stdin_fd);
    struct child next = CHILD_START("put", b->dir, "5", "k", "v");
    child_wait(&next);
    assert_value(p, "k", "v");
    engine_partition_close(p);
}

static void a_watch_hears_of_commits_of_another_process(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    struct watching w = watching_make(b);

    engine_watch_start(p, &w.watch);
    struct child child = CHILD_START("put", b->dir, "5", "k", "from the child");
    while (w.watch.version < 1)
        test_loop_wait(b->loop);
    assert_value(p, "k", "from the child");
    child_wait(&child);
    watching_stop(b, &w);
    engine_partition_close(p);
}

/* With its socket gone nobody can tell this process anything: it must find out by itself. */
static void a_watch_hears_of_commits_whose_datagram_was_lost(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    struct watching w = watching_make(b);
    char *watch = path_of(b, "watch"), *away = path_of(b, "away");

    engine_watch_start(p, &w.watch);
    assert_int_equal(rename(watch, away), 0);
    struct child child = CHILD_START("put", b->dir, "5", "k", "v");
    /* The child has its own directory; this one still looks into the one that it opened. */
    char *other = path_of(b, "away/1-0");
    assert_int_equal(mknod(other, S_IFSOCK | 0600, 0), 0);
    while (w.watch.version < 1)
        test_loop_wait(b->loop);
    child_wait(&child);
    watching_stop(b, &w);
    engine_partition_close(p);
    free(other);
    free(watch);
    free(away);
}

static void sockets_of_dead_processes_are_removed(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    char *dead = path_of(b, "watch/1-0123456789abcdef");
    struct job job = JOB(p, PUT("k", "v"));

    assert_int_equal(mknod(dead, S_IFSOCK | 0600, 0), 0);
    while (access(dead, F_OK) == 0)
        job_done(b, &job);
    free(dead);
    engine_partition_close(p);
}

static void a_pin_holds_against_other_processes(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    uint8_t *bytes = bytes_make(100000, 1), *other = bytes_make(1000, 2);
    char first[24], second[24];
    uint64_t id = bench_store_blob(b, p, bytes, 100000);

    snprintf(first, sizeof first, "%llu", (unsigned long long)id);
    snprintf(second, sizeof second, "%llu",
             (unsigned long long)bench_store_blob(b, p, other, 1000));
    engine_blob_pin(b->engine, id);
    struct child child = CHILD_START("unlink", b->dir, "5", first, second);
    child_wait(&child);
    bench_swept(b, 1);
    assert_blob(p, id, bytes, 100000);
    engine_blob_unpin(b->engine, id);
    bench_swept(b, 0);
    free(bytes);
    free(other);
    engine_partition_close(p);
    assert_sound(b);
}

static void processes_stage_and_sweep_side_by_side(void **state)
{
    struct bench *b = *state;
    struct child one = CHILD_START("churn", b->dir, "6");
    struct child two = CHILD_START("churn", b->dir, "7");

    churn(b, 5);
    child_wait(&one);
    child_wait(&two);
    bench_swept(b, 0);
    assert_sound(b);
}

static void a_file_that_outgrew_the_map_is_mapped_anew(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p;
    uint8_t *bytes = bytes_make(1 << 20, 1007);
    struct job job;

    bench_close(b);
    b->map_bytes = 8 << 20;
    bench_open(b);
    p = bench_partition(b, 5);
    job = JOB(p, PUT("k", "before"));
    job_done(b, &job);
    struct child child = CHILD_START("fill", b->dir, "5", "10");
    child_wait(&child);
    assert_value(p, "k", "before");
    assert_blob(p, 8, bytes, 1 << 20);
    struct job after = JOB(p, PUT("k", "after"));
    job_done(b, &after);
    assert_value(p, "k", "after");
    child = CHILD_START("fill", b->dir, "6", "190");
    child_wait(&child);
    job_done(b, &after); /* now it is the writer that finds out */
    free(bytes);
    engine_partition_close(p);
    assert_sound(b);
}

static void little_address_space_makes_a_smaller_map(void **state)
{
    struct bench *b = *state;
    (void)b;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* sanitizers need terabytes */
#else
    bench_close(b);
    struct child child = CHILD_START("narrow", b->dir);
    child_wait(&child);
    bench_open(b);
#endif
}

/* ---- no space ---- */

/* Batches that fit are done, those that do not are refused, whoever shares their group. */
static void run_group_of_small_and_big(struct bench *b, struct engine_partition *p, size_t big_len)
{
    struct engine_partition *other = bench_partition(b, 99);
    uint8_t *bytes = bytes_make(big_len, 77);
    struct engine_new_blob blob = blob_make(bytes, big_len, "");
    struct gate *gate = gate_close(b, other);
    struct job first = JOB(p, PUT("first", "1"));
    struct job big = JOB(p, {.kind = OP_LINK, .hash = blob.hash}, PUT("big", "1"));
    struct job last = JOB(p, PUT("last", "1"));

    big.batch.blobs = &blob;
    big.batch.n_blobs = 1;
    job_submit(b, &first);
    job_submit(b, &big);
    job_submit(b, &last);
    gate_open(b, gate);
    job_wait(b, &first);
    job_wait(b, &big);
    job_wait(b, &last);
    assert_ok(first.batch.err);
    assert_int_equal(big.batch.end, ENGINE_REFUSED);
    assert_code(big.batch.err, ERR_NO_SPACE);
    assert_ok(last.batch.err);
    assert_int_equal(last.batch.version, first.batch.version + 1);
    assert_value(p, "big", NULL);
    assert_value(p, "last", "1");
    free(bytes);
    engine_partition_close(other);
}

static void a_full_map_refuses_only_what_does_not_fit(void **state)
{
    enum { PIECE = 300000 };
    struct bench *b = *state;
    struct engine_partition *p;
    uint64_t ids[100];
    size_t n = 0;

    bench_close(b);
    b->map_bytes = 16 << 20;
    bench_open(b);
    p = bench_partition(b, 5);
    run_group_of_small_and_big(b, p, 3 << 20 | 1 << 24); /* staged: larger than the map */
    bench_swept(b, 0);
    for (; n < 100; n++) {
        uint8_t *bytes = bytes_make(PIECE, n);
        struct engine_new_blob blob = blob_make(bytes, PIECE, "");
        struct job job = JOB(p, {.kind = OP_LINK, .hash = blob.hash});

        job.batch.blobs = &blob;
        job.batch.n_blobs = 1;
        job_run(b, &job);
        ids[n] = job.linked.id;
        free(bytes);
        if (job.batch.end != ENGINE_DONE) {
            assert_code(job.batch.err, ERR_NO_SPACE);
            break;
        }
    }
    assert_in_range(n, 20, 60);
    run_group_of_small_and_big(b, p, 3 << 20);
    for (size_t i = 0; i < n; i += 2)
        bench_unlink_blob(b, p, ids[i]);
    bench_swept(b, 0);
    uint8_t *bytes = bytes_make(PIECE, 500);
    uint64_t id = bench_store_blob(b, p, bytes, PIECE);
    assert_blob(p, id, bytes, PIECE);
    free(bytes);
    engine_partition_close(p);
    assert_sound(b);
}

/* A limit on the size of files is to write() what a full disk is: cut short, then an error. */
static void limit_file_size(uint64_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_refuses_only_what_does_not_fit(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    uint8_t *bytes = bytes_make(1 << 20, 1), *small = bytes_make(1000, 2);
    struct engine_stats st;

    signal(SIGXFSZ, SIG_IGN);
    uint64_t id = bench_store_blob(b, p, bytes, 1 << 20);
    bench_unlink_blob(b, p, id);
    bench_swept(b, 0);
    assert_ok(engine_stats(b->engine, &st));
    limit_file_size(st.file_bytes + 8192);
    run_group_of_small_and_big(b, p, 3 << 20);
    run_group_of_small_and_big(b, p, 12 << 20); /* staged */
    id = bench_store_blob(b, p, small, 1000);
    bench_unlink_blob(b, p, id);
    limit_file_size(0);
    id = bench_store_blob(b, p, bytes, 1 << 20);
    assert_blob(p, id, bytes, 1 << 20);
    engine_partition_close(p);
    bench_close(b);
    bench_open(b);
    p = bench_partition(b, 5);
    assert_blob(p, id, bytes, 1 << 20);
    bench_swept(b, 0);
    free(bytes);
    free(small);
    engine_partition_close(p);
    assert_sound(b);
}

/* Of a size that many of them are swept in more than one slice. */
enum { PIECE_BYTES = 300000 };

static bool store_piece(struct bench *b, struct engine_partition *p, size_t n, uint64_t *id)
{
    uint8_t *bytes = bytes_make(PIECE_BYTES, n);
    struct engine_new_blob blob = blob_make(bytes, PIECE_BYTES, "");
    struct job job = JOB(p, {.kind = OP_LINK, .hash = blob.hash});

    job.batch.blobs = &blob;
    job.batch.n_blobs = 1;
    job_run(b, &job);
    *id = job.linked.id;
    free(bytes);
    if (job.batch.end != ENGINE_DONE)
        assert_code(job.batch.err, ERR_NO_SPACE);
    return job.batch.end == ENGINE_DONE;
}

static void what_is_deleted_on_a_full_disk_makes_room_at_once(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    uint64_t ids[100];
    size_t n = 0;
    struct engine_stats st;

    signal(SIGXFSZ, SIG_IGN);
    assert_ok(engine_stats(b->engine, &st));
    limit_file_size(st.file_bytes + (12 << 20));
    while (n < 100 && store_piece(b, p, n, &ids[n]))
        n++;
    assert_in_range(n, 20, 60);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 15; i++)
            bench_unlink_blob(b, p, ids[--n]);
        bench_swept(b, 0);
        for (size_t i = 0; i < 12; i++, n++) /* the very first one fits */
            assert_true(store_piece(b, p, 1000 + n + 100 * (size_t)round, &ids[n]));
    }
    limit_file_size(0);
    engine_partition_close(p);
    assert_sound(b);
}

/* Keys that are far from one another. */
static struct err put_too_many(struct engine_write *w, struct job *job)
{
    char key[32];
    (void)job;

    for (int i = 0; i <= ENGINE_BATCH_CHANGES; i++) {
        snprintf(key, sizeof key, "%d.", i);
        if (failed(engine_put(w, slice_str(key), S("x"))))
            assert_int_equal(i, ENGINE_BATCH_CHANGES);
    }
    return OK; /* which is a lie */
}

/* Keys that follow one another cost few pages, so a batch may change more of them. */
static struct err put_many_in_a_row(struct engine_write *w, struct job *job)
{
    uint8_t key[4];
    (void)job;

    for (uint32_t i = 0; i < 3u * ENGINE_BATCH_CHANGES; i++) {
        for (int k = 0; k < 4; k++)
            key[k] = (uint8_t)(i >> (24 - 8 * k));
        struct err e = engine_put(w, slice_of(key, sizeof key), S("x"));
        if (failed(e))
            return e;
    }
    return OK;
}

static struct err put_too_much(struct engine_write *w, struct job *job)
{
    struct err e = OK;
    char key[32];
    (void)job;

    uint8_t *value = bytes_make(5000, 1);
    for (int i = 0; !failed(e) && i <= ENGINE_BATCH_BYTES / 5000; i++) {
        snprintf(key, sizeof key, "%d", i);
        e = engine_put(w, slice_str(key), slice_of(value, 5000));
    }
    free(value);
    return e;
}

static void a_batch_that_changes_too_much_is_refused(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    struct job much = JOB(p, {.kind = OP_CALL, .call = put_too_much});
    struct job many = JOB(p, {.kind = OP_CALL, .call = put_too_many});
    struct job in_a_row = JOB(p, {.kind = OP_CALL, .call = put_many_in_a_row});
    struct job small = JOB(p, PUT("k", "v"));

    job_submit(b, &much);
    job_submit(b, &many);
    job_done(b, &small);
    assert_int_equal(much.batch.end, ENGINE_REFUSED);
    assert_code(much.batch.err, ERR_TOO_BIG);
    assert_int_equal(many.batch.end, ENGINE_REFUSED);
    assert_code(many.batch.err, ERR_TOO_BIG);
    assert_int_equal(bench_version(p), 1);
    assert_value(p, "1.", NULL);
    job_done(b, &in_a_row);
    engine_partition_close(p);
    assert_sound(b);
}

static void a_batch_that_waited_too_long_is_not_tried(void **state)
{
    const struct timespec moment = {.tv_nsec = 3000000};
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5), *q = bench_partition(b, 6);
    struct gate *gate = gate_close(b, q);
    struct job late = JOB(p, PUT("k", "late")), next = JOB(p, PUT("k", "next"));

    late.batch.deadline_ms = 1;
    next.batch.deadline_ms = UINT64_MAX;
    job_submit(b, &late);
    job_submit(b, &next);
    nanosleep(&moment, NULL);
    gate_open(b, gate);
    job_wait(b, &late);
    job_wait(b, &next);
    assert_int_equal(late.batch.end, ENGINE_UNAVAILABLE);
    assert_code(late.batch.err, ERR_TIMEOUT);
    assert_int_equal(next.batch.version, 1);
    engine_partition_close(p);
    engine_partition_close(q);
}

/* ---- damage ---- */

static uint8_t *file_read(const char *path, size_t *len)
{
    struct stat st;
    int fd = open(path, O_RDONLY);

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    uint8_t *bytes = mem_array((size_t)st.st_size, 1);
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    close(fd);
    *len = (size_t)st.st_size;
    return bytes;
}

static void flip_bit(const char *path, size_t at)
{
    uint8_t byte;
    int fd = open(path, O_RDWR);

    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    close(fd);
}

/* Where `needle` is in the file, the `nth` time; false where it is not. */
static bool find_in_file(const char *path, struct slice needle, int nth, size_t *at)
{
    size_t len;
    uint8_t *bytes = file_read(path, &len);
    struct slice rest = slice_of(bytes, len);
    bool found = false;

    for (; !found && rest.len; nth--) {
        size_t skip = slice_find(rest, needle);
        if (skip == rest.len)
            break;
        *at = (size_t)(rest.ptr - bytes) + skip;
        found = nth == 0;
        rest = slice_from(rest, skip + 1);
    }
    free(bytes);
    return found;
}

static void a_flipped_bit_in_a_blob_is_noticed(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    uint8_t *bytes = bytes_make(200000, 1);
    uint64_t id = bench_store_blob(b, p, bytes, 200000);
    char *path = path_of(b, "data.mdb");
    struct engine_read *rd;
    struct slice piece;
    size_t at;

    engine_partition_close(p);
    bench_close(b);
    assert_true(find_in_file(path, slice_of(bytes + 100000, 50), 0, &at));
    flip_bit(path, at);
    bench_open(b);
    p = bench_partition(b, 5);
    assert_ok(engine_read_begin(p, &rd));
    assert_ok(engine_blob_piece(rd, id, 0, UINT64_MAX, &piece));
    assert_code(engine_blob_piece(rd, id, 100000, 1, &piece), ERR_CORRUPT);
    assert_code(engine_blob_piece(rd, id, 70000, UINT64_MAX, &piece), ERR_CORRUPT);
    /* In the same piece, and in no block that is asked for. */
    assert_ok(engine_blob_piece(rd, id, 70000, 10000, &piece));
    assert_int_equal(piece.len, 10000);
    assert_memory_equal(piece.ptr, bytes + 70000, 10000);
    assert_ok(engine_blob_piece(rd, id, 110000, 1000, &piece));
    assert_ok(engine_blob_piece(rd, id, 199999, UINT64_MAX, &piece));
    assert_int_equal(piece.len, 1);
    engine_read_end(rd);
    assert_true(findings_of(b) >= 1);
    engine_partition_close(p);
    free(path);
    free(bytes);
}

/* In the figures, the index by hash, and the meta. */
static void a_flipped_bit_in_a_record_is_found_by_verify(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    uint8_t *bytes = bytes_make(1000, 1);
    struct engine_new_blob blob = blob_make(bytes, 1000, "");
    char *path = path_of(b, "data.mdb");
    int flipped = 0;
    size_t at;

    bench_store_blob(b, p, bytes, 1000);
    engine_partition_close(p);
    bench_close(b);
    const struct slice needles[] = {slice_of(blob.hash, ENGINE_HASH_LEN),
                                    S("the meta of this blob")};
    for (size_t i = 0; i < 2; i++)
        for (int nth = 0; find_in_file(path, needles[i], nth, &at); nth++) {
            flip_bit(path, at + 5);
            bench_open(b);
            int findings = findings_of(b);
            bench_close(b);
            flip_bit(path, at + 5);
            flipped += findings > 0;
        }
    /* Older copies of the pages may be there as well, and nobody reads them. */
    assert_true(flipped >= 3);
    bench_open(b);
    assert_int_equal(findings_of(b), 0);
    free(path);
    free(bytes);
}

/* ---- opening ---- */

static struct err open_dir(const char *dir, bool create)
{
    const struct engine_lmdb_config config = {.dir = dir, .create = create, .map_bytes = 1 << 26};
    struct engine *engine;

    struct err e = engine_lmdb_open(&config, NULL, &engine);
    if (!failed(e))
        engine_close(engine);
    return e;
}

/* Behind the engine's back. */
static void put_raw(const char *dir, const char *db, struct slice key, const void *value,
                    size_t len)
{
    MDB_val k = {key.len, (void *)(uintptr_t)key.ptr}, v = {len, (void *)(uintptr_t)value};
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;

    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 10), 0);
    assert_int_equal(mdb_env_open(env, dir, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, db, MDB_CREATE, &dbi), 0);
    assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void set_format(const char *dir, const char *db, const void *value, size_t len)
{
    put_raw(dir, db, S("format"), value, len);
}

static struct err walk_all(struct engine_write *w, struct job *job)
{
    struct engine_cursor *c = engine_cursor_open(engine_write_read(w));
    struct slice key, value;
    struct err e = engine_seek(c, SLICE_EMPTY, &key, &value);
    (void)job;

    while (!failed(e))
        e = engine_next(c, &key, &value);
    engine_cursor_close(c);
    return e.code == ERR_NOT_FOUND ? OK : e;
}

/* A slip of the list costs somebody's mail, unless it is held against the count of references. */
static void a_blob_in_use_is_not_swept_though_the_dead_list_names_it(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    uint8_t *bytes = bytes_make(100000, 1), key[8];
    static const uint8_t long_ago[8] = {[7] = 1};
    uint64_t id = bench_store_blob(b, p, bytes, 100000);

    engine_partition_close(p);
    bench_close(b);
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(id >> (56 - 8 * i));
    put_raw(b->dir, "dead", slice_of(key, sizeof key), long_ago, sizeof long_ago);
    bench_open(b);
    p = bench_partition(b, 5);
    bench_swept(b, 0);
    assert_blob(p, id, bytes, 100000);
    assert_sound(b);
    free(bytes);
    engine_partition_close(p);
}

/* LMDB's own bound of keys is above ours, so a damaged length can be one that it does not mind. */
static void a_key_longer_than_ours_is_damage_and_harms_nobody(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    struct job put = JOB(p, PUT("a", "1"), PUT("z", "2"));
    static const uint8_t partition[8] = {[7] = 5};
    uint8_t key[511];

    job_done(b, &put);
    engine_partition_close(p);
    bench_close(b);
    memset(key, 'k', sizeof key);
    memcpy(key, partition, sizeof partition);
    put_raw(b->dir, "data", slice_of(key, sizeof key), "x", 1);
    bench_open(b);
    p = bench_partition(b, 5);
    struct job walk = JOB(p, {.kind = OP_CALL, .call = walk_all});
    job_refused(b, &walk, ERR_CORRUPT);
    assert_value(p, "z", "2");
    engine_partition_close(p);
}

static void only_a_store_of_ours_is_opened(void **state)
{
    struct bench *b = *state;
    char *none = path_of(b, "none"), *foreign = path_of(b, "foreign"), *junk = path_of(b, "junk");
    char *junk_file = path_of(b, "junk/data.mdb"), *old = path_of(b, "old");

    assert_code(open_dir(none, false), ERR_NOT_FOUND);
    assert_int_equal(mkdir(none, 0700), 0);
    assert_code(open_dir(none, false), ERR_NOT_FOUND);
    assert_int_equal(mkdir(foreign, 0700), 0);
    set_format(foreign, "somebody's", "x", 1);
    assert_code(open_dir(foreign, true), ERR_CORRUPT);
    set_format(foreign, "meta", "x", 1);
    assert_code(open_dir(foreign, true), ERR_CORRUPT);
    assert_int_equal(mkdir(junk, 0700), 0);
    int fd = open(junk_file, O_WRONLY | O_CREAT, 0600);
    uint8_t *bytes = bytes_make(20000, 1);
    assert_int_equal(write(fd, bytes, 20000), 20000);
    close(fd);
    assert_code(open_dir(junk, true), ERR_CORRUPT);
    assert_ok(open_dir(old, true));
    assert_ok(open_dir(old, false));
    set_format(old, "meta", "gatepost-engine\0\0\0\1", 19);
    assert_code(open_dir(old, true), ERR_UNSUPPORTED);
    set_format(old, "meta", "gatepost-engine\0\0\0\377", 19);
    assert_code(open_dir(old, true), ERR_UNSUPPORTED);
    assert_code(open_dir(b->dir, true), ERR_CONFLICT);
    free(bytes);
    free(none);
    free(foreign);
    free(junk);
    free(junk_file);
    free(old);
}

static void make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    close(fd);
}

/* Killed before the first commit, the process leaves an empty file; a disaster may, too. */
static void a_store_whose_making_was_cut_short_is_made_and_an_emptied_one_is_not(void **state)
{
    struct bench *b = *state;
    char *dir = path_of(b, "new"), *data = path_of(b, "new/data.mdb");
    char *making = path_of(b, "new/making");

    assert_int_equal(mkdir(dir, 0700), 0);
    make_file(making);
    make_file(data);
    assert_ok(open_dir(dir, true));
    assert_int_equal(access(making, F_OK), -1);
    assert_ok(open_dir(dir, false));
    make_file(data);
    assert_code(open_dir(dir, true), ERR_CORRUPT);
    free(dir);
    free(data);
    free(making);
}

static void nobody_else_may_read_the_files(void **state)
{
    static const struct {
        const char *name;
        mode_t mode;
    } files[] = {{"data.mdb", 0600}, {"lock.mdb", 0600},  {"open.lock", 0600},
                 {"watch", 0700},    {"pins.lock", 0600}, {"fresh", 0700}};
    struct bench *b = *state;
    char *fresh = path_of(b, "fresh");

    assert_ok(open_dir(fresh, true));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = path_of(b, files[i].name);
        struct stat st;

        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, files[i].mode);
        free(path);
    }
    free(fresh);
}

/* The administrator's tool makes a store, then the daemon opens it under its own account. */
static void what_root_makes_belongs_to_the_owner_of_the_directory(void **state)
{
    enum { DAEMON = 12345 };
    int status;
    (void)state;

    if (geteuid() != 0)
        skip();
    char *dir = test_dir_new();
    assert_int_equal(chown(dir, DAEMON, DAEMON), 0);
    assert_ok(open_dir(dir, true));
    pid_t pid = fork();
    if (pid == 0) {
        bool dropped = setgid(DAEMON) == 0 && setuid(DAEMON) == 0;
        _exit(dropped && !failed(open_dir(dir, true)) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    test_dir_free(dir);
}

static void a_long_path_is_no_trouble(void **state)
{
    struct bench *b = *state;
    char name[150];

    memset(name, 'd', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    char *dir = path_of(b, name);
    struct bench far = {.dir = dir, .loop = test_loop_new()};
    bench_open(&far);
    struct engine_partition *p = bench_partition(&far, 5);
    struct watching w = watching_make(&far);
    engine_watch_start(p, &w.watch);
    struct child child = CHILD_START("put", dir, "5", "k", "v");
    while (w.watch.version < 1)
        test_loop_wait(far.loop);
    child_wait(&child);
    watching_stop(&far, &w);
    engine_partition_close(p);
    bench_close(&far);
    test_loop_free(far.loop);
    free(dir);
}

/* ---- backup and compaction ---- */

static void a_backup_is_a_store_of_that_moment(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    uint8_t *bytes = bytes_make(5 << 20, 1);
    uint64_t id = bench_store_blob(b, p, bytes, 5 << 20);
    struct job job = JOB(p, PUT("k", "before"));

    job_done(b, &job);
    for (int compact = 0; compact < 2; compact++) {
        char *dir = path_of(b, compact ? "compact" : "plain");
        struct job later = JOB(p, PUT("k", "later"));

        job_done(b, &job);
        assert_ok(engine_backup(b->engine, dir, compact));
        assert_code(engine_backup(b->engine, dir, compact), ERR_EXISTS);
        job_done(b, &later);
        struct bench copy = {.dir = dir, .loop = test_loop_new()};
        bench_open(&copy);
        struct engine_partition *q = bench_partition(&copy, 5);
        assert_value(q, "k", "before");
        assert_blob(q, id, bytes, 5 << 20);
        engine_partition_close(q);
        assert_sound(&copy);
        bench_close(&copy);
        test_loop_free(copy.loop);
        free(dir);
    }
    assert_code(engine_backup(b->engine, "/nowhere/at/all", false), ERR_NOT_FOUND);
    free(bytes);
    engine_partition_close(p);
}

static void a_backup_that_finds_no_room_leaves_nothing(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    uint8_t *bytes = bytes_make(5 << 20, 1);
    char *dir = path_of(b, "backup"), *file = path_of(b, "backup/data.mdb");

    bench_store_blob(b, p, bytes, 5 << 20);
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(1 << 20);
    struct err plain = engine_backup(b->engine, dir, false);
    struct err compact = engine_backup(b->engine, dir, true);
    limit_file_size(0);
    assert_true(failed(plain));
    assert_true(failed(compact));
    assert_int_not_equal(access(file, F_OK), 0);
    assert_ok(engine_backup(b->engine, dir, false));
    free(bytes);
    free(dir);
    free(file);
    engine_partition_close(p);
}

static void compaction_gives_back_what_is_free(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    uint8_t *bytes = bytes_make(5 << 20, 1), *kept = bytes_make(100000, 2);
    uint64_t id = bench_store_blob(b, p, bytes, 5 << 20),
             kept_id = bench_store_blob(b, p, kept, 100000);
    struct engine_stats before, after;

    bench_unlink_blob(b, p, id);
    bench_swept(b, 0);
    /* Dead, but kept by its pin until the store is closed: goes after the compaction. */
    uint64_t pinned = bench_store_blob(b, p, bytes, 1000);
    engine_blob_pin(b->engine, pinned);
    bench_unlink_blob(b, p, pinned);
    assert_ok(engine_stats(b->engine, &before));
    assert_code(engine_lmdb_compact(b->dir, NULL), ERR_UNAVAILABLE);
    engine_blob_unpin(b->engine, pinned);
    engine_partition_close(p);
    bench_close(b);
    assert_ok(engine_lmdb_compact(b->dir, NULL));
    bench_open(b);
    p = bench_partition(b, 5);
    assert_ok(engine_stats(b->engine, &after));
    assert_true(after.file_bytes < before.file_bytes / 4);
    assert_blob(p, kept_id, kept, 100000);
    bench_swept(b, 0);
    struct job job = JOB(p, PUT("k", "v"));
    job_done(b, &job);
    free(bytes);
    free(kept);
    engine_partition_close(p);
    assert_sound(b);
}

static void stats_tell_what_is_there(void **state)
{
    struct bench *b = *state;
    struct engine_partition *p = bench_partition(b, 5);
    uint8_t *bytes = bytes_make(100000, 1);
    struct engine_stats st;
    struct engine_read *rd;

    bench_store_blob(b, p, bytes, 100000);
    assert_ok(engine_read_begin(p, &rd));
    assert_ok(engine_stats(b->engine, &st));
    engine_read_end(rd);
    assert_int_equal(st.partitions, 1);
    assert_int_equal(st.blobs, 1);
    assert_int_equal(st.blob_bytes, 100000);
    assert_int_equal(st.dead_blobs, 0);
    assert_int_equal(st.readers, 1);
    assert_int_equal(st.batches, 1);
    assert_true(st.commits >= 1);
    assert_true(st.used_bytes >= 100000);
    assert_true(st.used_bytes + st.free_bytes >= st.file_bytes);
    assert_ok(engine_stats(b->engine, &st));
    assert_int_equal(st.readers, 0);
    free(bytes);
    engine_partition_close(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_root_makes_belongs_to_the_owner_of_the_directory),
        TEST(a_killed_process_takes_no_snapshots_with_it),
        TEST(a_watch_hears_of_commits_of_another_process),
        TEST(a_watch_hears_of_commits_whose_datagram_was_lost),
        TEST(sockets_of_dead_processes_are_removed),
        TEST(a_pin_holds_against_other_processes),
        TEST(processes_stage_and_sweep_side_by_side),
        TEST(a_file_that_outgrew_the_map_is_mapped_anew),
        TEST(little_address_space_makes_a_smaller_map),
        TEST(a_full_map_refuses_only_what_does_not_fit),
        TEST(a_full_disk_refuses_only_what_does_not_fit),
        TEST(what_is_deleted_on_a_full_disk_makes_room_at_once),
        TEST(a_batch_that_changes_too_much_is_refused),
        TEST(a_batch_that_waited_too_long_is_not_tried),
        TEST(a_flipped_bit_in_a_blob_is_noticed),
        TEST(a_flipped_bit_in_a_record_is_found_by_verify),
        TEST(a_blob_in_use_is_not_swept_though_the_dead_list_names_it),
        TEST(a_key_longer_than_ours_is_damage_and_harms_nobody),
        TEST(only_a_store_of_ours_is_opened),
        TEST(a_store_whose_making_was_cut_short_is_made_and_an_emptied_one_is_not),
        TEST(nobody_else_may_read_the_files),
        TEST(a_long_path_is_no_trouble),
        TEST(a_backup_is_a_store_of_that_moment),
        TEST(a_backup_that_finds_no_room_leaves_nothing),
        TEST(compaction_gives_back_what_is_free),
        TEST(stats_tell_what_is_there),
    };

    if (argc > 2 && strcmp(argv[1], "--child") == 0)
        return child_main(argv + 2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
