/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_DISTANT_CHAT_TEST_H
#define RETROGATE_TESTS_DISTANT_CHAT_TEST_H

#include "support/vectors.h"

#include <stdlib.h>
#include <string.h>

#include "distant/chat.h"
#include "wire/chat.h"

/* One end of a conversation under test: a chat, its clock, and all that it put out since end_clear(). */

enum { WALL = 1380600000, ROOM = 1 << 20 };

struct seen {
    struct chat_output value;
    struct buffer payload, text, secret;
    uint64_t salts[CHAT_PARTS_LIMIT];
};

struct end {
    struct chat *chat;
    struct classic_cipher *cipher;
    struct sealed_cipher *sealed;
    struct random_seeded seed;
    struct random_source random;
    struct chat_options options;
    uint64_t now;
    bool holds_salts; /* CHAT_SALTS is not answered */
    uint64_t salt_next;
    struct seen *seen;
    size_t count;
};

static inline int64_t end_wall(const struct end *end)
{
    return WALL + (int64_t)(end->now / 1000);
}

static inline struct bytes str(const char *text)
{
    return bytes_of_string(text);
}

static inline void end_clear(struct end *end)
{
    for (size_t i = 0; i < end->count; i++) {
        buffer_free(&end->seen[i].payload);
        buffer_free(&end->seen[i].text);
        buffer_free(&end->seen[i].secret);
    }
    free(end->seen);
    end->seen = NULL;
    end->count = 0;
}

static inline void keep(struct end *end, const struct chat_output *out)
{
    end->seen = realloc(end->seen, (end->count + 1) * sizeof *end->seen);
    assert_non_null(end->seen);
    struct seen *seen = &end->seen[end->count++];
    *seen = (struct seen){
        .value = *out, .payload = buffer_make(ROOM), .text = buffer_make(ROOM), .secret = buffer_make(64)};
    buffer_append_bytes(&seen->payload, out->payload);
    buffer_append_bytes(&seen->text, out->text);
    buffer_append_bytes(&seen->secret, out->secret);
    assert_true(out->salt_count <= CHAT_PARTS_LIMIT);
    for (size_t i = 0; i < out->salt_count; i++)
        seen->salts[i] = out->salts[i];
}

static inline void end_take(struct end *end)
{
    struct chat_output out;
    uint64_t stored = 0;
    while (chat_next(end->chat, &out)) {
        keep(end, &out);
        if (out.kind == CHAT_SALTS)
            stored = end->salt_next = out.salt_next;
    }
    if (stored != 0 && !end->holds_salts) {
        chat_salts_stored(end->chat, stored, end->now, end_wall(end));
        end_take(end);
    }
}

static inline void end_start(struct end *end)
{
    end->chat = chat_new(&end->options, &(struct chat_tools){end->cipher, end->sealed, &end->random},
                         end->now, end_wall(end));
    assert_non_null(end->chat);
    end_take(end);
}

static inline void end_open(struct end *end, enum chat_role role, uint64_t seed)
{
    *end = (struct end){.cipher = classic_cipher_new(), .now = 1000000};
    assert_non_null(end->cipher);
    end->random = random_from_seed(&end->seed, seed);
    end->options = (struct chat_options){.role = role, .route_created = WALL, .send_typing = true};
    memset(end->options.key, 0x5a, sizeof end->options.key);
    end->random.fill(end->random.state, end->options.salt_key, sizeof end->options.salt_key);
    end_start(end);
    end_clear(end);
}

static inline void end_free(struct end *end)
{
    end_clear(end);
    chat_free(end->chat);
    classic_cipher_free(end->cipher);
}

static inline size_t end_count(const struct end *end, enum chat_output_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < end->count; i++)
        count += end->seen[i].value.kind == kind;
    return count;
}

/* The hash is served or asked for no more. */
static inline size_t end_stops(const struct end *end)
{
    return end_count(end, CHAT_STOP) + end_count(end, CHAT_UNSERVE);
}

/* The n-th output of a kind; fails the test when there is none. */
static inline struct seen *end_find(const struct end *end, enum chat_output_kind kind, size_t n)
{
    for (size_t i = 0; i < end->count; i++) {
        if (end->seen[i].value.kind == kind && n-- == 0)
            return &end->seen[i];
    }
    fail_msg("no output of kind %d", (int)kind);
    return NULL;
}

static inline void end_tunnel_up(struct end *end, uint64_t tunnel)
{
    chat_tunnel_up(end->chat, tunnel, end->options.hash, end->options.role == CHAT_GUEST, end->now,
                   end_wall(end));
    end_take(end);
}

