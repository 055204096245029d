#include "gateway/audit_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/audit_kind.h"

enum {
    GROUP_MOST = 1000,
    GATHER_MS = 200,       /* how long a record may wait for company */
    WAITING_MOST = 100000, /* then the store's copy is given up; the file's is not */
    TRIM_EVERY = 64,       /* groups */
    TRIM_MOST = 2000,
    RETRY_MS = 5000,
};

/* The JSON line tells milliseconds, so the store's time does too: the two can be compared. */
static const uint64_t millisecond = FILETIME_SECOND / 1000;

struct waiting {
    struct waiting *next;
    struct audit_entry entry;
    uint8_t bytes[]; /* user, kind, line */
};

struct audit_sink {
    struct auth_sink face;
    struct audit *audit;
    struct log *log;
    pthread_mutex_t file_mutex; /* of the file: */
    int fd;                     /* -1: none */
    uint64_t unwritten;         /* records since the file could last be written */
    _Atomic uint64_t keep;      /* FILETIME */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    struct waiting *first, **end;
    size_t n;
    bool stopping, told_full;
    atomic_ullong records, file_lost, store_lost;
};

/* ---- taking records ---- */

/* `given` lives until then; what it points to is copied. */
static struct waiting *waiting_new(const struct audit_entry *given)
{
    struct waiting *w =
        mem_new(sizeof *w + given->user.len + given->kind.len + given->door.len + given->line.len);
    uint8_t *at = w->bytes;

    w->entry = *given;
    w->entry.time -= given->time % millisecond;
    struct slice *const parts[] = {&w->entry.user, &w->entry.kind, &w->entry.door, &w->entry.line};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i]->len)
            memcpy(at, parts[i]->ptr, parts[i]->len);
        parts[i]->ptr = at;
        at += parts[i]->len;
    }
    return w;
}

static void enqueue(struct audit_sink *sink, struct waiting *w)
{
    pthread_mutex_lock(&sink->mutex);
    bool full = sink->n >= WAITING_MOST, tell = full && !sink->told_full;
    if (!full) {
        *sink->end = w;
        sink->end = &w->next;
        sink->n++;
        pthread_cond_signal(&sink->filled);
    }
    sink->told_full = full;
    pthread_mutex_unlock(&sink->mutex);
    if (full) {
        atomic_fetch_add_explicit(&sink->store_lost, 1, memory_order_relaxed);
        free(w);
    }
    if (tell)
        log_event(sink->log, LOG_LEVEL_ERROR, "audit.store.full",
                  log_str("why", "the store does not take records; the file still does"));
}

/* Under file_mutex. Of a line that was cut short nothing stays: a line is a record. */
static bool try_write(struct audit_sink *sink, struct slice line)
{
    ssize_t n = -1;

    do
        n = write(sink->fd, line.ptr, line.len);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)line.len)
        return true;
    off_t end = n > 0 ? lseek(sink->fd, 0, SEEK_CUR) : -1;
    int error = n > 0 ? ENOSPC : errno;
    if (n > 0 && end >= n && ftruncate(sink->fd, end - n) != 0)
        error = errno;
    errno = error;
    return false;
}

static void write_line(struct audit_sink *sink, struct slice line)
{
    uint64_t failed_now = 0, unwritten = 0;
    int error = 0;

    pthread_mutex_lock(&sink->file_mutex);
    if (sink->fd >= 0 && try_write(sink, line)) {
        unwritten = sink->unwritten;
        sink->unwritten = 0;
    } else if (sink->fd >= 0) {
        error = errno;
        failed_now = ++sink->unwritten;
        atomic_fetch_add_explicit(&sink->file_lost, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&sink->file_mutex);
    if (failed_now == 1)
        log_event(sink->log, LOG_LEVEL_ERROR, "audit.file.failed", log_str("why", strerror(error)));
    if (unwritten)
        log_event(sink->log, LOG_LEVEL_WARN, "audit.file.recovered",
                  log_number("lost", (int64_t)unwritten));
}

static void record(struct auth_sink *face, const struct auth_record *rec, struct slice line)
{
    struct audit_sink *sink = (struct audit_sink *)face;
    struct audit_kind kind =
        audit_kind_of(auth_protocol_name(rec->peer->protocol), rec->reason, rec->mechanism);

    atomic_fetch_add_explicit(&sink->records, 1, memory_order_relaxed);
    write_line(sink, line);
    enqueue(sink,
            waiting_new(&(struct audit_entry){
                .time = rec->time,
                .user = rec->identity.len ? rec->identity : rec->name_given,
                .kind = audit_kind_slice(&kind),
                .door = rec->reason == AUTH_OK ? slice_str(auth_protocol_name(rec->peer->protocol))
                                               : SLICE_EMPTY,
                .latency_us = rec->latency_us < UINT32_MAX ? (uint32_t)rec->latency_us : UINT32_MAX,
                .line = line,
            }));
}

/* ---- bringing them into the store ---- */

static bool wait_until(struct audit_sink *sink, unsigned ms)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return pthread_cond_timedwait(&sink->filled, &sink->mutex, &until) == 0;
}

