/*
 * precis.h - strings for people to type: RFC 8264's classes, and RFC 8265's two profiles of them.
 *
 * Names are UsernameCaseMapped (RFC 8265 3.3), secrets are OpaqueString (RFC 8265 4.2). Code points
 * are classed by ICU's tables, so that the set of valid strings grows with Unicode.
 *
 * Threads    Any.
 * Ownership  Results live in the arena that was given, or are the input where nothing changes.
 *            Working memory is wiped: a secret leaves no copy but the result.
 * Errors     ERR_INVALID: not UTF-8, empty, or a code point or an order of them that the class
 *            forbids.
 */
#ifndef GATEPOST_AUTH_PRECIS_H
#define GATEPOST_AUTH_PRECIS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

enum { PRECIS_MAX = 65536 }; /* bytes; longer input is ERR_INVALID */

/* One or more userparts, separated by single blanks or more (RFC 8265 3.1). */
struct err precis_username(struct slice given, struct arena *in, struct slice *out) MUST_USE;

/* A secret; what is ASCII comes back as it is. */
struct err precis_opaque(struct slice given, struct arena *in, struct slice *out) MUST_USE;

#endif
