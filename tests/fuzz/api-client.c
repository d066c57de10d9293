/* SPDX-License-Identifier: ISC */
/* Messages into two clients of one account, with the gateway in memory. A line feed ends a message; a byte
 * from 0xf8 up lets something else happen. What comes out is checked by the clients of world.h: whole
 * messages, and of those who follow, every change once and in order. */
#include "unit/api/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a client asked to follow is known only from its message. */
static void say(struct peer *peer, struct bytes message)
{
    unsigned dones = peer->dones;
    json_t *value = json_loadb((const char *)message.data, message.size, JSON_REJECT_DUPLICATES, NULL);
    const char *verb = json_string_value(json_object_get(value, "do"));
    int64_t at = peer->at, epoch = peer->epoch;
    if (verb != NULL && strcmp(verb, "follow") == 0) {
        peer->at = json_integer_value(json_object_get(value, "after"));
        peer->epoch = -1;
    }
    api_client_input(peer->client, message);
    if (peer->dones == dones) { /* refused */
        peer->at = at;
        peer->epoch = epoch;
    }
    json_decref(value);
}

static void happen(struct gateway *gateway, struct peer *peer, struct api *api, uint8_t what)
{
    json_t *hint = NULL;
    switch (what) {
    case 0xf8:
        gateway->visible[1] += 3;
        break;
    case 0xf9:
        world_tell(gateway);
        break;
    case 0xfa:
        if (gateway->answers != NULL)
            world_answer(gateway, gateway->answers);
        break;
    case 0xfb:
        if (!peer->ended)
            peer->queued = API_QUEUE_MAX;
        break;
    case 0xfc:
        peer_drain(peer);
        break;
    case 0xfd:
        hint = json_pack("{s:{s:i}}", "typing", "conversation", 3);
        if (peer->session != NULL)
            peer->session->events->hint(peer->session->arg, hint);
        json_decref(hint);
        break;
    case 0xfe:
        if (peer->session != NULL)
            peer_expel(peer, "ended");
        break;
    default:
        peer_close(peer);
        peer_open(peer, api, gateway, 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gateway gateway = {.epoch = 1, .visible[1] = 7, .page = 4, .waits = true, .own_pulls = true};
    struct peer peers[2];
    unsigned turn = 0;
    struct api *api = api_new();
    CHECK(api != NULL);
    peer_open(&peers[0], api, &gateway, 1);
    peer_open(&peers[1], api, &gateway, 1);
    size_t start = 0;
    for (size_t i = 0; i < size; i++) {
        struct peer *peer = &peers[turn % 2];
        if (data[i] != '\n' && data[i] < 0xf8)
            continue;
        if (i > start || data[i] == '\n')
            say(peer, bytes_of(data + start, i - start));
        if (data[i] == '\n')
            turn++;
        else
            happen(&gateway, peer, api, data[i]);
        start = i + 1;
    }
    gateway.waits = false;
    world_turn(&gateway);
    peer_close(&peers[0]);
    peer_close(&peers[1]);
    api_free(api);
    CHECK(gateway.sessions == NULL && gateway.answers == NULL);
    return 0;
}
