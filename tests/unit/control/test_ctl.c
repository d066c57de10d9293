/* SPDX-License-Identifier: ISC */
#include "test_ctl_desk.h"

#include "control/ctl_args.h"

static void verbs_become_commands(void **state)
{
    (void)state;
    static const struct {
        const char *line, *input;
        struct exchange exchange;
    } cases[] = {
        {"status", "", {"{'do':'status'}", "{'done':{'name':'gate'}}"}},
        {"friend add - --address 192.0.2.1:1 --address=[::1]:2 --name bob",
         "CERT\nMORE\n",
         {"{'do':'friend.add','text':'CERT\\nMORE','addresses':['192.0.2.1:1','[::1]:2'],'name':'bob'}",
          "{'done':{}}"}},
        {"friend add -",
         "fingerprint  12\n\nshort invite:\nABC\n\ncertificate:\nCERT\nMORE\n",
         {"{'do':'friend.add','text':'CERT\\nMORE'}", "{'done':{}}"}},
        {"--account alice invite open -",
         "id  1\n\nlink:\nretroshare://private_chat?a=b\n\nGive the link\n",
         {"{'do':'invite.open','link':'retroshare://private_chat?a=b','account':'alice'}", "{'done':{}}"}},
        {"search the blue -- --house --account a",
         "",
         {"{'do':'search','text':'the blue --house --account a','account':'me'}", "{'done':{'lines':[]}}"}},
        {"app-password new phone --idle 30d --account a",
         "",
         {"{'do':'app_password.new','label':'phone','idle':2592000,'account':'a'}", "{'done':{}}"}},
        {"friend show 0123", "", {"{'do':'friend.show','friend':'0123'}", "{'done':{}}"}},
        {"contact show 12 --account alice",
         "",
         {"{'do':'contact.show','contact':12,'account':'alice'}", "{'done':{}}"}},
        {"--account alice contact show 12ab",
         "",
         {"{'do':'contact.show','contact':'12ab','account':'alice'}", "{'done':{}}"}},
        {"contact show ABCDEF0123456789ABCDEF0123456789ABCDEF01 --account=a",
         "",
         {"{'do':'contact.show','contact':'ABCDEF0123456789ABCDEF0123456789ABCDEF01','account':'a'}",
          "{'done':{}}"}},
        {"account set alice --typing off --operator on --avatar /dev/null",
         "",
         {"{'do':'account.set','account':'alice','typing':false,'operator':true,'avatar':''}",
          "{'done':{}}"}},
        {"account add alice --password-file - --operator",
         "pass word\nsecond line\n",
         {"{'do':'account.add','name':'alice','operator':true,'password':'pass word'}", "{'done':{}}"}},
        {"account remove alice",
         "alice\n",
         {"{'do':'account.remove','account':'alice','sure':true}", "{'done':{}}"}},
        {"account remove alice --yes",
         "",
         {"{'do':'account.remove','account':'alice','sure':true}", "{'done':{}}"}},
        {"account password a --password-file -",
         "pw",
         {"{'do':'account.password','account':'a','password':'pw'}", "{'done':{}}"}},
        {"unlock --key-file -", "00ff\n", {"{'do':'unlock','vault_key':'00ff'}", "{'done':{}}"}},
        {"invite new bob --valid 7d --uses -1 --account a",
         "",
         {"{'do':'invite.new','contact':'bob','valid':604800,'uses':-1,'account':'a'}", "{'done':{}}"}},
        {"invite new bob --protection sealed --account a",
         "",
         {"{'do':'invite.new','contact':'bob','protection':'sealed','account':'a'}", "{'done':{}}"}},
        {"conversation lower bob --account a",
         "classic\n",
         {"{'do':'conversation.lower','conversation':'bob','sure':true,'account':'a'}", "{'done':{}}"}},
        {"conversation lower 3 --yes --account a",
         "",
         {"{'do':'conversation.lower','conversation':3,'sure':true,'account':'a'}", "{'done':{}}"}},
        {"invite open retroshare://x --account a",
         "",
         {"{'do':'invite.open','link':'retroshare://x','account':'a'}", "{'done':{}}"}},
        {"say bob hello -- --there - --account a",
         "",
         {"{'do':'say','conversation':'bob','text':'hello --there - --account a','account':'me'}",
          "{'done':{'seq':4}}"}},
        {"say 3 - --account a",
         "many\nlines\n",
         {"{'do':'say','conversation':3,'text':'many\\nlines','account':'a'}", "{'done':{'seq':4}}"}},
        {"history bob --before 9 --max 2 --account a",
         "",
         {"{'do':'history','conversation':'bob','before':9,'max':2,'account':'a'}", "{'done':{'lines':[]}}"}},
        {"app-password new my-phone --scope irc --account a",
         "",
         {"{'do':'app_password.new','label':'my-phone','scope':'irc','account':'a'}", "{'done':{}}"}},
        {"app-password revoke 3 --account a",
         "",
         {"{'do':'app_password.revoke','app_password':3,'account':'a'}", "{'done':{}}"}},
    };
    setenv("RETROGATE_ACCOUNT", "me", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct desk desk;
        desk_play(&desk, cases[i].line, cases[i].input, &cases[i].exchange, 1);
        if (desk.code != CTL_DONE)
            fail_msg("%s: %s", cases[i].line, desk.log);
        desk_free(&desk);
    }
    unsetenv("RETROGATE_ACCOUNT");
}

