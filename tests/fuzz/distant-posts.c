/* SPDX-License-Identifier: ISC */
/* Both ends of posts, each with the fuzzer as its other side, who knows all keys. The input is a list of
 * steps: a byte that says what happens, a u16 size, so many bytes. Items are given as they are, or as records
 * that are sealed with the keys of the tunnel, so that what is inside is reached. */
#include <stdlib.h>
#include <string.h>

#include "distant/post_channel.h"
#include "distant/post_receiver.h"
#include "distant/post_sender.h"

enum step {
    RAW_FORTH,
    RAW_BACK,
    CLASSIC,
    RECORD_FORTH,
    RECORD_BACK,
    KEYS_FORTH,
    GREET_BACK,
    RECEIVER_UP,
    RECEIVER_DOWN,
    SENDER_UP,
    SENDER_DOWN,
    GIVE,
    CANCEL,
    ANSWER_OFFER,
    STORED,
    REFUSED,
    TICK,
    STEPS
};
enum { LIMIT = 1 << 20, OUTPUTS = 20000, POSTS = 256 };

struct harness {
    struct post_sender *sender;
    struct post_receiver *receiver;
    struct random_seeded seed;
    struct random_source random;
    uint64_t now, tunnel;
    bool given[POSTS];
    uint64_t next_post, offered, arrived, last_seen;
    uint8_t hash[20], fingerprint[20], day_key[32];
    bool greeted;
    struct post_channel forth, back; /* the fuzzer's ends */
    struct post_pair recipient;
};

static void insist(bool holds)
{
    if (!holds)
        abort();
}

static struct post_agreement agreement_of(const struct harness *harness)
{
    struct post_agreement agreement = {0};
    memcpy(agreement.hash, harness->hash, sizeof agreement.hash);
    memcpy(agreement.recipient, harness->fingerprint, sizeof agreement.recipient);
    return agreement;
}

/* --- what the sender says: the fuzzer is the recipient */

static void learn_keys(struct harness *harness, struct bytes payload)
{
    struct post_frame frame;
    struct post_agreement agreement = agreement_of(harness);
    if (!post_frame_parse(&frame, POST_FORTH, payload) ||
        (harness->back.there && memcmp(harness->back.ephemeral, frame.ephemeral.data, 32) == 0))
        return;
    agreement.own = &harness->recipient;
    agreement.peer = frame.ephemeral.data;
    post_channel_agree(&harness->back, &agreement);
}

static void take_sender(struct harness *harness)
{
    struct post_sender_output out;
    for (size_t i = 0; post_sender_next(harness->sender, &out); i++) {
        insist(i < OUTPUTS);
        switch (out.kind) {
        case POST_SENDER_SEND:
            learn_keys(harness, out.payload);
            break;
        case POST_SENDER_CHECK:
            post_sender_checked(harness->sender, out.check, out.signature.data[0] != 'f', 3600, harness->now);
            break;
        case POST_SENDER_DELIVERED:
        case POST_SENDER_LEFT:
        case POST_SENDER_REFUSED:
        case POST_SENDER_RETURNED:
            insist(out.post < POSTS && harness->given[out.post]);
            harness->given[out.post] = false;
            break;
        case POST_SENDER_WIRE:
        case POST_SENDER_CLOSE_TUNNEL:
        case POST_SENDER_CONFIRMED:
            break;
        }
    }
}

/* --- what the receiver says: the fuzzer is the sender */

static void take_receiver(struct harness *harness)
{
    struct post_receiver_output out;
    struct post_greeting greeting;
    for (size_t i = 0; post_receiver_next(harness->receiver, &out); i++) {
        insist(i < OUTPUTS);
        switch (out.kind) {
        case POST_RECEIVER_SEND:
            if (post_greeting_parse(&greeting, out.payload)) {
                memcpy(harness->day_key, greeting.day_key.data, sizeof harness->day_key);
                harness->greeted = true;
            }
            break;
        case POST_RECEIVER_SIGN:
            post_receiver_signed(harness->receiver, out.day_key, bytes_of_string("signed"), harness->now);
            break;
        case POST_RECEIVER_OFFERED:
            insist(out.post > harness->last_seen && out.size <= POST_LETTER_LIMIT);
            harness->offered = harness->last_seen = out.post;
            break;
        case POST_RECEIVER_ARRIVED:
            insist(buffer_size(out.message) == out.size && out.size > 0);
            insist(out.size <= LIMIT + LIMIT / 16 + 8192);
            harness->arrived = out.post;
            break;
        case POST_RECEIVER_REFUSED:
            insist(out.reason != NULL);
            break;
        case POST_RECEIVER_CLOSE_TUNNEL:
        case POST_RECEIVER_CONFIRMED:
            break;
        }
    }
}

/* A frame of the fuzzer's with what it likes in it. */
static void send_record(struct harness *harness, struct post_channel *channel, struct bytes plain)
{
    struct buffer sealed = buffer_make(1 << 17), item = buffer_make(1 << 18);
    struct post_frame frame = {.counter = ++channel->said};
    if (channel->sender)
        frame.ephemeral = bytes_of(channel->ephemeral, sizeof channel->ephemeral);
    if (channel->there && post_seal(&sealed, channel->sender ? channel->keys.forth : channel->keys.back,
                                    channel->ephemeral, frame.counter, plain)) {
        frame.sealed = buffer_view(&sealed);
        if (post_frame_write(&item, channel->sender ? POST_FORTH : POST_BACK, &frame)) {
            if (channel->sender)
                post_receiver_receive(harness->receiver, harness->tunnel, buffer_view(&item), harness->now);
            else
                post_sender_receive(harness->sender, harness->tunnel, buffer_view(&item), harness->now);
        }
    }
    buffer_free(&item);
    buffer_free(&sealed);
}

