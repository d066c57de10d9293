/* SPDX-License-Identifier: ISC */
/* What comes out of a tunnel, on the classic wire and sealed, where the fuzzer is the other side, by an
 * invite or in root mode, and knows all keys. The input is a list of steps: a byte that says what happens, a
 * u16 size, so many bytes. Packets are given as they are, or as plaintext sealed with the chat's key, so that
 * the items inside are reached. */
#include <stdlib.h>
#include <string.h>

#include "distant/chat.h"
#include "distant/line_sender.h"
#include "distant/sealed_tunnel.h"
#include "wire/chat.h"
#include "wire/sealed.h"
#include "wire/utf8.h"

enum step {
    RAW,
    SEALED,
    AGAIN,
    REFLECTED,
    UP,
    DOWN,
    SAY,
    TICK,
    REQUEST,
    CLOSE,
    OPEN,
    FRAME,
    ANNOUNCE,
    STEPS
};
enum { WALL = 1380600000, ROOM = 1 << 19 };

struct harness {
    struct chat *chat;
    struct classic_cipher *cipher;
    uint64_t now, line, next_salt, unsettled;
    struct buffer last, own; /* the latest packet of either side */
    bool asked;
    /* The other side of a sealed chat. */
    struct sealed_cipher *sealed;
    const struct chat_options *options;
    struct random_source random;
    struct sealed_tunnel peer;
    enum sealed_mode mode;
    enum sealed_side side; /* the fuzzer's */
    uint8_t hash[SEALED_HASH_SIZE], key[16];
    uint64_t number, stored; /* highest number of a line that came, and that is stored */
    bool root, answers;
};

static void insist(bool holds)
{
    if (!holds)
        abort();
}

static int64_t wall(const struct harness *harness)
{
    return WALL + (int64_t)(harness->now / 1000);
}

static void meet(struct harness *harness, const uint8_t announcement[SEALED_ANNOUNCEMENT_SIZE])
{
    const struct chat_options *options = harness->options;
    bool rooted = harness->mode == SEALED_ROOTED, opener = harness->side == SEALED_OPENER;
    struct sealed_handshake handshake = {
        .mode = harness->mode,
        .opener = (options->role == CHAT_GUEST) == opener ? SEALED_INVITER : SEALED_GUEST,
        .side = harness->side,
        .secret = rooted ? bytes_of(options->root, SEALED_ROOT_SIZE) : bytes_of(options->key, 16)};
    memcpy(handshake.hash, harness->hash, sizeof handshake.hash);
    memcpy(handshake.context, options->context, sizeof handshake.context);
    if (sealed_tunnel_judge(&harness->peer, harness->side, announcement) == SEALED_MEETING_BEGUN)
        harness->answers =
            sealed_tunnel_meet(&harness->peer, &handshake, announcement, &harness->random, harness->now) &&
            !opener;
}

/* The fuzzer completes the handshake with what the chat says. */
static void listen(struct harness *harness, struct bytes payload)
{
    struct buffer plain = buffer_make(ROOM), text = buffer_make(ROOM);
    struct chat_item item;
    uint8_t announcement[SEALED_ANNOUNCEMENT_SIZE];
    bool newest;
    if (harness->sealed != NULL && payload.size == SEALED_ANNOUNCEMENT_PACKET &&
        classic_open(harness->cipher, &plain, harness->key, payload) &&
        chat_parse(&item, &text, buffer_view(&plain)) && item.flags == CHAT_ANNOUNCE &&
        sealed_announcement_parse(announcement, buffer_view(&text))) {
        meet(harness, announcement);
    } else if (harness->sealed != NULL) {
        buffer_clear(&plain);
        sealed_tunnel_open(&harness->peer, harness->sealed, &plain, payload, &newest, harness->now);
    }
    buffer_free(&plain);
    buffer_free(&text);
}

static bool is_shown(struct bytes text)
{
    uint32_t code_point;
    while (utf8_next(&text, &code_point)) {
        if (utf8_screen(code_point, "\n\t") != code_point)
            return false;
    }
    return text.size == 0;
}

static void check(struct harness *harness, const struct chat_output *out)
{
    switch (out->kind) {
    case CHAT_LINE:
        insist(is_shown(out->text));
        if (out->number != 0) {
            insist(out->number == harness->number + 1 || out->missing == out->number - harness->number);
            insist(out->text.size <= CHAT_LINE_LIMIT && out->time <= (wall(harness) + 86400) * 1000);
            harness->number = out->number;
            break;
        }
        insist(out->text.size > 0);
        insist(utf8_length(out->text) <= CHAT_REASSEMBLY_LIMIT);
        insist(out->salt_count > 0 && out->salt_count <= CHAT_PARTS_LIMIT);
        break;
    case CHAT_STATE_TEXT:
        insist(out->text.size <= CHAT_STATE_TEXT_LIMIT && is_shown(out->text));
        break;
    case CHAT_PEER_AVATAR:
        insist(harness->asked && out->text.size <= 32767);
        break;
    case CHAT_SEND:
        insist(out->payload.size >= 24 && out->payload.size % 16 == 8);
        buffer_clear(&harness->own);
        buffer_append_bytes(&harness->own, out->payload);
        listen(harness, out->payload);
        break;
    case CHAT_ROOT:
        insist(out->secret.size == (out->settled ? 32 : 64));
        harness->root = true;
        break;
    case CHAT_SALTS:
        harness->unsettled = out->salt_next;
        break;
    default:
        insist(out->kind <= CHAT_REFUSED_PACKET);
        break;
    }
}

