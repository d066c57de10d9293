/* SPDX-License-Identifier: ISC */
#include "crypto/openpgp.h"
#include "crypto/openpgp_packet.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <string.h>

/* Secret key packets (RFC 4880 §5.5.3, §3.7). RetroShare's keys have p > q, as OpenSSL makes them, where
 * OpenPGP wants p < q: with such a key libgcrypt's decryptions and signatures are now and then wrong. So a
 * key is put right before GnuPG gets it, and for that it is opened here. */

enum {
    USAGE_PLAIN = 0,
    USAGE_SHA1 = 254, /* protected, ends with SHA-1 */
    USAGE_SUM = 255,  /* protected, ends with a 16-bit sum */
    S2K_SIMPLE = 0,
    S2K_SALTED = 1,
    S2K_ITERATED = 3,
    COUNT_65536 = 0x60,
    AES_256 = 9,
    SHA_256 = 8,
    KEY_SIZE_MAX = 32,
    BLOCK_SIZE_MAX = 16,
    SECRET_SIZE_MAX = 4096,
};

static const struct cipher {
    uint8_t id;
    const char *name;
    uint8_t key_size, block_size;
} ciphers[] = {
    {2, "DES-EDE3-CFB", 24, 8}, {3, "CAST5-CFB", 16, 8},          {7, "AES-128-CFB", 16, 16},
    {8, "AES-192-CFB", 24, 16}, {AES_256, "AES-256-CFB", 32, 16},
};

static const struct {
    uint8_t id;
    const char *name;
} hashes[] = {{2, "SHA1"}, {SHA_256, "SHA256"}, {9, "SHA384"}, {10, "SHA512"}};

struct s2k {
    const struct cipher *cipher;
    const char *hash;
    uint8_t salt[8];
    size_t salt_size;
    size_t count; /* bytes to hash at least */
};

/* d, p, q and u of an RSA key. */
struct numbers {
    struct bytes d, p, q, u;
};

static bool read_s2k(struct s2k *out, struct reader *reader)
{
    *out = (struct s2k){0};
    uint8_t cipher = read_u8(reader), type = read_u8(reader), hash = read_u8(reader);
    for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
        if (ciphers[i].id == cipher)
            out->cipher = &ciphers[i];
    for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++)
        if (hashes[i].id == hash)
            out->hash = hashes[i].name;
    if (type != S2K_SIMPLE) {
        out->salt_size = sizeof(out->salt);
        read_copy(reader, out->salt, sizeof(out->salt));
    }
    if (type == S2K_ITERATED) {
        unsigned coded = read_u8(reader);
        out->count = (size_t)(16 + (coded & 15)) << ((coded >> 4) + 6);
    }
    return !reader->failed && out->cipher && out->hash &&
           (type == S2K_SIMPLE || type == S2K_SALTED || type == S2K_ITERATED);
}

/* One digest of `zeros` zero bytes and salt || passphrase, repeated up to the count but at least once. */
static bool hash_passphrase(EVP_MD_CTX *context, const EVP_MD *digest, const struct s2k *s2k, size_t zeros,
                            struct bytes passphrase, uint8_t *out)
{
    static const uint8_t zero[KEY_SIZE_MAX];
    size_t once = s2k->salt_size + passphrase.size, left = s2k->count > once ? s2k->count : once;
    bool good = EVP_DigestInit_ex2(context, digest, NULL) == 1 && EVP_DigestUpdate(context, zero, zeros) == 1;
    while (good && left > 0) {
        size_t salt = left < s2k->salt_size ? left : s2k->salt_size;
        size_t text = left - salt < passphrase.size ? left - salt : passphrase.size;
        good = EVP_DigestUpdate(context, s2k->salt, salt) == 1 &&
               EVP_DigestUpdate(context, passphrase.data, text) == 1;
        left -= salt + text;
    }
    return good && EVP_DigestFinal_ex(context, out, NULL) == 1;
}

