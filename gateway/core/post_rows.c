/* SPDX-License-Identifier: ISC */
#include "core/post_rows.h"

#include <stdlib.h>
#include <string.h>

#include "core/changes.h"
#include "core/text.h"

/* --- kept posts */

static size_t size_of(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 1;
}

static void keep(char **at, const char **text)
{
    size_t size = size_of(*text);
    memcpy(*at, *text != NULL ? *text : "", size);
    *text = *at;
    *at += size;
}

enum { POST_TEXTS = 16, DELIVERY_TEXTS = 6 };

static void texts_of_post(struct post_row *row, const char **texts[POST_TEXTS])
{
    const char **const all[POST_TEXTS] = {
        &row->direction,   &row->kind,       &row->subject, &row->preview, &row->from,  &row->to,
        &row->cc,          &row->wire_id,    &row->blob,    &row->verdict, &row->level, &row->message_id,
        &row->in_reply_to, &row->protection, &row->label,   &row->options};
    memcpy(texts, all, sizeof all);
}

static void texts_of_delivery(struct delivery_row *row, const char **texts[DELIVERY_TEXTS])
{
    const char **const all[DELIVERY_TEXTS] = {&row->address, &row->delivery, &row->protection,
                                              &row->level,   &row->reason,   &row->options};
    memcpy(texts, all, sizeof all);
}

static size_t texts_size(const char ***texts, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += size_of(*texts[i]);
    return size;
}

static void texts_keep(const char ***texts, size_t count, char **at)
{
    for (size_t i = 0; i < count; i++)
        keep(at, texts[i]);
}

struct kept_post *kept_post_new(const struct post_row *row, const struct delivery_row *deliveries,
                                size_t count)
{
    const char **post_texts[POST_TEXTS], **delivery_texts[DELIVERY_TEXTS];
    struct kept_post *post = calloc(1, sizeof *post);
    if (post == NULL)
        return NULL;
    post->deliveries = calloc(count + 1, sizeof *post->deliveries);
    if (post->deliveries == NULL) {
        free(post);
        return NULL;
    }
    post->row = *row;
    post->row.message = bytes_of(NULL, 0);
    post->count = count;
    if (count > 0)
        memcpy(post->deliveries, deliveries, count * sizeof *deliveries);
    texts_of_post(&post->row, post_texts);
    size_t size = texts_size(post_texts, POST_TEXTS);
    for (size_t i = 0; i < count; i++) {
        texts_of_delivery(&post->deliveries[i], delivery_texts);
        size += texts_size(delivery_texts, DELIVERY_TEXTS);
    }
    char *at = post->memory = malloc(size);
    if (at == NULL) {
        kept_post_free(post);
        return NULL;
    }
    texts_keep(post_texts, POST_TEXTS, &at);
    for (size_t i = 0; i < count; i++) {
        texts_of_delivery(&post->deliveries[i], delivery_texts);
        texts_keep(delivery_texts, DELIVERY_TEXTS, &at);
    }
    return post;
}

void kept_post_free(struct kept_post *post)
{
    if (post == NULL)
        return;
    free(post->memory);
    free(post->deliveries);
    free(post);
}

/* --- JSON */

const char *verdict_text(const char *verdict)
{
    static const struct {
        const char *word, *text;
    } verdicts[] = {
        {"signed", "signed by the sender's key, for you"},
        {"unsigned", "not signed: anybody may have written it, the sender is only a claim"},
        {"bad-signature", "the signature is wrong: it was altered, or is not from this sender"},
        {"unknown-sender", "it names a key that is not among your contacts: who wrote it is not known"},
        {"not-addressed", "signed, but not to you: it may have been passed on by somebody else"},
        {"locked", "not opened yet: the vault is locked"},
        {"gateway", "made by this gateway"},
    };
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
        if (strcmp(verdicts[i].word, verdict) == 0)
            return verdicts[i].text;
    }
    return "";
}

static json_t *people_json(const char *text)
{
    json_t *people = json_loads(text, 0, NULL);
    return people != NULL ? people : json_array();
}

json_t *json_of_delivery(const struct account *account, const struct delivery_row *row)
{
    struct contact *contact = NULL;
    HASH_FIND(hh, account->contacts, &row->contact, sizeof row->contact, contact);
    return json_pack("{s:I,s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:I}", "contact", (json_int_t)row->contact, "handle",
                     contact != NULL ? contact->naming.handle : "", "address", row->address, "delivery",
                     row->delivery, "protection", row->protection, "level", row->level, "reason", row->reason,
                     "until", (json_int_t)row->until, "since", (json_int_t)row->since);
}

