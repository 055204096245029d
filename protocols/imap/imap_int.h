/*
 * imap_int.h - shared inside protocols/imap/.
 *
 * The way of a command:
 *
 *   reader.c    collects one command: its line and its literals, answering "+" where a literal is
 *               synchronizing; small literals stay in the command's bytes, APPEND's are streamed
 *               to the handler's literal sink.
 *   command.c   the table of commands: name, states, capability, handler, section. Dispatch,
 *               CAPABILITY and the documents come of it.
 *   handlers    parse with imap_arg_*(), ask the store, put untagged answers, and end with
 *               imap_ok(), imap_no() or imap_bad(). What takes more than one pull or waits for
 *               the store sets cmd->resume and returns STEP_MORE or STEP_WAIT.
 *   sync.c      between the handler's end and the tagged line: tells the client what changed in
 *               the selected mailbox, as the RFC lets it at that point.
 *
 * One command runs at a time; what is pipelined behind it waits in the input.
 */
#ifndef GATEPOST_PROTOCOLS_IMAP_IMAP_INT_H
#define GATEPOST_PROTOCOLS_IMAP_IMAP_INT_H

#include "protocols/imap/imap.h"

enum imap_state {
    STATE_NOT_AUTHENTICATED = 1 << 0,
    STATE_AUTHENTICATED = 1 << 1,
    STATE_SELECTED = 1 << 2,
    STATE_LOGOUT = 1 << 3,
};
#define STATE_ANY (STATE_NOT_AUTHENTICATED | STATE_AUTHENTICATED | STATE_SELECTED)
#define STATE_LOGGED_ON (STATE_AUTHENTICATED | STATE_SELECTED)

enum imap_step {
    STEP_DONE, /* imap_ok(), imap_no() or imap_bad() was called */
    STEP_MORE, /* call cmd->resume when there is room for more output, or in the next turn */
    STEP_WAIT, /* imap_wake() will be called; then cmd->resume */
    STEP_READ, /* needs the client's next line (AUTHENTICATE, IDLE); then cmd->line */
};

struct imap_session;
struct imap_cmd;

enum imap_literal {
    LITERAL_KEEP,    /* keep it in memory, in the text: it is an ordinary argument */
    LITERAL_STREAM,  /* `data` gets it piece by piece, then `end` is called */
    LITERAL_REFUSED, /* imap_no() or imap_bad() was called: not asked for, or skipped */
};

/*
 * How literals of a command are taken that are not kept in memory (APPEND). Called while input is
 * taken (s->out is NULL): nothing can be put, but the command can be ended.
 */
struct imap_literal_sink {
    /*
     * A literal of `size` bytes is announced (`binary`: literal8, `~{n}`). c->text, and c->rest
     * alike, is what came before it since the command's name or the last streamed literal,
     * without the announcement; its bytes die when this returns LITERAL_STREAM. After the last
     * literal the handler runs, with c->text what is left of the line.
     */
    enum imap_literal (*begin)(struct imap_session *s, struct imap_cmd *c, uint64_t size,
                               bool binary);
    /* False: the command was ended with imap_no(); what is left of it is skipped. */
    bool (*data)(struct imap_session *s, struct imap_cmd *c, struct slice bytes);
    bool (*end)(struct imap_session *s, struct imap_cmd *c);
};

/* One row of the table (command.c). */
struct imap_command {
    const char *name;       /* "FETCH"; with UID: "UID FETCH" is a row of its own */
    unsigned states;        /* where it is allowed */
    const char *capability; /* it comes and goes with this one; NULL: always there */
    enum imap_step (*handler)(struct imap_session *s, struct imap_cmd *c);
    unsigned flags;
    const char *usage;
    const char *section;
    const struct imap_literal_sink *literals; /* NULL: kept in memory */
};

