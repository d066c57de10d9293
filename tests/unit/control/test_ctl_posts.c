/* SPDX-License-Identifier: ISC */
#include <limits.h>
#include <sys/stat.h>

#include "control/ctl_print.h"
#include "test_ctl_desk.h"

static void verbs_become_commands(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        struct exchange exchange;
    } cases[] = {
        {"post list --box all --before 9 --max 5 --account a",
         {"{'do':'post.list','box':'all','before':9,'max':5,'account':'a'}", "{'done':{'posts':[]}}"}},
        {"post list --thread 4 --account a",
         {"{'do':'post.list','thread':4,'account':'a'}", "{'done':{'posts':[]}}"}},
        {"post search --account a --box in -- the --blue house",
         {"{'do':'post.search','text':'the --blue house','box':'in','account':'a'}",
          "{'done':{'posts':[]}}"}},
        {"post show 3 --account a", {"{'do':'post.show','seq':3,'account':'a'}", "{'done':{}}"}},
        {"post flag 3 --seen on --answered off --account a",
         {"{'do':'post.flag','seq':3,'seen':true,'answered':false,'account':'a'}", "{'done':{'change':1}}"}},
        {"post delete 3 --account a",
         {"{'do':'post.delete','seq':3,'account':'a'}", "{'done':{'change':1}}"}},
        {"post withdraw 3 --contact bob --account a",
         {"{'do':'post.withdraw','seq':3,'contact':'bob','account':'a'}", "{'done':{}}"}},
        {"post resend 3 --contact 12 --lower --account a",
         {"{'do':'post.resend','seq':3,'contact':12,'lower':true,'account':'a'}", "{'done':{}}"}},
        {"post link new --valid 2w --account a",
         {"{'do':'post.link.new','valid':1209600,'account':'a'}", "{'done':{}}"}},
        {"post link open retroshare://public_msg?x --key KEY --account a",
         {"{'do':'post.link.open','link':'retroshare://public_msg?x','key':'KEY','account':'a'}",
          "{'done':{}}"}},
        {"post link list --account a", {"{'do':'post.link.list','account':'a'}", "{'done':{'links':[]}}"}},
        {"post link revoke 3 --account a",
         {"{'do':'post.link.revoke','link':3,'account':'a'}", "{'done':{}}"}},
        {"account set alice --universal on --strangers 0 --wait 14d --limit 70000 --forward a@example.org",
         {"{'do':'account.set','account':'alice','universal':true,'strangers':0,'wait':1209600,'limit':70000,"
          "'forward':'a@example.org'}",
          "{'done':{}}"}},
        {"account set alice --forward=",
         {"{'do':'account.set','account':'alice','forward':''}", "{'done':{}}"}},
        {"post send bob,carol@distant.alt --subject Hello --text Hi --cc dora --cc eve --reply 7 --wait 3d "
         "--lower bob --tell --unsigned --account a",
         {"{'do':'post.send','account':'a','to':['bob','carol@distant.alt'],'subject':'Hello','text':'Hi',"
          "'cc':['dora','eve'],'reply_to':7,'wait':259200,'lower':['bob'],'sign':false,"
          "'notify':['success','failure','delay']}",
          "{'done':{'seq':8}}"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct desk desk;
        desk_play(&desk, cases[i].line, "", &cases[i].exchange, 1);
        if (desk.code != CTL_DONE)
            fail_msg("%s: %s", cases[i].line, desk.log);
        desk_free(&desk);
    }
}

static void lists_tell_the_state_of_each_post(void **state)
{
    (void)state;
    struct desk desk;
    PLAY(&desk, "post list --box all --account a", "",
         {"{'do':'post.list','box':'all','account':'a'}",
          "{'done':{'more':true,'posts':["
          "{'seq':9,'direction':'out','to':[{'address':'bob@distant.alt','name':'Bob'}],'subject':'',"
          "'time':1699999940000,'deliveries':[{'delivery':'delivered'},{'delivery':'failed'},"
          "{'delivery':'delivered'}]},"
          "{'seq':7,'direction':'in','from':[{'address':'c@distant.alt','name':''}],'seen':false,'flagged':"
          "true,"
          "'subject':'x\\u001b[31m\\u202ey\\nz','time':1699999940000,'verdict':'signed'}]}}"});
    assert_int_equal(desk.code, CTL_DONE);
    assert_string_equal(
        desk.out, "     7  N! 1 min ago      from c@distant.alt: x\xef\xbf\xbd[31m\xef\xbf\xbdy z [signed]\n"
                  "     9     1 min ago      to bob@distant.alt: (no subject) [delivered, failed]\n"
                  "older ones: --before 7\n");
    desk_free(&desk);
}

static void one_post_is_shown_harmless(void **state)
{
    (void)state;
    struct desk desk;
    PLAY(&desk, "post show 7 --account a", "",
         {"{'do':'post.show','seq':7,'account':'a'}",
          "{'done':{'seq':7,'direction':'in','from':[{'address':'c@distant.alt','name':'C\\u009b2J'}],"
          "'to':[{'address':'a@distant.alt','name':''}],'cc':[],'subject':'s','time':1699999940000,"
          "'verdict_text':'signed by c','protection':'sealed','level':'open',"
          "'parts':[{'part':2,'name':'a\\nb','type':'text/plain','size':2048}],'files':[],"
          "'text':'one\\r\\u001b]0;x\\u0007\\n\\ttwo','text_cut':true}}"});
    assert_int_equal(desk.code, CTL_DONE);
    assert_holds(desk.out, "from          C\xef\xbf\xbd"
                           "2J <c@distant.alt>\n");
    assert_holds(desk.out, "to            a@distant.alt\n");
    assert_holds(desk.out, ", 1 min ago\n");
    assert_holds(desk.out, "attachment    2: a b, 2.0 KiB\n");
    assert_holds(desk.out, "\none\xef\xbf\xbd\xef\xbf\xbd]0;x\xef\xbf\xbd\n\ttwo\n(it goes on;");
    assert_null(strchr(desk.out, '\x1b'));
    assert_null(strstr(desk.out, "\ncc"));
    desk_free(&desk);
}

static void what_waits_tells_until_when(void **state)
{
    (void)state;
    struct desk desk;
    PLAY(&desk, "post show 9 --account a", "",
         {"{'do':'post.show','seq':9,'account':'a'}",
          "{'done':{'seq':9,'direction':'out','to':[],'subject':'s','time':1699999940000,'text':'',"
          "'deliveries':[{'address':'b@distant.alt','delivery':'queued','protection':'','level':'universal',"
          "'reason':'','until':1700003600000},{'address':'c@distant.alt','delivery':'delivered',"
          "'protection':'sealed','level':'open','reason':'','until':1700003600000}]}}"});
    assert_int_equal(desk.code, CTL_DONE);
    assert_holds(desk.out, "b@distant.alt: queued, universal, given up in 1 h\n");
    assert_holds(desk.out, "c@distant.alt: delivered, sealed, open\n");
    desk_free(&desk);
}

#define STORED                                                                                               \
    {                                                                                                        \
        "{'do':'post.send','account':'a','to':['bob'],'subject':'','text':'two\\nlines'}",                   \
            "{'done':{'seq':8}}"                                                                             \
    }

static void text_comes_from_the_standard_input(void **state)
{
    (void)state;
    struct desk desk;
    PLAY(&desk, "post send bob --account a", "two\nlines\n", STORED);
    assert_string_equal(desk.out, "post 8 is stored and leaves as soon as it can\n");
    desk_free(&desk);
    PLAY(&desk, "post send bob --account a --json", "two\nlines\n", STORED);
    assert_string_equal(desk.out, "{\n  \"seq\": 8\n}\n");
    desk_free(&desk);
    desk_play(&desk, "post send bob --account a", "", NULL, 0);
    assert_int_equal(desk.code, CTL_USAGE);
    assert_holds(desk.log, "the text is empty");
    desk_free(&desk);
    PLAY(&desk, "post send bob --account a", "two\nlines\n",
         {"{'do':'post.send','account':'a','to':['bob'],'subject':'','text':'two\\nlines'}",
          "{'error':{'code':'not-found','text':'nobody is \\u001b[1mbob'}}"});
    assert_int_equal(desk.code, CTL_REFUSED);
    assert_holds(desk.log, "nobody is \xef\xbf\xbd[1mbob");
    desk_free(&desk);
}

/* A folder for files, and paths in it. */
static char folder[PATH_MAX];

static int make_folder(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/retrogate-files-XXXXXX", base != NULL ? base : P_tmpdir);
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void assert_file(const char *path, const char *text)
{
    char got[200] = "";
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s is not there", path);
    size_t size = fread(got, 1, sizeof got - 1, file);
    fclose(file);
    assert_int_equal(size, strlen(text));
    assert_string_equal(got, text);
}

static void attachments_are_brought_first(void **state)
{
    (void)state;
    struct desk desk;
    char path[PATH_MAX + 16], line[2 * PATH_MAX];
    snprintf(path, sizeof path, "%s/plan.txt", folder);
    write_file(path, "the plan");
    snprintf(line, sizeof line, "post send bob --attach %s --account a", path);
    PLAY(&desk, line, "", {"{'do':'upload.open','account':'a'}", "{'done':{'upload':5}}"},
         {"{'do':'upload.write','account':'a','upload':5,'offset':0,'data':'dGhlIHBsYW4='}",
          "{'done':{'size':8}}"},
         {"{'do':'post.send','account':'a','to':['bob'],'subject':'','text':'','attachments':[{'upload':5,"
          "'name':'plan.txt'}]}",
          "{'done':{'seq':8}}"});
    assert_int_equal(desk.code, CTL_DONE);
    desk_free(&desk);
    /* Nothing is sent without a file that was named. */
    unlink(path);
    desk_play(&desk, line, "text", NULL, 0);
    assert_int_equal(desk.code, CTL_REFUSED);
    assert_holds(desk.log, "cannot read");
    desk_free(&desk);
}

#define PART(offset, answer)                                                                                 \
    {                                                                                                        \
        "{'do':'post.part','account':'a','seq':7,'part':2,'offset':" offset ",'size':262144}", answer        \
    }

static void parts_never_harm_what_is_there(void **state)
{
    (void)state;
    struct desk desk;
    char path[PATH_MAX + 16], line[2 * PATH_MAX], forced[2 * PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/saved", folder);
    snprintf(line, sizeof line, "post part 7 2 --account a --file %s", path);
    snprintf(forced, sizeof forced, "%s --force", line);
    /* In pieces, each behind those that came. */
    PLAY(&desk, line, "", PART("0", "{'done':{'data':'b25lIA==','end':false}}"),
         PART("4", "{'done':{'data':'dHdv','end':true}}"));
    assert_int_equal(desk.code, CTL_DONE);
    assert_file(path, "one two");
    desk_free(&desk);
    desk_play(&desk, line, "", NULL, 0);
    assert_int_equal(desk.code, CTL_REFUSED);
    assert_holds(desk.log, "is there already");
    assert_file(path, "one two");
    desk_free(&desk);
    /* What fails on the way leaves the old one, and nothing beside it. */
    PLAY(&desk, forced, "", PART("0", "{'done':{'data':'bmV3','end':false}}"),
         PART("3", "{'error':{'code':'unavailable','text':'not now'}}"));
    assert_int_equal(desk.code, CTL_REFUSED);
    assert_file(path, "one two");
    desk_free(&desk);
    PLAY(&desk, forced, "", PART("0", "{'done':{'data':'','end':true}}"));
    assert_int_equal(desk.code, CTL_DONE);
    assert_file(path, "");
    desk_free(&desk);
    unlink(path);
    PLAY(&desk, line, "", PART("0", "{'error':{'code':'not-found','text':'no such post'}}"));
    assert_int_equal(access(path, F_OK), -1);
    desk_free(&desk);
    /* No device and no link is written through. */
    desk_play(&desk, "post part 7 2 --account a --file /dev/null --force", "", NULL, 0);
    assert_int_equal(desk.code, CTL_REFUSED);
    assert_holds(desk.log, "no plain file");
    desk_free(&desk);
    assert_int_equal(symlink("/dev/null", path), 0);
    desk_play(&desk, forced, "", NULL, 0);
    assert_int_equal(desk.code, CTL_REFUSED);
    desk_free(&desk);
    unlink(path);
}

static void an_answer_of_nothing_ends_it(void **state)
{
    (void)state;
    struct desk desk;
    PLAY(&desk, "post part 7 2 --account a --file -", "", PART("0", "{'done':{'data':'','end':false}}"));
    assert_int_equal(desk.code, CTL_REFUSED);
    desk_free(&desk);
    PLAY(&desk, "post part 7 2 --account a --file -", "", PART("0", "{'done':{'data':'a b','end':true}}"));
    assert_int_equal(desk.code, CTL_REFUSED);
    assert_string_equal(desk.out, "");
    desk_free(&desk);
}

static void a_message_is_read_as_it_is(void **state)
{
    (void)state;
    struct desk desk;
    PLAY(&desk, "post read 7 --account a", "",
         {"{'do':'post.read','account':'a','seq':7,'offset':0,'size':262144}",
          "{'done':{'data':'QTogGw0KDQo=','end':true}}"});
    assert_int_equal(desk.code, CTL_DONE);
    assert_string_equal(desk.out, "A: \x1b\r\n\r\n");
    desk_free(&desk);
}

static void names_of_files_are_harmless(void **state)
{
    (void)state;
    static const struct {
        const char *given, *made;
    } cases[] = {{"plan.pdf", "plan.pdf"},
                 {"../../etc/passwd", "passwd"},
                 {"/", "attachment"},
                 {"", "attachment"},
                 {"..", "_."},
                 {".bashrc", "_bashrc"},
                 {"-rf", "_rf"},
                 {"a\\b", "a_b"},
                 {"a\x1b[2J\n", "a_[2J_"},
                 {"a\xc2\x9b"
                  "2J",
                  "a_2J"},
                 {"a\xe2\x80\xae"
                  "fdp.exe",
                  "a_fdp.exe"},
                 {"\xc3\xa4.txt", "\xc3\xa4.txt"}};
    char made[CTL_FILE_NAME], long_name[400];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ctl_file_name(made, cases[i].given);
        assert_string_equal(made, cases[i].made);
    }
    /* Cut between characters. */
    for (size_t i = 0; i + 2 < sizeof long_name; i += 2)
        memcpy(long_name + i, "\xc3\xa4", 3);
    ctl_file_name(made, long_name);
    assert_int_equal(strlen(made), CTL_FILE_NAME - 2);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verbs_become_commands),
        cmocka_unit_test(lists_tell_the_state_of_each_post),
        cmocka_unit_test(one_post_is_shown_harmless),
        cmocka_unit_test(what_waits_tells_until_when),
        cmocka_unit_test(text_comes_from_the_standard_input),
        cmocka_unit_test_setup_teardown(attachments_are_brought_first, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(parts_never_harm_what_is_there, make_folder, remove_folder),
        cmocka_unit_test(an_answer_of_nothing_ends_it),
        cmocka_unit_test(a_message_is_read_as_it_is),
        cmocka_unit_test(names_of_files_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
