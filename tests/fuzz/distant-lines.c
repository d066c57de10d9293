/* SPDX-License-Identifier: ISC */
/* Both ends of the lines of a route, driven by what a hostile peer may say: any number, acknowledgement and
 * base, at any time, while commits are answered in any way. Each step: a byte that says what, a byte of size,
 * a u48. */
#include <stdlib.h>
#include <string.h>

#include "distant/line_receiver.h"
#include "distant/line_sender.h"

enum step { TAKE, NEAR, BASE, STORED, FAILED, ACK, ASSIGN, PUT, VOID, AGAIN, TICK, STEPS };
enum { ANSWERS = 4096 };
static const uint64_t TOP = (UINT64_C(1) << 48) - 1;

struct harness {
    struct line_sender *sender;
    struct line_receiver *receiver;
    uint64_t now, handed, awaited, delivered;
    uint64_t answers[ANSWERS]; /* lines handed over and not answered, oldest first */
    size_t answer_count;
    bool renewed; /* after a failure numbers are handed over again */
};

static void insist(bool holds)
{
    if (!holds)
        abort();
}

static void hand_over(struct harness *harness)
{
    struct received_line line;
    while (harness->answer_count < ANSWERS && line_receiver_next(harness->receiver, &line)) {
        insist(line.number > line_receiver_ack(harness->receiver) && line.missing <= line.number);
        insist(harness->renewed || line.number > harness->handed);
        harness->renewed = false;
        harness->handed = line.number;
        harness->answers[harness->answer_count++] = line.number;
    }
}

static void answer(struct harness *harness, bool fails)
{
    if (harness->answer_count == 0)
        return;
    uint64_t number = harness->answers[0], before = line_receiver_ack(harness->receiver);
    memmove(&harness->answers[0], &harness->answers[1], --harness->answer_count * sizeof harness->answers[0]);
    if (fails)
        line_receiver_failed(harness->receiver, number);
    else
        line_receiver_stored(harness->receiver, number);
    uint64_t after = line_receiver_ack(harness->receiver);
    insist(after == before || (!fails && after == number && number > before));
    harness->renewed = harness->renewed || fails;
}

static void send(struct harness *harness)
{
    struct sent_line line;
    uint64_t last = line_sender_base(harness->sender);
    size_t count = 0;
    while (line_sender_next(harness->sender, harness->now, &line)) {
        insist(line.number >= last && line.number <= line_sender_assigned(harness->sender));
        insist((line.line == 0) == (line.text.size == 0));
        last = line.number;
        count++;
    }
    insist(count <= LINE_WINDOW_LINES);
    insist(line_sender_deadline(harness->sender) >= harness->now);
}

static void acknowledge(struct harness *harness, uint64_t ack)
{
    uint64_t base = line_sender_base(harness->sender), line;
    bool taken = line_sender_ack(harness->sender, ack, harness->now);
    insist(taken || line_sender_base(harness->sender) == base);
    while (line_sender_delivered(harness->sender, &line)) {
        insist(line > harness->delivered);
        harness->delivered = line;
    }
    insist(line_sender_base(harness->sender) >= base);
    insist(line_sender_assigned(harness->sender) <= TOP);
}

static void act(struct harness *harness, enum step step, uint8_t size, uint64_t number)
{
    static const uint8_t text[65536];
    size_t length = (size_t)size * 257; /* up to 65 535 */
    switch (step) {
    case TAKE:
        line_receiver_take(harness->receiver, number, 0, bytes_of(text, length));
        break;
    case NEAR:
        number = line_receiver_ack(harness->receiver) + number % (LINE_EARLY_LINES + 2);
        line_receiver_take(harness->receiver, number, 0, bytes_of(text, length));
        break;
    case BASE:
        line_receiver_base(harness->receiver, number);
        break;
    case STORED:
    case FAILED:
        answer(harness, step == FAILED);
        break;
    case ACK:
        acknowledge(harness, number);
        break;
    case ASSIGN:
        number = line_sender_assign(harness->sender, length + 1);
        insist(number == 0 || number == line_sender_assigned(harness->sender));
        harness->awaited = number == 0 ? harness->awaited : number;
        break;
    case PUT:
        line_sender_put(harness->sender, harness->awaited, harness->awaited, 0, bytes_of(text, length + 1));
        break;
    case VOID:
        line_sender_void(harness->sender, harness->awaited);
        break;
    case AGAIN:
        line_sender_again(harness->sender);
        break;
    default:
        harness->now += size * UINT64_C(100);
        line_sender_tick(harness->sender, harness->now);
        break;
    }
    hand_over(harness);
    send(harness);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader reader = reader_of(bytes_of(data, size));
    uint64_t stored = read_u64(&reader) & TOP, acked = read_u64(&reader) & TOP;
    struct harness *harness = calloc(1, sizeof *harness);
    insist(harness != NULL);
    harness->handed = stored;
    harness->sender = line_sender_new(acked + stored % 2000 <= TOP ? acked + stored % 2000 : TOP, acked);
    harness->receiver = line_receiver_new(stored);
    insist(harness->sender != NULL && harness->receiver != NULL);
    while (reader.left >= 8) {
        enum step step = (enum step)(read_u8(&reader) % STEPS);
        uint8_t length = read_u8(&reader);
        uint64_t number = (uint64_t)read_u16(&reader) << 32 | read_u32(&reader);
        act(harness, step, length, number);
    }
    uint64_t line;
    while (line_sender_drain(harness->sender, &line))
        insist(line > harness->delivered);
    line_sender_free(harness->sender);
    line_receiver_free(harness->receiver);
    free(harness);
    return 0;
}
