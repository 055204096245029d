/*
 * url.h - the URLs that clients are told to ask ([MS-OXDSCLI] 4.4).
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_URL_H
#define GATEPOST_PROTOCOLS_MAPI_URL_H

#include "protocols/http/http.h"
#include "protocols/mapi/context.h"

/* "https://mail.example.org": the configured one, or as this request asked. */
void mapi_put_base_url(struct buf *out, const struct http_exchange *http, const struct mapi *mapi);

/* The URL of a door ("/mapi/emsmdb/") for somebody. */
void mapi_put_url(struct buf *out, const struct http_exchange *http, const struct mapi *mapi,
                  const char *path, const struct mapi_person *person);

/* The name of this server without a port, as in the URLs. */
struct slice mapi_host(const struct http_exchange *http, const struct mapi *mapi);

#endif
