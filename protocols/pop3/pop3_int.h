/*
 * pop3_int.h - shared inside protocols/pop3/.
 *
 *   session.c   what the driver sees: lines in, answers out, time; the only changes of state
 *   command.c   the tables of commands and capabilities; dispatch and CAPA come of them
 *   logon.c     USER, PASS, AUTH: from the attempt to the open mailbox
 *   maildrop.c  the Inbox as this session sees it: numbers, deletions, totals
 *   cmd_drop.c  STAT, LIST, UIDL, DELE, RSET
 *   update.c    QUIT, and what a session changes at its end
 *   retrieve.c  RETR and TOP
 *
 * A handler parses, asks, answers, and returns
 *   NEXT_READ   answered: on to the next command
 *   NEXT_PULL   set s->resume, which goes on when there is room for more output
 *   NEXT_WAIT   called pop3_wait(): its function goes on when pop3_wake() was called
 *   NEXT_TLS, NEXT_CLOSE   as the driver knows them
 * Commands run inside pull, so that answers go straight to the driver's buffer.
 */
#ifndef GATEPOST_PROTOCOLS_POP3_POP3_INT_H
#define GATEPOST_PROTOCOLS_POP3_POP3_INT_H

#include "protocols/dots.h"
#include "protocols/line.h"
#include "protocols/pop3/pop3.h"

/* RFC 1939 3. UPDATE lasts from QUIT to the durable end of the removal. */
enum pop3_state {
    IN_AUTH = 1 << 0,
    IN_TRANS = 1 << 1,
    IN_UPDATE = 1 << 2,
    IN_END = 1 << 3, /* nothing is answered any more */
};

enum { POP3_MAX_NAME = AUTH_MAX_NAME + 1 };

struct pop3_session;

typedef enum session_next pop3_step(struct pop3_session *s);
typedef enum session_next pop3_handler(struct pop3_session *s, struct slice args);

/* The capabilities of CAPA (RFC 2449 5), in the order they are announced. */
enum pop3_capability {
    CAP_NONE,
    CAP_TOP,
    CAP_UIDL,
    CAP_USER,
    CAP_SASL,
    CAP_STLS,
    CAP_RESP_CODES,
    CAP_AUTH_RESP_CODE,
    CAP_PIPELINING,
    CAP_EXPIRE,
    CAP_UTF8,
    CAP_LANG,
    CAP_IMPLEMENTATION,
    CAP_COUNT
};

struct pop3_command {
    const char *name;
    unsigned states;           /* where it is allowed */
    enum pop3_capability need; /* it comes and goes with this one */
    pop3_handler *handler;
    const char *usage;
    const char *section;
};

extern const struct pop3_command pop3_commands[];
extern const size_t pop3_n_commands;

/* The Inbox as this session sees it. */
struct pop3_maildrop {
    struct mailbox *mailbox;
    uint64_t inbox;
    struct store_view *view; /* of the log-on: what message numbers mean, for all of the session */
    struct uidset deleted;   /* by DELE */
    struct uidset gone;      /* removed by others; apart from `deleted` */
    struct uidset read_here; /* sent whole by RETR; read when the session ends */
    uint64_t bytes;          /* of what is neither */
    uint64_t deleted_bytes;
    uint64_t version;        /* of the mailbox when these figures were taken */
    struct store_read *read; /* open inside a pull only */
};

/* A message on its way out. */
struct pop3_sending {
    struct message_row row;
    uint64_t at;      /* offset of the next byte */
    uint64_t header;  /* TOP: its length, with the empty line */
    uint64_t lines;   /* TOP: lines of the body that are still to come */
    bool top, pinned; /* pinned: it outlasts this pull */
    struct dot_writer dots;
};

/* LIST or UIDL of everything on its way out. */
struct pop3_listing {
    uint32_t next_uid;
    bool uidl;
};

struct pop3_session {
    struct session base;
    const struct session_env *env;
    enum pop3_state state; /* pop3_enter() alone changes it */
    struct line_reader lines;
    struct buf *out;   /* inside pull: answers go here */
    size_t high;       /* inside pull: stop here */
    pop3_step *resume; /* what the next pull goes on with */
    enum session_next (*on_line)(struct pop3_session *s, struct slice line); /* SASL */
    bool waiting, greeted, tls_pending, draining;
    bool utf8;                /* UTF8 was said (RFC 6856 2) */
    uint64_t started, active; /* mono_ms: of the connection, of the last sign of life */
    unsigned bad, attempts;

