/* SPDX-License-Identifier: ISC */
/* Two gateways and a hostile relay in seeded schedules: packets are dropped, repeated, overtaken, reflected,
 * changed, cut, sent into other tunnels and replayed in later lives; tunnels die, lead nowhere, or join what
 * does not belong together; either gateway and the relay are killed at any step, also between a commit and
 * its answer; commits fail; people look and go; days pass. Then the relay becomes honest.
 *
 * What was said arrives exactly once and in order, or its sender knows; nothing else is ever shown; delivered
 * means that the other store holds it; what is sealed never says or takes anything classic; a peer of 2013
 * notices nothing; and the two always meet again.
 *
 *   RETROGATE_SEED=n   that schedule alone */
#include "sealed_relay.h"

#include <stdio.h>

#include "wire/chat.h"

enum { SCHEDULES = 200, SCHEDULES_LONG = 1000, STEPS = 1500 };
enum {
    MEET_MS = 30 * 60000,
    PART_MS = 5 * 60000,
    MEET_AGAIN_MS = 10 * 60000,
    FALL_ASLEEP_MS = 15 * 60000,
    WAKE_MS = 5 * 60000
};
enum { WALL = 1780000000, DAY = 86400 };
static const uint64_t HOUR_MS = 3600000;

/* Of the guest, of the inviter. */
static const enum chat_sealing sealings[SCENES][2] = {
    [SCENE_SEALED] = {CHAT_SEALING_MUST, CHAT_SEALING_MAY},
    [SCENE_ONLY] = {CHAT_SEALING_MUST, CHAT_SEALING_MUST},
    [SCENE_MOVES_UP] = {CHAT_SEALING_MAY, CHAT_SEALING_MAY},
    [SCENE_GUEST_2013] = {CHAT_SEALING_NEVER, CHAT_SEALING_MAY},
    [SCENE_INVITER_2013] = {CHAT_SEALING_MAY, CHAT_SEALING_NEVER},
};

/* --- properties */

enum speech { SPEECH_NONE, SPEECH_ANNOUNCEMENT, SPEECH_STATUS, SPEECH_OTHER };

/* What a packet says on the classic wire, to who has the invite. */
static enum speech speech_of(const struct world *world, struct bytes payload)
{
    struct chat_item item;
    struct buffer plain = buffer_make(ROOM), text = buffer_make(ROOM);
    enum speech speech = SPEECH_NONE;
    if (payload.size >= 24 && classic_open(world->tools.classic, &plain, world->key, payload) &&
        chat_parse(&item, &text, buffer_view(&plain)))
        speech = item.subtype != CHAT_STATUS ? SPEECH_OTHER
                 : item.flags == 0x00010000U ? SPEECH_ANNOUNCEMENT
                                             : SPEECH_STATUS;
    buffer_free(&plain);
    buffer_free(&text);
    return speech;
}

static void check_sent(const struct gateway *gateway, struct bytes payload)
{
    const struct world *world = gateway->world;
    enum speech speech = speech_of(world, payload);
    bool sealed = gateway_is_sealed(gateway);
    assert_true(!gateway->sealed || sealed);
    if (sealings[world->scene][gateway->index] == CHAT_SEALING_NEVER) {
        assert_true(speech == SPEECH_STATUS || speech == SPEECH_OTHER);
        assert_false(sealed);
    } else if (sealings[world->scene][gateway->index] == CHAT_SEALING_MUST || sealed) {
        assert_true(speech == SPEECH_NONE || speech == SPEECH_ANNOUNCEMENT);
        assert_true(payload.size == 72 || payload.size % 256 == 40);
    } else if (world->scene == SCENE_SEALED) {
        assert_int_not_equal(speech, SPEECH_OTHER);
    }
}

static void check_line(const struct gateway *gateway, const struct chat_output *out)
{
    assert_true(out->number != 0 || !gateway_is_sealed(gateway));
    assert_true(out->number != 0 || gateway->world->scene >= SCENE_MOVES_UP);
    assert_true(out->missing == 0 || gateway->restored);
    if (out->number != 0 && out->text.size == 0)
        return;
    uint64_t line = line_of(out->text);
    struct buffer text = gateway_text(world_other(gateway), line);
    assert_bytes_equal(out->text, buffer_view(&text));
    buffer_free(&text);
}

