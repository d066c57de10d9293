/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_UNIT_WIRE_WIRE_TEST_H
#define RETROGATE_TESTS_UNIT_WIRE_WIRE_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/vectors.h"

#include "wire/item.h"

/* An exact copy on the heap, so that a sanitizer sees a read beyond the end. The caller frees `data`. */
static inline struct bytes heap_copy(struct bytes bytes)
{
    uint8_t *copy = malloc(bytes.size > 0 ? bytes.size : 1);
    assert_non_null(copy);
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return bytes_of(copy, bytes.size);
}

static inline void set_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Shows to `parse`, which must refuse it: the item cut at every length, with the size in its header as it was
 * and put right; the item with a byte more; and the item with each aligned-or-not u32 of its body replaced by
 * hostile lengths, which `parse` may accept (the field may not be a length) but must survive. */
static inline void hostile_variants(struct bytes item, bool (*parse)(struct bytes))
{
    static const uint32_t lengths[] = {0, 1, 2, 3, 4, 5, 0x7fffffff, 0x80000000, 0xfffffffa, 0xffffffff};
    for (size_t size = 0; size < item.size; size++) {
        struct bytes cut = heap_copy(bytes_of(item.data, size));
        assert_false(parse(cut));
        if (size >= ITEM_HEADER_SIZE) {
            set_u32((uint8_t *)cut.data + 4, (uint32_t)size);
            assert_false(parse(cut));
        }
        free((void *)cut.data);
    }
    struct bytes longer = heap_copy(bytes_of(item.data, item.size));
    uint8_t *more = realloc((void *)longer.data, item.size + 1);
    assert_non_null(more);
    more[item.size] = 0;
    assert_false(parse(bytes_of(more, item.size + 1)));
    set_u32(more + 4, (uint32_t)item.size + 1);
    assert_false(parse(bytes_of(more, item.size + 1)));
    free(more);
    size_t last = item.size < 512 ? item.size : 512;
    for (size_t at = 4; at + 4 <= last; at++) {
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            struct bytes changed = heap_copy(item);
            set_u32((uint8_t *)changed.data + at, lengths[i]);
            bool accepted = parse(changed);
            if (at == 4)
                assert_false(accepted);
            free((void *)changed.data);
        }
    }
}

#endif
