/* SPDX-License-Identifier: ISC */
#include "maildir_name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { DIGITS_MOST = 18, HOST_MOST = 64 };

static bool take_number(const char **at, int64_t *out)
{
    size_t digits = strspn(*at, "0123456789");
    *out = 0;
    for (size_t i = 0; i < digits && i < DIGITS_MOST; i++)
        *out = *out * 10 + ((*at)[i] - '0');
    *at += digits;
    return digits >= 1 && digits <= DIGITS_MOST;
}

static bool take_char(const char **at, char wanted)
{
    return *(*at)++ == wanted;
}

/* What is behind ":2,"; other kinds of info hold none. */
static maildir_letters read_letters(const char *info)
{
    maildir_letters letters = 0;
    if (strncmp(info, ":2,", 3) != 0)
        return 0;
    for (info += 3; *info != '\0' && *info != ','; info++)
        if ((*info >= 'A' && *info <= 'Z') || (*info >= 'a' && *info <= 'z'))
            letters |= MAILDIR_LETTER(*info);
    return letters;
}

bool maildir_name_parse(struct maildir_name *out, const char *text)
{
    const char *at = text;
    int64_t seconds;
    if (strlen(text) >= MAILDIR_NAME || !take_number(&at, &seconds) || !take_char(&at, '.'))
        return false;
    out->kind = *at;
    if ((*at != 'R' && *at != 'T'))
        return false;
    at++;
    if (!take_number(&at, &out->epoch) || !take_char(&at, '_') || !take_number(&at, &out->seq) || *at != '.')
        return false;
    out->base = strcspn(text, ":");
    out->letters = read_letters(text + out->base);
    return out->seq > 0;
}

void maildir_name_base(char out[MAILDIR_NAME], char kind, int64_t seconds, int64_t epoch, int64_t seq,
                       const char *host, int64_t size)
{
    snprintf(out, MAILDIR_NAME, "%" PRId64 ".%c%" PRId64 "_%" PRId64 ".%.*s,S=%" PRId64,
             seconds > 0 ? seconds : 0, kind, epoch, seq, HOST_MOST, host, size);
}

void maildir_name_tag(char out[MAILDIR_NAME], const char *from, size_t base, maildir_letters letters)
{
    enum { LETTERS = 52, INFO = 3 + LETTERS };
    char info[INFO + 1] = ":2,";
    size_t size = 3;
    for (int bit = 0; bit < LETTERS; bit++)
        if ((letters >> bit & 1) != 0)
            info[size++] = (char)(bit < 26 ? 'A' + bit : 'a' + bit - 26);
    info[size] = '\0';
    if (base > MAILDIR_NAME - 1 - size) /* a name this long would not be one that we gave */
        base = MAILDIR_NAME - 1 - size;
    snprintf(out, MAILDIR_NAME, "%.*s%s", (int)base, from, info);
}
