/* SPDX-License-Identifier: ISC */
#include "session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

/* Lines that a client asks for (IRCv3 chathistory). It names them by msgid or time; the gateway knows
 * numbers, so a time is first looked for among the lines, by halving. */
_Static_assert(HISTORY_LIMIT == 100, "isupport tells it");

enum verb { LATEST, BEFORE, AFTER, AROUND, BETWEEN, TARGETS, VERBS };

static const struct {
    const char *name;
    size_t params; /* with the verb and the limit */
} verbs[VERBS] = {[LATEST] = {"LATEST", 4}, [BEFORE] = {"BEFORE", 4},   [AFTER] = {"AFTER", 4},
                  [AROUND] = {"AROUND", 4}, [BETWEEN] = {"BETWEEN", 5}, [TARGETS] = {"TARGETS", 4}};

/* A place in a conversation, between lines or on one. */
struct place {
    enum { PLACE_ANY, PLACE_TIME, PLACE_HALF_KNOWN, PLACE_KNOWN } kind; /* half: `after` alone */
    int64_t time;
    int64_t after;  /* lines with higher numbers lie behind it, */
    int64_t before; /* those with lower ones in front of it */
};

struct query {
    enum verb verb;
    int limit;
    struct place places[2];
    /* Of the halving: from `high` on all lines are younger, and up to `low` the newest that is not is
     * `found`. */
    int64_t low, high, found;
    int64_t newest_line;
    int64_t first, last; /* what may be shown of the answer */
    bool newest;         /* when not all of it can be, then its end */
};

static void fail(struct client *client, const char *code, const struct query *query, const char *target,
                 const char *text)
{
    client_standard(client, "FAIL", "CHATHISTORY", code, WORDS(verbs[query->verb].name, target), text);
}

static void go_on(struct client *client, const char *target, struct query query);

/* --- the answer */

/* Lines that may be long must not fill the connection: `from` and `until` close in on what fits. */
static void fit(const struct client *client, const json_t *lines, bool newest, size_t *from, size_t *until)
{
    size_t room = client->site->output_limit / 8, used = 0, count = 0;
    for (; count < *until - *from; count++) {
        const json_t *line = json_array_get(lines, newest ? *until - 1 - count : *from + count);
        used += strlen(member_text(line, "text")) + MESSAGE_BODY_MAX;
        if (used > room && count > 0)
            break;
    }
    if (newest)
        *from = *until - count;
    else
        *until = *from + count;
}

static void open_batch(struct client *client, char reference[24], const char *type, const char *target)
{
    char opened[32];
    snprintf(reference, 24, "h%" PRIu64, ++client->batches);
    snprintf(opened, sizeof opened, "+%s", reference);
    if (client_has(client, CAP_BATCH))
        client_say(client, NULL, client->site->name, "BATCH", WORDS(opened, type, target), NULL);
}

static void close_batch(struct client *client, const char *reference)
{
    char closed[32];
    snprintf(closed, sizeof closed, "-%s", reference);
    if (client_has(client, CAP_BATCH))
        client_say(client, NULL, client->site->name, "BATCH", WORDS(closed), NULL);
}

static void show(struct client *client, const char *name, const struct target *target, const json_t *lines,
                 const struct query *query)
{
    size_t from = 0, until = json_array_size(lines);
    char reference[24];
    while (from < until && member_integer(json_array_get(lines, from), "seq") < query->first)
        from++;
    while (until > from && member_integer(json_array_get(lines, until - 1), "seq") > query->last)
        until--;
    fit(client, lines, query->newest, &from, &until);
    open_batch(client, reference, "chathistory", name);
    for (; from < until; from++)
        talk_show_old(client, target, json_array_get(lines, from), reference);
    close_batch(client, reference);
}

static void got_lines(struct client *client, const struct answer *answer)
{
    const struct query *query = answer->data;
    struct target target = target_of(client, answer->target);
    if (answer->result == NULL || target.kind != TARGET_PEER || !follow_has_room(client))
        fail(client, "MESSAGE_ERROR", query, answer->target, "Messages could not be retrieved");
    else
        show(client, answer->target, &target, json_object_get(answer->result, "lines"), query);
}

/* `bound` is "before", "after", or NULL for the newest lines. */
static void ask(struct client *client, const char *name, const struct query *query, answer_fn *answered,
                const char *bound, int64_t seq, int max)
{
    struct target target = target_of(client, name);
    if (target.kind != TARGET_PEER) {
        fail(client, "INVALID_TARGET", query, name, "No contact has this handle");
        return;
    }
    json_t *command = json_pack("{s:s, s:I, s:i}", "do", "history", "conversation",
                                (json_int_t)target.peer->conversation, "max", max);
    if (command != NULL && bound != NULL)
        json_object_set_new(command, bound, json_integer((json_int_t)seq));
    client_ask(client, command,
               &(struct question){.answered = answered,
                                  .target = name,
                                  .data = query,
                                  .data_size = sizeof *query,
                                  .takes_label = true});
}

