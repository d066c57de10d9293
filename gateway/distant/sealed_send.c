/* SPDX-License-Identifier: ISC */
/* What leaves in frames: lines, acknowledgements, wishes (SEALED.md §6, §7, §9). */
#include "distant/chat_internal.h"

#include <openssl/crypto.h>

#include "base/map.h"
#include "wire/sealed.h"

enum {
    BULK = SEALED_HEADER_SIZE + 64 * SEALED_STEP, /* lines share a frame up to this size */
    REPETITIONS = 3,                              /* then another tunnel is tried */
    TUNNELS = 3,
    LATE_MS = 26000, /* a keep-alive has not come */
};

/* A frame that is being written. */
struct draft {
    struct chat *chat;
    struct chat_tunnel *tunnel;
    struct buffer plain;
    bool asking;
};

static bool guest_without_root(const struct chat *chat)
{
    return chat->options.role == CHAT_GUEST && chat->root != ROOT_STORED;
}

static bool tells_root(const struct chat *chat, const struct chat_tunnel *tunnel)
{
    return chat->options.role == CHAT_INVITER && chat->root == ROOT_STORED && !chat->options.settled &&
           tunnel->mode == SEALED_OFFER && tunnel->claimed;
}

static void write_agreement(struct draft *draft)
{
    struct chat *chat = draft->chat;
    uint8_t claim[SEALED_CLAIM_SIZE];
    if (draft->tunnel->mode != SEALED_OFFER || draft->asking)
        return;
    if (guest_without_root(chat) && sealed_claim(claim, chat->options.salt_key))
        sealed_record_write(&draft->plain, SEALED_CLAIM, bytes_of(claim, sizeof claim));
    OPENSSL_cleanse(claim, sizeof claim);
    if (tells_root(chat, draft->tunnel))
        sealed_record_write(&draft->plain, SEALED_ROOT, bytes_of(chat->options.root, SEALED_ROOT_SIZE));
}

static struct draft draft_of(struct chat *chat, struct chat_tunnel *tunnel, uint16_t flags, bool asking)
{
    struct draft draft = {chat, tunnel, buffer_make(SEALED_PLAIN_MAX), asking};
    struct sealed_header header = {.flags = flags, .ack = chat->options.number_stored};
    draft.plain.secret = true;
    header.base = chat->options.number_acked + 1;
    if (chat->receiver != NULL)
        header.ack = line_receiver_ack(chat->receiver);
    if (chat->sender != NULL)
        header.base = line_sender_base(chat->sender);
    if (header.base > SEALED_NUMBER_MAX)
        header.base = SEALED_NUMBER_MAX;
    if (chat_stays(chat))
        header.flags |= SEALED_WANT;
    if (chat->options.role == CHAT_GUEST && chat->root == ROOT_STORED)
        header.flags |= SEALED_ROOT_STORED;
    sealed_header_write(&draft.plain, &header);
    write_agreement(&draft);
    return draft;
}

static bool draft_send(struct draft *draft)
{
    struct chat *chat = draft->chat;
    struct chat_tunnel *tunnel = draft->tunnel;
    struct buffer frame = buffer_make(SEALED_PLAIN_MAX + SEALED_OVERHEAD);
    bool sent = !draft->plain.failed && sealed_pad(&draft->plain) &&
                sealed_tunnel_seal(&tunnel->seal, chat->tools.sealed, &frame, draft->asking,
                                   buffer_view(&draft->plain), chat->now) &&
                chat_put(chat, &(struct chat_output){
                                   .kind = CHAT_SEND, .tunnel = tunnel->id, .payload = buffer_view(&frame)});
    buffer_free(&frame);
    buffer_free(&draft->plain);
    chat_arm_keep_alive(chat, tunnel); /* also when it failed: memory may be back then */
    if (draft->asking)
        return sent;
    tunnel->owes_frame = false;
    if (sent && (tunnel->id == chat->ack_tunnel || chat_find_tunnel(chat, chat->ack_tunnel) == NULL))
        chat->owes_ack = false;
    return sent;
}

