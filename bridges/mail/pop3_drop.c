/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pop3.h"
#include "wire/radix64.h"

enum {
    PAGE = 200,         /* posts in one answer */
    PIECE = 64 << 10,   /* bytes of a message in one answer */
    REMOVE_MOST = 1000, /* posts in one command */
};

static const struct error odd = {.code = ERROR_INTERNAL, .text = "The gateway gave an odd answer"};
static const struct error no_memory = {.code = ERROR_UNAVAILABLE, .text = "out of memory"};

/* --- the list */

static void ask_page(struct session *session);

static void reverse(struct pop3 *pop3)
{
    for (size_t low = 0, high = pop3->count; low + 1 < high; low++) {
        struct pop3_message message = pop3->messages[--high];
        pop3->messages[high] = pop3->messages[low];
        pop3->messages[low] = message;
    }
}

static bool make_room(struct pop3 *pop3)
{
    if (pop3->count < pop3->room)
        return true;
    size_t room = pop3->room > 0 ? pop3->room * 2 : PAGE;
    struct pop3_message *messages = realloc(pop3->messages, room * sizeof *messages);
    if (messages == NULL)
        return false;
    pop3->messages = messages;
    pop3->room = room;
    return true;
}

/* A post that is not opened yet has nothing to be fetched: it comes with a later log-in, under a number that
 * no client has seen. */
static bool add(struct pop3 *pop3, const json_t *post)
{
    const char *verdict = json_string_value(json_object_get(post, "verdict"));
    json_int_t size = json_integer_value(json_object_get(post, "size"));
    if (verdict != NULL && strcmp(verdict, "locked") == 0)
        return true;
    if (pop3->count >= POP3_MESSAGES)
        return true;
    if (!make_room(pop3))
        return false;
    pop3->epoch = json_integer_value(json_object_get(post, "epoch"));
    pop3->messages[pop3->count++] =
        (struct pop3_message){.seq = json_integer_value(json_object_get(post, "seq")),
                              .size = size > 0 && size <= UINT32_MAX ? (uint32_t)size : 0};
    return true;
}

static void give_up(struct session *session, const struct error *error)
{
    pop3_refuse_error(session, error);
    session_end(session, "the maildrop cannot be read");
}

static void got_page(struct session *session, json_t *result, const struct error *error)
{
    struct pop3 *pop3 = pop3_of(session);
    const json_t *posts = json_object_get(result, "posts"), *post = NULL;
    size_t index;
    bool kept = true;
    if (error != NULL || !json_is_array(posts)) {
        give_up(session, error != NULL ? error : &odd);
        return;
    }
    json_array_foreach(posts, index, post) kept = kept && add(pop3, post);
    if (!kept) {
        give_up(session, &no_memory);
        return;
    }
    size_t given = json_array_size(posts);
    if (json_is_true(json_object_get(result, "more")) && given > 0 && pop3->count < POP3_MESSAGES) {
        const json_t *last = json_array_get(posts, given - 1);
        session_ask(session,
                    json_pack("{s:s, s:s, s:i, s:O}", "do", "post.list", "box", "in", "max", PAGE, "before",
                              json_object_get(last, "seq")),
                    got_page);
        return;
    }
    reverse(pop3);
    pop3->open = true;
    session_say(session, "+OK %zu messages", pop3->count);
}

static void ask_page(struct session *session)
{
    session_ask(session, json_pack("{s:s, s:s, s:i}", "do", "post.list", "box", "in", "max", PAGE), got_page);
}

void pop3_drop_open(struct session *session)
{
    ask_page(session);
}

/* --- a message */

static void ask_piece(struct session *session);

static void end_message(struct session *session)
{
    pop3_of(session)->begun = pop3_of(session)->waiting = false;
    session_release(session);
}

