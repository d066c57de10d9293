/* SPDX-License-Identifier: ISC */
#include "forward.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/map.h"
#include "forward_client.h"
#include "wire/radix64.h"

/* Each account sends one post after the other. What was sent is kept as a cursor with the gateway, so that
 * after a crash one post at most goes twice. */
enum {
    PAGE = 200,
    PENDING_MOST = 1000, /* seen and not sent yet; beyond it no more changes are pulled */
    PIECE = 128 << 10,
    FIRST_WAIT_MS = 60000,
    LONGEST_WAIT_MS = 3600000,
    SILENCE_MS = 300000, /* RFC 5321 §4.5.3.2 */
};

static const char client_name[] = "forward";
static const char mark_name[] = "X-Retrogate-Forwarded:";

struct pending {
    int64_t seq, change, size;
    bool locked;
};

struct sender {
    struct forward *forward;
    struct sender *prev, *next;
    char account[32], to[320];
    char owner[128]; /* the fingerprint of the account's key: in the mark by which a loop is seen */
    struct gateway_session *session;
    void (*answered)(struct sender *sender, json_t *result);
    uint64_t token;
    bool shown, opened, more, waiting, closing;
    bool dirty; /* the cursor is to be kept */
    int64_t epoch, change, sent;
    struct pending pending[PENDING_MOST + PAGE]; /* by seq */
    size_t count;

    struct forward_client *client;
    uint64_t offset;
    struct buffer piece; /* read and not given yet */
    bool last, wanted;
    unsigned wait_ms;
    uv_timer_t timer;
};

struct forward {
    uv_loop_t *loop;
    struct gateway *gateway;
    struct forward_server server;
    char *name;
    struct sender *senders;
    uv_timer_t timer; /* calls `closed` from the loop */
    bool closing;
    void (*closed)(void *arg);
    void *arg;
};

static void step(struct sender *sender);

/* --- the end */

static void forward_free(struct forward *forward)
{
    forward_server_free(&forward->server);
    free(forward->name);
    free(forward);
}

static void on_forward_gone(uv_handle_t *handle)
{
    struct forward *forward = handle->data;
    void (*closed)(void *) = forward->closed;
    void *arg = forward->arg;
    forward_free(forward);
    if (closed != NULL)
        closed(arg);
}

static void end_when_empty(struct forward *forward)
{
    if (forward->closing && forward->senders == NULL)
        uv_close((uv_handle_t *)&forward->timer, on_forward_gone);
}

static void on_sender_gone(uv_handle_t *handle)
{
    struct sender *sender = handle->data;
    struct forward *forward = sender->forward;
    DL_DELETE(forward->senders, sender);
    buffer_free(&sender->piece);
    free(sender);
    end_when_empty(forward);
}

static void sender_close(struct sender *sender)
{
    if (sender->closing)
        return;
    sender->closing = true;
    if (sender->session != NULL)
        gateway_logout(sender->session);
    sender->session = NULL;
    if (sender->client != NULL)
        forward_client_abort(sender->client, "the gateway ends");
    else
        uv_close((uv_handle_t *)&sender->timer, on_sender_gone);
}

/* --- failure */

static void on_timer(uv_timer_t *timer)
{
    struct sender *sender = timer->data;
    if (sender->client != NULL) {
        forward_client_abort(sender->client, "the server was silent for too long");
        return;
    }
    sender->waiting = false;
    step(sender);
}

static void put_off(struct sender *sender, const char *why)
{
    if (sender->wait_ms == 0)
        log_warn("mail", "event=forward-waits account=%s cause=%s",
                 log_name(sender->account, strlen(sender->account)), log_text(why, strlen(why)));
    sender->wait_ms = sender->wait_ms == 0                    ? FIRST_WAIT_MS
                      : 2 * sender->wait_ms < LONGEST_WAIT_MS ? 2 * sender->wait_ms
                                                              : LONGEST_WAIT_MS;
    sender->waiting = true;
    uv_timer_start(&sender->timer, on_timer, sender->wait_ms, 0);
}

/* --- commands */

static void on_answer(void *arg, json_t *result, const struct error *error)
{
    struct sender *sender = arg;
    sender->token = 0;
    if (error != NULL)
        put_off(sender, error->text);
    else
        sender->answered(sender, result);
    step(sender);
}

/* Takes the command. */
static bool give(struct sender *sender, json_t *command, gateway_done_fn *done)
{
    struct error *error = NULL;
    sender->token = command != NULL ? gateway_do(sender->session, command, done, sender, &error) : 0;
    if (sender->token == 0)
        put_off(sender, error != NULL ? error->text : "out of memory");
    json_decref(command);
    error_free(error);
    return sender->token != 0;
}