    /* log-on */
    struct buf name; /* of USER */
    bool named;      /* USER was said and no PASS yet */
    bool attempted;  /* at least one attempt has its record */
    struct auth_attempt *attempt;
    struct pop3_opening *opening;
    struct slice identity; /* own memory; counted in while not empty */

    struct pop3_maildrop drop;
    struct pop3_sending sending;
    struct pop3_listing listing;
    struct pop3_update *update;
};

/* ---- session.c ---- */

/* The only way to change the state. */
void pop3_enter(struct pop3_session *s, enum pop3_state state);

/* `text` with its response code; CRLF is added. */
enum session_next pop3_ok(struct pop3_session *s, const char *text);
enum session_next pop3_err(struct pop3_session *s, const char *text);

/* "-ERR" with the answer to an error of the store, which is logged here. */
enum session_next pop3_store_err(struct pop3_session *s, struct err e);

/* A command that makes no sense: before log-on only a few are borne. */
enum session_next pop3_bad(struct pop3_session *s, const char *text);

/* End the connection; `why` goes to the summary unless it ended for another reason before. */
enum session_next pop3_close(struct pop3_session *s, const char *why);

/* Nothing more goes on until pop3_wake(); then `then` is called. */
enum session_next pop3_wait(struct pop3_session *s, pop3_step *then);
void pop3_wake(struct pop3_session *s);

/* Room left in this pull. */
static inline size_t pop3_room(const struct pop3_session *s)
{
    return s->out->len < s->high ? s->high - s->out->len : 0;
}

static inline uint64_t pop3_limit(uint64_t configured, uint64_t otherwise)
{
    return configured ? configured : otherwise;
}

/* ---- command.c ---- */

enum session_next pop3_run(struct pop3_session *s, struct slice line);

/* Is it announced in the session's present state? */
bool pop3_has(const struct pop3_session *s, enum pop3_capability cap);

/* ---- arguments ---- */

/* Take a number off *args, with the blanks around it. False: there is none. */
bool pop3_arg_number(struct slice *args, uint64_t *out);

/* ---- logon.c ---- */

pop3_handler pop3_cmd_user, pop3_cmd_pass, pop3_cmd_auth;

/* USER where secrets may not be sent in clear: refused, with its verdict and record. */
pop3_handler pop3_refuse_user;

/* Give up what is under way, and record a connection that ends without a verdict. */
void pop3_logon_done(struct pop3_session *s);

/* After STLS nothing of the log-on that came in clear counts. */
void pop3_logon_forget(struct pop3_session *s);

/* ---- maildrop.c ---- */

/* Take the snapshot. On failure nothing is kept; the mailbox is closed either way in the end. */
struct err pop3_maildrop_open(struct pop3_session *s, struct mailbox *mailbox) MUST_USE;
void pop3_maildrop_close(struct pop3_session *s);

/* The read of this pull. */
struct err pop3_read(struct pop3_session *s, struct store_read **out) MUST_USE;
void pop3_read_end(struct pop3_session *s);

/* Bring totals and `gone` up to what the store holds now. */
struct err pop3_refresh(struct pop3_session *s) MUST_USE;
uint32_t pop3_messages_left(const struct pop3_session *s);

/* The message of that number. ERR_NOT_FOUND: there is none, or not any more. */
struct err pop3_message(struct pop3_session *s, uint64_t number, struct message_row *row) MUST_USE;

/* ---- cmd_drop.c, update.c, retrieve.c ---- */

pop3_handler pop3_cmd_stat, pop3_cmd_list, pop3_cmd_uidl, pop3_cmd_dele, pop3_cmd_rset;
pop3_handler pop3_cmd_quit, pop3_cmd_retr, pop3_cmd_top;

/* Let go of a message being sent. */
void pop3_sending_done(struct pop3_session *s);

/* The session goes: let go of an update under way, and have what it has read marked. */
void pop3_update_done(struct pop3_session *s);

#endif
