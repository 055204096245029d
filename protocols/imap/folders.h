/*
 * folders.h - what SELECT, STATUS, LIST and the telling of changes share.
 */
#ifndef GATEPOST_PROTOCOLS_IMAP_FOLDERS_H
#define GATEPOST_PROTOCOLS_IMAP_FOLDERS_H

#include "protocols/imap/imap_int.h"

/* ---- telling changes (sync.c) ---- */

/*
 * Put "* VANISHED" lines while there is room, taking what was put out of the set. True when the
 * set is empty.
 */
bool imap_put_vanished(struct imap_session *s, struct uidset *gone, bool earlier);

/*
 * Put "* n FETCH (UID u FLAGS (...) MODSEQ (m))" for those of `uids` from *next on that changed
 * after `since`, while there is room; *next is where to go on, *complete that there is no more.
 */
struct err imap_put_changed(struct imap_session *s, const struct uidset *uids, uint32_t *next,
                            uint64_t since, bool with_uid, bool *complete) MUST_USE;

/* FLAGS and PERMANENTFLAGS; remembers how many keywords were told. */
struct err imap_flag_lines(struct imap_session *s, struct store_read *rd, struct buf *out) MUST_USE;

/* How many messages of the folder the next session would find \Recent. */
struct err imap_count_recent(struct imap_session *s, struct store_read *rd,
                             const struct store_folder *folder, uint32_t *out) MUST_USE;

/*
 * What became \Recent since this session last looked: to it, and where it may write to nobody
 * else any more.
 */
void imap_claim_recent(struct imap_session *s, const struct store_folder *folder);

/* ---- the answer of STATUS (status.c) ---- */

/* "(MESSAGES UIDNEXT)" as a mask. */
bool imap_arg_status_items(struct imap_cmd *c, unsigned *items);

/* "* STATUS path (...)"; turns CONDSTORE on where HIGHESTMODSEQ was asked for. */
struct err imap_put_status(struct imap_session *s, struct store_read *rd, struct slice path,
                           const struct store_folder *folder, unsigned items) MUST_USE;

/* ---- the answer of LIST (list.c) ---- */

/*
 * `* LIST (\HasNoChildren \Sent) "/" path`, without options; with OLDNAME where the client gave
 * the name in another form (RFC 9051 6.3.9.7). Not `always`: only then.
 */
struct err imap_put_list(struct imap_session *s, struct store_read *rd,
                         const struct store_folder *folder, struct slice given,
                         bool always) MUST_USE;

/* \Sent and its like (RFC 6154), or NULL; and back, SPECIAL_NONE where there is no such. */
const char *imap_special_use(enum store_special special);
enum store_special imap_special_of(struct slice attribute);

/* ---- watching (idle.c) ---- */

void imap_watch_start(struct imap_session *s);
void imap_watch_stop(struct imap_session *s);

#endif