enum imap_command_flag {
    CMD_UID = 1 << 0,        /* its numbers are UIDs */
    CMD_NO_EXPUNGE = 1 << 1, /* EXPUNGE may not be told while it runs (RFC 3501 7.4.1) */
    CMD_WRITES = 1 << 2,     /* refused with READ-ONLY in an examined mailbox */
    CMD_NO_SYNC = 1 << 3,    /* tells nothing of the mailbox at its end */
};

enum imap_status { IMAP_OK, IMAP_NO, IMAP_BAD };

enum imap_phase {
    PHASE_READ,  /* its bytes are being collected (reader.c) */
    PHASE_START, /* complete: call the handler */
    PHASE_MORE,  /* call resume */
    PHASE_WAIT,  /* imap_wake() will be called */
    PHASE_LINE,  /* the client's next line goes to c->line ... */
    PHASE_LINED, /* ... and is there */
    PHASE_SYNC,  /* answered: tell what changed, then the tagged line */
};

/*
 * The command being run. All of it goes when the tagged line is out, and what it waits for has
 * come: it outlives its session if need be.
 */
struct imap_cmd {
    struct imap_session *session; /* NULL: the session is gone */
    enum imap_phase phase;
    unsigned awaited; /* answers under way (imap_await) */
    struct arena arena;
    struct buf bytes; /* what was read of it */
    struct slice tag;
    const struct imap_command *def; /* NULL: not yet known, or there is none such */
    struct slice text;              /* its arguments, literals in place as "{n}" CRLF and n bytes */
    struct slice rest;     /* what imap_arg_*() have not yet taken; starts at the first argument */
    const char *complaint; /* what imap_arg_*() stumbled over, for BAD */
    const char *refusal;   /* ... or the code to say NO with, "[CANNOT]", where it was no syntax */
    bool secret;           /* came before log-on, whole or not: wipe it */
    bool broken;           /* imap_break() was called */
    bool mid_line;         /* resume goes on in the middle of an answer: nothing else may be put */
    struct imap_run *runs; /* store requests of imap_run() */
    enum imap_step (*resume)(struct imap_session *s, struct imap_cmd *c);
    enum imap_step (*line)(struct imap_session *s, struct imap_cmd *c, struct slice line);
    void (*cleanup)(struct imap_cmd *c); /* frees what hangs on state; called once, always */
    void *state;                         /* the handler's, in the arena or freed by cleanup */
    /* the tagged answer */
    enum imap_status status;
    const char *code; /* "[TRYCREATE]" with brackets, or NULL; in the arena or a literal */
    const char *answer;
    enum session_next after; /* NEXT_READ, or NEXT_TLS, NEXT_COMPRESS, NEXT_CLOSE */
};

struct imap_telling; /* sync.c: changes on their way to the client */

/* The selected mailbox, and what the client knows of it. */
struct imap_selected {
    uint64_t fid;
    uint32_t uidvalidity;
    bool read_only;
    struct store_view *view; /* what sequence numbers mean to the client now */
    uint64_t modseq;         /* every change up to here has been told */
    uint32_t told_exists;
    struct uidset recent;         /* \Recent to this session; see imap_is_recent() */
    uint32_t keywords_told;       /* how many keywords FLAGS has listed */
    struct uidset saved;          /* $ (RFC 5182) */
    struct uidset silent;         /* changed by this session with .SILENT: not told back */
    uint64_t silent_modseq;       /* ... where their modseq is not beyond this */
    bool behind;                  /* expunges were held back: look again */
    struct imap_telling *telling; /* NULL: nothing is half told */
};