static void make_keys(struct harness *harness)
{
    struct post_pair own;
    struct post_agreement agreement = agreement_of(harness);
    agreement.sender = true;
    agreement.own = &own;
    agreement.peer = harness->day_key;
    if (harness->greeted && post_pair_new(&own, &harness->random))
        post_channel_agree(&harness->forth, &agreement);
}

static void greet(struct harness *harness, struct bytes signature)
{
    struct buffer item = buffer_make(4096);
    struct post_greeting greeting = {.form = POST_CLEAR, .signature = signature};
    if (signature.size > 0 && signature.data[0] == 'n')
        post_pair_new(&harness->recipient, &harness->random);
    greeting.day_key = bytes_of(harness->recipient.public_key, 32);
    if (post_greeting_write(&item, &greeting))
        post_sender_receive(harness->sender, harness->tunnel, buffer_view(&item), harness->now);
    buffer_free(&item);
}

static void classic(struct harness *harness, struct bytes data)
{
    struct buffer item = buffer_make(1 << 17);
    bool partial = data.size > 0 && data.data[0] % 2 == 1;
    if (post_outer_write(&item, 0, data, partial))
        post_receiver_receive(harness->receiver, harness->tunnel, buffer_view(&item), harness->now);
    buffer_free(&item);
}

static void give(struct harness *harness, struct bytes data)
{
    struct buffer message = buffer_make(1 << 20);
    uint64_t post = harness->next_post % POSTS;
    for (size_t i = 0; data.size > 0 && i < 1 + (size_t)data.data[0]; i++)
        buffer_append_bytes(&message, data);
    if (!harness->given[post] &&
        post_sender_give(harness->sender, post, post_sender_wire(harness->sender), &message, harness->now)) {
        harness->given[post] = true;
        harness->next_post++;
    }
    buffer_free(&message);
}

static void tick(struct harness *harness, struct bytes data)
{
    uint64_t ms = data.size >= 3 ? (uint64_t)data.data[0] << (data.data[1] % 20) : 1000;
    harness->now += ms;
    post_sender_tick(harness->sender, harness->now);
    post_receiver_tick(harness->receiver, harness->now);
    take_sender(harness);
    take_receiver(harness);
    insist(post_sender_deadline(harness->sender) > harness->now);
    insist(post_receiver_deadline(harness->receiver) > harness->now);
}

static void act(struct harness *harness, enum step step, struct bytes data)
{
    uint8_t first = data.size > 0 ? data.data[0] : 0;
    harness->tunnel = 1 + first % 12;
    switch (step) {
    case RAW_FORTH:
        post_receiver_receive(harness->receiver, 1, data, harness->now);
        break;
    case RAW_BACK:
        post_sender_receive(harness->sender, 1, data, harness->now);
        break;
    case CLASSIC:
        classic(harness, data);
        break;
    case RECORD_FORTH:
        harness->tunnel = 1;
        send_record(harness, &harness->forth, data);
        break;
    case RECORD_BACK:
        harness->tunnel = 1;
        send_record(harness, &harness->back, data);
        break;
    case KEYS_FORTH:
        make_keys(harness);
        break;
    case GREET_BACK:
        harness->tunnel = 1;
        greet(harness, data);
        break;
    case RECEIVER_UP:
        post_receiver_tunnel_up(harness->receiver, harness->tunnel, harness->hash, NULL, harness->now);
        break;
    case RECEIVER_DOWN:
        post_receiver_tunnel_down(harness->receiver, harness->tunnel, harness->now);
        break;
    case SENDER_UP:
        post_sender_tunnel_up(harness->sender, harness->tunnel, harness->now);
        break;
    case SENDER_DOWN:
        post_sender_tunnel_down(harness->sender, harness->tunnel, harness->now);
        break;
    case GIVE:
        give(harness, data);
        break;
    case CANCEL:
        if (post_sender_cancel(harness->sender, first, harness->now))
            harness->given[first] = false;
        break;
    case ANSWER_OFFER:
        post_receiver_offer(harness->receiver, harness->offered,
                            first % 8 == 7   ? POST_KNOWN
                            : first % 8 == 6 ? POST_NOT_NOW
                                             : 0,
                            harness->now);
        break;
    case STORED:
        post_receiver_stored(harness->receiver, harness->arrived, harness->now);
        break;
    case REFUSED:
        post_receiver_refused(harness->receiver, harness->arrived, POST_NOT_NOW, harness->now);
        break;
    default:
        tick(harness, data);
        break;
    }
    take_sender(harness);
    take_receiver(harness);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader reader = reader_of(bytes_of(data, size));
    struct harness *harness = calloc(1, sizeof *harness);
    insist(harness != NULL);
    harness->random = random_from_seed(&harness->seed, 1);
    harness->now = 1000;
    uint8_t kind = read_u8(&reader);
    struct post_sender_options sending = {.sealed_only = kind % 4 == 1, .classic = kind % 4 == 2};
    struct post_receiver_options receiving = {.limit = LIMIT, .greets = true};
    harness->sender = post_sender_new(&sending, &harness->random, harness->now);
    harness->receiver = post_receiver_new(&receiving, &harness->random, harness->now);
    insist(harness->sender != NULL && harness->receiver != NULL);
    insist(post_pair_new(&harness->recipient, &harness->random));
    while (reader.left >= 3) {
        enum step step = (enum step)(read_u8(&reader) % STEPS);
        size_t length = read_u16(&reader);
        act(harness, step, read_bytes(&reader, length < reader.left ? length : reader.left));
    }
    post_sender_free(harness->sender);
    post_receiver_free(harness->receiver);
    free(harness);
    return 0;
}
