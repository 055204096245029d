/*
 * log.h - one line per event, with a stable name and fields.
 *
 * Whoever wants to log is handed a struct log; the gateway decides whether lines are text, JSON
 * or journald's. Values are escaped by the sink: a field may hold any bytes a client sent, never
 * a secret.
 *
 * Threads    log_event() may be called on any thread.
 */
#ifndef GATEPOST_BASE_LOG_H
#define GATEPOST_BASE_LOG_H

#include "base/slice.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum log_kind { LOG_FIELD_TEXT, LOG_FIELD_NUMBER };

struct log_field {
    const char *name;
    enum log_kind kind;
    struct slice text;
    int64_t number;
};

/* A log sink. `least` may be read by the caller to spare the making of fields. */
struct log {
    enum log_level least;
    void (*emit)(struct log *log, enum log_level level, const char *event,
                 const struct log_field *fields, size_t n);
};

static inline struct log_field log_text(const char *name, struct slice text)
{
    return (struct log_field){.name = name, .kind = LOG_FIELD_TEXT, .text = text};
}

static inline struct log_field log_str(const char *name, const char *text)
{
    return log_text(name, slice_str(text));
}

static inline struct log_field log_number(const char *name, int64_t number)
{
    return (struct log_field){.name = name, .kind = LOG_FIELD_NUMBER, .number = number};
}

/* log_event(log, LOG_LEVEL_INFO, "session.end", log_str("user", u), log_number("ms", 3)); */
#define log_event(log, level, event, ...)                                                          \
    log_emit(log, level, event, (const struct log_field[]){__VA_ARGS__},                           \
             sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

/* A NULL `log` swallows everything, so that units and fuzzers need none. */
void log_emit(struct log *log, enum log_level level, const char *event,
              const struct log_field *fields, size_t n);

#endif