static void take(struct harness *harness)
{
    struct chat_output out;
    while (chat_next(harness->chat, &out))
        check(harness, &out);
    if (harness->root) {
        harness->root = false;
        chat_root_stored(harness->chat, harness->now, wall(harness));
        take(harness);
    }
    while (harness->stored < harness->number) {
        chat_line_stored(harness->chat, harness->stored = harness->number, harness->now, wall(harness));
        take(harness);
    }
    if (harness->unsettled == 0)
        return;
    uint64_t next = harness->unsettled;
    harness->unsettled = 0;
    chat_salts_stored(harness->chat, next, harness->now, wall(harness));
    take(harness);
}

/* A packet that came once must never be taken again. What it is read from may change meanwhile. */
static void receive_twice(struct harness *harness, struct bytes given)
{
    struct chat_output out;
    struct buffer packet = buffer_make(ROOM);
    buffer_append_bytes(&packet, given);
    chat_receive(harness->chat, 1, buffer_view(&packet), harness->now, wall(harness));
    take(harness);
    chat_receive(harness->chat, 1, buffer_view(&packet), harness->now, wall(harness));
    while (chat_next(harness->chat, &out)) {
        insist(out.kind != CHAT_LINE && out.kind != CHAT_TYPING && out.kind != CHAT_PEER_AVATAR);
        check(harness, &out);
    }
    take(harness);
    buffer_free(&packet);
}

static void receive_sealed(struct harness *harness, struct bytes plain)
{
    uint64_t salt = ++harness->next_salt;
    uint8_t salt_bytes[8];
    memcpy(salt_bytes, &salt, sizeof salt_bytes);
    buffer_clear(&harness->last);
    if (classic_seal(harness->cipher, &harness->last, harness->key, salt_bytes, plain))
        receive_twice(harness, buffer_view(&harness->last));
}

/* A frame with the claim and then whatever the input says, or nothing but that. */
static void receive_frame(struct harness *harness, struct bytes bytes)
{
    static const uint8_t claim[SEALED_CLAIM_SIZE];
    struct buffer plain = buffer_make(SEALED_PLAIN_MAX), frame = buffer_make(ROOM);
    if (bytes.size > 0 && bytes.data[0] % 8 != 0) {
        struct sealed_header header = {.flags = bytes.size > 1 ? bytes.data[1] : 0, .base = 1};
        sealed_header_write(&plain, &header);
        sealed_record_write(&plain, SEALED_CLAIM, bytes_of(claim, sizeof claim));
        if (bytes.size > 2)
            buffer_append(&plain, bytes.data + 2, bytes.size - 2);
        sealed_pad(&plain);
    } else {
        buffer_append_bytes(&plain, bytes);
    }
    if (harness->sealed != NULL &&
        sealed_tunnel_seal(&harness->peer, harness->sealed, &frame, false, buffer_view(&plain), harness->now))
        receive_twice(harness, buffer_view(&frame));
    buffer_free(&plain);
    buffer_free(&frame);
}

static void say_announcement(struct harness *harness)
{
    char text[SEALED_ANNOUNCEMENT_TEXT + 1];
    struct buffer item = buffer_make(ROOM);
    sealed_announcement_text(text, harness->peer.own.announcement);
    if (chat_status_write(&item, CHAT_ANNOUNCE, bytes_of_string(text)))
        receive_sealed(harness, buffer_view(&item));
    buffer_free(&item);
}

static void announce(struct harness *harness)
{
    if (harness->sealed != NULL && harness->side == SEALED_OPENER &&
        sealed_tunnel_announce(&harness->peer, &harness->random))
        say_announcement(harness);
}

/* To an announcement of the chat. */
static void answer(struct harness *harness)
{
    struct buffer plain = buffer_make(SEALED_PLAIN_MAX), frame = buffer_make(ROOM);
    harness->answers = false;
    say_announcement(harness);
    sealed_header_write(&plain, &(struct sealed_header){.flags = SEALED_ANSWER, .base = 1});
    if (sealed_tunnel_seal(&harness->peer, harness->sealed, &frame, true, buffer_view(&plain), harness->now))
        receive_twice(harness, buffer_view(&frame));
    buffer_free(&plain);
    buffer_free(&frame);
}

