/* SPDX-License-Identifier: ISC */
#include "core/invites.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "base/log.h"
#include "core/changes.h"
#include "core/commands.h"
#include "core/contacts.h"
#include "core/conversations.h"
#include "core/rows.h"
#include "core/text.h"
#include "core/vault.h"
#include "core/write.h"
#include "wire/link.h"

enum { OPEN_OFFERS_MAX = 256 }; /* of an account: each is a hash that the router serves */
static const int64_t DAY_S = 86400;

static json_t *with_link(const struct invite *invite)
{
    json_t *object = json_of_invite(invite);
    struct buffer link = buffer_make(1 << 16);
    link.secret = true;
    if (invite->own && strcmp(invite->state, "open") == 0 && invite->link_wrapped.memory != NULL &&
        vault_unwrap_for(invite->account, "link", buffer_view(&invite->link_wrapped), &link))
        json_object_set_new(object, "link", json_string(buffer_string(&link)));
    buffer_free(&link);
    return object;
}

/* An invite, its route and, where there was none, the conversation: made together, stored together. */
struct offer {
    struct call *call;
    struct account *account;
    struct contact *contact;
    int64_t contact_change;
    struct invite *invite;
    struct route *route;
    struct buffer blob; /* opening: what is to be decrypted */
    int64_t hint_expires;
    json_t *warnings;
    bool named;             /* the inviter's key came with the call */
    const char *protection; /* making: the word of the command, which lives in the call */
    struct contact *guess;  /* whose key was tried, or is meant by the invite itself */
    struct error *error;    /* why the guess failed */
};

static void offer_free(struct offer *offer)
{
    if (offer->invite != NULL) {
        buffer_free(&offer->invite->link_wrapped);
        free(offer->invite);
    }
    if (offer->route != NULL) {
        OPENSSL_cleanse(offer->route->keys, sizeof offer->route->keys);
        buffer_free(&offer->route->keys_wrapped);
        free(offer->route);
    }
    buffer_free(&offer->blob);
    json_decref(offer->warnings);
    error_free(offer->error);
    free(offer);
}

static void offer_fail(struct offer *offer, const struct error *error)
{
    call_fail_copy(offer->call, error);
    offer_free(offer);
}

static void offer_out_of_memory(struct offer *offer)
{
    offer_fail(offer, &(struct error){ERROR_INTERNAL, "out of memory"});
}

static struct offer *offer_new(struct call *call)
{
    struct offer *offer = calloc(1, sizeof *offer);
    if (offer == NULL)
        return NULL;
    offer->call = call;
    offer->account = call->account;
    offer->invite = calloc(1, sizeof *offer->invite);
    offer->route = calloc(1, sizeof *offer->route);
    offer->warnings = json_array();
    if (offer->invite == NULL || offer->route == NULL) {
        offer_free(offer);
        return NULL;
    }
    offer->invite->id = next_id(call->gateway);
    offer->invite->account = call->account;
    offer->invite->created = offer->route->created = clock_wall_ms();
    snprintf(offer->invite->state, sizeof offer->invite->state, "open");
    offer->route->id = next_id(call->gateway);
    offer->route->invite = offer->invite->id;
    return offer;
}

/* The first offer that is stored brings the conversation with a new contact. False without memory: then the
 * conversation is kept for the next offer, under the id that is stored. */
static bool take_conversation(struct contact *contact, int64_t change)
{
    struct account *account = contact->account;
    struct conversation *conversation = contact->conversation;
    if (conversation == NULL) {
        conversation = contact->coming;
        HASH_ADD(hh, account->conversations, id, sizeof conversation->id, conversation);
        if (conversation->hh.tbl == NULL) {
            conversation->asking--;
            return false;
        }
        contact->conversation = conversation;
        contact->coming = NULL;
        contact->change = change;
        ring_put(account, contact->change, "contact", json_of_contact(contact));
    }
    conversation->asking--;
    conversation->standing.open = true;
    conversation->standing.closed_at = 0;
    return true;
}

