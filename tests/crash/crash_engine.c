/*
 * The LMDB engine under kill -9.
 *
 * A child submits numbered batches, 16 at a time, and tells each that was answered. Batch i stores
 * a blob made from i under the key i, and deletes key and blob i - KEPT. It is killed at a random
 * instant; then the store must hold exactly what some number of batches leaves, no fewer than were
 * answered and no more than were submitted. In every other round this process has the store open
 * as well while the child dies.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/engine.h"

extern char **environ;

enum { PARTITION = 5, IN_FLIGHT = 16, KEPT = 40, MOST_ACKS = 60 };

/* ---- what batch i is ---- */

static size_t blob_len(uint64_t i)
{
    struct rng rng = {i};

    return i % 25 == 0 ? 5 << 20 : 2000 + rng_below(&rng, 150000);
}

static void key_of(char key[24], uint64_t i)
{
    snprintf(key, 24, "%llu", (unsigned long long)i);
}

struct load {
    struct job job;
    uint64_t i;
    uint8_t *bytes;
    struct engine_new_blob blob;
};

static struct err drop_old(struct engine_write *w, uint64_t i)
{
    struct slice value;
    uint64_t id;
    char key[24];

    key_of(key, i);
    struct err e = engine_get(engine_write_read(w), slice_str(key), &value);
    if (failed(e) || !slice_to_u64(value, &id))
        return e;
    e = engine_blob_unlink(w, id);
    return failed(e) ? e : engine_delete(w, slice_str(key));
}

static struct err run_load(struct engine_write *w, struct job *job)
{
    struct load *load = (struct load *)job;
    struct engine_blob_info info;
    char key[24], value[24];

    struct err e = engine_blob_link(w, load->blob.hash, &info);
    if (failed(e))
        return e;
    key_of(key, load->i);
    key_of(value, info.id);
    e = engine_put(w, slice_str(key), slice_str(value));
    if (failed(e) || load->i <= KEPT)
        return e;
    return drop_old(w, load->i - KEPT);
}

static void load_submit(struct bench *b, struct engine_partition *p, struct load *load, uint64_t i)
{
    static const struct op call = {.kind = OP_CALL, .call = run_load};

    load->i = i;
    load->bytes = bytes_make(blob_len(i), i);
    load->blob = blob_make(load->bytes, blob_len(i), "meta");
    load->job = job_make(p, &call, 1);
    load->job.batch.blobs = &load->blob;
    load->job.batch.n_blobs = 1;
    memcpy(load->job.batch.id, &i, sizeof i);
    job_submit(b, &load->job);
}

/* ---- the child ---- */

static void tell(uint64_t i)
{
    if (write(STDOUT_FILENO, &i, sizeof i) != sizeof i)
        _exit(3);
}

static int child(const char *dir)
{
    struct bench b = {.dir = mem_str(dir), .loop = test_loop_new()};
    struct load loads[IN_FLIGHT];

    bench_open(&b);
    struct engine_partition *p = bench_partition(&b, PARTITION);
    uint64_t version = bench_version(p);

    /* The last one is repeated: it is recognised. */
    if (version) {
        load_submit(&b, p, &loads[0], version);
        job_wait(&b, &loads[0].job);
        if (!loads[0].job.batch.repeated || loads[0].job.batch.version != version)
            _exit(4);
        free(loads[0].bytes);
    }
    for (uint64_t i = version + 1; i <= version + IN_FLIGHT; i++)
        load_submit(&b, p, &loads[i % IN_FLIGHT], i);
    for (uint64_t i = version + 1;; i++) {
        struct load *load = &loads[i % IN_FLIGHT];

        job_wait(&b, &load->job);
        if (load->job.batch.end != ENGINE_DONE || load->job.batch.version != i)
            _exit(5);
        tell(i);
        free(load->bytes);
        load_submit(&b, p, load, i + IN_FLIGHT);
    }
}

/* ---- the parent ---- */

static pid_t start(const char *dir, int *from_child)
{
    char *argv[] = {"crash_engine", "--child", (char *)(uintptr_t)dir, NULL};
    posix_spawn_file_actions_t actions;
    int ends[2];
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    *from_child = ends[0];
    return pid;
}

/* Let the child work for a while, kill it, and return the last number that it told. */
static uint64_t run_and_kill(const char *dir, struct rng *rng)
{
    uint64_t told, last = 0;
    int from_child, status;
    pid_t pid = start(dir, &from_child);
    struct timespec delay = {.tv_nsec = (long)rng_below(rng, 4000000)};

    for (uint32_t n = rng_below(rng, MOST_ACKS) + 1; n > 0; n--) {
        assert_int_equal(read(from_child, &told, sizeof told), sizeof told);
        last = told;
    }
    nanosleep(&delay, NULL);
    kill(pid, SIGKILL);
    while (read(from_child, &told, sizeof told) == sizeof told)
        last = told;
    close(from_child);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    return last;
}

static void check_batch(struct engine_partition *p, uint64_t i, bool kept)
{
    char key[24];
    uint64_t id;

    key_of(key, i);
    char *value = bench_get(p, key);
    assert_int_equal(value != NULL, kept);
    if (kept) {
        uint8_t *bytes = bytes_make(blob_len(i), i);

        assert_true(slice_to_u64(slice_str(value), &id));
        assert_blob(p, id, bytes, blob_len(i));
        free(bytes);
    }
    free(value);
}

static void check(struct bench *b, uint64_t told)
{
    struct engine_partition *p = bench_partition(b, PARTITION);
    uint64_t version = bench_version(p);
    struct engine_stats st;

    assert_in_range(version, told, told + IN_FLIGHT);
    for (uint64_t i = version > 2 * KEPT ? version - 2 * KEPT : 1; i <= version + IN_FLIGHT; i++)
        check_batch(p, i, i <= version && i + KEPT > version);
    assert_sound(b);
    bench_swept(b, 0);
    assert_ok(engine_stats(b->engine, &st));
    assert_int_equal(st.blobs, version < KEPT ? version : KEPT);
    assert_sound(b);
    engine_partition_close(p);
}

static unsigned rounds(void)
{
    const char *text = getenv("GATEPOST_CRASH_ROUNDS");
    uint32_t n;

    return text && slice_to_u32(slice_str(text), &n) ? n : 20;
}

static void nothing_answered_is_lost_and_nothing_is_half_done(void **state)
{
    struct rng rng = rng_seeded();
    struct bench b = {0};
    (void)state;

    bench_init(&b);
    for (unsigned round = 0, n = rounds(); round < n; round++) {
        bool stay_open = round % 2;

        if (!stay_open)
            bench_close(&b);
        uint64_t told = run_and_kill(b.dir, &rng);
        if (!stay_open)
            bench_open(&b);
        check(&b, told);
    }
    bench_done(&b);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_answered_is_lost_and_nothing_is_half_done),
    };

    if (argc > 2 && strcmp(argv[1], "--child") == 0)
        return child(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
