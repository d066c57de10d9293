/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "tunnel/router_internal.h"

/* Requests for the hashes that we serve. A hash that a stranger can compute is answered late and rarely, so
 * that asking tells little (W-T7, 00 decision 12); beyond the limits we pass the request on, like any relay.
 */
enum {
    ANSWER_SPACING_MS = 20000,
    ANSWERS_PER_HOUR = 10,
    HOUR_MS = 3600000,
    DELAY_SHORTEST_MS = 200,
    DELAY_SPAN_MS = 1800,
    OTHER_IDS_TRIED = 8,
};

/* The answers of the last hour to one neighbour, without those of tunnels that were confirmed. */
struct counted_answer {
    uint64_t asked;
    uint64_t tunnel; /* 0: not yet answered */
};

struct answer_limit {
    struct answer_limit *next;
    uint32_t neighbour; /* number */
    bool departed;
    size_t count;
    struct counted_answer answers[ANSWERS_PER_HOUR]; /* oldest first */
};

struct delayed_answer {
    struct timer timer; /* first */
    struct delayed_answer *prev, *next;
    struct served *served;
    uint32_t serial; /* of the neighbour */
    uint32_t neighbour;
    uint32_t request;
    uint32_t partial;
    uint64_t asked;
};

static struct served *find(const struct router *router, const uint8_t hash[TURTLE_HASH_SIZE])
{
    struct served *served;
    HASH_FIND(hh, router->served, hash, TURTLE_HASH_SIZE, served);
    return served;
}

/* A neighbour that is new takes over what one that went counts, or reconnecting would wipe the slate. */
static struct answer_limit *limit_of(struct served *served, uint32_t neighbour)
{
    struct answer_limit *inherited = NULL;
    for (struct answer_limit *limit = served->limits; limit != NULL; limit = limit->next) {
        if (!limit->departed && limit->neighbour == neighbour)
            return limit;
        if (limit->departed)
            inherited = limit;
    }
    if (inherited == NULL) {
        inherited = calloc(1, sizeof *inherited);
        if (inherited == NULL)
            return NULL;
        LL_PREPEND(served->limits, inherited);
    }
    inherited->departed = false;
    inherited->neighbour = neighbour;
    return inherited;
}

static void forget_answers(struct answer_limit *limit, size_t first, size_t count)
{
    memmove(&limit->answers[first], &limit->answers[first + count],
            (limit->count - first - count) * sizeof limit->answers[0]);
    limit->count -= count;
}

static void forget_old(struct served *served, uint64_t now)
{
    struct answer_limit *limit;
    struct answer_limit *after;
    LL_FOREACH_SAFE(served->limits, limit, after)
    {
        size_t old = 0;
        while (old < limit->count && limit->answers[old].asked + HOUR_MS <= now)
            old++;
        forget_answers(limit, 0, old);
        if (limit->count == 0) {
            LL_DELETE(served->limits, limit);
            free(limit);
        }
    }
}

static bool limit_take(struct served *served, uint32_t neighbour, uint64_t now)
{
    forget_old(served, now);
    struct answer_limit *limit = limit_of(served, neighbour);
    if (limit == NULL || limit->count == ANSWERS_PER_HOUR ||
        (limit->count > 0 && limit->answers[limit->count - 1].asked + ANSWER_SPACING_MS > now))
        return false;
    limit->answers[limit->count++] = (struct counted_answer){.asked = now};
    return true;
}

static void limit_give_back(struct answer_limit *limit, uint64_t tunnel)
{
    for (size_t i = limit->count; i > 0; i--) {
        if (limit->answers[i - 1].tunnel == tunnel)
            forget_answers(limit, i - 1, 1);
    }
}

void serve_confirmed(const struct end *end)
{
    const struct served *served = (const struct served *)end->home;
    for (struct answer_limit *limit = served->limits; limit != NULL; limit = limit->next)
        limit_give_back(limit, end->number);
}

/* The answer to the request that came at `asked` led to this tunnel. */
static void count_for(const struct served *served, const struct end *end, uint64_t asked)
{
    for (struct answer_limit *limit = served->limits; limit != NULL; limit = limit->next) {
        if (limit->departed || limit->neighbour != end->neighbour->number)
            continue;
        for (size_t i = 0; i < limit->count; i++) {
            if (limit->answers[i].asked == asked)
                limit->answers[i].tunnel = end->number;
        }
    }
    if (end->confirmed)
        serve_confirmed(end);
}

/* Our tunnel has this id already: the request came by the same way as the one that made it. */
static struct end *same_way(const struct router *router, const struct served *served,
                            const struct neighbour *from, const struct tunnel *tunnel)
{
    if (tunnel == NULL || tunnel->end == 0)
        return NULL;
    struct end *end = end_at(router, tunnel->end);
    return end->home == &served->home && end->neighbour == from ? end : NULL;
}

