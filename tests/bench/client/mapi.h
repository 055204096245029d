/*
 * mapi.h - as much of a MAPI/HTTP client as the benchmark needs ([MS-OXCMAPIHTTP]): a session over
 * one connection, whose every answer is read to its end.
 *
 * Of the server it shares the tables of the codec alone (protocols/mapi/rop.h).
 *
 * Threads    A session belongs to one thread at a time.
 * Errors     What returns false has failed, and the session is of no use any more.
 */
#ifndef GATEPOST_BENCH_MAPI_H
#define GATEPOST_BENCH_MAPI_H

#include "protocols/mapi/rop.h"
#include "tests/bench/client/client.h"

/* The table of handles that goes with every Execute. */
enum mapi_at { AT_LOGON, AT_FOLDER, AT_TABLE, AT_MESSAGE, AT_STREAM, AT_WATCH, MAPI_AT_COUNT };

struct mapi_session {
    struct conn *conn;
    char context[80], ticket[80]; /* "name=value" of the cookies */
    struct buf authorization;
    struct buf dn;    /* the distinguished name of the user */
    struct buf body;  /* of the last answer, behind its meta-tags */
    struct buf ask;   /* operations of the next Execute */
    struct wire rops; /* responses of the last one that were not looked at yet */
    uint32_t handles[MAPI_AT_COUNT];
    struct rop_folder_ids folders; /* of the log-on */
    struct arena arena;            /* of the last Execute */
};

extern const struct value_form mapi_form;

/* Open the connection, Connect, and log on to the mailbox of the connection's user. */
bool mapi_open(struct mapi_session *s, struct conn *c);
/* Disconnect, and close the connection. */
bool mapi_close(struct mapi_session *s);
/* Forget the session without a word to the server. */
void mapi_done(struct mapi_session *s);

/* One more operation for the next Execute. */
void mapi_add(struct mapi_session *s, uint8_t rop, uint8_t in, uint8_t out, const void *fields);
/* Send them, and take the answer. */
bool mapi_execute(struct mapi_session *s);
/*
 * The fields of the next response, which must be that of `rop`: its struct rop_NAME_reply. NULL: it
 * is another, or it failed. `columns` are those of rows in it. Lives until the next Execute.
 */
const void *mapi_reply(struct mapi_session *s, uint8_t rop, const struct rop_numbers *columns);
/* Responses without fields that anybody looks at. */
bool mapi_went_well(struct mapi_session *s, uint8_t rop);

/* The id of the folder of that name in the mailbox's visible tree. */
bool mapi_find_folder(struct mapi_session *s, const char *name, uint64_t *id);

/* Ask to be told of every change of messages in the mailbox. */
bool mapi_watch(struct mapi_session *s);

/* Send a NotificationWait and read until it is under way; then wait for its end. */
bool mapi_wait_begin(struct mapi_session *s);
bool mapi_wait_end(struct mapi_session *s, bool *pending);

#endif
