/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CONTROL_CONTROL_H
#define RETROGATE_CONTROL_CONTROL_H

#include <retrogate/gateway.h>
#include <uv.h>

/* The control socket: a Unix socket on which each connection is an operator's session and speaks the JSON
 * form in lines (include/retrogate/api.md). Whoever may open the file is the operator; its mode and folder
 * are the authentication.
 *
 * Limits: 32 connections; a line of 1 MiB; 64 commands without an answer, after which reading waits. A client
 * that does not read loses hints above 256 KiB unsent and is dropped above 4 MiB. */
struct control;

/* `mode` is that of the file, 0600 or 0660. NULL and an error when the path cannot be listened on. */
struct control *control_open(uv_loop_t *loop, const char *path, unsigned mode, struct gateway *gateway,
                             struct error **error);
/* Logs the sessions out at once, so that the gateway may end; the rest is freed on the loop. */
void control_close(struct control *control);

#endif
