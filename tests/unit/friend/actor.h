/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_FRIEND_ACTOR_H
#define RETROGATE_TESTS_FRIEND_ACTOR_H

#include "fixture.h"

#include "friend/context.h"
#include "friend/frames.h"

/* The other end of a link, played by the test: TLS with a given identity, then whatever bytes the test
 * writes. */

struct actor {
    struct fixture *fixture;
    SSL_CTX *tls;
    struct stream *stream;
    struct listener *listener; /* actor as server */
    struct sockaddr_storage address;
    bool ready, closed;
    char reason[64];      /* why it closed */
    struct buffer script; /* written when TLS is up */
    struct slices slices;
    struct buffer heard; /* whole items */
    struct {
        uint16_t service;
        uint8_t subtype;
        size_t offset, size;
    } items[256];
    size_t count;
};

static void actor_ready(void *arg, struct stream *stream)
{
    struct actor *actor = arg;
    actor->ready = true;
    if (buffer_size(&actor->script) > 0)
        stream_write(stream, buffer_view(&actor->script).data, buffer_size(&actor->script));
}

static void actor_data(void *arg, struct stream *stream, struct buffer *input)
{
    struct actor *actor = arg;
    (void)stream;
    struct bytes rest = buffer_view(input), item;
    size_t before = rest.size;
    const char *reason = NULL;
    while (frames_next(&actor->slices, &rest, 0, &item, &reason) == FRAME_ITEM) {
        struct item_header header;
        assert_true(item_header_parse(&header, item));
        assert_true(actor->count < 256);
        actor->items[actor->count].service = header.service;
        actor->items[actor->count].subtype = header.subtype;
        actor->items[actor->count].offset = buffer_size(&actor->heard);
        actor->items[actor->count++].size = item.size;
        assert_true(buffer_append_bytes(&actor->heard, item));
    }
    assert_null(reason);
    buffer_consume(input, before - rest.size);
}

static void actor_closed(void *arg, struct stream *stream, const char *reason)
{
    struct actor *actor = arg;
    (void)stream;
    snprintf(actor->reason, sizeof actor->reason, "%s", reason);
    actor->closed = true;
    actor->stream = NULL;
}

static const struct stream_events actor_events = {
    .ready = actor_ready,
    .data = actor_data,
    .closed = actor_closed,
};

static struct stream_options actor_options(const struct actor *actor, bool server)
{
    return (struct stream_options){
        .tls = actor->tls,
        .tls_server = server,
        .input_limit = 1 << 20,
        .output_limit = 4 << 20,
    };
}

static struct actor *actor_new(struct fixture *fixture, const struct friends_identity *identity)
{
    struct actor *actor = calloc(1, sizeof *actor);
    assert_non_null(actor);
    actor->fixture = fixture;
    actor->script = buffer_make(4 << 20);
    actor->heard = buffer_make(4 << 20);
    if (identity)
        actor->tls = context_new(identity, NULL);
    return actor;
}

static __attribute__((unused)) void actor_dial(struct actor *actor, const struct node *node)
{
    struct stream_options options = actor_options(actor, false);
    actor->stream = stream_connect(&actor->fixture->loop, (const struct sockaddr *)&node->address, &options,
                                   &actor_events, actor, NULL);
    assert_non_null(actor->stream);
}

static void actor_accepted(void *arg, int fd, const struct sockaddr_storage *peer)
{
    struct actor *actor = arg;
    listener_release(actor->listener, peer);
    if (actor->stream) {
        close(fd);
        return;
    }
    struct stream_options options = actor_options(actor, true);
    actor->closed = actor->ready = false;
    actor->stream = stream_open(&actor->fixture->loop, fd, &options, &actor_events, actor, NULL);
    assert_non_null(actor->stream);
}

static __attribute__((unused)) void actor_listen(struct actor *actor)
{
    struct sockaddr_storage any = loopback(AF_INET);
    static const struct listener_options options;
    actor->listener = listener_open(&actor->fixture->loop, (const struct sockaddr *)&any, &options,
                                    actor_accepted, actor, NULL);
    assert_non_null(actor->listener);
    actor->address = *listener_address(actor->listener);
}

static void actor_free(struct actor *actor)
{
    if (actor->listener)
        listener_close(actor->listener);
    if (actor->stream)
        stream_abort(actor->stream, "the test is over");
    run_until(actor->fixture, !actor->stream);
    slices_clear(&actor->slices);
    buffer_free(&actor->script);
    buffer_free(&actor->heard);
    SSL_CTX_free(actor->tls);
    free(actor);
}

static __attribute__((unused)) size_t actor_count(const struct actor *actor, uint16_t service,
                                                  uint8_t subtype)
{
    size_t count = 0;
    for (size_t i = 0; i < actor->count; i++)
        count += actor->items[i].service == service && actor->items[i].subtype == subtype;
    return count;
}

/* The first such item. */
static __attribute__((unused)) struct bytes actor_item(const struct actor *actor, uint16_t service,
                                                       uint8_t subtype)
{
    for (size_t i = 0; i < actor->count; i++)
        if (actor->items[i].service == service && actor->items[i].subtype == subtype)
            return bytes_of(buffer_view(&actor->heard).data + actor->items[i].offset, actor->items[i].size);
    return bytes_of(NULL, 0);
}

static __attribute__((unused)) void actor_say(struct actor *actor, struct bytes bytes)
{
    if (actor->ready)
        assert_true(stream_write(actor->stream, bytes.data, bytes.size));
    else
        assert_true(buffer_append_bytes(&actor->script, bytes));
}

static __attribute__((unused)) void actor_say_hex(struct actor *actor, const char *hex)
{
    struct buffer bytes = hex_buffer(hex);
    actor_say(actor, buffer_view(&bytes));
    buffer_free(&bytes);
}

/* The recorded frames of one direction, up to `max` of them; returns how many. */
static __attribute__((unused)) size_t actor_say_recorded(struct actor *actor, const json_t *frames,
                                                         const char *from, size_t max)
{
    size_t index, said = 0;
    const json_t *frame;
    json_array_foreach(frames, index, frame)
    {
        const char *sender = json_string_value(json_object_get(frame, "from"));
        if ((sender && strcmp(sender, from) != 0) || said == max)
            continue;
        actor_say_hex(actor, vectors_string(frame, "hex"));
        said++;
    }
    return said;
}

/* A service list that names what a stock peer names of ours (protocol 11 §5.2). */
static __attribute__((unused)) void actor_say_services(struct actor *actor)
{
    struct service_list list = {.count = 3};
    static const struct {
        uint32_t id;
        const char *name;
    } all[] = {{0x02001100, "disc"}, {0x02001400, "turtle"}, {0x02001600, "heartbeat"}};
    for (size_t i = 0; i < 3; i++) {
        list.entries[i] = (struct service_entry){.id = all[i].id, .major = 1, .min_major = 1};
        snprintf(list.entries[i].name, sizeof list.entries[i].name, "%s", all[i].name);
    }
    struct buffer item = buffer_make(4096);
    assert_true(service_info_write(&item, &list));
    actor_say(actor, buffer_view(&item));
    buffer_free(&item);
}

#endif
