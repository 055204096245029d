/*
 * codepage.h - Windows code pages ([MS-UCODEREF] 2.2.1) and the charsets of mail.
 *
 * Threads    Pure functions: any thread.
 */
#ifndef GATEPOST_STORE_MAPI_CODEPAGE_H
#define GATEPOST_STORE_MAPI_CODEPAGE_H

#include "base/err.h"
#include "base/slice.h"

enum { CODEPAGE_ASCII = 20127, CODEPAGE_UTF8 = 65001 };

/* PidTagInternetCodepage of a charset; UTF-8's where it is none of those that have one. */
int codepage_of_charset(struct slice charset);

/* The charset of a code page, in lower case. ERR_UNSUPPORTED: none that we know. */
struct err codepage_charset(int codepage, struct slice *out) MUST_USE;

#endif
