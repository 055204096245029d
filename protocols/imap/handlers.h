/*
 * handlers.h - the functions that the table of commands (command.c) refers to.
 *
 * A handler finds its arguments in c->rest. It ends with imap_ok(), imap_no() or imap_bad(), or
 * asks to be called again (enum imap_step). A row with CMD_UID shares the handler of its plain
 * form.
 */
#ifndef GATEPOST_PROTOCOLS_IMAP_HANDLERS_H
#define GATEPOST_PROTOCOLS_IMAP_HANDLERS_H

#include "protocols/imap/imap_int.h"

typedef enum imap_step imap_handler(struct imap_session *s, struct imap_cmd *c);

/* general.c */
imap_handler imap_cmd_capability, imap_cmd_noop, imap_cmd_logout, imap_cmd_id, imap_cmd_enable,
    imap_cmd_namespace, imap_cmd_starttls, imap_cmd_compress;

/* logon.c */
imap_handler imap_cmd_login, imap_cmd_authenticate;

/* mailbox.c */
imap_handler imap_cmd_create, imap_cmd_delete, imap_cmd_rename, imap_cmd_subscribe,
    imap_cmd_unsubscribe;

/* list.c, status.c */
imap_handler imap_cmd_list, imap_cmd_lsub, imap_cmd_status;

/* select.c */
imap_handler imap_cmd_select, imap_cmd_examine, imap_cmd_close, imap_cmd_unselect, imap_cmd_check;

/* idle.c */
imap_handler imap_cmd_idle;

/* messages */
imap_handler imap_cmd_fetch, imap_cmd_partial, imap_cmd_store, imap_cmd_search, imap_cmd_copy,
    imap_cmd_move, imap_cmd_expunge, imap_cmd_append;
extern const struct imap_literal_sink imap_append_literals;

#endif
