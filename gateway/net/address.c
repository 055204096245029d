#include "gateway/net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/random.h>

#include "base/mem.h"

static void map_v4(const void *four, struct address *out)
{
    *out = (struct address){{0}};
    out->bytes[10] = out->bytes[11] = 0xff;
    memcpy(out->bytes + 12, four, 4);
}

bool address_of(const struct sockaddr_storage *from, struct address *out)
{
    if (from->ss_family == AF_INET) {
        map_v4(&((const struct sockaddr_in *)from)->sin_addr, out);
        return true;
    }
    if (from->ss_family == AF_INET6) {
        memcpy(out->bytes, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
        return true;
    }
    return false;
}

bool address_parse(int family, struct slice address, struct slice port,
                   struct sockaddr_storage *out)
{
    struct sockaddr_storage v4 = {.ss_family = AF_INET}, v6 = {.ss_family = AF_INET6};
    struct sockaddr_in *in = (struct sockaddr_in *)&v4;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&v6;
    char text[64];
    uint32_t number;

    if (address.len == 0 || address.len >= sizeof text || slice_index(address, 0) < address.len ||
        !slice_to_u32(port, &number) || number > 65535)
        return false;
    memcpy(text, address.ptr, address.len);
    text[address.len] = '\0';
    in->sin_port = in6->sin6_port = htons((uint16_t)number);
    if (family != AF_INET6 && inet_pton(AF_INET, text, &in->sin_addr) == 1)
        *out = v4;
    else if (family != AF_INET && inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
        *out = v6;
    else
        return false;
    return true;
}

struct err network_parse(const char *text, struct network *out)
{
    struct slice rest = slice_str(text);
    struct slice host = slice_cut(&rest, '/');
    bool has_bits = host.len < strlen(text);
    char name[64];
    uint8_t raw[16];
    struct network network;
    uint32_t bits, most = 128;

    if (host.len >= sizeof name)
        return ERR(ERR_SYNTAX, "not an address");
    memcpy(name, host.ptr, host.len);
    name[host.len] = '\0';
    if (inet_pton(AF_INET, name, raw) == 1) {
        map_v4(raw, &network.address);
        most = 32;
    } else if (inet_pton(AF_INET6, name, raw) == 1) {
        memcpy(network.address.bytes, raw, 16);
    } else {
        return ERR(ERR_SYNTAX, "not an address");
    }
    bits = most;
    if (has_bits && (!slice_to_u32(rest, &bits) || bits > most))
        return ERR(ERR_SYNTAX, "the length of the prefix is not one");
    network.bits = bits + (128 - most);
    *out = network;
    return OK;
}

static bool in_network(const struct network *network, const struct address *address)
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    unsigned mask = (0xff00u >> rest) & 0xff;

    if (memcmp(network->address.bytes, address->bytes, whole) != 0)
        return false;
    return !rest || ((network->address.bytes[whole] ^ address->bytes[whole]) & mask) == 0;
}

bool network_has(const struct network *networks, size_t n, const struct sockaddr_storage *peer)
{
    struct address address;

    if (!address_of(peer, &address))
        return false;
    for (size_t i = 0; i < n; i++)
        if (in_network(&networks[i], &address))
            return true;
    return false;
}

void address_put(const struct sockaddr_storage *from, char out[ADDRESS_TEXT_MAX])
{
    struct address address;

    if (!address_of(from, &address)) {
        snprintf(out, ADDRESS_TEXT_MAX, "unix");
        return;
    }
    if (IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)address.bytes))
        inet_ntop(AF_INET, address.bytes + 12, out, ADDRESS_TEXT_MAX);
    else
        inet_ntop(AF_INET6, address.bytes, out, ADDRESS_TEXT_MAX);
}

uint16_t address_port(const struct sockaddr_storage *from)
{
    if (from->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)from)->sin_port);
    if (from->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)from)->sin6_port);
    return 0;
}

