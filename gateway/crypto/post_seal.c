/* SPDX-License-Identifier: ISC */
#include "crypto/post_seal.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "crypto/derive.h"

enum { KEY_SIZE = DERIVE_SIZE, NONCE_SIZE = 12, HASH_SIZE = 20, FRAME_VERSION = 1 };

bool post_pair_new(struct post_pair *out, const struct random_source *random)
{
    random->fill(random->state, out->secret, sizeof(out->secret));
    bool good = derive_public(out->public_key, out->secret);
    if (!good)
        OPENSSL_cleanse(out, sizeof(*out));
    return good;
}

bool post_secret(uint8_t out[32], const uint8_t root[32])
{
    return derive_expand(out, KEY_SIZE, bytes_of(root, KEY_SIZE), "retrogate post secret", bytes_of(NULL, 0));
}

/* T of §5. */
static bool transcript(uint8_t out[DERIVE_SIZE], const struct post_agreement *agreement)
{
    static const char label[] = "retrogate post 1";
    enum { LABEL_SIZE = sizeof(label) - 1, KEYS_AT = LABEL_SIZE + 2 * HASH_SIZE };
    const uint8_t *own = agreement->own->public_key;
    uint8_t said[KEYS_AT + 2 * KEY_SIZE];
    memcpy(said, label, LABEL_SIZE);
    memcpy(said + LABEL_SIZE, agreement->hash, HASH_SIZE);
    memcpy(said + LABEL_SIZE + HASH_SIZE, agreement->recipient, HASH_SIZE);
    memcpy(said + KEYS_AT, agreement->sender ? agreement->peer : own, KEY_SIZE);
    memcpy(said + KEYS_AT + KEY_SIZE, agreement->sender ? own : agreement->peer, KEY_SIZE);
    return EVP_Digest(said, sizeof(said), out, NULL, EVP_sha256(), NULL) == 1;
}

static bool schedule(struct post_keys *out, struct bytes prk)
{
    struct bytes none = bytes_of(NULL, 0);
    return derive_expand(out->forth, sizeof(out->forth), prk, "retrogate post key s", none) &&
           derive_expand(out->back, sizeof(out->back), prk, "retrogate post key r", none);
}

bool post_agree(struct post_keys *out, const struct post_agreement *agreement)
{
    uint8_t salt[DERIVE_SIZE], prk[DERIVE_SIZE], material[2 * KEY_SIZE]; /* P perhaps, then Z */
    size_t known = agreement->secret ? KEY_SIZE : 0;
    if (known > 0)
        memcpy(material, agreement->secret, known);
    bool good = transcript(salt, agreement) &&
                derive_shared(material + known, agreement->own->secret, agreement->peer) &&
                derive_hmac(prk, bytes_of(salt, sizeof(salt)), bytes_of(material, known + KEY_SIZE)) &&
                schedule(out, bytes_of(prk, sizeof(prk)));
    OPENSSL_cleanse(material, sizeof(material));
    OPENSSL_cleanse(prk, sizeof(prk));
    if (!good)
        OPENSSL_cleanse(out, sizeof(*out));
    return good;
}

struct box {
    const uint8_t *key, *nonce;
    struct bytes named; /* associated data */
};

static bool seal(struct buffer *out, const struct box *box, struct bytes plain)
{
    if (plain.size > INT_MAX - POST_TAG_SIZE)
        return false;
    uint8_t *into = buffer_reserve(out, plain.size + POST_TAG_SIZE);
    EVP_CIPHER_CTX *context = into ? EVP_CIPHER_CTX_new() : NULL;
    int size = 0, tail = 0;
    bool good =
        context && EVP_EncryptInit_ex2(context, EVP_chacha20_poly1305(), box->key, box->nonce, NULL) == 1 &&
        EVP_EncryptUpdate(context, NULL, &tail, box->named.data, (int)box->named.size) == 1 &&
        (plain.size == 0 || EVP_EncryptUpdate(context, into, &size, plain.data, (int)plain.size) == 1) &&
        EVP_EncryptFinal_ex(context, into + size, &tail) == 1 &&
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, POST_TAG_SIZE, into + plain.size) == 1;
    EVP_CIPHER_CTX_free(context);
    if (good)
        buffer_commit(out, plain.size + POST_TAG_SIZE);
    return good;
}

