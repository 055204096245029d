#include "store/mime/mime_int.h"

/*
 * The message is read line by line, once. `open` is the way from the message down to the part that
 * is being read; a boundary line closes what is below its multipart. Lines that begin with "--"
 * are held against the boundaries of all open multiparts at once, in time linear in the line.
 */

/* An entity that has begun and not ended. */
struct open_part {
    uint32_t index;
    uint32_t last_child;   /* index, or 0 */
    uint64_t lines_before; /* line ends in the message before this part's body */
    bool in_header;
    bool digest; /* a multipart/digest */
};

/* The boundary of an open multipart. */
struct boundary {
    struct slice text;
    uint64_t hash;
    uint32_t level; /* of its multipart in `open` */
};

struct parser {
    struct slice message;
    struct arena *in;
    struct mime_part *parts;
    uint32_t n_parts, parts_cap, max_parts;
    struct open_part open[MIME_MAX_DEPTH + 1];
    uint32_t depth;                                 /* how many are open */
    struct boundary boundaries[MIME_MAX_DEPTH + 1]; /* shortest first; of equals, outer first */
    uint32_t n_boundaries;
    uint64_t line_ends;  /* before the line being read */
    uint64_t prev_end;   /* where the line end before this line starts */
    uint64_t body_began; /* where the last body did: behind an empty line */
};

/* ---- boundaries ---- */

/* FNV-1a, one byte at a time: the hash of a prefix is a step on the way to that of the whole. */
static const uint64_t hash_start = 0xCBF29CE484222325u;

static uint64_t hash_step(uint64_t hash, uint8_t byte)
{
    return (hash ^ byte) * 0x100000001B3u;
}

static void add_boundary(struct parser *p, struct slice text, uint32_t level)
{
    struct boundary b = {arena_slice(p->in, text), hash_start, level};
    uint32_t at = p->n_boundaries++;

    for (size_t i = 0; i < text.len; i++)
        b.hash = hash_step(b.hash, text.ptr[i]);
    for (; at > 0 && p->boundaries[at - 1].text.len > text.len; at--)
        p->boundaries[at] = p->boundaries[at - 1];
    p->boundaries[at] = b;
}

/* Forget the boundaries of multiparts at `level` and below. */
static void drop_boundaries(struct parser *p, uint32_t level)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < p->n_boundaries; i++)
        if (p->boundaries[i].level < level)
            p->boundaries[kept++] = p->boundaries[i];
    p->n_boundaries = kept;
}

/*
 * The boundary that `line` (behind its "--") begins with: the longest, for one boundary may begin
 * with another; of equal ones the innermost. What follows does not matter (RFC 2046 5.1.1: "it is
 * sufficient that the boundary appear in its entirety").
 */
static const struct boundary *match_boundary(const struct parser *p, struct slice line)
{
    uint32_t likely[MIME_MAX_DEPTH + 1];
    uint32_t n = 0, next = 0;
    uint64_t hash = hash_start;

    for (size_t i = 0; next < p->n_boundaries; i++) {
        for (; next < p->n_boundaries && p->boundaries[next].text.len == i; next++)
            if (p->boundaries[next].hash == hash)
                likely[n++] = next;
        if (i == line.len)
            break;
        hash = hash_step(hash, line.ptr[i]);
    }
    /* Only the longest is compared byte by byte, unless hashes collide. */
    while (n > 0) {
        const struct boundary *b = &p->boundaries[likely[--n]];

        if (slice_starts(line, b->text))
            return b;
    }
    return NULL;
}

/* ---- parts ---- */

/* A new part below the innermost open one, its header starting at `start`. */
static void open_part(struct parser *p, uint64_t start)
{
    struct open_part *above = p->depth ? &p->open[p->depth - 1] : NULL;
    uint32_t index = p->n_parts++;

    if (index == p->parts_cap) {
        uint32_t cap = p->parts_cap ? p->parts_cap : 4;

        p->parts = arena_grow(p->in, p->parts, index, cap, sizeof *p->parts);
        p->parts_cap = index + cap;
    }
    p->parts[index] = (struct mime_part){.header = {start, 0}};
    p->open[p->depth++] = (struct open_part){.index = index, .in_header = true};
    if (!above)
        return;
    p->parts[index].parent = above->index;
    if (above->last_child)
        p->parts[above->last_child].next = index;
    else
        p->parts[above->index].first_child = index;
    above->last_child = index;
}

static void end_header(struct parser *p, struct open_part *o, uint64_t end, uint64_t line_ends)
{
    struct mime_part *part = &p->parts[o->index];

    part->header.len = end - part->header.start;
    part->body.start = end;
    o->lines_before = line_ends;
    o->in_header = false;
}

static bool may_nest(const struct parser *p)
{
    return p->depth <= MIME_MAX_DEPTH && p->n_parts < p->max_parts;
}

/* A multipart without parts has one empty one, for IMAP knows none without (RFC 3501 9). */
static void add_empty_child(struct parser *p, uint64_t end)
{
    struct open_part *o = &p->open[p->depth - 1];

    if (!may_nest(p)) {
        p->parts[o->index].kind = MIME_LEAF;
        return;
    }
    open_part(p, end);
    end_header(p, &p->open[--p->depth], end, 0);
}

/*
 * The innermost part ends at `end`, before which there are `line_ends` line ends. A part whose
 * header has not ended consists of that.
 */
