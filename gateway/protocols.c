/* protocols.c - what a listener may speak, and what it says when there is no room. */
#include "gateway/config.h"

#include "protocols/imap/imap.h"
#include "protocols/lmtp/lmtp.h"
#include "protocols/mapi/mapi.h"
#include "protocols/ops/ops.h"
#include "protocols/pop3/pop3.h"

#define BYTES(literal)                                                                             \
    {                                                                                              \
        (const uint8_t *)("" literal), sizeof(literal) - 1                                         \
    }

/* ALPN: "imap" and "pop3" are registered (RFC 7301 6, IANA); LMTP has none. */
const struct net_protocol gateway_protocols[] = {
    {
        .name = "imap",
        .id = AUTH_IMAP,
        .alpn = "imap",
        .busy = BYTES("* BYE [UNAVAILABLE] Too many connections\r\n"), /* RFC 9051 7.1.5 */
        .session_new = imap_session_new,
    },
    {
        .name = "pop3",
        .id = AUTH_POP3,
        .alpn = "pop3",
        .busy = BYTES("-ERR [SYS/TEMP] Too many connections\r\n"), /* RFC 3206 4 */
        .session_new = pop3_session_new,
    },
    {
        .name = "lmtp",
        .id = AUTH_LMTP,
        .busy = BYTES("421 4.3.2 Too many connections\r\n"), /* RFC 3463 3.4 */
        .session_new = lmtp_session_new,
    },
    {
        .name = "ops",
        .id = AUTH_OPS,
        .alpn = "http/1.1",
        .busy = BYTES("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                      "Retry-After: 30\r\nConnection: close\r\n\r\n"),
        .no_starttls = true,
        .observes = true,
        .session_new = ops_session_new,
    },
    {
        .name = "mapi",
        .id = AUTH_MAPI,
        .alpn = "http/1.1",
        .busy = BYTES("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                      "Retry-After: 30\r\nConnection: close\r\n\r\n"),
        .no_starttls = true,
        .session_new = mapi_session_new,
    },
    {.name = NULL},
};
