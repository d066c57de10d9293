/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CRYPTO_OPENPGP_H
#define RETROGATE_CRYPTO_OPENPGP_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/source.h"

/* OpenPGP without secrets: reading a public key block, writing an encrypted message that the 2013 reader
 * takes (protocol 00 decision 8), and screening what comes from outside before gpg sees it (decision 9,
 * W-M9). Pure. */

/* --- public keys. Only v4 RSA primaries, 1024 to 8192 bits, are taken. */
struct openpgp_key {
    uint8_t fingerprint[20];
    uint8_t id[8]; /* last 8 bytes of the fingerprint */
    uint32_t created;
    unsigned bits;
    char user_id[256]; /* of the first user id packet; valid UTF-8 without control characters, cut */
    char name[128];    /* text before "(" or "<" */
    bool can_encrypt;  /* key flags of the first user id's self-signature allow it, or it has none */
    bool can_certify;
    struct bytes n, e;         /* views into the block */
    struct bytes public_body;  /* body of the public key packet, a view */
    struct bytes user_id_body; /* a view */
    size_t subkeys;
};
/* Binary block: one primary, user ids (and user attributes, which are passed over), signatures, subkeys;
 * nothing else. Sizes bounded (block up to 64 KiB). Signatures are not verified here: GPGME does that. */
bool openpgp_key_parse(struct openpgp_key *out, struct bytes block, struct error **error);
/* The same for a block of secret key packets; `out` holds only its public parts. */
bool openpgp_secret_key_parse(struct openpgp_key *out, struct bytes block, struct error **error);
/* Armoured or binary text (up to 128 KiB) to a binary block, appended. Refuses secret keys. */
bool openpgp_dearmor(struct buffer *out, struct bytes text, struct error **error);
/* The same for a secret key; of a text with a public and a secret block (an export of RetroShare) the secret
 * one. `out->secret` should be set. */
bool openpgp_dearmor_secret(struct buffer *out, struct bytes text, struct error **error);
/* Takes a secret block without subkeys out of its old protection (none, or by a passphrase) and appends it
 * protected by the new one, its numbers checked and in the order that OpenPGP demands. ERROR_DENIED: the old
 * passphrase is wrong. `out->secret` should be set. */
bool openpgp_secret_rewrap(struct buffer *out, struct bytes block, struct bytes old_passphrase,
                           struct bytes passphrase, const struct random_source *random, struct error **error);
/* Appends the armoured text. False when `out` is full. */
bool openpgp_armor_key(struct buffer *out, struct bytes block);

/* Portable self-signed block (protocol 10 §1.6): the signature's hashed part and what goes into SHA-256, and
 * the block around the finished RSA value. key_flags: 0x03 node, 0x0f account. */
bool openpgp_selfsig_input(struct buffer *hashed, struct buffer *input, const struct openpgp_key *key,
                           uint32_t created, uint8_t key_flags);
bool openpgp_portable_block(struct buffer *out, const struct openpgp_key *key, struct bytes hashed,
                            const uint8_t digest[32], struct bytes rsa_value);

/* --- signatures over documents (v4, type 0x00, RSA, SHA-256): the hashed part with creation time, issuer's
 * id, expiry and up to two text notations, and what goes into SHA-256 is the document followed by `trailer`.
 */
struct openpgp_note {
    const char *name, *value;
};
struct openpgp_signing {
    uint8_t issuer[8];
    uint32_t created;
    uint32_t expires;                 /* seconds after `created`; 0: never */
    struct openpgp_note notations[2]; /* a name of NULL: none */
};
bool openpgp_signature_input(struct buffer *hashed, struct buffer *trailer,
                             const struct openpgp_signing *signing);
bool openpgp_signature_packet(struct buffer *out, struct bytes hashed, const uint8_t digest[32],
                              struct bytes rsa_value);

/* --- encryption: PKESK v3 to the primary RSA key, SEIPD v1 with MDC, one literal packet (binary, no name,
 * time 0), definite lengths, AES-256. Up to 64 MiB; on failure the contents of `out` are as they were. */
bool openpgp_encrypt(struct buffer *out, const struct openpgp_key *to, struct bytes plain,
                     const struct random_source *random, struct error **error);

/* --- screening. */
struct openpgp_message_info {
    size_t recipients;
    uint8_t recipient_ids[8][8];
};
/* One to eight PKESK v3 (RSA, recipient named), then exactly one tag-18 packet, definite lengths, nothing
 * else. */
bool openpgp_screen_message(struct openpgp_message_info *out, struct bytes message, struct error **error);

struct openpgp_signature_info {
    uint8_t type;
    uint8_t algorithm; /* public key */
    uint8_t hash;
    uint8_t issuer[8]; /* zero when absent */
    uint32_t created;
    uint32_t expires;       /* seconds after `created`; 0: never. From the hashed area */
    struct bytes notations; /* hashed area, a view, for openpgp_notation() */
};
/* Exactly one v4 signature packet of at most 4 KiB; algorithm RSA (1 or 3), hash SHA-1, 256, 384 or 512;
 * definite length; a creation time in the hashed area. Whether the issuer's id is in the hashed area is not
 * asked: it is only a hint. */
bool openpgp_screen_signature(struct openpgp_signature_info *out, struct bytes signature,
                              struct error **error);
/* What decryption uncovers: exactly one literal packet (binary, definite length), of which `text` becomes a
 * view. Compressed packets are refused: no program of 2013 writes them. */
bool openpgp_screen_literal(struct bytes *text, struct bytes packets, struct error **error);
/* The value of a human-readable notation in the hashed area; false when absent. */
bool openpgp_notation(const struct openpgp_signature_info *info, const char *name, struct bytes *value);
/* Screens a signature packet and checks that it is this key's over the document, without GnuPG. Neither its
 * times nor the key's own validity are judged. ERROR_DENIED: it does not verify. */
bool openpgp_verify(struct openpgp_signature_info *info, const struct openpgp_key *key, struct bytes packet,
                    struct bytes document, struct error **error);
/* Is this the key's RSA value (PKCS#1 v1.5) over a SHA-256 digest? */
bool openpgp_verify_value(const struct openpgp_key *key, const uint8_t digest[32], struct bytes rsa_value);
/* Exactly one key block that openpgp_key_parse() takes; user attributes and what is not a self-signature, a
 * binding or a revocation by the key itself are cut out. Appends the cleaned block. */
bool openpgp_screen_key(struct buffer *out, struct bytes block, struct error **error);

#endif
