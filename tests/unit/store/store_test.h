/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_UNIT_STORE_STORE_TEST_H
#define RETROGATE_TESTS_UNIT_STORE_STORE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/store.h"

/* A store in a directory of its own, on a loop of its own. */
struct place {
    char directory[64];
    uv_loop_t loop;
    struct store *store;
};

static inline int remove_entry(const char *path, const struct stat *facts, int type, struct FTW *at)
{
    (void)facts;
    (void)type;
    (void)at;
    return remove(path);
}

static inline void place_make(struct place *place)
{
    memset(place, 0, sizeof *place);
    snprintf(place->directory, sizeof place->directory, "%s/store_test_XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(place->directory));
    assert_int_equal(uv_loop_init(&place->loop), 0);
}

static inline void place_open_with(struct place *place, const struct store_loader *loader, void *arg)
{
    struct error *error = NULL;
    place->store = store_open(&place->loop, place->directory, loader, arg, &error);
    if (error != NULL)
        print_error("%s\n", error->text);
    assert_non_null(place->store);
    assert_null(error);
}

static inline void place_open(struct place *place)
{
    static const struct store_loader nothing = {0};
    place_open_with(place, &nothing, NULL);
}

/* What store_open() says against this directory; 0 when it opens (it is closed again then). */
static inline enum error_code place_refusal(struct place *place, char text[256])
{
    static const struct store_loader nothing = {0};
    struct error *error = NULL;
    enum error_code code = 0;
    struct store *store = store_open(&place->loop, place->directory, &nothing, NULL, &error);
    text[0] = 0;
    if (error != NULL) {
        code = error->code;
        snprintf(text, 256, "%s", error->text);
    }
    assert_true((store == NULL) == (code != 0));
    error_free(error);
    store_close(store);
    uv_run(&place->loop, UV_RUN_DEFAULT);
    return code;
}

static inline void place_close(struct place *place)
{
    store_close(place->store);
    place->store = NULL;
    uv_run(&place->loop, UV_RUN_DEFAULT);
}

static inline void place_free(struct place *place)
{
    if (place->store != NULL)
        place_close(place);
    assert_int_equal(uv_loop_close(&place->loop), 0);
    nftw(place->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void path_in(char path[256], const struct place *place, const char *name)
{
    snprintf(path, 256, "%s/%s", place->directory, name);
}

/* What a callback was told. */
struct outcome {
    unsigned calls;
    enum error_code code; /* 0: it went well */
    char text[256];
};

static inline void note_outcome(void *arg, const struct error *error)
{
    struct outcome *outcome = arg;
    outcome->calls++;
    outcome->code = error == NULL ? 0 : error->code;
    snprintf(outcome->text, sizeof outcome->text, "%s", error == NULL ? "" : error->text);
}

/* Commits and runs the loop until it is answered. */
static inline struct outcome commit_now(struct place *place, struct store_batch *batch)
{
    struct outcome outcome = {0};
    store_commit(batch, note_outcome, &outcome);
    assert_int_equal(outcome.calls, 0);
    while (outcome.calls == 0)
        uv_run(&place->loop, UV_RUN_ONCE);
    assert_int_equal(outcome.calls, 1);
    return outcome;
}

static inline void commit_good(struct place *place, struct store_batch *batch)
{
    struct outcome outcome = commit_now(place, batch);
    if (outcome.code != 0)
        print_error("%s\n", outcome.text);
    assert_int_equal(outcome.code, 0);
}

/* Rows with all that the schema asks for, to be changed by the test. */
static inline struct account_row some_account(int64_t id, const char *name)
{
    return (struct account_row){.id = id, .name = name, .password = "", .settings = "{}", .epoch = 1};
}

static inline struct contact_row some_contact(int64_t account, int64_t id, const char *handle)
{
    return (struct contact_row){
        .id = id, .account = account, .handle = handle, .name = "", .presence = "open"};
}

static inline struct conversation_row some_conversation(int64_t account, int64_t id)
{
    return (struct conversation_row){
        .id = id, .account = account, .contact = 1, .avatar = "", .state_text = ""};
}

static inline struct route_row some_route(int64_t account, int64_t id, int64_t conversation)
{
    return (struct route_row){.id = id,
                              .account = account,
                              .conversation = conversation,
                              .kind = "classic",
                              .role = "guest",
                              .sealing = "may"};
}

static inline struct line_row some_line(int64_t account, int64_t seq, int64_t conversation, const char *text)
{
    return (struct line_row){.account = account,
                             .seq = seq,
                             .conversation = conversation,
                             .direction = "in",
                             .text = bytes_of_string(text),
                             .delivery = "received",
                             .reason = "",
                             .label = "",
                             .change = seq};
}

/* Account 1 with conversation 1. */
static inline void put_first(struct place *place)
{
    struct account_row account = some_account(1, "alice");
    struct conversation_row conversation = some_conversation(1, 1);
    struct store_batch *batch = store_begin(place->store);
    store_put_account(batch, &account);
    store_put_conversation(batch, &conversation);
    commit_good(place, batch);
}

/* The lines a read gave. */
struct lines {
    unsigned count;
    int64_t seq[1024], change[1024];
    struct line_row last; /* without its strings */
    char text[64], direction[8], delivery[16], reason[64], label[64];
    size_t text_size;
    struct outcome outcome;
};

static inline void note_line(void *arg, const struct line_row *row)
{
    struct lines *lines = arg;
    assert_int_equal(lines->outcome.calls, 0);
    assert_true(lines->count < 1024);
    lines->seq[lines->count] = row->seq;
    lines->change[lines->count++] = row->change;
    lines->last = *row;
    lines->text_size = row->text.size;
    memcpy(lines->text, row->text.data, row->text.size < 64 ? row->text.size : 64);
    snprintf(lines->direction, sizeof lines->direction, "%s", row->direction);
    snprintf(lines->delivery, sizeof lines->delivery, "%s", row->delivery);
    snprintf(lines->reason, sizeof lines->reason, "%s", row->reason);
    snprintf(lines->label, sizeof lines->label, "%s", row->label);
}

static inline void lines_done(void *arg, const struct error *error)
{
    note_outcome(&((struct lines *)arg)->outcome, error);
}

static inline void lines_wait(struct place *place, struct lines *lines)
{
    assert_int_equal(lines->outcome.calls, 0);
    while (lines->outcome.calls == 0)
        uv_run(&place->loop, UV_RUN_ONCE);
    assert_int_equal(lines->outcome.code, 0);
}

#endif
