/* SPDX-License-Identifier: ISC */
#include "distant/chat_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"

enum {
    UNCONFIRMED_LIMIT = 8,
    SEARCH_PAUSE_MS = 50000, /* SEALED.md §9 */
    SEARCH_PAUSE_MOST_MS = 3600000,
    MOVED_MS = 60000, /* SEALED.md §4 */
};

struct chat_tunnel *chat_find_tunnel(const struct chat *chat, uint64_t id)
{
    struct chat_tunnel *tunnel;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        if (tunnel->id == id)
            return tunnel;
    }
    return NULL;
}

void chat_drop_tunnel(struct chat *chat, struct chat_tunnel *tunnel)
{
    DL_DELETE(chat->tunnels, tunnel);
    chat->tunnel_count--;
    chat_unfinished_clear(&tunnel->unfinished);
    if (chat->line_tunnel == tunnel->id) {
        chat->line_tunnel = 0;
        chat->repetitions = 0;
        if (chat->sender != NULL)
            line_sender_again(chat->sender);
    }
    sealed_tunnel_wipe(&tunnel->seal);
    free(tunnel);
    /* The peer may begin another life: what came early in this one is sent again, or was lost. */
    if (chat->receiver != NULL && chat_best_tunnel(chat) == NULL)
        line_receiver_forget_early(chat->receiver);
}

void chat_drop_tunnels(struct chat *chat)
{
    while (chat->tunnels != NULL)
        chat_drop_tunnel(chat, chat->tunnels);
}

static void forget_handed(struct chat *chat, struct own_line *line)
{
    DL_DELETE(chat->handed, line);
    chat->handed_count--;
    free(line);
}

static void doubt(struct chat *chat, const struct own_line *line, const char *reason)
{
    chat_put(chat, &(struct chat_output){.kind = CHAT_DELIVERY,
                                         .tunnel = line->tunnel,
                                         .line = line->number,
                                         .delivery = CHAT_NOT_CONFIRMED,
                                         .reason = reason});
}

void chat_settle(struct chat *chat, uint64_t tunnel, bool lost)
{
    struct own_line *line, *next;
    DL_FOREACH_SAFE(chat->handed, line, next)
    {
        if (line->tunnel != tunnel)
            continue;
        if (lost && !line->settled && chat->now - line->handed_at <= CHAT_DOUBT_MS) {
            doubt(chat, line, "the tunnel was lost right after");
            forget_handed(chat, line);
        } else if (!sealed_possible(chat)) {
            forget_handed(chat, line);
        } else {
            line->settled = true;
        }
    }
}

void chat_settle_moved(struct chat *chat)
{
    struct own_line *line, *next;
    DL_FOREACH_SAFE(chat->handed, line, next)
    {
        if (chat->now - line->handed_at <= MOVED_MS)
            doubt(chat, line, "the conversation became sealed right after");
        forget_handed(chat, line);
    }
}

void chat_trim_handed(struct chat *chat)
{
    uint64_t kept = sealed_possible(chat) ? MOVED_MS : CHAT_DOUBT_MS;
    while (chat->handed != NULL &&
           (chat->handed_count > CHAT_QUEUE_LINES || chat->now - chat->handed->handed_at > kept))
        forget_handed(chat, chat->handed);
}

void chat_give_up(struct chat *chat, struct chat_tunnel *tunnel)
{
    chat_put(chat, &(struct chat_output){.kind = CHAT_CLOSE_TUNNEL, .tunnel = tunnel->id});
    chat_settle(chat, tunnel->id, true);
    chat_drop_tunnel(chat, tunnel);
}

/* The oldest of those heard least: strangers who know the hash cannot push out one that is confirmed. */
static struct chat_tunnel *least_useful(const struct chat *chat)
{
    struct chat_tunnel *tunnel, *least = chat->tunnels;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        if (tunnel->heard < least->heard)
            least = tunnel;
    }
    return least;
}

/* The oldest one that has shown nothing, when there are too many (SEALED.md §5). */
static struct chat_tunnel *idle_one(const struct chat *chat)
{
    struct chat_tunnel *tunnel, *oldest = NULL;
    size_t count = 0;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        if (tunnel->heard != 0)
            continue;
        if (count++ == 0)
            oldest = tunnel;
    }
    return count >= UNCONFIRMED_LIMIT ? oldest : NULL;
}

static struct chat_tunnel *add_tunnel(struct chat *chat, uint64_t id, const uint8_t hash[SEALED_HASH_SIZE],
                                      bool opener)
{
    struct chat_tunnel *tunnel = calloc(1, sizeof *tunnel);
    if (tunnel == NULL)
        return NULL;
    struct chat_tunnel *idle = chat_is_silent(chat) ? idle_one(chat) : NULL;
    if (idle != NULL)
        chat_give_up(chat, idle);
    if (chat->tunnel_count == CHAT_TUNNELS_LIMIT)
        chat_give_up(chat, least_useful(chat));
    tunnel->id = id;
    memcpy(tunnel->hash, hash, sizeof tunnel->hash);
    tunnel->opener = opener;
    tunnel->up_at = chat->now;
    tunnel->keep_alive_at = tunnel->announce_at = tunnel->ask_at = UINT64_MAX;
    DL_APPEND(chat->tunnels, tunnel);
    chat->tunnel_count++;
    return tunnel;
}

