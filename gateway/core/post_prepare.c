/* SPDX-License-Identifier: ISC */
/* What the network side seals for one delivery, made of the stored message. */
#include <stdlib.h>
#include <string.h>

#include "core/post_message.h"
#include "core/post_people.h"
#include "core/post_queue.h"

struct preparing {
    struct post_delivery *delivery;
    struct people *people;
    struct people_view view;
    struct mime_people mime;
    uint8_t recipient[20]; /* universal hash */
    bool bcc;
    struct bytes key_block;
    struct buffer message;
    struct post_matter matter;
    post_matter_fn *done;
    void *arg;
    struct error *error;
};

static void end(struct preparing *preparing, const struct error *error)
{
    struct post_matter *matter = &preparing->matter;
    if (!preparing->delivery->forgotten)
        preparing->done(preparing->arg, error == NULL ? matter : NULL, error);
    buffer_free(&matter->content);
    buffer_free(&matter->subject);
    buffer_free(&matter->body);
    buffer_free(&matter->to);
    buffer_free(&matter->cc);
    buffer_free(&preparing->message);
    OPENSSL_cleanse(preparing->mime.id_key, sizeof preparing->mime.id_key);
    people_release(preparing->people);
    delivery_unpin(preparing->delivery);
    error_free(preparing->error);
    free(preparing);
}

/* The message hashes of a field's people, as far as they are known here. */
static void append_hashes(const struct preparing *preparing, struct buffer *out, const struct buffer *field)
{
    struct bytes text = buffer_view(field);
    json_t *people = json_loadb((const char *)text.data, text.size, 0, NULL), *entry;
    size_t index;
    json_array_foreach(people, index, entry)
    {
        const char *address = json_string_value(json_object_get(entry, "address"));
        const struct person *person = NULL;
        if (address != NULL)
            people_find(preparing->people, address, &person);
        if (person != NULL)
            buffer_append(out, person->hash, sizeof person->hash);
    }
    json_decref(people);
}

static bool make_classic(struct preparing *preparing)
{
    struct post_matter *matter = &preparing->matter;
    struct mime_summary summary = {0};
    matter->subject = buffer_make(POST_CLASSIC_LIMIT);
    matter->body = buffer_make(POST_CLASSIC_LIMIT);
    matter->to = buffer_make(MIME_ADDRESSES_LIMIT * 20);
    matter->cc = buffer_make(MIME_ADDRESSES_LIMIT * 20 + 20);
    struct bytes own = buffer_view(&preparing->message);
    bool good = mime_classic(&matter->subject, &matter->body, own, &preparing->error) &&
                mime_summarise(&summary, own, &preparing->error);
    if (good) {
        append_hashes(preparing, &matter->to, &summary.to);
        append_hashes(preparing, &matter->cc, &summary.cc);
        /* Each reader must find itself among those it is for (06 W-M4). */
        if (preparing->bcc)
            buffer_append(&matter->cc, preparing->recipient, sizeof preparing->recipient);
    }
    mime_summary_free(&summary);
    return good && !matter->to.failed && !matter->cc.failed;
}

static bool make_sealed(struct preparing *preparing)
{
    preparing->matter.content = buffer_make(POST_CONTENT_LIMIT);
    return mime_content(&preparing->matter.content, &preparing->mime, preparing->key_block,
                        buffer_view(&preparing->message), &preparing->error);
}

static void work(void *arg)
{
    struct preparing *preparing = arg;
    bool good = preparing->matter.sealed ? make_sealed(preparing) : make_classic(preparing);
    if (!good)
        error_set(&preparing->error, ERROR_INTERNAL, "out of memory");
}

static void worked(void *arg, bool ran)
{
    struct preparing *preparing = arg;
    if (!ran)
        error_set(&preparing->error, ERROR_UNAVAILABLE, "the gateway is too busy, or stopping");
    end(preparing, preparing->error);
}

static void fetched(void *arg, struct fetched_post *post, const struct error *error)
{
    struct preparing *preparing = arg;
    struct post_delivery *delivery = preparing->delivery;
    struct account *account = delivery->account;
    static const struct error locked = {ERROR_UNAVAILABLE, "the account is locked or was removed"},
                              memory = {ERROR_INTERNAL, "out of memory"};
    if (error == NULL && (account->removed || !account->unlocked || delivery->forgotten))
        error = &locked;
    preparing->people = error == NULL ? people_of(account) : NULL;
    if (error == NULL && preparing->people == NULL)
        error = &memory;
    if (error != NULL) {
        end(preparing, error);
        return;
    }
    preparing->view = (struct people_view){.people = preparing->people};
    preparing->mime = people_for_mime(&preparing->view, account);
    preparing->key_block = buffer_view(&account->key_block);
    preparing->message = post->message;
    post->message = buffer_make(0);
    job_run(account->gateway, buffer_size(&preparing->message), work, worked, preparing);
}

static void no_memory(void *arg)
{
    end(arg, &(struct error){ERROR_INTERNAL, "out of memory"});
}

void post_prepare(struct post_delivery *delivery, bool sealed, post_matter_fn *done, void *arg)
{
    struct preparing *preparing = calloc(1, sizeof *preparing);
    if (preparing == NULL) {
        done(arg, NULL, &(struct error){ERROR_INTERNAL, "out of memory"});
        return;
    }
    *preparing = (struct preparing){.delivery = delivery, .bcc = delivery->bcc, .done = done, .arg = arg};
    preparing->matter =
        (struct post_matter){.sealed = sealed, .sign = delivery->sign, .time = delivery->time};
    memcpy(preparing->matter.message_id, delivery->message_id, sizeof preparing->matter.message_id);
    delivery_pin(delivery);
    if (post_universal_hash(preparing->recipient, delivery->contact->fingerprint + 12))
        post_fetch(delivery->account, delivery->seq, true, fetched, preparing);
    else
        later_run(delivery->account->gateway, no_memory, preparing);
}
