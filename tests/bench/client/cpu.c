#include "tests/bench/client/client.h"

#include <dirent.h>
#include <time.h>
#include <unistd.h>

/* Fields of /proc/PID/stat that count: parent, cutime + cstime in ticks. */
static bool read_stat(pid_t pid, pid_t *parent, uint64_t *ended_ticks)
{
    char path[64], text[1024];
    unsigned long cutime, cstime;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = 0;
    char *behind = strrchr(text, ')'); /* the name before it may hold anything */
    int ppid;
    if (!behind || sscanf(behind + 2, "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %lu %lu",
                          &ppid, &cutime, &cstime) != 3)
        return false;
    *parent = ppid;
    *ended_ticks = cutime + cstime;
    return true;
}

static bool descends(pid_t pid, pid_t from)
{
    for (int depth = 0; pid > 1 && depth < 32; depth++) {
        uint64_t ticks;

        if (pid == from)
            return true;
        if (!read_stat(pid, &pid, &ticks))
            return false;
    }
    return false;
}

static double cpu_seconds_of(pid_t pid)
{
    clockid_t id;
    struct timespec used;
    pid_t parent;
    uint64_t ticks;

    if (clock_getcpuclockid(pid, &id) != 0 || clock_gettime(id, &used) != 0 ||
        !read_stat(pid, &parent, &ticks))
        return 0;
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9 +
           (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

double cpu_seconds_of_tree(pid_t root)
{
    double sum = 0;
    DIR *proc = root ? opendir("/proc") : NULL;

    if (!proc)
        return 0;
    for (struct dirent *entry; (entry = readdir(proc));) {
        uint32_t pid;

        if (slice_to_u32(slice_str(entry->d_name), &pid) && descends((pid_t)pid, root))
            sum += cpu_seconds_of((pid_t)pid);
    }
    closedir(proc);
    return sum;
}
