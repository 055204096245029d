#include "gateway/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct passwd *user_named(const char *name, struct buf *why)
{
    const struct passwd *user = getpwnam(name);

    if (!user)
        buf_printf(why, "there is no user \"%s\", whom the configuration names", name);
    return user;
}

struct err identity_become(const char *name, struct buf *why)
{
    if (!name || geteuid() != 0)
        return OK;
    const struct passwd *user = user_named(name, why);
    if (!user)
        return ERR(ERR_NOT_FOUND, "no such user");
    if (initgroups(name, user->pw_gid) == 0 && setgid(user->pw_gid) == 0 &&
        setuid(user->pw_uid) == 0)
        return OK;
    buf_printf(why, "cannot become user \"%s\": %s", name, strerror(errno));
    return ERR(ERR_DENIED, "cannot become the user");
}

struct err identity_own_directory(const char *path, const char *name, struct buf *why)
{
    if (!name || geteuid() != 0)
        return OK;
    const struct passwd *user = user_named(name, why);
    if (!user)
        return ERR(ERR_NOT_FOUND, "no such user");
    if (mkdir(path, 0700) == 0 ? chown(path, user->pw_uid, user->pw_gid) == 0 : errno == EEXIST)
        return OK;
    buf_printf(why, "%s: %s", path, strerror(errno));
    return ERR(ERR_IO, "the directory cannot be made");
}

void identity_own_file(const char *path, const char *name)
{
    const struct passwd *user = name && geteuid() == 0 ? getpwnam(name) : NULL;
    struct stat st;

    if (!user || lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return;
    /* Where that fails, opening it again will, and is told then. */
    int rc = lchown(path, user->pw_uid, user->pw_gid);
    (void)rc;
}
