/* SPDX-License-Identifier: ISC */
/* Two of our chats through hostile tunnels, in seeded schedules: tunnels die and come back, whole tunnels run
 * at different speeds, packets are lost with their tunnel, repeated, returned, flipped, cut and grown. Lines
 * arrive at most once, in order within a tunnel's life, and exactly once when no tunnel dies; nothing else is
 * ever shown. */
#include "chat_test.h"

#include <stdio.h>

enum { SCHEDULES = 60, STEPS = 1500, TUNNELS = 3, FLIGHT = 4096, KEPT = 64, LINES = STEPS };

struct packet {
    uint64_t tunnel;
    struct buffer bytes;
};

struct side {
    struct end end;
    size_t taken;                 /* outputs looked at */
    struct packet flight[FLIGHT]; /* on its way to the other side, in the order of sending */
    size_t flying;
    uint64_t said, shown; /* lines */
    enum chat_delivery delivery[LINES + 1];
    uint64_t shown_by_number[LINES + 1];
};

struct world {
    struct random_seeded seed;
    struct random_source random;
    struct side sides[2];
    uint64_t tunnels[TUNNELS]; /* 0: down */
    uint64_t next_tunnel;
    struct buffer kept[KEPT]; /* packets of either side, for the attacker */
    size_t kept_count;
    bool hostile, lossy;
};

static uint32_t below(struct world *world, uint32_t bound)
{
    return random_below(&world->random, bound);
}

static struct buffer copy_of(struct bytes bytes)
{
    struct buffer copy = buffer_make(ROOM);
    assert_true(buffer_append_bytes(&copy, bytes));
    return copy;
}

/* Line texts carry their side and number, and some are long enough for several parts. */
static struct buffer text_of(size_t side, uint64_t number)
{
    struct buffer text = buffer_make(ROOM);
    buffer_printf(&text, "%zu:%llu:", side, (unsigned long long)number);
    size_t size = number % 13 == 0 ? 40000 : number % 90;
    for (size_t i = 0; i < size; i++)
        buffer_u8(&text, (uint8_t)('a' + (number + i) % 26));
    buffer_u8(&text, '.');
    return text;
}

static void check_line(struct side *from, size_t from_index, struct bytes shown, bool lossy)
{
    unsigned long long number = 0;
    char head[32] = {0};
    memcpy(head, shown.data, shown.size < sizeof head - 1 ? shown.size : sizeof head - 1);
    assert_int_equal(sscanf(head + 2, "%llu", &number), 1);
    assert_in_range(number, 1, from->said);
    struct buffer expected = text_of(from_index, number);
    assert_bytes_equal(shown, buffer_view(&expected));
    buffer_free(&expected);
    assert_int_equal(from->shown_by_number[number]++, 0);
    if (!lossy)
        assert_int_equal(number, from->shown + 1);
    from->shown++;
}

static void look(struct world *world, size_t index)
{
    struct side *side = &world->sides[index], *other = &world->sides[1 - index];
    for (size_t i = 0; i < side->end.count; i++) {
        struct seen *seen = &side->end.seen[i];
        switch (seen->value.kind) {
        case CHAT_SEND:
            assert_true(side->flying < FLIGHT);
            side->flight[side->flying++] =
                (struct packet){seen->value.tunnel, copy_of(buffer_view(&seen->payload))};
            break;
        case CHAT_LINE:
            check_line(other, 1 - index, buffer_view(&seen->text), world->lossy);
            break;
        case CHAT_DELIVERY:
            side->delivery[seen->value.line] = seen->value.delivery;
            break;
        case CHAT_STATE_CHANGED:
            assert_int_not_equal(seen->value.state, CHAT_CLOSED_BY_PEER);
            break;
        case CHAT_PEER_AVATAR:
        case CHAT_STOP:
            fail_msg("nobody sent that");
            break;
        default:
            break;
        }
    }
    end_clear(&side->end);
}

