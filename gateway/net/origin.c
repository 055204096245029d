/*
 * origin.c - the client for whom a trusted peer speaks: a proxy or webmail that says so by IMAP ID.
 *
 * Its address takes the peer's place in all that follows: back-off, records, the log, the bound
 * per address. The peer's own stands beside it in records and the log.
 */
#include "base/mem.h"
#include "gateway/net/net_int.h"

/* Count the connection for the address that it has now. */
bool net_conn_count(struct net_conn *conn)
{
    const struct net_settings *settings = conn->listener->settings;
    struct auth_peer *peer = &conn->peer;

    peer->exempt = (conn->trusted && !conn->own) ||
                   network_has(settings->trusted, settings->n_trusted, &peer->remote);
    conn->counted = address_table_enter(conn->worker->server->addresses, &peer->remote,
                                        peer->exempt ? 0 : settings->max_connections_per_address);
    return conn->counted;
}

static void uncount(struct net_conn *conn)
{
    if (conn->counted)
        address_table_leave(conn->worker->server->addresses, &conn->peer.remote);
    conn->counted = false;
}

static void set_session(struct net_conn *conn, struct slice name)
{
    free(conn->proxy_session);
    conn->proxy_session = name.len ? mem_slice_str(slice_head(name, SESSION_ORIGIN_NAME)) : NULL;
    conn->peer.proxy_session = slice_str(conn->proxy_session);
}

/* The address of the peer itself stays known. */
static void keep_own(struct net_conn *conn)
{
    if (conn->own)
        return;
    conn->own = mem_new(sizeof *conn->own);
    *conn->own = (struct net_origin){
        .remote = conn->peer.remote,
        .local = conn->peer.local,
        .proxy = conn->peer.proxy,
    };
    conn->peer.proxy = conn->peer.remote;
}

/* A port may be left out. */
static bool address_told(struct slice address, struct slice port, struct sockaddr_storage *out)
{
    return address_parse(AF_UNSPEC, address, port.len ? port : S("0"), out);
}

struct err net_conn_originate(struct session_host *host, const struct session_origin *origin)
{
    struct net_conn *conn = container_of(host, struct net_conn, host);
    struct sockaddr_storage client;

    if (!conn->trusted)
        return OK;
    if (origin->session.len)
        set_session(conn, origin->session);
    if (!address_told(origin->client, origin->client_port, &client))
        return OK;
    uncount(conn);
    keep_own(conn);
    conn->peer.remote = client;
    (void)address_told(origin->server, origin->server_port, &conn->peer.local);
    return net_conn_count(conn) ? OK : ERR(ERR_LIMIT, "too many connections of that client");
}

void net_conn_unoriginate(struct net_conn *conn)
{
    struct net_origin *own = conn->own;

    set_session(conn, SLICE_EMPTY);
    if (!own)
        return;
    uncount(conn);
    conn->peer.remote = own->remote;
    conn->peer.local = own->local;
    conn->peer.proxy = own->proxy;
    conn->own = NULL;
    free(own);
    (void)net_conn_count(conn); /* of who is trusted there may be any number */
}