static void close_part(struct parser *p, uint64_t end, uint64_t line_ends)
{
    struct open_part *o = &p->open[p->depth - 1];
    struct mime_part *part = &p->parts[o->index];

    if (o->in_header) {
        /* Begun by one boundary line and ended by the next: empty, before the line end between. */
        if (part->header.start > end)
            part->header.start = end;
        end_header(p, o, end, line_ends);
    }
    if (end > part->body.start) {
        part->body.len = end - part->body.start;
        part->lines = (uint32_t)(line_ends - o->lines_before);
        if (p->message.ptr[end - 1] != '\n')
            part->lines++;
    }
    if (part->kind == MIME_MULTIPART && !o->last_child)
        add_empty_child(p, part->body.start + part->body.len);
    p->depth--;
}

/* Close all that is below the part at `level` of the open ones. */
static void close_below(struct parser *p, uint32_t level, uint64_t end, uint64_t line_ends)
{
    drop_boundaries(p, level + 1);
    while (p->depth > level + 1)
        close_part(p, end, line_ends);
}

static struct slice trim_end(struct slice s)
{
    while (s.len && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* The innermost part's header is complete: what kind of thing is it? */
static void begin_body(struct parser *p, uint64_t at)
{
    struct open_part *o = &p->open[p->depth - 1];
    struct mime_part *part = &p->parts[o->index];
    struct arena scratch = ARENA_INIT;
    struct mime_type type;

    end_header(p, o, at, p->line_ends);
    p->body_began = at;
    if (!may_nest(p))
        return;
    mime_content_type(slice_sub(p->message, part->header.start, part->header.len),
                      p->depth > 1 && p->open[p->depth - 2].digest, &scratch, &type);
    if (slice_eq(type.type, S("multipart"))) {
        struct slice text = trim_end(mime_param(type.params, type.n_params, S("boundary")));

        part->kind = MIME_MULTIPART;
        o->digest = slice_eq(type.subtype, S("digest"));
        if (text.len)
            add_boundary(p, text, p->depth - 1);
    } else if (slice_eq(type.type, S("message")) &&
               (slice_eq(type.subtype, S("rfc822")) || slice_eq(type.subtype, S("global")))) {
        part->kind = MIME_MESSAGE;
        open_part(p, at);
    }
    arena_done(&scratch);
}

/* ---- lines ---- */

/* True if the line was a boundary and is dealt with. */
static bool take_boundary(struct parser *p, struct slice line, uint64_t start, uint64_t next)
{
    const struct boundary *b = match_boundary(p, slice_from(line, 2));

    if (!b)
        return false;
    bool last = slice_starts(slice_from(line, 2 + b->text.len), S("--"));
    /* At the bound the last part takes what follows. */
    if (!last && p->n_parts >= p->max_parts)
        return false;

    uint32_t level = b->level;
    uint64_t end = p->prev_end, line_ends = p->line_ends - 1;
    if (p->body_began == start) {
        /* The line end before is that of the empty line, which is the header's. */
        end = start;
        line_ends++;
    }
    close_below(p, level, end, line_ends);
    if (last)
        drop_boundaries(p, level);
    else
        open_part(p, next);
    return true;
}

static void take_line(struct parser *p, uint64_t start, uint64_t next)
{
    struct slice line = slice_sub(p->message, start, next - start);
    struct slice text = line_chomp(line);
    bool ended = text.len < line.len;

    if (p->n_boundaries && text.len > 2 && text.ptr[0] == '-' && text.ptr[1] == '-' &&
        take_boundary(p, text, start, next)) {
        p->line_ends += ended;
    } else {
        p->line_ends += ended;
        if (ended && text.len == 0 && p->open[p->depth - 1].in_header)
            begin_body(p, next);
    }
    p->prev_end = start + text.len;
}

void mime_parse_within(struct slice message, const struct mime_bounds *bounds, struct arena *in,
                       struct mime *out)
{
    struct parser p = {.message = message, .in = in, .max_parts = bounds->parts};

    open_part(&p, 0);
    for (size_t at = 0; at < message.len;) {
        size_t next = at + line_length(slice_from(message, at));

        take_line(&p, at, next);
        at = next;
    }
    while (p.depth)
        close_part(&p, message.len, p.line_ends);
    *out = (struct mime){p.parts, p.n_parts, bounds->header};
}

void mime_parse(struct slice message, struct arena *in, struct mime *out)
{
    static const struct mime_bounds widest = {MIME_MAX_PARTS, MIME_MAX_HEADER};

    mime_parse_within(message, &widest, in, out);
}

/* ---- section numbers ---- */

/* The part that number `n` means right inside an entity: a child, or part 1 is the entity. */
static uint32_t nth(const struct mime *mime, uint32_t entity, uint32_t n)
{
    uint32_t at = mime->parts[entity].first_child;

    if (n == 0)
        return UINT32_MAX;
    if (mime->parts[entity].kind != MIME_MULTIPART)
        return n == 1 ? entity : UINT32_MAX;
    while (at && --n)
        at = mime->parts[at].next;
    return at ? at : UINT32_MAX;
}

struct err mime_find(const struct mime *mime, const uint32_t *path, size_t n, uint32_t *index)
{
    uint32_t at = 0;

    for (size_t i = 0; i < n; i++) {
        const struct mime_part *part = &mime->parts[at];

        if (i > 0 && part->kind == MIME_LEAF)
            return ERR(ERR_NOT_FOUND, "a part without parts has no such section");
        if (i > 0 && part->kind == MIME_MESSAGE)
            at = part->first_child;
        at = nth(mime, at, path[i]);
        if (at == UINT32_MAX)
            return ERR(ERR_NOT_FOUND, "there is no part of that number");
    }
    *index = at;
    return OK;
}
