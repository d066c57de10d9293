/* SPDX-License-Identifier: ISC */
#include "crypto/openpgp.h"
#include "crypto/openpgp_packet.h"

#include <openssl/evp.h>
#include <string.h>

enum { BLOCK_SIZE_MAX = 64 * 1024, PACKETS_MAX = 512, BITS_MIN = 1024, BITS_MAX = 8192 };

/* What the packets that follow belong to. */
enum owner { OWNER_NONE, OWNER_PRIMARY, OWNER_USER_ID, OWNER_ATTRIBUTE, OWNER_SUBKEY };

struct walk {
    struct openpgp_key *key;
    enum owner owner;
    size_t packets, user_ids;
    bool secret;           /* a secret block: the same packets under other tags */
    bool has_self;         /* a self-signature over the first user id was seen */
    uint32_t self_created; /* of the newest one */
    struct buffer *clean;  /* NULL: only read */
};

static bool fingerprint(struct openpgp_key *key, struct bytes body)
{
    uint8_t head[3] = {0x99, (uint8_t)(body.size >> 8), (uint8_t)body.size};
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestInit_ex2(context, EVP_sha1(), NULL) == 1 &&
                EVP_DigestUpdate(context, head, sizeof(head)) == 1 &&
                EVP_DigestUpdate(context, body.data, body.size) == 1 &&
                EVP_DigestFinal_ex(context, key->fingerprint, NULL) == 1;
    EVP_MD_CTX_free(context);
    memcpy(key->id, key->fingerprint + 12, sizeof(key->id));
    return good;
}

static bool read_primary(struct walk *walk, struct bytes body, struct error **error)
{
    struct openpgp_key *key = walk->key;
    struct reader reader = reader_of(body);
    uint8_t version = read_u8(&reader);
    key->created = read_u32(&reader);
    uint8_t algorithm = read_u8(&reader);
    if (reader.failed || version != 4 || algorithm < 1 || algorithm > 3)
        return error_set(error, ERROR_INVALID, "the key is not an RSA key of version 4");
    unsigned exponent_bits;
    key->n = mpi_read(&reader, &key->bits);
    key->e = mpi_read(&reader, &exponent_bits);
    size_t public_size = body.size - reader.left;
    if (reader.failed || (!walk->secret && reader.left > 0))
        return error_set(error, ERROR_INVALID, "the key packet is malformed");
    if (key->bits < BITS_MIN || key->bits > BITS_MAX)
        return error_set(error, ERROR_INVALID, "the key has %u bits; %d to %d are taken", key->bits, BITS_MIN,
                         BITS_MAX);
    if (exponent_bits < 2 || exponent_bits > 64 || !(key->e.data[key->e.size - 1] & 1) ||
        !(key->n.data[key->n.size - 1] & 1))
        return error_set(error, ERROR_INVALID, "the key's numbers are not those of an RSA key");
    key->public_body = bytes_of(body.data, public_size);
    key->can_encrypt = algorithm != 3;
    key->can_certify = algorithm != 2;
    if (!fingerprint(key, key->public_body))
        return error_set(error, ERROR_INTERNAL, "SHA-1 failed");
    return true;
}

/* Bytes of the UTF-8 sequence at the front; 0 when it is none. */
static size_t sequence_size(struct bytes text)
{
    uint8_t first = text.data[0];
    size_t size = first < 0x80   ? 1
                  : first < 0xc2 ? 0
                  : first < 0xe0 ? 2
                  : first < 0xf0 ? 3
                  : first < 0xf5 ? 4
                                 : 0;
    if (size == 0 || size > text.size)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((text.data[i] & 0xc0) != 0x80)
            return 0;
    uint8_t second = size > 2 ? text.data[1] : 0x80;
    bool bad = (first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0) ||
               (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90);
    return bad ? 0 : size;
}

/* Valid UTF-8 without control characters, cut at a character; what is neither becomes '?'. */
static void copy_text(char *out, size_t room, struct bytes text)
{
    size_t used = 0;
    while (text.size > 0) {
        size_t size = sequence_size(text);
        bool plain = size > 1 || (size == 1 && text.data[0] >= 0x20 && text.data[0] != 0x7f);
        size_t step = size ? size : 1;
        if (used + (plain ? step : 1) >= room)
            break;
        memcpy(out + used, plain ? (const char *)text.data : "?", plain ? step : 1);
        used += plain ? step : 1;
        text = bytes_of(text.data + step, text.size - step);
    }
    out[used] = '\0';
}

/* The name is the text before the first "(" or "<", without spaces at its end (protocol 10 §1.1). */
static void read_user_id(struct openpgp_key *key, struct bytes body)
{
    key->user_id_body = body;
    copy_text(key->user_id, sizeof(key->user_id), body);
    size_t size = 0;
    while (size < body.size && body.data[size] != '(' && body.data[size] != '<')
        size++;
    while (size > 0 && body.data[size - 1] == ' ')
        size--;
    copy_text(key->name, sizeof(key->name), bytes_of(body.data, size));
}

