/*
 * clock.h - what time it is, as told by whoever drives the code.
 *
 * Protocols read no system clock: the gateway keeps one struct clock per worker and renews it at
 * every turn of the loop, and a test sets it by hand.
 *
 * Units      Wall time is a FILETIME: 100 ns since 1601-01-01 UTC ([MS-DTYP] 2.3.3).
 */
#ifndef GATEPOST_BASE_CLOCK_H
#define GATEPOST_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct clock {
    uint64_t mono_ms; /* never goes back */
    uint64_t wall;    /* FILETIME */
};

#define FILETIME_SECOND 10000000ull
#define FILETIME_UNIX_EPOCH 116444736000000000ull /* 1970-01-01 */

/* Read the system's clocks. Only the gateway, the store's threads and tools call this. */
struct clock clock_now(void);

static inline int64_t filetime_to_unix(uint64_t filetime)
{
    return (int64_t)(filetime / FILETIME_SECOND) - (int64_t)(FILETIME_UNIX_EPOCH / FILETIME_SECOND);
}

/* Times before 1601 become 0. */
static inline uint64_t filetime_from_unix(int64_t seconds)
{
    int64_t since = seconds + (int64_t)(FILETIME_UNIX_EPOCH / FILETIME_SECOND);

    return since < 0 ? 0 : (uint64_t)since * FILETIME_SECOND;
}

/* A date and time of the proleptic Gregorian calendar, without a zone. */
struct civil {
    int year;                 /* 1601.. */
    int month, day;           /* 1-12, 1-31 */
    int hour, minute, second; /* 0-23, 0-59, 0-60 */
    int weekday;              /* 0 = Sunday; filled by civil_from_unix() */
};

/* False if the fields name no such day or time (31 April, hour 24, ...). Ignores weekday. */
bool civil_to_unix(const struct civil *civil, int64_t *seconds);
struct civil civil_from_unix(int64_t seconds);

extern const char *const clock_month_names[12]; /* "Jan" .. "Dec" */
extern const char *const clock_day_names[7];    /* "Sun" .. "Sat" */

/* "2026-11-24T03:40:31.123Z" (RFC 3339). */
void clock_put_rfc3339(struct buf *out, uint64_t filetime);

/* "Tue, 24 Nov 2026 03:40:31 +0000" (RFC 5322 3.3), in UTC. */
void clock_put_rfc5322(struct buf *out, uint64_t filetime);

/* "Tue, 24 Nov 2026 03:40:31 GMT" (RFC 9110 5.6.7): its day has two digits. */
void clock_put_http(struct buf *out, uint64_t filetime);

/*
 * What clock_put_rfc3339() writes, and what people write of it: the date alone, a blank for the T,
 * no fraction, no Z; always UTC. False: it is nothing of these, or before 1601.
 */
bool clock_parse_rfc3339(struct slice text, uint64_t *filetime);

#endif
