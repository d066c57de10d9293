/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_BRIDGES_H
#define RETROGATE_BRIDGES_H

#include <uv.h>

#include "config.h"
#include "mail/mail.h"

/* The bridges that the configuration switches on, and what they share: the certificate, IRC over WebSocket,
 * and what `status` tells of them. */
struct gateway;
struct bridges {
    struct gateway *gateway;
    struct irc *irc;
    struct web *web;
    struct mail *mail;
    size_t web_plain; /* of the web's listeners, the first ones are without TLS */
    enum mail_service mail_services[6 * CONFIG_LIST_MAX]; /* of its listeners, in their order */
    void (*closed)(void *arg);
    void *arg;
};

/* On false, what was opened before stays until bridges_close(). */
bool bridges_open(struct bridges *bridges, uv_loop_t *loop, struct gateway *gateway,
                  const struct config *config, struct error **error);
/* Reads the certificate again, for connections from now on; on false nothing has changed. */
bool bridges_reload(struct bridges *bridges, const struct config *config, struct error **error);
/* Also when none is open: `closed` follows, perhaps before this returns. */
void bridges_close(struct bridges *bridges, void (*closed)(void *arg), void *arg);

#endif