static bool unseal(struct buffer *out, const struct box *box, struct bytes sealed)
{
    if (sealed.size < POST_TAG_SIZE || sealed.size > INT_MAX)
        return false;
    size_t plain = sealed.size - POST_TAG_SIZE;
    uint8_t *into = buffer_reserve(out, plain);
    EVP_CIPHER_CTX *context = into ? EVP_CIPHER_CTX_new() : NULL;
    uint8_t tag[POST_TAG_SIZE];
    memcpy(tag, sealed.data + plain, POST_TAG_SIZE); /* the call below does not promise const */
    int size = 0, tail = 0;
    bool good = context &&
                EVP_DecryptInit_ex2(context, EVP_chacha20_poly1305(), box->key, box->nonce, NULL) == 1 &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, POST_TAG_SIZE, tag) == 1 &&
                EVP_DecryptUpdate(context, NULL, &tail, box->named.data, (int)box->named.size) == 1 &&
                (plain == 0 || EVP_DecryptUpdate(context, into, &size, sealed.data, (int)plain) == 1) &&
                EVP_DecryptFinal_ex(context, into + size, &tail) == 1;
    EVP_CIPHER_CTX_free(context);
    if (good)
        buffer_commit(out, plain);
    else if (into)
        OPENSSL_cleanse(into, plain); /* nothing unchecked stays behind the end of the buffer */
    return good;
}

/* What names a frame: version and E in the associated data, the counter in the nonce. */
struct frame {
    uint8_t nonce[NONCE_SIZE], named[1 + KEY_SIZE];
};

static struct box frame_box(struct frame *frame, const uint8_t key[KEY_SIZE],
                            const uint8_t ephemeral[KEY_SIZE], uint64_t counter)
{
    *frame = (struct frame){.named = {FRAME_VERSION}};
    memcpy(frame->named + 1, ephemeral, KEY_SIZE);
    for (size_t i = 0; i < 8; i++)
        frame->nonce[NONCE_SIZE - 1 - i] = (uint8_t)(counter >> 8 * i);
    return (struct box){key, frame->nonce, bytes_of(frame->named, sizeof(frame->named))};
}

bool post_seal(struct buffer *out, const uint8_t key[32], const uint8_t ephemeral[32], uint64_t counter,
               struct bytes plain)
{
    struct frame frame;
    struct box box = frame_box(&frame, key, ephemeral, counter);
    return seal(out, &box, plain);
}

bool post_unseal(struct buffer *out, const uint8_t key[32], const uint8_t ephemeral[32], uint64_t counter,
                 struct bytes sealed)
{
    struct frame frame;
    struct box box = frame_box(&frame, key, ephemeral, counter);
    return unseal(out, &box, sealed);
}

static bool greeting(bool (*act)(struct buffer *, const struct box *, struct bytes), struct buffer *out,
                     const uint8_t secret[KEY_SIZE], const uint8_t nonce[NONCE_SIZE],
                     const uint8_t hash[HASH_SIZE], struct bytes input)
{
    uint8_t key[KEY_SIZE];
    const struct box box = {key, nonce, bytes_of(hash, HASH_SIZE)};
    bool good = derive_expand(key, sizeof(key), bytes_of(secret, KEY_SIZE), "retrogate post greeting",
                              bytes_of(NULL, 0)) &&
                act(out, &box, input);
    OPENSSL_cleanse(key, sizeof(key));
    return good;
}

bool post_hide(struct buffer *out, const uint8_t secret[32], const uint8_t nonce[12], const uint8_t hash[20],
               struct bytes plain)
{
    return greeting(seal, out, secret, nonce, hash, plain);
}

bool post_unhide(struct buffer *out, const uint8_t secret[32], const uint8_t nonce[12],
                 const uint8_t hash[20], struct bytes hidden)
{
    return greeting(unseal, out, secret, nonce, hash, hidden);
}