/* RFC 4880 §5.2.3.21: 01 certify, 04 and 08 encrypt. */
static void take_flags(struct walk *walk, const struct signature *signature)
{
    if (walk->has_self && signature->created < walk->self_created)
        return;
    walk->has_self = true;
    walk->self_created = signature->created;
    uint8_t algorithm = walk->key->public_body.data[5];
    walk->key->can_certify = algorithm != 2 && (!signature->has_flags || signature->flags & 0x01);
    walk->key->can_encrypt = algorithm != 3 && (!signature->has_flags || signature->flags & 0x0c);
}

static bool is_certification(uint8_t type)
{
    return type >= 0x10 && type <= 0x13;
}

/* Signatures that the key made about itself: over user ids, its subkeys, and its revocations. */
static bool is_own(const struct walk *walk, const struct signature *signature)
{
    if (signature->version != 4 || memcmp(signature->issuer, walk->key->id, sizeof(walk->key->id)) != 0)
        return false;
    switch (walk->owner) {
    case OWNER_PRIMARY:
        return signature->type == 0x1f || signature->type == 0x20;
    case OWNER_USER_ID:
        return is_certification(signature->type) || signature->type == 0x30;
    case OWNER_SUBKEY:
        return signature->type == 0x18 || signature->type == 0x28;
    default:
        return false;
    }
}

static bool take_signature(struct walk *walk, const struct packet *packet, struct error **error)
{
    struct signature signature;
    if (walk->owner == OWNER_NONE || !signature_read(&signature, packet->body))
        return error_set(error, ERROR_INVALID, "the key block holds a malformed signature");
    if (!is_own(walk, &signature))
        return true;
    if (walk->user_ids == 1 && walk->owner == OWNER_USER_ID && is_certification(signature.type))
        take_flags(walk, &signature);
    if (walk->clean)
        buffer_append_bytes(walk->clean, packet->whole);
    return true;
}

static bool take_packet(struct walk *walk, const struct packet *packet, struct error **error)
{
    uint8_t primary = walk->secret ? TAG_SECRET_KEY : TAG_PUBLIC_KEY;
    uint8_t subkey = walk->secret ? TAG_SECRET_SUBKEY : TAG_PUBLIC_SUBKEY;
    if (packet->tag == TAG_SIGNATURE)
        return take_signature(walk, packet, error);
    if (packet->tag == primary) {
        if (walk->owner != OWNER_NONE)
            return error_set(error, ERROR_INVALID, "the block holds more than one key");
        walk->owner = OWNER_PRIMARY;
        if (!read_primary(walk, packet->body, error))
            return false;
    } else if (walk->owner == OWNER_NONE) {
        return error_set(error, ERROR_INVALID, "the block does not begin with a %s key",
                         walk->secret ? "secret" : "public");
    } else if (packet->tag == TAG_USER_ID && walk->owner != OWNER_SUBKEY) {
        walk->owner = OWNER_USER_ID;
        if (walk->user_ids++ == 0)
            read_user_id(walk->key, packet->body);
    } else if (packet->tag == TAG_USER_ATTRIBUTE && walk->owner != OWNER_SUBKEY) {
        walk->owner = OWNER_ATTRIBUTE;
        return true;
    } else if (packet->tag == subkey) {
        walk->owner = OWNER_SUBKEY;
        walk->key->subkeys++;
    } else {
        return error_set(error, ERROR_INVALID,
                         "the key block holds a packet that does not belong there (tag %u)", packet->tag);
    }
    if (walk->clean)
        buffer_append_bytes(walk->clean, packet->whole);
    return true;
}

static bool walk_block(struct walk *walk, struct bytes block, struct error **error)
{
    *walk->key = (struct openpgp_key){0};
    if (block.size > BLOCK_SIZE_MAX)
        return error_set(error, ERROR_LIMIT, "the key block is larger than %d bytes", BLOCK_SIZE_MAX);
    struct reader reader = reader_of(block);
    struct packet packet;
    while (reader.left > 0) {
        if (!packet_read(&reader, &packet))
            return error_set(error, ERROR_INVALID, "the key block is not made of whole OpenPGP packets");
        if (++walk->packets > PACKETS_MAX)
            return error_set(error, ERROR_LIMIT, "the key block holds more than %d packets", PACKETS_MAX);
        if (!take_packet(walk, &packet, error))
            return false;
    }
    if (walk->owner == OWNER_NONE)
        return error_set(error, ERROR_INVALID, "there is no key in the block");
    if (walk->user_ids == 0)
        return error_set(error, ERROR_INVALID, "the key has no user id");
    return true;
}

bool openpgp_key_parse(struct openpgp_key *out, struct bytes block, struct error **error)
{
    return walk_block(&(struct walk){.key = out}, block, error);
}

bool openpgp_secret_key_parse(struct openpgp_key *out, struct bytes block, struct error **error)
{
    return walk_block(&(struct walk){.key = out, .secret = true}, block, error);
}

bool openpgp_screen_key(struct buffer *out, struct bytes block, struct error **error)
{
    struct openpgp_key key;
    size_t before = buffer_size(out);
    bool good = walk_block(&(struct walk){.key = &key, .clean = out}, block, error);
    if (good && out->failed)
        good = error_set(error, ERROR_LIMIT, "no room for the key block");
    if (!good)
        out->end -= buffer_size(out) - before;
    return good;
}
