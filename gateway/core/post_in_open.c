/* SPDX-License-Identifier: ISC */
/* What arrived, on its way to the desk: known? opened, read, verified, stored; then the receiver is told. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/contacts.h"
#include "core/post_in.h"
#include "core/post_message.h"
#include "core/vault.h"
#include "crypto/openpgp.h"
#include "mime/mime.h"

static struct gateway *gateway_of(const struct incoming *incoming)
{
    return incoming->in->account->gateway;
}

/* --- life and death */

struct incoming *incoming_new(struct post_in *in)
{
    struct incoming *incoming = calloc(1, sizeof *incoming);
    if (incoming == NULL)
        return NULL;
    incoming->in = in;
    incoming->plain = buffer_make(0);
    DL_APPEND(in->incoming, incoming);
    return incoming;
}

static void free_texts(struct incoming *incoming)
{
    if (incoming->inner != NULL)
        post_inner_free(incoming->inner);
    free(incoming->inner);
    incoming->inner = NULL;
    buffer_free(&incoming->message);
    buffer_free(&incoming->plain);
    buffer_free(&incoming->autocrypt);
}

/* What the store and the desk still answer finds nobody. */
static void forget(struct incoming *incoming)
{
    struct post_in *in = incoming->in;
    bool keyring = incoming->stage == INCOMING_OPENING || incoming->stage == INCOMING_VERIFYING;
    bool asked = incoming->stage != INCOMING_QUEUED && !keyring;
    if (incoming->request != 0)
        keyring_cancel(gateway_of(incoming)->keyring, incoming->request);
    in->strangers -= incoming->stranger;
    DL_DELETE(in->incoming, incoming);
    free_texts(incoming);
    incoming->in = NULL;
    if (!asked || in->closed) /* the gateway ends: nobody answers any more */
        free(incoming);
}

