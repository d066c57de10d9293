/* SPDX-License-Identifier: ISC */
#include "core/session.h"

#include <stdlib.h>
#include <string.h>

#include "core/conversations.h"
#include "core/text.h"
#include "core/uploads.h"
#include "core/write.h"

static struct gateway_session *make(struct gateway *gateway, struct account *account, const char *scope)
{
    struct gateway_session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return NULL;
    session->gateway = gateway;
    session->account = account;
    text_copy(session->scope, sizeof session->scope, scope);
    DL_APPEND(gateway->sessions, session);
    if (account != NULL)
        session->told = change_visible(account);
    return session;
}

struct gateway_session *session_new(struct gateway *gateway, struct account *account, const char *scope)
{
    struct gateway_session *session = make(gateway, account, scope);
    if (session != NULL && account != NULL && account->sessions++ == 0)
        conversations_interest(account);
    return session;
}

struct gateway_session *session_new_service(struct gateway *gateway, struct account *account,
                                            const char *scope)
{
    struct gateway_session *session = make(gateway, account, scope);
    if (session != NULL)
        session->service = true;
    return session;
}

struct gateway_session *gateway_operator(struct gateway *gateway)
{
    return session_new(gateway, NULL, "control");
}

void gateway_listen(struct gateway_session *session, const struct gateway_events *events, void *arg)
{
    session->events = events;
    session->arg = arg;
}

void call_attach(struct call *call, struct gateway_session *session)
{
    call->session = session;
    session->call_count++;
    DL_APPEND(session->calls, call);
}

void call_detach(struct call *call)
{
    if (call->session == NULL)
        return;
    DL_DELETE(call->session->calls, call);
    call->session->call_count--;
    call->session = NULL;
}

void gateway_logout(struct gateway_session *session)
{
    struct gateway *gateway = session->gateway;
    struct account *account = session->account;
    if (session->gone) /* its end was told just now */
        return;
    while (session->calls != NULL)
        call_detach(session->calls);
    session->events = NULL;
    uploads_forget(gateway, session);
    session->gone = true; /* freed at the end of the turn: somebody may be walking the list */
    gateway->sessions_gone = true;
    if (account != NULL && !session->service && --account->sessions == 0)
        conversations_interest(account);
}

void session_shut(struct gateway_session *session, const char *reason)
{
    /* The events may call nothing of this session any more, so it is taken down first. */
    const struct gateway_events *events = session->events;
    void *arg = session->arg;
    session->events = NULL;
    if (events != NULL && events->ended != NULL)
        events->ended(arg, reason);
    gateway_logout(session);
}

void sessions_end(struct account *account, int64_t app_password, const char *reason)
{
    struct gateway_session *session;
    DL_FOREACH(account->gateway->sessions, session)
    {
        if (session->account == account && !session->gone &&
            (app_password == 0 || session->app_password == app_password))
            session_shut(session, reason);
    }
}

void sessions_end_all(struct gateway *gateway, const char *reason)
{
    struct gateway_session *session;
    DL_FOREACH(gateway->sessions, session)
    {
        if (!session->gone)
            session_shut(session, reason);
    }
}

int64_t gateway_account(const struct gateway_session *session)
{
    return session->account != NULL ? session->account->id : 0;
}

const char *gateway_account_name(const struct gateway_session *session)
{
    return session->account != NULL ? session->account->name : "";
}

bool gateway_is_operator(const struct gateway_session *session)
{
    return session->account == NULL || session->account->is_operator;
}

void sessions_changed(struct account *account)
{
    struct gateway_session *session;
    DL_FOREACH(account->gateway->sessions, session)
    {
        if (session->account == account)
            session->dirty = true;
    }
}

void sessions_hint(struct account *account, json_t *hint)
{
    struct gateway_session *session;
    DL_FOREACH(account->gateway->sessions, session)
    {
        if (session->account == account && session->events != NULL && session->events->hint != NULL)
            session->events->hint(session->arg, hint);
    }
    json_decref(hint);
}

void sessions_watch(struct gateway *gateway, json_t *hint)
{
    struct gateway_session *session;
    DL_FOREACH(gateway->sessions, session)
    {
        if (session->watching && session->events != NULL && session->events->hint != NULL)
            session->events->hint(session->arg, hint);
    }
    json_decref(hint);
}

static void finish(struct call *call)
{
    DL_APPEND2(call->gateway->finished, call, prev_finished, next_finished);
}

void call_done(struct call *call, json_t *result)
{
    call->result = result != NULL ? result : json_object();
    finish(call);
}

void call_fail(struct call *call, struct error *error)
{
    call->error = error;
    if (error == NULL)
        error_set(&call->error, ERROR_INTERNAL, "out of memory");
    finish(call);
}

void call_fail_copy(struct call *call, const struct error *error)
{
    struct error *copy = NULL;
    error_set(&copy, error->code, "%s", error->text);
    call_fail(call, copy);
}

static void tell_answers(struct gateway *gateway)
{
    struct call *call;
    while ((call = gateway->finished) != NULL) {
        DL_DELETE2(gateway->finished, call, prev_finished, next_finished);
        bool told = call->session != NULL || call->internal;
        call_detach(call);
        if (told && call->done != NULL)
            call->done(call->arg, call->error == NULL ? call->result : NULL, call->error);
        json_decref(call->result);
        json_decref(call->arguments);
        error_free(call->error);
        free(call);
    }
}

static void tell_more(struct gateway *gateway)
{
    struct gateway_session *session;
    DL_FOREACH(gateway->sessions, session)
    {
        if (!session->dirty || session->gone)
            continue;
        session->dirty = false;
        int64_t visible = change_visible(session->account);
        if (visible > session->told) {
            session->told = visible;
            if (session->events != NULL && session->events->more != NULL)
                session->events->more(session->arg);
        }
    }
}

static void free_gone(struct gateway *gateway)
{
    struct gateway_session *session, *next;
    if (!gateway->sessions_gone)
        return;
    gateway->sessions_gone = false;
    DL_FOREACH_SAFE(gateway->sessions, session, next)
    {
        if (session->gone) {
            DL_DELETE(gateway->sessions, session);
            free(session);
        }
    }
}

void sessions_flush(struct gateway *gateway)
{
    /* A client that hears `more` pulls at once. What memory answers must not wait for the next turn: before
     * the loop sleeps there may be none for long. */
    do {
        tell_answers(gateway);
        tell_more(gateway);
    } while (gateway->finished != NULL);
    free_gone(gateway);
}

void gateway_forget(struct gateway_session *session, uint64_t token)
{
    struct call *call;
    DL_FOREACH(session->calls, call)
    {
        if (call->token == token) {
            call_detach(call);
            return;
        }
    }
}
