/* SPDX-License-Identifier: ISC */
#include "core/changes.h"

#include <stdlib.h>
#include <string.h>

#include "core/commands.h"
#include "core/conversations.h"
#include "core/post_rows.h"
#include "core/write.h"
#include "wire/utf8.h"

enum { PULL_DEFAULT = 200 };

/* --- the ring */

static size_t text_size(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 1;
}

static const char *text_keep(uint8_t **at, const char *text)
{
    size_t size = text_size(text);
    char *kept = memcpy(*at, text != NULL ? text : "", size);
    *at += size;
    return kept;
}

struct kept_line *kept_line_new(const struct line_row *row)
{
    if (!utf8_valid(row->text)) /* the JSON form could not hold it */
        return NULL;
    const size_t size = row->text.size + text_size(row->direction) + text_size(row->delivery) +
                        text_size(row->reason) + text_size(row->label);
    struct kept_line *line = malloc(sizeof *line + size);
    if (line == NULL)
        return NULL;
    uint8_t *at = line->memory;
    line->row = *row;
    line->row.direction = text_keep(&at, row->direction);
    line->row.delivery = text_keep(&at, row->delivery);
    line->row.reason = text_keep(&at, row->reason);
    line->row.label = text_keep(&at, row->label);
    line->row.text = bytes_of(at, row->text.size);
    if (row->text.size > 0)
        memcpy(at, row->text.data, row->text.size);
    return line;
}

static bool is_taken(const struct ring_entry *entry)
{
    return entry->line != NULL || entry->value != NULL;
}

/* Lines are found by their seq: a receipt changes one that was said just now, and there may be tens of
 * thousands a second. */
static uint16_t *bucket_of(struct account *account, int64_t seq)
{
    return &account->ring_lines[(uint64_t)seq % RING_SIZE];
}

static void forget_entry(struct account *account, struct ring_entry *entry)
{
    if (entry->line != NULL) {
        uint16_t index = (uint16_t)(entry - account->ring + 1),
                 *link = bucket_of(account, entry->line->row.seq);
        while (*link != index)
            link = &account->ring[*link - 1].next;
        *link = entry->next;
    }
    free(entry->line);
    json_decref(entry->value);
    entry->line = NULL;
    entry->value = NULL;
}

static void put_entry(struct account *account, struct ring_entry entry)
{
    struct ring_entry *slot = &account->ring[account->ring_next];
    forget_entry(account, slot);
    if (slot->change > account->ring_floor)
        account->ring_floor = slot->change;
    if (entry.line != NULL) {
        uint16_t *bucket = bucket_of(account, entry.line->row.seq);
        entry.next = *bucket;
        *bucket = (uint16_t)(account->ring_next + 1);
    }
    *slot = entry;
    account->ring_next = (account->ring_next + 1) % RING_SIZE;
}

static struct ring_entry *find_line(struct account *account, int64_t seq)
{
    for (uint16_t at = *bucket_of(account, seq); at != 0; at = account->ring[at - 1].next) {
        if (account->ring[at - 1].line->row.seq == seq)
            return &account->ring[at - 1];
    }
    return NULL;
}

/* The member that an object is known by. */
static const char *key_of(const char *kind)
{
    return strcmp(kind, "post") == 0 ? "seq" : "id";
}

/* An object shows only under its last number. */
static void replace_older(struct account *account, const char *kind, const json_t *object)
{
    const char *key = key_of(kind);
    const json_t *id = json_object_get(object, key);
    for (size_t i = 0; i < RING_SIZE; i++) {
        struct ring_entry *entry = &account->ring[i];
        if (entry->line != NULL || entry->value == NULL)
            continue;
        const json_t *other = json_object_get(entry->value, kind);
        if (other != NULL && json_equal(json_object_get(other, key), id))
            forget_entry(account, entry);
    }
}

