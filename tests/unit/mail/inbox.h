/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_UNIT_MAIL_INBOX_H
#define RETROGATE_TESTS_UNIT_MAIL_INBOX_H

/* Posts of alice, as commands of the gateway show them: for the reading sides of the bridge. */
#include <inttypes.h>

#include "unit/mail/wire.h"
#include "wire/radix64.h"

enum { INBOX_MOST = 21000 };

struct inbox_post {
    const char *text;
    size_t size;
    const char *direction, *verdict;
    bool seen, answered, flagged, gone;
    int64_t change;
};

struct inbox {
    struct inbox_post *posts; /* seq is the index and one */
    size_t count;
    const char *owner; /* fingerprint of the account's key; NULL: alice's */
    int64_t epoch;
    int64_t change;
    bool known; /* the cursor of client.open is kept */
    int64_t cursor, cursor_epoch;
    const char *fails; /* this command fails from now on, for this reason */
    enum error_code fails_with;
};

static struct inbox inbox;

static inline void inbox_open(void)
{
    inbox = (struct inbox){.epoch = 3, .posts = calloc(INBOX_MOST, sizeof *inbox.posts)};
    assert_non_null(inbox.posts);
}

static inline void inbox_close(void)
{
    free(inbox.posts);
    inbox.posts = NULL;
}

static inline int64_t inbox_add_bytes(const char *text, size_t size)
{
    assert_true(inbox.count < INBOX_MOST);
    inbox.posts[inbox.count++] = (struct inbox_post){
        .text = text, .size = size, .direction = "in", .verdict = "signed", .change = ++inbox.change};
    return (int64_t)inbox.count;
}

static inline int64_t inbox_add(const char *text)
{
    return inbox_add_bytes(text, strlen(text));
}

static inline struct inbox_post *inbox_post(int64_t seq)
{
    return seq >= 1 && seq <= (int64_t)inbox.count ? &inbox.posts[seq - 1] : NULL;
}

static inline json_t *inbox_json(int64_t seq)
{
    const struct inbox_post *post = inbox_post(seq);
    return json_pack("{s:I, s:I, s:s, s:s, s:I, s:I, s:b, s:b, s:b, s:I}", "epoch", (json_int_t)inbox.epoch,
                     "seq", (json_int_t)seq, "direction", post->direction, "verdict", post->verdict, "size",
                     (json_int_t)post->size, "time", (json_int_t)(1700000000000 + seq * 1000), "seen",
                     post->seen, "answered", post->answered, "flagged", post->flagged, "change",
                     (json_int_t)post->change);
}

static inline json_t *inbox_list(const json_t *command)
{
    const json_t *before = json_object_get(command, "before");
    const char *box = json_string_value(json_object_get(command, "box"));
    int64_t max = json_integer_value(json_object_get(command, "max")),
            seq = before != NULL ? json_integer_value(before) - 1 : (int64_t)inbox.count;
    json_t *posts = json_array();
    assert_true(max >= 1 && max <= 200);
    for (; seq >= 1 && (int64_t)json_array_size(posts) < max; seq--)
        if (!inbox_post(seq)->gone && strcmp(inbox_post(seq)->direction, box) == 0)
            json_array_append_new(posts, inbox_json(seq));
    return json_pack("{s:o, s:b}", "posts", posts, "more", seq >= 1);
}

static inline json_t *inbox_read(const json_t *command, struct error **error)
{
    const struct inbox_post *post = inbox_post(json_integer_value(json_object_get(command, "seq")));
    size_t offset = (size_t)json_integer_value(json_object_get(command, "offset")),
           size = (size_t)json_integer_value(json_object_get(command, "size"));
    assert_true(size >= 1 && size <= 262144);
    if (post == NULL || post->gone) {
        error_set(error, ERROR_NOT_FOUND, "there is no such post");
        return NULL;
    }
    if (strcmp(post->verdict, "locked") == 0) {
        error_set(error, ERROR_LOCKED, "not opened yet");
        return NULL;
    }
    size_t left = offset < post->size ? post->size - offset : 0, given = left < size ? left : size;
    struct buffer data = buffer_make(2 * size + 4);
    assert_true(radix64_encode(&data, bytes_of(post->text + (post->size - left), given)));
    json_t *result = json_pack("{s:s, s:b}", "data", buffer_string(&data), "end", given == left);
    buffer_free(&data);
    return result;
}

