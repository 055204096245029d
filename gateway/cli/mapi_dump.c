/* mapi_dump.c - fields by their kinds, and events. */
#include "gateway/cli/mapi_dump.h"

#include "protocols/mapi/notification.h"

enum { WIDTH = 200, ROP_TOO_SMALL = 0xFF };

/* C0 and C1 controls, and the marks that turn the direction of text around (UAX #9). */
static bool is_control(uint32_t c)
{
    return c < ' ' || (c >= 0x7F && c < 0xA0) || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069);
}

void mapi_dump_text(FILE *out, struct slice text, size_t width)
{
    struct buf printed = buf_make(8 * width + 64);

    for (size_t n = 0; text.len && n < width; n++) {
        uint32_t c = utf8_take(&text);

        if (!is_control(c) || c == '\t')
            utf8_put(&printed, c);
        else
            buf_printf(&printed, "\\u%04x", c);
    }
    if (text.len)
        buf_puts(&printed, "…");
    fwrite(buf_slice(&printed).ptr, 1, buf_slice(&printed).len, out);
    buf_done(&printed);
}

static void dump_bytes(FILE *out, struct slice bytes)
{
    fprintf(out, "%zu bytes", bytes.len);
    for (size_t i = 0; i < bytes.len && i < WIDTH; i++)
        fprintf(out, "%s%02x", i ? "" : " ", bytes.ptr[i]);
    if (bytes.len > WIDTH)
        fputs("…", out);
}

static void dump_tag(FILE *out, uint32_t tag)
{
    const char *name = prop_name(tag);

    if (name)
        fputs(name, out);
    else
        fprintf(out, "0x%08X", tag);
}

static void dump_tags(FILE *out, const struct rop_numbers *tags, bool named)
{
    for (size_t i = 0; i < tags->n; i++) {
        fputs(i ? " " : "", out);
        if (named)
            dump_tag(out, tags->items[i]);
        else
            fprintf(out, "0x%08X", tags->items[i]);
    }
}

static void dump_props(FILE *out, const struct rop_props *props)
{
    for (size_t i = 0; i < props->n; i++) {
        const struct prop *p = &props->items[i];
        struct buf printed = buf_make(1 << 14);

        fputs("\n    ", out);
        dump_tag(out, p->tag);
        prop_print(prop_type(p->tag), &p->value, WIDTH, &printed);
        fprintf(out, " = %.*s", SLICE_ARG(buf_slice(&printed)));
        buf_done(&printed);
    }
}

static void dump_problems(FILE *out, const struct rop_problems *problems)
{
    fprintf(out, "%zu", problems->n);
    for (size_t i = 0; i < problems->n; i++) {
        fprintf(out, "\n    %u ", problems->items[i].index);
        dump_tag(out, problems->items[i].tag);
        fprintf(out, " 0x%08X", problems->items[i].error);
    }
}

static void dump_numbers(FILE *out, const struct rop_field *f, const void *at)
{
    switch (f->kind) {
    case ROP_KIND_u8:
    case ROP_KIND_wide:
        fprintf(out, "0x%02X", *(const uint8_t *)at);
        break;
    case ROP_KIND_u16:
    case ROP_KIND_events:
        fprintf(out, "0x%04X", *(const uint16_t *)at);
        break;
    case ROP_KIND_u32:
    case ROP_KIND_read_size:
        fprintf(out, "0x%08X", *(const uint32_t *)at);
        break;
    case ROP_KIND_i32:
        fprintf(out, "%d", *(const int32_t *)at);
        break;
    default:
        fprintf(out, "%016llX", (unsigned long long)*(const uint64_t *)at);
    }
}

static void dump_ids(FILE *out, const uint64_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%s%016llX", i ? " " : "", (unsigned long long)ids[i]);
}

static void dump_field(FILE *out, const struct rop_field *f, const void *at)
{
    fprintf(out, "  %s ", f->name);
    switch (f->kind) {
    case ROP_KIND_u8:
    case ROP_KIND_wide:
    case ROP_KIND_u16:
    case ROP_KIND_events:
    case ROP_KIND_u32:
    case ROP_KIND_read_size:
    case ROP_KIND_i32:
    case ROP_KIND_u64:
    case ROP_KIND_counter:
        dump_numbers(out, f, at);
        break;
    case ROP_KIND_guid:
        dump_bytes(out, slice_of(at, sizeof(struct rop_guid)));
        break;
    case ROP_KIND_folder_ids:
        dump_ids(out, ((const struct rop_folder_ids *)at)->ids, ROP_FOLDER_IDS);
        break;
    case ROP_KIND_ids:
        dump_ids(out, ((const struct rop_ids *)at)->items, ((const struct rop_ids *)at)->n);
        break;
    case ROP_KIND_text:
    case ROP_KIND_asz:
    case ROP_KIND_text16:
    case ROP_KIND_typed:
        mapi_dump_text(out, *(const struct slice *)at, WIDTH);
        break;
    case ROP_KIND_bin16:
    case ROP_KIND_row:
        dump_bytes(out, *(const struct slice *)at);
        break;
    case ROP_KIND_tags:
    case ROP_KIND_numbers:
        dump_tags(out, at, f->kind == ROP_KIND_tags);
        break;
    case ROP_KIND_props:
    case ROP_KIND_sized_props:
        dump_props(out, at);
        break;
    case ROP_KIND_problems:
        dump_problems(out, at);
        break;
    case ROP_KIND_rows16:
    case ROP_KIND_rows32:
    case ROP_KIND_open_rows:
    case ROP_KIND_read_rows:
        fprintf(out, "%zu rows, ", ((const struct rop_rows *)at)->n);
        dump_bytes(out, ((const struct rop_rows *)at)->bytes);
        break;
    default:
        fputs("(see the bytes)", out);
    }
    fputc('\n', out);
}

