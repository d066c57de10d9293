/* SPDX-License-Identifier: ISC */
/* What is sought for a contact for whom posts wait, and what its sender puts out. */
#include "core/post_out.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static const struct owner_acts acts;

static struct post_out *out_of(struct hash_owner *owner)
{
    return (struct post_out *)((char *)owner - offsetof(struct post_out, owner));
}

static struct gateway *gateway_of(const struct post_out *out)
{
    return out->contact->account->gateway;
}

uint64_t post_out_now(const struct post_out *out)
{
    return uv_now(gateway_of(out)->loop);
}

void post_out_touch(struct post_out *out)
{
    owner_mark_dirty(&out->owner);
}

bool post_out_strict(const struct contact *contact)
{
    return contact->posts_sealed || (contact->conversation != NULL && contact->conversation->standing.sealed);
}

/* --- the places of those that hold letters */

static void next_in_line(struct gateway *gateway)
{
    struct post_out *out = gateway->post_line;
    if (out == NULL)
        return;
    LL_DELETE2(gateway->post_line, out, next_in_line);
    out->in_line = false;
    post_out_touch(out);
}

static void stand_in_line(struct post_out *out)
{
    struct gateway *gateway = gateway_of(out);
    if (!out->in_line)
        LL_APPEND2(gateway->post_line, out, next_in_line);
    out->in_line = true;
}

static void leave_line(struct post_out *out)
{
    if (out->in_line)
        LL_DELETE2(gateway_of(out)->post_line, out, next_in_line);
    out->in_line = false;
}

static unsigned working(const struct post_out *out)
{
    const struct letter *letter;
    unsigned count = 0;
    DL_FOREACH(out->letters, letter)
    count += letter_works(letter);
    return count;
}

static bool get_place(struct post_out *out, const struct letter *letter)
{
    struct gateway *gateway = gateway_of(out);
    bool memory =
        gateway->post_memory == 0 || gateway->post_memory + (size_t)letter->delivery->size <= POST_OUT_MEMORY;
    bool turn = gateway->post_line == NULL || out->begun < POST_OUT_TURN;
    if (!memory || !turn || (!out->busy && gateway->post_senders >= POST_OUT_BUSY)) {
        stand_in_line(out);
        return false;
    }
    leave_line(out);
    gateway->post_senders += !out->busy;
    out->busy = true;
    out->begun++;
    return true;
}

static void give_place_back(struct post_out *out)
{
    struct gateway *gateway = gateway_of(out);
    if (!out->busy || working(out) > 0)
        return;
    out->busy = false;
    out->begun = 0;
    gateway->post_senders--;
    next_in_line(gateway);
}

/* --- the sender */

static void forget_checks(struct post_out *out)
{
    struct post_check *check, *next;
    DL_FOREACH_SAFE(out->checks, check, next)
    {
        keyring_cancel(gateway_of(out)->keyring, check->request);
        free(check);
    }
    out->checks = NULL;
}

static void stop_sender(struct post_out *out)
{
    struct letter *letter, *next;
    if (out->sender == NULL)
        return;
    owner_stop(&out->owner);
    DL_FOREACH_SAFE(out->letters, letter, next)
    {
        /* A classic one was handed over at once, and is committed as not confirmed. */
        if (letter->stage == LETTER_GIVEN && letter->wire == POST_WIRE_CLASSIC) {
            post_release(letter->delivery);
            letter_free(letter);
        } else if (letter->stage == LETTER_GIVEN || letter->stage == LETTER_READY ||
                   letter->stage == LETTER_SEALING) {
            letter_wait(letter, 0);
        }
    }
    forget_checks(out);
    post_sender_free(out->sender);
    out->sender = NULL;
    out->tunnels = 0;
    out->yields = false;
}

