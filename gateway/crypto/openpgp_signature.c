/* SPDX-License-Identifier: ISC */
#include "crypto/openpgp.h"
#include "crypto/openpgp_packet.h"

#include <string.h>

/* Signature packets around an RSA value that the agent makes. Only subpackets that the 2013 reader knows, all
 * of them hashed (protocol 10 §1.2). */

enum signature_type { TYPE_DOCUMENT = 0x00, TYPE_POSITIVE_CERTIFICATION = 0x13 };

/* A subpacket of less than 192 bytes. */
static void write_subpacket(struct buffer *out, enum signature_subpacket type, const void *body, size_t size)
{
    buffer_u8(out, (uint8_t)(size + 1));
    buffer_u8(out, (uint8_t)type);
    buffer_append(out, body, size);
}

static void write_number(struct buffer *out, enum signature_subpacket type, uint32_t value)
{
    uint8_t body[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    write_subpacket(out, type, body, sizeof(body));
}

static size_t begin_hashed(struct buffer *out, enum signature_type type, uint32_t created,
                           const uint8_t issuer[8])
{
    size_t begin = buffer_size(out);
    buffer_append(out, (uint8_t[]){4, (uint8_t)type, 1, 8, 0, 0}, 6); /* RSA, SHA-256, size of what follows */
    write_number(out, SUBPACKET_CREATED, created);
    write_subpacket(out, SUBPACKET_ISSUER, issuer, 8);
    return begin;
}

/* RFC 4880 §5.2.4: the hashed part and its size end what is hashed. */
static bool end_hashed(struct buffer *hashed, size_t begin, struct buffer *input)
{
    if (hashed->failed)
        return false;
    size_t size = buffer_size(hashed) - begin;
    uint8_t *part = hashed->memory + hashed->start + begin;
    part[4] = (uint8_t)((size - 6) >> 8);
    part[5] = (uint8_t)(size - 6);
    buffer_append(input, part, size);
    buffer_u8(input, 4);
    buffer_u8(input, 0xff);
    return buffer_u32(input, (uint32_t)size);
}

static bool write_body(struct buffer *out, struct bytes hashed, const uint8_t digest[32],
                       struct bytes rsa_value)
{
    buffer_append_bytes(out, hashed);
    buffer_u16(out, 0); /* nothing unhashed */
    buffer_append(out, digest, 2);
    return mpi_write(out, rsa_value);
}

bool openpgp_selfsig_input(struct buffer *hashed, struct buffer *input, const struct openpgp_key *key,
                           uint32_t created, uint8_t key_flags)
{
    if (key->public_body.size > UINT16_MAX || key->user_id_body.size > UINT16_MAX)
        return false;
    size_t begin = begin_hashed(hashed, TYPE_POSITIVE_CERTIFICATION, created, key->id);
    write_subpacket(hashed, SUBPACKET_KEY_FLAGS, &key_flags, 1);
    write_subpacket(hashed, SUBPACKET_PRIMARY_USER_ID, (uint8_t[]){1}, 1);
    buffer_u8(input, 0x99);
    buffer_u16(input, (uint16_t)key->public_body.size);
    buffer_append_bytes(input, key->public_body);
    buffer_u8(input, 0xb4);
    buffer_u32(input, (uint32_t)key->user_id_body.size);
    buffer_append_bytes(input, key->user_id_body);
    return end_hashed(hashed, begin, input);
}

bool openpgp_portable_block(struct buffer *out, const struct openpgp_key *key, struct bytes hashed,
                            const uint8_t digest[32], struct bytes rsa_value)
{
    struct buffer body = buffer_make(hashed.size + rsa_value.size + 8);
    bool good = write_body(&body, hashed, digest, rsa_value) &&
                packet_header_old(out, TAG_PUBLIC_KEY, key->public_body.size) &&
                buffer_append_bytes(out, key->public_body) &&
                packet_header_old(out, TAG_USER_ID, key->user_id_body.size) &&
                buffer_append_bytes(out, key->user_id_body) &&
                packet_header_old(out, TAG_SIGNATURE, buffer_size(&body)) &&
                buffer_append_bytes(out, buffer_view(&body));
    buffer_free(&body);
    return good;
}

static bool write_notation(struct buffer *out, const struct openpgp_note *note)
{
    struct buffer body = buffer_make(190);
    size_t name_size = strlen(note->name), value_size = strlen(note->value);
    buffer_u32(&body, 0x80000000U); /* text */
    buffer_u16(&body, (uint16_t)name_size);
    buffer_u16(&body, (uint16_t)value_size);
    buffer_append(&body, note->name, name_size);
    bool good = buffer_append(&body, note->value, value_size);
    if (good)
        write_subpacket(out, SUBPACKET_NOTATION, body.memory, buffer_size(&body));
    buffer_free(&body);
    return good;
}

bool openpgp_signature_input(struct buffer *hashed, struct buffer *trailer,
                             const struct openpgp_signing *signing)
{
    size_t begin = begin_hashed(hashed, TYPE_DOCUMENT, signing->created, signing->issuer);
    if (signing->expires != 0)
        write_number(hashed, SUBPACKET_EXPIRES, signing->expires);
    for (size_t i = 0; i < sizeof(signing->notations) / sizeof(signing->notations[0]); i++)
        if (signing->notations[i].name && !write_notation(hashed, &signing->notations[i]))
            return false;
    return end_hashed(hashed, begin, trailer);
}

bool openpgp_signature_packet(struct buffer *out, struct bytes hashed, const uint8_t digest[32],
                              struct bytes rsa_value)
{
    struct buffer body = buffer_make(hashed.size + rsa_value.size + 8);
    bool good = write_body(&body, hashed, digest, rsa_value) &&
                packet_header(out, TAG_SIGNATURE, buffer_size(&body)) &&
                buffer_append_bytes(out, buffer_view(&body));
    buffer_free(&body);
    return good;
}
