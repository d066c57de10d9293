/* SPDX-License-Identifier: ISC */
#include "core/verbs.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "core/commands.h"
#include "wire/utf8.h"

enum { WORDS_MAX = 16, SEARCH_SHOWN = 20 };

struct words {
    size_t count;
    char *word[WORDS_MAX];
};

struct verb {
    const char *name;
    const char *usage;
    const char *help;
    bool for_operator;
    /* The command for these words, or NULL with an error. */
    json_t *(*make)(const struct words *words, struct error **error);
    /* Shows the answer. */
    void (*show)(json_t *lines, const json_t *answer);
};

static void say(json_t *lines, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(json_t *lines, const char *format, ...)
{
    struct buffer text = buffer_make(1 << 16);
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    uint8_t *at = size >= 0 ? buffer_reserve(&text, (size_t)size + 1) : NULL;
    if (at != NULL) {
        vsnprintf((char *)at, (size_t)size + 1, format, again);
        json_array_append_new(lines, json_string((char *)at));
    }
    va_end(again);
    buffer_free(&text);
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

static long long number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static void date(char out[32], long long ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    if (ms <= 0 || gmtime_r(&seconds, &parts) == NULL || strftime(out, 32, "%Y-%m-%d %H:%M UTC", &parts) == 0)
        snprintf(out, 32, "never");
}

/* "90", "90s", "15m", "2h", "7d", "4w" in seconds; -1 when it is none. */
static json_int_t duration(const char *text)
{
    static const struct {
        char unit;
        json_int_t seconds;
    } units[] = {{'\0', 1}, {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    char *end;
    long long value = strtoll(text, &end, 10);
    if (end == text || value <= 0 || value > 100000000 || (end[0] != '\0' && end[1] != '\0'))
        return -1;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (units[i].unit == *end)
            return value * units[i].seconds;
    }
    return -1;
}

/* --- the commands */

static json_t *plain(const char *name)
{
    return json_pack("{s:s}", "do", name);
}

static json_t *make_status(const struct words *words, struct error **error)
{
    (void)words, (void)error;
    return plain("status");
}

static json_t *make_contacts(const struct words *words, struct error **error)
{
    (void)words, (void)error;
    return plain("conversation.list");
}

static json_t *make_friends(const struct words *words, struct error **error)
{
    (void)words, (void)error;
    return plain("friend.list");
}

static json_t *make_attempts(const struct words *words, struct error **error)
{
    (void)words, (void)error;
    return plain("attempts");
}

static json_t *make_invites(const struct words *words, struct error **error)
{
    (void)words, (void)error;
    return plain("invite.list");
}

static json_t *make_key(const struct words *words, struct error **error)
{
    (void)words, (void)error;
    return plain("account.show");
}

static json_t *make_certificate(const struct words *words, struct error **error)
{
    (void)words, (void)error;
    return plain("friend.self");
}

static json_t *make_invite(const struct words *words, struct error **error)
{
    if (words->count < 2) {
        error_set(error, ERROR_INVALID, "for whom? invite HANDLE [7d] [3 uses] [sealed|classic]");
        return NULL;
    }
    json_t *command = json_pack("{s:s,s:s}", "do", "invite.new", "contact", words->word[1]);
    for (size_t i = 2; i < words->count; i++) {
        char *end;
        long uses = strtol(words->word[i], &end, 10);
        if (i + 1 < words->count && strncmp(words->word[i + 1], "use", 3) == 0 && *end == '\0') {
            json_object_set_new(command, "uses", json_integer(uses));
            i++;
        } else if (duration(words->word[i]) > 0) {
            json_object_set_new(command, "valid", json_integer(duration(words->word[i])));
        } else if (strcasecmp(words->word[i], "sealed") == 0 || strcasecmp(words->word[i], "classic") == 0) {
            json_object_set_new(
                command, "protection",
                json_string(strcasecmp(words->word[i], "sealed") == 0 ? "sealed" : "classic"));
        } else {
            error_set(error, ERROR_INVALID,
                      "invite HANDLE [30m, 12h, 7d] [3 uses] [sealed|classic]: one word was not understood");
            json_decref(command);
            return NULL;
        }
    }
    return command;
}

static json_t *one_word(const struct words *words, const char *command, const char *argument,
                        const char *usage, struct error **error)
{
    if (words->count == 2)
        return json_pack("{s:s,s:s}", "do", command, argument, words->word[1]);
    error_set(error, ERROR_INVALID, "%s", usage);
    return NULL;
}

static json_t *make_accept(const struct words *words, struct error **error)
{
    return one_word(words, "invite.open", "link", "accept LINK: the whole link, one word", error);
}

static json_t *make_add(const struct words *words, struct error **error)
{
    if (words->count == 2 || words->count == 3) {
        json_t *command = json_pack("{s:s,s:s}", "do", "contact.add", "key", words->word[1]);
        if (words->count == 3)
            json_object_set_new(command, "handle", json_string(words->word[2]));
        return command;
    }
    error_set(error, ERROR_INVALID,
              "add LINK [HANDLE]: a retroshare://certificate link or a certificate, one word");
    return NULL;
}

static json_t *make_search(const struct words *words, struct error **error)
{
    struct buffer text = buffer_make(1 << 16);
    for (size_t i = 1; i < words->count; i++)
        buffer_printf(&text, "%s%s", i > 1 ? " " : "", words->word[i]);
    json_t *command = words->count > 1 ? json_pack("{s:s,s:s,s:i}", "do", "search", "text",
                                                   buffer_string(&text), "max", SEARCH_SHOWN)
                                       : NULL;
    buffer_free(&text);
    if (command == NULL)
        error_set(error, ERROR_INVALID, "search TEXT: some words that were said");
    return command;
}

static json_t *make_posts(const struct words *words, struct error **error)
{
    (void)words;
    (void)error;
    return json_pack("{s:s,s:i}", "do", "post.list", "max", SEARCH_SHOWN);
}

static json_t *make_info(const struct words *words, struct error **error)
{
    return one_word(words, "conversation.show", "conversation", "info HANDLE", error);
}

static json_t *make_open(const struct words *words, struct error **error)
{
    return one_word(words, "conversation.open", "conversation", "open HANDLE", error);
}

static json_t *make_close(const struct words *words, struct error **error)
{
    return one_word(words, "conversation.close", "conversation", "close HANDLE", error);
}

/* Without "sure" the command refuses, and tells what is given up. */
static json_t *make_lower(const struct words *words, struct error **error)
{
    bool sure = words->count == 3 && strcasecmp(words->word[2], "sure") == 0;
    if (words->count == 2 || sure)
        return json_pack("{s:s,s:s,s:b}", "do", "conversation.lower", "conversation", words->word[1], "sure",
                         sure);
    error_set(error, ERROR_INVALID, "lower HANDLE, and then: lower HANDLE sure");
    return NULL;
}

static json_t *make_rename(const struct words *words, struct error **error)
{
    if (words->count == 3)
        return json_pack("{s:s,s:s,s:s}", "do", "contact.set", "contact", words->word[1], "handle",
                         words->word[2]);
    error_set(error, ERROR_INVALID, "rename HANDLE NEW-HANDLE");
    return NULL;
}

static json_t *make_revoke(const struct words *words, struct error **error)
{
    char *end;
    long long id = words->count == 2 ? strtoll(words->word[1], &end, 10) : 0;
    if (words->count == 2 && id > 0 && *end == '\0')
        return json_pack("{s:s,s:I}", "do", "invite.revoke", "invite", (json_int_t)id);
    error_set(error, ERROR_INVALID, "revoke NUMBER: the number is in the list of invites");
    return NULL;
}

/* --- showing */

/* Between a state and its reason, which may be absent. */
static const char *dash_before(const char *reason)
{
    return *reason != '\0' ? " – " : "";
}

static void show_status(json_t *lines, const json_t *answer)
{
    const json_t *friends = json_object_get(answer, "friends"), *tunnels = json_object_get(answer, "tunnels");
    say(lines, "%s, retrogate %s, vault %s, up %lld s", text_of(answer, "name"), text_of(answer, "version"),
        text_of(answer, "vault"), number_of(answer, "uptime_ms") / 1000);
    say(lines, "%lld of %lld friends are connected; %lld tunnels end here, %lld are relayed",
        number_of(friends, "up"), number_of(friends, "total"), number_of(tunnels, "own"),
        number_of(tunnels, "relayed"));
}

static void show_conversation(json_t *lines, const json_t *conversation)
{
    long long queued = number_of(conversation, "queued");
    const char *reason = text_of(conversation, "reason");
    say(lines, "%s (%s): %s%s%s", text_of(conversation, "handle"), text_of(conversation, "name"),
        text_of(conversation, "state"), dash_before(reason), reason);
    if (queued > 0)
        say(lines, "  %lld %s for a tunnel", queued, queued == 1 ? "line waits" : "lines wait");
}

static void show_contacts(json_t *lines, const json_t *answer)
{
    size_t index;
    json_t *entry, *list = json_object_get(answer, "conversations");
    json_array_foreach(list, index, entry) show_conversation(lines, entry);
    if (json_array_size(list) == 0)
        say(lines, "no conversations yet: accept an invite, or add somebody's key and make an invite for it");
}

static void show_friends(json_t *lines, const json_t *answer)
{
    size_t index;
    json_t *entry, *list = json_object_get(answer, "friends");
    json_array_foreach(list, index, entry)
        say(lines, "%s %.8s: %s%s%s", text_of(entry, "name"), text_of(entry, "location"),
            text_of(entry, "state"), dash_before(text_of(entry, "reason")), text_of(entry, "reason"));
    if (json_array_size(list) == 0)
        say(lines, "no friends yet: retrogatectl friend add");
}

static void show_attempts(json_t *lines, const json_t *answer)
{
    size_t index;
    json_t *entry, *list = json_object_get(answer, "attempts");
    json_array_foreach(list, index, entry)
    {
        char last[32];
        date(last, number_of(entry, "last"));
        say(lines, "key %s, location %.8s, from %s, %lld times, last %s: %s", text_of(entry, "issuer"),
            text_of(entry, "location"), text_of(entry, "address"), number_of(entry, "count"), last,
            text_of(entry, "reason"));
    }
    if (json_array_size(list) == 0)
        say(lines, "nobody unknown has tried to connect");
}

static void show_invite(json_t *lines, const json_t *answer)
{
    char expires[32];
    long long uses = number_of(answer, "uses_left");
    const char *word = text_of(answer, "protection");
    const char *protection = strcmp(word, "any") == 0      ? "sealed when the other side can"
                             : strcmp(word, "sealed") == 0 ? "sealed only"
                                                           : "classic only";
    date(expires, number_of(answer, "expires"));
    say(lines,
        "Invite %lld for %s (%s), until %s, %lld %s left. Hand it over privately. It is one word: join its "
        "pieces",
        number_of(answer, "id"), text_of(answer, "handle"), protection, expires, uses,
        uses == 1 ? "use" : "uses");
    say(lines, "%s", text_of(answer, "link"));
}

static void show_invites(json_t *lines, const json_t *answer)
{
    size_t index;
    json_t *entry, *list = json_object_get(answer, "invites");
    json_array_foreach(list, index, entry)
    {
        char expires[32];
        date(expires, number_of(entry, "expires"));
        say(lines, "%lld: %s %s, %s, until %s", number_of(entry, "id"),
            json_is_true(json_object_get(entry, "own")) ? "for" : "from", text_of(entry, "handle"),
            text_of(entry, "state"), expires);
    }
    if (json_array_size(list) == 0)
        say(lines, "no invites");
}

static void show_accepted(json_t *lines, const json_t *answer)
{
    size_t index;
    json_t *warning;
    say(lines, "The conversation with %s is open; looking for a tunnel.", text_of(answer, "handle"));
    json_array_foreach(json_object_get(answer, "warnings"), index, warning)
        say(lines, "Careful: %s.", json_string_value(warning));
}

static void show_contact(json_t *lines, const json_t *answer)
{
    say(lines, "%s (%s), key %s", text_of(answer, "handle"), text_of(answer, "name"),
        text_of(answer, "fingerprint"));
}

/* The newest last, like a chat window; each on one line. */
static void show_search(json_t *lines, const json_t *answer)
{
    const json_t *list = json_object_get(answer, "lines");
    for (size_t i = json_array_size(list); i > 0; i--) {
        const json_t *line = json_array_get(list, i - 1);
        char when[32], said[400];
        date(when, number_of(line, "time"));
        utf8_show(said, sizeof said, bytes_of_string(text_of(line, "text")));
        say(lines, "%s, %s %s: %s", when, strcmp(text_of(line, "direction"), "in") == 0 ? "from" : "to",
            text_of(line, "handle"), said);
    }
    if (json_array_size(list) == 0)
        say(lines, "nothing found");
    if (json_is_true(json_object_get(answer, "more")))
        say(lines, "Older lines were not looked at; retrogatectl search can go on.");
}

/* The newest last. An own one with what became of it, as far as all its recipients share it. */
static void show_posts(json_t *lines, const json_t *answer)
{
    const json_t *list = json_object_get(answer, "posts");
    for (size_t i = json_array_size(list); i > 0; i--) {
        const json_t *post = json_array_get(list, i - 1);
        bool in = strcmp(text_of(post, "direction"), "in") == 0;
        const json_t *people = json_object_get(post, in ? "from" : "to"),
                     *deliveries = json_object_get(post, "deliveries");
        const char *state =
            in ? text_of(post, "verdict") : text_of(json_array_get(deliveries, 0), "delivery");
        for (size_t at = 1; at < json_array_size(deliveries); at++) {
            if (strcmp(text_of(json_array_get(deliveries, at), "delivery"), state) != 0)
                state = "several states";
        }
        char when[32];
        date(when, number_of(post, "time"));
        say(lines, "%lld: %s, %s %s (%s): %s", number_of(post, "seq"), when, in ? "from" : "to",
            text_of(json_array_get(people, 0), "address"), state, text_of(post, "subject"));
    }
    if (json_array_size(list) == 0)
        say(lines, "no posts yet: they are written with a mail client, the web page or retrogatectl");
}

static void show_info(json_t *lines, const json_t *answer)
{
    size_t index;
    json_t *entry;
    show_conversation(lines, answer);
    say(lines, "key %s", text_of(answer, "fingerprint"));
    say(lines, "protection: %s – %s", text_of(answer, "protection"), text_of(answer, "protection_text"));
    json_array_foreach(json_object_get(answer, "routes"), index, entry)
    {
        char created[32];
        date(created, number_of(entry, "created"));
        say(lines, "route %lld: %s, we are the %s, since %s, known to %s", number_of(entry, "id"),
            text_of(entry, "kind"), text_of(entry, "role"), created, text_of(entry, "hash_known_to"));
    }
    json_array_foreach(json_object_get(answer, "explanation"), index, entry)
        say(lines, "%s", json_string_value(entry));
}

static void show_key(json_t *lines, const json_t *answer)
{
    say(lines, "Your key is %s. This link, one word of several pieces, hands it over:",
        text_of(answer, "fingerprint"));
    say(lines, "%s", text_of(answer, "link"));
}

static void show_certificate(json_t *lines, const json_t *answer)
{
    say(lines, "This gateway's short invite, for friends who run a node:");
    say(lines, "%s", text_of(answer, "short"));
}

static void show_revoked(json_t *lines, const json_t *answer)
{
    say(lines, "Invite %lld is revoked.", number_of(answer, "id"));
}

static void show_lowered(json_t *lines, const json_t *answer)
{
    say(lines, "Classic invites may be used for %s again.", text_of(answer, "handle"));
    show_conversation(lines, answer);
}

static const struct verb verbs[] = {
    {"invite", "invite HANDLE [7d] [3 uses] [sealed|classic]", "make an invite for a contact", false,
     make_invite, show_invite},
    {"invites", "invites", "list invites made and opened", false, make_invites, show_invites},
    {"revoke", "revoke NUMBER", "end an invite and its route", false, make_revoke, show_revoked},
    {"accept", "accept LINK", "open an invite", false, make_accept, show_accepted},
    {"add", "add LINK [HANDLE]", "add a contact's key", false, make_add, show_contact},
    {"contacts", "contacts", "list conversations and their states", false, make_contacts, show_contacts},
    {"info", "info HANDLE", "state, key, protection and routes of a conversation", false, make_info,
     show_info},
    {"search", "search TEXT", "find what was said, in capitals or not", false, make_search, show_search},
    {"posts", "posts", "the newest distant messages", false, make_posts, show_posts},
    {"open", "open HANDLE", "look for a tunnel now", false, make_open, show_conversation},
    {"close", "close HANDLE", "tell the peer and end the routes", false, make_close, show_conversation},
    {"lower", "lower HANDLE", "allow classic chat again in a conversation that was sealed", false, make_lower,
     show_lowered},
    {"rename", "rename HANDLE NEW", "change a contact's handle", false, make_rename, show_contact},
    {"key", "key", "your own key, as a link", false, make_key, show_key},
    {"friends", "friends", "the node's friends", true, make_friends, show_friends},
    {"certificate", "certificate", "this node's short invite", true, make_certificate, show_certificate},
    {"attempts", "attempts", "unknown nodes that tried to connect", true, make_attempts, show_attempts},
    {"status", "status", "the gateway's state", true, make_status, show_status},
};

static void help(json_t *lines, bool operator_too)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (!verbs[i].for_operator || operator_too)
            say(lines, "%s – %s", verbs[i].usage, verbs[i].help);
    }
}

struct running {
    struct call *call;
    const struct verb *verb;
};

static void answered(void *arg, json_t *result, const struct error *error)
{
    struct running *running = arg;
    json_t *lines = json_array();
    if (error != NULL)
        say(lines, "%s: %s", running->verb->name, error->text);
    else
        running->verb->show(lines, result);
    call_done(running->call, json_pack("{s:o}", "lines", lines));
    free(running);
}

static bool run(struct call *call, const struct verb *verb, const struct words *words, struct error **error)
{
    json_t *command = verb->make(words, error);
    if (command == NULL)
        return false;
    struct running *running = malloc(sizeof *running);
    bool good = running != NULL || error_set(error, ERROR_INTERNAL, "out of memory");
    if (good) {
        *running = (struct running){call, verb};
        if (call->session->account == NULL && !verb->for_operator)
            json_object_set_new(command, "account", json_string(call->account->name));
        good = call_run(call, command, answered, running, error);
        if (!good)
            free(running);
    }
    json_decref(command);
    return good;
}

bool do_verb(struct call *call, struct error **error)
{
    const char *text = arg_text(call, "text");
    struct words words = {0};
    char *copy = strdup(text), *rest = copy, *word;
    if (copy == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    while ((word = strsep(&rest, " \t\r\n")) != NULL && words.count < WORDS_MAX) {
        if (*word != '\0')
            words.word[words.count++] = word;
    }
    bool good = true;
    struct error *refused = NULL;
    json_t *lines = NULL;
    const struct verb *verb = NULL;
    for (size_t i = 0; words.count > 0 && i < sizeof verbs / sizeof *verbs; i++) {
        if (strcasecmp(verbs[i].name, words.word[0]) == 0)
            verb = &verbs[i];
    }
    if (words.count == 0 || strcasecmp(words.word[0], "help") == 0) {
        lines = json_array();
        help(lines, gateway_is_operator(call->session));
    } else if (verb == NULL) {
        error_set(&refused, ERROR_INVALID, "unknown verb; \"help\" lists them");
    } else {
        good = run(call, verb, &words, &refused);
    }
    /* What was wrong is an answer here: a person reads it where he typed. */
    if (refused != NULL) {
        lines = json_array();
        say(lines, "%s", refused->text);
        error_free(refused);
        good = true;
    }
    if (lines != NULL)
        call_done(call, json_pack("{s:o}", "lines", lines));
    OPENSSL_cleanse(copy, strlen(text)); /* it may hold a link */
    free(copy);
    return good;
}
