/* SPDX-License-Identifier: ISC */
/* Lines of JSON are given to a gateway as commands, by turns from the operator and from an account: each that
 * is accepted is answered once, each other one is refused with a reason. */
#include "unit/core/world.h"

static struct world world;
static struct gateway_session *alice, *bob;
static unsigned inputs;

static void ended(void *arg, const char *reason)
{
    (void)reason;
    *(struct gateway_session **)arg = NULL;
}

static const struct gateway_events events = {.ended = ended};

static struct gateway_session *listened(const char *name, struct gateway_session **session)
{
    if (account_by_name(world.gateway, name) == NULL)
        account_make(&world, name);
    *session = session_of(&world, name);
    gateway_listen(*session, &events, session);
    return *session;
}

static void remove_world(void)
{
    world_free(&world);
}

static void prepare(void)
{
    static bool registered;
    if (world.gateway != NULL && (alice == NULL || bob == NULL || inputs++ > 3000)) {
        world_free(&world);
        world.gateway = NULL;
    }
    if (world.gateway != NULL)
        return;
    inputs = 0;
    struct pair pair;
    world_make(&world);
    world_open(&world);
    if (!registered)
        atexit(remove_world);
    registered = true;
    pair_make(&pair, &world);
    gateway_logout(pair.alice);
    gateway_logout(pair.bob);
    listened("alice", &alice);
    listened("bob", &bob);
}

struct told {
    unsigned times;
};

static void note(void *arg, json_t *result, const struct error *error)
{
    struct told *told = arg;
    told->times++;
    if ((result == NULL) == (error == NULL) || (error != NULL && error->text[0] == '\0'))
        abort();
}

/* Waits for the answer unless the session has ended, which leaves commands unanswered. */
static void command(struct gateway_session **session, const json_t *given)
{
    struct told told = {0};
    struct error *error = NULL;
    if (*session == NULL)
        return;
    if (gateway_do(*session, given, note, &told, &error) == 0) {
        if (error == NULL || told.times != 0)
            abort();
        error_free(error);
        return;
    }
    if (error != NULL || told.times != 0)
        abort();
    while (told.times == 0 && *session != NULL)
        world_turn(&world);
    while (world.gateway->works > 0)
        world_turn(&world);
    world_quiet(&world);
    if (told.times > 1)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gateway_session *operator_;
    unsigned turn = 0;
    if (size > 8192)
        return 0;
    prepare();
    operator_ = world.operator_;
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t line = end != NULL ? (size_t)(end - data) : size;
        json_t *given = json_loadb((const char *)data, line, JSON_DECODE_ANY, NULL);
        if (given != NULL) {
            command(turn % 3 == 0 ? &operator_ : turn % 3 == 1 ? &alice : &bob, given);
            turn++;
        }
        json_decref(given);
        data += line;
        size -= line;
        if (size > 0) {
            data++;
            size--;
        }
    }
    world_quiet(&world);
    return 0;
}
