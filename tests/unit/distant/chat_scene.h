/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TESTS_DISTANT_CHAT_SCENE_H
#define RETROGATE_TESTS_DISTANT_CHAT_SCENE_H

#include "chat_test.h"

/* One chat that the tests of a program share, made anew for each, as guest or as inviter. */

enum { FIRST = 11, SECOND = 12 };

static struct end end;

static inline int guest(void **state)
{
    (void)state;
    end_open(&end, CHAT_GUEST, 9);
    return 0;
}

static inline int inviter(void **state)
{
    (void)state;
    end_open(&end, CHAT_INVITER, 9);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    end_free(&end);
    return 0;
}

static inline void assert_state(enum chat_state expected, const char *part_of_reason)
{
    const char *reason;
    assert_int_equal(chat_state(end.chat, &reason), expected);
    if (strstr(reason, part_of_reason) == NULL)
        fail_msg("reason is \"%s\"", reason);
}

static inline void open_now(void)
{
    chat_open(end.chat, end.now, end_wall(&end));
    end_take(&end);
}

static inline void close_now(void)
{
    chat_close(end.chat, end.now, end_wall(&end));
    end_take(&end);
}

static inline void dug(uint32_t reached)
{
    chat_dug(end.chat, reached, end.now);
    end_take(&end);
}

static inline void assert_delivery(size_t n, uint64_t line, enum chat_delivery delivery)
{
    struct seen *seen = end_find(&end, CHAT_DELIVERY, n);
    assert_int_equal(seen->value.line, line);
    assert_int_equal(seen->value.delivery, delivery);
}

#define AS_GUEST(name)   cmocka_unit_test_setup_teardown(name, guest, teardown)
#define AS_INVITER(name) cmocka_unit_test_setup_teardown(name, inviter, teardown)

#endif
