/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_FRIEND_SET_H
#define RETROGATE_FRIEND_SET_H

#include "base/listener.h"
#include "base/map.h"
#include "base/stream.h"
#include "friend/attempts.h"
#include "friend/dial.h"
#include "friend/location.h"
#include "friend/own.h"
#include "friend/queue.h"
#include "friend/services.h"
#include "friend/slices.h"
#include "friend/socks.h"

/* Inside the room: the set of friends, its members and their links. friends.c holds the set, member.c which
 * link counts for a friend, dialler.c how links begin from our side, link.c one link, admit.c who it is. */

struct friends_timing {
    uint64_t connect_ms; /* TCP, proxy and TLS */
    uint64_t hidden_ms;  /* the same through the proxy */
    uint64_t check_ms;   /* the keyring's answer */
    uint64_t list_ms;    /* from TLS to the friend's service list */
    uint64_t tie_ms;     /* see member_take() */
};

enum link_stage {
    LINK_CONNECTING, /* TCP, TLS */
    LINK_PROXY,      /* SOCKS5 */
    LINK_CHECKING,   /* TLS is up, the certificate is judged; nothing is read */
    LINK_OPEN,
    LINK_ENDING, /* belongs to nobody any more; freed when the stream is gone */
};

struct link {
    uint32_t magic;
    enum link_stage stage;
    struct link *prev, *next; /* set->links */
    struct friends *set;
    struct member *member; /* NULL: not yet known who, or ended */
    struct stream *stream;
    struct listener *listener; /* incoming: counts the connection */
    struct sockaddr_storage peer;
    bool incoming;
    struct socks socks;
    struct buffer certificate; /* DER, while it may have to be verified */
    struct location location;
    uint64_t check;        /* keyring request; 0: none */
    struct buffer new_key; /* the friend's key, cleaned, until it is proven */
    bool key_refused;      /* one wrong key is enough for a link */
    uint64_t deadline_ms;  /* of the stage; 0: none */
    uint64_t tie_ms;       /* of a spare link: when member_decide() is due */
    bool leaving;          /* of a spare link: it is decided that it goes */
    uint64_t opened_ms;    /* TLS came up */
    uint64_t tick_us;      /* when the services want to be called */
    bool greeted;          /* our contact was sent */
    struct slices slices;
    struct services services;
    struct queue *queue; /* made when first needed */
};

struct member {
    UT_hash_handle hh; /* set->members, by record.location */
    struct friends *set;
    bool gone;                   /* removed; freed when no callback can hold it any more */
    struct member *next;         /* set->removed */
    struct friend_record record; /* its key block is a view of `key` */
    struct buffer key;
    struct link *current; /* open; what is sent goes here */
    struct link *spare;   /* open, heard only; may replace it: member_take() */
    uint32_t neighbour;   /* its number for the router; 0: no turtle items now */
    UT_hash_handle hh_neighbour;
    struct link *trying;   /* outgoing, not yet open */
    struct link *checking; /* its certificate or key is with the keyring: one at a time */
    uint8_t refused[32];   /* SHA-256 of the certificate whose signature was wrong last */
    struct dial dial;
    size_t target; /* next address of this round */
    bool resolving, resolved;
    size_t resolved_count;
    struct sockaddr_storage resolutions[8];
    struct friend_status status; /* state, reason, counters, names; the rest is filled when asked */
};

struct friends {
    uint32_t magic;
    uv_loop_t *loop;
    struct keyring *keyring;
    struct friends_events events;
    void *arg;
    struct friends_identity identity; /* views of `memory` and `location_name` */
    char location_name[128];
    struct buffer memory;
    struct services_self self;
    char *version, *dns;
    size_t queue_limit;
    struct dial_limits limits;
    struct friends_timing timing;
    bool has_proxy;
    struct sockaddr_storage proxy;
    SSL_CTX *tls;
    size_t door_count;
    struct friend_door {
        struct friends *set;
        struct listener *listener;
    } doors[8];
    struct own own;
    uv_timer_t timer;
    uint64_t wake_ms; /* when the timer fires; 0: not set */
    struct member *members;
    struct member *removed;
    struct member *next_member; /* of a running walk over the members */
    struct link *links;
    struct member *neighbours; /* by neighbour */
    uint32_t last_neighbour;
    struct attempts attempts;
    struct lookup *lookups; /* of names, under way */
    struct buffer scratch;
    union services_news news;
    bool closing, timer_closed;
    void (*closed)(void *arg);
    void *closed_arg;
};

enum {
    SET_MAGIC = 0x46534554,
    LINK_MAGIC = 0x464c4e4b,
    /* Handed to the stream at a time; what waits behind it can still be overtaken. */
    LINK_AHEAD = 64 * 1024,
    LINK_INPUT = 384 * 1024, /* one whole item and what the stream reads at once */
};

/* friends.c */
void set_wake(struct friends *set, uint64_t at_ms);
void set_finish(struct friends *set); /* frees it when it is closing and nothing is left */
struct member *set_find(const struct friends *set, const uint8_t location[16]);
bool set_has_key(const struct friends *set, const uint8_t pgp_id[8]);
void set_attempt(struct friends *set, const struct link *link, const char *reason);
void friends_set_timing(struct friends *friends, const struct friends_timing *timing);

/* link.c */
void link_accept(struct friends *set, struct listener *listener, int fd, const struct sockaddr_storage *peer);
/* NULL when it fails at once. `address` is the proxy's when `host` is given. */
struct link *link_dial(struct member *member, const struct sockaddr_storage *address, const char *host,
                       uint16_t port);
void link_open(struct link *link, bool limited);
void link_unlimit(struct link *link);
bool link_put(struct link *link, unsigned level, struct bytes items);
uint64_t link_tick(struct link *link, uint64_t now_us); /* milliseconds when to call again */
/* Takes the link from its friend and closes the stream: at once, or after sending what is queued. */
void link_end(struct link *link, const char *reason, bool gently);

/* admit.c */
void admit(struct link *link);
void admit_key(struct link *link, struct bytes block);
void admit_cancel(struct link *link);

/* member.c */
void member_take(struct member *member, struct link *link);
void member_lose(struct member *member, struct link *link, const char *reason);
void member_decide(struct member *member);
/* Tells what changed: to the router whether turtle items go through, to the owner the state. NULL keeps the
 * reason. */
void member_refresh(struct member *member, const char *reason);
void member_changed(struct member *member);
void member_contact(struct member *member, struct link *link, const struct contact_item *contact);

/* dialler.c */
uint64_t dialler_tick(struct member *member, uint64_t now_ms);
void dialler_next(struct member *member); /* the next address of the round */
void dialler_stop(struct member *member);
void dialler_close(struct friends *set); /* nobody waits for name lookups any more */
void dialler_ended(struct member *member, uint64_t lived_ms);

static inline bool link_is_up(const struct link *link)
{
    return link->stage == LINK_OPEN && link->services.listed && !link->services.limited;
}

#endif
