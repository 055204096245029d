/*
 * control.h - what the command line asks of the daemon that runs: a Unix socket in the store's
 * directory, "control", for the daemon's own user and root.
 *
 * For what is in the daemon's memory only, as back-off is; everything else the command line does in
 * the store. One connection is one question and one answer, each a line of JSON:
 *
 *   {"do": "throttled"}                                {"throttled": [{"address": ..., ...}, ...]}
 *   {"do": "lift", "address": A, "name": N}            {"lifted": 2}      both may be left out
 *   {"do": "queue"}                                    {"woken": true}    the queue has changed
 *   {"do": "instance"}                                 {"instance": "5f3a2b1c"}, as in greetings
 *                                                      {"error": "..."}   what cannot be done
 *
 * Threads    The daemon's side has a thread of its own, which answers one client after the other.
 */
#ifndef GATEPOST_GATEWAY_CONTROL_H
#define GATEPOST_GATEWAY_CONTROL_H

#include <jansson.h>

#include "auth/auth.h"
#include "gateway/transport.h"

struct control;

/*
 * Of the daemon `instance`, which serves the store in `dir` (serving_begin()); the last one's
 * socket is removed. Everything but `dir` must outlive it.
 */
struct err control_new(const char *dir, const char *instance, struct auth *auth,
                       struct transport *transport, struct log *log, struct control **out) MUST_USE;
void control_free(struct control *control); /* NULL is fine; before auth_free(), transport_stop() */

/* ERR_UNAVAILABLE: no daemon serves the store, or it does not answer. */
struct err control_ask(const char *dir, const json_t *question, json_t **answer) MUST_USE;

#endif
