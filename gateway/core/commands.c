/* SPDX-License-Identifier: ISC */
#include "core/commands.h"

#include <stdlib.h>
#include <string.h>

#include "core/accounts.h"
#include "core/app_passwords.h"
#include "core/changes.h"
#include "core/contacts.h"
#include "core/invites.h"
#include "core/network.h"
#include "core/post_links.h"
#include "core/post_queue.h"
#include "core/post_read.h"
#include "core/post_send.h"
#include "core/sealing.h"
#include "core/status.h"
#include "core/uploads.h"
#include "core/vault.h"
#include "core/verbs.h"

/* Who may give a command. */
enum who { ANYBODY, ACCOUNT, OPERATOR };

/* Arguments as "name:type", optional with '?': s text, i integer, b true or false, l list, n id or handle. */
static const struct command {
    const char *name;
    enum who who;
    const char *arguments;
    bool (*run)(struct call *call, struct error **error);
} commands[] = {
    {"hello", ANYBODY, "", do_hello},
    {"status", OPERATOR, "", do_status},
    {"tunnels", ANYBODY, "", do_tunnels},
    {"unlock", OPERATOR, "vault_key:s", do_unlock},
    {"account.add", OPERATOR, "name:s password:s? person:s? key:s? key_passphrase:s? operator:b?",
     do_account_add},
    {"account.list", OPERATOR, "", do_account_list},
    {"account.show", ACCOUNT, "", do_account_show},
    {"account.set", ACCOUNT,
     "typing:b? avatar:s? state_text:s? universal:b? wait:i? limit:i? strangers:i? forward:s? operator:b?",
     do_account_set},
    {"account.password", ACCOUNT, "password:s old:s?", do_account_password},
    {"account.remove", OPERATOR, "account:s sure:b", do_account_remove},
    {"app_password.new", ACCOUNT, "label:s scope:s? idle:i?", do_app_password_new},
    {"app_password.list", ACCOUNT, "", do_app_password_list},
    {"app_password.revoke", ACCOUNT, "app_password:i? own:b?", do_app_password_revoke},
    {"friend.self", OPERATOR, "", do_friend_self},
    {"friend.add", OPERATOR, "text:s name:s? addresses:l?", do_friend_add},
    {"friend.list", OPERATOR, "", do_friend_list},
    {"friend.show", OPERATOR, "friend:s", do_friend_show},
    {"friend.set", OPERATOR, "friend:s name:s? addresses:l?", do_friend_set},
    {"friend.connect", OPERATOR, "friend:s", do_friend_connect},
    {"friend.remove", OPERATOR, "friend:s", do_friend_remove},
    {"attempts", OPERATOR, "", do_attempts},
    {"contact.add", ACCOUNT, "key:s handle:s? name:s?", do_contact_add},
    {"contact.list", ACCOUNT, "", do_contact_list},
    {"contact.show", ACCOUNT, "contact:n", do_contact_show},
    {"contact.set", ACCOUNT, "contact:n handle:s? name:s? presence:s?", do_contact_set},
    {"contact.remove", ACCOUNT, "contact:n", do_contact_remove},
    {"invite.new", ACCOUNT, "contact:n? key:s? valid:i? uses:i? protection:s?", do_invite_new},
    {"invite.list", ACCOUNT, "", do_invite_list},
    {"invite.open", ACCOUNT, "link:s key:s?", do_invite_open},
    {"invite.revoke", ACCOUNT, "invite:i", do_invite_revoke},
    {"conversation.list", ACCOUNT, "", do_conversation_list},
    {"conversation.show", ACCOUNT, "conversation:n", do_conversation_show},
    {"conversation.open", ACCOUNT, "conversation:n", do_conversation_open},
    {"conversation.close", ACCOUNT, "conversation:n", do_conversation_close},
    {"conversation.lower", ACCOUNT, "conversation:n sure:b?", do_conversation_lower},
    {"conversation.avatar", ACCOUNT, "conversation:n", do_conversation_avatar},
    {"say", ACCOUNT, "conversation:n text:s label:s? once:b?", do_say},
    {"withdraw", ACCOUNT, "seq:i", do_withdraw},
    {"resend", ACCOUNT, "conversation:n seq:i", do_resend},
    {"typing", ACCOUNT, "conversation:n", do_typing},
    {"read", ACCOUNT, "conversation:n seq:i", do_read},
    {"history", ACCOUNT, "conversation:n before:i? after:i? max:i?", do_history},
    {"search", ACCOUNT, "text:s conversation:n? before:i? max:i?", do_search},
    {"changes", ACCOUNT, "after:i max:i?", do_changes},
    {"blob", ACCOUNT, "blob:s offset:i? size:i?", do_blob},
    {"client.open", ACCOUNT, "name:s", do_client_open},
    {"client.seen", ACCOUNT, "name:s epoch:i change:i seq:i", do_client_seen},
    {"upload.open", ACCOUNT, "", do_upload_open},
    {"upload.write", ACCOUNT, "upload:i data:s offset:i", do_upload_write},
    {"upload.keep", ACCOUNT, "upload:i", do_upload_keep},
    {"upload.drop", ACCOUNT, "upload:i", do_upload_drop},
    {"post.address", ACCOUNT, "address:s", do_post_address},
    {"post.send", ACCOUNT,
     "to:l message:s? upload:i? subject:s? text:s? cc:l? reply_to:i? attachments:l? sign:b? wait:i? "
     "notify:l? "
     "returns:s? envelope:s? lower:l? label:s? once:b?",
     do_post_send},
    {"post.list", ACCOUNT, "box:s? before:i? max:i? thread:i?", do_post_list},
    {"post.show", ACCOUNT, "seq:i", do_post_show},
    {"post.read", ACCOUNT, "seq:i offset:i? size:i?", do_post_read},
    {"post.part", ACCOUNT, "seq:i part:i offset:i? size:i?", do_post_part},
    {"post.flag", ACCOUNT, "seq:i? seqs:l? seen:b? answered:b? flagged:b?", do_post_flag},
    {"post.delete", ACCOUNT, "seq:i? seqs:l?", do_post_delete},
    {"post.withdraw", ACCOUNT, "seq:i contact:n?", do_post_withdraw},
    {"post.resend", ACCOUNT, "seq:i contact:n? lower:b?", do_post_resend},
    {"post.search", ACCOUNT, "text:s box:s? before:i? max:i?", do_post_search},
    {"post.link.new", ACCOUNT, "valid:i?", do_post_link_new},
    {"post.link.list", ACCOUNT, "", do_post_link_list},
    {"post.link.revoke", ACCOUNT, "link:i", do_post_link_revoke},
    {"post.link.open", ACCOUNT, "link:s key:s?", do_post_link_open},
    {"verb", ACCOUNT, "text:s", do_verb},
    {"watch", ANYBODY, "on:b", do_watch},
};

