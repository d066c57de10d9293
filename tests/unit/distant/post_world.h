/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_DISTANT_POST_WORLD_H
#define RETROGATE_TESTS_DISTANT_POST_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "distant/post_receiver_internal.h"
#include "distant/post_sender.h"

/* Who sends posts, who receives them, their keyrings and stores, and the relay between them. */

enum { POSTS = 24, TUNNELS = 24, FLIGHT = 1024, KEPT = 64, TASKS = 512, SIGNATURES = 512, DIGESTS = 1024 };
enum { SENDER, RECEIVER };
static const uint64_t VALID_MS = 86400000;
static const uint64_t RETRY_MS = 60000;

enum way { WAY_PRIVATE_KNOWN, WAY_PRIVATE, WAY_OPEN, WAY_OPEN_KNOWN, WAY_CLASSIC, WAYS };

enum delivery { WAITING, GIVEN, SENT, DELIVERED, WITHDRAWN };

/* What outlives a restart. */
struct letter {
    size_t size;
    enum delivery delivery;
    uint64_t not_before;
    uint64_t seals; /* it was sealed so often */
    bool stored;    /* by the recipient */
};

struct tunnel {
    uint64_t id; /* 0: free */
    bool up[2];
    uint64_t made_at;
};

struct packet {
    uint64_t tunnel;
    int to;
    struct buffer bytes;
};

/* What a keyring or a store has to do, in any order. */
enum task_kind { TASK_SIGN, TASK_CHECK, TASK_OFFER, TASK_STORE, TASK_STORED };
struct task {
    enum task_kind kind;
    int side;
    uint64_t number; /* the check, or the post of the receiver */
    uint8_t day_key[32], digest[32];
    uint8_t signature[64];
    size_t size;
    uint64_t letter; /* 0: not readable */
    bool sealed;
};

struct signature {
    uint8_t day_key[32], bytes[64];
    uint64_t until;
};

/* A counter under a key is used once in the life of both. */
struct nonce {
    uint8_t key[41]; /* direction, E, counter */
    UT_hash_handle hh;
};

struct world {
    struct random_seeded seed, side_seed;
    struct random_source random, side_random;
    enum way way;
    bool faults;
    uint32_t kindness;
    uint8_t dropped; /* the subtype that the relay swallows now; 0: none */
    uint64_t now;
    uint8_t hash[20], fingerprint[20], secret[32];
    struct post_sender *sender;
    struct post_receiver *receiver;
    bool was_sealed; /* in this life of the sender */
    struct letter letters[POSTS + 1];
    uint64_t posts;
    struct tunnel tunnels[TUNNELS];
    uint64_t last_tunnel;
    struct packet flight[FLIGHT], kept[KEPT];
    size_t flying, kept_count;
    struct task tasks[TASKS];
    size_t task_count;
    struct signature signatures[SIGNATURES];
    size_t signature_count;
    uint8_t digests[DIGESTS][32]; /* of what the store holds */
    size_t digest_count;
    struct nonce *nonces;
    uint64_t checks, sealed_arrivals, classic_arrivals, restarts;
};

static inline uint32_t below(struct world *world, uint32_t bound)
{
    return random_below(&world->random, bound);
}

static inline bool is_private(const struct world *world)
{
    return world->way <= WAY_PRIVATE;
}

static inline bool is_known(const struct world *world)
{
    return world->way == WAY_PRIVATE_KNOWN || world->way == WAY_OPEN_KNOWN;
}

/* --- letters: their number, how often they were sealed, and bytes that follow from both */

enum { LETTER_HEAD = 16 };

static inline struct buffer letter_made(uint64_t number, uint64_t seal, size_t size)
{
    struct buffer made = buffer_make(size);
    struct random_seeded seed;
    struct random_source filler = random_from_seed(&seed, number << 32 | seal);
    buffer_u64(&made, number);
    buffer_u64(&made, seal);
    uint8_t *at = buffer_reserve(&made, size - LETTER_HEAD);
    assert_non_null(at);
    filler.fill(filler.state, at, size - LETTER_HEAD);
    buffer_commit(&made, size - LETTER_HEAD);
    return made;
}

