/*
 * lmtp_int.h - shared inside protocols/lmtp/.
 *
 *   session.c   what the driver sees: lines and content in, replies out, time; changes of state
 *   command.c   the tables of commands and extensions; dispatch, LHLO and HELP come of them
 *   path.c      "<@a,@b:"local part"@domain>" and the parameters behind it
 *   envelope.c  MAIL and RCPT
 *   content.c   DATA and BDAT: the message into the store's spool
 *   deliver.c   from the spool to the mailboxes, and the replies
 *
 * A handler parses, asks, answers, and returns
 *   NEXT_READ   answered: on to the next command (or to the content it asked for)
 *   NEXT_PULL   set s->resume, which goes on when there is room for more output
 *   NEXT_WAIT   called lmtp_wait(): its function goes on when lmtp_wake() was called
 *   NEXT_TLS, NEXT_CLOSE   as the driver knows them
 */
#ifndef GATEPOST_PROTOCOLS_LMTP_LMTP_INT_H
#define GATEPOST_PROTOCOLS_LMTP_LMTP_INT_H

#include "protocols/dots.h"
#include "protocols/line.h"
#include "protocols/lmtp/lmtp.h"

/* What a peer can make us keep, beside the message in its spool. */
enum lmtp_limit {
    LMTP_MAX_LINE = 4096,        /* one command (RFC 5321 4.5.3.1.4 asks for 512) */
    LMTP_MAX_RECIPIENTS = 1000,  /* of one message (RFC 5321 4.5.3.1.8 asks for 100) */
    LMTP_MAX_ENVELOPE = 2 << 20, /* memory of one envelope, refused recipients included */
    LMTP_MAX_BAD = 20,           /* commands that make no sense, after LHLO, in a row */
};

enum lmtp_state {
    AT_START = 1 << 0,  /* no LHLO yet */
    AT_READY = 1 << 1,  /* no transaction */
    AT_MAIL = 1 << 2,   /* MAIL was accepted, no recipient yet */
    AT_RCPT = 1 << 3,   /* at least one recipient was accepted */
    AT_CHUNKS = 1 << 4, /* behind a BDAT that was not the last */
    AT_END = 1 << 5,    /* nothing is answered any more */
};

struct lmtp_session;

typedef enum session_next lmtp_step(struct lmtp_session *s);
typedef enum session_next lmtp_handler(struct lmtp_session *s, struct slice args);

/* What LHLO announces, in that order. */
enum lmtp_extension {
    EXT_NONE,
    EXT_PIPELINING,
    EXT_ENHANCEDSTATUSCODES,
    EXT_8BITMIME,
    EXT_BINARYMIME,
    EXT_CHUNKING,
    EXT_SMTPUTF8,
    EXT_SIZE,
    EXT_STARTTLS,
    EXT_COUNT
};

struct lmtp_command {
    const char *name;
    unsigned states; /* where it is allowed; elsewhere 503 */
    enum lmtp_extension need;
    lmtp_handler *handler;
    const char *usage;
    const char *section;
};

extern const struct lmtp_command lmtp_commands[];
extern const size_t lmtp_n_commands;

enum lmtp_body { BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME };

/* A mailbox that gets the message, whatever number of recipients means it. */
struct lmtp_box {
    struct lmtp_box *next;
    struct lmtp_transaction *transaction;
    struct store_open_mailbox opening;
    uint64_t mailbox_id;
    struct mailbox *mailbox;
    struct store_append append;
    struct store_new_message message;
    struct err err; /* of the delivery */
    uint64_t fid;
    bool retried;
};

/*
 * One message with its envelope. It is the session's, and that of the answers it waits for: it
 * goes when the session has let go of it and nothing is on its way any more.
 */