static void give_up_conversation(struct contact *contact)
{
    struct conversation *conversation =
        contact->conversation != NULL ? contact->conversation : contact->coming;
    conversation->asking--;
    if (contact->offers > 0 || contact->coming == NULL)
        return;
    conversation_free(contact->coming);
    contact->coming = NULL;
}

static void offer_stored(void *arg, const struct error *error)
{
    struct offer *offer = arg;
    struct account *account = offer->account;
    struct contact *contact = offer->contact;
    contact->offers--;
    if (error != NULL) {
        give_up_conversation(contact);
        offer_fail(offer, error);
        return;
    }
    struct invite *invite = offer->invite;
    struct route *route = offer->route;
    bool taken = take_conversation(contact, offer->contact_change);
    if (taken)
        HASH_ADD(hh, account->invites, id, sizeof invite->id, invite);
    if (!taken || invite->hh.tbl == NULL) {
        offer_fail(offer, &stored_only);
        return;
    }
    struct conversation *conversation = contact->conversation;
    offer->invite = NULL;
    offer->route = NULL;
    DL_APPEND(conversation->routes, route);
    ring_put(account, invite->change, "invite", json_of_invite(invite));
    if (!route_start(route))
        log_error("core", "event=route-not-started route=%s", log_name(&route->id, sizeof route->id));
    route->wanted = true;
    conversation_changed(conversation);
    conversation_settle(conversation);
    if (invite->own) {
        call_done(offer->call, with_link(invite));
    } else {
        json_t *result = json_of_conversation(conversation);
        json_object_set_new(result, "contact", json_of_contact(contact));
        json_object_set(result, "warnings", offer->warnings);
        call_done(offer->call, result);
    }
    conversation_wake(conversation);
    offer_free(offer);
}

static void put_offer(struct offer *offer, struct conversation *conversation, struct write *write)
{
    offer->invite->change = write_change(write);
    struct contact contact = contact_as_asked(offer->contact);
    contact.change = offer->contact_change = write_change(write);
    struct conversation stored = conversation_as_asked(conversation);
    stored.standing.open = true;
    stored.standing.closed_at = 0;
    stored.change = write_change(write);
    conversation->asking++;
    conversation->asked = stored.standing;
    offer->contact->offers++;
    if (offer->contact->conversation == NULL)
        put_contact(write->batch, &contact);
    put_conversation(write->batch, &stored);
    put_invite(write->batch, offer->invite);
    put_route(write->batch, offer->route);
}

static void offer_store(struct offer *offer)
{
    struct account *account = offer->account;
    struct route *route = offer->route;
    if (offer->contact->leaving) {
        offer_fail(offer, &(struct error){ERROR_NOT_FOUND, "the contact was removed meanwhile"});
        return;
    }
    struct conversation *conversation = contact_conversation(offer->contact);
    struct write *write = conversation != NULL ? write_begin(account->gateway, account) : NULL;
    route->conversation = conversation;
    route->role = offer->invite->own ? CHAT_INVITER : CHAT_GUEST;
    account->gateway->random->fill(account->gateway->random->state, route->keys + 16, 16);
    offer->invite->contact = offer->contact;
    if (write == NULL || !vault_close_route(route)) {
        if (write != NULL)
            write_discard(write);
        offer_out_of_memory(offer);
        return;
    }
    OPENSSL_cleanse(route->keys, sizeof route->keys);
    put_offer(offer, conversation, write);
    write_commit(write, offer_stored, offer);
}

static bool usable(const struct account *account, struct error **error)
{
    return account->unlocked ||
           error_set(error, ERROR_LOCKED, "the vault is locked; run retrogatectl unlock");
}

/* C of SEALED.md §3: both sides know the invite by its blob. */
static void keep_context(struct offer *offer, struct bytes blob)
{
    SHA256(blob.data, blob.size, offer->route->context);
}

/* --- making one */

/* What an invite allows, by the word of the command. A conversation that was sealed makes no other ones,
 * until its person lowers it. */
static const struct protection {
    const char *word;
    bool sealed, sealed_only;
    enum keyring_sealing announced;
    enum chat_sealing sealing;
} protections[] = {
    {"any", true, false, KEYRING_SEALING_SUPPORTED, CHAT_SEALING_MAY},
    {"sealed", true, true, KEYRING_SEALING_ONLY, CHAT_SEALING_MUST},
    {"classic", false, false, KEYRING_SEALING_NONE, CHAT_SEALING_NEVER},
};

