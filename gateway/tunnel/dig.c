/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "tunnel/router_internal.h"

/* Requests of our own, and the one budget they share (00 decision 13). */
enum {
    BACKOFF_FIRST_MS = 50000, /* protocol 02 §5 */
    BACKOFF_LAST_MS = 3600000,
    /* A friend that just came up, often after a restart, is still without its own friends: protocol 21 §2.1.
     */
    BACKOFF_NEWCOMER_MS = 15000,
    SPACING_MS = 5000, /* asking again sooner finds nothing new */
};

static struct wanted *find(const struct router *router, const uint8_t hash[TURTLE_HASH_SIZE])
{
    struct wanted *wanted;
    HASH_FIND(hh, router->wanted, hash, TURTLE_HASH_SIZE, wanted);
    return wanted;
}

static void rest(struct router *router, struct wanted *wanted)
{
    if (wanted->state == WANTED_READY)
        DL_DELETE(router->ready[wanted->urgency], wanted);
    timers_clear(&router->digs, &wanted->timer);
    wanted->state = WANTED_RESTING;
}

/* Also moves it to the line of a new urgency. */
static void make_ready(struct router *router, struct wanted *wanted, enum dig_urgency urgency)
{
    rest(router, wanted);
    wanted->urgency = urgency;
    DL_APPEND(router->ready[urgency], wanted);
    wanted->state = WANTED_READY;
}

static void schedule(struct router *router, struct wanted *wanted, uint64_t due)
{
    rest(router, wanted);
    if (timers_set(&router->digs, &wanted->timer, due))
        wanted->state = WANTED_TIMED;
    else
        make_ready(router, wanted, DIG_PRESENCE);
}

static enum dig_urgency more_urgent(enum dig_urgency a, enum dig_urgency b)
{
    return a < b ? a : b;
}

static uint64_t backoff(const struct router *router, const struct wanted *wanted)
{
    if (wanted->newcomer && wanted->fruitless == 1)
        return router_jitter(router, BACKOFF_NEWCOMER_MS);
    uint64_t wait = BACKOFF_FIRST_MS;
    for (unsigned i = 1U + wanted->newcomer; i < wanted->fruitless && wait < BACKOFF_LAST_MS; i++)
        wait *= 2;
    return router_jitter(router, wait < BACKOFF_LAST_MS ? wait : BACKOFF_LAST_MS);
}

static bool is_up(const struct router *router, uint32_t serial)
{
    for (uint32_t i = 0; i < router->all_count; i++) {
        if (router->all[i]->serial == serial)
            return true;
    }
    return false;
}

static struct request *remember_own(struct router *router, struct wanted *wanted, uint64_t now)
{
    uint32_t id = random_u32(&router->random);
    while (request_find(&router->requests, id) != NULL)
        id++;
    struct request *request = request_add(router, &router->requests, id, NULL, now);
    if (request == NULL)
        return NULL;
    request->wanted = wanted;
    request->chance = UINT32_MAX;
    request->generations = BOTH_GENERATIONS;
    request->serial_to = router->last_serial;
    if (wanted->only != 0 && is_up(router, wanted->only))
        request->serial_from = request->serial_to = wanted->only;
    return request;
}

/* The partial id, and whether we begin at depth 1 or 2 (W-T9), stay the same while requests are answered: a
 * neighbour that saw one id at both depths would know that it comes from us. */
static void dig(struct router *router, struct wanted *wanted, uint64_t now)
{
    if (wanted->fruitless > 0)
        wanted->variant = random_u32(&router->random);
    uint32_t reached = 0;
    struct request *request = remember_own(router, wanted, now);
    if (request != NULL) {
        struct print print = router_print(router, PRINT_OWN, wanted->home.hash, wanted->variant);
        struct turtle_open open = {
            .request = request->id,
            .partial = print.value,
            .depth = (uint16_t)(1 + (print.bits & 1)),
        };
        memcpy(open.hash, wanted->home.hash, sizeof open.hash);
        request_flow_fold(&router->flow, now);
        reached = open_send(router, request, &open);
    }
    router->stats.digs++;
    wanted->fruitless++;
    wanted->dug = true;
    wanted->dug_at = now;
    wanted->asked = false;
    wanted->only = 0;
    if (wanted->home.count == 0)
        schedule(router, wanted, now + backoff(router, wanted));
    struct router_output *output = outputs_add(&router->outputs, ROUTER_DUG);
    if (output != NULL) {
        memcpy(output->hash, wanted->home.hash, sizeof output->hash);
        output->reached = reached;
    }
}

void dig_found(struct router *router, struct wanted *wanted)
{
    wanted->fruitless = 0;
    wanted->newcomer = false;
    if (wanted->asked)
        return;
    rest(router, wanted);
    wanted->urgency = DIG_PRESENCE;
}

static bool dug_lately(const struct wanted *wanted, uint64_t within, uint64_t now)
{
    return wanted->dug && now - wanted->dug_at < within;
}

