/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_LOCAL_H
#define RETROGATE_CORE_LOCAL_H

#include "core/state.h"

/* Two accounts of one gateway: a node never answers its own tunnel request, so they are joined here. A hash
 * that one of them serves and the other seeks gives them one tunnel. */

bool local_is(uint64_t tunnel);
/* True when the other side of this hash is on this gateway; both owners then have a tunnel. */
bool local_join(struct owned_hash *entry);
void local_part(struct owned_hash *entry, const char *reason);
/* For all hashes of the owner. */
bool local_connect(struct hash_owner *owner);
void local_disconnect(struct hash_owner *owner, const char *reason);
/* One tunnel. */
void local_close(struct gateway *gateway, uint64_t tunnel, const char *reason);
void local_send(const struct hash_owner *from, uint64_t tunnel, struct bytes payload);
/* Joins what is sought and served on this gateway and was given up meanwhile. */
void local_meet_all(struct gateway *gateway);

#endif
