/* SPDX-License-Identifier: ISC */
#include "control/control.h"

#include <sys/stat.h>
#include <sys/un.h>

#include "api/request.h"
#include "unit/base/test_stream_ends.h"

/* A gateway that does what the test says: "now" is refused at once, "wait" is answered by the test,
 * everything else with the command itself on the next turn. */
struct gateway_session {
    struct gateway *gateway;
    const struct gateway_events *events;
    void *arg;
    bool used;
};

struct question {
    gateway_done_fn *done;
    void *arg;
    json_t *command;
    uint64_t token;
};

struct gateway {
    struct gateway_session sessions[64];
    struct question questions[200];
    size_t asked, logouts, forgotten;
};

struct gateway_session *gateway_operator(struct gateway *gateway)
{
    for (size_t i = 0; i < 64; i++)
        if (!gateway->sessions[i].used) {
            gateway->sessions[i] = (struct gateway_session){.gateway = gateway, .used = true};
            return &gateway->sessions[i];
        }
    return NULL;
}

int64_t gateway_account(const struct gateway_session *session)
{
    assert_true(session->used);
    return 0;
}

void gateway_listen(struct gateway_session *session, const struct gateway_events *events, void *arg)
{
    session->events = events;
    session->arg = arg;
}

void gateway_logout(struct gateway_session *session)
{
    assert_true(session->used);
    session->used = false;
    session->gateway->logouts++;
}

uint64_t gateway_do(struct gateway_session *session, const json_t *command, gateway_done_fn *done, void *arg,
                    struct error **error)
{
    struct gateway *gateway = session->gateway;
    assert_true(session->used);
    if (strcmp(json_string_value(json_object_get(command, "do")), "now") == 0) {
        error_set(error, ERROR_NOT_FOUND, "no such command");
        return 0;
    }
    assert_true(gateway->asked < 200);
    struct question *question = &gateway->questions[gateway->asked++];
    *question = (struct question){done, arg, json_deep_copy(command), gateway->asked};
    return question->token;
}

void gateway_forget(struct gateway_session *session, uint64_t token)
{
    struct question *question = &session->gateway->questions[token - 1];
    assert_non_null(question->done);
    question->done = NULL;
    session->gateway->forgotten++;
}

static void answer(struct gateway *gateway, size_t index, json_t *result, const struct error *error)
{
    struct question *question = &gateway->questions[index];
    assert_non_null(question->done);
    gateway_done_fn *done = question->done;
    question->done = NULL;
    done(question->arg, result, error);
}

struct desk {
    struct scene scene;
    struct gateway gateway;
    struct control *control;
    char *folder;
    struct sockaddr_un name;
};

static void desk_open(struct desk *desk)
{
    struct error *error = NULL;
    memset(desk, 0, sizeof *desk);
    scene_open(&desk->scene, 0);
    desk->folder = scene_folder();
    desk->name.sun_family = AF_UNIX;
    snprintf(desk->name.sun_path, sizeof desk->name.sun_path, "%s/c", desk->folder);
    desk->control = control_open(&desk->scene.loop, desk->name.sun_path, 0600, &desk->gateway, &error);
    assert_non_null(desk->control);
}

static void desk_close(struct desk *desk)
{
    control_close(desk->control);
    scene_close(&desk->scene);
    for (size_t i = 0; i < 64; i++)
        assert_false(desk->gateway.sessions[i].used);
    for (size_t i = 0; i < desk->gateway.asked; i++)
        json_decref(desk->gateway.questions[i].command);
    assert_int_equal(rmdir(desk->folder), 0);
}

static void client_open(struct desk *desk, struct end *end)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&desk->name, sizeof desk->name), 0);
    end_open(&desk->scene, end, fd, false);
    size_t sessions = 0;
    while (sessions == 0) {
        uv_run(&desk->scene.loop, UV_RUN_ONCE);
        for (size_t i = 0; i < 64; i++)
            sessions += desk->gateway.sessions[i].used && desk->gateway.sessions[i].events != NULL;
    }
}

static void say(struct end *end, const char *text)
{
    assert_true(stream_write(end->stream, text, strlen(text)));
}

