/* SPDX-License-Identifier: ISC */
#include "distant/chat_internal.h"
#include "distant/plain.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "wire/utf8.h"

enum {
    ANSWER_MS = 40000, /* a request that is answered at all is answered by then */
    DAY_OFFSETS = 3600 /* SEALED.md §8 */
};

static const char no_answer[] = "nobody has answered; asking again from time to time";
static const char closed_here[] = "closed here";
static const char asleep[] = "asleep until somebody opens it";
static const char tunnel_silent[] = "a tunnel is there; waiting for the other side's sealed answer";
static const char tunnel_there[] = "a tunnel is there; waiting for the other side to answer";

const char *chat_state_word(enum chat_state state)
{
    static const char *const words[] = {
        [CHAT_NO_TUNNEL] = "no tunnel", [CHAT_CONNECTING] = "connecting",
        [CHAT_CAN_TALK] = "can talk",   [CHAT_CLOSED_BY_PEER] = "closed by peer",
        [CHAT_REFUSED] = "refused",     [CHAT_EXPIRED] = "expired",
    };
    size_t index = (size_t)state;
    return index < sizeof words / sizeof words[0] ? words[index] : "unknown";
}

static const char *waiting_reason(const struct chat *chat)
{
    if (chat->protection == CHAT_SEALED)
        return asleep;
    if (chat->options.role == CHAT_GUEST)
        return "not looked for now";
    return chat->options.ever_confirmed ? "waiting for the other side to come back"
                                        : "waiting for the other side to use the invite";
}

void chat_stop(struct chat *chat)
{
    chat->serving = chat->asking = false;
    chat_hashes_update(chat);
}

static enum chat_protection first_protection(const struct chat_options *options)
{
    static const uint8_t unknown[SEALED_CONTEXT_SIZE];
    if (options->sealed)
        return CHAT_SEALED;
    if (options->sealing == CHAT_SEALING_MUST)
        return CHAT_UNPROTECTED;
    bool decided = options->role == CHAT_GUEST || options->ever_confirmed ||
                   options->sealing == CHAT_SEALING_NEVER ||
                   memcmp(options->context, unknown, sizeof unknown) == 0;
    return decided ? CHAT_CLASSIC : CHAT_UNPROTECTED;
}

struct chat *chat_new(const struct chat_options *options, const struct chat_tools *tools, uint64_t now,
                      int64_t wall)
{
    struct chat *chat = calloc(1, sizeof *chat);
    if (chat == NULL)
        return NULL;
    chat->options = *options;
    chat->tools = *tools;
    chat->salt_used = chat->salt_reserved = options->salt_next;
    chat->state_text = buffer_make(CHAT_STATE_TEXT_LIMIT);
    chat->announces_state_text = true;
    chat->protection = first_protection(options);
    chat->root = options->sealed ? ROOT_STORED : ROOT_NONE;
    chat->serving = true;
    chat->root_again_at = chat->root_tell_at = chat->search_at = chat->due_at = UINT64_MAX;
    chat->day_offset = random_below(tools->random, DAY_OFFSETS);
    chat->receiver_handed = options->number_stored;
    chat->end = options->sealed && options->parting ? END_PARTING : END_NOT;
    chat->reason = chat->end == END_PARTING ? closed_here : waiting_reason(chat);
    if (chat->end == END_PARTING)
        sealed_wipe_offer(chat);
    salts_init(&chat->salts, tools->random);
    chat_clock(chat, now, wall);
    chat_hashes_update(chat);
    return chat;
}

static void free_lines(struct own_line *head)
{
    struct own_line *line, *next;
    DL_FOREACH_SAFE(head, line, next)
    {
        free(line);
    }
}

void chat_free(struct chat *chat)
{
    if (chat == NULL)
        return;
    chat_drop_tunnels(chat);
    free_lines(chat->queue);
    free_lines(chat->handed);
    salts_free(&chat->salts);
    buffer_free(&chat->state_text);
    line_sender_free(chat->sender);
    line_receiver_free(chat->receiver);
    free(chat->met);
    chat_outputs_drop(&chat->outputs);
    chat_output_free(chat->taken);
    OPENSSL_cleanse(chat, sizeof *chat);
    free(chat);
}

