/* SPDX-License-Identifier: ISC */
#include "submission.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"

enum { IDLE_MS = 300000 };

/* --- answers */

void submission_reply(struct session *session, unsigned code, const char *status, const char *format, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    /* Only who asked for SMTPUTF8 could read more, and not in every reply (RFC 6531 §3.5). */
    for (char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at > 0x7e)
            *at = '?';
    session_say(session, "%u %s%s%s", code, status != NULL ? status : "", status != NULL ? " " : "", text);
}

void submission_answer(struct session *session, const struct smtp_reply *reply)
{
    submission_reply(session, reply->code, reply->status, "%s", reply->text);
}

struct smtp_reply submission_error(const struct error *error, bool about_recipient)
{
    static const struct {
        unsigned code;
        const char *status;
    } answers[][2] = {
        /* of a message, of a recipient */
        [ERROR_INVALID] = {{554, "5.6.0"}, {501, "5.1.3"}},
        [ERROR_NOT_FOUND] = {{550, "5.1.1"}, {550, "5.1.1"}},
        [ERROR_EXISTS] = {{554, "5.3.0"}, {550, "5.1.0"}},
        [ERROR_DENIED] = {{550, "5.7.1"}, {550, "5.7.1"}},
        [ERROR_LIMIT] = {{552, "5.3.4"}, {452, "4.2.2"}},
        [ERROR_LOCKED] = {{454, "4.7.0"}, {454, "4.7.0"}},
        [ERROR_EXPIRED] = {{550, "5.1.6"}, {550, "5.1.6"}},
        [ERROR_UNAVAILABLE] = {{451, "4.3.0"}, {451, "4.3.0"}},
        [ERROR_INTERNAL] = {{451, "4.3.0"}, {451, "4.3.0"}},
    };
    size_t code = error->code;
    if (code == 0 || code >= sizeof answers / sizeof *answers)
        code = ERROR_INTERNAL;
    return (struct smtp_reply){answers[code][about_recipient].code, answers[code][about_recipient].status,
                               error->text};
}

/* --- the session */

static void message_reset(struct submission_message *message)
{
    buffer_free(&message->piece);
    *message = (struct submission_message){.piece = buffer_make(SUBMISSION_PIECE)};
}

void submission_reset(struct session *session)
{
    struct submission *submission = submission_of(session);
    json_decref(submission->to);
    message_reset(&submission->message);
    *submission = (struct submission){.hello = submission->hello,
                                      .extended = submission->extended,
                                      .strange = submission->strange,
                                      .message = submission->message};
}

static void close_session(struct session *session)
{
    json_decref(submission_of(session)->to);
    buffer_free(&submission_of(session)->message.piece);
}

static void greet(struct session *session)
{
    submission_reset(session);
    session_say(session, "220 %s ESMTP retrogate", session->site->name);
}

static void secured(struct session *session)
{
    submission_of(session)->hello = false;
    submission_reset(session);
}

static void bye(struct session *session, const char *reason)
{
    submission_reply(session, 421, "4.3.2", "%s", reason);
}

static void long_line(struct session *session)
{
    submission_reply(session, 500, "5.5.6", "The line is longer than %d bytes", SESSION_LINE);
}

/* --- log-in */

static void challenge(struct session *session, const char *text)
{
    session_say(session, "334 %s", text);
}

static void logged_in(struct session *session)
{
    submission_reply(session, 235, "2.7.0", "Welcome");
}

static void refused(struct session *session, const struct error *error)
{
    static const struct {
        enum error_code code;
        struct smtp_reply reply;
    } rows[] = {
        {ERROR_INVALID, {501, "5.5.2", NULL}},  {ERROR_NOT_FOUND, {504, "5.5.4", NULL}},
        {ERROR_EXPIRED, {501, "5.7.0", NULL}},  {ERROR_LIMIT, {454, "4.7.0", NULL}},
        {ERROR_LOCKED, {454, "4.7.0", NULL}},   {ERROR_UNAVAILABLE, {454, "4.7.0", NULL}},
        {ERROR_INTERNAL, {454, "4.7.0", NULL}},
    };
    struct smtp_reply reply = {535, "5.7.8", error->text};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].code == error->code)
            reply = (struct smtp_reply){rows[i].reply.code, rows[i].reply.status, error->text};
    submission_answer(session, &reply);
}

