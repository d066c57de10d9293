/* SPDX-License-Identifier: ISC */
/* How a sealed route ends: by its person, by the peer, at once (SEALED.md §10). */
#include "distant/chat_internal.h"

#include <openssl/crypto.h>

#include "base/map.h"
#include "wire/sealed.h"

enum { AGAIN_FIRST_MS = 1000, AGAIN_MOST_MS = 24000 };

/* What was acknowledged both ways stays as it is: an end makes no gaps. */
static void end_lines(struct chat *chat, const char *reason)
{
    uint64_t line;
    if (chat->receiver != NULL)
        chat->options.number_stored = line_receiver_ack(chat->receiver);
    if (chat->sender != NULL)
        chat->options.number_acked = line_sender_base(chat->sender) - 1;
    while (chat->sender != NULL && line_sender_drain(chat->sender, &line))
        chat_put(chat,
                 &(struct chat_output){
                     .kind = CHAT_DELIVERY, .line = line, .delivery = CHAT_NOT_CONFIRMED, .reason = reason});
    chat_fail_queue(chat, reason);
    line_sender_free(chat->sender);
    line_receiver_free(chat->receiver);
    chat->sender = NULL;
    chat->receiver = NULL;
}

static void stop(struct chat *chat, enum chat_end end, const char *reason)
{
    end_lines(chat, reason);
    chat->end = end;
    chat->wanted = chat->looking = chat->asking = false;
    chat->root_again_at = chat->root_tell_at = chat->search_at = chat->due_at = UINT64_MAX;
    chat->stirred_until = 0;
}

static void say_closed(struct chat *chat, struct chat_tunnel *tunnel)
{
    uint64_t pause = tunnel->closed < 5 ? (uint64_t)AGAIN_FIRST_MS << tunnel->closed++ : AGAIN_MOST_MS;
    tunnel->close_at = chat->now + pause;
    sealed_send(chat, tunnel, SEALED_CLOSED | SEALED_LEAVE);
}

static void say_closed_everywhere(struct chat *chat)
{
    struct chat_tunnel *tunnel;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        if (sealed_talks(tunnel))
            say_closed(chat, tunnel);
    }
}

static void wipe(struct chat *chat)
{
    chat_drop_tunnels(chat);
    chat->end = END_OVER;
    chat_hashes_update(chat);
    sealed_wipe_offer(chat);
    OPENSSL_cleanse(chat->options.root, sizeof chat->options.root);
    OPENSSL_cleanse(chat->options.salt_key, sizeof chat->options.salt_key);
    chat_put(chat, &(struct chat_output){.kind = CHAT_PARTED});
}

void sealed_end(struct chat *chat, enum chat_state state, const char *reason)
{
    stop(chat, END_OVER, reason);
    if (state == CHAT_NO_TUNNEL)
        say_closed_everywhere(chat);
    wipe(chat);
    chat_set_state(chat, state, reason);
}

/* An offer's tunnel can get no keys any more, and shows no claim. */
static bool is_of_use(const struct chat *chat, const struct chat_tunnel *tunnel)
{
    return tunnel->mode == SEALED_ROOTED ||
           (sealed_talks(tunnel) && (chat->options.role == CHAT_GUEST || tunnel->claimed));
}

void sealed_part(struct chat *chat, const char *reason)
{
    struct chat_tunnel *tunnel, *next;
    stop(chat, END_PARTING, reason);
    sealed_wipe_offer(chat);
    DL_FOREACH_SAFE(chat->tunnels, tunnel, next)
    {
        if (!is_of_use(chat, tunnel))
            chat_give_up(chat, tunnel);
    }
    chat_set_state(chat, CHAT_NO_TUNNEL, reason);
    chat_hashes_update(chat);
    chat_flush(chat);
}

void sealed_ended(struct chat *chat, const char *reason)
{
    stop(chat, END_STORING, reason);
    chat_set_state(chat, CHAT_CLOSED_BY_PEER, reason);
    chat_hashes_update(chat);
}

void chat_closing_stored(struct chat *chat, uint64_t now, int64_t wall)
{
    chat_clock(chat, now, wall);
    if (chat->end != END_STORING)
        return;
    say_closed_everywhere(chat);
    wipe(chat);
}

void sealed_end_take(struct chat *chat, struct chat_tunnel *tunnel, uint16_t flags)
{
    if (chat->end != END_PARTING)
        return;
    if (flags & SEALED_CLOSED) {
        /* It may have closed too, without having heard of us. */
        say_closed_everywhere(chat);
        wipe(chat);
    } else if (flags & SEALED_LEAVE) {
        chat_give_up(chat, tunnel);
        chat_hashes_update(chat);
    }
}

void sealed_end_flush(struct chat *chat)
{
    struct chat_tunnel *tunnel;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        if (sealed_talks(tunnel) && chat->end == END_PARTING && chat->now >= tunnel->close_at)
            say_closed(chat, tunnel);
        else if (tunnel->seal.next.there && !tunnel->opener && tunnel->owes_keep_alive)
            sealed_ask(chat, tunnel);
    }
}

uint64_t sealed_end_deadline(const struct chat *chat, const struct chat_tunnel *tunnel)
{
    return chat->end == END_PARTING && sealed_talks(tunnel) ? tunnel->close_at : UINT64_MAX;
}
