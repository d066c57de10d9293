/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_CORE_WORLD_H
#define RETROGATE_TESTS_CORE_WORLD_H

/* A gateway with a real store in a directory of its own. Accounts of one gateway reach each other by the
 * local road, so that chats run without a network. */
#include "support/vectors.h"

#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/accounts.h"
#include "core/commands.h"
#include "core/contacts.h"
#include "core/conversations.h"
#include "core/session.h"
#include "core/state.h"
#include "fakes.h"

struct world {
    char directory[48];
    uv_loop_t loop;
    struct gateway *gateway;
    struct gateway_session *operator_;
    unsigned answers;
    bool closed;
};

/* What the last command was told. */
struct answer {
    unsigned calls;
    json_t *result;
    enum error_code code;
    char text[256];
};

static inline int remove_entry(const char *path, const struct stat *facts, int type, struct FTW *at)
{
    (void)facts;
    (void)type;
    (void)at;
    return remove(path);
}

static inline struct core_options world_options(const struct world *world, const char *key)
{
    return (struct core_options){.directory = world->directory,
                                 .keyring_program = "none",
                                 .keyring_workers = 1,
                                 .node_name = "test",
                                 .vault_key_file = key,
                                 .vault_key_create = true,
                                 .typing_default = true};
}

/* Never blocks: what a turn answers may be the last that happens for a long time. */
static inline void world_turn(struct world *world)
{
    if (uv_run(&world->loop, UV_RUN_NOWAIT) != 0)
        sched_yield();
}

/* Some turns without waiting for anything. */
static inline void world_settle(struct world *world)
{
    for (unsigned i = 0; i < 64; i++)
        uv_run(&world->loop, UV_RUN_NOWAIT);
}

/* Until nothing is being stored. */
static inline void world_quiet(struct world *world)
{
    for (bool busy = true; busy;) {
        struct account *account, *next;
        world_settle(world);
        busy = false;
        HASH_ITER(hh, world->gateway->accounts, account, next)
        busy |= account->pending != NULL;
        if (busy)
            world_turn(world);
    }
}

/* What is done every minute, now. */
static inline void world_minute(struct world *world)
{
    uv_timer_t *minute = &world->gateway->minute;
    uint64_t usual = uv_timer_get_repeat(minute);
    uv_timer_set_repeat(minute, 1);
    assert_int_equal(uv_timer_again(minute), 0);
    uv_timer_set_repeat(minute, usual);
    while (uv_timer_get_due_in(minute) <= 1)
        world_turn(world);
}

static inline void world_open_with(struct world *world, bool locked)
{
    char key[80];
    struct error *error = NULL;
    snprintf(key, sizeof key, "%s/vault.key", world->directory);
    struct core_options options = world_options(world, locked ? NULL : key);
    world->gateway = gateway_open(&world->loop, &options, &error);
    if (error != NULL)
        fail_msg("%s", error->text);
    while (world->gateway->phase == NODE_STARTING)
        world_turn(world);
    assert_int_equal(world->gateway->phase, NODE_READY);
    world->operator_ = gateway_operator(world->gateway);
}

static inline void world_open(struct world *world)
{
    world_open_with(world, false);
}

