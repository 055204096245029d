/*
 * The LMDB engine under kill -9.
 *
 * A child submits numbered batches (crash_load.h), 16 at a time, and tells each that was answered.
 * It is killed at a random instant; then the store must hold exactly what some number of batches
 * leaves, no fewer than were answered and no more than were submitted. In every other round this
 * process has the store open as well while the child dies.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/crash_load.h"

extern char **environ;

enum { IN_FLIGHT = 16, MOST_ACKS = 60 };

/* ---- the child ---- */

static void tell(uint64_t i)
{
    if (write(STDOUT_FILENO, &i, sizeof i) != sizeof i)
        _exit(3);
}

static int child(const char *dir)
{
    struct bench b = {.dir = mem_str(dir), .loop = test_loop_new()};
    struct crash_load loads[IN_FLIGHT];

    bench_open(&b);
    struct engine_partition *p = bench_partition(&b, CRASH_PARTITION);
    uint64_t version = bench_version(p);

    /* The last one is repeated: it is recognised. */
    if (version) {
        crash_submit(&b, p, &loads[0], version);
        job_wait(&b, &loads[0].job);
        if (!loads[0].job.batch.repeated || loads[0].job.batch.version != version)
            _exit(4);
        free(loads[0].bytes);
    }
    for (uint64_t i = version + 1; i <= version + IN_FLIGHT; i++)
        crash_submit(&b, p, &loads[i % IN_FLIGHT], i);
    for (uint64_t i = version + 1;; i++) {
        struct crash_load *load = &loads[i % IN_FLIGHT];

        job_wait(&b, &load->job);
        if (load->job.batch.end != ENGINE_DONE || load->job.batch.version != i)
            _exit(5);
        tell(i);
        free(load->bytes);
        crash_submit(&b, p, load, i + IN_FLIGHT);
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
        crash_check(&b, told, told + IN_FLIGHT);
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