bool sealed_send(struct chat *chat, struct chat_tunnel *tunnel, uint16_t flags)
{
    struct draft draft = draft_of(chat, tunnel, flags, false);
    return draft_send(&draft);
}

bool sealed_ask(struct chat *chat, struct chat_tunnel *tunnel)
{
    struct draft draft = draft_of(chat, tunnel, SEALED_ANSWER, true);
    return draft_send(&draft);
}

void sealed_leave(struct chat *chat, struct chat_tunnel *tunnel)
{
    if (sealed_talks(tunnel))
        sealed_send(chat, tunnel, SEALED_LEAVE);
    chat_give_up(chat, tunnel);
}

/* Lines. */

bool sealed_lines_start(struct chat *chat)
{
    const struct chat_options *options = &chat->options;
    if (chat->sender == NULL)
        chat->sender = line_sender_new(options->number_assigned, options->number_acked);
    if (chat->receiver == NULL)
        chat->receiver = line_receiver_new(options->number_stored);
    return chat->sender != NULL && chat->receiver != NULL;
}

static void due_now(struct chat *chat)
{
    if (chat->due_at > chat->now)
        chat->due_at = chat->now;
}

uint64_t chat_number(struct chat *chat, size_t size)
{
    if (chat->protection != CHAT_SEALED || chat->state != CHAT_CAN_TALK || !sealed_lines_start(chat))
        return 0;
    return line_sender_assign(chat->sender, size);
}

size_t chat_room(const struct chat *chat, size_t size)
{
    if (chat->protection == CHAT_SEALED)
        return chat->state == CHAT_CAN_TALK && chat->sender != NULL ? line_sender_room(chat->sender, size)
                                                                    : 0;
    size_t lines = CHAT_QUEUE_LINES - chat->queue_lines;
    size_t fit = size == 0 ? lines : (CHAT_QUEUE_BYTES - chat->queue_bytes) / size;
    return fit < lines ? fit : lines;
}

void chat_void(struct chat *chat, uint64_t number, uint64_t now, int64_t wall)
{
    chat_clock(chat, now, wall);
    if (chat->sender == NULL)
        return;
    line_sender_void(chat->sender, number);
    due_now(chat);
}

bool sealed_say(struct chat *chat, uint64_t line, uint64_t number, struct bytes text)
{
    if (!sealed_lines_start(chat) || !line_sender_put(chat->sender, number, line, chat->wall * 1000, text))
        return false;
    chat->stirred_until = chat->now + CHAT_STIRRED_MS;
    due_now(chat); /* with others that are said at the same time */
    if (chat_best_tunnel(chat) == NULL && !chat->asking && chat->search_at == UINT64_MAX)
        chat_seek(chat, false);
    return true;
}

bool chat_resume(struct chat *chat, uint64_t line, uint64_t number, int64_t time, struct bytes text)
{
    if (chat->protection != CHAT_SEALED || !sealed_lines_start(chat) ||
        !line_sender_put(chat->sender, number, line, time, text))
        return false;
    if (!chat->asking)
        chat_seek(chat, false);
    return true;
}

void chat_line_stored(struct chat *chat, uint64_t number, uint64_t now, int64_t wall)
{
    chat_clock(chat, now, wall);
    if (chat->receiver == NULL)
        return;
    line_receiver_stored(chat->receiver, number);
    chat->owes_ack = true;
    due_now(chat);
}

void chat_line_failed(struct chat *chat, uint64_t number, uint64_t now, int64_t wall)
{
    chat_clock(chat, now, wall);
    if (chat->receiver != NULL)
        line_receiver_failed(chat->receiver, number);
}