static void keep_for_later(struct world *world, struct bytes bytes)
{
    size_t at = world->kept_count < KEPT ? world->kept_count++ : below(world, KEPT);
    buffer_free(&world->kept[at]);
    world->kept[at] = copy_of(bytes);
}

/* The oldest packet of one tunnel arrives: the order within a tunnel holds, that between tunnels does not. */
static void deliver(struct world *world, size_t index, uint64_t tunnel)
{
    struct side *from = &world->sides[index];
    size_t at = 0;
    while (at < from->flying && from->flight[at].tunnel != tunnel)
        at++;
    if (at == from->flying)
        return;
    struct packet packet = from->flight[at];
    memmove(&from->flight[at], &from->flight[at + 1], (--from->flying - at) * sizeof packet);
    if (world->hostile)
        keep_for_later(world, buffer_view(&packet.bytes));
    end_receive(&world->sides[1 - index].end, tunnel, buffer_view(&packet.bytes));
    buffer_free(&packet.bytes);
    look(world, 1 - index);
}

static void change(struct world *world, struct buffer *packet)
{
    size_t size = buffer_size(packet);
    switch (below(world, 5)) {
    case 0: /* as it is: a replay at one side, a reflection at the other */
        break;
    case 1:
        for (uint32_t flips = 1 + below(world, 3); flips > 0; flips--)
            packet->memory[packet->start + 8 + below(world, (uint32_t)size - 8)] ^=
                (uint8_t)(1U << below(world, 8));
        packet->memory[packet->start] ^= 0x80; /* under its own salt it would only be a replay */
        break;
    case 2:
        packet->end -= below(world, (uint32_t)size + 1);
        break;
    case 3:
        packet->end -= 16;
        packet->memory[packet->start + below(world, 8)] ^= 1;
        break;
    default:
        for (uint32_t more = below(world, 64); more > 0; more--)
            buffer_u8(packet, (uint8_t)below(world, 256));
        break;
    }
}

static void attack(struct world *world)
{
    uint64_t tunnel = world->tunnels[below(world, TUNNELS)];
    if (world->kept_count == 0 || tunnel == 0)
        return;
    struct buffer packet = copy_of(buffer_view(&world->kept[below(world, (uint32_t)world->kept_count)]));
    change(world, &packet);
    size_t at = below(world, 2);
    end_receive(&world->sides[at].end, tunnel, buffer_view(&packet));
    look(world, at);
    buffer_free(&packet);
}

/* A packet on its way is altered under the salt it has, so that the receiver has not seen that salt. Not a
 * part of a long text: classic has no numbers, so whoever withholds a part shortens the text. */
static void corrupt(struct world *world)
{
    struct side *side = &world->sides[below(world, 2)];
    if (side->flying == 0)
        return;
    struct buffer *packet = &side->flight[below(world, (uint32_t)side->flying)].bytes;
    size_t size = buffer_size(packet);
    if (size > 1024)
        return;
    packet->memory[packet->start + 8 + below(world, (uint32_t)size - 8)] ^= (uint8_t)(1U << below(world, 8));
}

static void tunnel_up(struct world *world, size_t slot)
{
    world->tunnels[slot] = ++world->next_tunnel;
    for (size_t i = 0; i < 2; i++) {
        end_tunnel_up(&world->sides[i].end, world->tunnels[slot]);
        look(world, i);
    }
}

static void tunnel_down(struct world *world, size_t slot)
{
    for (size_t i = 0; i < 2; i++) {
        struct side *side = &world->sides[i];
        size_t kept = 0;
        for (size_t j = 0; j < side->flying; j++) {
            if (side->flight[j].tunnel == world->tunnels[slot])
                buffer_free(&side->flight[j].bytes);
            else
                side->flight[kept++] = side->flight[j];
        }
        side->flying = kept;
        end_tunnel_down(&side->end, world->tunnels[slot]);
        look(world, i);
    }
    world->tunnels[slot] = 0;
}

