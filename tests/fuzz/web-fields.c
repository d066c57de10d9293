/* SPDX-License-Identifier: ISC */
#include "web/fields.h"

#include <stdlib.h>
#include <string.h>

#include "web/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes field = bytes_of(data, size);
    struct entry entry;
    char browser[64], text[64];
    bool basic = fields_basic(&entry, field);
    if (basic != (entry.account[0] != '\0') || basic != (entry.password[0] != '\0') ||
        strlen(entry.account) >= sizeof entry.account || strchr(entry.account, ':') != NULL)
        abort();
    fields_accept_gzip(field);
    fields_are_json(field);
    fields_upgrade(field, "websocket");
    if (fields_match(field, "0123456789abcdef") && memchr(data, '*', size) == NULL &&
        memmem(data, size, "0123456789abcdef", 16) == NULL)
        abort();
    fields_browser(browser, sizeof browser, field);
    if (browser[0] == '\0' || strpbrk(browser, "<>&\"\r\n") != NULL)
        abort();
    size_t length = size < sizeof text - 1 ? size : sizeof text - 1;
    memcpy(text, size > 0 ? (const char *)data : "", length);
    text[length] = '\0';
    if (fields_wait(text) < 1 || fields_wait(text) > 3600)
        abort();
    return 0;
}
