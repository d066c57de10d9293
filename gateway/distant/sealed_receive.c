/* SPDX-License-Identifier: ISC */
/* What comes in frames (SEALED.md §6 to §10). */
#include "distant/chat_internal.h"

#include <openssl/crypto.h>

#include "base/map.h"
#include "wire/sealed.h"

/* A frame on its way in. */
struct arrival {
    struct chat *chat;
    struct chat_tunnel *tunnel;
    struct sealed_header header;
    struct bytes claim;
    struct sealed_record avatar, state_text; /* the last of each counts; type 0: none */
    bool newest, ended;
};

static void find_claim(void *arg, const struct sealed_record *record)
{
    struct arrival *arrival = arg;
    if (record->type == SEALED_CLAIM)
        arrival->claim = record->body;
}

static void take_avatar(const struct arrival *arrival, struct bytes image)
{
    struct chat *chat = arrival->chat;
    if (!chat->avatar_awaited) {
        chat_refuse(chat, arrival->tunnel, CHAT_REFUSED_UNASKED);
    } else if (!chat_image_is_known(image)) {
        chat_refuse(chat, arrival->tunnel, CHAT_REFUSED_IMAGE);
    } else {
        chat->avatar_awaited = false;
        chat_put(chat, &(struct chat_output){
                           .kind = CHAT_PEER_AVATAR, .tunnel = arrival->tunnel->id, .text = image});
    }
}

/* Lines are kept from the moment on when the root is known, and handed over when it is stored. */
static void take_line(struct arrival *arrival, const struct sealed_record *record)
{
    struct chat *chat = arrival->chat;
    if (chat->root == ROOT_NONE || !sealed_lines_start(chat))
        return;
    if (!line_receiver_take(chat->receiver, record->number, record->time, record->text))
        chat->owes_ack = true; /* perhaps ours was lost */
    chat->ack_tunnel = arrival->tunnel->id;
    chat->stirred_until = chat->now + CHAT_STIRRED_MS;
}

static void take_record(void *arg, const struct sealed_record *record)
{
    struct arrival *arrival = arg;
    struct chat *chat = arrival->chat;
    switch (record->type) {
    case SEALED_LINE:
        take_line(arrival, record);
        break;
    case SEALED_ROOT:
        if (chat->options.role == CHAT_GUEST && arrival->tunnel->mode == SEALED_OFFER) {
            sealed_root_take(chat, record->body.data);
            arrival->tunnel->owes_frame = true;
        }
        break;
    case SEALED_STATE_TEXT:
        arrival->state_text = *record;
        break;
    case SEALED_AVATAR:
        arrival->avatar = *record;
        break;
    default:
        break;
    }
}

static void take_state_text(const struct arrival *arrival, struct bytes text)
{
    struct buffer room = buffer_make(CHAT_STATE_TEXT_LIMIT);
    struct bytes shown;
    if (sealed_show(&shown, &room, text))
        chat_put(arrival->chat, &(struct chat_output){
                                    .kind = CHAT_STATE_TEXT, .tunnel = arrival->tunnel->id, .text = shown});
    buffer_free(&room);
}

/* Thousands of small records fit into a frame: what they ask for is done once. */
static void take_records(struct arrival *arrival, struct bytes plain)
{
    sealed_parse(plain, &arrival->header, take_record, arrival);
    if (arrival->avatar.type != 0)
        take_avatar(arrival, arrival->avatar.text);
    if (arrival->state_text.type != 0)
        take_state_text(arrival, arrival->state_text.text);
}

static void tell_delivered(struct chat *chat)
{
    uint64_t line;
    while (line_sender_delivered(chat->sender, &line))
        chat_put(chat,
                 &(struct chat_output){.kind = CHAT_DELIVERY, .line = line, .delivery = CHAT_DELIVERED});
}

/* False: not plausible, the frame is refused. */
static bool take_header(struct arrival *arrival)
{
    struct chat *chat = arrival->chat;
    const struct sealed_header *header = &arrival->header;
    if (chat->root != ROOT_STORED || !sealed_lines_start(chat))
        return true;
    uint64_t base = line_sender_base(chat->sender), assigned = line_sender_assigned(chat->sender);
    /* A store that is behind is so from its start: it learns that once. */
    if ((header->ack > assigned && chat->behind) || !line_sender_ack(chat->sender, header->ack, chat->now))
        return false;
    if (header->ack > assigned) {
        chat->behind = true;
        chat_put(chat, &(struct chat_output){.kind = CHAT_BEHIND});
    }
    if (line_sender_base(chat->sender) != base)
        chat->repetitions = 0;
    tell_delivered(chat);
    line_receiver_base(chat->receiver, header->base);
    return true;
}

static void take_flags(struct arrival *arrival)
{
    struct chat *chat = arrival->chat;
    uint16_t flags = arrival->header.flags;
    if (arrival->newest)
        arrival->tunnel->peer_wants = (flags & SEALED_WANT) != 0;
    arrival->tunnel->owes_frame |= (flags & SEALED_ANSWER) != 0;
    chat->owes_avatar |= (flags & SEALED_AVATAR_ASKED) != 0;
    chat->owes_avatar_request |= (flags & SEALED_AVATAR_NEW) != 0;
    chat->owes_state_text |= (flags & SEALED_STATE_ASKED) != 0;
    if (flags & SEALED_TYPING)
        chat_put(chat, &(struct chat_output){.kind = CHAT_TYPING, .tunnel = arrival->tunnel->id});
    if (chat->options.role == CHAT_INVITER &&
        ((flags & SEALED_ROOT_STORED) || arrival->tunnel->mode == SEALED_ROOTED))
        sealed_root_known(chat);
}

