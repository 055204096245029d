#include "gateway/net/net_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

enum { BACKLOG = 4096 };

/* ---- addresses ---- */

/* "*" is IPv6 with IPv4 inside. */
static bool parse_address(const char *text, uint16_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    struct sockaddr_in *in = (struct sockaddr_in *)out;

    *out = (struct sockaddr_storage){0};
    if (strcmp(text, "*") == 0)
        text = "::";
    return uv_ip4_addr(text, port, in) == 0 || uv_ip6_addr(text, port, in6) == 0;
}

static socklen_t address_len(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

char *net_endpoint_name(const struct net_listener_config *config)
{
    struct buf name = buf_make(8192);

    if (config->path)
        buf_printf(&name, "unix:%s", config->path);
    else if (strchr(config->address, ':'))
        buf_printf(&name, "[%s]:%u", config->address, config->port);
    else
        buf_printf(&name, "%s:%u", config->address, config->port);
    char *text = mem_slice_str(buf_slice(&name));
    buf_done(&name);
    return text;
}

/* ---- binding ---- */

static struct err cannot(struct buf *why, const struct net_listener_config *config,
                         const char *what, int error)
{
    char *name = net_endpoint_name(config);

    buf_printf(why, "listener \"%s\": cannot %s %s: %s", config->name, what, name,
               error == EACCES ? "permission denied (ports below 1024 need root)"
                               : strerror(error));
    free(name);
    if (error == EADDRINUSE)
        return ERR(ERR_EXISTS, "the address is in use");
    if (error == EACCES || error == EPERM)
        return ERR(ERR_DENIED, "no permission to bind");
    return ERR(ERR_INVALID, "cannot listen");
}

/* A bound TCP socket. `shared`: with others of our own (SO_REUSEPORT). */
static struct err bind_tcp(const struct net_listener_config *config, uint16_t port, bool shared,
                           struct buf *why, int *out)
{
    struct sockaddr_storage address;
    int on = 1, off = 0;

    if (!parse_address(config->address, port, &address)) {
        buf_printf(why, "listener \"%s\": address \"%s\": expected an IP address or \"*\"",
                   config->name, config->address);
        return ERR(ERR_INVALID, "not an address");
    }
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return cannot(why, config, "make a socket for", errno);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (address.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, strcmp(config->address, "*") == 0 ? &off : &on,
                   sizeof on);
    /* Inherited by what is accepted: a reply never waits for the acknowledgement of another. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, address_len(&address)) != 0) {
        struct err e = cannot(why, config, "bind", errno);

        close(fd);
        return e;
    }
    *out = fd;
    return OK;
}

/*
 * SO_REUSEPORT would share a port with another daemon of the same user, half of whose mail we
 * would then take: a plain bind comes first, which fails where anybody listens.
 */
static struct err probe_tcp(const struct net_listener_config *config, struct buf *why, int *out)
{
    int fd;
    struct err e = bind_tcp(config, config->port, false, why, &fd);

    if (failed(e))
        return e;
    if (listen(fd, 1) != 0) {
        e = cannot(why, config, "listen on", errno);
        close(fd);
        return e;
    }
    *out = fd;
    return OK;
}

static struct err open_tcp(const struct net_listener_config *config, struct net_endpoint *endpoint,
                           unsigned workers, struct buf *why)
{
    uint16_t port = config->port;
    int probed;
    struct err e = probe_tcp(config, why, &probed);

    if (!failed(e))
        close(probed);
    for (unsigned i = 0; i < workers && !failed(e); i++) {
        struct sockaddr_storage got;
        socklen_t len = sizeof got;

        e = bind_tcp(config, port, true, why, &endpoint->fds[i]);
        if (failed(e))
            break;
        endpoint->n_fds++;
        if (getsockname(endpoint->fds[i], (struct sockaddr *)&got, &len) == 0)
            port = endpoint->port = address_port(&got);
    }
    if (!failed(e) && !config->port) { /* found again by the port that it got */
        struct net_listener_config named = *config;

        named.port = port;
        free(endpoint->name);
        endpoint->name = net_endpoint_name(&named);
    }
    return e;
}

/* Is anybody listening on this Unix socket? A file that a killed daemon left behind is not. */
static bool unix_is_alive(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool alive = fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ||
                             errno == EAGAIN);

    if (fd >= 0)
        close(fd);
    return alive;
}

static struct err unix_address(const struct net_listener_config *config, struct buf *why,
                               struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(config->path) >= sizeof out->sun_path) {
        buf_printf(why, "listener \"%s\": the path of the socket is longer than %zu bytes",
                   config->name, sizeof out->sun_path - 1);
        return ERR(ERR_INVALID, "path too long");
    }
    memcpy(out->sun_path, config->path, strlen(config->path));
    if (unix_is_alive(out))
        return cannot(why, config, "bind", EADDRINUSE);
    return OK;
}

