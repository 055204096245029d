/*
 * fault.h - what the program does when it is ended by a fault of its own or of the disk.
 *
 * The store is read through a map of its file: a sector that cannot be read, a file that was cut
 * short and pages that are damaged end the process with a signal. The next start must not walk
 * into the same pages: it looks at all of them first.
 */
#ifndef GATEPOST_GATEWAY_FAULT_H
#define GATEPOST_GATEWAY_FAULT_H

/* From here on SIGBUS, SIGSEGV and SIGABRT say what to do, mark open stores, and end the process.
 */
void fault_watch(void);

#endif
