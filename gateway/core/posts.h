/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_POSTS_H
#define RETROGATE_CORE_POSTS_H

#include "core/state.h"
#include "wire/post.h"

/* Posts in the core have two sides. The desk (post_*.c) takes them from people and shows them: commands,
 * rows, MIME, reports. The network side (post_out*.c, post_in*.c) carries them: tunnels, sealing, opening.
 * This is what they say to each other. All on the loop's thread. In memory is only what waits to be sent. */

enum {
    POSTS_RECIPIENTS = 100,   /* of one post */
    POSTS_DELIVERIES = 10000, /* queued ones of an account */
    POST_ADDRESS_SIZE = 320,
};
extern const int64_t posts_queued_bytes; /* of messages with queued deliveries of an account: 2 GiB */

/* --- from the desk to the network side: what is to be sent */

/* One post to one contact, queued. It is in contact->deliveries, in the order of sending, while it waits. */
struct post_delivery {
    struct account *account;
    struct contact *contact; /* NULL: oneself, or the gateway */
    int64_t seq;             /* of the post, in the account's log */
    uint8_t message_id[POST_ID_SIZE];
    char address[POST_ADDRESS_SIZE];
    char state[16];                /* queued, not-confirmed, delivered, failed: as it was written last */
    char protection[8], level[12]; /* words of api.md, as far as is known */
    char reason[256];
    int64_t until, since, due, warned; /* as in the row; due: not tried before */
    int64_t time;                      /* of the post, Unix ms */
    int64_t size;
    int64_t share; /* of the size, as the account's bound counts it */
    bool lowered;  /* its person lets it go as a classic post also to a contact that takes sealed ones */
    bool sign;
    bool bcc; /* not in the message's fields */
    uint8_t notify;
    bool taken; /* by the network side */
    /* the desk's */
    bool listed;    /* in contact->deliveries */
    bool forgotten; /* the network side was told so */
    bool ending;    /* its end is being stored, for: */
    char end_reason[128];
    int64_t change;    /* of a commit under way */
    unsigned settling; /* commits of the network side under way */
    unsigned pins;
    struct post_delivery *prev, *next;
};

/* The first that waits, is not taken and may be tried at `now_ms` (Unix); it is taken then, and lives until
 * post_release() or post_out_forget(). NULL: none, and `due` tells when the next of them may be tried,
 * INT64_MAX: none waits. */
struct post_delivery *post_take(struct contact *contact, int64_t now_ms, int64_t *due);
/* Back among those that wait, or freed when it was settled. */
void post_release(struct post_delivery *delivery);

/* What is to be sealed for one delivery. */
struct post_matter {
    bool sealed;
    bool sign;
    int64_t time; /* Unix ms */
    uint8_t message_id[POST_ID_SIZE];
    struct buffer content;       /* sealed */
    struct buffer subject, body; /* classic */
    struct buffer to, cc;        /* classic: message hashes (universal ones), 20 bytes each */
};
/* `matter` is there during the call: take its buffers' memory, or leave it. The error: ERROR_LIMIT or
 * ERROR_INVALID are for good (it cannot be a classic post: the text says why to a person), others are
 * temporary. Not called when post_out_forget() was. */
typedef void post_matter_fn(void *arg, struct post_matter *matter, const struct error *error);
/* Of a taken one. Reads the message and makes of it what the wire carries; large ones off the loop. Never
 * answers before it returns. */
void post_prepare(struct post_delivery *delivery, bool sealed, post_matter_fn *done, void *arg);

/* What became of a taken delivery. */
struct post_outcome {
    const char *delivery;   /* queued (tried again at `next`), not-confirmed, delivered, failed */
    const char *reason;     /* for a person, "" */
    const char *protection; /* classic, sealed; NULL: as it is */
    const char *level;      /* private, open, universal; NULL: as it is */
    int64_t next;           /* Unix ms; queued */
};
typedef void post_settled_fn(void *arg, const struct error *error);
/* Commits and tells it; reports are the desk's. `done` (may be NULL) after the commit, not after
 * post_out_forget(). Other than queued, the delivery no longer waits, but lives until it is released; queued
 * again after not-confirmed is allowed until then (it did not leave). */
void post_settle(struct post_delivery *delivery, const struct post_outcome *outcome, post_settled_fn *done,
                 void *arg);