static void act_auth(struct session *session, const char *rest)
{
    char mechanism[32];
    size_t size = strcspn(rest, " \t");
    if (session->account != NULL) {
        submission_reply(session, 503, "5.5.1", "You are logged in already");
    } else if (!session->secure) {
        submission_reply(session, 538, "5.7.11", "A password would pass in clear: say STARTTLS first");
    } else if (size == 0 || size >= sizeof mechanism) {
        submission_reply(session, 501, "5.5.4", "Say AUTH and one of: %s", SASL_MECHANISMS);
    } else {
        memcpy(mechanism, rest, size);
        mechanism[size] = '\0';
        rest += size + strspn(rest + size, " \t");
        sasl_begin(session, mechanism, *rest != '\0' ? rest : NULL);
    }
}

/* --- the beginning */

/* Ends the transaction, with what the gateway has of its message. */
static void forget(struct session *session, session_answer_fn *forgotten)
{
    int64_t upload = submission_of(session)->message.upload;
    submission_reset(session);
    if (upload != 0)
        session_ask(session, json_pack("{s:s, s:I}", "do", "upload.drop", "upload", (json_int_t)upload),
                    forgotten);
    else
        forgotten(session, NULL, NULL);
}

static void say_helo(struct session *session, json_t *result, const struct error *error)
{
    (void)result;
    (void)error;
    submission_of(session)->hello = true;
    session_say(session, "250 %s", session->site->name);
}

static void act_helo(struct session *session, const char *rest)
{
    (void)rest;
    forget(session, say_helo);
}

static void say_ehlo(struct session *session, json_t *result, const struct error *error)
{
    const struct site *site = session->site;
    (void)result;
    (void)error;
    submission_of(session)->hello = submission_of(session)->extended = true;
    session_say(session, "250-%s", site->name);
    if (site->tls != NULL && !session->tls)
        session_say(session, "250-STARTTLS");
    if (session->secure && session->account == NULL)
        session_say(session, "250-AUTH %s", SASL_MECHANISMS);
    session_say(session, "250-SIZE %zu", site->message_limit);
    session_say(session, "250-PIPELINING");
    session_say(session, "250-8BITMIME");
    session_say(session, "250-SMTPUTF8");
    session_say(session, "250-CHUNKING");
    session_say(session, "250-DSN");
    session_say(session, "250-ENHANCEDSTATUSCODES");
    session_say(session, "250 HELP");
}

static void act_ehlo(struct session *session, const char *rest)
{
    (void)rest;
    forget(session, say_ehlo);
}

static void act_starttls(struct session *session, const char *rest)
{
    if (*rest != '\0')
        submission_reply(session, 501, "5.5.4", "STARTTLS has no argument");
    else if (session->tls)
        submission_reply(session, 503, "5.5.1", "TLS is on already");
    else if (session->account != NULL)
        submission_reply(session, 503, "5.5.1", "STARTTLS comes before AUTH");
    else if (!session_start_tls(session, "220 2.0.0 Begin"))
        submission_reply(session, 454, "4.7.0", "There is no certificate here");
}

/* --- the transaction */

static void act_mail(struct session *session, const char *rest)
{
    struct submission *submission = submission_of(session);
    const struct smtp_reply *wrong = smtp_mail_parse(&submission->sender, rest);
    if (wrong != NULL) {
        submission_answer(session, wrong);
    } else if (submission->sender.size > session->site->message_limit) {
        submission_reply(session, 552, "5.3.4", "A message has at most %zu bytes here",
                         session->site->message_limit);
    } else {
        submission->to = json_array();
        submission->mail = submission->to != NULL;
        if (submission->mail)
            submission_reply(session, 250, "2.1.0", "Go on");
        else
            submission_reply(session, 451, "4.3.0", "out of memory");
    }
}

/* Where the address stands, or would stand. */
static size_t place_of(const json_t *list, const char *address)
{
    size_t index;
    json_t *each;
    json_array_foreach(list, index, each)
    {
        if (strcmp(json_string_value(each), address) == 0)
            return index;
    }
    return json_array_size(list);
}

