/* SPDX-License-Identifier: ISC */
#include "distant/sealed_tunnel.h"

#include <openssl/crypto.h>
#include <string.h>

static const uint64_t RENEW_FRAMES = UINT64_C(1) << 32, SPENT_FRAMES = UINT64_C(1) << 36;

/* §5 */
static const uint8_t side_bytes[] = {[SEALED_OPENER] = 0x20, [SEALED_ANSWERER] = 0x21};

static bool same(const uint8_t a[SEALED_ANNOUNCEMENT_SIZE], const uint8_t b[SEALED_ANNOUNCEMENT_SIZE])
{
    return memcmp(a, b, SEALED_ANNOUNCEMENT_SIZE) == 0;
}

static void wipe(struct sealed_channel *channel)
{
    OPENSSL_cleanse(channel, sizeof *channel);
}

void sealed_tunnel_wipe(struct sealed_tunnel *tunnel)
{
    OPENSSL_cleanse(tunnel, sizeof *tunnel);
}

bool sealed_tunnel_announce(struct sealed_tunnel *tunnel, const struct random_source *random)
{
    wipe(&tunnel->next);
    tunnel->announcing = sealed_ephemeral_new(&tunnel->own, SEALED_OPENER, random);
    return tunnel->announcing;
}

enum sealed_meeting sealed_tunnel_judge(const struct sealed_tunnel *tunnel, enum sealed_side side,
                                        const uint8_t peer[SEALED_ANNOUNCEMENT_SIZE])
{
    if (peer[0] != side_bytes[side == SEALED_OPENER ? SEALED_ANSWERER : SEALED_OPENER])
        return SEALED_MEETING_REFUSED;
    if (tunnel->next.there && same(tunnel->next.peer, peer))
        return side == SEALED_ANSWERER ? SEALED_MEETING_REPEATED : SEALED_MEETING_STALE;
    if (side == SEALED_OPENER)
        return tunnel->announcing ? SEALED_MEETING_BEGUN : SEALED_MEETING_STALE;
    if ((tunnel->current.there && same(tunnel->current.peer, peer)) ||
        (tunnel->previous.there && same(tunnel->previous.peer, peer)))
        return SEALED_MEETING_STALE;
    return SEALED_MEETING_BEGUN;
}

bool sealed_tunnel_meet(struct sealed_tunnel *tunnel, struct sealed_handshake *handshake,
                        const uint8_t peer[SEALED_ANNOUNCEMENT_SIZE], const struct random_source *random,
                        uint64_t now)
{
    wipe(&tunnel->next);
    if (handshake->side == SEALED_ANSWERER && !sealed_ephemeral_new(&tunnel->own, SEALED_ANSWERER, random))
        return false;
    handshake->own = &tunnel->own;
    handshake->peer = peer;
    bool derived = sealed_derive(&tunnel->next.keys, handshake);
    /* The opener may have to take a later answer; until it is confirmed it sends nothing, so that no counter
     * is used twice under keys that are made twice. */
    if (handshake->side == SEALED_ANSWERER)
        OPENSSL_cleanse(tunnel->own.secret, sizeof tunnel->own.secret);
    if (!derived) {
        wipe(&tunnel->next);
        return false;
    }
    tunnel->next.there = true;
    tunnel->next.made_at = now;
    memcpy(tunnel->next.peer, peer, sizeof tunnel->next.peer);
    return true;
}

bool sealed_tunnel_seal(struct sealed_tunnel *tunnel, struct sealed_cipher *cipher, struct buffer *out,
                        bool asking, struct bytes plain, uint64_t now)
{
    struct sealed_channel *channel = asking ? &tunnel->next : &tunnel->current;
    if (!channel->there || channel->sent >= SPENT_FRAMES || now - channel->made_at >= SEALED_SPENT_MS)
        return false;
    /* Also when it fails: a counter is never used twice. */
    return sealed_frame_seal(cipher, out, &channel->keys.own, channel->sent++, plain);
}

