/* SPDX-License-Identifier: ISC */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "distant/post_sender_internal.h"

/* A question after so long without a greeting. */
static const uint64_t ask_after_ms[] = {5000, 15000, 35000};
enum { ASK_TIMES = sizeof ask_after_ms / sizeof *ask_after_ms };

static const int64_t day_ms = 86400000;

enum { PAYLOAD_MAX = 80000 }; /* a classic slice is the largest: 60,056 bytes */

struct post_sender *post_sender_new(const struct post_sender_options *options,
                                    const struct random_source *random, uint64_t now)
{
    struct post_sender *sender = calloc(1, sizeof *sender);
    if (sender == NULL)
        return NULL;
    sender->random = *random;
    memcpy(sender->hash, options->hash, sizeof sender->hash);
    memcpy(sender->recipient, options->recipient, sizeof sender->recipient);
    sender->is_private = options->secret != NULL;
    if (sender->is_private)
        memcpy(sender->secret, options->secret, sizeof sender->secret);
    sender->sealed_only = options->sealed_only;
    sender->prefers_classic = options->classic;
    sender->started = options->started;
    sender->started_at = sender->now = now;
    sender->payload = buffer_make(PAYLOAD_MAX);
    sender->wire_told = true;
    if (options->classic)
        sender_wire_set(sender, POST_WIRE_CLASSIC);
    return sender;
}

void post_sender_free(struct post_sender *sender)
{
    if (sender == NULL)
        return;
    for (size_t i = 0; i < POST_TRANSFERS; i++)
        buffer_free(&sender->transfers[i].message);
    buffer_free(&sender->payload);
    OPENSSL_cleanse(sender, sizeof *sender);
    free(sender);
}

/* --- the wire */

/* What was made for the other one and has not begun is given back. */
void sender_wire_set(struct post_sender *sender, enum post_wire wire)
{
    if (sender->wire == wire)
        return;
    sender->wire = wire;
    sender->wire_told = false;
    for (size_t i = 0; i < POST_TRANSFERS; i++) {
        struct transfer *transfer = &sender->transfers[i];
        if (transfer->there && transfer->classic && transfer->fate == FATE_OPEN && !transfer->begun)
            transfer->fate = FATE_RETURNED;
    }
}

enum post_wire post_sender_wire(const struct post_sender *sender)
{
    return sender->wire;
}

static bool is_sealed(const struct post_sender *sender)
{
    return sender->sealed_only || sender->wire == POST_WIRE_SEALED;
}

/* --- tunnels */

struct sender_tunnel *sender_tunnel_find(struct post_sender *sender, uint64_t id)
{
    for (size_t i = 0; i < POST_SENDER_TUNNELS; i++) {
        if (sender_tunnel_is_up(&sender->tunnels[i]) && sender->tunnels[i].id == id)
            return &sender->tunnels[i];
    }
    return NULL;
}

void post_sender_tunnel_up(struct post_sender *sender, uint64_t id, uint64_t now)
{
    sender->now = now;
    if (sender_tunnel_find(sender, id) != NULL)
        return;
    size_t place = 0;
    while (place < POST_SENDER_TUNNELS && sender->tunnels[place].there)
        place++;
    sender->tunnels[place] = (struct sender_tunnel){
        .there = true, .closing = place == POST_SENDER_TUNNELS, .id = id, .keyless_since = now};
}

static void drop(struct post_sender *sender, struct sender_tunnel *tunnel)
{
    sender_greeting_forget(sender, tunnel);
    OPENSSL_cleanse(tunnel, sizeof *tunnel);
    if (sender->carrier == tunnel)
        sender_carrier_choose(sender);
}

void post_sender_tunnel_down(struct post_sender *sender, uint64_t id, uint64_t now)
{
    sender->now = now;
    struct sender_tunnel *tunnel = sender_tunnel_find(sender, id);
    if (tunnel == NULL)
        return;
    drop(sender, tunnel);
    for (size_t i = 0; i < POST_TRANSFERS; i++) {
        struct transfer *transfer = &sender->transfers[i];
        if (transfer->there && transfer->classic && transfer->fate == FATE_OPEN && transfer->tunnel == id)
            transfer->fate = FATE_LEFT; /* as much of it as left; it was told as not confirmed already */
    }
}

void post_sender_receive(struct post_sender *sender, uint64_t id, struct bytes payload, uint64_t now)
{
    sender->now = now;
    struct sender_tunnel *tunnel = sender_tunnel_find(sender, id);
    struct post_greeting greeting;
    struct post_frame frame;
    if (tunnel == NULL)
        return;
    if (post_greeting_parse(&greeting, payload))
        sender_greeting(sender, tunnel, &greeting);
    else if (post_frame_parse(&frame, POST_BACK, payload))
        sender_sealed_receive(sender, tunnel, &frame);
}

/* The one that came last, as an original peer chooses. */
static const struct sender_tunnel *classic_tunnel(const struct post_sender *sender)
{
    const struct sender_tunnel *found = NULL;
    for (size_t i = 0; i < POST_SENDER_TUNNELS; i++) {
        const struct sender_tunnel *tunnel = &sender->tunnels[i];
        if (sender_tunnel_is_up(tunnel) && (found == NULL || tunnel->keyless_since > found->keyless_since))
            found = tunnel;
    }
    return found;
}

