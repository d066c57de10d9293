/* SPDX-License-Identifier: ISC */
#include "distant/post_receiver.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "distant/post_receiver_internal.h"

struct post_receiver *post_receiver_new(const struct post_receiver_options *options,
                                        const struct random_source *random, uint64_t now)
{
    struct post_receiver *receiver = calloc(1, sizeof *receiver);
    if (receiver == NULL)
        return NULL;
    receiver->random = *random;
    memcpy(receiver->fingerprint, options->fingerprint, sizeof receiver->fingerprint);
    receiver->limit = options->limit;
    receiver->greets = options->greets;
    receiver->now = now;
    return receiver;
}

static void tunnel_free(struct post_receiver *receiver, struct receiver_tunnel *tunnel)
{
    receiver_partials_drop(receiver, tunnel->id);
    receiver_transfers_detach(receiver, tunnel->id);
    HASH_DEL(receiver->tunnels, tunnel);
    OPENSSL_cleanse(tunnel, sizeof *tunnel);
    free(tunnel);
}

static void event_free(struct receiver_event *event)
{
    if (event == NULL)
        return;
    buffer_free(&event->buffer);
    free(event);
}

void post_receiver_free(struct post_receiver *receiver)
{
    if (receiver == NULL)
        return;
    struct receiver_tunnel *tunnel, *next_tunnel;
    HASH_ITER(hh, receiver->tunnels, tunnel, next_tunnel)
    {
        tunnel_free(receiver, tunnel);
    }
    for (size_t i = 0; i < POST_RECEIVER_TRANSFERS; i++)
        buffer_free(&receiver->incoming[i].letter);
    struct receiver_event *event, *next_event;
    DL_FOREACH_SAFE(receiver->queue, event, next_event)
    {
        event_free(event);
    }
    event_free(receiver->lent);
    post_day_keys_wipe(&receiver->keys);
    free(receiver);
}

void post_receiver_set_limit(struct post_receiver *receiver, uint64_t limit)
{
    receiver->limit = limit;
}

/* Padding adds up to 1/16; the rest is OpenPGP's. */
uint64_t receiver_message_limit(const struct post_receiver *receiver)
{
    enum { AROUND = 8192 };
    uint64_t limit = receiver->limit < POST_LETTER_LIMIT ? receiver->limit : POST_LETTER_LIMIT;
    limit += limit / 16 + AROUND;
    return limit < POST_LETTER_LIMIT ? limit : POST_LETTER_LIMIT;
}

/* --- tunnels */

struct receiver_tunnel *receiver_tunnel_find(const struct post_receiver *receiver, uint64_t id)
{
    struct receiver_tunnel *found = NULL;
    HASH_FIND(hh, receiver->tunnels, &id, sizeof id, found);
    return found;
}

/* The idlest, of strangers that said nothing of worth before others, of contacts last. */
static void make_room(struct post_receiver *receiver)
{
    struct receiver_tunnel *tunnel, *next, *least = NULL;
    if (HASH_COUNT(receiver->tunnels) < POST_RECEIVER_TUNNELS)
        return;
    HASH_ITER(hh, receiver->tunnels, tunnel, next)
    {
        int rank = least == NULL ? -1
                                 : 2 * tunnel->is_private + tunnel->confirmed - 2 * least->is_private -
                                       least->confirmed;
        if (rank < 0 || (rank == 0 && tunnel->active_at < least->active_at))
            least = tunnel;
    }
    struct post_receiver_output said = {.kind = POST_RECEIVER_CLOSE_TUNNEL, .tunnel = least->id};
    receiver_say(receiver, &said, NULL);
    tunnel_free(receiver, least);
}

