/* SPDX-License-Identifier: ISC */
#include "base/stream_internal.h"
#include "test_stream_ends.h"

/* Everything here runs in plain, over TLS 1.2 and over TLS 1.3. */
static int version_of(void **state)
{
    return *(int *)*state;
}

static void megabytes_go_both_ways(void **state)
{
    struct scene scene;
    scene_open(&scene, version_of(state));
    enum { SIZE = 6 << 20 };
    struct end a = {.on_ready = end_send_pattern, .on_drained = end_send_pattern, .to_send = SIZE}, b = a;
    ends_open(&scene, &a, &b);
    RUN_UNTIL(&scene, buffer_size(&a.got) >= SIZE && buffer_size(&b.got) >= SIZE);
    assert_int_equal(buffer_size(&a.got), SIZE);
    assert_int_equal(buffer_size(&b.got), SIZE);
    assert_pattern(buffer_view(&a.got));
    assert_pattern(buffer_view(&b.got));
    assert_true(a.drained > 0 && b.drained > 0);
    assert_int_equal(a.ready, 1);
    assert_int_equal(stream_bytes_in(a.stream), SIZE);
    assert_int_equal(stream_bytes_out(a.stream), SIZE);
    end_free(&scene, &a);
    end_free(&scene, &b);
    scene_close(&scene);
}

static void echo(struct end *end, struct buffer *input)
{
    struct bytes view = buffer_view(input);
    assert_true(stream_write(end->stream, view.data, view.size));
    buffer_consume(input, view.size);
}

static void send_now(struct end *end)
{
    end_send_pattern(end);
}

static void many_streams_echo_and_hold_no_memory_when_idle(void **state)
{
    enum { PAIRS = 100, SIZE = 30000 };
    struct scene scene;
    scene_open(&scene, version_of(state));
    struct end *ends = calloc(2 * PAIRS, sizeof *ends);
    for (size_t i = 0; i < PAIRS; i++) {
        ends[2 * i] = (struct end){.on_ready = send_now, .to_send = SIZE};
        ends[2 * i + 1] = (struct end){.on_data = echo};
        ends_open(&scene, &ends[2 * i], &ends[2 * i + 1]);
    }
    for (size_t i = 0; i < PAIRS; i++) {
        RUN_UNTIL(&scene, buffer_size(&ends[2 * i].got) >= SIZE);
        assert_pattern(buffer_view(&ends[2 * i].got));
    }
    for (size_t i = 0; i < 2 * PAIRS; i++) {
        assert_null(ends[i].stream->input.memory);
        assert_null(ends[i].stream->output.memory);
    }
    for (size_t i = 0; i < 2 * PAIRS; i++)
        end_free(&scene, &ends[i]);
    free(ends);
    scene_close(&scene);
}

static void what_is_left_is_given_again_with_more(void **state)
{
    struct scene scene;
    scene_open(&scene, version_of(state));
    struct end a = {.keep = true}, b = {0};
    ends_open(&scene, &a, &b);
    stream_write(b.stream, "one", 3);
    RUN_UNTIL(&scene, a.datas == 1);
    stream_write(b.stream, "two", 3);
    a.keep = false;
    RUN_UNTIL(&scene, a.datas == 2);
    assert_bytes_equal(buffer_view(&a.got), bytes_of_string("onetwo"));
    end_free(&scene, &a);
    end_free(&scene, &b);
    scene_close(&scene);
}

static void a_full_input_closes(void **state)
{
    struct scene scene;
    scene_open(&scene, version_of(state));
    scene.options.input_limit = 1000;
    struct end a = {.keep = true}, b = {.on_ready = send_now, .to_send = 5000};
    ends_open(&scene, &a, &b);
    RUN_UNTIL(&scene, a.closed && b.closed);
    assert_string_equal(a.reason, "input limit");
    end_free(&scene, &a);
    end_free(&scene, &b);
    scene_close(&scene);
}

