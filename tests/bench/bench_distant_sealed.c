/* SPDX-License-Identifier: ISC */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "distant/chat.h"

/* What a line of 80 bytes costs in the two sessions alone: numbered, framed, sealed, carried by memory,
 * opened, handed over and acknowledged, with a store that answers at once, or 300 lines at a time. Beside it
 * classic chat, and ChaCha20-Poly1305 of OpenSSL for the same frames, sealed and opened. The best of several
 * rounds counts, for what else the machine does only adds. Time stands still. */

enum { LINES = 100000, ROUNDS = 5, SIZE = 80, TUNNEL = 1, TOGETHER = 300 };
enum { GUEST, INVITER };
static const uint64_t NOW = 1000000;
static const int64_t WALL = 1700000000;

struct packet {
    struct packet *next;
    size_t to, size;
    uint8_t bytes[];
};

struct side {
    struct chat *chat;
    uint64_t received, answered; /* highest number handed over, and told to be stored */
};

static struct side sides[2];
static struct packet *first, **last = &first;
static size_t shown, delivered, together, packets, packet_bytes;

static void require(bool good)
{
    if (!good)
        abort();
}

static void carry(size_t to, struct bytes payload)
{
    struct packet *packet = malloc(sizeof *packet + payload.size);
    require(packet != NULL);
    *packet = (struct packet){.to = to, .size = payload.size};
    memcpy(packet->bytes, payload.data, payload.size);
    *last = packet;
    last = &packet->next;
    packets++;
    packet_bytes += payload.size;
}

static void store_lines(struct side *side)
{
    while (side->answered < side->received)
        chat_line_stored(side->chat, ++side->answered, NOW, WALL);
}

static void take(size_t which)
{
    struct side *side = &sides[which];
    struct chat_output out;
    while (chat_next(side->chat, &out)) {
        if (out.kind == CHAT_SEND) {
            carry(1 - which, out.payload);
        } else if (out.kind == CHAT_SALTS) {
            chat_salts_stored(side->chat, out.salt_next, NOW, WALL);
        } else if (out.kind == CHAT_ROOT) {
            chat_root_stored(side->chat, NOW, WALL);
        } else if (out.kind == CHAT_LINE) {
            shown++;
            side->received = out.number;
        } else if (out.kind == CHAT_DELIVERY) {
            delivered += out.delivery == CHAT_DELIVERED;
        }
    }
    if (side->received - side->answered >= together)
        store_lines(side);
}

static bool deliver(void)
{
    struct packet *packet = first;
    if (packet == NULL)
        return false;
    first = packet->next;
    if (first == NULL)
        last = &first;
    chat_receive(sides[packet->to].chat, TUNNEL, bytes_of(packet->bytes, packet->size), NOW, WALL);
    take(packet->to);
    free(packet);
    return true;
}

/* Until nothing moves; what a batch of the store still lacks is stored then. */
static void settle(void)
{
    bool moved = true;
    while (moved) {
        moved = false;
        for (size_t i = 0; i < 2; i++) {
            if (chat_deadline(sides[i].chat) <= NOW) {
                chat_tick(sides[i].chat, NOW, WALL);
                take(i);
                moved = true;
            }
        }
        while (deliver())
            moved = true;
        for (size_t i = 0; i < 2 && !moved; i++) {
            if (sides[i].answered < sides[i].received) {
                store_lines(&sides[i]);
                moved = true;
            }
        }
    }
}

static void begin(const struct chat_tools *tools, enum chat_sealing sealing)
{
    static const uint8_t hash[20] = {1};
    for (size_t i = 0; i < 2; i++) {
        struct chat_options options = {.role = i == GUEST ? CHAT_GUEST : CHAT_INVITER,
                                       .sealing = sealing,
                                       .key = {2},
                                       .salt_key = {(uint8_t)(3 + i)},
                                       .own = {(uint8_t)(5 + i)},
                                       .peer = {(uint8_t)(6 - i)},
                                       .route_created = WALL,
                                       .salt_block = 1 << 20};
        if (sealing != CHAT_SEALING_NEVER)
            options.context[0] = 7;
        memcpy(options.hash, hash, sizeof options.hash);
        sides[i] = (struct side){.chat = chat_new(&options, tools, NOW, WALL)};
        require(sides[i].chat != NULL);
        take(i);
    }
    chat_open(sides[GUEST].chat, NOW, WALL);
    for (size_t i = 0; i < 2; i++) {
        chat_tunnel_up(sides[i].chat, TUNNEL, hash, i == GUEST, NOW, WALL);
        take(i);
    }
    settle();
    for (size_t i = 0; i < 2; i++)
        require(chat_state(sides[i].chat, NULL) == CHAT_CAN_TALK &&
                chat_protection(sides[i].chat) ==
                    (sealing == CHAT_SEALING_NEVER ? CHAT_CLASSIC : CHAT_SEALED));
    shown = delivered = packets = packet_bytes = 0;
}

