/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_BASE_MAP_H
#define RETROGATE_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

/* uthash with a keyed hash (SipHash-1-3, a key per process), because many keys here are chosen by strangers,
 * and without ending the process when memory runs out: after HASH_ADD check that the element's
 * hh.tbl is not NULL. Include this instead of <uthash.h>. */
uint32_t map_hash(const void *key, size_t size);

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((void)0)
#define HASH_FUNCTION(key, size, value) ((value) = map_hash((key), (size)))
#include <uthash.h>
#include <utlist.h>

#endif
