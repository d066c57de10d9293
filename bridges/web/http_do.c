/* SPDX-License-Identifier: ISC */
#include <openssl/crypto.h>
#include <qrencode.h>
#include <string.h>

#include "http_answer.h"
#include "wire/radix64.h"

/* --- one command */

static void command_done(struct request *request, json_t *result, const struct error *error)
{
    if (error != NULL)
        answer_error(request, error);
    else
        answer_json(request, MHD_HTTP_OK, json_pack("{s:O}", "done", result));
}

void command_do(struct request *request)
{
    if (json_object_get(request->input, "id") != NULL)
        answer_refusal(request, MHD_HTTP_BAD_REQUEST, ERROR_INVALID,
                       "a command here needs no \"id\": its answer is that of the request");
    else
        request_do(request, request->input, command_done);
}

/* --- blobs: one piece is in memory at a time */

enum { BLOB_ID_SIZE = 64, BLOB_PIECE = 256 << 10 };

static bool is_blob_id(const char *id)
{
    return strlen(id) == BLOB_ID_SIZE && strspn(id, "0123456789abcdef") == BLOB_ID_SIZE;
}

static void ask_piece(struct request *request, request_then *then)
{
    request_do_new(request,
                   json_pack("{s:s,s:s,s:I,s:i}", "do", "blob", "blob", strrchr(request->path, '/') + 1,
                             "offset", (json_int_t)request->offset, "size", BLOB_PIECE),
                   then);
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

static void blob_begun(struct request *request, json_t *result, const struct error *error)
{
    uint8_t head[16] = {0};
    if (error != NULL) {
        answer_error(request, error);
        return;
    }
    request->flowing = take_piece(request, result);
    if (!request->flowing) {
        answer_refusal(request, MHD_HTTP_SERVICE_UNAVAILABLE, ERROR_INTERNAL,
                       "the blob cannot be read; try again later");
        return;
    }
    struct bytes piece = buffer_view(&request->piece);
    size_t size = piece.size < sizeof head ? piece.size : sizeof head;
    if (size > 0)
        memcpy(head, piece.data, size);
    struct MHD_Response *response =
        request->last_piece
            ? response_of(&request->piece)
            : MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 32 << 10, flow, request, NULL);
    answer_blob(request, response, bytes_of(head, size));
}

void blob_send(struct request *request)
{
    if (is_blob_id(strrchr(request->path, '/') + 1))
        ask_piece(request, blob_begun);
    else
        answer_refusal(request, MHD_HTTP_NOT_FOUND, ERROR_NOT_FOUND,
                       "a blob's id has 64 hex digits; see \"avatar\" of an account or a conversation");
}

/* --- QR codes */

enum { QR_TEXT_MAX = 2900 }; /* bytes; version 40 at level L holds 2953 */

static json_t *qr_rows(const QRcode *code)
{
    json_t *rows = json_array();
    char row[177 + 1]; /* modules of version 40 */
    for (int y = 0; y < code->width && code->width < (int)sizeof row; y++) {
        for (int x = 0; x < code->width; x++)
            row[x] = (code->data[y * code->width + x] & 1) != 0 ? '1' : '0';
        json_array_append_new(rows, json_stringn(row, (size_t)code->width));
    }
    OPENSSL_cleanse(row, sizeof row);
    return json_pack("{s:i,s:o}", "size", code->width, "rows", rows);
}

void qr_make(struct request *request)
{
    const char *text = NULL;
    if (json_unpack(request->input, "{s:s!}", "text", &text) != 0 || text[0] == '\0') {
        answer_refusal(request, MHD_HTTP_BAD_REQUEST, ERROR_INVALID, "a QR code needs {\"text\": text}");
        return;
    }
    QRcode *code = strlen(text) <= QR_TEXT_MAX ? QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L) : NULL;
    if (code == NULL) {
        answer_refusal(request, MHD_HTTP_BAD_REQUEST, ERROR_INVALID,
                       "the text does not fit a QR code: at most 2900 bytes");
        return;
    }
    answer_json(request, MHD_HTTP_OK, qr_rows(code));
    QRcode_free(code);
}
