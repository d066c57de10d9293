/* SPDX-License-Identifier: ISC */
#include "api/feed.h"

#include <assert.h>
#include <stdlib.h>

#include "api/request.h"
#include "base/map.h"

enum { FEED_MAGIC = 0x66656564, PAGE_MAX = 500 };

struct feed {
    uint32_t magic;
    struct api *api;
    int64_t account;
    struct api_client *followers;
    struct api_client *pulling; /* those with a pull under way, of which no two are from the same change */
    UT_hash_handle hh;
};

struct page {
    const struct api_client *puller;
    int64_t from, epoch, to;
    bool empty;
    bool more; /* there may be something behind it */
    struct api_text *text;
};

static struct feed *feed_of(struct api *api, int64_t account)
{
    struct feed *feed = NULL;
    HASH_FIND(hh, api->feeds, &account, sizeof account, feed);
    if (feed != NULL)
        return feed;
    feed = calloc(1, sizeof *feed);
    if (feed == NULL)
        return NULL;
    *feed = (struct feed){.magic = FEED_MAGIC, .api = api, .account = account};
    HASH_ADD(hh, api->feeds, account, sizeof feed->account, feed);
    if (feed->hh.tbl != NULL)
        return feed;
    free(feed);
    return NULL;
}

static void free_unused(struct feed *feed)
{
    if (feed->followers != NULL)
        return;
    HASH_DELETE(hh, feed->api->feeds, feed);
    feed->magic = 0;
    free(feed);
}

static bool pulled_from(const struct feed *feed, int64_t at)
{
    const struct api_client *each;
    DL_FOREACH2(feed->pulling, each, follower.pull_next)
    {
        if (each->follower.from == at)
            return true;
    }
    return false;
}

static void forget_pull(struct api_client *client)
{
    struct follower *follower = &client->follower;
    DL_DELETE2(follower->feed->pulling, client, follower.pull_prev, follower.pull_next);
    follower->pull = 0;
    follower->again = false;
}

static void on_page(void *arg, json_t *result, const struct error *error);

/* Asks for what is behind a follower, unless nothing is, it could not take it, or it is asked for already. */
static bool pull(struct api_client *client, struct error **error)
{
    struct follower *follower = &client->follower;
    if (!follower->hungry || follower->pull != 0 || api_client_slow(client) ||
        pulled_from(follower->feed, follower->at))
        return true;
    json_t *ask =
        json_pack("{s:s,s:I,s:i}", "do", "changes", "after", (json_int_t)follower->at, "max", (int)PAGE_MAX);
    if (ask == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    follower->from = follower->at;
    follower->pull = gateway_do(client->session, ask, on_page, client, error);
    json_decref(ask);
    if (follower->pull == 0)
        return false;
    DL_APPEND2(follower->feed->pulling, client, follower.pull_prev, follower.pull_next);
    return true;
}

static void detach(struct api_client *client)
{
    DL_DELETE2(client->follower.feed->followers, client, follower.prev, follower.next);
    client->follower = (struct follower){0};
}

/* As pull(). One that is refused cannot go on. */
static void serve(struct api_client *client)
{
    struct error *error = NULL;
    if (!pull(client, &error)) {
        detach(client);
        api_client_end(client, error->text);
    }
    error_free(error);
}

/* Pulls from every place where somebody waits. */
static void serve_all(struct feed *feed)
{
    struct api_client *client, *next;
    DL_FOREACH_SAFE2(feed->followers, client, next, follower.next)
    {
        serve(client);
    }
    free_unused(feed);
}

static void take(struct api_client *client, const struct page *page)
{
    struct follower *follower = &client->follower;
    if (follower->at != page->from)
        return;
    if (api_client_slow(client)) {
        follower->hungry = true;
        return;
    }
    /* What became visible between the pull and a log-in is told to neither by its session. */
    follower->hungry = page->more || (follower->epoch < 0 && client != page->puller);
    if (!page->empty || page->to != follower->at || page->epoch != follower->epoch)
        api_client_send(client, page->text);
    follower->at = page->to;
    follower->epoch = page->epoch;
}

static bool read_page(struct page *page, json_t *result)
{
    page->epoch = json_integer_value(json_object_get(result, "epoch"));
    page->to = json_integer_value(json_object_get(result, "change"));
    page->empty = json_array_size(json_object_get(result, "changes")) == 0;
    page->more |= json_is_true(json_object_get(result, "more"));
    page->text = text_new();
    page->text = text_finish(page->text, page->text != NULL && reply_page(&page->text->line, result));
    return page->text != NULL;
}

static void on_page(void *arg, json_t *result, const struct error *error)
{
    static const struct error unwritten = {ERROR_INTERNAL, "news could not be written"};
    struct api_client *client = arg, *each;
    assert(client->magic == CLIENT_MAGIC);
    struct feed *feed = client->follower.feed;
    assert(feed->magic == FEED_MAGIC);
    /* Who pulled hears of all that came after his pull began; that others hear of it too means nothing: it
     * may be what the pull already gives. */
    struct page page = {.puller = client, .from = client->follower.from, .more = client->follower.again};
    forget_pull(client);
    if (error == NULL && !read_page(&page, result))
        error = &unwritten;
    if (error == NULL) {
        DL_FOREACH2(feed->followers, each, follower.next)
        {
            take(each, &page);
        }
    } else {
        detach(client);
        api_client_end(client, error->text);
    }
    api_text_release(page.text);
    serve_all(feed);
}

bool feed_follow(struct api_client *client, int64_t after, struct error **error)
{
    struct follower *follower = &client->follower;
    if (follower->feed == NULL) {
        follower->feed = feed_of(client->api, gateway_account(client->session));
        if (follower->feed == NULL)
            return error_set(error, ERROR_INTERNAL, "out of memory");
        DL_APPEND2(follower->feed->followers, client, follower.prev, follower.next);
    }
    follower->at = after;
    follower->epoch = -1;
    follower->hungry = true;
    return true;
}

void feed_more(struct api_client *client)
{
    client->follower.hungry = true;
    client->follower.again = client->follower.pull != 0;
    feed_serve(client);
}

void feed_serve(struct api_client *client)
{
    struct feed *feed = client->follower.feed;
    serve(client);
    free_unused(feed);
}

void feed_leave(struct api_client *client)
{
    struct feed *feed = client->follower.feed;
    if (client->follower.pull != 0) {
        if (client->session != NULL)
            gateway_forget(client->session, client->follower.pull);
        forget_pull(client);
    }
    detach(client);
    serve_all(feed);
}
