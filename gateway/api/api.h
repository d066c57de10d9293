/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_API_API_H
#define RETROGATE_API_API_H

#include <retrogate/gateway.h>

#include "base/bytes.h"

/* One client that speaks the JSON form (include/retrogate/api.md), without its socket: whole messages come
 * in, whole messages go out. The control socket and the WebSocket are two ways to carry them. */

enum {
    API_MESSAGE_MAX = 1 << 20, /* bytes of one message, either way */
    API_HEADROOM = 16,         /* writable bytes in front of a text, for a carrier's frame */
    API_OPEN_MAX = 64,         /* commands of one client that may wait for their answers */
    API_QUEUE_MAX = 256 << 10, /* with this much unsent, hints are left out and news waits */
};

/* A message on its way out, shared by all clients that get it. Behind the text stands a line feed that is not
 * part of it. A text that may hold a secret is wiped when the last reference goes. */
struct api_text;
struct bytes api_text_bytes(const struct api_text *text);
struct api_text *api_text_hold(struct api_text *text);
void api_text_release(struct api_text *text);

/* None of these may free the client, or another one of the same api: that is for later, from the loop. After
 * end() none is called any more. */
struct api_io {
    void (*send)(void *arg, struct api_text *text); /* borrowed: api_text_hold() what is kept */
    size_t (*queued)(void *arg);                    /* bytes not yet given to the system */
    void (*hold)(void *arg, bool on);               /* stop, and go on, giving input */
    void (*end)(void *arg, const char *reason);     /* send what is queued, then close */
};

/* What the clients of one carrier share: the feed of each account. One of its clients pulls news once; all
 * that follow and are up to date are sent the same text. */
struct api;
struct api *api_new(void);      /* NULL without memory */
void api_free(struct api *api); /* when no client is left */

/* Takes the session: logs it out when the client is freed. On NULL (no memory) the session is logged out. */
struct api_client;
struct api_client *api_client_new(struct api *api, struct gateway_session *session, const struct api_io *io,
                                  void *arg);
void api_client_free(struct api_client *client);

/* One message, without a line feed. Answers may be sent before this returns. What comes in spite of hold() is
 * refused. */
void api_client_input(struct api_client *client, struct bytes message);
/* Tells of a message that could not be taken. */
void api_client_refuse(struct api_client *client, const struct error *error);
/* Less than API_QUEUE_MAX waits again. To be called whenever queued() was not below it and now is: nothing
 * else goes on with the news. */
void api_client_drained(struct api_client *client);

#endif