/* An answer that has begun can only be broken off. */
static void fail_message(struct session *session, const struct error *error)
{
    if (pop3_of(session)->begun)
        session_end(session, "a message cannot be read on");
    else if (error->code == ERROR_NOT_FOUND)
        pop3_refuse(session, NULL, "This message was removed elsewhere");
    else
        pop3_refuse_error(session, error);
    end_message(session);
}

static void go_on(struct session *session)
{
    struct pop3 *pop3 = pop3_of(session);
    pop3->waiting = session_room(session) < SESSION_OUTPUT - SESSION_OUTPUT_BUSY;
    if (!pop3->waiting)
        ask_piece(session);
}

static void send_piece(struct session *session, struct bytes piece, bool end)
{
    struct pop3 *pop3 = pop3_of(session);
    struct buffer out = buffer_make(2 * PIECE + 64);
    if (!pop3->begun && pop3->body.lines == POP3_ALL)
        buffer_printf(&out, "+OK %" PRIu32 " octets\r\n", pop3->messages[pop3->reading].size);
    else if (!pop3->begun)
        buffer_append_string(&out, "+OK\r\n");
    pop3_body_take(&pop3->body, piece, &out);
    end = end || pop3->body.enough;
    if (end)
        pop3_body_end(&pop3->body, &out);
    struct bytes view = buffer_view(&out);
    if (out.failed) {
        fail_message(session, &no_memory);
    } else {
        session_write(session, view.data, view.size);
        pop3->begun = true;
        pop3->offset += piece.size;
        if (end)
            end_message(session);
        else
            go_on(session);
    }
    buffer_free(&out);
}

static void got_piece(struct session *session, json_t *result, const struct error *error)
{
    const char *data = json_string_value(json_object_get(result, "data"));
    bool end = json_is_true(json_object_get(result, "end"));
    struct buffer piece = buffer_make(PIECE);
    if (error != NULL)
        fail_message(session, error);
    else if (data == NULL || !radix64_decode(&piece, bytes_of_string(data)) ||
             (buffer_size(&piece) == 0 && !end))
        fail_message(session, &odd);
    else
        send_piece(session, buffer_view(&piece), end);
    buffer_free(&piece);
}

static void ask_piece(struct session *session)
{
    const struct pop3 *pop3 = pop3_of(session);
    session_ask(session,
                json_pack("{s:s, s:I, s:I, s:i}", "do", "post.read", "seq",
                          (json_int_t)pop3->messages[pop3->reading].seq, "offset", (json_int_t)pop3->offset,
                          "size", PIECE),
                got_piece);
}

void pop3_drop_send(struct session *session, size_t index, int64_t lines)
{
    struct pop3 *pop3 = pop3_of(session);
    pop3->reading = index;
    pop3->offset = 0;
    pop3->body = pop3_body_begin(lines);
    session_hold(session);
    ask_piece(session);
}

void pop3_drop_drained(struct session *session)
{
    if (!pop3_of(session)->waiting)
        return;
    pop3_of(session)->waiting = false;
    ask_piece(session);
}

/* --- the end */

static void remove_next(struct session *session);

static void removed(struct session *session, json_t *result, const struct error *error)
{
    (void)result;
    if (error == NULL) {
        remove_next(session);
        return;
    }
    pop3_refuse_error(session, error);
    session_end(session, "quit, and what was deleted could not be removed");
}

static void remove_next(struct session *session)
{
    struct pop3 *pop3 = pop3_of(session);
    json_t *seqs = json_array();
    for (; pop3->removing < pop3->count && json_array_size(seqs) < REMOVE_MOST; pop3->removing++)
        if (pop3->messages[pop3->removing].deleted)
            json_array_append_new(seqs, json_integer(pop3->messages[pop3->removing].seq));
    if (json_array_size(seqs) > 0) {
        session_ask(session, json_pack("{s:s, s:o}", "do", "post.delete", "seqs", seqs), removed);
        return;
    }
    json_decref(seqs);
    session_say(session, "+OK Bye");
    session_end(session, "quit");
}

void pop3_drop_quit(struct session *session)
{
    remove_next(session);
}
