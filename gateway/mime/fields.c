/* SPDX-License-Identifier: ISC */
#include "mime/fields.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "wire/radix64.h"
#include "wire/utf8.h"

enum { FOLD = 72, GROUP_DEPTH = 3, AUTOCRYPT_LIMIT = 256 << 10 };

/* GMime folds with LF. */
static void append_lines(struct buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            buffer_append(out, "\r\n", 2);
        else if (*text != '\r')
            buffer_append(out, text, 1);
    }
}

void field_text(struct buffer *out, const char *name, const char *text)
{
    char *encoded = g_mime_utils_header_encode_text(NULL, text, "utf-8");
    char *line = g_strdup_printf("%s: %s", name, encoded);
    char *folded = g_mime_utils_unstructured_header_fold(NULL, NULL, line);
    append_lines(out, folded);
    if (!g_str_has_suffix(folded, "\n"))
        buffer_append(out, "\r\n", 2);
    g_free(folded);
    g_free(line);
    g_free(encoded);
}

void field_date(struct buffer *out, const char *name, int64_t unix_ms)
{
    /* strftime() would follow the locale. */
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm at;
    if (gmtime_r(&seconds, &at) == NULL)
        return;
    buffer_printf(out, "%s: %s, %02d %s %04d %02d:%02d:%02d +0000\r\n", name, days[at.tm_wday], at.tm_mday,
                  months[at.tm_mon], at.tm_year + 1900, at.tm_hour, at.tm_min, at.tm_sec);
}

void field_id(struct buffer *out, const char *name, const char *id)
{
    if (id[0] != '\0')
        buffer_printf(out, "%s: <%s>\r\n", name, id);
}

void field_ids(struct buffer *out, const char *name, const struct ids *ids)
{
    for (size_t i = 0; i < ids->count; i++) {
        if (i == 0)
            buffer_printf(out, "%s:", name);
        buffer_printf(out, "%s <%s>", i == 0 ? "" : "\r\n", ids->id[i]);
    }
    if (ids->count > 0)
        buffer_append(out, "\r\n", 2);
}

void field_people(struct buffer *out, const char *name, const struct mime_person *people, size_t count)
{
    if (count == 0)
        return;
    buffer_printf(out, "%s:", name);
    for (size_t i = 0; i < count; i++) {
        buffer_append_string(out, i == 0 ? " " : ",\r\n ");
        if (people[i].name[0] == '\0') {
            buffer_append_string(out, people[i].address);
            continue;
        }
        char *phrase = g_mime_utils_header_encode_phrase(NULL, people[i].name, "utf-8");
        append_lines(out, phrase);
        buffer_printf(out, " <%s>", people[i].address);
        g_free(phrase);
    }
    buffer_append(out, "\r\n", 2);
}

void field_autocrypt(struct buffer *out, const char *address, struct bytes block)
{
    if (block.size == 0 || address[0] == '\0')
        return;
    struct buffer text = buffer_make(AUTOCRYPT_LIMIT);
    if (radix64_encode(&text, block)) {
        struct bytes left = buffer_view(&text);
        buffer_printf(out, "Autocrypt: addr=%s; keydata=", address);
        while (left.size > 0) {
            size_t part = left.size < FOLD ? left.size : FOLD;
            buffer_append_string(out, "\r\n ");
            buffer_append(out, left.data, part);
            left.data += part;
            left.size -= part;
        }
        buffer_append(out, "\r\n", 2);
    } else {
        out->failed = true;
    }
    buffer_free(&text);
}

/* --- reading */

static void show(char *out, size_t size, const char *text)
{
    utf8_show(out, size, bytes_of_string(text));
}

struct taking {
    struct mime_person *out; /* NULL: they are only counted */
    size_t room, count;
};

static void take_list(struct taking *taking, InternetAddressList *list, unsigned depth)
{
    int count = internet_address_list_length(list);
    for (int i = 0; i < count && taking->count < taking->room; i++) {
        InternetAddress *address = internet_address_list_get_address(list, i);
        if (INTERNET_ADDRESS_IS_GROUP(address) && depth < GROUP_DEPTH) {
            take_list(taking, internet_address_group_get_members(INTERNET_ADDRESS_GROUP(address)), depth + 1);
        } else if (INTERNET_ADDRESS_IS_MAILBOX(address)) {
            struct mime_person person;
            const char *text = internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(address));
            const char *name = internet_address_get_name(address);
            if (text == NULL || text[0] == '\0' || strlen(text) >= sizeof person.address)
                continue;
            show(person.address, sizeof person.address, text);
            show(person.name, sizeof person.name, name == NULL ? "" : name);
            if (taking->out != NULL)
                taking->out[taking->count] = person;
            taking->count++;
        }
    }
}

size_t people_read(struct mime_person *out, size_t room, const struct reading *reading, const char *name)
{
    struct taking taking = {.out = out, .room = room};
    GMimeHeaderList *headers = g_mime_object_get_header_list(GMIME_OBJECT(reading->object));
    int count = g_mime_header_list_get_count(headers);
    for (int i = 0; i < count; i++) {
        GMimeHeader *header = g_mime_header_list_get_header_at(headers, i);
        const char *raw = g_mime_header_get_raw_value(header);
        if (raw == NULL || g_ascii_strcasecmp(g_mime_header_get_name(header), name) != 0)
            continue;
        InternetAddressList *list = internet_address_list_parse(NULL, raw);
        if (list == NULL)
            continue;
        take_list(&taking, list, 0);
        g_object_unref(list);
    }
    return taking.count;
}

size_t people_count(const struct reading *reading, const char *name)
{
    return people_read(NULL, SIZE_MAX, reading, name);
}

void subject_read(char *out, size_t size, const struct reading *reading)
{
    const char *raw = reading_raw(reading, "Subject");
    out[0] = '\0';
    if (raw == NULL)
        return;
    char *unfolded = g_mime_utils_header_unfold(raw);
    char *text = g_mime_utils_header_decode_text(NULL, unfolded);
    g_strstrip(text);
    for (char *at = text; *at != '\0'; at++) {
        if (*at == '\t' || *at == '\r' || *at == '\n')
            *at = ' ';
    }
    show(out, size, text);
    g_free(text);
    g_free(unfolded);
}

int64_t date_read(const struct reading *reading)
{
    const char *raw = reading_raw(reading, "Date");
    GDateTime *date = raw == NULL ? NULL : g_mime_utils_header_decode_date(raw);
    if (date == NULL)
        return 0;
    int64_t seconds = g_date_time_to_unix(date);
    g_date_time_unref(date);
    return seconds > 0 ? seconds * 1000 : 0;
}
