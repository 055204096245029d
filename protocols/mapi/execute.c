/*
 * execute.c - one operation after the other.
 *
 * The response may never be longer than the client allows, and what has been done cannot be taken
 * back. So an operation is begun only where there is room for its answer, and behind that for
 * either the answers of all that follow or a RopBufferTooSmall that gives those back
 * ([MS-OXCROPS] 3.2.4.3).
 */
#include "protocols/mapi/execute.h"

#include "base/mem.h"
#include "protocols/mapi/frame.h"
#include "protocols/mapi/notification.h"

enum {
    MAX_BUFFER = 0x40000, /* [MS-OXCRPC] 3.1.4.2, in and out */
    HEAD = 6,             /* RopId, HandleIndex, ReturnValue */
    TOO_SMALL_HEAD = 3,   /* RopId, SizeNeeded */
    PENDING_SIZE = 3,     /* RopPending */
    NO_HANDLE = 0xFFFFFFFF,
    SMALL_ROOM = 64, /* of a response with lists that is not told otherwise */
    ROP_BUFFER_TOO_SMALL = 0xFF,
};

/* ---- what was sent ---- */

static void read_handles(struct mapi_execute *ex, struct wire *w)
{
    ex->n_handles = w->rest.len / 4;
    ex->handles = arena_array(&ex->arena, ex->n_handles + 1, sizeof *ex->handles);
    for (size_t i = 0; i < ex->n_handles; i++)
        ex->handles[i] = wire_u32(w);
}

static bool read_requests(struct mapi_execute *ex)
{
    struct wire w = wire_of(ex->rops, &ex->arena);
    size_t cap = 0;

    while (w.rest.len > 0) {
        if (ex->n == cap) {
            ex->requests =
                arena_grow(&ex->arena, ex->requests, ex->n, cap + 16, sizeof *ex->requests);
            ex->ends = arena_grow(&ex->arena, ex->ends, ex->n, cap + 16, sizeof *ex->ends);
            cap += 16;
        }
        if (failed(rop_request_read(&w, &ex->call.form, &ex->requests[ex->n])))
            return false;
        ex->ends[ex->n++] = ex->rops.len - w.rest.len;
    }
    return true;
}

/* RopSize counts itself ([MS-OXCROPS] 2.2.1). */
static bool read_all(struct mapi_execute *ex)
{
    struct slice payload;

    if (failed(frame_read(ex->in, &ex->arena, &payload)))
        return false;
    struct wire w = wire_of(payload, &ex->arena);
    uint16_t size = wire_u16(&w);
    if (w.failed || size < 2)
        return false;
    ex->rops = wire_bytes(&w, size - 2u);
    if (w.failed || w.rest.len % 4 != 0)
        return false;
    read_handles(ex, &w);
    return read_requests(ex);
}

/* ---- room ---- */

static size_t fixed_size(enum rop_kind kind)
{
    switch (kind) {
    case ROP_KIND_u8:
        return 1;
    case ROP_KIND_u16:
        return 2;
    case ROP_KIND_u32:
    case ROP_KIND_i32:
        return 4;
    case ROP_KIND_u64:
        return 8;
    case ROP_KIND_counter:
        return 6;
    case ROP_KIND_guid:
        return 16;
    case ROP_KIND_long_id:
        return 24;
    case ROP_KIND_folder_ids:
        return 8 * ROP_FOLDER_IDS;
    default:
        return SMALL_ROOM;
    }
}

/* What the fields of its response take, or may take at least. */
static size_t room_of(const struct mapi_execute *ex, const struct rop_request *rq)
{
    const struct rop_handler *h = ex->call.mapi->handlers[rq->def->id];
    size_t room = 4; /* DestHandleIndex */

    if (h && h->room)
        return h->room;
    for (size_t i = 0; i < rq->def->n_response; i++)
        room += fixed_size(rq->def->response[i].kind);
    return room;
}

/* RopBufferTooSmall that gives back the requests from `i` on. */
static size_t giving_back(const struct mapi_execute *ex, size_t i)
{
    return i == ex->n ? 0 : TOO_SMALL_HEAD + ex->rops.len - (i ? ex->ends[i - 1] : 0);
}