/* Another account of this gateway seeks the same recipient: it gives way when it has nothing to send. */
static void ask_for_hash(struct post_out *out, const uint8_t hash[20])
{
    const struct owned_hash *entry = hash_find(gateway_of(out), hash, ROUTER_INITIATOR);
    struct post_out *other = entry != NULL && entry->owner->acts == &acts ? out_of(entry->owner) : NULL;
    if (other == NULL || other == out)
        return;
    other->yields = true;
    if (other->letters == NULL)
        stop_sender(other);
}

static void start_sender(struct post_out *out)
{
    uint8_t secret[32], hash[20];
    struct post_sender_options options = {.sealed_only = out->sealed_only, .started = clock_wall_ms()};
    const struct contact *contact = out->contact;
    out->way = way_of(contact, out->turn, clock_wall_ms());
    if (!way_open(&out->way, hash, secret))
        return;
    memcpy(options.hash, hash, sizeof options.hash);
    memcpy(options.recipient, contact->fingerprint, sizeof options.recipient);
    if (out->way.route != NULL)
        options.secret = secret;
    out->way.route = NULL;
    out->sender = post_sender_new(&options, gateway_of(out)->random, post_out_now(out));
    OPENSSL_cleanse(secret, sizeof secret);
    out->lost = post_out_now(out);
    ask_for_hash(out, hash);
    if (out->sender != NULL && hash_seek(&out->owner, hash, DIG_WAITING) == NULL)
        stop_sender(out);
}

/* Letters that may go classic although the contact takes sealed ones are not to wait behind the others. */
static bool wants_sealed_only(const struct post_out *out)
{
    const struct letter *letter;
    bool strict = post_out_strict(out->contact);
    DL_FOREACH(out->letters, letter)
    strict &= !letter->delivery->lowered || letter->stage == LETTER_SETTLING;
    return strict;
}

static bool sender_fits(const struct post_out *out)
{
    if (post_sender_wire(out->sender) != POST_WIRE_SEALED && out->letters != NULL &&
        out->sealed_only != wants_sealed_only(out))
        return false;
    /* What works stays; else the way may be a better one, or it is another day. */
    if (out->tunnels > 0 && working(out) > 0)
        return true;
    struct way way = way_of(out->contact, out->turn, clock_wall_ms());
    return way_equal(&way, &out->way);
}

static void ensure_sender(struct post_out *out)
{
    uint64_t now = post_out_now(out);
    if (out->sender != NULL && out->tunnels == 0 && now >= out->lost + POST_OUT_WAY_MS) {
        out->turn++;
        out->lost = now;
    }
    if (out->sender != NULL && !sender_fits(out))
        stop_sender(out);
    if (out->sender != NULL || out->letters == NULL || now < out->retry)
        return;
    out->sealed_only = wants_sealed_only(out);
    start_sender(out);
    if (out->sender == NULL)
        out->retry = now + POST_OUT_TURN_MS;
}

/* --- letters */

static bool may_leave(const struct letter *letter, enum post_wire wire)
{
    return wire == POST_WIRE_SEALED || letter->delivery->lowered || !post_out_strict(letter->out->contact);
}

static void take_more(struct post_out *out)
{
    unsigned count = 0;
    const struct letter *letter;
    int64_t now = clock_wall_ms(), due = INT64_MAX;
    struct post_delivery *delivery;
    DL_COUNT(out->letters, letter, count);
    /* When it is full, a letter that ends wakes it; a time of the past would do so without end. */
    out->wake = UINT64_MAX;
    if (count >= POST_OUT_TAKEN)
        return;
    while (count < POST_OUT_TAKEN && (delivery = post_take(out->contact, now, &due)) != NULL) {
        count++;
        if (letter_new(out, delivery) == NULL) {
            post_release(delivery);
            due = now + POST_OUT_RETRY_MS;
            break;
        }
    }
    if (count < POST_OUT_TAKEN && due != INT64_MAX)
        out->wake = post_out_now(out) + (due > now ? (uint64_t)(due - now) : 0);
}

