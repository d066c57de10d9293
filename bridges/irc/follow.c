/* SPDX-License-Identifier: ISC */
#include "session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"

/* How a client gets its lines, each once, though nothing is queued here.
 *
 * A cursor stands for "all lines up to seq were shown, all changes up to change were read". News are read
 * with `changes`. An object changed twice appears once, under its last number; so among several pages a line
 * may come after younger ones or twice. Therefore only a single page shows lines by itself, sorted by seq.
 * When there are more pages they bring only what is not a line, and the lines come by replay: the present end
 * is asked for, each conversation's history is read up to it, and then the cursor's seq stands there.
 *
 * A connection that takes no more holds this back (FOLLOW_WAITS): the answer being shown is dropped at the
 * line reached and asked for again later. */
enum {
    PAGE = 500,
    NEXT_PAGE = 100, /* of a replay that the connection holds back: lines are read again for each */
};

static void pull(struct client *client);
static void replay(struct client *client);

bool follow_has_room(const struct client *client)
{
    return client->phase != PHASE_ENDING &&
           client->io->queued(client->io_arg) <= client->site->output_limit / 2;
}

/* --- the cursor
 * ---------------------------------------------------------------------------------------------- */

void follow_handed(struct client *client)
{
    struct follow *follow = &client->follow;
    if (client->bytes_out - client->io->queued(client->io_arg) >= follow->written)
        follow->handed = follow->at;
}

static bool cursor_equal(const struct cursor *a, const struct cursor *b)
{
    return a->change == b->change && a->seq == b->seq;
}

static void reach(struct client *client, struct cursor cursor)
{
    struct follow *follow = &client->follow;
    if (cursor_equal(&cursor, &follow->at))
        return;
    follow_handed(client);
    follow->at = cursor;
    follow->written = client->bytes_out;
    if (follow->seen_at == 0)
        follow->seen_at = client_now(client) + SEEN_MS;
}

static void kept(struct client *client, const struct answer *answer)
{
    (void)client;
    (void)answer;
}

void follow_keep(struct client *client)
{
    struct follow *follow = &client->follow;
    if (client->session == NULL || cursor_equal(&follow->handed, &follow->kept))
        return;
    follow->kept = follow->handed;
    client_ask(client,
               json_pack("{s:s, s:s, s:I, s:I, s:I}", "do", "client.seen", "name", client->device, "epoch",
                         (json_int_t)follow->epoch, "change", (json_int_t)follow->kept.change, "seq",
                         (json_int_t)follow->kept.seq),
               &(struct question){.answered = kept});
}

void follow_tick(struct client *client)
{
    struct follow *follow = &client->follow;
    if (follow->seen_at == 0 || follow->seen_at > client_now(client))
        return;
    follow_handed(client);
    follow_keep(client);
    follow->seen_at = cursor_equal(&follow->at, &follow->kept) ? 0 : client_now(client) + SEEN_MS;
}

uint64_t follow_next(const struct client *client)
{
    return client->follow.seen_at != 0 ? client->follow.seen_at : UINT64_MAX;
}

void follow_said(struct client *client, int64_t seq)
{
    /* Only the very next line: what lies between has still to be shown. */
    struct follow *follow = &client->follow;
    if (seq == follow->at.seq + 1 && !follow->paged && !follow->replaying)
        reach(client, (struct cursor){follow->at.change, seq});
}

/* --- reading on
 * ------------------------------------------------------------------------------------------------ */

static void proceed(struct client *client)
{
    struct follow *follow = &client->follow;
    if (client->phase == PHASE_ENDING)
        return;
    if (!follow_has_room(client)) {
        follow->state = FOLLOW_WAITS;
        return;
    }
    follow->state = FOLLOW_BUSY;
    if (follow->replaying)
        replay(client);
    else
        pull(client);
}

static void rest(struct client *client)
{
    struct follow *follow = &client->follow;
    follow->state = FOLLOW_IDLE;
    if (follow->more)
        proceed(client);
}

void follow_more(struct client *client)
{
    struct follow *follow = &client->follow;
    follow->more = true;
    if (follow->state == FOLLOW_IDLE)
        proceed(client);
}

void follow_drained(struct client *client)
{
    follow_handed(client);
    if (client->follow.state == FOLLOW_WAITS)
        proceed(client);
}

/* A restored backup began a new epoch (DESIGN §4): the old numbers mean nothing, and what it holds was shown
 * long ago. So the client goes on from the present end. */
