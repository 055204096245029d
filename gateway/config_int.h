/* config_int.h - between config_read.c, which reads, and config.c, which understands. */
#ifndef GATEPOST_GATEWAY_CONFIG_INT_H
#define GATEPOST_GATEWAY_CONFIG_INT_H

#include <confuse.h>

#include "base/arena.h"
#include "gateway/config.h"

/*
 * The whole file, every value checked by itself. `path`, `arena` and `why` stay in place until
 * config_read_end(). NULL: `why` has the faults.
 */
cfg_t *config_read(const char *path, struct arena *arena, struct buf *why) MUST_USE;

/*
 * A fault that is seen only when all has been read. It stands at `key`, or at the section's first
 * key where that is missing; an empty section has the line of its brace. Between config_read() and
 * config_read_end().
 */
void config_complain(cfg_t *section, const char *key, const char *format, ...) PRINTF_LIKE(3, 4);
void config_read_end(void);

/* A number with its unit, as "64M" and "30s". */
struct config_unit {
    const char *name; /* NULL ends the list */
    uint64_t factor;
};
extern const struct config_unit config_byte_units[], config_time_units[];
bool config_parse_units(const char *text, const struct config_unit *units, uint64_t *out);

#endif
