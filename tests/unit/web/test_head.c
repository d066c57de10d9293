/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"
#include "web/head.h"

#include <string.h>

static void expect(enum head_kind kind, const char *text)
{
    size_t size = strlen(text);
    enum head_kind got = head_look(bytes_of(text, size));
    if (got != kind)
        fail_msg("%d, not %d: %s", (int)got, (int)kind, text);
    /* What is finished was not before its last byte, and what is bad was never finished. */
    for (size_t i = 0; i < size; i++) {
        got = head_look(bytes_of(text, i));
        if (got != HEAD_UNFINISHED && !(kind == HEAD_BAD && got == HEAD_BAD))
            fail_msg("%d at %zu of: %s", (int)got, i, text);
    }
}

#define WEBSOCKET "Upgrade: websocket\r\nConnection: Upgrade\r\n"

static void test_who_serves_it(void **state)
{
    (void)state;
    expect(HEAD_UNFINISHED, "");
    expect(HEAD_UNFINISHED, "GET / HTTP/1.1\r\nHost: a\r\n");
    expect(HEAD_HTTP, "GET / HTTP/1.1\r\n\r\n");
    expect(HEAD_HTTP, "GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    expect(HEAD_HTTP, "POST /api/1/do HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
    expect(HEAD_WEBSOCKET, "GET /api/1/live HTTP/1.1\r\nHost: a\r\n" WEBSOCKET "\r\n");
    expect(HEAD_WEBSOCKET, "GET / HTTP/1.1\r\nuPGRADE:\t WebSocket \t\r\n\r\n");
    expect(HEAD_WEBSOCKET, "GET / HTTP/1.1\r\nUpgrade:websocket\r\n\r\n");
    expect(HEAD_HTTP, "POST / HTTP/1.1\r\n" WEBSOCKET "\r\n");
    expect(HEAD_HTTP, "GET / HTTP/1.0\r\n" WEBSOCKET "\r\n");
    expect(HEAD_HTTP, "GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n");
    expect(HEAD_HTTP, "GET / HTTP/1.1\r\nUpgrade: websocket, h2c\r\n\r\n");
    expect(HEAD_HTTP, "GET / HTTP/1.1\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n\r\n");
    expect(HEAD_HTTP, "GET / HTTP/1.1\r\nUpgrade:\r\n\r\n");
    expect(HEAD_HTTP, "GET / HTTP/1.1\r\nX-Upgrade: websocket\r\n\r\n");
    expect(HEAD_HTTP, "GET / HTTP/1.1\r\nA: \xc3\xa4\r\n\r\n");
}

static void test_no_http(void **state)
{
    (void)state;
    expect(HEAD_BAD, "\x16\x03\x01");
    expect(HEAD_BAD, "garbage\r\n");
    expect(HEAD_BAD, "PRI * HTTP/2.0\r\n\r\n");
    expect(HEAD_BAD, " GET / HTTP/1.1\r\n\r\n");
    expect(HEAD_BAD, "\r\nGET / HTTP/1.1\r\n\r\n");
    expect(HEAD_BAD, "GET  / HTTP/1.1\r\n\r\n");
    expect(HEAD_BAD, "GET / HTTP/1.1 \r\n\r\n");
    expect(HEAD_BAD, "GET / x HTTP/1.1\r\n\r\n");
    expect(HEAD_BAD, "GET /\tx HTTP/1.1\r\n\r\n");
    expect(HEAD_BAD, "GET / http/1.1\r\n\r\n");
    expect(HEAD_BAD, "GET / HTTP/1.x\r\n\r\n");
    expect(HEAD_BAD, "GET / HTTP/1.\r\n\r\n");
    expect(HEAD_BAD, "GET /\r\n\r\n");
    expect(HEAD_BAD, "GET\r\n\r\n");
    expect(HEAD_BAD, "G(T / HTTP/1.1\r\n\r\n");
    expect(HEAD_BAD, "AMETHODTHATISLONGERTHANANYMETHODTHEREIS / HTTP/1.1\r\n\r\n");
}

/* What two readers could take for different things. */
static void test_fields_are_read_strictly(void **state)
{
    (void)state;
    expect(HEAD_BAD, "GET / HTTP/1.1\n\n");
    expect(HEAD_BAD, "GET / HTTP/1.1\r\nHost: a\n\r\n");
    expect(HEAD_BAD, "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n");
    expect(HEAD_BAD, "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n");
    expect(HEAD_BAD, "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n");
    expect(HEAD_BAD, "GET / HTTP/1.1\r\nHost : a\r\n\r\n");
    expect(HEAD_BAD, "GET / HTTP/1.1\r\nHost\r\n\r\n");
    expect(HEAD_BAD, "GET / HTTP/1.1\r\n: a\r\n\r\n");
    expect(HEAD_BAD, "GET / HTTP/1.1\r\nHost: \x7f\r\n\r\n");
    static const char zero[] = "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n";
    assert_int_equal(head_look(bytes_of(zero, sizeof zero - 1)), HEAD_BAD);
}

/* What follows belongs to whoever serves it. */
static void test_bytes_behind_the_head(void **state)
{
    (void)state;
    assert_int_equal(head_look(bytes_of_string("GET / HTTP/1.1\r\n\r\n\x01\x02")), HEAD_HTTP);
    assert_int_equal(head_look(bytes_of_string("GET / HTTP/1.1\r\n" WEBSOCKET "\r\n\x81\x80")),
                     HEAD_WEBSOCKET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_serves_it),
        cmocka_unit_test(test_no_http),
        cmocka_unit_test(test_fields_are_read_strictly),
        cmocka_unit_test(test_bytes_behind_the_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
