/* SPDX-License-Identifier: ISC */
#include "keyring/pgp.h"

#include <openssl/evp.h>

#include "keyring/agent.h"

/* Signatures are built here and not by gpg: it writes subpackets that the 2013 reader does not know, offers
 * no expiry for one signature, and is a process more. The agent makes the RSA value. */

/* libgcrypt's: SHA-1 of the modulus as a positive number with its sign byte. */
static bool keygrip(char out[41], const struct openpgp_key *key)
{
    uint8_t digest[20];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestInit_ex2(context, EVP_sha1(), NULL) == 1 &&
                (!(key->n.data[0] & 0x80) || EVP_DigestUpdate(context, "", 1) == 1) &&
                EVP_DigestUpdate(context, key->n.data, key->n.size) == 1 &&
                EVP_DigestFinal_ex(context, digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    hex_upper(out, digest, sizeof(digest));
    return good;
}

static bool digest_of(uint8_t digest[32], struct bytes document, struct bytes trailer)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestInit_ex2(context, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(context, document.data, document.size) == 1 &&
                EVP_DigestUpdate(context, trailer.data, trailer.size) == 1 &&
                EVP_DigestFinal_ex(context, digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

static bool sign_digest(const char *home, const struct openpgp_key *key, const uint8_t digest[32],
                        struct bytes passphrase, struct buffer *rsa_value, struct error **error)
{
    char grip[41];
    if (!keygrip(grip, key))
        return error_set(error, ERROR_INTERNAL, "SHA-1 failed");
    struct agent *agent = agent_open(home, error);
    bool good = agent && agent_sign(agent, rsa_value, grip, digest, passphrase, error);
    agent_close(agent);
    return good;
}

bool pgp_sign(const char *home, const struct openpgp_key *key, struct bytes passphrase,
              const struct openpgp_signing *signing, struct bytes document, struct buffer *packet,
              struct error **error)
{
    uint8_t digest[32];
    struct buffer hashed = buffer_make(512), trailer = buffer_make(1024), value = buffer_make(1024);
    bool good = (openpgp_signature_input(&hashed, &trailer, signing) &&
                 digest_of(digest, document, buffer_view(&trailer))) ||
                error_set(error, ERROR_INTERNAL, "the signature could not be built");
    good = good && sign_digest(home, key, digest, passphrase, &value, error);
    /* A wrong RSA value, let out, could give the key away. */
    if (good && !openpgp_verify_value(key, digest, buffer_view(&value)))
        good = error_set(error, ERROR_INTERNAL, "the agent's signature is wrong");
    if (good && !openpgp_signature_packet(packet, buffer_view(&hashed), digest, buffer_view(&value)))
        good = error_set(error, ERROR_INTERNAL, "the signature could not be built");
    buffer_free(&hashed);
    buffer_free(&trailer);
    buffer_free(&value);
    return good;
}

bool pgp_check_passphrase(const char *home, const struct openpgp_key *key, struct bytes passphrase,
                          struct error **error)
{
    static const uint8_t nothing[32]; /* no document has this digest, and the value goes nowhere */
    struct buffer value = buffer_make(1024);
    bool good = sign_digest(home, key, nothing, passphrase, &value, error);
    buffer_free(&value);
    return good;
}

bool pgp_portable_block(const char *home, const struct openpgp_key *key, uint32_t now, uint8_t key_flags,
                        struct bytes passphrase, struct buffer *block, struct error **error)
{
    uint8_t digest[32];
    struct buffer hashed = buffer_make(64), input = buffer_make(64 * 1024), value = buffer_make(1024);
    uint32_t created = now > key->created ? now : key->created;
    bool good = (openpgp_selfsig_input(&hashed, &input, key, created, key_flags) &&
                 digest_of(digest, buffer_view(&input), bytes_of(NULL, 0))) ||
                error_set(error, ERROR_INTERNAL, "the self-signature could not be built");
    good = good && sign_digest(home, key, digest, passphrase, &value, error);
    if (good && !openpgp_portable_block(block, key, buffer_view(&hashed), digest, buffer_view(&value)))
        good = error_set(error, ERROR_INTERNAL, "the public block could not be built");
    buffer_free(&hashed);
    buffer_free(&input);
    buffer_free(&value);
    return good;
}

bool pgp_store_again(const char *home, const struct openpgp_key *key, struct bytes passphrase,
                     struct error **error)
{
    char grip[41];
    if (!keygrip(grip, key))
        return error_set(error, ERROR_INTERNAL, "SHA-1 failed");
    struct agent *agent = agent_open(home, error);
    bool good = agent && agent_store_again(agent, grip, passphrase, error);
    agent_close(agent);
    return good;
}