/* In the order of sending, as far as each may leave. */
static void send_letters(struct post_out *out)
{
    enum post_wire wire = post_sender_wire(out->sender);
    unsigned under_way = 0, room = post_sender_room(out->sender);
    struct letter *letter, *next;
    DL_FOREACH_SAFE(out->letters, letter, next)
    {
        if (letter->stage == LETTER_READY && letter_give(letter))
            room -= room > 0;
        else
            under_way += letter_works(letter) && letter->stage != LETTER_GIVEN;
    }
    DL_FOREACH_SAFE(out->letters, letter, next)
    {
        if (under_way >= room)
            return;
        if (letter->stage != LETTER_WAITS || letter->retry != 0 || !may_leave(letter, wire))
            continue;
        if (!get_place(out, letter))
            return;
        letter_begin(letter);
        under_way++;
    }
}

static void try_again(struct post_out *out)
{
    struct letter *letter, *next;
    DL_FOREACH_SAFE(out->letters, letter, next)
    {
        if (letter->retry == 0 || letter->retry > post_out_now(out))
            continue;
        letter->retry = 0;
        if (letter->stage == LETTER_SETTLING)
            letter_settle_again(letter);
    }
}

/* Their memory is for those that have a tunnel. */
static void drop_kept(struct post_out *out)
{
    uint64_t kept = gateway_of(out)->post_line != NULL ? POST_OUT_KEPT_WANTED_MS : POST_OUT_KEPT_MS;
    struct letter *letter;
    if (out->tunnels > 0 || post_out_now(out) < out->lost + kept)
        return;
    DL_FOREACH(out->letters, letter)
    {
        if (letter->stage == LETTER_READY ||
            (letter->stage == LETTER_GIVEN && letter->wire == POST_WIRE_SEALED))
            letter_wait(letter, 0);
    }
}

/* --- what the sender puts out */

static void checked(void *arg, const struct keyring_answer *answer)
{
    struct post_check *check = arg;
    struct post_out *out = check->out;
    int64_t left = answer->signed_at + 86400 - clock_wall_ms() / 1000;
    DL_DELETE(out->checks, check);
    if (out->sender != NULL)
        post_sender_checked(out->sender, check->id, answer->error == NULL && left > 0,
                            left > 0 ? (uint64_t)left : 0, post_out_now(out));
    free(check);
    post_out_touch(out);
}

static void check_greeting(struct post_out *out, const struct post_sender_output *output)
{
    const struct contact *contact = out->contact;
    struct post_check *check = calloc(1, sizeof *check);
    if (check != NULL) {
        *check = (struct post_check){.out = out, .id = output->check};
        check->request =
            keyring_post_check(gateway_of(out)->keyring, output->day_key, output->signature,
                               buffer_view(&contact->key_block), contact->fingerprint, checked, check);
    }
    if (check == NULL || check->request == 0) {
        free(check);
        post_sender_checked(out->sender, output->check, false, 0, post_out_now(out));
        return;
    }
    DL_APPEND(out->checks, check);
}

/* By enum post_refusal. */
static const char *const refusals[] = {
    [POST_TOO_LARGE] = "it is larger than the recipient takes",
    [POST_TOO_MANY] = "the recipient takes no more posts from you for now",
    [POST_NOT_NOW] = "the recipient's gateway cannot take it now",
    [POST_NOT_READABLE] = "the recipient's gateway could not open it; its key may be another one now",
    [POST_NOT_GENUINE] = "the recipient's gateway found its signature or addressee wrong",
    [POST_NOT_WANTED] = "the recipient does not want posts from you",
};

static int64_t back_off(struct post_out *out)
{
    int64_t wait = POST_OUT_REFUSED_MIN_MS;
    for (unsigned i = 0; i < out->refusals && wait < POST_OUT_REFUSED_MAX_MS; i++)
        wait *= 2;
    out->refusals++;
    return wait < POST_OUT_REFUSED_MAX_MS ? wait : POST_OUT_REFUSED_MAX_MS;
}

