/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_DISTANT_CHAT_INTERNAL_H
#define RETROGATE_DISTANT_CHAT_INTERNAL_H

#include "distant/chat.h"
#include "distant/line_receiver.h"
#include "distant/line_sender.h"
#include "distant/salts.h"
#include "distant/sealed_tunnel.h"
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
    uint8_t hash[SEALED_HASH_SIZE]; /* by which it was found */
    bool opener;                    /* we asked for it */
    enum sealed_mode mode;
    uint64_t up_at;
    uint64_t heard;    /* rank of its latest valid packet; 0: not confirmed */
    uint64_t heard_at; /* when that was, or when the tunnel was announced; monotonic ms */
    bool told;         /* CHAT_CONFIRMED was put out */
    bool owes_acknowledgement;
    bool owes_keep_alive;
    uint64_t keep_alive_at; /* UINT64_MAX: none */
    struct unfinished unfinished;

    struct sealed_tunnel seal;
    uint64_t announce_at, ask_at; /* UINT64_MAX: not again by itself */
    unsigned announced, asked;    /* times */
    uint64_t met_at;              /* of the latest handshake on a route that is not sealed; 0: none */
    uint64_t answered_at;         /* of the latest repeated announcement */
    uint64_t handshakes;          /* limit */
    bool claimed;                 /* inviter, offer mode: the guest has shown its claim */
    bool owes_frame;
    bool peer_wants;
    uint64_t close_at; /* parting: when *closed* is said again */
    unsigned closed;   /* times that it was said */
    struct chat_tunnel *prev, *next;
};

/* Queued with its text, then handed over without. */
struct own_line {
    uint64_t number;
    uint64_t tunnel, handed_at;
    bool settled; /* something came through the tunnel afterwards */
    bool told;    /* queued in a sealed chat: to be said again with a number */
    struct own_line *prev, *next;
    size_t size;
    uint8_t text[];
};

/* A hash that the router was told of. */
struct chat_hash {
    uint8_t hash[SEALED_HASH_SIZE];
    bool sought; /* else served */
    bool offer;  /* the invite's */
    bool needed;
    uint64_t retired_at; /* not needed since; 0: it is */
};
enum { CHAT_HASHES = 8 };

enum {
    CHAT_STIRRED_MS = 60000,
    CHAT_AVATAR_MS = 60000, /* at most one avatar, and one request for one, in this time */
    CHAT_STATE_TEXT_MS = 10000,
};

enum chat_root { ROOT_NONE, ROOT_STORING, ROOT_STORED };

/* Of a sealed route (SEALED.md §10). */
enum chat_end {
    END_NOT,
    END_PARTING, /* closed here; the peer is to be told */
    END_STORING, /* closed by the peer; answered when that is stored */
    END_OVER,    /* its secrets are gone */
};

/* An announcement that was answered. */
struct met_announcement {
    uint64_t print, tunnel;
};

struct chat {
    struct chat_options options;
    struct chat_tools tools;
    uint64_t now;
    int64_t wall;

    enum chat_state state;
    const char *reason;
    enum chat_protection protection;
    bool serving;
    bool asking;  /* the router digs for us */
    bool wanted;  /* somebody looks, or lines wait */
    bool looking; /* CHAT_CONNECTING because of a request, until: */
    uint64_t looking_until;
    bool closed;   /* by the person */
    bool farewell; /* the closing status is still to be sent */
    enum chat_end end;

    bool peer_keeps_alive;       /* its keep-alives were seen: silence means that it is gone */
    struct chat_tunnel *tunnels; /* oldest first */
    size_t tunnel_count;
    uint64_t rank;

    struct chat_hash hashes[CHAT_HASHES];
    size_t hash_count;
    uint64_t day, day_until; /* of the rendezvous hashes; when it changes, monotonic ms */
    uint32_t day_offset;     /* seconds after midnight */
    uint64_t search_at;      /* searching pauses until then; UINT64_MAX: it does not */
    uint64_t stirred_until;  /* sealed: a line went or came not long ago; 0: it did not */
    uint64_t search_pause;

    struct own_line *queue;
    size_t queue_lines, queue_bytes;
    struct own_line *handed; /* oldest first */
    size_t handed_count;