static void a_slow_reader_is_dropped_and_the_others_go_on(void **state)
{
    struct scene scene;
    scene_open(&scene, version_of(state));
    struct end slow = {0}, writer = {0}, c = {.on_ready = send_now, .to_send = 50000}, d = {.on_data = echo};
    ends_open(&scene, &slow, &writer);
    RUN_UNTIL(&scene, slow.ready && writer.ready);
    stream_pause(slow.stream);
    ends_open(&scene, &c, &d);
    static const uint8_t zeros[8192];
    while (writer.closed == 0) {
        if (writer.stream != NULL)
            stream_write(writer.stream, zeros, sizeof zeros);
        uv_run(&scene.loop, UV_RUN_NOWAIT);
    }
    assert_string_equal(writer.reason, "output limit");
    RUN_UNTIL(&scene, buffer_size(&c.got) >= 50000);
    assert_pattern(buffer_view(&c.got));
    struct end *all[] = {&slow, &writer, &c, &d};
    for (size_t i = 0; i < 4; i++)
        end_free(&scene, all[i]);
    scene_close(&scene);
}

static void close_sends_what_is_queued(void **state)
{
    struct scene scene;
    scene_open(&scene, version_of(state));
    enum { SIZE = 900000 };
    struct end a = {.to_send = SIZE}, b = {0};
    ends_open(&scene, &a, &b);
    RUN_UNTIL(&scene, a.ready && b.ready);
    /* What b says and a never reads must not destroy what is on its way to b. */
    stream_pause(a.stream);
    stream_write(b.stream, "unread", 6);
    end_send_pattern(&a);
    assert_true(a.finished);
    stream_close(a.stream, "bye");
    assert_false(stream_write(a.stream, "late", 4));
    stream_close(a.stream, "again");
    assert_int_equal(a.closed, 0);
    RUN_UNTIL(&scene, a.closed && b.closed);
    assert_string_equal(a.reason, "bye");
    assert_string_equal(b.reason, "closed by peer");
    assert_int_equal(buffer_size(&b.got), SIZE);
    assert_pattern(buffer_view(&b.got));
    end_free(&scene, &a);
    end_free(&scene, &b);
    scene_close(&scene);
}

static void abort_now(struct end *end)
{
    stream_abort(end->stream, "first");
    stream_abort(end->stream, "second");
    stream_close(end->stream, "third");
    assert_false(stream_write(end->stream, "x", 1));
    stream_pause(end->stream);
    stream_resume(end->stream);
    assert_int_equal(end->closed, 0);
}

static void abort_in_data(struct end *end, struct buffer *input)
{
    (void)input;
    abort_now(end);
}

static void abort_works_in_every_callback(void **state)
{
    struct scene scene;
    scene_open(&scene, version_of(state));
    struct end cases[] = {
        {.on_ready = abort_now},
        {.on_data = abort_in_data},
        {.on_ready = send_now, .to_send = 1000000, .on_drained = abort_now},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct end b = {.on_ready = send_now, .to_send = 100};
        ends_open(&scene, &cases[i], &b);
        RUN_UNTIL(&scene, cases[i].closed && b.closed);
        assert_string_equal(cases[i].reason, "first");
        end_free(&scene, &cases[i]);
        end_free(&scene, &b);
    }
    scene_close(&scene);
}

static void pause_now(struct end *end, struct buffer *input)
{
    (void)input;
    stream_pause(end->stream);
}

static void a_paused_stream_hears_all_before_the_end(void **state)
{
    struct scene scene;
    scene_open(&scene, version_of(state));
    struct end a = {.on_data = pause_now}, b = {0};
    ends_open(&scene, &a, &b);
    stream_write(b.stream, "last words", 10);
    stream_close(b.stream, "bye");
    RUN_UNTIL(&scene, a.datas == 1);
    for (unsigned i = 0; i < 10; i++)
        uv_run(&scene.loop, UV_RUN_NOWAIT);
    assert_int_equal(a.closed, 0);
    a.on_data = NULL;
    stream_resume(a.stream);
    RUN_UNTIL(&scene, a.closed && b.closed);
    assert_bytes_equal(buffer_view(&a.got), bytes_of_string("last words"));
    assert_string_equal(a.reason, "closed by peer");
    end_free(&scene, &a);
    end_free(&scene, &b);
    scene_close(&scene);
}

