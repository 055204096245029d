/* rop.c - the table of operations; requests and responses by it. */
#include "protocols/mapi/rop.h"

#include "protocols/mapi/rop_field.h"

/* ---- the table ---- */

#define FIELD(s, kind, Name, member) {#Name, ROP_KIND_##kind, offsetof(s, member), FIELD_ALWAYS, 0},
#define FIELD_WHEN(s, condition, kind, Name, member, presence)                                     \
    {#Name, ROP_KIND_##kind, offsetof(s, member), presence, offsetof(s, condition)},
#define IF(s, condition, kind, Name, member) FIELD_WHEN(s, condition, kind, Name, member, FIELD_IF)
#define UNLESS(s, condition, kind, Name, member)                                                   \
    FIELD_WHEN(s, condition, kind, Name, member, FIELD_UNLESS)

/* The last one is nobody's: an array in C has one member at least. */
#define ROP_FIELDS(id, Name, name, head, form, section)                                            \
    static const struct rop_field name##_request[] = {                                             \
        REQUEST_##Name(FIELD, IF, UNLESS, struct rop_##name){0}};                                  \
    static const struct rop_field name##_response[] = {                                            \
        RESPONSE_##Name(FIELD, IF, UNLESS, struct rop_##name##_reply){0}};
ROPS(ROP_FIELDS)

#define COUNT(list) (sizeof(list) / sizeof *(list))

const struct rop_def rop_defs[] = {
#define ROP_ROW(id, Name, name, head, form, section)                                               \
    {id,                                                                                           \
     "Rop" #Name,                                                                                  \
     head,                                                                                         \
     form,                                                                                         \
     section,                                                                                      \
     name##_request,                                                                               \
     name##_response,                                                                              \
     COUNT(name##_request) - 1,                                                                    \
     COUNT(name##_response) - 1,                                                                   \
     sizeof(struct rop_##name),                                                                    \
     sizeof(struct rop_##name##_reply)},
    ROPS(ROP_ROW)
#undef ROP_ROW
};

const size_t rop_n_defs = COUNT(rop_defs);

enum rop_place {
#define ROP_PLACE(id, Name, name, head, form, section) PLACE_##Name,
    ROPS(ROP_PLACE)
#undef ROP_PLACE
};

/* As big as the biggest. */
union rop_any_reply {
#define ROP_REPLY(id, Name, name, head, form, section) struct rop_##name##_reply name;
    ROPS(ROP_REPLY)
#undef ROP_REPLY
};

const struct rop_def *rop_find(uint8_t id)
{
    /* By id; 0 says none, so each is one more than its place. */
    static const uint8_t places[256] = {
#define ROP_PLACE(id, Name, name, head, form, section) [id] = PLACE_##Name + 1,
        ROPS(ROP_PLACE)
#undef ROP_PLACE
    };

    return places[id] ? &rop_defs[places[id] - 1] : NULL;
}

/* ---- fields ---- */

static bool is_there(const struct rop_field *f, const char *structure)
{
    bool condition = f->presence != FIELD_ALWAYS && structure[f->condition] != 0;

    return f->presence == FIELD_ALWAYS || condition == (f->presence == FIELD_IF);
}

static void *read_fields(struct rop_reading *r, const struct rop_field *fields, size_t n,
                         size_t size)
{
    char *structure = arena_alloc(r->w->in, size + 1);

    for (size_t i = 0; i < n && !r->w->failed; i++)
        if (is_there(&fields[i], structure))
            rop_field_read(r, fields[i].kind, structure + fields[i].offset);
    return structure;
}

static void put_fields(struct rop_writing *wr, const struct rop_field *fields, size_t n,
                       const char *structure)
{
    for (size_t i = 0; i < n; i++)
        if (is_there(&fields[i], structure))
            rop_field_put(wr, fields[i].kind, structure + fields[i].offset);
}

/* ---- requests ---- */

enum { NO_INDEX = 0xFF };

static void read_head(struct wire *w, struct rop_request *rq)
{
    uint8_t first = wire_u8(w);
    uint8_t second = rq->def->head == HEAD_IN || rq->def->head == HEAD_OUT ? NO_INDEX : wire_u8(w);

    rq->in = first;
    rq->out = second;
    rq->answer = first;
    switch (rq->def->head) {
    case HEAD_OUT:
        rq->in = NO_INDEX;
        rq->out = first;
        break;
    case HEAD_IN_OUT:
        rq->answer = second;
        break;
    case HEAD_RESPONSE_IN:
        rq->in = second;
        rq->out = NO_INDEX;
        break;
    default:
        break;
    }
}

struct err rop_request_read(struct wire *w, const struct value_form *form, struct rop_request *out)
{
    struct rop_request rq = {.def = rop_find(wire_u8(w))};
    struct rop_reading r = {.w = w, .form = form};

    if (w->failed || !rq.def)
        return ERR(ERR_SYNTAX, "there is no such operation");
    rq.logon = wire_u8(w);
    read_head(w, &rq);
    rq.fields = read_fields(&r, rq.def->request, rq.def->n_request, rq.def->request_size);
    if (w->failed)
        return ERR(ERR_SYNTAX, "an operation is cut short or malformed");
    *out = rq;
    return OK;
}

void rop_request_put(struct buf *out, const struct value_form *form, const struct rop_request *rq)
{
    struct rop_writing wr = {.out = out, .form = form};
    enum rop_head head = rq->def->head;

    wire_put_u8(out, rq->def->id);
    wire_put_u8(out, rq->logon);
    wire_put_u8(out, head == HEAD_OUT ? rq->out : head == HEAD_RESPONSE_IN ? rq->answer : rq->in);
    if (head == HEAD_IN_OUT || head == HEAD_SOURCE_DEST)
        wire_put_u8(out, rq->out);
    else if (head == HEAD_RESPONSE_IN)
        wire_put_u8(out, rq->in);
    put_fields(&wr, rq->def->request, rq->def->n_request, rq->fields);
}

/* ---- responses ---- */

/* Success, or success with a warning ([MS-OXCDATA] 2.4.1). */
static bool has_fields(const struct rop_def *def, uint32_t error)
{
    return error == 0 || error >> 16 == 0x0004 || def->form == FORM_ALWAYS ||
           def->form == FORM_DEST;
}

static bool has_dest(const struct rop_def *def, uint32_t error)
{
    return error == ROP_EC_DEST_NULL_OBJECT &&
           (def->form == FORM_DEST || def->form == FORM_DEST_SUCCESS);
}

/* RopGetMessageStatus is answered under the name of the other one ([MS-OXCROPS] 2.2.6.9.2). */
static uint8_t answering_id(const struct rop_def *def)
{
    return def->id == ROP_GetMessageStatus ? ROP_SetMessageStatus : def->id;
}

static void put_response_fields(struct rop_writing *wr, const struct rop_response *response)
{
    const struct rop_def *def = response->def;
    char none[sizeof(union rop_any_reply)] = {0};

    put_fields(wr, def->response, def->n_response, response->fields ? response->fields : none);
}

void rop_response_put(struct buf *out, const struct value_form *form,
                      const struct rop_response *response)
{
    const struct rop_def *def = response->def;
    struct rop_writing wr = {.out = out, .form = form};

    if (def->form == FORM_NONE)
        return;
    wire_put_u8(out, answering_id(def));
    wire_put_u8(out, response->handle);
    wire_put_u32(out, response->error);
    if (has_dest(def, response->error))
        wire_put_u32(out, response->dest);
    if (has_fields(def, response->error))
        put_response_fields(&wr, response);
}

struct err rop_response_read(struct wire *w, const struct value_form *form,
                             const struct rop_numbers *columns, struct rop_response *out)
{
    struct rop_response response = {.def = rop_find(wire_u8(w))};
    struct rop_reading r = {.w = w, .form = form, .columns = columns};
    const struct rop_def *def = response.def;

    if (w->failed || !def || def->form == FORM_NONE)
        return ERR(ERR_SYNTAX, "there is no such response");
    response.handle = wire_u8(w);
    response.error = wire_u32(w);
    if (has_dest(def, response.error))
        response.dest = wire_u32(w);
    if (has_fields(def, response.error))
        response.fields = read_fields(&r, def->response, def->n_response, def->response_size);
    if (w->failed)
        return ERR(ERR_SYNTAX, "a response is cut short or malformed");
    *out = response;
    return OK;
}
