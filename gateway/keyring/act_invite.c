/* SPDX-License-Identifier: ISC */
#include "keyring/worker.h"

#include <openssl/crypto.h>
#include <string.h>
#include <time.h>

/* protocol 05 §2; expiry and addressee in the signature: 06 W-I1, W-I2. */
enum { HASH_SIZE = 20, KEY_SIZE = 16, SIGNED_SIZE = HASH_SIZE + KEY_SIZE + 8, SIGNATURE_SIZE_MAX = 800 };
enum { BLOCK_SIZE_MAX = 64 * 1024, BLOB_SIZE_MAX = 8 * 1024, PLAIN_SIZE_MAX = 4096, TYPE_DOCUMENT = 0 };

static const char *const sealings[] = {
    [KEYRING_SEALING_NONE] = NULL,
    [KEYRING_SEALING_SUPPORTED] = "supported",
    [KEYRING_SEALING_ONLY] = "only",
};

static bool sign_invite(const struct request *request, const char *home, const struct openpgp_key *to,
                        struct buffer *plain, struct error **error)
{
    struct buffer block = buffer_make(BLOCK_SIZE_MAX), packet = buffer_make(PLAIN_SIZE_MAX);
    struct openpgp_key own;
    char addressee[41];
    hex_upper(addressee, to->fingerprint, sizeof(to->fingerprint));
    int64_t now = (int64_t)time(NULL);
    bool good = worker_own_key(home, request, &block, &own, error);
    if (good && (request->expires <= now || request->expires - now > UINT32_MAX))
        good = error_set(error, ERROR_INVALID, "an invite ends in the future");
    if (good) {
        struct openpgp_signing signing = {.created = (uint32_t)now,
                                          .expires = (uint32_t)(request->expires - now),
                                          .notations[0] = {KEYRING_NOTATION_ADDRESSEE, addressee}};
        if (sealings[request->sealing])
            signing.notations[1] = (struct openpgp_note){KEYRING_NOTATION_SEALED, sealings[request->sealing]};
        memcpy(signing.issuer, own.id, sizeof(own.id));
        buffer_append(plain, request->hash, HASH_SIZE);
        buffer_append(plain, request->key, KEY_SIZE);
        buffer_append(plain, own.id, sizeof(own.id));
        good = pgp_sign(home, &own, request->passphrase, &signing, buffer_view(plain), &packet, error);
    }
    if (good && buffer_size(&packet) > SIGNATURE_SIZE_MAX)
        good = error_set(error, ERROR_LIMIT, "the key of this account is too large for invites");
    good = good && buffer_append_bytes(plain, buffer_view(&packet));
    buffer_free(&block);
    buffer_free(&packet);
    return good;
}

bool act_invite_new(struct worker *worker, const struct request *request, const char *home,
                    struct result *result, struct error **error)
{
    (void)worker;
    struct buffer block = buffer_make(BLOCK_SIZE_MAX), plain = buffer_make(PLAIN_SIZE_MAX);
    struct openpgp_key to;
    plain.secret = true;
    bool good = worker_foreign_key(request->key_block, &block, &to, error) ||
                error_prefix(error, "the addressee's key");
    good = good && sign_invite(request, home, &to, &plain, error) &&
           openpgp_encrypt(&result->link_blob, &to, buffer_view(&plain), &random_system, error);
    buffer_free(&block);
    buffer_free(&plain);
    return good;
}

static bool decrypt_invite(const struct request *request, const char *home, struct openpgp_key *own,
                           struct buffer *own_block, struct buffer *plain, struct error **error)
{
    if (request->data.size > BLOB_SIZE_MAX)
        return error_set(error, ERROR_LIMIT, "the invite is larger than %d bytes", BLOB_SIZE_MAX);
    if (!worker_decrypt(home, request, own_block, own, plain, error))
        return false;
    if (buffer_size(plain) <= SIGNED_SIZE || buffer_size(plain) > SIGNED_SIZE + SIGNATURE_SIZE_MAX)
        return error_set(error, ERROR_INVALID, "what the invite holds has the wrong size");
    return true;
}

