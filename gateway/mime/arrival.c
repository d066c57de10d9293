/* SPDX-License-Identifier: ISC */
#include "mime/arrival.h"

#include <stdlib.h>
#include <string.h>

#include "mime/fields.h"
#include "mime/parts.h"

enum { SUBJECT_SIZE = 4096 };

static const struct {
    const char *verdict, *result;
} results[] = {
    {"signed", "pass"},
    {"gateway", "pass"},
    {"bad-signature", "fail"},
    {"not-addressed", "fail"},
};

static const char *result_of(const char *verdict)
{
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        if (strcmp(results[i].verdict, verdict) == 0)
            return results[i].result;
    }
    return "none";
}

/* A quoted-string of printable ASCII. */
static void put_quoted(struct buffer *out, const char *text)
{
    buffer_append(out, "\"", 1);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            buffer_append(out, "\\", 1);
        if (*text >= ' ' && *text < 127)
            buffer_append(out, text, 1);
    }
    buffer_append(out, "\"", 1);
}

void arrival_fields(struct buffer *own, const struct mime_arrival *arrival)
{
    buffer_printf(own, "Authentication-Results: %s;\r\n x-retrogate=%s", arrival->gateway,
                  result_of(arrival->verdict));
    if (arrival->verdict_text != NULL && arrival->verdict_text[0] != '\0') {
        buffer_append_string(own, "\r\n reason=");
        put_quoted(own, arrival->verdict_text);
    }
    buffer_printf(own, "\r\n header.from=%s\r\n policy.verdict=%s policy.protection=%s policy.level=%s\r\n",
                  arrival->from.address, arrival->verdict, arrival->protection, arrival->level);
    field_people(own, "From", &arrival->from, 1);
    field_autocrypt(own, arrival->from.address, arrival->autocrypt);
}

static size_t put_people(struct buffer *own, const char *name, const struct mime_arrival *arrival,
                         const struct reading *reading, struct mime_person *list)
{
    size_t count = people_read(list, MIME_ADDRESSES_LIMIT, reading, name), known = 0;
    for (size_t i = 0; i < count; i++) {
        struct mime_person person;
        if (people_from_wire(arrival->people, list[i].address, &person))
            list[known++] = person;
    }
    field_people(own, name, list, known);
    return known;
}

static void put_ids(struct buffer *own, const char *name, const struct mime_people *people,
                    const struct reading *reading)
{
    struct ids ids;
    ids_read(&ids, reading_raw(reading, name));
    for (size_t i = 0; i < ids.count && people->own_id != NULL; i++) {
        const char *own_id = people->own_id(people->arg, ids.id[i]);
        if (own_id != NULL && id_valid(own_id, strlen(own_id)))
            memcpy(ids.id[i], own_id, strlen(own_id) + 1);
    }
    field_ids(own, name, &ids);
}

static bool put_header(struct buffer *own, const struct mime_arrival *arrival, const struct reading *reading)
{
    char subject[SUBJECT_SIZE];
    struct ids ids;
    struct mime_person *list = calloc(MIME_ADDRESSES_LIMIT, sizeof *list);
    if (list == NULL)
        return false;
    arrival_fields(own, arrival);
    size_t named = put_people(own, "To", arrival, reading, list);
    named += put_people(own, "Cc", arrival, reading, list);
    free(list);
    if (named == 0 && arrival->own_address != NULL)
        buffer_printf(own, "To: %s\r\n", arrival->own_address);
    subject_read(subject, sizeof subject, reading);
    if (subject[0] != '\0')
        field_text(own, "Subject", subject);
    int64_t date = date_read(reading);
    field_date(own, "Date", date > 0 ? date : arrival->sent_ms > 0 ? arrival->sent_ms : arrival->received_ms);
    ids_read(&ids, reading_raw(reading, "Message-ID"));
    field_id(own, "Message-ID", ids.count > 0 ? ids.id[0] : arrival->message_id);
    put_ids(own, "In-Reply-To", arrival->people, reading);
    put_ids(own, "References", arrival->people, reading);
    buffer_append_string(own, "MIME-Version: 1.0\r\n");
    return !own->failed;
}

bool mime_receive_sealed(struct buffer *own, struct mime_summary *summary, const struct mime_arrival *arrival,
                         struct bytes content, struct error **error)
{
    struct reading reading;
    bool changed, good = reading_open(&reading, content, error) && parts_reduce(&reading, NULL, "", error);
    if (good) {
        parts_encode(&reading, &changed);
        good = put_header(own, arrival, &reading) && object_write(own, reading.root);
        if (!good)
            error_set(error, ERROR_LIMIT, "the message is too large, or there is no memory");
    }
    reading_free(&reading);
    return good && mime_summarise(summary, buffer_view(own), error);
}