static void refused(struct post_out *out, struct letter *letter, const struct post_sender_output *output)
{
    bool known = output->code < sizeof refusals / sizeof *refusals && refusals[output->code] != NULL;
    struct post_outcome outcome = {.delivery = output->temporary ? "queued" : "failed",
                                   .reason = known ? refusals[output->code] : "the recipient refused it",
                                   .level = out->way.level};
    if (output->temporary)
        outcome.next = clock_wall_ms() + back_off(out);
    letter_settle(letter, &outcome);
}

static void delivered(struct post_out *out, struct letter *letter)
{
    out->refusals = 0;
    letter_settle(
        letter, &(struct post_outcome){
                    .delivery = "delivered", .reason = "", .protection = "sealed", .level = out->way.level});
}

static void left(struct post_out *out, struct letter *letter)
{
    if (!out->contact->posts_classic && !out->contact->posts_sealed)
        post_learn(out->contact, false);
    post_release(letter->delivery);
    letter_free(letter);
}

static void returned(struct letter *letter)
{
    if (letter->wire == POST_WIRE_CLASSIC)
        letter_settle(letter, &(struct post_outcome){.delivery = "queued", .reason = ""});
    else
        letter_wait(letter, 0);
}

static void sender_output(struct post_out *out, const struct post_sender_output *output)
{
    struct letter *letter = letter_find(out, output->post);
    switch (output->kind) {
    case POST_SENDER_SEND:
        tunnel_send(&out->owner, output->tunnel, output->payload);
        break;
    case POST_SENDER_CHECK:
        check_greeting(out, output);
        break;
    case POST_SENDER_WIRE:
        if (post_sender_wire(out->sender) == POST_WIRE_SEALED && !out->contact->posts_sealed)
            post_learn(out->contact, true);
        break;
    case POST_SENDER_CLOSE_TUNNEL:
        tunnel_close(&out->owner, output->tunnel);
        break;
    case POST_SENDER_CONFIRMED:
        tunnel_confirm(&out->owner, output->tunnel);
        break;
    case POST_SENDER_DELIVERED:
        if (letter != NULL)
            delivered(out, letter);
        break;
    case POST_SENDER_LEFT:
        if (letter != NULL)
            left(out, letter);
        break;
    case POST_SENDER_REFUSED:
        if (letter != NULL)
            refused(out, letter, output);
        break;
    case POST_SENDER_RETURNED:
        if (letter != NULL)
            returned(letter);
        break;
    }
}

/* --- as an owner of a hash */

static void up(struct owned_hash *entry, uint64_t tunnel)
{
    struct post_out *out = out_of(entry->owner);
    if (out->sender == NULL)
        return;
    if (out->tunnels++ == 0)
        out->found = post_out_now(out);
    post_sender_tunnel_up(out->sender, tunnel, post_out_now(out));
}

static void down(struct owned_hash *entry, uint64_t tunnel, const char *reason)
{
    (void)reason;
    struct post_out *out = out_of(entry->owner);
    if (out->sender == NULL)
        return;
    if (out->tunnels > 0 && --out->tunnels == 0)
        out->lost = post_out_now(out);
    post_sender_tunnel_down(out->sender, tunnel, post_out_now(out));
}

static void receive(struct owned_hash *entry, uint64_t tunnel, struct bytes payload)
{
    struct post_out *out = out_of(entry->owner);
    if (out->sender != NULL)
        post_sender_receive(out->sender, tunnel, payload, post_out_now(out));
}

static void tick(struct hash_owner *owner)
{
    struct post_out *out = out_of(owner);
    if (out->sender != NULL)
        post_sender_tick(out->sender, post_out_now(out));
}

