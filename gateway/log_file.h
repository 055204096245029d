/*
 * log_file.h - the log of the daemon: one line per event, as text for people or as JSON.
 *
 *     2026-11-24T03:40:31.123Z info session.end session=69239c7f00000001 user="alice" ms=17
 *     {"time":"2026-11-24T03:40:31.123Z","level":"info","event":"session.end","user":"alice","ms":17}
 *
 * A field may hold any bytes a client sent: what is not printable ASCII or well-formed UTF-8
 * comes out escaped, so that a line stays a line. Each line is one write(), so that lines of
 * several threads and processes do not mix.
 *
 * Threads    Any.
 */
#ifndef GATEPOST_GATEWAY_LOG_FILE_H
#define GATEPOST_GATEWAY_LOG_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"

struct log_file;

/* `path` NULL: standard error. ERR_IO: it cannot be opened for appending. */
struct err log_file_new(const char *path, bool json, enum log_level least,
                        struct log_file **out) MUST_USE;
void log_file_free(struct log_file *file);
struct log *log_file_log(struct log_file *file);

/* After rotation, or with a new configuration. On failure everything stays as it was. */
struct err log_file_reopen(struct log_file *file, const char *path, bool json,
                           enum log_level least) MUST_USE;

/* The line of one event, with its line feed. Exposed for tests. */
void log_put_line(struct buf *out, bool json, uint64_t filetime, enum log_level level,
                  const char *event, const struct log_field *fields, size_t n);

#endif
