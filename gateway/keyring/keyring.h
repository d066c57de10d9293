/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_KEYRING_KEYRING_H
#define RETROGATE_KEYRING_KEYRING_H

#include <uv.h>

#include "base/buffer.h"
#include "base/error.h"

/* The client side of retrogate-keyring, the only process that holds long-term identity secrets (DESIGN §5).
 * Requests are length-framed over a socketpair, answered in any order, each with a deadline. It signs no
 * foreign bytes: a request names a purpose and fields, and the keyring builds what is signed. When the child
 * dies its requests fail with ERROR_UNAVAILABLE and it is started again (with back-off); the homes on disk
 * are its only state. */
struct keyring;

/* Notations in the hashed area of an invite's signature. The first one holds the addressee's fingerprint, 40
 * upper-case hex digits; the second one "supported" or "only" (SEALED.md §3). */
#define KEYRING_NOTATION_ADDRESSEE "addressee@retrogate.alt"
#define KEYRING_NOTATION_SEALED    "sealed@retrogate.alt"
/* In the signatures of posts. What a signature is for, "post" (a sealed letter) or "post-key" (a greeting);
 * in a classic post's, whom it is for, 40 upper-case hex digits (06 W-M4). */
#define KEYRING_NOTATION_PURPOSE   "purpose@retrogate.alt"
#define KEYRING_NOTATION_RECIPIENT "recipient-fpr@retrogate.alt"

struct keyring_options {
    const char *program;   /* path of retrogate-keyring */
    const char *directory; /* holds the homes: <directory>/node, <directory>/<home>; at most 65 bytes */
    unsigned workers;      /* child processes; requests of one home go to one worker. 1 or 2 */
};

/* A home is "node" or an account's id in decimal. A passphrase protects the secret key in it; it comes with
 * each request that needs the secret, and is wiped afterwards on both sides. */
struct keyring_secret {
    const char *home;
    struct bytes passphrase;
    uint8_t fingerprint[20];
};

/* The one answer of a request. Fields that the request does not fill are empty. Valid only during the
 * callback. */
struct keyring_answer {
    const struct error *error; /* NULL: it worked */
    uint8_t fingerprint[20];   /* create, import, check: of the key. verify, invite_open: of the signer */
    struct bytes block; /* create, import: portable public block. check: cleaned. location: certificate DER */
    struct bytes private_key;  /* location: TLS private key, PKCS#8 DER */
    uint8_t location[16];      /* location, verify_location */
    struct bytes link_blob;    /* invite_new: encrypted blob for the link */
    uint8_t hash[20], key[16]; /* invite_open */
    int64_t expires;           /* invite_open, post_check: from the signature, Unix seconds; 0: not signed */
    bool addressee_bound;      /* invite_open: the signature names us as addressee. post_verify: it names one,
                                  whose      fingerprint is `hash` */
    bool sealed, sealed_only;  /* invite_open, only when the addressee is bound */
    struct bytes text;         /* post_seal, post_greet: what was made. post_open: the plaintext */
    int64_t signed_at;         /* post_verify, post_check: from the signature, Unix seconds */
};
typedef void keyring_fn(void *arg, const struct keyring_answer *answer);
/* Key generation: gpg's progress, for a person. May be NULL. */
typedef void keyring_progress_fn(void *arg, const char *what);

/* Makes the directory (0700) if it is missing. The process must ignore SIGPIPE. */
struct keyring *keyring_start(uv_loop_t *loop, const struct keyring_options *options, struct error **error);
/* Ends the children; calls every open request's callback with ERROR_UNAVAILABLE first. The loop must run
 * until the children have ended (a moment, 10 s at most), or they end by themselves when this process is
 * gone. */
void keyring_stop(struct keyring *keyring);

/* Every request returns an id for keyring_cancel() (the callback is then not called). 0 is never one: it
 * means that no callback will come, because there was no memory for the request or the keyring is being
 * stopped. The callback comes from the loop, never before the call returns; it may call any function here.
 * What is handed over is copied. */
uint64_t keyring_create(struct keyring *keyring, const struct keyring_secret *secret /* fingerprint unused */,
                        const char *name, bool node /* else account: with encrypt usage */,
                        keyring_progress_fn *progress, keyring_fn *done, void *arg);
/* Imports a secret key (armoured or binary, screened); `old_passphrase` opens it, it is stored under
 * secret's. */
uint64_t keyring_import_secret(struct keyring *keyring, const struct keyring_secret *secret, struct bytes key,
                               struct bytes old_passphrase, bool node, keyring_fn *done, void *arg);
/* Makes a location: TLS key RSA-3072, certificate 7.1 signed by the node key (protocol 11 §1.3, 00 decision
 * 5). */
