/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_DISTANT_SEALED_GATEWAY_H
#define RETROGATE_TESTS_DISTANT_SEALED_GATEWAY_H

#include "support/vectors.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "distant/chat.h"

/* One gateway of the model: a chat, its owner as the core is one, and a store. A commit takes effect at one
 * step and is answered at a later one, or fails; a kill loses the chat, the owner, and what did not take
 * effect. */

enum { LINES = 600, ROOM = 1 << 20, BATCH = 1100, WAITING = 60 };

enum fate { UNSAID, QUEUED, SENT, DELIVERED, NOT_CONFIRMED, FAILED };

struct stored {
    struct chat_options options;
    enum fate fate[LINES + 1];   /* own lines, from 1 */
    uint64_t number[LINES + 1];  /* own: 0 when classic, or not sent */
    bool got[LINES + 1];         /* lines of the other side */
    uint64_t latest;             /* the latest of them that came with a number */
    bool was_classic[LINES + 1]; /* own: the classic wire was tried, which orders nothing */
    uint64_t *salts;
    size_t salt_count;
};

enum commit_kind {
    COMMIT_SAY,
    COMMIT_FLUSH,
    COMMIT_FATES,
    COMMIT_VOID,
    COMMIT_INBOX,
    COMMIT_CLASSIC,
    COMMIT_SALT_NEXT,
    COMMIT_ROOT,
    COMMIT_SETTLED,
    COMMIT_CONFIRMED,
    COMMIT_CLOSED,
    COMMIT_FATE_QUEUED
};

struct item {
    uint64_t line, number; /* line 0: a void */
    uint64_t missing;
    enum fate fate;
};

struct commit {
    enum commit_kind kind;
    bool applied, failed;
    uint64_t salt_next;
    uint8_t secret[64];
    size_t secret_size;
    bool settles;
    uint64_t salts[CHAT_PARTS_LIMIT];
    size_t salt_count;
    size_t count;
    struct item *items;
    struct commit *prev, *next;
};

struct world;

struct gateway {
    struct world *world;
    size_t index; /* 0: guest, 1: inviter */
    struct stored stored;
    uint64_t said; /* lines that a person tried to say, in all lives */
    uint64_t typed, typing_shown;
    bool ever_said[LINES + 1], ever_got[LINES + 1]; /* own; of the other side: also in a life that was lost */
    bool restored;                                  /* from an older copy of its store */
    int64_t skew;                                   /* of its clock, s */

    /* Lost by a kill: */
    struct chat *chat; /* NULL: not running */
    struct commit *commits;
    uint64_t queue[LINES];
    size_t queued, coming, loaded; /* so many were queued before the start */
    bool flushing, storing;
    bool stalled; /* the chat kept a line, such as while its salts are stored: later */
    struct item *inbox, *fates;
    size_t inbox_count, fate_count;
    struct item voids[LINES];
    size_t void_count;
    bool looks, wanted;
    bool sealed; /* the root is stored, and the chat knows it */
    bool parted;
};

/* What a chat asks of the network; the relay implements it. */
void world_send(struct gateway *gateway, uint64_t tunnel, struct bytes payload);
void world_wish(struct gateway *gateway, const struct chat_output *out);
uint64_t world_now(const struct gateway *gateway);
int64_t world_wall(const struct gateway *gateway);
struct gateway *world_other(const struct gateway *gateway);
const struct chat_tools *world_tools(struct gateway *gateway);
/* Properties of one output, and of a received line when it takes effect. */
void world_check(struct gateway *gateway, const struct chat_output *out);
void world_check_stored(struct gateway *gateway, const struct item *item);

/* Line texts carry their side and number. On the classic wire long ones come in several parts, which a relay
 * can withhold, so there they are short. */
static inline struct buffer line_text(size_t side, uint64_t line, bool may_be_long)
{
    struct buffer text = buffer_make(ROOM);
    buffer_printf(&text, "%zu:%llu:", side, (unsigned long long)line);
    size_t size = !may_be_long ? line % 40 : line % 47 == 0 ? 60000 : line % 11 == 0 ? 3000 : line % 90;
    for (size_t i = 0; i < size; i++)
        buffer_u8(&text, (uint8_t)('a' + (line + i) % 26));
    buffer_u8(&text, '.');
    return text;
}
bool world_long_lines(const struct gateway *gateway);