struct imap_session {
    struct session base;
    const struct session_env *env;
    enum imap_state state;               /* imap_enter() alone changes it */
    bool rev2, condstore, qresync, utf8; /* ENABLEd */
    bool compressed;
    struct mailbox *mailbox; /* from log-on */
    char *identity;
    struct imap_selected *selected; /* in STATE_SELECTED */
    struct imap_watch *watch;       /* of the mailbox, while IDLE runs (idle.c) */
    bool changed;                   /* the watch has fired since the last sync */
    struct buf *out;                /* inside pull: where answers go */
    size_t high;                    /* inside pull: out->len to stop at */
    struct imap_cmd *cmd;           /* the running command */
    struct imap_reader *reader;     /* reader.c */
    struct imap_logon *logon;       /* logon.c; NULL after log-on */
    uint64_t deadline;              /* mono_ms of the autologout, or of the log-on's end */
    struct buf spill;               /* imap_put_long(): what was too long for one pull ... */
    enum session_next held;         /* ... and what was to follow it */
    char *client_name;              /* ID; peer->client_name points here */
    unsigned bad, attempts;
    bool greeted, draining, closed;
    bool fed;             /* input came since the last pull */
    bool tls_pending;     /* NEXT_TLS was returned: input is dropped until TLS is there */
    bool session_counted; /* auth_session_enter() succeeded */
    const char *bye;      /* close with this farewell as soon as it can be put */
};

/* ---- the life of a command ---- */

/* End the command. `answer` is a literal; codes come from imap_code(). All return STEP_DONE. */
enum imap_step imap_ok(struct imap_cmd *c, const char *answer);
enum imap_step imap_no(struct imap_cmd *c, const char *code, const char *answer);
enum imap_step imap_bad(struct imap_cmd *c, const char *answer);

/* NO with the response code and sentence that an error of the store maps to. */
enum imap_step imap_no_err(struct imap_session *s, struct imap_cmd *c, struct err e);

/*
 * The answer stands half told and cannot go on (a literal whose bytes are damaged): close without
 * another byte, for any would be taken for the rest of it. Logs. Returns STEP_DONE.
 */
enum imap_step imap_break(struct imap_session *s, struct imap_cmd *c, struct err e);

/* BAD with what the argument parser complained about, or NO where it set a refusal. */
enum imap_step imap_bad_args(struct imap_cmd *c);

/* "[...]" in the command's arena, for a tagged answer. */
void imap_code(struct imap_cmd *c, const char *format, ...) PRINTF_LIKE(2, 3);

/* Room left in this pull: stop at 0 and return STEP_MORE. */
static inline size_t imap_room(const struct imap_session *s)
{
    return s->out->len < s->high ? s->high - s->out->len : 0;
}

/* What the handler waited for is there (on home, never from inside the handler). */
void imap_wake(struct imap_session *s);

/*
 * For waits on anything but a store_op: imap_await() before the request is made, imap_arrived()
 * in its callback on home. The command, its arena and its state stay in place until then, even
 * when the session goes; imap_arrived() is false where it went, and the command may then be gone
 * as well. Otherwise cmd->resume will be called.
 */
void imap_await(struct imap_cmd *c);
bool imap_arrived(struct imap_cmd *c);

/* The only way to change the state; leaves a selected mailbox, logs. */
void imap_enter(struct imap_session *s, enum imap_state state);

/*
 * Run a request for the running command: returns STEP_WAIT; when it is done cmd->resume is
 * called, and finds op->err. `op` is heap memory; free_op is called at the command's end, or after
 * the answer where the session is gone first. What the request points to in the command's arena
 * stays as long.
 */
enum imap_step imap_run(struct imap_session *s, struct imap_cmd *c, struct store_op *op,
                        void (*free_op)(struct store_op *op));

/* The configured limits, with the defaults of session.h where they are 0. */
uint64_t imap_max_message(const struct imap_session *s);

/* ---- arguments (args.c): each takes one argument off c->rest, and false means BAD ---- */

