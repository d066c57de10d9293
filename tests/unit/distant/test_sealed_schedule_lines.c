/* SPDX-License-Identifier: ISC */
/* The two ends of the lines of one direction, in seeded schedules: frames of lines and acknowledgements are
 * lost, repeated and overtaken, either side is killed at any step and begins anew from what its store held,
 * commits are answered late or fail. Each committed line is stored by the peer once and in order, a number
 * never carries two contents, and no acknowledgement is above what is stored. */
#include "support/vectors.h"

#include <stdlib.h>
#include <string.h>

#include "base/source.h"
#include "distant/line_receiver.h"
#include "distant/line_sender.h"

enum { SCHEDULES = 200, STEPS = 3000, FRAMES = 64, FRAME_LINES = 16, LINES = STEPS, COMMITS = 2048 };

struct frame {
    uint64_t base;
    size_t count;
    struct {
        uint64_t number, line;
        bool empty;
    } lines[FRAME_LINES];
};

/* Commits under way, oldest first; a kill loses them. */
struct commits {
    struct {
        uint64_t number, line, missing;
    } queue[COMMITS];
    size_t count;
};

struct world {
    struct random_seeded seed;
    struct random_source random;
    uint64_t now;

    struct line_sender *sender;
    struct commits outgoing;
    uint64_t said, assigned;       /* lines of the owner; highest number in the store */
    uint64_t number_of[LINES + 1]; /* in the sender's store; 0: not there */
    bool delivered[LINES + 1];

    struct line_receiver *receiver;
    struct commits incoming;
    uint64_t stored;             /* highest number in the receiver's store */
    uint64_t shown;              /* its highest line */
    uint64_t line_at[2 * LINES]; /* content of a number; 0: never sent; UINT64_MAX: void */

    struct frame frames[FRAMES];
    size_t frame_count;
    uint64_t acks[FRAMES];
    size_t ack_count;
};

static uint32_t below(struct world *world, uint32_t bound)
{
    return random_below(&world->random, bound);
}

static void start_sender(struct world *world)
{
    /* Not above what is known to be delivered: a void there may not have arrived. */
    uint64_t acked = 0;
    for (uint64_t line = 1; line <= world->said; line++) {
        if (world->number_of[line] != 0 && !world->delivered[line])
            break;
        if (world->number_of[line] != 0)
            acked = world->number_of[line];
    }
    world->sender = line_sender_new(world->assigned, acked);
    assert_non_null(world->sender);
    for (uint64_t line = 1; line <= world->said; line++) {
        if (world->number_of[line] != 0 && !world->delivered[line])
            assert_true(line_sender_put(world->sender, world->number_of[line], line, 0,
                                        bytes_of(&line, sizeof line)));
    }
}

static void kill_sender(struct world *world)
{
    line_sender_free(world->sender);
    world->outgoing.count = 0;
    start_sender(world);
}

static void kill_receiver(struct world *world)
{
    line_receiver_free(world->receiver);
    world->incoming.count = 0;
    world->receiver = line_receiver_new(world->stored);
    assert_non_null(world->receiver);
}

static void say(struct world *world)
{
    if (world->said == LINES || world->outgoing.count == COMMITS)
        return;
    uint64_t number = line_sender_assign(world->sender, sizeof number);
    if (number == 0) {
        assert_int_equal(line_sender_room(world->sender, sizeof number), 0);
        return;
    }
    world->outgoing.queue[world->outgoing.count].number = number;
    world->outgoing.queue[world->outgoing.count++].line = ++world->said;
}

/* The oldest commit of an own line is answered. A void is told only when its number is stored as used. */
static void answer_outgoing(struct world *world, bool fails)
{
    if (world->outgoing.count == 0)
        return;
    uint64_t number = world->outgoing.queue[0].number, line = world->outgoing.queue[0].line;
    memmove(&world->outgoing.queue[0], &world->outgoing.queue[1],
            --world->outgoing.count * sizeof world->outgoing.queue[0]);
    if (world->assigned < number)
        world->assigned = number;
    if (fails) {
        line_sender_void(world->sender, number);
        return;
    }
    world->number_of[line] = number;
    assert_true(line_sender_put(world->sender, number, line, 0, bytes_of(&line, sizeof line)));
}

static void send_frame(struct world *world)
{
    struct frame frame = {.base = line_sender_base(world->sender)};
    struct sent_line sent;
    while (frame.count < FRAME_LINES && line_sender_next(world->sender, world->now, &sent)) {
        assert_true(sent.number <= world->assigned && sent.number < 2 * LINES);
        uint64_t content = sent.text.size == 0 ? UINT64_MAX : sent.line;
        assert_true(world->line_at[sent.number] == 0 || world->line_at[sent.number] == content);
        world->line_at[sent.number] = content;
        frame.lines[frame.count].number = sent.number;
        frame.lines[frame.count].line = sent.line;
        frame.lines[frame.count++].empty = sent.text.size == 0;
    }
    size_t at = world->frame_count < FRAMES ? world->frame_count++ : below(world, FRAMES);
    world->frames[at] = frame;
}

