/* SPDX-License-Identifier: ISC */
#include <sysexits.h>

#include "control/ctl_upload.h"
#include "sendmail/sendmail.h"
#include "unit/control/test_ctl_desk.h"

/* Runs one command line (words divided by blanks) against a daemon that says what the script says. */
static void play(struct desk *desk, const char *line, struct bytes message, const char *account,
                 const struct exchange *script, size_t count)
{
    char copy[4000], *argv[64];
    int argc = 0;
    size_t log_size = 0;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *at = NULL, *word = strtok_r(copy, " ", &at); word != NULL; word = strtok_r(NULL, " ", &at))
        argv[argc++] = word;
    desk_begin(desk, script, count);
    struct sendmail sendmail = {.in = tmpfile(),
                                .log = open_memstream(&desk->log, &log_size),
                                .socket = desk->name.sun_path,
                                .account = account};
    fwrite(message.data, 1, message.size, sendmail.in);
    rewind(sendmail.in);
    desk->code = sendmail_run(&sendmail, argc, argv);
    fclose(sendmail.in);
    fclose(sendmail.log);
    desk_end(desk);
}

#define RUN(desk, line, message, account, ...)                                                               \
    play(desk, line, bytes_of((const uint8_t *)(message), strlen(message)), account,                         \
         (const struct exchange[]){__VA_ARGS__},                                                             \
         sizeof((const struct exchange[]){__VA_ARGS__}) / sizeof(struct exchange))

#define KNOWN(account, address)                                                                              \
    {                                                                                                        \
        "{'do':'post.address','account':'" account "','address':'" address "'}", "{'done':{'limit':0}}"      \
    }
#define OPENED(account)                                                                                      \
    {                                                                                                        \
        "{'do':'upload.open','account':'" account "'}", "{'done':{'upload':5}}"                              \
    }
#define WRITTEN(data)                                                                                        \
    {                                                                                                        \
        "{'do':'upload.write','account':'a','upload':5,'offset':0,'data':'" data "'}", "{'done':{'size':1}}" \
    }
#define SENT(members)                                                                                        \
    {                                                                                                        \
        "{'do':'post.send','account':'a','upload':5," members "}", "{'done':{'seq':1}}"                      \
    }

static void a_message_becomes_a_post(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message, *data, *members;
    } cases[] = {
        {"bob", "S: x\n\ny\n", "UzogeAoKeQo=", "'to':['bob']"},
        {"-oi -- bob", "S: x\n\ny\n", "UzogeAoKeQo=", "'to':['bob']"},
        /* A line with a single dot ends it, unless told otherwise. */
        {"bob", "S: x\n\ny\n.\nz\n", "UzogeAoKeQo=", "'to':['bob']"},
        {"bob", "S: x\n\ny\n.\r\nz\n", "UzogeAoKeQo=", "'to':['bob']"},
        {"-i bob", "a\n.\nb", "YQouCmI=", "'to':['bob']"},
        {"-bm -oem -odi -v -U -n -FCron -F Cron -B8BITMIME -h 3 -O x=y bob", "S: x\n\ny\n",
         "UzogeAoKeQo=", "'to':['bob']"},
        {"-N success,DELAY -R hdrs -V id bob", "S: x\n\ny\n",
         "UzogeAoKeQo=", "'to':['bob'],'notify':['success','delay'],'returns':'headers','envelope':'id'"},
        {"-N never -Rfull -Vid bob", "S: x\n\ny\n",
         "UzogeAoKeQo=", "'to':['bob'],'notify':[],'returns':'full','envelope':'id'"},
        {"-t", "To: B <bob>\n\ny\n", "VG86IEIgPGJvYj4KCnkK", "'to':['bob']"},
        {"-ti", "Bcc: bob\n\n.\n", "QmNjOiBib2IKCi4K", "'to':['bob']"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char write[400], sent[400];
        struct desk desk;
        snprintf(write, sizeof write, "{'do':'upload.write','account':'a','upload':5,'offset':0,'data':'%s'}",
                 cases[i].data);
        snprintf(sent, sizeof sent, "{'do':'post.send','account':'a','upload':5,%s}", cases[i].members);
        RUN(&desk, cases[i].line, cases[i].message, "a", KNOWN("a", "bob"), OPENED("a"),
            {write, "{'done':{'size':1}}"}, {sent, "{'done':{'seq':1}}"});
        if (desk.code != EX_OK)
            fail_msg("%s: %d, %s", cases[i].line, desk.code, desk.log);
        assert_string_equal(desk.log, "");
        desk_free(&desk);
    }
}

static void recipients_of_header_and_command_line(void **state)
{
    (void)state;
    struct desk desk;
    RUN(&desk, "-t dora", "To: bob, carol@distant.alt\nCc: none:;\n\n", "a", KNOWN("a", "dora"),
        KNOWN("a", "bob"), KNOWN("a", "carol@distant.alt"), OPENED("a"),
        WRITTEN("VG86IGJvYiwgY2Fyb2xAZGlzdGFudC5hbHQKQ2M6IG5vbmU6OwoK"),
        SENT("'to':['dora','bob','carol@distant.alt']"));
    assert_int_equal(desk.code, EX_OK);
    desk_free(&desk);
}

#define ACCOUNTS(list)                                                                                       \
    {                                                                                                        \
        "{'do':'account.list'}", "{'done':{'accounts':[" list "]}}"                                          \
    }
#define OF_A KNOWN("a", "bob"), OPENED("a"), WRITTEN("eQo="), SENT("'to':['bob']")