static inline struct buffer gateway_text(const struct gateway *gateway, uint64_t line)
{
    return line_text(gateway->index, line, world_long_lines(gateway));
}

/* --- the store */

static inline struct commit *commit_new(struct gateway *gateway, enum commit_kind kind)
{
    struct commit *commit = calloc(1, sizeof *commit);
    assert_non_null(commit);
    commit->kind = kind;
    DL_APPEND(gateway->commits, commit);
    return commit;
}

static inline void commit_add(struct commit *commit, struct item item)
{
    commit->items = realloc(commit->items, (commit->count + 1) * sizeof *commit->items);
    assert_non_null(commit->items);
    commit->items[commit->count++] = item;
}

static inline void commit_free(struct gateway *gateway, struct commit *commit)
{
    DL_DELETE(gateway->commits, commit);
    free(commit->items);
    free(commit);
}

static inline void keep_salts(struct stored *stored, const struct commit *commit)
{
    if (commit->salt_count == 0)
        return;
    stored->salts = realloc(stored->salts, (stored->salt_count + commit->salt_count) * sizeof *stored->salts);
    assert_non_null(stored->salts);
    memcpy(&stored->salts[stored->salt_count], commit->salts, commit->salt_count * sizeof *commit->salts);
    stored->salt_count += commit->salt_count;
}

static inline void settle(struct stored *stored)
{
    stored->options.settled = true;
    memset(stored->options.hash, 0, sizeof stored->options.hash);
    memset(stored->options.key, 0, sizeof stored->options.key);
    memset(stored->options.context, 0, sizeof stored->options.context);
    memset(stored->options.claim, 0, sizeof stored->options.claim);
}

static inline void store_root(struct stored *stored, const struct commit *commit)
{
    assert_true(commit->secret_size == 32 || commit->secret_size == 64);
    memcpy(stored->options.root, commit->secret, 32);
    if (commit->secret_size == 64)
        memcpy(stored->options.claim, commit->secret + 32, 32);
    stored->options.sealed = true;
    stored->options.sealing = CHAT_SEALING_MUST;
    stored->options.ever_confirmed = true;
    if (commit->settles)
        settle(stored);
}

static inline void raise_to(uint64_t *value, uint64_t to)
{
    *value = *value < to ? to : *value;
}

static inline void apply_item(struct gateway *gateway, enum commit_kind kind, const struct item *item)
{
    struct stored *stored = &gateway->stored;
    switch (kind) {
    case COMMIT_SAY:
    case COMMIT_FLUSH:
        raise_to(&stored->options.number_assigned, item->number);
        stored->number[item->line] = item->number;
        stored->fate[item->line] = item->fate;
        stored->was_classic[item->line] |= item->fate == SENT && item->number == 0;
        gateway->ever_said[item->line] = true;
        break;
    case COMMIT_FATES:
    case COMMIT_FATE_QUEUED:
        stored->fate[item->line] = item->fate;
        break;
    case COMMIT_VOID:
        raise_to(&stored->options.number_assigned, item->number);
        break;
    case COMMIT_INBOX:
        world_check_stored(gateway, item);
        stored->options.number_stored = item->number;
        raise_to(&stored->latest, item->line);
        stored->got[item->line] = gateway->ever_got[item->line] = item->line != 0;
        break;
    default:
        world_check_stored(gateway, item);
        stored->got[item->line] = gateway->ever_got[item->line] = true;
        break;
    }
}

static inline void store_apply(struct gateway *gateway, struct commit *commit, bool fails)
{
    commit->applied = true;
    commit->failed = fails;
    if (fails)
        return;
    for (size_t i = 0; i < commit->count; i++)
        apply_item(gateway, commit->kind, &commit->items[i]);
    keep_salts(&gateway->stored, commit);
    if (commit->kind == COMMIT_SALT_NEXT)
        gateway->stored.options.salt_next = commit->salt_next;
    else if (commit->kind == COMMIT_ROOT)
        store_root(&gateway->stored, commit);
    else if (commit->kind == COMMIT_SETTLED)
        settle(&gateway->stored);
    else if (commit->kind == COMMIT_CONFIRMED)
        gateway->stored.options.ever_confirmed = true;
}

