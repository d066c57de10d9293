/* SPDX-License-Identifier: ISC */
#include "crypto/openpgp.h"
#include "crypto/openpgp_packet.h"
#include "crypto/openpgp_rsa.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

enum {
    AES_256 = 9, /* RFC 4880 §9.2 */
    SESSION_KEY_SIZE = 32,
    BLOCK = 16,
    PREFIX_SIZE = BLOCK + 2,
    CODE_SIZE = 22, /* d3 14, SHA-1 */
    LITERAL_HEADER = 6,
    MODULUS_SIZE_MAX = 1024,
    PLAIN_SIZE_MAX = 64 * 1024 * 1024,
};

/* RFC 4880 §13.1.1: 00 02, random bytes without zero, 00, the message. The padding is ours because the
 * randomness comes from the caller. */
static void pad(uint8_t *block, size_t size, const uint8_t *message, size_t message_size,
                const struct random_source *random)
{
    uint8_t *filler = block + 2;
    size_t filler_size = size - message_size - 3;
    block[0] = 0;
    block[1] = 2;
    random->fill(random->state, filler, filler_size);
    for (size_t i = 0; i < filler_size; i++)
        while (filler[i] == 0)
            random->fill(random->state, filler + i, 1);
    filler[filler_size] = 0;
    memcpy(filler + filler_size + 1, message, message_size);
}

static bool rsa_raw(const struct openpgp_key *key, const uint8_t *block, uint8_t *into, size_t size)
{
    EVP_PKEY *public = openpgp_rsa(key);
    EVP_PKEY_CTX *context = public ? EVP_PKEY_CTX_new_from_pkey(NULL, public, NULL) : NULL;
    size_t written = size;
    bool good = context && EVP_PKEY_encrypt_init(context) == 1 &&
                EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING) == 1 &&
                EVP_PKEY_encrypt(context, into, &written, block, size) == 1 && written == size;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(public);
    return good;
}

static bool write_session_key(struct buffer *out, const struct openpgp_key *to,
                              const uint8_t session_key[SESSION_KEY_SIZE], const struct random_source *random)
{
    uint8_t message[1 + SESSION_KEY_SIZE + 2] = {AES_256};
    uint8_t block[MODULUS_SIZE_MAX], sealed[MODULUS_SIZE_MAX];
    unsigned sum = 0;
    for (size_t i = 0; i < SESSION_KEY_SIZE; i++)
        sum += message[1 + i] = session_key[i];
    message[1 + SESSION_KEY_SIZE] = (uint8_t)(sum >> 8);
    message[2 + SESSION_KEY_SIZE] = (uint8_t)sum;

    pad(block, to->n.size, message, sizeof(message), random);
    bool good = rsa_raw(to, block, sealed, to->n.size);
    OPENSSL_cleanse(message, sizeof(message));
    OPENSSL_cleanse(block, sizeof(block));
    if (!good)
        return false;

    struct bytes number = bytes_of(sealed, to->n.size);
    while (number.size > 0 && number.data[0] == 0) {
        number.data++;
        number.size--;
    }
    packet_header(out, TAG_SESSION_KEY, 10 + 2 + number.size);
    buffer_u8(out, 3);
    buffer_append(out, to->id, sizeof(to->id));
    buffer_u8(out, 1);
    return mpi_write(out, number);
}

/* In place. One context for one message: a message costs an RSA operation and a few hundred microseconds
 * anyway. */
static bool encrypt_cfb(uint8_t *data, size_t size, const uint8_t session_key[SESSION_KEY_SIZE])
{
    static const uint8_t zero[BLOCK];
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int written = 0;
    bool good = context && size <= INT_MAX &&
                EVP_EncryptInit_ex2(context, EVP_aes_256_cfb128(), session_key, zero, NULL) == 1 &&
                EVP_EncryptUpdate(context, data, &written, data, (int)size) == 1 && (size_t)written == size;
    EVP_CIPHER_CTX_free(context);
    return good;
}

/* RFC 4880 §5.13: random prefix whose last two bytes stand twice, literal packet, SHA-1 of all before it. */
static bool write_protected(struct buffer *out, const uint8_t session_key[SESSION_KEY_SIZE],
                            struct bytes plain, const struct random_source *random)
{
    size_t literal = LITERAL_HEADER + plain.size;
    size_t size = PREFIX_SIZE + packet_header_size(literal) + literal + CODE_SIZE;
    packet_header(out, TAG_PROTECTED_DATA, 1 + size);
    buffer_u8(out, 1);
    uint8_t *data = buffer_reserve(out, size);
    if (!data)
        return false;
    size_t begin = buffer_size(out);

    random->fill(random->state, data, BLOCK);
    memcpy(data + BLOCK, data + BLOCK - 2, 2);
    buffer_commit(out, PREFIX_SIZE);
    packet_header(out, TAG_LITERAL, literal);
    buffer_append(out, "b\0\0\0\0\0", LITERAL_HEADER);
    buffer_append_bytes(out, plain);
    packet_header(out, TAG_MODIFICATION_CODE, CODE_SIZE - 2);

    size_t hashed = buffer_size(out) - begin;
    uint8_t *digest = data + hashed;
    bool good = hashed + 20 == size && EVP_Digest(data, hashed, digest, NULL, EVP_sha1(), NULL) == 1;
    if (good)
        buffer_commit(out, 20);
    good = good && encrypt_cfb(data, size, session_key);
    if (!good)
        OPENSSL_cleanse(data, size);
    return good;
}

bool openpgp_encrypt(struct buffer *out, const struct openpgp_key *to, struct bytes plain,
                     const struct random_source *random, struct error **error)
{
    if (!to->can_encrypt)
        return error_set(error, ERROR_INVALID, "the recipient's primary key is not meant for encryption");
    if (plain.size > PLAIN_SIZE_MAX)
        return error_set(error, ERROR_LIMIT, "the message is larger than %d bytes", PLAIN_SIZE_MAX);
    if (to->n.size < 128 || to->n.size > MODULUS_SIZE_MAX)
        return error_set(error, ERROR_INVALID, "the recipient's key has a size that is not taken");
    /* Nothing may move while the packets are written around each other. */
    size_t before = buffer_size(out);
    if (!buffer_reserve(out, plain.size + to->n.size + 128))
        return error_set(error, ERROR_LIMIT, "no room for the encrypted message");

    uint8_t session_key[SESSION_KEY_SIZE];
    random->fill(random->state, session_key, sizeof(session_key));
    bool good = write_session_key(out, to, session_key, random) &&
                write_protected(out, session_key, plain, random) && !out->failed;
    OPENSSL_cleanse(session_key, sizeof(session_key));
    if (!good) {
        out->end -= buffer_size(out) - before;
        return error_set(error, ERROR_INTERNAL, "the message could not be encrypted to the recipient's key");
    }
    return true;
}