bool chat_add_salt(struct chat *chat, uint64_t salt)
{
    return salts_kept(&chat->salts) < CHAT_SALTS_LIMIT && salts_keep(&chat->salts, salt);
}

void chat_clock(struct chat *chat, uint64_t now, int64_t wall)
{
    chat->now = now;
    chat->wall = wall;
}

bool chat_is_final(const struct chat *chat)
{
    return chat->state == CHAT_REFUSED || chat->state == CHAT_EXPIRED;
}

bool chat_is_shut(const struct chat *chat)
{
    return chat->closed || chat->end != END_NOT || chat_is_final(chat);
}

bool chat_is_deaf(const struct chat *chat)
{
    return chat->closed || chat->end == END_OVER || chat_is_final(chat);
}

bool chat_is_silent(const struct chat *chat)
{
    return chat->options.sealing == CHAT_SEALING_MUST || chat->protection == CHAT_SEALED;
}

static void put_state(struct chat *chat)
{
    chat_put(chat,
             &(struct chat_output){.kind = CHAT_STATE_CHANGED, .state = chat->state, .reason = chat->reason});
}

void chat_set_state(struct chat *chat, enum chat_state state, const char *reason)
{
    if (chat->state == state && strcmp(chat->reason, reason) == 0)
        return;
    chat->state = state;
    chat->reason = reason;
    put_state(chat);
}

void chat_set_protection(struct chat *chat, enum chat_protection protection)
{
    if (chat->protection == protection)
        return;
    chat->protection = protection;
    put_state(chat);
}

static bool any_talks(const struct chat *chat)
{
    const struct chat_tunnel *tunnel;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        if (sealed_talks(tunnel))
            return true;
    }
    return false;
}

void chat_tell(struct chat *chat, const char *none)
{
    if (chat_is_shut(chat) || chat->state == CHAT_CLOSED_BY_PEER)
        return;
    if (chat_best_tunnel(chat) != NULL) {
        chat->looking = false;
        chat_set_state(chat, CHAT_CAN_TALK, "the other side answers");
    } else if (chat->root == ROOT_STORING) {
        chat_set_state(chat, CHAT_CONNECTING, "storing what was agreed on with the other side");
    } else if (any_talks(chat) || sealed_holds(chat)) {
        chat_set_state(chat, CHAT_CONNECTING, "agreeing with the other side on keys; lines wait until then");
    } else if (chat->tunnels != NULL) {
        chat->looking = false;
        chat_set_state(chat, CHAT_CONNECTING, chat_is_silent(chat) ? tunnel_silent : tunnel_there);
    } else if (!chat->looking || chat->state == CHAT_CAN_TALK) {
        chat_set_state(chat, CHAT_NO_TUNNEL, none);
    }
}

enum chat_state chat_state(const struct chat *chat, const char **reason)
{
    if (reason != NULL)
        *reason = chat->reason;
    return chat->state;
}

enum chat_protection chat_protection(const struct chat *chat)
{
    return chat->protection;
}

static size_t unacknowledged(const struct chat *chat)
{
    return chat->sender == NULL ? 0 : line_sender_unacknowledged(chat->sender);
}

size_t chat_queued(const struct chat *chat)
{
    return chat->queue_lines + unacknowledged(chat);
}

size_t chat_tunnels(const struct chat *chat)
{
    return chat->tunnel_count;
}

bool chat_wants(const struct chat *chat)
{
    if (chat_is_shut(chat) || chat->state == CHAT_CLOSED_BY_PEER)
        return false;
    if (chat->wanted || chat->queue != NULL || unacknowledged(chat) > 0)
        return true;
    return chat->options.role == CHAT_GUEST ? chat->root != ROOT_STORED
                                            : chat->root != ROOT_NONE && !chat->options.settled;
}

bool chat_stays(const struct chat *chat)
{
    return chat_wants(chat) || (chat->now < chat->stirred_until && !chat_is_shut(chat));
}

/* Opening and ending. */

