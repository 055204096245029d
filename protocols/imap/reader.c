#include "protocols/imap/reader.h"

#include "protocols/imap/command.h"
#include "protocols/imap/life.h"

#include <assert.h>

/* ---- limits ---- */

static size_t limit(size_t configured, size_t otherwise)
{
    return configured ? configured : otherwise;
}

/* Before log-on the command shares its allowance with the session and the attempt. */
static size_t max_before_logon(const struct imap_session *s)
{
    return limit(s->env->limits->max_before_logon, 16384) / 4 * 3;
}

static size_t max_line(const struct imap_session *s)
{
    size_t max = limit(s->env->limits->max_line, 65536);
    size_t before = max_before_logon(s);

    return s->state == STATE_NOT_AUTHENTICATED && before < max ? before : max;
}

static size_t max_command(const struct imap_session *s)
{
    size_t max = limit(s->env->limits->max_command, 1 << 20);
    size_t before = max_before_logon(s);

    return s->state == STATE_NOT_AUTHENTICATED && before < max ? before : max;
}

static size_t max_literal(const struct imap_session *s)
{
    return limit(s->env->limits->max_literal, 131072);
}

/* How much may be thrown away to stay in step with a client that does not ask first. */
static uint64_t max_skip(const struct imap_session *s)
{
    return s->state == STATE_NOT_AUTHENTICATED ? max_before_logon(s) : UINT32_MAX;
}

/* ---- the end of a command that is not run ---- */

void imap_reader_reset(struct imap_session *s)
{
    struct imap_reader *r = s->reader;

    buf_wipe(&r->line);
    *r = (struct imap_reader){.line = r->line};
}

/* It was answered while it was read, and all of it has passed by. */
static void answered(struct imap_session *s)
{
    s->cmd->phase = PHASE_SYNC;
}

static void skip_line(struct imap_session *s)
{
    s->reader->at = SKIP_LINE;
    s->reader->tail_len = 0;
}

static void skip_literal(struct imap_session *s, uint64_t size)
{
    struct imap_reader *r = s->reader;

    if (__builtin_add_overflow(r->skipped, size, &r->skipped) || r->skipped > max_skip(s)) {
        imap_bye(s, "[TOOBIG] That is more than can be passed over");
        return;
    }
    r->left = size;
    r->at = size ? SKIP_LITERAL : SKIP_LINE;
    r->tail_len = 0;
}

/* ---- announcements ---- */

struct announced {
    uint64_t size;
    size_t len; /* of "{n}" or "~{n+}", at the end of the line */
    bool sync, binary;
};

/* Does the line (without its line end) end in "{n}", "{n+}" or "~{n}"? */
static bool announces(struct slice line, struct announced *out)
{
    size_t at = line.len;
    bool sync = true;

    if (at == 0 || line.ptr[--at] != '}')
        return false;
    if (at && line.ptr[at - 1] == '+') {
        sync = false;
        at--;
    }
    size_t end = at;
    while (at && ascii_is_digit(line.ptr[at - 1]))
        at--;
    struct slice digits = slice_sub(line, at, end - at);
    if (digits.len == 0 || at == 0 || line.ptr[at - 1] != '{')
        return false;
    at--;
    *out = (struct announced){.sync = sync, .binary = at && line.ptr[at - 1] == '~'};
    if (!slice_to_u64(digits, &out->size))
        out->size = UINT64_MAX;
    out->len = line.len - at + out->binary;
    return true;
}

/* The command is over for us; its literal is not wanted. */
static void refuse_literal(struct imap_session *s, const struct announced *a)
{
    if (a->sync)
        answered(s);
    else
        skip_literal(s, a->size);
}

static struct slice piece_of(const struct imap_session *s, size_t from)
{
    return slice_from(buf_slice(&s->cmd->bytes), from);
}

