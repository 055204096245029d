/*
 * section.h - what a FETCH item names between its brackets: "1.2.HEADER.FIELDS (DATE FROM)".
 *
 * RFC 3501 6.4.5, RFC 9051 6.4.5; RFC 3516 for BINARY, which takes part numbers alone.
 *
 * Threads    Pure functions over memory.
 * Ownership  A section lives in the arena of its command.
 */
#ifndef GATEPOST_PROTOCOLS_IMAP_SECTION_H
#define GATEPOST_PROTOCOLS_IMAP_SECTION_H

#include "protocols/imap/imap_int.h"

enum section_text {
    SECTION_ALL, /* all of the message or part */
    SECTION_HEADER,
    SECTION_FIELDS,
    SECTION_FIELDS_NOT,
    SECTION_TEXT,
    SECTION_MIME,
};

struct section {
    enum section_text text;
    const uint32_t *path; /* {1, 2} is "1.2" */
    size_t n_path;
    const struct slice *fields;
    size_t n_fields;
};

/*
 * Take a section and its "]" off the arguments; the "[" has been taken. `numbers_only`: BINARY.
 * False: c->complaint says what is wrong.
 */
bool section_parse(struct imap_cmd *c, bool numbers_only, struct section *out);

/* " (DATE FROM)" */
bool section_parse_fields(struct imap_cmd *c, struct section *out);

/* The section as the answer repeats it, without the brackets. */
void section_put(const struct section *section, struct buf *out);

/* Is it found from the header's length alone, or does it take the table of the parts? */
static inline bool section_needs_parts(const struct section *section)
{
    return section->n_path > 0;
}

/*
 * The bytes that a section is made of: of SECTION_FIELDS the header they are picked from.
 * `parts` may be NULL where section_needs_parts() is false. *part is the index of the part that
 * the numbers name. False: the message has no such section.
 */
bool section_find(const struct section *section, const struct mime *parts, uint64_t size,
                  uint32_t header_len, uint32_t *part, struct mime_range *range);

/* The fields of `header` that the section asks for, and the empty line. */
void section_put_fields(const struct section *section, struct slice header, struct buf *out);

#endif
