/*
 * autodiscover.c - what clients are told who know an address and a secret ([MS-OXDSCLI]).
 *
 * The plain old XML (POX) form says who somebody is and where mailbox and address book are; the
 * JSON form says where the XML one is. XML from outside has no document type (so no entities), is
 * small and flat, or is refused.
 */
#include <expat.h>

#include "base/buf.h"
#include "protocols/mapi/endpoint.h"
#include "protocols/mapi/url.h"
#include "protocols/markup.h"

enum { BODY_MAX = 64 * 1024, DEPTH_MAX = 16, TEXT_MAX = 1024 };

#define SCHEMA "http://schemas.microsoft.com/exchange/autodiscover/"
#define REQUEST_NS SCHEMA "outlook/requestschema/2006"
#define RESPONSE_NS SCHEMA "outlook/responseschema/2006a"

/* ---- requests ([MS-OXDSCLI] 2.2.3) ---- */

enum wanted { WANT_NOTHING, WANT_ADDRESS, WANT_DN, WANT_SCHEMA, N_WANTED };

struct request {
    XML_Parser parser;
    unsigned depth;
    bool refused, is_request; /* is_request: there was a Request in the root element */
    enum wanted at;
    struct buf text[N_WANTED];
};

static void refuse(struct request *rq)
{
    rq->refused = true;
    XML_StopParser(rq->parser, XML_FALSE);
}

static enum wanted element(const char *name)
{
    if (strcmp(name, REQUEST_NS "|EMailAddress") == 0)
        return WANT_ADDRESS;
    if (strcmp(name, REQUEST_NS "|LegacyDN") == 0)
        return WANT_DN;
    if (strcmp(name, REQUEST_NS "|AcceptableResponseSchema") == 0)
        return WANT_SCHEMA;
    return WANT_NOTHING;
}

/* Autodiscover, Request, and the fields in it; what else there is means nothing to us. */
static void on_start(void *data, const char *name, const char **attributes)
{
    struct request *rq = data;

    (void)attributes;
    rq->depth++;
    rq->at = WANT_NOTHING;
    if (rq->depth > DEPTH_MAX || (rq->depth == 1 && strcmp(name, REQUEST_NS "|Autodiscover") != 0))
        refuse(rq);
    else if (rq->depth == 2 && strcmp(name, REQUEST_NS "|Request") == 0)
        rq->is_request = true;
    else if (rq->depth == 3)
        rq->at = element(name);
}

static void on_end(void *data, const char *name)
{
    struct request *rq = data;

    (void)name;
    rq->depth--;
    rq->at = WANT_NOTHING;
}

static void on_text(void *data, const char *text, int len)
{
    struct request *rq = data;

    if (rq->at == WANT_NOTHING)
        return;
    buf_put(&rq->text[rq->at], slice_of(text, (size_t)len));
    if (rq->text[rq->at].failed)
        refuse(rq);
}

/* Entities would come with it; no client sends one. */
static void on_doctype(void *data, const char *name, const char *system, const char *public,
                       int subset)
{
    (void)name, (void)system, (void)public, (void)subset;
    refuse(data);
}

static bool parse(struct request *rq, struct slice body)
{
    rq->parser = XML_ParserCreateNS(NULL, '|');
    if (!rq->parser)
        return false;
    XML_SetUserData(rq->parser, rq);
    XML_SetElementHandler(rq->parser, on_start, on_end);
    XML_SetCharacterDataHandler(rq->parser, on_text);
    XML_SetStartDoctypeDeclHandler(rq->parser, on_doctype);
    bool good =
        XML_Parse(rq->parser, (const char *)body.ptr, (int)body.len, XML_TRUE) == XML_STATUS_OK;
    XML_ParserFree(rq->parser);
    return good && !rq->refused && rq->is_request;
}

static struct slice text_of(const struct request *rq, enum wanted which)
{
    struct slice text = buf_slice(&rq->text[which]);

    while (text.len && text.ptr[0] <= ' ')
        text = slice_from(text, 1);
    while (text.len && text.ptr[text.len - 1] <= ' ')
        text.len--;
    return text;
}