static void adopt_epoch(struct client *client, const json_t *account)
{
    struct follow *follow = &client->follow;
    follow->epoch = member_integer(account, "epoch");
    follow->at = (struct cursor){member_integer(account, "change"), member_integer(account, "seq")};
    follow->handed = follow->at;
    follow->kept = (struct cursor){-1, -1};
    follow->written = client->bytes_out;
    follow->seen_at = client_now(client) + SEEN_MS;
    posts_restart(client, follow->at.seq);
    client_notice(client, client->in_control ? CONTROL_CHANNEL : client->nick,
                  "The gateway's data was restored from a backup; some lines may be missing here");
}

/* --- replay
 * ------------------------------------------------------------------------------------------------- */

/* The next conversation with lines that were missed, in the order of their numbers. */
static struct peer *next_to_replay(struct client *client)
{
    const struct follow *follow = &client->follow;
    struct peer *peer, *next = NULL;
    DL_FOREACH(client->peers, peer)
    {
        if (peer->conversation > follow->replay_conversation && peer->last > follow->at.seq &&
            (next == NULL || peer->conversation < next->conversation))
            next = peer;
    }
    return next;
}

static void tell_hidden(struct client *client, const struct peer *peer, size_t count, bool at_least)
{
    char target[TARGET_SIZE];
    talk_target(peer, target);
    client_notice(client, target[0] == '&' ? target : client->nick,
                  "%s%zu earlier lines with %s were missed and are not shown here",
                  at_least ? "More than " : "", count, peer->handle);
}

/* Shows lines[from..until) in a batch; false when the connection takes no more. */
static bool show_replay(struct client *client, struct peer *peer, const json_t *lines, size_t from,
                        size_t until)
{
    char reference[24], opened[32], target[TARGET_SIZE];
    bool batched = client_has(client, CAP_BATCH) && client_has(client, CAP_SERVER_TIME);
    snprintf(reference, sizeof reference, "r%" PRIu64, ++client->batches);
    snprintf(opened, sizeof opened, "+%s", reference);
    talk_target(peer, target);
    if (batched)
        client_say(client, NULL, client->site->name, "BATCH", WORDS(opened, "chathistory", target), NULL);
    for (; from < until && follow_has_room(client); from++) {
        const json_t *line = json_array_get(lines, from);
        talk_show(client, peer, line, reference);
        client->follow.replay_after = member_integer(line, "seq");
    }
    if (batched) {
        opened[0] = '-';
        client_say(client, NULL, client->site->name, "BATCH", WORDS(opened), NULL);
    }
    return from == until;
}

static void replayed(struct client *client, const struct answer *answer)
{
    struct follow *follow = &client->follow;
    struct peer *peer = peer_by_conversation(client, answer->number);
    /* The conversation may have gone in the meantime: its lines with it. */
    if (answer->result == NULL || peer == NULL) {
        follow->replay_after = 0;
        proceed(client);
        return;
    }
    const json_t *lines = json_object_get(answer->result, "lines");
    bool begins = follow->replay_after == 0;
    int64_t after = begins ? follow->at.seq : follow->replay_after;
    size_t count = json_array_size(lines), from = 0, until = count;
    while (from < count && member_integer(json_array_get(lines, from), "seq") <= after)
        from++;
    while (until > from && member_integer(json_array_get(lines, until - 1), "seq") > follow->replay_end)
        until--;
    size_t limit = client->site->replay_lines;
    bool more = json_is_true(json_object_get(answer->result, "more"));
    bool cut = begins && from == 0 && more; /* lines older than the page were missed too */
    if (begins && (cut || until - from > limit)) {
        size_t hidden = until - from > limit ? until - from - limit : 0;
        tell_hidden(client, peer, hidden, cut);
        from += hidden;
    }
    bool complete = from == until || show_replay(client, peer, lines, from, until);
    if (complete && (begins || !more || until < count))
        follow->replay_after = 0;
    else
        follow->replay_conversation = peer->conversation - 1; /* once more, behind replay_after */
    proceed(client);
}

static void replay(struct client *client)
{
    struct follow *follow = &client->follow;
    struct peer *peer = next_to_replay(client);
    if (peer == NULL) {
        follow->replaying = false;
        reach(client, (struct cursor){follow->at.change, follow->replay_end});
        proceed(client);
        return;
    }
    json_t *command =
        json_pack("{s:s, s:I, s:i}", "do", "history", "conversation", (json_int_t)peer->conversation, "max",
                  follow->replay_after != 0 ? NEXT_PAGE : PAGE);
    if (command != NULL && follow->replay_after != 0)
        json_object_set_new(command, "after", json_integer((json_int_t)follow->replay_after));
    follow->replay_conversation = peer->conversation;
    client_ask(client, command, &(struct question){.answered = replayed, .number = peer->conversation});
}