/* For the requests from each on: room for their answers, or to give them back. */
static void reckon_reserves(struct mapi_execute *ex)
{
    ex->reserves = arena_array(&ex->arena, ex->n + 1, sizeof *ex->reserves);
    for (size_t i = ex->n; i-- > 0;) {
        const struct rop_request *rq = &ex->requests[i];
        size_t answers = ex->reserves[i + 1];
        size_t back = giving_back(ex, i);

        if (rq->def->form != FORM_NONE)
            answers += HEAD + room_of(ex, rq);
        ex->reserves[i] = answers < back ? answers : back;
    }
}

static bool has_room(struct mapi_execute *ex)
{
    const struct rop_request *rq = &ex->requests[ex->at];
    size_t used = ex->list.len + HEAD + ex->reserves[ex->at + 1];

    ex->call.room = used < ex->most ? ex->most - used : 0;
    return rq->def->form == FORM_NONE || (used <= ex->most && ex->call.room >= room_of(ex, rq));
}

/* ---- handles ---- */

static uint32_t find_object(const struct mapi_execute *ex, uint8_t index, uint8_t logon,
                            struct mapi_object **out)
{
    struct mapi_object *object = NULL;

    if (index >= ex->n_handles)
        return EC_NULL_OBJECT;
    switch (object_find(ex->context, ex->handles[index], &object)) {
    case HANDLE_NEVER:
        return EC_NULL_OBJECT;
    case HANDLE_RELEASED:
        return EC_INVALID_OBJECT;
    case HANDLE_OPEN:
        break;
    }
    if (object->logon->id != logon)
        return EC_ACCESS_DENIED; /* [MS-OXCROPS] 3.2.5.4 */
    *out = object;
    return EC_SUCCESS;
}

static bool opens(const struct rop_def *def)
{
    return def->head == HEAD_IN_OUT || def->head == HEAD_OUT;
}

/* Its output, whose entry is none until the operation has opened something. */
static uint32_t clear_output(struct mapi_execute *ex, const struct rop_request *rq)
{
    if (!opens(rq->def))
        return EC_SUCCESS;
    if (rq->out >= ex->n_handles)
        return EC_NULL_OBJECT;
    ex->handles[rq->out] = NO_HANDLE;
    return EC_SUCCESS;
}

static uint32_t find_dest(struct mapi_execute *ex, const struct rop_handler *h)
{
    struct rop_call *call = &ex->call;
    const struct rop_request *rq = call->rq;

    if (rq->def->head != HEAD_SOURCE_DEST)
        return EC_SUCCESS;
    uint32_t ec = find_object(ex, rq->out, rq->logon, &call->dest);
    if (ec) /* all handles are of the operation's log-on (3.2.5.1, 3.2.5.4) */
        return ec == EC_ACCESS_DENIED ? ec : EC_DEST_NULL_OBJECT;
    return h->dest & call->dest->kind ? EC_SUCCESS : h->wrong;
}

static uint32_t find_objects(struct mapi_execute *ex, const struct rop_handler *h)
{
    struct rop_call *call = &ex->call;
    const struct rop_request *rq = call->rq;

    if (rq->def->head == HEAD_OUT)
        return clear_output(ex, rq);
    uint32_t ec = find_object(ex, rq->in, rq->logon, &call->object);
    uint32_t out_ec = clear_output(ex, rq);
    if (ec || out_ec)
        return ec ? ec : out_ec;
    call->logon = call->object->logon;
    if (!(h->on & call->object->kind))
        return h->wrong;
    return find_dest(ex, h);
}

static void end_release(struct mapi_execute *ex)
{
    if (ex->releasing)
        object_release(ex->releasing);
    ex->releasing = NULL;
}

/* All that is wrong with it is nobody's business (3.2.5.3). */
static uint32_t release(struct mapi_execute *ex, const struct rop_request *rq)
{
    struct mapi_object *object = NULL;

    if (find_object(ex, rq->in, rq->logon, &object))
        return EC_SUCCESS;
    ex->handles[rq->in] = NO_HANDLE;
    ex->call.logon = object->logon;
    ex->releasing = object;
    return object->released ? object->released(&ex->call, object) : EC_SUCCESS;
}

/* ---- one operation ---- */