/* Up to GROUP_MOST of those that wait; NULL when the sink stops and none are left. */
static struct waiting *take_group(struct audit_sink *sink, size_t *n)
{
    struct waiting *first, **last;

    pthread_mutex_lock(&sink->mutex);
    while (!sink->first && !sink->stopping)
        pthread_cond_wait(&sink->filled, &sink->mutex);
    while (sink->n < GROUP_MOST && !sink->stopping)
        if (!wait_until(sink, GATHER_MS))
            break;
    first = sink->first;
    last = &sink->first;
    for (*n = 0; *last && *n < GROUP_MOST; ++*n)
        last = &(*last)->next;
    sink->first = *last;
    *last = NULL;
    if (!sink->first)
        sink->end = &sink->first;
    sink->n -= *n;
    pthread_mutex_unlock(&sink->mutex);
    return first;
}

static bool pause_for(struct audit_sink *sink, unsigned ms)
{
    pthread_mutex_lock(&sink->mutex);
    while (!sink->stopping && wait_until(sink, ms))
        ;
    bool stopping = sink->stopping;
    pthread_mutex_unlock(&sink->mutex);
    return !stopping;
}

static void append_group(struct audit_sink *sink, struct waiting *first, size_t n)
{
    struct audit_entry *entries = mem_array(n, sizeof *entries);
    struct err e;
    size_t i = 0;

    for (struct waiting *w = first; w; w = w->next)
        entries[i++] = w->entry;
    while (failed(e = audit_append(sink->audit, entries, n))) {
        log_event(sink->log, LOG_LEVEL_ERROR, "audit.store.failed", log_str("why", e.why));
        if (!pause_for(sink, RETRY_MS)) {
            atomic_fetch_add(&sink->store_lost, n);
            break; /* the next start takes them from the file */
        }
    }
    for (struct waiting *next; first; first = next) {
        next = first->next;
        free(first);
    }
    free(entries);
}

static void trim(struct audit_sink *sink)
{
    unsigned removed;
    uint64_t now = clock_now().wall;

    if (sink->keep && sink->keep < now)
        (void)!failed(audit_trim(sink->audit, now - sink->keep, TRIM_MOST, &removed));
}

/* ---- taking over what the file has and the store has not ---- */

/* The start of the line that ends before `end`. */
static size_t line_start(struct slice file, size_t end)
{
    while (end > 0 && file.ptr[end - 1] != '\n')
        end--;
    return end;
}

/* What is no record of ours gives NULL. */
static struct waiting *parse_line(struct slice line)
{
    json_t *rec = json_loadb((const char *)line.ptr, line.len, 0, NULL);
    struct audit_entry entry = {.line = line};
    struct audit_kind kind;
    struct waiting *w = NULL;

    if (audit_record_kind(rec, &kind) &&
        clock_parse_rfc3339(audit_member(rec, "time"), &entry.time)) {
        struct slice identity = audit_member(rec, "identity");

        entry.user = identity.len ? identity : audit_member(rec, "name");
        entry.kind = audit_kind_slice(&kind);
        if (slice_eq(audit_member(rec, "reason"), S("ok")))
            entry.door = audit_member(rec, "protocol");
        entry.latency_us = audit_record_latency(rec);
        w = waiting_new(&entry);
    }
    json_decref(rec);
    return w;
}

static bool count_record(void *ctx, struct audit_place at, struct slice line)
{
    (void)at, (void)line;
    ++*(size_t *)ctx;
    return true;
}

/* Read backwards to the newest time that the store has; then enqueue forwards. */
static void take_over(struct audit_sink *sink, struct slice file, uint64_t newest, size_t known)
{
    struct waiting *list = NULL;
    size_t end = file.len;

    while (end > 0) {
        size_t start = line_start(file, end - 1);
        struct waiting *w = parse_line(slice_sub(file, start, end - start));

        end = start;
        if (w && w->entry.time < newest) {
            free(w);
            break;
        }
        if (w) {
            w->next = list;
            list = w;
        }
    }
    for (struct waiting *next; list; list = next) {
        next = list->next;
        list->next = NULL;
        if (list->entry.time == newest && known > 0) {
            known--;
            free(list);
        } else {
            enqueue(sink, list);
        }
    }
}

