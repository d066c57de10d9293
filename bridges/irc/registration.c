/* SPDX-License-Identifier: ISC */
#include "session.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static const char how_to_log_in[] =
    "Log in with the server password \"account:password\" (or account@device:password), or with SASL PLAIN";

static void wipe_pass(struct client *client)
{
    if (client->pass != NULL)
        OPENSSL_cleanse(client->pass, strlen(client->pass));
    free(client->pass);
    client->pass = NULL;
}

/* --- log-in ------------------------------------------------------------------------------------------------
 */

static struct client *client_of(void *arg)
{
    struct client *client = arg;
    assert(client->magic == CLIENT_MAGIC);
    return client;
}

static void on_more(void *arg)
{
    struct client *client = client_of(arg);
    follow_more(client);
    client_schedule(client);
}

static void on_hint(void *arg, json_t *hint)
{
    talk_hint(client_of(arg), hint);
}

static void on_ended(void *arg, const char *reason)
{
    struct client *client = client_of(arg);
    client->session = NULL;
    client_end(client, reason);
}

static const struct gateway_events events = {on_more, on_hint, on_ended};

static void refuse(struct client *client, const struct error *error)
{
    const char *text = error != NULL ? error->text : "Log-in failed";
    bool sasl = client->sasl_running;
    client->sasl_running = false;
    client->login_tries++;
    log_info("irc", "event=refused client=%llu code=%s", (unsigned long long)client->id,
             error != NULL ? error_word(error->code) : "internal");
    if (sasl)
        client_numeric(client, 904, NULL, "%s", text);
    else
        client_numeric(client, 464, NULL, "%s. %s", text, how_to_log_in);
    if (!sasl || client->login_tries >= LOGIN_TRIES)
        client_end(client, "Log-in failed");
    else
        registration_step(client); /* CAP END may have come before the answer */
}

static void logged_in(void *arg, struct gateway_session *session, const struct error *error)
{
    struct client *client = client_of(arg);
    client->login = 0;
    if (session == NULL) {
        refuse(client, error);
        client_resume(client);
        return;
    }
    if (client->phase == PHASE_ENDING) {
        gateway_logout(session);
        return;
    }
    client->session = session;
    gateway_listen(session, &events, client);
    int64_t account = gateway_account(session);
    log_info("irc", "event=login client=%llu account=%s", (unsigned long long)client->id,
             log_name(&account, sizeof account));
    if (client->sasl_running) {
        const char *name = gateway_account_name(session);
        char source[SOURCE_SIZE];
        snprintf(source, sizeof source, "%s!%s@%s", client->nick[0] != '\0' ? client->nick : "*",
                 client->user[0] != '\0' ? client->user : "*", client->site->name);
        client_numeric(client, 900, WORDS(source, name), "You are now logged in as %s", name);
        client_numeric(client, 903, NULL, "SASL authentication successful");
        client->sasl_running = false;
    }
    registration_step(client);
    client_resume(client);
}

static bool device_valid(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t size = strlen(name);
    return size > 0 && size < USER_SIZE && strspn(name, letters) == size;
}

/* `name` is account or account@device. */
static void log_in(struct client *client, const char *name, const char *password)
{
    char account[TARGET_SIZE];
    snprintf(account, sizeof account, "%s", name);
    char *at = strrchr(account, '@');
    if (at != NULL)
        *at++ = '\0';
    if (strlen(name) >= sizeof account || (at != NULL && !device_valid(at))) {
        struct error *error = NULL;
        error_set(&error, ERROR_INVALID,
                  "The device name behind @ has 1 to 32 letters, digits, '.', '_', '-'");
        refuse(client, error);
        error_free(error);
        return;
    }
    snprintf(client->device, sizeof client->device, "irc/%s", at != NULL ? at : "default");
    struct gateway_login login = {account, password, "irc", client->address};
    client->login = gateway_login(client->site->gateway, &login, logged_in, client);
}

static bool name_like(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] == ' ' || text[i] == '/' || (unsigned char)text[i] < 0x20)
            return false;
    return size > 0 && size < TARGET_SIZE;
}

/* PASS is "account:password", or the password alone with the account as USER's name. */
static void log_in_with_pass(struct client *client)
{
    const char *colon = strchr(client->pass, ':');
    char name[TARGET_SIZE];
    if (colon != NULL && name_like(client->pass, (size_t)(colon - client->pass))) {
        snprintf(name, sizeof name, "%.*s", (int)(colon - client->pass), client->pass);
        log_in(client, name, colon + 1);
    } else {
        log_in(client, client->login_name, client->pass);
    }
    wipe_pass(client);
}

/* --- reading what is needed before 001
 * ------------------------------------------------------------------------ */

/* Without it a client comes in all the same. */
static void got_posts(struct client *client, const struct answer *answer)
{
    posts_begin(client, json_object_get(answer->result, "posts"));
    client->phase = PHASE_LOADED;
    registration_step(client);
}