static bool is_there(const struct rop_field *f, const uint8_t *fields)
{
    if (f->presence == FIELD_ALWAYS)
        return true;
    return (fields[f->condition] != 0) == (f->presence == FIELD_IF);
}

static void dump_fields(FILE *out, const struct rop_field *list, size_t n, const void *fields)
{
    for (size_t i = 0; fields && i < n; i++)
        if (is_there(&list[i], fields))
            dump_field(out, &list[i], (const uint8_t *)fields + list[i].offset);
}

/* ---- requests and responses ---- */

bool mapi_dump_requests(FILE *out, struct slice rops, const struct value_form *form,
                        struct arena *in)
{
    struct wire w = wire_of(rops, in);
    struct rop_request rq;

    while (w.rest.len) {
        if (failed(rop_request_read(&w, form, &rq)))
            return false;
        fprintf(out, "> %s [MS-OXCROPS] %s, logon %u, in %d, out %d\n", rq.def->name,
                rq.def->section, rq.logon, (int8_t)rq.in, (int8_t)rq.out);
        dump_fields(out, rq.def->request, rq.def->n_request, rq.fields);
    }
    return true;
}

/* The columns that rows of the next responses have: those that were asked for last. */
static void note_columns(const struct rop_request *rq, struct rop_numbers *columns)
{
    if (rq->def->id == ROP_SetColumns)
        *columns = ((const struct rop_set_columns *)rq->fields)->columns;
    if (rq->def->id == ROP_GetPropertiesSpecific)
        *columns = ((const struct rop_get_properties *)rq->fields)->tags;
}

static bool dump_response(FILE *out, struct wire *w, const struct value_form *form,
                          const struct rop_numbers *columns)
{
    struct rop_response r;

    if (failed(rop_response_read(w, form, columns, &r)))
        return false;
    fprintf(out, "< %s handle %u, 0x%08X\n", r.def->name, r.handle, r.error);
    dump_fields(out, r.def->response, r.def->n_response, r.fields);
    return true;
}

static bool is_extra(uint8_t rop)
{
    return rop == ROP_NOTIFY || rop == ROP_PENDING_NOTIFICATIONS || rop == ROP_TOO_SMALL;
}

bool mapi_dump_responses(FILE *out, struct slice requests, struct slice responses,
                         const struct value_form *form, struct arena *in)
{
    struct wire asked = wire_of(requests, in), w = wire_of(responses, in);
    struct rop_numbers columns = {0};
    struct rop_request rq;

    while (asked.rest.len && w.rest.len && !is_extra(*w.rest.ptr)) {
        if (failed(rop_request_read(&asked, form, &rq)))
            return false;
        note_columns(&rq, &columns);
        if (rq.def->form != FORM_NONE && !dump_response(out, &w, form, &columns))
            return false;
    }
    if (w.rest.len) {
        fputs("< behind them: ", out);
        dump_bytes(out, w.rest);
        fputc('\n', out);
    }
    return true;
}

/* ---- events ([MS-OXCNOTIF] 2.2.1.4.1.2) ---- */

static const char *event_name(uint16_t flags)
{
    static const struct {
        uint16_t kind;
        const char *name;
    } names[] = {
        {NOTIFY_NEW_MAIL, "new-mail"},
        {NOTIFY_CREATED, "created"},
        {NOTIFY_DELETED, "deleted"},
        {NOTIFY_MODIFIED, "modified"},
        {NOTIFY_MOVED, "moved"},
        {NOTIFY_COPIED, "copied"},
        {NOTIFY_SEARCH_COMPLETE, "search-complete"},
        {NOTIFY_TABLE, "table"},
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if ((flags & NOTIFY_KINDS) == names[i].kind)
            return names[i].name;
    return NULL;
}

/* What is not told of is 0, and no id is. */
static void dump_id(FILE *out, const char *name, uint64_t id)
{
    if (id)
        fprintf(out, " %s %016llX", name, (unsigned long long)id);
}

static void dump_event(FILE *out, const struct rop_notification *n)
{
    fputs(event_name(n->flags), out);
    if (n->flags & NOTIFY_TABLE)
        fprintf(out, " %u", n->table_event);
    dump_id(out, "folder", n->fid ? n->fid : n->row.fid);
    dump_id(out, "message", n->mid ? n->mid : n->row.mid);
    dump_id(out, "parent", n->parent);
    dump_id(out, "from", n->old_fid);
    dump_id(out, "old", n->old_mid);
    dump_id(out, "old-parent", n->old_parent);
    if (n->flags & NOTIFY_HAS_TOTAL)
        fprintf(out, " total %u", n->total);
    if (n->flags & NOTIFY_HAS_UNREAD)
        fprintf(out, " unread %u", n->unread);
    if (n->flags & NOTIFY_NEW_MAIL) {
        fputs(" class ", out);
        mapi_dump_text(out, n->class, WIDTH);
    }
    fputc('\n', out);
}

size_t mapi_dump_events(FILE *out, struct slice events)
{
    struct arena arena = ARENA_INIT;
    struct wire w = wire_of(events, &arena);
    struct rop_notification notification;
    size_t n = 0;

    while (w.rest.len && rop_notification_read(&w, &notification) &&
           event_name(notification.flags)) {
        dump_event(out, &notification);
        n++;
    }
    arena_done(&arena);
    fflush(out);
    return n;
}
