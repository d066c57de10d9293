/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WEB_HTTP_H
#define RETROGATE_WEB_HTTP_H

#include "site.h"

/* The page's files and the API: libmicrohttpd, its epoll nested in our loop. */
struct http;
struct http *http_open(struct site *site, struct error **error);
bool http_take(struct http *http, int fd, struct place *place); /* as front_takers says */
/* How long a request may take to come, however its bytes drip, and its answer to be made and to go; defaults
 * 60 s and 10 min. */
void http_set_patience(struct http *http, uint64_t receive_ms, uint64_t answer_ms);
/* Ends its connections; `closed` from the loop. */
void http_close(struct http *http, void (*closed)(void *arg), void *arg);

#endif