static void got_cursor(struct client *client, const struct answer *answer)
{
    struct follow *follow = &client->follow;
    if (!answer_came(client, answer))
        return;
    /* A client that comes for the first time begins at what the lists showed. */
    if (json_is_true(json_object_get(answer->result, "known")) &&
        member_integer(answer->result, "epoch") == follow->epoch) {
        int64_t change = member_integer(answer->result, "change");
        follow->at.change = change < follow->at.change ? change : follow->at.change;
        follow->at.seq = member_integer(answer->result, "seq");
        follow->handed = follow->kept = follow->at;
    } else {
        follow->at.seq = peer_last(client);
        follow->handed = follow->at;
        follow->kept = (struct cursor){-1, -1};
        follow->seen_at = client_now(client) + SEEN_MS;
    }
    client_ask(client, posts_question(), &(struct question){.answered = got_posts});
}

static void got_conversations(struct client *client, const struct answer *answer)
{
    size_t index;
    json_t *each;
    if (!answer_came(client, answer))
        return;
    json_array_foreach(json_object_get(answer->result, "conversations"), index, each)
        peer_add_conversation(client, each);
    client_ask(client, json_pack("{s:s, s:s}", "do", "client.open", "name", client->device),
               &(struct question){.answered = got_cursor});
}

static void got_contacts(struct client *client, const struct answer *answer)
{
    size_t index;
    json_t *each;
    if (!answer_came(client, answer))
        return;
    json_array_foreach(json_object_get(answer->result, "contacts"), index, each)
        peer_add_contact(client, each);
    client_ask(client, json_pack("{s:s}", "do", "conversation.list"),
               &(struct question){.answered = got_conversations});
}

static void got_account(struct client *client, const struct answer *answer)
{
    if (!answer_came(client, answer))
        return;
    const json_t *account = json_object_get(answer->result, "account");
    client->follow.epoch = member_integer(account, "epoch");
    client->follow.at.change = member_integer(account, "change");
    client_ask(client, json_pack("{s:s}", "do", "contact.list"),
               &(struct question){.answered = got_contacts});
}

/* The number of the last change is asked for first: what changes while the lists are read is read again as
 * changes. */
static void load(struct client *client)
{
    client->phase = PHASE_LOADING;
    client_ask(client, json_pack("{s:s}", "do", "hello"), &(struct question){.answered = got_account});
}

static bool nick_taken(struct client *client, const char *nick)
{
    return name_equal(nick, CONTROL_NICK) || peer_by_handle(client, nick) != NULL;
}

static void say_taken(struct client *client, const char *nick)
{
    client_numeric(client, 433, WORDS(nick), "This is the handle of one of your contacts, or the gateway");
}

static void finish(struct client *client)
{
    if (nick_taken(client, client->nick)) {
        say_taken(client, client->nick);
        client->nick[0] = '\0';
        client->needs |= NEED_NICK;
        return;
    }
    /* When the gateway refuses at once, this has been run to its end within the question. */
    if (!marker_update_all(client) || !history_begin(client) || client->phase != PHASE_LOADED)
        return;
    /* Who can ask for what was missed is not given it unasked (chathistory). */
    if (client_has(client, CAP_CHATHISTORY) && peer_last(client) > client->follow.at.seq)
        client->follow.at.seq = peer_last(client);
    client->phase = PHASE_UP;
    welcome(client);
    peer_join_all(client);
    posts_summary(client);
    follow_begin(client);
    client_schedule(client);
}

void registration_step(struct client *client)
{
    if (client->phase > PHASE_LOADED || client->needs != 0 || client->login != 0)
        return;
    if (client->phase == PHASE_LOADED) {
        finish(client);
    } else if (client->phase == PHASE_REGISTERING && client->session != NULL) {
        wipe_pass(client);
        load(client);
    } else if (client->phase == PHASE_REGISTERING && client->pass != NULL) {
        log_in_with_pass(client);
    } else if (client->phase == PHASE_REGISTERING) {
        client_numeric(client, 464, NULL, "A password is needed. %s", how_to_log_in);
        client_end(client, "A password is needed");
    }
}

void registration_close(struct client *client)
{
    if (client->login != 0)
        gateway_login_cancel(client->site->gateway, client->login);
    client->login = 0;
    wipe_pass(client);
    buffer_free(&client->sasl);
}

/* --- the commands
 * ------------------------------------------------------------------------------------------- */

void act_pass(struct client *client, const struct message *message)
{
    wipe_pass(client);
    client->pass = strdup(message->params[0]);
}

