/* SPDX-License-Identifier: ISC */
#include "test_ctl_desk.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

enum { NOBODY = 65534 };

struct home {
    char path[200], config[300], state[300];
};

/* A home of somebody who is not root, also when root runs the test. */
static void home_open(struct home *home)
{
    const char *base = getenv("TMPDIR");
    snprintf(home->path, sizeof home->path, "%s/retrogate-XXXXXX", base != NULL ? base : P_tmpdir);
    assert_non_null(mkdtemp(home->path));
    snprintf(home->config, sizeof home->config, "%s/.config/retrogate/retrogate.conf", home->path);
    snprintf(home->state, sizeof home->state, "%s/.local/state/retrogate", home->path);
    setenv("HOME", home->path, 1);
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("XDG_STATE_HOME");
    if (getuid() == 0) {
        assert_int_equal(chown(home->path, NOBODY, NOBODY), 0);
        assert_int_equal(seteuid(NOBODY), 0);
    }
}

static void home_close(struct home *home)
{
    static const char *const parts[] = {"/.config/retrogate", "/.config", "/.local/state/retrogate",
                                        "/.local/state",      "/.local",  ""};
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    unlink(home->config);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char part[300];
        snprintf(part, sizeof part, "%s%s", home->path, parts[i]);
        rmdir(part);
    }
    assert_int_not_equal(access(home->path, F_OK), 0);
}

static struct desk run_init(const char *line, const char *input)
{
    struct desk desk = {0};
    desk_run_account(&desk, line, input, NULL);
    return desk;
}

static void init_writes_a_configuration_once(void **state)
{
    (void)state;
    struct home home;
    struct stat status;
    char text[100000] = "";
    home_open(&home);
    struct desk desk = run_init("init", "my gate\n");
    assert_string_equal(desk.log + strlen(desk.log) - 3, "]: ");
    assert_int_equal(desk.code, CTL_DONE);
    assert_holds(desk.out, home.config);
    assert_holds(desk.out, "retrogatectl account add");
    desk_free(&desk);
    assert_int_equal(stat(home.config, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(stat(home.state, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    FILE *file = fopen(home.config, "r");
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_holds(text, "\nname = my gate\n");
    assert_holds(text, "[node]");

    desk = run_init("init --yes --name other", "");
    assert_int_equal(desk.code, CTL_REFUSED);
    assert_holds(desk.log, "exists; remove it first, or edit it");
    desk_free(&desk);
    home_close(&home);
}

static void init_refuses_bad_names_and_silence(void **state)
{
    (void)state;
    static const char *const inputs[] = {
        "a;b\n", "a#b\n", "a\033b\n",
        "0123456789012345678901234567890123456789012345678901234567890123456789\n"};
    struct home home;
    home_open(&home);
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        struct desk desk = run_init("init", inputs[i]);
        assert_int_equal(desk.code, CTL_REFUSED);
        assert_holds(desk.log, "the node's name has");
        desk_free(&desk);
    }
    struct desk desk = run_init("init", "");
    assert_int_equal(desk.code, CTL_REFUSED);
    assert_holds(desk.log, "nothing was written");
    desk_free(&desk);
    assert_int_not_equal(access(home.config, F_OK), 0);
    home_close(&home);
}

static void version_needs_no_daemon(void **state)
{
    (void)state;
    struct desk desk = {0};
    snprintf(desk.name.sun_path, sizeof desk.name.sun_path, "/nonexistent/socket");
    desk_run_account(&desk, "version", "", NULL);
    assert_int_equal(desk.code, CTL_DONE);
    assert_string_equal(desk.out, "retrogatectl " RETROGATE_VERSION "\ndaemon: not reached\n");
    desk_free(&desk);
    PLAY(&desk, "version", "", {"{'do':'hello'}", "{'done':{'software':'retrogate 9'}}"});
    assert_string_equal(desk.out, "retrogatectl " RETROGATE_VERSION "\ndaemon: retrogate 9\n");
    desk_free(&desk);
}

/* Stands for the daemon: says how it was called. */
static void config_check_asks_the_daemon(void **state)
{
    (void)state;
    struct desk desk = {0};
    char folder[200], program[300], path[PATH_MAX];
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/retrogate-XXXXXX", base != NULL ? base : P_tmpdir);
    assert_non_null(mkdtemp(folder));
    snprintf(program, sizeof program, "%s/retrogated", folder);
    int fd = open(program, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    static const char script[] = "#!/bin/sh\ntest \"$*\" = \"--check-config -c some.conf\"\n";
    assert_int_equal(write(fd, script, sizeof script - 1), sizeof script - 1);
    close(fd);
    snprintf(path, sizeof path, "%s:%s", folder, getenv("PATH"));
    setenv("PATH", path, 1);
    desk_run_account(&desk, "config check some.conf", "", NULL);
    assert_int_equal(desk.code, CTL_DONE);
    desk_free(&desk);
    desk_run_account(&desk, "config check other.conf", "", NULL);
    assert_int_equal(desk.code, CTL_REFUSED);
    desk_free(&desk);
    unlink(program);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_writes_a_configuration_once),
        cmocka_unit_test(init_refuses_bad_names_and_silence),
        cmocka_unit_test(version_needs_no_daemon),
        cmocka_unit_test(config_check_asks_the_daemon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
