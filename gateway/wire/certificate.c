/* SPDX-License-Identifier: ISC */
#include "wire/certificate.h"

#include <string.h>

#include "wire/certificate_tags.h"
#include "wire/host.h"
#include "wire/percent.h"
#include "wire/radix64.h"
#include "wire/utf8.h"

enum text_kind { KIND_FULL, KIND_OLD /* 0.5: no version, checksum optional, no unknown tags */, KIND_SHORT };

uint32_t crc24(struct bytes data)
{
    uint32_t crc = 0xb704ce;
    for (size_t i = 0; i < data.size; i++) {
        crc ^= (uint32_t)data.data[i] << 16;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc << 1 ^ (crc & 0x800000 ? 0x864cfb : 0)) & 0xffffff;
    }
    return crc;
}

/* --- the text around the records */

static bool is_space(uint8_t character)
{
    return character == ' ' || character == '\t' || character == '\r' || character == '\n';
}

/* The value of rsInvite= in a URL's query; false when the text is none. */
static bool find_url_value(struct bytes *value, struct bytes text)
{
    static const char name[] = "rsInvite=";
    const uint8_t *at = text.size > 0 ? memmem(text.data, text.size, name, sizeof(name) - 1) : NULL;
    if (at == NULL || at == text.data || (at[-1] != '?' && at[-1] != '&'))
        return false;
    const uint8_t *end = text.data + text.size;
    value->data = at + sizeof(name) - 1;
    for (at = value->data; at < end && *at != '&' && *at != '#' && !is_space(*at); at++)
        ;
    value->size = (size_t)(at - value->data);
    return true;
}

static bool decode_text(struct buffer *records, struct bytes text, struct error **error)
{
    struct buffer digits = buffer_make(FRIEND_TEXT_MAX);
    struct bytes value;
    bool good;
    if (find_url_value(&value, text)) {
        good = percent_decode(&digits, value);
    } else {
        for (size_t i = 0; i < text.size; i++) {
            if (!is_space(text.data[i]))
                buffer_u8(&digits, text.data[i]);
        }
        good = !digits.failed;
    }
    if (!good)
        error_set(error, ERROR_INTERNAL, "no memory for the text");
    else if (!radix64_decode(records, buffer_view(&digits)))
        good = error_set(error, ERROR_INVALID,
                         "this is neither a RetroShare certificate nor a short invite: it is not base64");
    buffer_free(&digits);
    return good;
}

/* --- records */

struct record {
    uint8_t tag;
    struct bytes data;
};

static bool record_read(struct reader *reader, struct record *out)
{
    out->tag = read_u8(reader);
    uint32_t size = read_u8(reader);
    if (size >= TWO_BYTES && size < 224)
        size = ((size - TWO_BYTES) << 8) + read_u8(reader) + TWO_BYTES;
    else if (size == 0xff)
        size = read_u32(reader);
    else if (size >= 224)
        reader->failed = true;
    out->data = read_bytes(reader, size);
    return !reader->failed;
}

static bool find_kind(enum text_kind *kind, struct bytes records, struct error **error)
{
    struct reader reader = reader_of(records);
    struct record record;
    bool versioned = false;
    if (records.size == 0)
        return error_set(error, ERROR_INVALID, "the text is empty");
    while (reader.left > 0) {
        if (!record_read(&reader, &record))
            return error_set(error, ERROR_INVALID,
                             "this is cut off, or no certificate or short invite: a field is longer than it");
        versioned = versioned || record.tag == FULL_VERSION;
    }
    *kind = versioned ? KIND_FULL : records.data[0] == FULL_KEY ? KIND_OLD : KIND_SHORT;
    return true;
}

/* The checksum is of all bytes before its record, which is the last; little endian. */
static bool check_checksum(struct bytes records, struct bytes at_end, struct error **error)
{
    struct bytes before = bytes_of(records.data, records.size - CHECKSUM_RECORD_SIZE);
    uint32_t crc = crc24(before);
    const uint8_t expected[CHECKSUM_SIZE] = {(uint8_t)crc, (uint8_t)(crc >> 8), (uint8_t)(crc >> 16)};
    if (!bytes_equal(at_end, bytes_of(expected, CHECKSUM_SIZE)))
        return error_set(error, ERROR_INVALID,
                         "the checksum is wrong: the text was changed or part of it is missing");
    return true;
}

static bool bad(struct error **error, const char *what)
{
    return error_set(error, ERROR_INVALID, "the %s in the text is malformed", what);
}

static bool take_ipv4(struct ip_address *out, struct bytes data, bool reversed)
{
    if (data.size != 6)
        return false;
    *out = (struct ip_address){.family = 4, .port = (uint16_t)(data.data[4] << 8 | data.data[5])};
    for (size_t i = 0; i < 4; i++)
        out->bytes[i] = data.data[reversed ? 3 - i : i];
    return true;
}

/* A locator of a kind that we do not know, or one too many, is left out. */
static void take_locator(struct friend_text *out, struct bytes data)
{
    struct ip_address address;
    if (out->locator_count < CONTACT_HISTORY_MAX && locator_parse(&address, data))
        out->locators[out->locator_count++] = address;
}

static bool take_location(struct friend_text *out, struct bytes data)
{
    out->has_location = data.size == sizeof(out->location);
    if (out->has_location)
        memcpy(out->location, data.data, sizeof(out->location));
    return out->has_location;
}

