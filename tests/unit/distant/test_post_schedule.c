/* SPDX-License-Identifier: ISC */
/* A sender of posts, a recipient, and a hostile relay in seeded schedules: packets are dropped, all of a kind
 * or here and there, repeated, overtaken, reflected, changed, cut, sent into other tunnels and into later
 * lives; tunnels die unnoticed or lead nowhere; either side is killed at any step, also between a commit and
 * its answer; stores and keyrings are slow, in any order, and fail; days pass. Then the relay becomes honest.
 *
 * Delivered means that the other store holds the post; nothing arrives sealed that was not sent so; a contact
 * that is known for sealed posts is sent nothing else; no counter is used twice under a key; what is held
 * stays bounded; and in the end all posts are there.
 *
 *   RETROGATE_SEED=n   that schedule alone */
#include "post_world.h"

enum { SCHEDULES = 200, SCHEDULES_LONG = 1000, STEPS = 600 };
static const uint64_t END_MS = 30 * 60000;

static void write_post(struct world *world)
{
    static const uint32_t most[] = {100, 5000, 40000, 40000, 300000, 2 << 20};
    if (world->posts == POSTS)
        return;
    uint32_t kinds = world->posts % 8 == 7 ? 6 : 5;
    world->letters[++world->posts] =
        (struct letter){.size = LETTER_HEAD + below(world, most[below(world, kinds)])};
}

static void give(struct world *world)
{
    for (uint64_t post = 1; world->sender != NULL && post <= world->posts; post++) {
        struct letter *letter = &world->letters[post];
        if (letter->delivery != WAITING || letter->not_before > world->now ||
            !post_sender_can_send(world->sender))
            continue;
        enum post_wire wire = post_sender_wire(world->sender);
        struct buffer message = letter_made(post, ++letter->seals, letter->size);
        if (post_sender_room(world->sender) > 0) {
            letter->delivery = wire == POST_WIRE_CLASSIC ? SENT : GIVEN;
            assert_true(post_sender_give(world->sender, post, wire, &message, world->now));
        }
        buffer_free(&message);
        world_take(world);
    }
}

static void withdraw(struct world *world)
{
    uint64_t post = world->posts > 0 ? 1 + below(world, (uint32_t)world->posts) : 0;
    if (post == 0 || world->sender == NULL || world->letters[post].delivery != GIVEN)
        return;
    world->letters[post].delivery = WITHDRAWN;
    assert_true(post_sender_cancel(world->sender, post, world->now));
    world_take(world);
}

/* --- the relay */

static void hand_over(struct world *world, int to, uint64_t id, struct bytes bytes)
{
    struct tunnel *tunnel = tunnel_find(world, id);
    if (tunnel == NULL || !tunnel->up[to])
        return;
    if (to == SENDER && world->sender != NULL)
        post_sender_receive(world->sender, id, bytes, world->now);
    else if (to == RECEIVER && world->receiver != NULL)
        post_receiver_receive(world->receiver, id, bytes, world->now);
    world_take(world);
}

static void deliver(struct world *world, size_t at, bool repeats)
{
    struct packet packet = world->flight[at];
    memmove(&world->flight[at], &world->flight[at + 1], (--world->flying - at) * sizeof packet);
    for (int times = repeats ? 2 : 1; times > 0; times--)
        hand_over(world, packet.to, packet.tunnel, buffer_view(&packet.bytes));
    buffer_free(&packet.bytes);
}

static void corrupt(struct world *world, size_t at)
{
    struct packet *packet = &world->flight[at];
    size_t size = buffer_size(&packet->bytes);
    uint8_t *bytes = packet->bytes.memory + packet->bytes.start;
    if (below(world, 3) == 0)
        packet->bytes.end -= below(world, (uint32_t)size);
    else if (below(world, 3) == 0)
        packet->to = 1 - packet->to;
    else
        bytes[below(world, (uint32_t)size)] ^= (uint8_t)(1 << below(world, 8));
}

static size_t pick(struct world *world)
{
    size_t at = below(world, (uint32_t)world->flying);
    for (size_t i = 0; below(world, 8) > 0 && i < at; i++) {
        if (world->flight[i].tunnel == world->flight[at].tunnel &&
            world->flight[i].to == world->flight[at].to)
            return i;
    }
    return at;
}

static void on_packets(struct world *world)
{
    for (uint32_t left = 1 + below(world, 60); left > 0 && world->flying > 0; left--) {
        uint32_t what = below(world, 100) * world->kindness;
        size_t at = pick(world);
        bool swallowed = buffer_size(&world->flight[at].bytes) > 3 && world->dropped != 0 &&
                         buffer_view(&world->flight[at].bytes).data[3] == world->dropped;
        if (what < 3)
            corrupt(world, at);
        else if (what < 8 || swallowed)
            packet_drop(world, at);
        else
            deliver(world, at, what < 14);
    }
}

