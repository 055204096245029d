/* transport.c - threads that hand mail on, one message each at a time. */
#include "gateway/transport.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { THREADS = 4, CONNECT_SECONDS = 30, STALLED_SECONDS = 60, NAME_MAX_BYTES = 256 };

/* One that waits, or is under way. */
struct job {
    struct mapi_send *rq;
    struct transport *transport;
    struct task task;
    struct job *next;
    size_t sent; /* bytes of the message */
};

struct transport {
    struct mapi_transport face;
    char *next_hop, *user, *password, *host_name;
    enum transport_tls tls;
    struct store *store;
    struct mapi_directory *directory;
    struct log *log;
    pthread_mutex_t mutex;
    pthread_cond_t some;
    struct job *first, **last;
    bool stopping;
    pthread_t threads[THREADS];
    unsigned n_threads;
};

/* ---- answers ---- */

static void answer(struct task *task)
{
    struct job *job = (struct job *)((char *)task - offsetof(struct job, task));
    struct mapi_send *rq = job->rq;

    free(job);
    rq->done(rq);
}

static void finish(struct job *job, struct err e)
{
    job->rq->err = e;
    job->task.run = answer;
    executor_post(job->rq->home, &job->task);
}

static bool is_stopping(struct transport *t)
{
    pthread_mutex_lock(&t->mutex);
    bool stopping = t->stopping;
    pthread_mutex_unlock(&t->mutex);
    return stopping;
}

/* ---- by SMTP ---- */

static size_t on_read(char *to, size_t size, size_t n, void *owner)
{
    struct job *job = owner;
    struct slice piece = slice_sub(job->rq->bytes, job->sent, size * n);

    if (piece.len > 0)
        memcpy(to, piece.ptr, piece.len);
    job->sent += piece.len;
    return piece.len;
}

static int on_progress(void *owner, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct job *job = owner;

    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return is_stopping(job->transport);
}

/* "<a@b>" in memory of curl's; UTF-8 in an address makes curl ask for SMTPUTF8. */
static struct curl_slist *add_path(struct curl_slist *list, struct slice address)
{
    char path[512];

    snprintf(path, sizeof path, "<%.*s>", SLICE_ARG(slice_head(address, sizeof path - 3)));
    return curl_slist_append(list, path);
}

/* Answers of 5xx will not be others tomorrow (RFC 5321 4.2.1). */
static struct err outcome(CURL *curl, CURLcode code)
{
    long reply = 0;

    if (code == CURLE_OK)
        return OK;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply);
    if (code == CURLE_LOGIN_DENIED || code == CURLE_USE_SSL_FAILED ||
        code == CURLE_PEER_FAILED_VERIFICATION)
        return ERR(ERR_UNAVAILABLE, "the next hop cannot be used as it is configured");
    if (reply >= 500)
        return ERR(ERR_DENIED, "the next hop refused the message");
    return ERR(ERR_UNAVAILABLE, "the next hop did not take the message");
}

static void set_options(CURL *curl, struct job *job, char *why)
{
    const struct transport *t = job->transport;
    char url[NAME_MAX_BYTES * 2];

    snprintf(url, sizeof url, "%s/%s", t->next_hop, t->host_name);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* the environment has no say here */
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)STALLED_SECONDS);
    if (t->tls == TRANSPORT_STARTTLS)
        curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
    if (t->user) {
        curl_easy_setopt(curl, CURLOPT_USERNAME, t->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, t->password ? t->password : "");
    }
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(curl, CURLOPT_READDATA, job);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)job->rq->bytes.len);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, job);
}

/* All recipients or none: one that is refused ends it before the message is sent. */
static struct err send_by_smtp(struct job *job)
{
    struct mapi_send *rq = job->rq;
    CURL *curl = curl_easy_init();
    struct curl_slist *to = NULL, *from = add_path(NULL, rq->sender);
    char why[CURL_ERROR_SIZE] = "";

    if (!curl || !from) {
        curl_slist_free_all(from);
        curl_easy_cleanup(curl);
        return ERR(ERR_UNAVAILABLE, "libcurl cannot be used");
    }
    for (size_t i = 0; i < rq->n_recipients; i++)
        to = add_path(to, rq->recipients[i]);
    set_options(curl, job, why);
    curl_easy_setopt(curl, CURLOPT_MAIL_FROM, from->data);
    curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, to);
    struct err e = outcome(curl, curl_easy_perform(curl));
    snprintf(rq->why, sizeof rq->why, "%s", why);
    curl_slist_free_all(to);
    curl_slist_free_all(from);
    curl_easy_cleanup(curl);
    return e;
}

