/* SPDX-License-Identifier: ISC */
/* A client's bytes into a session of submission over a pair of sockets, with the gateway in memory. The first
 * byte chooses where the client comes from, whether it is logged in, and what the gateway refuses; 0xfe lets
 * the loop turn. What comes out is whole replies. */
#include "bridges/mail/submission.h"
#include "fuzz/mail_pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { AWAY = 1, START = 2, LOGGED_IN = 4, REFUSES = 8, AT_ONCE = 16, SMALL = 32 };

static uint8_t choice;

static json_t *run(struct gateway *gateway, const json_t *command, struct error **error)
{
    const char *verb = json_string_value(json_object_get(command, "do"));
    (void)gateway;
    if ((choice & REFUSES) != 0 && strcmp(verb, "post.address") != 0) {
        error_set(error, ERROR_UNAVAILABLE, "the fake gateway\r\nrefuses");
        return NULL;
    }
    if (strcmp(verb, "post.address") == 0) {
        const char *address = json_string_value(json_object_get(command, "address"));
        check(address != NULL);
        return json_pack("{s:s, s:i}", "address", address, "limit", strlen(address) == 7 ? 10 : 0);
    }
    return json_pack("{s:i, s:i, s:i}", "upload", 1, "epoch", 1, "seq", 1);
}

static void check_output(struct bytes view)
{
    while (view.size > 0) {
        const uint8_t *end = memchr(view.data, '\n', view.size);
        check(end != NULL && end - view.data >= 5 && end - view.data <= 1024 && end[-1] == '\r');
        check(view.data[0] >= '2' && view.data[0] <= '5' && (view.data[3] == ' ' || view.data[3] == '-'));
        for (const uint8_t *at = view.data; at < end - 1; at++)
            check(*at >= 0x20 && *at < 0x7f);
        view.size -= (size_t)(end + 1 - view.data);
        view.data = end + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char log_in[] = "EHLO x\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n";
    struct pair pair;
    if (size < 2 || size > 60000)
        return 0;
    choice = data[0];
    fake_init(&pair.gateway, run);
    pair.gateway.refuse_at_once = (choice & AT_ONCE) != 0 ? "post.send" : NULL;
    pair_open(&pair, &submission_service, (choice & AWAY) != 0 ? "192.0.2.1:1" : "127.0.0.1:1",
              (choice & START) != 0, (choice & SMALL) != 0 ? 20 : 1 << 20);
    if ((choice & LOGGED_IN) != 0)
        pair_say(&pair, log_in, sizeof log_in - 1);
    pair_say(&pair, data + 1, size - 1);
    check_output(buffer_view(&pair.out));
    pair_close(&pair);
    return 0;
}