/* Bits of the counters highest - 1023 … highest, each at its place modulo 1024. */
static bool is_new(const struct sealed_channel *channel, uint64_t counter)
{
    if (!channel->heard || counter > channel->highest)
        return true;
    if (channel->highest - counter >= SEALED_WINDOW)
        return false;
    size_t place = counter % SEALED_WINDOW;
    return (channel->seen[place / 64] >> place % 64 & 1) == 0;
}

static void note(struct sealed_channel *channel, uint64_t counter)
{
    if (!channel->heard || (counter > channel->highest && counter - channel->highest >= SEALED_WINDOW)) {
        memset(channel->seen, 0, sizeof channel->seen);
        channel->highest = counter;
    }
    while (channel->highest < counter) {
        size_t place = ++channel->highest % SEALED_WINDOW;
        channel->seen[place / 64] &= ~(UINT64_C(1) << place % 64);
    }
    size_t place = counter % SEALED_WINDOW;
    channel->seen[place / 64] |= UINT64_C(1) << place % 64;
    channel->heard = true;
}

static enum sealed_opening open_with(struct sealed_channel *channel, struct sealed_cipher *cipher,
                                     struct buffer *out, struct bytes frame, bool *newest)
{
    uint64_t counter;
    if (!channel->there || !sealed_frame_open(cipher, out, &channel->keys.peer, &counter, frame))
        return SEALED_OPENS_NOT;
    if (counter >= SPENT_FRAMES || !is_new(channel, counter)) {
        buffer_clear(out);
        return SEALED_OPENED_BEFORE;
    }
    *newest = !channel->heard || counter > channel->highest;
    note(channel, counter);
    return SEALED_OPENED;
}

static void confirm_next(struct sealed_tunnel *tunnel, uint64_t now)
{
    wipe(&tunnel->previous);
    tunnel->previous = tunnel->current;
    tunnel->previous_until = now + SEALED_OLD_KEYS_MS;
    tunnel->current = tunnel->next;
    wipe(&tunnel->next);
    OPENSSL_cleanse(&tunnel->own, sizeof tunnel->own);
    OPENSSL_cleanse(&tunnel->previous.keys.own, sizeof tunnel->previous.keys.own);
    tunnel->announcing = false;
}

enum sealed_opening sealed_tunnel_open(struct sealed_tunnel *tunnel, struct sealed_cipher *cipher,
                                       struct buffer *out, struct bytes frame, bool *newest, uint64_t now)
{
    sealed_tunnel_age(tunnel, now);
    enum sealed_opening opening = SEALED_OPENS_NOT;
    if (now - tunnel->current.made_at < SEALED_SPENT_MS)
        opening = open_with(&tunnel->current, cipher, out, frame, newest);
    if (opening != SEALED_OPENS_NOT)
        return opening;
    opening = open_with(&tunnel->next, cipher, out, frame, newest);
    if (opening == SEALED_OPENED) {
        confirm_next(tunnel, now);
        return SEALED_OPENED_CONFIRMING;
    }
    if (opening == SEALED_OPENS_NOT)
        opening = open_with(&tunnel->previous, cipher, out, frame, newest);
    if (opening == SEALED_OPENED)
        *newest = false;
    return opening;
}

void sealed_tunnel_age(struct sealed_tunnel *tunnel, uint64_t now)
{
    if (tunnel->previous.there && now >= tunnel->previous_until)
        wipe(&tunnel->previous);
}

static bool used(const struct sealed_channel *channel, uint64_t frames, uint64_t age, uint64_t now)
{
    return channel->there &&
           (channel->sent >= frames || channel->highest >= frames || now - channel->made_at >= age);
}

bool sealed_tunnel_renews(const struct sealed_tunnel *tunnel, uint64_t now)
{
    return used(&tunnel->current, RENEW_FRAMES, SEALED_RENEW_MS, now);
}

bool sealed_tunnel_spent(const struct sealed_tunnel *tunnel, uint64_t now)
{
    return used(&tunnel->current, SPENT_FRAMES, SEALED_SPENT_MS, now);
}
