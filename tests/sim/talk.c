/* SPDX-License-Identifier: ISC */
#include "sim/talk.h"

#include <stdio.h>

#include "base/map.h"
#include "base/error.h"

enum { DAY_S = 86400, SOME_MIDNIGHT = 1800000000 / DAY_S * DAY_S, NOON_S = DAY_S / 2 };

struct talk_waiting {
    struct talk_waiting *next;
    uint64_t line;
};

/* Which end a hash at a node belongs to. */
struct talk_place {
    struct {
        uint32_t node;
        uint8_t hash[TURTLE_HASH_SIZE];
    } key;
    size_t end;
    UT_hash_handle hh;
};

/* What a router told, until the network can be called again. */
struct talk_event {
    struct talk_event *next;
    size_t end;
    struct router_output output;
    uint8_t payload[1024];
};

static uint64_t now(const struct talks *talks)
{
    return talks->world->network.now;
}

static int64_t wall(const struct talks *talks)
{
    return talks->wall_begin + (int64_t)(now(talks) / 1000);
}

static void place_enter(struct talks *talks, size_t end, const uint8_t hash[TURTLE_HASH_SIZE])
{
    struct talk_place *place = calloc(1, sizeof *place);
    if (place == NULL)
        abort();
    place->key.node = talks->ends[end].node;
    memcpy(place->key.hash, hash, TURTLE_HASH_SIZE);
    place->end = end;
    struct talk_place *known;
    HASH_FIND(hh, talks->places, &place->key, sizeof place->key, known);
    if (known != NULL)
        free(place);
    else
        HASH_ADD(hh, talks->places, key, sizeof place->key, place);
}

static void told(struct network *network, uint32_t node, const struct router_output *output)
{
    struct talks *talks = network->arg;
    struct talk_place sought = {.key.node = node};
    memcpy(sought.key.hash, output->hash, TURTLE_HASH_SIZE);
    struct talk_place *place;
    HASH_FIND(hh, talks->places, &sought.key, sizeof sought.key, place);
    if (place == NULL)
        return;
    struct talk_event *event = calloc(1, sizeof *event);
    if (event == NULL || output->payload.size > sizeof event->payload)
        abort();
    event->end = place->end;
    event->output = *output;
    if (output->payload.size > 0)
        memcpy(event->payload, output->payload.data, output->payload.size);
    event->output.payload.data = event->payload;
    /* Alarms of one time keep their order, so events are taken as they came. */
    if (talks->events == NULL)
        talks->events = event;
    else
        talks->last_event->next = event;
    talks->last_event = event;
    network_alarm(network, 0, (uint64_t)TALK_EVENT << 32);
}

static void flush_waiting(struct talks *talks, size_t end);

static void take_line(struct talks *talks, size_t end, const struct chat_output *output)
{
    char text[32] = {0};
    size_t size = output->text.size < sizeof text - 1 ? output->text.size : sizeof text - 1;
    if (size > 0)
        memcpy(text, output->text.data, size);
    uint64_t number = output->number;
    if (talks->heard != NULL && size > 0)
        talks->heard(talks, end, strtoull(text, NULL, 10));
    if (number != 0)
        chat_line_stored(talks->ends[end].chat, number, now(talks), wall(talks));
}

static void obey(struct talks *talks, size_t end, const struct chat_output *output)
{
    struct network *network = &talks->world->network;
    struct talk *talk = &talks->ends[end];
    struct router *router = network->nodes[talk->node].router;
    switch (output->kind) {
    case CHAT_SEND:
        router_send(router, output->tunnel, output->payload, network->now);
        break;
    case CHAT_SERVE:
        place_enter(talks, end, output->hash);
        network_serve(network, talk->node, output->hash);
        break;
    case CHAT_UNSERVE:
        router_unserve(router, output->hash, network->now);
        break;
    case CHAT_WANT:
        place_enter(talks, end, output->hash);
        router_dig(router, output->hash, output->urgent ? DIG_PERSON : DIG_WAITING, network->now);
        break;
    case CHAT_STOP:
        router_stop(router, output->hash, network->now);
        break;
    case CHAT_CLOSE_TUNNEL:
        router_close(router, output->tunnel, network->now);
        break;
    case CHAT_CONFIRMED:
        router_confirm(router, output->tunnel);
        break;
    case CHAT_SALTS:
        chat_salts_stored(talk->chat, output->salt_next, network->now, wall(talks));
        break;
    case CHAT_ROOT:
        chat_root_stored(talk->chat, network->now, wall(talks));
        break;
    case CHAT_LINE:
        take_line(talks, end, output);
        break;
    case CHAT_REFUSED_PACKET:
        talks->refused++;
        break;
    default:
        break;
    }
    network_collect(network, talk->node);
}