json_t *json_of_post(const struct account *account, const struct post_row *row,
                     const struct delivery_row *deliveries, size_t count)
{
    json_t *post = json_pack(
        "{s:I,s:I,s:s,s:s,s:o,s:o,s:o,s:o,s:s,s:s,s:I,s:I,s:I,s:b,s:b,s:b,s:s,s:s,s:I,s:s,s:I}", "epoch",
        (json_int_t)account->epoch, "seq", (json_int_t)row->seq, "direction", row->direction, "kind",
        row->kind, "contact", row->contact != 0 ? json_integer(row->contact) : json_null(), "from",
        people_json(row->from), "to", people_json(row->to), "cc", people_json(row->cc), "subject",
        row->subject, "preview", row->preview, "time", (json_int_t)row->time, "size", (json_int_t)row->size,
        "attachments", (json_int_t)row->attachments, "seen", row->seen, "answered", row->answered, "flagged",
        row->flagged, "message_id", row->message_id, "in_reply_to", row->in_reply_to, "thread",
        (json_int_t)(row->thread != 0 ? row->thread : row->seq), "label", row->label, "change",
        (json_int_t)row->change);
    if (post == NULL)
        return NULL;
    if (strcmp(row->direction, "in") == 0) {
        json_object_update_new(post,
                               json_pack("{s:I,s:s,s:s,s:s,s:s}", "peer_time", (json_int_t)row->peer_time,
                                         "verdict", row->verdict, "verdict_text", verdict_text(row->verdict),
                                         "protection", row->protection, "level", row->level));
        return post;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_of_delivery(account, &deliveries[i]));
    json_object_set_new(post, "signed", json_boolean(row->is_signed));
    json_object_set_new(post, "deliveries", list);
    return post;
}

/* --- deliveries */

struct delivery_row row_of_delivery(const struct post_delivery *delivery, char **options)
{
    json_t *said =
        json_pack("{s:b,s:b,s:b,s:i,s:I,s:I,s:I}", "lowered", delivery->lowered, "sign", delivery->sign,
                  "bcc", delivery->bcc, "notify", delivery->notify, "time", (json_int_t)delivery->time,
                  "size", (json_int_t)delivery->size, "share", (json_int_t)delivery->share);
    *options = said != NULL ? json_dumps(said, JSON_COMPACT) : NULL;
    json_decref(said);
    struct delivery_row row = {
        .account = delivery->account->id,
        .seq = delivery->seq,
        .contact = delivery->contact != NULL ? delivery->contact->id : 0,
        .address = delivery->address,
        .delivery = delivery->state,
        .protection = delivery->protection,
        .level = delivery->level,
        .reason = delivery->reason,
        .until = delivery->until,
        .since = delivery->since,
        .next = delivery->due,
        .warned = delivery->warned,
        .options = *options != NULL ? *options : "{}",
    };
    memcpy(row.message_id, delivery->message_id, sizeof row.message_id);
    return row;
}

struct post_delivery *delivery_of_row(const struct delivery_row *row)
{
    struct post_delivery *delivery = calloc(1, sizeof *delivery);
    json_t *said = json_loads(row->options, 0, NULL);
    if (delivery != NULL) {
        delivery->seq = row->seq;
        memcpy(delivery->message_id, row->message_id, sizeof delivery->message_id);
        text_copy(delivery->address, sizeof delivery->address, row->address);
        text_copy(delivery->state, sizeof delivery->state, row->delivery);
        text_copy(delivery->protection, sizeof delivery->protection, row->protection);
        text_copy(delivery->level, sizeof delivery->level, row->level);
        text_copy(delivery->reason, sizeof delivery->reason, row->reason);
        delivery->until = row->until;
        delivery->since = row->since;
        delivery->due = row->next;
        delivery->warned = row->warned;
        delivery->lowered = json_is_true(json_object_get(said, "lowered"));
        delivery->sign = json_is_true(json_object_get(said, "sign"));
        delivery->bcc = json_is_true(json_object_get(said, "bcc"));
        delivery->notify = (uint8_t)json_integer_value(json_object_get(said, "notify"));
        delivery->time = json_integer_value(json_object_get(said, "time"));
        delivery->size = json_integer_value(json_object_get(said, "size"));
        delivery->share = json_integer_value(json_object_get(said, "share"));
    }
    json_decref(said);
    return delivery;
}

/* --- what clients hear */

void post_changed(struct account *account, int64_t seq, int64_t change, json_t *members)
{
    const json_t *known = ring_post(account, seq);
    json_t *post = known != NULL ? json_copy((json_t *)(uintptr_t)known) : NULL;
    if (post != NULL && members != NULL) {
        json_object_update(post, members);
        json_object_set_new(post, "change", json_integer(change));
        ring_put(account, change, "post", post);
    } else {
        json_decref(post);
        ring_forget_before(account, change);
    }
    json_decref(members);
}

void post_delivery_changed(struct account *account, int64_t seq, int64_t change, json_t *delivery)
{
    json_t *list = json_copy(json_object_get(ring_post(account, seq), "deliveries"));
    bool found = false;
    for (size_t i = 0; i < json_array_size(list) && delivery != NULL && !found; i++) {
        found = json_equal(json_object_get(json_array_get(list, i), "contact"),
                           json_object_get(delivery, "contact"));
        if (found)
            json_array_set(list, i, delivery);
    }
    json_decref(delivery);
    post_changed(account, seq, change, found ? json_pack("{s:O}", "deliveries", list) : NULL);
    json_decref(list);
}
