/* What operators see: figures written down, and requests that wait for them. */
#include "protocols/ops/ops.h"
#include "tests/support/session_fixture.h"

static struct fixture *fx;

static int set_up(void **state)
{
    (void)state;
    fx = fixture_new();
    fx->no_logon = true;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_free(fx);
    return 0;
}

static bool has(struct slice text, const char *part)
{
    return slice_find(text, slice_str(part)) < text.len;
}

/* ---- figures ---- */

static const struct ops_crowd crowds[] = {
    {"imap", "a \"b\"\\c\n<d>&", "TLSv1.3", 12, 7},
    {"pop3", "pop3", "none", 1, 0},
};
static const struct ops_traffic traffic[] = {
    {"imap", 1, 2048, 3 * 1024 * 1024, 1234567, 5, 6, 7, 8, 9},
};
static const struct ops_logons logons[] = {
    {"imap", "PLAIN", AUTH_OK, 40},
    {"imap", "PLAIN", AUTH_WRONG_SECRET, 2},
    {"imap", "LOGIN-COMMAND", AUTH_EXPIRED, 1},
    {"imap", "PLAIN", AUTH_BUSY, 3},
    {"imap", "none", AUTH_LOST, 9},
};
static const struct ops_latency latencies[] = {
    {"imap", {[0] = 1, [3] = 2, [16] = 1}, 20001500},
};

static struct ops_figures good(void)
{
    return (struct ops_figures){
        .workers = 2,
        .answering = 2,
        .store_stats = {.free_bytes = 4096, .oldest_read_ms = 1250},
        .accepted = 17,
        .cpu_us = 1500000,
        .started_unix = 1795000000,
        .now_unix = 1795000000 + 2 * 86400 + 3 * 3600 + 4 * 60 + 5,
        .crowds = crowds,
        .traffic = traffic,
        .logons = logons,
        .latencies = latencies,
        .n_crowds = 2,
        .n_traffic = 1,
        .n_logons = 5,
        .n_latencies = 1,
    };
}

static void metrics_are_written_as_prometheus_reads_them(void **state)
{
    (void)state;
    struct ops_figures f = good();
    struct buf out = buf_make(1 << 20);
    static const char *const lines[] = {
        /* NOLINTNEXTLINE(bugprone-suspicious-missing-comma): the first has several lines */
        "# HELP gatepost_connections Connections now.\n# TYPE gatepost_connections gauge\n"
        "gatepost_connections{protocol=\"imap\",listener=\"a \\\"b\\\"\\\\c\\n<d>&\","
        "tls=\"TLSv1.3\"} 12\n"
        "gatepost_connections{protocol=\"pop3\",listener=\"pop3\",tls=\"none\"} 1\n",
        "\ngatepost_commands_total{protocol=\"imap\"} 1234567\n",
        "\ngatepost_logons_total{protocol=\"imap\",mechanism=\"LOGIN-COMMAND\",stage=\"policy\","
        "reason=\"expired\",verdict=\"refused\"} 1\n",
        "\ngatepost_logon_seconds_bucket{protocol=\"imap\",le=\"0.000100\"} 1\n",
        "\ngatepost_logon_seconds_bucket{protocol=\"imap\",le=\"0.000500\"} 1\n",
        "\ngatepost_logon_seconds_bucket{protocol=\"imap\",le=\"0.001000\"} 3\n",
        "\ngatepost_logon_seconds_bucket{protocol=\"imap\",le=\"10.000000\"} 3\n",
        "\ngatepost_logon_seconds_bucket{protocol=\"imap\",le=\"+Inf\"} 4\n",
        "\ngatepost_logon_seconds_sum{protocol=\"imap\"} 20.001500\n",
        "\ngatepost_logon_seconds_count{protocol=\"imap\"} 4\n",
        "\ngatepost_connections_accepted_total 17\n",
        "\ngatepost_store_free_bytes 4096\n",
        "\ngatepost_store_oldest_reader_seconds 1.250\n",
        "\nprocess_cpu_seconds_total 1.500000\n",
        "\nprocess_start_time_seconds 1795000000\n",
        "\ngatepost_healthy 1\n",
    };

    ops_put_metrics(&f, &out);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!has(buf_slice(&out), lines[i]))
            fail_msg("missing: %s", lines[i]);
    assert_false(out.failed);
    buf_done(&out);
}

