/*
 * mapi_directory.h - the accounts as the MAPI front end wants them: who there is, by which names.
 */
#ifndef GATEPOST_GATEWAY_MAPI_DIRECTORY_H
#define GATEPOST_GATEWAY_MAPI_DIRECTORY_H

#include "auth/auth.h"
#include "protocols/mapi/mapi.h"
#include "store/account.h"

struct gateway_directory {
    struct mapi_directory directory;
    struct accounts *accounts;
    struct auth *auth;
};

/* Both outlive it. Who is locked is found by name, but not listed. */
void gateway_directory_init(struct gateway_directory *directory, struct accounts *accounts,
                            struct auth *auth);

#endif