static bool derive(uint8_t key[KEY_SIZE_MAX], const struct s2k *s2k, struct bytes passphrase)
{
    EVP_MD *digest = EVP_MD_fetch(NULL, s2k->hash, NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t part[EVP_MAX_MD_SIZE];
    bool good = digest && context;
    size_t have = 0;
    for (size_t zeros = 0; good && have < s2k->cipher->key_size; zeros++) {
        size_t size = (size_t)EVP_MD_get_size(digest), want = s2k->cipher->key_size - have;
        good = hash_passphrase(context, digest, s2k, zeros, passphrase, part);
        memcpy(key + have, part, want < size ? want : size);
        have += size;
    }
    OPENSSL_cleanse(part, sizeof(part));
    EVP_MD_CTX_free(context);
    EVP_MD_free(digest);
    return good;
}

/* CAST5 has gone to a provider that is not loaded by default; a library context of its own leaves the others
 * alone. */
static bool crypt(const struct s2k *s2k, struct bytes passphrase, const uint8_t *iv, uint8_t *data,
                  size_t size, bool encrypt)
{
    uint8_t key[KEY_SIZE_MAX];
    OSSL_LIB_CTX *library = OSSL_LIB_CTX_new();
    OSSL_PROVIDER *standard = library ? OSSL_PROVIDER_load(library, "default") : NULL;
    OSSL_PROVIDER *legacy = library && s2k->cipher->id == 3 ? OSSL_PROVIDER_load(library, "legacy") : NULL;
    EVP_CIPHER *cipher = standard ? EVP_CIPHER_fetch(library, s2k->cipher->name, NULL) : NULL;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int written = 0;
    bool good = cipher && context && derive(key, s2k, passphrase) &&
                EVP_CipherInit_ex2(context, cipher, key, iv, encrypt, NULL) == 1 &&
                EVP_CipherUpdate(context, data, &written, data, (int)size) == 1 && (size_t)written == size;
    OPENSSL_cleanse(key, sizeof(key));
    EVP_CIPHER_CTX_free(context);
    EVP_CIPHER_free(cipher);
    OSSL_PROVIDER_unload(legacy);
    OSSL_PROVIDER_unload(standard);
    OSSL_LIB_CTX_free(library);
    return good;
}

static bool tail_fits(struct bytes plain, uint8_t usage)
{
    if (usage == USAGE_SHA1) {
        uint8_t digest[20];
        return plain.size > 20 &&
               EVP_Digest(plain.data, plain.size - 20, digest, NULL, EVP_sha1(), NULL) == 1 &&
               bytes_equal_secret(bytes_of(digest, 20), bytes_of(plain.data + plain.size - 20, 20));
    }
    unsigned sum = 0;
    if (plain.size < 2)
        return false;
    for (size_t i = 0; i + 2 < plain.size; i++)
        sum += plain.data[i];
    return plain.data[plain.size - 2] == (uint8_t)(sum >> 8) && plain.data[plain.size - 1] == (uint8_t)sum;
}

/* Appends d, p, q, u as they stand in the packet, without what ends them. */
static bool unlock(struct buffer *plain, struct bytes protected_part, struct bytes passphrase,
                   struct error **error)
{
    struct reader reader = reader_of(protected_part);
    struct s2k s2k;
    uint8_t usage = read_u8(&reader), iv[BLOCK_SIZE_MAX];
    if (usage == USAGE_SHA1 || usage == USAGE_SUM) {
        if (!read_s2k(&s2k, &reader))
            return error_set(error, ERROR_INVALID, "the secret key is protected in a way that is not known");
        read_copy(&reader, iv, s2k.cipher->block_size);
    } else if (usage != USAGE_PLAIN) {
        return error_set(error, ERROR_INVALID, "the secret key is protected in a way that is not known");
    }
    uint8_t *into =
        reader.failed || reader.left > SECRET_SIZE_MAX ? NULL : buffer_reserve(plain, reader.left);
    if (!into)
        return error_set(error, ERROR_INVALID, "the secret key packet is malformed");
    size_t size = reader.left;
    read_copy(&reader, into, size);
    buffer_commit(plain, size);
    if (usage != USAGE_PLAIN && !crypt(&s2k, passphrase, iv, into, size, false))
        return error_set(error, ERROR_INTERNAL, "the secret key's cipher is not available");
    if (!tail_fits(bytes_of(into, size), usage))
        return usage == USAGE_PLAIN ? error_set(error, ERROR_INVALID, "the secret key packet is damaged")
                                    : error_set(error, ERROR_DENIED, "the key's old passphrase is wrong");
    plain->end -= usage == USAGE_SHA1 ? 20 : 2;
    return true;
}

static bool write_number(struct buffer *out, const BIGNUM *number)
{
    size_t size = (size_t)BN_num_bytes(number);
    buffer_u16(out, (uint16_t)BN_num_bits(number));
    uint8_t *into = buffer_reserve(out, size);
    if (!into)
        return false;
    BN_bn2bin(number, into);
    buffer_commit(out, size);
    return true;
}

/* Checks n = pq and ed = 1, puts the smaller prime first, and computes u = 1/p mod q (RFC 4880 §5.5.3). */
static bool put_right(struct buffer *out, const struct openpgp_key *key, const struct numbers *in)
{
    BN_CTX *context = BN_CTX_secure_new();
    if (!context)
        return false;
    BN_CTX_start(context);
    BIGNUM *n = BN_CTX_get(context), *e = BN_CTX_get(context), *d = BN_CTX_get(context),
           *p = BN_CTX_get(context), *q = BN_CTX_get(context), *work = BN_CTX_get(context),
           *other = BN_CTX_get(context);
    bool good = other && BN_bin2bn(key->n.data, (int)key->n.size, n) &&
                BN_bin2bn(key->e.data, (int)key->e.size, e) && BN_bin2bn(in->d.data, (int)in->d.size, d) &&
                BN_bin2bn(in->p.data, (int)in->p.size, p) && BN_bin2bn(in->q.data, (int)in->q.size, q) &&
                BN_mul(work, p, q, context) && BN_cmp(work, n) == 0 && !BN_is_one(p) && !BN_is_one(q);
    if (good && BN_cmp(p, q) > 0)
        BN_swap(p, q);
    /* For each prime: e * d = 1 modulo it less one. */
    for (int i = 0; good && i < 2; i++)
        good = BN_copy(other, i ? q : p) && BN_sub_word(other, 1) && BN_mod_mul(work, e, d, other, context) &&
               BN_is_one(work);
    BN_set_flags(p, BN_FLG_CONSTTIME);
    good = good && BN_mod_inverse(work, p, q, context) && write_number(out, d) && write_number(out, p) &&
           write_number(out, q) && write_number(out, work);
    BN_CTX_end(context);
    BN_CTX_free(context);
    return good;
}

static bool read_numbers(struct numbers *out, struct bytes plain)
{
    struct reader reader = reader_of(plain);
    out->d = mpi_read(&reader, NULL);
    out->p = mpi_read(&reader, NULL);
    out->q = mpi_read(&reader, NULL);
    out->u = mpi_read(&reader, NULL);
    return reader_done(&reader) && out->d.size > 0 && out->p.size > 0 && out->q.size > 0;
}

/* The packet with AES-256 under the new passphrase. */
static bool write_packet(struct buffer *out, const struct openpgp_key *key, struct buffer *numbers,
                         struct bytes passphrase, const struct random_source *random)
{
    struct s2k s2k = {.cipher = &ciphers[4], .hash = "SHA256", .salt_size = 8, .count = 65536};
    uint8_t iv[BLOCK_SIZE_MAX], digest[20];
    random->fill(random->state, s2k.salt, sizeof(s2k.salt));
    random->fill(random->state, iv, sizeof(iv));
    struct bytes view = buffer_view(numbers);
    if (EVP_Digest(view.data, view.size, digest, NULL, EVP_sha1(), NULL) != 1 ||
        !buffer_append(numbers, digest, sizeof(digest)) ||
        !crypt(&s2k, passphrase, iv, numbers->memory + numbers->start, buffer_size(numbers), true))
        return false;
    packet_header(out, TAG_SECRET_KEY, key->public_body.size + 13 + sizeof(iv) + buffer_size(numbers));
    buffer_append_bytes(out, key->public_body);
    buffer_append(out, (uint8_t[]){USAGE_SHA1, AES_256, S2K_ITERATED, SHA_256}, 4);
    buffer_append(out, s2k.salt, sizeof(s2k.salt));
    buffer_u8(out, COUNT_65536);
    buffer_append(out, iv, sizeof(iv));
    return buffer_append_bytes(out, buffer_view(numbers));
}

bool openpgp_secret_rewrap(struct buffer *out, struct bytes block, struct bytes old_passphrase,
                           struct bytes passphrase, const struct random_source *random, struct error **error)
{
    struct openpgp_key key;
    struct numbers numbers;
    struct packet first;
    struct buffer plain = buffer_make(SECRET_SIZE_MAX), right = buffer_make(SECRET_SIZE_MAX);
    plain.secret = right.secret = true;
    struct reader reader = reader_of(block);
    size_t before = buffer_size(out);
    bool good = openpgp_secret_key_parse(&key, block, error);
    if (good && (!packet_read(&reader, &first) || key.subkeys > 0))
        good = error_set(error, ERROR_INVALID, "the key has subkeys, which RetroShare does not take");
    if (good) {
        size_t public_size = key.public_body.size;
        good = unlock(&plain, bytes_of(first.body.data + public_size, first.body.size - public_size),
                      old_passphrase, error);
    }
    if (good && (!read_numbers(&numbers, buffer_view(&plain)) || !put_right(&right, &key, &numbers)))
        good = error_set(error, ERROR_INVALID, "the secret numbers do not belong to the key");
    if (good &&
        (!write_packet(out, &key, &right, passphrase, random) || !buffer_append(out, reader.at, reader.left)))
        good = error_set(error, ERROR_INTERNAL, "the secret key could not be written");
    if (!good)
        out->end -= buffer_size(out) - before;
    buffer_free(&plain);
    buffer_free(&right);
    return good;
}