uint64_t keyring_location_new(struct keyring *keyring, const struct keyring_secret *node, keyring_fn *done,
                              void *arg);
/* Checks the OpenPGP signature of a location certificate (6.0, 6.1, 7.1; protocol 11 §1.4) with this public
 * block, which must have this fingerprint. Fills location. */
uint64_t keyring_verify_location(struct keyring *keyring, struct bytes certificate, struct bytes key_block,
                                 const uint8_t fingerprint[20], keyring_fn *done, void *arg);
/* Checks that a public block is one that GnuPG takes and has a valid self-signature; answers with the cleaned
 * block. */
uint64_t keyring_check_key(struct keyring *keyring, struct bytes key_block, keyring_fn *done, void *arg);

enum keyring_sealing { KEYRING_SEALING_NONE, KEYRING_SEALING_SUPPORTED, KEYRING_SEALING_ONLY };

struct keyring_invite {
    uint8_t hash[20];
    uint8_t key[16];
    int64_t expires;        /* bound into the signature as expiration time */
    struct bytes addressee; /* public block: encrypted to it, its fingerprint a notation in the signature */
    enum keyring_sealing sealing;
};
/* Builds and signs the 44 bytes (protocol 05 §2, 06 W-I1, W-I2), encrypts to the addressee. */
uint64_t keyring_invite_new(struct keyring *keyring, const struct keyring_secret *account,
                            const struct keyring_invite *invite, keyring_fn *done, void *arg);
/* Decrypts a blob (screened), checks sizes, requires the inviter's id to be that of `inviter` and the
 * signature to verify. ERROR_DENIED says which check failed. With an empty `inviter` block only decrypts and
 * answers with ERROR_NOT_FOUND and, in `fingerprint`'s last 8 bytes, the inviter's id, so that the person can
 * be asked for the key. */
uint64_t keyring_invite_open(struct keyring *keyring, const struct keyring_secret *account, struct bytes blob,
                             struct bytes inviter, keyring_fn *done, void *arg);
/* --- posts (distant/POSTS.md; protocol 04 §5). The keyring builds what is signed from these fields. */

enum { KEYRING_POST_LIMIT = 40 << 20 /* bytes of a plaintext or a ciphertext */ };

struct keyring_post {
    bool sealed;            /* the letter of POSTS.md §7, else the classic plaintext */
    struct bytes addressee; /* public block: encrypted to it */
    bool sign;              /* classic; a sealed one always is */
    int64_t time;           /* Unix ms; classic: seconds are kept */
    /* sealed */
    uint8_t message_id[16];
    struct bytes content;
    /* classic: UTF-8, and message hashes, 20 bytes each, one after the other (protocol 04 §5; 06 W-M4, W-M13)
     */
    struct bytes subject, body, to, cc;
};
/* Answers with `text`: the OpenPGP message. Of 25 MiB it takes about a second; requests of the home wait
 * behind it. */
uint64_t keyring_post_seal(struct keyring *keyring, const struct keyring_secret *account,
                           const struct keyring_post *post, keyring_fn *done, void *arg);
/* Screens (06 W-M9) and decrypts: `text` is the plaintext with its signature, which wire/post.h reads.
 * ERROR_INVALID: not readable or malformed; ERROR_DENIED: not for this key. */
uint64_t keyring_post_open(struct keyring *keyring, const struct keyring_secret *account,
                           struct bytes message, keyring_fn *done, void *arg);
/* The signature (screened) of a post's plaintext, with the key that it should be by. Needs no home: any
 * worker. A sealed letter's must have the purpose notation. ERROR_DENIED: it does not verify, or the key was
 * revoked; ERROR_EXPIRED: the key has expired. */
uint64_t keyring_post_verify(struct keyring *keyring, struct bytes plain, struct bytes signature, bool sealed,
                             struct bytes key_block, const uint8_t fingerprint[20], keyring_fn *done,
                             void *arg);
/* Signs a day key (POSTS.md §4): `text` is the signature packet. */
uint64_t keyring_post_greet(struct keyring *keyring, const struct keyring_secret *account,
                            const uint8_t day_key[32], keyring_fn *done, void *arg);
/* Checks such a signature with a contact's public block, and its times against the clock. ERROR_DENIED says
 * what is wrong. */
uint64_t keyring_post_check(struct keyring *keyring, const uint8_t day_key[32], struct bytes signature,
                            struct bytes key_block, const uint8_t fingerprint[20], keyring_fn *done,
                            void *arg);

/* Deletes a home and all that is in it. */
uint64_t keyring_forget(struct keyring *keyring, const char *home, keyring_fn *done, void *arg);

void keyring_cancel(struct keyring *keyring, uint64_t request);

#endif
