/* test.h - cmocka with the includes it wants, in the order it wants them. */
#ifndef GATEPOST_TESTS_SUPPORT_TEST_H
#define GATEPOST_TESTS_SUPPORT_TEST_H

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "base/buf.h"
#include "base/err.h"
#include "base/executor.h"
#include "base/mem.h"
#include "base/slice.h"

/* A slice equals a C string; prints both where not. */
void assert_slice(struct slice got, const char *want);

/* An error has this code; prints name and reason where not. */
#define assert_code(e, want) assert_code_at((e), (want), __FILE__, __LINE__)
#define assert_ok(e) assert_code_at((e), ERR_NONE, __FILE__, __LINE__)
void assert_code_at(struct err e, enum err_code want, const char *file, int line);

/* A fresh directory under TMPDIR; remove it and all in it. */
char *test_dir_new(void);
void test_dir_free(char *path);

/* A deterministic generator; the seed comes from GATEPOST_SEED or the clock, and is printed. */
struct rng {
    uint64_t state;
};

struct rng rng_seeded(void);
uint64_t rng_u64(struct rng *rng);
/* 0 <= result < n; n > 0 */
uint32_t rng_below(struct rng *rng, uint32_t n);

/* An executor that runs its tasks when the test pumps it: on the pumping thread. */
struct test_loop;
struct test_loop *test_loop_new(void);
struct executor *test_loop_executor(struct test_loop *loop);
/* Run what waits; where nothing does, wait for something (60 s, then the test fails). */
void test_loop_wait(struct test_loop *loop);
/* Run what waits, without waiting. Returns how many tasks ran. */
unsigned test_loop_pump(struct test_loop *loop);
void test_loop_free(struct test_loop *loop);

#endif
