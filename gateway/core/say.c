/* SPDX-License-Identifier: ISC */
/* The commands that say something, or say it again. */
#include <stdlib.h>
#include <string.h>

#include "core/commands.h"
#include "core/contacts.h"
#include "core/conversations.h"
#include "core/delivery.h"
#include "core/lines.h"

static void answer_call(void *arg, json_t *answer, const struct error *error)
{
    if (error != NULL)
        call_fail_copy(arg, error);
    else
        call_done(arg, answer);
}

/* --- labels */

/* A line with a label that is being looked for or stored. A client that asks again meanwhile waits for the
 * same answer. */
struct saying {
    struct conversation *conversation;
    char label[65];
    struct call *calls; /* linked as finished ones are, which these are not yet */
    json_t *known;      /* the answer, when there is such a line */
    struct saying *prev, *next;
};

static struct saying *saying_find(const struct conversation *conversation, const char *label)
{
    struct saying *saying;
    DL_FOREACH(conversation->account->sayings, saying)
    {
        if (saying->conversation == conversation && strcmp(saying->label, label) == 0)
            return saying;
    }
    return NULL;
}

static void saying_join(struct saying *saying, struct call *call)
{
    DL_APPEND2(saying->calls, call, prev_finished, next_finished);
}

static struct saying *saying_new(struct conversation *conversation, const char *label, struct call *call)
{
    struct saying *saying = calloc(1, sizeof *saying);
    if (saying == NULL)
        return NULL;
    saying->conversation = conversation;
    memcpy(saying->label, label, strlen(label) + 1);
    saying_join(saying, call);
    DL_APPEND(conversation->account->sayings, saying);
    return saying;
}

static void saying_free(struct saying *saying)
{
    DL_DELETE(saying->conversation->account->sayings, saying);
    json_decref(saying->known);
    free(saying);
}

static void saying_answer(void *arg, json_t *answer, const struct error *error)
{
    struct saying *saying = arg;
    struct call *call, *next;
    DL_FOREACH_SAFE2(saying->calls, call, next, next_finished)
    {
        DL_DELETE2(saying->calls, call, prev_finished, next_finished);
        answer_call(call, json_incref(answer), error);
    }
    json_decref(answer);
    saying_free(saying);
}

static struct bytes text_of(const struct call *call)
{
    const json_t *text = json_object_get(call->arguments, "text");
    return bytes_of(json_string_value(text), json_string_length(text));
}

static void known_line(void *arg, const struct line_row *row)
{
    struct saying *saying = arg;
    saying->known =
        json_pack("{s:I,s:I,s:I,s:I}", "epoch", (json_int_t)saying->conversation->account->epoch, "seq",
                  (json_int_t)row->seq, "change", (json_int_t)row->change, "time", (json_int_t)row->time);
}

static void label_looked_for(void *arg, const struct error *error)
{
    struct saying *saying = arg;
    struct conversation *conversation = saying->conversation;
    struct error *refused = NULL;
    conversation->pins--;
    if (error != NULL || saying->known != NULL)
        saying_answer(saying, json_incref(saying->known), error);
    else if (!line_say(conversation, text_of(saying->calls), saying->label, saying_answer, saying, &refused))
        saying_answer(saying, NULL, refused);
    error_free(refused);
}

static bool say_labelled(struct call *call, struct conversation *conversation, const char *label,
                         struct error **error)
{
    bool once = arg_true(call, "once");
    struct saying *saying = once ? saying_find(conversation, label) : NULL;
    if (saying != NULL) {
        saying_join(saying, call);
        return true;
    }
    saying = saying_new(conversation, label, call);
    if (saying == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    if (once) {
        conversation->pins++;
        store_labelled(call->gateway->store, call->account->id, conversation->id, label, known_line,
                       label_looked_for, saying);
        return true;
    }
    if (line_say(conversation, text_of(call), label, saying_answer, saying, error))
        return true;
    saying_free(saying);
    return false;
}

bool do_say(struct call *call, struct error **error)
{
    struct conversation *conversation = arg_conversation(call, error);
    if (conversation == NULL)
        return false;
    struct bytes text = text_of(call);
    const char *label = arg_has(call, "label") ? arg_text(call, "label") : "";
    if (text.size == 0 || text.size > CHAT_LINE_LIMIT)
        return error_set(error, ERROR_LIMIT, "a line holds 1 to %d bytes", CHAT_LINE_LIMIT);
    if (strlen(label) >= sizeof((struct saying *)NULL)->label)
        return error_set(error, ERROR_LIMIT, "a label holds at most 64 bytes");
    if (label[0] != '\0')
        return say_labelled(call, conversation, label, error);
    if (arg_true(call, "once"))
        return error_set(error, ERROR_INVALID, "once: a line is known again by its label; give one");
    return line_say(conversation, text, "", answer_call, call, error);
}

bool do_withdraw(struct call *call, struct error **error)
{
    int64_t seq = arg_int(call, "seq", 0);
    struct conversation *conversation, *next;
    HASH_ITER(hh, call->account->conversations, conversation, next)
    {
        if (line_withdraw(call, conversation, seq))
            return true;
    }
    return error_set(error, ERROR_NOT_FOUND, "no line %lld waits; only a queued line can be withdrawn",
                     (long long)seq);
}

/* --- saying a line again */

struct resend {
    struct call *call;
    struct conversation *conversation;
    int64_t seq;
    struct error *error;
    bool said;
};

static void resend_line(void *arg, const struct line_row *row)
{
    struct resend *resend = arg;
    if (row->seq != resend->seq || strcmp(row->direction, "out") != 0)
        return;
    if (strcmp(row->delivery, "not-confirmed") != 0 && strcmp(row->delivery, "failed") != 0)
        error_set(&resend->error, ERROR_INVALID,
                  "this line is %s; only one that failed or was not confirmed is sent again", row->delivery);
    else
        resend->said =
            line_say(resend->conversation, row->text, "", answer_call, resend->call, &resend->error);
}

static void resend_read(void *arg, const struct error *error)
{
    struct resend *resend = arg;
    resend->conversation->pins--;
    if (!resend->said) {
        if (error != NULL)
            error_set(&resend->error, error->code, "%s", error->text);
        else
            error_set(&resend->error, ERROR_NOT_FOUND, "this conversation has no own line %lld",
                      (long long)resend->seq);
        call_fail(resend->call, resend->error);
    }
    free(resend);
}

bool do_resend(struct call *call, struct error **error)
{
    struct conversation *conversation = arg_conversation(call, error);
    if (conversation == NULL)
        return false;
    struct resend *resend = calloc(1, sizeof *resend);
    if (resend == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    *resend = (struct resend){.call = call, .conversation = conversation, .seq = arg_int(call, "seq", 0)};
    conversation->pins++;
    store_history(call->gateway->store, call->account->id, conversation->id, resend->seq + 1, 1, resend_line,
                  resend_read, resend);
    return true;
}
