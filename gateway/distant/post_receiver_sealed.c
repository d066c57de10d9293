/* SPDX-License-Identifier: ISC */
#include <openssl/evp.h>

#include "distant/post_receiver_internal.h"

/* POSTS.md §5, §6: frames of a tunnel, and the transfers of the account, which outlive their tunnels. */

/* --- answers */

static void answer(struct post_receiver *receiver, const struct incoming *incoming,
                   const struct post_record *record)
{
    struct receiver_tunnel *tunnel = receiver_tunnel_find(receiver, incoming->tunnel);
    struct post_receiver_output said = {.kind = POST_RECEIVER_SEND, .tunnel = incoming->tunnel};
    struct post_record whole = *record;
    struct buffer item = buffer_make(256);
    memcpy(whole.transfer, incoming->id, sizeof whole.transfer);
    if (incoming->tunnel != 0 && tunnel != NULL && tunnel->channel.there &&
        post_channel_write(&tunnel->channel, &item, &whole))
        receiver_say(receiver, &said, &item);
    buffer_free(&item);
}

static void want(struct post_receiver *receiver, struct incoming *incoming)
{
    uint64_t offset = incoming->stage == STAGE_WHOLE ? incoming->size : buffer_size(&incoming->letter);
    uint64_t left = incoming->stage == STAGE_ASKED ? 0 : incoming->size - offset;
    struct post_record record = {
        .kind = POST_WANT, .offset = offset, .window = left < WINDOW ? (uint32_t)left : WINDOW};
    incoming->want_at = receiver->now;
    incoming->unsaid = 0;
    answer(receiver, incoming, &record);
}

static void end(struct incoming *incoming)
{
    buffer_free(&incoming->letter);
    *incoming = (struct incoming){0};
}

static void say_stored(struct post_receiver *receiver, struct incoming *incoming)
{
    answer(receiver, incoming, &(struct post_record){.kind = POST_STORED});
    end(incoming);
}

static void say_refused(struct post_receiver *receiver, struct incoming *incoming, enum post_refusal code)
{
    answer(receiver, incoming, &(struct post_record){.kind = POST_REFUSED, .code = (uint8_t)code});
    end(incoming);
}

/* --- room */

static struct incoming *find(struct post_receiver *receiver, const uint8_t id[POST_ID_SIZE])
{
    for (size_t i = 0; i < POST_RECEIVER_TRANSFERS; i++) {
        struct incoming *incoming = &receiver->incoming[i];
        if (incoming->stage != STAGE_NONE && memcmp(incoming->id, id, sizeof incoming->id) == 0)
            return incoming;
    }
    return NULL;
}

/* It gives way to `fresh`: nothing comes any more, or a stranger's to what a contact sends. */
static bool gives_way(const struct post_receiver *receiver, const struct incoming *old,
                      const struct incoming *fresh)
{
    return old->stage == STAGE_TAKING && (old->tunnel == 0 || receiver->now - old->active_at >= IDLE_MS ||
                                          (fresh->is_private && !old->is_private));
}

static struct incoming *idlest(struct incoming *a, struct incoming *b)
{
    return a == NULL || b->active_at < a->active_at ? b : a;
}

static struct incoming *place_for(struct post_receiver *receiver, const struct incoming *fresh)
{
    struct incoming *free_place = NULL, *weakest = NULL, *weakest_here = NULL, *large = NULL;
    size_t here = 0;
    for (size_t i = 0; i < POST_RECEIVER_TRANSFERS; i++) {
        struct incoming *old = &receiver->incoming[i];
        if (old->stage == STAGE_NONE) {
            free_place = old;
            continue;
        }
        bool weak = gives_way(receiver, old, fresh);
        here += old->tunnel == fresh->tunnel;
        if (weak)
            weakest = idlest(weakest, old);
        if (weak && old->tunnel == fresh->tunnel)
            weakest_here = idlest(weakest_here, old);
        if (old->size > LARGE && fresh->size > LARGE)
            large = old;
    }
    if (large != NULL)
        return gives_way(receiver, large, fresh) ? large : NULL;
    if (here >= TRANSFERS_OF_TUNNEL)
        return weakest_here;
    return free_place != NULL ? free_place : weakest;
}

/* --- records */

static void ask(struct post_receiver *receiver, struct receiver_tunnel *tunnel, struct incoming *incoming)
{
    struct post_receiver_output said = {.kind = POST_RECEIVER_OFFERED,
                                        .tunnel = tunnel->id,
                                        .post = incoming->post,
                                        .size = incoming->size,
                                        .sealed = true};
    memcpy(said.hash, tunnel->hash, sizeof said.hash);
    memcpy(said.digest, incoming->digest, sizeof said.digest);
    if (!receiver_say(receiver, &said, NULL))
        end(incoming);
}