/* Takes what the chat put out, and plans its next alarm. */
static void settle(struct talks *talks, size_t end)
{
    struct talk *talk = &talks->ends[end];
    struct chat_output output;
    bool changed = false;
    while (chat_next(talk->chat, &output)) {
        obey(talks, end, &output);
        if (output.kind == CHAT_STATE_CHANGED || output.kind == CHAT_DELIVERY) {
            changed = true;
            flush_waiting(talks, end);
        }
    }
    if (changed && talks->settled != NULL && talk->waiting == NULL && chat_queued(talk->chat) == 0)
        talks->settled(talks, end);
    uint64_t deadline = chat_deadline(talk->chat);
    if (deadline >= talk->woken)
        return;
    talk->woken = deadline < now(talks) ? now(talks) : deadline;
    network_alarm(&talks->world->network, talk->woken - now(talks), (uint64_t)TALK_TIMER << 32 | end);
}

void talks_begin(struct talks *talks, struct world *world, size_t conversations, bool sealed,
                 uint64_t midnight_s)
{
    *talks = (struct talks){.world = world, .count = conversations * 2, .sealed = sealed};
    uint64_t to_midnight = now(talks) / 1000 + (midnight_s == 0 ? NOON_S : midnight_s);
    talks->wall_begin = SOME_MIDNIGHT - (int64_t)to_midnight;
    talks->ends = calloc(talks->count, sizeof *talks->ends);
    talks->random = random_from_seed(&talks->random_state, 77);
    talks->tools = (struct chat_tools){
        .classic = classic_cipher_new(), .sealed = sealed_cipher_new(), .random = &talks->random};
    if (talks->ends == NULL || talks->tools.classic == NULL || talks->tools.sealed == NULL)
        abort();
    world->network.arg = talks;
    world->network.told = told;
}

static void add_end(struct talks *talks, size_t end, uint32_t node)
{
    struct chat_options options = {
        .role = end % 2 == 0 ? CHAT_GUEST : CHAT_INVITER,
        .route_created = wall(talks) - 3600,
        .not_before = wall(talks) - 60,
        .ever_confirmed = true,
    };
    uint32_t conversation = (uint32_t)(end / 2);
    hash_of(options.hash, 'c', conversation);
    memcpy(options.key, &conversation, sizeof conversation);
    memcpy(options.salt_key, &end, sizeof end);
    options.own[0] = options.role == CHAT_GUEST ? 'g' : 'i';
    options.peer[0] = options.role == CHAT_GUEST ? 'i' : 'g';
    if (talks->sealed) {
        options.sealing = CHAT_SEALING_MUST;
        options.sealed = options.settled = true;
        memcpy(options.root, &conversation, sizeof conversation);
        options.root[31] = 's';
    }
    struct talk *talk = &talks->ends[end];
    talk->node = node;
    talk->woken = UINT64_MAX;
    talk->chat = chat_new(&options, &talks->tools, now(talks), wall(talks));
    if (talk->chat == NULL)
        abort();
    settle(talks, end);
}

void talks_add(struct talks *talks, size_t conversation, uint32_t guest, uint32_t inviter)
{
    add_end(talks, conversation * 2, guest);
    add_end(talks, conversation * 2 + 1, inviter);
}

