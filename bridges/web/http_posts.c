/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "disposition.h"
#include "http_answer.h"
#include "wire/radix64.h"

/* Posts as files: attachments and whole messages out, bytes for new posts in. */

/* --- out */

/* Of the answers here: the file's name and type. */
static void answer_shown(struct request *request, struct MHD_Response *response, struct bytes head)
{
    const char *name = json_string_value(json_object_get(request->shown, "name")),
               *type = json_string_value(json_object_get(request->shown, "type"));
    (void)head;
    answer_file(request, response, type != NULL ? type : "", name != NULL ? name : "");
}

static void part_listed(struct request *request, json_t *result, const struct error *error)
{
    size_t index;
    json_t *part;
    if (error != NULL) {
        answer_error(request, error);
        return;
    }
    json_array_foreach(json_object_get(result, "parts"), index, part)
    {
        if (json_integer_value(json_object_get(part, "part")) != request->numbers[1])
            continue;
        request->shown = json_incref(part);
        flow_send(request,
                  json_pack("{s:s,s:I,s:I}", "do", "post.part", "seq", request->numbers[0], "part",
                            request->numbers[1]),
                  answer_shown);
        return;
    }
    const char *verdict = json_string_value(json_object_get(result, "verdict"));
    if (verdict != NULL && strcmp(verdict, "locked") == 0)
        answer_refusal(request, MHD_HTTP_SERVICE_UNAVAILABLE, ERROR_LOCKED,
                       "this post is not opened yet: unlock the vault first");
    else
        answer_refusal(request, MHD_HTTP_NOT_FOUND, ERROR_NOT_FOUND,
                       "this post has no such part; post.show lists them");
}

void post_part_send(struct request *request)
{
    request_do_new(request, json_pack("{s:s,s:I}", "do", "post.show", "seq", request->numbers[0]),
                   part_listed);
}

void post_message_send(struct request *request)
{
    char name[32];
    snprintf(name, sizeof name, "post-%lld.eml", (long long)request->numbers[0]);
    request->shown = json_pack("{s:s,s:s}", "name", name, "type", "message/rfc822");
    flow_send(request, json_pack("{s:s,s:I}", "do", "post.read", "seq", request->numbers[0]), answer_shown);
}

/* --- in: what has come waits in request->piece until it is worth a command, and the connection while that is
 * answered */

enum { PIECE = 256 << 10 };

static void opened(struct request *request, json_t *result, const struct error *error)
{
    if (error != NULL) {
        answer_error(request, error);
        return;
    }
    request->upload = json_integer_value(json_object_get(result, "upload"));
    request_resume(request);
}

void uploading_begin(struct request *request)
{
    request->piece.secret = true;
    request_do_new(request, json_pack("{s:s}", "do", "upload.open"), opened);
}

static void write_piece(struct request *request, request_then *then)
{
    struct buffer text = buffer_make(PIECE * 2);
    text.secret = true;
    const char *data = radix64_encode(&text, buffer_view(&request->piece)) ? buffer_string(&text) : NULL;
    json_t *command = json_pack("{s:s,s:I,s:s,s:I}", "do", "upload.write", "upload", request->upload, "data",
                                data, "offset", (json_int_t)request->offset);
    request->offset += buffer_size(&request->piece);
    buffer_clear(&request->piece);
    buffer_free(&text);
    request_do_new(request, command, then);
}

static void written(struct request *request, json_t *result, const struct error *error)
{
    (void)result;
    if (error != NULL)
        answer_error(request, error);
    else
        request_resume(request);
}

bool uploading_take(struct request *request, const void *data, size_t *size)
{
    size_t room = PIECE - buffer_size(&request->piece), taken = *size < room ? *size : room;
    if (!buffer_append(&request->piece, data, taken))
        return false;
    *size -= taken;
    if (taken == room)
        write_piece(request, written);
    return true;
}

static void kept(struct request *request, json_t *result, const struct error *error)
{
    if (error != NULL)
        answer_error(request, error);
    else
        answer_json(request, MHD_HTTP_OK, json_incref(result));
}

/* From here on it is the account's: this session ends with the request. */
static void keep(struct request *request, json_t *result, const struct error *error)
{
    (void)result;
    if (error != NULL)
        answer_error(request, error);
    else
        request_do_new(request, json_pack("{s:s,s:I}", "do", "upload.keep", "upload", request->upload), kept);
}

void uploading_end(struct request *request)
{
    write_piece(request, keep); /* also of nothing: an attachment may be empty */
}