/* --- the owner */

static inline void gateway_take(struct gateway *gateway);

static inline bool gateway_talks(const struct gateway *gateway)
{
    return gateway->chat != NULL && chat_state(gateway->chat, NULL) == CHAT_CAN_TALK;
}

static inline bool gateway_is_sealed(const struct gateway *gateway)
{
    return chat_protection(gateway->chat) == CHAT_SEALED;
}

static inline void queue_insert(struct gateway *gateway, uint64_t line)
{
    size_t at = gateway->queued++;
    for (; at > 0 && gateway->queue[at - 1] > line; at--)
        gateway->queue[at] = gateway->queue[at - 1];
    gateway->queue[at] = line;
}

static inline void queue_drop_first(struct gateway *gateway)
{
    gateway->loaded -= gateway->loaded > 0;
    memmove(&gateway->queue[0], &gateway->queue[1], --gateway->queued * sizeof gateway->queue[0]);
}

/* Hands over a line that is committed as sent. False: the chat would keep it, so it is queued again. */
static inline bool hand_classic(struct gateway *gateway, uint64_t line)
{
    if (!gateway_talks(gateway) || gateway_is_sealed(gateway))
        return false;
    struct buffer text = gateway_text(gateway, line);
    bool taken =
        chat_say(gateway->chat, line, 0, buffer_view(&text), world_now(gateway), world_wall(gateway), NULL);
    buffer_free(&text);
    assert_true(taken);
    return !chat_withdraw(gateway->chat, line);
}

static inline void queue_again(struct gateway *gateway, uint64_t line)
{
    commit_add(commit_new(gateway, COMMIT_FATE_QUEUED), (struct item){.line = line, .fate = QUEUED});
}

static inline void say_numbered(struct gateway *gateway, const struct item *item)
{
    struct buffer text = gateway_text(gateway, item->line);
    assert_true(chat_say(gateway->chat, item->line, item->number, buffer_view(&text), world_now(gateway),
                         world_wall(gateway), NULL));
    buffer_free(&text);
}

static inline void try_voids(struct gateway *gateway)
{
    for (size_t i = 0; i < gateway->void_count; i++)
        commit_add(commit_new(gateway, COMMIT_VOID), gateway->voids[i]);
    gateway->void_count = 0;
}

static inline void void_later(struct gateway *gateway, uint64_t number)
{
    assert_true(gateway->void_count < LINES);
    gateway->voids[gateway->void_count++] = (struct item){.number = number};
}

static inline void gateway_flush(struct gateway *gateway)
{
    if (gateway->queued == 0 || gateway->flushing || gateway->stalled || !gateway_talks(gateway))
        return;
    bool sealed = gateway_is_sealed(gateway);
    struct commit *commit = commit_new(gateway, COMMIT_FLUSH);
    for (size_t i = 0; i < gateway->queued; i++) {
        struct item item = {.line = gateway->queue[i], .fate = SENT};
        struct buffer text = gateway_text(gateway, item.line);
        size_t size = buffer_size(&text);
        buffer_free(&text);
        if (sealed && (item.number = chat_number(gateway->chat, size)) == 0)
            break;
        commit_add(commit, item);
    }
    if (commit->count == 0)
        commit_free(gateway, commit);
    else
        gateway->flushing = true;
}

static inline void answer_flush(struct gateway *gateway, const struct commit *commit)
{
    gateway->flushing = false;
    bool stay = false;
    for (size_t i = 0; i < commit->count; i++) {
        const struct item *item = &commit->items[i];
        if (commit->failed) {
            if (item->number != 0)
                void_later(gateway, item->number);
        } else if (item->number != 0) {
            assert_int_equal(gateway->queue[0], item->line);
            queue_drop_first(gateway);
            say_numbered(gateway, item);
        } else if (stay || !hand_classic(gateway, item->line)) {
            stay = gateway->stalled = true;
            queue_again(gateway, item->line);
        } else {
            queue_drop_first(gateway);
        }
    }
}

