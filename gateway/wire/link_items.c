/* SPDX-License-Identifier: ISC */
#include "wire/link_items.h"

#include <string.h>

#include "wire/tlv.h"

const uint8_t heartbeat_item[8] = {0x02, 0x00, 0x16, 0x01, 0x00, 0x00, 0x00, 0x08};
const uint8_t slice_probe[8] = {0x02, 0xaa, 0xbb, 0xcc, 0x00, 0x00, 0x00, 0x08};

enum { SERVICE_INFO_LIST = 0x01, RTT_PING = 0x01, RTT_PONG = 0x02 };
enum { TLV_MAP = 0x0001 /* the list, its pairs, their keys and their values alike */ };

static struct reader body_of(struct bytes item)
{
    return reader_of(bytes_of(item.data + ITEM_HEADER_SIZE, item.size - ITEM_HEADER_SIZE));
}

static bool entry_parse(struct service_entry *out, struct bytes *name, struct bytes pair)
{
    struct reader reader = reader_of(pair);
    out->id = tlv_read_u32(&reader, TLV_MAP);
    struct reader value = reader_of(tlv_read_type(&reader, TLV_MAP));
    *name = read_bytes(&value, read_u32(&value));
    uint32_t id = read_u32(&value);
    out->major = read_u16(&value);
    out->minor = read_u16(&value);
    out->min_major = read_u16(&value);
    out->min_minor = read_u16(&value);
    return reader_done(&reader) && reader_done(&value) && id == out->id;
}

bool service_info_parse(struct service_list *out, struct bytes item)
{
    out->count = 0;
    if (!item_is(item, SERVICE_INFO, SERVICE_INFO_LIST))
        return false;
    struct reader body = body_of(item);
    struct reader list = reader_of(tlv_read_type(&body, TLV_MAP));
    if (!reader_done(&body))
        return false;
    while (list.left > 0) {
        struct service_entry entry = {0};
        struct bytes pair = tlv_read_type(&list, TLV_MAP), name;
        if (list.failed || !entry_parse(&entry, &name, pair))
            return false;
        if (name.size >= sizeof(entry.name) || (name.size > 0 && memchr(name.data, '\0', name.size) != NULL))
            continue;
        if (out->count == SERVICE_ENTRIES_MAX)
            return false;
        if (name.size > 0)
            memcpy(entry.name, name.data, name.size);
        out->entries[out->count++] = entry;
    }
    return true;
}

bool service_info_write(struct buffer *out, const struct service_list *list)
{
    size_t begin = item_begin(out, SERVICE_INFO, SERVICE_INFO_LIST);
    size_t whole = tlv_begin(out, TLV_MAP);
    for (size_t i = 0; i < list->count; i++) {
        const struct service_entry *entry = &list->entries[i];
        size_t pair = tlv_begin(out, TLV_MAP);
        tlv_write_u32(out, TLV_MAP, entry->id);
        size_t value = tlv_begin(out, TLV_MAP);
        size_t name_size = strnlen(entry->name, sizeof(entry->name) - 1);
        buffer_u32(out, (uint32_t)name_size);
        buffer_append(out, entry->name, name_size);
        buffer_u32(out, entry->id);
        buffer_u16(out, entry->major);
        buffer_u16(out, entry->minor);
        buffer_u16(out, entry->min_major);
        buffer_u16(out, entry->min_minor);
        tlv_end(out, value);
        tlv_end(out, pair);
    }
    tlv_end(out, whole);
    return item_end(out, begin);
}

static const struct service_entry *find(const struct service_list *list, uint32_t id)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->entries[i].id == id)
            return &list->entries[i];
    }
    return NULL;
}

static bool at_least(uint16_t major, uint16_t minor, uint16_t min_major, uint16_t min_minor)
{
    return major != min_major ? major > min_major : minor >= min_minor;
}

bool service_shared(const struct service_list *ours, const struct service_list *theirs, uint16_t service)
{
    uint32_t id = 0x02000000u | (uint32_t)service << 8;
    const struct service_entry *a = find(ours, id), *b = find(theirs, id);
    return a != NULL && b != NULL && strcmp(a->name, b->name) == 0 &&
           at_least(a->major, a->minor, b->min_major, b->min_minor) &&
           at_least(b->major, b->minor, a->min_major, a->min_minor);
}

static bool rtt_parse(struct rtt *out, struct bytes item, uint8_t subtype)
{
    if (!item_is(item, SERVICE_RTT, subtype))
        return false;
    struct reader reader = body_of(item);
    out->sequence = read_u32(&reader);
    out->ping_time = read_u64(&reader);
    out->pong_time = subtype == RTT_PONG ? read_u64(&reader) : 0;
    return reader_done(&reader);
}

static bool rtt_write(struct buffer *out, const struct rtt *rtt, uint8_t subtype)
{
    size_t begin = item_begin(out, SERVICE_RTT, subtype);
    buffer_u32(out, rtt->sequence);
    buffer_u64(out, rtt->ping_time);
    if (subtype == RTT_PONG)
        buffer_u64(out, rtt->pong_time);
    return item_end(out, begin);
}

bool rtt_ping_parse(struct rtt *out, struct bytes item)
{
    return rtt_parse(out, item, RTT_PING);
}

bool rtt_ping_write(struct buffer *out, const struct rtt *rtt)
{
    return rtt_write(out, rtt, RTT_PING);
}

bool rtt_pong_parse(struct rtt *out, struct bytes item)
{
    return rtt_parse(out, item, RTT_PONG);
}

bool rtt_pong_write(struct buffer *out, const struct rtt *rtt)
{
    return rtt_write(out, rtt, RTT_PONG);
}

bool slice_header_parse(struct slice_header *out, struct bytes bytes)
{
    enum { FIRST = 0x01, LAST = 0x02 };
    struct reader reader = reader_of(bytes);
    uint8_t mark = read_u8(&reader), flags = read_u8(&reader);
    out->packet = read_u32(&reader);
    out->length = read_u16(&reader);
    out->first = (flags & FIRST) != 0;
    out->last = (flags & LAST) != 0;
    return !reader.failed && mark == 0x10 && flags < (FIRST | LAST);
}
