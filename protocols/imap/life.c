#include "protocols/imap/life.h"

#include "base/mem.h"
#include "protocols/answers.h"

/* A request of imap_run(). */
struct imap_run {
    struct imap_run *next;
    struct imap_cmd *cmd;
    struct mailbox *mailbox; /* open until the answer is there, whatever the session does */
    struct store_op *op;
    void (*free_op)(struct store_op *op);
};

void imap_cmd_begin(struct imap_session *s, size_t max_bytes)
{
    struct imap_cmd *c = mem_new(sizeof *c);

    c->session = s;
    c->phase = PHASE_READ;
    c->bytes = buf_make(max_bytes);
    c->secret = s->state == STATE_NOT_AUTHENTICATED;
    s->cmd = c;
}

static void free_runs(struct imap_cmd *c)
{
    while (c->runs) {
        struct imap_run *run = c->runs;

        c->runs = run->next;
        run->free_op(run->op);
        mailbox_close(run->mailbox);
        free(run);
    }
}

static void cmd_free(struct imap_cmd *c)
{
    if (c->cleanup)
        c->cleanup(c);
    free_runs(c);
    if (c->secret) {
        arena_wipe(&c->arena);
        buf_wipe(&c->bytes);
    } else {
        arena_done(&c->arena);
        buf_done(&c->bytes);
    }
    free(c);
}

void imap_cmd_end(struct imap_session *s)
{
    struct imap_cmd *c = s->cmd;

    s->cmd = NULL;
    if (!c)
        return;
    c->session = NULL;
    if (c->awaited == 0)
        cmd_free(c);
}

void imap_await(struct imap_cmd *c)
{
    c->awaited++;
}

bool imap_arrived(struct imap_cmd *c)
{
    struct imap_session *s = c->session;

    c->awaited--;
    if (!s) {
        if (c->awaited == 0)
            cmd_free(c);
        return false;
    }
    if (c->awaited == 0)
        imap_wake(s);
    return true;
}

static void run_done(struct store_op *op)
{
    struct imap_run *run = op->owner;

    imap_arrived(run->cmd);
}

enum imap_step imap_run(struct imap_session *s, struct imap_cmd *c, struct store_op *op,
                        void (*free_op)(struct store_op *op))
{
    struct imap_run *run = mem_new(sizeof *run);

    *run = (struct imap_run){
        .next = c->runs,
        .cmd = c,
        .mailbox = mailbox_hold(s->mailbox),
        .op = op,
        .free_op = free_op,
    };
    c->runs = run;
    op->home = s->env->home;
    op->done = run_done;
    op->owner = run;
    imap_await(c);
    store_submit(s->mailbox, op);
    return STEP_WAIT;
}

/* ---- answers ---- */

static enum imap_step answer(struct imap_cmd *c, enum imap_status status, const char *text)
{
    c->status = status;
    c->answer = text;
    return STEP_DONE;
}

enum imap_step imap_ok(struct imap_cmd *c, const char *text)
{
    return answer(c, IMAP_OK, text);
}

enum imap_step imap_no(struct imap_cmd *c, const char *code, const char *text)
{
    if (code)
        c->code = code;
    return answer(c, IMAP_NO, text);
}

enum imap_step imap_bad(struct imap_cmd *c, const char *text)
{
    return answer(c, IMAP_BAD, text);
}

enum imap_step imap_no_err(struct imap_session *s, struct imap_cmd *c, struct err e)
{
    const struct answer_err *a = answer_err(e.code);

    if (e.code == ERR_CORRUPT || e.code == ERR_IO || e.code == ERR_UNAVAILABLE)
        log_event(s->env->log, LOG_LEVEL_ERROR, "imap.store",
                  log_str("session", s->env->peer->session_id), log_str("error", err_name(e.code)),
                  log_str("why", e.why));
    if (a->imap_code)
        c->code = a->imap_code;
    return answer(c, a->imap_status == ANSWER_BAD ? IMAP_BAD : IMAP_NO, a->imap);
}

enum imap_step imap_break(struct imap_session *s, struct imap_cmd *c, struct err e)
{
    c->broken = true;
    return imap_no_err(s, c, e);
}

enum imap_step imap_bad_args(struct imap_cmd *c)
{
    const char *what = c->complaint ? c->complaint : "The arguments are not understood";

    return c->refusal ? imap_no(c, c->refusal, what) : imap_bad(c, what);
}

void imap_code(struct imap_cmd *c, const char *format, ...)
{
    struct buf b = buf_make(1 << 20);
    va_list args;

    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    c->code = arena_str(&c->arena, buf_slice(&b));
    buf_done(&b);
}

void imap_put_tagged(struct imap_session *s, const struct imap_cmd *c)
{
    static const char *const words[] = {
        [IMAP_OK] = " OK ", [IMAP_NO] = " NO ", [IMAP_BAD] = " BAD "};
    struct buf line = buf_make(SIZE_MAX / 2);

    buf_put(&line, c->tag.len ? c->tag : S("*"));
    buf_puts(&line, words[c->status]);
    if (c->code) {
        buf_puts(&line, c->code);
        buf_putc(&line, ' ');
    }
    buf_puts(&line, c->answer);
    buf_puts(&line, "\r\n");
    imap_put_long(s, buf_slice(&line)); /* COPYUID may be long */
    buf_done(&line);
}