static void say(struct world *world, size_t index)
{
    struct side *side = &world->sides[index];
    if (side->said == LINES || chat_queued(side->end.chat) > 20)
        return;
    struct buffer text = text_of(index, ++side->said);
    assert_true(end_say(&side->end, side->said, buffer_view(&text)));
    buffer_free(&text);
    look(world, index);
}

static void pass_time(struct world *world)
{
    uint64_t ms = below(world, 3000);
    for (size_t i = 0; i < 2; i++) {
        end_tick(&world->sides[i].end, ms);
        look(world, i);
    }
}

static void step(struct world *world)
{
    uint32_t what = below(world, 100);
    size_t slot = below(world, TUNNELS);
    if (what < 60) {
        deliver(world, below(world, 2), world->tunnels[slot]);
    } else if (what < 75) {
        say(world, below(world, 2));
    } else if (what < 80) {
        pass_time(world);
    } else if (what < 82) {
        if (world->tunnels[slot] == 0)
            tunnel_up(world, slot);
        else if (world->lossy)
            tunnel_down(world, slot);
    } else if (what < 97 && world->hostile) {
        attack(world);
    } else if (world->hostile && world->lossy) {
        corrupt(world);
    }
}

static void drain(struct world *world)
{
    for (size_t slot = 0; slot < TUNNELS; slot++) {
        if (world->tunnels[slot] == 0)
            tunnel_up(world, slot);
    }
    while (world->sides[0].flying + world->sides[1].flying > 0) {
        for (size_t i = 0; i < 2 * TUNNELS; i++)
            deliver(world, i % 2, world->tunnels[i / 2]);
    }
}

static void run(uint64_t seed, bool hostile, bool lossy)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->random = random_from_seed(&world->seed, seed);
    world->hostile = hostile;
    world->lossy = lossy;
    end_open(&world->sides[0].end, CHAT_GUEST, 2 * seed);
    end_open(&world->sides[1].end, CHAT_INVITER, 2 * seed + 1);
    chat_open(world->sides[0].end.chat, world->sides[0].end.now, WALL);
    end_take(&world->sides[0].end);
    look(world, 0);
    if (!lossy)
        tunnel_up(world, 0); /* with several, lines may change tunnels, and overtake */
    for (size_t i = 0; i < STEPS; i++) {
        if (!lossy)
            world->tunnels[1] = world->tunnels[2] = world->tunnels[0];
        step(world);
    }
    if (!lossy)
        world->tunnels[1] = world->tunnels[2] = world->tunnels[0];
    drain(world);
    for (size_t i = 0; i < 2; i++) {
        struct side *side = &world->sides[i];
        assert_true(side->said > 50);
        assert_int_equal(chat_queued(side->end.chat), 0);
        if (!lossy)
            assert_int_equal(side->shown, side->said);
        else
            assert_true(side->shown > 0);
        for (uint64_t line = 1; line <= side->said; line++) {
            assert_true(side->delivery[line] == CHAT_SENT || side->delivery[line] == CHAT_NOT_CONFIRMED);
            assert_true(side->shown_by_number[line] <= 1);
        }
        end_free(&side->end);
    }
    for (size_t i = 0; i < world->kept_count; i++)
        buffer_free(&world->kept[i]);
    free(world);
}

static void quiet_relays(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SCHEDULES / 4; seed++)
        run(1000 + seed, false, false);
}

static void hostile_relays(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SCHEDULES / 4; seed++)
        run(2000 + seed, true, false);
}

static void dying_tunnels(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SCHEDULES / 4; seed++)
        run(3000 + seed, false, true);
}

static void hostile_relays_and_dying_tunnels(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SCHEDULES / 4; seed++)
        run(4000 + seed, true, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quiet_relays),
        cmocka_unit_test(hostile_relays),
        cmocka_unit_test(dying_tunnels),
        cmocka_unit_test(hostile_relays_and_dying_tunnels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