static void on_new_offer(struct post_receiver *receiver, struct receiver_tunnel *tunnel,
                         const struct post_record *record)
{
    struct incoming fresh = {.stage = STAGE_ASKED,
                             .size = record->size,
                             .is_private = tunnel->is_private,
                             .tunnel = tunnel->id,
                             .active_at = receiver->now};
    memcpy(fresh.id, record->transfer, sizeof fresh.id);
    memcpy(fresh.digest, record->digest, sizeof fresh.digest);
    if (record->size > receiver_message_limit(receiver)) {
        say_refused(receiver, &fresh, POST_TOO_LARGE);
        return;
    }
    struct incoming *place = place_for(receiver, &fresh);
    if (place == NULL) {
        say_refused(receiver, &fresh, POST_TOO_MANY);
        return;
    }
    if (place->stage != STAGE_NONE)
        say_refused(receiver, place, POST_TOO_MANY);
    fresh.post = ++receiver->last_post;
    fresh.letter = buffer_make((size_t)fresh.size);
    *place = fresh;
    ask(receiver, tunnel, place);
}

static void on_offer(struct post_receiver *receiver, struct receiver_tunnel *tunnel,
                     const struct post_record *record)
{
    struct incoming *incoming = find(receiver, record->transfer);
    if (incoming == NULL) {
        on_new_offer(receiver, tunnel, record);
        return;
    }
    if (incoming->size != record->size ||
        memcmp(incoming->digest, record->digest, sizeof incoming->digest) != 0) {
        receiver_refuse(receiver, tunnel->id, "an offer that changed");
        return;
    }
    incoming->tunnel = tunnel->id;
    want(receiver, incoming);
}

static void arrive(struct post_receiver *receiver, struct receiver_tunnel *tunnel, struct incoming *incoming)
{
    uint8_t digest[32];
    struct bytes letter = buffer_view(&incoming->letter);
    struct post_receiver_output said = {.kind = POST_RECEIVER_ARRIVED,
                                        .tunnel = tunnel->id,
                                        .post = incoming->post,
                                        .size = incoming->size,
                                        .sealed = true};
    if (EVP_Digest(letter.data, letter.size, digest, NULL, EVP_sha256(), NULL) != 1 ||
        memcmp(digest, incoming->digest, sizeof digest) != 0) {
        receiver_refuse(receiver, tunnel->id, "a letter that is not the one offered");
        say_refused(receiver, incoming, POST_NOT_READABLE);
        return;
    }
    memcpy(said.hash, tunnel->hash, sizeof said.hash);
    memcpy(said.digest, digest, sizeof said.digest);
    incoming->stage = STAGE_WHOLE;
    want(receiver, incoming);
    if (!receiver_say(receiver, &said, &incoming->letter))
        end(incoming);
}

static void on_slice(struct post_receiver *receiver, struct receiver_tunnel *tunnel,
                     const struct post_record *record)
{
    struct incoming *incoming = find(receiver, record->transfer);
    if (incoming == NULL || incoming->stage == STAGE_ASKED)
        return; /* it is offered again, when nothing is answered */
    uint64_t have = buffer_size(&incoming->letter);
    if (incoming->stage == STAGE_WHOLE || record->offset != have ||
        record->data.size > incoming->size - have) {
        if (receiver->now - incoming->want_at >= WANT_AGAIN_MS)
            want(receiver, incoming);
        return;
    }
    if (!buffer_append_bytes(&incoming->letter, record->data)) {
        say_refused(receiver, incoming, POST_NOT_NOW);
        return;
    }
    incoming->active_at = receiver->now;
    incoming->unsaid++;
    if (buffer_size(&incoming->letter) == incoming->size)
        arrive(receiver, tunnel, incoming);
    else if (incoming->unsaid >= WANT_AFTER_SLICES || receiver->now - incoming->want_at >= WANT_AFTER_MS)
        want(receiver, incoming);
}

static void on_cancel(struct post_receiver *receiver, const struct post_record *record)
{
    struct incoming *incoming = find(receiver, record->transfer);
    if (incoming != NULL && incoming->stage != STAGE_WHOLE)
        end(incoming);
}

/* --- frames */

static bool open_anew(struct post_receiver *receiver, struct receiver_tunnel *tunnel, struct buffer *plain,
                      const struct post_frame *frame)
{
    struct post_channel channel = {0};
    struct post_agreement agreement = {.secret = tunnel->is_private ? tunnel->secret : NULL};
    memcpy(agreement.hash, tunnel->hash, sizeof agreement.hash);
    memcpy(agreement.recipient, receiver->fingerprint, sizeof agreement.recipient);
    bool opens =
        !post_day_keys_used(&receiver->keys, frame->ephemeral.data) &&
        post_allow(&tunnel->ephemerals, EPHEMERALS_BURST, receiver->now) &&
        post_day_keys_open(&receiver->keys, &channel, &tunnel->channel_until, &agreement, plain, frame);
    if (opens)
        tunnel->channel = channel;
    post_channel_wipe(&channel);
    return opens;
}

