/* emsmdb.c - the requests of the mailbox endpoint ([MS-OXCMAPIHTTP] 2.2.4, 3.2.5). */
#include <stdlib.h>

#include "base/mem.h"
#include "protocols/mapi/endpoint.h"
#include "protocols/mapi/execute.h"
#include "store/mapi/codepage.h"

enum {
    AUX_MAX = 0x1008, /* [MS-OXCRPC] 3.1.4.2 */
    /* How a client is to poll and to try again; only advice ([MS-OXCRPC] 3.1.4.1). */
    POLLS_MAX_MS = 60000,
    RETRY_COUNT = 6,
    RETRY_DELAY_MS = 10000,
};

static void put_failure(struct mapi_exchange *x, uint32_t status)
{
    wire_put_u32(&x->reply, status);
    wire_put_u32(&x->reply, 0); /* AuxiliaryBufferSize */
    endpoint_answer(x, RESPONSE_OK);
}

/* The auxiliary buffer at the end of every body: nothing in it concerns us. */
enum aux { AUX_IS_FINE, AUX_IS_CUT_SHORT, AUX_IS_TOO_LONG };

static enum aux take_aux(struct wire *w)
{
    uint32_t size = wire_u32(w);

    wire_bytes(w, size);
    if (w->failed)
        return AUX_IS_CUT_SHORT;
    return size > AUX_MAX ? AUX_IS_TOO_LONG : AUX_IS_FINE;
}

static void refuse(struct mapi_exchange *x, enum aux why)
{
    if (why == AUX_IS_TOO_LONG)
        put_failure(x, EC_BAD_STUB_DATA); /* [MS-OXCRPC] 3.1.4.1, 3.1.4.2 */
    else
        endpoint_answer(x, RESPONSE_INVALID_BODY);
}

/* ---- Connect ---- */

/* Whom a UserDN names; without one it is who logged on. */
static uint32_t check_user(struct mapi_exchange *x, struct slice dn, struct mapi_person *self)
{
    struct slice identity = slice_str(x->context->identity);
    struct slice named = mapi_dn_identity(dn);
    struct mapi_person other;

    if (failed(mapi_find_person(x->mapi, identity, &x->arena, self)))
        *self = (struct mapi_person){.identity = identity, .display_name = identity};
    if (dn.len == 0 || slice_ieq(named, identity))
        return EC_SUCCESS;
    if (named.len == 0 || failed(mapi_find_person(x->mapi, named, &x->arena, &other)))
        return EC_UNKNOWN_USER;
    return slice_eq(other.identity, identity) ? EC_SUCCESS : EC_ACCESS_DENIED;
}

static uint32_t check_codepage(uint32_t codepage)
{
    struct slice charset;

    return failed(codepage_charset((int)codepage, &charset)) ? EC_UNKNOWN_CODEPAGE : EC_SUCCESS;
}

static void put_connected(struct mapi_exchange *x, uint32_t ec, const struct mapi_person *self)
{
    struct buf *out = &x->reply;

    wire_put_u32(out, 0);
    wire_put_u32(out, ec);
    wire_put_u32(out, POLLS_MAX_MS);
    wire_put_u32(out, RETRY_COUNT);
    wire_put_u32(out, RETRY_DELAY_MS);
    buf_puts(out, "/o=");
    wire_put_asz(out, slice_str(x->mapi->config.organization));
    wire_put_usz(out, self->display_name);
    wire_put_u32(out, 0);
}

static void run_connect(struct mapi_exchange *x, struct slice body)
{
    struct wire w = wire_of(body, &x->arena);
    struct mapi_person self;
    struct slice dn = wire_asz(&w);

    wire_u32(&w); /* Flags: an administrator's is asked for by clients that are none */
    uint32_t codepage = wire_u32(&w);
    uint32_t lcid = wire_u32(&w);
    wire_u32(&w); /* LcidString */
    enum aux aux = take_aux(&w);
    if (aux) {
        x->ends_context = true;
        refuse(x, aux);
        return;
    }
    uint32_t ec = check_user(x, dn, &self);
    if (!ec)
        ec = check_codepage(codepage);
    x->context->codepage = (int)codepage;
    x->context->lcid = lcid;
    x->ends_context = ec != EC_SUCCESS;
    put_connected(x, ec, &self);
    endpoint_answer(x, RESPONSE_OK);
}

/* ---- Execute ---- */

static void on_executed(struct mapi_execute *ex)
{
    struct mapi_exchange *x = ex->owner;
    struct buf *out = &x->reply;

    context_end(x->context);
    if (ex->status) {
        buf_done(&ex->out);
        put_failure(x, ex->status);
        return;
    }
    wire_put_u32(out, 0);
    wire_put_u32(out, ex->ec);
    wire_put_u32(out, 0); /* Flags */
    wire_put_u32(out, (uint32_t)ex->out.len);
    buf_put(out, buf_slice(&ex->out));
    wire_put_u32(out, 0);
    buf_done(&ex->out);
    endpoint_answer(x, RESPONSE_OK);
}

