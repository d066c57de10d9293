/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MAIL_FORWARD_H
#define RETROGATE_MAIL_FORWARD_H

#include <retrogate/gateway.h>
#include <uv.h>

/* Sends posts received on to a mail server, for accounts that gave an address: at least once, in their order.
 * The envelope has no sender, so nothing comes back; what the server refuses for good is noted in the log. */
struct forward;

/* `server`: "smtp://address:port", "smtps://address:port" or "lmtp:/path". `name`: of this server. */
struct forward *forward_open(uv_loop_t *loop, struct gateway *gateway, const char *server, const char *name,
                             struct error **error);
/* `closed` is called from the loop when nothing runs any more; `forward` is freed then. */
void forward_close(struct forward *forward, void (*closed)(void *arg), void *arg);

#endif
