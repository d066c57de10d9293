/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *read_document(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/doc/%s", SOURCE_DIR, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = calloc(1, 1 << 17);
    assert_non_null(text);
    assert_in_range(fread(text, 1, (1 << 17) - 1, file), 100, (1 << 17) - 2);
    fclose(file);
    return text;
}

/* Loads what a file with this text says. */
static struct config *load(const char *text, struct error **error)
{
    char path[] = "/tmp/test_%s_config_XXXXXX"; /* a file's name is no format */
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
    struct config *config = config_load(path, error);
    unlink(path);
    return config;
}

static void name_of(enum config_key key, char section[64], char name[64])
{
    const char *whole = config_name(key), *dot = strchr(whole, '.');
    assert_non_null(dot);
    snprintf(section, 64, "%.*s", (int)(dot - whole), whole);
    snprintf(name, 64, "%s", dot + 1);
}

/* The rest of the only line that begins so, between two places; NULL when there is none. */
static const char *only_line(const char *from, const char *end, const char *beginning)
{
    const char *found = NULL;
    size_t size = strlen(beginning);
    for (const char *line = from; line != NULL && line < end; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, beginning, size) != 0)
            continue;
        assert_null(found);
        found = line + size;
    }
    return found;
}

static const char *after(const char *from, const char *next)
{
    const char *end = strstr(from, next);
    return end != NULL ? end : from + strlen(from);
}

static void key_is_in_example(const char *example, enum config_key key)
{
    char section[64], name[64], heading[80], beginning[80];
    name_of(key, section, name);
    snprintf(heading, sizeof heading, "[%s]\n", section);
    snprintf(beginning, sizeof beginning, "#%s =", name);
    const char *from = only_line(example, example + strlen(example), heading);
    assert_non_null(from);
    const char *value = only_line(from, after(from, "\n["), beginning);
    assert_non_null(value);
    value += *value == ' ';
    size_t size = strcspn(value, "\n");
    bool worked_out = key == CONFIG_NODE_DIRECTORY || key == CONFIG_CONTROL_SOCKET;
    if (worked_out) {
        assert_int_equal(value[0], '/');
    } else {
        assert_int_equal(size, strlen(config_default(key)));
        assert_memory_equal(value, config_default(key), size);
    }
}

static void every_key_is_in_the_example(void **state)
{
    (void)state;
    char *example = read_document("retrogate.conf.example");
    for (int key = 0; key < CONFIG_KEYS; key++)
        key_is_in_example(example, (enum config_key)key);
    free(example);
}

/* As it is, and with every # in front of a key taken away. */
static void the_example_loads_and_changes_nothing(void **state)
{
    (void)state;
    char *example = read_document("retrogate.conf.example"), *to = example;
    struct error *error = NULL;
    struct config *standard = load("", &error), *commented = load(example, &error);
    for (const char *from = example; *from != '\0'; from++) {
        bool starts = from == example || from[-1] == '\n';
        if (!(starts && from[0] == '#' && from[1] != ' '))
            *to++ = *from;
    }
    *to = '\0';
    struct config *plain = load(example, &error);
    assert_null(error);
    for (int key = 0; key < CONFIG_KEYS; key++) {
        const char *text = config_text(standard, (enum config_key)key);
        assert_string_equal(config_text(commented, (enum config_key)key), text);
        if (geteuid() == 0 || config_default((enum config_key)key)[0] != '\0')
            assert_string_equal(config_text(plain, (enum config_key)key), text);
    }
    config_free(standard);
    config_free(commented);
    config_free(plain);
    free(example);
}

static void every_key_is_in_the_manual(void **state)
{
    (void)state;
    char *manual = read_document("retrogate.conf.5");
    for (int key = 0; key < CONFIG_KEYS; key++) {
        char section[64], name[64], heading[80], item[80], standard[160];
        name_of((enum config_key)key, section, name);
        snprintf(heading, sizeof heading, ".Ss %s\n", section);
        snprintf(item, sizeof item, ".It Ic %s\n", name);
        const char *text = config_default((enum config_key)key);
        if (text[0] != '\0')
            snprintf(standard, sizeof standard, "The default is\n.Ql %s .\n", text);
        else if (key == CONFIG_NODE_DIRECTORY || key == CONFIG_CONTROL_SOCKET)
            snprintf(standard, sizeof standard, "The default is\n.Pa ");
        else
            snprintf(standard, sizeof standard, "By default it is empty");
        const char *from = only_line(manual, manual + strlen(manual), heading);
        assert_non_null(from);
        const char *entry = only_line(from, after(from, "\n.El"), item);
        assert_non_null(entry);
        const char *found = strstr(entry, standard), *end = after(entry, "\n.It"),
                   *list = after(entry, "\n.El");
        if (found == NULL || found > (end < list ? end : list))
            fail_msg("%s: the manual does not tell its default", config_name((enum config_key)key));
    }
    free(manual);
}

