/* SPDX-License-Identifier: ISC */
/* One post on its way to the sender: prepared by the desk, sealed by the keyring, given; and what became of
 * it. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/post_out.h"
#include "core/text.h"
#include "core/vault.h"

static struct gateway *gateway_of(const struct letter *letter)
{
    return letter->out->contact->account->gateway;
}

/* --- memory */

static void hold(struct letter *letter, size_t size)
{
    struct gateway *gateway = gateway_of(letter);
    gateway->post_memory += size - letter->memory;
    letter->memory = size;
}

static void drop_message(struct letter *letter)
{
    buffer_free(&letter->message);
    hold(letter, 0);
}

struct letter *letter_new(struct post_out *out, struct post_delivery *delivery)
{
    struct letter *letter = calloc(1, sizeof *letter);
    if (letter == NULL)
        return NULL;
    letter->out = out;
    letter->delivery = delivery;
    letter->id = ++out->contact->account->gateway->last_letter;
    DL_APPEND(out->letters, letter);
    return letter;
}

static void cancel(struct letter *letter)
{
    struct post_out *out = letter->out;
    if (letter->stage == LETTER_SEALING && letter->request != 0)
        keyring_cancel(gateway_of(letter)->keyring, letter->request);
    letter->request = 0;
    if (letter->stage == LETTER_GIVEN && out->sender != NULL)
        post_sender_cancel(out->sender, letter->id, post_out_now(out));
}

void letter_free(struct letter *letter)
{
    struct post_out *out = letter->out;
    cancel(letter);
    drop_message(letter);
    DL_DELETE(out->letters, letter);
    free(letter);
    post_out_touch(out);
}

struct letter *letter_find(const struct post_out *out, uint64_t id)
{
    struct letter *letter;
    DL_SEARCH_SCALAR(out->letters, letter, id, id);
    return letter;
}

bool letter_works(const struct letter *letter)
{
    return letter->stage != LETTER_WAITS && letter->stage != LETTER_SETTLING;
}

void letter_wait(struct letter *letter, uint64_t retry)
{
    cancel(letter);
    drop_message(letter);
    letter->stage = LETTER_WAITS;
    letter->retry = retry;
    post_out_touch(letter->out);
}

static void wait_a_while(struct letter *letter)
{
    letter_wait(letter, post_out_now(letter->out) + POST_OUT_RETRY_MS);
}

/* --- what became of it */

static void settled(void *arg, const struct error *error)
{
    struct letter *letter = arg;
    if (letter->out->closed)
        return;
    if (error != NULL) {
        letter->retry = post_out_now(letter->out) + POST_OUT_RETRY_MS;
        post_out_touch(letter->out);
        return;
    }
    post_release(letter->delivery);
    letter_free(letter);
}

void letter_settle(struct letter *letter, const struct post_outcome *outcome)
{
    cancel(letter);
    drop_message(letter);
    letter->stage = LETTER_SETTLING;
    letter->outcome = *outcome;
    text_copy(letter->reason, sizeof letter->reason, outcome->reason);
    letter->outcome.reason = letter->reason;
    letter_settle_again(letter);
}

void letter_settle_again(struct letter *letter)
{
    letter->retry = 0;
    post_settle(letter->delivery, &letter->outcome, settled, letter);
}

static void fail(struct letter *letter, const char *reason)
{
    letter_settle(letter, &(struct post_outcome){.delivery = "failed", .reason = reason});
}

/* --- on its way to the sender */

/* The sender may have been made anew meanwhile. */
static bool letter_fits(const struct letter *letter)
{
    const struct post_sender *sender = letter->out->sender;
    return sender != NULL && post_sender_wire(sender) == letter->wire;
}

static const char *protection_of(const struct letter *letter)
{
    return letter->wire == POST_WIRE_SEALED ? "sealed" : "classic";
}

bool letter_give(struct letter *letter)
{
    struct post_out *out = letter->out;
    if (out->sender == NULL ||
        !post_sender_give(out->sender, letter->id, letter->wire, &letter->message, post_out_now(out)))
        return false;
    letter->stage = LETTER_GIVEN;
    post_out_touch(out);
    return true;
}

static void marked(void *arg, const struct error *error)
{
    struct letter *letter = arg;
    if (letter->out->closed)
        return;
    if (error != NULL) {
        wait_a_while(letter);
        return;
    }
    /* It could not leave, and so may be tried again. */
    if (!letter_give(letter))
        letter_settle(letter, &(struct post_outcome){.delivery = "queued", .reason = ""});
}

static void mark(struct letter *letter)
{
    letter->stage = LETTER_MARKING;
    post_settle(letter->delivery,
                &(struct post_outcome){.delivery = "not-confirmed",
                                       .reason = "the recipient's program gives no receipts",
                                       .protection = protection_of(letter),
                                       .level = letter->out->way.level},
                marked, letter);
}

static void sealed(void *arg, const struct keyring_answer *answer)
{
    struct letter *letter = arg;
    letter->request = 0;
    if (letter->out->closed)
        return;
    if (answer->error != NULL) {
        if (answer->error->code == ERROR_INVALID || answer->error->code == ERROR_LIMIT)
            fail(letter, answer->error->text);
        else
            wait_a_while(letter);
        return;
    }
    letter->message = buffer_make(answer->text.size);
    if (!buffer_append_bytes(&letter->message, answer->text)) {
        wait_a_while(letter);
        return;
    }
    hold(letter, answer->text.size);
    letter->stage = LETTER_READY;
    if (!letter_fits(letter))
        letter_wait(letter, 0);
    else if (letter->wire == POST_WIRE_CLASSIC)
        mark(letter);
    else
        post_out_touch(letter->out);
}

static void prepared(void *arg, struct post_matter *matter, const struct error *error)
{
    struct letter *letter = arg;
    const struct contact *contact = letter->out->contact;
    if (letter->out->closed)
        return;
    if (error != NULL) {
        if (error->code == ERROR_LIMIT || error->code == ERROR_INVALID)
            fail(letter, error->text);
        else
            wait_a_while(letter);
        return;
    }
    if (!letter_fits(letter)) {
        letter_wait(letter, 0);
        return;
    }
    struct keyring_post post = {
        .sealed = matter->sealed,
        .addressee = buffer_view(&contact->key_block),
        .sign = matter->sign,
        .time = matter->time,
        .content = buffer_view(&matter->content),
        .subject = buffer_view(&matter->subject),
        .body = buffer_view(&matter->body),
        .to = buffer_view(&matter->to),
        .cc = buffer_view(&matter->cc),
    };
    memcpy(post.message_id, matter->message_id, sizeof post.message_id);
    char home[VAULT_HOME_SIZE];
    struct keyring_secret secret = vault_secret(contact->account, home);
    letter->stage = LETTER_SEALING;
    letter->request = keyring_post_seal(gateway_of(letter)->keyring, &secret, &post, sealed, letter);
    if (letter->request == 0)
        wait_a_while(letter);
}

void letter_begin(struct letter *letter)
{
    letter->stage = LETTER_PREPARING;
    letter->wire = post_sender_wire(letter->out->sender);
    letter->retry = 0;
    hold(letter, (size_t)letter->delivery->size);
    post_prepare(letter->delivery, letter->wire == POST_WIRE_SEALED, prepared, letter);
}