static void ask(struct sender *sender, json_t *command, void (*answered)(struct sender *, json_t *))
{
    sender->answered = answered;
    give(sender, command, on_answer);
}

static int64_t integer(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* --- what waits */

static void drop(struct sender *sender, size_t at)
{
    memmove(&sender->pending[at], &sender->pending[at + 1], (--sender->count - at) * sizeof *sender->pending);
}

static void drop_seq(struct sender *sender, int64_t seq)
{
    for (size_t i = 0; i < sender->count; i++) {
        if (sender->pending[i].seq == seq) {
            drop(sender, i);
            return;
        }
    }
}

static void take_post(struct sender *sender, const json_t *post)
{
    const char *direction = json_string_value(json_object_get(post, "direction")),
               *verdict = json_string_value(json_object_get(post, "verdict"));
    struct pending pending = {.seq = integer(post, "seq"),
                              .change = integer(post, "change"),
                              .size = integer(post, "size"),
                              .locked = verdict != NULL && strcmp(verdict, "locked") == 0};
    if (direction == NULL || strcmp(direction, "in") != 0 || pending.seq <= sender->sent)
        return;
    drop_seq(sender, pending.seq);
    size_t at = sender->count;
    while (at > 0 && sender->pending[at - 1].seq > pending.seq)
        at--;
    memmove(&sender->pending[at + 1], &sender->pending[at], (sender->count++ - at) * sizeof pending);
    sender->pending[at] = pending;
}

/* An address that is given anew is for what comes from now on. */
static void take_account(struct sender *sender, const json_t *account)
{
    const char *to = json_string_value(json_object_get(json_object_get(account, "posts"), "forward"));
    if (to == NULL || strlen(to) >= sizeof sender->to || strpbrk(to, "<>\r\n ") != NULL)
        to = "";
    sender->dirty = sender->dirty || (sender->opened && strcmp(sender->to, to) != 0);
    snprintf(sender->to, sizeof sender->to, "%s", to);
}

static void got_account(struct sender *sender, json_t *result)
{
    const char *owner = json_string_value(json_object_get(result, "fingerprint"));
    snprintf(sender->owner, sizeof sender->owner, "%s", owner != NULL ? owner : "");
    take_account(sender, result);
    sender->shown = true;
}

static void got_cursor(struct sender *sender, json_t *result)
{
    sender->epoch = integer(result, "epoch");
    sender->change = integer(result, "change");
    sender->sent = integer(result, "seq");
    sender->dirty = !json_is_true(json_object_get(result, "known"));
    sender->opened = sender->more = true;
    sender->count = 0;
}

static void nothing_said(struct sender *sender, json_t *result)
{
    (void)sender;
    (void)result;
}

/* All that waits must be found again behind the cursor. */
static void keep_cursor(struct sender *sender)
{
    int64_t change = sender->change;
    for (size_t i = 0; i < sender->count; i++)
        change = sender->pending[i].change <= change ? sender->pending[i].change - 1 : change;
    sender->dirty = false;
    ask(sender,
        json_pack("{s:s, s:s, s:I, s:I, s:I}", "do", "client.seen", "name", client_name, "epoch",
                  (json_int_t)sender->epoch, "change", (json_int_t)change, "seq", (json_int_t)sender->sent),
        nothing_said);
    sender->dirty = sender->dirty || sender->token == 0;
}

/* An account without an address: what came is not for forwarding, also not later. */
static void forget_pending(struct sender *sender)
{
    while (sender->to[0] == '\0' && sender->count > 0) {
        sender->sent = sender->pending[sender->count - 1].seq;
        sender->count--;
    }
}

static void got_changes(struct sender *sender, json_t *result)
{
    const json_t *changes = json_object_get(result, "changes"), *change;
    size_t index;
    if (integer(result, "epoch") != sender->epoch) { /* a backup was restored */
        sender->opened = false;
        return;
    }
    json_array_foreach(changes, index, change)
    {
        const json_t *post = json_object_get(change, "post"), *account = json_object_get(change, "account");
        const json_t *gone = json_object_get(json_object_get(change, "gone"), "post");
        if (index >= PAGE)
            break;
        if (post != NULL)
            take_post(sender, post);
        if (gone != NULL)
            drop_seq(sender, json_integer_value(gone));
        if (account != NULL)
            take_account(sender, account);
    }
    sender->change = integer(result, "change");
    sender->more = sender->more || json_is_true(json_object_get(result, "more"));
}

/* --- sending one */

static void settle(struct sender *sender)
{
    if (sender->count > 0) {
        sender->sent = sender->pending[0].seq;
        drop(sender, 0);
    }
    sender->dirty = true;
    sender->wait_ms = 0;
}

static void on_ended(void *arg, enum forward_fate fate, const char *why)
{
    struct sender *sender = arg;
    sender->client = NULL;
    if (sender->closing) {
        uv_close((uv_handle_t *)&sender->timer, on_sender_gone);
        return;
    }
    uv_timer_stop(&sender->timer);
    if (fate == FORWARD_REFUSED)
        log_warn("mail", "event=forward-refused account=%s cause=%s",
                 log_name(sender->account, strlen(sender->account)), log_text(why, strlen(why)));
    if (sender->token != 0) /* a piece that nobody waits for any more */
        gateway_forget(sender->session, sender->token);
    sender->token = 0;
    if (fate == FORWARD_LATER)
        put_off(sender, why);
    else
        settle(sender);
    step(sender);
}

static void ask_piece(struct sender *sender);

/* Gives what was read, and has the next read when it is wanted. */
static void give_piece(struct sender *sender)
{
    struct buffer piece = sender->piece;
    bool last = sender->last;
    sender->piece = buffer_make(PIECE + sizeof sender->owner + 64);
    sender->wanted = false;
    uv_timer_start(&sender->timer, on_timer, SILENCE_MS, 0);
    forward_client_give(sender->client, buffer_view(&piece), last);
    buffer_free(&piece);
}

static void on_want(void *arg)
{
    struct sender *sender = arg;
    sender->wanted = true;
    if (sender->closing)
        return;
    if (buffer_size(&sender->piece) > 0)
        give_piece(sender);
    else if (sender->token == 0 && !sender->last)
        ask_piece(sender);
}

static const struct forward_events client_events = {.want = on_want, .ended = on_ended};

/* The mark of this account in the header: the post was sent on from here before. */
static bool is_marked(const struct sender *sender, struct bytes piece)
{
    const char *at = (const char *)piece.data;
    for (size_t left = piece.size; left > 0;) {
        const char *lf = memchr(at, '\n', left);
        size_t size = lf != NULL ? (size_t)(lf - at) + 1 : left;
        if (size <= 2 && (at[0] == '\n' || at[0] == '\r'))
            return false;
        if (size > strlen(mark_name) + strlen(sender->owner) + 1 &&
            strncasecmp(at, mark_name, strlen(mark_name)) == 0 &&
            memcmp(at + strlen(mark_name) + 1, sender->owner, strlen(sender->owner)) == 0)
            return true;
        at += size;
        left -= size;
    }
    return false;
}

static void begin(struct sender *sender)
{
    struct error *error = NULL;
    struct forward_letter letter = {.host = sender->forward->name,
                                    .to = sender->to,
                                    .size = (uint64_t)sender->pending[0].size + strlen(mark_name) +
                                            strlen(sender->owner) + 3};
    sender->wanted = false;
    sender->client = forward_client_open(sender->forward->loop, &sender->forward->server, &letter,
                                         &client_events, sender, &error);
    if (sender->client == NULL)
        put_off(sender, error != NULL ? error->text : "out of memory");
    else
        uv_timer_start(&sender->timer, on_timer, SILENCE_MS, 0);
    error_free(error);
}

/* The first piece comes before the connection: it tells whether there is to be one. */
static bool take_first(struct sender *sender, struct buffer *read)
{
    if (is_marked(sender, buffer_view(read))) {
        log_warn("mail", "event=forward-loop account=%s", log_name(sender->account, strlen(sender->account)));
        settle(sender);
        return false;
    }
    return buffer_printf(&sender->piece, "%s %s\r\n", mark_name, sender->owner) &&
           buffer_append_bytes(&sender->piece, buffer_view(read));
}

static void give_up_piece(struct sender *sender, const struct error *error)
{
    bool gone = error != NULL && error->code == ERROR_NOT_FOUND;
    if (sender->client != NULL)
        forward_client_abort(sender->client, error != NULL ? error->text : "the gateway gave an odd answer");
    else if (!gone)
        put_off(sender, error != NULL ? error->text : "the gateway gave an odd answer");
    if (gone && sender->client == NULL)
        settle(sender);
}

static void on_piece(void *arg, json_t *result, const struct error *error)
{
    struct sender *sender = arg;
    struct buffer read = buffer_make(PIECE + 16);
    const char *data = json_string_value(json_object_get(result, "data"));
    sender->token = 0;
    sender->last = json_is_true(json_object_get(result, "end"));
    if (error != NULL || data == NULL || !radix64_decode(&read, bytes_of_string(data)) ||
        (buffer_size(&read) == 0 && !sender->last)) {
        give_up_piece(sender, error);
    } else {
        bool first = sender->offset == 0;
        sender->offset += buffer_size(&read);
        if (first && take_first(sender, &read))
            begin(sender);
        else if (!first && buffer_append_bytes(&sender->piece, buffer_view(&read)) && sender->wanted)
            give_piece(sender);
    }
    buffer_free(&read);
    step(sender);
}

static void ask_piece(struct sender *sender)
{
    bool asked =
        give(sender,
             json_pack("{s:s, s:I, s:I, s:i}", "do", "post.read", "seq", (json_int_t)sender->pending[0].seq,
                       "offset", (json_int_t)sender->offset, "size", PIECE),
             on_piece);
    if (!asked && sender->client != NULL)
        forward_client_abort(sender->client, "the post cannot be read");
}

static void begin_reading(struct sender *sender)
{
    sender->offset = 0;
    sender->last = false;
    buffer_free(&sender->piece);
    sender->piece = buffer_make(PIECE + sizeof sender->owner + 64);
    ask_piece(sender);
}

/* --- the loop */

static bool is_idle(const struct sender *sender)
{
    return sender->token == 0 && sender->client == NULL && !sender->waiting && !sender->closing;
}

static void step(struct sender *sender)
{
    while (is_idle(sender)) {
        if (sender->opened)
            forget_pending(sender);
        if (!sender->shown)
            ask(sender, json_pack("{s:s}", "do", "account.show"), got_account);
        else if (!sender->opened)
            ask(sender, json_pack("{s:s, s:s}", "do", "client.open", "name", client_name), got_cursor);
        else if (sender->dirty)
            keep_cursor(sender);
        else if (sender->more && sender->count < PENDING_MOST) {
            sender->more = false;
            ask(sender,
                json_pack("{s:s, s:I, s:i}", "do", "changes", "after", (json_int_t)sender->change, "max",
                          PAGE),
                got_changes);
        } else if (sender->count > 0 && !sender->pending[0].locked)
            begin_reading(sender);
        else
            return;
    }
}

static void on_more(void *arg)
{
    struct sender *sender = arg;
    sender->more = true;
    step(sender);
}

static void on_session_ended(void *arg, const char *reason)
{
    struct sender *sender = arg;
    (void)reason;
    sender->session = NULL;
    sender->token = 0;
    sender_close(sender);
}

static const struct gateway_events session_events = {.more = on_more, .ended = on_session_ended};

static void sender_open(struct forward *forward, const char *account)
{
    struct sender *sender = calloc(1, sizeof *sender);
    if (sender != NULL && strlen(account) < sizeof sender->account)
        sender->session = gateway_service(forward->gateway, account, "mail");
    if (sender == NULL || sender->session == NULL) {
        log_error("mail", "event=forward-not-opened account=%s", log_name(account, strlen(account)));
        free(sender);
        return;
    }
    sender->forward = forward;
    snprintf(sender->account, sizeof sender->account, "%s", account);
    gateway_listen(sender->session, &session_events, sender);
    uv_timer_init(forward->loop, &sender->timer);
    sender->timer.data = sender;
    DL_APPEND(forward->senders, sender);
    step(sender);
}

static void on_account(void *arg, const char *account, bool gone)
{
    struct forward *forward = arg;
    struct sender *sender;
    DL_FOREACH(forward->senders, sender)
    {
        if (!sender->closing && strcmp(sender->account, account) == 0)
            break;
    }
    if (sender != NULL && gone)
        sender_close(sender);
    else if (sender == NULL && !gone)
        sender_open(forward, account);
}

struct forward *forward_open(uv_loop_t *loop, struct gateway *gateway, const char *server, const char *name,
                             struct error **error)
{
    struct forward *forward = calloc(1, sizeof *forward);
    if (forward == NULL) {
        error_set(error, ERROR_UNAVAILABLE, "out of memory");
        return NULL;
    }
    *forward = (struct forward){.loop = loop, .gateway = gateway, .name = strdup(name)};
    if (forward->name == NULL || !forward_server_read(&forward->server, server, error)) {
        error_set(error, ERROR_UNAVAILABLE, "out of memory");
        forward_free(forward);
        return NULL;
    }
    uv_timer_init(loop, &forward->timer);
    forward->timer.data = forward;
    gateway_accounts(gateway, on_account, forward);
    return forward;
}

void forward_close(struct forward *forward, void (*closed)(void *arg), void *arg)
{
    struct sender *sender, *next;
    gateway_accounts(forward->gateway, NULL, forward);
    forward->closing = true;
    forward->closed = closed;
    forward->arg = arg;
    DL_FOREACH_SAFE(forward->senders, sender, next) sender_close(sender);
    end_when_empty(forward);
}