static void add_notify(struct submission *submission, size_t place)
{
    const struct smtp_rcpt *rcpt = &submission->rcpt;
    submission->notify[place] |=
        (uint8_t)(rcpt->notify_said ? rcpt->notify : SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY);
    submission->notify_said = submission->notify_said || rcpt->notify_said;
}

static void got_address(struct session *session, json_t *result, const struct error *error)
{
    struct submission *submission = submission_of(session);
    const char *address = json_string_value(json_object_get(result, "address"));
    json_int_t limit = json_integer_value(json_object_get(result, "limit"));
    if (error != NULL || address == NULL) {
        struct error odd = {.code = ERROR_INTERNAL, .text = "The gateway gave no address"};
        struct smtp_reply reply = submission_error(error != NULL ? error : &odd, true);
        submission_answer(session, &reply);
        return;
    }
    if (limit > 0 && submission->sender.size > (uint64_t)limit) {
        submission_reply(session, 552, "5.3.4", "This recipient takes at most %" JSON_INTEGER_FORMAT " bytes",
                         limit);
        return;
    }
    size_t place = place_of(submission->to, address);
    if (place == json_array_size(submission->to) &&
        json_array_append_new(submission->to, json_string(address)) != 0) {
        submission_reply(session, 451, "4.3.0", "out of memory");
        return;
    }
    add_notify(submission, place);
    submission_reply(session, 250, "2.1.5", "Go on");
}

static void act_rcpt(struct session *session, const char *rest)
{
    struct submission *submission = submission_of(session);
    const struct smtp_reply *wrong = smtp_rcpt_parse(&submission->rcpt, rest);
    if (wrong != NULL)
        submission_answer(session, wrong);
    else if (json_array_size(submission->to) >= SUBMISSION_RECIPIENTS)
        submission_reply(session, 452, "4.5.3", "A message has at most %d recipients", SUBMISSION_RECIPIENTS);
    else
        session_ask(session,
                    json_pack("{s:s, s:s}", "do", "post.address", "address", submission->rcpt.address),
                    got_address);
}

static void act_data(struct session *session, const char *rest)
{
    if (*rest != '\0')
        submission_reply(session, 501, "5.5.4", "DATA has no argument");
    else
        submission_data(session);
}

/* The bytes come whatever is answered. */
static void act_bdat(struct session *session, const char *rest)
{
    static const struct smtp_reply no_login = {530, "5.7.0", "Log in first (AUTH)"};
    static const struct smtp_reply no_rcpt = {503, "5.5.1", "MAIL and RCPT come first"};
    const struct submission *submission = submission_of(session);
    uint64_t size;
    bool last;
    if (!smtp_bdat_parse(&size, &last, rest)) {
        submission_reply(session, 501, "5.5.4", "BDAT has a size below 1000000000, and LAST or nothing");
        session_end(session, "malformed BDAT");
        return;
    }
    submission_chunk(session, size, last,
                     session->account == NULL               ? &no_login
                     : json_array_size(submission->to) == 0 ? &no_rcpt
                                                            : NULL);
}

/* --- the rest */

static void say_forgotten(struct session *session, json_t *result, const struct error *error)
{
    (void)result;
    (void)error;
    submission_reply(session, 250, "2.0.0", "Forgotten");
}

static void act_rset(struct session *session, const char *rest)
{
    (void)rest;
    forget(session, say_forgotten);
}

static void act_noop(struct session *session, const char *rest)
{
    (void)rest;
    submission_reply(session, 250, "2.0.0", "Here");
}

static void act_vrfy(struct session *session, const char *rest)
{
    (void)rest;
    submission_reply(session, 252, "2.1.5", "RCPT tells whether an address is known");
}

static void act_help(struct session *session, const char *rest)
{
    (void)rest;
    submission_reply(session, 214, "2.0.0",
                     "Log in with AUTH; recipients are HANDLE@%s, and gateway@%s takes commands",
                     session->site->domain, session->site->domain);
}