static void hear(struct desk *desk, struct end *end, const char *line)
{
    size_t size = strlen(line);
    RUN_UNTIL(&desk->scene, buffer_size(&end->got) >= size);
    if (memcmp(buffer_view(&end->got).data, line, size) != 0)
        fail_msg("heard %s", buffer_string(&end->got));
    buffer_consume(&end->got, size);
}

static void answers_carry_the_id(void **state)
{
    (void)state;
    struct desk desk;
    struct end end = {0};
    struct stat status;
    static const struct error denied = {ERROR_DENIED, "not you"};
    desk_open(&desk);
    assert_int_equal(stat(desk.name.sun_path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    client_open(&desk, &end);
    say(&end, "{\"id\":7,\"do\":\"a\",\"x\":1}\n{\"id\":8,\"do\":\"b\"}\n{\"id\":9,\"do\":\"now\"}\n{\"id\":"
              "0,\"do\":\"c\"}");
    hear(&desk, &end, "{\"error\":{\"code\":\"not-found\",\"text\":\"no such command\"},\"id\":9}\n");
    assert_int_equal(desk.gateway.asked, 2);
    assert_null(json_object_get(desk.gateway.questions[0].command, "id"));
    say(&end, "\n");
    RUN_UNTIL(&desk.scene, desk.gateway.asked == 3);
    answer(&desk.gateway, 2, NULL, NULL);
    hear(&desk, &end, "{\"done\":{},\"id\":0}\n");
    answer(&desk.gateway, 1, NULL, &denied);
    hear(&desk, &end, "{\"error\":{\"code\":\"denied\",\"text\":\"not you\"},\"id\":8}\n");
    answer(&desk.gateway, 0, desk.gateway.questions[0].command, NULL);
    hear(&desk, &end, "{\"done\":{\"do\":\"a\",\"x\":1},\"id\":7}\n");
    end_free(&desk.scene, &end);
    desk_close(&desk);
}

static void the_number_of_a_command_is_no_argument(void **state)
{
    (void)state;
    struct desk desk;
    struct end end = {0};
    desk_open(&desk);
    client_open(&desk, &end);
    say(&end, "{\"id\":7,\"do\":\"invite.revoke\",\"invite\":3}\n");
    RUN_UNTIL(&desk.scene, desk.gateway.asked == 1);
    assert_null(json_object_get(desk.gateway.questions[0].command, "id"));
    assert_int_equal(json_object_size(desk.gateway.questions[0].command), 2);
    assert_int_equal(json_integer_value(json_object_get(desk.gateway.questions[0].command, "invite")), 3);
    end_free(&desk.scene, &end);
    desk_close(&desk);
}

static void malformed_lines_are_answered(void **state)
{
    (void)state;
    static const char *const lines[][2] = {
        {"\n", "-"},
        {"{\n", "-"},
        {"[]\n", "-"},
        {"7\n", "-"},
        {"{\"do\":\"a\"}\n", "-"},
        {"{\"id\":-1,\"do\":\"a\"}\n", "-"},
        {"{\"id\":\"1\",\"do\":\"a\"}\n", "-"},
        {"{\"id\":1.5,\"do\":\"a\"}\n", "-"},
        {"{\"id\":1}\n", "\"id\":1}\n"},
        {"{\"id\":1,\"do\":1}\n", "\"id\":1}\n"},
        {"{\"id\":1,\"id\":2,\"do\":\"a\"}\n", "-"},
        {"{\"id\":1,\"do\":\"\xff\"}\n", "-"},
    };
    struct desk desk;
    struct end end = {0};
    desk_open(&desk);
    client_open(&desk, &end);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        say(&end, lines[i][0]);
        RUN_UNTIL(&desk.scene, buffer_size(&end.got) > 0);
        const char *heard = buffer_string(&end.got);
        assert_memory_equal(heard, "{\"error\":{\"code\":\"invalid\"", 26);
        assert_int_equal(strstr(heard, "\"id\":") != NULL, lines[i][1][0] != '-');
        buffer_clear(&end.got);
    }
    assert_int_equal(desk.gateway.asked, 0);
    end_free(&desk.scene, &end);
    desk_close(&desk);
}

static void a_line_without_end_is_refused(void **state)
{
    (void)state;
    struct desk desk;
    struct end end = {.got = buffer_make(4096)};
    desk_open(&desk);
    desk.scene.options.output_limit = 2 * REQUEST_LINE_MAX;
    client_open(&desk, &end);
    char *spaces = malloc(REQUEST_LINE_MAX);
    memset(spaces, ' ', REQUEST_LINE_MAX);
    assert_true(stream_write(end.stream, spaces, REQUEST_LINE_MAX));
    free(spaces);
    hear(&desk, &end, "{\"error\":{\"code\":\"limit\",\"text\":\"a line has at most 1048576 bytes\"}}\n");
    RUN_UNTIL(&desk.scene, end.closed);
    end_free(&desk.scene, &end);
    desk_close(&desk);
}

static void the_longest_line_is_taken(void **state)
{
    (void)state;
    struct desk desk;
    struct end end = {0};
    desk_open(&desk);
    desk.scene.options.output_limit = 2 * REQUEST_LINE_MAX;
    client_open(&desk, &end);
    char *line = malloc(REQUEST_LINE_MAX);
    memset(line, ' ', REQUEST_LINE_MAX);
    memcpy(line, "{\"id\":1,\"do\":\"a\"}", 17);
    line[REQUEST_LINE_MAX - 1] = '\n';
    assert_true(stream_write(end.stream, line, REQUEST_LINE_MAX));
    free(line);
    RUN_UNTIL(&desk.scene, desk.gateway.asked == 1);
    end_free(&desk.scene, &end);
    desk_close(&desk);
}

static void an_answer_too_long_says_so(void **state)
{
    (void)state;
    struct desk desk;
    struct end end = {0};
    desk_open(&desk);
    client_open(&desk, &end);
    say(&end, "{\"id\":1,\"do\":\"a\"}\n");
    RUN_UNTIL(&desk.scene, desk.gateway.asked == 1);
    char *text = malloc(REQUEST_LINE_MAX + 1);
    memset(text, 'a', REQUEST_LINE_MAX);
    text[REQUEST_LINE_MAX] = '\0';
    json_t *result = json_pack("{s:s}", "text", text);
    answer(&desk.gateway, 0, result, NULL);
    json_decref(result);
    free(text);
    hear(&desk, &end, "{\"error\":{\"code\":\"limit\"");
    end_free(&desk.scene, &end);
    desk_close(&desk);
}

static void open_commands_are_bounded_and_reading_waits(void **state)
{
    (void)state;
    struct desk desk;
    struct end end = {0};
    desk_open(&desk);
    client_open(&desk, &end);
    for (unsigned i = 0; i < 100; i++)
        say(&end, "{\"id\":1,\"do\":\"a\"}\n");
    RUN_UNTIL(&desk.scene, desk.gateway.asked >= 64);
    for (unsigned i = 0; i < 10; i++)
        uv_run(&desk.scene.loop, UV_RUN_NOWAIT);
    assert_int_equal(desk.gateway.asked, 64);
    answer(&desk.gateway, 0, NULL, NULL);
    RUN_UNTIL(&desk.scene, desk.gateway.asked == 65);
    for (size_t i = 1; i < 100; i++) {
        RUN_UNTIL(&desk.scene, desk.gateway.asked > i);
        answer(&desk.gateway, i, NULL, NULL);
    }
    RUN_UNTIL(&desk.scene, buffer_size(&end.got) == 100 * strlen("{\"done\":{},\"id\":1}\n"));
    end_free(&desk.scene, &end);
    desk_close(&desk);
}

static void a_client_that_leaves_is_forgotten(void **state)
{
    (void)state;
    struct desk desk;
    struct end end = {0};
    desk_open(&desk);
    client_open(&desk, &end);
    say(&end, "{\"id\":1,\"do\":\"a\"}\n{\"id\":2,\"do\":\"b\"}\n");
    RUN_UNTIL(&desk.scene, desk.gateway.asked == 2);
    end_free(&desk.scene, &end);
    RUN_UNTIL(&desk.scene, desk.gateway.logouts == 1);
    assert_int_equal(desk.gateway.forgotten, 2);
    desk_close(&desk);
}

static void hints_and_more_are_forwarded(void **state)
{
    (void)state;
    struct desk desk;
    struct end end = {0};
    desk_open(&desk);
    client_open(&desk, &end);
    struct gateway_session *session = &desk.gateway.sessions[0];
    json_t *hint = json_pack("{s:{s:i}}", "typing", "conversation", 3);
    session->events->hint(session->arg, hint);
    session->events->more(session->arg);
    json_decref(hint);
    hear(&desk, &end, "{\"hint\":{\"typing\":{\"conversation\":3}}}\n{\"more\":true}\n");
    end_free(&desk.scene, &end);
    desk_close(&desk);
}

static void the_operator_does_not_follow(void **state)
{
    (void)state;
    struct desk desk;
    struct end end = {0};
    desk_open(&desk);
    client_open(&desk, &end);
    say(&end, "{\"id\":1,\"do\":\"follow\",\"after\":0}\n");
    hear(&desk, &end, "{\"error\":{\"code\":\"denied\",\"text\":\"follow is for a session of an account;");
    assert_int_equal(desk.gateway.asked, 0);
    end_free(&desk.scene, &end);
    desk_close(&desk);
}

static void a_slow_client_loses_hints_then_its_connection(void **state)
{
    (void)state;
    struct desk desk;
    struct end end = {0};
    desk_open(&desk);
    client_open(&desk, &end);
    stream_pause(end.stream);
    struct gateway_session *session = &desk.gateway.sessions[0];
    char *text = malloc(100001);
    memset(text, 'a', 100000);
    text[100000] = '\0';
    json_t *large = json_pack("{s:s}", "text", text);
    free(text);
    for (unsigned i = 0; i < 200; i++) {
        session->events->hint(session->arg, large);
        uv_run(&desk.scene.loop, UV_RUN_NOWAIT);
    }
    session->events->more(session->arg);
    assert_int_equal(desk.gateway.logouts, 0);
    stream_resume(end.stream);
    /* The hints that did not fit are lost; `more` is not. */
    while (buffer_size(&end.got) < 14 ||
           memcmp(buffer_view(&end.got).data + buffer_size(&end.got) - 14, "{\"more\":true}\n", 14) != 0)
        uv_run(&desk.scene.loop, UV_RUN_ONCE);
    assert_true(buffer_size(&end.got) < 100 * 100000);

    stream_pause(end.stream);
    for (unsigned i = 0; i < 150 && desk.gateway.logouts == 0; i++) {
        say(&end, "{\"id\":1,\"do\":\"a\"}\n");
        while (desk.gateway.asked <= i && desk.gateway.logouts == 0)
            uv_run(&desk.scene.loop, UV_RUN_ONCE);
        if (desk.gateway.questions[i].done != NULL)
            answer(&desk.gateway, i, large, NULL);
        uv_run(&desk.scene.loop, UV_RUN_NOWAIT);
    }
    RUN_UNTIL(&desk.scene, desk.gateway.logouts == 1);
    json_decref(large);
    end_free(&desk.scene, &end);
    desk_close(&desk);
}

static void an_ended_session_closes_its_connection(void **state)
{
    (void)state;
    struct desk desk;
    struct end end = {0}, open = {0};
    desk_open(&desk);
    client_open(&desk, &end);
    say(&end, "{\"id\":1,\"do\":\"a\"}\n");
    RUN_UNTIL(&desk.scene, desk.gateway.asked == 1);
    struct gateway_session *session = &desk.gateway.sessions[0];
    session->events->ended(session->arg, "shutdown");
    session->used = false;
    desk.gateway.questions[0].done = NULL;
    RUN_UNTIL(&desk.scene, end.closed);
    assert_int_equal(desk.gateway.logouts, 0);
    end_free(&desk.scene, &end);
    client_open(&desk, &open);
    desk_close(&desk);
    assert_int_equal(open.closed, 1);
    buffer_free(&open.got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_carry_the_id),
        cmocka_unit_test(the_number_of_a_command_is_no_argument),
        cmocka_unit_test(malformed_lines_are_answered),
        cmocka_unit_test(a_line_without_end_is_refused),
        cmocka_unit_test(the_longest_line_is_taken),
        cmocka_unit_test(an_answer_too_long_says_so),
        cmocka_unit_test(open_commands_are_bounded_and_reading_waits),
        cmocka_unit_test(a_client_that_leaves_is_forgotten),
        cmocka_unit_test(hints_and_more_are_forwarded),
        cmocka_unit_test(the_operator_does_not_follow),
        cmocka_unit_test(a_slow_client_loses_hints_then_its_connection),
        cmocka_unit_test(an_ended_session_closes_its_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