static void end(void)
{
    for (size_t i = 0; i < 2; i++)
        chat_free(sides[i].chat);
}

/* As much as the window takes, then all that follows from it. */
static void say_all(bool sealed)
{
    char text[SIZE];
    memset(text, 'x', sizeof text);
    struct chat *chat = sides[GUEST].chat;
    for (uint64_t line = 1; line <= LINES;) {
        uint64_t number = sealed ? chat_number(chat, SIZE) : 0;
        if (!sealed || number != 0)
            require(chat_say(chat, line++, number, bytes_of(text, SIZE), NOW, WALL, NULL));
        take(GUEST);
        if (number == 0)
            settle();
    }
    settle();
    require(shown == LINES && (!sealed || delivered == LINES));
}

static double seconds(const struct timespec *from)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - from->tv_sec) + (double)(now.tv_nsec - from->tv_nsec) / 1e9;
}

static void measure(const char *what, const struct chat_tools *tools, enum chat_sealing sealing, size_t batch)
{
    double best = 0;
    for (size_t round = 0; round < ROUNDS; round++) {
        struct timespec start;
        together = batch;
        begin(tools, sealing);
        clock_gettime(CLOCK_MONOTONIC, &start);
        say_all(sealing != CHAT_SEALING_NEVER);
        double took = seconds(&start);
        best = round == 0 || took < best ? took : best;
        end();
    }
    printf("%-28s %8.0f lines/s, %.2f us a line; %.2f packets and %.0f bytes of them a line\n", what,
           LINES / best, best * 1e6 / LINES, (double)packets / LINES, (double)packet_bytes / LINES);
}

/* The bytes of the round before, in frames of its mean size, sealed and opened. */
static void aead(void)
{
    static uint8_t in[1 << 17], out[1 << 17];
    const uint8_t key[32] = {1}, nonce[12] = {2};
    uint8_t tag[16];
    int made = 0, size = (int)(packet_bytes / packets);
    double best = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    require(context != NULL && EVP_CipherInit_ex(context, EVP_chacha20_poly1305(), NULL, key, nonce, 1) == 1);
    for (size_t round = 0; round < ROUNDS; round++) {
        struct timespec start;
        clock_gettime(CLOCK_MONOTONIC, &start);
        for (size_t i = 0; i < packets; i++) {
            require(EVP_CipherInit_ex(context, NULL, NULL, key, nonce, 1) == 1 &&
                    EVP_CipherUpdate(context, out, &made, in, size) == 1 &&
                    EVP_CipherFinal_ex(context, out + made, &made) == 1 &&
                    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1);
            require(EVP_CipherInit_ex(context, NULL, NULL, key, nonce, 0) == 1 &&
                    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, tag) == 1 &&
                    EVP_CipherUpdate(context, out + sizeof out / 2, &made, out, size) == 1 &&
                    EVP_CipherFinal_ex(context, out, &made) == 1);
        }
        double took = seconds(&start);
        best = round == 0 || took < best ? took : best;
    }
    EVP_CIPHER_CTX_free(context);
    printf("%-28s %8.0f lines/s, %.2f us a line\n", "  its ChaCha20-Poly1305 alone", LINES / best,
           best * 1e6 / LINES);
}

int main(void)
{
    struct chat_tools tools = {classic_cipher_new(), sealed_cipher_new(), &random_system};
    require(tools.classic != NULL && tools.sealed != NULL);
    measure("classic", &tools, CHAT_SEALING_NEVER, 1);
    measure("sealed, stored at once", &tools, CHAT_SEALING_MUST, 1);
    aead();
    measure("sealed, stored 300 at a time", &tools, CHAT_SEALING_MUST, TOGETHER);
    aead();
    classic_cipher_free(tools.classic);
    sealed_cipher_free(tools.sealed);
    return 0;
}
