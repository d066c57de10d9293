/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_POST_OUT_H
#define RETROGATE_CORE_POST_OUT_H

#include "core/post_ways.h"
#include "core/session.h"
#include "distant/post_sender.h"

/* Posts on their way to one contact: from the desk's queue to a sender of the room distant. It is there while
 * something waits for the contact, and for a minute after. */

enum {
    POST_OUT_BUSY = 8,               /* contacts at a time for which sealed letters are in memory */
    POST_OUT_MEMORY = 64 << 20,      /* bytes of them, of one contact more when it is alone */
    POST_OUT_TURN = 16,              /* letters, then others that wait come first */
    POST_OUT_TAKEN = 256,            /* deliveries of a contact looked at */
    POST_OUT_LINGER_MS = 60000,      /* who writes now and then does not search each time */
    POST_OUT_KEPT_MS = 600000,       /* a letter without a tunnel: as long as its recipient keeps the begin */
    POST_OUT_KEPT_WANTED_MS = 20000, /* the same when others wait for the memory */
    POST_OUT_LOOK_MS = 60000,        /* while nobody is found: the way may be another one */
    POST_OUT_WAY_MS = 300000,        /* without a tunnel: then the next way */
    POST_OUT_TURN_MS = 5000,         /* the hash is another account's just now */
    POST_OUT_RETRY_MS = 30000,       /* disk full, keyring away */
    POST_OUT_REFUSED_MIN_MS = 60000, /* refused for now: doubled up to */
    POST_OUT_REFUSED_MAX_MS = 3600000,
};

enum letter_stage {
    LETTER_WAITS,     /* for the wire and room in the sender */
    LETTER_PREPARING, /* the desk makes what is to be sealed */
    LETTER_SEALING,   /* the keyring does */
    LETTER_READY,     /* sealed, for this wire */
    LETTER_MARKING,   /* classic: it is committed as not confirmed before it leaves */
    LETTER_GIVEN,     /* the sender has it */
    LETTER_SETTLING,  /* what became of it is being committed */
};

/* A delivery that was taken from the desk. */
struct letter {
    struct post_out *out;
    struct post_delivery *delivery;
    uint64_t id;
    enum letter_stage stage;
    enum post_wire wire; /* that it is made for */
    uint64_t request;    /* to the keyring */
    struct buffer message;
    size_t memory;  /* counted in gateway->post_memory */
    uint64_t retry; /* waits until then, or is settled again then; 0: at once */
    struct post_outcome outcome;
    char reason[256];
    struct letter *prev, *next;
};

struct post_check {
    struct post_out *out;
    uint64_t id;
    uint64_t request;
    struct post_check *prev, *next;
};

struct post_out {
    struct contact *contact;
    struct hash_owner owner;
    struct post_sender *sender; /* NULL: nothing is sought */
    struct way way;
    unsigned turn;     /* of the ways */
    bool sealed_only;  /* of the sender */
    unsigned tunnels;  /* that are up */
    uint64_t found;    /* since when there are some */
    uint64_t lost;     /* when there were none any more */
    uint64_t retry;    /* nothing is sought until then */
    uint64_t idle;     /* since when there is no letter; 0: there are some */
    uint64_t wake;     /* when the desk has something again; UINT64_MAX: nothing waits */
    unsigned refusals; /* temporary ones in a row */
    bool yields;       /* another account waits for the hash */
    bool busy;         /* counted in gateway->post_senders */
    unsigned begun;    /* letters, since it is */
    bool in_line;      /* for that */
    bool closed;       /* the gateway stops: what is answered now is not looked at */
    struct letter *letters;
    struct post_check *checks;
    struct post_out *next_in_line;
};

uint64_t post_out_now(const struct post_out *out);
/* The contact is known for sealed posts, or for sealed chat. */
bool post_out_strict(const struct contact *contact);
void post_out_touch(struct post_out *out); /* looks at it at the end of the turn */

/* What waits for the account's contacts is sought: its keys are there now. */
void posts_out_wake(struct account *account);
/* The gateway stops. What is under way is sent when it runs again. */
void posts_out_close(struct gateway *gateway);

/* --- post_out_letter.c */
struct letter *letter_new(struct post_out *out, struct post_delivery *delivery); /* NULL without memory */
void letter_free(struct letter *letter); /* the delivery was forgotten or released */
struct letter *letter_find(const struct post_out *out, uint64_t id);
/* It holds memory, or soon will. */
bool letter_works(const struct letter *letter);
void letter_begin(struct letter *letter); /* for the sender's wire */
bool letter_give(struct letter *letter);  /* one that is ready; false: the sender does not take it now */
void letter_wait(struct letter *letter, uint64_t retry); /* begins anew, not before */
/* Commits what became of it; then it is released, and the delivery perhaps waits again. */
void letter_settle(struct letter *letter, const struct post_outcome *outcome);
void letter_settle_again(struct letter *letter);

#endif