void incoming_forget_all(struct post_in *in)
{
    while (in->incoming != NULL)
        forget(in->incoming);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void end_work(void *arg, bool ran)
{
    (void)ran;
    gateway_work_end(arg);
}

/* The end waits for it, but cannot begin in an answer of the store. */
static void let_go(struct incoming *incoming)
{
    if (incoming->held)
        job_run(gateway_of(incoming), SIZE_MAX, nothing, end_work, gateway_of(incoming));
    incoming->held = false;
}

static void leave(struct incoming *incoming)
{
    struct post_in *in = incoming->in;
    let_go(incoming);
    in->strangers -= incoming->stranger;
    DL_DELETE(in->incoming, incoming);
    free_texts(incoming);
    free(incoming);
    owner_mark_dirty(&in->owner);
}

static struct post_locked *locked_of(const struct incoming *incoming)
{
    struct post_locked *locked;
    DL_SEARCH_SCALAR(incoming->in->account->posts.locked, locked, seq, incoming->replaces);
    return locked;
}

static void stored(struct incoming *incoming)
{
    struct post_in *in = incoming->in;
    if (incoming->replaces == 0 && !in->closed)
        post_receiver_stored(in->receiver, incoming->post, uv_now(gateway_of(incoming)->loop));
    leave(incoming);
    incoming_open_locked(in);
}

static void refuse(struct incoming *incoming, enum post_refusal code)
{
    struct post_in *in = incoming->in;
    struct post_locked *locked = incoming->replaces != 0 ? locked_of(incoming) : NULL;
    log_info("core", "event=post-not-taken account=%s sealed=%d code=%d",
             log_name(&in->account->id, sizeof in->account->id), incoming->sealed, code);
    if (incoming->replaces == 0 && !in->closed)
        post_receiver_refused(in->receiver, incoming->post, code, uv_now(gateway_of(incoming)->loop));
    bool drop = locked != NULL && code != POST_NOT_NOW;
    if (drop)
        post_locked_drop(in->account, incoming->replaces);
    else if (locked != NULL)
        locked->opening = false; /* tried again in a minute */
    leave(incoming);
    if (drop)
        incoming_open_locked(in);
}

/* --- to the desk */

static void committed(void *arg, const struct error *error)
{
    struct incoming *incoming = arg;
    if (incoming->in == NULL)
        free(incoming);
    else if (error == NULL || error->code == ERROR_EXISTS)
        stored(incoming);
    else
        refuse(incoming, error->code == ERROR_INVALID ? POST_NOT_READABLE : POST_NOT_NOW);
}

static struct post_arrival arrival_of(const struct incoming *incoming)
{
    struct post_arrival arrival = {
        .sealed = incoming->sealed,
        .level = incoming->level,
        .replaces = incoming->replaces,
        .mark.time = clock_wall_ms(),
    };
    memcpy(arrival.mark.digest, incoming->digest, sizeof arrival.mark.digest);
    memcpy(arrival.hash, incoming->hash, sizeof arrival.hash);
    return arrival;
}

static void give(struct incoming *incoming, struct post_arrival *arrival)
{
    incoming->stage = INCOMING_STORING;
    post_arrived(incoming->in->account, arrival, committed, incoming);
}

/* As it came: it is opened when that can be. Classic senders do not send again. */
static void keep_locked(struct incoming *incoming)
{
    unsigned count = 0;
    const struct post_locked *locked;
    DL_COUNT(incoming->in->account->posts.locked, locked, count);
    if (incoming->sealed || incoming->replaces != 0 || count >= POST_IN_LOCKED) {
        refuse(incoming, POST_NOT_NOW);
        return;
    }
    struct post_arrival arrival = arrival_of(incoming);
    arrival.verdict = "locked";
    arrival.locked = incoming->message;
    incoming->message = (struct buffer){0};
    give(incoming, &arrival);
}

/* Posts that no contact has signed are counted, and small. */
static bool admit_stranger(struct incoming *incoming, size_t size)
{
    struct post_in *in = incoming->in;
    if (incoming->replaces != 0) /* it was taken already */
        return true;
    if (size > POST_IN_STRANGER_LIMIT) {
        refuse(incoming, POST_TOO_LARGE);
        return false;
    }
    if (post_strangers(in->account) + in->strangers >= in->account->posts.settings.strangers) {
        refuse(incoming, in->account->posts.settings.strangers == 0 ? POST_NOT_WANTED : POST_TOO_MANY);
        return false;
    }
    incoming->stranger = true;
    in->strangers++;
    return true;
}

/* --- sealed */

/* The content's memory is that of the plaintext. */
static struct buffer take_content(struct incoming *incoming)
{
    struct buffer content = incoming->plain;
    if (incoming->letter.content.size == 0)
        return (struct buffer){0};
    content.start = (size_t)(incoming->letter.content.data - content.memory);
    content.end = content.start + incoming->letter.content.size;
    incoming->plain = (struct buffer){0};
    return content;
}

static void give_letter(struct incoming *incoming, bool verified)
{
    const struct post_letter *letter = &incoming->letter;
    struct contact *contact = contact_by_fingerprint(incoming->in->account, letter->sender);
    /* It may have been removed, or added, while the signature was verified. */
    bool known = contact != NULL && !contact->leaving && verified;
    if (!known && !admit_stranger(incoming, letter->content.size))
        return;
    struct post_arrival arrival = arrival_of(incoming);
    arrival.verdict = known ? "signed" : "unknown-sender";
    arrival.contact = known ? contact : NULL;
    arrival.peer_time = letter->time;
    memcpy(arrival.fingerprint, letter->sender, sizeof arrival.fingerprint);
    memcpy(arrival.mark.sender, letter->sender, sizeof arrival.mark.sender);
    memcpy(arrival.mark.message_id, letter->message_id, sizeof arrival.mark.message_id);
    arrival.content = take_content(incoming);
    if (!known && verified) {
        arrival.autocrypt = incoming->autocrypt;
        incoming->autocrypt = (struct buffer){0};
    }
    give(incoming, &arrival);
}

/* The key that a stranger's content brings, if it is the one that its letter names. */
static bool own_key(struct incoming *incoming)
{
    struct buffer block = buffer_make(64 << 10);
    struct openpgp_key key;
    incoming->autocrypt = buffer_make(64 << 10);
    bool good = mime_autocrypt_key(&block, incoming->letter.content) &&
                openpgp_screen_key(&incoming->autocrypt, buffer_view(&block), NULL) &&
                openpgp_key_parse(&key, buffer_view(&incoming->autocrypt), NULL) &&
                memcmp(key.fingerprint, incoming->letter.sender, sizeof key.fingerprint) == 0;
    buffer_free(&block);
    if (!good)
        buffer_free(&incoming->autocrypt);
    return good;
}

/* --- classic */

static bool holds_hash(struct bytes list, const uint8_t hash[20])
{
    for (size_t at = 0; at + 20 <= list.size; at += 20) {
        if (memcmp(list.data + at, hash, 20) == 0)
            return true;
    }
    return false;
}

/* W-M4. */
static bool is_addressed(const struct incoming *incoming)
{
    const struct post_inner *inner = incoming->inner;
    uint8_t universal[20];
    return holds_hash(inner->to, incoming->hash) || holds_hash(inner->cc, incoming->hash) ||
           (account_universal_hash(incoming->in->account, universal) &&
            (holds_hash(inner->to, universal) || holds_hash(inner->cc, universal)));
}

static void give_inner(struct incoming *incoming, const char *verdict)
{
    const struct post_inner *inner = incoming->inner;
    struct contact *contact = contact_by_id(incoming->in->account, inner->sender);
    bool is_signed = strcmp(verdict, "signed") == 0 && contact != NULL && !contact->leaving;
    if (!is_signed && !admit_stranger(incoming, inner->subject.size + inner->body.size))
        return;
    if (strcmp(verdict, "signed") == 0)
        verdict = !is_signed ? "unknown-sender" : is_addressed(incoming) ? "signed" : "not-addressed";
    struct post_arrival arrival = arrival_of(incoming);
    arrival.verdict = verdict;
    arrival.peer_time = (int64_t)inner->time * 1000;
    memcpy(arrival.sender, inner->sender, sizeof arrival.sender);
    if (is_signed) {
        arrival.contact = contact;
        memcpy(arrival.fingerprint, contact->fingerprint, sizeof arrival.fingerprint);
    }
    arrival.inner = incoming->inner;
    incoming->inner = NULL;
    give(incoming, &arrival);
}

/* --- verifying */

static void verified(void *arg, const struct keyring_answer *answer)
{
    struct incoming *incoming = arg;
    const struct error *error = answer->error;
    incoming->request = 0;
    if (incoming->in->closed)
        return;
    bool wrong = error != NULL && (error->code == ERROR_DENIED || error->code == ERROR_INVALID);
    if (error != NULL && !wrong)
        keep_locked(incoming);
    else if (incoming->sealed && wrong)
        refuse(incoming, POST_NOT_GENUINE);
    else if (incoming->sealed)
        give_letter(incoming, true);
    else
        give_inner(incoming, wrong ? "bad-signature" : "signed");
}

static void verify(struct incoming *incoming, struct bytes covered, struct bytes signature, struct bytes key,
                   const uint8_t fingerprint[20])
{
    incoming->stage = INCOMING_VERIFYING;
    incoming->request = keyring_post_verify(gateway_of(incoming)->keyring, covered, signature,
                                            incoming->sealed, key, fingerprint, verified, incoming);
    if (incoming->request == 0)
        keep_locked(incoming);
}

static void verify_letter(struct incoming *incoming)
{
    const struct post_letter *letter = &incoming->letter;
    const struct account *account = incoming->in->account;
    const struct contact *contact = contact_by_fingerprint(account, letter->sender);
    if (memcmp(letter->recipient, account->fingerprint, sizeof letter->recipient) != 0)
        refuse(incoming, POST_NOT_GENUINE);
    else if (contact != NULL)
        verify(incoming, letter->covered, letter->signature, buffer_view(&contact->key_block),
               contact->fingerprint);
    else if (own_key(incoming))
        verify(incoming, letter->covered, letter->signature, buffer_view(&incoming->autocrypt),
               letter->sender);
    else
        give_letter(incoming, false);
}

static void verify_inner(struct incoming *incoming)
{
    const struct post_inner *inner = incoming->inner;
    const struct contact *contact = contact_by_id(incoming->in->account, inner->sender);
    if (inner->signature.size == 0)
        give_inner(incoming, "unsigned");
    else if (contact == NULL)
        give_inner(incoming, "unknown-sender");
    else
        verify(incoming, inner->covered, inner->signature, buffer_view(&contact->key_block),
               contact->fingerprint);
}

/* --- opening */

static bool parse(struct incoming *incoming)
{
    struct bytes plain = buffer_view(&incoming->plain);
    if (incoming->sealed)
        return post_letter_parse(&incoming->letter, plain);
    incoming->inner = calloc(1, sizeof *incoming->inner);
    return incoming->inner != NULL && post_inner_parse(incoming->inner, plain);
}

static void opened(void *arg, const struct keyring_answer *answer)
{
    struct incoming *incoming = arg;
    const struct error *error = answer->error;
    incoming->request = 0;
    if (incoming->in->closed)
        return;
    if (error != NULL) {
        if (error->code == ERROR_INVALID || error->code == ERROR_DENIED)
            refuse(incoming, POST_NOT_READABLE);
        else
            keep_locked(incoming);
        return;
    }
    incoming->plain = buffer_make(answer->text.size);
    if (!buffer_append_bytes(&incoming->plain, answer->text)) {
        keep_locked(incoming);
        return;
    }
    if (incoming->sealed)
        buffer_free(&incoming->message);
    if (!parse(incoming))
        refuse(incoming, POST_NOT_READABLE);
    else if (incoming->sealed)
        verify_letter(incoming);
    else
        verify_inner(incoming);
}

static void open_message(struct incoming *incoming)
{
    const struct account *account = incoming->in->account;
    char home[VAULT_HOME_SIZE];
    if (!account->unlocked) {
        keep_locked(incoming);
        return;
    }
    struct keyring_secret secret = vault_secret(account, home);
    incoming->stage = INCOMING_OPENING;
    incoming->request = keyring_post_open(account->gateway->keyring, &secret, buffer_view(&incoming->message),
                                          opened, incoming);
    if (incoming->request == 0)
        keep_locked(incoming);
}

static size_t size_of(const struct incoming *incoming)
{
    return buffer_size(&incoming->message) + buffer_size(&incoming->plain);
}

static bool is_large(const struct incoming *incoming)
{
    return size_of(incoming) > POST_IN_LARGE;
}

void incoming_work(struct post_in *in)
{
    struct incoming *incoming, *next;
    unsigned count = 0;
    bool large = false;
    DL_FOREACH(in->incoming, incoming)
    {
        if (incoming->stage != INCOMING_OPENING && incoming->stage != INCOMING_VERIFYING)
            continue;
        count++;
        large |= is_large(incoming);
    }
    DL_FOREACH_SAFE(in->incoming, incoming, next)
    {
        if (count >= POST_IN_OPENING)
            return;
        if (incoming->stage != INCOMING_QUEUED || (large && is_large(incoming)))
            continue;
        count++;
        large |= is_large(incoming);
        open_message(incoming);
    }
}

static void keep_to_the_end(struct incoming *incoming)
{
    if (!incoming->sealed && incoming->replaces == 0) {
        incoming->held = true;
        gateway_work_begin(gateway_of(incoming));
    }
    keep_locked(incoming);
}

void incoming_close_all(struct post_in *in)
{
    struct incoming *incoming, *next;
    DL_FOREACH_SAFE(in->incoming, incoming, next)
    {
        bool keyring = incoming->stage == INCOMING_OPENING || incoming->stage == INCOMING_VERIFYING;
        if (!keyring && incoming->stage != INCOMING_QUEUED)
            continue;
        if (incoming->request != 0)
            keyring_cancel(gateway_of(incoming)->keyring, incoming->request);
        incoming->request = 0;
        keep_to_the_end(incoming);
    }
}

static void enqueue(struct incoming *incoming)
{
    incoming->stage = INCOMING_QUEUED;
    owner_mark_dirty(&incoming->in->owner);
}

/* --- from the receiver */

static bool has_room(const struct post_in *in)
{
    const struct incoming *incoming;
    unsigned count = 0;
    size_t size = 0;
    DL_FOREACH(in->incoming, incoming)
    {
        count++;
        size += size_of(incoming);
    }
    return count < POST_IN_MESSAGES && size < POST_IN_MEMORY;
}

static bool disk_full(const struct gateway *gateway)
{
    struct store_stats stats;
    store_stats(gateway->store, &stats);
    return stats.disk_full;
}

static struct incoming *from_receiver(struct post_in *in, const struct post_receiver_output *output,
                                      const char *level)
{
    struct incoming *incoming = has_room(in) ? incoming_new(in) : NULL;
    if (incoming == NULL)
        return NULL;
    incoming->post = output->post;
    incoming->sealed = output->sealed;
    incoming->level = level;
    memcpy(incoming->hash, output->hash, sizeof incoming->hash);
    memcpy(incoming->digest, output->digest, sizeof incoming->digest);
    return incoming;
}

static void ask(struct incoming *incoming, enum incoming_stage stage, store_known_fn *done)
{
    struct post_mark mark = {0};
    memcpy(mark.digest, incoming->digest, sizeof mark.digest);
    incoming->stage = stage;
    store_post_known(gateway_of(incoming)->store, incoming->in->account->id, &mark, done, incoming);
}

static void offer_known(void *arg, bool known, const struct error *error)
{
    struct incoming *incoming = arg;
    struct post_in *in = incoming->in;
    if (in == NULL) {
        free(incoming);
        return;
    }
    int answer = error != NULL ? POST_NOT_NOW : known ? POST_KNOWN : 0;
    if (!in->closed)
        post_receiver_offer(in->receiver, incoming->post, answer, uv_now(gateway_of(incoming)->loop));
    leave(incoming);
}

void incoming_offered(struct post_in *in, const struct post_receiver_output *output, const char *level)
{
    uint64_t now = uv_now(in->account->gateway->loop);
    struct incoming *incoming =
        in->account->unlocked && !disk_full(in->account->gateway) ? from_receiver(in, output, level) : NULL;
    if (incoming == NULL)
        post_receiver_offer(in->receiver, output->post, POST_NOT_NOW, now);
    else
        ask(incoming, INCOMING_OFFERED, offer_known);
}

static void message_known(void *arg, bool known, const struct error *error)
{
    struct incoming *incoming = arg;
    if (incoming->in == NULL)
        free(incoming);
    else if (error != NULL)
        refuse(incoming, POST_NOT_NOW);
    else if (known)
        stored(incoming);
    else if (incoming->in->closed)
        keep_to_the_end(incoming);
    else
        enqueue(incoming);
}

void incoming_arrived(struct post_in *in, const struct post_receiver_output *output, const char *level)
{
    struct incoming *incoming = from_receiver(in, output, level);
    if (incoming == NULL) {
        buffer_free(output->message);
        post_receiver_refused(in->receiver, output->post, POST_NOT_NOW, uv_now(in->account->gateway->loop));
        return;
    }
    incoming->message = *output->message;
    *output->message = (struct buffer){0};
    if (incoming->sealed) /* it was asked when it was offered */
        enqueue(incoming);
    else
        ask(incoming, INCOMING_ASKED, message_known);
}

/* --- what was locked */

static void locked_read(void *arg, struct bytes message, const struct error *error)
{
    struct incoming *incoming = arg;
    if (incoming->in == NULL) {
        free(incoming);
        return;
    }
    incoming->message = buffer_make(message.size);
    if (error != NULL || !buffer_append_bytes(&incoming->message, message))
        refuse(incoming, POST_NOT_NOW);
    else
        enqueue(incoming);
}

void incoming_open_locked(struct post_in *in)
{
    struct post_locked *locked;
    struct incoming *incoming;
    DL_SEARCH_SCALAR(in->account->posts.locked, locked, opening, false);
    if (!in->account->unlocked || locked == NULL || in->closed)
        return;
    DL_FOREACH(in->incoming, incoming)
    {
        if (incoming->replaces != 0)
            return;
    }
    if ((incoming = incoming_new(in)) == NULL)
        return;
    locked->opening = true;
    incoming->replaces = locked->seq;
    incoming->level = strcmp(locked->level, "open") == 0 ? "open" : "universal";
    memcpy(incoming->hash, locked->hash, sizeof incoming->hash);
    incoming->stage = INCOMING_READ;
    post_locked_read(in->account, locked->seq, locked_read, incoming);
}
