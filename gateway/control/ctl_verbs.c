/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/ctl_input.h"
#include "control/ctl_layouts.h"
#include "control/ctl_post.h"

static void told_once(struct ctl *ctl, const json_t *command, const json_t *options, const json_t *result)
{
    (void)command;
    (void)options;
    if (json_is_string(json_object_get(result, "password")))
        fputs("\nThe password is shown this once; write it down.\n", ctl->out);
}

static bool take_secret(json_t *command, const char *member, char *secret, struct error **error)
{
    if (secret == NULL)
        return false;
    bool good = secret[0] == '\0' || json_object_set_new(command, member, json_string(secret)) == 0;
    ctl_input_secret_free(secret);
    return good || error_set(error, ERROR_INVALID, "the password is not UTF-8");
}

static bool ask_first_password(struct ctl *ctl, json_t *command, const json_t *options, struct error **error)
{
    (void)options;
    if (json_object_get(command, "password") != NULL || ctl->json || !isatty(fileno(ctl->in)))
        return true;
    return take_secret(command, "password", ctl_input_new_secret("Password (empty: one is made): ", error),
                       error);
}

static bool ask_new_password(struct ctl *ctl, json_t *command, const json_t *options, struct error **error)
{
    (void)ctl;
    (void)options;
    if (json_object_get(command, "password") != NULL)
        return true;
    return take_secret(command, "password", ctl_input_new_secret("New password: ", error), error) &&
           (json_object_get(command, "password") != NULL ||
            error_set(error, ERROR_INVALID, "the password is empty; nothing was done"));
}

/* A friend who was given all that 'friend self' prints can give it here as it is. */
static bool take_certificate(struct ctl *ctl, json_t *command, const json_t *options, struct error **error)
{
    static const char title[] = "\ncertificate:\n";
    (void)ctl;
    (void)options;
    const char *text = json_string_value(json_object_get(command, "text"));
    const char *found = text != NULL ? strstr(text, title) : NULL;
    return found == NULL || json_object_set_new(command, "text", json_string(found + strlen(title))) == 0 ||
           error_set(error, ERROR_INTERNAL, "out of memory");
}

/* Likewise the link, out of what 'invite new' prints, or out of a letter. */
static bool take_link(struct ctl *ctl, json_t *command, const json_t *options, struct error **error)
{
    (void)ctl;
    (void)options;
    const char *text = json_string_value(json_object_get(command, "link"));
    const char *found = text != NULL ? strstr(text, "retroshare://") : NULL;
    return found == NULL ||
           json_object_set_new(command, "link", json_stringn(found, strcspn(found, " \t\r\n"))) == 0 ||
           error_set(error, ERROR_INTERNAL, "out of memory");
}

static bool ask_vault_key(struct ctl *ctl, json_t *command, const json_t *options, struct error **error)
{
    (void)ctl;
    (void)options;
    if (json_object_get(command, "vault_key") != NULL)
        return true;
    return take_secret(command, "vault_key", ctl_input_secret("Vault key (64 hex digits): ", error), error);
}

static bool ask_whether_sure(struct ctl *ctl, json_t *command, const json_t *options, struct error **error)
{
    const char *name = json_string_value(json_object_get(command, "account"));
    json_object_set_new(command, "sure", json_true());
    if (json_object_get(options, ".yes") != NULL)
        return true;
    char *typed = ctl_input_line(
        ctl, "This removes the account, its keys and all its history. Type its name to go on: ");
    bool sure = typed != NULL && strcmp(typed, name) == 0;
    free(typed);
    return sure || error_set(error, ERROR_DENIED, "not confirmed; nothing was removed");
}

static bool ask_whether_classic(struct ctl *ctl, json_t *command, const json_t *options, struct error **error)
{
    json_object_set_new(command, "sure", json_true());
    if (json_object_get(options, ".yes") != NULL)
        return true;
    char *typed = ctl_input_line(
        ctl, "This gives up sealed chat with this contact. A sealed route ends, and classic chat, which\n"
             "relays can alter and which has no receipts, is allowed again. Type 'classic' to go on: ");
    bool sure = typed != NULL && strcmp(typed, "classic") == 0;
    free(typed);
    return sure || error_set(error, ERROR_DENIED, "not confirmed; the conversation is as it was");
}