/* `asked`: when the request came. */
static bool answer(struct router *router, struct served *served, struct neighbour *from, uint32_t request,
                   uint32_t partial, uint64_t asked, uint64_t now)
{
    struct turtle_ok ok = {
        .tunnel = router_print(router, PRINT_END, served->home.hash, partial).value,
        .request = request,
    };
    struct tunnel *tunnel = tunnel_find(&router->tunnels, ok.tunnel);
    struct end *end = same_way(router, served, from, tunnel);
    bool fresh = end == NULL;
    if (fresh) {
        /* Never let a request take over a tunnel (W-T3): give it another id. */
        for (int i = 0; tunnel != NULL && i < OTHER_IDS_TRIED; i++) {
            ok.tunnel = random_u32(&router->random);
            tunnel = tunnel_find(&router->tunnels, ok.tunnel);
        }
        if (tunnel == NULL)
            end = end_add(router, &served->home, from, ok.tunnel, request, now);
        if (end == NULL)
            return false;
    } else {
        tunnel_record(&router->tunnels, tunnel)->request = request;
        tunnel->used = now;
    }
    count_for(served, end, asked);
    ok_send(router, from, &ok);
    if (fresh)
        end_announce(router, end);
    return true;
}

static bool answer_later(struct router *router, struct served *served, const struct neighbour *from,
                         const struct turtle_open *open, uint64_t now)
{
    if (router->delayed_count >= DELAYED_ANSWERS)
        return false;
    struct delayed_answer *delayed = calloc(1, sizeof *delayed);
    if (delayed == NULL)
        return false;
    uint64_t delay = DELAY_SHORTEST_MS + random_below(&router->random, DELAY_SPAN_MS + 1);
    if (!timers_set(&router->delayed, &delayed->timer, now + delay)) {
        free(delayed);
        return false;
    }
    delayed->served = served;
    delayed->serial = from->serial;
    delayed->neighbour = from->number;
    delayed->request = open->request;
    delayed->partial = open->partial;
    delayed->asked = now;
    DL_APPEND(served->delayed, delayed);
    router->delayed_count++;
    return true;
}

bool serve_consider(struct router *router, struct neighbour *from, const struct turtle_open *open,
                    uint64_t now)
{
    struct served *served = find(router, open->hash);
    if (served == NULL)
        return false;
    if (!served->guessable)
        return answer(router, served, from, open->request, open->partial, now, now);
    return limit_take(served, from->number, now) && answer_later(router, served, from, open, now);
}

static void delayed_free(struct router *router, struct delayed_answer *delayed)
{
    timers_clear(&router->delayed, &delayed->timer);
    DL_DELETE(delayed->served->delayed, delayed);
    router->delayed_count--;
    free(delayed);
}

void serve_tick(struct router *router, uint64_t now)
{
    for (struct timer *timer; (timer = timers_first(&router->delayed)) != NULL && timer->due <= now;) {
        struct delayed_answer *delayed = (struct delayed_answer *)timer;
        struct neighbour *from = neighbour_find(router, delayed->neighbour);
        if (from != NULL && from->serial == delayed->serial)
            answer(router, delayed->served, from, delayed->request, delayed->partial, delayed->asked, now);
        delayed_free(router, delayed);
    }
}

void serve_forget_neighbour(struct router *router, uint32_t number)
{
    for (struct served *served = router->served; served != NULL; served = served->hh.next) {
        for (struct answer_limit *limit = served->limits; limit != NULL; limit = limit->next)
            limit->departed = limit->departed || limit->neighbour == number;
    }
}

bool router_serve(struct router *router, const uint8_t hash[TURTLE_HASH_SIZE], bool guessable)
{
    outputs_begin(&router->outputs);
    struct served *served = find(router, hash);
    if (served == NULL) {
        served = calloc(1, sizeof *served);
        if (served == NULL)
            return false;
        memcpy(served->home.hash, hash, TURTLE_HASH_SIZE);
        served->home.role = ROUTER_ENDPOINT;
        HASH_ADD(hh, router->served, home.hash, TURTLE_HASH_SIZE, served);
        if (served->hh.tbl == NULL) {
            free(served);
            return false;
        }
    }
    served->guessable = guessable;
    return true;
}

static void drop(struct router *router, struct served *served)
{
    home_close(router, &served->home, "no longer served");
    while (served->delayed != NULL)
        delayed_free(router, served->delayed);
    while (served->limits != NULL) {
        struct answer_limit *limit = served->limits;
        LL_DELETE(served->limits, limit);
        free(limit);
    }
    HASH_DEL(router->served, served);
    free(served);
}

void router_unserve(struct router *router, const uint8_t hash[TURTLE_HASH_SIZE], uint64_t now)
{
    (void)now;
    outputs_begin(&router->outputs);
    struct served *served = find(router, hash);
    if (served != NULL)
        drop(router, served);
}

void served_free_all(struct router *router)
{
    while (router->served != NULL)
        drop(router, router->served);
    timers_free(&router->delayed);
}