static void figures_of_a_store_that_does_not_answer_are_left_out(void **state)
{
    (void)state;
    struct ops_figures f = good();
    struct buf out = buf_make(1 << 20);

    f.stats = ERR(ERR_IO, "");
    f.store = ERR(ERR_IO, "");
    ops_put_metrics(&f, &out);
    assert_false(has(buf_slice(&out), "gatepost_store_free_bytes"));
    assert_true(has(buf_slice(&out), "\ngatepost_store_writable 0\n"));
    assert_true(has(buf_slice(&out), "\ngatepost_healthy 0\n"));
    buf_done(&out);
}

/* What the page draws; `names` are as hostile as names can be. */
static void the_overview_tells_who_differs_who_waits_and_what_was(void **state)
{
    (void)state;
    const struct ops_outcome outcomes[] = {
        {.protocol = S("pop3"), .failed = 3, .reason = AUTH_PROTOCOL_OFF},
        {.protocol = S("mapi"), .ok = 2, .reason = AUTH_OK},
    };
    const struct ops_differing users[] = {
        {S("</script>\xff\"\\"), outcomes, 2},
    };
    const struct auth_throttled waiting[] = {
        {S("192.0.2.7"), S("al\x1b"), 6, 2000},
    };
    static struct ops_cell cells[2] = {{.n[1][AUTH_OK] = 4}, {.n[1][AUTH_EXPIRED] = 2}};
    static const char refusal[] = "\"protocol\":\"pop3\",\"stage\":\"policy\",\"reason\":"
                                  "\"protocol-off\",\"event\":11312,\"ok\":0,\"failed\":3";
    static const char *const parts[] = {
        "\"differing\":{\"known\":true,\"count\":7,\"users\":[{\"user\":\"</script>",
        refusal,
        "{\"address\":\"192.0.2.7\",\"name\":\"al\\u001B\",\"failures\":6,\"wait_ms\":2000}",
        "\"hours\":{\"start\":3600,\"step\":3600,",
        "\"imap\":{\"ok\":[4,0],\"refused\":[0,2]}",
        "{\"stage\":\"policy\",\"reason\":\"expired\",\"event\":11311,\"protocols\":{\"imap\":2}}",
        "\"healthy\":true",
        "\"host\":\"<mail>\"",
    };
    struct ops_figures f = good();
    struct buf out = buf_make(1 << 20);

    f.differing = users;
    f.n_differing = 1;
    f.differing_all = 7;
    f.throttled = waiting;
    f.n_throttled = f.throttled_pairs = 1;
    f.hours = f.minutes = (struct ops_history){3600, 3600, 2, cells};
    ops_put_overview(&f, "<mail>", &out);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!has(buf_slice(&out), parts[i]))
            fail_msg("missing: %s in %.*s", parts[i], SLICE_ARG(buf_slice(&out)));
    for (size_t i = 0; i + 1 < out.len; i++)
        assert_in_range(buf_slice(&out).ptr[i], 0x20, 0x7E);
    buf_done(&out);
}

static void metrics_tell_who_differs_who_waits_and_what_ends(void **state)
{
    (void)state;
    static const struct ops_certificate certificates[] = {{"imaps", 1795555555}};
    static const char *const lines[] = {
        "\ngatepost_users_differing{stage=\"policy\",reason=\"protocol-off\"} 3\n",
        "\ngatepost_users_differing{stage=\"credential\",reason=\"wrong-secret\"} 0\n",
        "\ngatepost_throttled{kind=\"address\"} 5\n",
        "\ngatepost_certificate_expiry_timestamp_seconds{listener=\"imaps\"} 1795555555\n",
    };
    struct ops_figures f = good();
    struct buf out = buf_make(1 << 20);

    f.differing_by[AUTH_PROTOCOL_OFF] = 3;
    f.throttled_addresses = 5;
    f.certificates = certificates;
    f.n_certificates = 1;
    ops_put_metrics(&f, &out);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!has(buf_slice(&out), lines[i]))
            fail_msg("missing: %s", lines[i]);
    buf_clear(&out);
    f.differing_known = ERR(ERR_IO, "");
    ops_put_metrics(&f, &out);
    assert_false(has(buf_slice(&out), "gatepost_users_differing"));
    buf_done(&out);
}

