/* receipt.c - receipts are the transport's affair. */
#include "protocols/mapi/receipt.h"

#include "protocols/mapi/context.h"

struct receipts {
    struct mapi_mail mail;
    struct rop_call *call;
    struct uidset uids;
    uint32_t (*then)(struct rop_call *call);
};

/* That none was sent is no failure of what asked for it. */
static void on_done(struct mapi_mail *mail)
{
    struct receipts *r = mail->owner;

    uidset_done(&r->uids);
    rop_resume(r->call, r->then(r->call));
}

uint32_t mapi_receipts(struct rop_call *call, enum mapi_mail_task task, uint64_t fid,
                       const struct uidset *uids, uint32_t (*then)(struct rop_call *call))
{
    struct mapi_transport *transport = call->mapi->config.transport;

    if (!call->logon->owner || !transport || uids->n == 0)
        return then(call);
    struct receipts *r = arena_alloc(call->arena, sizeof *r);
    *r = (struct receipts){
        .mail = {.task = task,
                 .home = call->home,
                 .done = on_done,
                 .owner = r,
                 .mailbox_id = call->context->mailbox_id,
                 .fid = fid,
                 .uids = &r->uids,
                 .identity = arena_slice(call->arena, slice_str(call->logon->identity))},
        .call = call,
        .then = then,
    };
    uidset_copy(&r->uids, uids);
    transport->ask(transport, &r->mail);
    return ROP_PENDING;
}
