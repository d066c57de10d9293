/* SPDX-License-Identifier: ISC */
/* Maildirs in real folders: what is written, in step both ways, and what a folder that vanished does not do.
 */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridges/mail/maildir.h"

#include "unit/mail/inbox.h"

static const char first[] = "Subject: one\r\n\r\nThe text.\r\n", second[] = "Subject: two\r\n\r\nMore.\r\n";

static struct wire wire;
static struct maildir *maildir;
static char root[] = "/tmp/test_maildir_XXXXXX";
static bool closed;

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void remove_all(const char *path)
{
    nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void serve(void)
{
    struct error *error = NULL;
    maildir = maildir_open(&wire.loop, &wire.gateway, root, "mail.test.alt", &error);
    if (maildir == NULL)
        fail_msg("%s", error->text);
}

static void on_closed(void *arg)
{
    *(bool *)arg = true;
}

static void stop(void)
{
    closed = false;
    maildir_close(maildir, on_closed, &closed);
    while (!closed)
        uv_run(&wire.loop, UV_RUN_ONCE);
    maildir = NULL;
}

static int setup(void **state)
{
    (void)state;
    inbox_open();
    wire_open(&wire, inbox_run);
    mkdir(root, 0700);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (maildir != NULL)
        stop();
    wire_close(&wire);
    inbox_close();
    remove_all(root);
    return 0;
}

/* --- what is on the disk */

static const char *path_of(const char *below)
{
    static char paths[4][400];
    static size_t next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/alice/%s", root, below);
    return path;
}

/* How many files of the folder have names like this; `name` is the last of them. */
static size_t count_files(const char *folder, const char *mask, char name[300])
{
    size_t count = 0;
    DIR *dir = opendir(path_of(folder));
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.' || fnmatch(mask, entry->d_name, 0) != 0)
            continue;
        count++;
        if (name != NULL)
            snprintf(name, 300, "%s", entry->d_name);
    }
    if (dir != NULL)
        closedir(dir);
    return count;
}

static bool turn_until_files(const char *folder, const char *mask, size_t wanted)
{
    for (int i = 0; i < WIRE_TURNS && count_files(folder, mask, NULL) != wanted; i++)
        uv_run(&wire.loop, UV_RUN_ONCE);
    return count_files(folder, mask, NULL) == wanted;
}

static void expect_files(const char *folder, const char *mask, size_t wanted)
{
    if (!turn_until_files(folder, mask, wanted))
        fail_msg("%s/%s: %zu, not %zu", folder, mask, count_files(folder, mask, NULL), wanted);
}

#define expect_soon(condition)                                                                               \
    do {                                                                                                     \
        for (int turns = 0; turns < WIRE_TURNS && !(condition); turns++)                                     \
            uv_run(&wire.loop, UV_RUN_ONCE);                                                                 \
        assert_true(condition);                                                                              \
    } while (0)

/* The position in the folder is this change. */
static bool is_kept(const char *folder, int64_t change)
{
    char text[300] = "", wanted[40], path[60];
    snprintf(path, sizeof path, "%sretrogate-position", folder);
    snprintf(wanted, sizeof wanted, " %" PRId64 "\n", change);
    FILE *file = fopen(path_of(path), "r");
    bool read = file != NULL && fgets(text, sizeof text, file) != NULL;
    if (file != NULL)
        fclose(file);
    return read && strstr(text, wanted) != NULL;
}

static void settle(void)
{
    expect_soon(is_kept("", inbox.change));
}

/* As a mail program marks or moves it. */
static void move_file(const char *from, const char *mask, const char *to, const char *info)
{
    char name[300], source[360], target[660];
    assert_int_equal(count_files(from, mask, name), 1);
    snprintf(source, sizeof source, "%s/%s", from, name);
    name[strcspn(name, ":")] = '\0';
    snprintf(target, sizeof target, "%s/%s%s", to, name, info);
    assert_int_equal(rename(path_of(source), path_of(target)), 0);
}

static void remove_file(const char *folder, const char *mask)
{
    char name[300], path[360];
    assert_int_equal(count_files(folder, mask, name), 1);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(unlink(path_of(path)), 0);
}

/* --- what the gateway gives */

