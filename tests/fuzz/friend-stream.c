/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "friend/addresses.h"
#include "friend/frames.h"
#include "friend/services.h"

/* What a friend may send inside TLS: cut into items, slices joined, services answered. The first byte chooses
 * whether the friend's key is known (bit 0) and how the stream is cut. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    static const uint8_t pgp_id[8] = {0x09, 0x12, 0x46, 0x24, 0x06, 0x18, 0xea, 0x5a};
    static const uint8_t location[16] = {0xd2, 0x50, 0xa2, 0xb1, 0x3a, 0xbd, 0xfa, 0x53,
                                         0x8a, 0xc6, 0x93, 0x59, 0x64, 0xcd, 0x38, 0x7a};
    struct services_self self = {.key_block = bytes_of(location, sizeof location)};
    struct services services;
    struct slices slices = {.held = 0};
    struct friend_record record = {.address_count = 0};
    struct sockaddr_storage peer = {.ss_family = AF_INET};
    union services_news news;
    struct buffer out = buffer_make(1 << 16);
    uint64_t now = 1000000;
    services_start(&services, &self, pgp_id, location, data[0] & 1, now, &out);

    size_t step = 1 + (size_t)(data[0] >> 1) * 16, given = 0;
    struct bytes input = bytes_of(data + 1, 0), item;
    const char *reason = NULL;
    enum frame frame = FRAME_NONE;
    while (given < size - 1 && frame != FRAME_BAD) {
        size_t more = step < size - 1 - given ? step : size - 1 - given;
        given += more;
        input.size += more;
        while ((frame = frames_next(&slices, &input, now / 1000, &item, &reason)) == FRAME_ITEM) {
            check(item.size >= ITEM_HEADER_SIZE && item.size <= ITEM_SIZE_MAX);
            now += 700000;
            buffer_clear(&out);
            enum services_verdict verdict = services_receive(&services, item, now, &out, &news);
            check(verdict != SERVICES_TURTLE || !services.limited);
            if (verdict == SERVICES_CONTACT)
                addresses_learn(&record, &news.contact, &peer);
            if (verdict == SERVICES_KEY)
                services_unlimit(&services, now, &out);
            check(!out.failed && record.address_count <= ADDRESSES_MAX);
            check(services_tick(&services, now, &out) >= now || services_silent(&services, now));
        }
        check(input.data + input.size == data + 1 + given);
        check(slices.held <= SLICES_HELD);
        check(frame != FRAME_BAD || reason);
    }
    slices_clear(&slices);
    buffer_free(&out);
    return 0;
}
