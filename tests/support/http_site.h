/*
 * http_site.h - a front end for tests of HTTP: one route for each thing that a handler can do.
 *
 *   GET  /hello        "hello\n"
 *   GET  /a b/ü        the same, behind a path that has to be decoded
 *   POST /echo         the request's body as it comes, in chunks
 *   POST /take         reads all, answers how many bytes it was; the length is counted
 *   POST /ignore       answers without reading the body
 *   GET  /big          1,000,000 bytes (test_site_big) of known length, as fast as they are read
 *   GET  /private      only for who logs on: his identity
 *   GET  /wait         in chunks: "PENDING\n" every 15 s, and "DONE\n" after a minute, or when
 *                      the client goes ("GONE\n") or the server drains ("DRAINED\n")
 *   POST /late         uses nothing of the body until test_site_go(), then answers its length
 *   GET  /break        begins a response and gives it up
 *   GET  /short        says a length and puts less
 *   GET  /tree/...     a prefix
 */
#ifndef GATEPOST_TESTS_SUPPORT_HTTP_SITE_H
#define GATEPOST_TESTS_SUPPORT_HTTP_SITE_H

#include "protocols/http/http.h"

struct session *test_site_session_new(const struct session_env *env);

/* How long /big is. */
extern uint64_t test_site_big;

/* Does /late wait at all? It does, at first. */
extern bool test_site_wait;

/* Let the exchange on /late go on. */
void test_site_go(void);

/* How many handlers were begun and not done with. */
extern int test_site_open;

#endif