/* Replays up to the newest line that a conversation is known to have: only what is committed is shown there,
 * while the account's own number may already be given to a line on its way. */
void follow_begin(struct client *client)
{
    struct follow *follow = &client->follow;
    follow->paged = follow->passed = false;
    follow->replay_end = peer_last(client);
    follow->replay_conversation = follow->replay_after = 0;
    follow->replaying = follow->replay_end > follow->at.seq;
    proceed(client);
}

static void got_list(struct client *client, const struct answer *answer)
{
    size_t index;
    json_t *each;
    if (!answer_came(client, answer))
        return;
    json_array_foreach(json_object_get(answer->result, "conversations"), index, each)
        peer_add_conversation(client, each);
    follow_begin(client);
}

static void begin_replay(struct client *client)
{
    client_ask(client, json_pack("{s:s}", "do", "conversation.list"),
               &(struct question){.answered = got_list});
}

static void got_epoch(struct client *client, const struct answer *answer)
{
    if (!answer_came(client, answer))
        return;
    adopt_epoch(client, json_object_get(answer->result, "account"));
    proceed(client);
}

/* --- changes
 * ------------------------------------------------------------------------------------------------- */

static void take_other(struct client *client, const json_t *change)
{
    const json_t *object;
    if ((object = json_object_get(change, "contact")) != NULL)
        peer_add_contact(client, object);
    else if ((object = json_object_get(change, "conversation")) != NULL)
        peer_add_conversation(client, object);
    else if ((object = json_object_get(change, "gone")) != NULL)
        peer_gone(client, object);
    else if ((object = json_object_get(change, "post")) != NULL)
        posts_take(client, object);
}

static int by_seq(const void *a, const void *b)
{
    int64_t x = member_integer(*(const json_t *const *)a, "seq"),
            y = member_integer(*(const json_t *const *)b, "seq");
    return x < y ? -1 : x > y;
}

/* Lines of one page. `fresh` are new ones, which are shown here; the rest are changes of lines known. */
static bool show_lines(struct client *client, const json_t **fresh, size_t count)
{
    struct follow *follow = &client->follow;
    qsort(fresh, count, sizeof *fresh, by_seq);
    for (size_t i = 0; i < count; i++) {
        struct peer *peer = peer_by_conversation(client, member_integer(fresh[i], "conversation"));
        int64_t seq = member_integer(fresh[i], "seq");
        if (!follow_has_room(client))
            return false;
        if (peer != NULL && seq > follow->at.seq)
            talk_show(client, peer, fresh[i], NULL);
        reach(client, (struct cursor){follow->at.change, seq});
    }
    return true;
}

static void take_page(struct client *client, const json_t *result)
{
    struct follow *follow = &client->follow;
    const json_t *changes = json_object_get(result, "changes"), *line, *fresh[PAGE];
    size_t index, count = 0;
    json_t *change;
    bool last = !json_is_true(json_object_get(result, "more"));
    int64_t seq = follow->at.seq;
    follow->paged = follow->paged || !last;
    json_array_foreach(changes, index, change) take_other(client, change);
    posts_page_end(client);
    json_array_foreach(changes, index, change)
    {
        line = json_object_get(change, "line");
        struct peer *peer =
            line != NULL ? peer_by_conversation(client, member_integer(line, "conversation")) : NULL;
        if (peer == NULL)
            continue;
        int64_t number = member_integer(line, "seq");
        peer->last = number > peer->last ? number : peer->last;
        history_line(peer, line);
        if (number > seq && follow->paged)
            follow->passed = true;
        else if (number > seq && count < PAGE)
            fresh[count++] = line;
        else if (number <= seq)
            talk_show_delivery(client, peer, line);
    }
    if (!show_lines(client, fresh, count)) {
        follow->more = true; /* the same page again, from the line reached */
        proceed(client);
        return;
    }
    reach(client, (struct cursor){member_integer(result, "change"), follow->at.seq});
    if (last && follow->passed) {
        begin_replay(client);
        return;
    }
    follow->paged = !last;
    follow->more = follow->more || !last;
    rest(client);
}

static void pulled(struct client *client, const struct answer *answer)
{
    if (!answer_came(client, answer))
        return;
    if (member_integer(answer->result, "epoch") == client->follow.epoch)
        take_page(client, answer->result);
    else
        client_ask(client, json_pack("{s:s}", "do", "hello"), &(struct question){.answered = got_epoch});
}

static void pull(struct client *client)
{
    struct follow *follow = &client->follow;
    follow->more = false;
    client_ask(client,
               json_pack("{s:s, s:I, s:i}", "do", "changes", "after", (json_int_t)follow->at.change, "max",
                         (int)PAGE),
               &(struct question){.answered = pulled});
}