/* --- posts */

bool post_sender_can_send(const struct post_sender *sender)
{
    if (sender->wire == POST_WIRE_SEALED)
        return sender->carrier != NULL;
    return sender->wire == POST_WIRE_CLASSIC && classic_tunnel(sender) != NULL;
}

unsigned post_sender_room(const struct post_sender *sender)
{
    unsigned room = 0;
    for (size_t i = 0; post_sender_can_send(sender) && i < POST_TRANSFERS; i++)
        room += !sender->transfers[i].there;
    return room;
}

static bool begin_sealed(struct post_sender *sender, struct transfer *transfer, struct buffer *message)
{
    struct bytes letter = buffer_view(message);
    if (letter.size > POST_LETTER_LIMIT ||
        EVP_Digest(letter.data, letter.size, transfer->digest, NULL, EVP_sha256(), NULL) != 1)
        return false;
    sender->random.fill(sender->random.state, transfer->id, sizeof transfer->id);
    transfer->message = *message;
    *message = buffer_make(message->ceiling);
    transfer->there = true;
    sender_sealed_begin(sender, transfer);
    return true;
}

static bool begin_classic(struct post_sender *sender, struct transfer *transfer, struct buffer *message)
{
    transfer->classic = true;
    transfer->tunnel = classic_tunnel(sender)->id;
    transfer->message = buffer_make(2 * (size_t)POST_TEXT_LIMIT);
    if (buffer_size(message) > POST_TEXT_LIMIT ||
        !post_outer_text(&transfer->message, buffer_view(message))) {
        buffer_free(&transfer->message);
        return false;
    }
    buffer_free(message);
    return transfer->there = true;
}

bool post_sender_give(struct post_sender *sender, uint64_t post, enum post_wire wire, struct buffer *message,
                      uint64_t now)
{
    sender->now = now;
    struct transfer *transfer = sender->transfers;
    if (wire != sender->wire || buffer_size(message) == 0 || post_sender_room(sender) == 0)
        return false;
    while (transfer->there)
        transfer++;
    *transfer = (struct transfer){.post = post};
    return wire == POST_WIRE_SEALED ? begin_sealed(sender, transfer, message)
                                    : begin_classic(sender, transfer, message);
}

bool post_sender_cancel(struct post_sender *sender, uint64_t post, uint64_t now)
{
    sender->now = now;
    for (size_t i = 0; i < POST_TRANSFERS; i++) {
        struct transfer *transfer = &sender->transfers[i];
        if (!transfer->there || transfer->post != post || transfer->fate == FATE_WITHDRAWN)
            continue;
        buffer_free(&transfer->message);
        transfer->fate = FATE_WITHDRAWN;
        transfer->there = !transfer->classic && transfer->begun && sender->carrier != NULL;
        sender_sealed_withdrawn(sender);
        return true;
    }
    return false;
}

/* --- time */

static uint64_t ask_at(const struct sender_tunnel *tunnel)
{
    return tunnel->asked < ASK_TIMES ? tunnel->keyless_since + ask_after_ms[tunnel->asked] : UINT64_MAX;
}

/* A contact that is known for sealed posts is behind every tunnel that is of any use. */
static void wait_for_greeting(struct post_sender *sender, struct sender_tunnel *tunnel)
{
    if (is_sealed(sender) && sender->now - tunnel->keyless_since >= GIVE_UP_MS) {
        tunnel->closing = true;
        sender_greeting_forget(sender, tunnel);
        return;
    }
    if (!sender->sealed_only && sender->wire == POST_WIRE_UNKNOWN &&
        sender->now - tunnel->keyless_since >= POST_GREETING_MS &&
        !sender_greeting_is_checked(sender, tunnel))
        sender_wire_set(sender, POST_WIRE_CLASSIC);
    /* However late the tick comes, one question is enough. */
    for (; sender->wire != POST_WIRE_CLASSIC && sender->now >= ask_at(tunnel); tunnel->asked++)
        tunnel->ask = true;
}

static void forget_expired(struct post_sender *sender, struct sender_tunnel *tunnel)
{
    post_channel_wipe(&tunnel->channel);
    tunnel->keyless_since = sender->now;
    tunnel->asked = 0;
    tunnel->unanswered = 0;
    if (sender->carrier == tunnel)
        sender_carrier_choose(sender);
}

