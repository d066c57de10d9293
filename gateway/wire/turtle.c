/* SPDX-License-Identifier: ISC */
#include "wire/turtle.h"

#include "wire/tlv.h"

enum {
    TLV_SEARCH_TEXT = 0x0054,
    TLV_FILE_NAME = 0x0051,
    TLV_HASH = 0x0070,
    HASH_TEXT_SIZE = 2 * TURTLE_HASH_SIZE,
};

static struct reader body_of(struct bytes item)
{
    return reader_of(bytes_of(item.data + ITEM_HEADER_SIZE, item.size - ITEM_HEADER_SIZE));
}

/* In 0.5 the hash is a text that routers compare as text (protocol 02 §2.1). Only the form that the original
 * writes is taken, lower case, so that 20 bytes inside and the text on the wire stand for each other. */
static void read_hash_text(struct reader *reader, uint8_t hash[TURTLE_HASH_SIZE])
{
    struct bytes text = tlv_read_type(reader, TLV_HASH);
    char again[HASH_TEXT_SIZE + 1];
    if (reader->failed || !hex_parse(hash, TURTLE_HASH_SIZE, (const char *)text.data, text.size)) {
        reader->failed = true;
        return;
    }
    hex_lower(again, hash, TURTLE_HASH_SIZE);
    if (!bytes_equal(text, bytes_of(again, HASH_TEXT_SIZE)))
        reader->failed = true;
}

bool turtle_open_parse(struct turtle_open *out, struct bytes item, enum turtle_generation generation)
{
    if (!item_is(item, SERVICE_TURTLE, TURTLE_OPEN))
        return false;
    struct reader reader = body_of(item);
    if (generation == TURTLE_05)
        read_hash_text(&reader, out->hash);
    else
        read_copy(&reader, out->hash, sizeof(out->hash));
    out->request = read_u32(&reader);
    out->partial = read_u32(&reader);
    out->depth = read_u16(&reader);
    return reader_done(&reader);
}

bool turtle_open_write(struct buffer *out, const struct turtle_open *open, enum turtle_generation generation)
{
    size_t begin = item_begin(out, SERVICE_TURTLE, TURTLE_OPEN);
    if (generation == TURTLE_05) {
        char text[HASH_TEXT_SIZE + 1];
        hex_lower(text, open->hash, sizeof(open->hash));
        tlv_write(out, TLV_HASH, bytes_of(text, HASH_TEXT_SIZE));
    } else {
        buffer_append(out, open->hash, sizeof(open->hash));
    }
    buffer_u32(out, open->request);
    buffer_u32(out, open->partial);
    buffer_u16(out, open->depth);
    return item_end(out, begin);
}

bool turtle_ok_parse(struct turtle_ok *out, struct bytes item)
{
    if (!item_is(item, SERVICE_TURTLE, TURTLE_OK))
        return false;
    struct reader reader = body_of(item);
    out->tunnel = read_u32(&reader);
    out->request = read_u32(&reader);
    return reader_done(&reader);
}

bool turtle_ok_write(struct buffer *out, const struct turtle_ok *ok)
{
    size_t begin = item_begin(out, SERVICE_TURTLE, TURTLE_OK);
    buffer_u32(out, ok->tunnel);
    buffer_u32(out, ok->request);
    return item_end(out, begin);
}

bool turtle_data_parse(uint32_t *tunnel, struct bytes *payload, struct bytes item)
{
    if (!item_is(item, SERVICE_TURTLE, TURTLE_DATA) && !item_is(item, SERVICE_TURTLE, TURTLE_FAST_DATA))
        return false;
    struct reader reader = body_of(item);
    *tunnel = read_u32(&reader);
    *payload = read_bytes(&reader, read_u32(&reader));
    return reader_done(&reader);
}

bool turtle_data_write(struct buffer *out, uint8_t subtype, uint32_t tunnel, struct bytes payload)
{
    if (payload.size > ITEM_SIZE_MAX - TURTLE_DATA_OVERHEAD)
        return false;
    size_t begin = item_begin(out, SERVICE_TURTLE, subtype);
    buffer_u32(out, tunnel);
    buffer_u32(out, (uint32_t)payload.size);
    buffer_append_bytes(out, payload);
    return item_end(out, begin);
}

/* Items inside a tunnel (protocol 02 §2.1, 21 §1): `head` bytes, header included, the last of which are
 * `counts` u32 numbers of elements of `unit` bytes that follow. */
enum {
    FIRST_TUNNEL_SUBTYPE = TURTLE_FILE_REQUEST,
    IN_06 = 1 << TURTLE_06,
    IN_05 = 1 << TURTLE_05,
    IN_BOTH = IN_06 | IN_05
};

