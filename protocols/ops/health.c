/* health.c - is the server ready for work? */
#include "protocols/ops/ops.h"

bool ops_is_healthy(const struct ops_figures *f)
{
    return !f->draining && !failed(f->store) && f->answering == f->workers;
}

void ops_put_health(const struct ops_figures *f, struct buf *out)
{
    buf_printf(out,
               "{\"status\":\"%s\",\"version\":\"%s\",\"draining\":%s,"
               "\"workers\":%u,\"workers_answering\":%u,\"store\":\"%s\"}\n",
               ops_is_healthy(f) ? "ok" : "unavailable", GATEPOST_VERSION,
               f->draining ? "true" : "false", f->workers, f->answering,
               failed(f->store) ? err_sentence(f->store.code) : "writable");
}
