/* access_int.h - what the files of access.h share with making folders and with verification. */
#ifndef GATEPOST_STORE_ACCESS_INT_H
#define GATEPOST_STORE_ACCESS_INT_H

#include "store/access.h"
#include "store/folder_int.h"

/* ERR_CORRUPT. What is decoded is lent by the value. */
struct err receive_decode(struct slice value, struct store_receive_folder *out) MUST_USE;
struct err permissions_decode(struct slice value, struct arena *in, struct store_permission **out,
                              size_t *n) MUST_USE;
struct err replicas_decode(struct slice value, struct slice *guids) MUST_USE;
struct err criteria_decode(struct slice value, struct arena *in,
                           struct store_search_criteria *out) MUST_USE;

#endif