/* What the next frame says besides lines. */
static uint16_t pending_flags(struct chat *chat, bool lines)
{
    uint16_t flags = 0;
    if (chat->owes_typing)
        flags |= SEALED_TYPING;
    if (chat_due(chat, &chat->owes_avatar_request, chat->avatar_request_after)) {
        chat->avatar_request_after = chat->now + CHAT_AVATAR_MS;
        chat->avatar_awaited = true;
        flags |= SEALED_AVATAR_ASKED;
    }
    if (chat_due(chat, &chat->owes_state_request, chat->state_request_after)) {
        chat->state_request_after = chat->now + CHAT_STATE_TEXT_MS;
        flags |= SEALED_STATE_ASKED;
    }
    if (lines && chat->announces_avatar && chat->avatar.size > 0)
        flags |= SEALED_AVATAR_NEW;
    chat->owes_typing = chat->owes_avatar_request = chat->owes_state_request = false;
    if (lines)
        chat->announces_avatar = false;
    return flags;
}

static bool pending_state_text(struct chat *chat, bool lines)
{
    bool announced = lines && chat->announces_state_text;
    if (announced)
        chat->announces_state_text = false;
    bool asked = chat_due(chat, &chat->owes_state_text, chat->state_text_after);
    if (asked)
        chat->state_text_after = chat->now + CHAT_STATE_TEXT_MS;
    chat->owes_state_text = false;
    return asked || (announced && buffer_size(&chat->state_text) > 0);
}

static void send_avatar(struct chat *chat, struct chat_tunnel *tunnel)
{
    bool due = chat_due(chat, &chat->owes_avatar, chat->avatar_after) && chat->avatar.size > 0;
    chat->owes_avatar = false;
    if (!due)
        return;
    chat->avatar_after = chat->now + CHAT_AVATAR_MS;
    struct draft draft = draft_of(chat, tunnel, 0, false);
    sealed_record_write(&draft.plain, SEALED_AVATAR, chat->avatar);
    draft_send(&draft);
}

/* Frames with all lines that are due. */
static void send_lines(struct chat *chat, struct chat_tunnel *tunnel)
{
    struct sent_line line;
    bool more = line_sender_next(chat->sender, chat->now, &line);
    uint16_t flags = pending_flags(chat, more);
    bool state_text = pending_state_text(chat, more);
    if (more)
        chat->line_tunnel = tunnel->id;
    if (flags != 0 || state_text) {
        struct draft draft = draft_of(chat, tunnel, flags, false);
        struct bytes text = buffer_view(&chat->state_text);
        if (state_text)
            sealed_record_write(&draft.plain, SEALED_STATE_TEXT, text.size > 0 ? text : bytes_of_string(""));
        draft_send(&draft);
    }
    while (more) {
        struct draft draft = draft_of(chat, tunnel, 0, false);
        do {
            sealed_line_write(&draft.plain, line.number, line.time, line.text);
            more = line_sender_next(chat->sender, chat->now, &line);
        } while (more &&
                 buffer_size(&draft.plain) + SEALED_RECORD_HEAD + SEALED_LINE_HEAD + line.text.size <= BULK);
        draft_send(&draft);
    }
}

/* Lines said without a number before the route was sealed: whoever said them is to say them again with one.
 */
static void return_queue(struct chat *chat)
{
    struct own_line *line;
    DL_FOREACH(chat->queue, line)
    {
        if (!line->told)
            chat_put(chat, &(struct chat_output){.kind = CHAT_DELIVERY,
                                                 .line = line->number,
                                                 .delivery = CHAT_QUEUED,
                                                 .reason = "the conversation is sealed now"});
        line->told = true;
    }
}

void sealed_flush(struct chat *chat)
{
    struct chat_tunnel *tunnel = NULL;
    if (chat->protection == CHAT_SEALED && sealed_lines_start(chat)) {
        return_queue(chat);
        tunnel = chat_best_tunnel(chat);
    }
    if (tunnel != NULL) {
        send_lines(chat, tunnel);
        send_avatar(chat, tunnel);
        struct chat_tunnel *heard = chat_find_tunnel(chat, chat->ack_tunnel);
        if (heard == NULL || !sealed_talks(heard))
            heard = tunnel;
        heard->owes_frame |= chat->owes_ack;
    }
    chat->due_at = UINT64_MAX;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        if (sealed_talks(tunnel) && (tunnel->owes_frame || tunnel->owes_keep_alive))
            sealed_send(chat, tunnel, 0);
        else if (tunnel->seal.next.there && !tunnel->opener && tunnel->owes_keep_alive)
            sealed_ask(chat, tunnel);
    }
}

