/* SPDX-License-Identifier: ISC */
/* Lists of posts, and what is found in them. */
#include <stdlib.h>
#include <string.h>

#include "core/changes.h"
#include "core/commands.h"
#include "core/post_read.h"
#include "core/post_rows.h"

enum {
    LIST_DEFAULT = 50,
    LIST_MOST = 200,
    SEARCHES_MAX = 4, /* of an account at a time, with those of lines */
};

struct listing {
    struct call *call;
    struct account *account;
    json_t *posts;
    size_t bytes, max;
    int64_t last; /* the oldest of them */
    bool cut;     /* the rest does not fit a line of the JSON form */
    bool search;
};

static void listed(void *arg, const struct post_row *row, const struct delivery_row *deliveries, size_t count)
{
    struct listing *listing = arg;
    json_t *post = listing->cut ? NULL : json_of_post(listing->account, row, deliveries, count);
    if (post == NULL)
        return;
    listing->bytes += json_dumpb(post, NULL, 0, JSON_COMPACT);
    listing->cut = json_array_size(listing->posts) > 0 && listing->bytes > PULL_BYTES;
    if (listing->cut) {
        json_decref(post);
        return;
    }
    listing->last = row->seq;
    json_array_append_new(listing->posts, post);
}

static void all_listed(void *arg, int64_t before, bool more, const struct error *error)
{
    struct listing *listing = arg;
    listing->account->searches -= listing->search;
    if (error != NULL) {
        call_fail_copy(listing->call, error);
    } else {
        json_t *answer = json_pack("{s:O,s:b}", "posts", listing->posts, "more", more || listing->cut);
        if (listing->search)
            json_object_set_new(answer, "before", json_integer(listing->cut ? listing->last : before));
        call_done(listing->call, answer);
    }
    json_decref(listing->posts);
    free(listing);
}

static bool run(struct call *call, const char *text, struct error **error)
{
    const char *box = arg_has(call, "box") ? arg_text(call, "box") : "all";
    int64_t max = arg_int(call, "max", LIST_DEFAULT);
    if (strcmp(box, "in") != 0 && strcmp(box, "out") != 0 && strcmp(box, "all") != 0)
        return error_set(error, ERROR_INVALID, "box: in, out or all");
    if (max < 1 || max > LIST_MOST)
        return error_set(error, ERROR_INVALID, "max: from 1 to %d", LIST_MOST);
    struct listing *listing = calloc(1, sizeof *listing);
    if (listing == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    *listing = (struct listing){.call = call,
                                .account = call->account,
                                .posts = json_array(),
                                .max = (size_t)max,
                                .search = text[0] != '\0'};
    call->account->searches += listing->search;
    store_posts(call->gateway->store,
                &(struct store_posts){.account = call->account->id,
                                      .box = box,
                                      .thread = arg_int(call, "thread", 0),
                                      .before = arg_int(call, "before", INT64_MAX),
                                      .max = (unsigned)max,
                                      .text = text},
                listed, all_listed, listing);
    return true;
}

bool do_post_list(struct call *call, struct error **error)
{
    return run(call, "", error);
}

bool do_post_search(struct call *call, struct error **error)
{
    const char *text = arg_text(call, "text");
    if (text[0] == '\0' || strlen(text) > STORE_WORDS_LIMIT)
        return error_set(error, ERROR_INVALID, "post.search: a text of 1 to %d bytes", STORE_WORDS_LIMIT);
    if (call->account->searches >= SEARCHES_MAX)
        return error_set(error, ERROR_LIMIT, "%d searches are under way; wait for their answers",
                         SEARCHES_MAX);
    return run(call, text, error);
}
