/*
 * scram_client.h - the client's side of SCRAM (RFC 5802), which can also do everything wrong.
 *
 * It sends what it is told: any GS2 header, any binding data, and can be stopped between any two
 * messages.
 */
#ifndef GATEPOST_TESTS_SUPPORT_SCRAM_CLIENT_H
#define GATEPOST_TESTS_SUPPORT_SCRAM_CLIENT_H

#include "tests/support/auth_fixture.h"

struct scram_client {
    const char *mechanism; /* "SCRAM-SHA-256", ... */
    const char *header;    /* "n,,", "y,,", "p=tls-exporter,,a=..," */
    const char *name;      /* as a saslname */
    const char *secret;
    const char *binding;     /* appended to the header in c= */
    const char *header_said; /* in c=; NULL: the same one */
    bool initial;            /* send the first message as an initial response */
    /* filled */
    bool server_proved; /* v= was right */
    unsigned iterations;
    char salt[200];
};

/* To its end; AUTH_LOST where it is stuck. */
enum auth_reason scram_log_on(struct fixture *f, struct scram_client *c);

/* How many messages the client sends before it drops the attempt: 0 to 3. */
void scram_abandon(struct fixture *f, struct scram_client *c, unsigned after);

#endif