static inline void world_make(struct world *world)
{
    *world = (struct world){0};
    snprintf(world->directory, sizeof world->directory, "%s/core_test_XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(world->directory));
    assert_int_equal(uv_loop_init(&world->loop), 0);
    the_keyring.keys = 0;
}

static inline void world_closed(void *arg)
{
    ((struct world *)arg)->closed = true;
}

static inline void world_close(struct world *world)
{
    world->closed = false;
    gateway_close(world->gateway, world_closed, world);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_true(world->closed);
    world->gateway = NULL;
}

static inline void world_free(struct world *world)
{
    if (world->gateway != NULL)
        world_close(world);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    nftw(world->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* As after a crash of the machine: what is not committed is not there. Here: everything answered is. */
static inline void world_restart(struct world *world)
{
    world_close(world);
    world_open(world);
}

static inline int world_setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    world_make(world);
    world_open(world);
    *state = world;
    return 0;
}

static inline int world_teardown(void **state)
{
    world_free(*state);
    free(*state);
    return 0;
}

/* --- a full disk: no file grows */

static inline struct rlimit disk_fill(void)
{
    struct rlimit before, full;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    full = before;
    full.rlim_cur = 1;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    return before;
}

static inline void disk_clear(const struct rlimit *before)
{
    assert_int_equal(setrlimit(RLIMIT_FSIZE, before), 0);
}

/* --- commands */

static inline void note_answer(void *arg, json_t *result, const struct error *error)
{
    struct answer *answer = arg;
    answer->calls++;
    answer->result = json_incref(result);
    answer->code = error != NULL ? error->code : 0;
    snprintf(answer->text, sizeof answer->text, "%s", error != NULL ? error->text : "");
}

/* Gives a command and steals its reference. Refused at once counts as an answer too. */
static inline void start(struct gateway_session *session, json_t *command, struct answer *answer)
{
    struct error *error = NULL;
    *answer = (struct answer){0};
    assert_non_null(command);
    if (gateway_do(session, command, note_answer, answer, &error) == 0) {
        assert_non_null(error);
        note_answer(answer, NULL, error);
        error_free(error);
    } else {
        assert_null(error);
        assert_int_equal(answer->calls, 0); /* never before gateway_do() returns */
    }
    json_decref(command);
}

static inline void finish(struct world *world, struct answer *answer)
{
    while (answer->calls == 0)
        world_turn(world);
    assert_int_equal(answer->calls, 1);
}

/* The result, to be freed; fails the test when it is an error. */
static inline json_t *give(struct world *world, struct gateway_session *session, json_t *command)
{
    struct answer answer;
    start(session, command, &answer);
    finish(world, &answer);
    if (answer.code != 0)
        fail_msg("%s: %s", error_word(answer.code), answer.text);
    return answer.result;
}

static inline void good(struct world *world, struct gateway_session *session, json_t *command)
{
    json_decref(give(world, session, command));
}

/* The error of a command that must fail. */
static inline struct answer bad(struct world *world, struct gateway_session *session, json_t *command,
                                enum error_code code)
{
    struct answer answer;
    start(session, command, &answer);
    finish(world, &answer);
    if (answer.code != code)
        fail_msg("%s: %s; expected %s", answer.code != 0 ? error_word(answer.code) : "done", answer.text,
                 error_word(code));
    assert_null(answer.result);
    return answer;
}

static inline int64_t number(const json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static inline const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    assert_non_null(value);
    return value;
}

/* --- people */

static inline struct account *account_make(struct world *world, const char *name)
{
    good(world, world->operator_,
         json_pack("{s:s,s:s,s:s,s:s}", "do", "account.add", "name", name, "password", "password of it",
                   "person", name));
    struct account *account = account_by_name(world->gateway, name);
    assert_non_null(account);
    return account;
}

static inline struct gateway_session *session_of(struct world *world, const char *name)
{
    return session_new(world->gateway, account_by_name(world->gateway, name), "irc");
}

static inline char *key_of(const struct account *account)
{
    struct buffer armor = buffer_make(1 << 16);
    assert_true(openpgp_armor_key(&armor, buffer_view(&account->key_block)));
    char *copy = strdup(buffer_string(&armor));
    buffer_free(&armor);
    return copy;
}

static inline char *some_key(unsigned number, const char *name)
{
    struct buffer block = buffer_make(1 << 16), armor = buffer_make(1 << 16);
    fake_key(&block, number, name);
    assert_true(openpgp_armor_key(&armor, buffer_view(&block)));
    char *copy = strdup(buffer_string(&armor));
    buffer_free(&armor);
    buffer_free(&block);
    return copy;
}

/* `who` adds the key of `whom`. */
static inline void add_contact(struct world *world, struct gateway_session *who, const char *whom)
{
    char *key = key_of(account_by_name(world->gateway, whom));
    good(world, who, json_pack("{s:s,s:s,s:s}", "do", "contact.add", "key", key, "handle", whom));
    free(key);
}

static inline char *protected_link(struct world *world, struct gateway_session *who, const char *whom,
                                   const char *protection)
{
    json_t *invite =
        give(world, who,
             json_pack("{s:s,s:s,s:s}", "do", "invite.new", "contact", whom, "protection", protection));
    char *link = strdup(text(invite, "link"));
    json_decref(invite);
    return link;
}

static inline char *invite_link(struct world *world, struct gateway_session *who, const char *whom)
{
    return protected_link(world, who, whom, "classic");
}

static inline void await_state(struct world *world, const struct conversation *conversation,
                               enum chat_state state)
{
    while (conversation->state != state)
        world_turn(world);
}

static inline struct conversation *conversation_with(const struct gateway_session *session,
                                                     const char *handle)
{
    struct contact *contact = contact_by_handle(session->account, handle);
    assert_non_null(contact);
    assert_non_null(contact->conversation);
    return contact->conversation;
}

/* alice and bob, who know each other and can talk; alice is the inviter. */
struct pair {
    struct world *world;
    struct gateway_session *alice, *bob;
    struct conversation *with_bob, *with_alice;
};

static inline void pair_meet(struct pair *pair, struct world *world)
{
    pair->alice = session_of(world, "alice");
    pair->bob = session_of(world, "bob");
    pair->with_bob = conversation_with(pair->alice, "bob");
    pair->with_alice = conversation_with(pair->bob, "alice");
    await_state(world, pair->with_bob, CHAT_CAN_TALK);
    await_state(world, pair->with_alice, CHAT_CAN_TALK);
}

static inline void pair_make(struct pair *pair, struct world *world)
{
    pair->world = world;
    account_make(world, "alice");
    account_make(world, "bob");
    pair->alice = session_of(world, "alice");
    pair->bob = session_of(world, "bob");
    add_contact(world, pair->alice, "bob");
    add_contact(world, pair->bob, "alice");
    char *link = invite_link(world, pair->alice, "bob");
    good(world, pair->bob, json_pack("{s:s,s:s}", "do", "invite.open", "link", link));
    free(link);
    pair->with_bob = conversation_with(pair->alice, "bob");
    pair->with_alice = conversation_with(pair->bob, "alice");
    await_state(world, pair->with_bob, CHAT_CAN_TALK);
    await_state(world, pair->with_alice, CHAT_CAN_TALK);
}

/* The history of a conversation in one line of text each: "delivery text\n". */
static inline char *history_of(struct world *world, struct gateway_session *session, const char *handle)
{
    struct buffer out = buffer_make(1 << 20);
    json_t *answer = give(world, session,
                          json_pack("{s:s,s:s,s:i,s:i}", "do", "history", "conversation", handle, "after", 0,
                                    "max", 500)),
           *line;
    size_t index;
    json_array_foreach(json_object_get(answer, "lines"), index, line)
        buffer_printf(&out, "%s %s\n", text(line, "delivery"), text(line, "text"));
    json_decref(answer);
    const char *string = buffer_string(&out);
    char *copy = strdup(string != NULL ? string : "");
    buffer_free(&out);
    return copy;
}

static inline void assert_history(struct world *world, struct gateway_session *session, const char *handle,
                                  const char *expected)
{
    char *history = history_of(world, session, handle);
    assert_string_equal(history, expected);
    free(history);
}

#endif
