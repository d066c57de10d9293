/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_DISTANT_CHAT_H
#define RETROGATE_DISTANT_CHAT_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/source.h"
#include "crypto/classic.h"
#include "crypto/sealed.h"

/* The chat of one route: on the classic wire (protocol 03; 00 decisions 16, 18 to 20; remedies W-C1 to
 * W-C13), or sealed (SEALED.md; 00 decisions 21 to 26). Pure: the owner feeds tunnels, packets, commands and
 * time, and takes outputs as values after each call.
 *
 * Which wire. A route moves up from classic to sealed by itself, never down (SEALED.md §4). chat_protection()
 * tells; a change of it comes as CHAT_STATE_CHANGED. What is said below of classic holds while it is.
 *
 * Delivery of own lines, sealed. A line is handed over by chat_say() under a number that chat_number() gave
 * before its commit began; it is sent again until the peer has stored it, over tunnels and restarts.
 * - sent: it was handed over; not told. - delivered: the peer has stored it. - not confirmed: the route ended
 *   before.
 * - queued: it was said without a number, and the route became sealed: withdraw it, say it again with one.
 * What is said, and what is stored, at one time leaves together, at chat_deadline(): at once.
 *
 * Delivery of own lines, classic. There are no receipts (00 decision 18).
 * - queued: no tunnel is confirmed, that is, none has carried a packet that decrypted and decoded.
 *   Lines leave in the order of chat_say(), each exactly once.
 * - sent: its packets were handed to the confirmed tunnel that delivered the latest valid packet.
 * - not confirmed: that tunnel went down at most CHAT_DOUBT_MS after the line was handed to it, and no valid
 *   packet came through it in between. The line is never repeated: that is for the person.
 * - failed: the chat was closed, refused or expired while the line was queued.
 * Only the changes to sent, not confirmed and failed are told (CHAT_DELIVERY).
 *
 * Padding (W-C6). Own texts end in spaces up to a multiple of CHAT_PAD code points. Of a received text whose
 * length is such a multiple up to CHAT_PAD - 1 trailing spaces are taken off: nothing visible is lost, and a
 * line of spaces alone stays a line. Other texts are left as they came.
 *
 * Replay and reflection (W-C2, 00 decision 19). The salts of texts are remembered for the life of the route,
 * those of all other packets while they are among the latest thousands; our own are recognised by their
 * counter.
 *
 * What classic cannot give: a relay can withhold packets, and a part withheld shortens a text of several
 * parts without a sign, because parts have no numbers (protocol 03 §4.1). */
enum chat_role { CHAT_GUEST, CHAT_INVITER };

enum chat_state {
    CHAT_NO_TUNNEL,  /* `no tunnel` */
    CHAT_CONNECTING, /* a tunnel is there, or a request is out; nothing valid received yet */
    CHAT_CAN_TALK,
    CHAT_CLOSED_BY_PEER,
    CHAT_REFUSED,
    CHAT_EXPIRED,
};
const char *chat_state_word(enum chat_state state); /* "no tunnel", "connecting", "can talk", ... */

enum chat_protection { CHAT_UNPROTECTED /* nothing was decided yet */, CHAT_CLASSIC, CHAT_SEALED };

/* SEALED.md §4 */
enum chat_sealing {
    CHAT_SEALING_NEVER, /* the person allowed classic for an invite that says otherwise */
    CHAT_SEALING_MAY,   /* classic until the peer announces */
    CHAT_SEALING_MUST,  /* silent on the classic wire */
};

struct chat_options {
    enum chat_role role;
    enum chat_sealing sealing;
    bool sealed;               /* the root is stored; then sealing is MUST */
    bool settled;              /* and hash and key of the invite are wiped */
    bool parting;              /* sealed: closed by its person; only the peer is still to be told */
    uint8_t root[32];          /* S, when sealed */
    uint8_t claim[32];         /* inviter: N of the guest, when sealed and not settled */
    uint8_t context[32];       /* C of SEALED.md §3; zeros: unknown, stays classic; zeros when settled */
    uint8_t own[20], peer[20]; /* fingerprints of the account's and the contact's key */
    uint64_t number_assigned;  /* highest number of an own line */
    uint64_t number_acked;     /* all up to it are delivered */
    uint64_t number_stored;    /* highest number of a received line in the store */
    uint8_t hash[20];
    uint8_t key[16];
    uint8_t salt_key[16];  /* of our own salts; from the route */
    uint64_t salt_next;    /* first counter not reserved before: as read from the store */
    uint64_t salt_block;   /* counters reserved at a time; 0: 1000 */
    int64_t route_created; /* Unix seconds; texts older than this less a day are refused */
    int64_t not_before;    /* Unix seconds, our start: timed packets without a line from before are refused */
    bool send_typing;      /* 00 decision 20 */
    bool ever_confirmed;   /* the route was used before */
};