static const struct protection *protection_by_word(const char *word)
{
    for (size_t i = 0; i < sizeof protections / sizeof *protections; i++) {
        if (strcmp(protections[i].word, word) == 0)
            return &protections[i];
    }
    return NULL;
}

static bool was_sealed(const struct contact *contact)
{
    return contact != NULL && contact->conversation != NULL &&
           conversation_as_asked(contact->conversation).standing.sealed;
}

static bool may_be_classic(const struct contact *contact, struct error **error)
{
    return !was_sealed(contact) ||
           error_set(
               error, ERROR_DENIED,
               "the conversation with %s is sealed, and a classic invite would take that back; if you want "
               "that, lower the conversation first (conversation.lower, or the verb lower)",
               contact->naming.handle);
}

static void invite_made(void *arg, const struct keyring_answer *answer)
{
    struct offer *offer = arg;
    struct account *account = offer->account;
    if (answer->error != NULL) {
        offer_fail(offer, answer->error);
        return;
    }
    char id[17];
    struct buffer link = buffer_make(1 << 16);
    link.secret = true;
    hex_upper(id, offer->contact->fingerprint + 12, 8);
    offer->invite->link_wrapped = buffer_make(1 << 16);
    keep_context(offer, answer->link_blob);
    bool good = link_write_private_chat(&link, offer->invite->expires / 1000, id, answer->link_blob,
                                        offer->invite->sealed) &&
                vault_wrap_for(account, "link", buffer_view(&link), &offer->invite->link_wrapped);
    buffer_free(&link);
    if (good)
        offer_store(offer);
    else
        offer_out_of_memory(offer);
}

static void invite_for(struct offer *offer, struct contact *contact)
{
    struct account *account = offer->account;
    const struct random_source *random = account->gateway->random;
    char home[VAULT_HOME_SIZE];
    struct keyring_secret secret = vault_secret(account, home);
    struct keyring_invite invite = {
        .expires = offer->invite->expires / 1000,
        .addressee = buffer_view(&contact->key_block),
    };
    const struct protection *protection = protection_by_word(offer->protection);
    struct error *error = NULL;
    if (!protection->sealed && !may_be_classic(contact, &error)) {
        offer_fail(offer, error);
        error_free(error);
        return;
    }
    if (was_sealed(contact))
        protection = protection_by_word("sealed");
    invite.sealing = protection->announced;
    offer->route->sealing = protection->sealing;
    offer->invite->sealed = protection->sealed;
    offer->invite->sealed_only = protection->sealed_only;
    offer->contact = contact;
    random->fill(random->state, offer->route->hash, sizeof offer->route->hash);
    random->fill(random->state, offer->route->keys, 16);
    memcpy(invite.hash, offer->route->hash, sizeof invite.hash);
    memcpy(invite.key, offer->route->keys, sizeof invite.key);
    if (keyring_invite_new(account->gateway->keyring, &secret, &invite, invite_made, offer) == 0)
        offer_fail(offer, &(struct error){ERROR_UNAVAILABLE, "the keyring is busy; try again"});
    OPENSSL_cleanse(&invite, sizeof invite);
}

static void addressee_ready(void *arg, struct contact *contact, const struct error *error)
{
    if (error != NULL)
        offer_fail(arg, error);
    else
        invite_for(arg, contact);
}

static unsigned open_offers(const struct account *account)
{
    unsigned count = 0;
    struct invite *invite, *next;
    HASH_ITER(hh, account->invites, invite, next)
    count += invite->own && strcmp(invite->state, "open") == 0;
    return count;
}