/* The manual names no key that does not exist. */
static void the_manual_has_no_other_key(void **state)
{
    (void)state;
    char *manual = read_document("retrogate.conf.5");
    size_t items = 0;
    for (const char *at = manual; (at = strstr(at, "\n.It Ic ")) != NULL; at++)
        items++;
    assert_int_equal(items, CONFIG_KEYS);
    free(manual);
}

static void values_are_read(void **state)
{
    (void)state;
    struct error *error = NULL;
    struct config *config = load("; a comment\n[node]\nname = the attic ; another\n"
                                 "listen = 127.0.0.1:1, [::1]:2 10.0.0.1:3\n"
                                 "[irc]\nlisten =\nplain_anywhere=yes\nreplay_lines = 500\n"
                                 "[web]\nnames = attic.example.org, attic\n"
                                 "origins = https://a.example.org http://b:8000 *\nsetup = no\n"
                                 "[mail]\nsubmission_listen_start = 0.0.0.0:587\nmessage_limit = 1\n"
                                 "forward = lmtp:/run/dovecot/lmtp\n",
                                 &error);
    const char *words[8];
    assert_null(error);
    assert_string_equal(config_text(config, CONFIG_NODE_NAME), "the attic");
    assert_int_equal(config_list(config, CONFIG_NODE_LISTEN, words, 8), 3);
    assert_string_equal(words[0], "127.0.0.1:1");
    assert_string_equal(words[1], "[::1]:2");
    assert_string_equal(words[2], "10.0.0.1:3");
    assert_int_equal(config_list(config, CONFIG_NODE_LISTEN, words, 2), 2);
    assert_int_equal(config_list(config, CONFIG_IRC_LISTEN, words, 8), 0);
    assert_true(config_yes(config, CONFIG_IRC_PLAIN_ANYWHERE));
    assert_false(config_yes(config, CONFIG_ACCOUNT_TYPING));
    assert_int_equal(config_number(config, CONFIG_IRC_REPLAY_LINES), 500);
    assert_int_equal(config_number(config, CONFIG_NODE_FORWARD_RATE), 20);
    assert_int_equal(config_list(config, CONFIG_WEB_NAMES, words, 8), 2);
    assert_string_equal(words[1], "attic");
    assert_int_equal(config_list(config, CONFIG_WEB_ORIGINS, words, 8), 3);
    assert_string_equal(words[1], "http://b:8000");
    assert_false(config_yes(config, CONFIG_WEB_SETUP));
    assert_int_equal(config_number(config, CONFIG_WEB_CLIENTS), 1024);
    assert_int_equal(config_list(config, CONFIG_MAIL_SUBMISSION_LISTEN_START, words, 8), 1);
    assert_int_equal(config_number(config, CONFIG_MAIL_MESSAGE_LIMIT), 1);
    assert_string_equal(config_text(config, CONFIG_MAIL_FORWARD), "lmtp:/run/dovecot/lmtp");
    config_free(config);
}

