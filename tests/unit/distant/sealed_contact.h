/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_DISTANT_SEALED_CONTACT_H
#define RETROGATE_TESTS_DISTANT_SEALED_CONTACT_H

#include "sealed_scene.h"

#include "base/map.h"
#include "distant/chat_internal.h"

/* A contact who uses the keys of one side as no gateway would. */

static inline struct chat_tunnel *talking_tunnel(size_t side)
{
    struct chat_tunnel *tunnel;
    DL_FOREACH(chat_of(side)->tunnels, tunnel)
    {
        if (sealed_talks(tunnel))
            return tunnel;
    }
    fail_msg("no tunnel");
    return NULL;
}

static inline void give(size_t to, uint64_t tunnel, struct bytes payload)
{
    chat_receive(chat_of(to), tunnel, payload, road.ends[to].now, wall_of(to));
    road_take(to);
}

/* A plaintext as it is, under the next counter. */
static inline void give_plain(size_t from, struct bytes plain)
{
    struct chat_tunnel *tunnel = talking_tunnel(from);
    struct buffer frame = buffer_make(SEALED_PLAIN_MAX + SEALED_OVERHEAD);
    assert_true(
        sealed_tunnel_seal(&tunnel->seal, road.ends[from].sealed, &frame, false, plain, road.ends[from].now));
    give(1 - from, tunnel->id, buffer_view(&frame));
    buffer_free(&frame);
}

static inline struct buffer plain_of(uint16_t flags, uint64_t ack, uint64_t base)
{
    struct buffer plain = buffer_make(SEALED_PLAIN_MAX);
    assert_true(
        sealed_header_write(&plain, &(struct sealed_header){.flags = flags, .ack = ack, .base = base}));
    return plain;
}

/* Pads, gives, frees. */
static inline void give_records(size_t from, struct buffer *plain)
{
    assert_true(sealed_pad(plain));
    give_plain(from, buffer_view(plain));
    buffer_free(plain);
}

static inline void give_line(size_t from, uint64_t number, int64_t time, struct bytes text)
{
    struct buffer plain = plain_of(SEALED_WANT, 0, 1);
    assert_true(sealed_line_write(&plain, number, time, text));
    give_records(from, &plain);
}

#endif