/* Who holds its reading until what it wrote has left learns that nothing will leave any more. */
static void a_paused_stream_that_cannot_write_drains(void **state)
{
    struct scene scene;
    scene_open(&scene, version_of(state));
    struct end a = {.to_send = 900000}, b = {0};
    ends_open(&scene, &a, &b);
    RUN_UNTIL(&scene, a.ready && b.ready);
    stream_pause(a.stream);
    stream_pause(b.stream);
    stream_write(a.stream, "unread", 6);
    RUN_UNTIL(&scene, stream_queued(a.stream) == 0);
    stream_abort(b.stream, "gone");
    RUN_UNTIL(&scene, b.closed);
    end_send_pattern(&a);
    RUN_UNTIL(&scene, a.drained == 1);
    assert_true(stream_failed(a.stream));
    assert_int_equal(stream_queued(a.stream), 0);
    assert_int_equal(a.closed, 0);
    stream_resume(a.stream);
    RUN_UNTIL(&scene, a.closed);
    end_free(&scene, &a);
    end_free(&scene, &b);
    scene_close(&scene);
}

static void a_reset_is_told(void **state)
{
    struct scene scene;
    scene_open(&scene, version_of(state));
    int fds[2];
    tcp_pair(fds);
    struct end a = {0};
    end_open(&scene, &a, fds[0], false);
    setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    uv_run(&scene.loop, UV_RUN_NOWAIT);
    close(fds[1]);
    RUN_UNTIL(&scene, a.closed);
    assert_non_null(strstr(a.reason, "connection reset by peer"));
    end_free(&scene, &a);
    scene_close(&scene);
}

static void want_less(struct end *end)
{
    stream_set_low_water(end->stream, 10);
    stream_write(end->stream, "0123456789", 10);
}

static void drained_follows_the_low_water_mark(void **state)
{
    struct scene scene;
    scene_open(&scene, version_of(state));
    struct end a = {.on_ready = want_less}, b = {0};
    ends_open(&scene, &a, &b);
    RUN_UNTIL(&scene, a.drained == 1);
    stream_write(a.stream, "012345678", 9);
    assert_int_equal(stream_queued(a.stream), 9);
    RUN_UNTIL(&scene, buffer_size(&b.got) == 19);
    assert_int_equal(a.drained, 1);
    end_free(&scene, &a);
    end_free(&scene, &b);
    scene_close(&scene);
}

int main(void)
{
    static const struct {
        const char *name;
        CMUnitTestFunction run;
    } tests[] = {
#define TEST(name) {#name, name}
        TEST(megabytes_go_both_ways),
        TEST(many_streams_echo_and_hold_no_memory_when_idle),
        TEST(what_is_left_is_given_again_with_more),
        TEST(a_full_input_closes),
        TEST(a_slow_reader_is_dropped_and_the_others_go_on),
        TEST(close_sends_what_is_queued),
        TEST(abort_works_in_every_callback),
        TEST(a_paused_stream_hears_all_before_the_end),
        TEST(a_paused_stream_that_cannot_write_drains),
        TEST(a_reset_is_told),
        TEST(drained_follows_the_low_water_mark),
    };
    enum { TESTS = sizeof tests / sizeof *tests };
    static const struct {
        const char *name;
        int version;
    } layers[] = {{"plain", 0}, {"TLS 1.2", TLS1_2_VERSION}, {"TLS 1.3", TLS1_3_VERSION}};
    int failed = 0;
    for (size_t layer = 0; layer < sizeof layers / sizeof *layers; layer++) {
        int version = layers[layer].version;
        struct CMUnitTest group[TESTS];
        for (size_t i = 0; i < TESTS; i++)
            group[i] = (struct CMUnitTest){
                .name = tests[i].name, .test_func = tests[i].run, .initial_state = &version};
        failed += _cmocka_run_group_tests(layers[layer].name, group, TESTS, NULL, NULL);
    }
    return failed;
}