/* 0: nothing that was ever made. */
static inline uint64_t letter_read(const struct world *world, struct bytes bytes)
{
    struct reader reader = reader_of(bytes);
    uint64_t number = read_u64(&reader), seal = read_u64(&reader);
    if (reader.failed || number == 0 || number > world->posts || seal == 0 ||
        seal > world->letters[number].seals || bytes.size != world->letters[number].size)
        return 0;
    struct buffer made = letter_made(number, seal, bytes.size);
    bool same = bytes_equal(bytes, buffer_view(&made));
    buffer_free(&made);
    return same ? number : 0;
}

/* --- tunnels and packets */

static inline struct tunnel *tunnel_find(struct world *world, uint64_t id)
{
    for (size_t i = 0; i < TUNNELS; i++) {
        if (id != 0 && world->tunnels[i].id == id)
            return &world->tunnels[i];
    }
    return NULL;
}

static inline void packet_drop(struct world *world, size_t at)
{
    buffer_free(&world->flight[at].bytes);
    memmove(&world->flight[at], &world->flight[at + 1], (--world->flying - at) * sizeof world->flight[0]);
}

static inline struct buffer copy_of(struct bytes bytes)
{
    struct buffer copy = buffer_make(bytes.size + 8);
    assert_true(buffer_append_bytes(&copy, bytes));
    return copy;
}

static inline void packet_send(struct world *world, uint64_t tunnel, int to, struct bytes bytes)
{
    if (world->flying == FLIGHT)
        packet_drop(world, 0);
    world->flight[world->flying++] = (struct packet){tunnel, to, copy_of(bytes)};
    if (below(world, 16) != 0)
        return;
    size_t place = world->kept_count < KEPT ? world->kept_count++ : below(world, KEPT);
    buffer_free(&world->kept[place].bytes);
    world->kept[place] = (struct packet){tunnel, to, copy_of(bytes)};
}

/* One side loses it. */
static inline void tunnel_leave(struct world *world, uint64_t id, int side)
{
    struct tunnel *tunnel = tunnel_find(world, id);
    if (tunnel == NULL)
        return;
    tunnel->up[side] = false;
    if (!tunnel->up[0] && !tunnel->up[1])
        tunnel->id = 0;
}

/* --- what must hold at every step */

static inline void check_nonce(struct world *world, uint8_t direction, const uint8_t ephemeral[32],
                               uint64_t counter)
{
    struct nonce *nonce = calloc(1, sizeof *nonce), *found;
    assert_non_null(nonce);
    nonce->key[0] = direction;
    memcpy(nonce->key + 1, ephemeral, 32);
    memcpy(nonce->key + 33, &counter, sizeof counter);
    HASH_FIND(hh, world->nonces, nonce->key, sizeof nonce->key, found);
    assert_null(found);
    HASH_ADD(hh, world->nonces, key, sizeof nonce->key, nonce);
}

static inline void check_memory(const struct world *world)
{
    const struct post_receiver *receiver = world->receiver;
    size_t large = 0, bytes = 0;
    for (size_t i = 0; i < POST_RECEIVER_TRANSFERS; i++) {
        large += receiver->incoming[i].stage != STAGE_NONE && receiver->incoming[i].size > LARGE;
        bytes += receiver->incoming[i].letter.capacity;
    }
    for (size_t i = 0; i < POST_RECEIVER_PARTIALS; i++)
        bytes += receiver->partials[i].text.capacity;
    assert_true(large <= 1);
    assert_true(bytes <= (size_t)(POST_RECEIVER_TRANSFERS + POST_RECEIVER_PARTIALS) * 2 * LARGE +
                             3 * 2 * (size_t)POST_LETTER_LIMIT);
}

static inline void check_sent(struct world *world, uint64_t tunnel, struct bytes payload)
{
    struct post_frame frame;
    assert_true(payload.size > 8);
    if (payload.data[3] == POST_CLASSIC) {
        assert_false(is_known(world) || world->was_sealed);
    } else if (world->way == WAY_CLASSIC) {
        fail_msg("its person wants classic posts");
    } else if (post_frame_parse(&frame, POST_FORTH, payload)) {
        assert_true(world->was_sealed);
        check_nonce(world, POST_FORTH, frame.ephemeral.data, frame.counter);
    }
    assert_non_null(tunnel_find(world, tunnel));
}

static inline void check_answered(struct world *world, uint64_t id, struct bytes payload)
{
    struct post_frame frame;
    struct receiver_tunnel *tunnel = receiver_tunnel_find(world->receiver, id);
    if (tunnel != NULL && post_frame_parse(&frame, POST_BACK, payload))
        check_nonce(world, POST_BACK, tunnel->channel.ephemeral, frame.counter);
}

