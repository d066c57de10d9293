/* SPDX-License-Identifier: ISC */
#include <openssl/crypto.h>
#include <qrencode.h>
#include <string.h>

#include "http_answer.h"

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

/* --- blobs */

enum { BLOB_ID_SIZE = 64 };

static bool is_blob_id(const char *id)
{
    return strlen(id) == BLOB_ID_SIZE && strspn(id, "0123456789abcdef") == BLOB_ID_SIZE;
}

void blob_send(struct request *request)
{
    const char *id = strrchr(request->path, '/') + 1;
    if (is_blob_id(id))
        flow_send(request, json_pack("{s:s,s:s}", "do", "blob", "blob", id), answer_blob);
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
