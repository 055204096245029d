/*
 * signals.h - which signals a thread leaves to main.
 */
#ifndef GATEPOST_BASE_SIGNALS_H
#define GATEPOST_BASE_SIGNALS_H

#include <signal.h>

/*
 * All but those of faults: a fault in a thread that blocks its signal ends the process at once, and
 * no handler can say why.
 */
static inline void signals_but_faults(sigset_t *out)
{
    static const int faults[] = {SIGBUS, SIGSEGV, SIGABRT, SIGILL, SIGFPE, SIGTRAP};

    sigfillset(out);
    for (unsigned i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(out, faults[i]);
}

#endif
