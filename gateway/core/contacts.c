/* SPDX-License-Identifier: ISC */
#include "core/contacts.h"

#include <stdlib.h>
#include <string.h>

#include "core/avatars.h"
#include "core/changes.h"
#include "core/commands.h"
#include "core/conversations.h"
#include "core/post_people.h"
#include "core/rows.h"
#include "core/text.h"
#include "core/write.h"
#include "wire/certificate.h"
#include "wire/link.h"

struct contact *contact_by_handle(const struct account *account, const char *handle)
{
    struct contact *contact, *next;
    HASH_ITER(hh, account->contacts, contact, next)
    {
        if (strcmp(contact->naming.handle, handle) == 0)
            return contact;
    }
    return NULL;
}

struct contact *contact_by_fingerprint(const struct account *account, const uint8_t fingerprint[20])
{
    struct contact *contact, *next;
    HASH_ITER(hh, account->contacts, contact, next)
    {
        if (memcmp(contact->fingerprint, fingerprint, 20) == 0)
            return contact;
    }
    return NULL;
}

struct contact *contact_by_id(const struct account *account, const uint8_t id[8])
{
    struct contact *contact, *next;
    HASH_ITER(hh, account->contacts, contact, next)
    {
        if (memcmp(contact->fingerprint + 12, id, 8) == 0)
            return contact;
    }
    return NULL;
}

static bool block_from_link(struct buffer *block, const char *text, struct error **error)
{
    struct link link;
    struct bytes found;
    if (!link_find(bytes_of_string(text), &found) || !link_parse(&link, found, error))
        return error_set(error, ERROR_INVALID, "no link");
    bool good = link.kind == LINK_CERTIFICATE && buffer_append_bytes(block, buffer_view(&link.blob));
    link_free(&link);
    return good || error_set(error, ERROR_INVALID, "this link carries no key; ask for a certificate link");
}

static bool block_from_certificate(struct buffer *block, const char *text, struct error **error)
{
    struct friend_text certificate;
    if (!friend_text_parse(&certificate, bytes_of_string(text), NULL))
        return error_set(error, ERROR_INVALID,
                         "there is no public key in this; give a PGP public key block, a "
                         "retroshare://certificate link, or a whole certificate");
    bool good = certificate.key_block.size > 0 && buffer_append_bytes(block, certificate.key_block);
    friend_text_free(&certificate);
    return good || error_set(error, ERROR_INVALID,
                             "a short invite carries no key; ask for the full certificate or the key");
}

bool key_from_text(struct buffer *block, const char *text, struct error **error)
{
    static const char armor[] = "-----BEGIN PGP PUBLIC KEY BLOCK-----", link[] = "retroshare://certificate?",
                      secret[] = "-----BEGIN PGP PRIVATE KEY BLOCK-----";
    struct buffer raw = buffer_make(1 << 16);
    /* A key may stand in the middle of what was said about it. */
    const char *armored = strstr(text, armor), *linked = strstr(text, link);
    if (armored == NULL && strstr(text, secret) != NULL)
        return error_set(
            error, ERROR_INVALID,
            "this is a secret key, which nobody but its owner may have; ask for the public key, and "
            "for a new one if this was sent to you");
    bool good = armored != NULL  ? openpgp_dearmor(&raw, bytes_of_string(armored), error)
                : linked != NULL ? block_from_link(&raw, linked, error)
                                 : block_from_certificate(&raw, text, error);
    good = good && openpgp_screen_key(block, buffer_view(&raw), error);
    buffer_free(&raw);
    return good;
}

/* --- a new contact */

struct ensure {
    struct account *account;
    struct buffer block;
    char handle[HANDLE_SIZE];
    char name[NAME_SIZE];
    contact_fn *done;
    void *arg;
    struct contact *contact;    /* being stored */
    struct ensure *prev, *next; /* account->ensures: those being stored */
};

static void ensure_end(struct ensure *ensure, struct contact *contact, const struct error *error)
{
    ensure->done(ensure->arg, contact, error);
    if (ensure->contact != NULL) {
        buffer_free(&ensure->contact->key_block);
        free(ensure->contact);
    }
    buffer_free(&ensure->block);
    free(ensure);
}

static void ensure_stored(void *arg, const struct error *error)
{
    struct ensure *ensure = arg;
    struct contact *contact = ensure->contact;
    DL_DELETE(ensure->account->ensures, ensure);
    if (error != NULL) {
        ensure_end(ensure, NULL, error);
        return;
    }
    HASH_ADD(hh, ensure->account->contacts, id, sizeof contact->id, contact);
    if (contact->hh.tbl == NULL) {
        ensure_end(ensure, NULL, &stored_only);
        return;
    }
    ensure->contact = NULL;
    people_changed(ensure->account);
    ring_put(ensure->account, contact->change, "contact", json_of_contact(contact));
    ensure_end(ensure, contact, NULL);
}

