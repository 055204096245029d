#include "protocols/line.h"

#include "base/mem.h"

enum { LINE_END = 2, KEEP_WHEN_IDLE = 512 };

void line_init(struct line_reader *r, size_t max)
{
    *r = (struct line_reader){.in = buf_make(max + LINE_END)};
}

void line_done(struct line_reader *r)
{
    buf_wipe(&r->in);
}

/* Drop the front of a line that is too long; returns how much of `in` belonged to it. */
static size_t skip_long_line(struct slice in)
{
    size_t at = slice_index(in, '\n');

    /* The LF stays: line_next() meets it and reports. */
    return at;
}

size_t line_feed(struct line_reader *r, struct slice in)
{
    size_t skipped = 0;

    if (r->skipping && r->in.len == 0) {
        skipped = skip_long_line(in);
        in = slice_from(in, skipped);
    }
    size_t room = buf_room(&r->in);
    struct slice taken = slice_head(in, room);

    buf_put(&r->in, taken);
    return skipped + taken.len;
}

static void consume(struct line_reader *r, size_t n)
{
    buf_consume(&r->in, n);
    r->scanned = 0;
}

enum line_found line_next(struct line_reader *r, struct slice *line)
{
    struct slice in = buf_slice(&r->in);
    size_t at = r->scanned + slice_index(slice_from(in, r->scanned), '\n');

    if (at == in.len) {
        r->scanned = in.len;
        if (r->skipping || buf_room(&r->in) == 0) {
            r->skipping = true;
            line_wipe(r, in);
            consume(r, in.len);
        }
        return LINE_NONE;
    }
    struct slice found = slice_head(in, at);

    if (found.len && found.ptr[found.len - 1] == '\r')
        found.len--;
    consume(r, at + 1);
    if (r->skipping || found.len > r->in.max - LINE_END) {
        r->skipping = false;
        return LINE_TOO_LONG;
    }
    *line = found;
    return LINE_READY;
}

struct slice line_rest(const struct line_reader *r)
{
    return buf_slice(&r->in);
}

void line_skip(struct line_reader *r, size_t n)
{
    consume(r, n);
}

void line_wipe(struct line_reader *r, struct slice line)
{
    if (line.len > 0)
        mem_wipe(r->in.data + (line.ptr - r->in.data), line.len);
}

void line_wipe_all(struct line_reader *r)
{
    buf_wipe(&r->in);
    r->scanned = 0;
    r->skipping = false;
}

void line_relax(struct line_reader *r)
{
    if (r->in.len == 0 && r->in.cap > KEEP_WHEN_IDLE)
        buf_wipe(&r->in);
}
