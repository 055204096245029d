#include "tests/support/http_site.h"

#include "tests/support/test.h"

enum { TICK_MS = 15000 };

uint64_t test_site_big = 1000000;
int test_site_open;
bool test_site_wait = true;
static struct http_exchange *late;
static bool late_may_go;

static enum http_next hello(struct http_exchange *x)
{
    return http_answer(x, 200, "text/plain", S("hello\n"));
}

struct echo {
    bool begun, answered;
};

static enum http_next echo(struct http_exchange *x)
{
    struct echo *e = http_state(x);
    struct slice body = http_body(x);

    test_site_open += !e->begun;
    e->begun = true;
    if ((!body.len && !http_body_ended(x)) || !http_room(x))
        return HTTP_MORE;
    if (!e->answered)
        http_status(x, 200);
    e->answered = true;
    buf_put(http_out(x), body);
    http_body_used(x, body.len);
    return http_body_ended(x) ? HTTP_DONE : HTTP_MORE;
}

static void count_out(struct http_exchange *x)
{
    (void)x;
    test_site_open--;
}

static enum http_next take(struct http_exchange *x)
{
    uint64_t *n = http_state(x);

    *n += http_body(x).len;
    http_body_used(x, http_body(x).len);
    if (!http_body_ended(x))
        return HTTP_MORE;
    http_status(x, 200);
    buf_printf(http_out(x), "%llu\n", (unsigned long long)*n);
    return HTTP_DONE;
}

static enum http_next big(struct http_exchange *x)
{
    uint64_t *n = http_state(x);

    if (*n == 0) {
        http_status(x, 200);
        http_length(x, test_site_big);
    }
    while (*n < test_site_big && http_room(x)) {
        buf_putc(http_out(x), (uint8_t)('a' + *n % 26));
        ++*n;
    }
    return *n < test_site_big ? HTTP_MORE : HTTP_DONE;
}

static enum http_next private_page(struct http_exchange *x)
{
    return http_answer(x, 200, "text/plain", http_request(x)->identity);
}

struct waiting {
    uint64_t began, next;
};

static enum http_next end_wait(struct http_exchange *x, const char *why)
{
    buf_puts(http_out(x), why);
    return HTTP_DONE;
}

static enum http_next wait(struct http_exchange *x)
{
    struct waiting *w = http_state(x);
    uint64_t now = http_env(x)->clock->mono_ms;

    if (!w->began) {
        w->began = now;
        w->next = now + TICK_MS;
        test_site_open++;
        http_status(x, 200);
        http_header(x, "X-Kind", S("wait\r\nX-Injected: no"));
        buf_puts(http_out(x), "PROCESSING\n");
    }
    if (http_client_gone(x))
        return end_wait(x, "GONE\n");
    if (http_draining(x))
        return end_wait(x, "DRAINED\n");
    if (now >= w->began + 4 * TICK_MS)
        return end_wait(x, "DONE\n");
    if (now >= w->next) {
        w->next += TICK_MS;
        buf_puts(http_out(x), "PENDING\n");
    }
    http_wake_at(x, w->next);
    return HTTP_WAIT;
}

static enum http_next be_late(struct http_exchange *x)
{
    if (!late) {
        late = x;
        late_may_go = !test_site_wait;
    }
    return late_may_go ? take(x) : HTTP_WAIT;
}

static void late_done(struct http_exchange *x)
{
    (void)x;
    late = NULL;
}

void test_site_go(void)
{
    assert_non_null(late);
    late_may_go = true;
    http_wake(late);
}

static enum http_next give_up(struct http_exchange *x)
{
    bool *begun = http_state(x);

    if (*begun)
        return HTTP_ABORT;
    *begun = true;
    http_status(x, 200);
    buf_puts(http_out(x), "so far");
    return HTTP_MORE;
}

static enum http_next too_short(struct http_exchange *x)
{
    http_status(x, 200);
    http_length(x, 100);
    buf_puts(http_out(x), "not a hundred");
    return HTTP_DONE;
}

static const struct http_handler hello_handler = {"hello", 0, hello, NULL};
static const struct http_handler echo_handler = {"echo", sizeof(struct echo), echo, count_out};
static const struct http_handler take_handler = {"take", sizeof(uint64_t), take, NULL};
static const struct http_handler big_handler = {"big", sizeof(uint64_t), big, NULL};
static const struct http_handler private_handler = {"private", 0, private_page, NULL};
static const struct http_handler wait_handler = {"wait", sizeof(struct waiting), wait, count_out};
static const struct http_handler late_handler = {"late", sizeof(uint64_t), be_late, late_done};
static const struct http_handler break_handler = {"break", sizeof(bool), give_up, NULL};
static const struct http_handler short_handler = {"short", 0, too_short, NULL};

static const struct http_route routes[] = {
    {HTTP_VERB_GET, "/hello", HTTP_OPEN, &hello_handler, ""},
    {HTTP_VERB_GET, "/a b/\xc3\xbc", HTTP_OPEN, &hello_handler, ""},
    {HTTP_VERB_POST, "/echo", HTTP_OPEN, &echo_handler, ""},
    {HTTP_VERB_POST, "/take", HTTP_OPEN, &take_handler, ""},
    {HTTP_VERB_POST, "/ignore", HTTP_OPEN, &hello_handler, ""},
    {HTTP_VERB_GET, "/big", HTTP_OPEN, &big_handler, ""},
    {HTTP_VERB_GET, "/private", HTTP_LOGON, &private_handler, ""},
    {HTTP_VERB_POST, "/private", HTTP_LOGON, &take_handler, ""},
    {HTTP_VERB_GET, "/wait", HTTP_OPEN, &wait_handler, ""},
    {HTTP_VERB_POST, "/late", HTTP_OPEN, &late_handler, ""},
    {HTTP_VERB_GET, "/break", HTTP_OPEN, &break_handler, ""},
    {HTTP_VERB_GET, "/short", HTTP_OPEN, &short_handler, ""},
    {HTTP_VERB_GET, "/tree/*", HTTP_OPEN, &hello_handler, ""},
};

struct session *test_site_session_new(const struct session_env *env)
{
    static const struct http_site site = {
        .name = "test",
        .realm = "Test",
        .routes = routes,
        .n_routes = sizeof routes / sizeof *routes,
        .headers = "X-Site: test\r\n",
    };

    return http_session_new(env, &site);
}