static void inject(struct world *world)
{
    if (world->kept_count == 0)
        return;
    const struct packet *kept = &world->kept[below(world, (uint32_t)world->kept_count)];
    struct buffer copy = copy_of(buffer_view(&kept->bytes));
    hand_over(world, below(world, 8) == 0 ? 1 - kept->to : kept->to, world->tunnels[below(world, TUNNELS)].id,
              buffer_view(&copy));
    buffer_free(&copy);
}

/* --- tunnels and time */

static void dig(struct world *world, bool to_sender, bool to_receiver)
{
    struct tunnel *place = NULL;
    for (size_t i = 0; i < TUNNELS; i++) {
        if (world->tunnels[i].id == 0)
            place = &world->tunnels[i];
    }
    if (place == NULL || world->sender == NULL || world->receiver == NULL)
        return;
    *place = (struct tunnel){++world->last_tunnel, {to_sender, to_receiver}, world->now};
    uint64_t id = place->id;
    if (to_receiver)
        post_receiver_tunnel_up(world->receiver, id, world->hash, is_private(world) ? world->secret : NULL,
                                world->now);
    if (to_sender)
        post_sender_tunnel_up(world->sender, id, world->now);
    world_take(world);
}

static void break_tunnel(struct world *world, struct tunnel *tunnel, int side)
{
    uint64_t id = tunnel->id;
    if (id == 0 || !tunnel->up[side])
        return;
    tunnel_leave(world, id, side);
    if (side == SENDER)
        post_sender_tunnel_down(world->sender, id, world->now);
    else
        post_receiver_tunnel_down(world->receiver, id, world->now);
    world_take(world);
}

/* From one thing that is planned to the next. */
static void pass(struct world *world, uint64_t ms)
{
    uint64_t end = world->now + ms;
    for (size_t i = 0; world->now < end; i++) {
        uint64_t next = end;
        assert_true(i < 100000);
        if (world->sender != NULL && post_sender_deadline(world->sender) < next)
            next = post_sender_deadline(world->sender);
        if (world->receiver != NULL && post_receiver_deadline(world->receiver) < next)
            next = post_receiver_deadline(world->receiver);
        world->now = next > world->now ? next : world->now + 1;
        if (world->sender != NULL)
            post_sender_tick(world->sender, world->now);
        if (world->receiver != NULL)
            post_receiver_tick(world->receiver, world->now);
        world_take(world);
    }
}

static void on_time(struct world *world)
{
    static const uint32_t longest[] = {50, 500, 500, 3000, 3000, 10000, 70000};
    uint32_t most = longest[below(world, sizeof longest / sizeof *longest)];
    if (below(world, 60) == 0)
        most = 20 * 3600 * 1000;
    pass(world, below(world, most));
}

static void on_tasks(struct world *world)
{
    for (uint32_t left = 1 + below(world, 6); left > 0 && world->task_count > 0; left--)
        task_do(world, below(world, (uint32_t)world->task_count), below(world, 12 * world->kindness) == 0);
}

static void lock_or_open(struct world *world)
{
    if (world->receiver != NULL)
        post_receiver_set_greets(world->receiver, below(world, 3) > 0, world->now);
    world_take(world);
}

static void step(struct world *world)
{
    static const uint8_t kinds[] = {0, 0, 0, POST_GREETING, POST_FORTH, POST_BACK, POST_CLASSIC};
    uint32_t what = below(world, 1000);
    bool grim = below(world, world->kindness) == 0;
    if (what < 420)
        on_packets(world);
    else if (what < 460)
        inject(world);
    else if (what < 520)
        write_post(world);
    else if (what < 600)
        give(world);
    else if (what < 780)
        on_tasks(world);
    else if (what < 880)
        on_time(world);
    else if (what < 930)
        dig(world, true, true);
    else if (what < 940 && grim)
        dig(world, what < 935, what >= 935);
    else if (what < 960)
        break_tunnel(world, &world->tunnels[below(world, TUNNELS)], what % 2);
    else if (what < 970 && grim)
        world->dropped = kinds[below(world, sizeof kinds / sizeof *kinds)];
    else if (what < 975)
        withdraw(world);
    else if (what < 980)
        lock_or_open(world);
    else if (what < 988 && grim)
        world_kill(world, what % 2);
    for (int side = SENDER; side <= RECEIVER; side++) {
        if (below(world, 4) == 0)
            world_start(world, side);
    }
}

/* --- the relay becomes honest */

static bool is_done(const struct world *world)
{
    for (uint64_t post = 1; post <= world->posts; post++) {
        if (world->letters[post].delivery == WAITING || world->letters[post].delivery == GIVEN)
            return false;
    }
    return world->flying == 0 && world->task_count == 0;
}

