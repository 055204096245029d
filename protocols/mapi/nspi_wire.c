/* nspi_wire.c - bodies by their layouts. */
#include "protocols/mapi/nspi_wire.h"

enum {
    AUX_MAX = 0x1008, /* [MS-OXCRPC] 3.1.4.2 */
    THERE = 0xFF,     /* TRUE; whatever is not 0 is read as such */
    CODEPAGE_WESTERN = 1252,
};

/*
 * Every server has CP_TELETEX and CP_WINUNICODE ([MS-OXNSPI] 2.2.1.3). DEVIATES: 8-bit text of
 * these is Windows' Western one, for T.61 is in no library and UTF-16 has no 8-bit text.
 */
struct value_form nspi_form(uint32_t codepage)
{
    bool western = codepage == CODEPAGE_TELETEX || codepage == CODEPAGE_UNICODE || codepage == 0;

    return (struct value_form){
        .codepage = western ? CODEPAGE_WESTERN : (int)codepage,
        .wide_counts = true,
        .marked = true,
    };
}

/* ---- reading ---- */

struct reading {
    struct wire w;
    struct value_form form;
    struct err err;
};

static struct nspi_stat read_stat(struct wire *w)
{
    struct nspi_stat s = {.sort_type = wire_u32(w)};

    s.container = wire_u32(w);
    s.current = wire_u32(w);
    s.delta = (int32_t)wire_u32(w);
    s.position = wire_u32(w);
    s.total = wire_u32(w);
    s.codepage = wire_u32(w);
    s.template_locale = wire_u32(w);
    s.sort_locale = wire_u32(w);
    return s;
}

static struct nspi_numbers read_numbers(struct wire *w)
{
    size_t n = wire_count(w, wire_u32(w), 4);
    uint32_t *items = arena_array(w->in, n, sizeof *items);

    for (size_t i = 0; i < n; i++)
        items[i] = wire_u32(w);
    return (struct nspi_numbers){items, n};
}

static void read_names(struct wire *w, bool wide, struct nspi_request *out)
{
    size_t n = wire_count(w, wire_u32(w), wide ? 2 : 1);
    struct slice *names = arena_array(w->in, n, sizeof *names);

    for (size_t i = 0; i < n && !w->failed; i++)
        names[i] = wide ? wire_usz(w) : wire_asz(w);
    out->names = names;
    out->n_names = w->failed ? 0 : n;
}

static void skip_values(struct reading *r)
{
    size_t n = wire_count(&r->w, wire_u32(&r->w), 4);

    for (size_t i = 0; i < n && !r->w.failed; i++)
        value_read_tagged(&r->w, &r->form);
}

static void skip_entry_ids(struct wire *w)
{
    size_t n = wire_count(w, wire_u32(w), 4);

    for (size_t i = 0; i < n && !w->failed; i++)
        wire_bytes(w, wire_u32(w));
}

/* What is there always. */
static bool read_plain(struct reading *r, char field, struct nspi_request *out)
{
    switch (field) {
    case 'f':
        out->flags = wire_u32(&r->w);
        return true;
    case 'i':
        wire_u32(&r->w);
        return true;
    case 'r':
        out->number[0] = wire_u32(&r->w);
        return true;
    case 'x':
        out->number[1] = wire_u32(&r->w);
        return true;
    case 'd':
        out->delta_requested = wire_u8(&r->w) != 0;
        return true;
    case 'u':
        wire_usz(&r->w); /* a name that decides nothing */
        return true;
    case 'M':
        out->mids = read_numbers(&r->w);
        return true;
    default:
        return false;
    }
}

static void read_optional(struct reading *r, char field, struct nspi_request *out)
{
    struct wire *w = &r->w;

    switch (field) {
    case 's':
        out->has_state = true;
        out->state = read_stat(w);
        r->form = nspi_form(out->state.codepage);
        break;
    case 'v':
        out->has_version = true;
        out->version = wire_u32(w);
        break;
    case 'm':
        out->has_mids = true;
        out->mids = read_numbers(w);
        break;
    case 'F':
        out->has_filter = true;
        r->err = restriction_read(w, &r->form, &out->filter);
        break;
    case 'N': /* reserved ([MS-OXNSPI] 3.1.4.1.10) */
        wire_bytes(w, 16 + 4);
        break;
    case 'c':
        out->has_columns = true;
        out->columns = read_numbers(w);
        break;
    case 'a':
    case 'w':
        read_names(w, field == 'w', out);
        break;
    case 't':
        out->has_target = true;
        out->target = value_read_tagged(w, &r->form);
        break;
    case 'b':
        wire_asz(w);
        break;
    case 'e':
        skip_entry_ids(w);
        break;
    case 'l':
        skip_values(r);
        break;
    }
}

/* Some clients send no auxiliary buffer at all, not even its size. */
static void read_aux(struct wire *w)
{
    if (w->rest.len == 0)
        return;
    uint32_t size = wire_u32(w);
    if (size > AUX_MAX)
        w->failed = true;
    wire_bytes(w, size);
    w->failed |= w->rest.len != 0;
}

