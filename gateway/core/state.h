/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_STATE_H
#define RETROGATE_CORE_STATE_H

#include <openssl/crypto.h>

#include "base/buffer.h"
#include "base/map.h"
#include "core/core.h"
#include "core/hashes.h"
#include "core/throttle.h"
#include "crypto/classic.h"
#include "crypto/openpgp.h"
#include "crypto/vault.h"
#include "distant/chat.h"
#include "store/store.h"
#include "tunnel/timers.h"
#include "wire/chat.h"

/* The core's memory: everything but the lines. It changes only after the commit of what it says (see
 * write.h). */

enum { HANDLE_SIZE = 25, NAME_SIZE = 128, RING_SIZE = 512, CHANGE_BLOCK = 1000, KEYS_SIZE = 96 };

struct invite {
    int64_t id;
    struct account *account;
    struct contact *contact;
    bool own;
    struct buffer link_wrapped; /* under the account key; empty once the offer has ended */
    int64_t expires;
    int64_t uses_left;
    char state[12];
    bool sealed, sealed_only;
    bool ending; /* its end is being stored */
    int64_t created, change;
    UT_hash_handle hh;
};

struct route {
    int64_t id;
    struct conversation *conversation;
    enum chat_role role;
    int64_t invite;
    enum chat_sealing sealing;
    bool sealed;             /* the root is in keys_wrapped */
    bool settled;            /* hash and key of the invite are wiped */
    uint8_t hash[20];        /* of the invite */
    uint8_t context[32];     /* C of SEALED.md §3 */
    uint8_t keys[KEYS_SIZE]; /* see vault.h: only while they are wrapped or a chat is made */
    struct buffer keys_wrapped;
    uint64_t salt_next;
    uint64_t number_out, number_in; /* the highest numbers of own and received lines in the store */
    uint64_t number_delivered;      /* of an own line that was delivered at the start */
    bool confirmed, closed_by_peer;
    int64_t parting; /* sealed: Unix ms when its person closed it; 0: not closed */
    int64_t created, last_used;
    struct chat *chat;  /* NULL while the vault is locked, or the route has ended or is over */
    struct hash_owner owner;
    bool wanted, ended;
    bool by_person; /* opened just now, and not yet sought */
    bool unsettled; /* settled, but not yet on disk */
    bool parted;    /* the chat has nothing left to do */
    unsigned pins;  /* commits under way that will speak of it */
    uint64_t *salts;
    size_t salt_count, salt_room; /* loaded, until the chat exists */
    struct queued_line *unsaid;   /* stored as sent under a number, and not yet taken by the chat */
    struct voids *voids;          /* numbers of lines that could not be stored */
    struct queued_line *inbox;    /* received under numbers, and not yet given to the store */
    bool storing;                 /* those before are */
    uint64_t post_day;            /* of which the hashes of posts are served; 0: none */
    struct owned_hash *post_hashes[3];
    struct route *prev, *next; /* in the conversation, newest last */
};

/* A line on its way: an own one, which is stored, or a received one, which is not yet. */
struct queued_line {
    int64_t seq;      /* own */
    uint64_t number;  /* sealed; of an own one since it is being marked as sent */
    int64_t route;    /* where it has the number; 0: none */
    uint64_t missing; /* received: so many before it are lost */
    int64_t time;
    bool loaded; /* it was there when the gateway started */
    struct buffer text;
    struct queued_line *prev, *next;
};

/* What commands change of a conversation. */
struct standing {
    bool open;
    int64_t closed_at; /* 0: not closed by its owner */
    int64_t read_seq;
    bool sealed; /* was sealed once, and not lowered since */
};

struct conversation {
    int64_t id;
    struct account *account;
    struct contact *contact;
    struct standing standing;
    struct standing asked; /* by the newest of the writes under way */
    unsigned asking;       /* how many are */
    int64_t last_seq, unread;
    int64_t received;       /* lines since the start */
    char avatar[65];        /* blob id, "": none */
    char avatar_coming[65]; /* being stored */
    char state_text[256];
    int64_t created, change;
    struct route *routes;
    enum chat_state state;
    const char *reason;
    int64_t since;
    enum chat_protection protection;
    struct deliveries *deliveries; /* learned, and not yet given to the store */
    struct queued_line *unclaimed; /* loaded: sent through routes that are gone */
    struct queued_line *queue;
    size_t queue_lines, queue_bytes;
    size_t coming_lines, coming_bytes; /* being stored, to be queued then */
    bool flushing;                     /* the queue's lines are being marked as sent */
    bool recounted;                    /* in gateway->recounted */
    unsigned pins;
    bool removed;
    struct conversation *next_grave, *next_recounted;
    UT_hash_handle hh;
};

