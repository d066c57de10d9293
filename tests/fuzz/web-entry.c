/* SPDX-License-Identifier: ISC */
#include "web/entry.h"

#include <stdlib.h>
#include <string.h>

/* The input is two fields with a line feed between them. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* What was read is written and read again as the same. */
static void cookies(struct bytes field, bool secure)
{
    const struct place place = {.port = 8080, .secure = secure};
    struct entry first, second;
    if (!entry_cookie_read(&first, &place, field)) {
        check(first.account[0] == '\0' && first.password[0] == '\0');
        return;
    }
    struct buffer cookie = buffer_make(1024);
    check(entry_cookie_write(&cookie, &place, &first, 0));
    struct bytes view = buffer_view(&cookie);
    const uint8_t *end = memchr(view.data, ';', view.size);
    check(end != NULL && memchr(view.data, '\n', view.size) == NULL);
    check(entry_cookie_read(&second, &place, bytes_of(view.data, (size_t)(end - view.data))));
    check(strcmp(first.account, second.account) == 0 && strcmp(first.password, second.password) == 0);
    buffer_free(&cookie);
    char token[ENTRY_TOKEN_SIZE];
    entry_token(token, &first);
    check(entry_token_right(bytes_of(token, ENTRY_TOKEN_SIZE - 1), &second));
    check(!entry_token_right(field, &first) || field.size == ENTRY_TOKEN_SIZE - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[] = "chat.example.org", origin_name[] = "https://gamja.example.org", *names[] = {name},
         *origins[] = {origin_name};
    const struct site site = {.names = names, .name_count = 1, .origins = origins, .origin_count = 1};
    const uint8_t *line = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t first = line != NULL ? (size_t)(line - data) : size;
    struct bytes origin = bytes_of(data, first),
                 host = line != NULL ? bytes_of(line + 1, size - first - 1) : bytes_of(NULL, 0);
    cookies(origin, false);
    cookies(host, true);
    if (entry_host_known(&site, host)) {
        /* It is shown in a header field. */
        check(host.size > 0 && host.size < 270);
        for (size_t i = 0; i < host.size; i++)
            check(host.data[i] > ' ' && host.data[i] < 0x7f && strchr(";,'\"<>\\/@%", host.data[i]) == NULL);
    }
    if (entry_origin_same(origin, host, true))
        check(entry_origin_same(origin, host, false) && origin.size > host.size - (host.size > 4 ? 4 : 0));
    if (entry_origin_same(origin, host, false))
        check(entry_origin_may_irc(&site, origin, host, false));
    return 0;
}