bool do_invite_new(struct call *call, struct error **error)
{
    int64_t valid = arg_int(call, "valid", DAY_S), uses = arg_int(call, "uses", 1);
    const char *protection = arg_has(call, "protection") ? arg_text(call, "protection") : "any";
    struct contact *contact = NULL;
    if (protection_by_word(protection) == NULL)
        return error_set(error, ERROR_INVALID, "protection is any, sealed or classic");
    if (!usable(call->account, error))
        return false;
    if (valid < 60 || valid > 366 * DAY_S)
        return error_set(error, ERROR_INVALID, "valid: from 60 seconds to 366 days (31622400)");
    if (uses != -1 && (uses < 1 || uses > 1000))
        return error_set(error, ERROR_INVALID, "uses: 1 to 1000, or -1 for no limit");
    if (open_offers(call->account) >= OPEN_OFFERS_MAX)
        return error_set(error, ERROR_LIMIT, "%d invites are open; revoke some, see invite.list",
                         OPEN_OFFERS_MAX);
    if (arg_has(call, "contact") == arg_has(call, "key"))
        return error_set(error, ERROR_INVALID, "name either a contact or give the key of somebody new");
    if (arg_has(call, "contact") && (contact = arg_contact(call, error)) == NULL)
        return false;
    struct offer *offer = offer_new(call);
    if (offer == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    offer->protection = protection;
    offer->invite->own = true;
    offer->invite->uses_left = uses;
    offer->invite->expires = (clock_wall_ms() / 1000 + valid) * 1000;
    if (contact != NULL) {
        invite_for(offer, contact);
        return true;
    }
    if (contact_ensure(call->account, arg_text(call, "key"), NULL, NULL, addressee_ready, offer, error))
        return true;
    offer_free(offer);
    return false;
}

/* --- opening one */

/* The route that an invite with this hash, or this context, has made already. */
static struct route *route_opened(const struct account *account, const uint8_t hash[20],
                                  const uint8_t context[32])
{
    struct conversation *conversation, *next;
    HASH_ITER(hh, account->conversations, conversation, next)
    {
        struct route *route;
        DL_FOREACH(conversation->routes, route)
        {
            if (!route->ended &&
                (memcmp(route->hash, hash, 20) == 0 || memcmp(route->context, context, 32) == 0))
                return route;
        }
    }
    return NULL;
}

static void decrypt(struct offer *offer, struct contact *inviter);

/* The likely inviter was not the one: opened without a key, the invite tells whose it is. */
static void open_failed(struct offer *offer, const struct keyring_answer *answer)
{
    struct account *account = offer->account;
    enum error_code code = answer->error->code;
    if (code == ERROR_DENIED && offer->contact != NULL && !offer->named && offer->guess == NULL) {
        offer->guess = offer->contact;
        error_set(&offer->error, code, "%s", answer->error->text);
        decrypt(offer, NULL);
        return;
    }
    if (code != ERROR_NOT_FOUND || offer->named || offer->contact != NULL) {
        offer_fail(offer, answer->error);
        return;
    }
    struct contact *inviter = contact_by_id(account, answer->fingerprint + 12);
    if (inviter != NULL && inviter == offer->guess) {
        offer_fail(offer, offer->error);
    } else if (inviter != NULL) {
        offer->guess = inviter;
        decrypt(offer, inviter);
    } else {
        char id[17];
        hex_upper(id, answer->fingerprint + 12, 8);
        struct error *error = NULL;
        error_set(&error, ERROR_NOT_FOUND,
                  "this invite was made by key %s, which is no contact; add the inviter's public key first",
                  id);
        offer_fail(offer, error);
        error_free(error);
    }
}

static void invite_opened(void *arg, const struct keyring_answer *answer)
{
    struct offer *offer = arg;
    struct account *account = offer->account;
    if (answer->error != NULL) {
        open_failed(offer, answer);
        return;
    }
    int64_t now = clock_wall_ms() / 1000;
    int64_t expires = answer->expires != 0 ? answer->expires : offer->hint_expires;
    keep_context(offer, buffer_view(&offer->blob));
    struct route *known = route_opened(account, answer->hash, offer->route->context);
    if (expires != 0 && expires < now) {
        offer_fail(offer, &(struct error){ERROR_EXPIRED, "this invite has expired; ask for a new one"});
        return;
    }
    if (known != NULL) {
        struct error *error = NULL;
        error_set(&error, ERROR_EXISTS, "this invite was opened already: the conversation is %s",
                  known->conversation->contact->naming.handle);
        offer_fail(offer, error);
        error_free(error);
        return;
    }
    if (answer->expires == 0)
        json_array_append_new(
            offer->warnings,
            json_string("the inviter's program did not sign the expiry; the link's own is taken"));
    if (!answer->addressee_bound)
        json_array_append_new(offer->warnings,
                              json_string("the signature does not name you: somebody else's invite could "
                                          "have been passed on to you"));
    struct error *classic = NULL;
    if (!answer->sealed && !may_be_classic(offer->contact, &classic)) {
        offer_fail(offer, classic);
        error_free(classic);
        return;
    }
    memcpy(offer->route->hash, answer->hash, sizeof offer->route->hash);
    memcpy(offer->route->keys, answer->key, 16);
    offer->route->sealing = answer->sealed ? CHAT_SEALING_MUST : CHAT_SEALING_MAY;
    offer->invite->expires = expires * 1000;
    offer->invite->sealed = answer->sealed;
    offer->invite->sealed_only = answer->sealed_only;
    snprintf(offer->invite->state, sizeof offer->invite->state, "used");
    offer_store(offer);
}

static void decrypt(struct offer *offer, struct contact *inviter)
{
    struct account *account = offer->account;
    char home[VAULT_HOME_SIZE];
    struct keyring_secret secret = vault_secret(account, home);
    struct bytes key = inviter != NULL ? buffer_view(&inviter->key_block) : bytes_of(NULL, 0);
    offer->contact = inviter;
    if (keyring_invite_open(account->gateway->keyring, &secret, buffer_view(&offer->blob), key, invite_opened,
                            offer) == 0)
        offer_fail(offer, &(struct error){ERROR_UNAVAILABLE, "the keyring is busy; try again"});
}

static void inviter_ready(void *arg, struct contact *contact, const struct error *error)
{
    if (error != NULL)
        offer_fail(arg, error);
    else
        decrypt(arg, contact);
}

/* Most accounts wait for the invite of the contact they added last: trying that key first saves one
 * decryption. */
static struct contact *likely_inviter(const struct account *account)
{
    struct contact *contact, *next, *newest = NULL;
    HASH_ITER(hh, account->contacts, contact, next)
    {
        if (newest == NULL || contact->id > newest->id)
            newest = contact;
    }
    return newest;
}

bool do_invite_open(struct call *call, struct error **error)
{
    struct account *account = call->account;
    if (!usable(account, error))
        return false;
    struct link link;
    if (!link_parse(&link, bytes_of_string(arg_text(call, "link")), error))
        return false;
    char own[17];
    hex_upper(own, account->fingerprint + 12, 8);
    bool good = true;
    if (link.kind != LINK_PRIVATE_CHAT)
        good = error_set(error, ERROR_INVALID,
                         "this is not an invite; an invite begins with retroshare://private_chat?");
    else if (strcmp(link.pgp_id, own) != 0)
        good = error_set(error, ERROR_DENIED, "this invite is for key %s; this account's key is %s",
                         link.pgp_id, own);
    else if (link.time_stamp < clock_wall_ms() / 1000)
        good = error_set(error, ERROR_EXPIRED, "this invite has expired; ask for a new one");
    struct offer *offer = good ? offer_new(call) : NULL;
    if (offer == NULL) {
        if (good)
            error_set(error, ERROR_INTERNAL, "out of memory");
        link_free(&link);
        return false;
    }
    offer->blob = link.blob;
    offer->hint_expires = link.time_stamp;
    link.blob = (struct buffer){0};
    link_free(&link);
    if (!arg_has(call, "key")) {
        decrypt(offer, likely_inviter(account));
        return true;
    }
    offer->named = true;
    if (contact_ensure(account, arg_text(call, "key"), NULL, NULL, inviter_ready, offer, error))
        return true;
    offer_free(offer);
    return false;
}

bool do_invite_list(struct call *call, struct error **error)
{
    (void)error;
    json_t *list = json_array();
    struct invite *invite, *next;
    HASH_ITER(hh, call->account->invites, invite, next)
    json_array_append_new(list, with_link(invite));
    call_done(call, json_pack("{s:o}", "invites", list));
    return true;
}
