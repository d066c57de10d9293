/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "wire/certificate.h"
#include "wire/certificate_tags.h"
#include "wire/host.h"
#include "wire/radix64.h"

enum { LINE = 64 };

static void record_write(struct buffer *out, uint8_t tag, struct bytes data)
{
    buffer_u8(out, tag);
    if (data.size < TWO_BYTES) {
        buffer_u8(out, (uint8_t)data.size);
    } else if (data.size < FIVE_BYTES) {
        buffer_u16(out, (uint16_t)(data.size - TWO_BYTES + (TWO_BYTES << 8)));
    } else {
        buffer_u8(out, 0xff);
        buffer_u32(out, (uint32_t)data.size);
    }
    buffer_append_bytes(out, data);
}

static void text_record(struct buffer *out, uint8_t tag, const char *text, size_t size)
{
    size_t length = strnlen(text, size);
    if (length > 0)
        record_write(out, tag, bytes_of(text, length));
}

/* In a short invite the original writes the address from the lowest byte up (protocol 11 §2.2). */
static void ipv4_record(struct buffer *out, uint8_t tag, const struct ip_address *address, bool reversed)
{
    if (address->family != 4)
        return;
    uint8_t data[6] = {[4] = (uint8_t)(address->port >> 8), [5] = (uint8_t)address->port};
    for (size_t i = 0; i < 4; i++)
        data[i] = address->bytes[reversed ? 3 - i : i];
    record_write(out, tag, bytes_of(data, sizeof(data)));
}

static void locator_records(struct buffer *out, uint8_t tag, const struct friend_text *text)
{
    for (size_t i = 0; i < text->locator_count; i++) {
        struct buffer locator = buffer_make(128);
        if (locator_write(&locator, &text->locators[i]))
            record_write(out, tag, buffer_view(&locator));
        else if (locator.failed)
            out->failed = true;
        buffer_free(&locator);
    }
}

/* A record of a port and a host behind `head` bytes of something else. */
static void port_record(struct buffer *out, uint8_t tag, struct bytes head, uint16_t port, const char *host,
                        size_t size)
{
    struct buffer data = buffer_make(512);
    buffer_append_bytes(&data, head);
    buffer_u16(&data, port);
    buffer_append(&data, host, strnlen(host, size));
    if (data.failed)
        out->failed = true;
    else
        record_write(out, tag, buffer_view(&data));
    buffer_free(&data);
}

static void checksum_record(struct buffer *out, uint8_t tag)
{
    uint32_t crc = crc24(buffer_view(out));
    const uint8_t data[CHECKSUM_SIZE] = {(uint8_t)crc, (uint8_t)(crc >> 8), (uint8_t)(crc >> 16)};
    record_write(out, tag, bytes_of(data, sizeof(data)));
}

static bool write_lines(struct buffer *out, struct bytes text)
{
    size_t begin = buffer_size(out);
    for (size_t at = 0; at < text.size; at += LINE) {
        size_t size = text.size - at < LINE ? text.size - at : LINE;
        if (at > 0)
            buffer_u8(out, '\n');
        buffer_append(out, text.data + at, size);
    }
    if (out->failed)
        out->end = out->start + begin;
    return !out->failed;
}

bool friend_text_write_full(struct buffer *out, const struct friend_text *text, bool wrap)
{
    if (text->key_block.size == 0 || text->key_block.size > FRIEND_TEXT_MAX)
        return false;
    struct buffer records = buffer_make(FRIEND_TEXT_MAX);
    struct buffer digits = buffer_make(2 * FRIEND_TEXT_MAX);
    const uint8_t version = CERTIFICATE_VERSION;
    record_write(&records, FULL_VERSION, bytes_of(&version, 1));
    record_write(&records, FULL_KEY, text->key_block);
    if (text->hidden[0] != '\0') {
        struct buffer address = buffer_make(sizeof(text->hidden) + 8);
        buffer_printf(&address, "%.*s:%u", (int)sizeof(text->hidden), text->hidden, text->hidden_port);
        record_write(&records, FULL_HIDDEN, buffer_view(&address));
        records.failed = records.failed || address.failed;
        buffer_free(&address);
    } else {
        ipv4_record(&records, FULL_EXTERNAL4, &text->external4, false);
        ipv4_record(&records, FULL_LOCAL4, &text->local4, false);
        text_record(&records, FULL_DNS, text->dns, sizeof(text->dns));
    }
    text_record(&records, FULL_NAME, text->name, sizeof(text->name));
    if (text->has_location)
        record_write(&records, FULL_LOCATION, bytes_of(text->location, sizeof(text->location)));
    if (text->hidden[0] == '\0')
        locator_records(&records, FULL_LOCATOR, text);
    checksum_record(&records, FULL_CHECKSUM);
    bool good =
        !records.failed && radix64_encode(&digits, buffer_view(&records)) &&
        (wrap ? write_lines(out, buffer_view(&digits)) : buffer_append_bytes(out, buffer_view(&digits)));
    buffer_free(&digits);
    buffer_free(&records);
    return good;
}

bool friend_text_write_short(struct buffer *out, const struct friend_text *text)
{
    if (!text->has_location || !text->has_fingerprint)
        return false;
    struct buffer records = buffer_make(FRIEND_TEXT_MAX);
    record_write(&records, SHORT_LOCATION, bytes_of(text->location, sizeof(text->location)));
    record_write(&records, SHORT_FINGERPRINT, bytes_of(text->fingerprint, sizeof(text->fingerprint)));
    text_record(&records, SHORT_NAME, text->name, sizeof(text->name));
    if (text->hidden[0] != '\0') {
        const uint8_t type[4] = {(uint8_t)(text->hidden_type >> 24), (uint8_t)(text->hidden_type >> 16),
                                 (uint8_t)(text->hidden_type >> 8), (uint8_t)text->hidden_type};
        port_record(&records, SHORT_HIDDEN, bytes_of(type, sizeof(type)), text->hidden_port, text->hidden,
                    sizeof(text->hidden));
    } else {
        if (text->dns[0] != '\0')
            port_record(&records, SHORT_DNS, bytes_of(NULL, 0), text->dns_port, text->dns, sizeof(text->dns));
        locator_records(&records, SHORT_LOCATOR, text);
        ipv4_record(&records, SHORT_LOCAL4, &text->local4, true);
        ipv4_record(&records, SHORT_EXTERNAL4, &text->external4, true);
    }
    checksum_record(&records, SHORT_CHECKSUM);
    bool good = !records.failed && radix64_encode(out, buffer_view(&records));
    buffer_free(&records);
    return good;
}