struct err nspi_request_read(struct slice body, const char *layout, struct arena *in,
                             struct nspi_request *out)
{
    struct reading r = {wire_of(body, in), nspi_form(0), OK};

    *out = (struct nspi_request){0};
    for (const char *field = layout; *field && !r.w.failed; field++)
        if (!read_plain(&r, *field, out) && wire_u8(&r.w))
            read_optional(&r, *field, out);
    if (failed(r.err))
        return r.err;
    if (!r.w.failed)
        read_aux(&r.w);
    return r.w.failed ? ERR(ERR_SYNTAX, "a request of the address book is malformed") : OK;
}

/* ---- writing ---- */

static void put_stat(struct buf *out, const struct nspi_stat *s)
{
    const uint32_t fields[] = {s->sort_type,       s->container,       s->current,
                               (uint32_t)s->delta, s->position,        s->total,
                               s->codepage,        s->template_locale, s->sort_locale};

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        wire_put_u32(out, fields[i]);
}

static void put_numbers(struct buf *out, const struct nspi_numbers *numbers)
{
    wire_put_u32(out, (uint32_t)numbers->n);
    for (size_t i = 0; i < numbers->n; i++)
        wire_put_u32(out, numbers->items[i]);
}

static void put_values(struct buf *out, const struct value_form *form, const struct nspi_row *row)
{
    wire_put_u32(out, (uint32_t)row->n);
    for (size_t i = 0; i < row->n; i++)
        value_put_tagged(out, form, &row->values[i]);
}

static void put_lists(struct buf *out, const struct value_form *form, const struct nspi_response *r)
{
    wire_put_u32(out, (uint32_t)r->n_rows);
    for (size_t i = 0; i < r->n_rows; i++)
        put_values(out, form, &r->rows[i]);
}

static void put_table(struct buf *out, const struct value_form *form, const struct nspi_response *r)
{
    put_numbers(out, &r->columns);
    wire_put_u32(out, (uint32_t)r->n_rows);
    for (size_t i = 0; i < r->n_rows; i++)
        row_put(out, form, r->columns.items, r->columns.n, r->rows[i].values);
}

static bool put_plain(struct buf *out, char field, const struct nspi_response *r)
{
    switch (field) {
    case 'g':
        buf_put(out, slice_of(r->guid, 16));
        return true;
    case 'p':
        wire_put_u32(out, r->codepage);
        return true;
    case 'n':
        wire_put_u32(out, r->number);
        return true;
    case 'u':
        wire_put_usz(out, r->url);
        return true;
    default:
        return false;
    }
}

static bool is_there(char field, const struct nspi_response *r)
{
    switch (field) {
    case 's':
        return r->has_state;
    case 'v':
        return r->has_version;
    case 'm':
        return r->has_mids;
    case 't':
        return r->has_tags;
    case 'd':
        return r->has_delta;
    default:
        return r->has_rows;
    }
}

static void put_optional(struct buf *out, char field, const struct nspi_response *r)
{
    struct value_form form = nspi_form(r->codepage);

    switch (field) {
    case 's':
        put_stat(out, &r->state);
        break;
    case 'v':
        wire_put_u32(out, r->version);
        break;
    case 'm':
        put_numbers(out, &r->mids);
        break;
    case 't':
        put_numbers(out, &r->tags);
        break;
    case 'd':
        wire_put_u32(out, (uint32_t)r->delta);
        break;
    case 'l':
        put_values(out, &form, &r->rows[0]);
        break;
    case 'L':
        put_lists(out, &form, r);
        break;
    case 'C':
        put_table(out, &form, r);
        break;
    }
}

void nspi_response_put(struct buf *out, const char *layout, uint32_t error_code,
                       const struct nspi_response *response)
{
    wire_put_u32(out, 0); /* StatusCode */
    wire_put_u32(out, error_code);
    for (const char *field = layout; *field; field++) {
        if (put_plain(out, *field, response))
            continue;
        bool there = is_there(*field, response);
        wire_put_u8(out, there ? THERE : 0);
        if (there)
            put_optional(out, *field, response);
    }
    wire_put_u32(out, 0); /* AuxiliaryBufferSize */
}

/* ---- sizes ---- */

/* Type, flag and mark, and UTF-16 of what is UTF-8. */
static size_t value_size(const struct prop *p)
{
    enum { HEAD = 16 };
    uint16_t type = prop_type(p->tag);
    size_t size = HEAD;

    if (type == PROP_STRING || type == PROP_STRING8 || type == PROP_BINARY)
        return size + 2 * p->value.bytes.len;
    if (type & PROP_MULTIPLE)
        for (size_t i = 0; i < p->value.many.n; i++)
            size += HEAD + 2 * p->value.many.items[i].bytes.len;
    return size;
}

size_t nspi_row_size(const struct nspi_row *row)
{
    size_t size = 8;

    for (size_t i = 0; i < row->n; i++)
        size += value_size(&row->values[i]);
    return size;
}