void post_receiver_tunnel_up(struct post_receiver *receiver, uint64_t id, const uint8_t hash[20],
                             const uint8_t *secret, uint64_t now)
{
    receiver->now = now;
    if (id == 0 || receiver_tunnel_find(receiver, id) != NULL)
        return;
    make_room(receiver);
    struct receiver_tunnel *tunnel = calloc(1, sizeof *tunnel);
    if (tunnel == NULL)
        return;
    tunnel->id = id;
    tunnel->active_at = now;
    memcpy(tunnel->hash, hash, sizeof tunnel->hash);
    tunnel->is_private = secret != NULL;
    if (secret != NULL)
        memcpy(tunnel->secret, secret, sizeof tunnel->secret);
    HASH_ADD(hh, receiver->tunnels, id, sizeof tunnel->id, tunnel);
    if (tunnel->hh.tbl == NULL) {
        OPENSSL_cleanse(tunnel, sizeof *tunnel);
        free(tunnel);
        return;
    }
    receiver_greet(receiver, tunnel);
}

void post_receiver_tunnel_down(struct post_receiver *receiver, uint64_t id, uint64_t now)
{
    receiver->now = now;
    struct receiver_tunnel *tunnel = receiver_tunnel_find(receiver, id);
    if (tunnel != NULL)
        tunnel_free(receiver, tunnel);
}

void post_receiver_receive(struct post_receiver *receiver, uint64_t id, struct bytes payload, uint64_t now)
{
    struct receiver_tunnel *tunnel = receiver_tunnel_find(receiver, id);
    struct post_greeting greeting;
    struct post_frame frame;
    receiver->now = now;
    if (tunnel == NULL)
        return;
    if (item_is(payload, SERVICE_MESSAGE, POST_CLASSIC)) {
        tunnel->active_at = now;
        receiver_classic(receiver, tunnel, payload);
    } else if (post_frame_parse(&frame, POST_FORTH, payload)) {
        receiver_sealed(receiver, tunnel, &frame);
    } else if (post_greeting_parse(&greeting, payload) && greeting.form == POST_QUESTION) {
        receiver_greet(receiver, tunnel);
    } else {
        receiver_refuse(receiver, id, "not an item of posts");
    }
}

/* --- time */

void post_receiver_tick(struct post_receiver *receiver, uint64_t now)
{
    receiver->now = now;
    receiver_keys_tick(receiver);
    receiver_partials_tick(receiver);
    receiver_transfers_tick(receiver);
}

uint64_t post_receiver_deadline(const struct post_receiver *receiver)
{
    uint64_t ends[] = {receiver_keys_deadline(receiver), receiver_partials_deadline(receiver),
                       receiver_transfers_deadline(receiver)};
    uint64_t first = ends[0];
    for (size_t i = 1; i < sizeof ends / sizeof *ends; i++)
        first = ends[i] < first ? ends[i] : first;
    return first;
}

/* --- outputs */

bool receiver_say(struct post_receiver *receiver, const struct post_receiver_output *said,
                  struct buffer *buffer)
{
    struct receiver_event *event = receiver->queued < QUEUE_MAX ? calloc(1, sizeof *event) : NULL;
    if (event == NULL) {
        if (buffer != NULL)
            buffer_free(buffer);
        return false;
    }
    event->said = *said;
    if (buffer != NULL) {
        event->buffer = *buffer;
        *buffer = buffer_make(0);
    }
    DL_APPEND(receiver->queue, event);
    receiver->queued++;
    return true;
}

void receiver_refuse(struct post_receiver *receiver, uint64_t tunnel, const char *reason)
{
    struct post_receiver_output said = {.kind = POST_RECEIVER_REFUSED, .tunnel = tunnel, .reason = reason};
    receiver_say(receiver, &said, NULL);
}

void receiver_confirm(struct post_receiver *receiver, struct receiver_tunnel *tunnel)
{
    struct post_receiver_output said = {.kind = POST_RECEIVER_CONFIRMED, .tunnel = tunnel->id};
    if (!tunnel->confirmed)
        tunnel->confirmed = receiver_say(receiver, &said, NULL);
}

bool post_receiver_next(struct post_receiver *receiver, struct post_receiver_output *out)
{
    event_free(receiver->lent);
    struct receiver_event *event = receiver->lent = receiver->queue;
    if (event == NULL)
        return false;
    DL_DELETE(receiver->queue, event);
    receiver->queued--;
    *out = event->said;
    if (out->kind == POST_RECEIVER_SEND)
        out->payload = buffer_view(&event->buffer);
    else if (out->kind == POST_RECEIVER_ARRIVED)
        out->message = &event->buffer;
    return true;
}