/* ---- connections per address ---- */

struct entry {
    struct entry *next;
    uint64_t hi, lo;
    unsigned count;
};

struct address_table {
    pthread_mutex_t mutex;
    uint64_t seed[2]; /* so that nobody outside can choose addresses that collide */
    struct entry **rows;
    size_t n_rows, n_entries;
};

struct address_table *address_table_new(void)
{
    struct address_table *table = mem_new(sizeof *table);

    pthread_mutex_init(&table->mutex, NULL);
    table->n_rows = 256;
    table->rows = mem_array(table->n_rows, sizeof *table->rows);
    if (getrandom(table->seed, sizeof table->seed, 0) != (ssize_t)sizeof table->seed)
        abort();
    return table;
}

void address_table_free(struct address_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->n_rows; i++) {
        while (table->rows[i]) {
            struct entry *entry = table->rows[i];

            table->rows[i] = entry->next;
            free(entry);
        }
    }
    free(table->rows);
    pthread_mutex_destroy(&table->mutex);
    free(table);
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 32)) * 0xD6E8FEB86659FD93u;
    x = (x ^ (x >> 32)) * 0xD6E8FEB86659FD93u;
    return x ^ (x >> 32);
}

static size_t row_of(const struct address_table *table, uint64_t hi, uint64_t lo)
{
    return mix(mix(hi ^ table->seed[0]) ^ lo ^ table->seed[1]) & (table->n_rows - 1);
}

static void grow(struct address_table *table)
{
    struct entry **old = table->rows;
    size_t n = table->n_rows;

    table->n_rows = n * 2;
    table->rows = mem_array(table->n_rows, sizeof *table->rows);
    for (size_t i = 0; i < n; i++) {
        while (old[i]) {
            struct entry *entry = old[i];
            size_t row = row_of(table, entry->hi, entry->lo);

            old[i] = entry->next;
            entry->next = table->rows[row];
            table->rows[row] = entry;
        }
    }
    free(old);
}

/* What is counted together: an IPv4 address, or the /64 of an IPv6 one. */
static bool key_of(const struct sockaddr_storage *peer, uint64_t *hi, uint64_t *lo)
{
    struct address address;

    if (!address_of(peer, &address))
        return false;
    memcpy(hi, address.bytes, 8);
    memcpy(lo, address.bytes + 8, 8);
    if (!IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)address.bytes))
        *lo = 0;
    return true;
}

static struct entry **find(struct address_table *table, uint64_t hi, uint64_t lo)
{
    struct entry **at = &table->rows[row_of(table, hi, lo)];

    while (*at && ((*at)->hi != hi || (*at)->lo != lo))
        at = &(*at)->next;
    return at;
}

bool address_table_enter(struct address_table *table, const struct sockaddr_storage *peer,
                         unsigned max)
{
    uint64_t hi, lo;
    bool room = true;

    if (!key_of(peer, &hi, &lo))
        return true;
    pthread_mutex_lock(&table->mutex);
    struct entry **at = find(table, hi, lo);
    if (!*at) {
        *at = mem_new(sizeof **at);
        **at = (struct entry){.hi = hi, .lo = lo, .count = 1};
        if (++table->n_entries > table->n_rows)
            grow(table);
    } else if (max && (*at)->count >= max) {
        room = false;
    } else {
        (*at)->count++;
    }
    pthread_mutex_unlock(&table->mutex);
    return room;
}

void address_table_leave(struct address_table *table, const struct sockaddr_storage *peer)
{
    uint64_t hi, lo;

    if (!key_of(peer, &hi, &lo))
        return;
    pthread_mutex_lock(&table->mutex);
    struct entry **at = find(table, hi, lo);
    if (*at && --(*at)->count == 0) {
        struct entry *gone = *at;

        *at = gone->next;
        table->n_entries--;
        free(gone);
    }
    pthread_mutex_unlock(&table->mutex);
}