/* --- a time becomes a place */

static struct place *unknown_place(struct query *query)
{
    for (size_t i = 0; i < 2; i++)
        if (query->places[i].kind == PLACE_TIME || query->places[i].kind == PLACE_HALF_KNOWN)
            return &query->places[i];
    return NULL;
}

/* Several lines may have one time: behind it are those behind the last of them, in front of it those in front
 * of the first. */
static int64_t sought_time(const struct place *place)
{
    return place->kind == PLACE_TIME ? place->time : place->time - 1;
}

static void got_half(struct client *client, const struct answer *answer)
{
    struct query query = *(const struct query *)answer->data;
    int64_t middle = query.low + (query.high - query.low) / 2;
    const json_t *line = json_array_get(json_object_get(answer->result, "lines"), 0);
    int64_t seq = member_integer(line, "seq"), time = member_integer(line, "time");
    if (answer->result == NULL) {
        fail(client, "MESSAGE_ERROR", &query, answer->target, "Messages could not be retrieved");
        return;
    }
    if (seq > query.low && time > sought_time(unknown_place(&query))) {
        query.high = seq;
    } else {
        query.found = seq > query.low ? seq : query.found;
        query.low = middle;
    }
    go_on(client, answer->target, query);
}

static void got_edge(struct client *client, const struct answer *answer)
{
    struct query query = *(const struct query *)answer->data;
    const json_t *line = json_array_get(json_object_get(answer->result, "lines"), 0);
    int64_t start = line != NULL ? member_integer(line, "seq") : query.places[0].before;
    if (answer->result == NULL)
        fail(client, "MESSAGE_ERROR", &query, answer->target, "Messages could not be retrieved");
    else
        ask(client, answer->target, &query, got_lines, "after", start - 1, query.limit);
}

/* Places are known. */
static void select_lines(struct client *client, const char *target, struct query *query)
{
    const struct place *from = &query->places[0], *to = &query->places[1];
    bool backwards = query->verb == BETWEEN && from->after > to->after;
    query->newest = query->verb == LATEST || query->verb == BEFORE || backwards;
    query->first = 0;
    query->last = INT64_MAX;
    if (query->verb == LATEST)
        query->first = from->after + 1;
    else if (backwards)
        query->first = to->after + 1;
    else if (query->verb == BETWEEN)
        query->last = to->before - 1;
    if (query->verb == AROUND)
        ask(client, target, query, got_edge, "before", from->before, (query->limit + 1) / 2);
    else if (query->verb == LATEST)
        ask(client, target, query, got_lines, NULL, 0, query->limit);
    else if (query->newest)
        ask(client, target, query, got_lines, "before", from->before, query->limit);
    else
        ask(client, target, query, got_lines, "after", from->after, query->limit);
}

static void go_on(struct client *client, const char *target, struct query query)
{
    struct place *place = unknown_place(&query);
    if (place != NULL && query.high - query.low > 1) {
        ask(client, target, &query, got_half, "before", query.low + (query.high - query.low) / 2 + 1, 1);
        return;
    }
    if (place == NULL) {
        select_lines(client, target, &query);
        return;
    }
    if (place->kind == PLACE_TIME) {
        place->kind = PLACE_HALF_KNOWN;
        place->after = query.found;
    } else {
        place->kind = PLACE_KNOWN;
        place->before = query.found + 1;
    }
    query.low = query.found = 0;
    query.high = query.newest_line + 1;
    go_on(client, target, query);
}

/* --- the conversations with lines in a time */

static int by_last_time(const void *a, const void *b)
{
    int64_t x = (*(struct peer *const *)a)->last_time, y = (*(struct peer *const *)b)->last_time;
    return x < y ? -1 : x > y;
}

static void list_targets(struct client *client, const struct query *query)
{
    int64_t a = query->places[0].time, b = query->places[1].time;
    size_t count = 0, all = 0;
    struct peer *peer;
    char reference[24];
    DL_COUNT(client->peers, peer, all);
    struct peer **found = calloc(all + 1, sizeof *found);
    if (found == NULL) {
        client_end(client, "Out of memory");
        return;
    }
    DL_FOREACH(client->peers, peer)
    {
        if (peer->last_time > (a < b ? a : b) && peer->last_time < (a < b ? b : a))
            found[count++] = peer;
    }
    qsort(found, count, sizeof *found, by_last_time);
    open_batch(client, reference, "draft/chathistory-targets", NULL);
    for (size_t i = 0; i < count && i < (size_t)query->limit; i++) {
        char channel[TARGET_SIZE], time[TEXT_TIME_SIZE];
        peer_channel(found[i], channel);
        text_time(time, found[i]->last_time);
        client_say(client, &(struct stamp){.batch = reference}, client->site->name, "CHATHISTORY",
                   WORDS("TARGETS", channel, time), NULL);
    }
    close_batch(client, reference);
    free(found);
}