static bool take_full(struct friend_text *out, const struct record *record, enum text_kind kind,
                      struct error **error)
{
    struct bytes data = record->data, host;
    switch (record->tag) {
    case FULL_VERSION:
        if (data.size != 1)
            return bad(error, "version");
        if (data.data[0] != CERTIFICATE_VERSION)
            return error_set(error, ERROR_INVALID, "the certificate has version %u, only %u is known",
                             data.data[0], CERTIFICATE_VERSION);
        return true;
    case FULL_KEY:
        out->key_block = data;
        return data.size > 0 || bad(error, "PGP key");
    case FULL_EXTERNAL4:
        return take_ipv4(&out->external4, data, false) || bad(error, "external address");
    case FULL_LOCAL4:
        return take_ipv4(&out->local4, data, false) || bad(error, "local address");
    case FULL_DNS:
        return host_copy(out->dns, sizeof(out->dns), data) || bad(error, "DNS name");
    case FULL_LOCATION:
        return take_location(out, data) || bad(error, "location id");
    case FULL_NAME:
        utf8_show(out->name, sizeof(out->name), data);
        return true;
    case FULL_HIDDEN:
        return (host_port_split(&host, &out->hidden_port, data) &&
                host_copy(out->hidden, sizeof(out->hidden), host)) ||
               bad(error, "hidden address");
    case FULL_LOCATOR:
        take_locator(out, data);
        return true;
    default:
        return kind == KIND_FULL || bad(error, "list of fields");
    }
}

static bool take_short(struct friend_text *out, const struct record *record, struct error **error)
{
    struct reader data = reader_of(record->data);
    switch (record->tag) {
    case SHORT_LOCATION:
        return take_location(out, record->data) || bad(error, "location id");
    case SHORT_FINGERPRINT:
        read_copy(&data, out->fingerprint, sizeof(out->fingerprint));
        out->has_fingerprint = reader_done(&data);
        return out->has_fingerprint || bad(error, "PGP fingerprint");
    case SHORT_NAME:
        utf8_show(out->name, sizeof(out->name), record->data);
        return true;
    case SHORT_LOCATOR:
        take_locator(out, record->data);
        return true;
    case SHORT_HIDDEN:
        out->hidden_type = read_u32(&data);
        out->hidden_port = read_u16(&data);
        return (!data.failed && host_copy(out->hidden, sizeof(out->hidden), bytes_of(data.at, data.left))) ||
               bad(error, "hidden address");
    case SHORT_DNS:
        out->dns_port = read_u16(&data);
        return (!data.failed && host_copy(out->dns, sizeof(out->dns), bytes_of(data.at, data.left))) ||
               bad(error, "DNS name");
    case SHORT_EXTERNAL4:
        return take_ipv4(&out->external4, record->data, true) || bad(error, "external address");
    case SHORT_LOCAL4:
        return take_ipv4(&out->local4, record->data, true) || bad(error, "local address");
    default:
        return true;
    }
}

/* Reads the records that find_kind() has framed. `had` has a bit for each tag met. */
static bool take_records(struct friend_text *out, struct bytes records, enum text_kind kind, uint64_t had[4],
                         struct error **error)
{
    uint8_t checksum = kind == KIND_SHORT ? SHORT_CHECKSUM : FULL_CHECKSUM;
    uint8_t repeatable = kind == KIND_SHORT ? SHORT_LOCATOR : FULL_LOCATOR;
    struct reader reader = reader_of(records);
    while (reader.left > 0) {
        struct record record;
        record_read(&reader, &record);
        uint64_t bit = UINT64_C(1) << record.tag % 64;
        if (had[record.tag / 64] & bit && record.tag != repeatable)
            return error_set(error, ERROR_INVALID, "a field stands twice in the text");
        had[record.tag / 64] |= bit;
        if (record.tag == checksum) {
            if (reader.left > 0 || record.data.size != CHECKSUM_SIZE)
                return bad(error, "checksum");
            if (!check_checksum(records, record.data, error))
                return false;
        } else if (kind == KIND_SHORT ? !take_short(out, &record, error)
                                      : !take_full(out, &record, kind, error)) {
            return false;
        }
    }
    return true;
}

static bool check_complete(const struct friend_text *text, enum text_kind kind, const uint64_t had[4],
                           struct error **error)
{
    static const uint8_t checksums[] = {[KIND_FULL] = FULL_CHECKSUM, [KIND_SHORT] = SHORT_CHECKSUM};
    const char *missing = NULL;
    if (kind == KIND_SHORT ? !text->has_location : text->key_block.size == 0)
        missing = kind == KIND_SHORT ? "location id" : "PGP key";
    else if (kind == KIND_SHORT && !text->has_fingerprint)
        missing = "PGP fingerprint";
    else if (kind != KIND_OLD && (had[0] >> checksums[kind] & 1) == 0)
        missing = "checksum";
    if (missing != NULL)
        return error_set(error, ERROR_INVALID, "the text has no %s: part of it is missing", missing);
    return true;
}

bool friend_text_parse(struct friend_text *out, struct bytes text, struct error **error)
{
    *out = (struct friend_text){.memory = buffer_make(FRIEND_TEXT_MAX)};
    if (text.size > FRIEND_TEXT_MAX)
        return error_set(error, ERROR_INVALID, "the text is longer than any invitation (%d bytes)",
                         FRIEND_TEXT_MAX);
    enum text_kind kind = KIND_FULL;
    uint64_t had[4] = {0};
    bool good = decode_text(&out->memory, text, error) &&
                find_kind(&kind, buffer_view(&out->memory), error) &&
                take_records(out, buffer_view(&out->memory), kind, had, error) &&
                check_complete(out, kind, had, error);
    if (!good)
        friend_text_free(out);
    else
        out->is_short = kind == KIND_SHORT;
    return good;
}

void friend_text_free(struct friend_text *text)
{
    buffer_free(&text->memory);
    *text = (struct friend_text){.is_short = false};
}