static bool may_seek(const struct chat *chat)
{
    return chat->options.role == CHAT_GUEST || chat->protection == CHAT_SEALED;
}

void chat_seek(struct chat *chat, bool urgent)
{
    chat->search_at = UINT64_MAX;
    chat->asking = true;
    chat_hashes_seek(chat, urgent);
}

static void want(struct chat *chat, bool urgent)
{
    chat->wanted = true;
    chat_seek(chat, urgent);
    if (chat->tunnels == NULL) {
        chat->looking = true;
        chat->looking_until = UINT64_MAX;
        chat_set_state(chat, CHAT_CONNECTING, "asking for a tunnel");
    } else {
        chat->state = chat->state == CHAT_CLOSED_BY_PEER ? CHAT_NO_TUNNEL : chat->state;
        chat_tell(chat, asleep);
    }
}

/* A sealed route tells in each tunnel whether it wants it. */
static void tell_wish(struct chat *chat)
{
    struct chat_tunnel *tunnel;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        tunnel->owes_frame |= sealed_talks(tunnel);
    }
}

void chat_open(struct chat *chat, uint64_t now, int64_t wall)
{
    chat_clock(chat, now, wall);
    if (chat_is_final(chat) || chat->end != END_NOT)
        return;
    chat->closed = chat->farewell = false; /* whoever opens again does not leave */
    chat->serving = true;
    chat_hashes_update(chat);
    if (chat_best_tunnel(chat) != NULL) {
        if (!chat->wanted)
            tell_wish(chat);
        chat->wanted = true;
        chat_set_state(chat, CHAT_CAN_TALK, "the other side answers");
        chat_flush(chat);
    } else if (may_seek(chat)) {
        want(chat, true);
    } else { /* it can only wait, and looks when it is sealed */
        chat->wanted = true;
    }
    if (!may_seek(chat) && chat->state == CHAT_NO_TUNNEL) {
        chat->looking = false;
        chat_set_state(chat, CHAT_NO_TUNNEL, waiting_reason(chat));
        chat_tell(chat, waiting_reason(chat));
    }
}

void chat_sleep(struct chat *chat, uint64_t now)
{
    chat_clock(chat, now, chat->wall);
    if (!chat->wanted || chat->queue != NULL || chat_is_shut(chat))
        return;
    chat->wanted = false;
    if (!may_seek(chat))
        return;
    if (chat->protection == CHAT_SEALED || any_talks(chat)) {
        chat->stirred_until = now + CHAT_STIRRED_MS;
        tell_wish(chat);
        sealed_rest(chat);
        chat_flush(chat);
        return;
    }
    chat->asking = chat->looking = false;
    while (chat->tunnels != NULL) {
        chat_settle(chat, chat->tunnels->id, true);
        chat_drop_tunnel(chat, chat->tunnels);
    }
    chat_hashes_update(chat);
    if (chat->state != CHAT_CLOSED_BY_PEER)
        chat_set_state(chat, CHAT_NO_TUNNEL, asleep);
}

void chat_dug(struct chat *chat, uint32_t reached, uint64_t now)
{
    chat_clock(chat, now, chat->wall);
    if (!chat->looking || chat->tunnels != NULL)
        return;
    if (reached == 0) {
        chat_set_state(chat, CHAT_NO_TUNNEL, "no friend is connected who could look");
        return;
    }
    chat->looking_until = now + ANSWER_MS;
    chat_set_state(chat, CHAT_CONNECTING, "looking for a tunnel through the friends");
}

void chat_fail_queue(struct chat *chat, const char *reason)
{
    struct own_line *line, *next;
    DL_FOREACH_SAFE(chat->queue, line, next)
    {
        chat_put(chat,
                 &(struct chat_output){
                     .kind = CHAT_DELIVERY, .line = line->number, .delivery = CHAT_FAILED, .reason = reason});
        free(line);
    }
    chat->queue = NULL;
    chat->queue_lines = chat->queue_bytes = 0;
}

