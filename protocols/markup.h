/*
 * markup.h - the characters of text that HTML and XML would take for their own.
 *
 * Threads    Pure: any thread.
 */
#ifndef GATEPOST_PROTOCOLS_MARKUP_H
#define GATEPOST_PROTOCOLS_MARKUP_H

#include <stddef.h>
#include <stdint.h>

/* What stands for it, in text and in quoted attributes; NULL: it stands for itself. */
static inline const char *markup_entity(uint8_t c)
{
    switch (c) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    default:
        return NULL;
    }
}

#endif