void chat_tunnel_up(struct chat *chat, uint64_t id, const uint8_t hash[20], bool opener, uint64_t now,
                    int64_t wall)
{
    chat_clock(chat, now, wall);
    enum sealed_mode mode;
    struct chat_tunnel *tunnel = NULL;
    if (!chat_is_deaf(chat) && chat_hash_mode(chat, hash, opener, &mode)) {
        tunnel = chat_find_tunnel(chat, id);
        if (tunnel == NULL && (tunnel = add_tunnel(chat, id, hash, opener)) != NULL)
            tunnel->mode = mode;
    }
    if (tunnel == NULL) {
        chat_put(chat, &(struct chat_output){.kind = CHAT_CLOSE_TUNNEL, .tunnel = id});
        return;
    }
    if (!sealed_talks(tunnel))
        tunnel->heard_at = now;
    if (!chat_is_silent(chat)) {
        tunnel->owes_acknowledgement = true;
        chat_arm_keep_alive(chat, tunnel);
    }
    /* Anybody who knows the hash can make a tunnel: only a valid packet undoes a closing. */
    if (chat->state == CHAT_NO_TUNNEL || chat->state == CHAT_CONNECTING)
        chat_tell(chat, chat->reason);
    if (chat_is_silent(chat))
        sealed_begin(chat, tunnel);
    chat_flush(chat);
}

void chat_tell_loss(struct chat *chat, const char *reason)
{
    chat_hashes_update(chat);
    if ((chat->state != CHAT_CAN_TALK && chat->state != CHAT_CONNECTING) || chat_best_tunnel(chat) != NULL)
        return;
    if (chat->tunnels != NULL) {
        if (chat_is_silent(chat))
            chat_tell(chat, reason);
        else
            chat_set_state(chat, CHAT_CONNECTING, "the tunnel was lost; another one is being tried");
        return;
    }
    bool sealed = chat->protection == CHAT_SEALED, wants = sealed ? chat_wants(chat) : chat->asking;
    bool pauses = chat->search_at != UINT64_MAX;
    chat->looking = wants && !pauses;
    chat->looking_until = UINT64_MAX;
    if (pauses)
        reason = "the other side has left; asking again from time to time";
    else if (sealed && !wants)
        reason = "asleep until somebody opens it";
    chat_set_state(chat, CHAT_NO_TUNNEL, reason != NULL ? reason : "the tunnel was lost");
    if (wants && !pauses && (sealed || chat->queue != NULL))
        chat_seek(chat, false);
}

void chat_tunnel_down(struct chat *chat, uint64_t id, const char *reason, uint64_t now, int64_t wall)
{
    chat_clock(chat, now, wall);
    struct chat_tunnel *tunnel = chat_find_tunnel(chat, id);
    if (tunnel == NULL)
        return;
    chat_settle(chat, id, true);
    chat_drop_tunnel(chat, tunnel);
    chat_tell_loss(chat, reason);
    chat_flush(chat);
}

void chat_pause_search(struct chat *chat, const struct chat_tunnel *tunnel)
{
    if (chat->now - tunnel->up_at >= SEARCH_PAUSE_MS) {
        chat->search_pause = 0;
        return;
    }
    if (sealed_talking(chat) > 1 || !chat->asking)
        return;
    uint64_t pause = chat->search_pause == 0 ? SEARCH_PAUSE_MS : 2 * chat->search_pause;
    chat->search_pause = pause < SEARCH_PAUSE_MOST_MS ? pause : SEARCH_PAUSE_MOST_MS;
    chat->search_at = chat->now + chat->search_pause;
    chat->asking = false;
}

/* Sealed lines stay in one tunnel until it fails. Classic ones go through that which was heard last. */
struct chat_tunnel *chat_best_tunnel(const struct chat *chat)
{
    bool sealed = chat->protection == CHAT_SEALED;
    struct chat_tunnel *tunnel, *best = NULL;
    if (!sealed && (chat_is_silent(chat) || chat->root != ROOT_NONE || sealed_holds(chat)))
        return NULL;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        if (sealed && !sealed_talks(tunnel))
            continue;
        if (sealed && tunnel->id == chat->line_tunnel)
            return tunnel;
        if (tunnel->heard > (best == NULL ? 0 : best->heard))
            best = tunnel;
    }
    return best;
}

/* When a tunnel that we keep alive has been silent for too long; UINT64_MAX: it may be. A peer whose
 * keep-alives were seen is not silent while it is there. One that sends none may be, in its best tunnel: then
 * nothing can be told. */
uint64_t chat_silent_at(const struct chat *chat, const struct chat_tunnel *tunnel)
{
    if (chat_is_silent(chat) || tunnel->met_at != 0)
        return tunnel->heard_at + CHAT_SILENCE_MS;
    if (tunnel->keep_alive_at == UINT64_MAX ||
        (tunnel->heard != 0 && !chat->peer_keeps_alive && tunnel == chat_best_tunnel(chat)))
        return UINT64_MAX;
    return tunnel->heard_at + CHAT_SILENCE_MS;
}

void chat_drop_silent(struct chat *chat)
{
    struct chat_tunnel *tunnel, *next;
    bool dropped = false;
    DL_FOREACH_SAFE(chat->tunnels, tunnel, next)
    {
        if (chat_silent_at(chat, tunnel) > chat->now)
            continue;
        chat_give_up(chat, tunnel);
        dropped = true;
    }
    if (dropped)
        chat_tell_loss(chat, "the other side went silent");
}