static void posts_are_written(void **state)
{
    (void)state;
    char name[300], path[360], text[200] = "";
    inbox_add(first);
    inbox_post(inbox_add(second))->seen = true;
    inbox_post(inbox_add("Subject: sent\r\n\r\n"))->direction = "out";
    inbox_post(inbox_add("Subject: locked\r\n\r\n"))->verdict = "locked";
    serve();
    expect_files("new", "*.R3_1.mail.test.alt,S=27", 1);
    expect_files("cur", "*.R3_2.mail.test.alt,S=*:2,S", 1);
    expect_files(".Sent/new", "*.T3_3.mail.test.alt,S=*", 1);
    settle();
    assert_int_equal(count_files("new", "*", NULL), 1);
    assert_int_equal(count_files("cur", "*", NULL), 1);
    assert_int_equal(count_files("tmp", "*", NULL), 0);
    count_files("new", "*", name);
    snprintf(path, sizeof path, "new/%s", name);
    FILE *file = fopen(path_of(path), "r");
    assert_int_equal(fread(text, 1, sizeof text, file), sizeof first - 1);
    assert_string_equal(text, first);
    fclose(file);
    /* The vault was opened. */
    inbox_post(4)->verdict = "signed";
    inbox_post(4)->change = ++inbox.change;
    wire.gateway.change = inbox.change;
    expect_files("new", "*.R3_4.*", 1);
}

static void long_messages_are_whole(void **state)
{
    (void)state;
    enum { SIZE = 3000000 };
    char name[300], path[360], *text = malloc(SIZE), *read = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        text[i] = (char)(i * 7 + i / 300);
    inbox_add_bytes(text, SIZE);
    serve();
    expect_files("new", "*.R3_1.*", 1);
    count_files("new", "*", name);
    snprintf(path, sizeof path, "new/%s", name);
    FILE *file = fopen(path_of(path), "r");
    assert_int_equal(fread(read, 1, SIZE, file), SIZE);
    assert_memory_equal(text, read, SIZE);
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
    free(text);
    free(read);
}

static void changed(int64_t seq)
{
    inbox_post(seq)->change = ++inbox.change;
    wire.gateway.change = inbox.change;
}

static void flags_go_to_the_folder(void **state)
{
    (void)state;
    inbox_add(first);
    serve();
    expect_files("new", "*", 1);
    settle();
    inbox_post(1)->flagged = inbox_post(1)->seen = true;
    changed(1);
    expect_files("cur", "*R3_1.*:2,FS", 1);
    assert_int_equal(count_files("new", "*", NULL), 0);
    inbox_post(1)->seen = false;
    changed(1);
    expect_files("cur", "*R3_1.*:2,F", 1);
    inbox_post(1)->gone = true;
    changed(1);
    expect_files("cur", "*", 0);
}

/* --- what the mail program does */

static void flags_come_from_the_folder(void **state)
{
    (void)state;
    inbox_add(first);
    serve();
    expect_files("new", "*", 1);
    settle();
    move_file("new", "*", "cur", ":2,RSa");
    expect_soon(inbox_post(1)->seen && inbox_post(1)->answered && !inbox_post(1)->flagged);
    settle();
    inbox_post(1)->flagged = true;
    changed(1);
    expect_files("cur", "*:2,FRSa", 1);
    settle();
    move_file("cur", "*", "cur", ":2,RTa");
    expect_soon(inbox_post(1)->gone);
    expect_files("cur", "*", 0);
}

static void deletions_come_from_the_folder(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        inbox_add(first);
    inbox_post(4)->direction = "out";
    serve();
    expect_files("new", "*", 3);
    settle();
    remove_file("new", "*.R3_2.*");
    expect_soon(inbox_post(2)->gone);
    expect_soon(is_kept(".Sent/", 4));
    remove_file(".Sent/new", "*");
    expect_soon(inbox_post(4)->gone);
    expect_soon(is_kept(".Sent/", inbox.change));
    assert_false(inbox_post(1)->gone || inbox_post(3)->gone);
}

static void what_happened_while_nobody_looked(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        inbox_add(first);
    serve();
    expect_files("new", "*", 5);
    settle();
    stop();
    move_file("new", "*.R3_1.*", "cur", ":2,S");
    remove_file("new", "*.R3_2.*");
    inbox_post(3)->gone = true;
    changed(3);
    inbox_post(4)->flagged = true;
    changed(4);
    serve();
    expect_soon(inbox_post(1)->seen && inbox_post(2)->gone);
    expect_files("cur", "*.R3_4.*:2,F", 1);
    expect_files("new", "*", 1);
    settle();
    assert_false(inbox_post(1)->gone || inbox_post(4)->gone || inbox_post(5)->gone);
}

/* --- nothing is lost */

static void assert_all_kept(size_t count)
{
    for (size_t i = 1; i <= count; i++)
        assert_false(inbox_post((int64_t)i)->gone);
    assert_int_equal(fake_count(&wire.gateway, "post.delete", NULL), 0);
}