static bool handle_taken(const struct account *account, const char *handle)
{
    const struct ensure *other;
    DL_FOREACH(account->ensures, other)
    {
        if (strcmp(other->contact->naming.handle, handle) == 0)
            return true;
    }
    return contact_by_handle(account, handle) != NULL;
}

static void unique_handle(const struct account *account, char *handle, const char *name)
{
    char base[HANDLE_SIZE];
    handle_propose(base, sizeof base, name);
    snprintf(handle, HANDLE_SIZE, "%s", base);
    for (unsigned n = 2; handle_taken(account, handle); n++)
        snprintf(handle, HANDLE_SIZE, "%.20s-%u", base, n);
}

/* An id stands for one key: another one with the same id is made to be taken for it. */
static bool id_free(const struct account *account, const uint8_t fingerprint[20], struct error **error)
{
    const struct contact *known = contact_by_id(account, fingerprint + 12);
    const struct ensure *other;
    DL_FOREACH(account->ensures, other)
    {
        if (memcmp(other->contact->fingerprint, fingerprint, 20) == 0)
            return error_set(error, ERROR_UNAVAILABLE,
                             "this key is being added already; try again in a moment");
        if (memcmp(other->contact->fingerprint + 12, fingerprint + 12, 8) == 0)
            known = other->contact;
    }
    if (known == NULL || memcmp(known->fingerprint, fingerprint, 20) == 0)
        return true;
    char has[41], offered[41];
    hex_upper(has, known->fingerprint, 20);
    hex_upper(offered, fingerprint, 20);
    return error_set(error, ERROR_DENIED,
                     "two keys with one short id: %s is a contact, %s was given; one is a forgery", has,
                     offered);
}

static void ensure_checked(void *arg, const struct keyring_answer *answer)
{
    struct ensure *ensure = arg;
    struct account *account = ensure->account;
    struct error *error = NULL;
    if (answer->error != NULL || account->removed) {
        ensure_end(ensure, NULL,
                   answer->error != NULL ? answer->error
                                         : &(struct error){ERROR_NOT_FOUND, "account removed"});
        return;
    }
    struct contact *known = contact_by_fingerprint(account, answer->fingerprint);
    if (known != NULL) {
        ensure_end(ensure, known, NULL);
        return;
    }
    if (!id_free(account, answer->fingerprint, &error)) {
        ensure_end(ensure, NULL, error);
        error_free(error);
        return;
    }
    struct contact *contact = calloc(1, sizeof *contact);
    struct write *write = contact != NULL ? write_begin(account->gateway, account) : NULL;
    if (write == NULL) {
        free(contact);
        ensure_end(ensure, NULL, &(struct error){ERROR_INTERNAL, "out of memory"});
        return;
    }
    struct openpgp_key key;
    const char *name = ensure->name;
    if (name[0] == '\0' && openpgp_key_parse(&key, answer->block, NULL))
        name = key.name;
    contact->id = next_id(account->gateway);
    contact->account = account;
    contact->key_block = buffer_make(1 << 16);
    bool fits = buffer_append_bytes(&contact->key_block, answer->block);
    memcpy(contact->fingerprint, answer->fingerprint, 20);
    text_copy(contact->naming.name, sizeof contact->naming.name, name);
    if (ensure->handle[0] != '\0')
        text_copy(contact->naming.handle, sizeof contact->naming.handle, ensure->handle);
    else
        unique_handle(account, contact->naming.handle, contact->naming.name);
    text_copy(contact->naming.presence, sizeof contact->naming.presence, "open");
    contact->created = clock_wall_ms();
    contact->change = write_change(write);
    ensure->contact = contact;
    if (!fits) {
        write_discard(write);
        error_set(&error, ERROR_LIMIT, "this key is too large");
        ensure_end(ensure, NULL, error);
        error_free(error);
        return;
    }
    DL_APPEND(account->ensures, ensure);
    put_contact(write->batch, contact);
    write_commit(write, ensure_stored, ensure);
}