/* Tunnels. */

/* Lines wait too long for their acknowledgement: they move. */
static void move_lines(struct chat *chat)
{
    struct chat_tunnel *tunnel, *best = NULL, *stuck = chat_find_tunnel(chat, chat->line_tunnel);
    chat->repetitions = 0;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        if (tunnel != stuck && sealed_talks(tunnel) && (best == NULL || tunnel->heard > best->heard))
            best = tunnel;
    }
    if (best != NULL) {
        chat->line_tunnel = best->id;
    } else if (stuck != NULL) {
        chat_pause_search(chat, stuck);
        sealed_leave(chat, stuck);
        chat_tell_loss(chat, "the other side did not confirm anything through the tunnel");
    }
}

void sealed_lines_tick(struct chat *chat)
{
    if (chat->protection != CHAT_SEALED || chat->sender == NULL || chat_best_tunnel(chat) == NULL ||
        !line_sender_tick(chat->sender, chat->now))
        return;
    if (++chat->repetitions >= REPETITIONS)
        move_lines(chat);
}

size_t sealed_talking(const struct chat *chat)
{
    const struct chat_tunnel *tunnel;
    size_t count = 0;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        count += sealed_talks(tunnel);
    }
    return count;
}

/* The higher the worse; lines' own tunnel is the best. */
static unsigned badness(const struct chat *chat, const struct chat_tunnel *tunnel)
{
    if (tunnel->mode == SEALED_OFFER && chat->options.settled)
        return 3;
    if (chat->now - tunnel->heard_at > LATE_MS)
        return 2;
    return tunnel->id == chat->line_tunnel ? 0 : 1;
}

static struct chat_tunnel *worst(const struct chat *chat)
{
    struct chat_tunnel *tunnel, *found = NULL;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        if (sealed_talks(tunnel) && (found == NULL || badness(chat, tunnel) >= badness(chat, found)))
            found = tunnel;
    }
    return found;
}

static bool any_rooted(const struct chat *chat)
{
    const struct chat_tunnel *tunnel;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        if (sealed_talks(tunnel) && tunnel->mode == SEALED_ROOTED)
            return true;
    }
    return false;
}

void sealed_thin_out(struct chat *chat)
{
    struct chat_tunnel *tunnel, *next;
    if (chat->options.role != CHAT_GUEST || chat->root != ROOT_STORED)
        return;
    bool rooted = any_rooted(chat);
    DL_FOREACH_SAFE(chat->tunnels, tunnel, next)
    {
        /* Without its key an offer's tunnel can get no new ones, and without keys it never will talk. */
        if (tunnel->mode == SEALED_OFFER && (rooted || !sealed_talks(tunnel)))
            sealed_leave(chat, tunnel);
    }
    while (sealed_talking(chat) > TUNNELS)
        sealed_leave(chat, worst(chat));
}

void sealed_rest(struct chat *chat)
{
    struct chat_tunnel *tunnel, *next;
    if (chat->protection != CHAT_SEALED || chat->end != END_NOT || chat_stays(chat))
        return;
    bool left = false;
    chat->asking = chat->looking = false;
    chat->search_at = UINT64_MAX;
    DL_FOREACH_SAFE(chat->tunnels, tunnel, next)
    {
        if (!sealed_talks(tunnel) ? tunnel->opener : !tunnel->peer_wants) {
            sealed_leave(chat, tunnel);
            left = true;
        }
    }
    chat_hashes_update(chat);
    if (left || chat->tunnels == NULL)
        chat_tell_loss(chat, NULL);
}

void chat_leave(struct chat *chat, uint64_t now, int64_t wall)
{
    chat_clock(chat, now, wall);
    while (chat->tunnels != NULL && chat->protection == CHAT_SEALED)
        sealed_leave(chat, chat->tunnels);
}
