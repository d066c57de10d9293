/* SPDX-License-Identifier: ISC */
#include "distant/chat_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "crypto/salt.h"
#include "wire/tlv.h"
#include "wire/utf8.h"

enum {
    SALT_BLOCK = 1000,
    SALTS_AGAIN_MS = 30000,
    KEEP_ALIVE_MS = 20000, /* protocol 03 §7 */
    KEEP_ALIVE_JITTER_MS = 4000,
    TYPING_MS = 5000,
    PART = CHAT_PART_LIMIT -
           CHAT_PART_LIMIT % CHAT_PAD, /* so that the padding of the last part pads the whole */
};

/* The exact texts of the original (protocol 03 §4.2). */
static const char acknowledgement[] = "Tunnel is working. You can talk!";
static const char typing[] = "is typing...";

static uint64_t salts_left(const struct chat *chat)
{
    return chat->salt_reserved - chat->salt_used;
}

static void ask(struct chat *chat, uint64_t next)
{
    chat->salt_again_at = chat->now + SALTS_AGAIN_MS;
    if (chat_put(chat, &(struct chat_output){.kind = CHAT_SALTS, .salt_next = next}))
        chat->salt_asked = next;
}

void chat_ask_again(struct chat *chat)
{
    if (chat->salt_asked != 0 && chat->now >= chat->salt_again_at)
        ask(chat, chat->salt_asked);
}

/* True when `count` packets can leave now. Asks for the next block early, so that packets seldom wait for the
 * store. */
static bool salts_ready(struct chat *chat, uint64_t count)
{
    uint64_t block = chat->options.salt_block == 0 ? SALT_BLOCK : chat->options.salt_block;
    uint64_t left = salts_left(chat);
    if (chat->salt_asked == 0 && (left < count || left < block / 4) &&
        chat->salt_reserved <= UINT64_MAX - block)
        ask(chat, chat->salt_reserved + block);
    return left >= count;
}

void chat_salts_stored(struct chat *chat, uint64_t salt_next, uint64_t now, int64_t wall)
{
    chat_clock(chat, now, wall);
    if (chat->salt_asked == 0 || salt_next != chat->salt_asked)
        return;
    chat->salt_reserved = salt_next;
    chat->salt_asked = 0;
    chat_flush(chat);
}

/* Seals one item for a tunnel. Uses up a salt even when it fails. */
static bool seal(struct chat *chat, struct output_queue *queue, const struct chat_tunnel *tunnel,
                 struct bytes item)
{
    uint64_t salt = salt_from_counter(chat->options.salt_key, chat->salt_used++);
    uint8_t salt_bytes[CLASSIC_SALT_SIZE];
    for (size_t i = 0; i < sizeof salt_bytes; i++)
        salt_bytes[i] = (uint8_t)(salt >> (56 - 8 * i));
    struct buffer packet = buffer_make(CLASSIC_SALT_SIZE + ITEM_SIZE_MAX + 16);
    bool sealed =
        classic_seal(chat->tools.classic, &packet, chat->options.key, salt_bytes, item) &&
        chat_output_add(queue, &(struct chat_output){
                                   .kind = CHAT_SEND, .tunnel = tunnel->id, .payload = buffer_view(&packet)});
    buffer_free(&packet);
    return sealed;
}

void chat_arm_keep_alive(struct chat *chat, struct chat_tunnel *tunnel)
{
    tunnel->owes_keep_alive = false;
    tunnel->keep_alive_at =
        chat->now + KEEP_ALIVE_MS + random_below(chat->tools.random, KEEP_ALIVE_JITTER_MS);
}

/* Takes what an encoder wrote: its result and the item, which is wiped. */
static bool send_item(struct chat *chat, struct chat_tunnel *tunnel, bool encoded, struct buffer *item)
{
    bool sent = encoded && salts_ready(chat, 1) && seal(chat, &chat->outputs, tunnel, buffer_view(item));
    buffer_free(item);
    if (sent)
        chat_arm_keep_alive(chat, tunnel);
    return sent;
}

static struct buffer item_buffer(void)
{
    struct buffer item = buffer_make(ITEM_SIZE_MAX);
    item.secret = true;
    return item;
}

