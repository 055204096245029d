/*
 * config.h - the configuration file, read whole and checked before anything is done with it.
 *
 * The grammar is libconfuse's: sections in braces, `key = value`, `#` comments, include("file").
 * A key that is not known is an error, and every error names file, line and what was expected.
 * docs/manual/configuration.md documents each key; a test holds the two together.
 *
 * Threads    A struct config is immutable once it is loaded.
 * Ownership  Everything it points to lives until config_free().
 * Units      Bytes and milliseconds, whatever the file says.
 */
#ifndef GATEPOST_GATEWAY_CONFIG_H
#define GATEPOST_GATEWAY_CONFIG_H

#include "gateway/net/net.h"
#include "gateway/transport.h"
#include "protocols/mapi/mapi.h"

struct config {
    const char *path;
    const char *user;  /* to run as after binding; NULL: stay who we are */
    uint64_t drain_ms; /* how long SIGTERM lets sessions finish */
    struct store_config store;
    struct auth_config auth;                  /* without server_secret, which the store keeps */
    const char *audit_file;                   /* JSON Lines; "" or "-": none */
    const char *audit_journal, *audit_syslog; /* sockets; "": none */
    uint64_t audit_keep_ms;                   /* how long the store keeps records */
    struct net_config net;
    struct mapi_config mapi; /* without what only a daemon has */
    struct transport_config transport;
    struct {
        bool json;
        enum log_level level;
        const char *file; /* NULL: standard error */
    } log;
    struct config_memory *memory; /* config.c's */
};

/* ERR_NOT_FOUND, ERR_INVALID: `why` has one line for each fault found. */
struct err config_load(const char *path, struct buf *why, struct config **out) MUST_USE;
void config_free(struct config *config);

/* The protocols that a listener may name, in protocols.c; ends with a NULL name. */
extern const struct net_protocol gateway_protocols[];

#endif