void world_check(struct gateway *gateway, const struct chat_output *out)
{
    const struct gateway *other = world_other(gateway);
    switch (out->kind) {
    case CHAT_SEND:
        check_sent(gateway, out->payload);
        break;
    case CHAT_LINE:
        check_line(gateway, out);
        break;
    case CHAT_DELIVERY:
        assert_in_range(out->line, 1, gateway->said);
        if (out->delivery == CHAT_DELIVERED)
            assert_true(other->ever_got[out->line] && gateway->stored.number[out->line] != 0);
        else if (out->delivery != CHAT_SENT)
            assert_true((gateway->world->scene >= SCENE_MOVES_UP || gateway->world->closed) &&
                        out->reason != NULL);
        break;
    case CHAT_TYPING:
        assert_true(++gateway->typing_shown <= other->typed);
        break;
    case CHAT_STATE_CHANGED:
        assert_true(out->state <= CHAT_CAN_TALK || gateway->world->closed);
        assert_non_null(out->reason);
        break;
    case CHAT_BEHIND:
        assert_true(gateway->restored);
        break;
    case CHAT_PEER_AVATAR:
        fail_msg("nobody asked for that");
        break;
    default:
        break;
    }
}

void world_check_stored(struct gateway *gateway, const struct item *item)
{
    const struct gateway *from = world_other(gateway);
    uint64_t line = item->line, next = gateway->stored.options.number_stored + 1 + item->missing;
    /* A void that closes a gap is the last of those that are missing. */
    bool closes = line == 0 && item->missing != 0 && item->number + 1 == next;
    assert_true(item->number == 0 || item->number == next || closes);
    if (line == 0)
        return;
    assert_false(gateway->stored.got[line]);
    assert_true(from->ever_said[line]);
    assert_true(from->restored || from->stored.number[line] == item->number);
    if (item->number != 0 && !from->stored.was_classic[line])
        assert_true(line > gateway->stored.latest);
}

/* --- schedules */

static void set_up(struct world *world, uint64_t seed)
{
    static const enum scene scenes[] = {SCENE_SEALED,   SCENE_ONLY,       SCENE_SEALED,       SCENE_MOVES_UP,
                                        SCENE_MOVES_UP, SCENE_GUEST_2013, SCENE_INVITER_2013, SCENE_ONLY};
    world->random = random_from_seed(&world->seed, seed);
    world->chat_random = random_from_seed(&world->chat_seed, ~seed);
    world->tools = (struct chat_tools){classic_cipher_new(), sealed_cipher_new(), &world->chat_random};
    assert_true(world->tools.classic != NULL && world->tools.sealed != NULL);
    world->scene = scenes[seed % (sizeof scenes / sizeof *scenes)];
    world->faults = true;
    world->backup_of = below(world, 2);
    world->kindness = 1 + (uint32_t)(seed / 8 % 4) * 2;
    world->now = 1000000;
    world->wall = WALL - WALL % DAY + DAY - (int64_t)below(world, seed % 3 == 0 ? 600 : DAY);
    memset(world->key, (int)(1 + below(world, 255)), sizeof world->key);
    uint8_t hash[20], context[32];
    world->random.fill(world->random.state, hash, sizeof hash);
    world->random.fill(world->random.state, context, sizeof context);
    for (size_t i = 0; i < 2; i++) {
        struct gateway *gateway = &world->gateways[i];
        struct chat_options *options = &gateway->stored.options;
        gateway->world = world;
        gateway->index = i;
        gateway->skew = (int64_t)below(world, 600) - 300;
        *options = (struct chat_options){.role = i == 0 ? CHAT_GUEST : CHAT_INVITER,
                                         .sealing = sealings[world->scene][i],
                                         .route_created = world_wall(gateway) - 3600,
                                         .send_typing = true};
        memcpy(options->hash, hash, sizeof hash);
        memcpy(options->context, context, sizeof context);
        memcpy(options->key, world->key, sizeof world->key);
        memset(options->own, (int)(1 + i), sizeof options->own);
        memset(options->peer, (int)(2 - i), sizeof options->peer);
        world->random.fill(world->random.state, options->salt_key, sizeof options->salt_key);
        gateway->looks = true;
        gateway_start(gateway);
    }
}

