/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_KEYRING_WORKER_H
#define RETROGATE_KEYRING_WORKER_H

#include "keyring/frame.h"
#include "keyring/pgp.h"

/* Inside retrogate-keyring: one request after the other. */

/* A key that GnuPG took, so that it is not asked again for each post. */
struct usable_key {
    uint8_t digest[32]; /* SHA-256 of its cleaned block */
    int64_t until;      /* Unix seconds */
};

struct worker {
    const char *directory;
    unsigned index, workers;
    char verify_home[HOME_PATH_SIZE];
    void (*progress)(const struct worker *worker, const char *what);
    uint64_t current; /* the request that progress belongs to */
    struct usable_key usable[64];
    size_t usable_next; /* the oldest entry */
};

/* An answer with the memory that its views point into. */
struct result {
    struct keyring_answer answer;
    struct buffer block, private_key, link_blob, text;
};

/* Makes the verify home and removes what a killed predecessor left. */
bool worker_start(struct worker *worker, struct error **error);
/* Ends the agents, deletes the verify home. */
void worker_end(struct worker *worker);

/* Carries out a request; the result is filled either way, and freed by result_free(). */
void worker_do(struct worker *worker, const struct request *request, struct result *result);
void result_free(struct result *result);

/* The acts of the table that have files of their own. `home` is a path, or "" where the purpose has none. */
typedef bool worker_act(struct worker *worker, const struct request *request, const char *home,
                        struct result *result, struct error **error);
worker_act act_create, act_import, act_forget;                                            /* act_keys.c */
worker_act act_location_new, act_verify_location;                                         /* act_location.c */
worker_act act_check_key;                                                                 /* act_keys.c */
worker_act act_invite_new, act_invite_open;                                               /* act_invite.c */
worker_act act_post_seal, act_post_open, act_post_verify, act_post_greet, act_post_check; /* act_post.c */

/* The home's key and portable block; must be the one that the request names. */
bool worker_own_key(const char *home, const struct request *request, struct buffer *block,
                    struct openpgp_key *key, struct error **error);
/* A foreign key: dearmoured, screened, cleaned into `block`. */
bool worker_foreign_key(struct bytes text, struct buffer *block, struct openpgp_key *key,
                        struct error **error);
/* The same for a key that must have this fingerprint and be usable now: not revoked, not expired. What GnuPG
 * said of a block is believed for an hour. */
bool worker_usable_key(struct worker *worker, struct bytes text, const uint8_t fingerprint[20],
                       struct buffer *block, struct openpgp_key *key, struct error **error);
/* Decrypts with the home's key, which is read too: screens, requires that the message is for it, and tells a
 * wrong passphrase from a damaged message. */
bool worker_decrypt(const char *home, const struct request *request, struct buffer *own_block,
                    struct openpgp_key *own, struct buffer *plain, struct error **error);

#endif
