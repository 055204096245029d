/*
 * address.h - peers' addresses: texts, networks, and how many connections each has.
 *
 * Threads    The functions on texts and networks are pure. A struct address_table may be used on
 *            any thread.
 */
#ifndef GATEPOST_GATEWAY_NET_ADDRESS_H
#define GATEPOST_GATEWAY_NET_ADDRESS_H

#include <sys/socket.h>

#include "base/err.h"
#include "base/slice.h"

/* An address in 16 bytes: IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2). */
struct address {
    uint8_t bytes[16];
};

/* False for what is no IP address (a Unix socket). */
bool address_of(const struct sockaddr_storage *from, struct address *out);

/*
 * "192.0.2.1" and "143"; of `family` AF_INET, AF_INET6, or AF_UNSPEC: either.
 * False: it is no address, and *out is as it was.
 */
bool address_parse(int family, struct slice address, struct slice port,
                   struct sockaddr_storage *out);

struct network {
    struct address address;
    unsigned bits; /* of the 128 */
};

/* "192.0.2.0/24", "2001:db8::/32", "::1". ERR_SYNTAX. */
struct err network_parse(const char *text, struct network *out) MUST_USE;

/* Is the peer in one of the networks? A Unix socket is in none. */
bool network_has(const struct network *networks, size_t n, const struct sockaddr_storage *peer);

/* "192.0.2.1", "2001:db8::1", or "unix"; without the port. */
enum { ADDRESS_TEXT_MAX = 64 };
void address_put(const struct sockaddr_storage *from, char out[ADDRESS_TEXT_MAX]);

/* 0 for a Unix socket. */
uint16_t address_port(const struct sockaddr_storage *from);

/* ---- connections per address ---- */

struct address_table;

struct address_table *address_table_new(void) MUST_USE;
void address_table_free(struct address_table *table);

/*
 * Count a connection in. IPv6 is counted by /64, for that is what one customer has. False: there
 * are `max` already (0: no bound). Every true takes one address_table_leave().
 */
bool address_table_enter(struct address_table *table, const struct sockaddr_storage *peer,
                         unsigned max) MUST_USE;
void address_table_leave(struct address_table *table, const struct sockaddr_storage *peer);

#endif
