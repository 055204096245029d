/*
 * cmd_append.c - APPEND, of one message or of many at once (RFC 3502), with literal8 (RFC 3516),
 * UTF8 (RFC 6855) and APPENDUID (RFC 4315).
 *
 * The literals are taken as they come: imap_append_literals looks at all that can be known before
 * a literal is asked for (mailbox, size, quota), spools it, and prepares it where it is small. The
 * handler runs behind the last one; it prepares the large ones off the loop, and appends them all
 * or none.
 */
#include "base/mem.h"
#include "protocols/imap/handlers.h"

struct append_message {
    struct store_spool *spool;       /* until it is prepared */
    struct store_prepared *prepared; /* then */
    uint16_t flags;
    struct slice *keywords;
    size_t n_keywords;
    uint64_t internaldate;
    int16_t zone;
    bool utf8; /* "UTF8 (" was before it, so ")" must follow */
};

struct append {
    uint64_t fid;
    struct append_message *messages;
    size_t n, room;
    uint64_t announced; /* bytes of all of them */
    size_t preparing;   /* the next one to look at */
    struct store_prepare_op *op;
    struct store_append *rq; /* belongs to the command */
};

/* Called when nothing is under way any more. */
static void append_cleanup(struct imap_cmd *c)
{
    struct append *a = c->state;

    for (size_t i = 0; i < a->n; i++) {
        store_spool_free(a->messages[i].spool);
        store_prepared_free(a->messages[i].prepared);
    }
    if (a->op)
        store_prepared_free(a->op->prepared);
}

static struct append *append_of(struct imap_cmd *c)
{
    if (!c->state) {
        c->state = arena_alloc(&c->arena, sizeof(struct append));
        c->cleanup = append_cleanup;
    }
    return c->state;
}

/* ---- what is said before a literal ---- */

/* ["(flags) "] ["date-time "] ["UTF8 ("] */
static bool parse_message(struct imap_session *s, struct imap_cmd *c, struct append_message *m)
{
    m->internaldate = s->env->clock->wall;
    if (!imap_arg_space(c))
        return false;
    if (imap_arg_peek(c, '(') &&
        (!imap_arg_flags(c, &m->flags, &m->keywords, &m->n_keywords) || !imap_arg_space(c)))
        return false;
    if (imap_arg_peek(c, '"') &&
        (!imap_arg_date_time(c, &m->internaldate, &m->zone) || !imap_arg_space(c)))
        return false;
    m->utf8 = imap_arg_word(c, "UTF8");
    if (m->utf8 && (!imap_arg_space(c) || !imap_arg_byte(c, '(')))
        return false;
    return imap_arg_end(c);
}

/* The mailbox of the first message, or what closes the message before. */
static bool parse_before(struct imap_session *s, struct imap_cmd *c, struct append *a,
                         struct slice *path)
{
    if (a->n == 0)
        return imap_arg_mailbox(s, c, path);
    return !a->messages[a->n - 1].utf8 || imap_arg_byte(c, ')');
}

/* ---- what can be known before it is sent ---- */

static bool refuse(struct imap_cmd *c, const char *code, const char *why)
{
    (void)imap_no(c, code, why);
    return false;
}

static bool check_folder(struct imap_session *s, struct imap_cmd *c, struct store_read *rd,
                         struct append *a, struct slice path)
{
    struct store_folder folder;
    struct err e = store_folder_find(rd, path, &folder);

    if (e.code == ERR_NOT_FOUND || (!failed(e) && !folder.visible))
        return refuse(c, "[TRYCREATE]", "There is no such mailbox");
    if (failed(e)) {
        (void)imap_no_err(s, c, e);
        return false;
    }
    if (folder.noselect)
        return refuse(c, "[CANNOT]", "That name holds no messages");
    a->fid = folder.fid;
    return true;
}

static bool check_quota(struct imap_session *s, struct imap_cmd *c, struct store_read *rd,
                        const struct append *a)
{
    struct mailbox_info info;
    struct err e = store_mailbox_info(rd, &info);

    if (!failed(e) && info.quota && info.size + a->announced > info.quota)
        e = ERR(ERR_QUOTA, "the announced message would pass the quota");
    if (failed(e))
        (void)imap_no_err(s, c, e);
    return !failed(e);
}

/* All of a MULTIAPPEND is in memory before it is appended: it may be as big as one message. */
static bool check_size(struct imap_session *s, struct imap_cmd *c, struct append *a, uint64_t size)
{
    uint64_t max = imap_max_message(s);

    if (size == 0) /* RFC 3502 6.3.11: this takes the whole command back */
        return refuse(c, NULL, "APPEND was cancelled by an empty message");
    if (size > max)
        return refuse(c, "[TOOBIG]", "The message is too big");
    if (size > max - a->announced)
        return refuse(c, "[TOOBIG]", "That is too much for one APPEND");
    a->announced += size;
    return true;
}

static bool check(struct imap_session *s, struct imap_cmd *c, struct append *a, struct slice path,
                  uint64_t size)
{
    struct store_read *rd;

    if (!check_size(s, c, a, size))
        return false;
    struct err e = store_read_begin(s->mailbox, &rd);
    if (failed(e)) {
        (void)imap_no_err(s, c, e);
        return false;
    }
    bool ok = (a->n > 0 || check_folder(s, c, rd, a, path)) && check_quota(s, c, rd, a);
    store_read_end(rd);
    return ok;
}

/* ---- literals ---- */

static void add_message(struct imap_session *s, struct imap_cmd *c, struct append *a,
                        const struct append_message *m)
{
    if (a->n == a->room) {
        size_t more = a->room ? a->room : 4;

        a->messages = arena_grow(&c->arena, a->messages, a->n, more, sizeof *a->messages);
        a->room += more;
    }
    a->messages[a->n] = *m;
    a->messages[a->n++].spool = store_spool_new(s->env->store);
}