static void say(struct harness *harness, struct bytes text)
{
    struct chat *chat = harness->chat;
    uint64_t number = chat_number(chat, text.size);
    if (!chat_say(chat, ++harness->line, number, text, harness->now, wall(harness), NULL) && number != 0)
        chat_void(chat, number, harness->now, wall(harness));
}

static void act(struct harness *harness, enum step step, struct bytes bytes)
{
    uint64_t tunnel = bytes.size > 0 ? bytes.data[0] % 20 + 1U : 1;
    struct chat *chat = harness->chat;
    switch (step) {
    case RAW:
        receive_twice(harness, bytes);
        break;
    case SEALED:
        receive_sealed(harness, bytes);
        break;
    case AGAIN:
        receive_twice(harness, buffer_view(&harness->last));
        break;
    case REFLECTED:
        receive_twice(harness, buffer_view(&harness->own));
        break;
    case UP:
        chat_tunnel_up(chat, tunnel, harness->hash, harness->side == SEALED_ANSWERER, harness->now,
                       wall(harness));
        break;
    case DOWN:
        chat_tunnel_down(chat, tunnel, NULL, harness->now, wall(harness));
        break;
    case SAY:
        say(harness, bytes);
        break;
    case TICK:
        harness->now += tunnel * 4000;
        chat_tick(chat, harness->now, wall(harness));
        break;
    case REQUEST:
        harness->asked = true;
        chat_request_avatar(chat, harness->now, wall(harness));
        break;
    case CLOSE:
        chat_close(chat, harness->now, wall(harness));
        break;
    case FRAME:
        receive_frame(harness, bytes);
        break;
    case ANNOUNCE:
        announce(harness);
        break;
    case OPEN:
    default:
        chat_closing_stored(chat, harness->now, wall(harness));
        chat_open(chat, harness->now, wall(harness));
        break;
    }
    take(harness);
    if (harness->answers)
        answer(harness);
    insist(chat_tunnels(chat) <= CHAT_TUNNELS_LIMIT &&
           chat_queued(chat) <= CHAT_QUEUE_LINES + LINE_WINDOW_LINES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct classic_cipher *cipher;
    struct random_seeded seed;
    struct random_source random = random_from_seed(&seed, 1);
    if (cipher == NULL)
        cipher = classic_cipher_new();
    static struct sealed_cipher *sealed;
    if (sealed == NULL)
        sealed = sealed_cipher_new();
    struct reader reader = reader_of(bytes_of(data, size));
    uint8_t scene = read_u8(&reader);
    struct chat_options options = {.role = scene % 2 == 0 ? CHAT_GUEST : CHAT_INVITER,
                                   .route_created = WALL,
                                   .not_before = WALL,
                                   .send_typing = true};
    struct harness harness = {
        .cipher = cipher, .now = 5000, .last = buffer_make(ROOM), .own = buffer_make(ROOM)};
    harness.options = &options;
    harness.random = random;
    harness.side = options.role == CHAT_GUEST ? SEALED_ANSWERER : SEALED_OPENER;
    if (scene % 4 >= 2) {
        options.sealing = options.role == CHAT_GUEST ? CHAT_SEALING_MUST : CHAT_SEALING_MAY;
        options.context[0] = 1;
        harness.sealed = sealed;
    }
    if (scene % 8 >= 6) { /* the fuzzer finds the chat by its hash of the day */
        options.sealed = options.settled = true;
        options.sealing = CHAT_SEALING_MUST;
        harness.mode = SEALED_ROOTED;
        harness.side = SEALED_OPENER;
        insist(sealed_rendezvous(harness.hash, options.root, WALL / 86400,
                                 options.role == CHAT_GUEST ? SEALED_GUEST : SEALED_INVITER) &&
               sealed_announce_key(harness.key, options.root, harness.hash));
    }
    harness.chat =
        chat_new(&options, &(struct chat_tools){.classic = cipher, .sealed = sealed, .random = &random},
                 harness.now, WALL);
    insist(cipher != NULL && harness.chat != NULL);
    chat_tunnel_up(harness.chat, 1, harness.hash, harness.side == SEALED_ANSWERER, harness.now, WALL);
    take(&harness);
    if (harness.answers)
        answer(&harness);
    while (reader.left > 3) {
        enum step step = (enum step)(read_u8(&reader) % STEPS);
        size_t wanted = read_u16(&reader);
        act(&harness, step, read_bytes(&reader, wanted < reader.left ? wanted : reader.left));
    }
    sealed_tunnel_wipe(&harness.peer);
    chat_free(harness.chat);
    buffer_free(&harness.last);
    buffer_free(&harness.own);
    return 0;
}
