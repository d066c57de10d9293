/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WEB_HTTP_ANSWER_H
#define RETROGATE_WEB_HTTP_ANSWER_H

#include "http_request.h"
#include "pages.h"

/* Answers of a request, each with the fields that keep a browser strict. Only the first one counts. */

void answer_page(struct request *request, const struct page *page);
void answer_text(struct request *request, unsigned status, const char *text);
void answer_json(struct request *request, unsigned status, json_t *value); /* takes the value */
void answer_empty(struct request *request, unsigned status);
/* {"error": {"code", "text"}}; below /api only, otherwise the text alone. */
void answer_refusal(struct request *request, unsigned status, enum error_code code, const char *text);
/* The same, with the status that belongs to the code. */
void answer_error(struct request *request, const struct error *error);
/* Of a log-in: what is denied is 401. */
void answer_login_error(struct request *request, const struct error *error);
/* Bytes of unknown kind or a picture, never to be run. Takes the response. */
void answer_blob(struct request *request, struct MHD_Response *response, struct bytes head);
/* A file of somebody else's, to be saved and never to be run. Takes the response. */
void answer_file(struct request *request, struct MHD_Response *response, const char *type, const char *name);
struct MHD_Response *response_of(struct buffer *contents); /* takes the contents, wipes them when sent */
/* Adds a field to the answer that was given. */
void answer_cookie(struct request *request, const struct entry *entry, unsigned keep_s);
void answer_field(struct request *request, const char *name, const char *value);

#endif
