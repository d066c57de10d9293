/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_KEYRING_HOME_H
#define RETROGATE_KEYRING_HOME_H

#include "base/buffer.h"
#include "base/error.h"
#include "crypto/openpgp.h"

/* The folders of GnuPG. A secret home holds one secret key and, as `block`, its portable public block; the
 * verify home holds one public block at a time and never a secret. The agent's socket lies in the home, so
 * paths are short. */

enum { HOME_PATH_SIZE = 101 };

/* <directory>/<name>; the name was checked with home_is_good() or is ours. */
bool home_path(char out[HOME_PATH_SIZE], const char *directory, struct bytes name, struct error **error);
bool home_exists(const char *path);
/* Makes a secret home with its configuration. ERROR_EXISTS when it exists. */
bool home_make(const char *path, struct error **error);
/* Makes the verify home anew. */
bool home_make_verify(const char *path, struct error **error);
/* Ends its agent and deletes it with all that is in it. */
bool home_remove(const char *path, struct error **error);

/* Puts a file in a home in the place of an old one; `durable` waits for the disk. */
bool home_write(const char *path, const char *file, struct bytes data, bool durable, struct error **error);
/* Reads `block` of a home; `key` has views into `block`. */
bool home_read_block(const char *path, struct buffer *block, struct openpgp_key *key, struct error **error);

/* What a killed worker left in its homes: agents end by themselves when their socket is gone; a home without
 * a block was never finished. */
void home_sweep(const char *directory, unsigned index, unsigned workers);
/* Ends the agents of this worker's homes. */
void home_end_agents(const char *directory, unsigned index, unsigned workers);

#endif