static bool send_status(struct chat *chat, struct chat_tunnel *tunnel, uint32_t flags, struct bytes text)
{
    struct buffer item = item_buffer();
    return send_item(chat, tunnel, chat_status_write(&item, flags, text), &item);
}

bool chat_send_status(struct chat *chat, struct chat_tunnel *tunnel, uint32_t flags, const char *text)
{
    return send_status(chat, tunnel, flags, bytes_of_string(text));
}

/* The text as it leaves: what the original would blank or drop is broken, then padded (W-C6). */
static bool own_text(struct buffer *out, const struct own_line *line)
{
    uint8_t spaces[CHAT_PAD];
    if (!tlv_defuse(out, bytes_of(line->text, line->size)))
        return false;
    size_t over = utf8_length(buffer_view(out)) % CHAT_PAD;
    memset(spaces, ' ', sizeof spaces);
    return over == 0 || buffer_append(out, spaces, CHAT_PAD - over);
}

static bool seal_parts(struct chat *chat, struct output_queue *queue, const struct chat_tunnel *tunnel,
                       struct bytes text)
{
    struct buffer item = item_buffer();
    bool sealed = true;
    while (sealed && text.size > 0) {
        size_t size = utf8_prefix(text, PART);
        uint32_t flags = CHAT_PRIVATE;
        if (size < text.size)
            flags |= CHAT_PARTIAL;
        else if (chat->announces_avatar && chat->avatar.size > 0)
            flags |= CHAT_AVATAR_AVAILABLE;
        buffer_clear(&item);
        sealed = chat_text_write(&item, flags, (uint32_t)chat->wall, bytes_of(text.data, size)) &&
                 seal(chat, queue, tunnel, buffer_view(&item));
        text = bytes_of(text.data + size, text.size - size);
    }
    buffer_free(&item);
    return sealed;
}

/* Keeps the number of a line that has left for as long as its delivery is in doubt. */
static void keep_handed(struct chat *chat, const struct chat_tunnel *tunnel, struct own_line *line)
{
    line->tunnel = tunnel->id;
    line->handed_at = chat->now;
    DL_APPEND(chat->handed, line);
    chat->handed_count++;
    chat_trim_handed(chat);
}

/* The first line of the queue leaves whole or not at all. */
static bool send_line(struct chat *chat, struct chat_tunnel *tunnel)
{
    struct own_line *line = chat->queue;
    struct buffer text = buffer_make(3 * (size_t)CHAT_LINE_LIMIT + CHAT_PAD); /* a defused "<!" has 5 bytes */
    struct output_queue packets = {0};
    bool sent =
        own_text(&text, line) && salts_ready(chat, (utf8_length(buffer_view(&text)) + PART - 1) / PART) &&
        seal_parts(chat, &packets, tunnel, buffer_view(&text)) &&
        chat_output_add(&packets, &(struct chat_output){
                                      .kind = CHAT_DELIVERY, .line = line->number, .delivery = CHAT_SENT});
    buffer_free(&text);
    if (!sent) {
        chat_outputs_drop(&packets);
        return false;
    }
    chat_outputs_move(&chat->outputs, &packets);
    chat->announces_avatar = false;
    chat_arm_keep_alive(chat, tunnel);
    DL_DELETE(chat->queue, line);
    chat->queue_lines--;
    chat->queue_bytes -= line->size;
    struct own_line *handed = realloc(line, sizeof *line);
    keep_handed(chat, tunnel, handed != NULL ? handed : line);
    return true;
}

static bool send_avatar(struct chat *chat, struct chat_tunnel *tunnel)
{
    struct buffer item = item_buffer();
    return send_item(chat, tunnel, chat_avatar_write(&item, chat->avatar), &item);
}

static bool send_avatar_request(struct chat *chat, struct chat_tunnel *tunnel)
{
    struct buffer item = item_buffer();
    uint32_t flags = CHAT_PRIVATE | CHAT_REQUESTS_AVATAR;
    bool sent =
        send_item(chat, tunnel, chat_text_write(&item, flags, (uint32_t)chat->wall, bytes_of("", 0)), &item);
    chat->avatar_awaited |= sent;
    return sent;
}

