/* place.c - client addresses: what counts as one client, and how it is printed. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "auth/auth_int.h"

/* ::ffff:0:0/96: IPv4 as a dual-stack socket shows it. */
static bool mapped_ipv4(const struct in6_addr *a)
{
    return IN6_IS_ADDR_V4MAPPED(a);
}

struct auth_place place_of(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;
    struct auth_place place = {{0}};

    if (address->ss_family == AF_INET) {
        place.bytes[0] = 4;
        memcpy(place.bytes + 1, &v4->sin_addr, 4);
    } else if (address->ss_family == AF_INET6 && mapped_ipv4(&v6->sin6_addr)) {
        place.bytes[0] = 4;
        memcpy(place.bytes + 1, v6->sin6_addr.s6_addr + 12, 4);
    } else if (address->ss_family == AF_INET6) {
        /* A /64 is one site: whoever has one has all of its 2^64 addresses. */
        place.bytes[0] = 6;
        memcpy(place.bytes + 1, v6->sin6_addr.s6_addr, 8);
    }
    return place;
}

unsigned place_text(const struct sockaddr_storage *address, char text[64])
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;

    text[0] = 0;
    if (address->ss_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, text, 64);
        return ntohs(v4->sin_port);
    }
    if (address->ss_family != AF_INET6)
        return 0;
    if (mapped_ipv4(&v6->sin6_addr))
        inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, text, 64);
    else
        inet_ntop(AF_INET6, &v6->sin6_addr, text, 64);
    return ntohs(v6->sin6_port);
}

void place_put(struct auth_place place, char text[64])
{
    struct in6_addr site = {0};

    snprintf(text, 64, "unix");
    if (place.bytes[0] == 4)
        inet_ntop(AF_INET, place.bytes + 1, text, 64);
    if (place.bytes[0] != 6)
        return;
    memcpy(&site, place.bytes + 1, 8);
    inet_ntop(AF_INET6, &site, text, 60);
    memcpy(text + strlen(text), "/64", sizeof "/64");
}