enum chat_output_kind {
    CHAT_SEND,          /* give `payload` to the router for `tunnel` */
    CHAT_STATE_CHANGED, /* `state`, `reason`; `salts`, if any, are stored, against the replay of a closing */
    CHAT_LINE,     /* `text`, `time`, and `salts` or `number`: all stored in one transaction, answered, when
                      there is a number, by chat_line_stored() or chat_line_failed(). A text without bytes is
                      a void: only the number is stored. `missing`: a note tells that so many were lost */
    CHAT_DELIVERY, /* own line `line` is now `delivery`; `reason` when not confirmed or failed */
    CHAT_TYPING,   /* the peer types */
    CHAT_PEER_AVATAR, /* `text` is the image we asked for (PNG or JPEG by magic, at most 32 767 bytes) */
    CHAT_STATE_TEXT,  /* `text`: the peer's state string, at most CHAT_STATE_TEXT_LIMIT bytes */
    CHAT_SERVE,       /* answer for `hash` */
    CHAT_UNSERVE,     /* answer for `hash` no more; its tunnels end */
    CHAT_WANT,        /* ask the router for tunnels to `hash`; `urgent`: a person waits, else lines wait */
    CHAT_STOP,        /* stop asking for `hash`; its tunnels end */
    CHAT_BEHIND,      /* our store is an old backup: own lines queued before the start may have been sent */
    CHAT_ROOT, /* `secret` (32; inviter: root, then claim, 64): store it as the route's root, and that it is
                  sealed; `settled`: and wipe hash and key of the invite in the same commit. Then
                  chat_root_stored() */
    CHAT_SETTLED,       /* wipe hash and key of the invite in the store; the offer has ended */
    CHAT_PARTED,        /* the route has ended and its secrets are wiped: forget it */
    CHAT_CLOSE_TUNNEL,  /* give `tunnel` up */
    CHAT_CONFIRMED,     /* `tunnel` carried its first valid packet (router_confirm); `first`: of the route */
    CHAT_SALTS,         /* store `salt_next` as reserved; packets wait for chat_salts_stored() */
    CHAT_REFUSED_PACKET /* a packet was refused; `reason` is one of chat_refusals */
};

enum chat_delivery { CHAT_QUEUED, CHAT_SENT, CHAT_NOT_CONFIRMED, CHAT_DELIVERED, CHAT_FAILED };

struct chat_output {
    enum chat_output_kind kind;
    uint64_t tunnel;
    struct bytes payload; /* views live until the next chat_next() */
    enum chat_state state;
    const char *reason; /* static text for a person */
    struct bytes text;  /* UTF-8 or image */
    struct bytes secret;
    uint8_t hash[20];
    uint64_t number; /* 0: classic */
    uint64_t missing;
    bool settled;
    int64_t time; /* Unix milliseconds, the sender's clock */
    const uint64_t *salts;
    size_t salt_count;
    uint64_t line;
    enum chat_delivery delivery;
    uint64_t salt_next;
    bool first;
    bool urgent;
};

enum {
    CHAT_QUEUE_LINES = 1000, /* own lines waiting per route; more are refused */
    CHAT_QUEUE_BYTES = 1024 * 1024,
    CHAT_LINE_LIMIT = 65536,        /* bytes of UTF-8 in one own line */
    CHAT_REASSEMBLY_LIMIT = 200000, /* code points of unfinished texts in all tunnels together, W-C9 */
    CHAT_PARTS_LIMIT = 64,          /* packets of one received text */
    CHAT_REASSEMBLY_MS = 60000,     /* an unfinished text is dropped this long after its latest part */
    CHAT_STATE_TEXT_LIMIT = 2048,   /* bytes, either side's */
    CHAT_TUNNELS_LIMIT = 16,        /* used at a time; the least useful one is given up for a newer */
    CHAT_SALTS_LIMIT = 1048576,     /* texts received under one key; then the route takes no more (W-C4) */
    CHAT_DOUBT_MS = 20000,
    CHAT_SILENCE_MS = 75000, /* three keep-alives missed: the tunnel is given up */
    CHAT_PAD = 64,           /* code points */
};