static inline void answer_say(struct gateway *gateway, const struct commit *commit)
{
    const struct item *item = &commit->items[0];
    if (item->fate == QUEUED)
        gateway->coming--;
    if (commit->failed) {
        if (item->number != 0)
            void_later(gateway, item->number);
    } else if (item->number != 0) {
        say_numbered(gateway, item);
    } else if (item->fate == QUEUED) {
        queue_insert(gateway, item->line);
    } else if (gateway->queued > 0 || !hand_classic(gateway, item->line)) {
        queue_again(gateway, item->line);
        queue_insert(gateway, item->line);
    }
}

static inline void store_inbox(struct gateway *gateway)
{
    if (gateway->storing || gateway->inbox_count == 0)
        return;
    struct commit *commit = commit_new(gateway, COMMIT_INBOX);
    commit->items = gateway->inbox;
    commit->count = gateway->inbox_count;
    gateway->inbox = NULL;
    gateway->inbox_count = 0;
    gateway->storing = true;
}

static inline void answer_line(struct gateway *gateway, uint64_t number, bool stored)
{
    if (stored)
        chat_line_stored(gateway->chat, number, world_now(gateway), world_wall(gateway));
    else
        chat_line_failed(gateway->chat, number, world_now(gateway), world_wall(gateway));
}

static inline void answer_inbox(struct gateway *gateway, const struct commit *commit)
{
    gateway->storing = false;
    for (size_t i = 0; i < commit->count; i++)
        answer_line(gateway, commit->items[i].number, !commit->failed);
    for (size_t i = 0; commit->failed && i < gateway->inbox_count; i++)
        answer_line(gateway, gateway->inbox[i].number, false);
    if (commit->failed)
        gateway->inbox_count = 0;
    store_inbox(gateway);
}

static inline void learn(struct gateway *gateway, struct item item)
{
    gateway->fates = realloc(gateway->fates, (gateway->fate_count + 1) * sizeof item);
    assert_non_null(gateway->fates);
    gateway->fates[gateway->fate_count++] = item;
}

static inline void store_fates(struct gateway *gateway)
{
    if (gateway->fate_count == 0)
        return;
    struct commit *commit = commit_new(gateway, COMMIT_FATES);
    commit->items = gateway->fates;
    commit->count = gateway->fate_count;
    gateway->fates = NULL;
    gateway->fate_count = 0;
}

static inline void gateway_answer(struct gateway *gateway, struct commit *commit)
{
    uint64_t now = world_now(gateway);
    int64_t wall = world_wall(gateway);
    switch (commit->kind) {
    case COMMIT_SAY:
        answer_say(gateway, commit);
        break;
    case COMMIT_FLUSH:
        answer_flush(gateway, commit);
        break;
    case COMMIT_FATES:
        for (size_t i = 0; commit->failed && i < commit->count; i++)
            learn(gateway, commit->items[i]);
        break;
    case COMMIT_VOID:
        if (commit->failed)
            void_later(gateway, commit->items[0].number);
        else
            chat_void(gateway->chat, commit->items[0].number, now, wall);
        break;
    case COMMIT_INBOX:
        answer_inbox(gateway, commit);
        break;
    case COMMIT_SALT_NEXT:
        gateway->stalled &= commit->failed;
        if (!commit->failed)
            chat_salts_stored(gateway->chat, commit->salt_next, now, wall);
        break;
    case COMMIT_ROOT:
        if (commit->failed)
            break;
        gateway->sealed = true;
        chat_root_stored(gateway->chat, now, wall);
        break;
    case COMMIT_CLOSED:
        chat_closing_stored(gateway->chat, now, wall);
        break;
    case COMMIT_SETTLED: /* the owner's affair */
        if (commit->failed)
            commit_new(gateway, COMMIT_SETTLED);
        break;
    default:
        break;
    }
    commit_free(gateway, commit);
    gateway_take(gateway);
}

