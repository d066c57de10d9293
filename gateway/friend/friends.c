/* SPDX-License-Identifier: ISC */
#include "friend/set.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/log.h"
#include "friend/addresses.h"
#include "friend/context.h"

enum {
    QUEUE_LIMIT = 4 << 20,
    RETRY_MIN_MS = 2000,
    RETRY_MAX_MS = 300000,
    KEY_BLOCK_MAX = 65536,
    /* Friends behind one address, and all who come through a hidden service, share these. */
    PER_ADDRESS = 32,
    CONNECTIONS = 1024,
    WAKE_STEP_MS = 250,
};

/* Protocol 11 §3.2, §3.3: a stock server drops a stalled TLS after 10 s and a silent client after 30 s. */
static const struct friends_timing stock_timing = {
    .connect_ms = 10000,
    .hidden_ms = 60000,
    .check_ms = 30000,
    .list_ms = 30000,
    .tie_ms = 2000,
};

static void member_free(struct member *member)
{
    buffer_free(&member->key);
    free(member);
}

static void members_reap(struct friends *set)
{
    while (set->removed) {
        struct member *member = set->removed;
        set->removed = member->next;
        member_free(member);
    }
}

static void set_free(struct friends *set)
{
    struct member *member, *next;
    HASH_ITER(hh, set->members, member, next)
    {
        HASH_DEL(set->members, member);
        member_free(member);
    }
    members_reap(set);
    SSL_CTX_free(set->tls);
    buffer_free(&set->memory);
    buffer_free(&set->scratch);
    free(set->version);
    free(set->dns);
    set->magic = 0;
    free(set);
}

void set_finish(struct friends *set)
{
    if (!set->closing || !set->timer_closed || set->links)
        return;
    void (*closed)(void *) = set->closed;
    void *arg = set->closed_arg;
    set_free(set);
    if (closed)
        closed(arg);
}

struct member *set_find(const struct friends *set, const uint8_t location[16])
{
    struct member *member;
    HASH_FIND(hh, set->members, location, 16, member);
    return member;
}

bool set_has_key(const struct friends *set, const uint8_t pgp_id[8])
{
    for (const struct member *member = set->members; member; member = member->hh.next)
        if (memcmp(member->record.fingerprint + 12, pgp_id, 8) == 0)
            return true;
    return false;
}