static uint32_t start(struct mapi_execute *ex)
{
    struct rop_call *call = &ex->call;
    const struct rop_request *rq = &ex->requests[ex->at];
    const struct rop_handler *h = call->mapi->handlers[rq->def->id];

    call->rq = rq;
    call->fields = rq->fields;
    call->reply = arena_alloc(&ex->arena, rq->def->response_size + 1);
    call->state = NULL;
    call->object = call->dest = NULL;
    call->logon = NULL;
    call->first = ex->at == 0;
    ex->worked_on = rq->in < ex->n_handles ? ex->handles[rq->in] : NO_HANDLE;
    call->may_give_back = !call->first && ex->list.len + giving_back(ex, ex->at) <= ex->most;
    if (rq->def->id == ROP_Release)
        return release(ex, rq);
    if (!h)
        return EC_NOT_IMPLEMENTED;
    uint32_t ec = find_objects(ex, h);
    return ec ? ec : h->run(call);
}

/* Names, handles and codes: nothing that a client says or is told. */
static void log_operation(const struct mapi_execute *ex, uint32_t ec)
{
    const struct rop_request *rq = ex->call.rq;
    uint32_t opened = opens(rq->def) && !ec ? ex->handles[rq->out] : NO_HANDLE;
    uint32_t in = rq->def->head == HEAD_OUT ? NO_HANDLE : ex->worked_on;
    const char *name = mapi_ec_name(ec);
    char code[16];

    if (!ex->log || ex->log->least > LOG_LEVEL_DEBUG)
        return;
    snprintf(code, sizeof code, "0x%08X", (unsigned)ec);
    log_event(ex->log, LOG_LEVEL_DEBUG, "mapi.rop", log_str("session", ex->session),
              log_str("name", rq->def->name), log_number("logon", rq->logon),
              log_number("in", in == NO_HANDLE ? 0 : in),
              log_number("out", opened == NO_HANDLE ? 0 : opened),
              log_str("code", name ? name : code));
}

static void answer(struct mapi_execute *ex, uint32_t ec)
{
    struct rop_call *call = &ex->call;
    const struct rop_request *rq = call->rq;
    struct rop_response response = {
        .def = rq->def,
        .handle = rq->answer,
        .error = ec,
        .dest = rq->out,
        .fields = call->reply,
    };
    size_t before = ex->list.len;

    end_release(ex);
    rop_response_put(&ex->list, &call->form, &response);
    if (ex->list.failed || ex->list.len - before > call->room + HEAD) {
        /* What a client asked for can never be answered. */
        ex->list.failed = false;
        buf_truncate(&ex->list, before);
        response.error = EC_BUFFER_TOO_SMALL;
        response.fields = NULL;
        rop_response_put(&ex->list, &call->form, &response);
    }
    log_operation(ex, response.error);
    if (call->status) {
        ex->status = call->status;
        ex->stopped = true;
    }
    ex->stopped = ex->stopped || call->stop;
    ex->at++;
}

/* ---- all of them ---- */

static void put_too_small(struct mapi_execute *ex)
{
    size_t done = ex->at ? ex->ends[ex->at - 1] : 0;
    size_t needed = HEAD + room_of(ex, &ex->requests[ex->at]);

    if (ex->at == 0 && giving_back(ex, 0) > ex->most) {
        ex->status = EC_BUFFER_TOO_SMALL;
        return;
    }
    wire_put_u8(&ex->list, ROP_BUFFER_TOO_SMALL);
    wire_put_u16(&ex->list, (uint16_t)(needed + ex->list.len));
    buf_put(&ex->list, slice_from(ex->rops, done));
}

static void put_notifications(struct mapi_execute *ex)
{
    size_t room = ex->most > ex->list.len ? ex->most - ex->list.len : 0;

    if (room < PENDING_SIZE)
        return;
    if (mapi_notify_put(ex->context, &ex->list, room - PENDING_SIZE, &ex->arena)) {
        wire_put_u8(&ex->list, ROP_PENDING_NOTIFICATIONS);
        wire_put_u16(&ex->list, 0); /* SessionIndex: there is one */
    }
}

static void put_payload(struct mapi_execute *ex)
{
    struct buf payload = buf_make(FRAME_PAYLOAD_MAX);

    wire_put_u16(&payload, (uint16_t)(ex->list.len + 2));
    buf_put(&payload, buf_slice(&ex->list));
    for (size_t i = 0; i < ex->n_handles; i++)
        wire_put_u32(&payload, ex->handles[i]);
    frame_put(&ex->out, buf_slice(&payload));
    buf_done(&payload);
}

static void finish(struct mapi_execute *ex)
{
    if (!ex->status && !ex->ec) {
        put_notifications(ex);
        put_payload(ex);
    }
    buf_done(&ex->list);
    arena_done(&ex->arena);
    ex->done(ex);
}

