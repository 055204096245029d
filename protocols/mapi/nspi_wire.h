/*
 * nspi_wire.h - the bodies of the address book's requests and responses ([MS-OXCMAPIHTTP] 2.2.5).
 *
 * A body is a list of fields, of which many may be missing: a byte in front says whether they are
 * there. Its layout is a string with a letter for each field, the auxiliary buffer at its end
 * apart:
 *
 *   requests                             responses, behind StatusCode and ErrorCode
 *   f  Flags, or what is reserved        g  ServerGuid
 *   s  State, if there                   p  CodePage
 *   v  Version, if there                 s  State, if there
 *   m  MinimalIds, if there              v  Version, if there
 *   M  MinimalIds, always                m  MinimalIds, if there
 *   i  a number that nobody looks at     t  PropertyTags, if there
 *   F  Filter, if there                  l  a list of values, if there
 *   N  PropertyName, if there            L  such lists with their count, if there
 *   r  a number: number[0]               C  Columns and rows, if there
 *   x  a number: number[1]               d  Delta, if there
 *   c  Columns, if there                 n  a number
 *   a  8-bit names, if there             u  a URL
 *   w  names, if there
 *   t  Target, if there
 *   d  DeltaRequested
 *   u  a distinguished name
 *   b  an 8-bit name, if there
 *   e  EntryIds, if there
 *   l  a list of values, if there
 *
 * Threads    Plain memory: any thread.
 * Ownership  What is read lives in the arena of the wire, or points into its bytes.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_NSPI_WIRE_H
#define GATEPOST_PROTOCOLS_MAPI_NSPI_WIRE_H

#include "protocols/mapi/value.h"

/* Where a client is in a table of a container ([MS-OXNSPI] 2.2.8). */
struct nspi_stat {
    uint32_t sort_type, container, current;
    int32_t delta;
    uint32_t position, total, codepage, template_locale, sort_locale;
};

/* What every server has ([MS-OXNSPI] 2.2.1.3) */
enum { CODEPAGE_TELETEX = 20261, CODEPAGE_UNICODE = 1200 };

struct nspi_numbers {
    const uint32_t *items;
    size_t n;
};

struct nspi_request {
    uint32_t flags, version, number[2];
    bool has_state, has_version, has_mids, has_filter, has_columns, has_target;
    bool delta_requested;
    struct nspi_stat state;
    struct nspi_numbers mids, columns;
    struct restriction filter;
    const struct slice *names; /* UTF-8, or as they came where they have 8 bits */
    size_t n_names;
    struct prop target;
};

/*
 * ERR_SYNTAX: malformed, or bytes behind its end. ERR_LIMIT, ERR_UNSUPPORTED: a filter that
 * is nested too deep, or of an unknown kind; what is behind the filter was not read.
 */
struct err nspi_request_read(struct slice body, const char *layout, struct arena *in,
                             struct nspi_request *out) MUST_USE;

struct nspi_row { /* a row of columns, or a list of values with their tags */
    const struct prop *values;
    size_t n;
};

struct nspi_response {
    const uint8_t *guid;
    uint32_t codepage, version, number;
    int32_t delta;
    bool has_state, has_version, has_mids, has_tags, has_rows, has_delta;
    struct nspi_stat state;
    struct nspi_numbers mids, tags, columns;
    const struct nspi_row *rows;
    size_t n_rows;
    struct slice url;
};

/* The form of values in these bodies; `codepage` is of 8-bit text. */
struct value_form nspi_form(uint32_t codepage);

/* A whole body of success, also where `error_code` says that there is nothing in it. */
void nspi_response_put(struct buf *out, const char *layout, uint32_t error_code,
                       const struct nspi_response *response);

/* How many bytes a row takes at most ([MS-OXCMAPIHTTP] 2.2.1.7). */
size_t nspi_row_size(const struct nspi_row *row);

#endif
