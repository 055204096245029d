/*
 * imap_grammar.h - is this what RFC 3501 9 and RFC 9051 9 allow? For tests and fuzz targets.
 *
 * Written from the grammar alone, apart from the code that it judges.
 */
#ifndef GATEPOST_TESTS_SUPPORT_IMAP_GRAMMAR_H
#define GATEPOST_TESTS_SUPPORT_IMAP_GRAMMAR_H

#include "base/slice.h"

/*
 * The whole slice is an `envelope`, a `body` without extension data (BODY), or one with all of
 * it (BODYSTRUCTURE). On false *why names the rule that was broken and *at is where.
 */
bool imap_is_envelope(struct slice s, const char **why, size_t *at);
bool imap_is_body(struct slice s, bool extended, const char **why, size_t *at);

#endif