/* --- arguments */

const char *arg_text(const struct call *call, const char *name)
{
    return json_string_value(json_object_get(call->arguments, name));
}

int64_t arg_int(const struct call *call, const char *name, int64_t absent)
{
    json_t *value = json_object_get(call->arguments, name);
    return json_is_integer(value) ? json_integer_value(value) : absent;
}

bool arg_has(const struct call *call, const char *name)
{
    return json_object_get(call->arguments, name) != NULL;
}

bool arg_true(const struct call *call, const char *name)
{
    return json_is_true(json_object_get(call->arguments, name));
}

struct contact *arg_contact(const struct call *call, struct error **error)
{
    const struct account *account = call->account;
    json_t *value = json_object_get(call->arguments, "contact");
    struct contact *contact = NULL;
    if (json_is_integer(value)) {
        int64_t id = json_integer_value(value);
        HASH_FIND(hh, account->contacts, &id, sizeof id, contact);
    } else {
        uint8_t fingerprint[20];
        const char *text = json_string_value(value);
        contact = contact_by_handle(account, text);
        if (contact == NULL && hex_parse(fingerprint, 20, text, strlen(text)))
            contact = contact_by_fingerprint(account, fingerprint);
    }
    if (contact == NULL)
        error_set(error, ERROR_NOT_FOUND,
                  "there is no such contact; see the list of contacts, or add the public key of a new one");
    return contact;
}

struct conversation *arg_conversation(const struct call *call, struct error **error)
{
    const struct account *account = call->account;
    json_t *value = json_object_get(call->arguments, "conversation");
    struct conversation *conversation = NULL;
    if (json_is_integer(value)) {
        int64_t id = json_integer_value(value);
        HASH_FIND(hh, account->conversations, &id, sizeof id, conversation);
    } else {
        struct contact *contact = contact_by_handle(account, json_string_value(value));
        conversation = contact != NULL ? contact->conversation : NULL;
        if (contact != NULL && conversation == NULL) {
            error_set(error, ERROR_NOT_FOUND,
                      "there is no conversation with this contact yet; make an invite for it or open "
                      "one of its invites");
            return NULL;
        }
    }
    if (conversation == NULL)
        error_set(error, ERROR_NOT_FOUND, "there is no such conversation; see the list of conversations");
    return conversation;
}

/* --- checking */

/* A NUL inside would be cut silently by everything that takes C strings. */
static bool whole_text(const json_t *value)
{
    return json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value);
}

