/* SPDX-License-Identifier: ISC */
/* How fast IRC lines are split and said, against copying the same bytes line by line: what any server has to
 * do. */
#include <stdio.h>
#include <string.h>

#include "base/source.h"
#include "bridges/irc/message.h"

enum { ROUNDS = 2000000 };

static const char *const lines[] = {
    "PING :1700000000",
    "@label=a7;+typing=active TAGMSG &bob",
    ":ali!a@irc.retrogate.alt PRIVMSG &bob :a line of chat as people write them, not long and not short",
    "@time=2023-11-14T22:13:20.000Z;msgid=1-4711;account=alice :bob!bob@distant PRIVMSG &bob :hello there",
};
enum { LINES = sizeof lines / sizeof lines[0] };

static double seconds_since(uint64_t start)
{
    return (double)(clock_monotonic_ms() - start + 1) / 1000.0;
}

int main(void)
{
    struct buffer out = buffer_make(64 * 1024);
    char line[1024];
    size_t sum = 0;
    uint64_t start = clock_monotonic_ms();
    for (size_t i = 0; i < ROUNDS; i++) {
        struct message message;
        const char *text = lines[i % LINES];
        memcpy(line, text, strlen(text) + 1);
        buffer_clear(&out);
        if (message_parse(&message, line) && message_format(&out, &message))
            sum += buffer_size(&out);
    }
    double codec = seconds_since(start);
    start = clock_monotonic_ms();
    for (size_t i = 0; i < ROUNDS; i++) {
        const char *text = lines[i % LINES];
        size_t size = strlen(text);
        memcpy(line, text, size + 1);
        buffer_clear(&out);
        const char *end = memchr(line, '\0', sizeof line);
        if (buffer_append(&out, line, (size_t)(end - line)))
            sum += buffer_size(&out);
    }
    double copy = seconds_since(start);
    printf("lines split and said: %.0f/s, copied: %.0f/s, ratio %.2f (%zu bytes)\n", ROUNDS / codec,
           ROUNDS / copy, copy / codec, sum);
    buffer_free(&out);
    return sum > 0 ? 0 : 1;
}