/* What was parsed points into bytes that are about to go. Keywords are in the arena already. */
static enum imap_literal literal_begin(struct imap_session *s, struct imap_cmd *c, uint64_t size,
                                       bool binary)
{
    struct append *a = append_of(c);
    struct append_message m = {0};
    struct slice path = SLICE_EMPTY;

    if (a->n == 0 && c->rest.len == 0)
        return LITERAL_KEEP; /* the name of the mailbox */
    if (!parse_before(s, c, a, &path) || !parse_message(s, c, &m)) {
        (void)imap_bad_args(c);
        return LITERAL_REFUSED;
    }
    if (m.utf8 && (!s->utf8 || !binary)) { /* RFC 6855 4 */
        (void)imap_bad(c, s->utf8 ? "UTF8 takes a literal8" : "UTF8=ACCEPT is not enabled");
        return LITERAL_REFUSED;
    }
    if (!check(s, c, a, path, size))
        return LITERAL_REFUSED;
    add_message(s, c, a, &m);
    return LITERAL_STREAM;
}

static bool literal_data(struct imap_session *s, struct imap_cmd *c, struct slice bytes)
{
    struct append *a = c->state;
    struct err e = store_spool_put(a->messages[a->n - 1].spool, bytes);

    if (failed(e))
        (void)imap_no_err(s, c, e);
    return !failed(e);
}

static bool literal_end(struct imap_session *s, struct imap_cmd *c)
{
    struct append *a = c->state;
    struct append_message *m = &a->messages[a->n - 1];

    if (store_spool_size(m->spool) > STORE_PREPARE_INLINE)
        return true;
    struct err e = store_prepare(s->env->store, m->spool, &m->prepared);
    m->spool = NULL;
    if (failed(e))
        (void)imap_no_err(s, c, e);
    return !failed(e);
}

const struct imap_literal_sink imap_append_literals = {
    .begin = literal_begin,
    .data = literal_data,
    .end = literal_end,
};

/* ---- appending ---- */

static void free_append(struct store_op *op)
{
    free(op);
}

static enum imap_step appended(struct imap_session *s, struct imap_cmd *c)
{
    const struct append *a = c->state;
    const struct store_append *rq = a->rq;

    if (rq->op.err.code == ERR_NOT_FOUND)
        return imap_no(c, "[TRYCREATE]", "There is no such mailbox any more");
    if (failed(rq->op.err))
        return imap_no_err(s, c, rq->op.err);
    if (s->env->summary)
        s->env->summary->appended += rq->n;
    if (rq->n == 1)
        imap_code(c, "[APPENDUID %u %u]", rq->uidvalidity, rq->first_uid);
    else
        imap_code(c, "[APPENDUID %u %u:%u]", rq->uidvalidity, rq->first_uid,
                  rq->first_uid + (uint32_t)rq->n - 1);
    return imap_ok(c, "APPEND completed");
}

static enum imap_step append_all(struct imap_session *s, struct imap_cmd *c)
{
    struct append *a = c->state;
    struct store_new_message *messages = arena_array(&c->arena, a->n, sizeof *messages);

    for (size_t i = 0; i < a->n; i++) {
        const struct append_message *m = &a->messages[i];

        messages[i] = (struct store_new_message){
            .prepared = m->prepared,
            .flags = m->flags,
            .keywords = m->keywords,
            .n_keywords = m->n_keywords,
            .internaldate = m->internaldate,
            .zone = m->zone,
        };
    }
    a->rq = mem_new(sizeof *a->rq);
    store_append_init(a->rq);
    a->rq->fid = a->fid;
    a->rq->messages = messages;
    a->rq->n = a->n;
    c->resume = appended;
    return imap_run(s, c, &a->rq->op, free_append);
}

static void prepared(struct store_prepare_op *op)
{
    imap_arrived(op->owner);
}

static enum imap_step prepare_rest(struct imap_session *s, struct imap_cmd *c);

static enum imap_step take_prepared(struct imap_session *s, struct imap_cmd *c)
{
    struct append *a = c->state;
    struct store_prepare_op *op = a->op;

    a->op = NULL;
    if (failed(op->err))
        return imap_no_err(s, c, op->err);
    a->messages[a->preparing++].prepared = op->prepared;
    return prepare_rest(s, c);
}

/* The large ones, one after the other. */
static enum imap_step prepare_rest(struct imap_session *s, struct imap_cmd *c)
{
    struct append *a = c->state;

    while (a->preparing < a->n && a->messages[a->preparing].prepared)
        a->preparing++;
    if (a->preparing == a->n)
        return append_all(s, c);

    struct store_prepare_op *op = arena_alloc(&c->arena, sizeof *op);
    op->spool = a->messages[a->preparing].spool;
    op->home = s->env->home;
    op->done = prepared;
    op->owner = c;
    a->messages[a->preparing].spool = NULL;
    a->op = op;
    c->resume = take_prepared;
    imap_await(c);
    store_prepare_async(s->env->store, op);
    return STEP_WAIT;
}

enum imap_step imap_cmd_append(struct imap_session *s, struct imap_cmd *c)
{
    struct append *a = c->state;

    if (!a || a->n == 0)
        return imap_bad(c, "APPEND takes a mailbox and a message as a literal");
    if (a->messages[a->n - 1].utf8 && !imap_arg_byte(c, ')'))
        return imap_bad(c, "The parenthesis behind UTF8 is not closed");
    if (!imap_arg_end(c))
        return imap_bad_args(c);
    return prepare_rest(s, c);
}
