/* The control socket: what its thread answers, whoever asks and however slowly. */
#include "tests/support/auth_fixture.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/control.h"

static struct {
    struct fixture *f;
    char *dir;
    struct control *control;
} here;

/* Time stands still: who waits, waits. */
static struct clock noon(void)
{
    return (struct clock){.wall = filetime_from_unix(1795000000)};
}

static int set_up(void **state)
{
    (void)state;
    here.f = auth_fixture_new();
    here.f->config.no_back_off = false;
    here.f->config.now = noon;
    fixture_start(here.f);
    here.dir = test_dir_new();
    assert_ok(control_new(here.dir, "5f3a2b1c", here.f->auth, NULL, NULL, &here.control));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    control_free(here.control);
    test_dir_free(here.dir);
    auth_fixture_free(here.f);
    return 0;
}

static int knock(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s/control", here.dir);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* All that comes until the daemon closes; malloc'd. */
static char *hear(int fd)
{
    char *text = calloc(1, 1 << 16);
    size_t len = 0;
    ssize_t n;

    while ((n = recv(fd, text + len, (1 << 16) - 1 - len, 0)) > 0)
        len += (size_t)n;
    close(fd);
    return text;
}

/* Say these bytes in two pieces, and hear the answer. */
static char *say(struct slice bytes, size_t split)
{
    struct slice pieces[] = {slice_head(bytes, split), slice_from(bytes, split)};
    int fd = knock();

    for (size_t i = 0; i < 2; i++)
        if (pieces[i].len)
            assert_int_equal(send(fd, pieces[i].ptr, pieces[i].len, MSG_NOSIGNAL), pieces[i].len);
    return hear(fd);
}

static void assert_says(struct slice question, const char *want)
{
    char *got = say(question, question.len);

    assert_string_equal(got, want);
    free(got);
}

/* Wrong secrets until there is something to lift. */
static void guess(struct slice name)
{
    char secret[24];

    for (unsigned i = 0; i < 6; i++) {
        snprintf(secret, sizeof secret, "guess %u", i);
        (void)fixture_password(here.f, name, slice_str(secret));
    }
}

/* The answer to a question, by the command line's own way. */
static json_t *ask(const char *text)
{
    json_t *question = json_loads(text, 0, NULL), *answer = NULL;

    assert_non_null(question);
    assert_ok(control_ask(here.dir, question, &answer));
    json_decref(question);
    return answer;
}

static size_t n_throttled(void)
{
    json_t *answer = ask("{\"do\":\"throttled\"}");
    size_t n = json_array_size(json_object_get(answer, "throttled"));

    json_decref(answer);
    return n;
}

static void a_question_is_answered_however_its_bytes_come(void **state)
{
    const struct slice question = S("{\"do\":\"instance\"}\n");

    (void)state;
    for (size_t split = 0; split <= question.len; split++) {
        char *got = say(question, split);

        assert_string_equal(got, "{\"instance\":\"5f3a2b1c\"}\n");
        free(got);
    }
}

static void who_waits_is_told_and_lifted(void **state)
{
    (void)state;
    assert_int_equal(n_throttled(), 0);
    guess(S("alice"));
    size_t n = n_throttled();
    assert_true(n > 0);
    assert_says(S("{\"do\":\"lift\",\"name\":\"bob\"}\n"), "{\"lifted\":0}\n");
    assert_int_equal(n_throttled(), n);
    assert_says(S("{\"do\":\"lift\",\"name\":\"alice\"}\n"), "{\"lifted\":1}\n");
}

/* Who guesses chooses the names. */
static void names_of_whatever_bytes_are_told(void **state)
{
    (void)state;
    guess(S("\xff\xfe"));
    guess(S("a\0b"));
    guess(S("\"\n{}"));
    size_t n = n_throttled();
    assert_true(n > 0);
    json_decref(ask("{\"do\":\"lift\"}"));
    assert_int_equal(n_throttled(), 0);
}

/* A slip in a script must not lift everybody. */
static void what_is_no_name_and_no_address_lifts_nobody(void **state)
{
    static const char *const wrong[] = {
        "{\"do\":\"lift\",\"name\":5}\n",     "{\"do\":\"lift\",\"name\":null}\n",
        "{\"do\":\"lift\",\"name\":[]}\n",    "{\"do\":\"lift\",\"address\":7}\n",
        "{\"do\":\"lift\",\"address\":{}}\n", "{\"do\":\"lift\",\"address\":\"nowhere\"}\n",
    };

    (void)state;
    guess(S("alice"));
    size_t n = n_throttled();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *got = say(slice_str(wrong[i]), SIZE_MAX);

        assert_non_null(strstr(got, "\"error\""));
        free(got);
        assert_int_equal(n_throttled(), n);
    }
}