/* ---- responses ([MS-OXDSCLI] 2.2.4) ---- */

/* Control characters are in no XML (XML 1.0 2.2). */
static void put_escaped(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char *entity = markup_entity(text.ptr[i]);

        if (entity)
            buf_puts(out, entity);
        else
            buf_putc(out, text.ptr[i] < ' ' ? ' ' : text.ptr[i]);
    }
}

static void put_element(struct buf *out, const char *name, struct slice text)
{
    buf_printf(out, "<%s>", name);
    put_escaped(out, text);
    buf_printf(out, "</%s>\r\n", name);
}

#define XML_HEAD                                                                                   \
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n"                                               \
    "<Autodiscover xmlns=\"" SCHEMA "responseschema/2006\">\r\n"

/* 500 unknown address, 600 not a request, 601 no such schema ([MS-OXDSCLI] 2.2.4.1.1.2.4). */
static void put_error(struct http_exchange *x, unsigned code, const char *message)
{
    struct buf *out = http_out(x);
    uint64_t now = http_env(x)->clock->wall;
    uint64_t second = now / 10000000 % 86400;

    buf_printf(out,
               XML_HEAD "<Response>\r\n<Error Time=\"%02u:%02u:%02u.%07u\" Id=\"%u\">\r\n"
                        "<ErrorCode>%u</ErrorCode>\r\n<Message>%s</Message>\r\n<DebugData />\r\n"
                        "</Error>\r\n</Response>\r\n</Autodiscover>\r\n",
               (unsigned)(second / 3600), (unsigned)(second / 60 % 60), (unsigned)(second % 60),
               (unsigned)(now % 10000000), (unsigned)(now % 4294967291u), code, message);
}

static void put_door(struct http_exchange *x, const char *name, const char *path,
                     const struct mapi_person *person)
{
    struct buf *out = http_out(x);
    struct buf url = buf_make(4096);

    mapi_put_url(&url, x, http_env(x)->mapi, path, person);
    buf_printf(out, "<%s>\r\n", name);
    put_element(out, "InternalUrl", buf_slice(&url));
    put_element(out, "ExternalUrl", buf_slice(&url));
    buf_printf(out, "</%s>\r\n", name);
    buf_done(&url);
}

static void put_user(struct http_exchange *x, const struct mapi_person *person)
{
    const struct mapi *mapi = http_env(x)->mapi;
    struct buf *out = http_out(x);
    struct buf dn = buf_make(4096);

    mapi_put_dn(mapi, &dn, person->identity);
    buf_puts(out, "<User>\r\n");
    put_element(out, "DisplayName", person->display_name);
    put_element(out, "LegacyDN", buf_slice(&dn));
    put_element(out, "AutoDiscoverSMTPAddress", person->address);
    buf_puts(out, "<DeploymentId>00000000-0000-0000-0000-000000000000</DeploymentId>\r\n"
                  "</User>\r\n");
    buf_done(&dn);
}

/* Does the client speak MAPI/HTTP? It says which version of this block it understands. */
static bool has_capability(const struct http_exchange *x)
{
    uint32_t version;

    return slice_to_u32(http_field(x, "X-MapiHttpCapability"), &version) && version >= 1;
}

static void put_settings(struct http_exchange *x, const struct mapi_person *person)
{
    struct buf *out = http_out(x);

    buf_puts(out, XML_HEAD "<Response xmlns=\"" RESPONSE_NS "\">\r\n");
    put_user(x, person);
    buf_puts(out, "<Account>\r\n<AccountType>email</AccountType>\r\n<Action>settings</Action>\r\n"
                  "<MicrosoftOnline>False</MicrosoftOnline>\r\n");
    if (has_capability(x)) {
        buf_puts(out, "<Protocol Type=\"mapiHttp\" Version=\"1\">\r\n");
        put_door(x, "MailStore", "/mapi/emsmdb/", person);
        put_door(x, "AddressBook", "/mapi/nspi/", person);
        buf_puts(out, "</Protocol>\r\n");
    }
    buf_puts(out, "</Account>\r\n</Response>\r\n</Autodiscover>\r\n");
}