static void act_quit(struct session *session, const char *rest)
{
    (void)rest;
    submission_reply(session, 221, "2.0.0", "Bye");
    session_end(session, "quit");
}

/* A page in a browser can make it speak to any port: what such a request holds must not be run. */
static void act_browser(struct session *session, const char *rest)
{
    (void)rest;
    submission_reply(session, 421, "4.7.0", "This is a mail server");
    session_end(session, "speaks HTTP");
}

/* --- the table */

enum need {
    NEED_START = 1, /* TLS, where the listener asks for it */
    NEED_HELLO = 2,
    NEED_LOGIN = 4,
    NEED_NO_MAIL = 8,
    NEED_MAIL = 16,
    NEED_RCPT = 32,
    NEED_NO_CHUNKS = 64,
};

static const struct command {
    const char *name;
    unsigned needs;
    void (*act)(struct session *session, const char *rest);
} commands[] = {
    {"EHLO", 0, act_ehlo},
    {"HELO", 0, act_helo},
    {"MAIL", NEED_START | NEED_HELLO | NEED_LOGIN | NEED_NO_MAIL, act_mail},
    {"RCPT", NEED_START | NEED_HELLO | NEED_LOGIN | NEED_MAIL | NEED_NO_CHUNKS, act_rcpt},
    {"DATA", NEED_START | NEED_HELLO | NEED_LOGIN | NEED_MAIL | NEED_RCPT | NEED_NO_CHUNKS, act_data},
    {"BDAT", 0, act_bdat},
    {"AUTH", NEED_START | NEED_HELLO | NEED_NO_MAIL, act_auth},
    {"STARTTLS", NEED_HELLO, act_starttls},
    {"RSET", NEED_START, act_rset},
    {"NOOP", 0, act_noop},
    {"VRFY", NEED_START | NEED_LOGIN, act_vrfy},
    {"HELP", NEED_START, act_help},
    {"QUIT", 0, act_quit},
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

static bool check(struct session *session, unsigned needs)
{
    const struct submission *submission = submission_of(session);
    const struct {
        unsigned need;
        bool met;
        struct smtp_reply reply;
    } rows[] = {
        {NEED_START, !session->start, {530, "5.7.0", "Say STARTTLS first"}},
        {NEED_HELLO, submission->hello, {503, "5.5.1", "Say EHLO first"}},
        {NEED_LOGIN, session->account != NULL, {530, "5.7.0", "Log in first (AUTH)"}},
        {NEED_NO_MAIL, !submission->mail, {503, "5.5.1", "A message is under way; RSET forgets it"}},
        {NEED_MAIL, submission->mail, {503, "5.5.1", "MAIL comes first"}},
        {NEED_NO_CHUNKS, !submission->chunks, {503, "5.5.1", "BDAT has begun; BDAT or RSET follows"}},
        {NEED_RCPT, json_array_size(submission->to) > 0, {554, "5.5.1", "There is no valid recipient"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if ((needs & rows[i].need) != 0 && !rows[i].met) {
            submission_answer(session, &rows[i].reply);
            return false;
        }
    }
    return true;
}

static void strange(struct session *session, const char *text)
{
    if (++submission_of(session)->strange >= SUBMISSION_STRANGE) {
        submission_reply(session, 421, "4.7.0", "Too many unknown commands");
        session_end(session, "unknown commands");
    } else {
        submission_reply(session, 500, "5.5.1", "%s", text);
    }
}

static void on_line(struct session *session, const char *text, size_t size)
{
    struct smtp_line line;
    if (!smtp_line_parse(&line, text, size)) {
        strange(session, "A command has no zero bytes");
        return;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, line.verb) != 0)
            continue;
        if (check(session, commands[i].needs))
            commands[i].act(session, line.rest);
        return;
    }
    strange(session, "There is no such command");
}

const struct service submission_service = {
    .name = "smtp",
    .state_size = sizeof(struct submission),
    .idle_ms = IDLE_MS,
    .greet = greet,
    .secured = secured,
    .line = on_line,
    .long_line = long_line,
    .raw = submission_take,
    .challenge = challenge,
    .logged_in = logged_in,
    .refused = refused,
    .bye = bye,
    .close = close_session,
};