static bool type_fits(char type, const json_t *value)
{
    switch (type) {
    case 's':
        return whole_text(value);
    case 'i':
        return json_is_integer(value);
    case 'b':
        return json_is_boolean(value);
    case 'l':
        return json_is_array(value);
    case 'n':
        return json_is_integer(value) || whole_text(value);
    default:
        return false;
    }
}

static const char *type_word(char type)
{
    switch (type) {
    case 's':
        return "a text";
    case 'i':
        return "an integer";
    case 'b':
        return "true or false";
    case 'l':
        return "a list";
    default:
        return "an id or a handle";
    }
}

/* Checks the members against the command's list; `taken` counts those it knows. */
static bool arguments_fit(const struct command *command, const json_t *arguments, size_t *taken,
                          struct error **error)
{
    const char *at = command->arguments;
    while (*at != '\0') {
        size_t size = strcspn(at, ":");
        char name[32], type = at[size + 1];
        memcpy(name, at, size);
        name[size] = '\0';
        at += size + 2;
        bool optional = *at == '?';
        at += optional;
        at += *at == ' ';
        const json_t *value = json_object_get(arguments, name);
        if (value == NULL && !optional)
            return error_set(error, ERROR_INVALID, "%s: %s is missing (%s)", command->name, name,
                             type_word(type));
        if (value != NULL && !type_fits(type, value))
            return error_set(error, ERROR_INVALID, "%s: %s must be %s", command->name, name, type_word(type));
        *taken += value != NULL;
    }
    return true;
}

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

/* The account that a command acts for. */
static bool choose_account(struct gateway_session *session, const struct command *command,
                           const json_t *arguments, struct account **account, size_t *taken,
                           struct error **error)
{
    const json_t *named = json_object_get(arguments, "account");
    *account = session->account;
    if (command->who == OPERATOR && !gateway_is_operator(session))
        return error_set(error, ERROR_DENIED, "this is for the operator of this gateway");
    if (command->who != ACCOUNT || named == NULL) {
        if (command->who == ACCOUNT && *account == NULL)
            return error_set(error, ERROR_INVALID, "%s: account is missing: say for whom", command->name);
        return true;
    }
    if (session->account != NULL)
        return error_set(error, ERROR_DENIED,
                         "a session of an account acts for no other; leave \"account\" out");
    *account = json_is_string(named) ? account_by_name(session->gateway, json_string_value(named)) : NULL;
    *taken += 1;
    return *account != NULL ||
           error_set(error, ERROR_NOT_FOUND, "there is no such account; see the list of accounts");
}

static uint64_t run(struct gateway_session *session, const json_t *given, bool internal,
                    gateway_done_fn *done, void *arg, struct error **error)
{
    const char *name = json_string_value(json_object_get(given, "do"));
    const struct command *command = command_find(name);
    struct account *account;
    size_t taken = 1 + (json_object_get(given, "id") != NULL);
    if (session->gone || session->gateway->phase == NODE_CLOSING)
        return error_set(error, ERROR_UNAVAILABLE, "the gateway is stopping"), 0;
    if (command == NULL)
        return error_set(error, ERROR_INVALID, "unknown command; the list is in api.md"), 0;
    if (!choose_account(session, command, given, &account, &taken, error) ||
        !arguments_fit(command, given, &taken, error))
        return 0;
    if (taken < json_object_size(given))
        return error_set(error, ERROR_INVALID, "%s: an argument it does not have; it takes: %s", name,
                         command->arguments[0] != '\0' ? command->arguments : "none"),
               0;
    if (!internal && session->call_count >= SESSION_CALLS_MAX)
        return error_set(error, ERROR_LIMIT, "%d commands are under way; wait for their answers",
                         SESSION_CALLS_MAX),
               0;
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory"), 0;
    call->gateway = session->gateway;
    call->account = account;
    call->arguments = json_deep_copy(given);
    call->token = ++session->gateway->last_ticket;
    call->done = done;
    call->arg = arg;
    call->internal = internal;
    call_attach(call, session);
    uint64_t token = call->token;
    if (call->arguments != NULL && command->run(call, error))
        return token;
    if (call->arguments == NULL)
        error_set(error, ERROR_INTERNAL, "out of memory");
    call_detach(call);
    json_decref(call->arguments);
    free(call);
    return 0;
}

uint64_t gateway_do(struct gateway_session *session, const json_t *given, gateway_done_fn *done, void *arg,
                    struct error **error)
{
    return run(session, given, false, done, arg, error);
}

bool call_run(const struct call *outer, const json_t *given, gateway_done_fn *done, void *arg,
              struct error **error)
{
    return run(outer->session, given, true, done, arg, error) != 0;
}