void chat_close(struct chat *chat, uint64_t now, int64_t wall)
{
    chat_clock(chat, now, wall);
    if (chat_is_shut(chat))
        return;
    if (chat->root == ROOT_STORED) {
        sealed_part(chat, closed_here);
        return;
    }
    if (chat->root == ROOT_STORING) {
        sealed_end(chat, CHAT_NO_TUNNEL, closed_here);
        return;
    }
    chat->closed = chat->farewell = true;
    chat->wanted = chat->looking = false;
    chat_fail_queue(chat, closed_here);
    chat_set_state(chat, CHAT_NO_TUNNEL, closed_here);
    chat_flush(chat);
}

void chat_expire(struct chat *chat, enum chat_state state, const char *reason)
{
    if (chat_is_final(chat) || (state != CHAT_REFUSED && state != CHAT_EXPIRED))
        return;
    if (chat->root != ROOT_NONE) {
        sealed_end(chat, state, reason);
        return;
    }
    chat->closed = chat->farewell = chat->wanted = chat->looking = false;
    chat_fail_queue(chat, reason);
    chat_drop_tunnels(chat);
    chat_set_state(chat, state, reason);
    chat_stop(chat);
}

/* What the person says and shows. */

static bool may_say(const struct chat *chat, struct bytes text, uint64_t number, struct error **error)
{
    if (chat_is_final(chat))
        return error_set(error, ERROR_EXPIRED, "this conversation has ended: %s", chat->reason);
    if (chat->closed)
        return error_set(error, ERROR_UNAVAILABLE, "this conversation is closed: open it first");
    if (chat->end != END_NOT)
        return error_set(error, ERROR_EXPIRED, "this conversation has ended: %s; make a new invite",
                         chat->reason);
    if (text.size == 0 || memchr(text.data, 0, text.size) != NULL || !utf8_valid(text))
        return error_set(error, ERROR_INVALID, "the line is empty or not UTF-8 text");
    if (text.size > CHAT_LINE_LIMIT)
        return error_set(error, ERROR_LIMIT, "the line has %zu bytes, the limit is %d", text.size,
                         CHAT_LINE_LIMIT);
    if (number == 0 &&
        (chat->queue_lines >= CHAT_QUEUE_LINES || text.size > CHAT_QUEUE_BYTES - chat->queue_bytes))
        return error_set(error, ERROR_LIMIT,
                         "%zu lines wait for the other side; no more are taken until it is there",
                         chat->queue_lines);
    return true;
}

static struct own_line *own_line_new(uint64_t number, struct bytes text)
{
    struct own_line *line = malloc(sizeof *line + text.size);
    if (line == NULL)
        return NULL;
    *line = (struct own_line){.number = number, .size = text.size};
    memcpy(line->text, text.data, text.size);
    return line;
}