/* Each with what its error must name. */
static void bad_files_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"[node]\nnmae = x\n", "node.nmae"},
        {"[nodes]\nname = x\n", "nodes.name"},
        {"name = x\n", ".name"},
        {"[node]\nname = a\nname = b\n", "node.name is given twice"},
        {"[node]\nthis is no setting\n", ":2:"},
        {"[node\n", ":1:"},
        {"[node]\ndirectory = state\n", "node.directory: expected an absolute path"},
        {"[node]\ndirectory = /123456789/123456789/123456789/123456789/123456789/1234567890\n",
         "longer than 60 bytes"},
        {"[node]\nlisten = localhost:7812\n", "node.listen"},
        {"[node]\nlisten = 127.0.0.1\n", "no port"},
        {"[node]\nannounce = 1.2.3.4:1 1.2.3.4:2 1.2.3.4:3 1.2.3.4:4 1.2.3.4:5 1.2.3.4:6 1.2.3.4:7 "
         "1.2.3.4:8 1.2.3.4:9\n",
         "more than 8 addresses"},
        {"[node]\nforward_rate = 9\n", "from 10 to 100"},
        {"[node]\nforward_rate = 101\n", "from 10 to 100"},
        {"[node]\nforward_rate = 20x\n", "node.forward_rate"},
        {"[node]\nforward_rate = -20\n", "node.forward_rate"},
        {"[node]\nforward_rate =\n", "node.forward_rate"},
        {"[keyring]\nworkers = 3\n", "from 1 to 2"},
        {"[account]\ntyping = true\n", "expected yes or no"},
        {"[control]\nmode = 0666\n", "expected 0600 or 0660"},
        {"[irc]\nclients = 0\n", "irc.clients"},
        {"[irc]\nreplay_lines = 501\n", "from 1 to 500"},
        {"[irc]\nreplay_lines = 99999999999999999999\n", "irc.replay_lines"},
        {"[log]\nlevel = loud\n", "expected error, warn, info or debug"},
        {"[vault]\nkey = somewhere\n", "vault.key"},
        {"[tls]\ncertificate = /etc/ssl/attic.pem\n", "go together"},
        {"[tls]\nkey = /etc/ssl/attic.key\n", "go together"},
        {"[irc]\nlisten = [::1]:1 0.0.0.0:6667\n", "irc.listen: 0.0.0.0:6667 is not loopback"},
        {"[web]\nlisten = 192.0.2.1:8080\n", "web.listen: 192.0.2.1:8080 is not loopback"},
        {"[irc]\nplain_anywhere = yes\n[web]\nlisten = 192.0.2.1:8080\n", "web.plain_anywhere"},
        {"[web]\nnames = chat.example.org https://chat.example.org\n", "web.names: https://chat"},
        {"[web]\nnames = chat.example.org:8443\n", "web.names"},
        {"[web]\nnames = Chat.example.org\n", "small letters"},
        {"[web]\nnames = -x\n", "web.names"},
        {"[web]\nnames = a b c d e f g h i\n", "more than 8 names"},
        {"[web]\norigins = chat.example.org\n", "web.origins"},
        {"[web]\norigins = ftp://chat.example.org\n", "web.origins"},
        {"[web]\norigins = https://\n", "web.origins"},
        {"[web]\norigins = https://chat.example.org/\n", "web.origins"},
        {"[web]\norigins = https://chat.example.org:\n", "web.origins"},
        {"[web]\norigins = https://chat.example.org:123456\n", "web.origins"},
        {"[web]\norigins = https://chat.example.org:44x\n", "web.origins"},
        {"[web]\norigins = null\n", "web.origins"},
        {"[web]\nfiles = web\n", "web.files: expected an absolute path"},
        {"[web]\nsetup = 1\n", "web.setup"},
        {"[mail]\nname = mail\n", "mail.name"},
        {"[mail]\ndomain = Distant.alt\n", "mail.domain"},
        {"[mail]\nsubmission_listen = 0.0.0.0:25\n", "mail.submission_listen_tls"},
        {"[mail]\npop3_listen = 0.0.0.0:110\n", "mail.pop3_listen: 0.0.0.0:110 is not loopback"},
        {"[mail]\nmessage_limit = 36\n", "from 1 to 35"},
        {"[mail]\nmaildir = Maildir\n", "mail.maildir: expected an absolute path"},
        {"[mail]\nforward = mail.example.org\n", "mail.forward: expected smtp://"},
        {"[mail]\nforward = smtp://mail.example.org:25\n", "mail.forward"},
        {"[mail]\nforward = smtps://192.0.2.1\n", "no port"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error *error = NULL;
        assert_null(load(cases[i][0], &error));
        assert_non_null(error);
        assert_non_null(strstr(error->text, "/tmp/test_%s_config_"));
        if (strstr(error->text, cases[i][1]) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", error->text, cases[i][1]);
        error_free(error);
    }
}

static void the_longest_values_are_taken(void **state)
{
    (void)state;
    static const char eight[] =
        "[node]\nannounce = 192.0.2.111:65535 192.0.2.112:65535 192.0.2.113:65535 192.0.2.114:65535 "
        "192.0.2.115:65535 192.0.2.116:65535 192.0.2.117:65535 192.0.2.118:65535\n";
    struct error *error = NULL;
    const char *words[16];
    struct config *config = load(eight, &error);
    assert_null(error);
    assert_int_equal(config_list(config, CONFIG_NODE_ANNOUNCE, words, 16), 8);
    assert_string_equal(words[7], "192.0.2.118:65535");
    config_free(config);
    char line[400] = "[node]\nname = ";
    memset(line + strlen(line), 'x', 300);
    assert_null(load(line, &error));
    assert_non_null(error);
    error_free(error);
}

/* No folder that another user may have made first. */
static void the_control_socket_has_a_place_of_its_own(void **state)
{
    (void)state;
    struct error *error = NULL;
    if (geteuid() == 0)
        skip();
    unsetenv("XDG_RUNTIME_DIR");
    assert_null(load("[node]\nname = x\n", &error));
    assert_non_null(strstr(error->text, "XDG_RUNTIME_DIR"));
    error_free(error);
    error = NULL;
    config_free(load("[control]\nsocket = /nowhere/control.sock\n", &error));
    assert_null(error);
    setenv("XDG_RUNTIME_DIR", "/nowhere", 1);
    struct config *config = load("[node]\nname = x\n", &error);
    assert_null(error);
    assert_string_equal(config_text(config, CONFIG_CONTROL_SOCKET), "/nowhere/retrogate/control.sock");
    config_free(config);
}

static void a_named_file_must_exist(void **state)
{
    (void)state;
    struct error *error = NULL;
    assert_null(config_load("/nonexistent/retrogate.conf", &error));
    assert_int_equal(error->code, ERROR_NOT_FOUND);
    error_free(error);
}

int main(void)
{
    setenv("XDG_RUNTIME_DIR", "/nowhere", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_in_the_example),
        cmocka_unit_test(the_example_loads_and_changes_nothing),
        cmocka_unit_test(every_key_is_in_the_manual),
        cmocka_unit_test(the_manual_has_no_other_key),
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(bad_files_are_refused_by_name),
        cmocka_unit_test(the_longest_values_are_taken),
        cmocka_unit_test(the_control_socket_has_a_place_of_its_own),
        cmocka_unit_test(a_named_file_must_exist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