/* What commands change of a contact. */
struct naming {
    char handle[HANDLE_SIZE];
    char name[NAME_SIZE];
    char presence[8];
};

struct contact {
    int64_t id;
    struct account *account;
    struct naming naming;
    struct naming asked; /* by the newest of the writes under way */
    unsigned asking;     /* how many are */
    uint8_t fingerprint[20];
    struct buffer key_block;
    struct conversation *conversation;
    struct conversation *coming; /* being stored with the first offers to this contact */
    unsigned offers;             /* being stored */
    bool leaving;                /* its removal is being stored, or was */
    int64_t created, change;
    bool posts_classic, posts_sealed; /* how posts reach it, as far as is known; sealed is the stronger */
    unsigned posting;                 /* posts to it being stored */
    struct post_delivery *deliveries; /* queued, in the order of sending */
    struct post_way *post_ways;
    struct post_out *post_out; /* the network side's; NULL: nothing is being sent */
    struct contact *next_grave;
    UT_hash_handle hh;
};

/* What an account says of posts. */
struct post_settings {
    bool universal;     /* who knows the key may write */
    int64_t wait;       /* seconds a post may wait */
    int64_t limit;      /* bytes of the largest message taken */
    unsigned strangers; /* posts of unknown senders taken in a day */
    char forward[256];  /* address, "": off */
};

/* Of an account; see posts.h. */
struct posts {
    struct post_settings settings;
    struct post_link *links;     /* by id */
    struct post_locked *locked;  /* oldest first */
    struct people *people;       /* who has which address; NULL: to be made anew */
    struct post_report *reports; /* being gathered */
    struct post_saying *sayings; /* posts with labels, being stored */
    struct post_in *in;          /* the network side's; NULL: nothing is served */
    size_t queued;               /* deliveries */
    int64_t queued_bytes;        /* of their messages */
    unsigned reads;              /* messages that are being worked on for clients */
    struct reading *waiting;     /* for their turn among these, oldest first */
    unsigned waiting_count;
    int64_t last_seq;            /* the newest committed post */
    int64_t stranger_times[24];  /* hours, of which */
    unsigned stranger_counts[24];
};

struct app_password {
    int64_t id;
    char label[64];
    char scope[16];
    uint8_t sha256[32];
    char scram[256];
    int64_t idle; /* seconds of disuse that end it; 0: never */
    int64_t created, last_used;
    int64_t noted; /* the last use that was stored */
    bool leaving;  /* its removal is being stored */
    struct app_password *prev, *next;
};

struct client {
    char name[64];
    int64_t epoch, change, seq, last_seen;
    struct client *prev, *next;
};

/* One remembered change, for clients that are nearly up to date. */
struct ring_entry {
    int64_t change;
    struct kept_line *line;
    json_t *value; /* {"change": n, "line": {...}}; of a line: NULL until it was asked for. Without both the
                      entry is free */
    uint16_t next; /* line of the same bucket: its index + 1; 0: none */
};

