/* SPDX-License-Identifier: ISC */
#include "friend/slices.h"

static void drop(struct slices *slices, struct slices_packet *packet)
{
    slices->held -= buffer_size(&packet->data);
    buffer_free(&packet->data);
    packet->open = false;
    slices->dropped++;
}

static struct slices_packet *find(struct slices *slices, uint32_t id)
{
    for (size_t i = 0; i < SLICES_OPEN; i++)
        if (slices->packets[i].open && slices->packets[i].id == id)
            return &slices->packets[i];
    return NULL;
}

static struct slices_packet *begin(struct slices *slices, uint32_t id, uint64_t now_ms)
{
    struct slices_packet *packet = find(slices, id);
    if (packet)
        drop(slices, packet); /* its end was never sent */
    for (size_t i = 0; i < SLICES_OPEN; i++) {
        struct slices_packet *one = &slices->packets[i];
        if (one->open && now_ms - one->last_ms > SLICES_PATIENCE_MS)
            drop(slices, one);
        if (!one->open)
            packet = one;
    }
    if (!packet)
        return NULL;
    *packet = (struct slices_packet){.open = true, .id = id, .data = buffer_make(ITEM_SIZE_MAX)};
    return packet;
}

/* The item inside must be what its own header says (protocol 11 §4.1). */
static bool is_whole(struct bytes item)
{
    struct item_header header;
    return item_header_parse(&header, item) && header.version == 0x02 && header.size == item.size;
}

bool slices_add(struct slices *slices, const struct slice_header *header, struct bytes data, uint64_t now_ms,
                struct bytes *item)
{
    buffer_free(&slices->whole);
    struct slices_packet *packet =
        header->first ? begin(slices, header->packet, now_ms) : find(slices, header->packet);
    if (!packet) {
        slices->dropped++;
        return false;
    }
    if (data.size > SLICES_HELD - slices->held || !buffer_append_bytes(&packet->data, data)) {
        drop(slices, packet);
        return false;
    }
    slices->held += data.size;
    packet->last_ms = now_ms;
    if (!header->last)
        return false;
    if (!is_whole(buffer_view(&packet->data))) {
        drop(slices, packet);
        return false;
    }
    slices->held -= buffer_size(&packet->data);
    slices->whole = packet->data;
    packet->open = false;
    packet->data = (struct buffer){0};
    *item = buffer_view(&slices->whole);
    return true;
}

void slices_clear(struct slices *slices)
{
    for (size_t i = 0; i < SLICES_OPEN; i++)
        buffer_free(&slices->packets[i].data);
    buffer_free(&slices->whole);
    *slices = (struct slices){0};
}
