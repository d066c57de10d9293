/* SPDX-License-Identifier: ISC */
#include "tunnel/router.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "crypto/salt.h"
#include "tunnel/router_internal.h"

/* Cleaning never takes long: at most so many entries of each table at a time, then the deadline is now. It
 * runs at most once a second, so that timers are not set for single entries. */
enum { CLEANED_AT_A_TIME = 4096, CLEANING_MS = 1000 };

enum { OWN_PER_NEIGHBOUR_MOST = 32768 /* so that all their ends fit among the outputs */ };

static size_t option(size_t value, size_t otherwise, size_t most)
{
    if (value == 0)
        return otherwise;
    return value < most ? value : most;
}

static struct router_options complete(const struct router_options *options)
{
    struct router_options complete = options == NULL ? (struct router_options){0} : *options;
    size_t rate = option(complete.forward_per_second, 20, 100); /* protocol 02 §7, 21 §2.3 */
    complete.forward_per_second = (uint32_t)(rate < 10 ? 10 : rate);
    complete.dig_per_second = (uint32_t)option(complete.dig_per_second, 1, 1000);
    complete.dig_burst = (uint32_t)option(complete.dig_burst, 20, 100000);
    complete.request_limit = option(complete.request_limit, 65536, 1U << 24);
    complete.tunnel_limit = option(complete.tunnel_limit, 1U << 20, 1U << 24);
    complete.tunnels_per_neighbour = option(complete.tunnels_per_neighbour, 65536, 1U << 24);
    complete.own_per_hash = option(complete.own_per_hash, 8, 1024);
    complete.own_per_neighbour = option(complete.own_per_neighbour, 4096, OWN_PER_NEIGHBOUR_MOST);
    return complete;
}

static struct list *remembered_of(struct neighbour *neighbour)
{
    return &neighbour->remembered;
}

static struct list *searches_of(struct neighbour *neighbour)
{
    return &neighbour->searches;
}

struct router *router_new(const struct router_options *options, const struct random_source *random,
                          uint64_t now)
{
    struct router *router = calloc(1, sizeof *router);
    if (router == NULL)
        return NULL;
    router->options = complete(options);
    router->random = *random;
    router->began = now;
    router->flow.folded = now;
    random->fill(random->state, router->print_key, sizeof router->print_key);
    uint64_t key[2] = {random_u64(random), random_u64(random)};
    router->outputs.arena = buffer_make(ARENA_LIMIT);
    pool_init(&router->neighbours, sizeof(struct neighbour), NEIGHBOURS_LIMIT);
    id_table_init(&router->neighbour_numbers, sizeof(struct id_cell), key);
    pool_init(&router->ends, sizeof(struct end), (1U << END_BITS) - 1);
    request_table_init(&router->requests, key, router->options.request_limit, remembered_of, false);
    request_table_init(&router->searches, key, SEARCHES_REMEMBERED, searches_of, true);
    tunnel_table_init(&router->tunnels, key, router->options.tunnel_limit,
                      router->options.tunnels_per_neighbour, now);
    router->budget = bucket_make(router->options.dig_per_second, router->options.dig_burst, now);
    return router;
}

void router_free(struct router *router)
{
    if (router == NULL)
        return;
    wanted_free_all(router);
    served_free_all(router);
    tunnel_table_free(&router->tunnels);
    request_table_free(&router->requests);
    request_table_free(&router->searches);
    pool_free(&router->ends);
    neighbours_free(router);
    outputs_free(&router->outputs);
    OPENSSL_cleanse(router, sizeof *router);
    free(router);
}

struct print router_print(const struct router *router, enum print_use use,
                          const uint8_t hash[TURTLE_HASH_SIZE], uint32_t seed)
{
    uint8_t input[1 + TURTLE_HASH_SIZE + sizeof seed];
    input[0] = (uint8_t)use;
    memcpy(input + 1, hash, TURTLE_HASH_SIZE);
    memcpy(input + 1 + TURTLE_HASH_SIZE, &seed, sizeof seed);
    uint64_t print = siphash24(router->print_key, input, sizeof input);
    return (struct print){.value = (uint32_t)print, .bits = (uint32_t)(print >> 32)};
}

uint64_t router_jitter(const struct router *router, uint64_t base)
{
    return base - base / 5 + random_below(&router->random, (uint32_t)(base / 5 * 2 + 1));
}

typedef const char *receiver(struct router *router, struct neighbour *from, struct bytes item, uint64_t now);

static receiver *const receivers[] = {
    [TURTLE_SEARCH] = search_receive,
    [TURTLE_SEARCH_RESULT] = search_receive,
    [TURTLE_OPEN] = open_receive,
    [TURTLE_OK] = ok_receive,
    [TURTLE_FILE_REQUEST] = relay_receive,
    [TURTLE_FILE_DATA] = relay_receive,
    [TURTLE_SEARCH_REGEXP] = search_receive,
    [TURTLE_DATA] = relay_receive,
    [TURTLE_SEARCH_GENERIC] = search_receive,
    [TURTLE_SEARCH_GENERIC_RESULT] = search_receive,
    [TURTLE_FILE_MAP] = relay_receive,
    [TURTLE_FILE_MAP_REQUEST] = relay_receive,
    [TURTLE_FILE_CRC_MAP] = relay_receive,
    [TURTLE_FILE_CRC_MAP_REQUEST] = relay_receive,
    [TURTLE_CHUNK_CRC] = relay_receive,
    [TURTLE_CHUNK_CRC_REQUEST] = relay_receive,
    [TURTLE_FAST_DATA] = relay_receive,
};