void ring_put(struct account *account, int64_t change, const char *kind, json_t *object)
{
    if (object == NULL) {
        ring_forget_before(account, change);
        return;
    }
    replace_older(account, kind, object);
    json_t *value = json_pack("{s:I,s:o}", "change", (json_int_t)change, kind, object);
    if (value != NULL)
        put_entry(account, (struct ring_entry){.change = change, .value = value});
    else
        ring_forget_before(account, change);
}

void ring_put_line(struct account *account, struct kept_line *line)
{
    struct ring_entry *older = find_line(account, line->row.seq);
    if (older != NULL)
        forget_entry(account, older);
    put_entry(account, (struct ring_entry){.change = line->row.change, .line = line});
}

const struct kept_line *ring_line(struct account *account, int64_t seq)
{
    const struct ring_entry *entry = find_line(account, seq);
    return entry != NULL ? entry->line : NULL;
}

const json_t *ring_post(const struct account *account, int64_t seq)
{
    for (size_t i = 0; i < RING_SIZE; i++) {
        const struct ring_entry *entry = &account->ring[i];
        const json_t *post =
            entry->line == NULL && entry->value != NULL ? json_object_get(entry->value, "post") : NULL;
        if (post != NULL && json_integer_value(json_object_get(post, "seq")) == seq)
            return post;
    }
    return NULL;
}

void ring_forget_before(struct account *account, int64_t change)
{
    if (change > account->ring_floor)
        account->ring_floor = change;
}

void ring_clear(struct account *account)
{
    for (size_t i = 0; i < RING_SIZE; i++)
        forget_entry(account, &account->ring[i]);
}

/* Most lines leave the ring without anybody having asked for their JSON, so it is made when somebody does. */
static json_t *value_of(const struct account *account, struct ring_entry *entry)
{
    if (entry->value == NULL) {
        json_t *line = json_of_line(account, &entry->line->row);
        if (line != NULL)
            entry->value = json_pack("{s:I,s:o}", "change", (json_int_t)entry->change, "line", line);
    }
    return entry->value;
}

/* --- pulling */

struct pulled {
    int64_t change;
    json_t *value; /* {"change": n, "line": {...}} */
};

static int by_change(const void *a, const void *b)
{
    const struct pulled *first = a, *second = b;
    return first->change < second->change ? -1 : first->change > second->change;
}

struct pull {
    struct call *call;
    struct account *account;
    int64_t after, upto;
    unsigned max;
    json_t *lines; /* history */
    struct pulled *entries;
    size_t count, room;
    size_t posts;      /* read, and */
    int64_t last_post; /* the change of the last of them */
    bool full, reversed, failed;
};

static void pull_free(struct pull *pull)
{
    for (size_t i = 0; i < pull->count; i++)
        json_decref(pull->entries[i].value);
    free(pull->entries);
    json_decref(pull->lines);
    free(pull);
}

static void pull_add(struct pull *pull, int64_t change, const char *kind, json_t *object)
{
    pull->failed |= object == NULL;
    if (change <= pull->after || change > pull->upto || object == NULL) {
        json_decref(object);
        return;
    }
    if (pull->count == pull->room) {
        size_t room = pull->room > 0 ? pull->room * 2 : 64;
        struct pulled *entries = realloc(pull->entries, room * sizeof *entries);
        if (entries == NULL) {
            pull->failed = true;
            json_decref(object);
            return;
        }
        pull->entries = entries;
        pull->room = room;
    }
    pull->entries[pull->count++] = (struct pulled){
        .change = change, .value = json_pack("{s:I,s:o}", "change", (json_int_t)change, kind, object)};
}

/* How many entries one answer holds: at most `max`, and what fits a line of the JSON form. Otherwise a
 * contact that sends long lines would make every pull fail. */
static size_t fitting(const struct pull *pull)
{
    size_t bytes = 0, shown = 0;
    while (shown < pull->count && shown < pull->max) {
        bytes += json_dumpb(pull->entries[shown].value, NULL, 0, JSON_COMPACT);
        if (shown > 0 && bytes > PULL_BYTES)
            break;
        shown++;
    }
    return shown;
}