void talks_end(struct talks *talks)
{
    struct talk_place *place, *next;
    HASH_ITER(hh, talks->places, place, next)
    {
        HASH_DEL(talks->places, place);
        free(place);
    }
    for (size_t i = 0; i < talks->count; i++) {
        chat_free(talks->ends[i].chat);
        while (talks->ends[i].waiting != NULL) {
            struct talk_waiting *waiting = talks->ends[i].waiting;
            talks->ends[i].waiting = waiting->next;
            free(waiting);
        }
    }
    while (talks->events != NULL) {
        struct talk_event *event = talks->events;
        talks->events = event->next;
        free(event);
    }
    free(talks->ends);
    classic_cipher_free(talks->tools.classic);
    sealed_cipher_free(talks->tools.sealed);
}

static void take_event(struct talks *talks, const struct talk_event *event)
{
    const struct router_output *output = &event->output;
    struct chat *chat = talks->ends[event->end].chat;
    switch (output->kind) {
    case ROUTER_TUNNEL_UP:
        chat_tunnel_up(chat, output->tunnel, output->hash, output->role == ROUTER_INITIATOR, now(talks),
                       wall(talks));
        break;
    case ROUTER_TUNNEL_DOWN:
        chat_tunnel_down(chat, output->tunnel, output->reason, now(talks), wall(talks));
        break;
    case ROUTER_DATA:
        chat_receive(chat, output->tunnel, output->payload, now(talks), wall(talks));
        break;
    case ROUTER_DUG:
        chat_dug(chat, output->reached, now(talks));
        break;
    case ROUTER_SEND:
        break;
    }
    settle(talks, event->end);
}

bool talks_alarm(struct talks *talks, uint64_t user)
{
    size_t number = (uint32_t)user;
    if (user >> 32 == TALK_EVENT) {
        struct talk_event *event = talks->events;
        talks->events = event->next;
        take_event(talks, event);
        free(event);
    } else if (user >> 32 == TALK_TIMER) {
        if (talks->ends[number].woken == now(talks)) {
            talks->ends[number].woken = UINT64_MAX;
            chat_tick(talks->ends[number].chat, now(talks), wall(talks));
            settle(talks, number);
        }
    } else {
        return false;
    }
    return true;
}

static void say_now(struct talks *talks, size_t end, uint64_t line)
{
    char text[32];
    int size = snprintf(text, sizeof text, "%llu", (unsigned long long)line);
    struct chat *chat = talks->ends[end].chat;
    uint64_t number = chat_protection(chat) == CHAT_SEALED ? chat_number(chat, (size_t)size) : 0;
    struct error *error = NULL;
    if (!chat_say(chat, line, number, (struct bytes){(const uint8_t *)text, (size_t)size}, now(talks),
                  wall(talks), &error)) {
        fprintf(stderr, "a line was refused: %s\n", error == NULL ? "no reason" : error->text);
        abort();
    }
}

/* As the core: a sealed line gets its number, and is handed over, when it can leave. */
static void flush_waiting(struct talks *talks, size_t end)
{
    struct talk *talk = &talks->ends[end];
    while (talk->waiting != NULL && talk_can(talks, end) && chat_room(talk->chat, 20) > 0) {
        struct talk_waiting *waiting = talk->waiting;
        talk->waiting = waiting->next;
        say_now(talks, end, waiting->line);
        free(waiting);
    }
}

void talk_open(struct talks *talks, size_t end)
{
    chat_open(talks->ends[end].chat, now(talks), wall(talks));
    settle(talks, end);
}

void talk_sleep(struct talks *talks, size_t end)
{
    chat_sleep(talks->ends[end].chat, now(talks));
    settle(talks, end);
}

void talk_say(struct talks *talks, size_t end, uint64_t line)
{
    if (!talks->sealed) {
        say_now(talks, end, line);
    } else {
        struct talk_waiting *waiting = calloc(1, sizeof *waiting);
        if (waiting == NULL)
            abort();
        waiting->line = line;
        struct talk_waiting **last = &talks->ends[end].waiting;
        while (*last != NULL)
            last = &(*last)->next;
        *last = waiting;
        chat_open(talks->ends[end].chat, now(talks), wall(talks));
        flush_waiting(talks, end);
    }
    settle(talks, end);
}

bool talk_can(const struct talks *talks, size_t end)
{
    return chat_state(talks->ends[end].chat, NULL) == CHAT_CAN_TALK;
}
