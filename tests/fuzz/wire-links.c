/* SPDX-License-Identifier: ISC */
/* What two direct friends exchange. Bytes change when an item is written again (names are cut, unknown parts
 * left out), but only the first time. */
#include <stdlib.h>

#include "wire/link_items.h"
#include "wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static bool service_info(struct buffer *out, struct bytes item)
{
    struct service_list list;
    if (!service_info_parse(&list, item))
        return false;
    require(list.count <= SERVICE_ENTRIES_MAX);
    const struct service_list none = {.count = 0};
    require(!service_shared(&list, &none, SERVICE_TURTLE) && !service_shared(&none, &list, SERVICE_TURTLE));
    return service_info_write(out, &list);
}

static bool contact(struct buffer *out, struct bytes item)
{
    struct contact_item parsed;
    if (!contact_parse(&parsed, item))
        return false;
    require(utf8_valid(bytes_of_string(parsed.location_name)) && utf8_valid(bytes_of_string(parsed.version)));
    require(parsed.local_count <= CONTACT_HISTORY_MAX && parsed.external_count <= CONTACT_HISTORY_MAX);
    return contact_write(out, &parsed);
}

static bool pgp_list(struct buffer *out, struct bytes item)
{
    struct pgp_list list;
    return pgp_list_parse(&list, item) && pgp_list_write(out, &list);
}

static bool pgp_key(struct buffer *out, struct bytes item)
{
    struct pgp_key_item key;
    return pgp_key_parse(&key, item) && pgp_key_write(out, &key);
}

static bool ping(struct buffer *out, struct bytes item)
{
    struct rtt rtt;
    return rtt_ping_parse(&rtt, item) && rtt_ping_write(out, &rtt);
}

static bool pong(struct buffer *out, struct bytes item)
{
    struct rtt rtt;
    return rtt_pong_parse(&rtt, item) && rtt_pong_write(out, &rtt);
}

static const struct {
    bool (*again)(struct buffer *, struct bytes);
    bool exact;
} codecs[] = {
    {service_info, false}, {contact, false}, {pgp_list, true}, {pgp_key, true}, {ping, true}, {pong, true},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes item = bytes_of(data, size);
    struct buffer first = buffer_make(2 * ITEM_SIZE_MAX), second = buffer_make(2 * ITEM_SIZE_MAX);
    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
        buffer_clear(&first);
        buffer_clear(&second);
        if (!codecs[i].again(&first, item))
            continue;
        require(codecs[i].again(&second, buffer_view(&first)));
        require(bytes_equal(buffer_view(&first), buffer_view(&second)));
        require(!codecs[i].exact || bytes_equal(buffer_view(&first), item));
    }
    struct slice_header slice;
    if (slice_header_parse(&slice, item))
        require(size >= 8 && !(slice.first && slice.last) && data[0] == 0x10);
    buffer_free(&second);
    buffer_free(&first);
    return 0;
}
