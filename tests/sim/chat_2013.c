/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "distant/chat.h"

/* The chat of 2013 behind the functions of the daemon's that talk.c calls: the state machine of protocol 03
 * §6. The tunnel announced last is the only one used; what is said without one is lost; there is no
 * keep-alive, and nobody notices a tunnel that went dead. Packets have the sizes of 2013 but are not
 * encrypted. */

enum { TEXT_MOST = 64, PACKET_SIZE = 136 /* a short line: 8 + 16n */, ACK_SIZE = 72, PENDING_MOST = 16 };

struct chat {
    enum chat_role role;
    enum chat_state state;
    uint8_t hash[20];
    uint64_t tunnel; /* 0: none */
    struct pending {
        enum chat_output_kind kind;
        uint8_t packet[PACKET_SIZE];
        size_t size;
    } pending[PENDING_MOST];
    size_t first, count;
};

static struct pending *put(struct chat *chat, enum chat_output_kind kind)
{
    if (chat->count == PENDING_MOST)
        abort();
    struct pending *pending = &chat->pending[(chat->first + chat->count++) % PENDING_MOST];
    *pending = (struct pending){.kind = kind};
    return pending;
}

struct chat *chat_new(const struct chat_options *options, const struct chat_tools *tools, uint64_t now,
                      int64_t wall)
{
    (void)tools;
    (void)now;
    (void)wall;
    struct chat *chat = calloc(1, sizeof *chat);
    if (chat == NULL)
        return NULL;
    chat->role = options->role;
    memcpy(chat->hash, options->hash, sizeof chat->hash);
    if (chat->role == CHAT_INVITER)
        put(chat, CHAT_SERVE);
    return chat;
}

void chat_free(struct chat *chat)
{
    free(chat);
}

static void set_state(struct chat *chat, enum chat_state state)
{
    if (chat->state != state)
        put(chat, CHAT_STATE_CHANGED);
    chat->state = state;
}

void chat_open(struct chat *chat, uint64_t now, int64_t wall)
{
    (void)now;
    (void)wall;
    if (chat->role == CHAT_GUEST)
        put(chat, CHAT_WANT);
}

void chat_sleep(struct chat *chat, uint64_t now)
{
    (void)now;
    if (chat->role == CHAT_GUEST)
        put(chat, CHAT_STOP);
}

void chat_tunnel_up(struct chat *chat, uint64_t tunnel, const uint8_t hash[20], bool opener, uint64_t now,
                    int64_t wall)
{
    (void)hash;
    (void)opener;
    (void)now;
    (void)wall;
    chat->tunnel = tunnel;
    set_state(chat, CHAT_CONNECTING);
    struct pending *ack = put(chat, CHAT_SEND);
    ack->packet[0] = 'A';
    ack->size = ACK_SIZE;
}

void chat_tunnel_down(struct chat *chat, uint64_t tunnel, const char *reason, uint64_t now, int64_t wall)
{
    (void)tunnel;
    (void)reason;
    (void)now;
    (void)wall;
    set_state(chat, CHAT_NO_TUNNEL);
}

void chat_receive(struct chat *chat, uint64_t tunnel, struct bytes payload, uint64_t now, int64_t wall)
{
    (void)tunnel;
    (void)now;
    (void)wall;
    set_state(chat, CHAT_CAN_TALK);
    if (payload.size == PACKET_SIZE && payload.data[0] == 'T') {
        struct pending *line = put(chat, CHAT_LINE);
        memcpy(line->packet, payload.data, PACKET_SIZE);
        line->size = PACKET_SIZE;
    }
}

bool chat_say(struct chat *chat, uint64_t line, uint64_t number, struct bytes text, uint64_t now,
              int64_t wall, struct error **error)
{
    (void)line;
    (void)number;
    (void)now;
    (void)wall;
    (void)error;
    if (text.size > TEXT_MOST)
        return false;
    struct pending *packet = put(chat, CHAT_SEND);
    packet->packet[0] = 'T';
    packet->packet[1] = (uint8_t)text.size;
    memcpy(packet->packet + 2, text.data, text.size);
    packet->size = PACKET_SIZE;
    return true;
}

bool chat_next(struct chat *chat, struct chat_output *out)
{
    if (chat->count == 0)
        return false;
    const struct pending *pending = &chat->pending[chat->first];
    chat->first = (chat->first + 1) % PENDING_MOST;
    chat->count--;
    *out = (struct chat_output){.kind = pending->kind, .tunnel = chat->tunnel, .state = chat->state};
    memcpy(out->hash, chat->hash, sizeof out->hash);
    if (pending->kind == CHAT_SEND)
        out->payload = (struct bytes){pending->packet, pending->size};
    if (pending->kind == CHAT_LINE)
        out->text = (struct bytes){pending->packet + 2, pending->packet[1]};
    return true;
}

enum chat_state chat_state(const struct chat *chat, const char **reason)
{
    if (reason != NULL)
        *reason = "";
    return chat->state;
}

enum chat_protection chat_protection(const struct chat *chat)
{
    (void)chat;
    return CHAT_CLASSIC;
}

size_t chat_queued(const struct chat *chat)
{
    (void)chat;
    return 0;
}

size_t chat_room(const struct chat *chat, size_t size)
{
    (void)chat;
    (void)size;
    return 1;
}

uint64_t chat_deadline(const struct chat *chat)
{
    (void)chat;
    return UINT64_MAX;
}

/* What 2013 has nothing of. */
void chat_tick(struct chat *chat, uint64_t now, int64_t wall)
{
    (void)chat;
    (void)now;
    (void)wall;
}

void chat_dug(struct chat *chat, uint32_t reached, uint64_t now)
{
    (void)chat;
    (void)reached;
    (void)now;
}

void chat_salts_stored(struct chat *chat, uint64_t salt_next, uint64_t now, int64_t wall)
{
    (void)chat;
    (void)salt_next;
    (void)now;
    (void)wall;
}

void chat_root_stored(struct chat *chat, uint64_t now, int64_t wall)
{
    (void)chat;
    (void)now;
    (void)wall;
}

void chat_line_stored(struct chat *chat, uint64_t number, uint64_t now, int64_t wall)
{
    (void)chat;
    (void)number;
    (void)now;
    (void)wall;
}

uint64_t chat_number(struct chat *chat, size_t size)
{
    (void)chat;
    (void)size;
    return 0;
}