void act_nick(struct client *client, const struct message *message)
{
    const char *nick = message->param_count > 0 ? message->params[0] : "";
    if (*nick == '\0') {
        client_numeric(client, 431, NULL, "No nickname given");
        return;
    }
    if (!nick_valid(nick, NICK_SIZE - 1)) {
        client_numeric(
            client, 432, WORDS(strchr(nick, ' ') == NULL && *nick != ':' ? nick : "*"),
            "Nicks have 1 to %d ASCII letters, digits and []\\`_^{|}-, and begin with none of 0-9 -",
            NICK_SIZE - 1);
        return;
    }
    if (nick_taken(client, nick)) {
        say_taken(client, nick);
        return;
    }
    if (client->phase == PHASE_UP && strcmp(nick, client->nick) != 0) {
        char source[SOURCE_SIZE];
        client_source(client, source);
        client_say(client, &(struct stamp){0}, source, "NICK", WORDS(nick), NULL);
    }
    snprintf(client->nick, sizeof client->nick, "%s", nick);
    client->needs &= ~(unsigned)NEED_NICK;
    registration_step(client);
}

void act_user(struct client *client, const struct message *message)
{
    if ((client->needs & NEED_USER) == 0) {
        client_numeric(client, 462, NULL, "You may not reregister");
        return;
    }
    const char *name = message->params[0];
    size_t used = 0;
    for (const char *at = name; *at != '\0' && *at != '@' && used < sizeof client->user - 1; at++)
        if (nick_valid((const char[]){'a', *at, '\0'}, 2))
            client->user[used++] = *at;
    client->user[used] = '\0';
    if (used == 0)
        snprintf(client->user, sizeof client->user, "user");
    snprintf(client->login_name, sizeof client->login_name, "%s", name);
    text_label(client->real, sizeof client->real, message->params[3]);
    client->needs &= ~(unsigned)NEED_USER;
    registration_step(client);
}

/* --- SASL PLAIN (RFC 4616)
 * ------------------------------------------------------------------------------------- */

enum { SASL_CHUNK = 400 };

static void sasl_reset(struct client *client)
{
    buffer_clear(&client->sasl);
    client->sasl_begun = false;
}

/* authzid NUL authcid NUL password; the first is empty or the second's account. */
static void sasl_finish(struct client *client)
{
    struct bytes text = buffer_view(&client->sasl);
    uint8_t plain[1024];
    int size = text.size % 4 == 0 ? EVP_DecodeBlock(plain, text.data, (int)text.size) : -1;
    for (size_t i = text.size; size > 0 && i > 0 && text.data[i - 1] == '='; i--)
        size--;
    sasl_reset(client);
    const char *part[3] = {(const char *)plain, NULL, NULL};
    size_t parts = 1;
    for (int i = 0; i < size; i++)
        if (plain[i] == 0 && parts++ < 3)
            part[parts - 1] = (const char *)plain + i + 1;
    if (size >= 0)
        plain[size] = 0;
    bool valid = size > 0 && parts == 3 && *part[1] != '\0';
    if (valid && *part[0] != '\0' && strcmp(part[0], part[1]) != 0)
        valid = strncmp(part[0], part[1], strlen(part[0])) == 0 && part[1][strlen(part[0])] == '@';
    client->sasl_running = true;
    if (valid) {
        log_in(client, part[1], part[2]);
    } else {
        struct error *error = NULL;
        error_set(&error, ERROR_INVALID, "SASL PLAIN needs base64 of: empty NUL account NUL password");
        refuse(client, error);
        error_free(error);
    }
    OPENSSL_cleanse(plain, sizeof plain);
}

static void sasl_begin(struct client *client, const char *mechanism)
{
    if (name_equal(mechanism, "PLAIN")) {
        client->sasl_begun = true;
        client_say(client, NULL, NULL, "AUTHENTICATE", WORDS("+"), NULL);
        return;
    }
    client_numeric(client, 908, WORDS("PLAIN"), "are available SASL mechanisms");
    client_numeric(client, 904, NULL, "This SASL mechanism is not supported; PLAIN is");
}

static void sasl_abort(struct client *client)
{
    if (client->sasl_running && client->login != 0) {
        gateway_login_cancel(client->site->gateway, client->login);
        client->login = 0;
    }
    client->sasl_running = false;
    sasl_reset(client);
    client_numeric(client, 906, NULL, "SASL authentication aborted");
}

void act_authenticate(struct client *client, const struct message *message)
{
    const char *text = message->params[0];
    if (client->session != NULL)
        client_numeric(client, 907, NULL, "You have already authenticated using SASL");
    else if (!client_has(client, CAP_SASL))
        client_numeric(client, 904, NULL, "Ask for the capability sasl first");
    else if (strcmp(text, "*") == 0)
        sasl_abort(client);
    else if (client->login != 0)
        client_numeric(client, 904, NULL, "A log-in is being checked already");
    else if (!client->sasl_begun)
        sasl_begin(client, text);
    else if (strlen(text) > SASL_CHUNK ||
             (strcmp(text, "+") != 0 && !buffer_append_string(&client->sasl, text))) {
        sasl_reset(client);
        client_numeric(client, 905, NULL, "SASL message too long");
    } else if (strlen(text) < SASL_CHUNK) {
        sasl_finish(client);
    }
}
