/* SPDX-License-Identifier: ISC */
#include <openssl/evp.h>

#include "distant/post_receiver_internal.h"
#include "wire/radix64.h"

/* Classic posts: slices are put together by tunnel (protocol 04 §6, 06 W-M11). */

enum {
    TEXT_MAX = POST_TEXT_LIMIT / 3 * 4 + POST_TEXT_LIMIT / 8
}; /* radix64, and its padding of up to 1/16 */

static void drop(struct partial *partial)
{
    buffer_free(&partial->text);
    *partial = (struct partial){0};
}

static struct partial *find(struct post_receiver *receiver, uint64_t tunnel)
{
    for (size_t i = 0; i < POST_RECEIVER_PARTIALS; i++) {
        struct partial *partial = &receiver->partials[i];
        if (partial->there && partial->tunnel == tunnel)
            return partial;
    }
    return NULL;
}

void receiver_partials_drop(struct post_receiver *receiver, uint64_t tunnel)
{
    struct partial *partial = find(receiver, tunnel);
    if (partial != NULL)
        drop(partial);
}

/* A free one, or that of the idlest: slices of one post come without a pause. */
static struct partial *begin(struct post_receiver *receiver, uint64_t tunnel)
{
    struct partial *place = receiver->partials;
    for (size_t i = 1; i < POST_RECEIVER_PARTIALS && place->there; i++) {
        struct partial *other = &receiver->partials[i];
        if (!other->there || other->active_at < place->active_at)
            place = other;
    }
    drop(place);
    *place = (struct partial){.there = true, .tunnel = tunnel, .text = buffer_make(TEXT_MAX)};
    return place;
}

/* At most LARGE_PARTIALS large ones, this one among them. */
static void bound_large(struct post_receiver *receiver, const struct partial *grown)
{
    size_t large = 0;
    struct partial *idlest = NULL;
    for (size_t i = 0; i < POST_RECEIVER_PARTIALS; i++) {
        struct partial *partial = &receiver->partials[i];
        if (!partial->there || buffer_size(&partial->text) <= LARGE)
            continue;
        large++;
        if (partial != grown && (idlest == NULL || partial->active_at < idlest->active_at))
            idlest = partial;
    }
    if (large > LARGE_PARTIALS && idlest != NULL && buffer_size(&grown->text) > LARGE)
        drop(idlest);
}

static void arrive(struct post_receiver *receiver, struct receiver_tunnel *tunnel, struct bytes text)
{
    struct buffer message = buffer_make(POST_TEXT_LIMIT);
    struct post_receiver_output said = {
        .kind = POST_RECEIVER_ARRIVED, .tunnel = tunnel->id, .post = ++receiver->last_post};
    bool whole = radix64_decode_lenient(&message, text) && buffer_size(&message) > 0;
    struct bytes view = buffer_view(&message);
    if (!whole || view.size > receiver_message_limit(receiver) ||
        EVP_Digest(view.data, view.size, said.digest, NULL, EVP_sha256(), NULL) != 1) {
        receiver_refuse(receiver, tunnel->id, whole ? "a classic post that is too large" : "no radix64");
        buffer_free(&message);
        return;
    }
    receiver_confirm(receiver, tunnel);
    said.size = view.size;
    memcpy(said.hash, tunnel->hash, sizeof said.hash);
    receiver_say(receiver, &said, &message);
}

void receiver_classic(struct post_receiver *receiver, struct receiver_tunnel *tunnel, struct bytes item)
{
    struct partial *partial = find(receiver, tunnel->id);
    struct buffer single = buffer_make(TEXT_MAX), *text = partial != NULL ? &partial->text : &single;
    bool more;
    if (!post_outer_parse(&more, text, item)) {
        receiver_refuse(receiver, tunnel->id, "not an encrypted classic post, or too much of it");
        receiver_partials_drop(receiver, tunnel->id);
    } else if (!more) {
        arrive(receiver, tunnel, buffer_view(text));
        receiver_partials_drop(receiver, tunnel->id);
    } else {
        if (partial == NULL) {
            partial = begin(receiver, tunnel->id);
            partial->text = single;
            single = buffer_make(0);
        }
        partial->active_at = receiver->now;
        bound_large(receiver, partial);
    }
    buffer_free(&single);
}

static uint64_t end_of(const struct partial *partial)
{
    return partial->there ? partial->active_at + POST_RECEIVER_PARTIAL_MS : UINT64_MAX;
}

void receiver_partials_tick(struct post_receiver *receiver)
{
    for (size_t i = 0; i < POST_RECEIVER_PARTIALS; i++) {
        if (receiver->now >= end_of(&receiver->partials[i]))
            drop(&receiver->partials[i]);
    }
}

uint64_t receiver_partials_deadline(const struct post_receiver *receiver)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < POST_RECEIVER_PARTIALS; i++) {
        uint64_t end = end_of(&receiver->partials[i]);
        first = end < first ? end : first;
    }
    return first;
}