static inline void end_tunnel_down(struct end *end, uint64_t tunnel)
{
    chat_tunnel_down(end->chat, tunnel, "a relay left", end->now, end_wall(end));
    end_take(end);
}

static inline void end_tick(struct end *end, uint64_t ms)
{
    end->now += ms;
    chat_tick(end->chat, end->now, end_wall(end));
    end_take(end);
}

static inline void end_receive(struct end *end, uint64_t tunnel, struct bytes payload)
{
    chat_receive(end->chat, tunnel, payload, end->now, end_wall(end));
    end_take(end);
}

static inline bool end_say(struct end *end, uint64_t line, struct bytes text)
{
    bool taken = chat_say(end->chat, line, 0, text, end->now, end_wall(end), NULL);
    end_take(end);
    return taken;
}

/* A packet as the peer makes it: an item sealed under a salt of the test's choice. */
static inline struct buffer packet_of(const struct end *end, uint64_t salt, struct bytes item)
{
    uint8_t salt_bytes[8];
    struct buffer packet = buffer_make(ROOM);
    for (size_t i = 0; i < 8; i++)
        salt_bytes[i] = (uint8_t)(salt >> (56 - 8 * i));
    assert_true(classic_seal(end->cipher, &packet, end->options.key, salt_bytes, item));
    return packet;
}

static inline void peer_sends(struct end *end, uint64_t tunnel, uint64_t salt, struct buffer *item)
{
    struct buffer packet = packet_of(end, salt, buffer_view(item));
    end_receive(end, tunnel, buffer_view(&packet));
    buffer_free(&packet);
    buffer_free(item);
}

static inline void peer_status(struct end *end, uint64_t tunnel, uint64_t salt, uint32_t flags,
                               const char *text)
{
    struct buffer item = buffer_make(ROOM);
    assert_true(chat_status_write(&item, flags, str(text)));
    peer_sends(end, tunnel, salt, &item);
}

static inline void peer_text_at(struct end *end, uint64_t tunnel, uint64_t salt, uint32_t flags,
                                struct bytes text, int64_t time)
{
    struct buffer item = buffer_make(ROOM);
    assert_true(chat_text_write(&item, flags, (uint32_t)time, text));
    peer_sends(end, tunnel, salt, &item);
}

static inline void peer_text(struct end *end, uint64_t tunnel, uint64_t salt, uint32_t flags,
                             const char *text)
{
    peer_text_at(end, tunnel, salt, flags, str(text), end_wall(end));
}

static inline void peer_avatar(struct end *end, uint64_t tunnel, uint64_t salt, struct bytes image)
{
    struct buffer item = buffer_make(ROOM);
    assert_true(chat_avatar_write(&item, image));
    peer_sends(end, tunnel, salt, &item);
}

/* A sent packet opened again. */
struct opened {
    struct chat_item item;
    struct buffer plain, text;
};

static inline struct opened open_sent(const struct end *end, const struct seen *sent)
{
    struct opened opened = {.plain = buffer_make(ROOM), .text = buffer_make(ROOM)};
    assert_int_equal(sent->value.kind, CHAT_SEND);
    assert_true(classic_open(end->cipher, &opened.plain, end->options.key, buffer_view(&sent->payload)));
    assert_true(chat_parse(&opened.item, &opened.text, buffer_view(&opened.plain)));
    return opened;
}

static inline void opened_free(struct opened *opened)
{
    buffer_free(&opened->plain);
    buffer_free(&opened->text);
}

/* The n-th packet sent is this one. */
static inline void assert_sent(const struct end *end, size_t n, enum chat_subtype subtype, uint32_t flags,
                               const char *text)
{
    struct opened opened = open_sent(end, end_find(end, CHAT_SEND, n));
    assert_int_equal(opened.item.subtype, subtype);
    assert_int_equal(opened.item.flags, flags);
    assert_bytes_equal(buffer_view(&opened.text), str(text));
    opened_free(&opened);
}

/* A tunnel that has carried a valid packet; outputs are cleared. */
static inline void end_confirm(struct end *end, uint64_t tunnel, uint64_t salt)
{
    end_tunnel_up(end, tunnel);
    peer_status(end, tunnel, salt, 0x0801, "Tunnel is working. You can talk!");
    assert_int_equal(chat_state(end->chat, NULL), CHAT_CAN_TALK);
    end_clear(end);
}

static inline void assert_refused(const struct end *end, enum chat_refusal why)
{
    assert_int_equal(end_count(end, CHAT_REFUSED_PACKET), 1);
    assert_string_equal(end_find(end, CHAT_REFUSED_PACKET, 0)->value.reason, chat_refusals[why]);
}

#endif
