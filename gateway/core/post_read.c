/* SPDX-License-Identifier: ISC */
/* One post: shown, or read in pieces. */
#include "core/post_read.h"

#include <stdlib.h>
#include <string.h>

#include "core/commands.h"
#include "core/post_message.h"
#include "core/post_rows.h"
#include "mime/mime.h"
#include "wire/radix64.h"

enum {
    PIECE_MOST = 262144,
    WAITING_MOST = 64,      /* of an account */
    CACHE_MS = 60000,       /* a part is kept so long after its last piece */
    CACHE_LIMIT = 64 << 20, /* bytes of all that are kept */
};

/* What a command waits for: the message, and what is made of it off the loop. */
struct reading {
    struct call *call;
    struct account *account;
    struct fetched_post *post; /* during the fetch only */
    json_t *json;
    struct buffer message;
    struct mime_view view;
    unsigned part;
    uint64_t offset;
    size_t size;
    struct buffer data;
    int64_t seq;
    bool counted; /* in account->posts.reads */
    fetched_fn *fetched;
    struct error *error;
    struct reading *prev, *next; /* in account->posts.waiting */
};

static void reading_free(struct reading *reading)
{
    struct account *ends = reading->counted ? reading->account : NULL;
    json_decref(reading->json);
    mime_view_free(&reading->view);
    buffer_free(&reading->message);
    buffer_free(&reading->data);
    error_free(reading->error);
    free(reading);
    if (ends != NULL)
        post_read_end(ends);
}

static void reading_fail(struct reading *reading, const struct error *error)
{
    call_fail_copy(reading->call, error);
    reading_free(reading);
}

