/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "http_answer.h"
#include "wire/radix64.h"

/* What a command gives in pieces, sent as they come: one is in memory at a time. */

enum { PIECE = 256 << 10 };

static void ask_piece(struct request *request, request_then *then)
{
    json_object_set_new(request->source, "offset", json_integer((json_int_t)request->offset));
    json_object_set_new(request->source, "size", json_integer(PIECE));
    request_do(request, request->source, then);
}

/* False: the gateway's answer is none that can be sent on. */
static bool take_piece(struct request *request, const json_t *result)
{
    const json_t *data = json_object_get(result, "data");
    buffer_clear(&request->piece);
    request->last_piece = json_is_true(json_object_get(result, "end"));
    if (!json_is_string(data) ||
        !radix64_decode(&request->piece, bytes_of(json_string_value(data), json_string_length(data))))
        return false;
    request->offset += buffer_size(&request->piece);
    return request->last_piece || buffer_size(&request->piece) > 0;
}

static void flow_on(struct request *request, json_t *result, const struct error *error)
{
    request->flowing = error == NULL && take_piece(request, result);
    request_resume(request);
}

static ssize_t flow(void *arg, uint64_t position, char *into, size_t most)
{
    struct request *request = arg;
    struct bytes piece = buffer_view(&request->piece);
    (void)position;
    if (piece.size > 0) {
        size_t size = piece.size < most ? piece.size : most;
        memcpy(into, piece.data, size);
        buffer_consume(&request->piece, size);
        return (ssize_t)size;
    }
    if (!request->flowing)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (request->last_piece)
        return MHD_CONTENT_READER_END_OF_STREAM;
    /* Suspended first: the answer may be there at once. */
    request_suspend(request);
    ask_piece(request, flow_on);
    return 0;
}

static void flow_begun(struct request *request, json_t *result, const struct error *error)
{
    uint8_t head[FLOW_HEAD] = {0};
    if (error != NULL) {
        answer_error(request, error);
        return;
    }
    request->flowing = take_piece(request, result);
    if (!request->flowing) {
        answer_refusal(request, MHD_HTTP_SERVICE_UNAVAILABLE, ERROR_INTERNAL,
                       "this cannot be read; try again later");
        return;
    }
    struct bytes piece = buffer_view(&request->piece);
    size_t size = piece.size < sizeof head ? piece.size : sizeof head;
    if (size > 0)
        memcpy(head, piece.data, size);
    request->flow_answer(request,
                         request->last_piece ? response_of(&request->piece)
                                             : MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 32 << 10,
                                                                                 flow, request, NULL),
                         bytes_of(head, size));
}

void flow_send(struct request *request, json_t *command, flow_answer *answer)
{
    json_decref(request->source);
    request->source = command;
    request->flow_answer = answer;
    ask_piece(request, flow_begun);
}
