/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CONTROL_CTL_CLIENT_H
#define RETROGATE_CONTROL_CTL_CLIENT_H

#include <jansson.h>

#include "base/error.h"

/* The blocking end of a control socket. */
struct ctl_client;

/* $XDG_RUNTIME_DIR/retrogate/control.sock, for root /run/retrogate/control.sock. */
bool ctl_client_default_path(char *out, size_t size, struct error **error);
/* ERROR_UNAVAILABLE, with what to do, when nobody answers there. */
struct ctl_client *ctl_client_open(const char *path, struct error **error);
void ctl_client_close(struct ctl_client *client); /* NULL is fine */

/* Gives a command (borrowed) and waits for its answer; *result is owned. `*lost` tells whether the daemon is
 * gone, apart from its saying no. Hints that come meanwhile are dropped. */
bool ctl_client_do(struct ctl_client *client, json_t *command, json_t **result, bool *lost,
                   struct error **error);
/* The next line, whatever it is. *value is NULL when `wait_ms` (-1: no limit) passed without one. */
bool ctl_client_next(struct ctl_client *client, int wait_ms, json_t **value, struct error **error);

#endif
