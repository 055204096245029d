#include "tests/support/test.h"

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <unistd.h>

#include "base/err.h"

void assert_slice(struct slice got, const char *want)
{
    if (slice_eq(got, slice_str(want)))
        return;
    print_error("got  \"%.*s\"\nwant \"%s\"\n", SLICE_ARG(got), want);
    fail();
}

void assert_code_at(struct err e, enum err_code want, const char *file, int line)
{
    if (e.code == want)
        return;
    print_error("got %s (%s), want %s\n", err_name(e.code), e.why, err_name(want));
    _fail(file, line);
}

char *test_dir_new(void)
{
    const char *tmp = getenv("TMPDIR");
    char path[4096];

    snprintf(path, sizeof path, "%s/gatepost-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(path));
    return mem_str(path);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void test_dir_free(char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(path);
}

struct rng rng_seeded(void)
{
    const char *given = getenv("GATEPOST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

    print_message("GATEPOST_SEED=%llu\n", (unsigned long long)seed);
    return (struct rng){seed};
}

/* splitmix64 (Steele, Lea, Flood 2014). */
uint64_t rng_u64(struct rng *rng)
{
    uint64_t z = rng->state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint32_t rng_below(struct rng *rng, uint32_t n)
{
    return (uint32_t)(rng_u64(rng) % n);
}

struct test_loop {
    struct executor executor;
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    struct task *first, **end;
};

static void post(struct executor *executor, struct task *task)
{
    struct test_loop *loop = (struct test_loop *)executor;

    pthread_mutex_lock(&loop->mutex);
    task->next = NULL;
    *loop->end = task;
    loop->end = &task->next;
    pthread_cond_signal(&loop->filled);
    pthread_mutex_unlock(&loop->mutex);
}

struct test_loop *test_loop_new(void)
{
    struct test_loop *loop = mem_new(sizeof *loop);

    loop->executor.post = post;
    loop->end = &loop->first;
    pthread_mutex_init(&loop->mutex, NULL);
    pthread_cond_init(&loop->filled, NULL);
    return loop;
}

struct executor *test_loop_executor(struct test_loop *loop)
{
    return &loop->executor;
}

unsigned test_loop_pump(struct test_loop *loop)
{
    unsigned ran = 0;

    pthread_mutex_lock(&loop->mutex);
    struct task *task = loop->first;
    loop->first = NULL;
    loop->end = &loop->first;
    pthread_mutex_unlock(&loop->mutex);
    while (task) {
        struct task *next = task->next;

        task->run(task);
        task = next;
        ran++;
    }
    return ran;
}

void test_loop_wait(struct test_loop *loop)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    pthread_mutex_lock(&loop->mutex);
    while (!loop->first)
        if (pthread_cond_timedwait(&loop->filled, &loop->mutex, &until) == ETIMEDOUT)
            fail_msg("nothing was posted within 60 seconds");
    pthread_mutex_unlock(&loop->mutex);
    test_loop_pump(loop);
}

void test_loop_free(struct test_loop *loop)
{
    if (!loop)
        return;
    pthread_mutex_destroy(&loop->mutex);
    pthread_cond_destroy(&loop->filled);
    free(loop);
}