static struct reading *reading_new(struct call *call, struct error **error)
{
    struct reading *reading = calloc(1, sizeof *reading);
    if (reading == NULL) {
        error_set(error, ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    reading->call = call;
    reading->account = call->account;
    reading->seq = arg_int(call, "seq", 0);
    return reading;
}

static void fetch(struct reading *reading)
{
    reading->account->posts.reads++;
    reading->counted = true;
    post_fetch(reading->account, reading->seq, true, reading->fetched, reading);
}

/* A message is in memory while it is worked on: few at a time, and the others wait for their turn. */
static bool fetch_in_turn(struct reading *reading, fetched_fn *fetched, struct error **error)
{
    struct posts *posts = &reading->account->posts;
    reading->fetched = fetched;
    if (posts->reads < POST_READS) {
        fetch(reading);
        return true;
    }
    if (posts->waiting_count >= WAITING_MOST) {
        reading_free(reading);
        return error_set(error, ERROR_UNAVAILABLE, "%u posts are being read already; try again in a moment",
                         posts->reads + posts->waiting_count);
    }
    DL_APPEND(posts->waiting, reading);
    posts->waiting_count++;
    return true;
}

void post_read_end(struct account *account)
{
    struct posts *posts = &account->posts;
    struct reading *next = posts->waiting;
    posts->reads--;
    if (next == NULL || posts->reads >= POST_READS)
        return;
    DL_DELETE(posts->waiting, next);
    posts->waiting_count--;
    fetch(next);
}

/* True when the reading goes on. */
static bool ran_well(struct reading *reading, bool ran)
{
    if (!ran)
        error_set(&reading->error, ERROR_UNAVAILABLE, "the gateway is too busy, or stopping; try again");
    if (reading->error == NULL)
        return true;
    reading_fail(reading, reading->error);
    return false;
}

/* Moves the message out of what was fetched. */
static bool take(struct reading *reading, struct fetched_post *post, const struct error *error)
{
    if (error != NULL) {
        struct error said = *error;
        if (error->code == ERROR_NOT_FOUND)
            snprintf(said.text, sizeof said.text, "there is no such post; see the list of posts");
        reading_fail(reading, &said);
        return false;
    }
    reading->message = post->message;
    post->message = buffer_make(0);
    return true;
}

/* --- post.show */

static void view(void *arg)
{
    struct reading *reading = arg;
    mime_view(&reading->view, buffer_view(&reading->message), &reading->error);
}

static json_t *parts_json(const struct mime_view *view)
{
    json_t *parts = json_array();
    for (size_t i = 0; i < view->part_count; i++) {
        const struct mime_part *part = &view->parts[i];
        json_array_append_new(parts,
                              json_pack("{s:i,s:s,s:s,s:I}", "part", (int)part->part, "name", part->name,
                                        "type", part->type, "size", (json_int_t)part->size));
    }
    return parts;
}

static json_t *list_or_empty(struct bytes text)
{
    json_t *list = json_loadb((const char *)text.data, text.size, 0, NULL);
    return json_is_array(list) ? list : json_array();
}

static json_t *text_json(const struct buffer *text)
{
    struct bytes bytes = buffer_view(text);
    return json_stringn(bytes.size > 0 ? (const char *)bytes.data : "", bytes.size);
}

static void viewed(void *arg, bool ran)
{
    struct reading *reading = arg;
    if (!ran_well(reading, ran))
        return;
    const struct mime_view *shown = &reading->view;
    json_object_set_new(reading->json, "text", text_json(&shown->text));
    json_object_set_new(reading->json, "text_cut", json_boolean(shown->text_cut));
    json_object_set_new(reading->json, "html",
                        buffer_size(&shown->html) > 0 ? text_json(&shown->html) : json_null());
    json_object_set_new(reading->json, "parts", parts_json(shown));
    json_object_set_new(reading->json, "headers", list_or_empty(buffer_view(&shown->headers)));
    call_done(reading->call, json_incref(reading->json));
    reading_free(reading);
}

static void show_fetched(void *arg, struct fetched_post *post, const struct error *error)
{
    struct reading *reading = arg;
    if (!take(reading, post, error))
        return;
    reading->json = json_of_post(reading->account, post->row, post->deliveries, post->count);
    json_t *options = json_loads(post->row->options, 0, NULL), *files = json_object_get(options, "files");
    json_object_set_new(reading->json, "files", json_is_array(files) ? json_incref(files) : json_array());
    json_decref(options);
    if (strcmp(post->row->verdict, "locked") == 0) {
        json_object_update_new(reading->json, json_pack("{s:s,s:b,s:n,s:[],s:[]}", "text", "", "text_cut",
                                                        false, "html", "parts", "headers"));
        call_done(reading->call, json_incref(reading->json));
        reading_free(reading);
        return;
    }
    job_run(reading->account->gateway, buffer_size(&reading->message), view, viewed, reading);
}

bool do_post_show(struct call *call, struct error **error)
{
    struct reading *reading = reading_new(call, error);
    if (reading == NULL)
        return false;
    return fetch_in_turn(reading, show_fetched, error);
}

/* --- pieces */

static bool read_piece(struct reading *reading, struct error **error)
{
    int64_t offset = arg_int(reading->call, "offset", 0), size = arg_int(reading->call, "size", PIECE_MOST);
    if (offset < 0 || size < 1 || size > PIECE_MOST) {
        error_set(error, ERROR_INVALID, "offset is at least 0, size 1 to %d", PIECE_MOST);
        free(reading);
        return false;
    }
    reading->offset = (uint64_t)offset;
    reading->size = (size_t)size;
    return true;
}

static void answer_piece(struct reading *reading, struct bytes piece, bool end)
{
    struct buffer text = buffer_make(PIECE_MOST * 2);
    if (radix64_encode(&text, piece))
        call_done(reading->call, json_pack("{s:s,s:b}", "data", buffer_string(&text), "end", end));
    else
        call_fail(reading->call, NULL);
    buffer_free(&text);
    reading_free(reading);
}

static void answer_from(struct reading *reading, struct bytes whole)
{
    size_t offset = reading->offset < whole.size ? (size_t)reading->offset : whole.size;
    size_t left = whole.size - offset, size = left < reading->size ? left : reading->size;
    answer_piece(reading, bytes_of(whole.data + offset, size), size == left);
}

/* --- post.read */

static void piece_read(void *arg, const char *id, struct bytes data, const struct error *error)
{
    (void)id;
    struct reading *reading = arg;
    if (error != NULL)
        reading_fail(reading, error);
    else
        answer_piece(reading, data,
                     data.size < reading->size || reading->offset + data.size >= reading->message.ceiling);
}

static void read_fetched(void *arg, const struct post_row *row, const struct delivery_row *deliveries,
                         size_t count)
{
    (void)deliveries;
    (void)count;
    struct reading *reading = arg;
    if (strcmp(row->verdict, "locked") == 0) {
        error_set(&reading->error, ERROR_LOCKED, "this post is not opened yet: unlock the vault first");
        return;
    }
    reading->message = buffer_make((size_t)row->size);
    if (row->blob[0] == '\0')
        buffer_append_bytes(&reading->message, row->message);
    else
        reading->json = json_string(row->blob);
}

static void read_row_done(void *arg, const struct error *error)
{
    struct reading *reading = arg;
    if (error != NULL || reading->error != NULL)
        reading_fail(reading, error != NULL ? error : reading->error);
    else if (reading->json != NULL)
        store_blob_read(reading->account->gateway->store, reading->account->id,
                        json_string_value(reading->json), reading->offset, reading->size, piece_read,
                        reading);
    else
        answer_from(reading, buffer_view(&reading->message));
}

bool do_post_read(struct call *call, struct error **error)
{
    struct reading *reading = reading_new(call, error);
    if (reading == NULL || !read_piece(reading, error))
        return false;
    store_post(call->gateway->store, call->account->id, reading->seq, read_fetched, read_row_done, reading);
    return true;
}

/* --- post.part: decoding takes the whole message, so what one piece was asked of is kept for the next */

struct part_cache { /* one part; the list begins with the one unused longest */
    int64_t account, seq;
    unsigned part;
    struct buffer data;
    uint64_t used; /* uv_now() */
    struct part_cache *prev, *next;
};

static void forget_part(struct gateway *gateway, struct part_cache *cache)
{
    DL_DELETE(gateway->part_cache, cache);
    buffer_free(&cache->data);
    free(cache);
}

void part_cache_free(struct gateway *gateway)
{
    while (gateway->part_cache != NULL)
        forget_part(gateway, gateway->part_cache);
}

void part_cache_sweep(struct gateway *gateway)
{
    while (gateway->part_cache != NULL && uv_now(gateway->loop) - gateway->part_cache->used >= CACHE_MS)
        forget_part(gateway, gateway->part_cache);
}

static struct part_cache *cached(const struct reading *reading)
{
    struct gateway *gateway = reading->account->gateway;
    struct part_cache *cache;
    DL_FOREACH(gateway->part_cache, cache)
    {
        if (cache->account != reading->account->id || cache->seq != reading->seq ||
            cache->part != reading->part)
            continue;
        cache->used = uv_now(gateway->loop);
        DL_DELETE(gateway->part_cache, cache);
        DL_APPEND(gateway->part_cache, cache);
        return cache;
    }
    return NULL;
}

/* Takes what was decoded; NULL when it stays where it is. */
static struct part_cache *keep_part(struct reading *reading)
{
    struct gateway *gateway = reading->account->gateway;
    struct part_cache *cache = NULL, *each;
    size_t size = buffer_size(&reading->data), kept = size;
    if (size > reading->size && cached(reading) == NULL)
        cache = calloc(1, sizeof *cache);
    if (cache == NULL)
        return NULL;
    DL_FOREACH(gateway->part_cache, each)
    kept += buffer_size(&each->data);
    while (gateway->part_cache != NULL && kept > CACHE_LIMIT) {
        kept -= buffer_size(&gateway->part_cache->data);
        forget_part(gateway, gateway->part_cache);
    }
    *cache = (struct part_cache){.account = reading->account->id,
                                 .seq = reading->seq,
                                 .part = reading->part,
                                 .data = reading->data,
                                 .used = uv_now(gateway->loop)};
    reading->data = buffer_make(0);
    DL_APPEND(gateway->part_cache, cache);
    return cache;
}

static void decode(void *arg)
{
    struct reading *reading = arg;
    reading->data = buffer_make(POST_MESSAGE_LIMIT);
    mime_part_read(&reading->data, buffer_view(&reading->message), reading->part, &reading->error);
}

static void decoded(void *arg, bool ran)
{
    struct reading *reading = arg;
    if (!ran_well(reading, ran))
        return;
    const struct part_cache *cache = keep_part(reading);
    answer_from(reading, buffer_view(cache != NULL ? &cache->data : &reading->data));
}

static void part_fetched(void *arg, struct fetched_post *post, const struct error *error)
{
    struct reading *reading = arg;
    if (!take(reading, post, error))
        return;
    job_run(reading->account->gateway, buffer_size(&reading->message), decode, decoded, reading);
}

/* What is kept may be of a post that was deleted meanwhile. */
static void row_known(void *arg, const struct post_row *row, const struct delivery_row *deliveries,
                      size_t count)
{
    (void)arg;
    (void)row;
    (void)deliveries;
    (void)count;
}

static void cached_known(void *arg, const struct error *error)
{
    struct reading *reading = arg;
    struct call *call = reading->call;
    struct error *refused = NULL;
    const struct part_cache *cache = error == NULL ? cached(reading) : NULL;
    if (error != NULL) {
        reading_fail(reading, error);
    } else if (cache != NULL) {
        answer_from(reading, buffer_view(&cache->data));
    } else if (!fetch_in_turn(reading, part_fetched, &refused)) {
        call_fail_copy(call, refused);
        error_free(refused);
    }
}

bool do_post_part(struct call *call, struct error **error)
{
    struct reading *reading = reading_new(call, error);
    int64_t part = arg_int(call, "part", 0);
    if (reading == NULL || !read_piece(reading, error))
        return false;
    if (part < 1 || part > MIME_PARTS_LIMIT) {
        reading_free(reading);
        return error_set(error, ERROR_NOT_FOUND, "this post has no such part; post.show lists them");
    }
    reading->part = (unsigned)part;
    if (cached(reading) == NULL)
        return fetch_in_turn(reading, part_fetched, error);
    store_post(call->gateway->store, call->account->id, reading->seq, row_known, cached_known, reading);
    return true;
}