static void a_vanished_folder_deletes_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        inbox_add(first);
    serve();
    expect_files("new", "*", 4);
    settle();
    /* Its mount goes: an empty place is there, then one with empty folders. */
    rename(path_of(""), "/tmp/test_maildir_away");
    expect_files("new", "*", 0);
    stop();
    serve();
    expect_files("new", "*", 4);
    settle();
    assert_all_kept(4);
    /* With the service stopped, and what was there before comes back. */
    stop();
    inbox_add(second);
    remove_all(path_of(""));
    rename("/tmp/test_maildir_away", path_of(""));
    serve();
    expect_files("new", "*", 5);
    settle();
    assert_all_kept(5);
    /* All at once, while it runs, but with folders of the same names in its place. */
    remove_all(path_of(""));
    mkdir(path_of(""), 0700);
    mkdir(path_of("new"), 0700);
    mkdir(path_of("cur"), 0700);
    mkdir(path_of("tmp"), 0700);
    expect_files("new", "*", 5);
    settle();
    assert_all_kept(5);
}

static void another_accounts_folder(void **state)
{
    (void)state;
    inbox_add(first);
    serve();
    expect_files("new", "*", 1);
    settle();
    stop();
    inbox.owner = "FFEEDDCCBBAA99887766554433221100FFEEDDCC";
    inbox_add(second);
    serve();
    for (int i = 0; i < 300; i++)
        uv_run(&wire.loop, UV_RUN_ONCE);
    assert_int_equal(count_files("new", "*", NULL), 1);
    assert_all_kept(2);
}

static void links_are_not_followed(void **state)
{
    (void)state;
    char target[] = "/tmp/test_maildir_target_XXXXXX";
    assert_non_null(mkdtemp(target));
    inbox_add(first);
    mkdir(path_of(""), 0700);
    assert_int_equal(symlink(target, path_of("new")), 0);
    serve();
    for (int i = 0; i < 300; i++)
        uv_run(&wire.loop, UV_RUN_ONCE);
    assert_int_equal(rmdir(target), 0); /* it is empty */
    stop();
    unlink(path_of("new"));
    serve();
    expect_files("new", "*", 1);
}

/* Stopped after any number of turns, as by a kill: at the end each is there once. */
static void stopped_at_any_moment(void **state)
{
    (void)state;
    enum { POSTS = 30 };
    for (int i = 0; i < POSTS; i++)
        inbox_add(i % 2 != 0 ? first : second);
    for (int turns = 1; turns < 60; turns++) {
        serve();
        for (int i = 0; i < turns; i++)
            uv_run(&wire.loop, UV_RUN_NOWAIT);
        usleep(500);
        stop();
        if (turns == 30)
            close(open(path_of("tmp/1700000030.R3_30.mail.test.alt,S=27"), O_CREAT | O_WRONLY, 0600));
    }
    serve();
    expect_files("new", "*", POSTS);
    settle();
    for (int i = 1; i <= POSTS; i++) {
        char mask[40];
        snprintf(mask, sizeof mask, "*.R3_%d.*", i);
        assert_int_equal(count_files("new", mask, NULL), 1);
    }
    assert_int_equal(count_files("tmp", "*", NULL), 0);
    assert_all_kept(POSTS);
}

static void refusals_are_tried_again(void **state)
{
    (void)state;
    struct error *error = NULL;
    assert_null(maildir_open(&wire.loop, &wire.gateway, "relative", "mail.test.alt", &error));
    error_free(error);
    inbox_add(first);
    inbox.fails = "post.read";
    inbox.fails_with = ERROR_UNAVAILABLE;
    serve();
    for (int i = 0; i < 300; i++)
        uv_run(&wire.loop, UV_RUN_ONCE);
    assert_int_equal(count_files("new", "*", NULL), 0);
    assert_false(is_kept("", inbox.change));
    inbox.fails = NULL;
    stop();
    serve();
    expect_files("new", "*", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(posts_are_written, setup, teardown),
        cmocka_unit_test_setup_teardown(long_messages_are_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(flags_go_to_the_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(flags_come_from_the_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(deletions_come_from_the_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(what_happened_while_nobody_looked, setup, teardown),
        cmocka_unit_test_setup_teardown(a_vanished_folder_deletes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(another_accounts_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(links_are_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(stopped_at_any_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals_are_tried_again, setup, teardown),
    };
    assert_non_null(mkdtemp(root));
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    remove_all(root);
    return failures;
}
