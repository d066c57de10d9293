/* SPDX-License-Identifier: ISC */
#include "web.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "front.h"
#include "http.h"
#include "live.h"
#include "site.h"

enum { MAGIC = 0x57454220, LINK_SIZE = 384 };

struct web {
    uint32_t magic;
    struct site site;
    struct front *front;
    struct http *http;
    struct live *live;
    char *link;    /* LINK_SIZE bytes for web_setup_link() */
    unsigned open; /* parts that are not closed yet */
    void (*closed)(void *arg);
    void *closed_arg;
};

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; texts != NULL && i < count; i++)
        free(texts[i]);
    free(texts);
}

static void web_free(struct web *web)
{
    free_texts(web->site.names, web->site.name_count);
    free_texts(web->site.origins, web->site.origin_count);
    free(web->site.files);
    free(web->site.setup_file);
    if (web->link != NULL)
        OPENSSL_cleanse(web->link, LINK_SIZE);
    free(web->link);
    OPENSSL_cleanse(web, sizeof *web);
    free(web);
}

static bool copy_texts(char ***out, size_t *out_count, const char *const *texts, size_t count)
{
    *out = calloc(count + 1, sizeof **out);
    for (size_t i = 0; *out != NULL && i < count; i++) {
        (*out)[i] = strdup(texts[i]);
        *out_count = i + 1;
        if ((*out)[i] == NULL)
            return false;
    }
    return *out != NULL;
}

static bool copy_text(char **out, const char *text)
{
    *out = text != NULL ? strdup(text) : NULL;
    return text == NULL || *out != NULL;
}

static bool site_fill(struct site *site, uv_loop_t *loop, struct gateway *gateway,
                      const struct web_options *options, struct error **error)
{
    *site = (struct site){.loop = loop,
                          .gateway = gateway,
                          .irc = options->irc,
                          .changed = options->changed,
                          .arg = options->arg};
    if (copy_texts(&site->names, &site->name_count, options->names, options->name_count) &&
        copy_texts(&site->origins, &site->origin_count, options->origins, options->origin_count) &&
        copy_text(&site->files, options->files) && copy_text(&site->setup_file, options->setup_file))
        return true;
    return error_set(error, ERROR_UNAVAILABLE, "out of memory");
}

static bool take_http(void *arg, int fd, struct place *place)
{
    const struct web *web = arg;
    assert(web->magic == MAGIC);
    return http_take(web->http, fd, place);
}

static bool take_websocket(void *arg, int fd, struct place *place)
{
    const struct web *web = arg;
    assert(web->magic == MAGIC);
    return live_take(web->live, fd, place);
}

static void on_part_closed(void *arg)
{
    struct web *web = arg;
    assert(web->magic == MAGIC);
    if (--web->open > 0)
        return;
    void (*closed)(void *) = web->closed;
    void *closed_arg = web->closed_arg;
    web_free(web);
    if (closed != NULL)
        closed(closed_arg);
}

struct web *web_open(uv_loop_t *loop, struct gateway *gateway, const struct web_options *options,
                     struct error **error)
{
    static const struct front_takers takers = {.http = take_http, .websocket = take_websocket};
    struct web *web = calloc(1, sizeof *web);
    if (web == NULL) {
        error_set(error, ERROR_UNAVAILABLE, "out of memory");
        return NULL;
    }
    web->magic = MAGIC;
    web->link = calloc(1, LINK_SIZE);
    /* The listeners come last: nobody comes in before there is somebody to serve. */
    if ((web->link != NULL || error_set(error, ERROR_UNAVAILABLE, "out of memory")) &&
        site_fill(&web->site, loop, gateway, options, error) &&
        (web->live = live_open(&web->site, options, error)) != NULL &&
        (web->http = http_open(&web->site, error)) != NULL &&
        (web->front = front_open(&web->site, options, &takers, web, error)) != NULL)
        return web;
    web_close(web, NULL, NULL);
    return NULL;
}

void web_set_tls(struct web *web, SSL_CTX *tls)
{
    front_set_tls(web->front, tls);
}

const struct sockaddr_storage *web_listening(const struct web *web, size_t index)
{
    return front_listening(web->front, index);
}

const char *web_setup_link(const struct web *web)
{
    const struct sockaddr_storage *listening = front_listening(web->front, 0);
    char address[64];
    if (web->site.setup_code[0] == '\0' || listening == NULL)
        return NULL;
    address_format(address, sizeof address, (const struct sockaddr *)listening);
    /* One that listens everywhere is reached from here by name. */
    if (address_is_any((const struct sockaddr *)listening))
        snprintf(address, sizeof address, "localhost:%u", address_port((const struct sockaddr *)listening));
    /* Behind the number sign: it never travels in a request line. */
    snprintf(web->link, LINK_SIZE, "%s://%s/#setup=%s", front_secure(web->front, 0) ? "https" : "http",
             address, web->site.setup_code);
    return web->link;
}

unsigned web_clients(const struct web *web)
{
    return front_connections(web->front);
}

void web_close(struct web *web, void (*closed)(void *arg), void *arg)
{
    web->closed = closed;
    web->closed_arg = arg;
    /* Counted first: a part may say at once that it is closed. */
    web->open =
        1u + (web->front != NULL ? 1u : 0) + (web->http != NULL ? 1u : 0) + (web->live != NULL ? 1u : 0);
    if (web->front != NULL)
        front_close(web->front, on_part_closed, web);
    if (web->http != NULL)
        http_close(web->http, on_part_closed, web);
    if (web->live != NULL)
        live_close(web->live, on_part_closed, web);
    on_part_closed(web);
}