static bool send_state_text(struct chat *chat, struct chat_tunnel *tunnel)
{
    return send_status(chat, tunnel, CHAT_STATE_STRING, buffer_view(&chat->state_text));
}

static bool send_state_request(struct chat *chat, struct chat_tunnel *tunnel)
{
    return chat_send_status(chat, tunnel, CHAT_PRIVATE | CHAT_REQUESTS_STATE_STRING, "");
}

bool chat_due(const struct chat *chat, bool *owed, uint64_t after)
{
    bool due = *owed && chat->now >= after;
    *owed = due;
    return due;
}

/* Sends what is owed when its time has come. */
static void pay(struct chat *chat, struct chat_tunnel *tunnel, bool *owed, uint64_t *after, uint64_t pause,
                bool (*send)(struct chat *chat, struct chat_tunnel *tunnel))
{
    if (!chat_due(chat, owed, *after) || !send(chat, tunnel))
        return;
    *owed = false;
    *after = chat->now + pause;
}

static void send_farewell(struct chat *chat)
{
    struct chat_tunnel *tunnel = chat_best_tunnel(chat);
    if (tunnel == NULL && chat->tunnels != NULL && !chat_is_silent(chat))
        tunnel = chat->tunnels->prev; /* the newest */
    if (tunnel != NULL && !chat_send_status(chat, tunnel, CHAT_PRIVATE | CHAT_CLOSING, ""))
        return;
    chat->farewell = false;
    chat_drop_tunnels(chat);
    chat_stop(chat);
}

void chat_flush(struct chat *chat)
{
    struct chat_tunnel *tunnel;
    if (chat->farewell)
        send_farewell(chat);
    if (chat->end != END_NOT)
        sealed_end_flush(chat);
    if (chat_is_shut(chat))
        return;
    sealed_flush(chat);
    if (chat_is_silent(chat))
        return;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        if (tunnel->owes_acknowledgement) {
            tunnel->owes_acknowledgement =
                !chat_send_status(chat, tunnel, CHAT_PRIVATE | CHAT_ACKNOWLEDGE, acknowledgement);
            if (!tunnel->owes_acknowledgement)
                sealed_begin(chat, tunnel);
        } else if (tunnel->owes_keep_alive)
            chat_send_status(chat, tunnel, CHAT_ACKNOWLEDGE, "");
    }
    tunnel = chat_best_tunnel(chat);
    if (tunnel == NULL)
        return;
    while (chat->queue != NULL && send_line(chat, tunnel)) {
        if (chat->announces_state_text)
            chat->announces_state_text = !send_state_text(chat, tunnel);
    }
    pay(chat, tunnel, &chat->owes_avatar_request, &chat->avatar_request_after, CHAT_AVATAR_MS,
        send_avatar_request);
    if (chat->avatar.size == 0)
        chat->owes_avatar = false;
    pay(chat, tunnel, &chat->owes_avatar, &chat->avatar_after, CHAT_AVATAR_MS, send_avatar);
    pay(chat, tunnel, &chat->owes_state_text, &chat->state_text_after, CHAT_STATE_TEXT_MS, send_state_text);
    pay(chat, tunnel, &chat->owes_state_request, &chat->state_request_after, CHAT_STATE_TEXT_MS,
        send_state_request);
}

void chat_typing(struct chat *chat, uint64_t now, int64_t wall)
{
    chat_clock(chat, now, wall);
    struct chat_tunnel *tunnel = chat_best_tunnel(chat);
    if (tunnel == NULL || !chat->options.send_typing || chat->state != CHAT_CAN_TALK ||
        now < chat->typing_after)
        return;
    if (chat->protection == CHAT_SEALED) {
        chat->owes_typing = true;
        chat->typing_after = now + TYPING_MS + 1;
        chat_flush(chat);
        return;
    }
    if (chat_send_status(chat, tunnel, CHAT_PRIVATE, typing))
        chat->typing_after = now + TYPING_MS + 1; /* more than 5 s apart, like the original */
}
