/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_DISTANT_POST_SCENE_H
#define RETROGATE_TESTS_DISTANT_POST_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "distant/post_receiver.h"
#include "distant/post_sender.h"

/* A sender and a receiver whose owners answer at once, unless a test holds them back. What the keyring
 * signs is "signed" and the day key. */

enum { SCENE_POSTS = 32, SCENE_PACKETS = 512 };

struct scene_packet {
    bool forth;
    uint64_t tunnel;
    struct buffer bytes;
};

struct scene {
    struct random_seeded seed;
    struct random_source random;
    uint64_t now;
    uint8_t hash[20], fingerprint[20], secret[32];
    bool is_private, sealed_only, classic;
    struct post_sender *sender;
    struct post_receiver *receiver;
    struct scene_packet flight[SCENE_PACKETS];
    size_t flying;
    /* what the owners were told */
    unsigned signs, checks, wires, confirmed_by_sender, confirmed_by_receiver, refused_items;
    unsigned offered, arrived, delivered, left, refused, returned, closed_by_sender, closed_by_receiver;
    uint8_t code;
    bool temporary;
    struct buffer message; /* the latest that arrived */
    uint64_t post;         /* its number at the receiver, or that of the latest offer */
    bool arrived_sealed;
    /* how they answer */
    bool forge_checks, hold_checks, hold_offers, hold_stores, cannot_sign;
    uint64_t check;
    int offer_answer;
    bool (*drops)(struct scene *scene, bool forth, struct bytes payload);
};

static inline struct buffer scene_bytes(size_t size, uint8_t first)
{
    struct buffer made = buffer_make(size);
    uint8_t *at = buffer_reserve(&made, size);
    assert_non_null(at);
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(first + i * 7 + i / 256);
    buffer_commit(&made, size);
    return made;
}

static inline void scene_fly(struct scene *scene, bool forth, uint64_t tunnel, struct bytes payload)
{
    if (scene->drops != NULL && scene->drops(scene, forth, payload))
        return;
    assert_true(scene->flying < SCENE_PACKETS);
    struct scene_packet *packet = &scene->flight[scene->flying++];
    *packet = (struct scene_packet){forth, tunnel, buffer_make(payload.size)};
    assert_true(buffer_append_bytes(&packet->bytes, payload));
}

static inline struct buffer scene_signature(const uint8_t day_key[32])
{
    struct buffer made = buffer_make(64);
    buffer_append_string(&made, "signed");
    buffer_append(&made, day_key, 32);
    return made;
}

static inline bool scene_is_genuine(const struct post_sender_output *out)
{
    struct buffer signature = scene_signature(out->day_key);
    bool genuine = bytes_equal(out->signature, buffer_view(&signature));
    buffer_free(&signature);
    return genuine;
}

static inline void scene_sender_says(struct scene *scene, const struct post_sender_output *out)
{
    switch (out->kind) {
    case POST_SENDER_SEND:
        scene_fly(scene, true, out->tunnel, out->payload);
        break;
    case POST_SENDER_CHECK:
        scene->checks++;
        scene->check = out->check;
        if (!scene->hold_checks)
            post_sender_checked(scene->sender, out->check, !scene->forge_checks && scene_is_genuine(out),
                                86400, scene->now);
        break;
    case POST_SENDER_WIRE:
        scene->wires++;
        break;
    case POST_SENDER_DELIVERED:
        scene->delivered++;
        break;
    case POST_SENDER_LEFT:
        scene->left++;
        break;
    case POST_SENDER_REFUSED:
        scene->refused++;
        scene->code = out->code;
        scene->temporary = out->temporary;
        break;
    case POST_SENDER_RETURNED:
        scene->returned++;
        break;
    case POST_SENDER_CLOSE_TUNNEL:
        scene->closed_by_sender++;
        break;
    case POST_SENDER_CONFIRMED:
        scene->confirmed_by_sender++;
        break;
    }
}

static inline void scene_receiver_says(struct scene *scene, struct post_receiver_output *out)
{
    struct buffer signature;
    switch (out->kind) {
    case POST_RECEIVER_SEND:
        scene_fly(scene, false, out->tunnel, out->payload);
        break;
    case POST_RECEIVER_SIGN:
        scene->signs++;
        signature = scene_signature(out->day_key);
        post_receiver_signed(scene->receiver, out->day_key,
                             scene->cannot_sign ? bytes_of(NULL, 0) : buffer_view(&signature), scene->now);
        buffer_free(&signature);
        break;
    case POST_RECEIVER_OFFERED:
        scene->offered++;
        scene->post = out->post;
        if (!scene->hold_offers)
            post_receiver_offer(scene->receiver, out->post, scene->offer_answer, scene->now);
        break;
    case POST_RECEIVER_ARRIVED:
        scene->arrived++;
        scene->post = out->post;
        scene->arrived_sealed = out->sealed;
        buffer_free(&scene->message);
        scene->message = *out->message;
        *out->message = buffer_make(0);
        if (!scene->hold_stores)
            post_receiver_stored(scene->receiver, out->post, scene->now);
        break;
    case POST_RECEIVER_CLOSE_TUNNEL:
        scene->closed_by_receiver++;
        break;
    case POST_RECEIVER_CONFIRMED:
        scene->confirmed_by_receiver++;
        break;
    case POST_RECEIVER_REFUSED:
        assert_non_null(out->reason);
        scene->refused_items++;
        break;
    }
}

