/* SPDX-License-Identifier: ISC */
#include "crypto/openpgp_packet.h"

#include <string.h>

static bool fail(struct reader *reader)
{
    reader->failed = true;
    return false;
}

/* Lengths of one, two or five octets, in packets (above 223: partial) and subpackets (where 224 to 254 are
 * two octets). */
static size_t read_length(struct reader *reader, bool subpacket)
{
    uint8_t first = read_u8(reader);
    if (first < 192)
        return first;
    if (first == 255)
        return read_u32(reader);
    if (first >= 224 && !subpacket) {
        reader->failed = true;
        return 0;
    }
    return (size_t)(first - 192) * 256 + read_u8(reader) + 192;
}

static size_t read_old_length(struct reader *reader, unsigned kind)
{
    switch (kind) {
    case 0:
        return read_u8(reader);
    case 1:
        return read_u16(reader);
    case 2:
        return read_u32(reader);
    default: /* until the end of the data: nothing can follow it, so nothing could be checked */
        reader->failed = true;
        return 0;
    }
}

bool packet_read(struct reader *reader, struct packet *out)
{
    const uint8_t *begin = reader->at;
    uint8_t first = read_u8(reader);
    if (!(first & 0x80))
        return fail(reader);
    size_t size;
    if (first & 0x40) {
        out->tag = first & 0x3f;
        size = read_length(reader, false);
    } else {
        out->tag = first >> 2 & 0x0f;
        size = read_old_length(reader, first & 3);
    }
    out->body = read_bytes(reader, size);
    if (reader->failed || out->tag == 0)
        return fail(reader);
    out->whole = bytes_of(begin, (size_t)(reader->at - begin));
    return true;
}

size_t packet_header_size(size_t size)
{
    return size < 192 ? 2 : size < 8384 ? 3 : 6;
}

bool packet_header(struct buffer *out, uint8_t tag, size_t size)
{
    if (size > UINT32_MAX)
        return false;
    buffer_u8(out, (uint8_t)(0xc0 | tag));
    if (size < 192)
        return buffer_u8(out, (uint8_t)size);
    if (size < 8384)
        return buffer_u16(out, (uint16_t)(size - 192 + (192 << 8)));
    buffer_u8(out, 255);
    return buffer_u32(out, (uint32_t)size);
}

bool packet_header_old(struct buffer *out, uint8_t tag, size_t size)
{
    if (tag > 15 || size > UINT16_MAX)
        return false;
    if (size < 256) {
        buffer_u8(out, (uint8_t)(0x80 | tag << 2));
        return buffer_u8(out, (uint8_t)size);
    }
    buffer_u8(out, (uint8_t)(0x81 | tag << 2));
    return buffer_u16(out, (uint16_t)size);
}

static unsigned bit_count(struct bytes number)
{
    unsigned top = 0;
    for (uint8_t byte = number.size ? number.data[0] : 0; byte; byte >>= 1)
        top++;
    return number.size ? (unsigned)(number.size - 1) * 8 + top : 0;
}

struct bytes mpi_read(struct reader *reader, unsigned *bits)
{
    unsigned count = read_u16(reader);
    struct bytes number = read_bytes(reader, (count + 7) / 8);
    if (!reader->failed && bit_count(number) != count)
        reader->failed = true;
    if (bits)
        *bits = count;
    return number;
}

bool mpi_write(struct buffer *out, struct bytes number)
{
    while (number.size > 0 && number.data[0] == 0) {
        number.data++;
        number.size--;
    }
    if (number.size > UINT16_MAX / 8)
        return false;
    buffer_u16(out, (uint16_t)bit_count(number));
    return buffer_append_bytes(out, number);
}

bool subpacket_read(struct reader *reader, struct subpacket *out)
{
    if (reader->failed || reader->left == 0)
        return false;
    size_t size = read_length(reader, true);
    if (size == 0)
        return fail(reader);
    uint8_t type = read_u8(reader);
    out->type = type & 0x7f;
    out->critical = type & 0x80;
    out->body = read_bytes(reader, size - 1);
    return !reader->failed;
}

static bool read_issuer(struct signature *signature, const struct subpacket *subpacket)
{
    if (subpacket->type == SUBPACKET_ISSUER) {
        if (subpacket->body.size != 8)
            return false;
        memcpy(signature->issuer, subpacket->body.data, 8);
    } else if (subpacket->type == SUBPACKET_ISSUER_FINGERPRINT && subpacket->body.size == 21 &&
               subpacket->body.data[0] == 4) {
        memcpy(signature->issuer, subpacket->body.data + 13, 8);
    }
    return true;
}

static bool read_hashed(struct signature *signature, const struct subpacket *subpacket)
{
    struct reader value = reader_of(subpacket->body);
    switch (subpacket->type) {
    case SUBPACKET_CREATED:
        if (signature->has_created)
            return false;
        signature->has_created = true;
        signature->created = read_u32(&value);
        return reader_done(&value);
    case SUBPACKET_EXPIRES:
        if (signature->expires != 0)
            return false;
        signature->expires = read_u32(&value);
        return reader_done(&value);
    case SUBPACKET_KEY_FLAGS:
        signature->has_flags = subpacket->body.size > 0;
        signature->flags = read_u8(&value);
        return true;
    default:
        return read_issuer(signature, subpacket);
    }
}

bool signature_read(struct signature *out, struct bytes body)
{
    *out = (struct signature){0};
    struct reader reader = reader_of(body);
    out->version = read_u8(&reader);
    if (out->version != 4)
        return !reader.failed;
    out->type = read_u8(&reader);
    out->algorithm = read_u8(&reader);
    out->hash = read_u8(&reader);
    out->hashed = read_bytes(&reader, read_u16(&reader));
    out->unhashed = read_bytes(&reader, read_u16(&reader));
    out->rest = bytes_of(reader.at, reader.left);
    if (reader.failed)
        return false;

    /* The unhashed area first, so that what is signed wins. */
    struct subpacket subpacket;
    struct reader area = reader_of(out->unhashed);
    while (subpacket_read(&area, &subpacket))
        if (!read_issuer(out, &subpacket))
            return false;
    if (area.failed)
        return false;
    area = reader_of(out->hashed);
    while (subpacket_read(&area, &subpacket))
        if (!read_hashed(out, &subpacket))
            return false;
    return !area.failed;
}