static void pull_answer(struct pull *pull)
{
    if (pull->failed) {
        /* A cursor that went on would skip what is missing. */
        call_fail(pull->call, NULL);
        pull_free(pull);
        return;
    }
    if (pull->count > 0) /* without entries there is no array */
        qsort(pull->entries, pull->count, sizeof *pull->entries, by_change);
    /* Lines that were read before it was known how far the posts go. */
    while (pull->count > 0 && pull->entries[pull->count - 1].change > pull->upto)
        json_decref(pull->entries[--pull->count].value);
    size_t shown = fitting(pull);
    bool more = shown < pull->count || pull->full;
    /* When lines were cut, what lies behind the last of them has not been read. */
    int64_t next = more && shown > 0 ? pull->entries[shown - 1].change : pull->upto;
    json_t *changes = json_array();
    for (size_t i = 0; i < shown; i++)
        json_array_append(changes, pull->entries[i].value);
    call_done(pull->call, json_pack("{s:I,s:I,s:b,s:o}", "epoch", (json_int_t)pull->account->epoch, "change",
                                    (json_int_t)next, "more", more, "changes", changes));
    pull_free(pull);
}

static void pull_gone(void *arg, const char *kind, int64_t id, int64_t change)
{
    struct pull *pull = arg;
    pull_add(pull, change, "gone", json_pack("{s:I}", kind, (json_int_t)id));
}

static void pull_gone_done(void *arg, const struct error *error)
{
    struct pull *pull = arg;
    if (error != NULL) {
        call_fail_copy(pull->call, error);
        pull_free(pull);
        return;
    }
    struct account *account = pull->account;
    struct contact *contact, *next_contact;
    HASH_ITER(hh, account->contacts, contact, next_contact)
    pull_add(pull, contact->change, "contact", json_of_contact(contact));
    struct conversation *conversation, *next_conversation;
    HASH_ITER(hh, account->conversations, conversation, next_conversation)
    pull_add(pull, conversation->change, "conversation", json_of_conversation(conversation));
    struct invite *invite, *next_invite;
    HASH_ITER(hh, account->invites, invite, next_invite)
    pull_add(pull, invite->change, "invite", json_of_invite(invite));
    pull_add(pull, account->change, "account", json_of_account(account));
    pull_answer(pull);
}

static void pull_line(void *arg, const struct line_row *row)
{
    struct pull *pull = arg;
    pull_add(pull, row->change, "line", json_of_line(pull->account, row));
}

static void pull_post(void *arg, const struct post_row *row, const struct delivery_row *deliveries,
                      size_t count)
{
    struct pull *pull = arg;
    pull->posts++;
    pull->last_post = row->change;
    pull_add(pull, row->change, "post", json_of_post(pull->account, row, deliveries, count));
}

/* A source that gave as many as were asked for may have more behind its last. */
static void pull_limit(struct pull *pull, size_t given, int64_t last)
{
    if (given < pull->max)
        return;
    pull->full = true;
    if (last < pull->upto)
        pull->upto = last;
}

static void pull_posts_done(void *arg, const struct error *error)
{
    struct pull *pull = arg;
    if (error != NULL) {
        call_fail_copy(pull->call, error);
        pull_free(pull);
        return;
    }
    pull_limit(pull, pull->posts, pull->last_post);
    store_gone(pull->account->gateway->store, pull->account->id, pull->after, pull_gone, pull_gone_done,
               pull);
}

static void pull_lines_done(void *arg, const struct error *error)
{
    struct pull *pull = arg;
    if (error != NULL) {
        call_fail_copy(pull->call, error);
        pull_free(pull);
        return;
    }
    if (pull->count > 0)
        pull_limit(pull, pull->count, pull->entries[pull->count - 1].change);
    store_posts_changed(pull->account->gateway->store, pull->account->id, pull->after, pull->max, pull_post,
                        pull_posts_done, pull);
}

