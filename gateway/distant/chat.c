/* SPDX-License-Identifier: ISC */
#include "distant/chat_internal.h"
#include "distant/plain.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "wire/utf8.h"

enum { ANSWER_MS = 40000 /* a request that is answered at all is answered by then */ };

static const char no_answer[] = "nobody has answered; asking again from time to time";
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
    if (chat->options.role == CHAT_GUEST)
        return "not looked for now";
    return chat->options.ever_confirmed ? "waiting for the other side to come back"
                                        : "waiting for the other side to use the invite";
}

/* Asks for the hash of the invite, or answers for it. */
static void put_hash(struct chat *chat, enum chat_output_kind kind, bool urgent)
{
    struct chat_output out = {.kind = kind, .urgent = urgent};
    memcpy(out.hash, chat->options.hash, sizeof out.hash);
    chat_put(chat, &out);
}

static void serve(struct chat *chat)
{
    if (chat->options.role != CHAT_INVITER || chat->served)
        return;
    chat->served = true;
    put_hash(chat, CHAT_SERVE, false);
}

void chat_stop(struct chat *chat)
{
    put_hash(chat, chat->options.role == CHAT_INVITER ? CHAT_UNSERVE : CHAT_STOP, false);
    chat->served = false;
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
    chat->avatar = buffer_make(CHAT_AVATAR_LIMIT);
    chat->state_text = buffer_make(CHAT_STATE_TEXT_LIMIT);
    chat->announces_state_text = true;
    chat->reason = waiting_reason(chat);
    salts_init(&chat->salts, tools->random);
    chat_clock(chat, now, wall);
    serve(chat);
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
    buffer_free(&chat->avatar);
    buffer_free(&chat->state_text);
    chat_outputs_drop(&chat->outputs);
    free(chat->taken);
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

void chat_set_state(struct chat *chat, enum chat_state state, const char *reason)
{
    if (chat->state == state && strcmp(chat->reason, reason) == 0)
        return;
    chat->state = state;
    chat->reason = reason;
    chat_put(chat, &(struct chat_output){.kind = CHAT_STATE_CHANGED, .state = state, .reason = reason});
}

enum chat_state chat_state(const struct chat *chat, const char **reason)
{
    if (reason != NULL)
        *reason = chat->reason;
    return chat->state;
}

enum chat_protection chat_protection(const struct chat *chat)
{
    return chat->options.ever_confirmed || chat->options.sealing == CHAT_SEALING_NEVER ? CHAT_CLASSIC
                                                                                       : CHAT_UNPROTECTED;
}

size_t chat_queued(const struct chat *chat)
{
    return chat->queue_lines;
}

size_t chat_tunnels(const struct chat *chat)
{
    return chat->tunnel_count;
}

/* Tunnels. */

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
    free(tunnel);
}

void chat_drop_tunnels(struct chat *chat)
{
    while (chat->tunnels != NULL)
        chat_drop_tunnel(chat, chat->tunnels);
}

void chat_settle(struct chat *chat, uint64_t tunnel, bool lost)
{
    struct own_line *line, *next;
    DL_FOREACH_SAFE(chat->handed, line, next)
    {
        if (line->tunnel != tunnel)
            continue;
        if (lost && chat->now - line->handed_at <= CHAT_DOUBT_MS)
            chat_put(chat, &(struct chat_output){.kind = CHAT_DELIVERY,
                                                 .tunnel = tunnel,
                                                 .line = line->number,
                                                 .delivery = CHAT_NOT_CONFIRMED,
                                                 .reason = "the tunnel was lost right after"});
        DL_DELETE(chat->handed, line);
        chat->handed_count--;
        free(line);
    }
}

static void give_up(struct chat *chat, struct chat_tunnel *tunnel)
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

static struct chat_tunnel *add_tunnel(struct chat *chat, uint64_t id)
{
    struct chat_tunnel *tunnel = calloc(1, sizeof *tunnel);
    if (tunnel == NULL)
        return NULL;
    if (chat->tunnel_count == CHAT_TUNNELS_LIMIT)
        give_up(chat, least_useful(chat));
    tunnel->id = id;
    DL_APPEND(chat->tunnels, tunnel);
    chat->tunnel_count++;
    return tunnel;
}

void chat_tunnel_up(struct chat *chat, uint64_t id, const uint8_t hash[20], bool opener, uint64_t now,
                    int64_t wall)
{
    (void)hash;
    (void)opener;
    chat_clock(chat, now, wall);
    struct chat_tunnel *tunnel = NULL;
    if (!chat->closed && !chat_is_final(chat)) {
        tunnel = chat_find_tunnel(chat, id);
        if (tunnel == NULL)
            tunnel = add_tunnel(chat, id);
    }
    if (tunnel == NULL) {
        chat_put(chat, &(struct chat_output){.kind = CHAT_CLOSE_TUNNEL, .tunnel = id});
        return;
    }
    tunnel->owes_acknowledgement = true;
    tunnel->heard_at = now;
    chat_arm_keep_alive(chat, tunnel);
    /* Anybody who knows the hash can make a tunnel: only a valid packet undoes a closing. */
    if (chat->state == CHAT_NO_TUNNEL || chat->state == CHAT_CONNECTING) {
        chat->looking = false;
        chat_set_state(chat, CHAT_CONNECTING, tunnel_there);
    }
    chat_flush(chat);
}