static void show_qr(struct ctl *ctl, const json_t *options, const char *text)
{
    struct error *error = NULL;
    if (json_object_get(options, ".qr") == NULL || ctl->print_qr == NULL || text == NULL)
        return;
    fputc('\n', ctl->out);
    if (!ctl->print_qr(ctl->out, text, &error))
        fprintf(ctl->log, "retrogatectl: %s\n", error->text);
    error_free(error);
}

static void show_self(struct ctl *ctl, const json_t *command, const json_t *options, const json_t *result)
{
    (void)command;
    show_qr(ctl, options, json_string_value(json_object_get(result, "short")));
}

static void show_invite(struct ctl *ctl, const json_t *command, const json_t *options, const json_t *result)
{
    (void)command;
    show_qr(ctl, options, json_string_value(json_object_get(result, "link")));
    fputs("\nGive the link to this one person over a way that you trust. Only the holder of that key can "
          "open it.\n",
          ctl->out);
}

static void show_web(struct ctl *ctl, const json_t *command, const json_t *options, const json_t *result)
{
    (void)command;
    (void)options;
    const json_t *listening = json_object_get(result, "listening"),
                 *pages = json_object_get(listening, "web");
    const char *link = json_string_value(json_object_get(listening, "setup"));
    size_t index = 0;
    json_t *page = NULL;
    json_array_foreach(pages, index, page)
    {
        ctl_print_text(ctl->out, json_string_value(page), false);
        fputc('\n', ctl->out);
    }
    if (json_array_size(pages) == 0)
        fputs("no page is served; see web.listen in retrogate.conf(5)\n", ctl->out);
    if (link == NULL || json_integer_value(json_object_get(result, "accounts")) > 0)
        return;
    fputs("\nThere is no account yet. Who opens this link makes the first one, an operator; give it to "
          "nobody else:\n",
          ctl->out);
    ctl_print_text(ctl->out, link, false);
    fputc('\n', ctl->out);
}

static void show_history(struct ctl *ctl, const json_t *command, const json_t *options, const json_t *result)
{
    (void)options;
    const json_t *lines = json_object_get(result, "lines"), *named = json_object_get(command, "conversation");
    const char *handle = json_is_string(named) ? json_string_value(named) : "them";
    size_t index = 0;
    json_t *line = NULL;
    json_array_foreach(lines, index, line) ctl_print_line(ctl, line, handle);
    if (json_array_size(lines) == 0)
        fputs("no lines\n", ctl->out);
}

/* The newest last, like a chat window. */
static void show_found(struct ctl *ctl, const json_t *command, const json_t *options, const json_t *result)
{
    (void)command;
    (void)options;
    const json_t *lines = json_object_get(result, "lines");
    for (size_t i = json_array_size(lines); i > 0; i--) {
        const json_t *line = json_array_get(lines, i - 1);
        const char *handle = json_string_value(json_object_get(line, "handle"));
        if (handle != NULL) {
            ctl_print_text(ctl->out, handle, false);
            fputc(' ', ctl->out);
            ctl_print_line(ctl, line, handle);
        }
    }
    if (json_array_size(lines) == 0)
        fputs("nothing found\n", ctl->out);
    if (json_is_true(json_object_get(result, "more")))
        fprintf(ctl->out, "older lines: --before %" JSON_INTEGER_FORMAT "\n",
                json_integer_value(json_object_get(result, "before")));
}

static void show_routes(struct ctl *ctl, const json_t *command, const json_t *options, const json_t *result)
{
    (void)command;
    (void)options;
    fputc('\n', ctl->out);
    ctl_print(ctl, &routes_layout, result);
}

#define OF_ACCOUNT .of_account = true
#define ACCOUNT_ARGUMENT                                                                                     \
    {                                                                                                        \
        CTL_TEXT, "ACCOUNT", "account", "the account; may be left out when there is only one", true          \
    }
#define PASSWORD_FILE                                                                                        \
    {                                                                                                        \
        CTL_SECRET, "--password-file", "password", "read the password from a file", true                     \
    }
