#include "base/log.h"

void log_emit(struct log *log, enum log_level level, const char *event,
              const struct log_field *fields, size_t n)
{
    if (log && level >= log->least)
        log->emit(log, level, event, fields, n);
}