static bool check_addressee(const struct openpgp_signature_info *info, const struct openpgp_key *own,
                            struct result *result, struct error **error)
{
    struct bytes value;
    char expected[41];
    hex_upper(expected, own->fingerprint, sizeof(own->fingerprint));
    if (!openpgp_notation(info, KEYRING_NOTATION_ADDRESSEE, &value))
        return true;
    if (!bytes_equal(value, bytes_of_string(expected)))
        return error_set(error, ERROR_DENIED, "the invite was made for somebody else and passed on");
    result->answer.addressee_bound = true;
    result->answer.sealed = openpgp_notation(info, KEYRING_NOTATION_SEALED, &value);
    result->answer.sealed_only =
        result->answer.sealed && bytes_equal(value, bytes_of_string(sealings[KEYRING_SEALING_ONLY]));
    return true;
}

static bool check_invite(struct worker *worker, const struct request *request, struct bytes plain,
                         const struct openpgp_key *own, struct result *result, struct error **error)
{
    struct buffer block = buffer_make(BLOCK_SIZE_MAX);
    struct openpgp_key inviter;
    struct openpgp_signature_info info;
    struct bytes header = bytes_of(plain.data, SIGNED_SIZE);
    struct bytes signature = bytes_of(plain.data + SIGNED_SIZE, plain.size - SIGNED_SIZE);
    bool good = worker_foreign_key(request->key_block, &block, &inviter, error) ||
                error_prefix(error, "the inviter's key");
    if (good && memcmp(header.data + HASH_SIZE + KEY_SIZE, inviter.id, sizeof(inviter.id)) != 0)
        good = error_set(error, ERROR_DENIED, "the invite is by another key than the one given");
    good = good && openpgp_screen_signature(&info, signature, error);
    if (good && (info.type != TYPE_DOCUMENT || memcmp(info.issuer, inviter.id, sizeof(inviter.id)) != 0))
        good = error_set(error, ERROR_DENIED, "the invite's signature names another key");
    good = good && (pgp_verify(worker->verify_home, buffer_view(&block), inviter.fingerprint, signature,
                               header, error) ||
                    error_prefix(error, "the invite"));
    if (good) {
        memcpy(result->answer.fingerprint, inviter.fingerprint, sizeof(inviter.fingerprint));
        result->answer.expires = info.expires ? (int64_t)info.created + info.expires : 0;
        good = check_addressee(&info, own, result, error);
    }
    if (good && result->answer.expires != 0 && result->answer.expires <= (int64_t)time(NULL))
        good = error_set(error, ERROR_EXPIRED, "the invite has expired");
    buffer_free(&block);
    return good;
}

bool act_invite_open(struct worker *worker, const struct request *request, const char *home,
                     struct result *result, struct error **error)
{
    struct buffer own_block = buffer_make(BLOCK_SIZE_MAX), plain = buffer_make(PLAIN_SIZE_MAX);
    struct openpgp_key own;
    plain.secret = true;
    bool good = decrypt_invite(request, home, &own, &own_block, &plain, error);
    struct bytes view = buffer_view(&plain);
    if (good && request->key_block.size == 0) {
        memcpy(result->answer.fingerprint + 12, view.data + HASH_SIZE + KEY_SIZE, 8);
        good = error_set(error, ERROR_NOT_FOUND, "the inviter's key is needed");
    }
    good = good && check_invite(worker, request, view, &own, result, error);
    if (good) {
        memcpy(result->answer.hash, view.data, HASH_SIZE);
        memcpy(result->answer.key, view.data + HASH_SIZE, KEY_SIZE);
    }
    buffer_free(&own_block);
    buffer_free(&plain);
    return good;
}