static void what_is_no_question_is_told_so_or_hung_up_on(void **state)
{
    static const struct slice nonsense[] = {
        S("\n"),       S("{\n"),          S("{\"do\"\n"),
        S("\0\0\0\n"), S("\xff\xfe{}\n"), S("{\"do\":\"\xff\"}\n"),
    };
    static const struct slice unknown[] = {
        S("[]\n"), S("{}\n"), S("{\"do\":7}\n"), S("{\"do\":\"\"}\n"), S("{\"do\":\"stop\"}\n"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++)
        assert_says(nonsense[i], "");
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_says(unknown[i], "{\"error\":\"this daemon knows no such question\"}\n");
}

/* The daemon may hang up before all of it is sent. */
static void a_question_without_an_end_is_hung_up_on(void **state)
{
    static char much[256 * 1024];
    int fd = knock();

    (void)state;
    memset(much, '[', sizeof much);
    for (size_t sent = 0; sent < sizeof much;) {
        ssize_t n = send(fd, much + sent, sizeof much - sent, MSG_NOSIGNAL);

        if (n < 0)
            break;
        sent += (size_t)n;
    }
    char *got = hear(fd);
    assert_string_equal(got, "");
    free(got);
    assert_says(S("{\"do\":\"instance\"}\n"), "{\"instance\":\"5f3a2b1c\"}\n");
}

/* ---- others meanwhile ---- */

/* A client that never comes to its point, a byte at a time, until it is hung up on. */
static void *trickle(void *arg)
{
    const struct timespec moment = {.tv_nsec = 100000000};
    int fd = *(int *)arg;

    while (send(fd, "[", 1, MSG_NOSIGNAL) == 1)
        nanosleep(&moment, NULL);
    close(fd);
    return NULL;
}

static void who_dawdles_keeps_neither_the_next_one_nor_the_end_waiting(void **state)
{
    int first = knock(), second;
    pthread_t threads[2];

    (void)state;
    pthread_create(&threads[0], NULL, trickle, &first);
    json_t *answer = ask("{\"do\":\"instance\"}");
    json_decref(answer);
    second = knock();
    pthread_create(&threads[1], NULL, trickle, &second);
    control_free(here.control);
    here.control = NULL;
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

static void *ask_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 25; i++) {
        json_t *answer = ask(i % 3 ? "{\"do\":\"throttled\"}" : "{\"do\":\"lift\"}");

        json_decref(answer);
    }
    return NULL;
}

static void many_ask_while_others_log_on(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, ask_often, NULL);
    for (int i = 0; i < 5; i++) {
        guess(S("alice"));
        guess(S("bob"));
    }
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    json_decref(ask("{\"do\":\"lift\"}"));
    assert_int_equal(n_throttled(), 0);
}

/* The daemon that was killed left its socket; the next one takes its place. */
static void a_socket_that_was_left_behind_is_replaced(void **state)
{
    struct control *next;

    (void)state;
    assert_ok(control_new(here.dir, "6a6b6c6d", here.f->auth, NULL, NULL, &next));
    assert_says(S("{\"do\":\"instance\"}\n"), "{\"instance\":\"6a6b6c6d\"}\n");
    control_free(next);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_question_is_answered_however_its_bytes_come),
        TEST(who_waits_is_told_and_lifted),
        TEST(names_of_whatever_bytes_are_told),
        TEST(what_is_no_name_and_no_address_lifts_nobody),
        TEST(what_is_no_question_is_told_so_or_hung_up_on),
        TEST(a_question_without_an_end_is_hung_up_on),
        TEST(who_dawdles_keeps_neither_the_next_one_nor_the_end_waiting),
        TEST(many_ask_while_others_log_on),
        TEST(a_socket_that_was_left_behind_is_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
