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

static void the_page_tells_attempts_and_failures_by_protocol(void **state)
{
    (void)state;
    struct ops_figures f = good();
    struct buf out = buf_make(1 << 20);

    ops_put_page(&f, "<mail>", &out);
    /* attempts, let in, wrong, not allowed, malformed, our trouble, lost */
    assert_true(has(buf_slice(&out), "<tr><td>imap</td><td>46</td><td>40</td><td>2</td><td>1</td>"
                                     "<td>0</td><td>3</td><td>9</td></tr>"));
    assert_true(has(buf_slice(&out), "<td>a &quot;b&quot;\\c\n&lt;d&gt;&amp;</td>"));
    assert_true(has(buf_slice(&out), "Gatepost on &lt;mail&gt;"));
    assert_true(has(buf_slice(&out), "up 2 days 03:04:05"));
    assert_true(has(buf_slice(&out), "<td>1,234,567</td>"));
    assert_true(has(buf_slice(&out), "<td>2.0 KiB</td><td>3.0 MiB</td>"));
    assert_true(has(buf_slice(&out), "class=\"good\""));
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
    ops_put_page(&f, "x", &out);
    assert_true(has(buf_slice(&out), "1 of 2 workers do not answer"));
    buf_done(&out);
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
    static const char *const paths[] = {"/", "/health", "/metrics"};

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_are_written_as_prometheus_reads_them),
        cmocka_unit_test(figures_of_a_store_that_does_not_answer_are_left_out),
        cmocka_unit_test(the_page_tells_attempts_and_failures_by_protocol),
        cmocka_unit_test(whatever_is_wrong_makes_the_server_unhealthy),
        cmocka_unit_test_setup_teardown(a_request_waits_for_its_figures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_is_not_ready_says_503, set_up, tear_down),
        cmocka_unit_test_setup_teardown(figures_that_do_not_come_are_trouble_too, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(figures_for_who_has_gone_are_let_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sign_of_life_needs_no_figures, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("ops", tests, NULL, NULL);
}