bool imap_arg_space(struct imap_cmd *c);
bool imap_arg_end(struct imap_cmd *c);
/* Is the next byte this one? Takes it if so. */
bool imap_arg_byte(struct imap_cmd *c, uint8_t byte);
bool imap_arg_peek(const struct imap_cmd *c, uint8_t byte);
bool imap_arg_atom(struct imap_cmd *c, struct slice *out);
/* atom, quoted or literal; unescaped once */
bool imap_arg_astring(struct imap_cmd *c, struct slice *out);
/* A fixed word, in any case: takes it where it is followed by no further atom character. */
bool imap_arg_word(struct imap_cmd *c, const char *word);
bool imap_arg_string(struct imap_cmd *c, struct slice *out);
bool imap_arg_nstring(struct imap_cmd *c, struct slice *out, bool *nil);
bool imap_arg_number(struct imap_cmd *c, uint32_t *out);
bool imap_arg_number64(struct imap_cmd *c, uint64_t *out);
/* A mailbox name, from modified UTF-7 or UTF-8, as a store path (UTF-8, '/'). */
bool imap_arg_mailbox(struct imap_session *s, struct imap_cmd *c, struct slice *path);
bool imap_arg_list_mailbox(struct imap_session *s, struct imap_cmd *c, struct slice *pattern);
/* "(\Seen keyword)" or without parentheses; keywords in the arena. */
bool imap_arg_flags(struct imap_cmd *c, uint16_t *flags, struct slice **keywords, size_t *n);
bool imap_arg_date_time(struct imap_cmd *c, uint64_t *filetime, int16_t *zone);
bool imap_arg_date(struct imap_cmd *c, int64_t *unix_day); /* seconds of that day's start */

/*
 * A sequence set (or UID set, after the command's CMD_UID) as UIDs of the view. Numbers beyond
 * the view are BAD; UIDs that are not there are passed over; "*" and "$" are understood.
 */
bool imap_arg_set(struct imap_session *s, struct imap_cmd *c, struct uidset *uids);
/* The set as it stands, without looking at a view: for known-uids, UID ranges of SEARCH. */
bool imap_arg_raw_set(struct imap_cmd *c, uint32_t star, struct uidset *set);

/* ---- answers (put.c) ---- */

/*
 * A line that may be longer than a few KB: what does not fit in this pull is kept for the next,
 * and all that is put after it goes behind it (imap_room() is then 0).
 */
void imap_put_long(struct imap_session *s, struct slice line);
void imap_put_string(struct buf *out, struct slice s); /* quoted, or a literal */
void imap_put_astring(struct buf *out, struct slice s);
void imap_put_mailbox(struct imap_session *s, struct buf *out, struct slice path);
void imap_put_date_time(struct buf *out, uint64_t filetime, int16_t zone);
/* "\Answered \Seen": each after *separator, which becomes " " with the first. */
void imap_put_system_flags(struct buf *out, unsigned flags, const char **separator);
/* "(\Seen $Forwarded \Recent)" */
struct err imap_put_flags(struct imap_session *s, struct store_read *rd,
                          const struct message_row *row, struct buf *out) MUST_USE;

/* modified UTF-7 (RFC 3501 5.1.3), strict both ways (names.c) */
bool imap_utf7_to_utf8(struct slice name, struct buf *out);
void imap_utf8_to_utf7(struct slice name, struct buf *out);

/* ---- selected mailbox (sync.c, select.c) ---- */

/*
 * Tell what changed, as far as there is room: EXPUNGE/VANISHED where `expunge`, EXISTS, RECENT,
 * FETCH of flags, new keywords. True when all has been told, false to be called again.
 * Errors are the caller's to answer.
 */
struct err imap_sync(struct imap_session *s, bool expunge, bool *complete) MUST_USE;

/* Leave the selected mailbox; answers nothing. */
void imap_unselect(struct imap_session *s);

/* This session changed these with .SILENT up to `modseq`: do not tell them back. */
void imap_silence(struct imap_session *s, const struct uidset *uids, uint64_t modseq);

/* Is it \Recent to this session, as far as the client may be told (RFC 3501 2.3.2)? */
bool imap_is_recent(const struct imap_session *s, uint32_t uid);

/* CONDSTORE was used: from now on FETCH answers carry MODSEQ (RFC 7162 3.1). */
void imap_condstore_on(struct imap_session *s);

#endif
