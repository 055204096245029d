/*
 * props.h - MAPI properties in words, for the commands that show and set them.
 *
 * A property is written as PidTagSubject (or Subject), as 0x0037001F, or by its name as
 * PS_PUBLIC_STRINGS/Keywords:MultipleString, PSETID_Common/0x8503:Boolean or
 * {00062008-0000-0000-c000-000000000046}/0x8503:Boolean.
 */
#ifndef GATEPOST_GATEWAY_CLI_PROPS_H
#define GATEPOST_GATEWAY_CLI_PROPS_H

#include "store/property.h"

/* Without the type of a named one. In the arena. */
const char *props_label(struct store_read *rd, uint32_t tag, struct arena *in);

struct props_tag {
    uint32_t tag; /* of a named one only the type */
    bool named;
    struct store_prop_name name;
};
bool props_parse_tag(struct slice text, struct props_tag *out);

/*
 * A value of that type: numbers in decimal or 0x…, true or false, text as it is, binary and GUIDs
 * in hex, times as 2026-11-24T10:00:00Z; of a multiple one with ";" between.
 */
bool props_parse_value(uint16_t type, struct slice text, struct arena *in, struct prop_value *out);

#endif