/* --- owners */

static inline void task_add(struct world *world, const struct task *task)
{
    for (size_t i = 0; task->kind == TASK_SIGN && i < world->task_count; i++) {
        if (world->tasks[i].kind == TASK_SIGN)
            world->tasks[i--] = world->tasks[--world->task_count]; /* it was given up */
    }
    assert_true(world->task_count < TASKS);
    world->tasks[world->task_count++] = *task;
}

static inline void sender_says(struct world *world, const struct post_sender_output *out)
{
    struct letter *letter = &world->letters[out->post];
    struct task task = {.kind = TASK_CHECK, .side = SENDER, .number = out->check};
    assert_true(out->post <= world->posts);
    switch (out->kind) {
    case POST_SENDER_SEND:
        check_sent(world, out->tunnel, out->payload);
        packet_send(world, out->tunnel, RECEIVER, out->payload);
        break;
    case POST_SENDER_CHECK:
        world->checks++;
        memcpy(task.day_key, out->day_key, sizeof task.day_key);
        task.size = out->signature.size;
        memcpy(task.signature, out->signature.data,
               task.size < sizeof task.signature ? task.size : sizeof task.signature);
        task_add(world, &task);
        break;
    case POST_SENDER_WIRE:
        assert_false(world->was_sealed && post_sender_wire(world->sender) != POST_WIRE_SEALED);
        world->was_sealed = post_sender_wire(world->sender) == POST_WIRE_SEALED;
        break;
    case POST_SENDER_DELIVERED:
        assert_int_equal(letter->delivery, GIVEN);
        assert_true(letter->stored);
        letter->delivery = DELIVERED;
        break;
    case POST_SENDER_LEFT:
        assert_int_equal(letter->delivery, SENT);
        break;
    case POST_SENDER_REFUSED:
        assert_int_equal(letter->delivery, GIVEN);
        assert_true(out->temporary); /* nothing else was said */
        letter->delivery = WAITING;
        letter->not_before = world->now + RETRY_MS;
        break;
    case POST_SENDER_RETURNED:
        letter->delivery = WAITING;
        break;
    case POST_SENDER_CLOSE_TUNNEL:
        tunnel_leave(world, out->tunnel, SENDER);
        break;
    case POST_SENDER_CONFIRMED:
        break;
    }
}

static inline void receiver_says(struct world *world, struct post_receiver_output *out)
{
    struct task task = {
        .side = RECEIVER, .number = out->post, .sealed = out->sealed, .size = (size_t)out->size};
    memcpy(task.digest, out->digest, sizeof task.digest);
    memcpy(task.day_key, out->day_key, sizeof task.day_key);
    switch (out->kind) {
    case POST_RECEIVER_SEND:
        check_answered(world, out->tunnel, out->payload);
        packet_send(world, out->tunnel, SENDER, out->payload);
        break;
    case POST_RECEIVER_SIGN:
        task.kind = TASK_SIGN;
        task_add(world, &task);
        break;
    case POST_RECEIVER_OFFERED:
        task.kind = TASK_OFFER;
        task_add(world, &task);
        break;
    case POST_RECEIVER_ARRIVED:
        task.kind = TASK_STORE;
        task.letter = letter_read(world, buffer_view(out->message));
        assert_true(task.letter != 0 || !out->sealed);
        assert_memory_equal(out->hash, world->hash, sizeof out->hash);
        world->sealed_arrivals += out->sealed;
        world->classic_arrivals += !out->sealed;
        task_add(world, &task);
        break;
    case POST_RECEIVER_CLOSE_TUNNEL:
        tunnel_leave(world, out->tunnel, RECEIVER);
        break;
    case POST_RECEIVER_CONFIRMED:
    case POST_RECEIVER_REFUSED:
        break;
    }
}

static inline void world_take(struct world *world)
{
    struct post_sender_output said;
    struct post_receiver_output heard;
    for (size_t i = 0; world->sender != NULL && post_sender_next(world->sender, &said); i++) {
        assert_true(i < 5000);
        sender_says(world, &said);
    }
    for (size_t i = 0; world->receiver != NULL && post_receiver_next(world->receiver, &heard); i++) {
        assert_true(i < 5000);
        receiver_says(world, &heard);
    }
    if (world->receiver != NULL)
        check_memory(world);
}

/* --- tasks */

