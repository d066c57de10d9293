/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_API_FEED_H
#define RETROGATE_API_FEED_H

#include "api/client.h"

/* The news of one account, for all clients of a carrier that follow it.
 *
 * Each follower stands at a change. A page is what was asked for behind a change with the session of one of
 * them; it goes to every follower that stands at that change when the answer comes, and moves it on. So
 * nothing is told twice or out of order, whoever pulled it, and those that stand together cost one pull and
 * one text. One that reads too slowly stays where it is, and pulls for itself when it can read again, until
 * it stands with others. Nothing is kept here but these positions. */

/* Joins the feed of the session's account, or goes to another place of it; feed_serve() begins. */
bool feed_follow(struct api_client *client, int64_t after, struct error **error);
void feed_more(struct api_client *client);  /* its session was told that there are changes */
void feed_serve(struct api_client *client); /* it can read now: pulls what it waits for */
/* Another one takes over what it was pulling. When the session has ended the client's is NULL already. */
void feed_leave(struct api_client *client);

#endif