/* The oldest commit that did not take effect does; the oldest that did is answered. */
static inline bool gateway_apply(struct gateway *gateway, bool fails)
{
    struct commit *commit;
    DL_FOREACH(gateway->commits, commit)
    {
        if (!commit->applied) {
            store_apply(gateway, commit, fails);
            return true;
        }
    }
    return false;
}

static inline bool gateway_answer_next(struct gateway *gateway)
{
    if (gateway->commits == NULL || !gateway->commits->applied)
        return false;
    gateway_answer(gateway, gateway->commits);
    return true;
}

static inline uint64_t line_of(struct bytes text)
{
    unsigned long long side, line = 0;
    char head[40] = {0};
    memcpy(head, text.data, text.size < sizeof head - 1 ? text.size : sizeof head - 1);
    assert_int_equal(sscanf(head, "%llu:%llu:", &side, &line), 2);
    assert_in_range(line, 1, LINES);
    return line;
}

static inline void take_line(struct gateway *gateway, const struct chat_output *out)
{
    struct item item = {
        .number = out->number, .line = out->text.size > 0 ? line_of(out->text) : 0, .missing = out->missing};
    if (out->number != 0) {
        gateway->inbox = realloc(gateway->inbox, (gateway->inbox_count + 1) * sizeof item);
        assert_non_null(gateway->inbox);
        gateway->inbox[gateway->inbox_count++] = item;
        return;
    }
    struct commit *commit = commit_new(gateway, COMMIT_CLASSIC);
    commit_add(commit, item);
    assert_in_range(out->salt_count, 1, CHAT_PARTS_LIMIT);
    commit->salt_count = out->salt_count;
    memcpy(commit->salts, out->salts, out->salt_count * sizeof *out->salts);
}

/* What was queued before the start may have been sent in a life that was lost. */
static inline void doubt_queue(struct gateway *gateway)
{
    while (gateway->loaded > 0) {
        learn(gateway, (struct item){.line = gateway->queue[0], .fate = NOT_CONFIRMED});
        queue_drop_first(gateway);
    }
}

static inline void take_output(struct gateway *gateway, const struct chat_output *out)
{
    static const enum fate fates[] = {
        [CHAT_QUEUED] = QUEUED,       [CHAT_SENT] = SENT,     [CHAT_NOT_CONFIRMED] = NOT_CONFIRMED,
        [CHAT_DELIVERED] = DELIVERED, [CHAT_FAILED] = FAILED,
    };
    struct commit *commit;
    world_check(gateway, out);
    switch (out->kind) {
    case CHAT_SEND:
        world_send(gateway, out->tunnel, out->payload);
        break;
    case CHAT_LINE:
        take_line(gateway, out);
        break;
    case CHAT_DELIVERY:
        if (out->delivery != CHAT_QUEUED && out->delivery != CHAT_SENT)
            learn(gateway, (struct item){.line = out->line, .fate = fates[out->delivery]});
        break;
    case CHAT_SERVE:
    case CHAT_UNSERVE:
    case CHAT_WANT:
    case CHAT_STOP:
    case CHAT_CLOSE_TUNNEL:
        world_wish(gateway, out);
        break;
    case CHAT_ROOT:
        commit = commit_new(gateway, COMMIT_ROOT);
        assert_true(out->secret.size <= sizeof commit->secret);
        memcpy(commit->secret, out->secret.data, out->secret.size);
        commit->secret_size = out->secret.size;
        commit->settles = out->settled;
        break;
    case CHAT_SETTLED:
        commit_new(gateway, COMMIT_SETTLED);
        break;
    case CHAT_BEHIND:
        doubt_queue(gateway);
        break;
    case CHAT_PARTED:
        gateway->parted = true;
        break;
    case CHAT_STATE_CHANGED:
        if (out->state == CHAT_CLOSED_BY_PEER)
            commit_new(gateway, COMMIT_CLOSED);
        break;
    case CHAT_CONFIRMED:
        if (out->first)
            commit_new(gateway, COMMIT_CONFIRMED);
        break;
    case CHAT_SALTS:
        commit_new(gateway, COMMIT_SALT_NEXT)->salt_next = out->salt_next;
        break;
    default:
        break;
    }
}

