/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "control/ctl_client.h"
#include "control/ctl_post.h"
#include "control/ctl_print.h"

static void print_json(const struct ctl *ctl, const json_t *value)
{
    json_dumpf(value, ctl->out, JSON_COMPACT);
    fputc('\n', ctl->out);
    fflush(ctl->out);
}

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text != NULL ? text : "";
}

/* "friend bob: up", from whatever object it is about. */
static void print_object(const struct ctl *ctl, const char *kind, const json_t *object)
{
    static const char *const names[] = {"handle", "name", "what", "location"};
    static const char *const states[] = {"state", "text", "event"};
    const char *name = "", *state = "", *reason = text_of(object, "reason"),
               *protection = text_of(object, "protection");
    for (size_t i = 0; i < sizeof names / sizeof *names && name[0] == '\0'; i++)
        name = text_of(object, names[i]);
    for (size_t i = 0; i < sizeof states / sizeof *states && state[0] == '\0'; i++)
        state = text_of(object, states[i]);
    bool decided = strcmp(protection, "sealed") == 0 || strcmp(protection, "classic") == 0;
    const char *const parts[] = {kind,
                                 name[0] != '\0' ? " " : "",
                                 name,
                                 state[0] != '\0' ? ": " : "",
                                 state,
                                 decided ? ", " : "",
                                 decided ? protection : "",
                                 reason[0] != '\0' ? " (" : "",
                                 reason,
                                 reason[0] != '\0' ? ")" : ""};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        ctl_print_text(ctl->out, parts[i], false);
    fputc('\n', ctl->out);
    fflush(ctl->out);
}

/* {"contact": 12}: "contact 12: gone". */
static void print_gone(const struct ctl *ctl, const json_t *gone)
{
    const char *kind = NULL;
    json_t *id = NULL;
    json_object_foreach((json_t *)gone, kind, id)
    {
        ctl_print_text(ctl->out, kind, false);
        fprintf(ctl->out, " %" JSON_INTEGER_FORMAT ": gone\n", json_integer_value(id));
    }
    fflush(ctl->out);
}

/* A hint or a change: its one member beside "change" names what it is. */
static void print_event(const struct ctl *ctl, const json_t *event, json_t *handles)
{
    const char *kind = NULL;
    json_t *object = NULL;
    if (ctl->json) {
        print_json(ctl, event);
        return;
    }
    json_object_foreach((json_t *)event, kind, object)
    {
        char id[32];
        if (strcmp(kind, "change") == 0)
            continue;
        const json_t *number = json_object_get(object, strcmp(kind, "line") == 0 ? "conversation" : "id");
        snprintf(id, sizeof id, "%" JSON_INTEGER_FORMAT, json_integer_value(number));
        if (strcmp(kind, "line") == 0) {
            const char *handle = json_string_value(json_object_get(handles, id));
            ctl_print_line(ctl, object, handle != NULL ? handle : id);
            fflush(ctl->out);
            continue;
        }
        if (strcmp(kind, "post") == 0) {
            ctl_post_print_line(ctl, object);
            fflush(ctl->out);
            continue;
        }
        if (strcmp(kind, "gone") == 0) {
            print_gone(ctl, object);
            continue;
        }
        if (strcmp(kind, "conversation") == 0)
            json_object_set(handles, id, json_object_get(object, "handle"));
        print_object(ctl, kind, object);
    }
}

/* Learns the handles of the conversations, so that lines show who speaks. */
static int learn_handles(struct ctl *ctl, json_t *handles)
{
    json_t *ask = json_pack("{s:s,s:s}", "do", "conversation.list", "account", ctl->account), *result = NULL;
    int code = ctl_do(ctl, ask, &result);
    size_t index = 0;
    json_t *each = NULL;
    json_array_foreach(json_object_get(result, "conversations"), index, each)
    {
        char id[32];
        snprintf(id, sizeof id, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(each, "id")));
        json_object_set(handles, id, json_object_get(each, "handle"));
    }
    json_decref(ask);
    json_decref(result);
    return code;
}

/* Where the account is now. */
static int present_change(struct ctl *ctl, json_int_t *change)
{
    json_t *ask = json_pack("{s:s,s:s}", "do", "account.show", "account", ctl->account), *result = NULL;
    int code = ctl_do(ctl, ask, &result);
    *change = json_integer_value(json_object_get(result, "change"));
    json_decref(ask);
    json_decref(result);
    return code;
}

static int pull(struct ctl *ctl, json_int_t *after, json_t *handles, bool *more)
{
    json_t *ask = json_pack("{s:s,s:s,s:I}", "do", "changes", "account", ctl->account, "after", *after),
           *result = NULL;
    int code = ctl_do(ctl, ask, &result);
    size_t index = 0;
    json_t *each = NULL;
    json_array_foreach(json_object_get(result, "changes"), index, each) print_event(ctl, each, handles);
    if (code == CTL_DONE)
        *after = json_integer_value(json_object_get(result, "change"));
    *more = json_is_true(json_object_get(result, "more"));
    json_decref(ask);
    json_decref(result);
    return code;
}

/* The operator's session is told of no account's changes, so they are asked for. */
static int watch_account(struct ctl *ctl)
{
    json_t *handles = json_object(), *ignored = NULL;
    json_int_t after = 0;
    struct error *error = NULL;
    int code = present_change(ctl, &after);
    if (code == CTL_DONE)
        code = learn_handles(ctl, handles);
    while (code == CTL_DONE) {
        bool more = false;
        code = pull(ctl, &after, handles, &more);
        if (code != CTL_DONE || more)
            continue;
        if (!ctl_client_next(ctl->client, CTL_POLL_MS, &ignored, &error))
            code = ctl_fail(ctl, CTL_UNREACHABLE, error);
        json_decref(ignored);
    }
    json_decref(handles);
    return code;
}

static int watch_gateway(struct ctl *ctl)
{
    json_t *ask = json_pack("{s:s,s:b}", "do", "watch", "on", 1), *result = NULL;
    struct error *error = NULL;
    json_t *last = NULL;
    int code = ctl_do(ctl, ask, &result);
    json_decref(ask);
    json_decref(result);
    while (code == CTL_DONE) {
        json_t *value = NULL;
        if (!ctl_client_next(ctl->client, -1, &value, &error))
            code = ctl_fail(ctl, CTL_UNREACHABLE, error);
        json_t *hint = json_object_get(value, "hint");
        /* Progress says the same again and again. */
        if (hint != NULL && (ctl->json || !json_equal(hint, last))) {
            print_event(ctl, hint, NULL);
            json_decref(last);
            last = json_incref(hint);
        }
        json_decref(value);
    }
    json_decref(last);
    return code;
}

int ctl_watch(struct ctl *ctl, const json_t *options)
{
    (void)options;
    return ctl->account != NULL ? watch_account(ctl) : watch_gateway(ctl);
}
