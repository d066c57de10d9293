/* SPDX-License-Identifier: ISC */
/* A client's bytes into a session of POP3. The first byte chooses where the client comes from, whether it is
 * logged in, and what the gateway refuses; 0xfe lets the loop turn. What comes out is whole lines, and
 * nothing is removed before QUIT. */
#include "bridges/mail/pop3.h"
#include "fuzz/mail_pair.h"
#include "unit/mail/inbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { AWAY = 1, START = 2, LOGGED_IN = 4, NO_LIST = 8, NO_READ = 16, NO_DELETE = 32, LARGE = 64 };

static json_t *run(struct gateway *gateway, const json_t *command, struct error **error)
{
    const char *verb = json_string_value(json_object_get(command, "do"));
    if (strcmp(verb, "post.delete") == 0)
        check(gateway->arg != NULL);
    return inbox_run(gateway, command, error);
}

static void fill(uint8_t choice)
{
    static char large[70000];
    static const char plain[] = "Subject: One\r\n\r\n.dot\r\n..\r\n.\r\nend", bare[] = ".\n\n.\n\r\n.\r\r";
    memset(large, '.', sizeof large);
    inbox = (struct inbox){.epoch = 3, .posts = inbox.posts};
    inbox_add(plain);
    inbox_add(bare);
    inbox_add("");
    inbox_add(plain);
    inbox.posts[3].verdict = "locked";
    if ((choice & LARGE) != 0)
        inbox_add_bytes(large, sizeof large);
    inbox.fails = (choice & NO_LIST) != 0     ? "post.list"
                  : (choice & NO_READ) != 0   ? "post.read"
                  : (choice & NO_DELETE) != 0 ? "post.delete"
                                              : NULL;
    inbox.fails_with = (choice & LARGE) != 0 ? ERROR_NOT_FOUND : ERROR_UNAVAILABLE;
}

static bool has_quit(const uint8_t *data, size_t size)
{
    for (size_t at = 0; at + 4 <= size; at++)
        if (strncasecmp((const char *)data + at, "QUIT", 4) == 0)
            return true;
    return false;
}

static void check_output(struct bytes view)
{
    check(view.size < 3 || memcmp(view.data, "+OK", 3) == 0 || memcmp(view.data, "-ER", 3) == 0);
    check(view.size == 0 || view.data[view.size - 1] == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char log_in[] = "USER alice\r\nPASS secret\r\n";
    struct pair pair;
    bool quits;
    if (size < 2 || size > 60000)
        return 0;
    if (inbox.posts == NULL)
        inbox_open();
    fill(data[0]);
    quits = has_quit(data + 1, size - 1);
    fake_init(&pair.gateway, run);
    pair.gateway.arg = quits ? &quits : NULL;
    pair_open(&pair, &pop3_service, (data[0] & AWAY) != 0 ? "192.0.2.1:1" : "127.0.0.1:1",
              (data[0] & START) != 0, 1 << 20);
    if ((data[0] & LOGGED_IN) != 0)
        pair_say(&pair, log_in, sizeof log_in - 1);
    pair_say(&pair, data + 1, size - 1);
    if ((data[0] & LARGE) == 0)
        check_output(buffer_view(&pair.out));
    pair_close(&pair);
    return 0;
}
