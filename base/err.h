/*
 * err.h - what can go wrong, by value.
 *
 * A function that may fail returns a struct err: a code that tests, metrics and the protocols'
 * tables of answers depend on, and a literal for the log that no client ever sees. A function
 * that fails leaves its out parameters untouched.
 */
#ifndef GATEPOST_BASE_ERR_H
#define GATEPOST_BASE_ERR_H

#include "base/slice.h"

/*       code             sentence */
#define ERR_CODES(X)                                                                               \
    X(ERR_NONE, "no error")                                                                        \
    X(ERR_NOT_FOUND, "there is no such thing")                                                     \
    X(ERR_EXISTS, "there is one already")                                                          \
    X(ERR_CONFLICT, "somebody else changed it first")                                              \
    X(ERR_INVALID, "the request makes no sense")                                                   \
    X(ERR_SYNTAX, "the bytes do not follow the grammar")                                           \
    X(ERR_TOO_BIG, "a configured limit on size was met")                                           \
    X(ERR_LIMIT, "a configured limit on number was met")                                           \
    X(ERR_QUOTA, "the mailbox is over its quota")                                                  \
    X(ERR_NO_SPACE, "the disk or the store is full")                                               \
    X(ERR_DENIED, "it is not permitted")                                                           \
    X(ERR_UNSUPPORTED, "this is not supported")                                                    \
    X(ERR_UNAVAILABLE, "what is needed cannot be reached now")                                     \
    X(ERR_UNKNOWN_END, "it may or may not have been done")                                         \
    X(ERR_TIMEOUT, "it took too long")                                                             \
    X(ERR_CANCELED, "it was given up before it was done")                                          \
    X(ERR_CORRUPT, "stored data is damaged")                                                       \
    X(ERR_IO, "the operating system reported an error")

enum err_code {
#define ERR_AS_ENUM(code, sentence) code,
    ERR_CODES(ERR_AS_ENUM)
#undef ERR_AS_ENUM
        ERR_COUNT
};

struct err {
    enum err_code code;
    const char *why; /* a string literal */
};

#define OK ((struct err){ERR_NONE, ""})
#define ERR(code, why) ((struct err){(code), "" why})

static inline bool failed(struct err e)
{
    return e.code != ERR_NONE;
}

/* "ERR_NOT_FOUND", for logs and tests. */
const char *err_name(enum err_code code);

/* A sentence for people. */
const char *err_sentence(enum err_code code);

#endif