/* Entries of the ring with change in (after, upto], in any order: numbers arrive slightly out of it. */
static void pull_ring(struct pull *pull)
{
    pull->entries = malloc(RING_SIZE * sizeof *pull->entries);
    pull->failed = pull->entries == NULL;
    pull->room = RING_SIZE;
    for (size_t i = 0; i < RING_SIZE && !pull->failed; i++) {
        struct ring_entry *entry = &pull->account->ring[i];
        if (!is_taken(entry) || entry->change <= pull->after || entry->change > pull->upto)
            continue;
        json_t *value = json_incref(value_of(pull->account, entry));
        pull->failed = value == NULL;
        if (value != NULL)
            pull->entries[pull->count++] = (struct pulled){entry->change, value};
    }
}

bool do_changes(struct call *call, struct error **error)
{
    struct account *account = call->account;
    int64_t after = arg_int(call, "after", 0), max = arg_int(call, "max", PULL_DEFAULT);
    if (after < 0 || max < 1 || max > 500)
        return error_set(error, ERROR_INVALID, "changes: after is at least 0, max from 1 to 500");
    struct pull *pull = calloc(1, sizeof *pull);
    if (pull == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    *pull = (struct pull){.call = call,
                          .account = account,
                          .after = after,
                          .upto = change_visible(account),
                          .max = (unsigned)max};
    if (after < account->ring_floor) {
        store_lines_changed(account->gateway->store, account->id, after, pull->max, pull_line,
                            pull_lines_done, pull);
        return true;
    }
    pull_ring(pull);
    pull_answer(pull);
    return true;
}

static void history_line(void *arg, const struct line_row *row)
{
    struct pull *pull = arg;
    json_t *line = json_of_line(pull->account, row);
    if (pull->reversed)
        json_array_insert_new(pull->lines, 0, line);
    else
        json_array_append_new(pull->lines, line);
}

/* Cuts the far end off until the page fits a line of the JSON form; one line always does. */
static bool cut_history(const struct pull *pull)
{
    size_t bytes = 0, count = json_array_size(pull->lines), kept = 0;
    while (kept < count) {
        bytes += json_dumpb(json_array_get(pull->lines, pull->reversed ? count - 1 - kept : kept), NULL, 0,
                            JSON_COMPACT);
        if (kept > 0 && bytes > PULL_BYTES)
            break;
        kept++;
    }
    for (size_t i = kept; i < count; i++)
        json_array_remove(pull->lines, pull->reversed ? 0 : kept);
    return kept < count;
}

static void history_done(void *arg, const struct error *error)
{
    struct pull *pull = arg;
    if (error != NULL) {
        call_fail_copy(pull->call, error);
    } else {
        bool more = json_array_size(pull->lines) == pull->max;
        more |= cut_history(pull);
        call_done(pull->call, json_pack("{s:O,s:b}", "lines", pull->lines, "more", more));
    }
    pull_free(pull);
}

bool do_history(struct call *call, struct error **error)
{
    struct account *account = call->account;
    struct conversation *conversation = arg_conversation(call, error);
    int64_t max = arg_int(call, "max", PULL_DEFAULT);
    if (conversation == NULL)
        return false;
    if (max < 1 || max > 500 || (arg_has(call, "before") && arg_has(call, "after")))
        return error_set(error, ERROR_INVALID, "history: max from 1 to 500, and either before or after");
    struct pull *pull = calloc(1, sizeof *pull);
    if (pull == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    *pull = (struct pull){.call = call,
                          .account = account,
                          .max = (unsigned)max,
                          .lines = json_array(),
                          .reversed = !arg_has(call, "after")};
    if (pull->reversed)
        store_history(account->gateway->store, account->id, conversation->id,
                      arg_int(call, "before", INT64_MAX), (unsigned)max, history_line, history_done, pull);
    else
        store_history_after(account->gateway->store, account->id, conversation->id, arg_int(call, "after", 0),
                            (unsigned)max, history_line, history_done, pull);
    return true;
}
