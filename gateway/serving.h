/*
 * serving.h - one daemon for one store.
 *
 * A second daemon would keep no promise twice: sessions per user, back-off and throttling are
 * counted in memory. The lock is the kernel's and goes with its process, however that ends.
 */
#ifndef GATEPOST_GATEWAY_SERVING_H
#define GATEPOST_GATEWAY_SERVING_H

#include "base/err.h"

/*
 * Lock the store in `dir`, which exists. ERR_EXISTS: another daemon serves it. Close *fd, or end.
 */
struct err serving_begin(const char *dir, int *fd) MUST_USE;

/* Does a daemon serve it now? */
bool serving_is(const char *dir);

#endif