static struct err open_unix(const struct net_listener_config *config, struct net_endpoint *endpoint,
                            struct buf *why)
{
    struct sockaddr_un address;
    struct stat st;
    struct err e = unix_address(config, why, &address);

    if (failed(e))
        return e;
    if (lstat(config->path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(config->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return cannot(why, config, "make a socket for", errno);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(config->path, config->path_mode) != 0) {
        e = cannot(why, config, "bind", errno);
        close(fd);
        return e;
    }
    endpoint->fds[0] = fd;
    endpoint->n_fds = 1;
    endpoint->path = mem_str(config->path);
    return OK;
}

struct err net_endpoint_new(const struct net_listener_config *config, unsigned workers,
                            struct buf *why, struct net_endpoint **out)
{
    struct net_endpoint *endpoint = mem_new(sizeof *endpoint);

    endpoint->name = net_endpoint_name(config);
    endpoint->fds = mem_array(workers, sizeof *endpoint->fds);
    struct err e =
        config->path ? open_unix(config, endpoint, why) : open_tcp(config, endpoint, workers, why);
    for (unsigned i = 0; i < endpoint->n_fds && !failed(e); i++)
        if (listen(endpoint->fds[i], BACKLOG) != 0)
            e = cannot(why, config, "listen on", errno);
    if (failed(e)) {
        net_endpoint_free(endpoint);
        return e;
    }
    *out = endpoint;
    return OK;
}

void net_endpoint_free(struct net_endpoint *endpoint)
{
    if (!endpoint)
        return;
    for (unsigned i = 0; i < endpoint->n_fds && !endpoint->started; i++)
        close(endpoint->fds[i]);
    if (endpoint->path)
        unlink(endpoint->path);
    net_listener_release(endpoint->listener);
    free(endpoint->path);
    free(endpoint->name);
    free(endpoint->fds);
    free(endpoint);
}

/* ---- for `gatepost check` ---- */

static struct err probe_unix(const struct net_listener_config *config, struct buf *why)
{
    struct sockaddr_un address;
    struct err e = unix_address(config, why, &address);

    if (failed(e))
        return e;
    char *dir = mem_str(config->path);
    char *slash = strrchr(dir, '/');
    if (slash) {
        slash[slash == dir] = '\0';
        if (access(dir, W_OK | X_OK) != 0)
            e = cannot(why, config, "make", errno);
    }
    free(dir);
    return e;
}

/* Does one of the listeners before this one have the very same address? */
static bool is_taken(const struct net_config *config, size_t which, struct buf *why)
{
    char *name = net_endpoint_name(&config->listeners[which]);
    bool taken = false;

    for (size_t i = 0; i < which && !taken; i++) {
        char *other = net_endpoint_name(&config->listeners[i]);

        taken = strcmp(name, other) == 0;
        free(other);
    }
    if (taken)
        buf_printf(why, "listener \"%s\": %s is another listener's address already",
                   config->listeners[which].name, name);
    free(name);
    return taken;
}

/* *fd stays bound, so that listeners that exclude each other ("*" and an address) are found. */
static struct err probe(const struct net_config *config, size_t which, struct buf *why, int *fd)
{
    const struct net_listener_config *listener = &config->listeners[which];

    if (is_taken(config, which, why))
        return ERR(ERR_EXISTS, "two listeners on one address");
    return listener->path ? probe_unix(listener, why) : probe_tcp(listener, why, fd);
}

void net_probe(const struct net_config *config, void (*finding)(void *ctx, const char *text),
               void *ctx)
{
    int *fds = mem_array(config->n_listeners, sizeof *fds);

    for (size_t i = 0; i < config->n_listeners; i++) {
        struct buf why = buf_make(8192);

        fds[i] = -1;
        if (failed(probe(config, i, &why, &fds[i]))) {
            buf_putc(&why, 0);
            finding(ctx, (const char *)buf_slice(&why).ptr);
        }
        buf_done(&why);
    }
    for (size_t i = 0; i < config->n_listeners; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(fds);
}

uint64_t net_raise_file_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return 1024;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_NOFILE, &files);
    return files.rlim_cur;
}