static struct err find_person(struct http_exchange *x, const struct request *rq,
                              struct mapi_person *out)
{
    struct slice name = text_of(rq, WANT_ADDRESS);

    if (name.len == 0)
        name = mapi_dn_identity(text_of(rq, WANT_DN));
    if (name.len == 0)
        return ERR(ERR_NOT_FOUND, "nobody was asked for");
    return mapi_find_person(http_env(x)->mapi, name, http_arena(x), out);
}

static enum http_next respond(struct http_exchange *x, const struct request *rq)
{
    struct mapi_person person;
    struct err e = find_person(x, rq, &person);

    if (failed(e) && e.code != ERR_NOT_FOUND)
        return http_refuse(x, 503);
    http_status(x, 200);
    http_header(x, "Content-Type", S("text/xml; charset=utf-8"));
    if (!slice_eq(text_of(rq, WANT_SCHEMA), S(RESPONSE_NS)))
        put_error(x, 601, "Provider is not available");
    else if (failed(e))
        put_error(x, 500, "The email address can't be found.");
    else
        put_settings(x, &person);
    return HTTP_DONE;
}

static enum http_next answer(struct http_exchange *x, struct slice body)
{
    struct request rq = {0};
    enum http_next next = HTTP_DONE;

    for (size_t i = 0; i < N_WANTED; i++)
        rq.text[i] = buf_make(TEXT_MAX);
    if (parse(&rq, body)) {
        next = respond(x, &rq);
    } else {
        http_status(x, 200);
        http_header(x, "Content-Type", S("text/xml; charset=utf-8"));
        put_error(x, 600, "Invalid Request");
    }
    for (size_t i = 0; i < N_WANTED; i++)
        buf_done(&rq.text[i]);
    return next;
}

/* ---- POX ---- */

static enum http_next pox_step(struct http_exchange *x)
{
    struct buf *body = http_state(x);
    struct slice some = http_body(x);

    body->max = BODY_MAX;
    buf_put(body, some);
    http_body_used(x, some.len);
    if (body->failed)
        return http_refuse(x, 413);
    return http_body_ended(x) ? answer(x, buf_slice(body)) : HTTP_MORE;
}

static void pox_done(struct http_exchange *x)
{
    buf_done(http_state(x));
}

const struct http_handler mapi_autodiscover_handler = {"autodiscover", sizeof(struct buf), pox_step,
                                                       pox_done};

/* ---- JSON ---- */

/* The value of a parameter of the query, as it came: the only one that we know has no escapes. */
static struct slice parameter(struct slice query, struct slice name)
{
    while (query.len) {
        struct slice value = slice_cut(&query, '&');
        struct slice key = slice_cut(&value, '=');

        if (slice_ieq(key, name))
            return value;
    }
    return SLICE_EMPTY;
}

static enum http_next json_error(struct http_exchange *x, const char *code, const char *message)
{
    http_status(x, 400);
    http_header(x, "Content-Type", S("application/json; charset=utf-8"));
    buf_printf(http_out(x), "{\"ErrorCode\":\"%s\",\"ErrorMessage\":\"%s\"}\n", code, message);
    return HTTP_DONE;
}

/* Nothing here depends on who is asked for, so it tells nobody who there is. */
static enum http_next json_step(struct http_exchange *x)
{
    struct slice protocol = parameter(http_request(x)->query, S("Protocol"));
    struct buf *out = http_out(x);

    if (protocol.len == 0)
        return json_error(x, "MissingProtocol", "The query has no Protocol.");
    if (!slice_ieq(protocol, S("AutodiscoverV1")))
        return json_error(x, "ProtocolNotSupported", "Only AutodiscoverV1 is known here.");
    http_status(x, 200);
    http_header(x, "Content-Type", S("application/json; charset=utf-8"));
    buf_puts(out, "{\"Protocol\":\"AutodiscoverV1\",\"Url\":\"");
    mapi_put_base_url(out, x, http_env(x)->mapi);
    buf_puts(out, "/autodiscover/autodiscover.xml\"}\n");
    return HTTP_DONE;
}

const struct http_handler mapi_autodiscover_json_handler = {"autodiscover-json", 0, json_step,
                                                            NULL};
