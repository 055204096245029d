/*
 * command.h - the table of commands, the list of capabilities, and what a line names.
 *
 * Both tables are data: dispatch, the check of states, CAPABILITY, docs/protocols/imap.md and the
 * tests come of them. A command whose capability is off does not exist.
 */
#ifndef GATEPOST_PROTOCOLS_IMAP_COMMAND_H
#define GATEPOST_PROTOCOLS_IMAP_COMMAND_H

#include "protocols/imap/imap_int.h"

extern const struct imap_command imap_commands[];
extern const size_t imap_commands_n;

/* When a capability is there; all of the bits must hold. */
enum imap_when {
    WHEN_OUT = 1 << 0,      /* before log-on */
    WHEN_IN = 1 << 1,       /* after it */
    WHEN_TLS = 1 << 2,      /* TLS can be started */
    WHEN_COMPRESS = 1 << 3, /* compression may be offered; not announced when on */
    WHEN_LIMIT = 1 << 4,    /* its value is the limit on messages */
    WHEN_NO_PLAIN = 1 << 5, /* passwords are not taken without TLS */
    WHEN_SILENT = 1 << 6,   /* names a group of commands; is not announced */
};

struct imap_capability {
    const char *name;
    unsigned when;
    const char *section;
};

extern const struct imap_capability imap_capabilities[];
extern const size_t imap_capabilities_n;

/* Does this session have it now? NULL is always there. */
bool imap_has(const struct imap_session *s, const char *capability);

/* "IMAP4rev2 AUTH=PLAIN ...", as of now. */
void imap_put_capabilities(const struct imap_session *s, struct buf *out);

/*
 * Read tag and name of the command at the front of `line`: sets c->tag and c->def, and *args to
 * where its arguments start. False: it was ended with BAD (c->tag is empty where there is none
 * that could be repeated to the client).
 */
bool imap_resolve(struct imap_session *s, struct imap_cmd *c, struct slice line, size_t *args);

#endif