static struct err catch_up(struct audit_sink *sink)
{
    struct stat st;
    uint64_t newest;
    size_t known = 0;
    struct err e = audit_newest(sink->audit, &newest);

    if (!failed(e) && newest)
        e = audit_query(sink->audit, newest, newest + 1, SLICE_EMPTY, count_record, &known);
    if (failed(e) || sink->fd < 0 || fstat(sink->fd, &st) != 0 || st.st_size == 0)
        return e;
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, sink->fd, 0);
    if (map == MAP_FAILED)
        return ERR(ERR_IO, "the audit file cannot be read");
    take_over(sink, slice_of(map, (size_t)st.st_size), newest, known);
    munmap(map, (size_t)st.st_size);
    return OK;
}

static void *work(void *arg)
{
    struct audit_sink *sink = arg;
    struct waiting *group;
    unsigned groups = 0;
    size_t n;

    while ((group = take_group(sink, &n))) {
        append_group(sink, group, n);
        if (groups++ % TRIM_EVERY == 0)
            trim(sink);
    }
    return NULL;
}

void audit_sink_stats(struct audit_sink *sink, struct audit_sink_stats *out)
{
    pthread_mutex_lock(&sink->mutex);
    out->waiting = sink->n;
    pthread_mutex_unlock(&sink->mutex);
    out->records = atomic_load_explicit(&sink->records, memory_order_relaxed);
    out->file_lost = atomic_load_explicit(&sink->file_lost, memory_order_relaxed);
    out->store_lost = atomic_load_explicit(&sink->store_lost, memory_order_relaxed);
}

/* ---- life ---- */

static int open_file(const char *path)
{
    return path && *path ? open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
}

struct err audit_sink_new(const char *path, uint64_t keep_ms, struct engine *engine,
                          struct log *log, struct audit_sink **out)
{
    struct audit_sink *sink = mem_new(sizeof *sink);
    struct err e;

    sink->face.record = record;
    sink->log = log;
    sink->keep = keep_ms * millisecond;
    sink->end = &sink->first;
    pthread_mutex_init(&sink->mutex, NULL);
    pthread_cond_init(&sink->filled, NULL);
    pthread_mutex_init(&sink->file_mutex, NULL);
    sink->fd = open_file(path);
    e = path && *path && sink->fd < 0 ? ERR(ERR_IO, "the audit file cannot be opened")
                                      : audit_open(engine, &sink->audit);
    if (!failed(e))
        e = catch_up(sink);
    if (!failed(e) && pthread_create(&sink->thread, NULL, work, sink) != 0)
        e = ERR(ERR_UNAVAILABLE, "no thread for audit records");
    if (failed(e)) {
        sink->stopping = true;
        audit_sink_free(sink);
        return e;
    }
    *out = sink;
    return OK;
}

struct auth_sink *audit_sink_face(struct audit_sink *sink)
{
    return &sink->face;
}

struct err audit_sink_try(const char *path)
{
    int fd = open_file(path);

    if (fd < 0)
        return *path ? ERR(ERR_IO, "the audit file cannot be opened") : OK;
    close(fd);
    return OK;
}

struct err audit_sink_reopen(struct audit_sink *sink, const char *path, uint64_t keep_ms)
{
    int fd = open_file(path);

    sink->keep = keep_ms * millisecond;
    if (*path && fd < 0)
        return ERR(ERR_IO, "the audit file cannot be opened anew");
    pthread_mutex_lock(&sink->file_mutex);
    int old = sink->fd;
    sink->fd = fd;
    pthread_mutex_unlock(&sink->file_mutex);
    if (old >= 0)
        close(old);
    return OK;
}

void audit_sink_free(struct audit_sink *sink)
{
    if (!sink)
        return;
    if (sink->thread) {
        pthread_mutex_lock(&sink->mutex);
        sink->stopping = true;
        pthread_cond_signal(&sink->filled);
        pthread_mutex_unlock(&sink->mutex);
        pthread_join(sink->thread, NULL);
    }
    for (struct waiting *w = sink->first, *next; w; w = next) {
        next = w->next;
        free(w);
    }
    audit_close(sink->audit);
    if (sink->fd >= 0)
        close(sink->fd);
    pthread_cond_destroy(&sink->filled);
    pthread_mutex_destroy(&sink->mutex);
    pthread_mutex_destroy(&sink->file_mutex);
    free(sink);
}