/* How posts reach the contact. Sealed is never unlearned by this. */
void post_learn(struct contact *contact, bool sealed);
/* Its ways that have not expired, newest first in contact->post_ways. */
struct post_way {
    uint8_t hash[20];
    int64_t expires; /* Unix ms */
    struct post_way *prev, *next;
};
/* What sends would use now: "private", "open", "universal". Written by the network side. */
const char *post_out_way(const struct contact *contact);

/* The network side's: something waits for this contact, or a way to it is new. */
void post_out_wake(struct contact *contact);
/* The delivery is withdrawn, or its contact, its post or the account was removed: nothing of the network side
 * refers to it after this returns. Only of taken ones. */
void post_out_forget(struct post_delivery *delivery);
/* The contact or the account is removed (contact->deliveries was emptied before). */
void post_out_contact_gone(struct contact *contact);

/* --- from the network side to the desk: what arrived */

struct post_arrival {
    bool sealed;
    const char *level;        /* universal, open, private */
    struct contact *contact;  /* the sender; NULL: not a contact */
    uint8_t fingerprint[20];  /* the sender's; zeros: not known */
    uint8_t sender[8];        /* classic: the id it claims */
    const char *verdict;      /* words of api.md */
    int64_t peer_time;        /* Unix ms */
    struct post_mark mark;    /* not put when `replaces` */
    struct buffer content;    /* sealed: RFC 5322 */
    struct post_inner *inner; /* classic: made with malloc, its texts and views; covered and signature are not
                                 looked at */
    struct buffer autocrypt;  /* sealed, signed by a stranger: its key block, verified */
    struct buffer locked;     /* verdict locked: the OpenPGP message */
    uint8_t hash[20];         /* through which it came */
    int64_t replaces;         /* seq of the locked one that this was; 0: none */
};
/* Takes all memory of the arrival (and frees it), in any case. Large ones off the loop. `done` after the
 * commit of post and mark: ERROR_EXISTS: known already; ERROR_INVALID: not readable; ERROR_UNAVAILABLE,
 * ERROR_LIMIT, ERROR_INTERNAL: not now. Never answers before it returns. */
typedef void post_stored_fn(void *arg, const struct error *error);
void post_arrived(struct account *account, struct post_arrival *arrival, post_stored_fn *done, void *arg);

/* Posts of unknown senders that were stored in the last 24 hours, since the start at most. */
unsigned post_strangers(const struct account *account);

/* Those received while the vault was locked, oldest first: account->posts.locked. */
struct post_locked {
    int64_t seq;
    uint8_t hash[20];
    char level[12];
    bool opening; /* the network side's mark */
    struct post_locked *prev, *next;
};
/* Its OpenPGP message. */
typedef void post_locked_fn(void *arg, struct bytes message, const struct error *error);
void post_locked_read(struct account *account, int64_t seq, post_locked_fn *done, void *arg);
/* It cannot be opened: removed. (post_arrived() with `replaces` also takes it from the list.) */
void post_locked_drop(struct account *account, int64_t seq);

/* Own links by which strangers may write: account->posts.links; served while `open` and not expired. */
struct post_link {
    int64_t id;
    uint8_t hash[20];
    int64_t expires; /* Unix ms */
    char state[12];  /* open, expired, revoked */
    bool ending;     /* its end is being stored */
    int64_t created, change;
    UT_hash_handle hh; /* by id */
};
/* The network side's: links were made, ended, or the settings universal or limit are others. */
void post_in_changed(struct account *account);
/* The network side's: the account's keys are there: what was locked is opened. Called by the vault. */
void post_in_unlocked(struct account *account);
void post_in_account_gone(struct account *account);

/* --- the desk, for the rest of the core */

/* Once a minute: what is too late fails, what waits long is reported, links expire. */
void posts_minute(struct gateway *gateway);
/* After the start: what was loaded is to be sent. */
void posts_start(struct gateway *gateway);
/* Withdraws what waits for a contact that is being removed: rows into this write, the memory after it; or it
 * stays, because the write failed. */
struct write;
void posts_contact_leaving(struct contact *contact, struct write *write);
void posts_contact_gone(struct contact *contact);
void posts_contact_stays(struct contact *contact);
/* The account was removed: nothing of it waits any more. */
void posts_account_gone(struct account *account);
void posts_account_free(struct account *account);
void posts_contact_free(struct contact *contact);
void posts_settings_default(struct post_settings *settings);
/* How posts reach the contact, as a word of api.md. */
const char *posts_word(const struct contact *contact);
/* From rows, at the start. False without memory. */
bool posts_load_delivery(struct account *account, const struct delivery_row *row);
bool posts_load_locked(struct account *account, const struct post_row *row);

#endif
