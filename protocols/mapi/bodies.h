/*
 * bodies.h - bodies of a message that are made of another one that it has ([MS-OXCMSG] 2.2.1.58).
 *
 * A message has one best body; a client may ask for it as text, as HTML or as RTF.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_BODIES_H
#define GATEPOST_PROTOCOLS_MAPI_BODIES_H

#include "protocols/mapi/props.h"

/*
 * PidTagBody, PidTagHtml (as bytes or as text), PidTagRtfCompressed, PidTagRtfInSync and
 * PidTagNativeBody of a message that does not have the one. EC_NOT_FOUND: it is none of these, or
 * there is nothing that it could be made of.
 */
uint32_t bodies_make(struct props *props, uint32_t tag, struct store_prop *out);

#endif
