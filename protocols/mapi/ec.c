/* ec.c - error codes: what failures of the store are, and their names. */
#include "protocols/mapi/ec.h"

#include <stddef.h>

uint32_t mapi_ec_of(struct err e)
{
    static const uint32_t codes[ERR_COUNT] = {
        [ERR_NONE] = EC_SUCCESS,
        [ERR_NOT_FOUND] = EC_NOT_FOUND,
        [ERR_EXISTS] = EC_DUPLICATE_NAME,
        [ERR_CONFLICT] = EC_OBJECT_MODIFIED,
        [ERR_INVALID] = EC_INVALID_PARAMETER,
        [ERR_SYNTAX] = EC_INVALID_PARAMETER,
        [ERR_TOO_BIG] = EC_NOT_ENOUGH_MEMORY,
        [ERR_LIMIT] = EC_NOT_ENOUGH_MEMORY,
        [ERR_QUOTA] = EC_QUOTA_EXCEEDED,
        [ERR_NO_SPACE] = EC_DISK_FULL,
        [ERR_DENIED] = EC_ACCESS_DENIED,
        [ERR_UNSUPPORTED] = EC_NOT_SUPPORTED,
        [ERR_UNAVAILABLE] = EC_SERVER_TOO_BUSY,
        [ERR_UNKNOWN_END] = EC_ERROR,
        [ERR_TIMEOUT] = EC_SERVER_TOO_BUSY,
        [ERR_CANCELED] = EC_ERROR,
        [ERR_CORRUPT] = EC_ERROR,
        [ERR_IO] = EC_ERROR,
    };

    return codes[e.code];
}

const char *mapi_ec_name(uint32_t ec)
{
    static const struct {
        uint32_t ec;
        const char *name;
    } names[] = {
#define NAME(ec, name, code) {ec, name},
        MAPI_ECS(NAME)
#undef NAME
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].ec == ec)
            return names[i].name;
    return NULL;
}
