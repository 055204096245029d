#include "gateway/cli/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include "auth/auth.h"

/* One line, read byte by byte so that nothing of it stays in a buffer of stdio. */
static bool read_line(int fd, struct buf *out)
{
    char c;
    ssize_t n;

    while ((n = read(fd, &c, 1)) == 1 && c != '\n' && !out->failed)
        buf_putc(out, (uint8_t)c);
    return n >= 0 && !out->failed;
}

static bool ask(int tty, const char *prompt, struct buf *out)
{
    struct termios before, silent;
    bool good = tcgetattr(tty, &before) == 0 &&
                write(tty, prompt, strlen(prompt)) == (ssize_t)strlen(prompt);

    if (!good)
        return false;
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(tty, TCSAFLUSH, &silent);
    good = read_line(tty, out);
    tcsetattr(tty, TCSAFLUSH, &before);
    return write(tty, "\n", 1) == 1 && good;
}

static bool ask_twice(const struct cli *cli, int tty, struct buf *out)
{
    struct buf again = buf_make(AUTH_MAX_SECRET);
    bool good = ask(tty, "Password: ", out) && ask(tty, "Again: ", &again);

    if (!good)
        cli_fail(cli, "no password could be read");
    else if (!slice_eq(buf_slice(out), buf_slice(&again)))
        good = cli_fail(cli, "the two passwords differ") == CLI_OK;
    buf_wipe(&again);
    return good;
}

static bool ask_once(const struct cli *cli, int tty, struct buf *out)
{
    return ask(tty, "Password: ", out) || cli_fail(cli, "no password could be read") == CLI_OK;
}

static bool take_secret(const struct cli *cli, struct buf *out,
                        bool (*from_tty)(const struct cli *cli, int tty, struct buf *out))
{
    if (cli_option(cli, "--password-stdin")) {
        if (read_line(STDIN_FILENO, out))
            return true;
        cli_fail(cli, "no password on standard input, or one of more than %d bytes",
                 AUTH_MAX_SECRET);
        return false;
    }
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty < 0) {
        cli_fail(cli, "there is no terminal to ask on; use --password-stdin");
        return false;
    }
    bool good = from_tty(cli, tty, out);
    close(tty);
    return good;
}

bool cli_file_secret(const struct cli *cli, const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        cli_fail(cli, "%s: %s", path, strerror(errno));
        return false;
    }
    bool good = read_line(fd, out);
    close(fd);
    if (good && slice_ends(buf_slice(out), S("\r")))
        buf_truncate(out, out->len - 1);
    return good ||
           cli_fail(cli, "%s: no password of at most %d bytes", path, AUTH_MAX_SECRET) == CLI_OK;
}

bool cli_read_secret(const struct cli *cli, struct buf *out)
{
    return take_secret(cli, out, ask_twice);
}

bool cli_ask_secret(const struct cli *cli, struct buf *out)
{
    return take_secret(cli, out, ask_once);
}
