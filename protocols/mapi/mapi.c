/* mapi.c - the front end: its sites, its handlers, names of people. */
#include "protocols/mapi/mapi.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "protocols/mapi/endpoint.h"
#include "protocols/mapi/nspi_book.h"

enum {
    IDLE_MS = 15 * 60 * 1000,
    WAIT_MS = 5 * 60 * 1000, /* [MS-OXCMAPIHTTP] 3.2.2 */
    MAX_CONTEXTS = 100,
    MAX_OBJECTS = 10000,
    MAX_MEMORY = 256 * 1024 * 1024,
};

/* ---- life ---- */

static void enter_handlers(struct mapi *mapi)
{
    static const struct rop_handler *const groups[] = {
        mapi_logon_handlers,      mapi_folder_handlers,     mapi_table_handlers,
        mapi_message_handlers,    mapi_property_handlers,   mapi_recipient_handlers,
        mapi_attachment_handlers, mapi_stream_handlers,     mapi_notify_handlers,
        mapi_transport_handlers,  mapi_permission_handlers, mapi_search_handlers,
        mapi_later_handlers,
    };

    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        for (const struct rop_handler *h = groups[i]; h->run; h++)
            mapi->handlers[h->rop] = h;
}

static void fill_defaults(struct mapi_config *c)
{
    /* Copies: the configuration that they are from may be exchanged for another. */
    c->organization = mem_str(c->organization ? c->organization : "Gatepost");
    c->base_url = c->base_url ? mem_str(c->base_url) : NULL;
    if (!c->idle_ms)
        c->idle_ms = IDLE_MS;
    if (!c->wait_ms)
        c->wait_ms = WAIT_MS;
    if (!c->max_contexts)
        c->max_contexts = MAX_CONTEXTS;
    if (!c->max_objects)
        c->max_objects = MAX_OBJECTS;
    if (!c->max_memory)
        c->max_memory = MAX_MEMORY;
}

struct mapi *mapi_new(const struct mapi_config *config)
{
    struct mapi *mapi = mem_new(sizeof *mapi);

    mapi->config = *config;
    fill_defaults(&mapi->config);
    pthread_mutex_init(&mapi->mutex, NULL);
    enter_handlers(mapi);
    /* It only tells one server from another: what is there without it is as good. */
    if (RAND_bytes(mapi->server_guid, sizeof mapi->server_guid) != 1)
        memset(mapi->server_guid, 0x47, sizeof mapi->server_guid);
    mapi->shelf = nspi_shelf_new();
    return mapi;
}

void mapi_close(struct mapi *mapi)
{
    while (mapi && mapi->oldest)
        context_drop(mapi->oldest);
}

void mapi_free(struct mapi *mapi)
{
    if (!mapi)
        return;
    nspi_shelf_free(mapi->shelf);
    pthread_mutex_destroy(&mapi->mutex);
    free((char *)mapi->config.organization);
    free((char *)mapi->config.base_url);
    free(mapi);
}

/* ---- people ---- */

struct err mapi_find_person(const struct mapi *mapi, struct slice name, struct arena *in,
                            struct mapi_person *out)
{
    struct mapi_directory *directory = mapi->config.directory;

    if (!directory)
        return ERR(ERR_NOT_FOUND, "there is no directory");
    return directory->find(directory, name, in, out);
}

/* ---- distinguished names ([MS-OXDSCLI] 4.4) ---- */

#define RECIPIENTS "/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn="

void mapi_put_dn(const struct mapi *mapi, struct buf *out, struct slice identity)
{
    buf_puts(out, "/o=");
    buf_puts(out, mapi->config.organization);
    buf_puts(out, RECIPIENTS);
    buf_put(out, identity);
}

struct slice mapi_dn_identity(struct slice dn)
{
    struct slice mark = S("/cn=recipients/cn=");

    for (size_t i = 0; i + mark.len <= dn.len; i++)
        if (slice_ieq(slice_of(dn.ptr + i, mark.len), mark))
            return slice_of(dn.ptr + i + mark.len, dn.len - i - mark.len);
    return SLICE_EMPTY;
}

/* ---- the site ---- */

/* clang-format off */
static const struct http_route routes[] = {
    {HTTP_VERB_POST, "/mapi/emsmdb",  HTTP_USER, &mapi_emsmdb_handler, "mailboxes ([MS-OXCMAPIHTTP])"},
    {HTTP_VERB_POST, "/mapi/emsmdb/", HTTP_USER, &mapi_emsmdb_handler, "the same"},
    {HTTP_VERB_POST, "/mapi/nspi",    HTTP_USER, &mapi_nspi_handler,   "the address book"},
    {HTTP_VERB_POST, "/mapi/nspi/",   HTTP_USER, &mapi_nspi_handler,   "the same"},
    {HTTP_VERB_POST, "/autodiscover/autodiscover.xml",    HTTP_USER, &mapi_autodiscover_handler,      "Autodiscover ([MS-OXDSCLI])"},
    {HTTP_VERB_POST, "/Autodiscover/Autodiscover.xml",    HTTP_USER, &mapi_autodiscover_handler,      "the same"},
    {HTTP_VERB_GET,  "/autodiscover/autodiscover.json",   HTTP_OPEN, &mapi_autodiscover_json_handler, "where that is"},
    {HTTP_VERB_GET,  "/autodiscover/autodiscover.json/*", HTTP_OPEN, &mapi_autodiscover_json_handler, "the same"},
};
/* clang-format on */

static const struct http_site site = {
    .name = "mapi",
    .realm = "Gatepost",
    .routes = routes,
    .n_routes = sizeof routes / sizeof *routes,
    .headers = "Cache-Control: private\r\n"
               "X-Content-Type-Options: nosniff\r\n",
};

struct session *mapi_session_new(const struct session_env *env)
{
    return http_session_new(env, &site);
}