static void tear_down(struct world *world)
{
    for (size_t i = 0; i < 2; i++) {
        gateway_kill(&world->gateways[i]);
        free(world->gateways[i].stored.salts);
    }
    free(world->backup.salts);
    while (world->flying > 0)
        packet_drop(world, world->flying - 1);
    for (size_t i = 0; i < world->kept_count; i++)
        buffer_free(&world->kept[i].bytes);
    classic_cipher_free(world->tools.classic);
    sealed_cipher_free(world->tools.sealed);
    free(world);
}

/* In a tunnel whose lines are classic the order is that of the links; overtaken parts have no numbers. */
static size_t pick(struct world *world)
{
    size_t at = below(world, (uint32_t)world->flying);
    if (below(world, 8) == 0 && world->scene < SCENE_MOVES_UP)
        return at;
    for (size_t i = 0; i < at; i++) {
        if (world->flight[i].tunnel == world->flight[at].tunnel &&
            world->flight[i].to == world->flight[at].to)
            return i;
    }
    return at;
}

/* Packets and commits come in bursts. */
static void on_packets(struct world *world)
{
    for (uint32_t left = 1 + below(world, 12); left > 0 && world->flying > 0; left--) {
        uint32_t what = below(world, 100) * world->kindness;
        size_t at = pick(world);
        if (what < 4)
            corrupt(world, at);
        else if (what < 12)
            packet_drop(world, at);
        else
            deliver(world, at, what < 18);
    }
}

static void on_commits(struct gateway *gateway)
{
    struct world *world = gateway->world;
    for (uint32_t left = 1 + below(world, 8); left > 0 && gateway->chat != NULL; left--) {
        if (below(world, 2) == 0)
            gateway_apply(gateway, below(world, 20 * world->kindness) == 0);
        else
            gateway_answer_next(gateway);
    }
}

static void start_or_look(struct gateway *gateway)
{
    if (gateway->chat == NULL) {
        gateway_start(gateway);
    } else if (below(gateway->world, 4) == 0) {
        gateway->looks = !gateway->looks;
        gateway_take(gateway);
    }
}

static void on_type(struct gateway *gateway)
{
    if (gateway->chat == NULL)
        return;
    gateway->typed++;
    chat_typing(gateway->chat, world_now(gateway), world_wall(gateway));
    gateway_take(gateway);
}

static void on_time(struct world *world)
{
    static const uint32_t longest[] = {100, 100, 1000, 1000, 1000, 3000, 3000, 30000, 90000};
    uint32_t most = longest[below(world, sizeof longest / sizeof *longest)];
    if (below(world, 100) == 0)
        most = 3 * 3600 * 1000;
    pass_time(world, below(world, most));
}

static void step(struct world *world)
{
    uint32_t what = below(world, 1000);
    size_t index = below(world, 2);
    struct gateway *gateway = &world->gateways[index];
    bool grim = below(world, world->kindness) == 0;
    if (what < 400)
        on_packets(world);
    else if (what < 450)
        inject(world);
    else if (what < 600)
        gateway_say(gateway);
    else if (what < 800)
        on_commits(gateway);
    else if (what < 880)
        on_time(world);
    else if (what < 930)
        dig(world, index, 1 + below(world, 4));
    else if (what < 940)
        give_notice(world);
    else if (what < 960)
        start_or_look(gateway);
    else if (what < 970)
        on_type(gateway);
    else if (what < 980 && grim)
        dig_falsely(world);
    else if (what < 990 && grim)
        tunnel_down(world, &world->tunnels[below(world, TUNNELS)], index);
    else if (what < 996 && grim)
        world_kill(world, index);
    else if (what < 998 && grim)
        kill_relay(world);
}

