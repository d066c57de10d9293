/* SPDX-License-Identifier: ISC */
#include "pop3.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDLE_MS = 600000 };

/* --- answers */

void pop3_refuse(struct session *session, const char *code, const char *format, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at > 0x7e)
            *at = '?';
    session_say(session, "-ERR %s%s%s%s", code != NULL ? "[" : "", code != NULL ? code : "",
                code != NULL ? "] " : "", text);
}

/* Response codes of RFC 2449 and 3206. */
void pop3_refuse_error(struct session *session, const struct error *error)
{
    static const char *const codes[] = {
        [ERROR_DENIED] = "AUTH",          [ERROR_LIMIT] = "SYS/TEMP",    [ERROR_LOCKED] = "SYS/TEMP",
        [ERROR_UNAVAILABLE] = "SYS/TEMP", [ERROR_INTERNAL] = "SYS/TEMP",
    };
    size_t code = error->code;
    pop3_refuse(session, code < sizeof codes / sizeof *codes ? codes[code] : NULL, "%s", error->text);
}

/* --- the session */

static void greet(struct session *session)
{
    session_say(session, "+OK %s POP3 retrogate", session->site->name);
}

static void secured(struct session *session)
{
    *pop3_of(session) = (struct pop3){0};
}

static void close_session(struct session *session)
{
    free(pop3_of(session)->messages);
}

static void bye(struct session *session, const char *reason)
{
    pop3_refuse(session, "SYS/TEMP", "%s", reason);
}

static void long_line(struct session *session)
{
    pop3_refuse(session, NULL, "The line is longer than %d bytes", SESSION_LINE);
}

static void challenge(struct session *session, const char *text)
{
    session_say(session, "+ %s", text);
}

/* --- before the log-in */

static void act_user(struct session *session, const char *rest)
{
    struct pop3 *pop3 = pop3_of(session);
    size_t size = strlen(rest);
    if (!session->secure) {
        pop3_refuse(session, "AUTH", "A password would pass in clear: say STLS first");
    } else if (size == 0 || size >= sizeof pop3->user) {
        pop3_refuse(session, NULL, "This is no account's name");
    } else {
        memcpy(pop3->user, rest, size + 1);
        session_say(session, "+OK And the password?");
    }
}

static void act_pass(struct session *session, const char *rest)
{
    struct pop3 *pop3 = pop3_of(session);
    char user[sizeof pop3->user];
    if (pop3->user[0] == '\0') {
        pop3_refuse(session, NULL, "USER comes first");
        return;
    }
    memcpy(user, pop3->user, sizeof user);
    pop3->user[0] = '\0';
    session_log_in(session, user, rest);
}

static void act_auth(struct session *session, const char *rest)
{
    char mechanism[32];
    size_t size = strcspn(rest, " ");
    if (!session->secure) {
        pop3_refuse(session, "AUTH", "A password would pass in clear: say STLS first");
    } else if (size == 0 || size >= sizeof mechanism) {
        pop3_refuse(session, NULL, "Say AUTH and one of: %s", SASL_MECHANISMS);
    } else {
        memcpy(mechanism, rest, size);
        mechanism[size] = '\0';
        rest += size + strspn(rest + size, " ");
        sasl_begin(session, mechanism, *rest != '\0' ? rest : NULL);
    }
}

static void refused(struct session *session, const struct error *error)
{
    pop3_refuse_error(session, error);
}

static void act_stls(struct session *session, const char *rest)
{
    (void)rest;
    if (session->tls)
        pop3_refuse(session, NULL, "TLS is on already");
    else if (!session_start_tls(session, "+OK Begin"))
        pop3_refuse(session, NULL, "There is no certificate here");
}

/* Messages are sent as they are in either mode (RFC 6856 §2.1): a client that cannot read a name in UTF-8
 * still gets its message. */
static void act_utf8(struct session *session, const char *rest)
{
    (void)rest;
    session_say(session, "+OK UTF-8");
}

