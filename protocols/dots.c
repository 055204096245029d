#include "protocols/dots.h"

/* ---- out ---- */

/* The bytes before the next dot that stands behind a LF, or all. */
static size_t run_length(struct slice s)
{
    const uint8_t *at = s.ptr, *end = s.ptr + s.len;

    while ((at = memchr(at, '\n', (size_t)(end - at)))) {
        at++;
        if (at == end)
            break;
        if (*at == '.')
            return (size_t)(at - s.ptr);
    }
    return s.len;
}

static enum dot_last last_of(enum dot_last before, struct slice run)
{
    uint8_t last = run.ptr[run.len - 1];
    bool cr = run.len > 1 ? run.ptr[run.len - 2] == '\r' : before == DOT_CR;

    if (last == '\n')
        return cr ? DOT_CRLF : DOT_LF;
    return last == '\r' ? DOT_CR : DOT_TEXT;
}

static bool at_line_start(const struct dot_writer *w)
{
    return w->last == DOT_START || w->last == DOT_LF || w->last == DOT_CRLF;
}

size_t dot_put(struct dot_writer *w, struct slice piece, struct buf *out, size_t room)
{
    size_t taken = 0;

    while (taken < piece.len && taken < room) {
        struct slice rest = slice_sub(piece, taken, room - taken);

        if (rest.ptr[0] == '.' && at_line_start(w)) {
            buf_putc(out, '.');
            room = room > taken + 1 ? room - 1 : room;
            rest = slice_sub(piece, taken, room - taken);
        }
        rest = slice_head(rest, run_length(rest));
        buf_put(out, rest);
        w->last = last_of(w->last, rest);
        taken += rest.len;
    }
    return taken;
}

void dot_end(struct dot_writer *w, struct buf *out)
{
    if (w->last != DOT_START && w->last != DOT_CRLF)
        buf_puts(out, "\r\n");
    buf_puts(out, ".\r\n");
}

/* ---- in ---- */

/*
 * Take content up to and with the next CRLF that a dot follows; that dot is taken too. Lines
 * without one are passed over in the same run.
 */
static struct slice take_run(struct dot_reader *r, struct slice *in)
{
    const uint8_t *start = in->ptr, *at = start, *end = start + in->len;
    bool cr_before = r->state == DOT_READ_CR;

    while ((at = memchr(at, '\n', (size_t)(end - at)))) {
        bool crlf = at > start ? at[-1] == '\r' : cr_before;

        at++;
        if (!crlf)
            continue;
        if (at == end || *at == '.') {
            struct slice run = slice_of(start, (size_t)(at - start));

            r->state = at == end ? DOT_READ_START : DOT_READ_DOT;
            *in = slice_from(*in, run.len + (at != end));
            return run;
        }
    }
    struct slice all = *in;

    r->state = all.ptr[all.len - 1] == '\r' ? DOT_READ_CR : DOT_READ_TEXT;
    *in = SLICE_EMPTY;
    return all;
}

struct slice dot_read(struct dot_reader *r, struct slice *in, bool *end)
{
    while (in->len > 0) {
        uint8_t next = in->ptr[0];

        switch (r->state) {
        case DOT_READ_START:
            if (next != '.')
                return take_run(r, in);
            r->state = DOT_READ_DOT;
            *in = slice_from(*in, 1);
            break;
        case DOT_READ_DOT:
            /* Other bytes follow the dot: it was put there by the sender, and goes. */
            if (next != '\r') {
                r->state = DOT_READ_TEXT;
                return take_run(r, in);
            }
            r->state = DOT_READ_DOT_CR;
            *in = slice_from(*in, 1);
            break;
        case DOT_READ_DOT_CR:
            if (next == '\n') {
                *in = slice_from(*in, 1);
                *end = true;
                return SLICE_EMPTY;
            }
            r->state = DOT_READ_CR; /* the CR that was held back is content */
            return S("\r");
        case DOT_READ_TEXT:
        case DOT_READ_CR:
            return take_run(r, in);
        }
    }
    return SLICE_EMPTY;
}
