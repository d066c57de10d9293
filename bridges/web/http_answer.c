/* SPDX-License-Identifier: ISC */
#include "http_answer.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disposition.h"
#include "fields.h"

enum { ANSWER_MAX = 2 << 20, POLICY_SIZE = 1280, DISPOSITION_MOST = 1024 };

static const char page_cache[] = "no-cache", api_cache[] = "no-store",
                  inert[] = "default-src 'none'; sandbox";

void answer_field(struct request *request, const char *name, const char *value)
{
    if (request->response != NULL)
        MHD_add_response_header(request->response, name, value);
}

void answer_cookie(struct request *request, const struct entry *entry, unsigned keep_s)
{
    struct buffer cookie = buffer_make(512);
    cookie.secret = true;
    const char *text =
        entry_cookie_write(&cookie, request->place, entry, keep_s) ? buffer_string(&cookie) : NULL;
    if (text != NULL)
        answer_field(request, "Set-Cookie", text);
    buffer_free(&cookie);
}

static void free_wiped(void *memory)
{
    struct buffer *contents = memory;
    buffer_free(contents);
    free(contents);
}

/* The library does not write to what it sends; its argument is not const by history. */
static void *as_argument(const uint8_t *data)
{
    return (void *)(uintptr_t)data;
}

struct MHD_Response *response_of(struct buffer *contents)
{
    struct buffer *held = malloc(sizeof *held);
    struct MHD_Response *response = NULL;
    struct bytes view = buffer_view(contents);
    contents->secret = true;
    if (held != NULL && !contents->failed)
        response = MHD_create_response_from_buffer_with_free_callback_cls(view.size, as_argument(view.data),
                                                                          free_wiped, held);
    if (response != NULL) {
        *held = *contents;
        *contents = buffer_make(0);
    } else {
        free(held);
        buffer_free(contents);
    }
    return response;
}

/* style-src-attr: the frame that shows the HTML of a post inherits this policy, and its subset of HTML keeps
 * the looks of elements. Markup gets into the page itself nowhere: trusted types are required. connect-src:
 * 'self' alone would not let every browser open the WebSocket. The Host was checked (an unknown one is
 * forgotten), and has no byte that means something here. In plain a proxy may have ended TLS. */
static void add_policy(struct request *request)
{
    char policy[POLICY_SIZE], live[POLICY_SIZE / 2] = "";
    const char *host = (const char *)request->fields[FIELD_HOST].data;
    int size = (int)request->fields[FIELD_HOST].size;
    if (size > 0 && request->place->secure)
        snprintf(live, sizeof live, " wss://%.*s", size, host);
    else if (size > 0)
        snprintf(live, sizeof live, " ws://%.*s wss://%.*s", size, host, size, host);
    snprintf(policy, sizeof policy,
             "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
             "img-src 'self' blob: data:; "
             "connect-src 'self'%s; manifest-src 'self'; worker-src 'self'; base-uri 'none'; "
             "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
             live);
    answer_field(request, "Content-Security-Policy", policy);
}

/* Takes the response; NULL (no memory) ends the connection when it is to be answered. */
static void answer(struct request *request, unsigned status, struct MHD_Response *response, const char *type,
                   const char *cache, const char *policy)
{
    static const char *const fields[][2] = {
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Permissions-Policy",
         "camera=(self), accelerometer=(), display-capture=(), geolocation=(), gyroscope=(), "
         "hid=(), magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=()"},
    };
    if (request->answered) {
        if (response != NULL)
            MHD_destroy_response(response);
        return;
    }
    request->answered = true;
    request->status = status;
    request->response = response;
    if (type != NULL)
        answer_field(request, "Content-Type", type);
    answer_field(request, "Cache-Control", cache);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        answer_field(request, fields[i][0], fields[i][1]);
    if (policy != NULL)
        answer_field(request, "Content-Security-Policy", policy);
    else
        add_policy(request);
    if (request->drop) {
        static const struct entry nobody;
        answer_cookie(request, &nobody, 0);
    }
    request_resume(request);
}

static void answer_contents(struct request *request, const struct page *page, struct MHD_Response *response,
                            const char *hash, bool packed)
{
    char tag[PAGE_HASH_SIZE + 8];
    bool same = fields_match(request->fields[FIELD_IF_NONE_MATCH], hash);
    snprintf(tag, sizeof tag, "\"%s%s\"", hash, packed ? "-gz" : "");
    if (same && response != NULL) {
        MHD_destroy_response(response);
        response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    }
    answer(request, same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, response, page_type(page), page_cache, NULL);
    answer_field(request, "ETag", tag);
    answer_field(request, "Vary", "Accept-Encoding");
    if (packed && !same)
        answer_field(request, "Content-Encoding", "gzip");
}