    enum chat_root root;
    uint64_t root_again_at; /* CHAT_ROOT is put out again */
    uint64_t root_tell_at;  /* inviter: the record is sent again */
    unsigned root_told;
    struct line_sender *sender;     /* NULL: nothing is under way */
    struct line_receiver *receiver; /* likewise */
    uint64_t receiver_handed;       /* highest number given to the owner */
    uint64_t line_tunnel;           /* lines go through it; 0: none yet */
    unsigned repetitions;           /* of the timer, without anything acknowledged */
    bool behind;                    /* CHAT_BEHIND was put out */
    uint64_t due_at;                /* lines or acknowledgements that leave together */
    bool owes_ack;
    uint64_t ack_tunnel;
    uint64_t handshakes; /* limit */
    struct met_announcement *met;
    size_t met_count, met_room, met_next;

    uint64_t salt_used;     /* next counter to use */
    uint64_t salt_reserved; /* counters below it are stored */
    uint64_t salt_asked;    /* CHAT_SALTS was put out; 0: none outstanding */
    uint64_t salt_again_at; /* when to ask again for the same */
    struct salts salts;

    struct bytes avatar;       /* own; the owner keeps it, because it is the same for all his chats */
    struct buffer state_text;  /* own */
    bool announces_avatar;     /* with the next line */
    bool announces_state_text; /* after the next line */
    bool owes_avatar, owes_state_text, owes_avatar_request, owes_state_request, owes_typing;
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
void chat_output_free(struct output *output); /* NULL is fine */
bool chat_put(struct chat *chat, const struct chat_output *value);

/* chat.c */
void chat_clock(struct chat *chat, uint64_t now, int64_t wall);
void chat_set_state(struct chat *chat, enum chat_state state, const char *reason);
void chat_set_protection(struct chat *chat, enum chat_protection protection);
/* Works the state out of what there is; `none`: the reason when there is no tunnel and none is looked for. */
void chat_tell(struct chat *chat, const char *none);
bool chat_is_final(const struct chat *chat); /* refused or expired */
bool chat_is_shut(const struct chat *chat);  /* ended, or closed until it is opened */
bool chat_is_deaf(const struct chat *chat);  /* and takes no packets */
/* Nothing of the classic wire leaves or is taken. */
bool chat_is_silent(const struct chat *chat);
bool chat_wants(const struct chat *chat);
bool chat_stays(const struct chat *chat); /* wants one, or lets one be for a while after a line */
/* Neither served nor sought; the tunnels are gone already. */
void chat_stop(struct chat *chat);
void chat_fail_queue(struct chat *chat, const char *reason);
/* Looks for tunnels, unless it does; urgent: again. */
void chat_seek(struct chat *chat, bool urgent);

/* chat_tunnels.c */
struct chat_tunnel *chat_find_tunnel(const struct chat *chat, uint64_t id);
struct chat_tunnel *chat_best_tunnel(const struct chat *chat); /* for lines; NULL: none is confirmed */
/* Forgets it and what it had begun. */
void chat_drop_tunnel(struct chat *chat, struct chat_tunnel *tunnel);
void chat_drop_tunnels(struct chat *chat);
/* Drops it at the router too. */
void chat_give_up(struct chat *chat, struct chat_tunnel *tunnel);
/* Tells the state after tunnels have gone, and looks for others when they are wanted. */
void chat_tell_loss(struct chat *chat, const char *reason);
/* Forgets the lines handed to a tunnel; `lost`: those of the last CHAT_DOUBT_MS become not confirmed. */
void chat_settle(struct chat *chat, uint64_t tunnel, bool lost);
void chat_drop_silent(struct chat *chat);
uint64_t chat_silent_at(const struct chat *chat, const struct chat_tunnel *tunnel);
void chat_arm_keep_alive(struct chat *chat, struct chat_tunnel *tunnel);

/* It is left: a search that ended so soon was fruitless, and searching pauses (SEALED.md §9). */
void chat_pause_search(struct chat *chat, const struct chat_tunnel *tunnel);
/* The route moves up: what was handed to the classic wire a short while ago is not confirmed. */
void chat_settle_moved(struct chat *chat);
void chat_trim_handed(struct chat *chat);

/* chat_hashes.c: the hashes that the router knows are made those that are needed now. */
void chat_hashes_update(struct chat *chat);
void chat_hashes_seek(struct chat *chat, bool urgent); /* and those sought are asked for again */
/* The mode of a tunnel found by this hash; false: it is not one of ours. */
bool chat_hash_mode(const struct chat *chat, const uint8_t hash[SEALED_HASH_SIZE], bool opener,
                    enum sealed_mode *mode);
uint64_t chat_hashes_deadline(const struct chat *chat);

/* chat_send.c: sends what is owed and can be sent. */
void chat_flush(struct chat *chat);
/* One status item now; false when it has to wait (salts, memory). */
bool chat_send_status(struct chat *chat, struct chat_tunnel *tunnel, uint32_t flags, const char *text);
/* Asks again for salts that were not stored in time: a disk that was full may have room again. */
void chat_ask_again(struct chat *chat);
/* What is owed may be sent now and counts as sent. What comes too soon after the one before is dropped,
 * because the peer decides how often these are asked for. */
bool chat_due(const struct chat *chat, bool *owed, uint64_t after);

/* chat_receive.c */
void chat_unfinished_clear(struct unfinished *unfinished);
/* Drops what has waited too long for its rest. */
void chat_drop_unfinished(struct chat *chat);
void chat_refuse(struct chat *chat, struct chat_tunnel *tunnel, enum chat_refusal why);
bool chat_image_is_known(struct bytes image); /* PNG or JPEG by its first bytes */
/* Tells once that the tunnel carried something valid. */
void chat_put_confirmed(struct chat *chat, struct chat_tunnel *tunnel);

/* sealed_handshake.c */
bool sealed_possible(const struct chat *chat);       /* announcements may leave and are answered */
bool sealed_talks(const struct chat_tunnel *tunnel); /* frames of both sides have opened */
void sealed_begin(struct chat *chat, struct chat_tunnel *tunnel); /* a tunnel is there */
void sealed_take_announcement(struct chat *chat, struct chat_tunnel *tunnel, struct bytes text);
/* A packet of 72 bytes on a silent route. */
void sealed_take_packet(struct chat *chat, struct chat_tunnel *tunnel, struct bytes payload);
void sealed_handshakes_tick(struct chat *chat);
uint64_t sealed_handshake_deadline(const struct chat_tunnel *tunnel);
bool sealed_holds(const struct chat *chat); /* a handshake is under way: classic lines wait */

/* sealed_send.c */
/* A frame of these flags alone, besides what every frame tells. */
bool sealed_send(struct chat *chat, struct chat_tunnel *tunnel, uint16_t flags);
bool sealed_ask(struct chat *chat, struct chat_tunnel *tunnel);
void sealed_flush(struct chat *chat);
void sealed_leave(struct chat *chat, struct chat_tunnel *tunnel); /* says so and gives it up */
size_t sealed_talking(const struct chat *chat);                   /* tunnels */
/* Leaves what nobody wants, or is too many. */
void sealed_thin_out(struct chat *chat);
bool sealed_lines_start(struct chat *chat); /* makes sender and receiver; false without memory */
void sealed_lines_tick(struct chat *chat);
bool sealed_say(struct chat *chat, uint64_t line, uint64_t number, struct bytes text);
void sealed_rest(struct chat *chat); /* stops searching and leaves tunnels when nobody wants any */

/* sealed_receive.c. False: no frame of this tunnel. */
bool sealed_take_frame(struct chat *chat, struct chat_tunnel *tunnel, struct bytes payload);

void sealed_hand_lines(struct chat *chat); /* to the owner, in order */

/* sealed_text.c: what is shown of a foreign text, `text` itself or in `room`, whose ceiling it keeps to: no
 * control character but \n and \t, as on the classic wire. Nothing becomes empty. False without memory. */
bool sealed_show(struct bytes *shown, struct buffer *room, struct bytes text);

/* sealed_root.c */
void sealed_root_offer(struct chat *chat, struct chat_tunnel *tunnel, const uint8_t claim[SEALED_CLAIM_SIZE]);
void sealed_root_take(struct chat *chat, const uint8_t root[SEALED_ROOT_SIZE]);
void sealed_root_known(struct chat *chat); /* the guest has it */
void sealed_root_tick(struct chat *chat);
uint64_t sealed_root_deadline(const struct chat *chat);
void sealed_wipe_offer(struct chat *chat);

/* sealed_end.c */
/* At once: lines, hashes, secrets. */
void sealed_end(struct chat *chat, enum chat_state state, const char *reason);
void sealed_part(struct chat *chat, const char *reason);  /* the person closes */
void sealed_ended(struct chat *chat, const char *reason); /* the peer has closed */
/* The flags of a frame that came after the end had begun. */
void sealed_end_take(struct chat *chat, struct chat_tunnel *tunnel, uint16_t flags);
void sealed_end_flush(struct chat *chat);
uint64_t sealed_end_deadline(const struct chat *chat, const struct chat_tunnel *tunnel);

#endif
