/* logon_props.h - properties of a Logon object that the store does not have: [MS-OXCSTOR] 2.2.2.1.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_LOGON_PROPS_H
#define GATEPOST_PROTOCOLS_MAPI_LOGON_PROPS_H

#include "protocols/mapi/props.h"

enum { LOGON_PROPS_MAX = 24 };

/* EC_NOT_FOUND: it is none of these, or of another type. */
uint32_t logon_prop_get(struct props *props, uint32_t tag, struct store_prop *out);

/* The tag of each, for i below LOGON_PROPS_MAX; 0 where there is none. */
uint32_t logon_prop_tag(size_t i);

/* Is it one of these, and not a client's to set? */
bool logon_prop_is_fixed(uint32_t tag);

#endif