void answer_page(struct request *request, const struct page *page)
{
    if (request->site->files != NULL) {
        char hash[PAGE_HASH_SIZE];
        struct error *error = NULL;
        struct buffer contents = buffer_make(PAGE_MAX);
        if (page_read(&contents, hash, page, request->site->files, &error))
            answer_contents(request, page, response_of(&contents), hash, false);
        else
            answer_error(request, error);
        error_free(error);
        buffer_free(&contents);
        return;
    }
    bool packed = page->packed_size > 0 && fields_accept_gzip(request->fields[FIELD_ACCEPT_ENCODING]);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        packed ? page->packed_size : page->plain_size, as_argument(packed ? page->packed : page->plain),
        MHD_RESPMEM_PERSISTENT);
    answer_contents(request, page, response, page->hash, packed);
}

void answer_text(struct request *request, unsigned status, const char *text)
{
    struct buffer contents = buffer_make(1024);
    buffer_printf(&contents, "%s\n", text);
    answer(request, status, response_of(&contents), "text/plain; charset=utf-8", api_cache, NULL);
}

static int append(const char *text, size_t size, void *arg)
{
    return buffer_append(arg, text, size) ? 0 : -1;
}

void answer_json(struct request *request, unsigned status, json_t *value)
{
    struct buffer contents = buffer_make(ANSWER_MAX);
    contents.secret = true;
    struct MHD_Response *response = NULL;
    if (value != NULL && json_dump_callback(value, append, &contents, JSON_COMPACT) == 0)
        response = response_of(&contents);
    buffer_free(&contents);
    json_decref(value);
    answer(request, status, response, "application/json", api_cache, NULL);
}

void answer_empty(struct request *request, unsigned status)
{
    answer(request, status, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT), NULL, api_cache,
           NULL);
}

void answer_refusal(struct request *request, unsigned status, enum error_code code, const char *text)
{
    if (strncmp(request->path, "/api/", 5) == 0)
        answer_json(request, status,
                    json_pack("{s:{s:s,s:s}}", "error", "code", error_word(code), "text", text));
    else
        answer_text(request, status, text);
}

void answer_error(struct request *request, const struct error *error)
{
    static const unsigned statuses[] = {
        [ERROR_INVALID] = MHD_HTTP_BAD_REQUEST,
        [ERROR_NOT_FOUND] = MHD_HTTP_NOT_FOUND,
        [ERROR_EXISTS] = MHD_HTTP_CONFLICT,
        [ERROR_DENIED] = MHD_HTTP_FORBIDDEN,
        [ERROR_LIMIT] = MHD_HTTP_TOO_MANY_REQUESTS,
        [ERROR_LOCKED] = MHD_HTTP_SERVICE_UNAVAILABLE,
        [ERROR_EXPIRED] = MHD_HTTP_CONFLICT,
        [ERROR_UNAVAILABLE] = MHD_HTTP_SERVICE_UNAVAILABLE,
        [ERROR_INTERNAL] = MHD_HTTP_SERVICE_UNAVAILABLE,
    };
    answer_refusal(request, statuses[error->code], error->code, error->text);
    if (error->code == ERROR_LIMIT) {
        char seconds[16];
        snprintf(seconds, sizeof seconds, "%u", fields_wait(error->text));
        answer_field(request, "Retry-After", seconds);
    }
}

void answer_login_error(struct request *request, const struct error *error)
{
    if (error->code == ERROR_DENIED)
        answer_refusal(request, MHD_HTTP_UNAUTHORIZED, error->code, error->text);
    else
        answer_error(request, error);
}

void answer_blob(struct request *request, struct MHD_Response *response, struct bytes head)
{
    static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}, jpeg[] = {0xff, 0xd8, 0xff};
    const char *type = "application/octet-stream";
    if (head.size >= sizeof png && memcmp(head.data, png, sizeof png) == 0)
        type = "image/png";
    else if (head.size >= sizeof jpeg && memcmp(head.data, jpeg, sizeof jpeg) == 0)
        type = "image/jpeg";
    answer(request, MHD_HTTP_OK, response, type, api_cache, inert);
    if (strncmp(type, "image/", 6) != 0)
        answer_field(request, "Content-Disposition", "attachment");
}

void answer_file(struct request *request, struct MHD_Response *response, const char *type, const char *name)
{
    struct buffer disposition = buffer_make(DISPOSITION_MOST);
    answer(request, MHD_HTTP_OK, response, disposition_type(type), api_cache, inert);
    const char *text = disposition_write(&disposition, name) ? buffer_string(&disposition) : NULL;
    answer_field(request, "Content-Disposition", text != NULL ? text : "attachment");
    buffer_free(&disposition);
}