#define CONTACT_ARGUMENT                                                                                     \
    {                                                                                                        \
        CTL_REFERENCE, "CONTACT", "contact", "handle, id or fingerprint", false                              \
    }
#define CONVERSATION_ARGUMENT                                                                                \
    {                                                                                                        \
        CTL_REFERENCE, "CONVERSATION", "conversation", "handle or id", false                                 \
    }
#define POST_ARGUMENT                                                                                        \
    {                                                                                                        \
        CTL_NUMBER, "POST", "seq", "its number in 'post list'", false                                        \
    }
#define POST_NUMBER                                                                                          \
    {                                                                                                        \
        CTL_NUMBER, "POST", ".seq", "its number in 'post list'", false                                       \
    }
#define ONE_RECIPIENT                                                                                        \
    {                                                                                                        \
        CTL_REFERENCE, "--contact", "contact", "only for this recipient", true                               \
    }
#define FRIEND_ARGUMENT                                                                                      \
    {                                                                                                        \
        CTL_TEXT, "FRIEND", "friend", "location id, its beginning, or name", false                           \
    }
#define ADDRESS_OPTION                                                                                       \
    {                                                                                                        \
        CTL_LIST, "--address", "addresses", "like 192.0.2.1:7812; may be repeated", true                     \
    }

