/* SPDX-License-Identifier: ISC */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "distant/post_sender_internal.h"

/* POSTS.md §4: which greeting is taken, and the keys that come of it. */

static const uint64_t valid_max_s = 2 * 86400;

/* Rounding of the keyring's answer. */
static const uint64_t newer_ms = 2000;

static bool is_unanswered(const struct post_sender *sender, const struct sender_tunnel *tunnel)
{
    return tunnel->unanswered != 0 && sender->now - tunnel->unanswered >= UNANSWERED_MS &&
           sender->now - tunnel->agreed_at >= UNANSWERED_MS;
}

/* A relay can say an old greeting again, and the recipient's clock can be set back: an older day key, or the
 * same one again, counts only while those keys get no answer. */
static bool is_of_use(const struct post_sender *sender, const struct sender_tunnel *tunnel,
                      const struct genuine *genuine)
{
    if (!tunnel->channel.there)
        return true;
    bool other = memcmp(tunnel->greeted.day_key, genuine->day_key, sizeof genuine->day_key) != 0;
    if (other && genuine->until > tunnel->greeted.until + newer_ms)
        return true;
    return is_unanswered(sender, tunnel);
}

static void take(struct post_sender *sender, struct sender_tunnel *tunnel, const struct genuine *genuine)
{
    if (!is_of_use(sender, tunnel, genuine))
        return;
    struct post_pair own;
    struct post_agreement agreement = {.sender = true,
                                       .own = &own,
                                       .peer = genuine->day_key,
                                       .secret = sender->is_private ? sender->secret : NULL};
    memcpy(agreement.hash, sender->hash, sizeof agreement.hash);
    memcpy(agreement.recipient, sender->recipient, sizeof agreement.recipient);
    struct post_channel channel = {0};
    bool agreed = post_pair_new(&own, &sender->random) && post_channel_agree(&channel, &agreement);
    OPENSSL_cleanse(&own, sizeof own);
    if (agreed) {
        tunnel->channel = channel;
        tunnel->greeted = *genuine;
        tunnel->agreed_at = sender->now;
        tunnel->ask = false;
        if (sender->carrier == NULL || sender->carrier == tunnel)
            sender_carrier_choose(sender);
    }
    post_channel_wipe(&channel);
}

static bool is_doubted(const struct post_sender *sender, const uint8_t digest[32])
{
    for (size_t i = 0; i < DOUBTED; i++) {
        const struct doubt *doubt = &sender->doubts[i];
        if (doubt->until > sender->now && memcmp(doubt->digest, digest, sizeof doubt->digest) == 0)
            return true;
    }
    return false;
}

static struct sender_check *check_place(struct post_sender *sender, const uint8_t digest[32], bool *same)
{
    struct sender_check *place = NULL;
    *same = false;
    for (size_t i = 0; i < CHECKS && !*same; i++) {
        struct sender_check *check = &sender->checks[i];
        *same = check->there && memcmp(check->digest, digest, sizeof check->digest) == 0;
        if (!check->there || *same)
            place = check;
    }
    return place;
}

static void check(struct post_sender *sender, struct sender_tunnel *tunnel, struct bytes said)
{
    uint8_t digest[32];
    unsigned bit = 1U << sender_tunnel_index(sender, tunnel);
    bool same;
    if (EVP_Digest(said.data, said.size, digest, NULL, EVP_sha256(), NULL) != 1 || is_doubted(sender, digest))
        return;
    struct sender_check *place = check_place(sender, digest, &same);
    if (same) {
        place->tunnels |= bit;
        return;
    }
    if (place == NULL || !post_allow(&tunnel->checks, CHECKS_BURST, sender->now))
        return;
    *place = (struct sender_check){.there = true, .number = ++sender->last_check, .tunnels = bit};
    memcpy(place->digest, digest, sizeof digest);
    memcpy(place->day_key, said.data, sizeof place->day_key);
    place->size = said.size - sizeof place->day_key;
    memcpy(place->signature, said.data + sizeof place->day_key, place->size);
}

/* Appends R || signature. */
static bool read(const struct post_sender *sender, struct buffer *said, const struct post_greeting *greeting)
{
    if (sender->is_private)
        return greeting->form == POST_HIDDEN &&
               post_unhide(said, sender->secret, greeting->nonce.data, sender->hash, greeting->hidden);
    return greeting->form == POST_CLEAR && buffer_append_bytes(said, greeting->day_key) &&
           buffer_append_bytes(said, greeting->signature);
}

void sender_greeting(struct post_sender *sender, struct sender_tunnel *tunnel,
                     const struct post_greeting *greeting)
{
    struct buffer said = buffer_make(32 + SIGNATURE_MAX);
    if (!sender->prefers_classic && read(sender, &said, greeting) && buffer_size(&said) > 32) {
        bool known = sender->newest.until > sender->now &&
                     memcmp(sender->newest.day_key, buffer_view(&said).data, 32) == 0;
        if (known)
            take(sender, tunnel, &sender->newest);
        else
            check(sender, tunnel, buffer_view(&said));
    }
    buffer_free(&said);
}

void post_sender_checked(struct post_sender *sender, uint64_t number, bool genuine, uint64_t valid_s,
                         uint64_t now)
{
    sender->now = now;
    struct sender_check *found = NULL;
    for (size_t i = 0; i < CHECKS; i++) {
        if (sender->checks[i].there && sender->checks[i].number == number)
            found = &sender->checks[i];
    }
    if (found == NULL)
        return;
    found->there = false;
    if (!genuine || valid_s == 0) {
        struct doubt *doubt = &sender->doubts[sender->next_doubt++ % DOUBTED];
        memcpy(doubt->digest, found->digest, sizeof doubt->digest);
        doubt->until = now + DOUBT_MS;
        return;
    }
    struct genuine greeted = {.until = now + (valid_s < valid_max_s ? valid_s : valid_max_s) * 1000};
    memcpy(greeted.day_key, found->day_key, sizeof greeted.day_key);
    if (greeted.until > sender->newest.until || sender->newest.until <= now)
        sender->newest = greeted;
    sender_wire_set(sender, POST_WIRE_SEALED);
    for (size_t i = 0; i < POST_SENDER_TUNNELS; i++) {
        struct sender_tunnel *tunnel = &sender->tunnels[i];
        if (sender_tunnel_is_up(tunnel) && (found->tunnels >> i & 1) != 0)
            take(sender, tunnel, &greeted);
    }
}

bool sender_greeting_is_checked(const struct post_sender *sender, const struct sender_tunnel *tunnel)
{
    for (size_t i = 0; i < CHECKS; i++) {
        const struct sender_check *under_way = &sender->checks[i];
        if (under_way->there && (under_way->tunnels >> sender_tunnel_index(sender, tunnel) & 1) != 0)
            return true;
    }
    return false;
}

void sender_greeting_forget(struct post_sender *sender, const struct sender_tunnel *tunnel)
{
    for (size_t i = 0; i < CHECKS; i++)
        sender->checks[i].tunnels &= ~(1U << sender_tunnel_index(sender, tunnel));
}

bool sender_greeting_next(struct post_sender *sender, struct post_sender_output *out)
{
    for (size_t i = 0; i < CHECKS; i++) {
        struct sender_check *asked = &sender->checks[i];
        if (!asked->there || asked->told)
            continue;
        asked->told = true;
        *out = (struct post_sender_output){.kind = POST_SENDER_CHECK,
                                           .check = asked->number,
                                           .signature = bytes_of(asked->signature, asked->size)};
        memcpy(out->day_key, asked->day_key, sizeof out->day_key);
        return true;
    }
    return false;
}
