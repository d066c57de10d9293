/* SPDX-License-Identifier: ISC */
#include "crypto/openpgp.h"
#include "crypto/openpgp_packet.h"

#include <string.h>

enum {
    MESSAGE_RECIPIENTS_MAX = 8,
    SIGNATURE_SIZE_MAX = 4096,
    RSA_BITS_MAX = 8192,
    /* version; the shortest random prefix (block of 8, and 2); a literal packet without text; the
       modification code */
    PROTECTED_SIZE_MIN = 1 + 10 + 8 + 22,
};

static bool is_rsa_encrypt(uint8_t algorithm)
{
    return algorithm == 1 || algorithm == 2;
}

static bool screen_session_key(struct openpgp_message_info *info, struct bytes body, struct error **error)
{
    if (info->recipients == MESSAGE_RECIPIENTS_MAX)
        return error_set(error, ERROR_LIMIT, "the message has more than %d recipients",
                         MESSAGE_RECIPIENTS_MAX);
    static const uint8_t nobody[8];
    struct reader reader = reader_of(body);
    uint8_t version = read_u8(&reader);
    uint8_t *id = info->recipient_ids[info->recipients];
    read_copy(&reader, id, 8);
    uint8_t algorithm = read_u8(&reader);
    if (reader.failed || version != 3 || !is_rsa_encrypt(algorithm))
        return error_set(error, ERROR_INVALID, "the message's session key is not for an RSA key");
    unsigned bits;
    mpi_read(&reader, &bits);
    if (!reader_done(&reader) || bits > RSA_BITS_MAX)
        return error_set(error, ERROR_INVALID, "the message's session key is malformed");
    if (memcmp(id, nobody, sizeof(nobody)) == 0)
        return error_set(error, ERROR_INVALID, "the message does not name its recipient");
    info->recipients++;
    return true;
}

bool openpgp_screen_message(struct openpgp_message_info *out, struct bytes message, struct error **error)
{
    *out = (struct openpgp_message_info){0};
    struct reader reader = reader_of(message);
    struct packet packet;
    do {
        if (!packet_read(&reader, &packet))
            return error_set(error, ERROR_INVALID, "the message is not made of whole OpenPGP packets");
        if (packet.tag == TAG_SESSION_KEY && !screen_session_key(out, packet.body, error))
            return false;
    } while (packet.tag == TAG_SESSION_KEY);
    if (packet.tag != TAG_PROTECTED_DATA)
        return error_set(error, ERROR_INVALID, "the message is not encrypted with integrity protection");
    if (out->recipients == 0)
        return error_set(error, ERROR_INVALID, "the message has no recipient");
    if (packet.body.size < PROTECTED_SIZE_MIN || packet.body.data[0] != 1)
        return error_set(error, ERROR_INVALID,
                         "the message's encrypted part is too short or of an unknown version");
    if (!reader_done(&reader))
        return error_set(error, ERROR_INVALID, "something follows the encrypted message");
    return true;
}

/* RFC 4880 §5.9: format, a name with its length, four octets of time. */
bool openpgp_screen_literal(struct bytes *text, struct bytes packets, struct error **error)
{
    struct reader reader = reader_of(packets);
    struct packet packet;
    if (!packet_read(&reader, &packet) || packet.tag != TAG_LITERAL || !reader_done(&reader))
        return error_set(error, ERROR_INVALID, "the message does not hold exactly one text"); /* 06 W-M9 */
    struct reader literal = reader_of(packet.body);
    uint8_t format = read_u8(&literal);
    read_bytes(&literal, read_u8(&literal));
    read_u32(&literal);
    *text = bytes_of(literal.at, literal.left);
    return (!literal.failed && format == 'b') ||
           error_set(error, ERROR_INVALID, "the message's text is malformed");
}

static bool is_good_hash(uint8_t hash)
{
    return hash == 2 || hash == 8 || hash == 9 || hash == 10; /* SHA-1, SHA-256, SHA-384, SHA-512 */
}

bool openpgp_screen_signature(struct openpgp_signature_info *out, struct bytes data, struct error **error)
{
    *out = (struct openpgp_signature_info){0};
    if (data.size > SIGNATURE_SIZE_MAX)
        return error_set(error, ERROR_LIMIT, "the signature is larger than %d bytes", SIGNATURE_SIZE_MAX);
    struct reader reader = reader_of(data);
    struct packet packet;
    struct signature signature;
    if (!packet_read(&reader, &packet) || packet.tag != TAG_SIGNATURE || !reader_done(&reader))
        return error_set(error, ERROR_INVALID, "not exactly one signature packet");
    if (!signature_read(&signature, packet.body))
        return error_set(error, ERROR_INVALID, "the signature packet is malformed");
    if (signature.version != 4)
        return error_set(error, ERROR_INVALID, "the signature is of version %u, not 4", signature.version);
    if (signature.algorithm != 1 && signature.algorithm != 3)
        return error_set(error, ERROR_INVALID, "the signature is not made with RSA");
    if (!is_good_hash(signature.hash))
        return error_set(error, ERROR_INVALID, "the signature's hash algorithm %u is not taken",
                         signature.hash);
    if (!signature.has_created)
        return error_set(error, ERROR_INVALID, "the signature has no signed date");
    struct reader rest = reader_of(signature.rest);
    unsigned bits;
    read_u16(&rest);
    mpi_read(&rest, &bits);
    if (!reader_done(&rest) || bits == 0 || bits > RSA_BITS_MAX)
        return error_set(error, ERROR_INVALID, "the signature's number is malformed");
    out->type = signature.type;
    out->algorithm = signature.algorithm;
    out->hash = signature.hash;
    memcpy(out->issuer, signature.issuer, sizeof(out->issuer));
    out->created = signature.created;
    out->expires = signature.expires;
    out->notations = signature.hashed;
    return true;
}

/* RFC 4880 §5.2.3.16: four octets of flags, the first one 0x80 for text; then name and value with their
 * lengths. */
bool openpgp_notation(const struct openpgp_signature_info *info, const char *name, struct bytes *value)
{
    struct reader area = reader_of(info->notations);
    struct subpacket subpacket;
    while (subpacket_read(&area, &subpacket)) {
        if (subpacket.type != SUBPACKET_NOTATION)
            continue;
        struct reader reader = reader_of(subpacket.body);
        uint32_t flags = read_u32(&reader);
        size_t name_size = read_u16(&reader), value_size = read_u16(&reader);
        struct bytes found = read_bytes(&reader, name_size), text = read_bytes(&reader, value_size);
        if (!reader_done(&reader) || flags != 0x80000000U || !bytes_equal(found, bytes_of_string(name)))
            continue;
        *value = text;
        return true;
    }
    return false;
}
