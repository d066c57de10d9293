/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "wire/host.h"
#include "wire/link_items.h"
#include "wire/tlv.h"
#include "wire/utf8.h"

enum { DISCOVERY_PGP_LIST = 0x01, DISCOVERY_CONTACT = 0x05, DISCOVERY_PGP_KEY = 0x09 };

enum {
    TLV_LOCATION = 0x005c,
    TLV_VERSION = 0x005f,
    TLV_DYNDNS = 0x0083,
    TLV_HIDDEN_ADDRESS = 0x0084,
    TLV_IPV4 = 0x0085,
    TLV_IPV6 = 0x0086,
    TLV_PGP_IDS = 0x1023,
    TLV_ADDRESS_INFO = 0x1070,
    TLV_ADDRESS_SET = 0x1071,
    TLV_ADDRESS = 0x1072,
};

static struct reader body_of(struct bytes item)
{
    return reader_of(bytes_of(item.data + ITEM_HEADER_SIZE, item.size - ITEM_HEADER_SIZE));
}

static void write_text(struct buffer *out, uint16_t type, const char *text, size_t size)
{
    tlv_write(out, type, bytes_of(text, strnlen(text, size)));
}

/* On the wire an address is in groups whose bytes are reversed, and so is the port: the original writes
 * memory in network order as if it were numbers of a little-endian host (protocol 11 §5.6). `reverse` is its
 * own inverse. */
static void reverse(uint8_t *out, const uint8_t *in, size_t size, size_t group)
{
    for (size_t i = 0; i < size; i++)
        out[i] = in[i / group * group + (group - 1 - i % group)];
}

static size_t address_size(uint8_t family)
{
    return family == 4 ? 4 : 16;
}

static void read_address(struct reader *reader, struct ip_address *out)
{
    struct reader inner = reader_of(tlv_read_type(reader, TLV_ADDRESS));
    *out = (struct ip_address){.family = 0};
    while (inner.left > 0 && !inner.failed) {
        struct tlv tlv;
        if (!tlv_read(&inner, &tlv) || (tlv.type != TLV_IPV4 && tlv.type != TLV_IPV6))
            continue; /* a kind of address that we do not know is none */
        uint8_t family = tlv.type == TLV_IPV4 ? 4 : 6;
        size_t size = address_size(family);
        if (tlv.value.size != size + 2) {
            inner.failed = true;
            break;
        }
        *out = (struct ip_address){
            .family = family,
            .port = (uint16_t)(tlv.value.data[size] | tlv.value.data[size + 1] << 8),
        };
        reverse(out->bytes, tlv.value.data, size, 4);
    }
    if (inner.failed)
        reader->failed = true;
}

static void write_address(struct buffer *out, const struct ip_address *address)
{
    size_t begin = tlv_begin(out, TLV_ADDRESS);
    if (address->family != 0) {
        uint8_t bytes[16 + 2];
        size_t size = address_size(address->family);
        reverse(bytes, address->bytes, size, 4);
        bytes[size] = (uint8_t)address->port;
        bytes[size + 1] = (uint8_t)(address->port >> 8);
        tlv_write(out, address->family == 4 ? TLV_IPV4 : TLV_IPV6, bytes_of(bytes, size + 2));
    }
    tlv_end(out, begin);
}

/* Gives the first CONTACT_HISTORY_MAX entries; the others are checked and left out. */
static size_t read_history(struct reader *reader, struct ip_address *addresses,
                           struct address_sighting *sightings)
{
    size_t count = 0;
    struct reader set = reader_of(tlv_read_type(reader, TLV_ADDRESS_SET));
    while (set.left > 0 && !set.failed) {
        struct reader info = reader_of(tlv_read_type(&set, TLV_ADDRESS_INFO));
        struct ip_address address;
        read_address(&info, &address);
        struct address_sighting sighting;
        sighting.seen = read_u64(&info);
        sighting.source = read_u32(&info);
        if (!reader_done(&info))
            set.failed = true;
        else if (count < CONTACT_HISTORY_MAX) {
            addresses[count] = address;
            sightings[count++] = sighting;
        }
    }
    if (set.failed)
        reader->failed = true;
    return reader->failed ? 0 : count;
}

static void write_history(struct buffer *out, const struct ip_address *addresses,
                          const struct address_sighting *sightings, size_t count)
{
    size_t set = tlv_begin(out, TLV_ADDRESS_SET);
    for (size_t i = 0; i < count; i++) {
        size_t info = tlv_begin(out, TLV_ADDRESS_INFO);
        write_address(out, &addresses[i]);
        buffer_u64(out, sightings[i].seen);
        buffer_u32(out, sightings[i].source);
        tlv_end(out, info);
    }
    tlv_end(out, set);
}

static bool begins_with(const struct reader *reader, uint16_t type)
{
    struct reader ahead = *reader;
    return read_u16(&ahead) == type && !ahead.failed;
}