/* Tells the state after a tunnel has gone. */
static void tell_loss(struct chat *chat, const char *reason)
{
    if ((chat->state != CHAT_CAN_TALK && chat->state != CHAT_CONNECTING) || chat_best_tunnel(chat) != NULL)
        return;
    if (chat->tunnels != NULL) {
        chat_set_state(chat, CHAT_CONNECTING, "the tunnel was lost; another one is being tried");
        return;
    }
    chat->looking = chat->wanted;
    chat->looking_until = UINT64_MAX;
    chat_set_state(chat, CHAT_NO_TUNNEL, reason != NULL ? reason : "the tunnel was lost");
    if (chat->wanted && chat->queue != NULL)
        put_hash(chat, CHAT_WANT, false);
}

void chat_tunnel_down(struct chat *chat, uint64_t id, const char *reason, uint64_t now, int64_t wall)
{
    chat_clock(chat, now, wall);
    struct chat_tunnel *tunnel = chat_find_tunnel(chat, id);
    if (tunnel == NULL)
        return;
    chat_settle(chat, id, true);
    chat_drop_tunnel(chat, tunnel);
    tell_loss(chat, reason);
    chat_flush(chat);
}

/* Opening and ending. */

static void want(struct chat *chat, bool urgent)
{
    chat->wanted = true;
    put_hash(chat, CHAT_WANT, urgent);
    if (chat->tunnels == NULL) {
        chat->looking = true;
        chat->looking_until = UINT64_MAX;
    }
    chat_set_state(chat, CHAT_CONNECTING, chat->tunnels != NULL ? tunnel_there : "asking for a tunnel");
}

void chat_open(struct chat *chat, uint64_t now, int64_t wall)
{
    chat_clock(chat, now, wall);
    if (chat_is_final(chat))
        return;
    chat->closed = chat->farewell = false; /* whoever opens again does not leave */
    serve(chat);
    if (chat_best_tunnel(chat) != NULL) {
        chat->wanted = chat->options.role == CHAT_GUEST;
        chat_set_state(chat, CHAT_CAN_TALK, "the other side answers");
        chat_flush(chat);
    } else if (chat->options.role == CHAT_GUEST) {
        want(chat, true);
    } else if (chat->state == CHAT_NO_TUNNEL) { /* an inviter can only wait */
        if (chat->tunnels != NULL)
            chat_set_state(chat, CHAT_CONNECTING, tunnel_there);
        else
            chat_set_state(chat, CHAT_NO_TUNNEL, waiting_reason(chat));
    }
}

void chat_sleep(struct chat *chat, uint64_t now)
{
    chat_clock(chat, now, chat->wall);
    if (chat->options.role != CHAT_GUEST || !chat->wanted || chat->queue != NULL || chat->closed)
        return;
    chat->wanted = chat->looking = false;
    while (chat->tunnels != NULL) {
        chat_settle(chat, chat->tunnels->id, true);
        chat_drop_tunnel(chat, chat->tunnels);
    }
    chat_stop(chat);
    if (chat->state != CHAT_CLOSED_BY_PEER)
        chat_set_state(chat, CHAT_NO_TUNNEL, "asleep until somebody opens it");
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

static void fail_queue(struct chat *chat, const char *reason)
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
    static const char reason[] = "closed here";
    chat_clock(chat, now, wall);
    if (chat->closed || chat_is_final(chat))
        return;
    chat->closed = chat->farewell = true;
    chat->wanted = chat->looking = false;
    fail_queue(chat, reason);
    chat_set_state(chat, CHAT_NO_TUNNEL, reason);
    chat_flush(chat);
}

void chat_expire(struct chat *chat, enum chat_state state, const char *reason)
{
    if (chat_is_final(chat) || (state != CHAT_REFUSED && state != CHAT_EXPIRED))
        return;
    chat->closed = chat->farewell = chat->wanted = chat->looking = false;
    fail_queue(chat, reason);
    chat_drop_tunnels(chat);
    chat_set_state(chat, state, reason);
    chat_stop(chat);
}

/* What the person says and shows. */

static bool may_say(const struct chat *chat, struct bytes text, struct error **error)
{
    if (chat_is_final(chat))
        return error_set(error, ERROR_EXPIRED, "this conversation has ended: %s", chat->reason);
    if (chat->closed)
        return error_set(error, ERROR_UNAVAILABLE, "this conversation is closed: open it first");
    if (text.size == 0 || memchr(text.data, 0, text.size) != NULL || !utf8_valid(text))
        return error_set(error, ERROR_INVALID, "the line is empty or not UTF-8 text");
    if (text.size > CHAT_LINE_LIMIT)
        return error_set(error, ERROR_LIMIT, "the line has %zu bytes, the limit is %d", text.size,
                         CHAT_LINE_LIMIT);
    if (chat->queue_lines >= CHAT_QUEUE_LINES || text.size > CHAT_QUEUE_BYTES - chat->queue_bytes)
        return error_set(error, ERROR_LIMIT,
                         "%zu lines wait for the other side; no more are taken until it is there",
                         chat->queue_lines);
    return true;
}

