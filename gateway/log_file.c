#include "gateway/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf.h"

enum { LINE_MAX_BYTES = 64 * 1024 };

struct log_file {
    struct log log;        /* first */
    pthread_mutex_t mutex; /* of fd and json; `log.least` is read without it, see emit() */
    int fd;
    bool json, own;
    uint64_t unwritten; /* lines since the file could last be written */
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

/* ---- escaping ---- */

/*
 * Between quotes. JSON has no escape for a byte that is no text: those become U+FFFD there, and
 * \xNN in text lines.
 */
static void put_quoted(struct buf *out, bool json, struct slice s)
{
    buf_putc(out, '"');
    while (s.len) {
        size_t len = utf8_printable(s);

        if (*s.ptr == '"' || *s.ptr == '\\') {
            buf_putc(out, '\\');
            buf_putc(out, *s.ptr);
        } else if (len) {
            buf_put(out, slice_head(s, len));
        } else if (*s.ptr < 0x80) {
            buf_printf(out, json ? "\\u%04x" : "\\x%02x", *s.ptr);
        } else if (json) {
            buf_puts(out, "\\ufffd");
        } else {
            buf_printf(out, "\\x%02x", *s.ptr);
        }
        s = slice_from(s, len ? len : 1);
    }
    buf_putc(out, '"');
}

/* ---- lines ---- */

static void put_json(struct buf *out, uint64_t filetime, enum log_level level, const char *event,
                     const struct log_field *fields, size_t n)
{
    buf_puts(out, "{\"time\":\"");
    clock_put_rfc3339(out, filetime);
    buf_printf(out, "\",\"level\":\"%s\",\"event\":\"%s\"", level_names[level], event);
    for (size_t i = 0; i < n; i++) {
        if (fields[i].kind == LOG_FIELD_TEXT && !fields[i].text.ptr)
            continue;
        buf_printf(out, ",\"%s\":", fields[i].name);
        if (fields[i].kind == LOG_FIELD_NUMBER)
            buf_printf(out, "%lld", (long long)fields[i].number);
        else
            put_quoted(out, true, fields[i].text);
    }
    buf_puts(out, "}");
}

static void put_text(struct buf *out, uint64_t filetime, enum log_level level, const char *event,
                     const struct log_field *fields, size_t n)
{
    clock_put_rfc3339(out, filetime);
    buf_printf(out, " %s %s", level_names[level], event);
    for (size_t i = 0; i < n; i++) {
        if (fields[i].kind == LOG_FIELD_TEXT && !fields[i].text.ptr)
            continue;
        buf_printf(out, " %s=", fields[i].name);
        if (fields[i].kind == LOG_FIELD_NUMBER)
            buf_printf(out, "%lld", (long long)fields[i].number);
        else
            put_quoted(out, false, fields[i].text);
    }
}

void log_put_line(struct buf *out, bool json, uint64_t filetime, enum log_level level,
                  const char *event, const struct log_field *fields, size_t n)
{
    (json ? put_json : put_text)(out, filetime, level, event, fields, n);
    buf_putc(out, '\n');
}

/* ---- the file ---- */

/* Under the mutex. Of a line that a full disk cut short nothing stays, where it can be taken back.
 */
static bool try_write(struct log_file *file, struct slice line)
{
    ssize_t n = -1;

    do
        n = write(file->fd, line.ptr, line.len);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)line.len)
        return true;
    off_t end = n > 0 && file->own ? lseek(file->fd, 0, SEEK_CUR) : -1;
    if (n > 0 && end >= n && ftruncate(file->fd, end - n) != 0)
        file->unwritten++; /* half a line more that nobody can read */
    return false;
}

/* Nobody can be told where the log cannot be written, but later it is said how much is missing. */
static void write_line(struct log_file *file, struct slice line)
{
    struct buf missing = buf_make(1000);

    if (file->unwritten) {
        const struct log_field lost[] = {log_number("lines", (int64_t)file->unwritten)};

        log_put_line(&missing, file->json, clock_now().wall, LOG_LEVEL_WARN, "log.lost", lost, 1);
        if (try_write(file, buf_slice(&missing)))
            file->unwritten = 0;
    }
    if (file->unwritten || !try_write(file, line))
        file->unwritten++;
    buf_done(&missing);
}

static void emit(struct log *log, enum log_level level, const char *event,
                 const struct log_field *fields, size_t n)
{
    struct log_file *file = (struct log_file *)log;
    struct buf line = buf_make(LINE_MAX_BYTES);
    uint64_t now = clock_now().wall;

    pthread_mutex_lock(&file->mutex);
    log_put_line(&line, file->json, now, level, event, fields, n);
    if (line.failed) { /* absurdly long: without its fields, but not without a word */
        buf_clear(&line);
        log_put_line(&line, file->json, now, level, event, NULL, 0);
    }
    write_line(file, buf_slice(&line));
    pthread_mutex_unlock(&file->mutex);
    buf_done(&line);
}

static struct err open_path(const char *path, int *fd)
{
    *fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640) : STDERR_FILENO;
    return *fd < 0 ? ERR(ERR_IO, "the log file cannot be opened") : OK;
}

struct err log_file_new(const char *path, bool json, enum log_level least, struct log_file **out)
{
    int fd;
    struct err e = open_path(path, &fd);

    if (failed(e))
        return e;
    struct log_file *file = mem_new(sizeof *file);
    file->log = (struct log){.least = least, .emit = emit};
    pthread_mutex_init(&file->mutex, NULL);
    file->fd = fd;
    file->own = path != NULL;
    file->json = json;
    *out = file;
    return OK;
}

void log_file_free(struct log_file *file)
{
    if (!file)
        return;
    if (file->own)
        close(file->fd);
    pthread_mutex_destroy(&file->mutex);
    free(file);
}

struct log *log_file_log(struct log_file *file)
{
    return &file->log;
}

struct err log_file_reopen(struct log_file *file, const char *path, bool json, enum log_level least)
{
    int fd;
    struct err e = open_path(path, &fd);

    if (failed(e))
        return e;
    pthread_mutex_lock(&file->mutex);
    if (file->own)
        close(file->fd);
    file->fd = fd;
    file->own = path != NULL;
    file->json = json;
    pthread_mutex_unlock(&file->mutex);
    /* Others read it without a lock; a line too many or too few does no harm. */
    __atomic_store_n(&file->log.least, least, __ATOMIC_RELAXED);
    return OK;
}