static void out_free(struct post_out *out)
{
    while (out->letters != NULL)
        letter_free(out->letters);
    stop_sender(out);
    give_place_back(out);
    leave_line(out);
    owner_clear(&out->owner);
    out->contact->post_out = NULL;
    free(out);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t deadline(const struct post_out *out)
{
    uint64_t now = post_out_now(out), due = out->wake;
    const struct letter *letter;
    DL_FOREACH(out->letters, letter)
    due = earlier(due, letter->retry != 0 ? letter->retry : UINT64_MAX);
    if (out->sender == NULL)
        return earlier(due, out->retry > now ? out->retry : now + POST_OUT_TURN_MS);
    due = earlier(due, post_sender_deadline(out->sender));
    due = earlier(due, out->idle != 0 ? out->idle + POST_OUT_LINGER_MS : UINT64_MAX);
    if (out->tunnels == 0)
        due = earlier(due, now + (out->busy ? POST_OUT_KEPT_WANTED_MS : POST_OUT_LOOK_MS));
    return due;
}

static void rest(struct post_out *out)
{
    uint64_t now = post_out_now(out);
    if (out->letters != NULL) {
        out->idle = 0;
        /* What cannot leave, such as for want of a greeting, is not to keep others from it. */
        if (out->yields && out->tunnels > 0 && working(out) == 0 && now >= out->found + POST_OUT_LINGER_MS) {
            stop_sender(out);
            out->retry = now + POST_OUT_LINGER_MS;
        }
        return;
    }
    if (out->idle == 0)
        out->idle = now != 0 ? now : 1;
    if (out->tunnels == 0 || out->yields || now >= out->idle + POST_OUT_LINGER_MS)
        stop_sender(out);
}

static void take(struct hash_owner *owner)
{
    struct post_out *out = out_of(owner);
    struct post_sender_output output;
    const struct gateway *gateway = gateway_of(out);
    if (out->closed)
        return;
    while (out->sender != NULL && post_sender_next(out->sender, &output))
        sender_output(out, &output);
    try_again(out);
    drop_kept(out);
    if (out->contact->account->unlocked && !out->contact->leaving && gateway->phase != NODE_CLOSING) {
        take_more(out);
        ensure_sender(out);
        if (out->sender != NULL && post_sender_can_send(out->sender))
            send_letters(out);
    }
    rest(out);
    give_place_back(out);
    if (out->letters == NULL && out->sender == NULL && out->wake == UINT64_MAX)
        out_free(out);
    else
        owner_set_timer(owner, deadline(out));
}

static const struct owner_acts acts = {
    .hashes_max = 1,
    .up = up,
    .down = down,
    .receive = receive,
    .tick = tick,
    .take = take,
};

/* --- for the desk */

void post_out_wake(struct contact *contact)
{
    struct post_out *out = contact->post_out;
    if (contact->leaving || contact->account->removed)
        return;
    if (out == NULL) {
        if ((out = calloc(1, sizeof *out)) == NULL)
            return;
        *out = (struct post_out){.contact = contact, .wake = UINT64_MAX};
        out->owner.acts = &acts;
        out->owner.account = contact->account;
        contact->post_out = out;
    }
    /* A search that backs off is worth one more. */
    if (out->owner.hashes != NULL && out->tunnels == 0)
        hash_seek(&out->owner, out->owner.hashes->key.hash, DIG_WAITING);
    post_out_touch(out);
}

void post_out_forget(struct post_delivery *delivery)
{
    struct post_out *out = delivery->contact->post_out;
    struct letter *letter = NULL;
    if (out != NULL)
        DL_SEARCH_SCALAR(out->letters, letter, delivery, delivery);
    if (letter != NULL)
        letter_free(letter);
}

void post_out_contact_gone(struct contact *contact)
{
    if (contact->post_out != NULL)
        out_free(contact->post_out);
}

void posts_out_wake(struct account *account)
{
    struct contact *contact, *next;
    HASH_ITER(hh, account->contacts, contact, next)
    {
        if (contact->deliveries != NULL)
            post_out_wake(contact);
    }
}

void posts_out_close(struct gateway *gateway)
{
    for (struct account *account = gateway->accounts; account != NULL; account = account->hh.next) {
        for (struct contact *contact = account->contacts; contact != NULL; contact = contact->hh.next) {
            if (contact->post_out == NULL)
                continue;
            stop_sender(contact->post_out);
            contact->post_out->closed = true;
        }
    }
}
