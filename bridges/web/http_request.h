/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WEB_HTTP_REQUEST_H
#define RETROGATE_WEB_HTTP_REQUEST_H

#include <jansson.h>
#include <microhttpd.h>

#include "entry.h"
#include "setup.h"

/* One request, from its head to the end of its answer. What the gateway must say first is asked while the
 * connection is suspended; the chain is: checks of the head, log-in, body, act, answer. */

struct request;
struct api_route;

/* The header fields that are read; others are not looked at. */
enum field {
    FIELD_HOST,
    FIELD_ORIGIN,
    FIELD_COOKIE,
    FIELD_AUTHORIZATION,
    FIELD_TOKEN,
    FIELD_FETCH_SITE,
    FIELD_CONTENT_TYPE,
    FIELD_CONTENT_LENGTH,
    FIELD_TRANSFER_ENCODING,
    FIELD_UPGRADE,
    FIELD_IF_NONE_MATCH,
    FIELD_ACCEPT_ENCODING,
    FIELD_USER_AGENT,
    FIELD_COUNT,
};

enum request_stage {
    REQUEST_HEAD, /* it is looked at, and who sends it is logged in */
    REQUEST_BODY,
    REQUEST_ACTS, /* all of it has come */
};

/* The gateway's answer to what was asked last: `result` is borrowed, NULL with an error. */
typedef void request_then(struct request *request, json_t *result, const struct error *error);
/* Takes the response; `head` is how what it holds begins. */
typedef void flow_answer(struct request *request, struct MHD_Response *response, struct bytes head);

enum { FLOW_HEAD = 16, PATH_NUMBERS = 2 };

struct request {
    uint32_t magic;
    struct http *http;
    struct site *site;
    struct setup *setup;
    struct MHD_Connection *connection;
    const struct place *place;
    const struct api_route *route; /* NULL: a page */
    const char *path;
    json_int_t numbers[PATH_NUMBERS]; /* in the path */
    struct bytes fields[FIELD_COUNT]; /* {NULL, 0}: absent */
    bool repeated;                    /* one of them came more than once */
    enum request_stage stage;
    bool suspended;
    bool keep;    /* the browser is to stay signed in */
    bool drop;    /* the cookie it came with is dead: the answer removes it */
    bool flowing; /* what comes in several pieces is under way */
    struct buffer body;
    json_t *input;  /* the body as JSON; NULL when none is due */
    json_t *shown;  /* what an answer is built from, step by step */
    json_t *source; /* the command that gives the pieces of an answer */
    flow_answer *flow_answer;
    json_int_t upload; /* where a body goes that is not JSON */
    struct entry entry;
    struct gateway_session *session;
    uint64_t ticket, token, setup_ticket; /* what is asked and not answered; 0: none */
    request_then *then;
    struct buffer piece; /* of what is sent, or of what comes */
    uint64_t offset;     /* behind it */
    bool last_piece;
    bool answered;
    unsigned status;
    struct MHD_Response *response; /* NULL although answered: there was no memory */
    struct request *prev, *next;
};

struct request *request_new(struct site *site, struct setup *setup, struct MHD_Connection *connection,
                            const struct place *place, const char *path, const char *method);
/* It is answered before its body, which is too long to be read. */
bool request_early(const struct request *request);
/* Its answer or its body may take as long as the connection is good for. */
bool request_is_long(const struct request *request);
/* Leaves in *size what was not taken, while the gateway has to answer first: see request_asks(). */
bool request_body(struct request *request, const void *data, size_t *size);
bool request_asks(const struct request *request);
void request_act(struct request *request);    /* when all of it has come */
void request_cancel(struct request *request); /* asks nothing any more; a suspended one goes on */
void request_free(struct request *request);

/* http.c: the connection waits until something is answered, and goes on. */
void request_suspend(struct request *request);
void request_resume(struct request *request);

/* Each asks the gateway and calls `then` from the loop, or at once when it cannot be asked. */
void request_login(struct request *request, const char *password, request_then *then);
void request_operator(struct request *request, request_then *then);
void request_do(struct request *request, const json_t *command, request_then *then);
void request_do_new(struct request *request, json_t *command, request_then *then); /* takes the command */
void request_logout(struct request *request);

/* Sends what a command gives in pieces, "data" and "end" from "offset" on. Takes the command; `answer` makes
 * the answer when the first piece is there. */
void flow_send(struct request *request, json_t *command, flow_answer *answer);

/* http_session.c, http_do.c, http_posts.c: what the routes do. */
void session_show(struct request *request);
void session_begin(struct request *request);
void session_close(struct request *request);
void session_first(struct request *request);
void command_do(struct request *request);
void blob_send(struct request *request);
void qr_make(struct request *request);
void post_part_send(struct request *request);
void post_message_send(struct request *request);
void uploading_begin(struct request *request);
bool uploading_take(struct request *request, const void *data, size_t *size);
void uploading_end(struct request *request);

#endif
