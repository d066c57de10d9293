/* SPDX-License-Identifier: ISC */
/* Turtle items of both generations: what is read is written again as the same bytes, and the short look of a
 * relay agrees with the full reading. */
#include <stdlib.h>

#include "wire/turtle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void same(struct buffer *out, bool written, struct bytes item)
{
    require(written && bytes_equal(buffer_view(out), item));
    buffer_clear(out);
}

static void one_generation(struct buffer *out, struct bytes item, enum turtle_generation generation)
{
    struct turtle_open open;
    struct turtle_ok ok;
    struct turtle_search search;
    struct bytes payload;
    uint32_t tunnel, again = 0;
    bool stamps = false;
    if (turtle_open_parse(&open, item, generation))
        same(out, turtle_open_write(out, &open, generation), item);
    if (turtle_ok_parse(&ok, item))
        same(out, turtle_ok_write(out, &ok), item);
    bool in_tunnel = turtle_tunnel_item(&again, &stamps, item, generation);
    if (turtle_data_parse(&tunnel, &payload, item)) {
        same(out, turtle_data_write(out, item.data[3], tunnel, payload), item);
        require(in_tunnel == (generation == TURTLE_06 || item.data[3] == TURTLE_DATA));
        require(!in_tunnel || (again == tunnel && stamps));
    }
    if (turtle_search_parse(&search, item, generation)) {
        require(!in_tunnel && search.depth_offset + 2 <= item.size);
        require(search.depth == (item.data[search.depth_offset] << 8 | item.data[search.depth_offset + 1]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer out = buffer_make(ITEM_SIZE_MAX);
    one_generation(&out, bytes_of(data, size), TURTLE_06);
    one_generation(&out, bytes_of(data, size), TURTLE_05);
    buffer_free(&out);
    return 0;
}