void dig_lost(struct router *router, struct wanted *wanted, bool spaced, uint64_t now)
{
    enum dig_urgency urgency = more_urgent(wanted->urgency, DIG_RETURNED);
    wanted->fruitless = 0;
    if (spaced && dug_lately(wanted, SPACING_MS, now)) {
        schedule(router, wanted, wanted->dug_at + SPACING_MS);
        wanted->urgency = wanted->state == WANTED_TIMED ? urgency : wanted->urgency;
    } else {
        make_ready(router, wanted, urgency);
    }
}

/* What was asked of all others a moment ago is asked of the newcomer alone. */
void dig_neighbour_up(struct router *router, const struct neighbour *neighbour, uint64_t now)
{
    struct wanted *wanted;
    struct wanted *after;
    HASH_ITER(hh, router->wanted, wanted, after)
    {
        if (wanted->home.count > 0)
            continue;
        bool newcomer_only = wanted->state != WANTED_READY && dug_lately(wanted, BACKOFF_FIRST_MS, now);
        wanted->only = newcomer_only ? neighbour->serial : 0;
        wanted->fruitless = 0;
        wanted->newcomer = true;
        make_ready(router, wanted, more_urgent(wanted->urgency, DIG_RETURNED));
    }
}

static struct wanted *most_urgent(const struct router *router)
{
    for (int urgency = DIG_PERSON; urgency <= DIG_PRESENCE; urgency++) {
        if (router->ready[urgency] != NULL)
            return router->ready[urgency];
    }
    return NULL;
}

void dig_tick(struct router *router, uint64_t now)
{
    for (struct timer *timer; (timer = timers_first(&router->digs)) != NULL && timer->due <= now;) {
        struct wanted *wanted = (struct wanted *)((char *)timer - offsetof(struct wanted, timer));
        make_ready(router, wanted, wanted->urgency);
    }
    while (router->all_count > 0) {
        struct wanted *wanted = most_urgent(router);
        if (wanted == NULL)
            return;
        if (!bucket_take(&router->budget, now))
            return;
        rest(router, wanted);
        dig(router, wanted, now);
    }
}

uint64_t dig_deadline(const struct router *router)
{
    const struct timer *timer = timers_first(&router->digs);
    uint64_t deadline = timer == NULL ? UINT64_MAX : timer->due;
    if (router->all_count > 0 && most_urgent(router) != NULL) {
        uint64_t budget = bucket_next(&router->budget, router->budget.at);
        deadline = budget < deadline ? budget : deadline;
    }
    return deadline;
}

static struct wanted *add(struct router *router, const uint8_t hash[TURTLE_HASH_SIZE])
{
    struct wanted *wanted = calloc(1, sizeof *wanted);
    if (wanted == NULL)
        return NULL;
    memcpy(wanted->home.hash, hash, TURTLE_HASH_SIZE);
    wanted->home.role = ROUTER_INITIATOR;
    wanted->urgency = DIG_PRESENCE;
    wanted->variant = random_u32(&router->random);
    HASH_ADD(hh, router->wanted, home.hash, TURTLE_HASH_SIZE, wanted);
    if (wanted->hh.tbl == NULL) {
        free(wanted);
        return NULL;
    }
    return wanted;
}

bool router_dig(struct router *router, const uint8_t hash[TURTLE_HASH_SIZE], enum dig_urgency urgency,
                uint64_t now)
{
    outputs_begin(&router->outputs);
    struct wanted *wanted = find(router, hash);
    if (wanted == NULL)
        wanted = add(router, hash);
    if (wanted == NULL)
        return false;
    wanted->fruitless = 0;
    wanted->newcomer = false;
    wanted->asked = wanted->home.count > 0;
    urgency = more_urgent(urgency, wanted->urgency);
    if (wanted->state == WANTED_READY || !dug_lately(wanted, SPACING_MS, now)) {
        make_ready(router, wanted, urgency);
    } else {
        /* A person who asks again has a reason to think that something has changed. */
        bool soon = wanted->asked || urgency == DIG_PERSON;
        uint64_t due = wanted->dug_at + (soon ? SPACING_MS : router_jitter(router, BACKOFF_FIRST_MS));
        /* Who asks again is never served later for it. */
        if (wanted->state == WANTED_TIMED && wanted->timer.due < due)
            due = wanted->timer.due;
        schedule(router, wanted, due);
        wanted->urgency = wanted->state == WANTED_TIMED ? urgency : wanted->urgency;
    }
    dig_tick(router, now);
    return true;
}

static void drop(struct router *router, struct wanted *wanted)
{
    requests_unwanted(&router->requests, wanted);
    home_close(router, &wanted->home, "no longer wanted");
    rest(router, wanted);
    HASH_DEL(router->wanted, wanted);
    free(wanted);
}

void router_stop(struct router *router, const uint8_t hash[TURTLE_HASH_SIZE], uint64_t now)
{
    (void)now;
    outputs_begin(&router->outputs);
    struct wanted *wanted = find(router, hash);
    if (wanted != NULL)
        drop(router, wanted);
}

void wanted_free_all(struct router *router)
{
    while (router->wanted != NULL)
        drop(router, router->wanted);
    timers_free(&router->digs);
}
