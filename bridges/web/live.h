/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WEB_LIVE_H
#define RETROGATE_WEB_LIVE_H

#include "site.h"

/* The live channels: libwebsockets on our loop. /api/1/live speaks the JSON form (protocol "retrogate.1"),
 * one text message each; /irc speaks IRC ("text.ircv3.net"), one line each.
 *
 * A handshake at /api/1/live brings the cookie, the page's token as a second protocol name "token.<64 hex
 * digits>", and an Origin that is ours; without them it is answered 403. The log-in itself is asked after
 * that, and a refused one closes with 4401, as does a session that ends. Further close codes: 4408 too slow,
 * 4429 too many (tries to log in, IRC clients), 1001 shutting down, 1003 binary, 1008 what no client should
 * do, 1009 too large, 1013 not now (locked vault, out of memory). What breaks RFC 6455, such as an unmasked
 * frame, closes with 1002 or 1007. */
struct live;
struct live *live_open(struct site *site, const struct web_options *options, struct error **error);
bool live_take(struct live *live, int fd, struct place *place); /* as front_takers says */
/* Ends its connections; `closed` from the loop. */
void live_close(struct live *live, void (*closed)(void *arg), void *arg);

#endif
