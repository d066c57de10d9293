/* SPDX-License-Identifier: ISC */
#include "distant/post_receiver_internal.h"

/* POSTS.md §4: when the recipient greets, and with which day key. */

static void make(struct post_receiver *receiver)
{
    if (!receiver->greets || !receiver->greet_later ||
        !post_day_keys_make(&receiver->keys, &receiver->random, receiver->now))
        return;
    struct post_receiver_output said = {.kind = POST_RECEIVER_SIGN};
    memcpy(said.day_key, receiver->keys.making.pair.public_key, sizeof said.day_key);
    receiver_say(receiver, &said, NULL);
}

static bool hide(const struct post_receiver *receiver, const struct receiver_tunnel *tunnel,
                 struct buffer *hidden, uint8_t nonce[12], const struct post_day_key *key)
{
    struct buffer clear = buffer_make(sizeof key->pair.public_key + sizeof key->signature);
    receiver->random.fill(receiver->random.state, nonce, 12);
    buffer_append(&clear, key->pair.public_key, sizeof key->pair.public_key);
    bool hides = buffer_append(&clear, key->signature, key->signature_size) &&
                 post_hide(hidden, tunnel->secret, nonce, tunnel->hash, buffer_view(&clear));
    buffer_free(&clear);
    return hides;
}

static void send(struct post_receiver *receiver, const struct receiver_tunnel *tunnel,
                 const struct post_day_key *key)
{
    enum { CLEAR_MAX = sizeof key->pair.public_key + sizeof key->signature };
    uint8_t nonce[12];
    struct buffer hidden = buffer_make(CLEAR_MAX + POST_TAG_SIZE), item = buffer_make(CLEAR_MAX + 64);
    struct post_greeting greeting = {.form = POST_CLEAR,
                                     .day_key = bytes_of(key->pair.public_key, sizeof key->pair.public_key),
                                     .signature = bytes_of(key->signature, key->signature_size)};
    bool good = true;
    if (tunnel->is_private) {
        good = hide(receiver, tunnel, &hidden, nonce, key);
        greeting = (struct post_greeting){
            .form = POST_HIDDEN, .nonce = bytes_of(nonce, sizeof nonce), .hidden = buffer_view(&hidden)};
    }
    struct post_receiver_output said = {.kind = POST_RECEIVER_SEND, .tunnel = tunnel->id};
    if (good && post_greeting_write(&item, &greeting))
        receiver_say(receiver, &said, &item);
    buffer_free(&item);
    buffer_free(&hidden);
}

void receiver_greet(struct post_receiver *receiver, struct receiver_tunnel *tunnel)
{
    const struct post_day_key *key = post_day_keys_greeting(&receiver->keys, receiver->now);
    if (!receiver->greets || key == NULL) {
        tunnel->greet = receiver->greet_later = true;
        make(receiver);
        return;
    }
    tunnel->greet = false;
    if (post_allow(&tunnel->greetings, GREETINGS_BURST, receiver->now))
        send(receiver, tunnel, key);
}

void receiver_greet_waiting(struct post_receiver *receiver)
{
    if (!receiver->greets || !receiver->greet_later)
        return;
    if (post_day_keys_greeting(&receiver->keys, receiver->now) == NULL) {
        make(receiver);
        return;
    }
    struct receiver_tunnel *tunnel, *next;
    receiver->greet_later = false;
    HASH_ITER(hh, receiver->tunnels, tunnel, next)
    {
        if (tunnel->greet)
            receiver_greet(receiver, tunnel);
    }
}

void post_receiver_set_greets(struct post_receiver *receiver, bool greets, uint64_t now)
{
    receiver->now = now;
    receiver->greets = greets;
    receiver_greet_waiting(receiver);
}

void post_receiver_signed(struct post_receiver *receiver, const uint8_t day_key[32], struct bytes signature,
                          uint64_t now)
{
    receiver->now = now;
    if (post_day_keys_signed(&receiver->keys, day_key, signature, now))
        receiver_greet_waiting(receiver);
}

/* What was agreed under a day key does not outlive it. */
void receiver_keys_tick(struct post_receiver *receiver)
{
    struct receiver_tunnel *tunnel, *next;
    if (receiver->now >= post_day_keys_deadline(&receiver->keys)) {
        post_day_keys_age(&receiver->keys, receiver->now);
        HASH_ITER(hh, receiver->tunnels, tunnel, next)
        {
            if (tunnel->channel.there && receiver->now >= tunnel->channel_until)
                post_channel_wipe(&tunnel->channel);
        }
    }
    receiver_greet_waiting(receiver);
}

uint64_t receiver_keys_deadline(const struct post_receiver *receiver)
{
    uint64_t first = post_day_keys_deadline(&receiver->keys);
    bool waits = receiver->greets && receiver->greet_later && !receiver->keys.making.there;
    return waits && receiver->keys.not_before < first ? receiver->keys.not_before : first;
}
