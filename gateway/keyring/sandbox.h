/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_KEYRING_SANDBOX_H
#define RETROGATE_KEYRING_SANDBOX_H

#include "base/error.h"

/* Takes from this process, and from gpg and gpg-agent that it starts, what they do not need: core dumps,
 * tracing, new privileges, large files, and by a system-call filter the network and the kernel's
 * administration. What they leave running becomes a child of this process. */
bool sandbox_enter(struct error **error);

#endif