static void act_capa(struct session *session, const char *rest)
{
    (void)rest;
    session_say(session, "+OK");
    if (session->site->tls != NULL && !session->tls && session->account == NULL)
        session_say(session, "STLS");
    if (session->secure) {
        session_say(session, "USER");
        session_say(session, "SASL %s", SASL_MECHANISMS);
    }
    session_say(session, "TOP");
    session_say(session, "UIDL");
    session_say(session, "PIPELINING");
    session_say(session, "RESP-CODES");
    session_say(session, "AUTH-RESP-CODE");
    session_say(session, "EXPIRE NEVER");
    session_say(session, "UTF8");
    session_say(session, "IMPLEMENTATION retrogate");
    session_say(session, ".");
}

/* --- the maildrop */

/* The message that a number names; NULL, with an answer, when there is none. */
static struct pop3_message *find(struct session *session, uint32_t number)
{
    struct pop3 *pop3 = pop3_of(session);
    if (number < 1 || number > pop3->count)
        pop3_refuse(session, NULL, "There are %zu messages", pop3->count);
    else if (pop3->messages[number - 1].deleted)
        pop3_refuse(session, NULL, "This message is deleted; RSET brings it back");
    else
        return &pop3->messages[number - 1];
    return NULL;
}

static struct pop3_message *find_said(struct session *session, const char *rest, uint32_t *number)
{
    if (pop3_number_parse(number, rest))
        return find(session, *number);
    pop3_refuse(session, NULL, "Say the number of a message");
    return NULL;
}

static void act_stat(struct session *session, const char *rest)
{
    const struct pop3 *pop3 = pop3_of(session);
    uint64_t octets = 0;
    size_t count = 0;
    (void)rest;
    for (size_t i = 0; i < pop3->count; i++) {
        if (pop3->messages[i].deleted)
            continue;
        octets += pop3->messages[i].size;
        count++;
    }
    session_say(session, "+OK %zu %" PRIu64, count, octets);
}

typedef void row_fn(struct session *session, const char *before, size_t index);

static void list_row(struct session *session, const char *before, size_t index)
{
    session_say(session, "%s%zu %" PRIu32, before, index + 1, pop3_of(session)->messages[index].size);
}

/* The name of a message lasts as long as its account: numbers of posts are never used again, and a restored
 * backup begins a new epoch. */
static void uidl_row(struct session *session, const char *before, size_t index)
{
    const struct pop3 *pop3 = pop3_of(session);
    session_say(session, "%s%zu %" PRId64 ".%" PRId64, before, index + 1, pop3->epoch,
                pop3->messages[index].seq);
}

static void say_rows(struct session *session, const char *rest, row_fn *row)
{
    const struct pop3 *pop3 = pop3_of(session);
    uint32_t number;
    if (*rest != '\0') {
        if (find_said(session, rest, &number) != NULL)
            row(session, "+OK ", number - 1);
        return;
    }
    session_say(session, "+OK");
    for (size_t i = 0; i < pop3->count; i++)
        if (!pop3->messages[i].deleted)
            row(session, "", i);
    session_say(session, ".");
}

static void act_list(struct session *session, const char *rest)
{
    say_rows(session, rest, list_row);
}

static void act_uidl(struct session *session, const char *rest)
{
    say_rows(session, rest, uidl_row);
}

static void act_retr(struct session *session, const char *rest)
{
    uint32_t number;
    if (find_said(session, rest, &number) != NULL)
        pop3_drop_send(session, number - 1, POP3_ALL);
}

static void act_top(struct session *session, const char *rest)
{
    uint32_t number, lines;
    if (!pop3_numbers_parse(&number, &lines, rest))
        pop3_refuse(session, NULL, "Say the number of a message and how many lines of its body");
    else if (find(session, number) != NULL)
        pop3_drop_send(session, number - 1, lines);
}

static void act_dele(struct session *session, const char *rest)
{
    uint32_t number;
    struct pop3_message *message = find_said(session, rest, &number);
    if (message == NULL)
        return;
    message->deleted = true;
    session_say(session, "+OK Removed at QUIT");
}

static void act_rset(struct session *session, const char *rest)
{
    struct pop3 *pop3 = pop3_of(session);
    (void)rest;
    for (size_t i = 0; i < pop3->count; i++)
        pop3->messages[i].deleted = false;
    session_say(session, "+OK");
}