static void whatever_is_wrong_makes_the_server_unhealthy(void **state)
{
    (void)state;
    struct ops_figures f = good();
    struct buf out = buf_make(1 << 20);

    assert_true(ops_is_healthy(&f));
    ops_put_health(&f, &out);
    assert_slice(buf_slice(&out),
                 "{\"status\":\"ok\",\"version\":\"" GATEPOST_VERSION "\",\"draining\":false,"
                 "\"workers\":2,\"workers_answering\":2,\"store\":\"writable\"}\n");
    buf_done(&out);
    f.draining = true;
    assert_false(ops_is_healthy(&f));
    f = good();
    f.answering = 1;
    assert_false(ops_is_healthy(&f));
    f = good();
    f.store = ERR(ERR_NO_SPACE, "");
    assert_false(ops_is_healthy(&f));
}

/* ---- waiting for them ---- */

struct source {
    struct ops_source face; /* first */
    struct ops_figures figures;
    struct ops_gather *waiting;
    int held;
};

static struct source source;

static void let_go(const struct ops_figures *figures)
{
    assert_ptr_equal(figures, &source.figures);
    source.held--;
}

static void gather(struct ops_source *face, struct ops_gather *rq)
{
    assert_ptr_equal(face, &source.face);
    source.waiting = rq;
}

static void deliver(void)
{
    struct ops_gather *rq = source.waiting;

    source.waiting = NULL;
    source.held++;
    rq->figures = &source.figures;
    rq->done(rq);
}

static struct fixture_session *ask(const char *path)
{
    struct fixture_session *fs = fixture_connect(fx, ops_session_new, AUTH_OPS);
    struct buf request = buf_make(1000);

    source = (struct source){.face.gather = gather, .figures = good()};
    source.figures.let_go = let_go;
    fs->env.ops = &source.face;
    buf_printf(&request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    fixture_say_bytes(fs, buf_slice(&request));
    buf_done(&request);
    return fs;
}

static void a_request_waits_for_its_figures(void **state)
{
    (void)state;
    static const char *const paths[] = {"/api/overview", "/health", "/metrics"};

    for (size_t i = 0; i < 3; i++) {
        struct fixture_session *fs = ask(paths[i]);

        assert_int_equal(fs->out.len, 0);
        deliver();
        fixture_run(fs);
        assert_true(slice_starts(buf_slice(&fs->out), S("HTTP/1.1 200 OK\r\n")));
        assert_int_equal(source.held, 0);
        fixture_session_free(fs);
    }
}

static void a_server_that_is_not_ready_says_503(void **state)
{
    (void)state;
    struct fixture_session *fs = ask("/health");

    source.figures.draining = true;
    deliver();
    fixture_run(fs);
    assert_true(slice_starts(buf_slice(&fs->out), S("HTTP/1.1 503 ")));
    assert_true(has(buf_slice(&fs->out), "\"status\":\"unavailable\""));
    fixture_session_free(fs);
}

static void figures_that_do_not_come_are_trouble_too(void **state)
{
    (void)state;
    struct fixture_session *fs = ask("/health");

    assert_int_equal(fixture_pass(fs, 14999).len, 0);
    assert_true(slice_starts(fixture_pass(fs, 1), S("HTTP/1.1 503 ")));
    deliver(); /* too late; nobody has them */
    assert_int_equal(source.held, 0);
    fixture_session_free(fs);
}

static void figures_for_who_has_gone_are_let_go(void **state)
{
    (void)state;
    struct fixture_session *fs = ask("/metrics");

    fixture_session_free(fs);
    deliver();
    assert_int_equal(source.held, 0);
}

static void a_sign_of_life_needs_no_figures(void **state)
{
    (void)state;
    struct fixture_session *fs = ask("/health/live");

    assert_true(slice_ends(buf_slice(&fs->out), S("\r\n\r\nalive\n")));
    assert_null(source.waiting);
    fixture_session_free(fs);
}

/* ---- the page, and records as they come ---- */

static void the_page_and_its_parts_need_no_figures(void **state)
{
    (void)state;
    static const char *const paths[] = {"/", "/page.css", "/page.js", "/icon.svg"};

    for (size_t i = 0; i < 4; i++) {
        struct fixture_session *fs = ask(paths[i]);

        assert_true(slice_starts(buf_slice(&fs->out), S("HTTP/1.1 200 OK\r\n")));
        assert_null(source.waiting);
        fixture_session_free(fs);
    }
}

/* Somebody who watches, as the gateway has him. */
struct ops_follower {
    struct ops_follow how;
    const char *waiting; /* what there is for him; NULL: nothing */
    bool again;          /* there is more than was asked for */
};

static struct ops_follower follower;
static bool full;
static int following;

static struct ops_follower *follow(struct ops_source *face, const struct ops_follow *how)
{
    (void)face;
    if (full)
        return NULL;
    following++;
    follower.how = *how;
    return &follower;
}

static void leave(struct ops_source *face, struct ops_follower *who)
{
    (void)face;
    assert_ptr_equal(who, &follower);
    following--;
}

static bool read_records(struct ops_source *face, struct ops_follower *who, struct buf *out,
                         size_t room)
{
    (void)face, (void)room;
    if (who->waiting)
        buf_puts(out, who->waiting);
    who->waiting = NULL;
    return who->again;
}

static struct fixture_session *watch(const char *fields)
{
    struct fixture_session *fs = fixture_connect(fx, ops_session_new, AUTH_OPS);
    struct buf request = buf_make(1000);