void post_sender_tick(struct post_sender *sender, uint64_t now)
{
    sender->now = now;
    for (size_t i = 0; i < POST_SENDER_TUNNELS; i++) {
        struct sender_tunnel *tunnel = &sender->tunnels[i];
        if (!sender_tunnel_is_up(tunnel))
            continue;
        if (tunnel->channel.there && now >= tunnel->greeted.until)
            forget_expired(sender, tunnel);
        if (!tunnel->channel.there)
            wait_for_greeting(sender, tunnel);
    }
    sender_sealed_tick(sender);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t tunnel_deadline(const struct post_sender *sender, const struct sender_tunnel *tunnel)
{
    if (tunnel->channel.there)
        return tunnel->greeted.until;
    uint64_t due = sender->wire != POST_WIRE_CLASSIC ? ask_at(tunnel) : UINT64_MAX;
    if (is_sealed(sender))
        return sooner(due, tunnel->keyless_since + GIVE_UP_MS);
    if (sender->wire == POST_WIRE_UNKNOWN && !sender_greeting_is_checked(sender, tunnel))
        due = sooner(due, tunnel->keyless_since + POST_GREETING_MS);
    return due;
}

uint64_t post_sender_deadline(const struct post_sender *sender)
{
    uint64_t first = sender_sealed_deadline(sender);
    for (size_t i = 0; i < POST_SENDER_TUNNELS; i++) {
        if (sender_tunnel_is_up(&sender->tunnels[i]))
            first = sooner(first, tunnel_deadline(sender, &sender->tunnels[i]));
    }
    return first;
}

/* --- outputs */

static bool send_question(struct post_sender *sender, struct sender_tunnel *tunnel,
                          struct post_sender_output *out)
{
    static const struct post_greeting question = {.form = POST_QUESTION};
    tunnel->ask = false;
    buffer_clear(&sender->payload);
    if (!post_greeting_write(&sender->payload, &question))
        return false;
    *out = (struct post_sender_output){
        .kind = POST_SENDER_SEND, .tunnel = tunnel->id, .payload = buffer_view(&sender->payload)};
    return true;
}

static bool next_of_tunnels(struct post_sender *sender, struct post_sender_output *out)
{
    for (size_t i = 0; i <= POST_SENDER_TUNNELS; i++) {
        struct sender_tunnel *tunnel = &sender->tunnels[i];
        *out = (struct post_sender_output){.tunnel = tunnel->id};
        if (tunnel->there && tunnel->closing) {
            out->kind = POST_SENDER_CLOSE_TUNNEL;
            drop(sender, tunnel);
            return true;
        }
        if (tunnel->confirming) {
            out->kind = POST_SENDER_CONFIRMED;
            tunnel->confirming = false;
            return true;
        }
        if (tunnel->ask && send_question(sender, tunnel, out))
            return true;
    }
    return false;
}

static bool next_fate(struct post_sender *sender, struct post_sender_output *out)
{
    static const enum post_sender_output_kind kinds[] = {[FATE_DELIVERED] = POST_SENDER_DELIVERED,
                                                         [FATE_LEFT] = POST_SENDER_LEFT,
                                                         [FATE_REFUSED] = POST_SENDER_REFUSED,
                                                         [FATE_RETURNED] = POST_SENDER_RETURNED};
    for (size_t i = 0; i < POST_TRANSFERS; i++) {
        struct transfer *transfer = &sender->transfers[i];
        if (!transfer->there || transfer->fate == FATE_OPEN)
            continue;
        if (transfer->fate == FATE_WITHDRAWN && sender->carrier != NULL)
            continue; /* the recipient is told first */
        transfer->there = false;
        buffer_free(&transfer->message);
        if (transfer->fate == FATE_WITHDRAWN)
            continue;
        *out = (struct post_sender_output){
            .kind = kinds[transfer->fate], .post = transfer->post, .code = transfer->code};
        out->temporary = transfer->fate == FATE_REFUSED &&
                         (transfer->code == POST_TOO_MANY || transfer->code == POST_NOT_NOW);
        return true;
    }
    return false;
}

static bool next_classic(struct post_sender *sender, struct post_sender_output *out)
{
    for (size_t i = 0; i < POST_TRANSFERS; i++) {
        struct transfer *transfer = &sender->transfers[i];
        if (!transfer->there || !transfer->classic || transfer->fate != FATE_OPEN)
            continue;
        struct bytes text = buffer_view(&transfer->message);
        bool partial = text.size > POST_SLICE_CHARACTERS;
        if (partial)
            text.size = POST_SLICE_CHARACTERS;
        int64_t now_ms = sender->started + (int64_t)(sender->now - sender->started_at);
        buffer_clear(&sender->payload);
        transfer->begun = true;
        bool written = post_outer_write(&sender->payload, (now_ms - now_ms % day_ms) / 1000, text, partial);
        buffer_consume(&transfer->message, text.size);
        if (!partial || !written)
            transfer->fate = FATE_LEFT;
        if (!written)
            continue;
        *out = (struct post_sender_output){
            .kind = POST_SENDER_SEND, .tunnel = transfer->tunnel, .payload = buffer_view(&sender->payload)};
        return true;
    }
    return false;
}

bool post_sender_next(struct post_sender *sender, struct post_sender_output *out)
{
    if (!sender->wire_told) {
        sender->wire_told = true;
        *out = (struct post_sender_output){.kind = POST_SENDER_WIRE};
        return true;
    }
    return next_of_tunnels(sender, out) || sender_greeting_next(sender, out) || next_classic(sender, out) ||
           next_fate(sender, out) || sender_sealed_next(sender, out);
}