static void act_noop(struct session *session, const char *rest)
{
    (void)rest;
    session_say(session, "+OK");
}

static void act_quit(struct session *session, const char *rest)
{
    (void)rest;
    pop3_drop_quit(session);
}

/* A page in a browser can make it speak to any port: what such a request holds must not be run. */
static void act_browser(struct session *session, const char *rest)
{
    (void)rest;
    pop3_refuse(session, NULL, "This is a mail server");
    session_end(session, "speaks HTTP");
}

/* --- the table */

enum need {
    NEED_START = 1, /* TLS, where the listener asks for it */
    NEED_NO_LOGIN = 2,
    NEED_DROP = 4,
    NEED_NOTHING = 8, /* no argument */
};

static const struct command {
    const char *name;
    unsigned needs;
    void (*act)(struct session *session, const char *rest);
} commands[] = {
    {"CAPA", NEED_NOTHING, act_capa},
    {"STLS", NEED_NO_LOGIN | NEED_NOTHING, act_stls},
    {"USER", NEED_START | NEED_NO_LOGIN, act_user},
    {"PASS", NEED_START | NEED_NO_LOGIN, act_pass},
    {"AUTH", NEED_START | NEED_NO_LOGIN, act_auth},
    {"UTF8", NEED_START | NEED_NO_LOGIN | NEED_NOTHING, act_utf8},
    {"STAT", NEED_DROP | NEED_NOTHING, act_stat},
    {"LIST", NEED_DROP, act_list},
    {"UIDL", NEED_DROP, act_uidl},
    {"RETR", NEED_DROP, act_retr},
    {"TOP", NEED_DROP, act_top},
    {"DELE", NEED_DROP, act_dele},
    {"RSET", NEED_DROP | NEED_NOTHING, act_rset},
    {"NOOP", NEED_DROP | NEED_NOTHING, act_noop},
    {"QUIT", NEED_NOTHING, act_quit},
    {"GET", 0, act_browser},
    {"POST", 0, act_browser},
    {"HEAD", 0, act_browser},
    {"PUT", 0, act_browser},
    {"DELETE", 0, act_browser},
    {"OPTIONS", 0, act_browser},
    {"CONNECT", 0, act_browser},
    {"PATCH", 0, act_browser},
    {"TRACE", 0, act_browser},
};

static bool check(struct session *session, unsigned needs, const char *rest)
{
    const struct {
        unsigned need;
        bool met;
        const char *text;
    } rows[] = {
        {NEED_START, !session->start, "Say STLS first"},
        {NEED_NO_LOGIN, session->account == NULL, "You are logged in already"},
        {NEED_DROP, pop3_of(session)->open, "Log in first"},
        {NEED_NOTHING, *rest == '\0', "This command has no argument"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if ((needs & rows[i].need) != 0 && !rows[i].met) {
            pop3_refuse(session, NULL, "%s", rows[i].text);
            return false;
        }
    }
    return true;
}

static void strange(struct session *session, const char *text)
{
    pop3_refuse(session, NULL, "%s", text);
    if (++pop3_of(session)->strange >= POP3_STRANGE)
        session_end(session, "unknown commands");
}

static void on_line(struct session *session, const char *text, size_t size)
{
    struct pop3_line line;
    if (!pop3_line_parse(&line, text, size)) {
        strange(session, "A command has no zero bytes");
        return;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, line.verb) != 0)
            continue;
        if (check(session, commands[i].needs, line.rest))
            commands[i].act(session, line.rest);
        return;
    }
    strange(session, "There is no such command");
}

const struct service pop3_service = {
    .name = "pop3",
    .state_size = sizeof(struct pop3),
    .idle_ms = IDLE_MS,
    .greet = greet,
    .secured = secured,
    .line = on_line,
    .long_line = long_line,
    .drained = pop3_drop_drained,
    .challenge = challenge,
    .logged_in = pop3_drop_open,
    .refused = refused,
    .bye = bye,
    .close = close_session,
};
