#include "gateway/cli/probe_sasl.h"

#include <sasl/sasl.h>
#include <stdlib.h>

#include "base/mem.h"

struct probe_sasl {
    sasl_conn_t *conn;
    sasl_callback_t callbacks[4];
    sasl_channel_binding_t binding;
    const struct probe_credentials *credentials;
    const char *mechanism;
    sasl_secret_t *secret;
    bool started;
};

/* libsasl2 keeps callbacks of every type as one type; GCC lets only void (*)(void) pass for any. */
#define CALLBACK(function) ((int (*)(void))(void (*)(void))(function))

struct err probe_sasl_start(void)
{
    return sasl_client_init(NULL) == SASL_OK
               ? OK
               : ERR(ERR_UNAVAILABLE, "libsasl2's client cannot be started");
}

void probe_sasl_stop(void)
{
    sasl_client_done();
}

static int tell_name(void *context, int id, const char **result, unsigned *len)
{
    const struct probe_sasl *s = context;

    (void)id;
    *result = s->credentials->name;
    if (len)
        *len = (unsigned)strlen(*result);
    return SASL_OK;
}

static int tell_secret(sasl_conn_t *conn, void *context, int id, sasl_secret_t **result)
{
    struct probe_sasl *s = context;

    (void)conn, (void)id;
    *result = s->secret;
    return SASL_OK;
}

/* The authorization identity is that of the name: none is sent. */
static int tell_nobody(void *context, int id, const char **result, unsigned *len)
{
    (void)context, (void)id;
    *result = "";
    if (len)
        *len = 0;
    return SASL_OK;
}

static sasl_secret_t *secret_new(struct slice secret)
{
    sasl_secret_t *s = mem_new(sizeof *s + secret.len + 1);

    s->len = secret.len;
    if (secret.len)
        memcpy(s->data, secret.ptr, secret.len);
    return s;
}

static void bind(struct probe_sasl *s)
{
    const struct probe_credentials *c = s->credentials;

    if (!c->binding_type)
        return;
    s->binding = (sasl_channel_binding_t){
        .name = c->binding_type,
        .critical = 1,
        .len = c->binding.len,
        .data = c->binding.ptr,
    };
    sasl_setprop(s->conn, SASL_CHANNEL_BINDING, &s->binding);
}

struct err probe_sasl_new(const char *service, const char *mechanism,
                          const struct probe_credentials *credentials, struct probe_sasl **out)
{
    const sasl_security_properties_t properties = {.security_flags = SASL_SEC_NOANONYMOUS};
    struct probe_sasl *s = mem_new(sizeof *s);

    s->credentials = credentials;
    s->mechanism = mechanism;
    s->secret = secret_new(credentials->secret);
    s->callbacks[0] = (sasl_callback_t){SASL_CB_AUTHNAME, CALLBACK(tell_name), s};
    s->callbacks[1] = (sasl_callback_t){SASL_CB_USER, CALLBACK(tell_nobody), s};
    s->callbacks[2] = (sasl_callback_t){SASL_CB_PASS, CALLBACK(tell_secret), s};
    s->callbacks[3] = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
    if (sasl_client_new(service, "localhost", NULL, NULL, s->callbacks, 0, &s->conn) != SASL_OK) {
        probe_sasl_free(s);
        return ERR(ERR_UNAVAILABLE, "libsasl2 makes no client");
    }
    sasl_setprop(s->conn, SASL_SEC_PROPS, &properties);
    bind(s);
    *out = s;
    return OK;
}

void probe_sasl_free(struct probe_sasl *sasl)
{
    if (!sasl)
        return;
    sasl_dispose(&sasl->conn);
    mem_wipe(sasl->secret->data, sasl->secret->len);
    free(sasl->secret);
    free(sasl);
}

static struct err start(struct probe_sasl *s, struct buf *out, bool *spoke)
{
    const char *message = NULL;
    unsigned len = 0;
    int rc = sasl_client_start(s->conn, s->mechanism, NULL, &message, &len, NULL);

    s->started = true;
    *spoke = message != NULL;
    buf_put(out, slice_of(message, message ? len : 0));
    return rc == SASL_OK || rc == SASL_CONTINUE
               ? OK
               : ERR(ERR_UNSUPPORTED, "libsasl2's client does not have this mechanism");
}

struct err probe_sasl_step(struct probe_sasl *sasl, struct slice challenge, struct buf *out)
{
    const char *message = NULL;
    unsigned len = 0;

    if (!sasl->started) {
        bool spoke;
        struct err e = start(sasl, out, &spoke);

        if (failed(e) || spoke)
            return e;
    }
    int rc = sasl_client_step(sasl->conn, challenge.len ? (const char *)challenge.ptr : "",
                              (unsigned)challenge.len, NULL, &message, &len);
    buf_put(out, slice_of(message, message ? len : 0));
    return rc == SASL_OK || rc == SASL_CONTINUE
               ? OK
               : ERR(ERR_INVALID, "the server's message is not right");
}
