#include "gateway/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf.h"
#include "gateway/net/address.h"

enum {
    BACKLOG = 16,
    QUESTION_MAX = 64 * 1024,
    ANSWER_MAX = 64 * 1024 * 1024,
    PATIENCE_MS = 5000, /* with whoever asks, from his first byte to the last of his answer */
    ASKING_MS = 30000,  /* with the daemon, which may be talking to somebody else */
    RETRY_MS = 1000,
};

struct control {
    const char *instance;
    struct auth *auth;
    struct transport *transport;
    struct log *log;
    int dir, listener, stop;
    pthread_t thread;
    bool running;
};

/* ---- the socket ---- */

/* Through the directory's descriptor: its own path may be longer than an address can be. */
static struct sockaddr_un address_in(int dir)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/control", dir);
    return address;
}

static int open_dir(const char *dir)
{
    return open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* ---- lines ---- */

/* One question and its answer, and until when there is patience for both. */
struct talk {
    int fd,
        stop; /* stop: what becomes readable when nobody may wait any longer; -1: nothing does */
    uint64_t until;
};

static struct talk talk_begin(int fd, int stop, uint64_t patience_ms)
{
    return (struct talk){fd, stop, clock_now().mono_ms + patience_ms};
}

/* Wait until the other side sends (POLLIN) or takes (POLLOUT) something. False: no longer. */
static bool talk_wait(const struct talk *talk, short events)
{
    struct pollfd fds[] = {{.fd = talk->stop, .events = POLLIN},
                           {.fd = talk->fd, .events = events}};

    for (uint64_t now; (now = clock_now().mono_ms) < talk->until;) {
        int n = poll(fds, 2, (int)(talk->until - now));

        if (n > 0)
            return fds[0].revents == 0;
        if (n < 0 && errno != EINTR)
            break;
    }
    return false;
}

static bool is_for_later(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static bool send_all(const struct talk *talk, struct slice rest)
{
    while (rest.len && talk_wait(talk, POLLOUT)) {
        ssize_t n = send(talk->fd, rest.ptr, rest.len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && !is_for_later())
            break;
        rest = slice_from(rest, n > 0 ? (size_t)n : 0);
    }
    return rest.len == 0;
}

static bool send_line(const struct talk *talk, const json_t *line)
{
    char *text = json_dumps(line, JSON_COMPACT);
    bool good = text && send_all(talk, slice_str(text)) && send_all(talk, S("\n"));

    free(text);
    return good;
}

/* NULL: none came, or not within reason. */
static json_t *receive_line(const struct talk *talk, size_t most)
{
    struct buf line = buf_make(most);
    bool whole = false;
    json_t *out = NULL;

    while (!whole && !line.failed && talk_wait(talk, POLLIN)) {
        char piece[4096];
        ssize_t n = recv(talk->fd, piece, sizeof piece, MSG_DONTWAIT);

        if (n == 0 || (n < 0 && !is_for_later()))
            break;
        struct slice some = slice_of(piece, n > 0 ? (size_t)n : 0);
        whole = slice_index(some, '\n') < some.len;
        buf_put(&line, some);
    }
    if (!line.failed && line.len)
        out = json_loadb((const char *)line.data, line.len, JSON_DISABLE_EOF_CHECK, NULL);
    buf_done(&line);
    return out;
}

/* ---- what can be asked ---- */

/* Names are shown as far as they are text. */
static json_t *text_of(struct slice s)
{
    json_t *text = json_stringn(s.len ? (const char *)s.ptr : "", s.len);
    struct buf out = buf_make(8 * s.len + 1);

    if (text)
        return text;
    utf8_put_lossy(&out, s);
    text = json_stringn((const char *)out.data, out.len);
    buf_done(&out);
    return text;
}

static void put_throttled(void *ctx, const struct auth_throttled *one)
{
    json_array_append_new(ctx, json_pack("{so so sI sI}", "address", text_of(one->address), "name",
                                         text_of(one->name), "failures", (json_int_t)one->failures,
                                         "wait_ms", (json_int_t)one->wait_ms));
}

static json_t *throttled(struct control *control, const json_t *question)
{
    json_t *list = json_array();

    (void)question;
    auth_throttled(control->auth, put_throttled, list);
    return json_pack("{so}", "throttled", list);
}

/* What address a text means: "2001:db8::/64" is told of a site, and its first address stands for
 * it. */
static bool address_of_text(struct slice text, struct sockaddr_storage *out)
{
    struct slice host = slice_cut(&text, '/');

    return (text.len == 0 || slice_eq(text, S("64"))) &&
           address_parse(AF_UNSPEC, host, S("0"), out);
}

static json_t *lift(struct control *control, const json_t *question)
{
    const json_t *address = json_object_get(question, "address");
    const json_t *name = json_object_get(question, "name");
    struct sockaddr_storage where;

    if (address && !address_of_text(slice_str(json_string_value(address)), &where))
        return json_pack("{ss}", "error", "not an address");
    if (name && !json_is_string(name))
        return json_pack("{ss}", "error", "not a name");
    size_t n = auth_lift(control->auth, address ? &where : NULL,
                         slice_of(json_string_value(name), json_string_length(name)));
    return json_pack("{sI}", "lifted", (json_int_t)n);
}

static json_t *instance(struct control *control, const json_t *question)
{
    (void)question;
    return json_pack("{ss}", "instance", control->instance);
}

static json_t *queue(struct control *control, const json_t *question)
{
    (void)question;
    transport_wake(control->transport);
    return json_pack("{sb}", "woken", 1);
}

static const struct {
    const char *name;
    json_t *(*run)(struct control *control, const json_t *question);
} questions[] = {
    {"throttled", throttled}, {"lift", lift}, {"instance", instance}, {"queue", queue}};

static json_t *answer_to(struct control *control, const json_t *question)
{
    const char *what = json_string_value(json_object_get(question, "do"));

    for (size_t i = 0; what && i < sizeof questions / sizeof *questions; i++)
        if (strcmp(what, questions[i].name) == 0)
            return questions[i].run(control, question);
    return json_pack("{ss}", "error", "this daemon knows no such question");
}

static void serve(struct control *control, int fd)
{
    struct talk talk = talk_begin(fd, control->stop, PATIENCE_MS);
    json_t *question = receive_line(&talk, QUESTION_MAX);
    if (question) {
        json_t *answer = answer_to(control, question);
        const char *what = json_string_value(json_object_get(question, "do"));

        log_event(control->log, LOG_LEVEL_INFO, "control", log_str("do", what));
        (void)send_line(&talk, answer);
        json_decref(answer);
    }
    json_decref(question);
    close(fd);
}

static void *work(void *arg)
{
    struct control *control = arg;
    struct pollfd fds[] = {{.fd = control->stop, .events = POLLIN},
                           {.fd = control->listener, .events = POLLIN}};

    while (poll(fds, 2, -1) >= 0 || errno == EINTR) {
        if (fds[0].revents)
            break;
        int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0)
            serve(control, fd);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            poll(fds, 1, RETRY_MS); /* who knocks waits until there is room; a stop is heard */
    }
    return NULL;
}

/* ---- life ---- */

static struct err listen_in(struct control *control)
{
    struct sockaddr_un address = address_in(control->dir);

    control->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    control->stop = eventfd(0, EFD_CLOEXEC);
    unlinkat(control->dir, "control", 0);
    /* Nobody else may ask. The file gets the mode of the socket (unix(7)), with no moment between.
     */
    if (control->listener < 0 || control->stop < 0 || fchmod(control->listener, 0600) != 0 ||
        bind(control->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(control->listener, BACKLOG) != 0)
        return ERR(ERR_IO, "the control socket cannot be made");
    return OK;
}

struct err control_new(const char *dir, const char *instance, struct auth *auth,
                       struct transport *transport, struct log *log, struct control **out)
{
    struct control *control = mem_new(sizeof *control);
    struct err e = OK;

    control->instance = instance;
    control->auth = auth;
    control->transport = transport;
    control->log = log;
    control->listener = control->stop = -1;
    control->dir = open_dir(dir);
    if (control->dir < 0)
        e = ERR(ERR_IO, "the store's directory cannot be opened");
    if (!failed(e))
        e = listen_in(control);
    if (!failed(e) && pthread_create(&control->thread, NULL, work, control) != 0)
        e = ERR(ERR_UNAVAILABLE, "no thread for it");
    control->running = !failed(e);
    if (failed(e))
        control_free(control);
    else
        *out = control;
    return e;
}

void control_free(struct control *control)
{
    if (!control)
        return;
    if (control->running) {
        (void)!eventfd_write(control->stop, 1);
        pthread_join(control->thread, NULL);
        unlinkat(control->dir, "control", 0);
    }
    if (control->listener >= 0)
        close(control->listener);
    if (control->stop >= 0)
        close(control->stop);
    if (control->dir >= 0)
        close(control->dir);
    free(control);
}

/* ---- the command line's side ---- */

static int connect_to(const char *dir)
{
    int base = open_dir(dir), fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = address_in(base);

    if (base < 0 || fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    if (base >= 0)
        close(base);
    return fd;
}

struct err control_ask(const char *dir, const json_t *question, json_t **answer)
{
    int fd = connect_to(dir);

    if (fd < 0)
        return ERR(ERR_UNAVAILABLE, "no daemon serves this store");
    struct talk talk = talk_begin(fd, -1, ASKING_MS);
    json_t *got = send_line(&talk, question) ? receive_line(&talk, ANSWER_MAX) : NULL;
    close(fd);
    if (!got)
        return ERR(ERR_UNAVAILABLE, "the daemon does not answer");
    *answer = got;
    return OK;
}
