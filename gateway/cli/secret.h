/*
 * secret.h - read a secret without showing it.
 */
#ifndef GATEPOST_GATEWAY_CLI_SECRET_H
#define GATEPOST_GATEWAY_CLI_SECRET_H

#include "base/buf.h"
#include "gateway/cli/cli.h"

/*
 * The first line of standard input with --password-stdin; otherwise asked for twice on the
 * terminal, without echo. On failure says so and returns false. The caller wipes *out.
 */
bool cli_read_secret(const struct cli *cli, struct buf *out);

/* One that exists already: asked for once. */
bool cli_ask_secret(const struct cli *cli, struct buf *out);

/* The first line of a file. */
bool cli_file_secret(const struct cli *cli, const char *path, struct buf *out);

#endif
