/*
 * auth_range.h - which records of log-ons a command is asked for: --since, --until, --user,
 * --protocol.
 *
 * Times are written as 2026-11-24, 2026-11-24T10:00:00Z (UTC) or 90m (before now).
 *
 * Units      Times are FILETIME.
 */
#ifndef GATEPOST_GATEWAY_CLI_AUTH_RANGE_H
#define GATEPOST_GATEWAY_CLI_AUTH_RANGE_H

#include "gateway/cli/cli.h"
#include "store/audit.h"

struct cli_auth_range {
    uint64_t since, until;
    struct slice user;     /* canonical; empty: all */
    struct slice protocol; /* empty: all */
};

/*
 * A command over records: takes the range, opens the store and its records, and calls `run`.
 * Returns what the command exits with.
 */
int cli_auth_records(const struct cli *cli, int (*run)(const struct cli *cli, struct audit *audit,
                                                       const struct cli_auth_range *range));

/* Is a record of this user and protocol one of those asked for? */
bool cli_auth_range_has(const struct cli_auth_range *range, struct slice user,
                        struct slice protocol);

#endif