static struct slice without_line_end(struct slice line)
{
    assert(line.len > 0);
    line.len--;
    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

static void keep_literal(struct imap_session *s, const struct announced *a)
{
    struct imap_reader *r = s->reader;
    struct imap_cmd *c = s->cmd;

    if (a->size > max_literal(s) || a->size > buf_room(&c->bytes)) {
        imap_code(c, "[TOOBIG]");
        imap_bad(c, "The literal is too big");
        refuse_literal(s, a);
        return;
    }
    r->left = a->size;
    r->at = a->size ? AT_LITERAL : AT_LINE;
    r->piece = c->bytes.len;
    r->plus = a->sync;
}

/* Ask the command's sink what to do with it. */
static void offer_literal(struct imap_session *s, const struct announced *a, struct slice line)
{
    struct imap_reader *r = s->reader;
    struct imap_cmd *c = s->cmd;
    struct slice before =
        slice_of(c->bytes.data + c->bytes.head,
                 (size_t)(line.ptr - (c->bytes.data + c->bytes.head)) + line.len - a->len);

    c->text = c->rest = slice_from(before, r->args);
    switch (c->def->literals->begin(s, c, a->size, a->binary)) {
    case LITERAL_KEEP:
        keep_literal(s, a);
        break;
    case LITERAL_STREAM:
        buf_clear(&c->bytes);
        r->args = r->piece = 0;
        r->streamed = true;
        r->left = a->size;
        r->at = AT_STREAM;
        r->plus = a->sync;
        break;
    case LITERAL_REFUSED:
        refuse_literal(s, a);
        break;
    }
}

/* ---- lines of the command ---- */

/* Look the command up, once: at the end of its first line. */
static bool resolved(struct imap_session *s, struct slice line)
{
    struct imap_cmd *c = s->cmd;

    if (c->def || s->reader->streamed)
        return true;
    return imap_resolve(s, c, line, &s->reader->args);
}

static void line_complete(struct imap_session *s)
{
    struct imap_reader *r = s->reader;
    struct imap_cmd *c = s->cmd;
    struct slice line = without_line_end(piece_of(s, r->piece));
    struct announced a;
    bool literal = announces(line, &a);

    if (!resolved(s, line)) {
        if (literal)
            refuse_literal(s, &a);
        else
            answered(s);
    } else if (!literal) {
        size_t used = (size_t)(line.ptr - (c->bytes.data + c->bytes.head));

        c->text = c->rest = slice_from(slice_head(buf_slice(&c->bytes), used + line.len), r->args);
        c->phase = PHASE_START;
    } else if (c->def->literals) {
        offer_literal(s, &a, line);
    } else {
        keep_literal(s, &a);
    }
}

/* Remember the end of what is passed over. */
static void keep_tail(struct imap_reader *r, struct slice some)
{
    if (some.len > READER_TAIL)
        some = slice_from(some, some.len - READER_TAIL);
    size_t old = r->tail_len + some.len > READER_TAIL ? READER_TAIL - some.len : r->tail_len;
    memmove(r->tail, r->tail + r->tail_len - old, old);
    if (some.len)
        memcpy(r->tail + old, some.ptr, some.len);
    r->tail_len = old + some.len;
}

static void line_too_long(struct imap_session *s)
{
    struct imap_cmd *c = s->cmd;
    size_t args;

    if (s->state == STATE_NOT_AUTHENTICATED) {
        imap_bye(s, "[TOOBIG] The line is too long");
        return;
    }
    if (!c->def && !imap_resolve(s, c, piece_of(s, 0), &args))
        c->def = NULL;
    imap_code(c, "[TOOBIG]");
    imap_bad(c, "The command is too long");
    skip_line(s);
    keep_tail(s->reader, piece_of(s, s->reader->piece));
}

/* A piece of a line, up to its line feed where there is one. */
static size_t take_line(struct imap_session *s, struct slice in)
{
    struct imap_reader *r = s->reader;
    struct imap_cmd *c = s->cmd;
    size_t at = slice_index(in, '\n');
    bool complete = at < in.len;
    size_t wanted = complete ? at + 1 : at, room = max_line(s) - r->line_len;

    if (room > buf_room(&c->bytes))
        room = buf_room(&c->bytes);
    struct slice some = slice_head(in, wanted < room ? wanted : room);
    buf_put(&c->bytes, some);
    r->line_len += some.len;
    if (some.len < wanted)
        line_too_long(s);
    else if (complete)
        line_complete(s);
    return some.len;
}

/* ---- literals ---- */

static void stream_ended(struct imap_session *s)
{
    struct imap_cmd *c = s->cmd;

    if (c->def->literals->end(s, c))
        s->reader->at = AT_LINE;
    else
        skip_line(s);
}

static size_t take_stream(struct imap_session *s, struct slice in)
{
    struct imap_reader *r = s->reader;
    struct imap_cmd *c = s->cmd;
    struct slice some = slice_head(in, r->left < in.len ? (size_t)r->left : in.len);

    r->left -= some.len;
    if (!c->def->literals->data(s, c, some))
        skip_literal(s, r->left);
    else if (r->left == 0)
        stream_ended(s);
    return some.len;
}

static size_t take_literal(struct imap_session *s, struct slice in)
{
    struct imap_reader *r = s->reader;
    struct slice some = slice_head(in, r->left < in.len ? (size_t)r->left : in.len);

    buf_put(&s->cmd->bytes, some);
    r->left -= some.len;
    if (r->left == 0) {
        r->at = AT_LINE;
        r->piece = s->cmd->bytes.len;
    }
    return some.len;
}

/* ---- skipping ---- */

static size_t take_skipped_line(struct imap_session *s, struct slice in)
{
    struct imap_reader *r = s->reader;
    size_t at = slice_index(in, '\n');
    struct slice some = slice_head(in, at < in.len ? at + 1 : at);
    struct announced a;

    keep_tail(r, some);
    r->skipped += some.len;
    if (r->skipped > max_skip(s))
        imap_bye(s, "[TOOBIG] That is more than can be passed over");
    else if (at < in.len && announces(without_line_end(slice_of(r->tail, r->tail_len)), &a))
        refuse_literal(s, &a);
    else if (at < in.len)
        answered(s);
    return some.len;
}

static size_t take_skipped_literal(struct imap_session *s, struct slice in)
{
    struct imap_reader *r = s->reader;
    size_t n = r->left < in.len ? (size_t)r->left : in.len;

    r->left -= n;
    if (r->left == 0)
        skip_line(s);
    return n;
}

/* ---- lines between the client and a running command ---- */

static size_t take_answer(struct imap_session *s, struct slice in)
{
    struct imap_reader *r = s->reader;
    size_t at = slice_index(in, '\n');
    struct slice some = slice_head(in, at < in.len ? at + 1 : at);

    if (r->line.max == 0)
        r->line = buf_make(AUTH_MAX_LINE + 2);
    buf_put(&r->line, some);
    if (r->line.failed)
        imap_bye(s, "[TOOBIG] The line is too long");
    else if (at < in.len)
        s->cmd->phase = PHASE_LINED;
    return some.len;
}

static size_t take(struct imap_session *s, struct slice in)
{
    if (s->cmd && s->cmd->phase == PHASE_LINE)
        return take_answer(s, in);
    if (!s->cmd) {
        imap_reader_reset(s);
        imap_cmd_begin(s, max_command(s));
    }
    switch (s->reader->at) {
    case AT_LINE:
        return take_line(s, in);
    case AT_LITERAL:
        return take_literal(s, in);
    case AT_STREAM:
        /* A literal of no bytes ends before anything came. */
        if (s->reader->left == 0) {
            stream_ended(s);
            return 0;
        }
        return take_stream(s, in);
    case SKIP_LINE:
        return take_skipped_line(s, in);
    case SKIP_LITERAL:
        return take_skipped_literal(s, in);
    }
    return 0;
}

static bool wants_input(const struct imap_session *s)
{
    return !s->bye && !s->reader->plus &&
           (!s->cmd || s->cmd->phase == PHASE_READ || s->cmd->phase == PHASE_LINE);
}

size_t imap_reader_feed(struct imap_session *s, struct slice in)
{
    size_t used = 0;

    while (used < in.len && wants_input(s))
        used += take(s, slice_from(in, used));
    /* Nothing more is listened to after BYE. */
    return s->bye ? in.len : used;
}
