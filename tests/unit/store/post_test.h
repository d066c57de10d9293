/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_UNIT_STORE_POST_TEST_H
#define RETROGATE_TESTS_UNIT_STORE_POST_TEST_H

#include "store_test.h"

static inline struct post_row some_post(int64_t account, int64_t seq, const char *direction)
{
    return (struct post_row){.account = account,
                             .seq = seq,
                             .direction = direction,
                             .kind = "post",
                             .subject = "",
                             .preview = "",
                             .from = "[]",
                             .to = "[]",
                             .cc = "[]",
                             .message_id = "",
                             .wire_id = "",
                             .in_reply_to = "",
                             .blob = "",
                             .verdict = "",
                             .protection = "",
                             .level = "",
                             .label = "",
                             .options = "{}",
                             .change = seq};
}

static inline struct delivery_row some_delivery(int64_t account, int64_t seq, int64_t contact)
{
    return (struct delivery_row){.account = account,
                                 .seq = seq,
                                 .contact = contact,
                                 .address = "bob@distant.alt",
                                 .delivery = "queued",
                                 .protection = "none",
                                 .level = "none",
                                 .reason = "",
                                 .options = "{}"};
}

/* The posts a read gave. */
struct posts {
    unsigned count;
    int64_t seq[1024];
    struct post_row last; /* without its strings */
    char subject[64], from[64], to[64], cc[64], preview[64], message_id[64], wire_id[64], in_reply_to[64];
    char verdict[16], protection[16], level[16], label[64], options[64], kind[8], direction[4], blob[65];
    uint8_t message[64];
    size_t message_size;
    struct delivery_row deliveries[8]; /* of the last one, without their strings */
    char reason[8][64], delivery[8][16], address[8][32];
    size_t delivery_count;
    int64_t before;
    bool more;
    struct outcome outcome;
};

#define COPY(field) snprintf(posts->field, sizeof posts->field, "%s", row->field)

static inline void note_post(void *arg, const struct post_row *row, const struct delivery_row *deliveries,
                             size_t count)
{
    struct posts *posts = arg;
    assert_int_equal(posts->outcome.calls, 0);
    assert_true(posts->count < 1024);
    posts->seq[posts->count++] = row->seq;
    posts->last = *row;
    COPY(subject), COPY(from), COPY(to), COPY(cc), COPY(preview), COPY(message_id), COPY(wire_id);
    COPY(in_reply_to), COPY(verdict), COPY(protection), COPY(level), COPY(label), COPY(options), COPY(kind);
    COPY(direction), COPY(blob);
    posts->message_size = row->message.size;
    if (row->message.size > 0)
        memcpy(posts->message, row->message.data, row->message.size < 64 ? row->message.size : 64);
    posts->delivery_count = count;
    for (size_t i = 0; i < count && i < 8; i++) {
        posts->deliveries[i] = deliveries[i];
        snprintf(posts->reason[i], 64, "%s", deliveries[i].reason);
        snprintf(posts->delivery[i], 16, "%s", deliveries[i].delivery);
        snprintf(posts->address[i], 32, "%s", deliveries[i].address);
    }
}

#undef COPY

static inline void posts_done(void *arg, const struct error *error)
{
    note_outcome(&((struct posts *)arg)->outcome, error);
}

static inline void posts_listed(void *arg, int64_t before, bool more, const struct error *error)
{
    struct posts *posts = arg;
    posts->before = before;
    posts->more = more;
    note_outcome(&posts->outcome, error);
}

static inline void posts_wait(struct place *place, const struct posts *posts)
{
    assert_int_equal(posts->outcome.calls, 0);
    while (posts->outcome.calls == 0)
        uv_run(&place->loop, UV_RUN_ONCE);
    assert_int_equal(posts->outcome.calls, 1);
}

/* One static result: the next call takes its place. */
static inline const struct posts *get_post(struct place *place, int64_t account, int64_t seq)
{
    static struct posts posts;
    memset(&posts, 0, sizeof posts);
    store_post(place->store, account, seq, note_post, posts_done, &posts);
    posts_wait(place, &posts);
    return &posts;
}

static inline const struct posts *list_posts(struct place *place, struct store_posts wanted)
{
    static struct posts posts;
    memset(&posts, 0, sizeof posts);
    store_posts(place->store, &wanted, note_post, posts_listed, &posts);
    posts_wait(place, &posts);
    return &posts;
}

static inline void put_post_row(struct place *place, const struct post_row *row)
{
    struct store_batch *batch = store_begin(place->store);
    store_put_post(batch, row);
    commit_good(place, batch);
}

static inline void note_blob_id(void *arg, const char *id, struct bytes data, const struct error *error)
{
    (void)data;
    assert_null(error);
    memcpy(arg, id, 65);
}

static inline void put_blob(struct place *place, struct bytes data, char id[65])
{
    id[0] = 0;
    store_blob_put(place->store, 1, data, note_blob_id, id);
    while (id[0] == 0)
        uv_run(&place->loop, UV_RUN_ONCE);
}

#endif
