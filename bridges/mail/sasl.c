/* SPDX-License-Identifier: ISC */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "session.h"
#include "wire/radix64.h"

/* PLAIN (RFC 4616), LOGIN (as Microsoft's clients speak it), SCRAM-SHA-256 (RFC 7677). */

enum { SCRAM_TEXT = 1024, NAME = 256 };

typedef void step_fn(struct session *session, struct bytes text);

struct sasl {
    step_fn *step; /* for the client's next answer */
    char name[NAME];
    struct gateway_scram *scram;
    struct gateway_session *accepted; /* proven, but the client has not answered to our own proof */
};

static void refuse(struct session *session, enum error_code code, const char *text)
{
    struct error *error = NULL;
    error_set(&error, code, "%s", text);
    session_refuse(session, error);
    error_free(error);
}

static void challenge(struct session *session, const char *text)
{
    struct buffer encoded = buffer_make(2 * SCRAM_TEXT);
    const char *string = radix64_encode(&encoded, bytes_of_string(text)) ? buffer_string(&encoded) : NULL;
    if (string != NULL)
        session->service->challenge(session, string);
    else
        refuse(session, ERROR_UNAVAILABLE, "out of memory");
    buffer_free(&encoded);
}

static bool has_zero(struct bytes text)
{
    return text.size > 0 && memchr(text.data, 0, text.size) != NULL;
}

/* --- PLAIN: [authzid] NUL authcid NUL password; `text` is terminated behind its end */

static void plain_step(struct session *session, struct bytes text)
{
    const char *part[3] = {(const char *)text.data, NULL, NULL};
    size_t parts = 1;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] == 0 && parts++ < 3)
            part[parts - 1] = (const char *)text.data + i + 1;
    if (parts != 3 || *part[1] == '\0')
        refuse(session, ERROR_INVALID, "PLAIN needs base64 of: NUL account NUL password");
    else if (*part[0] != '\0' && strcmp(part[0], part[1]) != 0)
        refuse(session, ERROR_DENIED, "One account cannot act for another");
    else
        session_log_in(session, part[1], part[2]);
}

/* --- LOGIN */

static void login_password(struct session *session, struct bytes text)
{
    if (has_zero(text))
        refuse(session, ERROR_INVALID, "A password has no zero bytes");
    else
        session_log_in(session, session->sasl->name, (const char *)text.data);
}

static void login_name(struct session *session, struct bytes text)
{
    struct sasl *sasl = session->sasl;
    if (text.size == 0 || text.size >= sizeof sasl->name || has_zero(text)) {
        refuse(session, ERROR_INVALID, "This is no account's name");
        return;
    }
    memcpy(sasl->name, text.data, text.size);
    sasl->step = login_password;
    challenge(session, "Password:");
}

/* --- SCRAM */

static void scram_end(struct session *session, struct bytes text)
{
    struct gateway_session *account = session->sasl->accepted;
    if (text.size > 0) {
        refuse(session, ERROR_INVALID, "Nothing comes behind the last message of SCRAM");
        return;
    }
    session->sasl->accepted = NULL;
    session_accept(session, account);
}

static void scram_final(struct session *session, struct bytes text)
{
    struct sasl *sasl = session->sasl;
    struct error *error = NULL;
    char answer[SCRAM_TEXT] = "";
    if (has_zero(text)) {
        refuse(session, ERROR_INVALID, "SCRAM has no zero bytes");
        return;
    }
    sasl->accepted = gateway_scram_end(sasl->scram, (const char *)text.data, answer, sizeof answer, &error);
    sasl->scram = NULL;
    sasl->step = scram_end;
    if (sasl->accepted != NULL)
        challenge(session, answer);
    else
        session_refuse(session, error);
    error_free(error);
}

static void scram_first(struct session *session, struct bytes text)
{
    struct sasl *sasl = session->sasl;
    struct error *error = NULL;
    char answer[SCRAM_TEXT] = "";
    if (has_zero(text)) {
        refuse(session, ERROR_INVALID, "SCRAM has no zero bytes");
        return;
    }
    sasl->scram = gateway_scram_begin(session->site->gateway, "mail", session->address,
                                      (const char *)text.data, answer, sizeof answer, &error);
    sasl->step = scram_final;
    if (sasl->scram != NULL)
        challenge(session, answer);
    else
        session_refuse(session, error);
    error_free(error);
}

/* --- the exchange */

static const struct mechanism {
    const char *name;
    step_fn *step;
    const char *ask; /* when the client said nothing yet */
} mechanisms[] = {
    {"SCRAM-SHA-256", scram_first, ""},
    {"PLAIN", plain_step, ""},
    {"LOGIN", login_name, "Username:"},
};

static void take(struct session *session, struct bytes encoded)
{
    struct buffer decoded = buffer_make(SESSION_LINE);
    decoded.secret = true;
    if (!radix64_decode(&decoded, encoded) || buffer_string(&decoded) == NULL)
        refuse(session, ERROR_INVALID, "This is no base64");
    else
        session->sasl->step(session, buffer_view(&decoded));
    /* No step is left to run while a password is being checked. */
    if (session->login != 0)
        sasl_free(session);
    buffer_free(&decoded);
}

void sasl_begin(struct session *session, const char *mechanism, const char *initial)
{
    const struct mechanism *found = NULL;
    for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++)
        if (strcasecmp(mechanism, mechanisms[i].name) == 0)
            found = &mechanisms[i];
    if (found == NULL) {
        refuse(session, ERROR_NOT_FOUND, "There is no such mechanism; " SASL_MECHANISMS " are offered");
        return;
    }
    session->sasl = calloc(1, sizeof *session->sasl);
    if (session->sasl == NULL) {
        refuse(session, ERROR_UNAVAILABLE, "out of memory");
        return;
    }
    session->sasl->step = found->step;
    if (initial == NULL)
        challenge(session, found->ask);
    else
        take(session, bytes_of_string(strcmp(initial, "=") == 0 ? "" : initial));
}

void sasl_line(struct session *session, const char *line, size_t size)
{
    if (size == 1 && *line == '*')
        refuse(session, ERROR_EXPIRED, "The log-in was given up");
    else
        take(session, bytes_of(line, size));
}

void sasl_free(struct session *session)
{
    struct sasl *sasl = session->sasl;
    if (sasl == NULL)
        return;
    session->sasl = NULL;
    gateway_scram_cancel(sasl->scram);
    if (sasl->accepted != NULL)
        gateway_logout(sasl->accepted);
    OPENSSL_cleanse(sasl, sizeof *sasl);
    free(sasl);
}
