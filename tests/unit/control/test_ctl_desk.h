/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_UNIT_CONTROL_TEST_CTL_DESK_H
#define RETROGATE_TESTS_UNIT_CONTROL_TEST_CTL_DESK_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/ctl.h"
#include "support/vectors.h"

/* A daemon that says what a script says, and what retrogatectl makes of it. */

struct exchange {
    const char *expected; /* the command, without its id; ' stands for "; NULL: any */
    const char *answer;   /* "done" or "error" with what belongs to it; then lines of their own, each behind a
                             line feed */
};

enum { NOW = 1700000000 };

struct desk {
    const struct exchange *script;
    size_t count;
    int listening;
    char *folder;
    struct sockaddr_un name;
    pthread_t thread;
    char wrong[2000]; /* what the daemon did not expect */
    /* What came of it. */
    int code;
    char *out, *log;
};

static inline json_t *quoted_json(const char *text)
{
    char copy[8000];
    snprintf(copy, sizeof copy, "%s", text);
    for (char *at = copy; *at != '\0'; at++)
        if (*at == '\'')
            *at = '"';
    json_t *value = json_loads(copy, 0, NULL);
    if (value == NULL)
        fprintf(stderr, "the test has malformed JSON: %s\n", copy);
    return value;
}

static inline void desk_answer(FILE *to, const char *answer, json_int_t id)
{
    const char *feed = strchr(answer, '\n');
    char first[8000];
    snprintf(first, sizeof first, "%.*s", feed != NULL ? (int)(feed - answer) : (int)strlen(answer), answer);
    json_t *value = quoted_json(first);
    json_object_set_new(value, "id", json_integer(id));
    json_dumpf(value, to, JSON_COMPACT);
    json_decref(value);
    fputc('\n', to);
    for (; feed != NULL && feed[1] != '\0'; feed = strchr(feed + 1, '\n')) {
        snprintf(first, sizeof first, "%.*s", (int)strcspn(feed + 1, "\n"), feed + 1);
        value = quoted_json(first);
        json_dumpf(value, to, JSON_COMPACT);
        json_decref(value);
        fputc('\n', to);
    }
    fflush(to);
}

/* Serves one connection and closes it behind the last answer. */
static inline void *desk_serve(void *arg)
{
    struct desk *desk = arg;
    int fd = accept(desk->listening, NULL, NULL);
    FILE *from = fdopen(fd, "r"), *to = fdopen(dup(fd), "w");
    char *line = NULL;
    size_t size = 0;
    for (size_t i = 0; i < desk->count && getline(&line, &size, from) > 0; i++) {
        json_t *said = json_loads(line, 0, NULL),
               *expected = desk->script[i].expected != NULL ? quoted_json(desk->script[i].expected) : NULL;
        json_int_t id = json_integer_value(json_object_get(said, "id"));
        json_object_del(said, "id");
        if (expected != NULL && !json_equal(said, expected) && desk->wrong[0] == '\0')
            snprintf(desk->wrong, sizeof desk->wrong, "expected %s, was %s", desk->script[i].expected, line);
        json_decref(said);
        json_decref(expected);
        desk_answer(to, desk->script[i].answer, id);
    }
    free(line);
    fclose(from);
    fclose(to);
    return NULL;
}

/* Runs one command line (words divided by blanks) with this on its standard input. */
static inline void desk_run_account(struct desk *desk, const char *line, const char *input,
                                    const char *account)
{
    char copy[4000], *argv[64];
    int argc = 0;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *at = NULL, *word = strtok_r(copy, " ", &at); word != NULL; word = strtok_r(NULL, " ", &at))
        argv[argc++] = word;
    size_t out_size = 0, log_size = 0;
    struct ctl ctl = {
        .in = tmpfile(),
        .out = open_memstream(&desk->out, &out_size),
        .log = open_memstream(&desk->log, &log_size),
        .socket = desk->name.sun_path,
        .account = account,
        .now_ms = NOW * 1000LL,
    };
    fputs(input, ctl.in);
    rewind(ctl.in);
    desk->code = ctl_run(&ctl, argc, argv);
    fclose(ctl.in);
    fclose(ctl.out);
    fclose(ctl.log);
}

/* Opens the daemon's socket; with a script somebody answers there. */
static inline void desk_begin(struct desk *desk, const struct exchange *script, size_t count)
{
    const char *base = getenv("TMPDIR");
    static char folder[200];
    *desk = (struct desk){.script = script, .count = count, .folder = folder};
    snprintf(folder, sizeof folder, "%s/retrogate-XXXXXX", base != NULL ? base : P_tmpdir);
    assert_non_null(mkdtemp(folder));
    desk->name.sun_family = AF_UNIX;
    snprintf(desk->name.sun_path, sizeof desk->name.sun_path, "%.90s/c", folder);
    desk->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(desk->listening, (struct sockaddr *)&desk->name, sizeof desk->name), 0);
    if (count == 0)
        return;
    assert_int_equal(listen(desk->listening, 1), 0);
    pthread_create(&desk->thread, NULL, desk_serve, desk);
}

static inline void desk_end(struct desk *desk)
{
    if (desk->count > 0)
        pthread_join(desk->thread, NULL);
    close(desk->listening);
    unlink(desk->name.sun_path);
    rmdir(desk->folder);
    if (desk->wrong[0] != '\0')
        fail_msg("%s", desk->wrong);
}

static inline void desk_play(struct desk *desk, const char *line, const char *input,
                             const struct exchange *script, size_t count)
{
    desk_begin(desk, script, count);
    desk_run_account(desk, line, input, NULL);
    desk_end(desk);
}

static inline void desk_free(struct desk *desk)
{
    free(desk->out);
    free(desk->log);
}

#define PLAY(desk, line, input, ...)                                                                         \
    desk_play(desk, line, input, (const struct exchange[]){__VA_ARGS__},                                     \
              sizeof((const struct exchange[]){__VA_ARGS__}) / sizeof(struct exchange))

static inline void assert_holds(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("'%s' is not in: %s", part, text);
}

#endif
