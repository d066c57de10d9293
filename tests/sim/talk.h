/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_SIM_TALK_H
#define RETROGATE_SIM_TALK_H

#include "distant/chat.h"
#include "sim/measure.h"

/* Conversations on top of a world: the session code, joined to the routers as the core joins them, with a
 * store that commits at once. */
struct talk_waiting;

struct talk { /* one end */
    struct chat *chat;
    uint32_t node;
    uint64_t woken;               /* when an alarm is planned; UINT64_MAX: none */
    struct talk_waiting *waiting; /* sealed: lines that the core still holds, oldest first */
};

struct talks {
    struct world *world;
    struct talk *ends; /* of conversation n: 2n the guest, 2n+1 the inviter */
    size_t count;
    struct chat_tools tools;
    struct random_seeded random_state;
    struct random_source random;
    struct talk_place *places;
    struct talk_event *events, *last_event;
    bool sealed;
    int64_t wall_begin;
    /* A line came to this end; once the end has nothing to say any more, `settled`. */
    void (*heard)(struct talks *talks, size_t end, uint64_t line);
    void (*settled)(struct talks *talks, size_t end);
    uint64_t refused; /* packets */
};

/* Alarms of a talk have these kinds in the upper half of `user`; other kinds are below. */
enum { TALK_EVENT = 1000, TALK_TIMER };

/* `sealed`: every conversation is, with its root stored on both sides. `midnight_s`: seconds
 * until the day changes; 0: it does not soon. Takes network.told and .arg, and needs
 * talks_alarm(). */
void talks_begin(struct talks *talks, struct world *world, size_t conversations, bool sealed,
                 uint64_t midnight_s);
void talks_add(struct talks *talks, size_t conversation, uint32_t guest, uint32_t inviter);
void talks_end(struct talks *talks);
bool talks_alarm(struct talks *talks, uint64_t user); /* false: not one of a talk */

void talk_open(struct talks *talks, size_t end);
void talk_sleep(struct talks *talks, size_t end);
void talk_say(struct talks *talks, size_t end, uint64_t line);
bool talk_can(const struct talks *talks, size_t end);

#endif