/* What the core's `interest` does. */
static inline void gateway_interest(struct gateway *gateway)
{
    bool want = gateway->looks || gateway->queued > 0 || chat_queued(gateway->chat) > 0;
    if (want == gateway->wanted)
        return;
    gateway->wanted = want;
    if (want)
        chat_open(gateway->chat, world_now(gateway), world_wall(gateway));
    else
        chat_sleep(gateway->chat, world_now(gateway));
}

static inline void take_all(struct gateway *gateway)
{
    struct chat_output out;
    size_t count = 0;
    while (chat_next(gateway->chat, &out)) {
        assert_true(++count < 10000);
        take_output(gateway, &out);
    }
    assert_true(chat_tunnels(gateway->chat) <= CHAT_TUNNELS_LIMIT);
}

/* After each call on the chat. */
static inline void gateway_take(struct gateway *gateway)
{
    take_all(gateway);
    gateway_flush(gateway);
    gateway_interest(gateway);
    take_all(gateway);
    store_inbox(gateway);
    store_fates(gateway);
    try_voids(gateway);
}

static inline void gateway_say(struct gateway *gateway)
{
    if (gateway->chat == NULL || gateway->said == LINES ||
        gateway->queued + gateway->coming + chat_queued(gateway->chat) > WAITING)
        return;
    struct item item = {.line = ++gateway->said, .fate = QUEUED};
    if (gateway->queued + gateway->coming == 0 && gateway_talks(gateway)) {
        struct buffer text = gateway_text(gateway, item.line);
        if (!gateway_is_sealed(gateway))
            item.fate = SENT;
        else if ((item.number = chat_number(gateway->chat, buffer_size(&text))) != 0)
            item.fate = SENT;
        buffer_free(&text);
    }
    gateway->coming += item.fate == QUEUED;
    commit_add(commit_new(gateway, COMMIT_SAY), item);
    gateway_take(gateway);
}

static inline void gateway_kill(struct gateway *gateway)
{
    chat_free(gateway->chat);
    gateway->chat = NULL;
    while (gateway->commits != NULL)
        commit_free(gateway, gateway->commits);
    free(gateway->inbox);
    free(gateway->fates);
    gateway->inbox = gateway->fates = NULL;
    gateway->inbox_count = gateway->fate_count = gateway->void_count = 0;
    gateway->queued = gateway->coming = gateway->loaded = 0;
    gateway->flushing = gateway->storing = gateway->stalled = gateway->wanted = false;
}

static inline void gateway_start(struct gateway *gateway)
{
    const struct stored *stored = &gateway->stored;
    struct chat_options options = stored->options;
    options.number_acked = 0; /* not above what is known to be delivered: a void there may not have arrived */
    for (uint64_t line = 1; line <= gateway->said; line++) {
        if (stored->number[line] != 0 && stored->fate[line] == SENT)
            break;
        if (stored->fate[line] == DELIVERED)
            options.number_acked = stored->number[line];
    }
    options.not_before = world_wall(gateway) - 60;
    gateway->sealed = stored->options.sealed;
    gateway->chat = chat_new(&options, world_tools(gateway), world_now(gateway), world_wall(gateway));
    assert_non_null(gateway->chat);
    for (size_t i = 0; i < stored->salt_count; i++)
        assert_true(chat_add_salt(gateway->chat, stored->salts[i]));
    for (uint64_t line = 1; line <= gateway->said; line++) {
        if (stored->fate[line] == QUEUED)
            queue_insert(gateway, line);
        if (stored->fate[line] != SENT || stored->number[line] == 0)
            continue;
        struct buffer text = gateway_text(gateway, line);
        assert_true(chat_resume(gateway->chat, line, stored->number[line], 0, buffer_view(&text)));
        buffer_free(&text);
    }
    gateway->loaded = gateway->queued;
    gateway_take(gateway);
}

/* A copy of the store, as a backup is. */
static inline void stored_copy(struct stored *to, const struct stored *from)
{
    size_t size = from->salt_count * sizeof *from->salts;
    free(to->salts);
    *to = *from;
    to->salts = malloc(size + 1);
    assert_non_null(to->salts);
    if (size > 0)
        memcpy(to->salts, from->salts, size);
}

#endif