uint64_t chat_number(struct chat *chat, size_t size)
{
    (void)chat;
    (void)size;
    return 0;
}

void chat_void(struct chat *chat, uint64_t number, uint64_t now, int64_t wall)
{
    (void)number;
    chat_clock(chat, now, wall);
}

size_t chat_room(const struct chat *chat, size_t size)
{
    size_t lines = CHAT_QUEUE_LINES - chat->queue_lines;
    size_t fit = size == 0 ? lines : (CHAT_QUEUE_BYTES - chat->queue_bytes) / size;
    return fit < lines ? fit : lines;
}

bool chat_say(struct chat *chat, uint64_t line_id, uint64_t number, struct bytes text, uint64_t now,
              int64_t wall, struct error **error)
{
    (void)number;
    chat_clock(chat, now, wall);
    if (!may_say(chat, text, error))
        return false;
    /* So long a text full of tags would not be taken back together: its tags go out as they are. */
    struct buffer marked = buffer_make(CHAT_REASSEMBLY_LIMIT / 2);
    if (chat_text_mark(&marked, text))
        text = buffer_view(&marked);
    struct own_line *line = malloc(sizeof *line + text.size);
    if (line != NULL) {
        *line = (struct own_line){.number = line_id, .size = text.size};
        memcpy(line->text, text.data, text.size);
    }
    buffer_free(&marked);
    if (line == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    bool first = chat->queue == NULL;
    DL_APPEND(chat->queue, line);
    chat->queue_lines++;
    chat->queue_bytes += line->size;
    /* The request is repeated by the router; raising its urgency for each line would defeat its back-off. */
    if (chat->options.role == CHAT_GUEST && chat_best_tunnel(chat) == NULL && (first || !chat->wanted))
        want(chat, false);
    chat_flush(chat);
    return true;
}

bool chat_resume(struct chat *chat, uint64_t line, uint64_t number, int64_t time, struct bytes text)
{
    (void)chat;
    (void)line;
    (void)number;
    (void)time;
    (void)text;
    return false;
}

void chat_root_stored(struct chat *chat, uint64_t now, int64_t wall)
{
    chat_clock(chat, now, wall);
}

void chat_line_stored(struct chat *chat, uint64_t number, uint64_t now, int64_t wall)
{
    (void)number;
    chat_clock(chat, now, wall);
}

void chat_line_failed(struct chat *chat, uint64_t number, uint64_t now, int64_t wall)
{
    (void)number;
    chat_clock(chat, now, wall);
}

void chat_leave(struct chat *chat, uint64_t now, int64_t wall)
{
    chat_clock(chat, now, wall);
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
    if (bytes_equal(image, buffer_view(&chat->avatar)))
        return true;
    if (!replace(&chat->avatar, image))
        return error_set(error, ERROR_INTERNAL, "out of memory");
    chat->announces_avatar = true;
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

/* When a tunnel that we keep alive has been silent for too long; UINT64_MAX: it may be. A peer whose
 * keep-alives were seen is not silent while it is there. One that sends none may be, in its best tunnel: then
 * nothing can be told. */
static uint64_t silent_at(const struct chat *chat, const struct chat_tunnel *tunnel)
{
    if (tunnel->keep_alive_at == UINT64_MAX ||
        (tunnel->heard != 0 && !chat->peer_keeps_alive && tunnel == chat_best_tunnel(chat)))
        return UINT64_MAX;
    return tunnel->heard_at + CHAT_SILENCE_MS;
}

static void drop_silent(struct chat *chat)
{
    struct chat_tunnel *tunnel, *next;
    bool dropped = false;
    DL_FOREACH_SAFE(chat->tunnels, tunnel, next)
    {
        if (silent_at(chat, tunnel) > chat->now)
            continue;
        give_up(chat, tunnel);
        dropped = true;
    }
    if (dropped)
        tell_loss(chat, "the other side went silent");
}

void chat_tick(struct chat *chat, uint64_t now, int64_t wall)
{
    chat_clock(chat, now, wall);
    drop_silent(chat);
    chat_drop_unfinished(chat);
    chat_ask_again(chat);
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
    chat_flush(chat);
}

uint64_t chat_deadline(const struct chat *chat)
{
    uint64_t deadline = chat->looking ? chat->looking_until : UINT64_MAX;
    struct chat_tunnel *tunnel;
    if (chat->salt_asked != 0 && chat->salt_again_at < deadline)
        deadline = chat->salt_again_at;
    DL_FOREACH(chat->tunnels, tunnel)
    {
        uint64_t silent = silent_at(chat, tunnel);
        if (silent < deadline)
            deadline = silent;
        if (tunnel->keep_alive_at < deadline)
            deadline = tunnel->keep_alive_at;
        if (tunnel->unfinished.until != 0 && tunnel->unfinished.until < deadline)
            deadline = tunnel->unfinished.until;
    }
    return deadline;
}