static inline void scene_take(struct scene *scene)
{
    struct post_sender_output said;
    struct post_receiver_output heard;
    while (scene->sender != NULL && post_sender_next(scene->sender, &said))
        scene_sender_says(scene, &said);
    while (scene->receiver != NULL && post_receiver_next(scene->receiver, &heard))
        scene_receiver_says(scene, &heard);
}

/* Everything that flies arrives, and what it brings about. */
static inline void scene_settle(struct scene *scene)
{
    scene_take(scene);
    for (size_t rounds = 0; scene->flying > 0; rounds++) {
        assert_true(rounds < 100000);
        struct scene_packet packet = scene->flight[0];
        memmove(&scene->flight[0], &scene->flight[1], --scene->flying * sizeof packet);
        if (packet.forth && scene->receiver != NULL)
            post_receiver_receive(scene->receiver, packet.tunnel, buffer_view(&packet.bytes), scene->now);
        else if (!packet.forth && scene->sender != NULL)
            post_sender_receive(scene->sender, packet.tunnel, buffer_view(&packet.bytes), scene->now);
        buffer_free(&packet.bytes);
        scene_take(scene);
    }
}

/* Time passes from one thing that is planned to the next. */
static inline void scene_pass(struct scene *scene, uint64_t ms)
{
    uint64_t end = scene->now + ms;
    for (size_t rounds = 0; scene->now < end; rounds++) {
        assert_true(rounds < 100000);
        uint64_t next = end;
        if (scene->sender != NULL && post_sender_deadline(scene->sender) < next)
            next = post_sender_deadline(scene->sender);
        if (scene->receiver != NULL && post_receiver_deadline(scene->receiver) < next)
            next = post_receiver_deadline(scene->receiver);
        assert_true(next > scene->now); /* nothing is due for ever */
        scene->now = next;
        if (scene->sender != NULL)
            post_sender_tick(scene->sender, scene->now);
        if (scene->receiver != NULL)
            post_receiver_tick(scene->receiver, scene->now);
        scene_settle(scene);
    }
}

static inline void scene_start_sender(struct scene *scene)
{
    struct post_sender_options options = {.secret = scene->is_private ? scene->secret : NULL,
                                          .sealed_only = scene->sealed_only,
                                          .started = INT64_C(1780000000123),
                                          .classic = scene->classic};
    memcpy(options.hash, scene->hash, sizeof options.hash);
    memcpy(options.recipient, scene->fingerprint, sizeof options.recipient);
    post_sender_free(scene->sender);
    scene->sender = post_sender_new(&options, &scene->random, scene->now);
    assert_non_null(scene->sender);
}

static inline void scene_start_receiver(struct scene *scene)
{
    struct post_receiver_options options = {.limit = POST_CONTENT_LIMIT, .greets = true};
    memcpy(options.fingerprint, scene->fingerprint, sizeof options.fingerprint);
    post_receiver_free(scene->receiver);
    scene->receiver = post_receiver_new(&options, &scene->random, scene->now);
    assert_non_null(scene->receiver);
}

static inline void scene_tunnel(struct scene *scene, uint64_t id)
{
    post_receiver_tunnel_up(scene->receiver, id, scene->hash, scene->is_private ? scene->secret : NULL,
                            scene->now);
    post_sender_tunnel_up(scene->sender, id, scene->now);
    scene_settle(scene);
}

static inline bool scene_give(struct scene *scene, uint64_t post, size_t size)
{
    struct buffer message = scene_bytes(size, (uint8_t)post);
    bool taken = post_sender_give(scene->sender, post, post_sender_wire(scene->sender), &message, scene->now);
    assert_true(taken == (buffer_size(&message) == 0) || size == 0);
    buffer_free(&message);
    return taken;
}

static inline struct scene *scene_new(bool is_private)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    scene->random = random_from_seed(&scene->seed, is_private);
    scene->now = 1000000;
    scene->is_private = is_private;
    memset(scene->hash, 1, sizeof scene->hash);
    memset(scene->fingerprint, 2, sizeof scene->fingerprint);
    memset(scene->secret, 3, sizeof scene->secret);
    scene_start_sender(scene);
    scene_start_receiver(scene);
    return scene;
}

static inline void scene_free(struct scene *scene)
{
    while (scene->flying > 0)
        buffer_free(&scene->flight[--scene->flying].bytes);
    buffer_free(&scene->message);
    post_sender_free(scene->sender);
    post_receiver_free(scene->receiver);
    free(scene);
}

#endif