/* --- the relay becomes honest */

static bool work(struct world *world)
{
    bool worked = give_notice(world);
    for (size_t i = 0; i < 2; i++) {
        if (world->gateways[i].chat != NULL)
            worked |= gateway_apply(&world->gateways[i], false) | gateway_answer_next(&world->gateways[i]);
    }
    if (world->flying > 0) {
        deliver(world, 0, false);
        worked = true;
    }
    return worked;
}

static bool everything_said(const struct gateway *gateway)
{
    if (gateway->queued + gateway->coming + chat_queued(gateway->chat) > 0 || gateway->commits != NULL)
        return false;
    for (uint64_t line = 1; line <= gateway->said; line++) {
        enum fate fate = gateway->stored.fate[line];
        if (fate == QUEUED || (fate == SENT && gateway->stored.number[line] != 0))
            return false;
    }
    return true;
}

static bool is_at_peace(struct world *world)
{
    bool seals = world->scene <= SCENE_MOVES_UP;
    for (size_t i = 0; i < 2; i++) {
        const struct gateway *gateway = &world->gateways[i];
        if (!gateway_talks(gateway) || !everything_said(gateway) || seals != gateway_is_sealed(gateway) ||
            seals != gateway->stored.options.settled)
            return false;
    }
    return true;
}

static bool is_asleep(struct world *world)
{
    return chat_tunnels(world->gateways[0].chat) + chat_tunnels(world->gateways[1].chat) +
               world->wanted[0].count + world->wanted[1].count ==
           0;
}

static bool all_is_said(struct world *world)
{
    return everything_said(&world->gateways[0]) && everything_said(&world->gateways[1]);
}

/* One step of an honest world. */
static void go_on(struct world *world, uint64_t *dug, uint64_t ms)
{
    for (size_t i = 0; work(world); i++)
        assert_true(i < 100000);
    if (world->now >= *dug) {
        dig(world, 0, 1);
        dig(world, 1, 1);
        *dug = world->now + 5000;
    }
    pass_time(world, ms);
}

static void let_pass(struct world *world, uint64_t ms)
{
    uint64_t end = world->now + ms, dug = 0;
    while (world->now < end)
        go_on(world, &dug, ms / 1000 + 1);
}

/* The test fails when something does not come to hold in time. */
static void await(struct world *world, bool (*holds)(struct world *world), uint64_t ms, const char *what)
{
    uint64_t end = world->now + ms, dug = 0;
    while (!holds(world)) {
        if (world->now >= end)
            fail_msg("%s: %s, %s", what, chat_state_word(chat_state(world->gateways[0].chat, NULL)),
                     chat_state_word(chat_state(world->gateways[1].chat, NULL)));
        go_on(world, &dug, 200);
    }
}

/* From now on one of the two looks, or both. On the classic wire only the guest can find the other. */
static void make_honest(struct world *world)
{
    uint32_t who = world->scene <= SCENE_MOVES_UP ? below(world, 3) : 0;
    world->faults = false;
    for (size_t i = 0; i < TUNNELS; i++) {
        for (size_t end = 0; end < 2 && world->tunnels[i].id != 0 && world->tunnels[i].false_one; end++)
            tunnel_down(world, &world->tunnels[i], end);
    }
    for (size_t i = 0; i < 2; i++) {
        struct gateway *gateway = &world->gateways[i];
        gateway->looks = who == 2 || who == i;
        if (gateway->chat == NULL)
            gateway_start(gateway);
        gateway_take(gateway);
    }
}

static void check_end(const struct world *world)
{
    for (size_t i = 0; i < 2; i++) {
        const struct gateway *gateway = &world->gateways[i], *other = &world->gateways[1 - i];
        for (uint64_t line = 1; line <= gateway->said; line++) {
            enum fate fate = gateway->stored.fate[line];
            assert_int_not_equal(fate, QUEUED);
            assert_true(fate != DELIVERED || other->ever_got[line]);
            assert_true(fate == DELIVERED || gateway->stored.number[line] == 0);
            assert_true(gateway->ever_said[line] || !other->ever_got[line]);
            if (world->scene < SCENE_MOVES_UP && !gateway->restored)
                assert_true(fate == UNSAID || fate == DELIVERED);
        }
    }
}