static const struct tunnel_layout {
    uint8_t generations, head, unit, counts;
    bool stamps;
} tunnel_layouts[] = {
    [TURTLE_FILE_REQUEST - FIRST_TUNNEL_SUBTYPE] = {IN_BOTH, 24, 0, 0, false},
    [TURTLE_FILE_DATA - FIRST_TUNNEL_SUBTYPE] = {IN_BOTH, 24, 1, 1, true},
    [TURTLE_DATA - FIRST_TUNNEL_SUBTYPE] = {IN_BOTH, 16, 1, 1, true},
    [TURTLE_FILE_MAP - FIRST_TUNNEL_SUBTYPE] = {IN_BOTH, 20, 4, 1, false},
    [TURTLE_FILE_MAP_REQUEST - FIRST_TUNNEL_SUBTYPE] = {IN_BOTH, 16, 0, 0, false},
    [TURTLE_FILE_CRC_MAP - FIRST_TUNNEL_SUBTYPE] = {IN_05, 20, 4, 2, true},
    [TURTLE_FILE_CRC_MAP_REQUEST - FIRST_TUNNEL_SUBTYPE] = {IN_05, 12, 0, 0, false},
    [TURTLE_CHUNK_CRC - FIRST_TUNNEL_SUBTYPE] = {IN_BOTH, 36, 0, 0, true},
    [TURTLE_CHUNK_CRC_REQUEST - FIRST_TUNNEL_SUBTYPE] = {IN_BOTH, 16, 0, 0, false},
    [TURTLE_FAST_DATA - FIRST_TUNNEL_SUBTYPE] = {IN_06, 16, 1, 1, true},
};

bool turtle_tunnel_item(uint32_t *tunnel, bool *stamps, struct bytes item, enum turtle_generation generation)
{
    if (item.size < ITEM_HEADER_SIZE)
        return false;
    unsigned index = (unsigned)item.data[3] - FIRST_TUNNEL_SUBTYPE; /* wraps below, so one test bounds it */
    if (index >= sizeof(tunnel_layouts) / sizeof(tunnel_layouts[0]))
        return false;
    const struct tunnel_layout *layout = &tunnel_layouts[index];
    if ((layout->generations & 1 << generation) == 0 || item.size < layout->head ||
        !item_is(item, SERVICE_TURTLE, item.data[3]))
        return false;
    const uint8_t *end = item.data + layout->head;
    uint64_t elements = layout->counts > 0 ? item_u32(end - 4) : 0;
    if (layout->counts > 1)
        elements += item_u32(end - 8);
    if (item.size != layout->head + elements * layout->unit)
        return false;
    *tunnel = item_u32(item.data + ITEM_HEADER_SIZE);
    *stamps = layout->stamps;
    return true;
}

static void skip_elements(struct reader *reader, size_t unit)
{
    uint64_t size = (uint64_t)read_u32(reader) * unit;
    if (size > reader->left)
        reader->failed = true;
    else
        read_bytes(reader, (size_t)size);
}

static void skip_expression(struct reader *reader)
{
    skip_elements(reader, 1);
    skip_elements(reader, 4);
    for (uint32_t left = read_u32(reader); left > 0 && !reader->failed; left--)
        tlv_read_type(reader, TLV_SEARCH_TEXT);
}

static void skip_files(struct reader *reader, enum turtle_generation generation)
{
    for (uint32_t left = read_u32(reader); left > 0 && !reader->failed; left--) {
        read_u64(reader);
        if (generation == TURTLE_05)
            tlv_read_type(reader, TLV_HASH);
        else
            read_bytes(reader, TURTLE_HASH_SIZE);
        tlv_read_type(reader, TLV_FILE_NAME);
    }
}

bool turtle_search_parse(struct turtle_search *out, struct bytes item, enum turtle_generation generation)
{
    if (item.size < ITEM_HEADER_SIZE || !item_is(item, SERVICE_TURTLE, item.data[3]))
        return false;
    uint8_t subtype = item.data[3];
    bool generic = subtype == TURTLE_SEARCH_GENERIC || subtype == TURTLE_SEARCH_GENERIC_RESULT;
    if (generic && generation != TURTLE_06)
        return false;
    struct reader reader = body_of(item);
    if (subtype == TURTLE_SEARCH)
        tlv_read_type(&reader, TLV_SEARCH_TEXT);
    out->subtype = subtype;
    out->request = read_u32(&reader);
    out->depth_offset = item.size - reader.left;
    out->depth = read_u16(&reader);
    out->result = subtype == TURTLE_SEARCH_RESULT || subtype == TURTLE_SEARCH_GENERIC_RESULT;
    switch (subtype) {
    case TURTLE_SEARCH:
        break;
    case TURTLE_SEARCH_REGEXP:
        skip_expression(&reader);
        break;
    case TURTLE_SEARCH_GENERIC:
        read_u16(&reader); /* service */
        read_u8(&reader);  /* kind of request */
        skip_elements(&reader, 1);
        break;
    case TURTLE_SEARCH_RESULT:
        skip_files(&reader, generation);
        break;
    case TURTLE_SEARCH_GENERIC_RESULT:
        skip_elements(&reader, 1);
        break;
    default:
        return false;
    }
    return reader_done(&reader);
}