/* Why a received packet is refused. */
enum chat_refusal {
    CHAT_REFUSED_CLOSED,     /* the chat is closed, refused or expired */
    CHAT_REFUSED_TUNNEL,     /* came through a tunnel that is not of this chat */
    CHAT_REFUSED_SIZE,       /* not 8 + 16k bytes, or too many */
    CHAT_REFUSED_REFLECTED,  /* one of our own */
    CHAT_REFUSED_REPLAYED,   /* salt seen before */
    CHAT_REFUSED_KEY,        /* does not decrypt */
    CHAT_REFUSED_ITEM,       /* not exactly one well-formed item of the three subtypes */
    CHAT_REFUSED_EARLY,      /* text from before the route */
    CHAT_REFUSED_RESTART,    /* avatar request from before our restart */
    CHAT_REFUSED_FUTURE,     /* more than a day ahead */
    CHAT_REFUSED_FLAGS,      /* text for a lobby, or private and public at once */
    CHAT_REFUSED_LONG,       /* over CHAT_REASSEMBLY_LIMIT or CHAT_PARTS_LIMIT */
    CHAT_REFUSED_UNFINISHED, /* the rest of a text did not come in time */
    CHAT_REFUSED_UNASKED,    /* an avatar nobody asked for, or a second one */
    CHAT_REFUSED_IMAGE,      /* an avatar that is neither PNG nor JPEG */
    CHAT_REFUSED_STATE_TEXT, /* over CHAT_STATE_TEXT_LIMIT */
    CHAT_REFUSED_SALTS,      /* over CHAT_SALTS_LIMIT */
    CHAT_REFUSED_FRAME,      /* sealed: does not open, or came before */
    CHAT_REFUSED_CONTENT,    /* sealed: opens, but is malformed */
    CHAT_REFUSED_HANDSHAKE,  /* an announcement that is none, or too many */
    CHAT_REFUSED_DOWN,       /* a classic packet on a sealed route */
    CHAT_REFUSED_MEMORY,
    CHAT_REFUSALS,
};
extern const char *const chat_refusals[CHAT_REFUSALS];

/* What chats share; all of it outlives them. */
struct chat_tools {
    struct classic_cipher *classic;
    struct sealed_cipher *sealed;
    const struct random_source *random;
};

/* now: monotonic ms; wall: Unix seconds. NULL without memory. Options are copied; keys are wiped by
 * chat_free(). Put out are only the hashes to serve: the state is CHAT_NO_TUNNEL, chat_state() tells why. */
struct chat *chat_new(const struct chat_options *options, const struct chat_tools *tools, uint64_t now,
                      int64_t wall);
void chat_free(struct chat *chat); /* NULL is fine */
/* A salt of an earlier line, from the store, before the first packet. False without memory or beyond the
 * limit. */
bool chat_add_salt(struct chat *chat, uint64_t salt);
/* The store now holds the `salt_next` of a CHAT_SALTS: the packets that waited for it leave. When this does
 * not come, the same CHAT_SALTS is put out again every 30 s. */
void chat_salts_stored(struct chat *chat, uint64_t salt_next, uint64_t now, int64_t wall);

/* Sealed: an own line that was sent and is not delivered, from the store, in order, before the first tunnel.
 */
bool chat_resume(struct chat *chat, uint64_t line, uint64_t number, int64_t time, struct bytes text);
/* The root of CHAT_ROOT is stored. When this does not come, the same is put out again every 30 s. */
void chat_root_stored(struct chat *chat, uint64_t now, int64_t wall);
/* Sealed: CHAT_CLOSED_BY_PEER is stored. Now it is answered, and CHAT_PARTED follows. */
void chat_closing_stored(struct chat *chat, uint64_t now, int64_t wall);

/* A person opened it. Guest: want a tunnel now. Either role: a closed chat is open again (the owner of an
 * inviter's chat serves the hash again). Does nothing to a refused or expired one, nor to a sealed one that
 * either side has closed. */
void chat_open(struct chat *chat, uint64_t now, int64_t wall);
/* Nobody looks and nothing is queued. Classic guest: stop digging and let the tunnels go. Sealed, either
 * role: stop digging, and let the tunnels go that the peer does not want either (SEALED.md §9). Ignored while
 * lines are queued, and by a classic inviter, who costs nothing by waiting. */
void chat_sleep(struct chat *chat, uint64_t now);
/* The router announced a tunnel, perhaps one that is known: the acknowledgement is sent each time, and the
 * state of a confirmed tunnel does not change. hash: by which it was found; opener: we asked for it. */
void chat_tunnel_up(struct chat *chat, uint64_t tunnel, const uint8_t hash[20], bool opener, uint64_t now,
                    int64_t wall);