    source = (struct source){.face = {gather, follow, leave, read_records}};
    fs->env.ops = &source.face;
    buf_printf(&request, "GET /api/tail HTTP/1.1\r\nHost: localhost\r\n%s\r\n", fields);
    fixture_say_bytes(fs, buf_slice(&request));
    buf_done(&request);
    return fs;
}

static void records_are_streamed_as_they_come_and_not_faster_than_bearable(void **state)
{
    (void)state;
    follower = (struct ops_follower){.waiting = "data: one\n\n"};
    struct fixture_session *fs = watch("Last-Event-ID: 41\r\n");

    assert_int_equal(follower.how.seen, 41);
    assert_true(has(buf_slice(&fs->out), "Content-Type: text/event-stream\r\n"));
    assert_true(has(buf_slice(&fs->out), "data: one\n\n"));
    buf_clear(&fs->out);
    follower.waiting = "data: two\n\n";
    follower.how.more(follower.how.owner);
    fixture_run(fs);
    assert_int_equal(fs->out.len, 0); /* not yet */
    assert_true(has(fixture_pass(fs, 250), "data: two\n\n"));
    /* nothing for long: a sign of life */
    assert_true(has(fixture_pass(fs, 15000), "\r\n:\n\n\r\n"));
    assert_int_equal(following, 1);
    fixture_session_free(fs);
    assert_int_equal(following, 0);
}

static void where_too_many_watch_one_more_is_told_so(void **state)
{
    (void)state;
    full = true;
    struct fixture_session *fs = watch("");

    full = false;
    assert_true(slice_starts(buf_slice(&fs->out), S("HTTP/1.1 503 ")));
    fixture_session_free(fs);
    assert_int_equal(following, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_are_written_as_prometheus_reads_them),
        cmocka_unit_test(figures_of_a_store_that_does_not_answer_are_left_out),
        cmocka_unit_test(the_overview_tells_who_differs_who_waits_and_what_was),
        cmocka_unit_test(metrics_tell_who_differs_who_waits_and_what_ends),
        cmocka_unit_test(whatever_is_wrong_makes_the_server_unhealthy),
        cmocka_unit_test_setup_teardown(a_request_waits_for_its_figures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_is_not_ready_says_503, set_up, tear_down),
        cmocka_unit_test_setup_teardown(figures_that_do_not_come_are_trouble_too, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(figures_for_who_has_gone_are_let_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sign_of_life_needs_no_figures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_page_and_its_parts_need_no_figures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            records_are_streamed_as_they_come_and_not_faster_than_bearable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(where_too_many_watch_one_more_is_told_so, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests_name("ops", tests, NULL, NULL);
}
