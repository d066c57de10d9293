/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_DISTANT_CHAT_INTERNAL_H
#define RETROGATE_DISTANT_CHAT_INTERNAL_H

#include "distant/chat.h"
#include "distant/salts.h"
#include "wire/chat.h"

/* What the files of the chat share. Nothing is sent at once: events note what is owed, and chat_flush() sends
 * it when there are a tunnel and stored salts. So what waits is bounded by the fields below. */

struct output {
    struct chat_output value;
    struct output *prev, *next;
    uint64_t data[]; /* what the views of `value` point to */
};

struct output_queue {
    struct output *head;
    size_t count;
};

/* A text whose last part has not come. The original keeps one for each peer; here it is one for each tunnel,
 * because the parts of one text leave through one tunnel, and what a lost tunnel cut off must not begin the
 * next text. */
struct unfinished {
    struct buffer text; /* UTF-8 */
    size_t code_points;
    uint32_t flags; /* of all parts, or-ed */
    uint64_t until; /* monotonic ms; 0: nothing is unfinished */
    bool refused;   /* parts up to the last one are dropped */
    size_t salt_count;
    uint64_t salts[CHAT_PARTS_LIMIT];
};

struct chat_tunnel {
    uint64_t id;
    uint64_t heard;    /* rank of its latest valid packet; 0: not confirmed */
    uint64_t heard_at; /* when that was, or when the tunnel was announced; monotonic ms */
    bool told;         /* CHAT_CONFIRMED was put out */
    bool owes_acknowledgement;
    bool owes_keep_alive;
    uint64_t keep_alive_at; /* UINT64_MAX: none */
    struct unfinished unfinished;
    struct chat_tunnel *prev, *next;
};

/* Queued with its text, then handed over without. */
struct own_line {
    uint64_t number;
    uint64_t tunnel, handed_at;
    struct own_line *prev, *next;
    size_t size;
    uint8_t text[];
};

struct chat {
    struct chat_options options;
    struct chat_tools tools;
    uint64_t now;
    int64_t wall;

    enum chat_state state;
    const char *reason;
    bool served;  /* inviter: CHAT_SERVE was put out */
    bool wanted;  /* guest: the router digs for us */
    bool looking; /* CHAT_CONNECTING because of a request, until: */
    uint64_t looking_until;
    bool closed;   /* by the person */
    bool farewell; /* the closing status is still to be sent */

    bool peer_keeps_alive;       /* its keep-alives were seen: silence means that it is gone */
    struct chat_tunnel *tunnels; /* oldest first */
    size_t tunnel_count;
    uint64_t rank;

    struct own_line *queue;
    size_t queue_lines, queue_bytes;
    struct own_line *handed; /* at most CHAT_DOUBT_MS ago, oldest first */
    size_t handed_count;

    uint64_t salt_used;     /* next counter to use */
    uint64_t salt_reserved; /* counters below it are stored */
    uint64_t salt_asked;    /* CHAT_SALTS was put out; 0: none outstanding */
    uint64_t salt_again_at; /* when to ask again for the same */
    struct salts salts;

    struct buffer avatar, state_text; /* own */
    bool announces_avatar;            /* with the next line */
    bool announces_state_text;        /* after the next line */
    bool owes_avatar, owes_state_text, owes_avatar_request, owes_state_request;
    bool avatar_awaited;
    uint64_t typing_after, avatar_after, avatar_request_after, state_text_after,
        state_request_after; /* limits */

    struct output_queue outputs;
    struct output *taken; /* whose views the owner still reads */
};

/* Copies the value and what its views point to. False without memory or when the owner takes no outputs. */
bool chat_output_add(struct output_queue *queue, const struct chat_output *value);
void chat_outputs_move(struct output_queue *to, struct output_queue *from);
void chat_outputs_drop(struct output_queue *queue);

void chat_clock(struct chat *chat, uint64_t now, int64_t wall);
bool chat_put(struct chat *chat, const struct chat_output *value);
void chat_set_state(struct chat *chat, enum chat_state state, const char *reason);
void chat_stop(struct chat *chat); /* serving or asking */
bool chat_is_final(const struct chat *chat); /* refused or expired */

struct chat_tunnel *chat_find_tunnel(const struct chat *chat, uint64_t id);
/* Forgets it and what it had begun. */
void chat_drop_tunnel(struct chat *chat, struct chat_tunnel *tunnel);
void chat_drop_tunnels(struct chat *chat);
/* Forgets the lines handed to a tunnel; `lost`: those of the last CHAT_DOUBT_MS become not confirmed. */
void chat_settle(struct chat *chat, uint64_t tunnel, bool lost);

/* Sends what is owed and can be sent. */
void chat_flush(struct chat *chat);
/* One status item now; false when it has to wait (salts, memory). */
bool chat_send_status(struct chat *chat, struct chat_tunnel *tunnel, uint32_t flags, const char *text);
/* Asks again for salts that were not stored in time: a disk that was full may have room again. */
void chat_ask_again(struct chat *chat);
struct chat_tunnel *chat_best_tunnel(const struct chat *chat); /* NULL: none is confirmed */
void chat_arm_keep_alive(struct chat *chat, struct chat_tunnel *tunnel);

void chat_unfinished_clear(struct unfinished *unfinished);
/* Drops what has waited too long for its rest. */
void chat_drop_unfinished(struct chat *chat);
void chat_refuse(struct chat *chat, struct chat_tunnel *tunnel, enum chat_refusal why);

bool chat_image_is_known(struct bytes image); /* PNG or JPEG by its first bytes */

#endif