bool contact_ensure(struct account *account, const char *key_text, const char *handle, const char *name,
                    contact_fn *done, void *arg, struct error **error)
{
    struct ensure *ensure = calloc(1, sizeof *ensure);
    if (ensure == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    ensure->account = account;
    ensure->done = done;
    ensure->arg = arg;
    ensure->block = buffer_make(1 << 16);
    struct openpgp_key key;
    bool good = key_from_text(&ensure->block, key_text, error) &&
                openpgp_key_parse(&key, buffer_view(&ensure->block), error);
    if (good && !key.can_encrypt)
        good = error_set(error, ERROR_INVALID,
                         "this key cannot be encrypted to: its owner's node key, perhaps; ask for "
                         "the account's key");
    if (good && memcmp(key.fingerprint, account->fingerprint, 20) == 0)
        good = error_set(error, ERROR_INVALID, "this is the account's own key");
    good = good && id_free(account, key.fingerprint, error);
    if (good && handle != NULL) {
        if (!handle_valid(handle))
            good = error_set(error, ERROR_INVALID,
                             "a handle is 1 to 24 of a-z, 0-9, _ and -, and not \"gateway\"");
        else if (contact_by_handle(account, handle) != NULL)
            good = error_set(error, ERROR_EXISTS, "another contact has this handle");
        text_copy(ensure->handle, sizeof ensure->handle, handle);
    }
    if (good) {
        text_copy(ensure->name, sizeof ensure->name, name != NULL ? name : "");
        if (keyring_check_key(account->gateway->keyring, buffer_view(&ensure->block), ensure_checked,
                              ensure) == 0)
            good = error_set(error, ERROR_UNAVAILABLE, "the keyring is busy; try again");
    }
    if (!good) {
        buffer_free(&ensure->block);
        free(ensure);
    }
    return good;
}

static struct conversation *conversation_new(struct contact *contact)
{
    struct conversation *conversation = calloc(1, sizeof *conversation);
    if (conversation == NULL)
        return NULL;
    conversation->id = next_id(contact->account->gateway);
    conversation->account = contact->account;
    conversation->contact = contact;
    conversation->standing.open = true;
    conversation->created = conversation->since = clock_wall_ms();
    conversation->state = CHAT_NO_TUNNEL;
    conversation->reason = "no tunnel was asked for yet";
    return conversation;
}

struct conversation *contact_conversation(struct contact *contact)
{
    if (contact->conversation != NULL)
        return contact->conversation;
    if (contact->coming == NULL)
        contact->coming = conversation_new(contact);
    return contact->coming;
}

void contact_free(struct contact *contact)
{
    if (contact->coming != NULL)
        conversation_free(contact->coming);
    posts_contact_free(contact);
    buffer_free(&contact->key_block);
    free(contact);
}

struct contact contact_as_asked(const struct contact *contact)
{
    struct contact asked = *contact;
    if (contact->asking > 0)
        asked.naming = contact->asked;
    return asked;
}

/* --- commands */

static void contact_added(void *arg, struct contact *contact, const struct error *error)
{
    struct call *call = arg;
    if (error != NULL)
        call_fail_copy(call, error);
    else
        call_done(call, json_of_contact(contact));
}

bool do_contact_add(struct call *call, struct error **error)
{
    return contact_ensure(call->account, arg_text(call, "key"), arg_text(call, "handle"),
                          arg_text(call, "name"), contact_added, call, error);
}

bool do_contact_list(struct call *call, struct error **error)
{
    (void)error;
    json_t *contacts = json_array();
    struct contact *contact, *next;
    HASH_ITER(hh, call->account->contacts, contact, next)
    json_array_append_new(contacts, json_of_contact(contact));
    call_done(call, json_pack("{s:o}", "contacts", contacts));
    return true;
}

bool do_contact_show(struct call *call, struct error **error)
{
    struct contact *contact = arg_contact(call, error);
    if (contact == NULL)
        return false;
    struct buffer armor = buffer_make(1 << 17);
    openpgp_armor_key(&armor, buffer_view(&contact->key_block));
    json_t *result = json_of_contact(contact);
    json_object_set_new(result, "key", json_string(buffer_string(&armor)));
    buffer_free(&armor);
    call_done(call, result);
    return true;
}

struct contact_write {
    struct call *call;
    struct contact *contact; /* never freed before the gateway */
    int64_t change;
    struct naming naming;
};

static void contact_changed(void *arg, const struct error *error)
{
    struct contact_write *work = arg;
    struct contact *contact = work->contact;
    contact->asking--;
    if (error != NULL) {
        call_fail_copy(work->call, error);
        free(work);
        return;
    }
    contact->naming = work->naming;
    contact->change = work->change;
    people_changed(contact->account);
    ring_put(contact->account, contact->change, "contact", json_of_contact(contact));
    if (contact->conversation != NULL) {
        conversation_changed(contact->conversation);
        conversation_interest(contact->conversation);
    }
    call_done(work->call, json_of_contact(contact));
    free(work);
}

bool do_contact_set(struct call *call, struct error **error)
{
    struct contact *contact = arg_contact(call, error), *other;
    const char *handle = arg_text(call, "handle"), *name = arg_text(call, "name");
    const char *presence = arg_text(call, "presence");
    if (contact == NULL)
        return false;
    if (handle != NULL && !handle_valid(handle))
        return error_set(error, ERROR_INVALID,
                         "a handle is 1 to 24 of a-z, 0-9, _ and -, and not \"gateway\"");
    if (handle != NULL && (other = contact_by_handle(call->account, handle)) != NULL && other != contact)
        return error_set(error, ERROR_EXISTS, "another contact has this handle");
    if (presence != NULL && strcmp(presence, "always") != 0 && strcmp(presence, "open") != 0 &&
        strcmp(presence, "never") != 0)
        return error_set(error, ERROR_INVALID, "presence is always, open or never");
    struct contact_write *work = calloc(1, sizeof *work);
    struct write *write = work != NULL ? write_begin(call->gateway, call->account) : NULL;
    if (write == NULL) {
        free(work);
        return error_set(error, ERROR_INTERNAL, "out of memory");
    }
    struct contact changed = contact_as_asked(contact);
    if (handle != NULL)
        text_copy(changed.naming.handle, sizeof changed.naming.handle, handle);
    if (name != NULL)
        text_copy(changed.naming.name, sizeof changed.naming.name, name);
    if (presence != NULL)
        text_copy(changed.naming.presence, sizeof changed.naming.presence, presence);
    changed.change = write_change(write);
    contact->asking++;
    contact->asked = changed.naming;
    *work = (struct contact_write){call, contact, changed.change, changed.naming};
    put_contact(write->batch, &changed);
    write_commit(write, contact_changed, work);
    return true;
}

static void remove_conversation(struct conversation *conversation)
{
    struct account *account = conversation->account;
    struct route *route;
    conversation->removed = true;
    DL_FOREACH(conversation->routes, route)
    route_end(route);
    HASH_DELETE(hh, account->conversations, conversation);
    avatar_forget(conversation);
    conversation->next_grave = account->gateway->graves;
    account->gateway->graves = conversation;
}

static void contact_removed(void *arg, const struct error *error)
{
    struct contact_write *work = arg;
    struct contact *contact = work->contact;
    struct account *account = contact->account;
    if (error != NULL) {
        contact->leaving = false;
        posts_contact_stays(contact);
        call_fail_copy(work->call, error);
        free(work);
        return;
    }
    struct invite *invite, *next;
    HASH_ITER(hh, account->invites, invite, next)
    {
        if (invite->contact != contact)
            continue;
        HASH_DELETE(hh, account->invites, invite);
        buffer_free(&invite->link_wrapped);
        free(invite);
    }
    if (contact->conversation != NULL)
        remove_conversation(contact->conversation);
    posts_contact_gone(contact);
    HASH_DELETE(hh, account->contacts, contact);
    people_changed(account);
    contact->next_grave = account->gateway->contact_graves;
    account->gateway->contact_graves = contact;
    ring_forget_before(account, work->change);
    call_done(work->call, NULL);
    free(work);
    conversations_drain(account->gateway);
}

bool do_contact_remove(struct call *call, struct error **error)
{
    struct contact *contact = arg_contact(call, error);
    if (contact == NULL)
        return false;
    if (contact->leaving)
        return error_set(error, ERROR_NOT_FOUND, "this contact is being removed already");
    /* Rows of an offer that come after the removal would belong to nobody. */
    if (contact->offers > 0)
        return error_set(error, ERROR_UNAVAILABLE,
                         "an invite of this contact is being stored; try again in a moment");
    if (contact->posting > 0)
        return error_set(error, ERROR_UNAVAILABLE,
                         "a post to this contact is being stored; try again in a moment");
    struct contact_write *work = calloc(1, sizeof *work);
    struct write *write = work != NULL ? write_begin(call->gateway, call->account) : NULL;
    if (write == NULL) {
        free(work);
        return error_set(error, ERROR_INTERNAL, "out of memory");
    }
    int64_t account = call->account->id;
    contact->leaving = true;
    posts_contact_leaving(contact, write);
    if (contact->conversation != NULL)
        store_remove(write->batch, account, "conversation", contact->conversation->id, write_change(write));
    struct invite *invite, *next;
    HASH_ITER(hh, call->account->invites, invite, next)
    {
        if (invite->contact == contact)
            store_remove(write->batch, account, "invite", invite->id, write_change(write));
    }
    *work = (struct contact_write){.call = call, .contact = contact, .change = write_change(write)};
    store_remove(write->batch, account, "contact", contact->id, work->change);
    write_commit(write, contact_removed, work);
    return true;
}