/* ---- into mailboxes of our own ---- */

/* Each mailbox once, whoever is named how often. */
static struct err find_mailboxes(struct job *job, struct arena *in, uint64_t *ids, size_t *n)
{
    struct mapi_send *rq = job->rq;
    struct mapi_person person;

    *n = 0;
    for (size_t i = 0; i < rq->n_recipients; i++) {
        bool known = false;
        struct mapi_directory *directory = job->transport->directory;
        struct err e = directory->find(directory, rq->recipients[i], in, &person);

        if (failed(e)) {
            snprintf(rq->why, sizeof rq->why, "nobody here is %.*s", SLICE_ARG(rq->recipients[i]));
            return e;
        }
        for (size_t k = 0; k < *n; k++)
            known = known || ids[k] == person.mailbox_id;
        if (!known)
            ids[(*n)++] = person.mailbox_id;
    }
    return OK;
}

/* With its trace (RFC 5321 4.4). */
static struct err prepare(struct job *job, struct store_prepared **out)
{
    struct transport *t = job->transport;
    struct store_spool *spool = store_spool_new(t->store);
    struct buf trace = buf_make(4096);

    buf_printf(&trace, "Return-Path: <%.*s>\r\nReceived: by %s with MAPI;\r\n\t",
               SLICE_ARG(job->rq->sender), t->host_name);
    clock_put_rfc5322(&trace, clock_now().wall);
    buf_puts(&trace, "\r\n");
    struct err e = store_spool_put(spool, buf_slice(&trace));
    if (!failed(e))
        e = store_spool_put(spool, job->rq->bytes);
    buf_done(&trace);
    if (failed(e)) {
        store_spool_free(spool);
        return e;
    }
    return store_prepare(t->store, spool, out);
}

static struct err put_into(struct transport *t, uint64_t id, struct store_prepared *prepared)
{
    const struct store_new_message message = {.prepared = prepared,
                                              .internaldate = clock_now().wall};
    struct store_append append;
    struct store_folder inbox = {.fid = 0};
    struct store_read *rd;
    struct mailbox *mb;

    struct err e = store_mailbox_open_now(t->store, id, &mb);
    if (failed(e))
        return e;
    e = store_read_begin(mb, &rd);
    if (!failed(e)) {
        e = store_folder_special(rd, SPECIAL_INBOX, &inbox);
        store_read_end(rd);
    }
    if (!failed(e)) {
        store_append_init(&append);
        append.fid = inbox.fid;
        append.messages = &message;
        append.n = 1;
        append.delivered = true;
        e = store_run(mb, &append.op);
    }
    mailbox_close(mb);
    return e;
}

/*
 * One mailbox that cannot take it does not keep it from the others; with what was delivered it
 * cannot be called back. It is a failure only where nobody got it.
 */
static struct err deliver(struct job *job)
{
    struct transport *t = job->transport;
    struct arena arena = ARENA_INIT;
    uint64_t *ids = arena_array(&arena, job->rq->n_recipients + 1, sizeof *ids);
    struct store_prepared *prepared;
    struct err first = OK;
    size_t n, good = 0;

    struct err e = find_mailboxes(job, &arena, ids, &n);
    if (!failed(e))
        e = prepare(job, &prepared);
    if (!failed(e)) {
        for (size_t i = 0; i < n; i++) {
            e = put_into(t, ids[i], prepared);
            good += !failed(e);
            if (failed(e) && !failed(first))
                first = e;
        }
        store_prepared_free(prepared);
        e = good ? OK : first;
    }
    arena_done(&arena);
    return e;
}

/* ---- threads ---- */

static void run(struct job *job)
{
    struct transport *t = job->transport;
    struct mapi_send *rq = job->rq;
    struct err e = t->next_hop ? send_by_smtp(job) : deliver(job);

    if (failed(e))
        log_event(t->log, LOG_LEVEL_WARN, "transport.failed", log_text("sender", rq->sender),
                  log_number("recipients", (int64_t)rq->n_recipients), log_str("error", e.why),
                  log_str("why", rq->why));
    else
        log_event(t->log, LOG_LEVEL_INFO, "transport.sent", log_text("sender", rq->sender),
                  log_number("recipients", (int64_t)rq->n_recipients),
                  log_number("bytes", (int64_t)rq->bytes.len));
    finish(job, e);
}

