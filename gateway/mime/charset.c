/* SPDX-License-Identifier: ISC */
#include "mime/charset.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>
#include <strings.h>

#include "wire/utf8.h"

/* The C library loads a module for each charset that is named, some of them with a history of faults: only
 * what mail really uses gets there. */
static const char *const known[] = {
    "ISO-8859-1",   "ISO-8859-2",   "ISO-8859-3",   "ISO-8859-4",   "ISO-8859-5",   "ISO-8859-6",
    "ISO-8859-7",   "ISO-8859-8",   "ISO-8859-9",   "ISO-8859-10",  "ISO-8859-13",  "ISO-8859-14",
    "ISO-8859-15",  "ISO-8859-16",  "WINDOWS-1250", "WINDOWS-1251", "WINDOWS-1252", "WINDOWS-1253",
    "WINDOWS-1254", "WINDOWS-1255", "WINDOWS-1256", "WINDOWS-1257", "WINDOWS-1258", "KOI8-R",
    "KOI8-U",       "GB2312",       "GBK",          "GB18030",      "BIG5",         "EUC-JP",
    "SHIFT_JIS",    "ISO-2022-JP",  "EUC-KR",       "TIS-620",      "UTF-16",       "UTF-16LE",
    "UTF-16BE"};

static const char *find(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof known / sizeof known[0]; i++) {
        if (strcasecmp(known[i], name) == 0)
            return known[i];
    }
    return "WINDOWS-1252";
}

static bool is_ascii_based(const char *name)
{
    return strncmp(name, "UTF-16", 6) != 0 && strcmp(name, "ISO-2022-JP") != 0;
}

bool charset_to_utf8(struct buffer *out, struct bytes text, const char *charset, bool cut)
{
    const char *name = find(charset);
    bool says_utf8 =
        charset == NULL || strcasecmp(charset, "utf-8") == 0 || strcasecmp(charset, "us-ascii") == 0;
    if (says_utf8 || is_ascii_based(name)) {
        size_t most = cut && text.size > 3 ? 3 : 0;
        for (size_t less = 0; less <= most; less++) {
            if (utf8_valid(bytes_of(text.data, text.size - less)))
                return buffer_append(out, text.data, text.size - less);
        }
    }
    iconv_t converter = iconv_open("UTF-8", name);
    if (converter == (iconv_t)-1)
        return buffer_append_string(out, "?");
    char *in = (char *)(uintptr_t)text.data;
    size_t left = text.size;
    while (left > 0 && !out->failed) {
        char piece[4096], *at = piece;
        size_t room = sizeof piece;
        size_t result = iconv(converter, &in, &left, &at, &room);
        int cause = errno;
        buffer_append(out, piece, sizeof piece - room);
        if (result == (size_t)-1 && cause == EINVAL)
            break;
        if (result == (size_t)-1 && cause == EILSEQ) {
            buffer_append_string(out, "\xef\xbf\xbd");
            in++;
            left--;
        }
    }
    iconv_close(converter);
    return !out->failed;
}
