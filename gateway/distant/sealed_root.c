/* SPDX-License-Identifier: ISC */
/* How the two agree on the root of a route (SEALED.md §8). */
#include "distant/chat_internal.h"

#include <openssl/crypto.h>
#include <string.h>

#include "base/map.h"
#include "wire/sealed.h"

enum { AGAIN_MS = 30000, TELL_FIRST_MS = 1000, TELL_MOST_MS = 24000 };

static bool is_guest(const struct chat *chat)
{
    return chat->options.role == CHAT_GUEST;
}

static void put_root(struct chat *chat)
{
    uint8_t secret[SEALED_ROOT_SIZE + SEALED_CLAIM_SIZE];
    memcpy(secret, chat->options.root, SEALED_ROOT_SIZE);
    memcpy(secret + SEALED_ROOT_SIZE, chat->options.claim, SEALED_CLAIM_SIZE);
    chat_put(chat, &(struct chat_output){
                       .kind = CHAT_ROOT,
                       .secret = bytes_of(secret, is_guest(chat) ? SEALED_ROOT_SIZE : sizeof secret),
                       .settled = is_guest(chat)});
    OPENSSL_cleanse(secret, sizeof secret);
    chat->root_again_at = chat->now + AGAIN_MS;
}

void sealed_root_offer(struct chat *chat, struct chat_tunnel *tunnel, const uint8_t claim[SEALED_CLAIM_SIZE])
{
    uint8_t *root = tunnel->seal.current.keys.root;
    if (chat->root == ROOT_NONE) {
        chat->root = ROOT_STORING;
        memcpy(chat->options.root, root, SEALED_ROOT_SIZE);
        memcpy(chat->options.claim, claim, SEALED_CLAIM_SIZE);
        put_root(chat);
    }
    OPENSSL_cleanse(root, SEALED_ROOT_SIZE);
    tunnel->owes_frame |= chat->root == ROOT_STORED;
}

void sealed_root_take(struct chat *chat, const uint8_t root[SEALED_ROOT_SIZE])
{
    if (chat->root != ROOT_NONE)
        return;
    chat->root = ROOT_STORING;
    memcpy(chat->options.root, root, SEALED_ROOT_SIZE);
    put_root(chat);
}

void sealed_wipe_offer(struct chat *chat)
{
    chat->options.settled = true;
    OPENSSL_cleanse(chat->options.key, sizeof chat->options.key);
    OPENSSL_cleanse(chat->options.hash, sizeof chat->options.hash);
    OPENSSL_cleanse(chat->options.context, sizeof chat->options.context);
    OPENSSL_cleanse(chat->options.claim, sizeof chat->options.claim);
}

void chat_root_stored(struct chat *chat, uint64_t now, int64_t wall)
{
    struct chat_tunnel *tunnel, *next;
    chat_clock(chat, now, wall);
    if (chat->root != ROOT_STORING || chat->end != END_NOT)
        return;
    chat->root = ROOT_STORED;
    chat->root_again_at = UINT64_MAX;
    chat->options.sealed = true;
    chat->options.sealing = CHAT_SEALING_MUST;
    if (is_guest(chat))
        sealed_wipe_offer(chat);
    else
        chat->root_tell_at = now + TELL_FIRST_MS;
    chat->stirred_until = now + CHAT_STIRRED_MS;
    chat_settle_moved(chat);
    DL_FOREACH_SAFE(chat->tunnels, tunnel, next)
    {
        chat_unfinished_clear(&tunnel->unfinished);
        tunnel->owes_acknowledgement = false;
        tunnel->heard = sealed_talks(tunnel) ? tunnel->heard : 0;
        tunnel->owes_frame = sealed_talks(tunnel);
        tunnel->told = false;
    }
    sealed_lines_start(chat);
    chat_set_protection(chat, CHAT_SEALED);
    if (chat->asking || chat->wanted)
        chat_seek(chat, false);
    else
        chat_hashes_update(chat);
    DL_FOREACH(chat->tunnels, tunnel)
    {
        if (sealed_talks(tunnel))
            chat_put_confirmed(chat, tunnel);
    }
    sealed_thin_out(chat);
    chat_tell(chat, chat->reason);
    sealed_hand_lines(chat);
    sealed_rest(chat);
    chat_flush(chat);
}

void sealed_root_known(struct chat *chat)
{
    struct chat_tunnel *tunnel, *next;
    if (chat->root != ROOT_STORED || chat->options.settled || is_guest(chat))
        return;
    sealed_wipe_offer(chat);
    chat->root_tell_at = UINT64_MAX;
    chat_put(chat, &(struct chat_output){.kind = CHAT_SETTLED});
    DL_FOREACH_SAFE(chat->tunnels, tunnel, next)
    {
        if (tunnel->mode == SEALED_OFFER && !sealed_talks(tunnel))
            chat_give_up(chat, tunnel);
    }
}

void sealed_root_tick(struct chat *chat)
{
    struct chat_tunnel *tunnel;
    if (chat->now >= chat->root_again_at)
        put_root(chat);
    if (chat->now < chat->root_tell_at)
        return;
    uint64_t pause = chat->root_told < 5 ? (uint64_t)TELL_FIRST_MS << chat->root_told++ : TELL_MOST_MS;
    chat->root_tell_at = UINT64_MAX;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        if (tunnel->mode != SEALED_OFFER || !tunnel->claimed)
            continue;
        tunnel->owes_frame = true;
        chat->root_tell_at = chat->now + pause;
    }
}

uint64_t sealed_root_deadline(const struct chat *chat)
{
    return chat->root_again_at < chat->root_tell_at ? chat->root_again_at : chat->root_tell_at;
}