static void run_execute(struct mapi_exchange *x, struct slice body)
{
    struct mapi_execute *ex = arena_alloc(&x->arena, sizeof *ex);
    struct wire w = wire_of(body, &x->arena);

    wire_u32(&w); /* Flags: what may be left undone is ([MS-OXCRPC] 3.1.4.2) */
    uint32_t size = wire_u32(&w);
    ex->in = wire_bytes(&w, size);
    ex->max_out = wire_u32(&w);
    enum aux aux = take_aux(&w);
    if (aux) {
        context_end(x->context);
        refuse(x, aux);
        return;
    }
    ex->context = x->context;
    ex->home = x->home;
    ex->now = x->began;
    ex->log = http_env(x->http)->log;
    ex->session = arena_str(&x->arena, slice_str(http_env(x->http)->peer->session_id));
    ex->done = on_executed;
    ex->owner = x;
    mapi_execute_start(ex);
}

/* ---- Disconnect, PING ---- */

static void run_disconnect(struct mapi_exchange *x, struct slice body)
{
    struct wire w = wire_of(body, &x->arena);

    /* Without a body it is one as well ([MS-OXCMAPIHTTP] 3.1.5.4). */
    enum aux aux = body.len ? take_aux(&w) : AUX_IS_FINE;
    if (aux) {
        refuse(x, aux);
        return;
    }
    wire_put_u32(&x->reply, 0);
    wire_put_u32(&x->reply, EC_SUCCESS);
    wire_put_u32(&x->reply, 0);
    x->ends_context = true;
    endpoint_answer(x, RESPONSE_OK);
}

static void run_ping(struct mapi_exchange *x, struct slice body)
{
    (void)body;
    endpoint_answer(x, RESPONSE_OK);
}

/* ---- NotificationWait ---- */

/* Counted: a wake that is on its way finds it after the wait has ended. */
struct waiting {
    struct mapi_wait wait;
    struct task task;
    struct executor *home;
    struct mapi_exchange *x; /* NULL: it has ended; on its own thread */
    bool posted;             /* under the context's mutex */
    bool over;               /* likewise: whoever clears `posted` frees it */
};

static void put_waited(struct mapi_exchange *x, uint32_t ec, bool pending)
{
    wire_put_u32(&x->reply, 0);
    wire_put_u32(&x->reply, ec);
    wire_put_u32(&x->reply, pending);
    wire_put_u32(&x->reply, 0);
    endpoint_answer(x, RESPONSE_OK);
}

static void end_wait(struct mapi_exchange *x, bool pending)
{
    struct mapi_context *context = x->context;
    struct waiting *w = x->state;

    x->state = NULL;
    w->x = NULL;
    pthread_mutex_lock(&context->mutex);
    context->wait = NULL;
    w->over = true;
    bool unused = !w->posted;
    pthread_mutex_unlock(&context->mutex);
    if (unused)
        free(w);
    put_waited(x, EC_SUCCESS, pending);
}

static bool is_pending(struct mapi_context *context)
{
    pthread_mutex_lock(&context->mutex);
    bool pending = mapi_notify_is_pending(context);
    pthread_mutex_unlock(&context->mutex);
    return pending;
}

static void on_woken(struct task *task)
{
    struct waiting *w = container_of(task, struct waiting, task);
    struct mapi_exchange *x = w->x;

    if (!x) {
        free(w); /* it was over before this came, and nobody posts any more */
        return;
    }
    pthread_mutex_lock(&x->context->mutex);
    w->posted = false;
    bool pending = mapi_notify_is_pending(x->context);
    pthread_mutex_unlock(&x->context->mutex);
    if (pending)
        end_wait(x, true);
}

static void wake(struct mapi_wait *wait)
{
    struct waiting *w = (struct waiting *)wait;

    if (w->posted)
        return;
    w->posted = true;
    executor_post(w->home, &w->task);
}

/* [MS-OXCRPC] 3.3.4.1: one at a time. */
static bool begin_wait(struct mapi_exchange *x)
{
    struct mapi_context *context = x->context;
    struct waiting *w = mem_new(sizeof *w);

    *w = (struct waiting){.wait.wake = wake, .task.run = on_woken, .home = x->home, .x = x};
    pthread_mutex_lock(&context->mutex);
    bool taken = context->wait != NULL;
    if (!taken)
        context->wait = &w->wait;
    pthread_mutex_unlock(&context->mutex);
    if (taken)
        free(w);
    else
        x->state = w;
    return !taken;
}

static void run_wait(struct mapi_exchange *x, struct slice body)
{
    struct wire w = wire_of(body, &x->arena);

    wire_u32(&w); /* Flags */
    enum aux aux = take_aux(&w);
    if (aux) {
        refuse(x, aux);
        return;
    }
    if (!begin_wait(x)) {
        put_waited(x, EC_REJECTED, false);
        return;
    }
    x->wake_ms = x->began_ms + x->mapi->config.wait_ms;
    if (is_pending(x->context))
        end_wait(x, true);
}

static void stop_waiting(struct mapi_exchange *x)
{
    end_wait(x, false);
}

/* clang-format off */
const struct mapi_operation mapi_emsmdb_operations[] = {
    {"Connect",          NEEDS_NEW,      run_connect,    NULL},
    {"Execute",          NEEDS_SEQUENCE, run_execute,    NULL},
    {"Disconnect",       NEEDS_CONTEXT,  run_disconnect, NULL},
    {"NotificationWait", NEEDS_CONTEXT,  run_wait,       stop_waiting},
    {"PING",             NEEDS_NOTHING,  run_ping,       NULL},
    {.name = NULL},
};
/* clang-format on */