/* NULL: there will be no more. */
static struct job *take(struct transport *t)
{
    pthread_mutex_lock(&t->mutex);
    while (!t->first && !t->stopping)
        pthread_cond_wait(&t->some, &t->mutex);
    struct job *job = t->first;
    if (job) {
        t->first = job->next;
        if (!t->first)
            t->last = &t->first;
    }
    pthread_mutex_unlock(&t->mutex);
    return job;
}

static void *work(void *owner)
{
    struct transport *t = owner;
    struct job *job;

    while ((job = take(t)) != NULL) {
        if (is_stopping(t))
            finish(job, ERR(ERR_UNAVAILABLE, "the server stops"));
        else
            run(job);
    }
    return NULL;
}

static void send_mail(struct mapi_transport *self, struct mapi_send *rq)
{
    struct transport *t = (struct transport *)self;
    struct job *job = mem_new(sizeof *job);

    *job = (struct job){.rq = rq, .transport = t};
    pthread_mutex_lock(&t->mutex);
    bool stopping = t->stopping;
    if (!stopping) {
        *t->last = job;
        t->last = &job->next;
        pthread_cond_signal(&t->some);
    }
    pthread_mutex_unlock(&t->mutex);
    if (stopping)
        finish(job, ERR(ERR_UNAVAILABLE, "the server stops"));
}

/* ---- life ---- */

const char *transport_check(const char *next_hop)
{
    struct slice rest = slice_str(next_hop);
    struct slice scheme = slice_head(rest, slice_find(rest, S("://")));
    uint32_t port;

    if (!slice_eq(scheme, S("smtp")) && !slice_eq(scheme, S("smtps")))
        return "expected smtp://host:port or smtps://host:port";
    rest = slice_from(rest, scheme.len + 3);
    size_t colon = rest.len;
    while (colon > 0 && rest.ptr[colon - 1] != ':' && rest.ptr[colon - 1] != ']')
        colon--;
    bool has_port = colon > 0 && rest.ptr[colon - 1] == ':';
    struct slice host = slice_head(rest, has_port ? colon - 1 : rest.len);
    if (host.len == 0 || host.len > NAME_MAX_BYTES)
        return "expected the name or address of a host behind ://";
    for (size_t i = 0; i < host.len; i++)
        if (host.ptr[i] <= ' ' || strchr("/@?#\\\"", host.ptr[i]))
            return "expected nothing but a host and a port behind ://";
    if (has_port && (!slice_to_u32(slice_from(rest, colon), &port) || port == 0 || port > 65535))
        return "expected a port from 1 to 65535 behind the colon";
    return NULL;
}

static char *copy(const char *text)
{
    return text ? mem_str(text) : NULL;
}

struct err transport_new(const struct transport_config *config, struct store *store,
                         struct mapi_directory *directory, struct log *log, struct transport **out)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return ERR(ERR_UNAVAILABLE, "libcurl cannot be used");
    struct transport *t = mem_new(sizeof *t);
    *t = (struct transport){
        .face.send = send_mail,
        .next_hop = copy(config->next_hop),
        .user = copy(config->user),
        .password = copy(config->password),
        .host_name = mem_str(config->host_name),
        .tls = config->tls,
        .store = store,
        .directory = directory,
        .log = log,
        .last = &t->first,
    };
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->some, NULL);
    for (; t->n_threads < THREADS; t->n_threads++)
        if (pthread_create(&t->threads[t->n_threads], NULL, work, t) != 0)
            break;
    if (t->n_threads == 0) {
        transport_free(t);
        return ERR(ERR_UNAVAILABLE, "no thread can be started");
    }
    *out = t;
    return OK;
}

struct mapi_transport *transport_face(struct transport *transport)
{
    return &transport->face;
}

void transport_stop(struct transport *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->mutex);
    t->stopping = true;
    pthread_cond_broadcast(&t->some);
    pthread_mutex_unlock(&t->mutex);
    for (unsigned i = 0; i < t->n_threads; i++)
        pthread_join(t->threads[i], NULL);
    t->n_threads = 0;
}

void transport_free(struct transport *t)
{
    if (!t)
        return;
    transport_stop(t);
    pthread_cond_destroy(&t->some);
    pthread_mutex_destroy(&t->mutex);
    if (t->password)
        mem_wipe(t->password, strlen(t->password));
    free(t->next_hop);
    free(t->user);
    free(t->password);
    free(t->host_name);
    curl_global_cleanup();
    free(t);
}
