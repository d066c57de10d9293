/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_FRIEND_SLICES_H
#define RETROGATE_FRIEND_SLICES_H

#include "base/buffer.h"
#include "wire/link_items.h"

/* Joins the slices of items that a stock peer cut (protocol 11 §4.1). Pure.
 *
 * Bounds: SLICES_OPEN packets open at a time, SLICES_HELD bytes in all of them, ITEM_SIZE_MAX bytes each, and
 * SLICES_PATIENCE_MS since a packet's last slice. What breaks a bound is dropped, not the link: a lost item
 * is something that the services live with. */
enum { SLICES_OPEN = 16, SLICES_HELD = 1 << 20, SLICES_PATIENCE_MS = 120000 };

struct slices {
    struct slices_packet {
        bool open;
        uint32_t id;
        uint64_t last_ms;
        struct buffer data;
    } packets[SLICES_OPEN];
    size_t held;         /* bytes in open packets */
    struct buffer whole; /* the item given last */
    uint64_t dropped;    /* slices and packets refused */
};

/* Takes one slice. True when it completes an item: a view that lives until the next call. A zeroed struct is
 * empty. */
bool slices_add(struct slices *slices, const struct slice_header *header, struct bytes data, uint64_t now_ms,
                struct bytes *item);
void slices_clear(struct slices *slices);

#endif
