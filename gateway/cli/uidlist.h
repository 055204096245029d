/*
 * uidlist.h - the POP3 unique ids of a Maildir, as Dovecot keeps them: dovecot-uidlist, version 3.
 *
 *     3 V1795524295 N3 G…             UIDVALIDITY, next UID
 *     1 Pid-1 :1795524295.M1.host     UID, what is known of it, name of the file without flags
 *
 * P is the UIDL that clients were told. P alone means the file's name. Without P clients were told
 * what Dovecot makes of UID and UIDVALIDITY by default.
 */
#ifndef GATEPOST_GATEWAY_CLI_UIDLIST_H
#define GATEPOST_GATEWAY_CLI_UIDLIST_H

#include "base/arena.h"

struct uidlist_entry {
    struct slice file, uidl;
};

struct uidlist {
    struct arena arena;
    struct uidlist_entry *entries; /* in the order of `file` */
    size_t n, room;
};

/* Of the Maildir `dir`; empty where it has none, or none that can be read. */
void uidlist_read(const char *dir, struct uidlist *out);
void uidlist_done(struct uidlist *list);

/* The UIDL of a file in cur/ or new/, flags or not; empty: none is known. */
struct slice uidlist_find(const struct uidlist *list, const char *file);

#endif
