/*
 * logons.h - when an account logged on last, by each protocol, as user show tells it.
 */
#ifndef GATEPOST_GATEWAY_CLI_LOGONS_H
#define GATEPOST_GATEWAY_CLI_LOGONS_H

#include <jansson.h>

#include "gateway/cli/cli.h"
#include "store/account.h"

/*
 * {"imap": {"time": ..., "mechanism": ...}, ...}: what the records say. Log-ons of an account of
 * the same name that was deleted are left out.
 */
struct err logons_last(struct store *store, const struct account *account, json_t **out) MUST_USE;

/* A line for each protocol. */
void logons_print(const json_t *last);

#endif
