/* SPDX-License-Identifier: ISC */
#include "control/ctl_input.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "support/vectors.h"

/* Runs the asking in a child that has a terminal of its own, and types into it. */
struct terminal {
    int fd;
    pid_t child;
    char shown[1000];
    size_t size;
};

static void terminal_open(struct terminal *terminal)
{
    *terminal = (struct terminal){.fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    assert_true(terminal->fd >= 0);
    assert_int_equal(grantpt(terminal->fd), 0);
    assert_int_equal(unlockpt(terminal->fd), 0);
    terminal->child = fork();
    if (terminal->child != 0)
        return;
    struct error *error = NULL;
    setsid();
    int own = open(ptsname(terminal->fd), O_RDWR);
    ioctl(own, TIOCSCTTY, 0);
    char *secret = ctl_input_new_secret("Question: ", &error);
    struct termios after;
    bool echo = tcgetattr(own, &after) == 0 && (after.c_lflag & ECHO) != 0 && (after.c_lflag & ISIG) != 0;
    int code = !echo ? 9 : secret == NULL ? (int)error->code + 10 : strcmp(secret, "hidden") == 0 ? 0 : 1;
    ctl_input_secret_free(secret);
    error_free(error);
    _exit(code);
}

/* Waits for the text behind what was shown before, then types. */
static void when_shown(struct terminal *terminal, const char *text, const char *keys)
{
    while (strstr(terminal->shown, text) == NULL) {
        assert_true(terminal->size + 1 < sizeof terminal->shown);
        ssize_t got =
            read(terminal->fd, terminal->shown + terminal->size, sizeof terminal->shown - 1 - terminal->size);
        assert_true(got > 0);
        terminal->size += (size_t)got;
        terminal->shown[terminal->size] = '\0';
    }
    assert_null(strstr(terminal->shown, "hidden"));
    terminal->size = 0;
    memset(terminal->shown, 0, sizeof terminal->shown);
    assert_int_equal(write(terminal->fd, keys, strlen(keys)), strlen(keys));
}

static int terminal_close(struct terminal *terminal)
{
    int status = 0;
    char rest[1000];
    ssize_t got = 0;
    while ((got = read(terminal->fd, rest, sizeof rest)) > 0)
        assert_null(memmem(rest, (size_t)got, "hidden", 6));
    assert_int_equal(waitpid(terminal->child, &status, 0), terminal->child);
    close(terminal->fd);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_password_is_not_shown(void **state)
{
    (void)state;
    struct terminal terminal;
    terminal_open(&terminal);
    when_shown(&terminal, "Question: ", "hidden\n");
    when_shown(&terminal, "Once more: ", "hidden\n");
    assert_int_equal(terminal_close(&terminal), 0);
}

static void two_that_differ_are_asked_again(void **state)
{
    (void)state;
    struct terminal terminal;
    terminal_open(&terminal);
    when_shown(&terminal, "Question: ", "hidden\n");
    when_shown(&terminal, "Once more: ", "hiden\n");
    when_shown(&terminal, "Question: ", "hidden\n");
    when_shown(&terminal, "Once more: ", "hidden\n");
    assert_int_equal(terminal_close(&terminal), 0);
}

static void nothing_is_asked_once(void **state)
{
    (void)state;
    struct terminal terminal;
    terminal_open(&terminal);
    when_shown(&terminal, "Question: ", "\n");
    assert_int_equal(terminal_close(&terminal), 1);
}

static void an_interrupt_ends_and_puts_the_terminal_right(void **state)
{
    (void)state;
    struct terminal terminal;
    terminal_open(&terminal);
    when_shown(&terminal, "Question: ", "hid\003");
    assert_int_equal(terminal_close(&terminal), 10 + ERROR_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_is_not_shown),
        cmocka_unit_test(two_that_differ_are_asked_again),
        cmocka_unit_test(nothing_is_asked_once),
        cmocka_unit_test(an_interrupt_ends_and_puts_the_terminal_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