/* Who looks keeps the other, and tunnels that die are found again. */
static void stay_in_touch(struct world *world)
{
    for (size_t i = 0; i < 5; i++) {
        let_pass(world, below(world, 20 * 60000));
        for (size_t slot = 0; slot < TUNNELS; slot++)
            tunnel_down(world, &world->tunnels[slot], i % 2);
        await(world, is_at_peace, MEET_AGAIN_MS, "they do not meet again");
    }
}

/* Over midnight, and longer than keys are used. */
static void live_a_day(struct world *world)
{
    let_pass(world, below(world, 30) * HOUR_MS);
    gateway_say(&world->gateways[0]);
    gateway_say(&world->gateways[1]);
    await(world, is_at_peace, MEET_AGAIN_MS, "they lost each other in a day");
}

static void sleep_and_wake(struct world *world)
{
    for (size_t i = 0; i < 2; i++) {
        world->gateways[i].looks = false;
        gateway_take(&world->gateways[i]);
    }
    await(world, is_asleep, FALL_ASLEEP_MS, "not asleep");
    pass_time(world, 1000 * (uint64_t)below(world, 3 * DAY));
    gateway_say(&world->gateways[below(world, 2)]);
    await(world, all_is_said, WAKE_MS, "not woken");
}

/* At some time somebody keeps a copy of a store, at a later one it is all that is left. */
static void maybe_restore(struct world *world, size_t step)
{
    struct gateway *gateway = &world->gateways[world->backup_of], *other = world_other(gateway);
    if (step == STEPS / 3 && gateway->stored.options.sealed) {
        stored_copy(&world->backup, &gateway->stored);
    } else if (step == STEPS / 2 && world->backup.options.sealed) {
        world_kill(world, gateway->index);
        stored_copy(&gateway->stored, &world->backup);
        gateway->restored = true;
        while (other->chat != NULL && (gateway_apply(other, false) || gateway_answer_next(other)))
            continue; /* a commit is quicker than a person with a backup, and so is silence */
        pass_time(world, 120000);
    }
}

static bool is_parted(struct world *world)
{
    return world->gateways[0].parted && world->gateways[1].parted;
}

/* What ends here ends there, also when the one who closes is killed before the other heard of it, and then
 * neither serves or looks for anything more. */
static void part(struct world *world)
{
    struct gateway *gateway = &world->gateways[below(world, 2)];
    make_honest(world);
    await(world, is_at_peace, MEET_MS, "they do not meet to part");
    for (size_t i = 0; i < 2; i++)
        world->gateways[i].looks = true; /* who never looks is never told */
    gateway_take(world_other(gateway));
    world->closed = gateway->stored.options.parting = true;
    chat_close(gateway->chat, world_now(gateway), world_wall(gateway));
    if (below(world, 2) == 0) {
        world_kill(world, gateway->index);
        gateway_start(gateway);
    }
    gateway_take(gateway);
    await(world, is_parted, PART_MS, "not parted");
    assert_int_equal(world->served[0].count + world->served[1].count, 0);
    assert_int_equal(world->wanted[0].count + world->wanted[1].count, 0);
    assert_int_equal(chat_tunnels(world->gateways[0].chat) + chat_tunnels(world->gateways[1].chat), 0);
}

static void run(uint64_t seed)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    set_up(world, seed);
    for (size_t i = 0; i < STEPS; i++) {
        step(world);
        if (seed / 32 % 2 == 1)
            maybe_restore(world, i);
    }
    make_honest(world);
    await(world, is_at_peace, MEET_MS, "they do not meet");
    check_end(world);
    stay_in_touch(world);
    if (seed % 5 == 0)
        live_a_day(world);
    if (world->scene <= SCENE_MOVES_UP)
        sleep_and_wake(world);
    check_end(world);
    if (world->scene <= SCENE_MOVES_UP)
        part(world);
    assert_true(world->gateways[0].said + world->gateways[1].said > 20);
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
