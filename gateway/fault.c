#include "gateway/fault.h"

#include <signal.h>
#include <unistd.h>

#include "base/slice.h"
#include "store/store.h"

static const int signals[] = {SIGBUS, SIGSEGV, SIGABRT};

enum { N_SIGNALS = sizeof signals / sizeof *signals };

static struct sigaction before[N_SIGNALS]; /* the system's; a sanitizer's in tests */

static void say(struct slice text)
{
    if (write(STDERR_FILENO, text.ptr, text.len) < 0)
        return; /* nobody hears it */
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    say(number == SIGBUS
            ? S("gatepost: SIGBUS: the store's file could not be read: the disk failed, or the "
                "file is shorter than it was\n")
            : S("gatepost: a fault of the program, or a damaged store file, ended it\n"));
    say(S("gatepost: the store's pages are checked when it is opened next\n"));
    store_suspect();
    for (int i = 0; i < N_SIGNALS; i++)
        if (signals[i] == number)
            sigaction(number, &before[i], NULL);
    /* A real fault repeats itself at the return, now with the old action; what was sent does not.
     */
    if (info->si_code <= 0)
        raise(number);
}

void fault_watch(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

    for (int i = 0; i < N_SIGNALS; i++)
        sigaction(signals[i], &action, &before[i]);
}