static void run(struct mapi_execute *ex)
{
    while (ex->at < ex->n && !ex->stopped) {
        if (!has_room(ex)) {
            put_too_small(ex);
            break;
        }
        uint32_t ec = start(ex);
        if (ec == ROP_PENDING)
            return;
        if (ec == ROP_GIVE_BACK) {
            put_too_small(ex);
            break;
        }
        answer(ex, ec);
    }
    finish(ex);
}

static uint32_t check_sizes(const struct mapi_execute *ex, uint32_t *status)
{
    if (ex->in.len > MAX_BUFFER || ex->max_out > MAX_BUFFER)
        *status = EC_BAD_STUB_DATA;
    return ex->in.len < FRAME_HEADER || ex->max_out < FRAME_HEADER ? EC_RPC_FAILED : EC_SUCCESS;
}

void mapi_execute_start(struct mapi_execute *ex)
{
    ex->out = buf_make(MAX_BUFFER);
    ex->list = buf_make(FRAME_PAYLOAD_MAX);
    ex->call.context = ex->context;
    ex->call.mapi = ex->context->mapi;
    ex->call.arena = &ex->arena;
    ex->call.home = ex->home;
    ex->call.now = ex->now;
    ex->call.form = (struct value_form){.codepage = ex->context->codepage};
    ex->ec = check_sizes(ex, &ex->status);
    if (!ex->ec && !ex->status && !read_all(ex))
        ex->ec = EC_RPC_FORMAT;
    if (!ex->ec && !ex->status) {
        size_t most = ex->max_out < FRAME_HEADER + FRAME_PAYLOAD_MAX
                          ? ex->max_out
                          : FRAME_HEADER + FRAME_PAYLOAD_MAX;
        size_t frame = FRAME_HEADER + 2 + 4 * ex->n_handles;

        if (most < frame)
            ex->status = EC_BUFFER_TOO_SMALL;
        else
            ex->most = most - frame;
    }
    if (!ex->ec && !ex->status)
        reckon_reserves(ex);
    if (ex->ec || ex->status)
        finish(ex);
    else
        run(ex);
}

/* ---- what operations ask ---- */

static struct mapi_execute *execute_of(struct rop_call *call)
{
    return container_of(call, struct mapi_execute, call);
}

void rop_resume(struct rop_call *call, uint32_t ec)
{
    if (ec == ROP_PENDING)
        return;
    answer(execute_of(call), ec);
    run(execute_of(call));
}

static void on_stored(struct store_op *op)
{
    struct rop_call *call = op->owner;

    rop_resume(call, call->then ? call->then(call, op) : mapi_ec_of(op->err));
}

uint32_t rop_submit(struct rop_call *call, struct mailbox *mailbox, struct store_op *op,
                    uint32_t (*then)(struct rop_call *call, struct store_op *op))
{
    op->home = call->home;
    op->done = on_stored;
    op->owner = call;
    call->then = then;
    store_submit(mailbox, op);
    return ROP_PENDING;
}

static void on_turn(struct task *task)
{
    struct rop_call *call = container_of(task, struct rop_call, task);

    rop_resume(call, call->go_on(call));
}

uint32_t rop_later(struct rop_call *call, uint32_t (*go_on)(struct rop_call *call))
{
    call->go_on = go_on;
    call->task.run = on_turn;
    executor_post(call->home, &call->task);
    return ROP_PENDING;
}

uint32_t rop_open(struct rop_call *call, struct mapi_object *object, struct mapi_object *parent)
{
    struct mapi_execute *ex = execute_of(call);
    struct mapi_logon *logon =
        object->kind == MAPI_LOGON ? (struct mapi_logon *)object : call->logon;
    struct mapi_object *above = object->kind == MAPI_LOGON ? NULL
                                : parent                   ? parent
                                                           : &logon->object;
    uint32_t ec = object_add(call->context, object, logon, above);

    if (ec) {
        object->free(object);
        return ec;
    }
    ex->handles[call->rq->out] = object->handle;
    return EC_SUCCESS;
}

uint32_t rop_read(struct rop_call *call, struct store_read **rd)
{
    return mapi_ec_of(store_read_begin(call->logon->mailbox, rd));
}

uint32_t rop_counter(uint64_t wire_id, uint64_t *counter)
{
    return mapi_id_counter(wire_id, counter) ? EC_SUCCESS : EC_NOT_FOUND;
}