const struct ctl_verb ctl_verbs[] = {
    {.words = "init",
     .help = "write a configuration to begin with",
     .example = "init --name gate",
     .params = {{CTL_TEXT, "--name", ".name", "name of this node, shown to friends", true},
                {CTL_SWITCH, "--yes", ".yes", "ask nothing", true}},
     .run = ctl_init},
    {.words = "status",
     .command = "status",
     .help = "what the gateway does",
     .example = "status",
     .layout = &status_layout},
    {.words = "web",
     .command = "status",
     .help = "the address of the page for browsers, and the link for a first run",
     .example = "web",
     .after = show_web},
    {.words = "unlock",
     .command = "unlock",
     .help = "open the vault after a start",
     .example = "unlock",
     .params = {{CTL_SECRET, "--key-file", "vault_key", "read the key from a file", true}},
     .layout = &done_layout,
     .prepare = ask_vault_key},

    {.words = "account add",
     .command = "account.add",
     .help = "make an account for a person",
     .example = "account add alice",
     .params = {{CTL_TEXT, "NAME", "name", "log-in name", false},
                {CTL_TEXT, "--person", "person", "name in the key", true},
                {CTL_DOCUMENT, "--key", "key", "an own secret PGP key in place of a new one", true},
                {CTL_SECRET, "--key-passphrase-file", "key_passphrase", "passphrase of that key", true},
                {CTL_SWITCH, "--operator", "operator", "this person also runs the gateway", true},
                PASSWORD_FILE},
     .layout = &account_layout,
     .prepare = ask_first_password,
     .after = told_once},
    {.words = "account list",
     .command = "account.list",
     .help = "all accounts",
     .example = "account list",
     .layout = &accounts_layout},
    {.words = "account show",
     .command = "account.show",
     .help = "one account with its public key",
     .example = "account show alice",
     OF_ACCOUNT,
     .params = {ACCOUNT_ARGUMENT},
     .layout = &account_layout},
    {.words = "account set",
     .command = "account.set",
     .help = "change settings of an account",
     .example = "account set alice --typing off",
     OF_ACCOUNT,
     .params = {ACCOUNT_ARGUMENT,
                {CTL_ON_OFF, "--typing", "typing", "tell contacts when this person types", true},
                {CTL_PICTURE, "--avatar", "avatar", "PNG or JPEG up to 32767 bytes; \"\" removes", true},
                {CTL_TEXT, "--state-text", "state_text", "shown to contacts", true},
                {CTL_ON_OFF, "--universal", "universal", "take posts of everybody who knows the key", true},
                {CTL_NUMBER, "--strangers", "strangers", "posts a day of people who are no contacts", true},
                {CTL_SECONDS, "--wait", "wait", "how long posts wait for their recipients, like 14d", true},
                {CTL_NUMBER, "--limit", "limit", "bytes of the largest post that is taken", true},
                {CTL_TEXT, "--forward", "forward", "send a copy of each post to this address; \"\" ends that",
                 true},
                {CTL_ON_OFF, "--operator", "operator", "this person also runs the gateway", true}},
     .layout = &account_layout},
    {.words = "account password",
     .command = "account.password",
     .help = "set the password of an account",
     .example = "account password alice",
     OF_ACCOUNT,
     .params = {ACCOUNT_ARGUMENT, PASSWORD_FILE},
     .layout = &done_layout,
     .prepare = ask_new_password},
    {.words = "account remove",
     .command = "account.remove",
     .help = "remove an account, its keys and its history",
     .example = "account remove alice",
     .params = {{CTL_TEXT, "ACCOUNT", "account", "the account", false},
                {CTL_SWITCH, "--yes", ".yes", "ask nothing", true}},
     .layout = &done_layout,
     .prepare = ask_whether_sure},

    {.words = "friend self",
     .command = "friend.self",
     .help = "this node's certificate, for its friends",
     .example = "friend self --qr",
     .params = {{CTL_SWITCH, "--qr", ".qr", "also as a QR code", true}},
     .layout = &self_layout,
     .after = show_self},
    {.words = "friend add",
     .command = "friend.add",
     .help = "make a node a friend by its certificate or short invite",
     .example = "friend add @bob.cert --address 192.0.2.1:7812",
     .params = {{CTL_DOCUMENT, "CERTIFICATE", "text", "the text, @FILE, or - for the standard input", false},
                {CTL_TEXT, "--name", "name", "what to call it", true},
                ADDRESS_OPTION},
     .layout = &friend_layout,
     .prepare = take_certificate},
    {.words = "friend list",
     .command = "friend.list",
     .help = "all friends",
     .example = "friend list",
     .layout = &friends_layout},
    {.words = "friend show",
     .command = "friend.show",
     .help = "one friend",
     .example = "friend show bob",
     .params = {FRIEND_ARGUMENT},
     .layout = &friend_layout},
    {.words = "friend set",
     .command = "friend.set",
     .help = "change the name or the addresses of a friend",
     .example = "friend set bob --address 192.0.2.1:7812",
     .params = {FRIEND_ARGUMENT, {CTL_TEXT, "--name", "name", "what to call it", true}, ADDRESS_OPTION},
     .layout = &friend_layout},
    {.words = "friend connect",
     .command = "friend.connect",
     .help = "try to connect now",
     .example = "friend connect bob",
     .params = {FRIEND_ARGUMENT},
     .layout = &done_layout},
    {.words = "friend remove",
     .command = "friend.remove",
     .help = "end a friendship",
     .example = "friend remove bob",
     .params = {FRIEND_ARGUMENT},
     .layout = &done_layout},
    {.words = "attempts",
     .command = "attempts",
     .help = "who tried to connect without being a friend",
     .example = "attempts",
     .layout = &attempts_layout},
    {.words = "tunnels",
     .command = "tunnels",
     .help = "tunnels that end here or are relayed",
     .example = "tunnels",
     .layout = &tunnels_layout},

    {.words = "contact add",
     .command = "contact.add",
     .help = "add a distant person by key, certificate or link",
     .example = "contact add @bob.asc --handle bob",
     OF_ACCOUNT,
     .params = {{CTL_DOCUMENT, "KEY", "key", "the text, @FILE, or - for the standard input", false},
                {CTL_TEXT, "--handle", "handle", "short name: a-z 0-9 _ -", true},
                {CTL_TEXT, "--name", "name", "name to show", true}},
     .layout = &contact_layout},
    {.words = "contact list",
     .command = "contact.list",
     .help = "all contacts",
     .example = "contact list",
     OF_ACCOUNT,
     .layout = &contacts_layout},
    {.words = "contact show",
     .command = "contact.show",
     .help = "one contact with its key",
     .example = "contact show bob",
     OF_ACCOUNT,
     .params = {CONTACT_ARGUMENT},
     .layout = &contact_layout},
    {.words = "contact set",
     .command = "contact.set",
     .help = "change handle, name or presence of a contact",
     .example = "contact set bob --handle robert --presence always",
     OF_ACCOUNT,
     .params = {CONTACT_ARGUMENT,
                {CTL_TEXT, "--handle", "handle", "short name: a-z 0-9 _ -", true},
                {CTL_TEXT, "--name", "name", "name to show", true},
                {CTL_TEXT, "--presence", "presence",
                 "reachable always, open (while a client is connected) or never", true}},
     .layout = &contact_layout},
    {.words = "contact remove",
     .command = "contact.remove",
     .help = "remove a contact",
     .example = "contact remove bob",
     OF_ACCOUNT,
     .params = {CONTACT_ARGUMENT},
     .layout = &done_layout},

    {.words = "invite new",
     .command = "invite.new",
     .help = "make a link with which a contact can reach this account",
     .example = "invite new bob --valid 7d --qr",
     OF_ACCOUNT,
     .params = {{CTL_REFERENCE, "CONTACT", "contact", "handle, id or fingerprint", true},
                {CTL_DOCUMENT, "--key", "key", "the public key of somebody who is no contact yet", true},
                {CTL_SECONDS, "--valid", "valid", "how long, like 24h (the default) or 7d", true},
                {CTL_NUMBER, "--uses", "uses", "how often; 1 is the default, -1 without limit", true},
                {CTL_TEXT, "--protection", "protection",
                 "any (the default: sealed when the other side can), sealed (nothing else) or classic", true},
                {CTL_SWITCH, "--qr", ".qr", "also as a QR code", true}},
     .layout = &invite_layout,
     .after = show_invite},
    {.words = "invite open",
     .command = "invite.open",
     .help = "accept a link that somebody gave you",
     .example = "invite open @link.txt",
     OF_ACCOUNT,
     .params = {{CTL_DOCUMENT, "LINK", "link", "the link, @FILE, or - for the standard input", false},
                {CTL_DOCUMENT, "--key", "key", "the public key of the inviter, if no contact yet", true}},
     .layout = &conversation_layout,
     .prepare = take_link},
    {.words = "invite list",
     .command = "invite.list",
     .help = "all invites",
     .example = "invite list",
     OF_ACCOUNT,
     .layout = &invites_layout},
    {.words = "invite revoke",
     .command = "invite.revoke",
     .help = "make an invite worthless",
     .example = "invite revoke 4",
     OF_ACCOUNT,
     .params = {{CTL_NUMBER, "ID", "invite", "of 'invite list'", false}},
     .layout = &invite_layout},

    {.words = "conversation list",
     .command = "conversation.list",
     .help = "all conversations",
     .example = "conversation list",
     OF_ACCOUNT,
     .layout = &conversations_layout},
    {.words = "conversation show",
     .command = "conversation.show",
     .help = "one conversation, its routes and who can know what",
     .example = "conversation show bob",
     OF_ACCOUNT,
     .params = {CONVERSATION_ARGUMENT},
     .layout = &conversation_layout,
     .after = show_routes},
    {.words = "conversation open",
     .command = "conversation.open",
     .help = "look for a tunnel now",
     .example = "conversation open bob",
     OF_ACCOUNT,
     .params = {CONVERSATION_ARGUMENT},
     .layout = &conversation_layout},
    {.words = "conversation close",
     .command = "conversation.close",
     .help = "end a conversation and its routes; the contact is told",
     .example = "conversation close bob",
     OF_ACCOUNT,
     .params = {CONVERSATION_ARGUMENT},
     .layout = &conversation_layout},
    {.words = "conversation lower",
     .command = "conversation.lower",
     .help = "give up sealed chat: allow classic chat with this contact again",
     .example = "conversation lower bob",
     OF_ACCOUNT,
     .params = {CONVERSATION_ARGUMENT, {CTL_SWITCH, "--yes", ".yes", "ask nothing", true}},
     .layout = &conversation_layout,
     .prepare = ask_whether_classic},
    {.words = "say",
     .command = "say",
     .help = "say something",
     .example = "say bob hello, are you there?",
     OF_ACCOUNT,
     .params = {CONVERSATION_ARGUMENT,
                {CTL_WORDS, "TEXT", "text", "what to say, or - for the standard input", false},
                {CTL_TEXT, "--label", "label", "returned with the line", true}},
     .layout = &said_layout},
    {.words = "history",
     .command = "history",
     .help = "what was said",
     .example = "history bob --max 20",
     OF_ACCOUNT,
     .params = {CONVERSATION_ARGUMENT,
                {CTL_NUMBER, "--before", "before", "lines before this number", true},
                {CTL_NUMBER, "--after", "after", "lines after this number", true},
                {CTL_NUMBER, "--max", "max", "at most so many, up to 500", true}},
     .after = show_history},
    {.words = "search",
     .command = "search",
     .help = "find what was said, in capitals or not",
     .example = "search the blue house",
     OF_ACCOUNT,
     .params = {{CTL_WORDS, "TEXT", "text", "what to look for", false},
                {CTL_REFERENCE, "--conversation", "conversation", "only there: handle or id", true},
                {CTL_NUMBER, "--before", "before", "lines before this number", true},
                {CTL_NUMBER, "--max", "max", "at most so many, up to 200", true}},
     .after = show_found},
    {.words = "post list",
     .command = "post.list",
     .help = "posts: distant messages, those received or sent",
     .example = "post list --box in --max 20",
     OF_ACCOUNT,
     .params = {{CTL_TEXT, "--box", "box", "in, out or all", true},
                {CTL_NUMBER, "--before", "before", "posts before this number", true},
                {CTL_NUMBER, "--thread", "thread", "posts of one thread", true},
                {CTL_NUMBER, "--max", "max", "at most so many, up to 200", true}},
     .after = ctl_post_print_list},
    {.words = "post search",
     .command = "post.search",
     .help = "find posts by subject, address or beginning",
     .example = "post search the blue house",
     OF_ACCOUNT,
     .params = {{CTL_WORDS, "TEXT", "text", "what to look for", false},
                {CTL_TEXT, "--box", "box", "in, out or all", true},
                {CTL_NUMBER, "--before", "before", "posts before this number", true},
                {CTL_NUMBER, "--max", "max", "at most so many, up to 200", true}},
     .after = ctl_post_print_list},
    {.words = "post show",
     .command = "post.show",
     .help = "one post: who, what became of it, its text and attachments",
     .example = "post show 12",
     OF_ACCOUNT,
     .params = {POST_ARGUMENT},
     .after = ctl_post_print},
    {.words = "post read",
     .help = "the whole message as RFC 5322 text",
     .example = "post read 12 > 12.eml",
     .params = {POST_NUMBER},
     .run = ctl_post_read},
    {.words = "post part",
     .help = "save an attachment",
     .example = "post part 12 2 --file plan.pdf",
     .params = {POST_NUMBER,
                {CTL_NUMBER, "PART", ".part", "its number in 'post show'", false},
                {CTL_TEXT, "--file", ".file",
                 "where to; - for the standard output; its own name, if left out", true},
                {CTL_SWITCH, "--force", ".force", "overwrite a file", true}},
     .run = ctl_post_part},
    {.words = "post send",
     .help = "send a post",
     .example = "post send bob,carol --subject Hello --attach plan.pdf < text",
     .params = {{CTL_TEXT, "TO", ".to", "handles or addresses, joined by commas", false},
                {CTL_TEXT, "--text", ".text", "the text; without it the standard input is", true},
                {CTL_TEXT, "--subject", ".subject", "what it is about", true},
                {CTL_LIST, "--cc", ".cc", "another recipient; may be repeated", true},
                {CTL_LIST, "--attach", ".attach", "a file; may be repeated", true},
                {CTL_NUMBER, "--reply", ".reply_to", "the post that it answers", true},
                {CTL_SECONDS, "--wait", ".wait", "how long it may wait, like 3d", true},
                {CTL_LIST, "--lower", ".lower",
                 "this contact may get it as in 2013, without receipt; may be repeated", true},
                {CTL_SWITCH, "--tell", ".tell", "report by a post when it was delivered", true},
                {CTL_SWITCH, "--unsigned", ".unsigned", "without signature", true}},
     .run = ctl_post_send},
    {.words = "post flag",
     .command = "post.flag",
     .help = "mark a post",
     .example = "post flag 12 --seen on",
     OF_ACCOUNT,
     .params = {POST_ARGUMENT,
                {CTL_ON_OFF, "--seen", "seen", "it was read", true},
                {CTL_ON_OFF, "--answered", "answered", "it was answered", true},
                {CTL_ON_OFF, "--flagged", "flagged", "it is of weight", true}},
     .layout = &done_layout},
    {.words = "post delete",
     .command = "post.delete",
     .help = "delete a post; what waits to be sent is withdrawn",
     .example = "post delete 12",
     OF_ACCOUNT,
     .params = {POST_ARGUMENT},
     .layout = &done_layout},
    {.words = "post withdraw",
     .command = "post.withdraw",
     .help = "do not send what still waits",
     .example = "post withdraw 12",
     OF_ACCOUNT,
     .params = {POST_ARGUMENT, ONE_RECIPIENT},
     .after = ctl_post_print},
    {.words = "post resend",
     .command = "post.resend",
     .help = "send again what failed or is not confirmed",
     .example = "post resend 12",
     OF_ACCOUNT,
     .params = {POST_ARGUMENT,
                ONE_RECIPIENT,
                {CTL_SWITCH, "--lower", "lower",
                 "as in 2013, also to one who takes sealed posts: no receipt, and relays can tell", true}},
     .after = ctl_post_print},
    {.words = "post link new",
     .command = "post.link.new",
     .help = "make a link by which whoever has it can write to this account",
     .example = "post link new --valid 30d",
     OF_ACCOUNT,
     .params = {{CTL_SECONDS, "--valid", "valid", "how long, like 30d (the default); at most a year", true}},
     .layout = &post_link_layout},
    {.words = "post link open",
     .command = "post.link.open",
     .help = "accept such a link; then its maker can be written to",
     .example = "post link open @link.txt --key @carol.asc",
     OF_ACCOUNT,
     .params = {{CTL_DOCUMENT, "LINK", "link", "the link, @FILE, or - for the standard input", false},
                {CTL_DOCUMENT, "--key", "key", "the public key of its maker, if no contact yet", true}},
     .layout = &opened_post_link_layout,
     .prepare = take_link},
    {.words = "post link list",
     .command = "post.link.list",
     .help = "all such links of the account",
     .example = "post link list",
     OF_ACCOUNT,
     .layout = &post_links_layout},
    {.words = "post link revoke",
     .command = "post.link.revoke",
     .help = "make such a link worthless",
     .example = "post link revoke 3",
     OF_ACCOUNT,
     .params = {{CTL_NUMBER, "ID", "link", "of 'post link list'", false}},
     .layout = &post_link_layout},

    {.words = "watch",
     .help = "follow what happens: the gateway, or with --account that account",
     .example = "watch --account alice",
     .run = ctl_watch},

    {.words = "app-password new",
     .command = "app_password.new",
     .help = "make a password for one program",
     .example = "app-password new phone --scope irc",
     OF_ACCOUNT,
     .params = {{CTL_TEXT, "LABEL", "label", "which program or device", false},
                {CTL_TEXT, "--scope", "scope", "irc, web, mail, control or *", true},
                {CTL_SECONDS, "--idle", "idle", "it ends when unused for so long, like 30d", true}},
     .layout = &app_password_layout,
     .after = told_once},
    {.words = "app-password list",
     .command = "app_password.list",
     .help = "all app passwords",
     .example = "app-password list",
     OF_ACCOUNT,
     .layout = &app_passwords_layout},
    {.words = "app-password revoke",
     .command = "app_password.revoke",
     .help = "make an app password worthless",
     .example = "app-password revoke 2",
     OF_ACCOUNT,
     .params = {{CTL_NUMBER, "ID", "app_password", "of 'app-password list'", false}},
     .layout = &done_layout},

    {.words = "config check",
     .help = "read a configuration as the daemon would, and say what is wrong",
     .example = "config check /etc/retrogate/retrogate.conf",
     .params = {{CTL_TEXT, "FILE", ".file", "the daemon's own, if left out", true}},
     .run = ctl_config_check},
    {.words = "version",
     .help = "the version of this program and of the daemon",
     .example = "version",
     .run = ctl_version},
};

const size_t ctl_verbs_count = sizeof ctl_verbs / sizeof *ctl_verbs;
