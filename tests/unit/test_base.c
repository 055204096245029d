#include "tests/support/test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"

static void numbers_are_digits_without_overflow(void **state)
{
    uint32_t n = 7;

    (void)state;
    assert_true(slice_to_u32(S("4294967295"), &n));
    assert_int_equal(n, UINT32_MAX);
    static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "4294967296", "0x1", "1a"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(slice_to_u32(slice_str(bad[i]), &n));
    assert_int_equal(n, UINT32_MAX);
    assert_true(slice_to_u32(S("0000000000001"), &n));
    assert_int_equal(n, 1);
}

static void utf8_is_refused_where_rfc_3629_refuses_it(void **state)
{
    (void)state;
    assert_true(slice_is_utf8(S("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x93\xA7")));
    static const char *const bad[] = {"\x80",         "\xC0\x80",         "\xC3",
                                      "\xE0\x80\x80", "\xED\xA0\x80",     "\xF4\x90\x80\x80",
                                      "\xFF",         "\xF0\x8F\xBF\xBF", "\xE2\x82"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(slice_is_utf8(slice_str(bad[i])));
}

static void a_buf_stops_at_its_cap_and_stays_failed(void **state)
{
    struct buf b = buf_make(10);

    (void)state;
    buf_puts(&b, "12345678");
    buf_puts(&b, "abc");
    assert_true(b.failed);
    buf_puts(&b, "9");
    assert_slice(buf_slice(&b), "12345678");
    buf_clear(&b);
    buf_put_u64(&b, 1844674407);
    assert_slice(buf_slice(&b), "1844674407");
    buf_consume(&b, 3);
    buf_puts(&b, "xyz");
    assert_slice(buf_slice(&b), "4674407xyz");
    assert_false(b.failed);
    buf_done(&b);
}

static void a_buf_takes_no_more_memory_than_its_cap(void **state)
{
    struct buf b = buf_make(1000);

    (void)state;
    for (int i = 0; i < 1000; i++)
        buf_putc(&b, 'x');
    assert_false(b.failed);
    assert_int_equal(b.cap, 1000);
    buf_consume(&b, 10);
    buf_puts(&b, "0123456789");
    assert_int_equal(b.cap, 1000);
    assert_slice(slice_from(buf_slice(&b), 989), "x0123456789");
    buf_done(&b);
}

static void a_buf_prints_what_printf_prints(void **state)
{
    struct buf b = buf_make(1000);

    (void)state;
    for (int i = 0; i < 40; i++)
        buf_printf(&b, "%d,", i);
    assert_int_equal(b.len, 10 * 2 + 30 * 3);
    buf_done(&b);
}

static void civil_dates_survive_the_way_there_and_back(void **state)
{
    (void)state;
    for (int64_t t = -11644473600; t < 253402300800; t += 86399 * 17) {
        struct civil c = civil_from_unix(t);
        int64_t back;

        assert_true(civil_to_unix(&c, &back));
        assert_int_equal(back, t);
    }
    struct civil leap = {.year = 2024, .month = 2, .day = 29};
    struct civil none = {.year = 2100, .month = 2, .day = 29};
    int64_t out;
    assert_true(civil_to_unix(&leap, &out));
    assert_false(civil_to_unix(&none, &out));
    assert_int_equal(civil_from_unix(0).weekday, 4);
    assert_int_equal(civil_from_unix(-86400).weekday, 3);
}

static void what_is_a_time_is_read_as_it_was_written_and_nothing_else(void **state)
{
    static const struct {
        const char *text, *whole; /* NULL: none of ours */
    } cases[] = {
        {"2026-11-24T03:40:31.123Z", "2026-11-24T03:40:31.123Z"},
        {"2026-11-24T03:40:31.1239999999Z", "2026-11-24T03:40:31.123Z"},
        {"2026-11-24T03:40:31Z", "2026-11-24T03:40:31.000Z"},
        {"2026-11-24 03:40:31", "2026-11-24T03:40:31.000Z"},
        {"2026-11-24", "2026-11-24T00:00:00.000Z"},
        {"2024-02-29Z", "2024-02-29T00:00:00.000Z"},
        {"1601-01-01", "1601-01-01T00:00:00.000Z"},
        {"9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"},
        {"", NULL},
        {"2026-11-2", NULL},
        {"2026-1-24", NULL},
        {"2026-11-24T", NULL},
        {"2026-11-24T03:40", NULL},
        {"2026-11-24T03:40:31.", NULL},
        {"2026-11-24T24:00:00Z", NULL},
        {"2026-11-24T03:40:31+01:00", NULL},
        {"2026-11-24ZZ", NULL},
        {"2023-02-29", NULL},
        {"1600-12-31", NULL},
        {"+026-11-24", NULL},
        {" 2026-11-24", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = buf_make(64);
        uint64_t time = 7;

        assert_int_equal(clock_parse_rfc3339(slice_str(cases[i].text), &time), !!cases[i].whole);
        if (cases[i].whole) {
            clock_put_rfc3339(&out, time);
            assert_slice(buf_slice(&out), cases[i].whole);
        } else {
            assert_int_equal(time, 7);
        }
        buf_done(&out);
    }
}

static void dates_of_mail_and_of_http_are_written_as_their_grammars_say(void **state)
{
    static const struct {
        int64_t seconds;
        const char *mail, *http;
    } cases[] = {
        {1795491631, "Tue, 24 Nov 2026 03:40:31 +0000", "Tue, 24 Nov 2026 03:40:31 GMT"},
        {784111777, "Sun, 6 Nov 1994 08:49:37 +0000", "Sun, 06 Nov 1994 08:49:37 GMT"},
        {-11644473600, "Mon, 1 Jan 1601 00:00:00 +0000", "Mon, 01 Jan 1601 00:00:00 GMT"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf mail = buf_make(64), http = buf_make(64);

        clock_put_rfc5322(&mail, filetime_from_unix(cases[i].seconds));
        clock_put_http(&http, filetime_from_unix(cases[i].seconds));
        assert_slice(buf_slice(&mail), cases[i].mail);
        assert_slice(buf_slice(&http), cases[i].http);
        buf_done(&mail);
        buf_done(&http);
    }
}

static void an_arena_gives_zeroed_aligned_memory(void **state)
{
    struct arena a = ARENA_INIT;

    (void)state;
    for (size_t size = 1; size < 5000; size += 37) {
        uint8_t *p = arena_alloc(&a, size);

        assert_int_equal((uintptr_t)p % sizeof(void *), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xFF, size);
    }
    assert_string_equal(arena_str(&a, S("kept")), "kept");
    arena_wipe(&a);
}

/* Does the call end the process, as memory that cannot be had does? */
static bool stops(void (*call)(void))
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        call();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void ask_for_nearly_everything(void)
{
    struct arena arena = ARENA_INIT;

    const void *never = arena_alloc(&arena, SIZE_MAX - 15);
    (void)never;
}

static void ask_for_more_than_everything(void)
{
    struct arena arena = ARENA_INIT;

    const void *never = arena_array(&arena, SIZE_MAX / 16, 16);
    (void)never;
}

static void ask_for_too_many_more(void)
{
    struct arena arena = ARENA_INIT;

    const void *never = arena_grow(&arena, NULL, 0, SIZE_MAX, 1);
    (void)never;
}

static void an_arena_gives_no_less_than_it_was_asked_for(void **state)
{
    (void)state;
    assert_true(stops(ask_for_nearly_everything));
    assert_true(stops(ask_for_more_than_everything));
    assert_true(stops(ask_for_too_many_more));
}

static void every_error_has_a_name_and_a_sentence(void **state)
{
    (void)state;
    for (int code = 0; code < ERR_COUNT; code++) {
        assert_true(strncmp(err_name((enum err_code)code), "ERR_", 4) == 0);
        assert_true(strlen(err_sentence((enum err_code)code)) > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_digits_without_overflow),
        cmocka_unit_test(utf8_is_refused_where_rfc_3629_refuses_it),
        cmocka_unit_test(a_buf_stops_at_its_cap_and_stays_failed),
        cmocka_unit_test(a_buf_takes_no_more_memory_than_its_cap),
        cmocka_unit_test(a_buf_prints_what_printf_prints),
        cmocka_unit_test(civil_dates_survive_the_way_there_and_back),
        cmocka_unit_test(what_is_a_time_is_read_as_it_was_written_and_nothing_else),
        cmocka_unit_test(dates_of_mail_and_of_http_are_written_as_their_grammars_say),
        cmocka_unit_test(an_arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(an_arena_gives_no_less_than_it_was_asked_for),
        cmocka_unit_test(every_error_has_a_name_and_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