static inline void sign(struct world *world, const struct task *task, bool fails)
{
    struct signature *made = &world->signatures[world->signature_count % SIGNATURES];
    if (fails) {
        post_receiver_signed(world->receiver, task->day_key, bytes_of(NULL, 0), world->now);
        return;
    }
    world->signature_count++;
    memcpy(made->day_key, task->day_key, sizeof made->day_key);
    world->random.fill(world->random.state, made->bytes, sizeof made->bytes);
    made->until = world->now + VALID_MS;
    post_receiver_signed(world->receiver, task->day_key, bytes_of(made->bytes, sizeof made->bytes),
                         world->now);
}

static inline void check(struct world *world, const struct task *task, bool fails)
{
    uint64_t valid_ms = 0;
    for (size_t i = 0; i < SIGNATURES; i++) {
        const struct signature *made = &world->signatures[i];
        if (task->size == sizeof made->bytes && memcmp(made->day_key, task->day_key, 32) == 0 &&
            memcmp(made->bytes, task->signature, sizeof made->bytes) == 0 && made->until > world->now)
            valid_ms = made->until - world->now;
    }
    post_sender_checked(world->sender, task->number, valid_ms > 0 && !fails, valid_ms / 1000, world->now);
}

static inline bool is_stored(const struct world *world, const uint8_t digest[32])
{
    for (size_t i = 0; i < world->digest_count; i++) {
        if (memcmp(world->digests[i], digest, 32) == 0)
            return true;
    }
    return false;
}

static inline void store(struct world *world, const struct task *task)
{
    struct task stored = *task;
    stored.kind = TASK_STORED;
    if (task->letter != 0) {
        assert_true(world->digest_count < DIGESTS);
        world->letters[task->letter].stored = true;
        memcpy(world->digests[world->digest_count++], task->digest, 32);
    }
    task_add(world, &stored);
}

static inline void task_do(struct world *world, size_t at, bool fails)
{
    struct task task = world->tasks[at];
    memmove(&world->tasks[at], &world->tasks[at + 1], (--world->task_count - at) * sizeof task);
    switch (task.kind) {
    case TASK_SIGN:
        sign(world, &task, fails);
        break;
    case TASK_CHECK:
        check(world, &task, fails);
        break;
    case TASK_OFFER:
        post_receiver_offer(world->receiver, task.number,
                            is_stored(world, task.digest) ? POST_KNOWN
                            : fails                       ? POST_TOO_MANY
                                                          : 0,
                            world->now);
        break;
    case TASK_STORE:
        if (fails)
            post_receiver_refused(world->receiver, task.number, POST_NOT_NOW, world->now);
        else
            store(world, &task);
        break;
    case TASK_STORED:
        post_receiver_stored(world->receiver, task.number, world->now);
        break;
    }
    world_take(world);
}

/* --- lives */

static inline void world_kill(struct world *world, int side)
{
    world->restarts++;
    for (size_t i = 0; i < TUNNELS; i++)
        tunnel_leave(world, world->tunnels[i].id, side);
    for (size_t i = world->task_count; i > 0; i--) {
        if (world->tasks[i - 1].side == side)
            memmove(&world->tasks[i - 1], &world->tasks[i],
                    (world->task_count-- - i) * sizeof world->tasks[0]);
    }
    if (side == RECEIVER) {
        post_receiver_free(world->receiver);
        world->receiver = NULL;
        return;
    }
    post_sender_free(world->sender);
    world->sender = NULL;
    for (uint64_t post = 1; post <= world->posts; post++) {
        if (world->letters[post].delivery == GIVEN)
            world->letters[post].delivery = WAITING;
    }
}

static inline void world_start(struct world *world, int side)
{
    struct post_sender_options sending = {.secret = is_private(world) ? world->secret : NULL,
                                          .sealed_only = is_known(world),
                                          .classic = world->way == WAY_CLASSIC};
    struct post_receiver_options receiving = {.limit = POST_CONTENT_LIMIT, .greets = true};
    memcpy(sending.hash, world->hash, sizeof sending.hash);
    memcpy(sending.recipient, world->fingerprint, sizeof sending.recipient);
    memcpy(receiving.fingerprint, world->fingerprint, sizeof receiving.fingerprint);
    if (side == SENDER && world->sender == NULL) {
        world->was_sealed = false;
        world->sender = post_sender_new(&sending, &world->side_random, world->now);
    } else if (side == RECEIVER && world->receiver == NULL) {
        world->receiver = post_receiver_new(&receiving, &world->side_random, world->now);
    }
    world_take(world);
}

#endif