static void the_page_is_told(void **state)
{
    (void)state;
    static const struct {
        struct exchange exchange;
        const char *out;
    } cases[] = {
        {{"{'do':'status'}", "{'done':{'listening':{'web':['http://127.0.0.1:8080/','https://a:8443/']}}}"},
         "http://127.0.0.1:8080/\nhttps://a:8443/\n"},
        {{"{'do':'status'}", "{'done':{'listening':{'web':[]}}}"},
         "no page is served; see web.listen in retrogate.conf(5)\n"},
        {{"{'do':'status'}",
          "{'done':{'listening':{'web':['http://127.0.0.1:8080/'],'setup':'http://127.0.0.1:8080/#x'}}}"},
         "http://127.0.0.1:8080/\n\nThere is no account yet. Who opens this link makes the first one, an "
         "operator; give it to nobody else:\nhttp://127.0.0.1:8080/#x\n"},
        /* The bridge may not know yet of an account that came by another door. */
        {{"{'do':'status'}", "{'done':{'accounts':1,'listening':{'web':['http://127.0.0.1:8080/"
                             "'],'setup':'http://127.0.0.1:8080/#x'}}}"},
         "http://127.0.0.1:8080/\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct desk desk;
        desk_play(&desk, "web", "", &cases[i].exchange, 1);
        assert_int_equal(desk.code, CTL_DONE);
        assert_string_equal(desk.out, cases[i].out);
        desk_free(&desk);
    }
}

static void misuse_is_told_without_the_daemon(void **state)
{
    (void)state;
    static const char *const lines[][2] = {
        {"", "usage: retrogatectl"},
        {"dance", "there is no verb 'dance'"},
        {"friend", "friend add"},
        {"friend lst", "there is no verb 'friend lst'"},
        {"friend add", "CERTIFICATE is missing"},
        {"friend list more", "'more' is too much"},
        {"friend show a b", "'b' is too much"},
        {"friend list --qr", "--qr is not an option of 'friend list'"},
        {"friend set bob --name", "--name needs a value"},
        {"friend set bob --name a --name b", "--name is given twice"},
        {"friend self --qr=yes", "--qr takes no value"},
        {"--wrong status", "--wrong is not an option"},
        {"status --account", "--account needs a value"},
        {"invite revoke four --account a", "ID is a number"},
        {"invite revoke 99999999999999999999 --account a", "ID is a number"},
        {"invite new bob --valid soon --account a", "--valid is a time like"},
        {"invite new bob --valid -1d --account a", "--valid is a time like"},
        {"account set a --typing maybe", "--typing is on or off"},
        {"contact add @/nonexistent/key --account a", "cannot read /nonexistent/key: No such file"},
        {"contact add - --account a", "the text is empty"},
        {"contact set bob --handle \xff --account a", "--handle is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct desk desk;
        desk_play(&desk, lines[i][0], "", NULL, 0);
        if (desk.code != CTL_USAGE)
            fail_msg("'%s' gives %d", lines[i][0], desk.code);
        assert_holds(desk.log, lines[i][1]);
        assert_string_equal(desk.out, "");
        desk_free(&desk);
    }
}

static void help_has_an_example_for_every_verb(void **state)
{
    (void)state;
    for (size_t i = 0; i < ctl_verbs_count; i++) {
        const struct ctl_verb *verb = &ctl_verbs[i];
        struct desk desk;
        char line[100], example[200];
        snprintf(line, sizeof line, "%s --help", verb->words);
        snprintf(example, sizeof example, "example: retrogatectl %s", verb->words);
        desk_play(&desk, line, "", NULL, 0);
        assert_int_equal(desk.code, CTL_DONE);
        assert_holds(desk.out, "usage: retrogatectl ");
        assert_holds(desk.out, verb->help);
        assert_holds(desk.out, example);
        assert_true(verb->run != NULL || verb->layout != NULL || verb->after != NULL);
        assert_true((verb->run != NULL) != (verb->command != NULL));
        desk_free(&desk);
    }
}

static void the_manual_knows_every_verb_and_option(void **state)
{
    (void)state;
    static char manual[200000];
    FILE *file = fopen(TEST_VECTORS "/../../doc/retrogatectl.1", "r");
    assert_non_null(file);
    manual[fread(manual, 1, sizeof manual - 1, file)] = '\0';
    fclose(file);
    for (size_t i = 0; i < ctl_verbs_count; i++) {
        char item[100];
        snprintf(item, sizeof item, ".It Cm %s", ctl_verbs[i].words);
        char *at = strstr(manual, item);
        if (at == NULL)
            fail_msg("the manual does not know '%s'", ctl_verbs[i].words);
        char *next = strstr(at + 1, "\n.It Cm "), old = '\0';
        if (next != NULL) {
            old = *next;
            *next = '\0';
        }
        for (const struct ctl_param *param = ctl_verbs[i].params; param->kind != CTL_NOTHING; param++)
            if (strstr(at, param->name[0] == '-' ? param->name + 2 : param->name) == NULL)
                fail_msg("the manual of '%s' does not know %s", ctl_verbs[i].words, param->name);
        if (next != NULL)
            *next = old;
    }
}

static void a_refusal_is_told_and_1(void **state)
{
    (void)state;
    struct desk desk;
    PLAY(&desk, "friend show bob", "",
         {"{'do':'friend.show','friend':'bob'}",
          "{'error':{'code':'not-found','text':'no friend bob\\u001b[2J'}}"});
    assert_int_equal(desk.code, CTL_REFUSED);
    assert_string_equal(desk.log, "retrogatectl: no friend bob\xef\xbf\xbd[2J\n");
    assert_string_equal(desk.out, "");
    desk_free(&desk);
    desk_play(&desk, "account remove alice", "bob\n", NULL, 0);
    assert_int_equal(desk.code, CTL_REFUSED);
    assert_holds(desk.log, "not confirmed");
    desk_free(&desk);
    desk_play(&desk, "conversation lower bob --account a", "y\n", NULL, 0);
    assert_int_equal(desk.code, CTL_REFUSED);
    assert_holds(desk.log, "not confirmed; the conversation is as it was");
    desk_free(&desk);
}

static void nobody_there_is_3(void **state)
{
    (void)state;
    struct desk desk;
    desk_play(&desk, "status", "", NULL, 0);
    assert_int_equal(desk.code, CTL_UNREACHABLE);
    assert_holds(desk.log, "is retrogated running?");
    desk_free(&desk);
    desk_play(&desk, "status --socket /nonexistent/socket", "", NULL, 0);
    assert_int_equal(desk.code, CTL_UNREACHABLE);
    assert_holds(desk.log, "/nonexistent/socket: there is no such socket");
    desk_free(&desk);
}

static void the_only_account_is_taken(void **state)
{
    (void)state;
    struct desk desk;
    PLAY(&desk, "contact list", "", {"{'do':'account.list'}", "{'done':{'accounts':[{'name':'alice'}]}}"},
         {"{'do':'contact.list','account':'alice'}", "{'done':{'contacts':[]}}"});
    assert_int_equal(desk.code, CTL_DONE);
    assert_holds(desk.out, "no contacts yet");
    desk_free(&desk);
    PLAY(&desk, "contact list", "", {"{'do':'account.list'}", "{'done':{'accounts':[]}}"});
    assert_int_equal(desk.code, CTL_REFUSED);
    assert_holds(desk.log, "there is no account yet");
    desk_free(&desk);
    PLAY(&desk, "contact list", "",
         {"{'do':'account.list'}", "{'done':{'accounts':[{'name':'a'},{'name':'b'}]}}"});
    assert_int_equal(desk.code, CTL_USAGE);
    assert_holds(desk.log, "there are 2 accounts; name one with --account");
    desk_free(&desk);
}

static void json_is_printed_as_it_came(void **state)
{
    (void)state;
    struct desk desk;
    PLAY(&desk, "attempts --json", "",
         {"{'do':'attempts'}", "{'done':{'attempts':[{'count':3,'new':null}]}}"});
    json_t *value = json_loads(desk.out, 0, NULL),
           *expected = quoted_json("{'attempts':[{'count':3,'new':null}]}");
    assert_true(json_equal(value, expected));
    json_decref(value);
    json_decref(expected);
    desk_free(&desk);
}

static void a_hint_before_the_answer_is_skipped(void **state)
{
    (void)state;
    struct desk desk;
    PLAY(&desk, "contact list --account a", "",
         {"{'do':'contact.list','account':'a'}",
          "{'hint':{}}\n{'more':true}\n{'done':{'contacts':[{}]},'id':77}\n{'done':{'contacts':[]},'id':1}"});
    assert_int_equal(desk.code, CTL_DONE);
    assert_holds(desk.out, "no contacts yet");
    desk_free(&desk);
}

static void a_conversation_shows_its_routes(void **state)
{
    (void)state;
    struct desk desk;
    PLAY(&desk, "conversation show bob --account a", "",
         {"{'do':'conversation.show','conversation':'bob','account':'a'}",
          "{'done':{'handle':'bob','state':'can talk','protection':'sealed','protection_text':'both ends',"
          "'sealed':true,'routes':[{'id':3,'kind':'sealed','role':'inviter','confirmed':true,"
          "'created':1699999940000,'last_used':0,'hash_known_to':'you'}]}}"});
    assert_string_equal(
        desk.out, "handle       bob\nstate        can talk\nprotection   sealed\n             both ends\n"
                  "sealed once  yes\n\n"
                  "route  kind    we are   confirmed  made       used   known to\n"
                  "3      sealed  inviter  yes        1 min ago  never  you\n");
    desk_free(&desk);
}

static void watch_prints_hints_until_the_daemon_ends(void **state)
{
    (void)state;
    struct desk desk;
    PLAY(&desk, "watch", "",
         {"{'do':'watch','on':true}",
          "{'done':{}}\n{'hint':{'friend':{'name':'bob','state':'offline','reason':'no "
          "answer'}}}\n{'more':true}\n{'hint':{'progress':{'what':'account.add','text':'a "
          "key is made'}}}\n{'hint':{'progress':{'what':'account.add','text':'a key is made'}}}"});
    assert_int_equal(desk.code, CTL_UNREACHABLE);
    assert_string_equal(desk.out, "friend bob: offline (no answer)\nprogress account.add: a key is made\n");
    assert_holds(desk.log, "retrogated closed the connection");
    desk_free(&desk);
}

static void watch_of_an_account_prints_its_changes(void **state)
{
    (void)state;
    struct desk desk;
    setenv("TZ", "UTC", 1);
    PLAY(&desk, "watch --account a", "", {"{'do':'account.show','account':'a'}", "{'done':{'change':40}}"},
         {"{'do':'conversation.list','account':'a'}", "{'done':{'conversations':[{'id':3,'handle':'bob'}]}}"},
         {"{'do':'changes','account':'a','after':40}",
          "{'done':{'change':41,'more':true,'changes':[{'change':41,'line':{'conversation':3,'seq':7,'"
          "direction':'in',"
          "'text':'hi','time':1700000000000}}]}}"},
         {"{'do':'changes','account':'a','after':41}",
          "{'done':{'change':42,'more':true,'changes':[{'change':42,'conversation':{'id':3,'handle':'robert',"
          "'state':'can talk','protection':'sealed'}}]}}"},
         {"{'do':'changes','account':'a','after':42}",
          "{'done':{'change':43,'more':false,'changes':[{'change':43,'gone':{'contact':2}},"
          "{'change':43,'line':{'conversation':3,'seq':8,'"
          "direction':'out',"
          "'text':'hi','time':1700000000000,'delivery':'queued'}},"
          "{'change':43,'post':{'seq':9,'direction':'out','to':[{'address':'b@distant.alt'}],'subject':'s',"
          "'time':1700000000000,'deliveries':[{'delivery':'not-confirmed'}]}}]}}"});
    assert_int_equal(desk.code, CTL_UNREACHABLE);
    assert_string_equal(desk.out,
                        "     7  2023-11-14 22:13  <bob> hi\nconversation robert: can talk, sealed\n"
                        "contact 2: gone\n"
                        "     8  2023-11-14 22:13  <me> hi  [queued]\n"
                        "     9     now            to b@distant.alt: s [not-confirmed]\n");
    desk_free(&desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verbs_become_commands),
        cmocka_unit_test(the_page_is_told),
        cmocka_unit_test(misuse_is_told_without_the_daemon),
        cmocka_unit_test(help_has_an_example_for_every_verb),
        cmocka_unit_test(the_manual_knows_every_verb_and_option),
        cmocka_unit_test(a_refusal_is_told_and_1),
        cmocka_unit_test(nobody_there_is_3),
        cmocka_unit_test(the_only_account_is_taken),
        cmocka_unit_test(json_is_printed_as_it_came),
        cmocka_unit_test(a_hint_before_the_answer_is_skipped),
        cmocka_unit_test(a_conversation_shows_its_routes),
        cmocka_unit_test(watch_prints_hints_until_the_daemon_ends),
        cmocka_unit_test(watch_of_an_account_prints_its_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