bool contact_parse(struct contact_item *out, struct bytes item)
{
    *out = (struct contact_item){.net_mode = 0};
    if (!item_is(item, SERVICE_DISCOVERY, DISCOVERY_CONTACT))
        return false;
    struct reader reader = body_of(item);
    read_copy(&reader, out->pgp_id, sizeof(out->pgp_id));
    read_copy(&reader, out->location, sizeof(out->location));
    utf8_show(out->location_name, sizeof(out->location_name), tlv_read_type(&reader, TLV_LOCATION));
    utf8_show(out->version, sizeof(out->version), tlv_read_type(&reader, TLV_VERSION));
    out->net_mode = read_u32(&reader);
    out->vs_disc = read_u16(&reader);
    out->vs_dht = read_u16(&reader);
    out->last_contact = read_u32(&reader);
    out->hidden = begins_with(&reader, TLV_HIDDEN_ADDRESS);
    if (out->hidden) {
        host_copy(out->hidden_address, sizeof(out->hidden_address),
                  tlv_read_type(&reader, TLV_HIDDEN_ADDRESS));
        out->hidden_port = read_u16(&reader);
        return reader_done(&reader);
    }
    read_address(&reader, &out->local4);
    read_address(&reader, &out->external4);
    read_address(&reader, &out->local6);
    read_address(&reader, &out->external6);
    read_address(&reader, &out->seen);
    host_copy(out->dyndns, sizeof(out->dyndns), tlv_read_type(&reader, TLV_DYNDNS));
    out->local_count = read_history(&reader, out->local, out->local_sightings);
    out->external_count = read_history(&reader, out->external, out->external_sightings);
    return reader_done(&reader);
}

bool contact_write(struct buffer *out, const struct contact_item *contact)
{
    size_t begin = item_begin(out, SERVICE_DISCOVERY, DISCOVERY_CONTACT);
    buffer_append(out, contact->pgp_id, sizeof(contact->pgp_id));
    buffer_append(out, contact->location, sizeof(contact->location));
    write_text(out, TLV_LOCATION, contact->location_name, sizeof(contact->location_name));
    write_text(out, TLV_VERSION, contact->version, sizeof(contact->version));
    buffer_u32(out, contact->net_mode);
    buffer_u16(out, contact->vs_disc);
    buffer_u16(out, contact->vs_dht);
    buffer_u32(out, contact->last_contact);
    if (contact->hidden) {
        write_text(out, TLV_HIDDEN_ADDRESS, contact->hidden_address, sizeof(contact->hidden_address));
        buffer_u16(out, contact->hidden_port);
        return item_end(out, begin);
    }
    write_address(out, &contact->local4);
    write_address(out, &contact->external4);
    write_address(out, &contact->local6);
    write_address(out, &contact->external6);
    write_address(out, &contact->seen);
    write_text(out, TLV_DYNDNS, contact->dyndns, sizeof(contact->dyndns));
    write_history(out, contact->local, contact->local_sightings, contact->local_count);
    write_history(out, contact->external, contact->external_sightings, contact->external_count);
    return item_end(out, begin);
}

bool pgp_list_parse(struct pgp_list *out, struct bytes item)
{
    if (!item_is(item, SERVICE_DISCOVERY, DISCOVERY_PGP_LIST))
        return false;
    struct reader reader = body_of(item);
    out->mode = read_u32(&reader);
    out->ids = tlv_read_type(&reader, TLV_PGP_IDS);
    return reader_done(&reader) && out->mode <= PGP_LIST_GET && out->ids.size % 8 == 0;
}

bool pgp_list_write(struct buffer *out, const struct pgp_list *list)
{
    size_t begin = item_begin(out, SERVICE_DISCOVERY, DISCOVERY_PGP_LIST);
    buffer_u32(out, list->mode);
    tlv_write(out, TLV_PGP_IDS, list->ids);
    return item_end(out, begin);
}

bool pgp_key_parse(struct pgp_key_item *out, struct bytes item)
{
    if (!item_is(item, SERVICE_DISCOVERY, DISCOVERY_PGP_KEY))
        return false;
    struct reader reader = body_of(item);
    read_copy(&reader, out->pgp_id, sizeof(out->pgp_id));
    out->block = read_bytes(&reader, read_u32(&reader));
    return reader_done(&reader);
}

bool pgp_key_write(struct buffer *out, const struct pgp_key_item *key)
{
    if (key->block.size > ITEM_SIZE_MAX)
        return false;
    size_t begin = item_begin(out, SERVICE_DISCOVERY, DISCOVERY_PGP_KEY);
    buffer_append(out, key->pgp_id, sizeof(key->pgp_id));
    buffer_u32(out, (uint32_t)key->block.size);
    buffer_append_bytes(out, key->block);
    return item_end(out, begin);
}