struct lmtp_transaction {
    struct lmtp_session *session; /* NULL: let go */
    struct store *store;
    unsigned pending; /* answers on their way */
    struct arena arena;
    struct slice sender; /* the path in MAIL, without its brackets */
    uint64_t declared;   /* SIZE=; 0: not said */
    enum lmtp_body body;
    bool utf8;
    struct lmtp_box *boxes;
    struct lmtp_box **recipients; /* the box of each, in the order of RCPT */
    size_t n_recipients, recipients_room;
    struct slice recipient;       /* of this RCPT: its path, without its brackets */
    struct slice first_recipient; /* of the first that was accepted */
    struct store_spool *spool;
    uint64_t received;      /* bytes of content so far */
    struct err content_err; /* why the content cannot be kept */
    struct store_prepare_op prepare;
    struct store_prepared *prepared;
    uint8_t id[ENGINE_ID_LEN]; /* of this delivery: asking the store again is safe */
};

enum lmtp_taking { TAKING_COMMANDS, TAKING_DATA, TAKING_CHUNK };

struct lmtp_session {
    struct session base;
    const struct session_env *env;
    enum lmtp_state state; /* lmtp_enter() alone changes it */
    struct line_reader lines;
    struct buf *out;   /* inside pull: replies go here */
    size_t high;       /* inside pull: stop here */
    lmtp_step *resume; /* what the next pull goes on with */
    bool waiting, greeted, tls_pending, draining, timed_out;
    uint64_t started, active; /* mono_ms: of the connection, of the last sign of life */
    unsigned bad;
    struct buf lhlo;   /* the client's name for itself */
    uint64_t messages; /* transactions that came to content */

    struct lmtp_transaction *transaction;
    struct lmtp_box *opening; /* of the RCPT that is being answered */
    size_t next_reply;        /* of the replies to a message */

    enum lmtp_taking taking;
    struct dot_reader dots;
    uint64_t chunk_size, chunk_left;
    bool chunk_last, chunk_refused; /* refused: its bytes are dropped and 503 follows */
};

/* ---- session.c ---- */

/* The only way to change the state. Everything but a transaction's states ends the transaction. */
void lmtp_enter(struct lmtp_session *s, enum lmtp_state state);

/* A whole reply line without its CRLF. */
enum session_next lmtp_reply(struct lmtp_session *s, const char *line);

/* As lmtp_reply(), for a command that makes no sense: few are borne before LHLO. */
enum session_next lmtp_bad(struct lmtp_session *s, const char *line);

enum session_next lmtp_close(struct lmtp_session *s, const char *why);
enum session_next lmtp_wait(struct lmtp_session *s, lmtp_step *then);
void lmtp_wake(struct lmtp_session *s);

static inline bool lmtp_has_room(const struct lmtp_session *s)
{
    return s->out->len < s->high;
}

uint64_t lmtp_max_message(const struct lmtp_session *s);

/* ---- command.c ---- */

enum session_next lmtp_run(struct lmtp_session *s, struct slice line);
bool lmtp_has(const struct lmtp_session *s, enum lmtp_extension ext);

/* ---- path.c ---- */

/* What stands between the brackets of MAIL and RCPT. */
struct lmtp_path {
    struct slice raw;     /* as given, without the source route */
    struct slice address; /* local@domain with the local part unquoted; empty: "<>" */
};

/* Take "<...>" off the front of *args. False: there is none, or it cannot be an address. */
bool lmtp_path(struct slice *args, struct arena *in, struct lmtp_path *out);

/* Take the next "KEY" or "KEY=value" off *args. False: there is none. */
bool lmtp_parameter(struct slice *args, struct slice *key, struct slice *value);

/* ---- envelope.c ---- */

lmtp_handler lmtp_cmd_mail, lmtp_cmd_rcpt;

void lmtp_transaction_release(struct lmtp_transaction *t);

/* Called when one of `pending` has arrived: wakes the session, or frees what nobody wants. */
void lmtp_transaction_arrived(struct lmtp_transaction *t);

/* ---- content.c ---- */

lmtp_handler lmtp_cmd_data, lmtp_cmd_bdat;

/* Take content off `in`; returns how much. When it is complete s->resume is set. */
size_t lmtp_take(struct lmtp_session *s, struct slice in);

/* ---- deliver.c ---- */

/* The content is complete: store it, then reply for each recipient. */
enum session_next lmtp_deliver(struct lmtp_session *s);

#endif