static void got_last(struct client *client, const struct answer *answer)
{
    struct peer *peer = peer_by_conversation(client, answer->number);
    const json_t *line = json_array_get(json_object_get(answer->result, "lines"), 0);
    if (peer != NULL)
        history_line(peer, line);
    if (--client->history_asked == 0 && client->phase < PHASE_UP)
        registration_step(client);
}

void history_line(struct peer *peer, const json_t *line)
{
    int64_t time = member_integer(line, "time");
    peer->last_time = time > peer->last_time ? time : peer->last_time;
}

bool history_begin(struct client *client)
{
    struct peer *peer;
    if (!client_has(client, CAP_CHATHISTORY) || client->history_began)
        return client->history_asked == 0;
    client->history_began = true;
    client->history_asked = 1; /* an answer may come within the question */
    DL_FOREACH(client->peers, peer)
    {
        if (peer->conversation == 0)
            continue;
        client->history_asked++;
        client_ask(client,
                   json_pack("{s:s, s:I, s:i}", "do", "history", "conversation",
                             (json_int_t)peer->conversation, "max", 1),
                   &(struct question){.answered = got_last, .number = peer->conversation});
    }
    return --client->history_asked == 0;
}

/* --- CHATHISTORY */

static bool read_place(const struct client *client, struct place *place, const char *text)
{
    char *end;
    if (strncmp(text, "timestamp=", 10) == 0) {
        place->kind = PLACE_TIME;
        return text_time_parse(text + 10, &place->time);
    }
    if (strncmp(text, "msgid=", 6) != 0 || text[6] < '0' || text[6] > '9')
        return false;
    long long epoch = strtoll(text + 6, &end, 10);
    if (*end != '-' || end[1] < '1' || end[1] > '9')
        return false;
    long long seq = strtoll(end + 1, &end, 10);
    *place = (struct place){.kind = PLACE_KNOWN, .after = seq, .before = seq};
    return *end == '\0' && epoch == client->follow.epoch && seq < INT64_MAX;
}

static bool read_limit(int *limit, const char *text)
{
    size_t size = strspn(text, "0123456789");
    if (size == 0 || size > 9 || text[size] != '\0')
        return false;
    long number = strtol(text, NULL, 10);
    *limit = number < HISTORY_LIMIT ? (int)number : HISTORY_LIMIT;
    return number > 0;
}

static bool read_query(const struct client *client, struct query *query, const struct message *message)
{
    const char *const *params = message->params;
    bool pair = query->verb == BETWEEN || query->verb == TARGETS, any = query->verb == LATEST;
    size_t at = query->verb == TARGETS ? 1 : 2;
    if (any && strcmp(params[at], "*") == 0)
        query->places[0].kind = PLACE_ANY;
    else if (!read_place(client, &query->places[0], params[at]))
        return false;
    if (pair && !read_place(client, &query->places[1], params[at + 1]))
        return false;
    if (query->verb == TARGETS &&
        (query->places[0].kind != PLACE_TIME || query->places[1].kind != PLACE_TIME))
        return false;
    return read_limit(&query->limit, params[at + (pair ? 2 : 1)]);
}

void act_chathistory(struct client *client, const struct message *message)
{
    struct query query = {.verb = LATEST};
    const char *name = message->param_count > 0 ? message->params[0] : "";
    while (query.verb < VERBS && !name_equal(verbs[query.verb].name, name))
        query.verb++;
    if (query.verb == VERBS) {
        client_standard(client, "FAIL", "CHATHISTORY", "UNKNOWN_COMMAND", NULL, "Unknown command");
        return;
    }
    if (message->param_count < verbs[query.verb].params) {
        fail(client, "NEED_MORE_PARAMS", &query, NULL, "Missing parameters");
        return;
    }
    if (!read_query(client, &query, message)) {
        fail(client, "INVALID_PARAMS", &query, NULL,
             "Expected timestamp=YYYY-MM-DDThh:mm:ss.sssZ, or msgid= as it was told, and a number");
        return;
    }
    if (query.verb == TARGETS) {
        list_targets(client, &query);
        return;
    }
    struct target target = target_of(client, message->params[1]);
    if (target.kind != TARGET_PEER || target.peer->conversation == 0) {
        fail(client, "INVALID_TARGET", &query, NULL, "There is no conversation of this name");
        return;
    }
    query.newest_line = target.peer->last;
    query.high = query.newest_line + 1;
    go_on(client, message->params[1], query);
}