static void the_sender_names_the_account(void **state)
{
    (void)state;
    struct desk desk;
    static const char *const lines[] = {"-f a bob", "-fa@distant.alt bob", "-r a bob",
                                        "-f A<a@distant.alt> bob"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        RUN(&desk, lines[i], "y\n", "b", ACCOUNTS("{'name':'b'},{'name':'a'}"), OF_A);
        if (desk.code != EX_OK)
            fail_msg("%s: %d, %s", lines[i], desk.code, desk.log);
        desk_free(&desk);
    }
    /* A sender that is no account, as cron and others give: the environment's, or the only one. */
    RUN(&desk, "-f root bob", "y\n", "a", ACCOUNTS("{'name':'b'},{'name':'a'}"), OF_A);
    assert_int_equal(desk.code, EX_OK);
    desk_free(&desk);
    RUN(&desk, "-f <> bob", "y\n", NULL, ACCOUNTS("{'name':'a'}"), OF_A);
    assert_int_equal(desk.code, EX_OK);
    desk_free(&desk);
    RUN(&desk, "bob", "y\n", NULL, ACCOUNTS("{'name':'b'},{'name':'a'}"));
    assert_int_equal(desk.code, EX_USAGE);
    assert_string_equal(desk.log,
                        "retrogate-sendmail: there are 2 accounts; name one with -f or RETROGATE_ACCOUNT\n");
    desk_free(&desk);
}

static void what_is_wrong_has_its_code(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message, *told;
        int code;
    } cases[] = {
        {"", "y\n", "no recipient; name one", EX_USAGE},
        {"-t", "Subject: x\n\ny\n", "the header names no recipient", EX_DATAERR},
        {"-bs", "", "for SMTP connect to retrogated", EX_USAGE},
        {"-bd bob", "", "for SMTP connect to retrogated", EX_USAGE},
        {"-bp", "", "'retrogatectl post list'", EX_USAGE},
        {"-Z bob", "y\n", "-Z is not an option", EX_USAGE},
        {"-N often bob", "y\n", "-N is", EX_USAGE},
        {"-R some bob", "y\n", "-R is", EX_USAGE},
        {"bob -f", "y\n", "needs a value", EX_USAGE},
        {"bob\xff", "y\n", "not UTF-8", EX_USAGE},
        {"bob", "", "the message is empty", EX_NOINPUT},
        {"bob", ".\nx\n", "the message is empty", EX_NOINPUT},
        {"bob", "y\n", "is retrogated running?", EX_TEMPFAIL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct desk desk;
        play(&desk, cases[i].line, bytes_of((const uint8_t *)cases[i].message, strlen(cases[i].message)), "a",
             NULL, 0);
        assert_holds(desk.log, cases[i].told);
        if (desk.code != cases[i].code)
            fail_msg("%s: %d, %s", cases[i].line, desk.code, desk.log);
        desk_free(&desk);
    }
}

static void a_refusal_has_its_code(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        int code;
    } cases[] = {{"invalid", EX_DATAERR},      {"exists", EX_DATAERR},   {"denied", EX_NOPERM},
                 {"limit", EX_DATAERR},        {"locked", EX_TEMPFAIL},  {"expired", EX_UNAVAILABLE},
                 {"unavailable", EX_TEMPFAIL}, {"internal", EX_SOFTWARE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct desk desk;
        char answer[100];
        snprintf(answer, sizeof answer, "{'error':{'code':'%s','text':'no'}}", cases[i].word);
        RUN(&desk, "bob", "y\n", "a", KNOWN("a", "bob"), OPENED("a"), WRITTEN("eQo="),
            {"{'do':'post.send','account':'a','upload':5,'to':['bob']}", answer});
        assert_int_equal(desk.code, cases[i].code);
        assert_string_equal(desk.log, "retrogate-sendmail: no\n");
        desk_free(&desk);
    }
    struct desk desk;
    RUN(&desk, "bob root", "y\n", "a", KNOWN("a", "bob"),
        {"{'do':'post.address','account':'a','address':'root'}",
         "{'error':{'code':'not-found','text':'nobody has this address'}}"});
    assert_int_equal(desk.code, EX_NOUSER);
    assert_holds(desk.log, "nobody has this address\n");
    assert_holds(desk.log, "'root' is no recipient, so nothing was sent");
    desk_free(&desk);
    /* The daemon goes in the middle of it. */
    RUN(&desk, "bob", "y\n", "a", KNOWN("a", "bob"), OPENED("a"));
    assert_int_equal(desk.code, EX_TEMPFAIL);
    desk_free(&desk);
}

/* Each piece is a command of its own, behind the one before. */
static void large_ones_go_in_pieces(void **state)
{
    (void)state;
    enum { SIZE = CTL_PIECE + 3 };
    static uint8_t message[SIZE];
    struct desk desk;
    for (size_t i = 0; i < SIZE; i++)
        message[i] = i % 60 == 59 ? '\n' : 'x';
    message[SIZE - 1] = message[SIZE - 2] = message[SIZE - 3] = 'y';
    const struct exchange script[] = {
        KNOWN("a", "bob"),
        OPENED("a"),
        {NULL, "{'done':{'size':1}}"},
        {"{'do':'upload.write','account':'a','upload':5,'offset':393216,'data':'eXl5'}",
         "{'done':{'size':1}}"},
        SENT("'to':['bob']"),
    };
    play(&desk, "bob", bytes_of(message, SIZE), "a", script, sizeof script / sizeof *script);
    assert_int_equal(desk.code, EX_OK);
    desk_free(&desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_becomes_a_post),
        cmocka_unit_test(recipients_of_header_and_command_line),
        cmocka_unit_test(the_sender_names_the_account),
        cmocka_unit_test(what_is_wrong_has_its_code),
        cmocka_unit_test(a_refusal_has_its_code),
        cmocka_unit_test(large_ones_go_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