bool chat_say(struct chat *chat, uint64_t line_id, uint64_t number, struct bytes text, uint64_t now,
              int64_t wall, struct error **error)
{
    chat_clock(chat, now, wall);
    if (!may_say(chat, text, number, error))
        return false;
    if (number != 0)
        return sealed_say(chat, line_id, number, text) || error_set(error, ERROR_INTERNAL, "out of memory");
    /* So long a text full of tags would not be taken back together: its tags go out as they are. */
    struct buffer marked = buffer_make(CHAT_REASSEMBLY_LIMIT / 2);
    struct own_line *line =
        own_line_new(line_id, chat_text_mark(&marked, text) ? buffer_view(&marked) : text);
    buffer_free(&marked);
    if (line == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    bool first = chat->queue == NULL;
    DL_APPEND(chat->queue, line);
    chat->queue_lines++;
    chat->queue_bytes += line->size;
    /* The request is repeated by the router; raising its urgency for each line would defeat its back-off. */
    if (may_seek(chat) && chat_best_tunnel(chat) == NULL && !sealed_holds(chat) && (first || !chat->asking))
        want(chat, false);
    chat_flush(chat);
    return true;
}

bool chat_withdraw(struct chat *chat, uint64_t number)
{
    struct own_line *line;
    DL_FOREACH(chat->queue, line)
    {
        if (line->number != number)
            continue;
        DL_DELETE(chat->queue, line);
        chat->queue_lines--;
        chat->queue_bytes -= line->size;
        free(line);
        return true;
    }
    return false;
}

static bool replace(struct buffer *buffer, struct bytes bytes)
{
    struct buffer copy = buffer_make(buffer->ceiling);
    if (!buffer_append_bytes(&copy, bytes)) {
        buffer_free(&copy);
        return false;
    }
    buffer_free(buffer);
    *buffer = copy;
    return true;
}

bool chat_set_avatar(struct chat *chat, struct bytes image, struct error **error)
{
    if (image.size > CHAT_AVATAR_LIMIT)
        return error_set(error, ERROR_LIMIT, "the image has %zu bytes, the limit is %d", image.size,
                         CHAT_AVATAR_LIMIT);
    if (image.size > 0 && !chat_image_is_known(image))
        return error_set(error, ERROR_INVALID, "the image is neither PNG nor JPEG");
    chat->announces_avatar |= !bytes_equal(image, chat->avatar);
    chat->avatar = image;
    return true;
}

bool chat_set_state_text(struct chat *chat, struct bytes text)
{
    if (!utf8_valid(text))
        return false;
    if (bytes_equal(text, buffer_view(&chat->state_text)))
        return true;
    if (!replace(&chat->state_text, text))
        return false;
    chat->announces_state_text = true;
    return true;
}

void chat_request_avatar(struct chat *chat, uint64_t now, int64_t wall)
{
    chat_clock(chat, now, wall);
    chat->owes_avatar_request = true;
    chat_flush(chat);
}

/* Time. */

/* A search that found nothing lasting begins again. */
static void search_again(struct chat *chat)
{
    if (chat->now < chat->search_at)
        return;
    chat->search_at = UINT64_MAX;
    if (chat_wants(chat) && chat_best_tunnel(chat) == NULL)
        chat_seek(chat, false);
}

void chat_tick(struct chat *chat, uint64_t now, int64_t wall)
{
    chat_clock(chat, now, wall);
    chat_drop_silent(chat);
    chat_drop_unfinished(chat);
    chat_ask_again(chat);
    sealed_handshakes_tick(chat);
    sealed_root_tick(chat);
    sealed_lines_tick(chat);
    chat_hashes_update(chat);
    search_again(chat);
    struct chat_tunnel *tunnel;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        if (now < tunnel->keep_alive_at)
            continue;
        tunnel->owes_keep_alive = true;
        tunnel->keep_alive_at = UINT64_MAX; /* armed again by what is sent */
    }
    if (chat->looking && now >= chat->looking_until) {
        chat->looking = false;
        chat_set_state(chat, CHAT_NO_TUNNEL, no_answer);
    }
    if (now >= chat->stirred_until && chat->stirred_until != 0) {
        chat->stirred_until = 0;
        sealed_rest(chat);
    }
    chat_flush(chat);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t chat_deadline(const struct chat *chat)
{
    uint64_t deadline = chat->looking ? chat->looking_until : UINT64_MAX;
    const struct chat_tunnel *tunnel;
    if (chat->salt_asked != 0)
        deadline = earlier(deadline, chat->salt_again_at);
    deadline = earlier(deadline, chat_hashes_deadline(chat));
    deadline = earlier(deadline, sealed_root_deadline(chat));
    deadline = earlier(deadline, earlier(chat->search_at, chat->due_at));
    if (chat->stirred_until != 0)
        deadline = earlier(deadline, chat->stirred_until);
    if (chat->sender != NULL && chat->protection == CHAT_SEALED && chat_best_tunnel(chat) != NULL)
        deadline = earlier(deadline, line_sender_deadline(chat->sender));
    DL_FOREACH(chat->tunnels, tunnel)
    {
        deadline = earlier(deadline, chat_silent_at(chat, tunnel));
        deadline = earlier(deadline, tunnel->keep_alive_at);
        deadline = earlier(deadline, sealed_handshake_deadline(tunnel));
        deadline = earlier(deadline, sealed_end_deadline(chat, tunnel));
        if (tunnel->unfinished.until != 0)
            deadline = earlier(deadline, tunnel->unfinished.until);
    }
    return deadline;
}