static const char *receive(struct router *router, uint32_t number, struct bytes item, uint64_t now)
{
    struct neighbour *from = neighbour_find(router, number);
    if (from == NULL)
        return "item from a neighbour that is not up";
    if (item.size < ITEM_HEADER_SIZE || item.size > ITEM_SIZE_MAX)
        return "not an item";
    uint8_t subtype = item.data[3];
    if (subtype >= sizeof receivers / sizeof receivers[0] || receivers[subtype] == NULL)
        return "unknown kind of turtle item";
    return receivers[subtype](router, from, item, now);
}

const char *router_receive(struct router *router, uint32_t number, struct bytes item, uint64_t now)
{
    outputs_begin(&router->outputs);
    router->stats.items_in++;
    const char *refusal = receive(router, number, item, now);
    router->stats.items_refused += refusal != NULL;
    return refusal;
}

void router_tick(struct router *router, uint64_t now)
{
    outputs_begin(&router->outputs);
    if (now >= router->next_cleaning) {
        bool done = requests_expire(router, &router->requests, CLEANED_AT_A_TIME, now);
        done = requests_expire(router, &router->searches, CLEANED_AT_A_TIME, now) && done;
        done = tunnels_expire(router, CLEANED_AT_A_TIME, now) && done;
        router->next_cleaning = done ? now + CLEANING_MS : now;
    }
    serve_tick(router, now);
    dig_tick(router, now);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t router_deadline(const struct router *router)
{
    uint64_t deadline = tunnels_deadline(&router->tunnels);
    deadline = earlier(deadline, requests_deadline(&router->requests));
    deadline = earlier(deadline, requests_deadline(&router->searches));
    if (deadline < router->next_cleaning)
        deadline = router->next_cleaning;
    const struct timer *delayed = timers_first(&router->delayed);
    if (delayed != NULL)
        deadline = earlier(deadline, delayed->due);
    return earlier(deadline, dig_deadline(router));
}

bool router_next(struct router *router, struct router_output *out)
{
    return output_take(&router->outputs, out);
}

void router_stats(const struct router *router, struct router_stats *out)
{
    *out = router->stats;
    out->outputs_lost = router->outputs.lost;
    out->neighbours = router->all_count;
    out->tunnels_own = router->tunnels.own;
    out->tunnels_relayed = router->tunnels.records.taken - router->tunnels.own;
    out->requests = router->requests.pool.taken;
    out->served = HASH_COUNT(router->served);
    out->wanted = HASH_COUNT(router->wanted);
}

static uint32_t number_of(const struct router *router, uint32_t handle)
{
    return handle == 0 ? 0 : neighbour_at(router, handle)->number;
}

static struct router_tunnel tunnel_shown(const struct router *router, const struct tunnel *tunnel,
                                         uint64_t now)
{
    const struct tunnel_record *record = tunnel_record(&router->tunnels, tunnel);
    return (struct router_tunnel){
        .tunnel_id = record->id,
        .role = tunnel->end == 0 ? -1 : (int)end_at(router, tunnel->end)->home->role,
        .towards_initiator = number_of(router, tunnel->neighbour[TOWARDS_INITIATOR]),
        .towards_endpoint = number_of(router, tunnel->neighbour[TOWARDS_ENDPOINT]),
        .bytes = tunnel->bytes,
        .idle_ms = now - tunnel->used,
        .age_ms = now - router->began - record->created * UINT64_C(1000),
    };
}

void router_each_tunnel(const struct router *router, uint64_t now,
                        void (*fn)(void *arg, const struct router_tunnel *tunnel), void *arg)
{
    const struct tunnel_table *table = &router->tunnels;
    for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++) {
        const struct tunnel_record *record;
        for (uint32_t handle = table->wheel[slot].first; handle != 0; handle = record->wheel.next) {
            record = pool_at(&table->records, handle);
            struct router_tunnel shown = tunnel_shown(router, tunnel_find(table, record->id), now);
            fn(arg, &shown);
        }
    }
}

void router_each_tunnel_of(const struct router *router, const uint8_t hash[TURTLE_HASH_SIZE],
                           enum router_role role, uint64_t now,
                           void (*fn)(void *arg, const struct router_tunnel *tunnel), void *arg)
{
    const struct wanted *wanted = NULL;
    const struct served *served = NULL;
    const struct end *end = NULL;
    if (role == ROUTER_INITIATOR) {
        HASH_FIND(hh, router->wanted, hash, TURTLE_HASH_SIZE, wanted);
        end = wanted != NULL ? wanted->home.ends : NULL;
    } else {
        HASH_FIND(hh, router->served, hash, TURTLE_HASH_SIZE, served);
        end = served != NULL ? served->home.ends : NULL;
    }
    for (; end != NULL; end = end->next) {
        struct router_tunnel shown = tunnel_shown(router, tunnel_find(&router->tunnels, end->tunnel_id), now);
        fn(arg, &shown);
    }
}