struct account {
    int64_t id;
    struct gateway *gateway;
    char name[HANDLE_SIZE];
    char person[NAME_SIZE];
    char *password;
    uint8_t fingerprint[20];
    struct buffer key_block;
    struct buffer key_wrapped, passphrase_wrapped;
    uint8_t key[VAULT_KEY_SIZE];
    struct buffer passphrase; /* secret */
    bool unlocked;
    bool is_operator, typing;
    struct buffer avatar;
    char avatar_id[65];
    char state_text[256];
    int64_t epoch, last_seq, last_change;
    int64_t reserved_change; /* numbers up to this are reserved in the store */
    bool reserving;
    bool setting; /* the account's row is being stored */
    int64_t created, change;
    struct app_password *app_passwords;
    unsigned app_passwords_coming; /* being stored */
    struct client *clients;
    struct contact *contacts;           /* by id */
    struct conversation *conversations; /* by id */
    struct invite *invites;             /* by id */
    struct ensure *ensures;             /* contacts being stored */
    struct saying *sayings;             /* lines with labels, being stored */
    unsigned searches;                  /* under way */
    struct posts posts;
    struct write *pending; /* commits under way, in order */
    struct ring_entry ring[RING_SIZE];
    uint16_t ring_lines[RING_SIZE]; /* buckets of lines by seq: index + 1 */
    size_t ring_next;
    int64_t ring_floor; /* the ring knows every change above this */
    unsigned sessions;
    bool removed;
    struct account *next_grave;
    UT_hash_handle hh;
};

struct friend
{
    struct friend_record record;
    struct buffer key_block;
    int64_t added;
    UT_hash_handle hh; /* by location */
};

enum node_phase { NODE_STARTING, NODE_READY, NODE_FAILED, NODE_CLOSING };

struct gateway {
    uv_loop_t *loop;
    struct store *store;
    struct keyring *keyring;
    struct friends *friends;
    struct router *router;
    struct chat_tools tools;
    const struct random_source *random;
    uint64_t started;

    /* options */
    char directory[128];
    char node_name[NAME_SIZE];
    char mail_forward[256], mail_maildir[256]; /* "": none */
    struct friends_options friend_options;
    char friend_dns[256], friend_proxy[256];
    bool typing_default;
    char mail_domain[128];

    /* node */
    enum node_phase phase;
    char phase_text[256];
    uint8_t node_fingerprint[20], node_location[16];
    struct buffer node_key_block, node_certificate, node_private_key, node_passphrase;
    unsigned node_attempts; /* at making its key, that failed */
    void (*ready)(void *arg, const struct error *error);
    void *ready_arg;
    json_t *listening;

    /* vault */
    bool vault_open;
    uint8_t vault_key[VAULT_KEY_SIZE];

    struct account *accounts; /* by id */
    unsigned accounts_coming; /* being made */
    int64_t last_account, last_id;
    struct friend *friend_map;
    struct owned_hash *hashes; /* of all owners */
    struct local_tunnel *local_tunnels;
    struct hash_owner *dirty_owners;
    struct conversation *recounted; /* the number of queued lines is to be told at the end of the turn */
    struct timers owner_timers;
    uv_timer_t owner_timer;
    uint64_t owner_due;
    bool draining;
    uv_timer_t router_timer;
    uint64_t router_due;

    struct part_cache *part_cache;
    struct upload *uploads; /* of all sessions */
    int64_t last_upload;
    struct account_listener *account_listeners;
    unsigned account_tellings; /* under way */
    struct gateway_session *sessions;
    bool sessions_gone;    /* some in the list are */
    struct call *finished; /* answered calls, told at the end of the turn */
    uv_check_t check;
    uv_prepare_t prepare;
    uv_timer_t minute;        /* expiry of invites and routes */
    struct throttle throttle; /* of log-ins */
    struct login *logins;
    uint64_t last_ticket;
    uint64_t items_dropped;
    uint64_t last_local_tunnel;
    struct post_out *post_line; /* contacts that wait for a place among those with letters in memory */
    unsigned post_senders;      /* those that have one */
    size_t post_memory;         /* bytes of their letters */
    uint64_t last_letter;
    struct conversation *graves;    /* removed; freed when no commit speaks of them */
    struct contact *contact_graves; /* removed; freed at the end */
    struct account *account_graves;

    unsigned works;    /* on the loop's pool; the end waits for them */
    bool links_closed; /* the end waits for the works only */
    unsigned open_handles;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* What is said when a thing was committed and then no memory was left to keep it. */
extern const struct error stored_only;

/* Something runs on the loop's pool that will speak of the gateway, until it has ended. */
void gateway_work_begin(struct gateway *gateway);
void gateway_work_end(struct gateway *gateway);

/* Ids of rows: one counter for all tables, kept above everything loaded. */
int64_t next_id(struct gateway *gateway);

#endif
