/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_API_CLIENT_H
#define RETROGATE_API_CLIENT_H

#include "api/api.h"
#include "api/text.h"

/* What the files of this room share of a client. */

enum { CLIENT_MAGIC = 0x61706963 };

struct feed;

/* Where a client that follows stands. Zeros: it does not follow. */
struct follower {
    struct feed *feed;
    int64_t at;                               /* the change up to which it was told */
    int64_t epoch;                            /* it was told last; -1: none yet */
    int64_t from;                             /* its pull under way, */
    uint64_t pull;                            /* its token, 0: none */
    bool hungry;                              /* there may be changes behind `at` */
    bool again;                               /* changes came while the pull was under way */
    struct api_client *prev, *next;           /* those of the feed */
    struct api_client *pull_prev, *pull_next; /* those of the feed with a pull under way */
};

struct api_client {
    uint32_t magic;
    uint16_t open; /* commands under way */
    bool more;     /* {"more": true} is due when the output went down */
    bool ended;    /* io->end() was called */
    struct api *api;
    struct gateway_session *session; /* NULL when it ended */
    const struct api_io *io;
    void *arg;
    struct command *commands;
    struct follower follower;
};

struct api {
    struct feed *feeds;    /* by account */
    struct api_text *more; /* {"more": true} */
};

void api_client_send(struct api_client *client, struct api_text *text);
void api_client_end(struct api_client *client, const char *reason);
bool api_client_slow(const struct api_client *client); /* so much is unsent that news waits; or it ended */

#endif