static inline void inbox_set(bool *flag, const json_t *value)
{
    if (value != NULL)
        *flag = json_is_true(value);
}

/* post.flag and post.delete, of "seq" or "seqs". */
static inline json_t *inbox_mark(const json_t *command, bool removes)
{
    const json_t *seqs = json_object_get(command, "seqs"), *one = json_object_get(command, "seq");
    size_t count = one != NULL ? 1 : json_array_size(seqs);
    assert_true(count >= 1 && count <= 1000);
    for (size_t i = 0; i < count; i++) {
        struct inbox_post *post = inbox_post(json_integer_value(one != NULL ? one : json_array_get(seqs, i)));
        if (post == NULL || post->gone)
            continue;
        post->change = ++inbox.change;
        post->gone = removes;
        inbox_set(&post->seen, json_object_get(command, "seen"));
        inbox_set(&post->answered, json_object_get(command, "answered"));
        inbox_set(&post->flagged, json_object_get(command, "flagged"));
    }
    return json_pack("{s:I}", "change", (json_int_t)inbox.change);
}

static inline json_t *inbox_changes(const json_t *command)
{
    int64_t after = json_integer_value(json_object_get(command, "after")),
            max = json_integer_value(json_object_get(command, "max")), last = after;
    json_t *changes = json_array();
    bool more = false;
    assert_true(max >= 1 && max <= 500);
    for (int64_t change = after + 1; change <= inbox.change && !more; change++) {
        for (int64_t seq = 1; seq <= (int64_t)inbox.count; seq++) {
            const struct inbox_post *post = inbox_post(seq);
            if (post->change != change)
                continue;
            json_array_append_new(changes, post->gone
                                               ? json_pack("{s:I, s:{s:I}}", "change", (json_int_t)change,
                                                           "gone", "post", (json_int_t)seq)
                                               : json_pack("{s:I, s:o}", "change", (json_int_t)change, "post",
                                                           inbox_json(seq)));
        }
        last = change;
        more = (int64_t)json_array_size(changes) >= max && change < inbox.change;
    }
    return json_pack("{s:I, s:I, s:b, s:o}", "epoch", (json_int_t)inbox.epoch, "change", (json_int_t)last,
                     "more", more, "changes", changes);
}

static inline json_t *inbox_cursor(void)
{
    bool known = inbox.known && inbox.cursor_epoch == inbox.epoch;
    return json_pack("{s:I, s:I, s:I, s:b}", "epoch", (json_int_t)inbox.epoch, "change",
                     (json_int_t)(known ? inbox.cursor : inbox.change), "seq", (json_int_t)inbox.count,
                     "known", known);
}

static inline json_t *inbox_keep(const json_t *command)
{
    inbox.known = true;
    inbox.cursor = json_integer_value(json_object_get(command, "change"));
    inbox.cursor_epoch = json_integer_value(json_object_get(command, "epoch"));
    assert_non_null(json_object_get(command, "seq"));
    return json_object();
}

static inline json_t *inbox_run(struct gateway *gateway, const json_t *command, struct error **error)
{
    const char *verb = json_string_value(json_object_get(command, "do"));
    json_t *result = NULL;
    if (inbox.fails != NULL && strcmp(verb, inbox.fails) == 0)
        error_set(error, inbox.fails_with, "the fake gateway\r\nrefuses");
    else if (strcmp(verb, "post.list") == 0)
        result = inbox_list(command);
    else if (strcmp(verb, "post.read") == 0)
        result = inbox_read(command, error);
    else if (strcmp(verb, "post.flag") == 0 || strcmp(verb, "post.delete") == 0)
        result = inbox_mark(command, strcmp(verb, "post.delete") == 0);
    else if (strcmp(verb, "changes") == 0)
        result = inbox_changes(command);
    else if (strcmp(verb, "account.show") == 0)
        result = json_pack("{s:s, s:I, s:s}", "fingerprint",
                           inbox.owner != NULL ? inbox.owner : "00112233445566778899AABBCCDDEEFF00112233",
                           "epoch", (json_int_t)inbox.epoch, "name", "alice");
    else if (strcmp(verb, "client.open") == 0)
        result = inbox_cursor();
    else if (strcmp(verb, "client.seen") == 0)
        result = inbox_keep(command);
    else
        error_set(error, ERROR_INVALID, "not in this test");
    gateway->change = inbox.change;
    return result;
}

#endif
