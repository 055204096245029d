#include "gateway/net/proxy.h"

#include <netinet/in.h>

#include "gateway/net/address.h"

/* Section 2.1: the longest version 1 line, with its CRLF. */
enum { LINE_MAX_V1 = 107 };

static const uint8_t signature_v2[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                         0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

/* "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n" */
static enum proxy_result parse_v1(struct slice in, struct proxy_header *out)
{
    struct slice head = slice_head(in, LINE_MAX_V1);
    size_t end = slice_find(head, S("\r\n"));
    struct proxy_header header = {.len = end + 2};

    if (end == head.len)
        return head.len < LINE_MAX_V1 ? PROXY_MORE : PROXY_BAD;
    struct slice line = slice_sub(head, 6, end - 6);
    struct slice family = slice_cut(&line, ' ');
    if (slice_eq(family, S("UNKNOWN"))) {
        *out = header;
        return PROXY_OK;
    }
    bool six = slice_eq(family, S("TCP6"));
    if (!six && !slice_eq(family, S("TCP4")))
        return PROXY_BAD;
    struct slice source = slice_cut(&line, ' ');
    struct slice target = slice_cut(&line, ' ');
    struct slice source_port = slice_cut(&line, ' ');
    int af = six ? AF_INET6 : AF_INET;
    if (!address_parse(af, source, source_port, &header.remote) ||
        !address_parse(af, target, line, &header.local))
        return PROXY_BAD;
    header.known = true;
    *out = header;
    return PROXY_OK;
}

static void set_v4(struct sockaddr_storage *to, const uint8_t *address, const uint8_t *port)
{
    struct sockaddr_in *in = (struct sockaddr_in *)to;

    *to = (struct sockaddr_storage){.ss_family = AF_INET};
    memcpy(&in->sin_addr, address, 4);
    memcpy(&in->sin_port, port, 2);
}

static void set_v6(struct sockaddr_storage *to, const uint8_t *address, const uint8_t *port)
{
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;

    *to = (struct sockaddr_storage){.ss_family = AF_INET6};
    memcpy(&in6->sin6_addr, address, 16);
    memcpy(&in6->sin6_port, port, 2);
}

static enum proxy_result parse_v2(struct slice in, struct proxy_header *out)
{
    struct proxy_header header = {0};

    if (in.len < 16)
        return PROXY_MORE;
    unsigned version = in.ptr[12] >> 4, command = in.ptr[12] & 15, family = in.ptr[13];
    size_t rest = (size_t)in.ptr[14] << 8 | in.ptr[15];
    if (version != 2 || command > 1 || rest + 16 > PROXY_MAX)
        return PROXY_BAD;
    if (in.len < 16 + rest)
        return PROXY_MORE;
    header.len = 16 + rest;
    const uint8_t *at = in.ptr + 16;
    if (command == 1 && family == 0x11) { /* TCP over IPv4 */
        if (rest < 12)
            return PROXY_BAD;
        set_v4(&header.remote, at, at + 8);
        set_v4(&header.local, at + 4, at + 10);
        header.known = true;
    } else if (command == 1 && family == 0x21) { /* TCP over IPv6 */
        if (rest < 36)
            return PROXY_BAD;
        set_v6(&header.remote, at, at + 32);
        set_v6(&header.local, at + 16, at + 34);
        header.known = true;
    }
    *out = header;
    return PROXY_OK;
}

enum proxy_result proxy_parse(struct slice in, struct proxy_header *out)
{
    struct slice two = slice_of(signature_v2, sizeof signature_v2);
    struct slice one = S("PROXY ");

    if (slice_starts(in, two))
        return parse_v2(in, out);
    if (slice_starts(in, one))
        return parse_v1(in, out);
    if (slice_starts(two, in) || slice_starts(one, in))
        return PROXY_MORE;
    return PROXY_BAD;
}