void set_attempt(struct friends *set, const struct link *link, const char *reason)
{
    const struct friend_attempt *attempt = attempts_add(
        &set->attempts, link->location.id, link->location.issuer, &link->peer, reason, clock_wall_ms());
    log_info("friend", "event=attempt peer=%s count=%u reason=\"%s\"",
             log_name(link->location.id, sizeof link->location.id), attempt->count, reason);
    set->events.attempt(set->arg, attempt);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t member_tick(struct member *member, uint64_t now_ms)
{
    uint64_t next = dialler_tick(member, now_ms);
    const struct link *spare = member->spare;
    if (!spare || !spare->tie_ms)
        return next;
    if (now_ms < spare->tie_ms)
        return least(next, spare->tie_ms);
    member_decide(member);
    return next;
}

static void on_timer(uv_timer_t *timer)
{
    struct friends *set = timer->data;
    assert(set->magic == SET_MAGIC);
    set->wake_ms = 0;
    members_reap(set);
    uint64_t now_us = uv_hrtime() / 1000, next = UINT64_MAX;
    for (struct member *member = set->members; member; member = set->next_member) {
        set->next_member = member->hh.next;
        next = least(next, member_tick(member, now_us / 1000));
    }
    struct link *link;
    DL_FOREACH(set->links, link)
    {
        next = least(next, link_tick(link, now_us));
    }
    if (next == UINT64_MAX)
        return;
    /* What is far off is done together with its neighbours in time, so that many friends wake us seldom. */
    if (next > now_us / 1000 + 1000)
        next += WAKE_STEP_MS - next % WAKE_STEP_MS;
    set_wake(set, next);
}

void set_wake(struct friends *set, uint64_t at_ms)
{
    if (set->closing || (set->wake_ms && set->wake_ms <= at_ms))
        return;
    uint64_t now = clock_monotonic_ms();
    set->wake_ms = at_ms ? at_ms : 1;
    uv_timer_start(&set->timer, on_timer, at_ms > now ? at_ms - now : 0, 0);
}

static void on_accept(void *arg, int fd, const struct sockaddr_storage *peer);

static bool listen_all(struct friends *set, const struct friends_options *options, struct error **error)
{
    static const struct listener_options limits = {.per_address = PER_ADDRESS, .total = CONNECTIONS};
    for (size_t i = 0; i < options->listen_count; i++) {
        struct friend_door *door = &set->doors[i];
        door->set = set;
        door->listener = listener_open(set->loop, (const struct sockaddr *)&options->listen[i], &limits,
                                       on_accept, door, error);
        if (!door->listener)
            return error_prefix(error, "listening for friends");
        set->door_count++;
    }
    return true;
}

static void on_accept(void *arg, int fd, const struct sockaddr_storage *peer)
{
    struct friend_door *door = arg;
    link_accept(door->set, door->listener, fd, peer);
}

static void listen_stop(struct friends *set)
{
    for (size_t i = 0; i < set->door_count; i++)
        listener_close(set->doors[i].listener);
    set->door_count = 0;
}

size_t friends_listening(const struct friends *friends, struct sockaddr_storage *out, size_t max)
{
    size_t count = friends->door_count < max ? friends->door_count : max;
    for (size_t i = 0; i < count; i++)
        out[i] = *listener_address(friends->doors[i].listener);
    return count;
}

/* What is announced: what the operator says, else the addresses that we listen on, unless they are "any". */
static void gather_own(struct friends *set, const struct friends_options *options)
{
    struct sockaddr_storage from[8];
    size_t listening = friends_listening(set, from, 8);
    unsigned port = listening ? address_port((const struct sockaddr *)&from[0]) : 0;
    size_t count = options->announce_count ? options->announce_count : listening;
    if (options->announce_count)
        memcpy(from, options->announce, sizeof from);
    for (size_t i = 0; i < count; i++) {
        if (address_port((const struct sockaddr *)&from[i]) == 0)
            address_set_port((struct sockaddr *)&from[i], port);
        if (address_dialable(&from[i]))
            set->own.addresses[set->own.address_count++] = ip_address_of(&from[i]);
    }
    set->own.identity = &set->identity;
    set->own.version = set->version;
    set->own.dns = set->dns;
    set->own.port = (uint16_t)port;
}

void friends_set_name(struct friends *friends, const char *location_name)
{
    snprintf(friends->location_name, sizeof friends->location_name, "%s", location_name);
}

static bool copy_identity(struct friends *set, const struct friends_identity *identity)
{
    set->memory = buffer_make(identity->key_block.size);
    if (!buffer_append_bytes(&set->memory, identity->key_block))
        return false;
    friends_set_name(set, identity->location_name);
    struct bytes memory = buffer_view(&set->memory);
    set->identity = (struct friends_identity){
        .key_block = bytes_of(memory.data, identity->key_block.size),
        .location_name = set->location_name,
    };
    memcpy(set->identity.fingerprint, identity->fingerprint, sizeof identity->fingerprint);
    memcpy(set->identity.location, identity->location, sizeof identity->location);
    set->self.key_block = set->identity.key_block;
    memcpy(set->self.pgp_id, identity->fingerprint + 12, sizeof set->self.pgp_id);
    return true;
}

static bool open_set(struct friends *set, const struct friends_identity *identity,
                     const struct friends_options *options, struct error **error)
{
    struct location location;
    if (!location_parse(&location, identity->certificate, error))
        return error_prefix(error, "the node's own certificate");
    if (memcmp(location.id, identity->location, sizeof location.id) != 0)
        return error_set(error, ERROR_INVALID,
                         "the node's certificate has another location id than its identity");
    set->version = strdup(options->version ? options->version : "");
    set->dns = options->dns ? strdup(options->dns) : NULL;
    if (!copy_identity(set, identity) || !set->version || (options->dns && !set->dns))
        return error_set(error, ERROR_INTERNAL, "friend links: out of memory");
    if (options->proxy && !address_parse(&set->proxy, options->proxy, 0, error))
        return error_prefix(error, "the proxy for hidden friends (numbers only)");
    set->has_proxy = options->proxy != NULL;
    set->tls = context_new(identity, error);
    if (!set->tls || !listen_all(set, options, error))
        return false;
    gather_own(set, options);
    return true;
}

struct friends *friends_open(uv_loop_t *loop, const struct friends_identity *identity,
                             const struct friends_options *options, struct keyring *keyring,
                             const struct friends_events *events, void *arg, struct error **error)
{
    struct friends *set = calloc(1, sizeof *set);
    if (!set) {
        error_set(error, ERROR_INTERNAL, "friend links: out of memory");
        return NULL;
    }
    set->magic = SET_MAGIC;
    set->loop = loop;
    set->keyring = keyring;
    set->events = *events;
    set->arg = arg;
    set->timing = stock_timing;
    set->queue_limit = options->queue_limit ? options->queue_limit : QUEUE_LIMIT;
    set->limits.min_ms = options->retry_min_ms ? options->retry_min_ms : RETRY_MIN_MS;
    set->limits.max_ms = options->retry_max_ms ? options->retry_max_ms : RETRY_MAX_MS;
    set->scratch = buffer_make(2 * ITEM_SIZE_MAX);
    if (!open_set(set, identity, options, error)) {
        listen_stop(set);
        set_free(set);
        return NULL;
    }
    uv_timer_init(loop, &set->timer);
    set->timer.data = set;
    return set;
}

void friends_set_timing(struct friends *friends, const struct friends_timing *timing)
{
    friends->timing = *timing;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct friends *set = handle->data;
    set->timer_closed = true;
    set_finish(set);
}

void friends_close(struct friends *friends, void (*closed)(void *arg), void *arg)
{
    assert(friends->magic == SET_MAGIC && !friends->closing);
    friends->closing = true;
    friends->closed = closed;
    friends->closed_arg = arg;
    dialler_close(friends);
    listen_stop(friends);
    struct link *link;
    DL_FOREACH(friends->links, link)
    {
        link_end(link, "this node is closing", true);
    }
    uv_close((uv_handle_t *)&friends->timer, on_timer_closed);
}

static bool check_record(const struct friends *set, const struct friend_record *record, struct error **error)
{
    if (memcmp(record->location, set->identity.location, sizeof record->location) == 0)
        return error_set(error, ERROR_INVALID, "this is the gateway's own location");
    if (record->address_count > ADDRESSES_MAX || record->key_block.size > KEY_BLOCK_MAX ||
        !memchr(record->name, 0, sizeof record->name) || !memchr(record->dns, 0, sizeof record->dns) ||
        !memchr(record->hidden, 0, sizeof record->hidden))
        return error_set(error, ERROR_INVALID, "the friend's record is out of bounds");
    return true;
}

static bool set_record(struct member *member, const struct friend_record *record, struct error **error)
{
    struct buffer key = buffer_make(record->key_block.size);
    if (record->key_block.size > 0 && !buffer_append_bytes(&key, record->key_block))
        return error_set(error, ERROR_INTERNAL, "a friend's record: out of memory");
    buffer_free(&member->key);
    member->key = key;
    member->record = *record;
    member->record.key_block = buffer_view(&member->key);
    return true;
}

static void dial_now(struct member *member)
{
    dial_soon(&member->dial, clock_monotonic_ms());
    set_wake(member->set, member->dial.next_ms);
}

bool friends_add(struct friends *friends, const struct friend_record *record, struct error **error)
{
    if (!check_record(friends, record, error))
        return false;
    if (set_find(friends, record->location))
        return error_set(error, ERROR_EXISTS, "this location is a friend already");
    struct member *member = calloc(1, sizeof *member);
    if (!member)
        return error_set(error, ERROR_INTERNAL, "a friend's record: out of memory");
    member->set = friends;
    if (!set_record(member, record, error)) {
        free(member);
        return false;
    }
    HASH_ADD(hh, friends->members, record.location, sizeof member->record.location, member);
    if (!member->hh.tbl) {
        member_free(member);
        return error_set(error, ERROR_INTERNAL, "a friend's record: out of memory");
    }
    attempts_forget(&friends->attempts, record->location);
    dial_now(member);
    return true;
}

static void end_links(struct member *member, const char *reason)
{
    struct link *link;
    DL_FOREACH(member->set->links, link)
    {
        if (link->member == member)
            link_end(link, reason, false);
    }
}

/* Whether a link that was admitted by `a` stands by `b` too. */
static bool same_trust(const struct friend_record *a, const struct friend_record *b)
{
    return memcmp(a->fingerprint, b->fingerprint, sizeof a->fingerprint) == 0 && a->verified == b->verified &&
           memcmp(a->pinned, b->pinned, sizeof a->pinned) == 0 && bytes_equal(a->key_block, b->key_block) &&
           strcmp(a->hidden, b->hidden) == 0;
}

bool friends_update(struct friends *friends, const struct friend_record *record, struct error **error)
{
    struct member *member = set_find(friends, record->location);
    if (!member)
        return error_set(error, ERROR_NOT_FOUND, "this location is no friend");
    if (!check_record(friends, record, error))
        return false;
    bool same = same_trust(&member->record, record);
    if (!set_record(member, record, error))
        return false;
    dialler_stop(member);
    if (!same) {
        memset(member->refused, 0, sizeof member->refused);
        end_links(member, "the friend's record was changed");
    }
    if (!member->gone && !member->current && !member->trying)
        dial_now(member);
    return true;
}

void friends_remove(struct friends *friends, const uint8_t location[16])
{
    struct member *member = set_find(friends, location);
    if (!member)
        return;
    if (friends->next_member == member)
        friends->next_member = member->hh.next;
    HASH_DEL(friends->members, member);
    member->gone = true;
    end_links(member, "the friend was removed");
    /* A caller further down the stack may still hold it. */
    member->next = friends->removed;
    friends->removed = member;
    set_wake(friends, clock_monotonic_ms());
}

bool friends_status(const struct friends *friends, const uint8_t location[16], struct friend_status *out)
{
    const struct member *member = set_find(friends, location);
    if (!member)
        return false;
    *out = member->status;
    out->neighbour = member->neighbour;
    const struct link *link = member->current ? member->current : member->trying;
    if (link) {
        out->address = link->peer;
        out->incoming = link->incoming;
        out->bytes_in = stream_bytes_in(link->stream);
        out->bytes_out = stream_bytes_out(link->stream);
        out->queued = stream_queued(link->stream) + (link->queue ? queue_size(link->queue) : 0);
        out->turtle = link->services.turtle;
        out->rtt_us = link->services.rtt_us;
    }
    out->next_try_ms = member->dial.next_ms;
    out->failures = member->dial.failures;
    return true;
}

size_t friends_count(const struct friends *friends, size_t *up)
{
    size_t ready = 0;
    for (const struct member *member = friends->members; member; member = member->hh.next)
        ready += member->status.state == FRIEND_UP;
    if (up)
        *up = ready;
    return HASH_COUNT(friends->members);
}

size_t friends_attempts(const struct friends *friends, struct friend_attempt *out, size_t max)
{
    int64_t now = clock_wall_ms();
    size_t count = 0;
    for (size_t i = 0; i < friends->attempts.count && count < max; i++)
        if (now - friends->attempts.list[i].last_ms <= ATTEMPTS_AGE_MS)
            out[count++] = friends->attempts.list[i];
    return count;
}

void friends_connect_now(struct friends *friends, const uint8_t location[16])
{
    struct member *member = set_find(friends, location);
    if (member && !member->current && !member->trying)
        dial_now(member);
}

bool friends_send(struct friends *friends, uint32_t neighbour, unsigned priority, struct bytes item)
{
    struct member *member;
    HASH_FIND(hh_neighbour, friends->neighbours, &neighbour, sizeof neighbour, member);
    return member && member->current && link_put(member->current, priority, item);
}

bool friends_own_text(const struct friends *friends, struct buffer *out, bool short_invite)
{
    return own_text(out, &friends->own, short_invite);
}
