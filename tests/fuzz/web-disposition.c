/* SPDX-License-Identifier: ISC */
#include "web/disposition.h"

#include <stdlib.h>
#include <string.h>

#include "wire/percent.h"
#include "wire/utf8.h"

/* The input is a file's name, as far as it is UTF-8. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* What a client saves: a name that is not empty, leads nowhere, and is not hidden. */
static void check_name(struct bytes name)
{
    check(name.size > 0 && utf8_valid(name));
    check(name.data[0] != '.' && name.data[0] != ' ');
    for (size_t i = 0; i < name.size; i++)
        check(name.data[i] >= ' ' && name.data[i] != 0x7f && memchr("/\\\":", name.data[i], 4) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char begin[] = "attachment; filename=\"", middle[] = "\"; filename*=UTF-8''";
    char name[4096];
    size_t used = size < sizeof name - 1 ? size : sizeof name - 1;
    if (used > 0)
        memcpy(name, data, used);
    name[used] = '\0';
    struct buffer out = buffer_make(1024), decoded = buffer_make(1024);
    check(disposition_write(&out, name)); /* the longest fits */
    const char *text = buffer_string(&out);
    check(strncmp(text, begin, sizeof begin - 1) == 0);
    const char *simple = text + sizeof begin - 1, *end = strstr(simple, middle);
    check(end != NULL);
    struct bytes ascii = bytes_of(simple, (size_t)(end - simple)),
                 extended = bytes_of_string(end + sizeof middle - 1);
    check_name(ascii);
    for (size_t i = 0; i < ascii.size; i++)
        check(ascii.data[i] < 0x7f);
    for (size_t i = 0; i < extended.size; i++)
        check(extended.data[i] > ' ' && extended.data[i] < 0x7f &&
              strchr("\"'();,/", extended.data[i]) == NULL);
    check(percent_decode(&decoded, extended));
    check_name(buffer_view(&decoded));
    check(utf8_length(buffer_view(&decoded)) == ascii.size);
    buffer_free(&out);
    buffer_free(&decoded);
    check(strchr(disposition_type(name), '/') != NULL);
    return 0;
}
