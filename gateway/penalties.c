#include "gateway/penalties.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

enum { FILE_MOST = 256 * 1024 * 1024 };

struct penalties {
    char *path, *fresh; /* the latter is renamed to the former when it is whole */
    struct auth *auth;
    struct log *log;
    uint64_t saved; /* changes that the file has */
    bool failing;
};

static char *path_of(const char *dir, const char *name)
{
    struct buf path = buf_make(SIZE_MAX / 2);

    buf_printf(&path, "%s/%s", dir, name);
    char *out = mem_slice_str(buf_slice(&path));
    buf_done(&path);
    return out;
}

/* ---- reading ---- */

static bool read_all(int fd, struct buf *out)
{
    ssize_t n;

    do {
        uint8_t *at = buf_reserve(out, 64 * 1024);

        if (!at)
            return false;
        n = read(fd, at, 64 * 1024);
        if (n > 0)
            buf_commit(out, (size_t)n);
    } while (n > 0 || (n < 0 && errno == EINTR));
    return n == 0;
}

static void load(struct penalties *p)
{
    struct buf saved = buf_make(FILE_MOST);
    int fd = open(p->path, O_RDONLY | O_CLOEXEC);
    struct err e = OK;

    if (fd >= 0) {
        e = read_all(fd, &saved) ? auth_penalties_load(p->auth, buf_slice(&saved))
                                 : ERR(ERR_IO, "it cannot be read");
        close(fd);
    } else if (errno != ENOENT) {
        e = ERR(ERR_IO, "it cannot be opened");
    }
    if (failed(e))
        log_event(p->log, LOG_LEVEL_WARN, "penalties.lost", log_str("why", e.why));
    buf_done(&saved);
}

/* ---- writing ---- */

static bool replace(struct penalties *p, struct slice bytes)
{
    int fd = open(p->fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return false;
    int error = file_write(fd, bytes);
    if (close(fd) != 0 && !error)
        error = errno;
    if (error) {
        errno = error;
        return false;
    }
    return rename(p->fresh, p->path) == 0;
}

void penalties_save(struct penalties *p)
{
    struct buf bytes = buf_make(FILE_MOST);
    uint64_t changes = auth_penalties_changes(p->auth);

    if (changes == p->saved)
        return;
    auth_penalties_save(p->auth, &bytes);
    bool good = !bytes.failed && replace(p, buf_slice(&bytes));
    if (good)
        p->saved = changes;
    else if (!p->failing)
        log_event(p->log, LOG_LEVEL_ERROR, "penalties.failed", log_str("path", p->path),
                  log_str("why", bytes.failed ? "too large" : strerror(errno)));
    p->failing = !good;
    buf_done(&bytes);
}

/* ---- life ---- */

struct penalties *penalties_new(const char *dir, struct auth *auth, struct log *log)
{
    struct penalties *p = mem_new(sizeof *p);

    p->path = path_of(dir, "penalties");
    p->fresh = path_of(dir, "penalties.new");
    p->auth = auth;
    p->log = log;
    load(p);
    p->saved = auth_penalties_changes(auth);
    return p;
}

void penalties_free(struct penalties *p)
{
    if (!p)
        return;
    penalties_save(p);
    free(p->path);
    free(p->fresh);
    free(p);
}