/* Without the guest's claim an inviter opens nothing in offer mode. */
static bool claim_is_shown(struct arrival *arrival, struct bytes plain)
{
    struct chat *chat = arrival->chat;
    struct chat_tunnel *tunnel = arrival->tunnel;
    if (chat->options.role == CHAT_GUEST || tunnel->mode == SEALED_ROOTED || tunnel->claimed)
        return true;
    if (!sealed_parse(plain, &arrival->header, find_claim, arrival) ||
        arrival->claim.size != SEALED_CLAIM_SIZE)
        return false;
    if (chat->root != ROOT_NONE &&
        !bytes_equal_secret(arrival->claim, bytes_of(chat->options.claim, SEALED_CLAIM_SIZE))) {
        sealed_send(chat, tunnel, SEALED_CLOSED | SEALED_LEAVE);
        chat_give_up(chat, tunnel);
        chat_tell_loss(chat, NULL);
        arrival->tunnel = NULL;
        return false;
    }
    tunnel->claimed = true;
    return true;
}

/* As far off as the classic wire allows: a clock that is wrong cannot hold up a line, nor date it at will. */
static int64_t shown_time(const struct chat *chat, int64_t time)
{
    enum { DAY = 86400 };
    int64_t first = (chat->options.route_created - DAY) * 1000, last = (chat->wall + DAY) * 1000;
    return time > last ? last : time < first ? first : time;
}

static bool hand_line(struct chat *chat, const struct received_line *line)
{
    struct buffer room = buffer_make(CHAT_LINE_LIMIT);
    struct chat_output out = {.kind = CHAT_LINE,
                              .time = shown_time(chat, line->time),
                              .number = line->number,
                              .missing = line->missing};
    bool handed = sealed_show(&out.text, &room, line->text) && chat_put(chat, &out);
    buffer_free(&room);
    return handed;
}

void sealed_hand_lines(struct chat *chat)
{
    struct received_line line;
    if (chat->protection != CHAT_SEALED || chat->receiver == NULL)
        return;
    while (line_receiver_next(chat->receiver, &line)) {
        if (hand_line(chat, &line))
            continue;
        line_receiver_failed(chat->receiver, line.number);
        break;
    }
}

static void heard(struct arrival *arrival)
{
    struct chat *chat = arrival->chat;
    struct chat_tunnel *tunnel = arrival->tunnel;
    tunnel->heard = ++chat->rank;
    tunnel->heard_at = chat->now;
    tunnel->announce_at = tunnel->seal.announcing ? tunnel->announce_at : UINT64_MAX;
    tunnel->ask_at = tunnel->seal.next.there ? tunnel->ask_at : UINT64_MAX;
    if (tunnel->keep_alive_at == UINT64_MAX && !tunnel->owes_keep_alive)
        chat_arm_keep_alive(chat, tunnel);
    chat_put_confirmed(chat, tunnel);
}

static void go(struct arrival *arrival)
{
    struct chat *chat = arrival->chat;
    if (arrival->header.flags & SEALED_CLOSED) {
        sealed_ended(
            chat,
            chat->root == ROOT_STORED
                ? "the other side has closed the conversation; a new invite begins another"
                : "the other side closed it, or somebody else used this invite before; ask for a new one");
    } else if (arrival->header.flags & SEALED_LEAVE) {
        chat_pause_search(chat, arrival->tunnel);
        chat_give_up(chat, arrival->tunnel);
        chat_tell_loss(chat, "the other side has left");
    } else {
        return;
    }
    arrival->ended = true;
}

static void take(struct arrival *arrival, struct bytes plain)
{
    struct chat *chat = arrival->chat;
    struct chat_tunnel *tunnel = arrival->tunnel;
    bool had_claim = tunnel->claimed;
    if (!claim_is_shown(arrival, plain) || !sealed_parse(plain, &arrival->header, NULL, NULL) ||
        (chat->end == END_NOT && !take_header(arrival))) {
        chat_refuse(chat, arrival->tunnel, CHAT_REFUSED_CONTENT);
        return;
    }
    heard(arrival);
    if (chat->end != END_NOT) {
        sealed_end_take(chat, tunnel, arrival->header.flags);
        return;
    }
    if (tunnel->claimed && !had_claim)
        sealed_root_offer(chat, tunnel, arrival->claim.data);
    take_flags(arrival);
    take_records(arrival, plain);
    sealed_hand_lines(chat);
    go(arrival);
    if (arrival->ended)
        return;
    if (chat->state != CHAT_CLOSED_BY_PEER)
        chat_tell(chat, chat->reason);
    sealed_thin_out(chat);
    sealed_rest(chat);
    chat_hashes_update(chat);
}

bool sealed_take_frame(struct chat *chat, struct chat_tunnel *tunnel, struct bytes payload)
{
    struct buffer plain = buffer_make(SEALED_PLAIN_MAX);
    plain.secret = true;
    struct arrival arrival = {.chat = chat, .tunnel = tunnel};
    enum sealed_opening opening =
        sealed_tunnel_open(&tunnel->seal, chat->tools.sealed, &plain, payload, &arrival.newest, chat->now);
    if (opening == SEALED_OPENED_BEFORE)
        chat_refuse(chat, tunnel, CHAT_REFUSED_FRAME);
    else if (opening != SEALED_OPENS_NOT)
        take(&arrival, buffer_view(&plain));
    buffer_free(&plain);
    return opening != SEALED_OPENS_NOT;
}
