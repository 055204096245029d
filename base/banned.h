/*
 * banned.h - functions that make mistakes easy do not compile.
 *
 * Force-included into every source file by CMake, after the system headers that declare them.
 */
#ifndef GATEPOST_BASE_BANNED_H
#define GATEPOST_BASE_BANNED_H

/* clang-format off */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
/* clang-format on */

#pragma GCC poison strcpy strcat strncpy strncat stpcpy sprintf vsprintf gets
#pragma GCC poison strtok strtok_r atoi atol atoll atof
#pragma GCC poison gmtime localtime ctime asctime srand tmpnam mktemp

#endif