/* Tunnels that lead nowhere die of idleness; the sender finds out by itself before that. */
static void end_idle(struct world *world)
{
    for (size_t i = 0; i < TUNNELS; i++) {
        struct tunnel *tunnel = &world->tunnels[i];
        bool whole = tunnel->up[SENDER] && tunnel->up[RECEIVER];
        for (int side = SENDER; side <= RECEIVER && !whole; side++) {
            if (tunnel->id != 0 && world->now - tunnel->made_at > 300000)
                break_tunnel(world, tunnel, side);
        }
    }
}

static bool has_tunnel(const struct world *world)
{
    bool whole = false;
    for (size_t i = 0; i < TUNNELS; i++)
        whole = whole || (world->tunnels[i].up[SENDER] && world->tunnels[i].up[RECEIVER]);
    return whole;
}

static void finish(struct world *world)
{
    uint64_t end = world->now + END_MS, dug = 0;
    world->faults = false;
    world_start(world, SENDER);
    world_start(world, RECEIVER);
    post_receiver_set_greets(world->receiver, true, world->now);
    while (!is_done(world)) {
        if (world->now >= end)
            fail_msg("not all posts are there");
        for (size_t i = 0; world->flying + world->task_count > 0; i++) {
            assert_true(i < 200000);
            if (world->flying > 0)
                deliver(world, 0, false);
            if (world->task_count > 0)
                task_do(world, 0, false);
        }
        give(world);
        end_idle(world);
        if (world->now >= dug && !has_tunnel(world)) {
            dig(world, true, true);
            dug = world->now + 50000;
        }
        if (world->flying == 0)
            pass(world, 200);
    }
}

static void set_up(struct world *world, uint64_t seed)
{
    static const enum way ways[] = {WAY_PRIVATE_KNOWN, WAY_OPEN,       WAY_PRIVATE_KNOWN, WAY_PRIVATE,
                                    WAY_OPEN_KNOWN,    WAY_OPEN_KNOWN, WAY_PRIVATE,       WAY_CLASSIC};
    world->random = random_from_seed(&world->seed, seed);
    world->side_random = random_from_seed(&world->side_seed, ~seed);
    world->way = ways[seed % (sizeof ways / sizeof *ways)];
    world->kindness = 1 + (uint32_t)(seed / 8 % 4) * 2;
    world->now = 1000000;
    world->faults = true;
    memset(world->hash, (int)below(world, 256), sizeof world->hash);
    memset(world->fingerprint, (int)below(world, 256), sizeof world->fingerprint);
    memset(world->secret, (int)below(world, 256), sizeof world->secret);
    world_start(world, SENDER);
    world_start(world, RECEIVER);
}

static void tear_down(struct world *world)
{
    struct nonce *nonce, *next;
    world_kill(world, SENDER);
    world_kill(world, RECEIVER);
    HASH_ITER(hh, world->nonces, nonce, next)
    {
        HASH_DEL(world->nonces, nonce);
        free(nonce);
    }
    while (world->flying > 0)
        packet_drop(world, world->flying - 1);
    for (size_t i = 0; i < world->kept_count; i++)
        buffer_free(&world->kept[i].bytes);
    free(world);
}

static uint64_t sealed_posts, classic_posts;

static void run(uint64_t seed)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    set_up(world, seed);
    for (size_t i = 0; i < STEPS; i++)
        step(world);
    while (world->posts < POSTS / 2)
        write_post(world);
    finish(world);
    for (uint64_t post = 1; post <= world->posts; post++) {
        const struct letter *letter = &world->letters[post];
        assert_true(letter->delivery == WITHDRAWN || letter->delivery == SENT || letter->stored);
        assert_true(letter->delivery != SENT || !is_known(world));
    }
    assert_true(world->checks < 40 * (1 + world->last_tunnel));
    sealed_posts += world->sealed_arrivals;
    classic_posts += world->classic_arrivals;
    tear_down(world);
}

static uint64_t running;
static bool finished;

static void all_schedules(void **state)
{
    (void)state;
    const char *one = getenv("RETROGATE_SEED"), *longer = getenv("RETROGATE_LONG");
    uint64_t first = one != NULL ? strtoull(one, NULL, 10) : 0;
    uint64_t count = one != NULL                                  ? 1
                     : longer != NULL && strcmp(longer, "1") == 0 ? SCHEDULES_LONG
                                                                  : SCHEDULES;
    for (running = first; running < first + count; running++)
        run(running);
    finished = true;
    assert_true(one != NULL || (sealed_posts > 5 * count && classic_posts > count / 2));
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
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(all_schedules, tell_seed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