static bool is_of_channel(const struct receiver_tunnel *tunnel, const struct post_frame *frame)
{
    const struct post_channel *channel = &tunnel->channel;
    return channel->there &&
           memcmp(channel->ephemeral, frame->ephemeral.data, sizeof channel->ephemeral) == 0;
}

static bool open(struct post_receiver *receiver, struct receiver_tunnel *tunnel, struct buffer *plain,
                 const struct post_frame *frame)
{
    if (is_of_channel(tunnel, frame))
        return post_channel_open(&tunnel->channel, plain, frame);
    if (open_anew(receiver, tunnel, plain, frame))
        return true;
    receiver_greet(receiver, tunnel); /* its sender has keys that are not there any more */
    return false;
}

static void on_record(struct post_receiver *receiver, struct receiver_tunnel *tunnel, struct bytes plain)
{
    struct post_record record;
    if (!post_forth_parse(&record, plain))
        receiver_refuse(receiver, tunnel->id, "a malformed record");
    else if (record.kind == POST_OFFER)
        on_offer(receiver, tunnel, &record);
    else if (record.kind == POST_SLICE)
        on_slice(receiver, tunnel, &record);
    else
        on_cancel(receiver, &record);
}

void receiver_sealed(struct post_receiver *receiver, struct receiver_tunnel *tunnel,
                     const struct post_frame *frame)
{
    struct buffer plain = buffer_make(POST_SLICE_SIZE + 64);
    if (tunnel->channel.there && receiver->now >= tunnel->channel_until)
        post_channel_wipe(&tunnel->channel);
    if (open(receiver, tunnel, &plain, frame)) {
        tunnel->active_at = receiver->now;
        receiver_confirm(receiver, tunnel);
        on_record(receiver, tunnel, buffer_view(&plain));
    } else {
        receiver_refuse(receiver, tunnel->id, "a frame that does not open");
    }
    buffer_free(&plain);
}

/* --- the owner's answers */

static struct incoming *find_post(struct post_receiver *receiver, uint64_t post, enum stage stage)
{
    for (size_t i = 0; i < POST_RECEIVER_TRANSFERS; i++) {
        if (receiver->incoming[i].stage == stage && receiver->incoming[i].post == post)
            return &receiver->incoming[i];
    }
    return NULL;
}

void post_receiver_offer(struct post_receiver *receiver, uint64_t post, int reply, uint64_t now)
{
    receiver->now = now;
    struct incoming *incoming = find_post(receiver, post, STAGE_ASKED);
    if (incoming == NULL)
        return;
    incoming->active_at = now;
    if (reply == POST_KNOWN) {
        say_stored(receiver, incoming);
    } else if (reply != 0) {
        say_refused(receiver, incoming, (enum post_refusal)reply);
    } else {
        incoming->stage = STAGE_TAKING;
        want(receiver, incoming);
    }
}

void post_receiver_stored(struct post_receiver *receiver, uint64_t post, uint64_t now)
{
    receiver->now = now;
    struct incoming *incoming = find_post(receiver, post, STAGE_WHOLE);
    if (incoming != NULL)
        say_stored(receiver, incoming);
}

void post_receiver_refused(struct post_receiver *receiver, uint64_t post, enum post_refusal code,
                           uint64_t now)
{
    receiver->now = now;
    struct incoming *incoming = find_post(receiver, post, STAGE_WHOLE);
    if (incoming != NULL)
        say_refused(receiver, incoming, code);
}

/* --- time and tunnels */

void receiver_transfers_detach(struct post_receiver *receiver, uint64_t tunnel)
{
    for (size_t i = 0; i < POST_RECEIVER_TRANSFERS; i++) {
        if (receiver->incoming[i].tunnel == tunnel)
            receiver->incoming[i].tunnel = 0;
    }
}

static uint64_t end_of(const struct incoming *incoming)
{
    return incoming->stage == STAGE_TAKING ? incoming->active_at + POST_RECEIVER_TRANSFER_MS : UINT64_MAX;
}

void receiver_transfers_tick(struct post_receiver *receiver)
{
    for (size_t i = 0; i < POST_RECEIVER_TRANSFERS; i++) {
        if (receiver->now >= end_of(&receiver->incoming[i]))
            end(&receiver->incoming[i]);
    }
}

uint64_t receiver_transfers_deadline(const struct post_receiver *receiver)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < POST_RECEIVER_TRANSFERS; i++) {
        uint64_t last = end_of(&receiver->incoming[i]);
        first = last < first ? last : first;
    }
    return first;
}