static void hand_over(struct world *world)
{
    struct received_line line;
    while (world->incoming.count < COMMITS && line_receiver_next(world->receiver, &line)) {
        uint64_t content = 0;
        if (line.text.size > 0) {
            assert_int_equal(line.text.size, sizeof content);
            memcpy(&content, line.text.data, sizeof content);
        }
        assert_int_equal(line.missing, 0);
        world->incoming.queue[world->incoming.count].number = line.number;
        world->incoming.queue[world->incoming.count++].line = content;
    }
}

static void receive_frame(struct world *world, size_t at, bool keep)
{
    const struct frame frame = world->frames[at];
    if (!keep)
        world->frames[at] = world->frames[--world->frame_count];
    line_receiver_base(world->receiver, frame.base);
    for (size_t i = 0; i < frame.count; i++) {
        struct bytes text = bytes_of(&frame.lines[i].line, sizeof frame.lines[i].line);
        if (frame.lines[i].empty)
            text.size = 0;
        line_receiver_take(world->receiver, frame.lines[i].number, 0, text);
    }
    hand_over(world);
}

/* The store takes a number only behind the one below it. */
static void answer_incoming(struct world *world, bool fails)
{
    if (world->incoming.count == 0)
        return;
    uint64_t number = world->incoming.queue[0].number, line = world->incoming.queue[0].line;
    memmove(&world->incoming.queue[0], &world->incoming.queue[1],
            --world->incoming.count * sizeof world->incoming.queue[0]);
    if (fails || number != world->stored + 1) {
        line_receiver_failed(world->receiver, number);
    } else {
        world->stored = number;
        if (line != 0) {
            assert_true(line > world->shown);
            assert_true(line <= world->said && world->number_of[line] == number);
            world->shown = line;
        }
        line_receiver_stored(world->receiver, number);
    }
    hand_over(world);
}

static void send_ack(struct world *world)
{
    uint64_t ack = line_receiver_ack(world->receiver);
    assert_true(ack <= world->stored);
    world->acks[world->ack_count < FRAMES ? world->ack_count++ : below(world, FRAMES)] = ack;
}

static void receive_ack(struct world *world, size_t at, bool keep)
{
    uint64_t ack = world->acks[at], line;
    if (!keep)
        world->acks[at] = world->acks[--world->ack_count];
    assert_true(line_sender_ack(world->sender, ack, world->now));
    while (line_sender_delivered(world->sender, &line)) {
        assert_false(world->delivered[line]);
        assert_true(world->number_of[line] != 0 && world->number_of[line] <= world->stored);
        world->delivered[line] = true;
    }
}

static void pass_time(struct world *world, uint32_t ms)
{
    world->now += ms;
    line_sender_tick(world->sender, world->now);
}

static void step(struct world *world, bool kills)
{
    uint32_t what = below(world, 1000);
    if (what < 250)
        say(world);
    else if (what < 450)
        answer_outgoing(world, below(world, 20) == 0);
    else if (what < 600)
        send_frame(world);
    else if (what < 720 && world->frame_count > 0)
        receive_frame(world, below(world, (uint32_t)world->frame_count), below(world, 4) == 0);
    else if (what < 850)
        answer_incoming(world, below(world, 50) == 0);
    else if (what < 900)
        send_ack(world);
    else if (what < 940 && world->ack_count > 0)
        receive_ack(world, below(world, (uint32_t)world->ack_count), below(world, 4) == 0);
    else if (what < 980)
        pass_time(world, below(world, 3000));
    else if (what < 984)
        line_sender_again(world->sender);
    else if (what < 988)
        world->frame_count = world->ack_count = 0; /* the tunnel went */
    else if (what < 990 && kills)
        kill_sender(world);
    else if (what < 992 && kills)
        kill_receiver(world);
}

static void run(uint64_t seed)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->random = random_from_seed(&world->seed, seed);
    start_sender(world);
    kill_receiver(world);
    for (size_t i = 0; i < STEPS; i++)
        step(world, seed % 2 == 1);
    while (world->outgoing.count > 0)
        answer_outgoing(world, false);
    for (size_t i = 0; line_sender_unacknowledged(world->sender) > 0; i++) {
        assert_true(i < STEPS);
        send_frame(world);
        while (world->frame_count > 0)
            receive_frame(world, 0, false);
        while (world->incoming.count > 0)
            answer_incoming(world, false);
        send_ack(world);
        while (world->ack_count > 0)
            receive_ack(world, 0, false);
        pass_time(world, 500);
    }
    size_t committed = 0;
    for (uint64_t line = 1; line <= world->said; line++) {
        assert_int_equal(world->number_of[line] != 0, world->delivered[line]);
        committed += world->delivered[line];
    }
    assert_true(committed > 100);
    line_sender_free(world->sender);
    line_receiver_free(world->receiver);
    free(world);
}

static uint64_t running;
static bool finished;

static void each_line_once_and_in_order(void **state)
{
    (void)state;
    const char *one = getenv("RETROGATE_SEED");
    uint64_t first = one != NULL ? strtoull(one, NULL, 10) : 0;
    uint64_t end = one != NULL ? first + 1 : SCHEDULES;
    for (running = first; running < end; running++)
        run(running);
    finished = true;
}

static int tell_seed(void **state)
{
    (void)state;
    if (!finished)
        print_error("failing seed: RETROGATE_SEED=%llu\n", (unsigned long long)running);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(each_line_once_and_in_order, tell_seed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