/* reason: static text; NULL: unknown. A tunnel that is not known is ignored. */
void chat_tunnel_down(struct chat *chat, uint64_t tunnel, const char *reason, uint64_t now, int64_t wall);
void chat_dug(struct chat *chat, uint32_t reached, uint64_t now); /* a request left to so many friends */
/* What became of the CHAT_LINE with this number. */
void chat_line_stored(struct chat *chat, uint64_t number, uint64_t now, int64_t wall);
void chat_line_failed(struct chat *chat, uint64_t number, uint64_t now, int64_t wall);
/* One payload of a tunnel; protocol 03 §2. What is refused is told as CHAT_REFUSED_PACKET; it is shown
 * nowhere and answered by nothing. Refused for its content alone (flags, length, avatar, state string), it
 * still shows that the other side is there. */
void chat_receive(struct chat *chat, uint64_t tunnel, struct bytes payload, uint64_t now, int64_t wall);

/* Sealed, while it can talk: the number of the line of `size` bytes whose commit as sent begins now; it is
 * stored with it, and the highest one with the route. Then, after the commit, chat_say() with it, or
 * chat_void() when the commit failed. 0: there is no room; keep the line queued until chat_room() says so.
 * Classic: always 0. */
uint64_t chat_number(struct chat *chat, size_t size);
void chat_void(struct chat *chat, uint64_t number, uint64_t now, int64_t wall);
/* How many more lines of `size` bytes may be said now. It grows with each CHAT_DELIVERY. */
size_t chat_room(const struct chat *chat, size_t size);

/* Queues an own line (copied) under the caller's number `line`. Sealed: it was committed as sent under
 * `number`, and is refused only without memory (say it again later) or when the chat is final. Classic: it is
 * sent when a confirmed tunnel is there, in order. Refuses what is empty, over CHAT_LINE_LIMIT, not UTF-8 or
 * holds a zero, a full queue, and a chat that is closed, refused or expired. */
bool chat_say(struct chat *chat, uint64_t line, uint64_t number, struct bytes text, uint64_t now,
              int64_t wall, struct error **error);
bool chat_withdraw(struct chat *chat, uint64_t line); /* only while queued; nothing is put out */
/* Dropped without a confirmed tunnel, when not allowed, and within 5 s of the one before. */
void chat_typing(struct chat *chat, uint64_t now, int64_t wall);
/* PNG or JPEG of at most 32 767 bytes; empty: none. A new one is announced with the next line. Not copied:
 * the bytes live until another is set or the chat is freed. */
bool chat_set_avatar(struct chat *chat, struct bytes image, struct error **error);
/* UTF-8 of at most CHAT_STATE_TEXT_LIMIT bytes, copied; leaves after the next line. */
bool chat_set_state_text(struct chat *chat, struct bytes text);
/* Asks as soon as a tunnel is confirmed, at most once a minute; an answer comes as CHAT_PEER_AVATAR. */
void chat_request_avatar(struct chat *chat, uint64_t now, int64_t wall);
/* The person closes: tells the peer (both roles, W-C12), then none is wanted or used. Queued lines fail. A
 * sealed route parts (SEALED.md §10): it answers for its hashes until the peer was told (CHAT_PARTED), over
 * restarts (options.parting), or until the owner forgets it. */
void chat_close(struct chat *chat, uint64_t now, int64_t wall);
/* Sealed: the gateway stops; the peer need not wait for silence. */
void chat_leave(struct chat *chat, uint64_t now, int64_t wall);
/* Final: CHAT_REFUSED or CHAT_EXPIRED with a static reason. Nothing is sent, queued lines fail. */
void chat_expire(struct chat *chat, enum chat_state state, const char *reason);

/* Does what is due: keep-alive, time-outs. chat_deadline() says when next (UINT64_MAX: never). */
void chat_tick(struct chat *chat, uint64_t now, int64_t wall);
uint64_t chat_deadline(const struct chat *chat);
/* Takes the next output; false when there is none. Take all after each call; calls made while an output is
 * being handled are fine, and leave its views alone. */
bool chat_next(struct chat *chat, struct chat_output *out);

/* *reason: static text; `reason` may be NULL. */
enum chat_state chat_state(const struct chat *chat, const char **reason);
enum chat_protection chat_protection(const struct chat *chat);
size_t chat_queued(const struct chat *chat);  /* own lines waiting; sealed: not acknowledged */
size_t chat_tunnels(const struct chat *chat); /* confirmed or not */

#endif
